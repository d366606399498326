/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judging a target: facts and a store of advisories in, findings out. Looks up each package's
 * claims, matches them, merges binary packages of one source, adds what is known of each
 * vulnerability (KEV, EPSS, severity, functions). Reads the store, nothing else.
 *
 * - Packages of the system are judged in the system's space (space.h), by source name and
 *   source version where the claim names sources, by binary name and version where it names
 *   binaries. A foreign origin (origin.h) is not judged but for compromised versions: it is
 *   listed in not_judged with the reason.
 * - Language packages (purl types pypi, golang, gem, npm ...) are judged in their ecosystem,
 *   unless the file that they were found in belongs to a package of the system: then that
 *   package's judgement is the one (not listed as not judged, but counted as judged by it).
 * - ELF objects that no package owns: by .note.package (its os and osVersion give the space,
 *   its name is taken as source and as binary name); by build-id: equal to that of an owned
 *   object of the target (a copy: its package's findings name the object), or known to the
 *   store.
 */
#ifndef SAP_ADVISORY_JUDGE_H
#define SAP_ADVISORY_JUDGE_H

#include "advisory/store.h"
#include "base/err.h"
#include "model/facts.h"
#include "model/finding.h"

struct sap_judge_options {
	int64_t now;            /* seconds since 1970 */
	int64_t max_age;        /* seconds; older data is stale */
	struct sap_str explain; /* a name of a vulnerability; empty: none */
};

/* facts: finished and owned. store NULL: nothing can be judged; no_store says why. The result
 * borrows facts (and copies what it takes of the store). SAP_ENOMEM, SAP_EFORMAT (a damaged
 * store). */
int sap_judge(const struct sap_facts *facts, struct sap_store *store, const char *no_store,
	      const struct sap_judge_options *options, struct sap_findings **out,
	      struct sap_err *err);

/* Sorts the findings and counts them again: after state, status or suppression changed. */
void sap_findings_sort(struct sap_findings *f);

#endif
