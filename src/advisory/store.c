/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "advisory/store_int.h"
#include "base/fd.h"

enum { STEP_UNIT = 10000 };

static const char sql_sources[] =
	"SELECT id, kind, name, origin, ifnull(date, newest), etag, digest, licence, as_of,"
	" checked, records + entries, claims, rejected FROM source ORDER BY kind, name";
/* ---- opening ---------------------------------------------------------------------------- */

static int count_steps(void *ctx)
{
	struct sap_store *store = ctx;

	return ++store->steps > SAP_SQLITE_STEPS_MAX / STEP_UNIT;
}

void sap_store_call(struct sap_store *store)
{
	store->steps = 0;
}

/* "file:PATH?immutable=1": SQLite then takes no lock, looks for no journal. */
static char *uri_of(const char *path)
{
	static const char hex[] = "0123456789abcdef";
	struct sap_buf buf;
	char *uri;

	sap_buf_init(&buf, SIZE_MAX / 2);
	sap_buf_puts(&buf, SAP_STR("file:"));
	for (const char *p = path; *p; p++) {
		unsigned char c = (unsigned char)*p;

		if (c > ' ' && c < 0x7f && c != '%' && c != '?' && c != '#') {
			sap_buf_putc(&buf, *p);
		} else {
			sap_buf_putc(&buf, '%');
			sap_buf_putc(&buf, hex[c >> 4]);
			sap_buf_putc(&buf, hex[c & 15]);
		}
	}
	sap_buf_put(&buf, "?immutable=1", sizeof("?immutable=1"));
	uri = sap_buf_ok(&buf) ? (char *)buf.p : NULL;
	if (!uri)
		sap_buf_clear(&buf);
	return uri;
}

