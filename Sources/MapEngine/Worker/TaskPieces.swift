// Items of several pieces, as a worker's function sees them.

import CMapBridge

/// What a function gets as its input of an item that has several pieces; of one that has none, nothing.
@_noLocks @inline(never)
func firstPiece(_ task: WorkerTask, _ item: mapb_span, _ size: inout UInt64) -> UnsafeRawPointer {
    if item.size == MAPB_PIECES {
        size = 0
        return unsafe task.input(at: item.offset)
    }
    let piece = task.span(at: item.offset, 0)
    size = piece.size
    return unsafe task.input(at: piece.offset)
}

/// The item that runs, counted in its request; nil: none does.
@_noLocks @inline(__always)
private func runningItem(_ task: WorkerTask) -> UInt64? {
    if task.mode == MAPB_MODE_ITEM.rawValue { return task.position }
    return task.mode & MAPB_MODE_RANGE.rawValue != 0 && task.hasBegun ? task.position &- 1 : nil
}

/// The span of item i of the request, if it has several pieces.
@_noLocks
private func itemOfPieces(_ task: WorkerTask, _ i: UInt64) -> mapb_span? {
    let job = task.job
    if job.fields.spans == 0 { return nil }
    let span = task.span(at: job.fields.spans, (task.first &+ i) & job.fields.stride)
    return span.size & MAPB_PIECES != 0 ? span : nil
}

@_noLocks @implementation @_cdecl("mape_task_pieces")
public func mape_task_pieces(_ task: UnsafePointer<mape_task>!) -> Int {
    guard let task = unsafe WorkerTask(user: task), let i = runningItem(task) else { return 0 }
    guard let item = itemOfPieces(task, i) else { return 1 }
    return Int(truncatingIfNeeded: item.size & ~MAPB_PIECES)
}

@_noLocks @implementation @_cdecl("mape_task_piece")
public func mape_task_piece(_ out_size: UnsafeMutablePointer<Int>!, _ task: UnsafePointer<mape_task>!, _ k: Int)
    -> UnsafeRawPointer!
{
    unsafe out_size?.pointee = 0
    guard let task = unsafe WorkerTask(user: task), let i = runningItem(task), k >= 0 else { return nil }
    var size: UInt64 = 0
    let place: UnsafeRawPointer
    if let item = itemOfPieces(task, i) {
        if UInt64(k) >= item.size & ~MAPB_PIECES { return nil }
        let piece = task.span(at: item.offset, UInt64(k))
        size = piece.size
        unsafe place = task.input(at: piece.offset)
    } else {
        if k > 0 { return nil }
        unsafe place = itemInput(task, i, &size)
    }
    unsafe out_size?.pointee = Int(truncatingIfNeeded: size)
    return unsafe place
}
