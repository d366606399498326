# SPDX-License-Identifier: Apache-2.0
"""The frame of update.py: what the cases share, and one case."""
import concurrent.futures
import hashlib
import inspect
import os
import shutil
import subprocess
import tempfile
import threading
import time

from live import Count
from tls_server import Certificates, Server

AT_ONCE = 8
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


def digest(data):
    return hashlib.sha256(data).hexdigest()


class Answer:
    """What sapper-fetch, or sapper, said."""

    def __init__(self, run, seconds):
        self.status, self.seconds = run.returncode, seconds
        self.text = run.stdout.decode(errors="replace")
        self.said = run.stderr.decode(errors="replace")
        lines = self.text.splitlines()
        self.word = lines[0] if lines else ""
        self.fields = dict(line.split(" ", 1) for line in lines[1:] if " " in line)

    def __str__(self):
        return f"status {self.status}, {self.seconds:.1f} s, {self.text!r}, {self.said!r}"


class World:
    """What the cases share."""

    def __init__(self, folder, programs):
        self.folder, self.programs = folder, programs
        certificates = os.path.join(folder, "made")
        os.mkdir(certificates)
        self.certificates = Certificates(certificates)
        self.ca = self.certificates.path("ca.pem")
        self.server = Server(self.certificates)
        self.count, self.lock = Count(), threading.Lock()
        self.slow = 4 if "ASAN_OPTIONS" in os.environ else 1


class Case:
    """One case: a folder, paths on the server, and checks under its name."""

    def __init__(self, world, name):
        self.world, self.server, self.name = world, world.server, name
        self.folder = tempfile.mkdtemp(prefix=name + "-", dir=world.folder)
        os.chmod(self.folder, 0o755)
        self.numbers = iter(range(1000))

    def each(self, function, items):
        """function(case, *item) for all of them at the same time, each in a folder of its own."""
        def one(item):
            return function(Case(self.world, self.name), *item)
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(one, items))

    def clear(self):
        shutil.rmtree(self.folder)
        os.mkdir(self.folder)

    def check(self, held, what, detail=""):
        with self.world.lock:
            return self.world.count.check(held, f"{self.name}: {what}", detail)

    def skip(self, what, reason):
        with self.world.lock:
            self.world.count.skip(f"{self.name}: {what}", reason)

    def path(self, name="f"):
        return os.path.join(self.folder, name)

    def there(self):
        return sorted(os.listdir(self.folder))

    def bytes(self, name="f"):
        with open(self.path(name), "rb") as f:
            return f.read()

    def put(self, name, data):
        with open(self.path(name), "wb") as f:
            f.write(data)

    def on(self, handler, server=None):
        """An address of its own."""
        server = server or self.server
        path = f"/{os.path.basename(self.folder)}/{next(self.numbers)}"
        server.on(path, handler)
        return server.url + path

    def seen(self, url, server=None):
        server = server or self.server
        return server.seen(url[len(server.url):])

    def command(self, url, *options, retries=0, timeout=5, ca=None):
        return [self.world.programs["sapper-fetch"], "--dir", self.folder, "--name", "f",
                "--cacert", ca or self.world.ca, "--timeout", str(timeout),
                "--retries", str(retries), *options, url]

    def fetch(self, url, *options, env=None, before=None, user=None, **more):
        return self.run(self.command(url, *options, **more), env, before, user)

    def run(self, command, env=None, before=None, user=None):
        start = time.monotonic()
        run = subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL,
                             env=environment(env), preexec_fn=before, user=user, timeout=120)
        return Answer(run, time.monotonic() - start)

    def good(self, answer, body, what, resumed=None):
        """It was fetched, and the bytes are right by three ways of looking."""
        held = (answer.status == 0 and answer.word == "fetched" and self.bytes() == body and
                answer.fields["digest"] == digest(body) and
                int(answer.fields["bytes"]) == len(body) and
                (resumed is None or int(answer.fields["resumed"]) == resumed))
        return self.check(held, what, f"{answer} {self.there()}")

    def bad(self, answer, *words, what="fails", files=(), within=None):
        """It failed, said why, in time, and left only these files."""
        held = (answer.status == 2 and not answer.text and
                all(w in answer.said for w in words) and
                (files is None or self.there() == sorted(files)) and
                (within is None or answer.seconds < within * self.world.slow))
        return self.check(held, what, f"{answer} {self.there()}; wanted {words}")


def environment(more=None):
    env = {k: v for k, v in os.environ.items()
           if k.lower() not in PROXIES and not k.startswith("SAPPER_")}
    return {**env, **(more or {})}


def wait_for(condition, seconds=15):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


def size_of(path):
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def reachable(path):
    """Whether others can execute it."""
    while path != "/":
        if not os.stat(path).st_mode & 1:
            return False
        path = os.path.dirname(path)
    return True


def programs():
    sapper = os.environ.get("SAPPER", "")
    folder = os.path.dirname(os.path.realpath(sapper)) if sapper else ""
    found = {name: os.path.join(folder, name)
             for name in ("sapper", "sapper-fetch", "sapper-import")}
    return {name: path for name, path in found.items() if os.path.isfile(path)}


def run_case(world, function):
    case = Case(world, function.__name__)
    start = time.monotonic()
    try:
        function(case)
    except Exception as e:  # a broken case is a failed one
        where = inspect.trace()[-1]
        case.check(False, "runs to its end", f"{e!r} at line {where.lineno}")
    return function.__name__, time.monotonic() - start
