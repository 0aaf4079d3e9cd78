// A column of values on its way from the host into the input memory.

import CMapBridge

/// A column in memory of the host that is still to be copied.
@safe struct HostColumn {
    let base: UnsafeRawPointer
    let stride: Int
    let size: Int
    let target: UInt64

    func copy(_ first: UInt64, _ end: UInt64, into input: InputMemory) {
        let from = unsafe base + Int(first) * stride
        let to = unsafe UnsafeMutableRawPointer(input.base + Int(target) + Int(first) * size)
        let count = Int(end - first)
        if stride == size {
            unsafe to.copyMemory(from: from, byteCount: count * size)
            return
        }
        switch size {
        case 4: unsafe strided(from, to, count, as: UInt32.self)
        case 8: unsafe strided(from, to, count, as: UInt64.self)
        default:
            for i in 0..<count { unsafe (to + i * size).copyMemory(from: from + i * stride, byteCount: size) }
        }
    }

    private func strided<T: BitwiseCopyable>(
        _ from: UnsafeRawPointer, _ to: UnsafeMutableRawPointer, _ count: Int, as: T.Type
    ) {
        for i in 0..<count {
            unsafe to.storeBytes(of: (from + i * stride).loadUnaligned(as: T.self), toByteOffset: i * size, as: T.self)
        }
    }
}
