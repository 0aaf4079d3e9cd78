// An interpreter that runs the Python functions of hosts: mapengine node --python. It is asked once who it is; pools that need that are
// served by workers that it forks.

import CNet
import Cluster
import Glibc

struct Python {
    let path: String
    /// Implementation, version and package, as a tag of the node: "cpython-3.11-mapengine-0.2.0". Functions, their arguments and results travel
    /// between equal ones alone.
    let tag: String

    /// Asks an interpreter who it is.
    init(_ path: String) throws(Refusal) {
        self.path = path
        let (status, text) = try Self.run([path, "-c", Self.start + "tell()"])
        let lines = text.split(separator: "\n").map(String.init)
        guard status == 0, let tag = lines.last, Keys.isName(tag) else {
            let last = lines.last.map { ": " + printable($0) } ?? ""
            throw Refusal(
                .file,
                "--python \(path) cannot be used\(last). It is an interpreter with the package mapengine, of the version of this program"
            )
        }
        self.tag = tag
    }

    /// What makes an interpreter the zygote of a pool.
    func arguments(_ settings: NodeSettings) -> [String] {
        [path, "-c", Self.start + "main(\(settings.workers),'\(settings.name)')"]
    }

    /// Without the folder that the node was started in: whoever can write there does not decide what runs here.
    private static let start =
        "import sys;sys.path[:]=[p for p in sys.path if p];from mapengine._node import main,tell;"

    /// Runs a program to its end. Returns its exit status, and what it has printed.
    private static func run(_ words: [String]) throws(Refusal) -> (status: Int32, text: String) {
        let copies = unsafe words.map { unsafe strdup($0) } + [nil]
        defer { unsafe copies.forEach { copy in unsafe free(copy) } }
        var bytes = [CChar](repeating: 0, count: 65536)
        var count = 0
        var status: Int32 = 0
        let failure = unsafe cnet_run(copies.map { unsafe UnsafePointer($0) }, &bytes, bytes.count, &count, &status)
        guard failure == 0 else {
            throw Refusal(.file, "--python \(words[0]) cannot be run: \(unsafe String(cString: strerror(failure)))")
        }
        return (status, String(decoding: bytes.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }
}
