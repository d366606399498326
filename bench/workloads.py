# SPDX-License-Identifier: Apache-2.0
"""For bench/observe: the programs that are watched, each in a root folder of copies, the loads on
them, and what processes use."""
import contextlib
import glob
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

MARK = "SAPPER_BENCH_INSIDE"  # the folder; set: the namespaces are there
TMP = os.environ.get(MARK, "")
MIB = 1 << 20
STEADY = 2  # seconds from the start of a watch until its cost is measured, and how long
USER = 65533  # for PostgreSQL, which refuses root
ENVIRONMENT = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "TZ": "GMT", "LC_ALL": "C"}


def say(text=""):
    print(text, flush=True)


# ---- processes ----------------------------------------------------------------------------

def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            return [int(p) for p in f.read().split()]
    except OSError:
        return []


def tree(pid):
    found = [pid]
    for p in found:  # grows meanwhile
        found += children(p)
    return found


def cpu_seconds(pid):
    """Of the process and its descendants, the ended ones too. A process' clock has nanoseconds
    (clock_getcpuclockid(3)); that of its children that have ended has ticks of 10 ms."""
    total = 0.0
    for p in tree(pid):
        with contextlib.suppress(OSError, IndexError):
            total += time.clock_gettime((~p << 3) | 2)
            with open(f"/proc/{p}/stat", encoding="ascii", errors="replace") as f:
                fields = f.read().rpartition(")")[2].split()
            total += (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
    return total


def field(path, name):
    """The number of a line 'name: N kB', in bytes; 0 where there is none."""
    with contextlib.suppress(OSError), open(path, encoding="ascii", errors="replace") as f:
        for line in f:
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
    return 0


def memory(pid):
    """(proportional size, sum of the highest resident sizes, each process's text) of the tree"""
    pids = tree(pid)
    peaks = {p: field(f"/proc/{p}/status", "VmHWM") for p in pids}
    names = []
    for p in pids:
        with contextlib.suppress(OSError), open(f"/proc/{p}/comm", encoding="ascii") as f:
            names.append(f"{f.read().strip()} {peaks[p] / MIB:.1f}")
    return (sum(field(f"/proc/{p}/smaps_rollup", "Pss") for p in pids), sum(peaks.values()),
            " + ".join(names))


def locked(pid):
    """Bytes of the BPF maps that the tree holds (their memory is the kernel's)."""
    total, seen = 0, set()
    for p in tree(pid):
        for path in glob.glob(f"/proc/{p}/fdinfo/*"):
            with contextlib.suppress(OSError), open(path, encoding="ascii",
                                                    errors="replace") as f:
                got = dict(line.split(":", 1) for line in f if ":" in line)
                if "map_id" in got and got["map_id"] not in seen:
                    seen.add(got["map_id"])
                    total += int(got.get("memlock", "0"))
    return total


def end(process, how=signal.SIGTERM, patience=30):
    """Ends a process that was started here, and waits for it."""
    if process.poll() is None:
        process.send_signal(how)
    try:
        return process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):  # it may be long in the kernel
        return process.wait(patience)
    return None


# ---- a root folder of copies --------------------------------------------------------------

