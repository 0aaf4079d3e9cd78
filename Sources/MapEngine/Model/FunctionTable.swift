// A pool's functions by their numbers.
//
//   id    what the host has:  turn << 20 | line      never given twice
//   line  what workers have:  1, 2, 3, ...           another function's once the function that had it is gone
//
// So a pool that registers and unregisters for ever takes no more memory, in the host and in workers, than the functions that there are at
// once. A line that has had 4,096 functions is not used again: one id would have to be given twice.

struct FunctionTable {
    private struct Line {
        var function: Function?
        /// Non-nil: it is that function's other name. Workers know nothing of it.
        var alias: Work?
        var turn: UInt32 = 0
    }

    private static let bits: UInt32 = 20
    private static let turns: UInt32 = 1 << (32 - bits)
    private var lines: [Line] = []
    private var free: [UInt32] = []
    private let most: Int

    /// - most: how many lines there can be.
    init(most: Int) { self.most = min(most, 1 << Int(Self.bits) - 1) }

    /// Those that workers load, or have loaded.
    var loaded: [Function] {
        var result: [Function] = []
        for line in lines {
            if let function = line.function, line.alias == nil, function.life.stage != .leaving {
                result.append(function)
            }
        }
        return result
    }

    /// The function that jobs can be submitted for by this id, its own or that of another name.
    subscript(id: UInt32) -> Function? {
        @inline(__always) get {
            let line = Int(id & (1 << Self.bits - 1)) - 1
            guard line >= 0, line < lines.count, let function = lines[line].function,
                function.id == id || alias(id)?.id == id, function.life.stage == .registered
            else { return nil }
            return function
        }
    }

    /// The other name that an id stands for; nil: it is that of the function itself. The id has a line.
    @inline(never)
    func alias(_ id: UInt32) -> Work? { lines[Int(id & (1 << Self.bits - 1)) - 1].alias }

    var hasRoom: Bool { !free.isEmpty || lines.count < most }

    /// The id and the line of the next function; there is room.
    var next: (id: UInt32, line: UInt32) {
        let line = free.last ?? UInt32(lines.count) + 1
        let turn = free.isEmpty ? 0 : lines[Int(line) - 1].turn
        return (turn << Self.bits | line, line)
    }

    /// Adds the function that `next` was for.
    mutating func add(_ function: Function) {
        if free.popLast() == nil { lines.append(Line()) }
        lines[Int(function.line) - 1].function = function
    }

    /// Adds another name of a function, for which there is room. Returns the id.
    /// - name: nil: none, but a group of its jobs. whole: the id that it is made of.
    mutating func add(alias name: String?, of function: Function, _ whole: UInt32) -> UInt32 {
        let (id, line) = next
        if free.popLast() == nil { lines.append(Line()) }
        lines[Int(line) - 1].function = function
        let named = function.id == whole ? function.work : alias(whole) ?? function.work
        lines[Int(line) - 1].alias = name.map { Work(id: id, name: $0) } ?? Work(id: id, of: named)
        function.life.aliases.append(line)
        return id
    }

    /// Removes another name of a function. False: the id is not one.
    mutating func remove(alias id: UInt32) -> Bool {
        guard let function = self[id], function.id != id else { return false }
        let line = id & (1 << Self.bits - 1)
        function.life.aliases.removeAll { $0 == line }
        empty(line)
        return true
    }

    /// No worker has the function any more. Its other names go with it.
    mutating func remove(_ function: Function) {
        for line in function.life.aliases { empty(line) }
        function.life.aliases = []
        empty(function.line)
    }

    private mutating func empty(_ number: UInt32) {
        let line = Int(number) - 1
        lines[line].function = nil
        lines[line].alias = nil
        lines[line].turn += 1
        if lines[line].turn < Self.turns { free.append(number) }
    }

    /// How many lines there are, those of removed functions included.
    var count: Int { lines.count }
}

extension Function {
    struct Life {
        enum Stage {
            case registered
            /// Unregistered; jobs from before go on.
            case closed
            /// Workers forget it.
            case leaving
        }
        var stage = Stage.registered
        /// How many of its jobs are not done.
        var unended = 0
        /// How many workers have still to run its cleanup.
        var owed = 0
        /// The lines of its other names.
        var aliases: [UInt32] = []
    }
}
