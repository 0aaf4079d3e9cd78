// Cutting texts between characters: fork_text.c, which workers use as well, for Swift.

import CMapBridge

/// How many of these bytes are whole: they may end inside a character of UTF-8.
func wholeCharacters(_ bytes: [UInt8]) -> Int {
    let text = CText(array: bytes)
    return unsafe Int(mapb_whole(text.bytes, UInt64(bytes.count)))
}
