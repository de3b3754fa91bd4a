#!/usr/bin/python3
"""303-publish-page: Chromium publishes its (made-up) camera from /publish, a second one watches; a reload, a cut, a dead ffmpeg."""
import os, signal, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

from browser import Browser

if not shutil.which("chromium"):
    Test(__doc__).skip_all("chromium is not installed")

SHOTS = os.environ.get("MILLRACE_SHOTS", f"{TOP}/build/shots")
CAMERA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
SECONDS = int(os.environ.get("MILLRACE_PUBLISH_SECONDS", "8"))
STATE = "document.getElementById('state').textContent"


def two_browsers(t):
    for name in ("a", "b"):
        os.mkdir(f"{t.dir}/{name}")
    return Browser(f"{t.dir}/a", *CAMERA), Browser(f"{t.dir}/b")


def plays_on(b, seconds=2):
    """Its time goes on; a page that had to begin the video anew counts from there."""
    time_of = lambda: b.eval("(v => v && v.readyState >= 3 ? v.currentTime : 0)(document.querySelector('video'))")
    at = [wait_for("it plays", lambda: time_of() > 0.2 and time_of(), 60)]

    def went_on():
        now = time_of()
        at[0] = min(at[0], now or at[0])
        return now > at[0] + seconds
    return wait_for("time goes on", went_on, 60 + 2 * seconds, 0.2)


def go_live(b, url, before=""):
    b.goto(url)
    b.wait("the page", "document.readyState == 'complete' && document.getElementById('name') !== null")
    b.eval(before + "document.getElementById('name').value = 'cam'; document.getElementById('go').click()")
    b.wait("live", f"{STATE} == 'Live'", 60)


