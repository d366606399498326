#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: Apache-2.0
"""The functions that are listed of ELF objects, against binutils. One test an object and source.

    functions.py --dump FUNCTIONS_DUMP --worker SAPPER_FUNCTIONS [--frames N] ROOT...

Compared for each shared library under ROOT/usr/lib (ROOT / means that of this machine): the exported
functions with versions and addresses (readelf --dyn-syms), constructors and IFUNC resolvers (its
dynamic section and relocations), and for N of them the starts in .eh_frame (readelf
--debug-dump=frames). Then, for an object made here: .symtab, a debug file, MiniDebugInfo as Fedora
makes it, and a static program.
"""
import argparse
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

import live

EXPORTED, LOCAL, BARE, IFUNC, CONSTRUCTOR = 1, 2, 4, 8, 16
SYMBOL = re.compile(r"^ *\d+: ([0-9a-f]+) +(?:0x)?[0-9a-f]+ (\w+) +(\w+) +\w+ +(?:\[.*?\] +)?(\w+) (.+)$")
SECTION = re.compile(r"^  \[ *(\d+)\] (\S*) +(\S+) +([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+) \w\w +([A-Za-z]*) +\d")
LOAD = re.compile(r"^  LOAD +(0x\w+) (0x\w+) 0x\w+ (0x\w+) (0x\w+) (...) ")
DYNAMIC = re.compile(r"^ 0x[0-9a-f]+ \((INIT|INIT_ARRAY|INIT_ARRAYSZ|PREINIT_ARRAY|PREINIT_ARRAYSZ)\) +"
                     r"(?:0x([0-9a-f]+)|(\d+) \(bytes\))")
RELOC = re.compile(r"^([0-9a-f]{8,16}) +[0-9a-f]{8,16} (R_\S+) *(?:([0-9a-f]+)(?: (\S+) \+ ([0-9a-f]+)| +(\S+))?|)\s*$")
FDE = re.compile(r"^[0-9a-f]+ [0-9a-f]+ [0-9a-f]+ FDE cie=([0-9a-f]+) pc=([0-9a-f]+)\.\.([0-9a-f]+)")
CIE = re.compile(r"^([0-9a-f]+) [0-9a-f]+ [0-9a-f]+ CIE")
ENV = {**os.environ, "LC_ALL": "C"}

SOURCE = r"""
#include <stdlib.h>
static int hidden_one(int x) { return x * 3; }
__attribute__((noinline)) static int hidden_two(int x) { return hidden_one(x) + rand(); }
int shown(int x) { return hidden_two(x); }
int also_shown(int x) __attribute__((alias("shown")));
int old_shown(int x) { return x + 1; }
int new_shown(int x) { return x + 2; }
__asm__(".symver old_shown, twice@V1"); __asm__(".symver new_shown, twice@@V2");
__asm__(".text\n.globl by_hand\nby_hand: ret\n.globl data_by_hand\n.data\ndata_by_hand: .long 1\n.text\n");
__attribute__((constructor)) static void starts(void) { srand(1); }
static int (*choose(void))(int) { return hidden_two; }
int chosen(int) __attribute__((ifunc("choose")));
int value = 5;
#ifdef PROGRAM
int main(void) { return shown(1) + chosen(2); }
#endif
"""
VERSIONS = "V1 { global: twice; }; V2 { global: twice; shown; also_shown; by_hand; data_by_hand; " \
           "chosen; value; local: *; } V1;\n"


def run(*command):
    return subprocess.run(command, capture_output=True, check=False, env=ENV).stdout.decode(
        errors="surrogateescape")


def dump(args, paths, *options):
    """{path: (facts, [(offset, address, size, flags, names)])}"""
    out = subprocess.run([args.dump, *options], input="".join(p + "\n" for p in paths).encode(
        errors="surrogateescape"), capture_output=True, check=True, env=ENV).stdout
    found, now = {}, None
    for line in out.decode(errors="surrogateescape").splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "file":
            now = found[rest] = [{}, []]
        elif kind == "list":
            now[0] = dict(re.findall(r"(\w+)=((?:debug file)|\S+)", rest.partition(" damage=")[0]))
            now[0]["damage"] = rest.partition(" damage=")[2]
        elif kind == "fn":
            f = rest.split(" ", 4)
            now[1].append((int(f[0], 16), int(f[1], 16), int(f[2]), int(f[3]), f[4].split()))
        else:
            now[0]["error"] = line
    return found


