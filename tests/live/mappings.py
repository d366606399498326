#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: Apache-2.0
"""What was mapped: `sapper run` against `strace -f` of the same build of some hundred processes,
and storms of short processes, all of which must be counted.

    mappings.py [--big]      --big: a million processes instead of twenty thousand

No probes: `--functions none`. Everything runs in PID namespaces of its own.
"""
import collections
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

import live
import private_root

STORM, STORM_SECONDS = 6000, 8
BIG, BIG_SECONDS = 1000000, 1800

# A line of strace -f -y: PID, then the call. Calls of two processes may cut each other in two.
CALL = re.compile(r"(?P<pid>\d+) +(?P<call>mmap|execve)\((?P<args>.*)\) += (?P<value>\S+)")
BEGUN = re.compile(r"(?P<pid>\d+) +(?P<text>\w+\(.*?) *<unfinished \.\.\.>$")
RESUMED = re.compile(r"(?P<pid>\d+) +<\.\.\. \w+ resumed>(?P<text>.*)")
WITH_PATH = re.compile(r"[^,]+, [^,]+, (?P<prot>[^,]+), [^,]+, "
                       r"\d+<(?P<path>.*?)>(?:\(deleted\))?, ")


def in_namespace(args, seconds, **how):
    """Runs a command as a child of the first process of its own PID namespace."""
    return subprocess.run(["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
                           "sh", "-c", '"$@"; exit $?', "sh", *args], stdin=subprocess.DEVNULL,
                          capture_output=True, check=False, timeout=seconds, **how)


def sapper_run(sapper, out, command, seconds=120, **how):
    """The evidence of a command, or None with the message."""
    run = in_namespace([sapper, "run", "--functions", "none", "--format", "json", "-o", out, "--",
                        *command], seconds, **how)
    if run.returncode:
        return None, f"status {run.returncode}: {run.stderr.decode(errors='replace')[-800:]}"
    with open(out, encoding="utf-8", errors="surrogateescape") as f:
        return json.load(f)["evidence"], ""


# ---- a build ---------------------------------------------------------------------------------

MAKEFILE = """
SHELL = /bin/sh
OBJECTS = $(patsubst %,part%.o,$(shell seq 1 {n}))
program: $(OBJECTS) libparts.so
	gcc -o $@ $(OBJECTS) -L. -lparts -Wl,-rpath,$(CURDIR)
	./program | sort | uniq -c > out.txt
part%.o: part%.c
	gcc -O0 -c -o $@ $<
part%.c:
	printf 'int part$*(void) {{ return $*; }}\\n' > $@
libparts.so:
	printf 'int parts(void) {{ return {n}; }}\\n' > parts.c
	printf 'int parts(void), part1(void), puts(const char *);\\n' > part0.c
	printf 'int main(void) {{ return puts(parts() > part1() ? "a" : "b") < 0; }}\\n' >> part0.c
	gcc -shared -fPIC -o $@ parts.c
	gcc -c -o main.o part0.c
OBJECTS += main.o
main.o: libparts.so
"""


def traced(path):
    """(paths mapped, Counter of the names executed, number of processes) of strace's log."""
    mapped, programs = set(), collections.Counter()
    pids, half = set(), {}
    with open(path, encoding="utf-8", errors="surrogateescape") as f:
        for line in f:
            line = line.rstrip("\n")
            begun, resumed = BEGUN.match(line), RESUMED.match(line)
            if begun:
                half[begun["pid"]] = begun["text"]
                pids.add(begun["pid"])
                continue
            if resumed:
                line = f"{resumed['pid']} {half.pop(resumed['pid'], '')}{resumed['text']}"
            pids.add(line.split(" ", 1)[0])
            m = CALL.match(line)
            if not m or m["value"] == "-1":
                continue
            if m["call"] == "execve":
                name = re.match(r'"((?:[^"\\]|\\.)*)"', m["args"])
                programs[name[1]] += 1
                continue
            m = WITH_PATH.match(m["args"])
            if m and "PROT_EXEC" in m["prot"]:
                mapped.add(os.path.realpath(m["path"]))
    return mapped, programs, len(pids)


