-- neovim.lua - neovim's own loop, measured: nvim --headless -c 'luafile neovim.lua', with MEASURE_MODE and MEASURE_WORK set
--
-- SPDX-License-Identifier: Apache-2.0

-- An editor that has met an error goes on.
local function guarded(body)
    return function()
        local well, why = xpcall(body, debug.traceback)
        if well then return end
        io.stderr:write(why, "\n")
        os.exit(1)
    end
end

guarded(function()
    package.path = os.getenv("MEASURE_LUA") .. ";" .. package.path
    local Measure, uv = require "measure", vim.loop

    function Measure.clock() return uv.hrtime() / 1e6 end

    local function say(text) io.stdout:write(text, "\n") io.stdout:flush() end

    local version = vim.version()
    say(("host neovim %d.%d.%d (%s), its loop: libuv"):format(version.major, version.minor, version.patch, jit.version))
    local measure = Measure.new(os.getenv("MEASURE_MODE"), os.getenv("MEASURE_WORK"), say, function() vim.schedule(function() vim.cmd "qa!" end) end)

    local timer = uv.new_timer()
    timer:start(0, 5, guarded(function() measure:tick() end))
    if measure.fd then
        local poll = uv.new_poll(measure.fd)
        -- What libuv calls may not touch the editor; vim.schedule brings it to where the editor itself runs, and the watch goes on afterwards.
        local function watch()
            poll:start("r", function()
                poll:stop()
                vim.schedule(guarded(function()
                    if measure.ended then return end
                    measure:readable()
                    if measure.ended then poll:close() else watch() end
                end))
            end)
        end
        watch()
    end
end)()
