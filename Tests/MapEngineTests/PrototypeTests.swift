// What prototypes mean: types, directions, lengths, and how a call's inputs and outputs are laid out.

import CMapBridge
import Testing

@testable import MapEngine

func parsed(_ text: String, errno: Bool = false) throws -> Prototype {
    try PrototypeParser.parse(text, reportsErrno: errno)
}

@Suite struct PrototypeTests {
    @Test func aPlainOne() throws {
        let p = try parsed("double pow(double x, double y)")
        #expect(p.name == "pow")
        #expect(p.parameters.map(\.name) == ["x", "y"])
        #expect(p.parameters.map(\.type.kind) == [MAPE_TYPE_DOUBLE, MAPE_TYPE_DOUBLE])
        #expect(p.inputs == [0, 1])
        #expect(p.itemSize == 16 && p.resultSize == 8)
        #expect(!p.mustClear && !p.varies)
    }

    @Test(arguments: [
        ("unsigned", MAPE_TYPE_UINT32), ("long int unsigned long", MAPE_TYPE_UINT64),
        ("short signed int", MAPE_TYPE_INT16),
        ("double long", MAPE_TYPE_LONG_DOUBLE), ("_Complex double", MAPE_TYPE_COMPLEX_DOUBLE),
        ("float complex", MAPE_TYPE_COMPLEX_FLOAT), ("long _Complex double", MAPE_TYPE_COMPLEX_LONG_DOUBLE),
        ("char unsigned", MAPE_TYPE_UINT8), ("bool", MAPE_TYPE_BOOL), ("const volatile int", MAPE_TYPE_INT32),
        ("size_t", MAPE_TYPE_UINT64), ("int8_t", MAPE_TYPE_INT8), ("{int a;}", MAPE_TYPE_STRUCT),
    ])
    func typesInAllSpellings(text: String, kind: mape_type) throws {
        #expect(try parsed("void f(\(text) x)").parameters[0].type.kind == kind)
        #expect(try parsed("void f(\(text))").parameters[0].type.kind == kind, "a name may be left out")
        guard case .value(let type) = try parsed("\(text) f(void)").result else { throw MapError(MAPE_E_STATE, "") }
        #expect(type.kind == kind)
    }

    @Test(arguments: [
        ("const double *v [3]", true, false), ("const double v[3]", true, false), ("double *v [3]", false, true),
        ("double v[3]", false, true), ("inout double v[3]", true, true), ("inout double *restrict v [3]", true, true),
        ("double const * const v [3]", true, false),
    ])
    func directions(text: String, isIn: Bool, isOut: Bool) throws {
        let p = try parsed("void f(\(text))").parameters[0]
        #expect(p.form == .array && p.length == 3)
        #expect(p.isIn == isIn && p.isOut == isOut)
    }

    @Test func lengths() throws {
        let p = try parsed(
            "void f(const float *v [n][3], int n, double *m [4][4], const void *data [0x10], char out[n])")
        #expect(p.parameters.map(\.lengthParameter) == [1, nil, nil, nil, 1])
        #expect(p.parameters.map(\.length) == [3, 1, 16, 16, 1])
        #expect(p.parameters[3].type.kind == MAPE_TYPE_BYTE)
        #expect(p.varies)
    }

    @Test func textsAreReadOrReturnedByCopy() throws {
        let p = try parsed("const char *[64] strerror(int code)")
        guard case .text(64) = p.result else { throw MapError(MAPE_E_STATE, "") }
        #expect(try parsed("int atoi(const char *text)").parameters[0].form == .text)
    }

    @Test func structuresAreLaidOutAsByC() throws {
        let p = try parsed(
            "struct in {char a; short b[3];}; typedef {double x, y;} v2; struct in f({char a; struct in b; v2 c[2]; int d;} x)"
        )
        let type = p.parameters[0].type
        struct In {
            var a: CChar
            var b: (Int16, Int16, Int16)
        }
        #expect(type.members.map(\.type.size) == [1, 8, 16, 4])
        #expect(type.size == 56 && type.alignment == 8)
        #expect(type.spelling == "{char a; {char a; short b[3];} b; {double x; double y;} c[2]; int d;}")
    }

