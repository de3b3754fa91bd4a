#!/usr/bin/python3
"""643-upload-while-recording: a recording goes up while it is written, is whole in the bucket seconds after its end whoever was killed, and goes when its MP4 is there."""
import glob, os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *
from s3 import *

BUCKET, PART, FLIGHT = "media", 5 * MIB, 2
NO_MP4 = Fault("status", "POST", r"\.mp4\?uploads", times=10 ** 6)      # its raw object stays meanwhile


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def raw_of(t, m, name):
    """A second name of the raw file, which is removed at the end, and its object's."""
    path = wait_for(f"{name} is recorded", lambda: glob.glob(f"{m.data}/rec/{name}/*.flv"), 10)[0]
    kept = f"{t.dir}/{name}.{len(os.listdir(t.dir))}"
    os.link(path, kept)
    return kept, f"live/recordings/{name}/{os.path.basename(path)}"


def part_puts(proxy, key):
    return len([r for r in proxy.seen if r[0] == "PUT" and key in r[1] and "partNumber" in r[1]])


def there(s3, key, limit=20):
    t0 = time.monotonic()
    wait_for(f"{key} is in the bucket", lambda: key in s3.keys(BUCKET), limit, 0.1)
    return time.monotonic() - t0


def states(m):
    out = m.cli("files", "--json").stdout
    return {os.path.basename(f["path"]): f["state"] for f in json.loads(out)["files"]} if out else {}


def replaced(m, s3, key, limit=30):
    """The MP4 has taken its place."""
    mp4 = key[:-3] + "mp4"
    wait_for(f"{mp4} alone is left of it", lambda: mp4 in (k := s3.keys(BUCKET)) and key not in k, limit, 0.2)
    return s3.sha256(BUCKET, mp4) == digest(f"{m.data}/{mp4[len('live/'):]}")


def file_id(m, key):
    """As the ledger has it, of the raw file that became this object."""
    with open(f"{m.data}/host_id") as f:
        host = f.read().strip()
    return hashlib.sha256(f"{host}\0{m.data}/rec/{key[len('live/recordings/'):]}".encode()).hexdigest()[:32]


def left(m):
    """What is in data_dir/uploads besides the MP4s' marks."""
    return [n for n in os.listdir(f"{m.data}/uploads") if not n.endswith((".done", ".lock")) and n != "bucket"]


def kill(m, *kinds):
    for kind in kinds:
        for pid in m.pids(kind):
            os.kill(pid, signal.SIGKILL)


