// Replies of a worker that has overwritten its own memory: each is refused, nothing of it is used, and the items end all the same.

import CMapBridge
import Glibc
import Testing

@testable import MapEngine

@Suite struct ReplyTests {
    struct Lie: Sendable, CustomTestStringConvertible {
        let name: String
        let tell: @Sendable (UnsafeMutablePointer<mapb_reply>, OutputRegion) -> Void
        var testDescription: String { name }
    }

    static func entries(_ reply: UnsafeMutablePointer<mapb_reply>, _ region: OutputRegion) -> UnsafeMutablePointer<
        mapb_entry
    > {
        UnsafeMutableRawPointer(region.base + Int(reply.pointee.table)).assumingMemoryBound(to: mapb_entry.self)
    }

    /// Of line 0.
    static func failure(_ reply: UnsafeMutablePointer<mapb_reply>, _ region: OutputRegion) -> UnsafeMutablePointer<
        mapb_failure
    > {
        let place = Int(entries(reply, region)[0].where & (1 << 56 - 1))
        return UnsafeMutableRawPointer(region.base + place).assumingMemoryBound(to: mapb_failure.self)
    }

    static let failedKind = UInt64(MAPB_ENTRY_FAILED.rawValue) << 56
    static let okKind = UInt64(MAPB_ENTRY_OK.rawValue) << 56

