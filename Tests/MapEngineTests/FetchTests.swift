// Events that are fetched many at a time, in a pool without processes.

import CMapBridge
import Testing

@testable import MapEngine

@Suite struct FetchTests {
    func config(drop: Bool = false, done: Bool = true, window: UInt64 = 4096) -> JobConfig {
        var config = JobConfig()
        config.deliver = MAPE_DELIVER_ITEMS.rawValue | (done ? MAPE_DELIVER_DONE.rawValue : 0)
        config.drop = drop
        config.ordered = true
        config.window = window
        return config
    }

    /// Every capacity sees the same events in the same order as one at a time does, and no more than there is room for.
    @Test(arguments: [1, 2, 3, 7, 64, 1000, 5000], [false, true])
    func batchesAreTheSameEvents(capacity: Int, drop: Bool) throws {
        let local = try LocalPool(workers: 2)
        _ = try local.submit(300, config(drop: drop))
        try local.settle()
        var items: [UInt64] = []
        var done = 0
        while true {
            let events = try local.pool.nextEvents(capacity, timeout: 0)
            if events.isEmpty { break }
            #expect(events.count <= capacity)
            for event in events {
                #expect(event.struct_size == MemoryLayout<mape_event>.size)
                if event.type == MAPE_EVENT_DONE.rawValue {
                    done += 1
                    continue
                }
                items.append(event.index)
                let isOk = event.result.state == MAPE_ITEM_OK.rawValue
                #expect(isOk != Script.fails(event.index))
                if isOk { #expect(bytes(event.result) == Script.bytes(event.index)) }
                if !isOk { #expect(String(cString: event.result.message) == "item \(event.index)") }
                #expect(event.result.attempts == 1)
            }
        }
        #expect(items == Array(0..<300) && done == 1)
    }

    /// An event of many items takes one place, and is never split.
    @Test(arguments: [1, 2, 5000])
    func rangesAreOneEventEach(capacity: Int) throws {
        let local = try LocalPool(workers: 2)
        var config = config()
        config.deliver |= MAPE_DELIVER_RANGES.rawValue
        let job = try local.submit(300, config)
        try local.settle()
        var next: UInt64 = 0
        var ranges = 0
        var done = 0
        while true {
            let events = try local.pool.nextEvents(capacity, timeout: 0)
            if events.isEmpty { break }
            #expect(events.count <= capacity)
            for event in events {
                if event.type == MAPE_EVENT_DONE.rawValue {
                    done += 1
                    #expect(event.count == 0)
                    continue
                }
                #expect(event.index == next && event.count > 0)
                #expect((event.result.state == MAPE_ITEM_OK.rawValue) != Script.fails(event.index))
                next += event.count
                ranges += 1
            }
        }
        #expect(next == 300 && done == 1)
        #expect(ranges == job.results.segments.count && ranges < 300)
        #expect(job.delivery.undelivered == 0)
    }

    @Test func aWindowOpensWhenItsItemsAreFetched() throws {
        let local = try LocalPool(workers: 1)
        let job = try local.submit(100, config(drop: true, window: 10))
        try local.settle()
        var seen = 0
        var rounds = 0
        while seen < 100 {
            let events = try local.pool.nextEvents(50, timeout: 0)
            seen += events.filter { $0.type == MAPE_EVENT_ITEM.rawValue }.count
            #expect(events.count <= 10 + 1)
            rounds += 1
            try local.settle()
            if rounds > 200 { break }
        }
        #expect(seen == 100 && job.isDone)
    }

    /// Results that nothing else holds stay until the next call.
    @Test func droppedResultsLiveUntilTheNextCall() throws {
        let local = try LocalPool(workers: 1)
        let job = try local.submit(20, config(drop: true))
        try local.settle()
        let region = try #require(local.worker(0).region)
        let events = try local.pool.nextEvents(64, timeout: 0)
        #expect(events.count == 21 && region.live > 0)
        for event in events.dropLast() where !Script.fails(event.index) {
            #expect(bytes(event.result) == Script.bytes(event.index))
        }
        local.pool.core.with { $0.release(job) }
        #expect(region.live > 0)
        _ = try local.pool.nextEvents(64, timeout: 0)
        #expect(region.live == 0)
    }

    /// A job without a handle ends with its DONE event; the items before it in the same batch are still there.
    @Test func aJobWithoutAHandleStaysUntilTheNextCall() throws {
        let local = try LocalPool(workers: 1)
        let input = try local.pool.prepare(.strided(nil, count: 5, stride: 0, size: 0))
        let job = try local.pool.submit(local.function.id, config(), nil, input, handle: 0)
        try local.settle()
        let events = try local.pool.nextEvents(64, timeout: 0)
        #expect(events.count == 6 && !job.isReleased)
        #expect(bytes(events[0].result) == Script.bytes(0))
        _ = try local.pool.nextEvents(64, timeout: 0)
        #expect(job.isReleased)
    }

    /// The same when it has no DONE event.
    @Test func aJobWithoutAHandleAndADoneEventEndsWithItsItems() throws {
        let local = try LocalPool(workers: 1)
        let input = try local.pool.prepare(.strided(nil, count: 5, stride: 0, size: 0))
        let job = try local.pool.submit(local.function.id, config(done: false), nil, input, handle: 0)
        try local.settle()
        let events = try local.pool.nextEvents(64, timeout: 0)
        #expect(events.count == 5 && !job.isReleased)
        #expect(bytes(events[0].result) == Script.bytes(0))
        _ = try local.pool.nextEvents(64, timeout: 0)
        #expect(job.isReleased && local.core.jobs.all.isEmpty)
    }

    @Test func oneCallHasALimit() throws {
        let local = try LocalPool(workers: 1)
        _ = try local.submit(10_000, config())
        try local.settle()
        #expect(try local.pool.nextEvents(20_000, timeout: 0).count == Int(Policy.fetchedAtOnce))
    }
}
