/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SAP_VERSION_CVSS_INT_H
#define SAP_VERSION_CVSS_INT_H

#include "version/cvss.h"

#define SAP_CVSS_METRICS_MAX 32

/* One metric of a version of CVSS: its name and its values, words between single blanks. */
struct sap_cvss_metric {
	struct sap_str name;
	struct sap_str values;
	bool mandatory;
};

#define SAP_CVSS_METRIC(name, values, mandatory)                    \
	{                                                           \
		SAP_STR_INIT(name), SAP_STR_INIT(values), mandatory \
	}

/* Reads NAME:VALUE/NAME:VALUE ... value[i] becomes the position, from 1, of what metric i has
 * among its values; 0 where it is absent. False: something unknown, twice or missing. */
bool sap_cvss_read(struct sap_str text, const struct sap_cvss_metric *metrics, unsigned n,
		   unsigned char *value);

/* CVSS 4.0: text is what follows "CVSS:4.0/". */
bool sap_cvss4_parse(struct sap_str text, struct sap_cvss *out);

#endif
