#!/usr/bin/python3
"""656-watch-storm: hundreds of files dropped at once, some still being written, renamed over, touched, changed: each content is processed once."""
import os, sys, threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *
from s3 import *

# MILLRACE_ROUNDS=10: 500 files
ROUNDS = int(os.environ.get("MILLRACE_ROUNDS", "1"))
N, BUCKET, QUIET = 50 * ROUNDS, "media", 0.5
SEED = int(os.environ.get("MILLRACE_SEED", random.randrange(1 << 30)))
rnd = random.Random(SEED)


def sha(data):
    return hashlib.sha256(data).hexdigest()


def cpu(m):
    """Seconds of all processes of the host."""
    ticks = 0
    for pid in [m.proc.pid, *descendants(m.proc.pid)]:
        try:
            with open(f"/proc/{pid}/stat") as f:
                ticks += sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13]))
        except OSError:
            pass
    return ticks / os.sysconf("SC_CLK_TCK")


class Storm:
    """Writes N files in five ways; knows what each holds at the end, and what it held for long enough to count."""

    def __init__(self, top):
        self.top, self.final, self.other, self.slow = top, {}, set(), []

    def write(self, name, data):
        os.makedirs(os.path.dirname(f"{self.top}/{name}"), exist_ok=True)
        with open(f"{self.top}/{name}", "wb") as f:
            f.write(data)
        self.final[name] = data

    def slowly(self, name, data):
        """Written in pieces with pauses beyond the quiet time, by somebody who holds it open."""
        with open(f"{self.top}/{name}", "wb") as f:
            for at in range(0, len(data), len(data) // 4 + 1):
                f.write(data[at:at + len(data) // 4 + 1])
                f.flush()
                time.sleep(rnd.uniform(0, 1.6 * QUIET))
        self.final[name] = data

    def drop(self, n):
        name, data = f"{'abc'[n % 3]}/{n}.mp4", rnd.randbytes(rnd.randrange(1, 60_000))
        way = n % 10
        if way < 5:
            self.write(name, data)
        elif way == 5:
            t = threading.Thread(target=self.slowly, args=(name, data))
            os.makedirs(f"{self.top}/{name[0]}", exist_ok=True)
            t.start()
            self.slow.append(t)
        elif way == 6:      # renamed over another, at once
            self.write(name, rnd.randbytes(1000))
            with open(f"{self.top}/{name}.part", "wb") as f:
                f.write(data)
            os.rename(f"{self.top}/{name}.part", f"{self.top}/{name}")
            self.final[name] = data
        elif way == 7:      # touched
            self.write(name, data)
            os.utime(f"{self.top}/{name}", (n + 1, n + 1))
        elif way == 8:      # written again in place, at once
            self.write(name, rnd.randbytes(2000))
            self.write(name, data)
        else:               # the content of another, under its own name
            self.write(name, self.final.get(f"{'abc'[(n - 9) % 3]}/{n - 9}.mp4", data))

    def change(self):
        """After all was processed: half of them touched or renamed, some changed."""
        changed = set()
        for name in sorted(self.final):
            n = int(name[2:].split(".")[0])
            if n % 10 < 3:
                os.utime(f"{self.top}/{name}")
            elif n % 10 == 3:
                os.rename(f"{self.top}/{name}", f"{self.top}/{name[0]}/renamed-{n}.mp4")
                self.final[f"{name[0]}/renamed-{n}.mp4"] = self.final.pop(name)
            elif n % 10 == 4:
                self.write(name, rnd.randbytes(5000))
                changed.add(name)
        return changed


def processed(m):
    """How often each content was queued."""
    counts, shas = {}, {}
    for line in m.log().splitlines():
        if found := re.search(r"complete: .*sha256=(\w+) file=(.*)$", line):
            shas[found.group(2)] = found.group(1)
        elif found := re.search(r"queued for upload: .* file=(.*)$", line):
            s = shas[found.group(1)]
            counts[s] = counts.get(s, 0) + 1
    return counts


def all_known(m, top, storm):
    r = m.cli("files", "--json")
    if r.returncode != 0:
        return False
    got = {f["path"]: (f["state"], f.get("sha256")) for f in json.loads(r.stdout)["files"]}
    return all(got.get(f"{top}/{n}") == ("verified", sha(d)) for n, d in storm.final.items())


with Test(__doc__, limit=120 + 30 * ROUNDS) as t:
    t.diag(f"MILLRACE_ROUNDS={ROUNDS} MILLRACE_SEED={SEED}")
    s3 = Swift(t)
    s3.client.create_bucket(Bucket=BUCKET)
    proxy = Proxy(t, s3.port)
    top = f"{t.dir}/in"
    os.mkdir(top)
    m = t.server(**{"watch": [{"dir": top, "extensions": ["mp4"], "recursive": True, "to": f"s3://{BUCKET}/"}], "watch_quiet": f"{int(QUIET * 1000)}ms",
        "watch_rescan": "2s", "jobs.workers": 2, "jobs.keep": 10000, "storage.s3": {"endpoint": proxy.endpoint, "region": REGION, "bucket": BUCKET,
        "access_key": KEY, "secret_key": SECRET}})
    wait_for("jobs answers", lambda: m.cli("jobs").returncode == 0, 10, 0.2)
    storm, t0, c0 = Storm(top), time.monotonic(), cpu(m)
    for n in range(N):
        storm.drop(n)
    dropped = time.monotonic() - t0
    for thread in storm.slow:
        thread.join()
    wait_for("all is verified", lambda: all_known(m, top, storm), 60 + 20 * ROUNDS, 0.5)
    took, used = time.monotonic() - t0, cpu(m) - c0
    counts = processed(m)
    want = {sha(d) for d in storm.final.values()}
    t.is_({s: c for s, c in counts.items() if c != 1}, {}, f"each of {len(counts)} contents was queued once")
    t.is_((len(want - set(counts)), len(set(counts) - want)), (0, 0), f"{len(want)} contents of {N} files, no half-written one")
    puts = [r for r in proxy.seen if r[0] == "PUT"]
    t.is_(len(puts), len(want), f"as many PUTs: {N} files dropped in {dropped:.1f} s took {took:.1f} s ({N / took:.0f} files/s), {used:.1f} s of CPU ({used / N * 1000:.0f} ms a file)")

    skipped = m.log().count("already processed and hash unchanged")
    changed = storm.change()
    wait_for("what was changed is verified", lambda: all_known(m, top, storm), 40 + 10 * ROUNDS, 0.5)
    touched = 4 * N // 10
    wait_for("what was touched or renamed is skipped", lambda: m.log().count("already processed and hash unchanged") >= skipped + touched, 30, 0.5)
    again = [r for r in proxy.seen if r[0] == "PUT"][len(puts):]
    t.is_(sorted(r[1].split("/", 2)[2].split("?")[0] for r in again), sorted(changed), f"touched and renamed ones are skipped, {len(changed)} changed ones go up once")

    wait_for("no job is left", lambda: "no job" in m.cli("jobs").stdout, 10, 0.3)
    have = {key: s3.sha256(BUCKET, key) for key in wait_for("listed", lambda: s3.keys(BUCKET), 10)}
    t.none([n for n, d in storm.final.items() if sha(d) not in have.values()], "every content is in the bucket")
    t.none([k for k, s in have.items() if k in storm.final and s != sha(storm.final[k])], "under its name it has its bytes")
    t.is_(s3.open_uploads(BUCKET), [], "no upload is left open")
