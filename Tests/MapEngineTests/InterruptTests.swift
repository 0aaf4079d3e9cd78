import CMapBridge
import Testing

@testable import MapEngine

@Suite struct InterruptTests {
    private func pool() throws -> LocalPool { try LocalPool(workers: 1) }

    @Test func onlyALiveNameIsFound() throws {
        let local = try pool()
        let name: UInt = 0x7_0000_0003
        let handle = UnsafeMutableRawPointer(bitPattern: name)
        #expect(mapb_interrupt(handle) == MAPE_E_HANDLE.rawValue)
        local.pool.fixed.interrupts.name(name)
        #expect(mapb_interrupt(handle) == MAPE_OK.rawValue)
        local.pool.fixed.interrupts.name(0)
        #expect(mapb_interrupt(handle) == MAPE_E_HANDLE.rawValue)
        #expect(mapb_interrupt(nil) == MAPE_E_HANDLE.rawValue)
        #expect(mapb_interrupt(UnsafeMutableRawPointer(bitPattern: 1)) == MAPE_E_HANDLE.rawValue)
    }

    /// One that comes before a wait ends it, once; two count as one.
    @Test func anInterruptBeforeTheWaitEndsIt() throws {
        let local = try pool()
        let name: UInt = 0x7_0000_0013
        local.pool.fixed.interrupts.name(name)
        let seen = local.pool.fixed.interrupts.seen
        _ = mapb_interrupt(UnsafeMutableRawPointer(bitPattern: name))
        _ = mapb_interrupt(UnsafeMutableRawPointer(bitPattern: name))
        let came = local.pool.fixed.interrupts.came(since: seen)
        let again = local.pool.fixed.interrupts.came(since: local.pool.fixed.interrupts.seen)
        #expect(came && !again)
        local.pool.fixed.interrupts.name(0)
    }

    @Test func anInterruptChangesTheCounterThatThreadsSleepOn() throws {
        let local = try pool()
        let name: UInt = 0x7_0000_0023
        local.pool.fixed.interrupts.name(name)
        let seen = local.pool.waiters.changes
        _ = mapb_interrupt(UnsafeMutableRawPointer(bitPattern: name))
        #expect(local.pool.waiters.changes != seen)
        local.pool.waiters.sleep(seen, .max)
        local.pool.fixed.interrupts.name(0)
    }

    /// A member of the list is used again: a thousand pools in turn take no more.
    @Test func pastPoolsAreNotFound() throws {
        for round in 0..<20 {
            let local = try pool()
            local.pool.fixed.interrupts.name(UInt(round) << 24 | 0x33)
            #expect(mapb_interrupt(UnsafeMutableRawPointer(bitPattern: UInt(round) << 24 | 0x33)) == MAPE_OK.rawValue)
            if round > 0 {
                #expect(
                    mapb_interrupt(UnsafeMutableRawPointer(bitPattern: UInt(round - 1) << 24 | 0x33))
                        == MAPE_E_HANDLE.rawValue)
            }
        }
    }
}
