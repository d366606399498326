/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sources and spaces as the writer knows them: all in memory, they are few.
 */
#include <stdlib.h>
#include <time.h>

#include "advisory/store_int.h"

/* ---- spaces ----------------------------------------------------------------------------- */

static int add_space(struct sap_store_writer *w, int64_t id, const struct sap_space *space,
		     struct sap_err *err)
{
	struct sap_store_wspace *s;

	/* The number in the pool is the index + 1: a text that is there already is damage. */
	if (sap_pool_put(w->space_ids, sap_space_str(space)) != w->spaces.n + 1)
		return sap_err_format(err, 0, "%s is damaged: table \"space\"; import anew",
				      w->path);
	s = SAP_VEC_PUSH(&w->spaces, SAP_STORE_SPACES_MAX);
	if (!s)
		return sap_err_set(err, SAP_ELIMIT, "%s: more than %u spaces", w->path,
				   SAP_STORE_SPACES_MAX);
	s->id = id;
	s->space = *space;
	return 0;
}

static int new_space(struct sap_store_writer *w, const struct sap_space *space, struct sap_err *err)
{
	sqlite3_stmt *st;
	int r = sap_sql_get(&w->q, SAP_W_SPACE, &st, err);

	if (r < 0)
		return r;
	sap_sql_text(st, 1, sap_space_str(space));
	r = sap_sql_run(&w->q, st, err);
	return r < 0 ? r : add_space(w, sqlite3_last_insert_rowid(w->q.db), space, err);
}

int sap_store_space_of(struct sap_store_writer *w, struct sap_str text, uint32_t *out,
		       struct sap_err *err)
{
	uint32_t known = sap_pool_find(w->published, text), id, *slot;
	struct sap_space space;
	int r;

	if (known < w->space_of.n) {
		*out = w->space_of.v[known];
		return 0;
	}
	if (text.n > SAP_ADVISORY_NAME_MAX || !sap_space_parse(text, &space)) {
		*out = 0;
		return 0;
	}
	id = sap_pool_find(w->space_ids, sap_space_str(&space));
	if (id == UINT32_MAX) {
		r = new_space(w, &space, err);
		if (r < 0)
			return r;
		id = (uint32_t)w->spaces.n;
	}
	*out = id;
	/* Remembered as it was written, so long as that stays small. */
	if (w->space_of.n < SAP_STORE_SPACES_MAX) {
		known = sap_pool_put(w->published, text);
		slot = known == w->space_of.n ? SAP_VEC_PUSH(&w->space_of, SAP_STORE_SPACES_MAX)
					      : NULL;
		if (!slot)
			return sap_err_nomem(err);
		*slot = id;
	}
	return 0;
}

int sap_store_source_space(struct sap_store_writer *w, uint32_t source, uint32_t space,
			   bool declared, struct sap_err *err)
{
	struct sap_store_wsource *s = &w->sources.v[source];
	sqlite3_stmt *st;
	int r;

	while (s->spaces.n <= space)
		if (!SAP_VEC_PUSH(&s->spaces, SAP_STORE_SPACES_MAX + 1u))
			return sap_err_nomem(err);
	if (s->spaces.v[space] >= (declared ? 2 : 1))
		return 0;
	r = sap_sql_get(&w->q, SAP_W_SOURCE_SPACE, &st, err);
	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 1, s->id);
	sqlite3_bind_int64(st, 2, w->spaces.v[space].id);
	sqlite3_bind_int(st, 3, declared);
	r = sap_sql_run(&w->q, st, err);
	if (r == 0)
		s->spaces.v[space] = declared ? 2 : 1;
	return r;
}

/* ---- loading ---------------------------------------------------------------------------- */

