#!/usr/bin/python3
"""104-health: one notion of health: status, its exit code, /healthz and metrics see the same fault; so does -t."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *


def everywhere(t, m, pattern, what):
    wait_for(what, lambda: re.search(pattern, m.status()["health"]), 15, 0.2)
    r = m.cli("status")
    t.like(r.stdout.split("\nrtmp ")[0].replace("\n  ", " "), pattern, f"{what}: the head of status")
    t.is_(r.returncode, 1, "its exit code")
    seen = lambda: (h := json.loads(m.get("/healthz")[2]))["status"] == "degraded" and re.search(pattern, h["health"])
    t.ok(wait_for("/healthz", seen, 5, 0.2), "/healthz")     # workers look at the board now and then
    wait_for("metrics", lambda: b"\nmillrace_healthy 0\n" in m.get("/metrics")[2], 5, 0.3)
    t.ok(True, "metrics")


with Test(__doc__) as t:
    m = t.server(**{"ffmpeg.path": "/nonexist"})
    t.publish(m, "alice")
    everywhere(t, m, "ffmpeg cannot be run, so no stream can be watched", "no ffmpeg")
    wait_for("the API", lambda: "does not work" in m.get("/api/v1/streams")[2].decode(), 10, 0.3)
    t.ok(True, "and the stream's warning in the API")
    r = subprocess.run(m.argv("-t"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    t.like(r.stdout, r'ffmpeg\.path: .*/nonexist.* cannot be run', "-t says so")
    t.is_(r.returncode, 0, "but it is no error: ffmpeg may come later")
    m.stop()
    m.configure({"user": "nosuchuser"})
    r = subprocess.run(m.argv("-t"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    t.like(r.stdout, r"nosuchuser", "-t says that an account is missing")
    t.is_(r.returncode, 1, "and that is an error")
    m = t.server(**{"ffmpeg.path": "/bin/false"})
    t.publish(m, "alice")
    everywhere(t, m, "ffmpeg cannot be run|output hls of alice", "a program that is no ffmpeg")
    m.stop()
    m = t.server(**{"streams.key_frame_age": "6s"})
    t.publish(m, "alice", clips.clip(gop=12.0)).join_live()
    wait_for("healthy", lambda: m.cli("status").returncode == 0, 3, 0.2)
    everywhere(t, m, r"alice: no key frame for \d s", "no key frame")
