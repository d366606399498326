/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reviewed exceptions (.sapper.toml) and VEX statements: what a person has decided about
 * findings. Applied after matching; never silently: what is suppressed is counted, and shown on
 * request; what has expired counts again and is said.
 *
 *     [[ignore]]
 *     id = "CVE-2024-1234"          # or aliases; required
 *     package = "pkg:deb/debian/xz-utils"   # purl without version, or with; or a plain name;
 *                                   # left out: wherever it is found
 *     reason = "not reachable: ..." # required
 *     until = 2027-01-31            # date (TOML local date, or a string); left out: for ever
 *
 * The file is a subset of TOML 1.0: comments, [[ignore]] tables, keys with basic strings,
 * literal strings, local dates, arrays of strings. Anything else is an error that names file
 * and line; whatever this reader accepts means the same to a full TOML parser.
 */
#ifndef SAP_ADVISORY_REVIEW_H
#define SAP_ADVISORY_REVIEW_H

#include <stdint.h>

#include "advisory/rows.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"
#include "model/finding.h"

struct sap_exception {
	struct sap_str id;
	struct sap_str package; /* empty: any */
	struct sap_str reason;
	struct sap_str until; /* ISO date; empty: for ever */
	uint32_t line;
	bool used;
};

struct sap_vex_statement {
	struct sap_str id;            /* vulnerability */
	struct sap_str product;       /* purl, or "*" */
	struct sap_str subcomponents; /* list of purls; empty: the product itself */
	struct sap_str status, justification, action, date, author;
	struct sap_str document;
	bool used;
};

struct sap_review {
	struct sap_arena arena;
	struct sap_str file; /* of the exceptions */
	SAP_VEC(struct sap_exception) exceptions;
	SAP_VEC(struct sap_vex_statement) vex;
};

void sap_review_init(struct sap_review *review);
void sap_review_clear(struct sap_review *review);

/* Reads exceptions. name: for messages. SAP_EFORMAT with file, line and what was expected. */
int sap_review_read_toml(struct sap_review *review, const char *name, struct sap_str text,
			 struct sap_err *err);

/* Takes a vex row (sapper-import makes them of OpenVEX, CycloneDX, CSAF). */
int sap_review_add_vex(struct sap_review *review, const struct sap_row *row,
		       struct sap_str document, struct sap_err *err);

/* Whether a purl pattern (of an exception or VEX) is about a package's purl: type, namespace
 * and name equal; version and each qualifier equal where the pattern has them. Percent-encoding
 * is undone before comparing. A plain name equals the name of the package or its source. */
bool sap_review_purl_matches(struct sap_str pattern, struct sap_str purl);

/* Sets finding->suppression, or changes its status as VEX says (affected -> stays; fixed and
 * not_affected: suppressed; under_investigation: status), for every finding of f; the later
 * dated of two VEX statements wins. Expired exceptions and unused ones become notes. Recounts
 * f's counts. now: seconds since 1970 (an exception holds through its whole day, UTC). */
int sap_review_apply(struct sap_review *review, struct sap_findings *f, int64_t now,
		     struct sap_err *err);

#endif
