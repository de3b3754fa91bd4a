#!/usr/bin/python3
"""300-ws-rooms: any container over /ws is a stream like any other; names, keys, duplicates and viewers before the upgrade."""
import datetime, json, os, subprocess, sys, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import clips
from millrace import Test, wait_for
from ws import Closed, Refused, WebSocket
from ws_publisher import WsPublisher

SECONDS = 30
HOSTILE = ["..", ".hidden", "a/b", "a%2Fb", "x;rm%20-rf%20", "%24(id)", "a%00b", "a%0Ab", "%C3%A4", "", "x" * 65, "a%20b", "`id`"]


def refused(m, path, **kw):
    """The answer to an upgrade that is none; 101: it was granted."""
    try:
        ws = WebSocket(m.http, path, **kw)
    except Refused as e:
        return e.status, e.body.decode()
    ws.abort()
    return 101, ""


def codecs(m, name):
    r = subprocess.run(["ffprobe", "-v", "error", "-show_entries", "stream=codec_name,width", "-of", "json",
        m.http_url(f"/stream/{name}/live.m3u8")], stdout=subprocess.PIPE, text=True, timeout=30)
    found = {(s["codec_name"], s.get("width")) for s in json.loads(r.stdout or "{}").get("streams", [])}
    return found


def times(m, name):
    """(is it created in the last minute?, live since) as /streams and /api/v1/streams say."""
    def listed(path, list_key, name_key):
        found = [s for s in json.loads(m.get(path)[2])[list_key] if s[name_key] == name]
        return found[0] if found else None
    room = wait_for(f"{name} is listed", lambda: listed("/streams", "streams", "streamKey"), 10)
    created = datetime.datetime.fromisoformat(room["createdAt"].replace("Z", "+00:00")).timestamp()
    return abs(time.time() - created) < 60, listed("/api/v1/streams", "streams", "name")["since"]


with Test("live rooms") as t:
    m = t.server(**{"streams.record.path": "recordings/{stream}/{start}.mp4", "streams.reconnect_delay": "1s",
        "ws.first_media_timeout": "12s"})

    # every kind of chunks, at once
    files = {k: clips.container(k) for k in ("vp8", "vp9", "av1", "h264", "fmp4", "ts")} | {"flv": clips.clip(SECONDS)}    # made first: nobody waits
    pubs = {k: WsPublisher(m.http, f"room-{k}", path, SECONDS) for k, path in files.items()}
    for k, p in pubs.items():
        t.is_(p.hello, {"streamKey": f"room-{k}", "message": "Room created"}, f"{k}: the room is created")
        t.is_(times(m, f"room-{k}"), (True, None), f"{k}: /streams says when; it is live since no time yet")
        t.publishers.append(p)
        p.start()
    for k in pubs:
        m.wait_playlist(f"room-{k}", 2, 40)
        t.is_(codecs(m, f"room-{k}"), {("h264", 320), ("aac", None)}, f"{k}: H.264 and AAC by HLS")
        wait_for("it hears so", lambda: pubs[k].state("live") or not pubs[k].is_alive())
    s = m.stream("room-vp8")
    t.is_(s["protocol"], "ws", "status says how it comes")
    t.ok(any(o["kind"] == "intake" and o["state"] == "up" for o in s["outputs"]), "and that an ffmpeg takes it in")
    t.ok(not any(o["kind"] == "intake" for o in m.stream("room-flv")["outputs"]), "FLV needs none")

    # viewers
    status, _, body = m.get("/ws?role=viewer&streamKey=room-vp8")
    t.is_((status, json.loads(body)), (200, {"hlsUrl": m.http_url("/stream/room-vp8/live.m3u8"), "message": "Room found"}),
        "a viewer is told where")
    t.is_(m.get("/ws?role=viewer&streamKey=nobody")[0], 404, "or that there is no such room")
    status, _, body = m.get("/streams")
    listed = json.loads(body)
    t.is_((listed["count"], {s["streamKey"] for s in listed["streams"]}), (len(pubs), {f"room-{k}" for k in pubs}), "/streams lists them")
    t.ok(all(times(m, f"room-{k}")[1] for k in pubs), "with their times")
    t.is_(m.get("/health")[2], b"ok", "/health says ok")
    t.is_(m.get("/ws")[0], 426, "/ws is for WebSockets")

    # who may not
    status, text = refused(m, "/ws?role=publisher&streamKey=room-vp8")
    t.is_(status, 409, "a second publisher of a room is refused before the upgrade")
    for key in HOSTILE:
        status, text = refused(m, f"/ws?role=publisher&streamKey={key}")
        t.ok(status == 400, f"streamKey {key!r} is refused", f"{status} {text}")
    t.is_(refused(m, "/ws?role=publisher")[0], 400, "so is none")
    t.is_(refused(m, "/ws?role=admin&streamKey=a")[0], 400, "and an unknown role")
    t.is_(sorted(os.listdir(f"{m.data}/hls")), sorted(f"room-{k}" for k in pubs), "nothing else has a folder")

    # the end
    pubs["vp8"].finish()
    t.is_((pubs["vp8"].error, pubs["vp8"].code), (None, 1000), "a normal close is answered so")
    pubs["fmp4"].cut()
    for k in ("vp8", "fmp4"):
        wait_for(f"ENDLIST of {k}", lambda: "ENDLIST" in m.playlist(f"room-{k}") or m.stream(f"room-{k}") is None, 20)
        t.ok(True, f"{k}: its playlist ends")
    for p in pubs.values():
        p.finish()

    wait_for("recordings are finished", lambda: len(json.loads(m.get("/recordings", {"Accept": "application/json"})[2])["video"]) >= len(pubs), 60)
    t.ok(True, "each was recorded")

    # a container that can't be streamed, and none at all
    p = WsPublisher(m.http, "plain", clips.container("plain"), SECONDS, speed=20)
    p.start()
    p.join(30)
    t.is_(p.code, 1003, "an MP4 without fragments is refused")
    t.like(p.error or "", "fragment", "and says why")
    ws = WebSocket(m.http, "/ws/garbage")
    t.is_(ws.json()["streamKey"], "garbage", "/ws/NAME is a room, too")
    ws.send(os.urandom(4000))
    try:
        for _ in range(2000):
            ws.send(os.urandom(4000))
            if ws.readable(0.02):
                ws.wait_json(lambda j: False)
        code = None
    except Closed as e:
        code = e.code
    except OSError:
        code = 1013
    t.is_(code, 1013, "garbage ends with a reason")
    t.ok(m.alive() and m.get("/healthz")[0] == 200, "nobody else noticed")
