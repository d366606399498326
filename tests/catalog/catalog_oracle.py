#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The catalog against the package managers' own tools.

    catalog_oracle.py CATALOG_DUMP ROOT...

Each ROOT is compared with dpkg-query, apt-mark and pacman as far as they are installed, and
with a second reading in Python where they are not (apk). Further roots are the debian-* that
tests/roots/make-roots has made; SAP_SHARED names the folder with the samples. A small database
with every odd case is made with dpkg itself where this runs as root. Ends with "N passed, N
failed".
"""
import base64
import glob
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

PASSED = FAILED = 0
KINDS = {"1": "Depends", "2": "Pre-Depends", "3": "Recommends", "4": "Suggests",
         "5": "Provides", "6": "Conflicts"}
DIGESTS = {"0": "", "1": "md5", "2": "sha1", "3": "sha256"}


def check(what, got, want):
    """Compares two sets, lists or dicts, and shows the first differences."""
    global PASSED, FAILED
    if got == want:
        PASSED += 1
        return
    FAILED += 1
    print("FAILED:", what)
    if isinstance(got, dict):
        got, want = set(got.items()), set(want.items())
    for word, rest in (("only ours", set(got) - set(want)), ("only theirs", set(want) - set(got))):
        for item in sorted(rest, key=repr)[:5]:
            print("    %s: %r" % (word, item))
        if len(rest) > 5:
            print("    %s: %d more" % (word, len(rest) - 5))


def skip(what, why):
    print("skipped: %s: %s" % (what, why))


def run(*args, ok=(0,)):
    env = dict(os.environ, LC_ALL="C.UTF-8")
    done = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env,
                          check=False)
    if done.returncode not in ok:
        raise RuntimeError("%s: %s" % (" ".join(args[:6]), done.stderr.decode()[:300]))
    return done.stdout.decode("utf-8", "surrogateescape")


def unescape(text):
    raw = re.sub(rb"\\x([0-9a-f]{2})", lambda m: bytes([int(m.group(1), 16)]),
                 text.encode("utf-8", "surrogateescape"))
    return raw.decode("utf-8", "surrogateescape")


class Dump:
    """What catalog_dump says."""

    def __init__(self, dump, root):
        self.os = None
        self.packages = {}
        self.diagnostics = []
        for line in run(dump, root).split("\n"):
            field = [unescape(f) for f in line.split("\t")]
            if field[0] == "os":
                self.os = dict(zip(("source", "id", "version_id", "codename", "name", "pretty_name",
                                    "point_release", "id_like"), field[1:]))
            elif field[0] == "package":
                names = ("type", "name", "version", "arch", "source", "source_version", "auto",
                         "broken", "essential", "time", "size", "licence", "maintainer", "vendor",
                         "section", "database")
                self.packages[field[1]] = dict(zip(names, field[2:]), files={}, relations=[])
            elif field[0] == "relation":
                self.packages[field[1]]["relations"].append((KINDS[field[2]], field[3]))
            elif field[0] == "file":
                self.packages[field[1]]["files"][field[2]] = (int(field[3]), DIGESTS[field[4]],
                                                              field[5])
            elif field[0] == "diagnostic":
                self.diagnostics.append(field[1:])

    def of(self, kind):
        return [p for p in self.packages.values() if p["type"] == kind]


# ---- dpkg ----------------------------------------------------------------------------------

def dpkg_fields(admindir, *fields):
    """One row a package that is unpacked, whatever the field's text."""
    mark = "\x1f"
    form = mark.join("${%s}" % f for f in ("db:Status-Abbrev",) + fields) + "\x1e"
    rows = run("dpkg-query", "--admindir=" + admindir, "-W", "-f", form, ok=(0, 1)).split("\x1e")
    rows = [row.split(mark) for row in rows if mark in row]
    return [row[1:] for row in rows if row[0][1:2] not in ("n", "c")]


