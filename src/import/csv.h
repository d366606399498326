/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Comma-separated values, RFC 4180, line by line. A field in quotes may hold separators, quotes
 * (doubled) and line ends; text behind a closing quote is taken as it stands.
 */
#ifndef SAP_IMPORT_CSV_H
#define SAP_IMPORT_CSV_H

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "base/vec.h"

struct sap_csv_field {
	size_t at, n; /* in the record's text */
};

struct sap_csv {
	char separator;
	struct sap_buf text; /* of a record with quotes, without them */
	const char *base;    /* what the fields are offsets into */
	SAP_VEC(struct sap_csv_field) fields;
	uint64_t line;  /* number of the record's first line */
	uint32_t lines; /* that it has so far */
	bool open;      /* inside quotes: the next line belongs to the record */
};

void sap_csv_init(struct sap_csv *csv, char separator);
void sap_csv_clear(struct sap_csv *csv);

/* The next line, without its LF. 1: a record is complete; its fields borrow from the line and
 * from csv until the next call. 0: the record goes on. SAP_ELIMIT: it has more than
 * SAP_CSV_LINES_MAX lines, SAP_CSV_FIELDS_MAX fields or SAP_IMPORT_LINE_MAX bytes and is dropped;
 * the next line begins a new one. SAP_ENOMEM. */
int sap_csv_line(struct sap_csv *csv, struct sap_str line, uint64_t number, struct sap_err *err);

/* A field of the complete record; empty where it has no such field. */
struct sap_str sap_csv_field(const struct sap_csv *csv, size_t i);

#endif
