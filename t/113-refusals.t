#!/usr/bin/python3
"""113-refusals: a publisher that is refused, kicked or stopped reads why, though it goes on sending."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *


def encode(t, m, name, *args, clip=None):
    """ffmpeg: a few Mbit/s in real time, so that there always is unread input."""
    return t.spawn(["ffmpeg", "-hide_banner", "-loglevel", "warning", "-nostdin", "-re", "-i", clip or clips.clip(), *args,
        "-f", "flv", m.url(name)])


def told(t, p, pattern, what):
    p.wait(20 * SLOW)
    t.like(p.out(), pattern, what)


with Test(__doc__) as t:
    m = t.server()
    p = encode(t, m, "old", "-c:v", "flv", "-b:v", "2M", "-c:a", "copy")
    told(t, p, r"Server error: video Sorenson H\.263 \(flv1\) is not taken here: send H\.264", "a codec: what to send")
    for path, pattern in (("lve/johndoe", r"no pattern matches.*would match: Server rtmp://127\.0\.0\.1:\d+/live, Stream Key johndoe"),
            ("live/a/b/c", r"no pattern matches.*would match: Server rtmp://127\.0\.0\.1:\d+/live, Stream Key c"),
            ("johndoe", r"Stream Key is empty.*would match: Server rtmp://127\.0\.0\.1:\d+/live, Stream Key johndoe"),
            ("live/" + "x" * 66, r"longer than 64: 66 characters")):
        p = t.ffmpeg(f"rtmp://127.0.0.1:{m.rtmp}/{path}")
        told(t, p, "Server error: .*" + pattern, f"/{path[:12]}: told what would match")
    p = encode(t, m, "kicked", "-c", "copy")
    m.wait_playlist("kicked", 2)
    t.is_(m.cli("kick", "kicked").returncode, 0, "kick")
    told(t, p, r"Server error: kicked", "kicked: it is told")
    held = t.publish(m, "held")
    m.wait_playlist("held", 2)
    t0 = time.monotonic()
    m.cli("kick", "held")
    t.ok(held.finished.wait(10 * SLOW), f"one that does not care is cut off after {time.monotonic() - t0:.1f} s")
    wait_for("no ingest", lambda: not m.pids("ingest"), 5)
    p = encode(t, m, "deep", "-c:v", "libx264", "-preset", "ultrafast", "-qp", "1", "-g", "25", "-pix_fmt", "yuv444p", "-c:a", "pcm_s16le", "-ar", "44100")
    m.wait_playlist("deep", 1)
    wait_for("a warning", lambda: "H.264 profile High 4:4:4: set Profile" in json.dumps(m.status()["warnings"]))
    t.ok(True, "4:4:4 is taken, with a warning")
    t.none(re.findall(r"Multiple -c.*", m.log()), "and PCM becomes AAC without one")
    p.kill()
    p = encode(t, m, "stopped", "-c", "copy")
    m.wait_playlist("stopped", 2)
    code, took = m.stop()
    t.is_(code, 0, "the server stops with exit code 0")
    t.ok(took < 5 * SLOW, f"in {took:.1f} s")
    told(t, p, r"Server error: this server is stopping", "its publisher is told")
