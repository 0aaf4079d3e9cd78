// What Swift needs from the C library: errors, signals, lengths, allocations that may fail. With Files.swift the only
// place that imports it. Calls of the system that POSIX has not are in CMapBridge, by neutral names: mapb_platform.h.

import CMapBridge
import Glibc

/// An errno.
enum SystemError {
    static let again = EAGAIN
    static let exists = EEXIST
    static let noBuffers = ENOBUFS
    static let noMemory = ENOMEM

    /// errno of the C function that was called last.
    static var last: Int32 {
        get { errno }
        set { errno = newValue }
    }

    static func text(_ why: Int32) -> String { unsafe String(cString: strerror(why)) }

    /// Whether it is what filters of system calls answer.
    static func isDenial(_ why: Int32) -> Bool { why == EPERM || why == ENOSYS }
}

enum Signal {
    static let kill = SIGKILL
    /// A system call that a filter answers with the end of the process.
    static let deniedCall = SIGSYS
}

/// What this program is called.
func programName() -> String { unsafe String(cString: mapb_program_name()) }

enum SystemClock {
    static var wall: Int64 {
        var now = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &now)
        return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
    }
}

/// Bytes of a text of C, without the NUL.
func length(of text: UnsafePointer<CChar>) -> Int { unsafe strlen(text) }

/// Memory from malloc, nil when there is not enough: Swift's own allocations would end the process.
func memoryIfAny(_ size: Int) -> UnsafeMutableRawPointer? { unsafe malloc(max(size, 1)) }
func freeMemory(_ memory: UnsafeMutableRawPointer) { unsafe free(memory) }
