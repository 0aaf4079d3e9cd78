// The types in a prototype: numbers in all of C's spellings, structures, names of types.

import CMapBridge

extension NativeType {
    /// `char`, which is a type of its own: what texts are made of.
    static let plainChar = integer(8, signed: charIsSigned, "char")
}

extension PrototypeParser {
    /// A type with its qualifiers; no type: void.
    struct Specifiers {
        var type: NativeType?
        var isConst = false
        var isInout = false
        let start: Token
    }

    private static let qualifiers: Set<String> = [
        "const", "volatile", "restrict", "__restrict", "__restrict__", "register",
    ]
    /// Words of C's own types, which may stand in any order.
    private static let basic: Set<String> = [
        "signed", "unsigned", "short", "long", "int", "char", "float", "double", "_Bool", "_Complex", "complex",
    ]
    private static let others: Set<String> = [
        "void", "struct", "union", "enum", "typedef", "extern", "static", "inline", "inout",
    ]

    static func isKeyword(_ word: String) -> Bool {
        // "complex" is a macro of <complex.h>, so a name elsewhere.
        word != "complex" && (qualifiers.contains(word) || basic.contains(word) || others.contains(word))
    }

    mutating func skipQualifiers() {
        while token.kind == .word, Self.qualifiers.contains(token.text) { at += 1 }
    }

    /// Qualifiers and a type, in C's free order. `what` is said when there is none.
    mutating func specifiers(_ what: String) throws(MapError) -> Specifiers {
        var found = Specifiers(type: nil, start: token)
        var words: [String] = []
        var isWhole = false
        while true {
            if token.kind == .word, Self.qualifiers.contains(token.text) {
                if consume().text == "const" { found.isConst = true }
            } else if consumes("inout") {
                found.isInout = true
            } else if !isWhole, token.kind == .word, Self.basic.contains(token.text),
                token.text != "complex" || words.contains(where: { $0 == "float" || $0 == "double" })
            {
                words.append(consume().text)
            } else if isWhole || !words.isEmpty {
                break
            } else {
                found.type = try otherType(what)
                isWhole = true
            }
        }
        if !words.isEmpty { found.type = try basicType(words, at: found.start) }
        return found
    }

    /// A type that is no void and no pointer.
    mutating func valueType(_ what: String) throws(MapError) -> NativeType {
        let specifiers = try specifiers(what)
        if specifiers.isInout { throw error("\"inout\" is for parameters", at: specifiers.start) }
        guard let type = specifiers.type else { throw error("void has no values", at: specifiers.start) }
        return type
    }

    private mutating func otherType(_ what: String) throws(MapError) -> NativeType? {
        if sees("{") { return try structure() }
        guard token.kind == .word else { throw error("expected \(what), found \(token.shown)") }
        switch token.text {
        case "void":
            at += 1
            return nil
        case "struct": return try taggedStructure()
        case "union": throw error("unions cannot be passed: libffi has no type for them")
        case "enum": throw error("write int for an enum")
        case "static", "inline", "typedef", "extern": throw error("\(token.shown) has no meaning here")
        default: break
        }
        if let type = names[token.text] {
            at += 1
            return type
        }
        if token.text == "__int128" || token.text == "_Float128" || token.text == "__float128" {
            throw error("libffi has no type \(token.text)")
        }
        throw error(
            "the type \(token.shown) is not known; say what it is before, as its header does: typedef ... \(token.text); or struct \(token.text) {...};"
        )
    }

    private mutating func taggedStructure() throws(MapError) -> NativeType {
        at += 1
        if sees("{") { return try structure() }
        guard token.kind == .word, !Self.isKeyword(token.text) else {
            throw error("expected the tag of a structure or \"{\", found \(token.shown)")
        }
        let tag = consume()
        if sees("{") {
            guard tags[tag.text] == nil else { throw error("there is a struct \(tag.text) already", at: tag) }
            let type = try structure()
            tags[tag.text] = type
            return type
        }
        guard let type = tags[tag.text] else {
            throw error(
                "what is in struct \(tag.text)? Say it before: struct \(tag.text) {...};", at: tag)
        }
        return type
    }

