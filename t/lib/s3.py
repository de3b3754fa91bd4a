"""s3.py - a real S3 server of the test's own (OpenStack Swift with s3api), an independent client, and faults.

    with Test("uploads") as t:
        s3 = Swift(t)                       # .endpoint, KEY, SECRET; ended with the test
        s3.client.create_bucket(Bucket="b") # boto3
        proxy = Proxy(t, s3.port)           # counts bytes; proxy.faults says what goes wrong

Debian packages: swift-proxy swift-account swift-container swift-object memcached python3-boto3.
"""
import email.utils, hashlib, os, re, shutil, socket, socketserver, ssl, subprocess, tempfile, threading, time

from millrace import SLOW, free_port, wait_for

KEY, SECRET, REGION = "test:tester", "testing", "us-east-1"
MIB = 1 << 20

# Swift's servers read their rings from a directory that only a call can set, so they start by this.
LAUNCH = """
import sys
import swift.common.utils
swift.common.utils.set_swift_dir(sys.argv[1])
import swift.common.storage_policy
swift.common.storage_policy.reload_storage_policies()
from swift.common.wsgi import run_wsgi
sys.exit(run_wsgi(f"{sys.argv[1]}/{sys.argv[2]}-server.conf", f"{sys.argv[2]}-server"))
"""

RINGS = """
import sys
from swift.common.ring import RingBuilder
for name, port in (a.split(":") for a in sys.argv[2:]):
    ring = RingBuilder(4, 1, 1)
    ring.add_dev(dict(region=1, zone=1, ip="127.0.0.1", port=int(port), replication_ip="127.0.0.1",
        replication_port=int(port), device="disk", weight=1.0, meta=""))
    ring.rebalance()
    ring.get_ring().save(f"{sys.argv[1]}/{name}.ring.gz")
"""

COMMON = """[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
user = {user}
swift_dir = {etc}
workers = 0
log_level = ERROR
log_statsd_host =
"""

STORAGE = COMMON + """devices = {dir}/node
mount_check = false
disable_fallocate = true
fallocate_reserve = 0
[pipeline:main]
pipeline = {name}-server
[app:{name}-server]
use = egg:swift#{name}
"""

PROXY = COMMON + """[pipeline:main]
pipeline = catch_errors gatekeeper cache listing_formats s3api tempauth bulk slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:{cache}
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
dns_compliant_bucket_names = true
check_bucket_owner = true
storage_domain = s3.localhost
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:bulk]
use = egg:swift#bulk
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
"""


def missing():
    """Why there can be no server here, or ''."""
    for program in ("swift-proxy-server", "swift-object-server", "memcached"):
        if not shutil.which(program, path="/usr/bin:/usr/sbin:/bin"):
            return f"{program} is not installed"
    try:
        import boto3
    except ImportError:
        return "python3-boto3 is not installed"
    return ""


class Swift:
    """Account, container, object and proxy server and a memcached, with a directory of their own."""

    def __init__(self, test):
        if missing():
            test.skip_all(missing())
        self.test, self.procs = test, []
        self.dir = tempfile.mkdtemp(prefix="s3-", dir=test.dir)
        self.etc = f"{self.dir}/etc"
        self.ports = {name: free_port() for name in ("account", "container", "object", "proxy", "cache")}
        self.port = self.ports["proxy"]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.user = "swift" if os.geteuid() == 0 else subprocess.check_output(["id", "-un"], text=True).strip()
        self.configure()
        self.start()
        self.client = self.connect()

    def configure(self):
        for path in (self.etc, f"{self.dir}/node/disk"):
            os.makedirs(path, exist_ok=True)
        with open(f"{self.etc}/swift.conf", "w") as f:
            f.write("[swift-hash]\nswift_hash_path_suffix = t\nswift_hash_path_prefix = t\n"
                    "[storage-policy:0]\nname = p0\ndefault = yes\n")
        for name in ("account", "container", "object", "proxy"):
            text = (PROXY if name == "proxy" else STORAGE).format(name=name, port=self.ports[name], user=self.user,
                etc=self.etc, dir=self.dir, cache=self.ports["cache"])
            with open(f"{self.etc}/{name}-server.conf", "w") as f:
                f.write(text)
        subprocess.run(["/usr/bin/python3", "-c", RINGS, self.etc, *(f"{n}:{self.ports[n]}" for n in
            ("account", "container", "object"))], check=True)
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", "swift:", self.dir], check=True)

    def launch(self, *argv):
        with open(f"{self.dir}/log", "ab") as log:
            p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                env={"PATH": "/usr/bin:/usr/sbin:/bin:/sbin", "PYTHONDONTWRITEBYTECODE": "1", "HOME": self.dir})
        p.out = lambda: ""
        self.procs.append(p)
        self.test.procs.append(p)

    def start(self):
        self.launch("memcached", "-l", "127.0.0.1", "-p", str(self.ports["cache"]), "-U", "0", "-m", "16",
            *(["-u", "memcache"] if os.geteuid() == 0 else []))
        for name in ("account", "container", "object", "proxy"):
            self.launch("/usr/bin/python3", "-c", LAUNCH, self.etc, name)
        for name, port in self.ports.items():
            wait_for(f"swift's {name} listens", lambda: self.listens(port), 120, 0.05)

    def listens(self, port):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0

    def stop(self):
        for p in self.procs:
            if p.poll() is None:
                p.kill()
            p.wait()
        self.procs = []

    def connect(self, port=None):
        import boto3
        from botocore.config import Config
        return boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port or self.port}", aws_access_key_id=KEY,
            aws_secret_access_key=SECRET, region_name=REGION, config=Config(signature_version="s3v4",
            s3={"addressing_style": "path"}, retries={"max_attempts": 3}, connect_timeout=5, read_timeout=60))

    def sha256(self, bucket, key):
        """Of what an independent client reads."""
        h = hashlib.sha256()
        for block in self.client.get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(MIB):
            h.update(block)
        return h.hexdigest()

    def keys(self, bucket):
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [o["Key"] for page in pages for o in page.get("Contents", [])]

    def open_uploads(self, bucket):
        return [u["Key"] for u in self.client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])]


