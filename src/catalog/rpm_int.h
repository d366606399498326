/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rpm's databases, private to src/catalog. Who feeds whom:
 *
 *     rpm.c          finds the databases of a target and drives the rest
 *     rpm_sqlite.c   rpmdb.sqlite  (rpm 4.16 and later)      \
 *     rpm_ndb.c      Packages.db   (SUSE)                     > header blobs, one a package
 *     rpm_bdb.c      Packages      (Berkeley DB hash, to 4.15) /
 *     rpm_wal.c      what SQLite's write-ahead log adds to a database file
 *     rpm_header.c   a header blob to its tags, and to a package record
 *     rpm_files.c    the tags of a header to file records
 *     rpm_emit.c     header blobs to a sink
 *     rpm_reasons.c  dnf's and zypp's own files: which package came as a dependency
 *
 * All but rpm.c and the loader in rpm_reasons.c are pure: bytes in, records out.
 *
 * Two kinds of trouble are kept apart everywhere: a negative return value means that the work
 * cannot go on (memory is out, the sink refused); what is wrong with the target's bytes is a
 * "fault", which becomes a diagnostic while the work goes on.
 */
#ifndef SAP_CATALOG_RPM_INT_H
#define SAP_CATALOG_RPM_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/pool.h"
#include "base/reader.h"
#include "base/span.h"
#include "catalog/catalog_int.h"
#include "input/input.h"
#include "model/record.h"

struct sqlite3;
struct sqlite3_stmt;

/* ---- header blobs ----------------------------------------------------------------------- */

/* Receives what a database holds. The blob is valid during the call. Both return 0 or a
 * negative enum sap_code, which ends the reading and is passed on. */
struct sap_rpm_visit {
	int (*header)(struct sap_rpm_visit *visit, struct sap_span blob, struct sap_err *err);
	int (*fault)(struct sap_rpm_visit *visit, const struct sap_err *fault, struct sap_err *err);
};

/*
 * The new database of rpm ("ndb"), little endian:
 *
 *     0   "RpmP"  4 version (0)  8 generation  12 pages of slots (4096 bytes)  16 next index
 *     32  slots of 16 bytes: "Slot", package index (0: free), first block, number of blocks
 *     blocks are 16 bytes; a blob: "BlbS", package index, generation, length n, n bytes,
 *     zeros, then the last 12 bytes of its last block: adler32 of all before, n, "BlbE"
 *
 * A wrong checksum is a fault, but the blob is given: rpm does not look at it either.
 */
int sap_rpm_ndb_read(const struct sap_reader *db, struct sap_rpm_visit *visit, struct sap_err *err);

/*
 * Berkeley DB, access method hash, in the byte order of the machine that wrote it:
 *
 *     page 0: 12 magic 0x061561  16 version  20 page size  24 encryption  25 type (8)
 *             26 flags (1: pages with checksums)  32 number of the last page
 *     any page: 8 number  16 next page  20 entries  22 bytes used  25 type; 26 what follows
 *     types 2 and 13, hash: 16-bit offsets of items, key and value in turn; an item ends
 *             where the one before it starts, the first one at the end of the page. First byte
 *             of an item: 1 bytes follow; 3 off page: 4 first page  8 length
 *     type 7, overflow: "bytes used" bytes of a value from 26 on, the rest on the next page
 *
 * rpm's keys are 32-bit package numbers; key 0 holds the highest number given out. All hash
 * pages are visited in the order of the file, each once.
 */
int sap_rpm_bdb_read(const struct sap_reader *db, struct sap_rpm_visit *visit, struct sap_err *err);

/* ---- SQLite ----------------------------------------------------------------------------- */

/* A database file in memory, the write-ahead log applied. p is NULL where there is none. */
struct sap_rpm_image {
	unsigned char *p;
	uint64_t n;
};

/* Reads the file and applies the committed frames of its write-ahead log (NULL: none).
 * Where fault->code is set and the image is there, changes of the log may be missing; where
 * the image is not there, fault says why. */
int sap_rpm_image_load(const struct sap_reader *db, const struct sap_reader *wal,
		       struct sap_rpm_image *out, struct sap_err *fault, struct sap_err *err);
void sap_rpm_image_clear(struct sap_rpm_image *image);

/*
 * A write-ahead log, big endian: 0 magic 0x377f0682 (checksums over little-endian words) or
 * 0x377f0683 (big-endian)  4 version 3007000  8 page size  16 two salts  24 two checksums;
 * from 32 on frames: 0 page number  4 pages of the database after this commit, or 0
 * 8 the salts  16 checksums over all before  24 the page.
 * What counts ends with the last commit frame before the first frame whose salts or
 * checksums are wrong (file format of SQLite, section 4).
 */
