#!/usr/bin/python3
"""655-full-disk: the disk fills up amid a recording, amid its finishing and amid an upload: status says it, all goes on by itself, nothing that was on the disk is lost."""
import glob, os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *
from media import flv_frames
from s3 import *

BUCKET = "media"

if os.geteuid() != 0:
    Test(__doc__).skip_all("needs root for a small tmpfs")


class Disk:
    def __init__(self, t, mib):
        self.dir = f"{t.dir}/small"
        os.mkdir(self.dir)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", self.dir], stderr=subprocess.DEVNULL).returncode:
            t.skip_all("may not mount a tmpfs here")

    def fill(self):
        with open(f"{self.dir}/ballast", "ab", buffering=0) as f:
            for size in (1 << 20, 4096):
                try:
                    while f.write(bytes(size)):
                        pass
                except OSError:
                    pass

    def empty(self):
        os.truncate(f"{self.dir}/ballast", 0)

    def free(self):
        subprocess.run(["umount", "-l", self.dir])


def late_ffmpeg(t):
    """Is an ffmpeg that finishes recordings only when go is there."""
    path = f"{t.dir}/ffmpeg"
    with open(path, "w") as f:
        f.write(f'#!/bin/sh\ncase "$*" in *faststart*) while [ ! -e {t.dir}/go ]; do sleep 0.1; done ;; esac\nexec {shutil.which("ffmpeg")} "$@"\n')
    os.chmod(path, 0o755)
    return path


def frames(files):
    """{hash} of both kinds, and what ffmpeg says when it decodes them."""
    have, said = set(), []
    for file in files:
        flv = subprocess.run(["ffmpeg", "-v", "error", "-i", file, "-c", "copy", "-f", "flv", "-"], stdout=subprocess.PIPE).stdout
        said += subprocess.run(["ffmpeg", "-v", "error", "-i", file, "-f", "null", "-"], stderr=subprocess.PIPE, text=True).stderr.splitlines()
        video, audio = flv_frames(flv)
        have |= {h for _, h in video + audio}
    return have, said


def says(m, pattern):
    r = m.cli("status")
    return r.returncode == 1 and re.search(pattern, r.stdout)


def finished(m, name):
    def done():
        return not glob.glob(f"{m.data}/rec/{name}/*") and sorted(glob.glob(f"{m.data}/recordings/{name}/*.mp4"))
    return wait_for(f"{name} is finished", done, 40, 0.2)


def healthy(m):
    return m.cli("status").returncode == 0