with Test(__doc__, limit=240 + 2 * SECONDS) as t:
    m = t.server(**{"streams.reconnect_delay": "20s"})
    a, b = two_browsers(t)
    try:
        go_live(a, m.http_url("/publish"))
        t.ok(True, "the page says that it is live")
        s = m.wait_stream("cam", lambda s: s["video"] and s["audio"], 30)
        t.is_((s["protocol"], s["video"]["codec"], s["audio"]["codec"]), ("ws", "h264", "aac"), "it is a stream of H.264 and AAC")
        t.diag(a.wait("facts", "document.getElementById('facts').textContent"))
        m.wait_playlist("cam", 2, 40)
        b.goto(m.http_url("/watch/cam"))
        t.ok(plays_on(b, SECONDS), "a second page plays it")
        t.ok(a.eval("document.getElementById('level').value > 0"), "the level meter moves")
        t.like(a.eval("document.getElementById('facts').textContent"), r"^[\d.]+ Mbit/s", "the bit rate is shown")
        a.screenshot(f"{SHOTS}/publish.png")
        b.screenshot(f"{SHOTS}/publish-watch.png")

        # the connection is cut: the page comes back by itself, the playlist goes on
        os.kill(max(m.pids("ingest")), signal.SIGKILL)
        a.wait("it notices", f"{STATE} != 'Live'", 20)
        a.wait("live again", f"{STATE} == 'Live'", 60)
        t.ok(plays_on(b), "after a cut the page connects again, and viewers go on")

        # a phone freezes the tab until the server has sent it away, and wakes it up
        m.configure({"ws.ping_timeout": "1s", "ws.ping_interval": "300ms"})
        m.cli("reload")
        os.killpg(a.proc.pid, signal.SIGSTOP)
        try:
            m.wait_log("closing: the publisher is dead", 20)
            m.configure({"ws.ping_timeout": "15s", "ws.ping_interval": "5s"})
            m.cli("reload")
        finally:
            os.killpg(a.proc.pid, signal.SIGCONT)
        a.wait("it notices", f"{STATE} != 'Live'", 20)
        a.wait("live again", f"{STATE} == 'Live'", 60)
        t.ok(plays_on(b), "a frozen page comes back to its stream")

        # its ffmpeg dies: nothing but a discontinuity
        pid = wait_for("its ffmpeg", lambda: next((o["pid"] for o in m.stream("cam")["outputs"] if o["kind"] == "intake"), 0), 20)
        os.kill(pid, signal.SIGKILL)
        wait_for("another ffmpeg", lambda: any(o["kind"] == "intake" and o["pid"] not in (0, pid) for o in m.stream("cam")["outputs"]), 20)
        t.ok(plays_on(b, 3), "a dead ffmpeg is replaced")
        t.is_(a.eval(STATE), "Live", "and the page stayed live")

        # a reload of the page, and a recorder that has nothing but VP8, as Firefox'
        go_live(a, m.http_url("/publish"), "MediaRecorder.isTypeSupported = (type) => /vp8/.test(type); ")
        t.like(a.wait("facts", "/vp8/.test(document.getElementById('facts').textContent) && document.getElementById('facts').textContent"), "vp8", "VP8 is sent")
        t.ok(plays_on(b), "a reload and Go live: viewers go on")
        t.is_(m.stream("cam")["video"]["codec"], "h264", "with H.264")

        # somebody else under that name
        status = "document.getElementById('trouble').textContent"
        a.eval("document.getElementById('stop').click()")
        t.is_(a.wait("stopped", f"{STATE} == 'Not live' && {STATE}"), "Not live", "Stop stops")
        p = t.publish(m, "taken")
        p.join_live()
        m.wait_playlist("taken")
        a.eval("document.getElementById('name').value = 'taken'; document.getElementById('go').click()")
        t.like(a.wait("refused", f"/already/.test({status}) && {status}", 30), "already", "a taken name is said to be taken")
        a.eval("document.getElementById('stop').click()")

        t.ok(a.eval("document.getElementById('where').hidden"), "nor is somebody else's stream offered as one's own")
        m.configure({"authorize.keys": {"locked": m.cli("hash-key", "secret-of-it").stdout.strip()}})
        m.cli("reload")
        a.eval("document.getElementById('name').value = 'locked'; document.getElementById('key').value = 'wrong'; "
            "document.getElementById('go').click()")
        a.wait("refused", f"{status} == 'The server refused: the key is wrong' && {STATE} == 'Not live'", 30)
        t.ok(True, "a wrong key is said to be wrong, once and not for ever")
        m.configure({"authorize.keys": {}})
        m.cli("reload")
        a.eval("document.getElementById('key').value = ''; document.getElementById('name').value = 'my cam!'; "
            "document.getElementById('name').dispatchEvent(new Event('input'))")
        t.like(a.eval("document.getElementById('name').validationMessage"), "letters", "a name that can't be one: what one is of")

        # without HTTPS, from another machine: no camera, and why. A name that is no secure context will do.
        a.goto(m.http_url("/publish").replace("127.0.0.1", "[::ffff:127.0.0.1]"))
        a.wait("the page", "document.readyState == 'complete'")
        t.is_(a.eval("isSecureContext"), False, "this is no secure context")
        t.like(a.wait("words", f"{status} && {status}"), "HTTPS", "the page says why there is no camera, and what to do")
        a.eval("document.getElementById('source').value = 'file'; document.getElementById('source').dispatchEvent(new Event('change'))")
        root = a.call("DOM.getDocument")["root"]["nodeId"]
        node = a.call("DOM.querySelector", {"nodeId": root, "selector": "#file"})["nodeId"]
        a.call("DOM.setFileInputFiles", {"nodeId": node, "files": [clips.container("vp8", 8)]})
        a.eval("document.getElementById('name').value = 'file'; document.getElementById('go').click()")
        a.wait("live", f"{STATE} == 'Live'", 60)
        s = m.wait_stream("file", lambda s: s["video"] and s["audio"], 30)
        t.is_((s["video"]["width"], s["video"]["height"]), (320, 240), "but it sends a file")
        t.is_(a.wait("the file's end", f"{STATE} == 'Not live' && {status}", 60), "The file has ended.", "to its end")
        t.none([c for c in a.console if "Content Security Policy" in c or "TypeError" in c], "no error in its console")
    finally:
        a.close()
        b.close()
