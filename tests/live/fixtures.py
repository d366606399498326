#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: Apache-2.0
"""Fixtures of other matchers as cases for this one: their inputs imported, what they expect of them
looked for in the rows of the store or in scans.

    fixtures.py      the archives in $SAP_SHARED/data/fixtures (../shared beside the checkout)

Taken from there: trivy-db's OSV, GHSA, Go, Julia, Bitnami, Kubernetes, Arch and Red Hat CSAF
fixtures; claircore's secdb, KEV, EPSS and CSAF; osv.dev's worker tests with the versions that it
lists as affected, Packagist's order of versions, the tracker's JSON. What each project's tests
expect is written down here; differences stand beside, with their reason.

Left out, since nobody publishes these layouts, they are intermediate ones of the projects
themselves: vuln-list's own for alma, alpine, amazon, azure, bottlerocket, chainguard, debian (split
into files), echo, glad, minimos, oracle-oval, photon, redhat, redhat-oval, rocky, rootio,
suse-cvrf, ubuntu and wolfi; vulnfeeds/test_data/parts. No source of ours: NVD's API, YAML of
ruby-advisory-db and php-security-advisories, nodejs-security-wg (archived), OVAL of VMware,
container catalogues of Red Hat.
"""
import ast
import csv
import json
import os
import re
import subprocess
import tempfile
import urllib.parse

import finding_roots as roots
import live
from finding_roots import Package

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHARED = os.environ.get("SAP_SHARED") or os.path.join(os.path.dirname(TOP), "shared")
FOLDER = os.path.join(SHARED, "data", "fixtures")
TRIVY = "trivy-db-fixtures/pkg/vulnsrc/"
OSV = "osv-dev-testdata/"
CLAIR = "claircore-vuln-fixtures/"

