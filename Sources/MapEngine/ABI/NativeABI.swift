// Entry points on typed functions: their inputs and outputs, and jobs over columns.

import CMapBridge

/// A registered function with a prototype.
func typed(_ core: Core, _ id: UInt32) throws(MapError) -> (Function, NativeFunction) {
    let function = try core.function(id)
    return (function, try typed(function))
}

func typed(_ function: Function) throws(MapError) -> NativeFunction {
    if let native = function.native { return native }
    throw MapError(MAPE_E_STATE, "function \(function.id), \"\(function.name)\", was registered without a prototype")
}

@implementation @_cdecl("mape_function_prototype")
public func mape_function_prototype(
    _ out: UnsafeMutablePointer<mape_prototype_info>!, _ pool: OpaquePointer!, _ function: mape_function_id
) -> Int32 {
    enter(pool, .pool, "pool") { (pool, _) throws(MapError) in
        let out = try unsafe checkSize(out, "out")
        try pool.core.with { (core) throws(MapError) in
            let native = try typed(core, function).1
            let prototype = native.prototype
            var info = mape_prototype_info()
            info.struct_size = MemoryLayout<mape_prototype_info>.size
            unsafe info.name = UnsafePointer(native.nameText.bytes)
            info.parameters = UInt32(prototype.parameters.count)
            info.fixed = UInt32(prototype.fixedCount)
            info.is_variadic = prototype.isVariadic ? 1 : 0
            info.inputs = UInt32(prototype.inputs.count)
            info.outputs = UInt32(prototype.outputs.count)
            info.item_size = Int(prototype.itemSize)
            info.result_size = Int(prototype.resultSize)
            out.pointee = info
        }
        return MAPE_OK.rawValue
    }
}

@implementation @_cdecl("mape_function_parameter")
public func mape_function_parameter(
    _ out: UnsafeMutablePointer<mape_parameter_info>!, _ pool: OpaquePointer!, _ function: mape_function_id,
    _ index: UInt32
) -> Int32 {
    enter(pool, .pool, "pool") { (pool, _) throws(MapError) in
        let out = try unsafe checkSize(out, "out")
        try pool.core.with { (core) throws(MapError) in
            out.pointee = try typed(core, function).1.info(index)
        }
        return MAPE_OK.rawValue
    }
}

extension NativeFunction {
    fileprivate func info(_ index: UInt32) throws(MapError) -> mape_parameter_info {
        var info = mape_parameter_info()
        info.struct_size = MemoryLayout<mape_parameter_info>.size
        info.length_parameter = -1
        info.length = 1
        info.input = -1
        info.output = -1
        let texts: Texts
        if index < UInt32(prototype.parameters.count) {
            let parameter = prototype.parameters[Int(index)]
            texts = parameterTexts[Int(index)]
            info.type = (parameter.form == .text ? MAPE_TYPE_STRING : parameter.type.kind).rawValue
            info.direction =
                (parameter.isIn ? MAPE_DIRECTION_IN.rawValue : 0) | (parameter.isOut ? MAPE_DIRECTION_OUT.rawValue : 0)
            info.is_array = parameter.form == .array ? 1 : 0
            info.length_parameter = parameter.lengthParameter.map { Int32($0) } ?? -1
            info.length = parameter.length
            info.element_size = Int(parameter.type.size)
            info.input = Int32(parameter.input)
            info.output = Int32(parameter.output)
            info.input_offset = Int(parameter.inputOffset)
            info.output_offset = Int(parameter.outputOffset)
        } else if index == UInt32.max {
            texts = parameterTexts[prototype.parameters.count]
            info.direction = MAPE_DIRECTION_OUT.rawValue
            switch prototype.result {
            case .none: break
            case .value(let type):
                info.type = type.kind.rawValue
                info.element_size = Int(type.size)
                info.output = 0
            case .text(let size):
                info.type = MAPE_TYPE_STRING.rawValue
                info.length = size
                info.element_size = 1
                info.output = 0
            }
        } else if index == UInt32.max - 1 && prototype.reportsErrno {
            texts = parameterTexts[prototype.parameters.count + 1]
            info.direction = MAPE_DIRECTION_OUT.rawValue
            info.type = MAPE_TYPE_INT32.rawValue
            info.element_size = 4
            info.output = Int32(prototype.outputs.count) - 1
            info.output_offset = Int(prototype.errnoOffset)
        } else {
            throw MapError(
                MAPE_E_INDEX,
                index == UInt32.max - 1
                    ? "index: errno is no output of this function; MAPE_NATIVE_ERRNO makes it one"
                    : "index is \(index); the function has \(prototype.parameters.count) parameters")
        }
        unsafe info.name = UnsafePointer(texts.name.bytes)
        unsafe info.type_name = UnsafePointer(texts.type.bytes)
        return info
    }
}

