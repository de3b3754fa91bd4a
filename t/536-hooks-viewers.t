#!/usr/bin/python3
"""536-hooks-viewers: play and stop come in pairs also when there are more viewers than http.max_viewers and hooks.max_viewers."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *
from receiver import Receiver


class Viewer:
    def __init__(self, m, agent):
        self.m, self.headers, self.id = m, {"User-Agent": agent}, None

    def ask(self, times=1):
        for _ in range(times):
            _, h, _ = self.m.get("/stream/alice/live.m3u8", self.headers)
            if "set-cookie" in h:
                self.headers["Cookie"] = h["set-cookie"].split(";")[0]
                self.id = self.headers["Cookie"].split("=")[1]


def told(rx, event):
    """Each once, however often it came."""
    return list({r.json()["id"]: r.json()["viewer"] for r in rx.got("/e", event=event)}.values())


with Test(__doc__, limit=90) as t:
    rx = Receiver(free_port())
    hooks = {"networks": ["127.0.0.0/8"], "retry_min": "100ms", "urls": [{"url": rx.url("/e"), "events": ["play", "stop"]}]}
    m = t.server(**{"http.workers": 1, "http.max_viewers": 16, "http.viewer_targets": 60, "hooks": hooks})
    t.publish(m, "alice", clips.clip(seconds=80)).join_live()
    wait_for("its playlist", lambda: os.path.exists(f"{m.data}/hls/alice/live.m3u8"), 20)
    viewers = [Viewer(m, f"v{i}") for i in range(16)]

    def all_are_told():
        for v in viewers:
            v.ask()
        return len(told(rx, "play")) == 16
    wait_for("play of all", all_are_told, 20, 1)
    t.is_(set(told(rx, "play")), {v.id for v in viewers}, "as many viewers as http.max_viewers: play of each")
    late = [Viewer(m, f"late{i}") for i in range(2)]
    for v in late:
        v.ask(3)
    wait_for("play of two more", lambda: len(told(rx, "play")) == 18, 15)
    wait_for("stop of two", lambda: len(told(rx, "stop")) == 2, 15)
    t.is_(set(told(rx, "stop")), {v.id for v in viewers[:2]}, "two more: stop of the two that were unseen for longest")

    m.configure({"hooks": hooks | {"max_viewers": 8}})
    m.cli("reload")
    for i in range(3):
        Viewer(m, f"many{i}").ask(3)
        wait_for("one more has made room", lambda: len(told(rx, "stop")) == 3 + i, 15)
    line = wait_for("the log says so", lambda: [l for l in m.log().splitlines() if "webhooks are not told" in l], 15)
    t.like(line[0], r"hooks\.max_viewers", "more than hooks.max_viewers: the log says so")
    t.is_(len(line), 1, "once")
    t.is_(len(told(rx, "play")), 18, "and no play of them")
