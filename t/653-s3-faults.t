#!/usr/bin/python3
"""653-s3-faults: S3 down, hung, slow, resetting, answering 503, 403 or 200 with an <Error>: status says it, all mends itself, nothing is lost."""
import os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *
from s3 import *

# MILLRACE_ROUNDS=10: each fault lasts a minute.
ROUNDS = int(os.environ.get("MILLRACE_ROUNDS", "1"))
BUCKET, EVER = "media", 1 << 30


def each(kind, **kw):
    return [Fault(kind, method, times=EVER, **kw) for method in ("PUT", "POST", "HEAD", "GET")]


CASES = [
    ("connections are reset", None, r"(?i)uploads wait.*reset"),
    ("it hangs", lambda: each("hang"), r"(?i)uploads wait.*(timed out|too slow|timeout|Operation too slow|no byte)"),
    ("bodies are cut by RST", lambda: [Fault("reset", "PUT", times=EVER, after=200_000)], r"(?i)uploads wait.*(reset|send)"),
    ("503", lambda: each("status"), r"uploads wait.*503"),
    ("403", lambda: each("status", status=403, code="AccessDenied"), r"uploads wait.*403.*access_key|uploads wait.*403.*keys"),
    ("200 with an <Error>", lambda: [Fault("status", m, times=EVER, status=200, code="InternalError") for m in ("PUT", "POST")],
        r"uploads wait.*InternalError"),
]


def drop(top, name, size):
    with open(f"{top}/{name}.part", "wb") as f:
        f.write(os.urandom(size))
    os.rename(f"{top}/{name}.part", f"{top}/{name}")
    return f"{top}/{name}"


def verified(m):
    r = m.cli("files", "--json")
    return {f["path"] for f in json.loads(r.stdout)["files"] if f["state"] == "verified"} if r.returncode == 0 else set()


def healthy(m):
    return m.cli("status").returncode == 0


with Test(__doc__, limit=160 + 60 * ROUNDS) as t:
    s3 = Swift(t)
    s3.client.create_bucket(Bucket=BUCKET)
    proxy = Proxy(t, s3.port)
    top = f"{t.dir}/in"
    os.mkdir(top)
    m = t.server(**{"watch": [{"dir": top, "to": f"s3://{BUCKET}/"}], "watch_quiet": "200ms", "watch_rescan": "2s",
        "jobs.workers": 2, "jobs.retry_min": "100ms", "jobs.retry_max": "2s", "storage.s3": {"endpoint": proxy.endpoint,
        "region": REGION, "bucket": BUCKET, "access_key": KEY, "secret_key": SECRET, "part_size": "5MiB", "concurrency": 2,
        "attempts": 2, "timeout": "1s", "connect_timeout": "1s"}})
    wait_for("healthy", lambda: healthy(m), 10, 0.2)
    paths = []
    for n, (title, faults, pattern) in enumerate(CASES):
        proxy.down, proxy.faults = faults is None, faults() if faults else []
        paths += [drop(top, f"{n}-{i}.mp4", size) for i, size in enumerate((11 * MIB, 300_000))]
        t0, asked = time.monotonic(), len(proxy.seen)
        try:
            said = wait_for("status says it", lambda: (lambda r: r.returncode == 1 and re.search(pattern, r.stdout, re.S) and r.stdout)(m.cli("status")), 20, 0.3)
            line = re.search(r"uploads wait.*?(?=  |$)", " ".join(said.splitlines()[:4])).group(0)
        except Timeout:
            line = ""
        t.ok(line, f"{title}: {line}", m.cli("status").stdout + m.cli("jobs").stdout)
        wait_for("it lasts", lambda: time.monotonic() - t0 > 6 * ROUNDS, 90, 0.1)
        t.ok(len(proxy.seen) - asked < 20 + 10 * (time.monotonic() - t0), f"{title}: no storm: {len(proxy.seen) - asked} requests in {time.monotonic() - t0:.0f} s")
        t.ok(not verified(m) & set(paths[-2:]), f"{title}: nothing counts as verified")
        proxy.down, proxy.faults, t0 = False, [], time.monotonic()
        wait_for(f"{title}: all of it arrives by itself", lambda: verified(m) >= set(paths), 30, 0.2)
        took = time.monotonic() - t0
        wait_for("healthy again", lambda: healthy(m), 15, 0.2)
        t.ok(True, f"{title}: over: {took:.1f} s later all has arrived, status is healthy")

    # Slow is no fault: it only takes its time.
    proxy.faults = [Fault("slow", "PUT", times=EVER, rate=2 * MIB)]
    paths.append(drop(top, "slow.mp4", 11 * MIB))
    wait_for("slow, but it arrives", lambda: verified(m) >= set(paths), 30, 0.3)
    t.ok(healthy(m), "slow: it arrives, and that is no fault")
    proxy.faults = []

    # Wrong keys in the config are mended by a reload, without a word to the jobs.
    good = dict(m.conf["storage"]["s3"])
    m.configure({"storage.s3": dict(good, secret_key="wrong"), "jobs.retry_max": "1h"})
    m.cli("reload")
    paths += [drop(top, f"keys{i}.mp4", 1000) for i in range(3)]
    wait_for("parked", lambda: len(json.loads(m.cli("jobs", "--failed", "--json").stdout)["jobs"]) == 3, 20, 0.3)
    m.configure({"storage.s3": good})
    m.cli("reload")
    wait_for("they go on after the reload", lambda: verified(m) >= set(paths), 20, 0.3)
    wait_for("healthy again", lambda: healthy(m), 15, 0.2)
    t.ok(True, "parked for wrong keys: a reload with the right ones sends them")

    def whole(path):
        with open(path, "rb") as f:
            return hashlib.file_digest(f, "sha256").hexdigest() == s3.sha256(BUCKET, os.path.basename(path))
    t.none([p for p in paths if not whole(p)], f"{len(paths)} objects have the bytes of their files")
    wait_for("the bucket lists them", lambda: sorted(s3.keys(BUCKET)) == sorted(map(os.path.basename, paths)), 20, 0.3)
    t.is_(s3.open_uploads(BUCKET), [], "no upload is left open")
