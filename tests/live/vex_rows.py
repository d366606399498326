#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: Apache-2.0
"""CSAF documents and CVE records: the rows of sapper-import against another reading of the same
files, statement by statement. Reads tests/import/vex, and the real documents of ../shared where
that folder is here.
"""
import json
import os
import re
import subprocess
import tempfile
import urllib.parse

import live

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
SHARED = os.environ.get("SAP_SHARED", os.path.join(TOP, "..", "shared"))
ARCHES = {"noarch", "x86_64", "i686", "aarch64", "ppc64le", "ppc64", "s390x", "i386", "i586", "i486",
          "ppc", "s390", "ia64", "armv7hl", "riscv64", "armv6hl"}
WORDS = {"critical": "critical", "important": "high", "high": "high", "moderate": "medium",
         "medium": "medium", "low": "low", "none": "negligible"}
DEBUG = re.compile(r"-debuginfo$|-debugsource$|-debuginfo-common")


def rows_of(path):
    """The rows that sapper-import makes: lists of fields."""
    sapper = os.environ.get("SAPPER", os.path.join(TOP, "build", "src", "cli", "sapper"))
    program = os.path.join(os.path.dirname(sapper), "sapper-import")
    run = subprocess.run([program, path], capture_output=True, check=False)
    if run.returncode:
        raise RuntimeError(f"{path}: {run.stderr.decode(errors='replace').strip()}")
    lines = run.stdout.decode().split("\n")
    return [line.split("\t") for line in lines if line and not line.startswith("#")]


def attributes(fields):
    return dict(f.split("=", 1) for f in fields)


# ---- CSAF ----------------------------------------------------------------------------------

def space_of(cpe, ident):
    parts = cpe.replace("cpe:2.3:", "").replace("cpe:/", "").split(":") + [""] * 6
    _, vendor, product, version, _, edition = ("" if p in "*-" else p for p in parts[:6])
    if vendor != "redhat":
        return None
    if product == "enterprise_linux":
        # A minor version's own stream, where only the product's identifier says so.
        own = re.search(r"\.(EUS|AUS|TUS|E4S|ELS)", ident)
        if own and "." in version and "MAIN" not in ident:
            return f"Red Hat:rhel_{own[1].lower()}:{version}"
        return "Red Hat:" + version.split(".")[0] if version else None
    stream = re.fullmatch(r"(?:rhel|enterprise_linux)_(eus|aus|tus|e4s|els)", product)
    if stream:
        return f"Red Hat:rhel_{stream[1]}:{version}"
    return "Red Hat:" + product + (":" + version if version else "") + \
        ("::" + edition if edition else "")


def stream(text):
    found = re.match(r"([^:]+):([^:]+)", text)
    return found[0] if found else None


def package_of(product):
    """(name, source?, version or None, arch or None, module) of a product; None: no package;
    ValueError: one that cannot be read."""
    ident = product["product_id"]
    purl = product.get("product_identification_helper", {}).get("purl")
    body, _, module = ident.partition("::")
    module = stream(module) if module else None
    if purl is None:
        found = re.fullmatch(r"(.+)-(?:0:)?((?:\d+:)?\d[^-]*-[^-]+)\.(\w+)", body)
        if found and (found[3] in ARCHES or found[3] == "src"):
            source = found[3] == "src"
            return found[1], source, found[2], None if source else found[3], module
        if "/" in body:
            module, body = stream(body.split("/", 1)[0]), body.split("/", 1)[1]
            if not module:
                return None
        body = re.sub(r"\.src$", "", body)
        return None if re.search("[@ ]", body) or not body else (body, True, None, None, module)
    kind, path, query = re.fullmatch(r"pkg:([a-z]+)/([^?]*)(?:\?(.*))?", purl).groups()
    if kind != "rpm":
        return None
    options = {k: v[0] for k, v in urllib.parse.parse_qs((query or "").replace("+", "%2B")).items()}
    name, _, version = path.partition("@")
    name = urllib.parse.unquote(name.split("/")[-1])
    version = urllib.parse.unquote(version) or None
    epoch = options.get("epoch")
    if version and epoch is None:
        found = re.search(r"-(\d+):" + re.escape(version) + r"\.", ident)
        epoch = found[1] if found else None
    if version and epoch not in (None, "0"):
        version = epoch + ":" + version
    if "rpmmod" in options:
        module = stream(options["rpmmod"])
        if not module:
            raise ValueError(ident)
    arch = options.get("arch")
    source = arch == "src" or (arch is None and ident.endswith(".src"))
    return name, source, version, None if source else arch, module


