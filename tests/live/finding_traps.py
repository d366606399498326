# SPDX-License-Identifier: Apache-2.0
"""The five traps of CVE-2024-3094, end to end: versions that look malicious and are not, and those
that are, through whole scans. What each distribution said in March and April 2024 is written down
here once more; nothing is read of data/compromised-xz.tsv but by sapper."""
import os

import finding_roots as roots
from finding_roots import Package

CVE = "CVE-2024-3094"
DEBIAN = {"ID": "debian", "NAME": "Debian GNU/Linux"}


def debian(number, name):
    return {**DEBIAN, "VERSION_ID": number, "VERSION_CODENAME": name,
            "PRETTY_NAME": f"Debian GNU/Linux {number} ({name})"}


SID = {**DEBIAN, "PRETTY_NAME": "Debian GNU/Linux trixie/sid", "VERSION_CODENAME": "trixie"}
ARCH = {"ID": "arch", "NAME": "Arch Linux", "BUILD_ID": "rolling"}
EDGE = {"ID": "alpine", "NAME": "Alpine Linux", "VERSION_ID": "3.20_alpha20240329",
        "PRETTY_NAME": "Alpine Linux edge"}
ALPINE = {"ID": "alpine", "NAME": "Alpine Linux", "VERSION_ID": "3.20.0",
          "PRETTY_NAME": "Alpine Linux v3.20"}
TUMBLEWEED = {"ID": "opensuse-tumbleweed", "NAME": "openSUSE Tumbleweed",
              "ID_LIKE": "opensuse suse", "VERSION_ID": "20240328"}
FEDORA = {"ID": "fedora", "NAME": "Fedora Linux", "VERSION_ID": "41"}
KALI = {"ID": "kali", "NAME": "Kali GNU/Linux", "ID_LIKE": "debian", "VERSION_ID": "2024.1",
        "VERSION_CODENAME": "kali-rolling"}


def dpkg(root, version):
    roots.dpkg(root, [Package("liblzma5", version, "xz-utils", version),
                      Package("xz-utils", version)])


def dpkg_rebuilt(root, version):
    roots.dpkg(root, [Package("liblzma5", version + "+b1", "xz-utils", version)])


def apk(root, version):
    roots.apk(root, [Package("xz", version), Package("xz-libs", version, "xz")])


def pacman(root, version):
    roots.pacman(root, [Package("xz", version)])


def pacman_32(root, version):
    roots.pacman(root, [Package("lib32-xz", version)])


def rpm(vendor, library):
    def make(root, version):
        name, _, _ = version.rpartition("-")
        release = version[len(name) + 1:]
        source = roots.split_evr(version)[1] + "-" + release
        roots.rpm(root, os.path.dirname(root), vendor,
                  [Package("xz", version, "xz", source), Package(library, version, "xz", source)])
    return make


opensuse = rpm("openSUSE", "liblzma5")
fedora = rpm("Fedora Project", "xz-libs")

