// The wakeup hook: the one function of the host that is called on any thread.
//
// No lock is held while it runs. Who sets another waits until those that run have returned; one that was left by a jump, or whose thread
// has ended in it, is not waited for.

import CMapBridge

@safe final class Hook: Sendable {
    typealias Function = @convention(c) (UnsafeMutableRawPointer?) -> Void

    @safe private struct State {
        var function: Function?
        var context: UnsafeMutableRawPointer?
        var running: [mapb_mark] = unsafe []
    }

    private let state = Guarded(State())
    /// Changes when one has returned.
    private let ends = Cells<UInt32>(1, 0)

    /// Calls the function, if there is one. Without any lock.
    func notify() { unsafe mapb_call_hook(Unmanaged.passUnretained(self).toOpaque()) }

    fileprivate func begins(_ mark: mapb_mark) -> (Function, UnsafeMutableRawPointer?)? {
        unsafe state.with { state in
            guard let function = unsafe state.function else { return nil }
            unsafe state.running.append(mark)
            return unsafe (function, state.context)
        }
    }

    fileprivate func ends(_ mark: mapb_mark) {
        state.with { state in
            unsafe state.running.removeAll { unsafe $0.number == mark.number }
            unsafe mapb_store32(ends.first, mapb_peek32(ends.first) &+ 1)
        }
        unsafe mapb_word_wake_local(ends.first)
    }

    /// When this returns, no other thread is in the function that was set before.
    func set(_ function: Function?, _ context: UnsafeMutableRawPointer?) {
        state.with { state in
            unsafe state.function = unsafe function
            unsafe state.context = unsafe context
        }
        while true {
            let (seen, others) = unsafe state.with { state in
                unsafe (mapb_peek32(ends.first), state.running.filter { unsafe mapb_is_mine($0) == 0 })
            }
            guard let other = unsafe others.first else { return }
            if unsafe mapb_goes_on(other) == 0 {
                unsafe self.ends(other)
            } else {
                unsafe mapb_word_wait_local(ends.first, seen, Policy.lookForLeft)
            }
        }
    }
}

@_cdecl("mapb_hook_begins")
func hookBegins(
    _ hook: UnsafeMutableRawPointer, _ mark: mapb_mark, _ function: UnsafeMutablePointer<Hook.Function?>,
    _ context: UnsafeMutablePointer<UnsafeMutableRawPointer?>
) -> Int32 {
    let hook = unsafe Unmanaged<Hook>.fromOpaque(hook).takeUnretainedValue()
    guard let (its, with) = unsafe hook.begins(mark) else { return 0 }
    unsafe function.pointee = unsafe its
    unsafe context.pointee = unsafe with
    return 1
}

@_cdecl("mapb_hook_ends")
func hookEnds(_ hook: UnsafeMutableRawPointer, _ mark: mapb_mark) {
    unsafe Unmanaged<Hook>.fromOpaque(hook).takeUnretainedValue().ends(mark)
}
