#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: Apache-2.0
"""Packages of languages, against other readers of the same files.

Python: importlib.metadata over every folder of packages of this machine. Node: the package.json
files, by Python's json. Ruby: the gemspecs, by their names and by `gem` where it is installed. Go:
programs of this machine and of Debian's archive, by a reading of our own and by `go version -m`
where it is installed. What belongs to a Debian package is compared too, with that package's files.
"""
import importlib.metadata
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.parse

import live

# Small programs of Go in Debian's archive.
DEBIAN_GO = ["age", "direnv"]
DEBIAN_RUBY = ["libruby3.1", "rake", "ruby-nokogiri"]
MAGIC = b"\xff Go buildinf:"
LIMIT = 200       # files of a kind that are compared
GO_PROGRAMS = 10  # of this machine


def run(*command, cwd=None):
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def scan(root):
    return live.sapper_json("scan", "--no-advisories", "--format", "json", "dir:" + root)


def packages(doc, kind):
    """{(file, name, version)} of one type."""
    return sorted((p["database"], p["name"], p.get("version", "")) for p in doc["packages"]
                  if p["type"] == kind)


def compare(count, what, got, want):
    """Each package that only one of the two has is a failure; each that both have, a success."""
    for item in sorted(set(got) | set(want)):
        n, m = got.count(item), want.count(item)
        count.check(n == m, f"{what}: {item}", f"sapper: {n} times, the other: {m} times")


def copy(source, root, path):
    """One file into a root of its own, at the same path."""
    target = root + path
    os.makedirs(os.path.dirname(target), exist_ok=True)
    shutil.copyfile(source, target)
    os.chmod(target, 0o755)


def find(pattern):
    """Files of this machine, without what lies on other file systems."""
    done = run("find", *sorted({"/usr", os.path.realpath(sys.prefix)}), "-xdev", "-type", "f",
               *pattern, "-print0")
    return sorted(p for p in done.stdout.split("\0") if p)


# ---- Python -----------------------------------------------------------------------------------

def folders_of_python():
    files = find(["(", "-path", "*.dist-info/METADATA", "-o", "-path", "*.egg-info/PKG-INFO",
                  "-o", "-name", "*.egg-info", ")"])
    return sorted({os.path.dirname(p) if p.endswith(".egg-info") else
                   os.path.dirname(os.path.dirname(p)) for p in files})


def distributions(folder):
    """What importlib.metadata finds there: (file, name, version), and what it cannot read."""
    found = []
    for dist in importlib.metadata.distributions(path=[folder]):
        # the folder, or the file itself; there is no public name for it
        path = str(dist._path)  # pylint: disable=protected-access
        for name in ("", "/METADATA", "/PKG-INFO"):
            if os.path.isfile(path + name):
                path += name
                break
        found.append((path, (dist.metadata["Name"] or "").strip(),
                      (dist.metadata["Version"] or "").strip()))
    return found


def check_python(count, tmp):
    """Each folder's metadata is copied to a root, which both then read."""
    root = os.path.join(tmp, "python")
    want = []
    for folder in folders_of_python():
        want += distributions(folder)
    want = [w for w in want if w[1] and w[2]][:LIMIT]
    if not want:
        count.skip("python", "no package of Python is installed here")
        return
    for path, _, _ in want:
        copy(path, root, path)
    doc = scan(root)
    compare(count, "python", packages(doc, "pypi"), want)
    for p in doc["packages"]:
        name = re.sub(r"[-_.]+", "-", p["name"]).lower()
        purl = urllib.parse.unquote(p["purl"])
        count.check(purl == f"pkg:pypi/{name}@{p['version']}", "python: purl", purl)


# ---- Node -------------------------------------------------------------------------------------

def is_package_folder(folder):
    parts = folder.split("/")
    if len(parts) > 1 and parts[-2].startswith("@"):
        return len(parts) > 2 and parts[-3] == "node_modules"
    return len(parts) > 1 and parts[-2] == "node_modules" and parts[-1][0] not in "@."


