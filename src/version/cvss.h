/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CVSS vectors: parsed and scored. FIRST's specifications of CVSS 2.0, 3.0, 3.1 and 4.0. Pure.
 */
#ifndef SAP_VERSION_CVSS_H
#define SAP_VERSION_CVSS_H

#include <stdbool.h>

#include "base/span.h"

enum sap_cvss_version {
	SAP_CVSS_NONE = 0,
	SAP_CVSS_2 = 20,
	SAP_CVSS_30 = 30,
	SAP_CVSS_31 = 31,
	SAP_CVSS_40 = 40
};

struct sap_cvss {
	enum sap_cvss_version version;
	double base;  /* base score (4.0: CVSS-B over the base metrics) 0.0 .. 10.0, one decimal */
	double score; /* with the threat, temporal and environmental metrics that the vector has */
	/* Base metrics as their letters; 0 where the version has no such metric. */
	char attack_vector;       /* N A L P */
	char attack_complexity;   /* L H (2: L M H) */
	char privileges_required; /* N L H; 2: Authentication N S M */
	char user_interaction;    /* N R; 4: N P A */
	char scope;               /* U C (3.x) */
	char confidentiality, integrity,
		availability; /* N L H; 2: N P C; 4: of the vulnerable system */
};

/* Reads "AV:N/AC:L/Au:N/C:P/I:P/A:P", "CVSS:3.1/...", "CVSS:4.0/...", metrics in any order
 * (4.0 too), every mandatory metric once. False: no valid vector; *out untouched. */
bool sap_cvss_parse(struct sap_str vector, struct sap_cvss *out);

/* "none", "low", "medium", "high", "critical" by FIRST's qualitative scale (2: NVD's scale, which
 * has no critical). */
const char *sap_cvss_rating(const struct sap_cvss *cvss, double score);

#endif