/// Checks columns against a prototype.
@safe struct ColumnReader {
    let prototype: Prototype
    let count: UInt64

    /// The columns of a C array, with their sizes checked.
    static func read(_ columns: UnsafePointer<mape_column>?, _ given: Int, _ wanted: Int, _ what: String)
        throws(MapError)
        -> [mape_column]
    {
        guard given == wanted else {
            throw .argument(
                "column_count", "is \(given); the function has \(wanted) \(what)\(wanted == 1 ? "" : "s")")
        }
        guard wanted > 0 else { return [] }
        guard let columns = unsafe columns else { throw .null("columns") }
        try checkArray(columns, UInt64(wanted), "columns")
        var all = [mape_column]()
        for k in 0..<wanted {
            try unsafe all.append(checked(columns + k, "columns[\(k)]"))
        }
        return all
    }

    private func error(_ status: mape_status, _ k: Int, _ who: String, _ what: String) -> MapError {
        MapError(status, "columns[\(k)], for \(who): \(what)")
    }

    func input(_ k: Int, _ column: mape_column) throws(MapError) -> InputColumn {
        let index = prototype.inputs[k]
        let parameter = prototype.parameters[index]
        let who = parameter.shown(index)
        guard let base = unsafe column.base ?? (count == 0 ? UnsafeMutableRawPointer(bitPattern: 16) : nil) else {
            throw error(MAPE_E_ARGUMENT, k, who, "base is NULL")
        }
        let type = parameter.form == .text ? MAPE_TYPE_STRING : parameter.type.kind
        try check(column.type, type, k, who)
        guard column.pointers <= 1 else {
            throw error(MAPE_E_ARGUMENT, k, who, "pointers is \(column.pointers); 0 or 1 are possible")
        }
        guard column.size >= 0 else { throw error(MAPE_E_OVERFLOW, k, who, "size is more than memory can hold") }
        if parameter.form == .text || column.pointers == 1 {
            guard parameter.form != .value else {
                throw error(MAPE_E_ARGUMENT, k, who, "pointers is 1, but it is no array")
            }
            return unsafe InputColumn(base: base, stride: column.stride, size: 8, isPointers: true)
        }
        let size = UInt64(column.size)
        if parameter.varies {
            guard size > 0 else {
                throw error(
                    MAPE_E_ARGUMENT, k, who,
                    "its length is a parameter: say by size how many bytes there are for each call, or give pointers")
            }
            return unsafe InputColumn(base: base, stride: column.stride, size: size, isPointers: false)
        }
        guard size == 0 || size == parameter.size else {
            throw error(MAPE_E_ARGUMENT, k, who, "size is \(size), but the parameter has \(parameter.size) bytes")
        }
        return unsafe InputColumn(base: base, stride: column.stride, size: parameter.size, isPointers: false)
    }

