// The layout that host and workers share, as Swift sees it.

import CMapBridge
import Testing

@testable import MapEngine

@Suite struct LayoutTests {
    @Test func requestsRepliesAndEntriesHaveTheSizesOfTheLayout() {
        #expect(MemoryLayout<mapb_pool_head>.size == 128)
        #expect(MemoryLayout<mapb_request>.stride == 64)
        #expect(MemoryLayout<mapb_reply>.stride == 64)
        #expect(MemoryLayout<mapb_entry>.stride == 16)
        #expect(MemoryLayout<mapb_failure>.size == 32)
        #expect(MemoryLayout<mapb_span>.stride == 16)
        #expect(MemoryLayout<mapb_message_head>.size == 8)
        #expect(MemoryLayout<mapb_outbox>.size == 256)
        #expect(MemoryLayout<mapb_inbox>.size <= Int(MAPB_INBOX_BYTES))
        #expect(MemoryLayout<mapb_job>.size % 64 == 0, "spans and items follow the record at the next cache line")
    }

    @Test func wordsOfDifferentWritersLieInDifferentCacheLines() throws {
        let doorbell = try #require(MemoryLayout<mapb_pool_head>.offset(of: \.doorbell))
        #expect(doorbell == 64)
        let tail = try #require(MemoryLayout<mapb_outbox>.offset(of: \.tail))
        let current = try #require(MemoryLayout<mapb_outbox>.offset(of: \.current))
        let sleeping = try #require(MemoryLayout<mapb_outbox>.offset(of: \.sleeping))
        let message = try #require(MemoryLayout<mapb_outbox>.offset(of: \.message_tail))
        #expect(Set([tail, current, sleeping, message].map { $0 / 64 }).count == 4)
    }

    @Test func ringsArePowersOfTwoAndDoNotOverlap() {
        #expect(MAPB_RING.nonzeroBitCount == 1)
        #expect(MAPB_MESSAGES.nonzeroBitCount == 1)
        #expect(MemoryLayout<mapb_outbox>.size <= Int(MAPB_REPLIES_OFFSET))
        #expect(Int(MAPB_REPLIES_OFFSET) + Int(MAPB_RING) * 64 <= Int(MAPB_MESSAGES_OFFSET))
        #expect(MAPB_MESSAGES_OFFSET + MAPB_MESSAGES <= MAPB_CRASH_OFFSET)
        #expect(Int(MAPB_CRASH_OFFSET) + MemoryLayout<mapb_crash>.size <= Int(MAPB_RESULTS_OFFSET))
        #expect(MAPB_RESULTS_OFFSET % 4096 == 0)
        #expect(UInt64(MAPB_RESULTS_OFFSET) < Policy.leastReserve)
    }

    @Test(arguments: [1, 2, 63, 64, 65, 128, 1 << 40] as [UInt64])
    func aTicketsRequestAndReplyLieInTheirRings(ticket: UInt64) throws {
        let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: Int(MAPB_RESULTS_OFFSET))
        defer { memory.deallocate() }
        let at = Int((ticket - 1) % UInt64(MAPB_RING))
        let inbox = try #require(mapb_inbox_at(memory, 0))
        let request = try #require(mapb_request_at(inbox, ticket))
        #expect(UnsafeRawPointer(request) - UnsafeRawPointer(inbox) == 192 + at * 64)
        let reply = try #require(mapb_reply_at(memory, ticket))
        #expect(UnsafeRawPointer(reply) - UnsafeRawPointer(memory) == Int(MAPB_REPLIES_OFFSET) + at * 64)
    }

    @Test func largestRangesFitIntoTheLayoutsWords() {
        #expect(Policy.largestRange < UInt64(MAPB_MARK_RANGE) - 1)
        #expect(Policy.largestRange < 1 << 31)
    }

    /// The published test vectors of FNV-1a.
    @Test(
        arguments: [("", 0xcbf2_9ce4_8422_2325), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8)]
            as [(String, UInt64)])
    func namesOfGlobalsAreHashedAsFnv(text: String, hash: UInt64) { #expect(mapb_hash(text) == hash) }
}
