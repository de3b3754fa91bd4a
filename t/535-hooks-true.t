#!/usr/bin/python3
"""535-hooks-true: webhooks tell what is: publish with the first media, viewers between publish and ended, ended once; what goes wrong, once."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *
from receiver import Receiver
from rtc import SDP, ask, stored
from rtmp import RtmpConnection
from rtmp_target import RtmpTarget


def state(m, name):
    return next((s["state"] for s in m.status()["streams"] if s["name"] == name), None)


def told(rx, name):
    """Each event once, however often it came."""
    return list({r.json()["id"]: r.json()["event"] for r in rx.got("/e", name=name)}.values())


def wrong(rx, name, code):
    """[(what, works) ..] of its errors."""
    return list({r.json()["id"]: (r.json()["what"], r.json()["works"]) for r in rx.got("/all", event="error", name=name, code=code)}.values())


with Test(__doc__, limit=120) as t:
    rx = Receiver(free_port())
    first = free_port()
    m = t.server(**{"webrtc.listen": "127.0.0.1:0", "webrtc.addresses": ["127.0.0.1"], "webrtc.ingest_ports": f"{first}-{first + 9}",
        "streams.reconnect_delay": "1s", "streams.cleanup_delay": "3s", "hooks": {"networks": ["127.0.0.0/8"],
        "retry_min": "100ms", "urls": [{"url": rx.url("/e"), "events": ["publish", "unpublish", "ended", "play", "stop"]}]}})

    # accepted, but nothing comes
    c = RtmpConnection("127.0.0.1", m.rtmp)
    c.handshake()
    c.connect("live", "rtmp://h/live")
    c.publish("mute")
    whip = ask(m, "POST", "/whip/silent", stored("aiortc-offer").replace("a=recvonly", "a=sendonly"), SDP)
    t.is_(whip[0], 201, "an offer by WHIP is taken")
    wait_for("both are here", lambda: {state(m, "mute"), state(m, "silent")} == {"starting"}, 10)
    t.ok(True, "publishers without media are not live")

    p = t.publish(m, "alice", clips.clip(seconds=60), key="?token=t1&key=secret&sig=s&exp=9&b=")
    p.join_live()
    wait_for("publish", lambda: told(rx, "alice") == ["publish"], 10)
    t.is_(rx.got("/e", name="alice")[0].json()["query"], "token=t1&b=", "publish has the query, without what is a secret of this server")
    m.wait_playlist("alice", 2)
    m.get("/stream/alice/live.m3u8")
    player = t.player(m, "alice")
    wait_for("play", lambda: "play" in told(rx, "alice"), 10)
    p.end()
    wait_for("unpublish", lambda: "unpublish" in told(rx, "alice"), 10)
    for _ in range(3):
        m.get("/stream/alice/live.m3u8", headers={"User-Agent": "asks what there is"})
        time.sleep(0.3)
    wait_for("ended", lambda: "ended" in told(rx, "alice"), 15)
    player.stop()
    events = told(rx, "alice")
    t.is_((events[0], events[-1], events.count("play")), ("publish", "ended", events.count("stop")), "viewers came, and are gone, in between")
    t.ok("play" not in events[events.index("unpublish"):], "who asked for the playlist of a stream without a publisher is none", events)
    app = {r.json()["app"] for r in rx.got("/e", name="alice")}
    t.is_(app, {"live"}, "each with its app")
    c.close()

    # stopped while the end of its playlist can still be had
    p = t.publish(m, "bob", clips.clip(seconds=60))
    p.join_live()
    m.wait_playlist("bob", 2)
    m.stop()
    m.start()
    wait_for("ended", lambda: "ended" in told(rx, "bob"), 15)
    wait_for("its files are removed", lambda: not os.path.exists(f"{m.data}/hls/bob"), 15)
    time.sleep(1)
    t.is_([e for e in told(rx, "bob") if e not in ("play", "stop")], ["publish", "unpublish", "ended"], "a stop and a start: ended once")
    t.is_(told(rx, "mute") + told(rx, "silent"), [], "of who sent nothing nothing was told")

    # what goes wrong: key frames too far apart, a push to nobody, no space for the recording
    target = RtmpTarget()
    target.close()
    m = t.server(push=[{"id": "yt", "url": target.url("s3cr3tk3y")}], **{"streams.record.path": "recordings/{stream}/{start}.mp4",
        "streams.key_frame_age": "6s", "hooks": {"networks": ["127.0.0.0/8"], "error_interval": "100ms", "urls": [{"url": rx.url("/all")}]}})
    p = t.publish(m, "carl", clips.clip(seconds=60, gop=5.0))
    p.join_live()
    wait_for("no key frame for 4 s, and then one", lambda: wrong(rx, "carl", "media")[:2] == [("", False), ("", True)], 20)
    t.like(rx.got("/all", event="error", code="media")[0].json()["reason"], "no key frame for 4 s", "error media: key frames too far apart, and then one came")
    wait_for("it is tried again and again", lambda: next(o for o in m.stream("carl")["outputs"] if o["kind"] == "push")["restarts"] >= 3, 30)
    t.is_(wrong(rx, "carl", "push"), [("yt", False)], "error push: its failure, not each retry")
    t.like(rx.got("/all", event="error", code="push")[0].json()["reason"], "connection refused", "and why")
    back = RtmpTarget(target.port)
    wait_for("it works", lambda: wrong(rx, "carl", "push") == [("yt", False), ("yt", True)], 40)
    # removed while it fails: over; and each has a place of its own, however many there were
    nobody = RtmpTarget()
    nobody.close()
    for i in range(4):
        ids = [f"p{i}{k}" for k in range(5)]
        for id in ids:
            m.cli("push", "add", "carl", id, nobody.url("k"))
        wait_for("they fail", lambda: all((id, False) in wrong(rx, "carl", "push") for id in ids), 30)
        for id in ids:
            m.cli("push", "remove", "carl", id)
    wait_for("their ends", lambda: len(wrong(rx, "carl", "push")) == 2 + 2 * 20, 10)
    last = rx.got("/all", event="error", code="push")[-1].json()
    t.is_((last["what"][:2], last["works"], last["reason"]), ("p3", True, ""), "20 pushes that fail, each told once; removed, each told to be over")
    m.configure({"disk.reserve": "10TiB"})
    m.cli("reload")
    wait_for("paused", lambda: wrong(rx, "carl", "recording") == [("", False)], 20)
    m.configure({"disk.reserve": "1B"})
    m.cli("reload")
    wait_for("it goes on", lambda: wrong(rx, "carl", "recording") == [("", False), ("", True)], 20)
    t.ok(True, "error recording: it is paused, it goes on")
    p.end()
    wait_for("unpublish", lambda: rx.got("/all", event="unpublish", name="carl"), 15)
    events = list({r.json()["id"]: r.json()["event"] for r in rx.got("/all", name="carl")}.values())
    at = [i for i, e in enumerate(events) if e == "error"]
    t.ok(events.index("publish") < at[0] and at[-1] < events.index("unpublish"), "errors are between publish and unpublish", events)
    t.none([r.body for r in rx.got("/all") if b"s3cr3tk3y" in r.body], "no key in any")
    back.close()
