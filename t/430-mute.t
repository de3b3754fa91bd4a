#!/usr/bin/python3
"""430-mute: a publisher that stops sending without closing, one that never sends media, one without key frames."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

import rtmp


def without_key_frames(kind, ts, body):
    inter = kind == 9 and body[0] == 0x17 and body[1] == 1 and ts >= 2500
    return ts, b"\x27" + body[1:] if inter else body


with Test(__doc__) as t:
    m = t.server(**{"rtmp.ping_interval": "500ms", "rtmp.ping_timeout": "2s", "rtmp.first_media_timeout": "2s",
        "rtmp.handshake_timeout": "2s", "streams.reconnect_delay": "1s", "streams.cleanup_delay": "500ms"})
    mute = t.publish(m, "mute")
    mute.join_live()
    m.wait_playlist("mute", 2)
    player = t.player(m, "mute")
    wait_for("player", lambda: player.segments, 5)
    os_pid = m.pids("ingest")
    # A frozen host: nothing is sent or answered any more, and nobody closes.
    mute.hold = True
    mute.conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    mute.conn.read_message = lambda: time.sleep(3600)
    t.ok(player.ended.wait(25 * SLOW), "it is noticed: ENDLIST comes")
    t.none(player.stop().check(), "RFC 8216 all the way")
    never = rtmp.RtmpConnection("127.0.0.1", m.rtmp)
    never.handshake()
    never.connect("live", f"rtmp://127.0.0.1:{m.rtmp}/live")
    never.publish("never")
    silent = socket.create_connection(("127.0.0.1", m.rtmp))
    silent.settimeout(15 * SLOW)
    t.is_(silent.recv(1), b"", "one that never speaks is closed")
    wait_for("no ingest left", lambda: not m.pids("ingest"), 20)
    t.ok(True, "one that never sends media, too")
    never.close()
    silent.close()
    m.configure({"streams.key_frame_age": "3s"})
    m.cli("reload")
    player = t.player(m, "keyless")
    keyless = t.publish(m, "keyless", edit=without_key_frames)
    wait_for("a warning", lambda: "key frame" in json.dumps(m.status()), 8)
    t.ok(keyless.finished.wait(10 * SLOW), "one that sends no key frames for streams.key_frame_age is ended")
    t.like(" ".join(keyless.conn.statuses), r"(?i)keyframe interval", "it is told what to set")
    t.ok(player.ended.wait(15 * SLOW), "its viewers see the end")
    t.none(player.stop().check(), "RFC 8216 to the end")
    m.wait_log("ffmpeg of keyless .*ended")
    t.none(re.findall(r"ffmpeg of keyless .*again in.*", m.log()), "its ffmpeg is not said to start again")
