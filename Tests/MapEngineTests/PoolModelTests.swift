// Pools with the workers' own code, in random order of everything that can happen: each item ends once, and as it has to.

import CMapBridge
import Glibc
import Testing

@testable import MapEngine

@Suite struct PoolModelTests {
    @Test(arguments: [1, 2, 5])
    func aJobIsDoneByAnyNumberOfWorkers(workers: Int) throws {
        let local = try LocalPool(workers: workers)
        let job = try local.submit(1000)
        try local.settle()
        #expect(job.isDone)
        for i in 0..<1000 as Range<UInt64> { local.expectDone(job, i) }
        #expect(local.core.figures.items == 1000)
        let used = local.core.input.used
        local.pool.core.with { $0.release(job) }
        #expect(local.core.input.used <= used)
        for process in local.processes { #expect(process.region.live == 0) }
    }

    @Test func aJobWithoutItemsIsDoneAtOnce() throws {
        let local = try LocalPool()
        #expect(try local.submit(0).isDone)
    }

    @Test func jobsOfHigherPriorityAreGivenOutFirst() throws {
        let local = try LocalPool()
        var low = JobConfig()
        low.chunk = 1
        let first = try local.submit(20, low)
        var high = low
        high.priority = 1
        let second = try local.submit(20, high)
        let third = try local.submit(20, low)
        var order: [Int] = []
        while !(first.isDone && second.isDone && third.isDone) {
            try local.step(0)
            // As if items took long, so that a worker holds one at a time.
            for job in [first, second, third] { job.pace.measure(nanoseconds: 1_000_000_000, items: 1) }
            local.core.pump()
            for (i, job) in [first, second, third].enumerated() where job.isDone && !order.contains(i) {
                order.append(i)
            }
        }
        #expect(order == [1, 0, 2])
    }

    @Test(arguments: [(1, 1), (1, 2), (2, 2), (3, 2), (2, 5)])
    func anItemIsBegunAsOftenAsItsAttemptsAllow(deaths: Int, attempts: UInt32) throws {
        let local = try LocalPool(workers: 2)
        local.script.deaths[11] = deaths
        var config = JobConfig()
        config.attempts = attempts
        config.chunk = 7
        let job = try local.submit(40, config)
        try local.settle()
        #expect(job.isDone)
        let result = try #require(local.result(job, 11))
        if deaths >= Int(attempts) {
            #expect(result.state == MAPE_ITEM_CRASHED.rawValue && result.cause == MAPE_CAUSE_SIGNAL.rawValue)
            #expect(result.code == SIGSEGV && result.attempts == attempts)
        } else {
            #expect(result.state == MAPE_ITEM_OK.rawValue && result.attempts == UInt32(deaths) + 1)
        }
        for i in 0..<40 as Range<UInt64> where i != 11 { local.expectDone(job, i) }
    }

    @Test func aWorkerThatDiesWithoutHavingBegunCostsNoItem() throws {
        let local = try LocalPool()
        let job = try local.submit(40)
        for _ in 0..<2 { try local.lose(0) }
        try local.settle()
        #expect(job.isDone)
        for i in 0..<40 as Range<UInt64> { local.expectDone(job, i) }
    }

    @Test func cancellingEndsWhatWaitsAtOnceAndWhatRunsWhenItStops() throws {
        let local = try LocalPool(workers: 2)
        var config = JobConfig()
        config.chunk = 10
        let job = try local.submit(100, config)
        let running = job.tally.running
        #expect(running > 0)
        local.pool.core.with { $0.end(job, .cancelled(), now: mapb_clock()) }
        #expect(job.tally.ended == 100 - running && !job.isDone)
        try local.settle()
        #expect(job.isDone)
        #expect(job.tally[MAPE_ITEM_CANCELLED] == 100, "no range was begun before the cancel")
    }

    @Test func aReleasedJobEndsUnheardAndIsForgotten() throws {
        let local = try LocalPool()
        let job = try local.submit(100, delivering(MAPE_DELIVER_ITEMS, MAPE_DELIVER_DONE))
        try local.step(0)
        local.core.pump()
        local.pool.core.with { $0.release(job) }
        try local.settle()
        #expect(job.isDone && local.core.jobs.isEmpty)
        #expect(try local.pool.nextEvent(timeout: 0) == nil)
        #expect(local.processes[0].region.live == 0)
        #expect(local.core.work.isEmpty)
    }

    @Test func eventsTellEachItemOnceThenDone() throws {
        let local = try LocalPool(workers: 2)
        var config = delivering(MAPE_DELIVER_ITEMS, MAPE_DELIVER_DONE)
        config.ordered = true
        config.drop = true
        config.window = 16
        let job = try local.submit(300, config)
        var seen: [UInt64] = []
        var isDone = false
        while !isDone {
            for slot in 0..<2 { try local.step(slot) }
            while let event = try local.pool.nextEvent(timeout: 0) {
                if event.type == MAPE_EVENT_DONE.rawValue {
                    isDone = true
                    #expect(event.progress.done == 300 && event.progress.undelivered == 0)
                } else if event.type == MAPE_EVENT_ITEM.rawValue {
                    #expect(!isDone)
                    seen.append(event.index)
                    if !Script.fails(event.index) { #expect(bytes(event.result) == Script.bytes(event.index)) }
                }
                #expect(job.delivery.undelivered + job.tally.running <= 16)
            }
        }
        #expect(seen == Array(0..<300))
        for process in local.processes { #expect(process.region.live <= 64, "but for what was handed out last") }
    }

    /// Everything at random, over several jobs at a time.
    @Test(arguments: seeds)
    func everyItemEndsOnceAndAsItHasTo(seed: UInt64) throws {
        var random = SeededRandom(seed)
        let workers = Int.random(in: 1...4, using: &random)
        let local = try LocalPool(workers: workers)
        struct Run {
            let job: Job
            let deaths: [UInt64: Int]
            var told: [UInt64]
            var toldDone = false
            var wasCancelled = false
        }
        for _ in 0..<12 {
            // One job at a time has deaths, since the script tells items apart by their index alone.
            let total = UInt64.random(in: 0...400, using: &random)
            var config = random.chance(60) ? delivering(MAPE_DELIVER_ITEMS, MAPE_DELIVER_DONE) : JobConfig()
            config.chunk = random.chance(50) ? 0 : UInt64.random(in: 1...30, using: &random)
            config.attempts = UInt32.random(in: 1...3, using: &random)
            config.ordered = random.chance(50)
            config.drop = random.chance(40)
            config.window = UInt64.random(in: 1...50, using: &random)
            config.priority = Int32.random(in: -2...2, using: &random)
            local.script.deaths = [:]
            for _ in 0..<Int.random(in: 0...5, using: &random) where total > 0 {
                local.script.deaths[UInt64.random(in: 0..<total, using: &random)] = Int.random(
                    in: 1...4, using: &random)
            }
            var run = Run(job: try local.submit(total, config), deaths: local.script.deaths, told: [])
            let mayCancel = random.chance(20)
            let job = run.job
            var steps = 0
            while !job.isDone || job.delivery.undelivered > 0 || (job.doneIsDue && !run.toldDone) {
                steps += 1
                try #require(steps < 100_000, "nothing moves: \(job.tally.ended) of \(total) ended")
                switch Int.random(in: 0..<100, using: &random) {
                case 0..<60: try local.step(Int.random(in: 0..<workers, using: &random))
                case 60..<80: local.core.pump()
                case 80..<98:
                    guard let event = try local.pool.nextEvent(timeout: 0) else { continue }
                    if event.type == MAPE_EVENT_DONE.rawValue { run.toldDone = true }
                    guard event.type == MAPE_EVENT_ITEM.rawValue else { continue }
                    #expect(!run.toldDone)
                    run.told.append(event.index)
                    if event.result.state == MAPE_ITEM_OK.rawValue {
                        #expect(bytes(event.result) == Script.bytes(event.index))
                    }
                default:
                    guard mayCancel, !run.wasCancelled, !job.isDone else { continue }
                    run.wasCancelled = true
                    local.pool.core.with { $0.end(job, .cancelled(), now: mapb_clock()) }
                }
            }
            #expect(job.tally.ended == total && job.tally.running == 0 && job.tally.ofAllStates == total)
            if config.wants(MAPE_DELIVER_ITEMS) {
                #expect(run.told.sorted() == Array(0..<total))
                if config.ordered { #expect(run.told == Array(0..<total)) }
                #expect(run.toldDone)
            }
            if !job.drops {
                for i in 0..<total {
                    let result = try #require(local.result(job, i))
                    if run.wasCancelled && result.state == MAPE_ITEM_CANCELLED.rawValue { continue }
                    let deaths = run.deaths[i] ?? 0
                    if deaths >= Int(config.attempts) {
                        #expect(result.state == MAPE_ITEM_CRASHED.rawValue && result.attempts == config.attempts)
                    } else {
                        local.expectDone(job, i)
                        #expect(result.attempts == UInt32(deaths) + 1)
                    }
                }
            }
            local.pool.core.with { $0.release(job) }
        }
        // What was handed out last is let go.
        _ = try local.pool.nextEvent(timeout: 0)
        for process in local.processes { #expect(process.region.live == 0) }
        #expect(local.core.jobs.isEmpty && local.core.work.isEmpty)
    }
}
