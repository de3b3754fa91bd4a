#!/usr/bin/python3
"""625-uneven-times: a recording whose frames come at uneven times, or whose video never came, is finished like any other; one with a damaged frame is not."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

import glob, struct
from frames import Client, numbers, pictures
from media import compare, flv_frames, flv_tags


def uneven(t, name, *args, times="setpts=PTS+random(0)*39"):
    path = f"{t.dir}/{name}.flv"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=s=320x240:r=30", "-f", "lavfi", "-i", "sine", "-t", "8", "-vf", "settb=1/1000," + times,
        "-fps_mode", "passthrough", "-enc_time_base", "1:1000", "-c:v", "libx264", "-preset", "veryfast", *args, "-g", "30", "-c:a", "aac", path], check=True)
    return path


def damaged(t, clip):
    """The same with one frame's picture, 2 s from its start, overwritten."""
    with open(clip, "rb") as f:
        data = bytearray(f.read())
    body = next(body for kind, ts, body in flv_tags(bytes(data)) if kind == 9 and ts > 1900 and len(body) > 1000)
    at = data.find(body) + 60
    data[at:at + len(body) - 60] = random.Random(7).randbytes(len(body) - 60)
    path = f"{t.dir}/damaged.flv"
    with open(path, "wb") as f:
        f.write(data)
    return path


def early(t, clip):
    """Its headers and its first second's sound: of a publisher who is gone before the first picture."""
    with open(clip, "rb") as f:
        data = f.read()
    path = f"{t.dir}/early.flv"
    with open(path, "wb") as f:
        f.write(data[:13])
        for kind, ts, body in flv_tags(data):
            if kind == 18 or ts < 1000 and (kind == 8 or body[1] == 0):
                f.write(bytes([kind]) + struct.pack(">I", len(body))[1:] + struct.pack(">I", ts)[1:] + bytes(4) + body + struct.pack(">I", 11 + len(body)))
    return path


def same(t, clip, mp4):
    with open(clip, "rb") as f:
        source = flv_frames(f.read())
    flv = subprocess.run(["ffmpeg", "-v", "error", "-i", mp4, "-c", "copy", "-f", "flv", "-"], stdout=subprocess.PIPE, check=True).stdout
    for what, sent, got in zip(("video", "audio"), source, flv_frames(flv)):
        name, sent, got = f"{os.path.basename(clip)}, {what}", [h for _, h in sent], [h for _, h in got]
        if sent:
            t.none(compare(sent, got, what), f"{name}: every frame once, in order")
        else:
            t.is_(got, [], f"{name}: there was none")


with Test(__doc__, limit=150) as t:
    m = t.server(**{"streams.record.path": "recordings/{stream}/{start}.mp4", "jobs.workers": 2, "jobs.scan": "1s",
        "streams.reconnect_delay": "1s", "streams.cleanup_delay": "500ms"})
    clip = {"shaken": uneven(t, "shaken"), "pairs": uneven(t, "pairs", "-bf", "0", times="setpts=floor(PTS/66)*66")}
    clip["damaged"] = damaged(t, clip["shaken"])
    clip["early"] = early(t, clip["shaken"])
    publishers = [t.publish(m, name, path) for name, path in clip.items()]

    # Pictures with times of their own, 1 to 130 ms apart.
    jpegs, rnd, at, c = pictures(60), random.Random(3), 0, Client(m, "times")
    for jpeg in jpegs:
        c.video(jpeg, timestamp=at)
        at += rnd.randint(1, 130)
    got = numbers(f"{m.data}/media/video/{c.close()['video']}")
    t.is_([n for n, _ in got], list(range(60)), "a frames session of uneven times: each picture once")

    for p in publishers:
        p.finished.wait(30)
        p.end()
    for name in ("shaken", "pairs", "early"):
        mp4 = wait_for(f"{name} is finished", lambda: glob.glob(f"{m.data}/recordings/{name}/*.mp4"), 30, 0.1)[0]
        same(t, clip[name], mp4)
    m.wait_log(r"finalise of rec/damaged/\S+\) failed: .*(corrupt|[Ee]rror)", 30)
    t.ok(glob.glob(f"{m.data}/rec/damaged/*.flv") and not glob.glob(f"{m.data}/recordings/damaged/*"), "what cannot be decoded is found, and its raw file kept")
