// The libraries that may run here: the files of one folder, by their SHA-256. Files are hashed when they are first seen, and again when they
// have changed.

import CNet
import Cluster
import Glibc

final class ModuleFolder {
    private struct File {
        let stamp: Stamp
        let hash: Hash
    }

    private struct Stamp: Equatable {
        let device: UInt64
        let inode: UInt64
        let size: Int64
        let seconds: Int
        let nanoseconds: Int
    }

    let path: String
    private var files: [String: File] = [:]

    init(_ path: String) throws(Refusal) {
        guard let full = unsafe realpath(path, nil) else {
            throw Refusal(.file, "--modules \(path): \(Self.systemError())")
        }
        self.path = unsafe String(cString: full)
        unsafe free(full)
        var about = stat()
        guard unsafe stat(self.path, &about) == 0, about.st_mode & S_IFMT == S_IFDIR else {
            throw Refusal(.file, "--modules \(path) is no folder")
        }
        guard about.st_uid == 0 || about.st_uid == geteuid() else {
            throw Refusal(
                .file,
                "--modules \(path) is another user's: whoever can write there decides what runs here. chown root it")
        }
        guard about.st_mode & 0o022 == 0 else {
            throw Refusal(.file, "--modules \(path) can be written by others: chmod go-w it")
        }
        scan()
    }

    static func systemError() -> String { unsafe String(cString: strerror(errno)) }

    var count: Int { files.count }

    private static func stamp(_ path: String) -> Stamp? {
        var about = stat()
        guard unsafe stat(path, &about) == 0, about.st_mode & S_IFMT == S_IFREG else { return nil }
        // A file that others can write is not allowed.
        guard about.st_mode & 0o022 == 0, about.st_uid == 0 || about.st_uid == geteuid() else { return nil }
        return Stamp(
            device: UInt64(about.st_dev), inode: UInt64(about.st_ino), size: Int64(about.st_size),
            seconds: about.st_mtim.tv_sec,
            nanoseconds: about.st_mtim.tv_nsec)
    }

    func scan() {
        guard let folder = unsafe opendir(path) else { return }
        defer { unsafe closedir(folder) }
        var found: [String: File] = [:]
        while let entry = unsafe readdir(folder) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { place in
                unsafe place.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            guard !name.hasPrefix("."), let stamp = Self.stamp(path + "/" + name) else { continue }
            if let known = files[name], known.stamp == stamp {
                found[name] = known
                continue
            }
            if let hash = try? Hash(file: path + "/" + name) { found[name] = File(stamp: stamp, hash: hash) }
        }
        files = found
    }

    /// The file with this hash.
    /// - library: the host's path of it, for the reason.
    func find(_ hash: Hash, _ library: String) throws(Refusal) -> String {
        let name = String(library.split(separator: "/").last ?? "")
        for round in 0..<2 {
            if round == 1 { scan() }
            for (name, file) in files where file.hash == hash {
                guard Self.stamp(path + "/" + name) == file.stamp else { continue }
                return path + "/" + name
            }
        }
        if let other = files[name] {
            throw Refusal(
                .file,
                "\(path)/\(name) is another file than the host's: its SHA-256 begins with \(other.hash.short), the host's with \(hash.short)"
            )
        }
        throw Refusal(
            .file, "\(printable(name)) (SHA-256 \(hash)) is not allowed: there is no such file in \(path)")
    }
}
