#!/usr/bin/python3
"""001-lint: the walls between folders, sizes, man pages, shell scripts."""
import os, subprocess

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
r = subprocess.run([f"{TOP}/scripts/lint"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=TOP)
print("".join(f"# {line}\n" for line in r.stdout.splitlines()), end="")
print(f"{'not ok' if r.returncode else 'ok'} 1 - scripts/lint\n1..1")
raise SystemExit(r.returncode)
