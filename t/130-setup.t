#!/usr/bin/python3
"""130-setup: spare ingests: taken, replaced, renewed at a reload, back after a kill, gone at the stop."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *


def spares(m):
    return m.pids("spare")


with Test(__doc__) as t:
    m = t.server(**{"limits.spare": 2, "limits.connections": 2})
    wait_for("two spares", lambda: len(spares(m)) == 2, 10)
    t.is_(m.pids("ingest"), [], "a spare is no publisher's")
    wait_for("status has them", lambda: [p["kind"] for p in m.status()["processes"]].count("spare") == 2, 5, 0.1)
    before = spares(m)
    t.publish(m, "alice").join_live()
    t.ok(set(m.pids("ingest")) < set(before), "a publisher gets one that was up")
    wait_for("two spares again", lambda: len(spares(m)) == 2, 10)
    t.publish(m, "bob").join_live()
    t.is_(len(m.pids("ingest")), 2, "spares do not count as connections")
    wait_for("two spares once more", lambda: len(spares(m)) == 2, 10)
    victim = spares(m)[0]
    os.kill(victim, signal.SIGKILL)
    wait_for("a killed one is replaced", lambda: len(spares(m)) == 2 and victim not in spares(m), 10)
    t.ok(True, "a killed spare is replaced")
    before, live = spares(m), m.pids("ingest")
    m.configure({"limits.spare": 3, "limits.connections": 3})
    t.is_(m.cli("reload").returncode, 0, "millrace reload")
    wait_for("three new spares", lambda: len(spares(m)) == 3 and not set(spares(m)) & set(before), 10)
    t.is_(m.pids("ingest"), live, "publishers keep theirs")
    t.publish(m, "carol").join_live()
    t.ok(m.stream("carol") or m.wait_stream("carol"), "one with the new config serves")
    m.configure({"limits.spare": 0})
    t.is_(m.cli("reload").returncode, 0, "limits.spare: 0")
    wait_for("no spare", lambda: spares(m) == [], 10)
    for p in t.publishers:
        p.end()
    wait_for("no ingest is left", lambda: m.pids("ingest") == [], 20)
    t.publish(m, "dave").join_live()
    t.ok(True, "without a spare it goes as well")
