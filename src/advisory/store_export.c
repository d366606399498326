/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything as rows, in an order that depends on nothing but the contents: sources by kind and
 * name; in each the records by id with their claims, then the other rows by id.
 */
#include <stdio.h>
#include <time.h>

#include "advisory/store_int.h"

struct export
{
	struct sap_store *store;
	struct sap_rows *rows;
	struct sap_arena arena;
};

static int prepare(struct export *e, const char *text, int64_t source, sqlite3_stmt **out,
		   struct sap_err *err)
{
	int rc = sqlite3_prepare_v2(e->store->q.db, text, -1, out, NULL);

	if (rc != SQLITE_OK)
		return sap_sql_err(&e->store->q, rc, err);
	sqlite3_bind_int64(*out, 1, source);
	return 0;
}

static int step(struct export *e, sqlite3_stmt *st, struct sap_err *err)
{
	/* Long, but no longer than the file: each row has a budget of its own. */
	sap_store_call(e->store);
	sap_arena_reset(&e->arena);
	return sap_sql_step(&e->store->q, st, err);
}

static void put_list(struct export *e, const char *key, struct sap_str list)
{
	struct sap_str item;

	sap_rows_list_begin(e->rows, key);
	while (sap_row_list_next(&list, &e->arena, &item))
		sap_rows_list_item(e->rows, item);
	sap_rows_list_end(e->rows);
}

static void put_column(struct export *e, sqlite3_stmt *st, int column, const char *key)
{
	sap_rows_attr(e->rows, key, sap_sql_column(st, column));
}

static void put_cvss(struct export *e, struct sap_str list)
{
	struct sap_str item;

	while (sap_row_list_next(&list, &e->arena, &item))
		sap_rows_attr(e->rows, "cvss", item);
}

/* Stored attributes: escaped, separated by TAB. */
static void put_attrs(struct export *e, struct sap_str rest)
{
	struct sap_row_attr attr;
	char key[32];

	while (sap_row_rest_next(&rest, &e->arena, &attr)) {
		if (attr.key.n >= sizeof(key))
			continue;
		memcpy(key, attr.key.p, attr.key.n);
		key[attr.key.n] = '\0';
		if (sap_str_is(attr.key, "cvss"))
			put_cvss(e, attr.value);
		else if (sap_row_key_is_list(attr.key))
			put_list(e, key, attr.value);
		else
			sap_rows_attr(e->rows, key, attr.value);
	}
}

/* ---- a source --------------------------------------------------------------------------- */

