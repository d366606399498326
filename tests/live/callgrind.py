#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: Apache-2.0
"""Which exported functions ran: `sapper run --functions exported` against what callgrind, which
executes every instruction itself, says of the same commands.

Both run in one private root (private_root.py). Callgrind lists what it executed by name and, as it
is asked to, by instruction; a function was entered where its first instruction was executed.
Names are compared as addresses, for one address may have many. Each difference must be one that a
rule below explains; the rules are narrow, and how often each was needed is printed.

Valgrind has a processor of its own, for which the loader chooses other implementations of memcpy(3)
and the like (IFUNC). What it chooses here and there is asked with dlvsym(3): where the one of there
was entered, sapper must say that the one of here was.

    callgrind.py [-v] [PROGRAM...]     xz openssl sqlite3 curl python3 nginx (default: all)
"""
import collections
import contextlib
import datetime
import glob
import http.server
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
import urllib.request

import live
import private_root
from private_root import Object, PrivateRoot

VALGRIND_FOLDERS = ("/usr/libexec/valgrind", "/usr/lib/valgrind", "/usr/lib/*/valgrind",
                    "/usr/local/libexec/valgrind", "/usr/lib64/valgrind")
OPTIONS = ["-q", "--tool=callgrind", "--dump-instr=yes", "--compress-pos=no", "--demangle=no",
           "--run-libc-freeres=no", "--run-cxx-freeres=no"]


# ---- callgrind's own list ------------------------------------------------------------------

NAME = re.compile(r"(?P<key>c?(?:ob|fn)|c?f[lie])=(?:\((?P<id>\d+)\))?(?: ?(?P<name>.*))?$")
COST = re.compile(r"0x([0-9a-f]+) ")


class Listing:
    """What callgrind's files say: of each object the addresses executed and the functions."""

    def __init__(self):
        self.addresses = collections.defaultdict(set)
        self.functions = collections.defaultdict(set)

    def read(self, path):
        """https://valgrind.org/docs/manual/cl-format.html: lines "key=(id) name", where the name
        stands only the first time; cost lines "0xADDRESS LINE COST"; after "calls=" comes one
        that is about the instruction of the call."""
        names = {"ob": {}, "fn": {}}
        at = {"ob": "", "cob": None, "fn": ""}
        with open(path, encoding="utf-8", errors="surrogateescape") as f:
            for line in f:
                m = COST.match(line)
                if m:
                    self.addresses[at["ob"]].add(int(m[1], 16))
                    continue
                m = NAME.match(line.rstrip("\n"))
                if m:
                    self._name(m, names, at)
                elif line.startswith("calls="):
                    at["cob"] = None

    def _name(self, m, names, at):
        key = m["key"]
        if key[-2:] not in names:
            return
        table = names[key[-2:]]
        if m["id"] and m["name"]:
            table[m["id"]] = m["name"]
        name = table.get(m["id"], "") if m["id"] else m["name"]
        at[key] = name
        if key == "fn":
            self.functions[at["ob"]].add(re.sub(r"'\d+$", "", name))
        elif key == "cfn":
            where = at["ob"] if at["cob"] is None else at["cob"]
            self.functions[where].add(re.sub(r"'\d+$", "", name))


def with_valgrind(root):
    """Puts callgrind into the root. Returns its command, or None."""
    program = next((p for p in (private_root.which("valgrind.bin"), private_root.which("valgrind"))
                    if p and live.interpreter(p) is not None), None)
    static = private_root.which("valgrind")
    program = program or (static if static and _is_elf(static) else None)
    folder = next((f for pattern in VALGRIND_FOLDERS for f in glob.glob(pattern)
                   if glob.glob(f + "/callgrind-*")), None)
    if not program or not folder:
        return None
    root.elf(program, "/valgrind/valgrind")
    for pattern in ("callgrind-*", "vgpreload_core-*.so", "default.supp"):
        for path in glob.glob(f"{folder}/{pattern}"):
            root.copy(path, "/valgrind/" + os.path.basename(path))
    return ["/valgrind/valgrind", *OPTIONS]


def _is_elf(path):
    with open(path, "rb") as f:
        return f.read(4) == b"\x7fELF"


# ---- implementations that the loader chooses -----------------------------------------------

