import CMapBridge
import Testing

@testable import MapEngine

@Suite struct JobGatherTests {
    /// Ten items: 0 to 3 have 4 bytes each, 4 crashed, 5 to 7 are described by a table (6 failed), 8 and 9 are empty.
    static func mixed() throws -> Job {
        let job = try bareJob(10)
        let results = try Regional()
        _ = job.nextRange(10)
        job.end(try results.segment(first: 0, count: 4, size: 4), ok: 4, failed: 0, now: 0)
        job.end(Segment(first: 4, count: 1, outcome: .crashed()), ok: 0, failed: 0, now: 0)
        let tabled = try results.segment(first: 5, count: 3, size: 4)
        let base = tabled.base
        let table = EntryTable()
        table.failures = [Outcome(MAPE_ITEM_FAILED, MAPE_CAUSE_FUNCTION, code: 7, "no surface")]
        table.entries = [
            Entry(offset: base, size: 4, failure: -1), Entry(offset: 0, size: 0, failure: 0),
            Entry(offset: base + 8, size: 2, failure: -1),
        ]
        job.end(Segment(first: 5, count: 3, store: tabled.store, table: table), ok: 2, failed: 1, now: 0)
        job.end(try results.segment(first: 8, count: 2, size: 0), ok: 2, failed: 0, now: 0)
        return job
    }

    static func gather(_ job: Job, size: Int, stride: UInt64) throws -> (bytes: [UInt8], missing: UInt64) {
        var target = [UInt8](repeating: 0xee, count: size + 1)
        let missing = try target.withUnsafeMutableBytes {
            try job.pinResults().gather(into: $0.baseAddress!, size: UInt64(size), stride: stride)
        }
        job.unpinResults()
        #expect(target.last == 0xee, "nothing is written beyond the array")
        return (Array(target.dropLast()), missing)
    }

    @Test(arguments: [4, 5, 16] as [UInt64])
    func resultsLieAtTheirStrideAndOtherPlacesStay(stride: UInt64) throws {
        let (bytes, missing) = try Self.gather(try Self.mixed(), size: Int(stride) * 10, stride: stride)
        #expect(missing == 2)
        var wanted = [UInt8](repeating: 0xee, count: Int(stride) * 10)
        for (item, size) in [(0, 4), (1, 4), (2, 4), (3, 4), (5, 4), (7, 2)] {
            for k in 0..<size { wanted[item * Int(stride) + k] = UInt8(item) }
        }
        #expect(bytes == wanted)
    }

    @Test func aTableIsReadLineByLine() throws {
        let segment = try #require(try Self.mixed().segment(holding: 6))
        let failed = readResult(segment, 1)
        #expect(
            failed.state == MAPE_ITEM_FAILED.rawValue && failed.cause == MAPE_CAUSE_FUNCTION.rawValue
                && failed.code == 7)
        #expect(String(cString: failed.message) == "no surface")
        #expect(failed.data == nil && failed.size == 0)
        #expect(bytes(readResult(segment, 2)) == [7, 7])
    }

    @Test(arguments: [0, 1, 3] as [UInt64])
    func aStrideBelowAResultsSizeIsAnOverflow(stride: UInt64) throws {
        let error = mapError { try Self.gather(try Self.mixed(), size: 1000, stride: stride) }
        #expect(error?.status == MAPE_E_OVERFLOW.rawValue)
        #expect(error?.message.contains("stride is \(stride)") == true)
    }

    @Test(arguments: [0, 3, 15, 29])
    func anArrayTooSmallIsAnOverflow(size: Int) throws {
        let error = mapError { try Self.gather(try Self.mixed(), size: size, stride: 4) }
        #expect(error?.status == MAPE_E_OVERFLOW.rawValue)
        #expect(error?.message.contains("dst_size is \(size)") == true)
    }

    @Test func theLastPlaceNeedsNoRoomBeyondItsResult() throws {
        let job = try bareJob(3)
        _ = job.nextRange(3)
        job.end(try Regional().segment(first: 0, count: 3, size: 4), ok: 3, failed: 0, now: 0)
        #expect(throws: Never.self) { try Self.gather(job, size: 2 * 100 + 4, stride: 100) }
        #expect(mapError { try Self.gather(job, size: 2 * 100 + 3, stride: 100) }?.status == MAPE_E_OVERFLOW.rawValue)
    }

    @Test(arguments: [UInt64.max, UInt64.max / 2, 1 << 63, (UInt64.max / 9) + 1])
    func aStrideThatPassesTheEndOfMemoryIsAnOverflow(stride: UInt64) throws {
        let error = mapError { try Self.gather(try Self.mixed(), size: 1000, stride: stride) }
        #expect(error?.status == MAPE_E_OVERFLOW.rawValue)
    }

    @Test func aJobWithoutItemsNeedsNoArray() throws {
        #expect(try Self.gather(try bareJob(0), size: 0, stride: 0).missing == 0)
    }

    @Test func allItemsMayBeMissing() throws {
        let job = try bareJob(5)
        job.endWaiting(.cancelled(), now: 0)
        let (bytes, missing) = try Self.gather(job, size: 20, stride: 4)
        #expect(missing == 5)
        #expect(bytes.allSatisfy { $0 == 0xee })
    }
}
