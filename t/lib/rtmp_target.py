"""rtmp_target.py - an RTMP server that takes a push, or has one of the faults that targets have.

    target = RtmpTarget()            # target.url("key"); target.sessions[i].video() are hashes of what came
    target.mode = "mute"             # from the next connection on:
        take              accepts all, keeps all
        mute              accepts the connection, says nothing
        mute_after_hello  completes the handshake, then says nothing
        reject_connect    _error to connect, with target.words
        reject_publish    NetStream.Publish.BadName, with target.words
        close             closes after the handshake
    target.frozen = True             # nobody is read from any more
    target.cut()                     # every connection is reset
Each session knows what it was told (app, name, tc_url), whether its publisher said goodbye (unpublished), its tags.
"""
import random, socket, ssl, struct, threading, time

from media import flv_frames, flv_tags
from rtmp import amf, amf_strings, chunks


def tag_bytes(kind, ts, body):
    head = bytes([kind]) + len(body).to_bytes(3, "big") + (ts & 0xFFFFFF).to_bytes(3, "big") + bytes([ts >> 24 & 0xFF]) + b"\0\0\0"
    return head + body + (len(body) + 11).to_bytes(4, "big")


def key_slices(data):
    """Indexes, in flv_frames(data)[0], of the first slices of key frames."""
    _, hashes = zip(*flv_frames(data)[0])
    starts = [flv_frames(data[:13] + tag_bytes(kind, ts, body))[0][0][1] for kind, ts, body in flv_tags(data)
              if kind == 9 and body[0] >> 4 == 1 and body[1] == 1]
    return {hashes.index(h) for h in starts}


def runs(got, sent):
    """[first, last] index in `sent` of each run of frames without a hole that `got` consists of."""
    at, out = {h: i for i, (_, h) in enumerate(sent)}, []
    for _, h in got:
        if out and out[-1][1] + 1 == at[h]:
            out[-1][1] += 1
        else:
            out.append([at[h], at[h]])
    return out


def push_of(m, name, id):
    """Status of this push, {} if there is none."""
    stream = m.stream(name)
    return next((o for o in stream["outputs"] if o["kind"] == "push" and o["id"] == id), {}) if stream else {}


def member(body, key):
    """A string in an AMF0 object."""
    at = body.find(struct.pack(">H", len(key)) + key.encode() + b"\x02")
    if at < 0:
        return ""
    at += 3 + len(key)
    return body[at + 2:at + 2 + int.from_bytes(body[at:at + 2], "big")].decode()


