# SPDX-License-Identifier: Apache-2.0
"""Alpine: apk databases of the releases' own packages, and of versions around every fix, judged by
the security database of that release.

An entry says in which version of a package which vulnerabilities were mended: every older one is
affected; "0" says that it never was. Entries are about what is built (o: in the database), not
about the packages that it is split into.
"""
import collections
import json
import os
import re

import finding_roots as roots
import finding_versions as versions
from finding_roots import Package, Row

# (what, release of the security database, packages of, versions of)
SYSTEMS = [
    ("3.17", "v3.17.0", "v3.17.0"),
    ("3.18", "v3.18.0", "v3.18.0"),
    ("3.19", "v3.19.0", "v3.19.0"),
    ("3.20", "v3.20.0", "v3.20.0"),
    ("3.21 with packages of 3.20", "v3.21.0", "v3.20.0"),
    ("3.22", "v3.22.0", "v3.22.0"),
    ("3.22 with packages of 3.17", "v3.22.0", "v3.17.0"),
    ("edge with packages of 3.19", "edge-2026-08-22", "v3.19.0"),
    ("3.18, around the fixes", "v3.18.0", None),
    ("3.24, around the fixes", "v3.24.0", None),
]
CVE = re.compile(r"CVE[- ]\d{4}-\d{4,}(?!\d)")
GHSA = re.compile(r"GHSA(?:-[a-z0-9]{4}){3}")
OTHER = re.compile(r"(?<![\w-])[A-Z][A-Z0-9-]*\d(?![\w-])")


def names_in(text):
    """[(name, its other names)] of an entry's text, which may name several things and say more."""
    text = re.sub(r"\(.*?\)|#.*", "", text)
    cves = [m.replace("CVE ", "CVE-") for m in CVE.findall(text)]
    others = GHSA.findall(text)
    if len(cves) > 1:
        return [(c, []) for c in cves]
    if cves:
        return [(cves[0], others)]
    first = re.search(GHSA.pattern + "|" + OTHER.pattern, text)[0]
    return [(first, others)]


def shown(names):
    """The name by which a vulnerability is known: a CVE, a GHSA, another; the lowest."""
    rank = {"CVE-": 0, "GHSA": 1}
    return min(names, key=lambda n: (rank.get(n[:4], 2), len(n) if n[:4] == "CVE-" else 0, n))


def read(paths):
    """{package: [(name, [fixed versions])]} of the database of a release."""
    known = collections.defaultdict(list)
    for path in paths:
        with open(path, encoding="utf-8") as f:
            packages = [p["pkg"] for p in json.load(f)["packages"]]
        for package in packages:
            groups = []  # (names, versions): what shares a name is one
            for version, texts in package["secfixes"].items():
                for name, others in (n for t in texts for n in names_in(t)):
                    group = ({name, *others}, [version])
                    for old in [g for g in groups if g[0] & group[0]]:
                        groups.remove(old)
                        group = (group[0] | old[0], group[1] + old[1])
                    groups.append(group)
            known[package["name"]] += [(shown(names), fixes) for names, fixes in groups]
    return known


def judge(fixes, version):
    """(status, fixed version)"""
    fixes = [f for f in fixes if f != "0"]
    if not fixes:
        return "not_affected", ""
    highest = max(fixes, key=versions.apk_key)
    return ("affected", highest) if versions.apk_cmp(version, highest) < 0 else ("fixed", "")


def judge_root(known, packages):
    units = collections.defaultdict(list)
    for p in packages:
        units[p.source or p.name, p.version].append(p.name)
    rows, counts = collections.Counter(), collections.Counter()
    for (source, version), names in units.items():
        for vulnerability, fixes in known.get(source, []):
            status, fixed = judge(fixes, version)
            counts[status] += 1
            if status == "affected":
                rows[Row(vulnerability, source, version, status, fixed, True, "",
                         tuple(sorted(names)))] += 1
    return rows, {s: counts[s] for s in ("affected", "unfixed", "under_investigation", "fixed",
                                         "not_affected")}


def of_release(installed):
    """Its packages; every third has a part with the libraries, one in fifty a neighbour of its name
    that is built from something else."""
    packages = []
    for i, (name, version) in enumerate(sorted(installed.items())):
        packages.append(Package(name, version))
        if i % 3 == 0 and name + "-libs" not in installed:
            packages.append(Package(name + "-libs", version, name))
        if i % 50 == 0:
            packages.append(Package(name + "-not-it", version, "something-else"))
    return packages


def around(known):
    """Versions on both sides of fixes."""
    packages = []
    for source, entries in sorted(known.items()):
        fixes = sorted({f for _, fixed in entries for f in fixed if f != "0"}, key=versions.apk_key)
        chosen = dict.fromkeys(fixes[:1] + fixes[len(fixes) // 2:len(fixes) // 2 + 1] + fixes[-2:])
        candidates = []
        for fix in chosen:
            m = re.fullmatch(r"(.*)-r(\d+)", fix)
            if not m:
                candidates.append(fix)
                continue
            base, number = m[1], int(m[2])
            candidates += [fix, f"{base}-r{number + 1}", f"{base}_rc1-r0", f"{base}_p1-r0",
                           f"{base}.1-r0", f"{base}_git20240101-r0", base]
            candidates += [f"{base}-r{number - 1}"] if number else []
        for version in dict.fromkeys(candidates):
            packages.append(Package(f"{source}-o{len(packages)}", version, source))
    return packages


def os_release(root, release):
    if release.startswith("edge"):
        number, pretty = "3.25_alpha20260701", "Alpine Linux edge"
    else:
        number = release[1:-1] + "3"  # a later point release is the same release
        pretty = "Alpine Linux v" + release[1:-2]
    roots.os_release(root, ID="alpine", NAME="Alpine Linux", VERSION_ID=number, PRETTY_NAME=pretty)


def run(count, tmp, folder):
    if not folder:
        count.skip("Alpine", "the data is not here")
        return
    db = os.path.join(tmp, "alpine.db")
    roots.store(db, *(e.path for e in os.scandir(folder) if e.name.endswith(".json")))
    for what, release, of in SYSTEMS:
        known = read([f"{folder}/{release}-{part}.json" for part in ("main", "community")])
        if of:
            with open(f"{folder}/installed/{of}-pkgversions.json", encoding="utf-8") as f:
                packages = of_release(json.load(f))
        else:
            packages = around(known)
        root = os.path.join(tmp, re.sub(r"\W", "-", what))
        roots.apk(root, packages)
        os_release(root, release)
        rows, counts = judge_root(known, packages)
        roots.compare(count, f"Alpine {what}, {len(packages)} packages", roots.scan(db, root), rows,
                      counts)
