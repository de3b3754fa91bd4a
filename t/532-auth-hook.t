#!/usr/bin/python3
"""532-auth-hook: a back end decides who publishes: its word alone lets in, its silence does as the config says."""
import os, sys, urllib.parse
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *
from receiver import Receiver
from rtc import SDP, ask, stored

SECRET = "a secret of some length"
mode = {"how": "ask"}


def answer(r):
    if mode["how"] == "slow":
        time.sleep(3)
    if mode["how"] in ("500", "503", "302", "404"):
        return int(mode["how"])
    if r.path == "/srs":
        return (200, "0" if "good" in r.json()["param"] else "1") if mode["how"] == "ask" else (200, "<html>")
    if r.path == "/nginx":
        return 200 if urllib.parse.parse_qs(r.body.decode()).get("psk") == ["good"] else 403
    if r.path == "/mediamtx":
        return 200 if r.json()["token"] == "good" else 401
    return 204 if "token=good" in r.json()["query"] else 403


def attempt(t, m, name, key="", clip=None):
    """"in", or why not; how long it took."""
    t0 = time.monotonic()
    p = t.publish(m, name, key=key)
    try:
        p.join_live(10 * SLOW)
        return "in", time.monotonic() - t0
    except Exception as e:
        return str(e), time.monotonic() - t0
    finally:
        p.end()


def whip(m, target, token):
    """Status of an offer by WHIP with this Bearer Token."""
    offer = stored("aiortc-offer").replace("a=recvonly", "a=sendonly")
    return ask(m, "POST", f"/whip/{target}", offer, SDP, Authorization=f"Bearer {token}")[0]


def reload(t, m, **conf):
    m.configure(conf)
    r = m.cli("reload")
    if r.returncode:
        t.diag(r.stderr)