# Of each library named its symbols, as "NAME@VERSION": where its code lies, as an address of the
# file, and in which file. An argument that begins with a slash is a library.
CHOSEN_SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv)
{
	void *library = NULL;

	for (int i = 1; i < argc; i++) {
		char *version = strchr(argv[i], '@');
		struct link_map *in = NULL;
		Dl_info info;
		void *at;

		if (argv[i][0] == '/') {
			library = dlopen(argv[i], RTLD_LAZY);
			if (!library)
				return 1;
			continue;
		}
		if (version)
			*version++ = 0;
		at = version ? dlvsym(library, argv[i], version) : dlsym(library, argv[i]);
		if (at && dladdr1(at, &info, (void **)&in, RTLD_DL_LINKMAP) && in)
			printf("%lx %s\n", (unsigned long)at - in->l_addr, in->l_name);
		else
			puts("0 -");
	}
	return 0;
}
"""


class Chosen:
    """Of the IFUNC symbols of each library: what is chosen here, and what under valgrind."""

    def __init__(self, root, valgrind):
        self.root, self.valgrind = root, valgrind
        with tempfile.TemporaryDirectory() as tmp:
            out = os.path.join(tmp, "chosen")
            private_root.subprocess.run(["gcc", "-o", out, "-x", "c", "-"], check=True, text=True,
                                        input=CHOSEN_SOURCE)
            root.elf(out, "/valgrind/chosen")
        self.here, self.there = {}, {}  # path: {name: address}

    def ask(self, objects):
        """objects: {path: Object}."""
        names = {path: sorted(n for a in o.ifuncs for n in o.names[a])
                 for path, o in objects.items() if o.ifuncs}
        if not names:
            return
        wanted = [(path, n) for path in names for n in names[path]]
        args = ["/valgrind/chosen"]
        for path, of_path in names.items():
            args += [path, *(n.replace("@@", "@") for n in of_path)]
        quiet = [*self.valgrind, "--callgrind-out-file=/dev/null"]
        for told, command in ((self.here, args), (self.there, quiet + args)):
            status, out, err = self.root.run(command, env={"VALGRIND_LIB": "/valgrind"})
            lines = out.splitlines()
            if status or len(lines) != len(wanted):
                raise RuntimeError(f"what the loader chooses: {status} {err[-500:]}")
            for (path, name), line in zip(wanted, lines):
                address, file = line.split(" ", 1)
                real = os.path.realpath(self.root.inside(file))[len(self.root.path):]
                if real == path:
                    told.setdefault(path, {})[name] = int(address, 16)

    def names(self, path):
        """{address: names} of what is chosen here."""
        found = collections.defaultdict(set)
        for name, address in self.here.get(path, {}).items():
            found[address].add(name)
        return found

    def executed(self, path, addresses):
        """Those executed there, as the addresses that they have here."""
        here = self.here.get(path, {})
        return {here[n] for n, a in self.there.get(path, {}).items()
                if a in addresses and n in here}


# ---- the programs --------------------------------------------------------------------------

class Case:
    """One program: how it gets into the root, its commands, and who talks to it meanwhile."""
    version = "--version"
    loads_later = False  # with dlopen(3): what is entered before the probes stand is not seen
    callgrind_options = []
    strangers = False  # others run it meanwhile

    def __init__(self, root, name):
        self.root, self.name = root, name
        self.program = root.program(name)
        self.env = {}

    def prepare(self):
        """What it needs beside its program."""

    def commands(self):
        raise NotImplementedError

    def meanwhile(self, process):
        """Called once the command was started; returns when it need not be talked to any more."""


class Xz(Case):
    def prepare(self):
        noise = random.Random(1)
        text = b"".join(b"%d lines of %x\n" % (i, noise.getrandbits(40)) for i in range(3000))
        self.root.write("/data/text", text)

    def commands(self):
        return [[self.program, "-k", "-f", "-T1", "-4", "/data/text"],
                [self.program, "-d", "-k", "-f", "-c", "/data/text.xz"],
                [self.program, "--list", "/data/text.xz"],
                [self.program, "-k", "-f", "--format=lzma", "-0", "/data/text"]]


class Openssl(Case):
    version = "version"

    def prepare(self):
        self.root.write("/data/plain", b"some plain text\n" * 20000)
        if os.path.exists("/usr/lib/ssl/openssl.cnf"):
            self.root.copy("/usr/lib/ssl/openssl.cnf")

    def commands(self):
        key = ["-pbkdf2", "-k", "secret"]
        return [[self.program, "dgst", "-sha256", "/data/plain"],
                [self.program, "enc", "-aes-256-cbc", *key, "-in", "/data/plain", "-out",
                 "/data/secret"]]


class Sqlite(Case):
    strangers = True
    SCRIPT = """
    create table a(id integer primary key, name text, x real);
    create table b(a references a, doc text);
    create index ib on b(a);
    with recursive n(i) as (values(1) union all select i + 1 from n where i < 300)
      insert into a select i, printf('name %d', i), i / 3.0 from n;
    insert into b select id, json_object('n', name, 'x', x, 'l', json_array(id, id + 1)) from a;
    select count(*), sum(json_extract(doc, '$.x')) from a join b on a.id = b.a where a.id % 3 = 1;
    select value from b, json_each(doc, '$.l') where b.a = 7;
    select name, rank() over (order by x desc) from a order by name collate nocase limit 5;
    update a set name = upper(name) where id between 10 and 20;
    delete from b where a > 250;
    select group_concat(substr(name, 1, 3), ',') from a where name like 'NAME%';
    vacuum;
    pragma integrity_check;
    """

    def prepare(self):
        self.root.write("/data/script.sql", self.SCRIPT)

    def commands(self):
        return [[self.program, "-batch", ":memory:", ".read /data/script.sql"]]


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/page?x=1")
            body = b""
        else:
            self.send_response(200)
            self.send_header("Set-Cookie", "a=b; Path=/")
            body = b"an answer\n" * 1000
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer

    def log_message(self, *args):
        pass


class Curl(Case):
    def prepare(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_address[1]}"

    def commands(self):
        return [[self.program, "-s", "-S", "-L", "-b", "c=d", "-o", "/data/page",
                 self.url + "/moved", "--next", "-s", "-d", "name=value", "-o", "/data/page2",
                 self.url + "/form"]]


class Python(Case):
    """It loads libraries while it runs. Their functions are entered before probes can stand, and
    once more after a pause; callgrind dumps what was before the pause to a file of its own."""
    SCRIPT = """
