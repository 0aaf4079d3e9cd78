import ArgumentParser
import Glibc

/// `mapengine new`.
struct NewCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "new", abstract: "Write the beginnings of a plug-in.", subcommands: [NewPluginCommand.self])
}

/// `mapengine new plugin`: a folder that builds and runs, made of the templates that are installed with this program.
struct NewPluginCommand: ParsableCommand {
    enum Host: String, CaseIterable, ExpressibleByArgument {
        case c, qt, blender

        /// What is in the folder; templates have `.in` behind their names.
        var files: [String] {
            switch self {
            case .c: ["CMakeLists.txt", "README.md", "host.c", "plugin.c", "plugin.h", "work.c", "work.h"]
            case .qt: ["CMakeLists.txt", "README.md", "main.cpp", "work.cpp", "work.h"]
            case .blender: ["Makefile", "README.md", "__init__.py", "work.c"]
            }
        }

        /// How it is built, and run where no window is needed.
        func commands(_ name: String, prefix: String) -> [String] {
            if self == .blender { return ["make -C \(name) PREFIX=\(prefix)"] }
            return [
                "cmake -S \(name) -B \(name)/build -DCMAKE_PREFIX_PATH=\(prefix)", "cmake --build \(name)/build",
                "\(name)/build/" + (self == .c ? "try_" : "") + name,
            ]
        }
    }

    static let configuration = CommandConfiguration(
        commandName: "plugin", abstract: "Write a folder with a plug-in that builds and runs.",
        discussion: """
            Writes a folder of that name, with sources and a README that says how to build it.
              c         a plug-in in C, and a small host to try it in
              qt        a program in C++ with a window of Qt 6 or 5
              blender   an add-on whose work is a function in C
            """)

    @Option(help: "The host it is for: c, qt or blender.")
    var host: Host

    @Argument(help: "Its name, and the folder's: a letter, then letters, digits and underscores.")
    var name: String

    func validate() throws {
        let bytes = name.raw
        func isLetter(_ byte: UInt8) -> Bool {
            (byte | 0x20) >= UInt8(ascii: "a") && (byte | 0x20) <= UInt8(ascii: "z")
        }
        func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }
        guard let first = bytes.first, isLetter(first), bytes.count <= 64,
            bytes.allSatisfy({ isLetter($0) || isDigit($0) || $0 == UInt8(ascii: "_") })
        else {
            throw ValidationError("a name is a letter, then letters, digits and underscores, at most 64: not '\(name)'")
        }
    }

    func run() throws {
        try reporting {
            let prefix = try ownPrefix()
            let templates = prefix + "/share/mapengine/templates/" + host.rawValue
            // All are read before anything is written.
            let contents = try host.files.map { file in
                (
                    file,
                    filled(
                        try installedFile(
                            templates + "/" + file + ".in", hint: "install mapengine again"),
                        prefix: prefix)
                )
            }
            guard unsafe name.withRaw({ unsafe mkdir($0, 0o777) }) == 0 else {
                throw Failure(.cannotWrite, "cannot make the folder \(name): \(systemError())")
            }
            for (file, bytes) in contents { try write(bytes, to: name + "/" + file) }
            let commands = host.commands(name, prefix: prefix).map { "    " + $0 + "\n" }.joined()
            _ = writeAll("\(name)/ is there. Build it and run it:\n" + commands, to: STDOUT_FILENO)
        }
    }

    /// Puts in what `@NAME@`, `@LOWER@` (the name without capitals) and `@PREFIX@` stand for; any other `@` stays.
    private func filled(_ template: [UInt8], prefix: String) -> [UInt8] {
        let values = ["NAME": name.raw, "LOWER": name.lowercased().raw, "PREFIX": prefix.raw]
        let parts = template.split(separator: UInt8(ascii: "@"), omittingEmptySubsequences: false)
        var result = Array(parts[0])
        var next = 1
        while next < parts.count {
            if next + 1 < parts.count, let value = values[String(decoding: parts[next], as: UTF8.self)] {
                result += value + parts[next + 1]
                next += 2
            } else {
                result += [UInt8(ascii: "@")] + parts[next]
                next += 1
            }
        }
        return result
    }

    private func write(_ bytes: [UInt8], to path: String) throws {
        let descriptor = unsafe path.withRaw { unsafe open($0, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666) }
        guard descriptor >= 0 else { throw Failure(.cannotWrite, "cannot write \(path): \(systemError())") }
        let isWritten = unsafe bytes.withUnsafeBytes { unsafe writeAll($0, to: descriptor) }
        guard close(descriptor) == 0, isWritten else {
            throw Failure(.cannotWrite, "cannot write \(path): \(systemError())")
        }
    }
}
