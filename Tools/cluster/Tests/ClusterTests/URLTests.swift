import Testing

@testable import Cluster

@Suite struct URLTests {
    func parse(_ text: String) throws -> ClusterURL {
        try ClusterURL(text) { $0 == "localhost" || $0 == "127.0.0.1" || $0 == "::1" }
    }

    @Test func wholeURL() throws {
        let url = try parse(
            "rediss://farm.studio:6380/prod?ca=/etc/mape/ca.crt&cert=/etc/mape/host.crt&key=/etc/mape/host.key&user=host&password-file=/etc/mape/pw"
        )
        #expect(url.isTLS)
        #expect(url.servers == [ClusterURL.Server(host: "farm.studio", port: 6380)])
        #expect(url.prefix == "prod")
        #expect(
            url.ca == "/etc/mape/ca.crt" && url.certificate == "/etc/mape/host.crt" && url.key == "/etc/mape/host.key")
        #expect(url.user == "host" && url.passwordFile == "/etc/mape/pw" && url.password == nil)
    }

    @Test func defaults() throws {
        let url = try parse("redis://localhost")
        #expect(!url.isTLS && url.prefix == "mapengine" && url.servers[0].port == 6379 && url.user == nil)
    }

    @Test func severalServersAndBrackets() throws {
        let url = try parse("rediss://a:1,[fe80::2]:7000,c/x")
        #expect(url.servers.map(\.text) == ["a:1", "[fe80::2]:7000", "c:6379"])
    }

    @Test func tagsOfNodes() throws {
        #expect(try parse("redis://localhost").needs == [])
        #expect(try parse("redis://localhost?needs=gpu,rack-7.b").needs == ["gpu", "rack-7.b"])
    }

    @Test func valuesThatTheServerTakes() throws {
        #expect(try parse("redis://localhost").valueLimit == 256 << 20)
        #expect(try parse("redis://localhost?value-limit=65536").valueLimit == 65536)
    }

    @Test func passwordInURL() throws {
        let url = try parse("redis://ho%40st:p%3Aw%25@localhost/x")
        #expect(url.user == "ho@st" && url.password == "p:w%")
        #expect(try parse("redis://:pw@localhost").password == "pw")
        #expect(try url.secret() == "p:w%")
    }

    @Test func plainOnlyToThisMachineUnlessAskedFor() throws {
        _ = try parse("redis://127.0.0.1:7")
        _ = try parse("redis://[::1]:7/x")
        _ = try parse("redis://farm?plain=1")
        #expect(throws: Refusal.self) { try parse("redis://127.0.0.1,farm") }
    }

    @Test(arguments: [
        ("", "no scheme"), ("farm", "no scheme"), ("http://farm", "begins with http://"),
        ("redis://", "names no server"), ("redis:///x", "names no server"), ("redis://localhost,/x", "names no server"),
        ("redis://farm", "another machine"), ("redis://farm?plain=0", "another machine"),
        ("redis://farm?plain=yes", "plain=yes"), ("rediss://farm?plain=1", "TLS"),
        ("redis://localhost:0", "port 0"), ("redis://localhost:65536", "port 65536"),
        ("redis://localhost:+1", "port +1"),
        ("redis://localhost:", "port "), ("redis://localhost:x", "port x"), ("redis://::1", "brackets"),
        ("redis://[::1", "without ]"), ("redis://[::1]6379", "behind an address"),
        ("redis://lo cal", "cannot be one"), ("redis://localhost/a/b", "prefix"), ("redis://localhost/a:b", "prefix"),
        ("redis://localhost/a*", "prefix"), ("redis://localhost/%7Bx", "prefix"),
        ("redis://localhost?ca", "without a value"), ("redis://localhost?user=", "without a value"),
        ("redis://localhost?needs=a%20b", "tags of nodes"), ("redis://localhost?needs=a,", "tags of nodes"),
        ("redis://localhost?needs=a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", "at most 16"),
        ("redis://localhost?value-limit=9", "from 65536 on"), ("redis://localhost?value-limit=x", "from 65536 on"),
        ("redis://localhost?who=me", "unknown option who"), ("redis://localhost?user=a&user=b", "twice"),
        ("redis://a:b@localhost?user=c", "twice"), ("redis://a:b@localhost?password-file=c", "which one"),
        ("redis://localhost?user=a", "no password"), ("rediss://farm?cert=a", "both"), ("rediss://farm?key=a", "both"),
        ("redis://localhost?ca=a", "without TLS"), ("redis://localhost/%", "two hexadecimal"),
        ("redis://localhost/%4", "two hexadecimal"), ("redis://localhost/%+1", "two hexadecimal"),
        ("redis://localhost/%zz", "two hexadecimal"), ("redis://localhost?ca=%00", "%00"),
        ("redis://localhost?user=%ff", "UTF-8"), ("redis://localhost/x#y", "#"),
    ])
    func wrong(_ text: String, _ why: String) {
        let refusal = #expect(throws: Refusal.self) { try parse(text) }
        #expect(refusal?.kind == .url)
        #expect(refusal?.text.contains(why) == true, "\(refusal?.text ?? "")")
        #expect(refusal?.isLasting == true)
    }

    @Test func textsAreMadePrintable() {
        let refusal = #expect(throws: Refusal.self) { try parse("ht\u{1b}[2Jtp://x") }
        #expect(refusal?.text.contains("\u{1b}") == false)
    }

    @Test func passwordFiles() throws {
        let refusal = #expect(throws: Refusal.self) {
            try parse("redis://localhost?user=a&password-file=/nowhere/pw").secret()
        }
        #expect(refusal?.kind == .file && refusal?.text.contains("/nowhere/pw") == true)
        #expect(throws: Refusal.self) { try parse("redis://localhost?user=a&password-file=/dev/null").secret() }
        #expect(throws: Refusal.self) { try parse("redis://localhost?user=a&password-file=/").secret() }
    }
}

@Suite struct RefusalTests {
    func refusal(_ reply: String, _ command: String) -> Refusal {
        Refusal(reply: reply, to: command, user: "host", prefix: "prod")
    }

    @Test func namesTheRight() {
        let six = refusal("NOPERM this user has no permissions to run the 'xadd' command or its subcommand", "XADD")
        #expect(six.kind == .right && six.text.contains("+xadd") && six.text.contains("\"host\""))
        let seven = refusal("NOPERM User host has no permissions to run the 'client|list' command", "CLIENT")
        #expect(seven.kind == .right && seven.text.contains("+client|list"))
        #expect(
            refusal("NOPERM this user has no permissions to access one of the keys used as arguments", "GET").text
                .contains("~prod:*"))
        #expect(refusal("NOPERM No permissions to access a channel", "PUBLISH").text.contains("&prod:*"))
    }

    @Test func others() {
        #expect(refusal("WRONGPASS invalid username-password pair or user is disabled.", "AUTH").kind == .login)
        #expect(refusal("NOAUTH Authentication required.", "XADD").text.contains("password-file="))
        #expect(refusal("LOADING Redis is loading the dataset in memory", "XADD").isLasting == false)
        #expect(refusal("ERR what\u{7}", "XADD").text == "the server answers to XADD: ERR what ")
        #expect(refusal("NOPERM 'it\"s' 'x", "GET").text.contains("+get"))
    }
}
