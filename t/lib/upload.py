"""upload.py - uploads as they lie on the disk, videos of every kind to send, and what arrived at the target."""
import glob, json, os, secrets, struct, subprocess, time

import clips
from mp4 import boxes, find
from millrace import wait_for


def place(m, path, name="", file=None, state="received"):
    """An upload as an ingest leaves it; its id."""
    id = secrets.token_hex(16)
    base = f"{m.data}/upload/{id}"
    with open(path, "rb") as f:
        data = f.read()
    with open(base + ".part", "wb") as f:
        f.write(data)
    now = int(time.time() * 1000)
    entry = {"id": id, "state": state, "name": name, "file": file or os.path.basename(path), "meta": "", "size": len(data),
        "created": now, "changed": now, "duration_ms": 0, "tried": 0}
    with open(base + ".json.tmp", "w") as f:
        json.dump(entry, f)
    os.rename(base + ".json.tmp", base + ".json")
    return id


def entry(m, id):
    with open(f"{m.data}/upload/{id}.json") as f:
        return json.load(f)


def files(m, id):
    return sorted(f[33:] for f in os.listdir(f"{m.data}/upload") if f.startswith(id))


def job(m, id):
    status, _, body = m.try_get(f"/api/v1/jobs/{id}")
    return json.loads(body) if status == 200 else {"state": f"HTTP {status}", "error": body.decode(errors="replace")}


def wait_state(m, id, *states, limit=60):
    def reached():
        j = job(m, id)
        return j if j["state"] in states else None
    try:
        return wait_for(f"upload {id[:8]} is {' or '.join(states)}", reached, limit, 0.1)
    except Exception as e:
        raise type(e)(f"{e}; it is {job(m, id)}")


def mp4(seconds=4):
    """H.264 and AAC as a camera has them, the index at the end."""
    return made(f"upload_{seconds}s.mp4", ["-i", clips.clip(seconds=seconds), "-c", "copy", "-f", "mp4"])


def mov(seconds=4):
    """Turned, as a telephone that is held upright makes it."""
    return made(f"turned_{seconds}s.mov", ["-i", clips.clip(seconds=seconds), "-c", "copy", "-f", "mov"], turned)


def turned(data):
    """A MOV whose pictures are to be shown a quarter clockwise: ffmpegs differ in how they are told to write that."""
    for kind, start, end in boxes(data, *find(data, "moov")):
        if kind != b"trak":
            continue
        _, stop = find(data, "tkhd", start, end)
        width, height = struct.unpack(">II", data[stop - 8:stop])
        if width:       # the video; before its size lies the matrix
            matrix = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, height, 0, 1 << 30)
            data = data[:stop - 44] + matrix + data[stop - 8:]
    return data


def webm(seconds=4):
    """VP8 and Opus of a size that no encoder of H.264 takes, without a duration, as a browser's recorder makes it."""
    return made(f"upload_{seconds}s.webm", ["-f", "lavfi", "-i", "testsrc2=size=321x181:rate=25", "-f", "lavfi", "-i",
        "anoisesrc=amplitude=0.1:seed=1:sample_rate=48000", "-t", str(seconds), "-c:v", "libvpx", "-deadline", "realtime",
        "-cpu-used", "8", "-b:v", "300k", "-c:a", "libopus", "-f", "webm", "-live", "1"])


def made(name, args, change=lambda data: data):
    def make(part):
        subprocess.run(["ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-y", *args, part], check=True)
        with open(part, "rb") as f:
            data = change(f.read())
        with open(part, "wb") as f:
            f.write(data)
    return clips.once(os.path.join(clips.MEDIA, name), make)


def recordings(m, name):
    return sorted(glob.glob(f"{m.data}/recordings/{name}/*.mp4"))


def wait_recordings(m, name, n=1, limit=40):
    """n recordings of the target, complete."""
    return wait_for(f"{n} recordings of {name}", lambda: (lambda r: r if len(r) >= n and not glob.glob(f"{m.data}/rec/{name}/*")
        else None)(recordings(m, name)), limit, 0.2)


def probe(path):
    """{codec: (seconds, width)} of a file's streams."""
    out = subprocess.run(["ffprobe", "-v", "error", "-show_streams", "-show_format", "-of", "json", path], check=True,
        stdout=subprocess.PIPE).stdout
    info = json.loads(out)
    return {s["codec_name"]: (float(s.get("duration", info["format"].get("duration", 0))), s.get("width"), s.get("height"))
        for s in info["streams"]}
