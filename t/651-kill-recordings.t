#!/usr/bin/python3
"""651-kill-recordings: kill -9 of ingest, ffmpeg, jobs worker and millraced at random moments of a recording: next to nothing of what was received is missing."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

import fcntl, glob, termios
from media import flv_frames, flv_tags, is_header
from rtmp import chunks

# MILLRACE_ROUNDS=10 is the long run: 50 kills.
ROUNDS = int(os.environ.get("MILLRACE_ROUNDS", "1"))
SEED = int(os.environ.get("MILLRACE_SEED", random.randrange(1 << 30)))
LOST_MS = 200           # besides what was still in the socket's queue
KINDS = ["ingest", "ffmpeg", "jobs", "millraced", "ingest"]
rnd = random.Random(SEED)


class Publisher(RtmpPublisher):
    """Knows after how many bytes each frame was sent."""

    def _send(self, c, data):
        self.sent, self.bytes, plain = [], 0, c.tag

        def tag(kind, ts, body):
            plain(kind, ts, body)
            self.bytes += len(chunks(4, kind, body, ts & 0xFFFFFFFF, 1, c.out_size))
            if kind != 18 and not is_header(kind, body):
                self.sent.append((self.bytes, kind, ts + self.start_ms - self.shift))
        c.tag = tag
        super()._send(c, data)


def queued(m, p):
    """Bytes p has sent that no process has read: in its own socket and in the server's."""
    port = p.conn.sock.getsockname()[1]
    with open("/proc/net/tcp") as f:
        rows = [line.split() for line in f]
    theirs = next((int(r[4].partition(":")[2], 16) for r in rows[1:] if r[1].endswith(f":{m.rtmp:04X}") and
        r[2].endswith(f":{port:04X}")), 0)
    own = int.from_bytes(fcntl.ioctl(p.conn.sock, termios.TIOCOUTQ, b"\0\0\0\0"), sys.byteorder)
    return theirs + own


def stopped(pid):
    with open(f"/proc/{pid}/stat") as f:
        return f.read().rsplit(")", 1)[1].split()[0] == "T"


def received(m, p, victim, kill):
    """(kind, ts) of what the ingest had read of p when it was killed; SIGSTOP first, so that nothing moves meanwhile."""
    p.hold = True
    os.kill(victim, signal.SIGSTOP)
    wait_for("it stands still", lambda: stopped(victim), 5, 0.001)
    time.sleep(0.03)    # a tag that is just being sent
    have = p.bytes - queued(m, p)
    kill()
    p.cut()
    return [(kind, ts) for at, kind, ts in p.sent if at <= have]


def ingest_of(m, name):
    return wait_for("its ingest is known", lambda: next((p["pid"] for p in m.status()["processes"] if p["kind"] == "ingest" and
        p.get("stream") == name), 0), 10, 0.05)


def one(t, m, n, kind, clip):
    """A stream of its own: killed somewhere; what of it must be there."""
    name, start = f"s{n}", rnd.randrange(0, 40) * 1000
    p = Publisher("127.0.0.1", m.rtmp, "live", name, clip, start_ms=start)
    t.publishers.append(p)
    p.start()
    p.join_live()
    victim = ingest_of(m, name)
    wait_for("a first frame", lambda: getattr(p, "sent", None), 5)
    time.sleep(rnd.uniform(0, 3.5))
    if kind == "ingest":
        return name, received(m, p, victim, lambda: os.kill(victim, signal.SIGKILL))
    if kind == "millraced":
        def kill():
            m.proc.kill()
            m.proc.wait()
            os.kill(victim, signal.SIGCONT)     # it has a last word, and then goes by itself
        got = received(m, p, victim, kill)
        m.start()
        return name, got
    for pid in m.pids(kind):
        os.kill(pid, signal.SIGKILL)
    time.sleep(rnd.uniform(0, 1))
    p.end()     # as an encoder ends: all of it arrives
    return name, [(kind, ts) for _, kind, ts in p.sent]


