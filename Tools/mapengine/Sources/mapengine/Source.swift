/// Where the values of an input come from, as given on the command line.
enum Source {
    case numpy(String)
    /// A file, and the columns of it, by name or number; none: its only one.
    case csv(String, [String])
    case standardInput
    /// One value, for all calls.
    case literal(String)

    init(_ word: String) {
        if word.hasPrefix("=") {
            self = .literal(String(word.dropFirst()))
        } else if word == "-" {
            self = .standardInput
        } else if word.hasSuffix(".npy") {
            self = .numpy(word)
        } else if word.hasSuffix(".csv") {
            self = .csv(word, [])
        } else if let colon = Source.lastSuffix(in: word) {
            let columns = word[word.index(after: colon)...].split(separator: ",", omittingEmptySubsequences: false)
            self = .csv(String(word[..<colon]), columns.map(String.init))
        } else {
            self = .literal(word)
        }
    }

    /// The colon of the last `.csv:`.
    private static func lastSuffix(in word: String) -> String.Index? {
        word.indices.last { word[$0] == ":" && word[..<$0].hasSuffix(".csv") }
    }
}
