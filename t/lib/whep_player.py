#!/usr/bin/python3
"""whep_player.py URL [PORT] - plays by WHEP with aiortc and says what it sees, a line of JSON each:

    {"k": "answer"} · {"k": "v", "pts", "yuv": [middle of the picture], "size"} · {"k": "a", "pts", "n", "peak", "loud": first sample
    over a quarter, or -1} · {"k": "sr", "what": "video" or "audio", "ntp": s, "pts"} · {"k": "state", ..}

all with "ms" since the answer came; pts are RTP's times, unwrapped. PORT: media is sent there instead of the port that the answer names.
ICE_ADDRESS, of the environment: the only own address, ::1, say, which aioice leaves out. Ends when its stdin does. As a module: Player(t, m, name), which runs it.
"""
import json, os, re, subprocess, sys, threading, time


class Player:
    """One in a process of its own: an asyncio loop that decodes is no place for a test's own times."""
    def __init__(self, t, m, name, port=None, at=""):
        url = m.http_url(f"/whep/{name}")
        self.lines, self.video, self.audio, self.reports = [], [], [], []
        self.err = open(f"{t.dir}/player.log", "a")
        self.proc = t.spawn(["/usr/bin/python3", os.path.abspath(__file__), url, *([str(port)] if port else [])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.err, text=True, env={**os.environ, "ICE_ADDRESS": at})
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.proc.stdout:
            o = json.loads(line)
            self.lines.append(o)
            {"v": self.video, "a": self.audio, "sr": self.reports}.get(o["k"], []).append(o)

    def state(self):
        return next((o["state"] for o in reversed(self.lines) if o["k"] == "state"), "")

    def answered(self):
        return any(o["k"] == "answer" for o in self.lines)

    def stop(self):
        if self.proc.stdin:
            self.proc.stdin.close()
        self.proc.wait(20)
        self.err.close()
        return self


async def play(url, port):
    import asyncio
    import urllib.request
    from aiortc import RTCPeerConnection, RTCSessionDescription, rtcrtpreceiver
    from aiortc.mediastreams import MediaStreamError
    from aioice import ice

    if os.environ.get("ICE_ADDRESS"):
        ice.get_host_addresses = lambda *_, **__: [os.environ["ICE_ADDRESS"]]

    pc, began, tasks = RTCPeerConnection(), time.monotonic(), []

    def say(kind, **kw):
        print(json.dumps({"k": kind, "ms": round((time.monotonic() - began) * 1000), **kw}), flush=True)

    class Unwrapped:
        """aiortc's own begins at 0 with the first, which nobody learns."""
        last = {}

        @classmethod
        def of(cls, kind, rtp):
            at = cls.last.get(kind, rtp + (1 << 32))
            return cls.last.setdefault(kind, at) + (rtp - at + (1 << 31)) % (1 << 32) - (1 << 31)

    rtcrtpreceiver.TimestampMapper.map = lambda self, rtp: rtp
    handle = rtcrtpreceiver.RTCRtpReceiver._handle_rtcp_packet

    async def on_rtcp(self, packet):
        if isinstance(packet, rtcrtpreceiver.RtcpSrPacket):
            kind = self._RTCRtpReceiver__kind
            say("sr", what=kind, ntp=packet.sender_info.ntp_timestamp / (1 << 32), pts=Unwrapped.of(kind, packet.sender_info.rtp_timestamp))
        await handle(self, packet)
    rtcrtpreceiver.RTCRtpReceiver._handle_rtcp_packet = on_rtcp

    async def take(track):
        while True:
            try:
                f = await track.recv()
            except MediaStreamError:
                return say("end", what=track.kind)
            if track.kind == "video":
                p, w, h = f.planes, f.width // 2, f.height // 2
                say("v", pts=Unwrapped.of("video", f.pts), size=[f.width, f.height], yuv=[bytes(p[0])[p[0].line_size * h + w],
                    *(bytes(x)[x.line_size * (h // 2) + w // 2] for x in p[1:3])])
            else:
                pcm = memoryview(bytes(f.planes[0])).cast("h")
                say("a", pts=Unwrapped.of("audio", f.pts), n=f.samples, peak=max(pcm),
                    loud=next((i // 2 for i, x in enumerate(pcm) if x > 8000), -1))

    pc.on("track", lambda track: tasks.append(asyncio.ensure_future(take(track))))
    pc.on("connectionstatechange", lambda: say("state", state=pc.connectionState))
    pc.addTransceiver("video", direction="recvonly")
    pc.addTransceiver("audio", direction="recvonly")
    await pc.setLocalDescription(await pc.createOffer())
    request = urllib.request.Request(url, pc.localDescription.sdp.encode(), {"Content-Type": "application/sdp"}, method="POST")
    loop = asyncio.get_event_loop()
    answer = (await loop.run_in_executor(None, lambda: urllib.request.urlopen(request, timeout=20).read())).decode()
    began = time.monotonic()
    say("answer")
    if port:
        answer = re.sub(r"(?m)^(a=candidate:\S+ 1 udp \d+ \S+) \d+ ", rf"\1 {port} ", answer)
    await pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    await loop.run_in_executor(None, sys.stdin.read)
    await pc.close()


if __name__ == "__main__":
    import asyncio
    asyncio.get_event_loop().run_until_complete(play(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None))
