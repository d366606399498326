#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compares what src/elf reads of ELF files with what readelf says of them.

usage: readelf_oracle.py --dump ELF_DUMP [--relocs] FILE|FOLDER...

Every ELF file below the folders, each file once. Compared: class, byte order, machine, type,
interpreter, soname, needed, rpath, runpath, filters, flags, segments, build-id, notes, versions
needed and defined, and every dynamic symbol with its version (and the file it is expected
from); with --relocs the IRELATIVE relocations too. A file that src/elf calls damaged is no
failure where readelf warns about it, and is listed. Ends with "N passed, N failed".
"""
import argparse
import os
import re
import stat
import subprocess
import sys

BATCH = 40
UNNAMED = '<no-name>'


def elf_files(roots):
    seen = set()
    for root in roots:
        walk = os.walk(root) if os.path.isdir(root) else [(os.path.dirname(root), [], [os.path.basename(root)])]
        for folder, folders, names in walk:
            folders.sort()
            for name in sorted(names):
                path = os.path.join(folder, name)
                try:
                    st = os.lstat(path)
                    if not stat.S_ISREG(st.st_mode) or (st.st_dev, st.st_ino) in seen or '\n' in path:
                        continue
                    with open(path, 'rb') as f:
                        if f.read(4) != b'\x7fELF':
                            continue
                except OSError:
                    continue
                seen.add((st.st_dev, st.st_ino))
                yield path


class Facts(dict):
    """Key to a list of values."""

    def add(self, key, value):
        self.setdefault(key, []).append(value)


def ours(dump, paths):
    out = subprocess.run([dump], input='\n'.join(paths) + '\n', stdout=subprocess.PIPE, check=True,
                         text=True, errors='replace').stdout
    result, facts = {}, None
    for line in out.split('\n'):
        if not line:
            continue
        key, _, value = line.partition('\t')
        if key == 'file':
            facts = result[value] = Facts()
        else:
            facts.add(key, value)
    return result


RE_DYN = re.compile(r'^ 0x[0-9a-f]+ \((\w+)\)\s+(.*)$')
RE_PHDR = re.compile(r'^  (\S+)\s+0x([0-9a-f]+) 0x[0-9a-f]+ 0x[0-9a-f]+ 0x([0-9a-f]+) 0x([0-9a-f]+) ([R ][W ][E ])')
RE_SYM = re.compile(r'^ *(\d+): ([0-9a-f]+) +\S+ (\S+) +(\S+) +\S+ +(?:\[[^\]]*\] +)?(\S+)(?: (.*))?$')
RE_NOTE_SECTION = re.compile(r'^  \[ *\d+\] \.note\.gnu\.build-id +NOTE +[0-9a-f]+ ([0-9a-f]+) ([0-9a-f]+) ')
RE_NEED = re.compile(r'^  \S+: Version: \d+  File: (.*)  Cnt: \d+$')
RE_AUX = re.compile(r'^  \S+:   Name: (.*)  Flags: (.*?) +Version: (\d+)$')
RE_DEF = re.compile(r'^  \S+: Rev: \d+  Flags: (.*?) +Index: (\d+)  Cnt: (\d+)  Name: (.*)$')
NAMES = {'NEEDED': 'needed', 'SONAME': 'soname', 'RPATH': 'rpath', 'RUNPATH': 'runpath',
         'FILTER': 'filter', 'AUXILIARY': 'auxiliary'}


class Readelf:
    """Parses the output of readelf for one file."""

    def __init__(self):
        self.facts = Facts()
        self.dyn_flags, self.flags_1, self.tags = set(), set(), {}
        self.files = {}
        self.file = ''
        self.part = ''
        self.seen_part = set()
        self.symbols = []
        self.warned = False
        self.note_section = None

    def line(self, line):
        if line.startswith('readelf: ') or '<corrupt' in line:
            self.warned = True
        elif line.startswith('Symbol table '):
            self.part = 'symbols' if "'.dynsym'" in line or 'for image' in line else ''
        elif line.startswith('Dynamic section') or line.startswith('Dynamic segment'):
            self.part = 'dynamic'
        elif line.startswith('Version needs section'):
            self.part = 'needs'
        elif line.startswith('Version definition section'):
            self.part = 'defs'
        elif line.startswith('Version symbols section'):
            self.part = ''
        elif line.startswith('Displaying notes') or line.startswith('Notes at offset'):
            self.part = 'notes'
        elif line.startswith('Section Headers:'):
            self.part = 'sections'
        elif line.startswith('Program Headers:'):
            self.part = 'phdrs'
        elif line.startswith(' Section to Segment') or line.startswith('ELF Header:'):
            self.part = 'header' if line.startswith('ELF') else ''
        else:
            getattr(self, 'in_' + self.part, lambda _: None)(line)

    def in_header(self, line):
        key, _, value = line.strip().partition(':')
        value = value.strip()
        if key in ('Class', 'Data', 'Type', 'Entry point address'):
            self.facts.add('h ' + key, value)

    def in_sections(self, line):
        m = RE_NOTE_SECTION.match(line)
        if m:
            self.note_section = int(m[1], 16)

    def in_phdrs(self, line):
        m = RE_PHDR.match(line)
        if m:
            self.facts.add('phdr', (m[1], int(m[3], 16), int(m[4], 16), m[5], int(m[2], 16)))
        elif 'Requesting program interpreter: ' in line:
            self.facts.add('interp', line.split('interpreter: ', 1)[1].rstrip().removesuffix(']'))

    def in_dynamic(self, line):
        m = RE_DYN.match(line)
        if not m:
            return
        tag, value = m[1], m[2]
        self.tags[tag] = value
        if tag in NAMES:
            self.facts.add(NAMES[tag], value.partition('[')[2].removesuffix(']'))
        elif tag == 'FLAGS':
            self.dyn_flags |= set(value.split())
        elif tag == 'FLAGS_1':
            self.flags_1 |= set(value.partition(':')[2].split())

    def in_needs(self, line):
        m = RE_NEED.match(line)
        if m:
            self.file = m[1]
            return
        m = RE_AUX.match(line)
        if m:
            self.facts.add('verneed', '%s\t%s\t%d' % (self.file, m[1], 'WEAK' in m[2]))
            self.files[int(m[3])] = self.file

    def in_defs(self, line):
        m = RE_DEF.match(line)
        if m and 'BASE' not in m[1] and int(m[3]):
            self.facts.add('verdef', m[4])

    def in_notes(self, line):
        for key, words in (('build_id', 'Build ID: '), ('package_note', 'Packaging Metadata: ')):
            _, found, text = line.partition(words)
            if found and text.strip() not in self.facts.get(key, []):
                self.facts.add(key, text.strip())

    def in_symbols(self, line):
        # Bindings and types of another OSABI.
        m = RE_SYM.match(re.sub(r'<(\w+) specific>: ', r'\1', line))
        if not m or m[1] == '0' or m[4] == 'LOCAL' or m[3] in ('SECTION', 'FILE'):
            return
        name, version, hidden, file = m[6] or '', '', False, ''
        defined = m[5] != 'UND'
        k = re.match(r'^(.*?)(@@?)([^@ ]*)(?: \((\d+)\))?$', name)
        if k:
            name, version = k[1], k[3]
            hidden = defined and k[2] == '@' and not k[4]
            if not defined and k[4]:
                file = self.files.get(int(k[4]), '?')
        if name == UNNAMED:
            name = ''
        self.symbols.append((defined, name, version, hidden, m[3] == 'IFUNC' and defined, file))


def flags_of(r):
    """The flags that readelf's words imply."""
    phdrs = r.facts.get('phdr', [])
    stack = [p for p in phdrs if p[0] == 'GNU_STACK']
    kind = r.facts['h Type'][0].split()[0]
    checks = {
        'relro': any(p[0] == 'GNU_RELRO' for p in phdrs),
        'execstack': any('E' in p[3] for p in stack),
        'no_stack_note': not stack and bool(phdrs) and kind in ('EXEC', 'DYN'),
        'rwx': any(p[0] == 'LOAD' and p[3] == 'RWE' for p in phdrs),
        'dynamic': any(p[0] == 'DYNAMIC' and p[1] for p in phdrs),
        'bind_now': 'BIND_NOW' in r.dyn_flags or 'NOW' in r.flags_1 or 'BIND_NOW' in r.tags,
        'textrel': 'TEXTREL' in r.dyn_flags or 'TEXTREL' in r.tags,
        'symbolic': 'SYMBOLIC' in r.dyn_flags or 'SYMBOLIC' in r.tags,
        'origin': 'ORIGIN' in r.dyn_flags or 'ORIGIN' in r.flags_1,
        'nodeflib': 'NODEFLIB' in r.flags_1,
        'nodelete': 'NODELETE' in r.flags_1,
        'initfirst': 'INITFIRST' in r.flags_1,
        'global': 'GLOBAL' in r.flags_1,
        'pie': kind == 'DYN' and ('PIE' in r.flags_1 or 'interp' in r.facts),
        'versions': 'VERNEED' in r.tags or 'VERDEF' in r.tags,
    }
    return {name for name, holds in checks.items() if holds}


