#!/usr/bin/python3
"""627-zeros: of a raw recording that a crash of the machine left zeros in, all that is whole before them becomes an MP4; it stays if there is more behind."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

import glob
import mp4
from media import flv_tags

CLIPS = {"flv": clips.clip(seconds=6), "hevc": clips.enhanced("hevc", "aac", 6), "opus": clips.enhanced("h264", "opus", 6)}
BLOCK = 4096            # of the disk: what is there or not


def ends(raw):
    """Where each frame of it ends; the first one's start."""
    flv = raw.startswith(b"FLV")
    at = [13 if flv else raw.index(b"\x1f\x43\xb6\x75")]
    while at[-1] < len(raw):
        n = at[-1]
        at.append(n + 15 + int.from_bytes(raw[n + 1:n + 4], "big") if flv else n + 8 + (int.from_bytes(raw[n + 4:n + 8], "big") ^ 1 << 28))
    return at


def samples(file):
    with open(file, "rb") as f:
        return [[data for _, _, _, data in track.samples] for track in mp4.tracks(f.read())]


def damages(raw):
    """{name: (bytes, where its zeros begin, is there more behind)}"""
    size, at = len(raw), ends(raw)
    mid = next(e for e in at if e > size // 2)
    out = {"appended": (raw + bytes(3 * BLOCK), size, False), "long": (raw + bytes(40 << 20), size, False),
        "torn": (raw[:mid + 100], mid + 100, False)}
    for name, start in (("block", size // BLOCK * BLOCK), ("half", size // 2 // BLOCK * BLOCK), ("between", mid), ("head", mid + 5), ("body", mid + 300)):
        out[name] = (raw[:start] + bytes(size - start), start, False)
    for name, start, n in (("hole", size // 2 // BLOCK * BLOCK, 8 * BLOCK), ("gap", mid + 5, 5 * BLOCK)):
        out[name] = (raw[:start] + bytes(n) + raw[start + n:], start, True)
    return out


def check(t, m, name, whole, raw, zeros, more):
    """Its frames are the first ones of the undamaged one's, as many as are whole."""
    got = samples(glob.glob(f"{m.data}/recordings/{name}/*.mp4")[0])
    right = all(have == want[:len(have)] for have, want in zip(got, whole))
    # a frame of Matroska that ends in a zero can't be told from one that lost its end
    lost = sum(e <= zeros for e in ends(raw)) - sum(e <= len(raw) for e in ends(raw)) + sum(map(len, whole)) - sum(map(len, got))
    t.ok(right and 0 <= lost <= (not name.startswith("flv")), f"{name}: every whole frame, in order, {sum(map(len, got))} of {sum(map(len, whole))}")
    t.is_(len(glob.glob(f"{m.data}/rec/{name}/*")), int(more), f"{name}: its raw file is {'kept' if more else 'gone'}")


with Test(__doc__, limit=200) as t:
    m = t.server(**{"streams.record.path": "recordings/{stream}/{start}.mp4", "jobs.workers": 2, "jobs.attempts": 2, "jobs.retry_min": "100ms",
        "jobs.scan": "1s", "streams.reconnect_delay": "500ms"})
    for p in [t.publish(m, name, clip) for name, clip in CLIPS.items()]:
        p.finished.wait(30)
    ingests = m.pids("ingest")
    m.proc.kill()
    m.proc.wait()
    wait_for("who records writes its last and leaves", lambda: not any(p in ingests and state != "Z" for p, (_, state, _) in process_table().items()), 20, 0.1)
    cases = {}
    for name in CLIPS:
        file = glob.glob(f"{m.data}/rec/{name}/*")[0]
        with open(file, "rb") as f:
            raw = f.read()
        for how, (data, zeros, more) in damages(raw).items():
            cases[f"{name}_{how}"] = name, raw, zeros, more
            os.mkdir(f"{m.data}/rec/{name}_{how}")
            with open(f"{m.data}/rec/{name}_{how}/{os.path.basename(file)}", "wb") as f:
                f.write(data)
    os.mkdir(f"{m.data}/rec/nothing")
    with open(f"{m.data}/rec/nothing/20260102T030405.678Z.mkv", "wb") as f:
        f.truncate(1 << 20)
    m.start()
    made = list(CLIPS) + list(cases)
    try:
        wait_for("all have an MP4", lambda: all(glob.glob(f"{m.data}/recordings/{name}/*.mp4") for name in made), 90, 0.3)
        wait_for("none waits", lambda: "no job waits" in m.cli("jobs").stdout, 20, 0.3)
    except Exception as e:
        t.diag(e, m.cli("jobs").stdout, m.cli("jobs", "--failed").stdout)
    for name, (of, *case) in cases.items():
        check(t, m, name, samples(glob.glob(f"{m.data}/recordings/{of}/*.mp4")[0]), *case)
    t.is_(glob.glob(f"{m.data}/rec/nothing/*"), [], "a file of zeros alone is removed")

    failed = m.cli("jobs", "--failed").stdout
    said = set(re.findall(r"rec/(\w+)/\S+: from byte \d+ on it is zeros .* there is more: its MP4 has the [\d.]+ s before, and it is kept", failed))
    t.is_(said, {name for name, case in cases.items() if case[-1]}, "millrace jobs --failed says what is kept, and why")
    files = m.cli("files").stdout
    said = set(re.findall(r"recordings/(\w+)/\S+: its last \d+ bytes, .* zeros .* are not in its MP4", files))
    t.is_(said, {name for name, case in cases.items() if not case[-1]}, "millrace files says of which others the end is missing")
    t.like(m.log(), r"rec/flv_half/\S+: its last \d+ bytes, half a frame and zeros", "so does the log")

    job = next(j for j in json.loads(m.cli("jobs", "--failed", "--json").stdout)["jobs"] if "flv_hole" in j["file"])
    m.cli("jobs", "retry", job["id"])
    wait_for("it has failed again", lambda: "flv_hole" in m.cli("jobs", "--failed").stdout, 20, 0.3)
    t.ok(glob.glob(f"{m.data}/rec/flv_hole/*"), "tried again it is still kept")
