-- luajit.lua - LuaJIT with a loop of its own, poll(2), measured: luajit luajit.lua MODE WORK
--
-- SPDX-License-Identifier: Apache-2.0

local ffi, Measure = require "ffi", require "measure"

ffi.cdef [[
struct timespec { long tv_sec, tv_nsec; };
int clock_gettime(int clock, struct timespec *time);
struct pollfd { int fd; short events, revents; };
int poll(struct pollfd *fds, unsigned long count, int timeout);
]]

local time = ffi.new("struct timespec")
function Measure.clock()
    ffi.C.clock_gettime(1, time)
    return tonumber(time.tv_sec) * 1e3 + tonumber(time.tv_nsec) / 1e6
end

local running = true
io.stdout:setvbuf("line")
print("host " .. jit.version .. ", poll(2)")
local measure = Measure.new(arg[1], arg[2], print, function() running = false end)
local fds, next_tick = ffi.new("struct pollfd[1]", {{measure.fd or -1, 1, 0}}), Measure.clock()
while running do
    local left = next_tick - Measure.clock()
    if ffi.C.poll(fds, 1, math.max(0, math.ceil(left))) > 0 then measure:readable() end
    if running and Measure.clock() >= next_tick then
        measure:tick()
        next_tick = Measure.clock() + 5
    end
end