def check_dpkg_fields(ours, admindir, root):
    rows = dpkg_fields(admindir, "Package", "Version", "Architecture", "source:Package",
                       "source:Version")
    check(root + ": dpkg packages",
          {(p["name"], p["version"], p["arch"], p["source"], p["source_version"]) for p in ours},
          {tuple(row) for row in rows})
    check(root + ": no package twice", len(ours), len(rows))
    rows = dpkg_fields(admindir, "Package", "Architecture", "Maintainer", "Section", "Origin",
                       "Installed-Size", "Essential", "Protected", "db:Status-Eflag",
                       "db:Status-Status")
    sound = ("installed", "triggers-awaited", "triggers-pending")
    check(root + ": dpkg fields",
          {(p["name"], p["arch"], p["maintainer"], p["section"], p["vendor"], p["size"],
            p["essential"], p["broken"]) for p in ours},
          {(r[0], r[1], r[2], r[3], r[4], str(int(r[5] or "0") * 1024),
            "yes" if "yes" in (r[6], r[7]) else "no",
            "ok" if r[8] == "ok" and r[9] in sound else "broken") for r in rows})
    rows = dpkg_fields(admindir, "Package", "Architecture", "db-fsys:Last-Modified")
    check(root + ": dpkg install times",
          {(p["name"], p["arch"]): p["time"] for p in ours},
          {(r[0], r[1]): r[2] or "0" for r in rows})
    fields = ("Depends", "Pre-Depends", "Recommends", "Suggests", "Provides", "Conflicts", "Breaks")
    theirs = set()
    for row in dpkg_fields(admindir, "Package", "Architecture", *fields):
        for field, text in zip(fields, row[2:]):
            for part in text.split(", ") if text else []:
                theirs.add((row[0], row[1], "Conflicts" if field == "Breaks" else field, part))
    check(root + ": dpkg relations",
          {(p["name"], p["arch"], kind, text) for p in ours for kind, text in p["relations"]},
          theirs)


def dpkg_listed(admindir, names):
    """Package to paths and where they really are, by dpkg-query -L, folders left out."""
    blocks = run("dpkg-query", "--admindir=" + admindir, "-L", *names, ok=(0, 1)).split("\n\n")
    result = {}
    for name, block in zip(names, blocks):
        paths, at, seen = [], {}, set()
        for line in block.split("\n"):
            moved = re.match(r"(?:diverted by .* to|locally diverted to): (/.*)$", line)
            if moved:
                at[paths[-1]] = moved.group(1)
            elif line.startswith("/") and line != "/.":
                paths.append(line)
        for path in paths:
            while "/" in path[1:]:
                path = path.rsplit("/", 1)[0]
                seen.add(path)
        result[name] = {path: at.get(path, path) for path in paths if path not in seen}
    return result


def qualified(package, same):
    return package["name"] + (":" + package["arch"] if same else "")


def check_dpkg_files(ours, admindir, root):
    same = {(r[0], r[1]) for r in dpkg_fields(admindir, "Package", "Architecture", "Multi-Arch")
            if r[2] == "same"}
    by_name = {qualified(p, (p["name"], p["arch"]) in same): p for p in ours}
    names = sorted(n for n in by_name
                   if os.path.exists("%s/info/%s.list" % (admindir, n)))
    if not names:
        return
    theirs = dpkg_listed(admindir, names)
    check(root + ": dpkg lists",
          {(n, path) for n in names for path in by_name[n]["files"]},
          {(n, path) for n in names for path in theirs[n].values()})
    want = set()
    for name in names:
        md5s = "%s/info/%s.md5sums" % (admindir, name)
        if os.path.exists(md5s):
            with open(md5s, encoding="utf-8", errors="surrogateescape") as lines:
                for line in lines:
                    path = "/" + line.rstrip("\n")[34:]
                    want.add((name, theirs[name].get(path, path), line[:32]))
    conffiles = {}
    for row in dpkg_fields(admindir, "Package", "Architecture", "Conffiles"):
        for line in row[2].split("\n"):
            word = line.split()
            if len(word) >= 2 and word[1] != "newconffile":
                name = row[0] + (":" + row[1] if (row[0], row[1]) in same else "")
                conffiles[(name, word[0])] = word[1]
    got = {(n, path, digest) for n in names
           for path, (flags, _, digest) in by_name[n]["files"].items()
           if digest and not flags & 1}
    want = {w for w in want if w[:2] not in conffiles and w[1] in by_name[w[0]]["files"]}
    check(root + ": dpkg digests", got, want)
    check(root + ": dpkg configuration files",
          {(n, path): digest for n in names
           for path, (flags, _, digest) in by_name[n]["files"].items() if flags & 1 and digest},
          {key: digest for key, digest in conffiles.items()
           if key[0] in by_name and key[1] in by_name[key[0]]["files"]})


