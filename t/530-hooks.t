#!/usr/bin/python3
"""530-hooks: every event reaches its URLs, in order, signed, through receivers that are down, slow or wrong, and kill -9."""
import base64, hashlib, hmac, os, re, sys, urllib.parse
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *
from receiver import Receiver

SECRET = "a secret of some length"
slow_s = 3.0


def answer(r):
    path = r.path.split("?")[0]
    if path == "/slow":
        time.sleep(slow_s)
    return {"/wrong": 500, "/redirect": 302}.get(path, 200)


def redis(m, *args):
    return subprocess.run(["redis-cli", "-s", f"{m.dir}/run/redis.sock", *args], stdout=subprocess.PIPE, text=True).stdout


LIFE = ("stream_started", "stream_interrupted", "stream_ended")     # as the supervisor calls them
KEPT = LIFE + ("record", "job", "error")       # in millrace:events, that is: no segments, no viewers


def truth(m, kinds=LIFE):
    """{stream: [event id ..]}, as the registry put them into Redis."""
    lines, found = redis(m, "--json", "xrange", "millrace:events", "-", "+"), {}
    for _, fields in json.loads(lines or "[]"):
        e = json.loads(dict(zip(fields[::2], fields[1::2]))["data"])
        if e["event"] in kinds:
            found.setdefault(e.get("name", ""), []).append(e["id"])
    return found


