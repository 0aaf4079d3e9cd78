import CMapEngine
import Glibc

/// The results of one output: a place per call.
struct OutputColumn {
    let parameter: Parameter
    let rows: Int
    /// Elements per call.
    let width: Int
    let memory: Memory

    /// Bytes per call.
    var size: Int { width * parameter.type.stored.size }

    /// What the place of a call is filled with that gave nothing.
    private let filled: [UInt8]

    init(_ parameter: Parameter, rows: Int, width: Int, filler: String?) throws {
        try refuseStructures(parameter)
        self.parameter = parameter
        self.rows = rows
        self.width = width
        let (size, overflow) = rows.multipliedReportingOverflow(by: width * parameter.type.stored.size)
        guard !overflow else { throw Failure(.pool, "the results of \(rows) calls are larger than memory") }
        memory = try Memory(size: size)
        filled = try OutputColumn.place(of: parameter, width: width, filler: filler)
    }

    /// What stands in the place of a call that gave nothing.
    private static func place(of parameter: Parameter, width: Int, filler: String?) throws -> [UInt8] {
        if parameter.isTextOutput {
            let text = filler?.raw ?? []
            // What a function returns as a text has its NUL in the place.
            let room = parameter.type == .string ? width - 1 : width
            guard text.count <= max(room, 0) else {
                throw Failure(
                    .usage,
                    "--fail-value: '\(String(shown: text))' has \(text.count) bytes, and \(parameter.label) has room for \(room)"
                )
            }
            return text + repeatElement(0, count: width - text.count)
        }
        var element = parameter.type.stored.missing
        if let filler {
            element.removeAll()
            do throws(NumberText.Problem) {
                try parameter.type.append(filler.raw[...], to: &element)
            } catch {
                let what = parameter.type.explain(filler.raw[...], error)
                throw Failure(.usage, "--fail-value: \(what), which \(parameter.label) is")
            }
        }
        return Array(repeatElement(element, count: width).joined())
    }

    /// Makes the results as they are written: fills the places of calls that gave nothing, and clears what functions left behind
    /// the ends of their texts.
    func complete(missing: Set<Int>) {
        let bytes = unsafe memory.mutableBytes
        if parameter.isTextOutput {
            for row in 0..<rows {
                let place = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[row * size..<(row + 1) * size])
                guard let end = unsafe place.firstIndex(of: 0) else { continue }
                unsafe UnsafeMutableRawBufferPointer(rebasing: place[end...]).initializeMemory(
                    as: UInt8.self, repeating: 0)
            }
        }
        for row in missing {
            unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[row * size..<(row + 1) * size]).copyBytes(from: filled)
        }
    }

    /// Hands out the texts of a row, one per element.
    func fields(_ row: Int, _ field: (UnsafeRawBufferPointer) -> Void) {
        let bytes = unsafe memory.bytes
        let start = row * size
        if parameter.isTextOutput {
            let place = unsafe UnsafeRawBufferPointer(rebasing: bytes[start..<start + size])
            let end = unsafe place.firstIndex(of: 0) ?? place.count
            unsafe field(UnsafeRawBufferPointer(rebasing: place[..<end]))
            return
        }
        let element = parameter.type.stored.size
        for index in 0..<width {
            let first = start + index * element
            var text = unsafe parameter.type.text(UnsafeRawBufferPointer(rebasing: bytes[first..<first + element]))
            text.withUTF8 { unsafe field(UnsafeRawBufferPointer($0)) }
        }
    }

    /// The texts of a row.
    func texts(_ row: Int) -> [String] {
        var texts: [String] = []
        unsafe fields(row) { unsafe texts.append(String(raw: $0)) }
        return texts
    }

    /// Names of its columns in a text.
    var names: [String] {
        width == 1 || parameter.isTextOutput ? [parameter.name] : (0..<width).map { "\(parameter.name)_\($0)" }
    }
}
