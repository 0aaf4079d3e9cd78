// The wakeup hook: the one function of the host that is called on any thread.
//
// No lock is held while it runs. Who sets another waits until those that run have returned; one that was left by a jump, or whose thread
// has ended in it, is not waited for.

import CMapBridge

@safe final class Hook: @unchecked Sendable {
    typealias Function = @convention(c) (UnsafeMutableRawPointer?) -> Void

    private let guardLock = Lock()
    private var function: Function?
    private var context: UnsafeMutableRawPointer?
    private var running: [mapb_mark] = unsafe []
    /// Changes when one has returned.
    private let ends: UnsafeMutablePointer<UInt32>

    init() {
        unsafe ends = .allocate(capacity: 1)
        unsafe ends.initialize(to: 0)
    }

    deinit { unsafe ends.deallocate() }

    fileprivate func begins(_ mark: mapb_mark) -> (Function, UnsafeMutableRawPointer?)? {
        guardLock.lock()
        defer { guardLock.unlock() }
        guard let function = unsafe function else { return nil }
        unsafe running.append(mark)
        return unsafe (function, context)
    }

    fileprivate func ends(_ mark: mapb_mark) {
        guardLock.lock()
        unsafe running.removeAll { unsafe $0.number == mark.number }
        unsafe mapb_store32(ends, mapb_peek32(ends) &+ 1)
        guardLock.unlock()
        unsafe mapb_word_wake_local(ends)
    }

    /// When this returns, no other thread is in the function that was set before.
    func set(_ function: Function?, _ context: UnsafeMutableRawPointer?) {
        guardLock.lock()
        unsafe self.function = unsafe function
        unsafe self.context = unsafe context
        guardLock.unlock()
        while true {
            guardLock.lock()
            let seen = unsafe mapb_peek32(ends)
            let others = unsafe running.filter { unsafe mapb_is_mine($0) == 0 }
            guardLock.unlock()
            guard let other = unsafe others.first else { return }
            if unsafe mapb_goes_on(other) == 0 {
                unsafe self.ends(other)
            } else {
                unsafe mapb_word_wait_local(ends, seen, Policy.lookForLeft)
            }
        }
    }
}

@_cdecl("mapb_hook_begins")
func hookBegins(
    _ pool: UnsafeMutableRawPointer, _ mark: mapb_mark, _ function: UnsafeMutablePointer<Hook.Function?>,
    _ context: UnsafeMutablePointer<UnsafeMutableRawPointer?>
) -> Int32 {
    let pool = unsafe Unmanaged<Pool>.fromOpaque(pool).takeUnretainedValue()
    guard let (its, with) = unsafe pool.hook.begins(mark) else { return 0 }
    unsafe function.pointee = unsafe its
    unsafe context.pointee = unsafe with
    return 1
}

@_cdecl("mapb_hook_ends")
func hookEnds(_ pool: UnsafeMutableRawPointer, _ mark: mapb_mark) {
    unsafe Unmanaged<Pool>.fromOpaque(pool).takeUnretainedValue().hook.ends(mark)
}
