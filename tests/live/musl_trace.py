#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: Apache-2.0
"""Programs built with musl in a scratch root, against musl's own loader (`--list`).

The root holds the loader and libraries in folders that the search order tells apart. The loader
goes on listing after a library that it does not find, so missing names are compared too.
"""
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile

import live

FOUND = re.compile(r"^\t(?P<name>.+?)(?: => (?P<path>.+?))? \(0x[0-9a-f]+\)$")
MISSING = re.compile(r"^Error loading shared library (?P<name>.+?): No such file")
NULL = os.open(os.devnull, os.O_RDONLY)
LOADER = f"/lib/ld-musl-{platform.machine()}.so.1"

# (path in the root, soname, libraries linked to as paths in the root, linker options), in the
# order in which they are built.
LIBRARIES = [
    ("/lib/libplain.so.1", "libplain.so.1", [], []),
    ("/usr/lib/libusr.so.1", "libusr.so.1", ["/lib/libplain.so.1"], []),
    ("/usr/local/lib/liblocal.so.1", "liblocal.so.1", [], []),
    ("/usr/lib/libtwice.so.1", "libtwice.so.1", [], []),
    ("/usr/local/lib/libtwice.so.1", "libtwice.so.1", ["/lib/libplain.so.1"], []),
    ("/opt/rp/librp.so.1", "librp.so.1", [], []),
    ("/opt/rp/libnested.so.1", "libnested.so.1", ["/opt/rp/librp.so.1"], []),
    ("/opt/run/librun.so.1", "librun.so.1", [], []),
    ("/opt/run/libwithrun.so.1", "libwithrun.so.1", ["/opt/run/librun.so.1"],
     ["--enable-new-dtags", "-rpath=/opt/run"]),
    ("/opt/run/libnorun.so.1", "libnorun.so.1", ["/opt/run/librun.so.1"], []),
    ("/opt/origin/lib/liborigin.so.1", "liborigin.so.1", [], []),
    ("/opt/origin/lib/libdeep.so.1", "libdeep.so.1", ["/opt/origin/lib/liborigin.so.1"],
     ["-rpath=$ORIGIN"]),
    ("/opt/path/libinpath.so.1", "libinpath.so.1", [], []),
    ("/opt/slash/libslash.so", "/opt/slash/libslash.so", [], []),
    ("/lib/libcyclea.so.1", "libcyclea.so.1", [], []),
    ("/lib/libcycleb.so.1", "libcycleb.so.1", ["/lib/libcyclea.so.1"], []),
    ("/lib/libcyclea.so.1", "libcyclea.so.1", ["/lib/libcycleb.so.1"], []),
    ("/build/libgone.so.1", "libgone.so.1", [], []),
    ("/usr/lib/libneedsgone.so.1", "libneedsgone.so.1", ["/build/libgone.so.1"], []),
]
PROGRAMS = [
    ("/bin/none", [], []),
    ("/bin/plain", ["/lib/libplain.so.1"], []),
    ("/bin/usr", ["/usr/lib/libusr.so.1"], []),
    ("/bin/local", ["/usr/local/lib/liblocal.so.1"], []),
    ("/bin/twice", ["/usr/lib/libtwice.so.1"], []),
    ("/bin/rpath", ["/opt/rp/libnested.so.1"], ["--disable-new-dtags", "-rpath=/opt/rp"]),
    ("/bin/runpath", ["/opt/rp/libnested.so.1"], ["--enable-new-dtags", "-rpath=/opt/rp"]),
    ("/bin/rpath-not-there", ["/opt/rp/librp.so.1"], ["-rpath=/opt/none:/opt/rp"]),
    ("/bin/withrun", ["/opt/run/libwithrun.so.1"], ["-rpath=/opt/run"]),
    ("/bin/norun", ["/opt/run/libnorun.so.1"], ["--enable-new-dtags", "-rpath=/opt/run"]),
    ("/opt/origin/bin/origin", ["/opt/origin/lib/libdeep.so.1"], ["-rpath=$ORIGIN/../lib"]),
    ("/opt/origin/bin/origin-braces", ["/opt/origin/lib/libdeep.so.1"],
     ["-rpath=${ORIGIN}/../lib"]),
    ("/bin/inpath", ["/opt/path/libinpath.so.1"], []),
    ("/bin/slash", ["/opt/slash/libslash.so"], []),
    ("/bin/cycle", ["/lib/libcycleb.so.1"], []),
    ("/bin/gone", ["/build/libgone.so.1"], []),
    ("/bin/gone-below", ["/usr/lib/libneedsgone.so.1", "/lib/libplain.so.1"], []),
    ("/bin/many", ["/lib/libcycleb.so.1", "/usr/lib/libusr.so.1", "/usr/local/lib/liblocal.so.1",
                   "/opt/rp/libnested.so.1"], ["-rpath=/opt/rp"]),
]


