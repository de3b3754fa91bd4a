#!/usr/bin/python3
"""002-fuzz: a short run of every libFuzzer target."""
import glob, os, re, shutil, subprocess

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SECONDS = os.environ.get("MILLRACE_FUZZ_SECONDS", "3")
if not shutil.which("clang"):
    print("1..0 # SKIP clang is not installed")
    raise SystemExit(0)
targets = len(glob.glob(f"{TOP}/t/fuzz/*.c"))
r = subprocess.run([f"{TOP}/scripts/fuzz", SECONDS], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=TOP)
done = re.findall(r"^fuzz: (\w+): (ok|FAILED)", r.stdout, re.M)
for n, (name, verdict) in enumerate(done, 1):
    print(f"{'ok' if verdict == 'ok' else 'not ok'} {n} - {name}")
complete = targets > 0 and len(done) == targets
if r.returncode or not complete:
    print("".join(f"# {line}\n" for line in r.stdout.splitlines()), end="")
print(f"{'ok' if complete else 'not ok'} {len(done) + 1} - all {targets} targets ran\n1..{len(done) + 1}")
raise SystemExit(r.returncode or not complete)
