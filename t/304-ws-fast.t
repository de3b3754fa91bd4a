#!/usr/bin/python3
"""304-ws-fast: chunks that come faster than any encoder: the sender waits, not a frame is lost, others notice nothing."""
import glob, json, os, signal, subprocess, sys, threading, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import clips
from millrace import Test, wait_for
from ws_publisher import WsPublisher

SECONDS, FPS = 30, 25
GIVEN_UP_S = 20     # what moves within this time after the sender has left is not given up


def frames(path):
    r = subprocess.run(["ffprobe", "-v", "error", "-count_packets", "-select_streams", "v", "-show_entries", "stream=nb_read_packets:format=duration",
        "-of", "json", path], stdout=subprocess.PIPE, text=True, timeout=60)
    found = json.loads(r.stdout)
    return sum(int(s["nb_read_packets"]) for s in found["streams"]), float(found["format"]["duration"])


def recorded(m, name, want):
    """Frames of all recordings of name, once there are so many, or the server is through with it."""
    def count():
        n = sum(frames(p)[0] for p in glob.glob(f"{m.data}/recordings/{name}/[0-9]*.mp4"))
        return n if n >= want or (n > 0 and m.stream(name) is None and not glob.glob(f"{m.data}/rec/{name}/*")) else None
    return wait_for(f"{name}: its recording", count, 60, 0.5)


def long_head(path, n):
    """The same WebM with n bytes before its first Cluster."""
    with open(path, "rb") as f:
        data = f.read()
    at = data.index(b"\x1f\x43\xb6\x75")
    return data[:at] + b"\xec\x01" + n.to_bytes(7, "big") + bytes(n) + data[at:]


class Slow(threading.Thread):
    """Lets the ffmpeg that takes a room in run for a moment now and then, until the sender is gone for longer than it may take if nothing moves."""
    def __init__(self, m, p, name):
        super().__init__(daemon=True)
        self.m, self.p, self.name, self.over = m, p, name, None

    def run(self):
        begun = lambda: [f for f in glob.glob(f"{self.m.data}/rec/{self.name}/*") if os.path.getsize(f) > 5000]
        wait_for(f"{self.name}: its first media", begun, 30, 0.01)
        pid = next(p for p in self.m.pids("ffmpeg") if b"\0matroska\0-i\0" in open(f"/proc/{p}/cmdline", "rb").read())
        os.kill(pid, signal.SIGSTOP)
        self.p.join(30)
        self.over = time.monotonic() + GIVEN_UP_S + 4
        while time.monotonic() < self.over:
            os.kill(pid, signal.SIGCONT)
            time.sleep(0.02)
            os.kill(pid, signal.SIGSTOP)
            time.sleep(1.5)
        os.kill(pid, signal.SIGCONT)


with Test("faster than the encoder") as t:
    # all is in the buffer when the sender leaves, and its ffmpeg is far behind
    m2 = t.server(**{"ws.stuck": "60s", "streams.record.path": "recordings/{stream}/{start}.mp4", "streams.reconnect_delay": "1s"})
    late = WsPublisher(m2.http, "late", clips.container("vp8", SECONDS), SECONDS, speed=1000)
    t.publishers.append(late)
    slow = Slow(m2, late, "late")
    slow.start()
    late.start()

    m = t.server(**{"ws.buffer": "256KiB", "streams.record.path": "recordings/{stream}/{start}.mp4", "streams.reconnect_delay": "1s"})
    steady = t.publish(m, "steady", clips.clip(seconds=240))
    steady.join_live()
    for kind in ("vp8", "fmp4"):
        p = WsPublisher(m.http, kind, clips.container(kind, SECONDS), SECONDS, speed=1000)
        t.publishers.append(p)
        t0 = time.monotonic()
        p.start()
        p.join(100)
        t.is_((p.error, p.code), (None, 1000), f"{kind}: all of it is taken, after {time.monotonic() - t0:.1f} s")
        found = wait_for(f"{kind}: its recording", lambda: glob.glob(f"{m.data}/recordings/{kind}/[0-9]*.mp4"), 60)
        n, duration = frames(found[0])
        t.is_(n, SECONDS * FPS, f"{kind}: every frame is in the recording")
        t.ok(abs(duration - SECONDS) < 1, f"{kind}: which lasts {duration:.2f} s")
    # two files on one connection that is closed at once: the second one waits for the first; and a beginning longer than ws.buffer
    two = [open(clips.container("vp8", n), "rb").read() for n in (8, 5)]
    for s, name, parts, seconds in ((m2, "two", two, 13), (m, "head", [long_head(clips.container("vp8", 5), 500000)], 5)):
        p = WsPublisher(s.http, name, parts, seconds, speed=1000)
        t.publishers.append(p)
        p.start()
        p.join(60)
        t.is_((p.error, p.code), (None, 1000), f"{name}: is taken")
        t.is_(recorded(s, name, seconds * FPS), seconds * FPS, f"{name}: all of it is recorded")
    # an MPEG-TS that is cut off anywhere leaves a recording whose last picture is whole: a job decodes it
    data = open(clips.container("ts", SECONDS), "rb").read()
    for n in range(5):
        cut = len(data) // 6 + n * 7919
        p = WsPublisher(m.http, f"cut{n}", [data[:cut]], SECONDS * cut / len(data), speed=50)
        t.publishers.append(p)
        p.start()
        p.join(60)
    wait_for("their recordings", lambda: len(glob.glob(f"{m.data}/recordings/cut*/[0-9]*.mp4")) == 5, 60)
    t.none([l for l in m.log().splitlines() if "proc=jobs" in l and "failed" in l], "an MPEG-TS that is cut off can be recorded")
    slow.join(60)
    t.is_((late.error, late.code), (None, 1000), "late: the server takes all of it at once")
    t.is_(recorded(m2, "late", SECONDS * FPS), SECONDS * FPS, "late: and records every frame, however long that takes")
    t.ok(steady.live.is_set() and steady.error is None and not steady.finished.is_set(), "a publisher beside them was not disturbed", str(steady.error))
