#!/usr/bin/python3
"""601-redis-switch: from the embedded Redis to a shared one: refused while the old one has data, with a list; redis.abandon_embedded lets it."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *


def own_redis(t):
    port = free_port()
    t.spawn(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", t.dir, "--save", ""])

    def up():
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0
    wait_for("redis", up)
    return f"redis://127.0.0.1:{port}"


with Test(__doc__) as t:
    m = t.server()
    wait_for("healthy", lambda: m.cli("status").returncode == 0, 10, 0.2)
    m.stop()
    said = len(m.log())
    files = [f"{d}/{f}" for d, _, names in os.walk(f"{m.data}/redis") for f in names if f.endswith((".aof", ".rdb"))]
    files = [f for f in files if os.path.getsize(f) > 0]
    t.ok(files, "the embedded Redis has left data")
    m.configure({"redis.url": own_redis(t)})
    m.start(wait=False)
    t.is_(m.proc.wait(10 * SLOW), 1, "another redis.url: it does not start")
    text = m.log()[said:]
    t.like(text, r'redis\.url is no longer .*embedded.* left data in .*/redis: ', "and says why")
    t.none([f for f in files if os.path.basename(f) not in text], "it lists every file that would be left behind")
    t.like(text, r"redis\.abandon_embedded: true", "and what would let it")
    before = {f: os.stat(f).st_size for f in files}
    m.configure({"redis.abandon_embedded": True})
    m.start()
    wait_for("healthy", lambda: m.cli("status").returncode == 0, 10, 0.2)
    t.is_(m.pids("redis"), [], "with it the shared one is used, and none of its own")
    t.is_({f: os.stat(f).st_size for f in files if os.path.exists(f)}, before, "the data stay where they are")
    m.stop()
    m.configure({"redis.url": "embedded"})
    m.start()
    t.ok(wait_for("its own Redis", lambda: m.pids("redis")), "and the way back is open")
