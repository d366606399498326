#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: Apache-2.0
"""CVSS against FIRST's equations in exact fractions, and against published scores.

Every base vector of 2.0, 3.0 and 3.1, and random ones with all metrics (fixed seed, printed;
another one as the argument). Then the vectors with scores in the CVE records of $SAP_SHARED; the
few whose publisher used an environmental equation without such metrics are counted apart.
"""
import itertools
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from fractions import Fraction as F
from math import floor

import live

SEED = 20240329
RANDOM = 3000  # vectors of each version
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def weights(text):
    """{"N": 0.85, ...} as fractions."""
    return {k: F(v) for k, v in (item.split("=") for item in text.split())}


CIA3 = weights("H=0.56 L=0.22 N=0")
NEED3 = weights("L=0.5 M=1 H=1.5 X=1")
V3 = {
    "AV": weights("N=0.85 A=0.62 L=0.55 P=0.2"), "AC": weights("L=0.77 H=0.44"),
    "PR": weights("N=0.85 L=0.62 H=0.27"), "UI": weights("N=0.85 R=0.62"),
    "S": {"U": 0, "C": 1}, "C": CIA3, "I": CIA3, "A": CIA3,
}
PR_CHANGED = weights("N=0.85 L=0.68 H=0.5")
V3_TIME = {"E": weights("X=1 U=0.91 P=0.94 F=0.97 H=1"), "RL": weights("X=1 O=0.95 T=0.96 W=0.97 U=1"),
           "RC": weights("X=1 U=0.92 R=0.96 C=1")}
V3_NEED = {"CR": NEED3, "IR": NEED3, "AR": NEED3}
CIA2 = weights("N=0 P=0.275 C=0.660")
NEED2 = weights("L=0.5 M=1 H=1.51 ND=1")
V2 = {"AV": weights("L=0.395 A=0.646 N=1"), "AC": weights("H=0.35 M=0.61 L=0.71"),
      "Au": weights("M=0.45 S=0.56 N=0.704"), "C": CIA2, "I": CIA2, "A": CIA2}
V2_TIME = {"E": weights("U=0.85 POC=0.9 F=0.95 H=1 ND=1"),
           "RL": weights("OF=0.87 TF=0.90 W=0.95 U=1 ND=1"), "RC": weights("UC=0.90 UR=0.95 C=1 ND=1")}
V2_PLACE = {"CDP": weights("N=0 L=0.1 LM=0.3 MH=0.4 H=0.5 ND=0"), "TD": weights("N=0 L=0.25 M=0.75 H=1 ND=1"),
            "CR": NEED2, "IR": NEED2, "AR": NEED2}


def half_up(x):
    return F(floor(x * 10 + F(1, 2)), 10)


def up30(x):
    return -F(floor(-x * 10), 10)