static void put_time(struct export *e, const char *key, int64_t seconds)
{
	time_t t = (time_t)seconds;
	char text[40];
	struct tm tm;

	if (seconds <= 0 || !gmtime_r(&t, &tm) ||
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		return;
	sap_rows_attr(e->rows, key, sap_str_of(text));
}

static int put_source(struct export *e, int64_t id, struct sap_err *err)
{
	static const char row[] = "SELECT kind, name, date, origin, licence, etag, digest, checked"
				  " FROM source WHERE id=?";
	static const char covers[] =
		"SELECT p.text FROM source_space x JOIN space p ON p.id=x.space"
		" WHERE x.source=? AND x.declared ORDER BY p.text";
	sqlite3_stmt *st;
	int r = prepare(e, row, id, &st, err);

	if (r < 0)
		return r;
	r = step(e, st, err);
	if (r <= 0) {
		sqlite3_finalize(st);
		return r;
	}
	sap_rows_begin(e->rows, SAP_ROW_SOURCE);
	sap_rows_arg(e->rows, sap_sql_column(st, 0));
	sap_rows_arg(e->rows, sap_sql_column(st, 1));
	put_column(e, st, 2, "date");
	put_column(e, st, 3, "origin");
	put_column(e, st, 4, "licence");
	put_column(e, st, 5, "etag");
	put_column(e, st, 6, "digest");
	put_time(e, "checked", sqlite3_column_int64(st, 7));
	sqlite3_finalize(st);
	r = prepare(e, covers, id, &st, err);
	if (r < 0)
		return r;
	sap_rows_list_begin(e->rows, "covers");
	while ((r = step(e, st, err)) > 0)
		sap_rows_list_item(e->rows, sap_sql_column(st, 0));
	sap_rows_list_end(e->rows);
	sqlite3_finalize(st);
	sap_rows_done(e->rows);
	return r;
}

/* ---- records and claims ----------------------------------------------------------------- */

/* The claims by record, which the file has by package. */
static int gather_claims(struct export *e, struct sap_err *err)
{
	static const char read[] = "SELECT space, name, claims FROM package";
	static const char write[] = "INSERT INTO temp.claim VALUES(?,?,?,?)";
	sqlite3_stmt *from = NULL, *to = NULL;
	int r = sap_sql_exec(&e->store->q,
			     "DROP TABLE IF EXISTS temp.claim; CREATE TEMP TABLE claim(record,"
			     " space, name, text)",
			     err);

	if (r == 0)
		r = prepare(e, read, 0, &from, err);
	if (r == 0)
		r = prepare(e, write, 0, &to, err);
	while (r == 0 && (r = step(e, from, err)) > 0) {
		struct sap_str text = sap_sql_column(from, 2), line;

		r = 0;
		while (r == 0 && sap_str_line(&text, &line)) {
			struct sap_str number, rest;
			uint64_t id;

			sap_str_cut(line, '\t', &number, &rest);
			if (!sap_str_u64(number, &id))
				continue;
			sqlite3_bind_int64(to, 1, (int64_t)id);
			sqlite3_bind_int64(to, 2, sqlite3_column_int64(from, 0));
			sap_sql_text(to, 3, sap_sql_column(from, 1));
			sap_sql_text(to, 4, rest);
			r = sap_sql_run(&e->store->q, to, err);
		}
	}
	sqlite3_finalize(from);
	sqlite3_finalize(to);
	if (r == 0)
		r = sap_sql_exec(&e->store->q, "CREATE INDEX temp.claim_record ON claim(record)",
				 err);
	return r;
}

static const char *status_of(struct sap_str text)
{
	switch (text.p && text.n > 0 ? *text.p : '\0') {
	case 'a':
		return "affected";
	case 'n':
		return "not-affected";
	case 'i':
		return "under-investigation";
	case 'u':
		return "unfixed";
	default:
		return NULL;
	}
}

/* Claims of one record, sorted by space, text and name: equal ones are one row. */
static int put_claims(struct export *e, sqlite3_stmt *st, int64_t record, struct sap_str *space,
		      struct sap_buf *text, struct sap_err *err)
{
	bool open = false;
	int r;

	sqlite3_bind_int64(st, 1, record);
	sap_buf_reset(text);
	while ((r = sap_sql_step(&e->store->q, st, err)) > 0) {
		struct sap_str says = sap_sql_column(st, 1), where = sap_sql_column(st, 0);
		const char *status = status_of(says);

		sap_store_call(e->store);
		if (!status)
			continue;
		if (!open || !sap_str_eq(says, sap_buf_str(text)) || !sap_str_eq(where, *space)) {
			if (open) {
				sap_rows_list_end(e->rows);
				sap_rows_arg(e->rows, sap_str_of(status_of(sap_buf_str(text))));
				put_attrs(e, sap_str_skip(sap_buf_str(text), 2));
				sap_rows_done(e->rows);
			}
			sap_buf_reset(text);
			sap_buf_puts(text, says);
			if (!sap_buf_ok(text) || !sap_arena_str(&e->arena, where, space))
				return sap_err_nomem(err);
			sap_rows_begin(e->rows, SAP_ROW_CLAIM);
			sap_rows_arg(e->rows, where);
			sap_rows_list_begin(e->rows, NULL);
			open = true;
		}
		sap_rows_list_item(e->rows, sap_sql_column(st, 2));
	}
	if (open) {
		sap_rows_list_end(e->rows);
		sap_rows_arg(e->rows, sap_str_of(status_of(sap_buf_str(text))));
		put_attrs(e, sap_str_skip(sap_buf_str(text), 2));
		sap_rows_done(e->rows);
	}
	return r;
}

static int put_records(struct export *e, int64_t source, struct sap_err *err)
{
	static const char records[] =
		"SELECT id, name, attrs FROM record WHERE source=? ORDER BY name, id";
	static const char claims[] =
		"SELECT DISTINCT p.text, c.text, c.name FROM temp.claim c"
		" JOIN space p ON p.id=c.space WHERE c.record=? ORDER BY p.text, c.text, c.name";
	sqlite3_stmt *st = NULL, *of = NULL;
	struct sap_str space = { 0 };
	struct sap_buf text;
	int r = prepare(e, records, source, &st, err);

	sap_buf_init(&text, SAP_STORE_TEXT_MAX);
	if (r == 0)
		r = prepare(e, claims, 0, &of, err);
	while (r == 0 && !e->rows->failure && (r = step(e, st, err)) > 0) {
		sap_rows_begin(e->rows, SAP_ROW_RECORD);
		sap_rows_arg(e->rows, sap_sql_column(st, 1));
		put_attrs(e, sap_sql_column(st, 2));
		sap_rows_done(e->rows);
		r = put_claims(e, of, sqlite3_column_int64(st, 0), &space, &text, err);
	}
	sap_buf_clear(&text);
	sqlite3_finalize(st);
	sqlite3_finalize(of);
	return r;
}

/* ---- the other rows --------------------------------------------------------------------- */

static void put_vulnerability(struct export *e, sqlite3_stmt *st)
{
	put_column(e, st, 1, "severity");
	put_cvss(e, sap_sql_column(st, 2));
	put_column(e, st, 3, "exploitation");
	put_column(e, st, 4, "automatable");
	put_column(e, st, 5, "impact");
}

static void put_kev(struct export *e, sqlite3_stmt *st)
{
	put_column(e, st, 1, "added");
	put_column(e, st, 2, "due");
	if (sqlite3_column_int(st, 3))
		sap_rows_attr(e->rows, "ransomware", SAP_STR("yes"));
}

static void put_epss(struct export *e, sqlite3_stmt *st)
{
	for (int i = 1; i <= 2; i++) {
		char text[40];

		snprintf(text, sizeof(text), "%.9g", sqlite3_column_double(st, i));
		sap_rows_arg(e->rows, sap_str_of(text));
	}
}

static void put_function(struct export *e, sqlite3_stmt *st)
{
	sap_rows_arg(e->rows, sap_sql_column(st, 1));
	sap_rows_arg(e->rows, sap_sql_column(st, 2));
	put_column(e, st, 3, "kind");
	put_column(e, st, 4, "file");
	put_list(e, "basis", sap_sql_column(st, 5));
}

static void put_object(struct export *e, sqlite3_stmt *st)
{
	sap_rows_arg(e->rows, sap_sql_column(st, 1));
	sap_rows_arg(e->rows, sap_sql_column(st, 2));
	sap_rows_arg(e->rows, sap_sql_column(st, 3));
	put_column(e, st, 4, "file");
}

static const struct {
	enum sap_row_kind kind;
	const char *text;
	void (*put)(struct export *, sqlite3_stmt *);
} others[] = {
	{ SAP_ROW_VULNERABILITY,
	  "SELECT id, severity, cvss, exploitation, automatable, impact FROM vulnerability"
	  " WHERE source=? ORDER BY id",
	  put_vulnerability },
	{ SAP_ROW_KEV, "SELECT id, added, due, ransomware FROM kev WHERE source=? ORDER BY id",
	  put_kev },
	{ SAP_ROW_EPSS, "SELECT id, score, percentile FROM epss WHERE source=? ORDER BY id",
	  put_epss },
	{ SAP_ROW_FUNCTION,
	  "SELECT id, project, name, kind, file, basis FROM function WHERE source=?"
	  " ORDER BY id, project, name, file, kind",
	  put_function },
	{ SAP_ROW_OBJECT,
	  "SELECT build_id, space, package, version, file FROM object WHERE source=?"
	  " ORDER BY build_id, space, package, version, file",
	  put_object },
};

static int put_others(struct export *e, int64_t source, struct sap_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(others) / sizeof(others[0]); i++) {
		sqlite3_stmt *st = NULL;

		r = prepare(e, others[i].text, source, &st, err);
		while (r == 0 && !e->rows->failure && (r = step(e, st, err)) > 0) {
			sap_rows_begin(e->rows, others[i].kind);
			sap_rows_arg(e->rows, sap_sql_column(st, 0));
			others[i].put(e, st);
			sap_rows_done(e->rows);
			r = 0;
		}
		sqlite3_finalize(st);
	}
	return r;
}

