#!/usr/bin/python3
"""140-install: make install into a folder of its own; the installed server works from there."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

# What each variable of old servers sets, and a value that is none.
OLD = {"WS_PORT": ("http.listen", "99999"), "HLS_URL": ("ws.hls_url", "ftp://x"), "HLS_BASE_URL": ("ws.hls_base_url", "ftp://y"),
    "RTMP_URL": ("upload.target", "http://z"), "RTMP_BASE_URL": ("upload.target_base", "http://z")}
GOOD = {"WS_PORT": "8080", "HLS_URL": "http://h/hls/live/stream.m3u8", "HLS_BASE_URL": "http://h/hls", "RTMP_URL": "rtmp://h/live/x",
    "RTMP_BASE_URL": "rtmp://h/live"}


def old_variables(t, config):
    """That they count in this config."""
    def check(values):
        r = subprocess.run([f"{BUILD}/millraced", "-t", "-c", config], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={"PATH": os.environ["PATH"], "RECORD_PATH": "", "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "")} | values)
        return r.stdout
    name = config.removeprefix(TOP + "/").removeprefix(t.dir + "/")
    for variable, (key, wrong) in OLD.items():
        t.like(check(GOOD | {variable: wrong}), rf"{re.escape(name)}:\d+: {key}\b(?!_)", f"{name}: {variable} is {key}")
    t.like(check(GOOD), rf"{re.escape(name)}: ok", f"{name}: right ones are taken, WS_PORT may be that of http.listen")


with Test(__doc__) as t:
    dest = f"{t.dir}/root"
    variant = {"san": ["SAN=1"], "cov": ["COV=1"]}.get(os.path.basename(BUILD), [])
    r = subprocess.run(["make", "-C", TOP, "-s", "install", f"DESTDIR={dest}", "PREFIX=/opt/m", "SYSCONFDIR=/opt/m/etc", *variant],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    t.is_(r.returncode, 0, "make install") or t.diag(r.stdout)
    base = f"{dest}/opt/m"
    want = ["sbin/millraced", "bin/millrace", "libexec/millrace/millrace-ingest", "libexec/millrace/millrace-exec",
        "share/millrace/web/home.html", "share/man/man8/millraced.8", "etc/millrace/millrace.yaml", "etc/init.d/millrace",
        "etc/default/millrace", "etc/logrotate.d/millrace", "lib/systemd/system/millrace.service"]
    t.is_([f for f in want if not os.path.exists(f"{base}/{f}")], [], "everything is in its place")
    for f in ("etc/init.d/millrace", "lib/systemd/system/millrace.service"):
        with open(f"{base}/{f}") as text:
            t.like(text.read(), r"/opt/m/sbin/millraced", f"{f} knows where")
    with open(f"{base}/etc/millrace/millrace.yaml", "a") as f:
        f.write("# mine\n")
    subprocess.run(["make", "-C", TOP, "-s", "install", f"DESTDIR={dest}", "PREFIX=/opt/m", "SYSCONFDIR=/opt/m/etc", *variant], check=True)
    with open(f"{base}/etc/millrace/millrace.yaml") as f:
        t.like(f.read(), r"# mine", "a config that is there is left alone")
    r = subprocess.run([f"{base}/sbin/millraced", "-t", "-c", f"{base}/etc/millrace/millrace.yaml"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    t.is_(r.returncode, 0, "the installed example config is right") or t.diag(r.stdout)
    r = subprocess.run([f"{base}/sbin/millraced", "-t", "-c", f"{base}/etc/millrace/millrace.yaml"], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, env=dict(os.environ, MILLRACE_RTMP=":x", MILLRACE_HTTP=":80000"))
    t.like(r.stdout, r'rtmp.listen: ":x".*http.listen: ":80000"', "it takes the ports from the environment (/etc/default)")
    with open(f"{base}/etc/default/millrace") as f:
        names = re.findall(r"^#(\w+)=", f.read(), re.M)
    with open(f"{base}/etc/millrace/millrace.yaml") as f:
        text = f.read()
    used = re.findall(r"\$\{(\w+):-", re.sub(r"^ *#.*", "", text, flags=re.M))
    t.is_(sorted(names), sorted(used), "/etc/default names what the config takes from it, and nothing else")
    with open(f"{base}/etc/init.d/millrace") as f, open(f"{base}/etc/logrotate.d/millrace") as g:
        log = re.search(r"^LOG=(/var/log/millrace/)\S+\.log$", f.read(), re.M)
        t.ok(log and log[1] + "*.log" in g.read(), "the init script's log is rotated")
    os.mkdir(f"{t.dir}/run")
    subprocess.run(["sh", "-c", r"""eval "$(sed -n '/^write_config()/,/^}/p' scripts/run)"; write_config "$0" """, f"{t.dir}/run"], cwd=TOP, check=True)
    for config in (f"{TOP}/etc/millrace.yaml", f"{t.dir}/run/millrace.yaml", f"{TOP}/etc/container/millrace.yaml"):
        old_variables(t, config)
    m = t.server(start=False)
    m.argv = lambda *args: [f"{base}/sbin/millraced", "-c", m.conf_path, *args]
    m.start()
    t.publish(m, "alice").join_live()
    t.ok(m.wait_playlist("alice", 2), "it serves from there")
    t.like(m.get("/watch/alice")[2].decode(), r"(?i)<video", "pages, too")
    r = subprocess.run(["sh", "-n", f"{base}/etc/init.d/millrace"])
    t.is_(r.returncode, 0, "the init script is a script")
