/* SPDX-License-Identifier: Apache-2.0 */
#include "input/input.h"

#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/vec.h"
#include "input/input_int.h"

static int by_name(const void *a, const void *b)
{
	const struct sap_input_entry *x = a, *y = b;

	return sap_str_cmp(x->name, y->name);
}

static uint8_t type_of(mode_t mode)
{
	return (uint8_t)IFTODT(mode);
}

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

struct list {
	SAP_VEC(struct sap_input_entry) entries;
};

/* 1: a name was put in (or left out); 0: the end; -errno. */
static int list_next(DIR *dir, struct sap_arena *arena, struct list *list)
{
	struct sap_input_entry *entry;
	struct dirent *d;
	struct stat st;
	uint8_t type;

	errno = 0;
	d = readdir(dir);
	if (!d)
		return -errno;
	if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
		return 1;
	type = d->d_type;
	if (type == DT_UNKNOWN) {
		if (fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			type = type_of(st.st_mode);
		else if (errno == ENOENT)
			return 1;
	}
	entry = SAP_VEC_PUSH(&list->entries, SAP_TREE_ENTRIES_MAX);
	if (!entry)
		return list->entries.n >= SAP_TREE_ENTRIES_MAX ? -EOVERFLOW : -ENOMEM;
	entry->type = type;
	return sap_arena_str(arena, sap_str_of(d->d_name), &entry->name) ? 1 : -ENOMEM;
}

static int list_all(int fd, struct sap_arena *arena, struct list *list)
{
	DIR *dir __attribute__((cleanup(close_dir))) = fdopendir(fd);
	int rc;

	if (!dir) {
		rc = -errno;
		close(fd);
		return rc;
	}
	do {
		rc = list_next(dir, arena, list);
	} while (rc > 0);
	return rc;
}

static int open_folder(struct sap_input *input, struct sap_str path)
{
	char cpath[SAP_PATH_MAX];
	int rc = sap_input_cpath(path, cpath);

	if (rc < 0)
		return rc;
	/* For others a second try would cost more than it spares. */
	return sap_input_resolve(input, cpath,
				 SAP_INPUT_FOLDER | (input->uid == 0 ? O_NOATIME : 0));
}

int sap_input_dir_open(struct sap_input *input, struct sap_str path, int *fd, struct sap_err *err)
{
	int rc = open_folder(input, path);

	if (rc < 0)
		return sap_input_fail(rc, "cannot open the folder", path, err);
	*fd = rc;
	return 0;
}

int sap_input_list(struct sap_input *input, struct sap_str path, struct sap_arena *arena,
		   struct sap_input_entry **out, uint32_t *n, struct sap_err *err)
{
	struct list list = { 0 };
	struct sap_input_entry *entries = NULL;
	int rc = open_folder(input, path);

	if (rc >= 0)
		rc = list_all(rc, arena, &list);
	if (rc == 0) {
		entries = sap_arena_array(arena, list.entries.n, sizeof(*entries));
		rc = entries ? 0 : -ENOMEM;
	}
	if (rc == 0 && list.entries.n > 0) {
		qsort(list.entries.v, list.entries.n, sizeof(*entries), by_name);
		memcpy(entries, list.entries.v, list.entries.n * sizeof(*entries));
	}
	if (rc == 0) {
		*out = entries;
		*n = (uint32_t)list.entries.n;
	}
	sap_vec_clear(&list.entries);
	if (rc == -EOVERFLOW)
		return sap_err_set(err, SAP_ELIMIT, "%.*s has more than %llu entries",
				   SAP_FMT(path), (unsigned long long)SAP_TREE_ENTRIES_MAX);
	return rc < 0 ? sap_input_fail(rc, "cannot list", path, err) : 0;
}

int sap_input_readlink(struct sap_input *input, struct sap_str path, struct sap_arena *arena,
		       struct sap_str *out, struct sap_err *err)
{
	char cpath[SAP_PATH_MAX], text[SAP_PATH_MAX];
	int rc = sap_input_cpath(path, cpath);
	int sap_cleanup_fd fd = -1;
	ssize_t n;

	if (rc == 0)
		fd = rc = sap_input_resolve(input, cpath, SAP_INPUT_LOOK | O_NOFOLLOW);
	if (rc < 0)
		return sap_input_fail(rc, "cannot read the link", path, err);
	n = readlinkat(fd, "", text, sizeof(text));
	/* With an empty path ENOENT is the kernel's word for "no link". */
	if (n < 0 && (errno == ENOENT || errno == EINVAL))
		return sap_err_set(err, SAP_EUNSUPPORTED, "%.*s is no symbolic link",
				   SAP_FMT(path));
	if (n < 0)
		return sap_err_sys(err, errno, "cannot read the link %.*s", SAP_FMT(path));
	if ((size_t)n >= sizeof(text))
		return sap_err_set(err, SAP_ELIMIT, "the link %.*s is too long", SAP_FMT(path));
	return sap_arena_str(arena, (struct sap_str){ text, (size_t)n }, out) ? 0
									      : sap_err_nomem(err);
}

/* The canonical form of a path without links, all of which exists: plain text work. */
static void normalise(const char *path, struct sap_buf *out)
{
	struct sap_str rest = sap_str_of(path), name;

	while (rest.n > 0) {
		sap_str_cut(rest, '/', &name, &rest);
		if (name.n == 0 || sap_str_is(name, "."))
			continue;
		if (sap_str_is(name, "..")) {
			while (out->n > 0 && out->p[--out->n] != '/')
				;
			continue;
		}
		sap_buf_putc(out, '/');
		sap_buf_puts(out, name);
	}
	if (out->n == 0)
		sap_buf_putc(out, '/');
}

/* Replaces the last component of path, a link, by what the link (fd) says. False where only
 * the walk can tell. */
static bool replace_last(char path[static SAP_PATH_MAX], int fd)
{
	char text[SAP_PATH_MAX];
	char *last = strrchr(path, '/');
	ssize_t n = readlinkat(fd, "", text, sizeof(text));
	size_t at = !last || text[0] == '/' ? 0 : (size_t)(last + 1 - path);
	struct statfs fs;

	if (n <= 0 || at + (size_t)n >= SAP_PATH_MAX)
		return false;
	if (fstatfs(fd, &fs) < 0 || fs.f_type == PROC_SUPER_MAGIC)
		return false;
	memcpy(path + at, text, (size_t)n);
	path[at + (size_t)n] = '\0';
	return true;
}

/*
 * Most links that are asked for stand at the end of a path without other links, as those of
 * libraries do: the kernel confirms that there are no others, and the path is rewritten as
 * text. Everything else is for the walk: *walk is set. path is changed.
 */
static int canonical_fast(struct sap_input *input, char path[static SAP_PATH_MAX], struct stat *st,
			  bool *walk)
{
	for (unsigned links = 0; links <= SAP_SYMLINKS_MAX; links++) {
		int sap_cleanup_fd fd = sap_input_openat2(input, path, SAP_INPUT_LOOK | O_NOFOLLOW,
							  RESOLVE_NO_SYMLINKS);

		*walk = fd == -ELOOP || fd == -ENOSYS || fd == -EAGAIN;
		if (fd < 0)
			return fd;
		if (fstat(fd, st) < 0)
			return -errno;
		if (!S_ISLNK(st->st_mode))
			return 0;
		*walk = !replace_last(path, fd);
		if (*walk)
			return -ELOOP;
	}
	return -ELOOP;
}

static int canonical(struct sap_input *input, const char *path, struct sap_buf *canon,
		     struct stat *st)
{
	char text[SAP_PATH_MAX];
	bool walk = false;
	int sap_cleanup_fd fd = -1;
	int rc;

	/* The path fits: sap_input_cpath has made it. */
	memcpy(text, path, strlen(path) + 1);
	rc = canonical_fast(input, text, st, &walk);
	if (rc == 0)
		normalise(text, canon);
	if (!walk)
		return rc;
	fd = sap_input_walk(input, path, SAP_INPUT_LOOK, canon);
	if (fd < 0)
		return fd;
	return fstat(fd, st) < 0 ? -errno : 0;
}

int sap_input_canonical(struct sap_input *input, struct sap_str path, struct sap_arena *arena,
			struct sap_str *out, uint8_t *type, struct sap_err *err)
{
	char cpath[SAP_PATH_MAX];
	struct sap_buf canon;
	struct stat st;
	int rc = sap_input_cpath(path, cpath);

	if (rc < 0)
		return sap_input_fail(rc, "cannot find", path, err);
	/* A path grows beyond its ceiling for a while only where ".." cuts it again. */
	sap_buf_init(&canon, (size_t)(SAP_SYMLINKS_MAX + 1) * SAP_PATH_MAX);
	rc = canonical(input, cpath, &canon, &st);
	if (rc < 0)
		rc = sap_input_fail(rc, "cannot find", path, err);
	else if (!sap_buf_ok(&canon))
		rc = sap_err_nomem(err);
	else if (canon.n >= SAP_PATH_MAX)
		rc = sap_err_set(err, SAP_ELIMIT, "%.*s leads to a path of more than %u bytes",
				 SAP_FMT(path), SAP_PATH_MAX - 1);
	else if (!sap_arena_str(arena, sap_buf_str(&canon), out))
		rc = sap_err_nomem(err);
	else if (type)
		*type = type_of(st.st_mode);
	sap_buf_clear(&canon);
	return rc;
}
