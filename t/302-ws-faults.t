#!/usr/bin/python3
"""302-ws-faults: the ffmpeg that takes a room in is killed, stopped, or slow; the sender is asked to wait, or to begin again."""
import os, re, signal, sys, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import clips
from millrace import SLOW, Test, rss_bytes, wait_for
from ws import Closed, WebSocket
from ws_publisher import WsPublisher


def intake(m, name):
    """The pid of its ffmpeg, None while there is none."""
    s = m.stream(name)
    return next((o["pid"] for o in s["outputs"] if o["kind"] == "intake" and o["state"] == "up"), None) if s else None


def segments(m, name):
    found = re.search(r"MEDIA-SEQUENCE:(\d+)", m.playlist(name))
    return int(found.group(1)) + m.playlist(name).count("#EXTINF") if found else 0


with Test("rooms whose ffmpeg fails") as t:
    m = t.server(**{"ws.buffer": "256KiB", "ws.stuck": "2s", "streams.reconnect_delay": "30s"})

    # killed: another one goes on from the next point of the container
    kinds = ("vp8", "fmp4", "ts")
    files = {k: clips.container(k) for k in (*kinds, "ogg")}    # made first: nobody waits
    pubs = {k: WsPublisher(m.http, k, files[k], 30) for k in kinds}
    # ... or there is none: who can begin again is asked to, others are closed
    pubs.update(ogg=WsPublisher(m.http, "ogg", files["ogg"], 30),
        ogg2=WsPublisher(m.http, "ogg2", files["ogg"], 30, query="&restart=1", again=True))
    killed, had = {}, {}
    for p in pubs.values():
        t.publishers.append(p)
        p.start()
    for k in pubs:
        m.wait_playlist(k, 1, 40)
        killed[k] = wait_for("its ffmpeg is up", lambda: intake(m, k), 20)
        os.kill(killed[k], signal.SIGKILL)
    for k in kinds:
        wait_for(f"{k}: another ffmpeg", lambda: intake(m, k) not in (None, killed[k]), 20)
        had[k] = segments(m, k)
    for k in kinds:
        wait_for(f"{k}: segments go on", lambda: segments(m, k) > had[k] + 1, 40)
        t.ok(pubs[k].is_alive() and pubs[k].error is None, f"{k}: its ffmpeg is killed: the stream goes on, the publisher stays", str(pubs[k].error))
        pubs[k].finish()
        t.is_((pubs[k].error, pubs[k].code), (None, 1000), f"{k}: and ends as it should")
    wait_for("ogg: it is closed", lambda: not pubs["ogg"].is_alive(), 20)
    t.is_(pubs["ogg"].code, 1012, "a client that can't begin again gets 1012")
    wait_for("ogg2: it is asked", lambda: pubs["ogg2"].state("restart"), 20)
    t.ok(pubs["ogg2"].is_alive(), "one that can is asked to")
    wait_for("ogg2: another ffmpeg", lambda: intake(m, "ogg2") not in (None, killed["ogg2"]), 20)
    had = segments(m, "ogg2")
    wait_for("ogg2: segments of the new file", lambda: segments(m, "ogg2") > had + 3, 40)
    t.ok(pubs["ogg2"].is_alive() and not pubs["ogg2"].again, "and its new file goes on", str(pubs["ogg2"].error))
    pubs["ogg2"].finish()
    t.is_((pubs["ogg2"].error, pubs["ogg2"].code), (None, 1000), "and ends as it should")

    # a page's recorder begins again: a new file on the same connection, amid a block of the old one
    data, h264 = (open(clips.container(k), "rb").read() for k in ("vp8", "h264"))
    p = WsPublisher(m.http, "again", [data[:len(data) // 5], h264], 30)
    t.publishers.append(p)
    p.start()
    m.wait_playlist("again", 2, 40)
    wait_for("the new file is on its way", lambda: p.sent > len(p.parts[0]), 20)
    had = segments(m, "again")
    wait_for("segments of the new file", lambda: segments(m, "again") > had + 3, 40)
    t.ok(p.is_alive() and p.error is None, "a new file on the same connection goes on", str(p.error))
    t.like(m.playlist("again"), "EXT-X-DISCONTINUITY", "with a discontinuity")
    p.finish()

    # stopped: it takes nothing. The sender waits, memory stays bounded, then the ffmpeg is replaced.
    ws = WebSocket(m.http, "/ws?role=publisher&streamKey=slow")
    ws.sock.settimeout(0.5)
    sent = 0
    pid = None
    for at in range(0, len(data), 16384):
        ws.send(data[at:at + 16384])
        sent = at + 16384
        if pid is None and sent > 65536:
            pid = wait_for("slow: ffmpeg is up", lambda: intake(m, "slow"), 20)
            os.kill(pid, signal.SIGSTOP)
            break
    ingest = max(m.pids("ingest"))
    before = rss_bytes(ingest)
    blocked = False
    end = time.monotonic() + 20 * SLOW
    while time.monotonic() < end and not blocked:       # as much as it takes: a browser would do the same
        try:
            ws.send(data[sent % len(data):sent % len(data) + 65536], opcode=2)
            sent += 65536
        except OSError:
            blocked = True
    t.ok(blocked, f"the sender has to wait after {sent >> 10} KiB")
    t.ok(rss_bytes(ingest) - before < 8 << 20, "the ingest's memory is bounded", f"{(rss_bytes(ingest) - before) >> 10} KiB more")
    wait_for("slow: it is replaced", lambda: intake(m, "slow") not in (None, pid), 30)
    t.ok(True, "an ffmpeg that takes nothing is replaced")
    said = []
    try:
        while len(said) < 50:
            said.append(ws.json())
    except (OSError, Closed, ValueError):
        pass
    t.ok(any(s.get("state") == "slow" for s in said), "the sender was told", repr(said))
    ws.abort()
    t.ok(m.alive() and m.get("/healthz")[0] == 200, "nobody else noticed")
