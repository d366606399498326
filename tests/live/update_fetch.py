# SPDX-License-Identifier: Apache-2.0
"""Cases of update.py: sapper-fetch alone."""
import concurrent.futures
import contextlib
import gzip
import os
import random
import resource
import socket
import stat
import subprocess
import threading
import time

from tls_server import Proxy, Server
from update_case import environment, reachable, size_of, wait_for

BODY = random.Random(3).randbytes(300_000)
OTHER = random.Random(4).randbytes(280_000)
TAG, TAG2 = '"one"', '"two"'


# ---- whom it trusts ------------------------------------------------------------------------

def only_https(case):
    plain = socket.create_server(("127.0.0.1", 0))
    plain.settimeout(0.2)
    http = f"http://127.0.0.1:{plain.getsockname()[1]}/x"
    for url in (http, "HTTP" + http[4:], "ftp://127.0.0.1/x", "file:///etc/hostname", "x", ""):
        case.bad(case.fetch(url, retries=3), "https", what=f"{url!r} is refused", within=1)
    for status in (301, 302, 307, 308):
        url = case.on(lambda x, s=status: x.answer(s, b"", "Location: " + http))
        case.bad(case.fetch(url, retries=3), what=f"{status} to http is refused", within=1)
        case.check(len(case.seen(url)) == 1, f"{status} to http: no second try")
    url = case.on(lambda x: x.answer(302, b"", "Location: file:///etc/hostname"))
    case.bad(case.fetch(url, retries=3), what="a redirect to a file is refused", within=1)
    try:
        plain.accept()
        case.check(False, "nobody asks without TLS")
    except TimeoutError:
        case.check(True, "nobody asks without TLS")


def certificates(case):
    for kind in case.world.certificates.KINDS:
        server = Server(case.world.certificates, kind)
        url = case.on(lambda x: x.file(BODY, TAG), server)
        if kind == "good":
            case.good(case.fetch(url), BODY, "a good certificate")
            case.good(case.fetch(url.replace("127.0.0.1", "localhost")), BODY, "its other name")
            answer = case.fetch(url, ca=case.world.certificates.path("wrong-ca.pem"), retries=3)
            case.clear()
            case.bad(answer, "certificate", what="only --cacert is trusted", within=1)
            command = case.command(url, retries=3)
            del command[5:7]
            case.bad(case.run(command), "certificate", what="without --cacert, the system's",
                     within=1)
            case.bad(case.fetch(url, ca="/nonexistent"), what="no such --cacert", within=1)
            continue
        case.bad(case.fetch(url, retries=3), "certificate", what=f"{kind} is refused", within=1)
        case.check(not server.requests, f"{kind}: nothing was asked")


def addresses(case):
    port = case.server.port
    for url in (f"https://user:secret@127.0.0.1:{port}/", f"https://user@127.0.0.1:{port}/"):
        answer = case.fetch(url, retries=3)
        case.bad(answer, "user name", what="no passwords in addresses", within=1)
        case.check("secret" not in answer.said, "and they are not repeated")
    for url in ("https://127.0.0.1/a b", "https://127.0.0.1/\r\nX: y", "https://h\u00e9/",
                "https://127.0.0.1/" + "x" * 5000):
        case.bad(case.fetch(url, retries=3), what=f"{url[:24]!r} is no address", within=1)
    url = case.on(lambda x: x.answer(200, BODY))
    for name in ("", "../f", "a/b", ".", "..", ".f", "n" * 300):
        command = case.command(url)
        command[4] = name
        case.bad(case.run(command), what=f"{name[:8]!r} is no name", within=1)
    for tag in ("x", "\"x", '"a\r\nb: c"', 'w/"x"'):
        case.bad(case.fetch(url, "--etag", tag), what=f"{tag!r} is no tag", within=1)
    case.check(not case.seen(url), "nothing was asked")


