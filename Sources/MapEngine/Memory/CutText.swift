// Cutting texts between characters: fork_text.c, which workers use as well, for Swift.

import CMapBridge

/// How many of these bytes are whole: they may end inside a character of UTF-8.
func wholeCharacters(_ bytes: [UInt8]) -> Int {
    let text = CText(array: bytes)
    return unsafe Int(mapb_whole(text.bytes, UInt64(bytes.count)))
}

/// The length of the whole lines at the start of a text: up to its last line feed, or all of its whole characters when what comes behind
/// is longer than a line may be.
func wholeLines(_ bytes: [UInt8]) -> Int {
    let lines = bytes.lastIndex(of: 10).map { $0 + 1 } ?? 0
    return bytes.count - lines < Policy.longestLine ? lines : wholeCharacters(bytes)
}
