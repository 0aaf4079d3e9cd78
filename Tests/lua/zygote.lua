-- zygote.lua - a LuaJIT as the zygote: its workers run functions that are written in Lua, without any library of C.
--
--     luajit zygote.lua [--replay FILE]
--
-- SPDX-License-Identifier: Apache-2.0

local folder = arg[0]:match("^(.*/)") or "./"
package.path = folder .. "?.lua;" .. package.path
local ffi, mape = require "ffi", require "mape"
local C = mape.C

--- A Lua function as one for items: it gets the input's address and size, and returns a text, the result. An error in it fails the item.
--- Code that C calls back is not to be compiled where it calls C itself, which calls Lua.
local function item_function(body)
    local function run(task, state, input, size)
        local well, result = pcall(body, input, tonumber(size), task)
        if not well then return C.mape_task_fail(task, 1, tostring(result)) end
        ffi.copy(C.mape_task_output(task, #result), result, #result)
        return 0
    end
    jit.off(run, true)
    return ffi.cast("mape_run_fn", run)
end

local started = 0 -- Made before the fork: all workers have it.

local offers = {
    square = item_function(function(input)
        local value = ffi.cast("const double *", input)[0]
        if value < 0 then error("no square of " .. value .. ", says Lua") end
        return ffi.string(ffi.new("double[1]", value * value), 8)
    end),
    words = item_function(function(input, size)
        local count = 0
        for _ in ffi.string(input, size):gmatch("%a+") do count = count + 1 end
        return tostring(count + started)
    end),
    crash = item_function(function() return ffi.string(ffi.cast("const char *", 8)) end),
}

for name, run in pairs(offers) do
    mape.check(C.mape_zygote_offer(mape.new("mape_zygote_function", {name = name, run = run})))
end
started = 100

local function main()
    local arguments = {arg[0], unpack(arg)}
    local texts, keep = mape.texts(arguments)
    return C.mape_zygote_main(#arguments, ffi.cast("char **", texts)), keep
end
jit.off(main)
os.exit((main()))
