# SPDX-License-Identifier: Apache-2.0
"""AlmaLinux: databases written by the real rpm, with versions around the fixes of the
distribution's own OSV records, compared by the real rpm.

A record is about all CVEs it names, and affects every version of a binary package below one of its
fixed versions. Packages of a module (".module_el8" in the version) and others do not meet; where
the summary names the module's stream ("nodejs:14"), only packages of that stream are meant. Where
the summary or the package does not name it, versions are compared only if their epochs and first
two numbers are equal; else the finding is under investigation.
Packages of one source are one finding, with the highest fixed version.
"""
import collections
import json
import os
import random
import re
import subprocess
import tarfile
import zlib

import finding_roots as roots
import finding_versions as versions
from finding_roots import Package, Row

STREAM = re.compile(r"(?<!\S)([\w+-]+:[\w.+-]*\w)(?=[\s:,;.)]|$)")
CONTEXT = ":8050020240101:0123abcd"
PICKED = 600

# streams: of the record's module, [] where it names none
Fix = collections.namedtuple("Fix", "version streams")


def records(archive):
    with subprocess.Popen(["zstd", "-dcq", "--long=27", archive], stdout=subprocess.PIPE) as zstd:
        with tarfile.open(fileobj=zstd.stdout, mode="r|") as members:
            for member in members:
                if member.name.endswith(".json"):
                    yield json.load(members.extractfile(member))


def read(archive):
    """{release: {package: {vulnerability: [Fix]}}}, and {package: a neighbour that names its
    source}."""
    known = collections.defaultdict(lambda: collections.defaultdict(
        lambda: collections.defaultdict(set)))
    sources = {}
    for record in records(archive):
        names = [n for n in record["related"] if n.startswith("CVE-")]
        if not names and record["id"].startswith(("ALBA-", "ALEA-")):
            continue
        streams = tuple(w for w in STREAM.findall(record["summary"])
                        if not re.match(r"AL[SBE]A-", w))
        packages = sorted({a["package"]["name"] for a in record["affected"]},
                          key=lambda n: (len(n), n))
        for name in packages:
            sources.setdefault(name, packages[0])
        for entry in record["affected"]:
            release = entry["package"]["ecosystem"].removeprefix("AlmaLinux:")
            for r in entry["ranges"]:
                assert [set(e) for e in r["events"]] == [{"introduced"}, {"fixed"}]
                fixed = r["events"][1]["fixed"]
                fix = Fix(fixed, streams if ".module_" in fixed else ())
                for name in names or [record["id"]]:
                    known[release][entry["package"]["name"]][name].add(fix)
    return known, sources


# ---- what is installed -----------------------------------------------------------------------

def around(fix, n):
    """A version near a fixed one: n tells which."""
    epoch, version, release = roots.split_evr(fix)
    epoch += ":" if epoch else ""
    head, dot, tail = release.partition(".")
    return epoch + [
        f"{version}-{release}",                   # it
        f"{version}-0.{release}",                 # before it
        f"{version}~rc1-{release}",               # likewise
        f"{version}-{release}.1",                 # after it
        f"{version}^git1-{release}",              # likewise
        f"0.{version}-{release}",                 # long before it
        f"{version}-{head}~{dot}{tail}",          # just before it
    ][n % 7]


def module_of(fixes, chosen, n):
    """The label of a package whose version was made of a fix; None: it gets none."""
    streams = sorted({s for f in fixes if f.version == chosen for s in f.streams})
    if not streams or n % 5 == 4:
        return None
    return streams[n % len(streams)] + CONTEXT if n % 5 else streams[0] + "9" + CONTEXT


