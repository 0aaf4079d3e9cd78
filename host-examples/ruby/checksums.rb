# checksums.rb - the CRC-32 of each file, by zlib's own C function in worker processes: ruby checksums.rb FILE...
#
# The main loop is IO.select on the pool's descriptor; a program of your own watches its sockets there as well.
#
# SPDX-License-Identifier: Apache-2.0
require_relative "mape"

abort "usage: ruby checksums.rb FILE..." if ARGV.empty?
texts = ARGV.map { |path| File.binread(path) }

pool = Mape::Pool.new(workers: 2)
crc32 = pool.function(library: "libz.so.1", prototype: "unsigned long crc32(unsigned long crc, const void *data [length], unsigned int length)")

# A column per input of the function: a number for all calls, an address per call, a number per call.
columns = [
  Mape::Struct.new(:mape_column, base: [0].pack("Q"), stride: 0),
  Mape::Struct.new(:mape_column, base: texts.map { |text| Mape.address(text) }.pack("J*"), stride: 8, pointers: 1),
  Mape::Struct.new(:mape_column, base: texts.map(&:bytesize).pack("L*"), stride: 4)
]
pool.map_columns(crc32, texts.size, columns, deliver: Mape::MAPE_DELIVER_ITEMS | Mape::MAPE_DELIVER_DONE, ordered: 1)

running = true
while running
  IO.select([pool.io])
  pool.each_event do |event|
    case event["type"]
    when Mape::MAPE_EVENT_ITEM
      ok = event["result.state"] == Mape::MAPE_ITEM_OK
      puts "#{ok ? format("%08x", event.text("result.data", "result.size").unpack1("Q")) : event.text("result.message")}  #{ARGV[event["index"]]}"
    when Mape::MAPE_EVENT_DONE
      running = false
    end
  end
end
pool.release
