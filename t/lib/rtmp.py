"""rtmp.py - a small RTMP publisher that does what tests need: it knows every tag it sent, can
be cut, can stop in mid-air without closing, and tells the server's own words on refusal.
"""
import os, random, socket, struct, threading, time

from media import flv_tags, is_header


def amf(*values):
    """AMF0 of numbers, strings, None, bools and dicts."""
    out = b""
    for v in values:
        if v is None:
            out += b"\x05"
        elif isinstance(v, bool):
            out += b"\x01" + bytes([v])
        elif isinstance(v, (int, float)):
            out += b"\x00" + struct.pack(">d", v)
        elif isinstance(v, str):
            out += b"\x02" + struct.pack(">H", len(v.encode())) + v.encode()
        else:
            out += b"\x03" + b"".join(struct.pack(">H", len(k)) + k.encode() + amf(x) for k, x in v.items())
            out += b"\x00\x00\x09"
    return out


def amf_strings(data):
    """Every string in an AMF0 body: enough to read onStatus."""
    out, pos = [], 0
    while (pos := data.find(b"\x02", pos)) >= 0:
        size = int.from_bytes(data[pos + 1:pos + 3], "big")
        text = data[pos + 3:pos + 3 + size]
        if len(text) == size and size and text.isascii() and text.decode().isprintable():
            out.append(text.decode())
            pos += 3 + size
        else:
            pos += 1
    return out


def chunks(csid, kind, body, ts=0, stream=0, size=128):
    """One message, format 0, as chunks of `size`."""
    ext = struct.pack(">I", ts) if ts >= 0xFFFFFF else b""
    out = bytes([csid]) + min(ts, 0xFFFFFF).to_bytes(3, "big") + len(body).to_bytes(3, "big") + bytes([kind])
    out += struct.pack("<I", stream) + ext + body[:size]
    for pos in range(size, len(body), size):
        out += bytes([0xC0 | csid]) + ext + body[pos:pos + size]
    return out


class Refused(Exception):
    pass


class RtmpConnection:
    """Handshake, connect, publish; messages in as (type, body)."""

    def __init__(self, host, port, timeout=10, source=None, head=b""):
        self.sock = socket.create_connection((host, port), timeout, (source, 0) if source else None)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.sendall(head)
        self.buf, self.in_size, self.out_size, self.prior, self.statuses = b"", 128, 128, {}, []

    def need(self, n):
        while len(self.buf) < n:
            data = self.sock.recv(65536)
            if not data:
                raise ConnectionError("closed by the server")
            self.buf += data
        out, self.buf = self.buf[:n], self.buf[n:]
        return out

    def handshake(self):
        c1 = struct.pack(">II", 0, 0) + random.randbytes(1528)
        self.sock.sendall(b"\x03" + c1)
        s = self.need(1 + 1536)
        self.sock.sendall(s[1:])
        self.need(1536)

    def read_message(self):
        while True:
            b0 = self.need(1)[0]
            csid, fmt = b0 & 63, b0 >> 6
            p = self.prior.setdefault(csid, {"len": 0, "type": 0, "data": b""})
            if fmt < 3:
                head = self.need([11, 7, 3][fmt])
                p["ext"] = head[:3] == b"\xff\xff\xff"
                if fmt < 2:
                    p["len"], p["type"] = int.from_bytes(head[3:6], "big"), head[6]
            if p.get("ext"):
                self.need(4)
            p["data"] += self.need(min(self.in_size, p["len"] - len(p["data"])))
            if len(p["data"]) == p["len"]:
                body, p["data"] = p["data"], b""
                if p["type"] == 1:
                    self.in_size = int.from_bytes(body, "big")
                elif p["type"] == 4 and body[:2] == b"\x00\x06":
                    self.sock.sendall(chunks(2, 4, b"\x00\x07" + body[2:]))
                return p["type"], body

    def command(self, *values, csid=3, stream=0):
        self.sock.sendall(chunks(csid, 20, amf(*values), 0, stream, self.out_size))

    def wait_command(self, *wanted):
        """Strings of the first command that contains one of `wanted`."""
        while True:
            kind, body = self.read_message()
            if kind != 20:
                continue
            words = amf_strings(body)
            self.statuses += words
            if "_error" in words or any(w.startswith(("NetStream.Publish.Bad", "NetStream.Publish.Den",
                    "NetStream.Publish.Rej", "NetConnection.Connect.Rej", "NetConnection.Connect.Inv",
                    "NetStream.Fail", "NetStream.Play.")) for w in words):
                raise Refused(" | ".join(words))
            # onFCPublish has the same code, but says nothing yet.
            if "onFCPublish" not in words and any(w in words for w in wanted):
                return words

    def connect(self, app, tc_url):
        self.out_size = 4096
        self.sock.sendall(chunks(2, 1, struct.pack(">I", 4096)))
        self.command("connect", 1, {"app": app, "type": "nonprivate", "flashVer": "FMLE/3.0 (compatible; test)", "tcUrl": tc_url})
        self.wait_command("NetConnection.Connect.Success")

    def publish(self, name):
        self.command("releaseStream", 2, None, name)
        self.command("FCPublish", 3, None, name)
        self.command("createStream", 4, None)
        self.wait_command("_result")
        self.command("publish", 5, None, name, "live", csid=8, stream=1)
        self.wait_command("NetStream.Publish.Start")

    def tag(self, kind, ts, body):
        self.sock.sendall(chunks({9: 6, 8: 4}.get(kind, 5), kind, body, ts & 0xFFFFFFFF, 1, self.out_size))

    def close(self):
        self.sock.close()


