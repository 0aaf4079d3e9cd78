-- measure.lua - what measure.py asks of a host, for hosts that speak Lua: luajit.lua and neovim.lua bring their loops.
--
--     local measure = require("measure").new(MODE, WORK, say, quit)
--     measure.fd        to be watched: measure:readable() when it is readable. nil when there is no pool
--     measure:tick()    every 5 ms
--
-- SPDX-License-Identifier: Apache-2.0

local ffi, mape = require "ffi", require "mape"
local Measure = {}
Measure.__index = Measure

ffi.cdef "int getpid(void); int gettid(void);"

local COUNT, HALF, CRASH, ENDLESS = 400, 200, 100, 390

--- mode: "beside", a second without MapEngine; "run", the three jobs; "quit", an end in the middle of one. say(text) prints a line;
--- quit() ends the host as its users do.
function Measure.new(mode, work, say, quit)
    local self = setmetatable({mode = mode, say = say, quit = quit, gap = 0, last = nil, began = nil, main = 0}, Measure)
    if mode ~= "beside" then
        self.pool = mape.pool {workers = 2}
        self.square = mape.register(self.pool, {library = work, run_symbol = "work_square"})
        mape.check(mape.C.mape_pool_start(self.pool, mape.FOREVER), self.pool)
        self.fd = mape.fd(self.pool)
        self:submit(mode == "run" and "map" or "quit")
    end
    return self
end

--- The next job: "map"; "cancel" and "quit", whose last items never end; "crash".
function Measure:submit(phase)
    local values = ffi.new("double[?]", COUNT)
    for i = 0, COUNT - 1 do values[i] = (phase ~= "map" and phase ~= "crash" and i >= ENDLESS) and 1e6 or i end
    if phase == "crash" then values[CRASH] = -1 end
    self.phase, self.seen, self.right, self.main, self.gap, self.last, self.crashed = phase, 0, 0, 0, 0, nil, ""
    local deliver = mape.C.MAPE_DELIVER_ITEMS + mape.C.MAPE_DELIVER_DONE
    self.job = mape.map(self.pool, self.square, values, COUNT, {deliver = deliver})
end

--- The longest time between two ticks, in milliseconds.
function Measure:tick()
    local now = self.clock()
    self.began = self.began or now
    if self.last then self.gap = math.max(self.gap, now - self.last) end
    self.last = now
    if self.mode == "beside" and now - self.began >= 1000 and not self.ended then
        self.ended = true
        self.say(("beside gap=%.1f"):format(self.gap))
        self.quit()
    end
end

function Measure:readable()
    for event in mape.events(self.pool) do
        if event.type == mape.C.MAPE_EVENT_ITEM then
            self:item(event)
        elseif event.type == mape.C.MAPE_EVENT_DONE then
            self:done(event.progress)
            if self.ended then return end
        end
    end
end

function Measure:item(event)
    local result, index = event.result, tonumber(event.index)
    self.seen = self.seen + 1
    if ffi.C.gettid() == ffi.C.getpid() then self.main = self.main + 1 end
    if result.state == mape.C.MAPE_ITEM_OK and ffi.cast("const double *", result.data)[0] == index * index then self.right = self.right + 1 end
    if result.state == mape.C.MAPE_ITEM_CRASHED then self.crashed = (" item=%d signal=%d"):format(index, result.code) end
    if self.seen == HALF and self.phase == "cancel" then mape.check(mape.C.mape_job_cancel(self.job), self.pool) end
    if self.seen == HALF and self.phase == "quit" then
        self.say "quit in the middle"
        self.ended = true
        self.quit()
    end
end

function Measure:done(progress)
    local function number(name) return tonumber(progress[name]) end
    self.say(("%s ok=%d right=%d main=%d failed=%d crashed=%d cancelled=%d gap=%.1f%s"):format(self.phase, number "ok", self.right, self.main,
        number "failed", number "crashed", number "cancelled", self.gap, self.crashed))
    mape.check(mape.C.mape_job_release(self.job), self.pool)
    local following = ({map = "cancel", cancel = "crash"})[self.phase]
    if following then return self:submit(following) end
    self.ended = true
    mape.check(mape.C.mape_pool_release(self.pool), self.pool)
    self.quit()
end

return Measure
