#!/usr/bin/python3
"""311-push-servers: the same stream to nginx-rtmp and to another Millrace, frame for frame; nginx restarted; what is copied stays as it was."""
import glob, os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

from media import flv_frames
from rtmp_target import key_slices, push_of, runs

MODULE = "/usr/lib/nginx/modules/ngx_rtmp_module.so"
NGINX = """load_module %(module)s;
%(user)sdaemon off; master_process off; worker_processes 1; pid %(dir)s/pid; error_log %(dir)s/error.log info;
events { worker_connections 64; }
rtmp { access_log off; server { listen 127.0.0.1:%(port)d; chunk_size 4096; application live { live on;
  record all; record_path %(dir)s/rec; record_unique on; } } }
"""


class Nginx:
    """Debian's libnginx-mod-rtmp, which records what it gets as FLV."""

    def __init__(self, t):
        self.t, self.port, self.dir = t, free_port(), f"{t.dir}/nginx"
        os.makedirs(f"{self.dir}/rec")
        with open(f"{self.dir}/conf", "w") as f:
            f.write(NGINX % {"module": MODULE, "user": "user root; " if os.geteuid() == 0 else "", "dir": self.dir, "port": self.port})
        self.start()

    def start(self):
        self.proc = self.t.spawn(["nginx", "-p", self.dir, "-e", f"{self.dir}/error.log", "-c", f"{self.dir}/conf"])
        def up():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", self.port)) == 0
        wait_for("nginx listens", up)

    def stop(self):
        self.proc.kill()
        self.proc.wait()

    def recorded(self):
        files = sorted(glob.glob(f"{self.dir}/rec/*.flv"), key=os.path.getmtime)
        return [flv_frames(open(f, "rb").read()) for f in files]


def millrace_frames(m, name):
    mp4 = wait_for("its recording is finished", lambda: not glob.glob(f"{m.data}/rec/{name}/*.flv") and
        sorted(glob.glob(f"{m.data}/recordings/{name}/*.mp4")), 30, 0.2)
    return flv_frames(subprocess.run(["ffmpeg", "-v", "error", "-i", mp4[-1], "-c", "copy", "-f", "flv", "-"], stdout=subprocess.PIPE).stdout)


if not os.path.exists(MODULE):
    Test(__doc__).skip_all("libnginx-mod-rtmp is not installed: scripts/deps test")
with Test(__doc__) as t:
    nginx = Nginx(t)
    there = t.server(**{"streams.record.path": "recordings/{stream}/{start}.mp4"})
    here = t.server(push=[
        {"id": "nginx", "url": f"rtmp://127.0.0.1:{nginx.port}/live/{{app}}-{{stream}}"},
        {"id": "millrace", "url": f"rtmp://127.0.0.1:{there.rtmp}/live/copy-of-{{stream}}"},
    ])
    clip = clips.clip(20, 1.0)
    data = open(clip, "rb").read()
    sent, keys = flv_frames(data), key_slices(data)
    p = t.publish(here, "alice", clip)
    there.wait_stream("copy-of-alice", lambda s: s["state"] == "live")
    for id in ("nginx", "millrace"):
        wait_for(f"{id} is up", lambda: push_of(here, "alice", id).get("state") == "up", 15)
    player = t.player(there, "copy-of-alice")
    wait_for("4 s", lambda: p.sent_ms > 4000, 10)
    got = wait_for("nginx has 2 s", lambda: (r := nginx.recorded()) and len(r[-1][1]) > 80 and r[-1], 10)
    t.is_(runs(got[0], sent[0]), [[0, len(got[0]) - 1]], "nginx: every video frame from the first on, in order")
    t.is_(len(runs(got[1], sent[1])), 1, "nginx: every AAC frame, in order")
    t.ok(glob.glob(f"{nginx.dir}/rec/live-alice*"), "nginx: {app} and {stream}")
    pid = push_of(here, "alice", "millrace")["pid"]
    nginx.stop()
    words = here.wait_log(r"push nginx of alice to rtmp://127.0.0.1:\d+/live/\*\*\*: ([^\"]*); again in", 10)[1]
    t.like(words, "closed the connection|refused", "the log says why")
    nginx.start()
    back = wait_for("nginx has it again", lambda: (r := nginx.recorded()) and len(r) > 1 and len(r[-1][0]) > 40 and r[-1], 15)
    t.ok(runs(back[0], sent[0])[0][0] in keys, "nginx is back: again from a key frame")
    t.is_(len(runs(back[0], sent[0])), 1, "nginx: without a hole")
    t.is_((push_of(here, "alice", "millrace")["pid"], push_of(here, "alice", "millrace")["restarts"]), (pid, 0),
        "the other push noticed nothing")
    p.end()
    wait_for("its end is passed on", lambda: (there.stream("copy-of-alice") or {"state": ""})["state"] != "live", 10)
    video, audio = millrace_frames(there, "copy-of-alice")
    t.is_(len(runs(video, sent[0])), 1, "Millrace: every video frame, in order")
    t.is_(len(runs(audio, sent[1])), 1, "Millrace: every AAC frame, in order")
    last = max(i for i, (ts, _) in enumerate(sent[0]) if ts <= p.sent_ms)
    t.ok(runs(video, sent[0])[0][0] == 0 and runs(video, sent[0])[0][1] >= last - 2, "Millrace: from the first to the last",
        f"{runs(video, sent[0])} of {last}")
    t.none(player.stop().check(), "a viewer there has seen no fault")
