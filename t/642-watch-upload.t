#!/usr/bin/python3
"""642-watch-upload: files dropped into a watched folder are objects of the same content, each content once, also after a kill -9 of everything."""
import os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *
from s3 import *

BUCKET = "media"


def arrived(s3, files, limit=40):
    """Problems: what is not in the bucket as it is on disk."""
    def done():
        return set(s3.keys(BUCKET)) >= set(files)
    wait_for("all are there", done, limit, 0.3)
    problems = []
    for key, path in files.items():
        with open(path, "rb") as f:
            want = hashlib.sha256(f.read()).hexdigest()
        try:
            wait_for(key, lambda: s3.sha256(BUCKET, key) == want, 10, 0.2)
        except Timeout:
            problems.append(f"{key} has another content")
    return problems


def drop(path, size):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".part", "wb") as f:
        f.write(os.urandom(size))
    os.rename(path + ".part", path)


def rate_of(m, proxy, n):
    """Bytes a second that go up while n jobs run, over some seconds."""
    def running():
        return [j["file"] for j in json.loads(m.cli("jobs", "--json").stdout)["jobs"] if j["state"] == "running"]
    wait_for(f"{n} uploads", lambda: len(running()) == n, 20, 0.1)
    first, t0 = proxy.put_bytes, time.monotonic()
    wait_for("4 MiB are sent", lambda: proxy.put_bytes - first > 4 * MIB, 30)
    sent, took = proxy.put_bytes - first, time.monotonic() - t0
    return sent / took / MIB if len(running()) == n else None


def shared_bandwidth(t, m, s3, proxy, incoming, to):
    m.configure({"storage.s3": dict(m.conf["storage"]["s3"], bandwidth="1MiB")})
    m.cli("reload")
    drop(f"{incoming}/alone.mp4", 8 * MIB)
    alone = rate_of(m, proxy, 1)
    t.ok(alone is not None and 0.75 < alone < 1.2, f"one worker alone has (nearly) all of storage.s3.bandwidth: {alone} of 1 MiB/s")
    t.none(arrived(s3, {f"{to}/alone.mp4": f"{incoming}/alone.mp4"}), "it arrives")
    for name in ("one", "two"):
        drop(f"{incoming}/{name}.mp4", 6 * MIB)
    both = rate_of(m, proxy, 2)
    t.ok(both is not None and 0.75 < both < 1.2, f"two together have no more: {both} of 1 MiB/s")
    t.none(arrived(s3, {f"{to}/{name}.mp4": f"{incoming}/{name}.mp4" for name in ("one", "two")}), "they arrive")