def redirects(case):
    target = case.on(lambda x: x.file(BODY, TAG))
    first = case.on(lambda x: x.answer(302, b"moved", "Location: " + target, 'ETag: "of 302"'))
    answer = case.fetch(first)
    case.good(answer, BODY, "a redirect is followed")
    case.check(answer.fields["etag"] == TAG, "the tag is that of the file", answer)
    loop = case.on(lambda x: x.answer(302, b"", "Location: " + x.path))
    answer = case.fetch(loop, retries=3)
    case.bad(answer, "redirects", what="a loop ends", files=["f", "f.tag"], within=1)
    case.check(len(case.seen(loop)) == 6, "after 5", len(case.seen(loop)))

    def endless(x):
        x.head(302, "Location: " + target, "Content-Length: 1000000000000")
        with contextlib.suppress(OSError):
            while True:
                x.raw(bytes(65536))
    answer = case.fetch(case.on(endless), "--etag", '"old"')
    case.check(answer.seconds < 12 * case.world.slow, "an endless text of a redirect ends", answer)


# ---- conditions ----------------------------------------------------------------------------

def unchanged(case):
    for tag in (TAG, 'W/"weak"', '"with,comma"', '"back\\slash"', '""'):
        url = case.on(lambda x, t=tag: x.file(BODY, t))
        answer = case.fetch(url, "--etag", tag)
        case.check(answer.status == 0 and answer.word == "unchanged" and
                   answer.fields == {"etag": tag} and not case.there(), f"{tag} is unchanged",
                   answer)
        case.check(case.seen(url)[0].get("if-none-match") == tag, f"{tag} was asked")
    modified = "Last-Modified: Wed, 21 Oct 2026 07:28:00 GMT"
    url = case.on(lambda x: x.file(OTHER, TAG2, modified))
    answer = case.fetch(url, "--etag", TAG)
    case.good(answer, OTHER, "a changed file is fetched")
    case.check(answer.fields["etag"] == TAG2 and answer.fields["modified"] == "1792567680",
               "with its tag and date", answer)
    for bad in ("none", '"two', '"a b"', '"' + "x" * 600 + '"', '"a"b"'):
        url = case.on(lambda x, t=bad: x.answer(200, BODY, "ETag: " + t))
        answer = case.fetch(url)
        case.good(answer, BODY, f"with a tag {bad[:8]}")
        case.check("etag" not in answer.fields, f"{bad[:8]} is no tag", answer)


def lying_304(case):
    url = case.on(lambda x: x.head(304, "ETag: " + TAG))
    case.bad(case.fetch(url), "304", what="304 to no condition is no success")
    case.bad(case.fetch(url, "--etag", '"old"'), "304", what="304 of another file is none")
    answers = [lambda x: x.head(304, "ETag: " + TAG), lambda x: x.file(BODY, TAG)]
    url = case.on(lambda x: answers.pop(0)(x))
    case.good(case.fetch(url, "--etag", '"old"', retries=1), BODY, "asks without condition then", 0)
    case.check("if-none-match" not in case.seen(url)[1], "with nothing to answer 304 to")
    case.clear()
    answers = [lambda x: x.file(BODY, TAG, cut=1000), lambda x: x.head(304, "ETag: " + TAG),
               lambda x: x.file(BODY, TAG)]
    url = case.on(lambda x: answers.pop(0)(x))
    case.good(case.fetch(url, "--etag", '"old"', retries=3), BODY, "304 to a range begins anew", 0)


# ---- going on ------------------------------------------------------------------------------

def resume(case):
    answers = [lambda x: x.file(BODY, TAG, cut=100_000), lambda x: x.file(BODY, TAG, cut=50_000),
               lambda x: x.file(BODY, TAG)]
    url = case.on(lambda x: answers.pop(0)(x))
    answer = case.fetch(url, retries=3)
    case.good(answer, BODY, "after two cuts", 150_000)
    ranges = [(h.get("range"), h.get("if-range")) for h in case.seen(url)]
    case.check(ranges == [(None, None), ("bytes=100000-", TAG), ("bytes=150000-", TAG)],
               "asked for the rest", ranges)
    case.check(1 <= answer.seconds - 2 < 3 * case.world.slow, "pauses of 1 and 2 seconds", answer)


