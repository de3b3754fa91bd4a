#!/usr/bin/python3
"""641-record-upload: recordings arrive in the bucket by themselves, once, also when S3 or Redis was away; what can't work is said."""
import glob, os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *
from s3 import *

BUCKET = "media"


def publish(t, m, name, clip):
    p = t.publish(m, name, clip)
    p.finished.wait(20)
    p.end()


def recorded(m):
    top = m.conf["data_dir"]
    return {os.path.relpath(p, top): p for p in glob.glob(f"{top}/recordings/*/*.mp4")}


def in_bucket(s3, m, n):
    """All n recordings are objects of the same content."""
    def done():
        return len(recorded(m)) >= n and set(s3.keys(BUCKET)) == {f"live/{k}" for k in recorded(m)}
    wait_for("all recordings are in the bucket", done, 30, 0.3)
    for key, path in recorded(m).items():
        with open(path, "rb") as f:
            if hashlib.sha256(f.read()).hexdigest() != s3.sha256(BUCKET, f"live/{key}"):
                return key
    return ""


def states(m):
    out = m.cli("files", "--json").stdout
    return [f["state"] for f in json.loads(out)["files"]] if out else "Redis is away"


def failed(m):
    return json.loads(m.cli("jobs", "--failed", "--json").stdout)["jobs"]


with Test(__doc__, limit=200) as t:
    s3 = Swift(t)
    s3.client.create_bucket(Bucket=BUCKET)
    proxy = Proxy(t, s3.port)
    conf = {"streams.record.path": "recordings/{stream}/{start}.mp4", "streams.record.split": "4s", "jobs.scan": "1s",
        "jobs.retry_min": "200ms", "jobs.retry_max": "1s", "storage.s3": {"endpoint": proxy.endpoint, "region": REGION,
        "bucket": BUCKET, "prefix": "live/", "access_key": KEY, "secret_key": SECRET, "attempts": 2, "timeout": "2s"},
        "streams.reconnect_delay": "500ms", "streams.cleanup_delay": "500ms"}
    m = t.server(**conf)
    clip = clips.clip(seconds=9)
    publish(t, m, "alice", clip)
    t.is_(in_bucket(s3, m, 3), "", "each recording is an object with the same bytes")
    wait_for("the ledger knows", lambda: states(m) == ["verified"] * 3, 10)
    t.like(m.cli("files").stdout, r"(?s)verified.*alice", "millrace files shows them")
    t.is_(s3.open_uploads(BUCKET), [], "no upload is left open")

    # Redis forgets everything: nothing goes up twice, and the ledger learns again.
    puts = len(proxy.seen)
    for pid in m.pids("redis"):
        os.kill(pid, signal.SIGSTOP)
    shutil.rmtree(f"{m.conf['data_dir']}/redis", ignore_errors=True)
    os.mkdir(f"{m.conf['data_dir']}/redis", 0o750)
    for pid in m.pids("redis"):
        os.kill(pid, signal.SIGKILL)
    wait_for("the ledger has them again", lambda: states(m) == ["verified"] * 3, 20)
    t.is_(len([r for r in proxy.seen[puts:] if r[0] == "PUT"]), 0, "Redis lost: nothing is uploaded again")

    proxy.down = True
    publish(t, m, "bob", clip)
    wait_for("jobs wait", lambda: "bob" in m.cli("jobs").stdout, 20)
    t.like(m.wait_log(r"bob.*tried again[^\n]*", 20)[0], "tried again", "S3 away: the jobs wait, and the log says so")
    t.is_(set(s3.keys(BUCKET)) & {f"live/{k}" for k in recorded(m) if "bob" in k}, set(), "nothing went up")
    proxy.down = False
    t.is_(in_bucket(s3, m, 6), "", "S3 is back: all of it arrives by itself")

    m.configure({"storage.s3": dict(conf["storage.s3"], secret_key="wrong")})
    m.cli("reload")
    publish(t, m, "carol", clip)
    t.like(m.wait_log(r"parked[^\n]*", 20)[0], "parked", "wrong credentials: the jobs are parked")
    wait_for("they are listed", lambda: sum("carol" in j["file"] for j in failed(m)) == 3, 20)
    t.like(m.cli("jobs", "--failed").stdout, r"(?i)signature|secret", "with what is wrong")
    asked = len(proxy.seen)
    time.sleep(3)
    t.ok(len(proxy.seen) - asked < 3, "no storm of retries")
    m.configure({"storage.s3": conf["storage.s3"]})
    m.cli("reload")
    for job in failed(m):
        m.cli("jobs", "retry", job["id"])
    t.is_(in_bucket(s3, m, 9), "", "mended and retried: they arrive")
    t.is_(s3.open_uploads(BUCKET), [], "no upload is left open")