import hashlib, json, sys, time, zlib
def work():
    doc = {'list': list(range(200)), 'text': 'x' * 500, 'f': 1.5, 'n': None}
    text = json.dumps(doc, indent=1, sort_keys=True).encode()
    packed = zlib.compress(text)
    assert json.loads(zlib.decompress(packed)) == doc
    return hashlib.sha256(packed).hexdigest(), hashlib.sha3_512(text).hexdigest(), zlib.crc32(text)
first = work()
time.sleep(float(sys.argv[1]))
awake = time.time()
assert work() == first
with open('/data/awake', 'w') as f:
    f.write(repr(awake))
"""
    PAUSE = 2.5
    START = ["-I", "-S", "-c"]
    loads_later = True
    callgrind_options = ["--dump-before=clock_nanosleep*"]

    def prepare(self):
        """The modules that the script imports, as it says itself."""
        ask = self.SCRIPT.split("def")[0] + ("for m in list(sys.modules.values()):\n"
                             "  for a in ('__file__', '__cached__'):\n"
                             "    print(getattr(m, a, None) or '')\n")
        run = private_root.subprocess.run([self.program, *self.START, ask], capture_output=True,
                                          text=True, check=True)
        for path in run.stdout.split("\n") + [re.sub(r"/json/.*", "/os.py", p) for p in
                                               run.stdout.split("\n") if "/json/" in p][:1]:
            if path.endswith(".so"):
                self.root.elf(path)
            elif path.startswith("/") and os.path.isfile(path):
                self.root.copy(path)

    def commands(self):
        self.env = {"PYTHONHASHSEED": "0"}
        return [[self.program, *self.START, self.SCRIPT, str(self.PAUSE)]]

    def awake(self):
        """When the pause ended, as the program saw it."""
        with open(self.root.inside("/data/awake"), encoding="ascii") as f:
            return float(f.read())


class Nginx(Case):
    strangers = True
    version = "-v"
    CONFIG = """
    daemon off; user root; worker_processes 1; pid /run/nginx.pid; error_log /data/error.log;
    events { worker_connections 64; }
    http { access_log /data/access.log; gzip on; gzip_types *; gzip_min_length 1;
      server { listen 127.0.0.1:PORT; root /data/www; location ~ ^/re/(a+)$ { return 200 "$1"; } } }
    """

    def prepare(self):
        self.port = private_root.free_port()
        self.root.write("/data/nginx.conf", self.CONFIG.replace("PORT", str(self.port)))
        self.root.write("/data/www/index.html", b"<p>some text</p>\n" * 500)
        self.root.write("/etc/passwd", "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:::\n")
        self.root.write("/etc/group", "root:x:0:\nnogroup:x:65534:\n")
        self.root.write("/etc/nsswitch.conf", "passwd: files\ngroup: files\n")
        for name in ("/var/log/nginx", "/var/lib/nginx"):
            os.makedirs(self.root.inside(name), exist_ok=True)

    def commands(self):
        return [[self.program, "-c", "/data/nginx.conf", "-e", "/data/error.log"]]

    def ask(self, path, gzip):
        head = {"Accept-Encoding": "gzip"} if gzip else {}
        url = f"http://127.0.0.1:{self.port}{path}"
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=head), timeout=20) as a:
                return a.read()
        except urllib.error.HTTPError as e:
            return e.read()

    def meanwhile(self, process):
        for _ in range(600):
            try:
                self.ask("/", False)
                break
            except OSError:
                if process.poll() is not None:
                    return
                time.sleep(0.05)
        for i in range(120):
            self.ask(("/", "/re/aaa", "/none")[i % 3], i % 2 == 0)
        # The master: the one whose PID in there is the one it wrote.
        with open(self.root.inside("/run/nginx.pid"), encoding="ascii") as f:
            wanted = int(f.read())
        for pid in private_root.descendants(process.pid):
            if private_root.inner_pid(pid) == wanted:
                os.kill(pid, signal.SIGQUIT)
                return
        raise RuntimeError("the master process of nginx is not found")


CASES = {"xz": Xz, "openssl": Openssl, "sqlite3": Sqlite, "curl": Curl, "python3": Python,
         "nginx": Nginx}


# ---- running --------------------------------------------------------------------------------

class Seen:
    """What sapper says of one library, over all commands."""

    def __init__(self):
        self.entered = {}  # address: names
        self.since = None  # the first time that its probes stood, ISO 8601
        self.refused = set()  # names that it says are not observable
        self.first_seen = None

    def late(self):
        """Its probes stood only after it was mapped."""
        return self.since and seconds(self.since) > seconds(self.first_seen)


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def run_case(case, args):
    """A command in the root, talked to as the case wants."""
    root, env = case.root, {**case.env, "VALGRIND_LIB": "/valgrind"}
    with tempfile.TemporaryFile() as errors:
        process = root.start(args, stdout=private_root.subprocess.DEVNULL, stderr=errors,
                             env=env)
        try:
            case.meanwhile(process)
            status = process.wait(timeout=120)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        errors.seek(0)
        return status, errors.read().decode(errors="replace")


class Strangers:
    """Meanwhile the same program, from the same files, is run by others again and again: what they
    enter is not the command's, and must not use up its probes."""

    def __init__(self, case):
        self.root, self.args = case.root, [case.program, case.version]
        self.ended = threading.Event()
        self.runs = 0
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.ended.wait(0.05):
            self.root.run(self.args)
            self.runs += 1

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *args):
        self.ended.set()
        self.thread.join()


