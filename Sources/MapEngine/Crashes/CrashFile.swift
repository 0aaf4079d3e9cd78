// A crash file: one item, and what is needed to run it again. docs/crash-file.md describes the format.
//
//   head (32 bytes): magic, version, size of the file, hash of all that follows
//   sections: kind, size, bytes; each padded to 8 bytes
//
// Written by the host; read by --replay, to which the file is untrusted input: every size is checked against what is there.

import CMapBridge

struct CrashFile: Equatable {
    /// A piece of code, as another process finds it.
    struct Code: Equatable {
        enum Kind: UInt32 {
            case none = 0, offset = 2, symbol = 3, unreachable = 4
            case offeredRun = 5, offeredRange, offeredSetup, offeredCleanup
            /// The zygote's program brings it.
            var isOffered: Bool { rawValue >= Kind.offeredRun.rawValue }
        }
        var kind = Kind.none
        var offset: UInt64 = 0
        var buildID: [UInt8] = []
        var library: UserText = ""
        /// The symbol, or the name by which it is offered; why it cannot be reached, for `unreachable`.
        var text: UserText = ""
    }

    struct Global: Equatable {
        var name: UserText
        var bytes: [UInt8]
    }

    var report = ""
    var item = Item()
    var death = DeathNumbers()
    var function = FunctionPart()
    var process = ProcessPart()

    struct Item: Equatable {
        var index: UInt64 = 0
        var job: UInt64 = 0
        /// Of its job.
        var items: UInt64 = 0
        var chunk: UInt64 = 0
        /// An enum mape_item_state.
        var state: UInt64 = 0
        var hasSpans = false
        var stride: UInt64 = 0
        /// Where in its page the input began.
        var offset: UInt64 = 0
        var bytes: [UInt8] = []
        /// Of its job.
        var jobData: [UInt8] = []
        /// Of an item of several pieces, in place of the above; nil: it is one.
        var pieces: [Piece]?
    }

    struct Piece: Equatable {
        /// Where in its page it began.
        var offset: UInt64 = 0
        var bytes: [UInt8] = []
    }

    struct DeathNumbers: Equatable {
        var worker: UInt64 = 0
        var workerPid: UInt64 = 0
        var hostPid: UInt64 = 0
        /// That ended the worker; 0: it exited.
        var signal: UInt64 = 0
    }

    struct FunctionPart: Equatable {
        var number: UInt64 = 0
        var name = ""
        var isRange = false
        var run = Code()
        var setup = Code()
        var cleanup = Code()
        var hasData = false
        /// A FORK pool's bare pointer: the bytes are not in the file.
        var dataIsPointer = false
        var data: [UInt8] = []
    }

    /// The settings of the worker's process.
    struct ProcessPart: Equatable {
        var folder: UserText = ""
        var memoryLimit: UInt64 = 0
        var globals: [Global] = []
        var modules: [UserText] = []
        var environmentSet: [UserText] = []
        var environmentUnset: [UserText] = []
    }

    static let magic: [UInt8] = Array("MAPECRSH".utf8)
    static let version: UInt64 = 1
    static let headSize = 32

    enum Section: UInt64 {
        case report = 1, numbers, functionName, folder, run, setup, cleanup, data, input, global, module,
            environmentSet, environmentUnset, jobData, piece
    }

    /// In the order of the file.
    private var numbers: [UInt64] {
        let flags: UInt64 =
            (function.isRange ? 1 : 0) | (item.hasSpans ? 2 : 0) | (function.hasData ? 4 : 0)
            | (function.dataIsPointer ? 8 : 0) | (item.pieces != nil ? 16 : 0)
        return [
            item.index, item.job, item.items, item.chunk, death.worker, death.workerPid, death.hostPid, death.signal,
            item.state, function.number, item.stride, process.memoryLimit, item.offset, flags,
        ]
    }

    private mutating func readNumbers(_ bytes: ArraySlice<UInt8>) throws(MapError) {
        var reader = ByteReader(bytes)
        item.index = try reader.number()
        item.job = try reader.number()
        item.items = try reader.number()
        item.chunk = try reader.number()
        death.worker = try reader.number()
        death.workerPid = try reader.number()
        death.hostPid = try reader.number()
        death.signal = try reader.number()
        item.state = try reader.number()
        function.number = try reader.number()
        item.stride = try reader.number()
        process.memoryLimit = try reader.number()
        item.offset = try reader.number()
        let flags = try reader.number()
        function.isRange = flags & 1 != 0
        item.hasSpans = flags & 2 != 0
        function.hasData = flags & 4 != 0
        function.dataIsPointer = flags & 8 != 0
        if flags & 16 != 0 && item.pieces == nil { item.pieces = [] }
        try reader.end()
    }

