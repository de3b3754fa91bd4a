#!/usr/bin/python3
"""114-limits: limits.connections and per_address: the one too many is refused and said, the others publish on; PROXY heads."""
import os, struct, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

from rtmp import Refused

PROXY2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack(">H", 12)


def by_proxy(name, host, v2=False):
    head = f"PROXY TCP4 {host} 127.0.0.1 4711 1935\r\n".encode()
    if v2:
        head = PROXY2 + socket.inet_aton(host) + socket.inet_aton("127.0.0.1") + struct.pack(">HH", 4711, 1935)
    return t.publish(m, name, port=proxied, head=head)


def closed(name, limit, **kw):
    """It is told nothing: its connection is closed before a byte of it is read."""
    p = t.publish(m, name, **kw)
    t.ok(p.finished.wait(10 * SLOW) and isinstance(p.error, ConnectionError), f"limits.{limit}: the one too many is closed", str(p.error))
    m.wait_log(rf"refused, the last of 127\.0\.0\.1: limits\.{limit} is reached")
    seen = lambda: (r := m.status()["last_refused"])["text"] == f"limits.{limit} is reached" and r
    t.is_(wait_for("status", seen, 5, 0.2)["reason"], "limit", "log and status say so")


def change(**conf):
    m.configure({f"limits.{key}": value for key, value in conf.items()})
    t.is_(m.cli("reload").returncode, 0, f"reload: {conf}")


with Test(__doc__) as t:
    m, proxied = t.server(start=False, **{"limits.per_address": 2}), free_port()
    m.configure({"rtmp.listen": [f"127.0.0.1:{m.rtmp}", {"address": f"127.0.0.1:{proxied}", "proxy_protocol": True}]})
    m.start()
    live = [by_proxy("a", "203.0.113.7"), by_proxy("b", "203.0.113.7", v2=True), by_proxy("c", "203.0.113.8")]
    t.ok(all(p.join_live() for p in live), "three come through one proxy, of two addresses")
    t.is_([m.wait_stream(n)["peer"] for n in "abc"], ["203.0.113.7:4711"] * 2 + ["203.0.113.8:4711"], "status has the real ones")
    p = by_proxy("d", "203.0.113.7")
    p.finished.wait(10 * SLOW)
    t.ok(isinstance(p.error, Refused), "the third of one address is refused by RTMP")
    t.like(str(p.error), r"NetStream\.Publish\.Denied.*limits\.per_address is reached", "and told why")
    t.like(m.log(), r"refused 203\.0\.113\.7:4711 as stream d: limits\.per_address is reached", "the log has its real address")
    last = wait_for("status", lambda: m.status().get("last_refused"), 5, 0.2)
    t.is_((last["reason"], last["peer"], last["name"]), ("limit", "203.0.113.7:4711", "d"), "so has status")
    live.pop(0).end()
    wait_for("both are gone", lambda: len(m.pids("ingest")) == 2)
    live.append(by_proxy("e", "203.0.113.7"))
    t.ok(live[-1].join_live(), "one has left: the next is let in")
    with socket.create_connection(("127.0.0.1", proxied), 5) as c:
        c.sendall(b"\x03" + bytes(1536))
        m.wait_log(r"closing 127\.0\.0\.1:\d+: it sent no PROXY head")
    wait_for("it is gone", lambda: len(m.pids("ingest")) == 3)
    change(connections=3)
    closed("f", "connections")
    change(connections=100)
    live += [t.publish(m, n) for n in "gh"]
    t.ok(all(p.join_live() for p in live), "two without a proxy: those behind one are not counted with them")
    closed("i", "per_address")
    at = {p.name_: m.wait_playlist(p.name_, 1).count("#EXTINF") for p in live}
    for name, n in at.items():
        m.wait_playlist(name, n + 1)
    t.none([f"{p.name_}: {p.error}" for p in live if p.error or p.finished.is_set()], "all others publish on")
    t.is_(m.status()["refused_by_reason"]["limit"], 3, "three were refused")
    for pid, (_, _, comm) in descendants(m.proc.pid).items():
        if SLOW == 1 and comm.startswith("millrace-") and not comm.startswith(("millrace-ingest", "millrace-spare", "millrace-exec")):
            with open(f"/proc/{pid}/limits") as f:
                # a WebRTC worker: and webrtc.ring for each of streams.max
                want = (2 << 30) + (256 * (16 << 20) if comm.startswith("millrace-webrtc") else 0)
                t.like(f.read(), rf"Max data size +{want} +{want} ", f"limits.worker_memory: {comm}")
    # One who asks while a worker does not answer is the one question there may be; the others are told so.
    change(calls=1)
    once = lambda pattern: len(re.findall(pattern, m.log()))
    jobs = m.pids("jobs")
    for pid in jobs:
        os.kill(pid, signal.SIGSTOP)
    asking = [subprocess.Popen([f"{BUILD}/millrace", "-c", m.conf_path, "jobs"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True) for _ in range(3)]
    told = wait_for("two are told", lambda: (d := [a for a in asking if a.poll() is not None])[1:] and d, 10, 0.05)
    t.is_(["limits.calls" in a.stderr.read() for a in told], [True] * len(told), "limits.calls: those too many are told so")
    t.is_(once(r"questions are under way, limits\.calls"), 1, "the log has it once")
    for pid in jobs:
        os.kill(pid, signal.SIGCONT)
    for a in asking:
        a.wait(20 * SLOW)
        a.stderr.close()
    t.is_(m.cli("jobs").returncode, 0, "then it is answered again")
    change(control=2)
    hold = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(2)]
    for s in hold:
        s.connect(f"{m.conf['run_dir']}/control.sock")
    for _ in range(2):
        t.like(m.cli("jobs").stderr, r"limits\.control of them at once", "limits.control: one too many is told so")
    t.is_(once(r"control\.sock has 2 clients, limits\.control"), 1, "the log has it once")
    for s in hold:
        s.close()
    t.ok(wait_for("room again", lambda: m.cli("jobs").returncode == 0, 10, 0.1), "and when they are gone it is let in")