with Test(__doc__, limit=150) as t:
    rx = Receiver(free_port(), answer)
    first = free_port()
    m = t.server(start=False, **{"webrtc.listen": "127.0.0.1:0", "webrtc.addresses": ["127.0.0.1"], "webrtc.ingest_ports": f"{first}-{first + 9}",
        "streams.reconnect_delay": "0s", "streams.cleanup_delay": "0s",
        "authorize.hook": f"http://hook.localhost:{rx.port}/auth", "authorize.hook_timeout": "1s", "authorize.hook_cache": "0s",
        "hooks.secret": SECRET})
    m.configure({"authorize.keys": {"keyed": m.cli("hash-key", "k1").stdout.strip()}})
    m.start()
    wait_for("its worker", lambda: m.pids("hooks"), 10)
    t.like(attempt(t, m, "alice", "?token=good")[0], r"try again later$", "not into a private network unless that is said")
    t.is_(len(rx.requests), 0, "it was not even connected to")
    reload(t, m, **{"hooks.networks": ["127.0.0.1"], "authorize.hook": rx.url("/auth")})
    t.is_(attempt(t, m, "alice", "?token=good")[0], "in", "it says yes")
    t.like(attempt(t, m, "alice", "?token=bad")[0], r"authorize\.hook", "it says no")
    r = rx.requests[0]
    q = r.json()
    t.is_((q["action"], q["name"], q["app"], q["protocol"], q["query"], q["peer"].split(":")[0]),
        ("publish", "alice", "live", "rtmp", "token=good", "127.0.0.1"), "it is told what was promised")
    t.ok(r.signed(SECRET), "signed")
    n = len(rx.requests)
    t.like(attempt(t, m, "keyed", "?key=wrong&token=good")[0], r"(?i)key", "a wrong key is refused")
    t.is_(len(rx.requests), n, "without asking it")
    t.is_(attempt(t, m, "keyed", "?key=k1&token=good")[0], "in", "key and hook: in")
    n = len(rx.requests)
    t.is_(whip(m, "keyed?token=good&key=other&x=1", "k1"), 201, "WHIP: the Bearer Token is the key, the URL has the rest: in")
    q = rx.requests[n].json()
    t.is_((q["protocol"], q["query"]), ("whip", "key=k1&token=good&x=1"), "of which it is told both")
    for how in ("302", "404"):
        mode["how"] = how
        t.like(attempt(t, m, "alice", "?token=good")[0], r"authorize\.hook", f"{how}: no")
    for how in ("500", "503"):
        mode["how"] = how
        t.like(attempt(t, m, "alice", "?token=good")[0], r"try again later$", f"{how}: no verdict, closed")
    mode["how"] = "slow"
    why, took = attempt(t, m, "alice", "?token=good")
    t.like(why, r"try again later$", "no answer in time: closed")
    t.ok(took < 3 * SLOW, f"after hook_timeout ({took:.1f} s)")
    mode["how"] = "ask"
    rx.down()
    t.like(attempt(t, m, "alice", "?token=good")[0], r"try again later$", "nobody there: closed")
    t.like(m.log(), r"authorize\.hook gives no verdict \(Failed to connect to 127\.0\.0\.1 port", "why, the log has, and not the publisher")
    reload(t, m, **{"authorize.hook_fail": "allow"})
    t.is_(attempt(t, m, "alice", "?token=bad")[0], "in", "hook_fail: allow: open while nobody is there")
    rx.up()
    t.like(attempt(t, m, "alice", "?token=bad")[0], r"authorize\.hook", "and closed by its word")
    os.kill(m.pids("hooks")[0], signal.SIGKILL)
    reload(t, m, **{"authorize.hook_fail": "deny"})
    wait_for("its worker is back", lambda: attempt(t, m, "alice", "?token=good")[0] == "in", 20, 0.3)
    t.ok(True, "its worker killed: back by itself")

    reload(t, m, **{"authorize.hook_cache": "1m"})
    n = len(rx.requests)
    t.is_([attempt(t, m, "alice", "?token=good")[0] for _ in range(3)], ["in"] * 3, "cached: in, three times")
    t.is_(len(rx.requests) - n, 1, "asked once")
    t.like(attempt(t, m, "alice", "?token=bad")[0], r"authorize\.hook", "another query is another question")
    t.like(attempt(t, m, "bob", "?token=bad")[0], r"authorize\.hook", "another name, too")
    mode["how"] = "500"
    t.is_(attempt(t, m, "alice", "?token=good")[0], "in", "its word holds while it fails")
    mode["how"] = "ask"
    reload(t, m, **{"authorize.hook_max_cached": 1})
    n = len(rx.requests)
    t.is_([attempt(t, m, name, "?token=good")[0] for name in ("carol", "dave", "carol")], ["in"] * 3, "hook_max_cached: 1: in")
    t.is_(len(rx.requests) - n, 3, "and asked about again when another came in between")
    reload(t, m, **{"authorize.hook_max_asked": 1, "authorize.hook_timeout": "10s"})
    mode["how"], n = "slow", len(rx.requests)
    p = t.publish(m, "erin", key="?token=good")
    wait_for("erin is asked about", lambda: len(rx.requests) > n, 10)
    t.like(attempt(t, m, "frank", "?token=good")[0], r"hook_max_asked", "hook_max_asked: 1: who comes meanwhile is refused")
    mode["how"] = "ask"
    p.end()

    reload(t, m, **{"authorize.hook": rx.url("/srs"), "authorize.hook_style": "srs", "authorize.hook_cache": "0s"})
    t.is_([attempt(t, m, "alice", "?k=good")[0] == "in", attempt(t, m, "alice", "?k=no")[0] == "in"], [True, False], "style srs: code 0")
    mode["how"] = "html"
    t.ok(attempt(t, m, "alice", "?k=good")[0] != "in", "a page with status 200 is no yes")
    mode["how"] = "ask"
    reload(t, m, **{"authorize.hook": rx.url("/nginx"), "authorize.hook_style": "nginx-rtmp"})
    t.is_([attempt(t, m, "alice", "?psk=good")[0] == "in", attempt(t, m, "alice", "?psk=no")[0] == "in"], [True, False], "style nginx-rtmp: on_publish")
    reload(t, m, **{"authorize.hook": rx.url("/mediamtx"), "authorize.hook_style": "mediamtx"})
    t.is_((whip(m, "grace", "good"), whip(m, "heidi", "no")), (201, 403), "style mediamtx: WHIP's Bearer Token is token")
    t.ok("good" not in "".join(l for l in m.log().splitlines() if "authorize.hook" in l), "no query in its log lines")