    // MARK: - Writing

    func encoded() -> [UInt8] {
        var body: [UInt8] = []
        body.reserveCapacity(
            4096 + function.data.count + item.bytes.count + process.globals.reduce(0) { $0 + $1.bytes.count + 64 })
        func section(_ kind: Section, _ bytes: [UInt8]) {
            body.append(number: kind.rawValue)
            body.append(number: UInt64(bytes.count))
            body += bytes
            while body.count % 8 != 0 { body.append(0) }
        }
        func section(_ kind: Section, _ text: String) { section(kind, Array(text.utf8)) }
        func section(_ kind: Section, _ text: UserText) { section(kind, text.bytes) }
        section(.report, report)
        var line: [UInt8] = []
        for number in numbers { line.append(number: number) }
        section(.numbers, line)
        section(.functionName, function.name)
        section(.folder, process.folder)
        section(.run, function.run.encoded)
        section(.setup, function.setup.encoded)
        section(.cleanup, function.cleanup.encoded)
        section(.data, function.data)
        for global in process.globals {
            var bytes: [UInt8] = []
            bytes.append(number: UInt64(global.name.bytes.count))
            section(.global, bytes + global.name.bytes + global.bytes)
        }
        for path in process.modules { section(.module, path) }
        for entry in process.environmentSet { section(.environmentSet, entry) }
        for name in process.environmentUnset { section(.environmentUnset, name) }
        for piece in item.pieces ?? [] {
            var bytes: [UInt8] = []
            bytes.append(number: piece.offset)
            section(.piece, bytes + piece.bytes)
        }
        if !item.jobData.isEmpty { section(.jobData, item.jobData) }
        section(.input, item.bytes)
        var file = Self.magic
        file.append(number: Self.version)
        file.append(number: UInt64(Self.headSize + body.count))
        file.append(number: hash(body[...]))
        return file + body
    }

    // MARK: - Reading

    /// Throws what is wrong with the bytes.
    init(_ bytes: [UInt8]) throws(MapError) {
        var reader = ByteReader(bytes[...])
        guard bytes.starts(with: Self.magic) else { throw ByteReader.wrong("it does not begin as a crash file does") }
        _ = try reader.read(8)
        let version = try reader.number()
        guard version == Self.version else {
            throw ByteReader.wrong("it is of version \(version); this program reads version \(Self.version)")
        }
        let size = try reader.number()
        guard size == UInt64(bytes.count) else {
            throw ByteReader.wrong("it has \(bytes.count) bytes, but says it has \(size)")
        }
        let stored = try reader.number()
        guard stored == hash(reader.rest) else {
            throw ByteReader.wrong("its contents were changed: the hash does not fit")
        }
        var seen: UInt64 = 0
        while !reader.rest.isEmpty {
            let number = try reader.number()
            guard let kind = Section(rawValue: number) else {
                throw ByteReader.wrong("it has a section of kind \(number)")
            }
            let repeats = [.global, .module, .environmentSet, .environmentUnset, .piece].contains(kind)
            guard repeats || seen & 1 << number == 0 else { throw ByteReader.wrong("section \(number) occurs twice") }
            seen |= 1 << number
            let bytes = try reader.read(try reader.number())
            _ = try reader.read(UInt64((8 - bytes.count % 8) % 8))
            try read(kind, bytes)
        }
        for kind in [Section.numbers, .run, .setup, .cleanup, .data, .input] where seen & 1 << kind.rawValue == 0 {
            throw ByteReader.wrong("section \(kind.rawValue) is missing")
        }
        let offsets = [item.offset] + (item.pieces ?? []).map { $0.offset }
        guard offsets.allSatisfy({ $0 < 4096 }), death.worker < UInt64(MAPB_MAX_WORKERS), function.number > 0,
            function.number < UInt64(MAPB_MAX_FUNCTIONS)
        else {
            throw ByteReader.wrong("a number in it is out of its range")
        }
    }

    init() {}

