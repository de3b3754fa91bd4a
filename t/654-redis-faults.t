#!/usr/bin/python3
"""654-redis-faults: Redis read-only, out of memory, without replicas, hung, gone, emptied while streams are recorded and uploaded: status says why, all mends itself, nothing is lost."""
import glob, os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *
from s3 import *

# MILLRACE_ROUNDS=10: each fault lasts a minute.
ROUNDS = int(os.environ.get("MILLRACE_ROUNDS", "1"))
BUCKET = "media"


class Redis:
    def __init__(self, t):
        self.t, self.port, self.dir = t, free_port(), tempfile.mkdtemp(dir=t.dir)
        self.start()

    def start(self):
        self.proc = self.t.spawn(["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.dir, "--appendonly", "yes",
            "--appendfsync", "always", "--save", ""])
        wait_for("redis", lambda: "PONG" in self.cli("ping"))

    def cli(self, *args):
        return subprocess.run(["redis-cli", "-p", str(self.port), *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout

    def config(self, **kw):
        for key, value in kw.items():
            self.cli("config", "set", key.replace("_", "-"), value)

    def lose(self):
        """All of it, and no file of it either."""
        self.proc.kill()
        self.proc.wait()
        shutil.rmtree(self.dir)
        os.mkdir(self.dir)
        self.start()

    def stop(self):
        self.proc.kill()
        self.proc.wait()


CASES = [   # begins, ends, what status says
    ("read-only", lambda r: r.cli("replicaof", "127.0.0.1", str(free_port())), lambda r: r.cli("replicaof", "no", "one"), r"Redis takes no writes: .*(?i:read.?only)"),
    ("out of memory", lambda r: r.config(maxmemory_policy="noeviction", maxmemory="1"), lambda r: r.config(maxmemory="0"), r"Redis takes no writes: .*OOM"),
    ("without its replicas", lambda r: r.config(min_replicas_to_write="1"), lambda r: r.config(min_replicas_to_write="0"), r"Redis takes no writes: .*NOREPLICAS"),
    ("hung", lambda r: r.proc.send_signal(signal.SIGSTOP), lambda r: r.proc.send_signal(signal.SIGCONT), r"Redis is away: no answer"),
    ("gone", lambda r: r.stop(), lambda r: r.start(), r"Redis is away"),
    ("gone with all it had", lambda r: r.stop(), lambda r: r.lose(), r"Redis is away"),
]


def healthy(m):
    return m.cli("status").returncode == 0


def digest(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def recordings(m):
    return {f"rec/{os.path.relpath(p, m.data)}": p for p in glob.glob(f"{m.data}/recordings/*/*.mp4")}


with Test(__doc__, limit=200 + 60 * ROUNDS) as t:
    s3 = Swift(t)
    s3.client.create_bucket(Bucket=BUCKET)
    proxy = Proxy(t, s3.port)
    redis = Redis(t)
    top = f"{t.dir}/in"
    os.mkdir(top)
    m = t.server(**{"redis.url": f"redis://127.0.0.1:{redis.port}", "redis.retry_max": "500ms", "watch": [{"dir": top, "to": f"s3://{BUCKET}/in/"}],
        "watch_quiet": "200ms", "watch_rescan": "2s", "jobs.workers": 2, "jobs.retry_min": "100ms", "jobs.retry_max": "1s", "jobs.scan": "1s",
        "jobs.lease": "2s", "streams.record.path": "recordings/{stream}/{start}.mp4", "streams.record.split": "2s",
        "streams.reconnect_delay": "500ms", "streams.cleanup_delay": "500ms", "storage.s3": {"endpoint": proxy.endpoint, "region": REGION,
        "bucket": BUCKET, "prefix": "rec/", "access_key": KEY, "secret_key": SECRET, "part_size": "5MiB", "concurrency": 2, "bandwidth": "8MiB"}})
    wait_for("healthy", lambda: healthy(m), 10, 0.2)
    clip, files = clips.clip(seconds=6), {}
    for n, (title, begin, end, pattern) in enumerate(CASES):
        def drop(tag, size):
            path = f"{top}/{n}-{tag}.mp4"
            with open(path + ".part", "wb") as f:
                f.write(os.urandom(size))
            os.rename(path + ".part", path)
            files[f"in/{n}-{tag}.mp4"] = path
        drop("before", 12 * MIB)
        sent = proxy.put_bytes
        wait_for("it goes up", lambda: proxy.put_bytes > sent, 15)
        pub = t.publish(m, f"s{n}", clip)
        pub.join_live()
        t0 = time.monotonic()
        begin(redis)
        drop("while", 200_000)
        try:
            said = wait_for("status says it", lambda: (lambda r: r.returncode == 1 and re.search(pattern, r.stdout) and r.stdout)(m.cli("status")), 15, 0.3)
            line = re.search(r"Redis (takes|is)[^\n]*", said).group(0)
        except Timeout:
            line = ""
        t.ok(line, f"{title}: {line}", m.cli("status").stdout)
        pub.finished.wait(15)
        pub.end()
        t.is_(pub.error, None, f"{title}: the stream goes on")
        wait_for("it lasts", lambda: time.monotonic() - t0 > 6 * ROUNDS, 90, 0.1)
        end(redis)
        t0 = time.monotonic()
        wait_for("healthy again", lambda: healthy(m), 20, 0.2)
        def arrived():
            want = set(files) | set(recordings(m))
            return not glob.glob(f"{m.data}/rec/*/*") and len([k for k in want if f"/s{n}/" in k]) >= 2 and set(s3.keys(BUCKET)) == want
        try:
            wait_for("all is in the bucket", arrived, 40, 0.3)
        except Timeout:
            t.diag(f"missing {set(files) | set(recordings(m)) ^ set(s3.keys(BUCKET))}, raw {glob.glob(m.data + '/rec/*/*')}\n{m.cli('jobs').stdout}")
        t.ok(arrived(), f"{title}: over: {time.monotonic() - t0:.1f} s later all files and recordings are in the bucket")
    # The very moment at which an upload ends.
    proxy.faults = [Fault("slow", "PUT", "last", times=1, rate=200_000)]
    path = f"{top}/last.mp4"
    with open(path, "wb") as f:
        f.write(os.urandom(300_000))
    files["in/last.mp4"] = path
    wait_for("it goes up", lambda: "slow" in proxy.hit, 15)
    redis.stop()
    m.wait_log(r"last.mp4 is verified in the bucket", 15)
    back = m.log().count("what is known is compared")
    for pid in m.pids("jobs"):      # the watch worker is to be the first that finds Redis there
        os.kill(pid, signal.SIGSTOP)
    redis.start()
    wait_for("the watch worker is back", lambda: m.log().count("what is known is compared") > back, 10)
    time.sleep(0.3)     # for its questions
    for pid in m.pids("jobs"):
        os.kill(pid, signal.SIGCONT)
    def state():
        r = m.cli("files", "--json")
        return next((f["state"] for f in json.loads(r.stdout)["files"] if f["path"] == path), "") if r.returncode == 0 else ""
    wait_for("the ledger knows", lambda: state() == "verified", 20, 0.3)
    skipped = m.log().count("already processed and hash unchanged")
    os.rename(path, f"{top}/renamed.mp4")
    wait_for("it is skipped", lambda: m.log().count("already processed and hash unchanged") > skipped, 10)
    os.rename(f"{top}/renamed.mp4", path)
    t.ok(True, "gone when an upload ends: the ledger learns of it, and what is renamed then is skipped")
    everything = dict(files, **recordings(m))
    t.none([k for k, p in everything.items() if digest(p) != s3.sha256(BUCKET, k)], f"{len(everything)} objects have the bytes of their files")
    wait_for("no job is left", lambda: "no job" in m.cli("jobs").stdout, 10, 0.3)
    t.is_(s3.open_uploads(BUCKET), [], "no upload is left open")
    size = sum(os.path.getsize(p) for p in everything.values())
    t.ok(proxy.put_bytes - size <= 12 * MIB, f"sent twice: {(proxy.put_bytes - size) / MIB:.2f} MiB of {size / MIB:.0f}")