with Test(__doc__, limit=300) as t:
    s3 = Swift(t)
    s3.client.create_bucket(Bucket=BUCKET)
    proxy = Proxy(t, s3.port)
    clip = clips.bulky(8)
    m = t.server(**{"streams.record.path": "recordings/{stream}/{start}.mp4", "streams.record.split": "0s",
        "streams.record.upload_while_recording": True, "jobs.scan": "1s", "jobs.workers": 2, "jobs.uploads": 1, "jobs.lease": "2s",
        "jobs.retry_min": "200ms", "jobs.retry_max": "1s", "streams.reconnect_delay": "500ms", "streams.cleanup_delay": "500ms",
        "storage.s3": {"endpoint": proxy.endpoint, "region": REGION, "bucket": BUCKET, "prefix": "live/", "access_key": KEY,
        "secret_key": SECRET, "part_size": "5MiB", "concurrency": FLIGHT, "timeout": "5s"}})

    proxy.faults = [NO_MP4]
    pub = t.ffmpeg(m.url("alice"), clip)
    kept, key = raw_of(t, m, "alice")
    wait_for("two parts went up", lambda: part_puts(proxy, key) >= 2, 10)
    t.ok(pub.poll() is None, "parts arrive while the stream is live")
    t.is_(s3.open_uploads(BUCKET), [key], "as one upload that is open")
    t.is_(states(m).get(os.path.basename(key)), "uploading", "millrace files shows it")
    t.ok(all(j["kind"] != "upload" for j in json.loads(m.cli("jobs", "--json").stdout)["jobs"]), "it takes no upload's place")
    pub.wait()
    took = there(s3, key)
    t.ok(took < 8 * SLOW, f"whole in the bucket {took:.1f} s after the publisher left")
    t.is_(s3.sha256(BUCKET, key), digest(kept), "byte for byte what was recorded")
    wait_for("the ledger knows", lambda: states(m).get(os.path.basename(key)) == "verified", 10)
    t.is_(part_puts(proxy, key), -(-os.path.getsize(kept) // PART), "each part was sent once")
    wait_for("the MP4 waits", lambda: "alice" in m.cli("jobs").stdout, 20)
    t.ok(key in s3.keys(BUCKET), "while its MP4 can't go up it stays")
    proxy.faults = []
    t.ok(replaced(m, s3, key), "then the MP4 is there, and it is not")
    gone = max(i for i, r in enumerate(proxy.seen) if r[0] == "DELETE")
    sent = max(i for i, r in enumerate(proxy.seen) if r[0] in ("PUT", "POST") and ".mp4" in r[1])
    t.ok(sent < gone and proxy.seen[gone - 1][0] == "HEAD", "it went after the MP4 had been asked for")
    wait_for("the ledger has the MP4 alone", lambda: states(m) == {os.path.basename(key)[:-3] + "mp4": "verified"}, 10)
    wait_for("nothing is left of it", lambda: left(m) == [], 10)

    # The jobs workers die, and Redis.
    proxy.faults, proxy.put_bytes, killed, rnd = [NO_MP4], 0, 0, random.Random(643)
    pub = t.ffmpeg(m.url("bob"), clip)
    kept, key = raw_of(t, m, "bob")
    wait_for("it has begun", lambda: part_puts(proxy, key) >= 1, 10)
    while pub.poll() is None:
        kill(m, "jobs", *(["redis"] if killed % 2 else []))
        killed += 1
        time.sleep(rnd.uniform(0.5, 2))
    there(s3, key, 30)
    t.is_(s3.sha256(BUCKET, key), digest(kept), f"killed {killed} times with Redis: byte for byte")
    again = proxy.put_bytes - os.path.getsize(kept)
    t.ok(again <= killed * FLIGHT * PART, f"sent more than once: {again / MIB:.1f} MiB, at most {killed * FLIGHT * PART / MIB:.0f}")
    proxy.faults = []
    t.ok(replaced(m, s3, key), "and its MP4 takes its place")

    # The ingest dies: nobody says that the recording is over.
    pub = t.ffmpeg(m.url("carol"), clip)
    kept, key = raw_of(t, m, "carol")
    proxy.faults = [NO_MP4]
    wait_for("it has begun", lambda: part_puts(proxy, key) >= 1, 10)
    kill(m, "ingest")
    there(s3, key, 20)
    t.is_(s3.sha256(BUCKET, key), digest(kept), "the ingest killed: what it had written is there")
    pub.wait()

    # Everything dies.
    pub = t.ffmpeg(m.url("dave"), clip)
    kept, last = raw_of(t, m, "dave")
    wait_for("it has begun", lambda: part_puts(proxy, last) >= 1, 10)
    m.proc.kill()
    m.proc.wait()
    pub.wait()
    size = os.path.getsize(kept)
    m.start()
    there(s3, last, 30)
    t.is_((s3.sha256(BUCKET, last), os.path.getsize(kept)), (digest(kept), size), "millraced killed: the same")
    stuck, other = sorted((key, last), key=lambda k: file_id(m, k))     # in which order they are looked at
    proxy.faults = [Fault("status", "DELETE", re.escape(stuck), times=10 ** 6, status=403, code="AccessDenied")]
    t.ok(replaced(m, s3, other), "an MP4 takes its place, though the raw object before it can't be deleted")
    proxy.faults = []
    t.ok(replaced(m, s3, stuck), "and then that of the other")
    t.is_(s3.open_uploads(BUCKET), [], "no upload is left open")
    wait_for("nothing is left of them", lambda: left(m) == [], 10)
    wait_for("no lock either", lambda: not glob.glob(f"{m.data}/uploads/*.lock"), 10)

    # S3 is away while it is recorded: no job says so, but status does.
    pub = t.ffmpeg(m.url("erin"), clip)
    kept, key = raw_of(t, m, "erin")
    wait_for("it has begun", lambda: part_puts(proxy, key) >= 1, 10)
    proxy.down = True
    wait_for("status says that it waits", lambda: "uploads wait" in m.cli("status").stdout, 10)
    t.ok(pub.poll() is None and '"jobs": []' in m.cli("jobs", "--json").stdout, "status says so while no job waits")
    proxy.down = False
    wait_for("status is content", lambda: "uploads wait" not in m.cli("status").stdout, 10)
    pub.wait()
    there(s3, key)
    t.ok(replaced(m, s3, key), "and all goes its way again")