def up31(x):
    n = floor(x * 100000 + F(1, 2))
    return F(n, 100000) if n % 10000 == 0 else F(n // 10000 + 1, 10)


def product(table, m, default):
    out = F(1)
    for name, values in table.items():
        out *= values[m.get(name, default)]
    return out


def equation3(version, m, environmental):
    up = up30 if version == "3.0" else up31
    b = dict(m)
    if environmental:
        for name in V3:
            if m.get("M" + name, "X") != "X":
                b[name] = m["M" + name]
    changed = b["S"] == "C"
    left = F(1)
    for name in "CIA":
        need = NEED3[m.get(name + "R", "X")] if environmental else 1
        left *= 1 - CIA3[b[name]] * need
    iss = 1 - left
    if environmental:
        iss = min(iss, F("0.915"))
    if not changed:
        impact = F("6.42") * iss
    elif environmental and version == "3.1":
        impact = F("7.52") * (iss - F("0.029")) - F("3.25") * (iss * F("0.9731") - F("0.02")) ** 13
    else:
        impact = F("7.52") * (iss - F("0.029")) - F("3.25") * (iss - F("0.02")) ** 15
    if impact <= 0:
        return F(0)
    pr = (PR_CHANGED if changed else V3["PR"])[b["PR"]]
    ease = F("8.22") * V3["AV"][b["AV"]] * V3["AC"][b["AC"]] * pr * V3["UI"][b["UI"]]
    return up(min((F("1.08") if changed else 1) * (impact + ease), F(10)))


def scores3(version, m):
    up = up30 if version == "3.0" else up31
    environmental = any(m.get(k, "X") != "X" for k in [*V3_NEED, *("M" + k for k in V3)])
    base = equation3(version, m, False)
    score = equation3(version, m, True) if environmental else base
    return base, up(score * product(V3_TIME, m, "X"))


def base2(m, adjusted):
    left = F(1)
    for name in "CIA":
        left *= 1 - CIA2[m[name]] * (NEED2[m.get(name + "R", "ND")] if adjusted else 1)
    impact = F("10.41") * (1 - left)
    if adjusted:
        impact = min(F(10), impact)
    ease = 20 * V2["AV"][m["AV"]] * V2["AC"][m["AC"]] * V2["Au"][m["Au"]]
    if impact == 0:
        return F(0)
    return half_up(max(F(0), (F("0.6") * impact + F("0.4") * ease - F("1.5")) * F("1.176")))


def scores2(m):
    base = base2(m, False)
    time = product(V2_TIME, m, "ND")
    if all(m.get(k, "ND") == "ND" for k in V2_PLACE):
        return base, half_up(base * time)
    score = half_up(base2(m, True) * time)
    score += (10 - score) * V2_PLACE["CDP"][m.get("CDP", "ND")]
    return base, half_up(score * V2_PLACE["TD"][m.get("TD", "ND")])


def text(prefix, m):
    return prefix + "/".join(f"{k}:{v}" for k, v in m.items())


def number(score):
    return f"{float(score):.1f}"


def equations(rng):
    """Lines for test_cvss."""
    lines = []

    def add2(m):
        lines.append(f"{number(scores2(m)[0])} {number(scores2(m)[1])} {text('', m)}")

    def add3(version, m):
        base, score = scores3(version, m)
        lines.append(f"{number(base)} {number(score)} {text(f'CVSS:{version}/', m)}")

    for values in itertools.product(*V2.values()):
        add2(dict(zip(V2, values)))
    for values in itertools.product(*V3.values()):
        for version in ("3.0", "3.1"):
            add3(version, dict(zip(V3, values)))
    modified = {"M" + k: [*v, "X"] for k, v in V3.items()}
    for _ in range(RANDOM):
        add2({k: rng.choice([*v]) for k, v in {**V2, **V2_TIME, **V2_PLACE}.items()
              if k in V2 or rng.random() < 0.6})
        m = {k: rng.choice([*v]) for k, v in {**V3, **V3_TIME, **V3_NEED, **modified}.items()
             if k in V3 or rng.random() < 0.5}
        names = [*m]
        rng.shuffle(names)
        for version in ("3.0", "3.1"):
            add3(version, {k: m[k] for k in names})
    return lines


def published(folder):
    """(vector, score) of every metric with both, in the records of the archive."""
    archive = os.path.join(folder, "data/enrich/cve-records-vulnrichment-subset.tar.zst")
    found = []

    def walk(value):
        if isinstance(value, dict):
            if isinstance(value.get("vectorString"), str) and "baseScore" in value:
                found.append((value["vectorString"], value["baseScore"]))
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    with subprocess.Popen(["zstd", "-dc", "--long=27", archive], stdout=subprocess.PIPE) as zstd:
        with tarfile.open(fileobj=zstd.stdout, mode="r|") as tar:
            for member in tar:
                if member.name.endswith(".json"):
                    walk(json.load(tar.extractfile(member)))
    return found


def records(count, folder):
    """Lines for test_cvss."""
    lines, odd = [], 0
    for vector, score in published(folder):
        parts = re.fullmatch(r"(?:CVSS:(3\.[01]|4\.0|2\.0)/)?(.*?)/?", vector)
        version = parts[1] or "2.0"
        want = number(score)
        if version.startswith("3"):
            m = dict(item.split(":") for item in parts[2].split("/"))
            environmental = number(equation3(version, m, True))
            if want not in map(number, scores3(version, m)) and want == environmental:
                odd += 1
                continue
        lines.append(f"{want} either {vector}")
    print(f"{len(lines)} published scores, {odd} more by an environmental equation")
    count.check(len(lines) > 2000 and odd < 50, "the records", f"{len(lines)}, {odd}")
    return lines


def compare(count, what, lines):
    test = os.path.join(os.path.dirname(os.path.abspath(os.environ.get("SAPPER", "sapper"))),
                        "..", "..", "tests", "unit", "test_cvss")
    with tempfile.NamedTemporaryFile("w", prefix="sapper-cvss-", encoding="ascii") as f:
        f.write("".join(line + "\n" for line in lines))
        f.flush()
        done = subprocess.run([test, f.name], capture_output=True, text=True, check=False)
    found = re.search(r"^(\d+) passed, (\d+) failed$", done.stdout, re.M)
    count.passed += int(found[1]) if found else 0
    for line in (done.stdout + done.stderr).splitlines():
        if not found or line != found[0]:
            count.check(False, f"{what}: {line}")
    count.check(found and done.returncode == 0 and int(found[1]) >= len(lines), f"{what}: every line")


def main():
    count = live.Count()
    seed = int(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1].isdigit() else SEED
    print(f"seed {seed}")
    compare(count, "equations", equations(random.Random(seed)))
    shared = os.environ.get("SAP_SHARED") or os.path.join(TOP, "..", "shared")
    if not os.path.isdir(os.path.join(shared, "data", "enrich")):
        count.skip("CVE records", "no data/enrich in $SAP_SHARED")
    elif not shutil.which("zstd"):
        count.skip("CVE records", "zstd is not installed")
    else:
        compare(count, "CVE records", records(count, shared))
    count.done()


if __name__ == "__main__":
    main()
