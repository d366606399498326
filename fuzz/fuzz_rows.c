/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows: each line parsed; one that is good is written again from what was read and must come
 * out the same, field by field.
 */
#include <stdint.h>
#include <stdlib.h>

#include "advisory/rows.h"
#include "advisory/space.h"

static int collect(void *ctx, struct sap_str lines, struct sap_err *err)
{
	struct sap_buf *out = ctx;

	(void)err;
	sap_buf_puts(out, lines);
	return 0;
}

static void put_list(struct sap_rows *rows, const char *key, struct sap_str list,
		     struct sap_arena *arena)
{
	struct sap_str item;

	sap_rows_list_begin(rows, key);
	while (sap_row_list_next(&list, arena, &item))
		sap_rows_list_item(rows, item);
	sap_rows_list_end(rows);
}

static void write_again(struct sap_rows *rows, const struct sap_row *row, struct sap_arena *arena)
{
	static const unsigned args[SAP_ROW_KINDS] = {
		[SAP_ROW_SOURCE] = 2,   [SAP_ROW_RECORD] = 1,        [SAP_ROW_CLAIM] = 3,
		[SAP_ROW_KEV] = 1,      [SAP_ROW_VULNERABILITY] = 1, [SAP_ROW_EPSS] = 3,
		[SAP_ROW_FUNCTION] = 3, [SAP_ROW_OBJECT] = 4,        [SAP_ROW_VEX] = 3,
		[SAP_ROW_PROBLEM] = 2,  [SAP_ROW_END] = 1,
	};
	char key[64];

	sap_rows_begin(rows, row->kind);
	for (unsigned i = 0; i < args[row->kind]; i++) {
		if (row->kind == SAP_ROW_CLAIM && i == 1)
			put_list(rows, NULL, row->args[i], arena);
		else
			sap_rows_arg(rows, row->args[i]);
	}
	for (uint32_t i = 0; i < row->n_attrs; i++) {
		const struct sap_row_attr *a = &row->attrs[i];

		if (a->key.n >= sizeof(key) || memchr(a->key.p, '\\', a->key.n))
			continue;
		memcpy(key, a->key.p, a->key.n);
		key[a->key.n] = '\0';
		if (sap_row_key_is_list(a->key))
			put_list(rows, key, a->value, arena);
		else
			sap_rows_attr(rows, key, a->value);
	}
	sap_rows_done(rows);
}

/* The line of a row, from the second line of what was written. */
static struct sap_str second_line(const struct sap_buf *out)
{
	struct sap_str text = sap_buf_str(out), line = { 0 };

	sap_str_line(&text, &line);
	sap_str_line(&text, &line);
	return line;
}

static void round_trip(const struct sap_row *row, struct sap_arena *arena)
{
	struct sap_buf one, two;
	struct sap_rows rows;
	struct sap_row again;
	struct sap_err err;

	sap_buf_init(&one, 1 << 26);
	sap_buf_init(&two, 1 << 26);
	sap_rows_init(&rows, collect, &one);
	write_again(&rows, row, arena);
	sap_rows_end(&rows, &err);
	sap_rows_clear(&rows);
	if (sap_row_parse(second_line(&one), arena, &again, &err) < 0 || again.kind != row->kind)
		abort();
	for (unsigned i = 0; i < SAP_ROW_ARGS_MAX; i++)
		if (!(row->kind == SAP_ROW_CLAIM && i == 1) &&
		    !sap_str_eq(row->args[i], again.args[i]))
			abort();
	sap_rows_init(&rows, collect, &two);
	write_again(&rows, &again, arena);
	sap_rows_end(&rows, &err);
	sap_rows_clear(&rows);
	if (!sap_str_eq(sap_buf_str(&one), sap_buf_str(&two)))
		abort();
	sap_buf_clear(&one);
	sap_buf_clear(&two);
}

static void try_space(struct sap_str text)
{
	struct sap_space s, again;
	struct sap_buf out;

	if (!sap_space_parse(text, &s))
		return;
	if (s.n > SAP_SPACE_MAX || s.ecosystem_n > s.n || s.text[s.n] != '\0')
		abort();
	sap_buf_init(&out, 1 << 20);
	sap_space_put(&out, &s);
	sap_space_put_name(&out, &s, text);
	sap_buf_clear(&out);
	(void)sap_space_scheme(&s);
	(void)sap_space_names(&s);
	(void)sap_space_parse(sap_space_str(&s), &again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sap_str text = { (const char *)data, size }, line;
	struct sap_arena arena;

	sap_arena_init(&arena, 0);
	while (sap_str_line(&text, &line)) {
		struct sap_row_attr attr;
		struct sap_str rest;
		struct sap_row row;
		struct sap_err err;

		sap_arena_reset(&arena);
		try_space(line);
		if (sap_row_parse(line, &arena, &row, &err) < 0)
			continue;
		for (rest = row.rest; sap_row_rest_next(&rest, &arena, &attr);)
			if (attr.key.n == 0)
				abort();
		round_trip(&row, &arena);
	}
	sap_arena_clear(&arena);
	return 0;
}
