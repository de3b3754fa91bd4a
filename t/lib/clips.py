"""clips.py - small FLV files to publish, each encoded once and kept in build/media.

Every video frame and every AAC frame of a clip is unlike all others (a counter in the picture,
noise as sound), so that a hash says which one arrived.
"""
import fcntl, os, subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MEDIA = os.path.join(TOP, "build", "media")


def clip(seconds=60, gop=1.0, audio=True, video=True, fps=25, size="320x180"):
    """Path of an FLV with these properties."""
    path = os.path.join(MEDIA, f"{seconds}s_g{gop}_{'a' if audio else ''}{'v' if video else ''}_{fps}_{size}.flv")
    return _made(path, _args(seconds, gop, audio, video, fps, size))


def gop_change(first=2, second=10, seconds=44):
    """Key frames every `first` s until 20 s, then every `second` s."""
    path = os.path.join(MEDIA, f"change_{first}_{second}_{seconds}s.flv")
    args = _args(seconds, 1000, True, True, 25, "320x180")
    keys = f"if(lt(t,20),gte(t,n_forced*{first}),gte(t,20+(n_forced-{20 // first})*{second}))"
    at = args.index("-g")
    return _made(path, args[:at] + ["-force_key_frames", f"expr:{keys}"] + args[at:])


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


def _made(path, args):
    if os.path.exists(path):
        return path
    os.makedirs(MEDIA, exist_ok=True)
    with open(path + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(path):
            subprocess.run(["ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-y", *args,
                "-f", "flv", path + ".part"], check=True)
            os.rename(path + ".part", path)
    return path
