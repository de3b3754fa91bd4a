#!/usr/bin/python3
"""660-metrics: a server that records, watches and uploads: /metrics has what dashboard and alerts name; the log tells the story."""
import json, os, re, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *
from s3 import *

BUCKET, PART = "media", 5 * MIB


def read(path):
    with open(f"{TOP}/{path}") as f:
        return f.read()


def metrics(m):
    """{name: [(labels, value)]} of a real answer."""
    found = {}
    for line in m.get("/metrics")[2].decode().splitlines():
        if not line.startswith("#"):
            name, labels, value = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line).groups()
            found.setdefault(name, []).append((labels or "", float(value)))
    return found


def total(m, name, label=""):
    return sum(v for labels, v in metrics(m).get(f"millrace_{name}", []) if label in labels)


def names_of(text):
    """What an expression means by millrace_...; not a job's name, not an alert's."""
    return set(re.findall(r"\bmillrace_\w+", text))


def histogram(t, m):
    rows = metrics(m)
    worker = re.search(r'worker="(\d+)"', next(l for l, v in rows["millrace_upload_part_duration_seconds_count"] if v)).group(0)
    buckets = [v for l, v in rows["millrace_upload_part_duration_seconds_bucket"] if worker in l]
    count = next(v for l, v in rows["millrace_upload_part_duration_seconds_count"] if worker in l)
    t.ok(buckets == sorted(buckets) and buckets[-1] == count >= 4, f"the histogram of {count:.0f} parts rises to its count", buckets)
    t.ok(next(v for l, v in rows["millrace_upload_part_duration_seconds_sum"] if worker in l) > 0, "and has a sum")


with Test(__doc__, limit=120) as t:
    s3 = Swift(t)
    s3.client.create_bucket(Bucket=BUCKET)
    proxy = Proxy(t, s3.port)
    incoming = f"{t.dir}/incoming"
    os.mkdir(incoming)
    m = t.server(**{"watch": [{"dir": incoming, "extensions": ["bin"]}], "watch_quiet": "200ms",
        "streams.record.path": "recordings/{stream}/{start}.mp4", "jobs.workers": 2, "jobs.uploads": 2,
        "storage": {"s3": {"endpoint": proxy.endpoint, "bucket": BUCKET, "access_key": KEY, "secret_key": SECRET,
            "part_size": PART}}, "jobs.retry_min": "100ms"})
    p = t.publish(m, "alice", clips.clip(seconds=60))
    p.join_live()
    m.wait_playlist("alice", 2)
    wait_for("it is recorded", lambda: total(m, "stream_recording", "alice") == 1, 10, 0.2)
    lags = [total(m, "stream_recording_lag_seconds", "alice")]
    wait_for("some seconds pass", lambda: lags.append(total(m, "stream_recording_lag_seconds", "alice")) or len(lags) > 12, 10, 0.25)
    t.ok(0 < max(lags) < 4 * SLOW, f"recording lag is a sync's time, {max(lags):.2f} s at most", lags)

    proxy.faults = [Fault("reset", target="partNumber=2", after=MIB), Fault("status", target="partNumber=3")]
    data = os.urandom(4 * PART)
    with open(f"{incoming}/one.bin", "wb") as f:
        f.write(data)
    wait_for("the file is uploaded", lambda: total(m, "job_ends_total", 'end="done"') >= 1, 40, 0.3)
    t.is_(s3.sha256(BUCKET, "one.bin"), hashlib.sha256(data).hexdigest(), "the file is in the bucket")
    sent, lost = total(m, "upload_sent_bytes_total"), total(m, "upload_lost_bytes_total")
    t.ok(sent - lost == len(data) and lost >= MIB, f"bytes sent {sent:.0f}, of these in vain {lost:.0f}: the rest is the file")
    t.ok(total(m, "s3_retries_total") == 2, "both faults are counted as retries", metrics(m).get("millrace_s3_retries_total"))
    histogram(t, m)

    with open(f"{incoming}/copy.bin", "wb") as f:
        f.write(data)
    m.wait_log("skipping")
    proxy.faults = [Fault("status", target=r"two\.bin", method="PUT", status=403, code="AccessDenied", times=9)]
    with open(f"{incoming}/two.bin", "wb") as f:
        f.write(b"2")
    wait_for("the refusal is counted", lambda: total(m, "s3_refusals_total") >= 1, 20, 0.3)
    wait_for("the job is parked", lambda: total(m, "jobs", 'state="dead"') == 1, 20, 0.3)
    t.ok(True, "a refusal of S3 is counted and the job parked")
    wait_for("two done with", lambda: total(m, "watch_skipped_total") == 1 and total(m, "watch_files_pending") == 0, 10, 0.3)
    t.is_((total(m, "watch_files"), total(m, "watch_queued_total"), total(m, "watch_folders_missing")), (3, 2, 0),
        "figures of the watched folder")

    have = set(metrics(m))
    dashboard = json.loads(read("etc/grafana-dashboard.json"))
    exprs = "\n".join(target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", []))
    t.ok(len(names_of(exprs)) > 25, f"the dashboard shows {len(names_of(exprs))} metrics")
    t.none(sorted(names_of(exprs) - have), "each metric of the dashboard is in a real answer")
    rules = "\n".join(re.findall(r"^\s+expr: (.*)$", read("etc/prometheus-rules.yml"), re.M))
    t.none(sorted(names_of(rules) - have), "and each one of the alerts' expressions")
    boxes = [panel["gridPos"] for panel in dashboard["panels"]]
    t.ok(all(b["x"] + b["w"] <= 24 for b in boxes), "no panel is wider than the dashboard")
    if shutil.which("promtool"):
        r = subprocess.run(["promtool", "check", "metrics"], input=m.get("/metrics")[2], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        said = [line for line in r.stdout.decode().splitlines() if "millrace_stream_bitrate_bits_per_second" not in line]
        t.none(said, "promtool check metrics has nothing to say (but that bit rates are in bits)")

    log = m.log()
    one = rf"file=\S*{incoming}/one\.bin"
    for what, pattern in (
            ("starts with the watched folders", rf"proc=watch .*watching {incoming}: extensions"),
            ("workers launched, and how many", r"\d+ jobs workers launched, \d+ in all"),
            ("a file picked up", rf"proc=watch .*picked up: size=\d+ {one}"),
            ("complete, with its hash", rf"proc=watch .*complete: size=\d+ sha256=\w+ {one}"),
            ("skipped", r"proc=watch .*already processed and hash unchanged, skipping: sha256=\w+ file=\S+copy\.bin"),
            ("processing: worker, job and file", rf"proc=jobs pid=\d+ worker=[12] job=\S+ {one} .*is begun"),
            ("a part done", rf"proc=jobs pid=\d+ worker=[12] job=\S+ {one} .*part \d of 4 is in the bucket"),
            ("done", rf"proc=jobs pid=\d+ worker=[12] job=\S+ {one} .*is done")):
        t.like(log, pattern, f"log: {what}")
    p.end()
    m.wait_log(r"proc=jobs pid=\d+ worker=[12] stream=alice job=\S+ file=rec/alice/\S+ .*is begun", 20)
    t.ok(True, "log: a recording's job has its stream")
