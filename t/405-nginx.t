#!/usr/bin/python3
"""405-nginx: behind nginx as README has it pages, HLS and WebSockets work; without its Upgrade the page and the log say so."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *
from browser import Browser
from ws import *

CONF = """%(user)sdaemon off; master_process off; worker_processes 1; pid %(dir)s/pid; error_log %(dir)s/error.log info;
events { worker_connections 64; }
http { access_log off; client_body_temp_path %(dir)s/body; proxy_temp_path %(dir)s/proxy; fastcgi_temp_path %(dir)s/f;
uwsgi_temp_path %(dir)s/u; scgi_temp_path %(dir)s/s;
%(map)s
server { listen 127.0.0.1:%(port)d;
%(location)s
} }
"""
SHOTS = os.environ.get("MILLRACE_SHOTS", f"{TOP}/build/shots")
TROUBLE = "document.getElementById('trouble').textContent"


def of_readme(pattern):
    with open(f"{TOP}/README.md") as f:
        return re.search(pattern, f.read().split("## Behind nginx")[1], re.S | re.M)[0]


def nginx(t, m, name, change=lambda text: text):
    port, dir = free_port(), f"{t.dir}/{name}"
    os.mkdir(dir)
    location = of_readme(r"^    location .*?^    }").replace("127.0.0.1:8080", f"127.0.0.1:{m.http}")
    with open(f"{dir}/conf", "w") as f:
        f.write(CONF % {"user": "user root; " if os.geteuid() == 0 else "", "dir": dir, "port": port,
            "map": of_readme(r"^    map [^\n]*"), "location": change(location)})
    t.spawn(["nginx", "-p", dir, "-e", f"{dir}/error.log", "-c", f"{dir}/conf"])
    wait_port(port)
    return port


def wait_port(port):
    def up():
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0
    wait_for("nginx listens", up)


def status_of(port, path):
    try:
        WebSocket(port, path).sock.close()
        return 101
    except Refused as e:
        return e.status


def page(t, b, port):
    b.goto(f"http://127.0.0.1:{port}/tv/publish")
    b.wait("the page", "document.readyState == 'complete' && document.getElementById('name') !== null")
    b.eval("document.getElementById('name').value = 'cam'; document.getElementById('go').click()")


if not shutil.which("nginx") or not shutil.which("chromium"):
    Test(__doc__).skip_all("nginx or chromium is not installed: scripts/deps test")
with Test(__doc__) as t:
    m = t.server(**{"webrtc.listen": ":0"})
    good = nginx(t, m, "good")
    bad = nginx(t, m, "bad", lambda text: re.sub(r"[^\n]*(\$http_upgrade|\$connection_upgrade)[^\n]*\n", "", text))
    room = "/tv/v1/ws?clientID=a&roomID=b&clientName=c"
    t.is_(wait_for("rooms", lambda: status_of(good, room) == 101, 10), True, "README's location passes a room's WebSocket on")
    t.is_(status_of(bad, room), 426, "without Upgrade: 426")
    t.ok(m.wait_log("WebSocket came from 127.0.0.1:[0-9]+ without .*v1/ws.*the proxy in front"), "and a line in the log, with the proxy")
    b = Browser(t.dir, "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    try:
        page(t, b, good)
        b.wait("live", "document.getElementById('state').textContent == 'Live'", 60)
        t.ok(True, "the page publishes through it")
        page(t, b, bad)
        t.like(b.wait("why", TROUBLE, 30), "does not get through.*Behind nginx", "without Upgrade it says what does not get through")
        b.screenshot(f"{SHOTS}/publish-no-upgrade.png")
        m.configure({"authorize.routes": ["whip"]})
        m.cli("reload")
        t.like(b.wait("why", f"/refused/.test({TROUBLE}) && {TROUBLE}", 30), "not open here .authorize.routes", "a closed route is told by its name")
    finally:
        b.close()
