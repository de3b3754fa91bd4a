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
    st, _, body = m.get("/api/v1/streams/alice/kick", {}, "POST")
    t.is_((st, json.loads(body)), (401, {"error": "this call wants http.api_token as a Bearer token"}), "refused in JSON, as all of the API")
    t.ok(kick({}) in (401, 403), "a call that changes state wants the token")
    t.ok(kick({"Authorization": "Bearer wrong"}) in (401, 403), "a wrong one is refused")
    t.ok(kick(bearer) in (200, 202, 204), "with it, it is done")
    wait_for("kicked", lambda: t.publishers[0].finished.is_set() or t.publishers[0].error, 10)
    t.ok(True, "the publisher is gone")
    # Without a token this host alone may; a proxy says who asks in the head, where no client can add to it.
    m.configure({"http.api_token": ""})
    t.is_(m.cli("reload").returncode, 0, "no token any more")
    kick_by_proxy = (b"POST /api/v1/streams/nobody/kick HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: %s\r\n"
        b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n%s\r\n")
    for who, trailer, want in ((b"127.0.0.1", b"", 404), (b"203.0.113.66", b"", 403), (b"203.0.113.66", b"X-Forwarded-For: 127.0.0.1\r\n", 403)):
        with socket.create_connection(("127.0.0.1", m.http), 5, ("127.0.0.9", 0)) as c:
            c.settimeout(5 * SLOW)
            c.sendall(kick_by_proxy % (who, trailer))
            t.is_(status(c), want, f"a kick for {who.decode()} through the proxy, trailer {trailer}: {want}")
    # All at once, and one may wait for the list at each worker.
    m.configure({"http.max_waiting": 1})
    t.is_(m.cli("reload").returncode, 0, "http.max_waiting, at once")
    many, workers = [ask(m, "127.0.0.3") for _ in range(12)], m.pids("http")
    for c in many:
        c.recv(65536)
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    for c in many:
        c.sendall(b"GET /recordings HTTP/1.1\r\nHost: x\r\n\r\n")
    for pid in workers:
        os.kill(pid, signal.SIGCONT)
    answers = [c.recv(65536) for c in many]
    good, busy = ([a for a in answers if a[9:12] == code] for code in (b"200", b"503"))
    t.ok(len(good) >= 1 and len(good) + len(busy) == 12 and len(busy) >= 12 - len(workers), f"{len(busy)} of 12 who want the list are told to try again", answers)
    t.none([a for a in busy if b"Retry-After: " not in a or b"http.max_waiting" not in a], "with Retry-After and the limit's name")
    for c in many:
        c.close()
