/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "advisory/store_int.h"

#include <time.h>

const char *const sap_store_write_sql[] = {
	[SAP_W_FIND] = "SELECT r.id, r.source, r.attrs, r.claims, r.digest FROM name n"
		       " CROSS JOIN record r ON r.id=n.record WHERE n.text=?1 AND r.name=?1",
	[SAP_W_RECORD] = "INSERT INTO record VALUES(?,?,?,?,?,?)",
	[SAP_W_RECORD_DELETE] = "DELETE FROM record WHERE id=?",
	[SAP_W_RECORDS_OF] = "SELECT id, claims FROM record WHERE source=?",
	[SAP_W_NAME] = "INSERT OR IGNORE INTO name VALUES(?,?)",
	[SAP_W_PACKAGE] = "INSERT INTO package(space, name, claims) VALUES(?,?,?)"
			  " ON CONFLICT(name, space) DO UPDATE"
			  " SET claims=claims||excluded.claims",
	[SAP_W_SOURCE] = "INSERT INTO source(kind, name) VALUES(?,?)",
	[SAP_W_SOURCE_UPDATE] = "UPDATE source SET origin=?2, date=?3, newest=?4, as_of=?5,"
				" checked=?6, records=?7, claims=?8, rejected=?9, etag=?10,"
				" digest=?11, licence=?12, entries=?13 WHERE id=?1",
	[SAP_W_SPACE] = "INSERT INTO space(text) VALUES(?)",
	[SAP_W_SOURCE_SPACE] = "INSERT INTO source_space VALUES(?,?,?) ON CONFLICT DO UPDATE"
			       " SET declared=max(declared, excluded.declared)",
	[SAP_W_VULNERABILITY] = "INSERT OR REPLACE INTO vulnerability VALUES(?,?,?,?,?,?,?)",
	[SAP_W_KEV] = "INSERT OR REPLACE INTO kev VALUES(?,?,?,?,?)",
	[SAP_W_EPSS] = "INSERT OR REPLACE INTO epss VALUES(?,?,?,?)",
	[SAP_W_FUNCTION] = "INSERT OR REPLACE INTO function(id, source, project, name, file, kind,"
			   " basis) VALUES(?,?,?,?,?,?,?)",
	[SAP_W_OBJECT] = "INSERT OR REPLACE INTO object VALUES(?,?,?,?,?,?)",
	[SAP_W_META] = "INSERT OR REPLACE INTO meta VALUES(?,?)",
	[SAP_W_PACKAGE_AFTER] = "SELECT id, claims FROM package WHERE id>=? ORDER BY id LIMIT 1",
	[SAP_W_PACKAGE_UPDATE] = "UPDATE package SET claims=?2 WHERE id=?1",
	[SAP_W_PACKAGE_DELETE] = "DELETE FROM package WHERE id=?",
};

/* ---- the writer ------------------------------------------------------------------------- */

static int open_next(struct sap_store_writer *w, bool fresh, struct sap_err *err)
{
	/* No sync and no journal that survives: until the rename the file is nobody's. The
	 * journal is for dropping a stream. */
	static const char settings[] =
		"PRAGMA locking_mode=EXCLUSIVE; PRAGMA synchronous=OFF; PRAGMA cache_size=-8192;"
		"PRAGMA temp_store=FILE; PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;";
	int rc, r;

	w->q.texts = sap_store_write_sql;
	w->q.path = strdup(w->path);
	if (!w->q.path)
		return sap_err_nomem(err);
	rc = sqlite3_open_v2(w->next, &w->q.db,
			     SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW,
			     NULL);
	if (rc != SQLITE_OK)
		return sap_sql_err(&w->q, rc, err);
	sqlite3_extended_result_codes(w->q.db, 1);
	sqlite3_limit(w->q.db, SQLITE_LIMIT_LENGTH, SAP_STORE_TEXT_MAX);
	r = sap_sql_exec(&w->q, settings, err);
	if (r == 0 && fresh)
		r = sap_store_schema_create(&w->q, err);
	if (r == 0)
		r = sap_sql_exec(&w->q, "PRAGMA journal_mode=TRUNCATE", err);
	return r < 0 ? r : sap_store_load(w, err);
}

int sap_store_writer_new(const char *path, const char *base, unsigned wait_seconds,
			 sap_store_problem_fn *problem, void *ctx, struct sap_store_writer **out,
			 struct sap_err *err)
{
	struct sap_store_writer *w = calloc(1, sizeof(*w));
	bool fresh = false;
	int r;

