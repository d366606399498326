/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store's own parts. The layout of the file is described in docs/formats/advisories.md.
 *
 *     store_schema.c  the tables, statements, errors of SQLite
 *     store.c         opening, sources, spaces
 *     store_read.c    what matching asks: claims, objects
 *     store_known.c   what is known of vulnerabilities
 *     store_export.c  everything, as rows
 *     store_file.c    the next version of the file: lock, copy, rename
 *     store_write.c   streams of rows: lines, transactions, commit
 *     store_sources.c sources and spaces, as the writer knows them
 *     store_rows.c    a row, checked, to the batch or into its table
 *     store_batch.c   records and claims, gathered and put in order
 *     store_spool.c   the claims of many batches, merged
 *     store_util.c    sets, dates
 */
#ifndef SAP_ADVISORY_STORE_INT_H
#define SAP_ADVISORY_STORE_INT_H

#include <sqlite3.h>
#include <sys/types.h>

#include "advisory/store.h"
#include "base/limits.h"
#include "base/pool.h"
#include "base/vec.h"

/* In the file's header: "SapA". */
#define SAP_STORE_APPLICATION 0x53617041

/* ---- store_schema.c --------------------------------------------------------------------- */

#define SAP_SQL_MAX 32u

/* A connection and its statements, prepared when they are first asked for. */
struct sap_sql {
	sqlite3 *db;
	char *path; /* for messages */
	const char *const *texts;
	sqlite3_stmt *st[SAP_SQL_MAX];
};

void sap_sql_close(struct sap_sql *q);
int sap_sql_err(const struct sap_sql *q, int rc, struct sap_err *err);
int sap_sql_exec(const struct sap_sql *q, const char *text, struct sap_err *err);
int sap_sql_get(struct sap_sql *q, unsigned id, sqlite3_stmt **out, struct sap_err *err);
/* 1: a row, 0: no more (the statement is reset), or an error (likewise). */
int sap_sql_step(const struct sap_sql *q, sqlite3_stmt *st, struct sap_err *err);
/* Runs a statement without rows. */
int sap_sql_run(const struct sap_sql *q, sqlite3_stmt *st, struct sap_err *err);
/* The first column of the first row of a text; 0 where there is none. */
int sap_sql_int(const struct sap_sql *q, const char *text, int64_t *out, struct sap_err *err);
void sap_sql_text(sqlite3_stmt *st, int i, struct sap_str s);
struct sap_str sap_sql_column(sqlite3_stmt *st, int i);

int sap_store_schema_create(const struct sap_sql *q, struct sap_err *err);
/* SAP_EFORMAT: no store. SAP_EUNSUPPORTED: of a newer version. */
int sap_store_schema_check(const struct sap_sql *q, struct sap_err *err);

/* meta.named_by: the number that next_record had when it was written, then a word for each space
 * in which claims say by=: its number and "s", "b" or both. Takes the next off *text; false: none,
 * or it is not to be understood (*text is not empty then). */
bool sap_store_by_next(struct sap_str *text, int64_t *id, uint8_t *by);

/* ---- reading ---------------------------------------------------------------------------- */

struct sap_store_space {
	struct sap_str text;
	int64_t id;
	int64_t as_of, checked;
	uint64_t weight; /* of the source whose dates these are, plus 1; 0: none yet */
	uint8_t names;   /* enum sap_names: of claims that do not say it */
	uint8_t named;   /* of all its claims: what they may name */
	bool covered;
};

/* A table that is read on from where the last question ended. */
struct sap_store_cursor {
	sqlite3_stmt *st;     /* NULL: it was not asked yet */
	struct sap_buf asked; /* the key that was asked for last */
	bool row;             /* the first row behind that key, or at it; false: none is left */
};

enum sap_store_read_sql {
	SAP_R_PACKAGE,
	SAP_R_RECORDS,
	SAP_R_RECORD,
	SAP_R_OBJECT,
	SAP_R_CURSORS, /* those below have one each */
	SAP_R_NAME = SAP_R_CURSORS,
	SAP_R_VULNERABILITY,
	SAP_R_KEV,
	SAP_R_EPSS,
	SAP_R_FUNCTION,
	SAP_R_END
};

struct sap_store_advisory {
	struct sap_advisory a;
	bool gone; /* its record is not there any more */
};

struct sap_store_file {
	dev_t device;
	ino_t inode;
};

struct sap_store {
	struct sap_sql q;
	struct sap_store_file file; /* that was opened; certain: truly this one */
	bool certain;
	struct sap_arena arena;
	struct sap_source *sources;
	int64_t *source_ids;
	uint32_t n_sources;
	uint32_t last_source;           /* of the record that was read last */
	struct sap_store_space *spaces; /* by text */
	size_t n_spaces;
	/* Advisories given out, by number: open addressing. */
	struct sap_store_advisory **slots;
	size_t n_slots, n_used;
	SAP_VEC(struct sap_store_advisory *) missing; /* of the package at hand, to be read */
	struct sap_store_cursor cursors[SAP_R_END - SAP_R_CURSORS];
	uint64_t steps;
};