def resume_later(case):
    answers = [lambda x: x.file(BODY, TAG, cut=100_000), lambda x: x.file(BODY, TAG)]
    url = case.on(lambda x: answers.pop(0)(x))
    case.bad(case.fetch(url), what="cut off", files=["f.part", "f.part.tag"])
    case.check(case.bytes("f.part") == BODY[:100_000], "what came stays")
    case.good(case.fetch(url, "--etag", '"old"'), BODY, "another process goes on", 100_000)
    case.check(case.there() == ["f", "f.tag"], "nothing else is left", case.there())
    answers = [lambda x: x.file(OTHER, TAG2, cut=9), lambda x: x.file(OTHER, TAG2)]
    case.bad(case.fetch(url), what="the next file is cut off", files=["f", "f.part", "f.part.tag"])
    case.good(case.fetch(url), OTHER, "and gone on with, though an older one is there", 9)


def resume_not(case):
    """The same, but what is there is of no use: every one ends with the right bytes."""
    full = [("a server without ranges", lambda x: x.file(OTHER, TAG, ranges=False)),
            ("a file that has changed", lambda x: x.file(OTHER, TAG2))]

    def answer_206(first, last, total, body, *fields):
        def handler(x):
            if "range" not in x.headers:
                return x.file(OTHER, TAG)
            return x.answer(206, body, f"Content-Range: bytes {first}-{last}/{total}", *fields)
        return handler
    tag = "ETag: " + TAG
    n, end = len(OTHER), len(OTHER) - 1
    wrong = [
        ("ranges of a changed file", answer_206(1000, end, n, OTHER[1000:], "ETag: " + TAG2)),
        ("ranges without a tag", answer_206(1000, end, n, OTHER[1000:])),
        ("ranges with a weak tag", answer_206(1000, end, n, OTHER[1000:], "ETag: W/" + TAG)),
        ("another range", answer_206(1001, end, n, OTHER[1001:], tag)),
        ("the range from the start", answer_206(0, end, n, OTHER, tag)),
        ("no total", answer_206(1000, end, "*", OTHER[1000:], tag)),
        ("last before first", answer_206(1000, 999, n, OTHER[1000:], tag)),
        ("last behind total", answer_206(1000, n, n, OTHER[1000:], tag)),
        ("a range of 2^64", answer_206(1000, 2**64, 2**64 + 1, OTHER[1000:], tag)),
        ("more than the range", answer_206(1000, end, n, OTHER[1000:] + b"more", tag)),
        ("several parts", lambda x: x.answer(
            206 if "range" in x.headers else 200,
            b"--x\r\n\r\n" if "range" in x.headers else OTHER, tag)),
        ("416", lambda x: x.answer(416, b"", tag) if "range" in x.headers else x.file(OTHER, TAG)),
    ]

    def one(case, what, handler):
        case.put("f.part", BODY[:1000])
        url = case.on(handler)
        case.put("f.part.tag", f"{TAG}\n{url}\n".encode())
        case.good(case.fetch(url, retries=1), OTHER, what, 0)
        seen = [h.get("range") for h in case.seen(url)]
        want = ["bytes=1000-"] + ([None] if (what, handler) in wrong else [])
        case.check(seen == want, f"{what}: asked as it should", seen)
    case.each(one, full + wrong)
    answers = [answer_206(1000, 1999, n, OTHER[1000:2000], tag), lambda x: x.file(OTHER, TAG)]
    case.put("f.part", OTHER[:1000])
    url = case.on(lambda x: answers.pop(0)(x))
    case.put("f.part.tag", f"{TAG}\n{url}\n".encode())
    case.good(case.fetch(url, retries=1), OTHER, "less than asked", 2000)


