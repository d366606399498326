#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: Apache-2.0
"""A service goes through all states: its library is present, linked, mapped before anybody watched,
executed, its vulnerable function entered; then upgraded on disk, restarted, clean.

The system is a private root (private_root.py): this machine's libc, and from the test root of
Debian 11 the package libssl1.1 as it is there, file and database entry, with a vulnerability whose
functions the advisories name. The service is compiled here. Beside it: a container, a user without
rights, a watcher that is killed.

The roots are those of $SAPPER_TEST_CACHE (tests/roots/make-roots).
"""
import glob
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import live
import private_root
from private_root import Held, Object, PrivateRoot

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CACHE = os.environ.get("SAPPER_TEST_CACHE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "sapper-test-roots")
DEBIAN = os.path.join(CACHE, "debian-11")
PACKAGE, LIBRARY = "libssl1.1", "libcrypto.so.1.1"
CVE, FUNCTION = "CVE-2023-5678", "DH_check_pub_key"
NOBODY = 65534

SERVICE = r"""
/* Listens, and does what the lines of its standard input say. */
#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* Of OpenSSL 1.1.1. */
void *BN_new(void);
int BN_set_word(void *bn, unsigned long long w);
void BN_free(void *bn);
void *DH_new(void);
int DH_set0_pqg(void *dh, void *p, void *q, void *g);
int DH_check_pub_key(const void *dh, const void *key, int *result);

static void listen_at(const char *address, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	inet_pton(AF_INET, address, &a.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 1)) {
		perror(address);
		exit(1);
	}
}

static void *number(unsigned long long w)
{
	void *n = BN_new();

	BN_set_word(n, w);
	return n;
}

int main(int argc, char **argv)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	char line[64];
	int result;

	ioctl(socket(AF_INET, SOCK_DGRAM, 0), SIOCSIFFLAGS, &lo);
	for (int i = 1; i + 1 < argc; i += 2)
		listen_at(argv[i], atoi(argv[i + 1]));
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		if (strcmp(line, "number\n") == 0) {
			BN_free(number(7));
		} else if (strcmp(line, "check\n") == 0) {
			void *dh = DH_new();

			DH_set0_pqg(dh, number(23), NULL, number(5));
			DH_check_pub_key(dh, number(8), &result);
		}
		puts("done");
		fflush(stdout);
	}
	return 0;
}
"""
UNIT = """[Unit]
Description=A service
[Service]
ExecStart=/usr/sbin/service-under-test 127.0.0.1 4001 0.0.0.0 4002
[Install]
WantedBy=multi-user.target
"""
COMMAND = ["/usr/sbin/service-under-test", "127.0.0.1", "4001", "0.0.0.0", "4002"]
LISTENS = ["0.0.0.0:4002/tcp", "127.0.0.1:4001/tcp"]


# ---- the system ------------------------------------------------------------------------------

class System:
    """A root with the package in it."""

    def __init__(self, folder):
        os.makedirs(folder, exist_ok=True)
        self.root = PrivateRoot(folder)
        self.library = None
        for name in ("/usr/lib/os-release", "/etc/ld.so.conf", "/etc/debian_version"):
            self.take(name)
        for path in glob.glob(DEBIAN + "/etc/ld.so.conf.d/*"):
            self.take(path[len(DEBIAN):])
        if not os.path.lexists(self.root.inside("/etc/os-release")):
            os.symlink("../usr/lib/os-release", self.root.inside("/etc/os-release"))
        with open(DEBIAN + "/var/lib/dpkg/status", encoding="utf-8") as f:
            self.stanza = next(s for s in f.read().split("\n\n")
                               if s.startswith(f"Package: {PACKAGE}\n"))
        self.version = re.search(r"^Version: (.*)$", self.stanza, re.M)[1]
        lists = glob.glob(f"{DEBIAN}/var/lib/dpkg/info/{PACKAGE}*.list")
        self.take(lists[0][len(DEBIAN):])
        with open(lists[0], encoding="utf-8") as f:
            for path in f.read().split("\n"):
                if path and os.path.isfile(DEBIAN + path) and ".so" in path:
                    self.take(path)
                    if os.path.basename(path) == LIBRARY:
                        self.library = path
        self.database(self.version)

    def take(self, path):
        if os.path.exists(DEBIAN + path):
            target = self.root.inside(path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy2(DEBIAN + path, target)

    def database(self, version):
        text = re.sub(r"^Version: .*$", "Version: " + version, self.stanza, flags=re.M)
        path = self.root.inside("/var/lib/dpkg/status")
        self.root.write("/var/lib/dpkg/status.new", text + "\n\n")
        os.rename(path + ".new", path)

    def upgrade(self, version):
        """As dpkg does: a new file, renamed over the old one; only its build-id differs."""
        path = self.root.inside(self.library)
        with open(path, "rb") as f:
            content = bytearray(f.read())
        build_id = bytes.fromhex(build_id_of(path))
        at = content.index(build_id)
        content[at] ^= 0xff
        with open(path + ".dpkg-new", "wb") as f:
            f.write(content)
        os.chmod(path + ".dpkg-new", 0o644)
        os.rename(path + ".dpkg-new", path)
        self.database(version)

    def service(self):
        """Compiles and installs it; its unit is enabled."""
        out = self.root.inside(COMMAND[0])
        os.makedirs(os.path.dirname(out), exist_ok=True)
        run = subprocess.run(["gcc", "-O1", "-o", out, "-x", "c", "-", "-x", "none",
                              self.root.inside(self.library)], input=SERVICE, text=True,
                             capture_output=True, check=False)
        if run.returncode:
            raise RuntimeError(f"gcc: {run.stderr[-800:]}")
        for library in ("libc.so.6", "libdl.so.2", "libpthread.so.0"):
            for found in glob.glob(f"/lib/*/{library}") + glob.glob(f"/lib64/{library}"):
                self.root.copy(found)
        loader = live.interpreter(out)
        self.root.copy(loader)
        unit = self.root.write("/etc/systemd/system/under-test.service", UNIT)
        wants = self.root.inside("/etc/systemd/system/multi-user.target.wants")
        os.makedirs(wants, exist_ok=True)
        if not os.path.lexists(wants + "/under-test.service"):
            os.symlink(unit, wants + "/under-test.service")


def build_id_of(path):
    run = subprocess.run(["readelf", "-n", path], capture_output=True, text=True, check=False,
                         env={"PATH": private_root.PATH, "LC_ALL": "C"})
    return re.search(r"Build ID: ([0-9a-f]+)", run.stdout)[1]


class Service:
    """It runs, and does what it is asked."""

    def __init__(self, held, other=None):
        how = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        args = [COMMAND[0], "0.0.0.0", "4003"] if other else COMMAND
        self.process = held.start_other(other, args, **how) if other else held.start(args, **how)
        self.answer("ready")
        self.pid = next(p for p in private_root.descendants(self.process.pid) or
                        [self.process.pid] if
                        private_root.running_program(p) == os.path.basename(COMMAND[0]))
        self.inner = private_root.inner_pid(self.pid)

    def answer(self, wanted):
        ready, _, _ = select.select([self.process.stdout], [], [], 20)
        line = self.process.stdout.readline().decode().strip() if ready else "nothing"
        if line != wanted:
            raise RuntimeError(f"the service says '{line}', not '{wanted}'")

    def ask(self, what):
        self.process.stdin.write(what.encode() + b"\n")
        self.process.stdin.flush()
        self.answer("done")

    def stop(self):
        self.process.stdin.close()
        self.process.wait(timeout=20)


# ---- asking sapper ---------------------------------------------------------------------------

class Asked:
    """sapper in the held namespaces."""

    def __init__(self, count, system, held, sapper):
        self.count, self.system, self.held, self.sapper = count, system, held, sapper

    def scan(self, *more, uid=None):
        store = ["--store", "/data/evidence.db"] \
            if os.path.exists(self.system.root.inside("/data/evidence.db")) and uid is None else []
        status, out, err = self.held.run([self.sapper, "scan", "--db", "/data/advisories.db",
                                          *store, "--format", "json", *more], uid=uid)
        if status not in (0, 1):
            raise RuntimeError(f"sapper scan: status {status}: {err[-800:]}")
        return json.loads(out)

    def watch(self, seconds, functions="affected", store="/data/evidence.db", options=()):
        """Popen; the summary goes to /data/watch.json."""
        return self.held.start([self.sapper, "watch", "--for", f"{seconds}s", "--interval", "1s",
                                "--functions", functions, "--db", "/data/advisories.db", "--store",
                                store, "--format", "json", "-o", "/data/watch.json", *options],
                               stderr=subprocess.PIPE)

    def summary(self):
        with open(self.system.root.inside("/data/watch.json"), encoding="utf-8") as f:
            return json.load(f)["evidence"]

    def finding(self, doc):
        return next((f for f in doc["findings"] if f["id"] == CVE), None)

    def library(self, evidence, path=None, **wanted):
        path = path or self.system.library
        return next((x for x in evidence["libraries"] if x["path"] == path and
                     all(x.get(k) == v for k, v in wanted.items())), None)

    def check(self, held, what, detail=""):
        return self.count.check(held, what, detail if isinstance(detail, str) else
                                json.dumps(detail)[:1500])

    def state(self, doc, wanted, what):
        finding = self.finding(doc)
        return self.check(finding and finding["state"] == wanted and
                          finding["status"] == "affected", f"{what}: {wanted}",
                          finding or "no finding")


def ask_while(process, service, what, seconds):
    """Asks the service until the watch has ended: when its probes stand is not told."""
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end:
        service.ask(what)
        time.sleep(0.1)
    _, err = process.communicate(timeout=60)
    if process.returncode:
        raise RuntimeError(f"sapper watch: status {process.returncode}: "
                           f"{err.decode(errors='replace')[-800:]}")


# ---- the states ------------------------------------------------------------------------------

def before(asked):
    asked.state(asked.scan(), "present", "installed, nobody links it")
    asked.system.service()
    doc = asked.scan()
    asked.state(doc, "linked", "a service links it")
    finding = asked.finding(doc)
    asked.check(finding and finding.get("evidence", {}).get("answer") in ("not_seen",
                                                                          "not_observable"),
                "linked: nothing was seen to map it", finding)
    return finding


def mapped(asked, service):
    """Started before anybody watched: what /proc says."""
    doc = asked.scan()
    finding, evidence = asked.finding(doc) or {}, doc.get("evidence", {})
    proof = finding.get("evidence", {})
    # Where the library has constructors these ran when it was mapped.
    asked.check(finding.get("state") == "mapped" or
                (finding.get("state") == "executed" and proof.get("load_time_only") is True),
                "started before the watch: mapped", finding)
    asked.check(proof.get("answer") == "not_observable", "mapped: of functions nothing is known",
                proof)
    process = proof.get("process", {})
    asked.check(process.get("pid") == service.inner, "mapped: by the service, with its PID",
                f"{service.inner}: {process}")
    asked.check(proof.get("exposure") == "network" and process.get("exposure") == "network",
                "mapped: the exposure is the network", proof)
    asked.check(process.get("listens") == LISTENS, "mapped: the addresses", process)
    library = asked.library(evidence) or {}
    asked.check(library.get("stale") == "no" and library.get("build_id") ==
                build_id_of(asked.system.root.inside(asked.system.library)),
                "mapped: the file, by build-id", library)
    asked.check(library.get("package", "").startswith(f"pkg:deb/debian/{PACKAGE}@"),
                "mapped: its package", library.get("package", "none"))
    asked.check(not evidence.get("restart"), "mapped: nothing to restart", evidence.get("restart"))


def executed(asked, service):
    ask_while(asked.watch(3), service, "number", 60)
    doc = asked.scan()
    finding = asked.finding(doc) or {}
    proof = finding.get("evidence", {})
    asked.state(doc, "executed", "another of its functions was entered")
    asked.check(proof.get("load_time_only") is False, "executed: not only by the loader", proof)
    # Others that the advisory names are local, and this file has no symbols of them.
    asked.check(proof.get("answer") == "not_observable" and "no symbol" in proof.get("reason", ""),
                "executed: that not all vulnerable functions could be seen is told", proof)
    library = asked.library(doc["evidence"]) or {}
    names = {n.split("@")[0] for f in library.get("functions", {}).get("entered", ())
             for n in f["names"]}
    asked.check({"BN_new", "BN_set_word", "BN_free"} <= names and FUNCTION not in names and
                "DH_new" not in names, "executed: these functions and no others", sorted(names))


def vulnerable(asked, service):
    ask_while(asked.watch(3), service, "check", 60)
    doc = asked.scan()
    finding = asked.finding(doc) or {}
    proof = finding.get("evidence", {})
    asked.state(doc, "vulnerable_function_executed", "the vulnerable function was entered")
    function = proof.get("function", {})
    asked.check(proof.get("answer") == "seen" and
                FUNCTION in {n.split("@")[0] for n in function.get("names", ())} and
                function.get("pid") == service.inner, "vulnerable function executed: its name",
                proof)
    asked.check(doc["evidence"]["findings"]["vulnerable_function_executed"] >= 1,
                "vulnerable function executed: counted", doc["evidence"]["findings"])


def upgraded(asked, service, fixed):
    asked.system.upgrade(fixed)
    doc = asked.scan()
    finding = asked.finding(doc)
    asked.check(not finding or finding["status"] in ("fixed", "not_affected"),
                "upgraded: fixed on disk", finding)
    evidence = doc["evidence"]
    library = asked.library(evidence, stale="replaced") or {}
    asked.check(library.get("new_build_id") ==
                build_id_of(asked.system.root.inside(asked.system.library)) !=
                library.get("build_id"), "upgraded: the old copy is still mapped", library)
    restart = [r for r in evidence["restart"] if r["process"].get("pid") == service.inner]
    asked.check(len(restart) == 1 and restart[0]["files"] == [asked.system.library],
                "upgraded: restart the service", evidence["restart"])


def restarted(asked, held, old):
    old.stop()
    service = Service(held)
    doc = asked.scan()
    finding, evidence = asked.finding(doc), doc["evidence"]
    asked.check(not finding or finding["status"] in ("fixed", "not_affected"),
                "restarted: clean", finding)
    asked.check(not evidence["restart"], "restarted: nothing to restart", evidence["restart"])
    now = [x for x in evidence["libraries"] if x["path"] == asked.system.library and
           any(p.get("pid") == service.inner for p in x["processes"])]
    asked.check(len(now) == 1 and now[0].get("stale") == "no", "restarted: the new file is mapped",
                now)
    return service


# ---- beside it -------------------------------------------------------------------------------

def container(asked, held, folder):
    """Another root in another mount namespace, with the old version: its own package, and nothing
    of the host's."""
    other = System(folder)
    other.service()
    service = Service(held, other.root)
    try:
        ask_while(asked.watch(3, store="/data/container.db"), service, "check", 60)
        library = next((x for x in asked.summary()["libraries"] if x["path"] == other.library and
                        any(p.get("pid") == service.inner for p in x["processes"])), {})
        namespace = os.stat(f"/proc/{service.pid}/ns/mnt").st_ino
        asked.check(library.get("mount_namespace") == namespace,
                    "a container: its mount namespace", library)
        asked.check(library.get("package_name", "").split() == [PACKAGE, other.version],
                    "a container: the package of its own database", library)
        doc = asked.scan()
        finding = asked.finding(doc)
        asked.check(not finding or finding["status"] != "affected",
                    "a container: the host is not affected by what runs there", finding)
        ours = [x for x in doc["evidence"]["libraries"] if x["path"] == other.library and
                "mount_namespace" in x]
        asked.check(ours and all("object" not in x for x in ours),
                    "a container: its files are no objects of the host", ours)
    finally:
        service.stop()


def unprivileged(asked):
    doc = asked.scan(uid=NOBODY)
    evidence = doc.get("evidence", {})
    asked.check(evidence.get("processes_hidden", 0) >= 1,
                "without rights: hidden processes are told", {k: evidence.get(k) for k in
                                                              ("processes_seen",
                                                               "processes_hidden")})
    finding = asked.finding(doc)
    if finding and "evidence" in finding:
        asked.check(finding["evidence"]["answer"] == "not_observable",
                    "without rights: not seen is not told of what is hidden", finding["evidence"])


def text_of(pid, path):
    """The executable mapping of a file in a process, and what it should be."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as f:
        fields = next(line.split() for line in f if line.rstrip("\n").endswith(path) and
                      line.split()[1].startswith("r-x"))
    low, high = (int(x, 16) for x in fields[0].split("-"))
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as f:
        f.seek(low)
        memory = b""
        while len(memory) < high - low:
            memory += f.read(high - low - len(memory))
    return memory, int(fields[2], 16)


def compare_text(asked, service):
    path = asked.system.root.inside(asked.system.library)
    memory, offset = text_of(service.pid, asked.system.library)
    with open(path, "rb") as f:
        f.seek(offset)
        disk = f.read(len(memory))
    memory = memory[:len(disk)]  # behind the end of the file are zeros
    return sum(a != b for a, b in zip(memory, disk)) if memory != disk else 0


def killed(asked, service):
    """kill -9: the store has the last interval, and the code of the service is its own."""
    root = asked.system.root
    process = asked.watch(60, functions="exported", store="/data/killed.db")
    try:
        deadline = time.monotonic() + 30
        while compare_text(asked, service) == 0 and time.monotonic() < deadline:
            time.sleep(0.1)
        changed = compare_text(asked, service)
        asked.check(changed > 1000, "killed: before, probes stand in the service", str(changed))
        for _ in range(10):
            service.ask("number")
            time.sleep(0.3)
        ours = private_root.descendants(process.pid) or [process.pid]
        victim = next((p for p in [process.pid, *ours]
                       if private_root.running_program(p) == "sapper"), None)
        if not victim:
            raise RuntimeError(f"the watch has ended: {process.communicate()[1].decode()[-800:]}")
        os.kill(victim, signal.SIGKILL)
        process.communicate(timeout=20)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and \
                (compare_text(asked, service) or any(map(private_root.running_program, ours))):
            time.sleep(0.1)
        asked.check(compare_text(asked, service) == 0,
                    "killed: the code of the service is the file's again",
                    f"{compare_text(asked, service)} bytes differ")
        # What is a zombie by now has no program.
        left = list(filter(None, map(private_root.running_program, ours)))
        asked.check(not left, "killed: its helpers end", left)
        service.ask("number")
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    asked.check(os.path.exists(root.inside("/data/killed.db")), "killed: the store is there")
    status, out, err = asked.held.run([asked.sapper, "scan", "--db", "/data/advisories.db",
                                       "--store", "/data/killed.db", "--format", "json"])
    asked.check(status in (0, 1), "killed: its store is read", err[-500:])
    evidence = json.loads(out)["evidence"] if status in (0, 1) else {"libraries": []}
    library = asked.library(evidence, stale="no") or {}
    names = {n.split("@")[0] for f in library.get("functions", {}).get("entered", ())
             for n in f["names"]}
    asked.check("BN_new" in names, "killed: the last interval's evidence is in the store",
                sorted(names))


# ---- all of it -------------------------------------------------------------------------------

def advisories(out):
    rows = sorted(glob.glob(TOP + "/data/debian-*.tsv")) + \
        [TOP + "/data/functions-cve-function.tsv"]
    run = subprocess.run([private_root.sapper_binary(), "db", "import", "--quiet", "--db", out,
                          *rows], capture_output=True, text=True, check=False)
    if run.returncode:
        raise RuntimeError(f"sapper db import: {run.stderr[-500:]}")
    os.chmod(out, 0o644)


def run_all(count, tmp):
    system = System(tmp + "/root")
    os.chmod(system.root.path, 0o755)
    sapper = system.root.sapper()
    advisories(system.root.inside("/data/advisories.db"))
    named = Object(system.root.inside(system.library)).by_name
    assert {FUNCTION, "BN_new", "DH_new"} <= set(named)
    with Held(system.root) as held:
        asked = Asked(count, system, held, sapper)
        finding = before(asked)
        if not finding or not finding.get("fixed_version"):
            return
        service = Service(held)
        mapped(asked, service)
        executed(asked, service)
        vulnerable(asked, service)
        upgraded(asked, service, finding["fixed_version"])
        service = restarted(asked, held, service)
        container(asked, held, tmp + "/container")
        unprivileged(asked)
        killed(asked, service)
        service.stop()


def main():
    count = live.Count()
    reason = private_root.reason_not()
    if not reason and not os.path.isdir(DEBIAN):
        reason = "there is no root of Debian 11 (tests/roots/make-roots)"
    for tool in ("gcc", "readelf"):
        if not reason and not shutil.which(tool):
            reason = f"{tool} is not installed"
    if not reason and os.uname().machine != "x86_64":
        reason = "the test root is of x86_64"
    if reason:
        count.skip("states", reason)
        count.done()
    with tempfile.TemporaryDirectory(prefix="sapper-states-") as tmp:
        os.chmod(tmp, 0o755)
        try:
            run_all(count, os.path.realpath(tmp))
        except (RuntimeError, OSError, ValueError, KeyError, StopIteration, IndexError,
                subprocess.TimeoutExpired) as e:
            count.check(False, "states", f"{type(e).__name__}: {e}"[:1500])
    count.done()


if __name__ == "__main__":
    sys.exit(main())
