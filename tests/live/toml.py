#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: Apache-2.0
"""Our reader of TOML against Python's tomllib.

    toml.py TOML_DUMP [SEED [DOCUMENTS]]

What ours accepts, tomllib must read the same way. What is made to be within our part of TOML,
ours must accept. What tomllib refuses, ours must refuse. The documents are made at random, from
a seed that is printed, and then damaged.
"""
import datetime
import random
import subprocess
import sys

import live

try:
    import tomllib
except ImportError:
    tomllib = None

BARE = "abcdefghijklmnopqrstuvwxyzABCXYZ0123456789_-"
CHARS = ["a", "b", " ", "\t", "é", "中", "\U0001f600", "#", "'", '"', "\\", "=", "[", "]", ",",
         "\x7f", "\x00", "\x1b", "\n", "\r", "u", "0", "\u0080", "\ufeff", "\u2028"]
SHORT = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"',
         "\\": "\\\\"}
SPLICES = [b"\"", b"'", b"\"\"\"", b"'''", b"[", b"]", b"[[", b"]]", b"=", b",", b".", b"#", b"\n",
           b"\r", b"\r\n", b"\0", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80",
           b"\xef\xbb\xbf", b"\\", b"\\x41", b"\\e", b"\\u12", b"\\ud800", b"\\U00110000",
           b"\\uD7FF", b"true", b"1", b"1.5", b"inf", b"2027-02-29", b"2024-02-29", b"2027-1-1",
           b"0000-01-01", b"9999-12-31", b"2027-01-31T10:00:00", b"2027-01-31 10:00:00Z",
           b"07:32:00", b"{}", b"{a=1}", b"a = 'x'", b"\n[[t]]\n", b"\n[t]\n", b"a.b = 'x'",
           b"\"a\" = 'x'", b"\t", b" ", b"\x0b", b"\x7f"]


class Maker:
    """Documents inside our part of TOML."""

    def __init__(self, rng):
        self.rng = rng

    def blank(self):
        return self.rng.choice(["", "", " ", "\t", "  "])

    def end(self):
        comment = ""
        if self.rng.random() < 0.2:
            comment = "# " + "".join(c for c in self.rng.choices(CHARS, k=5)
                                     if c == "\t" or (c >= " " and c != "\x7f"))
        return self.blank() + comment + self.rng.choice(["\n", "\n", "\r\n"])

    def key(self):
        return "".join(self.rng.choices(BARE, k=self.rng.randint(1, 6)))

    def string(self):
        text = "".join(self.rng.choices(CHARS, k=self.rng.randint(0, 8)))
        if self.rng.random() < 0.3:
            text = "".join(c for c in text if c == "\t" or (c >= " " and c not in "'\x7f"))
            return f"'{text}'", text
        out = ""
        for c in text:
            if c in '"\\' or (c < " " and c != "\t") or c == "\x7f" or self.rng.random() < 0.1:
                if c in SHORT and self.rng.random() < 0.7:
                    out += SHORT[c]
                elif ord(c) < 0x10000 and self.rng.random() < 0.7:
                    out += f"\\u{ord(c):04{self.rng.choice('xX')}}"
                else:
                    out += f"\\U{ord(c):08x}"
            else:
                out += c
        return f'"{out}"', text

    def space(self):
        return "".join(self.rng.choice([self.blank(), self.end()])
                       for _ in range(self.rng.randint(0, 2)))

    def value(self):
        kind = self.rng.random()
        if kind < 0.6:
            return self.string()
        if kind < 0.8:
            day = datetime.date.fromordinal(self.rng.randint(1, 3652059))
            return f"{day.year:04}-{day.month:02}-{day.day:02}", day
        items = [self.string() for _ in range(self.rng.randint(0, 5))]
        text = ",".join(self.space() + w + self.space() for w, _ in items)
        if items and self.rng.random() < 0.3:
            text += ","
        return "[" + text + self.space() + "]", [v for _, v in items]

    def document(self):
        text = "".join(self.end() for _ in range(self.rng.randint(0, 2)))
        for _ in range(self.rng.randint(0, 4)):
            text += f"{self.blank()}[[{self.blank()}{self.key()}{self.blank()}]]{self.end()}"
            used = set()
            for _ in range(self.rng.randint(0, 5)):
                key = self.key()
                if key in used:
                    continue
                used.add(key)
                text += (f"{self.blank()}{key}{self.blank()}={self.blank()}"
                         f"{self.value()[0]}{self.end()}")
                if self.rng.random() < 0.2:
                    text += self.end()
        if text.endswith("\r\n") and self.rng.random() < 0.2:
            return text[:-2].encode()
        return text.encode()


def damaged(rng, text):
    data = bytearray(text)
    for _ in range(rng.randint(1, 2)):
        at = rng.randint(0, len(data))
        how = rng.random()
        if how < 0.6:
            data[at:at] = rng.choice(SPLICES)
        elif how < 0.8 and at < len(data):
            del data[at:at + rng.randint(1, 4)]
        elif at < len(data):
            data[at] = rng.randrange(256)
    return bytes(data)


def theirs(data):
    """The document as a dict, or None where tomllib refuses."""
    try:
        return tomllib.loads(data.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        return None


def text_of(word):
    return bytes.fromhex(word[1:]).decode()


def ours(lines):
    """The same from our dump: a dict as tomllib's; or the message as a str."""
    doc, table = {}, None
    for line in lines:
        kind, _, rest = line.partition(" ")
        if kind == "error":
            return rest
        if kind == "end":
            return doc
        words = [text_of(w) for w in rest.split(" ")]
        if kind == "table":
            table = {}
            doc.setdefault(words[0], []).append(table)
        elif kind == "string":
            table[words[0]] = words[1]
        elif kind == "date":
            table[words[0]] = datetime.date.fromisoformat(words[1])
        else:
            table[words[0]] = words[1:]
    return "no end"


def answers(dump, documents):
    """What ours says of each."""
    blob = b"".join(b"%d\n%s" % (len(d), d) for d in documents)
    out = subprocess.run([dump], input=blob, stdout=subprocess.PIPE, check=True).stdout
    lines, got = out.decode(errors="replace").splitlines(), []
    at = 0
    for _ in documents:
        first = at
        while at < len(lines) and not lines[at].startswith(("end", "error")):
            at += 1
        at += 1
        got.append(ours(lines[first:at]))
    return got


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    count = live.Count()
    if tomllib is None:
        count.skip("TOML", "this Python has no tomllib (3.11)")
        count.done()
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 20261121
    n = int(sys.argv[3]) if len(sys.argv) > 3 else 20000
    print(f"seed {seed}")
    rng = random.Random(seed)
    maker = Maker(rng)
    good = [maker.document() for _ in range(n // 4)]
    bad = [damaged(rng, rng.choice(good)) for _ in range(n - len(good))]
    tally = {"accepted": 0, "refused by both": 0, "refused by ours": 0}
    for i, (data, got) in enumerate(zip(good + bad, answers(sys.argv[1], good + bad))):
        want = theirs(data)
        refused = isinstance(got, str)
        if i < len(good):
            count.check(not refused and got == want, repr(data), f"ours {got!r}, theirs {want!r}")
        else:
            count.check(refused or got == want, repr(data), f"ours {got!r}, theirs {want!r}")
        tally["accepted" if not refused else
              "refused by both" if want is None else "refused by ours"] += 1
    print(", ".join(f"{v} {k}" for k, v in tally.items()))
    count.done()


if __name__ == "__main__":
    main()
