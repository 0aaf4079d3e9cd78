"""A server that lies: it stands before a real one, and changes some of what that says: bytes, and whole values, as the protocol has them."""

import random
import socket
import threading

MOST = 1 << 22
EXTREMES = (0, 1, -1, 2, 255, 65535, 65536, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, (1 << 63) - 1, -(1 << 63))


class Incomplete(Exception):
    """More bytes are needed."""


def parse(data, at):
    """A reply as (kind, value), and where it ends."""
    end = data.find(b"\r\n", at)
    if end < 0:
        raise Incomplete
    kind, line = data[at : at + 1], bytes(data[at + 1 : end])
    at = end + 2
    if kind in (b"+", b"-", b":"):
        return (kind, line), at
    size = int(line)
    if size < 0:
        return (kind, None), at
    if kind == b"$":
        if len(data) < at + size + 2:
            raise Incomplete
        return (kind, bytes(data[at : at + size])), at + size + 2
    values = []
    for _ in range(size):
        value, at = parse(data, at)
        values.append(value)
    return (kind, values), at


def write(reply):
    kind, value = reply
    if kind in (b"+", b"-", b":"):
        return kind + value + b"\r\n"
    if value is None:
        return kind + b"-1\r\n"
    if kind == b"$":
        return b"$%d\r\n%s\r\n" % (len(value), value)
    return b"*%d\r\n%s" % (len(value), b"".join(map(write, value)))


class Liar:
    """What is changed, of one connection."""

    def __init__(self, seed, rate):
        self.random = random.Random(seed)
        self.rate = rate
        self.seen = [(b"+", b"OK"), (b"$", None), (b"*", None), (b":", b"1"), (b"-", b"ERR no")]

    def bytes(self, value):
        """Some bytes of it are others; or it is cut, or longer."""
        r, value = self.random, bytearray(value)
        for _ in range(r.randrange(1, 4)):
            how = r.randrange(6)
            at = r.randrange(len(value)) if value else 0
            if how == 0 and value:
                value[at] ^= 1 << r.randrange(8)
            elif how == 1 and value:
                value[at] = r.choice((0, 1, 127, 128, 255))
            elif how == 2 and len(value) >= at + 8:
                size = r.choice((2, 4, 8))
                value[at : at + size] = (r.choice(EXTREMES) & ((1 << 8 * size) - 1)).to_bytes(size, "little")
            elif how == 3:
                del value[at : at + r.randrange(1, 40)]
            elif how == 4:
                value[at:at] = r.randbytes(r.randrange(1, 40))
            elif how == 5:
                # Of a text, a number.
                digits = [i for i, byte in enumerate(value) if 48 <= byte < 58]
                if digits:
                    at = r.choice(digits)
                    value[at : at + 1] = str(r.choice(EXTREMES)).encode()
        return bytes(value)

    def change(self, reply):
        """The reply with one thing in it changed."""
        r = self.random
        kind, value = reply
        how = r.randrange(10)
        if how == 0:
            return r.choice(self.seen)
        if how == 1:
            return (b":", str(r.choice(EXTREMES)).encode())
        if kind == b"*" and value:
            value = list(value)
            at = r.randrange(len(value))
            if how == 2:
                del value[at:]
            elif how == 3:
                value.insert(at, r.choice(self.seen))
            elif how == 4:
                value = value * r.choice((2, 5))
            else:
                value[at] = self.change(value[at])
            return (kind, value)
        if kind in (b"$", b"+") and value is not None:
            return (b"$", self.bytes(value))
        return r.choice(self.seen)

    def __call__(self, reply):
        """What is sent in place of a reply."""
        r = self.random
        if r.random() >= self.rate:
            out = write(reply)
        elif r.random() < 0.85:
            out = write(self.change(reply))
        else:
            how = r.randrange(4)
            out = write(reply)
            if how == 0:
                out = self.bytes(out)
            elif how == 1:
                out = out + write(r.choice(self.seen))
            elif how == 2:
                out = b""
            else:
                out = r.choice((b"*1000000\r\n", b"$536870912\r\nxx", b"*-7\r\n", b"\0" * 50, b"*1\r\n" * 100))
        if len(self.seen) < 400 and len(out) < 4096:
            self.seen.append(reply)
        return out


class Proxy:
    """Listens at `port`, and passes everything on to a server; its replies through liars, one a connection. `rate`: how many of a hundred
    replies are changed; 0: none, and it may be set at any time."""

    def __init__(self, port, seed, rate):
        self.upstream, self.seed, self.rate = port, seed, rate
        self.connections = self.lies = 0
        self.open = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def url(self):
        return f"redis://127.0.0.1:{self.port}/t"

    def serve(self):
        while True:
            try:
                client, _ = self.socket.accept()
                server = socket.create_connection(("127.0.0.1", self.upstream))
            except OSError:
                return
            self.connections += 1
            self.open.append(server)
            liar = Liar(f"{self.seed}.{self.connections}", 0)
            for work in (self.up, (client, server)), (self.down, (server, client, liar)):
                threading.Thread(target=self.until_closed, args=work, daemon=True).start()

    @staticmethod
    def until_closed(body, sockets):
        try:
            body(*sockets)
        except (OSError, ValueError):
            pass
        for one in sockets[:2]:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def up(self, client, server):
        while data := client.recv(1 << 16):
            server.sendall(data)

    def down(self, server, client, liar):
        data = bytearray()
        while more := server.recv(1 << 16):
            data += more
            out, at = bytearray(), 0
            while at < len(data):
                try:
                    reply, at = parse(data, at)
                except Incomplete:
                    if len(data) > MOST:
                        raise ValueError("a reply that is too long") from None
                    break
                liar.rate = self.rate / 100
                said = liar(reply)
                self.lies += said != write(reply)
                out += said
            del data[:at]
            client.sendall(out)

    def become_honest(self):
        """As an honest server in its place: what was said on connections of before counts no more."""
        self.rate = 0
        for one in self.open:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.socket.close()