    @Test func inputsAndOutputsHaveTheirPlaces() throws {
        let p = try parsed(
            "char f(short a, const char *t, double *out [2], inout int n [1], const float *v [c], int c)", errno: true)
        #expect(p.inputs == [0, 1, 3, 4, 5])
        #expect(p.inputs.map { p.parameters[$0].inputOffset } == [0, 8, 24, 32, 48])
        #expect(p.itemSize == 56)
        #expect(p.outputs.map(\.name) == ["return", "out", "n", "errno"])
        #expect(p.outputs.map(\.offset) == [0, 8, 24, 28])
        #expect(p.resultSize == 32 && p.mustClear)
    }

    @Test func variadicOnesNameWhatIsPassed() throws {
        let p = try parsed("int printf(const char *format, ..., double x, int i, const char *s, long l)")
        #expect(p.isVariadic && p.fixedCount == 1 && p.parameters.count == 5)
        #expect(try parsed("int f(int a, ...)").isVariadic)
    }

    /// A wrong prototype, the column that is told, and what is said.
    static let wrong: [(String, Int, String)] = [
        ("", 1, "expected a type that the function returns"),
        ("double", 7, "expected the name of the function"),
        ("double pow", 11, "expected \"(\""),
        ("double pow(", 12, "expected the type of a parameter, found the end"),
        ("double pow(double x", 20, "expected \",\" or \")\""),
        ("double pow(double x,)", 21, "expected the type of a parameter"),
        ("double pow(double x) y", 22, "expected the end"),
        ("double pow(dubble x)", 12, "\"dubble\" is not known"),
        ("double pow(double 3)", 19, "expected \",\" or \")\""),
        ("double pow(double x, double x)", 29, "two parameters \"x\""),
        ("double pow(unsigned float x)", 12, "\"unsigned float\" is no type"),
        ("double pow(long long long x)", 12, "is no type"),
        ("double if(double x@)", 19, "\"@\" has no meaning"),
        ("double f(void x)", 10, "cannot be void"),
        ("int f(void *p)", 12, "address of the host"),
        ("int f(FILE *p)", 7, "\"FILE\" is not known"),
        ("int f(double *p)", 14, "how many"),
        ("int f(char *p)", 12, "is this a text"),
        ("int f(const char **p)", 18, "pointer to pointers"),
        ("int f(int (*g)(int))", 11, "function of the host"),
        ("int f(const double *v [n])", 24, "no parameter \"n\""),
        ("int f(const double *v [n], double n)", 24, "no integer"),
        ("int f(const double *v [0])", 24, "at least 1"),
        ("int f(const double *v [])", 24, "a length"),
        ("int f(const double *v [99999999999999999999])", 24, "no number that fits"),
        ("int f(const double *v [a][b], int a, int b)", 27, "only one length"),
        ("int f(inout const int *v [1])", 7, "does not go with"),
        ("int f(inout int v)", 7, "is for what a pointer points to"),
        ("double *f(int x)", 8, "returns an address"),
        ("const char *f(int x)", 12, "how long"),
        ("const char *[0] f(int x)", 14, "can be 1 to"),
        ("int f(union u x)", 7, "unions"),
        ("int f(enum e x)", 7, "int for an enum"),
        ("int f(struct s x)", 14, "what is in struct s"),
        ("int f({int a:3;} x)", 13, "bit-fields"),
        ("int f({int *a;} x)", 12, "an address in a structure"),
        ("int f({} x)", 7, "at least one member"),
        ("int f({int a, a;} x)", 15, "two members"),
        ("int f({char a[70000];} x)", 13, "65536 bytes"),
        ("int f(...)", 7, "a parameter before the dots"),
        ("int f(int a, ..., float b)", 19, "as double"),
        ("int f(int a, ..., char b)", 19, "as int"),
        ("int f(int a, ..., ...)", 19, "once"),
        ("int f(int a /* b)", 13, "comment does not end"),
        ("typedef int *p; int f(p x)", 13, "typedefs of pointers"),
        ("struct s {int a;}; struct s {int b;}; int f(struct s x)", 27, "already"),
    ]

