#!/usr/bin/python3
"""700-kill-children: kill -9 of every kind of child under live streams; media is compared frame by frame."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

from media import compare, flv_frames

# MILLRACE_ROUNDS=10 MILLRACE_STREAMS=8 is the long run: hundreds of kills in six minutes.
ROUNDS = int(os.environ.get("MILLRACE_ROUNDS", "1"))
NAMES = [f"s{n}" for n in range(int(os.environ.get("MILLRACE_STREAMS", "4")))]
SECONDS = 9 + 36 * ROUNDS
KINDS = ["http", "registry", "redis"]

with Test(__doc__, limit=140 + 40 * ROUNDS) as t:
    m = t.server(**{"streams.reconnect_delay": "1s", "streams.cleanup_delay": "3s", "http.workers": 2})
    clip = clips.clip(seconds=SECONDS)
    players = {n: t.player(m, n) for n in NAMES}
    for n in NAMES:
        t.publish(m, n, clip)
    for n in NAMES:
        m.wait_playlist(n, 2)
    rnd, kills, killed = random.Random(7), 0, {}
    fds = fd_count(m.proc.pid)
    while t.publishers[0].sent_ms < (SECONDS - 9) * 1000:
        # Of those that are there (one may wait for its next start) the one that was killed least.
        kind = min(filter(m.pids, KINDS), key=lambda k: killed.get(k, 0), default="ffmpeg") if kills % 2 else "ffmpeg"
        pids = m.pids(kind)
        if not pids:
            time.sleep(0.05)
            continue
        os.kill(rnd.choice(pids), signal.SIGKILL)
        kills += 1
        killed[kind] = killed.get(kind, 0) + 1
        pause = time.monotonic() + rnd.uniform(0.3, 1.2)
        wait_for("next", lambda: time.monotonic() > pause, 3)
    t.is_(sorted(killed), sorted(["ffmpeg", *KINDS]), f"{kills} kills: {killed}")
    wait_for("all back", lambda: len(m.pids("ffmpeg")) == len(NAMES) and m.pids("registry") and m.pids("redis") and len(m.pids("http")) == 2, 40, 0.1)
    t.ok(True, "all kinds are back by themselves")
    zombies = [p for p, (_, state, _) in descendants(m.proc.pid).items() if state == "Z"]
    t.is_(zombies, [], "no zombie")
    t.ok(fd_count(m.proc.pid) <= fds + 8, f"no leaked descriptor ({fds} -> {fd_count(m.proc.pid)})")
    for p in t.publishers:
        p.finished.wait(60)
        t.ok(p.error is None, f"{p.name_}: the publisher noticed nothing", str(p.error))
        p.end()
    with open(clip, "rb") as f:
        video, audio = flv_frames(f.read())
    for name, player in players.items():
        t.ok(player.ended.wait(20 * SLOW), f"{name}: ENDLIST")
        t.none(player.stop().check(), f"{name}: RFC 8216 all the way")
        got_video, got_audio = player.frames()
        t.none(compare([h for _, h in video], got_video, "video"), f"{name}: every slice exactly once")
        t.none(compare([h for _, h in audio], got_audio, "audio"), f"{name}: every audio frame exactly once")
    wait_for("files gone", lambda: os.listdir(f"{m.data}/hls") == [], 15)
    t.ok(True, "no file is left")