class Object:
    """What readelf says."""

    def __init__(self, path):
        self.path = path
        self.loads, self.sections, self.symbols = [], {}, []
        self.dynamic, self.relocs = {}, []
        for line in run("readelf", "-W", "-l", "-S", "-d", "-r", "--dyn-syms", path).splitlines():
            for pattern, take in ((SYMBOL, self.symbol), (RELOC, self.reloc), (LOAD, self.load),
                                  (SECTION, self.section), (DYNAMIC, self.tag)):
                m = pattern.match(line)
                if m:
                    take(m)
                    break

    def symbol(self, m):
        self.symbols.append((int(m[1], 16), m[2], m[3], m[4], m[5].split(" ")[0]))

    def reloc(self, m):
        addend = int(m[5], 16) if m[5] else int(m[3], 16) if m[3] and not m[6] else None
        self.relocs.append((int(m[1], 16), m[2], int(m[3], 16) if m[4] or m[6] else 0, addend))

    def load(self, m):
        off, addr, filesz, memsz = (int(m[i], 16) for i in range(1, 5))
        self.loads.append((off, addr, filesz, memsz, m[5]))

    def section(self, m):
        self.sections[m[1]] = (m[2], int(m[4], 16), int(m[6], 16), "X" in m[7])

    def tag(self, m):
        self.dynamic[m[1]] = int(m[2], 16) if m[2] else int(m[3])

    def offset(self, addr, code=True):
        for off, start, filesz, memsz, flags in reversed(self.loads):
            if start <= addr < start + max(filesz, memsz):
                return off + addr - start if addr < start + filesz and (
                    "E" in flags or not code) else None
        return None

    def is_code(self, value, kind, section):
        if section in ("UND", "ABS", "COM") or self.offset(value) is None:
            return False
        if kind in ("FUNC", "IFUNC"):
            return True
        name, start, size, code = self.sections.get(section, ("", 0, 0, False))
        return kind == "NOTYPE" and code and start <= value < start + size

    def exported(self):
        return {(name, value) for value, kind, bind, section, name in self.symbols
                if bind != "LOCAL" and self.is_code(value, kind, section)}

    def resolvers(self, word, order):
        found = {value for value, kind, bind, section, _ in self.symbols
                 if kind == "IFUNC" and bind != "LOCAL" and section != "UND"}
        for offset, kind, _, addend in self.relocs:
            if "IRELATIV" in kind:
                found.add(self.word(offset, word, order) if addend is None else addend)
        return {a for a in found if self.offset(a) is not None}

    def word(self, addr, size, order):
        with open(self.path, "rb") as f:
            f.seek(self.offset(addr, code=False))
            return struct.unpack(order + ("Q" if size == 8 else "I"), f.read(size))[0]

    def constructors(self, word, order):
        found = {self.dynamic["INIT"]} if "INIT" in self.dynamic else set()
        by_place = {r[0]: r for r in self.relocs}
        for tag in ("PREINIT_ARRAY", "INIT_ARRAY"):
            start = self.dynamic.get(tag, 0)
            for at in range(start, start + self.dynamic.get(tag + "SZ", 0), word):
                _, _, value, addend = by_place.get(at, (0, "", 0, None))
                if addend is None:
                    addend = self.word(at, word, order)
                found.add(value + addend)
        return {a for a in found if self.offset(a) is not None}


def frames(path):
    """Starts of functions in .eh_frame; None: readelf found no frames."""
    signal, found, cie = set(), set(), None
    for line in run("readelf", "-wNf", path).splitlines():
        m = CIE.match(line)
        if m:
            cie = int(m[1], 16)
        elif cie is not None and line.startswith("  Augmentation: ") and "S" in line.split('"')[1]:
            signal.add(cie)
        m = FDE.match(line)
        if m and int(m[1], 16) not in signal and m[2] != m[3]:
            found.add(int(m[2], 16))
    return found


def libraries(root):
    found = set()
    for top in ("usr/lib", "lib"):
        base = os.path.join(root, top)
        for folder, dirs, files in os.walk(base if root != "/" else "/usr/lib/x86_64-linux-gnu"):
            dirs.sort()
            for name in files:
                path = os.path.join(folder, name)
                if ".so" not in name or os.path.islink(path) or not os.path.isfile(path):
                    continue
                with open(path, "rb") as f:
                    head = f.read(18)
                if head[:4] == b"\x7fELF" and head[16:18] in (b"\3\0", b"\0\3"):
                    found.add(os.path.realpath(path))
    return sorted(found)


