#!/usr/bin/python3
"""534-hooks-webrtc: a viewer by WebRTC is told to have come, and to be gone."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *
from receiver import Receiver
from whep_player import Player

if subprocess.run(["/usr/bin/python3", "-c", "import aiortc"], stderr=subprocess.DEVNULL).returncode:
    print("1..0 # SKIP python3-aiortc is not installed")
    raise SystemExit(0)
with Test(__doc__, limit=90) as t:
    rx = Receiver(free_port())
    m = t.server(**{"webrtc.listen": "127.0.0.1:0", "webrtc.addresses": ["127.0.0.1"], "hooks": {"networks": ["127.0.0.0/8"],
        "urls": [{"url": rx.url("/v"), "events": ["play", "stop"]}]}})
    t.publish(m, "alice", clips.clip(seconds=60)).join_live()
    p = Player(t, m, "alice")
    wait_for("an answer", p.answered, 20)
    play = wait_for("play", lambda: rx.got("/v", event="play"), 15)[0].json()
    t.is_((play["name"], play["protocol"]), ("alice", "webrtc"), "play: what and how")
    t.like(play["peer"], r"^[0-9a-f.:]+$", "and who")
    p.stop()
    stop = wait_for("stop", lambda: rx.got("/v", event="stop"), 40)[0].json()
    t.is_(stop["viewer"], play["viewer"], "stop: the same one")
