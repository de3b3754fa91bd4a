#!/usr/bin/python3
"""621-job-takeover: workers killed, stopped and woken, Redis killed under a job, cancel, a graceful stop: done once, nothing lost."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

CONF = {"streams.record.path": "recordings/{stream}/{start}.mp4", "jobs.workers": 2, "jobs.retry_min": "100ms",
    "jobs.lease": "2s", "jobs.scan": "1s", "redis.retry_max": "500ms"}


def slow_ffmpeg(t):
    """An ffmpeg that waits with making an MP4 until the file `go` is there."""
    path = f"{t.dir}/ffmpeg"
    with open(path, "w") as f:
        f.write(f'#!/bin/sh\ncase "$*" in *faststart*) while [ ! -e {t.dir}/go ]; do sleep 0.1; done ;; esac\n'
            f'exec {shutil.which("ffmpeg")} "$@"\n')
    os.chmod(path, 0o755)
    return path


def jobs(m, *args):
    r = m.cli("jobs", *args, "--json")
    return json.loads(r.stdout)["jobs"] if r.returncode == 0 else []


def running(m, limit=20):
    """The one job, once it runs."""
    return wait_for("a job runs", lambda: next((j for j in jobs(m) if j["state"] == "running"), None), limit, 0.1)


def worker(job):
    return int(job["worker"].split(":")[1])


def record(t, m, name):
    p = t.publish(m, name, clips.clip(seconds=4))
    p.join_live()
    m.wait_playlist(name, 2)
    p.cut()


def is_done(m, n):
    done = wait_for(f"{n} jobs are done", lambda: (lambda d: d if len(d) == n else None)(jobs(m, "--done")), 30, 0.2)
    return [j["state"] for j in done] == ["done"] * n


with Test(__doc__) as t:
    go = f"{t.dir}/go"
    m = t.server(**CONF, **{"ffmpeg.path": slow_ffmpeg(t)})
    wait_for("jobs answers", lambda: m.cli("jobs").returncode == 0, 10, 0.2)

    record(t, m, "killed")
    job = running(m)
    os.kill(worker(job), signal.SIGKILL)
    other = wait_for("another worker has it", lambda: next((j for j in jobs(m) if j["state"] == "running" and
        worker(j) != worker(job)), None), 20, 0.1)
    t.is_((other["id"], other["crashes"], other["attempts"]), (job["id"], 1, 0), "its worker killed: the same job, with another, no failure of its own")
    t.like(m.cli("jobs").stdout, rf"(?m)^{job['id']}: its worker died or hung$", "it runs, and what it suffered before is said")

    os.kill(worker(other), signal.SIGSTOP)
    # It may be the first one, which answers `jobs`: the log tells.
    wait_for("it is taken over", lambda: len(re.findall(rf"job {job['id']} .* is begun", m.log())) >= 3, 13, 0.05)
    os.kill(worker(other), signal.SIGCONT)
    m.wait_log(r"taken over by another worker: stopped here", 20)
    t.ok(True, "its worker stopped and woken: taken over, and the late one says so")
    open(go, "w").close()
    t.ok(is_done(m, 1), "done once")
    t.is_(len(os.listdir(f"{m.data}/recordings/killed")), 1, "one MP4")
    os.unlink(go)

    record(t, m, "redis")
    job = running(m)
    os.kill(m.pids("redis")[0], signal.SIGKILL)
    open(go, "w").close()
    m.wait_log(r"Redis is back after [0-9.]+ s: jobs", 20)
    away = re.findall(r"Redis is back after ([0-9.]+) s: jobs", m.log())
    t.ok(away and float(away[0]) < 5 * SLOW, f"Redis killed under a job: it says how long that was away ({away})")
    t.ok(is_done(m, 2), "Redis killed under a job: it goes on, its end is told")
    t.is_(m.log().count("finalise of rec/redis"), 2, "begun once, done once")
    os.unlink(go)

    record(t, m, "cancel")
    job = running(m)
    t.is_(m.cli("jobs", "cancel", job["id"]).returncode, 0, "cancelled while it runs")
    m.wait_log(r"was cancelled: stopped here")
    t.is_(jobs(m), [], "it is stopped, and not made again")
    m.cli("jobs", "retry", job["id"])
    running(m)
    t.ok(True, "retry: it runs")

    code, took = m.stop()
    t.ok(code == 0 and took < 5 * SLOW, f"a graceful stop with a job under way: {took:.1f} s")
    t.like(m.log(), r"is handed back: millraced stops", "which is handed back")
    open(go, "w").close()
    m.start()
    t.ok(is_done(m, 3), "and done after the next start")
    t.is_([len(os.listdir(f"{m.data}/recordings/{n}")) for n in ("killed", "redis", "cancel")], [1, 1, 1], "one MP4 each")