struct sap_rpm_wal {
	const struct sap_reader *file;
	uint32_t page_size;
	uint64_t frames;   /* that count */
	uint32_t db_pages; /* pages of the database after the last of them */
	uint32_t salts[2];
	unsigned char *frame; /* room for one; owned */
	bool big;
};

/* Finds what counts. wal->frames 0: nothing. */
int sap_rpm_wal_open(const struct sap_reader *file, struct sap_rpm_wal *out, struct sap_err *fault,
		     struct sap_err *err);
/* Puts the pages into the image, which has room for db_pages pages. */
void sap_rpm_wal_apply(struct sap_rpm_wal *wal, struct sap_rpm_image *image, struct sap_err *fault);
void sap_rpm_wal_close(struct sap_rpm_wal *wal);

/* SQLite over an image that outlives it: nothing but plain tables can be read, and nothing
 * that the schema says is run. */
struct sap_rpm_sqlite {
	struct sqlite3 *db;
	const char *table; /* what the authorizer allows to read */
	uint64_t image_n;
	uint64_t steps; /* left, in units of the progress handler */
};

/* One row; the columns are those of the query. */
struct sap_rpm_rows {
	int (*row)(struct sap_rpm_rows *rows, struct sqlite3_stmt *stmt, struct sap_err *err);
};

/* out->db is NULL where fault says why. */
int sap_rpm_sqlite_open(struct sap_rpm_image *image, uint64_t value_max, struct sap_rpm_sqlite *out,
			struct sap_err *fault, struct sap_err *err);
void sap_rpm_sqlite_close(struct sap_rpm_sqlite *sqlite);

/* SELECT columns FROM table, in the order of the table. A row can be given before a fault. */
int sap_rpm_sqlite_rows(struct sap_rpm_sqlite *sqlite, const char *table, const char *columns,
			struct sap_rpm_rows *rows, struct sap_err *fault, struct sap_err *err);

/* The header blobs of rpmdb.sqlite: Packages(hnum INTEGER PRIMARY KEY, blob BLOB). */
int sap_rpm_sqlite_read(struct sap_rpm_image *image, struct sap_rpm_visit *visit,
			struct sap_err *err);

/* ---- headers ---------------------------------------------------------------------------- */

/* The tags that are kept. */
enum sap_rpm_slot {
	SAP_RPM_NAME,
	SAP_RPM_EPOCH,
	SAP_RPM_VERSION,
	SAP_RPM_RELEASE,
	SAP_RPM_ARCH,
	SAP_RPM_SOURCERPM,
	SAP_RPM_LICENSE,
	SAP_RPM_PACKAGER,
	SAP_RPM_VENDOR,
	SAP_RPM_GROUP,
	SAP_RPM_SIZE,
	SAP_RPM_LONGSIZE,
	SAP_RPM_INSTALLTIME,
	SAP_RPM_MODULARITYLABEL,
	/* Relations: name, flags, version, each kind in this order. */
	SAP_RPM_REQUIRES,
	SAP_RPM_PROVIDES = SAP_RPM_REQUIRES + 3,
	SAP_RPM_CONFLICTS = SAP_RPM_PROVIDES + 3,
	SAP_RPM_RECOMMENDS = SAP_RPM_CONFLICTS + 3,
	SAP_RPM_SUGGESTS = SAP_RPM_RECOMMENDS + 3,
	/* Files. */
	SAP_RPM_BASENAMES = SAP_RPM_SUGGESTS + 3,
	SAP_RPM_DIRNAMES,
	SAP_RPM_DIRINDEXES,
	SAP_RPM_OLDFILENAMES,
	SAP_RPM_FILEFLAGS,
	SAP_RPM_FILEMODES,
	SAP_RPM_FILEDIGESTS,
	SAP_RPM_FILEDIGESTALGO,
	SAP_RPM_FILESTATES,
	SAP_RPM_SLOTS
};

/* The value of a tag: count things of a type from data.p on; count 0: not there. Numbers are
 * known to lie within data, texts are looked for as they are read. */
struct sap_rpm_value {
	struct sap_span data;
	uint32_t count;
	uint8_t type;
};

struct sap_rpm_header {
	struct sap_rpm_value v[SAP_RPM_SLOTS];
};

/*
 * A header as the databases hold it, big endian: number of index entries il, bytes of data
 * dl, il entries of 16 bytes (tag, type, offset into the data, count), dl bytes.
 * Types: 1 char, 2 3 4 5 integers of 1 2 4 8 bytes, 6 text, 7 bytes, 8 texts, 9 texts in
 * several languages, the untranslated one first; a text ends with a NUL. Tags 61 to 63 mark
 * regions and say nothing about the package. A tag that comes twice: the later one was added
 * when the package was installed and holds.
 * SAP_EFORMAT or SAP_ELIMIT where nothing can be read. A value that is wrong is left out and
 * stored in fault (the first one). Borrows the blob.
 */