/* ---- the contract ----------------------------------------------------------------------- */

static bool is_source(const struct sap_source *s, struct sap_str name)
{
	return name.n == s->kind.n + 1 + s->name.n && sap_str_starts(name, s->kind) &&
	       name.p[s->kind.n] == '/' && sap_str_ends(name, s->name);
}

int sap_store_export(struct sap_store *store, struct sap_str source, struct sap_rows *rows,
		     struct sap_err *err)
{
	struct export e = { .store = store, .rows = rows };
	bool any = source.n == 0;
	int r;

	sap_arena_init(&e.arena, 0);
	sap_store_call(store);
	for (uint32_t i = 0; i < store->n_sources && !any; i++)
		any = is_source(&store->sources[i], source);
	if (!any)
		return sap_err_set(err, SAP_ENOENT, "%s has no source %.*s", store->q.path,
				   SAP_FMT(source));
	r = gather_claims(&e, err);
	for (uint32_t i = 0; r == 0 && i < store->n_sources; i++) {
		if (source.n > 0 && !is_source(&store->sources[i], source))
			continue;
		r = put_source(&e, store->source_ids[i], err);
		if (r == 0)
			r = put_records(&e, store->source_ids[i], err);
		if (r == 0)
			r = put_others(&e, store->source_ids[i], err);
	}
	sap_arena_clear(&e.arena);
	(void)sqlite3_exec(store->q.db, "DROP TABLE IF EXISTS temp.claim", NULL, NULL, NULL);
	if (r == 0 && rows->failure) {
		r = rows->failure;
		if (err)
			*err = rows->err;
	}
	return r;
}
