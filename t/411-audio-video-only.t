#!/usr/bin/python3
"""411-audio-video-only: one track alone, a track that comes late, a track that stops."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

from media import compare, flv_frames


def only_after(kind_late, ms):
    """Drops the tags of one kind before ms, sequence header and all, then sends the header first."""
    kept = {}

    def edit(kind, ts, body):
        if kind != kind_late:
            return ts, body
        if len(body) > 1 and body[1] == 0:
            kept["header"] = body
            return None
        if ts < ms:
            return None
        if "sent" not in kept:
            kept["sent"] = True
            return ts, kept["header"]
        return ts, body
    return edit


def stops_at(kind_stop, ms):
    return lambda kind, ts, body: None if kind == kind_stop and ts >= ms else (ts, body)


with Test(__doc__, limit=100) as t:
    m = t.server(**{"streams.reconnect_delay": "500ms", "streams.cleanup_delay": "3s"})
    both = clips.clip(seconds=12)
    cases = {"audio": (clips.clip(seconds=12, video=False), None), "video": (clips.clip(seconds=12, audio=False), None),
             "lateaudio": (both, only_after(8, 4000)), "latevideo": (both, only_after(9, 4000)),
             "audiostops": (both, stops_at(8, 5000)), "videostops": (both, stops_at(9, 5000))}
    players = {n: t.player(m, n) for n in cases}
    for name, (clip, edit) in cases.items():
        t.publish(m, name, clip, edit=edit)
    for p in t.publishers:
        p.join_live()
    for p in t.publishers:
        p.finished.wait(40)
        t.ok(p.error is None, f"{p.name_}: published to its end", str(p.error))
        p.end()
    for name, player in players.items():
        t.ok(player.ended.wait(20 * SLOW), f"{name}: ENDLIST")
        t.none(player.stop().check(), f"{name}: RFC 8216 all the way")
        # That a track has stopped must be noticed first.
        t.ok(player.max_stall < (5 if name.endswith("stops") else 3) * SLOW, f"{name}: the playlist never stalled ({player.max_stall:.1f} s)")
        t.ok(10.5 < player.total() < 13, f"{name}: {player.total():.1f} s of 12 listed")
    with open(both, "rb") as f:
        video, audio = flv_frames(f.read())
    t.none([l for l in m.log().splitlines() if "frame size not set" in l], "ffmpeg does not warn of each segment of audio alone")
    got, _ = players["lateaudio"].frames()
    t.none(compare([h for _, h in video], got, "video"), "late audio: every slice of the video exactly once")
    _, got = players["latevideo"].frames()
    t.none(compare([h for _, h in audio], got, "audio"), "late video: every audio frame exactly once")
    _, got = players["videostops"].frames()
    t.none(compare([h for _, h in audio], got, "audio"), "video stops: every audio frame exactly once")
