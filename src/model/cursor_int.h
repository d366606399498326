/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the codec: CBOR items (RFC 8949) one at a time over a piece of memory, by libcbor's
 * streaming decoder. The first thing that goes wrong sticks, later reads give zeros.
 */
#ifndef SAP_MODEL_CURSOR_INT_H
#define SAP_MODEL_CURSOR_INT_H

#include "base/arena.h"
#include "base/err.h"
#include "model/record.h"

/* One CBOR item, as far as facts use them. */
enum sap_item_type {
	SAP_ITEM_NONE,
	SAP_ITEM_UINT,
	SAP_ITEM_NEGINT,
	SAP_ITEM_BYTES,
	SAP_ITEM_ARRAY,
	SAP_ITEM_BOOL,
	SAP_ITEM_BAD
};

struct sap_item {
	enum sap_item_type type;
	uint64_t v; /* number, length of an array, truth */
	struct sap_str bytes;
};

/* The bytes being decoded, and how that goes. code is the first thing that went wrong:
 * later reads do nothing. */
struct sap_cursor {
	const unsigned char *p;
	size_t n;
	size_t at;
	int code; /* SAP_EFORMAT ..., or SAP_NEED_MORE */
	const char *what;
};

enum { SAP_NEED_MORE = 1 };

void sap_cursor_stop(struct sap_cursor *c, int code, const char *what);
struct sap_item sap_cursor_next(struct sap_cursor *c);

/* A number of at most max; a signed one; a truth value; a byte string. */
uint64_t sap_cursor_uint(struct sap_cursor *c, uint64_t max);
int64_t sap_cursor_int(struct sap_cursor *c);
bool sap_cursor_bool(struct sap_cursor *c);
struct sap_str sap_cursor_str(struct sap_cursor *c);

/* The head of an array of at most max elements. */
uint32_t sap_cursor_array(struct sap_cursor *c, uint64_t max);

/* A list of byte strings; zeroed memory for n elements (NULL once something went wrong). */
struct sap_strs sap_cursor_strs(struct sap_cursor *c, struct sap_arena *arena);
void *sap_cursor_take(struct sap_cursor *c, struct sap_arena *arena, uint64_t n, uint64_t size);

/* Passes over one item with everything inside it. */
void sap_cursor_skip(struct sap_cursor *c);

#endif
