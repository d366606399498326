/* SPDX-License-Identifier: Apache-2.0 */
#include <sqlite3.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/vec.h"
#include "catalog/rpm_int.h"

/* Values of dnf 4's history, see rpm_int.h. */
enum { STATE_DONE = 1 };
enum { ACTION_DOWNGRADED = 3, ACTION_OBSOLETED = 5, ACTION_UPGRADED = 7, ACTION_REMOVE = 8 };
enum { ACTION_REINSTALLED = 10 };
enum { REASON_DEPENDENCY = 1, REASON_USER, REASON_CLEAN, REASON_WEAK_DEPENDENCY, REASON_GROUP };

enum { KEY_MAX = 1024 };

/* ---- the table -------------------------------------------------------------------------- */

int sap_rpm_reasons_init(struct sap_rpm_reasons *reasons, struct sap_err *err)
{
	*reasons = (struct sap_rpm_reasons){ .keys = sap_pool_new() };
	return reasons->keys ? 0 : sap_err_nomem(err);
}

void sap_rpm_reasons_clear(struct sap_rpm_reasons *reasons)
{
	sap_pool_free(reasons->keys);
	free(reasons->v);
	*reasons = (struct sap_rpm_reasons){ 0 };
}

/* The id of a key, with room for its value. */
static int put_key(struct sap_rpm_reasons *reasons, struct sap_str key, uint32_t *out,
		   struct sap_err *err)
{
	uint32_t id = sap_pool_put(reasons->keys, key);

	if (id == UINT32_MAX)
		return sap_err_nomem(err);
	if (id >= reasons->cap) {
		uint32_t cap = id < 512 ? 1024 : id * 2;
		uint8_t *grown = realloc(reasons->v, cap);

		if (!grown)
			return sap_err_nomem(err);
		memset(grown + reasons->cap, SAP_UNKNOWN, cap - reasons->cap);
		reasons->v = grown;
		reasons->cap = cap;
	}
	*out = id;
	return 0;
}

static int set_reason(struct sap_rpm_reasons *reasons, struct sap_str key, enum sap_tristate value,
		      struct sap_err *err)
{
	uint32_t id = 0;
	int r = put_key(reasons, key, &id, err);

	if (r < 0)
		return r;
	reasons->v[id] = (uint8_t)value;
	return 0;
}

/* "name.arch"; absent where it would be too long. */
static struct sap_str join_key(char room[KEY_MAX], struct sap_str name, struct sap_str arch)
{
	if (!name.n || name.n >= KEY_MAX || arch.n >= KEY_MAX - name.n - 1)
		return (struct sap_str){ 0 };
	memcpy(room, name.p, name.n);
	room[name.n] = '.';
	if (arch.n)
		memcpy(room + name.n + 1, arch.p, arch.n);
	return (struct sap_str){ room, name.n + 1 + arch.n };
}

enum sap_tristate sap_rpm_reasons_get(const struct sap_rpm_reasons *reasons, struct sap_str name,
				      struct sap_str arch)
{
	char room[KEY_MAX];
	/* Keys that gpg writes; nobody installs them as a package. */
	struct sap_str key = reasons->others_by_hand ? name : join_key(room, name, arch);
	uint32_t id = key.n && arch.n ? sap_pool_find(reasons->keys, key) : UINT32_MAX;

	if (id != UINT32_MAX && id < reasons->cap)
		return reasons->v[id];
	return reasons->others_by_hand && arch.n ? SAP_NO : SAP_UNKNOWN;
}

/* ---- dnf 4 ------------------------------------------------------------------------------ */

struct item {
	int64_t id;
	uint32_t key;
};

/* Three walks over three tables, joined here: a join in SQL would be at the mercy of the
 * target's indexes. */
struct history {
	struct sap_rpm_rows rows;
	struct sap_rpm_reasons *reasons;
	SAP_VEC(int64_t) done;      /* transactions, sorted */
	SAP_VEC(struct item) items; /* sorted by id */
};

