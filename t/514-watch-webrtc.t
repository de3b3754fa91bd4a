#!/usr/bin/python3
"""514-watch-webrtc: /watch plays by WebRTC first and by HLS where that cannot be, and says why; in a frame, mute, sound only, with an end."""
import http.server, os, sys, threading
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

import barcode
from barcode import Page
from browser import Browser

if not shutil.which("chromium"):
    Test(__doc__).skip_all("chromium is not installed")

SHOTS = os.environ.get("MILLRACE_SHOTS", f"{TOP}/build/shots")
MOVES = "(v => v.readyState >= 3 && !v.paused && v.currentTime > 0.5)(document.getElementById('video'))"
UNREACHED = "192.0.2.254"       # of a network for documents: nobody is there


def browsers(t, *more):
    directory = tempfile.mkdtemp(dir=t.dir)
    return Browser(directory, *more)


def plays(t, m, page):
    page.b.goto(m.http_url("/watch/alice"))
    page.b.wait("it waits", "/is not live/.test(document.body.innerText)")
    t.publish(m, "alice", clips.clip(seconds=60)).join_live()
    page.plays()
    page.b.wait("it moves", MOVES)
    t.ok(page.text("cover") == "" and page.text("why") == "", "before the publisher it waits, then plays by WebRTC, nothing in the way")
    facts = page.b.wait("facts", "/behind.*Mbit/.test(document.getElementById('facts').textContent) && document.getElementById('facts').textContent")
    t.like(facts, r"^WebRTC · (under )?[\d.]+ s behind · 0\.[\d]+ Mbit/s$", f"delay and bit rate: {facts}")
    seconds = float(re.search(r"([\d.]+) s behind", facts).group(1))
    t.ok(seconds < 2 * SLOW, "the delay is a fraction of a second")
    page.b.wait("the badge", "document.getElementById('badge-text').textContent == 'alice · Live · 1 viewer'")
    t.ok(True, "state and viewers")
    page.b.screenshot(f"{SHOTS}/watch-webrtc.png")
    wait_for("facts fade", lambda: page.b.eval("getComputedStyle(document.getElementById('facts')).opacity") == "0", 20, 0.5)
    page.b.call("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": 200, "y": 200})
    page.b.wait("and come back", "getComputedStyle(document.getElementById('facts')).opacity > 0")
    t.ok(True, "facts fade while nobody touches anything, and come back")
    t.none([c for c in page.b.console if "network" not in c], "nothing in the console but what was not found")


def ends(t, m, page):
    page.b.goto("about:blank")
    wait_for("the session ends with the page", lambda: m.status()["webrtc"]["viewers"] == 0, 5, 0.1)
    t.ok(True, "who leaves the page ends the session")
    p = t.publish(m, "short", clips.clip(seconds=60))
    p.join_live()
    page.watch(m, "short")
    p.end()
    page.b.wait("words", "/The stream has ended/.test(document.body.innerText)", 20)
    wait_for("its session is gone", lambda: m.status()["webrtc"]["viewers"] == 0, 10, 0.2)
    t.ok(page.text("unmute") == "", "an end is said, and the session is given back")
    again = t.publish(m, "short", clips.clip(seconds=60))
    again.join_live()
    page.plays()
    page.b.wait("it moves", MOVES)
    t.ok(True, "and it plays again by itself when there is another")
    again.cut()


