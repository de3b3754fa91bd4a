#!/usr/bin/python3
"""626-refused-mp4: an MP4 that lacks a track or is too short never takes the raw file's place, of FLV and of Matroska; mended, it does."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

import glob

SPOIL = {"lacks_sound": ("-an", "lacks the sound"), "lacks_video": ("-vn", "lacks the video"), "is_short": ("-t 2", "is too short")}


def spoiling_ffmpeg(t):
    """An ffmpeg that leaves something out of an MP4, by the stream's name, until the file `mended` is there."""
    path = f"{t.dir}/ffmpeg"
    cases = "\n".join(f"*faststart*/{name}_*) spoil='{args}' ;;" for name, (args, _) in SPOIL.items())
    with open(path, "w") as f:
        f.write(f'''#!/bin/sh
[ -e {t.dir}/mended ] || case "$*" in
{cases}
esac
for a; do
    shift
    [ "$a" = -max_interleave_delta ] && set -- "$@" $spoil
    set -- "$@" "$a"
done
exec {shutil.which("ffmpeg")} "$@"
''')
    os.chmod(path, 0o755)
    return path


def seen(m):
    """{(stream, why it is refused)}"""
    return set(re.findall(r"rec/(\w+)/\S+: its MP4 ([\w ]+)", m.cli("jobs", "--failed").stdout))


with Test(__doc__) as t:
    m = t.server(**{"streams.record.path": "recordings/{stream}/{start}.mp4", "jobs.workers": 2, "jobs.attempts": 2, "jobs.retry_min": "100ms",
        "jobs.scan": "1s", "streams.reconnect_delay": "500ms", "ffmpeg.path": spoiling_ffmpeg(t)})
    of = {"flv": clips.clip(seconds=6), "mkv": clips.enhanced("hevc", "aac", 6), "opus": clips.enhanced("h264", "opus", 6)}
    names = [f"{how}_{what}" for how in SPOIL for what in of]
    publishers = [t.publish(m, name, of[name.rpartition("_")[2]]) for name in names]
    for p in publishers:
        p.finished.wait(30)
        p.end()
    want = {(name, SPOIL[name.rpartition("_")[0]][1]) for name in names}
    wait_for("all have failed", lambda: len(seen(m)) >= len(want), 60, 0.3)
    t.is_(seen(m), want, "each is refused, and says why")
    raw = sorted(f.split("/")[-2] + f[-4:] for f in glob.glob(f"{m.data}/rec/*/*"))
    t.is_(raw, sorted(name + (".flv" if name.endswith("_flv") else ".mkv") for name in names), "every raw file is kept")
    t.is_(glob.glob(f"{m.data}/recordings/*/*") + glob.glob(f"{m.data}/recordings/*/.*"), [], "and no MP4 is there")

    open(f"{t.dir}/mended", "w").close()
    for job in json.loads(m.cli("jobs", "--failed", "--json").stdout)["jobs"]:
        m.cli("jobs", "retry", job["id"])
    wait_for("all are finished", lambda: not glob.glob(f"{m.data}/rec/*/*"), 60, 0.3)
    t.is_(sorted(f.split("/")[-2] for f in glob.glob(f"{m.data}/recordings/*/*.mp4")), sorted(names), "mended, each becomes its MP4")
