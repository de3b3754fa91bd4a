#!/usr/bin/python3
"""410-hls-gops: GOPs of 0.5, 2 and 10 s, and a change from 2 to 10 and from 10 to 1: no EXTINF above TARGETDURATION."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

from media import compare, flv_frames

with Test(__doc__, limit=120) as t:
    m = t.server(**{"streams.reconnect_delay": "500ms", "streams.cleanup_delay": "1s"})
    made = {"g05": clips.clip(seconds=12, gop=0.5), "g2": clips.clip(seconds=13, gop=2.0),
            "g10": clips.clip(seconds=32, gop=10.0), "change": clips.gop_change(),
            "closer": clips.gop_change(10, 1)}
    players = {n: t.player(m, n) for n in made}
    for name, clip in made.items():
        t.publish(m, name, clip)
    for p in t.publishers:
        p.join_live()
    for p in t.publishers:
        p.finished.wait(60)
        p.end()
    for name, player in players.items():
        t.ok(player.ended.wait(15 * SLOW), f"{name}: ENDLIST")
        t.none(player.stop().check(), f"{name}: RFC 8216 all the way")
        with open(made[name], "rb") as f:
            video, audio = flv_frames(f.read())
        got_video, got_audio = player.frames()
        t.none(compare([h for _, h in video], got_video, "video"), f"{name}: every slice exactly once")
        t.none(compare([h for _, h in audio], got_audio, "audio"), f"{name}: every audio frame exactly once")
    p = players["closer"]
    t.ok(p.last.target == 10 and len(p.last.segments) > 20, f"1 s after 10 s: the list is three targets long: {len(p.last.segments)} segments")
    lengths = [s[1] for s in players["g05"].segments.values()][:-1]
    t.ok(all(0.9 < x < 1.1 for x in lengths), f"GOP 0.5: segments of 1 s: {lengths}")
    t.ok(all(1.9 < s[1] < 2.1 for s in list(players["g2"].segments.values())[:-1]), "GOP 2: segments of 2 s")
