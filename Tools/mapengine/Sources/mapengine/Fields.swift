/// The fields of a row, as bytes, and where they stand.
struct Fields {
    /// As messages name the file.
    let source: String
    /// The line that the row begins in.
    var line = 0
    /// All fields, one behind the other.
    private var bytes: [UInt8] = []
    private var ends: [Int] = []

    init(source: String) { self.source = source }

    var count: Int { ends.count }
    var indices: Range<Int> { ends.indices }

    subscript(index: Int) -> ArraySlice<UInt8> { bytes[(index == 0 ? 0 : ends[index - 1])..<ends[index]] }

    /// As messages name a field.
    func place(_ index: Int) -> String { "\(source), line \(line), column \(index + 1)" }

    mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
    }

    mutating func append(_ part: UnsafeRawBufferPointer) { unsafe bytes.append(contentsOf: part) }
    mutating func endField() { ends.append(bytes.count) }

    mutating func append(field: [UInt8]) {
        bytes.append(contentsOf: field)
        endField()
    }
}
