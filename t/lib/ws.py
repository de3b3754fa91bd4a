"""ws.py - a WebSocket client (RFC 6455) by hand, so that a test can also do what no client does."""
import base64, hashlib, json, os, select, socket, struct, time

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Refused(Exception):
    """The answer was not 101: status, fields, body."""
    def __init__(self, status, fields, body):
        super().__init__(f"{status}: {body.decode(errors='replace').strip()}")
        self.status, self.fields, self.body = status, fields, body


class Closed(Exception):
    """The server closed: code (None: no Close came before the connection's end) and reason."""
    def __init__(self, code, reason=""):
        super().__init__(f"closed: {code} {reason}")
        self.code, self.reason = code, reason


def mask(data, key):
    n = len(data)
    if n == 0:
        return b""
    return (int.from_bytes(data, "big") ^ int.from_bytes((key * (n // 4 + 1))[:n], "big")).to_bytes(n, "big")


def frame(opcode, payload=b"", fin=True, rsv=0, masked=True, length=None, key=None):
    """A frame as a client sends it; length: what its head says instead of the truth."""
    n = len(payload) if length is None else length
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    flag = 0x80 if masked else 0
    if n < 126:
        head += bytes([flag | n])
    elif n < 65536:
        head += bytes([flag | 126]) + struct.pack(">H", n)
    else:
        head += bytes([flag | 127]) + struct.pack(">Q", n)
    if not masked:
        return head + payload
    key = os.urandom(4) if key is None else key
    return head + key + mask(payload, key)


class WebSocket:
    def __init__(self, port, path, host="127.0.0.1", fields=(), timeout=10, early=b""):
        self.sock = socket.create_connection((host, port), timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.timeout, self.buf = timeout, b""
        key = base64.b64encode(os.urandom(16))
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}:{port}", "Upgrade: websocket", "Connection: keep-alive, Upgrade",
            f"Sec-WebSocket-Key: {key.decode()}", "Sec-WebSocket-Version: 13", *fields]
        self.sock.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + early)
        status, got, body = self.read_head()
        if status != 101:
            self.sock.close()
            raise Refused(status, got, body)
        want = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()
        assert got.get("sec-websocket-accept") == want, got
        assert got.get("upgrade", "").lower() == "websocket", got
        assert "sec-websocket-extensions" not in got, got

    def more(self):
        data = self.sock.recv(65536)
        self.buf += data
        return data != b""

    def read_head(self):
        while b"\r\n\r\n" not in self.buf:
            if not self.more():
                raise Closed(None, f"before an answer, after {self.buf!r}")
        head, self.buf = self.buf.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        fields = {k.lower(): v.strip() for k, v in (l.split(":", 1) for l in lines[1:])}
        status, body = int(lines[0].split()[1]), b""
        if status != 101:
            want = int(fields.get("content-length", 0))
            while len(self.buf) < want and self.more():
                pass
            body, self.buf = self.buf[:want], self.buf[want:]
        return status, fields, body

    def raw(self, data):
        self.sock.sendall(data)

    def send(self, payload, opcode=BINARY, **how):
        self.sock.sendall(frame(opcode, payload, **how))

    def text(self, payload):
        self.send(payload.encode() if isinstance(payload, str) else json.dumps(payload).encode(), TEXT)

    def read_frame(self):
        """(opcode, payload) of the next frame; Closed at the connection's end."""
        while True:
            if len(self.buf) >= 2:
                n, at = self.buf[1] & 0x7f, 2
                assert not self.buf[1] & 0x80, "a server does not mask"
                assert self.buf[0] & 0x80 and not self.buf[0] & 0x70, "whole frames without extensions"
                if n == 126 and len(self.buf) >= 4:
                    n, at = struct.unpack(">H", self.buf[2:4])[0], 4
                elif n == 127 and len(self.buf) >= 10:
                    n, at = struct.unpack(">Q", self.buf[2:10])[0], 10
                if not (n in (126, 127) and at == 2) and len(self.buf) >= at + n:
                    opcode, payload = self.buf[0] & 15, self.buf[at:at + n]
                    self.buf = self.buf[at + n:]
                    return opcode, payload
            try:
                if not self.more():
                    raise Closed(None)
            except ConnectionError as e:
                raise Closed(None, str(e))

    def recv(self):
        """The next message; pings are answered, a Close raises Closed."""
        while True:
            opcode, payload = self.read_frame()
            if opcode == PING:
                self.send(payload, PONG)
            elif opcode == CLOSE:
                code = struct.unpack(">H", payload[:2])[0] if len(payload) >= 2 else 1005
                raise Closed(code, payload[2:].decode())
            elif opcode != PONG:
                return payload

    def json(self):
        return json.loads(self.recv())

    def wait_json(self, want, limit=10):
        """The next JSON message of which want() is true; the others are skipped."""
        end = time.monotonic() + limit
        while True:
            self.sock.settimeout(max(0.05, end - time.monotonic()))
            body = self.json()
            if want(body):
                return body

    def readable(self, wait=0):
        return self.buf != b"" or select.select([self.sock], [], [], wait)[0] != []

    def close(self, code=1000, reason=b""):
        """The closing handshake; the server's code."""
        self.send(struct.pack(">H", code) + reason if code else b"", CLOSE)
        try:
            while True:
                self.recv()
        except Closed as e:
            return e.code
        finally:
            self.sock.close()

    def abort(self):
        if self.sock.fileno() < 0:
            return
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
