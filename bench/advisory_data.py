# SPDX-License-Identifier: Apache-2.0
"""Data for the parts `import` and `match` of bench/run.

Publications as the world has them: records of OSV, real ones where ../shared is, else generated;
as lines of JSON without white space (the most there is to do per byte), as a zip with a file a
record (what OSV's export is) and as .tar.zst. A Debian of any number of vulnerabilities, in
OSV's form and in debsecan's, and a system to be judged by it.
"""
import glob
import io
import json
import os
import random
import shutil
import subprocess
import tarfile
import zipfile
import zlib

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SHARED = os.path.join(os.path.dirname(TOP), "shared", "data", "osv")
ARCHIVES = ["almalinux", "bitnami", "go-vulndb", "rustsec"]
WORDS = ("buffer overflow in the parser of a library when it reads a crafted file from an "
         "attacker who may execute code, cause a denial of service or read memory").split()


def compact(record):
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False)


def real_records(tmp):
    """What the archives hold, as (ecosystem's name, record); nothing where they are not."""
    for name in ARCHIVES:
        archive = os.path.join(SHARED, f"{name}-osv.tar.zst")
        if not os.path.exists(archive) or not shutil.which("zstd"):
            return
        top = os.path.join(tmp, "unpacked")
        os.mkdir(top)
        with subprocess.Popen(["zstd", "-q", "-dc", "--long=27", archive],
                              stdout=subprocess.PIPE) as child:
            subprocess.run(["tar", "-x", "-C", top], stdin=child.stdout, check=True)
        for path in sorted(glob.glob(os.path.join(top, "**", "*.json"), recursive=True)):
            with open(path, encoding="utf-8") as f:
                yield json.load(f)
        shutil.rmtree(top)


