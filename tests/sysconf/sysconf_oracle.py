#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""sysconf_oracle.py SYSCONF_DUMP [ROOT...]: what sysconf reads of each root (default: /)
against what others say: ldconfig -p (cache), ldconfig -v (ld.so.conf), systemctl --root
(units and their state), and small parsers of its own (pam.d, nsswitch.conf, Exec lines).
Caches in all formats are made in a scratch root. Ends with "N passed, N failed"."""
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

ABI = {0x0001: "ELF", 0x0003: "libc6", 0x0303: "libc6,x86-64", 0x0803: "libc6,x32", 0x0A03: "libc6,AArch64",
       0x0403: "libc6,64bit", 0x0903: "libc6,hard-float", 0x0503: "libc6,64bit"}
passed = failed = 0


def check(ok, what, *details):
    global passed, failed
    if ok:
        passed += 1
        return
    failed += 1
    print("FAILED:", what)
    for d in details:
        print("   ", d)


def skip(what, why):
    print(f"skipped: {what}: {why}")


def tool(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def run(*args):
    p = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       env={"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    return p.stdout.decode("utf-8", "replace")


def dump(program, root):
    rows = {}
    for line in run(program, root).splitlines():
        kind, *rest = line.split("\t")
        rows.setdefault(kind, []).append(rest)
    return rows


def resolve(root, path, steps=64):
    """The canonical path inside root, or None."""
    done = []
    todo = [p for p in path.split("/") if p and p != "."]
    while todo:
        part = todo.pop(0)
        if part == "..":
            done = done[:-1]
            continue
        here = "/" + "/".join(done + [part])
        full = root.rstrip("/") + here
        if os.path.islink(full):
            steps -= 1
            if steps == 0:
                return None
            to = os.readlink(full)
            if to.startswith("/"):
                done = []
            todo = [p for p in to.split("/") if p and p != "."] + todo
        elif os.path.lexists(full):
            done.append(part)
        else:
            return None
    return "/" + "/".join(done)


def check_cache(program, root, hwcaps_from_path=False):
    cache = root.rstrip("/") + "/etc/ld.so.cache"
    if not tool("ldconfig") or not os.path.isfile(cache):
        return skip(root + " ld.so.cache", "no ldconfig or no cache")
    want = []
    for line in run(tool("ldconfig"), "-p", "-C", cache).splitlines():
        m = re.match(r'\t(.*?) \((.*?)\) => (.*)$', line)
        if not m:
            continue
        abi = m.group(2)
        cap = re.search(r', hwcap: "(.*?)"', abi)
        cap = cap.group(1) if cap else ""
        if hwcaps_from_path:
            c = re.search(r"/glibc-hwcaps/([^/]*)/", m.group(3))
            cap = c.group(1) if c and cap is not None else ""
        want.append((m.group(1), abi.split(", ")[0], cap, m.group(3)))
    got = [(r[4], ABI.get(int(r[1], 16), r[1]), r[3], r[5])
           for r in dump(program, root).get("cache", [])]
    check(got == want and want, f"{root}: ld.so.cache, {len(got)} entries of {len(want)}",
          *[f"{g} / {w}" for g, w in zip(got, want) if g != w][:5])


def check_conf(program, root):
    if not tool("ldconfig"):
        return skip(root + " ld.so.conf", "no ldconfig")
    args = ["-r", root] if root != "/" else []
    want = [m.group(1) for m in re.finditer(r"^(/\S*): \(from (?!<)", run(
        tool("ldconfig"), *args, "-v", "-N", "-X"), re.M)]
    got = [r[3] for r in dump(program, root).get("ld-conf", [])]
    check([g for g in got if g in want] == want, f"{root}: ld.so.conf", f"{got} / {want}")
    here = {resolve(root, w) for w in want} | {"/lib", "/usr/lib", "/lib64", "/usr/lib64"}
    more = [g for g in got if g not in want and os.path.isdir(root.rstrip("/") + g) and
            resolve(root, g) not in here]
    check(not more, f"{root}: folders that ldconfig does not search", *more)


def scratch_caches(program):
    lib = next((p for p in ("/lib/x86_64-linux-gnu/libz.so.1", "/lib/aarch64-linux-gnu/libz.so.1",
                            "/usr/lib64/libz.so.1", "/lib/x86_64-linux-gnu/libc.so.6")
                if os.path.exists(p)), None)
    if not tool("ldconfig") or not lib:
        return skip("scratch caches", "no ldconfig or no library to copy")
    with tempfile.TemporaryDirectory() as root:
        os.makedirs(root + "/etc/conf.d/deep")
        for d in ("usr/lib", "opt/a", "opt/b", "opt/c", "usr/lib/glibc-hwcaps/x86-64-v3",
                  "usr/lib/glibc-hwcaps/x86-64-v2", "opt/a/glibc-hwcaps/x86-64-v3"):
            os.makedirs(f"{root}/{d}", exist_ok=True)
            shutil.copy(lib, f"{root}/{d}/{os.path.basename(lib)}")
        with open(root + "/etc/ld.so.conf", "w") as f:
            f.write("# a comment\n/opt/b///  # why\ninclude /etc/conf.d/*.conf\t/etc/none\n"
                    "hwcap 0 nosegneg\n /opt/b\n/opt/missing\n")
        with open(root + "/etc/conf.d/20.conf", "w") as f:
            f.write("/opt/c\ninclude /etc/conf.d/*/[a-c]?.inc\n")
        with open(root + "/etc/conf.d/10.conf", "w") as f:
            f.write("\n")
        with open(root + "/etc/conf.d/deep/b1.inc", "w") as f:
            f.write("/opt/a")
        with open(root + "/etc/conf.d/deep/d1.inc", "w") as f:
            f.write("/usr/local")
        for form in ("new", "compat", "old"):
            run(tool("ldconfig"), "-r", root, "-X", "-c", form)
            got = dump(program, root)
            check([r[3] for r in got.get("cache-format", [])] == [form], "cache format " + form)
            # ldconfig -p looks for the names of a compat cache in the wrong place, and the
            # old format has none.
            if form == "old":
                check(len(got["cache"]) == 7 and not any(r[3] for r in got["cache"]), "old cache")
            else:
                check_cache(program, root, form == "compat")
        check_conf(program, root)
        got = [r[3] for r in dump(program, root).get("ld-conf", [])]
        check(got == ["/opt/b", "/opt/c", "/opt/a", "/opt/missing"], "ld.so.conf order", got)


TREES = ("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system",
         "/usr/lib/systemd/system", "/lib/systemd/system")


def unit_states(root, kind):
    out = run(tool("systemctl"), "--root=" + root, "list-unit-files", "--type=" + kind,
              "--no-legend", "--no-pager")
    return {l.split()[0]: l.split()[1] for l in out.splitlines() if len(l.split()) >= 2}


def linked_names(root):
    names = set()
    for tree in TREES:
        for folder, _, files in os.walk(root.rstrip("/") + tree):
            if re.search(r"\.(wants|requires|upholds)$", folder):
                names |= set(files) | {re.sub("@.*\\.", "@.", f) for f in files}
    return names


def activators(root, linked):
    """Services that a linked socket, timer or path starts."""
    out = set()
    for name in linked:
        m = re.match(r"(.*)\.(socket|timer|path)$", name)
        path = m and next((p for p in (resolve(root, t + "/" + name) for t in TREES) if p), None)
        if not path or not os.path.isfile(root.rstrip("/") + path):
            continue
        text = open(root.rstrip("/") + path).read()
        unit = re.findall(r"^(?:Service|Unit)=(\S+)", text, re.M)
        at = "@" if re.search(r"^Accept=(yes|true|on|1)", text, re.M) and "@" not in name else ""
        out.add(unit[-1] if unit else m.group(1) + at + ".service")
    return out


def check_units(program, root):
    if not tool("systemctl") or not any(os.path.isdir(root.rstrip("/") + t) for t in TREES):
        return skip(root + " units", "no systemctl or no units")
    states = unit_states(root, "service")
    want = {u: s for u, s in states.items()
            if not s.startswith("masked") and s not in ("alias", "generated", "transient", "bad") and
            not re.search(r"@.+\.", u)}
    rows = {r[0]: r for r in dump(program, root).get("unit", [])}
    check(set(rows) == set(want), f"{root}: units, {len(rows)} of {len(want)}",
          "only here: " + " ".join(sorted(set(rows) - set(want))),
          "only systemctl: " + " ".join(sorted(set(want) - set(rows))))
    linked = linked_names(root)
    by_other = activators(root, linked)
    aliases = {}
    for u, s in states.items():
        if s == "alias":
            path = next((p for p in (resolve(root, t + "/" + u) for t in TREES) if p), u)
            aliases[os.path.basename(path)] = u
    for u, r in sorted(rows.items()):
        state = want.get(u, "?")
        reason = u in linked or aliases.get(u) in linked or u in by_other or \
            aliases.get(u) in by_other
        if state.startswith("enabled"):
            # Also= and aliases make a unit "enabled" that nothing pulls in by its name.
            check(r[3] == "yes" or not reason, f"{root}: {u} is {state}, not {r[3]}")
        check((r[3] == "yes") == reason, f"{root}: {u} is {state}; linked {reason}, not {r[3]}")
        check_exec(root, u, r)


SEARCH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


def which(root, word):
    """Where a word leads inside root: a regular file, or None."""
    for c in [word] if word.startswith("/") else [d + "/" + word for d in SEARCH]:
        path = resolve(root, c)
        if path and os.path.isfile(root.rstrip("/") + path):
            return path
    return None


def runs_it(root, path):
    """The words of a script's first line that name programs."""
    try:
        with open(root.rstrip("/") + path, "rb") as f:
            m = re.match(rb"#![ \t]*(/[^ \t\n\0]*)(?![^ \t\n\0])([^\n\0]*)", f.read(256) + b"\n")
    except OSError:
        return []
    if not m:
        return []
    first, rest = (x.decode("utf-8", "replace") for x in m.groups())
    names = []
    if os.path.basename(first) == "env":
        names = [w for w in re.sub(r"^\s*-S", " ", rest).split() if w[0] != "-" and "=" not in w][:1]
    return [first] + names


