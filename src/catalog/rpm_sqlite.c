/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/limits.h"
#include "catalog/rpm_int.h"

enum { HEAD = 100, STEP_UNIT = 10000, HUGE_PAGE = 2 * 1024 * 1024 };

static const char schema_table[] = "sqlite_master";

/* ---- the file in memory ----------------------------------------------------------------- */

/* A large image in huge pages: thousands of page faults take longer than SQLite does. */
static unsigned char *alloc_image(uint64_t n)
{
	unsigned char *p;

	if (n < 2 * HUGE_PAGE)
		return malloc(n ? n : 1);
	n = (n + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
	p = aligned_alloc(HUGE_PAGE, n);
	/* A hint: without it the image is there all the same. */
	if (p)
		(void)madvise(p, n, MADV_HUGEPAGE);
	return p;
}

static int read_file(const struct sap_reader *file, struct sap_rpm_image *image,
		     struct sap_err *fault)
{
	uint64_t want = file->size < image->n ? file->size : image->n;
	uint64_t got = 0;
	int r = file->read_at(file, 0, image->p, want, &got, fault);

	if (r < 0)
		return r;
	if (got < want)
		return sap_err_set(fault, SAP_ECHANGED,
				   "the file became shorter while it was read");
	memset(image->p + got, 0, image->n - got);
	return 0;
}

/* The header of the file, after the log: what SQLite will be told. */
static int patch_head(struct sap_rpm_image *image, struct sap_err *fault)
{
	static const char magic[] = "SQLite format 3";

	if (image->n < HEAD || memcmp(image->p, magic, sizeof(magic)) != 0)
		return sap_err_format(fault, 0, "no SQLite database");
	/* Write and read version 2: journal mode WAL, which a database in memory cannot have.
	 * The log is applied already. */
	image->p[18] = 1;
	image->p[19] = 1;
	return 0;
}

int sap_rpm_image_load(const struct sap_reader *db, const struct sap_reader *wal_file,
		       struct sap_rpm_image *out, struct sap_err *fault, struct sap_err *err)
{
	struct sap_rpm_image image = { .n = db->size };
	struct sap_rpm_wal wal = { 0 };
	int r = 0;

	*out = (struct sap_rpm_image){ 0 };
	if (wal_file) {
		r = sap_rpm_wal_open(wal_file, &wal, fault, err);
		if (r < 0)
			return r;
		if (wal.frames)
			image.n = (uint64_t)wal.db_pages * wal.page_size;
	}
	if (image.n > SAP_DB_FILE_MAX) {
		sap_err_set(fault, SAP_ELIMIT, "a database of %llu bytes",
			    (unsigned long long)image.n);
		goto out;
	}
	image.p = alloc_image(image.n);
	if (!image.p) {
		r = sap_err_nomem(err);
		goto out;
	}
	if (read_file(db, &image, fault) < 0)
		goto out;
	sap_rpm_wal_apply(&wal, &image, fault);
	if (patch_head(&image, fault) < 0)
		goto out;
	*out = image;
	image.p = NULL;
out:
	free(image.p);
	sap_rpm_wal_close(&wal);
	return r;
}

void sap_rpm_image_clear(struct sap_rpm_image *image)
{
	free(image->p);
	*image = (struct sap_rpm_image){ 0 };
}

/* ---- SQLite with its hands tied --------------------------------------------------------- */

/* Reading columns of the one table is all that is allowed: no functions, views, recursion,
 * pragmas, writes, attached files. */
static int authorize(void *context, int action, const char *arg1, const char *arg2,
		     const char *database, const char *trigger)
{
	const struct sap_rpm_sqlite *sqlite = context;

	(void)arg2;
	(void)database;
	if (trigger)
		return SQLITE_DENY;
	if (action == SQLITE_SELECT)
		return SQLITE_OK;
	if (action == SQLITE_READ && arg1 && sqlite3_stricmp(arg1, sqlite->table) == 0)
		return SQLITE_OK;
	return SQLITE_DENY;
}

static int count_step(void *context)
{
	struct sap_rpm_sqlite *sqlite = context;

	if (!sqlite->steps)
		return 1;
	sqlite->steps--;
	return 0;
}

/* Puts SQLite's own error into fault. SQLite says NOMEM of some damaged files too, so that it
 * cannot be taken for the end of memory: a target must not be able to stop a scan. */
static void set_fault(const struct sap_rpm_sqlite *sqlite, int code, const char *what,
		      struct sap_err *fault)
{
	const char *text = sqlite3_errmsg(sqlite->db);

	switch (code & 0xff) {
	case SQLITE_NOMEM:
	case SQLITE_INTERRUPT:
	case SQLITE_TOOBIG:
		sap_err_set(fault, SAP_ELIMIT, "%s: more work than allowed: %s", what, text);
		break;
	default:
		sap_err_set(fault, SAP_EFORMAT, "%s: %s", what, text);
		break;
	}
}

static void set_limits(sqlite3 *db, uint64_t value_max)
{
	static const struct {
		int what;
		int max;
	} limits[] = {
		{ SQLITE_LIMIT_SQL_LENGTH, 64 * 1024 }, { SQLITE_LIMIT_COLUMN, 100 },
		{ SQLITE_LIMIT_EXPR_DEPTH, 50 },        { SQLITE_LIMIT_COMPOUND_SELECT, 2 },
		{ SQLITE_LIMIT_VDBE_OP, 25000 },        { SQLITE_LIMIT_FUNCTION_ARG, 8 },
		{ SQLITE_LIMIT_ATTACHED, 0 },           { SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50 },
		{ SQLITE_LIMIT_VARIABLE_NUMBER, 8 },    { SQLITE_LIMIT_TRIGGER_DEPTH, 1 },
		{ SQLITE_LIMIT_WORKER_THREADS, 0 },
	};
	static const struct {
		int what;
		int on;
	} configs[] = {
		{ SQLITE_DBCONFIG_DEFENSIVE, 1 },
		{ SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
		{ SQLITE_DBCONFIG_ENABLE_TRIGGER, 0 },
		{ SQLITE_DBCONFIG_ENABLE_VIEW, 0 },
		{ SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0 },
		{ SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0 },
		{ SQLITE_DBCONFIG_WRITABLE_SCHEMA, 0 },
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		sqlite3_limit(db, limits[i].what, limits[i].max);
	sqlite3_limit(db, SQLITE_LIMIT_LENGTH, value_max > INT32_MAX ? INT32_MAX : (int)value_max);
	for (size_t i = 0; i < sizeof(configs) / sizeof(configs[0]); i++)
		sqlite3_db_config(db, configs[i].what, configs[i].on, (int *)NULL);
}

int sap_rpm_sqlite_open(struct sap_rpm_image *image, uint64_t value_max, struct sap_rpm_sqlite *out,
			struct sap_err *fault, struct sap_err *err)
{
	struct sap_rpm_sqlite sqlite = { .table = schema_table, .image_n = image->n };
	int code;

	*out = sqlite;
	code = sqlite3_open_v2(":memory:", &sqlite.db,
			       SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
				       SQLITE_OPEN_PRIVATECACHE,
			       NULL);
	if (!sqlite.db)
		return sap_err_nomem(err);
	/* SQLite works on the image itself: there is no second copy. */
	if (code == SQLITE_OK)
		code = sqlite3_deserialize(sqlite.db, "main", image->p, (sqlite3_int64)image->n,
					   (sqlite3_int64)image->n, SQLITE_DESERIALIZE_READONLY);
	/* No value can be larger than the file. */
	set_limits(sqlite.db, value_max < image->n ? value_max : image->n);
	if (code == SQLITE_OK)
		code = sqlite3_exec(sqlite.db, "PRAGMA temp_store=MEMORY", NULL, NULL, NULL);
	if (code != SQLITE_OK) {
		set_fault(&sqlite, code, "cannot open", fault);
		sqlite3_close(sqlite.db);
		return 0;
	}
	*out = sqlite;
	return 0;
}

void sap_rpm_sqlite_close(struct sap_rpm_sqlite *sqlite)
{
	sqlite3_close(sqlite->db);
	*sqlite = (struct sap_rpm_sqlite){ 0 };
}

/* ---- plain tables ----------------------------------------------------------------------- */

/* Whether the text has the word AS, without which there are neither generated columns nor
 * tables made from a query. */
static bool has_word_as(struct sap_str sql)
{
	size_t start = 0;

	for (size_t i = 0; i <= sql.n; i++) {
		unsigned char c = i < sql.n ? (unsigned char)sql.p[i] : ' ';

		if (isalnum(c) || c == '_' || c == '$' || c >= 0x80)
			continue;
		if (i - start == 2 && (sql.p[start] | 0x20) == 'a' &&
		    (sql.p[start + 1] | 0x20) == 's')
			return true;
		start = i + 1;
	}
	return false;
}

static bool is_plain_table(sqlite3_stmt *stmt)
{
	static const char create[] = "CREATE TABLE";
	const char *type = (const char *)sqlite3_column_text(stmt, 0);
	const char *sql = (const char *)sqlite3_column_text(stmt, 1);

	return type && sql && strcmp(type, "table") == 0 &&
	       sqlite3_strnicmp(sql, create, (int)strlen(create)) == 0 &&
	       !has_word_as((struct sap_str){ sql, (size_t)sqlite3_column_bytes(stmt, 1) });
}

static int prepare(struct sap_rpm_sqlite *sqlite, const char *table, const char *sql,
		   sqlite3_stmt **stmt)
{
	sqlite->table = table;
	sqlite->steps = SAP_SQLITE_STEPS_MAX / STEP_UNIT;
	sqlite3_set_authorizer(sqlite->db, authorize, sqlite);
	sqlite3_progress_handler(sqlite->db, STEP_UNIT, count_step, sqlite);
	return sqlite3_prepare_v2(sqlite->db, sql, -1, stmt, NULL);
}

/* Looks the table up in the schema. fault: it is not there, or it is not plain. */
static void check_table(struct sap_rpm_sqlite *sqlite, const char *table, struct sap_err *fault)
{
	sqlite3_stmt *stmt = NULL;
	bool found = false, plain = true;
	int code = prepare(sqlite, schema_table,
			   "SELECT type, sql FROM sqlite_master "
			   "WHERE name = ?1 COLLATE NOCASE",
			   &stmt);

	if (code == SQLITE_OK)
		code = sqlite3_bind_text(stmt, 1, table, -1, SQLITE_STATIC);
	if (code == SQLITE_OK) {
		while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
			found = true;
			plain = plain && is_plain_table(stmt);
		}
	}
	if (code != SQLITE_DONE)
		set_fault(sqlite, code, "the schema", fault);
	else if (!found)
		sap_err_set(fault, SAP_EFORMAT, "there is no table %s", table);
	else if (!plain)
		sap_err_set(fault, SAP_EFORMAT, "%s is no plain table", table);
	sqlite3_finalize(stmt);
}

/* Rows cannot have more bytes than the file, nor be more than its bytes: a damaged tree may
 * lead in circles. */
static bool within_file(sqlite3_stmt *stmt, uint64_t *left)
{
	uint64_t n = 1;

	for (int i = 0; i < sqlite3_column_count(stmt); i++) {
		int type = sqlite3_column_type(stmt, i);

		if (type == SQLITE_BLOB || type == SQLITE_TEXT)
			n += (uint64_t)sqlite3_column_bytes(stmt, i);
	}
	if (n > *left)
		return false;
	*left -= n;
	return true;
}

int sap_rpm_sqlite_rows(struct sap_rpm_sqlite *sqlite, const char *table, const char *columns,
			struct sap_rpm_rows *rows, struct sap_err *fault, struct sap_err *err)
{
	uint64_t left = sqlite->image_n;
	sqlite3_stmt *stmt = NULL;
	char sql[256];
	int code, r = 0;

	check_table(sqlite, table, fault);
	if (fault->code)
		return 0;
	/* No index and no ORDER BY: a walk over the table, which is in the order of its rowid
	 * and never sorts a hostile table in memory. */
	sqlite3_snprintf(sizeof(sql), sql, "SELECT %s FROM \"%w\" NOT INDEXED", columns, table);
	code = prepare(sqlite, table, sql, &stmt);
	if (code != SQLITE_OK)
		set_fault(sqlite, code, table, fault);
	while (code == SQLITE_OK && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
		code = SQLITE_OK;
		if (!within_file(stmt, &left)) {
			sap_err_set(fault, SAP_EFORMAT, "%s has more bytes than the file", table);
			break;
		}
		r = rows->row(rows, stmt, err);
		if (r < 0)
			break;
	}
	if (stmt && code != SQLITE_OK && code != SQLITE_DONE)
		set_fault(sqlite, code, table, fault);
	sqlite3_finalize(stmt);
	return r;
}

/* ---- rpmdb.sqlite ----------------------------------------------------------------------- */

struct packages {
	struct sap_rpm_rows rows;
	struct sap_rpm_visit *visit;
};

static int package_row(struct sap_rpm_rows *rows, sqlite3_stmt *stmt, struct sap_err *err)
{
	struct packages *packages = (struct packages *)rows;
	struct sap_err fault = { 0 };
	struct sap_span blob;

	if (sqlite3_column_type(stmt, 1) != SQLITE_BLOB) {
		sap_err_set(&fault, SAP_EFORMAT, "package %lld is no blob",
			    (long long)sqlite3_column_int64(stmt, 0));
		return packages->visit->fault(packages->visit, &fault, err);
	}
	blob.p = sqlite3_column_blob(stmt, 1);
	blob.n = (uint64_t)sqlite3_column_bytes(stmt, 1);
	return packages->visit->header(packages->visit, blob, err);
}

int sap_rpm_sqlite_read(struct sap_rpm_image *image, struct sap_rpm_visit *visit,
			struct sap_err *err)
{
	struct packages packages = { .rows = { .row = package_row }, .visit = visit };
	struct sap_rpm_sqlite sqlite;
	struct sap_err fault = { 0 };
	int r = sap_rpm_sqlite_open(image, SAP_RPM_HEADER_MAX, &sqlite, &fault, err);

	if (r < 0)
		return r;
	if (sqlite.db)
		r = sap_rpm_sqlite_rows(&sqlite, "Packages", "hnum, blob", &packages.rows, &fault,
					err);
	sap_rpm_sqlite_close(&sqlite);
	if (r == 0 && fault.code)
		r = visit->fault(visit, &fault, err);
	return r;
}