with Test(__doc__, limit=240) as t:
    s3 = Swift(t)
    s3.client.create_bucket(Bucket=BUCKET)
    proxy = Proxy(t, s3.port)
    incoming = f"{t.dir}/incoming"
    os.mkdir(incoming)
    m = t.server(**{"watch": [{"dir": incoming, "extensions": ["mp4", "mkv"], "recursive": True, "to": f"s3://{BUCKET}/incoming/"}],
        "watch_quiet": "300ms", "watch_rescan": "2s", "jobs.retry_min": "200ms", "jobs.retry_max": "1s", "jobs.lease": "2s",
        "storage.s3": {"endpoint": proxy.endpoint, "region": REGION, "bucket": BUCKET, "access_key": KEY, "secret_key": SECRET,
        "part_size": "5MiB"}})
    names = [f"a/{n}.mp4" for n in range(6)] + [f"b/{n}.mkv" for n in range(6)] + ["ü mit Platz.MP4", "big.mp4"]
    for n in names:
        drop(f"{incoming}/{n}", 12 * MIB if n == "big.mp4" else 100_000)
    drop(f"{incoming}/notes.txt", 100)
    files = {f"incoming/{n}": f"{incoming}/{n}" for n in names}
    t.none(arrived(s3, files), "each file is an object with the same bytes, also same names of two folders")
    t.is_(len(s3.keys(BUCKET)), len(names), "nothing else went up")
    wait_for("no job is left", lambda: "no job" in m.cli("jobs").stdout, 10)
    puts = proxy.put_bytes
    os.utime(f"{incoming}/a/0.mp4")
    os.rename(f"{incoming}/a/1.mp4", f"{incoming}/a/renamed.mp4")
    wait_for("both are skipped", lambda: m.log().count("already processed and hash unchanged") >= 2, 15)
    t.ok(True, "touched and renamed: skipped, and the log says so")
    t.is_(proxy.put_bytes, puts, "not a byte went up for it")
    drop(f"{incoming}/a/2.mp4", 90_000)
    t.none(arrived(s3, {"incoming/a/2.mp4": files["incoming/a/2.mp4"]}), "changed content goes up again")

    # Everything dies while a big file goes up, three times.
    drop(f"{incoming}/huge.mp4", 60 * MIB)
    rnd = random.Random(642)
    for _ in range(3):
        sent = proxy.put_bytes
        wait_for("some of it went up", lambda: proxy.put_bytes > sent + 6 * MIB, 20, 0.01)
        time.sleep(rnd.uniform(0, 0.3))
        for kind in ("jobs", "watch", "redis"):
            for pid in m.pids(kind):
                os.kill(pid, signal.SIGKILL)
    t.none(arrived(s3, {"incoming/huge.mp4": f"{incoming}/huge.mp4"}), "killed three times: it arrives whole")
    wait_for("no job is left", lambda: "no job" in m.cli("jobs").stdout, 20)
    t.is_(s3.open_uploads(BUCKET), [], "no upload is left open")
    t.ok(proxy.put_bytes - puts < 60 * MIB + 3 * 4 * 5 * MIB + MIB, f"sent twice at most what was in flight: {proxy.put_bytes - puts - 60 * MIB} bytes")

    # S3 away: told while the first round of tries is still going on.
    m.configure({"storage.s3": {"endpoint": proxy.endpoint, "region": REGION, "bucket": BUCKET, "access_key": KEY, "secret_key": SECRET, "part_size": "5MiB",
        "attempts": 100}})
    m.cli("reload")
    proxy.down = True
    drop(f"{incoming}/away.mp4", 100_000)
    wait_for("status says it", lambda: "uploads wait" in m.cli("status").stdout, 15, 0.2)
    t.is_([j["state"] for j in json.loads(m.cli("jobs", "--json").stdout)["jobs"]], ["running"], "S3 away: status says so, amid the first tries of it")
    t.ok([f for f in json.loads(m.cli("files", "--json").stdout)["files"] if f["path"].endswith("away.mp4") and f.get("error")], "and the ledger has why")
    proxy.down = False
    t.none(arrived(s3, {"incoming/away.mp4": f"{incoming}/away.mp4"}), "back: it arrives")
    wait_for("healthy again", lambda: m.cli("status").returncode == 0, 10, 0.2)

    # A bucket that is not there: the file waits, and goes to the right one after a reload.
    folder = {"dir": incoming, "extensions": ["mp4", "mkv"], "recursive": True, "to": "s3://nobucket/incoming/"}
    m.configure({"watch": [folder]})
    m.cli("reload")
    m.wait_log(r"watching [^\n]*nobucket", 10)
    drop(f"{incoming}/late.mp4", 100_000)
    wait_for("it is parked", lambda: "`to` of the watched folder" in m.cli("jobs", "--failed").stdout, 20, 0.3)
    t.ok(True, "a wrong bucket in `to`: the job waits, and its error names it")
    m.configure({"watch": [dict(folder, to=f"s3://{BUCKET}/mended/")]})
    m.cli("reload")
    t.none(arrived(s3, {"mended/late.mp4": f"{incoming}/late.mp4"}), "mended and reloaded: it goes where `to` says now")
    file = wait_for("the ledger has it", lambda: [f for f in json.loads(m.cli("files", "--json").stdout)["files"] if f["path"].endswith("late.mp4") and f["state"] == "verified"], 10)[0]
    t.is_((file["bucket"], file["object"]), (BUCKET, "mended/late.mp4"), "the ledger says so")
    shared_bandwidth(t, m, s3, proxy, incoming, "mended")
