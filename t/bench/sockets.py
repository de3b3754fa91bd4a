"""sockets.py - the parts of scripts/bench that come by WebSocket: frames in JSON and live rooms, beside a plain Node server."""
import base64, contextlib, json, os, re, selectors, statistics, struct, subprocess, sys, threading, time

import clips
from servers import *
from ws import CLOSE, PING, PONG, TEXT, WebSocket, frame
from ws_publisher import WsPublisher

TOOLS = ["ffmpeg", "ffprobe", "node"]
FPS, RATE, SIZE = 15, 44100, "320x240"
SPREAD = 5.0            # seconds from the first session's start (and end) to the last one's
SETTLE = 6.0            # the starts of the rooms' ffmpegs are not in the figure, as with RTMP
PEER = os.path.join(TOP, "t/bench/node-peer.js")
NODE_MODULES = "/usr/share/nodejs"


class Mill(Millrace):
    def start(self):
        super().start()
        wait_for("Millrace: its HTTP port", lambda: port_open(self.http))

    def file(self, kind, name):
        return f"{self.dir}/data/media/{kind}/{name}"


class Node(Server):
    """frames, rooms: as node-peer.js has them."""

    def __init__(self, top, segment, frames="pipe", rooms="same"):
        super().__init__(top, segment)
        self.frames, self.rooms, self.rtmp = frames, rooms, self.http

    def start(self):
        if not os.path.isdir(f"{NODE_MODULES}/ws"):
            raise SystemExit("bench: node-ws is missing: run scripts/deps bench")
        os.environ["NODE_PATH"] = NODE_MODULES
        self.launch(["node", PEER, str(self.http), self.dir, self.frames, self.rooms])

    def playlist(self, name):
        return f"{self.dir}/{name}.m3u8"

    def file(self, kind, name):
        return f"{self.dir}/{name}"


@contextlib.contextmanager
def running(top, label, kind, args):
    server = kind(top, 2, *args)
    server.label = label
    server.start()
    try:
        yield server
    finally:
        server.stop()


