#!/usr/bin/python3
"""316-push-kill: eight pushes of a stream, each killed at random moments: every session begins with a key frame and has no hole; nobody else notices."""
import os, random, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

from media import flv_frames
from rtmp_target import RtmpTarget, key_slices, runs

N, KILLS = 8, 3

def pushes(m):
    return [o for o in m.stream("alice")["outputs"] if o["kind"] == "push"]


with Test(__doc__, 200) as t:
    targets = [RtmpTarget() for _ in range(N)]
    m = t.server(push=[{"id": f"t{i}", "url": target.url("{stream}")} for i, target in enumerate(targets)])
    clip = clips.clip(60, 1.0)
    data = open(clip, "rb").read()
    sent, keys = flv_frames(data), key_slices(data)
    p = t.publish(m, "alice", clip)
    wait_for("all are up", lambda: all(target.publishing() for target in targets), 20)
    hls = next(o for o in m.wait_stream("alice", lambda s: any(o["kind"] == "hls" for o in s["outputs"]))["outputs"] if o["kind"] == "hls")
    player = t.player(m, "alice")
    seed = random.randrange(1 << 32)
    rng = random.Random(seed)
    for n in range(KILLS):
        wait_for("status has all of them", lambda: all(o["state"] == "up" and o["restarts"] == n for o in pushes(m)), 10)
        for pid in rng.sample([o["pid"] for o in pushes(m)], N):
            time.sleep(rng.random() * 0.2)
            os.kill(pid, signal.SIGKILL)
        wait_for("all have ended", lambda: all(o["restarts"] > n for o in pushes(m)), 15)
        wait_for("all are up again", lambda: all(target.publishing() and target.publishing()[-1].seconds() > 0.3 for target in targets), 30)
    last = p.sent_ms
    wait_for("a second more", lambda: p.sent_ms > last + 1000, 5)
    frames = [(i, k, runs(s.frames()[0], sent[0])) for i, target in enumerate(targets) for k, s in enumerate(target.sessions) if s.tags]
    t.diag(f"seed {seed}, {len(frames)} sessions")
    t.ok(len(frames) >= N * (KILLS + 1) - 2, f"{N} targets had {len(frames)} sessions with media")
    t.none([f for f in frames if f[2] and (len(f[2]) > 1 or f[2][0][0] not in keys)], "each from a key frame, without a hole")
    now = next(o for o in m.wait_stream("alice", lambda s: any(o["kind"] == "hls" for o in s["outputs"]))["outputs"] if o["kind"] == "hls")
    t.is_((now["pid"], now["restarts"]), (hls["pid"], hls["restarts"]), "HLS goes on with its ffmpeg")
    t.none(player.stop().check(), "the viewer has seen no fault")
    t.is_(m.stream("alice")["discontinuities"], 0, "no discontinuity")
    for target in targets:
        target.close()