# (name, system, how the root is made, version, whether it is malicious)
TRAPS = [
    ("debian-testing-repaired", SID, dpkg, "5.6.1+really5.4.5-1", False),
    ("debian-testing-later", SID, dpkg, "5.6.2-1", False),
    ("debian-testing", SID, dpkg, "5.6.1-1", True),
    ("debian-testing-rebuilt", SID, dpkg_rebuilt, "5.6.1-1", True),
    ("debian-testing-first", SID, dpkg, "5.6.0-0.2", True),
    ("debian-testing-before", SID, dpkg, "5.4.5-0.3", False),
    ("debian-13-repaired", debian("13", "trixie"), dpkg, "5.6.1+really5.4.5-1", False),
    ("debian-13-later", debian("13", "trixie"), dpkg, "5.6.2-1", False),
    ("debian-13", debian("13", "trixie"), dpkg, "5.6.1-1", True),
    ("debian-13-released", debian("13", "trixie"), dpkg, "5.8.1-1", False),
    ("debian-12", debian("12", "bookworm"), dpkg, "5.4.1-0.2", False),
    ("debian-11", debian("11", "bullseye"), dpkg, "5.2.5-2.1~deb11u1", False),
    ("debian-12-from-sid", debian("12", "bookworm"), dpkg, "5.6.1-1", True),
    ("kali", KALI, dpkg, "5.6.0-0.2", True),
    ("arch", ARCH, pacman, "5.6.1-1", True),
    ("arch-32", ARCH, pacman_32, "5.6.1-1", True),
    ("arch-repaired", ARCH, pacman, "5.6.1-2", False),
    ("arch-before", ARCH, pacman, "5.4.6-1", False),
    ("alpine-edge", EDGE, apk, "5.6.1-r1", True),
    ("alpine-edge-first", EDGE, apk, "5.6.0-r0", True),
    ("alpine-edge-repaired", EDGE, apk, "5.6.1-r2", False),
    ("alpine-edge-before", EDGE, apk, "5.4.6-r0", False),
    ("alpine-3.20", ALPINE, apk, "5.6.1-r3", False),
    ("tumbleweed-repaired", TUMBLEWEED, opensuse, "5.6.1.revertto5.4-3.2", False),
    ("tumbleweed", TUMBLEWEED, opensuse, "5.6.1-1.1", True),
    ("tumbleweed-first", TUMBLEWEED, opensuse, "5.6.0-1.1", True),
    ("tumbleweed-before", TUMBLEWEED, opensuse, "5.4.6-2.1", False),
    ("fedora-41-repaired", FEDORA, fedora, "1:5.4.6-3.fc41", False),
    ("fedora-41", FEDORA, fedora, "5.6.0-2.fc41", True),
    ("fedora-41-later", FEDORA, fedora, "1:5.6.2-2.fc41", False),
]


def check_one(count, db, what, root, malicious):
    doc = roots.scan(db, root)
    found = [f for f in doc["findings"] if f["compromised"]]
    said = [(f["id"], f["status"], f["version"]) for f in doc["findings"]]
    if malicious:
        right = len(found) == 1 and found[0]["id"] == CVE and found[0]["status"] == "affected" \
            and doc["findings"][0] == found[0] and len(found[0]["packages"]) == len(doc["packages"])
        count.check(right, f"{what}: compromised, once, of every package", str(said))
    else:
        # not "affected" either: none of these versions has the backdoor
        own = [f for f in doc["findings"] if f["id"] == CVE or CVE in f["aliases"]]
        count.check(not own, f"{what}: clean", str(said))
        count.check(doc["advisories"]["counts"]["compromised"] == 0, f"{what}: none counted")
    explained = roots.scan(db, root, "--explain", CVE)
    steps = [f.get("explanation", []) for f in explained["findings"] if f["id"] == CVE]
    count.check(steps and any(s["decides"] for s in steps[0]) or not malicious,
                f"{what}: --explain names what decides", str(steps)[:400])


def run(count, tmp, table, xz):
    """table: data/compromised-xz.tsv; xz: the folder with the case's records, or None."""
    stores = {"list": roots_store(tmp, "list", table)}
    if xz:
        records = [os.path.join(xz, f"{n}.json") for n in ("GHSA-rxwq-x6h5-x525",
                                                           f"UBUNTU-{CVE}", "cve5-vulnrichment")]
        stores["list and records"] = roots_store(tmp, "records", table, *records)
        # the other way round: what is imported last must not win
        stores["records and list"] = roots_store(tmp, "reverse", *records, table)
    else:
        count.skip("the case's records", "they are not here")
    why_no_rpm = roots.can_rpm()
    for name, system, make, version, malicious in TRAPS:
        if why_no_rpm and make in (opensuse, fedora):
            count.skip(name, why_no_rpm)
            continue
        root = os.path.join(tmp, name)
        make(root, version)
        roots.os_release(root, **system)
        for which, db in stores.items():
            check_one(count, db, f"{name} ({which})", root, malicious)


def roots_store(tmp, name, *files):
    db = os.path.join(tmp, f"xz-{name}.db")
    roots.store(db, *files)
    return db
