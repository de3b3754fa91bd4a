#!/usr/bin/python3
"""321-crafted-uploads: files called .mp4 that want others read or fetched: nobody is asked, nothing is read, each fails with a word; a bomb too."""
import os, sys, threading
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *
from upload import *
import struct


class Listener:
    """Counts who connects."""
    def __init__(self):
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.port, self.asked = self.sock.getsockname()[1], []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            c, _ = self.sock.accept()
            c.settimeout(2)
            try:
                self.asked.append(c.recv(200))
                c.sendall(b"HTTP/1.0 404 no\r\n\r\n")
            except OSError:
                pass
            c.close()


def box(kind, body):
    return struct.pack(">I", 8 + len(body)) + kind + body


def with_dref(path, url):
    """A real MOV whose media are, so it says, elsewhere."""
    with open(path, "rb") as f:
        data = f.read()
    at = data.index(b"dref") - 4
    ref = box(b"url ", b"\0\0\0\0" + url.encode() + b"\0")
    dref = box(b"dref", b"\0\0\0\0\0\0\0\1" + ref)
    out = data
    for _ in range(data.count(b"dref")):
        at = out.index(b"dref", at + 4 if out is not data else 0) - 4
        size = int.from_bytes(out[at:at + 4], "big")
        out = out[:at] + dref + out[at + size:]
        grown = len(dref) - size
        for kind in (b"moov", b"trak", b"mdia", b"minf", b"dinf"):
            p = out.rfind(kind, 0, at) - 4
            out = out[:p] + (int.from_bytes(out[p:p + 4], "big") + grown).to_bytes(4, "big") + out[p + 4:]
    return out


def crafted(t, port, canary):
    """Name -> bytes, each renamed .mp4."""
    http, file = f"http://127.0.0.1:{port}", f"file://{canary}"
    m3u8 = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n%s\n#EXT-X-ENDLIST\n"
    subs = t.dir + "/subs.mkv"
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", "-i", mp4(), "-attach", canary, "-metadata:s:t", "mimetype=text/plain",
        "-metadata", f"title={http}/title", "-c", "copy", subs], check=True)
    with open(subs, "rb") as f:
        attached = f.read()
    bad = {
        "m3u8 of a file": (m3u8 % file).encode(),
        "m3u8 of a URL": (m3u8 % f"{http}/a.ts").encode(),
        "m3u8 with a key to fetch": (m3u8 % "a.ts").replace("#EXTINF", f'#EXT-X-KEY:METHOD=AES-128,URI="{http}/key"\n#EXTINF', 1).encode(),
        "ffconcat of a file": f"ffconcat version 1.0\nfile {canary}\n".encode(),
        "ffconcat of a neighbour": b"ffconcat version 1.0\nfile NEIGHBOUR\n",
        "concat protocol in a playlist": (m3u8 % f"concat:{canary}|{canary}").encode(),
        "SDP": f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\na=rtpmap:96 H264/90000\n".encode(),
        "DASH": f'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT4S"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>{http}/a.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>'.encode(),
        "ASX": f'<asx version="3.0"><entry><ref href="{http}/a.wmv"/></entry></asx>'.encode(),
        "vobsub index": f"# VobSub index file, v7\nid: en, index: 0\n# {canary}\ntimestamp: 00:00:00:000, filepos: 000000000\n".encode(),
        "image pattern": f"{t.dir}/%03d.jpg\n".encode(),
        "nothing": b"",
        "noise": os.urandom(100000),
    }
    return bad, {"a mov that says its media are in a file": with_dref(mov(), file), "a mov that says they are at a URL":
        with_dref(mov(), f"{http}/a.mov"), "a video with a file attached to it": attached}


