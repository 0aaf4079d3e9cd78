// A function that is unregistered, in a pool without processes.

import CMapBridge
import Testing

@testable import MapEngine

@Suite struct UnregisterTests {
    @Test func withoutJobsItsCleanupIsSentAtOnce() throws {
        let local = try LocalPool(workers: 2)
        let id = local.function.id
        let line = local.function.line
        try local.pool.core.with { try $0.unregister(id) }
        #expect(throws: MapError.self) { try local.core.function(id) }
        #expect(throws: MapError.self) { try local.pool.core.with { try $0.unregister(id) } }
        #expect(local.function.life.owed == 2 && local.core.functions.isEmpty)
        try local.settle()
        #expect(local.function.life.owed == 0 && !local.worker(0).isPrepared(line))
        #expect(local.core.registry.functions.next.line == line)
    }

    @Test func jobsFromBeforeRunToTheirEndFirst() throws {
        let local = try LocalPool(workers: 2)
        let job = try local.submit(100)
        try local.pool.core.with { try $0.unregister(local.function.id) }
        #expect(local.function.life.stage == .closed && local.core.functions.count == 1)
        try local.settle()
        #expect(job.isDone && local.function.life.stage == .leaving && local.function.life.owed == 0)
        for index in 0..<UInt64(100) { local.expectDone(job, index) }
    }

    @Test func aWorkerThatDiesOwesNothing() throws {
        let local = try LocalPool(workers: 2)
        try local.pool.core.with { try $0.unregister(local.function.id) }
        local.pool.core.with { $0.died(local.worker(1), .status(9)) }
        #expect(local.function.life.owed == 1)
        local.pool.core.with { $0.died(local.worker(0), .status(9)) }
        #expect(local.function.life.owed == 0)
    }

    @Test func memoryIsFreed() throws {
        let local = try LocalPool(workers: 1)
        let before = local.core.input.used
        for _ in 0..<50 {
            local.core.life.stage = .created
            let id = try local.pool.register(describe(run: scripted))
            local.core.life.stage = .running
            let function = try local.core.function(id)
            local.pool.core.with { $0.send(local.worker(0), .setup(function, nil)) }
            try local.settle()
            try local.pool.core.with { try $0.unregister(id) }
            try local.settle()
        }
        #expect(local.core.input.used == before)
        #expect(local.core.registry.functions.count == 2)
    }
}
