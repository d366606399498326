#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: Apache-2.0
"""Orders of versions against the tools that make them: dpkg, Dpkg::Version, rpm, vercmp, apk.

Random pairs from a fixed seed (printed; another one as the argument). Each tool's answers are
written as a table, which build/tests/version_table then reads. A pair that Sapper orders another
way on purpose (see src/version/rpmver.c and pacmanver.c) is left out.
"""
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

import live

SEED = 20240329
SECONDS = 2.0  # for each tool that compares one pair a process
NUMBERS = ["0", "00", "1", "01", "2", "9", "09", "10", "010", "100", "20240329", "4294967296",
           "18446744073709551616", "99999999999999999999"]
WORDS = ["a", "b", "z", "A", "Z", "rc", "beta", "pre", "p", "git", "el8", "ubuntu", "deb", "dfsg",
         "really", "r", "alpha"]
SUFFIXES = ["alpha", "beta", "pre", "rc", "cvs", "svn", "git", "hg", "p"]


class Maker:
    """Random versions, and pairs of them that have much in common."""

    def __init__(self, rng, separators, sometimes):
        self.rng, self.separators, self.sometimes = rng, separators, sometimes

    def part(self, most):
        rng = self.rng
        out = rng.choice(NUMBERS)
        for _ in range(rng.randrange(most)):
            out += rng.choice(self.separators + [""])
            if rng.random() < self.sometimes:
                out += rng.choice(self.separators)
            out += rng.choice(WORDS if rng.random() < 0.4 else NUMBERS)
        return out

    def version(self, release):
        out = self.part(5)
        if self.rng.random() < 0.15:
            out = self.rng.choice(["0", "1", "2", "01", "10"]) + ":" + out
        return out + "-" + self.part(3) if release else out

    def change(self, version):
        """The same with one small thing done to it."""
        rng = self.rng
        at = rng.randrange(len(version))
        kind = rng.randrange(4)
        if kind == 0:
            return version[:at] + version[at + 1:]
        what = rng.choice(self.separators + NUMBERS[:6] + WORDS[:6])
        return version[:at] + what + version[at + (kind == 1):]

    def pair(self):
        release = self.rng.random() < 0.5
        a = self.version(release)
        b = self.version(release)
        if self.rng.random() < 0.7:
            b = a
            for _ in range(self.rng.randrange(1, 3)):
                b = self.change(b) or "0"
        return a, b


def pairs_of(maker, n, good):
    out = []
    while len(out) < n:
        a, b = maker.pair()
        if good(a) and good(b):
            out.append((a, b))
    return out


def run(*command, text=""):
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with status {done.returncode}: "
                           f"{done.stderr.strip()[-600:]}")
    return done.stdout


def operator(number):
    return "<" if number < 0 else ">" if number > 0 else "="


def compare(count, tool, ecosystem, rows):
    """rows: (left, operator, right) as the tool says."""
    table = os.path.join(os.path.dirname(os.path.abspath(os.environ.get("SAPPER", "sapper"))),
                         "..", "..", "tests", "version_table")
    with tempfile.NamedTemporaryFile("w", prefix="sapper-versions-", encoding="ascii") as f:
        f.write("".join(f"{a} {op} {b}\n" for a, op, b in rows))
        f.flush()
        done = subprocess.run([table, ecosystem, f.name], capture_output=True, text=True,
                              check=False)
    found = re.search(r"^(\d+) passed, (\d+) failed$", done.stdout, re.M)
    passed = int(found[1]) if found else 0
    equal = sum(op == "=" for _, op, _ in rows)
    print(f"{tool}: {len(rows)} pairs, {equal} of them equal")
    count.passed += passed
    for line in done.stdout.splitlines()[:-1]:
        count.check(False, f"{tool}: {line}")
    count.check(done.returncode == 0 and passed == len(rows) and rows, f"{tool}: every pair",
                done.stderr.strip()[-600:])


def one_by_one(pairs, ask):
    """The answers of a tool that takes one pair a process, as many as there is time for."""
    rows = []
    end = time.monotonic() + SECONDS
    for a, b in pairs:
        if time.monotonic() > end:
            break
        rows.append((a, ask(a, b), b))
    return rows


