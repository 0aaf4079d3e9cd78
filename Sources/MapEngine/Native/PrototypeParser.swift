// Reads a prototype: recursive descent over its tokens, one function per rule of the grammar in docs/prototypes.md. This file has
// declarations, parameters and lengths; PrototypeParser+Types has types.

import CMapBridge

struct PrototypeParser {
    static let mostParameters = 256
    /// Structures in structures.
    static let deepest = 16
    /// In bytes.
    static let largestStructure: UInt64 = 65536
    /// Members, and elements of arrays, of all different structures of a prototype: libffi needs a pointer for each, in every worker.
    static let mostElements: UInt64 = 1 << 20

    let bytes: [UInt8]
    let tokens: [Token]
    var at = 0
    var depth = 0
    /// Structures by tag, and types by typedef.
    var tags: [String: NativeType] = [:]
    var names = NativeType.named

    static func parse(_ text: String, reportsErrno: Bool) throws(MapError) -> Prototype {
        var parser = PrototypeParser(bytes: Array(text.utf8), tokens: try PrototypeLexer.tokens(of: text))
        return try parser.prototype(reportsErrno: reportsErrno)
    }

    private init(bytes: [UInt8], tokens: [Token]) {
        self.bytes = bytes
        self.tokens = tokens
    }

    // MARK: - Tokens

    var token: Token { tokens[at] }

    func error(_ what: String, at place: Token? = nil) -> MapError {
        PrototypeLexer.error(in: bytes, at: (place ?? token).offset, what)
    }

    mutating func consume() -> Token {
        let taken = tokens[at]
        if taken.kind != .end { at += 1 }
        return taken
    }

    func sees(_ text: String) -> Bool { token.kind != .end && token.text == text }

    mutating func consumes(_ text: String) -> Bool {
        if !sees(text) { return false }
        at += 1
        return true
    }

    mutating func expect(_ text: String, _ why: String) throws(MapError) {
        if !consumes(text) { throw error("expected \"\(text)\" \(why), found \(token.shown)") }
    }

    // MARK: - Declarations

    private mutating func prototype(reportsErrno: Bool) throws(MapError) -> Prototype {
        while true {
            // A structure may also be what the function returns.
            let before = self
            if try typeDeclaration() { continue }
            self = before
            break
        }
        _ = consumes("extern")
        let specifiers = try specifiers("a type that the function returns")
        let result = try result(specifiers)
        guard token.kind == .word, !Self.isKeyword(token.text) else {
            throw error("expected the name of the function, found \(token.shown)")
        }
        let name = consume().text
        try expect("(", "before the parameters")
        var list = ParameterList()
        try parameters(&list)
        _ = consumes(";")
        guard token.kind == .end else { throw error("expected the end of the prototype, found \(token.shown)") }
        try resolveLengths(&list)
        return Prototype(
            name: name, result: result, parameters: list.parameters, fixedCount: list.dots ?? list.parameters.count,
            isVariadic: list.dots != nil, reportsErrno: reportsErrno)
    }

    /// `struct tag {...};` or `typedef type name;`. False when something else is there.
    private mutating func typeDeclaration() throws(MapError) -> Bool {
        if consumes("typedef") {
            let type = try valueType("a type")
            guard token.kind == .word, !Self.isKeyword(token.text) else {
                throw error(
                    sees("*")
                        ? "typedefs of pointers are not possible: write the parameter itself with * and a length"
                        : "expected a new name for the type, found \(token.shown)")
            }
            let place = consume()
            // As in C11, a name may be declared again for the same type.
            if let known = names[place.text], !known.isSame(as: type) {
                throw error(
                    NativeType.named[place.text] != nil
                        ? "\"\(place.text)\" is a type of C's headers already, \(known.kind.text) here: leave the typedef out"
                        : "\"\(place.text)\" is a type already", at: place)
            }
            names[place.text] = type
            try expect(";", "after the typedef")
            return true
        }
        guard sees("struct"), at + 2 < tokens.count, tokens[at + 2].text == "{" else { return false }
        _ = try valueType("a type")
        return consumes(";")
    }

    private mutating func result(_ specifiers: Specifiers) throws(MapError) -> Prototype.Result {
        if specifiers.isInout { throw error("\"inout\" is for parameters", at: specifiers.start) }
        guard sees("*") else {
            guard let type = specifiers.type else { return .none }
            return .value(type)
        }
        let star = consume()
        skipQualifiers()
        guard let type = specifiers.type, type === NativeType.plainChar else {
            throw error(
                "the function returns an address, which means nothing in the host; only texts can be returned, as const char *[64]",
                at: star)
        }
        guard sees("[") else {
            throw error(
                "how long can the returned text be? Write const char *[64] for at most 63 bytes: it is copied", at: star
            )
        }
        _ = consume()
        let place = token
        let size = try number("the most bytes of the returned text")
        guard size >= 1, size <= 1 << 20 else {
            throw error("the most bytes of the returned text can be 1 to 1048576", at: place)
        }
        try expect("]", "after the size")
        return .text(size)
    }

    // MARK: - Parameters

    private struct ParameterList {
        struct Length {
            let parameter: Int
            let name: Token
        }
        var parameters: [Prototype.Parameter] = []
        var lengths: [Length] = []
        var dots: Int?
    }

