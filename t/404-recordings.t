#!/usr/bin/python3
"""404-recordings: what was recorded is listed (JSON, API, page), plays in Chromium, comes in ranges; nothing else comes."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

from browser import Browser

SHOTS = os.environ.get("MILLRACE_SHOTS", f"{TOP}/build/shots")
HTML = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def names(m):
    return json.loads(m.get("/recordings")[2])


def status_of(m, path):
    """Sent as it stands: http.client would tidy it up."""
    with socket.create_connection(("127.0.0.1", m.http), 5) as s:
        s.settimeout(5 * SLOW)
        s.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return s.recv(65536)[9:12].decode()


def paged(m, limit):
    out, cursor = [], ""
    while True:
        page = json.loads(m.get(f"/api/v1/recordings?limit={limit}&cursor={cursor}")[2])
        out += page["recordings"]
        cursor = page["cursor"]
        if not cursor:
            return out


def record(t, m):
    """Two parts of alice, one of bob; their names, once they are listed."""
    clip = clips.clip(seconds=6)
    streams = [t.publish(m, "alice", clip), t.publish(m, "bob", clips.clip(seconds=3))]
    for p in streams:
        p.finished.wait(30)
        p.end()
    wait_for("three recordings", lambda: len(names(m)["video"]) == 3, 30, 0.2)
    return names(m)["video"]


def files(t, m, video):
    with open(f"{m.data}/recordings/{video[0]}", "rb") as f:
        data = f.read()
    path = f"/recordings/{video[0]}"
    st, h, body = m.get(path)
    t.is_((st, h["content-type"], body == data), (200, "video/mp4", True), "the file, whole")
    t.is_((h["accept-ranges"], h["access-control-allow-origin"], h["x-content-type-options"]), ("bytes", "*", "nosniff"), "its head")
    t.is_(m.get(path, {"If-None-Match": h["etag"]})[0], 304, "ETag: 304")
    st, r, part = m.get(path, {"Range": "bytes=100-40099", "If-Range": h["etag"]})
    t.is_((st, part == data[100:40100], r["content-range"]), (206, True, f"bytes 100-40099/{len(data)}"), "a range")
    st, r, part = m.get(path, {"Range": "bytes=-10"})
    t.is_((st, part), (206, data[-10:]), "a suffix range")
    st, r, part = m.get(path, {"Range": f"bytes={len(data)}-"})
    t.is_((st, r["content-range"]), (416, f"bytes */{len(data)}"), "a range behind the end")
    st, r, part = m.get(path, method="HEAD")
    t.is_((st, r["content-length"], r["etag"], part), (200, str(len(data)), h["etag"], b""), "HEAD")
    t.is_(m.get(path, method="POST")[0], 405, "POST: 405")


def nothing_else(t, m, video):
    """What may not be served: beside what may, so that only its name or kind is the reason."""
    top = f"{m.data}/recordings"
    for name in (".hidden.mp4", ".x.mp4.tmp", "x.mp4.tmp", "notes.txt", "alice/.x.mp4", ".secret/x.mp4"):
        os.makedirs(os.path.dirname(f"{top}/{name}"), exist_ok=True)
        with open(f"{top}/{name}", "w") as f:
            f.write("x")
    os.symlink("/etc/passwd", f"{top}/link.mp4")
    os.symlink("/etc", f"{top}/folder")
    os.mkfifo(f"{top}/pipe.mp4")
    os.makedirs(f"{top}/folder.mp4")
    with open(f"{m.data}/outside.mp4", "w") as f:
        f.write("x")
    paths = [b".hidden.mp4", b".x.mp4.tmp", b"x.mp4.tmp", b"notes.txt", b"alice/.x.mp4", b".secret/x.mp4", b"link.mp4", b"folder/passwd",
        b"folder/x.mp4", b"pipe.mp4", b"folder.mp4", b"../outside.mp4", b"%2e%2e/outside.mp4", b"alice/../../outside.mp4", b"..%2foutside.mp4",
        b"alice%2f..%2f..%2foutside.mp4", b"/etc/passwd", b"%2fetc%2fpasswd", b"alice//" + video[0].encode()[6:], b"alice/", b"alice", b"",
        video[0].encode() + b"/", video[0].encode() + b"%00", video[0].encode() + b"%00.mp4", video[0].replace("/", "%2F").encode(),
        b"%ff.mp4", b"%.mp4", b"a" * 300 + b".mp4", b"a/" * 200 + b"x.mp4", b"../hls/alice/state", b"../rec/alice", b"nobody/x.mp4"]
    got = [(p, status_of(m, b"/recordings/" + p)) for p in paths]
    t.none([g for g in got if g[1] != "404"], "what is no recording is a 404, hidden, linked or outside")
    for name in ("two words é.mp4", "sub/dir/voice.wav"):
        os.makedirs(os.path.dirname(f"{top}/{name}"), exist_ok=True)
        shutil.copy(f"{top}/{video[0]}", f"{top}/{name}")
    wait_for("files of others", lambda: names(m)["audio"], 5, 0.2)
    t.is_(names(m), {"video": ["two words é.mp4"] + video, "audio": ["sub/dir/voice.wav"]}, "what others put there is listed, nothing else is")
    t.is_(m.get("/recordings/two%20words%20%C3%A9.mp4")[0], 200, "any name of UTF-8")
    st, h, _ = m.get("/recordings/sub/dir/voice.wav")
    t.is_((st, h["content-type"]), (200, "audio/wav"), "audio, in folders of folders")


def pages(t, m, b):
    b.goto(m.http_url("/"))
    link = "(n => n && !n.hidden && n.getAttribute('href'))(document.getElementById('recordings'))"
    t.is_(b.wait("the link", link), "recordings", "the home page has a link, a relative one")
    b.screenshot(f"{SHOTS}/home-recordings.png")
    b.eval("document.getElementById('recordings').click()")
    b.wait("the list", "document.querySelectorAll('.rows li').length == 5")
    t.is_(b.eval("[...document.querySelectorAll('#groups h2')].map(h => h.textContent).sort()"),
        ["Other recordings", "alice", "bob", "sub"], "a card for each stream")
    alice = "[...document.querySelectorAll('#groups section')].find(s => s.querySelector('h2').textContent == 'alice')"
    t.like(b.eval(f"{alice}.innerText"), r"0:0\d.*[KM]iB", "with duration and size")
    t.ok(b.eval(f"(t => t[0] > t[1])([...{alice}.querySelectorAll('time')].map(x => x.dateTime))"), "newest first")
    b.eval(f"{alice}.querySelector('button').click()")
    t.is_(b.wait("it plays", "(v => v && v.readyState >= 3 && v.currentTime > 0.5 && v.videoWidth)(document.querySelector('video'))"), 320,
        "a recording plays")
    b.screenshot(f"{SHOTS}/recordings.png")
    b.eval(f"{alice}.querySelectorAll('button')[1].click()")
    b.wait("the other plays", f"(v => v && v.currentTime > 0.5 && v.closest('li') == {alice}.querySelectorAll('li')[1])(document.querySelector('video'))")
    t.is_(b.eval("document.querySelectorAll('video').length"), 1, "one at a time")
    t.none([c for c in b.console if "favicon" not in c], "and no error in the console")


with Test(__doc__) as t:
    m = t.server(**{"streams.record.path": "recordings/{stream}/{start}.mp4", "streams.record.split": "3s", "jobs.scan": "1s",
        "streams.reconnect_delay": "1s", "streams.cleanup_delay": "500ms"})
    st, h, body = m.get("/recordings")
    t.is_((st, h["content-type"], json.loads(body)), (200, "application/json", {"video": [], "audio": []}), "nothing yet")
    video = record(t, m)
    starts = [v.split("/")[1] for v in video]
    t.is_(starts, sorted(starts, reverse=True), "newest first")
    st, h, body = m.get("/recordings", {"Accept": "application/json"})
    t.is_((st, h["vary"], json.loads(body)["video"]), (200, "Accept", video), "JSON by its name")
    t.is_(m.get("/recordings", {"If-None-Match": h["etag"]})[0], 304, "the list has an ETag")
    st, h, body = m.get("/recordings", HTML)
    t.is_((st, h["content-type"], h["vary"]), (200, "text/html; charset=utf-8", "Accept"), "for browsers a page")
    t.is_(m.get("/recordings", method="HEAD")[1]["content-type"], "application/json", "HEAD")

    details = paged(m, 2)
    t.is_([d["file"] for d in details], video, "/api/v1/recordings, page by page")
    for d in details:
        st = os.stat(f"{m.data}/recordings/{d['file']}")
        stamp = d["started"].replace("-", "").replace(":", "")
        t.is_((d["stream"], d["size"], stamp, d["type"]), (d["file"].split("/")[0], st.st_size, d["file"].split("/")[1][:-4], "video/mp4"),
            f"facts of {d['file']}")
        t.ok(2000 < d["duration_ms"] < 4500, f"it lasts {d['duration_ms']} ms")
    page = json.loads(m.get("/api/v1/recordings?limit=1")[2])
    t.is_((len(page["recordings"]), page["listed"], page["total"]), (1, 3, 3), "how many there are")
    for query in ("cursor=x", "cursor=:", "cursor=99999999999999999999:", "limit=-1", "limit=x", "cursor=%00"):
        t.is_(m.get(f"/api/v1/recordings?{query}")[0], 200, f"{query}: still an answer")

    files(t, m, video)
    nothing_else(t, m, video)
    if shutil.which("chromium"):
        b = Browser(t.dir)
        try:
            pages(t, m, b)
        finally:
            b.close()
    m.configure({"http.max_recordings": 2})
    t.is_(m.cli("reload").returncode, 0, "http.max_recordings, at once")
    wait_for("only the newest are listed", lambda: sum(map(len, names(m).values())) == 2, 5, 0.2)
    t.is_(json.loads(m.get("/api/v1/recordings")[2])["total"], 5, "the others are counted")
    t.is_(m.get(f"/recordings/{video[-1]}")[0], 200, "and can be fetched")
