-- checksums.lua - a command of neovim whose work runs in worker processes: :Checksums shows the CRC-32 of each line behind it
--
--     :luafile checksums.lua          with MAPE_PREFIX set, and mape.lua (of ../luajit) beside this file or in package.path
--     :Checksums
--
-- zlib's own C function is called in the workers. The editor is never blocked: libuv, which is its loop, watches the pool's descriptor, and
-- vim.schedule runs the rest where the editor may be touched.
--
-- SPDX-License-Identifier: Apache-2.0

local here = debug.getinfo(1, "S").source:sub(2):match("^(.*/)") or "./"
package.path = here .. "?.lua;" .. here .. "../luajit/?.lua;" .. package.path
local ffi, mape = require "ffi", require "mape"

local space = vim.api.nvim_create_namespace "mapengine_checksums"
local pool, crc32
local buffers = {} -- Of each job, by its number, which its events bring along: the buffer it is for.
local submitted = 0

local function show(event)
    local buffer, result = buffers[tonumber(ffi.cast("intptr_t", event.context))], event.result
    local text, group
    if result.state == mape.C.MAPE_ITEM_OK then
        text, group = ("%08x"):format(tonumber(ffi.cast("const unsigned long *", result.data)[0])), "Comment"
    else
        text, group = ffi.string(result.message), "ErrorMsg"
    end
    -- A line may be gone meanwhile.
    pcall(vim.api.nvim_buf_set_extmark, buffer, space, tonumber(event.index), 0, {virt_text = {{text, group}}})
end

-- Watches the descriptor until something is there, then fetches it. The watch rests until that is done: it would be told again and again.
local function watch(poll)
    poll:start("r", function()
        poll:stop()
        vim.schedule(function()
            if not pool then return end
            for event in mape.events(pool) do
                if event.type == mape.C.MAPE_EVENT_ITEM then show(event) end
                if event.type == mape.C.MAPE_EVENT_DONE then
                    buffers[tonumber(ffi.cast("intptr_t", event.context))] = nil
                    mape.C.mape_job_release(event.job)
                end
            end
            if pool then watch(poll) end
        end)
    end)
end

local function start()
    pool = mape.pool {nice = 5}
    crc32 = mape.register(pool, {
        library = "libz.so.1",
        prototype = "unsigned long crc32(unsigned long crc, const void *data [length], unsigned int length)",
    })
    local poll = vim.loop.new_poll(mape.fd(pool))
    watch(poll)
    -- libuv has to let go of the descriptor before the pool closes it.
    vim.api.nvim_create_autocmd("VimLeavePre", {callback = function()
        poll:close()
        mape.C.mape_pool_release(pool)
        pool = nil
    end})
end

local function checksums()
    if not pool then start() end
    local buffer = vim.api.nvim_get_current_buf()
    local lines = vim.api.nvim_buf_get_lines(buffer, 0, -1, true)
    vim.api.nvim_buf_clear_namespace(buffer, space, 0, -1)
    -- A column per input of the function: a number for all calls, an address per call, a number per call.
    local zero, texts, lengths = ffi.new("unsigned long[1]"), ffi.new("const char *[?]", #lines), ffi.new("unsigned int[?]", #lines)
    for i, line in ipairs(lines) do
        texts[i - 1], lengths[i - 1] = line, #line
    end
    local columns = ffi.new("mape_column[3]")
    for i, fields in ipairs {{base = zero}, {base = texts, stride = 8, pointers = 1}, {base = lengths, stride = 4}} do
        columns[i - 1] = mape.new("mape_column", fields)
    end
    submitted = submitted + 1
    buffers[submitted] = buffer
    local config = mape.new("mape_job_config", {context = ffi.cast("void *", submitted), deliver = mape.C.MAPE_DELIVER_ITEMS + mape.C.MAPE_DELIVER_DONE})
    mape.check(mape.C.mape_map_columns(ffi.new("mape_job *[1]"), pool, crc32, #lines, columns, 3, config), pool)
end

vim.api.nvim_create_user_command("Checksums", checksums, {desc = "Show the CRC-32 of each line"})
