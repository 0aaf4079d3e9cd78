// Places of the host's memory by base, count, stride and size: those that can be there, and those that pass an end of the addresses.

import CMapBridge
import Testing

@testable import MapEngine

@Suite struct AddressRangeTests {
    static let end = UInt(mapb_common_end)

    struct Row: Sendable, CustomTestStringConvertible {
        let base: UInt
        let count: UInt64
        let stride: Int
        let size: UInt64
        /// Nil: it cannot be.
        let range: (start: UInt, bytes: UInt64)?
        var testDescription: String { "0x\(String(base, radix: 16)), \(count) of \(size), \(stride) apart" }
    }

    static func row(_ base: UInt, _ count: UInt64, _ stride: Int, _ size: UInt64, _ start: UInt?, _ bytes: UInt64 = 0)
        -> Row
    {
        Row(base: base, count: count, stride: stride, size: size, range: start.map { ($0, bytes) })
    }

    static let here: UInt = 0x5555_0000_0000
    static let rows = [
        row(here, 0, .max, .max, here, 0),
        row(here, 1, 0, 8, here, 8),
        row(here, 1, .max, 8, here, 8),
        row(here, 1, .min, 8, here, 8),
        row(here, 3, 8, 8, here, 24),
        row(here, 3, -8, 8, here - 16, 24),
        row(here, .max, 0, 8, here, 8),
        row(here, 3, 4, 8, here, 16),
        // Up to the very end, and a byte beyond.
        row(end - 24, 3, 8, 8, end - 24, 24),
        row(end - 23, 3, 8, 8, nil),
        row(end - 8, 3, -8, 8, end - 24, 24),
        row(end - 7, 3, -8, 8, nil),
        row(end - 8, 1, 0, 8, end - 8, 8),
        row(end - 8, 1, 0, 9, nil),
        row(end - 8, 2, 1, 8, nil),
        // Down to the very beginning, and a byte below.
        row(16, 3, -8, 8, 0, 24),
        row(15, 3, -8, 8, nil),
        // As far as numbers go.
        row(here, 3, 1 << 47, 8, nil),
        row(here, 3, 1 << 48, 8, nil),
        row(here, 3, 1 << 61, 8, nil),
        row(here, 3, .max, 8, nil),
        row(here, 2, .max, 8, nil),
        row(here, 2, .min, 8, nil),
        row(here, 3, .min, 8, nil),
        row(here, 3, -(1 << 47), 8, nil),
        row(here, .max, 8, 8, nil),
        row(here, .max, -8, 8, nil),
        row(here, .max, 1, 1, nil),
        row(here, 1, 0, .max, nil),
        row(here, 1, 0, 1 << 63, nil),
        row(here, 1, 0, UInt64(Int64.max), nil),
        row(here, 1 << 61, 8, 8, nil),
        row(.max, 1, 0, 1, nil),
        row(.max - 7, 1, 0, 8, nil),
        row(.max - 7, 2, 8, 8, nil),
        row(UInt(bitPattern: .min), 1, 0, 1, nil),
        // No bytes are never touched.
        row(here, 3, 1 << 60, 0, here, 2 << 60),
        row(.max, 1, 0, 0, .max, 0),
    ]

    @Test(arguments: rows) func what(row: Row) {
        #if arch(arm64)
            // The uppermost byte is no part of the address.
            if row.base > AddressSpace.untagged(row.base), row.range == nil { return }
        #endif
        let range = AddressRange(row.base, count: row.count, stride: row.stride, size: row.size)
        #expect(range?.start == row.range?.start)
        #expect(range?.bytes == row.range?.bytes)
    }

    /// Against sums that cannot overflow, for numbers near all the borders.
    @Test(arguments: seeds) func randomOnesAgreeWithWideArithmetic(seed: UInt64) {
        var random = SeededRandom(seed)
        let borders: [Int128] = [
            0, 1, 8, 4096, 1 << 32, 1 << 40, 1 << 46, Int128(Self.end), 1 << 47, 1 << 48, 1 << 61, 1 << 62, 1 << 63,
        ]
        func some(_ low: Int128, _ high: Int128) -> Int128 {
            let value = borders.randomElement(using: &random)! + Int128(Int.random(in: -9...9, using: &random))
            return min(max(random.chance(50) ? value : value / 2, low), high)
        }
        for _ in 0..<5000 {
            let base = some(0, Int128(Self.end) - 1)
            let count = some(1, Int128(UInt64.max))
            let stride = some(0, Int128(Int.max)) * (random.chance(50) ? 1 : -1)
            let size = some(1, Int128(UInt64.max))
            let last = base + (stride == 0 ? 0 : count - 1) * stride
            let low = min(base, last)
            let high = max(base, last) + size
            let fits = low >= 0 && high <= Int128(Self.end)
            let range = AddressRange(UInt(base), count: UInt64(count), stride: Int(stride), size: UInt64(size))
            #expect((range != nil) == fits, "\(base) \(count) \(stride) \(size)")
            if let range { #expect(Int128(range.start) == low && Int128(range.bytes) == high - low) }
        }
    }

    @Test func theEndIsThatOfTheKernel() {
        var call: UnsafePointer<CChar>?
        #expect(mapb_remember_host(&call) == 0)
        #expect(mapb_address_end_now() >= mapb_common_end)
        // What this process has lies below.
        var here = 0
        withUnsafePointer(to: &here) { #expect(AddressSpace.holds(UInt(bitPattern: $0), 8)) }
        #expect(AddressSpace.holds(0, UInt64(Self.end)) && !AddressSpace.holds(0, UInt64(Self.end) + 1))
    }
}