def resume_never(case):
    """What is there belongs to something else, or nobody knows to what."""
    for what, tag, size in (("no tag", None, 1000), ("a weak tag", 'W/"one"\nURL\n', 1000),
                            ("half a tag", '"one', 1000), ("half an address", '"one"\nhttps', 1000),
                            ("another address", '"one"\nhttps://127.0.0.1/other\n', 1000),
                            ("no address", '"one"\n', 1000), ("zeros", "\0" * 40, 1000),
                            ("a long tag", '"' + "x" * 9000 + '"\nURL\n', 1000),
                            ("more than may be", '"one"\nURL\n', 400_000)):
        url = case.on(lambda x: x.file(BODY, TAG))
        case.put("f.part", bytes(size))
        if tag is not None:
            case.put("f.part.tag", tag.replace("URL", url).encode())
        case.good(case.fetch(url, "--max-size", "300000"), BODY, what, 0)
        case.check("range" not in case.seen(url)[0], f"{what}: asks for all")
        case.clear()
    for tag in ("", 'W/"weak"'):
        url = case.on(lambda x, t=tag: x.file(BODY, t, cut=1000))
        case.bad(case.fetch(url), what=f"cut off with the tag {tag!r}: nothing is kept")


def whole_before(case):
    """A file that nobody took over is not fetched twice, and never given for another."""
    url = case.on(lambda x: x.file(BODY, TAG))
    case.good(case.fetch(url), BODY, "the first time", 0)
    answer = case.fetch(url, "--etag", '"old"')
    case.good(answer, BODY, "is there", len(BODY))
    case.check(answer.fields["etag"] == TAG and case.seen(url)[1]["if-none-match"] == TAG,
               "by its tag", answer)
    case.check(case.fetch(url, "--etag", TAG).word == "unchanged", "what one has is unchanged")
    other = case.on(lambda x: x.file(OTHER, TAG))
    case.good(case.fetch(other), OTHER, "the same tag at another address is another file", 0)
    changed = case.on(lambda x: x.file(BODY, TAG2))
    case.put("f.tag", f"{TAG}\n{changed}\n".encode())
    case.good(case.fetch(changed), BODY, "a changed file", 0)
    os.unlink(case.path())
    case.good(case.fetch(changed), BODY, "a tag without its file", 0)
    case.put("f", b"short")
    case.put("f.tag", b"")
    case.good(case.fetch(changed), BODY, "a file without its tag", 0)


def killed(case):
    url = case.on(lambda x: x.file(BODY, TAG, drip=(20_000, 0.05)))
    for n in range(3):
        run = subprocess.Popen(case.command(url), env=environment(), stdout=subprocess.DEVNULL)
        wait_for(lambda n=n: size_of(case.path("f.part")) > 40_000 * (n + 1))
        run.kill()
        run.wait()
        case.check("f" not in case.there(), "killed: no half file", case.there())
    answer = case.fetch(url)
    case.good(answer, BODY, "after three kills")
    case.check(int(answer.fields["resumed"]) > 120_000, "it went on", answer)


def at_once(case):
    url = case.on(lambda x: x.file(BODY, TAG, drip=(30_000, 0.05)))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda _: case.fetch(url), range(4)))
    for answer in answers:
        case.good(answer, BODY, "four at once")
    hang = case.on(lambda x: (x.head(200, "Content-Length: 9999"), x.raw(b"x"), x.stall()))
    run = subprocess.Popen(case.command(hang), env=environment(), stderr=subprocess.DEVNULL)
    wait_for(lambda: size_of(case.path("f.part")) == 1)
    case.bad(case.fetch(url), "another transfer", what="one that does not end is in the way",
             files=None, within=4)
    run.kill()
    run.wait()


# ---- time ----------------------------------------------------------------------------------

def stalls(case):
    def body(x):
        x.head(200, "Content-Length: 300000", "ETag: " + TAG)
        x.raw(BODY[:100_000])
        x.stall()

    def headers(x):
        x.raw(b"HTTP/1.1 200 OK\r\nETag: ")
        x.stall()

    def one(case, what, handler):
        answer = case.fetch(case.on(handler), timeout=2)
        case.bad(answer, "no progress in 2 seconds", what=f"a stall {what}", files=None, within=4)
        case.check(answer.seconds >= 2, f"{what}: not too early", answer)
    case.each(one, [("before the answer", lambda x: x.stall()), ("in the headers", headers),
                    ("in the file", body)])
    answers = [body, lambda x: x.file(BODY, TAG)]
    url = case.on(lambda x: answers.pop(0)(x))
    case.good(case.fetch(url, timeout=1, retries=1), BODY, "goes on after a stall", 100_000)


