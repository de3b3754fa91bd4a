#!/usr/bin/python3
"""511-webrtc-ways: what goes to browsers as it came, what by an ffmpeg, and why; from the first viewer to the last; after a death; ports; IPv6."""
import os, signal, subprocess, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *
from whep_player import Player
from whip_publisher import Publisher

BFRAMES = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-x264-params", "b-adapt=0", "-g", "50", "-b:v", "250k", "-pix_fmt", "yuv420p"]


def b_frames(seconds=60):
    path = os.path.join(clips.MEDIA, f"bframes_{seconds}s.flv")
    return clips.made(path, ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25", "-f", "lavfi", "-i", "sine=440:sample_rate=44100",
        "-t", str(seconds), *BFRAMES, *clips.AUDIO["aac"]])


def ways(m, name):
    s = m.stream(name) or {}
    return tuple(s.get("webrtc", {}).get(k, {}).get("way") for k in ("video", "audio"))


def outputs(m, name):
    return {o["kind"]: o for o in (m.stream(name) or {}).get("outputs", [])}


def up(m, name, *kinds):
    wait_for(f"{name} has {kinds}", lambda: all(outputs(m, name).get(k, {}).get("state") == "up" for k in kinds), 20, 0.1)
    return outputs(m, name)


def join(t, m, name):
    """As a page does: until there is an answer."""
    def answered():
        p = Player(t, m, name)
        wait_for("an answer, or none", lambda: p.answered() or p.proc.poll() is not None, 20)
        return p if p.answered() else None
    return wait_for(f"a session of {name}", answered, 20, 0.2)


def watch(t, m, name, frames=50, sound=True):
    p = join(t, m, name)
    wait_for(f"pictures of {name}", lambda: len(p.video) >= frames, 30)
    if sound:
        wait_for(f"sound of {name}", lambda: len(p.audio) >= 50, 20)
    steps = [b["pts"] - a["pts"] for a, b in zip(p.video, p.video[1:])]
    t.none([s for s in steps if not 0 < s < 90000], f"{name}: times go on")
    return p


def copied(t, m):
    t.publish(m, "alice").join_live()
    wait_for("it is judged", lambda: ways(m, "alice") == ("copy", "transcode"), 10, 0.1)
    t.is_(sorted(outputs(m, "alice")), ["hls"], "while nobody watches, there is no ffmpeg for it")
    p = watch(t, m, "alice")
    o = up(m, "alice", "webrtc", "opus")
    t.is_(sorted(o), ["hls", "opus", "webrtc"], "with a viewer there is one for the sound, none for the video")
    t.is_(o["webrtc"]["reason"], "video copied (H.264 without B-frames), sound made Opus (aac)", "status says why")
    wait_for("frames are counted", lambda: outputs(m, "alice")["webrtc"]["frames"] > 50, 10, 0.1)
    wait_for("counted", lambda: m.stream("alice")["viewers"] == 1 and m.stream("alice")["webrtc_viewers"] == 1, 10, 0.1)
    old = o["opus"]["pid"]
    os.kill(old, signal.SIGKILL)
    wait_for("another ffmpeg", lambda: outputs(m, "alice").get("opus", {}).get("pid") not in (0, None, old), 20, 0.1)
    n = len(p.audio)
    wait_for("sound goes on", lambda: len(p.audio) > n + 50, 20)
    t.ok(p.state() == "connected" and outputs(m, "alice")["opus"]["restarts"] == 1, "after its death the sound comes back, in the same session")
    p.stop()
    wait_for("no ffmpeg for it", lambda: sorted(outputs(m, "alice")) == ["hls"], 20, 0.1)
    t.ok(True, "after the last viewer it ends")
    wait_for("nor the process", lambda: len(m.pids("ffmpeg")) == 1, 10)


def transcoded(t, m):
    t.publish(m, "bob", b_frames()).join_live()
    wait_for("it is judged", lambda: ways(m, "bob") == ("transcode", "transcode"), 10, 0.1)
    t.is_(m.stream("bob")["webrtc"]["video"]["reason"], "B-frames", "B-frames are why")
    p = watch(t, m, "bob")
    up(m, "bob", "webrtc", "opus", "h264")
    t.diag(f"first picture {p.video[0]['ms']} ms after the answer, with an ffmpeg to start")
    again = watch(t, m, "bob")
    t.diag(f"first picture of a second viewer {again.video[0]['ms']} ms after the answer")
    t.ok(again.video[0]["ms"] < 1000 * SLOW, "a second viewer waits for no ffmpeg")
    wait_for("three ffmpegs", lambda: len(m.pids("ffmpeg")) == 3, 20, 0.1)
    t.ok(True, "which serves all: one for HLS, one for the sound, one for the video")
    again.stop()
    p.stop()


def hevc(t, m):
    t.publish(m, "carol", clips.enhanced("hevc", "aac", 30)).join_live()
    p = watch(t, m, "carol")
    t.is_(up(m, "carol", "h264")["webrtc"]["reason"], "video made H.264 (hevc), sound made Opus (aac)", "HEVC becomes H.264")
    p.stop()
    for codec in ("vp9", "av1"):
        t.publish(m, codec, clips.enhanced(codec, "aac", 30)).join_live()
        p = watch(t, m, codec)
        t.is_(up(m, codec, "h264")["webrtc"]["reason"], f"video made H.264 ({codec}), sound made Opus (aac)", f"so does {codec}")
        p.stop()
    t.publish(m, "dora", clips.enhanced("hevc", "opus", 30)).join_live()
    p = watch(t, m, "dora")
    o = up(m, "dora", "h264")
    t.is_((sorted(o), o["webrtc"]["reason"]), (["h264", "hls", "webrtc"], "video made H.264 (hevc), sound copied (Opus)"), "Opus stays as it is")
    p.stop()


