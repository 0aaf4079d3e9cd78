import Glibc

/// Where this program is installed: its file is `bin/mapengine` there.
func ownPrefix() throws -> String {
    guard let own = unsafe realpath("/proc/self/exe", nil) else {
        throw Failure(.notFound, "cannot tell where this program lies: \(systemError())")
    }
    defer { unsafe free(own) }
    let parts = unsafe String(raw: own).split(separator: "/")
    return "/" + parts.dropLast(2).joined(separator: "/")
}

/// A file that is installed with this program; `hint` is told when it is not there.
func installedFile(_ path: String, hint: String) throws -> [UInt8] {
    let descriptor = try openFile(path, O_RDONLY)
    guard descriptor >= 0 else { throw Failure(.notFound, "\(path) is not there: \(systemError()); \(hint)") }
    close(descriptor)
    let memory = try Memory(file: path)
    return unsafe Array(memory.bytes)
}
