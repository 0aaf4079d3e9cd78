// The one error of the engine: a status of the C interface, and what a person needs to know about it.

import CMapBridge

struct MapError: Error {
    let status: Int32
    let message: String

    init(_ status: mape_status, _ message: String) {
        self.status = status.rawValue
        self.message = message
    }

    static func argument(_ name: String, _ what: String) -> MapError { MapError(MAPE_E_ARGUMENT, "\(name) \(what)") }
    static func released(_ name: String) -> MapError {
        MapError(MAPE_E_HANDLE, "\(name) is no live handle of a job: it was released")
    }
    static var interrupted: MapError { MapError(MAPE_E_INTERRUPTED, "a signal or mape_pool_interrupt ended the wait") }
    static func null(_ name: String) -> MapError { .argument(name, "is NULL") }

    static func system(_ call: String, _ why: Int32) -> MapError {
        MapError(
            why == SystemError.noMemory ? MAPE_E_MEMORY : MAPE_E_SYSTEM,
            "\(call) failed: \(SystemError.text(why))" + hint(why))
    }

    /// The error when the engine thread could not be made.
    static func thread(_ why: Int32) -> MapError {
        let error = system("pthread_create (mmap, mprotect, clone3)", why)
        guard why == SystemError.again else { return error }
        return MapError(
            MAPE_E_SYSTEM,
            error.message
                + ": a limit of processes or threads is reached (RLIMIT_NPROC, pids.max), or the calling thread is of the class SCHED_DEADLINE, which cannot make others"
        )
    }

    /// The error when a mapping could not be made.
    static func mapping(_ call: String, _ why: Int32) -> MapError {
        let error = system(call, why)
        guard why == SystemError.again else { return error }
        return MapError(
            MAPE_E_SYSTEM, error.message + ": the host has locked its memory (mlockall), up to its limit RLIMIT_MEMLOCK"
        )
    }

    /// What a person can do about an error of a system call.
    static func hint(_ why: Int32) -> String { SystemError.isDenial(why) ? deniedCalls() : "" }

    /// Names the system calls that the engine needs and this process may not make; "" when there is none.
    static func deniedCalls() -> String {
        var names = [CChar](repeating: 0, count: 1024)
        guard unsafe mapb_calls_denied(MAPB_CALLS_NEEDED, &names, 1024) > 0 else { return "" }
        let text = UserText(array: names)
        return
            "; a filter of system calls (seccomp), such as a container's or a service's, denies here: \(text). Allow that there; `mapengine doctor` looks for more"
    }
}
