#!/usr/bin/python3
"""620-jobs: a recording's job is done and listed; one that can't be is tried, dead, retried, cancelled; Redis away; a host away."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

CONF = {"streams.record.path": "recordings/{stream}/{start}.mp4", "jobs.workers": 2, "jobs.pushes": 1, "jobs.attempts": 2,
    "jobs.retry_min": "100ms", "jobs.scan": "1s", "jobs.lease": "3s", "redis.retry_max": "1s"}
BROKEN = "rec/bob/20261121T135800.123Z.flv"


def jobs(m, *args):
    r = m.cli("jobs", *args, "--json")
    return json.loads(r.stdout)["jobs"] if r.returncode == 0 else []


def broken(m):
    """A raw recording that nobody can read: it is a folder."""
    os.makedirs(f"{m.data}/{BROKEN}")


with Test(__doc__) as t:
    port = free_port()
    redis = t.spawn(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", t.dir])
    one, two = (t.server(**CONF, **{"redis.url": f"redis://127.0.0.1:{port}", "host.name": n}) for n in ("one", "two"))
    wait_for("two jobs workers, and one for pushes", lambda: len(one.pids("jobs")) == 3)
    wait_for("jobs answers", lambda: one.cli("jobs").returncode == 0, 10, 0.2)
    t.like(one.cli("jobs").stdout, r"no job waits or runs", "nothing to do: it says so")
    t.like(one.cli("jobs", "--failed").stdout, r"no job has failed", "nothing failed: it says so")
    t.like(one.cli("files").stdout, r"no file is known|recordings", "files: it says so")
    t.like(one.cli("jobs", "retry", "17").stderr, r"no job 17", "retry of no job: a clear word")

    p = t.publish(one, "alice", clips.clip(seconds=4))
    p.join_live()
    one.wait_playlist("alice", 2)
    p.cut()
    done = wait_for("the job is done", lambda: jobs(one, "--done"), 30, 0.3)
    t.is_([(j["kind"], j["stream"], j["host_name"]) for j in done], [("finalise", "alice", "one")], "its recording's job is done")
    t.like(two.cli("jobs", "--done").stdout, r"finalise +done .*one", "the other host lists it, too")
    t.ok(os.listdir(f"{one.data}/recordings/alice"), "the MP4 is there")

    broken(two)
    dead = wait_for("dead", lambda: jobs(one, "--failed"), 20, 0.2)[0]
    t.is_((dead["state"], dead["attempts"], dead["file"], dead["host_name"]), ("dead", 2, BROKEN, "two"), "a broken one: dead after two attempts")
    t.ok(dead["error"], f"with its error: {dead['error']}")
    t.like(one.cli("jobs", "--failed").stdout, rf"{dead['id']} finalise dead", "--failed has it")
    time_dead = dead["ended"]
    r = one.cli("jobs", "retry", dead["id"])
    t.like(r.stdout, r"queued again", "retry from the other host")
    wait_for("dead again", lambda: [j for j in jobs(one, "--failed") if j["ended"] > time_dead], 20, 0.2)
    t.ok(True, "it is tried again, and dead again")
    t.is_(one.cli("jobs", "cancel", dead["id"]).returncode, 0, "cancelled")
    t.is_(jobs(one, "--failed") + jobs(one), [], "no list has it")
    t.like(one.cli("jobs", "cancel", dead["id"]).stderr, r"is cancelled: nothing to cancel", "twice: it says so")

    # The first worker killed: another one serves, nothing is forgotten.
    os.kill(two.pids("jobs")[0], signal.SIGKILL)
    wait_for("it is back", lambda: len(two.pids("jobs")) == 3 and two.cli("jobs").returncode == 0, 15, 0.2)
    t.is_(jobs(two), [], "after a kill of the worker: the scan adds no cancelled job again")

    # What is bound to a host that is gone waits for it.
    two.configure({"jobs.retry_min": "1h", "jobs.retry_max": "1h"})
    two.cli("reload")
    one.cli("jobs", "retry", dead["id"])
    wait_for("put off", lambda: [j for j in jobs(one) if j["state"] == "delayed"], 20, 0.2)
    t.like(one.cli("jobs").stdout, r"again in \d", "put off: it says until when")
    t.is_(two.stop()[0], 0, "a host stops")
    t.like(one.cli("jobs").stdout, r"waiting for two", "its job waits for it")

    redis.kill()
    redis.wait()
    r = wait_for("Redis away is said", lambda: (lambda r: r if r.returncode == 1 else None)(one.cli("jobs")), 15, 0.2)
    t.like(r.stderr, r"Redis is away", "Redis away: a clear word")
    t.like(one.cli("files").stderr, r"Redis is away", "files says it, too")
    t.ok(len(one.pids("jobs")) == 3, "and the workers wait")
