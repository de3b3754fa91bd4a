#!/usr/bin/python3
"""650-kill-uploads: kill -9 of the uploading worker, of Redis beside a busy disk, of millraced: every file is verified, whole, once, and hardly a byte twice."""
import os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *
from s3 import *

# MILLRACE_ROUNDS=10 is the long run: 100 kills of workers amid 200 MiB, 20 of Redis, 20 of millraced.
ROUNDS = int(os.environ.get("MILLRACE_ROUNDS", "1"))
BUCKET, PART, FLIGHT, WORKERS = "media", 5 * MIB, 2, 12
SEED = int(os.environ.get("MILLRACE_SEED", random.randrange(1 << 30)))
rnd = random.Random(SEED)


def drop(top, name, size):
    with open(f"{top}/{name}.part", "wb") as f:
        f.write(rnd.randbytes(size))
    os.rename(f"{top}/{name}.part", f"{top}/{name}")


def digest(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def uploader(m, path):
    """pid of the worker that has it open to send it, or 0."""
    for pid in m.pids("jobs"):
        try:
            if any(os.readlink(f"/proc/{pid}/fd/{fd}") == path for fd in os.listdir(f"/proc/{pid}/fd")):
                return pid
        except OSError:
            pass
    return 0


def verified(m):
    r = m.cli("files", "--json")
    return {f["path"] for f in json.loads(r.stdout)["files"] if f["state"] == "verified"} if r.returncode == 0 else set()


def check(t, m, s3, top, what, limit):
    """All that lies in the folder is in the bucket, whole, and nothing else; nothing is left behind."""
    files = {f"in/{n}": f"{top}/{n}" for n in os.listdir(top)}
    wait_for("all are verified", lambda: verified(m) >= set(files.values()), limit, 0.5)
    wait_for("no job is left", lambda: "no job" in m.cli("jobs").stdout, 30, 0.3)
    t.none([k for k, p in files.items() if digest(p) != s3.sha256(BUCKET, k)], f"{what}: {len(files)} objects have the bytes of their files")
    wait_for("the bucket lists them", lambda: len(s3.keys(BUCKET)) >= len(files), 20, 0.3)
    t.is_(sorted(s3.keys(BUCKET)), sorted(files), f"{what}: no other object")
    t.is_(s3.open_uploads(BUCKET), [], f"{what}: no upload is left open")
    t.is_([n for n in os.listdir(f"{m.data}/uploads") if n.endswith((".json", ".tmp"))], [], f"{what}: no checkpoint is left")
    return sum(os.path.getsize(p) for p in files.values())


def kill_workers(m, proxy, top, kills, size):
    """At random points of an upload; how many kills it took to its end."""
    done, n = 0, 0
    while done < kills:
        path = f"{top}/big{n}.mp4"
        drop(top, f"big{n}.mp4", size)
        n += 1
        while done < kills:
            pid, end = 0, time.monotonic() + 3
            while not pid and time.monotonic() < end:
                pid = uploader(m, path)
                time.sleep(0.04)
            if not pid:
                if path in verified(m):
                    break
                continue
            at = proxy.put_bytes + rnd.randrange(int((FLIGHT + 0.7) * PART))
            end = time.monotonic() + 3
            while proxy.put_bytes < at and time.monotonic() < end:
                time.sleep(0.002)
            if proxy.put_bytes < at:    # it had reached its end before
                continue
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:  # it was dying still, of the kill before
                continue
            done += 1
    return done, n


class Hog:
    """Keeps the disk busy with fsyncs."""

    def __init__(self, t):
        self.path = f"{t.dir}/hog"
        self.p = t.spawn(["/bin/sh", "-c", f"while :; do dd if=/dev/zero of={self.path} bs=4M count=32 conv=fsync 2>/dev/null; sleep 0.2; done"],
            start_new_session=True)

    def end(self):
        os.killpg(self.p.pid, signal.SIGKILL)
        self.p.wait()


def kill_under_files(m, top, tag, kills, kill, every):
    """Small files come all the time, and a big one; kill() at random moments after all was up."""
    drop(top, f"{tag}-big.mp4", (20 + 2 * kills) * MIB)
    n = 0
    for _ in range(kills):
        wait_for("Redis is up", lambda: m.cli("jobs").returncode == 0, 60, 0.1)
        end = time.monotonic() + rnd.uniform(*every)
        while time.monotonic() < end:
            drop(top, f"{tag}{n}.mp4", rnd.randrange(1, 300_000))
            n += 1
            time.sleep(rnd.uniform(0, 0.8))
        kill()


with Test(__doc__, limit=170 + 120 * ROUNDS) as t:
    t.diag(f"MILLRACE_ROUNDS={ROUNDS} MILLRACE_SEED={SEED}")
    s3 = Swift(t)
    s3.client.create_bucket(Bucket=BUCKET)
    proxy = Proxy(t, s3.port)
    top = f"{t.dir}/in"
    os.mkdir(top)
    m = t.server(**{"watch": [{"dir": top, "to": f"s3://{BUCKET}/in/"}], "watch_quiet": "200ms", "watch_rescan": "2s",
        "jobs.workers": WORKERS, "jobs.uploads": WORKERS, "jobs.retry_min": "50ms", "jobs.retry_max": "500ms", "jobs.lease": "5s",
        # a worker that always dies before its first word is what this would end
        "jobs.crashes": 1000, "storage.s3": {"endpoint": proxy.endpoint, "region": REGION, "bucket": BUCKET, "access_key": KEY,
        "secret_key": SECRET, "part_size": "5MiB", "concurrency": FLIGHT, "bandwidth": f"{8 * WORKERS}MiB"}})
    wait_for("jobs answers", lambda: m.cli("jobs").returncode == 0, 10, 0.2)

    t0 = time.monotonic()
    kills, n = kill_workers(m, proxy, top, 10 * ROUNDS, (40 + 16 * ROUNDS) * MIB)
    size = check(t, m, s3, top, "workers killed", 60)
    again = proxy.put_bytes - size
    t.ok(0 <= again <= kills * FLIGHT * PART,
        f"{kills} kills amid {n} uploads of {40 + 16 * ROUNDS} MiB in {time.monotonic() - t0:.0f} s: {again / MIB:.1f} MiB sent twice, {again / kills / MIB:.1f} per kill")

    def kill_redis():
        pids = wait_for("redis runs", lambda: m.pids("redis"), 60, 0.05)
        os.kill(pids[0], signal.SIGKILL)

    m.configure({"storage.s3": dict(m.conf["storage"]["s3"], bandwidth=f"{2 * WORKERS}MiB")})
    m.cli("reload")
    sent, t0, hog = proxy.put_bytes, time.monotonic(), Hog(t)
    kill_under_files(m, top, "redis", 2 * ROUNDS, kill_redis, (0.5, 12 if ROUNDS > 1 else 4))
    hog.end()
    size, before = check(t, m, s3, top, "Redis killed", 120), size
    again = proxy.put_bytes - sent - (size - before)
    t.is_(again, 0, f"Redis killed {2 * ROUNDS} times in {time.monotonic() - t0:.0f} s: not a byte went up twice")

    def kill_server():
        m.proc.kill()
        m.proc.wait()
        m.start()

    sent, t0 = proxy.put_bytes, time.monotonic()
    kill_under_files(m, top, "server", 2 * ROUNDS, kill_server, (0.5, 4))
    size, before = check(t, m, s3, top, "millraced killed", 120), size
    again = proxy.put_bytes - sent - (size - before)
    t.ok(0 <= again <= 2 * ROUNDS * (FLIGHT * PART + 3 * 300_000),
        f"millraced killed {2 * ROUNDS} times in {time.monotonic() - t0:.0f} s: {again / MIB:.1f} MiB sent twice")
