"""millrace.py - what every integration test stands on: TAP, a private server, publishers, a player.

    with Test("a title") as t:
        m = t.server(**{"streams.hls.segment": "1s"})
        p = t.publish(m, "alice")
        t.ok(m.wait_playlist("alice"), "a playlist comes")

Tests wait for conditions (wait_for), never a fixed time. Everything a test starts is ended by
it, whatever happens; then it looks for processes left behind, zombies and sanitizer reports,
and prints the server's log if anything failed. MILLRACE_BUILD names the build to test.
"""
import ctypes, http.client, json, os, random, re, shutil, signal, socket, subprocess, sys, tempfile, time, traceback

import clips
from player import Player
from rtmp import RtmpPublisher

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("MILLRACE_BUILD", os.path.join(TOP, "build")))
SLOW = 3 if "san" in os.path.basename(BUILD) else 1     # sanitizers make starts slower, not wrong
os.environ["PATH"] += ":/usr/sbin:/sbin"     # where nginx is, and where no user's PATH leads
SANITIZER = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error:|UndefinedBehaviorSanitizer")


class Timeout(Exception):
    pass


def kill_one(pid, sig, kill=os.kill):
    """A process that status has as 0 is none just now: to the kernel 0 is all of the test's group, prove's, too."""
    if pid <= 0:
        raise ProcessLookupError(f"kill({pid}, {sig}): there is no such process just now")
    kill(pid, sig)


os.kill = kill_one


def fatal(kind, error, tb):
    """What ends a test outside of `with Test` is said in TAP, too: prove shows nothing else."""
    print("".join(f"# {line}" for part in traceback.format_exception(kind, error, tb) for line in part.splitlines(True)), flush=True)


sys.excepthook = fatal


def patience():
    """Limits are for what never comes: stretched under sanitizers, and where others keep the machine busy."""
    return SLOW * (3 if os.getloadavg()[0] > 3 * os.cpu_count() else 1)


def wait_for(what, cond, limit=10.0, step=0.02):
    """The first true value of cond(); Timeout names `what` after limit seconds (see patience())."""
    start = time.monotonic()
    while True:
        value = cond()
        if value:
            return value
        waited = time.monotonic() - start
        if waited > limit * SLOW and waited > limit * patience():
            raise Timeout(f"{what}: not within {waited:.0f} s")
        time.sleep(step)


given_ports = []


def free_port():
    """Below the kernel's own range, so that nobody's outgoing connection takes it meanwhile; never one twice, also of
    tests side by side: an abstract UNIX socket of its name is ours until this process ends."""
    while True:
        port = random.randint(20000, 32000)
        ours = socket.socket(socket.AF_UNIX)
        try:
            ours.bind(f"\0millrace-test-port-{port}")
        except OSError:
            ours.close()
            continue
        given_ports.append(ours)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


def process_table():
    """pid -> (ppid, state, comm) of everything that lives."""
    table = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as f:
                head, tail = f.read().rsplit(")", 1)
        except OSError:
            continue
        rest = tail.split()
        table[int(pid)] = (int(rest[1]), rest[0], head.split("(", 1)[1])
    return table


def descendants(root):
    table, found, todo = process_table(), {}, [root]
    children = {}
    for pid, (ppid, state, comm) in table.items():
        children.setdefault(ppid, []).append(pid)
    while todo:
        for pid in children.get(todo.pop(), []):
            found[pid] = table[pid]
            todo.append(pid)
    return found