def check_deb(count, rng):
    def good(v):
        # what Dpkg::Version takes without a word; its numbers are floating
        return (re.fullmatch(r"(\d+:)?\d[a-zA-Z0-9.+~-]*(?<!-)", v) and
                not re.search(r"\d{16}", v))

    maker = Maker(rng, [".", "+", "~", "-", "+deb12u", "~bpo"], 0.1)
    pairs = pairs_of(maker, 20000, good)
    if shutil.which("perl") and not subprocess.run(
            ["perl", "-MDpkg::Version", "-e", ""], stderr=subprocess.DEVNULL, check=False).returncode:
        answers = run("perl", "-MDpkg::Version", "-lane",
                      'print version_compare($F[0], $F[1])',
                      text="".join(f"{a} {b}\n" for a, b in pairs)).split()
        compare(count, "Dpkg::Version", "deb",
                [(a, operator(int(r)), b) for (a, b), r in zip(pairs, answers, strict=True)])
    else:
        count.skip("Dpkg::Version", "not installed (package libdpkg-perl)")

    def ask(a, b):
        for op, name in (("<", "lt"), (">", "gt")):
            if subprocess.run(["dpkg", "--compare-versions", a, name, b],
                              stderr=subprocess.DEVNULL, check=False).returncode == 0:
                return op
        return "="

    if shutil.which("dpkg"):
        # dpkg only warns about other bytes and letters in front
        odd = Maker(rng, [".", "+", "~", "-", "_", "/", "^", "*", "#", ","], 0.3)
        odd = pairs_of(odd, 5000, lambda v: re.fullmatch(r"(\d+:)?[^:-][^:]*", v)
                       and "#" != v[0] and v[-1] != "-" and int("0" + v.split(":")[0] if ":" in v
                                                                else "0") < 2 ** 31)
        compare(count, "dpkg", "deb", one_by_one(odd, ask))
    else:
        count.skip("dpkg", "not installed")


def lua_string(v):
    return '"' + v.replace("\\", "\\\\").replace('"', '\\"') + '"'


def check_rpm(count, rng):
    def good(v):
        return re.fullmatch(r"(\d*:)?[^:-][^:]*", v) and v[0] != "#" and "%" not in v

    if not shutil.which("rpm"):
        count.skip("rpm", "not installed")
        return
    maker = Maker(rng, [".", "+", "~", "^", "_", "-"], 0.2)
    rows = []
    pairs = [(a, b) for a, b in pairs_of(maker, 20000, good)
             # a release on one side only: left out by rpm, an order here
             if ("-" in a) == ("-" in b) and (a[-1] == "-") == (b[-1] == "-")]
    for at in range(0, len(pairs), 1000):  # the length of an argument has an end
        some = pairs[at:at + 1000]
        code = "for _, p in ipairs({%s}) do print(rpm.vercmp(p[1], p[2]) .. ' ') end" % ",".join(
            "{%s,%s}" % (lua_string(a), lua_string(b)) for a, b in some)
        answers = run("rpm", "--eval", "%{lua:" + code + "}").split()
        rows += [(a, operator(int(r)), b) for (a, b), r in zip(some, answers, strict=True)]
    compare(count, "rpm", "rpm", rows)


def check_pacman(count, rng):
    def good(v):
        # separators at the end of a part: pacman's answers are no order
        return (re.fullmatch(r"(\d*:)?[^:-][^:]*", v) and v[0] != "#" and
                all(p and p[-1].isalnum() for p in v.split("-")))

    if not shutil.which("vercmp"):
        count.skip("vercmp", "not installed (package pacman-package-manager)")
        return
    maker = Maker(rng, [".", "+", "~", "^", "_", "..", "-"], 0.3)
    rows = one_by_one(pairs_of(maker, 10000, good),
                      lambda a, b: operator(int(run("vercmp", a, b))))
    compare(count, "vercmp", "pacman",
            [row for row in rows if row[1] != "=" or ("-" in row[0]) == ("-" in row[2])])


def apk_version(rng):
    out = ".".join(rng.choice(NUMBERS[:12]) for _ in range(rng.randrange(1, 5)))
    out += rng.choice(["", "", "", "a", "b", "z"])
    for _ in range(rng.choice([0, 0, 1, 1, 2])):
        out += "_" + rng.choice(SUFFIXES) + rng.choice(["", "0", "1", "2", "10", "01"])
    return out + rng.choice(["", "", "", "~0af", "~1"]) + rng.choice(["", "-r0", "-r1", "-r10"])


def check_apk(count, rng):
    if not shutil.which("apk"):
        count.skip("apk", "not installed (package apk-tools)")
        return
    pairs = []
    for _ in range(10000):
        a, b = apk_version(rng), apk_version(rng)
        if rng.random() < 0.6:  # the same beginning
            parts = re.split(r"(?=[._~-])", a)
            b = "".join(parts[:rng.randrange(1, len(parts) + 1)])
            b += rng.choice(["", "", "_p1", "_rc1", "-r2", ".0", ".1", "~0b"])
        pairs.append((a, b))
    pairs = [p for p in pairs if all(
        re.fullmatch(r"\d+(\.\d+)*[a-z]?(_[a-z]+\d*)*(~[0-9a-f]+)?(-r\d+)?", v) for v in p)]
    compare(count, "apk", "apk",
            one_by_one(pairs, lambda a, b: run("apk", "version", "-t", a, b).strip()))


def main():
    count = live.Count()
    seed = int(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1].isdigit() else SEED
    print(f"seed {seed}")
    for check in (check_deb, check_rpm, check_pacman, check_apk):
        try:
            check(count, random.Random(seed))
        except (RuntimeError, OSError, ValueError) as e:
            count.check(False, check.__name__, repr(e))
    count.done()


if __name__ == "__main__":
    main()
