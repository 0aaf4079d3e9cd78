// swift-tools-version: 6.2
// The engine. `swift build` and `swift test` build it as any package; MAPENGINE_DIST=1 adds the linker settings of the
// library that users get: soname, exported symbols, and the Swift runtime linked in (see docs/architecture.md).
import Foundation
import PackageDescription

let root = Context.packageDirectory

/// The soname's number, read from the header so that it stands in one place.
func abiVersion() -> String {
    let header = (try? String(contentsOfFile: root + "/include/mapengine.h", encoding: .utf8)) ?? ""
    let line = header.split(separator: "\n").first { $0.hasPrefix("#define MAPE_ABI_VERSION ") }
    return line.map { String($0.split(separator: " ")[2]) } ?? "0"
}

let shippedLinking: [LinkerSetting] = [
    .unsafeFlags([
        "-static-stdlib",
        // A folder that holds libstdc++.a and libffi.a alone, so that the linker does not take the shared ones.
        "-L\(root)/.build-static", "-Xclang-linker", "-static-libgcc",
        "-Xlinker", "-soname=libmapengine.so.\(abiVersion())",
        "-Xlinker", "--version-script=\(root)/Sources/exports.map",
        "-Xlinker", "--gc-sections", "-Xlinker", "-Bsymbolic",
        "-Xlinker", "-z", "-Xlinker", "nodelete", "-Xlinker", "-z", "-Xlinker", "defs",
    ])
]

/// The tests run with exclusive access checked at run time as well; it costs a third of the host's time per range.
let shippedCompiling: [SwiftSetting] = [.unsafeFlags(["-enforce-exclusivity=unchecked"])]

let isShipped = Context.environment["MAPENGINE_DIST"] == "1"

let package = Package(
    name: "mapengine",
    products: [.library(name: "mapengine", type: .dynamic, targets: ["MapEngine"])],
    targets: [
        .target(name: "CMapBridge", cSettings: [.define("_GNU_SOURCE")]),
        .target(
            name: "MapEngine", dependencies: ["CMapBridge"],
            swiftSettings: [.swiftLanguageMode(.v6), .strictMemorySafety(), .treatAllWarnings(as: .error)]
                + (isShipped ? shippedCompiling : []),
            linkerSettings: (isShipped ? shippedLinking : []) + [.linkedLibrary("ffi")]),
        .testTarget(
            name: "MapEngineTests", dependencies: ["MapEngine"],
            swiftSettings: [.swiftLanguageMode(.v6)]),
    ]
)
