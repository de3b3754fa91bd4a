"""viewers.py - the part of scripts/bench with viewers by WebRTC: CPU and memory of each, packets lost; beside
Janus' streaming plugin where there is one (Debian 12; with event_loops = 2, which is faster than its thread for each viewer)."""
import glob, json, os, re, shutil, subprocess, time, urllib.request

from servers import *

TOOLS = ["ffmpeg"]
RTCLOAD = os.path.join(BUILD, "t/bench/rtcload")
PUBLISH = os.path.join(BUILD, "t/bench/publish")
WORKER = "millrace-webrtc"
JANUS_PLUGINS = "/usr/lib/*/janus/plugins/*.so"


def sample(top):
    """2.6 Mbit/s without filler, which would not be sent, and sound that becomes Opus of 96 kbit/s."""
    path = os.path.join(top, "viewers.flv")
    subprocess.run(["ffmpeg", "-hide_banner", "-loglevel", "error", "-y",
        "-f", "lavfi", "-i", "testsrc2=s=1280x720:r=30,noise=alls=12:allf=t", "-f", "lavfi", "-i", "sine=r=48000", "-t", "20",
        "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-profile:v", "baseline", "-b:v", "2600k",
        "-maxrate", "2600k", "-bufsize", "1300k", "-g", "60", "-keyint_min", "60", "-sc_threshold", "0", "-pix_fmt", "yuv420p",
        "-c:a", "aac", "-b:a", "128k", path], check=True)
    return path


class Mill(Millrace):
    def start(self):
        super().start()
        wait_for("Millrace: its HTTP port", lambda: port_open(self.http))

    def publish(self, flv, seconds):
        self.source = subprocess.Popen([PUBLISH, "-n", "1", "-t", str(seconds), self.url("v_%d"), flv], stdout=subprocess.DEVNULL)
        wait_for("the stream", lambda: os.path.exists(self.playlist("v_0")))

    def worker(self):
        return next(pid for pid in tree(self.proc.pid) if name_of(pid) == WORKER)

    def load(self, viewers, options):
        return popen([*viewers, *options, f"http://127.0.0.1:{self.http}/whep/v_0"])


