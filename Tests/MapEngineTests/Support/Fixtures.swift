// What tests of single types are built from.

import CMapBridge
import Glibc
import Testing

@testable import MapEngine

/// A function that does nothing: for records that are never run.
let emptyRun: mape_run_fn = { _, _, _, _ in 0 }

func describe(run: mape_run_fn? = nil, range: mape_run_range_fn? = nil) -> mape_function {
    var description = mape_function()
    description.struct_size = MemoryLayout<mape_function>.size
    description.run = run
    description.run_range = range
    return description
}

func smallInput() throws -> InputMemory { try InputMemory(reserve: 4 << 20) }

/// A job whose items are nowhere, and the memory its record lies in.
func bareJob(_ total: UInt64, _ config: JobConfig = JobConfig(), now: Int64 = 0) throws -> Job {
    let input = try smallInput()
    let function = try Function.make(describe(run: emptyRun), id: 1, input: input, isFork: true, snapshot: true)
    let record = try input.allocate(JobRecord.bytes, zeroed: true)
    return Job(
        function: function, config: config, sequence: 1, total: total,
        input: JobInput(record: record, globals: nil, used: UsedBuffers()), stream: nil, now: now)
}

func delivering(_ kinds: mape_deliver...) -> JobConfig {
    var config = JobConfig()
    config.deliver = kinds.reduce(0) { $0 | $1.rawValue }
    return config
}

extension Tally {
    /// Ended items, counted by their states.
    var ofAllStates: UInt64 {
        (MAPE_ITEM_OK.rawValue...MAPE_ITEM_ABANDONED.rawValue).reduce(0) { $0 + self[mape_item_state($1)] }
    }
}

extension Job {
    /// Has all that is ready delivered. Returns the first item of each segment.
    func deliverAll() -> [UInt64] {
        var firsts: [UInt64] = []
        while let place = delivery.places.first {
            let segment = results[place]!
            firsts.append(segment.first)
            _ = delivery.delivered(segment.count - delivery.offset, of: segment.count)
        }
        return firsts
    }
}

extension Outcome {
    static func crashed() -> Outcome { Outcome(MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, code: SIGSEGV, "crashed") }
    static func cancelled() -> Outcome { Outcome(MAPE_ITEM_CANCELLED, MAPE_CAUSE_CANCEL, "cancelled") }
}

/// An output region, and how far its frontier part was used.
final class Regional {
    let region: OutputRegion
    private(set) var frontierEnd = UInt64(MAPB_RESULTS_OFFSET)

    init(_ size: UInt64 = 4 << 20) throws { region = try OutputRegion(reserve: size) }

    /// Uses `count` bytes of the frontier part, as a range with such results would have.
    func use(_ count: UInt64) throws -> Used {
        frontierEnd += count
        return try #require(region.advance(ticket: 0, holeEnd: 0, frontierEnd: frontierEnd))
    }

    /// A segment of `count` items with results of `size` bytes; each byte of item i is i, cut to a byte.
    func segment(first: UInt64, count: UInt64, size: UInt64) throws -> Segment {
        let used = try use(count * size)
        for i in 0..<count {
            for k in 0..<size {
                region.base[Int(used.frontier.offset + i * size + k)] = UInt8(truncatingIfNeeded: first + i)
            }
        }
        return Segment(first: first, count: count, store: .shared(region, used), base: used.frontier.offset, size: size)
    }
}

func readResult(_ segment: Segment, _ i: UInt64) -> mape_result {
    var result = mape_result()
    segment.read(i, into: &result)
    return result
}

func bytes(_ result: mape_result) -> [UInt8] {
    guard let data = result.data else { return [] }
    return Array(UnsafeRawBufferPointer(start: data, count: result.size))
}

/// The status and the text of the MapError that `body` throws.
func mapError<R>(_ body: () throws -> R) -> (status: Int32, message: String)? {
    do {
        _ = try body()
        return nil
    } catch let error as MapError {
        return (error.status, error.message)
    } catch {
        return nil
    }
}

/// True when poll(2) finds the descriptor readable now.
func isReadable(_ fd: Int32) -> Bool {
    var one = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
    return poll(&one, 1, 0) == 1 && one.revents & Int16(POLLIN) != 0
}

/// True when nobody holds the writing end of a pipe any more. Waits for it, because a process that another test is starting has it
/// for a moment, between fork and exec; the end of the wait is there only for a pipe that stays open.
func isAtItsEnd(_ pipe: Int32) -> Bool {
    var one = pollfd(fd: pipe, events: Int16(POLLIN), revents: 0)
    guard poll(&one, 1, 20_000) == 1 else { return false }
    var byte: UInt8 = 0
    return read(pipe, &byte, 1) == 0
}

extension Function {
    /// A function with its number, as a pool registers it.
    static func make(_ c: mape_function, id: UInt32, input: InputMemory, isFork: Bool, snapshot: Bool) throws(MapError)
        -> Function
    {
        try make(c, input: input, isFork: isFork, snapshot: snapshot).function(id, line: id, input)
    }
}
