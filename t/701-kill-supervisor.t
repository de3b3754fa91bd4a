#!/usr/bin/python3
"""701-kill-supervisor: kill -9 of millraced: children finish and leave; started again, every playlist is resumed."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *


def redis_servers(m):
    """Whoever started them: all whose command line has this server's socket."""
    found = []
    for pid in (p for p, (_, state, comm) in process_table().items() if comm == "redis-server" and state != "Z"):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                if m.conf["run_dir"].encode() + b"/" in f.read():
                    found.append(pid)
        except OSError:
            pass
    return found


with Test(__doc__) as t:
    m = t.server(**{"streams.reconnect_delay": "8s"})
    for n in ("a", "b"):
        t.publish(m, n)
    for n in ("a", "b"):
        m.wait_playlist(n, 3)
    players = {n: t.player(m, n) for n in ("a", "b")}
    wait_for("players", lambda: all(p.segments for p in players.values()), 10)
    children = set(descendants(m.proc.pid))
    redis = set(m.pids("redis"))
    m.proc.kill()
    m.proc.wait()

    def ours_left():
        t.left_over()
        return [p for p in children - redis if p in process_table()]

    wait_for("children leave", lambda: not ours_left(), 8, 0.1)
    t.ok(True, "all children left within 8 s")
    for p in t.publishers:
        t.ok(p.finished.wait(5), f"{p.name_}: publisher's connection is closed")
    text = {n: open(f"{m.hls_dir(n)}/live.m3u8").read() for n in players}
    t.is_([n for n in text if "ENDLIST" in text[n]], [], "no ENDLIST: they may come back")
    m.start()
    t.is_(m.cli("status").returncode in (0, 1), True, "started again")
    wait_for("healthy", lambda: m.cli("status").returncode == 0, 15, 0.2)
    t.is_(len(redis_servers(m)), 1, "one redis-server")
    back = {n: t.publish(m, n, start_ms=20000) for n in players}
    for n, p in back.items():
        p.join_live()
        wait_for(f"{n} goes on", lambda: players[n].discontinuities() >= 1 and p.sent_ms > 24000, 20)
        t.none(players[n].stop().check(), f"{n}: the same playlist goes on")
        video, audio = players[n].frames()
        t.ok(len(video) == len(set(video)), f"{n}: no frame twice")
