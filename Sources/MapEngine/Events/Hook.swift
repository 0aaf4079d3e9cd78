// The wakeup hook: the only function of the host that the library calls on any thread.
//
// It runs without a lock. A thread that sets another hook waits until the running calls have returned, except for calls
// that were left by a jump or whose thread has ended in them.

import CMapBridge

@safe final class Hook: Sendable {
    typealias Function = @convention(c) (UnsafeMutableRawPointer?) -> Void

    @safe private struct State {
        var function: Function?
        var context: UnsafeMutableRawPointer?
        var running: [mapb_mark] = []
    }

    private let state = Guarded(State())
    /// Changes when one has returned.
    private let ends = Word32()

    /// Calls the function, if there is one. Without any lock.
    func notify() { unsafe mapb_call_hook(Unmanaged.passUnretained(self).toOpaque()) }

    fileprivate func begins(_ mark: mapb_mark) -> (Function, UnsafeMutableRawPointer?)? {
        unsafe state.with { state in
            guard let function = unsafe state.function else { return nil }
            state.running.append(mark)
            return unsafe (function, state.context)
        }
    }

    fileprivate func ends(_ mark: mapb_mark) {
        state.with { state in
            state.running.removeAll { $0.number == mark.number }
            ends.advance()
        }
        ends.wake()
    }

    /// When this returns, no other thread is in the function that was set before.
    func set(_ function: Function?, _ context: UnsafeMutableRawPointer?) {
        state.with { state in
            unsafe state.function = function
            unsafe state.context = context
        }
        while true {
            let (seen, others) = state.with { state in
                (ends.peeked, state.running.filter { mapb_is_mine($0) == 0 })
            }
            guard let other = others.first else { return }
            if mapb_goes_on(other) == 0 {
                self.ends(other)
            } else {
                ends.wait(while: seen, Policy.leftInterval)
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
    guard let (call, argument) = unsafe hook.begins(mark) else { return 0 }
    unsafe function.pointee = call
    unsafe context.pointee = argument
    return 1
}

@_cdecl("mapb_hook_ends")
func hookEnds(_ hook: UnsafeMutableRawPointer, _ mark: mapb_mark) {
    unsafe Unmanaged<Hook>.fromOpaque(hook).takeUnretainedValue().ends(mark)
}
