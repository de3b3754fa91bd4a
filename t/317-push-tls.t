#!/usr/bin/python3
"""317-push-tls: RTMPS to another server: a certificate of push_ca_file's is taken and plays; of another CA, or for another name, is refused and why is said."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

from rtmp_target import push_of
from tls import TlsFront, certificate


def failed(m, id):
    return wait_for(f"{id} fails", lambda: (o := push_of(m, "show", id)).get("restarts", 0) > 0 and o.get("reason") and o, 15)["reason"]


def said(m, id, words):
    t.like(failed(m, id), words, f"{id}: the status has why")
    t.like(m.cli("status").stdout, rf"push {id} to rtmps://.*{words}", "also as people read it")
    t.like(m.log(), rf"push {id} of show to rtmps://.*{words}", "and the log")


with Test(__doc__, 120) as t:
    ca, other = certificate(t, "ca"), certificate(t, "other")
    there = t.server()
    front = TlsFront(certificate(t, "localhost", "DNS:localhost", ca), there.rtmp)
    here = t.server(push_ca_file=other[0], push=[
        {"id": "right", "url": f"rtmps://localhost:{front.port}/live/right"},
        {"id": "name", "url": f"rtmps://127.0.0.1:{front.port}/live/k3y"}])
    t.publish(here, "show").join_live()
    said(here, "right", "certificate can't be trusted")
    here.configure({"push_ca_file": ca[0]})
    t.is_(here.cli("reload").returncode, 0, "the right CA, by a reload")
    wait_for("it is taken", lambda: push_of(here, "show", "right").get("state") == "up", 20)
    there.wait_stream("right", lambda s: s["video"])
    there.wait_playlist("right", 2)
    t.ok(True, "is pushed, and plays there")
    here.configure({"push": [{"id": "again", "url": f"rtmps://127.0.0.1:{front.port}/live/k3y"}]})
    here.cli("reload")
    said(here, "again", "certificate is for another host name")
    t.is_(there.stream("k3y"), None, "nothing came of it")

    here.configure({"push_ca_file": f"{t.dir}/none.crt"})
    line = 1 + open(here.conf_path).read().splitlines().index(f'push_ca_file: "{t.dir}/none.crt"')
    r = subprocess.run(here.argv("-t"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    t.like(r.stdout, rf":{line}: push_ca_file: \S+/none\.crt: No such file", "a CA file that is not there is an error of -t")
    t.is_((r.returncode, here.cli("reload").returncode != 0), (1, True), "and of a reload, which changes nothing")
    here.configure({"push_ca_file": t.dir})
    r = subprocess.run(here.argv("-t"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    t.like(r.stdout, rf":{line}: push_ca_file: \S+ is no file", "so is a folder")
    t.is_(r.returncode, 1, "exit code 1")