    func output(_ k: Int, _ column: mape_column) throws(MapError) -> OutputColumn {
        let output = prototype.outputs[k]
        let who = "output \(k + 1), \"\(output.name)\" (\(output.spelling))"
        guard unsafe column.base != nil else { return unsafe OutputColumn(base: nil, stride: 0, size: 0) }
        try check(column.type, output.type, k, who)
        guard column.pointers == 0 else {
            throw error(MAPE_E_ARGUMENT, k, who, "pointers are for inputs")
        }
        guard column.size >= 0 else { throw error(MAPE_E_OVERFLOW, k, who, "size is more than memory can hold") }
        let given = UInt64(column.size)
        var size = given
        if let exact = output.size {
            guard given == 0 || given >= exact else {
                throw error(MAPE_E_OVERFLOW, k, who, "size is \(given), but the output has \(exact) bytes")
            }
            size = exact
        } else if given == 0 {
            throw error(
                MAPE_E_ARGUMENT, k, who, "its length is a parameter: say by size how many bytes there are for each call"
            )
        }
        if count > 1 && UInt64(column.stride.magnitude) < size {
            throw error(
                MAPE_E_OVERFLOW, k, who, "stride is \(column.stride), too small for places of \(size) bytes")
        }
        guard
            unsafe AddressRange(UInt(bitPattern: column.base), count: count, stride: column.stride, size: size) != nil
        else {
            throw error(
                MAPE_E_OVERFLOW, k, who,
                "count (\(count)) times its stride (\(column.stride)) passes the end of memory")
        }
        return unsafe OutputColumn(base: column.base, stride: column.stride, size: size)
    }

    private func check(_ given: UInt32, _ wanted: mape_type, _ k: Int, _ who: String) throws(MapError) {
        if given == MAPE_TYPE_NONE.rawValue || given == wanted.rawValue { return }
        guard given <= MAPE_TYPE_BYTE.rawValue else {
            throw error(MAPE_E_ARGUMENT, k, who, "type is \(given), no enum mape_type")
        }
        throw error(
            MAPE_E_ARGUMENT, k, who, "type is \(mape_type(rawValue: given).text), but it takes \(wanted.text)")
    }
}

@implementation @_cdecl("mape_map_columns")
public func mape_map_columns(
    _ out_job: UnsafeMutablePointer<OpaquePointer?>!, _ pool: OpaquePointer!, _ function: mape_function_id,
    _ count: UInt64,
    _ columns: UnsafePointer<mape_column>!, _ column_count: Int, _ config: UnsafePointer<mape_job_config>!
) -> Int32 {
    unsafe submit(pool, function, config, out_job) { (pool, callee) throws(MapError) in
        let prototype = try typed(callee()).prototype
        guard count <= UInt64(Int64.max) else { throw MapError(MAPE_E_OVERFLOW, "count is more than memory can hold") }
        let given = try unsafe ColumnReader.read(columns, column_count, prototype.inputs.count, "input")
        let reader = ColumnReader(prototype: prototype, count: count)
        var inputs: [InputColumn] = []
        for (k, column) in given.enumerated() { inputs.append(try reader.input(k, column)) }
        return try pool.prepare(prototype, inputs, count)
    }
}

@implementation @_cdecl("mape_job_gather_columns")
public func mape_job_gather_columns(
    _ columns: UnsafePointer<mape_column>!, _ column_count: Int, _ out_missing: UnsafeMutablePointer<UInt64>!,
    _ job: OpaquePointer!
) -> Int32 {
    func native(_ job: Job) throws(MapError) -> NativeFunction {
        if let native = job.function.native { return native }
        throw MapError(
            MAPE_E_STATE, "job: its function, \"\(job.function.name)\", was registered without a prototype")
    }
    return unsafe gather(job, check: { (job) throws(MapError) in _ = try native(job) }) {
        (job, results) throws(MapError) in
        let prototype = try native(job).prototype
        let given = try unsafe ColumnReader.read(columns, column_count, prototype.outputs.count, "output")
        let reader = ColumnReader(prototype: prototype, count: results.total)
        var outputs: [OutputColumn] = []
        for (k, column) in given.enumerated() { outputs.append(try reader.output(k, column)) }
        let missing = try results.gather(prototype, into: outputs)
        unsafe out_missing?.pointee = missing
        return MAPE_OK.rawValue
    }
}
