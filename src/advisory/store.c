/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "advisory/store_int.h"
#include "base/fd.h"

enum { STEP_UNIT = 10000, BY_WORD_MAX = 24 };

/* Blocks of memory that a connection has for itself: at SQLite's common allocator those of several
 * threads would wait for each other. */
enum { LOOKASIDE = 8192, LOOKASIDE_N = 32 };

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
static int check_file(const char *path, struct sap_store_file *file, struct sap_err *err)
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
	*file = (struct sap_store_file){ st.st_dev, st.st_ino };
	return 0;
}

static bool is_file(const struct sap_store *store)
{
	struct stat st;

	return stat(store->q.path, &st) == 0 && st.st_dev == store->file.device &&
	       st.st_ino == store->file.inode;
}

static int connect_to(struct sap_store *store, const char *path, struct sap_err *err)
{
	/* One transaction for all that is read: else each query begins and ends its own. */
	static const char settings[] = "PRAGMA trusted_schema=OFF;"
				       "PRAGMA cache_size=-2048; PRAGMA temp_store=FILE; BEGIN";
	char *uri sap_cleanup_free = uri_of(path);
	int rc;

	store->q.path = strdup(path);
	if (!uri || !store->q.path)
		return sap_err_nomem(err);
	rc = sqlite3_open_v2(uri, &store->q.db,
			     SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc != SQLITE_OK)
		return sap_sql_err(&store->q, rc, err);
	sqlite3_extended_result_codes(store->q.db, 1);
	sqlite3_limit(store->q.db, SQLITE_LIMIT_LENGTH, SAP_STORE_TEXT_MAX);
	sqlite3_db_config(store->q.db, SQLITE_DBCONFIG_LOOKASIDE, NULL, LOOKASIDE, LOOKASIDE_N);
	sqlite3_db_config(store->q.db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_progress_handler(store->q.db, STEP_UNIT, count_steps, store);
	/* What was looked at and what was opened: another file may have come between. */
	store->certain = is_file(store);
	return sap_sql_exec(&store->q, settings, err);
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
	s->named = SAP_NAMES_SOURCE | SAP_NAMES_BINARY;
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

static struct sap_store_space *space_by_id(struct sap_store_space **ids, size_t n, int64_t id)
{
	struct sap_store_space key = { .id = id }, *want = &key, **found;

	found = n ? bsearch(&want, ids, n, sizeof(struct sap_store_space *), by_id) : NULL;
	return found ? *found : NULL;
}

/* What claims name in each space. A version that did not note it leaves a number behind that is
 * not the next record's: then they may name anything anywhere. */
static void take_names(struct sap_store *store, struct sap_store_space **ids, struct sap_str text,
		       int64_t next_record)
{
	struct sap_store_space *space;
	struct sap_str rest = text;
	int64_t id;
	uint8_t by;

	if (text.n > (store->n_spaces + 1) * BY_WORD_MAX || !sap_store_by_next(&text, &id, &by) ||
	    id != next_record)
		return;
	rest = text;
	while (sap_store_by_next(&text, &id, &by))
		if (!space_by_id(ids, store->n_spaces, id))
			return;
	if (sap_str_trim(text).n)
		return;
	for (size_t i = 0; i < store->n_spaces; i++)
		store->spaces[i].named = store->spaces[i].names;
	while (sap_store_by_next(&rest, &id, &by)) {
		space = space_by_id(ids, store->n_spaces, id);
		space->named |= by;
	}
}

static int load_names(struct sap_store *store, struct sap_store_space **ids, struct sap_err *err)
{
	static const char text[] = "SELECT a.value, b.value FROM meta a, meta b"
				   " WHERE a.key='named_by' AND b.key='next_record'";
	sqlite3_stmt *st;
	int rc = sqlite3_prepare_v2(store->q.db, text, -1, &st, NULL), r;

	if (rc != SQLITE_OK)
		return sap_sql_err(&store->q, rc, err);
	r = sap_sql_step(&store->q, st, err);
	if (r > 0)
		take_names(store, ids, sap_sql_column(st, 0), sqlite3_column_int64(st, 1));
	sqlite3_finalize(st);
	return r < 0 ? r : 0;
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
static int load_pairs(struct sap_store *store, struct sap_store_space **ids, struct sap_err *err)
{
	sqlite3_stmt *st;
	int rc, more;

	rc = sqlite3_prepare_v2(store->q.db, "SELECT space, source FROM source_space", -1, &st,
				NULL);
	if (rc != SQLITE_OK)
		return sap_sql_err(&store->q, rc, err);
	while ((more = sap_sql_step(&store->q, st, err)) > 0) {
		uint32_t source = sap_store_source_index(store, sqlite3_column_int64(st, 1));
		struct sap_store_space *space =
			space_by_id(ids, store->n_spaces, sqlite3_column_int64(st, 0));

		if (space && source < store->n_sources)
			add_source(space, &store->sources[source]);
	}
	sqlite3_finalize(st);
	return more;
}

static int load_spaces(struct sap_store *store, struct sap_err *err)
{
	struct sap_store_space **ids;
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
	ids = sap_arena_array(&store->arena, store->n_spaces, sizeof(*ids));
	if (!ids)
		return sap_err_nomem(err);
	for (size_t i = 0; i < store->n_spaces; i++)
		ids[i] = &store->spaces[i];
	qsort(ids, store->n_spaces, sizeof(*ids), by_id);
	r = load_pairs(store, ids, err);
	return r < 0 ? r : load_names(store, ids, err);
}

/* ---- the contract ----------------------------------------------------------------------- */

static int make_store(const char *path, struct sap_store **out, struct sap_err *err)
{
	struct sap_store_file file;
	struct sap_store *store;
	int r = check_file(path, &file, err);

	if (r < 0)
		return r;
	store = calloc(1, sizeof(*store));
	if (!store)
		return sap_err_nomem(err);
	store->file = file;
	sap_arena_init(&store->arena, 0);
	for (unsigned i = 0; i < SAP_R_END - SAP_R_CURSORS; i++)
		sap_buf_init(&store->cursors[i].asked, SAP_STORE_TEXT_MAX);
	store->q.texts = sap_store_read_sql;
	*out = store;
	return connect_to(store, path, err);
}

int sap_store_open(const char *path, struct sap_store **out, struct sap_err *err)
{
	struct sap_store *store = NULL;
	int r = make_store(path, &store, err);

	if (r == 0)
		r = sap_store_schema_check(&store->q, err);
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

/* The inode that the first connection holds open is given to no other file. */
int sap_store_twin(const struct sap_store *of, struct sap_store **out, struct sap_err *err)
{
	struct sap_store *store = NULL;
	int r;

	if (!of->certain || !sqlite3_threadsafe())
		return sap_err_set(err, SAP_EUNSUPPORTED, "%s: one connection only", of->q.path);
	r = make_store(of->q.path, &store, err);
	if (r == 0 && (!store->certain || store->file.device != of->file.device ||
		       store->file.inode != of->file.inode))
		r = sap_err_set(err, SAP_ECHANGED, "%s was replaced", of->q.path);
	if (r < 0) {
		sap_store_close(store);
		return r;
	}
	store->sources = of->sources;
	store->source_ids = of->source_ids;
	store->n_sources = of->n_sources;
	store->spaces = of->spaces;
	store->n_spaces = of->n_spaces;
	*out = store;
	return 0;
}

void sap_store_close(struct sap_store *store)
{
	if (!store)
		return;
	sap_sql_close(&store->q);
	for (unsigned i = 0; i < SAP_R_END - SAP_R_CURSORS; i++)
		sap_buf_clear(&store->cursors[i].asked);
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

uint8_t sap_store_named(const struct sap_store *store, struct sap_str space)
{
	const struct sap_store_space *s = sap_store_space_find(store, space);

	return s ? s->named : 0;
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