def by_sapper(case, sapper, objects, count):
    """{path: Seen}; losses and mappings that are not the command's are failures."""
    seen = collections.defaultdict(Seen)
    for i, command in enumerate(case.commands()):
        out = f"/data/evidence.{i}.json"
        status, errors = run_case(case, [sapper, "run", "--functions", "exported", "--format",
                                         "json", "-o", out, "--", *command])
        count.check(status == 0, f"{case.name}: sapper run ends as the command", f"{status} "
                    f"{errors.strip()[-500:]}")
        with open(case.root.inside(out), encoding="utf-8", errors="surrogateescape") as f:
            evidence = json.load(f)["evidence"]
        count.check(not any(evidence["lost"].values()), f"{case.name}: nothing is lost",
                    str(evidence["lost"]))
        for library in evidence["libraries"]:
            one_library(case, library, seen, objects, count)
    return seen


def one_library(case, library, seen, objects, count):
    path, functions = library["path"], library["functions"]
    if path.startswith("/sapper/"):
        count.check(False, f"{case.name}: only what the command mapped",
                    f"{path} is shown, as {library['processes']}")
        return
    entry = seen[path]
    entry.since = entry.since or functions.get("since")
    entry.first_seen = entry.first_seen or library["first_seen"]
    entry.refused |= {u["name"] for u in functions.get("unobserved", ())
                      if "kernel refuses" in u["reason"]}
    inside = case.root.inside(path)
    if path not in objects and os.path.exists(inside):
        objects[path] = Object(inside)
    for function in functions["entered"]:
        address = objects[path].address(function["offset"])
        entry.entered.setdefault(address, set()).update(function["names"])


