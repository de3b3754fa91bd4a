#!/usr/bin/python3
"""332-frames-wrong: whatever a frames client says wrong is answered with the field's name, and what is good is kept; others notice nothing."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

from frames import *


def wrong(t, c, field, message, name):
    """Said, it is answered with an ERROR of this field."""
    if isinstance(message, bytes):
        c.ws.send_binary(message)
    else:
        c.say(message)
    answer = c.next()
    t.ok(answer and answer["eventType"] == "ERROR" and answer["field"] == field and answer["error"], f"{name}: {answer and answer.get('error')}", answer)


def stream(kind, chunk):
    return {"eventType": "STREAM", "mediaSourceType": kind, "encodedMediaChunk": chunk}


def stored(c):
    """Sound is sent: was it taken?"""
    c.audio(sound)
    c.say("?")
    first = c.next()["error"]
    if "full" in first:
        c.next()
    return "full" not in first


jpegs, sound = pictures(12), tone(0.5)
b64 = [base64.b64encode(j).decode() for j in jpegs]

with Test(__doc__, limit=150) as t:
    m = t.server(**{"frames.max_message": "64KiB", "frames.max_pixels": 300000, "jobs.workers": 1, "jobs.scan": "1s"})
    c = Client(m, "w")
    c.video(jpegs[0])
    damaged = bytearray(jpegs[1])
    damaged[len(damaged) // 2:len(damaged) // 2 + 2] = b"\xff\xc4"
    big = b64[1][:-4] + "A" * 70000
    for field, message, name in [
            ("message", "this is no JSON", "no JSON"), ("message", "[]", "an array"), ("eventType", {"id": 1}, "no eventType"),
            ("eventType", {"eventType": "BYE"}, "an unknown eventType"), ("eventType", {"eventType": "CONNECT", "id": "x"}, "CONNECT again"),
            ("mediaSourceType", stream("TOUCH", b64[1]), "an unknown mediaSourceType"), ("encodedMediaChunk", {"eventType": "STREAM", "mediaSourceType": "VIDEO"}, "no chunk"),
            ("encodedMediaChunk", stream("VIDEO", b64[1][:100] + "*" + b64[1][100:]), "bad base64"), ("encodedMediaChunk", stream("VIDEO", base64.b64encode(sound[:500]).decode()), "no JPEG"),
            ("encodedMediaChunk", stream("VIDEO", base64.b64encode(jpegs[1][:-30]).decode()), "a JPEG without its end"),
            ("encodedMediaChunk", stream("VIDEO", base64.b64encode(bytes(damaged)).decode()), "a damaged JPEG"),
            ("encodedMediaChunk", stream("VIDEO", base64.b64encode(pictures(1, "800x600")[0]).decode()), "a JPEG of too many pixels"),
            ("message", stream("VIDEO", big), "an oversized message"), ("timestamp", dict(stream("VIDEO", b64[1]), timestamp="now"), "a timestamp that is none"),
            ("file", {"eventType": "REQUEST_AUDIO_STREAM_PLAYBACK", "file": "/etc/passwd"}, "a file that is none"), ("message", b"\x00\x01\x02", "a binary message of no kind")]:
        wrong(t, c, field, message, name)
        time.sleep(0.05)
    c.audio(sound)
    for i, jpeg in enumerate(jpegs[1:]):
        c.video(jpeg)
    closed = c.close()
    got = [n for n, _ in numbers(f"{m.data}/media/video/{closed['video']}")]
    t.is_(got, list(range(12)), "between all that, every frame is kept")
    with open(f"{m.data}/media/audio/{closed['audio']}", "rb") as f:
        t.ok(wav_samples(f.read()) == sound, "and every sample")

    # Errors without end cost little, and the session goes on.
    c = Client(m, "noise")
    for _ in range(3000):
        c.say("{")
    c.video(jpegs[0])
    closed = c.close()
    errors = [g for g in c.got if g["eventType"] == "ERROR"]
    t.ok(0 < len(errors) < 60 and closed["frames"] == 1, f"3000 mistakes are told {len(errors)} times")

    # Sizes: odd ones, and others in between.
    c = Client(m, "sizes")
    for jpeg in pictures(4, "321x181") + pictures(4, "640x100", 4) + pictures(4, "16x16", 8) + pictures(4, "321x181", 12):
        c.video(jpeg)
    v = probe(f"{m.data}/media/video/{c.close()['video']}")
    t.is_((v["width"], v["height"], v["nb_read_frames"], v["pix_fmt"]), (320, 180, "16", "yuv420p"), "odd and changing sizes are fitted into the first one")

    # Its coded data is damaged so that only a decoder can see it: that frame is lost at most.
    c = Client(m, "bits")
    for i, jpeg in enumerate(jpegs):
        if i == 5:
            jpeg = bytearray(jpeg)
            scan = jpeg.index(b"\xff\xda") + 20
            for k in range(scan, len(jpeg) - 2, 7):
                jpeg[k] = 0x55
            jpeg = bytes(jpeg)
        c.video(jpeg)
    closed = c.close()
    got = [n for n, _ in numbers(f"{m.data}/media/video/{closed['video']}")]
    t.ok(got[:5] == list(range(5)) and got[-6:] == list(range(6, 12)), "a frame that cannot be decoded costs itself alone", got)

    # ffmpeg refuses it: no component has such a sampling. A few are lost and not counted; of many the file is kept, too, with the reason.
    broken = bytearray(jpegs[0])
    broken[broken.index(b"\xff\xc0") + 11] = 0
    c = Client(m, "few")
    for jpeg in jpegs + [bytes(broken)] + jpegs:
        c.video(jpeg)
    closed = c.close()
    t.is_((closed["state"], closed["frames"], len(numbers(f"{m.data}/media/video/{closed['video']}"))), ("done", 24, 24), "CLOSED tells the MP4's own number of frames")
    c = Client(m, "many")
    for jpeg in jpegs[:9] + [bytes(broken)] * 3:
        c.video(jpeg)
    closed = c.close()
    t.is_((closed["state"], closed["frames"], closed["lost"]), ("done", 9, 3), "a session that has lost much is told how much")
    t.is_([n for n, _ in numbers(f"{m.data}/media/video/{closed['video']}")], list(range(9)), "... and has an MP4 of the others")
    dead = wait_for("its job has failed", lambda: re.search(r"many_\d+\.mkv: 3 of 12 frames.*kept", m.cli("jobs", "--failed").stdout), 20, 0.2)
    t.is_(sorted(f[-4:] for f in os.listdir(f"{m.data}/media/temp") if f.startswith("many_")), [".mkv", ".txt"], "... and its file is kept, with the reason")
    c = Client(m, "all")
    c.audio(sound)
    for _ in range(4):
        c.video(bytes(broken))
    closed = c.close()
    t.is_((closed["state"], closed["frames"], closed.get("lost"), "video" in closed, "audio" in closed), ("failed", 0, 4, False, True),
        f"not one frame: {closed.get('error')}")
    id = next(j["id"] for j in json.loads(m.cli("jobs", "--failed", "--json").stdout)["jobs"] if "many_" in json.dumps(j))
    t.is_(m.cli("jobs", "retry", id).returncode, 0, "a retry")
    wait_for("it is let go of", lambda: not [f for f in os.listdir(f"{m.data}/media/temp") if f.startswith("many_")], 20, 0.2)

    # Names: whatever an id is, it leads nowhere else, and two ids are never one.
    names = []
    for id in ("../../../etc/x", "a b", "a/b", "$(touch /tmp/owned)", "", "x" * 300, "same", "same"):
        c = Client(m, id, path="/frames")
        c.audio(sound)
        names.append(c)
    for c in names:
        c.close()
    files = [c.got[-1]["audio"] for c in names]
    t.ok(len(set(files)) == 8 and all(re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}_\d{13}\.wav", f) for f in files), "ids are made safe", files)
    t.ok(files[1].split("_1")[0] != files[2].split("_1")[0], "two ids stay two", files)
    t.ok(files[6] != files[7] and files[6].startswith("same_") and files[7].startswith("same_"), "two sessions may share one", files)
    t.is_(sorted(os.listdir(m.data + "/media")), ["audio", "temp", "video"], "nothing else was made")
    c = Client(m, path="/frames/tower?x=1")
    c.audio(sound)
    t.ok(c.close()["audio"].startswith("tower_"), "without CONNECT the path names the client")
    c = Client(m)
    c.video(jpegs[0])
    t.like(c.close()["video"], r"^client-[0-9a-f]{8}_\d+\.mp4$", "without both it is made up")

    # Hostile ones: memory stays bounded, others unharmed.
    good = Client(m, "good")
    mad = [Client(m, f"mad{i}") for i in range(3)]
    for n in range(12):
        good.video(jpegs[n])
        mad[0].ws.send(json.dumps(stream("VIDEO", "A" * 60000)))
        mad[1].ws.sock.sendall(b"\x01\xfe\xff\xff\0\0\0\0" + b"x" * 65535 if n == 0 else b"\x00\xfe\xff\xff\0\0\0\0" + b"x" * 65535)
        mad[2].say("[" * 60000)
    rss = max(rss_bytes(p) for p in m.pids("ingest"))
    t.ok(rss < 64 << 20, f"an ingest takes {rss >> 20} MiB at most")
    closed = good.close()
    t.is_([n for n, _ in numbers(f"{m.data}/media/video/{closed['video']}")], list(range(12)), "a good client among them loses nothing")
    for c in mad:
        c.cut()

    # No room: told, and there again later.
    m.configure({"disk.reserve": "10240GiB"})
    m.cli("reload")
    c = Client(m, "room")
    c.audio(sound)
    answer = c.next()
    t.ok(answer["eventType"] == "ERROR" and "full" in answer["error"], "a disk with less than disk.reserve is told", answer)
    m.configure({"disk.reserve": "1MiB"})
    m.cli("reload")
    wait_for("there is room again", lambda: stored(c), 10, 0.2)
    t.ok(c.close()["samples"] > 0, "then it goes on")

    # Not open, or not allowed.
    m.configure({"authorize.keys": {"cam": m.cli("hash-key", "s3cret").stdout.strip()}})
    t.is_(m.cli("reload").returncode, 0, "a reload with a key")
    c = Client(m, "cam", path="/frames?key=wrong")
    answer = c.next()
    t.ok(answer["field"] == "id" and "key" in answer["error"] and c.next() is None and c.code == 1008, "a wrong key is refused", answer)
    c = Client(m, "cam", path="/frames?key=s3cret")
    c.audio(sound)
    t.is_(c.close()["id"], "cam", "the right one is not")
    m.configure({"authorize.routes": ["ws"]})
    m.cli("reload")
    try:
        Client(m, "cam", path="/frames")
        t.ok(False, "a route that is not open")
    except websocket.WebSocketBadStatusException as e:
        t.ok(e.status_code in (403, 404), f"a route that is not open: {e.status_code}")
