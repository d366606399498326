/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows themselves (advisory/rows.h): a team's private list, written by hand, or what
 * sapper-import gave earlier. Each line is checked and written anew; what is wrong is a
 * problem, and a claim whose record was wrong goes with it. An end row must be right where
 * there is one; lists written by hand have none.
 *
 * Rows without a source row before them belong to "rows/NAME-OF-THE-FILE".
 */
#include <stdlib.h>

#include "base/limits.h"
#include "import/import_int.h"

struct state {
	uint64_t n;  /* rows so far, as an end row counts them */
	bool record; /* claims have one to belong to */
};

static bool recognise(const struct sap_import_head *head)
{
	return sap_str_starts(head->bytes, SAP_STR(SAP_ROWS_MAGIC));
}

static int begin(struct sap_import *im, const struct sap_import_head *head, struct sap_err *err)
{
	(void)head;
	im->state = calloc(1, sizeof(struct state));
	/* Each file says whose its rows are. */
	im->current = (struct sap_str){ 0 };
	return im->state ? 0 : sap_err_nomem(err);
}

static void end(struct sap_import *im)
{
	free(im->state);
}

static void put_list(struct sap_import *im, const char *key, struct sap_str list)
{
	struct sap_str item;

	sap_rows_list_begin(im->rows, key);
	while (sap_row_list_next(&list, im->arena, &item))
		sap_rows_list_item(im->rows, item);
	sap_rows_list_end(im->rows);
}

static int put_attr(struct sap_import *im, const struct sap_row_attr *attr, struct sap_err *err)
{
	const char *key = sap_arena_cstr(im->arena, attr->key);

	if (!key)
		return sap_err_nomem(err);
	if (sap_row_key_is_list(attr->key))
		put_list(im, key, attr->value);
	else
		sap_rows_attr(im->rows, key, attr->value);
	return 0;
}

static int put_row(struct sap_import *im, const struct sap_row *row, struct sap_err *err)
{
	static const uint8_t args[SAP_ROW_KINDS] = {
		[SAP_ROW_RECORD] = 1, [SAP_ROW_CLAIM] = 3, [SAP_ROW_VULNERABILITY] = 1,
		[SAP_ROW_KEV] = 1,    [SAP_ROW_EPSS] = 3,  [SAP_ROW_FUNCTION] = 3,
		[SAP_ROW_OBJECT] = 4, [SAP_ROW_VEX] = 3,   [SAP_ROW_PROBLEM] = 2,
	};
	int rc = 0;

	sap_rows_begin(im->rows, row->kind);
	for (unsigned i = 0; i < args[row->kind]; i++) {
		if (row->kind == SAP_ROW_CLAIM && i == 1)
			put_list(im, NULL, row->args[i]);
		else
			sap_rows_arg(im->rows, row->args[i]);
	}
	for (uint32_t i = 0; rc == 0 && i < row->n_attrs; i++)
		rc = put_attr(im, &row->attrs[i], err);
	sap_rows_done(im->rows);
	return rc;
}

/* The name of the file, without folders and ending. */
static struct sap_str default_source(struct sap_str name)
{
	struct sap_str rest, base = sap_path_base(name);

	sap_str_cut(base, '.', &base, &rest);
	return base.n > 0 ? base : SAP_STR("list");
}

static int check_end(const struct sap_row *row, struct state *s, struct sap_err *err)
{
	uint64_t n, have = s->n;

	/* Streams may follow each other. */
	*s = (struct state){ 0 };
	if (sap_str_u64(row->args[0], &n) && n == have)
		return 0;
	return sap_err_format(err, 0, "rows are missing: there are %llu, the end row says %.*s",
			      (unsigned long long)have, SAP_FMT(row->args[0]));
}

static int take(struct sap_import *im, const struct sap_row *row, struct sap_err *err)
{
	struct state *s = im->state;

	if (row->kind == SAP_ROW_END)
		return check_end(row, s, err);
	s->n++;
	if (row->kind == SAP_ROW_SOURCE) {
		s->record = false;
		return sap_import_source_row(im, row, err);
	}
	if (im->current.n == 0 && row->kind != SAP_ROW_PROBLEM)
		sap_import_source(im, "rows", default_source(im->name), (struct sap_str){ 0 },
				  NULL);
	if (row->kind == SAP_ROW_CLAIM && !s->record) {
		sap_import_problem(im, "a claim without a record that it belongs to");
		return 0;
	}
	if (row->kind == SAP_ROW_RECORD)
		s->record = true;
	return put_row(im, row, err);
}

static int line(struct sap_import *im, struct sap_str text, uint64_t number, struct sap_err *err)
{
	struct state *s = im->state;
	struct sap_row row;
	struct sap_err why;
	int rc = sap_row_parse(text, im->arena, &row, &why);

	(void)number;
	if (rc == 0)
		return take(im, &row, err);
	if (rc == SAP_ENOMEM)
		return sap_err_nomem(err);
	if (rc == SAP_ENOENT)
		return 0;
	s->n++;
	if (sap_str_starts(text, SAP_STR("record")))
		s->record = false;
	sap_import_problem(im, "%s", why.text);
	return 0;
}

const struct sap_import_format sap_format_rows = {
	.name = "rows",
	.recognise = recognise,
	.begin = begin,
	.line = line,
	.end = end,
};
