#!/usr/bin/python3
"""whip_publisher.py URL KEY [PORT] - publishes by WHIP with aiortc: a picture that changes, and a tone. A line of JSON each:

    {"k": "answer", "status", "location", "etag", "text"} · {"k": "state", "state"} · {"k": "sent", "video", "audio"}: packets
    · {"k": "deleted", "status"}

KEY: "" none. PORT: media is sent there instead of the port that the answer names. ICE_ADDRESS as whep_player.py has it. Ends, with a DELETE,
when its stdin does.
As a module: Publisher(t, m, name), which runs it.
"""
import json, os, re, subprocess, sys, threading, urllib.error, urllib.parse, urllib.request


class Publisher:
    """One in a process of its own: an asyncio loop that encodes is no place for a test's own times."""
    FILE = __file__

    def __init__(self, t, m, name, key="", port=None, at=""):
        self.lines = []
        self.err = open(f"{t.dir}/whip_publisher.log", "a")
        self.proc = t.spawn(["/usr/bin/python3", os.path.abspath(self.FILE), m.http_url(f"/whip/{name}"), key, *([str(port)] if port else [])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.err, text=True,
            env={**os.environ, "ICE_ADDRESS": at})
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.proc.stdout:
            self.lines.append(json.loads(line))

    def last(self, kind):
        return next((o for o in reversed(self.lines) if o["k"] == kind), None)

    def state(self):
        return (self.last("state") or {}).get("state", "")

    def stop(self):
        self.proc.stdin.close()
        self.proc.wait(20)
        self.err.close()
        return self


def ask(key, method, url, body=None):
    """status, headers, text"""
    headers = {"Content-Type": "application/sdp"} if body else {}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers, method=method), timeout=30) as r:
            return r.status, r.headers, r.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.headers, e.read().decode()


async def publish(url, key, port):
    import asyncio, fractions, math, struct, time
    import av
    from aiortc import RTCPeerConnection, RTCRtpSender, RTCSessionDescription
    from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack
    from aioice import ice

    if os.environ.get("ICE_ADDRESS"):
        ice.get_host_addresses = lambda *_, **__: [os.environ["ICE_ADDRESS"]]

    def say(kind, **kw):
        print(json.dumps({"k": kind, **kw}), flush=True)

    class Picture(VideoStreamTrack):
        n = 0

        async def recv(self):
            pts, base = await self.next_timestamp()
            f = av.VideoFrame(320, 240, "yuv420p")
            for i, p in enumerate(f.planes):
                p.update(bytes([(self.n * 3 + 90 * i) % 220 + 16]) * p.buffer_size)
            self.n += 1
            f.pts, f.time_base = pts, base
            return f

    class Tone(AudioStreamTrack):
        n, began = 0, None

        async def recv(self):
            rate, size = 48000, 960
            self.began = self.began or time.time()
            await asyncio.sleep(max(0, self.began + self.n / rate - time.time()))
            f = av.AudioFrame("s16", "mono", size)
            f.planes[0].update(struct.pack(f"<{size}h", *(int(8000 * math.sin((self.n + i) * 2 * math.pi * 440 / rate)) for i in range(size))))
            f.sample_rate, f.pts, f.time_base = rate, self.n, fractions.Fraction(1, rate)
            self.n += size
            return f

    loop, pc = asyncio.get_event_loop(), RTCPeerConnection()
    pc.on("connectionstatechange", lambda: say("state", state=pc.connectionState))
    pc.addTransceiver(Picture(), direction="sendonly").setCodecPreferences(
        [c for c in RTCRtpSender.getCapabilities("video").codecs if c.mimeType in ("video/H264", "video/rtx")])
    pc.addTransceiver(Tone(), direction="sendonly")
    await pc.setLocalDescription(await pc.createOffer())
    status, headers, text = await loop.run_in_executor(None, ask, key, "POST", url, pc.localDescription.sdp.encode())
    say("answer", status=status, location=headers.get("Location"), etag=headers.get("ETag"), text=text)
    if status == 201:
        if port:
            text = re.sub(r"(?m)^(a=candidate:\S+ 1 udp \d+ \S+) \d+ ", rf"\1 {port} ", text)
        await pc.setRemoteDescription(RTCSessionDescription(text, "answer"))
        closed = loop.run_in_executor(None, sys.stdin.read)
        while not closed.done():
            await asyncio.wait([closed], timeout=0.5)
            sent = {s.kind: s.packetsSent for s in (await pc.getStats()).values() if s.type == "outbound-rtp"}
            say("sent", **sent)
        say("deleted", status=(await loop.run_in_executor(None, ask, key, "DELETE", urllib.parse.urljoin(url, headers["Location"])))[0])
    await pc.close()


if __name__ == "__main__":
    import asyncio
    asyncio.get_event_loop().run_until_complete(publish(sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None))
