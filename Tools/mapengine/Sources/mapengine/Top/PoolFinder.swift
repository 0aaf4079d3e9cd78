import CPools

/// All pools of this user's processes: those that are there, and those that are not shown, with the reason.
final class PoolFinder {
    private(set) var readers: [PoolReader] = []
    private(set) var refusals: [PoolRefusal] = []
    /// Only of this process, if it is not nil.
    private let process: Int32?

    init(process: Int32?) { self.process = process }

    /// Looks for pools that have come. Known ones keep their readers.
    func look() {
        var places = [pools_place](repeating: pools_place(), count: 4096)
        let count = unsafe min(pools_find(POOLS_INPUT, &places, places.count), places.count)
        var found: [PoolReader] = []
        var refused: [PoolSample.Identity: PoolRefusal] = [:]
        var seen: Set<PoolSample.Identity> = []
        for place in places.prefix(count) where process == nil || place.pid == process {
            let memory: SharedFile
            do throws(SharedFile.Refusal) {
                memory = try SharedFile(process: place.pid, file: place.fd)
            } catch {
                if case .notSealed = error {
                    let id = PoolSample.Identity(device: UInt64(place.pid), inode: UInt64(place.fd))
                    refused[id] = PoolRefusal(
                        process: place.pid, why: "its memory is not sealed, or is another user's: no pool made it")
                }
                continue
            }
            let identity = PoolSample.Identity(device: memory.device, inode: memory.inode)
            if seen.contains(identity) { continue }
            if let known = readers.first(where: { $0.identity == identity && $0.host == place.pid }) {
                found.append(known)
                seen.insert(identity)
                continue
            }
            do throws(PoolRefusal) {
                guard let reader = try PoolReader(memory, process: place.pid) else { continue }
                found.append(reader)
                seen.insert(identity)
            } catch {
                // The host is asked for rather than its zygote.
                if refused[identity] == nil || !OtherProcess.name(place.pid).hasPrefix("mape-zygote") {
                    refused[identity] = error
                }
            }
        }
        readers = found.sorted { ($0.host, $0.identity.inode) < ($1.host, $1.identity.inode) }
        refusals = Set(refused.filter { !seen.contains($0.key) }.values).sorted { $0.process < $1.process }
    }
}
