import Glibc

/// Writes bytes to a descriptor in blocks. Each error is thrown, and a signal that asks this program to end.
final class ByteWriter {
    private let descriptor: Int32
    /// As messages call it.
    private let name: String
    private var block: [UInt8] = []

    init(_ descriptor: Int32, _ name: String) {
        (self.descriptor, self.name) = (descriptor, name)
    }

    func append(_ bytes: some Sequence<UInt8>) { block.append(contentsOf: bytes) }
    func append(_ byte: UInt8) { block.append(byte) }

    /// Bytes as a field of CSV.
    func append(quoted field: some Collection<UInt8>, isAlone: Bool) {
        let needsQuotes = field.contains { $0 == 0x22 || $0 == 0x2C || $0 == 0x0A || $0 == 0x0D }
        // A line without anything is no row to many readers.
        guard needsQuotes || (isAlone && field.isEmpty) || startsLikeMark(field) else { return append(field) }
        append(0x22)
        for byte in field {
            if byte == 0x22 { append(0x22) }
            append(byte)
        }
        append(0x22)
    }

    /// At the start of a file it would be passed over.
    private func startsLikeMark(_ field: some Collection<UInt8>) -> Bool { field.starts(with: [0xEF, 0xBB, 0xBF]) }

    /// Writes what has come together, when it is enough.
    func endRow() throws {
        append(0x0A)
        if block.count >= 1 << 16 { try flush() }
    }

    func flush() throws {
        try unsafe block.withUnsafeBytes { unsafe try write($0) }
        block.removeAll(keepingCapacity: true)
    }

    /// Writes bytes behind what has come together.
    func write(through bytes: UnsafeRawBufferPointer) throws {
        try flush()
        unsafe try write(bytes)
    }

    private func write(_ bytes: UnsafeRawBufferPointer) throws {
        try throwIfInterrupted()
        var rest = unsafe bytes[...]
        while unsafe !rest.isEmpty {
            // Not all at once, so that a signal is noticed.
            let part = unsafe rest.prefix(1 << 24)
            let written = unsafe Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: part).baseAddress, part.count)
            if written >= 0 {
                unsafe rest = unsafe rest.dropFirst(written)
                try throwIfInterrupted()
            } else if errno == EINTR {
                try throwIfInterrupted()
            } else if errno == EAGAIN {
                waitFor(descriptor, POLLOUT)
            } else {
                throw Failure(.cannotWrite, "cannot write \(name): \(systemError())")
            }
        }
    }

    /// Writes the rest, and learns what some file systems tell only when a file is closed.
    func finish() throws {
        try flush()
        let copy = dup(descriptor)
        guard copy >= 0, close(copy) == 0 else {
            throw Failure(.cannotWrite, "cannot write \(name): \(systemError())")
        }
    }
}

/// Waits until a descriptor that does not block can be read from or written to, or a signal comes.
func waitFor(_ descriptor: Int32, _ event: Int32) {
    var entry = pollfd(fd: descriptor, events: Int16(event), revents: 0)
    _ = unsafe poll(&entry, 1, -1)
}
