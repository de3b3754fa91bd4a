#!/usr/bin/python3
"""652-three-hosts: three hosts on one Redis: one killed, one paused past its leases and woken: shared jobs are done once by the others; the late one is fenced off and says so."""
import os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *
from s3 import *

BUCKET, FILES = "media", 9

# As millrace-internals(7) has a job of the shared queue; hosts only make jobs that are bound to themselves.
ADD = """local id, P = ARGV[1], 'millrace:'
local n = redis.call('INCR', P .. 'jobs:seq')
local entry = redis.call('XADD', P .. 'jobs:q:shared:upload:1', '*', 'job', id)
redis.call('HSET', P .. 'job:' .. id, 'state', 'queued', 'queued', 0, 'entry', entry, 'kind', 'upload', 'key', id, 'host', '',
    'prio', 1, 'args', ARGV[2], 'file', ARGV[3], 'stream', '', 'added', 0, 'attempts', 0, 'waits', 0, 'crashes', 0, 'epoch', 0,
    'progress', 0, 'best', 0, 'error', '')
redis.call('HSET', P .. 'jobs:keys', id, id)
redis.call('ZADD', P .. 'jobs:live', n, id)"""


RUNNING = """local out = {}
for _, id in ipairs(redis.call('ZRANGE', 'millrace:jobs:live', 0, -1)) do
    local job = redis.call('HMGET', 'millrace:job:' .. id, 'state', 'worker')
    if job[1] == 'running' then out[#out + 1] = id .. ' ' .. job[2] end
end
return out"""


class Redis:
    def __init__(self, t):
        self.port = free_port()
        t.spawn(["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", t.dir])
        wait_for("redis", lambda: "PONG" in self.cli("ping"))

    def cli(self, *args):
        return subprocess.run(["redis-cli", "-p", str(self.port), *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout

    def job(self, id_, field):
        return self.cli("hget", f"millrace:job:{id_}", field).strip()


def host_id(m):
    with open(f"{m.data}/host_id") as f:
        return f.read().strip()


def signal_all(m, sig):
    """The whole host; the supervisor first, so that it does not wonder."""
    for pid in [m.proc.pid, *descendants(m.proc.pid)]:
        try:
            os.kill(pid, sig)
        except ProcessLookupError:
            pass


with Test(__doc__, limit=150) as t:
    s3 = Swift(t)
    s3.client.create_bucket(Bucket=BUCKET)
    redis = Redis(t)
    hosts = [t.server(start=False, **{"redis.url": f"redis://127.0.0.1:{redis.port}", "host.name": n, "jobs.workers": 2, "jobs.uploads": 2,
        "jobs.lease": "2s", "jobs.scan": "1s", "jobs.retry_min": "100ms", "jobs.retry_max": "500ms", "storage.s3": {"endpoint": s3.endpoint, "region": REGION,
        "bucket": BUCKET, "access_key": KEY, "secret_key": SECRET, "part_size": "5MiB", "concurrency": 1, "bandwidth": "12MiB"}})
        for n in ("one", "two", "three")]
    for m in hosts:
        m.start()
    one, two, three = hosts
    ids = {host_id(m): m for m in hosts}
    jobs, paths = [f"job{n}" for n in range(FILES)], {}
    for id_ in jobs:
        paths[id_] = f"{t.dir}/{id_}"
        with open(paths[id_], "wb") as f:
            f.write(os.urandom(22 * MIB))
    for id_ in jobs:    # at once, or one host is done with each before the next comes
        redis.cli("eval", ADD, "0", id_, json.dumps({"path": paths[id_], "object": f"shared/{id_}", "kind": "watch"}), paths[id_])

    def held():
        """The jobs of each host at one moment."""
        running = [line.split() for line in redis.cli("eval", RUNNING, "0").splitlines() if line.strip()]
        return [[j for j, worker in running if ids.get(worker.split(":")[0]) is m] for m in hosts]
    each = wait_for("each host works", lambda: (lambda h: h if all(h) else None)(held()), 15, 0.1)
    t.ok(True, f"each of three hosts has taken shared jobs: {[len(h) for h in each]}")

    signal_all(two, signal.SIGSTOP)
    lost, mine, _ = held()
    signal_all(one, signal.SIGKILL)
    one.proc.wait()
    taken = wait_for("the paused one's jobs are another's", lambda: mine and all(
        redis.job(j, "state") == "done" or ids.get(redis.job(j, "worker").split(":")[0]) is not two for j in mine), 60, 0.1)
    t.ok(taken, f"paused for longer than its lease: its {len(mine)} jobs are taken over")
    signal_all(two, signal.SIGCONT)
    for j in mine:
        two.wait_log(rf"job {j} .*was taken over by another worker: stopped here", 20)
    t.ok(True, "woken: it lets go of each, and says so")

    wait_for("all jobs are done", lambda: all(redis.job(j, "state") == "done" for j in jobs), 90, 0.3)
    ends = {j: sum(len(re.findall(rf"job {j} .* is done", m.log())) for m in hosts) for j in jobs}
    t.is_(ends, {j: 1 for j in jobs}, "each shared job is done once")
    t.none([j for j in lost if ids.get(redis.job(j, "worker").split(":")[0]) is one], f"the killed one's {len(lost)} jobs by others")
    def equal(j):
        with open(paths[j], "rb") as f:
            return hashlib.file_digest(f, "sha256").hexdigest() == s3.sha256(BUCKET, f"shared/{j}")
    t.none([j for j in jobs if not equal(j)], "each object has the bytes of its file")
    t.is_(sorted(s3.keys(BUCKET)), [f"shared/{j}" for j in jobs], "and there is no other")
    one.start()
    try:
        wait_for("no upload is left", lambda: not s3.open_uploads(BUCKET), 30, 0.5)
    except Timeout:
        pass
    t.is_(s3.open_uploads(BUCKET), [], "what the late one, and the killed one, had begun is taken off the server, once it is back")
    t.ok(two.alive() and two.cli("jobs").returncode == 0, "the woken host works on")
