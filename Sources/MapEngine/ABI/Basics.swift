// mape_version, mape_status_string, mape_message.

import CMapBridge

@_noLocks @implementation @_cdecl("mape_version")
public func mape_version() -> UInt32 { UInt32(MAPB_VERSION) }

@implementation @_cdecl("mape_status_string")
public func mape_status_string(_ status: Int32) -> UnsafePointer<CChar>! {
    unsafe mapb_status_text(status)
}

@implementation @_cdecl("mape_message")
public func mape_message(_ buffer: UnsafeMutablePointer<CChar>!, _ size: Int, _ pool: OpaquePointer!) -> Int {
    // A size_t: more than half of an address space is room enough as well.
    let room = UInt(bitPattern: size)
    if room > 0, let buffer = unsafe buffer { unsafe buffer.pointee = 0 }
    if notHost() != nil { return 0 }
    var text = Handles.shared.getMessage()
    if let pool = unsafe pool, let live = poolOf(UInt(bitPattern: pool), .pool) {
        text = live.core.with { $0.life.lastMessage }
    }
    let whole = CText(text)
    if room > 0, let buffer = unsafe buffer {
        let count = unsafe Int(mapb_length(whole.bytes, UInt64(room - 1)))
        unsafe buffer.update(from: whole.bytes, count: count)
        unsafe buffer[count] = 0
    }
    return whole.count
}
