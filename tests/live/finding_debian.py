# SPDX-License-Identifier: Apache-2.0
"""Debian: the tracker's lists read with regular expressions, and every judgement of every source
computed from what they say.

The rules are the tracker's own: a line "[bookworm] - SOURCE ..." is about that release and stands
above the line without a release (unstable), whichever list it is in; of several fixed versions of
one vulnerability the highest counts; <no-dsa> and the like say that what is affected is not to be
fixed.

The complete CVE list is not in the shared data. So that all its words are met, entries about
sources of the DSA list are made up here and joined to the excerpt that is.
"""
import collections
import hashlib
import os
import random
import re

import finding_roots as roots
import finding_versions as versions
from finding_roots import Package, Row

NAMES = {"11": "bullseye", "12": "bookworm", "13": "trixie"}
ENTRY = re.compile(r"^(?=\S)", re.M)
LINE = re.compile(r"\s+(?:\[([\w/-]+)\]\s+)?-\s+(\S+)\s+(<[^>]*>|[^\s<(]\S*)\s*(.*)")
DECISIONS = ("no-dsa", "ignored", "postponed", "end-of-life")

# about: the vulnerabilities; own: the entry is one's own, not an advisory about several.
# kind: affected, not-affected, undetermined, or decision with its reason.
Said = collections.namedtuple("Said", "about own release source kind fixed reason")


# ---- the lists -------------------------------------------------------------------------------

def names_of(head, body):
    """(names, whether it is the entry of one vulnerability)."""
    m = re.match(r"\[\d\d? \w{3} \d{4}\] (D[SL]A-\S+)", head)
    if m:
        braces = re.findall(r"^\s+\{(.*)\}", body, re.M)
        cves = re.findall(r"CVE-\d{4}-\d{4,}(?!\w)", " ".join(braces))
        return (cves, False) if cves else ([m[1]], True)
    name, _, description = head.partition(" ")
    if name.endswith("-XXXX"):  # the tracker's pages name it so
        bug = re.search(r"bug #(\d+)", body)
        digest = hashlib.md5(description.strip()[1:-1].encode()).hexdigest()[:6].upper()
        name = f"TEMP-{int(bug[1]) if bug else 0:07}-{digest}"
    return [name], True


def said(about, own, line):
    """What a line says; None: nothing."""
    m = LINE.fullmatch(line)
    if not m or m[1] == "experimental":
        return None
    release, source, what, notes = m.groups()
    kind, fixed, reason = "affected", None, ""
    if what in ("<unfixed>", "<removed>"):
        if "unimportant" in re.split(r"[();\s]+", notes):
            kind, reason = "decision", "unimportant"
    elif what == "<not-affected>":
        kind = "not-affected"
    elif what == "<undetermined>":
        kind = "undetermined"
    elif what.strip("<>") in DECISIONS:
        kind, reason = "decision", what.strip("<>")
    elif what == "<itp>":
        return None
    elif what.startswith("<"):
        raise ValueError(f"a word that is not known: {line}")
    else:
        fixed = what
    return Said(about, own, release, source, kind, fixed, reason)


def read(text):
    """{source: [Said]} of a list."""
    found = collections.defaultdict(list)
    for entry in filter(None, ENTRY.split(text)):
        head, _, body = entry.partition("\n")
        if re.search(r"^\s+REJECTED", body, re.M):
            continue
        about, own = names_of(head, body)
        for line in body.split("\n"):
            s = said(about, own, line)
            if s:
                found[s.source].append(s)
    return found


def read_all(texts):
    found = collections.defaultdict(list)
    for text in texts:
        for source, lines in read(text).items():
            found[source] += lines
    return found


def make_entries(known, there):
    """A CVE list about sources that the advisories name: every word, alone and beside a fix, for
    the release and for unstable. there: the names that have an entry already."""
    random_ = random.Random(5649)
    words = ["<unfixed>", "<removed>", "<not-affected>", "<undetermined>", "<no-dsa> (Minor issue)",
             "<ignored> (Too intrusive to backport)", "<postponed> (Fix along in the next update)",
             "<end-of-life> (Not supported)", "<unfixed> (unimportant)", "<removed> (low)",
             "<unfixed> (bug #123456; medium)", "<itp> (bug #654321)"]
    sources = sorted(s for s, lines in known.items()
                     if any(x.fixed and x.release in NAMES.values() for x in lines))
    entries = []
    for i in range(1200):
        source = random_.choice(sources)
        lines = known[source]
        fixes = [x.fixed for x in lines if x.fixed] + ["9999.9-1"]
        about = random_.choice(lines).about[0]
        if i % 3 == 0 or not about.startswith("CVE-"):
            about = f"CVE-2026-{200000 + i}"
        if i % 97 == 0:
            about = "CVE-2026-XXXX"
        entry = f"{about} {'[' if about.endswith('X') else '('}made up, number {i}"
        entry += "]\n" if about.endswith("X") else ")\n"
        for release in random_.sample(["", "", "[bullseye] ", "[bookworm] ", "[trixie] ",
                                       "[buster] ", "[experimental] "], 3):
            what = random_.choice(words + fixes * 2) if i % 2 else random_.choice(words)
            if what in fixes and i % 5 == 0:
                what += " (unimportant)"
            entry += f"\t{release}- {source} {what}\n"
        entries.append(entry + ("\tNOTE: not a statement\n" if i % 7 else "\tREJECTED\n"))
    seen = set(there)
    return "".join(e for e in entries
                   if not (e.split()[0] in seen or seen.add(e.split()[0])) or "-XXXX" in e)


