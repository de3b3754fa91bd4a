#!/usr/bin/python3
"""334-frames-live: a frames session that is a live stream as well: HLS of its pictures and sound, and its files all the same."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

import glob, threading

from frames import *

jpegs, sound = pictures(180), tone(12)
MUCH = 8
STEP = len(sound) // 180 // 2 * 2


class Camera(threading.Thread):
    """15 pictures a second, with their sound."""

    def __init__(self, m, id, with_sound=True, **connect):
        super().__init__(daemon=True)
        self.c, self.with_sound, self.sent, self.halt, self.error = Client(m, id, live=True, **connect), with_sound, 0, threading.Event(), None
        self.start()

    def run(self):
        t0 = time.monotonic()
        try:
            while self.sent < len(jpegs) and not self.halt.wait(max(0, t0 + self.sent / 15 - time.monotonic())):
                self.c.video(jpegs[self.sent])
                if self.with_sound:
                    self.c.audio(sound[self.sent * STEP:(self.sent + 1) * STEP])
                self.sent += 1
        except (OSError, websocket.WebSocketException) as e:
            self.error = e

    def end(self):
        self.halt.set()
        self.join()
        return self.c.close()


def segments(m, name):
    """All segments there are, in one file."""
    path = f"{m.dir}/{name}.ts"
    with open(path, "wb") as out:
        for line in m.playlist(name).splitlines():
            if line and not line.startswith("#"):
                out.write(m.get(f"/stream/{name}/{line}")[2])
    return path


def send_much(c):
    """More than may wait for an ffmpeg, however much each of those that die takes with it; then CLOSE."""
    c.video(jpegs[0])
    for at in range(0, MUCH * len(sound), 44100):
        c.audio(sound[at % len(sound):][:44100])
    c.say({"eventType": "CLOSE"})


def helpless(t):
    """A session of a server whose ffmpeg takes no live frames in."""
    wrapper = f"{t.dir}/no-intake"
    with open(wrapper, "w") as f:
        f.write('#!/bin/sh\ncase "$*" in *"-flush_packets 1 -f flv"*) exit 1;; esac\nexec ffmpeg "$@"\n')
    os.chmod(wrapper, 0o755)
    c = Client(t.server(**{"ffmpeg.path": wrapper, "ws.buffer": "256KiB", "jobs.workers": 1}), "helpless", live=True)
    c.ws.settimeout(100)
    threading.Thread(target=send_much, args=(c,), daemon=True).start()
    return c


with Test(__doc__, limit=150) as t:
    waits = helpless(t)
    m = t.server(**{"streams.hls.segment": "1s", "streams.hls.window": 20, "streams.reconnect_delay": "1s", "streams.cleanup_delay": "500ms", "streams.silence": "10s",
        "jobs.scan": "1s", "jobs.workers": 1, "streams.record.path": "recordings/{stream}/{start}.mp4"})
    cam = Camera(m, "cam")
    t.is_(cam.c.next(), {"eventType": "CONNECTED", "id": "cam"}, "it is told its name")
    m.wait_playlist("cam", 3, 25)
    s = m.stream("cam")
    t.ok(s and s["protocol"] == "frames" and s["app"] == "frames", "it is a stream in status", s)
    path = segments(m, "cam")
    v, a = probe(path), probe(path, "a")
    t.is_((v["codec_name"], v["width"], v["height"], a["codec_name"]), ("h264", 320, 240, "aac"), "HLS: H.264 and AAC")
    seen = [n for n, _ in numbers(path)]
    # its times are those of arrival: two that come at once can become one
    t.ok(len(seen) > 30 and seen == sorted(set(seen)) and seen[-1] - seen[0] < 1.1 * len(seen), "HLS: the pictures, in order", seen)

    # The name is taken: a second session of it is stored only.
    second = Client(m, "cam", live=True)
    answer = second.next()
    t.is_((answer["eventType"], answer["field"]), ("ERROR", "live"), "a second live session of its name is told that it is none")
    second.video(jpegs[0])
    t.is_(second.close()["frames"], 1, "... and stored all the same")

    closed = cam.end()
    t.ok(closed["state"] == "done" and closed["frames"] == cam.sent and cam.error is None, "CLOSED", (closed, cam.sent, cam.error))
    t.is_([n for n, _ in numbers(f"{m.data}/media/video/{closed['video']}")], list(range(cam.sent)), "the MP4 has every frame")
    with open(f"{m.data}/media/audio/{closed['audio']}", "rb") as f:
        t.ok(wav_samples(f.read()) == sound[:cam.sent * STEP], "the WAV every sample")
    recorded = wait_for("its recording is finished", lambda: glob.glob(f"{m.data}/recordings/cam/*.mp4"), 30, 0.1)[0]
    got = [n for n, _ in numbers(recorded)]
    # the times are those of arrival here, too
    t.ok(got == sorted(set(got)) and len(got) > 0.9 * cam.sent and got[-1] >= cam.sent - 4, "it was recorded like any stream: the pictures, in order", (cam.sent, got))
    wait_for("the stream is over", lambda: m.stream("cam") is None, 20, 0.1)
    wait_for("its ingest is gone", lambda: not m.pids("ingest"), 10, 0.1)

    # Pictures alone; the server stops amid it.
    cam = Camera(m, "mute", with_sound=False)
    m.wait_playlist("mute", 2, 25)
    for pid in m.pids("ffmpeg")[:1]:
        os.kill(pid, signal.SIGKILL)
    n = m.playlist("mute").count("#EXTINF")
    m.wait_playlist("mute", n + 2, 25)
    t.ok(True, "an ffmpeg is killed, the stream goes on")
    sent = cam.sent
    t.is_(m.stop()[0], 0, "a stop amid it")
    cam.halt.set()
    cam.join()
    m.start()
    mp4 = wait_for("its MP4", lambda: [f for f in os.listdir(f"{m.data}/media/video") if f.startswith("mute_")], 20, 0.1)
    got = [n for n, _ in numbers(f"{m.data}/media/video/{mp4[0]}")]
    t.ok(got == list(range(len(got))) and sent - 2 <= len(got) <= cam.sent, f"the MP4 has what had come: {len(got)} of {cam.sent}", got)

    # It has been given up meanwhile: the session had to wait for room, and is stored only.
    closed = waits.until("CLOSED", 60)
    t.ok(closed and closed["samples"] == MUCH * len(sound) // 2, "a live stream that is given up while its queue is full: the session goes on", (closed, waits.got))
    t.ok([g for g in waits.got if g.get("field") == "live" and "stored only" in g["error"]], "... and is told so", waits.got)
