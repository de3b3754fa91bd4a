#!/usr/bin/python3
"""122-no-landlock: on a kernel without landlock the sandbox is half: the log and status say so, and it works."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

# As such a kernel: landlock_create_ruleset is ENOSYS, for all that follows.
WITHOUT = """
import ctypes, errno, os, sys
c = ctypes.CDLL("libseccomp.so.2")
c.seccomp_init.restype, c.seccomp_init.argtypes = ctypes.c_void_p, [ctypes.c_uint32]
c.seccomp_rule_add.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint]
c.seccomp_load.argtypes = [ctypes.c_void_p]
f = c.seccomp_init(0x7fff0000)
assert c.seccomp_rule_add(f, 0x00050000 | errno.ENOSYS, 444, 0) == 0 and c.seccomp_load(f) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""

with Test(__doc__) as t:
    notes = lambda m: [w["text"] for w in m.status()["warnings"] if "landlock" in w["text"]]
    m = t.server(start=False)
    own = m.argv
    m.argv = lambda *args: [sys.executable, "-c", WITHOUT, *own(*args)]
    m.start()
    t.is_(len(wait_for("a warning", lambda: notes(m), 5, 0.2)), 1, "status warns")
    t.like(m.log(), r"level=warn[^\n]*no landlock", "so does the log")
    t.publish(m, "alice")
    m.wait_playlist("alice", 2, 20)
    t.ok(True, "a stream is live")
    m.stop()
    if ctypes.CDLL(None).syscall(444, None, 0, 1) > 0:
        m = t.server()
        wait_for("status", lambda: m.status()["processes"], 5, 0.2)
        t.is_((notes(m), "landlock" in m.log()), ([], False), "where there is one nothing is said")