def by_callgrind(case, valgrind, count):
    """What it lists; and of that what ran after the pause of a program that has one."""
    listing, later = Listing(), Listing()
    for i, command in enumerate(case.commands()):
        # PIDs are the same each time: each command runs in a namespace of its own.
        out = f"--callgrind-out-file=/data/cg.{i}.%p"
        status, errors = run_case(case, [*valgrind, *case.callgrind_options, out, *command])
        count.check(status == 0, f"{case.name}: the command under valgrind",
                    f"{status} {errors.strip()[-500:]}")
    for path in sorted(glob.glob(case.root.inside("/data/cg.*"))):
        listing.read(path)
        if not re.search(r"/cg\.\d+\.\d+\.\d+$", path):  # a dump before the end has a number
            later.read(path)
    return listing, later


# ---- comparing ------------------------------------------------------------------------------

class Compared:
    """One program: the two answers, and the differences with the rules that explain them."""

    def __init__(self, case, listing, later, chosen):
        self.case, self.listing, self.later, self.chosen = case, listing, later, chosen
        self.loader = live.interpreter(case.root.inside(case.program))
        self.loader = os.path.realpath(case.root.inside(self.loader))[len(case.root.path):] \
            if self.loader else None
        self.from_start = {os.path.realpath(p) for p in private_root.closure(case.program)}
        self.from_start.add(case.program)
        self.rules = collections.Counter()
        self.libraries = self.exported = self.both = self.listed = 0
        self.implementations = 0
        self.unexplained = []

    def names(self, path, obj, address):
        """Of an address: of the implementations chosen there, and its own."""
        return obj.names.get(address, set()) | self.chosen.names(path).get(address, set())

    def entered(self, listing, path, obj):
        executed = listing.addresses[path]
        return {a for a in executed if a in obj.names} | self.chosen.executed(path, executed)

    def missed(self, path, obj, address, seen):
        """Callgrind executed its first instruction and sapper does not say so: why, or None."""
        names = {n.split("@")[0] for n in self.names(path, obj, address)}
        if names & seen.refused:
            return "the kernel refuses a probe there, and sapper says so"
        if path == self.loader and names == {"_dl_catch_error"}:
            return "the loader preloads what valgrind puts into LD_PRELOAD"
        if self.case.loads_later and path not in self.from_start and seen.late():
            if seconds(seen.since) > self.case.awake():
                return "dlopen: its probes stood after the pause only, and sapper says so"
            if address not in self.entered(self.later, path, obj):
                return "dlopen: entered before its probes stood, not afterwards"
        return None

    def compare(self, path, obj, seen):
        """Counts; returns the addresses that both call entered. There is no rule for what only
        sapper says was entered: nothing explains that."""
        truth = self.entered(self.listing, path, obj)
        entered = set(seen.entered)
        self.libraries += 1
        self.exported += len(obj.names)
        self.both += len(truth & entered)
        self.implementations += len(truth & entered & set(self.chosen.names(path)))
        for address in sorted(truth - entered):
            rule = self.missed(path, obj, address, seen)
            if rule:
                self.rules[rule] += 1
            else:
                self.unexplained.append(f"{path}: "
                                        f"{' '.join(sorted(self.names(path, obj, address)))} at "
                                        f"{address:#x} was entered, sapper misses it")
        for address in sorted(entered - truth):
            self.unexplained.append(f"{path}: {' '.join(sorted(seen.entered[address]))} at "
                                    f"{address:#x} is said to be entered, and was not")
        named = {n for n in self.listing.functions[path] if obj.by_name.get(n)}
        self.listed += len(named)
        past = [n for n in named if not obj.by_name[n] & truth]
        self.rules["(listed by name, its first instruction never executed)"] += len(past)
        return entered & truth


