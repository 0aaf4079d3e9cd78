import Testing

@testable import MapEngine

@Suite struct SlowStartTests {
    @Test func aPoolOfFewWorkersUsesAllAtOnce() {
        let start = SlowStart()
        #expect(start.allows(Policy.workersAtOnce - 1))
        #expect(!start.allows(Policy.workersAtOnce))
        #expect(!start.holds && start.growsAt == .max)
    }

    @Test func itGrowsWhileWorkersAreKeptFromWorking() {
        var start = SlowStart()
        var now: Int64 = 1000
        for i in 1...5 {
            start.held(now)
            start.held(now + 1)
            #expect(start.holds && start.growsAt == now + Policy.slowStart)
            let early = start.growIfDue(now + Policy.slowStart - 1)
            #expect(!early)
            now += Policy.slowStart
            let due = start.growIfDue(now)
            #expect(due && !start.holds)
            #expect(start.limit == Policy.workersAtOnce << i)
        }
    }

    @Test func itKeepsWhatIsBusyAndForgetsTheRest() {
        var start = SlowStart()
        for _ in 0..<3 {
            start.held(0)
            _ = start.growIfDue(.max - 1)
        }
        start.held(0)
        start.calm(Policy.workersAtOnce * 3)
        #expect(start.limit == Policy.workersAtOnce * 3 && !start.holds)
        start.calm(0)
        #expect(start.limit == Policy.workersAtOnce)
    }
}
