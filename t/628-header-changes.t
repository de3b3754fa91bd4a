#!/usr/bin/python3
"""628-header-changes: a publisher whose headers change without end is told and ended, and makes few files; one that changes them twice is recorded whole."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

import glob
import rtmp
from media import flv_frames, flv_tags, is_header

CHANGES = 20            # streams.header_changes


def read(clip):
    with open(clip, "rb") as f:
        return f.read()


def flood(m, data, name):
    """New headers with every frame, until it is cut off; how many it sent."""
    c = rtmp.RtmpConnection("127.0.0.1", m.rtmp)
    c.handshake()
    c.connect("live", f"rtmp://127.0.0.1:{m.rtmp}/live")
    c.publish(name)
    head = next(body for kind, _, body in flv_tags(data) if kind == 9 and is_header(kind, body))
    key = next(body for kind, _, body in flv_tags(data) if kind == 9 and body[0] == 0x17 and body[1] == 1)
    sent = 0
    try:
        while sent < 20000:
            c.tag(9, sent * 2, head[:7] + bytes([sent & 255]) + head[8:])      # profile_compatibility
            c.tag(9, sent * 2, key)
            sent += 1
            time.sleep(0.0005)
    except OSError:
        pass
    try:
        while True:
            kind, body = c.read_message()
            if kind == 20:
                c.statuses += rtmp.amf_strings(body)
    except (OSError, ConnectionError):
        pass
    c.close()
    return sent, c.statuses


with Test(__doc__) as t:
    m = t.server(**{"streams.record.path": "recordings/{stream}/{start}.mp4", "jobs.scan": "1s", "log.level": "info",
        "streams.reconnect_delay": "1s", "streams.cleanup_delay": "500ms"})
    small, big = clips.clip(seconds=3), clips.clip(seconds=2, size="640x360")
    calm = t.publish(m, "calm", clips.clip(seconds=60))
    m.wait_playlist("calm", 2)
    before = m.log().count("\n")
    sent, said = flood(m, read(small), "flood")
    t.ok(sent < 20000, f"it is ended, after {sent} changes")
    t.like(" ".join(said), r"NetStream\.Publish\.Rejected.*headers change too often: more than streams\.header_changes \(20\) in 10 s",
        "and told why")
    wait_for("the flood is gone", lambda: not any(s["name"] == "flood" for s in m.status()["streams"]), 40)
    raw = set(re.findall(r"recording to \S+rec/flood/(\S+)", m.log()))
    t.ok(1 < len(raw) <= CHANGES + 1, f"{len(raw)} raw files")
    lines = m.log().count("\n") - before
    t.ok(lines < 10 * CHANGES, f"{lines} lines of log")
    t.like(m.log(), r"refused: headers change too often", "one of which says why")
    t.ok(not calm.finished.is_set() and m.stream("calm")["state"] == "live", "the other stream goes on")

    # An encoder that changes its picture's size for two seconds.
    c = t.publish(m, "normal", small)
    c.join_live()
    c.finished.wait(20)
    for clip, shift in ((big, 3000), (small, 5000)):
        for kind, ts, body in flv_tags(read(clip)):
            c.conn.tag(kind, ts + shift, body)
        time.sleep(1)
    c.end()
    wait_for("it is made into MP4s", lambda: not os.listdir(f"{m.conf['data_dir']}/rec/normal"), 30, 0.1)
    files = sorted(glob.glob(f"{m.conf['data_dir']}/recordings/normal/*.mp4"))
    t.is_(len(files), 3, "three recordings")
    want, got = ([], []), ([], [])
    for clip in (small, big, small):
        for all_, some in zip(want, flv_frames(read(clip))):
            all_ += [h for _, h in some]
    for file in files:
        flv = subprocess.run(["ffmpeg", "-v", "error", "-i", file, "-c", "copy", "-f", "flv", "-"], stdout=subprocess.PIPE, check=True)
        for all_, some in zip(got, flv_frames(flv.stdout)):
            all_ += [h for _, h in some]
    for what, sent, have in zip(("video", "audio"), want, got):
        t.is_(len(have), len(sent), f"{what}: every frame")
    t.none(re.findall(r"refused: headers.*stream=normal", m.log()), "and nothing is refused")
    calm.end()
