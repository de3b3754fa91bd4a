#!/usr/bin/python3
"""333-frames-times: a Node client of the old protocol; beyond it: true times, sound in the MP4, binary messages, a configured file."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

from frames import *


def resample(path, *args):
    return subprocess.run(["ffmpeg", "-v", "error", *args, "-i", path, "-ar", "24000", "-ac", "1", "-f", "s16le", "-"], stdout=subprocess.PIPE, check=True).stdout


def tone_at(path, start):
    """Where (s) in the first audio track its loud part begins, from `start` on."""
    raw = subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-map", "0:a:0", "-ac", "1", "-ar", "8000", "-af", "aresample=async=1:first_pts=0", "-f", "s16le", "-"],
        stdout=subprocess.PIPE, check=True).stdout
    samples = struct.unpack(f"<{len(raw) // 2}h", raw)
    return next(i for i, s in enumerate(samples) if i >= start * 8000 and abs(s) > 3000) / 8000


with Test(__doc__, limit=150) as t:
    if not os.path.exists("/usr/share/nodejs/ws"):
        t.skip_all("no node-ws")
    jpegs, sound = pictures(45), tone(3)
    song = f"{t.dir}/song.mp3"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=700:d=1.5", "-ac", "2", song], check=True)
    m = t.server(**{"jobs.workers": 2, "frames.playback_file": song})
    os.makedirs(f"{t.dir}/jpegs")
    for i, jpeg in enumerate(jpegs):
        with open(f"{t.dir}/jpegs/{i:08d}.jpg", "wb") as f:
            f.write(jpeg)
    with open(f"{t.dir}/sound", "wb") as f:
        f.write(sound)
    node = t.spawn(["node", os.path.join(TOP, "t/lib/frames.js"), f"ws://127.0.0.1:{m.http}", "node", f"{t.dir}/jpegs", f"{t.dir}/sound"],
        env=dict(os.environ, NODE_PATH="/usr/share/nodejs"))

    # True times: of 20 frames, sent at once, ten seconds apart in the middle.
    times = [50 * i + (10000 if i >= 10 else 0) for i in range(20)]
    c = Client(m, "times")
    for jpeg, ms in zip(jpegs, times):
        c.video(jpeg, timestamp=1.7e12 + ms + 0.25)
    got = numbers(f"{m.data}/media/video/{c.close()['video']}")
    t.is_([n for n, _ in got], list(range(20)), "frames with times: each once")
    worst = max(abs(at * 1000 - ms) for (_, at), ms in zip(got, times))
    t.ok(worst <= 2, f"... each at its own time, within {worst:.1f} ms")

    # Sound and picture in one: silence up to 1.5 s, then a tone; the picture changes at that moment.
    c = Client(m, "mux", mux=True)
    t.is_(c.next(), {"eventType": "CONNECTED", "id": "mux"}, "who asks for more is told its name")
    both = bytes(RATE * 3) + tone(1.5)
    for i in range(30):
        c.audio(both[i * RATE // 10 * 2:(i + 1) * RATE // 10 * 2], timestamp=5000 + i * 100)
        c.video(jpegs[i], timestamp=5000 + i * 100)
    closed = c.close()
    mp4 = f"{m.data}/media/video/{closed['video']}"
    t.is_(probe(mp4, "a")["codec_name"], "aac", "mux: the MP4 has the sound")
    with open(f"{m.data}/media/audio/{closed['audio']}", "rb") as f:
        t.ok(wav_samples(f.read()) == both, "... and the WAV is there all the same")
    change = dict(numbers(mp4))[15]
    t.ok(abs(change - 1.5) < 0.002 and abs(tone_at(mp4, 0.2) - 1.5) < 0.06, f"they fit: picture {change:.3f} s, sound {tone_at(mp4, 0.2):.3f} s")
    pcm, end, _ = Client(m, "x").playback(file=closed["video"])
    t.ok(abs(len(pcm) / 48000 - 3) < 0.1 and end["eventType"] == "AUDIO_STREAM_END", f"an MP4's sound is played: {len(pcm) / 48000:.2f} s")

    c = Client(m, "burst", mux=True)
    for i in range(30):
        c.video(jpegs[i])
    c.audio(sound[:RATE * 4])
    mp4 = f"{m.data}/media/video/{c.until('CONNECTED') and c.close()['video']}"
    t.ok(abs(numbers(mp4)[29][1] - 29 / 15) < 0.002 and probe(mp4, "a")["codec_name"] == "aac", "sent at once and without times, it has 15 a second")

    # Binary messages; sound cut amid a sample; sound that began before the picture.
    c = Client(m, "binary")
    for i in range(0, 30000, 777):
        c.binary("A", sound[i:i + 777][:30000 - i], 100 + i / 88.2)
    for i in range(15):
        c.binary("V", jpegs[i], 1100 + i * 40)
    closed = c.close()
    with open(f"{m.data}/media/audio/{closed['audio']}", "rb") as f:
        t.ok(wav_samples(f.read()) == sound[:30000], "binary: the WAV is exact")
    got = numbers(f"{m.data}/media/video/{closed['video']}")
    t.ok([n for n, _ in got] == list(range(15)) and got[0][1] == 0 and abs(got[14][1] - 0.56) < 0.003, "binary: each frame at its time, from 0 on", got)

    pcm, end, _ = Client(m, "nobody").playback()
    t.ok(pcm == resample(song) and end["samples"] == len(pcm) // 2, "who has no recording hears the configured file")

    t.is_(node.wait(30), 0, "the Node client is through")
    said = [json.loads(line) for line in node.out().splitlines()]
    kinds = [s["eventType"] for s in said]
    t.ok(set(kinds[:-3]) == {"AUDIO_STREAM_PAYLOAD"} and kinds[-3:] == ["AUDIO_STREAM_END", "CLOSED", "close"], "it hears what it knows, then the end", kinds)
    t.is_(said[-1]["code"], 1000, "and is closed as it should be")
    with open(f"{t.dir}/own", "wb") as f:
        f.write(sound)
    t.ok(b"".join(base64.b64decode(s["audioChunk"]) for s in said[:-3]) == resample(f"{t.dir}/own", "-f", "s16le", "-ar", "44100", "-ac", "1"), "its playback is what it has said")
    t.is_([n for n, _ in numbers(f"{m.data}/media/video/{said[-2]['video']}")], list(range(45)), "its MP4 has each frame")
    with open(f"{m.data}/media/audio/{said[-2]['audio']}", "rb") as f:
        t.ok(wav_samples(f.read()) == sound, "its WAV each sample")