class Fault:
    """What happens to the next `times` requests that match: method, regular expression of the target.

    kind: "status" (answers `status` with S3 error `code` and a Date of 20 minutes ago, after it has read the body;
    200 makes the 200 with an <Error>), "reset" (RST after `after` bytes of the body), "lost" (the server does it, the
    answer is lost), "hold" (the same, but the client waits), "hang" (reads, never answers), "slow" (`rate` bytes a
    second).
    """

    def __init__(self, kind, method="PUT", target=".", times=1, status=503, code="SlowDown", after=MIB, rate=MIB):
        self.kind, self.method, self.target, self.times = kind, method, re.compile(target), times
        self.status, self.code, self.after, self.rate = status, code, after, rate


class Proxy:
    """HTTP/1.1 requests with Content-Length, passed on or not; counts bytes of PUT bodies."""

    def __init__(self, test, port):
        self.upstream, self.faults, self.hit, self.seen = port, [], [], []
        self.down = False       # each connection is reset
        self.put_bytes, self.held, self.lock = 0, 0, threading.Lock()
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                try:
                    outer.serve(self.request)
                except OSError:
                    pass

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True
            block_on_close = False

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def tls(self, cert, key):
        """Before the first request: https from now on."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.endpoint = f"https://s3.localhost:{self.port}"

    def fault_for(self, method, target):
        with self.lock:
            for f in self.faults:
                if f.times > 0 and f.method == method and f.target.search(target):
                    f.times -= 1
                    self.hit.append(f.kind)
                    return f
        return None

    @staticmethod
    def head(f):
        """Raw head, start line's words, lower-case headers; None at the end."""
        raw = b""
        while not raw.endswith(b"\r\n\r\n"):
            line = f.readline(65536)
            if not line:
                return None
            raw += line
        lines = raw.decode("latin-1").split("\r\n")
        return raw, lines[0].split(" "), {k.lower(): v.strip() for k, v in (x.split(":", 1) for x in lines[1:] if x)}

    @staticmethod
    def reset(sock):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sock.shutdown(socket.SHUT_RD)
        sock.close()

    def serve(self, client):
        with client.makefile("rb", MIB) as cf:
            while (request := self.head(cf)) is not None:
                self.seen.append(request[1][:2])
                if self.down:
                    self.reset(client)
                    return
                # A connection each: Swift ends a 404 for HEAD with a chunk that has no business there.
                with socket.create_connection(("127.0.0.1", self.upstream)) as up, up.makefile("rb", MIB) as uf:
                    if not self.exchange(client, cf, up, uf, request):
                        return

    def exchange(self, client, cf, up, uf, request):
        raw, (method, target, _), headers = request
        fault = self.fault_for(method, target)
        left = int(headers.get("content-length", 0))
        if headers.get("expect", "").lower() == "100-continue":
            client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            raw = re.sub(rb"(?i)expect: 100-continue\r\n", b"", raw)
        passes = fault is None or fault.kind in ("slow", "lost", "hold")
        if passes:
            up.sendall(raw)
        if not self.body(client, cf, up if passes else None, left, fault, method):
            return False
        if not passes:
            return self.refuse(client, fault)
        return self.answer(client, uf, method, fault)

    def body(self, client, cf, up, left, fault, method):
        done = 0
        while left > 0:
            block = cf.read1(min(left, 65536))
            if not block:
                return False
            left, done = left - len(block), done + len(block)
            if method == "PUT":
                with self.lock:
                    self.put_bytes += len(block)
            if fault and fault.kind == "reset" and done >= fault.after:
                self.reset(client)
                return False
            if fault and fault.kind == "slow":
                time.sleep(len(block) / fault.rate)
            if up:
                up.sendall(block)
        if fault and fault.kind == "reset":
            self.reset(client)
            return False
        return True

    def refuse(self, client, fault):
        if fault.kind == "hang":
            client.settimeout(60)
            client.recv(1)
            return False
        body = f"<?xml version='1.0'?><Error><Code>{fault.code}</Code><Message>as asked</Message></Error>".encode()
        date = email.utils.formatdate(time.time() - 1200, usegmt=True)
        client.sendall(f"HTTP/1.1 {fault.status} Fault\r\nDate: {date}\r\nContent-Length: {len(body)}\r\n\r\n".encode() +
            body)
        return True

    @staticmethod
    def chunked(f):
        body = b""
        while True:
            line = f.readline()
            body += line + f.read(int(line, 16) + 2)
            if int(line, 16) == 0:
                return body

    def answer(self, client, uf, method, fault):
        reply = self.head(uf)
        if reply is None:
            return False
        raw, words, headers = reply
        body = b""
        if method != "HEAD" and words[1] not in ("204", "304"):
            if headers.get("transfer-encoding", "").lower() == "chunked":
                body = self.chunked(uf)
            else:
                body = uf.read(int(headers.get("content-length", 0)))
        if fault and fault.kind == "lost":
            self.reset(client)
            return False
        if fault and fault.kind == "hold":
            self.held += 1
            client.settimeout(60)
            client.recv(1)
            return False
        client.sendall(raw + body)
        return True
