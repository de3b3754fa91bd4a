#!/usr/bin/python3
"""622-record: streams are recorded, split by time and size and made into MP4s with every frame in them; kill -9 of what takes part loses next to nothing."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

import glob
import mp4
from media import compare, digest, enhanced_frames, flv_frames, flv_tags, runs

SPLIT_BYTES = 3 << 19
LOST_MS = 200           # what a kill -9 may cost besides what was still in the socket's queue


def finished(m, name):
    """The MP4s of a stream, once nothing raw is left of it."""
    def done():
        return not glob.glob(f"{m.data}/rec/{name}/*") and mp4s(m, name)
    return wait_for(f"{name} is finished", done, 30, 0.1)


def mp4s(m, name):
    return sorted(glob.glob(f"{m.conf['data_dir']}/recordings/{name}/*.mp4"))


def frames(files):
    """(video, audio) hashes of several MP4s in a row."""
    out = ([], [])
    for file in files:
        flv = subprocess.run(["ffmpeg", "-v", "error", "-i", file, "-c", "copy", "-f", "flv", "-"], stdout=subprocess.PIPE,
            check=True).stdout
        for have, more in zip(out, flv_frames(flv)):
            have += [h for _, h in more]
    return out


def mp4_tracks(file):
    with open(file, "rb") as f:
        return mp4.tracks(f.read())


def seconds(file):
    r = subprocess.run(["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", file], stdout=subprocess.PIPE,
        text=True, check=True)
    return float(r.stdout)


def enhanced(t, m, name, clip, codecs):
    """Its raw files were Matroska."""
    files = finished(m, name)
    tracks = [mp4_tracks(f) for f in files]
    t.is_([[k.codec for k in two] for two in tracks], [codecs] * 3, f"{name}: three files, in each {codecs}")
    t.none([f"{f}: {s} s" for f in files[:2] if not 3.9 < (s := seconds(f)) < 4.3], f"{name}: split each 4 s")
    total = sum(seconds(f) for f in files)
    t.ok(11.9 < total < 12.5, f"{name}: {total:.2f} s of 12 s in all")
    with open(clip, "rb") as f:
        source = enhanced_frames(f.read())
    for n, what in enumerate(("video", "audio")):
        got = [digest(data) for two in tracks for _, _, _, data in two[n].samples]
        t.none(compare([h for _, h in source[n]], got, what), f"{name}: {what}: every frame once, in order")


def received_ms(m, p, clip):
    """The tag up to which the ingest has read what p sent; it must not run now."""
    port = p.conn.sock.getsockname()[1]
    with open("/proc/net/tcp") as f:
        rows = [line.split() for line in f]
    queue = next(int(r[4].partition(":")[2], 16) for r in rows[1:] if r[1].endswith(f":{m.rtmp:04X}") and r[2].endswith(f":{port:04X}"))
    sent = p.sent_ms
    with open(clip, "rb") as f:
        tags = [(ts, len(body)) for _, ts, body in flv_tags(f.read()) if ts <= sent]
    while tags and queue > 0:
        queue -= tags.pop()[1]
    return tags[-1][0]


def lost_ms(t, clip, m, name, first, second):
    """Of two publishers, the second of which came when the first was killed: how much of the first is missing."""
    with open(clip, "rb") as f:
        source = flv_frames(f.read())
    worst = 0
    for what, sent, got in zip(("video", "audio"), source, frames(finished(m, name))):
        problems, found = runs(sent, got, what)
        t.none(problems, f"{what}: no frame twice or unknown")
        t.is_(found[-1][1], sent[-1][0], f"{what}: up to the end of the second")
        worst = max(worst, first - found[0][1])
    return worst


with Test(__doc__, limit=200) as t:
    m = t.server(**{"streams.record.path": "recordings/{stream}/{start}.mp4", "streams.record.split": "4s",
        "streams.record.split_size": SPLIT_BYTES, "jobs.workers": 2,
        "jobs.scan": "1s", "jobs.lease": "2s", "streams.reconnect_delay": "1s", "streams.cleanup_delay": "500ms"})
    clip = clips.clip(seconds=14)
    new = {"hevc": (clips.enhanced("hevc", "aac"), [b"hvc1", b"mp4a"]), "opus": (clips.enhanced("h264", "opus"), [b"avc1", b"Opus"])}
    bulky = clips.bulky(seconds=8, mbit=8)
    others = [t.publish(m, name, of) for name, (of, _) in new.items()] + [t.publish(m, "bulky", bulky)]
    p = t.publish(m, "alice", clip)
    m.wait_playlist("alice", 2)
    raw = wait_for("a raw file", lambda: glob.glob(f"{m.conf['data_dir']}/rec/alice/*.flv"), 5)[0]
    wait_for("it grows within a second", lambda: os.path.getsize(raw) > 100000, 5)
    p.finished.wait(30)
    p.end()
    with open(clip, "rb") as f:
        source = flv_frames(f.read())
    files = finished(m, "alice")
    t.ok(len(files) == 4, f"split each 4 s: {len(files)} files")
    for what, sent, got in zip(("video", "audio"), source, frames(files)):
        t.none(compare([h for _, h in sent], got, what), f"{what}: every frame once, in order")
    with open(files[0], "rb") as f:
        head = f.read(64)
    t.ok(b"moov" in head, "an index at the front")
    t.none(glob.glob(f"{m.conf['data_dir']}/recordings/alice/.*"), "nothing half done is left")

    for other in others:
        other.finished.wait(30)
        other.end()
    for name, (of, codecs) in new.items():
        enhanced(t, m, name, of, codecs)
    files = finished(m, "bulky")
    sizes = [os.path.getsize(f) for f in files]
    # 1 MB a second, a key frame each: the first one after it was reached, and what one tick more writes
    t.ok(len(files) == 4 and all(SPLIT_BYTES < s < SPLIT_BYTES + 1500000 for s in sizes[:-1]), f"split each {SPLIT_BYTES} bytes: {sizes}")
    t.ok(all(k.samples[0][2] for f in files for k in mp4_tracks(f)[:1]), "each begins with a key frame")
    with open(bulky, "rb") as f:
        for what, sent, got in zip(("video", "audio"), flv_frames(f.read()), frames(files)):
            t.none(compare([h for _, h in sent], got, what), f"split by size: {what}: every frame once, in order")

    first = t.publish(m, "bob", clip)
    m.wait_playlist("bob", 2)
    wait_for("amid it", lambda: first.sent_ms > 5300, 10)
    victim = next(p["pid"] for p in m.status()["processes"] if p["kind"] == "ingest" and p.get("stream") == "bob")
    os.kill(victim, signal.SIGSTOP)
    sent = received_ms(m, first, clip)
    os.kill(victim, signal.SIGKILL)
    first.finished.wait(5)
    second = t.publish(m, "bob", clip, start_ms=8000)
    second.finished.wait(20)
    second.end()
    lost = lost_ms(t, clip, m, "bob", sent, second)
    t.ok(lost <= LOST_MS, f"kill -9 of the ingest: {lost} ms missing")

    # Jobs workers die at any moment, also amid a job.
    third = t.publish(m, "carol", clip)
    killed, rnd = 0, random.Random(621)
    while not third.finished.wait(rnd.uniform(0.1, 0.6)):
        for pid in m.pids("jobs"):
            os.kill(pid, signal.SIGKILL)
            killed += 1
    third.end()
    t.ok(killed > 10, f"{killed} jobs workers were killed")
    for what, sent, got in zip(("video", "audio"), source, frames(finished(m, "carol"))):
        t.none(compare([h for _, h in sent], got, what), f"{what}: every frame once, whoever died")

    fourth = t.publish(m, "dave", clip)
    m.wait_playlist("dave", 2)
    wait_for("amid it", lambda: fourth.sent_ms > 6000, 10)
    sent = fourth.sent_ms
    m.proc.kill()
    m.proc.wait()
    fourth.finished.wait(10)
    m.start()
    again = t.publish(m, "dave", clip, start_ms=10000)
    again.finished.wait(20)
    again.end()
    lost = lost_ms(t, clip, m, "dave", sent, again)
    t.ok(lost <= LOST_MS, f"kill -9 of millraced: {lost} ms missing")
    t.like(m.cli("jobs").stdout, r"no job waits", "the queue is empty")
    wait_for("no empty folder is left", lambda: not os.listdir(f"{m.data}/rec"), 10, 0.2)
    t.ok(True, "folders of raw files that are finished are gone")
