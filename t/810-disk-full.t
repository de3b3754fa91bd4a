#!/usr/bin/python3
"""810-disk-full: the disk fills up under HLS: no crash, no spin; back within 5 s of space."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

if os.geteuid() != 0:
    Test(__doc__).skip_all("needs root for a small tmpfs")


def cpu_ticks(pid):
    with open(f"/proc/{pid}/stat") as f:
        return sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13]))


with Test(__doc__) as t:
    small = f"{t.dir}/small"
    os.mkdir(small)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", small], stderr=subprocess.DEVNULL).returncode:
        t.skip_all("may not mount a tmpfs here")
    try:
        m = t.server(data_dir=f"{small}/data", **{"disk.reserve": "4MiB"})
        m.data = f"{small}/data"
        p = t.publish(m, "alice", clips.clip(seconds=60))
        m.wait_playlist("alice", 3)
        player = t.player(m, "alice")
        with open(f"{small}/ballast", "wb") as f:
            try:
                while f.write(bytes(65536)):
                    f.flush()
            except OSError:
                pass
        seen = m.playlist("alice")
        t0, cpu = time.monotonic(), cpu_ticks(m.proc.pid)
        wait_for("some time with a full disk", lambda: time.monotonic() - t0 > 8, 10)
        used = (cpu_ticks(m.proc.pid) - cpu) / os.sysconf("SC_CLK_TCK")
        t.ok(used < 2 * SLOW, f"no spin: the supervisor used {used:.2f} s of CPU in 8 s")
        t.ok(m.alive() and p.is_alive(), "server and publisher live")
        t.is_(m.cli("status").returncode, 1, "status says that something is wrong")
        t.like(m.cli("status").stdout, r"(?i)space|disk", "and what")
        os.truncate(f"{small}/ballast", 0)
        count, t1 = len(player.listed_at), time.monotonic()
        wait_for("segments again", lambda: len(player.listed_at) >= count + 2, 15)
        took = time.monotonic() - t1
        t.ok(took < 6 * SLOW, f"new segments {took:.1f} s after there is space")
        # What was received meanwhile comes at once: more than the window holds.
        t.none([p for p in player.stop().check() if "rolled out unseen" not in p], "RFC 8216 all the way")
        t.end_helpers()
        t.end_servers()
        t.servers.clear()
    finally:
        subprocess.run(["umount", "-l", small])