    /// About a range of 30 items, described by a table whose line 0 tells of a failure.
    static let lies: [Lie] = [
        Lie(name: "another ticket") { reply, _ in reply.pointee.ticket += 1 },
        Lie(name: "ticket 0") { reply, _ in reply.pointee.ticket = 0 },
        Lie(name: "more items than it had") { reply, _ in reply.pointee.done += 1 },
        Lie(name: "the most items") { reply, _ in reply.pointee.done = .max },
        Lie(name: "fewer items, without having stopped") { reply, _ in reply.pointee.done -= 1 },
        Lie(name: "no items, without having stopped") { reply, _ in reply.pointee.done = 0 },
        Lie(name: "stopped, without having been told to") { reply, _ in
            reply.pointee.flags |= MAPB_REPLY_STOPPED.rawValue
            reply.pointee.done = 0
        },
        Lie(name: "the frontier cursor went back") { reply, _ in
            reply.pointee.frontier_end = UInt64(MAPB_RESULTS_OFFSET) - 1
        },
        Lie(name: "the frontier cursor beyond the end") { reply, region in reply.pointee.frontier_end = region.size + 1
        },
        Lie(name: "the frontier cursor at the end of numbers") { reply, _ in reply.pointee.frontier_end = .max },
        Lie(name: "the frontier cursor before the results") { reply, _ in
            reply.pointee.frontier_end = UInt64(MAPB_RESULTS_OFFSET) + 16
        },
        Lie(name: "a table before the results") { reply, _ in reply.pointee.table = 64 },
        Lie(name: "a table beyond the cursor") { reply, _ in reply.pointee.table = reply.pointee.frontier_end },
        Lie(name: "a table half beyond the cursor") { reply, _ in reply.pointee.table = reply.pointee.frontier_end - 16
        },
        Lie(name: "a table at the end of numbers") { reply, _ in reply.pointee.table = .max - 7 },
        Lie(name: "a table that is not aligned") { reply, _ in reply.pointee.table += 1 },
        Lie(name: "no table, and results outside") { reply, _ in
            reply.pointee.flags = 0
            reply.pointee.base = 0
            reply.pointee.size = 8
        },
        Lie(name: "no table, and results of the largest size") { reply, _ in
            reply.pointee.flags = 0
            reply.pointee.base = UInt64(MAPB_RESULTS_OFFSET)
            reply.pointee.size = .max
        },
        Lie(name: "no table, and a size that overflows with the count") { reply, _ in
            reply.pointee.flags = 0
            reply.pointee.base = UInt64(MAPB_RESULTS_OFFSET)
            reply.pointee.size = .max / 30 + 1
        },
        Lie(name: "no table, and results that end beyond the cursor") { reply, _ in
            reply.pointee.flags = 0
            reply.pointee.base = UInt64(MAPB_RESULTS_OFFSET)
            reply.pointee.size = (reply.pointee.frontier_end - UInt64(MAPB_RESULTS_OFFSET)) / 30 + 1
        },
        Lie(name: "a line without a kind") { entries($0, $1)[5].where = 0 },
        Lie(name: "a line of an unknown kind") { entries($0, $1)[5].where |= 0xff << 56 },
        Lie(name: "a result before the results") { entries($0, $1)[5].where = okKind | 4096 },
        Lie(name: "a result beyond the cursor") { entries($0, $1)[5].where = okKind | $0.pointee.frontier_end },
        Lie(name: "a result as large as memory") { entries($0, $1)[5].size = .max },
        Lie(name: "a result longer than what was used") { entries($0, $1)[5].size = $1.size },
        Lie(name: "a failure without room for its code") {
            entries($0, $1)[0].size = UInt64(MemoryLayout<mapb_failure>.size) - 1
        },
        Lie(name: "a failure of no size") { entries($0, $1)[0].size = 0 },
        Lie(name: "a failure larger than one is") { entries($0, $1)[0].size += 8 },
        Lie(name: "a failure with too long a text") { failure($0, $1).pointee.text_size = MAPB_LONG_TEXT + 1 },
        Lie(name: "a failure with a text beyond the cursor") { reply, region in
            failure(reply, region).pointee.text = reply.pointee.frontier_end - 1
        },
        Lie(name: "a failure with a text before the results") { failure($0, $1).pointee.text = 64 },
        Lie(name: "a failed item's bytes at the end of numbers") { reply, region in
            failure(reply, region).pointee.data = .max - 1
            failure(reply, region).pointee.data_size = 8
        },
        Lie(name: "more of a failed item's bytes than were used") { reply, region in
            failure(reply, region).pointee.data = UInt64(MAPB_RESULTS_OFFSET)
            failure(reply, region).pointee.data_size = region.size
        },
        Lie(name: "an item that stopped, and was not asked to") { reply, region in
            entries(reply, region)[0] = mapb_entry(where: UInt64(MAPB_ENTRY_STOPPED.rawValue) << 56, size: 0)
        },
        Lie(name: "a failure outside") { entries($0, $1)[0].where = failedKind | 8 },
        Lie(name: "a failure beyond the cursor") { reply, region in
            entries(reply, region)[0].where = failedKind | (reply.pointee.frontier_end - 8)
        },
    ]

    @Test(arguments: lies)
    func aLieIsSeenAndCostsNoItem(_ lie: Lie) throws {
        let local = try LocalPool(output: 1 << 20)
        var config = JobConfig()
        config.chunk = 30
        config.attempts = 1000
        let job = try local.submit(90, config)
        // An honest reply first: its results stay.
        try local.step(0)
        local.core.pump()
        let honest = job.tally.ended
        #expect(honest == 30)
        let process = local.processes[0]
        let live = process.region.live
        let ticket = process.work()
        #expect(process.reply(ticket).pointee.flags == MAPB_REPLY_TABLE.rawValue && Script.fails(30))
        lie.tell(process.reply(ticket), process.region)
        process.publish()
        local.core.pump()

        let worker = local.worker(0)
        #expect(worker.state == .dying)
        guard case .hostile? = worker.verdict else {
            Issue.record("the reply was believed")
            return
        }
        #expect(job.tally.ended == honest && job.tally.running > 0)
        #expect(process.region.live == live)
        #expect(local.core.figures.workersKilled == 1)
        local.pool.core.with { $0.died(worker, .status(SIGKILL)) }
        try local.restart(0)
        try local.settle()
        #expect(job.isDone)
        for i in 0..<90 as Range<UInt64> { local.expectDone(job, i) }
    }

