/* SPDX-License-Identifier: Apache-2.0 */
#include "report/tty.h"

#include <stdarg.h>
#include <stdio.h>

#include "report/utf8.h"

/* Code points that hide, move or colour what stands around them. */
static bool harmful(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || c == 0xfeff ||
	       (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x206f);
}

static void escape_bytes(struct sap_buf *out, const unsigned char *p, unsigned n)
{
	static const char hex[] = "0123456789ABCDEF";

	for (unsigned i = 0; i < n; i++) {
		const char text[] = { '\\', 'x', hex[p[i] >> 4], hex[p[i] & 15] };

		sap_buf_put(out, text, sizeof(text));
	}
}

void sap_tty_escape(struct sap_buf *out, struct sap_str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t at = 0;

	while (at < s.n) {
		size_t from = at;
		uint32_t code = 0;
		unsigned n = 1;

		while (at < s.n && p[at] >= 0x20 && p[at] < 0x7f)
			at++;
		sap_buf_put(out, p + from, at - from);
		if (at == s.n)
			break;
		n = sap_utf8_next(p + at, s.n - at, &code);
		if (n && !harmful(code))
			sap_buf_put(out, p + at, n);
		else
			escape_bytes(out, p + at, n ? n : 1);
		at += n ? n : 1;
	}
}

static bool starts_code_point(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

unsigned sap_tty_columns(struct sap_str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += starts_code_point(s.p[i]);
	return n > UINT32_MAX ? UINT32_MAX : (unsigned)n;
}

/* Bytes of the first n code points. */
static size_t prefix(struct sap_str s, unsigned n)
{
	size_t at = 0;

	while (at < s.n && (n > 0 || !starts_code_point(s.p[at])))
		n -= starts_code_point(s.p[at++]);
	return at;
}

/* A path without some of its folders. False: even its file name is too wide. */
static bool shorten_folders(struct sap_buf *out, struct sap_str path, unsigned width)
{
	struct sap_str base = sap_path_base(path);
	unsigned tail = sap_tty_columns(base) + 4; /* ".../" */
	size_t head = 0;

	if (path.n == 0 || path.p[0] != '/' || base.n == 0 || tail > width)
		return false;
	if (tail + 1 < width)
		head = prefix(path, width - tail - 1);
	while (head && path.p[head] != '/')
		head--;
	sap_buf_put(out, path.p, head);
	sap_buf_puts(out, head ? SAP_STR("/.../") : SAP_STR(".../"));
	sap_buf_puts(out, base);
	return true;
}

void sap_tty_shorten(struct sap_buf *out, struct sap_str escaped, unsigned width)
{
	unsigned columns = sap_tty_columns(escaped);
	unsigned head;
	size_t tail;

	if (columns <= width || width < 5) {
		sap_buf_puts(out, escaped);
		return;
	}
	if (shorten_folders(out, escaped, width))
		return;
	head = (width - 3) / 3;
	tail = prefix(escaped, columns - (width - 3 - head));
	sap_buf_put(out, escaped.p, prefix(escaped, head));
	sap_buf_puts(out, SAP_STR("..."));
	sap_buf_puts(out, sap_str_skip(escaped, tail));
}

void sap_tty_begin(const struct sap_tty *tty, enum sap_style style)
{
	static const char *const codes[SAP_STYLES] = { "", "\033[1m", "\033[31m", "\033[33m",
						       "\033[2m" };

	if (tty->color)
		sap_buf_puts(tty->out, sap_str_of(codes[style]));
}

void sap_tty_end(const struct sap_tty *tty, enum sap_style style)
{
	if (tty->color && style != SAP_PLAIN)
		sap_buf_puts(tty->out, SAP_STR("\033[0m"));
}

void sap_tty_put(const struct sap_tty *tty, enum sap_style style, const char *words)
{
	sap_tty_begin(tty, style);
	sap_buf_puts(tty->out, sap_str_of(words));
	sap_tty_end(tty, style);
}

void sap_tty_text(const struct sap_tty *tty, enum sap_style style, struct sap_str s)
{
	sap_tty_begin(tty, style);
	sap_tty_escape(tty->out, s);
	sap_tty_end(tty, style);
}

void sap_tty_line(const struct sap_tty *tty, enum sap_style style, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(line, sizeof(line), fmt, ap) < 0)
		line[0] = '\0';
	va_end(ap);
	sap_tty_put(tty, style, line);
	sap_buf_putc(tty->out, '\n');
}

void sap_tty_flow(const struct sap_tty *tty, unsigned *column, enum sap_style style,
		  struct sap_str text)
{
	unsigned columns, width = tty->width;

	if (text.n && text.p[0] == ',') {
		sap_buf_putc(tty->out, ',');
		text = sap_str_skip(text, 1);
		++*column;
	}
	columns = sap_tty_columns(text);
	if (width && *column && *column + 1ull + columns > width) {
		sap_buf_puts(tty->out, SAP_STR("\n    "));
		*column = 4;
		while (text.n && text.p[0] == ' ') {
			text = sap_str_skip(text, 1);
			columns--;
		}
	}
	sap_tty_begin(tty, style);
	sap_buf_puts(tty->out, text);
	sap_tty_end(tty, style);
	*column += columns;
}

void sap_tty_flowf(const struct sap_tty *tty, unsigned *column, enum sap_style style,
		   const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	sap_tty_flow(tty, column, style, sap_str_of(text));
}

/* ---- tables ----------------------------------------------------------------------------- */

void sap_table_begin(struct sap_table *table, const struct sap_tty *tty,
		     const struct sap_column *columns, unsigned n_columns)
{
	*table = (struct sap_table){ .tty = tty, .columns = columns, .n_columns = n_columns };
	sap_buf_init(&table->text, SIZE_MAX / 2);
	if (n_columns > SAP_COLUMNS_MAX)
		tty->out->failed = true;
}

