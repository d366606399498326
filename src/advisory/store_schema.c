/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "advisory/store_int.h"

/* ---- statements ------------------------------------------------------------------------- */

void sap_sql_close(struct sap_sql *q)
{
	for (unsigned i = 0; i < SAP_SQL_MAX; i++)
		sqlite3_finalize(q->st[i]);
	sqlite3_close(q->db);
	free(q->path);
	*q = (struct sap_sql){ 0 };
}

int sap_sql_err(const struct sap_sql *q, int rc, struct sap_err *err)
{
	const char *says = q->db ? sqlite3_errmsg(q->db) : sqlite3_errstr(rc);
	int sys = q->db ? sqlite3_system_errno(q->db) : 0;

	switch (rc & 0xff) {
	case SQLITE_NOMEM:
		return sap_err_nomem(err);
	case SQLITE_INTERRUPT:
		return sap_err_set(err, SAP_ELIMIT,
				   "%s: a query took too many steps; import anew if this stays",
				   q->path);
	case SQLITE_TOOBIG:
		return sap_err_set(err, SAP_ELIMIT, "%s: a text beyond %llu MiB", q->path,
				   SAP_STORE_TEXT_MAX / SAP_MIB);
	case SQLITE_FULL:
		return sap_err_set(err, SAP_EIO, "%s: no space left to write to", q->path);
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_READONLY:
	case SQLITE_IOERR:
		if (sys)
			return sap_err_sys(err, sys, "%s", q->path);
		return sap_err_set(err, SAP_EIO, "%s: %s", q->path, says);
	case SQLITE_NOTADB:
		return sap_err_format(err, 0, "%s is no store of advisories: %s", q->path, says);
	default:
		return sap_err_format(err, 0, "%s is damaged: %s; move it away and import anew",
				      q->path, says);
	}
}

