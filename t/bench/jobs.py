"""jobs.py - the parts of scripts/bench that need no streams: the queue, and uploads beside other clients."""
import hashlib, json, os, re, resource, shutil, statistics, subprocess, sys, tempfile, time

import s3

UPLOAD_TOOLS = ["aws", "rclone", "swift-proxy-server", "memcached"]
BUCKET = "bench"
MIB = 1 << 20


def bench_queue(build, jobs):
    print(f"### {jobs} empty jobs through the queue: added, taken, done; redis-server with appendfsync always\n")
    print("| under way at a time | redis-server killed (-9) | jobs/s | jobs per CPU-s, client and Redis | CPU µs per job: client | Redis | lost |")
    print("|---|---|---|---|---|---|---|")
    for window, kills, n in ((200, 0, jobs), (200, 10, jobs), (1, 0, jobs // 20)):
        p = subprocess.run([f"{build}/t/bench/queue", "-n", str(n), "-w", str(window), "-k", str(kills)],
            stdout=subprocess.PIPE, text=True)
        r = json.loads(p.stdout)
        print(f"| {window} | {kills} times | {r['jobs_per_s']} | {r['jobs_per_cpu_s']} | {r['own_us']} | {r['redis_us']} | "
            f"{r['jobs'] - r['seen'] + r['left']} |", flush=True)
    print()


class Host:
    """What s3.py wants of a test."""

    def __init__(self, top):
        self.dir, self.procs = top, []

    def skip_all(self, why):
        raise SystemExit(f"bench: {why}: run scripts/deps bench")

    def stop(self):
        for p in self.procs:
            if p.poll() is None:
                p.kill()
            p.wait()


class Client:
    """One uploader; argv() and env() say how it is called."""

    def __init__(self, build, top):
        self.build, self.dir = build, tempfile.mkdtemp(dir=top)

    def env(self):
        # Without PATH's other interpreters: Debian's awscli wants Debian's Python.
        return {"PATH": "/usr/bin:/bin", "HOME": self.dir}

    def start(self, endpoint, path):
        with open(f"{self.dir}/log", "wb") as log:
            return subprocess.Popen(self.argv(endpoint, path), env=self.env(), stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def failed(self):
        with open(f"{self.dir}/log", errors="replace") as f:
            return SystemExit(f"bench: {self.label} failed: {f.read()[-2000:]}")


class Millrace(Client):
    label = key = "Millrace"

    def env(self):
        return {**super().env(), "S3_KEY": s3.KEY, "S3_SECRET": s3.SECRET}

    def argv(self, endpoint, path):
        return [f"{self.build}/t/bench/s3put", "-e", endpoint, "-b", BUCKET, "-d", self.dir, path, self.key]


class Awscli(Client):
    label, key = "awscli", "awscli"

    def env(self):
        return {**super().env(), "AWS_ACCESS_KEY_ID": s3.KEY, "AWS_SECRET_ACCESS_KEY": s3.SECRET,
            "AWS_DEFAULT_REGION": s3.REGION, "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required"}

    def argv(self, endpoint, path):
        return ["aws", "--endpoint-url", endpoint, "s3", "cp", "--no-progress", path, f"s3://{BUCKET}/{self.key}"]


class Rclone(Client):
    label, key = "rclone", "rclone"

    def env(self):
        return {**super().env(), "RCLONE_CONFIG": "/dev/null", "RCLONE_S3_PROVIDER": "Other", "RCLONE_S3_REGION": s3.REGION,
            "RCLONE_S3_ACCESS_KEY_ID": s3.KEY, "RCLONE_S3_SECRET_ACCESS_KEY": s3.SECRET, "RCLONE_S3_NO_CHECK_BUCKET": "true"}

    def argv(self, endpoint, path):
        return ["rclone", "copyto", "--s3-endpoint", endpoint, path, f":s3:{BUCKET}/{self.key}"]


def peak_kib(pid, so_far):
    """Of a living process; getrusage() would tell the peak of whoever started it, if that was greater."""
    try:
        with open(f"/proc/{pid}/status") as f:
            found = re.search(r"VmHWM:\s+(\d+)", f.read())
        return max(so_far, int(found.group(1))) if found else so_far
    except OSError:
        return so_far


def measure(client, endpoint, path):
    """Wall seconds, CPU seconds, peak memory in MB."""
    before, t0, peak = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic(), 0
    p = client.start(endpoint, path)
    while p.poll() is None:
        peak = peak_kib(p.pid, peak)
        time.sleep(0.02)
    took, after = time.monotonic() - t0, resource.getrusage(resource.RUSAGE_CHILDREN)
    if p.returncode:
        raise client.failed()
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, peak * 1024 / 1e6


def sent_again(client, host, swift, path, size):
    """Bytes sent more than once by a run that was killed half way and the one after it; uploads left open."""
    proxy = s3.Proxy(host, swift.port)
    p = client.start(proxy.endpoint, path)
    while proxy.put_bytes < size // 2 and p.poll() is None:
        time.sleep(0.005)
    p.kill()
    p.wait()
    if client.start(proxy.endpoint, path).wait():
        raise client.failed()
    proxy.server.shutdown()
    proxy.server.server_close()
    return proxy.put_bytes - size, len(swift.open_uploads(BUCKET))


def clear(swift):
    for key in swift.keys(BUCKET):
        swift.client.delete_object(Bucket=BUCKET, Key=key)
    for u in swift.client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []):
        swift.client.abort_multipart_upload(Bucket=BUCKET, Key=u["Key"], UploadId=u["UploadId"])


def random_file(path, mib):
    sha = hashlib.sha256()
    with open(path, "wb") as f:
        for _ in range(mib):
            block = os.urandom(MIB)
            sha.update(block)
            f.write(block)
    return sha.hexdigest()


def bench_upload(build, top, mib, runs):
    """One client after the other, so often: what else the machine does then meets all of them. Medians."""
    free = shutil.disk_usage(top).free // MIB
    if free < 3 * mib + 1024:       # the file, the object, and what Swift has not deleted yet
        print(f"bench: {free} MiB are free in {top}: {mib} MiB do not fit", file=sys.stderr)
        mib = max((free - 1024) // 3, 64)
    host = Host(top)
    try:
        swift = s3.Swift(host)
        swift.client.create_bucket(Bucket=BUCKET)
        path, again, part = f"{top}/upload", min(mib, 512), f"{top}/again"
        sha = random_file(path, mib)
        random_file(part, again)
        print(f"### {mib} MiB to an S3 server on the same {os.cpu_count()} cores, {runs} times; {again} MiB with a kill -9 half way\n")
        print("| client | MB/s | CPU-s per GiB | peak memory, MB | sent more than once, MB | uploads left open |\n|---|---|---|---|---|---|")
        clients = [kind(build, top) for kind in (Awscli, Rclone, Millrace)]
        figures = {client: [] for client in clients}
        for run in range(runs):
            for client in clients:
                figures[client].append(measure(client, swift.endpoint, path))
                if run == 0 and swift.sha256(BUCKET, client.key) != sha:
                    raise SystemExit(f"bench: {client.label}: the object is not the file")
                clear(swift)
        for client in clients:
            took, cpu, peak = (statistics.median(column) for column in zip(*figures[client]))
            more, left = sent_again(client, host, swift, part, again * MIB)
            clear(swift)
            print(f"| {client.label} | {mib * MIB / 1e6 / took:.0f} | {cpu / mib * 1024:.2f} | {peak:.0f} | {more / 1e6:.1f} | {left} |",
                flush=True)
    finally:
        host.stop()
    print()