class Memory(threading.Thread):
    """PSS of a process tree, a look a second; `looks` is [(time, KiB)]."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.looks, self.ending = pid, [], threading.Event()

    def run(self):
        while not self.ending.wait(1):
            self.looks.append((time.monotonic(), sum(pss_by_name(self.pid).values())))

    def between(self, start, end):
        return [kb for at, kb in self.looks if start <= at <= end]

    def stop(self):
        self.ending.set()
        self.join()


def messages(seconds):
    """For each tick of a session what is sent, masked already: the generator shall cost little."""
    jpegs = subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"testsrc2=s={SIZE}:r={FPS}", "-t", str(seconds), "-pix_fmt",
        "yuvj420p", "-q:v", "5", "-f", "image2pipe", "-c:v", "mjpeg", "-"], stdout=subprocess.PIPE, check=True).stdout
    jpegs = [j + b"\xff\xd9" for j in jpegs.split(b"\xff\xd9")[:-1]]
    pcm = struct.pack(f"<{RATE // FPS}h", *((i * 331) % 9000 - 4500 for i in range(RATE // FPS)))

    def masked(**message):
        return frame(TEXT, json.dumps(message).encode(), key=b"\x5a\xa5\x3c\xc3")

    def media(kind, data):
        return masked(eventType="STREAM", mediaSourceType=kind, encodedMediaChunk=base64.b64encode(data).decode())
    sound = media("AUDIO", pcm)
    print(f"JPEGs of {statistics.mean(map(len, jpegs)) / 1000:.1f} kB\n")
    return [media("VIDEO", j) + sound for j in jpegs], masked(eventType="CLOSE"), len(pcm)


class Session:
    def __init__(self, server, n, start):
        self.ws = WebSocket(server.http, "/", timeout=60)
        self.ws.text({"eventType": "CONNECT", "id": f"bench{n}"})
        self.start, self.sent, self.closing, self.closed, self.answer = start, 0, None, None, None

    def due(self):
        return self.start + self.sent / FPS

    def step(self, ticks, close):
        if self.sent == len(ticks):
            self.closing = time.monotonic()
            self.ws.raw(close)
        else:
            self.ws.raw(ticks[self.sent])
            self.sent += 1

    def hear(self):
        """Everything that has come; true at the answer to CLOSE."""
        while self.ws.readable():
            opcode, body = self.ws.read_frame()
            if opcode == PING:
                self.ws.send(body, PONG)
            elif opcode == CLOSE:
                raise SystemExit(f"bench: a session was closed: {body!r}")
            elif opcode == TEXT and json.loads(body)["eventType"] == "CLOSED":
                self.closed, self.answer = time.monotonic(), json.loads(body)
                return True
        return False


def run_sessions(server, count, ticks, close):
    t0 = time.monotonic() + 0.5
    sessions = [Session(server, n, t0 + n * SPREAD / count) for n in range(count)]
    sel = selectors.DefaultSelector()
    for s in sessions:
        sel.register(s.ws.sock, selectors.EVENT_READ, s)
    while sel.get_map():
        sending = [s for s in sessions if s.closing is None]
        wait = min((s.due() for s in sending), default=time.monotonic() + 1) - time.monotonic()
        for key, _ in sel.select(max(wait, 0)):
            if key.data.hear():
                sel.unregister(key.fileobj)
        now = time.monotonic()
        for s in sending:
            if s.due() <= now:
                s.step(ticks, close)
    sel.close()
    return sessions


def check_files(server, sessions, frames, pcm):
    for s in sessions:
        s.ws.abort()
        wav = os.path.getsize(server.file("audio", s.answer["audio"]))
        found = subprocess.run(["ffprobe", "-v", "error", "-count_packets", "-select_streams", "v:0", "-show_entries",
            "stream=nb_read_packets", "-of", "csv=p=0", server.file("video", s.answer["video"])], stdout=subprocess.PIPE, text=True)
        if wav != 44 + frames * pcm or int(found.stdout or 0) != frames:
            raise SystemExit(f"bench: {server.label}: {found.stdout.strip()} of {frames} frames, a WAV of {wav} bytes: {s.answer}")


def bench_frames(top, count, seconds):
    print(f"### Frames and PCM in JSON: {count} sessions of {seconds} s, {SIZE}, {FPS} fps; all from CONNECT to the named files\n")
    ticks, close, pcm = messages(seconds)
    print("| server | CPU-s per session-minute | memory (PSS) per session, MB | peak, all, MB | CLOSE to files named, median s | greatest |\n"
        "|---|---|---|---|---|---|")
    for label, kind, args in (("Node, ws; JPEGs to files, ffmpeg at CLOSE", Node, ["files"]), ("Node, ws; an ffmpeg each", Node, ["pipe"]),
            ("Millrace", Mill, [])):
        with running(top, label, kind, args) as server:
            memory, before = Memory(server.proc.pid), cpu_seconds(server.proc.pid)
            memory.start()
            sessions = run_sessions(server, count, ticks, close)
            time.sleep(0.5)         # who is through is waited for
            used = cpu_seconds(server.proc.pid) - before
            memory.stop()
            check_files(server, sessions, len(ticks), pcm)
            live = memory.between(max(s.start for s in sessions) + 1, min(s.closing for s in sessions))
            waits = [s.closed - s.closing for s in sessions]
            print(f"| {label} | {used * 60 / seconds / count:.3f} | {statistics.mean(live or [kb for _, kb in memory.looks]) / 1024 / count:.1f} | "
                f"{max(kb for _, kb in memory.looks) / 1024:.0f} | {statistics.median(waits):.2f} | {max(waits):.2f} |", flush=True)
    print()


def listed(path):
    try:
        with open(path) as f:
            return re.findall(r"#EXTINF:([\d.]+).*\n(?:#.*\n)*(\S+)", f.read())
    except OSError:
        return []


def first_playlists(server, pubs, limit=60):
    """Seconds from each first chunk to its playlist; they start one after the other."""
    started, found = {}, {}
    t0 = time.monotonic()
    while len(found) < len(pubs):
        for n, (name, p) in enumerate(pubs.items()):
            if name not in started and time.monotonic() >= t0 + n * SPREAD / len(pubs):
                started[name] = time.monotonic()
                p.start()
            if name in started and name not in found and listed(server.playlist(name)):
                found[name] = time.monotonic() - started[name]
        if time.monotonic() > t0 + limit or any(p.error for p in pubs.values()):
            raise SystemExit(f"bench: {server.label}: no playlist of {set(pubs) - set(found)}: {[p.error for p in pubs.values()]}")
        time.sleep(0.01)
    return list(found.values())


def kbits(path):
    """Of what the playlist lists now."""
    sizes = [(float(d), os.path.getsize(os.path.join(os.path.dirname(path), f))) for d, f in listed(path)[1:]]
    return sum(n for _, n in sizes) * 8 / 1000 / max(sum(d for d, _ in sizes), 0.001)


def bench_rooms(top, count, seconds):
    clip = int(seconds + SPREAD + SETTLE + 60)
    webm = clips.container("vp8", clip, SIZE)
    print(f"### Rooms: {count} live WebM publishers ({SIZE}, 25 fps, VP8 and Opus, chunks of 250 ms) to HLS of H.264 and AAC, 2 s segments\n")
    print("| server | CPU-s per session-minute | memory (PSS) per session, MB | of it ffmpeg | first chunk to playlist, median s | greatest | "
        "kbit/s |\n|---|---|---|---|---|---|---|")
    for label, kind, args in (("Node, ws, ffmpeg ultrafast", Node, ["pipe", "fast"]),
            ("Node, ws, ffmpeg, Millrace's x264 settings", Node, ["pipe", "same"]), ("Millrace", Mill, [])):
        with running(top, label, kind, args) as server:
            pubs = {f"r{n}": WsPublisher(server.http, f"r{n}", webm, clip) for n in range(count)}
            firsts = first_playlists(server, pubs)
            time.sleep(SETTLE)
            before, t0 = cpu_seconds(server.proc.pid), time.monotonic()
            time.sleep(seconds)
            used, took = cpu_seconds(server.proc.pid) - before, time.monotonic() - t0
            pss, rate = pss_by_name(server.proc.pid), kbits(server.playlist("r0"))
            for p in pubs.values():
                if not p.is_alive():
                    print(f"bench: {label}: a publisher ended early: {p.error}", file=sys.stderr)
                p.finish()
        print(f"| {label} | {used * 60 / took / count:.3f} | {sum(pss.values()) / 1024 / count:.1f} | {pss.get('ffmpeg', 0) / 1024 / count:.1f} | "
            f"{statistics.median(firsts):.2f} | {max(firsts):.2f} | {rate:.0f} |", flush=True)
    print()
