#!/usr/bin/python3
"""315-push-slow: a target that is too slow loses frames up to a key frame, counted, and nobody else any; kill -9 of the ingest and of millraced."""
import glob, os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

from media import flv_frames
from rtmp_target import RtmpTarget, key_slices, push_of, runs

FILLER = (b"\x0c" + b"\xff" * 24000 + b"\x80")


def heavy(kind, ts, body):
    """24 kB of filler data in each picture: 5 Mbit/s."""
    return ts, body + len(FILLER).to_bytes(4, "big") + FILLER if kind == 9 and body[1] == 1 else body


with Test(__doc__, 200) as t:
    slow, good = RtmpTarget(), RtmpTarget()
    m = t.server(push=[{"id": "slow", "url": slow.url("{stream}")}, {"id": "good", "url": good.url("{stream}")}],
        push_lag="1s", push_stuck="40s", **{"streams.record.path": "recordings/{stream}/{start}.mp4"})
    clip = clips.clip(60, 1.0)
    data = open(clip, "rb").read()
    sent, keys = flv_frames(data), key_slices(data)
    p = t.publish(m, "alice", clip, edit=heavy)
    for target in (slow, good):
        wait_for("both push", lambda: target.publishing() and target.publishing()[0].tags, 15)
    player = t.player(m, "alice")
    slow.frozen = True
    dropped = wait_for("frames are dropped", lambda: push_of(m, "alice", "slow").get("dropped_frames", 0), 30)
    t.ok(push_of(m, "alice", "slow")["behind_ms"] <= 2500, "it is never much more than push_lag behind", push_of(m, "alice", "slow"))
    t.like(m.cli("status").stdout, "push slow has lost \\d+ frames", "status says so")
    slow.frozen = False
    s = slow.sessions[0]
    wait_for("it has caught up", lambda: push_of(m, "alice", "slow")["behind_ms"] < 200, 15)
    parts = wait_for("it goes on", lambda: (r := runs(s.frames()[0], sent[0]))[-1][1] - r[-1][0] > 25 and len(r) > 1 and r, 20)
    t.ok(all(a in keys for a, _ in parts), "each time it goes on at a key frame", parts)
    o = push_of(m, "alice", "slow")
    t.is_((len(slow.sessions), o["restarts"]), (1, 0), "in the same session")
    v = good.sessions[0].frames()[0]
    t.is_((len(good.sessions), runs(v, sent[0])), (1, [[0, len(v) - 1]]), "the good target has had every frame")
    t.is_(push_of(m, "alice", "good")["dropped_frames"], 0, "none of it counted as lost")
    t.none(player.stop().check(), "the viewer has seen no fault")
    raw = flv_frames(open(glob.glob(f"{m.data}/rec/alice/*.flv")[0], "rb").read())
    t.is_(len(runs(raw[0], sent[0])), 1, "the recording has every frame")
    # the publisher comes back at once: the target is not asked twice at a time
    p.cut()
    n = len(good.sessions)
    p = t.publish(m, "alice", clip)
    wait_for("it is pushed again", lambda: len(good.sessions) > n and good.sessions[-1].tags, 20)
    t.ok(all(s.over for s in good.sessions[:-1]), "one session at a time")
    # kill -9 of the ingest
    os.kill(m.pids("ingest")[0], signal.SIGKILL)
    wait_for("the target sees the end", lambda: good.sessions[-1].over, 15)
    p.finished.wait(10)
    n = len(good.sessions)
    p = t.publish(m, "alice", clip)
    wait_for("its publisher is back", lambda: len(good.sessions) > n and good.sessions[-1].tags, 20)
    # kill -9 of millraced
    s = good.sessions[-1]
    m.proc.kill()
    m.proc.wait()
    wait_for("the target sees the end", lambda: s.over, 20)
    t.ok(s.unpublished, "said by ffmpeg itself")
    n = len(good.sessions)
    m.start()
    p = t.publish(m, "alice", clip)
    wait_for("after the restart it goes on", lambda: len(good.sessions) > n and good.sessions[-1].tags, 20)
    t.is_(len([s for s in good.sessions if not s.over]), 1, "once")
    for target in (slow, good):
        target.close()
