#!/usr/bin/python3
"""121-reload: a printed plan, live keys at once, no stream dropped; a bad file changes nothing; two in a row; loglevel."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

def told_by(t, m, name):
    """What the process of a publisher that comes and goes now logs below warnings."""
    p = t.publish(m, name)
    m.wait_playlist(name)
    p.end()
    wait_for("it is gone", lambda: len(m.pids("ingest")) == 1, 10, 0.1)
    return [l for l in m.log().splitlines() if "proc=ingest" in l and f"stream={name} " in l and re.search("level=(info|debug)", l)]


def twice_in_a_row(t):
    """Fewer workers, and as many as before, while those that go have not gone yet."""
    m = t.server(start=False, **{"http.workers": 3, "webrtc.workers": 2, "storage.s3": {"endpoint": "http://127.0.0.1:1", "bucket": "bkt",
        "access_key": "a", "secret_key": "s"}})
    os.mkdir(m.dir + "/in")
    watch = [{"dir": m.dir + "/in", "to": "s3://bkt/in/"}]
    m.configure({"watch": watch})
    m.start()
    pids = lambda: (m.pids("http"), m.pids("watch"))
    http, watcher = wait_for("all are there", lambda: (lambda p: p if (len(p[0]), len(p[1])) == (3, 1) else None)(pids()))
    ports = [os.readlink(f"/proc/{pid}/fd/6") for pid in m.pids("webrtc")]
    t.is_(len(set(ports)), 2, "each webrtc worker has its own port from the start")
    for pid in http + watcher:
        os.kill(pid, signal.SIGSTOP)
    m.configure({"http.workers": 1, "watch": []})
    t.is_(m.cli("reload").returncode, 0, "two http workers and watch are to go, but hang")
    m.configure({"http.workers": 3, "watch": watch})
    t.is_(m.cli("reload").returncode, 0, "and are wanted again")
    wait_for("health", lambda: m.status()["health"] == "1 of 3 http workers are running", 10, 0.2)
    t.ok(True, "until they have gone health says how many are left")
    for pid in http + watcher:
        os.kill(pid, signal.SIGCONT)
    fresh = lambda http_, watcher_: (len(http_), len(set(http_) & set(http)), len(watcher_), watcher_ != watcher)
    wait_for("successors", lambda: fresh(*pids()) == (3, 1, 1, True), 15, 0.1)
    t.ok(True, "their successors are there")
    wait_for("healthy", lambda: m.status()["health"] == "healthy", 10, 0.2)
    t.ok(True, "and all is well again")


with Test(__doc__) as t:
    m = t.server()
    t.publish(m, "alice").join_live()
    player = t.player(m, "alice")
    m.wait_playlist("alice", 2)
    ingest = m.pids("ingest")
    m.configure({"streams.hls.segment": "2s", "log.level": "info", "streams.reconnect_delay": "3s", "data_dir": m.data + "2"})
    plan = m.cli("reload", "--dry-run").stdout
    t.like(plan, r"streams\.hls\.segment", "the plan has what needs new streams")
    t.like(plan, r"data_dir", "and what needs a restart")
    t.like(plan, r"log\.level", "and what changes now")
    m.configure({"data_dir": m.data})
    r = m.cli("reload")
    t.is_(r.returncode, 0, "millrace reload")
    m.configure({"http.listen": f"0.0.0.0:{m.http}"})
    t.like(m.cli("reload").stdout, r"(?s)restart.*http\.listen: .*0\.0\.0\.0", "a port that moves to another address: needs a restart")
    m.configure({"http.listen": f"127.0.0.1:{m.http}"})
    taken, listen = socket.create_server(("127.0.0.1", 0)), m.conf["rtmp"]["listen"]
    port = taken.getsockname()[1]
    m.configure({"rtmp.listen": (listen if isinstance(listen, list) else [listen]) + [f"127.0.0.1:{port}"]})
    r = m.cli("reload")
    t.is_(r.returncode, 1, "a listener on a taken port: exit code 1")
    t.like(r.stdout, rf"(?s)could not be changed.*{port}: taken by .*{os.getpid()}.*free it and `millrace reload`", "says what to do")
    t.ok("changed now" not in r.stdout, "and not that it was changed")
    wait_for("a warning", lambda: any(f":{port}" in w["text"] for w in m.status()["warnings"]), 5, 0.2)
    t.ok(True, "status warns of it")
    t.is_(m.cli("reload").returncode, 1, "and so does the next reload")
    taken.close()
    r = m.cli("reload")
    t.like(r.stdout, r"changed now:\n  rtmp.listen: ", "free again: it is changed now")
    t.is_(r.returncode, 0, "exit code 0")
    socket.create_connection(("127.0.0.1", port), 5).close()
    wait_for("no warning", lambda: not any(f":{port}" in w["text"] for w in m.status()["warnings"]), 5, 0.2)
    t.ok(True, "and it takes connections, without a warning")
    with open(m.conf_path, "a") as f:
        f.write("nonsense: 1\n")
    m.proc.send_signal(signal.SIGHUP)
    m.wait_log(r"nonsense")
    r = m.cli("reload")
    t.is_(r.returncode, 1, "a bad file: exit code 1")
    t.like(r.stdout + r.stderr, r"millrace\.yaml:\d+: .*nonsense", "with its line")
    t.is_(m.pids("ingest"), ingest, "the stream's process is the same")
    seen = len(player.segments)
    wait_for("segments go on", lambda: len(player.segments) > seen + 1, 10)
    t.ok(t.publishers[0].is_alive(), "the publisher publishes on")
    t.none(player.stop().check(), "and its player saw nothing")
    m.configure({"limits.spare": 0})
    m.cli("reload")
    t.is_(m.cli("loglevel", "error").returncode, 0, "millrace loglevel")
    t.is_(m.cli("loglevel", "loud").returncode != 0, True, "an unknown level is refused")
    t.none(told_by(t, m, "bob"), "it holds for who publishes after it")
    t.is_(m.cli("reload").returncode, 0, "until a reload")
    t.ok(told_by(t, m, "carl"), "then log.level counts again")
    t.ok(player.stop().segments, "a stream went through it all")
    m.stop()
    twice_in_a_row(t)
