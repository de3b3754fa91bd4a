#!/usr/bin/python3
"""430-mute: a publisher that stops sending without closing, and one that never sends media."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

import rtmp

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