def drips(case):
    def slowly(data, seconds):
        with contextlib.suppress(OSError):
            for byte in data:
                time.sleep(seconds)
                yield bytes([byte])

    def body(x):
        x.head(200, "Content-Length: 300000")
        for piece in slowly(BODY, 0.05):
            x.raw(piece)

    def headers(x):
        for piece in slowly(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 9999, 0.05):
            x.raw(piece)

    def one(case, what, handler):
        answer = case.fetch(case.on(handler), timeout=2)
        case.bad(answer, "no progress", what=f"{what} drop by drop", within=4)
    case.each(one, [("the file", body), ("the headers", headers)])
    url = case.on(lambda x: x.file(BODY, TAG, drip=(1000, 0.01)))
    case.good(case.fetch(url, timeout=1), BODY, "slow but steady is good, longer than the timeout")


def silence(case):
    """No TLS at all: a port where nobody speaks, one that is closed, one that speaks nonsense."""
    mute = socket.create_server(("127.0.0.1", 0))
    url = f"https://127.0.0.1:{mute.getsockname()[1]}/"
    case.bad(case.fetch(url, timeout=1), what="a mute port", within=3)
    mute.close()
    case.bad(case.fetch(url), "127.0.0.1", what="a closed port", within=1)
    case.bad(case.fetch(url, retries=1), what="a closed port, twice", within=3)
    speaker = socket.create_server(("127.0.0.1", 0))

    def speak():
        with contextlib.suppress(OSError):
            speaker.accept()[0].sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno")
    threading.Thread(target=speak, daemon=True).start()
    case.bad(case.fetch(f"https://127.0.0.1:{speaker.getsockname()[1]}/"), what="no TLS", within=2)


# ---- lengths -------------------------------------------------------------------------------

def lengths(case):
    def lie(case, *lines, body=BODY, end=None):
        def handler(x):
            x.head(200, *lines)
            x.raw(body)
            if end:
                end(x)
        return case.on(handler)
    for length in ("-1", "-300000", "x", "1e5", "0x10", "+5", "", "300000, 300001",
                   "18446744073709551621", "300000\r\nContent-Length: 299999"):
        case.bad(case.fetch(lie(case, "Content-Length: " + length)),
                 what=f"a length of {length!r}", within=2)
    for end, what in ((None, "in order"), (lambda x: x.cut_off(), "by TCP alone"),
                      (lambda x: x.reset(), "by a reset")):
        case.bad(case.fetch(lie(case, end=end), retries=3), what=f"no length, ended {what}",
                 within=1 if not what.endswith("reset") else 20)
    case.bad(case.fetch(lie(case, f"Content-Length: {len(BODY) + 1}")),
             what="more announced than sent", within=2)
    case.bad(case.fetch(lie(case, "Content-Length: 9223372036854775807"),
                        "--max-size", "9223372036854775807"), what="2^63-1", within=2)
    answer = case.fetch(lie(case, "Content-Length: 1000"))
    case.good(answer, BODY[:1000], "less announced than sent: that much")
    case.good(case.fetch(lie(case, "Content-Length: 300000\r\nContent-Length: 300000")), BODY,
              "the same length twice")
    case.good(case.fetch(lie(case, "Content-Length: 0", body=b"")), b"", "nothing, and it is")


def chunks(case):
    def chunked(pieces, end=b"0\r\n\r\n"):
        def handler(x):
            x.head(200, "Transfer-Encoding: chunked", "ETag: " + TAG)
            for piece in pieces:
                x.raw(b"%x\r\n%b\r\n" % (len(piece), piece))
            x.raw(end)
        return case.on(handler)
    case.good(case.fetch(chunked([BODY[:9], BODY[9:]])), BODY, "chunks")
    trailer = b'0\r\nETag: "late"\r\n\r\n'
    answer = case.fetch(chunked([OTHER], trailer))
    case.check(answer.fields.get("etag") == TAG, "a tag behind the file is none", answer)
    for what, end in (("no last chunk", b""), ("half a chunk", b"ffff\r\nabc"),
                      ("a chunk of no size", b"zz\r\nabc\r\n"),
                      ("a chunk of 2^70", b"4" + b"0" * 17 + b"\r\nabc\r\n"), ):
        answer = case.fetch(chunked([BODY[:1000]], end))
        case.bad(answer, what=what, files=None, within=2)


