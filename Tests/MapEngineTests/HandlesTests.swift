import CMapBridge
import Testing

@testable import MapEngine

@Suite struct HandlesTests {
    static let kinds: [Handles.Kind] = [.pool, .job, .buffer]

    static func somePool() throws -> Pool {
        var config = mape_pool_config()
        config.struct_size = MemoryLayout<mape_pool_config>.size
        config.workers = 1
        config.input_reserve = 1 << 20
        return try Pool(PoolConfig(config))
    }

    @Test func aLiveHandleLeadsToItsPool() throws {
        let handles = Handles()
        let one = try Self.somePool()
        let other = try Self.somePool()
        let a = handles.add(.pool, one)
        let b = handles.add(.job, other)
        #expect(handles.owner(of: a, .pool) === one)
        #expect(handles.owner(of: b, .job) === other)
    }

    @Test func aReleasedHandleIsKnownAsSuch() throws {
        let handles = Handles()
        let handle = handles.add(.job, try Self.somePool())
        handles.remove(handle)
        #expect(handles.owner(of: handle, .job) == nil)
        // Releasing it again changes nothing.
        handles.remove(handle)
        let next = handles.add(.job, try Self.somePool())
        handles.remove(handle)
        #expect(handles.owner(of: next, .job) != nil)
    }

    @Test func aPlaceThatIsUsedAgainHasAnotherHandle() throws {
        let handles = Handles()
        let pool = try Self.somePool()
        var seen: Set<UInt> = []
        for _ in 0..<1000 {
            let handle = handles.add(.job, pool)
            #expect(seen.insert(handle).inserted)
            handles.remove(handle)
        }
        for handle in seen { #expect(handles.owner(of: handle, .job) == nil) }
    }

    @Test(arguments: kinds, kinds)
    func aHandleOfAnotherKindIsRefused(made: Handles.Kind, asked: Handles.Kind) throws {
        let handles = Handles()
        let handle = handles.add(made, try Self.somePool())
        #expect((handles.owner(of: handle, asked) != nil) == (made == asked))
    }

    @Test(arguments: kinds, kinds)
    func aHandleWhoseKindWasForgedIsRefused(made: Handles.Kind, forged: Handles.Kind) throws {
        guard made != forged else { return }
        let handles = Handles()
        let handle = handles.add(made, try Self.somePool())
        #expect(handles.owner(of: handle & ~0xf | forged.rawValue, forged) == nil)
    }

    @Test(arguments: seeds)
    func randomNumbersAreNoHandles(seed: UInt64) throws {
        var random = SeededRandom(seed)
        let handles = Handles()
        let pool = try Self.somePool()
        let live = Set((0..<50).map { _ in handles.add(.job, pool) })
        for _ in 0..<20_000 {
            // Every second one has the low bits of a live handle, or some of its bits turned.
            var number = UInt(random.next())
            if random.chance(50) { number = number << 24 | live.first! & 0xffffff }
            if random.chance(20) { number = live.first! ^ (1 << UInt.random(in: 4..<64, using: &random)) }
            if live.contains(number) { continue }
            for kind in Self.kinds { #expect(handles.owner(of: number, kind) == nil) }
            handles.remove(number)
        }
        for handle in live { #expect(handles.owner(of: handle, .job) === pool) }
    }

    @Test func handlesAreNeitherNullNorAligned() throws {
        let handles = Handles()
        let pool = try Self.somePool()
        for kind in Self.kinds {
            let handle = handles.add(kind, pool)
            #expect(handle != 0)
            // So that following one by mistake shows as such in tools.
            #expect(handle % 2 == 1)
        }
    }

    @Test func aRemovedHandleLetsGoOfItsPool() throws {
        let handles = Handles()
        weak var pool: Pool?
        var handle: UInt = 0
        do {
            let made = try Self.somePool()
            pool = made
            handle = handles.add(.pool, made)
        }
        #expect(pool != nil)
        handles.remove(handle)
        #expect(pool == nil)
    }
}