	if (!w)
		return sap_err_nomem(err);
	w->now = (int64_t)time(NULL);
	w->lock = w->spool.fd = -1;
	w->problem = problem;
	w->ctx = ctx;
	sap_store_batch_init(&w->batch);
	sap_arena_init(&w->row, 0);
	sap_arena_init(&w->text, 0);
	sap_buf_init(&w->defaults, SAP_MIB);
	sap_buf_init(&w->spool.buf, SAP_STORE_TEXT_MAX);
	sap_buf_init(&w->line, SAP_ROW_MAX);
	sap_buf_init(&w->scratch, SAP_STORE_TEXT_MAX);
	sap_buf_init(&w->scratch2, SAP_ROW_MAX);
	r = sap_store_file_begin(w, path, base, wait_seconds, &fresh, err);
	if (r == 0)
		r = open_next(w, fresh, err);
	if (r < 0) {
		sap_store_abandon(w);
		return r;
	}
	*out = w;
	return 0;
}

void sap_store_abandon(struct sap_store_writer *w)
{
	if (!w)
		return;
	sap_sql_close(&w->q);
	sap_store_file_drop(w);
	sap_store_unload(w);
	sap_store_batch_clear(&w->batch);
	sap_store_spool_drop(w);
	sap_arena_clear(&w->row);
	sap_buf_clear(&w->defaults);
	sap_buf_clear(&w->line);
	sap_buf_clear(&w->scratch);
	sap_buf_clear(&w->scratch2);
	free(w->name);
	free(w);
}

/* ---- streams ---------------------------------------------------------------------------- */

int sap_store_begin_stream(struct sap_store_writer *w, const char *name, struct sap_str defaults,
			   struct sap_err *err)
{
	int r;

	if (w->open)
		return sap_err_set(err, SAP_EUSAGE, "a stream is open already");
	free(w->name);
	w->name = strdup(name);
	sap_buf_reset(&w->defaults);
	sap_buf_puts(&w->defaults, defaults);
	sap_buf_reset(&w->line);
	if (!w->name || !sap_buf_ok(&w->defaults))
		return sap_err_nomem(err);
	w->magic = w->ended = w->overlong = false;
	w->line_number = 0;
	w->source = 0;
	w->skip = SAP_STORE_SKIP_NONE;
	w->counts = (struct sap_store_counts){ 0 };
	r = sap_sql_exec(&w->q, "BEGIN", err);
	if (r == 0)
		w->open = true;
	return r;
}

static int take_magic(struct sap_store_writer *w, struct sap_str line, struct sap_err *err)
{
	const struct sap_str magic = SAP_STR(SAP_ROWS_MAGIC);
	const struct sap_str any = { magic.p, magic.n - 1 };

	line = sap_str_trim(line);
	if (sap_str_eq(line, magic)) {
		w->magic = true;
		return 0;
	}
	if (sap_str_starts(line, any))
		return sap_err_set(err, SAP_EUNSUPPORTED,
				   "%s: \"%.*s\" is of a newer version; this one reads \"%s\"",
				   w->name, line.n < 60 ? (int)line.n : 60, line.p, magic.p);
	return sap_err_format(err, 0, "%s is no list of rows: its first line is not \"%s\"",
			      w->name, magic.p);
}

static int take_line(struct sap_store_writer *w, struct sap_str line, struct sap_err *err)
{
	w->line_number++;
	return w->magic ? sap_store_row(w, line, err) : take_magic(w, line, err);
}

/* A line without end: its beginning says what it was, the rest is passed over. */
static int drop_line(struct sap_store_writer *w, struct sap_err *err)
{
	struct sap_str start = sap_buf_str(&w->line);

	if (!w->magic)
		return take_magic(w, (struct sap_str){ start.p, start.n < 60 ? start.n : 60 }, err);
	w->line_number++;
	w->counts.rows++;
	sap_store_refuse(w, "a row of more than %llu MiB: left out", SAP_ROW_MAX / SAP_MIB);
	if (sap_str_starts(start, SAP_STR("record\t")))
		w->skip = SAP_STORE_SKIP_BAD;
	w->overlong = true;
	sap_buf_reset(&w->line);
	return 0;
}

/* The piece of a line that the stream has so far. */
static int keep_piece(struct sap_store_writer *w, struct sap_str piece, struct sap_err *err)
{
	if (w->overlong)
		return 0;
	if (piece.n > SAP_ROW_MAX - w->line.n) {
		sap_buf_put(&w->line, piece.p, SAP_ROW_MAX - w->line.n);
		return drop_line(w, err);
	}
	sap_buf_puts(&w->line, piece);
	return sap_buf_ok(&w->line) ? 0 : sap_err_nomem(err);
}

