#!/usr/bin/python3
"""120-status-json: the fixed keys and their types; text; --watch; a dead and a hung supervisor."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

def by_group(t):
    """Another account may ask by control.group alone."""
    m = t.server(**{"control.group": "nogroup"})
    cli = shutil.copy(f"{BUILD}/millrace", t.dir)
    os.chmod(m.dir, 0o755)
    for gid, wanted in (("nogroup", 0), ("12345", 1)):
        r = subprocess.run(["setpriv", "--reuid", "nobody", "--regid", gid, "--clear-groups", cli, "-c", m.conf_path, "status"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        t.is_(r.returncode, wanted, f"nobody in group {gid}: exit code {wanted}")
        t.like(r.stdout, "no streams|0 streams" if wanted == 0 else "control.group", "and its words")
    m.stop()
    os.chmod(m.conf_path, 0o600)
    for verb, words in (("status", "not readable by you: use sudo, or -r RUN_DIR\n$"), ("sign-url", "not readable by you: use sudo\n$")):
        r = subprocess.run(["setpriv", "--reuid", "nobody", "--clear-groups", cli, "-c", m.conf_path, verb, *["x"][:verb == "sign-url"]],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        t.is_(r.returncode, 2, f"{verb}: a config that may not be read: exit code 2")
        t.like(r.stderr, words, "says so")
    r = subprocess.run(["setpriv", "--reuid", "nobody", "--clear-groups", "test", "-x", f"{BUILD}/libexec/millrace-http"])
    if r.returncode != 0:
        return t.diag("nobody may not run this build")
    m = t.server(start=False, user="nobody", **{"control.group": "daemon"})
    os.chmod(m.dir, 0o755)
    m.start()
    t.like(m.cli("status").stdout, r'members of "daemon" cannot use millrace yet.* nobody.*\s+adduser nobody\s+daemon, then\s+restart', "an account outside of the group: what to do")
    m.stop()


with Test(__doc__) as t:
    if os.geteuid() == 0:
        by_group(t)
    m = t.server()
    t.publish(m, "alice", clips.clip(gop=8.0)).join_live()
    m.wait_stream("alice", lambda s: s["bitrate_bps"] > 0)
    s = m.status()
    for key, kind in (("health", str), ("host", str), ("version", str), ("pid", int), ("uptime_s", (int, float)),
            ("processes", list), ("streams", list)):
        t.ok(isinstance(s.get(key), kind), f"{key} is {kind}", s.get(key))
    proc = s["processes"][0]
    t.is_([k for k in ("pid", "kind", "state", "restarts", "rss_bytes", "cpu_ms") if k not in proc], [], "keys of a process")
    st = s["streams"][0]
    t.is_([k for k in ("name", "app", "peer", "protocol", "since", "bitrate_bps", "viewers", "video", "audio", "outputs")
        if k not in st], [], "keys of a stream")
    out = st["outputs"][0]
    t.is_([k for k in ("kind", "state", "pid", "restarts", "reason") if k not in out], [], "keys of an output")
    text = m.cli("status").stdout
    t.like(text, r"alice", "the text has the stream")
    t.like(m.cli("streams").stdout, r"alice", "so has streams")
    wait_for("advice", lambda: re.search(r"(?i)keyframe interval", m.cli("status").stdout), 25, 0.5)
    t.ok(True, "8 s between key frames: it says what to change")
    t.is_(m.cli("kick", "nobody").returncode, 1, "kick of an unknown stream: exit code 1")
    t.is_(m.cli("kick", "alice").returncode, 0, "kick")
    wait_for("publisher gone", lambda: t.publishers[0].finished.is_set() or not t.publishers[0].is_alive(), 10)
    t.ok(True, "ends the publisher's connection")
    os.kill(m.proc.pid, signal.SIGSTOP)
    time.sleep(6)       # the board's beat must get old: that is the matter of this line
    r = m.cli("status")
    os.kill(m.proc.pid, signal.SIGCONT)
    t.like(r.stdout + r.stderr, r"(?i)hung|not respond|no beat|stopped", "a hung supervisor: status answers and says so")
    t.is_(r.returncode, 1, "with exit code 1")
