#!/usr/bin/python3
"""401-pages: Chromium opens / and /watch/NAME; the video plays by HLS, waits, and comes back."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

from browser import Browser

if not shutil.which("chromium"):
    Test(__doc__).skip_all("chromium is not installed")

SHOTS = os.environ.get("MILLRACE_SHOTS", f"{TOP}/build/shots")
PLAYS = "(v => v && v.readyState >= 3 && v.currentTime > 0.5 && v.videoWidth)(document.querySelector('video'))"

with Test(__doc__) as t:
    m = t.server(**{"webrtc.workers": 0, "streams.reconnect_delay": "2s", "streams.cleanup_delay": "1s"})
    b = Browser(t.dir)
    try:
        b.goto(m.http_url("/watch/alice"))
        b.wait("the page", "document.readyState == 'complete'")
        t.ok(b.wait("the page says that it waits", "/is not live/.test(document.body.innerText)"), "before the publisher: the page says so")
        p = t.publish(m, "alice")
        p.join_live()
        t.is_(b.wait("video", PLAYS), 320, "it starts by itself")
        at = b.eval("document.querySelector('video').currentTime")
        b.wait("time goes on", f"document.querySelector('video').currentTime > {at} + 3")
        t.ok(True, "and goes on")
        b.screenshot(f"{SHOTS}/watch.png")
        unmute = "document.getElementById('unmute').hidden != document.querySelector('video').muted"
        t.ok(b.eval(unmute), "Unmute is there if it is mute, else not")
        t.ok(m.stream("alice")["viewers"] >= 1, "it counts as a viewer")
        p.cut()
        again = t.publish(m, "alice")
        again.join_live()
        at = b.eval("document.querySelector('video').currentTime")
        b.wait("goes on after a reconnect", f"document.querySelector('video').currentTime > {at} + 4")
        t.ok(True, "plays on when the publisher reconnects")
        again.end()
        m_gone = lambda: m.get("/stream/alice/live.m3u8")[0] == 404
        b.wait("words", "/The stream has ended/.test(document.body.innerText)")
        wait_for("the stream is gone", m_gone, 15)
        time.sleep(3)
        t.ok(b.eval("/The stream has ended/.test(document.body.innerText)"), "the page says that it has ended, for good")
        t.ok(b.eval("document.getElementById('unmute').hidden"), "nothing to unmute then")
        b.screenshot(f"{SHOTS}/ended.png")
        third = t.publish(m, "alice")
        third.join_live()
        b.wait("recovers by itself", "(v => v && v.readyState >= 3 && !v.paused && !v.ended)(document.querySelector('video'))")
        at = b.eval("document.querySelector('video').currentTime")
        b.wait("time", f"(x => x > 0.5 && Math.abs(x - {at}) > 1)(document.querySelector('video').currentTime)")
        t.ok(True, "recovers after the stream had ended")
        t.ok(b.eval(unmute), "and Unmute is as before")
        b.goto(m.http_url("/"))
        b.wait("list", "/alice/.test(document.body.innerText)")
        t.ok(True, "/ lists the stream")
        b.screenshot(f"{SHOTS}/home.png")
        link = b.eval("[...document.querySelectorAll('a')].map(a => a.getAttribute('href')).find(h => /watch\\/alice/.test(h))")
        t.ok(link and not link.startswith("/"), "its link is relative", link)
        t.publish(m, "new", clips.enhanced("av1", "opus")).join_live()
        b.goto(m.http_url("/watch/new"))
        b.wait("video", PLAYS)
        t.ok(True, "AV1 with Opus plays")
        t.publish(m, "rare", clips.enhanced("hevc", "aac")).join_live()
        b.goto(m.http_url("/watch/rare"))
        if b.eval("document.createElement('video').canPlayType('video/mp4; codecs=\"hvc1.1.6.L120.90\"')"):
            b.wait("video", PLAYS)
        else:
            b.wait("words", "/HEVC video, which this browser cannot play/.test(document.body.innerText)")
            b.screenshot(f"{SHOTS}/hevc.png")
        t.ok(True, "HEVC plays, or the page says why not")
    except Exception:
        t.diag("\n".join(b.console[-10:]))
        raise
    finally:
        b.close()
