-- tests.lua - a Lua script as a host of MapEngine, with workers that call C, and with workers that run Lua (zygote.lua).
--
--     luajit tests.lua LUAJIT FOLDER      LUAJIT: the interpreter's path, FOLDER: for crash files
--
-- SPDX-License-Identifier: Apache-2.0

local folder = arg[0]:match("^(.*/)") or "./"
package.path = folder .. "../../host-examples/luajit/?.lua;" .. package.path
local ffi, mape = require "ffi", require "mape"
local C, check, new = mape.C, mape.check, mape.new
local pool_made, registered, mapped = mape.pool, mape.register, mape.map
local luajit, crashes = arg[1], arg[2]
io.stdout:setvbuf("line")
jit.off() -- Calls of C that call Lua back must not be compiled; nothing here is for speed.

local function is(got, expected, what)
    if got ~= expected then error((what or "value") .. " is " .. tostring(got) .. ", not " .. tostring(expected), 2) end
end

local function has(text, part)
    if not text:find(part, 1, true) then error('no "' .. part .. '" in "' .. text .. '"', 2) end
end

local function result_of(pool, job, index)
    local result = new("mape_result")
    check(C.mape_job_result(result, job, index), pool)
    return result
end

--- The numbers from 1 to count, as an array.
local function numbers(count)
    local array = ffi.new("double[?]", count)
    for i = 0, count - 1 do array[i] = i + 1 end
    return array
end

local function number_in(result) return ffi.cast("const double *", result.data)[0] end

--- A pool whose workers are forked from zygote.lua.
local function lua_pool(fields)
    local arguments = mape.texts {luajit, folder .. "zygote.lua"}
    fields.zygote_path, fields.zygote_argv, fields.workers = luajit, arguments, 2
    return pool_made(fields), arguments
end

local tests = {}

function tests.a_map_over_an_array_of_the_ffi_with_events_pulled()
    local pool, count = pool_made {workers = 2}, 1000
    local id = registered(pool, {library = "libm.so.6", prototype = "double cbrt(double x)"})
    local values, out, job = numbers(count), ffi.new("double[?]", count), ffi.new("mape_job *[1]")
    local column = new("mape_column", {base = values, stride = 8})
    check(C.mape_map_columns(job, pool, id, count, column, 1, new("mape_job_config", {deliver = C.MAPE_DELIVER_ITEMS + C.MAPE_DELIVER_DONE})), pool)
    local seen, done, event = 0, false, new("mape_event")
    while not done do
        check(C.mape_pool_next_event(event, pool, mape.FOREVER), pool)
        if event.type == C.MAPE_EVENT_ITEM then
            is(tonumber(event.result.state), tonumber(C.MAPE_ITEM_OK), "state")
            seen = seen + 1
        end
        done = event.type == C.MAPE_EVENT_DONE
    end
    is(seen, count, "items seen")
    check(C.mape_job_gather_columns(new("mape_column", {base = out, stride = 8}), 1, nil, job[0]), pool)
    for i = 0, count - 1 do assert(math.abs(out[i] ^ 3 - values[i]) < 1e-9) end
    check(C.mape_pool_release(pool))
end

function tests.an_error_in_a_callback_is_harmless()
    local pool = pool_made {workers = 2}
    local id = registered(pool, {library = "libm.so.6", prototype = "double sqrt(double x)"})
    local calls, finished = 0, false
    local on_item = ffi.cast("mape_event_fn", function()
        calls = calls + 1
        if calls == 3 then error("the callback's own") end
    end)
    local on_done = ffi.cast("mape_event_fn", function() finished = true end)
    local job, values = ffi.new("mape_job *[1]"), numbers(10)
    local column = new("mape_column", {base = values, stride = 8})
    local config = new("mape_job_config", {deliver = C.MAPE_DELIVER_ITEMS + C.MAPE_DELIVER_DONE, on_item = on_item, on_done = on_done})
    check(C.mape_map_columns(job, pool, id, 10, column, 1, config), pool)
    check(C.mape_job_wait(job[0], mape.FOREVER), pool)
    local errors = 0
    for _ = 1, 100 do
        local well, why = pcall(C.mape_pool_dispatch, pool, 0, 0)
        if not well then
            has(tostring(why), "the callback's own")
            errors = errors + 1
        end
        if finished then break end
    end
    is(errors, 1, "errors")
    is(calls, 10, "calls")
    is(finished, true, "finished")
    check(C.mape_pool_release(pool))
    on_item:free()
    on_done:free()
end