def apart(mine, want):
    more, less = sorted(mine - want)[:3], sorted(want - mine)[:3]
    return "" if mine == want else f"only here: {more}, only readelf: {less} " \
        f"({len(mine)} and {len(want)})"


def compare(args, root, count):
    paths = libraries(root)
    exported = dump(args, paths, "--exported", "--worker", args.worker)
    everything = dump(args, paths, "--worker", args.worker)
    functions = 0
    for i, path in enumerate(paths):
        o = Object(path)
        facts, fns = exported[path]
        mine = {(name, addr) for _, addr, _, flags, names in fns for name in names}
        functions += len(mine)
        count.check(facts.get("error") is None and not facts["damage"] and
                    not apart(mine, o.exported()), path + " exported",
                    str(facts.get("error") or facts["damage"]) + apart(mine, o.exported()))
        if "error" in facts:
            continue
        with open(path, "rb") as f:
            ident = f.read(6)
        word, order = (8 if ident[4] == 2 else 4), (">" if ident[5] == 2 else "<")
        _, fns = everything[path]
        text = apart({f[1] for f in fns if f[3] & CONSTRUCTOR}, o.constructors(word, order)) or \
            apart({f[1] for f in fns if f[3] & IFUNC}, o.resolvers(word, order))
        offsets = [f[0] for f in fns]
        if any(o.offset(f[1]) != f[0] for f in fns) or offsets != sorted(set(offsets)):
            text += " offsets are wrong"
        count.check(not text, path + " load-time code", text)
        if i % max(1, len(paths) // args.frames) == 0:
            compare_frames(o, everything[path], count)
    print(f"{root}: {len(paths)} libraries, {functions} exported names")


def compare_frames(o, answer, count):
    facts, fns = answer
    if facts["from"] not in (".eh_frame", "-"):
        return
    want = {a for a in frames(o.path) if o.offset(a) is not None}
    every = {f[1] for f in fns}
    extra = [f for f in fns if f[1] not in want and not f[3] & (EXPORTED | CONSTRUCTOR | IFUNC)]
    count.check(want <= every and not extra, o.path + " frames",
                f"{len(want - every)} of {len(want)} are missing, {len(extra)} too many")


# ---- objects made here ------------------------------------------------------------------------

def symtab(path):
    """(name without version, address) of every function of .symtab."""
    return {(m[5].split("@")[0], int(m[1], 16)) for m in map(SYMBOL.match, run(
        "readelf", "-W", "-s", path).partition("'.symtab'")[2].splitlines())
            if m and m[2] in ("FUNC", "IFUNC") and m[4] not in ("UND", "ABS")}


def listed(answer):
    return {(name.split("@")[0], addr) for _, addr, _, _, names in answer[1] for name in names}


def mini_debug(path, debug, out, folder):
    """As find-debuginfo of Fedora: the functions that are no dynamic symbols, packed by xz."""
    dynamic = {line.split(" ")[0].split("@")[0] for line in
               run("nm", "-D", path, "--format=posix", "--defined-only").splitlines()}
    keep = os.path.join(folder, "keep")
    with open(keep, "w", encoding="utf-8") as f:
        for line in run("nm", debug, "--format=sysv", "--defined-only").splitlines():
            field = [x.strip() for x in line.split("|")]
            if len(field) > 3 and field[3] == "FUNC" and field[0] not in dynamic:
                f.write(field[0] + "\n")
    mini = os.path.join(folder, "mini")
    subprocess.run(["objcopy", "-S", "--remove-section", ".gdb_index", "--remove-section",
                    ".comment", "--keep-symbols=" + keep, debug, mini], check=True,
                   capture_output=True)
    subprocess.run(["xz", "-f", mini], check=True)
    subprocess.run(["objcopy", "--add-section", f".gnu_debugdata={mini}.xz", path, out], check=True)


def made(args, count):
    with tempfile.TemporaryDirectory() as folder:
        def at(name):
            return os.path.join(folder, name)
        with open(at("a.c"), "w", encoding="utf-8") as f:
            f.write(SOURCE)
        with open(at("a.map"), "w", encoding="utf-8") as f:
            f.write(VERSIONS)
        build = ["gcc", "-O1", "-fPIC", "-shared", "-g", "-Wl,--build-id", "-o", at("full"),
                 "-Wl,--version-script=" + at("a.map"), at("a.c")]
        if subprocess.run(build, check=False, capture_output=True).returncode:
            count.skip("objects made here", "gcc cannot link a shared library")
            return
        for command in (["objcopy", "--only-keep-debug", at("full"), at("debug")],
                        ["strip", "-o", at("stripped"), at("full")],
                        ["gcc", "-O1", "-fPIC", "-shared", "-Wl,--build-id=0x1234", "-o",
                         at("other"), at("a.c"), "-Wl,--version-script=" + at("a.map")]):
            subprocess.run(command, check=True)
        mini_debug(at("stripped"), at("debug"), at("packed"), folder)
        check_made(args, at, count)
        check_static(args, at, count)


def check_made(args, at, count):
    def answer(line):
        return dump(args, [line], "--worker", args.worker)[line.split("\t")[0]]
    want = symtab(at("full")) | {("by_hand", a) for n, a in Object(at("full")).exported()
                                 if n.startswith("by_hand")}
    for name, line, source in (
            (".symtab", at("full"), ".symtab"),
            ("debug file", at("stripped") + "\t" + at("debug"), "debug file"),
            ("MiniDebugInfo", at("packed"), ".gnu_debugdata")):
        got = answer(line)
        missing = "" if name == ".symtab" or source == "debug file" else "twice"
        # The linker's own names of versions are local there: old_shown, new_shown.
        text = apart(listed(got), want | ({("twice", a) for n, a in listed(got) if n == missing}))
        count.check(not text and got[0]["from"] == source and not got[0]["damage"], name,
                    f"{text} {got[0]}")
    got = answer(at("stripped"))
    count.check(got[0]["from"] == ".eh_frame" and any(f[3] == BARE for f in got[1]),
                "stripped", str(got[0]))
    got = answer(at("stripped") + "\t" + at("other"))
    count.check("build-id" in got[0]["damage"] and got[0]["from"] == ".eh_frame",
                "another object's debug file", str(got[0]))
    names = {tuple(f[4]): f for f in answer(at("full"))[1]}
    count.check(("also_shown@@V2", "shown@@V2") in names, "aliases", str(list(names)))
    count.check(any("twice@V1" in n for n in names) and any("twice@@V2" in n for n in names),
                "versions", str(list(names)))
    count.check(any(f[3] & IFUNC and "chosen@@V2" in n for n, f in names.items()), "ifunc", "")
    count.check(names.get(("starts",), [0] * 5)[3] & CONSTRUCTOR, "constructor", "")
    count.check(not any("value" in " ".join(n) or "data_by_hand" in " ".join(n) for n in names),
                "no data", "")


def check_static(args, at, count):
    for name, flags in (("static", ["-static"]), ("static-pie", ["-static-pie"])):
        if subprocess.run(["gcc", "-O1", "-DPROGRAM", *flags, "-o", at(name), at("a.c")],
                          check=False, capture_output=True).returncode:
            count.skip(name, "gcc cannot link it")
            continue
        whole, bare = symtab(at(name)), frames(at(name))
        got = dump(args, [at(name)], "--worker", args.worker)[at(name)]
        text = apart(listed(got), whole)
        count.check(not text, name + " with symbols", text)
        subprocess.run(["strip", at(name)], check=True)
        o = Object(at(name))
        bare = {a for a in bare if o.offset(a) is not None}
        facts, fns = dump(args, [at(name)], "--worker", args.worker)[at(name)]
        every = {f[1] for f in fns}
        extra = [f for f in fns if f[1] not in bare and not f[3] & (CONSTRUCTOR | IFUNC)]
        count.check(bare <= every and not extra and facts["from"] == ".eh_frame" and
                    int(facts["constructors"]) > 0 and int(facts["ifuncs"]) > 0,
                    name + " without", f"{len(bare - every)} missing, {len(extra)} extra, {facts}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    folder = os.path.dirname(os.environ.get("SAPPER", "build/src/cli/sapper"))
    parser.add_argument("--dump", default=os.path.join(folder, "../../tests/elf/functions_dump"))
    parser.add_argument("--worker", default=os.path.join(folder, "sapper-functions"))
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("roots", nargs="*")
    args = parser.parse_args()
    count = live.Count()
    if not shutil.which("readelf"):
        count.skip("functions", "readelf is not installed (package binutils)")
        count.done()
    for root in map(os.path.realpath, args.roots):
        compare(args, root, count)
    if all(map(shutil.which, ("gcc", "objcopy", "nm", "xz", "strip"))):
        made(args, count)
    else:
        count.skip("objects made here", "gcc, binutils or xz are not installed")
    count.done()


if __name__ == "__main__":
    main()
