#!/usr/bin/python3
"""645-upload-cases: chunks, a file that changes on its way, checkpoints in Redis alone, S3 away and credentials that are wrong while a stream is recorded."""
import glob, os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *
from s3 import *

BUCKET = "media"


def digest(data):
    return hashlib.sha256(data).hexdigest()


def read(path):
    with open(path, "rb") as f:
        return f.read()


def drop(path, size):
    with open(path + ".part", "wb") as f:
        f.write(os.urandom(size))
    os.rename(path + ".part", path)
    return read(path)


def body(s3, key):
    return s3.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()


def arrives(s3, key, limit=30):
    wait_for(f"{key} is in the bucket", lambda: key in s3.keys(BUCKET), limit, 0.1)


def redis(m, *argv):
    return subprocess.run(["redis-cli", "-s", f"{m.conf['run_dir']}/redis.sock", *argv], check=True, stdout=subprocess.PIPE,
        text=True).stdout.split()


def part_puts(proxy, key):
    return len([r for r in proxy.seen if r[0] == "PUT" and key in r[1] and "partNumber" in r[1]])


with Test(__doc__, limit=240) as t:
    s3 = Swift(t)
    s3.client.create_bucket(Bucket=BUCKET)
    proxy = Proxy(t, s3.port)
    whole, cut = f"{t.dir}/whole", f"{t.dir}/cut"
    os.mkdir(whole)
    os.mkdir(cut)
    storage = {"endpoint": proxy.endpoint, "region": REGION, "bucket": BUCKET, "prefix": "live/", "access_key": KEY,
        "secret_key": SECRET, "part_size": "5MiB", "concurrency": 2, "attempts": 2, "timeout": "5s"}
    m = t.server(**{"streams.record.path": "recordings/{stream}/{start}.mp4", "streams.record.split": "0s",
        "streams.record.upload_while_recording": True, "jobs.scan": "1s", "jobs.workers": 2, "jobs.retry_min": "300ms",
        "jobs.retry_max": "1s", "watch": [{"dir": whole, "to": f"s3://{BUCKET}/whole/"}, {"dir": cut, "to": f"s3://{BUCKET}/cut/",
        "layout": "chunks"}], "watch_quiet": "300ms", "watch_rescan": "1s", "storage.s3": storage})

    data = drop(f"{cut}/clip.mp4", 12 * MIB)
    arrives(s3, "cut/clip.mp4/metadata.json")
    meta = json.loads(body(s3, "cut/clip.mp4/metadata.json"))
    parts = [body(s3, f"cut/clip.mp4/chunk-{i:05d}") for i in range(3)]
    t.is_(digest(b"".join(parts)), digest(data), "layout chunks: put together they are the file")
    t.is_((meta["total_size"], [(c["index"], c["checksum"]) for c in meta["chunks"]]),
        (len(data), [(i, digest(p)) for i, p in enumerate(parts)]), "metadata.json has each with its SHA-256")
    t.ok(all(c["timestamp"] for c in meta["chunks"]), "and a timestamp")
    t.is_(len([k for k in s3.keys(BUCKET) if k.startswith("cut/")]), 4, "and nothing else is there")

    proxy.faults, proxy.hit = [Fault("slow", target=r"whole/changes.*partNumber=1", rate=2 * MIB)], []
    drop(f"{whole}/changes.mp4", 12 * MIB)
    wait_for("it goes up", lambda: proxy.hit, 20)
    data = drop(f"{whole}/changes.mp4", 13 * MIB)
    arrives(s3, "whole/changes.mp4")
    wait_for("its new content is there", lambda: digest(body(s3, "whole/changes.mp4")) == digest(data), 20, 0.3)
    t.ok(True, "a file that changes while it goes up is sent again")
    wait_for("no job is left", lambda: "no job" in m.cli("jobs").stdout, 20)
    t.is_(s3.open_uploads(BUCKET), [], "and its first upload is gone")

    # data_dir/uploads is lost, Redis has what is needed.
    proxy.faults = [Fault("status", target=r"whole/copy.*partNumber=3", times=10 ** 6)]
    data = drop(f"{whole}/copy.mp4", 14 * MIB)
    wait_for("two parts are there, the third waits", lambda: [j for j in json.loads(m.cli("jobs", "--json").stdout)["jobs"]
        if j["state"] == "delayed" and "copy" in j["file"]], 20, 0.1)
    keys = redis(m, "KEYS", "millrace:upload:*")
    t.is_(len(keys), 1, "Redis has a checkpoint")
    t.ok({"1", "2", "upload_id", "object"} <= set(redis(m, "HKEYS", keys[0])), "with each part")
    for name in glob.glob(f"{m.data}/uploads/*.json"):
        os.unlink(name)
    sent, proxy.faults = part_puts(proxy, "copy.mp4"), []
    arrives(s3, "whole/copy.mp4")
    t.is_(digest(body(s3, "whole/copy.mp4")), digest(data), "its copy on the disk lost: it goes on, byte for byte")
    t.is_(len([r for r in proxy.seen if r[0] == "POST" and "copy.mp4?uploads" in r[1]]), 1, "as the same upload")
    wait_for("Redis has none", lambda: not redis(m, "KEYS", "millrace:upload:*"), 10)

    # S3 goes away while a stream is recorded, and comes back.
    clip = clips.bulky(8)
    pub = t.ffmpeg(m.url("alice"), clip)
    raw = wait_for("it is recorded", lambda: glob.glob(f"{m.data}/rec/alice/*.flv"), 10)[0]
    wait_for("a part went up", lambda: part_puts(proxy, ".flv") >= 1, 10)
    proxy.down = True
    m.wait_log(r"retry in \d+ ms|waits on its way", 10)
    time.sleep(2)
    t.ok(pub.poll() is None, "S3 is away: the stream goes on")
    proxy.down = False
    pub.wait()
    mp4 = f"live/recordings/alice/{os.path.basename(raw)[:-3]}mp4"
    arrives(s3, mp4)
    wait_for("nothing but the MP4 is left", lambda: mp4[:-3] + "flv" not in s3.keys(BUCKET) and not s3.open_uploads(BUCKET), 30, 0.3)
    t.is_(digest(body(s3, mp4)), digest(read(f"{m.data}/{mp4[5:]}")), "S3 is back: the MP4 arrives, nothing else is left")

    # Killed when the server has the whole of it and nobody has noted that: a short one, a long one.
    for name, file, held in (("bob", clips.clip(seconds=4), Fault("hold", "PUT", r"bob/.*\.flv$")),
            ("carol", clips.bulky(8), Fault("hold", "POST", r"carol/.*\.flv\?uploadId"))):
        proxy.faults, proxy.held = [held], 0
        pub = t.ffmpeg(m.url(name), file)
        wait_for("the server has it", lambda: proxy.held, 25)
        wait_for("its MP4 is made", lambda: glob.glob(f"{m.data}/recordings/{name}/*.mp4") and not glob.glob(f"{m.data}/rec/{name}/*"), 20)
        t.ok([k for k in s3.keys(BUCKET) if f"{name}/" in k and k.endswith(".flv")], "it is in the bucket")
        for pid in m.pids("jobs"):
            os.kill(pid, signal.SIGKILL)
        wait_for("the MP4 alone is there", lambda: [k[-3:] for k in s3.keys(BUCKET) if f"{name}/" in k] == ["mp4"], 30, 0.3)
        t.ok(True, "killed before it could be noted: it goes for its MP4 all the same")
    wait_for("the ledger has MP4s alone", lambda: not [f for f in json.loads(m.cli("files", "--json").stdout)["files"] if f["kind"] == "raw"], 10)

    # Another bucket by mistake, amid an upload.
    pub = t.ffmpeg(m.url("erin"), clips.bulky(8))
    wait_for("a part went up", lambda: part_puts(proxy, "erin/") >= 1, 15)
    m.configure({"storage.s3": dict(storage, bucket="nosuchbucket")})
    m.cli("reload")
    m.wait_log(r"recordings are not uploaded[^\n]*nosuchbucket", 15)
    m.configure({"storage.s3": storage})
    m.cli("reload")
    pub.wait()
    wait_for("the MP4 alone is there", lambda: [k[-3:] for k in s3.keys(BUCKET) if "erin/" in k] == ["mp4"], 40, 0.3)
    t.is_(len([r for r in proxy.seen if r[0] == "POST" and re.search(rf"/{BUCKET}/.*erin/.*\.flv\?uploads", r[1])]), 1,
        "a bucket that is not there, by mistake: what had gone up to the right one counts")

    # Wrong credentials, then a bucket that is not there: said once, no storm.
    for what, wrong, words in (("credentials", {"secret_key": "wrong"}, r"SignatureDoesNotMatch.*check storage.s3.access_key"),
            ("bucket", {"bucket": "nosuchbucket"}, r"(NoSuchBucket|404).*")):
        m.configure({"storage.s3": dict(storage, **wrong)})
        m.cli("reload")
        before, asked = len(m.log()), len(proxy.seen)
        pub = t.ffmpeg(m.url(what), clips.clip(seconds=4))
        wait_for("it is said", lambda: "recordings are not uploaded while they are written" in m.log()[before:], 15)
        pub.wait()
        line = re.search(r"recordings are not uploaded while[^\n]*", m.log()[before:])[0]
        t.like(line, words if what == "credentials" else "bucket nosuchbucket", f"wrong {what}: {line[:150]}")
        wait_for("its MP4 is parked", lambda: any(what in j["file"] for j in json.loads(m.cli("jobs", "--failed", "--json").stdout)["jobs"]), 20)
        t.is_(len(re.findall("recordings are not uploaded while", m.log()[before:])), 1, "said once")
        t.ok(len(proxy.seen) - asked < 60, f"no storm: {len(proxy.seen) - asked} requests")
    m.configure({"storage.s3": storage})
    m.cli("reload")
    for job in json.loads(m.cli("jobs", "--failed", "--json").stdout)["jobs"]:
        m.cli("jobs", "retry", job["id"])
    wait_for("all is there", lambda: sum(k.endswith(".mp4") and "recordings" in k for k in s3.keys(BUCKET)) == 6 and not s3.open_uploads(BUCKET) and
        not [k for k in s3.keys(BUCKET) if k.endswith(".flv")], 30, 0.3)
    t.ok(True, "mended and retried: the MP4s arrive, and nothing is left open")
