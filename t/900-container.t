#!/usr/bin/python3
"""900-container: make up and make down: server, Redis, S3 server and Prometheus in containers, volumes that stay."""
import json, os, sys, urllib.error, urllib.request
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *
import s3

# A store and networks of our own leave the user's alone.
WRAPPER = """#!/bin/sh
exec podman --root STORE/root --runroot STORE/run --network-config-dir STORE/networks --cgroup-manager=cgroupfs "$@"
"""
# crun wants one kind of cgroup file system; where it is a mixture, this test alone sees a pure one.
OWN_MOUNTS = """set -e
mount --make-rprivate /
mkdir -p /run/containers /run/netns
mount -t tmpfs tmpfs /run/containers
mount -t tmpfs tmpfs /run/netns
[ -e /sys/fs/cgroup/cgroup.controllers ] || { umount -R -l /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; }
"""


def unshare(flag, script):
    """From here on this process has a namespace of its own."""
    if ctypes.CDLL(None).unshare(flag):
        raise OSError("unshare")
    subprocess.run(["sh", "-c", script], check=True)


def missing(t):
    if os.geteuid() != 0:
        return "needs root"
    for program in ("podman", "podman-compose", "mmdebstrap", "ip"):
        if not shutil.which(program):
            return f"{program} is not installed"
    if s3.missing():
        return s3.missing()
    free = shutil.disk_usage("/var/tmp").free
    return f"only {free >> 30} GiB free in /var/tmp" if free < 8 << 30 else ""


class Containers:
    def __init__(self, t):
        self.t = t
        self.store = tempfile.mkdtemp(prefix="millrace-podman-", dir="/var/tmp")
        self.podman = f"{self.store}/podman"
        with open(self.podman, "w") as f:
            f.write(WRAPPER.replace("STORE", self.store))
        os.chmod(self.podman, 0o755)
        self.env = dict(os.environ, PODMAN=self.podman)
        self.src = f"{self.store}/src"
        self.ports = {n: free_port() for n in ("RTMP_PORT", "HTTP_PORT", "PROMETHEUS_PORT", "S3_PORT", "WEBRTC_PORT", "WHIP_PORTS", "WS_PORT")}

    def tree(self):
        """The files of this tree, in a place of their own: make up writes .env and input_files."""
        os.mkdir(self.src)
        files = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard"], cwd=TOP)
        subprocess.run(["tar", "-c", "--ignore-failed-read", "-T", "-", "-f", f"{self.store}/src.tar"], input=files, cwd=TOP, check=True)
        subprocess.run(["tar", "-xf", f"{self.store}/src.tar", "-C", self.src], check=True)
        with open(f"{self.src}/.env.example") as f:
            text = f.read()
        for name, port in self.ports.items():
            text = re.sub(rf"(?m)^{name}=.*", f"{name}={port}", text)
        text = re.sub(r"(?m)^API_TOKEN=.*", "API_TOKEN=s3cret-of-900", text)
        with open(f"{self.src}/.env", "w") as f:
            f.write(text)

    def run(self, *argv, limit=900):
        r = subprocess.run(argv, cwd=self.src, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=limit)
        return r.returncode, r.stdout

    def probe(self):
        """What `podman run` needs on this machine, or why nothing helps."""
        for args in ("", "--cgroups=disabled --ulimit nofile=20000:20000 --ulimit nproc=4096:4096"):
            code, out = self.run(self.podman, "run", "--rm", *args.split(), "localhost/millrace-base", "true")
            if code == 0:
                self.env["PODMAN_RUN_ARGS"] = args
                return ""
        return out.strip().splitlines()[-1]

    def end(self):
        self.run(self.podman, "rm", "-f", "-a", "-t", "2")
        self.run(self.podman, "volume", "rm", "-f", "-a")
        self.run(self.podman, "network", "rm", "-f", "millrace_default")
        shutil.rmtree(self.store, ignore_errors=True)


