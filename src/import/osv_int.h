/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SAP_IMPORT_OSV_INT_H
#define SAP_IMPORT_OSV_INT_H

#include "advisory/claim.h"
#include "import/import_int.h"

/* What the record says that its claims need. */
struct sap_osv_record {
	const struct sap_json *root;
	struct sap_str id;
	struct sap_str summary;
	enum sap_severity severity; /* of the record's row */
	bool malicious;             /* an entry without versions means all of them */
};

/* The claim rows of all entries of "affected" (osv_claims.c). 0, SAP_ENOMEM. */
int sap_osv_claims(struct sap_import *im, const struct sap_osv_record *record, struct sap_err *err);

/* The first CVSS vectors and the severity's word in a list "severity" of OSV. Vectors are
 * given to put, which may be NULL. */
enum sap_severity sap_osv_severity(const struct sap_json *list,
				   void (*put)(struct sap_rows *rows, struct sap_str vector),
				   struct sap_rows *rows);

#endif
