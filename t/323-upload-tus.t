#!/usr/bin/python3
"""323-upload-tus: the MUSTs of tus 1.0.0 and of its extensions, one by one; broken connections; the result is pushed."""
import base64, email.utils, hashlib, os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *
from tus import *
from upload import *

TUS_JS = "tus-js-client@4"
# The file argv[1] to argv[2], interrupted after its first chunk; prints the upload's URL.
TUS_JS_SCRIPT = """
const fs = require("fs"), tus = require("tus-js-client");
let broken = false;
const upload = new tus.Upload(fs.createReadStream(process.argv[1]), {
    endpoint: process.argv[2], chunkSize: 100000, metadata: { filename: "Zoë.mp4" },
    onError: e => { console.error(String(e)); process.exit(1); },
    onSuccess: () => console.log(upload.url),
    onChunkComplete: () => {
        if (!broken) {
            broken = true;
            upload.abort().then(() => upload.start());
        }
    },
});
upload.start();
"""


def tus_js():
    """The folder with the npm package tus-js-client, or "" where it can't be had."""
    folder = os.path.join(TOP, "build", "tus-js")
    if not os.path.isdir(f"{folder}/node_modules/tus-js-client") and shutil.which("npm"):
        os.makedirs(folder, exist_ok=True)
        try:
            subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder, TUS_JS], timeout=60,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            pass
    return folder if shutil.which("node") and os.path.isdir(f"{folder}/node_modules/tus-js-client") else ""


