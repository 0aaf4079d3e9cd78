// Functions as the engine's records describe them: read when a lane is asked to set one up, told to the server when a range needs it.

import CLanes
import CNet
import Cluster
import Glibc

final class RemoteFunction {
    let line: UInt32
    let serial: UInt64
    let plan: UInt64
    let record: FunctionRecord
    /// Baked-in bytes, a blob.
    let data: [UInt8]
    /// Why it cannot travel.
    let hindrance: String?
    /// In which life of the connection the server was told of it.
    var toldIn = 0
    /// Nodes that do not take it, and why.
    var refusals: [String: String] = [:]
    /// The engine knows that no node takes it.
    var isRefused = false

    init(_ lane: Lane, _ raw: mapb_function, _ modules: ModuleFiles) {
        line = raw.id
        serial = raw.serial != 0 ? raw.serial : UInt64(raw.id)
        plan = raw.native
        var made = FunctionRecord()
        var why: String?
        func symbol(_ place: mapb_place, _ what: String) -> String {
            switch place.kind {
            case MAPB_PLACE_NONE.rawValue: return ""
            case MAPB_PLACE_SYMBOL.rawValue: return lane.text(at: place.symbol != 0 ? place.symbol : place.value) ?? ""
            default:
                if let name = lane.text(at: place.symbol), !name.isEmpty { return name }
                why = "its \(what) is no exported symbol of a library"
                return ""
            }
        }
        let run = symbol(raw.run, "function")
        made.isOffered = [MAPB_PLACE_OFFERED_RUN.rawValue, MAPB_PLACE_OFFERED_RANGE.rawValue].contains(raw.run.kind)
        // Where a zygote brings it, they come with it.
        if !made.isOffered {
            made.setup = symbol(raw.setup, "setup")
            made.cleanup = symbol(raw.cleanup, "cleanup")
        }
        made.prototype = lane.text(at: raw.prototype) ?? ""
        made.nativeFlags = raw.native_flags
        if raw.native != 0 && made.prototype.isEmpty { why = "its prototype is not known" }
        if raw.is_range != 0 { made.runRange = run } else { made.run = run }
        made.name = run
        var baked: [UInt8] = []
        if raw.data_is_pointer != 0 {
            why = "its data is a pointer"
        } else if raw.data_size > 0 {
            if let found = unsafe lane.bytes(at: raw.data, raw.data_size) {
                unsafe baked = [UInt8](found)
                made.data = Hash(of: baked)
            } else {
                why = "its data is not there"
            }
        }
        let path = lane.text(at: raw.run.library) ?? ""
        for place in [raw.setup, raw.cleanup] where place.kind != MAPB_PLACE_NONE.rawValue && !made.isOffered {
            if lane.text(at: place.library) != path { why = "setup or cleanup are of another library" }
        }
        made.library = path
        if why == nil && !made.isOffered {
            do throws(Refusal) {
                made.module = try modules.hash(path)
            } catch {
                why = error.text
            }
        }
        record = made
        data = baked
        hindrance = why
    }
}

/// The library files of functions, by their hash.
final class ModuleFiles {
    private var known: [String: Hash] = [:]

    /// A name without a slash is looked for where the loader of a worker would find it.
    func hash(_ path: String) throws(Refusal) -> Hash {
        if let hash = known[path] { return hash }
        guard !path.isEmpty else { throw Refusal(.file, "it is of no library") }
        var last = Refusal(.file, "\(path) is in none of the loader's folders")
        for candidate in path.contains("/") ? [path] : Self.folders.map({ $0 + "/" + path }) {
            do throws(Refusal) {
                let hash = try Hash(file: candidate)
                known[path] = hash
                return hash
            } catch {
                if path.contains("/") { last = error }
            }
        }
        throw last
    }

    private static var folders: [String] {
        var list: [String] = []
        if let named = unsafe getenv("LD_LIBRARY_PATH") {
            list += unsafe String(cString: named).split(separator: ":").map(String.init)
        }
        #if arch(x86_64)
            let triple = "x86_64-linux-gnu"
        #else
            let triple = "aarch64-linux-gnu"
        #endif
        return list + [
            "/lib/\(triple)", "/usr/lib/\(triple)", "/lib64", "/usr/lib64", "/usr/local/lib", "/lib", "/usr/lib",
        ]
    }
}