# Ranges as text: "[1.5.0,1.5.10)", "[0,3.8.4]", "[2.1.0,<2.1.3)" (ends there, but no version
# repairs it), "=5.15.12". (folder of vulnsrc, vulnerability, space, package, ranges)
TRIVY_OSV = [
    ("ghsa", "CVE-2018-1196", "maven", "org.springframework.boot:spring-boot", ["[1.5.0,1.5.10)"]),
    ("ghsa", "CVE-2023-25330", "maven", "com.baomidou:mybatis-plus", ["[0,<3.5.3.1)"]),
    ("ghsa", "CVE-2023-25330", "maven", "com.baomidou:mybatis-plus-copy", ["[0,3.5.0)"]),
    ("ghsa", "CVE-2020-25792", "crates.io", "sized-chunks", ["[0,0.6.3)"]),
    ("ghsa", "CVE-2020-8911", "go", "github.com/aws/aws-sdk-go", ["[0,1.34.0)"]),
    ("ghsa", "CVE-2022-3215", "swifturl", "github.com/apple/swift-nio",
     ["[0,2.29.1)", "[2.39.0,2.39.1)", "[2.41.0,2.42.0)"]),
    ("ghsa", "CVE-2024-45337", "go", "golang.org/x/crypto", ["[0,0.31.0)"]),
    ("ghsa", "CVE-2025-46653", "npm", "formidable",
     ["[2.1.0,<2.1.3)", "[3.1.1-canary.20211030,3.5.3)"]),
    ("ghsa", "CVE-2019-19745", "packagist", "contao/core-bundle",
     ["[4.0.0,4.4.46)", "[4.5.0,4.8.6)"]),
    # trivy-db leaves the runtime of Go to Go's own database; here both are kept, and "net/http" is
    # the name of no module, so that it never matches
    ("ghsa", "CVE-2023-45288", "go", "net/http", ["[0,1.21.9)", "[1.22.0-0,1.22.2)"]),
    ("govulndb", "CVE-2023-45288", "go", "stdlib", ["[0,1.21.9)[1.22.0-0,1.22.2)"]),
    ("govulndb", "CVE-2023-45288", "go", "golang.org/x/net", ["[0,0.23.0)"]),
    ("govulndb", "CVE-2021-41803", "go", "github.com/hashicorp/consul",
     ["[1.8.1,1.11.9)[1.12.0,1.12.5)[1.13.0,1.13.2)"]),
    ("julia", "CVE-2025-52479", "julia", "HTTP", ["[0,1.10.17)"]),
    ("julia", "CVE-2025-52479", "julia", "URIs", ["[0,1.6.0)"]),
    ("julia", "JLSEC-2025-10", "julia", "Bzip2_jll", ["[0,1.0.7+0)"]),
    ("bitnami", "CVE-2020-11998", "bitnami", "activemq", ["=5.15.12"]),
    ("bitnami", "CVE-2020-12603", "bitnami", "envoy",
     ["[0,1.12.4)", "[1.13.2,1.13.2]", "[1.14.2,1.14.2]"]),
    ("bitnami", "CVE-2020-7059", "bitnami", "php",
     ["[7.2.0,7.2.27)", "[7.3.0,7.3.14)", "[7.4.0,7.4.2)"]),
    # the ecosystem of the fixture is in no list of OSV's, so the versions have no order, but are
    # kept
    ("k8svulndb/testdata/happy-fixed", "CVE-2023-2727", "kubernetes", "k8s.io/apiserver",
     ["[1.24.0,1.24.14)"]),
    ("k8svulndb/testdata/happy", "CVE-2023-2727", "kubernetes", "k8s.io/apiserver",
     ["[1.24.0,1.24.14]"]),
    ("osv", "CVE-2018-10895", "pypi", "qutebrowser", ["[0,1.4.1)"]),
    ("osv", "CVE-2023-37276", "pypi", "aiohttp", ["[0,3.8.4][4.0.1,4.0.1]"]),
    ("osv", "CVE-2026-21860", "pypi", "werkzeug", ["[0,3.1.5)"]),
    ("osv", "CVE-2023-31655", "pypi", "redis", []),  # withdrawn
    # withdrawn in the year 3001: trivy-db takes it for valid until then; here a record with that
    # date is withdrawn, since in practice the date is never in the future
    ("osv", "CVE-2013-4251", "pypi", "scipy", []),
    # aqua's records are OSV without aliases: known by their own name
    ("aqua", "AQUA-2024-0001", "pypi", "ultralytics", ["[8.3.41,8.3.43)[8.3.45,8.3.47)"]),
    # Seal rebuilds other people's packages; its spaces are its own, nothing of the others is judged
    # by them
    ("seal", "CVE-2024-10524", "seal:debian", "seal-wget",
     ["[1.21-1+deb11u1,1.21-1+deb11u1+sp999)"]),
    ("seal", "CVE-2025-61780", "seal:rubygems", "seal-rack",
     ["[2.0.7.0.1.sp1,2.0.7.0.1.sp999)", "[2.2.6.2.0.1.sp1,2.2.6.2.0.1.sp999)"]),
]

