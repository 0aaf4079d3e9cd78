import CMapBridge
import Testing

@testable import MapEngine

@Suite struct WaitingTests {
    @Test(arguments: [-1, -5, Int64.min])
    func aNegativeTimeoutHasNoEnd(timeout: Int64) {
        #expect(deadline(after: timeout) == .max)
    }

    @Test(arguments: [0, 1, 1_000_000_000, 3_600_000_000_000])
    func aTimeoutEndsThatMuchLater(timeout: Int64) {
        let before = mapb_clock()
        let end = deadline(after: timeout)
        let after = mapb_clock()
        #expect(end >= before + timeout)
        #expect(end <= after + timeout)
    }

    @Test(arguments: [Int64.max, Int64.max - 1])
    func aTimeoutBeyondTheClocksEndHasNoEnd(timeout: Int64) {
        #expect(deadline(after: timeout) == .max)
    }

    /// A thread that waits for the start hears of it, whoever moves the data.
    @Test func aSetupThatIsDoneWakesWhoWaits() throws {
        let local = try LocalPool(workers: 1)
        // As one for a function that is registered late: the worker is ready already.
        local.pool.core.with { $0.send(local.worker(0), .setup(local.function, nil)) }
        local.core.followUp()
        local.processes[0].answer()
        let seen = local.pool.waiters.changes
        local.core.pump()
        #expect(local.worker(0).isPrepared(local.function.id) && !local.worker(0).isBusy)
        #expect(local.pool.waiters.changes != seen)
    }

    /// A start that comes to nothing: also threads that wait for what another has begun hear of it.
    @Test func aStartThatComesToNothingWakesWhoWaitsForIt() throws {
        let local = try LocalPool(workers: 1)
        let seen = local.pool.waiters.changes
        local.pool.core.with { core in
            core.life.stage = .starting
            core.hasNotBegun(.thread(11))
        }
        #expect(local.pool.waiters.changes != seen)
        #expect(local.pool.waitForZygote()?.status == MAPE_E_SYSTEM.rawValue)
        local.pool.core.with { $0.life.stage = .running }
    }

    /// A pool that another thread is starting is not closed before there is something to close.
    @Test func aShutdownInAStartWaitsForIt() throws {
        let local = try LocalPool(workers: 1)
        local.core.life.stage = .starting
        guard case .isStarting = local.pool.core.with({ $0.beginShutdown(MAPE_SHUTDOWN_CANCEL, by: 0) }) else {
            Issue.record("the pool was closed")
            return
        }
        #expect(local.core.life.stage == .starting)
        local.core.life.stage = .running
        guard case .begun = local.pool.core.with({ $0.beginShutdown(MAPE_SHUTDOWN_CANCEL, by: 0) }) else {
            Issue.record("the shutdown has not begun")
            return
        }
        #expect(local.core.life.stage == .closing)
    }

    @Test func wakingChangesTheCounter() {
        let waiting = Waiters()
        let seen = waiting.changes
        waiting.wake()
        #expect(waiting.changes != seen)
    }

    @Test func aChangeThatCameBeforeTheSleepIsNotMissed() {
        let waiting = Waiters()
        let seen = waiting.changes
        waiting.wake()
        waiting.sleep(seen, .max)
    }

    @Test func aSleepEndsAtItsDeadline() {
        let waiting = Waiters()
        let end = mapb_clock() + 2_000_000
        // May end early for no reason; never to be waited for in vain.
        while mapb_clock() < end { waiting.sleep(waiting.changes, end) }
        waiting.sleep(waiting.changes, end)
    }

    @Test func wakingALeaderThatSleepsRingsItsBell() throws {
        let bell = try Descriptor(checking: mapb_notifier_open(), "eventfd")
        let local = try LocalPool()
        local.core.doorbell.leaderBell = bell.number
        let number = bell.number
        local.pool.core.with { $0.touched.wakes = true }
        #expect(!isReadable(number))
        local.core.doorbell.leaderSleeps = true
        local.pool.core.with { $0.touched.wakes = true }
        #expect(isReadable(number))
    }
}