def never(t, m):
    m.configure({"webrtc.transcode": "never"})
    m.cli("reload")
    t.publish(m, "erin", b_frames()).join_live()
    wait_for("it is judged", lambda: ways(m, "erin") == ("refused", "transcode"), 10, 0.1)
    p = join(t, m, "erin")
    wait_for("sound", lambda: len(p.audio) > 50, 20)
    t.ok(not p.video, "with webrtc.transcode: never B-frames do not go out, the sound does")
    p.stop()


def worker_dies(t, m):
    t.publish(m, "fay").join_live()
    p = watch(t, m, "fay")
    old = m.pids("webrtc")[0]
    os.kill(old, signal.SIGKILL)
    wait_for("another worker", lambda: m.pids("webrtc") not in ([], [old]), 20, 0.05)
    again = join(t, m, "fay")
    wait_for("pictures and sound", lambda: len(again.video) > 50 and len(again.audio) > 50, 30)
    s = m.stream("fay")
    t.ok(s["state"] == "live" and s["reconnects"] == 0 and up(m, "fay", "opus")["hls"]["restarts"] == 0,
        "the death of a worker costs viewers a new session, the publisher and HLS nothing")
    for one in (p, again):
        one.stop()


def ports(t, m):
    port = m.status()["webrtc"]["ports"][0]
    other = t.server(start=False, **{"webrtc.listen": f"127.0.0.1:{port}"})
    other.start(wait=False)
    code = other.proc.wait(20 * SLOW)
    t.is_(code, 1, "a port that is taken is an error")
    t.like(other.log(), f"cannot listen on 127.0.0.1:{port}: taken by (millraced|millrace-webrtc) \\(pid \\d+\\); change webrtc.listen in ", "it names the holder and the key")
    t.is_(other.alive(), False, "and ends the start")
    m.configure({"webrtc.workers": 2})
    t.is_(m.cli("reload").returncode, 0, "webrtc.workers: 2")
    wait_for("two workers", lambda: len(m.pids("webrtc")) == 2 and len(m.status()["webrtc"]["ports"]) == 2, 20, 0.1)
    for name in ("gail", "hank"):
        t.publish(m, name).join_live()
        watch(t, m, name, sound=False).stop()
    t.ok(True, "each name is served by its own")
    m.configure({"webrtc.workers": 0})
    t.is_(m.cli("reload").returncode, 0, "webrtc.workers: 0")
    wait_for("none is left", lambda: not m.pids("webrtc"), 20, 0.1)
    health = m.status()["health"]
    t.ok("webrtc" not in health, f"which is no fault: {health!r}")


def not_set(t):
    """Two servers whose config does not name a port."""
    servers = [t.server(start=False) for _ in range(2)]
    for m in servers:
        del m.conf["webrtc"]
        m.configure({})
        m.start()
    ports = [wait_for("its port", lambda m=m: (m.status().get("webrtc") or {}).get("ports"), 20, 0.1)[0] for m in servers]
    t.ok(ports[0] != ports[1] and min(ports) >= 8189, f"where no port is asked for, the second takes another: {ports}")
    t.like(servers[1].log(), r"webrtc.listen: cannot listen on .*:8189: taken by .*; as it is not set, port \d+ is used", "and says so")
    status, note = servers[1].status(), f"as it is not set, port {ports[1]} is used"
    t.is_([a.rsplit(":", 1)[1] for a in status["listeners"]["webrtc"]], [str(ports[1])], "status: its own port")
    t.like(servers[1].cli("status").stdout, rf"  webrtc \S*:{ports[1]}\b", "and for eyes")
    t.ok(note in json.dumps(status["warnings"]), "which is among the warnings", status["warnings"])
    t.like(servers[1].log(), rf"viewers on \S*:{ports[1]} ", "the log names it for the firewall")


def six(t):
    """Nobody has another address than ::1."""
    first = free_port()
    m = t.server(**{"webrtc.listen": "[::1]:0", "webrtc.ingest_ports": f"{first}-{first + 9}"})
    pub = Publisher(t, m, "ivy", at="::1")
    m.wait_playlist("ivy", 1, 25)
    t.like((pub.last("answer") or {}).get("text", ""), r"(?m)^a=candidate:\S+ 1 udp \d+ ::1 \d+ ", "IPv6: published by WHIP")
    p = Player(t, m, "ivy", at="::1")
    wait_for("pictures and sound", lambda: len(p.video) > 20 and len(p.audio) > 40, 30)
    t.is_(p.state(), "connected", "IPv6: played by WHEP")
    p.stop()
    pub.stop()


if subprocess.run(["/usr/bin/python3", "-c", "import aiortc"], stderr=subprocess.DEVNULL).returncode:
    print("1..0 # SKIP python3-aiortc is not installed")
    raise SystemExit(0)
with Test(__doc__, limit=300) as t:
    m = t.server(**{"webrtc.listen": "127.0.0.1:0", "webrtc.linger": "1s"})
    for part in (copied, transcoded, hevc, never, worker_dies, ports):
        part(t, m)
        for pub in t.publishers:
            pub.cut()
    not_set(t)
    six(t)