COMPARED_FLAGS = {'relro', 'execstack', 'no_stack_note', 'rwx', 'dynamic', 'bind_now', 'textrel',
                  'symbolic', 'origin', 'nodeflib', 'nodelete', 'initfirst', 'global', 'pie', 'versions'}


def constructors(r, word):
    n = 'INIT' in r.tags
    for name in ('INIT_ARRAY', 'PREINIT_ARRAY'):
        if name in r.tags:
            n += int(r.tags.get(name + 'SZ', '0 ').split()[0]) // word
    return n


def our_symbols(mine):
    out = []
    for line in mine.get('symbol', []):
        kind, flags, _, version, file, name = line.split('\t', 5)
        flags = int(flags)
        if kind == 'def' and name == version:
            version = ''  # the symbol that stands for the version: readelf prints it bare
        out.append((kind == 'def', name, version, bool(flags & 32), bool(flags & 2), file))
    return out


def ident_of(path):
    with open(path, 'rb') as f:
        head = f.read(52)
    order = 'little' if head[5] == 1 else 'big'
    at = 36 if head[4] == 1 else 48
    with open(path, 'rb') as f:
        f.seek(at)
        e_flags = int.from_bytes(f.read(4), order)
    return '%d %d %d %d %d %x' % (head[4], head[5], head[7], int.from_bytes(head[16:18], order),
                                  int.from_bytes(head[18:20], order), e_flags)


