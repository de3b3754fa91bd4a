#!/usr/bin/python3
"""623-keep: status and metrics of recordings and jobs; old recordings go, by age, count, bytes and space, and only when they are in the bucket."""
import glob, os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *
from s3 import *

BUCKET = "media"
GIB = 1 << 30


def recorded(m, name="*"):
    return sorted(glob.glob(f"{m.conf['data_dir']}/recordings/{name}/*.mp4"), key=os.path.basename)


def finished(m, name, n):
    def done():
        return not glob.glob(f"{m.data}/rec/{name}/*") and len(recorded(m, name)) >= n
    wait_for(f"{n} files of {name}", done, 30, 0.1)
    return recorded(m, name)


def publish(t, m, name, clip):
    p = t.publish(m, name, clip)
    p.finished.wait(20)
    p.end()


def record(m, name):
    s = m.stream(name)
    return next((o for o in s["outputs"] if o["kind"] == "record"), None) if s else None


def metric(m, pattern):
    found = re.search(rf"(?m)^millrace_{pattern} (\S+)$", m.get("/metrics")[2].decode())
    return float(found.group(1)) if found else None


def entries(m):
    out = m.cli("files", "--json").stdout
    return {f["path"]: f for f in json.loads(out)["files"]} if out else {}


def keep(m, **conf):
    m.configure({"streams.record.keep": conf})
    m.cli("reload")


def give_bucket(m, proxy, **conf):
    m.configure({"storage.s3": {"endpoint": proxy.endpoint, "region": REGION, "bucket": BUCKET, "access_key": KEY, "secret_key": SECRET,
        "attempts": 2, "timeout": "2s", **conf}})
    return m.cli("reload").stderr


def after_scans(m):
    scans = time.time()
    wait_for("two scans more", lambda: time.time() - scans > 2.5, 5)
    return recorded(m)


