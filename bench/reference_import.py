#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: Apache-2.0
"""What one would write first: records of OSV to an SQLite file, with json and sqlite3.

    reference_import.py DATABASE FILE...

FILE: lines of JSON, a zip, or a tar that tarfile can read (zstd comes from zstd -dc). Keeps of
each record what a matcher needs: names, dates, severity, and for each package the events and
the versions.
"""
import json
import os
import sqlite3
import subprocess
import sys
import tarfile
import zipfile


def texts(path):
    if path.endswith(".zip"):
        with zipfile.ZipFile(path) as f:
            for name in f.namelist():
                yield f.read(name)
    elif path.endswith(".tar.zst"):
        with subprocess.Popen(["zstd", "-q", "-dc", path], stdout=subprocess.PIPE) as child, \
                tarfile.open(fileobj=child.stdout, mode="r|") as tar:
            for member in tar:
                if member.isfile():
                    yield tar.extractfile(member).read()
    else:
        with open(path, "rb") as f:
            yield from f


def claims(record):
    for affected in record.get("affected") or []:
        package = affected.get("package")
        if not package:
            continue
        events = [e for r in affected.get("ranges") or [] if r.get("type") != "GIT"
                  for e in r.get("events") or []]
        versions = affected.get("versions") or []
        yield (package["ecosystem"], package["name"], record["id"],
               json.dumps(events, separators=(",", ":")),
               "" if events else json.dumps(versions, separators=(",", ":")))


def main():
    out = sys.argv[1]
    if os.path.exists(out):
        os.unlink(out)
    db = sqlite3.connect(out)
    db.execute("PRAGMA journal_mode=OFF")
    db.execute("PRAGMA synchronous=OFF")
    db.execute("CREATE TABLE record(id TEXT, modified TEXT, published TEXT, withdrawn TEXT,"
               " names TEXT, severity TEXT)")
    db.execute("CREATE TABLE claim(ecosystem TEXT, package TEXT, record TEXT, events TEXT,"
               " versions TEXT)")
    n = 0
    for path in sys.argv[2:]:
        for text in texts(path):
            r = json.loads(text)
            names = (r.get("aliases") or []) + (r.get("upstream") or [])
            db.execute("INSERT INTO record VALUES(?,?,?,?,?,?)",
                       (r["id"], r.get("modified"), r.get("published"), r.get("withdrawn"),
                        ",".join(names), json.dumps(r.get("severity") or [])))
            db.executemany("INSERT INTO claim VALUES(?,?,?,?,?)", claims(r))
            n += 1
    db.execute("CREATE INDEX record_id ON record(id)")
    db.execute("CREATE INDEX claim_package ON claim(package, ecosystem)")
    db.commit()
    db.close()
    print(f"{n} records")


if __name__ == "__main__":
    main()
