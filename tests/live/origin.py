#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: Apache-2.0
"""No package of a distribution is called foreign: what the distributions themselves publish.

    origin.py ORIGIN_DUMP

Asked: every package that apt knows of a Debian archive (this system), the databases of the
debian-* roots that tests/roots/make-roots has made, and, where SAP_SHARED names the folder with
the samples, every version that Debian's, Ubuntu's and AlmaLinux's advisories call theirs.
"""
import glob
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile

import live

FIELDS = ("Package", "Version", "Source", "Maintainer", "Origin", "Section")


def ask(dump, system, packages):
    """[(name, version, origin, reason)] for (type, name, version, source version, maintainer,
    vendor, section)."""
    lines = ["\t".join(system)]
    lines += ["\t".join(x.replace("\t", " ") for x in p) for p in packages]
    out = subprocess.run([dump], input="\n".join(lines).encode() + b"\n", stdout=subprocess.PIPE,
                         check=True).stdout
    return [line.split("\t") for line in out.decode(errors="replace").splitlines()]


def stanzas(text):
    for stanza in text.split("\n\n"):
        got = {}
        for line in stanza.split("\n"):
            key, colon, value = line.partition(": ")
            if colon and not line.startswith(" "):
                got[key] = value.strip()
        if "Package" in got and "Version" in got:
            yield got


def deb(s):
    m = re.search(r"\((.*)\)", s.get("Source", ""))
    return ("deb", s["Package"], s["Version"], m[1] if m else s["Version"],
            s.get("Maintainer", ""), s.get("Origin", ""), s.get("Section", ""))


def own(count, what, answers, excused=lambda name, version, reason: False):
    """All answers must be "distribution", but for those that are excused."""
    bad = [a for a in answers if a[2] != "distribution" and not excused(a[0], a[1], a[3])]
    for name, version, origin, reason in bad[:20]:
        print(f"     {name} {version}: {origin}, {reason}")
    count.check(answers and not bad, f"{what}: {len(answers)} versions", f"{len(bad)} foreign")


def archive(count, dump):
    """apt's own lists."""
    if not shutil.which("apt-cache"):
        count.skip("apt's lists", "apt is not installed")
        return
    text = subprocess.run(["apt-cache", "dumpavail"], capture_output=True,
                          check=True).stdout.decode(errors="replace")
    packages = [deb(s) for s in stanzas(text) if s.get("Filename", "").startswith("pool/")]
    if not packages:
        count.skip("apt's lists", "there are none")
        return
    answers = ask(dump, os_release(""), packages)
    own(count, "apt's lists", answers)


def os_release(root):
    got = {}
    with open(root + "/etc/os-release", encoding="utf-8") as f:
        for line in f:
            key, _, value = line.strip().partition("=")
            got[key] = value.strip("\"'")
    return got.get("ID", ""), got.get("VERSION_ID", ""), got.get("ID_LIKE", "")


def roots(count, dump):
    for status in sorted(glob.glob("/var/tmp/sapper-roots/debian-*/var/lib/dpkg/status")):
        root = status[:-len("/var/lib/dpkg/status")]
        with open(status, encoding="utf-8", errors="replace") as f:
            packages = [deb(s) for s in stanzas(f.read())]
        own(count, root, ask(dump, os_release(root), packages))


def texts(path, pattern):
    """The files of an archive whose names match."""
    run = subprocess.run(["zstd", "-dc", "--long=27", path], stdout=subprocess.PIPE, check=True)
    with tarfile.open(fileobj=io.BytesIO(run.stdout)) as tar:
        for member in tar:
            if member.isfile() and re.search(pattern, member.name):
                yield tar.extractfile(member).read().decode(errors="replace")


def debian_advisories(count, dump, shared):
    versions = set()
    for path in glob.glob(shared + "/data/debian/D?A-list-*"):
        with open(path, encoding="utf-8") as f:
            versions |= set(re.findall(r"^\s+\[\w+\] - \S+ (\d\S*)", f.read(), re.M))
    own(count, "Debian's advisories",
        ask(dump, ("debian", "12", ""), [("deb", "x", v, v, "", "", "") for v in versions]))


def ubuntu_advisories(count, dump, shared):
    versions = set()
    for text in texts(shared + "/data/ubuntu-cve-tracker-2024-02.tar.zst", r"CVE-\d"):
        versions |= set(re.findall(r"^[\w/.-]+_\S+: released \((\d[^)\s]*)\)", text, re.M))
    # FIPS builds are a line of their own. One version of 2015 says "~ppa1".
    own(count, "Ubuntu's advisories",
        ask(dump, ("ubuntu", "22.04", "debian"),
            [("deb", "x", v, v, "", "", "") for v in versions]),
        lambda name, version, reason: "fips" in version or version.endswith("0.15.04.1~ppa1"))


def almalinux_advisories(count, dump, shared):
    found = {}
    for text in texts(shared + "/data/osv/almalinux-osv.tar.zst", r"\.json$"):
        for affected in json.loads(text).get("affected", []):
            release = affected["package"]["ecosystem"].partition(":")[2]
            for r in affected.get("ranges", []):
                found.setdefault(release, set()).update(
                    e["fixed"] for e in r["events"] if "fixed" in e)
    for release, versions in sorted(found.items()):
        # With Vendor all are its own; without, those with the dist tag of this release are.
        own(count, f"AlmaLinux {release} with Vendor", ask(
            dump, ("almalinux", release, "rhel"),
            [("rpm", "x", v, "", "", "AlmaLinux", "") for v in versions]))
        own(count, f"AlmaLinux {release} by dist tag", ask(
            dump, ("almalinux", release, "rhel"),
            [("rpm", "x", v, "", "", "", "") for v in versions]),
            lambda name, version, reason, release=release: f"el{release}" not in version)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    dump = sys.argv[1]
    count = live.Count()
    if os.path.exists("/etc/os-release"):
        archive(count, dump)
    roots(count, dump)
    shared = os.environ.get("SAP_SHARED", "")
    if shared and os.path.isdir(shared + "/data") and shutil.which("zstd"):
        debian_advisories(count, dump, shared)
        ubuntu_advisories(count, dump, shared)
        almalinux_advisories(count, dump, shared)
    else:
        count.skip("advisories", "SAP_SHARED names no folder with them, or zstd is missing")
    count.done()


if __name__ == "__main__":
    main()
