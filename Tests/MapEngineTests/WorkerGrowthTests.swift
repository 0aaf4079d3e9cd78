// A worker looks at its own size now and then, and says when it has grown; the size is the test process's.

import CMapBridge
import Glibc
import Testing

@testable import MapEngine

@Suite struct WorkerGrowthTests {
    /// Runs `body` with a task whose reply is at hand.
    private func withTask(
        growth: UInt64, _ body: (UnsafeMutablePointer<mape_task>, UnsafeMutablePointer<mapb_reply>) -> Void
    ) throws {
        let bench = try Bench()
        let reply = mapb_reply_at(bench.region.base, 1)!
        reply.pointee.flags = 0
        bench.task.pointee.reply = reply
        bench.task.pointee.growth = growth
        body(bench.task, reply)
        withExtendedLifetime(bench) {}
    }

    private func hasGrown(_ reply: UnsafeMutablePointer<mapb_reply>) -> Bool {
        reply.pointee.flags & MAPB_REPLY_GROWN.rawValue != 0
    }

    @Test func privateMemoryIsSeenAndSharedIsNot() throws {
        let before = mapb_private_bytes()
        #expect(before > 0)
        let count = 64 << 20
        let memory = mmap(nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
        memset(memory, 1, count)
        #expect(mapb_private_bytes() > before + 32 << 20)
        munmap(memory, count)
        let shared = mmap(nil, count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)!
        memset(shared, 1, count)
        #expect(mapb_private_bytes() < before + 32 << 20)
        munmap(shared, count)
    }

    @Test func growthBeyondTheLimitIsTold() throws {
        try withTask(growth: 1 << 20) { task, reply in
            growthBegin(WorkerTask(task))
            #expect(task.pointee.grown_from > 2 << 20)
            task.pointee.grown_from -= 2 << 20
            growthCheck(WorkerTask(task), .max)
            #expect(hasGrown(reply))
        }
    }

    @Test func growthWithinTheLimitIsNot() throws {
        try withTask(growth: 1 << 40) { task, reply in
            growthBegin(WorkerTask(task))
            growthCheck(WorkerTask(task), .max)
            #expect(!hasGrown(reply))
        }
    }

    @Test func itLooksNoMoreOftenThanItMay() throws {
        try withTask(growth: 1) { task, reply in
            growthBegin(WorkerTask(task))
            let next = task.pointee.grown_look
            task.pointee.grown_from = 1
            growthCheck(WorkerTask(task), next - 1)
            #expect(!hasGrown(reply))
            growthCheck(WorkerTask(task), next)
            #expect(hasGrown(reply))
            #expect(task.pointee.grown_look == next + growthInterval())
            // The first size stays the one that counts.
            growthBegin(WorkerTask(task))
            #expect(task.pointee.grown_from == 1)
        }
    }

    @Test func whatASetupTakesIsNoGrowth() throws {
        try withTask(growth: 1 << 20) { task, _ in
            #expect(growthSetupBegins(WorkerTask(task)) == 0, "nothing is noted before the first item")
            growthBegin(WorkerTask(task))
            let from = task.pointee.grown_from
            let before = growthSetupBegins(WorkerTask(task))
            #expect(before > 0)
            growthSetupEnded(WorkerTask(task), before - 4096)
            #expect(task.pointee.grown_from >= from + 4096)
        }
    }
}
