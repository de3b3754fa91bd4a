#!/usr/bin/python3
"""704-stop-http: SIGSTOP of one of two http workers: found hung by its heartbeat and replaced; the other answers all meanwhile."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

with Test(__doc__) as t:
    m = t.server(**{"http.workers": 2})
    t.publish(m, "alice")
    m.wait_playlist("alice", 2)
    wait_for("healthy", lambda: m.cli("status").returncode == 0, 10, 0.2)
    victim, other = wait_for("two workers", lambda: len(p := m.pids("http")) == 2 and p)
    os.kill(victim, signal.SIGSTOP)
    began, times, lists = time.monotonic(), [], []

    def replaced():
        t0 = time.monotonic()
        lists.append(m.playlist("alice"))       # each time by a connection of its own
        times.append(time.monotonic() - t0)
        return len(p := m.pids("http")) == 2 and victim not in p and p
    pids = wait_for("it is replaced", replaced, 30, 0.05)
    t.ok(other in pids, f"it was replaced after {time.monotonic() - began:.1f} s, the other was not")
    t.ok(all(lists), f"all of {len(lists)} requests meanwhile were answered")
    t.ok(max(times) < 3 * patience(), f"the slowest took {max(times):.2f} s")
    last = lambda text: int(re.search(r"MEDIA-SEQUENCE:(\d+)", text)[1]) + text.count("#EXTINF")
    t.ok(last(lists[-1]) >= last(lists[0]) + 5, "and the stream went on in them")
    t.like(m.log(), rf"http \d \(pid {victim}\)[^\n]*no heartbeat for \d+\.\d s \(hung\?\)", "the log says why")
    wait_for("healthy again", lambda: m.cli("status").returncode == 0, 15, 0.2)
    t.like(json.dumps([p for p in m.status()["processes"] if p["kind"] == "http"]), "no heartbeat", "status has how the one before it ended")
