import CMapBridge
import Testing

@testable import MapEngine

@Suite struct WorkerTimesTests {
    let second: Int64 = 1_000_000_000

    /// A place whose process began so long ago, by the clock.
    func times(ago: Int64) -> (WorkerTimes, Int64) {
        var times = WorkerTimes()
        let start = mapb_clock() - ago
        times.begin(start)
        return (times, start)
    }

    @Test func whatIsLeftBetweenRepliesIsIdleOrWaiting() {
        var (times, start) = times(ago: 100 * second)
        times.becameReady(start + 1 * second)
        times.hadNothing(until: start + 3 * second, owed: .max)
        #expect(times.ran(2_000_000_000, start + 10 * second) == 2 * second)
        // It was done after 5 seconds, and items had waited since before that.
        times.hadNothing(until: start + 10 * second, owed: start + 4 * second)
        #expect(times.ran(500_000_000, start + 20 * second) == second / 2)
        // Items came when it had been idle for 1.5 seconds.
        times.hadNothing(until: start + 14 * second, owed: start + 12 * second)
        #expect(times.setup == 1 * second && times.busy == 5 * second / 2)
        #expect(times.waiting == 5 * second + 2 * second && times.idle == 2 * second + 3 * second / 2)
        #expect(times.setup + times.busy + times.idle + times.waiting == 14 * second)
    }

    @Test func aWorkerIsBelievedAsFarAsTheClockAllows() {
        var (times, start) = times(ago: second)
        #expect(times.ran(4_000_000_000, start + second) < 3 * second)
        let busy = times.busy
        #expect(busy >= second)
        #expect(times.ran(4_000_000_000, start + second) < second)
        times.prepared(.max)
        #expect(times.setup < second)
        // Nothing is left that it could have waited for.
        times.hadNothing(until: start + second, owed: start)
        #expect(times.idle == 0 && times.waiting == 0)
    }

    @Test func aRangeThatIsLongerThanItsReplyCanSayTookWhatTheHostSaw() {
        var (times, start) = times(ago: 60 * second)
        #expect(times.ran(.max, start + 60 * second) >= 60 * second)
    }

    @Test func aDeathEndsTheTimeOfAnItemOrOfASetup() {
        var (times, start) = times(ago: 60 * second)
        times.hadNothing(until: start + second, owed: .max)
        #expect(times.ended(start + 4 * second, inItem: true) == 3 * second)
        times.begin(start + 10 * second)
        #expect(times.ended(start + 12 * second, inItem: false) == 2 * second)
        #expect(times.busy == 3 * second && times.setup == 2 * second && times.idle == second)
    }
}
