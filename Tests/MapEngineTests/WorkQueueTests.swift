// The queue of jobs that have items to give, and the times at which jobs are looked at: both hold jobs in a heap.

import CMapBridge
import Testing

@testable import MapEngine

@Suite struct WorkQueueTests {
    /// Jobs of one function each, all in one memory.
    final class Maker {
        let input: InputMemory
        private var sequence: UInt64 = 0

        init() throws { input = try InputMemory(reserve: 64 << 20) }

        func job(priority: Int32 = 0, function: UInt32 = 1, items: UInt64 = 1) throws -> Job {
            sequence += 1
            var config = JobConfig()
            config.priority = priority
            let its = try Function.make(
                describe(run: emptyRun), id: function, input: input, isFork: true, snapshot: true)
            let record = try input.allocate(JobRecord.bytes, zeroed: true)
            return Job(
                function: its, config: config, sequence: sequence, total: items,
                input: JobInput(record: record, globals: nil, used: UsedBuffers()), stream: nil, now: 0)
        }
    }

    @Test func theHighestPriorityComesFirstThenTheOldest() throws {
        let maker = try Maker()
        let jobs = try [0, 5, 0, -3, 5].map { try maker.job(priority: $0) }
        var queue = WorkQueue()
        for job in jobs.reversed() { queue.add(job) }
        var order: [UInt64] = []
        while let job = queue.first() {
            order.append(job.sequence)
            queue.removeFirst()
            #expect(!job.isQueuedForWork)
        }
        #expect(order == [2, 5, 1, 3, 4])
        #expect(queue.isEmpty)
    }

    @Test func aJobIsInItOnce() throws {
        let job = try Maker().job()
        var queue = WorkQueue()
        queue.add(job)
        queue.add(job)
        #expect(queue.count == 1)
        queue.remove(job)
        queue.remove(job)
        #expect(queue.isEmpty && queue.first() == nil)
        queue.add(job)
        #expect(queue.count == 1 && queue.first() === job)
    }

    /// What is left when workers have what they can hold, in the queue or withheld beside it.
    @Test func itemsAreOwedSinceTheFirstWasLeftAndUntilNoneIs() throws {
        let maker = try Maker()
        let (job, other) = (try maker.job(items: 9), try maker.job(items: 9))
        var queue = WorkQueue()
        queue.noteRest(5)
        #expect(queue.owedSince == .max)
        queue.add(job)
        queue.noteRest(7)
        queue.noteRest(9)
        #expect(queue.owedSince == 7)
        // It leaves the queue with items that cannot be assigned yet.
        queue.removeFirst()
        queue.note(job, withholds: true)
        queue.note(job, withholds: true)
        queue.noteRest(11)
        #expect(queue.owedSince == 7)
        queue.add(other)
        queue.note(job, withholds: false)
        queue.noteRest(12)
        #expect(queue.owedSince == 7)
        queue.removeFirst()
        queue.note(other, withholds: false)
        queue.noteRest(13)
        #expect(queue.owedSince == .max)
        queue.add(job)
        queue.noteRest(14)
        #expect(queue.owedSince == 14)
    }

    @Test func aJobThatHasNothingLeftIsDropped() throws {
        let maker = try Maker()
        let jobs = try (0..<3).map { _ in try maker.job() }
        var queue = WorkQueue()
        for job in jobs { queue.add(job) }
        _ = jobs[0].nextRange(1)
        _ = jobs[1].nextRange(1)
        #expect(queue.first() === jobs[2])
        #expect(!jobs[0].isQueuedForWork && queue.count == 1)
    }

    @Test func whatWasTakenOutIsNotHeld() throws {
        let maker = try Maker()
        var queue = WorkQueue()
        let first = try maker.job(priority: 9)
        queue.add(first)
        for _ in 0..<100 {
            weak var one: Job?
            do {
                let job = try maker.job()
                one = job
                queue.add(job)
                queue.remove(job)
            }
            #expect(one == nil)
        }
        #expect(queue.count == 1 && queue.first() === first)
    }

    @Test func jobsThatNobodyCanRunWaitBesideTheQueue() throws {
        let maker = try Maker()
        let mine = try (0..<3).map { _ in try maker.job(function: 7) }
        let other = try maker.job(function: 8)
        var queue = WorkQueue()
        for job in mine { queue.add(job) }
        queue.add(other)
        for _ in 0..<3 { queue.parkFirst() }
        #expect(queue.first() === other && queue.hasParked && queue.count == 4)
        queue.unpark { $0 == 8 }
        #expect(queue.first() === other)
        queue.remove(mine[0])
        queue.unpark { $0 == 7 }
        #expect(!queue.hasParked && queue.count == 3)
        #expect(queue.first() === mine[1])
    }

