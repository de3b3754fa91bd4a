#!/usr/bin/python3
"""402-http-limits: slow, idle and too many clients; PROXY protocol, forwarded addresses, the API token."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *



def silent(m, data=b"", limit=15):
    """Seconds until the server closes a connection that sent only `data`."""
    with socket.create_connection(("127.0.0.1", m.http), 5) as s:
        s.sendall(data)
        s.settimeout(limit * SLOW)
        t0 = time.monotonic()
        try:
            while s.recv(65536):
                pass
        except socket.timeout:
            return None
        except ConnectionError:
            pass
        return time.monotonic() - t0


def ask(m, source):
    """A connection from address `source` with a request sent."""
    c = socket.create_connection(("127.0.0.1", m.http), 5 * SLOW, (source, 0))
    try:
        c.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    except ConnectionError:
        pass            # refused already: the answer is there to be read
    return c


def status(c):
    """The status code that came, or what came instead."""
    try:
        got = c.recv(200)
    except OSError as e:
        return str(e)
    return int(got[9:12]) if re.match(rb"HTTP/1\.1 \d{3} ", got) else got


with Test(__doc__) as t:
    m = t.server(start=False, **{"http.header_timeout": "1s", "http.idle_timeout": "1s", "http.send_timeout": "2s",
        "http.max_per_address": 40, "http.trusted_proxies": ["127.0.0.9/32"], "http.api_token": "a-token-of-the-test"})
    proxied = free_port()
    m.configure({"http.listen": [f"127.0.0.1:{m.http}", {"address": f"127.0.0.1:{proxied}", "proxy_protocol": True}]})
    m.start()
    t.publish(m, "alice", clips.clip(seconds=60, size="1280x720")).join_live()
    text = m.wait_playlist("alice", 3)
    for what, data in (("nothing", b""), ("half a header", b"GET / HTTP/1.1\r\nHo")):
        took = silent(m, data)
        t.ok(took is not None and took < 5 * SLOW, f"a client that sends {what} is closed ({took})")
    took = silent(m, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    t.ok(took is not None and took < 5 * SLOW, f"an idle one after its answer, too ({took})")
    # Reads nothing of a big answer: many segments in one pipeline.
    segment = re.search(r"^[^#].*$", text, re.M).group(0)
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.connect(("127.0.0.1", m.http))
    s.sendall(f"GET /stream/alice/{segment} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 200)

    def open_now():
        return sum(int(float(l.rsplit(" ", 1)[1])) for l in m.get("/metrics")[2].decode().splitlines()
            if re.match(r"millrace_http_connections(_open)?[ {]", l))

    wait_for("the one that does not read is dropped", lambda: open_now() <= 3, 15, 0.3)
    t.ok(True, "a client that does not read is dropped")
    s.close()
    # From an address that had none before; all of them stay open.
    many = [ask(m, "127.0.0.2") for _ in range(60)]
    answers = [status(c) for c in many]
    t.is_(answers[:40], [200] * 40, "max_per_address: those within the limit are answered")
    refused = answers[40:].count(429)
    t.ok(refused >= 15, f"{refused} of the 20 above it were turned away", answers)
    t.is_(m.get("/healthz")[0], 200, "another address is not concerned")
    for c in many:
        c.close()

    def room():
        with ask(m, "127.0.0.2") as c:
            return status(c) == 200

    wait_for("room again", room, 10)
    with socket.create_connection(("127.0.0.1", proxied), 5) as c:
        c.sendall(b"PROXY TCP4 203.0.113.7 127.0.0.1 4711 80\r\nGET /stream/alice/live.m3u8 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        c.settimeout(5 * SLOW)
        t.like(c.recv(65536).decode(), r"^HTTP/1\.1 200", "a listener with proxy_protocol takes its line")
    bearer = {"Authorization": "Bearer a-token-of-the-test"}
    st, _, body = m.get("/api/v1/streams/nobody/kick", bearer, "POST")
    t.is_((st, json.loads(body)), (404, {"error": "no stream of that name here"}), "kick of a stream that is not here")
    kick = lambda headers: m.get("/api/v1/streams/alice/kick", headers, "POST")[0]
    t.ok(kick({}) in (401, 403), "a call that changes state wants the token")
    t.ok(kick({"Authorization": "Bearer wrong"}) in (401, 403), "a wrong one is refused")
    t.ok(kick(bearer) in (200, 202, 204), "with it, it is done")
    wait_for("kicked", lambda: t.publishers[0].finished.is_set() or t.publishers[0].error, 10)
    t.ok(True, "the publisher is gone")