def check_auto(ours, root):
    if not shutil.which("apt-mark"):
        skip(root + ": apt-mark", "not installed")
        return
    with tempfile.TemporaryDirectory() as cache:
        options = ["Dir::State=%s/var/lib/apt" % root, "Dir::Cache=" + cache,
                   "Dir::State::status=%s/var/lib/dpkg/status" % root,
                   "Dir::State::lists=" + cache]
        words = run("apt-mark", *[w for o in options for w in ("-o", o)], "showauto").split()
    check(root + ": apt-mark showauto",
          {p["name"] for p in ours if p["auto"] == "yes"}, {w.split(":")[0] for w in words})


def check_dpkg(dump, root):
    admindir = root.rstrip("/") + "/var/lib/dpkg"
    if not os.path.exists(admindir + "/status"):
        return
    if not shutil.which("dpkg-query"):
        skip(root + ": dpkg", "dpkg-query is not installed")
        return
    ours = dump.of("deb")
    check_dpkg_fields(ours, admindir, root)
    check_dpkg_files(ours, admindir, root)
    if os.path.isdir(root.rstrip("/") + "/var/lib/apt"):
        check_auto(ours, root.rstrip("/"))


def build_deb(folder, control, files, conffiles=()):
    """A package of files (path to text; None: a folder; "-> x": a link), built by dpkg-deb."""
    name = re.search(r"^Package: (.*)$", control, re.M).group(1)
    tree = os.path.join(folder, name + ".tree")
    shutil.rmtree(tree, ignore_errors=True)
    os.makedirs(tree + "/DEBIAN")
    for path, text in files.items():
        place = tree + path
        os.makedirs(place if text is None else os.path.dirname(place), exist_ok=True)
        if text is not None and text.startswith("-> "):
            os.symlink(text[3:], place)
        elif text is not None:
            with open(place, "w", encoding="utf-8") as out:
                out.write(text)
    with open(tree + "/DEBIAN/control", "w", encoding="utf-8") as out:
        out.write(control)
    if conffiles:
        with open(tree + "/DEBIAN/conffiles", "w", encoding="utf-8") as out:
            out.write("".join(c + "\n" for c in conffiles))
    deb = os.path.join(folder, name + ".deb")
    run("dpkg-deb", "--root-owner-group", "-b", tree, deb)
    return deb


def control_of(name, version="1.0-1", arch="all", extra=""):
    return ("Package: %s\nVersion: %s\nArchitecture: %s\nMaintainer: Nobody <nobody@example.org>\n"
            "%sDescription: a test\n more text\n" % (name, version, arch, extra))


