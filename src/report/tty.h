/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text for people: escaping, colours, columns, tables.
 *
 * What comes from a target is escaped: control bytes, bytes that are no UTF-8, and code points
 * that are invisible or turn the direction of writing are shown as \xNN, byte by byte. Widths
 * count code points of the escaped form; nothing depends on the locale.
 */
#ifndef SAP_REPORT_TTY_H
#define SAP_REPORT_TTY_H

#include "base/buf.h"
#include "base/vec.h"

enum sap_style {
	SAP_PLAIN = 0,
	SAP_BOLD,   /* headings */
	SAP_RED,    /* missing, incomplete */
	SAP_YELLOW, /* unowned, unreadable, guessed */
	SAP_DIM,    /* secondary */
	SAP_STYLES
};

struct sap_tty {
	struct sap_buf *out;
	unsigned width; /* columns; 0: never cut */
	bool color;
};

/* Appends s, escaped. */
void sap_tty_escape(struct sap_buf *out, struct sap_str s);

/* Code points of a text that is already escaped (or our own). */
unsigned sap_tty_columns(struct sap_str s);

/* Appends an escaped text of more than `width` columns with "..." in place of its middle; the
 * end, which tells file names apart, keeps the larger part. Of a path folders are left out
 * ("/usr/.../libz.so.1"), and of its file name only where that alone is too wide. A shorter
 * text stays whole. */
void sap_tty_shorten(struct sap_buf *out, struct sap_str escaped, unsigned width);

void sap_tty_begin(const struct sap_tty *tty, enum sap_style style);
void sap_tty_end(const struct sap_tty *tty, enum sap_style style);

/* Our own words, and a target's text, in a style. */
void sap_tty_put(const struct sap_tty *tty, enum sap_style style, const char *words);
void sap_tty_text(const struct sap_tty *tty, enum sap_style style, struct sap_str s);
void sap_tty_line(const struct sap_tty *tty, enum sap_style style, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Appends `text` (already escaped) to a sentence that has reached *column: on a new line, four
 * blanks deep, where it and one mark after it would not fit. Blanks at its beginning are left
 * out there; a comma at its beginning stays behind, on the old line. */
void sap_tty_flow(const struct sap_tty *tty, unsigned *column, enum sap_style style,
		  struct sap_str text);
void sap_tty_flowf(const struct sap_tty *tty, unsigned *column, enum sap_style style,
		   const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* ---- tables ----------------------------------------------------------------------------- */

struct sap_column {
	const char *head;
	enum sap_style style;
	bool right;   /* numbers */
	unsigned min; /* may be shortened to that width where the table is too wide; 0: never */
};

struct sap_cell {
	size_t at, n; /* of table->text */
	unsigned width;
	enum sap_style style;
};

#define SAP_COLUMNS_MAX 12u

/* Filled cell by cell, row by row, then printed: two blanks between columns. */
struct sap_table {
	const struct sap_tty *tty;
	const struct sap_column *columns;
	unsigned n_columns; /* at most SAP_COLUMNS_MAX */
	struct sap_buf text;
	SAP_VEC(struct sap_cell) cells;
};

void sap_table_begin(struct sap_table *table, const struct sap_tty *tty,
		     const struct sap_column *columns, unsigned n_columns);
void sap_table_text(struct sap_table *table, struct sap_str s); /* a target's text */
void sap_table_printf(struct sap_table *table, const char *fmt, ...)
	__attribute__((format(printf, 2, 3))); /* our own words and numbers */
/* A further text for the last cell: with a blank before it, unless the cell is empty. */
void sap_table_more(struct sap_table *table, struct sap_str s);
/* The style of the last cell, where it is not its column's. */
void sap_table_style(struct sap_table *table, enum sap_style style);
/* Prints the heads (where there are any) and the rows, and frees. Out of memory: the output
 * is marked as failed. */
void sap_table_end(struct sap_table *table);

#endif