# (folder, claims as (vulnerability, space, package, status, fixed, {attributes}))
FIX9999 = ("red hat:9", "test-package", "affected", "1:1.0.0-1.el9")
MODULAR = ("red hat:9", "modular-package", "affected", "2.4.37-65.module+el8.10.0+21982+14717793")
BOTH = {"arch": {"aarch64", "x86_64"}}
CSAF = [
    (TRIVY + "redhat-csaf/testdata/vuln-list-redhat/csaf-vex", [
        ("CVE-2024-10041", "red hat:9", "pam", "affected", "1.5.1-21.el9_5", BOTH),
        ("CVE-2024-11111", *FIX9999, BOTH),
        ("CVE-2024-22222", *FIX9999, BOTH),
        ("CVE-2024-11111", "red hat:9", "affected-package-bin", "affected", "", {}),
        ("CVE-2024-22222", "red hat:9", "affected-package-bin", "affected", "", {}),
        # trivy-db leaves sources out, as it only has the names of binary packages
        ("CVE-2024-11111", "red hat:9", "affected-package", "affected", "", {"by": {"source"}}),
        ("CVE-2024-22222", "red hat:9", "affected-package", "affected", "", {"by": {"source"}}),
        ("CVE-2024-11111", *MODULAR, {"module": {"module:2.4"}, "arch": {"aarch64"},
                                      "severity": {"medium"}}),
        ("CVE-2024-22222", *MODULAR, {"module": {"module:2.4"}, "arch": {"aarch64"},
                                      "severity": {"medium"}}),
        # CVE-2025-33333 names a flatpak (firefox:flatpak), which is no rpm package of a system;
        # trivy-db keeps it, without a version
    ]),
    (TRIVY + "redhat-csaf/testdata/happy/csaf-vex", [
        ("CVE-2024-10041", "red hat:9", "pam", "affected", "1.5.1-21.el9_5", BOTH),
        ("CVE-2024-9999", *FIX9999, {"arch": {"x86_64"}}),
        ("CVE-2024-9999", "red hat:9", "affected-package", "affected", "", {"by": {"source"}}),
    ]),
    (CLAIR + "rhel/vex/testdata/cve-2024-24786-simple.json", [
        ("CVE-2024-24786", "red hat:openshift:4.16", "cri-tools", "affected", "1.29.0-3.1.el9",
         {"arch": {"aarch64"}}),
    ]),
    # one package of it cannot be read, and is said; the others are taken
    (CLAIR + "rhel/vex/testdata/cve-2024-24786-bad-rpmmod.json", [
        ("CVE-2024-24786", "red hat:10", "good-pkg", "affected", "", {}),
        ("CVE-2024-24786", "red hat:10", "cri-tools", "affected", "1.29.0-3.1.el9",
         {"arch": {"aarch64"}}),
    ]),
    # the module stands in a qualifier of the purl, and is no version
    (CLAIR + "rhel/vex/testdata/cve-2024-24786-illegal-module.json", [
        ("CVE-2024-24786", "red hat:8", "go-toolset", "affected", "",
         {"by": {"source"}, "module": {"go-toolset:rhel8"}}),
    ]),
]

# What the projects' own readers refuse is refused here: nothing of it is in the store.
SAD = [
    TRIVY + "osv/testdata/sad", TRIVY + "govulndb/testdata/sad", TRIVY + "julia/testdata/sad",
    TRIVY + "bitnami/testdata/sad", TRIVY + "k8svulndb/testdata/broken",
    TRIVY + "seal/testdata/sad", TRIVY + "ghsa/testdata/sad", TRIVY + "arch-linux/testdata/sad",
    TRIVY + "aqua/testdata/sad",
    TRIVY + "redhat-csaf/testdata/no-vulnerabilities", TRIVY + "redhat-csaf/testdata/empty-cve",
]


# ---- the store's rows ------------------------------------------------------------------------

def sapper(*args):
    binary = os.environ.get("SAPPER", "sapper")
    return subprocess.run([binary, *args], capture_output=True, text=True, check=False)


def rows_of(tmp, *paths):
    """(what was said, rows of a store with these files as lists of fields)."""
    db = os.path.join(tmp, "fixture.db")
    if os.path.exists(db):
        os.unlink(db)
    done = sapper("db", "import", "--db", db, *paths)
    if not os.path.exists(db):
        return done.stderr, []
    export = sapper("db", "export", "--db", db)
    if export.returncode:
        raise RuntimeError(export.stderr)
    return done.stderr, [line.split("\t") for line in export.stdout.splitlines()
                         if line and not line.startswith("#")]


def claims_of(rows):
    """[(names of the vulnerability, space, package, status, attributes in order)]"""
    claims, names = [], set()
    for row in rows:
        if row[0] == "record":
            names = {row[1]}
            for field in row[2:]:
                key, _, value = field.partition("=")
                names |= set(value.split(",")) if key in ("alias", "covers") else set()
        elif row[0] == "claim":
            for package in row[2].split(","):
                claims.append((names, row[1], package, row[3],
                               [tuple(f.split("=", 1)) for f in row[4:]]))
    return claims


def range_of(attributes):
    text = ""
    for key, value in attributes:
        text += {"introduced": f"[{value},", "fixed": value + ")", "last": value + "]",
                 "limit": f"<{value})", "versions": "=" + value}.get(key, "")
    return text


