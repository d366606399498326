#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: Apache-2.0
"""Package lists of rpm and pacman roots, against `rpm -qa` and `pacman -Q` over the same roots.

The rpm root is made here (rpmbuild, then `rpm --root`), with an epoch, subpackages, a native
program, configuration and %ghost files. pacman reads sample databases ($SAP_SHARED/vectors).
"""
import os
import shutil
import subprocess
import sys
import tempfile

import live

SPEC = """
Name: demo
Epoch: 3
Version: 1.2~rc1
Release: 4%{?dist}
Summary: a demonstration
License: MIT
Vendor: Nobody
%description
A demonstration.
%package libs
Epoch: 0
Version: 7
Summary: its libraries
%description libs
Its libraries.
%package doc
Summary: its documents
BuildArch: noarch
Requires: demo = 3:1.2~rc1
%description doc
Its documents.
%install
mkdir -p %{buildroot}/usr/bin %{buildroot}/usr/lib64 %{buildroot}/etc
mkdir -p %{buildroot}/usr/share/doc/demo
cp /bin/true %{buildroot}/usr/bin/demo
cp /bin/false %{buildroot}/usr/lib64/libdemo.so.1
ln -s libdemo.so.1 %{buildroot}/usr/lib64/libdemo.so
echo x >%{buildroot}/etc/demo.conf
echo x >%{buildroot}/usr/share/doc/demo/README
%files
/usr/bin/demo
%config(noreplace) /etc/demo.conf
%ghost /var/log/demo
%files libs
/usr/lib64/libdemo.so*
%files doc
%doc /usr/share/doc/demo/README
"""
OWNERS = {"/usr/bin/demo": "demo", "/usr/lib64/libdemo.so.1": "demo-libs", "/usr/bin/stray": None}
QUERY = "%{NAME}\t%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\t%{ARCH}\t%{SOURCERPM}\n"


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:6])}: {done.stderr.strip()[-600:]}")
    return done.stdout


def scan(root):
    return live.sapper_json("scan", "--format", "json", "dir:" + root)


def listing(root):
    return run("find", root, "-printf", "%P %s %T@ %C@\n")


def make_rpm_root(tmp, root):
    spec = os.path.join(tmp, "demo.spec")
    with open(spec, "w", encoding="ascii") as f:
        f.write(SPEC)
    run("rpmbuild", "-bb", "--define", f"_topdir {tmp}/build", "--define", "__brp_strip /bin/true",
        "--define", "_build_id_links none", "--define", "debug_package %{nil}", spec)
    rpms = run("find", tmp + "/build/RPMS", "-name", "*.rpm").split()
    os.makedirs(root + "/usr/bin")
    run("rpm", "--root", root, "--define", "_dbpath /var/lib/rpm", "--nodeps", "-i", *rpms)
    shutil.copy("/bin/true", root + "/usr/bin/stray")


def without_zero_epoch(version):
    return version[2:] if version.startswith("0:") else version


def check_rpm(count, tmp):
    root = os.path.join(tmp, "rpm")
    make_rpm_root(tmp, root)
    want = sorted(run("rpm", "--root", root, "--define", "_dbpath /var/lib/rpm", "-qa", "--qf",
                      QUERY).splitlines())
    before = listing(root)
    doc = scan(root)
    count.check(listing(root) == before, "rpm: the root is as it was")
    got = {p["name"]: p for p in doc["packages"] if p["type"] == "rpm"}
    count.check(len(want) == 3 and len(got) == len(doc["packages"]) == len(want),
                "rpm: as many packages", f"{sorted(got)}, rpm: {want}")
    for line in want:
        name, version, arch, source = line.split("\t")
        p = got.get(name, {})
        source_version = p.get("source_version", "").rsplit(":", 1)[-1]
        mine = (p.get("version"), p.get("arch"), f"{p.get('source')}-{source_version}.src.rpm")
        count.check(mine == (without_zero_epoch(version), arch, source), f"rpm: {name}",
                    f"{mine}, rpm: {line}")
    check_owners(count, "rpm", doc)


def check_owners(count, what, doc):
    owners = {o["path"]: o.get("package") for o in doc["objects"]}
    for path, name in OWNERS.items():
        owner = owners.get(path)
        right = path in owners and (owner is None if name is None else
                                    owner is not None and f"/{name}@" in owner)
        count.check(right, f"{what}: owner of {path}", f"{owner}, not {name}")


def check_pacman(count, root):
    want = sorted(run("pacman", "-Q", "--root", root, "--dbpath",
                      root + "/var/lib/pacman").splitlines())
    got = sorted(f"{p['name']} {p['version']}" for p in scan(root)["packages"]
                 if p["type"] == "alpm")
    count.check(got == want and want, f"pacman: {os.path.basename(root)}",
                f"{got}, pacman: {want}")


def main():
    count = live.Count()
    shared = os.environ.get("SAP_SHARED") or os.path.join(
        os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "shared")
    sample = os.path.realpath(os.path.join(shared, "vectors", "packages", "pacman"))
    with tempfile.TemporaryDirectory(prefix="sapper-managers-") as tmp:
        try:
            if not shutil.which("rpmbuild"):
                count.skip("rpm", "rpmbuild is not installed (package rpm)")
            elif os.geteuid() != 0:
                count.skip("rpm", "rpm --root needs root")
            else:
                check_rpm(count, os.path.realpath(tmp))
            if not shutil.which("pacman"):
                count.skip("pacman", "not installed (package pacman-package-manager)")
            elif not os.path.isdir(sample):
                count.skip("pacman", f"no sample database in {sample}")
            else:
                copy = os.path.join(tmp, "pacman")
                # the broken entry is a unit test's matter: pacman takes its folder's name
                shutil.copytree(sample, copy, ignore=shutil.ignore_patterns("corrupt*"))
                local = os.path.join(copy, "var/lib/pacman/local")
                os.chmod(local, 0o755)
                with open(os.path.join(local, "ALPM_DB_VERSION"), "w", encoding="ascii") as f:
                    f.write("9\n")  # without it pacman refuses to read the database
                check_pacman(count, copy)
        except (RuntimeError, ValueError, KeyError) as e:
            count.check(False, "managers", repr(e))
    count.done()


if __name__ == "__main__":
    main()
