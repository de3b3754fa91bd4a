#!/usr/bin/python3
"""102-second-instance: the same directories twice are refused, the first goes on."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

with Test(__doc__) as t:
    m = t.server()
    redis = m.pids("redis")
    other = t.server(start=False, run_dir=m.conf["run_dir"], data_dir=m.data)
    r = subprocess.run(other.argv(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20 * SLOW)
    t.is_(r.returncode, 1, "the second exits 1")
    t.like(r.stdout, rf"running.*{m.proc.pid}", "names the pid of the first")
    t.like(r.stdout, rf"level=error .*see it: {BUILD}/millrace -c \S+ status; end it: {BUILD}/millrace -c \S+ stop", "and what to do")
    t.ok("level=warn" not in r.stdout, "as an error, not a warning", r.stdout)
    third = t.server(start=False, data_dir=m.data)
    r = subprocess.run(third.argv(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20 * SLOW)
    t.is_(r.returncode, 1, "another run_dir on the same data_dir is refused, too")
    t.like(r.stdout, rf"level=error .*kill {m.proc.pid} ends it", "with what to do")
    t.ok(m.alive() and m.get("/healthz")[0] == 200, "the first is unharmed")
    t.is_(m.pids("redis"), redis, "with the same redis-server")
    t.is_(m.cli("status").returncode, 0, "and its control socket works")