int sap_sql_exec(const struct sap_sql *q, const char *text, struct sap_err *err)
{
	int rc = sqlite3_exec(q->db, text, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : sap_sql_err(q, rc, err);
}

int sap_sql_get(struct sap_sql *q, unsigned id, sqlite3_stmt **out, struct sap_err *err)
{
	if (!q->st[id]) {
		int rc = sqlite3_prepare_v3(q->db, q->texts[id], -1, SQLITE_PREPARE_PERSISTENT,
					    &q->st[id], NULL);

		if (rc != SQLITE_OK)
			return sap_sql_err(q, rc, err);
	}
	*out = q->st[id];
	return 0;
}

int sap_sql_step(const struct sap_sql *q, sqlite3_stmt *st, struct sap_err *err)
{
	int rc = sqlite3_step(st);

	if (rc == SQLITE_ROW)
		return 1;
	if (rc == SQLITE_DONE) {
		sqlite3_reset(st);
		return 0;
	}
	rc = sap_sql_err(q, rc, err);
	sqlite3_reset(st);
	return rc;
}

int sap_sql_run(const struct sap_sql *q, sqlite3_stmt *st, struct sap_err *err)
{
	int r = sap_sql_step(q, st, err);

	if (r > 0) {
		sqlite3_reset(st);
		r = 0;
	}
	return r;
}

int sap_sql_int(const struct sap_sql *q, const char *text, int64_t *out, struct sap_err *err)
{
	sqlite3_stmt *st;
	int rc = sqlite3_prepare_v2(q->db, text, -1, &st, NULL), r;

	if (rc != SQLITE_OK)
		return sap_sql_err(q, rc, err);
	r = sap_sql_step(q, st, err);
	if (r >= 0)
		*out = r > 0 ? sqlite3_column_int64(st, 0) : 0;
	sqlite3_finalize(st);
	return r < 0 ? r : 0;
}

void sap_sql_text(sqlite3_stmt *st, int i, struct sap_str s)
{
	/* The statement is run before the text goes. */
	sqlite3_bind_text64(st, i, s.p ? s.p : "", s.n, SQLITE_STATIC, SQLITE_UTF8);
}

struct sap_str sap_sql_column(sqlite3_stmt *st, int i)
{
	/* As a blob: SQLite need not copy it to put a NUL after it. */
	const char *p = sqlite3_column_blob(st, i);
	int n = sqlite3_column_bytes(st, i);

	return (struct sap_str){ p, p && n > 0 ? (size_t)n : 0 };
}

/* ---- tables ----------------------------------------------------------------------------- */

static const char *const tables[] = {
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID",
	"CREATE TABLE source(id INTEGER PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL,"
	" origin TEXT, date TEXT, newest TEXT, as_of INTEGER, checked INTEGER,"
	" records INTEGER, entries INTEGER, claims INTEGER, rejected INTEGER, etag TEXT, digest "
	"TEXT,"
	" licence TEXT, UNIQUE(kind, name))",
	"CREATE TABLE space(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)",
	"CREATE TABLE source_space(source INTEGER NOT NULL, space INTEGER NOT NULL,"
	" declared INTEGER NOT NULL, PRIMARY KEY(source, space)) WITHOUT ROWID",
	"CREATE TABLE record(id INTEGER PRIMARY KEY, source INTEGER NOT NULL,"
	" name TEXT NOT NULL, attrs TEXT NOT NULL, claims INTEGER NOT NULL,"
	" digest INTEGER NOT NULL)",
	"CREATE TABLE name(text TEXT NOT NULL, record INTEGER NOT NULL,"
	" PRIMARY KEY(text, record)) WITHOUT ROWID",
	"CREATE TABLE package(id INTEGER PRIMARY KEY, space INTEGER NOT NULL,"
	" name TEXT NOT NULL, claims TEXT NOT NULL)",
	"CREATE UNIQUE INDEX package_name ON package(name, space)",
	"CREATE TABLE vulnerability(id TEXT NOT NULL, source INTEGER NOT NULL, severity TEXT,"
	" cvss TEXT, exploitation TEXT, automatable TEXT, impact TEXT,"
	" PRIMARY KEY(id, source)) WITHOUT ROWID",
	"CREATE TABLE kev(id TEXT NOT NULL, source INTEGER NOT NULL, added TEXT, due TEXT,"
	" ransomware INTEGER, PRIMARY KEY(id, source)) WITHOUT ROWID",
	"CREATE TABLE epss(id TEXT NOT NULL, source INTEGER NOT NULL, score REAL NOT NULL,"
	" percentile REAL NOT NULL, PRIMARY KEY(id, source)) WITHOUT ROWID",
	"CREATE TABLE function(id TEXT NOT NULL, project TEXT NOT NULL, name TEXT NOT NULL,"
	" file TEXT NOT NULL, kind TEXT NOT NULL, source INTEGER NOT NULL, basis TEXT,"
	" PRIMARY KEY(id, project, name, file, kind, source)) WITHOUT ROWID",
	"CREATE TABLE object(build_id TEXT NOT NULL, source INTEGER NOT NULL,"
	" space TEXT NOT NULL, package TEXT NOT NULL, version TEXT NOT NULL,"
	" file TEXT NOT NULL, PRIMARY KEY(build_id, source, space, package, version, file))"
	" WITHOUT ROWID",
};

int sap_store_schema_create(const struct sap_sql *q, struct sap_err *err)
{
	char text[512];
	int r;

	sqlite3_snprintf(sizeof(text), text,
			 "PRAGMA page_size=8192; PRAGMA application_id=%d;"
			 "PRAGMA user_version=%d; BEGIN;",
			 SAP_STORE_APPLICATION, SAP_STORE_SCHEMA);
	r = sap_sql_exec(q, text, err);
	for (size_t i = 0; r == 0 && i < sizeof(tables) / sizeof(tables[0]); i++)
		r = sap_sql_exec(q, tables[i], err);
	if (r < 0)
		return r;
	sqlite3_snprintf(sizeof(text), text,
			 "INSERT INTO meta VALUES('schema',%d), ('written_by',%Q),"
			 " ('next_record',1), ('dead_claims',0); COMMIT;",
			 SAP_STORE_SCHEMA, "sapper " SAP_VERSION);
	return sap_sql_exec(q, text, err);
}

/* Only plain tables and their indexes: nothing that would compute when it is read. */
static int check_tables(const struct sap_sql *q, struct sap_err *err)
{
	static const char odd[] = "SELECT count(*) FROM sqlite_master WHERE"
				  " type NOT IN ('table','index') OR rootpage=0";
	static const char known[] =
		"SELECT count(*) FROM sqlite_master WHERE type='table' AND name IN ('meta',"
		"'source','space','source_space','record','name','package','vulnerability','kev',"
		"'epss','function','object')";
	int64_t n = 0;
	int r = sap_sql_int(q, odd, &n, err);

	if (r == 0 && n != 0)
		return sap_err_format(err, 0,
				      "%s is damaged: it has views, triggers or virtual tables",
				      q->path);
	if (r == 0)
		r = sap_sql_int(q, known, &n, err);
	if (r == 0 && n != 12)
		return sap_err_format(err, 0,
				      "%s is damaged: a table is missing; move it away and import "
				      "anew",
				      q->path);
	return r;
}

int sap_store_schema_check(const struct sap_sql *q, struct sap_err *err)
{
	int64_t application = 0, version = 0, meta = 0;
	int r = sap_sql_int(q, "PRAGMA application_id", &application, err);

	if (r == 0)
		r = sap_sql_int(q, "PRAGMA user_version", &version, err);
	if (r < 0)
		return r;
	if (application != SAP_STORE_APPLICATION)
		return sap_err_format(err, 0,
				      "%s is a database, but no store of advisories; give another "
				      "file (--db), or move it away",
				      q->path);
	if (version <= SAP_STORE_SCHEMA)
		r = sap_sql_int(q, "SELECT value FROM meta WHERE key='schema'", &meta, err);
	if (r < 0)
		return r;
	if (meta > version)
		version = meta;
	if (version > SAP_STORE_SCHEMA)
		return sap_err_set(err, SAP_EUNSUPPORTED,
				   "%s has layout %lld and comes from a newer version; this one "
				   "knows layout %d: install the newer version, or give another "
				   "file (--db)",
				   q->path, (long long)version, SAP_STORE_SCHEMA);
	return check_tables(q, err);
}

/* ---- meta.named_by ---------------------------------------------------------------------- */

bool sap_store_by_next(struct sap_str *text, int64_t *id, uint8_t *by)
{
	struct sap_str rest = *text, word;
	uint64_t number;

	*by = 0;
	if (!sap_str_word(&rest, &word))
		return false;
	for (; word.n > 0; word.n--) {
		if (word.p[word.n - 1] == 's')
			*by |= SAP_NAMES_SOURCE;
		else if (word.p[word.n - 1] == 'b')
			*by |= SAP_NAMES_BINARY;
		else
			break;
	}
	if (!sap_str_u64(word, &number) || number > INT64_MAX)
		return false;
	*id = (int64_t)number;
	*text = rest;
	return true;
}
