import CKernel
import CMapEngine

/// The signal that asked this program to end, or 0.
var interruption: Int32 { interrupts_noted() }

/// A pool; released with the value.
@safe
struct Pool: ~Copyable {
    let handle: OpaquePointer

    init(_ config: mape_pool_config = unsafe mape_pool_config()) throws {
        var config = unsafe config
        unsafe config.struct_size = unsafe MemoryLayout<mape_pool_config>.size
        var handle: OpaquePointer?
        let status = unsafe mape_pool_create(&handle, &config)
        guard status == MAPE_OK.rawValue, let handle = unsafe handle else {
            throw Failure(status == MAPE_E_ARGUMENT.rawValue ? .usage : .pool, engineMessage(nil, status))
        }
        unsafe self.handle = unsafe handle
    }

    deinit { unsafe mape_pool_release(handle) }

    /// What the last call that failed says, in words.
    func message(_ status: Int32) -> String { unsafe engineMessage(handle, status) }

    func register(library: String, prototype: String, symbol: String?, errno: Bool) throws -> Signature {
        var function = unsafe mape_function()
        unsafe function.struct_size = unsafe MemoryLayout<mape_function>.size
        unsafe function.native_flags = errno ? MAPE_NATIVE_ERRNO.rawValue : 0
        var id = mape_function_id()
        func submit(_ symbol: UnsafePointer<CChar>?) -> Int32 {
            unsafe library.withRaw { library in
                unsafe prototype.withRaw { prototype in
                    unsafe function.library = unsafe library
                    unsafe function.prototype = unsafe prototype
                    unsafe function.run_symbol = unsafe symbol
                    return unsafe mape_function_register(&id, handle, &function)
                }
            }
        }
        let status = symbol.map { symbol in unsafe symbol.withRaw { unsafe submit($0) } } ?? submit(nil)
        guard status == MAPE_OK.rawValue else {
            switch status {
            case MAPE_E_ARGUMENT.rawValue, MAPE_E_UNSUPPORTED.rawValue: throw Failure(.prototype, message(status))
            case MAPE_E_LOAD.rawValue, MAPE_E_FUNCTION.rawValue: throw Failure(.notFound, message(status))
            default: throw Failure(.pool, message(status))
            }
        }
        return try Signature(self, id)
    }

    /// Starts the workers and waits until they are ready.
    func start() throws {
        while true {
            let status = unsafe mape_pool_start(handle, 100_000_000)
            switch status {
            case MAPE_OK.rawValue: return
            case MAPE_E_TIMEOUT.rawValue: try throwIfInterrupted()
            case MAPE_E_LOAD.rawValue: throw Failure(.notFound, message(status))
            default: throw Failure(.pool, message(status))
            }
        }
    }
}

extension Pool {
    func beginTrace() throws {
        let status = unsafe mape_pool_trace_start(handle, nil)
        guard status == MAPE_OK.rawValue else { throw Failure(.pool, message(status)) }
    }

    /// After the end of the workers, so that it holds their cleanups.
    func writeTrace(to path: String) throws {
        let status = unsafe path.withRaw { unsafe mape_pool_trace_write(handle, $0) }
        guard status == MAPE_OK.rawValue else { throw Failure(.cannotWrite, message(status)) }
    }

    /// Ends the workers, and hands on what they printed to the last.
    func finish() {
        unsafe mape_pool_shutdown(handle, Int32(MAPE_SHUTDOWN_DRAIN.rawValue), 1_000_000_000)
        while unsafe mape_pool_dispatch(handle, 0, 0) > 0 {}
    }
}

private func engineMessage(_ pool: OpaquePointer?, _ status: Int32) -> String {
    var text = [CChar](repeating: 0, count: 2048)
    let length = unsafe text.withUnsafeMutableBufferPointer { unsafe mape_message($0.baseAddress, $0.count, pool) }
    guard length > 0 else { return unsafe String(cString: mape_status_string(status)) }
    return String(raw: text.prefix(min(length, 2047)).map { UInt8(bitPattern: $0) })
}

/// What a typed function takes and gives.
struct Signature {
    let function: mape_function_id
    let name: String
    let inputs: [Parameter]
    let outputs: [Parameter]
    /// All parameters in their order.
    let parameters: [Parameter]

    init(_ pool: borrowing Pool, _ function: mape_function_id) throws {
        self.function = function
        var info = unsafe mape_prototype_info()
        unsafe info.struct_size = unsafe MemoryLayout<mape_prototype_info>.size
        let status = unsafe mape_function_prototype(&info, pool.handle, function)
        guard status == MAPE_OK.rawValue else { throw Failure(.pool, pool.message(status)) }
        name = unsafe String(raw: info.name)
        var all: [Parameter] = []
        for index in unsafe Array(0..<info.parameters) + [UInt32.max, UInt32.max - 1] {
            var one = unsafe mape_parameter_info()
            unsafe one.struct_size = unsafe MemoryLayout<mape_parameter_info>.size
            let status = unsafe mape_function_parameter(&one, pool.handle, function, index)
            if status == MAPE_E_INDEX.rawValue { continue }
            guard status == MAPE_OK.rawValue else { throw Failure(.pool, pool.message(status)) }
            unsafe all.append(Parameter(one, index: Int(index)))
        }
        let special = all.filter { $0.index >= Int(UInt32.max) - 1 }
        parameters = all.filter { $0.index < Int(UInt32.max) - 1 }
        inputs = parameters.filter { $0.input != nil }.sorted { $0.input! < $1.input! }
        outputs = (parameters + special).filter { $0.output != nil }.sorted { $0.output! < $1.output! }
    }
}

/// One parameter, or what is returned.
struct Parameter {
    let index: Int
    let name: String
    let typeName: String
    let type: ElementType
    let isArray: Bool
    let lengthParameter: Int?
    let length: Int
    let elementSize: Int
    let input: Int?
    let output: Int?

    init(_ info: mape_parameter_info, index: Int) {
        self.index = index
        let given = unsafe String(raw: info.name)
        name = given.isEmpty ? "parameter \(index + 1)" : given
        typeName = unsafe String(raw: info.type_name)
        type = unsafe ElementType(rawValue: info.type) ?? .byte
        isArray = unsafe info.is_array != 0
        lengthParameter = unsafe info.length_parameter < 0 ? nil : Int(info.length_parameter)
        length = unsafe Int(clamping: info.length)
        elementSize = unsafe info.element_size
        input = unsafe info.input < 0 ? nil : Int(info.input)
        output = unsafe info.output < 0 ? nil : Int(info.output)
    }

    /// How it is named in messages: `x (double)`.
    var label: String { "\(name) (\(typeName))" }

    /// An output that people read as text.
    var isTextOutput: Bool { type == .string || (isArray && typeName.hasPrefix("char ")) }
}

/// A signal ends the program as one of that number does in a shell.
struct Interrupted: Error {
    let signal: Int32
    var what = "interrupted: no output was written"
}

func throwIfInterrupted() throws {
    if interruption != 0 { throw Interrupted(signal: interruption) }
}
