/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writer: one at a time, in WAL mode, so that readers are never in its way nor it in theirs.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "store/evstore_int.h"

struct sap_evstore {
	struct sap_evsql q;
	struct sap_evmem mem;
	int lock;
	int64_t window; /* 0: not in the file yet */
	bool begun;
};

/* ---- the place -------------------------------------------------------------------------- */

static int make_folder(const char *folder, struct sap_err *err)
{
	if (mkdir(folder, 0755) == 0 || errno == EEXIST)
		return 0;
	return sap_err_set(err, SAP_EIO,
			   "cannot make the folder %s: %s; give another file (--store), or run "
			   "with the right to write there",
			   folder, strerror(errno));
}

static int make_folders(const char *path, struct sap_err *err)
{
	struct sap_str dir = sap_path_dir(sap_str_of(path));
	char folder[SAP_PATH_MAX];
	struct stat st;
	int r = 0;

	if (dir.n == 0)
		return 0;
	if (dir.n >= sizeof(folder))
		return sap_err_set(err, SAP_ELIMIT, "the path of the store is too long");
	memcpy(folder, dir.p, dir.n);
	folder[dir.n] = '\0';
	if (stat(folder, &st) == 0)
		return 0;
	for (char *p = folder + 1; r == 0 && *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		r = make_folder(folder, err);
		*p = '/';
	}
	return r < 0 ? r : make_folder(folder, err);
}

/* The file, made where it is missing. Its real path: two names of one file have one lock. */
static int find_place(struct sap_evstore *s, const char *path, struct sap_err *err)
{
	int sap_cleanup_fd fd = -1;
	bool empty;
	int r = make_folders(path, err);

	if (r < 0)
		return r;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
	if (fd < 0)
		return sap_err_set(err, SAP_EIO,
				   "cannot write %s: %s; give another file (--store), or run with "
				   "the right to write there",
				   path, strerror(errno));
	r = sap_evstore_check_file(path, &empty, err);
	if (r < 0)
		return r;
	s->q.path = realpath(path, NULL);
	return s->q.path ? 0 : sap_err_sys(err, errno, "cannot use %s", path);
}

static int locked(int fd, const char *path, struct sap_err *err)
{
	char text[16] = "";
	uint64_t pid = 0;
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	struct sap_str s = { text, n > 0 ? (size_t)n : 0 };

	if (sap_str_u64(sap_str_trim(s), &pid))
		return sap_err_set(err, SAP_EIO,
				   "another watcher is running (pid %llu) and writes %s",
				   (unsigned long long)pid, path);
	return sap_err_set(err, SAP_EIO, "another watcher is running and writes %s", path);
}

