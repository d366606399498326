/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON values of one record, read by yajl from a stream, in an arena. Memory is bounded by one
 * record, not by the input.
 */
#ifndef SAP_IMPORT_JSONTREE_H
#define SAP_IMPORT_JSONTREE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/span.h"

enum sap_json_kind {
	SAP_JSON_NULL = 1,
	SAP_JSON_BOOL,
	SAP_JSON_NUMBER,
	SAP_JSON_STRING,
	SAP_JSON_ARRAY,
	SAP_JSON_OBJECT,
};

struct sap_json {
	enum sap_json_kind kind;
	uint32_t n;          /* children */
	struct sap_str key;  /* of a member of an object; else empty */
	struct sap_str text; /* string: its bytes; number: as written; bool: "true", "false" */
	struct sap_json *first, *next;
};

/* All take NULL and values of any kind; what is not there or of another kind is NULL/empty. */
const struct sap_json *sap_json_find(const struct sap_json *object, struct sap_str name);
/* The value's own text, where it is a string. */
struct sap_str sap_json_string(const struct sap_json *value);
bool sap_json_is(const struct sap_json *value, enum sap_json_kind kind);

/* Inline: the length of a literal is known to the compiler then. */
static inline const struct sap_json *sap_json_get(const struct sap_json *object, const char *key)
{
	return sap_json_find(object, sap_str_of(key));
}

/* A member's text, where it is a string. */
static inline struct sap_str sap_json_text(const struct sap_json *object, const char *key)
{
	return sap_json_string(sap_json_get(object, key));
}

static inline const struct sap_json *sap_json_first(const struct sap_json *v)
{
	return v ? v->first : NULL;
}

/* for (const struct sap_json *m = sap_json_first(v); m; m = m->next) */

/* ---- streams ---------------------------------------------------------------------------- */

/* How a document is cut into records. */
enum sap_json_split {
	SAP_JSON_WHOLE = 1, /* each value of the stream (one document, or JSON lines) */
	SAP_JSON_MEMBERS,   /* each member of the root object, with its key */
	SAP_JSON_ELEMENTS,  /* each element of the root array */
};

struct sap_json_options {
	enum sap_json_split split;
	const char *const *skip; /* NULL-terminated names of members that are not kept, at any
				  * depth ("details", "references"); NULL: none */
	uint64_t record_max;     /* bytes of text of one record: SAP_IMPORT_RECORD_MAX */
	uint32_t depth_max;      /* SAP_IMPORT_DEPTH_MAX */
	/* Called for each record; the value is valid during the call. number counts from 1.
	 * What it returns (negative) stops the stream. */
	int (*record)(void *ctx, const struct sap_json *value, uint64_t number,
		      struct sap_err *err);
	/* Called for a record that was left out: too large, too deep. reason for people. May be
	 * NULL: then that ends the stream with SAP_ELIMIT. */
	int (*rejected)(void *ctx, uint64_t number, struct sap_str key, struct sap_str reason,
			struct sap_err *err);
	void *ctx;
};

struct sap_json_stream;

int sap_json_stream_new(const struct sap_json_options *options, struct sap_json_stream **out,
			struct sap_err *err);
/* SAP_EFORMAT with the offset in the whole input: no JSON from here on. */
int sap_json_stream_feed(struct sap_json_stream *stream, const void *p, size_t n,
			 struct sap_err *err);
/* SAP_EFORMAT: it ends inside a value. */
int sap_json_stream_finish(struct sap_json_stream *stream, struct sap_err *err);
void sap_json_stream_free(struct sap_json_stream *stream);

#endif
