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
 * id and package may also be lists of strings: every id for every package. An id is any name of
 * the vulnerability (CVE, GHSA, DSA ...), without regard to case.
 *
 * The file is a subset of TOML 1.0: comments, [[ignore]] tables, keys with basic strings,
 * literal strings, local dates, arrays of strings. Anything else is an error that names file
 * and line; whatever this reader accepts means the same to a full TOML parser.
 *
 * What each of them does to a finding that counts (one that is fixed or not affected by
 * advisories is not touched):
 *
 *     exception                  suppressed, with its reason. Goes before VEX: it is the reviewer's
 *                                own. The first in the file that has not expired.
 *     VEX not_affected, fixed    suppressed; reason is the justification, else the action, else
 *                                the status
 *     VEX under_investigation    affected and unfixed become under_investigation
 *     VEX affected               under_investigation becomes affected; unfixed stays so: nobody
 *                                has promised a fix. An older not_affected no longer holds.
 *
 * A finding is of one source package: what names one of its binary packages takes all of it.
 * Compromised packages are malicious, not only vulnerable: they are suppressed by an exception
 * only where it names a package, and by VEX only where it names the product or a subcomponent
 * by purl (not "*").
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
	struct sap_str file;
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
	struct sap_str subcomponents; /* list of purls (sap_row_list_next): if there are any, one
				       * of them is what it is about, and product is the target
				       * as a whole; empty: the product itself */
	struct sap_str status, justification, action, date, author;
	struct sap_str document;
	bool used;
};

struct sap_review {
	struct sap_arena arena;
	struct sap_str file; /* of the exceptions: the last one read */
	SAP_VEC(struct sap_exception) exceptions;
	SAP_VEC(struct sap_vex_statement) vex;
};

void sap_review_init(struct sap_review *review);
void sap_review_clear(struct sap_review *review);

/* Reads exceptions, after those of files read before. name: of the file. SAP_EFORMAT with file,
 * line and what was expected, SAP_ELIMIT (SAP_EXCEPTIONS_MAX): then none is taken of it. */
int sap_review_read_toml(struct sap_review *review, const char *name, struct sap_str text,
			 struct sap_err *err);

/* Takes a vex row (sapper-import makes them of OpenVEX, CycloneDX, CSAF). SAP_EFORMAT: not a
 * vex row, or a status that is none; SAP_ELIMIT: SAP_VEX_STATEMENTS_MAX. */
int sap_review_add_vex(struct sap_review *review, const struct sap_row *row,
		       struct sap_str document, struct sap_err *err);

/* Whether a purl pattern (of an exception or VEX) is about a package's purl: type, namespace
 * and name equal; version and subpath equal where the pattern has them; of the qualifiers, where
 * the pattern has them: arch the same architecture (sap_arch_same; "source" and "src" are any),
 * distro the same distribution and major release ("debian-12.5" is debian-12, as advisory/space.h
 * folds releases), epoch of rpm equal (none is 0). All other qualifiers (upstream, os_name ...)
 * tell tools what they need, and are not compared. Percent-encoding is undone before comparing;
 * case is folded where the purl type's rules fold it. A plain name equals the purl's name, or
 * "namespace/name" outside of deb, rpm, apk, alpm. */
bool sap_review_purl_matches(struct sap_str pattern, struct sap_str purl);

/* Sets finding->suppression, or changes its status, as the table above says, for every finding
 * of f; the later dated of two VEX statements wins, of equal dates (and of those without) the
 * later one of the document. Sets used. Expired exceptions (where they would have matched) and
 * unused ones become notes. Sorts f and recounts its counts. now: seconds since 1970 (an
 * exception holds through its whole day, UTC). Texts are copied: review may be cleared after. */
int sap_review_apply(struct sap_review *review, struct sap_findings *f, int64_t now,
		     struct sap_err *err);

#endif
