import CKernel
import Glibc

/// A file, whatever names it has. One that is not there yet is its name in a folder.
struct FileIdentity: Hashable {
    private let device: UInt
    private let number: UInt
    private let name: [UInt8]

    init(_ status: stat, name: [UInt8] = []) {
        (device, number, self.name) = (UInt(status.st_dev), UInt(status.st_ino), name)
    }

    /// nil: there is no such descriptor, or it leads to where all is thrown away.
    init?(descriptor: Int32) {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0, !isNull(status) else { return nil }
        self.init(status)
    }
}

private func isNull(_ status: stat) -> Bool {
    status.st_mode & S_IFMT == S_IFCHR && status.st_rdev == 1 << 8 | 3
}

/// An output file. A regular one is there as a whole or as it was: its content is written beside it, and takes its place when all is
/// well, with the mode, the owner and the attributes that it had. Where the rights do not allow that, or the file has
/// several names, the content is copied into it in the end. What is no regular file is written to as it is.
final class OutputFile {
    /// nil: it may be written to twice.
    let identity: FileIdentity?
    /// A pipe or a device, or what this program writes to anyway.
    let isStream: Bool
    private let standard: Int32?
    private let path: String
    /// The file that is there, open for writing.
    private var existing: Descriptor?
    private var status = stat()
    /// The folder it is in; nil: it is not known.
    private var folder: Descriptor?
    private var name: [UInt8] = []
    private var temporary: Descriptor?
    private var temporaryName: String?
    private var isCopied = false

    /// Looks at what is there, and whether it can be written; changes nothing.
    init(_ path: String) throws {
        self.path = path
        var status = stat()
        let exists = unsafe path.withRaw { unsafe stat($0, &status) } == 0
        guard exists || errno == ENOENT else { throw OutputFile.failure(path) }
        self.status = status
        let kind = status.st_mode & S_IFMT
        // A file that is standard output or error already, as /dev/stdout is, may have text of others: it goes on behind that.
        standard = [STDOUT_FILENO, STDERR_FILENO].first {
            exists && FileIdentity(descriptor: $0) == FileIdentity(status)
        }
        isStream = standard != nil || (exists && kind != S_IFREG && kind != S_IFDIR)
        if isStream {
            identity = isNull(status) ? nil : FileIdentity(status)
            return
        }
        if exists { existing = Descriptor(try openFile(path, O_WRONLY)) }
        if exists, existing?.isOpen != true { throw OutputFile.failure(path) }
        let target = try OutputFile.followed(path)
        let slash = target.lastIndex(of: UInt8(ascii: "/"))
        name = Array(target[(slash.map { $0 + 1 } ?? 0)...])
        let parent = slash.map { $0 == 0 ? "/" : String(raw: target[..<$0]) } ?? "."
        let folder = Descriptor(unsafe parent.withRaw { unsafe files_open_folder($0) })
        var found = stat()
        if exists {
            identity = FileIdentity(status)
            // Links of /proc lead to files in ways of their own.
            let isThere =
                unsafe folder.isOpen
                && withName { unsafe fstatat(folder.number, $0, &found, AT_SYMLINK_NOFOLLOW) } == 0
                && found.st_ino == status.st_ino && found.st_dev == status.st_dev
            if isThere { self.folder = folder }
            return
        }
        guard folder.isOpen, unsafe fstat(folder.number, &found) == 0,
            unsafe faccessat(folder.number, ".", W_OK | X_OK, AT_EACCESS) == 0
        else { throw OutputFile.failure(path) }
        guard !name.isEmpty else {
            errno = EISDIR
            throw OutputFile.failure(path)
        }
        identity = FileIdentity(found, name: name)
        self.folder = folder
    }

    deinit { removeTemporary() }

    /// Writes the content of a regular file, where nobody sees it yet.
    func prepare(_ content: (ByteWriter) throws -> Void) throws {
        try makeTemporary()
        guard let temporary else { throw OutputFile.failure(path) }
        let writer = ByteWriter(temporary.number, path)
        try content(writer)
        try writer.finish()
    }

    /// The content takes its place.
    func commit() throws {
        guard let temporary else { return }
        if !isCopied, let folder, let from = temporaryName {
            let done = unsafe from.withRaw { from in
                unsafe withName { unsafe renameat(folder.number, from, folder.number, $0) }
            }
            if done == 0 {
                temporaryName = nil
                return
            }
        }
        guard let existing else { throw OutputFile.failure(path) }
        try copy(from: temporary.number, to: existing.number)
    }

    /// Writes to what is no regular file.
    func stream(_ content: (ByteWriter) throws -> Void) throws {
        let descriptor = Descriptor(try standard.map { dup($0) } ?? openFile(path, O_WRONLY))
        guard descriptor.isOpen else { throw OutputFile.failure(path) }
        let writer = ByteWriter(descriptor.number, path)
        try content(writer)
        try writer.finish()
    }

    // MARK: The file beside it