# ---- the judgement ---------------------------------------------------------------------------

def opinion(lines, version):
    """(status or None, the fixed version or None) by lines of one rank."""
    if any(x.kind == "not-affected" and x.own for x in lines):
        return "not_affected", None
    affected = [x for x in lines if x.kind == "affected"]
    key = versions.deb_key(version)
    holding = [x for x in affected if not x.fixed or key < versions.deb_key(x.fixed)]
    if holding:
        fixes = [x.fixed for x in holding if x.fixed]
        return "affected", max(fixes, key=versions.deb_key) if fixes else None
    if affected:
        return "fixed", None
    return ("not_affected", None) if any(x.kind == "not-affected" for x in lines) else (None, None)


def judge(lines, release, version):
    """(status, fixed, offered, reason) of one vulnerability in a version; None: nothing is said of
    it. release None: a system of the line that releases come from."""
    ranks = [[x for x in lines if release and x.release == release],
             [x for x in lines if not x.release]]
    for i, rank in enumerate(ranks):
        status, fixed = opinion(rank, version)
        if status:
            break
    heard = ranks[0] + ranks[1] if not status or i else ranks[0]
    reasons = [x.reason for x in heard if x.kind == "decision"]
    if status == "affected":
        offered = (i == 0 or not release) if fixed else None
        return "unfixed" if reasons else status, fixed or "", offered, "".join(reasons[:1])
    if status:
        return status, "", None, ""
    if reasons:
        return "unfixed", "", None, reasons[0]
    if any(x.kind == "undetermined" for x in heard):
        return "under_investigation", "", None, ""
    return None


def epoch(version):
    return int(version.partition(":")[0]) if ":" in version else 0


def other_line(lines, release, version):
    """The installed epoch is above that of every version that is named for the release."""
    named = [x.fixed for x in lines if release and x.release == release and x.fixed]
    return bool(named) and all(epoch(f) < epoch(version) for f in named)


def judge_root(known, release, units):
    """(rows, counts, sources and versions that are not judged) for {(source, version): names of its
    packages}."""
    rows, counts, others = collections.Counter(), collections.Counter(), set()
    for (source, version), packages in units.items():
        lines = known.get(source, [])
        if other_line(lines, release, version):
            others.add((source, version))
            continue
        by_name = collections.defaultdict(list)
        for x in lines:
            for name in x.about:
                by_name[name].append(x)
        for name, about in by_name.items():
            verdict = judge(about, release, version)
            if verdict is None:
                continue
            counts[verdict[0]] += 1
            if verdict[0] not in ("fixed", "not_affected"):
                rows[Row(name, source, version, *verdict, packages)] += 1
    return rows, {s: counts[s] for s in ("affected", "unfixed", "under_investigation", "fixed",
                                         "not_affected")}, others


# ---- systems ---------------------------------------------------------------------------------

def installed(root):
    """Packages of a real root: (name, version, source, source version)."""
    with open(root + "/var/lib/dpkg/status", encoding="utf-8") as f:
        for stanza in f.read().split("\n\n"):
            fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", stanza, re.M))
            if fields.get("Status", "").split()[2:] in ([], ["config-files"], ["not-installed"]):
                continue
            m = re.fullmatch(r"(\S+)(?: \((.*)\))?", fields.get("Source", fields["Package"]))
            yield Package(fields["Package"], fields["Version"], m[1], m[2] or fields["Version"])


def unit(p):
    """(source, version) that the tracker names. A kernel that was signed for Secure Boot is
    packaged again from a source of its own; the one that was compiled counts."""
    if p.source.startswith("linux-signed-"):
        return "linux", p.version
    return p.source, p.source_version


def units_of(packages):
    units = collections.defaultdict(list)
    for p in packages:
        units[unit(p)].append(p.name)
    return {u: tuple(sorted(names)) for u, names in units.items()}