class RtmpPublisher(threading.Thread):
    """
    Sends a clip's tags at their time (speed 1), from tag time `start_ms` on (headers always).
    `head` goes before all else (a proxy's). `shift` is added to every timestamp; `edit(kind, ts, body)` may return another (ts, body), or None to drop.
    """

    def __init__(self, host, port, app, name, clip, start_ms=0, shift=0, edit=None, key="", source=None, end_ms=None,
            head=b""):
        super().__init__(daemon=True)
        self.addr, self.app, self.name_, self.clip = (host, port), app, name, clip
        self.start_ms, self.end_ms, self.shift, self.edit, self.key, self.source = start_ms, end_ms, shift, edit, key, source
        self.head = head
        self.error, self.sent_ms, self.pid = None, -1, os.getpid()
        self.live, self.finished, self._stop_now, self.hold = threading.Event(), threading.Event(), False, False
        self.connected_ms = None
        self.conn = None

    def run(self):
        try:
            self._session()
        except (OSError, ConnectionError, Refused) as e:
            self.error = e
        finally:
            self.finished.set()

    def _session(self):
        t0 = time.monotonic()
        c = self.conn = RtmpConnection(*self.addr, source=self.source, head=self.head)
        c.handshake()
        c.connect(self.app, f"rtmp://{self.addr[0]}:{self.addr[1]}/{self.app}")
        c.publish(self.name_ + self.key)
        self.connected_ms = (time.monotonic() - t0) * 1000
        self.live.set()
        threading.Thread(target=self._drain, daemon=True).start()
        with open(self.clip, "rb") as f:
            data = f.read()
        self._send(c, data)

    def _drain(self):
        """Answers pings; ends with the connection."""
        try:
            self.conn.sock.settimeout(None)
            while True:
                kind, body = self.conn.read_message()
                if kind == 20:
                    self.conn.statuses += amf_strings(body)
        except (OSError, ValueError):
            pass

    def _send(self, c, data):
        t0 = time.monotonic()
        for kind, ts, body in flv_tags(data):
            header = kind == 18 or (kind in (8, 9) and is_header(kind, body))
            if not header:
                if ts < self.start_ms:
                    continue
                if self.end_ms is not None and ts >= self.end_ms:
                    break
                while time.monotonic() - t0 < (ts - self.start_ms) / 1000 and not self._stop_now:
                    time.sleep(min(0.02, max(0.0, (ts - self.start_ms) / 1000 - (time.monotonic() - t0))))
            while self.hold and not self._stop_now:
                time.sleep(0.01)
            if self._stop_now:
                return
            out_ts, out = (ts if header else ts - self.start_ms) + self.shift, body
            if self.edit:
                edited = self.edit(kind, out_ts, body)
                if edited is None:
                    continue
                out_ts, out = edited
            c.tag(kind, out_ts, out)
            if not header:
                self.sent_ms = ts

    def join_live(self, limit=10):
        """True once publishing was accepted; raises what stopped it."""
        end = time.monotonic() + limit
        while not self.live.wait(0.02):
            if self.finished.is_set():
                raise self.error or ConnectionError("ended before it was live")
            if time.monotonic() > end:
                raise TimeoutError("publish not accepted")
        return True

    def end(self):
        """As an encoder ends: FCUnpublish, deleteStream, close."""
        self._stop_now = True
        self.join(5)
        try:
            self.conn.command("FCUnpublish", 6, None, self.name_)
            self.conn.command("deleteStream", 7, None, 1)
            self.conn.sock.shutdown(socket.SHUT_RDWR)
            self.conn.close()
        except OSError:
            pass

    def cut(self):
        """The connection is gone without a word."""
        self._stop_now = True
        if self.conn:
            try:
                self.conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.conn.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            self.conn.sock.close()
        if self.is_alive():
            self.join(5)