def check_node(count, tmp):
    root = os.path.join(tmp, "node")
    files = [p for p in find(["-path", "*/node_modules/*", "-name", "package.json"])
             if is_package_folder(os.path.dirname(p))][:LIMIT]
    want = []
    for path in files:
        copy(path, root, path)
        try:
            with open(path, encoding="utf-8-sig") as f:
                fields = json.load(f)
        except ValueError:
            continue
        if isinstance(fields.get("name"), str) and isinstance(fields.get("version"), str):
            want.append((path, fields["name"], fields["version"]))
    if not want:
        count.skip("node", "no package of Node is installed here")
        return
    # What lies inside a package is none: these must not be taken for packages.
    for path in files[:20]:
        copy(path, root, os.path.join(os.path.dirname(path), "lib", "package.json"))
    compare(count, "node", packages(scan(root), "npm"), want)
    check_npm(count)


def check_npm(count):
    """The folders that `npm ls` names, in npm's own words."""
    if not shutil.which("npm"):
        count.skip("npm", "not installed")
        return
    where = run("npm", "root", "-g").stdout.strip()
    done = run("npm", "ls", "-g", "--json", "--all", "--long")
    want = []

    def walk(node):
        for child in (node.get("dependencies") or {}).values():
            folder = child.get("path")
            if folder and child.get("version") and os.path.isdir(folder):
                want.append((os.path.realpath(folder) + "/package.json", child["name"],
                             child["version"]))
            walk(child)

    try:
        walk(json.loads(done.stdout))
    except ValueError:
        pass
    want = sorted(set(want))
    real = os.path.realpath(where) if where else ""
    want = [w for w in want if w[0].startswith(real + "/")]
    if not want:
        count.skip("npm", "it lists no package")
        return
    top = os.path.dirname(real)
    got = {(top + path, name, version) for path, name, version in packages(scan(top), "npm")}
    for item in want:
        count.check(item in got, f"npm: {item}", "npm lists it, sapper does not")


# ---- Ruby -------------------------------------------------------------------------------------

def fetch(count, names, tmp):
    """Unpacks packages of Debian's archive; the folder, or None."""
    folder = os.path.join(tmp, "fetched-" + names[0])
    os.makedirs(folder)
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        count.skip(" ".join(names), "no apt-get or dpkg-deb")
        return None
    for name in names:
        run("apt-get", "download", name, cwd=folder)
    for deb in sorted(os.listdir(folder)):
        if deb.endswith(".deb"):
            run("dpkg-deb", "-x", deb, "root", cwd=folder)
    root = os.path.join(folder, "root")
    if not os.path.isdir(root):
        count.skip(" ".join(names), "cannot be downloaded here")
        return None
    return root


def gem_of_name(name):
    """NAME-VERSION[-PLATFORM].gemspec: RubyGems' own pattern of a version."""
    m = re.fullmatch(r"(.+?)-(\d[0-9A-Za-z]*(?:\.[0-9A-Za-z]+)*)(?:-(.*))?\.gemspec", name)
    return (m[1], m[2], m[3] or "")


def check_ruby(count, tmp):
    root = fetch(count, DEBIAN_RUBY, tmp)
    if not root:
        return
    extra = root + "/var/lib/gems/3.1.0/specifications"
    os.makedirs(extra)
    for name in ("nokogiri-1.15.4-x86_64-linux", "bcrypt_pbkdf-1.1.0-java", "a-2.0.0.pre1"):
        words = gem_of_name(name + ".gemspec")
        with open(f"{extra}/{name}.gemspec", "w", encoding="ascii") as f:
            f.write("# -*- encoding: utf-8 -*-\n"
                    f"# stub: {words[0]} {words[1]} {words[2] or 'ruby'} lib\n")
    want, platforms = [], {}
    for folder, _, files in os.walk(root):
        if not re.search(r"/specifications(/default)?$", folder):
            continue
        for name in files:
            if name.endswith(".gemspec"):
                path = os.path.join(folder, name)[len(root):]
                gem, version, platforms[path] = gem_of_name(name)
                want.append((path, gem, version))
    doc = scan(root)
    compare(count, "ruby", packages(doc, "gem"), want)
    for p in doc["packages"]:
        if p["type"] == "gem":
            platform = platforms.get(p["database"], "")
            count.check(p.get("arch", "") == platform, f"ruby: platform of {p['database']}",
                        f"{p.get('arch')!r}, not {platform!r}")
            tail = f"?platform={platform}" if platform else ""
            count.check(p["purl"] == f"pkg:gem/{p['name']}@{p['version']}{tail}", "ruby: purl",
                        p["purl"])


