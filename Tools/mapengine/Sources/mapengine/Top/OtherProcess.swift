import CPools
import Glibc

/// What /proc tells of a process.
enum OtherProcess {
    /// Its name.
    static func name(_ pid: Int32) -> String {
        shown(text(pid, "comm", most: 64).filter { $0 != UInt8(ascii: "\n") })
    }

    /// Its command line, as one would type it.
    static func command(_ pid: Int32) -> String {
        let bytes = text(pid, "cmdline", most: 4096)
        return shown(bytes.split(separator: 0).joined(separator: [UInt8(ascii: " ")]))
    }

    /// Its name, and of an interpreter that of the script.
    static func title(_ pid: Int32) -> String {
        let name = name(pid)
        let interpreters = ["python", "luajit", "ruby", "perl", "node", "Rscript"]
        guard interpreters.contains(where: { name.hasPrefix($0) }) else { return name }
        let words = text(pid, "cmdline", most: 4096).split(separator: 0).dropFirst()
        guard let script = words.first, script.first != UInt8(ascii: "-") else { return name }
        return name + " " + shown(script.split(separator: UInt8(ascii: "/")).last ?? [])
    }

    static func text(_ pid: Int32, _ file: String, most: Int) -> [UInt8] {
        var bytes = [CChar](repeating: 0, count: most)
        let size = unsafe pools_text(pid, file, &bytes, most)
        return bytes.prefix(size).map { UInt8(bitPattern: $0) }
    }

    static func look(_ pid: Int32) -> pools_process? {
        var found = pools_process()
        return unsafe pools_process_of(pid, &found) == 0 ? found : nil
    }

    /// Clock ticks of a second.
    static let ticks = Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
}
