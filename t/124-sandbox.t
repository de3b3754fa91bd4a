#!/usr/bin/python3
"""124-sandbox: from inside an ingest or an ffmpeg that pushes no socket of ours can be reached; control.sock takes no process of ours."""
import os, shutil, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

# What somebody who has taken over an ingest would try, made by the ingest itself: gdb calls libc in it.
TRY = ["socket(1, 5, 0)", "socket(1, 1, 0)", "socket(2, 1, 0)", "connect(3, 0, 0)", "kill({parent}, 0)"]

# What stands for an ingest here tries control.sock, with no sandbox around it.
FAKE = """#!/usr/bin/python3 -IS
import socket, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect({path!r})
s.settimeout(5)
try:
    print("fake ingest: closed" if s.recv(100) == b"" else "fake ingest: an answer", file=sys.stderr, flush=True)
except OSError as e:
    print("fake ingest:", e, file=sys.stderr, flush=True)
time.sleep(60)
"""

CONNECT = """
import socket, sys
print(socket.socket(socket.AF_INET).fileno() > 0)
for path, kind in zip(sys.argv[1:], (socket.SOCK_SEQPACKET, socket.SOCK_STREAM)):
    try:
        socket.socket(socket.AF_UNIX, kind).connect(path)
        print("connected")
    except OSError as e:
        print(e.errno)
"""


def inside(pid, calls):
    """The errno of each call in that process, 0 for one that went well."""
    argv = ["gdb", "-p", str(pid), "-batch", "-nx", "-ex", "set debuginfod enabled off"]
    for call in calls:
        argv += ["-ex", f"printf \"ANSWER %d %d\\n\", ((int (*)()){call.replace('(', ')(', 1)}, *((int *(*)())__errno_location)()"]
    out = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60 * SLOW).stdout
    answers = re.findall(r"^ANSWER (-?\d+) (\d+)", out, re.M)
    return [int(errno) if int(rc) == -1 else 0 for rc, errno in answers] or out[-500:]


def seccomp(pid):
    with open(f"/proc/{pid}/status") as f:
        return re.search(r"^Seccomp:\s+(\d)", f.read(), re.M).group(1)


with Test(__doc__, limit=120) as t:
    m = t.server(**{"limits.spare": 1})
    t.publish(m, "alice")
    m.wait_playlist("alice", 1)
    live = m.pids("ingest")
    spare = wait_for("a spare", lambda: [p for p, (_, _, comm) in descendants(m.proc.pid).items() if comm == "millrace-spare"])
    t.is_([seccomp(pid) for pid in live + spare], ["2"] * (len(live) + 1), "an ingest has a filter, also before its connection")
    if shutil.which("gdb"):
        for pid, what in ((live[0], "an ingest"), (spare[0], "a spare")):
            t.is_(inside(pid, [call.format(parent=m.proc.pid) for call in TRY]), [1] * len(TRY), f"{what} gets no socket, connects to nothing, signals nobody")
    else:
        t.skip("inside an ingest", "gdb is not installed")

    socks = [f"{m.dir}/run/control.sock", f"{m.dir}/run/redis.sock"]
    t.ok(all(os.path.exists(path) for path in socks), "both sockets are there")
    for profile, want in (("push", "True\n1\n1\n"), ("redis", "True\nconnected\nconnected\n")):
        r = subprocess.run([f"{BUILD}/libexec/millrace-exec", profile, "-", "--", "/usr/bin/python3", "-ISc", CONNECT, *socks],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        t.is_(r.stdout, want, f"profile {profile}: " + ("IP and no UNIX socket" if profile == "push" else "both, so it is the sandbox that refuses"))
    m.stop()

    m = t.server(start=False, **{"limits.spare": 1})
    os.makedirs(f"{m.dir}/bin/libexec")
    shutil.copy(f"{BUILD}/millraced", f"{m.dir}/bin/millraced")
    for name in os.listdir(f"{BUILD}/libexec"):
        os.symlink(f"{BUILD}/libexec/{name}", f"{m.dir}/bin/libexec/{name}")
    os.unlink(f"{m.dir}/bin/libexec/millrace-ingest")
    with open(f"{m.dir}/bin/libexec/millrace-ingest", "w") as f:
        f.write(FAKE.format(path=f"{m.dir}/run/control.sock"))
    os.chmod(f"{m.dir}/bin/libexec/millrace-ingest", 0o755)
    m.argv = lambda *args: [f"{m.dir}/bin/millraced", "-c", m.conf_path, *args]
    m.start()
    m.wait_log("fake ingest: closed")
    t.like(m.log(), r"control\.sock: pid \d+ is one of our own processes", "a process of ours is no client of control.sock")
    t.is_(m.cli("stop").returncode, 0, "the CLI is")
