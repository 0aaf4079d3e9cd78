// How often values came, by their size, in buckets whose width grows with the value: a log-linear histogram, as HdrHistogram's
// (https://hdrhistogram.github.io/HdrHistogram/). Each power of two is divided into 32 buckets of equal width, so a value that is given as its
// bucket's middle is wrong by at most 1/64 of itself, 1.6 per cent. A bucket's number is the upper bits of the value as a double (IEEE 754): the
// exponent, and below it the five highest bits of the fraction.
//
// An own one of few lines, because the engine has no dependency. Counts are kept from the lowest bucket in use to the highest one; the first
// six buckets stand in the structure itself, so that a short job allocates nothing for it.

struct Histogram {
    private static let shift: UInt64 = 52 - 5
    private static let perOctave = 32

    /// Counts from bucket `first` on. Empty: they are among the few.
    private var counts: [UInt64] = []
    private var first = 0
    /// The few buckets, while they are no more: their numbers, and counts.
    private var fewNumbers = InlineArray<6, Int32>(repeating: 0)
    private var fewCounts = InlineArray<6, UInt64>(repeating: 0)
    private var few = 0
    /// How many values.
    private(set) var total: UInt64 = 0
    private(set) var least = Double.infinity
    private(set) var most = 0.0

    /// Counts `count` values, at least one, of this size; it is above 0 and finite.
    @inline(__always)
    mutating func add(_ value: Double, count: UInt64) {
        let number = Int(truncatingIfNeeded: value.bitPattern >> Self.shift)
        if value < least { least = value }
        if value > most { most = value }
        total &+= count
        let place = number &- first
        if place >= 0 && place < counts.count { counts[place] &+= count } else { addElsewhere(number, count) }
    }

    /// The same for a bucket that has no place among `counts`.
    @inline(never)
    private mutating func addElsewhere(_ number: Int, _ count: UInt64) {
        if counts.isEmpty {
            for i in 0..<few where fewNumbers[i] == Int32(truncatingIfNeeded: number) {
                fewCounts[i] &+= count
                return
            }
            if few < fewNumbers.count {
                fewNumbers[few] = Int32(truncatingIfNeeded: number)
                fewCounts[few] = count
                few += 1
                return
            }
        }
        makeRoom(for: number)
        counts[number - first] += count
    }

    /// Makes room by whole octaves, so that a function whose times change slowly does not need more again and again.
    private mutating func makeRoom(for number: Int) {
        var (low, high) = counts.isEmpty ? (number, number) : (first, first + counts.count - 1)
        for i in 0..<few { (low, high) = (min(low, Int(fewNumbers[i])), max(high, Int(fewNumbers[i]))) }
        low = min(low, number) / Self.perOctave * Self.perOctave
        high = (max(high, number) / Self.perOctave + 1) * Self.perOctave
        var grown = [UInt64](repeating: 0, count: high - low)
        for (i, count) in counts.enumerated() { grown[first + i - low] = count }
        for i in 0..<few { grown[Int(fewNumbers[i]) - low] = fewCounts[i] }
        few = 0
        counts = grown
        first = low
    }

    /// The value that this part of all values do not pass, as the middle of its bucket; 0: there is none.
    /// - part: above 0, and at most 1.
    func quantile(_ part: Double) -> Double {
        let rank = max(1, UInt64((part * Double(total)).rounded(.up)))
        var seen: UInt64 = 0
        for bucket in buckets {
            seen += bucket.count
            if seen >= rank { return min(most, max(least, (bucket.low + bucket.high) / 2)) }
        }
        return 0
    }

    struct Bucket: Equatable {
        /// Values from `low` on, and below `high`.
        let low: Double
        let high: Double
        let count: UInt64
    }

    /// Those that are not empty, smallest values first.
    var buckets: [Bucket] {
        var found: [Bucket] = []
        for i in 0..<few { found.append(bucket(Int(fewNumbers[i]), fewCounts[i])) }
        found.sort { $0.low < $1.low }
        for (i, count) in counts.enumerated() where count > 0 { found.append(bucket(first + i, count)) }
        return found
    }

    private func bucket(_ number: Int, _ count: UInt64) -> Bucket {
        func bound(_ number: Int) -> Double { Double(bitPattern: UInt64(number) << Self.shift) }
        return Bucket(low: bound(number), high: bound(number + 1), count: count)
    }
}