static int take_lock(struct sap_evstore *s, struct sap_err *err)
{
	char *name sap_cleanup_free = NULL;
	char text[16];
	int n;

	if (asprintf(&name, "%s.lock", s->q.path) < 0) {
		name = NULL;
		return sap_err_nomem(err);
	}
	s->lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
	if (s->lock < 0)
		return sap_err_set(err, SAP_EIO,
				   "cannot make %s: %s; give another file (--store), or run with "
				   "the right to write there",
				   name, strerror(errno));
	if (flock(s->lock, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? locked(s->lock, s->q.path, err)
					    : sap_err_sys(err, errno, "cannot lock %s", name);
	/* The pid is for people: on a full disk there is none. */
	n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	if (ftruncate(s->lock, 0) < 0 || pwrite(s->lock, text, (size_t)n, 0) != n)
		errno = 0;
	return 0;
}

/* ---- opening ---------------------------------------------------------------------------- */

static int prepare(struct sap_evstore *s, struct sap_err *err)
{
	/* Synced at checkpoints: what a loss of power takes are the last minutes, never the file. */
	static const char settings[] = "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL;"
				       "PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=256;"
				       "PRAGMA journal_size_limit=1048576; BEGIN IMMEDIATE";
	bool fresh = false;
	int r = sap_evstore_schema_check(&s->q, &fresh, err);

	if (r == 0)
		r = sap_evsql_exec(&s->q, settings, err);
	if (r == 0 && fresh)
		r = sap_evstore_schema_create(&s->q, err);
	return r < 0 ? r : sap_evsql_exec(&s->q, "COMMIT", err);
}

/* Damage shows now, not in the middle of a watch. */
static int check_whole(struct sap_evstore *s, struct sap_err *err)
{
	sqlite3_stmt *st;
	int rc = sqlite3_prepare_v2(s->q.db, "PRAGMA quick_check(1)", -1, &st, NULL), r;
	const char *says;

	if (rc != SQLITE_OK)
		return sap_evsql_err(&s->q, rc, err);
	s->q.steps = 0;
	r = sap_evsql_step(&s->q, st, err);
	if (r > 0) {
		says = (const char *)sqlite3_column_text(st, 0);
		r = 0;
		if (!says || strcmp(says, "ok") != 0)
			r = sap_evsql_damaged(&s->q, says ? says : "it cannot be checked", err);
	}
	sqlite3_finalize(st);
	return r;
}

int sap_evstore_open(const char *path, struct sap_evstore **out, struct sap_err *err)
{
	struct sap_evstore *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return sap_err_nomem(err);
	s->lock = -1;
	r = find_place(s, path, err);
	if (r == 0)
		r = take_lock(s, err);
	if (r == 0)
		r = sap_evsql_open(&s->q, s->q.path, s->q.path, SQLITE_OPEN_READWRITE, err);
	if (r == 0)
		r = prepare(s, err);
	if (r == 0)
		r = check_whole(s, err);
	if (r < 0) {
		sap_evstore_close(s);
		return r;
	}
	*out = s;
	return 0;
}

void sap_evstore_close(struct sap_evstore *s)
{
	if (!s)
		return;
	sap_evsql_close(&s->q);
	sap_evmem_clear(&s->mem);
	if (s->lock >= 0)
		close(s->lock); /* and the lock goes */
	free(s);
}

/* ---- windows ---------------------------------------------------------------------------- */

static bool no_space(const struct sap_err *err)
{
	return err->sys_errno == ENOSPC || err->sys_errno == EDQUOT || err->sys_errno == EFBIG;
}

/* Former windows become one set. Without space they stay as they are: readers join them, too. */
static int tidy(struct sap_evstore *s, struct sap_err *err)
{
	static const char surplus[] = "SELECT id FROM windows ORDER BY id DESC LIMIT 1 OFFSET ?1";
	struct sap_err own = { 0 };
	sqlite3_stmt *st;
	int64_t upto = 0;
	int r = sap_evjoin_over(&s->q, &own), rc;

	if (r == 0) {
		rc = sqlite3_prepare_v2(s->q.db, surplus, -1, &st, NULL);
		if (rc != SQLITE_OK)
			return sap_evsql_err(&s->q, rc, err);
		sqlite3_bind_int64(st, 1, SAP_EVSTORE_WINDOWS_MAX - 1);
		r = sap_evsql_step(&s->q, st, &own);
		if (r > 0)
			upto = sqlite3_column_int64(st, 0);
		sqlite3_finalize(st);
	}
	if (r >= 0 && upto > 0)
		r = sap_evjoin_prune(&s->q, 0, upto, 0, &own);
	if (r >= 0 || no_space(&own))
		return 0;
	if (err)
		*err = own;
	return r;
}

int sap_evstore_begin(struct sap_evstore *s, const struct sap_evidence *e, struct sap_err *err)
{
	int r;

	sap_evmem_clear(&s->mem);
	s->window = 0;
	r = tidy(s, err);
	if (r < 0)
		return r;
	s->begun = true;
	return sap_evstore_write(s, e, err);
}

int sap_evstore_write(struct sap_evstore *s, const struct sap_evidence *e, struct sap_err *err)
{
	struct sap_evset set = {
		.q = &s->q, .mem = &s->mem, .e = e, .window = s->window, .lazy = true
	};
	int r = 0;

	if (!s->begun)
		return sap_err_set(err, SAP_EUSAGE, "no window has begun");
	if (set.window == 0)
		r = sap_evsql_int(&s->q, "SELECT ifnull(max(id),0)+1 FROM windows", &set.window,
				  err);
	if (r == 0)
		r = sap_evset_write_window(&set, err);
	if (r == 0)
		r = sap_evset_write(&set, err);
	if (r == 0 && set.begun)
		r = sap_evsql_exec(&s->q, "COMMIT", err);
	if (r < 0) {
		/* SQLite has rolled back by itself after some failures. */
		if (!sqlite3_get_autocommit(s->q.db))
			(void)sap_evsql_exec(&s->q, "ROLLBACK", NULL);
		sap_evmem_undo(&s->mem);
		return r;
	}
	sap_evmem_done(&s->mem);
	s->window = set.window;
	return 0;
}

int sap_evstore_prune(struct sap_evstore *s, int64_t before, struct sap_err *err)
{
	return sap_evjoin_prune(&s->q, before, 0, s->window, err);
}
