#!/usr/bin/python3
"""406-make-web: hls.min.js that comes while the server runs is served, without a restart."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import millrace
from millrace import *

WANT = "/web/hls.min.js"

with Test(__doc__) as t:
    # a tree of its own: pages are found beside the programs
    tree = f"{t.dir}/tree"
    os.mkdir(tree)
    shutil.copytree(f"{TOP}/web", f"{tree}/web", ignore=shutil.ignore_patterns("vendor"))
    shutil.copytree(f"{BUILD}/libexec", f"{tree}/build/libexec")
    for program in ("millraced", "millrace"):
        shutil.copy(f"{BUILD}/{program}", f"{tree}/build/")
    millrace.BUILD = f"{tree}/build"
    m = t.server()
    t.is_(m.get(WANT)[0], 404, "before make web there is none")
    os.mkdir(f"{tree}/web/vendor")
    with open(f"{tree}/web/vendor/hls.min.js", "w") as f:
        f.write("window.Hls = 1;")
    status, fields, body = m.get(WANT)
    t.is_((status, body, fields["content-type"]), (200, b"window.Hls = 1;", "text/javascript; charset=utf-8"), "after it the next page has it")
    t.is_(m.get(WANT, {"If-None-Match": fields["etag"]})[0], 304, "and keeps it")
