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

    final class Sleepers: @unchecked Sendable {
        let word = UnsafeMutablePointer<UInt64>.allocate(capacity: 1)
        let begun = Word32(), ended = Word32()
        init() { word.initialize(to: 0) }
    }

    private static let sleeper: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { context in
        let shared = Unmanaged<Sleepers>.fromOpaque(context!).takeRetainedValue()
        shared.begun.add(1)
        while mapb_load(shared.word) == 0 { mapb_word_wait(shared.word, 0) }
        shared.ended.add(1)
        return nil
    }

    /// A worker's place gets another process while the one that was killed in it still sleeps: that one must not take the wakeup.
    @Test func whoeverSleepsOnAWordOfSharedMemoryIsWoken() {
        let shared = Sleepers()
        var threads: [UInt64] = [0, 0, 0]
        for i in threads.indices {
            #expect(mapb_start_thread(Self.sleeper, Unmanaged.passRetained(shared).toOpaque(), &threads[i]) == 0)
        }
        // Until they sleep, as far as can be told. One that does not yet sees the word.
        while shared.begun.loaded < 3 { mapb_nap() }
        for _ in 0..<20 { mapb_nap() }
        mapb_store(shared.word, 1)
        mapb_word_wake(shared.word)
        for _ in 0..<2000 where shared.ended.loaded < 3 { mapb_nap() }
        #expect(shared.ended.loaded == 3)
        while shared.ended.loaded < 3 { mapb_word_wake(shared.word) }
        threads.forEach(mapb_join_thread)
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