def truth_of(log, folder):
    """What strace saw mapped executable: by mmap, and by execve the program and its loader; the
    names executed; the number of processes."""
    mapped, programs, n = traced(log)
    for name in programs:
        name = os.path.join(folder, name)
        for _ in range(4):  # scripts
            real = os.path.realpath(name)
            with open(real, "rb") as f:
                head = f.read(256)
            if head[:2] != b"#!":
                break
            name = head[2:].split(b"\n")[0].split()[0].decode()
        mapped.add(real)
        loader = live.interpreter(real)
        if loader:
            mapped.add(os.path.realpath(loader))
    return mapped, programs, n


def build(count, sapper, tmp):
    for tool in ("strace", "make", "gcc"):
        if not shutil.which(tool):
            count.skip("a build", f"{tool} is not installed")
            return
    n = 30
    folders = [os.path.join(tmp, x) for x in ("traced", "watched")]
    for folder in folders:
        os.mkdir(folder)
        with open(folder + "/Makefile", "w", encoding="ascii") as f:
            f.write(MAKEFILE.format(n=n))
    env = {"PATH": private_root.PATH, "LC_ALL": "C", "TMPDIR": tmp}
    log, out = tmp + "/strace.log", tmp + "/build.json"
    start = time.monotonic()
    command = ["make", "-s", "-j2", "-C"]
    run = in_namespace(["strace", "-f", "-y", "-qq", "-s", "4096", "-e", "trace=mmap,execve",
                        "-e", "signal=none", "-o", log, *command, folders[0]], 200, env=env)
    if not count.check(run.returncode == 0, "the build under strace",
                       run.stderr.decode(errors="replace")[-500:]):
        return
    between = time.monotonic()
    evidence, why = sapper_run(sapper, out, [*command, folders[1]], env=env)
    if not count.check(evidence is not None, "the build under sapper", why):
        return
    end = time.monotonic()
    truth, executed, processes = truth_of(log, folders[0])
    truth = {p.replace(folders[0], folders[1]) for p in truth}
    seen = {library["path"] for library in evidence["libraries"]}
    count.check(not any(evidence["lost"].values()), "nothing is lost", str(evidence["lost"]))
    for path in sorted(truth - seen):
        count.check(False, "a mapping is missed", path)
    for path in sorted(seen - truth):
        who = [x for x in evidence["libraries"] if x["path"] == path][0]["processes"]
        count.check(False, "a mapping that strace did not see", f"{path} by {who[:2]}")
    count.check(len(truth & seen) > 10, "there are mappings to compare", str(len(truth & seen)))
    count.passed += len(truth & seen)
    count.check(evidence["processes_seen"] == processes, "all processes of the build are counted",
                f"{evidence['processes_seen']}, by strace {processes}")
    programs(count, evidence, executed)
    print(f"a build: {processes} processes, {len(truth)} files mapped executable, {len(seen)} "
          f"seen; strace {between - start:.1f} s, sapper {end - between:.1f} s")


def programs(count, evidence, executed):
    """How many processes ran each program, against the execve calls that strace saw."""
    truth = collections.Counter()
    for name, n in executed.items():
        truth[os.path.basename(os.path.realpath(name))] += n
    for name in ("cc1", "as"):
        real = {os.path.basename(os.path.realpath(x)) for x in
                [shutil.which(name, path=private_root.PATH) or name]}
        files = [x for x in evidence["libraries"] if x["program"] and
                 os.path.basename(x["path"]) in real]
        told = sum(x["process_count"] for x in files)
        wanted = sum(truth[x] for x in real)
        count.check(told == wanted and wanted > 25, f"the processes that ran {name}",
                    f"{told}, by strace {wanted}")


# ---- a storm ---------------------------------------------------------------------------------

