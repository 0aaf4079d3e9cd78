-- mape.lua - MapEngine for LuaJIT. The declarations are the header's own (headers.lua).
--
-- SPDX-License-Identifier: Apache-2.0

local ffi = require "ffi"

local mape = {prefix = assert(os.getenv("MAPE_PREFIX"), "MAPE_PREFIX: where include/ and lib/ of MapEngine are")}

ffi.cdef(require("headers").declarations(mape.prefix .. "/include"))
mape.C = ffi.load(mape.prefix .. "/lib/libmapengine.so")
mape.FOREVER = -1 -- What the header has as macros is not there.
mape.ZYGOTE = "zygote:"

--- A structure whose struct_size is set, as its _INIT macro does, and that of structures within.
function mape.new(name, fields)
    local value = ffi.new(name)
    value.struct_size = ffi.sizeof(name)
    if name == "mape_event" then
        value.result.struct_size = ffi.sizeof("mape_result")
        value.progress.struct_size = ffi.sizeof("mape_progress")
    end
    for field, content in pairs(fields or {}) do value[field] = content end
    return value
end

--- The particulars of the last call that failed.
function mape.message(pool)
    local text = ffi.new("char[8192]")
    mape.C.mape_message(text, 8192, pool)
    return ffi.string(text)
end

--- Raises an error when a call has not gone well.
function mape.check(status, pool)
    if status ~= mape.C.MAPE_OK then error(ffi.string(mape.C.mape_status_string(status)) .. ": " .. mape.message(pool), 2) end
end

--- An array of texts, ended with NULL. The second value keeps them alive.
function mape.texts(list)
    local array = ffi.new("const char *[?]", #list + 1)
    for i, text in ipairs(list) do array[i - 1] = text end
    array[#list] = nil
    return array, list
end

return mape
