import CMapBridge
import Testing

@testable import MapEngine

@Suite struct HostPiecesTests {
    private static let text = Array("header and arrays, side by side or not".utf8)

    /// Reads items whose pieces are parts of `bytes`, given by offset and size.
    private func read(_ items: [[Range<Int>]], _ input: InputMemory, of bytes: UnsafeRawPointer) throws -> HostPieces {
        var pieces = HostPieces()
        for (i, item) in items.enumerated() {
            let spans = item.map { mape_span(data: bytes + $0.lowerBound, size: $0.count) }
            try spans.withUnsafeBufferPointer {
                try pieces.read(mape_pieces(pieces: $0.baseAddress, count: $0.count), "items", i, input)
            }
        }
        return pieces
    }

    @Test func eachPieceLiesWhereItsLineSaysAndWithinWhatWasAskedFor() throws {
        let input = try smallInput()
        try Self.text.withUnsafeBytes { bytes in
            let items: [[Range<Int>]] = [[0..<6, 11..<17], [], [3..<3], [0..<38, 0..<1, 5..<5, 7..<38]]
            let pieces = try read(items, input, of: bytes.baseAddress!)
            for (item, parts) in zip(pieces.items, items) {
                let block = try input.allocate(item.bytes)
                pieces.write(item, to: block.offset, into: input)
                let found = JobRecord.pieces(HostPieces.span(item, at: block.offset), in: input)
                #expect(found?.count == parts.count)
                for (piece, part) in zip(found ?? [], parts) {
                    #expect(piece.offset % 64 == 0)
                    #expect(piece.offset >= block.offset && piece.end <= block.end)
                    #expect(input.copyBytes(piece) == Array(Self.text[part]))
                }
            }
        }
    }

    @Test func aPieceInTheInputMemoryStaysWhereItIs() throws {
        let input = try smallInput()
        let buffer = try input.allocate(4096)
        let inside = UnsafeRawPointer(input.base) + Int(buffer.offset)
        let pieces = try read([[100..<200]], input, of: inside)
        let block = try input.allocate(pieces.items[0].bytes)
        #expect(block.count == 64)
        pieces.write(pieces.items[0], to: block.offset, into: input)
        let found = JobRecord.pieces(HostPieces.span(pieces.items[0], at: block.offset), in: input)
        #expect(found == [Extent(offset: buffer.offset + 100, count: 100)])
        var seen: [UInt64] = []
        try pieces.eachInside(pieces.items[0]) { k, offset, size in seen += [UInt64(k), offset, size] }
        #expect(seen == [0, buffer.offset + 100, 100])
    }

    @Test func anItemThatIsWrongIsNamedAndLeavesTheOthers() throws {
        let input = try smallInput()
        var byte: UInt8 = 0
        try withUnsafePointer(to: &byte) { byte in
            var pieces = try read([[0..<1]], input, of: byte)
            let spans = [mape_span(data: byte, size: 1), mape_span(data: nil, size: 3)]
            spans.withUnsafeBufferPointer { spans in
                let error = mapError {
                    try pieces.read(mape_pieces(pieces: spans.baseAddress, count: 2), "items", 1, input)
                }
                #expect(error?.message.contains("items[1].pieces[1].data") == true)
            }
            for count in [1, Int.max, -1] {
                #expect(mapError { try pieces.read(mape_pieces(pieces: nil, count: count), "items", 1, input) } != nil)
            }
            #expect(pieces.items.count == 1)
        }
    }

    @Test func anItemWithoutPiecesHasNone() {
        #expect(throws: Never.self) {
            let input = try smallInput()
            #expect(JobRecord.pieces(Extent(offset: 64, count: 64), in: input) == nil)
        }
    }
}
