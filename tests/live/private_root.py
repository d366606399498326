# SPDX-License-Identifier: Apache-2.0
"""A private root: real copies of programs and of all that they load, in a folder of the test's own.

Probes stand in files, for all who use them. Whatever is probed in a test must therefore be a copy
that nobody else has mapped, the loader and libc included: programs of this machine are copied
(never linked) into a root, and run there in mount and PID namespaces of their own, sapper too.

    root = PrivateRoot(folder)
    root.program("xz")                 the program, its loader, its libraries
    root.sapper()                      sapper and its helpers, as /sapper/sapper
    process = root.start(["/usr/bin/xz", "-k", "/data/file"])
"""
import os
import re
import shutil
import socket
import subprocess
import time


PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
HELPERS = ("sapper", "sapper-observe", "sapper-functions", "sapper-import")
LISTED = re.compile(r"^\t(?:(?P<name>\S+) => )?(?P<path>/\S+) \(0x[0-9a-f]+\)$", re.M)

# $1 the root, $2 the folder to be in; then the command. The root becomes a mount of its own, so
# that its path in /proc is the one that it has there.
ENTER = """
set -e
root=$1; shift
mount --bind "$root" "$root"
mount --rbind /sys "$root/sys"
for n in null zero urandom random full; do mount --bind "/dev/$n" "$root/dev/$n"; done
mount -t proc proc "$root/proc"
exec chroot "$root" "$@"
"""


def sapper_binary():
    """The program under test, as a path."""
    name = os.environ.get("SAPPER", "sapper")
    return os.path.realpath(shutil.which(name) or name)


def which(name):
    """A program of the system itself: no shims of an interpreter in the user's home."""
    found = shutil.which(name, path=PATH)
    return os.path.realpath(found) if found else None


def reason_not():
    """Why no private root can be used here; None: it can."""
    if os.geteuid() != 0:
        return "a private root needs root"
    for tool in ("unshare", "nsenter", "chroot", "mount", "ldd"):
        if not shutil.which(tool, path=PATH):
            return f"{tool} is not installed"
    run = subprocess.run(["unshare", "--mount", "--pid", "--fork", "--mount-proc", "true"],
                         capture_output=True, text=True, check=False)
    return f"no namespaces: {run.stderr.strip()}" if run.returncode else None


def closure(path):
    """Its loader and all libraries, as the loader itself lists them."""
    run = subprocess.run(["ldd", path], capture_output=True, text=True, check=False,
                         env={"PATH": PATH, "LC_ALL": "C"})
    return [m["path"] for m in LISTED.finditer(run.stdout)]