static int load_spaces(struct sap_store_writer *w, struct sap_err *err)
{
	sqlite3_stmt *st;
	int rc = sqlite3_prepare_v2(w->q.db, "SELECT id, text FROM space ORDER BY id", -1, &st,
				    NULL);
	int r, more = 1;

	if (rc != SQLITE_OK)
		return sap_sql_err(&w->q, rc, err);
	w->space_ids = sap_pool_new();
	w->published = sap_pool_new();
	if (!w->space_ids || !w->published || !SAP_VEC_PUSH(&w->space_of, 1u)) {
		sqlite3_finalize(st);
		return sap_err_nomem(err);
	}
	for (r = 0; r == 0 && (more = sap_sql_step(&w->q, st, err)) > 0;) {
		struct sap_space space;

		if (!sap_space_parse(sap_sql_column(st, 1), &space))
			r = sap_err_format(err, 0, "%s is damaged: table \"space\"; import anew",
					   w->path);
		else
			r = add_space(w, sqlite3_column_int64(st, 0), &space, err);
	}
	sqlite3_finalize(st);
	return r < 0 ? r : more;
}

static bool keep(struct sap_store_writer *w, struct sap_str s, struct sap_str *out)
{
	return sap_arena_str(&w->text, s, out);
}

static int load_source(struct sap_store_writer *w, sqlite3_stmt *st, struct sap_err *err)
{
	struct sap_store_wsource *s = SAP_VEC_PUSH(&w->sources, SAP_STORE_SOURCES_MAX);

	if (!s)
		return sap_err_set(err, SAP_ELIMIT, "%s: more than %u sources", w->path,
				   SAP_STORE_SOURCES_MAX);
	s->id = sqlite3_column_int64(st, 0);
	if (!keep(w, sap_sql_column(st, 1), &s->kind) ||
	    !keep(w, sap_sql_column(st, 2), &s->name) ||
	    !keep(w, sap_sql_column(st, 3), &s->origin) ||
	    !keep(w, sap_sql_column(st, 4), &s->date) ||
	    !keep(w, sap_sql_column(st, 5), &s->newest) ||
	    !keep(w, sap_sql_column(st, 6), &s->etag) ||
	    !keep(w, sap_sql_column(st, 7), &s->digest) ||
	    !keep(w, sap_sql_column(st, 8), &s->licence))
		return sap_err_nomem(err);
	s->checked = sqlite3_column_int64(st, 9);
	s->records = sqlite3_column_int64(st, 10);
	s->claims = sqlite3_column_int64(st, 11);
	s->rejected = sqlite3_column_int64(st, 12);
	s->entries = sqlite3_column_int64(st, 13);
	s->counted = true;
	(void)sap_store_time_parse(s->newest, &s->newest_time);
	return 0;
}

/* A store of a version that did not note it: claims have to be looked through, once. */
static int look_for_by(struct sap_store_writer *w, struct sap_err *err)
{
	static const char text[] =
		"SELECT DISTINCT space FROM package WHERE instr(claims, char(9)||'by=')>0";
	sqlite3_stmt *st;
	int rc = sqlite3_prepare_v2(w->q.db, text, -1, &st, NULL), more;

	if (rc != SQLITE_OK)
		return sap_sql_err(&w->q, rc, err);
	while ((more = sap_sql_step(&w->q, st, err)) > 0)
		for (size_t i = 0; i < w->spaces.n; i++)
			if (w->spaces.v[i].id == sqlite3_column_int64(st, 0))
				w->spaces.v[i].by = SAP_NAMES_SOURCE | SAP_NAMES_BINARY;
	sqlite3_finalize(st);
	return more;
}

static bool take_by(struct sap_store_writer *w, struct sap_str text)
{
	int64_t id;
	uint8_t by;
	size_t at = 0;

	if (!sap_store_by_next(&text, &id, &by) || id != w->next_record)
		return false;
	/* Both are in the order of the numbers. */
	while (sap_store_by_next(&text, &id, &by)) {
		while (at < w->spaces.n && w->spaces.v[at].id < id)
			at++;
		if (at == w->spaces.n || w->spaces.v[at].id != id)
			return false;
		w->spaces.v[at].by = by;
	}
	return sap_str_trim(text).n == 0;
}

