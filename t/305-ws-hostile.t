#!/usr/bin/python3
"""305-ws-hostile: clients against RFC 6455 over the wire: each gets its Close, none costs memory or disturbs others."""
import os, socket, struct, sys, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import Test, fd_count, rss_bytes, wait_for
from ws import BINARY, CLOSE, PING, PONG, TEXT, Closed, Refused, WebSocket, frame

CASES = {
    "not masked": (frame(TEXT, b"x", masked=False), 1002),
    "reserved bit": (frame(BINARY, b"x", rsv=4), 1002),
    "reserved opcode": (frame(5, b"x"), 1002),
    "continuation of nothing": (frame(0, b"x"), 1002),
    "ping of 126 bytes": (frame(PING, bytes(126)), 1002),
    "ping in fragments": (frame(PING, b"x", fin=False), 1002),
    "text that is not UTF-8": (frame(TEXT, b"\xff"), 1007),
    "text over ws.max_message": (frame(TEXT, b"x" * 70000), 1009),
    "text of 2^62 bytes": (frame(TEXT, b"x", length=1 << 62), 1009),
    "length with its top bit set": (frame(BINARY, b"x", length=1 << 63), 1002),
    "close code 999": (frame(CLOSE, struct.pack(">H", 999)), 1002),
    "close code 4000": (frame(CLOSE, struct.pack(">H", 4000)), 4000),
    "close without a code": (frame(CLOSE), 1005),
}


def ends_with(ws):
    """The code of the Close that comes; the connection ends behind it."""
    try:
        while True:
            ws.recv()
    except Closed as e:
        code = e.code
    try:
        while ws.sock.recv(4096):
            pass
    except ConnectionError:
        pass
    ws.sock.close()
    return code


with Test("hostile WebSockets") as t:
    m = t.server(**{"streams.reconnect_delay": "0s", "streams.cleanup_delay": "0s"})
    steady = t.publish(m, "steady")
    steady.join_live()
    for n, (what, (data, code)) in enumerate(CASES.items()):
        for how, step in (("whole", len(data)), ("byte by byte", 1)):
            if step == 1 and len(data) > 200:
                continue
            ws = WebSocket(m.http, f"/ws/case{n}-{step}")
            try:
                for at in range(0, len(data), step):
                    ws.raw(data[at:at + step])
            except OSError:
                pass                    # it is closed before all was sent
            got = ends_with(ws)
            t.is_(got, code, f"{what}, {how}: {code}")

    # a frame that never comes costs nothing
    ws = WebSocket(m.http, "/ws/promise")
    ingest = wait_for("its ingest", lambda: max(m.pids("ingest")))
    before = rss_bytes(ingest)
    ws.raw(frame(BINARY, b"", length=1 << 40))
    ws.raw(frame(TEXT, b"", length=60000)[:8])
    time.sleep(0.2)
    t.ok(rss_bytes(ingest) - before < 1 << 20, "lengths alone take no memory")
    ws.abort()

    # pings without reading: answers are bounded
    ws = WebSocket(m.http, "/ws/pings")
    ws.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    ws.sock.settimeout(5)
    flood = frame(PING, b"p" * 125) * 500
    try:
        for _ in range(1000):
            ws.raw(flood)
    except OSError:
        pass
    t.ok(m.wait_log(r"stream=pings .*does not read what it is told, for more than ws\.max_unread"), "who sends pings and reads nothing is closed")
    ws.sock.close()

    # heads that come slowly, or never end, or hold a body
    idle = [socket.create_connection(("127.0.0.1", m.http)) for _ in range(50)]
    for s in idle:
        s.sendall(b"GET /ws?role=publisher&streamKey=x HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n")
    for bad in (b"Sec-WebSocket-Key: x\r\n", b"Sec-WebSocket-Version: 12\r\n"):
        s = socket.create_connection(("127.0.0.1", m.http))
        s.sendall(b"GET /ws/x HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + bad + b"\r\n")
        t.like(s.recv(4096).decode(), r"^HTTP/1.1 4\d\d ", f"{bad!r}: refused in HTTP")
        s.close()
    for n in range(30):
        ws = WebSocket(m.http, f"/ws/gone{n}")
        ws.abort()
    wait_for("all are gone", lambda: len(m.pids("ingest")) == 1, 30)
    t.ok(True, "thirty that came and went leave nothing")
    http = m.pids("http")[0]
    for s in idle:
        s.close()
    wait_for("http lets go of them", lambda: fd_count(http) < 40, 20)
    t.ok(True, "nor do heads that never ended")
    t.ok(not steady.finished.is_set() and steady.error is None, "a publisher beside them was not disturbed", str(steady.error))
