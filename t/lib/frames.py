"""frames.py - clients of /frames for tests: the protocol over python3-websocket, pictures that tell which one they are, sounds.

A picture's number is drawn as 16 blocks of black or white, so it can be read again from a video, whatever it went through.
"""
import base64, json, math, os, struct, subprocess, sys, time

import websocket

RATE = 44100


def pictures(count, size="320x240", start=0):
    """JPEGs start .. start + count - 1."""
    w, h = map(int, size.split("x"))
    raw = bytearray()
    for n in range(start, start + count):
        row = bytearray()
        for x in range(w):
            row.append(235 if n >> (x * 16 // w) & 1 else 16)
        raw += bytes(row) * h
    jpegs = subprocess.run(["ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "gray", "-s", size, "-i", "-", "-q:v", "3", "-pix_fmt",
        "yuvj420p", "-f", "image2pipe", "-c:v", "mjpeg", "-"], input=bytes(raw), stdout=subprocess.PIPE, check=True).stdout
    parts = jpegs.split(b"\xff\xd9")
    assert len(parts) == count + 1, len(parts)
    return [p + b"\xff\xd9" for p in parts[:-1]]


def numbers(path):
    """[(number, time in s)] of the frames of a video that pictures() began."""
    info = probe(path)
    w, h = info["width"], info["height"]
    raw = subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-map", "0:v:0", "-fps_mode", "passthrough", "-enc_time_base", "1:1000", "-f", "rawvideo", "-pix_fmt", "gray", "-"],
        stdout=subprocess.PIPE, check=True).stdout
    times = [float(f["pts_time"]) for f in ffprobe(path, "-select_streams", "v:0", "-show_frames", "-show_entries", "frame=pts_time")["frames"]]
    found = []
    for i in range(len(raw) // (w * h)):
        row = raw[i * w * h + (h // 2) * w:][:w]
        found.append(sum(1 << b for b in range(16) if row[(2 * b + 1) * w // 32] > 125))
    assert len(found) == len(times), (len(found), len(times))
    return list(zip(found, times))


def ffprobe(path, *args):
    return json.loads(subprocess.run(["ffprobe", "-v", "error", "-of", "json", *args, path], stdout=subprocess.PIPE, check=True).stdout)


def probe(path, kind="v"):
    info = ffprobe(path, "-count_frames", "-show_streams", "-show_format", "-select_streams", f"{kind}:0")
    return dict(info["streams"][0], format=info["format"])


def tone(seconds, hz=440.0, seed=1):
    """A tone that changes all the time, so that no part of it is like another; s16le."""
    out, x = [], seed
    for i in range(int(seconds * RATE)):
        x = (x * 1103515245 + 12345) & 0x7fffffff
        out.append(int(9000 * math.sin(2 * math.pi * (hz + i / 400) * i / RATE)) + (x >> 16) % 200)
    return struct.pack(f"<{len(out)}h", *out)


def wav_samples(data):
    """The samples of a WAV as written by Millrace; its header is checked."""
    assert data[:4] == b"RIFF" and data[8:16] == b"WAVEfmt " and data[36:40] == b"data", data[:44]
    riff, size = struct.unpack("<I", data[4:8])[0], struct.unpack("<I", data[40:44])[0]
    assert struct.unpack("<IHHIIHH", data[16:36]) == (16, 1, 1, RATE, 2 * RATE, 2, 16), data[:44]
    assert riff == len(data) - 8 and size == len(data) - 44, (riff, size, len(data))
    return data[44:]


class Client:
    """One client, as the old server's were: it says what it is told to and collects what comes."""

    def __init__(self, m, id=None, path="/", **connect):
        self.ws = websocket.create_connection(f"ws://127.0.0.1:{m.http}{path}", timeout=30)
        self.got, self.code = [], None
        if id is not None:
            self.say(dict(connect, eventType="CONNECT", id=id))

    def say(self, message):
        self.ws.send(message if isinstance(message, str) else json.dumps(message))

    def video(self, jpeg, **more):
        self.say(dict(more, eventType="STREAM", mediaSourceType="VIDEO", encodedMediaChunk=base64.b64encode(jpeg).decode()))

    def audio(self, pcm, **more):
        self.say(dict(more, eventType="STREAM", mediaSourceType="AUDIO", encodedMediaChunk=base64.b64encode(pcm).decode()))

    def binary(self, kind, data, ms=math.nan):
        self.ws.send_binary(kind.encode() + struct.pack(">d", ms) + data)

    def next(self, limit=30):
        """The next message, None at the end."""
        self.ws.settimeout(limit)
        while True:
            opcode, data = self.ws.recv_data()
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                self.code = struct.unpack(">H", data[:2])[0] if len(data) >= 2 else 1005
                return None
            if opcode == websocket.ABNF.OPCODE_TEXT:
                self.got.append(json.loads(data))
                return self.got[-1]

    def until(self, kind, limit=30):
        """The next message of this eventType; None at the end."""
        while True:
            message = self.next(limit)
            if message is None or message["eventType"] == kind:
                return message

    def close(self, limit=40):
        """CLOSE, and what it is answered."""
        self.say({"eventType": "CLOSE"})
        return self.until("CLOSED", limit)

    def playback(self, limit=60, **request):
        """(PCM, AUDIO_STREAM_END or ERROR, [time of each payload])"""
        self.say(dict(request, eventType="REQUEST_AUDIO_STREAM_PLAYBACK"))
        pcm, times = b"", []
        while True:
            message = self.next(limit)
            if message is None or message["eventType"] in ("AUDIO_STREAM_END", "ERROR"):
                return pcm, message, times
            if message["eventType"] == "AUDIO_STREAM_PAYLOAD":
                pcm += base64.b64decode(message["audioChunk"], validate=True)
                times.append(time.monotonic())

    def cut(self):
        """Gone without a word."""
        self.ws.sock.close()