def made_by_dpkg(dump):
    """Every odd case, in a database that dpkg makes."""
    if os.geteuid() != 0 or not shutil.which("dpkg-deb"):
        skip("a database made by dpkg", "needs root and dpkg")
        return
    with tempfile.TemporaryDirectory() as work:
        root = work + "/root"
        for part in ("info", "updates", "triggers"):
            os.makedirs("%s/var/lib/dpkg/%s" % (root, part))
        for part in ("status", "available"):
            with open("%s/var/lib/dpkg/%s" % (root, part), "w", encoding="utf-8"):
                pass
        arch = run("dpkg", "--print-architecture").strip()
        dpkg = ["dpkg", "--root=" + root, "--force-not-root", "--force-depends",
                "--log=" + work + "/log"]
        run(*dpkg, "-i",
            build_deb(work, control_of("plain", "2:1.0-1+b1", arch,
                                       "Source: plain-src (2:1.0-1)\nSection: libs\n"
                                       "Installed-Size: 7\n"
                                       "Depends: a (>= 1), b | c,\n d (<< 2)\n"),
                      {"/usr/bin/plain": "x", "/usr/share/a b c": "y", "/usr/lib/l": "-> x",
                       "/usr/lib/d/zz": "-> ../l", "/usr/lib/d.x": "z", "/usr/lib/d/f": "q",
                       "/var/empty": None, "/usr/share/w\\x2d": "v", "/etc/plain.conf": "c"},
                      ["/etc/plain.conf"]),
            build_deb(work, control_of("same", "1", arch, "Multi-Arch: same\n"),
                      {"/usr/lib/same.so": "s", "/etc/same": "e"}, ["/etc/same"]),
            build_deb(work, control_of("diverter"), {"/usr/bin/plain.new": "n",
                                                     "/usr/bin/tool": "t"}),
            build_deb(work, control_of("gone"), {"/etc/gone": "g", "/usr/g": "g"}, ["/etc/gone"]),
            build_deb(work, control_of("purged"), {"/usr/p": "g"}))
        divert = ["dpkg-divert", "--root=" + root, "--no-rename"]
        run(*divert, "--package", "diverter", "--divert", "/usr/bin/plain.real", "--add",
            "/usr/bin/plain")
        run(*divert, "--local", "--divert", "/usr/bin/tool.local", "--add", "/usr/bin/tool")
        run(*dpkg, "-r", "gone")
        run(*dpkg, "-P", "purged")
        run(*dpkg, "--unpack", build_deb(work, control_of("half"), {"/usr/h": "h"}))
        run(*dpkg, "-i", build_deb(work, control_of("essential", extra="Essential: yes\n"),
                                   {"/usr/e": "e"}))
        compare(dump, root)
        # The journal: a stanza that is not merged yet.
        status = run("dpkg-query", "--admindir=%s/var/lib/dpkg" % root, "-s", "half")
        with open(root + "/var/lib/dpkg/updates/0000", "w", encoding="utf-8") as out:
            out.write(re.sub(r"^Status: .*$", "Status: install reinstreq half-installed", status,
                             flags=re.M))
        compare(dump, root)


# ---- pacman --------------------------------------------------------------------------------

def check_pacman(dump, root):
    local = root.rstrip("/") + "/var/lib/pacman/local"
    if not os.path.isdir(local):
        return
    if not shutil.which("pacman"):
        skip(root + ": pacman", "not installed")
        return
    ours = dump.of("alpm")
    with tempfile.TemporaryDirectory() as work:
        # A copy, because pacman wants a version file, and locks.
        shutil.copytree(local, work + "/local")
        if not os.path.exists(work + "/local/ALPM_DB_VERSION"):
            with open(work + "/local/ALPM_DB_VERSION", "w", encoding="utf-8") as out:
                out.write("9\n")
        tool = ("pacman", "--dbpath", work, "--config", "/dev/null")

        def query(letters):
            lines = run(*tool, "-Q" + letters, ok=(0, 1)).split("\n")
            return {tuple(line.split(" ", 1)) for line in lines if " " in line}

        check(root + ": pacman -Q", {(p["name"], p["version"]) for p in ours}, query(""))
        check(root + ": pacman -Qd", {(p["name"], p["version"]) for p in ours
                                      if p["auto"] == "yes"}, query("d"))
        check(root + ": pacman -Ql", {(p["name"], path) for p in ours for path in p["files"]},
              {(n, path) for n, path in query("l") if not path.endswith("/")})
        fields = {}
        for line in run(*tool, "-Qi", ok=(0, 1)).split("\n"):
            key, colon, value = line.partition(" : ")
            if not colon:
                continue
            key = key.strip()
            if key == "Name":
                name = value
            fields[(name, key)] = value.strip()
        for package in ours:
            name = package["name"]
            arch = package["arch"] or "None"
            licence = package["licence"].replace(", ", "  ") or "None"
            want = [fields.get((name, key), "None")
                    for key in ("Architecture", "Packager", "Licenses")]
            want[1] = "None" if want[1] == "Unknown Packager" else want[1]
            check("%s: pacman -Qi %s" % (root, name),
                  [arch, package["maintainer"] or "None", licence], want)
            depends = [t for k, t in package["relations"] if k == "Depends"]
            check("%s: pacman -Qi %s: depends" % (root, name), depends,
                  [w for w in fields.get((name, "Depends On"), "None").split() if w != "None"])


