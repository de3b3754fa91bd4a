#!/usr/bin/python3
"""330-frames: JPEGs and PCM in JSON become an MP4 and a WAV with all of them in it; playback is real-time and exact."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

from frames import *
from ws import CLOSE, TEXT, frame

with Test(__doc__) as t:
    m = t.server(**{"jobs.workers": 1})
    jpegs, sound = pictures(40), tone(3.2)

    # Just what a client of the old server says, on "/" and nothing else.
    c = Client(m, "cam1")
    for i, jpeg in enumerate(jpegs):
        c.video(jpeg)
        c.audio(sound[i * len(sound) // 40 // 2 * 2:(i + 1) * len(sound) // 40 // 2 * 2])
    closed = c.close()
    t.is_(c.got, [closed], "nothing is said to it before its end")
    t.is_(c.next(), None, "then the connection is closed")
    t.is_(c.code, 1000, "... as it should be")
    t.ok(re.fullmatch(r"cam1_\d{13}\.mp4", closed["video"]) and closed["audio"] == closed["video"][:-4] + ".wav", "CLOSED names its files", closed)
    t.is_((closed["state"], closed["frames"], closed["samples"]), ("done", 40, len(sound) // 2), "... and what is in them")
    mp4, wav = f"{m.data}/media/video/{closed['video']}", f"{m.data}/media/audio/{closed['audio']}"
    t.is_([n for n, _ in numbers(mp4)], list(range(40)), "the MP4 has each frame once, in order")
    v = probe(mp4)
    t.is_((v["codec_name"], v["pix_fmt"], v["r_frame_rate"], v["avg_frame_rate"], v["nb_read_frames"]), ("h264", "yuv420p", "15/1", "15/1", "40"), "H.264, yuv420p, 15 fps")
    t.ok(abs(float(v["format"]["duration"]) - 40 / 15) < 0.01, f"duration {v['format']['duration']}")
    with open(mp4, "rb") as f:
        t.ok(b"moov" in f.read(64), "its index stands in front")
    with open(wav, "rb") as f:
        t.ok(wav_samples(f.read()) == sound, "the WAV is sample-exact")
    t.is_(os.listdir(f"{m.data}/media/temp"), [], "nothing is left in media/temp")
    t.is_(sorted(os.listdir(f"{m.data}/media/video") + os.listdir(f"{m.data}/media/audio")), [closed["video"], closed["audio"]], "one of each")

    listed = wait_for("/recordings lists them", lambda: (lambda l: l if l["video"] and l["audio"] else None)(json.loads(m.get("/recordings")[2])))
    t.is_(listed, {"video": [closed["video"]], "audio": [closed["audio"]]}, "/recordings")
    status, head, body = m.get(f"/recordings/{closed['audio']}")
    t.ok(status == 200 and head["content-type"] == "audio/wav" and wav_samples(body) == sound, "the WAV can be fetched")
    t.is_(m.get(f"/recordings/{closed['video']}")[0], 200, "so can the MP4")

    # Playback: its own latest recording, by its name, of what it has just said.
    reference = subprocess.run(["ffmpeg", "-v", "error", "-i", wav, "-ar", "24000", "-ac", "1", "-f", "s16le", "-"], stdout=subprocess.PIPE, check=True).stdout
    c = Client(m, "cam1", "/frames")
    t0 = time.monotonic()
    pcm, end, times = c.playback()
    took = time.monotonic() - t0
    t.ok(pcm == reference, "the latest recording is played, as a reference resample has it", f"{len(pcm)} bytes, {len(reference)} wanted")
    t.is_((end["eventType"], end["file"], end["samples"]), ("AUDIO_STREAM_END", closed["audio"], len(reference) // 2), "its end is told")
    t.ok(3.1 < took < 3.2 + 1.5, f"3.2 s took {took:.2f} s")
    early = max((i + 1) * 0.1 - (at - times[0]) - 0.1 for i, at in enumerate(times))
    t.ok(early < 0.03, f"no payload comes early: {early:.3f} s")
    t.is_(c.playback(file=closed["video"])[1]["eventType"], "ERROR", "an MP4 without sound is not played")
    t.is_(c.playback(file="../../lock")[1]["field"], "file", "a name that is none is refused")
    c.audio(sound[:44100])
    pcm, end, _ = c.playback()
    with open(f"{t.dir}/own", "wb") as f:
        f.write(sound[:44100])
    want = subprocess.run(["ffmpeg", "-v", "error", "-f", "s16le", "-ar", "44100", "-ac", "1", "-i", f"{t.dir}/own", "-ar", "24000", "-f", "s16le", "-"],
        stdout=subprocess.PIPE, check=True).stdout
    t.ok(pcm == want, "what it has said in this session is its latest", f"{len(pcm)} bytes, {len(want)} wanted, {end}")
    c.cut()
    second = wait_for("a cut connection's WAV", lambda: [f for f in os.listdir(f"{m.data}/media/audio") if f != closed["audio"] and f.endswith(".wav") and f[0] != "."])
    with open(f"{m.data}/media/audio/{second[0]}", "rb") as f:
        t.ok(wav_samples(f.read()) == sound[:44100], "it has all that had come")
    # All at once, and gone before anybody could say who it is.
    c = Client(m)
    said = [{"eventType": "CONNECT", "id": "hasty"}] + [{"eventType": "STREAM", "mediaSourceType": "AUDIO",
        "encodedMediaChunk": base64.b64encode(sound[i * 8820:(i + 1) * 8820]).decode()} for i in range(3)]
    c.ws.sock.sendall(b"".join(frame(TEXT, json.dumps(x).encode()) for x in said) + frame(CLOSE, struct.pack(">H", 1000)))
    t.is_((c.next(), c.code), (None, 1000), "a client that closes in the same breath is answered")
    hasty = wait_for("its WAV", lambda: [f for f in os.listdir(f"{m.data}/media/audio") if f.startswith("hasty_")])
    with open(f"{m.data}/media/audio/{hasty[0]}", "rb") as f:
        t.ok(wav_samples(f.read()) == sound[:3 * 8820], "... and all that it had sent is kept")
    c = Client(m, "stranger")
    t.is_(c.playback()[1]["field"], "file", "nothing to play is an error")
    answer = c.close()
    t.is_((answer["state"], answer["frames"], "video" in answer, "audio" in answer), ("done", 0, False, False), "a session without anything leaves nothing")
