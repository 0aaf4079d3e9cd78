// Room for a text that C writes.

import CNet

@safe struct Text: ~Copyable {
    let pointer: UnsafeMutablePointer<CChar>

    init() {
        unsafe pointer = .allocate(capacity: Int(CNET_TEXT))
        unsafe pointer.initialize(repeating: 0, count: Int(CNET_TEXT))
    }

    deinit { unsafe pointer.deallocate() }

    var string: String {
        unsafe (pointer + Int(CNET_TEXT) - 1).pointee = 0
        return printable(unsafe String(cString: pointer))
    }
}
