"""servers.py - what scripts/bench starts and measures: a server of its own directory and ports, its process tree."""
import os, re, signal, socket, subprocess, tempfile, time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("MILLRACE_BUILD", os.path.join(TOP, "build"))
TICK = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, cond, limit=20.0):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        value = cond()
        if value:
            return value
        time.sleep(0.02)
    raise SystemExit(f"bench: {what} did not happen within {limit:.0f} s")


def port_open(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def stat_fields(pid):
    with open(f"/proc/{pid}/stat") as f:
        return f.read().rsplit(")", 1)[1].split()


def tree(root):
    children = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            children.setdefault(int(stat_fields(pid)[1]), []).append(int(pid))
        except OSError:
            pass
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += children.get(pid, [])
    return found


def cpu_seconds(root):
    """utime + stime of all living, plus of all whom they have waited for."""
    ticks = 0
    for pid in tree(root):
        try:
            ticks += sum(int(x) for x in stat_fields(pid)[11:15])
        except OSError:
            pass
    return ticks / TICK


def name_of(pid):
    with open(f"/proc/{pid}/comm") as f:
        return f.read().strip()


def pss_by_name(root):
    sums = {}
    for pid in tree(root):
        try:
            with open(f"/proc/{pid}/smaps_rollup") as f:
                kb = int(re.search(r"^Pss:\s+(\d+)", f.read(), re.M).group(1))
            sums[name_of(pid)] = sums.get(name_of(pid), 0) + kb
        except OSError:
            pass
    return sums


class Server:
    """One peer: start() leaves self.proc running and its ports open."""
    label = ""

    def __init__(self, top, segment):
        self.dir = tempfile.mkdtemp(prefix=f"{type(self).__name__.lower()}-", dir=top)
        self.segment, self.rtmp, self.http = segment, free_port(), free_port()

    def url(self, name):
        return f"rtmp://127.0.0.1:{self.rtmp}/live/{name}"

    def launch(self, argv):
        self.log = open(os.path.join(self.dir, "stderr"), "wb")
        self.proc = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        wait_for(f"{self.label}: start", lambda: port_open(self.rtmp))

    def stop(self):
        self.proc.send_signal(signal.SIGTERM)
        self.proc.wait(30)
        self.log.close()


class Millrace(Server):
    label = "Millrace"

    def start(self):
        conf = os.path.join(self.dir, "millrace.yaml")
        with open(conf, "w") as f:
            f.write(f"""run_dir: {self.dir}/run
data_dir: {self.dir}/data
redis: {{ url: embedded }}
rtmp: {{ listen: "127.0.0.1:{self.rtmp}" }}
http: {{ listen: "127.0.0.1:{self.http}" }}
webrtc: {{ listen: "127.0.0.1:0" }}
streams: {{ hls: {{ segment: {self.segment}s, window: 6 }} }}
log: {{ level: warn }}
""")
        self.launch([os.path.join(BUILD, "millraced"), "-c", conf])

    def playlist(self, name):
        return f"{self.dir}/data/hls/{name}/live.m3u8"
