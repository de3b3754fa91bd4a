#!/usr/bin/python3
"""403-viewers: a player is counted once, however many http workers its connections go to."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *


class Player:
    """Asks on a new connection each time; keeps its cookie if it is one that does."""

    def __init__(self, m, agent, cookies=True):
        self.m, self.agent, self.cookies, self.cookie = m, agent, cookies, ""

    def ask(self, times=1):
        for _ in range(times):
            headers = {"User-Agent": self.agent} | ({"Cookie": self.cookie} if self.cookie else {})
            status, h, _ = self.m.get("/stream/alice/live.m3u8", headers)
            assert status == 200, status
            if self.cookies and "set-cookie" in h:
                self.cookie = h["set-cookie"].split(";")[0]


def stays(m, players, want, seconds):
    """
    What status showed instead while all of them went on asking, unless it was but for a moment: workers tick
    at full seconds, and one that is late has its word a second later.
    """
    seen, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        for p in players:
            p.ask(2)
        seen.append(m.stream("alice")["viewers"])
        time.sleep(0.1)
    other = [n for n in seen if n != want]
    return other if len(other) > len(seen) // 5 else []


with Test(__doc__) as t:
    m = t.server(**{"http.workers": 4})
    t.publish(m, "alice", clips.clip(seconds=60)).join_live()
    m.wait_playlist("alice", 2)
    # Whoever waited above is forgotten first.
    viewers = lambda n: lambda s: s["viewers"] == n
    m.wait_stream("alice", viewers(1), 10)
    m.wait_stream("alice", viewers(0), 15)
    one = Player(m, "browser")
    one.ask(10)
    m.wait_stream("alice", viewers(1), 5)
    t.none(stays(m, [one], 1, 8), "10 connections of one cookie, four workers: one viewer, then and later")
    # The same agent at the same address: only the cookie tells them apart, once it is not new any more.
    three = [one, Player(m, "browser"), Player(m, "browser")]
    for p in three[1:]:
        p.ask(2)

    def counted():
        stays(m, three, 3, 0.5)
        return m.stream("alice")["viewers"] == 3

    wait_for("all three are counted", counted, 15, 0.1)
    t.none(stays(m, three, 3, 3), "three cookies: three viewers")
    m.wait_stream("alice", viewers(0), 15)
    plain = [Player(m, "plain one", False), Player(m, "plain two", False)]
    stays(m, plain, 2, 2)
    t.none(stays(m, plain, 2, 3), "two that keep no cookie: two viewers")
    # A worker dies; what it saw is forgotten, what the others see is not.
    os.kill(m.pids("http")[0], signal.SIGKILL)
    wait_for("its successor", lambda: len(m.pids("http")) == 4, 10)
    stays(m, plain, 2, 2)
    t.none(stays(m, plain, 2, 2), "still two after a worker died")
