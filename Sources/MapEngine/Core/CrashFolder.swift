// The folder of config.crash_dir, and the files that wait to be written there.

import CMapBridge
import Glibc

/// What of the input memory goes into a crash file. It is copied without the pool's lock, and stays where it is until then.
struct CrashBytes {
    let job: Job
    /// Of a stream: the block that the item lies in, held.
    let block: Int?
    let input: Extent
    let data: Extent?
    let globals: [Globals.Value]

    func copy(into file: inout CrashFile, from memory: InputMemory) {
        func bytes(_ extent: Extent) -> [UInt8] {
            unsafe Array(UnsafeBufferPointer(start: memory.base + Int(extent.offset), count: Int(extent.count)))
        }
        if let data { file.data = bytes(data) }
        file.input = input.count > 0 ? bytes(input) : []
        file.globals = globals.map {
            .init(name: $0.name, bytes: bytes(Extent(offset: $0.block.offset, count: $0.size)))
        }
    }
}

/// Items that wait to be saved, at most `Policy.crashFiles` in a pool's life.
struct CrashQueue {
    struct Waiting {
        var file: CrashFile
        let bytes: CrashBytes
        let item: String
        let worker: Int32
        let number: Int
    }

    private var waiting = Queue<Waiting>()
    private var taken = 0

    var takesMore: Bool { taken < Policy.crashFiles }
    var isEmpty: Bool { waiting.isEmpty }
    var isFull: Bool { taken == Policy.crashFiles }

    mutating func next() -> Waiting? { waiting.popFirst() }

    mutating func add(_ file: CrashFile, _ bytes: CrashBytes, item: String, worker: Int32) {
        taken += 1
        waiting.append(Waiting(file: file, bytes: bytes, item: item, worker: worker, number: taken))
    }
}

/// Where they are saved.
final class CrashFolder: Sendable {
    let path: UserText
    /// Kept open: the host may change its working directory, and somebody rename the folder.
    private let folder: Descriptor
    init(_ path: UserText) throws(MapError) {
        let fd = unsafe path.withCString { unsafe mapb_open_folder($0) }
        guard fd >= 0 else {
            throw .argument(
                "config.crash_dir", unsafe "\"\(path)\" cannot be opened as a folder: \(String(cString: strerror(-fd)))"
            )
        }
        self.path = path
        folder = Descriptor(fd)
    }

    /// Writes one file, without the pool's lock. What came of it, for the log.
    func write(_ next: CrashQueue.Waiting) -> (level: mape_log_level, text: String) {
        // A folder outlives pools and processes: a name may be there already, of a host or pool before this one.
        var number = next.number
        var name = ""
        var fd: Int32 = -EEXIST
        while fd == -EEXIST && number < next.number + 1000 * Policy.crashFiles {
            name = "mapengine-\(mapb_process_id())-\(next.worker)-\(number).crash"
            fd = unsafe mapb_create_file(folder.number, name)
            number += Policy.crashFiles
        }
        guard fd >= 0 else { return failed(next, name, -fd) }
        let file = Descriptor(fd)
        let bytes = next.file.encoded()
        var done = 0
        while done < bytes.count {
            let wrote = unsafe bytes.withUnsafeBytes {
                unsafe Glibc.write(file.number, $0.baseAddress! + done, $0.count - done)
            }
            if wrote < 0 && errno == EINTR { continue }
            if wrote <= 0 {
                let why = wrote < 0 ? errno : ENOSPC
                unsafe mapb_remove_file(folder.number, name)
                return failed(next, name, why)
            }
            done += wrote
        }
        return (
            MAPE_LOG_INFO,
            "\(next.item) is saved in \"\(path)/\(name)\"; mapengine-zygote --replay runs it again"
        )
    }

    private func failed(_ next: CrashQueue.Waiting, _ name: String, _ why: Int32) -> (mape_log_level, String) {
        (
            MAPE_LOG_WARNING,
            unsafe "\(next.item) could not be saved in \"\(path)/\(name)\": \(String(cString: strerror(why)))"
        )
    }
}

/// Where a symbolic link leads.
func readLink(_ path: String) -> UserText? {
    var bytes = [CChar](repeating: 0, count: 4097)
    let got = unsafe readlink(path, &bytes, 4096)
    return got > 0 ? UserText(array: bytes) : nil
}
