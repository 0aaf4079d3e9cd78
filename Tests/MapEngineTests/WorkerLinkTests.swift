// The seam between pool and worker: requests as the worker finds them, replies as values, and what is not believed.

import CMapBridge
import Testing

@testable import MapEngine

@Suite struct WorkerLinkTests {
    /// A link to a worker that runs in the test, and a job whose items say how they are to end.
    final class Lane {
        let bench: Bench
        let job: Job
        let link: WorkerLink
        let watch: UnsafeMutablePointer<Watch>
        var region: OutputRegion { bench.region }
        var inbox: Inbox { bench.input.inbox(0) }
        var outbox: Outbox { region.outbox }

        init(_ orders: [Order]) throws {
            bench = try Bench()
            try bench.job(orders)
            bench.worker.load(1, run: obey)
            let function = try Function.make(
                describe(run: obey), id: 1, input: bench.input, isFork: true, snapshot: true)
            job = Job(
                function: function, config: JobConfig(), sequence: 1, total: UInt64(orders.count),
                input: JobInput(record: bench.record!, globals: nil, used: UsedBuffers()), stream: nil, now: 0)
            watch = .allocate(capacity: 1)
            watch.initialize(to: Watch())
            link = WorkerLink(inbox: bench.input.inbox(0), region: bench.region, watch: watch, generation: 1)
        }

        deinit { watch.deallocate() }

        func assign(_ work: Assignment.Work, step: UInt64 = 0, isSpread: Bool = false) -> Assignment {
            let assignment = Assignment(ticket: link.published + 1, work: work, step: step)
            link.assign(assignment, isSpread: isSpread, isIdle: link.published == link.answered)
            return assignment
        }

        func assign(_ first: UInt64, _ count: UInt64) -> Assignment {
            assign(.range(job, ItemRange(first: first, count: count)), step: count)
        }

        func request(_ assignment: Assignment) -> mapb_request {
            mapb_request_at(inbox.pointer, assignment.ticket)!.pointee
        }
        func reply(_ assignment: Assignment) -> UnsafeMutablePointer<mapb_reply> {
            bench.worker.reply(assignment.ticket)
        }

        /// Has the worker answer.
        func work() {
            _ = link.publish()
            bench.worker.answer()
        }

        func accept(_ assignment: Assignment) throws(InvalidReply) -> RangeReply {
            guard case .range(let job, let range) = assignment.work else { throw InvalidReply("no range was given") }
            let reply = try link.accept(assignment.ticket, job, range)
            link.noteAnswer(assignment.ticket)
            return reply
        }

        /// Why a reply is not accepted.
        func wrong(_ assignment: Assignment) -> String? {
            do throws(InvalidReply) {
                _ = try accept(assignment)
                return nil
            } catch {
                return error.what
            }
        }

        /// What a job makes of a reply.
        func segment(_ first: UInt64, _ reply: RangeReply) throws -> Segment {
            _ = job.nextRange(reply.done)
            job.end(reply, first: first, in: region, now: 0)
            return try #require(job.segment(holding: first))
        }
    }

    // MARK: - Requests

