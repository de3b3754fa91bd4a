#!/usr/bin/python3
"""516-webrtc-others: stacks that are no browser's play by WHEP: aiortc and GStreamer's webrtcbin decode pictures and sound."""
import os, subprocess, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

import barcode, gst_whep, whep_player

STREAMS = {"baseline": (barcode.BASELINE, barcode.AAC_48), "bframes": (barcode.HIGH_B, barcode.AAC_48_MONO)}
HAVE = {
    "aiortc": ["/usr/bin/python3", "-c", "import aiortc"],
    "GStreamer": ["/usr/bin/python3", "-c", "import gi; gi.require_version('GstWebRTC', '1.0'); gi.require_version('Gst', '1.0'); "
        "from gi.repository import Gst; Gst.init(None); exit(not all(map(Gst.ElementFactory.find, ('webrtcbin', 'nicesrc', 'openh264dec'))))"],
}
MISSING = {"aiortc": "python3-aiortc", "GStreamer": "python3-gi, gir1.2-gst-plugins-bad-1.0 and gstreamer1.0-nice"}


def aiortc(t, m, name):
    p = whep_player.Player(t, m, name)
    wait_for("pictures and sound", lambda: len(p.video) > 125 and len(p.audio) > 150, 40)
    steps = [b["pts"] - a["pts"] for a, b in zip(p.video[-100:], p.video[-99:])]
    t.ok(len(p.video) > 125, f"aiortc, {name}: {len(p.video)} pictures decoded, the first {p.video[0]['ms']} ms after the answer")
    t.none([s for s in steps if s <= 0], f"aiortc, {name}: in order")
    t.ok(1000 < max(a["peak"] for a in p.audio[-100:]) < 10000, f"aiortc, {name}: {len(p.audio)} packets of sound, not silent")
    p.stop()


def gstreamer(t, m, name):
    p = gst_whep.Player(t, m, name)
    wait_for("pictures and sound", lambda: p.of("error") or (p.count("v") >= 125 and len(p.of("a")) >= 3), 40)
    t.is_(p.of("error"), [], f"GStreamer, {name}: no error")
    v, a = p.of("v"), p.of("a")
    t.ok(v and v[-1]["size"] == [barcode.WIDTH, barcode.HEIGHT], f"GStreamer, {name}: {p.count('v')} pictures decoded, 25 of them {v and v[0]['ms']} ms after the answer")
    t.ok(a and -30 < a[-1]["peak_db"] < -10, f"GStreamer, {name}: sound, not silent", a)
    p.stop()


missing = [f"{MISSING[k]}: not installed" for k, argv in HAVE.items() if subprocess.run(argv, stderr=subprocess.DEVNULL).returncode]
if missing:
    Test(__doc__).skip_all("; ".join(missing))
with Test(__doc__, limit=200) as t:
    m = t.server(**{"webrtc.listen": "127.0.0.1:0"})
    for name, how in STREAMS.items():
        t.ffmpeg(m.url(name), barcode.clip(name, *how))
        m.wait_stream(name, lambda s: s["video"] and s["audio"], 20)
        aiortc(t, m, name)
        gstreamer(t, m, name)
