-- What LuaJIT's ffi.cdef makes of the headers (host-examples/luajit/mape.lua).
--
--     luajit cdef.lua INCLUDE ABI.JSON [LIBRARY]
--
-- Each structure has the size and the offsets that abi.json says, each enumerator its value, each function is declared, and the
-- library's own version is that of abi.json.
local ffi = require("ffi")
local include, json, library = arg[1], arg[2], arg[3]

local headers = dofile(arg[0]:match("^(.*/)") .. "../../host-examples/luajit/mape.lua")

ffi.cdef(headers.declarations(include))

local checked = { sizes = 0, values = 0, functions = 0 }
local function same(what, got, expected)
    if got ~= expected then error(what .. " is " .. tostring(got) .. ", not " .. tostring(expected), 0) end
end

-- abi.json has a line for each thing; its layout is the script's.
local section, structure
local exported = library and ffi.load(library)
for line in headers.contents(json):gmatch("[^\n]+") do
    section = line:match('^  "(%w+)": {$') or section
    if section == "structures" then
        structure = line:match('^    "(mape_[%w_]+)": {$') or structure
        local size = line:match('^      "size": (%d+)')
        local field, offset = line:match('"name": "([%w_]+)".*"offset": (%d+)')
        if size then same("size of " .. structure, ffi.sizeof(structure), tonumber(size)) checked.sizes = checked.sizes + 1 end
        if field then same(structure .. "." .. field, ffi.offsetof(structure, field), tonumber(offset)) end
    elseif section == "enums" then
        for name, value in line:gmatch('"(MAPE_[%w_]+)": (-?%d+)') do
            same(name, ffi.C[name], tonumber(value))
            checked.values = checked.values + 1
        end
    elseif section == "functions" then
        local name = line:match('^    "(mape_[%w_]+)": {$')
        if name and exported then
            local _ = exported[name]
            checked.functions = checked.functions + 1
        end
    end
end
assert(checked.sizes > 10 and checked.values > 50, "abi.json was not read")
if exported then
    local major, minor, patch = headers.contents(json):match('"version": "(%d+)%.(%d+)%.(%d+)"')
    same("mape_version()", exported.mape_version(), major * 1000000 + minor * 1000 + patch)
end
print(("%d structures, %d values, %d functions"):format(checked.sizes, checked.values, checked.functions))