def libraries(path):
    """What ldd names, the loader included."""
    text = subprocess.run(["ldd", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          check=False).stdout.decode()
    return re.findall(r"(?:=> |^\s+)(/\S+) \(0x", text, re.M)


def make_root(name, programs, folders=()):
    """Copies of the programs, of folders, and of all libraries of what is in them."""
    root = tempfile.mkdtemp(prefix=name + "-", dir=TMP)
    for d in ("dev/shm", "proc", "tmp", "etc", "run", "usr/bin", "usr/lib", "usr/sbin", "data"):
        os.makedirs(os.path.join(root, d))
    for d in ("bin", "sbin", "lib", "lib64"):
        if os.path.islink("/" + d):
            os.symlink("usr/" + d, os.path.join(root, d))
            os.makedirs(os.path.join(root, "usr", d), exist_ok=True)
    for folder in folders:
        shutil.copytree(folder, root + folder, symlinks=False, dirs_exist_ok=True,
                        ignore_dangling_symlinks=True, ignore=shutil.ignore_patterns("bitcode"))
    files = [*programs, *(os.path.join(d, n) for f in folders for d, _, names in os.walk(f)
                          for n in names if n.endswith(".so"))]
    for path in sorted({x for f in files for x in [f, *libraries(f)]}):
        to = root + path
        os.makedirs(os.path.dirname(to), exist_ok=True)
        shutil.copy2(os.path.realpath(path), to)
    for device in ("null", "zero", "random", "urandom"):
        path = os.path.join(root, "dev", device)
        with open(path, "wb"):
            pass
        subprocess.run(["mount", "--bind", "/dev/" + device, path], check=True)
    for kind, where in (("proc", "proc"), ("tmpfs", "dev/shm")):
        subprocess.run(["mount", "-t", kind, kind, os.path.join(root, where)], check=True)
    os.chmod(os.path.join(root, "tmp"), 0o1777)
    os.chmod(os.path.join(root, "dev/shm"), 0o1777)
    os.chmod(root, 0o755)
    with open(os.path.join(root, "etc/passwd"), "w", encoding="ascii") as f:
        f.write(f"root:x:0:0::/:/bin/sh\nbench:x:{USER}:{USER}::/data:/bin/sh\n")
    with open(os.path.join(root, "etc/group"), "w", encoding="ascii") as f:
        f.write(f"root:x:0:\nbench:x:{USER}:\n")
    return root


def inside(root, *command, user=None):
    return ["chroot", *([f"--userspec={user}:{user}"] if user else []), root, *command]


def wait_port(port, log):
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    with open(log, encoding="utf-8", errors="replace") as f:
        text = f.read()[-500:]
    raise RuntimeError(f"nothing listens on port {port}: {text}")


@contextlib.contextmanager
def background(command):
    """Runs meanwhile, and is ended."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def output(command, seconds=60):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          timeout=seconds, check=True).stdout.decode()


# ---- workloads: sample(tool) gives (rate in the first seconds, rate then, CPU for an operation
# then, the tool after its end) ---------------------------------------------------------------

class Sample:
    def __init__(self):
        self.first = self.rate = self.late = 0.0  # operations a second
        self.cpu = self.late_cpu = 0.0  # seconds for one
        self.size = 0  # of the program: private pages and its part of the shared ones
        self.share = 0.0  # of a core, that the tool takes
        self.gone = 0.0  # seconds from the tool's end until its probes were gone
        self.memory = None
        self.answer = {}
        self.why = None


class Server:
    """A server that stays; loads come one after the other."""
    needs = ()
    port = 0

    def __init__(self):
        self.root = self.process = None

    def launch(self, *command, user=None):
        path = os.path.join(TMP, self.name + ".log")
        with open(path, "wb") as log:
            self.process = subprocess.Popen(inside(self.root, *command, user=user),
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=ENVIRONMENT)
        wait_port(self.port, path)

    def again(self):
        """Where something has killed it."""
        with open(os.path.join(TMP, self.name + ".log"), "ab") as log:
            self.process = subprocess.Popen(self.process.args, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=ENVIRONMENT)
        wait_port(self.port, log.name)

    def stop(self):
        if self.process:
            end(self.process, signal.SIGINT)
        self.process = None

    def sample(self, make):
        got = Sample()
        tool = make(self.process.pid) if make else None
        if tool and getattr(tool, "why", None):
            got.why = tool.why
            return got
        own, start = cpu_seconds(tool.process.pid) if tool else 0, time.monotonic()
        try:
            got.first = self.load(STEADY)
            if tool:
                own, start = cpu_seconds(tool.process.pid), time.monotonic()
            got.rate, got.cpu = self.timed_load()
            got.late, got.late_cpu = self.timed_load()
        except (subprocess.SubprocessError, TypeError, ZeroDivisionError):
            got.why = "so slow that the load came to no figure"
        got.size = memory(self.process.pid)[0]
        finish(got, tool, own, time.monotonic() - start, self.process.pid)
        return got

    def timed_load(self):
        """(rate, CPU of the server for an operation)"""
        cpu, start = cpu_seconds(self.process.pid), time.monotonic()
        rate = self.load(STEADY)
        return rate, (cpu_seconds(self.process.pid) - cpu) / (rate * (time.monotonic() - start))


def altered(pid):
    """Whether code in the process differs from its files: there a probe's breakpoint stands."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/maps", encoding="ascii",
                                            errors="replace") as maps, \
            open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            words = line.split()
            if len(words) < 6 or "x" not in words[1] or not words[5].startswith("/"):
                continue
            start, stop = (int(x, 16) for x in words[0].split("-"))
            with open(f"/proc/{pid}/map_files/{words[0]}", "rb", 0) as file:
                theirs = os.pread(file.fileno(), stop - start, int(words[2], 16))
            if os.pread(mem.fileno(), len(theirs), start) != theirs:
                return True
    return False


