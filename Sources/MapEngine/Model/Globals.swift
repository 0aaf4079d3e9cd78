// A pool's globals: names and bytes, as a job sees them from its submission to its end.
//
// A table is a trie over the hashes of names, four bits a level, in the input memory. It is never changed: setting a global makes new
// nodes from the root to that name, and shares all others with the table before. So that costs the same however many globals there
// are, jobs keep the table they were submitted with, and workers find a name in a few steps.
//
//   root ──► node ──► global: hash, name, bytes ──► another of the same hash

import CMapBridge

/// A table of globals. Nodes and values are freed with the last table that refers to them.
final class Globals {
    /// A name and its hash.
    struct Key: Equatable {
        let hash: UInt64
        let name: UserText

        init(_ name: UserText) {
            self.name = name
            hash = name.withCString { unsafe mapb_hash($0) }
        }
    }

    /// A global's name and bytes, shared by all tables it is in.
    final class Value {
        let key: Key
        /// The mapb_global, and behind it the name.
        let record: Block
        let block: Block
        let size: UInt64
        /// Another of the same hash.
        let next: Value?
        private let input: InputMemory
        private let ownsBytes: Bytes

        /// The bytes, shared by values that differ in `next` alone.
        final class Bytes {
            let block: Block
            private let input: InputMemory
            init(_ block: Block, _ input: InputMemory) {
                self.block = block
                self.input = input
            }
            deinit { input.free(block) }
        }

        /// Copies a global in.
        convenience init(_ name: UserText, _ data: UnsafeRawPointer?, _ size: Int, input: InputMemory) throws(MapError)
        {
            let block = try input.allocate(UInt64(size))
            if let data = unsafe data, size > 0 { unsafe input.copy(data, size, to: block.offset) }
            try self.init(Key(name), Bytes(block, input), UInt64(size), next: nil, input: input)
        }

        fileprivate init(_ key: Key, _ bytes: Bytes, _ size: UInt64, next: Value?, input: InputMemory)
            throws(MapError)
        {
            let text = key.name.bytes
            let head = UInt64(MemoryLayout<mapb_global>.size)
            record = try input.allocate(head + UInt64(text.count) + 1)
            self.key = key
            self.size = size
            self.next = next
            self.input = input
            ownsBytes = bytes
            block = bytes.block
            let place = unsafe UnsafeMutableRawPointer(input.at(record.offset + head, as: UInt8.self))
            unsafe place.copyMemory(from: text, byteCount: text.count)
            unsafe place.storeBytes(of: 0, toByteOffset: text.count, as: UInt8.self)
            unsafe input.at(record.offset, as: mapb_global.self).pointee = mapb_global(
                hash: key.hash, data: block.offset, size: size, next: next?.record.offset ?? 0)
        }

        deinit { input.free(record) }

        var name: UserText { key.name }
        var hash: UInt64 { key.hash }

        /// The same global, before another one of the same hash.
        fileprivate func before(_ next: Value?) throws(MapError) -> Value {
            try Value(key, ownsBytes, size, next: next, input: input)
        }

        /// The chain that begins here, with a global in it in place of one of that name.
        fileprivate func setting(_ value: Value) throws(MapError) -> Value {
            if key == value.key { return next == nil ? value : try value.before(next) }
            guard let next else { return try before(value) }
            return try before(try next.setting(value))
        }

        /// The chain that begins here without the global of that name.
        fileprivate func removing(_ name: Key) throws(MapError) -> Value? {
            if key == name { return next }
            guard let next else { return self }
            return try before(try next.removing(name))
        }
    }

    private enum Child {
        case none
        case node(Node)
        case value(Value)
    }

    private final class Node {
        var children = [Child](repeating: .none, count: Int(MAPB_GLOBALS_WIDTH))
        let block: Block
        private let input: InputMemory

        init(_ children: [Child], input: InputMemory) throws(MapError) {
            block = try input.allocate(UInt64(MemoryLayout<mapb_globals>.size))
            self.input = input
            self.children = children
            let slots = unsafe input.at(block.offset, as: UInt64.self)
            for (i, child) in children.enumerated() {
                switch child {
                case .none: unsafe slots[i] = 0
                case .node(let node): unsafe slots[i] = node.block.offset | UInt64(MAPB_GLOBALS_NODE)
                case .value(let value): unsafe slots[i] = value.record.offset
                }
            }
        }

        deinit { input.free(block) }
    }

    private let root: Node
    private let input: InputMemory
    let count: Int
    /// Bytes of all values together.
    let bytes: UInt64
    /// Which of the pool's tables this is: no other has it, while a root's place may be another's one day.
    var serial: UInt64 = 0

