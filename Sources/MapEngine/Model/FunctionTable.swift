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
            if let function = line.function, function.life.stage != .leaving { result.append(function) }
        }
        return result
    }

    /// The function that jobs can be submitted for by this id.
    subscript(id: UInt32) -> Function? {
        let line = Int(id & (1 << Self.bits - 1)) - 1
        guard line >= 0, line < lines.count, let function = lines[line].function, function.id == id,
            function.life.stage == .registered
        else { return nil }
        return function
    }

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

    /// No worker has the function any more.
    mutating func remove(_ function: Function) {
        let line = Int(function.line) - 1
        lines[line].function = nil
        lines[line].turn += 1
        if lines[line].turn < Self.turns { free.append(function.line) }
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
    }
}
