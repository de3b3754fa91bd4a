#!/usr/bin/python3
"""003-alerts: etc/prometheus-rules.yml names metrics that there are; promtool's tests of the rules."""
import os, re, shutil, subprocess

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def read(path):
    with open(f"{TOP}/{path}") as f:
        return f.read()


def run(*argv):
    r = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        cwd=f"{TOP}/etc")
    print("".join(f"# {line}\n" for line in r.stdout.splitlines()), end="")
    return r.returncode == 0


rules, tests = read("etc/prometheus-rules.yml"), read("etc/prometheus-rules_test.yml")
names = set(re.findall(r"\bmillrace_(\w+)", rules + tests))
source = "".join(read(f"workers/http/{f}") for f in os.listdir(f"{TOP}/workers/http") if f.startswith("metrics"))
unknown = sorted(n for n in names if f'"{n}"' not in source)
print("".join(f"# {n} is no metric\n" for n in unknown), end="")
print(f"{'not ' if unknown or not names else ''}ok 1 - metrics of the rules are those of the server")
untested = [a for a in re.findall(r"alert: (\w+)", rules) if a not in tests]
print(f"{'not ' if untested else ''}ok 2 - each alert has a test {untested or ''}")
if shutil.which("promtool"):
    good = run("promtool", "check", "rules", "prometheus-rules.yml") & run("promtool", "test", "rules",
        "prometheus-rules_test.yml")
    print(f"{'' if good else 'not '}ok 3 - promtool test rules")
else:   # 100 MB with what comes along, and a service: not for everybody who runs the tests
    good = True
    print("ok 3 - promtool test rules # SKIP promtool is not installed (Debian package prometheus)")
print("1..3")
raise SystemExit(0 if good and not unknown and not untested else 1)
