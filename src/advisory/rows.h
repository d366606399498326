/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows: what is known about vulnerabilities, one statement a line. The one form into which
 * all publications are brought: sapper-import writes it, the store reads it, data/ holds it,
 * and a team writes its private list in it by hand. docs/formats/advisories.md is the
 * description for people; this is the contract.
 *
 * UTF-8 text, a row a line, fields separated by TAB. The first line is "#sapper-advisories 1";
 * other lines that begin with '#' and empty lines are skipped. The first field is the kind,
 * then come as many positional fields as the kind has, then key=value fields in any order
 * (the order counts for a claim's events only). In fields "\t", "\n", "\r", "\\" and, inside
 * a list, "\," stand for TAB, LF, CR, backslash and comma. Unknown keys are skipped, unknown
 * kinds are problems. A list is separated by commas.
 *
 * source KIND NAME          the rows below belong to this source (until the next one)
 *     date=YYYY-MM-DD[Thh:mm:ssZ]   what the data is as of, where the publication says it;
 *                           else the store takes the newest date in the records
 *     mode=replace|merge    replace: the source's former contents go; merge (default): records
 *                           with the same id are replaced by newer ones (by "modified"; of
 *                           equal ones the later row), all others stay
 *                           A whole list that is older than what is there is left out,
 *                           unless force=yes
 *     origin=URL  licence=ID  etag= digest= checked=  noted, for `sapper db status`
 *     covers=SPACE,...      spaces this source speaks about even where it has no claim
 * record ID                 one advisory; its claims follow it
 *     modified= published= withdrawn=   dates; a withdrawn record is kept and never matches
 *     alias=ID,...          other names of the very same vulnerability
 *     covers=ID,...         vulnerabilities that this record bundles (DSA, USN, ALSA: the CVEs)
 *     related=ID,...        noted only
 *     severity=WORD         critical, high, medium, low, negligible (publishers' words mapped)
 *     cvss=VECTOR           CVSS 2, 3.x or 4.0; may be repeated
 *     compromised=yes       the named versions are malicious, not only vulnerable
 * claim SPACE PACKAGE,... STATUS    what the record says about packages of a release
 *     SPACE is "ECOSYSTEM" or "ECOSYSTEM:RELEASE" in OSV's words: "Debian:12", "Alpine:v3.19",
 *     "AlmaLinux:9", "PyPI"; advisory/space.h folds them. A distribution without release
 *     speaks for every release that has no statement of its own (Debian's unstable line).
 *     STATUS
 *       affected             the versions in the ranges are; others are fixed or were never
 *       not-affected         no version is
 *       under-investigation
 *       unfixed              affected, and the publisher decided not to fix it here, or not by
 *                            an advisory: reason= no-dsa, ignored, postponed, end-of-life,
 *                            unimportant, wont-fix, deferred. Decides only where the version
 *                            is affected by what else is said; alone, all versions are.
 *     introduced=V fixed=V last=V limit=V   events of OSV, in the record's order; "introduced=0"
 *                            is "from the first". A claim "affected" without any event and
 *                            without versions= means every version. Ranges are a union: an
 *                            introduced= behind an end of the range at hand begins a new one,
 *                            also where that end is the same version. Within a range the order
 *                            does not count: events are sorted, introduced= first of equals.
 *     versions=V,...         exactly these, besides the ranges
 *     type=semver|ecosystem|git   of the range (default ecosystem); git ranges are kept and
 *                            never match a version. One speaks of the whole row; of several
 *                            each begins a range and speaks of it
 *     by=source|binary       what PACKAGE names; default by ecosystem (space.h)
 *     reason=WORD  module=NAME:STREAM  arch=A,...  severity=WORD  offered=no (the fixed
 *     version is not published for this release)  pro=yes (only with a subscription)
 *     functions=F,...        names of vulnerable functions (symbols)
 * vulnerability ID          what is known of it wherever it is: severity=, cvss=,
 *     exploitation=none|poc|active automatable=yes|no impact=partial|total (CISA's SSVC)
 * kev ID                    known to be exploited: added=DATE due=DATE ransomware=yes
 * epss ID SCORE PERCENTILE  decimal fractions 0..1
 * function ID PROJECT NAME  a fix changed this function: kind=M|D|A|HOOK file= basis=SET,...
 * object BUILD_ID SPACE PACKAGE VERSION   an ELF object known by its build-id (hex): file=
 * vex ID PRODUCT STATUS     a statement of a VEX document. PRODUCT is a purl, or "*" for the
 *     document's whole target. STATUS: not_affected, affected, fixed, under_investigation.
 *     justification= action= date= author= subcomponent=PURL,...
 * problem WHERE MESSAGE     something could not be read: file, record; nothing else is lost
 * end N                     N rows came before it; a stream without it is cut off
 */
#ifndef SAP_ADVISORY_ROWS_H
#define SAP_ADVISORY_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

#define SAP_ROWS_MAGIC "#sapper-advisories 1"

enum sap_row_kind {
	SAP_ROW_SOURCE = 1,
	SAP_ROW_RECORD,
	SAP_ROW_CLAIM,
	SAP_ROW_VULNERABILITY,
	SAP_ROW_KEV,
	SAP_ROW_EPSS,
	SAP_ROW_FUNCTION,
	SAP_ROW_OBJECT,
	SAP_ROW_VEX,
	SAP_ROW_PROBLEM,
	SAP_ROW_END,
	SAP_ROW_KINDS
};

/* The word in the first field. */
const char *sap_row_kind_name(enum sap_row_kind kind);

/* ---- writing ---------------------------------------------------------------------------- */

/* Where rows go. flush is called with whole lines, a few hundred KiB at a time. */
struct sap_rows {
	struct sap_buf buf;
	int (*flush)(void *ctx, struct sap_str lines, struct sap_err *err);
	void *ctx;
	uint64_t n;  /* rows written, the magic line aside */
	int failure; /* the first one sticks; sap_rows_end gives it */
	struct sap_err err;
	/* Private: where the row and the list at hand begin in buf, and what they are. */
	size_t row, list;
	bool too_long, list_items;
};

/* Writes the magic line first. */
void sap_rows_init(struct sap_rows *rows,
		   int (*flush)(void *ctx, struct sap_str lines, struct sap_err *err), void *ctx);
void sap_rows_clear(struct sap_rows *rows);

/* A row: begin, args, attributes, done. Texts may hold any bytes; those that are no UTF-8 are
 * written as they are, NUL bytes are dropped. An attribute without value is left out. A row of
 * more than SAP_ROW_MAX bytes becomes a problem row. */
void sap_rows_begin(struct sap_rows *rows, enum sap_row_kind kind);
void sap_rows_arg(struct sap_rows *rows, struct sap_str value);
void sap_rows_attr(struct sap_rows *rows, const char *key, struct sap_str value);
/* A list as an argument or an attribute: begin, any number of items, end. Without an item an
 * attribute is left out. key NULL: an argument. */
void sap_rows_list_begin(struct sap_rows *rows, const char *key);
void sap_rows_list_item(struct sap_rows *rows, struct sap_str value);
void sap_rows_list_end(struct sap_rows *rows);
void sap_rows_done(struct sap_rows *rows);

void sap_rows_problem(struct sap_rows *rows, struct sap_str where, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The end row; flushes. 0 or the first failure. */
int sap_rows_end(struct sap_rows *rows, struct sap_err *err);

/* ---- reading ---------------------------------------------------------------------------- */

#define SAP_ROW_ARGS_MAX 4u

struct sap_row_attr {
	struct sap_str key, value;
};

struct sap_row {
	enum sap_row_kind kind;
	struct sap_str args[SAP_ROW_ARGS_MAX]; /* the kind's positional fields; lists undecoded */
	struct sap_row_attr *attrs;            /* in the order of the line; lists undecoded */
	uint32_t n_attrs;
	struct sap_str rest; /* all attributes as they stand in the line, undecoded */
};

/* One line (without its LF) to a row; texts are borrowed from the line, or decoded into the
 * arena where they have escapes. SAP_ENOENT: a comment or an empty line. SAP_EFORMAT: names
 * the field. SAP_ELIMIT: more attributes than SAP_ROW_ATTRS_MAX. */
int sap_row_parse(struct sap_str line, struct sap_arena *arena, struct sap_row *out,
		  struct sap_err *err);

/* The value of the first attribute with that key, empty where there is none. */
struct sap_str sap_row_attr(const struct sap_row *row, const char *key);

/* Whether the value of an attribute of that name is a list. */
bool sap_row_key_is_list(struct sap_str key);

/* Takes the next item off a list: *list is what is left. Decoded into the arena where it has
 * escapes (NULL: given as it stands). False at the end. Empty items are skipped. */
bool sap_row_list_next(struct sap_str *list, struct sap_arena *arena, struct sap_str *item);

/* Takes the next key=value off sap_row.rest or a stored rule; false at the end. */
bool sap_row_rest_next(struct sap_str *rest, struct sap_arena *arena, struct sap_row_attr *out);

#endif