def frames(file):
    """Hashes of what an MP4 has, and what ffmpeg says when it decodes it."""
    flv = subprocess.run(["ffmpeg", "-v", "error", "-i", file, "-c", "copy", "-f", "flv", "-"], stdout=subprocess.PIPE).stdout
    said = subprocess.run(["ffmpeg", "-v", "error", "-i", file, "-f", "null", "-"], stderr=subprocess.PIPE, text=True).stderr
    video, audio = flv_frames(flv)
    return {h for _, h in video}, {h for _, h in audio}, said


with Test(__doc__, limit=120 + 60 * ROUNDS) as t:
    t.diag(f"MILLRACE_ROUNDS={ROUNDS} MILLRACE_SEED={SEED}")
    m = t.server(**{"streams.record.path": "recordings/{stream}/{start}.mp4", "streams.record.split": "2s", "jobs.workers": 3,
        "jobs.scan": "1s", "jobs.lease": "2s", "jobs.retry_min": "100ms", "jobs.retry_max": "1s", "jobs.crashes": 1000,
        "streams.reconnect_delay": "500ms", "streams.cleanup_delay": "500ms"})
    clip = clips.clip(seconds=60)
    with open(clip, "rb") as f:
        video, audio = flv_frames(f.read())
    source = {9: {}, 8: {}}
    for kind, list_ in ((9, video), (8, audio)):
        for ts, h in list_:
            source[kind].setdefault(ts, []).append(h)
    kinds = (KINDS * ROUNDS)[:5 * ROUNDS]
    rnd.shuffle(kinds)
    streams = [(kind, *one(t, m, n, kind, clip)) for n, kind in enumerate(kinds)]
    t.is_(len(streams), 5 * ROUNDS, f"killed: {', '.join(f'{kinds.count(k)} {k}' for k in sorted(set(kinds)))}")

    data = m.conf["data_dir"]
    wait_for("all is finished", lambda: not glob.glob(f"{data}/rec/*/*"), 60, 0.3)
    t.is_(glob.glob(f"{data}/recordings/*/.*"), [], "nothing half done is left")
    wait_for("the queue is empty", lambda: "no job waits" in m.cli("jobs").stdout, 10, 0.3)
    worst, files = 0, 0
    for kind, name, got in streams:
        have, bad = {9: set(), 8: set()}, []
        for file in glob.glob(f"{data}/recordings/{name}/*.mp4"):
            v, a, said = frames(file)
            have[9] |= v
            have[8] |= a
            files += 1
            if said or not v | a:
                bad.append(f"{file}: {said or 'empty'}")
        t.none(bad, f"{name} ({kind}): playable") if bad else None
        missing = {k: [ts for kk, ts in got if kk == k and not set(source[k][ts]) <= have[k]] for k in (9, 8)}
        lost = max((got[-1][1] - min(list_) + (40 if k == 9 else 21) for k, list_ in missing.items() if list_), default=0)
        worst = max(worst, lost)
        if lost > LOST_MS:
            t.ok(False, f"{name} ({kind}): {lost} ms missing", f"received {got[0]}..{got[-1]}, missing {missing}")
    # Redis forgets everything: the ledger is made anew of what lies here, also without a bucket.
    for pid in m.pids("redis"):
        os.kill(pid, signal.SIGSTOP)
    shutil.rmtree(f"{data}/redis", ignore_errors=True)
    os.mkdir(f"{data}/redis", 0o750)
    for pid in m.pids("redis"):
        os.kill(pid, signal.SIGKILL)
    def ledger():
        r = m.cli("files", "--json")
        return sorted(f["path"] for f in json.loads(r.stdout)["files"] if f["state"] == "local") if r.returncode == 0 else []
    lie = sorted(glob.glob(f"{data}/recordings/*/*.mp4"))
    wait_for("the ledger has them", lambda: ledger() == lie, 60, 0.5)
    t.ok(True, f"Redis lost: the ledger knows the {len(lie)} recordings again")
    t.ok(worst <= LOST_MS, f"{len(streams)} kills: {worst} ms missing at worst of {sum(len(got) for _, _, got in streams)} frames received, {files} MP4s, all playable")
