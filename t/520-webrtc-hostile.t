#!/usr/bin/python3
"""520-webrtc-hostile: viewers lose nothing while others begin thousands of sessions, send nonsense, hold connections; who is silent goes."""
import http.client, json, os, random, socket, sys, threading
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

RTCLOAD = os.path.join(BUILD, "t/bench/rtcload")
HONEST, WATCH_S, HALF_OPEN, THREADS, DATAGRAMS, IDLE = 20, 45, 10000, 4, 60000, 300
LIMIT = 50                      # webrtc.max_handshakes
OFFER = "".join(f"{line}\r\n" for line in ["v=0", "o=- 1 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0",
    "m=video 9 UDP/TLS/RTP/SAVPF 102", "c=IN IP4 0.0.0.0", "a=ice-ufrag:test", "a=ice-pwd:every/client/has/this/one",
    "a=fingerprint:sha-256 " + ":".join(["AB"] * 32), "a=setup:actpass", "a=mid:0", "a=recvonly", "a=rtcp-mux",
    "a=rtpmap:102 H264/90000", "a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"]).encode()


def load(t, m, viewers, seconds, *options):
    return t.spawn([RTCLOAD, "-n", str(viewers), "-t", str(seconds), "-w", str(20 * SLOW), *options, m.http_url("/whep/alice")])


def result(p):
    p.wait(WATCH_S + 60 * SLOW)
    return json.loads(p.out().splitlines()[-1] if p.out().rstrip().endswith("}") else next(l for l in p.out().splitlines() if l.startswith("{")))


def webrtc(m):
    return m.status()["webrtc"]


def is_live(m):
    statuses = []
    begin_sessions(m, 1, statuses)
    return 201 in statuses


def begin_sessions(m, count, statuses):
    c = http.client.HTTPConnection("127.0.0.1", m.http, timeout=30 * SLOW)
    for _ in range(count):
        c.request("POST", "/whep/alice", OFFER, {"Content-Type": "application/sdp"})
        r = c.getresponse()
        r.read()
        statuses.append(r.status)
    c.close()


def half_open(t, m, worker):
    before, statuses = rss_bytes(worker), []
    threads = [threading.Thread(target=begin_sessions, args=(m, HALF_OPEN // THREADS // SLOW, statuses)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    t.is_((len(statuses), set(statuses)), (HALF_OPEN // THREADS // SLOW * THREADS, {201}), "thousands of offers are answered")
    grown = rss_bytes(worker) - before      # ASan keeps what is freed for a while, up to 256 MiB
    t.ok(grown < (24 if SLOW == 1 else 400) << 20, f"and cost the worker nothing that lasts: {grown >> 10} KiB more")
    r = result(load(t, m, 3, 1))
    t.is_((r["fed"], r["lost"]), (3, 0), "who comes then is served")


def datagrams():
    """What a stranger may send: each kind begins like something."""
    stun = bytes.fromhex("000100502112a442") + os.urandom(12) + bytes.fromhex("00060009") + b"abcd:efgh\0\0\0"
    hello = bytes.fromhex("16feff000000000000000000690100005d000000000000005dfefd") + os.urandom(80)
    return [stun + os.urandom(40), hello, bytes([0x80, 102]) + os.urandom(1000), bytes([0x81, 201]) + os.urandom(50),
        os.urandom(200), b"\0", stun[:20], os.urandom(1450)]


def nonsense(t, m, port):
    kinds, answered = datagrams(), 0
    for _ in range(20):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.connect(("127.0.0.1", port))
        s.setblocking(False)
        for _ in range(DATAGRAMS // 20 // SLOW):
            try:
                s.send(random.choice(kinds))
            except OSError:
                pass
        time.sleep(0.05)
        try:
            answered += len(s.recv(2000))
        except OSError:
            pass
        s.close()
    t.is_(answered, 0, "nonsense is answered with nothing")


def idle_connections(t, m, port):
    socks = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(IDLE)]
    for s in socks:
        s.setblocking(False)
    def hung_up():
        n = 0
        for s in socks:
            try:
                n += s.recv(1) == b""
            except BlockingIOError:
                pass
            except OSError:
                n += 1
        return n
    wait_for("the oldest are hung up on", lambda: hung_up() >= IDLE - LIMIT, 20)
    r = result(load(t, m, 3, 1, "-T"))
    t.is_((r["fed"], r["lost"]), (3, 0), f"beside {IDLE} idle TCP connections, of which {LIMIT} are kept, viewers come by TCP")
    for s in socks:
        s.close()


with Test(__doc__, limit=200) as t:
    m = t.server(**{"webrtc.listen": "127.0.0.1:0", "webrtc.max_handshakes": LIMIT, "webrtc.consent": "5s"})
    t.publish(m, "alice", clips.clip(seconds=150)).join_live()
    wait_for("the stream is live", lambda: is_live(m), 10)
    port, worker = webrtc(m)["ports"][0], m.pids("webrtc")[0]
    honest = load(t, m, HONEST, WATCH_S * SLOW, "-d")
    wait_for("the honest viewers", lambda: webrtc(m)["viewers"] == HONEST, 30)
    half_open(t, m, worker)
    nonsense(t, m, port)
    idle_connections(t, m, port)
    wait_for("status knows of it", lambda: webrtc(m)["unreached"] > 0, 20)
    r = result(honest)
    t.is_((r["connected"], r["fed"], r["closed"], r["lost"], r["bad"]), (HONEST, HONEST, 0, 0, 0),
        f"the {HONEST} viewers there before lost nothing and were not disturbed")
    t.is_(m.pids("webrtc"), [worker], "by the same process")
    quiet = load(t, m, 5, 300)
    wait_for("five more", lambda: webrtc(m)["viewers"] == 5, 20)
    quiet.kill()
    wait_for("whom nothing is heard of is gone", lambda: webrtc(m)["viewers"] == 0, 15)
    t.ok(True, "who is killed is gone after webrtc.consent")
