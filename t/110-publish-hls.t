#!/usr/bin/python3
"""110-publish-hls: ffmpeg publishes, a player gets every frame exactly once, then ENDLIST and clean-up."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

from media import compare, flv_frames

with Test(__doc__) as t:
    m = t.server(**{"streams.reconnect_delay": "1s", "streams.cleanup_delay": "2s"})
    clip = clips.clip(seconds=12)
    player = t.player(m, "alice")
    pub = t.ffmpeg(m.url("alice"), clip)
    m.wait_playlist("alice")
    t.ok(True, "the playlist comes")
    s = m.wait_stream("alice", lambda s: s["bitrate_bps"] > 0)
    t.is_((s["app"], s["protocol"]), ("live", "rtmp"), "status: app and protocol")
    t.is_([o["kind"] for o in s["outputs"]], ["hls"], "one output")
    probe = subprocess.run(["ffprobe", "-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0",
        m.http_url("/stream/alice/live.m3u8")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30 * SLOW)
    t.is_(sorted(set(probe.stdout.split())), ["aac", "h264"], "ffprobe sees H.264 and AAC")
    t.is_(pub.wait(30 * SLOW), 0, "ffmpeg ends without an error")
    t.ok(player.ended.wait(15 * SLOW), "ENDLIST comes after it")
    player.stop()
    t.none(player.check(), "RFC 8216 all the way")
    t.is_(player.discontinuities(), 0, "no discontinuity")
    with open(clip, "rb") as f:
        video, audio = flv_frames(f.read())
    got_video, got_audio = player.frames()
    t.none(compare([h for _, h in video], got_video, "video"), f"{len(video)} slices, each exactly once")
    t.none(compare([h for _, h in audio], got_audio, "audio"), f"{len(audio)} audio frames, each exactly once")
    t.ok(abs(player.total() - 12) < 0.2, f"EXTINFs sum up to {player.total():.2f} s of 12")
    wait_for("files gone", lambda: not os.path.exists(m.hls_dir("alice")), 10)
    t.ok(True, "the live files go after cleanup_delay")
    t.is_(m.get("/stream/alice/live.m3u8")[0], 404, "then it is 404")
    wait_for("no process of the stream is left", lambda: not m.pids("ingest") + m.pids("finish") + m.pids("ffmpeg"), 5)
    t.ok(True, "no process of the stream is left")
