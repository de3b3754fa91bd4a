#!/usr/bin/python3
"""521-webrtc-transport: Chromium by ICE-TCP alone; an ICE restart while it plays; two sessions at once; close() is heard; a wrong fingerprint is not served."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

from browser import Browser

if not shutil.which("chromium"):
    Test(__doc__).skip_all("chromium is not installed")

PAGE = """
async function play(url, edit) {
    const pc = new RTCPeerConnection({bundlePolicy: 'max-bundle'}), v = document.body.appendChild(document.createElement('video'));
    v.srcObject = new MediaStream(); v.autoplay = v.muted = true;
    pc.ontrack = e => v.srcObject.addTrack(e.track);
    for (const kind of ['video', 'audio']) pc.addTransceiver(kind, {direction: 'recvonly'});
    await pc.setLocalDescription();
    const r = await fetch(url, {method: 'POST', headers: {'Content-Type': 'application/sdp'}, body: edit.offer(pc.localDescription.sdp)});
    const s = {pc, status: r.status, at: r.headers.get('Location') && new URL(r.headers.get('Location'), url).href, etag: r.headers.get('ETag')};
    if (r.status == 201) await pc.setRemoteDescription({type: 'answer', sdp: s.answer = edit.answer(await r.text())});
    return s;
}
const same = x => x, keep = {offer: same, answer: same};
const only = kind => ({offer: same, answer: sdp => sdp.replace(new RegExp('a=candidate:\\\\d+ 1 ' + kind + ' .*\\r\\n', 'g'), '')});
async function look(s) {
    const all = [...(await s.pc.getStats()).values()], v = all.find(x => x.type == 'inbound-rtp' && x.kind == 'video') || {};
    const t = all.find(x => x.type == 'transport') || {}, pair = all.find(x => x.id == t.selectedCandidatePairId) || {};
    const local = all.find(x => x.id == pair.localCandidateId) || {};
    return {state: s.pc.connectionState, frames: v.framesDecoded || 0, lost: v.packetsLost || 0, protocol: local.protocol,
        changes: t.selectedCandidatePairChanges, dtls: t.dtlsState, srtp: t.srtpCipher};
}
async function restart(s) {
    s.pc.restartIce();
    await s.pc.setLocalDescription();
    const l = s.pc.localDescription.sdp.split('\\r\\n'), pick = k => l.find(x => x.startsWith(k));
    const body = ['a=group:BUNDLE 0 1', pick('m=video'), 'a=mid:0', pick('a=ice-ufrag:'), pick('a=ice-pwd:'), ''].join('\\r\\n');
    const r = await fetch(s.at, {method: 'PATCH', headers: {'Content-Type': 'application/trickle-ice-sdpfrag', 'If-Match': '*'}, body});
    const text = await r.text(), ufrag = /a=ice-ufrag:.*/.exec(text), pwd = /a=ice-pwd:.*/.exec(text);
    if (r.status != 200) return {status: r.status, text};
    s.answer = s.answer.replace(/a=ice-ufrag:.*/g, ufrag[0]).replace(/a=ice-pwd:.*/g, pwd[0]);
    await s.pc.setRemoteDescription({type: 'answer', sdp: s.answer});
    return {status: r.status, text};
}
"""


def looks(b, name):
    return b.eval(f"look({name})")


def frames_go_on(b, name, more=30):
    at = looks(b, name)["frames"]
    wait_for(f"frames of {name}", lambda: looks(b, name)["frames"] >= at + more, 20)
    return looks(b, name)


def by_tcp(t, m, b):
    b.eval(f"(async () => {{ window.tcp = await play('{m.http_url('/whep/alice')}', only('udp')) }})()")
    s = frames_go_on(b, "tcp")
    t.is_((s["state"], s["protocol"], s["dtls"]), ("connected", "tcp", "connected"), "with the TCP candidate alone it plays by TCP")
    t.is_((s["lost"], s["srtp"].removeprefix("SRTP_")), (0, "AEAD_AES_128_GCM"), "and loses nothing, with AES-GCM")
    wait_for("status knows it", lambda: m.status()["webrtc"]["tcp"] == 1, 5)


def restarts(t, m, b):
    b.eval(f"(async () => {{ window.udp = await play('{m.http_url('/whep/alice')}', keep) }})()")
    before = frames_go_on(b, "udp")
    t.is_((before["state"], before["protocol"]), ("connected", "udp"), "with both it plays by UDP")
    r = b.eval("restart(udp)")
    t.is_(r["status"], 200, "an ICE restart is answered")
    after = frames_go_on(b, "udp", 50)
    t.is_((after["state"], after["lost"]), ("connected", 0), "and the picture goes on, without a packet lost")
    t.is_(m.status()["webrtc"]["viewers_total"], 2, "in the same session")


def closes(t, m, b):
    b.eval("udp.pc.close()")
    wait_for("one viewer less", lambda: m.status()["webrtc"]["viewers"] == 1, 5)
    t.is_(frames_go_on(b, "tcp")["state"], "connected", "close() alone ends a session within seconds; the other goes on")
    b.eval("tcp.pc.close()")
    wait_for("no viewer", lambda: m.status()["webrtc"]["viewers"] == 0 and m.status()["webrtc"]["tcp"] == 0, 5)


def wrong_fingerprint(t, m, b):
    b.eval("window.liar = {answer: same, offer: s => s.replace(/(a=fingerprint:sha-256 )(..)/g, (a, k, x) => k + (x == '00' ? '01' : '00'))}; 0")
    b.eval(f"(async () => {{ window.wrong = await play('{m.http_url('/whep/alice')}', liar) }})()")
    wait_for("it is not served", lambda: looks(b, "wrong")["state"] in ("failed", "closed", "disconnected") or
        looks(b, "wrong")["dtls"] in ("closed", "failed"), 15)
    wait_for("status counts it", lambda: m.status()["webrtc"]["failed"] == 1, 5)
    t.is_(looks(b, "wrong")["frames"], 0, "another certificate than the offer's is not served, and counted")


with Test(__doc__) as t:
    m = t.server()
    t.publish(m, "alice", clips.clip(seconds=90)).join_live()
    b = Browser(t.dir)
    try:
        b.goto(m.http_url("/watch/nobody"))
        wait_for("the page", lambda: b.eval("document.readyState") == "complete", 20)
        b.eval(PAGE + "; Object.assign(window, {play, same, keep, only, look, restart}); 0")
        wait_for("it is live", lambda: m.stream("alice")["state"] == "live", 10)
        time.sleep(1)
        for part in (by_tcp, restarts, closes, wrong_fingerprint):
            part(t, m, b)
    finally:
        b.close()
