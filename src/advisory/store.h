/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store of advisories: one SQLite file, documented in docs/formats/advisories.md.
 *
 * Read: opened read-only and immutable. A file is never changed in place: an import builds
 * the next one beside it and renames it over, so that a reader has the old or the new one,
 * whole. Written: one process at a time (flock on FILE.lock); what an interrupted import
 * leaves behind is removed by the next.
 */
#ifndef SAP_ADVISORY_STORE_H
#define SAP_ADVISORY_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "advisory/claim.h"
#include "advisory/rows.h"
#include "advisory/space.h"
#include "base/arena.h"
#include "base/err.h"

/* Number of the layout; a file with a higher one comes from a newer version and is refused
 * with a message that says so. */
#define SAP_STORE_SCHEMA 1

/* ---- reading ---------------------------------------------------------------------------- */

struct sap_store;

/* SAP_ENOENT: there is no such file. SAP_EFORMAT: no store, or a damaged one.
 * SAP_EUNSUPPORTED: of a newer version. The sources stay valid as long as the store. */
int sap_store_open(const char *path, struct sap_store **out, struct sap_err *err);
void sap_store_close(struct sap_store *store); /* takes NULL */

/* Another connection to the file that the store has open, for another thread: a store is used by
 * one at a time. What is borrowed from the first counts for both; close the twin before it.
 * SAP_ECHANGED: another file has its name now. SAP_EUNSUPPORTED: there can be no other. */
int sap_store_twin(const struct sap_store *of, struct sap_store **out, struct sap_err *err);

const char *sap_store_path(const struct sap_store *store);
const struct sap_source *sap_store_sources(const struct sap_store *store, uint32_t *n);

/* Whether any source speaks about that space (has a claim in it that is not about malicious
 * versions only, or covers it). *as_of and *checked get the dates of that source of those which
 * has the most claims in all (0: it says none): the others may be fresher and still say nothing
 * about most packages. */
bool sap_store_covers(struct sap_store *store, struct sap_str space, int64_t *as_of,
		      int64_t *checked);

/* What claims of that space may name: flags of enum sap_names. 0: there is no such space. */
uint8_t sap_store_named(const struct sap_store *store, struct sap_str space);

struct sap_claims {
	struct sap_claim *v;
	size_t n;
	size_t cap;
};

/* Appends every claim about (space, package), both canonical. Withdrawn records are left out.
 * Advisories are shared: claims of one advisory point to one struct within the life of the
 * arena and store (a table of those already read is kept in the store: call
 * sap_store_forget before the arena goes). Texts live in the arena. SAP_ENOMEM, SAP_ELIMIT
 * (SAP_CLAIMS_MAX for one package), SAP_EFORMAT (damaged file). */
int sap_store_claims(struct sap_store *store, struct sap_str space, struct sap_str package,
		     struct sap_arena *arena, struct sap_claims *out, struct sap_err *err);
void sap_store_forget(struct sap_store *store);

/* What is known of a vulnerability by itself. Texts live in the arena. False: nothing. This and
 * the next two are cheapest where ids are asked for in byte order. */
struct sap_vulnerability {
	uint8_t severity; /* enum sap_severity */
	struct sap_str cvss;
	struct sap_str exploitation, automatable, impact;
	bool kev;
	struct sap_str kev_added, kev_due;
	bool kev_ransomware;
	bool has_epss;
	double epss, percentile;
};

int sap_store_vulnerability(struct sap_store *store, struct sap_str id, struct sap_arena *arena,
			    struct sap_vulnerability *out, bool *found, struct sap_err *err);

/* Names of the functions that fixes of that vulnerability changed or removed (kinds M, D and
 * HOOK; A did not exist in vulnerable code). Appends to *out, at most SAP_FUNCTIONS_MAX. */
struct sap_function {
	struct sap_str project, name, file, basis;
	char kind; /* 'M', 'D', 'H' */
};