def cc(root, out, args, linked, options):
    path = root + out
    os.makedirs(os.path.dirname(path), exist_ok=True)
    # --no-as-needed: nothing here uses a symbol of what it links.
    command = ["musl-gcc", *args, "-o", path, "-nostartfiles" if "-shared" in args else "-g0",
               "-x", "c", "-", "-x", "none", "-Wl,--no-as-needed", "-Wl,--allow-shlib-undefined",
               "-Wl,--unresolved-symbols=ignore-all", *[f"-Wl,{o}" for o in options]]
    command += [root + lib for lib in linked]
    run = subprocess.run(command, input="int main(void) { return 0; }\n"
                         if "-shared" not in args else "int x;\n",
                         text=True, capture_output=True, check=False)
    if run.returncode:
        sys.exit(f"musl-gcc fails for {out}: {run.stderr}")


def build(root):
    libc = os.path.realpath(LOADER)
    os.makedirs(root + "/lib")
    shutil.copy(libc, root + LOADER)
    for out, soname, linked, options in LIBRARIES:
        cc(root, out, ["-shared", "-fPIC"],
           linked, [*options, f"-soname={soname}"])
    for out, linked, options in PROGRAMS:
        cc(root, out, [], linked, [f"-dynamic-linker={LOADER}", *options])
    shutil.rmtree(root + "/build")


def enter_and_ask(root, program):
    """What the loader lists for a program: (libraries, missing)."""
    run = subprocess.run([LOADER, "--list", program], stdin=NULL, capture_output=True, text=True,
                         timeout=60, check=False, env={}, preexec_fn=lambda: live.enter(root))
    libraries, missing = set(), set()
    for line in (run.stdout + run.stderr).splitlines():
        found, gone = FOUND.match(line), MISSING.match(line)
        if found:
            path = found["path"] or found["name"]
            libraries.add(os.path.realpath(root + path)[len(root):])
        elif gone:
            missing.add(gone["name"])
    return libraries, missing


def compare(root, count, what):
    names = [p[0] for p in PROGRAMS]
    truth = {name: enter_and_ask(root, name) for name in names}
    if os.environ.get("ORACLE_ONLY"):
        for name, (libraries, missing) in truth.items():
            print(what, name, sorted(libraries), "missing", sorted(missing))
        return
    try:
        doc = live.sapper_json("links", *live.target_args(root), "--format", "json", "--strict",
                               *names)
    except (RuntimeError, ValueError) as e:
        count.check(False, what, str(e))
        return
    answer = {p["program"]: p for p in doc["programs"]}
    for name in names:
        got = answer.get(name, {})
        libraries = {x["path"] for x in got.get("libraries", []) if x.get("strict", True)}
        missing = {x["name"] for x in got.get("missing", [])}
        count.check((libraries, missing) == truth[name], f"musl, {what}: {name}",
                    f"sapper: {sorted(libraries)} missing {sorted(missing)}; the loader: "
                    f"{sorted(truth[name][0])} missing {sorted(truth[name][1])}")


def main():
    count = live.Count()
    if not shutil.which("musl-gcc") or not os.path.exists(LOADER):
        count.skip("musl", "musl-gcc is not installed (package musl-tools)")
    elif os.geteuid() != 0:
        count.skip("musl", "chroot needs root")
    else:
        with tempfile.TemporaryDirectory(prefix="sapper-musl-") as root:
            root = os.path.realpath(root)
            build(root)
            compare(root, count, "built-in folders")
            os.makedirs(root + "/etc")
            with open(root + f"/etc/ld-musl-{platform.machine()}.path", "w",
                      encoding="ascii") as f:
                f.write("/opt/path\n/usr/local/lib:/lib\n")
            compare(root, count, "ld-musl.path")
    count.done()


if __name__ == "__main__":
    main()
