#!/usr/bin/python3
"""331-frames-kill: whoever is killed amid a frames session, what had arrived becomes one MP4 and one WAV."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

from frames import *


class Sender(Client):
    """Sends picture and sound in steps; arrived is what the server has certainly got."""

    def __init__(self, m, id):
        super().__init__(m, id)
        self.id, self.sent, self.arrived = id, 0, 0

    def step(self, count=1):
        for _ in range(count):
            self.video(jpegs[self.sent])
            self.audio(sound[self.sent * STEP:(self.sent + 1) * STEP])
            self.sent += 1

    def barrier(self):
        self.say({"eventType": "WHERE AM I"})
        self.until("ERROR")
        self.arrived = self.sent


def files(m, id):
    """(MP4s, WAVs) of a client once nothing of it is unfinished."""
    def done():
        if any(f.startswith(id) for f in os.listdir(f"{m.data}/media/temp")):
            return None
        return tuple([f"{m.data}/media/{d}/{f}" for f in os.listdir(f"{m.data}/media/{d}") if f.startswith(id + "_")] for d in ("video", "audio"))
    return wait_for(f"{id} is finished", done, 40, 0.1)


def check(t, m, c, what):
    mp4s, wavs = files(m, c.id)
    if not t.is_((len(mp4s), len(wavs)), (1, 1), f"{what}: one MP4, one WAV"):
        return
    got = [n for n, _ in numbers(mp4s[0])]
    t.ok(got == list(range(len(got))) and c.arrived <= len(got) <= c.sent, f"{what}: the MP4 has what had arrived: {c.arrived} <= {len(got)} <= {c.sent}", got)
    with open(wavs[0], "rb") as f:
        samples = wav_samples(f.read())
    t.ok(sound.startswith(samples) and c.arrived * STEP <= len(samples) <= c.sent * STEP, f"{what}: the WAV, too: {len(samples) // STEP}")


def ingest_of(m, id):
    return wait_for(f"the ingest of {id}", lambda: next((p["pid"] for p in m.status()["processes"] if p["kind"] == "ingest" and p.get("stream") == id), None), 10, 0.1)


jpegs, sound = pictures(120), tone(8)
STEP = len(sound) // 120 // 2 * 2

with Test(__doc__, limit=200) as t:
    m = t.server(**{"jobs.workers": 2, "jobs.scan": "1s", "jobs.lease": "2s", "jobs.retry_min": "200ms"})
    rnd = random.Random(331)

    clients = [Sender(m, f"a{i}") for i in range(3)]
    for c in clients:
        c.step(rnd.randrange(1, 40))
        c.barrier()
        c.step(rnd.randrange(0, 20))
        os.kill(ingest_of(m, c.id), signal.SIGKILL)
    for c in clients:
        check(t, m, c, "kill -9 of the ingest")

    # Jobs workers and their ffmpeg die all the time, while three sessions end each in its own way.
    clients = [Sender(m, f"b{i}") for i in range(3)]
    for c in clients:
        c.step(100)
        c.barrier()
    clients[0].say({"eventType": "CLOSE"})
    clients[1].cut()
    os.kill(ingest_of(m, "b2"), signal.SIGKILL)
    killed, end = {"jobs": 0, "ffmpeg": 0}, time.monotonic() + 5
    while time.monotonic() < end:
        time.sleep(rnd.uniform(0.05, 0.5))
        kind = rnd.choice(("jobs", "ffmpeg"))
        for pid in m.pids(kind):
            try:
                os.kill(pid, signal.SIGKILL)
                killed[kind] += 1
            except ProcessLookupError:
                pass
    t.ok(killed["jobs"] > 3, f"killed: {killed}")
    for c in clients:
        check(t, m, c, "kill -9 of jobs workers and ffmpeg")

    c, d = Sender(m, "c"), Sender(m, "d")
    c.step(30)
    c.barrier()
    d.step(60)
    d.barrier()
    d.say({"eventType": "CLOSE"})
    c.step(5)
    m.proc.kill()
    m.proc.wait()
    wait_for("its http worker is gone, too", lambda: m.try_get("/healthz")[0] == 0)
    m.start()
    check(t, m, c, "kill -9 of millraced amid a session")
    check(t, m, d, "... amid its end")

    e = Sender(m, "e")
    e.step(20)
    e.barrier()
    t.is_(m.stop()[0], 0, "a stop amid a session")
    e.next()
    t.is_(e.code, 1001, "... is told to the client as going away")
    m.start()
    check(t, m, e, "a stop amid a session")
    t.like(m.cli("jobs").stdout, r"no job waits", "the queue is empty")
    t.is_(os.listdir(f"{m.data}/media/temp"), [], "media/temp is empty")
