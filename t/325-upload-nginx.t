#!/usr/bin/python3
"""325-upload-nginx: an mp4, a mov and a webm over a WebSocket and by tus to Debian's nginx-rtmp, one after the other; nginx dies amid a push, which goes on; kill -9 of the ffmpeg."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *
from media import flv_frames
from tus import Upload
from upload import *
from ws import *

MODULE = "/usr/lib/nginx/modules/ngx_rtmp_module.so"
CONF = """load_module %(module)s;
%(user)sdaemon off; master_process off; worker_processes 1; pid %(dir)s/pid; error_log %(dir)s/error.log info;
events { worker_connections 64; }
rtmp { access_log off; server { listen 127.0.0.1:%(port)d; application live { live on; record all; record_path %(dir)s/rec; record_unique on; } } }
"""


def nginx(t, port, dir):
    os.makedirs(f"{dir}/rec", exist_ok=True)
    with open(f"{dir}/conf", "w") as f:
        f.write(CONF % {"module": MODULE, "user": "user root; " if os.geteuid() == 0 else "", "dir": dir, "port": port})
    return t.spawn(["nginx", "-p", dir, "-e", f"{dir}/error.log", "-c", f"{dir}/conf"])


def recorded(dir):
    """Frames (video, audio) of each push that came."""
    files = sorted((f"{dir}/rec/{f}" for f in os.listdir(f"{dir}/rec")), key=os.path.getmtime)
    return [flv_frames(open(f, "rb").read()) for f in files]


def hashes(frames):
    return [h for _, h in frames]


if not os.path.exists(MODULE):
    Test(__doc__).skip_all("libnginx-mod-rtmp is not installed: scripts/deps test")
with Test(__doc__) as t:
    port, dir = free_port(), f"{t.dir}/nginx"
    server = nginx(t, port, dir)
    here = t.server(**{"upload.target": f"rtmp://127.0.0.1:{port}/live/stream", "jobs.scan": "1s", "jobs.workers": 2,
        "jobs.retry_min": "200ms", "jobs.retry_max": "1s"})
    ids = []
    for path in mp4(), mov():
        with open(path, "rb") as f:
            data = f.read()
        w = WebSocket(here.http, "/ws")
        ids.append(w.json()["uploadId"])
        w.send(data)
        t.is_(w.close(1000), 1000, f"{os.path.basename(path)}: sent and closed")
    with open(webm(), "rb") as f:
        data = f.read()
    u = Upload(here.http, len(data))
    t.is_(u.patch(data, 0).status, 204, "webm: sent by tus")
    ids.append(u.id)
    for id in ids:
        t.is_(wait_state(here, id, "done", "failed", limit=60)["state"], "done", "pushed")
    got = recorded(dir)
    t.is_([(len(v) > 90, len(a) > 150) for v, a in got], [(True, True)] * 3, f"nginx has recorded three: {[(len(v), len(a)) for v, a in got]}")
    sent = flv_frames(open(clips.clip(seconds=4), "rb").read())
    t.ok(any(hashes(v) == hashes(sent[0]) and hashes(a) == hashes(sent[1]) for v, a in got), "the mp4: every frame of video and sound, as it was")
    starts = [os.path.getmtime(f"{dir}/rec/{f}") for f in os.listdir(f"{dir}/rec")]
    t.ok(min(b - a for a, b in zip(sorted(starts), sorted(starts)[1:])) > 3, "one after the other")

    # The target dies amid a push and comes back; then our ffmpeg does.
    sent = flv_frames(open(clips.clip(seconds=12), "rb").read())
    id = place(here, mp4(12))
    wait_for("3 s are through", lambda: job(here, id).get("percent", 0) >= 25 and job(here, id)["state"] == "pushing", 40, 0.1)
    server.kill()
    server.wait()
    j = wait_for("it is told", lambda: (lambda j: j if j["state"] == "retrying" or j.get("error") else None)(job(here, id)), 20, 0.1)
    t.like(j["error"], r"push (broke|fails) at \d", f"its words: {j.get('error')}")
    server = nginx(t, port, dir)
    wait_for("it goes on", lambda: job(here, id)["state"] == "pushing" and job(here, id)["percent"] >= 60, 30, 0.1)
    for pid in here.pids("ffmpeg"):
        os.kill(pid, signal.SIGKILL)
    t.is_(wait_state(here, id, "done", "failed", limit=60)["state"], "done", "and comes to its end")
    parts = [hashes(v) for v, _ in recorded(dir)[3:]]
    got = [h for p in parts for h in p]
    t.is_([i for i, h in enumerate(hashes(sent[0])) if h not in set(got)], [], "every frame arrived")
    again = (len(got) / len(sent[0]) - 1) * 12
    t.ok(len(parts) == 3 and again < 2 * 4.5, f"in {len(parts)} parts, {again:.1f} s a second time")
    wait_for("nothing is left", lambda: files(here, id) == ["json"], 5)
