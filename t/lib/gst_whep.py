#!/usr/bin/python3
"""gst_whep.py URL - plays by WHEP with GStreamer's webrtcbin; a line of JSON for each 25 pictures and each second of sound:

    {"k": "answer"} · {"k": "v", "n": so far, "size"} · {"k": "a", "n": so far, "peak_db"} · {"k": "error", "text"}

with "ms" since the answer came. Ends when its stdin does. As a module: Player(t, m, name), which runs it.
"""
import json, os, subprocess, sys, threading, time


class Player:
    def __init__(self, t, m, name):
        self.lines = []
        self.proc = t.spawn(["/usr/bin/python3", os.path.abspath(__file__), m.http_url(f"/whep/{name}")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.proc.stdout:
            self.lines.append(json.loads(line))

    def count(self, kind):
        return max([o["n"] for o in self.lines if o["k"] == kind], default=0)

    def of(self, kind):
        return [o for o in self.lines if o["k"] == kind]

    def stop(self):
        self.proc.stdin.close()
        self.proc.wait(20)


VIDEO = "application/x-rtp,media=video,encoding-name=H264,payload=96,clock-rate=90000,packetization-mode=(string)1,profile-level-id=(string)42e01f"
AUDIO = "application/x-rtp,media=audio,encoding-name=OPUS,payload=111,clock-rate=48000,encoding-params=(string)2"
DECODE = {"video": "rtph264depay ! h264parse ! openh264dec ! fakesink name=end signal-handoffs=true sync=false",
    "audio": "rtpopusdepay ! opusdec ! audioconvert ! level interval=1000000000 ! fakesink name=end signal-handoffs=true sync=false"}


def play(url):
    import urllib.request
    import gi
    for name in ("Gst", "GstSdp", "GstWebRTC"):
        gi.require_version(name, "1.0")
    from gi.repository import GLib, Gst, GstSdp, GstWebRTC
    Gst.init(None)
    pipe, rtc, loop = Gst.Pipeline.new(None), Gst.ElementFactory.make("webrtcbin", None), GLib.MainLoop()
    began, counts, size = [time.monotonic()], {"video": 0, "audio": 0}, [0, 0]
    rtc.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
    pipe.add(rtc)
    # Its agent leaves loopback out, and would ask the network for UPnP.
    ice = rtc.get_property("ice-agent")
    ice.emit("add-local-ip-address", "127.0.0.1")
    ice.get_property("agent").set_property("upnp", False)

    def say(kind, **kw):
        print(json.dumps({"k": kind, "ms": round((time.monotonic() - began[0]) * 1000), **kw}), flush=True)

    def on_picture(sink, buffer, pad):
        counts["video"] += 1
        if counts["video"] % 25 == 0:
            s = pad.get_current_caps().get_structure(0)
            say("v", n=counts["video"], size=[s.get_value("width"), s.get_value("height")])

    def on_sound(sink, buffer, pad):
        counts["audio"] += 1

    def on_pad(element, pad):
        kind = pad.get_current_caps().get_structure(0).get_string("media")
        branch = Gst.parse_bin_from_description(DECODE[kind], True)
        branch.get_by_name("end").connect("handoff", on_picture if kind == "video" else on_sound)
        pipe.add(branch)
        branch.sync_state_with_parent()
        pad.link(branch.get_static_pad("sink"))

    def on_message(bus, message):
        s = message.get_structure()
        if message.type == Gst.MessageType.ERROR:
            say("error", text=str(message.parse_error()[0]))
        elif message.type == Gst.MessageType.ELEMENT and s.get_name() == "level":
            # a GValueArray, which not every binding can read: its text has the numbers
            text = s.to_string().split("peak=", 1)[1]
            say("a", n=counts["audio"], peak_db=float(text[text.index("<") + 1:].lstrip(" <").split(">")[0].split(",")[0]))

    def on_offer(promise, *_):
        reply = promise.get_reply()     # the offer lives as long as this does
        offer = reply.get_value("offer")
        rtc.emit("set-local-description", offer, Gst.Promise.new())
        request = urllib.request.Request(url, offer.sdp.as_text().encode(), {"Content-Type": "application/sdp"}, method="POST")
        text = urllib.request.urlopen(request, timeout=20).read().decode()
        began[0] = time.monotonic()
        say("answer")
        sdp = GstSdp.SDPMessage.new_from_text(text)[1]
        rtc.emit("set-remote-description", GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, sdp), Gst.Promise.new())

    rtc.connect("pad-added", on_pad)
    pipe.get_bus().add_signal_watch()
    pipe.get_bus().connect("message", on_message)
    # the last one is declined, which must not cost it the others
    for caps in (VIDEO, AUDIO, VIDEO.replace("H264", "VP8").replace("96", "97")):
        rtc.emit("add-transceiver", GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY, Gst.Caps.from_string(caps))
    pipe.set_state(Gst.State.PLAYING)
    rtc.emit("create-offer", None, Gst.Promise.new_with_change_func(on_offer))
    threading.Thread(target=lambda: (sys.stdin.read(), loop.quit()), daemon=True).start()
    loop.run()
    pipe.set_state(Gst.State.NULL)


if __name__ == "__main__":
    play(sys.argv[1])
