-- mandelbrot.lua - worker functions that are written in Lua: luajit mandelbrot.lua [WIDTH HEIGHT]
--
-- One file is the host and, started by the library as the zygote, the workers: there it offers a function by name, and waits to be forked.
-- A row of the picture is an item. LuaJIT compiles the loop in each worker.
--
-- SPDX-License-Identifier: Apache-2.0

local folder = arg[0]:match("^(.*/)") or "./"
package.path = folder .. "?.lua;" .. package.path
local ffi, mape = require "ffi", require "mape"

-- ---- In the workers. ----

if arg[1] == "--worker" then
    local shades = " .:-=+*#%@"
    mape.offer("row", function(input)
        local row = ffi.cast("const int *", input) -- y, width, height
        local width, letters = row[1], {}
        local ci = (row[0] + 0.5) / row[2] * 2.4 - 1.2
        for x = 0, width - 1 do
            local cr, zr, zi, n = (x + 0.5) / width * 3.2 - 2.3, 0, 0, 0
            while n < 200 and zr * zr + zi * zi < 4 do
                zr, zi, n = zr * zr - zi * zi + cr, 2 * zr * zi + ci, n + 1
            end
            local shade = n == 200 and 1 or 1 + math.floor(math.min(9, math.log(n + 1) * 2.2))
            letters[#letters + 1] = shades:sub(shade, shade)
        end
        return table.concat(letters)
    end)
    os.exit((mape.zygote_main(arg)))
end

-- ---- In the host. ----

local width, height = tonumber(arg[1] or 78), tonumber(arg[2] or 30)
local luajit = arg[-1] -- The interpreter that runs this file; the library looks for it in PATH.
local arguments = mape.texts {luajit, arg[0], "--worker"}
local pool = mape.pool {zygote_path = luajit, zygote_argv = arguments}
local row = mape.register(pool, {library = mape.ZYGOTE, run_symbol = "row"})

local items = ffi.new("int[?][3]", height)
for y = 0, height - 1 do items[y][0], items[y][1], items[y][2] = y, width, height end
local deliver = mape.C.MAPE_DELIVER_ITEMS + mape.C.MAPE_DELIVER_DONE
mape.map(pool, row, items, height, {deliver = deliver, ordered = 1})

-- A host with a loop watches mape.fd(pool) there, and asks for events without waiting.
for event in mape.events(pool, mape.FOREVER) do
    if event.type == mape.C.MAPE_EVENT_DONE then break end
    if event.type == mape.C.MAPE_EVENT_ITEM then
        local result = event.result
        print(result.state == mape.C.MAPE_ITEM_OK and ffi.string(result.data, result.size) or ffi.string(result.message))
    end
end
mape.check(mape.C.mape_pool_release(pool))