function tests.a_crash_is_contained()
    local pool = pool_made {workers = 2}
    local id = registered(pool, {library = "libc.so.6", prototype = "int raise(int signal)"})
    local signals, job = ffi.new("int[100]"), ffi.new("mape_job *[1]")
    signals[57] = 11 -- SIGSEGV; 0 is none.
    check(C.mape_map_columns(job, pool, id, 100, new("mape_column", {base = signals, stride = 4}), 1, nil), pool)
    check(C.mape_job_wait(job[0], mape.FOREVER), pool)
    for i = 0, 99 do
        local result = result_of(pool, job[0], i)
        is(tonumber(result.state), tonumber(i == 57 and C.MAPE_ITEM_CRASHED or C.MAPE_ITEM_OK), "state of " .. i)
        if i == 57 then is(result.code, 11, "signal") end
    end
    check(C.mape_pool_release(pool))
end

function tests.a_map_of_a_function_that_is_written_in_lua()
    local pool, keep = lua_pool {}
    local square = registered(pool, {library = mape.ZYGOTE, run_symbol = "square"})
    check(C.mape_pool_start(pool, mape.FOREVER), pool)
    local count = 5000
    local job = mapped(pool, square, numbers(count), count)
    check(C.mape_job_wait(job, mape.FOREVER), pool)
    for i = 0, count - 1 do is(number_in(result_of(pool, job, i)), (i + 1) ^ 2, "square") end
    local words, text = registered(pool, {library = mape.ZYGOTE, run_symbol = "words"}), "three words here"
    local letters = ffi.new("char[?]", #text)
    ffi.copy(letters, text, #text)
    job = mapped(pool, words, letters, 1)
    check(C.mape_job_wait(job, mape.FOREVER), pool)
    local result = result_of(pool, job, 0)
    is(ffi.string(result.data, result.size), "103", "words, and what the zygote had prepared")
    check(C.mape_pool_release(pool))
    return keep
end

function tests.an_error_in_lua_fails_its_item_and_no_other()
    local pool, keep = lua_pool {}
    local square = registered(pool, {library = mape.ZYGOTE, run_symbol = "square"})
    local values = numbers(200)
    values[77] = -5
    local job = mapped(pool, square, values, 200)
    check(C.mape_job_wait(job, mape.FOREVER), pool)
    for i = 0, 199 do
        local result = result_of(pool, job, i)
        is(tonumber(result.state), tonumber(i == 77 and C.MAPE_ITEM_FAILED or C.MAPE_ITEM_OK), "state of " .. i)
        if i == 77 then has(ffi.string(result.message), "no square of -5, says Lua") end
    end
    check(C.mape_pool_release(pool))
    return keep
end

function tests.a_crash_of_lua_is_contained_and_runs_again_by_its_file()
    local pool, keep = lua_pool {crash_dir = crashes}
    local crash = registered(pool, {library = mape.ZYGOTE, run_symbol = "crash"})
    local square = registered(pool, {library = mape.ZYGOTE, run_symbol = "square"})
    local job = mapped(pool, crash, numbers(1), 1)
    check(C.mape_job_wait(job, mape.FOREVER), pool)
    local result = result_of(pool, job, 0)
    is(tonumber(result.state), tonumber(C.MAPE_ITEM_CRASHED), "state")
    is(result.code, 11, "signal")
    job = mapped(pool, square, numbers(100), 100)
    check(C.mape_job_wait(job, mape.FOREVER), pool)
    is(number_in(result_of(pool, job, 99)), 10000, "a square afterwards")
    -- The log names the file.
    local event, file = new("mape_event"), nil
    while not file do
        check(C.mape_pool_next_event(event, pool, mape.FOREVER), pool)
        if event.type == C.MAPE_EVENT_LOG then file = ffi.string(event.text):match(crashes:gsub("%p", "%%%0") .. "/[%w.-]+%.crash") end
    end
    check(C.mape_pool_release(pool))
    local out = io.popen(("'%s' '%szygote.lua' --replay '%s' 2>&1; echo \"status $?\""):format(luajit, folder, file)):read("*a")
    has(out, 'function "crash"')
    has(out, "status 139")
    return keep
end

function tests.a_zygote_with_an_error_says_so_at_once()
    local arguments = mape.texts {luajit, "-e", "error('this script is broken')"}
    local pool = pool_made {workers = 2, zygote_path = luajit, zygote_argv = arguments}
    is(C.mape_pool_start(pool, mape.FOREVER), tonumber(C.MAPE_E_WORKERS), "status")
    has(mape.message(pool), "this script is broken")
    check(C.mape_pool_release(pool))
    return arguments
end

local names, passed, failed = {}, 0, 0
for name in pairs(tests) do names[#names + 1] = name end
table.sort(names)
for _, name in ipairs(names) do
    local well, why = xpcall(tests[name], debug.traceback)
    if well then passed = passed + 1 else failed = failed + 1 end
    print(well and "ok " .. name or "FAILED " .. name .. ": " .. why)
    collectgarbage()
end
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0 and 0 or 1)
