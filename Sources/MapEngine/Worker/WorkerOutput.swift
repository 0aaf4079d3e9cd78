// Memory for results: two bump cursors in the worker's output memory.
//
// The hole is a stretch that was used before and is free again, so that its pages are warm; the wild part is all beyond what was
// ever used. The host moves either with a request (MAPB_SET_HOLE, MAPB_SET_WILD) and checks what a reply says was used of them.

import CMapBridge

/// The largest power of two, at most 64, that divides a size: enough for any C type of that size.
@_noLocks @inline(__always)
func outputAlignment(_ size: UInt64) -> UInt64 {
    let low = size & (~size &+ 1)
    return low < 64 ? low : 64
}

/// Takes memory from the hole, or else from the wild part. Its offset, or nil when neither has room.
@_noLocks @inline(__always)
func outputTake(_ task: Task, _ size: UInt64, _ alignment: UInt64) -> UInt64? {
    let mask = alignment &- 1
    let hole = unsafe (task.pointee.hole_cursor &+ mask) & ~mask
    if unsafe hole <= task.pointee.hole_limit && size <= task.pointee.hole_limit &- hole {
        unsafe task.pointee.hole_cursor = hole &+ size
        return hole
    }
    let wild = unsafe (task.pointee.wild_cursor &+ mask) & ~mask
    if unsafe wild <= task.pointee.wild_limit && size <= task.pointee.wild_limit &- wild {
        unsafe task.pointee.wild_cursor = wild &+ size
        return wild
    }
    return nil
}

/// Gives back what was taken last, if nothing was taken since: `size` bytes before `end`.
@_noLocks
func outputReturn(_ task: Task, _ end: UInt64, _ size: UInt64) {
    if unsafe task.pointee.hole_cursor == end {
        unsafe task.pointee.hole_cursor = end &- size
    } else if unsafe task.pointee.wild_cursor == end {
        unsafe task.pointee.wild_cursor = end &- size
    }
}

/// Changes the size of the running item's result; what was written stays.
@_noLocks
func outputResize(_ task: Task, _ size: UInt64) -> UInt64? {
    let old = unsafe task.pointee.result
    let oldSize = unsafe task.pointee.result_size
    let aligned = old & (outputAlignment(size) &- 1) == 0
    if unsafe aligned && old &+ oldSize == task.pointee.hole_cursor && size <= task.pointee.hole_limit &- old {
        unsafe task.pointee.hole_cursor = old &+ size
        return old
    }
    if unsafe aligned && old &+ oldSize == task.pointee.wild_cursor && size <= task.pointee.wild_limit &- old {
        unsafe task.pointee.wild_cursor = old &+ size
        return old
    }
    guard let place = unsafe outputTake(task, size, outputAlignment(size)) else { return nil }
    unsafe mapb_copy(task.pointee.output + Int(place), task.pointee.output + Int(old), size < oldSize ? size : oldSize)
    return place
}
