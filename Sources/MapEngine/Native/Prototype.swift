// A typed function's prototype, and how the inputs and outputs of a call are laid out.
//
//   item    the inputs of a call: a C structure with them, then what its spans refer to
//   result  the outputs of a call: a C structure with them, then what its spans refer to
//
// An output's place in the result is there for its whole life; an input's place in an item is used by mape_apply, mape_map, streams
// and proxies. Jobs over columns find inputs in columns instead.

import CMapBridge

struct Prototype: Sendable {
    struct Parameter: Sendable {
        enum Form: Sendable { case value, array, text }

        let name: String
        let form: Form
        /// Its type, or its elements'.
        let type: NativeType
        let isIn: Bool
        let isOut: Bool
        /// The parameter that has an array's length.
        var lengthParameter: Int?
        /// Elements; with lengthParameter, so many for each that it counts.
        let length: UInt64
        // Filled in by the layout.
        var input = -1
        var output = -1
        var inputOffset: UInt64 = 0
        var outputOffset: UInt64 = 0

        /// Its size differs from call to call: a span stands in its place.
        var varies: Bool { form == .text || lengthParameter != nil }
        /// Bytes of the value, or of an array of constant length.
        var size: UInt64 { form == .array ? length * type.size : type.size }

        var spelling: String {
            switch form {
            case .value: type.spelling
            case .text: "const char *"
            case .array: (isIn ? isOut ? "inout " : "const " : "") + type.spelling + " *"
            }
        }

        /// For messages: "parameter 2, "x" (double)".
        func shown(_ index: Int) -> String {
            "parameter \(index + 1)" + (name.isEmpty ? "" : ", \"\(name)\"") + " (\(spelling))"
        }
    }

    enum Result: Sendable {
        case none
        case value(NativeType)
        /// Copied; its place has so many bytes, the NUL among them.
        case text(UInt64)
    }

    /// A place of the result that mape_job_gather_columns fills a column from.
    struct Output: Sendable {
        let name: String
        let type: mape_type
        let spelling: String
        let offset: UInt64
        /// Bytes; nil: a span has the size.
        let size: UInt64?
        let elementSize: UInt64
    }

    static let span = UInt64(MemoryLayout<mape_native_span>.size)

    let name: String
    let result: Result
    private(set) var parameters: [Parameter]
    /// Parameters before the dots.
    let fixedCount: Int
    let isVariadic: Bool
    let reportsErrno: Bool

    private(set) var inputs: [Int] = []
    private(set) var outputs: [Output] = []
    private(set) var itemSize: UInt64 = 0
    private(set) var resultSize: UInt64 = 0
    private(set) var errnoOffset: UInt64 = 0
    /// Results differ in size.
    private(set) var varies = false
    /// Something of the result is not written by every call: it has to be zero before.
    private(set) var mustClear = false

    init(
        name: String, result: Result, parameters: [Parameter], fixedCount: Int, isVariadic: Bool, reportsErrno: Bool
    ) {
        self.name = name
        self.result = result
        self.parameters = parameters
        self.fixedCount = fixedCount
        self.isVariadic = isVariadic
        self.reportsErrno = reportsErrno
        layOutItem()
        layOutResult()
    }

    private mutating func layOutItem() {
        var strictest: UInt64 = 1
        for i in parameters.indices where parameters[i].isIn {
            let parameter = parameters[i]
            let alignment = parameter.varies ? 8 : parameter.type.alignment
            itemSize = aligned(itemSize, alignment)
            strictest = max(strictest, alignment)
            parameters[i].inputOffset = itemSize
            parameters[i].input = inputs.count
            inputs.append(i)
            itemSize += parameter.varies ? Self.span : parameter.size
        }
        itemSize = aligned(itemSize, strictest)
    }

    private mutating func layOutResult() {
        var strictest: UInt64 = 1
        var written: UInt64 = 0
        func place(_ size: UInt64, _ alignment: UInt64) -> UInt64 {
            let offset = aligned(resultSize, alignment)
            strictest = max(strictest, alignment)
            resultSize = offset + size
            return offset
        }
        switch result {
        case .none: break
        case .value(let type):
            let offset = place(type.size, type.alignment)
            written = type.size
            outputs.append(
                Output(
                    name: "return", type: type.kind, spelling: type.spelling, offset: offset, size: type.size,
                    elementSize: type.size))
        case .text(let size):
            let offset = place(size, 1)
            outputs.append(
                Output(
                    name: "return", type: MAPE_TYPE_STRING, spelling: "const char *", offset: offset, size: size,
                    elementSize: 1))
        }
        for i in parameters.indices where parameters[i].isOut {
            let parameter = parameters[i]
            let offset =
                parameter.varies ? place(Self.span, 8) : place(parameter.size, parameter.type.alignment)
            parameters[i].outputOffset = offset
            parameters[i].output = outputs.count
            varies = varies || parameter.varies
            outputs.append(
                Output(
                    name: parameter.name, type: parameter.type.kind, spelling: parameter.spelling, offset: offset,
                    size: parameter.varies ? nil : parameter.size, elementSize: parameter.type.size))
        }
        if reportsErrno {
            errnoOffset = place(4, 4)
            written += 4
            outputs.append(
                Output(
                    name: "errno", type: MAPE_TYPE_INT32, spelling: "int", offset: errnoOffset, size: 4, elementSize: 4)
            )
        }
        resultSize = aligned(resultSize, strictest)
        mustClear = written != resultSize
    }

    /// The type that it returns, as C has it.
    var returnSpelling: String {
        switch result {
        case .none: "void"
        case .value(let type): type.spelling
        case .text: "const char *"
        }
    }
}