def check_names(case, path, obj, chosen, seen, addresses, count):
    """All aliases of an address are told, and no other."""
    for address in sorted(addresses):
        names = obj.names.get(address, set())
        if address in obj.ifuncs:
            names = {"resolver-of:" + n.split("@")[0] for n in names}
            held = seen.entered[address] and seen.entered[address] <= names
        else:
            names = names | chosen.names(path).get(address, set())
            held = seen.entered[address] == names
        count.check(held,
                    f"{case.name}: the names of one function of {path}",
                    f"{sorted(seen.entered[address])}, by readelf {sorted(names)}")


def judge(case, sapper, valgrind, chosen, count, verbose):
    start = time.monotonic()
    # Before sapper: the kernel takes probes away a moment after sapper has ended, and valgrind
    # would read their bytes as the program's.
    listing, later = by_callgrind(case, valgrind, count)
    listed = {p for p in listing.addresses if os.path.exists(case.root.inside(p))}
    paths = {os.path.realpath(case.root.inside(p))[len(case.root.path):]: p for p in listed
             if not p.startswith("/valgrind/")}
    objects = {path: Object(case.root.inside(path)) for path in paths}
    chosen.ask(objects)
    between = time.monotonic()
    with Strangers(case) if case.strangers else contextlib.nullcontext():
        seen = by_sapper(case, sapper, objects, count)
    end = time.monotonic()
    result = Compared(case, listing, later, chosen)
    for path, as_listed in paths.items():
        for one in (listing, later):
            one.addresses[path] = one.addresses[as_listed]
            one.functions[path] = one.functions[as_listed]
    for path in sorted(set(paths) - set(seen)):
        count.check(False, f"{case.name}: every library that ran is there", path)
    for path in sorted(set(paths) & set(seen)):
        same = result.compare(path, objects[path], seen[path])
        check_names(case, path, objects[path], chosen, seen[path], same, count)
    for path in sorted(set(seen) - set(paths)):
        count.check(not seen[path].entered, f"{case.name}: nothing is entered in what callgrind "
                    "did not run", f"{path}: {list(seen[path].entered.values())[:5]}")
    count.check(not result.unexplained, f"{case.name}: exported functions entered",
                f"{len(result.unexplained)} differences\n  " + "\n  ".join(
                    result.unexplained if verbose else result.unexplained[:20]))
    print(f"{case.name}: {result.libraries} libraries, {result.exported} exported functions, "
          f"{result.both} entered by both, {result.implementations} of them "
          f"chosen by the loader; callgrind lists {result.listed} of their names; "
          f"callgrind {between - start:.1f} s, sapper {end - between:.1f} s")
    for rule, n in sorted(result.rules.items()):
        if n:
            print(f"  {n:5} {rule}")
    sys.stdout.flush()


def main():
    args = sys.argv[1:]
    verbose = "-v" in args
    wanted = [a for a in args if a != "-v"] or list(CASES)
    count = live.Count()
    reason = private_root.reason_not() or next(
        (f"{t} is not installed" for t in ("valgrind", "readelf", "gcc") if not shutil.which(t)),
        None)
    if reason:
        count.skip("callgrind", reason)
        count.done()
    for name in wanted:
        if not private_root.which(name):
            count.skip(f"callgrind: {name}", "it is not installed")
            continue
        with tempfile.TemporaryDirectory(prefix="sapper-callgrind-") as folder:
            root = PrivateRoot(folder)
            sapper, valgrind = root.sapper(), with_valgrind(root)
            if not valgrind:
                count.skip(f"callgrind: {name}", "callgrind is not where it is looked for")
                continue
            case = CASES[name](root, name)
            case.prepare()
            try:
                judge(case, sapper, valgrind, Chosen(root, valgrind), count, verbose)
            except (RuntimeError, OSError, ValueError, KeyError) as e:
                count.check(False, f"callgrind: {name}", repr(e))
    count.done()


if __name__ == "__main__":
    main()
