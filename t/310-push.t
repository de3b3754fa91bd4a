#!/usr/bin/python3
"""310-push: a stream goes on to another server frame for frame; ffmpeg killed, target reset: again at a key frame; no key is shown."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

from media import flv_frames
from rtmp_target import RtmpTarget, key_slices, push_of, runs

KEY = "s3cr3tk3y"


with Test(__doc__) as t:
    target = RtmpTarget()
    m = t.server(push=[{"id": "one", "url": target.url(KEY + "?auth=qu3ry"), "stream": "al*"}])
    clip = clips.clip(20, 1.0)
    data = open(clip, "rb").read()
    sent, keys = flv_frames(data), key_slices(data)
    p = t.publish(m, "alice", clip)
    other = t.publish(m, "bob", clip)
    wait_for("the push is up", lambda: (o := push_of(m, "alice", "one")) and o["state"] == "up" and o, 10)
    player = t.player(m, "alice")
    s = target.sessions[0]
    t.is_((s.app, s.name_), ("live", KEY + "?auth=qu3ry"), "the target is told app and key")
    wait_for("3 s of media", lambda: s.seconds() > 3, 10)
    video, audio = s.frames()
    t.is_(runs(video, sent[0]), [[0, len(video) - 1]], "every video frame from the first on, in order")
    t.is_(len(runs(audio, sent[1])), 1, "every AAC frame, in order")
    t.is_(len(target.sessions), 1, "only the stream that fits")
    times = sorted({ts for ts, _ in s.frames()[0]})
    t.ok(all(abs(b - a - 40) <= 1 for a, b in zip(times, times[1:])), "their times are the publisher's", times)
    # kill -9
    os.kill(push_of(m, "alice", "one")["pid"], signal.SIGKILL)
    last = wait_for("that session is over", lambda: s.over and s.frames()[0], 5)
    wait_for("another one", lambda: len(target.publishing()) == 1, 10)
    s2 = target.publishing()[0]
    wait_for("2 s of media", lambda: s2.seconds() > 2, 10)
    first, end = runs(last, sent[0])[-1][1], runs(s2.frames()[0], sent[0])
    t.ok(end[0][0] in keys and end[0][0] <= first + 1, "after kill -9: again from the key frame of the GOP it died in",
        f"had {first}, goes on at {end}")
    t.is_(len(end), 1, "without a hole")
    t.is_(push_of(m, "alice", "one")["restarts"], 1, "counted")
    # the target resets the connection
    target.cut()
    wait_for("that is over", lambda: s2.over, 5)
    wait_for("another one", lambda: len(target.publishing()) == 1, 15)
    s3 = target.publishing()[0]
    wait_for("1 s of media", lambda: s3.seconds() > 1, 10)
    t.ok(runs(s3.frames()[0], sent[0])[0][0] in keys, "after a reset: from a key frame")
    wait_for("it is up", lambda: push_of(m, "alice", "one")["state"] == "up", 5)
    wait_for("metrics", lambda: re.search(r'millrace_output_up\{stream="alice",output="push one"\} 1\n', m.get("/metrics")[2].decode()), 5)
    t.ok(True, "metrics: it is up")
    status = m.cli("status").stdout
    t.like(status, r"alice push one +up .*rtmp://127.0.0.1:\d+/live/\*\*\*", "status: it is up")
    t.is_(m.cli("status").returncode, 0, "healthy")
    p.end()
    wait_for("the publisher's end is passed on", lambda: s3.unpublished, 5)
    frames = s3.frames()
    t.is_((runs(frames[0], sent[0])[-1][1] >= 0 and len(runs(frames[0], sent[0]))), 1, "no hole to the end")
    want = next(i for i, (ts, _) in reversed(list(enumerate(sent[0]))) if ts <= p.sent_ms)
    t.ok(runs(frames[0], sent[0])[-1][1] >= want - 1, "all that was sent has arrived", f"{runs(frames[0], sent[0])}, sent {want}")
    problems = player.stop().check()
    t.none(problems, "the viewer has seen no fault")
    m.wait_log("the publisher ended the stream")
    text = m.log() + json.dumps(m.status()) + m.cli("status").stdout + m.cli("push", "list").stdout + m.get("/metrics")[2].decode()
    t.none([w for w in (KEY, "qu3ry") if w in text], "no key in log, status, list or metrics")
    target.close()
