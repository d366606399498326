#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: Apache-2.0
"""The closure of every dynamic program of a root, against what that root's own loader says.

    ld_trace.py ROOT...

ROOT is a directory, or "/" for this machine. For each executable file with a PT_INTERP, that
loader is run by name, inside a chroot, with LD_TRACE_LOADED_OBJECTS set: it maps, lists and
leaves; the program itself never runs. Compared are the set of canonical library paths and the
names not found. One test a program. The loader reads setuid programs like any others here
(nobody gains a right by running it by hand), where sapper applies secure mode.
"""
import multiprocessing
import os
import re
import subprocess
import sys

import live

LINE = re.compile(r"^\t(?P<name>.+?)(?: => (?P<path>.+?))?(?: \(0x[0-9a-f]+\))?$")
VDSO = ("linux-vdso.so.1", "linux-gate.so.1", "linux-vdso64.so.1", "linux-vdso32.so.1")
NULL = os.open(os.devnull, os.O_RDONLY)  # opened here: a root may have none
ENV = {"LD_TRACE_LOADED_OBJECTS": "1", "LC_ALL": "C"}


def ask_loader(task):
    """(program, libraries, missing, reason why the loader gives no answer)."""
    program, loader = task
    try:
        run = subprocess.run([loader, program], env=ENV, stdin=NULL,
                             capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as e:
        return program, None, None, f"its loader {loader} does not run here: {e}"
    libraries, missing = set(), set()
    out = run.stdout.decode(errors="surrogateescape")
    if run.returncode != 0 or "statically linked" in out:
        said = (run.stderr.decode(errors="replace") + out).strip().replace("\n", " ")
        return program, None, None, f"its loader gives no answer: {said or run.returncode}"
    for line in out.splitlines():
        m = LINE.match(line)
        if not m or m["name"] in VDSO:
            continue
        if m["path"] == "not found":
            missing.add(m["name"])
        else:
            libraries.add(os.path.realpath(m["path"] or m["name"]))
    libraries.discard(program)
    return program, libraries, missing, None


def ask_all(root, tasks):
    context = multiprocessing.get_context("fork")
    with context.Pool(os.cpu_count() or 1, live.enter, (root,)) as pool:
        return pool.map(ask_loader, tasks, chunksize=16)


def ask_sapper(root, names):
    answer = {}
    for i in range(0, len(names), 8000):  # well under the kernel's limit for arguments
        doc = live.sapper_json("links", *live.target_args(root), "--format", "json", "--strict",
                               "--cpu", "host", *names[i:i + 8000])
        for p in doc["programs"]:
            libraries = {lib["path"] for lib in p.get("libraries", []) if lib.get("strict", True)}
            answer[p["program"]] = (libraries, {m["name"] for m in p.get("missing", [])})
    return answer


def difference(got, want):
    (libs, missing), (want_libs, want_missing) = got, want
    parts = []
    for what, a, b in (("library", libs, want_libs), ("missing", missing, want_missing)):
        parts += [f"{what} only by sapper: {x}" for x in sorted(a - b)]
        parts += [f"{what} only by the loader: {x}" for x in sorted(b - a)]
    return "; ".join(parts)


def compare(root, count):
    truth, skipped = [], {}
    tasks = live.programs(root)
    if not tasks:
        count.check(False, root, "no dynamic program found")
        return
    for program, libraries, missing, reason in ask_all(root, tasks):
        if reason:
            skipped.setdefault(reason, []).append(program)
        else:
            truth.append((program, libraries, missing))
    for reason, names in skipped.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        count.skip(f"{root}: {names[0]}{more}", reason, len(names))
    if os.environ.get("ORACLE_ONLY"):
        print(f"{root}: {len(truth)} programs, {sum(len(t[1]) for t in truth)} libraries, "
              f"{sum(len(t[2]) for t in truth)} missing")
        return
    try:
        answer = ask_sapper(root, [t[0] for t in truth])
    except (RuntimeError, ValueError) as e:
        count.check(False, root, str(e))
        return
    for program, libraries, missing in truth:
        what = f"{root}: {program}"
        if program not in answer:
            count.check(False, what, "not in sapper's answer")
            continue
        apart = difference(answer[program], (libraries, missing))
        count.check(not apart, what, apart)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    count = live.Count()
    for root in sys.argv[1:]:
        root = os.path.realpath(root)
        if root != "/" and os.geteuid() != 0:
            count.skip(root, "chroot needs root")
            continue
        compare(root, count)
    count.done()


if __name__ == "__main__":
    main()
