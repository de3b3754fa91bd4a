#!/usr/bin/python3
"""142-completion: bash completes the verbs that millrace --help names, first and after help."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from millrace import *

# What bash does at a TAB behind these words.
TAB = """. "$0"; COMP_WORDS=("$@" ""); COMP_CWORD=$#; _millrace; printf '%s\\n' "${COMPREPLY[@]}" """

if not shutil.which("bash"):
    Test(__doc__).skip_all("bash is not installed")


def offered(*words):
    r = subprocess.run(["bash", "-c", TAB, f"{TOP}/etc/millrace.bash-completion", f"{BUILD}/millrace", *words], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, text=True, check=True)
    return sorted(w for w in r.stdout.split() if not w.startswith("-"))


with Test(__doc__) as t:
    text = subprocess.run([f"{BUILD}/millrace", "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout
    verbs = sorted(re.findall(r"^  ([a-z][a-z-]*)", text, re.M))
    t.ok(len(verbs) > 10, f"{len(verbs)} verbs")
    t.is_(offered(), verbs, "all of them, and no other, come first")
    t.is_(offered("help"), [v for v in verbs if v != "help"], "help takes each of them")
