// How many workers a pool is to have, and in which places.

import Testing

@testable import MapEngine

@Suite struct PoolSizeTests {
    private func slots(_ set: SlotSet) -> [Int] { Array(set) }

    @Test func placesBelowTheNumberAreWanted() {
        var size = PoolSize(count: 3)
        #expect(slots(size.wanted) == [0, 1, 2])
        var change = size.resize(to: 5)
        #expect(slots(change.new) == [3, 4] && change.gone.isEmpty)
        change = size.resize(to: 2)
        #expect(slots(change.gone) == [2, 3, 4] && change.new.isEmpty)
        #expect(slots(size.wanted) == [0, 1] && size.count == 2)
        change = size.resize(to: 2)
        #expect(change.gone.isEmpty && change.new.isEmpty)
    }

    @Test func withoutATimeNobodyRests() {
        var size = PoolSize(count: 4)
        #expect(!size.mayWatchIdle && size.checkAt == .max)
        #expect(size.rest([(0, 0), (1, 0)], now: 1 << 40).isEmpty)
        #expect(!size.hasResting)
    }

    @Test func thoseThatWereIdleForLongRestFromTheHighestDown() {
        var size = PoolSize(count: 4, idleTime: 1000, least: 2)
        #expect(size.mayWatchIdle)
        size.watchIdle(500)
        #expect(!size.mayWatchIdle && size.checkAt == 1500)
        // The third has been idle for too short a time; then it is looked for again.
        #expect(size.rest([(0, 1000), (1, 1000), (2, 800), (3, 200)], now: 1500) == [3])
        #expect(size.checkAt == 1800)
        #expect(size.rest([(0, 100), (1, 100), (2, 800)], now: 1800) == [2])
        // No more may rest: nothing is looked for, however long they are idle.
        #expect(size.checkAt == .max && !size.mayWatchIdle)
        #expect(size.rest([(0, 100), (1, 100)], now: 1 << 40).isEmpty)
        #expect(slots(size.wanted) == [0, 1])
    }

    @Test func aThousandWorkersAreNotLookedForOneByOne() {
        var size = PoolSize(count: 1024, idleTime: 1_000_000, least: 0)
        var looks = 0
        var now: Int64 = 1_000_000
        while size.hasResting == false || !size.wanted.isEmpty {
            let idle = size.wanted.map { (slot: $0, since: Int64($0) * 1000) }
            _ = size.rest(idle, now: now)
            looks += 1
            now = size.checkAt
        }
        #expect(looks < 10)
    }

    @Test func allWakeTwiceAsManyEachTime() {
        var size = PoolSize(count: 64, idleTime: 1, least: 1)
        _ = size.rest((0..<64).map { ($0, 0) }, now: 10)
        #expect(slots(size.wanted) == [0])
        var now: Int64 = 1000
        var woken: [Int] = []
        while size.hasResting {
            let (places, again) = size.wake(items: 1_000_000, now: now)
            woken.append(places.count)
            // Too early, nobody is woken.
            if let again {
                let early = size.wake(items: 1_000_000, now: again - 1)
                #expect(early.woken.isEmpty && early.again == again)
                now = again
            }
        }
        #expect(woken == [1, 2, 4, 8, 16, 32])
    }

    @Test func noMoreAreWokenThanThereAreItems() {
        var size = PoolSize(count: 8, idleTime: 1, least: 4)
        _ = size.rest((0..<8).map { ($0, 0) }, now: 10)
        #expect(size.wake(items: 3, now: 20).woken == [4, 5, 6])
        #expect(slots(size.wanted) == [0, 1, 2, 3, 4, 5, 6])
    }

    @Test func withNobodyLeftOneComes() {
        var size = PoolSize(count: 8, idleTime: 1, least: 0)
        _ = size.rest((0..<8).map { ($0, 0) }, now: 10)
        #expect(size.wanted.isEmpty)
        #expect(size.wake(items: 1, now: 20).woken == [0])
    }

    @Test func whatRestsGoesOnRestingWhenTheNumberChanges() {
        var size = PoolSize(count: 8, idleTime: 1, least: 2)
        _ = size.rest((0..<8).map { ($0, 0) }, now: 10)
        var change = size.resize(to: 10)
        #expect(slots(change.new) == [8, 9])
        change = size.resize(to: 4)
        #expect(slots(change.gone) == [8, 9] && change.new.isEmpty)
        #expect(slots(size.wanted) == [0, 1] && size.hasResting)
    }

    @Test func theLeastStayAlsoWhenTheNumberShrinks() {
        // The lowest were busy, so that higher ones stayed.
        var size = PoolSize(count: 8, idleTime: 1, least: 2)
        _ = size.rest([(0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0)], now: 10)
        #expect(slots(size.wanted) == [6, 7])
        let change = size.resize(to: 4)
        #expect(slots(change.gone) == [6, 7])
        #expect(slots(size.wanted) == [0, 1])
    }

    @Test(arguments: seeds)
    func aRandomRunKeepsItsPromises(seed: UInt64) {
        var random = SeededRandom(seed)
        let least = Int.random(in: 0...6, using: &random)
        var size = PoolSize(count: 5, idleTime: 10, least: least)
        var now: Int64 = 100
        for _ in 0..<500 {
            now += Int64.random(in: 0...Policy.slowStart, using: &random)
            let before = size.wanted
            switch Int.random(in: 0..<3, using: &random) {
            case 0:
                let count = Int.random(in: 1...40, using: &random)
                let change = size.resize(to: count)
                #expect(size.count == count)
                for slot in change.new { #expect(!before.contains(slot) && size.wanted.contains(slot)) }
                for slot in change.gone { #expect(before.contains(slot) && !size.wanted.contains(slot)) }
            case 1:
                let idle = before.filter { _ in Bool.random(using: &random) }.map { (slot: $0, since: now - 20) }
                for slot in size.rest(idle, now: now) { #expect(before.contains(slot) && !size.wanted.contains(slot)) }
            default:
                for slot in size.wake(items: 5, now: now).woken { #expect(!before.contains(slot)) }
            }
            #expect(size.wanted.count >= min(least, size.count))
            for slot in size.wanted { #expect(slot < size.count) }
        }
    }
}
