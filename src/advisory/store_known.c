/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of vulnerabilities. Questions come mostly in the order of the ids: each table is
 * read on from where the last question ended, and one that has nothing between two rows is not
 * asked again for what lies there.
 */
#include <stdlib.h>

#include "advisory/store_int.h"

/* ---- reading on ------------------------------------------------------------------------- */

enum { GAP = 4 };

static bool is_at(const struct sap_store_cursor *c, struct sap_str key)
{
	return c->row && sap_str_eq(sap_sql_column(c->st, 0), key);
}

static int step(struct sap_store *store, struct sap_store_cursor *c, struct sap_err *err)
{
	int r = sap_sql_step(&store->q, c->st, err);

	c->row = r > 0;
	if (r < 0)
		c->st = NULL;
	return r < 0 ? r : 0;
}

/* To the first row that is not before the key, by a descent of the tree. */
static int seek(struct sap_store *store, struct sap_store_cursor *c, unsigned sql,
		struct sap_str key, struct sap_err *err)
{
	int r = sap_sql_get(&store->q, sql, &c->st, err);

	if (r < 0)
		return r;
	sqlite3_reset(c->st);
	/* The statement goes on when the key is gone. */
	sqlite3_bind_text64(c->st, 1, key.p ? key.p : "", key.n, SQLITE_TRANSIENT, SQLITE_UTF8);
	return step(store, c, err);
}

/* 1: the cursor is at the first row of the key; 0: there is none. */
static int find(struct sap_store *store, unsigned sql, struct sap_str key,
		struct sap_store_cursor **out, struct sap_err *err)
{
	struct sap_store_cursor *c = *out = &store->cursors[sql - SAP_R_CURSORS];
	bool onward = c->st && sap_str_cmp(sap_buf_str(&c->asked), key) < 0;
	int r = 0;

	sap_store_call(store);
	/* Rows pass by the key that was asked for, or stand right behind it. */
	for (unsigned left = GAP; r == 0 && onward && c->row; left--) {
		if (sap_str_cmp(sap_sql_column(c->st, 0), key) >= 0)
			break;
		if (left == 0)
			onward = false;
		else
			r = step(store, c, err);
	}
	if (r == 0 && !onward)
		r = seek(store, c, sql, key, err);
	sap_buf_reset(&c->asked);
	sap_buf_puts(&c->asked, key);
	if (r == 0 && !sap_buf_ok(&c->asked)) {
		c->st = NULL;
		r = sap_err_nomem(err);
	}
	return r < 0 ? r : is_at(c, key);
}

/* The next row of the same key: 1, 0. */
static int next(struct sap_store *store, struct sap_store_cursor *c, struct sap_err *err)
{
	int r = step(store, c, err);

	return r < 0 ? r : is_at(c, sap_buf_str(&c->asked));
}

/* ---- vulnerabilities -------------------------------------------------------------------- */

/* How new the source of a row is: what newer ones say counts. */
static int64_t age_of(const struct sap_store *store, sqlite3_stmt *st)
{
	uint32_t i = sap_store_source_index(store, sqlite3_column_int64(st, 1));

	return i < store->n_sources ? store->sources[i].as_of : INT64_MIN;
}

/* A text of a row where it has one and is newer than what there is. */
static bool take_text(sqlite3_stmt *st, int column, int64_t date, int64_t *have,
		      struct sap_arena *arena, struct sap_str *out)
{
	struct sap_str value = sap_sql_column(st, column);

	if (value.n == 0 || (out->n > 0 && date < *have))
		return true;
	*have = date;
	return sap_arena_str(arena, value, out);
}

static int read_vulnerability(struct sap_store *store, struct sap_str id, struct sap_arena *arena,
			      struct sap_vulnerability *out, bool *found, struct sap_err *err)
{
	struct sap_str severity = { 0 };
	struct sap_str *texts[] = { &severity, &out->cvss, &out->exploitation, &out->automatable,
				    &out->impact };
	int64_t have[5] = { 0 };
	struct sap_store_cursor *c;
	int r = find(store, SAP_R_VULNERABILITY, id, &c, err);