with Test(__doc__, limit=240) as t:
    s3 = Swift(t)
    s3.client.create_bucket(Bucket=BUCKET)
    proxy = Proxy(t, s3.port)
    clip = clips.clip(seconds=9)
    m = t.server(**{"streams.record.path": "recordings/{stream}/{start}.mp4", "streams.record.split": "2s", "jobs.scan": "1s",
        "jobs.retry_min": "100ms", "jobs.retry_max": "500ms", "jobs.attempts": 2, "streams.reconnect_delay": "500ms",
        "streams.cleanup_delay": "500ms"})

    # What status and metrics say while a stream is recorded.
    p = t.publish(m, "alice", clip)
    rec = wait_for("it is recorded", lambda: (lambda r: r if r and r["files"] > 0 and r["bytes"] > 30000 else None)(record(m, "alice")), 15, 0.1)
    t.ok(rec["state"] == "recording" and rec["lost_frames"] == 0, f"status --json has the recording: {rec}")
    t.like(m.cli("status").stdout, r"alice record +recording .* \d+ files? [\d.]+[KM]", "status shows it")
    t.is_(metric(m, r'stream_recording\{stream="alice"\}'), 1.0, "metrics: it is recorded")
    wait_for("metrics: bytes recorded", lambda: metric(m, r'stream_recorded_bytes_total\{stream="alice"\}') > 30000, 5, 0.2)
    free = metric(m, "data_dir_free_bytes")
    m.configure({"disk.reserve": f"{int(free * 2) >> 20}MiB"})
    m.cli("reload")
    rec = wait_for("it is paused", lambda: (lambda r: r if r and r["state"] == "paused" else None)(record(m, "alice")), 10, 0.1)
    t.is_(rec["reason"], "no space", "no space: status --json says paused")
    t.like(m.cli("status").stdout, r"(?s)hls,record:PAUSED.*alice record PAUSED +- +- +no space", "status shows it")
    wait_for("metrics: it is paused", lambda: metric(m, r'stream_recording_paused\{stream="alice"\}') == 1, 5, 0.2)
    t.is_(m.cli("status").returncode, 1, "and it is a fault")
    m.configure({"disk.reserve": "1MiB"})
    m.cli("reload")
    p.finished.wait(20)
    p.end()
    before = finished(m, "alice", 2)

    # Jobs: one that can't be done is a fault until somebody looks after it.
    os.makedirs(f"{m.conf['data_dir']}/rec/broken")
    os.chmod(f"{m.conf['data_dir']}/rec/broken", 0o777)
    broken = f"{m.conf['data_dir']}/rec/broken/20200101T000000.000Z.flv"
    with open(broken, "wb") as f:
        f.write(b"this is no FLV file" * 100)
    os.utime(broken, (1, 1))
    health = wait_for("health names it", lambda: (lambda h: h if "given up" in h else "")(m.status()["health"]), 20, 0.2)
    t.like(health, r"^1 job is given up: `millrace jobs --failed`", "a dead job is a fault of health")
    t.is_(m.status()["jobs"]["dead"], 1, "status --json counts it")
    t.like(m.cli("status").stdout, r"(?m)^jobs 0 queued, 0 running, 1 GIVEN UP: millrace jobs --failed$", "status has the line")
    wait_for("metrics: a dead job", lambda: metric(m, r'jobs\{state="dead"\}') == 1, 5, 0.2)
    t.ok(sum(metric(m, rf'job_ends_total\{{worker="{w}",end="done"\}}') or 0 for w in range(1, 9)) >= 2, "metrics: jobs that are done")
    for job in json.loads(m.cli("jobs", "--failed", "--json").stdout)["jobs"]:
        m.cli("jobs", "cancel", job["id"])
    wait_for("healthy again", lambda: m.status()["health"] == "healthy", 10, 0.2)
    t.ok(True, "cancelled: healthy again")

    # Without a bucket: by count, age, bytes and free space. What is no recording stays.
    keep(m, days=3)
    other = f"{m.conf['data_dir']}/recordings/alice/notes.txt"
    hidden = f"{m.conf['data_dir']}/recordings/alice/.x.mp4.tmp"
    for path in (other, hidden):
        open(path, "w").close()
        os.utime(path, (1, 1))
    old = before[1]
    os.utime(old, (time.time() - 4 * 86400,) * 2)
    wait_for("the old one goes", lambda: not os.path.exists(old), 10)
    t.is_(recorded(m), [f for f in before if f != old], "days: the old one is deleted, no other")
    t.ok(os.path.exists(other) and os.path.exists(hidden) and os.path.exists(broken), "raw, hidden and other files stay")
    gone = rf"{os.path.basename(old)} is deleted \(\d+ bytes, not in a bucket\): older than streams.record.keep.days"
    wait_for("the log has it", lambda: re.search(gone, m.log()), 5)
    wait_for("the ledger knows", lambda: entries(m)[old]["state"] == "gone", 10, 0.2)
    t.is_({e["state"] for f, e in entries(m).items() if f in recorded(m)}, {"local"}, "the ledger: gone, the others local")
    keep(m, count=2)
    publish(t, m, "bob", clip)
    files = finished(m, "bob", 2)
    wait_for("two of each", lambda: len(recorded(m, "bob")) == 2 and len(recorded(m, "alice")) <= 2, 10)
    t.is_(recorded(m, "bob"), files[-2:], "count: the newest two of each stream are left")
    keep(m, bytes=f"{os.path.getsize(files[-1]) + 1}B")
    wait_for("one is left", lambda: len(recorded(m)) == 1, 10)
    t.is_(recorded(m), files[-1:], "bytes: the newest one is left")
    keep(m, free_space=f"{int(free + 20 * GIB) >> 20}MiB")
    wait_for("none is left", lambda: not recorded(m), 10)
    t.ok(not os.path.exists(os.path.dirname(files[-1])), "free_space: all go, and their empty folder")
    t.ok(os.path.exists(broken), "but nothing raw")
    os.unlink(broken)

    # With half of a bucket nothing goes, even where none ever was.
    m.configure({"streams.record.keep": {"count": 1}})
    half = r"warning: storage\.s3\.endpoint is given, but storage\.s3\.bucket is empty: no recording is uploaded, and streams\.record\.keep deletes"
    t.like(give_bucket(m, proxy, bucket=""), half, "endpoint without bucket: a reload warns")
    t.like(m.log(), "reload: .*" + half, "the log has it")
    tested = subprocess.run(m.argv("-t"), capture_output=True, text=True)
    t.like(tested.stdout + tested.stderr, half, "millraced -t, too")
    t.like(give_bucket(m, proxy, endpoint="", bucket=""), r"storage\.s3\.access_key is given, but storage\.s3\.endpoint and storage\.s3\.bucket are empty",
        "a key without both, too")
    publish(t, m, "carol", clip)
    files = finished(m, "carol", 4)
    m.wait_log(r"should go by streams.record.keep, but are not verified in the bucket, and storage.s3.endpoint or storage.s3.bucket is empty now", 10)
    t.is_(after_scans(m), files, "half of a bucket: nothing is deleted, and the log says so")

    # With a bucket that is away nothing goes; once it is back, what is verified there does.
    proxy.down = True
    t.is_(give_bucket(m, proxy), "", "a whole one: no warning")
    m.wait_log(r"should go by streams.record.keep, but are not verified in the bucket: they stay", 10)
    t.is_(after_scans(m), files, "a bucket that is away: nothing is deleted, and the log says so")
    proxy.down = False
    wait_for("the rest is deleted", lambda: len(recorded(m)) == 1, 30)
    t.is_(recorded(m), files[-1:], "it is back: what is verified there is deleted here")
    wait_for("all are in the bucket", lambda: len(s3.keys(BUCKET)) == len(files), 20, 0.3)
    wait_for("the ledger has them", lambda: [entries(m)[f].get("local") for f in files[:-1]] == [False] * (len(files) - 1), 10, 0.3)
    t.is_({entries(m)[f]["state"] for f in files}, {"verified"}, "the ledger: verified, and no longer here")
    t.like(m.cli("files").stdout, rf"only in {BUCKET}", "files shows it")
    wait_for("no mark is left of them", lambda: len(glob.glob(f"{m.conf['data_dir']}/uploads/*.done")) == 1, 10)

    # Redis away: the disk is kept free all the same, and the ledger learns of it later.
    last = files[-1]
    wait_for("it is verified", lambda: entries(m)[last]["state"] == "verified", 10, 0.3)
    stopped = m.pids("redis")
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    keep(m, free_space=f"{int(free + 20 * GIB) >> 20}MiB")
    wait_for("it is deleted", lambda: not recorded(m), 20)
    t.ok(True, "free_space holds while Redis hangs")
    keep(m, count=1)
    for pid in stopped:
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass                        # millraced has started another
    wait_for("the ledger learns it", lambda: entries(m).get(last, {}).get("local") is False, 20, 0.3)
    t.ok(True, "and the ledger learns of it")

    # Who says so by name loses what is not uploaded, and no job is given up for it.
    proxy.down = True
    publish(t, m, "dave", clip)
    files = finished(m, "dave", 4)
    m.configure({"jobs.retry_max": "5s"})       # a file that is being tried at each look is in work at each look
    keep(m, count=1, only_uploaded=False)
    wait_for("one is left", lambda: len(recorded(m, "dave")) == 1, 20)
    t.is_(recorded(m, "dave"), files[-1:], "only_uploaded: false: they are deleted")
    proxy.down = False
    m.configure({"jobs.retry_max": "500ms"})
    m.cli("reload")
    wait_for("no job is left", lambda: "no job waits or runs" in m.cli("jobs").stdout, 30, 0.3)
    wait_for("status, a second old, is healthy", lambda: m.status()["health"] == "healthy", 5, 0.2)
    t.is_(m.status()["jobs"]["dead"], 0, "their jobs end, and none is given up")
    wait_for("Swift lists it", lambda: any("dave" in k for k in s3.keys(BUCKET)), 10, 0.2)
    t.is_([k for k in s3.keys(BUCKET) if "dave" in k], [os.path.relpath(files[-1], m.conf["data_dir"])], "the one that is left is in the bucket")

    # A file in work stays as long as that takes.
    proxy.faults = [Fault("slow", times=1000, rate=40000)]
    publish(t, m, "eve", clip)
    looked, deleted = 0, []
    end = time.time() + 30 * SLOW
    while time.time() < end and (looked <= 5 or len(recorded(m, "eve")) > 1):
        running = {j["file"]: j["id"] for j in json.loads(m.cli("jobs", "--json").stdout)["jobs"]
                   if j["state"] == "running" and "eve" in j["file"] and j["file"].endswith(".mp4")}
        gone = [f for f in running if not os.path.exists(f)]
        still = {j["id"] for j in json.loads(m.cli("jobs", "--json").stdout)["jobs"] if j["state"] == "running"}
        deleted += [f for f in gone if running[f] in still]
        looked += len(running)
        time.sleep(0.05)
    t.ok(looked > 5 and not deleted, f"no file of a running job is deleted ({looked} looked at) {deleted}")
    t.is_(len(recorded(m, "eve")), 1, "afterwards they are")
    proxy.faults = []

    # A bucket that is gone from the config is a mistake, until the config says by name that it is none.
    keep(m, count=1)
    proxy.down = True
    publish(t, m, "frank", clip)
    files = finished(m, "frank", 4)
    wait_for("they wait for the bucket", lambda: {entries(m).get(f, {}).get("state") for f in files} <= {"queued", "uploading", "failed"}, 20, 0.3)
    t.is_(give_bucket(m, proxy, endpoint="", bucket="", access_key="", secret_key=""), "", "no bucket at all: no warning")
    wait_for("the log says why", lambda: len(re.findall("storage.s3.bucket is empty now", m.log())) == 2, 10)
    after_scans(m)
    t.is_(recorded(m, "frank"), files, "what waited for a bucket that is not given any more stays")
    m.stop()
    m.start()
    after_scans(m)
    t.is_(recorded(m, "frank"), files, "also after a restart")
    m.configure({"streams.record.upload": False})
    m.cli("reload")
    wait_for("one is left", lambda: len(recorded(m, "frank")) == 1, 20)
    t.is_(recorded(m, "frank"), files[-1:], "upload: false: the limits hold for all")
