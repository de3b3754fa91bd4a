#!/usr/bin/python3
"""100-start-stop: comes up, says so, stops in time, comes up again."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

with Test(__doc__) as t:
    m = t.server(start=False)
    r = m.cli("status")
    t.is_(r.returncode, 3, "status before the start: exit code 3")
    t.is_(subprocess.run(m.argv("-t"), stdout=subprocess.PIPE, stderr=subprocess.PIPE).returncode, 0, "-t finds the config good")
    m.start()
    wait_for("all workers", lambda: all(m.pids(k) for k in ("http", "registry", "redis")))
    wait_for("healthy", lambda: m.cli("status").returncode == 0, 10, 0.2)
    t.ok(True, "http, registry and redis run; status is healthy")
    s = m.status()
    t.is_(s["pid"], m.proc.pid, "status has the supervisor's pid")
    t.is_(s["streams"], [], "no stream yet")
    t.is_(sorted(p["kind"] for p in s["processes"] if p["kind"] in ("http", "registry", "redis")),
        ["http", "redis", "registry"], "the process list is true")
    for d, mode in ((m.conf["run_dir"], 0o750),):
        t.is_(os.stat(d).st_mode & 0o777, mode, "run_dir is 0750")
    t.is_(os.stat(f"{m.conf['run_dir']}/control.sock").st_mode & 0o777, 0o660, "control.sock is 0660")
    code, took = m.stop()
    t.is_(code, 0, "SIGTERM: exit code 0")
    t.ok(took < 5 * SLOW, f"it took {took:.1f} s, under 5")
    t.is_(m.cli("status").returncode, 3, "status afterwards: exit code 3")
    m.start()
    t.ok(m.alive(), "starts again on the same directories")
    r = m.cli("stop")
    t.is_(r.returncode, 0, "millrace stop")
    t.is_(m.proc.wait(10 * SLOW), 0, "ends it with exit code 0")
    m.start()
    m.proc.send_signal(signal.SIGINT)
    t.is_(m.proc.wait(10 * SLOW), 0, "so does SIGINT")
