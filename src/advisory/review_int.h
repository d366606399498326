/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of review: package URLs taken apart.
 */
#ifndef SAP_ADVISORY_REVIEW_INT_H
#define SAP_ADVISORY_REVIEW_INT_H

#include "advisory/review.h"

/* The parts of a purl, still percent-encoded; empty where they are absent. */
struct sap_purl_parts {
	struct sap_str type, ns, name, version, qualifiers, subpath;
};

/* False: no purl ("pkg:", a type and a name are the least). */
bool sap_purl_split(struct sap_str purl, struct sap_purl_parts *out);

/* Whether a name as people write it is that of the parts: "xz-utils"; outside of the packages
 * of systems "namespace/name" too (Go modules, npm scopes). */
bool sap_purl_is_named(const struct sap_purl_parts *purl, struct sap_str plain);

/* As sap_review_purl_matches, of what is split. */
bool sap_purl_parts_match(const struct sap_purl_parts *pattern, const struct sap_purl_parts *purl);

#endif
