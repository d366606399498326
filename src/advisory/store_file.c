/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The next version of a store: made beside the present one under a lock, renamed over it.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>

#include "advisory/store_int.h"
#include "base/fd.h"

enum { LOCK_POLL_MS = 50, COPY_PIECE = 64 * 1024 };

/* ---- where ------------------------------------------------------------------------------ */

static int make_folders(char *folder, struct sap_err *err)
{
	for (char *p = folder + 1; *p; p++) {
		int failed;

		if (*p != '/')
			continue;
		*p = '\0';
		failed = mkdir(folder, 0755) < 0 && errno != EEXIST && errno != EISDIR;
		*p = '/';
		if (failed)
			return sap_err_sys(err, errno, "cannot make the folder of %s", folder);
	}
	if (mkdir(folder, 0755) < 0 && errno != EEXIST)
		return sap_err_set(err, SAP_EIO,
				   "cannot make the folder %s: %s; give another file (--db)",
				   folder, strerror(errno));
	return 0;
}

/* Absolute paths of the store and its folder, links resolved: a link is not replaced, what it
 * points to is. */
static int find_place(struct sap_store_writer *w, const char *path, struct sap_err *err)
{
	char *whole sap_cleanup_free = realpath(path, NULL);
	char *folder sap_cleanup_free = NULL;
	char given[SAP_PATH_MAX];
	struct sap_str base = sap_path_base(sap_str_of(path)), dir;
	int r;

	if (whole) {
		w->path = sap_steal(&whole);
		dir = sap_path_dir(sap_str_of(w->path));
		w->folder = strndup(dir.p, dir.n);
		return w->folder ? 0 : sap_err_nomem(err);
	}
	if (errno != ENOENT)
		return sap_err_sys(err, errno, "cannot use %s as a store", path);
	if (base.n == 0 || sap_str_is(base, ".") || sap_str_is(base, ".."))
		return sap_err_set(err, SAP_EUSAGE, "\"%s\" is no name of a file", path);
	dir = sap_path_dir(sap_str_of(path));
	if (dir.n >= sizeof(given))
		return sap_err_set(err, SAP_ELIMIT, "the path of the store is too long");
	snprintf(given, sizeof(given), "%.*s", dir.n ? (int)dir.n : 1, dir.n ? dir.p : ".");
	r = make_folders(given, err);
	if (r < 0)
		return r;
	folder = realpath(given, NULL);
	if (!folder)
		return sap_err_sys(err, errno, "cannot use the folder %s", given);
	if (asprintf(&w->path, "%s/%.*s", strcmp(folder, "/") == 0 ? "" : folder, SAP_FMT(base)) <
	    0) {
		w->path = NULL;
		return sap_err_nomem(err);
	}
	w->folder = sap_steal(&folder);
	return 0;
}

/* ---- the lock --------------------------------------------------------------------------- */

static int take_lock(struct sap_store_writer *w, unsigned wait_seconds, struct sap_err *err)
{
	const struct timespec nap = { .tv_nsec = LOCK_POLL_MS * 1000000L };
	char *name sap_cleanup_free = NULL;

	if (asprintf(&name, "%s.lock", w->path) < 0) {
		name = NULL;
		return sap_err_nomem(err);
	}
	w->lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0644);
	if (w->lock < 0)
		return sap_err_set(err, SAP_EIO,
				   "cannot write in %s: %s; give another file (--db), or run with "
				   "the right to write there",
				   w->folder, strerror(errno));
	for (uint64_t left = (uint64_t)wait_seconds * (1000 / LOCK_POLL_MS);; left--) {
		if (flock(w->lock, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return sap_err_sys(err, errno, "cannot lock %s", name);
		if (left == 0)
			return sap_err_set(err, SAP_EIO,
					   "another import into %s is running (it holds %s); try "
					   "again when it is done",
					   w->path, name);
		nanosleep(&nap, NULL);
	}
}

/* What imports that were interrupted have left. Nobody else is at work: we hold the lock. */
static void remove_stale(const struct sap_store_writer *w)
{
	struct sap_str base = sap_path_base(sap_str_of(w->path));
	DIR *dir = opendir(w->folder);
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		struct sap_str name = sap_str_of(entry->d_name);

		if (sap_str_starts(name, base) &&
		    sap_str_starts(sap_str_skip(name, base.n), SAP_STR(".new-")))
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
	}
	closedir(dir);
}

/* ---- the copy --------------------------------------------------------------------------- */

