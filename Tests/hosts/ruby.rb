# ruby.rb - Ruby measured, by IO.select: ruby ruby.rb MODE WORK
#
# SPDX-License-Identifier: Apache-2.0
require_relative "../../host-examples/ruby/mape"

COUNT, HALF, CRASH, ENDLESS = 400, 200, 100, 390
FOLLOWING = { "map" => "cancel", "cancel" => "crash" }.freeze

$stdout.sync = true
puts "host Ruby #{RUBY_VERSION}, Fiddle #{Fiddle::VERSION}, IO.select"

def now = Process.clock_gettime(Process::CLOCK_MONOTONIC, :float_millisecond)

# What measure.py asks of a host.
class Measure
  attr_reader :pool, :ended

  def initialize(mode, work)
    @mode = mode
    @began = now
    @gap = 0
    return if mode == "beside"

    @pool = Mape::Pool.new(workers: 2)
    @square = @pool.function(library: work, run_symbol: "work_square")
    @pool.start
    submit(mode == "run" ? "map" : "quit")
  end

  def submit(phase)
    values = (0...COUNT).map { |index| %w[cancel quit].include?(phase) && index >= ENDLESS ? 1e6 : index }
    values[CRASH] = -1 if phase == "crash"
    @phase, @seen, @right, @main, @gap, @last, @crashed = phase, 0, 0, 0, 0, nil, ""
    @job = @pool.map(@square, values.pack("d*"), COUNT, deliver: Mape::MAPE_DELIVER_ITEMS | Mape::MAPE_DELIVER_DONE)
  end

  def tick
    @gap = [@gap, now - @last].max if @last
    @last = now
    return unless @mode == "beside" && now - @began >= 1000

    @ended = true
    puts format("beside gap=%.1f", @gap)
  end

  def readable
    @pool.each_event do |event|
      case event["type"]
      when Mape::MAPE_EVENT_ITEM then item(event)
      when Mape::MAPE_EVENT_DONE then done(event)
      end
      break if @ended
    end
  end

  def item(event)
    index = event["index"]
    @seen += 1
    @main += 1 if Thread.current == Thread.main
    case event["result.state"]
    when Mape::MAPE_ITEM_OK then @right += 1 if event.text("result.data", "result.size").unpack1("d") == index * index
    when Mape::MAPE_ITEM_CRASHED then @crashed = " item=#{index} signal=#{event["result.code"]}"
    end
    return unless @seen == HALF

    Mape.call!(:mape_job_cancel, @job) if @phase == "cancel"
    return unless @phase == "quit"

    puts "quit in the middle"
    @ended = true
  end

  def done(event)
    ok, failed, crashed, cancelled = %w[ok failed crashed cancelled].map { |name| event["progress.#{name}"] }
    puts format("%s ok=%d right=%d main=%d failed=%d crashed=%d cancelled=%d gap=%.1f%s", @phase, ok, @right, @main, failed, crashed, cancelled, @gap,
                @crashed)
    Mape.call!(:mape_job_release, @job)
    return submit(FOLLOWING[@phase]) if FOLLOWING.key?(@phase)

    @ended = true
    @pool.release
  end
end

measure = Measure.new(*ARGV)
next_tick = now
until measure.ended
  readable = IO.select(measure.pool ? [measure.pool.io] : [], nil, nil, [(next_tick - now) / 1e3, 0].max)
  measure.readable if readable
  next if measure.ended || now < next_tick

  measure.tick
  next_tick = now + 5
end
