#!/usr/bin/python3
"""101-config-errors: FILE:LINE, the nearest key, all errors at once; a taken port names its holder."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *



def check(t, m, text):
    path = f"{m.dir}/bad.yaml"
    with open(path, "w") as f:
        f.write(text)
    r = subprocess.run([f"{BUILD}/millraced", "-t", "-c", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return r.returncode, r.stdout


with Test(__doc__) as t:
    m = t.server(start=False)
    base = f"run_dir: {m.dir}/r\ndata_dir: {m.dir}/d\n"
    code, out = check(t, m, base + "streams:\n  reconect_delay: 5s\n")
    t.is_(code, 1, "an unknown key is an error")
    t.like(out, r"bad\.yaml:4: .*reconect_delay.*reconnect_delay", "with its line and the nearest key")
    code, out = check(t, m, base + "streams:\n  reconnect_delay: soon\nrtmp:\n  chunk_size: many\n")
    t.like(out, r"bad\.yaml:4: ", "a wrong duration")
    t.like(out, r"bad\.yaml:6: ", "and the next error in the same run")
    code, out = check(t, m, base + "streams: [1\n")
    t.like(out, r"bad\.yaml:\d+: ", "broken YAML has a line, too")
    t.is_(code, 1, "and is an error")
    code, out = check(t, m, base + "redis: { url: 'http://x' }\n")
    t.is_(code, 1, "a Redis URL of another kind is refused")
    code, out = check(t, m, base + "rtmp: { listen: '${NO_SUCH_VARIABLE:-127.0.0.1:1}' }\n")
    t.is_(code, 0, "${NAME:-default} takes the default")
    code, out = check(t, m, base + "a: &a [*a]\n")
    t.is_(code, 1, "a recursive alias is refused")
    code, out = check(t, m, base + f"user: nobody-of-that-name\nlog: {{file: {m.dir}/none/x.log}}\n")
    t.is_(code, 1, "an account and a folder that this machine lacks are errors")
    t.like(out, r"bad\.yaml:3: user: there is no account \"nobody-of-that-name\"", "the account, with its line")
    t.like(out, r"bad\.yaml:4: log\.file: there is no folder /.*/none;", "and the log's folder")
    code, out = check(t, m, base + f"log: {{file: {m.dir}/d/x.log}}\nwatch:\n- dir: {m.dir}/later\nstreams:\n  record:\n"
        "    upload_while_recording: true\n")
    t.is_(code, 0, "data_dir is made at a start, a watched folder may come later")
    t.like(out, r"bad\.yaml:4: warning: watch\.dir: /.*/later: No such file", "but that is told")
    t.like(out, r"bad\.yaml:8: warning: streams\.record\.upload_while_recording does nothing", "and so is what does nothing")
    code, out = check(t, m, base + "webrtc: {ingest_ports: 8180-8199}\nauthorize:\n  hook: https://h/\n  hook_timeout: 20s\n"
        "hooks:\n  urls: [{url: 'https://h/', id: lk, style: livekit}]\n")
    t.is_(code, 0, "what works at times is none")
    t.like(out, r"bad\.yaml:3: warning: 1 of webrtc\.ingest_ports \(8180-8199\) is of webrtc\.listen, too", "but told: shared ports")
    t.like(out, r"bad\.yaml:6: warning: authorize\.hook_timeout: .* after rtmp\.handshake_timeout, 10s", "a hook that may take too long")
    t.like(out, r"bad\.yaml:8: warning: hooks\.urls: style livekit to https://h is sent without a token", "livekit without a token")
    r = subprocess.run([f"{BUILD}/millraced", "-t", "-c", f"{m.dir}/none.yaml"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    t.like(r.stdout, r"none\.yaml", "a missing file is named")
    t.is_(r.returncode, 1, "exit code 1")
    for program in ("millraced", "millrace"):
        for flag, words in (("--help", "^usage: " + program), ("--version", rf"^{program} \d")):
            r = subprocess.run([f"{BUILD}/{program}", flag], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            t.is_((r.returncode, r.stderr, bool(re.search(words, r.stdout))), (0, "", True), f"{program} {flag}")
        r = subprocess.run([f"{BUILD}/{program}", "--nonsense"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        t.is_((r.returncode, r.stdout), (2, ""), f"{program} --nonsense is wrong usage")
    r = m.cli("help", "rtmp")
    t.is_((r.returncode, "rtmp is a section; its keys: listen, chunk_size" in r.stdout), (0, True), "help SECTION lists its keys")
    r = m.cli("help", "push")
    t.ok("usage: millrace push" in r.stdout and "rtmp://HOST/APP/KEY" in r.stdout, "help of a verb that is a key, too, has both", r.stdout)
    r = m.cli("status", "-c", "x")
    t.ok(r.returncode == 2 and "-c goes before the verb" in r.stderr, "-c behind the verb: where it goes", r.stderr)
    r = m.cli("kick", "--help")
    t.is_((r.returncode, r.stdout.startswith("usage: millrace kick NAME")), (0, True), "a verb's own --help")
    with socket.socket() as s, socket.socket() as other:
        for taken, port in ((s, m.rtmp), (other, m.http)):
            taken.bind(("127.0.0.1", port))
            taken.listen()
        r = subprocess.run(m.argv(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20 * SLOW)
    t.is_(r.returncode, 1, "a taken port: exit code 1")
    t.like(r.stdout, rf"{m.rtmp}.*{os.getpid()}", "names the holder's pid")
    t.like(r.stdout, r"rtmp\.listen", "and the key to change")
    t.like(r.stdout, rf"level=error.*{m.http}: taken.*http\.listen", "and the next one that is taken")
    t.like(r.stdout.split("\n")[0], rf"level=info.*waiting up to 5 s for .*{m.rtmp}", "and what it waits for is said at once")
    t.like(r.stdout, r"level=error", "as an error")
    r = m.cli("status")
    beside = os.path.relpath(BUILD) if BUILD.startswith(os.getcwd() + "/") else BUILD
    t.like(r.stdout, rf"Start it: {beside}/millraced -c {m.conf_path}\n", "status of one that does not run says how to start it")
    r = m.cli("stop")
    t.like(r.stderr, rf"Start it: {beside}/millraced -c {m.conf_path}\n", "so do others")
    r = subprocess.run([f"{BUILD}/millrace", "-r", "/nonexistent", "status"], stdout=subprocess.PIPE, text=True)
    t.ok("-c FILE" in r.stdout and "Start it" not in r.stdout, "where a run_dir was named: no advice to start another one", r.stdout)
    m.start()
    with open(m.conf_path) as f:
        text = f.read()
    with open(m.conf_path, "w") as f:
        f.write(text + "\nbad: [1,\n")
    r = m.cli("status")
    t.is_((r.returncode, "only its run_dir is used: " + m.conf["run_dir"] in r.stderr), (0, True), "status while the config is no YAML")
    with open(m.conf_path, "w") as f:
        f.write(text)
    t.is_(m.cli("stop").returncode, 0, "stop")