def real_client(t, here):
    folder = tus_js()
    if not folder:
        t.ok(True, "tus-js-client # SKIP npm does not give it here")
        return
    r = subprocess.run(["node", "-e", TUS_JS_SCRIPT, mp4(), f"http://127.0.0.1:{here.http}/upload/bert"], cwd=folder, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    t.is_((r.returncode, r.stderr), (0, ""), f"tus-js-client sends a file, in spite of a break: {r.stdout.strip()}")
    j = wait_state(here, r.stdout.strip().rsplit("/")[-1], "done", "failed")
    t.is_((j["state"], j["file"], j["name"]), ("done", "Zoë.mp4", "bert"), "... and it is pushed")


with Test(__doc__) as t:
    there = t.server(**{"streams.record.path": "recordings/{stream}/{start}.mp4", "streams.reconnect_delay": "1s", "jobs.scan": "1s"})
    here = t.server(**{"upload.target": f"rtmp://127.0.0.1:{there.rtmp}/live/{{name}}", "jobs.scan": "60s", "jobs.workers": 2, "upload.max_size": "50MiB"})
    port = here.http
    with open(mp4(), "rb") as f:
        movie = f.read()

    r = request(port, "OPTIONS", "/upload", version=None)
    t.is_((r.status, r.fields.get("tus-version"), r.number("tus-max-size"), r.body), (204, "1.0.0", 50 << 20, b""), "OPTIONS: version and size")
    t.is_(set(r.fields["tus-extension"].split(",")), {"creation", "creation-with-upload", "creation-defer-length", "termination", "expiration", "checksum"}, "... extensions")
    t.is_(set(r.fields["tus-checksum-algorithm"].split(",")), {"sha1", "sha256", "md5"}, "... algorithms")
    for version in None, "0.2.1", "1.0.1":
        r = request(port, "POST", "/upload", {"Upload-Length": "1"}, version=version)
        t.is_((r.status, r.fields.get("tus-version"), r.fields.get("tus-resumable")), (412, "1.0.0", "1.0.0"), f"version {version}: 412")

    bad = [({}, 400), ({"Upload-Length": "x"}, 400), ({"Upload-Length": "-1"}, 400), ({"Upload-Length": "1e3"}, 400), ({"Upload-Length": str(1 << 40)}, 413),
        ({"Upload-Defer-Length": "2"}, 400), ({"Upload-Defer-Length": "1", "Upload-Length": "1"}, 400), ({"Upload-Length": "1", "Upload-Metadata": "\xe4 eA=="}, 400),
        ({"Upload-Length": "1", "Upload-Metadata": "a eA==,,b"}, 400)]
    t.is_([request(port, "POST", "/upload", {k: v.encode("latin-1") for k, v in f.items()}).status for f, _ in bad], [s for _, s in bad], "creations that are none")
    t.is_(request(port, "POST", "/upload/a%20b", {"Upload-Length": "1"}).status, 400, "a name that is none")
    t.is_(request(port, "POST", "/upload", {"Upload-Length": "4", "Content-Type": "text/plain"}, b"abcd").status, 415, "a body of another type")
    t.is_([request(port, m, f"/upload/{i}", {"Upload-Offset": "0", "Content-Type": OCTETS}).status for m in ("HEAD", "PATCH", "DELETE") for i in ("0" * 32, "x")], [404] * 6, "an unknown id: 404")

    meta = metadata(filename="Zoë.mp4", filetype="video/mp4") + ",flag"
    u = Upload(port, len(movie), "/upload/alice", **{"Upload-Metadata": meta})
    t.is_((u.created.status, u.created.fields["tus-resumable"], "upload-expires" in u.created.fields), (201, "1.0.0", True), f"created: {u.created.fields['location']}")
    r = u.head()
    t.is_((r.status, r.number("upload-offset"), r.number("upload-length"), r.fields["upload-metadata"], r.fields["cache-control"], r.body),
        (200, 0, len(movie), meta, "no-store", b""), "HEAD: offset, length, metadata, no-store")
    t.is_(u.patch(b"x", 1).status, 409, "another offset: 409")
    t.is_(request(port, "PATCH", u.path, {"Upload-Offset": "0"}, b"x").status, 415, "no type: 415")
    t.is_([request(port, "PATCH", u.path, {"Upload-Offset": o, "Content-Type": OCTETS}, b"x").status for o in ("", "-1", "x")] +
        [request(port, "PATCH", u.path, {"Content-Type": OCTETS}, b"x").status], [400] * 4, "no offset: 400")
    t.is_(u.offset(), 0, "nothing of these was taken")
    r = u.patch(movie[:1000], 0)
    t.is_((r.status, r.number("upload-offset"), r.body, "upload-expires" in r.fields), (204, 1000, b"", True), "PATCH: 204 and the new offset")
    t.is_(u.patch([movie[1000:1500], movie[1500:2000]], 1000).number("upload-offset"), 2000, "a chunked body of no known length")

    pos = 2000
    part = f"{here.data}/upload/{u.id}.part"
    arrived = lambda end: wait_for("its bytes are here", lambda: os.path.getsize(part) == end, 10)
    for cut in 1, 5000, 60000:
        u.broken_patch(movie[pos:], pos, cut)
        pos += cut
        arrived(pos)
        t.is_(wait_for("it is let go", u.offset, 10), pos, f"broken after {cut}: goes on at {pos}")
    hung = u.broken_patch(movie[pos:], pos, 10000, "hang")
    arrived(pos + 10000)
    here.configure({"upload.keep": "6d"})
    t.is_(here.cli("reload").returncode, 0, "a reload amid it")
    hung.sendall(movie[pos + 10000:pos + 20000])
    arrived(pos + 20000)
    t0 = time.monotonic()
    pos2 = u.offset()
    t.ok(pos2 == pos + 20000, f"one that hangs is superseded after {time.monotonic() - t0:.1f} s, at {pos2}")
    hung.close()
    r = request(port, "POST", u.path, {"Upload-Offset": str(pos2), "Content-Type": OCTETS, "X-HTTP-Method-Override": "PATCH"}, movie[pos2:pos2 + 100])
    t.is_((r.status, r.number("upload-offset")), (204, pos2 + 100), "X-HTTP-Method-Override counts")
    pos = pos2 + 100
    t.is_(u.patch(movie[pos:] + b"more", pos).status, 413, "more than was announced: 413")
    pos = u.offset()
    while pos < len(movie):
        r = u.patch(movie[pos:pos + 100000], pos)
        t.is_(r.status, 204, f"at {pos}") if r.status != 204 else None
        pos = r.number("upload-offset")
    r = u.head()
    t.is_((r.number("upload-offset"), r.number("upload-length")), (len(movie), len(movie)), "complete: HEAD knows it")
    t.is_((u.patch(b"", len(movie)).status, u.patch(b"x", len(movie)).status, u.delete().status), (204, 413, 409), "nothing can be added, nothing deleted")
    j = wait_state(here, u.id, "done", "failed")
    t.is_((j["state"], j["file"], j["name"]), ("done", "Zoë.mp4", "alice"), "converted and pushed")
    got = probe(wait_recordings(there, "alice")[0])
    t.ok(abs(got["h264"][0] - 4) < 0.4, f"it has arrived: {got}")

    real_client(t, here)

    # With its first bytes; a length that is told later; checksums.
    r = request(port, "POST", "/upload/", {"Upload-Length": "10", "Content-Type": OCTETS}, b"01234")
    t.is_((r.status, r.number("upload-offset")), (201, 5), "creation with upload")
    r = request(port, "POST", "/upload", {"Upload-Length": str(len(movie)), "Content-Type": OCTETS, "Expect": "100-continue"}, movie)
    t.is_((r.status, r.number("upload-offset")), (201, len(movie)), "... of all of it")
    t.is_(wait_state(here, r.fields["location"].rsplit("/")[-1], "done", "failed")["state"], "done", "... is pushed, too")
    u = Upload(port, None)
    r = u.head()
    t.is_((r.fields.get("upload-defer-length"), r.fields.get("upload-length")), ("1", None), "a length that is told later")
    u.patch(b"abc", 0)
    t.is_([u.patch(b"", 3, **{"Upload-Length": n}).status for n in ("2", "x", str(1 << 40))], [400, 400, 413], "lengths that can't be")
    t.is_((u.patch(b"d", 3, **{"Upload-Length": "8"}).status, u.head().fields.get("upload-length"), u.patch(b"", 4, **{"Upload-Length": "9"}).status), (204, "8", 400),
        "told once, and kept")
    for name in "sha1", "sha256", "md5":
        good = base64.b64encode(hashlib.new(name, b"e").digest()).decode()
        pos = u.offset()
        t.is_((u.patch(b"f", pos, **{"Upload-Checksum": f"{name} {good}"}).status, u.offset()), (460, pos), f"{name}: a wrong body is thrown away")
        t.is_((u.patch(b"e", pos, **{"Upload-Checksum": f"{name} {good}"}).status, u.offset()), (204, pos + 1), f"{name}: a right one is kept")
    t.is_([u.patch(b"e", 7, **{"Upload-Checksum": c}).status for c in ("crc32 aaaa", "sha1 x", "sha1", "sha1 " + "A" * 100)], [400] * 4, "checksums that are none")
    u.broken_patch(b"gh", 7, 1, **{"Upload-Checksum": "sha1 " + base64.b64encode(hashlib.sha1(b"gh").digest()).decode()})
    t.is_(wait_for("let go", u.offset, 10), 7, "what nobody can check is not kept")
    part = f"{here.data}/upload/{u.id}.part"
    for kind, fields, kept in ("checked", {"Upload-Checksum": "sha1 " + base64.b64encode(hashlib.sha1(b"gh").digest()).decode()}, 7), ("plain", {}, 8):
        hung = u.broken_patch(b"gh", 7, 1, "hang", **fields)
        arrived(8)
        for pid in here.pids("ingest"):
            os.kill(pid, signal.SIGKILL)
        hung.close()
        t.is_((wait_for("let go", u.offset, 10), os.path.getsize(part)), (kept, kept), f"kill -9 amid a {kind} PATCH: {kept} bytes are kept")
    os.utime(part, (time.time() - 7200,) * 2)
    left = email.utils.parsedate_to_datetime(u.head().fields["upload-expires"]).timestamp() - time.time()
    t.ok(abs(left - 79200) < 60, f"it expires a day after its last byte, not after this question: in {left:.0f} s")
    t.is_((u.delete().status, u.head().status, u.delete().status), (204, 404, 404), "termination")

    u = Upload(port, 10)
    here.configure({"disk.reserve": "10000GiB"})
    here.cli("reload")
    t.is_((u.patch(b"0123", 0).status, u.offset(), Upload(port, 10).created.status), (507, 0, 507), "below disk.reserve nothing is taken")
    here.wait_log(r"refused 127\.0\.0\.1:\d+ as stream \S+: the server has (less than disk.reserve left|no space left)")
    t.is_(here.status()["last_refused"]["reason"], "space", "the log and status say so")
    here.configure({"disk.reserve": "1MiB"})
    here.cli("reload")
    t.is_((u.patch(b"0123", 0).status, u.offset()), (204, 4), "and then it goes on")

    # Pages.
    r = request(port, "OPTIONS", "/upload", {"Origin": "https://a.example", "Access-Control-Request-Method": "PATCH"}, version=None)
    t.is_((r.fields["access-control-allow-origin"], "PATCH" in r.fields["access-control-allow-methods"], "Upload-Offset" in r.fields["access-control-allow-headers"]),
        ("https://a.example", True, True), "a page's browser asks first")
    r = request(port, "POST", "/upload", {"Origin": "https://a.example", "Upload-Length": "1"})
    t.ok("Location" in r.fields["access-control-expose-headers"], "and may read the answer")
    here.configure({"ws.origins": ["https://b.example"], "authorize.keys": {"*": here.cli("key", "x").stdout.split('"')[1]}})
    here.cli("reload")
    t.is_(request(port, "POST", "/upload", {"Origin": "https://a.example", "Upload-Length": "1"}).status, 403, "unless ws.origins has others")
    t.is_(request(port, "POST", "/upload/bob", {"Upload-Length": "1"}).status, 403, "with keys: none without one")
    here.configure({"authorize.routes": ["ws"]})
    here.cli("reload")
    t.is_(request(port, "POST", "/upload", {"Upload-Length": "1"}).status, 403, "authorize.routes closes it")
