// Which program a zygote is.

import CMapBridge

extension PoolConfig.ZygoteProgram {
    /// The program's path from the root.
    /// - variables: the environment of the start.
    func located(_ variables: [UserText]) throws(MapError) -> UserText {
        guard let path else { return try Self.bundled() }
        return path.hasFolder ? path : try Self.inPath(path, variables)
    }

    /// What a name without a folder stands for, as execvp(3) finds it.
    static func inPath(_ name: UserText, _ variables: [UserText]) throws(MapError) -> UserText {
        if let path = try find(name, variables) { return path }
        throw MapError(
            MAPE_E_SYSTEM,
            "there is no program \"\(name)\" in PATH, which is \"\(PATH(variables))\" at the start: set config.zygote_path to the program's path"
        )
    }

    private static func PATH(_ variables: [UserText]) -> UserText {
        let entry = variables.first { $0.variableName.elementsEqual("PATH".utf8) }
        return UserText(bytes: entry?.bytes.dropFirst(5) ?? [UInt8]("/bin:/usr/bin".utf8)[...])
    }

    /// Nil: there is none.
    fileprivate static func find(_ name: UserText, _ variables: [UserText]) throws(MapError) -> UserText? {
        for folder in PATH(variables).bytes.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false) {
            let file = folder.isEmpty ? name : UserText(bytes: folder) + "/" + name
            let path = try file.absolute("PATH")
            if Files.isProgram(path) { return path }
        }
        return nil
    }

    /// The helper program, in the folder libexec beside the library's own.
    private static func bundled() throws(MapError) -> UserText {
        let program = try installed("mapengine-zygote")
        let code = Files.mayRun(program)
        if code == 0 { return program }
        if SystemError.isDenial(-code) { throw .system("access to \(program)", -code) }
        throw MapError(
            MAPE_E_SYSTEM, "there is no program \(program): install it beside the library, or set config.zygote_path")
    }

    /// A program's path in the folder libexec beside the library's own.
    fileprivate static func installed(_ name: UserText) throws(MapError) -> UserText {
        var path = [CChar](repeating: 0, count: 4097)
        let why = unsafe mapb_own_path(&path, UInt64(path.count))
        if why != 0 { throw .system("finding the library's own path", why) }
        let slash = UInt8(ascii: "/")
        let own = UserText(array: path).bytes
        let folder = own[..<(own.lastIndex(of: slash) ?? own.startIndex)]
        let parent = folder[..<(folder.lastIndex(of: slash) ?? folder.startIndex)]
        return UserText(bytes: parent) + "/libexec/" + name
    }
}

extension Cluster {
    /// The helper's path from the root.
    /// - variables: the environment of the start.
    func located(_ variables: [UserText]) throws(MapError) -> UserText {
        if let program, program.hasFolder { return program }
        let name = program ?? "mapengine-remote"
        let beside = try PoolConfig.ZygoteProgram.installed(name)
        if program == nil && Files.mayRun(beside) == 0 { return beside }
        if let path = try PoolConfig.ZygoteProgram.find(name, variables) { return path }
        throw MapError(
            MAPE_E_SYSTEM,
            "there is no program \(beside), and none of that name in PATH: install the package mapengine-cluster, or set config.remote_path")
    }
}
