# SPDX-License-Identifier: Apache-2.0
"""Made-up roots for findings.py: a folder with os-release and a package database. And the calls of
sapper: a store of advisories made of files, the findings of a root."""
import collections
import functools
import glob
import os
import shutil
import sqlite3
import subprocess
import urllib.parse

import live


def write(root, path, text):
    path = os.path.join(root, path.lstrip("/"))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def os_release(root, **fields):
    write(root, "/etc/os-release", "".join(f'{k}="{v}"\n' for k, v in fields.items()))


# ---- the package databases -------------------------------------------------------------------

Package = collections.namedtuple("Package", "name version source source_version extra",
                                 defaults=("", "", ()))


def dpkg(root, packages):
    """extra: more fields as (key, value); Status among them replaces "install ok installed"."""
    text = []
    for p in packages:
        fields = {"Package": p.name, "Status": "install ok installed", "Architecture": "amd64",
                  "Maintainer": "Some Team <team@tracker.debian.org>"}
        if p.source and (p.source, p.source_version) != (p.name, p.version):
            named = p.source_version and p.source_version != p.version
            fields["Source"] = f"{p.source} ({p.source_version})" if named else p.source
        fields |= {"Version": p.version, "Description": "a package"} | dict(p.extra)
        text.append("".join(f"{k}: {v}\n" for k, v in fields.items()) + "\n")
    write(root, "/var/lib/dpkg/status", "".join(text))


def apk(root, packages):
    write(root, "/lib/apk/db/installed", "".join(
        f"P:{p.name}\nV:{p.version}\nA:x86_64\nT:a package\no:{p.source or p.name}\n\n"
        for p in packages))


def pacman(root, packages, packager="Some One <someone@archlinux.org>"):
    write(root, "/var/lib/pacman/local/ALPM_DB_VERSION", "9\n")
    for p in packages:
        folder = f"/var/lib/pacman/local/{p.name}-{p.version}"
        fields = {"NAME": p.name, "VERSION": p.version, "BASE": p.source or p.name,
                  "ARCH": "x86_64", "PACKAGER": packager}
        write(root, folder + "/desc", "".join(f"%{k}%\n{v}\n\n" for k, v in fields.items()))
        write(root, folder + "/files", "%FILES%\n")


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:4])}: {done.stderr.strip()[-600:]}")
    return done.stdout


def can_rpm():
    """Why rpm databases cannot be made here; None where they can."""
    if not shutil.which("rpmbuild"):
        return "rpmbuild is not installed (package rpm)"
    return "rpm --root needs root" if os.geteuid() else None


SOURCE = "a-source-whose-name-is-long-enough-to-be-replaced-by-any-other-one-there-is-in-practice"


def split_evr(evr):
    """(epoch or "", version, release) of [EPOCH:]VERSION-RELEASE."""
    epoch, colon, rest = evr.partition(":")
    version, _, release = (rest if colon else evr).rpartition("-")
    return epoch if colon else "", version, release


def rpms(folder, vendor, packages):
    """Real packages, built by rpmbuild from one spec. extra: more tags as (key, value)."""
    spec = [f"Name: {SOURCE}", "Version: 1", "Release: 1", "Summary: s", "License: x",
            "BuildArch: noarch", f"Vendor: {vendor}", "%description", "x"]
    for p in packages:
        epoch, version, release = split_evr(p.version)
        spec += [f"%package -n {p.name}", f"Version: {version}", f"Release: {release}",
                 "Summary: s", f"Epoch: {epoch}" if epoch else "",
                 *(f"{k}: {v}" for k, v in p.extra), f"%description -n {p.name}", "x",
                 f"%files -n {p.name}"]
    write(folder, "made.spec", "\n".join(spec) + "\n")
    run("rpmbuild", "-bb", "--define", f"_topdir {folder}/top", "--define",
        "_binary_payload w0.gzdio", "--define", "debug_package %{nil}", "--define",
        "__spec_install_post %{nil}", "--define", "_build_id_links none", folder + "/made.spec")
    return glob.glob(folder + "/top/RPMS/noarch/*.rpm")


