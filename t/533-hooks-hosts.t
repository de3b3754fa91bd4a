#!/usr/bin/python3
"""533-hooks-hosts: two hosts, one Redis: one delivers for both, the other takes over; nothing is lost, bounds hold."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *
from receiver import Receiver

broken = {"names": set()}


def answer(r):
    if r.path == "/late":
        time.sleep(1)
    return 500 if r.path == "/main" and r.json()["name"] in broken["names"] else 200


def cycle(t, m, name):
    p = t.publish(m, name)
    p.join_live()
    m.wait_stream(name, lambda s: s["state"] == "live" if "state" in s else s["since"])
    p.end()
    wait_for("over", lambda: not m.stream(name), 10, 0.1)


def names(rx, path="/main"):
    return [(r.json()["name"], r.json()["event"]) for r in rx.got(path)]


with Test(__doc__, limit=180) as t:
    rx = Receiver(free_port(), answer)
    port = free_port()
    t.spawn(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", t.dir])
    redis = lambda *a: subprocess.run(["redis-cli", "-p", str(port), *a], stdout=subprocess.PIPE, text=True).stdout.strip()
    life = ["publish", "unpublish"]
    conf = {"redis.url": f"redis://127.0.0.1:{port}", "streams.reconnect_delay": "0s", "streams.cleanup_delay": "0s", "hooks": {
        "networks": ["127.0.0.0/8"], "retry_min": "100ms", "retry_max": "1s", "max_waiting": 16, "timeout": "5s", "urls": [
            {"id": "main", "url": rx.url("/main"), "events": life}, {"id": "late", "url": rx.url("/late"), "events": life}]}}
    one, two = (t.server(**conf, **{"host.name": n}) for n in ("one", "two"))
    leader = lambda: redis("get", "millrace:hooks:leader").split(":")[0]
    wait_for("one leads", leader, 20, 0.2)
    host = {m: open(f"{m.data}/host_id").read().strip() for m in (one, two)}
    first, second = (one, two) if leader() == host[one] else (two, one)
    cycle(t, second, "alice")
    wait_for("delivered", lambda: len(names(rx)) == 2, 10)
    t.is_(names(rx), [("alice", "publish"), ("alice", "unpublish")], "events of the host that does not deliver arrive, once")
    cycle(t, first, "alice")
    wait_for("delivered", lambda: len(names(rx)) == 4, 10)
    t.is_(names(rx)[2:], [("alice", "publish"), ("alice", "unpublish")], "the stream moved: in order")
    broken["names"] = {"bob"}
    cycle(t, first, "bob")
    cycle(t, second, "carl")
    wait_for("carl", lambda: ("carl", "unpublish") in names(rx), 10)
    t.ok(("bob", "publish") not in names(rx), "what is refused of one stream holds up no other")
    listed = {h["id"]: h for h in json.loads(second.cli("hooks", "--json").stdout)["hooks"]}
    t.is_((listed["main"]["waiting"], listed["main"]["error"]), (2, "status 500"), "any host says what waits")
    first.proc.kill()
    first.proc.wait()
    broken["names"] = set()
    wait_for("bob by the other host", lambda: ("bob", "unpublish") in names(rx), 40, 0.2)
    mine = [e for n, e in names(rx) if n == "bob"]
    t.is_((mine[0], mine[-1]), ("publish", "unpublish"), "the deliverer killed: the other one goes on where it was")
    t.is_(leader(), host[second], "and is the one now")
    rx.down()
    for i in range(10):
        cycle(t, second, "dora")
    n = wait_for("bounded", lambda: (lambda h: h if h["main"]["lost"] else None)({h["id"]: h for h in
        json.loads(second.cli("hooks", "--json").stdout)["hooks"]}), 20, 0.3)["main"]
    t.is_(n["waiting"], 16, "hooks.max_waiting wait, no more")
    t.like(second.cli("status").stdout, r"webhooks do not take events", "status says so")
    rx.up()
    wait_for("they come", lambda: sum(1 for n, e in names(rx) if n == "dora") >= 16, 30, 0.2)
    got = [e for n, e in names(rx) if n == "dora"]
    t.is_(got[:16], ["publish", "unpublish"] * 8, "and come in order")
    t.is_(redis("hget", "millrace:hooks:waiting", "main"), "", "none is left")
    wait_for("nor for the slow one", lambda: redis("hget", "millrace:hooks:waiting", "late") == "", 40, 0.3)
    second.configure({"hooks": {**conf["hooks"], "urls": conf["hooks"]["urls"][1:]}})
    t.is_(second.cli("reload").returncode, 0, "a URL goes from the configuration")
    cycle(t, second, "eve")
    wait_for("the others go on", lambda: ("eve", "unpublish") in names(rx, "/late"), 40, 0.2)
    t.ok(("eve", "publish") not in names(rx), "and is told no more")
