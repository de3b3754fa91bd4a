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
    t.like(refusal(t, m, "bob", key="?key=wrong"), r"(?i)key", "wrong key: says so")
    t.ok("wrong" not in m.log().replace("wrong ", ""), "the key given is not in the log")
    bob = t.publish(m, "bob", key="?key=s3cret")
    t.ok(bob.join_live(), "the right key is let in")
    t.like(refusal(t, m, "alice", key=alice.key), r"(?i)BadName.*|already", "a live name is refused as duplicate")
    t.like(refusal(t, m, "alice", key="?exp=1&sig=" + "0" * 64), r"(?i)expire|sign", "an expired signature")
    t.like(refusal(t, m, "..%2f"), r"(?i)name", "a bad name")
    m.wait_playlist("alice", 2)
    t.ok(alice.is_alive() and bob.is_alive(), "alice and bob publish on")
    t.is_(sorted(s["name"] for s in m.status()["streams"]), ["alice", "bob"], "nobody else is in status")