def too_large(case):
    sent = []

    def endless(x):
        with contextlib.suppress(OSError):
            for n in range(100_000):
                x.raw(bytes(65536))
                sent.append(n)
    limit = ("--max-size", "1000000")

    def without(x):
        x.head(200, "Transfer-Encoding: chunked", "ETag: " + TAG)
        with contextlib.suppress(OSError):
            for n in range(100_000):
                x.raw(b"10000\r\n" + bytes(65536) + b"\r\n")
                sent.append(n)
    case.bad(case.fetch(case.on(without), *limit, retries=3), "larger than 1000000 bytes",
             what="an endless file", within=2)
    case.check(len(sent) < 1000, "is not read on", len(sent))

    def announced(x):
        x.head(200, "Content-Length: 1000001", "ETag: " + TAG)
        endless(x)
    case.bad(case.fetch(case.on(announced), *limit, retries=3), "larger than 1000000 bytes",
             what="announced", within=2)
    url = case.on(lambda x: x.file(BODY, TAG))
    case.good(case.fetch(url, "--max-size", str(len(BODY))), BODY, "exactly as large")
    case.clear()
    case.bad(case.fetch(url, "--max-size", str(len(BODY) - 1)), "larger", what="one byte too large")
    url = case.on(lambda x: x.answer(206, b"x", "ETag: " + TAG,
                                     "Content-Range: bytes 1000-1000000/1000001"))
    case.put("f.part", bytes(1000))
    case.put("f.part.tag", f"{TAG}\n{url}\n".encode())
    case.bad(case.fetch(url, *limit, retries=3), "larger", what="a part of what is too large",
             within=2)

    def many_headers(x):
        with contextlib.suppress(OSError):
            x.raw(b"HTTP/1.1 200 OK\r\n")
            while True:
                x.raw(b"X-Header: value of the header\r\n" * 100)
    case.bad(case.fetch(case.on(many_headers)), what="endless headers", within=3)

    def long_header(x):
        with contextlib.suppress(OSError):
            x.raw(b"HTTP/1.1 200 OK\r\nX: ")
            endless(x)
    case.bad(case.fetch(case.on(long_header)), what="an endless header", within=3)


def not_decoded(case):
    packed = gzip.compress(bytes(50_000_000), 9)
    for coding in ("gzip", "br", "deflate, gzip", "nonsense"):
        url = case.on(lambda x, c=coding: x.answer(200, packed, "Content-Encoding: " + c))
        case.good(case.fetch(url), packed, f"{coding} stays as it came")
        case.check("accept-encoding" not in case.seen(url)[0], "and is not asked for")


# ---- answers -------------------------------------------------------------------------------

def statuses(case):
    for status in (400, 401, 403, 404, 405, 410, 451, 300, 305):
        url = case.on(lambda x, s=status: x.answer(s, b"<html>no</html>"))
        case.bad(case.fetch(url, retries=3), str(status), what=f"{status} is final", within=1)
        case.check(len(case.seen(url)) == 1, f"{status}: no second try")
    for status in (204, 203):
        url = case.on(lambda x, s=status: x.answer(s, b"" if s == 204 else BODY))
        case.bad(case.fetch(url), str(status), what=f"{status} is not the file")

    def endless(x):
        x.head(404)
        with contextlib.suppress(OSError):
            while True:
                x.raw(bytes(65536))
    case.bad(case.fetch(case.on(endless)), "404", what="an endless error", within=2)
    for answer in (b"", b"\x16\x03\x01", b"HTTP/1.1 200\x1b[31m evil\r\n\r\n",
                   b"HTTP/9.9 200 OK\r\n\r\n", b"hello\r\n\r\n", b"HTTP/1.1 99999 OK\r\n\r\n"):
        got = case.fetch(case.on(lambda x, a=answer: x.raw(a)))
        case.check(got.status in (0, 2) and "\x1b" not in got.said and got.seconds < 3,
                   f"{answer[:20]} is survived", got)
        for name in case.there():
            os.unlink(case.path(name))


