# SPDX-License-Identifier: Apache-2.0
"""What the live tests share: counting, calling sapper, finding programs, entering a root."""
import json
import os
import stat
import struct
import subprocess
import sys

ET_EXEC, ET_DYN, PT_INTERP = 2, 3, 3
TOPS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "opt")


class Count:
    """Prints each failure, and at the end the line that ./dev test adds up."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def check(self, held, what, detail=""):
        if held:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAIL {what}{': ' if detail else ''}{detail}", flush=True)
        return held

    def skip(self, what, reason, n=1):
        self.skipped += n
        print(f"skip {what}: {reason}", flush=True)

    def done(self):
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        print(f"{self.passed} passed, {self.failed} failed{skipped}", flush=True)
        sys.exit(1 if self.failed else 0)


def sapper_json(*args):
    """The answer of sapper as JSON; RuntimeError with its message where it fails."""
    binary = os.environ.get("SAPPER", "sapper")
    run = subprocess.run([binary, *args], capture_output=True, check=False)
    if run.returncode not in (0, 1):
        raise RuntimeError(f"{binary} {' '.join(args[:6])} ended with status {run.returncode}: "
                           f"{run.stderr.decode(errors='replace').strip()[-2000:]}")
    return json.loads(run.stdout.decode(errors="surrogateescape"))


def target_args(root):
    return [] if root == "/" else ["--target", "dir:" + root]


def interpreter(path):
    """PT_INTERP of an ELF program, or None."""
    try:
        with open(path, "rb") as f:
            head = f.read(64)
            if len(head) < 52 or head[:4] != b"\x7fELF":
                return None
            big = ">" if head[5] == 2 else "<"
            wide = head[4] == 2
            kind, = struct.unpack_from(big + "H", head, 16)
            if kind not in (ET_EXEC, ET_DYN):
                return None
            phoff, = struct.unpack_from(big + ("Q" if wide else "I"), head, 32 if wide else 28)
            size, n = struct.unpack_from(big + "HH", head, 54 if wide else 42)
            f.seek(phoff)
            table = f.read(size * n)
            for i in range(len(table) // size if size else 0):
                p_type, = struct.unpack_from(big + "I", table, i * size)
                if p_type != PT_INTERP:
                    continue
                at = i * size
                if wide:
                    off, = struct.unpack_from(big + "Q", table, at + 8)
                    length, = struct.unpack_from(big + "Q", table, at + 32)
                else:
                    off, = struct.unpack_from(big + "I", table, at + 4)
                    length, = struct.unpack_from(big + "I", table, at + 16)
                f.seek(off)
                return f.read(min(length, 4096)).split(b"\0")[0].decode(errors="surrogateescape")
    except (OSError, struct.error):
        return None
    return None


def programs(root):
    """(path inside the root, PT_INTERP) of every executable file that names a loader. Paths are
    canonical: no symbolic link is followed on the way."""
    found = []
    for top in TOPS:
        start = os.path.join(root, top)
        if os.path.islink(start):
            continue
        for folder, dirs, files in os.walk(start):
            dirs.sort()
            for name in sorted(files):
                path = os.path.join(folder, name)
                try:
                    st = os.lstat(path)
                except OSError:
                    continue
                if not stat.S_ISREG(st.st_mode) or not st.st_mode & 0o111:
                    continue
                loader = interpreter(path)
                if loader:
                    found.append(("/" + os.path.relpath(path, root), loader))
    return found


def enter(root):
    """For a worker process: from here on, `root` is /."""
    if root != "/":
        os.chroot(root)
    os.chdir("/")