def wait_clean(pid):
    """Seconds until the last probe is gone from the tree: the kernel takes them away by itself
    after the end of what has set them, and until then they cost."""
    start = time.monotonic()
    while time.monotonic() - start < 60 and any(altered(p) for p in tree(pid)):
        time.sleep(0.1)
    return time.monotonic() - start


def finish(got, tool, own, took, pid):
    if not tool:
        return
    got.share = (cpu_seconds(tool.process.pid) - own) / took
    got.memory = (*memory(tool.process.pid), locked(tool.process.pid))
    if not tool.alive():
        got.why = "it ended before it was told to"
    got.answer = tool.stop()
    got.gone = wait_clean(pid)
    time.sleep(0.3)


class Openssl:
    """openssl speed starts anew for each sample: with the watch on it from its start, the
    blocks of 16 bytes are the first seconds, those of 64 and of 256 bytes (the same functions)
    what counts."""
    name, needs, what = "openssl", ("openssl",), "openssl speed -evp sha256, small blocks"

    def __init__(self):
        self.root = self.process = None

    def start(self):
        self.root = make_root(self.name, ["/usr/bin/openssl"])

    def stop(self):
        if self.process:
            end(self.process, signal.SIGKILL)
        self.process = None

    def line(self, begin):
        for line in self.process.stderr:
            if line.startswith(begin):
                return line
        raise RuntimeError("openssl speed ended early")

    def sample(self, make):
        got = Sample()
        early = make and getattr(make, "early", False)
        tool = make(0) if early else None
        if not (tool and tool.why):
            self.process = subprocess.Popen(
                inside(self.root, "/usr/bin/openssl", "speed", "-mr", "-elapsed", "-seconds",
                       str(STEADY), "-evp", "sha256"), stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, bufsize=1, text=True)
            self.line("+DT")
            if make and not early:
                tool = make(self.process.pid)
        if tool and getattr(tool, "why", None):
            got.why = tool.why
            self.stop()
            return got
        got.first, _ = self.block()
        own, start = cpu_seconds(tool.process.pid) if tool else 0, time.monotonic()
        self.line("+DT")
        got.rate, got.cpu = self.block()
        self.line("+DT")
        got.late, got.late_cpu = self.block()
        got.size = memory(self.process.pid)[0]
        finish(got, tool, own, time.monotonic() - start, self.process.pid)
        self.stop()
        return got

    def block(self):
        """Until its blocks of one size are done: (rate, CPU for one)"""
        cpu = cpu_seconds(self.process.pid)
        done = self.line("+R").split(":")
        return int(done[1]) / float(done[3]), (cpu_seconds(self.process.pid) - cpu) / int(done[1])

    def command(self, seconds):
        return inside(self.root, "/usr/bin/openssl", "speed", "-elapsed", "-seconds", str(seconds),
                      "-bytes", "64", "-evp", "sha256")


