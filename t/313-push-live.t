#!/usr/bin/python3
"""313-push-live: targets come and go while a stream is live, by CLI, API and reload; others are not touched; what was added outlives a restart."""
import os, stat, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

from rtmp_target import RtmpTarget, push_of

KEYS = ["k3yone", "k3ytwo", "k3ythree", "k3yfour"]


def call(m, method, path, body=None, headers={}):
    c = http.client.HTTPConnection("127.0.0.1", m.http, timeout=10 * SLOW)
    c.request(method, path, body=json.dumps(body) if isinstance(body, dict) else body, headers=headers)
    r = c.getresponse()
    data = r.read()
    c.close()
    return r.status, {k.lower(): v for k, v in r.getheaders()}, data


def up(m, id, name="alice"):
    return wait_for(f"{id} is up", lambda: (o := push_of(m, name, id)).get("state") == "up" and o, 15)


with Test(__doc__, 200) as t:
    targets = [RtmpTarget() for _ in KEYS]
    urls = [target.url(key) for target, key in zip(targets, KEYS)]
    m = t.server(push=[{"id": "one", "url": urls[0]}])
    t.publish(m, "alice", clips.clip(60, 1.0)).join_live()
    pid = up(m, "one")["pid"]
    # CLI
    r = m.cli("push", "add", "alice", "two", urls[1])
    t.is_((r.returncode, r.stdout.strip()), (0, f"alice is pushed to rtmp://127.0.0.1:{targets[1].port}/live/***"), "push add")
    up(m, "two")
    t.is_(targets[1].sessions[0].name_, KEYS[1], "it goes there with its key")
    r = m.cli("push", "list", "alice")
    t.like(r.stdout, r"\n\* +one .*/live/\*\*\* +config +up\nalice +two .*/live/\*\*\* +added +up\n", "push list")
    t.like(m.cli("push", "list").stdout, r"\nalice +two .*/live/\*\*\* +added +up\n", "of all streams: its state")
    r = m.cli("push", "add", "alice", "two", urls[1])
    t.ok(r.returncode == 1 and "remove that first" in r.stderr, "not twice", r.stderr)
    r = m.cli("push", "add", "alice", "one", urls[1])
    t.ok(r.returncode == 1 and "the config has a push of this id" in r.stderr, "nor as one that the config has", r.stderr)
    for args, words in ((("alice", "x", "http://h/a/b"), "begin with rtmp://"), (("alice", "x y", urls[1]), "an id is of"),
            (("a/b", "x", urls[1]), "stream's name"), (("alice", "x", "rtmp://h/a/{key}"), "variable")):
        r = m.cli("push", "add", *args)
        t.ok(r.returncode == 1 and words in r.stderr, f"push add {args[1]!r}: {r.stderr.strip()}")
    # API
    path = "/api/v1/streams/alice/push"
    status, headers, body = call(m, "POST", path, {"id": "three", "url": urls[2]})
    t.is_((status, json.loads(body)["target"]), (201, f"rtmp://127.0.0.1:{targets[2].port}/live/***"), "POST")
    t.ok(not any(h.startswith("access-control") for h in headers), "no CORS")
    up(m, "three")
    status, _, body = call(m, "GET", path)
    got = [(p["id"], p["from"], p["state"]) for p in json.loads(body)["pushes"]]
    t.is_((status, got), (200, [("one", "config", "up"), ("two", "added", "up"), ("three", "added", "up")]), "GET")
    t.none([k for k in KEYS if k in body.decode()], "without keys")
    for what, want, args in (("from a page", 403, ("POST", path, {"id": "x", "url": urls[3]}, {"Origin": "http://evil.example"})),
            ("for somebody else", 403, ("GET", path, None, {"X-Forwarded-For": "192.0.2.1"})),
            ("no JSON", 400, ("POST", path, "{")), ("no URL", 400, ("POST", path, {"id": "x"})),
            ("a bad URL", 400, ("POST", path, {"id": "x", "url": "rtmp://h"})),
            ("twice", 409, ("POST", path, {"id": "three", "url": urls[3]})),
            ("a bad name", 404, ("GET", "/api/v1/streams/..%2f/push")), ("PUT", 405, ("PUT", path)),
            ("none to remove", 404, ("DELETE", path + "/nobody")), ("too long", 413, ("POST", path, "x" * 70000))):
        t.is_(call(m, *args)[0], want, f"{what}: {want}")
    t.is_(call(m, "DELETE", path + "/three")[0], 200, "DELETE")
    wait_for("its end reaches the target", lambda: targets[2].sessions[0].unpublished, 10)
    wait_for("it is gone", lambda: not push_of(m, "alice", "three"), 5)
    t.is_(push_of(m, "alice", "one")["pid"], pid, "the first one was not touched by any of this")
    # reload
    m.configure({"push": [{"id": "one", "url": urls[0]}, {"id": "four", "url": urls[3], "stream": "a?ice"}]})
    r = m.cli("reload")
    t.like(r.stdout, r"changed now:\n  push: \[one of \* to rtmp://.*/live/\*\*\*\] -> \[one .*, four of a\?ice to rtmp://.*/live/\*\*\*\]\n",
        "reload: at once")
    t.none([key for key in KEYS if key in r.stdout], "and without keys")
    up(m, "four")
    t.is_(push_of(m, "alice", "one")["pid"], pid, "what has not changed goes on")
    m.configure({"push": [{"id": "one", "url": urls[2]}, {"id": "four", "url": urls[3], "stream": "b*"}]})
    m.cli("reload")
    wait_for("the first one ends", lambda: targets[0].sessions[0].unpublished, 10)
    wait_for("and goes elsewhere", lambda: len(targets[2].publishing()) == 1, 10)
    wait_for("the one that does not fit any more ends", lambda: targets[3].sessions[0].unpublished, 10)
    t.is_((len(targets[1].sessions), targets[1].sessions[0].over), (1, False), "the added one goes on")
    # a target of the config, removed while live
    r = m.cli("push", "remove", "alice", "one")
    t.like(r.stdout, "remove it there, too", "one of the config can be ended, too")
    wait_for("it ends", lambda: not targets[2].publishing(), 10)
    t.like(m.cli("push", "list", "alice").stdout, r"one .* removed\n", "the list says so")
    # restart
    saved = os.stat(f"{m.data}/push.json")
    t.is_(stat.S_IMODE(saved.st_mode), 0o600, "push.json is for our eyes only")
    m.stop()
    wait_for("all ends", lambda: not targets[1].publishing(), 10)
    m.start()
    t.publish(m, "alice", clips.clip(60, 1.0)).join_live()
    up(m, "two")
    up(m, "one")
    t.ok(True, "after a restart: the added one is there, and that of the config is back")
    r = m.cli("push", "remove", "alice", "two")
    t.is_((r.returncode, r.stdout), (0, "push two of alice was removed\n"), "push remove")
    wait_for("its end reaches the target", lambda: not targets[1].publishing(), 10)
    r = m.cli("push", "remove", "alice", "two")
    t.ok(r.returncode == 1 and "has no push two" in r.stderr, "only once", r.stderr)
    # with a token
    m.configure({"http.api_token": "t0ken-t0ken"})
    m.cli("reload")
    wait_for("the token counts", lambda: call(m, "GET", path)[0] == 401, 5)
    t.is_(call(m, "GET", path, None, {"Authorization": "Bearer t0ken-t0ken"})[0], 200, "with the token it may")
    text = m.log() + json.dumps(m.status()) + m.cli("status").stdout
    t.none([k for k in KEYS if k in text], "no key in log or status")
    for target in targets:
        target.close()
