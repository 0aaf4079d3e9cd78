import Glibc

/// Bytes that do not move: a file in memory, or memory of our own, which begins as zeros. Freed with the object.
@safe
final class Memory {
    private let base: UnsafeMutableRawPointer?
    let size: Int
    private let isMapped: Bool

    var bytes: UnsafeRawBufferPointer { unsafe UnsafeRawBufferPointer(start: base, count: size) }
    var mutableBytes: UnsafeMutableRawBufferPointer { unsafe UnsafeMutableRawBufferPointer(start: base, count: size) }

    private init(base: UnsafeMutableRawPointer?, size: Int, isMapped: Bool) {
        unsafe self.base = unsafe base
        self.size = size
        self.isMapped = isMapped
    }

    /// Zeroed memory.
    convenience init(size: Int) throws {
        guard let base = unsafe calloc(max(size, 1), 1) else {
            throw Failure(.pool, "out of memory: \(size) bytes could not be had")
        }
        unsafe self.init(base: base, size: size, isMapped: false)
    }

    convenience init(_ bytes: [UInt8]) throws {
        try self.init(size: bytes.count)
        unsafe bytes.withUnsafeBytes { unsafe mutableBytes.copyMemory(from: $0) }
    }

    /// A file's contents: mapped if it is a regular one, else read to its end.
    convenience init(file path: String) throws {
        let descriptor = path == "-" ? STDIN_FILENO : try openFile(path, O_RDONLY)
        guard descriptor >= 0 else { throw Failure(.badData, "cannot open \(path): \(systemError())") }
        defer { if descriptor != STDIN_FILENO { close(descriptor) } }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else {
            throw Failure(.badData, "cannot read \(path): \(systemError())")
        }
        if status.st_mode & S_IFMT == S_IFREG, path != "-", status.st_size > 0 {
            let size = Int(status.st_size)
            if let base = unsafe mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), unsafe base != MAP_FAILED {
                unsafe self.init(base: base, size: size, isMapped: true)
                return
            }
        }
        try self.init(Memory.readAll(descriptor, path))
    }

    private static func readAll(_ descriptor: Int32, _ path: String) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = unsafe block.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR {
                    try throwIfInterrupted()
                    continue
                }
                if errno == EAGAIN {
                    waitFor(descriptor, POLLIN)
                    try throwIfInterrupted()
                    continue
                }
                throw Failure(.badData, "cannot read \(path == "-" ? "standard input" : path): \(systemError())")
            }
            if count == 0 { return bytes }
            bytes.append(contentsOf: block[..<count])
        }
    }

    deinit {
        if isMapped { unsafe munmap(base, size) } else { unsafe free(base) }
    }
}
