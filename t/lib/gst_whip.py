#!/usr/bin/python3
"""gst_whip.py URL KEY - publishes by WHIP with GStreamer's webrtcbin (openh264enc, opusenc); lines of JSON as whip_publisher.py has
them. Ends when its stdin does, without a DELETE: the server hears of it by DTLS, or not at all.
"""
import json, sys, threading

import whip_publisher

BRANCHES = ["videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=25/1 ! openh264enc gop-size=50 bitrate=500000 ! "
    "video/x-h264,profile=constrained-baseline ! h264parse ! rtph264pay config-interval=-1 aggregate-mode=zero-latency pt=96 ! "
    "application/x-rtp,media=video,encoding-name=H264,payload=96 ! rtc.",
    "audiotestsrc is-live=true ! opusenc ! rtpopuspay pt=111 ! "
    "application/x-rtp,media=audio,encoding-name=OPUS,payload=111 ! rtc."]


class Publisher(whip_publisher.Publisher):
    FILE = __file__


def publish(url, key):
    import gi
    for name in ("Gst", "GstSdp", "GstWebRTC"):
        gi.require_version(name, "1.0")
    from gi.repository import GLib, Gst, GstSdp, GstWebRTC
    Gst.init(None)
    pipe, loop = Gst.parse_launch("webrtcbin name=rtc bundle-policy=max-bundle " + " ".join(BRANCHES)), GLib.MainLoop()
    rtc = pipe.get_by_name("rtc")
    # Its agent leaves loopback out, and would ask the network for UPnP.
    ice = rtc.get_property("ice-agent")
    ice.emit("add-local-ip-address", "127.0.0.1")
    ice.get_property("agent").set_property("upnp", False)
    for i in (0, 1):
        rtc.emit("get-transceiver", i).set_property("direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)

    def say(kind, **kw):
        print(json.dumps({"k": kind, **kw}), flush=True)

    def on_offer(promise, *_):
        reply = promise.get_reply()     # the offer lives as long as this does
        offer = reply.get_value("offer")
        rtc.emit("set-local-description", offer, Gst.Promise.new())
        status, headers, text = whip_publisher.ask(key, "POST", url, offer.sdp.as_text().encode())
        say("answer", status=status, location=headers.get("Location"), etag=headers.get("ETag"), text=text)
        if status == 201:
            sdp = GstSdp.SDPMessage.new_from_text(text)[1]
            rtc.emit("set-remote-description", GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, sdp), Gst.Promise.new())

    def on_negotiation(element):
        element.emit("create-offer", None, Gst.Promise.new_with_change_func(on_offer))

    rtc.connect("on-negotiation-needed", on_negotiation)
    rtc.connect("notify::connection-state", lambda *_: say("state", state=rtc.get_property("connection-state").value_nick))
    pipe.get_bus().add_signal_watch()
    pipe.get_bus().connect("message::error", lambda bus, m: say("error", text=str(m.parse_error()[0])))
    pipe.set_state(Gst.State.PLAYING)
    threading.Thread(target=lambda: (sys.stdin.read(), loop.quit()), daemon=True).start()
    loop.run()
    pipe.set_state(Gst.State.NULL)


if __name__ == "__main__":
    publish(*sys.argv[1:3])
