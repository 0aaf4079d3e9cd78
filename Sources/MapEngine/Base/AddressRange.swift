// Whether memory of the host, described by address, count, stride and size, can exist at all.
//
// Only touching memory shows whether it is mapped. But a range that passes the end of the addresses that a process can
// have is MAPE_E_OVERFLOW without touching it.

import CMapBridge

/// The addresses that this process can have: host_address.c.
enum AddressSpace {
    /// On AArch64 the uppermost byte may hold a tag, which the processor ignores.
    static func untagged(_ address: UInt) -> UInt {
        #if arch(arm64)
            return address & 0x00ff_ffff_ffff_ffff
        #else
            return address
        #endif
    }

    /// Where what begins at an address has to end. Nothing lies across the end of the common addresses: the kernel hands out what is
    /// above only to those who name such an address.
    static func end(from address: UInt) -> UInt {
        let common = UInt(mapb_common_end)
        return untagged(address) < common ? common : UInt(mapb_address_end_now())
    }

    /// Whether so many bytes can lie at an address.
    @inline(__always)
    static func holds(_ address: UInt, _ size: UInt64) -> Bool {
        let start = untagged(address)
        let end = end(from: address)
        return start <= end && size <= UInt64(end - start)
    }
}

/// What `count` places of `size` bytes, `stride` bytes apart, cover.
struct AddressRange: Equatable {
    /// The lowest address.
    let start: UInt
    /// From there to the end of the highest place.
    let bytes: UInt64

    /// Nil: it passes the end of the address space, or its beginning. Places of no bytes are never touched, so they can lie anywhere.
    init?(_ base: UInt, count: UInt64, stride: Int, size: UInt64) {
        guard count > 0 else {
            start = base
            bytes = 0
            return
        }
        let (distance, over) = (stride == 0 ? 0 : count - 1).multipliedReportingOverflow(by: UInt64(stride.magnitude))
        let (bytes, over2) = distance.addingReportingOverflow(size)
        guard !over, !over2, bytes <= UInt64(Int64.max) else { return nil }
        start = stride < 0 ? base &- UInt(distance) : base
        self.bytes = bytes
        if size == 0 { return }
        // Below the base, as far as there are addresses.
        if stride < 0, UInt64(AddressSpace.untagged(base)) < distance { return nil }
        guard AddressSpace.holds(base, size), AddressSpace.holds(start, bytes) else { return nil }
    }
}

/// The error for memory that cannot exist.
func pastTheEnd(_ what: String) -> MapError {
    MapError(MAPE_E_OVERFLOW, "\(what) would pass the end of the address space: more than memory can hold")
}

/// Sees that `size` bytes of an argument can lie at an address, which is never followed. NULL is the caller's to judge.
@safe func checkRange(_ address: UnsafeRawPointer?, _ size: UInt64, _ what: @autoclosure () -> String) throws(MapError)
{
    guard let address = unsafe address, size > 0 else { return }
    guard AddressSpace.holds(UInt(bitPattern: address), size) else { throw pastTheEnd(what()) }
}

/// Sees that an array of structures can lie where it is said to. It is not looked at.
@safe func checkArray<T>(_ array: UnsafePointer<T>?, _ count: UInt64, _ name: String) throws(MapError) {
    guard let array = unsafe array else { return }
    guard AddressRange(UInt(bitPattern: array), count: count, stride: MemoryLayout<T>.stride, size: 1) != nil else {
        throw pastTheEnd("\(name): \(count) of them")
    }
}
