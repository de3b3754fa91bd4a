#!/usr/bin/python3
"""000-unit: every unit test program (cmocka, TAP) as one list."""
import glob, os, re, subprocess

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("MILLRACE_UNIT_BUILD", os.path.join(TOP, "build/san"))
count = failed = 0


def say(good, name, output=""):
    global count, failed
    count += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {count} - {name}", flush=True)
    if not good:
        print("".join(f"# {line}\n" for line in output.splitlines()[-60:]), end="", flush=True)


env = dict(os.environ, ASAN_OPTIONS="detect_leaks=1", UBSAN_OPTIONS="print_stacktrace=1")
sources = sorted(glob.glob(f"{TOP}/t/unit/test_*.c"))
say(len(sources) > 0, "there are unit tests")
for source in sources:
    name = os.path.basename(source)[:-2]
    try:
        run = subprocess.run([f"{BUILD}/t/{name}"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", timeout=300, env=env, cwd=TOP)
    except (OSError, subprocess.TimeoutExpired) as e:
        say(False, name, str(e))
        continue
    results = re.findall(r"^(not ok|ok) \d+ - (.*)$", run.stdout, re.M)
    for verdict, title in results:
        say(verdict == "ok", f"{name}: {title}", run.stdout)
    if run.returncode or not results:
        say(False, f"{name}: exit {run.returncode}, {len(results)} results", run.stdout)
print(f"1..{count}")
raise SystemExit(1 if failed else 0)
