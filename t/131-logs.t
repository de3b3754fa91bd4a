#!/usr/bin/python3
"""131-logs: a line per event as logfmt or JSON; obituaries; no key in any of them; -d writes a log and a pid."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

with Test(__doc__) as t:
    m = t.server(start=False, **{"log.format": "json"})
    m.configure({"authorize.keys": {"alice": m.cli("hash-key", "verysecretkey").stdout.strip()}})
    m.start()
    wrong = t.publish(m, "alice", key="?key=notthesecret")
    wrong.finished.wait(10)
    lost = t.publish(m, "abc", app="no/such/app?key=alsosecret")
    lost.finished.wait(10)
    m.wait_log(r"refused \S+: .*no/such/app name .*abc")
    t.ok("alsosecret" not in m.log(), "a key in a URL that no pattern matches is not logged")
    for name, app in (("abc&key=third_secret", "live"), ("abc%3Fkey=third_secret", "live"), ("abc key=third_secret", "live"), ("", "live/abc&key=third_secret")):
        t.publish(m, name, app=app).finished.wait(10)
    text = wait_for("all are refused", lambda: (lambda l: l if len(re.findall(r"refused \S+: write \?key=\.\.\. behind the name", l)) == 4 else None)(m.log()))
    t.ok("third_secret" not in text + m.cli("status").stdout, "nor one that is not behind a '?'")
    p = t.publish(m, "alice", key="?key=verysecretkey")
    p.join_live()
    m.wait_playlist("alice", 2)
    os.kill(m.pids("ffmpeg")[0], signal.SIGKILL)
    m.wait_log(r"SIGKILL")
    wait_for("another ffmpeg", lambda: m.pids("ffmpeg"), 5)
    lines = []
    for line in m.log().splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            lines.append(None)
    t.is_([i for i, l in enumerate(lines) if l is None], [], "every line is JSON")
    t.is_([l for l in lines if not {"time", "level", "proc", "pid", "msg"} <= l.keys()], [], "with time, level, process and message")
    t.ok(any(l.get("stream") == "alice" and l.get("peer") for l in lines), "stream and peer where they belong")
    death = [l["msg"] for l in lines if "SIGKILL" in l["msg"]]
    death = [l["msg"] for l in lines if "SIGKILL" in l["msg"]]
    t.like(" ".join(death), r"ffmpeg.*alice.*again in|ffmpeg.*alice.*retry", "an obituary: who, of what, what happens next")
    text = m.log() + json.dumps(m.status()) + m.get("/metrics")[2].decode() + m.get("/api/v1/streams")[2].decode()
    t.is_([k for k in ("verysecretkey", "notthesecret") if k in text], [], "no key in log, status, metrics or API")
    m.stop()
    m.configure({"log.format": "logfmt"})
    r = subprocess.run(m.argv("-d"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20 * SLOW)
    t.is_(r.returncode, 0, "-d returns when the server is up")
    t.is_(m.get("/healthz")[0], 200, "and it is up")
    with open(f"{m.conf['run_dir']}/millrace.pid") as f:
        pid = int(f.read())
    with open(f"/proc/{pid}/cmdline") as f:
        t.like(f.read(), r"millraced", "the pid file is true")
    with open(f"{m.data}/millraced.log") as f:
        bad = [l for l in f.read().splitlines() if not re.match(r"time=\S+Z level=\w+ proc=\S+ pid=\d+ .*msg=", l)]
    t.none(bad, "its log is in data_dir, each line logfmt")
    t.is_(m.cli("stop").returncode, 0, "millrace stop ends it")
    where = f"{m.dir}/l/other.log"
    os.mkdir(f"{m.dir}/l")
    r = subprocess.run(m.argv("-d", "-l", where), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20 * SLOW)
    t.is_((r.returncode, r.stdout), (0, ""), "-d -l FILE")
    t.is_(m.cli("stop").returncode, 0, "and its stop")
    with open(where) as f:
        t.like(f.read(), r"stopped after", "the log is there")
    other = t.server(start=False)
    os.makedirs(other.data)
    with open(f"{other.data}/spool", "w"):
        pass
    r = subprocess.run(other.argv("-d", "-l", where), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20 * SLOW)
    t.is_(r.returncode, 1, "-d of what cannot start")
    t.like(r.stdout, rf"ended while starting: see its log, {where}", "names the log")
    if os.geteuid() == 0:
        # The folder is the account's: what lies there must not be opened with root's rights.
        os.chmod(m.dir, 0o755)
        shutil.chown(f"{m.dir}/l", "nobody")
        secret = f"{m.dir}/secret"
        with open(secret, "w") as f:
            os.chmod(secret, 0o600)
        os.symlink(secret, f"{m.dir}/l/link")
        other = t.server(start=False, user="nobody")
        os.chmod(other.dir, 0o755)
        r = subprocess.run(other.argv("-d", "-l", f"{m.dir}/l/link"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20 * SLOW)
        t.is_(r.returncode, 1, "a link of the account's to a file of root's is refused")
        t.like(r.stdout, r"cannot log to", "with a reason")
        t.is_((os.path.getsize(secret), os.stat(secret).st_uid), (0, 0), "and the file is as it was")