# ---- Go ---------------------------------------------------------------------------------------

def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if not data[at - 1] & 0x80:
            return value, at


def go_texts(path):
    """Version and module lines of a program, found anywhere in its bytes (inline form only)."""
    with open(path, "rb") as f:
        data = f.read()
    at = data.find(MAGIC)
    while at >= 0:
        if at % 16 == 0 and data[at + 15] & 2:
            n, pos = varint(data, at + 32)
            version = data[pos:pos + n]
            m, pos = varint(data, pos + n)
            modules = data[pos:pos + m]
            if re.match(rb"go\d|devel", version):
                framed = len(modules) > 32 and modules[-17:-16] == b"\n"
                return version.decode(), modules[16:-16].decode() if framed else ""
        at = data.find(MAGIC, at + 1)
    return None


def go_modules(version, lines):
    """[(name, version)] that a listing of modules comes to."""
    m = re.match(r"go(\d[\d.]*(?:(?:rc|beta)\d+)?)", version)
    found = [("stdlib", m[1] if m else "")]
    for line in lines:
        f = line.split("\t")
        if f[0] in ("mod", "dep"):
            known = len(f) > 2 and f[2] != "(devel)"
            found.append((f[1], f[2] if known else ""))
        elif f[0] == "=>":
            local = f[1].startswith((".", "/"))
            found[-1] = (found[-1][0], "") if local else (f[1], f[2])
    return found


def has_go_mark(path):
    """Go's linker names its sections at the beginning or the end of the file."""
    with open(path, "rb") as f:
        head = f.read(4096)
        f.seek(-min(65536, os.path.getsize(path)), os.SEEK_END)
        return head[:4] == b"\x7fELF" and b".go.buildinfo" in head + f.read()


def check_go_root(count, root, programs):
    """programs: paths inside the root."""
    tool = shutil.which("go")
    found = packages(scan(root), "golang")
    for path in programs:
        texts = go_texts(root + path)
        if not texts:
            continue
        got = sorted(p[1:] for p in found if p[0] == path)
        want = sorted(go_modules(texts[0], texts[1].splitlines()))
        count.check(got == want, f"go: {path}", f"{set(got) ^ set(want)}")
        said = run(tool, "version", "-m", root + path).stdout.splitlines() if tool else []
        if said:
            words = go_modules(said[0].split(": ", 1)[1], [s.strip("\t") for s in said[1:]])
            count.check(got == sorted(words), f"go version -m {path}",
                        f"{set(got) ^ set(words)}")
    strangers = sorted({p[0] for p in found} - set(programs))
    count.check(not strangers, "go: no other program", ", ".join(strangers[:5]))


def check_go(count, tmp):
    files = find(["-perm", "/111", "-size", "+300k", "-size", "-40M"])
    root = os.path.join(tmp, "go")
    programs = list(itertools.islice((p for p in files if has_go_mark(p) and go_texts(p)),
                                     GO_PROGRAMS))
    for path in programs:
        copy(path, root, path)
    if programs:
        check_go_root(count, root, programs)
    else:
        count.skip("go", "no program of Go is installed here")
    fetched = fetch(count, DEBIAN_GO, tmp)
    if fetched:
        programs = ["/usr/bin/" + n for n in sorted(os.listdir(fetched + "/usr/bin"))]
        check_go_root(count, fetched, programs)


def main():
    count = live.Count()
    with tempfile.TemporaryDirectory(prefix="sapper-languages-") as tmp:
        tmp = os.path.realpath(tmp)
        for check in (check_python, check_node, check_ruby, check_go):
            try:
                check(count, tmp)
            except (RuntimeError, ValueError, OSError, KeyError) as e:
                count.check(False, check.__name__, repr(e))
    count.done()


if __name__ == "__main__":
    sys.exit(main())
