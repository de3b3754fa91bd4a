#!/usr/bin/python3
"""304-ws-fast: chunks that come faster than any encoder: the sender waits, not a frame is lost, others notice nothing."""
import glob, json, os, subprocess, sys, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import clips
from millrace import Test, wait_for
from ws_publisher import WsPublisher

SECONDS, FPS = 30, 25


def frames(path):
    r = subprocess.run(["ffprobe", "-v", "error", "-count_packets", "-select_streams", "v", "-show_entries", "stream=nb_read_packets:format=duration",
        "-of", "json", path], stdout=subprocess.PIPE, text=True, timeout=60)
    found = json.loads(r.stdout)
    return int(found["streams"][0]["nb_read_packets"]), float(found["format"]["duration"])


with Test("faster than the encoder") as t:
    m = t.server(**{"ws.buffer": "256KiB", "streams.record.path": "recordings/{stream}/{start}.mp4", "streams.reconnect_delay": "1s"})
    steady = t.publish(m, "steady")
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
    t.ok(steady.live.is_set() and steady.error is None and not steady.finished.is_set(), "a publisher beside them was not disturbed", str(steady.error))
