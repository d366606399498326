# SPDX-License-Identifier: Apache-2.0
"""Which of two versions is newer, for findings.py: deb-version(7) and apk-package(5) written down
once more, and rpm's own answer. Nothing of sapper's is used."""
import functools
import os
import random
import re
import shutil
import subprocess

# ---- Debian ----------------------------------------------------------------------------------


def _deb_weight(char):
    """Order of a byte outside numbers: '~' before the end (0), letters before everything else."""
    return -1 if char == "~" else ord(char) if char.isalpha() else ord(char) + 256


def _deb_part(text):
    key = []
    for other, digits in re.findall(r"(\D*)(\d*)", text):
        key.append((tuple(map(_deb_weight, other)) + (0,), int(digits or 0)))
    return key  # the last pair is empty: it stands for the end


@functools.lru_cache(maxsize=None)
def deb_key(version):
    """A key to sort Debian's versions by."""
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, dash, revision = rest.rpartition("-")
    if not dash:
        upstream, revision = rest, "0"
    return int(epoch), _deb_part(upstream), _deb_part(revision)


# ---- Alpine ----------------------------------------------------------------------------------

_APK = re.compile(r"(\d+)((?:\.\d+)*)([a-z]?)((?:_[a-z]+\d*)*)(?:~([0-9a-f]+))?(?:-r(\d+))?")
# What does not fit the format ("1.2.31-0", "6.8.0p2", which real entries have) is older than the
# end.
_BEFORE, _BAD, _END, _REVISION, _HASH, _COUNT, _AFTER, _LETTER, _NUMBER = range(9)
_SUFFIXES = {"alpha": (_BEFORE, 0), "beta": (_BEFORE, 1), "pre": (_BEFORE, 2), "rc": (_BEFORE, 3),
             "cvs": (_AFTER, 0), "svn": (_AFTER, 1), "git": (_AFTER, 2), "hg": (_AFTER, 3),
             "p": (_AFTER, 4)}


@functools.lru_cache(maxsize=None)
def _apk_tokens(version):
    """[(kind, text, value)] of what begins with a digit."""
    match = _APK.match(version)
    numbers, letter, suffixes, commit, revision = match.groups()[1:]
    bad = [(_BAD, "", version[match.end():])] if match.end() < len(version) else []
    tokens = [(_NUMBER, "", int(match[1]))]
    tokens += [(_NUMBER, n, int(n)) for n in numbers.split(".")[1:]]
    tokens += [(_LETTER, "", letter)] if letter else []
    for name, count in re.findall(r"_([a-z]+)(\d*)", suffixes):
        if name not in _SUFFIXES:
            return tokens + [(_BAD, "", name)]
        kind, place = _SUFFIXES[name]
        tokens.append((kind, "", place))
        tokens += [(_COUNT, "", int(count))] if count else []
    tokens += [(_HASH, "", commit)] if commit else []
    tokens += [(_REVISION, "", int(revision))] if revision else []
    return tokens + bad + [(_END, "", 0)]


def apk_cmp(a, b):
    """-1, 0, 1 for what begins with a digit."""
    for (kind, text, value), (kind2, text2, value2) in zip(_apk_tokens(a), _apk_tokens(b)):
        if kind != kind2:
            return -1 if kind < kind2 else 1
        if text and text2 and "0" in (text[0], text2[0]):  # 1.01 < 1.1, as fractions
            value, value2 = text, text2
        if value != value2:
            return -1 if value < value2 else 1
    return 0


apk_key = functools.cmp_to_key(apk_cmp)

# ---- rpm -------------------------------------------------------------------------------------


class Rpm:
    """rpm's comparison, many pairs at a time."""

    def __init__(self):
        self.known = {}

    def learn(self, pairs):
        """Asks rpm about each pair that is not known."""
        new = sorted({p for p in pairs if p not in self.known})
        for i in range(0, len(new), 400):
            part = new[i:i + 400]
            lua = "".join(f'print(rpm.vercmp("{a}", "{b}"), " ")' for a, b in part)
            run = subprocess.run(["rpm", "--eval", "%{lua: " + lua + "}"], capture_output=True,
                                 text=True, check=True)
            for pair, answer in zip(part, run.stdout.split(), strict=True):
                self.known[pair] = int(answer)

    def cmp(self, a, b):
        if (a, b) not in self.known:
            self.learn([(a, b)])
        return self.known[(a, b)]


# ---- whether these are right -----------------------------------------------------------------


def check(count, shared, sample):
    """Debian's against dpkg over pairs of a sample, Alpine's against the table of vectors."""
    if shutil.which("dpkg"):
        check_deb(count, sample)
    else:
        count.skip("deb versions", "dpkg is not here")
    for name, key in (("deb", deb_key), ("apk", apk_key)):
        path = os.path.join(shared, "vectors", "versions", name + ".txt")
        if os.path.exists(path):
            check_table(count, name, path, key)
        else:
            count.skip(f"{name} versions", "the table is not here")


def check_deb(count, sample):
    chosen = random.Random(3094)
    wrong = []
    operators = {"lt": lambda a, b: a < b, "eq": lambda a, b: a == b, "gt": lambda a, b: a > b}
    for i in range(300):
        a = chosen.choice(sample)
        b = chosen.choice((chosen.choice(sample), a + "~", a + "+b1", a.replace("deb", ""),
                           a.replace("-", "~"), a[:-1] or "0"))
        op = ("lt", "eq", "gt")[i % 3] if i % 2 else "lt"
        run = subprocess.run(["dpkg", "--compare-versions", a, op, b], check=False,
                             stderr=subprocess.DEVNULL)
        if (run.returncode == 0) != operators[op](deb_key(a), deb_key(b)):
            wrong.append(f"{a} {op} {b}")
    count.check(not wrong, "deb versions: 300 pairs, as dpkg", str(wrong[:5]))


def check_table(count, name, path, key):
    wrong, n = [], 0
    with open(path, encoding="utf-8") as f:
        lines = [line.split() for line in f if line.strip() and not line.startswith("#")]
    for words in lines:
        if len(words) != 3 or words[1] not in ("<", "=", ">"):
            continue
        try:
            a, b = key(words[0]), key(words[2])
            order = "<" if a < b else ">" if a > b else "="
        except (ValueError, AttributeError):
            continue  # no version
        n += 1
        if order != words[1]:
            wrong.append(" ".join(words))
    count.check(n > 50 and not wrong, f"{name} versions: the table ({n} lines)", str(wrong[:5]))
