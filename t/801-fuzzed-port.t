#!/usr/bin/python3
"""801-fuzzed-port: mutated sessions on the live port for some seconds: nothing crashes, publishers unharmed."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

import rtmp

SECONDS = int(os.environ.get("MILLRACE_FUZZ_SECONDS", "10"))


def session(tags):
    out = rtmp.chunks(2, 1, (4096).to_bytes(4, "big"))
    out += rtmp.chunks(3, 20, rtmp.amf("connect", 1, {"app": "live", "tcUrl": "rtmp://127.0.0.1/live"}), size=4096)
    out += rtmp.chunks(3, 20, rtmp.amf("createStream", 2, None), size=4096)
    out += rtmp.chunks(8, 20, rtmp.amf("publish", 3, None, "fuzz", "live"), stream=1, size=4096)
    return out + b"".join(rtmp.chunks(6, k, b, ts, 1, 4096) for k, ts, b in tags)


def mutated(rnd, data):
    out = bytearray(data)
    for _ in range(rnd.choice((1, 2, 8, 40))):
        at = rnd.randrange(len(out))
        what = rnd.randrange(4)
        if what == 0:
            out[at] ^= 1 << rnd.randrange(8)
        elif what == 1:
            out[at] = rnd.choice((0, 0x7F, 0x80, 0xFF))
        elif what == 2:
            del out[at:at + rnd.randrange(64)]
        else:
            out[at:at] = rnd.randbytes(rnd.randrange(64))
    return bytes(out)


with Test(__doc__, limit=150 + SECONDS) as t:
    m = t.server(**{"rtmp.handshake_timeout": "2s", "streams.reconnect_delay": "200ms", "streams.cleanup_delay": "100ms",
        "streams.silence": "100ms"})
    with open(clips.clip(seconds=12), "rb") as f:
        base = session(list(rtmp.flv_tags(f.read()))[:120])
    alice = t.publish(m, "alice", clips.clip(seconds=max(60, SECONDS + 30)))
    m.wait_playlist("alice", 2)
    player = t.player(m, "alice")
    rnd, n, end = random.Random(os.getpid()), 0, time.monotonic() + SECONDS
    while time.monotonic() < end and m.alive():
        try:
            c = rtmp.RtmpConnection("127.0.0.1", m.rtmp, timeout=2)
            c.handshake()
            c.sock.sendall(mutated(rnd, base))
            c.sock.shutdown(socket.SHUT_WR)
            while c.sock.recv(65536):
                pass
        except OSError:
            pass
        finally:
            c.close()
        n += 1
    t.ok(n > 5, f"{n} mutated sessions")
    bad = [l for l in m.log().splitlines() if re.search(r"SIGSEGV|SIGABRT|SIGBUS|SIGFPE|signal (6|11|7|8)\b", l)]
    t.none(bad, "nothing crashed")
    t.ok(m.alive(), "millraced lives")
    t.ok(alice.is_alive(), "the publisher publishes on")
    t.none(player.stop().check(), "its player saw nothing")
    wait_for("ingests leave", lambda: len(m.pids("ingest")) == 1, 20, 0.1)
    t.ok(True, "no ingest is left over")