def name_sources(root, packages):
    """Every package gets the source that it is to have, in the database that rpm wrote: packages of
    one spec all name that one, and a spec for each source takes too long."""
    old = SOURCE + "-1-1.src.rpm"
    sources = {}
    for p in packages:
        new = f"{p.source}-{p.source_version.rpartition(':')[2]}.src.rpm"
        assert len(new) <= len(old), new
        epoch, version, release = split_evr(p.version)
        sources[(p.name, int(epoch or 0), version, release)] = new.ljust(len(old), "\0")
    query = "%{dbinstance} %{name} %|epoch?{%{epoch}}:{0}| %{version} %{release}\n"
    listing = run("rpm", "--root", root, "--define", "_dbpath /var/lib/rpm", "-qa", "--qf", query)
    db = sqlite3.connect(root + "/var/lib/rpm/rpmdb.sqlite")
    for line in listing.splitlines():
        number, *identity = line.split()
        identity = (identity[0], int(identity[1]), *identity[2:])
        if identity not in sources:
            continue  # of an earlier call
        blob, = db.execute("SELECT blob FROM Packages WHERE hnum = ?", (number,)).fetchone()
        new = sources.pop(identity)
        assert blob.count(old.encode()) == 1
        db.execute("UPDATE Packages SET blob = ? WHERE hnum = ?",
                   (blob.replace(old.encode(), new.encode()), number))
    assert not sources
    db.commit()
    db.close()


def rpm(root, tmp, vendor, packages):
    """Adds to an rpm database, with rpm. Versions are EVRs; a source has no epoch."""
    folder = os.path.join(tmp, "build-" + os.path.basename(root))
    files = rpms(folder, vendor, packages)
    assert len(files) == len(packages)
    os.makedirs(root, exist_ok=True)
    run("rpm", "--root", root, "--define", "_dbpath /var/lib/rpm", "-i", "--justdb", "--nodeps",
        "--nosignature", "--nodigest", "--noscripts", "--force", *files)
    if packages[0].source:
        name_sources(root, packages)
    shutil.rmtree(folder)


# ---- sapper ----------------------------------------------------------------------------------


def store(path, *files):
    """Imports files into a new store; returns what was said. Status 1 is that something in them
    could not be taken over, which some real files make."""
    binary = os.environ.get("SAPPER", "sapper")
    done = subprocess.run([binary, "db", "import", "--db", path, *files], capture_output=True,
                          text=True, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"sapper db import: {done.stderr.strip()[-2000:]}")
    return done.stderr


def scan(db, root, *options):
    return live.sapper_json("scan", "--db", db, "--format", "json", *options, "dir:" + root)


# A row of a judgement: what is compared. fixed and reason are "" where there is none; offered is
# None where no fixed version is known; packages are the names of the installed ones.
Row = collections.namedtuple("Row", "id name version status fixed offered reason packages")


@functools.lru_cache(maxsize=None)
def name_of(purl):
    return urllib.parse.unquote(purl.split("@")[0].rsplit("/", 1)[1])


def rows(document):
    return collections.Counter(
        Row(f["id"], f["name"], f["version"], f["status"], f.get("fixed_version", ""),
            f.get("offered"), f.get("reason", ""), tuple(sorted(map(name_of, f["packages"]))))
        for f in document["findings"])


def compare(count, what, document, want, counts=None, not_judged=()):
    """The findings of a scan against the rows that are expected, both as multisets; then the counts
    of what is not listed, and the packages that are not judged."""
    got = rows(document)
    missing, extra = want - got, got - want
    count.check((want or counts) and not missing and not extra,
                f"{what}: {sum(want.values())} findings",
                f"{sum(missing.values())} missing, {sum(extra.values())} too many of "
                f"{sum(want.values())}\n  missing {sorted(map(str, missing))[:4]}\n"
                f"  too many {sorted(map(str, extra))[:4]}")
    for status, n in (counts or {}).items():
        found = document["advisories"]["counts"][status]
        count.check(found == n, f"{what}: {n} {status.replace('_', ' ')}", f"sapper says {found}")
    found = sorted(name_of(p["package"]) for p in document["not_judged"])
    count.check(found == sorted(not_judged), f"{what}: not judged",
                f"{found[:8]}, expected {sorted(not_judged)[:8]}")