def again(case):
    def one(case, status):
        answers = [lambda x, s=status: x.answer(s, b"later"), lambda x: x.file(BODY, TAG)]
        url = case.on(lambda x, a=answers: a.pop(0)(x))
        answer = case.fetch(url, retries=1)
        case.good(answer, BODY, f"{status}, then good", 0)
        case.check(1 <= answer.seconds < 3 * case.world.slow, f"{status}: a pause", answer)
    case.each(one, [(s,) for s in (408, 425, 429, 500, 502, 503, 504)])


def back_off(case):
    url = case.on(lambda x: x.answer(503, b"no"))
    times = []
    case.server.on(url[len(case.server.url):],
                   lambda x: (times.append(time.monotonic()), x.answer(503, b"no")))
    case.bad(case.fetch(url, retries=3), "503", what="always 503")
    pauses = [b - a for a, b in zip(times, times[1:])]
    case.check(len(pauses) == 3 and all(want <= p < want + 1.5 * case.world.slow
                                        for p, want in zip(pauses, (1, 2, 4))),
               "pauses double", pauses)


def retry_after(case):
    answers = [lambda x: x.answer(429, b"", "Retry-After: 3"), lambda x: x.file(BODY, TAG)]
    url = case.on(lambda x: answers.pop(0)(x))
    answer = case.fetch(url, retries=1)
    case.good(answer, BODY, "429 with Retry-After")
    case.check(3 <= answer.seconds < 5 * case.world.slow, "waits as it is told", answer)
    answers = [lambda x: x.answer(503, b"", "Retry-After: -5"),
               lambda x: x.answer(503, b"", "Retry-After: nonsense"), lambda x: x.file(OTHER, TAG2)]
    case.good(case.fetch(url, retries=2), OTHER, "nonsense in Retry-After")
    url = case.on(lambda x: x.answer(503, b"", "Retry-After: 99999999"))
    run = subprocess.Popen(case.command(url, "--progress", retries=1), env=environment(),
                           stderr=subprocess.PIPE, text=True)
    line = run.stderr.readline()
    run.kill()
    run.wait()
    case.check("again in 120 s" in line, "but not for ever", line)


# ---- the folder ----------------------------------------------------------------------------

def disk_full(case):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    url = case.on(lambda x: x.file(BODY, TAG))
    answer = case.fetch(url, before=limit, retries=3)
    case.bad(answer, "f.part", "File too large", what="no room: said so, with the file", within=1,
             files=["f.part", "f.part.tag"])
    case.good(case.fetch(url), BODY, "goes on when there is room", 100_000)


def read_only(case):
    user = None
    if os.geteuid() == 0:
        user = 65534
        if not reachable(case.world.programs["sapper-fetch"]):
            return case.skip("as another user", "it cannot reach the program")
    else:
        os.chmod(case.folder, 0o555)
    url = case.on(lambda x: x.file(BODY, TAG))
    answer = case.fetch(url, user=user, retries=3)
    case.bad(answer, "f.part", "Permission denied", what="a folder that is not ours", within=1)
    command = case.command(url)
    command[2] = case.path("nothing")
    case.bad(case.run(command), "nothing", "No such file", what="a folder that is not there")
    command[2] = "/etc/hostname"
    return case.bad(case.run(command), "Not a directory", what="a file for a folder")