with Test(__doc__) as t:
    listener = Listener()
    canary = f"{t.dir}/canary.ts"
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-i", mp4(), "-c", "copy", "-f", "mpegts", canary], check=True)
    there = t.server(**{"streams.record.path": "recordings/{stream}/{start}.mp4", "streams.reconnect_delay": "1s", "jobs.scan": "1s"})
    here = t.server(**{"upload.target": there.url("x"), "jobs.scan": "1s", "jobs.retry_min": "100ms", "jobs.workers": 2, "jobs.converts": 2,
        "upload.max_size": "3MiB"})
    files_of, harmless = crafted(t, listener.port, canary)
    os.utime(canary, (1, 1))    # a read sets a new time, where the system notes reads
    neighbour = place(here, mp4(), state="receiving")
    ids = {}
    for what, data in files_of.items():
        path = f"{t.dir}/crafted.mp4"
        with open(path, "wb") as f:
            f.write(data.replace(b"NEIGHBOUR", f"{neighbour}.part".encode()))
        ids[what] = place(here, path)
    for what, id in ids.items():
        j = wait_state(here, id, "failed", "done", "pushing", limit=60)
        ok = j["state"] == "failed" and "canary" not in j["error"]
        t.ok(ok, f"{what}: {j.get('error', j['state'])}")
    t.is_(listener.asked, [], "nobody was asked for anything")
    t.is_(os.stat(canary).st_atime, 1.0, "the file beside was not read")
    t.is_(there.stream("x"), None, "nothing was pushed")
    t.is_([j["attempts"] for j in json.loads(here.cli("jobs", "--failed", "--json").stdout)["jobs"]], [1] * len(ids), "none is tried again in vain")

    # That strangers send rubbish is no trouble of the server's.
    counted = wait_for("they are counted", lambda: (lambda j: j if j["refused"] == len(ids) else None)(here.status()["jobs"]), 10, 0.2)
    t.is_((counted["dead"], here.cli("status").returncode, here.get("/healthz")[0]), (0, 0, 200), "the server is healthy, and counts them by themselves")

    # What is a video after all goes on as no more than that.
    here.configure({"upload.target": f"rtmp://127.0.0.1:{there.rtmp}/live/{{name}}"})
    here.cli("reload")
    ids = {}
    for i, (what, data) in enumerate(harmless.items()):
        path = f"{t.dir}/harmless.mp4"
        with open(path, "wb") as f:
            f.write(data)
        ids[what] = place(here, path, name=f"h{i}")
    for what, id in ids.items():
        j = wait_state(here, id, "failed", "done")
        t.is_((j["state"], listener.asked, os.stat(canary).st_atime), ("done", [], 1.0), f"{what}: its own video is all that goes on")

    # Each layer alone: the sandbox without any whitelist, the whitelists without the sandbox.
    lists = f"{t.dir}/list.mp4"
    with open(lists, "w") as f:
        f.write(f"ffconcat version 1.0\nfile {canary}\n")
    web = f"{t.dir}/web.mp4"
    with open(web, "w") as f:
        f.write(f"#EXTM3U\n#EXTINF:4,\nhttp://127.0.0.1:{listener.port}/a.ts\n#EXT-X-ENDLIST\n")
    null = ["-c", "copy", "-f", "null", "-"]
    def box(file, *args):
        return subprocess.run([f"{BUILD}/libexec/millrace-exec", "convert", "-", f"read={file}", "memory=4294967296", "--", "ffmpeg", "-v", "error",
            "-nostdin", *args, "-i", f"file:{file}", *null], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    t.is_(box(mp4()).returncode, 0, "the sandbox reads the file it is for")
    r = box(lists, "-safe", "0", "-f", "concat")
    t.ok(r.returncode != 0 and os.stat(canary).st_atime == 1.0, f"... and no other: {r.stdout.strip()[-60:]}")
    r = box(web, "-f", "hls", "-allowed_extensions", "ALL", "-protocol_whitelist", "file,http,tcp")
    t.ok(r.returncode != 0 and listener.asked == [], f"... and asks nobody: {r.stdout.strip()[-60:]}")
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-protocol_whitelist", "file,http,tcp", "-allowed_extensions", "ALL", "-f", "hls", "-i", web, *null],
        stderr=subprocess.DEVNULL)
    t.ok(len(listener.asked) > 0, "without it somebody would have been asked")

    # Little that unfolds to much.
    still = made("upload_still.webm", ["-f", "lavfi", "-i", "color=size=64x64:rate=25:duration=2", "-c:v", "libvpx", "-f", "webm"])
    bomb = made("upload_bomb.webm", ["-stream_loop", "300", "-i", still, "-c", "copy", "-f", "webm"])
    here.configure({"upload.max_size": f"{os.path.getsize(bomb) // 4}B"})
    here.cli("reload")
    j = wait_state(here, place(here, bomb), "failed", "pushing", limit=60)
    t.like(j.get("error", ""), r"bigger than upload.max_size", f"a bomb of {os.path.getsize(bomb)} bytes: {j.get('error')}")
    # "over" says that it has failed for good; somebody's next look puts it there
    left = lambda: [f for f in files(here, j["id"]) if f != "over"]
    t.is_(left(), ["json", "part"], "... and what it had unfolded to is gone")

    # As long as it takes, and as much as there is room for.
    here.configure({"upload.max_size": "100MiB", "upload.convert_timeout": "1s"})
    here.cli("reload")
    long = made("upload_long.webm", ["-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=25:duration=40", "-c:v", "libvpx", "-deadline", "realtime",
        "-cpu-used", "16", "-b:v", "200k", "-f", "webm"])
    j = wait_state(here, place(here, long), "failed", "pushing", limit=60)
    t.like(j.get("error", ""), r"longer than upload.convert_timeout", f"a long conversion: {j.get('error')}")
    t.is_(left(), ["json", "part"], "... leaves nothing of what it had made")
    here.configure({"upload.convert_timeout": "600s", "upload.target": f"rtmp://127.0.0.1:{there.rtmp}/live/long"})
    here.cli("reload")
    id = place(here, long)
    wait_for("its conversion has begun", lambda: "tmp" in files(here, id), 20, 0.05)
    here.configure({"disk.reserve": "10000GiB"})
    here.cli("reload")
    j = wait_for("it waits", lambda: (lambda j: j if j.get("error") else None)(job(here, id)), 20, 0.1)
    t.ok("disk.reserve" in j["error"] and files(here, id) == ["json", "part"], f"amid it the disk falls below disk.reserve: {j['error']}", files(here, id))
    other = place(here, mp4())
    seen = wait_for("another one waits, too", lambda: (lambda j: j if j.get("error") else None)(job(here, other)), 20, 0.1)
    t.ok("disk.reserve" in seen["error"], f"nor is another one begun: {seen['error']}", seen)
    here.configure({"disk.reserve": "1MiB"})
    here.cli("reload")
    wait_state(here, other, "pushing", "done")

    # Files and jobs go together.
    here.cli("jobs", "cancel", id)
    here.configure({"upload.keep": "1s"})
    here.cli("reload")
    wait_for("upload.keep is over", lambda: files(here, j["id"]) == [] and not json.loads(here.cli("jobs", "--failed", "--json").stdout)["jobs"], 20, 0.2)
    wait_for("none is counted", lambda: here.status()["jobs"]["refused"] == 0, 10, 0.2)
    t.ok(True, "after upload.keep nothing is left of what was refused, in the queue neither")