class Tree:
    def __init__(self, tree):
        self.products, self.relations = {}, {}
        stack = list(tree.get("branches", []))
        for p in tree.get("full_product_names", []):
            self.products.setdefault(p["product_id"], p)
        while stack:
            branch = stack.pop()
            if "product" in branch:
                self.products.setdefault(branch["product"]["product_id"], branch["product"])
            stack += branch.get("branches", [])
        for r in tree.get("relationships", []):
            self.relations.setdefault(r["full_product_name"]["product_id"],
                                      (r["product_reference"], r["relates_to_product_reference"]))

    def leaves(self, ident, depth=8):
        if depth == 0:
            raise KeyError(ident)
        if ident in self.relations:
            a, b = self.relations[ident]
            return self.leaves(a, depth - 1) + self.leaves(b, depth - 1)
        return [self.products[ident]]


def statuses_of(vulnerability):
    """(product, status, reason) of everything that is said."""
    fixes, reasons = [], {}
    for r in vulnerability.get("remediations", []):
        for p in r.get("product_ids", []):
            details = r.get("details", "").strip()
            if r["category"] == "no_fix_planned":
                reasons[p] = "end-of-life" if details == "Out of support scope" else "wont-fix"
            elif r["category"] == "none_available":
                reasons[p] = "deferred" if details == "Fix deferred" else None
            elif r["category"] == "vendor_fix":
                fixes.append(p)
    status = vulnerability.get("product_status")
    if status is None:
        status = {"fixed": fixes, "known_affected": list(reasons)}
    for p in status.get("fixed", []):
        yield p, "fixed", None
    for p in status.get("known_affected", []):
        reason = reasons.get(p) if isinstance(p, str) else None
        yield p, "unfixed" if reason else "affected", reason
    for p in status.get("known_not_affected", []):
        yield p, "not-affected", None
    for p in status.get("under_investigation", []):
        yield p, "under-investigation", None


def whole(arches, space):
    """"*" where no architecture is left out that matters."""
    old = space in ("Red Hat:6", "Red Hat:7")
    every = {"x86_64", "s390x"} <= arches and arches & {"ppc64", "ppc64le"} and \
        (old or "aarch64" in arches)
    return "*" if None in arches or "noarch" in arches or every else frozenset(arches)


def csaf_statements(document):
    """Everything that a document of Red Hat's with one vulnerability says, as a set."""
    tree, told = Tree(document["product_tree"]), {}
    vulnerability, = document["vulnerabilities"]
    default = WORDS.get(document["document"].get("aggregate_severity", {}).get("text", "").lower())
    severities = {p: WORDS[t["details"].lower()] for t in vulnerability.get("threats", [])
                  if t["category"] == "impact" for p in t.get("product_ids", [])}
    for ident, status, reason in statuses_of(vulnerability):
        try:
            leaves = tree.leaves(ident)
            package = package_of(leaves[0])
        except (KeyError, ValueError, TypeError):
            continue
        cpe = leaves[-1].get("product_identification_helper", {}).get("cpe")
        space = space_of(cpe, leaves[-1]["product_id"]) if cpe else None
        if len(leaves) < 2 or package is None or not space:
            continue
        name, source, version, arch, module = package
        if len(leaves) > 2 and not module:
            module = stream(leaves[1]["product_id"])
        if DEBUG.search(name) or (status == "fixed" and "-" not in (version or "")):
            continue
        severity = severities.get(ident, default) if "affect" in status or "fix" in status else default
        if status in ("not-affected", "under-investigation"):
            severity = default
        topic = (space, name, "source" if source else "binary", module)
        saying = (status, reason, severity, version if status == "fixed" else None)
        arch = arch if status == "fixed" and not source else None
        told.setdefault(topic, {}).setdefault(saying, set()).add(arch)
    out = set()
    for topic, sayings in told.items():
        said = {s[0] for s in sayings}
        best = next(b for b in ({"fixed"}, {"affected", "unfixed"}, {"not-affected"},
                                {"under-investigation"}) if b & said)
        for saying, arches in sayings.items():
            if saying[0] in best:
                out.add((*topic, *saying, whole(arches, topic[0])))
    return out