int sap_rpm_header_parse(struct sap_span blob, struct sap_rpm_header *out, struct sap_err *fault,
			 struct sap_err *err);

/* The first text of a tag; absent where it is not there or "(none)". */
struct sap_str sap_rpm_text(const struct sap_rpm_header *header, enum sap_rpm_slot slot);

/* The number at an index of a tag; false where it is not there. */
bool sap_rpm_number(const struct sap_rpm_header *header, enum sap_rpm_slot slot, uint32_t index,
		    uint64_t *out);

/* The texts of a tag, one after the other. */
struct sap_rpm_texts {
	struct sap_span rest;
	uint32_t left;
};
struct sap_rpm_texts sap_rpm_texts(const struct sap_rpm_header *header, enum sap_rpm_slot slot);
bool sap_rpm_texts_next(struct sap_rpm_texts *texts, struct sap_str *out);

/* Fills the record but for id, database and auto_installed. Texts are borrowed from the
 * header or live in the arena. SAP_EFORMAT where it names no package. */
int sap_rpm_header_package(const struct sap_rpm_header *header, struct sap_arena *arena,
			   struct sap_rec_package *out, struct sap_err *fault, struct sap_err *err);

/* ---- records ---------------------------------------------------------------------------- */

/* Which packages came as a dependency, by "name.arch" or by "name". */
struct sap_rpm_reasons {
	struct sap_pool *keys;
	uint8_t *v; /* enum sap_tristate by key id */
	uint32_t cap;
	bool others_by_hand; /* a package that is not named was asked for */
};

int sap_rpm_reasons_init(struct sap_rpm_reasons *reasons, struct sap_err *err);
void sap_rpm_reasons_clear(struct sap_rpm_reasons *reasons);
enum sap_tristate sap_rpm_reasons_get(const struct sap_rpm_reasons *reasons, struct sap_str name,
				      struct sap_str arch);

/*
 * dnf 4, var/lib/dnf/history.sqlite: the last finished transaction item of a package that is
 * not about the old side of a replacement. trans.state 1: done. trans_item.action: 3, 5, 7
 * and 10 are old sides, 8 is a removal. trans_item.reason: 1 dependency, 2 user, 3 clean,
 * 4 weak dependency, 5 group.
 */
int sap_rpm_reasons_dnf4(struct sap_rpm_reasons *reasons, struct sap_rpm_image *image,
			 struct sap_err *fault, struct sap_err *err);

/* dnf 5, usr/lib/sysimage/libdnf5/packages.toml: under [packages] lines of the form
 * "name.arch" = {reason = "Dependency"}. Other lines are not looked at. */
int sap_rpm_reasons_dnf5(struct sap_rpm_reasons *reasons, struct sap_str text, struct sap_err *err);

/* zypp, var/lib/zypp/AutoInstalled: a name a line, '#' starts a comment line. */
int sap_rpm_reasons_zypp(struct sap_rpm_reasons *reasons, struct sap_str text, struct sap_err *err);

/* Whichever of the three the target has, the newest kind first. */
int sap_rpm_reasons_load(struct sap_rpm_reasons *reasons, struct sap_input *input,
			 struct sap_sink *sink, struct sap_err *err);

/* Takes header blobs, gives records. */
struct sap_rpm_emit {
	struct sap_rpm_visit visit;
	struct sap_catalog *catalog;
	struct sap_str database;
	const struct sap_rpm_reasons *reasons; /* NULL: unknown */
	struct sap_arena arena;                /* of one package */
	struct sap_buf path;
	struct sap_notes notes;
	uint64_t packages; /* given */
	uint64_t path_bytes;
};

/* reasons are the caller's to set after init. */
void sap_rpm_emit_init(struct sap_rpm_emit *emit, struct sap_catalog *catalog);
/* What follows comes from that database; the path must outlive it. */
void sap_rpm_emit_open(struct sap_rpm_emit *emit, struct sap_str database);
void sap_rpm_emit_clear(struct sap_rpm_emit *emit);

/* Gives the files of a package to the sink. Directories are left out, and files that rpm
 * itself did not install (excluded documentation, another architecture's). */
int sap_rpm_emit_files(struct sap_rpm_emit *emit, const struct sap_rpm_header *header,
		       uint32_t package, struct sap_err *fault, struct sap_err *err);

#endif
