#!/usr/bin/python3
"""522-whip: publishing by WHIP (RFC 9725): aiortc, GStreamer and Chromium to HLS and to WHEP players, who may not, what is said to a session, a bad network."""
import os, re, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

import gst_whip, whep_player
from browser import Browser
from rtc import FRAGMENT, SDP, Sdp, ask, stored
from udp_proxy import Proxy
from whip_publisher import Publisher

PAGE = """
window.publish = async url => {
  const media = await navigator.mediaDevices.getUserMedia({video: {width: 640, height: 360}, audio: true});
  const pc = window.pc = new RTCPeerConnection();
  for (const track of media.getTracks()) {
    const t = pc.addTransceiver(track, {direction: "sendonly", streams: [media]});
    if (track.kind === "video")
      t.setCodecPreferences(RTCRtpSender.getCapabilities("video").codecs.filter(c => /H264|rtx/.test(c.mimeType)));
  }
  await pc.setLocalDescription();
  const r = await fetch(url, {method: "POST", body: pc.localDescription.sdp, headers: {"Content-Type": "application/sdp"}});
  window.session = r.headers.get("Location");
  const text = await r.text();
  if (r.status === 201)
    await pc.setRemoteDescription({type: "answer", sdp: text});
  return r.status;
};
true
"""


def ports():
    first = free_port()
    return f"{first}-{first + 9}"


def offer():
    """As a publisher's: what a player's offer is, the other way round."""
    return stored("aiortc-offer").replace("a=recvonly", "a=sendonly")


def fragment(ufrag, pwd):
    return f"a=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=ice-ufrag:{ufrag}\r\na=ice-pwd:{pwd}\r\n" \
        "a=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host\r\na=end-of-candidates\r\n"


