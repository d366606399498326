/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Advisories for a command: which store, judged when, reviewed by what.
 */
#ifndef SAP_CLI_ADVICE_H
#define SAP_CLI_ADVICE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "model/facts.h"
#include "model/finding.h"

enum { MAX_AGE_DAYS = 5, VEX_MAX = 64 };

struct advice {
	const char *db;      /* NULL: the usual place, else what came with the program */
	const char *ignore;  /* NULL: .sapper.toml here, if there is one; "": none */
	const char *explain; /* a vulnerability; NULL: none */
	const char *vex[VEX_MAX];
	unsigned n_vex;
	unsigned max_age_days;
};

/* Where the store of this user is: --db, SAPPER_DB, else by XDG (root: /var/lib/sapper). */
int cli_store_path(const char *said, char *path, size_t size, struct sap_err *err);

/* The store that came with the program. False: it is not there. */
bool cli_baseline_path(char *path, size_t size);

/* Judges facts (finished and owned), applies exceptions and VEX. */
int cli_advise(const struct advice *advice, const struct sap_facts *facts,
	       struct sap_findings **out, struct sap_err *err);

/* "5" or "5d". */
bool cli_days_parse(const char *text, unsigned *out);

#endif
