import ArgumentParser
import Glibc

/// `mapengine types`.
struct TypesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "types", abstract: "Tell what a prototype takes and gives, and check it.",
        discussion:
            "Prints a line per input and output: its name, its type in C, and NumPy's name for that. No function is called."
    )

    @Argument(help: "The function's type in C, as 'double pow(double, double)'.")
    var prototype: String

    @Flag(help: "errno after each call is the last output.")
    var errno = false

    func run() throws {
        try reporting {
            let pool = try unsafe Pool()
            // The library is not looked at before a pool starts, and this one does not.
            let signature = try pool.register(library: "libc.so.6", prototype: prototype, symbol: nil, errno: errno)
            let writer = ByteWriter(STDOUT_FILENO, "to standard output")
            for (what, parameters) in [("input", signature.inputs), ("output", signature.outputs)] {
                for (index, parameter) in parameters.enumerated() {
                    let type = parameter.typeName + shape(parameter, signature)
                    writer.append("\(what) \(index + 1): \(parameter.name): \(type): \(numpy(parameter))".raw)
                    try writer.endRow()
                }
            }
            try writer.finish()
        }
    }

    private func shape(_ parameter: Parameter, _ signature: Signature) -> String {
        guard parameter.isArray || (parameter.type == .string && parameter.output != nil) else { return "" }
        guard let counter = parameter.lengthParameter else { return " [\(parameter.length)]" }
        let name = signature.parameters[counter].name
        return parameter.length == 1 ? " [\(name)]" : " [\(name)][\(parameter.length)]"
    }

    private func numpy(_ parameter: Parameter) -> String {
        switch parameter.type {
        case .structure: "not from the command line"
        case .string: "text"
        default: parameter.type.stored.numpyName
        }
    }
}