	for (; r > 0; r = next(store, c, err)) {
		int64_t date = age_of(store, c->st);

		*found = true;
		for (int i = 0; i < 5; i++)
			if (!take_text(c->st, i + 2, date, &have[i], arena, texts[i]))
				return sap_err_nomem(err);
	}
	out->severity = (uint8_t)sap_severity_parse(severity);
	return r;
}

static int read_kev(struct sap_store *store, struct sap_str id, struct sap_arena *arena,
		    struct sap_vulnerability *out, bool *found, struct sap_err *err)
{
	int64_t added = 0, due = 0;
	struct sap_store_cursor *c;
	int r = find(store, SAP_R_KEV, id, &c, err);

	for (; r > 0; r = next(store, c, err)) {
		int64_t date = age_of(store, c->st);

		*found = out->kev = true;
		out->kev_ransomware |= sqlite3_column_int(c->st, 4) != 0;
		if (!take_text(c->st, 2, date, &added, arena, &out->kev_added) ||
		    !take_text(c->st, 3, date, &due, arena, &out->kev_due))
			return sap_err_nomem(err);
	}
	return r;
}

static int read_epss(struct sap_store *store, struct sap_str id, struct sap_vulnerability *out,
		     bool *found, struct sap_err *err)
{
	int64_t have = 0;
	struct sap_store_cursor *c;
	int r = find(store, SAP_R_EPSS, id, &c, err);

	for (; r > 0; r = next(store, c, err)) {
		int64_t date = age_of(store, c->st);

		if (out->has_epss && date < have)
			continue;
		have = date;
		*found = out->has_epss = true;
		out->epss = sqlite3_column_double(c->st, 2);
		out->percentile = sqlite3_column_double(c->st, 3);
	}
	return r;
}

int sap_store_vulnerability(struct sap_store *store, struct sap_str id, struct sap_arena *arena,
			    struct sap_vulnerability *out, bool *found, struct sap_err *err)
{
	struct sap_vulnerability v = { 0 };
	bool any = false;
	int r = read_vulnerability(store, id, arena, &v, &any, err);

	if (r == 0)
		r = read_kev(store, id, arena, &v, &any, err);
	if (r == 0)
		r = read_epss(store, id, &v, &any, err);
	if (r < 0)
		return r;
	*out = v;
	*found = any;
	return 0;
}

/* ---- functions -------------------------------------------------------------------------- */

static bool function_known(const struct sap_functions *f, size_t from, sqlite3_stmt *st)
{
	for (size_t i = from; i < f->n; i++)
		if (sap_str_eq(f->v[i].name, sap_sql_column(st, 2)) &&
		    sap_str_eq(f->v[i].project, sap_sql_column(st, 1)) &&
		    sap_str_eq(f->v[i].file, sap_sql_column(st, 3)))
			return true;
	return false;
}

static int take_function(struct sap_functions *out, size_t from, sqlite3_stmt *st,
			 struct sap_arena *arena, struct sap_err *err)
{
	struct sap_str kind = sap_sql_column(st, 5);
	struct sap_function *f;

	/* What the fix added is not in vulnerable code. Two sources may say the same. */
	if (kind.n == 0 || *kind.p == 'A' || out->n - from >= SAP_FUNCTIONS_MAX ||
	    function_known(out, from, st))
		return 0;
	f = SAP_VEC_PUSH(out, SIZE_MAX / sizeof(*f) / 2);
	if (!f || !sap_arena_str(arena, sap_sql_column(st, 1), &f->project) ||
	    !sap_arena_str(arena, sap_sql_column(st, 2), &f->name) ||
	    !sap_arena_str(arena, sap_sql_column(st, 3), &f->file) ||
	    !sap_arena_str(arena, sap_sql_column(st, 4), &f->basis))
		return sap_err_nomem(err);
	f->kind = *kind.p;
	return 0;
}