def rss_bytes(pid):
    try:
        with open(f"/proc/{pid}/statm") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def fd_count(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def serves(pid):
    """An ingest that has a connection has a socket besides its control channel; a spare has not."""
    try:
        links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    except OSError:
        return False
    return sum(link.startswith("socket:") for link in links) > 1


class Server:
    """One millraced with directories and ports of its own."""

    def __init__(self, test, conf):
        self.test = test
        self.dir = tempfile.mkdtemp(prefix="m", dir=test.dir)
        self.rtmp, self.http = free_port(), free_port()
        self.conf_path = f"{self.dir}/millrace.yaml"
        self.log_path = f"{self.dir}/log"
        self.data = f"{self.dir}/data"
        self.proc = None
        self.conf = {
            "run_dir": f"{self.dir}/run", "data_dir": self.data, "redis": {"url": "embedded"},
            "rtmp": {"listen": f"127.0.0.1:{self.rtmp}"}, "http": {"listen": f"127.0.0.1:{self.http}", "workers": 1},
            "streams": {"hls": {"segment": "1s"}}, "log": {"level": "debug"}, "webrtc": {"listen": "127.0.0.1:0"},
        }
        if os.geteuid() == 0:
            self.conf["user"] = "root"
        self.configure(conf)

    def configure(self, conf):
        """Sets dotted keys and writes the file."""
        for key, value in conf.items():
            *path, last = key.split(".")
            node = self.conf
            for part in path:
                node = node.setdefault(part, {})
            node[last] = value
        with open(self.conf_path, "w") as f:
            for key, value in self.conf.items():
                f.write(f"{key}: {json.dumps(value)}\n")

    def argv(self, *args):
        return [f"{BUILD}/millraced", "-c", self.conf_path, *args]

    def start(self, wait=True, stderr=None):
        env = dict(os.environ, ASAN_OPTIONS="detect_leaks=1:abort_on_error=0", UBSAN_OPTIONS="print_stacktrace=1")
        log = open(self.log_path, "ab")
        self.proc = subprocess.Popen(self.argv(), stdin=subprocess.DEVNULL, stdout=log, stderr=stderr or log, env=env)
        log.close()
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self):
        def up():
            if self.proc.poll() is not None:
                raise RuntimeError(f"millraced exited {self.proc.returncode} at its start")
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", self.rtmp)) == 0
        wait_for("millraced listens", up)
        wait_for("http answers", lambda: self.try_get("/healthz")[0] == 200)
        return self

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def wait_log(self, pattern, limit=10):
        return wait_for(f"log has /{pattern}/", lambda: re.search(pattern, self.log()), limit)

    def url(self, name, app="live"):
        return f"rtmp://127.0.0.1:{self.rtmp}/{app}/{name}"

    def http_url(self, path="/"):
        return f"http://127.0.0.1:{self.http}{path}"

    def cli(self, *args, limit=20):
        return subprocess.run([f"{BUILD}/millrace", "-c", self.conf_path, *args], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=limit * SLOW)

    def status(self):
        r = self.cli("status", "--json")
        try:
            return json.loads(r.stdout)
        except ValueError:
            raise RuntimeError(f"status --json: exit {r.returncode}, {r.stdout!r}, {r.stderr!r}")

    def stream(self, name):
        return next((s for s in self.status()["streams"] if s["name"] == name), None)

    def wait_stream(self, name, cond=lambda s: True, limit=10):
        def found():
            s = self.stream(name)
            return s if s and cond(s) else None
        return wait_for(f"status has stream {name}", found, limit, 0.1)

    def pids(self, kind):
        """From the process table: kind is http, ingest (those with a connection), registry, finish, ffmpeg or redis."""
        comm = {"redis": "redis-server", "ffmpeg": "ffmpeg"}.get(kind, f"millrace-{kind}")[:15]
        return sorted(p for p, (_, state, c) in descendants(self.proc.pid).items()
                      if state != "Z" and (c == comm or c.startswith(comm + " ")) and (kind != "ingest" or serves(p)))

    def get(self, path, headers={}, method="GET"):
        c = http.client.HTTPConnection("127.0.0.1", self.http, timeout=10 * SLOW)
        try:
            c.request(method, path, headers=headers)
            r = c.getresponse()
            return r.status, {k.lower(): v for k, v in r.getheaders()}, r.read()
        finally:
            c.close()

    def try_get(self, path):
        try:
            return self.get(path)
        except (OSError, http.client.HTTPException):
            return 0, {}, b""

    def playlist(self, name):
        status, _, body = self.try_get(f"/stream/{name}/live.m3u8")
        return body.decode() if status == 200 else ""

    def wait_playlist(self, name, segments=1, limit=15):
        return wait_for(f"{segments} segments of {name}",
            lambda: (lambda p: p if p.count("#EXTINF") >= segments else "")(self.playlist(name)), limit, 0.05)

    def hls_dir(self, name):
        return f"{self.data}/hls/{name}"

    def alive(self):
        return self.proc is not None and self.proc.poll() is None

    def stop(self, limit=15):
        """SIGTERM; the exit code, and how long it took."""
        t0 = time.monotonic()
        self.proc.terminate()
        try:
            code = self.proc.wait(limit * SLOW)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()
            raise Timeout(f"millraced did not stop within {limit * SLOW} s")
        return code, time.monotonic() - t0


