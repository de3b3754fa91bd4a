#!/usr/bin/python3
"""111-publishers: ffmpeg, GStreamer rtmp2sink and librtmp (rtmpsink) at once, all play."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

with Test(__doc__) as t:
    m = t.server()
    clip = clips.clip(seconds=60)

    def gst(sink, location):
        return ["gst-launch-1.0", "-q", "filesrc", f"location={clip}", "!", "flvdemux", "name=d",
            "flvmux", "name=m", "streamable=true", "!", sink, f"location={location}",
            "d.video", "!", "queue", "!", "h264parse", "!", "identity", "sync=true", "!", "m.",
            "d.audio", "!", "queue", "!", "aacparse", "!", "identity", "sync=true", "!", "m."]

    pubs = {"ff": t.ffmpeg(m.url("ff"), clip),
            "rtmp2": t.spawn(gst("rtmp2sink", m.url("rtmp2"))),
            "librtmp": t.spawn(gst("rtmpsink", m.url("librtmp") + " live=1"))}
    for name in pubs:
        try:
            m.wait_playlist(name, 2)
        except Timeout as e:
            t.diag(pubs[name].out())
            t.ok(False, f"{name}: {e}")
            continue
        r = subprocess.run(["ffprobe", "-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0",
            m.http_url(f"/stream/{name}/live.m3u8")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        t.is_(sorted(set(r.stdout.split())), ["aac", "h264"], f"{name} plays")
    t.is_(sorted(s["name"] for s in m.status()["streams"]), sorted(pubs), "all are in status at once")
    t.is_(len(m.pids("ingest")), 3, "a process each")
    for name, p in pubs.items():
        t.ok(p.poll() is None, f"{name} still publishes", p.out())
    pubs["librtmp"].terminate()
    pubs["librtmp"].wait()
    t.ok(m.wait_stream("ff") and pubs["ff"].poll() is None, "one ends, the others go on")