struct sap_functions {
	struct sap_function *v;
	size_t n;
	size_t cap;
};

int sap_store_functions(struct sap_store *store, struct sap_str id, struct sap_arena *arena,
			struct sap_functions *out, struct sap_err *err);

/* Other names of a vulnerability: ids and aliases of every record that has id as its id or
 * among its aliases, in byte order. */
struct sap_names_list {
	struct sap_str *v;
	size_t n;
	size_t cap;
};

int sap_store_names(struct sap_store *store, struct sap_str id, struct sap_arena *arena,
		    struct sap_names_list *out, struct sap_err *err);

/* A record whose names are at hand. */
struct sap_record_names {
	int64_t row; /* as in struct sap_advisory */
	struct sap_str id, alias;
	bool bundle; /* it covers several vulnerabilities: they are not names of each other */
};

/* The same where some of the records are known and need not be read. */
int sap_store_other_names(struct sap_store *store, struct sap_str id,
			  const struct sap_record_names *known, size_t n_known,
			  struct sap_arena *arena, struct sap_names_list *out, struct sap_err *err);

/* A known object. */
struct sap_known_object {
	struct sap_str space, package, version, file;
};

int sap_store_object(struct sap_store *store, struct sap_str build_id, struct sap_arena *arena,
		     struct sap_known_object *out, bool *found, struct sap_err *err);

/* Everything, as rows that make the same store again (import of the result into an empty
 * store gives equal answers); of one source only where source ("KIND/NAME") is not empty.
 * The caller ends the rows. SAP_ENOENT: there is no such source. SAP_EIO and what rows->flush
 * returns. */
int sap_store_export(struct sap_store *store, struct sap_str source, struct sap_rows *rows,
		     struct sap_err *err);

/* ---- writing ---------------------------------------------------------------------------- */

struct sap_store_writer;

struct sap_store_counts {
	uint64_t rows, records, claims, replaced, older, problems;
	uint64_t sources; /* touched */
};

/* What could not be taken over: called for every problem row and every row that is refused. */
typedef void sap_store_problem_fn(void *ctx, struct sap_str where, struct sap_str message);

/*
 * Starts the next version of the store at path: waits for the lock (at most wait_seconds, then
 * SAP_EIO "another import is running"), copies what is there (base where there is nothing yet;
 * NULL: starts empty) into a file beside it. The folder is made where it is missing (0755).
 */
int sap_store_writer_new(const char *path, const char *base, unsigned wait_seconds,
			 sap_store_problem_fn *problem, void *ctx, struct sap_store_writer **out,
			 struct sap_err *err);

/* One stream of rows (sap_store_feed in pieces of any size, then _end_stream). Between begin
 * and end failures leave what was there before the stream: the caller calls _drop_stream and
 * may go on with the next. defaults: attributes (key=value separated by TAB) that source rows
 * of the stream get where they lack them (origin, checked ...); name: for messages. */
int sap_store_begin_stream(struct sap_store_writer *w, const char *name, struct sap_str defaults,
			   struct sap_err *err);
int sap_store_feed(struct sap_store_writer *w, const void *p, size_t n, struct sap_err *err);
/* SAP_EFORMAT: the stream had no end row, or its count is wrong. */
int sap_store_end_stream(struct sap_store_writer *w, struct sap_store_counts *counts,
			 struct sap_err *err);
int sap_store_drop_stream(struct sap_store_writer *w, struct sap_err *err);

/* Notes about a source that was found to be unchanged (HTTP 304). */
int sap_store_checked(struct sap_store_writer *w, struct sap_str kind, struct sap_str name,
		      int64_t checked, struct sap_err *err);

/* Indexes, syncs, renames over path. The writer is gone afterwards, whatever comes back. */
int sap_store_commit(struct sap_store_writer *w, struct sap_err *err);
/* Gives up: path stays as it was. Takes NULL. */
void sap_store_abandon(struct sap_store_writer *w);

#endif
