"""clips.py - small FLV files to publish, each encoded once and kept in build/media.

Every video frame and every AAC frame of a clip is unlike all others (a counter in the picture,
noise as sound), so that a hash says which one arrived.
"""
import fcntl, os, struct, subprocess

import mp4

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MEDIA = os.path.join(TOP, "build", "media")


def clip(seconds=60, gop=1.0, audio=True, video=True, fps=25, size="320x180"):
    """Path of an FLV with these properties."""
    path = os.path.join(MEDIA, f"{seconds}s_g{gop}_{'a' if audio else ''}{'v' if video else ''}_{fps}_{size}.flv")
    return made(path, _args(seconds, gop, audio, video, fps, size))


def gop_change(first=2, second=10, seconds=44):
    """Key frames every `first` s until 20 s, then every `second` s."""
    path = os.path.join(MEDIA, f"change_{first}_{second}_{seconds}s.flv")
    args = _args(seconds, 1000, True, True, 25, "320x180")
    keys = f"if(lt(t,20),gte(t,n_forced*{first}),gte(t,20+(n_forced-{20 // first})*{second}))"
    at = args.index("-g")
    return made(path, args[:at] + ["-force_key_frames", f"expr:{keys}"] + args[at:])


def bulky(seconds=12, mbit=24):
    """Noise: mbit a second, for what counts bytes."""
    path = os.path.join(MEDIA, f"bulky_{seconds}s_{mbit}.flv")
    return made(path, ["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25,noise=alls=60:allf=t+u", "-f", "lavfi", "-i",
        "anoisesrc=amplitude=0.1:seed=1:sample_rate=48000", "-t", str(seconds), "-c:v", "libx264", "-preset", "ultrafast",
        "-b:v", f"{mbit}M", "-minrate", f"{mbit}M", "-maxrate", f"{mbit}M", "-bufsize", f"{mbit}M", "-g", "25", "-pix_fmt",
        "yuv420p", *AUDIO["aac"]])


def _args(seconds, gop, audio, video, fps, size):
    args = []
    if video:
        args += ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate={fps}"]
    if audio:
        args += ["-f", "lavfi", "-i", "anoisesrc=amplitude=0.1:seed=1:sample_rate=48000"]
    args += ["-t", str(seconds)]
    if video:
        frames = str(round(gop * fps))
        args += ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-b:v", "250k", "-g", frames,
            "-keyint_min", frames, "-sc_threshold", "0", "-pix_fmt", "yuv420p"]
    if audio:
        args += ["-c:a", "aac", "-b:a", "64k", "-ac", "1"]
    return args


VIDEO = {
    "h264": ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-b:v", "250k", "-g", "25", "-keyint_min", "25", "-sc_threshold", "0"],
    "hevc": ["-c:v", "libx265", "-preset", "ultrafast", "-tag:v", "hvc1", "-x265-params",
        "keyint=25:min-keyint=25:scenecut=0:open-gop=0:bframes=2:log-level=none"],
    "av1": ["-c:v", "libaom-av1", "-cpu-used", "8", "-usage", "realtime", "-b:v", "300k", "-g", "25", "-keyint_min", "25"],
    "vp9": ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "300k", "-g", "25", "-keyint_min", "25"],
}
AUDIO = {"aac": ["-c:a", "aac", "-b:a", "64k", "-ac", "1"], "opus": ["-c:a", "libopus", "-b:a", "64k", "-ac", "2"]}


def enhanced(video, audio, seconds=12):
    """An FLV of Enhanced RTMP tags: made from an MP4, because not every ffmpeg can write one. A key frame each second."""
    path = os.path.join(MEDIA, f"enhanced_{video}_{audio}_{seconds}s.flv")
    return once(path, lambda part: _enhance(path + ".mp4", part, video, audio, seconds))


