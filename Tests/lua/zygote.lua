-- zygote.lua - a LuaJIT as the zygote: its workers run functions that are written in Lua, without any library of C.
--
--     luajit zygote.lua [--replay FILE]
--
-- SPDX-License-Identifier: Apache-2.0

local folder = arg[0]:match("^(.*/)") or "./"
package.path = folder .. "../../host-examples/luajit/?.lua;" .. package.path
local ffi, mape = require "ffi", require "mape"

local started = 0 -- Made before the fork: all workers have it.

local offers = {
    square = function(input)
        local value = ffi.cast("const double *", input)[0]
        if value < 0 then error("no square of " .. value .. ", says Lua") end
        return ffi.string(ffi.new("double[1]", value * value), 8)
    end,
    words = function(input, size)
        local count = 0
        for _ in ffi.string(input, size):gmatch("%a+") do count = count + 1 end
        return tostring(count + started)
    end,
    crash = function() return ffi.string(ffi.cast("const char *", 8)) end,
}

for name, body in pairs(offers) do mape.offer(name, body) end
started = 100

os.exit((mape.zygote_main(arg)))
