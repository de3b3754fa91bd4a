#!/usr/bin/python3
"""510-webrtc-media: an independent stack (aiortc) plays RTMP: joins inside a long GOP, two streams at once, a publisher's return, a bad network."""
import os, subprocess, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *
from udp_proxy import Proxy
from whep_player import Player

FRAME = 90000 // 25


def colour(name, seconds=40):
    """A clip of one colour, with a tone."""
    path = os.path.join(clips.MEDIA, f"colour_{name}_{seconds}s.flv")
    return clips.made(path, ["-f", "lavfi", "-i", f"color={name}:size=320x180:rate=25", "-f", "lavfi", "-i", "sine=440:sample_rate=44100",
        "-t", str(seconds), "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "50", "-pix_fmt", "yuv420p", *clips.AUDIO["aac"]])


def steps(frames):
    return [b["pts"] - a["pts"] for a, b in zip(frames, frames[1:])]


def join(t, m, name, **kw):
    p = Player(t, m, name, **kw)
    wait_for(f"an answer for {name}", p.answered, 20)
    return p


def long_gop(t, m):
    pub = t.publish(m, "alice", clips.clip(seconds=60, gop=10.0))
    pub.join_live()
    wait_for("it is inside of a GOP", lambda: pub.sent_ms > 6000, 20)
    p = join(t, m, "alice")
    wait_for("pictures", lambda: len(p.video) > 100, 20)
    t.ok(p.video[0]["ms"] < 1000 * SLOW, f"first picture {p.video[0]['ms']} ms after the answer, in the middle of a GOP of 10 s")
    t.none([s for s in steps(p.video) if s != FRAME], f"each picture, 40 ms apart ({len(p.video)})")
    at = len(p.video)
    wait_for("the live edge", lambda: len(p.video) > at + 150 or p.video[-1]["ms"] > 7000, 20)
    late = [f["ms"] - f["pts"] // 90 for f in p.video]
    t.ok(late[0] - late[-1] > 1000, f"it catches up: the first was {late[0] - late[-1]} ms older than the last")
    t.is_(p.video[-1]["size"], [320, 180], "the size")
    wait_for("sound", lambda: len(p.audio) > 100, 20)
    tail = p.audio[-100:]
    t.none([s for s in steps(tail) if s != 960], "sound without a gap, 20 ms apart")
    t.ok(max(a["peak"] for a in tail) > 1000, "which is not silent")
    s = m.status()["webrtc"]
    t.is_((s["viewers"], s["unreached"]), (1, 0), "status counts the viewer")
    wait_for("the stream's viewers", lambda: m.stream("alice")["viewers"] == 1, 10)
    p.stop()
    wait_for("he is gone", lambda: m.status()["webrtc"]["viewers"] == 0, 10)
    pub.cut()


def flashes(seconds=40):
    """White and a tone for the first 200 ms of each second, black and silence for the rest."""
    path = os.path.join(clips.MEDIA, f"flashes_{seconds}s.flv")
    return clips.made(path, ["-f", "lavfi", "-i", "color=black:size=320x180:rate=25,drawbox=color=white:t=fill:enable='lt(mod(t,1),0.2)'",
        "-f", "lavfi", "-i", "aevalsrc='0.6*sin(2*PI*1000*t)*lt(mod(t,1),0.2)':s=44100", "-t", str(seconds), "-c:v", "libx264", "-preset",
        "ultrafast", "-tune", "zerolatency", "-g", "25", "-pix_fmt", "yuv420p", *clips.AUDIO["aac"]])


def wall(p, what, pts):
    """Where the sender's reports say it lies on the clock, in s."""
    report = [r for r in p.reports if r["what"] == what][-1]
    return report["ntp"] + (pts - report["pts"]) / (90000 if what == "video" else 48000)


def in_time(t, m):
    t.publish(m, "erin", flashes()).join_live()
    p = join(t, m, "erin")
    wait_for("8 s of it", lambda: p.video and p.audio and p.video[-1]["ms"] > 9000 and len(p.reports) > 12, 30)
    video, audio = list(p.video), list(p.audio)
    lit = [wall(p, "video", b["pts"]) for a, b in zip(video, video[1:]) if a["yuv"][0] < 100 < b["yuv"][0]]
    loud = [wall(p, "audio", b["pts"] + b["loud"]) for a, b in zip(audio, audio[1:]) if a["loud"] == -1 < b["loud"]]
    apart = sorted(round(1000 * min((x - y for y in lit), key=abs), 1) for x in loud[1:-1])
    t.ok(len(apart) >= 4 and max(map(abs, apart)) < 40, f"light and sound of a moment, as the sender reports place them: {apart} ms apart")
    now = [r["ntp"] - 2208988800 for r in p.reports][-1]
    t.ok(abs(time.time() - now) < 3 * SLOW, "on the wall clock of now")
    p.stop()


def two_rooms(t, m):
    clips_of = {"red": colour("red"), "blue": colour("blue")}
    for name, path in clips_of.items():
        t.publish(m, name, path).join_live()
    players = {name: join(t, m, name) for name in clips_of}
    wait_for("pictures of both", lambda: all(len(p.video) > 100 for p in players.values()), 20)
    red, blue = ({tuple(v // 32 for v in f["yuv"]) for f in players[name].video} for name in ("red", "blue"))
    t.ok(len(red) == 1 and len(blue) == 1 and red != blue, f"no picture of the one in the other: {red} {blue}")
    for p in players.values():
        p.stop()


def publisher_returns(t, m):
    pub = t.publish(m, "carol", clips.clip(seconds=60))
    pub.join_live()
    p = join(t, m, "carol")
    wait_for("pictures", lambda: len(p.video) > 50, 20)
    pub.cut()
    time.sleep(1.5)
    n = len(p.video)
    again = t.publish(m, "carol", clips.clip(seconds=60))
    again.join_live()
    wait_for("pictures go on in the same session", lambda: len(p.video) > n + 75, 20)
    gap = p.video[n]["pts"] - p.video[n - 1]["pts"]
    waited = p.video[n + 50]["ms"] - p.video[n - 1]["ms"]
    said = (p.video[n + 50]["pts"] - p.video[n - 1]["pts"]) / 90
    t.ok(gap > 0 and all(s > 0 for s in steps(p.video)), "times never go back")
    t.ok(abs(said - waited) < 700 * SLOW, f"the pause is as long as it was: {said:.0f} ms by its times, {waited} ms by the clock")
    t.ok(all(s > 0 for s in steps(p.audio)) and p.state() == "connected", "so does the sound; the connection is the same")
    p.stop()


def bad_network(t, m):
    """5 % of both directions, up to 100 ms late, out of order."""
    t.publish(m, "dave", clips.clip(seconds=60)).join_live()
    port = m.status()["webrtc"]["ports"][0]
    proxy = Proxy(("127.0.0.1", port), loss=0.05, jitter_ms=100)
    p = join(t, m, "dave", port=proxy.port)
    wait_for("10 s of it", lambda: p.video and p.video[-1]["ms"] > 12000, 40)
    n, last = len(p.video), p.video[-1]["ms"]
    recent = [f for f in p.video if f["ms"] > last - 3000]
    s = m.status()["webrtc"]
    t.diag(f"{n} pictures, {len(recent)} in the last 3 s; first after {p.video[0]['ms']} ms; the proxy lost {proxy.lost} of {proxy.lost + proxy.passed}; {s}")
    t.ok(s["nacks"] > 0 and s["retransmitted_packets"] > 0, "lost packets are asked for, and sent again")
    t.ok(len(recent) >= 45, f"the picture goes on in the same session: {len(recent)} of 75 in the last 3 s")
    p.stop()
    proxy.stop()


if subprocess.run(["/usr/bin/python3", "-c", "import aiortc"], stderr=subprocess.DEVNULL).returncode:
    print("1..0 # SKIP python3-aiortc is not installed")
    raise SystemExit(0)
with Test(__doc__, limit=200) as t:
    m = t.server(**{"webrtc.listen": "127.0.0.1:0"})
    for part in (long_gop, in_time, two_rooms, publisher_returns, bad_network):
        part(t, m)
