#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: Apache-2.0
"""The packages of a Debian root, and who owns its ELF objects, against dpkg's own words.

    packages.py ROOT...

Packages: one test each, against `dpkg-query -W` (name, version, architecture, source) and apt's
extended_states (installed by hand or not). Ownership: one test an object: what dpkg's file lists
name (folders resolved, diversions applied) is never called unowned, and an owner named is right.
"""
import multiprocessing
import os
import stat
import subprocess
import sys
import urllib.parse

import live

FIELDS = ("Package", "Architecture", "Version", "source:Package", "source:Version",
          "db:Status-Status")


def dpkg_packages(root):
    """{(name, arch): {...}} as dpkg-query lists what is (at least partly) installed."""
    form = "\t".join("${" + f + "}" for f in FIELDS) + "\n"
    out = subprocess.run(["dpkg-query", "--admindir", root.rstrip("/") + "/var/lib/dpkg", "-W",
                          "-f", form], capture_output=True, text=True, check=True).stdout
    found = {}
    for line in out.splitlines():
        name, arch, version, source, source_version, status = line.split("\t")
        if status not in ("config-files", "not-installed"):
            found[name, arch] = {"version": version, "source": source,
                                 "source_version": source_version}
    return found


def auto_installed(root):
    """(name, arch) of what apt installed by itself. For apt, a package of architecture "all" has
    the machine's own."""
    found, name, arch = set(), None, None
    try:
        with open(root + "/var/lib/apt/extended_states", encoding="utf-8") as f:
            for line in f:
                key, _, value = line.partition(":")
                if key == "Package":
                    name = value.strip()
                elif key == "Architecture":
                    arch = value.strip()
                elif key == "Auto-Installed" and value.strip() == "1":
                    found |= {(name, arch), (name, "all")}
    except OSError:
        pass
    return found


def diversions(root):
    """{path: (path it is moved to, the package that is not moved)}"""
    try:
        with open(root + "/var/lib/dpkg/diversions", encoding="utf-8") as f:
            lines = f.read().splitlines()
    except OSError:
        return {}
    return {lines[i]: (lines[i + 1], lines[i + 2]) for i in range(0, len(lines) - 2, 3)}


def file_owners(root):
    """In a worker: {canonical path, or (device, inode), of a regular file: names of the packages
    that list it}."""
    live.enter(root)
    moved, owners, folders = diversions(""), {}, {}
    info = "/var/lib/dpkg/info"
    for entry in os.listdir(info):
        if not entry.endswith(".list"):
            continue
        package = entry[:-5].split(":")[0]
        with open(os.path.join(info, entry), encoding="utf-8", errors="surrogateescape") as f:
            for path in f.read().splitlines():
                to, by = moved.get(path, (path, package))
                path = path if by == package else to
                folder, name = os.path.split(path)
                if folder not in folders:
                    folders[folder] = os.path.realpath(folder)
                path = os.path.join(folders[folder], name)
                try:
                    st = os.lstat(path)
                except OSError:
                    continue
                if stat.S_ISREG(st.st_mode):
                    owners.setdefault(path, set()).add(package)
                    if st.st_nlink > 1:  # any name of the file will do
                        owners.setdefault((st.st_dev, st.st_ino), set()).add(package)
    return owners


def purl_name(purl):
    return urllib.parse.unquote(purl.split("?")[0].split("@")[0].rsplit("/", 1)[1])


def check_packages(root, doc, count):
    want, auto = dpkg_packages(root), auto_installed(root)
    got = {(p["name"], p["arch"]): p for p in doc["packages"] if p["type"] == "deb"}
    system = doc.get("os", {}).get("id", "debian")
    count.check(len(got) == sum(p["type"] == "deb" for p in doc["packages"]),
                f"{root}: no package twice")
    for key in sorted(want.keys() | got.keys()):
        what = f"{root}: {key[0]}:{key[1]}"
        if key not in got or key not in want:
            count.check(False, what, "only in " + ("dpkg" if key in want else "sapper"))
            continue
        p, w = got[key], want[key]
        purl = urllib.parse.unquote(p["purl"].split("?")[0])
        apart = [f"{f}: {p.get(f)!r}, dpkg: {w[f]!r}" for f in w if p.get(f) != w[f]]
        if bool(p.get("auto_installed")) != (key in auto):
            apart.append(f"auto_installed: {p.get('auto_installed')!r}, apt: {key in auto}")
        if purl != f"pkg:deb/{system}/{key[0]}@{w['version']}":
            apart.append(f"purl: {p['purl']}")
        count.check(not apart, what, "; ".join(apart))


def check_owners(root, doc, count):
    with multiprocessing.get_context("fork").Pool(1) as pool:
        owners = pool.apply(file_owners, (root,))
    for o in doc["objects"]:
        names = owners.get(o["path"], set())
        if not names and o["path"].startswith("/var/lib/dpkg/info/"):
            # dpkg's copies of maintainer scripts: in no list, but the package's all the same
            names = {os.path.basename(o["path"]).split(".")[0].split(":")[0]}
        owner = o.get("package")
        if not owner:
            count.check(not names, f"{root}: {o['path']}",
                        f"called unowned; dpkg: {', '.join(sorted(names))}")
        else:
            if not names:
                st = os.lstat(root.rstrip("/") + o["path"])
                names = owners.get((st.st_dev, st.st_ino), set())
            count.check(purl_name(owner) in names, f"{root}: {o['path']}",
                        f"said to be of {owner}; dpkg: {', '.join(sorted(names)) or 'nobody'}")


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    count = live.Count()
    for root in map(os.path.realpath, sys.argv[1:]):
        if not os.path.exists(os.path.join(root, "var/lib/dpkg/status")):
            count.skip(root, "no dpkg database")
            continue
        try:
            doc = live.sapper_json("scan", "--format", "json",
                                   *([] if root == "/" else ["dir:" + root]))
        except (RuntimeError, ValueError) as e:
            count.check(False, root, str(e))
            continue
        check_packages(root, doc, count)
        if root != "/" and os.geteuid() != 0:
            count.skip(f"{root}: owners", "chroot needs root")
        else:
            check_owners(root, doc, count)
    count.done()


if __name__ == "__main__":
    main()
