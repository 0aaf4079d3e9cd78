// swift-tools-version: 6.2
// The engine. `swift build` and `swift test` work once scripts/setup.sh has run, which makes the libraries in .build-static that
// are linked here. MAPENGINE_DIST=1 adds the linker settings of the library that users get: soname, exported symbols, and the
// Swift runtime linked in (see docs/architecture.md).
import Foundation
import PackageDescription

let root = Context.packageDirectory

/// The soname's number, read from the header so that it stands in one place.
func abiVersion() -> String {
    let header = (try? String(contentsOfFile: root + "/include/mapengine/base.h", encoding: .utf8)) ?? ""
    let line = header.split(separator: "\n").first { $0.hasPrefix("#define MAPE_ABI_VERSION ") }
    return line.map { String($0.split(separator: " ")[2]) } ?? "0"
}

/// Set by scripts/sanitize.sh, which says --sanitize to SwiftPM where the sanitizer is one that Swift has as well.
let sanitizer = Context.environment["MAPENGINE_SANITIZER"]

/// In place of the machine's C library: one whose symbols glibc 2.28 has (scripts/setup.sh makes it, where it can). --wrap: see
/// Sources/glibc/fallbacks.c.
let olderGlibc = root + "/.build-static/glibc"
let loadsEarlier: [String] =
    FileManager.default.fileExists(atPath: olderGlibc + "/libc.so")
    ? ["-L\(olderGlibc)", "-Xlinker", "--wrap=_dl_find_object"] : []

/// icf: functions of the same code are kept once, which is two per cent of the library. Nothing in it compares their addresses.
let shippedLinking: [LinkerSetting] = [
    .unsafeFlags(
        (sanitizer == nil ? loadsEarlier : []) + [
            "-static-stdlib",
            // A folder that holds libstdc++.a and libffi.a alone, so that the linker does not take the shared ones.
            "-L\(root)/.build-static", "-Xclang-linker", "-static-libgcc",
            "-Xlinker", "-soname=libmapengine.so.\(abiVersion())",
            "-Xlinker", "--version-script=\(root)/Sources/exports.map",
            "-Xlinker", "--wrap=_swift_stdlib_getScalarName",  // CMapBridge/linux/host_unused.c
            "-Xlinker", "--gc-sections", "-Xlinker", "--icf=all", "-Xlinker", "-Bsymbolic",
            "-Xlinker", "-z", "-Xlinker", "nodelete",
        ])
]
/// Every symbol has to be found when the library is linked; but a sanitizer's are found in the program that loads it.
let strictLinking: [LinkerSetting] = [.unsafeFlags(["-Xlinker", "-z", "-Xlinker", "defs"])]

/// The tests run with exclusive access checked at run time as well; it costs a third of the host's time per range. Nobody asks for
/// the names of fields (Mirror), which are one per cent of the library.
let shippedCompiling: [SwiftSetting] = [
    .unsafeFlags(["-enforce-exclusivity=unchecked", "-Xfrontend", "-disable-reflection-metadata"])
]

let isShipped = Context.environment["MAPENGINE_DIST"] == "1"

let checksOfC: [CSetting] =
    switch sanitizer {
    case "undefined": [.unsafeFlags(["-fsanitize=undefined", "-fno-sanitize-recover=all"])]
    case "fuzzer": [.unsafeFlags(["-fsanitize=fuzzer-no-link"])]
    default: []
    }
let countsBranches: [SwiftSetting] = sanitizer == "fuzzer" ? [.unsafeFlags(["-sanitize=fuzzer"])] : []
let shippedOnly = isShipped && sanitizer == nil

/// What Tests/fuzz feeds its inputs to. It looks inside the engine, so there is none of it in a release.
let fuzzProducts: [Product] =
    isShipped ? [] : [.library(name: "mapengine-fuzz", type: .dynamic, targets: ["MapEngineFuzz"])]
let fuzzTargets: [Target] =
    isShipped
    ? []
    : [
        .target(
            name: "MapEngineFuzz", dependencies: ["MapEngine", "CMapBridge"], path: "Tests/fuzz/engine",
            swiftSettings: [.swiftLanguageMode(.v6)] + countsBranches)
    ]

let package = Package(
    name: "mapengine",
    products: [.library(name: "mapengine", type: .dynamic, targets: ["MapEngine"])] + fuzzProducts,
    targets: [
        .target(
            name: "CMapBridge", cSettings: [.define("_GNU_SOURCE")] + checksOfC,
            // gcc's libbacktrace, as scripts/setup.sh has made it.
            linkerSettings: [.unsafeFlags(["-L\(root)/.build-static"]), .linkedLibrary("mapbacktrace")]),
        .target(
            name: "MapEngine", dependencies: ["CMapBridge"],
            swiftSettings: [.swiftLanguageMode(.v6), .strictMemorySafety(), .treatAllWarnings(as: .error)]
                + (shippedOnly ? shippedCompiling : []) + countsBranches,
            linkerSettings: (isShipped ? shippedLinking : []) + (shippedOnly ? strictLinking : [])
                + [.linkedLibrary("ffi")]),
        .testTarget(
            name: "MapEngineTests", dependencies: ["MapEngine"],
            swiftSettings: [.swiftLanguageMode(.v6)]),
    ] + fuzzTargets
)