static int copy_bytes(int from, int to, struct sap_err *err)
{
	unsigned char piece[COPY_PIECE];
	ssize_t n;

	/* Shared blocks where the file system can, a copy inside the kernel elsewhere. */
	if (ioctl(to, FICLONE, from) == 0)
		return 0;
	while ((n = copy_file_range(from, NULL, to, NULL, (size_t)1 << 30, 0)) > 0)
		;
	if (n == 0)
		return 0;
	if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG || errno == EIO)
		return sap_err_sys(err, errno, "cannot copy the store");
	while ((n = read(from, piece, sizeof(piece))) != 0) {
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return sap_err_sys(err, errno, "cannot read the store");
		r = sap_fd_write_all(to, piece, (size_t)n, err);
		if (r < 0)
			return sap_err_wrap(err, "cannot copy the store");
	}
	return 0;
}

/* Whether from is a store that this version can take over. *empty: it is not there, or has no
 * bytes. */
static int check_present(const char *from, bool *empty, mode_t *mode, struct sap_err *err)
{
	struct sap_store *store;
	struct stat st;
	int r;

	*empty = true;
	if (!from || stat(from, &st) < 0)
		return !from || errno == ENOENT || errno == ENOTDIR
			       ? 0
			       : sap_err_sys(err, errno, "cannot read %s", from);
	if (!S_ISREG(st.st_mode))
		return sap_err_set(err, SAP_EUSAGE, "%s is no file; give another one (--db)", from);
	*mode = st.st_mode & 0666;
	if (st.st_size == 0)
		return 0;
	r = sap_store_open(from, &store, err);
	if (r < 0)
		return r;
	sap_store_close(store);
	*empty = false;
	return 0;
}

static int copy_store(struct sap_store_writer *w, const char *base, bool *fresh,
		      struct sap_err *err)
{
	int sap_cleanup_fd from = -1, to = -1;
	const char *source = w->path;
	mode_t mode = 0666; /* less umask */
	int r = check_present(w->path, fresh, &mode, err);

	if (r == 0 && *fresh && base) {
		mode_t other;

		source = base;
		r = check_present(base, fresh, &other, err);
	}
	if (r < 0)
		return r;
	to = open(w->next, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (to < 0)
		return sap_err_set(err, SAP_EIO, "cannot write in %s: %s", w->folder,
				   strerror(errno));
	if (*fresh)
		return 0;
	from = open(source, O_RDONLY | O_CLOEXEC);
	if (from < 0)
		return sap_err_sys(err, errno, "cannot read %s", source);
	r = copy_bytes(from, to, err);
	return r < 0 ? sap_err_wrap(err, "%s to %s", source, w->next) : 0;
}

int sap_store_file_begin(struct sap_store_writer *w, const char *path, const char *base,
			 unsigned wait_seconds, bool *fresh, struct sap_err *err)
{
	int r = find_place(w, path, err);

	if (r == 0)
		r = take_lock(w, wait_seconds, err);
	if (r < 0)
		return r;
	remove_stale(w);
	if (asprintf(&w->next, "%s.new-%ld", w->path, (long)getpid()) < 0) {
		w->next = NULL;
		return sap_err_nomem(err);
	}
	return copy_store(w, base, fresh, err);
}

/* ---- the end ---------------------------------------------------------------------------- */

/* SQLite leaves an empty journal while it holds its lock. */
static void remove_journal(const struct sap_store_writer *w)
{
	char *name sap_cleanup_free = NULL;

	if (asprintf(&name, "%s-journal", w->next) < 0)
		name = NULL;
	if (name)
		(void)unlink(name);
}

int sap_store_file_finish(struct sap_store_writer *w, struct sap_err *err)
{
	int sap_cleanup_fd fd = open(w->next, O_RDONLY | O_CLOEXEC);
	int sap_cleanup_fd folder = -1;

	if (fd < 0 || fsync(fd) < 0)
		return sap_err_sys(err, errno, "cannot bring %s to the disk", w->next);
	if (rename(w->next, w->path) < 0)
		return sap_err_sys(err, errno, "cannot rename %s to %s", w->next, w->path);
	remove_journal(w);
	free(sap_steal(&w->next));
	folder = open(w->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* Some file systems know no sync of folders; the store is whole in either state. */
	if (folder >= 0 && fsync(folder) < 0 && errno != EINVAL && errno != EROFS)
		return sap_err_sys(err, errno, "cannot bring the folder %s to the disk", w->folder);
	return 0;
}

void sap_store_file_drop(struct sap_store_writer *w)
{
	if (w->next) {
		(void)unlink(w->next);
		remove_journal(w);
	}
	if (w->lock >= 0)
		close(w->lock); /* and the lock goes */
	free(w->next);
	free(w->path);
	free(w->folder);
	w->next = w->path = w->folder = NULL;
	w->lock = -1;
}