/* The index of a source by its number in the file; n_sources where there is none. */
uint32_t sap_store_source_index(const struct sap_store *store, int64_t id);
const struct sap_store_space *sap_store_space_find(const struct sap_store *store,
						   struct sap_str space);
extern const char *const sap_store_read_sql[];
/* Starts counting operations anew: each call may do SAP_SQLITE_STEPS_MAX. */
void sap_store_call(struct sap_store *store);

/* ---- sets of record numbers ------------------------------------------------------------- */

struct sap_idset {
	uint64_t **pages;
	size_t n_pages;
};

/* By the low 32 bits of a record's number, which no two share. False: memory is out. */
bool sap_idset_add(struct sap_idset *set, int64_t id);
bool sap_idset_has(const struct sap_idset *set, int64_t id);
void sap_idset_remove(struct sap_idset *set, int64_t id);
void sap_idset_clear(struct sap_idset *set);

/* ---- writing ---------------------------------------------------------------------------- */

/* What a record says of when it changed. */
struct sap_store_time {
	int64_t seconds;
	uint32_t nanos;
	bool known;
};

/* "2024-03-29", "2024-03-29T17:15:21.150Z", "2024-03-29 17:15+01:00". */
bool sap_store_time_parse(struct sap_str s, struct sap_store_time *out);
int sap_store_time_cmp(const struct sap_store_time *a, const struct sap_store_time *b);

struct sap_store_wsource {
	int64_t id;
	struct sap_str kind, name, origin, date, newest, etag, digest, licence;
	struct sap_store_time newest_time;
	int64_t checked;
	int64_t records, claims, rejected;
	int64_t entries; /* rows in the tables of what is known of vulnerabilities and objects */
	bool counted;    /* entries is right; false: rows came in or went */
	bool touched;    /* by the stream at hand */
	bool replaced;   /* by the stream at hand: what is in old goes at its end */
	bool dirty;
	struct sap_idset old;    /* numbers of former records that the stream has not named */
	SAP_VEC(uint8_t) spaces; /* by index: known to be in source_space */
};

struct sap_store_wspace {
	int64_t id;
	uint8_t by; /* enum sap_names: claims say by= this */
	struct sap_space space;
};

/* One record while it waits. */
struct sap_store_rec {
	struct sap_str name, attrs;
	struct sap_store_time modified;
	uint64_t digest;
	int64_t id;      /* given when it is written; 0: not taken over */
	uint32_t source; /* index */
	uint32_t bucket; /* of its first claim's package */
	uint32_t group;  /* of its first claim; UINT32_MAX: none */
	uint32_t claims;
	bool compromised;
};

/* The claims about one package in one space, chained through their entries. */
struct sap_store_group {
	struct sap_str name;
	uint32_t space; /* index */
	uint32_t head, tail;
	uint32_t hash;
};

struct sap_store_entry {
	struct sap_str text; /* as in package.claims, after the number */
	uint32_t rec;
	uint32_t next;
};

struct sap_store_batch {
	struct sap_arena text;
	SAP_VEC(struct sap_store_rec) recs;
	SAP_VEC(struct sap_store_group) groups;
	SAP_VEC(struct sap_store_entry) entries;
	uint32_t *slots; /* of groups: open addressing, index + 1 */
	uint32_t mask;
	uint64_t record_start; /* sap_store_batch_bytes where the open record began */
};

/* Batches of a stream that are too many for memory. */
struct sap_store_spool {
	int fd; /* -1: none was needed */
	uint64_t size;
	struct sap_buf buf;
	size_t n;
	struct {
		uint64_t from, to;
	} runs[SAP_STORE_RUNS_MAX];
};

enum sap_store_skip {
	SAP_STORE_SKIP_NO,   /* claims belong to the last of batch.recs */
	SAP_STORE_SKIP_NONE, /* there is no record that a claim could belong to */
	SAP_STORE_SKIP_BAD   /* the record was refused, and its claims with it */
};

