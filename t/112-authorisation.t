#!/usr/bin/python3
"""112-authorisation: wrong pattern, wrong key, duplicate name: each its own error, nobody else disturbed."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

from rtmp import Refused


def refusal(t, m, name, **kw):
    p = t.publish(m, name, **kw)
    p.finished.wait(10 * SLOW)
    return str(p.error) if isinstance(p.error, Refused) else f"not refused: {p.error} live={p.live.is_set()}"


def hashed(m, key):
    return m.cli("hash-key", key).stdout.strip()


with Test(__doc__) as t:
    m = t.server(start=False, **{"authorize.secret": "a secret for signing, long enough"})
    h = hashed(m, "s3cret")
    t.like(h, r"^sha256:", "millrace hash-key")
    m.configure({"authorize.keys": {"bob": [hashed(m, "other"), h]}})
    m.start()
    alice = t.publish(m, "alice", key="?" + m.cli("sign-url", "alice").stdout.strip().partition("?")[2])
    t.ok(alice.join_live(), "a signed URL is let in")
    text = refusal(t, m, "a", app="elsewhere")
    t.like(text, r"pattern|match|/live/", "wrong path: says what would match")
    t.like(m.wait_log(r"elsewhere.*")[0], "elsewhere", "and the log has the URL it saw")
    t.like(refusal(t, m, "bob"), r"(?i)key", "no key: says so")
    t.like(refusal(t, m, "bob", key="?key=wr0ngkey"), r"(?i)key", "wrong key: says so")
    t.ok("wr0ngkey" not in m.log(), "the key given is not in the log")
    bob = t.publish(m, "bob", key="?key=s3cret")
    t.ok(bob.join_live(), "the right key is let in")
    t.like(refusal(t, m, "alice", key=alice.key), r"(?i)BadName.*|already", "a live name is refused as duplicate")
    t.like(refusal(t, m, "alice", key="?exp=1&sig=" + "0" * 64), r"(?i)expire|sign", "an expired signature")
    t.like(refusal(t, m, "..%2f"), r"(?i)name", "a bad name")
    try:    # status is a second old
        s = wait_for("all are counted", lambda: (lambda s: s["refused"] >= 6 and s)(m.status()), 5, 0.2)
    except Timeout:
        s = m.status()
    t.is_((s["last_refused"]["reason"], s["last_refused"]["peer"][:10]), ("pattern", "127.0.0.1:"), "status has the last refused")
    t.like(m.cli("status").stdout, r"(?m)^last refused: .* ago 127\.0\.0\.1:\d+", "in its text, too")
    by = s["refused_by_reason"]
    t.is_({k: n for k, n in by.items() if n}, {"pattern": 2, "key": 2, "duplicate": 1, "signature": 1}, "and counts by reason")
    t.is_(s["refused"], 6, "and in all")
    t.like(m.get("/metrics")[2].decode(), r'(?m)^millrace_rtmp_refused_total\{reason="key"\} 2$', "metrics count them, too")
    with socket.create_connection(("127.0.0.1", m.rtmp), 5) as c:
        c.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 200)
        m.wait_log(r"level=info .*refused 127\.0\.0\.1:\d+: .*RTMP")
    t.ok(True, "what is no RTMP leaves a line in the log")
    m.wait_playlist("alice", 2)
    t.ok(alice.is_alive() and bob.is_alive(), "alice and bob publish on")
    t.is_(sorted(s["name"] for s in m.status()["streams"]), ["alice", "bob"], "nobody else is in status")
