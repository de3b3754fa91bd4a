#!/usr/bin/python3
"""312-push-faults: targets that are down, mute, refuse, freeze, are slow or not there; HLS, the recording and a good push notice nothing."""
import glob, os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

from media import flv_frames
from rtmp_target import RtmpTarget, key_slices, push_of, runs

KEY = "s3cr3tk3y"
FAULTS = {      # id: mode of its target, what status says
    "mute": ("mute", "does not answer"),
    "hello": ("mute_after_hello", "went mute"),
    "connect": ("reject_connect", r"it refuses: .*wrong \*\*\*"),
    "publish": ("reject_publish", r"it refuses: .*wrong \*\*\*"),
    "close": ("close", "closed the connection"),
    "down": (None, "connection refused"),
    "nowhere": (None, "host name can't be resolved"),
}

with Test(__doc__, 200) as t:
    good, targets, push = RtmpTarget(), {}, []
    for id, (mode, _) in FAULTS.items():
        targets[id] = RtmpTarget()
        targets[id].mode, targets[id].words = mode, f"wrong {KEY}"
        push.append({"id": id, "url": targets[id].url(KEY) if id != "nowhere" else f"rtmp://nowhere.invalid/live/{KEY}"})
        if mode is None:
            targets[id].close()
    push.append({"id": "good", "url": good.url(KEY)})
    m = t.server(push=push, push_stuck="2s", **{"streams.record.path": "recordings/{stream}/{start}.mp4",
        "streams.hls.segment": "1s"})
    clip = clips.clip(60, 1.0)
    data = open(clip, "rb").read()
    sent, keys = flv_frames(data), key_slices(data)
    p = t.publish(m, "alice", clip)
    m.wait_playlist("alice", 1)
    hls = next(o for o in m.wait_stream("alice", lambda s: any(o["kind"] == "hls" for o in s["outputs"]))["outputs"] if o["kind"] == "hls")
    player = t.player(m, "alice")
    for id, (_, words) in FAULTS.items():
        o = wait_for(f"{id} failed and says so", lambda: (o := push_of(m, "alice", id)).get("restarts", 0) > 0 and
            re.search(words, o["reason"]) and o, 30)
        t.ok(o["state"] in ("backoff", "connecting", "starting"), f"{id}: {o['reason']}", o["state"])
    said = wait_for("status says it", lambda: (lambda r: r if r.returncode == 1 else None)(m.cli("status")), 15, 0.2)
    t.like(said.stdout, r"output push \w+ of alice does not work", "status: exit code 1, and in words")
    # a target that was away comes back
    back = RtmpTarget(targets["down"].port)
    wait_for("the one that was down is up", lambda: push_of(m, "alice", "down").get("state") == "up", 40)
    s = back.sessions[-1]
    wait_for("media", lambda: s.seconds() > 0.5, 10)
    t.ok(runs(s.frames()[0], sent[0])[0][0] in keys, "it begins with a key frame")
    # frozen: accepts all, then takes nothing any more
    n = len(back.sessions)
    back.frozen = True
    wait_for("frozen is noticed", lambda: push_of(m, "alice", "down")["restarts"] > 0 and
        re.search("took nothing|does not answer", push_of(m, "alice", "down")["reason"]), 30)
    t.ok(True, f"frozen: {push_of(m, 'alice', 'down')['reason']}")
    back.frozen = False
    wait_for("it is up again", lambda: len(back.sessions) > n and back.publishing() and
        push_of(m, "alice", "down").get("state") == "up", 60)
    # what the others saw
    now = next(o for o in m.wait_stream("alice", lambda s: any(o["kind"] == "hls" for o in s["outputs"]))["outputs"] if o["kind"] == "hls")
    t.is_((now["pid"], now["restarts"]), (hls["pid"], hls["restarts"]), "the same ffmpeg cuts HLS all the time")
    v = good.sessions[0].frames()[0]
    t.is_((len(good.sessions), runs(v, sent[0])), (1, [[0, len(v) - 1]]), "the good target has had every frame, in one session")
    t.none(player.stop().check(), "the viewer has seen no fault")
    raw = flv_frames(open(glob.glob(f"{m.data}/rec/alice/*.flv")[0], "rb").read())
    t.is_(len(runs(raw[0], sent[0])), 1, "the recording has every frame")
    t.is_(m.stream("alice")["discontinuities"], 0, "no discontinuity")
    p.end()
    m.wait_log("ingest of alice .*ended")
    text = m.log() + json.dumps(m.status()) + m.cli("status").stdout + m.cli("push", "list", "alice").stdout + m.get("/metrics")[2].decode()
    t.none([line for line in text.splitlines() if KEY in line], "no key anywhere")
    for target in [good, back, *targets.values()]:
        target.close()
