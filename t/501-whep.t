#!/usr/bin/python3
"""501-whep: players by WHEP, sentence by sentence: what draft-ietf-wish-whep says an endpoint and a session MUST do."""
import json, os, re, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *
from rtc import FRAGMENT, SDP, Sdp, ask, check, stored

CLIENTS = ["chromium-offer", "firefox-offer", "aiortc-offer", "gst-offer"]
SERVERS = ["stun:stun.example.org:3478", "turn:turn.example.org?transport=udp user secret"]


def field(headers, name):
    return headers.get(name, "")


class Session:
    """One that POST has made."""
    def __init__(self, m, offer, name="alice"):
        self.m = m
        self.status, self.headers, self.text = ask(m, "POST", f"/whep/{name}", offer, SDP)
        assert self.status == 201, (self.status, self.text)
        self.url, self.etag, self.sdp = field(self.headers, "location"), field(self.headers, "etag"), Sdp(self.text)

    def patch(self, body, kind=FRAGMENT, **fields):
        return ask(self.m, "PATCH", self.url, body, kind, **fields)


def fragment(ufrag, pwd, candidates=("1 1 udp 2122260223 192.0.2.1 61764 typ host",)):
    return "a=group:BUNDLE 0 1\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\n" f"a=ice-ufrag:{ufrag}\r\na=ice-pwd:{pwd}\r\n" + \
        "".join(f"a=candidate:{c}\r\n" for c in candidates) + "a=end-of-candidates\r\n"


def edited(offer, *swaps):
    for a, b in swaps:
        assert a in offer, a
        offer = offer.replace(a, b)
    return offer


