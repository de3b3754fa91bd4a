#!/usr/bin/python3
"""640-upload: a file becomes an object of a real S3 server, whole, whatever goes wrong on the way."""
import json, os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *
from s3 import *

BUCKET, PART, FLIGHT = "uploads", 5 * MIB, 2
KEYS = ["plain.mp4", "with space/a b.mp4", "plus+and&more=?#%41.mp4", "ü/überall ö.mp4", "🎬.mp4", "quo\"te's.mp4",
    "a//b.mp4", "(round)[square]*!@:;,$~.mp4"]


class Put:
    """The upload engine as a program."""

    def __init__(self, t, endpoint):
        self.t, self.endpoint, self.dir = t, endpoint, f"{t.dir}/checkpoints"
        os.makedirs(self.dir, exist_ok=True)

    def file(self, size, name="file"):
        path = f"{self.t.dir}/{name}"
        with open(path, "wb") as f:
            f.write(os.urandom(size))
        return path

    def start(self, path, key, *options, secret=SECRET, bucket=BUCKET):
        env = dict(os.environ, S3_KEY=KEY, S3_SECRET=secret, http_proxy="http://127.0.0.1:9/")
        argv = [f"{BUILD}/t/bench/s3put", "-e", self.endpoint, "-b", bucket, "-d", self.dir, "-p", str(PART),
            "-j", str(FLIGHT), "-i", "50", *options, path, key]
        return self.t.spawn(argv, env=env, stdout=subprocess.PIPE)

    def run(self, path, key, *options, limit=60, **kw):
        p = self.start(path, key, *options, **kw)
        out, _ = p.communicate(timeout=limit * SLOW)
        last = out.decode().strip().splitlines()
        result = json.loads(last[-1]) if last else {"end": "killed"}
        result["code"], result["log"] = p.returncode, p.out()
        if SANITIZER.search(result["log"]):
            self.t.ok(False, "no sanitizer report", result["log"])
        return result


