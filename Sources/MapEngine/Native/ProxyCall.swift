// One call of a proxy: the caller's arguments become a packed item, a record becomes the caller's result and outputs.
//
// What is marked unsafe here follows the caller's pointers, which are as good as the prototype he gave; no type can tell more of them.

import CMapBridge

@safe struct ProxyCall {
    let prototype: Prototype
    let result: UnsafeMutableRawPointer
    /// The address of each argument.
    let arguments: UnsafePointer<UnsafeMutableRawPointer?>

    /// libffi reads a word where the result is an integer that is smaller.
    func clearResult() {
        guard case .value(let type) = prototype.result else { return }
        unsafe result.initializeMemory(as: UInt8.self, repeating: 0, count: Int(max(type.size, 8)))
    }

    private func argument(_ k: Int) -> UnsafeRawPointer { unsafe UnsafeRawPointer(arguments[k]!) }
    /// What a pointer argument points to.
    private func pointee(_ k: Int) -> UnsafeMutableRawPointer? {
        unsafe argument(k).loadUnaligned(as: UnsafeMutableRawPointer?.self)
    }

    /// Bytes of array or text k in this call.
    private func size(_ k: Int) throws(MapError) -> UInt64 {
        let parameter = prototype.parameters[k]
        if parameter.form == .text {
            guard let text = unsafe pointee(k) else { return 0 }
            try checkRange(text, 1, "\(parameter.shown(k))")
            return unsafe UInt64(length(of: text.assumingMemoryBound(to: CChar.self))) + 1
        }
        guard let counter = parameter.lengthParameter else { return parameter.size }
        guard let count = unsafe integer(at: argument(counter), prototype.parameters[counter].type.kind) else {
            throw .argument(
                prototype.parameters[counter].shown(counter),
                "is negative, but it is the length of \"\(parameter.name)\"")
        }
        let (size, over) = count.multipliedReportingOverflow(by: parameter.size)
        guard !over, size <= 1 << 40 else {
            throw MapError(MAPE_E_OVERFLOW, "\(parameter.shown(k)): its length is \(count), more than memory can hold")
        }
        try unsafe checkRange(pointee(k), size, "\(parameter.shown(k)): its length, \(count),")
        return size
    }

    /// Bytes of the item. Throws when the call cannot be made.
    func itemSize() throws(MapError) -> UInt64 {
        var total = aligned(prototype.itemSize, 16)
        for k in prototype.inputs where prototype.parameters[k].form != .value {
            let parameter = prototype.parameters[k]
            if parameter.varies {
                total += aligned(try size(k), 16)
            } else if unsafe pointee(k) == nil {
                throw .argument(parameter.shown(k), "is NULL")
            }
        }
        return total
    }

    /// Fills the item, which is as large as itemSize says.
    func pack(into item: UnsafeMutableRawBufferPointer) {
        guard let base = item.baseAddress else { return }
        var tail = aligned(prototype.itemSize, 16)
        for k in prototype.inputs {
            let parameter = prototype.parameters[k]
            let place = unsafe base + Int(parameter.inputOffset)
            if parameter.form == .value {
                unsafe place.copyMemory(from: argument(k), byteCount: Int(parameter.size))
            } else if !parameter.varies {
                unsafe place.copyMemory(from: pointee(k)!, byteCount: Int(parameter.size))
            } else if let from = unsafe pointee(k), let bytes = try? size(k) {
                // A text that another thread makes longer meanwhile is cut to what there was room for.
                let count = min(bytes, UInt64(item.count) - tail)
                unsafe place.storeBytes(of: mape_native_span(offset: tail, size: count), as: mape_native_span.self)
                unsafe (base + Int(tail)).copyMemory(from: from, byteCount: Int(count))
                if parameter.form == .text, count > 0 {
                    unsafe base.storeBytes(of: 0, toByteOffset: Int(tail + count) - 1, as: UInt8.self)
                }
                tail += aligned(count, 16)
            } else {
                unsafe place.storeBytes(of: mape_native_span(), as: mape_native_span.self)
            }
        }
    }

    /// Unpacks the record of a call that ended well. Returns errno, if the function reports it.
    func unpack(_ record: UnsafeRawBufferPointer) -> Int32? {
        guard let base = record.baseAddress else { return nil }
        if case .value(let type) = prototype.result { unsafe store(type, from: base) }
        for k in prototype.parameters.indices where prototype.parameters[k].isOut {
            guard let to = unsafe pointee(k) else { continue }
            let parameter = prototype.parameters[k]
            let place = unsafe base + Int(parameter.outputOffset)
            guard parameter.varies else {
                unsafe to.copyMemory(from: place, byteCount: Int(parameter.size))
                continue
            }
            // The worker wrote the span: it counts only inside the record, and inside what the caller has.
            let span = unsafe place.loadUnaligned(as: mape_native_span.self)
            guard let most = try? size(k), span.offset <= UInt64(record.count), span.size <= most,
                span.size <= UInt64(record.count) - span.offset
            else { continue }
            unsafe to.copyMemory(from: base + Int(span.offset), byteCount: Int(span.size))
        }
        return prototype.reportsErrno
            ? unsafe base.loadUnaligned(fromByteOffset: Int(prototype.errnoOffset), as: Int32.self) : nil
    }

    /// Writes the result, integers widened to a word as libffi wants them.
    private func store(_ type: NativeType, from place: UnsafeRawPointer) {
        func widen<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type) {
            let value = unsafe place.loadUnaligned(as: T.self)
            unsafe result.storeBytes(of: Int64(truncatingIfNeeded: value), as: Int64.self)
        }
        switch type.kind {
        case MAPE_TYPE_BOOL, MAPE_TYPE_UINT8: widen(UInt8.self)
        case MAPE_TYPE_INT8: widen(Int8.self)
        case MAPE_TYPE_INT16: widen(Int16.self)
        case MAPE_TYPE_UINT16: widen(UInt16.self)
        case MAPE_TYPE_INT32: widen(Int32.self)
        case MAPE_TYPE_UINT32: widen(UInt32.self)
        default: unsafe result.copyMemory(from: place, byteCount: Int(type.size))
        }
    }
}