# ---- apk: no tool in Debian, so a second reading ---------------------------------------------

def apk_digest(text):
    if text.startswith("Q1") or text.startswith("Q2"):
        return base64.b64decode(text[2:]).hex()
    return text


def check_apk(dump, root):
    db = root.rstrip("/") + "/lib/apk/db/installed"
    if not os.path.exists(db):
        return
    with open(db, encoding="utf-8", errors="surrogateescape") as text:
        records = text.read().split("\n\n")
    packages, files = set(), set()
    for record in records:
        lines = [line.split(":", 1) for line in record.split("\n") if line[1:2] == ":"]
        field = dict(lines)
        if "P" not in field or "V" not in field:
            continue
        packages.add((field["P"], field["V"], field.get("A", ""), field.get("o", field["P"])))
        folder = name = None
        for letter, value in lines:
            if letter == "F":
                folder = value
            elif letter == "R":
                name = os.path.join("/", folder, value)
                files.add((field["P"], name, ""))
            elif letter == "Z":
                files.discard((field["P"], name, ""))
                files.add((field["P"], name, apk_digest(value)))
    ours = dump.of("apk")
    check(root + ": apk packages",
          {(p["name"], p["version"], p["arch"], p["source"]) for p in ours}, packages)
    check(root + ": apk files",
          {(p["name"], path, entry[2]) for p in ours for path, entry in p["files"].items()}, files)


# ---- the system ------------------------------------------------------------------------------

def check_os(dump, root):
    for place in ("/etc/os-release", "/usr/lib/os-release"):
        path = root.rstrip("/") + place
        if os.path.islink(path) or not os.path.exists(path):
            continue
        with open(path, encoding="utf-8") as lines:
            fields = dict(shlex.split(line)[0].split("=", 1) for line in lines
                          if "=" in line and not line.startswith("#"))
        names = ("ID", "VERSION_ID", "VERSION_CODENAME", "NAME", "PRETTY_NAME", "ID_LIKE")
        keys = ("id", "version_id", "codename", "name", "pretty_name", "id_like")
        check(root + ": os-release", [dump.os[k] for k in keys], [fields.get(n, "") for n in names])
        return


def compare(program, root):
    dump = Dump(program, root)
    check_os(dump, root)
    check_dpkg(dump, root)
    check_pacman(dump, root)
    check_apk(dump, root)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    roots = list(sys.argv[2:])
    cache = os.environ.get("SAPPER_TEST_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "sapper-test-roots")
    made = sorted(glob.glob(cache + "/debian-[0-9][0-9]/"))
    roots += made
    if not made:
        skip("Debian roots", "tests/roots/make-roots has made none")
    samples = os.path.join(os.environ.get("SAP_SHARED", ""), "vectors/packages")
    if os.path.isdir(samples):
        roots += [os.path.join(samples, name) for name in ("apk", "apk-corrupt", "pacman")]
    else:
        skip("samples", "SAP_SHARED names no folder with vectors/packages")
    for root in roots:
        compare(sys.argv[1], root)
    made_by_dpkg(sys.argv[1])
    print("%d passed, %d failed" % (PASSED, FAILED))
    sys.exit(FAILED != 0)


if __name__ == "__main__":
    main()