static struct sap_cell *new_cell(struct sap_table *table)
{
	struct sap_cell *cell = SAP_VEC_PUSH(&table->cells, SIZE_MAX / sizeof(*cell));

	if (!cell) {
		table->tty->out->failed = true;
		return NULL;
	}
	cell->at = table->text.n;
	cell->style = table->columns[(table->cells.n - 1) % table->n_columns].style;
	return cell;
}

static void measure(struct sap_table *table, struct sap_cell *cell)
{
	struct sap_str text = sap_buf_str(&table->text);

	cell->n = text.n - cell->at;
	cell->width = sap_tty_columns(sap_str_skip(text, cell->at));
}

void sap_table_text(struct sap_table *table, struct sap_str s)
{
	struct sap_cell *cell = new_cell(table);

	if (!cell)
		return;
	sap_tty_escape(&table->text, s);
	measure(table, cell);
}

void sap_table_printf(struct sap_table *table, const char *fmt, ...)
{
	struct sap_cell *cell = new_cell(table);
	char text[256];
	va_list ap;

	if (!cell)
		return;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	sap_buf_puts(&table->text, sap_str_of(text));
	measure(table, cell);
}

void sap_table_more(struct sap_table *table, struct sap_str s)
{
	struct sap_cell *cell = table->cells.n ? &table->cells.v[table->cells.n - 1] : NULL;

	if (!cell || s.n == 0)
		return;
	if (cell->n)
		sap_buf_putc(&table->text, ' ');
	sap_tty_escape(&table->text, s);
	measure(table, cell);
}

void sap_table_style(struct sap_table *table, enum sap_style style)
{
	if (table->cells.n)
		table->cells.v[table->cells.n - 1].style = style;
}

static bool has_heads(const struct sap_table *table)
{
	for (unsigned c = 0; c < table->n_columns; c++) {
		if (table->columns[c].head)
			return true;
	}
	return false;
}

static struct sap_str head_of(const struct sap_table *table, unsigned c)
{
	const char *head = table->columns[c].head;

	return sap_str_of(head ? head : "");
}

/* Takes columns away from the widest that may give, until the table fits or none can. */
static void fit(const struct sap_table *table, unsigned *widths)
{
	unsigned total = 2 * (table->n_columns - 1);

	for (unsigned c = 0; c < table->n_columns; c++)
		total += widths[c];
	while (table->tty->width && total > table->tty->width) {
		unsigned best = table->n_columns;

		for (unsigned c = 0; c < table->n_columns; c++) {
			if (table->columns[c].min && widths[c] > table->columns[c].min &&
			    (best == table->n_columns || widths[c] > widths[best]))
				best = c;
		}
		if (best == table->n_columns)
			break;
		widths[best]--;
		total--;
	}
}

static void put_blanks(const struct sap_tty *tty, unsigned n)
{
	unsigned char *to = sap_buf_reserve(tty->out, n);

	if (!to)
		return;
	memset(to, ' ', n);
	tty->out->n += n;
}

static void put_cell(const struct sap_table *table, unsigned c, struct sap_str text,
		     unsigned columns, unsigned width, enum sap_style style)
{
	const struct sap_tty *tty = table->tty;
	unsigned shown = columns < width ? columns : width;

	if (table->columns[c].right)
		put_blanks(tty, width - shown);
	if (columns) {
		size_t from;

		sap_tty_begin(tty, style);
		from = tty->out->n;
		sap_tty_shorten(tty->out, text, width);
		if (columns > width) /* a path without folders may be narrower than that */
			shown = sap_tty_columns(sap_str_skip(sap_buf_str(tty->out), from));
		sap_tty_end(tty, style);
	}
	if (c + 1 < table->n_columns) {
		put_blanks(tty, (table->columns[c].right || shown > width ? 0 : width - shown) + 2);
		return;
	}
	while (sap_buf_ok(tty->out) && tty->out->n && tty->out->p[tty->out->n - 1] == ' ')
		tty->out->n--;
	sap_buf_putc(tty->out, '\n');
}

static void print_rows(const struct sap_table *table, const unsigned *widths)
{
	if (has_heads(table)) {
		for (unsigned c = 0; c < table->n_columns; c++)
			put_cell(table, c, head_of(table, c), sap_tty_columns(head_of(table, c)),
				 widths[c], SAP_DIM);
	}
	for (size_t i = 0; i < table->cells.n; i++) {
		const struct sap_cell *cell = &table->cells.v[i];
		struct sap_str text = sap_buf_str(&table->text);
		unsigned c = (unsigned)(i % table->n_columns);

		text = (struct sap_str){ text.p ? text.p + cell->at : NULL, cell->n };
		put_cell(table, c, text, cell->width, widths[c], cell->style);
	}
}

void sap_table_end(struct sap_table *table)
{
	unsigned widths[SAP_COLUMNS_MAX] = { 0 };
	bool ok =
		sap_buf_ok(&table->text) && table->n_columns && table->n_columns <= SAP_COLUMNS_MAX;

	for (unsigned c = 0; ok && c < table->n_columns; c++)
		widths[c] = sap_tty_columns(head_of(table, c));
	for (size_t i = 0; ok && i < table->cells.n; i++) {
		unsigned *width = &widths[i % table->n_columns];

		if (table->cells.v[i].width > *width)
			*width = table->cells.v[i].width;
	}
	if (ok) {
		fit(table, widths);
		print_rows(table, widths);
	} else {
		table->tty->out->failed = true;
	}
	sap_buf_clear(&table->text);
	sap_vec_clear(&table->cells);
}
