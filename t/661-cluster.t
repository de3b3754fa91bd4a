#!/usr/bin/python3
"""661-cluster: status --cluster: hosts on one Redis, their streams and jobs; a dead one, and what waits for it."""
import json, os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *


def cluster(m):
    r = m.cli("status", "--cluster", "--json")
    hosts = json.loads(r.stdout)["hosts"] if r.stdout else []
    return r.returncode, {h["name"]: h for h in hosts}


def counted(m):
    """Hosts alive and dead, by /metrics."""
    text = m.get("/metrics")[2].decode()
    return tuple(int(re.search(rf"^millrace_{n} (\d+)$", text, re.M).group(1)) for n in ("hosts", "hosts_dead"))


with Test(__doc__, limit=120) as t:
    port = free_port()
    t.spawn(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", t.dir])
    incoming = f"{t.dir}/incoming"
    os.mkdir(incoming)
    # Nobody is there: what is queued waits.
    s3 = {"endpoint": f"http://127.0.0.1:{free_port()}", "bucket": "b", "access_key": "a", "secret_key": "s", "attempts": 1}
    one, two = (t.server(start=False, **{"redis.url": f"redis://127.0.0.1:{port}", "host.name": n, "storage.s3": s3,
        "jobs.workers": 1, "jobs.uploads": 1, "jobs.retry_min": "1h", "jobs.retry_max": "1h"}) for n in ("one", "two"))
    two.configure({"watch": [{"dir": incoming, "extensions": ["bin"]}], "watch_quiet": "100ms"})
    for m in (one, two):
        m.start()
    wait_for("both are known", lambda: set(cluster(one)[1]) == {"one", "two"}, 15, 0.3)
    t.publish(two, "alice").join_live()
    two.wait_playlist("alice", 1)
    wait_for("its stream", lambda: cluster(one)[1]["two"]["streams"] == ["alice"], 15, 0.3)
    code, hosts = cluster(one)
    t.ok(code == 0 and all(h["alive"] and h["version"] and h["age_ms"] < 15000 for h in hosts.values()), "both are alive", hosts)
    t.is_([hosts[n]["streams"] for n in ("one", "two")], [[], ["alice"]], "each with its streams")
    t.like(one.cli("status", "--cluster").stdout, r"HOST +STATE.*\none +alive .*\ntwo +alive ", "a table")

    # The only worker of its host is stopped with the first file in hand; the second waits for it.
    names = ("one.bin", "two.bin", "three.bin")
    worker = two.pids("jobs")[0]
    os.kill(worker, signal.SIGSTOP)
    for name in names:
        with open(f"{incoming}/{name}", "wb") as f:
            f.write(os.urandom(1000))
    wait_for("its jobs wait", lambda: cluster(one)[1]["two"]["jobs"] == {"running": 0, "waiting": 3}, 15, 0.3)
    t.ok(True, "jobs that only it can do are counted as waiting")
    two.proc.kill()
    two.proc.wait()
    os.kill(worker, signal.SIGKILL)
    wait_for("it is dead", lambda: not cluster(one)[1]["two"]["alive"], 25, 0.5)
    code, hosts = cluster(one)
    t.is_((code, hosts["two"]["jobs"]["waiting"], hosts["one"]["alive"]), (1, 3, True), "its death is an exit code of 1, its jobs wait")
    t.like(one.cli("status", "--cluster").stdout, r"two +DEAD .*1 host is dead", "and said")
    wait_for("the next heartbeat", lambda: counted(one) == (1, 1), 15, 0.3)
    t.ok(True, "metrics count it as dead")
    t.like(one.cli("files").stdout, r"incoming/one\.bin +two .* waiting for two", "its files wait for it, says files")
    files = json.loads(one.cli("files", "--json").stdout)["files"]
    t.is_(sorted(os.path.basename(f["path"]) for f in files if f.get("waiting_for") == "two"), sorted(names), "as JSON, too")
    t.like(one.cli("jobs").stdout, r"upload +waiting for two", "so do its jobs")
    t.like(one.cli("status", "--cluster", "--watch").stderr, "can't be watched", "--cluster --watch is refused")
    two.start()
    wait_for("back", lambda: cluster(one)[1]["two"]["alive"], 15, 0.3)
    wait_for("metrics have it", lambda: counted(one) == (2, 0), 15, 0.3)
    wait_for("they are tried", lambda: cluster(one)[1]["two"]["jobs"]["waiting"] == 0, 15, 0.3)
    t.ok(True, "started again it does what waited")
    two.stop()
    wait_for("it has left", lambda: set(cluster(one)[1]) == {"one"}, 10, 0.3)
    t.ok(True, "a host that is stopped is not shown")
    wait_for("the next heartbeat", lambda: counted(one)[0] == 1, 15, 0.3)
    t.is_(counted(one), (1, 0), "nor is it dead to metrics")