def differences(path, mine, r, irelative):
    """Yields (what, ours, theirs)."""
    theirs = r.facts
    yield 'ident', mine.get('ident', ['none'])[0], ident_of(path)
    for key in ('needed', 'filter', 'auxiliary', 'verneed', 'verdef'):
        yield key, mine.get(key, []), theirs.get(key, [])
    for key in ('soname', 'rpath', 'runpath'):
        yield key, mine.get(key, []), theirs.get(key, [])[-1:]
    # Go's linker leaves the section of the build-id outside of every PT_NOTE: no loader, no
    # kernel and no src/elf sees it.
    notes = [p for p in theirs.get('phdr', []) if p[0] == 'NOTE']
    if r.note_section and not any(p[4] <= r.note_section < p[4] + p[1] for p in notes):
        theirs.pop('build_id', None)
    for key in ('interp', 'build_id', 'package_note'):
        yield key, mine.get(key, []), theirs.get(key, [])[:1]
    yield 'flags', set(mine.get('flag', [])) & COMPARED_FLAGS, flags_of(r)
    loads = [p for p in theirs.get('phdr', []) if p[0] == 'LOAD']
    yield 'mapped', mine['mapped'][0], str(sum(p[2] for p in loads))
    yield 'code', mine['code'][0], str(sum(p[1] for p in loads if 'E' in p[3]))
    defined, imported, ifuncs, n_irelative, n_constructors = map(int, mine['counts'][0].split())
    symbols = r.symbols
    yield 'defined', defined, sum(1 for s in symbols if s[0])
    yield 'imported', imported, sum(1 for s in symbols if not s[0])
    yield 'ifuncs', ifuncs, sum(1 for s in symbols if s[4])
    word = 4 if mine['ident'][0].startswith('1') else 8
    yield 'constructors', n_constructors, constructors(r, word)
    yield 'symbols', our_symbols(mine), symbols
    if irelative is not None:
        yield 'irelative', n_irelative, irelative