def _enhance(mp4_path, part, video, audio, seconds):
    whole = made(mp4_path, ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25", "-f", "lavfi", "-i",
        "anoisesrc=amplitude=0.1:seed=1:sample_rate=48000", "-t", str(seconds), "-pix_fmt", "yuv420p", *VIDEO[video], *AUDIO[audio]], "mp4")
    with open(whole, "rb") as f:
        v, a = mp4.tracks(f.read())
    tags = [(0, 9, b"\x90" + v.codec + v.config)]
    if a.codec == b"Opus":
        tags.append((0, 8, b"\x90Opus" + b"OpusHead\x01" + a.config[1:2] + struct.pack("<HIhB", *struct.unpack(">HIhB", a.config[2:11]))))
    else:
        tags.append((0, 8, b"\xaf\0\x11\x88"))      # AAC-LC, 48 kHz, mono
    # the first decode time is 0; the presentation of a stream that reorders begins later
    for time, offset, key, data in v.samples:
        ms, cts = time * 1000 // v.scale, offset * 1000 // v.scale
        head = bytes([0x80 | (1 if key else 2) << 4 | (1 if v.codec == b"hvc1" else 3)]) + v.codec
        tags.append((ms, 9, head + (cts.to_bytes(3, "big") if v.codec == b"hvc1" else b"") + data))
    for n, (time, _, _, data) in enumerate(a.samples):
        if a.codec == b"mp4a":
            time = n * 1024         # the encoder's delay made the first one short
        tags.append((time * 1000 // a.scale, 8, (b"\x91Opus" if a.codec == b"Opus" else b"\xaf\1") + data))
    with open(part, "wb") as f:
        f.write(b"FLV\1\5\0\0\0\t\0\0\0\0")
        for ms, kind, body in sorted(tags, key=lambda t: t[0]):
            f.write(bytes([kind]) + len(body).to_bytes(3, "big") + (ms & 0xFFFFFF).to_bytes(3, "big") + bytes([ms >> 24, 0, 0, 0]))
            f.write(body + (len(body) + 11).to_bytes(4, "big"))


def once(path, make):
    """path, made by make(another path) if nobody has yet; tests run side by side and want the same ones."""
    if os.path.exists(path):
        return path
    os.makedirs(MEDIA, exist_ok=True)
    with open(path + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(path):
            make(path + ".part")
            os.rename(path + ".part", path)
    return path


def made(path, args, form="flv"):
    return once(path, lambda part: subprocess.run(["ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-y", *args,
        "-f", form, part], check=True))


# What browsers and apps send as chunks: (format, suffix, ffmpeg's arguments).
CONTAINERS = {
    "vp8": ("webm", "webm", ["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "400k", "-g", "50",
        "-c:a", "libopus", "-b:a", "64k", "-live", "1", "-cluster_time_limit", "500"]),
    "vp9": ("webm", "webm", ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "300k", "-g", "50",
        "-c:a", "libopus", "-b:a", "64k", "-live", "1", "-cluster_time_limit", "500"]),
    "av1": ("webm", "webm", ["-c:v", "libsvtav1", "-preset", "12", "-b:v", "300k", "-g", "50",
        "-c:a", "libopus", "-b:a", "64k", "-live", "1", "-cluster_time_limit", "500"]),
    "h264": ("matroska", "mkv", ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-b:v", "300k", "-g", "50",
        "-c:a", "libopus", "-b:a", "64k", "-live", "1", "-cluster_time_limit", "500"]),
    "fmp4": ("mp4", "mp4", ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-b:v", "300k", "-g", "50",
        "-c:a", "aac", "-b:a", "64k", "-movflags", "+frag_keyframe+empty_moov+default_base_moof", "-frag_duration", "500000"]),
    "ts": ("mpegts", "ts", ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-b:v", "300k", "-g", "50",
        "-c:a", "aac", "-b:a", "64k"]),
    "ogg": ("ogg", "ogg", ["-vn", "-c:a", "libopus", "-b:a", "64k"]),
    "plain": ("mp4", "mp4", ["-c:v", "libx264", "-preset", "ultrafast", "-b:v", "3000k", "-minrate", "3000k", "-maxrate", "3000k",
        "-bufsize", "3000k", "-c:a", "aac"]),
}


def container(name, seconds=30, size="320x240"):
    """A file as MediaRecorder (or an app) would send it in chunks."""
    form, suffix, args = CONTAINERS[name]
    path = os.path.join(MEDIA, f"container_{name}_{seconds}s_{size}.{suffix}")
    return made(path, ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate=25", "-f", "lavfi", "-i",
        "anoisesrc=amplitude=0.1:seed=1:sample_rate=48000", "-t", str(seconds), "-pix_fmt", "yuv420p", *args], form)