static int load_by(struct sap_store_writer *w, struct sap_err *err)
{
	static const char text[] = "SELECT value FROM meta WHERE key='named_by'";
	sqlite3_stmt *st;
	int rc = sqlite3_prepare_v2(w->q.db, text, -1, &st, NULL), r;
	bool known;

	if (rc != SQLITE_OK)
		return sap_sql_err(&w->q, rc, err);
	r = sap_sql_step(&w->q, st, err);
	known = r > 0 && take_by(w, sap_sql_column(st, 0));
	sqlite3_finalize(st);
	return r < 0 || known ? r < 0 ? r : 0 : look_for_by(w, err);
}

int sap_store_load(struct sap_store_writer *w, struct sap_err *err)
{
	static const char text[] =
		"SELECT id, kind, name, origin, date, newest, etag, digest,"
		" licence, checked, records, claims, rejected, entries FROM source";
	sqlite3_stmt *st;
	int r, rc, more = 1;

	sap_arena_init(&w->text, 0);
	r = load_spaces(w, err);
	if (r < 0)
		return r;
	rc = sqlite3_prepare_v2(w->q.db, text, -1, &st, NULL);
	if (rc != SQLITE_OK)
		return sap_sql_err(&w->q, rc, err);
	while (r == 0 && (more = sap_sql_step(&w->q, st, err)) > 0)
		r = load_source(w, st, err);
	sqlite3_finalize(st);
	if (r == 0)
		r = more;
	if (r == 0)
		r = sap_sql_int(&w->q, "SELECT value FROM meta WHERE key='next_record'",
				&w->next_record, err);
	if (r == 0)
		r = sap_sql_int(&w->q, "SELECT value FROM meta WHERE key='dead_claims'",
				&w->dead_claims, err);
	if (r == 0 && w->next_record <= 0)
		return sap_err_format(
			err, 0, "%s is damaged: meta.next_record; move it away and import anew",
			w->path);
	return r < 0 ? r : load_by(w, err);
}

static int put_meta(struct sap_store_writer *w, const char *key, int64_t value, struct sap_err *err)
{
	sqlite3_stmt *st;
	int r = sap_sql_get(&w->q, SAP_W_META, &st, err);

	if (r < 0)
		return r;
	sap_sql_text(st, 1, sap_str_of(key));
	sqlite3_bind_int64(st, 2, value);
	return sap_sql_run(&w->q, st, err);
}

static int put_by(struct sap_store_writer *w, struct sap_err *err)
{
	sqlite3_stmt *st;
	int r = sap_sql_get(&w->q, SAP_W_META, &st, err);

	if (r < 0)
		return r;
	sap_buf_reset(&w->scratch);
	sap_buf_printf(&w->scratch, "%lld", (long long)w->next_record);
	for (size_t i = 0; i < w->spaces.n; i++)
		if (w->spaces.v[i].by)
			sap_buf_printf(&w->scratch, " %lld%s%s", (long long)w->spaces.v[i].id,
				       w->spaces.v[i].by & SAP_NAMES_SOURCE ? "s" : "",
				       w->spaces.v[i].by & SAP_NAMES_BINARY ? "b" : "");
	if (!sap_buf_ok(&w->scratch))
		return sap_err_nomem(err);
	sap_sql_text(st, 1, SAP_STR("named_by"));
	sap_sql_text(st, 2, sap_buf_str(&w->scratch));
	return sap_sql_run(&w->q, st, err);
}

int sap_store_put_state(struct sap_store_writer *w, struct sap_err *err)
{
	int r = put_meta(w, "next_record", w->next_record, err);

	if (r == 0)
		r = put_meta(w, "dead_claims", w->dead_claims, err);
	return r < 0 ? r : put_by(w, err);
}

void sap_store_unload(struct sap_store_writer *w)
{
	for (size_t i = 0; i < w->sources.n; i++) {
		sap_vec_clear(&w->sources.v[i].spaces);
		sap_idset_clear(&w->sources.v[i].old);
	}
	sap_vec_clear(&w->sources);
	sap_vec_clear(&w->spaces);
	sap_vec_clear(&w->space_of);
	sap_pool_free(w->space_ids);
	sap_pool_free(w->published);
	w->space_ids = w->published = NULL;
	sap_arena_clear(&w->text);
}

/* ---- a source row ----------------------------------------------------------------------- */