def interesting(lines, release):
    """Versions of a source around its fixes: those of the release, and of unstable."""
    fixes = sorted({x.fixed for x in lines if x.fixed and x.release == release},
                   key=versions.deb_key)
    chosen = [fixes[0], fixes[len(fixes) // 2], fixes[-1]] if fixes else []
    chosen += [x.fixed for x in lines if x.fixed and not x.release][:1]
    return list(dict.fromkeys(chosen)) or ["1.0-1"]


def made_up(known, release):
    """Packages of every source that the lists mention for a release."""
    packages = []

    def add(source, version, source_version=None, **extra):
        packages.append(Package(f"{source}-o{len(packages)}", version, source,
                                source_version or version, tuple(extra.items())))

    for source, lines in sorted(known.items()):
        if not any(x.release in (release, None) for x in lines):
            continue
        around = interesting(lines, release)
        for i, fix in enumerate(around):
            before = re.sub(r"[+~]deb\d+u\d+$", "", fix)
            add(source, fix)                              # the fixed version
            add(source, fix + "~")                        # just below it
            add(source, fix + "+b1", fix)                 # built anew: the source's version counts
            if before != fix:
                add(source, before)                       # what the release came with
            if i == len(around) - 1:
                add(source, fix + ".1")                   # newer
                add(source, "9:99-1", fix + "~")          # the binary has a version of its own
                add(source, "0.0.1-1", fix)               # likewise
                add(source, fix + "~", Status="hold ok unpacked")
                packages.append(Package(f"{source}-gone", fix + "~", source, fix + "~",
                                        (("Status", "deinstall ok config-files"),)))
    return packages


THIRD_PARTY = [
    Package("backported", "1:1.0-1~bpo12+1", "openssl", "1:1.0-1~bpo12+1"),
    Package("of-a-vendor", "1.0-1", "openssl", "1.0-1",
            (("Maintainer", "Docker <support@docker.com>"),)),
    Package("of-a-ppa", "1.0-1ppa1~jammy", "openssl", "1.0-1ppa1~jammy"),
    Package("by-hand", "1.0-1", "openssl", "1.0-1", (("Section", "checkinstall"),)),
]
SIGNED = [
    Package("linux-image-a-amd64", "5.10.1-1", "linux-signed-amd64", "5.10.1+1"),
    Package("linux-image-b-amd64", "6.1.20-1", "linux-signed-amd64", "6.1.20+1"),
    Package("linux-image-c-arm64", "6.1.20-1", "linux-signed-arm64", "6.1.20+1"),
    Package("linux-libc-dev", "6.1.20-1", "linux", "6.1.20-1"),
]


def check_made_up(count, db, root, known, release, system):
    packages = made_up(known, release) + SIGNED
    roots.dpkg(root, packages + THIRD_PARTY)
    roots.os_release(root, **system)
    there = [p for p in packages if "config-files" not in str(p.extra)]
    rows, counts, others = judge_root(known, release, units_of(there))
    not_judged = [p.name for p in there if unit(p) in others] + [p.name for p in THIRD_PARTY]
    doc = roots.scan(db, root)
    roots.compare(count, f"Debian {release or 'trixie/sid'}, {len(there)} made-up packages", doc,
                  rows, counts, not_judged)


def check_real(count, db, root, known, number):
    units = units_of(installed(root))
    rows, counts, others = judge_root(known, NAMES[number], units)
    doc = roots.scan(db, root)
    roots.compare(count, f"Debian {number}, a real root, {len(units)} sources", doc, rows, counts,
                  [p.name for p in installed(root) if unit(p) in others])


def run(count, tmp, folder, shared, cache):
    if not folder:
        count.skip("Debian", "the lists are not here")
        return
    paths = sorted(os.path.join(folder, n) for n in os.listdir(folder) if n.startswith("D"))
    texts = []
    for path in [*paths, os.path.join(folder, "CVE-list-excerpt")]:
        with open(path, encoding="utf-8") as f:
            texts.append(f.read())
    cve_list = texts[-1] + make_entries(
        read_all(texts), re.findall(r"^CVE-\S+", texts[-1], re.M))
    roots.write(tmp, "CVE-list", cve_list)
    known = read_all(texts[:-1] + [cve_list])
    sample = sorted({x.fixed for lines in known.values() for x in lines if x.fixed})
    versions.check(count, shared, sample)
    db = os.path.join(tmp, "debian.db")
    roots.store(db, *paths, tmp + "/CVE-list")
    for number, name in NAMES.items():
        root = os.path.join(cache, "debian-" + number)
        if os.path.isdir(root):
            check_real(count, db, root, known, number)
        else:
            count.skip(f"Debian {number}", "there is no root: see tests/roots/make-roots")
    debian = {"ID": "debian", "NAME": "Debian GNU/Linux"}
    for number in ("11", "12"):
        check_made_up(count, db, f"{tmp}/made-{number}", known, NAMES[number],
                      {**debian, "VERSION_ID": number, "VERSION_CODENAME": NAMES[number]})
    check_made_up(count, db, f"{tmp}/made-sid", known, None,
                  {**debian, "PRETTY_NAME": "Debian GNU/Linux trixie/sid",
                   "VERSION_CODENAME": "trixie"})
