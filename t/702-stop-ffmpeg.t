#!/usr/bin/python3
"""702-stop-ffmpeg: SIGSTOP of an ffmpeg: it is replaced, nothing is lost, the publisher is never blocked; kill -9 after 60 s."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

from media import compare, flv_frames, ts_frames

with Test(__doc__, limit=160) as t:
    m = t.server(**{"streams.reconnect_delay": "1s", "streams.cleanup_delay": "3s", "streams.hls.stuck": "3s"})
    clip = clips.clip(seconds=75)
    player = t.player(m, "alice")
    p = t.publish(m, "alice", clip)
    m.wait_playlist("alice", 2)
    frozen = m.pids("ffmpeg")[0]
    os.kill(frozen, signal.SIGSTOP)
    wait_for("replaced", lambda: m.pids("ffmpeg") and frozen not in m.pids("ffmpeg"), 30)
    t.ok(True, "the frozen ffmpeg is replaced")
    wait_for("reaped", lambda: frozen not in process_table(), 10)
    lag = p.sent_ms
    wait_for("not blocked", lambda: p.sent_ms >= lag + 500, 2)
    t.ok(True, "the publisher goes on")
    wait_for("a minute", lambda: p.sent_ms > 65000, 70)
    os.kill(m.pids("ffmpeg")[0], signal.SIGKILL)
    p.finished.wait(30)
    p.end()
    t.ok(player.ended.wait(20 * SLOW), "ENDLIST")
    t.none(player.stop().check(), "RFC 8216 all the way")
    with open(clip, "rb") as f:
        video, audio = flv_frames(f.read())
    got_video, got_audio = player.frames()
    t.none(compare([h for _, h in video], got_video, "video"), "every slice exactly once")
    t.none(compare([h for _, h in audio], got_audio, "audio"), "every audio frame exactly once")
    late = [s for s in sorted(player.segments) if sum(player.segments[x][1] for x in player.segments if x < s) > 60]
    for a, b in zip(late, late[1:]):
        first = ts_frames(player.segments[a][4])[2]
        following = ts_frames(player.segments[b][4])[2]
        apart = ((following - first) % 2**33) / 90000
        t.ok(abs(apart - player.segments[a][1]) < 0.1, f"sequence {a}: EXTINF {player.segments[a][1]:.3f}, packets {apart:.3f}")