with Test(__doc__, limit=200) as t:
    s3 = Swift(t)
    s3.client.create_bucket(Bucket=BUCKET)
    disk = Disk(t, 40)
    try:
        top, go = f"{t.dir}/in", f"{t.dir}/go"
        os.mkdir(top)
        open(go, "w").close()
        m = t.server(start=False)
        m.data = f"{disk.dir}/data"
        m.configure({"data_dir": m.data, "disk.reserve": "4MiB", "ffmpeg.path": late_ffmpeg(t), "jobs.workers": 2, "jobs.scan": "1s",
            "jobs.retry_min": "200ms", "jobs.retry_max": "1s", "jobs.lease": "2s", "streams.reconnect_delay": "500ms",
            "streams.cleanup_delay": "500ms", "streams.record.path": "recordings/{stream}/{start}.mp4", "streams.record.split": "2s",
            "watch": [{"dir": top, "to": f"s3://{BUCKET}/in/"}], "watch_quiet": "200ms", "storage.s3": {"endpoint": s3.endpoint, "region": REGION,
            "bucket": BUCKET, "prefix": "rec/", "access_key": KEY, "secret_key": SECRET, "part_size": "5MiB", "bandwidth": "8MiB"}})
        m.start()
        wait_for("healthy", lambda: healthy(m), 15, 0.2)
        clip = clips.clip(seconds=60)
        with open(clip, "rb") as f:
            source = [x for kind in flv_frames(f.read()) for x in kind]

        p = t.publish(m, "alice", clip, end_ms=16000)
        m.wait_playlist("alice", 3)
        before = p.sent_ms - 300
        disk.fill()
        wait_for("status says it", lambda: says(m, r"(?i)paused|disk.reserve"), 20, 0.3)
        t.like(m.cli("status").stdout, r"(?i)PAUSED", "full amid a recording: it is paused, and status says so")
        t.ok(p.is_alive() and p.error is None, "the publisher is not hindered")
        disk.empty()
        wait_for("it is recorded again", lambda: "there is space again: the recording goes on" in m.log(), 10, 0.1)
        after = p.sent_ms + 1000    # the next key frame
        p.finished.wait(30)
        p.end()
        have, said = frames(finished(m, "alice"))
        missing = [ts for ts, h in source if ts < 16000 and h not in have]
        t.none([ts for ts in missing if not before < ts <= after], f"missing is only what came while it was full: {len(missing)} frames of {before / 1000:.1f} to {after / 1000:.1f} s")
        t.none(said, "its files play")
        wait_for("healthy again", lambda: healthy(m), 30, 0.3)
        t.ok(True, "status is healthy again")

        os.unlink(go)
        p = t.publish(m, "bob", clip, end_ms=6000)
        p.finished.wait(20)
        p.end()
        wait_for("all of it has come", lambda: not m.pids("ingest"), 20, 0.1)
        wait_for("its finishing has begun", lambda: "finishing rec/bob" in m.log(), 10, 0.1)
        written = len(glob.glob(f"{m.data}/rec/bob/*"))
        disk.fill()
        open(go, "w").close()
        # what is removed meanwhile, of the live stream say, makes no room; Redis dies of that, so the job's end may not be told
        wait_for("its finishing has failed", lambda: disk.fill() or re.search(r'=rec/bob\S+ source="ffmpeg finalise" msg=.*No space left', m.log()), 20, 0.05)
        t.is_(len(glob.glob(f"{m.data}/rec/bob/*")), written, "full amid finishing: every raw file is kept")
        wait_for("status says it", lambda: says(m, r"(?i)disk.reserve|space"), 20, 0.3)
        t0 = time.monotonic()
        wait_for("some time with a full disk", lambda: time.monotonic() - t0 > 4, 6)
        disk.empty()
        have, said = frames(finished(m, "bob"))
        t.none([ts for ts, h in source if ts < 6000 and h not in have], "then it is finished with every frame")
        t.none(said, "its files play")
        t.none(glob.glob(f"{m.data}/recordings/*/.*"), "nothing half done is left")

        with open(f"{top}/big.mp4.part", "wb") as f:
            f.write(os.urandom(22 * MIB))
        os.rename(f"{top}/big.mp4.part", f"{top}/big.mp4")
        wait_for("it goes up", lambda: s3.open_uploads(BUCKET), 20, 0.2)
        disk.fill()
        wait_for("status says it", lambda: says(m, r"(?i)disk.reserve|space"), 20, 0.3)
        t0 = time.monotonic()
        wait_for("some time with a full disk", lambda: time.monotonic() - t0 > 4, 6)
        disk.empty()
        want = {"in/big.mp4": f"{top}/big.mp4", **{f"rec/{os.path.relpath(p, m.data)}": p for p in glob.glob(f"{m.data}/recordings/*/*.mp4")}}
        wait_for("all is in the bucket", lambda: set(s3.keys(BUCKET)) == set(want), 40, 0.3)
        def equal(key, path):
            with open(path, "rb") as f:
                return hashlib.file_digest(f, "sha256").hexdigest() == s3.sha256(BUCKET, key)
        t.none([k for k, p in want.items() if not equal(k, p)], f"full amid an upload: then all {len(want)} objects have the bytes of their files")
        wait_for("no job is left", lambda: "no job" in m.cli("jobs").stdout, 30, 0.3)
        t.is_(s3.open_uploads(BUCKET), [], "no upload is left open")
        wait_for("healthy again", lambda: healthy(m), 30, 0.3)
        t.end_helpers()
        t.end_servers()
        t.servers.clear()
    finally:
        disk.free()
