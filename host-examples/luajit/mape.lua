-- mape.lua - MapEngine for LuaJIT. Its declarations are the header's own, read when the library is loaded.
--
--     local mape = require "mape"
--     local pool = mape.pool {workers = 2}
--     local cbrt = mape.register(pool, {library = "libm.so.6", prototype = "double cbrt(double x)"})
--
-- MAPE_PREFIX is where include/ and lib/ of MapEngine are; /usr/local without it. All calls are there as mape.C.mape_...; the functions below
-- are for what every script does. A call that fails is an error, with the library's message.
--
-- SPDX-License-Identifier: Apache-2.0

local ffi = require "ffi"

local mape = {prefix = os.getenv("MAPE_PREFIX") or "/usr/local"}

-- What the header has as macros is not there.
mape.FOREVER = -1
mape.ZYGOTE = "zygote:"

--- The declarations of mapengine.h, as ffi.cdef takes them. mapengine.h promises that this is enough: its parts one after another,
--- where lines that end in a backslash are joined with the next, then what is for C++ goes, and so do lines that begin with "#".
function mape.declarations(include)
    local parts = {}
    for name in mape.contents(include .. "/mapengine.h"):gmatch('\n#include "([^"]+)"') do
        local text = mape.contents(include .. "/" .. name):gsub("\\\n", " ")
        text = ("\n" .. text):gsub("\n#ifdef __cplusplus.-\n#endif", "\n")
        parts[#parts + 1] = text:gsub("\n#[^\n]*", "\n")
    end
    return table.concat(parts, "\n")
end

--- The text of a file.
function mape.contents(path)
    local file = assert(io.open(path))
    local text = file:read("*a")
    file:close()
    return text
end

-- The library is loaded, and the header read, when mape.C is used first.
setmetatable(mape, {__index = function(self, name)
    if name ~= "C" then return nil end
    ffi.cdef(self.declarations(self.prefix .. "/include"))
    self.C = ffi.load(self.prefix .. "/lib/libmapengine.so")
    return self.C
end})

--- A structure whose struct_size is set, as its _INIT macro does, and fields as given.
function mape.new(name, fields)
    local _ = mape.C
    local value = ffi.new(name)
    value.struct_size = ffi.sizeof(name)
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

-- ---- Hosts. ----

--- A pool; fields as of mape_pool_config. To be given back by mape.C.mape_pool_release.
function mape.pool(fields)
    local C, config = mape.C, mape.new("mape_pool_config", fields)
    local out = ffi.new("mape_pool *[1]")
    mape.check(C.mape_pool_create(out, config))
    return out[0]
end

--- The id of a function; fields as of mape_function.
function mape.register(pool, fields)
    local id = ffi.new("mape_function_id[1]")
    mape.check(mape.C.mape_function_register(id, pool, mape.new("mape_function", fields)), pool)
    return id[0]
end

--- The job of a map over `count` elements of an ffi array; fields as of mape_job_config.
function mape.map(pool, id, array, count, fields)
    local job, size = ffi.new("mape_job *[1]"), count == 0 and 0 or ffi.sizeof(array) / count
    local items = mape.new("mape_items", {base = array, count = count, item_size = size})
    mape.check(mape.C.mape_map(job, pool, id, items, mape.new("mape_job_config", fields)), pool)
    return job[0]
end

--- The descriptor that is readable while there are events, for the host's loop.
function mape.fd(pool)
    local out = ffi.new("int[1]")
    mape.check(mape.C.mape_pool_event_fd(out, pool), pool)
    return out[0]
end

--- Iterates over events: `for event in mape.events(pool) do`. Waits `timeout` nanoseconds for each, without one not at all. The event is the
--- same structure each time.
function mape.events(pool, timeout)
    local event, C = mape.new("mape_event"), mape.C
    return function()
        local status = C.mape_pool_next_event(event, pool, timeout or 0)
        if status == C.MAPE_OK then return event end
        if status ~= C.MAPE_E_AGAIN and status ~= C.MAPE_E_TIMEOUT and status ~= C.MAPE_E_CLOSED then mape.check(status, pool) end
    end
end

-- ---- Zygotes: workers that run Lua. ----

--- Offers a Lua function to hosts, under a name: body(input, size, task) gets the input's address and its bytes, and returns a text, the
--- result. An error in it fails the item. Code that C calls back must not be compiled where it calls C itself, which calls Lua.
function mape.offer(name, body)
    local C = mape.C
    local function run(task, _, input, size)
        local well, result = pcall(body, input, tonumber(size), task)
        if not well then return C.mape_task_fail(task, 1, tostring(result)) end
        ffi.copy(C.mape_task_output(task, #result), result, #result)
        return 0
    end
    jit.off(run, true)
    mape.check(C.mape_zygote_offer(mape.new("mape_zygote_function", {name = name, run = ffi.cast("mape_run_fn", run)})))
end

--- Serves hosts until their pool ends; `arguments` as of the global arg. Returns an exit code.
function mape.zygote_main(arguments)
    local list = {arguments[0], unpack(arguments)}
    local texts, keep = mape.texts(list)
    return mape.C.mape_zygote_main(#list, ffi.cast("char **", texts)), keep
end
jit.off(mape.zygote_main)

return mape