def planted(case):
    secret = os.path.join(case.world.folder, "secret-of-" + case.name)
    url = case.on(lambda x: x.file(BODY, TAG))
    names = ("f", "f.tag", "f.part", "f.part.tag")
    makers = {"a link": lambda p: os.symlink(secret, p),
              "a link to nothing": lambda p: os.symlink(secret + ".new", p),
              "a hard link": lambda p: os.link(secret, p),
              "a pipe": os.mkfifo}
    for what, make in makers.items():
        for name in names:
            with open(secret, "w", encoding="utf-8") as f:
                f.write(f"{TAG}\n{url}\n")
            make(case.path(name))
            if name == "f.part.tag":
                case.put("f.part", OTHER[:1000])
            case.good(case.fetch(url), BODY, f"{what} as {name}", 0)
            with open(secret, encoding="utf-8") as f:
                case.check(f.read() == f"{TAG}\n{url}\n", f"{what} as {name}: not followed")
            case.check(case.there() == ["f", "f.tag"] and
                       stat.S_ISREG(os.lstat(case.path()).st_mode) and
                       not os.path.lexists(secret + ".new"), f"{what} as {name}: gone")
            case.clear()
    os.mkdir(case.path("f.part"))
    case.bad(case.fetch(url), "f.part", what="a folder in the way is named", files=["f.part"])


def confined(case):
    """It gives its rights up; that nothing can be written elsewhere is for test_writes.c."""
    url = case.on(lambda x: x.file(BODY, TAG, drip=(20_000, 0.1)))
    run = subprocess.Popen(case.command(url), env=environment(), stdout=subprocess.DEVNULL)
    wait_for(lambda: size_of(case.path("f.part")) > 0)
    with open(f"/proc/{run.pid}/status", encoding="utf-8") as f:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
    run.wait()
    case.check(status["NoNewPrivs"] == "1" and int(status["CapEff"], 16) == 0 and
               int(status["CapPrm"], 16) == 0, "no privileges while it runs", status)


# ---- proxies -------------------------------------------------------------------------------

def proxies(case):
    url = case.on(lambda x: x.file(BODY, TAG))
    want = [("CONNECT", f"127.0.0.1:{case.server.port}")]

    def through(what, env=None, option=None, used=True):
        proxy = Proxy()
        env = {k: v.replace("PROXY", proxy.url) for k, v in (env or {}).items()}
        options = ["--proxy", option.replace("PROXY", proxy.url)] if option is not None else []
        case.clear()
        answer = case.fetch(url, *options, env=env)
        case.good(answer, BODY, what)
        case.check(answer.fields.get("etag") == TAG, f"{what}: the file's tag", answer)
        case.check(proxy.asked == (want if used else []), f"{what}: {'' if used else 'not '}used",
                   proxy.asked)
    through("--proxy", option="PROXY")
    through("https_proxy", {"https_proxy": "PROXY"})
    through("HTTPS_PROXY", {"HTTPS_PROXY": "PROXY"})
    through("all_proxy", {"all_proxy": "PROXY"})
    through("http_proxy", {"http_proxy": "PROXY"}, used=False)
    through("no_proxy", {"https_proxy": "PROXY", "no_proxy": "127.0.0.1"}, used=False)
    through("no_proxy for others", {"https_proxy": "PROXY", "no_proxy": "elsewhere.test"})
    through("--proxy against no_proxy", {"no_proxy": "*"}, "PROXY")
    through("--proxy against https_proxy", {"https_proxy": "http://127.0.0.1:9"}, "PROXY")
    through("an empty --proxy", {"https_proxy": "http://127.0.0.1:9"}, "", used=False)
    case.clear()
    case.bad(case.fetch(url, "--proxy", Proxy(refuse=403).url), "403", what="one that refuses",
             within=2)
    bad = Server(case.world.certificates, "other-ca")
    case.bad(case.fetch(url, "--proxy", Proxy(to=bad.port).url, retries=3), "certificate",
             what="one that reads along", within=1)
    case.check(not bad.requests, "is told nothing")


CASES = [only_https, certificates, addresses, redirects, unchanged, lying_304, resume, resume_later,
         resume_not, resume_never, whole_before, killed, at_once, stalls, drips, silence, lengths,
         chunks, too_large, not_decoded, statuses, again, back_off, retry_after, disk_full,
         read_only, planted, confined, proxies]
