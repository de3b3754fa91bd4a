"""rtc.py - what a browser says in HTTP, SDP and STUN, without media: enough to see that signalling leads to a peer that
answers at the address it named.

    s = Sdp(text); s.attr("ice-ufrag"); s.media[0].attr("mid"); check(s) ; answer_to(s)
"""
import hashlib, hmac, http.client, os, re, socket, struct, zlib

from millrace import SLOW

SDP, FRAGMENT = "application/sdp", "application/trickle-ice-sdpfrag"
TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PRINT = "sha-256 " + ":".join(f"{i * 7 % 256:02X}" for i in range(32))
COOKIE = 0x2112A442


def ask(m, method, path, body=None, kind=None, **fields):
    """Status, fields by any case of their names, and text."""
    c = http.client.HTTPConnection("127.0.0.1", m.http, timeout=10 * SLOW)
    try:
        headers = {k.replace("_", "-"): v for k, v in fields.items()}
        if kind:
            headers["Content-Type"] = kind
        c.request(method, path, body, headers)
        r = c.getresponse()
        return r.status, r.headers, r.read().decode()
    finally:
        c.close()


def stored(name):
    """t/sdp/NAME.sdp: as that browser or library said it."""
    with open(os.path.join(TOP, "sdp", f"{name}.sdp"), newline="") as f:
        return f.read()


class Part:
    """The session's lines, or an m-line with its own."""

    def __init__(self, lines):
        self.lines = lines

    def attrs(self, name):
        return [l[len(name) + 2:].lstrip(":") for l in self.lines if l == f"a={name}" or l.startswith(f"a={name}:")]

    def attr(self, name):
        return next(iter(self.attrs(name)), None)

    def has(self, line):
        return line in self.lines


class Sdp(Part):
    def __init__(self, text):
        super().__init__(text.replace("\r\n", "\n").strip().split("\n"))
        starts = [i for i, l in enumerate(self.lines) if l.startswith("m=")] + [len(self.lines)]
        self.session = Part(self.lines[:starts[0]])
        self.media = [Part(self.lines[a:b]) for a, b in zip(starts, starts[1:])]

    def candidates(self, proto="udp"):
        return [(c[4], int(c[5])) for c in (a.split() for a in dict.fromkeys(self.attrs("candidate"))) if c[2].lower() == proto]


def answer_to(offer, ufrag="client01", setup="active"):
    """What a browser answers: everything that is offered, to receive it."""
    mids = " ".join(m.attr("mid") for m in offer.media)
    lines = ["v=0", "o=- 42 2 IN IP4 127.0.0.1", "s=-", "t=0 0", f"a=group:BUNDLE {mids}"]
    for m in offer.media:
        lines += [m.lines[0], "c=IN IP4 0.0.0.0", f"a=mid:{m.attr('mid')}", f"a=ice-ufrag:{ufrag}",
            "a=ice-pwd:0123456789012345678901", f"a=fingerprint:{PRINT}", f"a=setup:{setup}", "a=recvonly", "a=rtcp-mux"]
        lines += [l for l in m.lines if re.match(r"a=(rtpmap|fmtp|rtcp-fb):", l)]
    return "\r\n".join(lines) + "\r\n"


def attribute(kind, value):
    return struct.pack(">HH", kind, len(value)) + value + bytes(-len(value) % 4)


def binding_request(user, pwd):
    """RFC 8445 section 7.1, from the controlling side, nominating."""
    head = os.urandom(12)
    body = attribute(0x0006, user.encode()) + attribute(0x0024, struct.pack(">I", 1853824767)) + \
        attribute(0x802A, os.urandom(8)) + attribute(0x0025, b"")

    def message(extra):
        return struct.pack(">HHI", 1, len(body) + extra, COOKIE) + head + body
    body += attribute(0x0008, hmac.new(pwd.encode(), message(24), hashlib.sha1).digest())
    body += attribute(0x8028, struct.pack(">I", zlib.crc32(message(8)) ^ 0x5354554E))
    return message(0), head


def check(sdp, ufrag="client01", wait=2.0):
    """True: the peer of this SDP of the server's answers a STUN check at its first UDP candidate."""
    part = next(p for p in (sdp, *sdp.media) if p.attr("ice-ufrag"))
    request, head = binding_request(f"{part.attr('ice-ufrag')}:{ufrag}", part.attr("ice-pwd"))
    address = sdp.candidates()[0]
    with socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(wait / 4)
        for _ in range(4):
            try:
                s.sendto(request, address)
                answer = s.recv(2048)
            except (socket.timeout, ConnectionError):
                continue
            return answer[:2] == b"\x01\x01" and answer[8:20] == head
    return False
