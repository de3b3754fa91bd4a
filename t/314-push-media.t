#!/usr/bin/python3
"""314-push-media: sound alone; HEVC refused with a reason, or made H.264; Opus made AAC; new headers; RTMPS with and without a right certificate."""
import os, subprocess, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

from media import flv_frames
from rtmp_target import RtmpTarget, push_of, runs
from tls import certificate


def codecs(session):
    return {(kind, body[0] & 15 if kind == 9 else body[0] >> 4) for kind, _, body in list(session.tags)}


def session_of(target, n=0):
    return wait_for("the target has a session", lambda: len(target.sessions) > n and target.sessions[n].tags and target.sessions[n], 20)


with Test(__doc__, 200) as t:
    plain, made, sound, later = RtmpTarget(), RtmpTarget(), RtmpTarget(), RtmpTarget()
    tls = RtmpTarget(tls=certificate(t, "localhost"))
    m = t.server(push=[
        {"id": "plain", "url": plain.url("{stream}"), "stream": "hevc"},
        {"id": "made", "url": made.url("{stream}"), "stream": "hevc", "transcode": True},
        {"id": "sound", "url": sound.url("{stream}"), "stream": "sound"},
        {"id": "later", "url": later.url("{stream}"), "stream": "later"},
        {"id": "strict", "url": tls.url("s3cr3t"), "stream": "sound"},
        {"id": "lax", "url": tls.url("{stream}"), "stream": "sound", "verify": False},
    ])
    clip = clips.clip(20, 1.0, video=False)
    sent = flv_frames(open(clip, "rb").read())[1]
    t.publish(m, "sound", clip)
    s = session_of(sound)
    wait_for("2 s of sound", lambda: len(s.frames()[1]) > 94, 15)
    t.is_(runs(s.frames()[1], sent), [[0, len(s.frames()[1]) - 1]], "sound alone: every frame from the first on")
    # RTMPS
    s = session_of(tls, next((i for i, s in enumerate(tls.sessions) if s.publishing), 1))
    lax = wait_for("the lax one", lambda: next((s for s in tls.sessions if s.tags), None), 10)
    t.is_((lax.name_, len(runs(lax.frames()[1], sent))), ("sound", 1), "rtmps, verify: false")
    reason = wait_for("the strict one fails", lambda: push_of(m, "sound", "strict").get("restarts", 0) > 0 and
        push_of(m, "sound", "strict")["reason"], 15)
    t.like(reason, "certificate", "rtmps with a wrong certificate is refused")
    t.is_([s.name_ for s in tls.sessions if "s3cr3t" in s.name_], [], "and its key was not sent")
    # HEVC
    t.publish(m, "hevc", clips.enhanced("hevc", "opus"))
    o = wait_for("refused", lambda: (o := push_of(m, "hevc", "plain")).get("state") == "failed" and o, 15)
    t.like(o["reason"], "hevc.*take H.264.*transcode: true", "HEVC is refused, with what to do")
    t.is_((o["pid"], len(plain.sessions)), (0, 0), "no ffmpeg is started in vain")
    t.like(m.cli("status").stdout, r"hevc: push plain to .*: the video is hevc", "status says so")
    s = session_of(made)
    wait_for("2 s of both", lambda: s.seconds() > 2 and len(s.frames()[1]) > 47, 20)
    t.is_(codecs(s), {(9, 7), (8, 10)}, "transcode: true makes H.264 and AAC of HEVC and Opus")
    m.wait_playlist("hevc", 1)
    # another resolution: new sequence headers
    first, second = clips.clip(20, 1.0), clips.clip(20, 1.0, size="640x360")
    a, b = (flv_frames(open(c, "rb").read()) for c in (first, second))
    p = t.publish(m, "later", first, end_ms=3000)
    s = session_of(later)
    p.finished.wait(20)
    data = open(second, "rb").read()
    import media
    for kind, ts, body in media.flv_tags(data):
        if ts > 3000:
            break
        p.conn.tag(kind, ts + 3000, body)
    wait_for("that session ends", lambda: s.over, 15)
    s2 = session_of(later, 1)
    wait_for("the rest", lambda: len(s2.frames()[0]) > 20, 15)
    t.is_((len(runs(s.frames()[0], a[0])), len(runs(s2.frames()[0], b[0])), runs(s2.frames()[0], b[0])[0][0]), (1, 1, 0),
        "new headers: a new session, without a hole")
    t.is_(push_of(m, "later", "later").get("restarts"), 0, "which is no failure")
    for target in (plain, made, sound, later, tls):
        target.close()
