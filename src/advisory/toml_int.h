/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reader of a part of TOML 1.0, for files that people write by hand. What it accepts means
 * the same to every TOML parser; what it does not understand is an error with its line.
 *
 *     accepted                         not
 *     # comment                        control characters but TAB, text that is no UTF-8, a BOM
 *     [[name]]                         [name], dotted and quoted names, keys before a table
 *     key = VALUE (bare keys)          dotted and quoted keys; a key twice in one table
 *     "basic \n \u00e9 \U0001F600"     multi-line strings
 *     'literal'
 *     2027-01-31 (a day that exists)   times, numbers, booleans, inline tables
 *     ["a", 'b',]                      arrays of anything but strings
 *     lines end with LF or CR LF       a CR alone
 */
#ifndef SAP_ADVISORY_TOML_INT_H
#define SAP_ADVISORY_TOML_INT_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/span.h"

enum sap_toml_kind {
	SAP_TOML_END = 0,
	SAP_TOML_TABLE,   /* [[name]] */
	SAP_TOML_STRING,  /* name = "..." */
	SAP_TOML_DATE,    /* name = 2027-01-31 */
	SAP_TOML_STRINGS, /* name = [...] */
};

struct sap_toml_item {
	enum sap_toml_kind kind;
	struct sap_str name;
	struct sap_str text;  /* of a string or a date */
	struct sap_str *list; /* of strings, in the arena */
	uint32_t n;
	uint32_t line; /* of the name, from 1 */
};

struct sap_toml {
	const char *file; /* for messages */
	struct sap_str text;
	size_t at;
	uint32_t line;
	struct sap_arena *arena; /* decoded texts and lists go here */
	struct sap_str keys[SAP_TOML_KEYS_MAX];
	uint32_t n_keys;
	bool in_table;
};

/* text must outlive the items. */
void sap_toml_init(struct sap_toml *toml, const char *file, struct sap_str text,
		   struct sap_arena *arena);

/* The next table or key; kind END at the end. SAP_EFORMAT with "FILE:LINE: ...", SAP_ENOMEM,
 * SAP_ELIMIT (more than SAP_TOML_KEYS_MAX keys in a table, SAP_TOML_ITEMS_MAX items in a
 * list). After a failure there is nothing more to ask. */
int sap_toml_next(struct sap_toml *toml, struct sap_toml_item *item, struct sap_err *err);

/* "YYYY-MM-DD" of a day that exists, years 0001 to 9999; *days gets days since 1970-01-01. */
bool sap_date_parse(struct sap_str text, int64_t *days);

#endif
