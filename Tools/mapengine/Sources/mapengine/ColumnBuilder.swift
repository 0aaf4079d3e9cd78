/// Collects the values of one input from rows of fields.
struct ColumnBuilder {
    let parameter: Parameter
    /// What messages call the column.
    let name: String
    let isLiteral: Bool
    private(set) var bytes: [UInt8] = []
    private(set) var texts: [[UInt8]] = []
    private(set) var rows = 0
    /// Elements per row, known with the first one.
    private(set) var width: Int?

    init(_ parameter: Parameter, _ name: String, isLiteral: Bool = false) throws {
        try refuseStructures(parameter)
        guard !parameter.type.isComplex, parameter.type.hasText else {
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

    /// Appends a row's fields at some places.
    mutating func append(_ places: [Int], of row: [Substring], _ where: String) throws {
        guard isList || places.count == 1 else {
            throw Failure(.prototype, "\(name) gives \(places.count) numbers a call, but \(parameter.label) is one")
        }
        for place in places {
            guard place < row.count else { throw Failure(.badData, "\(`where`): field \(place + 1) is missing") }
            if parameter.type == .string {
                texts.append(Array(row[place].utf8))
                continue
            }
            guard parameter.type.append(trimmed(row[place]), to: &bytes) else {
                throw Failure(
                    .badData, "\(`where`): '\(row[place])' is no \(parameter.type.numpyName), for \(parameter.label)")
            }
        }
        width = places.count
        rows += 1
    }
}

/// Without blanks around it.
func trimmed(_ field: Substring) -> Substring {
    let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" }
    let rest = field.drop(while: isBlank)
    guard let last = rest.lastIndex(where: { !isBlank($0) }) else { return "" }
    return rest[...last]
}
