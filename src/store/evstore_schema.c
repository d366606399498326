/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "store/evstore_int.h"

enum { STEP_UNIT = 10000, BUSY_MS = 5000, ROW_BYTES_MAX = 4 * 1024 * 1024 };

/* ---- errors ----------------------------------------------------------------------------- */

int sap_evsql_damaged(const struct sap_evsql *q, const char *what, struct sap_err *err)
{
	return sap_err_format(err, 0,
			      "%s is damaged: %s; move it away, and the next watch begins a new "
			      "one",
			      q->path, what);
}

static int full(const struct sap_evsql *q, int sys, struct sap_err *err)
{
	int r = sap_err_set(err, SAP_EIO,
			    "%s: no space left to write to; what is not written now is written "
			    "when there is space again",
			    q->path);

	if (err)
		err->sys_errno = sys;
	return r;
}

int sap_evsql_err(const struct sap_evsql *q, int rc, struct sap_err *err)
{
	/* Of a COMMIT that failed SQLite does not keep it. */
	int last = errno, sys = q->db ? sqlite3_system_errno(q->db) : 0;
	const char *says = q->db ? sqlite3_errmsg(q->db) : sqlite3_errstr(rc);

	if (!sys)
		sys = last;
	switch (rc & 0xff) {
	case SQLITE_NOMEM:
		return sap_err_nomem(err);
	case SQLITE_INTERRUPT:
		return sap_evsql_damaged(q, "a query takes too many steps", err);
	case SQLITE_FULL:
		return full(q, ENOSPC, err);
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		if (sys == ENOSPC || sys == EDQUOT || sys == EFBIG)
			return full(q, sys, err);
		return sap_err_set(err, SAP_EIO, "%s: %s", q->path, sys ? strerror(sys) : says);
	case SQLITE_PERM:
	case SQLITE_READONLY:
		return sap_err_set(err, SAP_EIO, "%s: %s", q->path, says);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return sap_err_set(err, SAP_EIO, "%s: another program holds it: %s", q->path, says);
	default:
		return sap_evsql_damaged(q, says, err);
	}
}

/* ---- statements ------------------------------------------------------------------------- */

/* Every list has its columns after (window, idx), which are the key. */
static const char *const texts[SAP_EVSQL_N] = {
#define LIST(id, table, marks)                                                           \
	[(id)*SAP_EV_OPS + SAP_EV_PUT] = "REPLACE INTO " table " VALUES(?,?," marks ")", \
			   [(id)*SAP_EV_OPS + SAP_EV_DROP] =                             \
				   "DELETE FROM " table " WHERE window=?1 AND idx=?2",   \
			   [(id)*SAP_EV_OPS + SAP_EV_CLEAR] =                            \
				   "DELETE FROM " table " WHERE window=?1"
#define READ(id, table) \
	[(id)*SAP_EV_OPS + SAP_EV_READ] = "SELECT * FROM " table " WHERE window=?1 ORDER BY idx"
	LIST(SAP_EV_GAPS, "gaps", "?,?,?"),
	LIST(SAP_EV_ROOTS, "roots", "?,?,?,?,?"),
	LIST(SAP_EV_FILES, "files", "?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?"),
	LIST(SAP_EV_PROCESSES, "processes", "?,?,?,?,?,?,?,?,?,?,?,?,?,?"),
	LIST(SAP_EV_LISTENS, "listens", "?,?,?"),
	LIST(SAP_EV_USES, "uses", "?,?,?,?,?"),
	LIST(SAP_EV_FUNCTIONS, "functions", "?,?,?,?,?,?"),
	LIST(SAP_EV_UNOBSERVED, "unobserved", "?,?,?"),
	LIST(SAP_EV_OPENS, "opens", "?,?,?,?,?,?"),
	READ(SAP_EV_GAPS, "gaps"),
	READ(SAP_EV_ROOTS, "roots"),
	READ(SAP_EV_PROCESSES, "processes"),
	READ(SAP_EV_LISTENS, "listens"),
	READ(SAP_EV_USES, "uses"),
	READ(SAP_EV_FUNCTIONS, "functions"),
	READ(SAP_EV_UNOBSERVED, "unobserved"),
	READ(SAP_EV_OPENS, "opens"),
	/* A program counts as long as one of its processes does. */
	[SAP_EV_FILES * SAP_EV_OPS + SAP_EV_READ] =
		"SELECT *, ?2=0 OR ifnull(last_seen,?2)>=?2 OR idx IN (SELECT exe FROM processes"
		" WHERE window=?1 AND ifnull(last_seen,?2)>=?2) FROM files WHERE window=?1"
		" ORDER BY idx",
	[SAP_EVSQL_WINDOW_PUT] =
		"INSERT INTO windows VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,"
		"?14,?15,?16,?17,?18,?19,0,0) ON CONFLICT(id) DO UPDATE SET boot_id=?2, host=?3,"
		" boot_time=?4, started=?5, ended=?6, processes_seen=?7, processes_hidden=?8,"
		" lost_maps=?9, lost_hits=?10, lost_opens=?11, lost_files=?12, lost_ceiling=?13,"
		" means_maps=?14, means_functions=?15, means_opens=?16, narrow=?17, last_look=?18,"
		" live=?19",
	[SAP_EVSQL_WINDOW_READ] = "SELECT * FROM windows WHERE id=?1",
	[SAP_EVSQL_WINDOW_LIST] = ("SELECT id, started, ended, last_look, joined, narrow, "
				   "processes_known FROM windows"
				   " WHERE ended>=?1 ORDER BY id"),
	[SAP_EVSQL_WINDOW_JOINED] = "UPDATE windows SET joined=1, processes_known=?2 WHERE id=?1",
	[SAP_EVSQL_WINDOW_DROP] =
		"DELETE FROM windows WHERE id<>?3 AND (ended<?1 OR id<=?2) RETURNING id, joined",
};

