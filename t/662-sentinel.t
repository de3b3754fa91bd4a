#!/usr/bin/python3
"""662-sentinel: redis.url: sentinel://...: a master that dies and one that is put down; streams go on, the new one has it all."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

MASTER = "mill"


def redis_cli(port, *args):
    return subprocess.run(["redis-cli", "-p", str(port), *args], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True).stdout.strip()


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def server(t, port, *args):
    home = f"{t.dir}/redis-{port}"
    os.makedirs(home, exist_ok=True)
    p = t.spawn(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", home, *args])
    wait_for("redis", lambda: listens(port))
    return p


def sentinel(t, port, master):
    path = f"{t.dir}/sentinel-{port}.conf"
    with open(path, "w") as f:
        f.write(f"port {port}\nbind 127.0.0.1\ndir {t.dir}\nsentinel monitor {MASTER} 127.0.0.1 {master} 2\n"
            f"sentinel down-after-milliseconds {MASTER} 1000\nsentinel failover-timeout {MASTER} 5000\n")
    p = t.spawn(["redis-server", path, "--sentinel"])
    wait_for("sentinel", lambda: listens(port))
    return p


def has_lease(port):
    return redis_cli(port, "exists", "millrace:lease:alice") == "1" and redis_cli(port, "role").startswith("master")


def healthy(m):
    return m.cli("status").returncode == 0


def has_peer(pid, port):
    """A connection of the process to this port of ours."""
    with open("/proc/net/tcp") as f:
        inodes = {f"socket:[{w[9]}]" for w in map(str.split, f) if w[2].endswith(f":{port:04X}") and w[3] == "01"}
    return any(os.readlink(f"/proc/{pid}/fd/{n}") in inodes for n in os.listdir(f"/proc/{pid}/fd"))


with Test(__doc__, limit=140) as t:
    a, b, dead = free_port(), free_port(), free_port()
    servers = {a: server(t, a), b: server(t, b, "--replicaof", "127.0.0.1", str(a))}
    ports = [free_port() for _ in range(3)]
    sentinels = [sentinel(t, p, a) for p in ports]
    wait_for("they know each other and the replica", lambda: all(redis_cli(p, "sentinel", "ckquorum", MASTER).startswith("OK 3")
        and "slave0" in redis_cli(a, "info", "replication") and str(b) in redis_cli(p, "sentinel", "replicas", MASTER)
        for p in ports), 20, 0.2)
    url = "sentinel://" + ",".join(f"127.0.0.1:{p}" for p in (dead, *ports)) + f"/{MASTER}"
    m = t.server(**{"redis.url": url, "redis.retry_max": "500ms"})
    wait_for("healthy", lambda: healthy(m), 15, 0.2)
    t.ok(True, "the first sentinel is not there: the second names the master")
    t.publish(m, "alice", clips.clip(seconds=120)).join_live()
    m.wait_playlist("alice", 2)
    player = t.player(m, "alice")
    wait_for("lease", lambda: has_lease(a), 10, 0.2)
    t.ok(True, "its lease is in the master")

    servers[a].kill()
    servers[a].wait()
    t0 = time.monotonic()
    wait_for("away is seen", lambda: not healthy(m), 10, 0.1)
    wait_for("the lease is in the new master", lambda: has_lease(b), 30, 0.1)
    wait_for("healthy", lambda: healthy(m), 15, 0.1)
    t.ok(True, f"kill -9 of the master: the new one is found, {time.monotonic() - t0:.1f} s after")
    wait_for("the jobs worker", lambda: m.cli("jobs").returncode == 0, 10, 0.2)
    t.ok(True, "the jobs worker has found it, too")

    servers[a] = server(t, a, "--replicaof", "127.0.0.1", str(b))
    wait_for("the old one follows", lambda: "slave0:ip=127.0.0.1" in redis_cli(b, "info", "replication") and
        "master_link_status:up" in redis_cli(a, "info", "replication") and
        str(a) in redis_cli(ports[1], "sentinel", "replicas", MASTER), 30, 0.2)
    wait_for("put down on purpose", lambda: redis_cli(ports[1], "sentinel", "failover", MASTER) == "OK", 20, 0.3)
    wait_for("a sentinel names the other", lambda: str(a) in redis_cli(ports[1], "sentinel", "get-master-addr-by-name", MASTER), 20, 0.05)
    t0 = time.monotonic()
    wait_for("connected to it", lambda: "addr=" in redis_cli(a, "client", "list") and
        m.log().count(f"the master is 127.0.0.1:{a} now, says a sentinel") >= 1, 15, 0.1)
    t.ok(time.monotonic() - t0 < 5 * SLOW, f"a planned failover: left the old master {time.monotonic() - t0:.1f} s after a sentinel knew")
    wait_for("healthy", lambda: healthy(m) and has_lease(a), 20, 0.2)
    t.ok(True, "and all is in the new one")

    wait_for("every worker is there", lambda: all(has_peer(pid, a) for pid in m.pids("jobs") + m.pids("registry")), 20, 0.2)
    for p in sentinels:
        p.kill()
        p.wait()
    seen = m.log().count("is away")
    wait_for("some time without sentinels", lambda: time.monotonic() - t0 > 6, 10)
    t.is_((m.status()["health"], m.log().count("is away")), ("healthy", seen), "without any sentinel, the master's connection goes on")
    t.none(player.stop().check(), "no viewer noticed any of it")

    bad = t.server(start=False, **{"redis.url": "sentinel://127.0.0.1:1"})
    r = subprocess.run(bad.argv("-t"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    t.ok(r.returncode == 1 and "sentinel://HOST:PORT,HOST:PORT/MASTER" in r.stdout, "-t: no master's name is an error that shows the form", r.stdout)