def short(mine, theirs):
    if isinstance(mine, list) and isinstance(theirs, list) and len(mine) == len(theirs):
        pairs = [(a, b) for a, b in zip(mine, theirs) if a != b]
        mine, theirs = [p[0] for p in pairs], [p[1] for p in pairs]
    return '%.300r, readelf: %.300r' % (mine, theirs)


def run_readelf(options, paths):
    """Path to lines of output; readelf heads each file's with its name only where it is given
    several."""
    out = subprocess.run(['readelf', '-W'] + options + paths + ['/dev/null'], stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True, errors='replace',
                         env=dict(os.environ, LC_ALL='C')).stdout
    result, lines = {}, []
    for line in out.split('\n'):
        if line.startswith('File: ') and line[6:] in paths:
            lines = result[line[6:]] = []
        else:
            lines.append(line)
    return result


def theirs_of(paths, relocs):
    result = {}
    for path, lines in run_readelf(['-h', '-S', '-l', '-d', '-n', '-V', '--dyn-syms'], paths).items():
        result[path] = r = Readelf()
        # Versions come behind the symbols that refer to them.
        for part in ('Version', None):
            for line in lines if part is None else versions_only(lines):
                r.line(line) if part is None or not line.startswith('readelf') else None
            if part:
                r.facts.pop('verneed', None)
                r.facts.pop('verdef', None)
    counts = {}
    if relocs:
        for path, lines in run_readelf(['-r'], paths).items():
            counts[path] = sum(1 for line in lines if '_IRELATIV' in line)
    return result, counts


def versions_only(lines):
    inside = False
    for line in lines:
        if line.startswith('Version needs section'):
            inside = True
        elif line and not line.startswith(' '):
            inside = False
        if inside:
            yield line


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--dump', required=True)
    parser.add_argument('--relocs', action='store_true')
    parser.add_argument('targets', nargs='+')
    args = parser.parse_args()
    paths = list(elf_files(args.targets))
    passed = failed = damaged = 0
    for i in range(0, len(paths), BATCH):
        batch = paths[i:i + BATCH]
        mine = ours(args.dump, batch)
        theirs, counts = theirs_of(batch, args.relocs)
        for path in batch:
            m, r = mine[path], theirs.get(path)
            if 'damaged' in m.get('flag', []) or 'error' in m:
                damaged += 1
                print('%s: %s' % (path, '; '.join(m.get('fault', []) + m.get('error', []))))
                if r is None or r.warned:
                    passed += 1
                    continue
            if r is None or 'error' in m:
                diffs = ['only one of the two could read it']
            else:
                diffs = ['%s: %s' % (what, short(a, b))
                         for what, a, b in differences(path, m, r, counts.get(path)) if a != b]
            if diffs:
                failed += 1
                for text in diffs:
                    print('%s: %s' % (path, text))
            else:
                passed += 1
    if damaged:
        print('%d damaged' % damaged)
    print('%d passed, %d failed' % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == '__main__':
    sys.exit(main())
