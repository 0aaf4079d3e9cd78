// A typed function as the host keeps it: its prototype, and the plan by which workers, and proxies in the host, make calls.

import CMapBridge

final class NativeFunction {
    let prototype: Prototype
    /// A mapb_native with its parts.
    let plan: [UInt8]
    /// Texts handed out by mape_function_prototype and mape_function_parameter; they live as long as the pool.
    let nameText: CText
    let parameterTexts: [Texts]

    final class Texts {
        let name: CText
        let type: CText

        init(_ name: String, _ type: String) {
            self.name = CText(name)
            self.type = CText(type)
        }
    }

    init(_ prototype: Prototype) throws(MapError) {
        self.prototype = prototype
        nameText = CText(prototype.name)
        var texts = prototype.parameters.map { Texts($0.name, $0.spelling) }
        texts.append(Texts("return", prototype.returnSpelling))
        texts.append(Texts("errno", "int"))
        parameterTexts = texts
        var builder = PlanBuilder(prototype)
        plan = builder.build()
        guard builder.elements <= PrototypeParser.mostElements else {
            throw .argument(
                "function.prototype",
                "has structures with \(builder.elements) members and elements; at most \(PrototypeParser.mostElements) are possible"
            )
        }
        try checkWithLibffi(builder.types)
    }

    /// Checks that libffi can make such a call, and agrees on the sizes of types.
    private func checkWithLibffi(_ types: [NativeType]) throws(MapError) {
        let prepared = try PreparedCall(plan)
        for (i, type) in types.enumerated() {
            let size = unsafe mapb_native_type_size(prepared.memory, UInt32(i))
            // Types that only pointers point to are not looked at by libffi.
            if size != 0 && size != type.size {
                throw MapError(
                    MAPE_E_UNSUPPORTED,
                    "function.prototype: libffi takes \(type.spelling) to have \(size) bytes, not \(type.size)"
                )
            }
        }
    }
}

/// A plan prepared for libffi in memory of the host: untyped, since C alone knows what lies in it. Freed with this.
@safe final class PreparedCall {
    let memory: UnsafeMutableRawPointer
    private let plan: UnsafeMutableRawPointer

    init(_ bytes: [UInt8]) throws(MapError) {
        let copy = UnsafeMutableRawPointer.allocate(byteCount: bytes.count, alignment: 16)
        unsafe bytes.withUnsafeBytes { unsafe copy.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
        unsafe plan = copy
        let typed = unsafe copy.assumingMemoryBound(to: mapb_native.self)
        let size = unsafe Int(mapb_native_memory(typed))
        unsafe memory = .allocate(byteCount: size, alignment: 16)
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: size)
        if unsafe mapb_native_prepare(typed, nil, memory) != 0 {
            throw MapError(
                MAPE_E_UNSUPPORTED, "function.prototype: libffi cannot make calls of this type on this machine")
        }
    }

    deinit {
        unsafe memory.deallocate()
        unsafe plan.deallocate()
    }
}

/// Writes a prototype as a plan, in the form of mapb_native.h.
private struct PlanBuilder {
    let prototype: Prototype
    private(set) var types: [NativeType] = []
    private var places: [ObjectIdentifier: UInt32] = [:]
    private var typeRecords: [mapb_native_type] = []
    private var members: [mapb_native_member] = []
    private(set) var elements: UInt64 = 0

    init(_ prototype: Prototype) { self.prototype = prototype }

    /// The number of a type; its members get theirs before it.
    private mutating func number(of type: NativeType) -> UInt32 {
        if let known = places[ObjectIdentifier(type)] { return known }
        var record = mapb_native_type()
        record.kind = type.kind.rawValue
        let records = type.members.map { mapb_native_member(type: number(of: $0.type), repeat: UInt32($0.count)) }
        record.first = UInt32(members.count)
        record.count = UInt32(records.count)
        members.append(contentsOf: records)
        if type.kind == MAPE_TYPE_STRUCT { elements += 1 + type.members.reduce(0) { $0 + $1.count } }
        let place = UInt32(typeRecords.count)
        typeRecords.append(record)
        types.append(type)
        places[ObjectIdentifier(type)] = place
        return place
    }

    mutating func build() -> [UInt8] {
        var plan = mapb_native()
        switch prototype.result {
        case .none: plan.result_form = MAPB_FORM_NONE.rawValue
        case .value(let type):
            plan.result_form = MAPB_FORM_VALUE.rawValue
            plan.result_type = number(of: type)
            plan.result_size = type.size
        case .text(let size):
            plan.result_form = MAPB_FORM_TEXT.rawValue
            plan.result_size = size
        }
        let parameters = prototype.parameters.map { record(of: $0) }
        plan.flags =
            (prototype.reportsErrno ? MAPB_NATIVE_ERRNO.rawValue : 0)
            | (prototype.mustClear ? MAPB_NATIVE_CLEAR.rawValue : 0)
            | (prototype.varies ? MAPB_NATIVE_VARIES.rawValue : 0)
            | (prototype.isVariadic ? MAPB_NATIVE_VARIADIC.rawValue : 0)
        plan.type_count = UInt32(typeRecords.count)
        plan.member_count = UInt32(members.count)
        plan.element_count = UInt32(elements)
        plan.parameter_count = UInt32(parameters.count)
        plan.fixed_count = UInt32(prototype.fixedCount)
        plan.errno_offset = prototype.errnoOffset
        plan.item_size = prototype.itemSize
        plan.record_size = prototype.resultSize
        plan.bytes = UInt32(
            MemoryLayout<mapb_native>.size + typeRecords.count * MemoryLayout<mapb_native_type>.stride + members.count
                * MemoryLayout<mapb_native_member>.stride + parameters.count
                * MemoryLayout<mapb_native_parameter>.stride)
        var bytes: [UInt8] = []
        append([plan], to: &bytes)
        append(typeRecords, to: &bytes)
        append(members, to: &bytes)
        append(parameters, to: &bytes)
        return bytes
    }

    private func append<T>(_ records: [T], to bytes: inout [UInt8]) {
        unsafe records.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
    }

    private mutating func record(of parameter: Prototype.Parameter) -> mapb_native_parameter {
        var record = mapb_native_parameter()
        record.form =
            switch parameter.form {
            case .value: MAPB_FORM_VALUE.rawValue
            case .array: MAPB_FORM_ARRAY.rawValue
            case .text: MAPB_FORM_TEXT.rawValue
            }
        record.type = number(of: parameter.type)
        record.is_in = parameter.isIn ? 1 : 0
        record.is_out = parameter.isOut ? 1 : 0
        record.length_parameter = parameter.lengthParameter.map { Int32($0) } ?? -1
        record.column = parameter.isIn ? UInt32(parameter.input) : 0
        record.length = parameter.length
        record.element_size = parameter.type.size
        record.item_offset = parameter.inputOffset
        record.record_offset = parameter.outputOffset
        unsafe withUnsafeMutableBytes(of: &record.name) {
            unsafe $0.copyBytes(from: parameter.name.utf8.prefix($0.count - 1))
        }
        return record
    }
}
