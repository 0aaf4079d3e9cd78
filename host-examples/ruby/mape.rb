# mape.rb - MapEngine for Ruby, by Fiddle. Functions, structures, enums and constants are those of abi.json, which comes with the library and is
# made from its header: nothing of them is written down here.
#
#     require_relative "mape"
#     pool = Mape::Pool.new(workers: 2)
#     cbrt = pool.function(library: "libm.so.6", prototype: "double cbrt(double x)")
#
# MAPE_PREFIX is where lib/ and share/ of MapEngine are; /usr/local without it. Each call is there as Mape.call(:mape_…, arguments).
#
# SPDX-License-Identifier: Apache-2.0
require "fiddle"
require "json"

module Mape
  PREFIX = ENV["MAPE_PREFIX"] || "/usr/local"
  ABI = JSON.parse(File.read("#{PREFIX}/share/mapengine/abi.json"))
  LIBRARY = Fiddle.dlopen("#{PREFIX}/lib/#{ABI["soname"]}")

  ABI["constants"].each { |name, one| const_set(name, one["value"]) }
  ABI["enums"].each_value { |values| values.each { |name, value| const_set(name, value) } }

  class Error < StandardError; end

  # A type of C, as Array#pack and as Fiddle have it.
  PLAIN = {
    "int" => ["l", Fiddle::TYPE_INT], "int32_t" => ["l", Fiddle::TYPE_INT], "uint32_t" => ["L", -Fiddle::TYPE_INT],
    "int64_t" => ["q", Fiddle::TYPE_LONG_LONG], "uint64_t" => ["Q", -Fiddle::TYPE_LONG_LONG], "size_t" => ["Q", -Fiddle::TYPE_LONG_LONG],
    "ptrdiff_t" => ["q", Fiddle::TYPE_LONG_LONG], "double" => ["d", Fiddle::TYPE_DOUBLE], "void" => [nil, Fiddle::TYPE_VOID]
  }.freeze

  def self.type(text)
    return ["J", Fiddle::TYPE_VOIDP] if text.end_with?("*") || ABI["callbacks"].key?(text)

    PLAIN.fetch(ABI["types"].fetch(text, text))
  end

  # A structure of the interface: event["result.state"], config["workers"] = 2. Its struct_size is set.
  class Struct
    def self.fields(name, prefix = "", base = 0)
      ABI["structures"][name]["fields"].flat_map do |field|
        at = base + field["offset"]
        if ABI["structures"].key?(field["type"])
          fields(field["type"], "#{prefix}#{field["name"]}.", at)
        else
          [["#{prefix}#{field["name"]}", [at, field["size"], Mape.type(field["type"])[0]]]]
        end
      end
    end

    LAYOUTS = ABI["structures"].to_h { |name, one| [name, [one["size"], fields(name).to_h]] }.freeze

    attr_reader :memory

    def initialize(name, values = {})
      size, @fields = LAYOUTS.fetch(name.to_s)
      @memory = Fiddle::Pointer.malloc(size, Fiddle::RUBY_FREE)
      @memory[0, size] = "\0" * size
      @kept = values # What it points to lives as long as the structure.
      self["struct_size"] = size if @fields.key?("struct_size")
      values.each { |field, value| self[field.to_s] = value }
    end

    def [](field)
      at, size, code = @fields.fetch(field)
      @memory[at, size].unpack1(code)
    end

    def []=(field, value)
      at, size, code = @fields.fetch(field)
      @memory[at, size] = [code == "J" ? Mape.address(value) : value].pack(code)
    end

    # The text at a pointer, or its bytes when the field `length` has their number.
    def text(field, length = nil)
      pointer = Fiddle::Pointer.new(self[field])
      return "" if pointer.null?

      length ? pointer[0, self[length]] : pointer.to_s
    end
  end

  # The address of what a call takes: a structure, a text or bytes, a handle, nothing.
  def self.address(value)
    case value
    when nil then 0
    when Struct then value.memory.to_i
    when String then Fiddle::Pointer[value].to_i
    else value.to_i
    end
  end

  FUNCTIONS = Hash.new do |known, name|
    one = ABI["functions"].fetch(name.to_s)
    types = one["parameters"].map { |parameter| type(parameter["type"])[1] }
    known[name] = [Fiddle::Function.new(LIBRARY[name.to_s], types, type(one["returns"])[1]), types]
  end

  def self.call(name, *arguments)
    function, types = FUNCTIONS[name]
    function.call(*arguments.zip(types).map { |value, kind| kind == Fiddle::TYPE_VOIDP ? address(value) : value })
  end

  # Calls, and raises the library's message when the call has failed.
  def self.call!(name, *arguments, pool: nil)
    status = call(name, *arguments)
    return status if status >= 0

    text = "\0" * 2048
    call(:mape_message, text, text.bytesize, pool)
    raise Error, "#{call(:mape_status_string, status)}: #{text.unpack1("Z*")}"
  end

  # The value that a call has put where its first argument points.
  def self.made(code, size, name, *arguments, pool: nil)
    out = "\0" * size
    call!(name, out, *arguments, pool: pool)
    out.unpack1(code)
  end

  # Worker processes. Fields of the settings are those of mape_pool_config.
  class Pool
    attr_reader :handle

    def initialize(**settings)
      @handle = Mape.made("J", 8, :mape_pool_create, Struct.new(:mape_pool_config, settings))
      @event = Struct.new(:mape_event)
    end

    # Fields as of mape_function. Returns its id.
    def function(**fields)
      Mape.made("L", 4, :mape_function_register, @handle, Struct.new(:mape_function, fields), pool: @handle)
    end

    def start
      Mape.call!(:mape_pool_start, @handle, MAPE_FOREVER, pool: @handle)
    end

    # A job over `count` items of so many bytes, side by side in a String. Settings as of mape_job_config.
    def map(function, bytes, count, **settings)
      items = Struct.new(:mape_items, count: count, base: bytes, item_size: bytes.bytesize / count)
      Mape.made("J", 8, :mape_map, @handle, function, items, Struct.new(:mape_job_config, settings), pool: @handle)
    end

    # A job that calls a C function over columns: structures mape_column, one per input.
    def map_columns(function, count, columns, **settings)
      array = columns.map { |column| column.memory[0, column["struct_size"]] }.join
      config = Struct.new(:mape_job_config, settings)
      Mape.made("J", 8, :mape_map_columns, @handle, function, count, array, columns.size, config, pool: @handle)
    end

    # For IO.select: readable while there are events.
    def io
      @io ||= IO.for_fd(Mape.made("l", 4, :mape_pool_event_fd, @handle, pool: @handle), autoclose: false)
    end

    # Yields each event that is there; the structure is the same each time. Does not wait.
    def each_event
      loop do
        status = Mape.call(:mape_pool_next_event, @event, @handle, 0)
        return if [MAPE_E_AGAIN, MAPE_E_HANDLE].include?(status)
        raise Error, Mape.call(:mape_status_string, status).to_s if status.negative?

        yield @event
      end
    end

    def release
      Mape.call!(:mape_pool_release, @handle)
    end
  end
end
