#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""sapper-fetch and `sapper db update` against an HTTPS server on 127.0.0.1 that stalls, cuts off,
lies and serves bombs. Cases run at the same time, as most of them wait; no network is needed.

    tests/live/update.py [WORD...]       only cases whose names hold one of the words
"""
import concurrent.futures
import gzip
import io
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
import zipfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from live import Count  # noqa: E402
from tls_server import Certificates, Proxy  # noqa: E402
from update_case import (AT_ONCE, World, digest, environment, programs, reachable,  # noqa: E402
                         run_case, size_of, wait_for)
import update_fetch  # noqa: E402


# ---- what is published ---------------------------------------------------------------------

def record(ecosystem, n, fixed="2"):
    return {"schema_version": "1.7.0", "id": f"T-{n}", "modified": "2026-11-20T00:00:00Z",
            "affected": [{"package": {"ecosystem": ecosystem, "name": f"p{n}"},
                          "ranges": [{"type": "ECOSYSTEM",
                                      "events": [{"introduced": "0"}, {"fixed": fixed}]}]}]}


def zipped(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files:
            archive.writestr(name, text)
    return out.getvalue()


def osv(ecosystem, numbers, fixed="2", noise=0):
    """all.zip; noise: bytes that make it longer."""
    files = [(f"T-{n}.json", json.dumps(record(ecosystem, n, fixed))) for n in numbers]
    if noise:
        text = random.Random(5).randbytes(noise // 2).hex()
        more = {**record(ecosystem, 0, fixed), "id": "T-noise"}
        files += [("noise.json", json.dumps({**more, "database_specific": {"noise": text}}))]
    return zipped(files)


def osv_lines(ecosystem, numbers, fixed="2"):
    """The same as one file of JSON lines: quickly made, small, and much to import."""
    one = json.dumps(record(ecosystem, 10**9, fixed))
    lines = [one.replace("1000000000", str(n)) for n in numbers]
    return zipped([("all.jsonl", "\n".join(lines))])


def kev(*names):
    return json.dumps({"title": "CISA Catalog of Known Exploited Vulnerabilities",
                       "catalogVersion": "2026.11.20", "dateReleased": "2026-11-20T00:00:00.0Z",
                       "count": len(names), "vulnerabilities": [
                           {"cveID": n, "vendorProject": "v", "product": "p",
                            "vulnerabilityName": "n", "dateAdded": "2026-11-19",
                            "shortDescription": "s", "requiredAction": "a",
                            "dueDate": "2026-12-01", "knownRansomwareCampaignUse": "Unknown",
                            "notes": "", "cwes": []} for n in names]}).encode()


def epss(*names):
    lines = ["#model_version:v2025.03.14,score_date:2026-11-20T00:00:00+0000",
             "cve,epss,percentile", *(f"{n},0.5,0.9" for n in names), ""]
    return gzip.compress("\n".join(lines).encode())


class Site:
    """A mirror for one case: NAME/all.zip of each ecosystem, kev, epss; and the store."""

    def __init__(self, case):
        self.case = case
        self.base = f"{case.server.url}/{os.path.basename(case.folder)}"
        self.store = case.path("db")
        self.put("kev", kev("CVE-2024-3094"), '"k1"')
        self.put("epss", epss("CVE-2024-3094", "CVE-2021-44228"), '"e1"')
        self.put("Debian", osv("Debian:12", range(5)), '"d1"')

    def path(self, name):
        base = self.base[len(self.case.server.url):]
        return f"{base}/{name}" if name in ("kev", "epss") else f"{base}/{name}/all.zip"

    def put(self, name, body, tag, *fields, **how):
        self.on(name, lambda x: x.file(body, tag, *fields, **how))

    def on(self, name, handler):
        self.case.server.on(self.path(name), handler)

    def seen(self, name):
        return self.case.server.seen(self.path(name))

    def command(self, *args, options=None, timeout=5, retries=0):
        options = ["--mirror", self.base, "--kev-url", self.base + "/kev",
                   "--epss-url", self.base + "/epss", "--db", self.store] \
            if options is None else options
        return [self.case.world.programs["sapper"], "db", "update", "--cacert", self.case.world.ca,
                "--timeout", str(timeout), "--retries", str(retries), *options, *args]

    def update(self, *args, env=None, before=None, user=None, **how):
        return self.case.run(self.command(*args, **how), env, before, user)

    def start(self, *args, **how):
        return subprocess.Popen(self.command(*args, **how), env=environment(),
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True)

    def ask(self, *args):
        run = subprocess.run([self.case.world.programs["sapper"], "db", *args, "--db", self.store],
                             capture_output=True, check=False, env=environment())
        if run.returncode:
            raise RuntimeError(f"db {args}: {run.stderr.decode(errors='replace')}")
        return run.stdout.decode()

    def sources(self):
        """KIND/NAME to records."""
        found = json.loads(self.ask("status", "--format", "json"))["sources"]
        return {f"{s['kind']}/{s['name']}": s for s in found}

    def rows(self, source):
        return self.ask("export", "--source", source)

    def held(self, source="osv/Debian"):
        """Names of records and what repairs them."""
        rows = [r.split("\t") for r in self.rows(source).splitlines()]
        return {r[1] for r in rows if r[0] in ("record", "kev", "epss")}, \
            {f for r in rows if r[0] == "claim" for f in r if f.startswith("fixed=")}

    def bytes(self):
        with open(self.store, "rb") as f:
            return f.read()

    def leftovers(self):
        return [n for n in self.case.there() if n not in ("db", "db.lock")]

    def first(self):
        """A store to begin with."""
        answer = self.update("Debian")
        self.case.check(answer.status == 0, "the first update", answer)


def names(numbers):
    return {f"T-{n}" for n in numbers}


# ---- what it is for ------------------------------------------------------------------------

def updates(case):
    site = Site(case)
    body, tag = osv("Debian:12", range(5)), '"with\\tbackslash"'
    site.put("Debian", body, tag, "Last-Modified: Fri, 20 Nov 2026 05:06:07 GMT")
    answer = site.update("Debian")
    case.check(answer.status == 0 and "osv/Debian: 5 advisories" in answer.said, "the first time",
               answer)
    case.check(site.held() == (names(range(5)), {"fixed=2"}), "Debian is there", site.held())
    case.check(site.held("kev/CISA")[0] == {"CVE-2024-3094"}, "KEV is there")
    case.check(site.held("epss/FIRST")[0] == {"CVE-2024-3094", "CVE-2021-44228"}, "EPSS is there")
    source = next(r for r in site.rows("osv/Debian").splitlines() if r.startswith("source"))
    for field in (f"digest=sha256:{digest(body)}", f"origin={site.base}/Debian/all.zip",
                  "date=2026-11-20T05:06:07Z", "etag=" + tag.replace("\\", "\\\\"), "checked=2"):
        case.check("\t" + field in source, f"{field[:8]} is recorded", source)
    case.check(not site.leftovers(), "nothing is left", site.leftovers())
    before = {n: site.rows(n) for n in site.sources()}
    time.sleep(1.1)
    answer = site.update("Debian")
    case.check(answer.status == 0 and answer.said.count("unchanged") == 3, "nothing new", answer)
    asked = [site.seen(n)[1].get("if-none-match") for n in ("Debian", "kev", "epss")]
    case.check(asked == [tag, '"k1"', '"e1"'], "was asked by tags", asked)
    after = {n: site.rows(n) for n in site.sources()}

    def rest(rows):
        return [[f for f in r.split("\t") if not f.startswith("checked=")]
                for r in rows.splitlines()]
    case.check(all(before[n] != after[n] and rest(before[n]) == rest(after[n]) for n in before),
               "only the date of the check is new")
    site.put("Debian", osv("Debian:12", range(3, 8), "3"), '"d2"')
    answer = site.update("-q", "Debian")
    case.check(answer.status == 0 and not answer.said, "a new one, quietly", answer)
    case.check(site.held() == (names(range(3, 8)), {"fixed=3"}), "took the place of the old")
    case.check("if-range" not in site.seen("Debian")[2], "in one piece")
    site.put("Debian", osv("Debian:12", range(2)), 'W/"d3"')
    site.update("Debian")
    answer = site.update("Debian")
    case.check("osv/Debian: unchanged" in answer.said, "a weak tag", answer)
    site.put("Debian", osv("Debian:12", range(4)), None)
    for _ in range(2):
        answer = site.update("Debian")
        case.check(answer.status == 0 and "osv/Debian: 4 adv" in answer.said, "no tag", answer)


def ecosystems(case):
    site = Site(case)
    for name, path in (("Rocky Linux", "Rocky%20Linux"), ("Debian:12", "Debian%3A12"),
                       ("GitHub Actions", "GitHub%20Actions"), ("a?b#c%d&e", "a%3Fb%23c%25d%26e"),
                       ("H\u00e9", "H%C3%A9")):
        site.put(path, osv("PyPI", [7]), '"r"')
        answer = site.update(name)
        case.check(answer.status == 0 and len(site.seen(path)) == 1 and
                   site.held("osv/" + name)[0] == {"T-7"}, f"{name} is {path}", answer)
    there = site.bytes()
    n = len(case.server.requests)
    for name in ("../x", "..", ".", "", "/etc", "a/../b", "x\ny", "\x1b[31m", "x" * 300,
                 "../../kev", ".hidden"):
        answer = site.update(name)
        case.check(answer.status == 2 and "\x1b" not in answer.said, f"{name[:9]!r} is none",
                   answer)
    asked = [p for p, _ in case.server.requests[n:] if p.startswith(site.path("")[:-9])]
    case.check(not asked and site.bytes() == there and not site.leftovers(),
               "nothing was asked for or changed", asked)
    answer = site.update("PyPI", "PyPI", "PyPI")
    case.check(len(site.seen("PyPI")) == 1 and answer.status == 1, "named thrice, asked once",
               answer)


def without_names(case):
    site = Site(case)
    site.put("PyPI", osv("PyPI", [1]), '"p"')
    site.update("PyPI")
    case.put("own.json", json.dumps(record("PyPI", 9)).encode())
    subprocess.run([case.world.programs["sapper"], "db", "import", "-q", "--db", site.store,
                    "--source", "osv/ours", case.path("own.json")], check=True, env=environment())
    answer = site.update()
    case.check("osv/PyPI: unchanged" in answer.said, "what was downloaded before", answer)
    with open("/etc/os-release", encoding="utf-8") as f:
        if "ID=debian\n" in f.read():
            case.check(len(site.seen("Debian")) == 1 and "osv/Debian" in site.sources(),
                       "that of this host", answer)
    case.check("osv/ours" not in answer.said and "osv/ours" in site.sources(),
               "not what was imported by hand", answer)


def places(case):
    """Mirrors by option and environment."""
    site = Site(case)
    other = Site(case)
    env = {"SAPPER_OSV_MIRROR": site.base, "SAPPER_KEV_URL": site.base + "/kev",
           "SAPPER_EPSS_URL": site.base + "/epss", "SAPPER_DB": site.store}
    answer = site.update("Debian", options=[], env=env)
    case.check(answer.status == 0 and
               {"osv/Debian", "kev/CISA", "epss/FIRST"} <= set(site.sources()),
               "by environment", answer)
    os.unlink(site.store)
    for value in ("none", None):
        options = ["--db", site.store] + (["--kev-url", "none", "--epss-url", "none"]
                                          if value is None else [])
        more = {"SAPPER_KEV_URL": "none", "SAPPER_EPSS_URL": "none"} if value else {}
        answer = site.update("Debian", options=options, env={**env, **more})
        case.check(answer.status == 0 and set(site.sources()) == {"osv/Debian"}, "none", answer)
    other.base = site.base + "/other"
    other.put("Debian", osv("Debian:12", [77]), '"d1"')
    answer = site.update("Debian", env=env,
                         options=["--mirror", other.base + "//", "--kev-url", "none"])
    case.check(answer.status == 0 and site.held()[0] == {"T-77"},
               "an option comes first; the same tag elsewhere is another file", answer)
    for option in ("--mirror", "--kev-url", "--epss-url"):
        answer = site.update("Debian", option, "http://127.0.0.1:9/")
        case.check(answer.status == 2 and "https" in answer.said, f"{option} without TLS", answer)
    for option in ("--timeout", "--retries", "--max-size"):
        answer = site.update("Debian", option, "-1")
        case.check(answer.status == 2, f"{option} -1", answer)
    proxy = Proxy()
    answer = site.update("Debian", "--proxy", proxy.url)
    case.check(answer.status == 0 and len(proxy.asked) == 3, "--proxy", answer)
    proxy = Proxy()
    answer = site.update("Debian", env={"https_proxy": proxy.url})
    case.check(answer.status == 0 and len(proxy.asked) == 3, "https_proxy", answer)
    answer = site.update("Debian", env={"https_proxy": proxy.url, "no_proxy": "127.0.0.1"})
    case.check(answer.status == 0 and len(proxy.asked) == 3, "no_proxy", answer)


# ---- what goes wrong -----------------------------------------------------------------------

def bad_files(case):
    good = osv("Debian:12", range(9), "9")
    broken = bytearray(good)
    broken[60] ^= 0xff
    deep = "[" * 100_000 + "]" * 100_000
    text = json.dumps(record("Debian:12", 1))
    case.each(one_bad_file, [
        ("a page", b"<!DOCTYPE html>\n<html><body>Sign in</body></html>\n"),
        ("nothing", b""), ("zeros", bytes(100_000)), ("half a zip", good[:len(good) // 2]),
        ("a zip without its list", good[:good.index(b"PK\1\2")]),
        ("a zip that ends between two files", good[:good.index(b"PK\3\4", len(good) // 2)]),
        ("a broken zip", bytes(broken)), ("an empty zip", zipped([])),
        ("another zip", zipped([("a.txt", "hello"), ("b.json", "{}")])),
        ("a bomb", zipped([("T-1.json", bytes(1 << 28))])),
        ("a bomb of text", zipped([("T-1.json", text[:-1] + ',"x":"' + "y" * (100 << 20) + '"}')])),
        ("a deep one", zipped([("T-1.json", '{"id":"T-1","x":' + deep + "}")])),
        ("JSON that is none", zipped([(f"T-{n}.json", '{"id":') for n in range(9)])),
    ])


def one_bad_file(case, what, body):
    site = Site(case)
    site.first()
    before = site.held()
    site.put("Debian", body, '"d2"')
    site.put("kev", kev("CVE-2024-3094", "CVE-2026-1001"), '"k2"')
    answer = site.update("Debian")
    case.check(answer.status == 1 and "Debian" in answer.said, f"{what}: is said", answer)
    case.check(answer.seconds < 20 * case.world.slow, f"{what}: in time", answer)
    case.check(site.held() == before, f"{what}: Debian is as it was",
               f"{answer} {site.held()}")
    case.check(len(site.held("kev/CISA")[0]) == 2, f"{what}: the others are new")
    case.check(not site.leftovers(), f"{what}: nothing is left", site.leftovers())
    site.put("Debian", osv("Debian:12", range(9)), '"d3"')
    answer = site.update("Debian")
    case.check(answer.status == 0 and site.held()[0] == names(range(9)),
               f"{what}: the next is good", answer)


def not_to_be_had(case):
    site = Site(case)
    site.first()
    there = site.bytes()
    for name in ("Debian", "kev", "epss"):
        site.on(name, lambda x: x.answer(503, b"no"))
    answer = site.update("Debian")
    case.check(answer.status == 2 and "as it was" in answer.said, "all 503", answer)
    case.check(site.bytes() == there and not site.leftovers(), "not a byte has changed")
    site.put("kev", kev("CVE-2026-1001"), '"k2"')
    site.on("Debian", lambda x: x.stall())
    answer = site.update("Debian", timeout=1)
    case.check(answer.status == 1 and "osv/Debian stays as it was" in answer.said and
               "epss/FIRST stays as it was" in answer.said and
               answer.seconds < 5 * case.world.slow, "some", answer)
    case.check(site.held("kev/CISA")[0] == {"CVE-2026-1001"} and len(site.held()[0]) == 5 and
               len(site.held("epss/FIRST")[0]) == 2, "what could be had is new, all else is there")
    site.put("Debian", osv("Debian:12", range(5), noise=3 << 20), '"large"')
    answer = site.update("Debian", "--max-size", "1")
    case.check("larger than 1048576" in answer.said and answer.status == 1, "--max-size", answer)
    case.check(site.update("Debian", "--max-size", "2").status == 1, "2 MiB of zip")
    fresh = Site(case)
    fresh.store = case.path("fresh")
    fresh.on("epss", lambda x: x.answer(404, b"no"))
    for name in ("Debian", "kev"):
        fresh.on(name, lambda x: x.answer(404, b"no"))
    answer = fresh.update("Debian")
    case.check(answer.status == 2 and not os.path.exists(fresh.store), "no store of nothing",
               answer)


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as f:
            return [int(p) for p in f.read().split()]
    except FileNotFoundError:
        return []


def child_named(pid, name):
    for child in children(pid):
        try:
            with open(f"/proc/{child}/comm", encoding="utf-8") as f:
                if f.read().strip() == name[:15]:
                    return child
        except (FileNotFoundError, ProcessLookupError):
            pass
    return None


def killed_download(case):
    for victim in ("sapper", "sapper-fetch"):
        sub = type(case)(case.world, case.name)
        site = Site(sub)
        site.first()
        there = site.bytes()
        gone = threading.Event()

        def drip(x, gone=gone):
            try:
                x.file(osv("Debian:12", range(9), noise=400_000), '"d2"', drip=(10_000, 0.1))
            except OSError:
                gone.set()
        site.on("Debian", drip)
        run = site.start("Debian", retries=3)
        part = sub.path("db.downloads/osv_Debian.part")
        wait_for(lambda part=part: size_of(part) > 30_000)
        os.kill(run.pid if victim == "sapper" else child_named(run.pid, victim), 9)
        said = run.communicate()[1]
        case.check(gone.wait(5 * case.world.slow), f"{victim} killed: the download ends with it")
        if victim == "sapper":
            case.check(site.bytes() == there, "sapper killed: the store is as it was")
        else:
            case.check(run.returncode == 1 and "signal 9" in said, "said so", said)
        case.check(len(site.held()[0]) == 5, f"{victim} killed: Debian is as it was")
        site.put("Debian", osv("Debian:12", range(9), noise=400_000), '"d2"')
        answer = site.update("Debian")
        case.check(answer.status == 0 and len(site.held()[0]) == 10, f"{victim} killed: the next",
                   answer)
        last = site.seen("Debian")[-1]
        case.check(last.get("if-range") == '"d2"' and
                   int(last.get("range", "bytes=0-")[6:-1]) > 30_000, f"{victim} killed: goes on",
                   last)
        case.check(not site.leftovers(), f"{victim} killed: nothing is left", site.leftovers())


def killed_import(case):
    case.each(one_killed_import, [("sapper",), ("sapper-import",)])


def one_killed_import(case, victim):
    site = Site(case)
    numbers = range(30_000 // case.world.slow)
    site.first()
    for n in range(9):  # until it is caught in the act
        there = site.bytes()
        held = site.held()
        site.put("Debian", osv_lines("Debian:12", numbers, f"9.{n}"), f'"d{n}"')
        run = site.start("Debian")
        found = None
        while run.poll() is None and not found:
            found = child_named(run.pid, "sapper-import")
        if found:
            os.kill(run.pid if victim == "sapper" else found, 9)
        said = run.communicate()[1]
        if site.held()[1] != {f"fixed=9.{n}"}:
            break
    case.check(victim == "sapper" or "signal 9" in said, "it is said", said)
    case.check(victim != "sapper" or site.bytes() == there, "the store is as it was")
    case.check(site.held() == held, f"{victim} killed: Debian is as it was")
    answer = site.update("Debian")
    case.check(answer.status == 0 and site.held() == (names(numbers), {f"fixed=9.{n}"}),
               f"{victim} killed: the next", answer)
    case.check(site.seen("Debian")[-1].get("if-none-match") == f'"d{n}"' and
               site.seen("Debian")[-1].get("range") is None,
               f"{victim} killed: nothing is fetched twice", site.seen("Debian")[-1])
    case.check(not site.leftovers(), f"{victim} killed: nothing is left", site.leftovers())


def killed_anywhere(case):
    """Whenever it ends, the store is the old one or the new one, and the next update works."""
    site = Site(case)
    site.first()
    dice = random.Random(6)
    for n in range(12 // case.world.slow + 2):
        want = [site.held(), (names(range(2000)), {f"fixed={n}"})]
        site.put("Debian", osv_lines("Debian:12", range(2000), str(n)), f'"n{n}"')
        run = site.start("Debian", "-q")
        time.sleep(dice.random() * 0.4 * case.world.slow)
        run.kill()
        run.communicate()
        case.check(site.held() in want, f"{n}: old or new", site.sources())
    answer = site.update("Debian")
    case.check(answer.status == 0 and site.held() == want[1], "the next update", answer)
    case.check(not site.leftovers(), "nothing is left", site.leftovers())


def at_once(case):
    site = Site(case)
    site.first()
    site.put("Debian", osv("Debian:12", range(9), "9", noise=100_000), '"d2"', drip=(20_000, 0.05))
    runs = [site.start("Debian") for _ in range(3)]
    said = [run.communicate(timeout=60)[1] for run in runs]
    case.check(all(run.returncode == 0 for run in runs), "three at once", said)
    case.check(sum("osv/Debian: unchanged" in s for s in said) == 2, "one of them fetches", said)
    case.check(len(site.held()[0]) == 10 and not site.leftovers(), "all is there",
               site.leftovers())


def readers(case):
    """A reader never fails and never sees a half."""
    site = Site(case)
    site.first()
    seen, done = [], threading.Event()

    def read():
        while not done.is_set():
            try:
                seen.append(site.sources()["osv/Debian"]["records"])
                seen.append(len(site.held()[0]))
            except RuntimeError as e:
                seen.append(str(e))
    readers_ = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers_:
        reader.start()
    for n in range(8):
        site.put("Debian", osv("Debian:12", range(500 if n % 2 else 5)), f'"n{n}"')
        answer = site.update("-q", "Debian")
        case.check(answer.status == 0, "an update", answer)
    done.set()
    for reader in readers_:
        reader.join()
    case.check(set(seen) <= {5, 500} and len(seen) > 20, "old or new, always",
               f"{len(seen)} {set(seen)}")


def disk_full(case):
    site = Site(case)
    site.first()

    def limit(n):
        return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (n, n))
    case.put("before", site.bytes())
    answer = site.update("Debian", before=limit(10_000))
    case.check(answer.status == 2 and "File too large" in answer.said and "db" in answer.said and
               site.bytes() == case.bytes("before"), "no room for a copy of the store", answer)
    room = len(site.bytes()) + 50_000
    site.put("Debian", osv("Debian:12", range(30), noise=room * 2), '"d2"')
    answer = site.update("Debian", before=limit(room))
    case.check(answer.status == 1 and "osv_Debian.part" in answer.said and
               "File too large" in answer.said, "no room for the download", answer)
    case.check(len(site.held()[0]) == 5, "Debian is as it was")
    site.put("Debian", osv_lines("Debian:12", range(10_000)), '"d3"')
    answer = site.update("Debian", before=limit(1_000_000))
    case.check(answer.status in (1, 2) and case.folder in answer.said and
               ("full" in answer.said or "File too large" in answer.said),
               "no room for the store", answer)
    case.check(len(site.held()[0]) == 5, "Debian still is as it was")
    answer = site.update("Debian")
    case.check(answer.status == 0 and len(site.held()[0]) == 10_000, "and then there is", answer)
    os.unlink(case.path("before"))
    case.check(not site.leftovers(), "nothing is left", site.leftovers())


def folders(case):
    site = Site(case)
    site.first()
    there = site.bytes()
    downloads = case.path("db.downloads")
    elsewhere = case.path("elsewhere")
    os.mkdir(elsewhere)
    os.symlink(elsewhere, downloads)
    answer = site.update("Debian")
    case.check(answer.status == 2 and "db.downloads" in answer.said, "a link for the folder",
               answer)
    os.unlink(downloads)
    os.mkdir(downloads)
    for mode in (0o775, 0o757):
        os.chmod(downloads, mode)
        answer = site.update("Debian")
        case.check(answer.status == 2 and "others can write" in answer.said, f"mode {mode:o}",
                   answer)
    os.rmdir(downloads)
    case.put("db.downloads", b"")
    answer = site.update("Debian")
    case.check(answer.status == 2 and "db.downloads" in answer.said, "a file for it", answer)
    os.unlink(downloads)
    case.check(site.bytes() == there and not os.listdir(elsewhere), "nothing was changed")
    os.mkdir(downloads)
    for name in ("osv_Debian", "osv_Debian.tag", "osv_Debian.part", "osv_Debian.part.tag"):
        os.symlink(site.store, os.path.join(downloads, name))
    site.put("Debian", osv("Debian:12", range(7)), '"d2"')
    answer = site.update("Debian")
    case.check(answer.status == 0 and len(site.held()[0]) == 7, "links in it", answer)
    case.check(site.leftovers() == ["elsewhere"], "are gone", site.leftovers())
    if os.geteuid() != 0:
        os.chmod(case.folder, 0o555)
    elif not reachable(case.world.programs["sapper"]):
        return case.skip("read-only", "others cannot reach the program")
    there = site.bytes()
    answer = site.update("Debian", user=65534 if os.geteuid() == 0 else None)
    os.chmod(case.folder, 0o755)
    case.check(answer.status == 2 and "ermission denied" in answer.said and case.folder in
               answer.said and site.bytes() == there, "a folder that is not ours", answer)
    return None


CASES = [bad_files, killed_download, killed_import, killed_anywhere, readers, not_to_be_had,
         at_once, disk_full, updates, ecosystems, places, without_names, folders]


def main():
    words = [a for a in sys.argv[1:] if a != "/"]
    found = programs()
    reason = Certificates.missing()
    for name in ("sapper", "sapper-fetch", "sapper-import"):
        reason = reason or (None if name in found else f"{name} is not here")
    if reason:
        count = Count()
        count.skip("update", reason)
        count.done()
    wanted = [f for f in CASES + update_fetch.CASES
              if not words or any(w in f.__name__ for w in words)]
    with tempfile.TemporaryDirectory(prefix="sapper-update-") as folder:
        os.chmod(folder, 0o755)
        world = World(folder, found)
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            times = sorted(pool.map(lambda f: run_case(world, f), wanted), key=lambda t: -t[1])
        print("longest: " + ", ".join(f"{n} {s:.1f} s" for n, s in times[:5]))
    world.count.done()


if __name__ == "__main__":
    main()
