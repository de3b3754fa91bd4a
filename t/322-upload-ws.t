#!/usr/bin/python3
"""322-upload-ws: a file over a WebSocket: acknowledged, cut, gone on with, converted, pushed; who may, limits, two connections for one file."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *
from upload import *
from ws import *


def data_of(path):
    with open(path, "rb") as f:
        return f.read()


def send(w, data, piece=50000):
    for at in range(0, len(data), piece):
        w.send(data[at:at + piece])


def refused(port, path, **kw):
    try:
        WebSocket(port, path, **kw)
    except Refused as e:
        return e.status
    return "accepted"


with Test(__doc__) as t:
    there = t.server(**{"streams.record.path": "recordings/{stream}/{start}.mp4", "streams.reconnect_delay": "1s", "jobs.scan": "1s"})
    here = t.server(**{"upload.target": f"rtmp://127.0.0.1:{there.rtmp}/live/{{name}}", "jobs.scan": "60s", "jobs.workers": 2})
    movie = data_of(mp4())

    w = WebSocket(here.http, "/ws?streamKey=alice&filename=Ferien%20%C3%A4.mp4")
    hello = w.json()
    t.ok(len(hello["uploadId"]) == 32 and hello["offset"] == 0 and hello["maxSize"] > 1 << 30, f"a word of welcome: {hello}")
    send(w, movie)
    t.ok(w.wait_json(lambda m: m.get("offset") == len(movie)), "all of it is acknowledged")
    w.text({"done": True})
    seen = []
    try:
        while True:
            m = w.json()
            seen.append(m)
    except Closed as e:
        t.is_(e.code, 1000, "it is told of its job until that is done, then the server closes")
    states = [m["state"] for m in seen if "state" in m]
    t.is_((states[0], states[-1], seen[-1]["percent"], {m["jobId"] for m in seen if "jobId" in m}), ("queued", "done", 100, {hello["uploadId"]}),
        f"queued .. done: {sorted(set(states))}")
    t.ok("pushing" in states, "it is told of the push")
    got = probe(wait_recordings(there, "alice")[0])
    t.ok(sorted(got) == ["aac", "h264"] and abs(got["h264"][0] - 4) < 0.4, f"it has arrived: {got}")
    t.is_(job(here, hello["uploadId"])["file"], "Ferien ä.mp4", "the API names the file as its sender does")

    # Cut anywhere, gone on with.
    data, pos, id = data_of(webm()), 0, None
    cuts = [1, 3000, 70000, 70001, len(data) - 1]
    for n, cut in enumerate(cuts + [len(data)]):
        w = WebSocket(here.http, "/ws?role=upload&name=bob" + (f"&id={id}" if id else ""))
        m = w.json()
        t.ok(id in (None, m["uploadId"]) and pos <= m["offset"] <= max(pos, ([0] + cuts)[n]), f"cut at {([0] + cuts)[n]}: goes on at {m['offset']}") if n else None
        id, pos = m["uploadId"], m["offset"]
        send(w, data[pos:cut], 1777)
        if cut == len(data):
            break
        pos = w.wait_json(lambda m: m.get("offset", 0) == cut)["offset"] if n % 2 else pos
        w.abort() if n < 3 else w.close(1001)
    code = w.close(1000)
    t.is_(code, 1000, "closed with 1000: it is complete")
    j = wait_state(here, id, "done", "failed")
    t.is_(j["state"], "done", "in pieces, but whole")
    w = WebSocket(here.http, f"/ws?role=upload&id={id}")
    w.json()
    t.is_(w.json(), {"jobId": id, "state": "done", "percent": 100}, "asked again later: done")

    # A second connection takes it over from one that hangs.
    w = WebSocket(here.http, "/upload/carol")
    id = w.json()["uploadId"]
    w.send(movie[:100000])
    w.wait_json(lambda m: m.get("offset") == 100000)
    t0 = time.monotonic()
    w2 = WebSocket(here.http, f"/upload?id={id}")
    t.is_(w2.json()["offset"], 100000, f"a newer connection takes over, after {time.monotonic() - t0:.1f} s")
    send(w2, movie[100000:])
    w2.text('{"done": false}')
    t.like(w2.wait_json(lambda m: "error" in m)["error"], "done", "another text message: it says what it may be")
    w2.text({"done": True})
    w2.wait_json(lambda m: m.get("state") == "queued")
    w2.abort()
    t.is_(wait_state(here, id, "done", "failed")["state"], "done", "and completes it")

    w = WebSocket(here.http, f"/ws?name=frank&size={len(movie)}")
    id = w.json()["uploadId"]
    w.send(movie[:50000])
    w.text({"done": True})
    m = w.wait_json(lambda m: "error" in m)
    t.like(m["error"], "not all", f"less than was announced: {m['error']}")
    send(w, movie[50000:])
    w.text({"done": True})
    w.wait_json(lambda m: m.get("state") == "queued")
    t.is_(entry(here, id)["size"], len(movie), "then the rest")
    w.abort()
    wait_state(here, id, "done")
    wait_for("its file is gone", lambda: files(here, id) == ["json"], 5)

    t.is_(refused(here.http, "/ws?name=..%2Fx"), 400, "a name that is none")
    t.is_(refused(here.http, f"/ws?id={'0' * 32}"), 404, "an id that is none")
    t.is_(refused(here.http, "/ws?size=99999999999999"), 413, "too big, as announced")
    here.configure({"upload.max_size": "100KiB", "ws.origins": ["https://a.example"], "upload.idle_timeout": "1s", "upload.max_uploads": 3,
        "authorize.keys": {"dave": here.cli("key", "dave").stdout.split('"')[1]}})
    here.cli("reload")
    t.is_(refused(here.http, "/ws", fields=["Origin: https://b.example"]), 403, "another origin")
    t.is_(refused(here.http, "/ws?name=dave"), 403, "dave wants a key")
    w = WebSocket(here.http, "/ws?name=erin")
    id = w.json()["uploadId"]
    send(w, bytes(200000))
    m = w.wait_json(lambda m: "error" in m)
    try:
        w.recv()
    except Closed as e:
        t.is_((e.code, "max_size" in m["error"], files(here, id)), (1009, True, []), f"too big as it comes: {m['error']}; it is deleted")
    w = WebSocket(here.http, "/ws?name=erin")
    w.send(b"x")
    m = w.wait_json(lambda m: "error" in m)
    t.like(m["error"], "idle_timeout", f"nothing comes: {m['error']}")
    opened = [WebSocket(here.http, "/ws") for _ in range(2)]
    [o.json() for o in opened]
    t.is_(refused(here.http, "/ws"), 503, "upload.max_uploads")
    opened[0].abort()
    t.is_(opened[1].close(1000), 1000, "nothing was sent")
    wait_for("who sent nothing leaves nothing", lambda: refused(here.http, "/ws") == "accepted", 5)
    w = WebSocket(here.http, "/ws?name=erin")
    id = w.json()["uploadId"]
    t.is_(w.close(1001), 1001, "nor did this one")
    wait_for("who sent nothing leaves nothing", lambda: files(here, id) == [], 5)
    here.configure({"upload.max_uploads": 1000, "upload.max_per_address": 2})
    here.cli("reload")
    opened = WebSocket(here.http, "/ws")
    opened.json()
    t.is_(refused(here.http, "/ws"), 503, "upload.max_per_address: with the one that was left")
    opened.abort()
    t.like(here.log(), r"is complete: \d+ bytes", "the log says what came")
