/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader. Beside a writer, SQLite needs FILE-shm, which it can also read where it may not
 * write it; where nobody writes and no folder may be written to, the file stands for itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/fd.h"
#include "store/evstore_int.h"

enum { TRIES = 3 };

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

/* What is not in the file yet: bytes of FILE-wal. */
static int64_t waiting(const char *path)
{
	char *name sap_cleanup_free = NULL;
	struct stat st;

	if (asprintf(&name, "%s-wal", path) < 0) {
		name = NULL;
		return -1;
	}
	return stat(name, &st) == 0 ? st.st_size : 0;
}

/* ---- reading ---------------------------------------------------------------------------- */

static int read_all(struct sap_evsql *q, int64_t since, struct sap_evidence **out, bool *found,
		    struct sap_err *err)
{
	struct sap_evwindows w = { 0 };
	struct sap_evjoin j = { 0 };
	bool fresh = false;
	/* One transaction: all queries see the same state. */
	int r = sap_evsql_exec(q, "BEGIN", err);

	if (r == 0)
		r = sap_evstore_schema_check(q, &fresh, err);
	if (r == 0 && !fresh)
		r = sap_evwindows_read(q, since, &w, err);
	if (r == 0)
		r = sap_evjoin_past(&j, q, &w, since <= 0, err);
	for (size_t i = 0; r == 0 && i < w.n; i++)
		if (!w.v[i].joined)
			r = sap_evjoin_window(&j, q, &w.v[i], NULL, err);
	if (r == 0) {
		*found = j.e != NULL;
		*out = sap_steal(&j.e);
	}
	sap_evjoin_clear(&j);
	free(w.v);
	return r;
}

/* As it is usual. *refused: SQLite could not make or open what it needs beside the file. */
static int read_beside(const char *path, int64_t since, struct sap_evidence **out, bool *found,
		       bool *refused, struct sap_err *err)
{
	struct sap_evsql q = { 0 };
	int64_t n;
	int r = sap_evsql_open(&q, path, path, SQLITE_OPEN_READONLY, err), rc;

	if (r == 0)
		r = sap_evsql_int(&q, "PRAGMA user_version", &n, err);
	rc = q.db ? sqlite3_errcode(q.db) & 0xff : SQLITE_OK;
	*refused = r < 0 && (rc == SQLITE_CANTOPEN || rc == SQLITE_READONLY || rc == SQLITE_PERM ||
			     rc == SQLITE_IOERR || rc == SQLITE_FULL);
	if (r == 0)
		r = read_all(&q, since, out, found, err);
	sap_evsql_close(&q);
	return r;
}

/* Nobody writes, and everything is in the file. If that changes meanwhile: *changed. */
static int read_alone(const char *path, int64_t since, struct sap_evidence **out, bool *found,
		      bool *changed, struct sap_err *err)
{
	char *uri sap_cleanup_free = uri_of(path);
	struct sap_evsql q = { 0 };
	struct stat before, after;
	int r;

	if (!uri)
		return sap_err_nomem(err);
	if (stat(path, &before) < 0)
		return sap_err_sys(err, errno, "cannot read %s", path);
	r = sap_evsql_open(&q, path, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, err);
	if (r == 0)
		r = read_all(&q, since, out, found, err);
	sap_evsql_close(&q);
	*changed = stat(path, &after) < 0 || before.st_ino != after.st_ino ||
		   before.st_size != after.st_size ||
		   before.st_mtim.tv_sec != after.st_mtim.tv_sec ||
		   before.st_mtim.tv_nsec != after.st_mtim.tv_nsec || waiting(path) != 0;
	if (*changed && r == 0) {
		sap_evidence_free(*out);
		*out = NULL;
	}
	return r;
}

static int no_rights(const char *path, struct sap_err *err)
{
	struct sap_str dir = sap_path_dir(sap_str_of(path));

	if (dir.n == 0)
		dir = SAP_STR(".");
	return sap_err_set(err, SAP_EIO,
			   "%s: what was written last is in %s-wal, and reading it needs the right "
			   "to write in %.*s; run as the user who watches, or copy both files to a "
			   "folder of your own",
			   path, path, SAP_FMT(dir));
}

static int read_store(const char *path, int64_t since, struct sap_evidence **out, bool *found,
		      struct sap_err *err)
{
	bool refused = false, changed = true;
	int r = SAP_EIO;

	for (int i = 0; i < TRIES && changed; i++) {
		r = read_beside(path, since, out, found, &refused, err);
		if (!refused)
			return r;
		if (waiting(path) != 0)
			return no_rights(path, err);
		r = read_alone(path, since, out, found, &changed, err);
	}
	return changed ? sap_err_set(err, SAP_EIO, "%s changes while it is read; try again", path)
		       : r;
}

int sap_evstore_read(const char *path, int64_t since, struct sap_evidence **out, bool *found,
		     struct sap_err *err)
{
	struct sap_evidence *e = NULL;
	bool any = false, empty = false;
	struct stat st;
	int r = 0;

	if (stat(path, &st) < 0) {
		if (errno != ENOENT && errno != ENOTDIR)
			return sap_err_sys(err, errno,
					   "cannot read %s (run as the user who watches, or give "
					   "another file with --store)",
					   path);
		empty = true;
	} else {
		r = sap_evstore_check_file(path, &empty, err);
		if (r < 0)
			return r;
	}
	if (!empty)
		r = read_store(path, since, &e, &any, err);
	if (r < 0)
		return r;
	*out = e;
	*found = any;
	return 0;
}
