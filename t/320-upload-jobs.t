#!/usr/bin/python3
"""320-upload-jobs: what was received is converted and pushed in real time to another Millrace, one after the other; mp4, turned mov, webm."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *
from rtmp_target import RtmpTarget
from tls import certificate
from upload import *

FAST = {"jobs.scan": "1s", "jobs.retry_min": "200ms", "jobs.retry_max": "1s"}

with Test(__doc__) as t:
    there = t.server(**{"streams.record.path": "recordings/{stream}/{start}.mp4", "streams.reconnect_delay": "1s",
        "streams.cleanup_delay": "200ms", "jobs.scan": "1s"})
    here = t.server(**FAST, **{"upload.target": there.url("one"), "jobs.workers": 2})
    t0 = time.monotonic()
    first = place(here, mp4(20), file="first.mp4")
    wait_state(here, first, "pushing")
    second = place(here, mov(), file="second.mov")
    third = place(here, webm(), file="third.webm")
    both = wait_for("both are converted", lambda: all(entry(here, i)["state"] == "converted" for i in (second, third)), 30, 0.1)
    pushes = lambda: sorted(j["state"] for j in json.loads(here.cli("jobs", "--json").stdout)["jobs"] if j["kind"] == "push")
    wait_for("three pushes", lambda: len(pushes()) == 3, 5, 0.1)
    t.is_(pushes(), ["queued", "queued", "running"], "pushes to one target wait for each other")
    for id, what in (first, "mp4"), (second, "mov"), (third, "webm"):
        j = wait_state(here, id, "done")
        wait_for("its files are gone", lambda: files(here, id) == ["json"], 5)
        t.is_(j["percent"], 100, f"{what}: done, its files are gone")
    took = time.monotonic() - t0
    t.ok(took > 27, f"20 and twice 4 s were pushed in real time: {took:.1f} s")
    got = wait_recordings(there, "one", 3)
    seen = [probe(p) for p in got]
    t.is_([sorted(s) for s in seen], [["aac", "h264"]] * 3, "each arrived as H.264 and AAC")
    t.none([s for s, want in zip(seen, (20, 4, 4)) if any(abs(d - want) > 0.4 for d, _, _ in s.values())], "each as long as it was")
    t.is_(sorted(s["h264"][1:] for s in seen), [(180, 320), (320, 180), (320, 180)], "turned and odd pictures are as they should be")
    t.like(here.cli("jobs", "--done").stdout, r"convert +done.*push +done", "millrace jobs --done lists both steps")
    t.none([line for line in here.log().splitlines() if "level=warn" in line or "level=error" in line], "no warning in the log")

    # {name}: each its own target, at once.
    here.configure({"upload.target": f"rtmp://127.0.0.1:{there.rtmp}/live/{{name}}?key=verysecret"})
    t.is_(here.cli("reload").returncode, 0, "another target by reload")
    ids = [place(here, mp4(), name=n) for n in ("alice", "bob")]
    wait_for("both at once", lambda: there.stream("alice") and there.stream("bob"), 20, 0.1)
    for id in ids:
        wait_state(here, id, "done")
    t.ok(True, "two names are pushed at once")
    t.is_("verysecret" in here.log(), False, "the target's key is in no log")

    # A target that is away.
    here.configure({"upload.target": f"rtmp://127.0.0.1:{free_port()}/live/x?key=verysecret"})
    here.cli("reload")
    id = place(here, mp4())
    j = wait_for("it fails", lambda: (lambda j: j if j.get("error") else None)(job(here, id)), 20, 0.1)
    t.like(j["error"], r"the push fails .*(refused|error)", f"a target that is away: {j['error']}")
    t.is_("verysecret" in json.dumps(j) + here.cli("jobs").stdout + here.log(), False, "without its key")
    t.is_(files(here, id), ["flv", "json", "part"], "nothing is deleted")
    here.configure({"upload.target": there.url("late")})
    here.cli("reload")
    wait_state(here, id, "done")
    t.ok(wait_recordings(there, "late"), "when it is there it is pushed")

    # A target that says no, and why: with the key in it.
    refuses = RtmpTarget()
    refuses.mode, refuses.words = "reject_publish", "stream name s3cr3tk3y is already in use"
    here.configure({"upload.target": refuses.url("s3cr3tk3y")})
    here.cli("reload")
    id = place(here, mp4())
    j = wait_for("it fails", lambda: (lambda j: j if j.get("error") else None)(job(here, id)), 20, 0.1)
    t.like(j["error"], r"it refuses: .*is already in use", f"a target that refuses: {j['error']}")
    t.is_([s for s in (json.dumps(j), here.cli("jobs").stdout, here.log()) if "s3cr3tk3y" in s], [], "without its key, in the log too")
    here.configure({"upload.target": there.url("late")})
    here.cli("reload")
    wait_state(here, id, "done")
    refuses.close()

    # RTMPS: whose certificate nobody knows gets nothing, unless that is wanted.
    tls = RtmpTarget(tls=certificate(t, "localhost"))
    here.configure({"upload.target": tls.url("x")})
    here.cli("reload")
    id = place(here, mp4())
    j = wait_for("it fails", lambda: (lambda j: j if j.get("error") else None)(job(here, id)), 20, 0.1)
    t.like(j["error"], r"its certificate can't be trusted", f"a certificate of nobody's: {j['error']}")
    here.configure({"upload.verify": False})
    here.cli("reload")
    wait_state(here, id, "done")
    t.ok([s for s in tls.sessions if s.tags], "with upload.verify: false it is taken")
    tls.close()
    known = certificate(t, "known", "IP:127.0.0.1")
    tls = RtmpTarget(tls=known)
    here.configure({"upload.target": tls.url("x"), "upload.verify": True, "upload.ca_file": known[0]})
    here.cli("reload")
    wait_state(here, place(here, mp4()), "done")
    t.ok([s for s in tls.sessions if s.tags], "and with upload.ca_file one of its CAs, for that address")
    tls.close()
    here.configure({"upload.target": there.url("late")})
    here.cli("reload")

    # Cancelled amid its push, and wanted after all.
    id = place(here, mp4(8))
    j = wait_state(here, id, "pushing")
    listed = next(x for x in json.loads(here.cli("jobs", "--json").stdout)["jobs"] if x["id"] == j["job"])
    t.is_((listed["upload"], j["file"] in ("", listed.get("sent_as"))), (id, True), "jobs has its id and what its sender calls it")
    t.is_(here.cli("jobs", "cancel", j["id"]).returncode, 0, "a push is cancelled, by its upload's id")
    wait_for("it ends", lambda: not here.pids("ffmpeg"), 10)
    t.is_((job(here, id)["state"], files(here, id)[:2]), ("cancelled", ["flv", "json"]), "it ends at once, its files are kept")
    t.is_(here.cli("jobs", "retry", id).returncode, 0, "and wanted again")
    wait_state(here, id, "done")
    r = here.cli("jobs", "retry", id)
    t.ok(r.returncode == 1 and "is done: nothing to retry" in r.stderr, "one that is done is not", r.stderr)
    t.ok("there is no job" in here.cli("jobs", "cancel", "0" * 32).stderr, "nor one that never was")

    # Given up, kept, deleted.
    here.configure({"upload.target": f"rtmp://127.0.0.1:{free_port()}/live/x", "upload.retry": "1s", "upload.keep": "3s"})
    here.cli("reload")
    id = place(here, mp4())
    wait_state(here, id, "failed", limit=30)
    t.is_([f for f in files(here, id) if f != "over"], ["flv", "json", "part"], "after upload.retry it is dead, its files are kept")
    wait_for("upload.keep is over", lambda: files(here, id) == [], 20, 0.2)
    t.ok(True, "and deleted after upload.keep")
    t.is_(job(here, first)["state"], "HTTP 404", "so is the word of what was done")
