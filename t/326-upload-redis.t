#!/usr/bin/python3
"""326-upload-redis: Redis is away when an upload is complete, and forgets everything amid its push: it is converted when Redis is back, and pushed once."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *
from upload import *
from ws import *

with Test(__doc__) as t:
    port = free_port()
    argv = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", t.dir]
    redis = t.spawn(argv)
    there = t.server(**{"streams.record.path": "recordings/{stream}/{start}.mp4", "jobs.scan": "1s"})
    here = t.server(**{"upload.target": there.url("x"), "jobs.scan": "2s", "redis.url": f"redis://127.0.0.1:{port}", "redis.retry_max": "500ms"})
    wait_for("Redis is there", lambda: here.cli("jobs").returncode == 0, 10, 0.2)
    redis.kill()
    redis.wait()
    with open(mp4(8), "rb") as f:
        data = f.read()
    w = WebSocket(here.http, "/ws")
    id = w.json()["uploadId"]
    w.send(data)
    w.text({"done": True})
    t.is_(w.wait_json(lambda m: "state" in m), {"jobId": id, "state": "queued", "percent": 0}, "complete while Redis is away: queued")
    j = job(here, id)
    t.ok(j["state"] == "HTTP 503" and "Redis is away" in j["error"], f"the API says what is wrong: {j['error']}")
    redis = t.spawn(argv)
    wait_for("a third is through", lambda: (lambda j: j["state"] == "pushing" and j["percent"] > 30)(job(here, id)), 40, 0.1)
    t.ok(True, "when Redis is back it is converted and pushed")
    redis.kill()
    redis.wait()
    wait_for("away is seen", lambda: here.cli("jobs").returncode == 1, 10, 0.1)
    redis = t.spawn(argv)      # and knows nothing
    wait_for("done", lambda: entry(here, id)["state"] == "done", 40, 0.2)
    wait_recordings(there, "x")
    t.is_(len(recordings(there, "x")), 1, "pushed once, though Redis forgot everything")
    wait_for("the queue is empty", lambda: "no job waits or runs" in here.cli("jobs").stdout, 10, 0.2)
    t.is_(files(here, id), ["json"], "its files are gone")