def pick(known, sources, release):
    """Layers of packages; within one, names are unique. Half of them are of modules, where there
    are that many."""
    of_modules = [n for n, about in sorted(known.items())
                  if any(f.streams for fixes in about.values() for f in fixes)]
    others = sorted(known.keys() - set(of_modules))
    chosen = random.Random(int(release))
    names = chosen.sample(of_modules, min(PICKED // 2, len(of_modules)))
    names += chosen.sample(others, min(PICKED - len(names), len(others)))
    layers = [[], []]
    for i, name in enumerate(sorted(names)):
        fixes = {f for about in known[name].values() for f in about}
        ordered = sorted({f.version for f in fixes})
        for layer in range(2 if i % 6 == 0 else 1):
            n = zlib.crc32(name.encode()) + layer
            fix = ordered[n % len(ordered)]
            module = module_of(fixes, fix, n // 7)
            source = sources[name]
            if len(source) + len(fix) > 60:
                source = name
            version = around(fix, n).removeprefix("0:")
            built = f"1.{n % 2}-{release}"
            layers[layer].append(Package(name, version, source, built,
                                         (("ModularityLabel", module),) if module else ()))
    return layers


# ---- the judgement ---------------------------------------------------------------------------

NO_STREAM = "the {} does not name {} module's stream"


def line_of(version):
    epoch, version, _ = roots.split_evr(version)
    return epoch or "0", version.split(".")[:2]


def fits(fix, package):
    """True, False, or what is to be doubted."""
    label = dict(package.extra).get("ModularityLabel", "")
    modular = ".module_" in package.version
    if fix.streams and label:
        return any(label == s or label.startswith(s + ":") for s in fix.streams)
    if fix.streams and not modular:
        return False
    if not fix.streams and (".module_" in fix.version) != modular:
        return False
    if not modular or line_of(fix.version) == line_of(package.version):
        return True
    return NO_STREAM.format("advisory", "the") if label else NO_STREAM.format("package", "its")


def judge(rpm, fixes, package):
    """(status or None, fixed version, reason)"""
    answers = {f: fits(f, package) for f in fixes}
    meant = [f.version for f, answer in answers.items() if answer is True]
    holding = [v for v in meant if rpm.cmp(package.version, v) < 0]
    if holding:
        highest = holding[0]
        for v in holding[1:]:
            highest = v if rpm.cmp(v, highest) > 0 else highest
        return "affected", highest, ""
    doubts = {answer for answer in answers.values() if isinstance(answer, str)}
    if doubts and not meant:
        return "under_investigation", "", doubts.pop()
    return ("fixed", "", "") if meant else (None, "", "")


def judge_root(rpm, known, packages):
    pairs = {(p.version, f.version) for p in packages for fixes in known.get(p.name, {}).values()
             for f in fixes}
    pairs |= {(f.version, g.version) for p in packages for fixes in known.get(p.name, {}).values()
              for f in fixes for g in fixes}
    rpm.learn(pairs)
    units = collections.defaultdict(list)
    for p in packages:
        units[p.source, p.source_version, roots.split_evr(p.version)[0]].append(p)
    rows, counts = collections.Counter(), collections.Counter()
    for members in units.values():
        by_name = collections.defaultdict(list)
        for p in sorted(members):
            for name, fixes in known.get(p.name, {}).items():
                found = judge(rpm, fixes, p)
                if found[0]:
                    by_name[name].append((*found, p))
        for name, found in by_name.items():
            bad = [f for f in found if f[0] != "fixed"]
            status = min((f[0] for f in bad), default="fixed")
            counts[status] += 1
            if not bad:
                continue
            worst = [f for f in bad if f[0] == status]
            highest = worst[0][1]
            for _, fixed, _, _ in worst[1:]:
                if fixed != highest and rpm.cmp(fixed, highest) > 0:
                    highest = fixed
            reason = next((f[2] for f in worst if f[1] == highest), "")
            first = bad[0][3]
            rows[Row(name, first.name, first.version, status, highest,
                     True if status == "affected" else None, reason,
                     tuple(f[3].name for f in bad))] += 1
    return rows, {s: counts[s] for s in ("affected", "unfixed", "under_investigation", "fixed",
                                         "not_affected")}


def run(count, tmp, archive):
    if not archive or roots.can_rpm():
        count.skip("AlmaLinux", roots.can_rpm() or "the records are not here")
        return
    known, sources = read(archive)
    db = os.path.join(tmp, "alma.db")
    roots.store(db, archive)
    rpm = versions.Rpm()
    for release in ("8", "9"):
        layers = pick(known[release], sources, release)
        root = os.path.join(tmp, "alma-" + release)
        for layer in layers:
            roots.rpm(root, tmp, "AlmaLinux", layer)
        roots.os_release(root, ID="almalinux", NAME="AlmaLinux", VERSION_ID=release + ".10",
                         ID_LIKE="rhel centos fedora")
        packages = [p for layer in layers for p in layer]
        rows, counts = judge_root(rpm, known[release], packages)
        doc = roots.scan(db, root)
        roots.compare(count, f"AlmaLinux {release}, {len(packages)} packages", doc, rows, counts)