def http_usage(t, m, offer):
    s = Session(m, offer)
    for what, path in (("endpoint", "/whep/alice"), ("session", s.url)):
        status, _, body = ask(m, "GET", path)
        t.ok(status // 100 == 2 and body == "", f"HTTP usage: GET on the {what} MUST be 2xx without content")
    get, head = (ask(m, method, "/whep/alice") for method in ("GET", "HEAD"))
    t.is_((head[0], field(head[1], "content-type"), head[2]), (200, SDP, ""), "Discoverability: HEAD is 200 with application/sdp, no body")
    drop = {"date"}
    t.is_({k: v for k, v in head[1].items() if k not in drop}, {k: v for k, v in get[1].items() if k not in drop},
        "Discoverability: HEAD MUST have the fields that GET has")


def set_up(t, m, offer):
    for client in CLIENTS:
        s = Session(m, stored(client))
        t.is_(field(s.headers, "content-type"), SDP, f"Set up, {client}: 201 MUST have the type application/sdp")
        t.like(s.url, r"^/whep/alice/[0-9a-f]{32}$", "a Location that MUST be the new session")
        offered, answered = Sdp(stored(client)), s.sdp
        t.is_([x.lines[0].split()[0] for x in answered.media], [x.lines[0].split()[0] for x in offered.media], "the m-lines of the offer")
        t.is_([x.attr("mid") for x in answered.media], [x.attr("mid") for x in offered.media], "and its mids")
        t.ok(all(x.has("a=sendonly") for x in answered.media), "Direction: an answer MUST say sendonly")
        t.ok(all(x.has("a=setup:passive") for x in answered.media), "JSEP: passive to actpass")
        t.ok(check(s.sdp), "and the peer answers at its candidate")
    t.ok(all(x.has("a=sendonly") for x in Session(m, edited(offer, ("a=recvonly", "a=sendrecv"))).sdp.media), "Direction: sendrecv may be offered")
    for direction in ("sendonly", "inactive"):
        status = ask(m, "POST", "/whep/alice", edited(offer, ("a=recvonly", f"a={direction}")), SDP)[0]
        t.is_(status // 100, 4, f"Direction: {direction} MUST NOT be offered")
    for kind in (None, "text/plain", "application/sdpx", "application/json; x=application/sdp"):
        t.is_(ask(m, "POST", "/whep/alice", offer, kind)[0], 415, f"Set up: the type {kind} MUST be a 4xx")
    t.is_(ask(m, "POST", "/whep/alice", offer, "Application/SDP; charset=utf-8")[0], 201, "a type has parameters and any case")
    for bad in ("", "hello", offer[5:], edited(offer, ("a=ice-ufrag:", "a=ice-ufrag: ")), edited(offer, ("a=setup:actpass", "a=setup:any")),
            edited(offer, ("a=fingerprint:sha-256 ", "a=fingerprint:sha-256 X")), "v=0\r\n" + "a=x\r\n" * 3000):
        status, _, body = ask(m, "POST", "/whep/alice", bad, SDP)
        t.ok(status == 400 and len(body) > 10, f"Set up: a malformed SDP MUST be a 4xx: {body.strip()}")
    t.is_(ask(m, "POST", "/whep/alice", "v=0\r\n" + "a=x:" + "y" * 40000, SDP)[0], 413, "one over webrtc.max_sdp, too")
    t.is_(ask(m, "POST", "/whep/alice", edited(offer, ("H264/90000", "H263/90000")), SDP)[0], 406, "nothing in common: 406")
    t.is_(ask(m, "POST", "/whep/nobody", offer, SDP)[0], 404, "nobody's stream: 404, the endpoint is not there")
    t.like(field(ask(m, "POST", "/whep/nobody", offer, SDP)[1], "retry-after"), r"^\d+$", "with a Retry-After, as a stream may come")
    t.is_(ask(m, "POST", "/whep/.x", offer, SDP)[0], 404, "no stream's name: 404")


def termination(t, m, offer):
    s, other = Session(m, offer), Session(m, offer)
    t.ok(s.url != other.url and check(s.sdp) and check(other.sdp), "two sessions are two")
    status, _, body = ask(m, "DELETE", s.url, If_Match='"something-else"')
    t.is_(status, 200, "Termination: DELETE is 200, and an entity-tag with it MUST be ignored")
    t.ok(not check(s.sdp, wait=0.8), "it is removed: nobody answers there any more")
    t.ok(check(other.sdp), "the other one lives")
    for method in ("DELETE", "PATCH", "GET"):
        t.is_(ask(m, method, s.url, fragment("abcd", "x" * 22), FRAGMENT, If_Match="*")[0], 404, f"{method} on what is gone: 404")
    t.is_(ask(m, "DELETE", other.url.replace("alice", "bob"))[0], 404, "a session under another stream's name: 404")
    t.is_(ask(m, "DELETE", "/whep/alice/" + "0" * 32)[0], 404, "an id that never was: 404")
    t.is_(ask(m, "POST", other.url, offer, SDP)[0], 405, "no second offer")


def cors(t, m, offer):
    s = Session(m, offer)
    for what, path, methods in (("endpoint", "/whep/alice", "POST"), ("session", s.url, "PATCH DELETE")):
        status, h, body = ask(m, "OPTIONS", path, Origin="https://a.example", Access_Control_Request_Method="POST")
        t.is_((status, body), (200, ""), f"CORS: OPTIONS on the {what} MUST work: 200")
        t.ok(field(h, "access-control-allow-origin") == "*" and all(x in field(h, "access-control-allow-methods") for x in methods.split()),
            "with the origins and methods that may")
        t.ok({"content-type", "if-match", "authorization"} <= set(re.split(r", *", field(h, "access-control-allow-headers").lower())), "and the fields")
        t.is_(field(h, "accept-post"), SDP, "and Accept-Post")
    seen = set(re.split(r", *", field(s.headers, "access-control-expose-headers").lower()))
    t.ok(field(s.headers, "access-control-allow-origin") == "*" and {"location", "etag", "link"} <= seen, "a page may read Location, ETag and Link")


def trickle(t, m, offer):
    s, own = Session(m, offer), Sdp(offer)
    ice = own.media[0].attr("ice-ufrag"), own.media[0].attr("ice-pwd")
    t.like(s.etag, r'^"[^"]+"$', "PATCH: the 201 MUST have a strong entity-tag")
    t.ok(s.etag != Session(m, offer).etag, "which is this session's own")
    t.is_(s.patch(fragment(*ice), SDP, If_Match=s.etag)[0], 415, "PATCH: another type MUST be a 4xx")
    t.is_(s.patch("no fragment", If_Match=s.etag)[0], 400, "PATCH: a malformed fragment MUST be a 4xx")
    t.is_(s.patch(fragment(*ice))[0], 428, "PATCH: without entity-tag: 428")
    t.is_(s.patch(fragment(*ice), If_Match='"other"')[0], 412, "PATCH: another's: 412")
    t.is_(s.patch(fragment(*ice), If_Match="W/" + s.etag)[0], 412, "PATCH: a weak one is another")
    status, h, body = s.patch(fragment(*ice), If_Match=s.etag)
    t.is_((status, "etag" in h, body), (204, False, ""), "Trickle: candidates MUST be 204, without body and ETag")
    odd = ["1 1 udp 1 83a9.local 9 typ host", "2 1 tcp 1 192.0.2.1 9 typ host tcptype active", "3 1 sctp 1 192.0.2.1 9 typ host", "4 1 udp 1 x"]
    t.is_(s.patch(fragment(*ice, odd), If_Match=s.etag)[0], 204, "Trickle: candidates that are of no use MUST be passed over")
    t.is_(s.patch("a=end-of-candidates\r\n", If_Match=f'"x", {s.etag}')[0], 204, "one of several tags is enough")
    t.is_(s.patch(fragment(*ice), If_Match="*")[0], 204, "the same ufrag and pwd with * is no restart")
    t.ok(check(s.sdp), "and the session is as it was")


def restart(t, m, offer):
    s = Session(m, offer)
    for bad in (fragment("abc", "x" * 22), fragment("abcd", "short")):
        t.is_(s.patch(bad, If_Match="*")[0] // 100, 4, "Restart: what cannot be done MUST be an error")
    t.ok(check(s.sdp), "and MUST NOT end the session")
    status, h, body = s.patch(fragment("newufrag", "new" * 8), If_Match="*")
    t.is_((status, field(h, "content-type")), (200, FRAGMENT), "Restart: new ufrag and pwd are 200 with a fragment")
    now, new = field(h, "etag"), Sdp(body)
    t.ok(re.match(r'^"[^"]+"$', now) and now != s.etag, "with a new entity-tag: MUST")
    ufrags = [new.attr("ice-ufrag"), s.sdp.attr("ice-ufrag")]
    t.ok(None not in ufrags and ufrags[0] != ufrags[1] and len(new.attr("ice-pwd")) >= 22, "with new ufrag and pwd")
    t.ok(new.has("a=ice-lite") and new.attr("mid") == "0" and new.candidates() == s.sdp.candidates(), "ice-lite as in the answer, the mid, candidates")
    t.ok(check(new, "newufrag"), "which are answered")
    t.is_(s.patch(fragment("newufrag", "new" * 8), If_Match=s.etag)[0], 412, "the old tag is no more: 412")
    t.is_(s.patch(fragment("newufrag", "new" * 8), If_Match=now)[0], 204, "the new one is")


def constraints(t, m, offer):
    s = Session(m, offer)
    t.is_(s.sdp.session.attr("group"), "BUNDLE 0 1", "Bundle: MUST be supported")
    t.ok(all(x.has("a=rtcp-mux") and x.has("a=rtcp-mux-only") for x in s.sdp.media), "Bundle: rtcp-mux-only MUST be in each m-line")
    t.ok(len({x.attr("ice-ufrag") for x in s.sdp.media}) == 1, "one transport")
    t.ok(None not in (ids := [x.attr("msid") for x in s.sdp.media]) and len({i.split()[0] for i in ids}) == 1,
        "Single MediaStream: every m-line MUST have an msid of the same stream")
    t.is_(len({i.split()[1] for i in ids}), 2, "with a track each")
    t.ok(s.sdp.session.has("a=ice-lite") and s.sdp.has("a=end-of-candidates"), "ICE lite; all candidates SHALL be in the answer")
    t.ok(s.sdp.candidates("tcp") and s.sdp.candidates("udp"), "UDP and TCP")
    t.is_(s.headers.get_all("link"), [f"<{SERVERS[0]}>; rel=\"ice-server\"", "<turn:turn.example.org?transport=udp>; rel=\"ice-server\"; "
        "username=\"user\"; credential=\"secret\"; credential-type=\"password\""], "STUN/TURN: a Link for each, rel=ice-server")
    t.is_(ask(m, "GET", "/whep/alice")[1].get_all("link"), s.headers.get_all("link"), "who asks before it offers is told the same")
    t.is_(ask(m, "POST", "/whep/alice", offer, SDP, Authorization="Bearer abc")[0], 201, "Authorization: a Bearer token MUST be possible")


def full(t, m, offer):
    m.configure({"webrtc.max_viewers": 1})
    t.is_(m.cli("reload").returncode, 0, "webrtc.max_viewers is changed")
    status, h, body = wait_for("it is full", lambda: (r := ask(m, "POST", "/whep/alice", offer, SDP))[0] == 503 and r, 10, 0.2)
    t.ok(field(h, "retry-after").isdigit() and "max_viewers" in body, "Load: 503 with Retry-After, and why")
    m.configure({"webrtc.max_viewers": 1000, "webrtc.max_per_address": 1})
    t.is_(m.cli("reload").returncode, 0, "webrtc.max_per_address is changed")
    body = wait_for("it is told", lambda: "max_per_address" in (b := ask(m, "POST", "/whep/alice", offer, SDP)[2]) and b, 10, 0.2)
    t.like(body, r"from this address", "the limit of one address: why")
    m.configure({"webrtc.max_per_address": 500})
    m.cli("reload")


with Test(__doc__) as t:
    m = t.server(**{"webrtc.listen": f"127.0.0.1:{free_port()}", "webrtc.ice_servers": SERVERS})
    t.publish(m, "alice").join_live()
    m.wait_stream("alice")
    offer = stored("chromium-offer")
    wait_for("the endpoint", lambda: ask(m, "GET", "/whep/alice")[0] == 200, 10)
    for part in (http_usage, set_up, termination, cors, trickle, restart, constraints, full):
        part(t, m, offer)
    t.is_(m.get("/v1/health")[0], 200, "/v1/health")
    t.is_(json.loads(m.get("/v1/health")[2]), {"status": "ready"}, "says ready")