/* What the first bytes say, before SQLite sees the file. */
static int check_file(const char *path, struct sap_err *err)
{
	static const char magic[16] = "SQLite format 3";
	int sap_cleanup_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char head[sizeof(magic)];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return sap_err_sys(err, errno, "cannot read %s", path);
	if (!S_ISREG(st.st_mode))
		return sap_err_set(err, SAP_EFORMAT, "%s is no file", path);
	if (pread(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
	    memcmp(head, magic, sizeof(magic)) != 0)
		return sap_err_format(err, 0,
				      "%s is no store of advisories; give another file (--db), or "
				      "move it away",
				      path);
	return 0;
}

static int connect_to(struct sap_store *store, const char *path, struct sap_err *err)
{
	/* One transaction for all that is read: else each query begins and ends its own. */
	static const char settings[] = "PRAGMA trusted_schema=OFF;"
				       "PRAGMA cache_size=-2048; PRAGMA temp_store=FILE; BEGIN";
	char *uri sap_cleanup_free = uri_of(path);
	int rc, r;

	store->q.path = strdup(path);
	if (!uri || !store->q.path)
		return sap_err_nomem(err);
	rc = sqlite3_open_v2(uri, &store->q.db,
			     SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc != SQLITE_OK)
		return sap_sql_err(&store->q, rc, err);
	sqlite3_extended_result_codes(store->q.db, 1);
	sqlite3_limit(store->q.db, SQLITE_LIMIT_LENGTH, SAP_STORE_TEXT_MAX);
	sqlite3_db_config(store->q.db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_progress_handler(store->q.db, STEP_UNIT, count_steps, store);
	r = sap_sql_exec(&store->q, settings, err);
	return r < 0 ? r : sap_store_schema_check(&store->q, err);
}

/* ---- sources ---------------------------------------------------------------------------- */

static bool keep(struct sap_store *store, sqlite3_stmt *st, int column, struct sap_str *out)
{
	return sap_arena_str(&store->arena, sap_sql_column(st, column), out);
}

static uint64_t count_of(sqlite3_stmt *st, int column)
{
	int64_t n = sqlite3_column_int64(st, column);

	return n < 0 ? 0 : (uint64_t)n;
}

static int load_source(struct sap_store *store, sqlite3_stmt *st, struct sap_err *err)
{
	struct sap_source *s = &store->sources[store->n_sources];

	if (!keep(store, st, 1, &s->kind) || !keep(store, st, 2, &s->name) ||
	    !keep(store, st, 3, &s->origin) || !keep(store, st, 4, &s->date) ||
	    !keep(store, st, 5, &s->etag) || !keep(store, st, 6, &s->digest) ||
	    !keep(store, st, 7, &s->licence))
		return sap_err_nomem(err);
	s->as_of = sqlite3_column_int64(st, 8);
	s->checked = sqlite3_column_int64(st, 9);
	s->records = count_of(st, 10);
	s->claims = count_of(st, 11);
	s->rejected = count_of(st, 12);
	store->source_ids[store->n_sources++] = sqlite3_column_int64(st, 0);
	return 0;
}

static int load_sources(struct sap_store *store, struct sap_err *err)
{
	int64_t n = 0;
	sqlite3_stmt *st;
	int r = sap_sql_int(&store->q, "SELECT count(*) FROM source", &n, err), rc, more = 1;

	if (r < 0)
		return r;
	if (n > SAP_STORE_SOURCES_MAX)
		return sap_err_set(err, SAP_ELIMIT, "%s: more than %u sources", store->q.path,
				   SAP_STORE_SOURCES_MAX);
	store->sources = sap_arena_array(&store->arena, (uint64_t)n, sizeof(*store->sources));
	store->source_ids = sap_arena_array(&store->arena, (uint64_t)n, sizeof(int64_t));
	if (!store->sources || !store->source_ids)
		return sap_err_nomem(err);
	rc = sqlite3_prepare_v2(store->q.db, sql_sources, -1, &st, NULL);
	if (rc != SQLITE_OK)
		return sap_sql_err(&store->q, rc, err);
	while (r == 0 && store->n_sources < n && (more = sap_sql_step(&store->q, st, err)) > 0)
		r = load_source(store, st, err);
	sqlite3_finalize(st);
	return r < 0 ? r : more < 0 ? more : 0;
}

uint32_t sap_store_source_index(const struct sap_store *store, int64_t id)
{
	uint32_t i = 0;

	while (i < store->n_sources && store->source_ids[i] != id)
		i++;
	return i;
}

/* ---- spaces ----------------------------------------------------------------------------- */

static int load_space(struct sap_store *store, sqlite3_stmt *st, struct sap_err *err)
{
	struct sap_store_space *s = &store->spaces[store->n_spaces];
	struct sap_space space;

	if (!keep(store, st, 0, &s->text))
		return sap_err_nomem(err);
	s->id = sqlite3_column_int64(st, 1);
	s->names = SAP_NAMES_BINARY;
	if (sap_space_parse(s->text, &space))
		s->names = (uint8_t)sap_space_names(&space);
	store->n_spaces++;
	return 0;
}

static int by_text(const void *a, const void *b)
{
	const struct sap_store_space *x = a, *y = b;

	return sap_str_cmp(x->text, y->text);
}

static int by_id(const void *a, const void *b)
{
	const struct sap_store_space *x = *(struct sap_store_space *const *)a;
	const struct sap_store_space *y = *(struct sap_store_space *const *)b;

	return (x->id > y->id) - (x->id < y->id);
}

/* A source that speaks about the space. Its dates are those of the one that says the most: a few
 * rows of today in a private list do not make a tracker's list of last year current. */
static void add_source(struct sap_store_space *space, const struct sap_source *s)
{
	uint64_t weight = s->claims + 1;

	space->covered = true;
	if (weight < space->weight || (weight == space->weight && s->as_of >= space->as_of))
		return;
	space->weight = weight;
	space->as_of = s->as_of;
	space->checked = s->checked;
}

/* Who speaks about which space. */
static int load_pairs(struct sap_store *store, struct sap_err *err)
{
	struct sap_store_space key, *want = &key, **ids, **found;
	sqlite3_stmt *st;
	int rc, more;

	ids = sap_arena_array(&store->arena, store->n_spaces, sizeof(struct sap_store_space *));
	if (!ids)
		return sap_err_nomem(err);
	for (size_t i = 0; i < store->n_spaces; i++)
		ids[i] = &store->spaces[i];
	qsort(ids, store->n_spaces, sizeof(struct sap_store_space *), by_id);
	rc = sqlite3_prepare_v2(store->q.db, "SELECT space, source FROM source_space", -1, &st,
				NULL);
	if (rc != SQLITE_OK)
		return sap_sql_err(&store->q, rc, err);
	while ((more = sap_sql_step(&store->q, st, err)) > 0) {
		uint32_t source = sap_store_source_index(store, sqlite3_column_int64(st, 1));

		key.id = sqlite3_column_int64(st, 0);
		found = bsearch(&want, ids, store->n_spaces, sizeof(struct sap_store_space *),
				by_id);
		if (!found || source == store->n_sources)
			continue;
		add_source(*found, &store->sources[source]);
	}
	sqlite3_finalize(st);
	return more;
}

static int load_spaces(struct sap_store *store, struct sap_err *err)
{
	int64_t n = 0;
	sqlite3_stmt *st;
	int r = sap_sql_int(&store->q, "SELECT count(*) FROM space", &n, err), rc, more = 1;

	if (r < 0)
		return r;
	if (n > SAP_STORE_SPACES_MAX)
		return sap_err_set(err, SAP_ELIMIT, "%s: more than %u spaces", store->q.path,
				   SAP_STORE_SPACES_MAX);
	store->spaces = sap_arena_array(&store->arena, (uint64_t)n, sizeof(*store->spaces));
	if (!store->spaces)
		return sap_err_nomem(err);
	rc = sqlite3_prepare_v2(store->q.db, "SELECT text, id FROM space", -1, &st, NULL);
	if (rc != SQLITE_OK)
		return sap_sql_err(&store->q, rc, err);
	while (r == 0 && (int64_t)store->n_spaces < n &&
	       (more = sap_sql_step(&store->q, st, err)) > 0)
		r = load_space(store, st, err);
	sqlite3_finalize(st);
	if (r < 0 || more < 0)
		return r < 0 ? r : more;
	qsort(store->spaces, store->n_spaces, sizeof(*store->spaces), by_text);
	return load_pairs(store, err);
}

/* ---- the contract ----------------------------------------------------------------------- */

int sap_store_open(const char *path, struct sap_store **out, struct sap_err *err)
{
	struct sap_store *store;
	int r = check_file(path, err);

	if (r < 0)
		return r;
	store = calloc(1, sizeof(*store));
	if (!store)
		return sap_err_nomem(err);
	sap_arena_init(&store->arena, 0);
	store->q.texts = sap_store_read_sql;
	r = connect_to(store, path, err);
	if (r == 0)
		r = load_sources(store, err);
	if (r == 0)
		r = load_spaces(store, err);
	if (r < 0) {
		sap_store_close(store);
		return r;
	}
	*out = store;
	return 0;
}

void sap_store_close(struct sap_store *store)
{
	if (!store)
		return;
	sap_sql_close(&store->q);
	sap_arena_clear(&store->arena);
	free(store->slots);
	sap_vec_clear(&store->missing);
	free(store);
}

const char *sap_store_path(const struct sap_store *store)
{
	return store->q.path;
}

const struct sap_source *sap_store_sources(const struct sap_store *store, uint32_t *n)
{
	*n = store->n_sources;
	return store->sources;
}

const struct sap_store_space *sap_store_space_find(const struct sap_store *store,
						   struct sap_str space)
{
	struct sap_store_space key = { .text = space };

	return store->n_spaces ? bsearch(&key, store->spaces, store->n_spaces,
					 sizeof(*store->spaces), by_text)
			       : NULL;
}

bool sap_store_covers(struct sap_store *store, struct sap_str space, int64_t *as_of,
		      int64_t *checked)
{
	const struct sap_store_space *s = sap_store_space_find(store, space);

	if (!s || !s->covered)
		return false;
	*as_of = s->as_of;
	*checked = s->checked;
	return true;
}
