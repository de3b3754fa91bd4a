#!/usr/bin/python3
"""600-redis-away: killed, hung and away under live streams: no viewer notices, status says it, all comes back."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *



class OwnRedis:
    """A Redis of the test's, as a shared one would be."""

    def __init__(self, t):
        self.t, self.port, self.dir = t, free_port(), tempfile.mkdtemp(dir=t.dir)

    def start(self):
        self.proc = self.t.spawn(["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.dir,
            "--appendonly", "yes", "--save", ""])
        def up():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", self.port)) == 0
        wait_for("redis", up)

    def cli(self, *args):
        return subprocess.run(["redis-cli", "-p", str(self.port), *args], stdout=subprocess.PIPE, text=True).stdout


def redis_ok(m):
    return m.cli("status").returncode == 0


with Test(__doc__, limit=140) as t:
    own = OwnRedis(t)
    own.start()
    m = t.server(**{"redis.url": f"redis://127.0.0.1:{own.port}", "redis.retry_max": "1s"})
    emb = t.server(**{"redis.retry_max": "1s"})
    for s in (m, emb):
        t.publish(s, "alice", clips.clip(seconds=120)).join_live()
        s.wait_playlist("alice", 2)
    players = [t.player(m, "alice"), t.player(emb, "alice")]
    wait_for("healthy", lambda: redis_ok(m) and redis_ok(emb), 10, 0.2)
    wait_for("lease in Redis", lambda: "alice" in own.cli("keys", "millrace:*"), 5, 0.2)
    t.ok(True, "the stream's lease is in Redis")
    own.proc.kill()
    own.proc.wait()
    os.kill(emb.pids("redis")[0], signal.SIGKILL)
    wait_for("status says it", lambda: m.cli("status").returncode == 1, 15, 0.2)
    t.like(m.cli("status").stdout, r"(?i)redis", "away: status names Redis, exit code 1")
    new = t.publish(m, "bob")
    t.ok(new.join_live(10 * SLOW), "when_down: allow: a new publisher is let in")
    wait_for("embedded back", lambda: emb.pids("redis") and redis_ok(emb), 30, 0.3)
    t.ok(True, "the embedded one is back by itself")
    own.start()
    wait_for("back", lambda: redis_ok(m), 20, 0.3)
    wait_for("state rebuilt", lambda: all(n in own.cli("keys", "millrace:*") for n in ("alice", "bob")), 20, 0.3)
    t.ok(True, "restarted: both leases are there again")
    own.cli("flushall")
    wait_for("rebuilt after loss", lambda: "alice" in own.cli("keys", "millrace:*"), 30, 0.3)
    t.ok(True, "emptied: the state is rebuilt")
    own.proc.send_signal(signal.SIGSTOP)
    wait_for("hung is seen", lambda: m.cli("status").returncode == 1, 20, 0.3)
    own.proc.send_signal(signal.SIGCONT)
    wait_for("healthy again", lambda: redis_ok(m), 20, 0.3)
    t.ok(True, "hung and back: status says it, then is healthy")
    for p in players:
        t.none(p.stop().check(), "no viewer noticed")
        t.ok(p.max_stall < 3 * SLOW, f"no stall ({p.max_stall:.1f} s)")
        t.is_(p.discontinuities(), 0, "no discontinuity")
    m.configure({"redis.when_down": "refuse"})
    m.cli("reload")
    own.proc.kill()
    own.proc.wait()
    wait_for("status says it", lambda: m.cli("status").returncode == 1, 15, 0.2)
    carl = t.publish(m, "carl")
    carl.finished.wait(10 * SLOW)
    t.like(str(carl.error), r"(?i)redis|later|unavail", "when_down: refuse: a new publisher is told why")