class Nginx(Server):
    name, needs, what = "nginx", ("nginx", "wrk"), "nginx, one worker; wrk, 8 connections, 1 KiB"
    port = 8080

    def start(self):
        self.root = make_root(self.name, [shutil.which("nginx")])
        with open(os.path.join(self.root, "data/index.html"), "w", encoding="ascii") as f:
            f.write("x" * 1024)
        for d in ("var/lib/nginx", "var/log/nginx", "var/lock"):
            os.makedirs(os.path.join(self.root, d), exist_ok=True)
        with open(os.path.join(self.root, "etc/nginx.conf"), "w", encoding="ascii") as f:
            f.write("daemon off; user root root; worker_processes 1; pid /run/nginx.pid;\n"
                    "error_log stderr crit; events { worker_connections 64; }\n"
                    "http { access_log off; keepalive_requests 100000000;\n"
                    f"server {{ listen 127.0.0.1:{self.port}; root /data;\n"
                    "location /status { stub_status; } } }\n")
        self.launch(shutil.which("nginx"), "-c", "/etc/nginx.conf")

    def command(self, seconds):
        return ["wrk", "-t1", "-c8", f"-d{seconds}s", f"http://127.0.0.1:{self.port}/"]

    def load(self, seconds):
        return float(re.search(r"Requests/sec:\s+([0-9.]+)", output(self.command(seconds)))[1])

    def count(self, state):
        """Operations until now."""
        state.sendall(b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n")
        text = state.recv(4096)
        return int(re.search(rb"\n \d+ \d+ (\d+)", text)[1])


class Redis(Server):
    name, needs = "redis", ("redis-server", "redis-benchmark")
    what = "redis-server; redis-benchmark, 8 connections, SET and GET"
    port = 6379

    def start(self):
        self.root = make_root(self.name, [shutil.which("redis-server")])
        self.launch(shutil.which("redis-server"), "--port", str(self.port), "--bind", "127.0.0.1",
                    "--save", "", "--appendonly", "no", "--dir", "/data")

    def command(self, _):
        return ["redis-benchmark", "-p", str(self.port), "-c", "8", "-t", "set,get", "-n", "10000",
                "-l", "-q"]

    def load(self, seconds):
        """It cannot be told for how long: so it goes on until it is ended, and the server says
        what it has done."""
        with background(self.command(0)), \
                socket.create_connection(("127.0.0.1", self.port), 5) as state:
            time.sleep(0.05)
            before, start = self.count(state), time.monotonic()
            time.sleep(seconds)
            return (self.count(state) - before) / (time.monotonic() - start)

    def count(self, state):
        state.sendall(b"INFO stats\r\n")
        text = b""
        while b"total_commands_processed:" not in text or not text.endswith(b"\r\n"):
            text += state.recv(65536)
        return int(re.search(rb"total_commands_processed:(\d+)", text)[1])


class Postgres(Server):
    name, what = "postgres", "PostgreSQL; pgbench -S, 2 connections"
    port = 5432

    def __init__(self):
        super().__init__()
        self.bin = (sorted(glob.glob("/usr/lib/postgresql/*/bin")) or [""])[-1]
        self.needs = (os.path.join(self.bin, "postgres"), os.path.join(self.bin, "pgbench"))

    def start(self):
        base = os.path.dirname(self.bin)
        programs = [os.path.join(self.bin, n) for n in ("postgres", "initdb")] + ["/bin/sh"]
        folders = [os.path.join(base, "lib"),
                   base.replace("/usr/lib/", "/usr/share/")]
        self.root = make_root(self.name, programs, folders)
        data = os.path.join(self.root, "data")
        os.chown(data, USER, USER)
        os.chmod(data, 0o700)
        os.chmod(os.path.join(self.root, "run"), 0o1777)
        done = subprocess.run(inside(self.root, os.path.join(self.bin, "initdb"), "-D", "/data",
                                     "-U", "bench", "-A", "trust", "-N", "--no-locale", "-E",
                                     "UTF8", user=USER), env=ENVIRONMENT, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False, timeout=300)
        if done.returncode:
            raise RuntimeError("initdb: " + done.stdout.decode(errors="replace")[-500:])
        self.launch(os.path.join(self.bin, "postgres"), "-D", "/data", "-p", str(self.port),
                    "-h", "127.0.0.1", "-k", "/tmp", "-c", "fsync=off", "-c", "jit=off", "-c",
                    "autovacuum=off", "-c", "timezone=GMT", "-c", "log_timezone=GMT",
                    user=USER)
        subprocess.run([*self.client(), "-i", "-q", "-s", "1", "postgres"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300)

    def client(self):
        return [os.path.join(self.bin, "pgbench"), "-h", "127.0.0.1", "-p", str(self.port), "-U",
                "bench"]

    def command(self, seconds):
        return [*self.client(), "-n", "-S", "-c", "2", "-j", "1", "-T", str(seconds), "postgres"]

    def load(self, seconds):
        return float(re.search(r"tps = ([0-9.]+) \(without", output(self.command(seconds)))[1])


WORKLOADS = {"openssl": Openssl, "nginx": Nginx, "postgres": Postgres, "redis": Redis}


@contextlib.contextmanager
def started(name):
    """The workload, or None where something is missing."""
    work = WORKLOADS[name]()
    missing = [n for n in work.needs if not shutil.which(n)]
    if missing:
        say(f"{name}: skip: {', '.join(missing)} not installed")
        yield None
        return
    try:
        work.start()
        yield work
    finally:
        work.stop()
