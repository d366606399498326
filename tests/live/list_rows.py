#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The rows that sapper-import makes of real lists, compared with an independent reading of the same
files: every record, claim, KEV, EPSS and function row, as multisets.

    tests/live/list_rows.py [FOLDER]     FOLDER: the shared data (default: $SAP_SHARED/data, else
                                         ../shared/data beside the repository)
"""
import collections
import csv
import functools
import io
import json
import os
import re
import subprocess
import sys
import tarfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from live import Count  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEBIAN = {"sid": "", "trixie": ":13", "bookworm": ":12", "bullseye": ":11", "buster": ":10",
          "stretch": ":9", "jessie": ":8", "wheezy": ":7", "squeeze": ":6", "lenny": ":5",
          "etch": ":4", "sarge": ":3.1", "woody": ":3.0", "potato": ":2.2"}
UBUNTU = dict(zip(
    "dapper edgy feisty gutsy hardy intrepid jaunty karmic lucid maverick natty oneiric precise "
    "quantal raring saucy trusty utopic vivid wily xenial yakkety zesty artful bionic cosmic disco "
    "eoan focal groovy hirsute impish jammy kinetic lunar mantic".split(),
    "6.06 6.10 7.04 7.10 8.04 8.10 9.04 9.10 10.04 10.10 11.04 11.10 12.04 12.10 13.04 13.10 14.04 "
    "14.10 15.04 15.10 16.04 16.10 17.04 17.10 18.04 18.10 19.04 19.10 20.04 20.10 21.04 21.10 "
    "22.04 22.10 23.04 23.10".split()))
SEVERITIES = {"critical", "high", "medium", "low", "negligible"}


def importer():
    """The program, or None."""
    named = os.environ.get("SAPPER_IMPORT")
    path = named or os.path.join(os.path.dirname(os.environ.get("SAPPER", "")), "sapper-import")
    return path if os.path.isfile(path) else None


def rows_of(program, path):
    """Every row of one input as (kind, fields...); the input is descriptor 3."""
    fd = os.open(path, os.O_RDONLY)

    def pass_it():
        os.dup2(fd, 3)

    run = subprocess.run([program, "--name", os.path.basename(path)], capture_output=True,
                         check=False, pass_fds=(3,), preexec_fn=pass_it)
    os.close(fd)
    if run.returncode != 0:
        raise RuntimeError(f"{program} {path}: {run.stderr.decode(errors='replace')}")
    lines = run.stdout.decode(errors="surrogateescape").split("\n")
    return [line.split("\t") for line in lines if line and not line.startswith("#")]


def flatten(rows):
    """Rows as a multiset: claims belong to the record before them, one for each package."""
    found = collections.Counter()
    record = None
    for row in rows:
        if row[0] == "record":
            record = row[1]
        if row[0] == "claim":
            for package in row[2].split(","):
                found[("claim", record, row[1], package, *sorted(row[3:]))] += 1
        elif row[0] not in ("end", "problem", "source"):
            found[(row[0], row[1], *sorted(row[2:]))] += 1
    return found


def claim(record, space, package, status, fixed=None, **more):
    fields = [status] + [f"{k}={v}" for k, v in more.items() if v]
    if status == "affected":
        fields += ["introduced=0"] + ([f"fixed={fixed}"] if fixed else [])
    return ("claim", record, space, package, *sorted(fields))


# ---- Debian --------------------------------------------------------------------------------

MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
STATEMENT = re.compile(r"\s+(?:\[([a-z-]+)\]\s+)?-\s+(\S+)\s+(<[a-z-]+>|[^\s<(]\S*)\s*(.*)")
WORDS = {"<not-affected>": ("not-affected", None), "<unfixed>": ("affected", None),
         "<removed>": ("affected", "removed"), "<undetermined>": ("under-investigation", None),
         "<no-dsa>": ("unfixed", "no-dsa"), "<ignored>": ("unfixed", "ignored"),
         "<postponed>": ("unfixed", "postponed"), "<end-of-life>": ("unfixed", "end-of-life")}


def debian_statement(record, line):
    m = STATEMENT.fullmatch(line.rstrip())
    if not m or m[1] == "experimental" or m[3] == "<itp>":
        return None
    notes = {n.strip() for n in re.split("[();]", m[4])}
    severity = next((w for w in ("unimportant", "low", "medium", "high") if w in notes), None)
    status, reason = WORDS.get(m[3], ("affected", None))
    if severity == "unimportant":
        severity = "negligible"
        if m[3] in ("<unfixed>", "<removed>"):
            status, reason = "unfixed", "unimportant"
    fixed = None if m[3].startswith("<") else m[3]
    return claim(record, "Debian" + DEBIAN[m[1] or "sid"], m[2], status, fixed, reason=reason,
                 severity=severity)


def debian_list(path):
    want = collections.Counter()
    with open(path, encoding="utf-8") as f:
        entries = re.split(r"^(?=\S)", f.read(), flags=re.M)
    for entry in filter(None, entries):
        head, *lines = entry.split("\n")
        names = [n for line in lines for m in [re.fullmatch(r"\s*\{(.*)\}\s*", line)] if m
                 for n in m[1].split()]
        m = re.match(r"\[(\d\d) (\w{3}) (\d{4})\] (\S+)", head)
        record = m[4] if m else head.split()[0]
        statements = [s for line in lines for s in [debian_statement(record, line)] if s]
        if m:
            date = f"{m[3]}-{MONTHS.index(m[2]) + 1:02}-{m[1]}"
            fields = [f"modified={date}", f"published={date}"]
            fields += ["covers=" + ",".join(names)] if names else []
        elif not statements:
            continue
        else:
            fields = ["related=" + ",".join(names)] if names else []
        want[("record", record, *sorted(fields))] += 1
        want.update(statements)
    return want


# ---- Ubuntu --------------------------------------------------------------------------------

def ubuntu_space(suite):
    """(space, pro), or None where nothing is said of the suite."""
    if suite == "devel":
        return "Ubuntu", False
    if suite in UBUNTU:
        return "Ubuntu:" + UBUNTU[suite], False
    m = re.fullmatch(r"(?:esm-\w+/(\w+)|(\w+)/esm)", suite)
    return ("Ubuntu:Pro:" + UBUNTU[m[1] or m[2]], True) if m else None


def ubuntu_statement(suite, word, note):
    """(status, fixed, attributes), or None."""
    version = note if re.fullmatch(r"\d[A-Za-z0-9.+~:_^-]*", note) else None
    if word == "released":
        return ("affected", version, {}) if version else None
    if word == "pending":
        return "affected", version, {"offered": "no" if version else None}
    if word == "needed":
        return "affected", None, {}
    if word == "needs-triage":
        return "under-investigation", None, {}
    if word == "deferred":
        return "unfixed", None, {"reason": "deferred"}
    if word == "ignored":
        over = "end of " in note or "end-of-life" in note
        status = "under-investigation" if "was needs-triage" in note else "unfixed"
        return status, None, {"reason": "end-of-life" if over else "ignored"}
    if word == "not-affected":
        if suite != "devel":
            return "not-affected", None, {}
        return ("affected", version, {}) if version else None
    return None


def ubuntu_file(text, want):
    fields, scores, statements, key = {}, [], [], None
    for line in text.split("\n"):
        if line.startswith((" ", "\t")):
            m = re.search(r"(CVSS:\S{5,})", line) if key == "CVSS" else None
            scores += [m[1]] if m else []
        elif line and not line.startswith("#"):
            key, colon, value = line.partition(":")
            if colon:
                fields[key] = value.strip()
                statements += [key] if re.match(r"[a-z].*_", key) else []
    record = "UBUNTU-" + fields["Candidate"]
    row = ["published=" + re.sub(r" (\S+) UTC.*", r"T\1Z", fields["PublicDate"])]
    if re.fullmatch(r"CVE-\d{4}-\d{4,}", fields["Candidate"]):
        row.append("alias=" + fields["Candidate"])
    priority = fields["Priority"].split()[0]
    row += ["severity=" + priority] if priority in SEVERITIES else []
    want[("record", record, *sorted(row + ["cvss=" + s for s in scores]))] += 1
    for key in statements:
        suite, _, package = key.partition("_")
        where = ubuntu_space(suite)
        word, _, note = fields[key].partition(" ")
        said = where and ubuntu_statement(suite, word, note.strip().lstrip("(").rstrip(")").strip())
        if said:
            status, fixed, more = said
            severity = fields.get(f"Priority_{package}_{suite}",
                                  fields.get("Priority_" + package, "")).split()[:1]
            more["severity"] = severity[0] if severity and severity[0] in SEVERITIES else None
            more["pro"] = "yes" if where[1] and fixed else None
            want[claim(record, where[0], package, status, fixed, **more)] += 1


def unpack(path):
    """(name, text) of every file in a .tar.zst."""
    tar = subprocess.run(["zstd", "-dcq", "--long=27", path], capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(tar.stdout)) as archive:
        for member in archive:
            if member.isfile():
                yield member.name, archive.extractfile(member).read().decode(errors="replace")


def ubuntu_archive(path):
    want = collections.Counter()
    for name, text in unpack(path):
        if "/CVE-" in "/" + name:
            ubuntu_file(text, want)
    return want


# ---- Alpine --------------------------------------------------------------------------------

def apk_key(version):
    """An order that is good enough for the versions that occur twice in one package."""
    m = re.fullmatch(r"([\d.]+)([a-z]?)((?:_[a-z]+\d*)*)(?:-r(\d+))?", version)
    weight = {"alpha": -4, "beta": -3, "pre": -2, "rc": -1}
    suffixes = [(weight.get(s, 1), int(n or 0)) for s, n in re.findall(r"_([a-z]+)(\d*)", m[3])]
    return ([int(x) for x in m[1].split(".")], m[2], suffixes + [(0, 0)], int(m[4] or 0))


def secdb(path):
    want = collections.Counter()
    with open(path, encoding="utf-8") as f:
        document = json.load(f)
    release = document["distroversion"]
    space = "Alpine:" + ("edge" if release.startswith("edge")
                         else re.match(r"v(\d+\.\d+)", release)[1])
    for package in (p["pkg"] for p in document["packages"]):
        found = {}
        for version, texts in package["secfixes"].items():
            for text in texts:
                text = re.sub(r"\(.*?\)|#.*|\.patch", "", text).replace("CVE 2", "CVE-2")
                names = re.findall(
                    r"GHSA(?:-[a-z0-9]{4}){3}|\b[A-Z][A-Z0-9-]+\d(?![\w-])", text)
                ids = [n for n in names if re.fullmatch(r"CVE-\d{4}-\d{4,}", n)] or names[:1]
                for i in ids:
                    old = found.setdefault(i, [version, set()])
                    if version not in (old[0], "0") and \
                            (old[0] == "0" or apk_key(version) > apk_key(old[0])):
                        old[0] = version
                    old[1] |= {n for n in names if n.startswith("GHSA") and len(ids) == 1}
        for i, (version, aliases) in found.items():
            record = f"{i}/{package['name']}"
            want[("record", record, frozenset({i} | aliases))] += 1
            status = "not-affected" if version == "0" else "affected"
            want[claim(record, space, package["name"], status, version)] += 1
    return want


def with_alias_sets(found):
    """Records of secdb by their aliases alone, as sets."""
    result = collections.Counter()
    for row, n in found.items():
        if row[0] == "record":
            alias = next((f for f in row[2:] if f.startswith("alias=")), "alias=")
            row = (*row[:2], frozenset(alias[6:].split(",")))
        result[row] += n
    return result


# ---- KEV, EPSS, functions ------------------------------------------------------------------

def kev_csv(path):
    want = collections.Counter()
    for _, text in (p for p in unpack(path) if p[0].endswith(".csv")):
        for row in csv.DictReader(io.StringIO(text)):
            fields = [f"added={row['dateAdded']}", f"due={row['dueDate']}"]
            fields += ["ransomware=yes"] if row["knownRansomwareCampaignUse"] == "Known" else []
            want[("kev", row["cveID"], *sorted(fields))] += 1
    return want


def epss(path):
    want = collections.Counter()
    for _, text in (p for p in unpack(path) if p[0].endswith(".csv")):
        for line in text.split():
            name, score, percentile = line.split(";")
            want[("epss", name, *sorted([score, percentile]))] += 1
    return want


def functions_table(path):
    want = collections.Counter()
    last = None
    with open(path, encoding="utf-8") as f:
        head, *lines = f.read().rstrip("\n").split("\n")
    names = head.lstrip("#").split("\t")
    for line in lines:
        row = dict(zip(names, map(str.strip, line.split("\t"))))
        name = row.get("cve_or_osv_id") or row.get("osv_id")
        fields = [row.get("project") or row["crate"], row["function"],
                  "kind=" + row.get("kind", "M"), "basis=" + row["source_data_set"]]
        fields += ["file=" + row["source_file"]] if "source_file" in row else []
        aliases = [a for a in row.get("aliases", "").split(",") if a.startswith("CVE-")]
        if [name] + fields == last:
            continue
        last = [name] + fields
        for i in aliases or [name]:
            want[("function", i, *sorted(fields))] += 1
    return want


# ---- the comparison ------------------------------------------------------------------------

def compare(count, program, data, name, oracle, change=lambda x: x):
    path = os.path.join(data, name)
    if not os.path.exists(path):
        count.skip(name, "it is not here")
        return
    got, want = change(flatten(rows_of(program, path))), oracle(path)
    missing, extra = want - got, got - want
    count.check(not missing and not extra and want, name,
                f"{sum(missing.values())} rows missing, {sum(extra.values())} too many of "
                f"{sum(want.values())}; missing {list(missing)[:3]}, too many {list(extra)[:3]}")
    print(f"{name}: {sum(want.values())} rows compared", flush=True)


def main():
    count = Count()
    shared = os.environ.get("SAP_SHARED") or os.path.join(TOP, "..", "shared")
    data = next((a for a in sys.argv[1:] if a != "/"), os.path.join(shared, "data"))
    program = importer()
    if not program or not os.path.isdir(data):
        count.skip("lists", f"{data if program else 'sapper-import'} is not here")
        count.done()
    check = functools.partial(compare, count, program, data)
    for name in ("DSA-list-2025-02-12", "DSA-list-2025-02..2026-08-21", "DLA-list-2025-02-13",
                 "DLA-list-2025-02..2026-08-21", "CVE-list-excerpt"):
        check(f"debian/{name}", debian_list)
    releases = [f"v3.{n}.0" for n in range(17, 25)] + ["edge-2026-08-22"]
    for name in (f"alpine/{r}-{part}.json" for r in releases for part in ("main", "community")):
        check(name, secdb, with_alias_sets)
    check("ubuntu-cve-tracker-2024-02.tar.zst", ubuntu_archive)
    check("enrich/kev-2025-11-csv.tar.zst", kev_csv)
    check("enrich/epss-emba.tar.zst", epss)
    check("native-functions/cve-function.tsv", functions_table)
    check("native-functions/rust-functions.tsv", functions_table)
    count.done()


if __name__ == "__main__":
    main()