static int compare_ids(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* id, state */
static int trans_row(struct sap_rpm_rows *rows, sqlite3_stmt *stmt, struct sap_err *err)
{
	struct history *history = (struct history *)rows;
	int64_t *id;

	if (sqlite3_column_int64(stmt, 1) != STATE_DONE)
		return 0;
	id = SAP_VEC_PUSH(&history->done, SAP_LIST_MAX);
	if (!id)
		return sap_err_nomem(err);
	*id = sqlite3_column_int64(stmt, 0);
	return 0;
}

static struct sap_str column_text(sqlite3_stmt *stmt, int i)
{
	const char *p = (const char *)sqlite3_column_text(stmt, i);

	return (struct sap_str){ p, p ? (size_t)sqlite3_column_bytes(stmt, i) : 0 };
}

/* item_id, name, arch */
static int rpm_row(struct sap_rpm_rows *rows, sqlite3_stmt *stmt, struct sap_err *err)
{
	struct history *history = (struct history *)rows;
	char room[KEY_MAX];
	struct sap_str key = join_key(room, column_text(stmt, 1), column_text(stmt, 2));
	struct item *item;

	/* No package has such a name. */
	if (!key.n)
		return 0;
	item = SAP_VEC_PUSH(&history->items, SAP_LIST_MAX);
	if (!item)
		return sap_err_nomem(err);
	item->id = sqlite3_column_int64(stmt, 0);
	return put_key(history->reasons, key, &item->key, err);
}

static enum sap_tristate auto_of(int64_t reason)
{
	switch (reason) {
	case REASON_DEPENDENCY:
	case REASON_WEAK_DEPENDENCY:
	case REASON_CLEAN:
		return SAP_YES;
	case REASON_USER:
	case REASON_GROUP:
		return SAP_NO;
	default:
		return SAP_UNKNOWN;
	}
}

/* trans_id, item_id, action, reason; in the order in which it happened */
static int trans_item_row(struct sap_rpm_rows *rows, sqlite3_stmt *stmt, struct sap_err *err)
{
	struct history *history = (struct history *)rows;
	int64_t trans = sqlite3_column_int64(stmt, 0);
	int64_t id = sqlite3_column_int64(stmt, 1);
	int64_t action = sqlite3_column_int64(stmt, 2);
	const struct item *item;

	(void)err;
	if (action == ACTION_DOWNGRADED || action == ACTION_OBSOLETED ||
	    action == ACTION_UPGRADED || action == ACTION_REINSTALLED || !history->done.n ||
	    !history->items.n)
		return 0;
	item = bsearch(&id, history->items.v, history->items.n, sizeof(*item), compare_ids);
	if (!item || !bsearch(&trans, history->done.v, history->done.n, sizeof(trans), compare_ids))
		return 0;
	history->reasons->v[item->key] =
		(uint8_t)(action == ACTION_REMOVE ? SAP_UNKNOWN
						  : auto_of(sqlite3_column_int64(stmt, 3)));
	return 0;
}

static int read_history(struct history *history, struct sap_rpm_sqlite *sqlite,
			struct sap_err *fault, struct sap_err *err)
{
	int r;

	history->rows.row = trans_row;
	r = sap_rpm_sqlite_rows(sqlite, "trans", "id, state", &history->rows, fault, err);
	if (r < 0 || fault->code)
		return r;
	history->rows.row = rpm_row;
	r = sap_rpm_sqlite_rows(sqlite, "rpm", "item_id, name, arch", &history->rows, fault, err);
	if (r < 0 || fault->code)
		return r;
	if (history->done.n)
		qsort(history->done.v, history->done.n, sizeof(*history->done.v), compare_ids);
	/* An item starts with its id. */
	if (history->items.n)
		qsort(history->items.v, history->items.n, sizeof(*history->items.v), compare_ids);
	history->rows.row = trans_item_row;
	return sap_rpm_sqlite_rows(sqlite, "trans_item", "trans_id, item_id, action, reason",
				   &history->rows, fault, err);
}

int sap_rpm_reasons_dnf4(struct sap_rpm_reasons *reasons, struct sap_rpm_image *image,
			 struct sap_err *fault, struct sap_err *err)
{
	struct history history = { .reasons = reasons };
	struct sap_rpm_sqlite sqlite;
	int r = sap_rpm_sqlite_open(image, SAP_MIB, &sqlite, fault, err);

	if (r == 0 && sqlite.db)
		r = read_history(&history, &sqlite, fault, err);
	sap_rpm_sqlite_close(&sqlite);
	sap_vec_clear(&history.done);
	sap_vec_clear(&history.items);
	return r;
}

/* ---- text files ------------------------------------------------------------------------- */

/* Takes a quoted text off the front of *s. */
static bool take_quoted(struct sap_str *s, struct sap_str *out)
{
	*s = sap_str_trim(*s);
	if (!s->n || s->p[0] != '"')
		return false;
	return sap_str_cut(sap_str_skip(*s, 1), '"', out, s);
}

static bool take_word(struct sap_str *s, struct sap_str word)
{
	*s = sap_str_trim(*s);
	if (!sap_str_starts(*s, word))
		return false;
	*s = sap_str_skip(*s, word.n);
	return true;
}

/* The words that dnf 5 writes for its reasons. */
static enum sap_tristate auto_of_word(struct sap_str word)
{
	if (sap_str_is(word, "Dependency") || sap_str_is(word, "Weak Dependency") ||
	    sap_str_is(word, "Clean"))
		return SAP_YES;
	if (sap_str_is(word, "User") || sap_str_is(word, "Group"))
		return SAP_NO;
	return SAP_UNKNOWN;
}

int sap_rpm_reasons_dnf5(struct sap_rpm_reasons *reasons, struct sap_str text, struct sap_err *err)
{
	struct sap_str line, key, reason;
	bool packages = false;

	while (sap_str_line(&text, &line)) {
		int r;

		line = sap_str_trim(line);
		if (line.n && line.p[0] == '[')
			packages = sap_str_is(line, "[packages]");
		if (!packages || !take_quoted(&line, &key) || !take_word(&line, SAP_STR("=")) ||
		    !take_word(&line, SAP_STR("{")) || !take_word(&line, SAP_STR("reason")) ||
		    !take_word(&line, SAP_STR("=")) || !take_quoted(&line, &reason))
			continue;
		r = set_reason(reasons, key, auto_of_word(reason), err);
		if (r < 0)
			return r;
	}
	return 0;
}

int sap_rpm_reasons_zypp(struct sap_rpm_reasons *reasons, struct sap_str text, struct sap_err *err)
{
	struct sap_str line;

	reasons->others_by_hand = true;
	while (sap_str_line(&text, &line)) {
		int r;

		line = sap_str_trim(line);
		if (!line.n || line.p[0] == '#')
			continue;
		r = set_reason(reasons, line, SAP_YES, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- loading ---------------------------------------------------------------------------- */

static int load_text(struct sap_rpm_reasons *reasons, struct sap_input *input,
		     struct sap_sink *sink, struct sap_str path,
		     int (*parse)(struct sap_rpm_reasons *, struct sap_str, struct sap_err *),
		     struct sap_err *err)
{
	struct sap_err fault = { 0 };
	struct sap_arena arena;
	struct sap_span text;
	int r;

	sap_arena_init(&arena, 0);
	r = sap_input_read(input, path, SAP_TEXT_FILE_MAX, &arena, &text, &fault);
	if (r == 0)
		r = parse(reasons, (struct sap_str){ (const char *)text.p, text.n }, err);
	else if (r == SAP_ENOMEM)
		r = sap_err_nomem(err);
	else
		r = sap_sink_fault(sink, path, &fault, err);
	sap_arena_clear(&arena);
	return r;
}

/* A file beside the database; false where there is none. */
static bool open_beside(struct sap_input *input, struct sap_str path, struct sap_input_file *file,
			struct sap_reader *reader)
{
	if (sap_input_file_open(input, path, file, NULL) < 0)
		return false;
	*reader = sap_input_file_reader(file);
	return true;
}

static int load_history(struct sap_rpm_reasons *reasons, struct sap_input *input,
			struct sap_sink *sink, struct sap_str path, struct sap_err *err)
{
	struct sap_input_file db, log;
	struct sap_reader db_reader, log_reader;
	struct sap_rpm_image image = { 0 };
	struct sap_err fault = { 0 };
	bool has_log;
	int r = sap_input_file_open(input, path, &db, &fault);

	if (r < 0)
		return sap_sink_fault(sink, path, &fault, err);
	db_reader = sap_input_file_reader(&db);
	has_log = open_beside(input, SAP_STR("/var/lib/dnf/history.sqlite-wal"), &log, &log_reader);
	r = sap_rpm_image_load(&db_reader, has_log ? &log_reader : NULL, &image, &fault, err);
	if (r == 0 && image.p) {
		struct sap_err table_fault = { 0 };

		r = sap_rpm_reasons_dnf4(reasons, &image, &table_fault, err);
		if (r == 0 && table_fault.code)
			r = sap_sink_fault(sink, path, &table_fault, err);
	}
	if (r == 0 && fault.code)
		r = sap_sink_fault(sink, path, &fault, err);
	sap_rpm_image_clear(&image);
	if (has_log)
		sap_input_file_close(&log);
	sap_input_file_close(&db);
	return r;
}

int sap_rpm_reasons_load(struct sap_rpm_reasons *reasons, struct sap_input *input,
			 struct sap_sink *sink, struct sap_err *err)
{
	static const struct sap_str dnf5 = SAP_STR_INIT("/usr/lib/sysimage/libdnf5/packages.toml");
	static const struct sap_str dnf4 = SAP_STR_INIT("/var/lib/dnf/history.sqlite");
	static const struct sap_str zypp = SAP_STR_INIT("/var/lib/zypp/AutoInstalled");

	if (sap_input_has_file(input, dnf5))
		return load_text(reasons, input, sink, dnf5, sap_rpm_reasons_dnf5, err);
	if (sap_input_has_file(input, dnf4))
		return load_history(reasons, input, sink, dnf4, err);
	if (sap_input_has_file(input, zypp))
		return load_text(reasons, input, sink, zypp, sap_rpm_reasons_zypp, err);
	return 0;
}
