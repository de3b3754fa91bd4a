#!/usr/bin/python3
"""702-stop-ffmpeg: SIGSTOP of an ffmpeg, for good and not, SIGTERM, kill -9 after 60 s: replaced, nothing lost, publisher never blocked."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

from media import compare, flv_frames, ts_frames


def told_to_end(pid):
    """A SIGTERM waits for it to go on, or it is gone."""
    try:
        with open(f"/proc/{pid}/status") as f:
            return int(re.search(r"^ShdPnd:\s*(\w+)", f.read(), re.M).group(1), 16) >> (signal.SIGTERM - 1) & 1
    except (OSError, AttributeError):
        return True


def listing_ffmpeg(m, player):
    """The ffmpeg that runs now, once it has listed segments."""
    pid = wait_for("an ffmpeg", lambda: m.pids("ffmpeg"), 10)[0]
    seen = len(player.segments)
    wait_for("it lists segments", lambda: len(player.segments) >= seen + 2, 20)
    return pid


def end_amid_segment(m, player, p, phase_ms):
    """SIGTERM that long after a key frame was sent: it flushes what it has of the segment."""
    pid = listing_ffmpeg(m, player)
    key = p.sent_ms // 1000 * 1000 + 1000
    wait_for("amid a segment", lambda: p.sent_ms >= key + phase_ms, 5)
    os.kill(pid, signal.SIGTERM)
    wait_for("it ends", lambda: pid not in process_table(), 10)


def freeze_and_thaw(m, player, judged):
    """SIGSTOP until the server has judged it stuck and judged(pid) holds: it goes on before it is killed."""
    pid = listing_ffmpeg(m, player)
    before = m.log().count("is stuck")
    os.kill(pid, signal.SIGSTOP)
    wait_for("judged", lambda: m.log().count("is stuck") > before and judged(pid), 30)
    os.kill(pid, signal.SIGCONT)
    wait_for("it is gone", lambda: pid not in process_table(), 10)


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
    for phase_ms in (100, 500, 900):
        end_amid_segment(m, player, p, phase_ms)
        t.ok(True, f"one that got SIGTERM is gone ({p.sent_ms} ms)")
    for what, judged in (("its input has ended", lambda pid: True), ("SIGTERM is sent, too", told_to_end)):
        freeze_and_thaw(m, player, judged)
        t.ok(True, f"one that goes on when {what} is gone ({p.sent_ms} ms)")
    listing_ffmpeg(m, player)
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