class Janus(Server):
    label = "Janus"

    def write(self, name, text):
        with open(os.path.join(self.dir, name), "w") as f:
            f.write(text)

    def start(self):
        self.video, self.audio, self.api = free_port(), free_port(), f"http://127.0.0.1:{self.http}/janus"
        self.rtmp = self.http       # the port that says it has started
        self.write("janus.jcfg", f"""general: {{ configs_folder = "{self.dir}" admin_secret = "x" debug_level = 2 event_loops = 2 }}
media: {{ rtp_port_range = "20000-29999" }}
nat: {{ ice_lite = true full_trickle = false ignore_mdns = true }}
plugins: {{ disable = "{','.join(os.path.basename(f) for f in glob.glob(JANUS_PLUGINS) if 'streaming' not in f)}" }}
""")
        self.write("janus.transport.http.jcfg", f"""general: {{ http = true port = {self.http} ip = "127.0.0.1" https = false }}
admin: {{ admin_http = false }}
""")
        self.write("janus.plugin.streaming.jcfg", f"""v_0: {{ type = "rtp" id = 1 media = (
  {{ type = "audio" mid = "a" port = {self.audio} pt = 111 codec = "opus" }},
  {{ type = "video" mid = "v" port = {self.video} pt = 102 codec = "h264" fmtp = "profile-level-id=42e01f;packetization-mode=1" }} ) }}
""")
        self.launch(["janus", "-F", self.dir, "--disable-colors"])

    def publish(self, flv, seconds):
        self.source = subprocess.Popen(["ffmpeg", "-hide_banner", "-loglevel", "error", "-re", "-stream_loop", "-1", "-i", flv,
            "-map", "0:v", "-c", "copy", "-payload_type", "102", "-f", "rtp", f"rtp://127.0.0.1:{self.video}?pkt_size=1212",
            "-map", "0:a", "-c:a", "libopus", "-b:a", "96k", "-payload_type", "111", "-f", "rtp", f"rtp://127.0.0.1:{self.audio}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        time.sleep(2)

    def worker(self):
        return self.proc.pid

    def ask(self, path="", **body):
        data = json.dumps(body | {"transaction": "t"}).encode() if body else None
        with urllib.request.urlopen(urllib.request.Request(self.api + path, data, {"Content-Type": "application/json"}), timeout=20) as r:
            return json.load(r)

    def offer(self):
        """A handle, and the SDP that Janus offers there."""
        session = f"/{self.ask(janus='create')['data']['id']}"
        handle = f"{session}/{self.ask(session, janus='attach', plugin='janus.plugin.streaming')['data']['id']}"
        self.ask(handle, janus="message", body={"request": "watch", "id": 1})
        while True:
            event = self.ask(session)
            if "jsep" in event:
                return handle, event["jsep"]["sdp"]

    def answer(self, handle, sdp, fingerprint):
        lines = []
        for line in sdp.splitlines():
            if re.match(r"a=(ice-lite|candidate|end-of|ice-options|ice-ufrag|ice-pwd|ssrc|msid|setup)", line):
                continue
            lines.append(line.replace("a=sendonly", "a=recvonly") if not line.startswith("a=fingerprint") else f"a=fingerprint:{fingerprint}")
            if line.startswith("a=mid"):
                lines += ["a=ice-ufrag:test", "a=ice-pwd:every/client/has/this/one", "a=setup:active"]
        self.ask(handle, janus="message", body={"request": "start"}, jsep={"type": "answer", "sdp": "\r\n".join(lines) + "\r\n"})

    def load(self, viewers, options):
        load = popen(["-s", *viewers, *options])
        fingerprint = load.stdout.readline().strip()
        for _ in range(int(viewers[1])):
            handle, sdp = self.offer()
            self.answer(handle, sdp, fingerprint)
            ip, port = re.search(r"a=candidate:\S+ 1 udp \d+ ([0-9.]+) (\d+)", sdp).groups()
            load.stdin.write(f"{ip}:{port} " + " ".join(re.search(rf"a={k}:(.*?)\r", sdp).group(1)
                for k in ("ice-ufrag", "ice-pwd", "fingerprint")) + "\n")
            load.stdin.flush()
        return load


def popen(args):
    return subprocess.Popen([RTCLOAD, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def cpu_of(pid):
    return sum(int(x) for x in stat_fields(pid)[11:13]) / TICK


def pss_of(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return int(re.search(r"^Pss:\s+(\d+)", f.read(), re.M).group(1))


def watch(server, viewers, seconds, *options):
    """What rtcload says, with the CPU of the measured time and the memory at its end."""
    load = server.load(["-n", str(viewers), "-t", str(seconds)], options)
    said = ""
    while not said.endswith("rtcload: watching\n"):
        line = load.stderr.readline()
        if not line:
            raise SystemExit(f"bench: rtcload ended: {said}")
        said += line
    pid = server.worker()
    before, t0 = cpu_of(pid), time.monotonic()
    time.sleep(max(seconds - 0.5, 0.5))
    cpu = (cpu_of(pid) - before) / (time.monotonic() - t0)
    memory = pss_of(pid)
    result = json.loads(load.communicate()[0])
    return result | {"cpu": cpu, "memory": memory, "said": said}


def row(label, n, r, base):
    print(f"| {n} | {label} | {r['bytes'] * 8 / n / r['seconds'] / 1e6:.2f} | {r['cpu'] * 100 / n:.3f} "
        f"| {(r['memory'] - base) / max(n - 1, 1):.0f} | {r['lost']} | {r['setup_ms']['median']} ({r['setup_ms']['max']}) "
        f"| {r['first_ms']['median']} ({r['first_ms']['max']}) |", flush=True)
    if r["fed"] < n:
        print(f"bench: {n - r['fed']} viewers got nothing:\n{r['said']}", flush=True)


def bench_viewers(top, counts, seconds):
    print("### One stream to N viewers by WebRTC (SRTP, AES-GCM): the process that serves them\n")
    print("| viewers | server | Mbit/s each | CPU, % of a core each | memory (PSS), KB each | packets lost | connected, ms median (max)"
        " | first packet, ms |\n|---|---|---|---|---|---|---|---|")
    flv = sample(top)
    ways = [(Mill, (("Millrace", []), ("Millrace, TCP", ["-T"])))] + ([(Janus, (("Janus", []),))] if shutil.which("janus") else [])
    for kind, options in ways:
        server = kind(top, 2)
        server.start()
        server.publish(flv, (len(counts) * len(options) + 1) * (seconds + 30))
        try:
            base = watch(server, 1, 5)["memory"]
            for n in counts:
                for label, args in options:
                    row(label, n, watch(server, n, seconds, *args), base)
        finally:
            server.source.kill()
            server.source.wait()
            server.stop()
    print()