def publisher_away(t, m, page, how):
    """From when the page says so it stays so, until there is a publisher again."""
    p = t.publish(m, f"away-{how}", clips.clip(seconds=60))
    p.join_live()
    page.watch(m, f"away-{how}", how)
    page.b.wait("it moves", MOVES)
    page.b.wait("facts", "/behind.*Mbit/.test(document.getElementById('facts').textContent)")
    p.cut()
    page.b.wait("it waits", "document.getElementById('status').textContent == 'Waiting for the publisher…' && !document.getElementById('cover').hidden", 20)
    page.b.eval("window.seen = new Set(); window.looks = setInterval(() => seen.add(['cover', 'facts', 'badge', 'by-hls', 'help'].filter("
        "(id) => !document.getElementById(id).hidden).join(' ')), 50)")
    time.sleep(6)
    t.is_(page.b.eval("clearInterval(looks); [...seen]"), ["cover"], f"{how}: a publisher that is away is waited for, and nothing else said")
    page.b.screenshot(f"{SHOTS}/watch-away-{how}.png")
    again = t.publish(m, f"away-{how}", clips.clip(seconds=60))
    again.join_live()
    page.b.wait("it plays again", f"mode == '{how}' && document.getElementById('cover').hidden && !document.getElementById('facts').hidden", 20)
    t.ok(True, f"{how}: and it goes on")
    again.cut()


def away(t, m, page):
    m.configure({"streams.reconnect_delay": "15s"})
    m.cli("reload")
    publisher_away(t, m, page, "webrtc")
    b = browsers(t)
    try:
        b.before("delete window.RTCPeerConnection; delete window.webkitRTCPeerConnection;")
        publisher_away(t, m, Page(b), "hls")
    finally:
        b.close()
    m.configure({"streams.reconnect_delay": "2s"})
    m.cli("reload")


def other_tracks(t, m, page):
    t.publish(m, "sound", clips.clip(video=False)).join_live()
    page.watch(m, "sound")
    page.b.wait("it is heard", "document.getElementById('video').currentTime > 1 && document.getElementById('cover').hidden")
    t.ok(True, "sound without pictures plays")
    t.publish(m, "picture", clips.clip(audio=False)).join_live()
    page.watch(m, "picture")
    page.b.wait("it moves", MOVES)
    t.ok(page.b.eval("document.getElementById('video').videoWidth") == 320, "so do pictures without sound")
    t.publish(m, "hevc", clips.enhanced("hevc", "aac", 60)).join_live()
    page.watch(m, "hevc")
    page.b.wait("it moves", MOVES)
    t.ok(True, "HEVC plays, since the server makes H.264 of it")


def never(t, m, page):
    """Not to be transcoded: what WebRTC cannot have comes by HLS."""
    m.configure({"webrtc.transcode": "never"})
    m.cli("reload")
    t.publish(m, "bframes", barcode.clip("bframes", barcode.HIGH_B, barcode.AAC_48_MONO)).join_live()
    m.wait_stream("bframes", lambda s: s.get("webrtc", {}).get("video", {}).get("way") == "refused")
    page.watch(m, "bframes", "hls")
    why = page.b.wait("why", "document.getElementById('why').textContent", 30)
    t.like(why, "webrtc.transcode", f"a stream that may not be transcoded plays by HLS: {why}")
    page.b.wait("it moves", MOVES)


def no_way(t, m, page):
    """The port is not reached; then it is, in the same page."""
    m.configure({"webrtc.addresses": [UNREACHED]})
    m.cli("reload")
    page.watch(m, "alice", "hls")
    page.b.wait("it moves", MOVES)
    port = m.status()["webrtc"]["ports"][0]
    why = page.b.wait("why", "document.getElementById('why').textContent", 40)
    t.like(why, rf"UDP {UNREACHED}:{port}, TCP {UNREACHED}:{port}\. .*firewall", f"the page says which port: {why}")
    t.like(page.b.wait("facts", "document.getElementById('facts').textContent"), r"^HLS · [\d.]+ s behind · 0\.\d+ Mbit/s$", "and what it has instead")
    page.b.screenshot(f"{SHOTS}/watch-hls.png")
    t.is_(page.b.eval("[document.getElementById('by-hls').hidden, document.getElementById('by-hls').open]"), [False, False], "folded, for who wants it")
    wait_for("status counts it", lambda: m.status()["webrtc"]["unreached"] == 1, 40, 0.5)
    t.ok(True, "the server counts that it was not reached")
    m.configure({"webrtc.addresses": []})
    m.cli("reload")
    page.b.eval("dispatchEvent(new Event('online'))")
    page.plays()
    page.b.wait("it moves", MOVES)
    t.ok(page.text("why") == "", "another network: it goes over to WebRTC, without a reload")


