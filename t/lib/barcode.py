"""barcode.py - clips whose frames carry their number as bars, and what a browser's page saw of them.

    path = clip("high", ["-c:v", "libx264", ...], ["-c:a", "aac"], first=2048)     numbers from 2048 on
    sent = Sent(path); t.publish(m, "alice", path, edit=sent.edit); sent.at[number]  when it was sent
    page = Page(browser); page.watch(m, "alice"); page.numbers(); page.stats()

A number has 12 bits, and 4 that check them: what was read is right or -1.
"""
import os, subprocess, time

import clips
from media import flv_tags, is_header
from millrace import SLOW

FPS, WIDTH, HEIGHT, BARS, STRIPE = 25, 320, 180, 16, 40
STEP = 1000 // FPS

X264 = ["-c:v", "libx264", "-preset", "veryfast", "-g", "50", "-keyint_min", "50", "-sc_threshold", "0", "-b:v", "400k", "-pix_fmt", "yuv420p"]
BASELINE = [*X264, "-tune", "zerolatency", "-profile:v", "baseline"]
HIGH = [*X264, "-profile:v", "high", "-bf", "0"]
HIGH_B = [*X264, "-profile:v", "high", "-bf", "2", "-x264-params", "b-adapt=0"]
AAC = ["-c:a", "aac", "-b:a", "96k"]
AAC_48, AAC_44, AAC_48_MONO, AAC_44_MONO = ([*AAC, "-ar", str(hz), "-ac", str(n)] for hz, n in ((48000, 2), (44100, 2), (48000, 1), (44100, 1)))


