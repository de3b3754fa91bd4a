#!/usr/bin/python3
"""141-init-script: the verbs of the init script, with an installed server that has its folders for itself."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

if not (os.path.exists("/lib/lsb/init-functions") and shutil.which("start-stop-daemon")):
    Test(__doc__).skip_all("no init-functions here")


def install(t):
    """Into the test's own folder, as if that were /; the path of the script."""
    variant = {"san": ["SAN=1"], "cov": ["COV=1"]}.get(os.path.basename(BUILD), [])
    subprocess.run(["make", "-C", TOP, "-s", "install", "DESTDIR=", f"PREFIX={t.dir}/usr", f"SYSCONFDIR={t.dir}/etc", *variant],
        stdout=subprocess.DEVNULL, check=True)
    return f"{t.dir}/etc/init.d/millrace"


with Test(__doc__) as t:
    script = install(t)
    m = t.server(start=False)
    m.conf_path, m.log_path = f"{t.dir}/etc/millrace/millrace.yaml", f"{t.dir}/log/millraced.log"
    m.configure({"rtmp.listen": "${MILLRACE_RTMP:-:1}"})
    # It is read after the script's own variables, so the log may lie elsewhere, too.
    with open(f"{t.dir}/etc/default/millrace", "w") as f:
        f.write(f"MILLRACE_RTMP=127.0.0.1:{m.rtmp}\nLOG={m.log_path}\n")
    pid_file = f"{m.conf['run_dir']}/millrace.pid"

    def verb(*args):
        r = subprocess.run(["/bin/sh", script, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=60 * SLOW)
        t.diag(f"{' '.join(args)}: {r.returncode}, {r.stdout.strip()}")
        return r.returncode

    def pid():
        with open(pid_file) as f:
            return int(f.read())

    def broken(is_):
        m.configure({"streams.max": "many" if is_ else 10})

    try:
        if os.geteuid() == 0 and subprocess.run(["id", "millrace"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
            user = m.conf.get("user", "root")
            m.configure({"user": ""})
            t.is_((verb("start"), os.path.exists(m.data)), (6, False), "without the account nothing is started as root")
            m.configure({"user": user})
        t.is_([verb("status"), verb("reload"), verb("stop")], [3, 7, 0], "stopped: status 3, reload 7, and stop is content")
        broken(True)
        t.is_((verb("start"), verb("status")), (6, 3), "start with errors in the config: 6, and nothing runs")
        broken(False)
        t.is_((verb("start"), verb("status")), (0, 0), "start, then status is 0")
        first = pid()
        t.ok("millraced" in os.readlink(f"/proc/{first}/exe") and m.try_get("/healthz")[0] == 200, "it answers, with the port of /etc/default")
        t.publish(m, "alice").join_live()
        t.is_((verb("start"), pid()), (0, first), "a second start leaves it alone")
        t.ok("ready" in m.log(), "the log is where /etc/default says")
        m.configure({"http.api_token": "0123456789abcdef"})
        t.is_((verb("reload"), pid()), (0, first), "reload, in the same process")
        wait_for("it counts", lambda: m.get("/api/v1/streams/nobody/kick", method="POST")[0] == 401)
        t.ok(m.wait_playlist("alice", 2) and t.publishers[0].error is None, "it counts, and the stream goes on")
        broken(True)
        t.ok(verb("reload") != 0, "reload of errors fails")
        t.is_((verb("restart"), verb("status"), pid()), (6, 0, first), "restart with errors is refused; the old one runs on")
        broken(False)
        t.is_((verb("restart"), verb("status")), (0, 0), "restart")
        second = pid()
        t.ok(second != first and not os.path.exists(f"/proc/{first}/exe"), "it is another process")
        t.is_((verb("try-restart"), pid() not in (first, second)), (0, True), "try-restart, too")
        t.is_((verb("stop"), verb("status")), (0, 3), "stop, then status is 3")
        t.is_((verb("try-restart"), verb("status")), (0, 3), "try-restart starts nothing")
        t.is_(verb("dance"), 3, "another verb is a wrong one")
    finally:
        verb("stop")
