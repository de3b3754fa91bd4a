#!/usr/bin/python3
"""664-no-name-server: a name server that does not answer holds up an upload until its connect_timeout, and nothing longer."""
import json, os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000

with Test(__doc__) as t:
    if os.geteuid() != 0 or ctypes.CDLL(None).unshare(CLONE_NEWNS | CLONE_NEWNET):
        t.skip_all("needs root, for a name server of its own")
    with open(f"{t.dir}/resolv.conf", "w") as f:
        f.write("nameserver 127.0.0.9\noptions timeout:25 attempts:1\n")
    subprocess.run(f"mount --make-rprivate / && mount --bind {t.dir}/resolv.conf /etc/resolv.conf && ip link set lo up", shell=True, check=True)
    mute = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    mute.bind(("127.0.0.9", 53))
    with open(f"{t.dir}/file", "w") as f:
        f.write("x")
    t0 = time.monotonic()
    p = t.spawn([f"{BUILD}/t/bench/s3put", "-e", "http://nobody.invalid:9000", "-b", "b", "-d", t.dir, "-a", "1", f"{t.dir}/file", "k"],
        env=dict(os.environ, S3_KEY="a", S3_SECRET="b"), stdout=subprocess.PIPE)
    out, _ = p.communicate(timeout=60)
    took = time.monotonic() - t0
    t.ok("Resolving timed out" in json.loads(out.decode().splitlines()[-1])["error"], "the error says what it was", out)
    t.ok(9 < took < 20, f"it took {took:.1f} s, the loop did not wait for the resolver's 25 s")
