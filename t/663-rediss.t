#!/usr/bin/python3
"""663-rediss: redis.url: rediss://: works where hiredis has TLS, certificate checked; else -t says what to do instead."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

from tls import certificate


def with_tls(t, port):
    cert, key = certificate(t, "localhost", "DNS:localhost")
    t.spawn(["redis-server", "--port", "0", "--tls-port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", t.dir,
        "--tls-cert-file", cert, "--tls-key-file", key, "--tls-auth-clients", "no"])
    os.environ["SSL_CERT_FILE"] = cert
    m = t.server(**{"redis.url": f"rediss://localhost:{port}"})
    wait_for("healthy", lambda: m.cli("status").returncode == 0, 15, 0.2)
    t.publish(m, "alice").join_live()
    m.wait_playlist("alice", 1)
    wait_for("its lease", lambda: subprocess.run(["redis-cli", "--tls", "--cacert", cert, "-h", "localhost", "-p", str(port),
        "exists", "millrace:lease:alice"], stdout=subprocess.PIPE, text=True).stdout.strip() == "1", 10, 0.2)
    t.ok(True, "a lease over TLS")
    for what, url, ca in (("a certificate of nobody known", "localhost", certificate(t, "other", "DNS:other")[0]), ("another name", "127.0.0.1", cert)):
        os.environ["SSL_CERT_FILE"] = ca
        bad = t.server(**{"redis.url": f"rediss://{url}:{port}"})
        wait_for("it is said", lambda: bad.cli("status").returncode == 1 and "is away" in bad.log(), 15, 0.3)
        t.like(bad.log(), r"(?i)rediss://\S+ is away \(its certificate is refused", f"{what} is refused")


with Test(__doc__) as t:
    port = free_port()
    m = t.server(start=False, **{"redis.url": f"rediss://localhost:{port}"})
    r = subprocess.run(m.argv("-t"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if r.returncode == 0:
        with_tls(t, port)
    else:
        t.like(r.stdout, r"redis\.url: this build's hiredis has no TLS; run stunnel and point redis\.url at it", "-t refuses it and says what to do")
