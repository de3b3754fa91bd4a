#!/usr/bin/python3
"""301-ws-access: keys, signatures, origins, closed routes, WS_PORT, HLS_URL and RTMP_BASE_URL; requests that a handover must not mangle."""
import http.client, json, os, socket, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import clips, upload
from millrace import BUILD, TOP, Test, free_port, wait_for
from tus import OCTETS, request
from ws import CLOSE, Closed, Refused, WebSocket, frame


def refused(port, path, **kw):
    try:
        ws = WebSocket(port, path, **kw)
    except Refused as e:
        return e.status
    ws.close()
    return 101


with Test("who may publish over /ws") as t:
    m = t.server(start=False, **{"authorize.secret": "0123456789abcdef0123",
        "ws.origins": ["https://good.example"], "streams.reconnect_delay": "0s", "streams.cleanup_delay": "0s"})
    m.configure({"authorize.keys": {"alice": m.cli("hash-key", "secret-of-alice").stdout.strip()}})
    m.start()
    room = "/ws?role=publisher&streamKey="
    t.is_(refused(m.http, room + "alice"), 403, "a room with a key wants it")
    t.is_(refused(m.http, room + "alice&key=wrong"), 403, "and no other")
    t.is_(refused(m.http, room + "alice&key=secret-of-alice"), 101, "with it the room is open")
    try:
        WebSocket(m.http, room + "alice&key=wrong&reasons=1").recv()
        said = None
    except Closed as e:
        said = e.code, e.reason
    t.is_(said, (1008, "the key is wrong"), "a page, which can't see a status, is told by a Close")
    signed = m.cli("sign-url", "bob").stdout.strip().partition("?")[2]
    t.like(signed, "sig=", "there is a signed URL")
    t.is_(refused(m.http, f"{room}bob&{signed}"), 101, "a signed room is open")
    t.is_(refused(m.http, f"{room}carol&{signed}"), 403, "for nobody else")
    t.is_(refused(m.http, room + "bob", fields=["Origin: https://evil.example"]), 403, "a page of another origin may not")
    t.is_(refused(m.http, room + "bob&" + signed, fields=["Origin: https://good.example"]), 101, "one that is named may")
    t.ok("secret-of-alice" not in m.log(), "no key in the log")

    # frames that come with the head, and a head byte by byte
    ws = WebSocket(m.http, room + "alice&key=secret-of-alice", early=frame(9, b"early"))
    seen = {ws.read_frame() for _ in range(2)}
    t.ok((10, b"early") in seen, "what came with the head is not lost", repr(seen))
    ws.close()
    wait_for("it is free again", lambda: m.stream("alice") is None)
    s = socket.create_connection(("127.0.0.1", m.http))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    head = (f"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET {room}alice&key=secret-of-alice HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n").encode()
    for i in range(len(head)):
        s.sendall(head[i:i + 1])
    got = b""
    while b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" not in got:
        more = s.recv(65536)
        if not more:
            break
        got += more
    t.like(got.decode("latin-1"), r"^HTTP/1.1 200.*HTTP/1.1 101.*s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=", "pipelined behind a request, byte by byte: both are answered")
    s.close()

    # who is silent is sent away, but may come back: a page that was frozen does
    for what, limits in (("no media", {"ws.first_media_timeout": "500ms"}),
            ("no byte", {"ws.first_media_timeout": "30s", "ws.ping_timeout": "500ms", "ws.ping_interval": "100ms"})):
        m.configure(limits)
        m.cli("reload")
        ws = WebSocket(m.http, room + "alice&key=secret-of-alice")
        opcode = None
        while opcode != CLOSE:
            opcode, body = ws.read_frame()
        t.is_(int.from_bytes(body[:2], "big"), 1013, f"{what}: {body[2:].decode()}")
        ws.sock.close()
        wait_for("it is free again", lambda: m.stream("alice") is None)
    m.configure({"ws.ping_timeout": "15s", "ws.ping_interval": "5s"})
    m.cli("reload")

    # a route can be closed while running
    m.configure({"authorize.routes": ["upload"]})
    m.cli("reload")
    wait_for("it is closed", lambda: refused(m.http, room + "bob&" + signed) == 403)
    t.ok(True, "authorize.routes without ws closes it")

    # limits count for these connections as for RTMP's
    m.configure({"authorize.routes": ["ws"], "limits.per_address": 1, "authorize.keys": {}, "authorize.secret": "", "ws.origins": ["*"]})
    m.cli("reload")

    def try_room(name):
        try:
            return WebSocket(m.http, room + name)
        except Refused as e:
            return e.status
    held = wait_for("a room is open", lambda: (lambda w: w if isinstance(w, WebSocket) else None)(try_room("one")))
    t.is_(try_room("two"), 429, "limits.per_address holds for rooms")
    for url in ("http://cdn.example/hls/live/stream.m3u8", "http://folder.example/hls/live/", "http://bare.example"):
        m.configure({"ws.hls_url": url})
        m.cli("reload")
        want = url.removesuffix("stream.m3u8").rstrip("/") + "/one.m3u8"
        wait_for(f"{url} is {want}", lambda: want.encode() in m.get("/ws?role=viewer&streamKey=one")[2], 10)
        t.ok(True, f"hls_url {url}: a viewer is told {want}")
    held.close()

    # the shipped config takes the old servers' variables
    port, rtmp, own = free_port(), free_port(), free_port()
    env = dict(os.environ, WS_PORT=str(port), MILLRACE_HTTP=f"127.0.0.1:{own}", MILLRACE_RTMP=f"127.0.0.1:{rtmp}",
        HLS_BASE_URL="http://cdn.example/hls/live/", RTMP_BASE_URL=f"rtmp://127.0.0.1:{m.rtmp}/live/")
    with open(f"{TOP}/etc/millrace.yaml") as f:
        text = f.read()
    text = text.replace("#run_dir: /run/millrace", f"run_dir: {t.dir}/old/run").replace("#data_dir: /var/lib/millrace", f"data_dir: {t.dir}/old/data")
    text = text.replace('#user: ""', "user: root" if os.geteuid() == 0 else '#user: ""')
    os.mkdir(f"{t.dir}/old")
    with open(f"{t.dir}/old.yaml", "w") as f:
        f.write(text)
    p = t.spawn([f"{BUILD}/millraced", "-c", f"{t.dir}/old.yaml"], env=env)

    def room_on_ws_port():
        try:
            return WebSocket(port, "/ws?role=publisher&streamKey=old")
        except OSError:
            return None
    ws = wait_for("WS_PORT listens", room_on_ws_port)
    t.is_(ws.json(), {"streamKey": "old", "message": "Room created"}, "WS_PORT is a further http.listen")

    def viewer():
        c = http.client.HTTPConnection("127.0.0.1", port)
        c.request("GET", "/ws?role=viewer&streamKey=old")
        r = c.getresponse()
        return json.loads(r.read()) if r.status == 200 else None
    t.is_(wait_for("a viewer is told", viewer)["hlsUrl"], "http://cdn.example/hls/live/old.m3u8", "HLS_BASE_URL is what viewers are told")
    ws.close()
    m.configure({"limits.per_address": 16})
    m.cli("reload")
    with open(upload.mp4(), "rb") as f:
        t.is_(request(own, "POST", "/upload/sent", {"Content-Type": OCTETS, "Upload-Length": str(os.path.getsize(f.name))}, f.read()).status, 201,
            "a file is sent")
    wait_for("it is pushed", lambda: m.stream("sent"), 30)
    t.ok(True, "RTMP_BASE_URL is where, with its name behind it")
    p.terminate()
    p.wait(20)
    t.is_(p.returncode, 0, "it stops")