# ---- trivy-db, claircore ---------------------------------------------------------------------

def check_osv(count, tmp, base):
    stores = {}
    for folder, vulnerability, space, package, want in TRIVY_OSV:
        path = base + TRIVY + folder + ("" if "/" in folder else "/testdata/happy")
        if path not in stores:
            stores[path] = claims_of(rows_of(tmp, path)[1])
        got = sorted(range_of(a) for names, s, p, status, a in stores[path]
                     if vulnerability in names and (s, p, status) == (space, package, "affected")
                     and ("type", "git") not in a)
        count.check(got == sorted(want), f"trivy-db {folder}: {vulnerability}, {package}",
                    f"{got}, expected {want}")


def check_csaf(count, tmp, base):
    for path, want in CSAF:
        got = []
        for names, space, package, status, attributes in claims_of(rows_of(tmp, base + path)[1]):
            fixed = next((v for k, v in attributes if k == "fixed"), "")
            more = {k: set(v.split(",")) for k, v in attributes if k not in ("fixed", "introduced")}
            got += [(name, space, package, status, fixed, more) for name in names]
        missing = [w for w in want if w not in got]
        extra = [g for g in got if g not in want]
        count.check(not missing and not extra, path, f"missing {missing}, too many {extra}")


def check_sad(count, tmp, base):
    for path in SAD:
        if not os.path.exists(base + path):
            count.check(False, path, "it is not in the archive")
            continue
        said, rows = rows_of(tmp, base + path)
        records = [r for r in rows if r[0] in ("record", "claim")]
        count.check(not records and said.strip(), f"{path}: refused",
                    f"{records[:3]}, {said[:300]}")


def check_arch(count, tmp, base):
    claims = claims_of(rows_of(tmp, base + TRIVY + "arch-linux/testdata/happy")[1])
    for name in ("CVE-2019-11477", "CVE-2019-11478", "CVE-2019-11479"):
        got = [(s, p, range_of(a)) for names, s, p, _, a in claims if name in names]
        count.check(got == [("arch", "linux-lts", "[0,4.19.52-1)")], f"trivy-db arch-linux: {name}",
                    str(got))


def check_lists(count, tmp, base):
    path = base + CLAIR + "alpine/testdata/fetch/v3.10/community.json"
    with open(path, encoding="utf-8") as f:
        want = {(name, p["pkg"]["name"], f"[0,{version})") for p in json.load(f)["packages"]
                for version, names in p["pkg"]["secfixes"].items() for name in names}
    got = {(name, p, range_of(a)) for names, s, p, _, a in claims_of(rows_of(tmp, path)[1])
           for name in names if s == "alpine:3.10" and "/" not in name}
    count.check(got == want, "claircore secdb: Alpine 3.10", f"{got ^ want}")

    path = base + CLAIR + "enricher/kev/testdata/known_exploited_vulnerabilities.json"
    got = {tuple(r[:2]): set(r[2:]) for r in rows_of(tmp, path)[1] if r[0] == "kev"}
    want = {("kev", "CVE-2017-3066"): {"added=2025-02-24", "due=2025-03-17"},
            ("kev", "CVE-2021-44228"): {"added=2021-12-10", "due=2021-12-24", "ransomware=yes"}}
    count.check(got == want, "claircore KEV", str(got))

    path = base + CLAIR + "enricher/epss/testdata/data.csv"
    with open(path, encoding="utf-8") as f:
        lines = [line for line in f if not line.startswith("#")]
    want = {(r["cve"], float(r["epss"]), float(r["percentile"])) for r in csv.DictReader(lines)}
    got = {(r[1], float(r[2]), float(r[3])) for r in rows_of(tmp, path)[1] if r[0] == "epss"}
    count.check(got == want and len(got) > 20, "claircore EPSS", str(got ^ want))


# ---- osv.dev ---------------------------------------------------------------------------------

def expectation(path):
    """An expected entity of osv.dev's worker tests, a Python literal but for its dates."""
    with open(path, encoding="utf-8") as f:
        text = re.sub(r"DatetimeWithNanoseconds\([^()]*\)", "None", f.read())
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None