    @Test func parkedJobsCanBeTakenOutAndParkedAgain() throws {
        let maker = try Maker()
        let jobs = try (0..<200).map { _ in try maker.job() }
        var queue = WorkQueue()
        for job in jobs { queue.add(job) }
        for _ in jobs { queue.parkFirst() }
        for job in jobs.dropLast() { queue.remove(job) }
        #expect(queue.count == 1)
        for job in jobs.dropLast() { queue.add(job) }
        for _ in jobs.dropLast() { queue.parkFirst() }
        #expect(queue.count == 200 && queue.first() == nil)
        queue.unpark { _ in true }
        #expect(queue.count == 200 && queue.first() === jobs[0])
    }

    @Test(arguments: seeds)
    func behavesLikeASortedList(seed: UInt64) throws {
        var random = SeededRandom(seed)
        let maker = try Maker()
        let jobs = try (0..<100).map { _ in try maker.job(priority: Int32.random(in: -2...2, using: &random)) }
        var queue = WorkQueue()
        var model: [Job] = []
        for _ in 0..<5000 {
            let job = jobs.randomElement(using: &random)!
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<5:
                queue.add(job)
                if !model.contains(where: { $0 === job }) { model.append(job) }
            case 5..<9:
                queue.remove(job)
                model.removeAll { $0 === job }
            default:
                queue.removeFirst()
                if !model.isEmpty { model.removeFirst() }
            }
            model.sort {
                $0.config.priority != $1.config.priority
                    ? $0.config.priority > $1.config.priority : $0.sequence < $1.sequence
            }
            #expect(queue.count == model.count && queue.first() === model.first)
        }
    }
}

@Suite struct IndexedHeapTests {
    final class Thing {
        let key: Int
        var place = -1
        init(_ key: Int) { self.key = key }
    }

    struct Entry: HeapElement {
        let thing: Thing
        func isBefore(_ other: Entry) -> Bool { thing.key < other.thing.key }
        var place: Int {
            get { thing.place }
            nonmutating set { thing.place = newValue }
        }
    }

    @Test(arguments: seeds)
    func everyElementKnowsItsPlace(seed: UInt64) {
        var random = SeededRandom(seed)
        var heap = IndexedHeap<Entry>()
        var things: [Thing] = []
        for round in 0..<4000 {
            if random.chance(round < 2500 ? 60 : 30) || things.isEmpty {
                let thing = Thing(Int.random(in: 0..<500, using: &random))
                things.append(thing)
                heap.insert(Entry(thing: thing))
            } else if random.chance(50) {
                let thing = things.remove(at: Int.random(in: 0..<things.count, using: &random))
                let removed = heap.remove(at: thing.place)
                #expect(removed.thing === thing && thing.place == -1)
            } else {
                let removed = heap.remove(at: 0).thing
                #expect(removed.key == things.map { $0.key }.min())
                things.removeAll { $0 === removed }
            }
            #expect(heap.count == things.count && heap.first?.thing.key == things.map { $0.key }.min())
        }
        #expect(Set(things.map { $0.place }) == Set(0..<things.count))
        var before = Int.min
        while !heap.isEmpty {
            let key = heap.remove(at: 0).thing.key
            #expect(key >= before)
            before = key
        }
    }
}

@Suite struct DeadlinesTests {
    @Test func theEarliestComesFirst() throws {
        let maker = try WorkQueueTests.Maker()
        let jobs = try (0..<5).map { _ in try maker.job() }
        var deadlines = Deadlines()
        for (job, time) in zip(jobs, [30, 10, 50, 20, 40] as [Int64]) { deadlines.set(job, by: time) }
        #expect(deadlines.next == 10)
        #expect(deadlines.popDue(9) == nil)
        #expect(deadlines.popDue(25) === jobs[1])
        #expect(deadlines.popDue(25) === jobs[3])
        #expect(deadlines.popDue(25) == nil)
        deadlines.remove(jobs[0])
        #expect(deadlines.next == 40 && deadlines.count == 2)
    }

    @Test func anEarlierTimeStays() throws {
        let job = try WorkQueueTests.Maker().job()
        var deadlines = Deadlines()
        deadlines.set(job, by: 10)
        deadlines.set(job, by: 20)
        #expect(deadlines.next == 10 && deadlines.count == 1)
        deadlines.set(job, by: 5)
        #expect(deadlines.next == 5 && deadlines.count == 1)
        #expect(deadlines.popDue(5) === job)
        #expect(deadlines.popDue(.max) == nil && deadlines.next == .max)
        deadlines.set(job, by: 20)
        #expect(deadlines.next == 20)
    }

    @Test func whatIsOverIsNotHeld() throws {
        let maker = try WorkQueueTests.Maker()
        var deadlines = Deadlines()
        weak var one: Job?
        for i in 0..<1000 {
            let job = try maker.job()
            deadlines.set(job, by: .max - Int64(i) - 1)
            deadlines.remove(job)
            if i == 500 { one = job }
        }
        #expect(one == nil && deadlines.count == 0 && deadlines.next == .max)
    }
}
