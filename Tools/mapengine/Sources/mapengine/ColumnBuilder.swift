/// Collects the values of one input from rows of fields.
struct ColumnBuilder {
    let parameter: Parameter
    /// What messages call the column.
    let name: String
    let isLiteral: Bool
    /// Numbers; or texts, each ended with NUL.
    private(set) var bytes: [UInt8] = []
    /// Where texts begin.
    private(set) var starts: [Int] = []
    private(set) var rows = 0
    /// Elements per row, known with the first one.
    private(set) var width: Int?

    init(_ parameter: Parameter, _ name: String, isLiteral: Bool = false) throws {
        try refuseStructures(parameter)
        guard parameter.type.hasText else {
            throw Failure(.prototype, "\(parameter.label) is read from .npy files only, not from \(name)")
        }
        self.parameter = parameter
        self.name = name
        self.isLiteral = isLiteral
    }

    /// The value has several elements.
    var isList: Bool { parameter.isArray }

    /// How many fields of a row it takes from a text without names.
    var fields: Int { parameter.isArray && parameter.lengthParameter == nil ? parameter.length : 1 }

    /// Appends a row: its fields at some places.
    mutating func append(_ places: some Collection<Int>, of row: borrowing Fields) throws {
        guard isList || places.count == 1 else {
            throw Failure(.prototype, "\(name) gives \(places.count) numbers a call, but \(parameter.label) is one")
        }
        for place in places {
            if parameter.type == .string {
                try append(text: row[place]) { row.place(place) }
                continue
            }
            do throws(NumberText.Problem) {
                try parameter.type.append(row[place], to: &bytes)
            } catch {
                let what = parameter.type.explain(row[place], error)
                throw Failure(.badData, "\(isLiteral ? name : row.place(place)): \(what), for \(parameter.label)")
            }
        }
        width = places.count
        rows += 1
    }

    /// Appends a text; `place` tells where it stands.
    mutating func append(text: some Collection<UInt8>, place: () -> String) throws {
        guard !text.contains(0) else { throw Failure(.badData, "\(place()): a NUL stands inside the text") }
        starts.append(bytes.count)
        bytes.append(contentsOf: text)
        bytes.append(0)
    }
}
