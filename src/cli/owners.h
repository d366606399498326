/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose the mapped files are, and what is wrong with them: for the files of a set of evidence the
 * package that owns each, by the package database of its own root folder (a container has its
 * own), and the findings about it.
 */
#ifndef SAP_CLI_OWNERS_H
#define SAP_CLI_OWNERS_H

#include "cli/advice.h"
#include "model/evidence.h"

struct owners;

/* advice NULL: owners only, no findings. It is borrowed. */
int owners_new(const struct advice *advice, struct owners **out, struct sap_err *err);
void owners_free(struct owners *o); /* takes NULL */

/* Looks at the files that have come since the last call. A root folder that cannot be looked
 * into leaves its files without an answer (owners_problem). */
int owners_update(struct owners *o, const struct sap_evidence *e, struct sap_err *err);

/* "liblzma5 5.4.1-1"; empty: none, or not known. */
struct sap_str owners_package(const struct owners *o, uint32_t file);

/* Whether a finding that counts is about the file's package or the file; *names: the functions that
 * these findings name. They live as long as o. */
bool owners_findings(const struct owners *o, uint32_t file, const struct sap_str **names,
		     uint32_t *n);

/* Packages by file, for a report; n_files texts. */
const struct sap_str *owners_packages(const struct owners *o);

/* Root folders that could not be looked into, for people; NULL: none. */
const char *owners_problem(const struct owners *o);

#endif