def listing_delay(m, name, samples=8):
    """Median of what status says, ms."""
    seen = []
    for _ in range(samples):
        seen.append(m.stream(name)["segment_delay_ms"])
        time.sleep(0.3)
    return sorted(seen)[samples // 2]


def told(rx, path):
    """The same as a receiver saw it, what is not kept left out: repeats are dropped, the first time counts."""
    found = {}
    for r in rx.got(path):
        e = r.json()
        if e["event"] in ("play", "stop", "segment"):
            continue
        ids = found.setdefault(e.get("name", ""), [])
        if e["id"] not in ids:
            ids.append(e["id"])
    return found


def cycle(t, m, name, seconds=1.0):
    p = t.publish(m, name)
    p.join_live()
    time.sleep(seconds)
    p.end()


def jwt_ok(r, key, secret):
    head, claims, sig = r.headers["authorization"].split(".")
    pad = lambda s: base64.urlsafe_b64decode(s + "=" * (-len(s) % 4))
    c = json.loads(pad(claims))
    return hmac.compare_digest(pad(sig), hmac.new(secret.encode(), f"{head}.{claims}".encode(), hashlib.sha256).digest()) \
        and c["iss"] == key and c["sha256"] == base64.b64encode(hashlib.sha256(r.body).digest()).decode() \
        and c["nbf"] < time.time() < c["exp"]


with Test(__doc__, limit=240) as t:
    rx = Receiver(free_port(), answer)
    other = Receiver(free_port(), answer)
    life = ["publish", "unpublish", "ended"]
    m = t.server(**{"streams.record.path": "recordings/{stream}/{start}.mp4", "streams.reconnect_delay": "1s", "streams.cleanup_delay": "500ms", "hooks": {
        "secret": SECRET, "networks": ["127.0.0.0/8"], "retry_min": "100ms", "retry_max": "500ms", "timeout": "5s",
        "urls": [
            {"id": "main", "url": rx.url("/main"), "events": life},
            {"id": "every", "url": rx.url("/every"), "events": [*life, *KEPT[3:], "play", "stop", "segment"]},
            {"id": "some", "url": rx.url("/some"), "events": ["publish"], "streams": "b*"},
            {"id": "media", "url": rx.url("/media"), "events": ["play", "stop", "segment"]},
            {"id": "files", "url": rx.url("/files"), "events": ["record", "job"], "streams": "bob"},
            {"id": "nginx", "url": rx.url("/nginx"), "style": "nginx-rtmp"},
            {"id": "kit", "url": rx.url("/kit"), "style": "livekit", "key": "APIk", "secret": SECRET + "!"},
            {"id": "slow", "url": other.url("/slow"), "events": life},
            {"id": "wrong", "url": other.url("/wrong"), "events": life},
            {"id": "redirect", "url": other.url("/redirect"), "events": life},
        ]}})
    alice = t.publish(m, "alice", clips.clip(seconds=120))
    alice.join_live()
    r = wait_for("publish", lambda: rx.got("/main", event="publish", name="alice"), 10)[0]
    e = r.json()
    t.is_((e["app"], e["protocol"], e["resumed"], e["peer"].split(":")[0]), ("live", "rtmp", False, "127.0.0.1"), "publish has what was promised")
    t.is_(r.headers["millrace-event"], e["id"], "and its id in the header")
    t.ok(r.signed(SECRET), "its signature is right")
    t.ok(not r.signed(SECRET + "x"), "and is one")
    q = wait_for("nginx-rtmp", lambda: [x for x in rx.got("/nginx") if b"call=publish&" in x.body], 5)[0]
    form = urllib.parse.parse_qs(q.body.decode(), keep_blank_values=True)
    t.is_((form["name"], form["app"], form["addr"], form["type"]), (["alice"], ["live"], ["127.0.0.1"], ["live"]), "style nginx-rtmp: its form")
    k = wait_for("livekit", lambda: rx.got("/kit"), 5)[0]
    t.is_((k.json()["event"], k.json()["ingressInfo"]["roomName"]), ("ingress_started", "alice"), "style livekit: its JSON")
    t.ok(jwt_ok(k, "APIk", SECRET + "!"), "with a JWT that its receivers accept")
    m.wait_playlist("alice", 2)
    segments = wait_for("segments", lambda: (lambda s: s if len(s) >= 3 else None)(rx.got("/media", event="segment")), 15)
    numbers = [s.json()["sequence"] for s in segments]
    t.is_(numbers, list(range(numbers[0], numbers[0] + len(numbers))), "segments come in order, none twice")
    t.ok(os.path.exists(segments[-1].json()["path"]), "and are where they are said to be")
    player = t.player(m, "alice")
    play = wait_for("play", lambda: rx.got("/media", event="play"), 10)[0].json()
    t.is_((play["name"], play["protocol"], play["peer"]), ("alice", "hls", "127.0.0.1"), "a viewer: play")
    cycle(t, m, "bob")
    wait_for("bob has ended", lambda: rx.got("/main", event="ended", name="bob"), 15)
    t.is_([r.json()["event"] for r in rx.got("/main", name="bob")], life, "publish, unpublish, ended")
    t.is_({r.json()["name"] for r in rx.got("/some")}, {"bob"}, "a URL with a pattern hears of its streams alone")
    raw, done = (wait_for(f"record {s}", lambda: rx.got("/files", event="record", state=s), 30)[0].json() for s in ("recorded", "finished"))
    t.is_((raw["name"], done["name"], os.path.basename(done["file"])[-4:]), ("bob", "bob", ".mp4"), "record: the raw file, then the MP4")
    t.ok(os.path.getsize(done["path"]) > 1000, "which is there")
    job = wait_for("job", lambda: rx.got("/files", event="job", state="done"), 10)[0].json()
    t.is_((job["kind"], job["name"]), ("finalise", "bob"), "job: what was done for it")
    t.like([x for x in rx.got("/nginx") if b"record_done" in x.body][0].body.decode(), r"&name=bob&path=%2F.*\.mp4$", "style nginx-rtmp: record_done")
    t.ok(len(other.got("/slow")) < 4, "all that while another one was slow")
    t.ok(not other.got("/followed"), "a redirect is not followed")
    listed = {h["id"]: h for h in json.loads(m.cli("hooks", "--json").stdout)["hooks"]}
    t.is_((listed["main"]["state"], listed["wrong"]["state"], listed["redirect"]["error"]), ("ok", "failing", "status 302"), "millrace hooks says who fails, and why")
    t.ok(listed["wrong"]["waiting"] >= 4, "and what waits")
    t.is_(m.cli("hooks", "retry", "wrong").stdout, f"wrong: {listed['wrong']['waiting']} to be tried again now\n", "all of which a retry counts, not streams")
    t.like(m.cli("hooks").stdout, r"wrong +failing.*\nwrong: status 500|wrong: status 500", "in its table, too")

    # nobody listens; meanwhile streams come and go, and everything is killed
    before = listing_delay(m, "alice")
    rx.down()
    for name in ("carl", "dora"):
        cycle(t, m, name)
    os.kill(m.pids("redis")[0], signal.SIGKILL)
    cycle(t, m, "carl", 2)
    wait_for("redis is back", lambda: m.pids("redis") and redis(m, "ping").strip() == "PONG", 30, 0.2)
    os.kill(m.pids("hooks")[0], signal.SIGKILL)
    meanwhile = listing_delay(m, "alice")
    t.ok(meanwhile < 3 * max(before, 100 * SLOW), f"nor is a segment listed later: after {meanwhile} ms, before {before} ms")
    cycle(t, m, "dora")
    t.ok(alice.is_alive() and alice.error is None, "the first publisher noticed nothing")
    t.ok(player.max_stall < 3 * SLOW, f"nor did its viewer ({player.max_stall:.1f} s)")
    os.kill(m.proc.pid, signal.SIGKILL)
    m.proc.wait()
    wait_for("its processes end", lambda: not m.alive(), 10)
    time.sleep(1)
    m.start()
    cycle(t, m, "carl")
    ended = lambda name: truth(m, ["stream_ended"]).get(name, [None])[-1] == truth(m).get(name, [0])[-1]
    wait_for("all in Redis", lambda: all(map(ended, ("alice", "carl", "dora"))) and redis(m, "xlen", "millrace:hooks:in").strip() == "0", 30, 0.2)
    rx.up()
    for path, kinds in (("/main", LIFE), ("/every", KEPT)):
        want = truth(m, kinds)
        def all_there():
            got = told(rx, path)
            return all(set(ids) <= set(got.get(name, [])) for name, ids in want.items()) and got
        got = wait_for("every event arrives", all_there, 60, 0.2)
        t.ok(True, f"every event arrives: {sum(map(len, want.values()))}, of {len(want)} streams")
        t.none([f"{n}: {got[n]} not {ids}" for n, ids in want.items() if got[n][:len(ids)] != ids], "in order, of each stream")
    came = {k: len({r.json()["id"] for r in rx.got("/every", event=k)}) for k in (*life, *KEPT[3:])}
    t.none([k for k in ("record", "job") if not came[k]], f"not the lives of streams alone: {came}")
    numbers = [s["sequence"] for s in {r.json()["id"]: r.json() for r in rx.got("/every", event="segment", name="alice")}.values()]
    t.is_(numbers, list(range(numbers[0], numbers[0] + len(numbers))), "each segment of who was live all the time, in order, none twice")
    t.none(sorted(set(player.segments) - set(numbers))[1:], "but perhaps the one that was cut when all was killed")
    t.is_(len({r.json()["id"] for r in rx.got("/every", event="play", name="alice")}), 1, "and its viewer, once")
    t.none([r.body for r in rx.got("/main") + rx.got("/every") if not r.signed(SECRET, 300)], "each signed")
    t.is_(list({r.json()["id"]: r.json()["event"] for r in rx.got("/main", name="alice")}.values())[-2:], ["unpublish", "ended"], "who was live at the kill is told to be gone")
    ids = [r.json()["id"] for r in rx.got("/main")]
    t.diag(f"{len(ids) - len(set(ids))} of {len(ids)} came twice")
    t.ok(rss_bytes(m.pids("hooks")[0]) < 64 << 20 or SLOW > 1, "its worker's memory is small")
    player.stop()

    # given up, looked at, tried again
    m.configure({"hooks.retry": "1s"})
    t.is_(m.cli("reload").returncode, 0, "hooks.retry: 1s")
    dead = wait_for("dead letters", lambda: [d for d in json.loads(m.cli("hooks", "--json").stdout)["dead"] if d["hook"] == "wrong"], 20, 0.3)
    t.is_((dead[0]["event"], dead[0]["error"]), ("publish", "status 500"), "what was not taken is a dead letter, the first first")
    answer_was, other.answer = other.answer, lambda r: 200
    r = m.cli("hooks", "retry", dead[0]["id"])
    t.is_((r.returncode, "1 to be tried again" in r.stdout), (0, True), "one is tried again")
    wait_for("it came", lambda: other.got("/wrong", event="publish", name=dead[0]["name"]), 10)
    m.cli("hooks", "retry", "wrong")
    wait_for("all came", lambda: not [d for d in json.loads(m.cli("hooks", "--json").stdout)["dead"] if d["hook"] == "wrong"], 15, 0.3)
    t.ok(True, "and all of a URL")
    t.is_(m.cli("hooks", "drop", "redirect").returncode, 0, "what is dropped")
    t.is_([d for d in json.loads(m.cli("hooks", "--json").stdout)["dead"] if d["hook"] == "redirect"], [], "is gone")
    t.is_(m.cli("hooks", "drop", "123-4").returncode, 1, "no such dead letter")
    wait_for("what its worker says each second", lambda: re.search(rb"(?m)^millrace_hooks_delivered_total [1-9]", m.get("/metrics")[2]), 10, 0.3)
    t.ok(True, "metrics count")

    # as many slow ones as there may be requests at once
    c = t.server(**{"hooks": {"concurrency": 8, "networks": ["127.0.0.0/8"], "urls": [{"id": "quick", "url": rx.url("/quick")}] + [
        {"id": f"slow{i}", "url": other.url(f"/slow?{i}")} for i in range(6)]}})
    answer_then, other.answer = other.answer, answer_was
    for name in ("a", "b", "c", "d"):
        t0 = time.monotonic()
        t.publish(c, name).join_live()
        r = wait_for("publish", lambda: rx.got("/quick", event="publish", name=name), 10)[0]
        t.ok(r.at - t0 < 1.5 * SLOW, f"slow URLs, however many, do not delay another ({r.at - t0:.2f} s)")
    other.answer = answer_then

    # nobody reads, and hooks:in is full
    m.configure({"hooks.max_waiting": 16})
    t.is_(m.cli("reload").returncode, 0, "hooks.max_waiting: 16")
    pid = m.pids("hooks")[0]
    os.kill(pid, signal.SIGSTOP)
    for _ in range(16):
        redis(m, "xadd", "millrace:hooks:in", "*", "data", "{}")
    cycle(t, m, "emil")
    wait_for("it is in Redis", lambda: truth(m).get("emil"), 10)
    os.kill(pid, signal.SIGCONT)
    wait_for("its worker", lambda: json.loads(m.cli("hooks", "--json").stdout).get("lost"), 15)
    t.like(m.cli("hooks").stdout, r"\n\d+ events were lost to all", "what had no place is counted, in millrace hooks")
    wait_for("and in metrics", lambda: re.search(rb"(?m)^millrace_hooks_lost [1-9]", m.get("/metrics")[2]), 15)
