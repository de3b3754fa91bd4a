#!/usr/bin/python3
"""400-http: types, caching, ETag, ranges, HEAD, CORS, pipelining, bad paths, health, metrics, API."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *



def raw(m, data, limit=5):
    with socket.create_connection(("127.0.0.1", m.http), 5) as s:
        s.sendall(data)
        s.settimeout(limit * SLOW)
        out = b""
        try:
            while chunk := s.recv(65536):
                out += chunk
        except socket.timeout:
            pass
        return out


with Test(__doc__) as t:
    m = t.server()
    t.publish(m, "alice").join_live()
    text = m.wait_playlist("alice", 3)
    base, segment = "/stream/alice/", re.search(r"^[^#].*$", text, re.M).group(0)
    st, h, body = m.get(base + "live.m3u8")
    t.like(h["content-type"], r"application/(vnd\.apple\.mpegurl|x-mpegurl)", "playlist's type")
    t.like(h["cache-control"], r"no-cache|max-age=0|no-store", "not cached")
    t.ok("content-length" in h and h.get("access-control-allow-origin") == "*", "length and CORS")
    st, h, data = m.get(base + segment)
    t.is_((st, h["content-type"]), (200, "video/mp2t"), "segment's type")
    t.like(h["cache-control"], r"immutable|max-age=\d\d+", "segment may be cached")
    t.is_((len(data) % 188, data[0]), (0, 0x47), "whole TS packets")
    t.is_(m.get(base + segment, {"If-None-Match": h["etag"]})[0], 304, "ETag: 304")
    st, r, part = m.get(base + segment, {"Range": "bytes=188-375"})
    t.is_((st, part, r["content-range"]), (206, data[188:376], f"bytes 188-375/{len(data)}"), "a range")
    st, r, part = m.get(base + segment, {"Range": "bytes=-188"})
    t.is_((st, part), (206, data[-188:]), "a suffix range")
    t.is_(m.get(base + segment, {"Range": f"bytes={len(data)}-"})[0], 416, "a range behind the end: 416")
    st, r, none = m.get(base + segment, method="HEAD")
    t.is_((st, r["content-length"], none), (200, str(len(data)), b""), "HEAD")
    for what in ("bytes=0-9", f"bytes={len(data)}-"):
        st, r, none = m.get(base + segment, {"Range": what}, "HEAD")
        t.is_((st, r["content-length"], r.get("content-range")), (200, str(len(data)), None), f"HEAD with Range {what}: of the whole")
    st, h, _ = m.get("/hls/live/alice.m3u8?token=a%2Fb&x=1")
    t.is_((st, h["location"], h.get("set-cookie")), (307, "../../stream/alice/live.m3u8?token=a%2Fb&x=1", None),
        "its other name leads to the playlist, with the query")
    t.is_(m.get("/hls/live/alice.m3u8?" + "q" * 3000)[0], 414, "one too long to be sent there: 414")
    for path in ("/hls/live/.m3u8", "/hls/live/.x.m3u8", "/hls/live/alice.ts", "/hls/live/alice"):
        t.is_(m.get(path)[0], 404, f"{path}: 404")
    for path in ("/stream/../../etc/passwd", "/stream/alice/../../../x", "/stream/alice/%2e%2e/state", "/stream/alice/state",
            "/stream/.x/live.m3u8", "/stream/alice/live.m3u8%00.ts", "/stream/nobody/live.m3u8", "/no/such", "/stream/alice/"):
        t.is_(raw(m, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())[9:12], b"404", f"{path}: 404")
    t.is_(m.get(base + segment, method="DELETE")[0], 405, "DELETE: 405")
    two = f"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET {base}live.m3u8 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    out = raw(m, two.encode())
    t.is_((out.count(b"HTTP/1.1 200"), out.count(b"#EXTM3U")), (2, 1), "two requests in one packet")
    t.like(raw(m, b"nonsense\r\n\r\n").decode("latin1"), r"^(HTTP/1\.1 400|$)", "garbage: 400 or closed")
    t.is_(raw(m, b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 70000 + b"\r\n\r\n")[9:12] in (b"431", b"400", b""), True, "a huge header is refused")
    t.is_(m.get("/healthz")[0], 200, "/healthz")
    t.is_(m.get("/health")[0], 200, "/health")
    metrics = m.get("/metrics")[2].decode()
    t.like(metrics, r'(?m)^millrace_\w+\{[^}]*stream="alice"', "/metrics has the stream")
    bad = [l for l in metrics.splitlines() if l and not re.match(r'^(# (HELP|TYPE) \w+ .+|millrace_\w+(\{(\w+="[^"]*",?)*\})? [-+0-9.eEnaif]+)$', l)]
    t.none(bad, "every line of /metrics is well formed")
    t.is_([l for l in metrics.splitlines() if re.search(r"\.\d*(9{6}|0{6})\d*$", l)], [], "no number shows its binary fraction")
    t.is_(sorted(set(re.findall(r'worker="(\d+)"', metrics)))[0], "1", "http workers have the numbers of the log")
    api = json.loads(m.get("/api/v1/streams")[2])
    t.is_([s["name"] for s in api["streams"]], ["alice"], "/api/v1/streams")
    st, h, body = m.get("/api/v1/nothing")
    t.is_((st, h["content-type"], json.loads(body)), (404, "application/json", {"error": "no such call"}), "/api: a 404 is JSON")
    for path, up in (("/nothing", "./"), ("/no/such", "./../"), ("/watch/", "./../"), ("/watch/bad%20name", "./../")):
        st, h, body = m.get(path)
        t.is_((st, h["content-type"], f'<base href="{up}">' in body.decode()), (404, "text/html; charset=utf-8", True),
            f"{path}: 404 is a page that finds its style")
    t.is_(m.get("/a" * 30)[1]["content-type"], "text/plain; charset=utf-8", "too deep for the page: plain words")
    page = m.get("/")[2].decode()
    t.like(page, r"(?i)<!doctype html", "/ is a page")
    for agent in ("one", "two", "two"):
        m.get(base + "live.m3u8", {"User-Agent": agent})
    m.wait_stream("alice", lambda s: s["viewers"] >= 2, 5)
    t.ok(m.stream("alice")["viewers"] <= 3, "viewers are distinct players, not requests")
