#!/usr/bin/python3
"""503-rooms-browser: a page in Chromium waits in two rooms over /v1/ws; each shows its own publisher, and again after he was away."""
import os, shutil, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from browser import Browser
from millrace import *

PAGE = """
window.rooms = {};
window.join = room => {
    const s = rooms[room] = {heard: [], errors: []};
    const ws = s.ws = new WebSocket(`ws://${location.host}/v1/ws?clientID=id-${room}&roomID=${room}&clientName=page`);
    const pc = s.pc = new RTCPeerConnection(), v = s.video = document.createElement("video"), media = new MediaStream();
    v.autoplay = true;
    v.width = 320;
    v.srcObject = media;
    document.body.append(v);
    const say = (type, data) => ws.send(JSON.stringify({type, data, fromClientID: "id-" + room}));
    pc.ontrack = e => media.addTrack(e.track);
    pc.onicecandidate = e => e.candidate && say("candidate", e.candidate.toJSON());
    ws.onclose = e => s.closed = e.code;
    ws.onmessage = async e => {
        const m = JSON.parse(e.data);
        s.heard.push(m.type + (typeof m.data == "string" ? ":" + m.data : ""));
        try {
            if (m.type == "getCandidate")
                await pc.addIceCandidate(m.data);
            if (m.type != "getOffer")
                return;
            await pc.setRemoteDescription(m.data);
            await pc.setLocalDescription();
            say("answer", pc.localDescription.toJSON());
        } catch (x) {
            s.errors.push(String(x));
        }
    };
};
window.stats = async room => {
    const out = {state: rooms[room].pc.connectionState};
    for (const r of (await rooms[room].pc.getStats()).values())
        if (r.type == "inbound-rtp")
            out[r.kind] = {frames: r.framesDecoded, lost: r.packetsLost, samples: r.totalSamplesReceived, concealed: r.concealedSamples,
                energy: r.totalAudioEnergy};
    return out;
};
window.colour = room => {
    const c = document.createElement("canvas").getContext("2d");
    c.drawImage(rooms[room].video, 0, 0, 16, 9);
    return [...c.getImageData(8, 4, 1, 1).data.slice(0, 3)].map(v => v > 127 ? 1 : 0).join("");
};
"""


def colour(name, seconds=60):
    path = os.path.join(clips.MEDIA, f"colour_{name}_{seconds}s.flv")
    return clips.made(path, ["-f", "lavfi", "-i", f"color={name}:size=320x180:rate=25", "-f", "lavfi", "-i", "sine=440:sample_rate=44100",
        "-t", str(seconds), "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "50", "-pix_fmt", "yuv420p", *clips.AUDIO["aac"]])


def stats(b, room):
    return b.eval(f"stats('{room}')")


def frames(b, room):
    return stats(b, room).get("video", {}).get("frames") or 0


def plays(t, b, room, rgb, more=50):
    at = frames(b, room)
    wait_for(f"pictures in {room}", lambda: frames(b, room) > at + more, 20, 0.2)
    t.is_(b.eval(f"colour('{room}')"), rgb, f"{room} shows its own publisher")


with Test(__doc__) as t:
    if not shutil.which("chromium"):
        t.skip_all("chromium is not installed")
    m = t.server(**{"webrtc.listen": f":{free_port()}", "streams.reconnect_delay": "2s"})
    b = Browser(t.dir)
    try:
        b.goto(m.http_url("/"))
        b.wait("the page", "document.readyState == 'complete'")
        b.eval(PAGE)
        for room in ("red", "blue"):
            b.eval(f"join('{room}')")
        for room in ("red", "blue"):
            b.wait("a connection", f"rooms.{room}.pc.connectionState == 'connected'")
        t.is_(b.eval("[rooms.red.errors, rooms.blue.errors].flat()"), [], "the offer is one, and the candidates are, to Chromium")
        t.is_([frames(b, r) for r in ("red", "blue")], [0, 0], "both rooms are connected before there is a publisher")
        t.like(b.eval("rooms.red.heard.join(' ')"), "getOffer .*getCandidate.*isPublishing:false$", "and know that there is none")
        red, blue = (t.publish(m, name, colour(name)) for name in ("red", "blue"))
        for p in (red, blue):
            p.join_live()
        plays(t, b, "red", "100")
        plays(t, b, "blue", "001")
        t.ok(b.eval("rooms.red.heard.includes('isPublishing:true')"), "it was told that it is on air")
        sound = wait_for("sound", lambda: (s := stats(b, "red").get("audio")) and s["samples"] > 96000 and s, 20, 0.2)
        t.ok(sound["energy"] > 0.01, "sound that is not silence")
        red.cut()
        b.wait("its end", "rooms.red.heard.at(-1) == 'isPublishing:false'")
        plays(t, b, "blue", "001")
        t.publish(m, "red", colour("lime")).join_live()
        b.wait("its return", "rooms.red.heard.at(-1) == 'isPublishing:true'")
        plays(t, b, "red", "010")
        t.is_((stats(b, "red")["state"], b.eval("rooms.red.heard.filter(x => x == 'getOffer').length")), ("connected", 1),
            "the publisher came back into the same session")
        b.eval("rooms.red.ws.send(JSON.stringify({type: 'chat', data: 'Grüß Gott'}))")
        b.wait("chat", "rooms.red.heard.includes('getChat:Grüß Gott')")
        t.ok(not b.eval("rooms.blue.heard.some(x => x.startsWith('getChat'))"), "chat stays in its room")
        t.is_(b.eval("[rooms.red.errors, rooms.blue.errors].flat()"), [], "no error")
        os.kill(m.pids("webrtc")[0], 9)
        b.wait("the end", "rooms.red.closed && rooms.blue.closed")
        t.ok(True, "a killed worker closes the rooms at once, so pages know")
        def again():
            b.eval("rooms.red.closed && join('red')")
            return frames(b, "red") > 20
        wait_for("pictures again", again, 20, 1)
        t.ok(True, "and who connects again has pictures again")
    finally:
        b.close()
