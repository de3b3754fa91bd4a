#!/usr/bin/python3
"""502-rooms: the rooms protocol on /v1/ws: the server offers, viewers wait, everybody of a room chats, and nobody of another."""
import json, os, sys, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *
from rtc import Sdp, answer_to, check
from ws import Closed, Refused, WebSocket


class Client:
    """A page: it joins, and keeps what it is told by type."""
    def __init__(self, m, room, name, answer=lambda text: {"type": "answer", "sdp": text}, **kw):
        self.ws = WebSocket(m.http, f"/v1/ws?clientID=id-{name}&roomID={room}&clientName={name}", **kw)
        self.first = self.ws.json()
        self.offer = Sdp(self.first["data"]["sdp"]) if self.first["type"] == "getOffer" else None
        self.ufrag = f"uf{abs(hash(name)) % 1000000:06d}"
        if answer:
            self.say("answer", answer(answer_to(self.offer, self.ufrag)))

    def say(self, kind, data):
        self.ws.text({"type": kind, "data": data, "fromClientID": "me"})

    def wait(self, kind, limit=10):
        return self.ws.wait_json(lambda b: b["type"] == kind, limit * patience())

    def hears(self, kind, seconds=0.5):
        try:
            return self.ws.wait_json(lambda b: b["type"] == kind, seconds)
        except (TimeoutError, OSError):
            return None


def refused(m, query, **kw):
    try:
        WebSocket(m.http, f"/v1/ws?{query}", **kw)
    except Refused as e:
        return e.status
    return 101


def join(t, m):
    a = Client(m, "show", "Ann")
    t.is_((a.first["type"], a.first["fromClientID"], a.first["data"]["type"]), ("getOffer", "server", "offer"), "the server offers")
    t.ok([x.lines[0].split()[0] for x in a.offer.media] == ["m=video", "m=audio"] and all(x.has("a=sendonly") and x.has("a=setup:actpass")
        for x in a.offer.media), "video and audio, before there is any")
    c = a.wait("getCandidate")
    t.ok(c["data"]["candidate"].startswith("candidate:") and c["data"]["candidate"][10:] in a.offer.attrs("candidate") and
        (c["data"]["sdpMid"], c["data"]["sdpMLineIndex"]) == ("0", 0), "getCandidate is what toJSON() of one gives")
    p = a.wait("isPublishing")
    t.is_((p["data"], p["fromClientID"]), ("false", "show"), "nobody publishes yet")
    t.ok(check(a.offer, a.ufrag), "it can be connected to already")
    b = Client(m, "show", "Bob%20B.", lambda text: json.dumps({"type": "answer", "sdp": text}))
    c = Client(m, "show", "Cid", lambda text: text)
    a.say("candidate", {"candidate": "candidate:1 1 udp 1 x.local 9 typ host", "sdpMid": "0", "sdpMLineIndex": 0})
    a.say("candidate", "candidate:1 1 udp 1 x.local 9 typ host")
    t.ok(not any(x.hears("error") for x in (a, b, c)), "an answer as JSON, as a string of it, as the SDP itself; candidates")
    return a, b, c


def bad_answers(t, m):
    d = Client(m, "show", "Dan", None)
    for data in ({}, "{", {"type": "answer", "sdp": "hello"}):	# errors: five at once
        d.say("answer", data)
        t.like(d.wait("error")["data"], "SDP|sdp", f"no answer: {str(data)[:40]}")
    d.say("answer", answer_to(d.offer, setup="passive"))
    t.like(d.wait("error")["data"], "setup", "an answer that cannot be: why")
    d.say("answer", answer_to(d.offer))
    t.ok(d.hears("error") is None, "and then a right one is still taken")
    d.say("answer", answer_to(d.offer))
    t.like(d.wait("error")["data"], "before", "but no second one")
    d.ws.sock.close()