def with_interpreters(root, words):
    """The programs that words lead to, each followed by what runs it."""
    out = []
    for word in words:
        path = word if "%" in word else which(root, word)
        if not path and not word.startswith("/"):
            continue
        if (path or word) in out:
            continue
        out.append(path or word)
        if path and "%" not in path:
            out += [p for p in with_interpreters(root, runs_it(root, path)) if p not in out]
    return out


def shell_text(root, words):
    """What the text of "sh -c" starts: a path that exists, or nothing."""
    m = re.match(r"[\w/]*\b(sh|bash|dash|ash|ksh|zsh)\0(-\w+\0)*?-\w*c\w*\0\s*(?:exec\s+)?[\"']?(/[^\s;&|<>()\"']*)",
                 "\0".join(words))
    return [m.group(3)] if m and which(root, m.group(3)) and "%" not in m.group(3) else []


def check_scripts(program, root):
    """Init scripts: their interpreters come first, and each script among their programs is
    followed by what runs it."""
    for row in dump(program, root).get("init", []):
        got = row[4].split()
        want = with_interpreters(root, runs_it(root, row[1]))
        check(got[:len(want)] == want, f"{root}: {row[1]} is run by {got}", want)
        check(set(with_interpreters(root, got)) == set(got), f"{root}: {row[1]} starts {got}")