def codecs(m, name):
    r = subprocess.run(["ffprobe", "-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0",
        m.http_url(f"/stream/{name}/live.m3u8")], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return sorted(set(r.stdout.split()))


def plays(t, m, name, who):
    """What comes out at the other end."""
    m.wait_playlist(name, 3, 25)
    t.is_(codecs(m, name), ["aac", "h264"], f"{who}: HLS has H.264, and Opus was made AAC")
    lengths = [float(x) for x in re.findall(r"#EXTINF:([0-9.]+)", m.playlist(name))]
    t.ok(all(0.3 < x < 4 for x in lengths), f"{who}: its segments are as long as its key frames are apart", lengths)
    p = whep_player.Player(t, m, name)
    wait_for("pictures and sound by WHEP", lambda: len(p.video) > 20 and len(p.audio) > 40, 20)
    t.ok(p.video[-1]["size"][0] >= 320 and max(a["peak"] for a in p.audio) > 1000, f"{who}: WHEP players see and hear it")
    p.stop()
    s = m.stream(name)
    t.is_((s["protocol"], s["video"]["codec"], s["audio"]["codec"]), ("whip", "h264", "opus"), f"{who}: status says what it is")


def aiortc(t, m):
    p = Publisher(t, m, "alice")
    plays(t, m, "alice", "aiortc")
    status, _, text = ask(m, "POST", "/whip/alice", offer(), SDP)
    t.ok(status == 409 and "published already" in text, "a second publisher of the name: 409", text)
    p.stop()
    t.is_((p.last("deleted") or {}).get("status"), 200, "aiortc: DELETE is 200")
    m.wait_log(r"alice.*the publisher ended the session \(DELETE\)")
    wait_for("its process is gone", lambda: not m.pids("whip"))


def gstreamer(t, m):
    g = gst_whip.Publisher(t, m, "gst")
    plays(t, m, "gst", "GStreamer")
    g.stop()


def chromium(t, m):
    if not shutil.which("chromium"):
        return t.skip("Chromium publishes", "chromium is not installed")
    b = Browser(t.dir, "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
    try:
        b.goto(m.http_url("/health"))
        b.wait("the page", "location.pathname === '/health' && document.readyState === 'complete'")
        b.eval(PAGE)
        t.is_(b.eval("publish('/whip/chrome')"), 201, "Chromium: 201")
        plays(t, m, "chrome", "Chromium")
        t.ok(b.eval("(async () => { let n = 0; (await pc.getStats()).forEach(s => { if (s.kind === 'video' && s.pliCount) n = s.pliCount; }); return n; })()") >= 1,
            "Chromium: it is asked for key frames, since it sends none by itself")
        rate = b.eval("(async () => { let n = 0; (await pc.getStats()).forEach(s => { if (s.type === 'outbound-rtp' && s.kind === 'video') n = s.targetBitrate; }); return n; })()")
        t.ok(rate > 1000000, f"Chromium: it is told that it may send more than it begins with: {rate} bit/s")
        t.is_(b.eval("fetch(session, {method: 'DELETE'}).then(r => r.status)"), 200, "Chromium: DELETE is 200")
    finally:
        b.close()


def who_may(t):
    key = subprocess.run([f"{BUILD}/millrace", "key", "bob"], stdout=subprocess.PIPE, text=True).stdout
    secret, digest = re.search(r"key=(\S+)", key), re.search(r"sha256:[0-9a-f]+:[0-9a-f]+", key)
    m = t.server(**{"webrtc.ingest_ports": ports(), "authorize.keys": {"bob": digest.group(0)}})
    path, text = "/whip/bob", offer()
    status, h, _ = ask(m, "POST", path, text, SDP)
    t.is_((status, h.get("www-authenticate")), (401, "Bearer"), "no key: 401, and what it has to be")
    t.is_(ask(m, "POST", path, text, SDP, Authorization="Bearer wrong")[0], 403, "a wrong one: 403")
    t.is_(ask(m, "POST", path, text, SDP, Authorization="Basic Ym9iOmJvYg==")[0], 401, "another scheme: 401")
    good = {"Authorization": f"Bearer {secret.group(1)}"}
    status, h, answer = ask(m, "POST", path, text, SDP, **good)
    t.is_(status, 201, "the right one: 201")
    t.like(h.get("location", ""), r"^/whip/bob/[0-9a-f]{32}$", "with the session's URL")
    t.is_((h.get("content-type"), h.get("access-control-allow-origin")), (SDP, "*"), "an SDP, which a page of any origin may read")
    t.ok(all(x.has("a=recvonly") and x.has("a=setup:passive") for x in Sdp(answer).media), "that receives")
    session(t, m, h["location"], h["etag"])
    bad_offers(t, m)


def session(t, m, url, etag):
    own = Sdp(offer()).media[0]
    ice = own.attr("ice-ufrag"), own.attr("ice-pwd")
    other = url[:-32] + "0" * 32
    t.is_(ask(m, "PATCH", url, fragment(*ice), FRAGMENT)[0], 428, "PATCH without entity-tag: 428")
    t.is_(ask(m, "PATCH", url, fragment(*ice), FRAGMENT, If_Match='"x"')[0], 412, "with another's: 412")
    t.is_(ask(m, "PATCH", url, fragment(*ice), SDP, If_Match=etag)[0], 415, "of another type: 415")
    t.is_(ask(m, "PATCH", url, "hello", FRAGMENT, If_Match=etag)[0], 400, "malformed: 400")
    t.is_(ask(m, "PATCH", url, fragment(*ice), FRAGMENT, If_Match=etag)[0], 204, "candidates: 204")
    status, h, text = ask(m, "PATCH", url, fragment("newufrag", "new" * 8), FRAGMENT, If_Match="*")
    t.ok(status == 200 and h["content-type"] == FRAGMENT and "a=ice-ufrag:" in text and h["etag"] != etag, "ICE is restarted: 200, with ours and a new entity-tag")
    for method in ("GET", "HEAD", "PUT", "POST"):
        t.is_(ask(m, method, url)[0], 405, f"{method} on a session: 405")
    t.is_(ask(m, "DELETE", other)[0], 404, "DELETE of what never was: 404")
    t.is_(ask(m, "DELETE", url)[0], 200, "DELETE: 200")
    wait_for("it is gone", lambda: ask(m, "DELETE", url)[0] == 404)
    t.ok(True, "and again: 404")


def bad_offers(t, m):
    text = offer()
    t.is_(ask(m, "POST", "/whip/x", text, "text/plain")[0], 415, "another type: 415")
    t.is_(ask(m, "POST", "/whip/x", "hello", SDP)[0], 400, "no SDP: 400")
    t.is_(ask(m, "POST", "/whip/x", text.replace("H264/90000", "H263/90000"), SDP)[0], 406, "nothing in common: 406")
    t.is_(ask(m, "POST", "/whip/x", text.replace("a=sendonly", "a=recvonly").replace("a=sendrecv", "a=recvonly"), SDP)[0], 406, "nothing is sent: 406")
    t.is_(ask(m, "POST", "/whip/x", "v=0\r\n" + "a=x:" + "y" * 40000, SDP)[0], 413, "over webrtc.max_sdp: 413")
    t.is_(ask(m, "POST", "/whip/.x", text, SDP)[0], 404, "no stream's name: 404")
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        t.is_(ask(m, method, "/whip/x")[0], 405, f"{method} on an endpoint: 405")
    status, h, _ = ask(m, "OPTIONS", "/whip/x", Origin="https://a.example", Access_Control_Request_Method="POST")
    t.ok(status == 200 and h["accept-post"] == SDP and "POST" in h["access-control-allow-methods"] and
        "authorization" in h["access-control-allow-headers"].lower(), "OPTIONS: a page of another origin may ask, with a key")
    for name in (".bad", "a%20b", "a/b"):
        status, h, _ = ask(m, "OPTIONS", f"/whip/{name}", Origin="https://a.example", Access_Control_Request_Method="POST")
        t.is_((status, h.get("access-control-allow-origin")), (200, "*"), f"OPTIONS of {name}, too, so that it can read")
        status, h, text = ask(m, "POST", f"/whip/{name}", offer(), SDP)
        t.ok(status in (404, 405) and h.get("access-control-allow-origin") == "*", f"what is wrong with its POST: {status} {text.strip()}")
    wait_for("no process is left of them", lambda: not m.pids("whip"))


def limits(t):
    first = free_port()
    m = t.server(**{"webrtc.ingest_ports": f"{first}-{first}", "webrtc.consent": "5s", "streams.reconnect_delay": "1s", "authorize.routes": ["whip"]})
    slow = socket.create_connection(("127.0.0.1", m.http), 10)
    slow.sendall(b"POST /whip/slow HTTP/1.1\r\nHost: x\r\nContent-Type: application/sdp\r\nContent-Length: 3000\r\n\r\nv=0")
    wait_for("its process", lambda: m.pids("whip"))
    wait_for("its turn", lambda: ask(m, "POST", "/whip/one", offer(), SDP)[0] == 201, 10)
    t.is_(slow.recv(1), b"", "who has a port and sends no offer makes room for one who does")
    status, h, text = ask(m, "POST", "/whip/two", offer(), SDP)
    t.ok(status == 503 and "webrtc.ingest_ports" in text and h.get("retry-after"), "then 503, with the name of the key", text)
    m.wait_log(r"stream=one.*no ICE check arrived", 15)
    t.ok(wait_for("another one", lambda: ask(m, "POST", "/whip/two", offer(), SDP)[0] == 201), "who never came gives it back")


def deaths(t):
    m = t.server(**{"webrtc.ingest_ports": ports(), "webrtc.consent": "5s", "streams.reconnect_delay": "30s"})
    a, b = Publisher(t, m, "a"), Publisher(t, m, "b")
    for name in "ab":
        m.wait_playlist(name, 1, 25)
    pid = m.stream("a")["ingest_pid"]
    os.kill(pid, 9)
    m.wait_stream("a", lambda s: s["state"] == "reconnecting")
    n = m.stream("b")["video"]["frames"]
    m.wait_stream("b", lambda s: s["video"]["frames"] > n + 20)
    t.ok(b.state() == "connected", "kill -9 of an ingest: the other publisher goes on")
    again = Publisher(t, m, "a")
    before = m.playlist("a").count("#EXTINF")
    m.wait_playlist("a", before + 2, 25)
    t.like(m.playlist("a"), "#EXT-X-DISCONTINUITY", "who publishes again goes on in the same playlist")
    b.proc.kill()
    b.proc.wait()
    m.wait_log(r"stream=b.*consent expired", 20)
    t.ok(True, "who has gone without a word is gone when its consent is (webrtc.consent)")
    again.stop()
    a.proc.kill()


def bad_network(t, m):
    """The port that the answer names is not known before: a publisher asks, and the proxy stands before whatever it is told."""
    first = m.conf["webrtc"]["ingest_ports"].split("-")[0]
    p = Proxy(("127.0.0.1", 0), loss=0.05, jitter_ms=30)
    # ports go round; the next one is told by a session that is ended at once
    status, h, text = ask(m, "POST", "/whip/probe", offer(), SDP)
    port = int(re.search(r"a=candidate:\S+ 1 udp \d+ \S+ (\d+)", text).group(1))
    ask(m, "DELETE", h["location"])
    p.server = ("127.0.0.1", port + 1 if port < int(first) + 9 else int(first))
    pub = Publisher(t, m, "bad", port=p.port)
    m.wait_playlist("bad", 6, 30)
    frames = m.stream("bad")["video"]["frames"]
    m.wait_stream("bad", lambda s: s["video"]["frames"] > frames + 60, 15)
    pub.stop()
    words = m.wait_log(r"stream=bad .*msg=\"(\d+) packets came, (\d+) were lost for good, (\d+) asked for again, (\d+) key frames")
    came, lost, again, keys = map(int, words.groups())
    t.diag(f"5 % loss, 30 ms jitter: {came} packets came, {lost} lost for good, {again} asked for again, {keys} key frames asked for; the proxy lost {p.lost}")
    t.ok(again > 0 and lost < came * 0.05, "a network that loses 5 %: what is missing is asked for again, and most of it comes")
    t.ok(pub.state() != "failed", "in the same session")
    p.stop()


with Test(__doc__, limit=400) as t:
    m = t.server(**{"webrtc.ingest_ports": ports()})
    aiortc(t, m)
    gstreamer(t, m)
    chromium(t, m)
    bad_network(t, m)
    who_may(t)
    limits(t)
    deaths(t)