    @Test(arguments: [0, 1, 3, 1 << 40, UInt64.max])
    func aTailThatCannotBeIsSeen(tail: UInt64) throws {
        let local = try LocalPool()
        let job = try local.submit(1)
        // The setup and one range were published.
        #expect(local.worker(0).published == 2)
        mapb_store(&local.processes[0].region.outbox.pointee.tail, tail)
        local.core.pump()
        #expect((local.worker(0).state == .dying) == (tail != 1))
        #expect(job.tally.ended == 0)
    }

    @Test func aWorkerThatIsCaughtMayNotChangeItsMind() throws {
        let local = try LocalPool()
        let job = try local.submit(10)
        let process = local.processes[0]
        let ticket = process.work()
        let good = process.reply(ticket).pointee
        process.reply(ticket).pointee.done = 99
        process.publish()
        local.core.pump()
        process.reply(ticket).pointee = good
        local.core.pump()
        #expect(job.tally.ended == 0)
        #expect(local.worker(0).state == .dying)
    }

    @Test func itemsOfAHostileWorkerEndAsCrashedWhenTheyHaveNoAttemptsLeft() throws {
        let local = try LocalPool()
        var config = JobConfig()
        config.chunk = 1
        let job = try local.submit(1, config)
        let process = local.processes[0]
        process.reply(process.work()).pointee.done = 5
        process.publish()
        local.core.pump()
        local.pool.core.with { $0.died(local.worker(0), .status(SIGKILL)) }
        let result = try #require(local.result(job, 0))
        #expect(result.state == MAPE_ITEM_CRASHED.rawValue && result.cause == MAPE_CAUSE_REPLY.rawValue)
        #expect(job.isDone)
    }

    /// Random bits of random replies are turned: the host goes on, and every item ends exactly once.
    @Test(arguments: seeds)
    func turnedBitsNeverHarmTheHost(seed: UInt64) throws {
        var random = SeededRandom(seed)
        let local = try LocalPool(workers: 2, output: 1 << 20)
        for _ in 0..<40 {
            var config = JobConfig()
            config.chunk = UInt64.random(in: 1...20, using: &random)
            config.attempts = UInt32.random(in: 1...3, using: &random)
            let total = UInt64.random(in: 1...150, using: &random)
            let job = try local.submit(total, config)
            var steps = 0
            while !job.isDone && steps < 10_000 {
                steps += 1
                for slot in 0..<2 {
                    let process = local.processes[slot]
                    guard local.worker(slot).isAlive, process.hasRequests else { continue }
                    let ticket = process.work()
                    if random.chance(25) {
                        let bytes = UnsafeMutableRawPointer(process.reply(ticket)).assumingMemoryBound(to: UInt8.self)
                        for _ in 0..<Int.random(in: 1...3, using: &random) {
                            bytes[Int.random(in: 0..<64, using: &random)] ^=
                                1 << UInt8.random(in: 0..<8, using: &random)
                        }
                        // And of what its results lie in.
                        for _ in 0..<Int.random(in: 0...20, using: &random) {
                            process.region.base[
                                Int(MAPB_RESULTS_OFFSET) + Int.random(in: 0..<20_000, using: &random)] ^= 1
                        }
                    }
                    process.publish()
                    local.core.pump()
                    if local.worker(slot).state == .dying {
                        local.pool.core.with { $0.died(local.worker(slot), .status(SIGKILL)) }
                        try local.restart(slot)
                    }
                }
            }
            #expect(job.isDone && job.tally.ended == total && job.tally.running == 0 && job.tally.ofAllStates == total)
            // Every result can be read to its last byte.
            for i in 0..<total { _ = try bytes(#require(local.result(job, i))).reduce(0) { $0 &+ Int($1) } }
            local.pool.core.with { $0.release(job) }
        }
        for worker in local.core.workers { #expect(worker.region?.live == 0 || worker.generation == 0) }
        #expect(local.core.jobs.isEmpty)
    }
}