def check_exec(root, unit, row):
    files = [row[1]]
    drop = {}
    names = [unit, "service"] + [unit[:i + 1] + ".service" for i, c in enumerate(unit) if c == "-"]
    for tree in reversed(TREES):
        for n in reversed(names):
            d = root.rstrip("/") + tree + "/" + n + ".d"
            for f in os.listdir(d) if os.path.isdir(d) else []:
                if f.endswith(".conf"):
                    drop[f] = tree + "/" + n + ".d/" + f
    files += [drop[f] for f in sorted(drop)]
    execs, user = {}, ""
    for f in files:
        section = ""
        text = open(root.rstrip("/") + f, errors="replace").read()
        text = re.sub(r"(?m)^\s*[#;].*\n?", "", text).replace("\\\n", " ")
        for line in text.splitlines():
            line = line.strip()
            if line.startswith("["):
                section = line
            if section != "[Service]" or "=" not in line:
                continue
            key, value = (x.strip() for x in line.split("=", 1))
            if key == "User":
                user = value
            if not re.match(r"Exec(Start|StartPre|StartPost|Condition|Reload|Stop|StopPost)$", key):
                continue
            if not value:
                execs[key] = []
            for command in re.split(r"(?:^|\s);\s", value):
                words = shlex.split(command) if command.count('"') % 2 == 0 and \
                    command.count("'") % 2 == 0 else command.split()
                if words:
                    words[0] = words[0].lstrip("@-:+!|")
                    execs.setdefault(key, []).extend(words[:1] + shell_text(root, words))
    order = ("Start", "Condition", "StartPre", "StartPost", "Reload", "Stop", "StopPost")
    programs = with_interpreters(root, sum((execs.get("Exec" + k, []) for k in order), []))
    check(row[4].split() == programs, f"{root}: {unit} starts {row[4]}", programs)
    check(row[2] == user, f"{root}: {unit} runs as {row[2]}", user)


