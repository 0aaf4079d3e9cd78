// Memory for results: two bump cursors in the worker's output memory.
//
// The hole is a stretch that was used before and is free again, so that its pages are warm; the frontier lies beyond
// everything in use. The host moves either with a request (MAPB_SET_HOLE, MAPB_SET_FRONTIER) and checks what a reply says
// was used of them.

import CMapBridge

/// The largest power of two, at most 64, that divides a size: enough for any C type of that size.
@_noLocks @inline(__always)
func outputAlignment(_ size: UInt64) -> UInt64 {
    let low = size & (~size &+ 1)
    return low < 64 ? low : 64
}

/// Allocates memory in the hole, or else at the frontier. Returns its offset; nil when neither has room.
@_noLocks @inline(__always)
func outputAllocate(_ task: WorkerTask, _ size: UInt64, _ alignment: UInt64) -> UInt64? {
    let mask = alignment &- 1
    let hole = (task.holeCursor &+ mask) & ~mask
    if hole <= task.holeLimit && size <= task.holeLimit &- hole {
        task.holeCursor = hole &+ size
        return hole
    }
    let frontier = (task.wildCursor &+ mask) & ~mask
    if frontier <= task.frontierLimit && size <= task.frontierLimit &- frontier {
        task.wildCursor = frontier &+ size
        return frontier
    }
    return nil
}

/// Frees the last allocation, `size` bytes before `end`, if there was none after it.
@_noLocks
func outputFree(_ task: WorkerTask, _ end: UInt64, _ size: UInt64) {
    if task.holeCursor == end {
        task.holeCursor = end &- size
    } else if task.wildCursor == end {
        task.wildCursor = end &- size
    }
}

/// Keeps what a function says when it fails: a short text in the task, a long one in the output memory, cut to a short one if that is full.
@_noLocks
func taskSetText(_ task: WorkerTask, _ message: UnsafePointer<CChar>?) {
    task.failSize = 0
    task.failPlace = 0
    guard let message = unsafe message else { return }
    // A process that was forked from the worker has no output memory.
    let longest = task.isAlone ? UInt64(MAPB_LONG_TEXT) : UInt64(MAPB_TEXT) &- 1
    let size = unsafe mapb_length(message, longest)
    if size >= UInt64(MAPB_TEXT), let place = outputAllocate(task, size, 1) {
        unsafe mapb_copy(task.output(at: place), message, size)
        task.failSize = UInt32(truncatingIfNeeded: size)
        task.failPlace = place
        return
    }
    unsafe task.setText(message, mapb_length(message, UInt64(MAPB_TEXT) &- 1))
}

/// Puts the text into the output memory, if it is not there. False: there is no room for it.
@_noLocks
func taskPlaceText(_ task: WorkerTask) -> Bool {
    if task.failSize == 0 || task.failPlace != 0 { return true }
    let size = UInt64(task.failSize)
    guard let place = outputAllocate(task, size, 1) else { return false }
    unsafe mapb_copy(task.output(at: place), task.text, size)
    task.failPlace = place
    return true
}

/// Changes the size of the running item's result; what was written stays.
@_noLocks
func outputResize(_ task: WorkerTask, _ size: UInt64) -> UInt64? {
    let old = task.result
    let oldSize = task.resultSize
    let aligned = old & (outputAlignment(size) &- 1) == 0
    if aligned && old &+ oldSize == task.holeCursor && size <= task.holeLimit &- old {
        task.holeCursor = old &+ size
        return old
    }
    if aligned && old &+ oldSize == task.wildCursor && size <= task.frontierLimit &- old {
        task.wildCursor = old &+ size
        return old
    }
    guard let place = outputAllocate(task, size, outputAlignment(size)) else { return nil }
    unsafe mapb_copy(task.output(at: place), task.output(at: old), size < oldSize ? size : oldSize)
    return place
}