/* The attribute of the row, or what the stream says where the row lacks it. */
static struct sap_str attr_of(struct sap_store_writer *w, const struct sap_row *row,
			      const char *key)
{
	struct sap_str value = sap_row_attr(row, key), rest = sap_buf_str(&w->defaults);
	struct sap_row_attr attr;

	while (value.n == 0 && sap_row_rest_next(&rest, &w->row, &attr))
		if (sap_str_eq(attr.key, sap_str_of(key)))
			value = attr.value;
	return value;
}

static int find_source(struct sap_store_writer *w, const struct sap_row *row, uint32_t *index,
		       struct sap_err *err)
{
	struct sap_store_wsource *s;
	sqlite3_stmt *st;
	int r;

	for (size_t i = 0; i < w->sources.n; i++) {
		if (sap_str_eq(w->sources.v[i].kind, row->args[0]) &&
		    sap_str_eq(w->sources.v[i].name, row->args[1])) {
			*index = (uint32_t)i;
			return 0;
		}
	}
	r = sap_sql_get(&w->q, SAP_W_SOURCE, &st, err);
	if (r < 0)
		return r;
	s = SAP_VEC_PUSH(&w->sources, SAP_STORE_SOURCES_MAX);
	if (!s)
		return sap_err_set(err, SAP_ELIMIT, "%s: more than %u sources", w->path,
				   SAP_STORE_SOURCES_MAX);
	if (!keep(w, row->args[0], &s->kind) || !keep(w, row->args[1], &s->name))
		return sap_err_nomem(err);
	sap_sql_text(st, 1, s->kind);
	sap_sql_text(st, 2, s->name);
	r = sap_sql_run(&w->q, st, err);
	s->id = sqlite3_last_insert_rowid(w->q.db);
	*index = (uint32_t)(w->sources.n - 1);
	return r;
}

/* Deletes a source's rows of a table; all at once where nobody else has any. */
static int delete_rows(struct sap_store_writer *w, const char *table, int64_t source,
		       struct sap_err *err)
{
	char text[128];
	int64_t others = 0;
	int r;

	sqlite3_snprintf(sizeof(text), text, "SELECT 1 FROM %s WHERE source<>%lld LIMIT 1", table,
			 (long long)source);
	r = sap_sql_int(&w->q, text, &others, err);
	if (r < 0)
		return r;
	sqlite3_snprintf(sizeof(text), text, "DELETE FROM %s", table);
	if (others)
		sqlite3_snprintf(sizeof(text), text, "DELETE FROM %s WHERE source=%lld", table,
				 (long long)source);
	return sap_sql_exec(&w->q, text, err);
}

/* mode=replace: what is there goes, at once or, records, at the end of the stream: those that
 * come again as they were stay. */
static int replace_source(struct sap_store_writer *w, struct sap_store_wsource *s,
			  struct sap_err *err)
{
	static const char *const tables[] = { "source_space", "vulnerability", "kev",
					      "epss",         "function",      "object" };
	sqlite3_stmt *st;
	int r = 0, more;

	s->replaced = true;
	s->rejected = 0;
	s->counted = false;
	s->newest = (struct sap_str){ 0 };
	s->newest_time = (struct sap_store_time){ 0 };
	sap_vec_clear(&s->spaces);
	for (size_t i = 0; r == 0 && i < sizeof(tables) / sizeof(tables[0]); i++)
		r = delete_rows(w, tables[i], s->id, err);
	if (r < 0 || s->records == 0)
		return r;
	r = sap_sql_get(&w->q, SAP_W_RECORDS_OF, &st, err);
	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 1, s->id);
	while ((more = sap_sql_step(&w->q, st, err)) > 0) {
		if (!sap_idset_add(&s->old, sqlite3_column_int64(st, 0))) {
			sqlite3_reset(st);
			return sap_err_nomem(err);
		}
	}
	return more;
}

static int take_checked(struct sap_store_writer *w, const struct sap_row *row,
			struct sap_store_wsource *s)
{
	struct sap_str text = attr_of(w, row, "checked");
	struct sap_store_time t;
	uint64_t seconds;