class PrivateRoot:
    def __init__(self, folder, base=None):
        """base: a folder that has a root file system of its own already (its names stay)."""
        self.path = os.path.realpath(folder)
        if base is None:
            self._skeleton()
        for name in ("proc", "sys", "dev", "tmp", "data", "run"):
            os.makedirs(self.path + "/" + name, exist_ok=True)
        for name in ("null", "zero", "urandom", "random", "full"):
            with open(f"{self.path}/dev/{name}", "ab"):
                pass

    def _skeleton(self):
        """The merged /usr of this machine, where it has one."""
        for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
            if os.path.islink("/" + name):
                os.makedirs(f"{self.path}/usr/{name}", exist_ok=True)
                os.symlink("usr/" + name, f"{self.path}/{name}")

    def inside(self, path):
        return self.path + path

    def copy(self, path, to=None):
        """A file and the symbolic links on the way to it. Returns its real path."""
        real = os.path.realpath(path)
        target = self.path + (to or real)
        if not os.path.lexists(target):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy2(real, target)
        if to is None and path != real:
            self._alias(path, real)
        return to or real

    def _alias(self, path, real):
        folder = os.path.realpath(os.path.dirname(path))
        name = f"{folder}/{os.path.basename(path)}"
        if name != real and not os.path.lexists(self.path + name):
            os.makedirs(self.path + folder, exist_ok=True)
            os.symlink(os.path.relpath(real, folder), self.path + name)

    def elf(self, path, to=None):
        """An ELF file with all that it loads."""
        for library in closure(path):
            self.copy(library)
        return self.copy(path, to)

    def program(self, name):
        """A program of this machine by name; None where it is not installed."""
        path = which(name)
        return self.elf(path) if path else None

    def write(self, path, content, mode=0o644):
        target = self.path + path
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "wb") as f:
            f.write(content if isinstance(content, bytes) else content.encode())
        os.chmod(target, mode)
        return path

    def sapper(self):
        """sapper and its helpers, beside each other. Their libraries lie in a folder that nothing
        else in the root looks into, so that their package is nobody's here."""
        binary = sapper_binary()
        for name in HELPERS:
            path = os.path.join(os.path.dirname(binary), name)
            if os.path.exists(path):
                self.elf(path, "/sapper/" + name)
        return "/sapper/sapper"

    def command(self, args):
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", ENTER, "sh",
                self.path, *args]

    def start(self, args, **how):
        """Popen of a command in the root; its pid is that of the outermost helper."""
        env = {"PATH": PATH, "HOME": "/tmp", "LC_ALL": "C", **how.pop("env", {})}
        how.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.Popen(self.command(args), env=env, **how)

    def run(self, args, timeout=120, **how):
        """(status, stdout, stderr)."""
        process = self.start(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise RuntimeError(f"{args[:3]} takes more than {timeout} s: "
                               f"{err.decode(errors='replace')[-500:]}") from None
        return process.returncode, out.decode(errors="replace"), err.decode(errors="replace")


class Held:
    """Namespaces of their own, network included, that stay while commands come and go in them: the
    first process there only sleeps."""

    def __init__(self, root):
        self.root = root
        self.sleeper = root.program("sleep")
        args = root.command([self.sleeper, "3600"])
        self.process = subprocess.Popen([args[0], "--net", *args[1:]], stdin=subprocess.DEVNULL,
                                        env={"PATH": PATH, "LC_ALL": "C"})
        self.pid = None
        wanted = os.path.basename(self.sleeper)
        for _ in range(400):
            self.pid = next((p for p in descendants(self.process.pid)
                             if running_program(p) == wanted), None)
            if self.pid:
                return
            time.sleep(0.025)
        self.close()
        raise RuntimeError("the namespaces cannot be made")

    def close(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.close()

    def command(self, args, uid=None):
        user = [] if uid is None else ["--setuid", str(uid), "--setgid", str(uid)]
        return ["nsenter", "--target", str(self.pid), "--mount", "--pid", "--net", "--root",
                "--wd", *user, "--", *args]

    def start(self, args, uid=None, **how):
        """Popen of a command in there; outermost is nsenter, below it the command."""
        env = {"PATH": PATH, "HOME": "/tmp", "LC_ALL": "C", **how.pop("env", {})}
        how.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.Popen(self.command(args, uid), env=env, **how)

    def start_other(self, root, args, **how):
        """A command with another root and mount namespace, but the same processes and network:
        what a container is to its host."""
        inner = ["nsenter", "--target", str(self.pid), "--pid", "--net", "--",
                 "unshare", "--mount", "sh", "-c", ENTER, "sh", root.path, *args]
        env = {"PATH": PATH, "HOME": "/tmp", "LC_ALL": "C"}
        return subprocess.Popen(inner, env=env, **how)

    def run(self, args, timeout=60, uid=None):
        """(status, stdout, stderr)."""
        process = self.start(args, uid, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise RuntimeError(f"{args[:3]} takes more than {timeout} s") from None
        return process.returncode, out.decode(errors="replace"), err.decode(errors="replace")


def descendants(pid):
    """PIDs below one of our own processes, nearest first."""
    found, todo = [], [pid]
    while todo:
        at = todo.pop(0)
        try:
            for task in os.listdir(f"/proc/{at}/task"):
                with open(f"/proc/{at}/task/{task}/children", encoding="ascii") as f:
                    todo += [int(x) for x in f.read().split()]
        except OSError:
            continue
        found.append(at)
    return found[1:]


def inner_pid(pid):
    """The PID that a process has in its own namespace."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as f:
            for line in f:
                if line.startswith("NSpid:"):
                    return int(line.split()[-1])
    except OSError:
        pass
    return None


def running_program(pid):
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        return ""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# ---- what an object holds, by readelf -----------------------------------------------------

SYMBOL = re.compile(r"^\s*\d+:\s+(?P<value>[0-9a-f]+)\s+(?P<size>\d+|0x[0-9a-f]+)\s+"
                    r"(?P<type>\S+)\s+(?P<bind>\S+)\s+(?P<vis>\S+)\s+(?:\[.*?\]\s+)?(?P<ndx>\S+)\s+"
                    r"(?P<name>\S+)")
SEGMENT = re.compile(r"^\s+LOAD\s+(0x[0-9a-f]+)\s+(0x[0-9a-f]+)\s+0x[0-9a-f]+\s+(0x[0-9a-f]+)"
                     r"\s+0x[0-9a-f]+\s+(.{3})", re.M)


class Object:
    """The exported functions of an ELF file, and where they lie in the file."""

    def __init__(self, path):
        self.path = path
        text = self._readelf("--dyn-syms")
        self.segments = [(int(o, 16), int(v, 16), int(n, 16))
                         for o, v, n, _ in SEGMENT.findall(self._readelf("-l"))]
        self.names = {}   # address: names, versions included
        self.sizes = {}   # address: the largest size of a symbol there
        self.by_name = {}  # name without version: addresses
        self.ifuncs = set()
        for line in text.splitlines():
            m = SYMBOL.match(line)
            if not m or m["ndx"] == "UND" or m["type"] not in ("FUNC", "IFUNC") or \
                    m["bind"] not in ("GLOBAL", "WEAK", "UNIQUE") or not m["ndx"].isdigit():
                continue
            address = int(m["value"], 16)
            self.names.setdefault(address, set()).add(m["name"])
            self.sizes[address] = max(self.sizes.get(address, 0), int(m["size"], 0))
            self.by_name.setdefault(m["name"].split("@")[0], set()).add(address)
            if m["type"] == "IFUNC":
                self.ifuncs.add(address)

    def _readelf(self, option):
        run = subprocess.run(["readelf", "-W", option, self.path], capture_output=True, text=True,
                             check=False, env={"PATH": PATH, "LC_ALL": "C"}, errors="replace")
        return run.stdout

    def address(self, offset):
        """Where a place in the file is mapped."""
        for at, virtual, size in self.segments:
            if at <= offset < at + size:
                return offset - at + virtual
        return None

    def name(self, address):
        return " ".join(sorted(self.names.get(address, {f"{address:#x}"})))