def digest(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        while block := f.read(MIB):
            h.update(block)
    return h.hexdigest()


def sizes_and_keys(t, s3, put):
    for size in (0, 1, PART, PART + 1, 40 * MIB):
        path = put.file(size)
        r = put.run(path, f"size-{size}")
        t.ok(r["end"] == "done" and s3.sha256(BUCKET, f"size-{size}") == digest(path), f"{size} bytes arrive", r)
        t.ok(r["rss"] < 64 * MIB * SLOW, f"{size} bytes take {r['rss'] >> 20} MiB of memory", r)
    again = put.run(path, "size-41943040")
    t.ok(again["end"] == "done" and again["sent"] == 0, "a second upload of the same file sends nothing", again)
    for key in KEYS:
        path = put.file(1000)
        r = put.run(path, key)
        t.ok(r["end"] == "done" and s3.sha256(BUCKET, key) == digest(path), f"key {key}", r)
    path = put.file(2 * PART + 7)
    r = put.run(path, "ü +//🎬'\".mp4")
    t.ok(r["end"] == "done" and s3.sha256(BUCKET, "ü +//🎬'\".mp4") == digest(path), "an odd key in parts", r)
    t.is_(s3.open_uploads(BUCKET), [], "no upload is left open")
    t.is_(sorted(s3.keys(BUCKET)), sorted([f"size-{n}" for n in (0, 1, PART, PART + 1, 40 * MIB)] + KEYS +
        ["ü +//🎬'\".mp4"]), "the bucket has exactly those")


def chunks(t, s3, put):
    path = put.file(2 * PART + 9)
    r = put.run(path, "clip", "-c")
    meta = json.loads(s3.client.get_object(Bucket=BUCKET, Key="clip/metadata.json")["Body"].read())
    parts = [s3.client.get_object(Bucket=BUCKET, Key=f"clip/chunk-{i:05d}")["Body"].read() for i in range(3)]
    t.is_(r["end"], "done", "layout chunks")
    t.is_(hashlib.sha256(b"".join(parts)).hexdigest(), digest(path), "the chunks are the file")
    t.is_((meta["total_size"], [(c["index"], c["checksum"]) for c in meta["chunks"]]),
        (2 * PART + 9, [(i, hashlib.sha256(p).hexdigest()) for i, p in enumerate(parts)]), "metadata.json describes them")


def kills(t, s3, put, proxy):
    path = put.file(64 * MIB)
    proxy.put_bytes = 0
    for i in range(10):
        at = proxy.put_bytes + random.randrange(1, 6 * MIB)
        p = put.start(path, "killed", "-w", str(24 * MIB))
        wait_for("bytes or the end", lambda: proxy.put_bytes >= at or p.poll() is not None, 60, 0.002)
        time.sleep(random.random() * 0.02)
        p.kill()
        p.wait()
        p.stdout.close()
    r = put.run(path, "killed")
    t.ok(r["end"] == "done" and s3.sha256(BUCKET, "killed") == digest(path), "killed 10 times, the object is the file", r)
    t.is_(s3.open_uploads(BUCKET), [], "no upload is left open")
    t.is_(os.listdir(put.dir), [], "no checkpoint is left")
    resent = proxy.put_bytes - 64 * MIB
    t.ok(resent <= 10 * FLIGHT * PART, f"sent more than once: {resent / MIB:.1f} MiB, at most {10 * FLIGHT * PART / MIB:.0f}")


def kills_between(t, s3, put, proxy):
    """The server has done it, we never heard of it."""
    for title, method, target in (("create", "POST", r"\?uploads"), ("a part", "PUT", "partNumber=2"),
            ("complete", "POST", r"\?uploadId=")):
        path, key = put.file(2 * PART + 3), f"killed in {title}"
        proxy.faults, proxy.held = [Fault("hold", method, target)], 0
        p = put.start(path, key)
        wait_for("the server has done it", lambda: proxy.held, 20)
        p.kill()
        p.communicate()
        r = put.run(path, key)
        t.ok(r["end"] == "done" and s3.sha256(BUCKET, key) == digest(path), f"killed before the answer to {title}", r)
        t.is_((s3.open_uploads(BUCKET), os.listdir(put.dir)), ([], []), f"{title}: nothing is left")
    t.is_(r["sent"], 0, "what was complete is not sent again")


def faults(t, s3, put, proxy):
    part, whole = r"partNumber=2", r"\?uploadId="
    cases = [
        ("503 SlowDown twice", [Fault("status", target=part, times=2)]),
        ("the answer to create lost", [Fault("lost", "POST", r"\?uploads")]),
        ("500 for create", [Fault("status", "POST", r"\?uploads", status=500, code="InternalError")]),
        ("200 with an <Error> for create", [Fault("status", "POST", r"\?uploads", status=200, code="SlowDown")]),
        ("a part cut by RST", [Fault("reset", target=part, after=2 * MIB, times=2)]),
        ("the answer to a part lost", [Fault("lost", target=part)]),
        ("200 with an <Error> for complete", [Fault("status", "POST", whole, status=200, code="InternalError")]),
        ("the answer to complete lost", [Fault("lost", "POST", whole)]),
        ("a part that hangs", [Fault("hang", target=part)]),
        ("a slow part", [Fault("slow", target=part, rate=4 * MIB)]),
        ("HEAD refused once", [Fault("status", "HEAD", status=503)]),
        ("upload forgotten", [Fault("status", target=part, status=404, code="NoSuchUpload")]),
    ]
    for title, list_ in cases:
        path, key = put.file(3 * PART + 11), title.replace("<", "")
        proxy.faults, proxy.hit = list_, []
        r = put.run(path, key, "-t", "2000")
        t.ok(r["end"] == "done" and s3.sha256(BUCKET, key) == digest(path), title, r)
        t.ok(proxy.hit, f"{title}: it happened")
    proxy.faults = [Fault("status", target=part, times=99)]
    r = put.run(path, "later", "-a", "3")
    t.ok(r["end"] == "later" and "503 SlowDown" in r["error"], "given up for now: says why", r)
    proxy.faults = []
    r = put.run(path, "later")
    t.ok(r["end"] == "done" and s3.sha256(BUCKET, "later") == digest(path) and r["resumed"] > 0, "and resumes", r)
    t.is_(s3.open_uploads(BUCKET), [], "no fault leaves an upload open")


def refusals(t, s3, put, proxy):
    path = put.file(100)
    r = put.run(path, "k", secret="wrong")
    t.ok(r["end"] == "park" and re.search(r"bucket uploads: .*SignatureDoesNotMatch.*check storage.s3.access_key", r["error"]), f"wrong secret: {r['error']}", r)
    r = put.run(path, "k", bucket="nosuchbucket")
    t.ok(r["end"] == "park" and "NoSuchBucket" in r["error"], f"wrong bucket: {r['error']}", r)
    proxy.faults = [Fault("status", "PUT", status=403, code="RequestTimeTooSkewed")]
    r = Put(t, proxy.endpoint).run(path, "k")
    t.ok(r["end"] == "park" and re.search(r"this clock is 1[12]\d\d s ahead of the server's \(set this machine's clock\)",
        r["error"]), f"a clock that is wrong: {r['error']}", r)
    r = put.run(f"{t.dir}/nothing", "k")
    t.ok(r["end"] == "failed" and "No such file" in r["error"], f"no file: {r['error']}", r)
    dead = Put(t, f"http://127.0.0.1:{free_port()}")
    r = dead.run(path, "k", "-a", "2")
    t.ok(r["end"] == "later", f"no server: {r['error']}", r)


def changes(t, s3, put, proxy):
    path = put.file(4 * PART)
    proxy.faults, proxy.hit = [Fault("slow", target="partNumber=1", rate=4 * MIB)], []
    p = put.start(path, "changed")
    wait_for("it has begun", lambda: proxy.hit, 10)
    with open(path, "r+b") as f:
        f.write(b"other bytes")
    out, _ = p.communicate(timeout=60 * SLOW)
    t.ok(p.returncode == 0 and s3.sha256(BUCKET, "changed") == digest(path), "a file that changes is sent again", p.out())
    proxy.faults, proxy.hit = [Fault("hang", target="partNumber=1", times=9)], []
    p = put.start(path, "cancelled")
    wait_for("it has begun", lambda: proxy.hit and s3.open_uploads(BUCKET), 10)
    p.send_signal(signal.SIGINT)
    p.communicate(timeout=20 * SLOW)
    t.is_((p.returncode, s3.open_uploads(BUCKET), os.listdir(put.dir)), (5, [], []), "cancel takes it off the server")
    p = put.start(path, "stopped")
    wait_for("it has begun", lambda: s3.open_uploads(BUCKET), 10)
    p.send_signal(signal.SIGTERM)
    p.communicate(timeout=20 * SLOW)
    t.is_((p.returncode, s3.open_uploads(BUCKET), len(os.listdir(put.dir))), (5, ["stopped"], 1), "stop leaves it to resume")
    proxy.faults = []
    os.truncate(path, 1000)
    r = put.run(path, "stopped")
    t.ok(r["end"] == "done" and s3.sha256(BUCKET, "stopped") == digest(path), "changed between two runs", r)
    t.is_(s3.open_uploads(BUCKET), [], "and its old upload is gone")


def addresses(t, s3):
    """TLS with a CA of our own, the bucket in the host's name. *.localhost is this machine to libcurl."""
    cert, key = f"{t.dir}/cert", f"{t.dir}/key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=s3.localhost",
        "-addext", f"subjectAltName=DNS:s3.localhost,DNS:{BUCKET}.s3.localhost", "-keyout", key, "-out", cert],
        check=True, stderr=subprocess.DEVNULL)
    proxy = Proxy(t, s3.port)
    proxy.tls(cert, key)
    put = Put(t, proxy.endpoint)
    path = put.file(PART + 5)
    for title, object_, options in (("path style over TLS", "tls", ["-C", cert]), ("virtual host", "a//ü+", ["-C", cert, "-H"])):
        r = put.run(path, object_, *options)
        t.ok(r["end"] == "done" and s3.sha256(BUCKET, object_) == digest(path), title, r)
    r = put.run(path, "unknown-ca")
    t.ok(r["end"] == "park" and "certificate" in r["error"], f"a CA nobody knows: {r['error']}", r)


def bandwidth(t, s3, put):
    path, t0 = put.file(3 * PART), time.monotonic()
    r = put.run(path, "paced", "-w", str(5 * MIB), "-t", "1000")
    took = time.monotonic() - t0
    t.ok(r["end"] == "done" and 2.7 < took < 6 * SLOW, f"15 MiB at 5 MiB/s in two streams take {took:.1f} s", r)


with Test("upload: real S3, kills and faults", limit=300) as t:
    s3 = Swift(t)
    s3.client.create_bucket(Bucket=BUCKET)
    proxy = Proxy(t, s3.port)
    direct, put = Put(t, s3.endpoint), Put(t, proxy.endpoint)
    sizes_and_keys(t, s3, direct)
    chunks(t, s3, direct)
    kills(t, s3, put, proxy)
    kills_between(t, s3, put, proxy)
    faults(t, s3, put, proxy)
    refusals(t, s3, direct, proxy)
    addresses(t, s3)
    bandwidth(t, s3, direct)
    changes(t, s3, put, proxy)