	if (sap_str_u64(text, &seconds) && seconds <= INT64_MAX)
		s->checked = (int64_t)seconds;
	else if (sap_store_time_parse(text, &t))
		s->checked = t.seconds;
	else if (text.n > 0)
		return -1;
	return 0;
}

static int take_covers(struct sap_store_writer *w, uint32_t source, struct sap_str list,
		       struct sap_err *err)
{
	struct sap_str item;
	int r = 0;

	while (r == 0 && sap_row_list_next(&list, &w->row, &item)) {
		uint32_t space;

		r = sap_store_space_of(w, item, &space, err);
		if (r == 0 && space == 0)
			sap_store_refuse(w, "covers: \"%.*s\" is no space", SAP_FMT(item));
		else if (r == 0)
			r = sap_store_source_space(w, source, space - 1, true, err);
	}
	return r;
}

static int take_attrs(struct sap_store_writer *w, const struct sap_row *row,
		      struct sap_store_wsource *s, bool first, struct sap_err *err)
{
	struct {
		const char *key;
		struct sap_str *to;
		bool fades; /* says something of the former publication only */
	} texts[] = { { "date", &s->date, true },
		      { "etag", &s->etag, true },
		      { "digest", &s->digest, true },
		      { "origin", &s->origin, false },
		      { "licence", &s->licence, false } };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct sap_str value = attr_of(w, row, texts[i].key);
		struct sap_store_time t;

		if (i == 0 && value.n > 0 && !sap_store_time_parse(value, &t)) {
			sap_store_refuse(w, "date=%.*s is no date: left out", SAP_FMT(value));
			value.n = 0;
		}
		if (value.n > 0 && !keep(w, value, texts[i].to))
			return sap_err_nomem(err);
		if (value.n == 0 && first && texts[i].fades)
			*texts[i].to = (struct sap_str){ 0 };
	}
	if (take_checked(w, row, s) < 0)
		sap_store_refuse(w, "checked= is no date: left out");
	return 0;
}

/* A list that would take the place of a newer one, and nobody has asked for that. */
static bool is_outdated(struct sap_store_writer *w, const struct sap_row *row,
			const struct sap_store_wsource *s, struct sap_str mode)
{
	struct sap_store_time date, present = s->newest_time;

	if (!sap_str_is(mode, "replace") || sap_str_is(attr_of(w, row, "force"), "yes") ||
	    !sap_store_time_parse(attr_of(w, row, "date"), &date))
		return false;
	if (s->date.n > 0)
		(void)sap_store_time_parse(s->date, &present);
	if (!present.known || sap_store_time_cmp(&date, &present) >= 0)
		return false;
	sap_store_refuse(w,
			 "%.*s/%.*s of %.*s is older than what is there: left out; --replace "
			 "takes it over",
			 SAP_FMT(s->kind), SAP_FMT(s->name), SAP_FMT(attr_of(w, row, "date")));
	return true;
}

int sap_store_source_row(struct sap_store_writer *w, const struct sap_row *row, struct sap_err *err)
{
	struct sap_str mode = attr_of(w, row, "mode");
	struct sap_store_wsource *s;
	uint32_t index;
	bool first;
	int r;

	w->source = 0;
	w->outdated = false;
	if (row->args[0].n == 0 || row->args[1].n == 0 || row->args[0].n > SAP_ADVISORY_NAME_MAX ||
	    row->args[1].n > SAP_ADVISORY_NAME_MAX) {
		sap_store_refuse(w,
				 "a source without kind or name, or with one of more than %u "
				 "bytes: it and its rows are left out",
				 SAP_ADVISORY_NAME_MAX);
		return 0;
	}
	r = find_source(w, row, &index, err);
	if (r < 0)
		return r;
	s = &w->sources.v[index];
	w->source = index + 1;
	first = !s->touched;
	s->touched = s->dirty = true;
	if (first) {
		w->counts.sources++;
		s->rejected = 0;
	}
	if (is_outdated(w, row, s, mode)) {
		w->outdated = true;
		return 0;
	}
	if (sap_str_is(mode, "replace") && !s->replaced)
		r = replace_source(w, s, err);
	else if (mode.n > 0 && !sap_str_is(mode, "replace") && !sap_str_is(mode, "merge"))
		sap_store_refuse(w, "mode=%.*s: neither replace nor merge; taken as merge",
				 SAP_FMT(mode));
	if (r == 0)
		r = take_attrs(w, row, s, first, err);
	if (r == 0)
		r = take_covers(w, index, sap_row_attr(row, "covers"), err);
	return r;
}

