/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store's own parts. The layout of the file is described in docs/formats/evidence.md.
 *
 * A set is what one window saw, row by row as the lists of struct sap_evidence have it: row idx
 * of table uses is uses.v[idx]. So writing is a comparison with what was written before, and
 * folded processes, slots used again and moved uses come out right without being known here. When
 * the next window begins, the sets of windows that are over are joined into set 0, by identity, as
 * sap_evidence_merge does it.
 *
 *     evstore_schema.c  the tables, statements, errors of SQLite
 *     evstore.c         open, lock, begin, write, prune
 *     evstore_write.c   a set to rows: what changed
 *     evstore_set.c     rows to a set
 *     evstore_join.c    windows; sets joined
 *     evstore_read.c    the reader's connection
 */
#ifndef SAP_STORE_EVSTORE_INT_H
#define SAP_STORE_EVSTORE_INT_H

#include <sqlite3.h>

#include "base/limits.h"
#include "base/vec.h"
#include "store/evstore.h"

/* In the file's header: "SapE". */
#define SAP_EVSTORE_APPLICATION 0x53617045

/* The set of all windows that are over and joined. */
#define SAP_EVSTORE_JOINED 0

/* ---- evstore_schema.c ------------------------------------------------------------------- */

/* The lists of a set, in the order in which they refer to each other. */
enum sap_evlist {
	SAP_EV_GAPS,
	SAP_EV_ROOTS,
	SAP_EV_FILES,
	SAP_EV_PROCESSES,
	SAP_EV_LISTENS,
	SAP_EV_USES,
	SAP_EV_FUNCTIONS,
	SAP_EV_UNOBSERVED,
	SAP_EV_OPENS,
	SAP_EV_LISTS,
};

/* What is done with the rows of a list. */
enum sap_evop {
	SAP_EV_PUT,
	SAP_EV_DROP,  /* one row */
	SAP_EV_CLEAR, /* of a set */
	SAP_EV_READ,  /* of a set; files: ?2 is the time before which they do not count */
	SAP_EV_OPS,
};

enum sap_evsql_id {
	SAP_EVSQL_WINDOW_PUT = SAP_EV_LISTS * SAP_EV_OPS,
	SAP_EVSQL_WINDOW_READ,
	SAP_EVSQL_WINDOW_LIST,
	SAP_EVSQL_WINDOW_JOINED,
	SAP_EVSQL_WINDOW_DROP, /* ended before ?1, or id at most ?2; never ?3 */
	SAP_EVSQL_N,
};

/* A connection and its statements, prepared when they are first asked for. */
struct sap_evsql {
	sqlite3 *db;
	char *path;     /* for messages */
	uint64_t steps; /* of the query at hand */
	sqlite3_stmt *st[SAP_EVSQL_N];
};

/* Opens name (a file or a URI) with the settings that writer and reader share; path: for
 * messages, where q has none yet. */
int sap_evsql_open(struct sap_evsql *q, const char *path, const char *name, int flags,
		   struct sap_err *err);
void sap_evsql_close(struct sap_evsql *q);
int sap_evsql_err(const struct sap_evsql *q, int rc, struct sap_err *err);
int sap_evsql_exec(const struct sap_evsql *q, const char *text, struct sap_err *err);
int sap_evsql_get(struct sap_evsql *q, unsigned id, sqlite3_stmt **out, struct sap_err *err);
/* 1: a row, 0: no more (the statement is reset), or an error (likewise). */
int sap_evsql_step(struct sap_evsql *q, sqlite3_stmt *st, struct sap_err *err);
/* Runs a statement without rows. */
int sap_evsql_run(struct sap_evsql *q, sqlite3_stmt *st, struct sap_err *err);
/* The first column of the first row of a text; 0 where there is none. */
int sap_evsql_int(struct sap_evsql *q, const char *text, int64_t *out, struct sap_err *err);
int sap_evsql_damaged(const struct sap_evsql *q, const char *what, struct sap_err *err);

/* What stands at the beginning of a file, before SQLite sees it. *empty: no bytes. */
int sap_evstore_check_file(const char *path, bool *empty, struct sap_err *err);
int sap_evstore_schema_create(struct sap_evsql *q, struct sap_err *err);
/* *fresh: a database without any table or mark. SAP_EFORMAT: no store. SAP_EUNSUPPORTED: of a
 * newer version. */
int sap_evstore_schema_check(struct sap_evsql *q, bool *fresh, struct sap_err *err);

/* ---- evstore_write.c -------------------------------------------------------------------- */

struct sap_evundo {
	uint32_t list, idx;
	uint64_t digest;
};

