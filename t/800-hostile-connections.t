#!/usr/bin/python3
"""800-hostile-connections: silence, garbage, huge lengths, thousands of chunk streams: memory bounded, publishers unharmed."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

import resource, struct
import rtmp


def opened(m, n):
    out = []
    for _ in range(n):
        try:
            out.append(socket.create_connection(("127.0.0.1", m.rtmp), 2))
        except OSError:
            break
    return out


def shaken(m):
    c = rtmp.RtmpConnection("127.0.0.1", m.rtmp)
    c.handshake()
    return c


def gone(c):
    """Closed by the server in time."""
    c.sock.settimeout(20 * SLOW)
    try:
        while c.sock.recv(65536):
            pass
        return True
    except ConnectionError:
        return True
    except OSError:
        return False


def flood(c, data):
    try:
        c.sock.settimeout(10 * SLOW)
        c.sock.sendall(data)
    except OSError:
        pass


with Test(__doc__) as t:
    m = t.server(**{"rtmp.handshake_timeout": "3s", "limits.handshakes": 50, "limits.per_address": 200})
    alice = t.publish(m, "alice")
    player = t.player(m, "alice")
    m.wait_playlist("alice", 2)
    rss = rss_bytes(m.proc.pid)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    silent = opened(m, 1000)
    t.is_(len(silent), 1000, "1,000 connections that say nothing")
    wait_for("bounded", lambda: len(m.pids("ingest")) <= 60, 10)
    t.ok(True, "and no more of them than the limit of handshakes")
    tries = []

    def gets_in():
        """As encoders do: again after a refusal."""
        tries.append(t.publish(m, "bob"))
        try:
            return tries[-1].join_live()
        except OSError:
            return False

    wait_for("bob publishes", gets_in, 10, 0.5)
    bob = tries[-1]
    t.ok(True, f"a real publisher still gets in (try {len(tries)})")
    for s in silent:
        s.close()
    half = [shaken(m) for _ in range(20)]
    wait_for("half handshakes end", lambda: len(m.pids("ingest")) == 2, 20, 0.1)
    t.ok(True, "handshakes without a command time out")
    for c in half:
        c.close()

    def big():
        return max(rss_bytes(p) for p in m.pids("ingest"))

    for s in opened(m, 20):
        s.sendall(random.randbytes(4000))
        s.close()
    c = shaken(m)
    flood(c, bytes([3]) + b"\0\0\0" + b"\xff\xff\xff" + b"\x14" + b"\0\0\0\0" + b"x" * 200)
    t.ok(gone(c), "a 16 MiB command message: closed")
    c = shaken(m)
    flood(c, rtmp.chunks(2, 1, struct.pack(">I", 0x7FFFFFFF)) + bytes([4]) + b"\0\0\0\xff\xff\xff\x09\x01\0\0\0" + b"x" * 100000)
    t.ok(gone(c), "a chunk size of 2 GiB and a huge message: closed")
    c = shaken(m)
    many = b"".join(b"\x01" + struct.pack("<H", i) + b"\0\0\0" + b"\x00\xff\xff" + b"\x09" + b"\x01\0\0\0" + b"x" * 128 for i in range(4000))
    flood(c, many)
    t.ok(gone(c), "4,000 chunk streams with open messages: closed")
    c = rtmp.RtmpConnection("127.0.0.1", m.rtmp)
    c.handshake()
    data = rtmp.chunks(3, 20, rtmp.amf("connect", 1, {"app": "live", "tcUrl": f"rtmp://127.0.0.1:{m.rtmp}/live"}))
    for i in range(0, len(data)):
        c.sock.sendall(data[i:i + 1])
    t.ok(c.wait_command("NetConnection.Connect.Success"), "one byte at a time is understood")
    c.command(*([{"a" * 60: "b"}] * 3))
    c.close()
    c = shaken(m)
    deep = b"\x02\x00\x07connect\x00" + struct.pack(">d", 1) + b"\x03\x00\x01a" * 5000
    flood(c, rtmp.chunks(3, 20, deep))
    t.ok(gone(c), "objects nested 5,000 deep: closed")
    c = rtmp.RtmpConnection("127.0.0.1", m.rtmp)
    c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    c.handshake()
    c.connect("live", f"rtmp://127.0.0.1:{m.rtmp}/live")
    flood(c, rtmp.chunks(3, 20, rtmp.amf("createStream", 2, None)) * 300000)
    t.like(m.wait_log(r"[^\n]*rtmp\.max_unread[^\n]*")[0], "does not read", "one that asks and does not read: closed, and the log says why")
    c.close()
    t.ok(big() < (200 << 20) * SLOW, f"an ingest's memory stayed bounded ({big() >> 20} MB)")
    t.ok(rss_bytes(m.proc.pid) < rss + (16 << 20) * SLOW, "so did the supervisor's")
    t.ok(alice.is_alive() and bob.is_alive(), "both publishers publish on")
    t.none(player.stop().check(), "the player saw nothing")
    t.is_(player.discontinuities(), 0, "no discontinuity")
    t.is_([p["kind"] for p in m.status()["processes"] if p["restarts"]], [], "nothing was restarted")