/* ---- connections ------------------------------------------------------------------------ */

static int count_steps(void *ctx)
{
	struct sap_evsql *q = ctx;

	return ++q->steps > SAP_EVSTORE_STEPS_MAX / STEP_UNIT;
}

int sap_evsql_open(struct sap_evsql *q, const char *path, const char *name, int flags,
		   struct sap_err *err)
{
	/* No mapping: a file that is cut short must be an error, not a signal. */
	static const char settings[] = "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;"
				       "PRAGMA mmap_size=0; PRAGMA cache_size=-2048;"
				       "PRAGMA temp_store=MEMORY";
	int rc;

	if (!q->path && !(q->path = strdup(path)))
		return sap_err_nomem(err);
	rc = sqlite3_open_v2(name, &q->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc != SQLITE_OK)
		return sap_evsql_err(q, rc, err);
	sqlite3_extended_result_codes(q->db, 1);
	sqlite3_limit(q->db, SQLITE_LIMIT_LENGTH, ROW_BYTES_MAX);
	sqlite3_db_config(q->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_busy_timeout(q->db, BUSY_MS);
	sqlite3_progress_handler(q->db, STEP_UNIT, count_steps, q);
	return sap_evsql_exec(q, settings, err);
}

void sap_evsql_close(struct sap_evsql *q)
{
	for (unsigned i = 0; i < SAP_EVSQL_N; i++)
		sqlite3_finalize(q->st[i]);
	sqlite3_close(q->db);
	free(q->path);
	*q = (struct sap_evsql){ 0 };
}

int sap_evsql_exec(const struct sap_evsql *q, const char *text, struct sap_err *err)
{
	int rc;

	errno = 0;
	rc = sqlite3_exec(q->db, text, NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0 : sap_evsql_err(q, rc, err);
}

int sap_evsql_get(struct sap_evsql *q, unsigned id, sqlite3_stmt **out, struct sap_err *err)
{
	if (!q->st[id]) {
		int rc = sqlite3_prepare_v3(q->db, texts[id], -1, SQLITE_PREPARE_PERSISTENT,
					    &q->st[id], NULL);

		if (rc != SQLITE_OK)
			return sap_evsql_err(q, rc, err);
	}
	q->steps = 0;
	*out = q->st[id];
	return 0;
}

int sap_evsql_step(struct sap_evsql *q, sqlite3_stmt *st, struct sap_err *err)
{
	int rc;

	errno = 0;
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		return 1;
	if (rc == SQLITE_DONE) {
		sqlite3_reset(st);
		return 0;
	}
	sqlite3_reset(st); /* only this says which error the system had */
	return sap_evsql_err(q, rc, err);
}

int sap_evsql_run(struct sap_evsql *q, sqlite3_stmt *st, struct sap_err *err)
{
	int r = sap_evsql_step(q, st, err);

	if (r > 0) {
		sqlite3_reset(st);
		r = 0;
	}
	return r;
}

int sap_evsql_int(struct sap_evsql *q, const char *text, int64_t *out, struct sap_err *err)
{
	sqlite3_stmt *st;
	int rc = sqlite3_prepare_v2(q->db, text, -1, &st, NULL), r;

	if (rc != SQLITE_OK)
		return sap_evsql_err(q, rc, err);
	q->steps = 0;
	r = sap_evsql_step(q, st, err);
	if (r >= 0)
		*out = r > 0 ? sqlite3_column_int64(st, 0) : 0;
	sqlite3_finalize(st);
	return r < 0 ? r : 0;
}

/* ---- tables ----------------------------------------------------------------------------- */

#define KEYED(name, columns)                                                                 \
	"CREATE TABLE " name "(window INTEGER NOT NULL, idx INTEGER NOT NULL, " columns ", " \
	"PRIMARY KEY(window, idx)) WITHOUT ROWID"

static const struct {
	const char *name, *text;
} tables[] = {
	{ "meta", "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID" },
	{ "windows",
	  "CREATE TABLE windows(id INTEGER PRIMARY KEY, boot_id TEXT, host TEXT, boot_time INTEGER,"
	  " started INTEGER, ended INTEGER, processes_seen INTEGER, processes_hidden INTEGER,"
	  " lost_maps INTEGER, lost_hits INTEGER, lost_opens INTEGER, lost_files INTEGER,"
	  " lost_ceiling INTEGER, means_maps TEXT, means_functions TEXT, means_opens TEXT,"
	  " narrow INTEGER, last_look INTEGER, live INTEGER, joined INTEGER,"
	  " processes_known INTEGER)" },
	{ "gaps", KEYED("gaps", "started INTEGER, ended INTEGER, reason TEXT") },
	{ "roots", KEYED("roots", "mnt_ns INTEGER, dev INTEGER, ino INTEGER, container TEXT,"
				  " pid INTEGER") },
	{ "files",
	  KEYED("files", "root INTEGER, path TEXT, dev INTEGER, ino INTEGER, ctime INTEGER,"
			 " build_id TEXT, new_build_id TEXT, stale INTEGER, is_program INTEGER,"
			 " load_time INTEGER, load_time_why TEXT, observed INTEGER, reason TEXT,"
			 " observed_since INTEGER, n_functions INTEGER, n_probed INTEGER,"
			 " n_refused INTEGER, n_processes INTEGER, first_seen INTEGER,"
			 " last_seen INTEGER, watched INTEGER, watched_processes INTEGER") },
	{ "processes",
	  KEYED("processes", "pid INTEGER, ppid INTEGER, start INTEGER, exe INTEGER, comm TEXT,"
			     " unit TEXT, container TEXT, root INTEGER, exposure INTEGER,"
			     " preloads INTEGER, ended INTEGER, count INTEGER, first_seen INTEGER,"
			     " last_seen INTEGER") },
	{ "listens", KEYED("listens", "process INTEGER, text TEXT, exposure INTEGER") },
	{ "uses", KEYED("uses", "file INTEGER, process INTEGER, flags INTEGER, first_seen INTEGER,"
				" last_seen INTEGER") },
	{ "functions", KEYED("functions", "file INTEGER, offset INTEGER, names TEXT,"
					  " process INTEGER, entered INTEGER, last_seen INTEGER") },
	{ "unobserved", KEYED("unobserved", "file INTEGER, name TEXT, reason TEXT") },
	{ "opens", KEYED("opens", "root INTEGER, path TEXT, process INTEGER, count INTEGER,"
				  " first_seen INTEGER, last_seen INTEGER") },
};

enum { N_TABLES = sizeof(tables) / sizeof(tables[0]) };

int sap_evstore_schema_create(struct sap_evsql *q, struct sap_err *err)
{
	char text[256];
	int r = 0;

	for (unsigned i = 0; r == 0 && i < N_TABLES; i++)
		r = sap_evsql_exec(q, tables[i].text, err);
	if (r < 0)
		return r;
	sqlite3_snprintf(sizeof(text), text,
			 "PRAGMA application_id=%d; PRAGMA user_version=%d;"
			 "INSERT INTO meta VALUES('schema',%d), ('written_by',%Q)",
			 SAP_EVSTORE_APPLICATION, SAP_EVSTORE_SCHEMA, SAP_EVSTORE_SCHEMA,
			 "sapper " SAP_VERSION);
	return sap_evsql_exec(q, text, err);
}

static bool known_table(sqlite3_stmt *st)
{
	const char *name = (const char *)sqlite3_column_text(st, 0);
	const char *text = (const char *)sqlite3_column_text(st, 1);

	for (unsigned i = 0; name && text && i < N_TABLES; i++)
		if (strcmp(name, tables[i].name) == 0)
			return strcmp(text, tables[i].text) == 0;
	return false;
}

/* Exactly these tables: nothing that would compute when it is read. */
static int check_tables(struct sap_evsql *q, struct sap_err *err)
{
	static const char text[] = "SELECT name, sql FROM sqlite_master";
	sqlite3_stmt *st;
	unsigned n = 0;
	int rc = sqlite3_prepare_v2(q->db, text, -1, &st, NULL), r;

	if (rc != SQLITE_OK)
		return sap_evsql_err(q, rc, err);
	q->steps = 0;
	while ((r = sap_evsql_step(q, st, err)) > 0) {
		if (!known_table(st) || n == N_TABLES) {
			r = sap_evsql_damaged(q, "its tables are not those of a store", err);
			break;
		}
		n++;
	}
	sqlite3_finalize(st);
	if (r == 0 && n != N_TABLES)
		r = sap_evsql_damaged(q, "a table is missing", err);
	return r;
}

int sap_evstore_schema_check(struct sap_evsql *q, bool *fresh, struct sap_err *err)
{
	int64_t application = 0, version = 0, things = 0;
	int r = sap_evsql_int(q, "PRAGMA application_id", &application, err);

	if (r == 0)
		r = sap_evsql_int(q, "PRAGMA user_version", &version, err);
	if (r == 0)
		r = sap_evsql_int(q, "SELECT count(*) FROM sqlite_master", &things, err);
	if (r < 0)
		return r;
	*fresh = application == 0 && version == 0 && things == 0;
	if (*fresh)
		return 0;
	if (application != SAP_EVSTORE_APPLICATION)
		return sap_err_format(err, 0,
				      "%s is a database, but no store of evidence; give another "
				      "file (--store), or move it away",
				      q->path);
	if (version > SAP_EVSTORE_SCHEMA)
		return sap_err_set(err, SAP_EUNSUPPORTED,
				   "%s has layout %lld and comes from a newer version; this one "
				   "knows layout %d: install the newer version, or give another "
				   "file (--store)",
				   q->path, (long long)version, SAP_EVSTORE_SCHEMA);
	return check_tables(q, err);
}

int sap_evstore_check_file(const char *path, bool *empty, struct sap_err *err)
{
	static const char magic[16] = "SQLite format 3";
	int sap_cleanup_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char head[sizeof(magic)];
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return sap_err_sys(err, errno,
				   "cannot read %s (run as the user who watches, or give another "
				   "file with --store)",
				   path);
	if (!S_ISREG(st.st_mode))
		return sap_err_set(err, SAP_EFORMAT, "%s is no file; give another one (--store)",
				   path);
	n = pread(fd, head, sizeof(head), 0);
	if (n < 0)
		return sap_err_sys(err, errno, "cannot read %s", path);
	*empty = n == 0;
	if (n > 0 && (n != (ssize_t)sizeof(head) || memcmp(head, magic, sizeof(magic)) != 0))
		return sap_err_format(err, 0,
				      "%s is no store of evidence; give another file (--store), or "
				      "move it away",
				      path);
	return 0;
}
