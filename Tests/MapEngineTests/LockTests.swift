import CMapBridge
import Testing

@testable import MapEngine

@Suite struct LockTests {
    final class Shared: @unchecked Sendable {
        let lock = Lock()
        var turns = 0
        var ends = false
    }

    /// A thread that holds the lock nearly all the time, and takes it again at once.
    private static let greedy: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { context in
        let shared = Unmanaged<Shared>.fromOpaque(context!).takeRetainedValue()
        var goesOn = true
        while goesOn {
            shared.lock.lock()
            let end = mapb_clock() + 50_000
            while mapb_clock() < end {}
            shared.turns += 1
            goesOn = !shared.ends
            shared.lock.unlock()
        }
        return nil
    }

    /// With a mutex that is not fair the greedy thread would have millions of turns, or the test no end.
    @Test func whoeverWaitsLongComesBeforeAThreadThatAsksAgainAndAgain() {
        let shared = Shared()
        var threads: [UInt64] = [0, 0]
        for i in threads.indices {
            #expect(mapb_start_thread(Self.greedy, Unmanaged.passRetained(shared).toOpaque(), &threads[i]) == 0)
        }
        var turns = 0
        for i in 1...50 {
            shared.lock.lock()
            turns = shared.turns
            if i == 50 { shared.ends = true }
            shared.lock.unlock()
        }
        threads.forEach(mapb_join_thread)
        #expect(turns < 50 * 2000)
    }

    @Test func whatIsLeftOverIsUnmappedWhenAsked() throws {
        let leftovers = Leftovers()
        var region: OutputRegion? = try OutputRegion(reserve: 1 << 20, leftovers: leftovers)
        let place = region!.base
        region = nil
        #expect(!leftovers.isEmpty)
        place.pointee = 7
        leftovers.clear()
        #expect(leftovers.isEmpty)
    }
}