def row_statements(rows):
    out, severity = set(), None
    for row in rows:
        if row[0] == "record":
            severity = attributes(row[2:]).get("severity")
        if row[0] != "claim":
            continue
        a = attributes(row[4:])
        status = "fixed" if "fixed" in a else row[3]
        arch = frozenset(a["arch"].split(",")) if "arch" in a else "*"
        for package in row[2].split(","):
            out.add((row[1], package, a.get("by", "binary"), a.get("module"), status,
                     a.get("reason"), a.get("severity", severity), a.get("fixed"), arch))
    return out


def compare(count, what, got, want):
    detail = ""
    if got != want:
        extra, missing = sorted(map(str, got - want)), sorted(map(str, want - got))
        detail = f"{len(extra)} too many {extra[:3]}, {len(missing)} missing {missing[:3]}"
    count.check(got == want, what, detail)
    return len(want)


def csaf(count, folder):
    total = files = 0
    for path, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            full = os.path.join(path, name)
            if not name.endswith(".json"):
                continue
            try:
                with open(full, encoding="utf-8") as f:
                    document = json.load(f)
            except ValueError:
                continue  # a test of theirs for readers of JSON
            if not isinstance(document, dict) or len(document.get("vulnerabilities", [])) != 1 or \
                    not document.get("document", {}).get("publisher", {}).get("name", "") \
                    .startswith("Red Hat"):
                continue
            files += 1
            total += compare(count, name, row_statements(rows_of(full)), csaf_statements(document))
    print(f"CSAF: {total} statements of {files} documents in {os.path.basename(folder)}")


# ---- CVE records ---------------------------------------------------------------------------

def rating(metric):
    word = metric.get("baseSeverity", "").lower()
    if word:
        return WORDS[word]
    score = metric["baseScore"]
    if metric["vectorString"].startswith("CVSS:3") and score >= 9:
        return "critical"
    return "high" if score >= 7 else "medium" if score >= 4 else "low"


def cve_statement(record):
    meta, containers = record["cveMetadata"], record["containers"]
    if meta.get("state") == "REJECTED":
        return None
    vectors, ssvc = [], {}
    for box in [containers.get("cna", {})] + containers.get("adp", []):
        for metric in box.get("metrics", []):
            for order, key in enumerate(("cvssV4_0", "cvssV3_1", "cvssV3_0", "cvssV2_0")):
                if key in metric:
                    vectors.append((order, len(vectors), metric[key]))
            if metric.get("other", {}).get("type") == "ssvc":
                for option in metric["other"]["content"]["options"]:
                    ssvc.update({k: v.lower() for k, v in option.items()})
    vectors.sort(key=lambda v: v[:2])
    texts = list(dict.fromkeys(v[2]["vectorString"] for v in vectors))
    if not texts and not ssvc:
        return None
    return (meta["cveId"], rating(vectors[0][2]) if vectors else None, tuple(texts),
            ssvc.get("Exploitation"), ssvc.get("Automatable"), ssvc.get("Technical Impact"))


def cve(count, archive, folder):
    want, got = set(), set()
    for path, _, names in os.walk(folder):
        for name in names:
            if re.fullmatch(r"CVE-.*\.json", name):
                with open(os.path.join(path, name), encoding="utf-8") as f:
                    want.add(cve_statement(json.load(f)))
    for row in rows_of(archive):
        if row[0] == "vulnerability":
            a = attributes(row[2:])
            vectors = tuple(f[5:] for f in row[2:] if f.startswith("cvss="))
            got.add((row[1], a.get("severity"), vectors,
                     a.get("exploitation"), a.get("automatable"), a.get("impact")))
    total = compare(count, os.path.basename(archive), got, want - {None})
    print(f"CVE: {total} records")


def main():
    count = live.Count()
    csaf(count, os.path.join(TOP, "tests", "import", "vex"))
    for part, name in (("fixtures", "claircore-vuln-fixtures"), ("fixtures", "trivy-db-fixtures"),
                       ("enrich", "cve-records-vulnrichment-subset")):
        archive = os.path.join(SHARED, "data", part, name + ".tar.zst")
        if not os.path.exists(archive):
            count.skip(name, "the folder of shared data is not here")
            continue
        with tempfile.TemporaryDirectory() as folder:
            into = os.path.join(folder, name)
            os.mkdir(into)
            subprocess.run(["sh", "-c", 'zstd -dc --long=27 "$1" | tar -x -C "$2"', "sh", archive,
                            into], check=True)
            if part == "enrich":
                cve(count, archive, into)
            else:
                csaf(count, into)
    count.done()


if __name__ == "__main__":
    main()