struct sap_store_writer {
	struct sap_sql q;
	/* The file. */
	char *path, *folder, *next; /* the store, where it is, the file being made */
	int lock;
	sap_store_problem_fn *problem;
	void *ctx;
	/* What the store has. */
	struct sap_arena text;
	SAP_VEC(struct sap_store_wsource) sources;
	SAP_VEC(struct sap_store_wspace) spaces;
	struct sap_pool *space_ids; /* canonical texts; id - 1 is the index */
	struct sap_pool *published; /* texts as published; id is the index in space_of */
	SAP_VEC(uint32_t) space_of; /* index + 1; 0: no space */
	int64_t next_record, dead_claims;
	int64_t now; /* seconds since 1970, when the writer was made */
	/* The stream at hand. */
	bool open, magic, ended, overlong;
	char *name;
	struct sap_buf defaults;
	struct sap_buf line; /* the beginning of a line that is not complete */
	uint64_t line_number;
	uint32_t source; /* index + 1; 0: none yet */
	enum sap_store_skip skip;
	bool outdated; /* the rows of the source at hand are passed over */
	struct sap_store_counts counts;
	struct sap_arena row;
	struct sap_buf scratch, scratch2;
	struct sap_store_batch batch;
	struct sap_store_spool spool;
};

enum sap_store_sql {
	SAP_W_FIND, /* a record by name */
	SAP_W_RECORD,
	SAP_W_RECORD_DELETE,
	SAP_W_RECORDS_OF,
	SAP_W_NAME,
	SAP_W_PACKAGE,
	SAP_W_SOURCE,
	SAP_W_SOURCE_UPDATE,
	SAP_W_SPACE,
	SAP_W_SOURCE_SPACE,
	SAP_W_SOURCE_SPACE_DELETE,
	SAP_W_VULNERABILITY,
	SAP_W_KEV,
	SAP_W_EPSS,
	SAP_W_FUNCTION,
	SAP_W_OBJECT,
	SAP_W_META,
	SAP_W_PACKAGE_AFTER,
	SAP_W_PACKAGE_UPDATE,
	SAP_W_PACKAGE_DELETE,
};

extern const char *const sap_store_write_sql[];

/* store_file.c */
int sap_store_file_begin(struct sap_store_writer *w, const char *path, const char *base,
			 unsigned wait_seconds, bool *fresh, struct sap_err *err);
int sap_store_file_finish(struct sap_store_writer *w, struct sap_err *err);
void sap_store_file_drop(struct sap_store_writer *w);

/* store_rows.c */
int sap_store_row(struct sap_store_writer *w, struct sap_str line, struct sap_err *err);
void sap_store_refuse(struct sap_store_writer *w, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* store_sources.c */
int sap_store_source_row(struct sap_store_writer *w, const struct sap_row *row,
			 struct sap_err *err);
/* The space that was published as text: index + 1, 0 where it is none. */
int sap_store_space_of(struct sap_store_writer *w, struct sap_str text, uint32_t *out,
		       struct sap_err *err);
/* Notes that a source speaks about a space. */
int sap_store_source_space(struct sap_store_writer *w, uint32_t source, uint32_t space,
			   bool declared, struct sap_err *err);
int sap_store_load(struct sap_store_writer *w, struct sap_err *err);
/* What the next writer goes on with: the table "meta". */
int sap_store_put_state(struct sap_store_writer *w, struct sap_err *err);
void sap_store_unload(struct sap_store_writer *w);
/* Ends what a stream did to its sources: former records of replaced ones go. */
int sap_store_sources_end(struct sap_store_writer *w, struct sap_err *err);

/* store_batch.c */
void sap_store_batch_init(struct sap_store_batch *b);
void sap_store_batch_clear(struct sap_store_batch *b);
uint64_t sap_store_batch_bytes(const struct sap_store_batch *b);
/* Takes a claim in: text is copied by the caller, name here. */
int sap_store_batch_claim(struct sap_store_batch *b, uint32_t space, uint32_t bucket,
			  struct sap_str name, struct sap_str text, struct sap_err *err);
/* Writes what is gathered; last: nothing more comes in this stream. */
int sap_store_batch_flush(struct sap_store_writer *w, bool last, struct sap_err *err);
int sap_store_package_write(struct sap_store_writer *w, uint32_t space, struct sap_str name,
			    struct sap_str text, struct sap_err *err);
int sap_store_record_gone(struct sap_store_writer *w, int64_t id, int64_t source_id, int64_t claims,
			  struct sap_err *err);
/* Drops claims of records that are gone. */
int sap_store_compact(struct sap_store_writer *w, struct sap_err *err);
/* store_spool.c: begin, put in the order of packages, end; merge writes all runs and forgets
 * them. */
int sap_store_spool_begin(struct sap_store_writer *w, struct sap_err *err);
int sap_store_spool_put(struct sap_store_writer *w, uint32_t space, struct sap_str name,
			struct sap_str text, struct sap_err *err);
int sap_store_spool_end(struct sap_store_writer *w, struct sap_err *err);
int sap_store_spool_merge(struct sap_store_writer *w, struct sap_err *err);
void sap_store_spool_drop(struct sap_store_writer *w);

uint64_t sap_store_mix(uint64_t h, struct sap_str s);

#endif
