#!/usr/bin/python3
"""801-fuzzed-port: mutated handshakes, commands and media on the live port for some seconds: nothing crashes, publishers unharmed."""
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


def in_one_burst(m, rnd, base):
    """All of a session, mutated anywhere: what comes before a publisher is let in."""
    c = rtmp.RtmpConnection("127.0.0.1", m.rtmp, timeout=2)
    try:
        c.handshake()
        c.sock.sendall(mutated(rnd, base))
        c.sock.shutdown(socket.SHUT_WR)
        while c.sock.recv(65536):
            pass
    except OSError:
        pass
    finally:
        c.close()


def tag_mutated(rnd, body):
    """Mostly its head, where codec, frame type and lengths are."""
    out = bytearray(body)
    for _ in range(rnd.choice((1, 1, 3))):
        at = rnd.randrange(min(len(out), rnd.choice((2, 6, 24, 10000)))) if out else 0
        what = rnd.randrange(5)
        if what == 0 and out:
            out[at] ^= 1 << rnd.randrange(8)
        elif what == 1 and out:
            out[at] = rnd.choice((0x00, 0x01, 0x12, 0x17, 0x27, 0x80, 0x90, 0xAF, 0xFF))
        elif what == 2:
            del out[at:]
        elif what == 3:
            del out[at:at + rnd.randrange(1, 32)]
        else:
            out[at:at] = rnd.randbytes(rnd.randrange(1, 32))
    return bytes(out)


def media_mutated(rnd, clips_tags):
    """Some seconds of a clip, perhaps with another codec amid; times jump, tags are mutated, lost, doubled and swapped."""
    tags = rnd.choice(clips_tags)[:rnd.choice((60, 150, 300))]
    if rnd.random() < 0.3:
        at = rnd.randrange(len(tags))
        tags = tags[:at] + [(k, tags[at][1] + ts, b) for k, ts, b in rnd.choice(clips_tags)[:60]] + tags[at:]
    shift, rate = rnd.choice((0, 0, 0x7FFFFF00, 0xFFFFF000)), rnd.choice((0.01, 0.05, 0.25))
    for n, (kind, ts, body) in enumerate(tags):
        if rnd.random() < 0.02:
            shift += rnd.choice((-70000, -500, 500, 70000, 1 << 31))
        if n > 4 and rnd.random() < rate:       # the first ones, headers, stay in most sessions
            body = tag_mutated(rnd, body)
            kind = rnd.choice((kind, kind, kind, 8, 9, 18))
        elif rnd.random() < 0.01:
            body = tag_mutated(rnd, body)
        for _ in range(rnd.choice((0, 2)) if rnd.random() < rate / 4 else 1):
            yield kind, (ts + shift) & 0xFFFFFFFF, body


def once_let_in(m, rnd, name, clips_tags):
    """Waits for its onStatus, so that what is mutated is media. True: it was let in."""
    c, let_in = rtmp.RtmpConnection("127.0.0.1", m.rtmp, timeout=5 * SLOW), False
    try:
        c.handshake()
        c.connect("live", f"rtmp://127.0.0.1:{m.rtmp}/live")
        c.publish(name)
        let_in = True
        for kind, ts, body in media_mutated(rnd, clips_tags):
            c.tag(kind, ts, body)
            if rnd.random() < 0.01:
                time.sleep(0.1)     # more than a tick
        time.sleep(rnd.choice((0, 0, 0.3)))
    except (OSError, rtmp.Refused):
        pass
    finally:
        c.close()
    return let_in


with Test(__doc__, limit=150 + SECONDS) as t:
    m = t.server(**{"rtmp.handshake_timeout": "2s", "streams.reconnect_delay": "200ms", "streams.cleanup_delay": "100ms",
        "streams.silence": "100ms", "streams.ring": "1MiB", "streams.record.path": "recordings/{stream}/{start}.mp4"})
    clips_tags = []
    for path in [clips.clip(seconds=12)] + [clips.enhanced(v, a) for v, a in (("hevc", "aac"), ("av1", "opus"), ("vp9", "opus"))]:
        with open(path, "rb") as f:
            clips_tags.append(list(rtmp.flv_tags(f.read())))
    base = session(clips_tags[0][:120])
    alice = t.publish(m, "alice", clips.clip(seconds=max(60, SECONDS + 30)))
    m.wait_playlist("alice", 2)
    player = t.player(m, "alice")
    rnd, bursts, tries, let_in, end = random.Random(os.getpid()), 0, 0, 0, time.monotonic() + SECONDS
    while time.monotonic() < end and m.alive():
        in_one_burst(m, rnd, base)
        bursts += 1
        let_in += once_let_in(m, rnd, f"fuzz{tries}", clips_tags)
        tries += 1
    t.ok(bursts > 5, f"{bursts} mutated sessions")
    t.ok(tries > 5 and let_in >= tries * 0.9, f"of {tries} with mutated media {let_in} were let in")
    live = len(set(re.findall(r'proc=ingest pid=(\d+) stream=fuzz\d+ .*msg="?live', m.log())))
    t.ok(live >= tries * 0.6, f"and {live} were live")
    bad = [l for l in m.log().splitlines() if re.search(r"SIGSEGV|SIGABRT|SIGBUS|SIGFPE|signal (6|11|7|8)\b", l)]
    t.none(bad, "nothing crashed")
    t.ok(m.alive(), "millraced lives")
    t.ok(alice.is_alive(), "the publisher publishes on")
    t.none(player.stop().check(), "its player saw nothing")
    wait_for("ingests leave", lambda: len(m.pids("ingest")) == 1, 20, 0.1)
    t.ok(True, "no ingest is left over")