int sap_store_functions(struct sap_store *store, struct sap_str id, struct sap_arena *arena,
			struct sap_functions *out, struct sap_err *err)
{
	size_t before = out->n;
	struct sap_store_cursor *c;
	int r = find(store, SAP_R_FUNCTION, id, &c, err);

	while (r > 0) {
		r = take_function(out, before, c->st, arena, err);
		if (r == 0)
			r = next(store, c, err);
	}
	if (r < 0)
		out->n = before;
	return r;
}

/* ---- names ------------------------------------------------------------------------------ */

static int add_name(struct sap_names_list *out, size_t from, struct sap_str name,
		    struct sap_arena *arena, struct sap_err *err)
{
	struct sap_str *to;

	for (size_t i = from; i < out->n; i++)
		if (sap_str_eq(out->v[i], name))
			return 0;
	if (out->n - from >= SAP_NAMES_MAX)
		return 0;
	to = SAP_VEC_PUSH(out, SIZE_MAX / sizeof(*to) / 2);
	return to && sap_arena_str(arena, name, to) ? 0 : sap_err_nomem(err);
}

/* The names of a record, if id is truly one of them: the table may speak of one that had the
 * number before. */
static int add_record(struct sap_names_list *out, size_t from, struct sap_str id,
		      struct sap_str name, struct sap_str aliases, struct sap_arena *arena,
		      struct sap_err *err)
{
	bool named = sap_str_eq(name, id);
	struct sap_str rest = aliases, item;
	int r;

	while (!named && sap_row_list_next(&rest, arena, &item))
		named = sap_str_eq(item, id);
	if (!named)
		return 0;
	r = sap_str_eq(name, id) ? 0 : add_name(out, from, name, arena, err);
	while (r == 0 && sap_row_list_next(&aliases, arena, &item))
		if (!sap_str_eq(item, id))
			r = add_name(out, from, item, arena, err);
	return r;
}

static int read_names(struct sap_store *store, int64_t record, size_t from, struct sap_str id,
		      struct sap_arena *arena, struct sap_names_list *out, struct sap_err *err)
{
	struct sap_str aliases = { 0 }, rest;
	struct sap_row_attr attr;
	sqlite3_stmt *st;
	int r = sap_sql_get(&store->q, SAP_R_RECORD, &st, err);

	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 1, record);
	r = sap_sql_step(&store->q, st, err);
	if (r <= 0)
		return r;
	rest = sap_sql_column(st, 1);
	while (sap_row_rest_next(&rest, NULL, &attr))
		if (sap_str_is(attr.key, "alias"))
			aliases = attr.value;
	r = add_record(out, from, id, sap_sql_column(st, 0), aliases, arena, err);
	sqlite3_reset(st);
	return r;
}

static const struct sap_record_names *by_number(const struct sap_record_names *v, size_t n,
						int64_t row)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].row == row)
			return &v[i];
	return NULL;
}

static int compare_names(const void *a, const void *b)
{
	return sap_str_cmp(*(const struct sap_str *)a, *(const struct sap_str *)b);
}

int sap_store_other_names(struct sap_store *store, struct sap_str id,
			  const struct sap_record_names *known, size_t n_known,
			  struct sap_arena *arena, struct sap_names_list *out, struct sap_err *err)
{
	size_t before = out->n;
	struct sap_store_cursor *c;
	int r = find(store, SAP_R_NAME, id, &c, err);

	while (r > 0) {
		int64_t row = sqlite3_column_int64(c->st, 1);
		const struct sap_record_names *a = by_number(known, n_known, row);

		if (a)
			r = add_record(out, before, id, a->id, a->alias, arena, err);
		else
			r = read_names(store, row, before, id, arena, out, err);
		if (r == 0)
			r = next(store, c, err);
	}
	if (r < 0)
		out->n = before;
	else if (out->n - before > 1)
		qsort(out->v + before, out->n - before, sizeof(*out->v), compare_names);
	return r;
}

int sap_store_names(struct sap_store *store, struct sap_str id, struct sap_arena *arena,
		    struct sap_names_list *out, struct sap_err *err)
{
	return sap_store_other_names(store, id, NULL, 0, arena, out, err);
}