    /// `{double x, y; float m[4];}`
    private mutating func structure() throws(MapError) -> NativeType {
        let start = token
        try expect("{", "before the members")
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.deepest else {
            throw error("structures lie in one another more than \(Self.deepest) deep", at: start)
        }
        var members: [NativeType.Member] = []
        while !consumes("}") {
            let type = try valueType("the type of a member, or \"}\"")
            repeat { members.append(try member(type, members)) } while consumes(",")
            // The last semicolon may be left out.
            if !sees("}") { try expect(";", "after the member") }
        }
        guard !members.isEmpty else { throw error("a structure has at least one member", at: start) }
        let size = members.reduce(UInt64(0)) { $0 + $1.type.size * $1.count + 64 }
        guard size <= 1 << 20 else { throw error("the structure has more than a mebibyte", at: start) }
        let structure = NativeType(members: members)
        guard structure.size <= Self.largestStructure else {
            throw error("the structure has more than \(Self.largestStructure) bytes", at: start)
        }
        return structure
    }

    private mutating func member(_ type: NativeType, _ others: [NativeType.Member]) throws(MapError)
        -> NativeType.Member
    {
        if sees("*") || sees("(") {
            throw error("an address in a structure: one of the host means nothing in a worker")
        }
        guard token.kind == .word, !Self.isKeyword(token.text) else {
            throw error("expected the name of a member, found \(token.shown)")
        }
        let name = consume()
        if others.contains(where: { $0.name == name.text }) {
            throw error("there are two members \(name.shown)", at: name)
        }
        if sees(":") { throw error("bit-fields cannot be passed: libffi has no type for them") }
        var count: UInt64 = 1
        let isArray = sees("[")
        while consumes("[") {
            count = try product(count, "a length")
            guard count <= Self.largestStructure else {
                throw error("the structure has more than \(Self.largestStructure) bytes", at: name)
            }
            try expect("]", "after the length")
        }
        return NativeType.Member(name: name.text, type: type, count: count, isArray: isArray)
    }

    /// C's own types (C11, 6.7.2), whose words may stand in any order.
    private func basicType(_ words: [String], at place: Token) throws(MapError) -> NativeType {
        func count(_ word: String) -> Int { words.count { $0 == word } }
        func only(_ allowed: String...) -> Bool { words.allSatisfy(allowed.contains) }
        let spelling = words.joined(separator: " ")
        let isComplex = count("_Complex") + count("complex") == 1
        let longs = count("long")
        if count("float") == 1, only("float", "_Complex", "complex"), words.count == 1 + (isComplex ? 1 : 0) {
            return isComplex ? .complexFloat : .float
        }
        if count("double") == 1, longs <= 1, only("double", "long", "_Complex", "complex"),
            words.count == 1 + longs + (isComplex ? 1 : 0)
        {
            return isComplex
                ? (longs == 1 ? .complexLongDouble : .complexDouble) : longs == 1 ? .longDouble : .double
        }
        if words == ["_Bool"] { return .bool }
        let signs = count("signed") + count("unsigned")
        let isUnsigned = count("unsigned") == 1
        if signs <= 1 {
            if count("char") == 1, words.count == 1 + signs, only("char", "signed", "unsigned") {
                if signs == 0 { return .plainChar }
                return .integer(8, signed: !isUnsigned, spelling)
            }
            let ints = count("int")
            if ints <= 1, only("int", "short", "long", "signed", "unsigned") {
                let shorts = count("short")
                if shorts == 1, longs == 0 { return .integer(16, signed: !isUnsigned, spelling) }
                if shorts == 0, longs == 0 { return .integer(32, signed: !isUnsigned, spelling) }
                if shorts == 0, longs <= 2 { return .integer(64, signed: !isUnsigned, spelling) }
            }
        }
        throw error("\"\(spelling)\" is no type of C", at: place)
    }
}
