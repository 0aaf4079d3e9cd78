-- neovim_checksums.lua - runs :Checksums of host-examples/neovim on the file that is open, and compares what is shown with zlib
--
-- SPDX-License-Identifier: Apache-2.0

local well, why = xpcall(function()
    dofile(os.getenv("MAPE_CHECKSUMS"))
    local ffi = require "ffi"
    ffi.cdef "unsigned long crc32(unsigned long crc, const char *data, unsigned int length);"
    local zlib = ffi.load("libz.so.1")
    local lines = vim.api.nvim_buf_get_lines(0, 0, -1, true)
    local space

    local function marks()
        return space and vim.api.nvim_buf_get_extmarks(0, space, 0, -1, {details = true}) or {}
    end

    vim.cmd "Checksums"
    space = vim.api.nvim_get_namespaces().mapengine_checksums
    vim.wait(60000, function() return #marks() == #lines end, 10)
    local right = #marks() == #lines
    for _, mark in ipairs(marks()) do
        local line = lines[mark[2] + 1]
        right = right and mark[4].virt_text[1][1] == ("%08x"):format(tonumber(zlib.crc32(0, line, #line)))
    end
    io.stdout:write(("%d lines, %s\n"):format(#lines, right and "right" or "wrong"))
    vim.cmd(right and "qa!" or "cq!")
end, debug.traceback)
if not well then
    print(why)
    vim.cmd "cq!"
end
