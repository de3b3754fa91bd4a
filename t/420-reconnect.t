#!/usr/bin/python3
"""420-reconnect: cut for 1 and 4 s: the playlist goes on; 10 s: ENDLIST and clean-up; take-over of a dead connection."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

from media import flv_frames, runs

IN_FLIGHT_MS = 100


def check_cut(t, player, clip, first, second):
    """Each frame of both once and in order, and of the first all that it sent but for what was in flight."""
    with open(clip, "rb") as f:
        source = flv_frames(f.read())
    for what, sent, got in zip(("video", "audio"), source, player.frames()):
        problems, found = runs(sent, got, what)
        t.none(problems, f"{what}: no frame twice")
        t.is_(len(found), 2, f"{what}: without a gap but for the cut: {found}")
        t.is_((found[0][0], found[-1][0]), (sent[0][0], next(ms for ms, _ in sent if ms >= second.start_ms)), "both from their first frame on")
        lost = first.sent_ms - found[0][1]
        t.ok(lost <= IN_FLIGHT_MS, f"the first to its end: {lost} ms before its last tag")


def cut_and_return(t, m, name, at_ms, away):
    first = t.publish(m, name, clips.clip(seconds=30))
    first.join_live()
    wait_for("sent", lambda: first.sent_ms >= at_ms, 20)
    first.cut()
    t0 = time.monotonic()
    wait_for("time away", lambda: time.monotonic() - t0 >= away, away + 2)
    second = t.publish(m, name, clips.clip(seconds=30), start_ms=at_ms // 1000 * 1000 + 2000)
    second.join_live()
    return first, second


def hangs(t, m, name):
    """The old one's publisher is gone, but its ffmpeg hangs: it leaves by itself, before it would be killed."""
    old = t.publish(m, name)
    m.wait_playlist(name, 2)
    ffmpeg = m.pids("ffmpeg")
    for pid in ffmpeg:
        os.kill(pid, signal.SIGSTOP)
    sent = old.sent_ms
    wait_for("it has something to wait for", lambda: old.sent_ms >= sent + 600, 5)
    old.cut()
    m.wait_log(rf"stream={name} .*the stream ends")
    back = t.publish(m, name)
    back.join_live(10 * SLOW)
    t.ok(True, "its ffmpeg hangs, the publisher is back: let in")
    t.none(re.findall(r".*did not yield.*", m.log()), "and the old ingest was not killed for it")
    wait_for("the old ffmpeg is gone", lambda: not set(ffmpeg) & set(process_table()), 10)
    back.cut()


with Test(__doc__, limit=160) as t:
    m = t.server(**{"streams.reconnect_delay": "5s", "streams.cleanup_delay": "2s", "streams.silence": "1s"})
    for away in (1, 4):
        name = f"away{away}"
        player = t.player(m, name)
        first, second = cut_and_return(t, m, name, 5000, away)
        wait_for("goes on", lambda: second.sent_ms >= 14000, 20)
        t.is_(player.last and player.last.ended, False, f"away {away} s: no ENDLIST")
        wait_for("the player sees it", lambda: player.discontinuities() == 1, 10)
        seen = len(player.segments)
        wait_for("more segments", lambda: len(player.segments) > seen, 10)
        t.ok(True, "one discontinuity, and it goes on")
        t.none(player.stop().check(), "RFC 8216 all the way")
        check_cut(t, player, second.clip, first, second)
        second.cut()
    name = "away10"
    player = t.player(m, name)
    first = t.publish(m, name)
    wait_for("sent", lambda: first.sent_ms >= 4000, 20)
    run = m.playlist(name)
    first.cut()
    t.ok(player.ended.wait(10 * SLOW), "away 10 s: ENDLIST after reconnect_delay")
    wait_for("clean-up", lambda: m.get(f"/stream/{name}/live.m3u8")[0] == 404, 10)
    again = t.publish(m, name)
    again.join_live()
    text = m.wait_playlist(name, 2)
    t.is_("#EXT-X-MEDIA-SEQUENCE:0" in text and "DISCONTINUITY\n" not in text, True, "then a new stream of that name begins")
    t.none(player.stop().check(), "RFC 8216 up to there")
    again.cut()
    wait_for("none is live", lambda: not m.pids("ingest"), 20)
    hangs(t, m, "stopped")
    hung = t.publish(m, "hung")
    hung.join_live()
    m.wait_playlist("hung", 2)
    player = t.player(m, "hung")
    hung.hold = True        # connected, but mute
    t0 = time.monotonic()
    back = t.publish(m, "hung", start_ms=8000)
    back.join_live(10 * SLOW)
    t.ok(True, f"a mute connection's name is taken over after {time.monotonic() - t0:.1f} s")
    wait_for("the old one is ended", lambda: len(m.pids("ingest")) <= 1, 10)
    seen = len(m.playlist("hung").splitlines())
    wait_for("goes on", lambda: player.discontinuities() == 1 and back.sent_ms > 12000, 20)
    t.ok(back.is_alive(), "its end does not touch the new one")
    t.none(player.stop().check(), "and the playlist went on")
    check_cut(t, player, back.clip, hung, back)
