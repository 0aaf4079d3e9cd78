// The numbers of C's mape_task, which says what each is, under Swift's names.

import CMapBridge

extension WorkerTask {
    var globals: UInt64 {
        @_noLocks @inline(__always) get { fields.globals }
        @_noLocks @inline(__always) nonmutating set { fields.globals = newValue }
    }
    var holeCursor: UInt64 {
        @_noLocks @inline(__always) get { fields.hole_cursor }
        @_noLocks @inline(__always) nonmutating set { fields.hole_cursor = newValue }
    }
    var holeLimit: UInt64 {
        @_noLocks @inline(__always) get { fields.hole_limit }
        @_noLocks @inline(__always) nonmutating set { fields.hole_limit = newValue }
    }
    var wildCursor: UInt64 {
        @_noLocks @inline(__always) get { fields.frontier_cursor }
        @_noLocks @inline(__always) nonmutating set { fields.frontier_cursor = newValue }
    }
    var frontierLimit: UInt64 {
        @_noLocks @inline(__always) get { fields.frontier_limit }
        @_noLocks @inline(__always) nonmutating set { fields.frontier_limit = newValue }
    }
    var ticket: UInt64 {
        @_noLocks @inline(__always) get { fields.ticket }
        @_noLocks @inline(__always) nonmutating set { fields.ticket = newValue }
    }
    var crowdedAt: Int64 {
        @_noLocks @inline(__always) get { fields.crowded_at }
        @_noLocks @inline(__always) nonmutating set { fields.crowded_at = newValue }
    }
    var bellEpoch: UInt64 {
        @_noLocks @inline(__always) get { fields.bell_epoch }
        @_noLocks @inline(__always) nonmutating set { fields.bell_epoch = newValue }
    }
    var first: UInt64 {
        @_noLocks @inline(__always) get { fields.first }
        @_noLocks @inline(__always) nonmutating set { fields.first = newValue }
    }
    var count: UInt64 {
        @_noLocks @inline(__always) get { fields.count }
        @_noLocks @inline(__always) nonmutating set { fields.count = newValue }
    }
    var part: UInt64 {
        @_noLocks @inline(__always) get { fields.part }
        @_noLocks @inline(__always) nonmutating set { fields.part = newValue }
    }
    var partCount: UInt64 {
        @_noLocks @inline(__always) get { fields.part_count }
        @_noLocks @inline(__always) nonmutating set { fields.part_count = newValue }
    }
    var position: UInt64 {
        @_noLocks @inline(__always) get { fields.position }
        @_noLocks @inline(__always) nonmutating set { fields.position = newValue }
    }
    var ended: UInt64 {
        @_noLocks @inline(__always) get { fields.ended }
        @_noLocks @inline(__always) nonmutating set { fields.ended = newValue }
    }
    var result: UInt64 {
        @_noLocks @inline(__always) get { fields.result }
        @_noLocks @inline(__always) nonmutating set { fields.result = newValue }
    }
    var resultSize: UInt64 {
        @_noLocks @inline(__always) get { fields.result_size }
        @_noLocks @inline(__always) nonmutating set { fields.result_size = newValue }
    }
    var slot: UInt32 {
        @_noLocks @inline(__always) get { fields.slot }
        @_noLocks @inline(__always) nonmutating set { fields.slot = newValue }
    }
    var mode: UInt32 {
        @_noLocks @inline(__always) get { fields.mode }
        @_noLocks @inline(__always) nonmutating set { fields.mode = newValue }
    }
    var pid: Int32 {
        @_noLocks @inline(__always) get { fields.pid }
    }
    var entered: UInt32 {
        @_noLocks @inline(__always) get { fields.entered }
        @_noLocks @inline(__always) nonmutating set { fields.entered = newValue }
    }
    var failCode: Int32 {
        @_noLocks @inline(__always) get { fields.fail_code }
        @_noLocks @inline(__always) nonmutating set { fields.fail_code = newValue }
    }
    var failSize: UInt32 {
        @_noLocks @inline(__always) get { fields.fail_size }
        @_noLocks @inline(__always) nonmutating set { fields.fail_size = newValue }
    }
    var failPlace: UInt64 {
        @_noLocks @inline(__always) get { fields.fail_place }
        @_noLocks @inline(__always) nonmutating set { fields.fail_place = newValue }
    }
    var stoppedAt: UInt64 {
        @_noLocks @inline(__always) get { fields.stopped_at }
        @_noLocks @inline(__always) nonmutating set { fields.stopped_at = newValue }
    }
    var growth: UInt64 {
        @_noLocks @inline(__always) get { fields.growth }
        @_noLocks @inline(__always) nonmutating set { fields.growth = newValue }
    }
    var grownFrom: UInt64 {
        @_noLocks @inline(__always) get { fields.grown_from }
        @_noLocks @inline(__always) nonmutating set { fields.grown_from = newValue }
    }
    var grownLook: Int64 {
        @_noLocks @inline(__always) get { fields.grown_look }
        @_noLocks @inline(__always) nonmutating set { fields.grown_look = newValue }
    }
}

/// What C keeps as 0 and 1.
extension WorkerTask {
    var isSuspect: Bool {
        @_noLocks @inline(__always) get { fields.is_suspect != 0 }
        @_noLocks @inline(__always) nonmutating set { fields.is_suspect = newValue ? 1 : 0 }
    }
    var hasResult: Bool {
        @_noLocks @inline(__always) get { fields.has_result != 0 }
        @_noLocks @inline(__always) nonmutating set { fields.has_result = newValue ? 1 : 0 }
    }
    var hasRangeResult: Bool {
        @_noLocks @inline(__always) get { fields.has_range_result != 0 }
        @_noLocks @inline(__always) nonmutating set { fields.has_range_result = newValue ? 1 : 0 }
    }
    var isOutOfMemory: Bool {
        @_noLocks @inline(__always) get { fields.out_of_memory != 0 }
        @_noLocks @inline(__always) nonmutating set { fields.out_of_memory = newValue ? 1 : 0 }
    }
    var hasFailed: Bool {
        @_noLocks @inline(__always) get { fields.failed != 0 }
        @_noLocks @inline(__always) nonmutating set { fields.failed = newValue ? 1 : 0 }
    }
    var hasBegun: Bool {
        @_noLocks @inline(__always) get { fields.begun != 0 }
        @_noLocks @inline(__always) nonmutating set { fields.begun = newValue ? 1 : 0 }
    }
    var logsHere: Bool {
        @_noLocks @inline(__always) get { fields.logs_here != 0 }
    }
}