def record_of(entity):
    """The OSV record that it was made from, without the list of versions."""
    affected = []
    for entry in entity["affected_packages"]:
        ranges = [{"type": r["type"], "repo": r["repo_url"],
                   "events": [{e["type"]: e["value"]} for e in r["events"]]}
                  for r in entry["ranges"]]
        affected.append({"package": {k: entry["package"][k] for k in ("ecosystem", "name")},
                         "ranges": ranges})
    return {"id": entity["db_id"], "modified": "2023-01-01T00:00:00Z", "affected": affected}


def make_root(root, ecosystem, name, versions):
    """False: packages of that ecosystem cannot be installed here."""
    system, _, release = ecosystem.partition(":")
    packages = [Package(f"{name}-o{i}", v, name, v) for i, v in enumerate(versions)]
    if system == "Debian":
        roots.dpkg(root, packages)
        roots.os_release(root, ID="debian", NAME="Debian GNU/Linux", VERSION_ID=release)
    elif system == "Alpine":
        roots.apk(root, packages)
        roots.os_release(root, ID="alpine", NAME="Alpine Linux", VERSION_ID=release[1:] + ".3")
    elif system == "PyPI":
        for version in versions:
            folder = f"/opt/{version}/lib/python3/site-packages/{name}-{version}.dist-info"
            roots.write(root, folder + "/METADATA",
                        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\n")
    else:
        return False
    return True


def check_versions(count, tmp, base):
    """Each version that osv.dev lists as affected is affected in a scan; the one that ends the
    range is not."""
    folder = base + OSV + "gcp/workers/oss_fuzz_worker/testdata"
    tried = set()
    for file in sorted(os.listdir(folder)):
        entity = expectation(os.path.join(folder, file)) if file.endswith(".txt") else None
        if not isinstance(entity, dict) or not entity.get("affected_packages"):
            continue
        db = os.path.join(tmp, "record.db")
        for path in (db, os.path.join(tmp, "record.json")):
            if os.path.exists(path):
                os.unlink(path)
        roots.write(tmp, "record.json", json.dumps(record_of(entity)))
        sapper("db", "import", "--db", db, os.path.join(tmp, "record.json"))
        for n, entry in enumerate(entity["affected_packages"]):
            where = entry["package"]["ecosystem"], entry["package"]["name"]
            ends = [e["value"] for r in entry["ranges"] for e in r["events"]
                    if e["type"] == "fixed" and r["type"] != "GIT"]
            key = (entity["db_id"], where, tuple(entry["versions"]))
            if not entry["versions"] or not os.path.exists(db) or key in tried:
                continue
            tried.add(key)
            root = os.path.join(tmp, f"root-{file}-{n}")
            if not make_root(root, *where, list(dict.fromkeys(entry["versions"] + ends))):
                continue  # Maven, Go, Linux, and names that are no ecosystem
            check_scan(count, f"osv.dev {file}: {' '.join(where)}", roots.scan(db, root), entry,
                       ends)


def check_scan(count, what, doc, entry, ends):
    if not doc["packages"]:
        count.skip(what, "this build reads no packages of that kind")
        return
    # Packages of the backports are judged by nobody here: Debian's advisories are not about them.
    left_out = {urllib.parse.unquote(p["package"].split("@")[1].split("?")[0])
                for p in doc["not_judged"]}
    # The names of tags that ranges of commits come to are no versions of the ecosystem.
    want = {v for v in entry["versions"] if v[0].isdigit() and "~bpo" not in v}
    got = {f["version"] for f in doc["findings"] if f["status"] == "affected"}
    backports = {v for v in entry["versions"] if "~bpo" in v}
    count.check(got == want - set(ends) and left_out == backports,
                f"{what}: {len(want)} versions",
                f"missing {sorted(want - got)[:8]}, too many {sorted(got - want)[:8]}, "
                f"not judged {left_out}")


def check_packagist(count, base):
    """osv.dev's order of versions of Packagist (PHP's own test)."""
    table = os.path.join(os.path.dirname(os.environ.get("SAPPER", "")), "..", "..", "tests",
                         "version_table")
    if not os.path.exists(table):
        count.skip("osv.dev packagist", f"{table} is not built")
        return
    done = subprocess.run(
        [table, "packagist", base + OSV + "osv/ecosystems/testdata/packagist_test_cases.txt"],
        capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if " passed, " not in line]
    m = re.search(r"(\d+) passed, (\d+) failed", done.stdout)
    count.check(m and int(m[1]) > 50 and m[2] == "0", "osv.dev packagist: order of versions",
                f"{lines[:6]} {done.stderr[:200]}")


def check_tracker(count, tmp, base):
    """The JSON of Debian's tracker: read once more, by the meaning of its words."""
    path = base + OSV + "vulnfeeds/test_data/debian/debian_security_tracker_mock.json"
    numbers = {"buster": "debian:10", "bullseye": "debian:11", "bookworm": "debian:12",
               "trixie": "debian:13", "sid": "debian"}
    with open(path, encoding="utf-8") as f:
        document = json.load(f)
    want = set()
    for package, entries in document.items():
        for name, entry in entries.items():
            for codename, about in entry["releases"].items():
                if about["status"] == "resolved" and about["fixed_version"] == "0":
                    what = "not-affected", ""
                elif about["status"] == "resolved":
                    what = "affected", about["fixed_version"]
                elif about["status"] == "undetermined":
                    what = "under-investigation", ""
                else:  # open
                    what = "affected", ""
                    if "nodsa" in about or about["urgency"] == "unimportant":
                        want.add((name, numbers[codename], package, "unfixed", ""))
                want.add((name, numbers[codename], package, *what))
    got = {(name, space, package, status, next((v for k, v in a if k == "fixed"), ""))
           for names, space, package, status, a in claims_of(rows_of(tmp, path)[1])
           for name in names if name.startswith("CVE-") and "/" not in name}
    count.check(got == want and want, f"osv.dev: the tracker's JSON, {len(want)} statements",
                f"missing {sorted(want - got)[:6]}, too many {sorted(got - want)[:6]}")


def check_cve5(count, tmp, base):
    """CVE records: each vector of CVSS that stands in one is in the store."""
    folder = base + OSV + "vulnfeeds/test_data/cve5"
    _, rows = rows_of(tmp, folder)
    got = {r[1]: {f[5:] for f in r[2:] if f.startswith("cvss=")} for r in rows
           if r[0] == "vulnerability"}
    for file in sorted(os.listdir(folder)):
        with open(os.path.join(folder, file), encoding="utf-8") as f:
            text = f.read()
        want = set(re.findall(r'"vectorString": ?"(CVSS:[^"]*)"', text))
        name = file[:-5]
        count.check(want <= got.get(name, set()) or not want, f"osv.dev {name}: CVSS",
                    f"{got.get(name)}, in the record {want}")


def unpack(count, tmp):
    base = os.path.join(tmp, "in") + "/"
    for name in ("trivy-db-fixtures", "claircore-vuln-fixtures", "osv-dev-testdata"):
        path = os.path.join(FOLDER, name + ".tar.zst")
        if not os.path.exists(path):
            count.skip("fixtures", f"{name} is not here")
            return None
        os.makedirs(base + name)
        with subprocess.Popen(["zstd", "-dcq", "--long=27", path], stdout=subprocess.PIPE) as zstd:
            subprocess.run(["tar", "-x", "-C", base + name], stdin=zstd.stdout, check=True)
    return base


def main():
    count = live.Count()
    with tempfile.TemporaryDirectory(prefix="sapper-fixtures-") as tmp:
        tmp = os.path.realpath(tmp)
        base = unpack(count, tmp)
        for check in (check_osv, check_csaf, check_sad, check_arch, check_lists, check_versions,
                      check_tracker, check_cve5) if base else ():
            try:
                check(count, tmp, base)
            except (RuntimeError, ValueError, KeyError, OSError) as e:
                count.check(False, check.__name__, repr(e))
        if base:
            check_packagist(count, base)
    count.done()


if __name__ == "__main__":
    main()
