#!/usr/bin/python3
"""644-stale-uploads: uploads that nobody owns any more are aborted, those of a host that is at work and those of others are not."""
import os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *
from s3 import *

BUCKET, OTHER, STALE = "media", "second", 5


def create(s3, key):
    return s3.client.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]


def jobs_of(m, name):
    return [j for j in json.loads(m.cli("jobs", "--json").stdout)["jobs"] if name in j["file"]]


def drop(path, size):
    with open(path + ".part", "wb") as f:
        f.write(os.urandom(size))
    os.rename(path + ".part", path)


def redis(m, *argv):
    sock = f"{m.conf['run_dir']}/redis.sock"
    return subprocess.run(["redis-cli", "-s", sock, *argv], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


with Test(__doc__, limit=200) as t:
    s3 = Swift(t)
    for bucket in (BUCKET, OTHER):
        s3.client.create_bucket(Bucket=bucket)
    proxy = Proxy(t, s3.port)
    incoming, second = f"{t.dir}/incoming", f"{t.dir}/second"
    os.mkdir(incoming)
    os.mkdir(second)
    create(s3, "live/recordings/alice/left.mp4")
    create(s3, "incoming/left.mp4")
    create(s3, "live/other")
    create(s3, "another program's")
    theirs = create(s3, "live/recordings/bob/theirs.mp4")
    busy = create(s3, "live/recordings/dora/busy.mp4")
    m = t.server(**{"streams.record.path": "recordings/{stream}/{start}.mp4", "jobs.scan": "1s", "jobs.retry_min": "300ms",
        "jobs.retry_max": "1s", "watch": [{"dir": incoming, "to": f"s3://{BUCKET}/incoming/"}, {"dir": second, "to": f"s3://{OTHER}/incoming/"}],
        "watch_quiet": "300ms",
        "storage.s3": {"endpoint": proxy.endpoint, "region": REGION, "bucket": BUCKET, "prefix": "live/", "access_key": KEY,
        "secret_key": SECRET, "part_size": "5MiB", "stale_after": f"{STALE}s", "bandwidth": "3MiB", "attempts": 2}})
    # Another host says each jobs.scan that this one is its own.
    wait_for("Redis answers", lambda: m.cli("jobs").returncode == 0, 10)
    started = time.monotonic()
    redis(m, "ZADD", "millrace:uploads", str(int(time.time() * 1000) + 3600000), theirs)

    # Ours takes longer than stale_after.
    drop(f"{incoming}/slow.mp4", 12 * MIB)
    wait_for("it is under way", lambda: "incoming/slow.mp4" in s3.open_uploads(BUCKET), 15)
    fresh = []

    def swept():
        fresh.append(f"live/recordings/carol/{len(fresh)}.mp4")
        create(s3, fresh[-1])
        s3.client.upload_part(Bucket=BUCKET, Key="live/recordings/dora/busy.mp4", UploadId=busy, PartNumber=len(fresh), Body=b"part")
        return not {"live/recordings/alice/left.mp4", "incoming/left.mp4"} & set(s3.open_uploads(BUCKET))

    wait_for("the stale ones are aborted", swept, 40, 0.5)
    t.ok(time.monotonic() - started >= STALE, f"stale ones are aborted, not before Redis has known for {STALE} s whose they are")
    now = s3.open_uploads(BUCKET)
    t.ok(fresh[-1] in now, "a fresh one stays")
    t.ok("live/recordings/bob/theirs.mp4" in now, "another host's stays")
    t.ok("live/recordings/dora/busy.mp4" in now, "one to which parts still come stays")
    t.is_({"live/other", "another program's"} - set(now), set(), "what has another name stays")
    t.like(m.wait_log(r"stale upload of incoming/left.mp4[^\n]*", 5)[0], "is aborted: open for", "the log says so")
    wait_for("the slow one arrives", lambda: "incoming/slow.mp4" in s3.keys(BUCKET), 40, 0.3)
    t.is_(len([r for r in proxy.seen if r[0] == "POST" and "slow.mp4?uploads" in r[1]]), 1, "ours, slower than stale_after, was left alone")
    redis(m, "ZREM", "millrace:uploads", theirs)
    wait_for("theirs is nobody's now", lambda: "live/recordings/bob/theirs.mp4" not in s3.open_uploads(BUCKET), 15, 0.3)
    t.ok(True, "when its host is silent for too long it is aborted")

    # Given up: what is in the bucket goes at once, also if no worker is at it.
    proxy.faults = [Fault("status", "PUT", r"partNumber=2", times=10 ** 6)]
    given_up = (("cancelled.mp4", incoming, BUCKET), ("deleted.mp4", incoming, BUCKET), ("away.mp4", second, OTHER))
    for name, folder, _ in given_up:
        drop(f"{folder}/{name}", 12 * MIB)
    for name, _, bucket in given_up:
        wait_for(f"{name} waits", lambda: [j for j in jobs_of(m, name) if j["state"] == "delayed" and f"incoming/{name}" in s3.open_uploads(bucket)], 40, 0.1)
    m.cli("jobs", "cancel", jobs_of(m, "away.mp4")[0]["id"])
    m.wait_log(r"of the upload of incoming/away.mp4 is removed", 20)
    t.is_(s3.open_uploads(OTHER), [], "what is given up goes from the bucket it went to, not from the first one")
    m.cli("jobs", "cancel", jobs_of(m, "cancelled.mp4")[0]["id"])
    os.unlink(f"{incoming}/deleted.mp4")
    wait_for("they are gone", lambda: not {"incoming/cancelled.mp4", "incoming/deleted.mp4"} & set(s3.open_uploads(BUCKET)), 20, 0.3)
    t.ok(True, "a job that is cancelled, a file that is deleted: what had gone up is removed")
    wait_for("their checkpoints, too", lambda: not [n for n in os.listdir(f"{m.data}/uploads") if n.endswith(".json")], 10)