int sap_store_feed(struct sap_store_writer *w, const void *p, size_t n, struct sap_err *err)
{
	struct sap_str text = { p, n };
	int r = 0;

	while (r == 0 && text.n > 0) {
		const char *end = memchr(text.p, '\n', text.n);
		struct sap_str line = { text.p, end ? (size_t)(end - text.p) : text.n };

		text = sap_str_skip(text, line.n + (end != NULL));
		if (!end || w->line.n > 0 || w->overlong) {
			r = keep_piece(w, line, err);
			line = sap_buf_str(&w->line);
		}
		if (r < 0 || !end)
			continue;
		if (!w->overlong)
			r = take_line(w, line, err);
		w->overlong = false;
		sap_buf_reset(&w->line);
	}
	return r;
}

int sap_store_end_stream(struct sap_store_writer *w, struct sap_store_counts *counts,
			 struct sap_err *err)
{
	int r = 0;

	if (!w->open)
		return sap_err_set(err, SAP_EUSAGE, "no stream is open");
	if (w->line.n > 0 && !w->overlong) {
		r = take_line(w, sap_buf_str(&w->line), err);
		sap_buf_reset(&w->line);
	}
	if (r == 0 && !w->magic)
		r = take_magic(w, SAP_STR(""), err);
	if (r == 0 && !w->ended)
		r = sap_err_format(err, 0,
				   "%s: there is no end row after line %llu: the stream was cut "
				   "off",
				   w->name, (unsigned long long)w->line_number);
	if (r == 0)
		r = sap_store_batch_flush(w, true, err);
	if (r == 0)
		r = sap_store_sources_end(w, err);
	if (r == 0)
		r = sap_store_put_state(w, err);
	if (r == 0)
		r = sap_sql_exec(&w->q, "COMMIT", err);
	if (r < 0)
		return r;
	w->open = false;
	if (counts)
		*counts = w->counts;
	return 0;
}

int sap_store_drop_stream(struct sap_store_writer *w, struct sap_err *err)
{
	int r = 0;

	if (!w->open)
		return 0;
	w->open = false;
	sap_store_batch_clear(&w->batch);
	sap_store_spool_drop(w);
	/* SQLite has rolled back by itself after some failures. */
	if (!sqlite3_get_autocommit(w->q.db))
		r = sap_sql_exec(&w->q, "ROLLBACK", err);
	sap_store_unload(w);
	return r < 0 ? r : sap_store_load(w, err);
}

int sap_store_checked(struct sap_store_writer *w, struct sap_str kind, struct sap_str name,
		      int64_t checked, struct sap_err *err)
{
	char text[96];

	for (size_t i = 0; i < w->sources.n; i++) {
		struct sap_store_wsource *s = &w->sources.v[i];

		if (!sap_str_eq(s->kind, kind) || !sap_str_eq(s->name, name))
			continue;
		s->checked = checked;
		sqlite3_snprintf(sizeof(text), text, "UPDATE source SET checked=%lld WHERE id=%lld",
				 (long long)checked, (long long)s->id);
		return sap_sql_exec(&w->q, text, err);
	}
	return sap_err_set(err, SAP_ENOENT, "the store has no source %.*s/%.*s", SAP_FMT(kind),
			   SAP_FMT(name));
}

/* ---- commit ----------------------------------------------------------------------------- */

/* Dead claims are passed over by readers; when they are a quarter of all they go. */
static int tidy(struct sap_store_writer *w, struct sap_err *err)
{
	int64_t claims = 0, pages = 0, unused = 0;
	int r = 0;

	for (size_t i = 0; i < w->sources.n; i++)
		claims += w->sources.v[i].claims;
	if (w->dead_claims > claims / 4)
		r = sap_store_compact(w, err);
	if (r == 0)
		r = sap_sql_int(&w->q, "PRAGMA page_count", &pages, err);
	if (r == 0)
		r = sap_sql_int(&w->q, "PRAGMA freelist_count", &unused, err);
	if (r == 0 && unused > pages / 3 && unused > 64) {
		r = sap_sql_exec(&w->q, "COMMIT; VACUUM; BEGIN", err);
	}
	return r;
}

static int commit(struct sap_store_writer *w, struct sap_err *err)
{
	int r, rc;

	if (w->open)
		return sap_err_set(err, SAP_EUSAGE, "a stream is still open");
	r = sap_sql_exec(&w->q, "BEGIN", err);
	if (r == 0)
		r = tidy(w, err);
	if (r == 0)
		r = sap_store_put_state(w, err);
	if (r == 0)
		r = sap_sql_exec(&w->q, "COMMIT", err);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < SAP_SQL_MAX; i++) {
		sqlite3_finalize(w->q.st[i]);
		w->q.st[i] = NULL;
	}
	rc = sqlite3_close(w->q.db);
	if (rc != SQLITE_OK)
		return sap_sql_err(&w->q, rc, err);
	w->q.db = NULL;
	return sap_store_file_finish(w, err);
}

int sap_store_commit(struct sap_store_writer *w, struct sap_err *err)
{
	int r = commit(w, err);

	sap_store_abandon(w);
	return r;
}
