/// A value of JSON, written on one line. A few lines of ours: the library for it is Foundation, which is larger than this program.
indirect enum JSON {
    case null
    case bool(Bool)
    case number(UInt64)
    case integer(Int64)
    /// With so many digits behind the point.
    case decimal(Double, Int)
    case text(String)
    case list([JSON])
    case object([(String, JSON)])

    var line: String {
        switch self {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .number(let value): "\(value)"
        case .integer(let value): "\(value)"
        case .decimal(let value, let digits): value.isFinite ? mapengine.decimal(value, digits) : "null"
        case .text(let value): JSON.quoted(value)
        case .list(let values): "[" + values.map(\.line).joined(separator: ",") + "]"
        case .object(let values):
            "{" + values.map { JSON.quoted($0.0) + ":" + $0.1.line }.joined(separator: ",") + "}"
        }
    }

    private static func quoted(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            default:
                if scalar.value < 0x20 {
                    let hex = String(scalar.value, radix: 16)
                    out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
                } else {
                    out.unicodeScalars.append(scalar)
                }
            }
        }
        return out + "\""
    }

    static func of(_ value: Double?, _ digits: Int) -> JSON { value.map { .decimal($0, digits) } ?? .null }
    static func of(_ value: UInt64?) -> JSON { value.map { .number($0) } ?? .null }
}