/* ---- the end of a stream ---------------------------------------------------------------- */

static void bind_text_or_null(sqlite3_stmt *st, int i, struct sap_str s)
{
	if (s.n > 0)
		sap_sql_text(st, i, s);
	else
		sqlite3_bind_null(st, i);
}

/* Rows may replace each other, so that they are counted where they lie. */
static int count_entries(struct sap_store_writer *w, struct sap_store_wsource *s,
			 struct sap_err *err)
{
	static const char *const tables[] = { "vulnerability", "kev", "epss", "function",
					      "object" };
	char text[128];
	int64_t n;
	int r = 0;

	s->entries = 0;
	for (size_t i = 0; r == 0 && i < sizeof(tables) / sizeof(tables[0]); i++) {
		sqlite3_snprintf(sizeof(text), text, "SELECT count(*) FROM %s WHERE source=%lld",
				 tables[i], (long long)s->id);
		r = sap_sql_int(&w->q, text, &n, err);
		s->entries += r == 0 ? n : 0;
	}
	s->counted = r == 0;
	return r;
}

static int write_source(struct sap_store_writer *w, struct sap_store_wsource *s,
			struct sap_err *err)
{
	struct sap_store_time as_of = s->newest_time;
	sqlite3_stmt *st = NULL;
	int r = s->counted ? 0 : count_entries(w, s, err);

	if (r == 0)
		r = sap_sql_get(&w->q, SAP_W_SOURCE_UPDATE, &st, err);
	if (r < 0)
		return r;
	if (s->date.n > 0)
		(void)sap_store_time_parse(s->date, &as_of);
	sqlite3_bind_int64(st, 1, s->id);
	bind_text_or_null(st, 2, s->origin);
	bind_text_or_null(st, 3, s->date);
	bind_text_or_null(st, 4, s->newest);
	sqlite3_bind_int64(st, 5, as_of.seconds);
	sqlite3_bind_int64(st, 6, s->checked);
	sqlite3_bind_int64(st, 7, s->records);
	sqlite3_bind_int64(st, 8, s->claims);
	sqlite3_bind_int64(st, 9, s->rejected);
	bind_text_or_null(st, 10, s->etag);
	bind_text_or_null(st, 11, s->digest);
	bind_text_or_null(st, 12, s->licence);
	sqlite3_bind_int64(st, 13, s->entries);
	return sap_sql_run(&w->q, st, err);
}

/* Former records that the stream did not name. SQLite lets rows be deleted behind the one that
 * is read. */
static int drop_old(struct sap_store_writer *w, struct sap_store_wsource *s, struct sap_err *err)
{
	sqlite3_stmt *st;
	int r;

	if (s->old.n_pages == 0)
		return 0;
	r = sap_sql_get(&w->q, SAP_W_RECORDS_OF, &st, err);
	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 1, s->id);
	while (r == 0 && (r = sap_sql_step(&w->q, st, err)) > 0) {
		int64_t id = sqlite3_column_int64(st, 0), claims = sqlite3_column_int64(st, 1);

		r = 0;
		if (sap_idset_has(&s->old, id))
			r = sap_store_record_gone(w, id, s->id, claims, err);
	}
	sqlite3_reset(st);
	sap_idset_clear(&s->old);
	return r;
}

int sap_store_sources_end(struct sap_store_writer *w, struct sap_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < w->sources.n; i++)
		if (w->sources.v[i].replaced)
			r = drop_old(w, &w->sources.v[i], err);
	for (size_t i = 0; r == 0 && i < w->sources.n; i++) {
		struct sap_store_wsource *s = &w->sources.v[i];

		if (s->dirty)
			r = write_source(w, s, err);
		s->touched = s->replaced = s->dirty = false;
	}
	return r;
}