def stripe(number):
    word = number | ((number ^ number >> 4 ^ number >> 8) & 15) << 12
    row = b"".join((b"\xeb" if word >> i & 1 else b"\x10") * (WIDTH // BARS) for i in range(BARS))
    return row * STRIPE


def clip(name, video, audio, seconds=60, first=0):
    """Path of an FLV; video None: only sound, a tone of 440 Hz."""
    path = os.path.join(clips.MEDIA, f"bars_{name}_{first}_{seconds}s.flv")
    return clips.once(path, lambda part: _make(part, video, audio, seconds, first))


def _make(path, video, audio, seconds, first):
    args = ["-f", "lavfi", "-i", "sine=440:sample_rate=48000"]
    if video:
        args += ["-f", "lavfi", "-i", f"testsrc2=size={WIDTH}x{HEIGHT - STRIPE}:rate={FPS}", "-f", "rawvideo", "-pix_fmt", "gray",
            "-s", f"{WIDTH}x{STRIPE}", "-r", str(FPS), "-i", "pipe:", "-filter_complex", "[2]format=yuv420p[b];[1][b]vstack[v]", "-map", "[v]", *video]
    p = subprocess.Popen(["ffmpeg", "-hide_banner", "-loglevel", "error", "-y", *args, "-map", "0:a", *audio, "-t", str(seconds),
        "-f", "flv", path], stdin=subprocess.PIPE)
    for n in range(seconds * FPS if video else 0):
        p.stdin.write(stripe(first + n))
    p.stdin.close()
    if p.wait():
        raise RuntimeError(f"ffmpeg made no {path}")


class Sent:
    """Wall clock, in ms, at which an RtmpPublisher sent each number (its `edit`)."""
    def __init__(self, path, first=0):
        self.at = {}
        with open(path, "rb") as f:
            self.begin = min(self._pts(ts, body) for kind, ts, body in flv_tags(f.read()) if kind == 9 and not is_header(kind, body))
        self.first = first

    def _pts(self, ts, body):
        return ts + int.from_bytes(body[2:5], "big")

    def edit(self, kind, ts, body):
        if kind == 9 and not is_header(kind, body):
            self.at[self.first + round((self._pts(ts, body) - self.begin) / STEP)] = time.time() * 1000
        return ts, body


# __seen: each frame that is shown: [its number, when]; __posts: each answer to a POST: {status, at}; __read(video): what
# it shows now. From before the page's own scripts.
WATCHER = """
(() => {
    const seen = window.__seen = [], posts = window.__posts = [], ask = window.fetch;
    const c = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    c.canvas.width = WIDTH;
    c.canvas.height = 1;
    window.fetch = async (url, how) => {
        const answer = await ask(url, how);
        if (how && how.method === "POST")
            posts.push({ status: answer.status, at: Date.now() });
        return answer;
    };
    const read = window.__read = (video) => {
        c.drawImage(video, 0, Math.round(video.videoHeight * 8 / 9), video.videoWidth, 1, 0, 0, WIDTH, 1);
        const p = c.getImageData(0, 0, WIDTH, 1).data;
        let word = 0;
        for (let i = 0; i < BARS; i++)
            word |= (p[4 * Math.floor((i + 0.5) * WIDTH / BARS)] > 127) << i;
        const n = word & 4095;
        return (n ^ n >> 4 ^ n >> 8) % 16 === word >> 12 ? n : -1;
    };
    document.addEventListener("DOMContentLoaded", () => {
        const video = document.getElementById("video");
        const loop = () => {
            video.requestVideoFrameCallback(loop);
            if (video.videoWidth > 0)
                seen.push([read(video), Date.now()]);
        };
        if (video)
            video.requestVideoFrameCallback(loop);
    });
})();
""".replace("WIDTH", str(WIDTH)).replace("BARS", str(BARS))

STATS = """(async () => {
    if (typeof session === "undefined" || !session || !session.pc)
        return null;
    const out = { state: session.pc.connectionState, url: session.session };
    for (const s of (await session.pc.getStats()).values())
        if (s.type === "inbound-rtp")
            out[s.kind] = s;
    return out;
})()"""


class Page:
    """/watch/NAME in a Browser (browser.py, firefox.py), with the watcher in it."""
    def __init__(self, browser):
        self.b = browser
        browser.before(WATCHER)

    def watch(self, m, name, how="webrtc", limit=40):
        self.b.goto(m.http_url(f"/watch/{name}"))
        self.plays(how, limit)

    def plays(self, how="webrtc", limit=40):
        self.b.wait(f"it plays by {how}", f"document.readyState == 'complete' && typeof mode !== 'undefined' && mode == '{how}'", limit)

    def numbers(self):
        return [n for n, _ in self.b.eval("__seen")]

    def seen(self):
        return self.b.eval("__seen")

    def clear(self):
        self.b.eval("__seen.length = 0")

    def stats(self):
        return self.b.eval(STATS)

    def measure(self, t, seconds, good, times=3):
        """
        (what was seen, stats before, after, seconds) of a while that is good(the same), or of the last of some:
        where others keep the machine busy a browser drops what it got in time.
        """
        for n in range(times):
            self.clear()
            a, began = self.stats(), time.monotonic()
            time.sleep(seconds)
            got = self.seen(), a, self.stats(), time.monotonic() - began
            heard = got[2]["audio"]["totalSamplesReceived"] - a["audio"]["totalSamplesReceived"]
            if n == times - 1 or heard > 48000 * seconds * 0.8 and good(*got):
                return got
            t.diag(f"load {os.getloadavg()[0]:.0f}: {100 * share(a['audio'], got[2]['audio']):.2f} % concealed, jumps {jumps(got[0])}: once more")

    def first_ms(self):
        """From the answer to the first picture: what plays has shown it, or does so now."""
        self.b.wait("a picture", "__seen.length && __posts.length", 20)
        return self.b.eval("__seen[0][1] - __posts[__posts.length - 1].at")

    def text(self, id):
        return self.b.eval(f"document.getElementById('{id}').hidden ? '' : document.getElementById('{id}').textContent")


def delays(seen, sent):
    """ms from when a frame was sent to when it was shown, of those that are known."""
    return sorted(at - sent.at[n] for n, at in seen if n in sent.at)


def in_time(t, what, ms, promised, busy_limit, load_before):
    """Of a machine that has a core left, now and when it began, as promised; of a busy one it is only no disaster."""
    load = max(load_before, os.getloadavg()[0])
    busy = SLOW > 1 or load >= os.cpu_count()
    limit = busy_limit * SLOW if busy else promised
    if busy:
        t.diag(f"load {load:.1f} on {os.cpu_count()} cores: not held to {promised} ms")
    t.ok(ms is not None and ms < limit, f"{what}: {ms if ms is None else round(ms)} ms, less than {limit}")


def jumps(seen):
    """Numbers that were wrong, went back, or came after a second without one."""
    numbers = [n for n, _ in seen]
    return [(x, y) for x, y in zip(numbers, numbers[1:]) if not 0 <= x <= y <= x + FPS]


def goes_up(seen):
    return jumps(seen) == []


def share(a, b, part="concealedSamples", whole="totalSamplesReceived"):
    """What part of the samples between two audio stats was made up."""
    return (b[part] - a[part]) / max(1, b[whole] - a[whole])


def level(a, b):
    """Of the sound between two audio stats, 1 being the loudest."""
    took = b["totalSamplesDuration"] - a["totalSamplesDuration"]
    return max(0, (b["totalAudioEnergy"] - a["totalAudioEnergy"]) / took) ** 0.5 if took > 0 else 0
