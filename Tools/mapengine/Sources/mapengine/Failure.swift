import ArgumentParser
import Glibc

/// Exit codes; those from 64 on are sysexits.h's. docs/command-line.md and the manual page list them for users.
enum ExitStatus: Int32 {
    case callsFailed = 1
    case badData = 2
    case usage = 64
    case prototype = 65
    case notFound = 69
    case pool = 70
    case cannotWrite = 73
    case deadline = 75
}

/// Why the program ends, and with which exit code.
struct Failure: Error {
    let status: ExitStatus
    let message: String

    init(_ status: ExitStatus, _ message: String) {
        self.status = status
        self.message = message
    }
}

/// Runs a command's work; a failure is told on standard error and becomes the exit code.
func reporting(_ work: () throws -> Void) throws {
    do {
        try work()
    } catch let failure as Failure {
        tell(failure.message)
        throw ExitCode(failure.status.rawValue)
    } catch let interrupted as Interrupted {
        tell(interrupted.what)
        throw ExitCode(128 + interrupted.signal)
    }
}

/// A line on standard error, which begins with the program's name.
func tell(_ text: String) {
    writeAll("mapengine: \(text)\n", to: STDERR_FILENO)
}

/// Writes a text to a descriptor, what users gave as they gave it; an error is the caller's to notice, by the answer.
@discardableResult
func writeAll(_ text: String, to descriptor: Int32) -> Bool {
    unsafe text.raw.withUnsafeBytes { unsafe writeAll($0, to: descriptor) }
}

@discardableResult
func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
    var rest = unsafe bytes[...]
    while unsafe !rest.isEmpty {
        let written = unsafe write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
        if written < 0 {
            if errno == EINTR { continue }
            if errno == EAGAIN {
                waitFor(descriptor, POLLOUT)
                continue
            }
            return false
        }
        unsafe rest = unsafe rest.dropFirst(written)
    }
    return true
}

/// What errno says.
func systemError() -> String {
    unsafe String(cString: strerror(errno))
}