    /// The root's place.
    var block: Block { root.block }

    private static let bits = Int(MAPB_GLOBALS_BITS)

    private init(_ root: Node, count: Int, bytes: UInt64, input: InputMemory) {
        self.root = root
        self.count = count
        self.bytes = bytes
        self.input = input
    }

    /// A table of one.
    convenience init(_ value: Value, input: InputMemory) throws(MapError) {
        var children = [Child](repeating: .none, count: Int(MAPB_GLOBALS_WIDTH))
        children[Self.place(value.hash, 0)] = .value(value)
        self.init(try Node(children, input: input), count: 1, bytes: value.size, input: input)
    }

    private static func place(_ hash: UInt64, _ level: Int) -> Int {
        Int(hash >> UInt64(level * bits) & UInt64(MAPB_GLOBALS_WIDTH - 1))
    }

    /// A table with a global more; nil has none yet.
    static func setting(_ value: Value, in table: Globals?, _ input: InputMemory) throws(MapError) -> Globals {
        guard let table else { return try Globals(value, input: input) }
        return try table.setting(value)
    }

    /// This table with a global in it, in place of one of the same name.
    func setting(_ value: Value) throws(MapError) -> Globals {
        let old = find(value.key)
        let root = try setting(value, in: root, 0)
        return Globals(
            root, count: count + (old == nil ? 1 : 0), bytes: bytes - (old?.size ?? 0) + value.size, input: input)
    }

    private func setting(_ value: Value, in node: Node, _ level: Int) throws(MapError) -> Node {
        var children = node.children
        let place = Self.place(value.hash, level)
        switch children[place] {
        case .none: children[place] = .value(value)
        case .node(let below): children[place] = .node(try setting(value, in: below, level + 1))
        case .value(let other):
            if other.hash == value.hash {
                children[place] = .value(try other.setting(value))
            } else {
                children[place] = try parting(other, value, level + 1)
            }
        }
        return try Node(children, input: input)
    }

    /// Nodes down to where two hashes differ.
    private func parting(_ a: Value, _ b: Value, _ level: Int) throws(MapError) -> Child {
        var children = [Child](repeating: .none, count: Int(MAPB_GLOBALS_WIDTH))
        let place = Self.place(a.hash, level)
        if place == Self.place(b.hash, level) {
            children[place] = try parting(a, b, level + 1)
        } else {
            children[place] = .value(a)
            children[Self.place(b.hash, level)] = .value(b)
        }
        return .node(try Node(children, input: input))
    }

    /// This table without a global; nil when it was the last.
    func removing(_ name: Key) throws(MapError) -> Globals? {
        guard let old = find(name) else { return self }
        if count == 1 { return nil }
        let children = try removing(name, from: root, 0)
        return Globals(
            try Node(children, input: input), count: count - 1, bytes: bytes - old.size, input: input)
    }

    /// A node's children without that name, which is there.
    private func removing(_ name: Key, from node: Node, _ level: Int) throws(MapError) -> [Child] {
        var children = node.children
        let place = Self.place(name.hash, level)
        switch children[place] {
        case .none: break
        case .value(let first):
            if let left = try first.removing(name) { children[place] = .value(left) } else { children[place] = .none }
        case .node(let below):
            let left = try removing(name, from: below, level + 1)
            if let only = Self.only(left) {
                children[place] = only
            } else {
                children[place] = .node(try Node(left, input: input))
            }
        }
        return children
    }

    /// What a node is replaced by that has but one value, or nothing.
    private static func only(_ children: [Child]) -> Child? {
        var only = Child.none
        for child in children {
            switch (child, only) {
            case (.none, _): continue
            case (.value, .none): only = child
            default: return nil
            }
        }
        return only
    }

    private func find(_ name: Key) -> Value? {
        var node = root
        var level = 0
        while true {
            switch node.children[Self.place(name.hash, level)] {
            case .none: return nil
            case .node(let below):
                node = below
                level += 1
            case .value(let first):
                var found: Value? = first
                while let it = found, it.key != name { found = it.next }
                return found
            }
        }
    }

    /// All of them, in no order.
    var values: [Value] {
        var all: [Value] = []
        all.reserveCapacity(count)
        Self.collect(root, &all)
        return all
    }

    private static func collect(_ node: Node, _ all: inout [Value]) {
        for child in node.children {
            switch child {
            case .none: break
            case .node(let below): collect(below, &all)
            case .value(let first):
                var next: Value? = first
                while let value = next {
                    all.append(value)
                    next = value.next
                }
            }
        }
    }
}
