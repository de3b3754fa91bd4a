#!/usr/bin/python3
"""820-log-pipe-full: stderr on a pipe that nobody reads: nothing blocks."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

import fcntl

with Test(__doc__) as t:
    m = t.server(start=False)
    r, w = os.pipe()
    fcntl.fcntl(w, 1031, 4096)      # F_SETPIPE_SZ
    os.set_blocking(w, False)
    try:
        while os.write(w, b"x" * 512):
            pass
    except BlockingIOError:
        pass
    os.set_blocking(w, True)
    m.start(stderr=w)
    p = t.publish(m, "alice")
    t.ok(p.join_live(), "a publisher gets in")
    m.wait_playlist("alice", 3)
    t.ok(True, "segments come")
    t.is_(m.cli("status").returncode, 0, "status answers")
    drained = os.read(r, 65536)
    t.ok(b"x" in drained, "the pipe was full")
    os.set_blocking(r, False)

    def count_is_told():
        try:
            return b"dropped" in os.read(r, 65536)
        except BlockingIOError:
            return False
    m.cli("loglevel", "info")
    wait_for("the count of dropped lines", count_is_told, 10)
    t.ok(True, "once there is room, the log says how many lines it dropped")
    code, took = m.stop()
    t.is_(code, 0, f"stops in {took:.1f} s")
