#!/usr/bin/python3
"""123-rights: started by root for an account without rights: no process keeps any of root's, nor can get one back."""
import os, pwd, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

ACCOUNT = "daemon"
KINDS = ["http", "registry", "jobs", "hooks", "webrtc", "ingest", "redis", "ffmpeg"]
# what runs a foreign program, and what limits itself: by seccomp, by landlock
EXEC, SECCOMP, LANDLOCK = ("ffmpeg", "redis-server"), ("millrace-spare",), ("millrace-hooks",)


def rights(pid):
    with open(f"/proc/{pid}/status") as f:
        return {key: value.split() for key, _, value in (line.partition(":") for line in f)}


def wrong(pid, pw):
    """What this process has, and should not have."""
    try:
        s, groups = rights(pid), os.getgrouplist(ACCOUNT, pw.pw_gid)
    except OSError:     # it has ended meanwhile
        return []
    want = {"Uid": [str(pw.pw_uid)] * 4, "Gid": [str(pw.pw_gid)] * 4, **{f"Cap{c}": ["0" * 16] for c in ("Inh", "Prm", "Eff", "Amb")}}
    name = s["Name"][0]
    locked = name in EXEC + SECCOMP or (name == "millrace-ingest" and serves(pid))
    if locked or (landlock and name in LANDLOCK):
        want["NoNewPrivs"] = ["1"]
    if locked:
        want["Seccomp"] = ["2"]
    return [f"{name} ({pid}): {key} {s[key]}" for key in want if s[key] != want[key]] + \
        [f"{name} ({pid}): in group {g}" for g in s["Groups"] if int(g) not in groups]


with Test(__doc__) as t:
    if os.geteuid() != 0:
        t.skip_all("only root can become somebody else")
    landlock, pw = ctypes.CDLL(None).syscall(444, None, 0, 1) > 0, pwd.getpwnam(ACCOUNT)
    m = t.server(start=False, user=ACCOUNT)
    os.chmod(m.dir, 0o755)
    m.start()
    t.publish(m, "alice")
    m.wait_playlist("alice", 1)
    wait_for("every kind runs", lambda: all(m.pids(kind) for kind in KINDS))
    pids = [m.proc.pid, *descendants(m.proc.pid)]
    t.ok(len(pids) > len(KINDS), f"{len(pids)} processes are looked at")
    t.none([fault for pid in pids for fault in wrong(pid, pw)], "all are the account's, without a capability; what may not get one is barred")
    t.ok(any("Uid" in fault for fault in wrong(os.getpid(), pw)), "of this test, which is root's, it would be said")
    dirs = [root for top in (m.data, m.conf["run_dir"]) for root, _, _ in os.walk(top)]
    t.none([d for d in dirs if os.stat(d).st_uid != pw.pw_uid], "its folders are the account's")
    m.stop()
    os.chown(f"{m.data}/hls", 0, 0)
    for how in "-t", "-d":
        r = subprocess.run(m.argv(how), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20 * SLOW)
        t.is_(r.returncode, 1, f"{how}: what an earlier start as root has left behind is an error")
        t.like(r.stdout, rf"{m.conf_path}:\d+: data_dir: {m.data}/hls belongs to uid 0, not to {ACCOUNT}: chown -R {ACCOUNT} {m.data}\n", "and named, with the way out")
