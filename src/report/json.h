/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one JSON writer (RFC 8259). Appends to a buffer; whatever bytes it is given, the result
 * is valid JSON in UTF-8.
 *
 * Texts: '"', '\' and control bytes are escaped, DEL and the C1 controls too, so that a
 * document is harmless on a terminal. A byte that does not belong to valid UTF-8 becomes
 * U+FFFD; then sap_json_text adds a second key, KEY_bytes, with all bytes of the text in hex,
 * so that nothing is lost: {"path":"/usr/lib/a\ufffd","path_bytes":"2f7573722f6c69622f61ff"}.
 *
 * Layout: no blanks; a line end between the keys of the document and between the elements of
 * its lists, so that line-based tools (diff, grep) can work on it.
 *
 * Misuse (a key in a list, none in an object, deeper than SAP_JSON_DEPTH_MAX, an end too many
 * or too few) marks the buffer as failed: half a document is never taken for a whole one.
 */
#ifndef SAP_REPORT_JSON_H
#define SAP_REPORT_JSON_H

#include "base/buf.h"

#define SAP_JSON_DEPTH_MAX 32u

struct sap_json {
	struct sap_buf *out;
	unsigned depth;  /* containers that are open */
	uint64_t lists;  /* bit d: the container at depth d is a list */
	uint64_t filled; /* bit d: it has an element */
	bool done;       /* the document has its value */
};

void sap_json_init(struct sap_json *json, struct sap_buf *out);

/* Every value takes the key it belongs to, NULL in a list and for the document itself. */
void sap_json_object(struct sap_json *json, const char *key);
void sap_json_list(struct sap_json *json, const char *key);
void sap_json_close(struct sap_json *json); /* the innermost container */
void sap_json_end(struct sap_json *json);   /* the document: adds a line end */

/* A text as it is, also an empty one. False where it is not valid UTF-8. */
bool sap_json_str(struct sap_json *json, const char *key, struct sap_str s);
/* A text of a target: nothing where it is empty (unknown); KEY_bytes where it is not UTF-8. */
void sap_json_text(struct sap_json *json, const char *key, struct sap_str s);
/* All bytes of s as lower-case hex. */
void sap_json_hex(struct sap_json *json, const char *key, struct sap_str s);
/* KEY_bytes with the bytes of s in hex: what belongs beside a text that is not UTF-8. */
void sap_json_bytes(struct sap_json *json, const char *key, struct sap_str s);
void sap_json_u64(struct sap_json *json, const char *key, uint64_t v);
/* v / 10^places, places at most 9, v below 10^15: 12345 and 3 are 12.345. */
void sap_json_decimal(struct sap_json *json, const char *key, uint64_t v, unsigned places);
void sap_json_bool(struct sap_json *json, const char *key, bool v);
void sap_json_null(struct sap_json *json, const char *key);

/* A text that is known to be printable ASCII without '"' and '\' (a purl, a name of ours). */
void sap_json_ascii(struct sap_json *json, const char *key, struct sap_str s);

static inline void sap_json_name(struct sap_json *json, const char *key, const char *name)
{
	sap_json_ascii(json, key, sap_str_of(name));
}

#endif