/* What is known to be in the file: a digest for each row, 0 where there is none. Texts count by
 * address: those of a set never change, and equal ones are kept once. */
struct sap_evmem {
	SAP_VEC(uint64_t) rows[SAP_EV_LISTS];
	uint64_t window, window_before;  /* of the window's row; at the last commit */
	SAP_VEC(struct sap_evundo) undo; /* since the last commit */
	SAP_VEC(uint32_t) owners;        /* of listens, for the pass at hand */
	uint64_t seed;
};

void sap_evmem_clear(struct sap_evmem *m);
/* The transaction failed: what is known is what was known before it. */
void sap_evmem_undo(struct sap_evmem *m);
void sap_evmem_done(struct sap_evmem *m);

/* A set that is written. */
struct sap_evset {
	struct sap_evsql *q;
	struct sap_evmem *mem;
	const struct sap_evidence *e;
	int64_t window;         /* the set's number */
	const int64_t *entered; /* joined set: when functions were last known to be entered */
	int64_t last_look;      /* what was last seen then has no time of its own; 0: none */
	bool lazy;              /* begins a transaction before the first change */
	bool begun;             /* and has done so */
};

/* Writes the rows that differ from what is known to be in the file; likewise the window's row. */
int sap_evset_write(struct sap_evset *s, struct sap_err *err);
int sap_evset_write_window(struct sap_evset *s, struct sap_err *err);
/* All rows of one list of a set. */
int sap_evset_drop(struct sap_evsql *q, int64_t window, enum sap_evlist list, struct sap_err *err);

/* ---- evstore_set.c ---------------------------------------------------------------------- */

struct sap_evtimes {
	int64_t *v;
	size_t n;
	size_t cap;
};

struct sap_evrange {
	int64_t window; /* the set's number */
	int64_t end;    /* of the window */
	int64_t look;   /* its last look: when what has no time of its own was last seen */
	int64_t since;  /* only what was seen at or after it; 0: all */
};

/* Reads the lists of a set, gaps aside, into e, which has none. With entered also when each
 * function was last known to be entered. */
int sap_evset_read(struct sap_evsql *q, const struct sap_evrange *range, struct sap_evidence *e,
		   struct sap_evtimes *entered, struct sap_err *err);
/* Gaps. */
int sap_evset_read_gaps(struct sap_evsql *q, int64_t window, struct sap_evidence *e,
			struct sap_err *err);
/* Column i as text, at most SAP_EVSTORE_TEXT_MAX, put into e; as a number from 0 to max. Damage is
 * noted in *bad, memory that is out is returned as false. */
bool sap_evset_text(sqlite3_stmt *st, int i, struct sap_evidence *e, struct sap_str *out,
		    bool *bad);
int64_t sap_evset_number(sqlite3_stmt *st, int i, int64_t max, bool *bad);

/* ---- evstore_join.c --------------------------------------------------------------------- */

struct sap_evwindow {
	int64_t id, start, end, look;
	uint64_t known; /* processes that the windows joined before it had seen as well */
	bool joined, narrow;
};

struct sap_evwindows {
	struct sap_evwindow *v;
	size_t n;
	size_t cap;
};

/* Those that ended at or after since, in the order in which they began. */
int sap_evwindows_read(struct sap_evsql *q, int64_t since, struct sap_evwindows *out,
		       struct sap_err *err);

/* Sets, one added to the other. */
struct sap_evjoin {
	struct sap_evidence *e;     /* NULL: nothing yet */
	struct sap_evtimes entered; /* with functions: as long as e->functions */
	bool functions;
	int64_t newest; /* start of the window that was added last */
};

/* Of the windows those that are joined, and the joined set: all of it, or as far as it was seen
 * since the first of them began. */
int sap_evjoin_past(struct sap_evjoin *j, struct sap_evsql *q, const struct sap_evwindows *w,
		    bool all, struct sap_err *err);
/* One that is not joined yet. *known as above. */
int sap_evjoin_window(struct sap_evjoin *j, struct sap_evsql *q, const struct sap_evwindow *w,
		      uint64_t *known, struct sap_err *err);
void sap_evjoin_clear(struct sap_evjoin *j);

/* The writer's, in one transaction each: joins all windows that are there; drops those that ended
 * before a time, or whose id is at most upto, aside from but, and what only they saw. */
int sap_evjoin_over(struct sap_evsql *q, struct sap_err *err);
int sap_evjoin_prune(struct sap_evsql *q, int64_t before, int64_t upto, int64_t but,
		     struct sap_err *err);

#endif
