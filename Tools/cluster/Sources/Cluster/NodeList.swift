// Which nodes are there.

import CNet

public enum NodeList {
    /// Those of all servers of the URL that can be used; each node uses one.
    public static func all(_ access: Access) throws(Refusal) -> [NodeRecord] {
        var nodes: [NodeRecord] = []
        var failure = Refusal(.url, "the cluster's URL names no server")
        var isAny = false
        for server in access.url.servers {
            do throws(Refusal) {
                nodes += try read(Client(access, server), Keys(access.url.prefix))
                isAny = true
            } catch {
                failure = error
            }
        }
        if !isAny { throw failure }
        return nodes
    }

    /// Those that live; names whose key has ended are taken out of the set.
    public static func read(_ client: Client, _ keys: Keys) throws(Refusal) -> [NodeRecord] {
        let names = try client.call(["SMEMBERS", .text(keys.nodes)])
        var nodes: [NodeRecord] = []
        for i in 0..<names.count {
            guard let name = names[i]?.text, Keys.isName(name) else { continue }
            guard let text = try client.call(["GET", .text(keys.node(name))]).text, let node = NodeRecord(text),
                node.consumer == name
            else { continue }
            nodes.append(node)
        }
        return nodes
    }
}

extension Hash {
    public init(of bytes: [UInt8]) {
        var made = [UInt8](repeating: 0, count: 32)
        unsafe cnet_sha256(bytes, bytes.count, &made)
        self = Hash(made) ?? .none
    }

    public init(of bytes: UnsafeRawBufferPointer) {
        var made = [UInt8](repeating: 0, count: 32)
        unsafe cnet_sha256(bytes.baseAddress, bytes.count, &made)
        self = Hash(made) ?? .none
    }

    /// Of a file.
    public init(file: String) throws(Refusal) {
        var made = [UInt8](repeating: 0, count: 32)
        let why = Text()
        guard unsafe cnet_sha256_file(file, &made, why.pointer) == 0, let hash = Hash(made) else {
            throw Refusal(.file, "\(file) cannot be read: \(why.string)")
        }
        self = hash
    }
}
