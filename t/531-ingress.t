#!/usr/bin/python3
"""531-ingress: a key that a back end had made publishes, another does not; on every host, after every restart."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *
from receiver import Receiver


def call(m, method, path, body=None, headers={}):
    c = http.client.HTTPConnection("127.0.0.1", m.http, timeout=10 * SLOW)
    try:
        c.request(method, path, json.dumps(body) if body is not None else None, headers)
        r = c.getresponse()
        text = r.read().decode()
    finally:
        c.close()
    return r.status, json.loads(text) if text.startswith("{") else text


def create(m, name):
    """The first answer that is not "again in a moment"."""
    def made():
        status, body = call(m, "POST", f"/v1/createIngress?roomId={name}")
        return (status, body) if status != 503 else None
    return wait_for(f"a key for {name}", made, 15, 0.2)


def refused(t, m, name, key=""):
    p = t.publish(m, name, key=key)
    p.finished.wait(10 * SLOW)
    return str(p.error)


def let_in(t, m, name, key):
    p = t.publish(m, name, key=key)
    try:
        return p.join_live()
    except Exception as e:
        t.diag(e)
        return False
    finally:
        p.end()


def show(t, m, name, key):
    """Live for a moment."""
    p = t.publish(m, name, key=key)
    p.join_live()
    wait_for("live", lambda: m.stream(name), 10, 0.1)
    m.wait_playlist(name)
    p.end()


with Test(__doc__, limit=180) as t:
    rx = Receiver(free_port())
    m = t.server(**{"streams.reconnect_delay": "0s", "streams.cleanup_delay": "0s", "hooks.networks": ["127.0.0.1"],
        "hooks.retry_min": "100ms", "hooks.retry_max": "300ms"})
    status, made = create(m, "alice")
    data = made["data"]
    t.is_((status, sorted(data)), (200, ["ingressId", "streamKey", "url", "whipToken", "whipUrl"]), "createIngress: what was promised")
    t.is_(data["url"], f"rtmp://127.0.0.1:{m.rtmp}/live/", "the server as OBS wants it")
    t.like(data["streamKey"], r"^alice\?key=[0-9a-f]{40}$", "the stream key as OBS wants it")
    t.ok(data["whipUrl"].endswith("/whip/alice") and data["streamKey"] == f"alice?key={data['whipToken']}", "and for WHIP")
    t.is_(create(m, "alice")[1], made, "asked again: the same")
    t.ok(create(m, "bob")[1]["data"]["streamKey"] != data["streamKey"].replace("alice", "bob"), "another room: another key")
    key = data["streamKey"].partition("?")[2]
    t.like(refused(t, m, "alice"), r"(?i)key", "without a key: refused")
    t.like(refused(t, m, "alice", "?key=" + "0" * 40), r"(?i)key", "another key: refused")
    t.like(refused(t, m, "bob", "?" + key), r"(?i)key", "another room's: refused")
    t.ok(let_in(t, m, "alice", "?" + key), "the key: let in")
    t.ok(let_in(t, m, "carl", ""), "a room nobody made a key for is open as before")
    f = t.ffmpeg(f"{data['url']}{data['streamKey']}")
    m.wait_stream("alice", lambda s: s["state"] == "live" if "state" in s else True)
    t.ok(True, "as it stands it works in an encoder")
    f.kill()
    f.wait()
    wait_for("it is over", lambda: not m.stream("alice"), 10, 0.1)
    secret = key.partition("=")[2]
    t.ok(all(secret not in open(os.path.join(d, n), errors="replace").read() for d, _, names in os.walk(m.data)
        for n in names if not n.endswith((".ts", ".flv"))), "the key itself is nowhere on the disk")
    t.ok(secret not in m.log(), "nor in the log")
    t.is_(call(m, "POST", "/v1/createIngress?roomId=alice", headers={"Origin": "http://evil"})[0], 403, "a page in a browser gets none")
    t.is_(call(m, "POST", "/v1/createIngress?roomId=..%2fx")[0], 400, "a name that can't be")
    t.is_(call(m, "GET", "/v1/createIngress?roomId=alice")[0], 405, "only by POST")

    status, r = call(m, "POST", "/v1/registerWebhook", {"webhookURL": rx.url("/room")})
    t.is_((status, r.get("data", {}).get("webhookURL")), (200, rx.url("/room")), "registerWebhook")
    t.is_(call(m, "POST", "/v1/registerWebhook", {"webhookURL": "http://10.0.0.1/x"})[0], 400, "not into a private network")
    t.is_(call(m, "POST", "/v1/registerWebhook", {"webhookURL": "file:///etc/passwd"})[0], 400, "nor a file")
    show(t, m, "alice", "?" + key)
    ended = {"event": {"event": "ingress_ended", "ingressId": data["ingressId"]}}
    got = wait_for("ingress_ended", lambda: (lambda g: g if ended in g else None)([x.json() for x in rx.got("/room")]), 15)
    t.is_(got[:2], [{"event": {"event": "ingress_started", "ingressId": data["ingressId"]}}, ended], "it is told, in its own words")

    m.proc.kill()
    m.proc.wait()
    os.remove(f"{m.data}/ingress.json")
    time.sleep(0.5)
    m.start()
    rx.requests.clear()
    wait_for("known again", lambda: "alice" in (open(f"{m.data}/ingress.json").read() if os.path.exists(f"{m.data}/ingress.json") else ""), 15)
    t.like(refused(t, m, "alice"), r"(?i)key", "killed, its copy lost: the key is still wanted")
    t.is_(create(m, "alice")[1], made, "and still the same")
    show(t, m, "alice", "?" + key)
    t.ok(True, "and lets in")
    wait_for("told again", lambda: ended in [x.json() for x in rx.got("/room")], 20)
    t.ok(True, "and the webhook is still registered")
    t.is_(call(m, "DELETE", f"/v1/registerWebhook?webhookURL={rx.url('/room')}")[0], 200, "unregistered")
    t.is_(json.loads(m.cli("hooks", "--json").stdout)["hooks"], [], "and gone")
    status, r = call(m, "DELETE", f"/v1/registerWebhook?webhookURL={rx.url('/room')}")
    t.ok(status == 404 and "not registered" in r.get("error", ""), "and again: 404, and why", r)
    t.is_(call(m, "DELETE", "/v1/createIngress?roomId=alice")[0], 200, "a key can be taken back")
    t.ok(let_in(t, m, "alice", ""), "then the room is open")
    t.ok(create(m, "alice")[1]["data"]["streamKey"] != made["data"]["streamKey"], "the next key is another")
    t.like(refused(t, m, "alice", "?" + key), r"(?i)key", "and the one that was taken back lets nobody in")

    port = free_port()
    shared = t.spawn(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", t.dir])
    one, two = (t.server(**{"redis.url": f"redis://127.0.0.1:{port}", "redis.retry_max": "500ms", "host.name": n,
        "streams.reconnect_delay": "0s", "streams.cleanup_delay": "0s"}) for n in ("one", "two"))
    key = create(one, "dora")[1]["data"]["streamKey"].partition("?")[2]
    t.like(refused(t, two, "dora"), r"(?i)key", "shared Redis: the other host wants it at once")
    t.like(refused(t, two, "dora", "?key=" + "0" * 40), r"(?i)key", "and no other")
    t.ok(let_in(t, two, "dora", "?" + key), "and takes it")
    second = create(two, "dora")[1]["data"]
    wait_for("the name is free", lambda: let_in(t, one, "dora", "?" + second["streamKey"].partition("?")[2]), 20, 0.5)
    t.ok(True, "one that the other host made holds here")
    before = {key, second["streamKey"].partition("?")[2]}
    t.is_(call(one, "DELETE", "/v1/createIngress?roomId=dora")[0], 200, "taken back on one host")
    key = create(two, "dora")[1]["data"]["streamKey"].partition("?")[2]
    t.ok(key not in before, "the other one, which knows it still, makes another all the same")
    t.is_(second["ingressId"], create(one, "dora")[1]["data"]["ingressId"], "its id is the same")
    shared.kill()
    shared.wait()
    wait_for("away", lambda: two.cli("status").returncode == 1, 20, 0.3)
    t.like(refused(t, two, "dora"), r"(?i)key", "Redis away: what this host knows still counts")
    wait_for("the name is free", lambda: let_in(t, two, "dora", "?" + key), 20, 0.5)
    t.ok(True, "and lets in")
    t.is_(call(one, "POST", "/v1/createIngress?roomId=eve")[0], 503, "no key that others can't know")
