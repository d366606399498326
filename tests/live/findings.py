#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: Apache-2.0
"""Findings, to the row: what `sapper scan` says of real and made-up systems against what
independent readings of the same advisories come to.

    findings.py [PART...]     traps debian alpine almalinux (default: all)

The advisories are those of $SAP_SHARED (default: ../shared beside the checkout), the real systems
those of $SAPPER_TEST_CACHE. Each part says what it does: finding_*.py.
"""
import os
import sys
import tempfile

import finding_alma
import finding_alpine
import finding_debian
import finding_traps
import live

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHARED = os.environ.get("SAP_SHARED") or os.path.join(os.path.dirname(TOP), "shared")
CACHE = os.environ.get("SAPPER_TEST_CACHE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "sapper-test-roots")


def data(name):
    """A file or folder of the shared data; None where it is not here."""
    path = os.path.join(SHARED, "data", name)
    return path if os.path.exists(path) else None


def traps(count, tmp):
    finding_traps.run(count, tmp, os.path.join(TOP, "data", "compromised-xz.tsv"),
                      data("xz-CVE-2024-3094"))


def debian(count, tmp):
    finding_debian.run(count, tmp, data("debian"), SHARED, CACHE)


def alpine(count, tmp):
    finding_alpine.run(count, tmp, data("alpine"))


def almalinux(count, tmp):
    finding_alma.run(count, tmp, data("osv/almalinux-osv.tar.zst"))


PARTS = {"traps": traps, "debian": debian, "alpine": alpine, "almalinux": almalinux}


def main():
    count = live.Count()
    for name in sys.argv[1:] or PARTS:
        with tempfile.TemporaryDirectory(prefix="sapper-findings-") as tmp:
            try:
                PARTS[name](count, os.path.realpath(tmp))
            except (RuntimeError, ValueError, KeyError, OSError, AssertionError) as e:
                count.check(False, name, repr(e))
    count.done()


if __name__ == "__main__":
    main()
