#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: Apache-2.0
"""What sapper-import makes of OSV exports, against a second reading of the same records.

    osv_rows.py [EXPORT.tar.zst...]

Without arguments: the JSON exports in ../shared/data/osv; skipped where they are absent. Compared
for each record: what it is called and bundles, and for each package and space the ranges with
their events. One test a record, one for each export read straight from its archive. The program
is $SAPPER_IMPORT, or sapper-import beside $SAPPER.
"""
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

import live

EXPORTS = ("almalinux", "bitnami", "go-vulndb", "haskell", "homebrew", "ocaml", "psf", "rustsec")
BUNDLE = re.compile(r"(ALSA|ALBA|ALEA|RHSA|RLSA)-\d{4}:A?\d+|(DSA|DLA|USN)-\d+(-\d+)?")
FIXES_ONLY = re.compile(r"(ALBA|ALEA)-")
EVENTS = {"introduced": "introduced", "fixed": "fixed", "last_affected": "last", "limit": "limit"}
UNORDERED = ("opam", "Homebrew")


def unescape(text):
    plain = {"t": "\t", "n": "\n", "r": "\r"}
    return re.sub(r"\\(.)", lambda m: plain.get(m[1], m[1]), text)


def items(text):
    return [unescape(m[0]) for m in re.finditer(r"(?:\\.|[^,\\])+", text)]


def read_rows(lines):
    """{id: (names, claims)} of rows, and the number in the end row (None: there is none)."""
    records, n, end = {}, 0, None
    claims = None
    for line in lines:
        fields = line.rstrip("\n").split("\t")
        kind = fields[0]
        if kind == "end":
            end = (int(fields[1]), n)
        n += not line.startswith("#")
        if kind == "record":
            attrs = dict(f.split("=", 1) for f in fields[2:] if not f.startswith("cvss="))
            claims = set()
            names = {k: set(items(attrs.get(k, ""))) for k in ("alias", "covers")}
            names["withdrawn"] = "withdrawn" in attrs
            records[unescape(fields[1])] = (names, claims)
        elif kind == "claim":
            events = tuple(tuple(f.split("=", 1)) for f in fields[4:]
                           if f.split("=")[0] in EVENTS.values())
            versions = [v for f in fields[4:] if f.startswith("versions=") for v in items(f[9:])]
            git = "type=git" in fields[4:]
            for package in items(fields[2]):
                claims.add((fields[1], package, "git" if git else "",
                            events if git else tuple(sorted(events)), tuple(versions)))
    return records, end


def claims_of(record):
    """The claims that a record comes to, by the text of the schema. The events of a range are a
    set; lists of versions only repeat what the ranges of these exports hold."""
    claims = set()
    for entry in record.get("affected", []):
        package = entry.get("package")
        word = (entry.get("database_specific") or {}).get("informational")
        if not package or word in ("unmaintained", "notice"):
            continue
        ordered = False
        where = package["ecosystem"], package["name"]
        for r in entry.get("ranges", []):
            git = r["type"] == "GIT"
            events = tuple((EVENTS[k], v) for e in r["events"] for k, v in e.items())
            ordered |= not git
            claims.add((*where, "git" if git else "", events if git else tuple(sorted(events)),
                        ()))
        if entry.get("versions") and (not ordered or where[0] in UNORDERED):
            claims.add((*where, "", (), tuple(entry["versions"])))
    return claims


def expected(record):
    """(names, claims), or None where the record says nothing about security."""
    names = {"alias": set(record.get("aliases", [])), "covers": set(),
             "withdrawn": "withdrawn" in record}
    upstream = record.get("upstream", [])
    if BUNDLE.fullmatch(record["id"]):
        named = record.get("aliases", []) + upstream + record.get("related", [])
        names = {"alias": set(), "covers": {n for n in named if n.startswith("CVE-")},
                 "withdrawn": names["withdrawn"]}
        if FIXES_ONLY.match(record["id"]) and not names["covers"]:
            return None
    elif sum(u.startswith("CVE-") for u in upstream) == 1:
        names["alias"] |= set(upstream)
    return names, set() if names["withdrawn"] else claims_of(record)


def compare(count, name, folder, got):
    wanted = {}
    for path in glob.glob(f"{folder}/**/*.json", recursive=True):
        with open(path, encoding="utf-8") as f:
            record = json.load(f)
        if "id" in record and "affected" in record:
            found = expected(record)
            if found:
                wanted[record["id"]] = found
    count.check(wanted.keys() == got.keys(), f"{name}: records",
                str(sorted(wanted.keys() ^ got.keys())[:5]))
    for ident in wanted.keys() & got.keys():
        for i, what in enumerate(("names", "claims")):
            w, g = wanted[ident][i], got[ident][i]
            if not count.check(w == g, f"{name}: {what} of {ident}"):
                print(f"  missing {w - g if i else w}\n  surplus {g - w if i else g}")


def run_import(path):
    beside = os.path.join(os.path.dirname(os.environ.get("SAPPER", "")), "sapper-import")
    program = os.environ.get("SAPPER_IMPORT", beside)
    run = subprocess.run([program, path], capture_output=True, check=False)
    if run.returncode != 0:
        raise RuntimeError(run.stderr.decode(errors="replace").strip())
    return read_rows(run.stdout.decode(errors="surrogateescape").splitlines(keepends=True))


def one_export(count, path):
    name = os.path.basename(path)
    with tempfile.TemporaryDirectory() as folder:
        with subprocess.Popen(["zstd", "-dc", "--long=27", path], stdout=subprocess.PIPE) as unzstd:
            subprocess.run(["tar", "-x", "-C", folder], stdin=unzstd.stdout, check=True)
        try:
            packed, end = run_import(path)
            loose, _ = run_import(folder)
        except RuntimeError as e:
            count.check(False, name, str(e))
            return
        count.check(end and end[0] == end[1], f"{name}: end row", str(end))
        count.check(packed == loose, f"{name}: the archive and its folder give the same")
        compare(count, name, folder, packed)


def main():
    count = live.Count()
    top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    shared = os.environ.get("SAP_SHARED", os.path.join(os.path.dirname(top), "shared"))
    paths = sys.argv[1:]
    if not paths:
        paths = [f"{shared}/data/osv/{e}-osv.tar.zst" for e in EXPORTS]
    for path in paths:
        if os.path.exists(path):
            one_export(count, path)
        else:
            count.skip(os.path.basename(path), "the real records are not here")
    count.done()


if __name__ == "__main__":
    main()
