#!/usr/bin/python3
"""210-enhanced: Enhanced RTMP: HEVC is carried to the viewer or refused in words; what was offered is answered."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *
import rtmp
import struct


def hevc_tags(directory, seconds=8, fps=25):
    """(header, [(key, body)]) of Enhanced RTMP video tags: an MP4's hvcC and its samples."""
    path = f"{directory}/h.mp4"
    subprocess.run(["ffmpeg", "-hide_banner", "-loglevel", "error", "-f", "lavfi", "-i", f"testsrc2=s=320x180:r={fps}",
        "-t", str(seconds), "-c:v", "libx265", "-preset", "ultrafast", "-x265-params",
        f"keyint={fps}:min-keyint={fps}:scenecut=0:bframes=0:log-level=none", "-tag:v", "hvc1", path], check=True)
    with open(path, "rb") as f:
        data = f.read()
    at = data.index(b"hvcC")
    config = data[at + 4:at - 4 + struct.unpack(">I", data[at - 4:at])[0]]

    def table(name, words, skip):
        pos = data.index(name) + 4 + skip
        n = struct.unpack(">I", data[pos:pos + 4])[0]
        return struct.unpack(f">{n * words}I", data[pos + 4:pos + 4 + 4 * n * words])

    sizes = table(b"stsz", 1, 8)
    chunk_of = table(b"stsc", 3, 4)
    offsets = table(b"stco", 1, 4)
    runs = list(zip(*[iter(chunk_of)] * 3)) + [(len(offsets) + 1, 0, 0)]
    samples, n = [], 0
    for (first, per, _), (until, _, _) in zip(runs, runs[1:]):
        for chunk in range(first, until):
            pos = offsets[chunk - 1]
            for _ in range(per):
                samples.append(data[pos:pos + sizes[n]])
                pos, n = pos + sizes[n], n + 1
    head = bytes([0x80 | 1 << 4 | 0]) + b"hvc1"
    return head + config, [(i % fps == 0, bytes([0x80 | (1 if i % fps == 0 else 2) << 4 | 3]) + b"hvc1" + s) for i, s in enumerate(samples)]


with Test(__doc__) as t:
    m = t.server()
    header, tags = hevc_tags(t.dir)
    c = rtmp.RtmpConnection("127.0.0.1", m.rtmp)
    c.handshake()
    c.sock.sendall(rtmp.chunks(2, 1, struct.pack(">I", 4096)))
    c.out_size = 4096
    c.command("connect", 1, {"app": "live", "tcUrl": f"rtmp://127.0.0.1:{m.rtmp}/live", "capsEx": 15})
    c.wait_command("NetConnection.Connect.Success")
    c.publish("hevc")
    problem = None
    try:
        c.tag(9, 0, header)
        t0 = time.monotonic()
        for i, (key, body) in enumerate(tags):
            wait_for("time", lambda: time.monotonic() - t0 >= i / 25, 2, 0.005)
            c.tag(9, i * 40, body)
    except OSError as e:
        problem = e
    if problem is None:
        m.wait_playlist("hevc", 3)
        t.is_(m.stream("hevc")["video"]["codec"], "hevc", "status knows the codec")
        r = subprocess.run(["ffprobe", "-v", "error", "-show_entries", "stream=codec_name,width,height", "-of", "csv=p=0",
            m.http_url("/stream/hevc/live.m3u8")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        t.like(r.stdout, r"hevc,320,180", "ffprobe plays it as HEVC")
    else:
        t.like(m.log(), r"(?i)hevc|hvc1", "it was refused, and the log says what and why")
        try:
            while True:
                c.read_message()
        except (OSError, ConnectionError):
            pass
    c.close()
    # One codec nobody takes.
    c = rtmp.RtmpConnection("127.0.0.1", m.rtmp)
    c.handshake()
    c.connect("live", f"rtmp://127.0.0.1:{m.rtmp}/live")
    c.publish("odd")
    try:
        for i in range(50):
            c.tag(9, i * 40, bytes([0x80 | 1 << 4 | 1]) + b"zzzz" + bytes(50))
            time.sleep(0.02)
        c.wait_command("never")
    except (OSError, ConnectionError, rtmp.Refused) as e:
        t.ok(True, f"an unknown codec is refused ({e})")
    m.wait_log(r"zzzz|unknown codec|not taken|codec")
    t.ok(m.alive(), "millraced lives")
    c.close()
