#!/usr/bin/python3
"""624-many-recordings: ten thousand recordings make no worker late; each gets its job or its entry once, also when Redis is new."""
import hashlib, os, struct, sys, threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

N = 10000           # every second one has its mark: it is in the bucket
LATE_MS = 1000


def recordings(m):
    d = m.conf["data_dir"]
    with open(f"{d}/host_id") as f:
        host = f.read().strip()
    os.makedirs(f"{d}/uploads", exist_ok=True)
    for i in range(N):
        folder = f"{d}/recordings/s{i % 50}"
        os.makedirs(folder, exist_ok=True)
        path, made = f"{folder}/20261121T{i:06d}.000Z.mp4", f"{folder}/.made"
        with open(made, "w") as f:
            f.write("x")
        if i % 2:
            file_id = hashlib.sha256(f"{host}\0{path}".encode()).hexdigest()[:32]
            with open(f"{d}/uploads/{file_id}.done", "w") as f:
                json.dump({"path": path, "size": 1, "mtime_ns": os.stat(made).st_mtime_ns, "bucket": "media",
                    "object": f"x{i}", "etag": "e"}, f)
        os.rename(made, path)


class Beat(threading.Thread):
    """When a process says that its loop turns: the board page that it shares with the supervisor."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        with open(f"/proc/{pid}/maps") as f:
            page = next(line for line in f if "memfd:millrace-page" in line)
        self.at = int(page.split("-")[0], 16)
        self.mem = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
        self.times = []
        self.start()

    def run(self):
        try:
            while True:
                beat = struct.unpack("q", os.pread(self.mem, 8, self.at + 8))[0]
                if not self.times or beat != self.times[-1]:
                    self.times.append(beat)
                time.sleep(0.05)
        except (OSError, struct.error):
            pass        # the process has ended

    def late(self):
        """By how many ms one of them came too late, once there are three more."""
        n = len(self.times)
        wait_for("three more beats", lambda: len(self.times) >= n + 3, 30)
        return max(b - a for a, b in zip(self.times, self.times[1:])) - 2000


def not_over(m):
    jobs = m.status().get("jobs") or {}
    return sum(jobs.get(state, 0) for state in ("queued", "running", "delayed"))


def entries(m):
    states = [f["state"] for f in json.loads(m.cli("files", "--json").stdout or '{"files": []}')["files"]]
    return states.count("queued") + states.count("uploading"), states.count("verified")


with Test(__doc__, limit=200) as t:
    if os.geteuid() != 0:
        t.skip_all("it reads a page of a process' memory: only root may")
    m = t.server(**{"jobs.scan": "1s", "jobs.workers": 1, "storage.s3": {"endpoint": f"http://127.0.0.1:{free_port()}",
        "bucket": "media", "access_key": "k", "secret_key": "s"}, "jobs.retry_min": "1h", "jobs.retry_max": "1h",
        "streams.record.keep": {"days": 100}})
    worker = next(p["pid"] for p in m.status()["processes"] if p["kind"] == "jobs")
    recordings(m)
    beat = Beat(worker)
    wait_for("each has its job", lambda: not_over(m) == N // 2, 60, 0.1)
    late = beat.late()
    t.ok(late < LATE_MS, f"the worker's loop was late by {late} ms at most")

    # Redis has forgotten everything: all of it is told again.
    redis = next(p["pid"] for p in m.status()["processes"] if p["kind"] == "redis")
    shutil.rmtree(f"{m.conf['data_dir']}/redis/appendonlydir")
    os.kill(redis, signal.SIGKILL)
    wait_for("it is all in a new Redis", lambda: entries(m) == (N // 2, N // 2), 90, 0.5)
    wait_for("the queue's figures are new, too", lambda: not_over(m) == N // 2, 20, 0.2)
    t.ok(True, "each job is there once")
    late = beat.late()
    t.ok(late < LATE_MS, f"the worker's loop was late by {late} ms at most")