class Test:
    """TAP writer and owner of all that a test starts."""

    def __init__(self, title, limit=150):
        self.title, self.count, self.failed = title, 0, 0
        self.servers, self.publishers, self.players, self.procs = [], [], [], []
        self.limit = limit * SLOW
        self.dir = tempfile.mkdtemp(prefix="millrace-t-")
        os.chmod(self.dir, 0o755)
        # Orphans of a killed server become our children, so none can hide.
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)

    def __enter__(self):
        def on_alarm(*_):
            more = int(self.limit * patience() / SLOW - (time.monotonic() - self.began))
            if more <= 0:
                raise Timeout(f"the whole test took longer than {time.monotonic() - self.began:.0f} s")
            signal.alarm(more)
        self.began = time.monotonic()
        signal.signal(signal.SIGALRM, on_alarm)
        signal.alarm(self.limit)
        self.diag(self.title)
        return self

    def diag(self, text):
        for line in str(text).splitlines():
            print(f"# {line}", flush=True)

    def ok(self, cond, name, diag=""):
        self.count += 1
        if not cond:
            self.failed += 1
        print(f"{'ok' if cond else 'not ok'} {self.count} - {name}", flush=True)
        if not cond and diag:
            self.diag(diag)
        return bool(cond)

    def skip(self, name, why):
        self.count += 1
        print(f"ok {self.count} - {name} # SKIP {why}", flush=True)

    def is_(self, got, want, name):
        return self.ok(got == want, name, f"got {got!r}, want {want!r}")

    def none(self, problems, name):
        return self.ok(not problems, name, "\n".join(map(str, problems[:12])))

    def like(self, text, pattern, name):
        return self.ok(re.search(pattern, text, re.S), name, f"no /{pattern}/ in: {text[-1500:]}")

    def server(self, start=True, **conf):
        m = Server(self, conf)
        self.servers.append(m)
        return m.start() if start else m

    def publish(self, m, name, clip=None, app="live", port=None, **kw):
        """An own publisher that sends a clip's tags in real time and knows what it sent."""
        p = RtmpPublisher("127.0.0.1", port or m.rtmp, app, name, clip or clips.clip(), **kw)
        self.publishers.append(p)
        p.start()
        return p

    def ffmpeg(self, url, clip=None):
        """The real thing: ffmpeg -re -c copy."""
        return self.spawn(["ffmpeg", "-hide_banner", "-loglevel", "warning", "-nostdin", "-re", "-i",
            clip or clips.clip(), "-c", "copy", "-f", "flv", url])

    def spawn(self, argv, **kw):
        out = tempfile.TemporaryFile("w+", dir=self.dir)
        p = subprocess.Popen(argv, **dict({"stdin": subprocess.DEVNULL, "stdout": out, "stderr": out}, **kw))
        p.out = lambda: (out.seek(0), out.read())[1]
        self.procs.append(p)
        return p

    def player(self, m, name, **kw):
        p = Player("127.0.0.1", m.http, f"/stream/{name}/live.m3u8", **kw)
        self.players.append(p)
        p.start()
        return p

    def skip_all(self, why):
        if self.count == 0:
            print(f"1..0 # SKIP {why}", flush=True)
        shutil.rmtree(self.dir, ignore_errors=True)
        os._exit(0)

    def end_helpers(self):
        for p in self.players:
            p.stop()
        for p in self.publishers:
            p.cut()
        for p in self.procs:
            if p.poll() is None:
                p.kill()
            p.wait()

    def end_servers(self):
        for m in self.servers:
            if m.proc is None:
                continue
            if m.alive():
                code, _ = m.stop()
                self.is_(code, 0, "the server stops with exit code 0")
            elif m.proc.returncode not in (0, -signal.SIGKILL, 1):
                self.ok(False, f"millraced died by itself: exit status {m.proc.returncode}")
            reports = [line for line in m.log().splitlines() if SANITIZER.search(line)]
            self.none(reports, "no sanitizer report")

    def left_over(self):
        """Processes that are still below us; adopted zombies are reaped, and counted only if they stay."""
        for pid, (ppid, state, _) in descendants(os.getpid()).items():
            if state == "Z" and ppid == os.getpid():
                try:
                    os.waitpid(pid, os.WNOHANG)
                except ChildProcessError:
                    pass
        return [f"{pid} {comm} ({state})" for pid, (_, state, comm) in descendants(os.getpid()).items()]

    def check_left_over(self):
        try:
            wait_for("nothing left", lambda: not self.left_over(), 6, 0.1)
            self.ok(True, "no process is left")
        except Timeout:
            self.none(self.left_over(), "no process is left")
            for pid in descendants(os.getpid()):
                os.kill(pid, signal.SIGKILL)

    def __exit__(self, kind, error, tb):
        if error is not None:
            self.ok(False, f"ran to its end ({kind.__name__}: {error})",
                "".join(traceback.format_exception(kind, error, tb)))
        signal.alarm(60 * SLOW)
        try:
            self.end_helpers()
            self.end_servers()
            self.check_left_over()
        except Exception as e:
            self.ok(False, f"clean-up ({e})", traceback.format_exc())
            for pid in descendants(os.getpid()):
                os.kill(pid, signal.SIGKILL)
        if self.failed:
            for m in self.servers:
                if os.path.exists(m.log_path):
                    self.diag(f"--- log of {m.dir}")
                    self.diag("\n".join(m.log().splitlines()[-150:]))
        print(f"1..{self.count}", flush=True)
        shutil.rmtree(self.dir, ignore_errors=True)
        sys.stdout.flush()
        os._exit(1 if self.failed else 0)
