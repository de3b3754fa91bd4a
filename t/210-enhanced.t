#!/usr/bin/python3
"""210-enhanced: Enhanced RTMP: HEVC, AV1, VP9 and Opus reach the viewer, each frame once; what is offered is answered; others are refused in words."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *
import rtmp
from media import compare, enhanced_frames


def probe(url):
    r = subprocess.run(["ffprobe", "-v", "error", "-show_entries", "stream=codec_name,codec_tag_string,width,height", "-of", "csv=p=0", url],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    return r.stdout


def carried(t, m, video, audio, kill=False):
    clip = clips.enhanced(video, audio)
    name = f"{video}_{audio}"
    player = t.player(m, name)
    p = t.publish(m, name, clip)
    m.wait_playlist(name, 2)
    t.is_((m.stream(name)["video"]["codec"], m.stream(name)["audio"]["codec"]), (video, audio), f"{name}: status knows the codecs")
    if kill:
        os.kill(m.pids("ffmpeg")[0], signal.SIGKILL)
    seen = probe(m.http_url(f"/stream/{name}/live.m3u8"))
    t.like(seen, rf"{video},\w+,320,180", f"{name}: ffprobe plays the video")
    t.like(seen, rf"{audio},", f"{name}: and the audio")
    t.is_(probe(m.http_url(f"/hls/live/{name}.m3u8")), seen, f"{name}: by the old servers' URL it is the same")
    p.finished.wait(30)
    p.end()
    t.ok(player.ended.wait(20 * SLOW), f"{name}: ENDLIST")
    t.none(player.stop().check(), f"{name}: RFC 8216 all the way")
    t.like(player.last.text, r'#EXT-X-MAP:URI="s\d+_init.mp4"', f"{name}: fragmented MP4 has its map")
    t.is_(m.get(f"/stream/{name}/" + re.search(r'URI="(.*)"', player.last.text)[1])[0], 200, f"{name}: which is there")
    with open(clip, "rb") as f:
        source = enhanced_frames(f.read())
    got = player.frames()
    t.none(compare([h for _, h in source[0]], got[0], "video"), f"{name}: every video frame exactly once")
    t.none(compare([h for _, h in source[1]], got[1], "audio"), f"{name}: every audio frame exactly once")
    t.ok(abs(player.total() - 12) < 0.2, f"{name}: EXTINF add up to 12 s ({player.total():.2f})")
    return player


def refused(m, name, tags, pattern):
    c = rtmp.RtmpConnection("127.0.0.1", m.rtmp)
    c.handshake()
    c.connect("live", f"rtmp://127.0.0.1:{m.rtmp}/live")
    c.publish(name)
    try:
        for i in range(50):
            for kind, body in tags:
                c.tag(kind, i * 40, body)
            time.sleep(0.02)
        c.wait_command("never")
    except (OSError, ConnectionError, rtmp.Refused):
        pass
    c.close()
    m.wait_log(pattern)


with Test(__doc__) as t:
    m = t.server(**{"streams.hls.segment": "1s", "streams.reconnect_delay": "3s", "streams.cleanup_delay": "30s"})
    carried(t, m, "hevc", "aac", kill=True)
    carried(t, m, "av1", "opus")
    carried(t, m, "vp9", "opus")

    # The encoder is set to another codec: what began as fragmented MP4 goes on so.
    player = t.player(m, "switch")
    p = t.publish(m, "switch", clips.enhanced("hevc", "aac"))
    m.wait_playlist("switch", 2)
    p.cut()
    p = t.publish(m, "switch", clips.clip(seconds=6))
    wait_for("both", lambda: player.last and player.last.disc_sequence + player.discontinuities() > 0 and len(player.segments) >= 5, 20)
    p.end()
    t.ok(player.ended.wait(20 * SLOW), "switch: ENDLIST")
    t.none(player.stop().check(), "switch: RFC 8216 all the way")
    t.ok(all(s[0].endswith(".m4s") for s in player.segments.values()), "switch: all of it is fragmented MP4")
    maps = re.findall(r"#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"(.*)\"", player.last.text)
    t.ok(maps, "switch: the discontinuity has a map of its own")
    init = set(f for f in os.listdir(m.hls_dir("switch")) if f.endswith("_init.mp4"))
    t.is_(init, set(re.findall(r'URI="(.*)"', player.last.text)) | init & {f"{s[0].split('_')[0]}_init.mp4" for s in player.segments.values()},
        "switch: no map without segments")

    c = rtmp.RtmpConnection("127.0.0.1", m.rtmp)
    c.handshake()
    c.command("connect", 1, {"app": "live", "tcUrl": f"rtmp://127.0.0.1:{m.rtmp}/live", "capsEx": 15, "fourCcList": "*"})
    answer = c.wait_command("NetConnection.Connect.Success")
    for word in ("hvc1", "av01", "vp09", "Opus"):
        t.ok(word in str(answer), f"connect is answered with {word}")
    c.close()

    refused(m, "odd", [(9, b"\x91zzzz" + bytes(50))], r"stream=odd.*video zzzz is not taken here: send H.264, HEVC, AV1 or VP9")
    refused(m, "mix", [(9, b"\x90hvc1" + bytes(23)), (8, b"\x72" + bytes(80))], r"stream=mix.*audio g711a is not taken with video hevc: send AAC")
    t.ok(m.alive(), "millraced lives")