    private mutating func parameters(_ list: inout ParameterList) throws(MapError) {
        if consumes(")") { return }
        if sees("void"), tokens[at + 1].text == ")" {
            at += 2
            return
        }
        while true {
            if sees("...") {
                let dots = consume()
                guard list.dots == nil else { throw error("the dots can stand there once", at: dots) }
                guard !list.parameters.isEmpty else {
                    throw error("C has a parameter before the dots", at: dots)
                }
                list.dots = list.parameters.count
            } else {
                let start = token
                guard list.parameters.count < Self.mostParameters else {
                    throw error("there are more than \(Self.mostParameters) parameters", at: start)
                }
                try parameter(&list)
                if let parameter = list.parameters.last, list.dots != nil, parameter.form == .value,
                    let promoted = parameter.type.promoted
                {
                    throw error(
                        "behind the dots C passes \(parameter.type.spelling) as \(promoted): write \(promoted)",
                        at: start)
                }
            }
            if consumes(")") { return }
            guard consumes(",") else { throw error("expected \",\" or \")\", found \(token.shown)") }
        }
    }

    private mutating func parameter(_ list: inout ParameterList) throws(MapError) {
        let specifiers = try specifiers("the type of a parameter")
        let place = token
        var stars = 0
        while consumes("*") {
            stars += 1
            skipQualifiers()
        }
        if stars > 1 {
            throw error(
                "a pointer to pointers: an address of the host means nothing in a worker", at: place)
        }
        if sees("(") { throw error("a function of the host cannot be called from a worker") }
        var name: Token?
        if token.kind == .word {
            if Self.isKeyword(token.text) { throw error("expected a name, \",\" or \")\", found \(token.shown)") }
            name = consume()
        }
        if let name, list.parameters.contains(where: { $0.name == name.text }) {
            throw error("there are two parameters \(name.shown)", at: name)
        }
        var length: UInt64 = 1
        var counter: Token?
        let hasLength = sees("[")
        while consumes("[") {
            if token.kind == .word {
                guard counter == nil else { throw error("only one length can be a parameter") }
                counter = consume()
            } else {
                length = try product(length, "a length: a number, or the name of a parameter")
            }
            try expect("]", "after the length")
        }
        if sees("(") { throw error("a function of the host cannot be called from a worker") }
        if let counter { list.lengths.append(.init(parameter: list.parameters.count, name: counter)) }
        list.parameters.append(
            try make(
                specifiers, pointer: stars == 1 ? place : nil, name: name, length: hasLength ? length : nil))
    }

    /// What a parameter is, by its type, a star and a length.
    private func make(_ specifiers: Specifiers, pointer: Token?, name: Token?, length: UInt64?) throws(MapError)
        -> Prototype.Parameter
    {
        func parameter(_ form: Prototype.Parameter.Form, _ type: NativeType, isOut: Bool, _ length: UInt64)
            -> Prototype.Parameter
        {
            Prototype.Parameter(
                name: name?.text ?? "", form: form, type: type, isIn: !isOut || specifiers.isInout,
                isOut: isOut || specifiers.isInout, length: length)
        }
        if specifiers.isInout && specifiers.isConst {
            throw error("what is const is not written: \"inout\" does not go with it", at: specifiers.start)
        }
        if let length {
            guard let type = specifiers.type ?? (pointer != nil ? .byte : nil) else {
                throw error("there are no arrays of void; for bytes write void *data [size]", at: specifiers.start)
            }
            guard length <= (1 << 40) / type.size else {
                throw error("the array is larger than memory", at: name ?? specifiers.start)
            }
            return parameter(.array, type, isOut: !specifiers.isConst, length)
        }
        guard let pointer else {
            guard let type = specifiers.type else { throw error("a parameter cannot be void", at: specifiers.start) }
            if specifiers.isInout {
                throw error("\"inout\" is for what a pointer points to", at: specifiers.start)
            }
            return parameter(.value, type, isOut: false, 1)
        }
        let shown = name?.text ?? "data"
        guard let type = specifiers.type else {
            throw error(
                "an address of the host means nothing in a worker; for bytes write const void *\(shown) [size], for those that are written void *\(shown) [size]",
                at: pointer)
        }
        if type === NativeType.plainChar {
            if specifiers.isConst { return parameter(.text, type, isOut: false, 1) }
            throw error(
                "is this a text that is read, const char *\(shown), or one that is written, char *\(shown) [64]?",
                at: pointer)
        }
        throw error(
            "how many does it point to? Write \(type.spelling) *\(shown) [1] for one, or the parameter that counts them in the brackets",
            at: pointer)
    }

    private func resolveLengths(_ list: inout ParameterList) throws(MapError) {
        for length in list.lengths {
            guard let counter = list.parameters.firstIndex(where: { $0.name == length.name.text }) else {
                throw error("there is no parameter \(length.name.shown)", at: length.name)
            }
            guard list.parameters[counter].form == .value, list.parameters[counter].type.isInteger else {
                throw error("\(length.name.shown) is no integer, so it cannot be a length", at: length.name)
            }
            list.parameters[length.parameter].lengthParameter = counter
        }
    }

    // MARK: - Numbers

    /// A decimal, hexadecimal or octal constant, as C has them.
    mutating func number(_ what: String) throws(MapError) -> UInt64 {
        guard token.kind == .number else { throw error("expected \(what), found \(token.shown)") }
        var text = Substring(token.text.lowercased())
        while let last = text.last, last == "u" || last == "l" { text.removeLast() }
        let value =
            text.hasPrefix("0x")
            ? UInt64(text.dropFirst(2), radix: 16)
            : text.count > 1 && text.hasPrefix("0") ? UInt64(text, radix: 8) : UInt64(text)
        guard let value else { throw error("\(token.shown) is no number that fits here") }
        at += 1
        return value
    }

    /// A length times those before it.
    mutating func product(_ before: UInt64, _ what: String) throws(MapError) -> UInt64 {
        let place = token
        let (length, over) = try before.multipliedReportingOverflow(by: number(what))
        guard length > 0 else { throw error("a length is at least 1", at: place) }
        guard !over, length <= 1 << 40 else { throw error("the array is larger than memory", at: place) }
        return length
    }
}
