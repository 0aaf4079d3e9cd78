// Locks, and what lies behind them.
//
// `Guarded` is the only way to the state behind a lock, so that the compiler enforces the rule: code that does not hold
// the lock has no name for what it guards. The types of this file, `GuardedCore`, the words and cells of Cells.swift
// and `SharedMemory` are those whose safety between threads rests on something that the compiler cannot see.

import CMapBridge

/// A mutual exclusion lock of this process, fair to those who wait long: mapb_wait.h. Not to be taken twice by one thread.
@safe final class Lock: @unchecked Sendable {
    private let word: UnsafeMutablePointer<mapb_lock>

    init() {
        unsafe word = .allocate(capacity: 1)
        unsafe word.initialize(to: mapb_lock(state: 0, hungry: 0))
    }

    func lock() { unsafe mapb_lock_acquire(word) }
    func unlock() { unsafe mapb_lock_release(word) }

    deinit { unsafe word.deallocate() }
}

/// A state that threads share, and its lock.
final class Guarded<State>: @unchecked Sendable {
    private let lock = Lock()
    private var state: State

    init(_ state: State) { self.state = state }

    /// Runs `body` with the lock held.
    func with<Result, Failure: Error>(_ body: (inout State) throws(Failure) -> Result) throws(Failure) -> Result {
        lock.lock()
        defer { lock.unlock() }
        return try body(&state)
    }
}
