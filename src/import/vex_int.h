/* SPDX-License-Identifier: Apache-2.0 */
/* What the formats of VEX documents share. */
#ifndef SAP_IMPORT_VEX_INT_H
#define SAP_IMPORT_VEX_INT_H

#include "import/import_int.h"

/* A date or a time with any offset (RFC 3339) as rows want it: "2024-03-29T17:00:00Z" in UTC,
 * or "2024-03-29"; fractions of a second are dropped. Empty for what is no date. *out is in
 * the arena or borrowed; false: memory is out. */
bool sap_vex_date(struct sap_arena *arena, struct sap_str text, struct sap_str *out);

/* Undoes percent-encoding (RFC 3986); borrowed where there is none. False: memory is out. */
bool sap_vex_decode(struct sap_arena *arena, struct sap_str text, struct sap_str *out);

/* FNV-1a. Tables are sorted by it and then by the text, so that equal hashes cost little. */
uint64_t sap_vex_hash(struct sap_str text);

/* One statement; empty fields are left out. */
struct sap_vex {
	struct sap_str id, product, status;
	struct sap_str justification, action, date, author;
	const struct sap_str *subcomponents;
	size_t n_subcomponents;
};

/* A row "vex". An empty product is "*". */
void sap_vex_put(struct sap_rows *rows, const struct sap_vex *vex);

/* Of a vulnerability's names the one by which a statement is filed: the first CVE among name
 * and the texts of the list (an array of strings, or of objects with that member); else name;
 * else the first identifier in the list. Empty: there is none. */
struct sap_str sap_vex_id(struct sap_str name, const struct sap_json *list, const char *member);

/* What a document comes to that was read with rc: one that is too large for the arena or for a
 * limit is a problem, and 0. */
int sap_vex_outcome(struct sap_import *im, int rc, const struct sap_err *err);

#endif
