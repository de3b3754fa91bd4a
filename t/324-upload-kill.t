#!/usr/bin/python3
"""324-upload-kill: kill -9 of ingests, ffmpegs, jobs workers and millraced at random moments of uploads, conversions and pushes: nothing acknowledged is lost, nothing is done twice."""
import os, sys, threading
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *
from media import flv_frames
from upload import *
from ws import *

# MILLRACE_ROUNDS=10 is the long run: 50 files.
ROUNDS = int(os.environ.get("MILLRACE_ROUNDS", "1"))
KILLS = 16      # in a round, each of which may hit several processes
SEED = int(os.environ.get("MILLRACE_SEED", "324"))
SECONDS, AGAIN_S = 6, 4.5   # a push that was killed goes on at most so far before


class Sender(threading.Thread):
    """Sends a file slowly, goes on after every break, and remembers what was acknowledged. by_close: it ends with 1000, not with a message."""
    def __init__(self, m, name, data, by_close):
        super().__init__(daemon=True)
        self.m, self.name, self.data, self.by_close = m, name, data, by_close
        self.id, self.acked, self.lost, self.breaks, self.over = None, 0, [], 0, False

    def once(self):
        w = WebSocket(self.m.http, f"/ws?role=upload&name={self.name}" + (f"&id={self.id}" if self.id else ""))
        m = w.json()
        self.id, pos = m["uploadId"], m["offset"]
        if pos < self.acked:
            self.lost.append((self.acked, pos))
        while pos < len(self.data):
            w.send(self.data[pos:pos + 700])
            pos += 700
            while w.readable(0.02):
                self.acked = max(self.acked, w.json().get("offset", 0))
        if self.by_close:
            ingests = self.m.pids("ingest")
            if w.close(1000) != 1000:
                raise Closed(None, "not answered")
            for pid in ingests:     # what it said is on the disk
                kill(pid)
        else:
            w.text({"done": True})
            w.wait_json(lambda m: m.get("state"), 10)
            w.abort()
        self.over = True

    def run(self):
        while not self.over:
            try:
                self.once()
            except (OSError, Closed, Refused):
                self.breaks += 1
                time.sleep(0.1)


def kill(pid):
    """Was it there?"""
    try:
        os.kill(pid, signal.SIGKILL)
        return True
    except ProcessLookupError:
        return False


def video(path):
    flv = path if path.endswith(".flv") else None
    data = open(flv, "rb").read() if flv else subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-c", "copy", "-f", "flv", "-"],
        stdout=subprocess.PIPE, check=True).stdout
    return [h for _, h in flv_frames(data)[0]]


def orphans(*alive):
    """Millrace's processes that are no server's any more (a redis-server is taken over)."""
    of = {p for m in alive for p in (m.proc.pid, *descendants(m.proc.pid))}
    return [p for p, (_, state, comm) in descendants(os.getpid()).items() if p not in of and state != "Z" and comm.startswith("millrace")]


def one_round(t, rnd, there, here, round_, data, source):
    """Five files under way and KILLS kills; then all of them are there. The senders."""
    senders = [Sender(here, f"s{round_}-{i}", data, i % 2 == 1) for i in range(5)]
    killed = {}
    for s in senders:
        s.start()
    done = lambda: all(s.over and job(here, s.id)["state"] == "done" for s in senders)
    for n in range(KILLS):
        time.sleep(rnd.uniform(0.1, 1.2))
        kind = "millraced" if n % 5 == 4 else rnd.choice(["ingest", "ffmpeg", "jobs", "jobs"])
        victims = [here.proc.pid] if kind == "millraced" else here.pids(kind)
        if kind == "jobs":
            victims = rnd.sample(victims, min(len(victims), 3))
        for pid in victims[:3]:
            killed[kind] = killed.get(kind, 0) + kill(pid)
        if kind == "millraced":
            here.proc.wait()
            wait_for("its children leave", lambda: not orphans(there), 10, 0.05)
            here.start()
    t.ok(sum(killed.values()) >= KILLS // 2, f"killed: {killed}")
    wait_for("all are through", done, 90, 0.3)
    t.none([s.lost for s in senders if s.lost], f"round {round_}: nothing acknowledged was lost")
    t.diag(f"connections that broke: {[s.breaks for s in senders]}")
    for s in senders:
        parts = [video(p) for p in wait_recordings(there, s.name)]
        got = [h for p in parts for h in p]
        missing = [i for i, h in enumerate(source) if h not in set(got)]
        t.none(missing, f"{s.name}: every frame arrived")
        t.none([h for h in got if h not in set(source)], f"{s.name}: and no others")
        again = (len(got) / len(source) - 1) * SECONDS
        t.ok(again <= (len(parts) - 1) * AGAIN_S, f"{s.name}: pushed in {len(parts)} parts, {again:.1f} s a second time")
        t.is_(files(here, s.id), ["json"], f"{s.name}: its files are gone")
    return senders


with Test(__doc__, limit=140 + 100 * ROUNDS) as t:
    t.diag(f"MILLRACE_ROUNDS={ROUNDS} MILLRACE_SEED={SEED}")
    rnd = random.Random(SEED)
    there = t.server(**{"streams.record.path": "recordings/{stream}/{start}.mp4", "streams.reconnect_delay": "1s", "jobs.scan": "1s"})
    here = t.server(**{"upload.target": f"rtmp://127.0.0.1:{there.rtmp}/live/{{name}}", "jobs.scan": "1s", "jobs.workers": 2, "jobs.pushes": 4,
        "jobs.converts": 2, "jobs.retry_min": "100ms", "jobs.retry_max": "500ms", "jobs.lease": "3s", "jobs.crashes": 100})
    clip = mp4(SECONDS)
    with open(clip, "rb") as f:
        data = f.read()
    source = video(clips.clip(seconds=SECONDS))
    senders = [s for n in range(ROUNDS) for s in one_round(t, rnd, there, here, n, data, source)]
    jobs = json.loads(here.cli("jobs", "--json").stdout)["jobs"] + json.loads(here.cli("jobs", "--failed", "--json").stdout)["jobs"]
    t.is_(jobs, [], "no job is left")
    t.is_(sorted(os.listdir(f"{here.data}/upload")), sorted(f"{s.id}.json" for s in senders), "and no file")
