// Each limit of prototypes: what reaches it is understood, what passes it by one is refused, by a message that says so.

import CMapBridge
import Testing

@testable import MapEngine

@Suite struct PrototypeLimitTests {
    struct Limit: Sendable, CustomTestStringConvertible {
        let name: String
        let most: Int
        let text: @Sendable (Int) -> String
        let said: String
        var testDescription: String { name }
    }

    static let limits = [
        Limit(
            name: "parameters", most: 256,
            text: { "void f(\(Array(repeating: "int", count: $0).joined(separator: ", ")))" },
            said: "more than 256 parameters"),
        Limit(
            name: "structures in structures", most: 16,
            text: {
                "void f(" + String(repeating: "{", count: $0) + "int a;" + String(repeating: "} a;", count: $0 - 1)
                    + "} a)"
            },
            said: "more than 16 deep"),
        Limit(
            name: "bytes of a structure", most: 65536, text: { "void f({char a[\($0)];} x)" },
            said: "more than 65536 bytes"),
        Limit(
            name: "bytes of a structure, by two members", most: 65536,
            text: { "void f({double a[4096]; char b[\($0 - 32768)];} x)" },
            said: "more than 65536 bytes"),
        Limit(
            name: "bytes of a structure of structures", most: 8192, text: { "void f({{char a, b[7];} a[\($0)];} x)" },
            said: "more than 65536 bytes"),
        Limit(
            name: "bytes of a returned structure", most: 65536, text: { "{char a[\($0)];} f(void)" },
            said: "more than 65536 bytes"),
        Limit(
            name: "bytes of a returned text", most: 1 << 20, text: { "const char *[\($0)] f(void)" },
            said: "1 to 1048576"),
        Limit(
            name: "bytes of an array", most: 1 << 40, text: { "void f(char *a [\($0)])" }, said: "larger than memory"),
        Limit(
            name: "elements of an array", most: 1 << 37, text: { "void f(double *a [\($0)])" },
            said: "larger than memory"),
        Limit(
            name: "lengths of an array", most: 1 << 20, text: { "void f(char *a [1048576][\($0)])" },
            said: "larger than memory"),
        Limit(
            name: "bytes of a prototype", most: 16384,
            text: { "void f(int a)" + String(repeating: " ", count: $0 - 13) },
            said: "at most 16384"),
        Limit(
            name: "members of all structures", most: 15,
            text: { n in
                "void f(" + (0..<n).map { _ in "{char a[65535];} *[1]" }.joined(separator: ", ")
                    + ", {char a[65520];} *[1])"
            },
            said: "at most 1048576"),
    ]

    @Test(arguments: limits) func isReachedAndNotPassed(limit: Limit) {
        func error(_ n: Int) -> (status: Int32, message: String)? {
            mapError { try NativeFunction(PrototypeParser.parse(limit.text(n), reportsErrno: false)) }
        }
        #expect(error(limit.most)?.message == nil)
        let beyond = error(limit.most + 1)
        #expect(beyond?.status == MAPE_E_ARGUMENT.rawValue)
        #expect(beyond?.message.contains(limit.said) == true, "\(beyond?.message ?? "understood")")
    }

    @Test func namesCanBeDeclaredAgainForTheSameType() throws {
        #expect(try parsed("typedef long time_t; void f(time_t t)").parameters[0].type.kind == MAPE_TYPE_INT64)
        #expect(try parsed("typedef int a; typedef int a; void f(a x)").parameters[0].type.kind == MAPE_TYPE_INT32)
        #expect(try parsed("struct s {int a;}; typedef struct s t; typedef struct s t; void f(t x)").itemSize == 4)
        for wrong in [
            "typedef int time_t; void f(time_t t)", "typedef int a; typedef long a; void f(a x)",
            "typedef {int a;} t; typedef {int a;} t; void f(t x)", "typedef char int8_t; void f(int8_t x)",
        ] {
            #expect(mapError { try parsed(wrong) }?.message.contains("is a type") == true, "\(wrong)")
        }
        #expect(mapError { try parsed("typedef int time_t; void f(time_t t)") }?.message.contains("int64") == true)
    }
}
