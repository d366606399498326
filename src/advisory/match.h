/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matching: statements and one package in, verdicts out. Pure.
 *
 * Statements about one vulnerability are weighed in this order; the first class that says
 * something decides, the rest is kept for --explain:
 *   1. compromised versions, wherever they are named. A source of the kind "compromised" also
 *      clears a distribution's versions that it does not name; other sources do so against
 *      class 3 only;
 *   2. statements about this very release (space with a release);
 *   3. statements about the distribution at large (its unstable line), or about the ecosystem.
 * Within a class: "not-affected" by a record whose own id is the vulnerability (a tracker's
 * entry: "CVE-2024-1/xz" and "UBUNTU-CVE-2024-1" are such, too) stands above bundles (DSA, ALSA); else one "affected" range that holds the version
 * makes it affected (of several fixes the highest counts: an earlier one was incomplete); else
 * fixed where a range was passed, not affected where the version precedes every range or is
 * named by none. "unfixed" turns an affected verdict of any class into SAP_STATUS_UNFIXED, and
 * is one alone. "under-investigation" decides only where nothing else is said.
 *
 * A claim with a module applies to packages of that module stream only (rpm's modularity
 * label NAME:STREAM:...); a version with ".module_" in it and a claim whose fixed version has
 * none (or the reverse) do not meet. Where the claim or the package does not name its stream,
 * versions are compared only within one line (equal epoch and first two numbers); else the outcome
 * is "under investigation", and says which of the two it is. A claim with architectures applies to
 * these, by whatever word (amd64, x86_64), and to those that nobody knows.
 *
 * A version that its scheme calls invalid, or a claim whose boundary is: no guess is made; the
 * step says so and the outcome is "under investigation" (cannot be compared).
 */
#ifndef SAP_ADVISORY_MATCH_H
#define SAP_ADVISORY_MATCH_H

#include "advisory/claim.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"
#include "model/finding.h"
#include "version/version.h"

/* Where a version stands in a claim's rule. */
enum sap_place {
	SAP_PLACE_IN = 1,   /* affected */
	SAP_PLACE_BEFORE,   /* older than all ranges, and no exact version */
	SAP_PLACE_AFTER,    /* a fix was passed */
	SAP_PLACE_INVALID,  /* cannot be compared */
	SAP_PLACE_UNORDERED /* the rule has only git ranges, or the scheme is unknown and no exact
			     * version is equal */
};

/* Evaluates each range as OSV's evaluation does (schema 1.7: sort events by version, introduced
 * before others of the same version; last is inclusive; limit ends evaluation), versions by
 * equality under the scheme. The ranges of a rule (rows.h says where one begins) and its versions
 * are a union. *fixed gets the version that ends the range that holds v, and where another range
 * holds that one, the end of the other; empty: none. Time: events times length. */
enum sap_place sap_rule_place(enum sap_version_scheme scheme, struct sap_str rule, struct sap_str v,
			      struct sap_str *fixed);

/* The package as claims see it. */
struct sap_subject {
	enum sap_version_scheme scheme;
	struct sap_str name, version;          /* of the binary package */
	struct sap_str source, source_version; /* empty: unknown, then the binary's count */
	struct sap_str arch;
	struct sap_str modularity; /* rpm's label; empty: none */
	bool release_known;        /* claims about releases apply */
	bool compromised_only;     /* foreign origin: only claims of compromised versions count */
};

struct sap_verdict {
	struct sap_str id; /* the vulnerability */
	uint8_t status;    /* enum sap_status */
	bool compromised, offered, pro;
	bool offered_known;
	uint8_t severity;
	struct sap_str reason, fixed, cvss;
	struct sap_str functions; /* list of the deciding claims' own names */
	uint32_t *claims; /* indexes into the claims given that spoke of it, the deciding first */
	uint32_t n_claims;
	struct sap_step *steps; /* with explain */
	uint32_t n_steps;
};

struct sap_verdicts {
	struct sap_verdict *v;
	size_t n;
	size_t cap;
};

struct sap_match_options {
	struct sap_str explain; /* keep steps of the vulnerability with this name; empty: none */
	const struct sap_source *sources; /* for the steps */
};

/* Appends a verdict for each vulnerability that the claims name, sorted by id; names that
 * are aliases of each other (through any of the claims' records) are one, but two CVEs are always
 * two. The id is the CVE where there is one, else GHSA, else the first in byte order.
 * SAP_ENOMEM. */
int sap_match(const struct sap_subject *subject, const struct sap_claim *claims, size_t n,
	      const struct sap_match_options *options, struct sap_arena *arena,
	      struct sap_verdicts *out, struct sap_err *err);

#endif
