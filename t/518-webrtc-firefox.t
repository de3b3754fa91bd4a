#!/usr/bin/python3
"""518-webrtc-firefox: Firefox plays by WebRTC what ffmpeg publishes, its numbers read from the picture; without H.264 it plays HLS and says why."""
import os, socket, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

import barcode
from barcode import Page, Sent, delays, goes_up, in_time, level, share
from firefox import Firefox

SECONDS = 5
STREAMS = {"baseline": (barcode.BASELINE, barcode.AAC_44), "bframes": (barcode.HIGH_B, barcode.AAC_48_MONO), "sound": (None, barcode.AAC_44_MONO)}


def address():
    """Of this host, not loopback: nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(("192.0.2.1", 9))
            return s.getsockname()[0]
        except OSError:
            return ""


def offers_h264(b):
    return "H264" in b.eval("""(async () => {
        const pc = new RTCPeerConnection();
        pc.addTransceiver("video", { direction: "recvonly" });
        const offer = await pc.createOffer();
        pc.close();
        return offer.sdp;
    })()""")


def kind(t, m, page, name):
    video, audio = STREAMS[name]
    load = os.getloadavg()[0]
    path = barcode.clip(name, video, audio)
    sent = Sent(path) if video else None
    pub = t.publish(m, name, path, edit=sent.edit if video else None)
    pub.join_live()
    m.wait_stream(name, lambda s: s["audio"], 20)
    page.watch(m, name)
    if video:
        in_time(t, f"{name}: first picture after the answer", page.first_ms(), 300, 5000, load)
    time.sleep(4)
    seen, a, b, took = page.measure(t, SECONDS, lambda seen, a, b, took: share(a["audio"], b["audio"]) < 0.01 and goes_up(seen) and
        (not video or b["video"]["framesDecoded"] - a["video"]["framesDecoded"] > 0.8 * barcode.FPS * took))
    if video:
        numbers, late = [n for n, _ in seen], delays(seen, sent)
        decoded = b["video"]["framesDecoded"] - a["video"]["framesDecoded"]
        t.ok(decoded > 0.8 * barcode.FPS * took, f"{name}: frames are decoded: {decoded} in {took:.1f} s")
        t.ok(len(numbers) > 0.4 * decoded and goes_up(seen), f"{name}: {len(numbers)} numbers read, each right", numbers)
        in_time(t, f"{name}: from frame sent to frame drawn, median", late[len(late) // 2] if late else None, 150 if name == "baseline" else 500, 2000, load)
    a, b = a["audio"], b["audio"]
    t.ok(b["totalSamplesReceived"] - a["totalSamplesReceived"] > 48000 * SECONDS * 0.8, f"{name}: sound comes")
    t.ok(share(a, b) < 0.01, f"{name}: less than 1 % of it is concealed: {100 * share(a, b):.2f} %")
    # ffmpeg's tone is at an eighth of the loudest
    t.ok(0.08 < level(a, b) < 0.18, f"{name}: as loud as it was: {level(a, b):.3f}")
    t.diag(page.text("facts"))
    page.b.screenshot(f"{os.environ.get('MILLRACE_SHOTS', TOP + '/build/shots')}/firefox-{name}.png")
    page.b.goto("about:blank")
    pub.cut()


def waits(t, m, page):
    """Without hls.js too a stream that is not there is not live, and nothing else."""
    page.b.goto(m.http_url("/watch/later"))
    page.b.wait("it waits", "document.readyState == 'complete' && /is not live/.test(document.getElementById('status').textContent)", 20)
    t.is_((page.text("help"), page.b.eval("document.getElementById('by-hls').hidden")), ("", True), "it waits without a word on HLS")
    page.b.screenshot(f"{os.environ.get('MILLRACE_SHOTS', TOP + '/build/shots')}/firefox-waits.png")


def no_h264(t, m, page):
    """As it is without its plugin: the page's own words, and HLS where this Firefox has it (by hls.min.js)."""
    page.b.before("""const offer = RTCPeerConnection.prototype.createOffer;
        RTCPeerConnection.prototype.createOffer = async function () {
            const o = await offer.call(this);
            return { type: o.type, sdp: o.sdp.replace(/H264/g, "H26X") };
        };
        RTCPeerConnection.prototype.setLocalDescription = async function (d) { this.fake = d; };
        Object.defineProperty(RTCPeerConnection.prototype, "localDescription", { get() { return this.fake; } });""")
    t.publish(m, "plain").join_live()
    page.b.goto(m.http_url("/watch/plain"))
    why = page.b.wait("why not", "document.readyState == 'complete' && /WebRTC/.test(document.getElementById('why').textContent) && "
        "document.getElementById('why').textContent", 40)
    t.like(why, "By HLS", f"without H.264 it goes to HLS, and says why: {why}")


if not shutil.which("firefox-esr"):
    Test(__doc__).skip_all("firefox-esr is not installed")
if not address():
    Test(__doc__).skip_all("this host has no address but loopback, which Firefox leaves out in WebRTC")
with Test(__doc__, limit=200) as t:
    m = t.server(**{"webrtc.listen": f"{address()}:0"})
    b = Firefox(t.dir, free_port())
    try:
        page = Page(b)
        page.b.goto(m.http_url("/"))
        page.b.wait("the page", "document.readyState == 'complete' && location.pathname == '/'")
        if not offers_h264(b):
            b.close()
            m.stop()
            t.skip_all("this Firefox has no H.264 in WebRTC: neither its plugin, nor a decoder of the system")
        waits(t, m, page)
        for name in STREAMS:
            kind(t, m, page, name)
        no_h264(t, m, page)
    finally:
        b.close()
