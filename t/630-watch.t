#!/usr/bin/python3
"""630-watch: files dropped into watched folders: each content queued once, when it is complete and not before."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import hashlib, threading
from millrace import *

QUIET = 0.6


class Watched:
    """A server that watches two folders, and what it told Redis."""

    def __init__(self, t, **conf):
        self.t, self.top = t, tempfile.mkdtemp(prefix="w", dir=t.dir)
        self.port = None    # of a Redis that is not its own
        self.dir, self.flat = f"{self.top}/in", f"{self.top}/flat"
        os.mkdir(self.dir)
        os.mkdir(self.flat)
        # One job worker that uploads nothing: what is queued stays in view.
        self.m = t.server(start=False, **{"watch_quiet": f"{int(QUIET * 1000)}ms", "watch_rescan": "2s", "jobs.workers": 1,
            "watch": [{"dir": self.dir, "extensions": "mp4,mkv", "recursive": True, "to": "s3://media/in/"},
                      {"dir": self.flat, "to": "s3:flat", "layout": "chunks"}], **conf})

    def redis(self, *args):
        where = ["-p", str(self.port)] if self.port else ["-s", f"{self.m.dir}/run/redis.sock"]
        return subprocess.run(["redis-cli", *where, *args], stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True).stdout

    def uploads(self):
        """args of every upload job, whatever its state."""
        script = """local found = {}
            for _, k in ipairs(redis.call('KEYS', 'millrace:job:*')) do
                if redis.call('HGET', k, 'kind') == 'upload' then found[#found + 1] = redis.call('HGET', k, 'args') end
            end
            return found"""
        return [json.loads(line) for line in self.redis("eval", script, "0").splitlines() if line.startswith("{")]

    def of(self, data):
        """Jobs of this content."""
        sha = hashlib.sha256(data).hexdigest()
        return [a for a in self.uploads() if a["sha256"] == sha]

    def wait(self, data, what, limit=12):
        return wait_for(f"{what}: a job", lambda: self.of(data), limit, 0.1)[0]

    def ledger(self, path):
        for line in self.redis("hvals", "millrace:files").splitlines():
            entry = json.loads(line)
            if entry["path"] == path:
                return entry
        return None

    def verified(self, data):
        """What the upload job does at its end."""
        args = self.of(data)[0]
        fid = next(f for f, e in self.entries() if e["path"] == args["path"])
        self.redis("set", f"millrace:hash:{args['sha256']}", fid)
        entry = dict(self.ledger(args["path"]), state="verified")
        self.redis("hset", "millrace:files", fid, json.dumps(entry))

    def entries(self):
        lines = self.redis("hgetall", "millrace:files").splitlines()
        return [(k, json.loads(v)) for k, v in zip(lines[::2], lines[1::2])]


def content(size=3000):
    return os.urandom(size)


def put(path, data):
    with open(path, "wb") as f:
        f.write(data)


def drops(t, w):
    """Ways in which a file comes: name below the folder -> content that must be queued once."""
    want, outside = {}, f"{w.top}/outside"
    os.mkdir(outside)

    def new(name, size=3000):
        want[name] = content(size)
        return want[name]

    put(f"{outside}/moved.mp4", new("moved.mp4"))
    os.rename(f"{outside}/moved.mp4", f"{w.dir}/moved.mp4")
    put(f"{outside}/copied", new("copied.mkv", 3 << 20))
    shutil.copy(f"{outside}/copied", f"{w.dir}/copied.mkv")
    put(f"{w.dir}/download.mp4.part", new("download.mp4"))
    os.rename(f"{w.dir}/download.mp4.part", f"{w.dir}/download.mp4")
    put(f"{w.dir}/UPPER.MP4", new("UPPER.MP4"))
    put(f"{w.dir}/Füße 日本 ☺.mp4", new("Füße 日本 ☺.mp4"))
    put(f"{w.dir}/with space \"q\".mp4", new("with space \"q\".mp4"))
    put(f"{w.dir}/empty.mp4", b"")
    want["empty.mp4"] = b""
    put(f"{outside}/link.mp4", new("hard.mp4"))
    os.link(f"{outside}/link.mp4", f"{w.dir}/hard.mp4")
    os.makedirs(f"{outside}/tree/deep/er")
    put(f"{outside}/tree/same.mp4", new("tree/same.mp4"))
    put(f"{outside}/tree/deep/er/same.mp4", new("tree/deep/er/same.mp4"))
    os.rename(f"{outside}/tree", f"{w.dir}/tree")
    os.makedirs(f"{w.dir}/a/b/c")
    put(f"{w.dir}/a/b/c/new.mp4", new("a/b/c/new.mp4"))
    put(f"{w.dir}/over.mp4", content())
    put(f"{outside}/over.mp4", new("over.mp4"))
    os.rename(f"{outside}/over.mp4", f"{w.dir}/over.mp4")
    return want, outside


def not_wanted(w, outside):
    """What must not be queued; their contents."""
    bad = [content() for _ in range(8)]
    put(f"{w.dir}/notes.txt", bad[0])
    put(f"{w.dir}/.hidden.mp4", bad[1])
    put(f"{w.dir}/never.mp4.part", bad[2])
    put(f"{w.dir}/never.tmp", bad[3])
    put(f"{outside}/secret.mp4", bad[4])
    os.symlink(f"{outside}/secret.mp4", f"{w.dir}/link.mp4")
    os.mkdir(f"{outside}/secrets")
    put(f"{outside}/secrets/s.mp4", bad[5])
    os.symlink(f"{outside}/secrets", f"{w.dir}/linked")
    os.mkdir(f"{w.flat}/sub")
    put(f"{w.flat}/sub/notrecursive.mp4", bad[6])
    put(f"{w.dir}/mp4", bad[7])
    return bad


def slow_writer(path, data, pause, times, opened_anew=False):
    step = len(data) // times + 1
    f = open(path, "wb")
    for i in range(0, len(data), step):
        f.write(data[i:i + step])
        f.flush()
        if opened_anew:
            f.close()
            f = open(path, "ab")
        time.sleep(pause)
    f.close()


def ways(t, w):
    want, outside = drops(t, w)
    bad = not_wanted(w, outside)
    for name, data in want.items():
        try:
            job = w.wait(data, name)
            t.ok(job["object"] == f"in/{name}" and job["path"] == f"{w.dir}/{name}" and job["bucket"] == "media" and
                job["size"] == len(data) and job["layout"] == "object" and job["kind"] == "watch",
                f"{name}: queued as in/{name}", job)
        except Timeout as e:
            t.ok(False, f"{name}: queued", str(e))
    time.sleep(2 * QUIET)
    counts = {n: len(w.of(d)) for n, d in want.items()}
    t.none([x for x in counts.items() if x[1] != 1], "each of them once")
    t.none([b for b in bad if w.of(b)], "no job for other extensions, hidden and unfinished names, links that lead out")
    entry = w.ledger(f"{w.dir}/moved.mp4")
    t.ok(entry["state"] in ("queued", "uploading", "failed", "verified") and entry["kind"] == "watch" and
        entry["sha256"] == hashlib.sha256(want["moved.mp4"]).hexdigest() and
        entry["mtime_ns"] == str(os.stat(f"{w.dir}/moved.mp4").st_mtime_ns), "the ledger knows size, time and hash", entry)
    flat = content()
    put(f"{w.flat}/flat.mp4", flat)
    job = w.wait(flat, "flat.mp4")
    t.ok(job["object"] == "flat/flat.mp4" and job["layout"] == "chunks" and job["bucket"] == "", "the other folder's own way",
        job)
    return want


def writers(t, w):
    """Not before its writer is through."""
    for name, pause, anew in (("brisk.mp4", QUIET / 3, False), ("slow.mp4", QUIET * 2, False), ("anew.mp4", QUIET / 3, True)):
        data = content(9000)
        thread = threading.Thread(target=slow_writer, args=(f"{w.dir}/{name}", data, pause, 6, anew))
        thread.start()
        early = 0
        while thread.is_alive():
            seen = sum(a["path"].endswith("/" + name) for a in w.uploads())
            early += seen if thread.is_alive() else 0
            time.sleep(0.1)
        w.wait(data, name)
        jobs = [a for a in w.uploads() if a["path"].endswith("/" + name)]
        t.ok(early == 0 and len(jobs) == 1, f"{name}: a writer who pauses {pause:.1f} s: one job, after its end",
            f"{early} seen early, jobs {jobs}")


def same_again(t, w, want):
    """Touched, renamed, copied: not again. Changed: again."""
    name, path = "moved.mp4", f"{w.dir}/moved.mp4"
    before = len(w.uploads())
    data = want[name]
    shutil.copy(path, f"{w.dir}/twin.mp4")
    w.m.wait_log(r"the same content is on its way .*twin\.mp4")
    t.ok(len(w.of(data)) == 1, "a copy of what is queued waits for it")
    w.verified(data)
    w.m.wait_log(r"already processed and hash unchanged, skipping: sha256=\w+ file=\S+twin\.mp4", 15)
    t.ok(True, "a copy of what was done is skipped, with file and hash in the log")
    os.utime(path)
    w.m.wait_log(r"already processed and hash unchanged, skipping: sha256=\w+ file=\S+moved\.mp4")
    t.ok(True, "touched: skipped")
    wait_for("new time in the ledger",
        lambda: w.ledger(path)["mtime_ns"] == str(os.stat(path).st_mtime_ns))
    os.rename(path, f"{w.dir}/renamed.mp4")
    w.m.wait_log(r"skipping: sha256=\w+ file=\S+renamed\.mp4")
    t.is_(w.ledger(f"{w.dir}/renamed.mp4")["state"], "verified", "renamed: skipped, and the ledger says where it is")
    hashed = w.m.log().count("complete: ")
    time.sleep(2.5)
    t.is_(w.m.log().count("complete: "), hashed, "a rescan hashes nothing again")
    t.is_(len(w.of(data)), 1, "no second job")
    t.is_(len(w.uploads()), before, "no job at all meanwhile")
    changed = content()
    put(f"{w.dir}/twin.mp4", changed)
    w.wait(changed, "changed")
    t.is_([a["path"] for a in w.of(changed)], [f"{w.dir}/twin.mp4"], "changed content: queued anew")
    st = os.stat(f"{w.dir}/twin.mp4")
    other = content()
    put(f"{w.top}/outside/x", other)
    os.utime(f"{w.top}/outside/x", ns=(st.st_mtime_ns, st.st_mtime_ns))
    os.rename(f"{w.top}/outside/x", f"{w.dir}/twin.mp4")
    w.wait(other, "renamed over")
    t.ok(True, "renamed over with the same size and time: queued anew")


def many(t, w, n=200):
    files = {f"many/{i % 7}/f{i}.mp4": content(2000 + i) for i in range(n)}
    for i in range(7):
        os.makedirs(f"{w.dir}/many/{i}")
    t0 = time.monotonic()
    for name, data in files.items():
        put(f"{w.dir}/{name}", data)
    seen = lambda: {a["sha256"]: a["object"] for a in w.uploads() if "/many/" in a["path"]}
    wait_for(f"{n} jobs", lambda: len(seen()) >= n, 30, 0.2)
    took = time.monotonic() - t0
    time.sleep(QUIET)
    jobs = [a for a in w.uploads() if "/many/" in a["path"]]
    t.is_(sorted((a["object"], a["sha256"]) for a in jobs),
        sorted((f"in/{n}", hashlib.sha256(d).hexdigest()) for n, d in files.items()), f"{n} files at once: one job each")
    t.diag(f"{n} files queued in {took:.1f} s, of which {QUIET} s quiet time")


def overflow(t, w):
    """More events than the system keeps, while the process is held up."""
    limit = int(open("/proc/sys/fs/inotify/max_queued_events").read())
    if limit > 20000:
        return t.diag(f"max_queued_events is {limit}: no overflow made")
    os.mkdir(f"{w.dir}/flood")
    time.sleep(0.5)
    data, pid = content(), w.m.pids("watch")[0]
    put(f"{w.dir}/flood/0.txt", b"")
    os.kill(pid, signal.SIGSTOP)
    try:
        # renames are what makes events fastest: the supervisor waits 5 s only for who does not answer
        for i in range(limit + 10):
            os.rename(f"{w.dir}/flood/{i}.txt", f"{w.dir}/flood/{i + 1}.txt")
        put(f"{w.dir}/flood/last.mp4", data)
    finally:
        os.kill(pid, signal.SIGCONT)
    w.m.wait_log("more happened in watched folders than the system could tell")
    w.wait(data, "the last of a flood")
    t.ok(True, "events were lost: what they would have told is found")


def limits(t):
    w = Watched(t, **{"limits.watch_files": 16, "limits.watch_depth": 2})
    w.m.start()
    os.makedirs(f"{w.dir}/1/2/3")
    deep, shallow = content(), content()
    put(f"{w.dir}/1/2/3/deep.mp4", deep)
    put(f"{w.dir}/1/2/shallow.mp4", shallow)
    w.wait(shallow, "within the depth")
    for i in range(20):
        put(f"{w.dir}/l{i}.mp4", content())
    w.m.wait_log("as many as limits.watch_files lets")
    wait_for("16 jobs", lambda: len(w.uploads()) == 16, 10, 0.2)
    def known():
        s = w.m.status()["watch"]
        return s["files"] == 16 and s["folders"] == 2

    wait_for("status knows folders and files", known, 5, 0.2)
    t.like(w.m.cli("status").stdout, "watching 2 folders, 16 files known", "status says it")
    t.is_((len(w.uploads()), w.of(deep)), (16, []), "no more than limits.watch_files, none deeper than limits.watch_depth")
    for a in w.uploads()[:10]:
        os.unlink(a["path"])
    wait_for("the others", lambda: len(w.uploads()) == 21, 15, 0.2)
    t.ok(True, "room again: the others are queued")


def two_hosts(t):
    """The same content on two hosts; a Redis that takes nothing for a while."""
    port = free_port()
    t.spawn(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", t.dir])
    both = [Watched(t, **{"redis.url": f"redis://127.0.0.1:{port}", "http.workers": 1}) for _ in range(2)]
    data, later = content(), content()
    for w in both:
        w.port = port
        put(f"{w.dir}/same.mp4", data)
        w.m.start()
    w = both[0]
    wait_for("one waits for the other", lambda: sum("the same content is on its way" in b.m.log() for b in both) == 1, 15)
    t.is_(len(w.of(data)), 1, "the same content on two hosts: one job")
    w.redis("config", "set", "maxmemory", "1")
    put(f"{w.dir}/later.mp4", later)
    w.m.wait_log("Redis refuses what it is told of watched files")
    w.redis("config", "set", "maxmemory", "0")
    w.wait(later, "dropped while Redis took nothing", 15)
    t.is_(len(w.of(later)), 1, "dropped while Redis took nothing: queued when it does again")


def other_account(t):
    """Who drops files is not who serves: no lease tells that he still writes."""
    if os.geteuid() != 0 or subprocess.run(["setpriv", "--reuid", "nobody", "--clear-groups", "test", "-x",
            f"{BUILD}/libexec/millrace-watch"]).returncode != 0:
        return t.diag("no other account may run this build: not tested")
    w = Watched(t, user="nobody", watch_unclosed="1h")
    for path in (w.m.dir, w.top):
        os.chmod(path, 0o755)
    w.m.start()
    stalls, taken, linked = content(), content(), content()
    os.mkdir(f"{w.top}/outside")
    put(f"{w.top}/outside/linked", linked)
    os.link(f"{w.top}/outside/linked", f"{w.dir}/linked.mp4")
    w.wait(linked, "linked.mp4")
    t.ok(True, "another account's file that is linked in whole: not waited for")
    put(f"{w.dir}/over.mp4", taken)
    w.wait(taken, "over.mp4")
    t.ok(True, "another account's file that is closed: not waited for")
    with open(f"{w.dir}/stalls.mp4", "wb") as f, open(f"{w.dir}/over.mp4", "wb") as over, open(f"{w.dir}/empty.mp4", "wb") as empty:
        for some in (f, over):
            some.write(stalls[:1000])
            some.flush()
        for name in ("stalls", "over", "empty"):
            w.m.wait_log(rf"its writer, another account, has not closed it: .*/{name}\.mp4")
        t.is_([a["path"] for a in w.uploads() if a["sha256"] not in (hashlib.sha256(d).hexdigest() for d in (taken, linked))], [],
            "one who stalls longer than watch_quiet: not taken, new, overwritten or empty")
        f.write(stalls[1000:])
        over.write(taken[::-1])
        empty.write(linked[::-1])
    for name, data in (("stalls", stalls), ("over", stalls[:1000] + taken[::-1]), ("empty", linked[::-1])):
        w.wait(data, name)
    paths = [os.path.basename(a["path"]) for a in w.uploads()]
    t.is_([paths.count(n) for n in ("stalls.mp4", "over.mp4", "empty.mp4")], [1, 2, 1], "taken once each, when it is closed")
    w.m.configure({"watch_unclosed": "1500ms"})
    t.is_(w.m.cli("reload").returncode, 0, "reload")
    with open(f"{w.dir}/never.mp4", "wb") as f:
        f.write(stalls[::-1])
        f.flush()
        written = time.monotonic()
        w.wait(stalls[::-1], "never closed")
        t.ok(time.monotonic() - written > 1.4, "never closed: taken after watch_unclosed")
    w.m.stop()


def comes_back(t, w):
    """The process, Redis, Redis' memory, the folder."""
    m, before = w.m, len(w.uploads())
    pid = m.pids("watch")[0]
    hashed = m.log().count("complete: ")
    os.kill(pid, signal.SIGKILL)
    wait_for("another one", lambda: [p for p in m.pids("watch") if p != pid], 10)
    wait_for("looked through", lambda: m.log().count(f"{w.dir} looked through") >= 2, 15)
    time.sleep(QUIET + 1.5)
    t.is_(len(w.uploads()), before, "killed and back: nothing is queued twice")
    t.ok(m.log().count("complete: ") <= hashed + 2, "... and nothing that the ledger knows is hashed again")
    w.redis("flushall")
    wait_for("all jobs again", lambda: len(w.uploads()) >= before - 4, 30, 0.3)
    t.ok(True, "Redis emptied: what is on disk is queued again")
    os.kill(m.pids("redis")[0], signal.SIGKILL)
    late = content()
    put(f"{w.dir}/late.mp4", late)
    w.wait(late, "dropped while Redis was away", 30)
    t.is_(len(w.of(late)), 1, "dropped while Redis was away: queued once it is back")
    os.rename(w.flat, w.flat + ".away")
    m.wait_log(r"cannot look through \S+/flat", 15)
    os.mkdir(w.flat)
    back = content()
    put(f"{w.flat}/back.mp4", back)
    w.wait(back, "folder away and back", 20)
    t.ok(True, "a folder that goes and comes back is watched again")


def reload_and_poll(t, w):
    third = f"{w.top}/third"
    os.mkdir(third)
    old, new = content(), content()
    put(f"{third}/old.mp4", old)
    w.m.configure({"watch": [{"dir": third, "poll": "1s"}]})
    t.is_(w.m.cli("reload").returncode, 0, "reload")
    w.wait(old, "in another folder after a reload")
    put(f"{third}/new.mp4", new)
    w.wait(new, "polled")
    t.ok(True, "another folder after a reload, polled")
    gone = content()
    put(f"{w.dir}/nobody.mp4", gone)
    time.sleep(QUIET + 2.5)
    t.is_(w.of(gone), [], "a folder that is not watched any more is left alone")
    w.m.configure({"watch": []})
    w.m.cli("reload")
    wait_for("no watch process", lambda: not w.m.pids("watch"))
    t.ok(True, "no folder, no process")


with Test(__doc__, limit=170) as t:
    w = Watched(t)
    early = content()
    put(f"{w.dir}/early.mp4", early)
    w.m.start()
    w.wait(early, "there before the start")
    t.like(w.m.log(), r"watching \S+/in: extensions .*mp4.*mkv.*, recursive", "the log begins with the folders")
    want = ways(t, w)
    writers(t, w)
    same_again(t, w, want)
    many(t, w)
    overflow(t, w)
    comes_back(t, w)
    reload_and_poll(t, w)
    other_account(t)
    limits(t)
    two_hosts(t)