    private mutating func read(_ kind: Section, _ bytes: ArraySlice<UInt8>) throws(MapError) {
        switch kind {
        case .report: report = String(decoding: bytes, as: UTF8.self)
        case .numbers: try readNumbers(bytes)
        case .functionName: function.name = printable(bytes)
        case .folder: process.folder = try ByteReader.text(bytes)
        case .run: function.run = try Code(bytes)
        case .setup: function.setup = try Code(bytes)
        case .cleanup: function.cleanup = try Code(bytes)
        case .data: function.data = Array(bytes)
        case .input: item.bytes = Array(bytes)
        case .piece:
            var reader = ByteReader(bytes)
            let offset = try reader.number()
            item.pieces = (item.pieces ?? []) + [Piece(offset: offset, bytes: Array(reader.rest))]
        case .jobData: item.jobData = Array(bytes)
        case .global:
            var reader = ByteReader(bytes)
            let name = try ByteReader.text(try reader.read(try reader.number()))
            process.globals.append(Global(name: name, bytes: Array(reader.rest)))
        case .module: process.modules.append(try ByteReader.text(bytes))
        case .environmentSet: process.environmentSet.append(try ByteReader.text(bytes))
        case .environmentUnset: process.environmentUnset.append(try ByteReader.text(bytes))
        }
    }
}

extension CrashFile.Code {
    /// From a function's record. A bare address is looked up: what lies in a shared library can be found again.
    init(_ place: mapb_place, text: (UInt64) -> UserText) {
        self.init()
        switch place.kind {
        case MAPB_PLACE_OFFSET.rawValue:
            set(place, library: text(place.library))
        case MAPB_PLACE_SYMBOL.rawValue:
            kind = .symbol
            library = text(place.library)
            self.text = text(place.value)
        case MAPB_PLACE_POINTER.rawValue:
            var found = mapb_place()
            var path = [CChar](repeating: 0, count: 4097)
            let location = unsafe mapb_locate(UnsafeRawPointer(bitPattern: UInt(place.value)), &found, &path)
            if location == Int32(MAPB_LOCATED_LIBRARY.rawValue) {
                set(found, library: UserText(array: path))
                return
            }
            kind = .unreachable
            self.text =
                location == Int32(MAPB_LOCATED_PROGRAM.rawValue)
                ? "lives in the host's main program, which cannot be loaded into another: move it into a shared library"
                : location == Int32(MAPB_LOCATED_GONE.rawValue)
                    ? "came from \"\(printable(UserText(array: path).bytes))\", which was removed since the host loaded it"
                    : "lies in memory that no file backs"
        default:
            kind = Kind(rawValue: place.kind) ?? .none
            if kind.isOffered { self.text = text(place.value) }
        }
    }

    private mutating func set(_ place: mapb_place, library: UserText) {
        kind = .offset
        offset = place.value
        self.library = library
        buildID = unsafe withUnsafeBytes(of: place.build_id) { unsafe Array($0.prefix(Int(place.build_id_size))) }
    }

    var encoded: [UInt8] {
        var bytes: [UInt8] = []
        for number in [
            UInt64(kind.rawValue), offset, UInt64(buildID.count), UInt64(library.bytes.count), UInt64(text.bytes.count),
        ] {
            bytes.append(number: number)
        }
        return bytes + buildID + library.bytes + text.bytes
    }

    init(_ bytes: ArraySlice<UInt8>) throws(MapError) {
        var reader = ByteReader(bytes)
        let number = try reader.number()
        guard let kind = UInt32(exactly: number).flatMap(Kind.init(rawValue:)) else {
            throw ByteReader.wrong("it has a place of kind \(number)")
        }
        let offset = try reader.number()
        let sizes = [try reader.number(), try reader.number(), try reader.number()]
        guard sizes[0] <= UInt64(MAPB_BUILD_ID) else { throw ByteReader.wrong("a build id has \(sizes[0]) bytes") }
        let buildID = Array(try reader.read(sizes[0]))
        let library = try ByteReader.text(try reader.read(sizes[1]))
        let text = try ByteReader.text(try reader.read(sizes[2]))
        try reader.end()
        guard (kind != .offset && kind != .symbol) || !library.isEmpty,
            (kind != .symbol && !kind.isOffered) || !text.isEmpty
        else { throw ByteReader.wrong("a place has no library, symbol or name") }
        self.init(kind: kind, offset: offset, buildID: buildID, library: library, text: text)
    }
}

extension [UInt8] {
    /// Eight bytes, lowest first.
    fileprivate mutating func append(number: UInt64) {
        for i in 0..<8 { append(UInt8(truncatingIfNeeded: number >> UInt64(8 * i))) }
    }
}

/// Against files that were cut or damaged, not against forgers.
private func hash(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    unsafe bytes.withUnsafeBytes { unsafe mapb_hash_bytes($0.baseAddress, UInt64($0.count)) }
}