    @Test(arguments: wrong)
    func wrongOnesAreToldByColumn(text: String, column: Int, what: String) throws {
        let error = mapError { try PrototypeParser.parse(text, reportsErrno: false) }
        let message = try #require(error?.message)
        #expect(error?.status == MAPE_E_ARGUMENT.rawValue)
        #expect(message.hasPrefix("function.prototype, column \(column): "), "\(message)")
        #expect(message.contains(what), "\(message)")
    }

    @Test func laterLinesAreCounted() {
        let error = mapError {
            try PrototypeParser.parse("double f(\n    double x,\n    dubble y)", reportsErrno: false)
        }
        #expect(error?.message.hasPrefix("function.prototype, line 3, column 5: ") == true)
    }

    /// Prototypes with bytes changed, cut, doubled and put elsewhere: each is refused or understood; libffi agrees about those.
    @Test(arguments: seeds) func nothingCrashesTheParser(seed: UInt64) throws {
        var random = SeededRandom(seed)
        let good = [
            "int snprintf(char *out [64], size_t n, const char *format, ..., double x, int i)",
            "struct v {double x, y[3];}; typedef struct v w; w f(const w *a [n][2], unsigned char n, inout {char c; w d;} b[1]);",
            "const char *[64] strerror(int code)", "long double _Complex f(_Bool, float _Complex)",
            "double pow(double x, double y)",
        ]
        let others = Self.wrong.map(\.0)
        let words = [
            "*", "[", "]", "(", ")", "{", "}", ",", ";", "...", "const", "inout", "int", "n", "0", "struct", "\u{e9}",
            "/*",
        ]
        var understood = 0
        for _ in 0..<2000 {
            var bytes = Array((random.chance(60) ? good : others).randomElement(using: &random)!.utf8)
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let at = Int.random(in: 0...bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes.insert(contentsOf: Array(words.randomElement(using: &random)!.utf8), at: at)
                case 1 where at < bytes.count: bytes.remove(at: at)
                case 2 where at < bytes.count: bytes[at] = UInt8.random(in: 1...255, using: &random)
                default: bytes.insert(contentsOf: bytes[..<at].suffix(10), at: at)
                }
            }
            let text = String(decoding: bytes, as: UTF8.self)
            let error = mapError { try NativeFunction(PrototypeParser.parse(text, reportsErrno: random.chance(50))) }
            guard let error else {
                understood += 1
                continue
            }
            #expect(error.message.hasPrefix("function.prototype"), "\(text): \(error.message)")
        }
        #expect(understood > 50 && understood < 1900, "\(understood)")
    }

    @Test func deepAndWideOnesHaveAnEnd() {
        let deep = "int f(" + String(repeating: "{", count: 4000)
        #expect(mapError { try PrototypeParser.parse(deep, reportsErrno: false) }?.message.contains("deep") == true)
        let doubling = (0..<40).map { "typedef {t\($0) a, b;} t\($0 + 1); " }.joined()
        let text = "typedef int t0; \(doubling) int f(t40 x)"
        #expect(
            mapError { try PrototypeParser.parse(text, reportsErrno: false) }?.message.contains("65536 bytes") == true)
        let wide = "int f(" + (0..<300).map { _ in "int" }.joined(separator: ", ") + ")"
        #expect(mapError { try PrototypeParser.parse(wide, reportsErrno: false) }?.message.contains("256") == true)
        let long = String(repeating: " ", count: 20000)
        #expect(
            mapError { try PrototypeParser.parse(long, reportsErrno: false) }?.message.contains("at most 16384") == true
        )
    }
}
