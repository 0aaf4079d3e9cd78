import Testing

@testable import MapEngine

@Suite struct HistogramTests {
    /// Numbers from a seed: the same in every run.
    struct Random: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ state >> 33
        }
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64])
    func quantilesAreWithinOneSixtyFourth(seed: UInt64) {
        var random = Random(state: seed)
        // From below a nanosecond to hours, or all within one octave.
        let octaves = seed % 2 == 0 ? 45.0 : 1.0
        var histogram = Histogram()
        var exact: [Double] = []
        for _ in 0..<2000 {
            let value = 0.3 * (Double.random(in: 0..<octaves, using: &random) * 0.6931).exponential
            let count = UInt64.random(in: 1...20, using: &random)
            histogram.add(value, count: count)
            exact += [Double](repeating: value, count: Int(count))
        }
        exact.sort()
        #expect(histogram.total == UInt64(exact.count))
        #expect(histogram.least == exact.first && histogram.most == exact.last)
        for part in [0.001, 0.1, 0.25, 0.5, 0.9, 0.99, 0.999, 1] {
            let right = exact[max(1, Int((part * Double(exact.count)).rounded(.up))) - 1]
            #expect(abs(histogram.quantile(part) - right) <= right / 64, "\(part) of seed \(seed)")
        }
    }

    @Test func bucketsHoldEachValueOnceAndDoNotOverlap() {
        var random = Random(state: 11)
        var histogram = Histogram()
        var values: [Double] = []
        for _ in 0..<500 {
            values.append(Double.random(in: 1...1_000_000, using: &random))
            histogram.add(values.last!, count: 1)
        }
        let buckets = histogram.buckets
        for (bucket, next) in zip(buckets, buckets.dropFirst()) { #expect(bucket.high <= next.low) }
        for bucket in buckets {
            #expect(bucket.count == UInt64(values.filter { $0 >= bucket.low && $0 < bucket.high }.count))
            #expect(bucket.high - bucket.low <= bucket.low / 32)
        }
        #expect(buckets.reduce(0) { $0 + $1.count } == 500)
    }

    @Test func oneSizeIsExactAndNoneIsZero() {
        var histogram = Histogram()
        #expect(histogram.quantile(0.5) == 0 && histogram.buckets.isEmpty)
        histogram.add(1000, count: 3)
        histogram.add(1000, count: 4)
        #expect(histogram.quantile(0.01) == 1000 && histogram.quantile(1) == 1000)
        #expect(histogram.buckets.map(\.count) == [7])
    }

    /// The places grow downwards and upwards, and what was counted stays.
    @Test func valuesMayComeInAnyOrder() {
        var histogram = Histogram()
        let values: [Double] = [1e6, 1e3, 1e9, 1, 1e12, 0.01, 1e6]
        for value in values { histogram.add(value, count: 1) }
        #expect(histogram.buckets.map(\.count) == [1, 1, 1, 2, 1, 1])
        #expect(histogram.quantile(1) == 1e12 && histogram.least == 0.01)
        #expect(abs(histogram.quantile(0.5) - 1e6) <= 1e6 / 64)
    }
}

extension Double {
    /// e to this power.
    fileprivate var exponential: Double {
        // Halved until the series is short, squared as often.
        var term = 1.0, sum = 1.0
        let small = self / 1024
        for n in 1...12 {
            term *= small / Double(n)
            sum += term
        }
        for _ in 0..<10 { sum *= sum }
        return sum
    }
}