    @Test func eachKindOfWorkIsARequest() throws {
        let lane = try Lane([.nothing])
        let function = lane.job.function
        let module = try Libraries().at("/nowhere/lib.so", in: lane.bench.input)
        let globals = try Globals.setting(
            try Globals.Value("name", [UInt8](repeating: 1, count: 8), 8, input: lane.bench.input), in: nil,
            lane.bench.input)
        let whole = lane.request(lane.assign(.range(lane.job, ItemRange(first: 40, count: 6)), step: 6))
        #expect(whole.kind == MAPB_REQUEST_RANGE.rawValue && whole.record == lane.job.input.record.offset)
        // The job's number, for who looks from outside.
        let number = UInt32(truncatingIfNeeded: lane.job.sequence) << MAPB_JOB_SHIFT
        #expect(whole.first == 40 && whole.count == 6 && whole.step == 0 && whole.flags == number)
        let parts = lane.request(
            lane.assign(.range(lane.job, ItemRange(first: 46, count: 7)), step: 3, isSpread: true))
        #expect(
            parts.first == 46 && parts.count == 7 && parts.step == 3 && parts.flags == MAPB_SPREAD.rawValue | number)
        let setup = lane.request(lane.assign(.setup(function, globals)))
        #expect(setup.kind == MAPB_REQUEST_SETUP.rawValue && setup.record == function.record.offset)
        #expect(setup.first == globals.block.offset)
        let cleanup = lane.request(lane.assign(.cleanup(function, nil)))
        #expect(cleanup.kind == MAPB_REQUEST_CLEANUP.rawValue && cleanup.record == function.record.offset)
        #expect(cleanup.first == 0)
        let load = lane.request(lane.assign(.module(module)))
        #expect(load.kind == MAPB_REQUEST_MODULE.rawValue)
        #expect(load.record == module.pathOffset && load.first == module.fileOffset)
        let exit = lane.request(lane.assign(.exit))
        #expect(exit.kind == MAPB_REQUEST_EXIT.rawValue)
        #expect([whole, parts, setup, cleanup, load, exit].map(\.ticket) == [1, 2, 3, 4, 5, 6])
        #expect(lane.link.published == 6 && lane.watch.pointee.lastItems == 0)
    }

    @Test func aRequestIsSeenWhenItIsPublishedAndWhoSleepsIsWoken() throws {
        let lane = try Lane([.nothing, .nothing])
        #expect(lane.link.publish() == .none)
        _ = lane.assign(0, 1)
        #expect(!lane.bench.worker.hasRequests)
        #expect(lane.link.publish() == .seen)
        #expect(lane.bench.worker.hasRequests && lane.inbox.pointee.tail == 1)
        #expect(lane.link.publish() == .none)
        _ = lane.assign(1, 1)
        lane.outbox.pointee.sleeping = 1
        #expect(lane.link.publish() == .woke)
        lane.link.ring(from: 2)
        #expect(lane.inbox.pointee.notify_at == 2)
    }

    // MARK: - Replies

    @Test func aReplyBecomesAValue() throws {
        let lane = try Lane([.output(8), .output(8), .code(23), .output(3)])
        let alike = lane.assign(0, 2)
        lane.work()
        #expect(try lane.link.answers() == 1)
        let first = try lane.accept(alike)
        #expect(
            first.done == 2 && first.results.size == 8 && first.results.table == nil && !first.isFull && !first.hasGrown
        )
        let results = try lane.segment(0, first)
        #expect(bytes(readResult(results, 1)) == [UInt8](repeating: 1, count: 8))
        let mixed = lane.assign(2, 2)
        lane.work()
        let second = try lane.accept(mixed)
        #expect(second.done == 2 && second.results.table?.failures.count == 1)
        let others = try lane.segment(2, second)
        #expect(readResult(others, 0).code == 23)
        #expect(bytes(readResult(others, 1)) == [3, 3, 3])
        #expect(lane.link.answered == 2 && lane.region.live > 0)
        lane.job.dropAll()
        #expect(lane.region.live == 0)
    }

    /// What is made of a reply to a setup or a module, with a text at the beginning of the results.
    static func accept(isSetup: Bool, _ code: Int32, _ detail: mape_cause, flags: UInt32 = 0, size: UInt64 = 4) throws
        -> OtherReply
    {
        let lane = try Lane([.nothing])
        let module = try Libraries().at("/nowhere/lib.so", in: lane.bench.input)
        let assignment = lane.assign(isSetup ? .setup(lane.job.function, nil) : .module(module))
        let place = UInt64(MAPB_RESULTS_OFFSET)
        for (i, byte) in "text".utf8.enumerated() { lane.region.base[Int(place) + i] = byte }
        var reply = mapb_reply()
        reply.ticket = assignment.ticket
        reply.code = code
        reply.detail = detail.rawValue
        reply.flags = flags
        reply.base = place
        reply.size = size
        reply.frontier_end = place + 64
        lane.reply(assignment).pointee = reply
        defer { #expect(lane.region.live == 0, "nothing of it is kept") }
        return try lane.link.accept(assignment).0
    }

    @Test func aSetupHasRunWellOrSaysWhyNot() throws {
        guard case .setup(hasChanged: false) = try Self.accept(isSetup: true, 0, MAPE_CAUSE_NONE),
            case .setup(hasChanged: true) = try Self.accept(
                isSetup: true, 0, MAPE_CAUSE_NONE, flags: MAPB_REPLY_CHANGED.rawValue),
            case .setupFailed(isLoad: false, code: 7, let own) = try Self.accept(isSetup: true, 7, MAPE_CAUSE_NONE),
            case .setupFailed(isLoad: true, code: 0, let load) = try Self.accept(
                isSetup: true, 0, MAPE_CAUSE_LOAD, size: 0)
        else {
            Issue.record("a reply was taken for another")
            return
        }
        #expect(own == "text" && load.isEmpty)
    }

    @Test func aModuleIsLoadedOrSaysWhyNot() throws {
        guard case .module(failure: nil) = try Self.accept(isSetup: false, 0, MAPE_CAUSE_NONE),
            case .module(let why?) = try Self.accept(isSetup: false, 1, MAPE_CAUSE_NONE)
        else {
            Issue.record("a reply was taken for another")
            return
        }
        #expect(why == "text")
    }

    @Test(arguments: [65 as UInt64, UInt64(MAPB_TEXT), .max], [true, false])
    func aTextOutsideTheMemoryIsNotRead(size: UInt64, isSetup: Bool) {
        #expect(throws: InvalidReply.self) { try Self.accept(isSetup: isSetup, 1, MAPE_CAUSE_NONE, size: size) }
    }

    /// A worker that stops before its first item without having been told to would be given the same again and again.
    @Test(arguments: [
        (done: 0 as UInt32, told: false, ends: false, isValid: false), (0, true, false, true), (0, false, true, true),
        (1, false, false, true),
    ])
    func aRangeMayStopBeforeItsFirstItemIfItWasToldTo(done: UInt32, told: Bool, ends: Bool, isValid: Bool) throws {
        let lane = try Lane([.nothing, .nothing, .nothing])
        let assignment = lane.assign(0, 3)
        lane.work()
        lane.reply(assignment).pointee.done = done
        lane.reply(assignment).pointee.flags |= MAPB_REPLY_STOPPED.rawValue
        lane.outbox.pointee.yields = 1
        if told {
            lane.outbox.pointee.yields = 1
            _ = lane.link.askToYield()
        }
        if ends { lane.job.willEnd(.cancelled(), now: 0) }
        #expect(lane.wrong(assignment) == (isValid ? nil : "its reply says it was stopped, and it was not"))
        #expect(lane.region.live == 0)
    }

    struct Wrong: CustomTestStringConvertible {
        let what: String
        let why: String
        let change: @Sendable (inout mapb_reply) -> Void
        var testDescription: String { what }

        init(_ what: String, _ why: String, _ change: @escaping @Sendable (inout mapb_reply) -> Void) {
            self.what = what
            self.why = why
            self.change = change
        }
    }

    @Test(arguments: [
        Wrong("another ticket", "its reply is for another request") { $0.ticket += 64 },
        Wrong("a cursor that goes back", "its reply claims memory it does not have") { $0.frontier_end -= 4096 },
        Wrong("a cursor beyond the memory", "its reply claims memory it does not have") { $0.frontier_end = .max },
        Wrong("too many items", "its reply counts 4 of 3 items") { $0.done = 4 },
        Wrong("too few items", "its reply counts 2 of 3 items") { $0.done = 2 },
        Wrong("results elsewhere", "its results lie outside its memory") { $0.base = 0 },
        Wrong("results without end", "its results lie outside its memory") { $0.size = .max },
        Wrong("a table elsewhere", "its table lies outside its memory") { $0.flags |= MAPB_REPLY_TABLE.rawValue },
    ])
    func ofAWrongReplyNothingIsUsed(_ wrong: Wrong) throws {
        let lane = try Lane([.output(8), .output(8), .output(8)])
        let assignment = lane.assign(0, 3)
        lane.work()
        wrong.change(&lane.reply(assignment).pointee)
        #expect(lane.wrong(assignment) == wrong.why)
        #expect(lane.region.live == 0)
    }

    @Test(arguments: [(1 as UInt64, true), (2, true), (3, false), (0, false), (.max, false)])
    func onlyWhatWasPublishedCanBeAnswered(tail: UInt64, isValid: Bool) throws {
        let lane = try Lane([.nothing, .nothing])
        let assignment = lane.assign(0, 1)
        lane.work()
        _ = try lane.accept(assignment)
        _ = lane.assign(1, 1)
        mapb_store(&lane.outbox.pointee.tail, tail)
        #expect((try? lane.link.answers()) == (isValid ? tail : nil))
    }

    @Test func ofAReplyThatWasBeingFilledTheFirstItemsAreTaken() throws {
        let lane = try Lane([.output(8), .output(8), .output(8)])
        let assignment = lane.assign(0, 3)
        _ = lane.link.publish()
        _ = lane.bench.worker.work()
        let kept = try #require(lane.link.finished(2, of: assignment, lane.job))
        #expect(kept.done == 2 && kept.results.size == 8)
        #expect(kept.used.frontier.count == 0, "nothing is given back of a memory that takes no more ranges")
        #expect(bytes(readResult(try lane.segment(0, kept), 1)) == [UInt8](repeating: 1, count: 8))
        lane.reply(assignment).pointee.ticket += 64
        #expect(lane.link.finished(2, of: assignment, lane.job) == nil)
    }

    // MARK: - What it is on

    @Test func progressIsOfTheItemsThatEndedAndTheOneThatRuns() throws {
        let lane = try Lane([.nothing])
        let assignment = lane.assign(0, 10)
        #expect(lane.link.mark == BlameMark(0) && lane.link.progress(of: assignment) == 0)
        lane.outbox.pointee.current = assignment.ticket << 32 | 5
        #expect(lane.link.progress(of: assignment) == 4)
        for (told, sum) in [(0.25, 4.25), (1, 5), (1.5, 4), (-1, 4), (.nan, 4), (.infinity, 4)] {
            lane.outbox.pointee.fraction = (told as Double).bitPattern
            #expect(lane.link.progress(of: assignment) == sum)
        }
    }

    @Test func progressElsewhereIsOfTheRequestThatItNames() throws {
        let lane = try Lane([.nothing])
        let assignment = lane.assign(0, 10)
        lane.outbox.pointee.fraction = 3.5.bitPattern
        #expect(lane.link.remoteProgress(of: assignment) == 0, "it is of another request")
        lane.outbox.pointee.marked = assignment.ticket
        #expect(lane.link.remoteProgress(of: assignment) == 3.5)
        for (told, sum) in [(0.5, 0.5), (0, 0), (11, 10), (-1, 0), (.nan, 0), (.infinity, 10)] {
            lane.outbox.pointee.fraction = (told as Double).bitPattern
            #expect(lane.link.remoteProgress(of: assignment) == sum)
        }
    }

    @Test func yieldSaysWhatMayHaveBegun() throws {
        let lane = try Lane([.nothing, .nothing, .nothing])
        _ = lane.assign(0, 1)
        let second = lane.assign(1, 2)
        lane.work()
        lane.outbox.pointee.current = second.ticket << 32 | 1
        #expect(!lane.link.askToYield(), "the worker does not look")
        #expect(lane.inbox.pointee.yield == 0)
        lane.outbox.pointee.yields = 1
        #expect(lane.link.askToYield())
        let stand = lane.link.stand
        #expect(stand.mark == BlameMark(second.ticket << 32 | 1) && stand.answered == 1)
        #expect(lane.inbox.pointee.yield == 2)
    }

    // MARK: - Its life

    @Test func aNewProcessBeginsAnew() throws {
        let lane = try Lane([.nothing])
        _ = lane.assign(0, 1)
        lane.work()
        _ = lane.link.askToYield()
        lane.link.ring(from: 9)
        lane.watch.pointee.messageHead = 64
        let region = try OutputRegion(reserve: 4 << 20)
        let next = WorkerLink(inbox: lane.inbox, region: region, watch: lane.watch, generation: 2)
        #expect(next.published == 0 && next.answered == 0 && !next.hasMessages)
        #expect(lane.inbox.pointee.tail == 0 && lane.inbox.pointee.notify_at == 0 && lane.inbox.pointee.yield == 0)
        #expect(!lane.watch.pointee.hasNews && !lane.watch.pointee.isBusy)
    }

    @Test func nobodyLooksForNewsOfAProcessThatIsGone() throws {
        let lane = try Lane([.nothing, .nothing])
        _ = lane.assign(0, 2)
        #expect(lane.watch.pointee.mayHoldMore)
        let looked = try #require(SpinTarget(lane.watch.pointee))
        #expect(!looked.hasCome)
        lane.work()
        #expect(looked.hasCome && lane.watch.pointee.hasNews)
        lane.link.close()
        #expect(!lane.watch.pointee.hasNews && !lane.watch.pointee.isBusy && SpinTarget(lane.watch.pointee) == nil)
    }
}
