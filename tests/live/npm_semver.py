#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: Apache-2.0
"""Versions of language ecosystems against the code that defines them, as far as it is here.

npm: the semver module inside the installed npm, compare() and satisfies(); PyPI: Python's
packaging module (also pip's copy); Maven: ComparableVersion of the installed maven-artifact.
Random versions and ranges from a fixed seed (printed; another one as the argument).
"""
import glob
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

import live

SEED = 20240329
NUMBERS = ["0", "0", "1", "1", "2", "3", "9", "10", "19", "99", "100", "199"]
WORDS = ["0", "1", "2", "10", "alpha", "beta", "rc", "a", "b", "A", "x-1", "-", "1a", "alpha1"]
NODE = """
const semver = require(process.argv[1]);
const out = [];
for (const line of require("fs").readFileSync(0, "utf8").split("\\n")) {
    const [kind, a, b] = line.split("\\t");
    if (kind === "compare") out.push("<=>"[semver.compare(a, b) + 1]);
    else if (kind !== "range") continue;
    else if (semver.valid(b) === null || semver.validRange(a) === null) out.push("invalid");
    else out.push(semver.satisfies(b, a) ? "yes" : "no");
}
console.log(out.join("\\n"));
"""


def built(*path):
    return os.path.join(os.path.dirname(os.path.abspath(os.environ.get("SAPPER", "sapper"))),
                        "..", "..", "tests", *path)


def ask(*command, text=""):
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with status {done.returncode}: "
                           f"{done.stderr.strip()[-600:]}")
    return done.stdout


def compare(count, what, lines, *command):
    """Runs one of our programs over a file of these lines; each must hold."""
    with tempfile.NamedTemporaryFile("w", prefix="sapper-versions-", encoding="ascii") as f:
        f.write("".join(line + "\n" for line in lines))
        f.flush()
        done = subprocess.run([*command, f.name], capture_output=True, text=True, check=False)
    found = re.search(r"^(\d+) passed, (\d+) failed$", done.stdout, re.M)
    passed = int(found[1]) if found else 0
    print(f"{what}: {len(lines)}")
    count.passed += passed
    for line in (done.stdout + done.stderr).splitlines():
        if not found or line != found[0]:
            count.check(False, f"{what}: {line}")
    count.check(done.returncode == 0 and passed == len(lines) and lines, f"{what}: every line")


class Npm:
    """Random versions and ranges of npm's grammar, a few of them broken."""

    def __init__(self, rng):
        self.rng = rng

    def pre(self):
        rng = self.rng
        if rng.random() < 0.55:
            return ""
        return "-" + ".".join(rng.choice(WORDS) for _ in range(rng.randint(1, 3)))

    def build(self):
        return "" if self.rng.random() < 0.9 else "+" + self.rng.choice(["b", "1", "001", "b.2"])

    def version(self):
        numbers = ".".join(self.rng.choice(NUMBERS) for _ in range(3))
        return self.rng.choice(["", "", "", "", "v"]) + numbers + self.pre() + self.build()

    def partial(self):
        rng = self.rng
        if rng.random() < 0.45:
            return self.version()
        n = rng.randint(1, 3)
        out = ".".join(rng.choice(NUMBERS) if rng.random() < 0.75 else rng.choice("xX*")
                       for _ in range(n))
        if n == 3 or rng.random() < 0.05:
            out += self.pre()
        if rng.random() < 0.05:
            out += self.build()
        return (rng.choice(["=", "v", "vv", "=v"]) if rng.random() < 0.03 else "") + out

    def comparator(self):
        rng = self.rng
        op = rng.choice(["", "", "=", "<", ">", "<=", ">=", "~", "^", "~>", "^", "~"])
        if rng.random() < 0.02:
            op = rng.choice(["==", "=<", "> =", "< =", "~ >"])
        return op + (rng.choice(["", "", "", "", " ", "  "]) if op else "") + self.partial()

    def set(self):
        rng = self.rng
        kind = rng.random()
        if kind < 0.03:
            return rng.choice(["", "*", " ", "x", "latest", "-", " - "])
        if kind < 0.2:
            dash = rng.choice([" - ", " - ", "  -  "])
            if rng.random() < 0.05:
                dash = rng.choice(["- ", " -"])
            return self.partial() + dash + self.partial()
        return rng.choice([" ", "  "]).join(self.comparator() for _ in range(rng.choice([1, 1, 2, 2, 3])))

    def range(self):
        rng = self.rng
        return rng.choice(["||", " || ", "|| ", " ||"]).join(
            self.set() for _ in range(rng.choice([1, 1, 1, 2, 3])))


def npm_module():
    npm = shutil.which("npm")
    if not npm or not shutil.which("node"):
        return None
    tops = [os.path.dirname(os.path.dirname(os.path.realpath(npm))), "/usr/share/nodejs/npm",
            "/usr/share/nodejs"]
    for top in tops:
        for path in (os.path.join(top, "node_modules", "semver"), os.path.join(top, "semver")):
            if os.path.isdir(path):
                return path
    return None


