#!/usr/bin/python3
"""103-stop-live: a graceful stop with live streams: under 5 s, every playlist has its ENDLIST."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

with Test(__doc__) as t:
    m = t.server()
    names = ["a", "b", "c"]
    for n in names:
        t.publish(m, n)
    for n in names:
        m.wait_playlist(n, 2)
    lists = {}

    def last_words():
        """The files as they are while the server goes down: they may be cleaned up with it."""
        for n in names:
            try:
                with open(f"{m.hls_dir(n)}/live.m3u8") as f:
                    lists[n] = f.read()
            except OSError:
                pass
        return m.proc.poll() is not None

    t0 = time.monotonic()
    m.proc.terminate()
    wait_for("exit", last_words, 15, 0.01)
    took = time.monotonic() - t0
    t.is_(m.proc.returncode, 0, "exit code 0")
    t.ok(took < 5 * SLOW, f"took {took:.1f} s, under 5")
    last_words()
    t.is_([n for n in names if "#EXT-X-ENDLIST" not in lists.get(n, "")], [], "every playlist has its ENDLIST")
    for p in t.publishers:
        t.ok(p.finished.wait(5), f"{p.name_}: the publisher's connection is closed")

    m = t.server()
    t.publish(m, "hung")
    m.wait_playlist("hung", 2)
    for pid in m.pids("ingest") + m.pids("ffmpeg"):
        os.kill(pid, signal.SIGSTOP)
    t0 = time.monotonic()
    m.proc.terminate()
    m.proc.wait(20)
    took = time.monotonic() - t0
    t.ok(took < 5 * SLOW, f"with a hung ingest and ffmpeg: {took:.1f} s, under 5")