# Starts programs one after another, as quickly as it can be done.
STORM_SOURCE = r"""
#define _GNU_SOURCE
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	char *args[] = { argv[3], NULL }, *env[] = { NULL };
	long n = atol(argv[1]), most = atol(argv[2]), started = 0;
	time_t end = time(NULL) + most;

	(void)argc;
	while (started < n && ((started & 63) || time(NULL) < end)) {
		pid_t pid;
		int status;

		if (posix_spawn(&pid, argv[3], NULL, NULL, args, env) ||
		    waitpid(pid, &status, 0) != pid || status)
			return 1;
		started++;
	}
	printf("%ld\n", started);
	return 0;
}
"""
# Forks that never execute anything.
FORKS_SOURCE = r"""
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 0, i;

	for (i = 0; i < n; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		if (pid < 0 || waitpid(pid, NULL, 0) != pid)
			return 1;
	}
	printf("%ld\n", i);
	return 0;
}
"""


def compile_c(tmp, name, source, *options):
    out = os.path.join(tmp, name)
    run = subprocess.run(["gcc", "-O1", "-o", out, "-x", "c", "-", *options], input=source,
                         text=True, capture_output=True, check=False)
    if run.returncode:
        raise RuntimeError(f"gcc fails for {name}: {run.stderr[-500:]}")
    return out


def storm(count, sapper, tmp, n, seconds):
    if not shutil.which("gcc"):
        count.skip("a storm", "gcc is not installed")
        return
    starter = compile_c(tmp, "storm", STORM_SOURCE)
    forker = compile_c(tmp, "forks", FORKS_SOURCE)
    nothing = compile_c(tmp, "nothing", "int main(void) { return 0; }\n")
    static = compile_c(tmp, "static", "int main(void) { return 0; }\n", "-static")
    kinds = [("programs", n // 4, [starter, str(n // 4), str(seconds), nothing], nothing),
             ("static programs", n // 2, [starter, str(n // 2), str(seconds), static], static),
             ("forks", n // 4, [forker, str(n // 4)], forker)]
    for what, wanted, command, program in kinds:
        start = time.monotonic()
        out = os.path.join(tmp, "storm.json")
        command = ["sh", "-c", '"$@" > "$0"', out + ".n", *command]
        evidence, why = sapper_run(sapper, out, command, seconds + 60)
        took = time.monotonic() - start
        if not count.check(evidence is not None, f"a storm of {what}", why):
            continue
        with open(out + ".n", encoding="ascii") as f:
            started = int(f.read())
        if started < wanted:
            print(f"  {what}: only {started} of {wanted} in {seconds} s")
        # the shell and the one that starts them
        told, lost = evidence["processes_seen"], evidence["lost"]["maps"]
        count.check(told == started + 2 or (lost and told < started + 2),
                    f"a storm of {what}: each is counted, or losses are told",
                    f"{told} seen, {started + 2} started, {evidence['lost']}")
        used = [x for x in evidence["libraries"] if x["path"] == program]
        uses = sum(x["process_count"] for x in used)
        count.check(uses == started + (program == forker) or lost,
                    f"a storm of {what}: the program has that many processes",
                    f"{uses}, started {started}")
        count.check(len(evidence["libraries"]) < 20 and
                    all(len(x["processes"]) < 20 for x in evidence["libraries"]),
                    f"a storm of {what}: processes that have ended are few entries")
        print(f"a storm of {what}: {started} processes in {took:.1f} s, "
              f"{told} seen, {lost} records lost, {os.path.getsize(out)} bytes of JSON")


def main():
    big = "--big" in sys.argv[1:]
    count = live.Count()
    reason = private_root.reason_not()
    if reason:
        count.skip("mappings", reason)
        count.done()
    sapper = private_root.sapper_binary()
    with tempfile.TemporaryDirectory(prefix="sapper-mappings-") as tmp:
        tmp = os.path.realpath(tmp)
        for part in (lambda: build(count, sapper, tmp),
                     lambda: storm(count, sapper, tmp, *((BIG, BIG_SECONDS) if big else
                                                         (STORM, STORM_SECONDS)))):
            try:
                part()
            except (RuntimeError, OSError, ValueError, KeyError,
                    subprocess.TimeoutExpired) as e:
                count.check(False, "mappings", repr(e)[:1500])
    count.done()


if __name__ == "__main__":
    main()
