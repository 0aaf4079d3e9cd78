// Memory of one's own that C, or another thread, may look at: it has an address, and lives as long as its owner. Who writes it, and when,
// its owner says.

import CMapBridge

/// A word, for threads of this process and for functions of C.
@safe struct Word32: ~Copyable, @unchecked Sendable {
    /// Good as long as this.
    let pointer: UnsafeMutablePointer<UInt32>

    init() {
        unsafe pointer = .allocate(capacity: 1)
        unsafe pointer.initialize(to: 0)
    }

    deinit { unsafe pointer.deallocate() }

    /// A copy of some moment.
    var peeked: UInt32 { unsafe mapb_peek32(pointer) }
    /// What was written before it was stored is seen.
    var loaded: UInt32 { unsafe mapb_load32(pointer) }
    func store(_ value: UInt32) { unsafe mapb_store32(pointer, value) }
    func add(_ value: UInt32) { unsafe mapb_add32(pointer, value) }
    /// For one writer at a time.
    func advance() { store(peeked &+ 1) }

    /// Sleeps while the word is `seen`, at most so long; negative: for ever.
    func wait(while seen: UInt32, _ timeout: Int64) { unsafe mapb_word_wait_local(pointer, seen, timeout) }
    func wake() { unsafe mapb_word_wake_local(pointer) }
}

@safe struct Word64: ~Copyable, @unchecked Sendable {
    /// Good as long as this.
    let pointer: UnsafeMutablePointer<UInt64>

    init() {
        unsafe pointer = .allocate(capacity: 1)
        unsafe pointer.initialize(to: 0)
    }

    deinit { unsafe pointer.deallocate() }

    var peeked: UInt64 { unsafe mapb_peek(pointer) }
    var loaded: UInt64 { unsafe mapb_load(pointer) }
    func store(_ value: UInt64) { unsafe mapb_store(pointer, value) }
    func add(_ value: UInt64) { unsafe mapb_add(pointer, value) }
}

/// A fixed number of plain values side by side, read and written in place: an array would count references and check for copies.
@safe struct Cells<Element: BitwiseCopyable>: ~Copyable, @unchecked Sendable {
    private let start: UnsafeMutablePointer<Element>
    let count: Int

    init(repeating element: Element, count: Int) {
        unsafe start = .allocate(capacity: count)
        unsafe start.initialize(repeating: element, count: count)
        self.count = count
    }

    /// Each is written before it is read.
    init(unset count: Int) {
        unsafe start = .allocate(capacity: count)
        self.count = count
    }

    deinit { unsafe start.deallocate() }

    subscript(i: Int) -> Element {
        @inline(__always) unsafeAddress { unsafe UnsafePointer(address(i)) }
        @inline(__always) nonmutating unsafeMutableAddress { unsafe address(i) }
    }

    /// Where one lies, as long as this lives.
    @inline(__always)
    func address(_ i: Int) -> UnsafeMutablePointer<Element> {
        precondition(UInt(bitPattern: i) < UInt(bitPattern: count))
        return unsafe start + i
    }
}
