#!/usr/bin/python3
"""703-kill-ingest: kill -9 of an ingest: only what it had not listed is lost; the publisher comes back into the same playlist."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

from media import flv_frames, runs

SEGMENT_MS = 1000


with Test(__doc__) as t:
    m = t.server()
    clip = clips.clip(seconds=30)
    other = t.publish(m, "other", clip)
    first = t.publish(m, "alice", clip)
    for n in ("alice", "other"):
        m.wait_playlist(n, 3)
    players = {n: t.player(m, n) for n in ("alice", "other")}
    victim = next(p["pid"] for p in m.status()["processes"] if p["kind"] == "ingest" and p.get("stream") == "alice")
    wait_for("players", lambda: all(p.segments for p in players.values()), 10)
    wait_for("amid a segment", lambda: first.sent_ms % SEGMENT_MS > SEGMENT_MS // 2, 5)
    os.kill(victim, signal.SIGKILL)
    t.ok(first.finished.wait(5), "its publisher's connection is closed")
    wait_for("ffmpeg of it leaves", lambda: len(m.pids("ffmpeg")) == 1, 10)
    second = t.publish(m, "alice", clip, start_ms=12000)
    second.join_live()
    wait_for("goes on", lambda: players["alice"].discontinuities() == 1 and second.sent_ms > 16000, 20)
    t.none(players["alice"].stop().check(), "alice: the same playlist goes on with one discontinuity")
    with open(clip, "rb") as f:
        source = flv_frames(f.read())
    for what, sent, got in zip(("video", "audio"), source, players["alice"].frames()):
        problems, found = runs(sent, got, what)
        t.none(problems, f"{what}: no frame twice")
        t.is_(len(found), 2, f"{what}: without a gap but for the one: {found}")
        t.is_((found[0][0], found[-1][0]), (sent[0][0], next(ms for ms, _ in sent if ms >= second.start_ms)), "both from their first frame on")
        lost = first.sent_ms - found[0][1]
        t.ok(lost <= 2 * SEGMENT_MS, f"only what was not listed is lost: {lost} ms")
    t.none(players["other"].stop().check(), "other: saw nothing")
    for what, sent, got in zip(("video", "audio"), source, players["other"].frames()):
        problems, found = runs(sent, got, what)
        t.ok(not problems and len(found) == 1, f"other: {what} without a gap", f"{found} {problems[:12]}")
    t.is_(players["other"].discontinuities(), 0, "no discontinuity there")
    t.like(m.log(), r"(?i)ingest.*(SIGKILL|signal 9|killed)", "the log has the obituary")
