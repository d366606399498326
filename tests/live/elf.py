#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: Apache-2.0
"""The ELF objects that a scan of a root lists, against binutils' readelf. One test an object.

    elf.py ROOT...

Compared: the set of files (programs and shared objects), class, byte order, interpreter, soname,
needed libraries in order, rpath, runpath and build-id, for any architecture.
"""
import os
import re
import shutil
import stat
import subprocess
import sys

import live

FILE = re.compile(r"^File: (.*)$")
KEYS = {
    "class": re.compile(r"^  Class: +ELF(32|64)$"),
    "endian": re.compile(r"^  Data: .*(little|big) endian$"),
    "type": re.compile(r"^  Type: +(\w+)"),
    "interpreter": re.compile(r"Requesting program interpreter: (.*)\]$"),
    "soname": re.compile(r"\(SONAME\) +Library soname: \[(.*)\]$"),
    "rpath": re.compile(r"\(RPATH\) +Library rpath: \[(.*)\]$"),
    "runpath": re.compile(r"\(RUNPATH\) +Library runpath: \[(.*)\]$"),
    "build_id": re.compile(r"\bBuild ID: ([0-9a-f]+)$"),
}
NEEDED = re.compile(r"\(NEEDED\) +Shared library: \[(.*)\]$")


def elf_files(root):
    """Every regular file that begins as ELF files do; paths as the file system has them."""
    found = []
    for folder, dirs, files in os.walk(root):
        dirs.sort()
        for name in files:
            path = os.path.join(folder, name)
            try:
                if stat.S_ISREG(os.lstat(path).st_mode):
                    with open(path, "rb") as f:
                        if f.read(4) == b"\x7fELF":
                            found.append(path)
            except OSError:
                pass
    return sorted(found)


def readelf(paths):
    """{path: facts}"""
    facts = {}
    for i in range(0, len(paths), 500):
        out = subprocess.run(["readelf", "-W", "-h", "-l", "-d", "-n", os.devnull,
                              *paths[i:i + 500]], capture_output=True, check=False,
                             env={**os.environ, "LC_ALL": "C"}).stdout
        now = {}
        for line in out.decode(errors="surrogateescape").splitlines():
            m = FILE.match(line)
            if m:
                now = facts[m[1]] = {"needed": []}
                continue
            m = NEEDED.search(line)
            if m:
                now["needed"].append(m[1])
                continue
            for key, pattern in KEYS.items():
                m = pattern.search(line)
                if m:
                    now.setdefault(key, m[1])
                    break
    return facts


def compare(root, count):
    try:
        doc = live.sapper_json("scan", "--format", "json", "dir:" + root)
    except (RuntimeError, ValueError) as e:
        count.check(False, root, str(e))
        return
    got = {o["path"]: o for o in doc["objects"]}
    for path, want in readelf(elf_files(root)).items():
        if want.pop("type", None) not in ("DYN", "EXEC"):
            continue
        inside = path[len(root):]
        what = f"{root}: {inside}"
        if inside not in got:
            count.check(False, what, "not in sapper's answer")
            continue
        o = got.pop(inside)
        mine = {key: o.get(key) for key in KEYS if key != "type" and o.get(key) is not None}
        mine["class"] = str(mine.get("class"))
        mine["needed"] = o.get("needed", [])
        apart = [f"{k}: {mine.get(k)!r}, readelf: {want.get(k)!r}"
                 for k in sorted(mine.keys() | want.keys()) if mine.get(k) != want.get(k)]
        count.check(not apart, what, "; ".join(apart))


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    count = live.Count()
    for root in map(os.path.realpath, sys.argv[1:]):
        if shutil.which("readelf"):
            compare(root, count)
        else:
            count.skip(root, "readelf is not installed (package binutils)")
    count.done()


if __name__ == "__main__":
    main()
