/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/limits.h"
#include "catalog/catalog_int.h"

int sap_catalog_dir_open(struct sap_catalog_dir *dir, struct sap_input *input, struct sap_str path,
			 struct sap_err *err)
{
	int fd;
	int r = sap_input_dir_open(input, path, &fd, err);

	if (r == 0)
		*dir = (struct sap_catalog_dir){ .input = input, .path = path, .fd = fd };
	return r;
}

void sap_catalog_dir_close(struct sap_catalog_dir *dir)
{
	sap_close_fd(&dir->fd);
}

/* By way of the whole path: for links, and where the folder could not be held open. */
static int read_by_path(const struct sap_catalog_dir *dir, struct sap_str name, uint64_t max,
			struct sap_arena *arena, struct sap_span *out, int64_t *mtime,
			struct sap_err *err)
{
	struct sap_input_file file = { .fd = -1 };
	struct sap_reader reader;
	struct sap_buf path;
	int r;

	sap_buf_init(&path, SAP_PATH_MAX);
	sap_buf_puts(&path, dir->path);
	sap_buf_putc(&path, '/');
	sap_buf_puts(&path, name);
	r = sap_buf_ok(&path)
		    ? sap_input_file_open(dir->input, sap_buf_str(&path), &file, err)
		    : sap_err_set(err, SAP_ELIMIT, "a path is longer than %u bytes", SAP_PATH_MAX);
	sap_buf_clear(&path);
	if (r < 0)
		return r;
	reader = sap_input_file_reader(&file);
	if (mtime)
		*mtime = file.mtime_ns / 1000000000;
	if (out && file.size > max)
		r = sap_err_set(err, SAP_ELIMIT, "larger than %llu bytes", (unsigned long long)max);
	else if (out)
		r = sap_reader_get(&reader, 0, file.size, arena, out, err);
	sap_input_file_close(&file);
	return r;
}

static int read_exactly(int fd, uint64_t size, struct sap_arena *arena, struct sap_span *out,
			struct sap_err *err)
{
	unsigned char *p = sap_arena_alloc(arena, size + 1);
	uint64_t got = 0;

	if (!p)
		return sap_err_nomem(err);
	/* One byte more than there should be: a file that has grown shows, and one that has not
	 * is read by a single call. */
	while (got <= size) {
		ssize_t r = read(fd, p + got, size + 1 - got);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return sap_err_sys(err, errno, "cannot read");
		if (r == 0)
			break;
		got += (uint64_t)r;
		if (got == size)
			break;
	}
	if (got != size)
		return sap_err_set(err, SAP_ECHANGED, "the file changed while it was read");
	*out = sap_span_of(p, size);
	return 0;
}

int sap_catalog_dir_read(const struct sap_catalog_dir *dir, struct sap_str name, uint64_t max,
			 struct sap_arena *arena, struct sap_span *out, int64_t *mtime,
			 struct sap_err *err)
{
	sap_cleanup_fd int fd = -1;
	char file[NAME_MAX + 1];
	struct stat st;

	if (name.n == 0 || name.n > NAME_MAX || memchr(name.p, '/', name.n) ||
	    memchr(name.p, '\0', name.n))
		return sap_err_set(err, SAP_ENOENT, "no file can have that name");
	if (dir->fd < 0)
		return read_by_path(dir, name, max, arena, out, mtime, err);
	memcpy(file, name.p, name.n);
	file[name.n] = '\0';
	if (fstatat(dir->fd, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return sap_err_sys(err, errno, "%s", file);
	if (S_ISLNK(st.st_mode))
		return read_by_path(dir, name, max, arena, out, mtime, err);
	if (!S_ISREG(st.st_mode))
		return sap_err_set(err, SAP_EUNSUPPORTED, "not a regular file");
	if (mtime)
		*mtime = st.st_mtime;
	if (!out)
		return 0;
	if ((uint64_t)st.st_size > max)
		return sap_err_set(err, SAP_ELIMIT, "larger than %llu bytes",
				   (unsigned long long)max);
	fd = openat(dir->fd, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return sap_err_sys(err, errno, "cannot open");
	return read_exactly(fd, (uint64_t)st.st_size, arena, out, err);
}
