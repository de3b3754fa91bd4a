#!/usr/bin/python3
"""525-whip-readme: README's lines of JavaScript publish by WHIP, and the stream ends with their page."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *
from browser import Browser

if not shutil.which("chromium"):
    Test(__doc__).skip_all("chromium is not installed")
with Test(__doc__) as t:
    m = t.server(**{"webrtc.listen": ":0", "streams.reconnect_delay": "0s"})
    with open(f"{TOP}/README.md") as f:
        lines = re.search(r"^    const pc = new RTC.*?keepalive[^\n]*", f.read(), re.S | re.M)[0]
    b = Browser(t.dir, "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    try:
        b.goto(m.http_url("/publish"))
        b.wait("the page", "document.readyState == 'complete' && location.pathname == '/publish'")
        b.eval("(async () => {" + lines.replace("HOST:8080", f"127.0.0.1:{m.http}") + "})().catch((e) => { window.why = String(e); })")
        s = m.wait_stream("johndoe", lambda s: s["video"] and s["audio"], 30)
        t.is_((s["protocol"], s["video"]["codec"]), ("whip", "h264"), "README's lines publish")
        began = time.monotonic()
        b.goto("about:blank")
        wait_for("it is over", lambda: (m.stream("johndoe") or {"state": "gone"})["state"] != "live", 25, 0.1)
        t.ok(time.monotonic() - began < 10, f"who leaves the page ends the stream, after {time.monotonic() - began:.1f} s")
    except Exception:
        t.diag(str(b.eval("window.why")))
        raise
    finally:
        b.close()
