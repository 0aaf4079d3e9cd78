import CMapBridge

/// A text with a stable address, ended with NUL, for handing out to C.
@safe final class CText {
    let bytes: UnsafeMutablePointer<CChar>
    let count: Int

    convenience init(_ text: String) {
        var text = text
        self.init(copying: &text)
    }

    private convenience init(copying text: inout String) {
        let bytes = Array(text.utf8)
        self.init(array: bytes)
    }

    init(array: [UInt8]) {
        count = array.count
        unsafe bytes = .allocate(capacity: array.count + 1)
        unsafe UnsafeMutableRawPointer(bytes).copyMemory(from: array, byteCount: array.count)
        unsafe bytes[array.count] = 0
    }

    /// For messages.
    var string: String { unsafe String(cString: bytes) }

    deinit { unsafe bytes.deallocate() }
}

/// "" for C, for ever.
var emptyText: UnsafePointer<CChar> { unsafe mapb_empty_text() }
