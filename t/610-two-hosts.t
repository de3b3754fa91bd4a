#!/usr/bin/python3
"""610-two-hosts: one Redis, two servers: a name is live once, a viewer is sent to its owner, a dead host's names are freed."""
import os, sys, threading
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

with Test(__doc__) as t:
    port = free_port()
    redis = t.spawn(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", t.dir])
    one, two = (t.server(start=False, **{"redis.url": f"redis://127.0.0.1:{port}", "host.name": n, "http.workers": 1}) for n in ("one", "two"))
    for m in (one, two):
        m.configure({"http.public_url": f"http://127.0.0.1:{m.http}/"})
        m.start()
    wait_for("both healthy", lambda: all(m.cli("status").returncode == 0 for m in (one, two)), 10, 0.2)
    pub = t.publish(one, "alice")
    pub.join_live()
    one.wait_playlist("alice", 2)
    again = t.publish(two, "alice")
    again.finished.wait(10 * SLOW)
    t.like(str(again.error), r"(?i)one|elsewhere|host", "the second host refuses a name that is live on the first")
    def sent():
        status, headers, _ = two.get("/stream/alice/live.m3u8")
        return status == 307 and headers["location"]
    t.is_(wait_for("redirect", sent, 10, 0.2), f"http://127.0.0.1:{one.http}/stream/alice/live.m3u8", "its viewer is sent to the owner (307)")
    status, headers, _ = two.get("/whep/alice", method="POST")
    t.is_((status, headers["location"]), (307, f"http://127.0.0.1:{one.http}/whep/alice"), "and so is a player by WHEP, its POST as a POST")
    status, headers, _ = two.get("/stream/alice/live.m3u8?token=a%2Fb&x=1")
    t.is_((status, headers["location"]), (307, f"http://127.0.0.1:{one.http}/stream/alice/live.m3u8?token=a%2Fb&x=1"), "with what it was asked with")
    # Nobody answers: of one stream many may ask, of two at once more than there may be.
    two.configure({"http.max_lookups": 1})
    t.is_(two.cli("reload").returncode, 0, "http.max_lookups is changed")
    registry = two.pids("registry")[0]
    os.kill(registry, signal.SIGSTOP)
    out = {}
    def look(key, name):
        out[key] = two.get(f"/stream/{name}/live.m3u8")
    try:
        asking = [threading.Thread(target=look, args=(i, f"new{i // 4}")) for i in range(8)]
        for a in asking:
            a.start()
        for a in asking:
            a.join()
    finally:
        os.kill(registry, signal.SIGCONT)
    t.is_(sorted(st for st, _, _ in out.values()), [404] * 4 + [503] * 4, "two streams at once, with one allowed: four wait for the first, four get a 503")
    st, headers, body = next(r for r in out.values() if r[0] == 503)
    t.ok(headers.get("retry-after") and b"http.max_lookups" in body, "with Retry-After and the limit's name")
    t.is_(two.get("/stream/nobody/live.m3u8")[0], 404, "nobody's stream is 404")
    t.like(two.cli("streams").stdout, r"alice.*one", "streams on the second host shows it with its host")
    one.proc.kill()
    one.proc.wait()
    wait_for("publisher gone", lambda: pub.finished.is_set(), 10)

    def taken():
        p = t.publish(two, "alice")
        try:
            return p.join_live()
        except OSError:
            return False
        except Exception:
            return False
    wait_for("the name is free once the dead host's lease ran out", taken, 25, 1)
    t.ok(True, "the name of a dead host is free within its lease's 15 s")
    t.ok(two.wait_playlist("alice", 2), "and plays there")
