// A set of workers, by slot.
//
// A bit per slot, and a bit per word that has any: adding, removing and finding cost the same in a pool of two workers and in one of
// 1,024, and going through the members costs as much as there are members. They come in the order of their slots.

import CMapBridge

/// What is done per range is inlined: else the whole set would be copied for each call.
struct SlotSet: Sequence, Equatable {
    private var words = InlineArray<16, UInt64>(repeating: 0)
    /// Bit i: words[i] is not 0.
    private var used: UInt32 = 0
    private(set) var count = 0

    var isEmpty: Bool { used == 0 }

    @inline(__always)
    func contains(_ slot: Int) -> Bool { words[slot >> 6] & (1 << UInt64(slot & 63)) != 0 }

    @inline(__always)
    mutating func insert(_ slot: Int) {
        let bit: UInt64 = 1 << UInt64(slot & 63)
        let word = words[slot >> 6]
        if word & bit != 0 { return }
        words[slot >> 6] = word | bit
        used |= 1 << UInt32(slot >> 6)
        count += 1
    }

    @inline(__always)
    mutating func remove(_ slot: Int) {
        let bit: UInt64 = 1 << UInt64(slot & 63)
        let word = words[slot >> 6]
        if word & bit == 0 { return }
        words[slot >> 6] = word & ~bit
        if word == bit { used &= ~(1 << UInt32(slot >> 6)) }
        count -= 1
    }

    /// Makes a slot a member, or none.
    @inline(__always)
    mutating func set(_ slot: Int, _ isMember: Bool) {
        if isMember { insert(slot) } else { remove(slot) }
    }

    mutating func removeAll() { self = SlotSet() }

    /// The lowest member.
    @inline(__always)
    var first: Int? {
        if used == 0 { return nil }
        let word = used.trailingZeroBitCount
        return word << 6 | words[word].trailingZeroBitCount
    }

    /// The lowest member above `slot`: for going through a set that changes meanwhile.
    @inline(__always)
    func next(after slot: Int) -> Int? {
        let place = slot >> 6
        let above = words[place] & (~1 << UInt64(slot & 63))
        if above != 0 { return place << 6 | above.trailingZeroBitCount }
        let rest = used & (~1 << UInt32(place))
        if rest == 0 { return nil }
        let word = rest.trailingZeroBitCount
        return word << 6 | words[word].trailingZeroBitCount
    }

    /// The lowest member above `slot` that is one of the other's too; from the first on: above -1.
    @inline(__always)
    func next(after slot: Int, in other: SlotSet) -> Int? {
        var place = (slot + 1) >> 6
        var mask: UInt64 = ~0 << UInt64((slot + 1) & 63)
        while place < 16 {
            let both = words[place] & other.words[place] & mask
            if both != 0 { return place << 6 | both.trailingZeroBitCount }
            mask = ~0
            place += 1
        }
        return nil
    }

    /// Whether a member of this is none of the other's.
    @inline(__always)
    func hasMember(notIn other: SlotSet) -> Bool {
        var rest = used
        while rest != 0 {
            let word = rest.trailingZeroBitCount
            if words[word] & ~other.words[word] != 0 { return true }
            rest &= rest - 1
        }
        return false
    }

    static func == (a: SlotSet, b: SlotSet) -> Bool {
        guard a.used == b.used, a.count == b.count else { return false }
        for i in 0..<16 where a.words[i] != b.words[i] { return false }
        return true
    }

    /// Goes through the members as they were when it was made.
    struct Iterator: IteratorProtocol {
        fileprivate var set: SlotSet
        fileprivate var word = 0
        fileprivate var bits: UInt64 = 0

        mutating func next() -> Int? {
            if bits == 0 {
                if set.used == 0 { return nil }
                word = set.used.trailingZeroBitCount
                set.used &= set.used - 1
                bits = set.words[word]
            }
            let bit = bits.trailingZeroBitCount
            bits &= bits - 1
            return word << 6 | bit
        }
    }

    func makeIterator() -> Iterator { Iterator(set: self) }
    var underestimatedCount: Int { count }
}