class Frame(http.server.BaseHTTPRequestHandler):
    """Another site, which has the page in a frame and allows it nothing."""
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(f"<!DOCTYPE html><iframe width=600 height=400 src='{self.server.framed}'></iframe>".encode())

    def log_message(self, *_):
        pass


def framed(t, m):
    site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Frame)
    site.framed = m.http_url("/watch/bob").replace("127.0.0.1", "localhost")
    threading.Thread(target=site.serve_forever, daemon=True).start()
    b = browsers(t, "--autoplay-policy=user-gesture-required")
    try:
        b.goto(f"http://127.0.0.1:{site.server_port}/")
        b.enter_frame()
        b.wait("it plays by webrtc", "document.readyState == 'complete' && mode == 'webrtc'", 40)
        b.wait("it moves", MOVES)
        t.ok(b.eval("window.top !== window && document.getElementById('video').muted && !document.getElementById('unmute').hidden"),
            "it plays in a frame of another site, which allows it no sound")
    finally:
        b.close()
        site.shutdown()
        site.server_close()


def muted(t, m):
    """A browser that wants no sound before a click."""
    b = browsers(t, "--autoplay-policy=user-gesture-required")
    try:
        page = Page(b)
        page.watch(m, "bob")
        b.wait("it moves", MOVES)
        b.wait("the button", "!document.getElementById('unmute').hidden")
        t.ok(b.eval("document.getElementById('video').muted"), "a browser that wants no sound: silent, with a button")
        where = b.eval("(r => [r.x + r.width / 2, r.y + r.height / 2])(document.getElementById('unmute').getBoundingClientRect())")
        for kind in ("mousePressed", "mouseReleased"):
            b.call("Input.dispatchMouseEvent", {"type": kind, "x": where[0], "y": where[1], "button": "left", "clickCount": 1})
        b.wait("sound", "!document.getElementById('video').muted && document.getElementById('unmute').hidden")
        b.wait("it is heard", "(async () => [...(await session.pc.getStats()).values()].some(s => s.kind == 'audio' && s.totalAudioEnergy > 0))()")
        t.ok(b.eval(MOVES), "which gives it")
    finally:
        b.close()


def no_webrtc(t, m):
    b = browsers(t)
    try:
        page = Page(b)
        b.before("delete window.RTCPeerConnection; delete window.webkitRTCPeerConnection;")
        page.watch(m, "bob", "hls")
        b.wait("it moves", MOVES)
        t.like(page.text("why"), "this browser has no WebRTC", "a browser without WebRTC plays by HLS, and the page says so")
    finally:
        b.close()


def off(t, m, page):
    m.configure({"webrtc.workers": 0})
    m.cli("reload")
    wait_for("no worker", lambda: not m.pids("webrtc"), 15)
    page.watch(m, "bob", "hls")
    page.b.wait("it moves", MOVES)
    t.is_(page.text("why"), "", "a server without WebRTC plays by HLS, without a word")


with Test(__doc__, limit=400) as t:
    m = t.server(**{"webrtc.listen": ":0", "streams.reconnect_delay": "2s", "streams.cleanup_delay": "1s"})
    b = browsers(t)
    try:
        page = Page(b)
        for part in (plays, no_way, ends, away, other_tracks, never):
            part(t, m, page)
        t.publish(m, "bob", clips.clip(seconds=60)).join_live()
        framed(t, m)
        muted(t, m)
        no_webrtc(t, m)
        off(t, m, page)
    except Exception:
        t.diag("\n".join(b.console[-10:]))
        raise
    finally:
        b.close()
