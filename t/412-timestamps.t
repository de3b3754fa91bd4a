#!/usr/bin/python3
"""412-timestamps: start anywhere, wrap, jump forth and back, tracks by clocks of their own, new sequence headers: nothing stalls or is lost."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

from media import compare, flv_frames, flv_tags


def jump(at, by):
    return lambda kind, ts, body: (ts + by if ts >= at else ts, body)


def new_header(at, other):
    """From `at` on the tags of another clip (another size), its headers first."""
    with open(other, "rb") as f:
        tags = list(flv_tags(f.read()))
    headers = {k: b for k, ts, b in tags if k in (8, 9) and b[1] == 0}
    queue = {k: [(ts, b) for kk, ts, b in tags if kk == k and b[1] != 0] for k in (8, 9)}
    sent = set()

    def edit(kind, ts, body):
        if ts < at or kind == 18 or body[1] == 0:
            return ts, body
        if kind not in sent:
            sent.add(kind)
            return ts, headers[kind]
        if not queue[kind]:
            return None
        return ts, queue[kind].pop(0)[1]
    return edit


with Test(__doc__, limit=100) as t:
    m = t.server(**{"streams.reconnect_delay": "500ms", "streams.cleanup_delay": "3s"})
    clip = clips.clip(seconds=12)
    cases = {"hour": dict(shift=3600_000), "wrap": dict(shift=2**32 - 5000), "wrap31": dict(shift=2**31 - 5000),
             "forth": dict(edit=jump(5000, 3600_000)), "back": dict(edit=jump(5000, -4000)),
             "skew": dict(edit=lambda kind, ts, body: (ts + 3000 if kind == 9 else ts, body)),
             "skewed": dict(edit=lambda kind, ts, body: (ts + 3000 if kind == 8 else ts, body)),
             "header": dict(edit=new_header(5000, clips.clip(seconds=12, size="256x144")))}
    players = {n: t.player(m, n) for n in cases}
    for name, kw in cases.items():
        t.publish(m, name, clip, **kw)
    for p in t.publishers:
        p.join_live()
    for p in t.publishers:
        p.finished.wait(40)
        t.ok(p.error is None, f"{p.name_}: published to its end", str(p.error))
        p.end()
    with open(clip, "rb") as f:
        video, audio = flv_frames(f.read())
    for name, player in players.items():
        t.ok(player.ended.wait(20 * SLOW), f"{name}: ENDLIST")
        t.none(player.stop().check(), f"{name}: RFC 8216 all the way")
        t.ok(10.5 < player.total() < 13.5, f"{name}: {player.total():.1f} s of 12 listed")
        t.ok(player.max_stall < 4 * SLOW, f"{name}: the playlist never stalled ({player.max_stall:.1f} s)")
        if name != "header":
            got_video, got_audio = player.frames()
            t.none(compare([h for _, h in video], got_video, "video"), f"{name}: every slice exactly once")
            t.none(compare([h for _, h in audio], got_audio, "audio"), f"{name}: every audio frame exactly once")
    for name in ("hour", "wrap", "wrap31"):
        t.is_(players[name].discontinuities(), 0, f"{name}: no discontinuity")
    t.is_(players["header"].discontinuities(), 1, "a new sequence header: one discontinuity")
