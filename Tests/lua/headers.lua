-- headers.lua - the headers as ffi.cdef reads them, by the rule in mapengine.h.
--
--     ffi.cdef(require("headers").declarations(INCLUDE))
--
-- SPDX-License-Identifier: Apache-2.0

local headers = {}

--- The text of a file.
function headers.contents(path)
    local file = assert(io.open(path))
    local text = file:read("*a")
    file:close()
    return text
end

--- The parts that mapengine.h includes, in its order: lines that end in a backslash are joined with the next, then what is for C++
--- goes, and so do lines that begin with "#".
function headers.declarations(folder)
    local parts = {}
    for name in headers.contents(folder .. "/mapengine.h"):gmatch('\n#include "([^"]+)"') do
        local text = headers.contents(folder .. "/" .. name):gsub("\\\n", " ")
        text = ("\n" .. text):gsub("\n#ifdef __cplusplus.-\n#endif", "\n")
        parts[#parts + 1] = text:gsub("\n#[^\n]*", "\n")
    end
    return table.concat(parts, "\n")
end

return headers