def chat(t, m, a, b, c, other):
    a.say("chat", "Grüß Gott <b>")
    heard = [x.wait("getChat") for x in (a, b, c)]
    t.ok(all(h == heard[0] for h in heard), "all of the room hear it, who said it, too")
    t.is_((heard[0]["data"], heard[0]["fromClientID"]), ("Grüß Gott <b>", "Ann"), "as it was said, and who by")
    t.like(heard[0]["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", "and when")
    b.say("chat", "hi")
    t.is_(a.wait("getChat")["fromClientID"], "Bob B.", "a name with a space")
    t.ok(other.hears("getChat") is None, "another room does not")
    c.say("chat", "x" * 5000)
    t.like(c.wait("error")["data"], "max_chat", "a longer one than webrtc.max_chat is refused")
    for data in (5, None, {"a": 1}, ""):
        c.say("chat", data)
    t.ok(a.hears("getChat") is None, "what is no text is no chat")
    for i in range(20):
        c.say("chat", f"flood {i}")
    end, heard = time.monotonic() + 2, 0
    while time.monotonic() < end:
        got = a.hears("getChat", max(0.05, end - time.monotonic()))
        heard += got is not None and got["data"].startswith("flood")
    t.ok(4 <= heard <= 12, f"of 20 at once as many as webrtc.chat_rate lets through: {heard}")


def live(t, m, a, b, other):
    p = t.publish(m, "show")
    p.join_live()
    for x in (a, b):
        t.is_(wait_for("it says so", lambda: x.hears("isPublishing", 5))["data"], "true", "who waited hears that it is on air")
    late = Client(m, "show", "Eve")
    t.is_(late.wait("isPublishing")["data"], "true", "who comes later is told so at once")
    t.publish(m, "first").join_live()
    m.wait_stream("first", lambda s: s["state"] == "live")
    early = Client(m, "first", "Fay")
    t.is_((early.wait("isPublishing")["data"], early.hears("isPublishing", 1)), ("true", None), "so is the first one of a room, and told once")
    p.cut()
    t.is_(a.wait("isPublishing", 20)["data"], "false", "and that it has ended")
    q = t.publish(m, "show")
    q.join_live()
    t.is_(a.wait("isPublishing", 20)["data"], "true", "and when it comes back, over the same connection")
    t.ok(check(a.offer, a.ufrag), "whose peer is there still")


with Test(__doc__) as t:
    m = t.server(**{"webrtc.listen": f":{free_port()}", "streams.reconnect_delay": "1s", "ws.ping_timeout": "120s"})
    wait_for("the webrtc worker", lambda: refused(m, "clientID=a&roomID=b&clientName=c") == 101, 10)
    status, headers, body = m.get("/v1/ws?clientID=a&roomID=b&clientName=c")
    t.is_(status, 426, "/v1/ws without an Upgrade: 426")
    for query in ("", "clientID=a&roomID=b", "clientID=a&clientName=c", "roomID=b&clientName=c", "clientID=&roomID=b&clientName=c",
            "clientID=a&roomID=..&clientName=c", "clientID=a&roomID=a%2Fb&clientName=c", f"clientID=a&roomID={'x' * 65}&clientName=c",
            f"clientID={'x' * 200}&roomID=b&clientName=c"):
        t.is_(refused(m, query), 400, f"/v1/ws?{query[:50]}: 400")
    other = Client(m, "elsewhere", "Zoe")
    local = [a for a in other.offer.candidates() if a[0] == "127.0.0.1"]
    t.ok(local and other.offer.candidates()[0] == local[0], "the address that was asked is the first candidate, on all interfaces")
    a, b, c = join(t, m)
    bad_answers(t, m)
    chat(t, m, a, b, c, other)
    live(t, m, a, b, other)

    for text in ("nonsense", "[]", '{"type": 5}', '{"type": "shout", "data": ""}', "{}" * 100):
        other.ws.text(text)
    t.like(other.wait("error")["data"], "answer.*chat", "what is none of the protocol's messages is said to be none")
    t.ok(check(other.offer, other.ufrag), "and costs nothing")
    b.ws.send(b"\x03\xe8bye", 8)
    wait_for("the peer is gone", lambda: not check(b.offer, b.ufrag, 0.8), 5)
    t.ok(True, "who closes takes the peer along")

    # a client that answers no ping is gone
    m.configure({"ws.ping_interval": "500ms", "ws.ping_timeout": "2s"})
    t.is_(m.cli("reload").returncode, 0, "a shorter ws.ping_timeout")
    dumb = Client(m, "show", "Dumb")

    def gone():
        try:
            return not dumb.ws.more()
        except ConnectionError:
            return True
    t.ok(wait_for("the silent client is closed", gone, 20), "a client that answers no ping is closed")
    t.ok(not check(dumb.offer, dumb.ufrag, 0.8), "and its peer with it")
    last = Client(m, "show", "Last")
    t.is_(m.stop()[0], 0, "the server stops")
    try:
        while True:
            last.ws.recv()
    except Closed as e:
        t.is_(e.code, 1012, "and rooms are told to connect again (1012)")
