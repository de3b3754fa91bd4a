#!/usr/bin/python3
"""200-url-splits: ffmpeg and OBS split an URL differently; queries and slashes do not matter."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

import rtmp


def attempt(m, app, tc, name):
    c = rtmp.RtmpConnection("127.0.0.1", m.rtmp)
    try:
        c.handshake()
        c.connect(app, f"rtmp://127.0.0.1:{m.rtmp}/{tc}")
        c.publish(name)
        return "ok"
    except (rtmp.Refused, ConnectionError) as e:
        return f"refused: {e}"
    finally:
        c.close()


with Test(__doc__) as t:
    m = t.server(**{"streams.reconnect_delay": "200ms", "streams.silence": "200ms"})
    for app, tc, name, what in (
            ("live", "live", "alice", "rtmp://h/live + alice"),
            ("live/", "live/", "alice2", "a trailing slash"),
            ("live/test", "live/test", "alice3", "rtmp://h/live/test + alice"),
            ("live/test/alice4", "live/test/alice4", "alice4", "the whole path and the name again"),
            ("live", "live", "test/alice5", "app in the publishing name"),
            ("live?x=1", "live?x=1", "alice6", "a query on the path"),
            ("live", "live", "alice7?key=a%20b", "a query on the name")):
        t.is_(attempt(m, app, tc, name), "ok", what)
    for app, tc, name, what in (
            ("live", "live", "", "an empty name"),
            ("live", "live", "../etc", "a path as name"),
            ("live/bob", "live/bob/x/y", "alice", "too many parts"),
            ("live", "live", ".hidden", "a leading dot"),
            ("live", "live", "a" * 65, "65 characters"),
            ("other", "other", "alice", "another first part")):
        t.like(attempt(m, app, tc, name), r"^refused: .+", f"refused with words: {what}")
    c = rtmp.RtmpConnection("127.0.0.1", m.rtmp)
    c.handshake()
    c.connect("live", f"rtmp://127.0.0.1:{m.rtmp}/live")
    c.command("createStream", 4, None)
    c.wait_command("_result")
    c.command("play", 5, None, "alice", csid=8, stream=1)
    try:
        c.wait_command("NetStream.Play.Start")
        words = "played"
    except rtmp.Refused as e:
        words = str(e)
    t.like(words, r"NetStream\.Play\..*m3u8", "play is refused with the HLS URL")
    c.close()