def fetch(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as r:
            return r.read()
    except OSError:
        return b""


def create_ingress(port, token):
    """The status of POST /v1/createIngress."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/createIngress?roomId=carol", b"",
        {"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=5) as r:
            return r.status
    except urllib.error.HTTPError as e:
        return e.code


def answer(port, path):
    try:
        return json.loads(fetch(port, path))["data"]
    except (ValueError, KeyError):
        return {}


def bucket(c):
    """{key: sha256} as an independent client reads it."""
    import boto3
    from botocore.config import Config
    client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{c.ports['S3_PORT']}", aws_access_key_id=s3.KEY,
        aws_secret_access_key=s3.SECRET, region_name=s3.REGION, config=Config(s3={"addressing_style": "path"}))
    try:
        found = client.list_objects_v2(Bucket="media").get("Contents", [])
        return {o["Key"]: s3.hashlib.sha256(client.get_object(Bucket="media", Key=o["Key"])["Body"].read()).hexdigest()
            for o in found}
    except Exception:
        return {}


def digest(path):
    with open(path, "rb") as f:
        return s3.hashlib.sha256(f.read()).hexdigest()


def use(t, c):
    http_port, prometheus = c.ports["HTTP_PORT"], c.ports["PROMETHEUS_PORT"]
    code, out = c.run("make", "-s", "up")
    t.ok(code == 0 and f"rtmp://localhost:{c.ports['RTMP_PORT']}/live/NAME" in out, "make up, and it says where to publish", out)
    wait_for("the server answers", lambda: b"ok" in fetch(http_port, "/healthz"), 60, 0.5)
    t.like(fetch(c.ports["WS_PORT"], "/healthz").decode(), "ok", "WS_PORT is a further port")
    t.is_([create_ingress(http_port, token) for token in ("", "s3cret-of-900")], [401, 200], "calls from outside want API_TOKEN, and have it")
    p = RtmpPublisher("127.0.0.1", c.ports["RTMP_PORT"], "live", "alice", clips.clip(seconds=8))
    t.publishers.append(p)
    p.start()
    wait_for("a playlist", lambda: fetch(http_port, "/stream/alice/live.m3u8").count(b"#EXTINF") >= 2, 30, 0.3)
    t.ok(True, "a published stream plays")
    p.end()
    socket.create_connection(("127.0.0.1", c.ports["WEBRTC_PORT"]), 5).close()
    t.ok(True, "the port of WebRTC can be reached")
    code, out = c.run("scripts/example-files")
    made = out.split()
    t.ok(code == 0 and len(made) == 3, "scripts/example-files makes three videos", out)
    want = {"input/" + name.removeprefix("input_files/"): digest(f"{c.src}/{name}") for name in made}
    wait_for("they are in the bucket", lambda: want.items() <= bucket(c).items(), 180, 1)
    t.ok(True, "files dropped into input_files are in the bucket, byte for byte")
    wait_for("the recording, too", lambda: any("alice" in key and key.endswith(".mp4") for key in bucket(c)), 180, 1)
    t.ok(True, "and so is the recording of the stream")
    wait_for("Prometheus scrapes", lambda: [x["health"] for x in answer(prometheus, "/api/v1/targets").get("activeTargets", [])] == ["up"], 60, 1)
    rules = [r["name"] for g in answer(prometheus, "/api/v1/rules").get("groups", []) for r in g["rules"]]
    t.ok("MillraceQueueOld" in rules and "MillraceStorageRefuses" in rules, f"Prometheus scrapes it and has the {len(rules)} alerts", rules)
    wait_for("a metric", lambda: answer(prometheus, "/api/v1/query?query=millrace_watch_files").get("result", [{}])[0].get("value", [0, 0])[1] == "3", 30, 1)
    t.ok(True, "the metric of the watched files is 3")
    code, out = c.run(c.podman, "exec", "millrace_millrace_1", "millrace", "status")
    t.is_(code, 0, "millrace status in the container is healthy")
    return want


def again(t, c, want):
    code, out = c.run("make", "-s", "down")
    code, left = c.run(c.podman, "ps", "-a", "-q")
    t.is_(left.strip(), "", "make down leaves no container")
    before = [v for v in c.run(c.podman, "volume", "ls", "-q")[1].split() if v.startswith("millrace_")]
    t.is_(len(before), 4, "but four volumes")
    code, out = c.run("make", "-s", "up")
    wait_for("the server answers", lambda: b"ok" in fetch(c.ports["HTTP_PORT"], "/healthz"), 60, 0.5)
    wait_for("its recording is listed", lambda: b"alice/" in fetch(c.ports["HTTP_PORT"], "/recordings"), 20, 0.5)
    wait_for("the bucket is as it was", lambda: want.items() <= bucket(c).items(), 30, 1)
    def known():
        code, out = c.run(c.podman, "exec", "millrace_millrace_1", "millrace", "files")
        return out if out.count("verified in media") >= 4 else ""
    out = wait_for("the ledger is as it was", known, 30, 1)
    t.ok("short.mp4" in out, "up again: recording, bucket and ledger are as they were")
    t.is_(c.run("make", "-s", "down")[0], 0, "down")


with Test(__doc__, limit=1500) as t:
    why = missing(t)
    if why:
        t.skip_all(why)
    unshare(0x20000, OWN_MOUNTS)                # CLONE_NEWNS
    c = Containers(t)
    try:
        c.tree()
        code, out = c.run("scripts/container", "build")
        if not t.ok(code == 0, "the image is built from a root made by mmdebstrap", out[-3000:]):
            raise RuntimeError("no image")
        unshare(0x40000000, "ip link set lo up")    # CLONE_NEWNET: bridges and rules go with the test
        why = c.probe()
        if why:
            t.diag(f"podman can't run a container here: {why}")
            t.ok(True, "containers run # SKIP podman run fails on this machine")
        else:
            again(t, c, use(t, c))
    except Exception:
        for name in ("millrace", "s3"):
            t.diag(f"--- {name}\n" + c.run(c.podman, "logs", f"millrace_{name}_1")[1][-6000:])
        raise
    finally:
        c.end()
