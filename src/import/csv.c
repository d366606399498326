/* SPDX-License-Identifier: Apache-2.0 */
#include "import/csv.h"

#include "base/limits.h"

void sap_csv_init(struct sap_csv *csv, char separator)
{
	*csv = (struct sap_csv){ .separator = separator };
	sap_buf_init(&csv->text, SAP_IMPORT_LINE_MAX);
}

void sap_csv_clear(struct sap_csv *csv)
{
	sap_buf_clear(&csv->text);
	sap_vec_clear(&csv->fields);
}

static int too_large(struct sap_csv *csv, struct sap_err *err)
{
	csv->open = false;
	if (csv->text.failed && csv->text.n < SAP_IMPORT_LINE_MAX / 2)
		return sap_err_nomem(err);
	return sap_err_set(
		err, SAP_ELIMIT,
		"the record that begins on line %llu is too large or its quotes do not end",
		(unsigned long long)csv->line);
}

static struct sap_csv_field *push(struct sap_csv *csv, size_t at)
{
	struct sap_csv_field *f = SAP_VEC_PUSH(&csv->fields, SAP_CSV_FIELDS_MAX);

	if (f)
		f->at = at;
	return f;
}

static int no_field(struct sap_csv *csv, struct sap_err *err)
{
	if (csv->fields.n < SAP_CSV_FIELDS_MAX)
		return sap_err_nomem(err);
	return too_large(csv, err);
}

/* A record on one line without quotes: fields are parts of the line. */
static int plain(struct sap_csv *csv, struct sap_str line, struct sap_err *err)
{
	size_t at = 0;

	csv->base = line.p;
	for (;;) {
		const char *end =
			line.n > at ? memchr(line.p + at, csv->separator, line.n - at) : NULL;
		struct sap_csv_field *f = push(csv, at);

		if (!f)
			return no_field(csv, err);
		f->n = end ? (size_t)(end - line.p) - at : line.n - at;
		if (!end)
			return 1;
		at += f->n + 1;
	}
}

/* The part of a quoted field that is on this line; gives what is left of the line behind the
 * closing quote. */
static struct sap_str quoted(struct sap_csv *csv, struct sap_str line)
{
	while (line.n > 0) {
		if (line.p[0] == '"' && line.n > 1 && line.p[1] == '"') {
			sap_buf_putc(&csv->text, '"');
			line = sap_str_skip(line, 2);
		} else if (line.p[0] == '"') {
			csv->open = false;
			return sap_str_skip(line, 1);
		} else {
			sap_buf_putc(&csv->text, line.p[0]);
			line = sap_str_skip(line, 1);
		}
	}
	sap_buf_putc(&csv->text, '\n');
	return line;
}

/* Ends the last field. */
static void close_field(struct sap_csv *csv)
{
	struct sap_csv_field *f = &csv->fields.v[csv->fields.n - 1];

	f->n = csv->text.n - f->at;
}

/* Lines of a record with quotes. */
static int with_quotes(struct sap_csv *csv, struct sap_str line, struct sap_err *err)
{
	bool begins = !csv->open;

	for (;;) {
		struct sap_str head;
		bool more;

		if (begins && !push(csv, csv->text.n))
			return no_field(csv, err);
		if (begins && line.n > 0 && line.p[0] == '"') {
			csv->open = true;
			line = sap_str_skip(line, 1);
		}
		if (csv->open)
			line = quoted(csv, line);
		if (!sap_buf_ok(&csv->text) || csv->lines > SAP_CSV_LINES_MAX)
			return too_large(csv, err);
		if (csv->open)
			return 0;
		more = sap_str_cut(line, csv->separator, &head, &line);
		sap_buf_puts(&csv->text, head);
		close_field(csv);
		begins = true;
		if (!more)
			break;
	}
	if (!sap_buf_ok(&csv->text))
		return too_large(csv, err);
	csv->base = (const char *)csv->text.p;
	return 1;
}

int sap_csv_line(struct sap_csv *csv, struct sap_str line, uint64_t number, struct sap_err *err)
{
	if (!csv->open) {
		csv->fields.n = 0;
		csv->line = number;
		csv->lines = 0;
		sap_buf_reset(&csv->text);
	}
	csv->lines++;
	while (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (!csv->open && (line.n == 0 || !memchr(line.p, '"', line.n)))
		return plain(csv, line, err);
	return with_quotes(csv, line, err);
}

struct sap_str sap_csv_field(const struct sap_csv *csv, size_t i)
{
	if (i >= csv->fields.n || !csv->base)
		return (struct sap_str){ 0 };
	return (struct sap_str){ csv->base + csv->fields.v[i].at, csv->fields.v[i].n };
}