def generated_records(n):
    dice = random.Random(1)
    for i in range(n):
        yield {"schema_version": "1.7.0", "id": f"GHSA-{i:04x}-aaaa-bbbb",
               "modified": f"2026-0{1 + i % 9}-{1 + i % 28:02}T10:00:00Z",
               "published": f"2025-0{1 + i % 9}-{1 + i % 28:02}T10:00:00Z",
               "aliases": [f"CVE-2025-{1000 + i}"],
               "summary": " ".join(dice.choices(WORDS, k=8)),
               "details": " ".join(dice.choices(WORDS, k=dice.randrange(40, 250))),
               "severity": [{"type": "CVSS_V3",
                             "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
               "affected": [{"package": {"ecosystem": "PyPI", "name": f"package{i % 4000}-{k}"},
                             "ranges": [{"type": "ECOSYSTEM", "events": [
                                 {"introduced": "0"},
                                 {"fixed": f"{dice.randrange(9)}.{dice.randrange(30)}"}]}],
                             "versions": [f"{a}.{b}" for a in range(dice.randrange(1, 4))
                                          for b in range(20)]}
                            for k in range(dice.randrange(1, 6))],
               "references": [{"type": "WEB", "url": f"https://example.org/{i}/{k}"}
                              for k in range(6)]}


def varied(records, copies):
    """Each copy is of other vulnerabilities of other packages: (name of a file, text)."""
    for k in range(copies):
        for number, record in enumerate(records):
            copy = dict(record, id=f"{record['id']}-{k}")
            copy["affected"] = [
                dict(a, package=dict(a["package"], name=f"{a['package']['name']}-{k}"))
                if "package" in a else a for a in record.get("affected") or []]
            yield f"{k}-{number}.json", compact(copy)


def publications(tmp, mib):
    """{form: path}, bytes of JSON, records, whether they are real. At least that many MiB."""
    records = list(real_records(tmp))
    real = bool(records)
    if not real:
        records = list(generated_records(10_000))
    copies = -(-(mib << 20) // sum(len(compact(r).encode()) for r in records))
    forms = {"JSON lines": os.path.join(tmp, "all.jsonl"), "zip": os.path.join(tmp, "all.zip")}
    if shutil.which("zstd"):
        forms[".tar.zst"] = os.path.join(tmp, "all.tar.zst")
    total = 0
    with open(forms["JSON lines"], "wb") as lines, \
            zipfile.ZipFile(forms["zip"], "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in varied(records, copies):
            data = text.encode()
            total += len(data)
            lines.write(data + b"\n")
            packed.writestr(name, data)
    if ".tar.zst" in forms:
        write_tar(forms[".tar.zst"], varied(records, copies))
    return forms, total, len(records) * copies, real


def write_tar(path, files):
    with open(path, "wb") as out, \
            subprocess.Popen(["zstd", "-q", "-T1"], stdin=subprocess.PIPE, stdout=out) as child:
        with tarfile.open(fileobj=child.stdin, mode="w|") as tar:
            for name, text in files:
                data = text.encode()
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        child.stdin.close()


# ---- a Debian ----------------------------------------------------------------------------

SOURCES = 20_000
RELEASES = ("12", "13")


def debian(n):
    """n vulnerabilities: (CVE, source, {release: fixed version or ""}). Few sources have most:
    the kernel 4,000, the next hundreds, the last a few."""
    dice = random.Random(2)
    weights = [1 / (rank + 20) for rank in range(SOURCES)]
    sources = ["linux"] * 4000 + [f"source{i}" for i in
                                  dice.choices(range(SOURCES), weights, k=max(0, n - 4000))]
    for i, source in enumerate(sources[:n]):
        fixed = {}
        for release in RELEASES:
            if source == "linux":
                version = f"6.1.{dice.randrange(150)}-1"
            else:
                version = f"{dice.randrange(1, 22)}.{dice.randrange(20)}-{dice.randrange(1, 4)}"
                if release == "12" and dice.random() < 0.3:
                    version += "+deb12u1"
            fixed[release] = "" if dice.random() < 0.03 else version
        yield f"CVE-20{i // 12000:02}-{1000 + i}", source, fixed


def write_debian(tmp, n):
    """{kind: path}: the vulnerabilities in OSV's form, their EPSS, and for debsecan."""
    paths = {"osv": os.path.join(tmp, "debian.jsonl"), "epss": os.path.join(tmp, "epss.csv"),
             "debsecan": os.path.join(tmp, "bookworm")}
    names, lines = [], []
    with open(paths["osv"], "w", encoding="utf-8") as osv, \
            open(paths["epss"], "w", encoding="utf-8") as epss:
        epss.write("#model_version:v2025.03.14,score_date:2026-11-21T00:00:00+0000\n"
                   "cve,epss,percentile\n")
        for i, (cve, source, fixed) in enumerate(debian(n)):
            osv.write(compact({
                "schema_version": "1.7.0", "id": f"DEBIAN-{cve}", "upstream": [cve],
                "modified": "2026-11-20T10:00:00Z", "published": "2026-01-01T10:00:00Z",
                "details": "a " + " ".join(WORDS[:8]),
                "affected": [{"package": {"ecosystem": f"Debian:{release}", "name": source,
                                          "purl": f"pkg:deb/debian/{source}?arch=source"},
                              "ranges": [{"type": "ECOSYSTEM",
                                          "events": [{"introduced": "0"}] +
                                          ([{"fixed": version}] if version else [])}]}
                             for release, version in fixed.items()]}) + "\n")
            epss.write(f"{cve},0.0{i % 999:03},0.{i % 99999:05}\n")
            names.append(f"{cve},,about {source}\n")
            version = fixed["12"]
            lines.append(f"{source},{i},SM?{'F' if version else ' '},{version},\n")
    with open(paths["debsecan"], "wb") as f:
        f.write(zlib.compress(("VERSION 1\n" + "".join(names) + "\n" + "".join(lines) +
                               "\n\n").encode()))
    return paths


def write_root(top, n_packages, kernel):
    """A root with the package database of a Debian 12: a thousand packages of six hundred
    sources, most of them up to date."""
    dice = random.Random(3)
    os.makedirs(os.path.join(top, "var", "lib", "dpkg", "info"))
    os.makedirs(os.path.join(top, "etc"))
    with open(os.path.join(top, "etc", "os-release"), "w", encoding="ascii") as f:
        f.write('ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n'
                'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')
    step = SOURCES / max(1, n_packages * 6 // 10)
    with open(os.path.join(top, "var", "lib", "dpkg", "status"), "w", encoding="ascii") as f:
        for i in range(n_packages):
            k = i * 6 // 10
            rank = int(k * step)
            version = f"{20 + rank % 12}.{rank % 19}-1"
            source = f"source{rank}"
            if kernel and i < 3:
                source, version = "linux", "6.1.120-1"
            elif i % 6 == 0 and dice.random() < 0.2:  # not kept up
                version = f"{10 + rank % 9}.{rank % 19}-1"
            f.write(f"Package: lib{k}-{i}\nStatus: install ok installed\nPriority: optional\n"
                    "Section: libs\nInstalled-Size: 100\n"
                    "Maintainer: Debian Maintainers <team@tracker.debian.org>\n"
                    f"Architecture: amd64\nSource: {source}\nVersion: {version}\n"
                    "Description: a package\n\n")
            with open(os.path.join(top, "var", "lib", "dpkg", "info", f"lib{k}-{i}.list"), "w",
                      encoding="ascii") as files:
                files.write("/.\n")


def binaries(status):
    """(binary package, source package)"""
    with open(status, encoding="ascii") as f:
        for paragraph in f.read().split("\n\n"):
            fields = dict(line.split(": ", 1) for line in paragraph.splitlines())
            if fields:
                yield fields["Package"], fields["Source"]
