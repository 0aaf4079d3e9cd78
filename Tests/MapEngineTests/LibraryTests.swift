import CMapBridge
import Glibc
import Testing

@testable import MapEngine

/// Which file a library is, as it is noted at the registration.
@Suite struct LibraryTests {
    /// A folder of its own; the files in it go with it.
    private final class Folder {
        let path: String

        init() {
            var name = Array("/tmp/mapengine-unit-XXXXXX".utf8CString)
            path = String(cString: mkdtemp(&name)!)
        }

        /// A file with these bytes takes the name's place.
        func put(_ bytes: [UInt8], as name: String = "lib.so") -> String {
            let file = open("\(path)/part", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
            #expect(write(file, bytes, bytes.count) == bytes.count)
            close(file)
            #expect(rename("\(path)/part", "\(path)/\(name)") == 0)
            return "\(path)/\(name)"
        }

        deinit {
            unlink("\(path)/lib.so")
            rmdir(path)
        }
    }

    /// The head of an ELF file with a build id alone.
    private func elf(id: [UInt8], filler: UInt8) -> [UInt8] {
        var head = Elf64_Ehdr()
        withUnsafeMutableBytes(of: &head) { $0.copyBytes(from: [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]) }
        head.e_phoff = 64
        head.e_phentsize = 56
        head.e_phnum = 1
        var part = Elf64_Phdr()
        part.p_type = 4  // PT_NOTE
        part.p_offset = 120
        part.p_filesz = UInt64(16 + id.count)
        var bytes = withUnsafeBytes(of: &head) { Array($0) } + withUnsafeBytes(of: &part) { Array($0) }
        bytes += [4, 0, 0, 0, UInt8(id.count), 0, 0, 0, 3, 0, 0, 0, 0x47, 0x4e, 0x55, 0] + id
        return bytes + [UInt8](repeating: filler, count: 1000)
    }

    private func identified(_ path: String) -> mapb_file {
        var file = mapb_file()
        mapb_identify(path, &file)
        return file
    }

    @Test func aPathIsOneLibraryUntilAnotherFileLiesThere() throws {
        let folder = Folder()
        let input = try InputMemory(reserve: 4 << 20)
        let libraries = Libraries()
        let path = folder.put([1, 2, 3])
        let first = try libraries.at(UserText(path), in: input)
        #expect(try libraries.at(UserText(path), in: input) === first)
        _ = folder.put([4, 5, 6])
        let second = try libraries.at(UserText(path), in: input)
        #expect(second !== first)
        #expect(try libraries.at(UserText(path), in: input) === second)
        #expect(first.number == 0 && second.number == 1)
    }

    @Test func aFileIsTheSameByItsBuildIDWhereverItLies() {
        let folder = Folder()
        let id = [UInt8](1...20)
        let first = identified(folder.put(elf(id: id, filler: 1)))
        #expect(first.known == 1 && first.build_id_size == 20)
        let again = identified(folder.put(elf(id: id, filler: 1)))
        #expect(again.inode != first.inode)
        #expect(mapb_is_same_file(first, again) == 1)
        let other = identified(folder.put(elf(id: id.reversed(), filler: 1)))
        #expect(mapb_is_same_file(first, other) == 0)
    }

    @Test func whatIsNoFileIsNotKnown() {
        for path in ["/nowhere/at/all.so", "/tmp", "/dev/null", ""] { #expect(identified(path).known == 0) }
        #expect(mapb_is_same_file(identified("/tmp"), identified("/dev/null")) == 1)
    }

    /// Heads that claim more than there is are read as far as they go.
    @Test func brokenHeadsHaveNoBuildID() {
        let folder = Folder()
        let whole = elf(id: [UInt8](1...20), filler: 0)
        for length in 0..<156 {
            #expect(identified(folder.put(Array(whole[..<length]))).build_id_size == 0, "cut at \(length)")
        }
        for (at, byte) in [(120, 0xff), (124, 0xff), (127, 0xff), (123, 0xff), (54, 0), (56, 0xff), (4, 1)] {
            var broken = whole
            broken[at] = UInt8(byte)
            let file = identified(folder.put(broken))
            #expect(file.build_id_size <= UInt32(MAPB_BUILD_ID))
        }
    }

    /// Deaths count while nothing else gets done.
    @Test func deathsAreCountedInARowWithNoItemBetween() throws {
        let input = try InputMemory(reserve: 4 << 20)
        let library = try Libraries().at("libm.so.6", in: input)
        #expect(library.countDeath(0) == 1)
        #expect(library.countDeath(0) == 2)
        #expect(library.countDeath(7) == 1)
        #expect(library.countDeath(7) == 2)
        library.deaths = 0
        #expect(library.countDeath(7) == 1)
    }
}
