// The folder of config.crash_dir, and the files that wait to be written there.

import CMapBridge

/// The bytes of the input memory that go into a crash file. The engine thread copies them without the pool's lock; they
/// stay where they are until then.
struct CrashBytes {
    let job: Job
    /// For a stream, the number of the block that the item lies in, which is held.
    let block: Int?
    /// One, but of an item of several pieces.
    let input: [Extent]
    let data: Extent?
    let globals: [Globals.Value]
    /// The job's own data.
    let own: Extent?

    func copy(into file: inout CrashFile, from memory: InputMemory) {
        func bytes(_ extent: Extent) -> [UInt8] {
            memory.copyBytes(extent)
        }
        if let data { file.function.data = bytes(data) }
        if let own { file.item.jobData = bytes(own) }
        if file.item.pieces != nil {
            file.item.pieces = input.map { .init(offset: $0.offset & 4095, bytes: bytes($0)) }
        } else if let input = input.first {
            file.item.bytes = input.count > 0 ? bytes(input) : []
        }
        file.process.globals = globals.map {
            .init(name: $0.name, bytes: bytes(Extent(offset: $0.block.offset, count: $0.size)))
        }
    }
}

/// Crashed items that wait to be saved, at most `Policy.crashFiles` in a pool's life.
struct CrashQueue {
    struct Waiting {
        var file: CrashFile
        let bytes: CrashBytes
        let item: String
        let worker: Int32
        let number: Int
    }

    private var waiting = Queue<Waiting>()
    private var made = 0

    var hasRoom: Bool { made < Policy.crashFiles }
    var isEmpty: Bool { waiting.isEmpty }
    var isFull: Bool { made == Policy.crashFiles }

    mutating func next() -> Waiting? { waiting.popFirst() }

    mutating func add(_ file: CrashFile, _ bytes: CrashBytes, item: String, worker: Int32) {
        made += 1
        waiting.append(Waiting(file: file, bytes: bytes, item: item, worker: worker, number: made))
    }
}

/// Where they are saved.
final class CrashFolder: Sendable {
    let path: UserText
    /// Kept open, because the host may change its working directory, and somebody may rename the folder.
    private let folder: Descriptor
    init(_ path: UserText) throws(MapError) {
        let fd = path.withCString { unsafe mapb_open_folder($0) }
        guard fd >= 0 else {
            throw .argument(
                "config.crash_dir", "\"\(path)\" cannot be opened as a folder: \(SystemError.text(-fd))"
            )
        }
        self.path = path
        folder = Descriptor(fd)
    }

    /// Writes one file, without the pool's lock. Returns a line for the log that says what came of it.
    func write(_ next: CrashQueue.Waiting) -> (level: mape_log_level, text: String) {
        // A folder outlives pools and processes: a name may be there already, of a host or pool before this one.
        var number = next.number
        var name = ""
        var fd = -SystemError.exists
        while fd == -SystemError.exists && number < next.number + 1000 * Policy.crashFiles {
            name = "mapengine-\(mapb_process_id())-\(next.worker)-\(number).crash"
            fd = unsafe mapb_create_file(folder.number, name)
            number += Policy.crashFiles
        }
        guard fd >= 0 else { return failed(next, name, -fd) }
        let file = Descriptor(fd)
        let wrote = Files.write(file.number, next.file.encoded())
        if wrote != 0 {
            unsafe mapb_remove_file(folder.number, name)
            return failed(next, name, -wrote)
        }
        return (
            MAPE_LOG_INFO,
            "\(next.item) is saved in \"\(path)/\(name)\"; mapengine-zygote --replay runs it again"
        )
    }

    private func failed(_ next: CrashQueue.Waiting, _ name: String, _ why: Int32) -> (mape_log_level, String) {
        (
            MAPE_LOG_WARNING,
            "\(next.item) could not be saved in \"\(path)/\(name)\": \(SystemError.text(why))"
        )
    }
}
