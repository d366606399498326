#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: Apache-2.0
"""What one would write first: a dpkg status file against the database of reference_import.py.

    reference_match.py DATABASE STATUS ECOSYSTEM

Prints the vulnerabilities of each source package, and on stderr how many there are and the
milliseconds from opening the database to the last comparison.
"""
import functools
import json
import re
import sqlite3
import sys
import time


def order(c):
    return -1 if c == "~" else 0 if c == "" else ord(c) if c.isalpha() else ord(c) + 256


def compare_part(a, b):
    """Debian policy 5.6.12."""
    while a or b:
        x, y = re.match(r"\D*", a).group(), re.match(r"\D*", b).group()
        for i in range(max(len(x), len(y))):
            p, q = order(x[i:i + 1]), order(y[i:i + 1])
            if p != q:
                return -1 if p < q else 1
        a, b = a[len(x):], b[len(y):]
        x, y = re.match(r"\d*", a).group(), re.match(r"\d*", b).group()
        if int(x or 0) != int(y or 0):
            return -1 if int(x or 0) < int(y or 0) else 1
        a, b = a[len(x):], b[len(y):]
    return 0


@functools.lru_cache(maxsize=None)
def split(version):
    epoch, _, rest = version.rpartition(":")
    upstream, _, revision = rest.rpartition("-")
    return (int(epoch or 0), upstream, revision) if upstream else (int(epoch or 0), rest, "")


def compare(a, b):
    a, b = split(a), split(b)
    if a[0] != b[0]:
        return -1 if a[0] < b[0] else 1
    return compare_part(a[1], b[1]) or compare_part(a[2], b[2])


def affected(version, events):
    hit = False
    for event in events:
        if "introduced" in event:
            start = event["introduced"]
            hit = hit or start == "0" or compare(version, start) >= 0
        elif "fixed" in event and compare(version, event["fixed"]) >= 0:
            hit = False
    return hit


def installed(path):
    with open(path, encoding="utf-8") as f:
        for paragraph in f.read().split("\n\n"):
            fields = dict(line.split(": ", 1) for line in paragraph.splitlines()
                          if ": " in line and line[0] != " ")
            if not fields.get("Status", "").endswith(" installed"):
                continue
            source, version = fields.get("Source", fields["Package"]), fields["Version"]
            match = re.fullmatch(r"(\S+) \((\S+)\)", source)
            yield match.groups() if match else (source, version)


def main():
    packages = sorted(set(installed(sys.argv[2])))
    start = time.perf_counter()
    db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
    found = []
    for source, version in packages:
        for record, events in db.execute("SELECT record, events FROM claim WHERE package=? AND"
                                         " ecosystem=?", (source, sys.argv[3])):
            if affected(version, json.loads(events)):
                names = db.execute("SELECT names FROM record WHERE id=?", (record,)).fetchone()
                found.append((source, names[0] or record))
    took = time.perf_counter() - start
    for source, name in found:
        print(source, name)
    print(f"{len(found)} {took * 1000:.1f}", file=sys.stderr)


if __name__ == "__main__":
    main()