class Session(threading.Thread):
    def __init__(self, target, sock, mode):
        super().__init__(daemon=True)
        self.target, self.sock, self.mode = target, sock, mode
        self.buf, self.size, self.prior = b"", 128, {}
        self.app = self.name_ = self.tc_url = ""
        self.tags, self.unpublished, self.over, self.publishing = [], False, False, False
        self.since = time.monotonic()

    def need(self, n):
        while len(self.buf) < n:
            while self.target.frozen:
                time.sleep(0.02)
            data = self.sock.recv(65536)
            if not data:
                raise ConnectionError
            self.buf += data
        out, self.buf = self.buf[:n], self.buf[n:]
        return out

    def message(self):
        """(type, timestamp, body)"""
        while True:
            b0 = self.need(1)[0]
            csid, fmt = b0 & 63, b0 >> 6
            if csid == 0:
                csid = 64 + self.need(1)[0]
            p = self.prior.setdefault(csid, {"ts": 0, "delta": 0, "len": 0, "type": 0, "data": b"", "ext": False})
            if fmt < 3:
                head = self.need([11, 7, 3][fmt])
                ts, p["ext"] = int.from_bytes(head[:3], "big"), head[:3] == b"\xff\xff\xff"
                if fmt < 2:
                    p["len"], p["type"] = int.from_bytes(head[3:6], "big"), head[6]
            if p["ext"]:
                ext = int.from_bytes(self.need(4), "big")
                ts = ext if fmt < 3 else None
            if fmt < 3:
                p["delta"] = 0 if fmt == 0 else ts
                p["ts"] = ts if fmt == 0 else p["ts"] + ts
            elif not p["data"]:
                p["ts"] += p["delta"]
            p["data"] += self.need(min(self.size, p["len"] - len(p["data"])))
            if len(p["data"]) == p["len"]:
                body, p["data"] = p["data"], b""
                if p["type"] == 1:
                    self.size = int.from_bytes(body, "big")
                else:
                    return p["type"], p["ts"], body

    def say(self, *values, stream=0):
        self.sock.sendall(chunks(3, 20, amf(*values), 0, stream))

    def status(self, level, code, words):
        self.say("onStatus", 0, None, {"level": level, "code": code, "description": words}, stream=1)

    def transaction(self, body):
        at = 3 + int.from_bytes(body[1:3], "big")
        return struct.unpack(">d", body[at + 1:at + 9])[0] if body[at:at + 1] == b"\0" else 0

    def command(self, body):
        words, t = amf_strings(body), self.target
        verb = words[0] if words else ""
        if verb == "connect":
            self.app, self.tc_url = member(body, "app"), member(body, "tcUrl")
            if self.mode == "mute_after_hello":
                time.sleep(3600)
            if self.mode == "reject_connect":
                self.say("_error", 1, None, {"level": "error", "code": "NetConnection.Connect.Rejected", "description": t.words})
                return
            self.sock.sendall(chunks(2, 5, struct.pack(">I", 2500000)) + chunks(2, 6, struct.pack(">IB", 2500000, 2)))
            self.say("_result", 1, {"fmsVer": "FMS/3,0,1,123", "capabilities": 31},
                {"level": "status", "code": "NetConnection.Connect.Success", "description": "ok"})
        elif verb == "createStream":
            self.say("_result", self.transaction(body), None, 1)
        elif verb == "publish":
            self.name_ = words[1] if len(words) > 2 else ""
            if self.mode == "reject_publish":
                self.status("error", "NetStream.Publish.BadName", t.words)
            else:
                self.status("status", "NetStream.Publish.Start", "go on")
                self.publishing = True
        elif verb in ("FCUnpublish", "deleteStream"):
            self.unpublished = True

    def run(self):
        try:
            if self.mode == "mute":
                time.sleep(3600)
            if self.target.tls:
                self.sock = self.target.tls.wrap_socket(self.sock, server_side=True)
            c0c1 = self.need(1537)
            self.sock.sendall(b"\x03" + struct.pack(">II", 0, 0) + random.randbytes(1528) + c0c1[1:])
            self.need(1536)
            if self.mode == "close":
                return
            while True:
                kind, ts, body = self.message()
                if kind == 20:
                    self.command(body)
                elif kind in (8, 9) and self.publishing:
                    self.tags.append((kind, ts, body))
        except (OSError, ValueError, ConnectionError):
            pass
        finally:
            self.over = True
            self.sock.close()

    def seconds(self):
        """From its first video frame to its last."""
        times = [ts for kind, ts, _ in list(self.tags) if kind == 9]
        return (times[-1] - times[0]) / 1000 if times else 0

    def frames(self):
        """As media.flv_frames(): (video, audio) of (timestamp_ms, hash)."""
        return flv_frames(b"FLV\1\5\0\0\0\x09\0\0\0\0" + b"".join(tag_bytes(*t) for t in list(self.tags)))


class RtmpTarget(threading.Thread):
    def __init__(self, port=0, tls=None):
        """tls: (certificate, key) files: it speaks RTMPS."""
        super().__init__(daemon=True)
        self.mode, self.words, self.frozen, self.sessions = "take", "go away", False, []
        self.tls = None
        if tls:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*tls)
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self.listener.bind(("127.0.0.1", port))
        self.listener.listen(16)
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            session = Session(self, sock, self.mode)
            self.sessions.append(session)
            session.start()

    def url(self, key, app="live", scheme=None):
        return f"{scheme or ('rtmps' if self.tls else 'rtmp')}://127.0.0.1:{self.port}/{app}/{key}"

    def publishing(self):
        return [s for s in self.sessions if s.publishing and not s.over]

    def cut(self):
        for s in self.sessions:
            if not s.over:
                try:
                    s.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    s.sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def close(self):
        """Nothing listens there any more."""
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.cut()
