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