def check_npm(count, rng):
    module = npm_module()
    if not module:
        count.skip("npm's semver", "node, npm or the module is not installed")
        return
    make = Npm(rng)
    ranges = [(make.range(), make.version()) for _ in range(20000)]
    pairs = [(make.version(), make.version()) for _ in range(10000)]
    text = "".join(f"range\t{r}\t{v}\n" for r, v in ranges)
    text += "".join(f"compare\t{a}\t{b}\n" for a, b in pairs)
    answers = ask("node", "-e", NODE, module, text=text).split()
    compare(count, "npm: ranges", [f"{r}\t{v}\t{a}" for (r, v), a in zip(ranges, answers)],
            built("unit", "test_langversion"))
    compare(count, "npm: versions",
            [f"{a} {op} {b}" for (a, b), op in zip(pairs, answers[len(ranges):], strict=True)],
            built("version_table"), "npm")


def packaging():
    """The modules packaging.version that can be imported, one is enough."""
    for name in ("packaging.version", "pip._vendor.packaging.version",
                 "setuptools._vendor.packaging.version"):
        try:
            return __import__(name, fromlist=["Version"])
        except ImportError:
            pass
    return None


def pep440_version(rng):
    def sep():
        return rng.choice(["", "", ".", "-", "_"])

    def number():
        return rng.choice(["0", "1", "2", "9", "10", "01", "00", "20240101"])

    def word(words):
        return sep() + rng.choice(words) + sep() + (number() if rng.random() < 0.8 else "")

    out = rng.choice(["", "", "", "", "v", "V"])
    if rng.random() < 0.1:
        out += number() + "!"
    out += ".".join(number() for _ in range(rng.randint(1, 4)))
    if rng.random() < 0.4:
        out += word(["a", "b", "c", "rc", "alpha", "beta", "pre", "preview", "Alpha", "RC"])
    if rng.random() < 0.3:
        out += rng.choice(["-" + number(), word(["post", "rev", "r", "POST"])])
    if rng.random() < 0.3:
        out += word(["dev", "DEV"])
    if rng.random() < 0.2:
        out += "+" + rng.choice([".", "-", "_"]).join(
            rng.choice(["a", "1", "01", "abc", "1a", "A", "10", "2"]) for _ in range(rng.randint(1, 3)))
    return out


def check_pep440(count, rng):
    module = packaging()
    if not module:
        count.skip("packaging", "neither the module nor pip is installed")
        return
    rows = []
    for _ in range(20000):
        a = pep440_version(rng)
        b = pep440_version(rng)
        if rng.random() < 0.4:
            b = a + rng.choice([".0", ".dev1", "a1", "rc1", "+1", ".post1", "-1", "x"])
        try:
            x, y = module.Version(a), module.Version(b)
        except module.InvalidVersion:
            try:
                module.Version(a)
                rows.append(f"{a} > {b}")  # what is invalid stands first
            except module.InvalidVersion:
                pass
            continue
        rows.append(f"{a} {'<' if x < y else '>' if x > y else '='} {b}")
    compare(count, "packaging", rows, built("version_table"), "pypi")


def maven_version(rng):
    """As packages have them. Corner cases differ between releases of Maven: left out."""
    words = ["alpha", "beta", "milestone", "rc", "cr", "snapshot", "ga", "final", "release", "sp",
             "a", "b", "m", "foo", "jre", "android", "M", "RC", "Final", "SNAPSHOT", "Beta"]

    def number():
        return rng.choice(["0", "1", "2", "9", "10", "01", "20240101", "12345678901234567890"])

    out = ".".join(number() for _ in range(rng.randint(1, 4)))
    kind = rng.random()
    if kind < 0.65:
        word = rng.choice(words)
        out += rng.choice(["-", "-", "", "."]) + word
        if word.lower() not in ("ga", "final", "release"):
            out += rng.choice(["", number()])
    elif kind < 0.75:
        out += "-" + str(rng.randint(1, 20))
    return out


def check_maven(count, rng):
    jars = [path for pattern in ("/usr/share/java/maven3-artifact.jar", "/usr/share/java/maven-artifact*.jar",
                                 "/usr/share/maven/lib/maven-artifact-*.jar")
            for path in glob.glob(pattern)]
    if not jars or not shutil.which("java"):
        count.skip("ComparableVersion", "java or maven-artifact is not installed")
        return
    path = ":".join([jars[0], *glob.glob("/usr/share/java/commons-lang3.jar")])
    versions = [maven_version(rng) for _ in range(6000)]
    said = ask("java", "-cp", path, "org.apache.maven.artifact.versioning.ComparableVersion", *versions)
    signs = re.findall(r"^ +(\S+) (<|==|>) (\S+)$", said, re.M)
    compare(count, "ComparableVersion", [f"{a} {op[0]} {b}" for a, op, b in signs],
            built("version_table"), "maven")
    count.check(len(signs) == len(versions) - 1, "ComparableVersion: an answer to each", str(len(signs)))


def main():
    count = live.Count()
    seed = int(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1].isdigit() else SEED
    print(f"seed {seed}")
    for check in (check_npm, check_pep440, check_maven):
        try:
            check(count, random.Random(seed))
        except (RuntimeError, OSError, ValueError) as e:
            count.check(False, check.__name__, repr(e))
    count.done()


if __name__ == "__main__":
    main()
