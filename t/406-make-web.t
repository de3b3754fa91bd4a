#!/usr/bin/python3
"""406-make-web: without hls.min.js, and HLS of the browser's own, the player page says what to do; one that comes while the server runs is used."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import millrace
from millrace import *

from browser import Browser

WANT = "/web/hls.min.js"
# as its interface is, and it remembers what is asked of it
STUB = """window.calls = [];
window.Hls = class {
	static Events = { ERROR: "hlsError" };
	static isSupported() { return true; }
	constructor() { window.last = this; }
	on(event, cb) { calls.push(["on", event]); this.cb = cb; }
	loadSource(url) { calls.push(["loadSource", new URL(url, location).pathname]); }
	attachMedia(video) { calls.push(["attachMedia", video.id]); }
	destroy() { calls.push(["destroy"]); }
};
"""
# newer ones play HLS, all have WebRTC
OLD_BROWSER = """delete window.RTCPeerConnection;
HTMLMediaElement.prototype.canPlayType = (type) => type.includes("mpegurl") ? "" : "maybe";"""
BEGUN = [["on", "hlsError"], ["loadSource", "/stream/alice/live.m3u8"], ["attachMedia", "video"]]


def says_what_to_do(t, m, b):
    b.before(OLD_BROWSER)
    b.goto(m.http_url("/watch/alice"))
    b.wait("the page says it", "document.getElementById('help') && !document.getElementById('help').hidden")
    t.is_(b.eval("document.getElementById('status').textContent"), "This browser cannot play HLS by itself.", "with neither the page says so")
    t.like(b.eval("document.getElementById('help').innerText"), r"Open the playlist in VLC .*make web", "and what to do")
    t.is_(b.eval("document.getElementById('playlist').href"), m.http_url("/stream/alice/live.m3u8"), "with the playlist's address")


def uses_the_script(t, m, b):
    calls = lambda n: b.wait(f"{n} calls", f"window.calls && calls.length >= {n} && calls")
    b.goto(m.http_url("/watch/alice"))
    t.is_(calls(3), BEGUN, "the page plays by it")
    t.is_(b.eval("document.getElementById('help').hidden"), True, "and gives no advice")
    b.eval("last.cb('hlsError', { fatal: false }); last.cb('hlsError', { fatal: true })")
    t.is_(calls(7), [*BEGUN, ["destroy"], *BEGUN], "what fails for good is begun anew")


with Test(__doc__) as t:
    # a tree of its own: pages are found beside the programs
    tree, b = f"{t.dir}/tree", None
    os.mkdir(tree)
    shutil.copytree(f"{TOP}/web", f"{tree}/web", ignore=shutil.ignore_patterns("vendor"))
    shutil.copytree(f"{BUILD}/libexec", f"{tree}/build/libexec")
    for program in ("millraced", "millrace"):
        shutil.copy(f"{BUILD}/{program}", f"{tree}/build/")
    millrace.BUILD = f"{tree}/build"
    m = t.server()
    t.publish(m, "alice", clips.clip(seconds=120))
    m.wait_playlist("alice", 2)
    try:
        t.is_(m.get(WANT)[0], 404, "before make web there is none")
        if shutil.which("chromium"):
            b = Browser(t.dir)
            says_what_to_do(t, m, b)
        os.mkdir(f"{tree}/web/vendor")
        with open(f"{tree}/web/vendor/hls.min.js", "w") as f:
            f.write(STUB)
        status, fields, body = m.get(WANT)
        t.is_((status, body, fields["content-type"]), (200, STUB.encode(), "text/javascript; charset=utf-8"), "after it the next page has it")
        t.is_(m.get(WANT, {"If-None-Match": fields["etag"]})[0], 304, "and keeps it")
        if b:
            uses_the_script(t, m, b)
    finally:
        if b:
            b.close()