    private func makeTemporary() throws {
        isCopied = existing != nil && (folder == nil || status.st_nlink > 1)
        for attempt in 0..<1000 {
            guard let folder else { break }
            // Short, since the file's own name may be as long as a name can be.
            let name = ".mapengine-\(getpid())-\(attempt).part"
            let number = unsafe name.withRaw {
                unsafe openat(
                    folder.number, $0, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode_t(existing == nil ? 0o666 : 0o600))
            }
            if number < 0, errno == EEXIST { continue }
            guard number >= 0 else { break }
            temporary = Descriptor(number)
            temporaryName = name
            break
        }
        guard let existing else {
            guard temporary != nil else { throw OutputFile.failure(path) }
            return
        }
        if let temporary {
            if !isCopied, !inherit(from: existing.number, to: temporary.number) { isCopied = true }
            return
        }
        // The file may be written to, its folder not.
        isCopied = true
        let memory = files_scratch()
        guard memory >= 0 else { throw OutputFile.failure(path) }
        temporary = Descriptor(memory)
    }

    /// Gives one file another's owner, mode and attributes. False when the rights do not allow it.
    private func inherit(from: Int32, to: Int32) -> Bool {
        var made = stat()
        guard unsafe fstat(to, &made) == 0 else { return false }
        if made.st_uid != status.st_uid || made.st_gid != status.st_gid {
            guard fchown(to, status.st_uid, status.st_gid) == 0 else { return false }
        }
        return files_copy_attributes(from, to) == 0 && fchmod(to, status.st_mode & 0o7777) == 0
    }

    private func removeTemporary() {
        guard let folder, let temporaryName else { return }
        _ = unsafe temporaryName.withRaw { unsafe unlinkat(folder.number, $0, 0) }
    }

    /// Overwrites a file. The room for it is had before anything is lost.
    private func copy(from: Int32, to: Int32) throws {
        var made = stat()
        var old = stat()
        guard unsafe fstat(from, &made) == 0, unsafe fstat(to, &old) == 0 else { throw OutputFile.failure(path) }
        if made.st_size > old.st_size {
            let error = files_allocate(to, made.st_size)
            guard error == 0 else {
                _ = ftruncate(to, old.st_size)
                errno = error
                throw OutputFile.failure(path)
            }
        }
        var block = [UInt8](repeating: 0, count: 1 << 20)
        var place = 0
        while place < Int(made.st_size) {
            let count = unsafe block.withUnsafeMutableBytes {
                unsafe pread(from, $0.baseAddress, $0.count, off_t(place))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0, write(block[..<count], to: to, at: place) else {
                throw Failure(.cannotWrite, "cannot write \(path): \(systemError()); it holds a part of the results")
            }
            place += count
        }
        let last = dup(to)
        guard ftruncate(to, made.st_size) == 0, last >= 0, close(last) == 0 else { throw OutputFile.failure(path) }
    }

    private func write(_ bytes: ArraySlice<UInt8>, to: Int32, at place: Int) -> Bool {
        var done = 0
        while done < bytes.count {
            let written = unsafe bytes.withUnsafeBytes {
                unsafe pwrite(to, $0.baseAddress.map { unsafe $0 + done }, $0.count - done, off_t(place + done))
            }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { return false }
            done += written
        }
        return true
    }

    // MARK: Names

    private func withName<T>(_ body: (UnsafePointer<CChar>) -> T) -> T { unsafe String(raw: name).withRaw(body) }

    /// Where links lead to, also when nothing is there yet.
    private static func followed(_ path: String) throws -> [UInt8] {
        var target = path.raw
        for _ in 0..<40 {
            var status = stat()
            guard unsafe String(raw: target).withRaw({ unsafe lstat($0, &status) }) == 0,
                status.st_mode & S_IFMT == S_IFLNK
            else { return target }
            var link = [UInt8](repeating: 0, count: Int(PATH_MAX))
            let count = unsafe String(raw: target).withRaw { name in
                unsafe link.withUnsafeMutableBytes {
                    unsafe readlink(name, $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
                }
            }
            guard count > 0 else { throw failure(path) }
            if link[0] == UInt8(ascii: "/") {
                target = Array(link[..<count])
            } else {
                let folder = target.lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0
                target = Array(target[..<folder] + link[..<count])
            }
        }
        errno = ELOOP
        throw failure(path)
    }

    private static func failure(_ path: String) -> Failure {
        Failure(.cannotWrite, "cannot write \(path): \(systemError())")
    }
}

/// Closed with the object.
private final class Descriptor {
    let number: Int32
    var isOpen: Bool { number >= 0 }

    init(_ number: Int32) { self.number = number }
    deinit { if isOpen { _ = close(number) } }
}

/// Opens a file; a signal that asks this program to end is heard meanwhile. Negative, with errno, when it cannot be opened.
func openFile(_ path: String, _ flags: Int32) throws -> Int32 {
    while true {
        let descriptor = unsafe path.withRaw { unsafe open($0, flags | O_CLOEXEC) }
        guard descriptor < 0, errno == EINTR else { return descriptor }
        try throwIfInterrupted()
    }
}