def check_modules(program, root):
    rows = dump(program, root)
    want = set()
    names = {}
    for d in ("/usr/etc/pam.d", "/usr/lib/pam.d", "/etc/pam.d"):
        full = root.rstrip("/") + d
        for f in os.listdir(full) if os.path.isdir(full) else []:
            if not re.search(r"(\.dpkg-\w+|\.rpm(save|new|orig)|~)$", f):
                names[f] = full + "/" + f
    for service, path in names.items():
        text = re.sub("#.*", "", open(path).read()).replace("\\\n", " ")
        for line in text.splitlines():
            m = re.match(r"\s*@include\s+(\S+)", line)
            if m:
                want.add((service, m.group(1), "", True))
            m = re.match(r"\s*(-?(?:auth|account|session|password))\s+(\[[^]]*\]|\S+)\s+(\S+)", line)
            if m:
                want.add((service, m.group(3), m.group(1), m.group(2) in ("include", "substack")))
    got = {(r[2], r[3], r[4], kind == "pam-include")
           for kind in ("pam", "pam-include") for r in rows.get(kind, [])}
    check(got == want, f"{root}: PAM, {len(got)} of {len(want)}", got ^ want)
    want = []
    path = root.rstrip("/") + "/etc/nsswitch.conf"
    for line in open(path) if os.path.isfile(path) else []:
        db, colon, rest = line.split("#")[0].partition(":")
        if colon:
            want += [(db.strip(), s) for s in re.sub(r"\[.*?\]", " ", rest).split()]
    got = [(r[2], r[3]) for r in rows.get("nss", [])]
    check(got == want, f"{root}: nsswitch.conf", got, want)


def main():
    program = sys.argv[1]
    scratch_caches(program)
    for root in sys.argv[2:] or ["/"]:
        if not os.path.isdir(root):
            skip(root, "no such folder")
            continue
        check_cache(program, root)
        check_conf(program, root)
        check_units(program, root)
        check_scripts(program, root)
        check_modules(program, root)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
