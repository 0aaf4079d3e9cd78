// Files and folders by POSIX's calls. All answer with a negative errno what has failed, and go on when they are interrupted.

import CMapBridge
import Glibc

enum Files {
    /// - Returns: a descriptor, which the caller closes.
    static func openToRead(_ path: String) -> Int32 { checked(unsafe open(path, O_RDONLY | O_CLOEXEC)) }

    /// The same, of a file that is made, or emptied if it is there.
    static func openToWrite(_ path: String) -> Int32 { openToWrite(UserText(path)) }

    static func openToWrite(_ path: UserText) -> Int32 {
        checked(path.withCString { unsafe open($0, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666) })
    }

    /// - Returns: how many bytes were read, 0 at the end.
    static func read(_ file: Int32, _ bytes: inout [UInt8]) -> Int {
        while true {
            let got = unsafe Glibc.read(file, &bytes, bytes.count)
            if got >= 0 { return got }
            if errno != EINTR { return Int(-errno) }
        }
    }

    /// Writes all of them.
    /// - Returns: 0 when they are written.
    static func write(_ file: Int32, _ bytes: [UInt8]) -> Int32 {
        var done = 0
        while done < bytes.count {
            let wrote = unsafe bytes.withUnsafeBytes {
                unsafe Glibc.write(file, $0.baseAddress! + done, $0.count - done)
            }
            if wrote < 0 && errno == EINTR { continue }
            if wrote <= 0 { return wrote < 0 ? -errno : -ENOSPC }
            done += wrote
        }
        return 0
    }

    /// What a small file holds; nil when it cannot be read, or holds nothing.
    static func text(of path: String) -> String? {
        let file = openToRead(path)
        guard file >= 0 else { return nil }
        defer { mapb_close(file) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let got = read(file, &bytes)
        return got > 0 ? String(decoding: bytes[..<got], as: UTF8.self) : nil
    }

    /// 0 where this process may run the file.
    static func mayRun(_ path: UserText) -> Int32 { checked(path.withCString { unsafe access($0, X_OK) }) }

    /// Whether this process may run the file at a path. A folder can be entered, which is the same right.
    static func isProgram(_ path: UserText) -> Bool { mayRun(path) == 0 && mayRun(path + "/") != 0 }

    static func enter(_ folder: UserText) -> Int32 { checked(folder.withCString { unsafe chdir($0) }) }

    /// The working directory of this process.
    static func currentFolder() -> (path: UserText, why: Int32) {
        var folder = [CChar](repeating: 0, count: 4097)
        let isKnown = unsafe getcwd(&folder, folder.count - 1) != nil
        return (UserText(array: folder), isKnown ? 0 : errno)
    }

    /// The working directory of a process; nil: unknown.
    static func folder(of process: Int32) -> UserText? {
        var path = [CChar](repeating: 0, count: 4097)
        return unsafe mapb_folder_of(process, &path, UInt64(path.count)) != 0 ? UserText(array: path) : nil
    }

    private static func checked(_ result: Int32) -> Int32 { result >= 0 ? result : -errno }
}
