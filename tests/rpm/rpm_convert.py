# SPDX-License-Identifier: Apache-2.0
"""Gives an rpmdb.sqlite other forms, for rpm_oracle.sh.

    wal DB FOLDER   changes DB in an open connection and copies it with its log to FOLDER
    ndb DB FILE     as an ndb database
    blobs DB FILE   number, length, bytes of each header, for rpm_bdb.pl
"""
import os
import shutil
import sqlite3
import struct
import sys
import zlib


def headers(path):
    with sqlite3.connect(path) as db:
        return db.execute("SELECT hnum, blob FROM Packages ORDER BY hnum").fetchall()


def wal(path, folder):
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA wal_autocheckpoint=0")
    rows = headers(path)
    alpha = next(b for _, b in rows if b"C\0alpha\0" in b)
    digest9 = next(n for n, b in rows if b"C\0digest9\0" in b)
    db.execute("INSERT INTO Packages (blob) VALUES (?)", (alpha,))
    db.execute("DELETE FROM Packages WHERE hnum = ?", (digest9,))
    # A transaction that is not finished must not be seen, even where it is in the log.
    db.execute("PRAGMA cache_size=1")
    db.execute("PRAGMA cache_spill=1")
    db.execute("BEGIN")
    db.execute("DELETE FROM Packages")
    for _ in range(200):
        db.execute("INSERT INTO Packages (blob) VALUES (?)", (b"x" * 10000,))
    for suffix in ("", "-wal"):
        shutil.copy(path + suffix, os.path.join(folder, "rpmdb.sqlite" + suffix))
    db.execute("ROLLBACK")


def ndb(path, out):
    rows = headers(path)
    slots, blobs, block = b"", b"", 4096 // 16
    for number, blob in rows:
        blocks = (16 + len(blob) + 12 + 15) // 16
        body = b"BlbS" + struct.pack("<III", number, 1, len(blob)) + blob
        body += b"\0" * (blocks * 16 - 12 - len(body))
        body += struct.pack("<II", zlib.adler32(body), len(blob)) + b"BlbE"
        slots += b"Slot" + struct.pack("<III", number, block, blocks)
        blobs += body
        block += blocks
    head = b"RpmP" + struct.pack("<IIII", 0, 1, 1, rows[-1][0] + 1)
    page = head + b"\0" * (32 - len(head)) + slots
    page += (b"Slot" + b"\0" * 12) * ((4096 - len(page)) // 16)
    with open(out, "wb") as f:
        f.write(page + blobs)


def blobs(path, out):
    with open(out, "wb") as f:
        for number, blob in headers(path):
            f.write(struct.pack("<II", number, len(blob)) + blob)


{"wal": wal, "ndb": ndb, "blobs": blobs}[sys.argv[1]](sys.argv[2], sys.argv[3])
