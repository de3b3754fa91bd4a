#!/usr/bin/python3
"""515-webrtc-chromium: Chromium plays by WebRTC what ffmpeg publishes: each frame's number read from the picture, sound, delays; who comes back."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

import barcode
from barcode import Page, Sent, delays, goes_up, in_time, jumps, level, share
from browser import Browser

if not shutil.which("chromium"):
    Test(__doc__).skip_all("chromium is not installed")

SECONDS = 5
COPIED, MADE = (150, 1000), (500, 2000)     # ms from sent to drawn: as promised, and on a busy machine
KINDS = {       # video, audio, how they go to browsers
    "baseline": (barcode.BASELINE, barcode.AAC_48, ("copy", "transcode")),
    "high": (barcode.HIGH, barcode.AAC_44, ("copy", "transcode")),
    "bframes": (barcode.HIGH_B, barcode.AAC_48_MONO, ("transcode", "transcode")),
    "sound": (None, barcode.AAC_44_MONO, (None, "transcode")),
}


def picture(t, name, seen, a, b, took):
    numbers = [n for n, _ in seen]
    decoded, dropped = (b["video"][k] - a["video"][k] for k in ("framesDecoded", "framesDropped"))
    t.diag(f"{name}: {decoded} frames decoded in {took:.1f} s, {dropped} dropped, {len(numbers)} numbers read, "
        f"{b['video']['freezeCount']} freezes")
    t.ok(decoded > 0.8 * barcode.FPS * took, f"{name}: frames are decoded: {decoded} in {took:.1f} s")
    t.ok(len(numbers) > 0.5 * decoded and -1 not in numbers, f"{name}: their numbers are read from the picture, each right", numbers)
    t.none(jumps(seen), f"{name}: and go up")


def sound(t, name, a, b):
    a, b = a["audio"], b["audio"]
    t.diag(f"{name}: concealed {100 * share(a, b):.2f} % of {b['totalSamplesReceived'] - a['totalSamplesReceived']} samples, level {level(a, b):.3f}")
    t.ok(b["totalSamplesReceived"] - a["totalSamplesReceived"] > 48000 * SECONDS * 0.8, f"{name}: sound comes")
    t.ok(share(a, b) < 0.01, f"{name}: less than 1 % of it is concealed: {100 * share(a, b):.2f} %")
    # ffmpeg's tone is at an eighth of the loudest
    t.ok(0.08 < level(a, b) < 0.18, f"{name}: as loud as it was: {level(a, b):.3f}")


def kind(t, m, page, name):
    video, audio, ways = KINDS[name]
    pub = t.ffmpeg(m.url(name), barcode.clip(name, video, audio))
    m.wait_stream(name, lambda s: s.get("webrtc", {}).get("audio", {}).get("way") == ways[1], 20)
    page.watch(m, name)
    s = m.stream(name)["webrtc"]
    t.is_(tuple(s.get(k, {}).get("way") or None for k in ("video", "audio")), ways, f"{name}: {s['video']['reason']}, {s['audio']['reason']}")
    if video:
        t.diag(f"{name}: first picture {page.first_ms()} ms after the answer")
    time.sleep(3)           # until it is at the live edge
    seen, a, b, took = page.measure(t, SECONDS, lambda seen, a, b, took: share(a["audio"], b["audio"]) < 0.01 and goes_up(seen))
    if video:
        picture(t, name, seen, a, b, took)
    sound(t, name, a, b)
    facts = page.text("facts")
    t.like(facts, r"^WebRTC · (under )?[\d.]+ s behind · [\d.]+ Mbit/s$", f"{name}: the page says: {facts}")
    pub.terminate()
    page.b.goto("about:blank")
    pub.wait()


def delay(t, m, page, name, limits, path):
    load = os.getloadavg()[0]
    sent = Sent(path)
    pub = t.publish(m, f"{name}-delay", path, edit=sent.edit)
    pub.join_live()
    wait_for("it is inside of a GOP", lambda: pub.sent_ms > 7200, 15)
    page.watch(m, f"{name}-delay")
    first = page.first_ms()
    in_time(t, f"{name}: inside of a GOP, first picture after the answer", first, 300, 5000, load)
    time.sleep(4)
    page.clear()
    time.sleep(SECONDS)
    all_ = delays(page.seen(), sent)
    t.ok(len(all_) > 20, f"{name}: {len(all_)} frames were sent and drawn")
    t.diag(f"{name}: 95 %: {all_[len(all_) * 95 // 100]:.0f} ms")
    in_time(t, f"{name}: from frame sent to frame drawn, median", all_[len(all_) // 2], *limits, load)
    page.b.goto("about:blank")
    pub.cut()


def publisher_returns(t, m, page):
    path = barcode.clip("baseline", *KINDS["baseline"][:2])
    later = barcode.clip("later", *KINDS["baseline"][:2], first=2048)
    pub = t.publish(m, "carol", path)
    pub.join_live()
    page.watch(m, "carol")
    url, posts = page.stats()["url"], page.b.eval("__posts.length")
    pub.cut()
    wait_for("its going is noticed", lambda: (m.stream("carol") or {}).get("state") == "reconnecting", 10, 0.1)
    again = t.publish(m, "carol", later)
    again.join_live()
    wait_for("the new one's pictures", lambda: len([n for n in page.numbers() if n > 2048]) > 50, 30, 0.3)
    t.is_((page.stats()["url"], page.b.eval("__posts.length")), (url, posts), "the publisher comes back: the session is the same")
    return again


def worker_dies(t, m, page, pub):
    before, posts = m.stream("carol"), page.b.eval("__posts.filter(p => p.status == 201).length")
    page.clear()
    old = m.pids("webrtc")[0]
    os.kill(old, signal.SIGKILL)
    killed = time.time() * 1000
    page.b.wait("another session", f"__posts.filter(p => p.status == 201).length > {posts}", 40)
    at = page.b.eval("__posts[__posts.length - 1].at")
    wait_for("pictures", lambda: [x for x in page.seen() if x[1] > at + 1000], 40, 0.3)
    first = next(x for x in page.seen() if x[1] > at)
    t.ok(True, f"kill -9 of the worker: the picture is back after {first[1] - killed:.0f} ms, by itself")
    t.is_(page.b.eval("__posts.filter(p => p.status == 201).length"), posts + 1, "with one new session")
    after = m.stream("carol")
    t.is_((after["ingest_pid"], after["reconnects"], pub.finished.is_set()), (before["ingest_pid"], before["reconnects"], False),
        "its publisher noticed nothing")
    page.b.goto("about:blank")
    pub.cut()


# Of two frames, what they show in 5 s. (Not all of Chromium's frames tell of each picture.)
SAMPLE = """(async () => {
    const out = [[], []];
    for (let n = 0; n < 125; n++) {
        await new Promise((done) => setTimeout(done, 40));
        [0, 1].forEach((i) => out[i].push(frames[i].__read(frames[i].document.getElementById("video"))));
    }
    return out;
})()"""


def two_rooms(t, m, page):
    """Both at once in frames of one page: no number of the one in the other."""
    paths = {"room-a": barcode.clip("baseline", *KINDS["baseline"][:2]), "room-b": barcode.clip("later", *KINDS["baseline"][:2], first=2048)}
    for name, path in paths.items():
        t.publish(m, name, path).join_live()
    page.b.goto(m.http_url("/nothing"))     # a page without scripts
    page.b.wait("the page", "document.readyState == 'complete' && location.pathname == '/nothing'")
    page.b.eval("document.body.innerHTML = '<iframe src=/watch/room-a></iframe><iframe src=/watch/room-b></iframe>'")
    page.b.wait("both play", "[0, 1].every(i => (v => v && v.videoWidth && v.currentTime > 0.5)(frames[i].document.getElementById('video')))", 40)
    a, b = (set(n) for n in page.b.eval(SAMPLE))
    t.ok(max(a) < 2048 <= min(b) and -1 not in a and min(len(a), len(b)) > 40,
        f"two rooms at once, in frames: {len(a)} and {len(b)} numbers, none of the other's", (a, b))
    page.b.screenshot(f"{os.environ.get('MILLRACE_SHOTS', TOP + '/build/shots')}/rooms.png")


with Test(__doc__, limit=240) as t:
    m = t.server(**{"webrtc.listen": "127.0.0.1:0"})
    b = Browser(t.dir)
    try:
        page = Page(b)
        for name in KINDS:
            kind(t, m, page, name)
        for name in ("baseline", "bframes"):
            delay(t, m, page, name, COPIED if name == "baseline" else MADE, barcode.clip(name, *KINDS[name][:2]))
        gop = [x if x != "50" else "250" for x in barcode.BASELINE]
        delay(t, m, page, "long", COPIED, barcode.clip("long", gop, barcode.AAC_48))
        worker_dies(t, m, page, publisher_returns(t, m, page))
        two_rooms(t, m, page)
        t.none([c for c in b.console if "Content Security Policy" in c or "exception" in c], "no error in its console")
    except Exception:
        t.diag("\n".join(b.console[-10:]))
        raise
    finally:
        b.close()
