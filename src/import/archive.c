/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files and folders of an input. What is packed is told by its first bytes:
 *
 *     zip "PK\3\4"   tar "ustar" at 257   gzip 1f 8b   zstd 28 b5 2f fd   xz fd "7zXZ" 0   bzip2 "BZh"
 *
 * and given to libarchive with these formats and filters only; all else is read as it is. A
 * zip is read from its front, member by member: the directory at its end would take memory
 * that grows with the input.
 *
 * A folder is walked beneath its descriptor, in the order of names. Links are never followed.
 * What begins with a dot (.git) is no publication, in folders and in archives.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <archive.h>
#include <archive_entry.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/vec.h"
#include "import/import_int.h"

/* ---- bytes of a file -------------------------------------------------------------------- */

enum {
	SNIFF = 512,    /* bytes that tell how a file is packed */
	HEADER = 512,   /* what a member counts besides its bytes */
	BROKEN = -1000, /* the archive itself is; no enum sap_code */
};

struct source {
	int fd;
	unsigned char *block; /* SAP_IMPORT_BLOCK bytes */
	size_t have;          /* of the first block, which was read to recognise it */
	bool given;
};

/* Fills [have, SAP_IMPORT_BLOCK) of the block as far as one read goes. */
static int read_block(struct source *s, size_t have, size_t *n, struct sap_err *err)
{
	ssize_t got;

	do {
		got = read(s->fd, s->block + have, SAP_IMPORT_BLOCK - have);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return sap_err_sys(err, errno, "it cannot be read");
	*n = (size_t)got;
	return 0;
}

/* A pipe gives what it has: enough must be there to be looked at. */
static int read_first_block(struct source *s, struct sap_err *err)
{
	size_t n = 1;
	int rc = 0;

	while (rc == 0 && n > 0 && s->have < SNIFF) {
		rc = read_block(s, s->have, &n, err);
		if (rc == 0)
			s->have += n;
	}
	return rc;
}

/* The first block, again, then the others. */
static int next_of_file(void *ctx, const unsigned char **p, size_t *n, struct sap_err *err)
{
	struct source *s = ctx;
	int rc = 0;

	*p = s->block;
	*n = s->have;
	if (s->given)
		rc = read_block(s, 0, n, err);
	s->given = true;
	return rc < 0 ? rc : *n > 0;
}

static bool at(struct sap_str bytes, size_t offset, struct sap_str magic)
{
	return offset <= bytes.n && sap_str_starts(sap_str_skip(bytes, offset), magic);
}

enum packing { PLAIN, ARCHIVE, COMPRESSED };

static enum packing packing_of(struct sap_str bytes)
{
	if (at(bytes, 0, SAP_STR("PK\003\004")) || at(bytes, 0, SAP_STR("PK\005\006")) ||
	    at(bytes, 257, SAP_STR("ustar")))
		return ARCHIVE;
	if (at(bytes, 0, SAP_STR("\x1f\x8b")) || at(bytes, 0, SAP_STR("\x28\xb5\x2f\xfd")) ||
	    at(bytes, 0,
	       SAP_STR("\xfd"
		       "7zXZ\0")) ||
	    at(bytes, 0, SAP_STR("BZh")))
		return COMPRESSED;
	return PLAIN;
}

/* ---- libarchive ------------------------------------------------------------------------- */

static la_ssize_t archive_read(struct archive *a, void *ctx, const void **p)
{
	const unsigned char *bytes;
	struct sap_err err;
	size_t n;
	int rc = next_of_file(ctx, &bytes, &n, &err);

	if (rc < 0) {
		archive_set_error(a, err.sys_errno, "%s", err.text);
		return ARCHIVE_FATAL;
	}
	*p = bytes;
	return (la_ssize_t)n;
}

static int archive_fault(struct archive *a, struct sap_err *err)
{
	const char *why = archive_error_string(a);

	if (archive_errno(a) == ENOMEM)
		return sap_err_set(err, SAP_ELIMIT, "unpacking it takes too much memory");
	return sap_err_format(err, 0, "the archive is damaged: %s", why ? why : "unknown error");
}

/* ARCHIVE_WARN of these: only with an external program, which is never run. */
static int allow(struct archive *a, enum packing packing, struct sap_err *err)
{
	bool ok = archive_read_support_format_tar(a) == ARCHIVE_OK &&
		  archive_read_support_format_empty(a) == ARCHIVE_OK;

	if (packing == ARCHIVE)
		ok = ok && archive_read_support_format_zip_streamable(a) == ARCHIVE_OK;
	else
		ok = ok && archive_read_support_format_raw(a) == ARCHIVE_OK &&
		     archive_read_support_filter_gzip(a) == ARCHIVE_OK &&
		     archive_read_support_filter_zstd(a) == ARCHIVE_OK &&
		     archive_read_support_filter_xz(a) == ARCHIVE_OK &&
		     archive_read_support_filter_bzip2(a) == ARCHIVE_OK;
	return ok ? 0
		  : sap_err_set(err, SAP_EUNSUPPORTED,
				"libarchive lacks one of zip, tar, gzip, zstd, xz, bzip2");
}

struct member {
	struct archive *archive;
	uint64_t offset;
	int fault; /* of the archive: nothing follows */
};

static int next_of_member(void *ctx, const unsigned char **p, size_t *n, struct sap_err *err)
{
	struct member *m = ctx;
	const void *bytes = NULL;
	la_int64_t offset = 0;
	int rc = archive_read_data_block(m->archive, &bytes, n, &offset);

	if (rc == ARCHIVE_EOF)
		return 0;
	if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN) {
		m->fault = rc;
		return archive_fault(m->archive, err);
	}
	/* A hole can be of any size, and no publication has one. */
	if (offset < 0 || (uint64_t)offset != m->offset)
		return sap_err_format(err, m->offset, "it has holes");
	m->offset += *n;
	*p = bytes;
	/* An empty block is not the end. */
	return 1;
}

static void put_name(struct sap_buf *path, size_t above, struct sap_str name)
{
	path->n = above;
	sap_buf_putc(path, '/');
	sap_buf_puts(path, name);
}

/* ".git/config", but not "./a.json". */
static bool hidden(const char *path)
{
	while (path) {
		if (path[0] == '.' && !strchr("./", path[1]))
			return true;
		path = strchr(path, '/');
		path += path != NULL;
	}
	return false;
}

/* A compressed file has the name of the file; others stand behind the archive's. */
static void put_member(struct sap_buf *path, size_t above, struct archive *a,
		       struct archive_entry *entry)
{
	const char *name = archive_entry_pathname(entry);

	path->n = above;
	if (archive_format(a) == ARCHIVE_FORMAT_RAW)
		return;
	if (!name)
		name = archive_entry_pathname_utf8(entry);
	put_name(path, above, sap_str_of(name ? name : "(a name in no known encoding)"));
}

static int read_member(struct sap_importer *imp, struct archive *a, struct sap_str name,
		       struct sap_err *err)
{
	struct member m = { .archive = a };
	struct sap_import_bytes bytes = { next_of_member, &m };
	const bool sole = imp->sole;
	int rc;

	imp->sole = sole && archive_format(a) == ARCHIVE_FORMAT_RAW;
	rc = sap_import_document(imp, name, NULL, &bytes, err);
	imp->sole = sole;
	if (rc == 0 && m.fault == ARCHIVE_FATAL) {
		archive_fault(a, err);
		return BROKEN;
	}
	return rc;
}

static int read_members(struct sap_importer *imp, struct archive *a, struct sap_buf *path,
			struct sap_err *err)
{
	const size_t above = path->n;
	struct archive_entry *entry;
	int rc = 0, got;

	while (rc == 0 && (got = archive_read_next_header(a, &entry)) != ARCHIVE_EOF) {
		if (got != ARCHIVE_OK && got != ARCHIVE_WARN) {
			archive_fault(a, err);
			return BROKEN;
		}
		/* Members without bytes must come to an end too. */
		imp->bytes += HEADER;
		if (imp->bytes > SAP_IMPORT_INPUT_MAX) {
			sap_err_set(err, SAP_ELIMIT, "it has too many members");
			return BROKEN;
		}
		if (archive_entry_filetype(entry) != AE_IFREG ||
		    hidden(archive_entry_pathname(entry)))
			continue;
		put_member(path, above, a, entry);
		rc = sap_buf_ok(path) ? read_member(imp, a, sap_buf_str(path), err)
				      : sap_err_nomem(err);
	}
	return rc;
}

static int read_packed(struct sap_importer *imp, struct source *source, enum packing packing,
		       struct sap_str name, struct sap_err *err)
{
	struct archive *a = archive_read_new();
	struct sap_buf path;
	int rc;

	if (!a)
		return sap_err_nomem(err);
	sap_buf_init(&path, SAP_IMPORT_LINE_MAX);
	sap_buf_puts(&path, name);
	rc = allow(a, packing, err) < 0 ? BROKEN : 0;
	if (rc == 0 && archive_read_open(a, source, NULL, archive_read, NULL) != ARCHIVE_OK) {
		archive_fault(a, err);
		rc = BROKEN;
	}
	if (rc == 0)
		rc = read_members(imp, a, &path, err);
	archive_read_free(a);
	sap_buf_clear(&path);
	return rc == BROKEN ? sap_import_failed(imp, name, err->code, err) : rc;
}

int sap_import_file(struct sap_importer *imp, int fd, struct sap_str name, struct sap_err *err)
{
	struct source source = { .fd = fd, .block = imp->block };
	struct sap_import_bytes bytes = { next_of_file, &source };
	enum packing packing;
	int rc = read_first_block(&source, err);

	if (rc < 0)
		return sap_import_failed(imp, name, rc, err);
	packing = packing_of((struct sap_str){ (const char *)source.block, source.have });
	if (packing == PLAIN)
		return sap_import_document(imp, name, NULL, &bytes, err);
	return read_packed(imp, &source, packing, name, err);
}

/* ---- folders ---------------------------------------------------------------------------- */

struct names {
	struct sap_arena arena;
	SAP_VEC(const char *) list;
};

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int put_names(struct sap_importer *imp, DIR *dir, struct names *names, struct sap_err *err)
{
	struct dirent *entry;

	while (errno = 0, (entry = readdir(dir))) {
		const char **to, *name;

		if (entry->d_name[0] == '.')
			continue;
		if (++imp->entries > SAP_TREE_ENTRIES_MAX)
			return sap_err_set(err, SAP_ELIMIT, "there are too many files in it");
		name = sap_arena_cstr(&names->arena, sap_str_of(entry->d_name));
		to = name ? SAP_VEC_PUSH(&names->list, SAP_TREE_ENTRIES_MAX) : NULL;
		if (!to)
			return sap_err_nomem(err);
		*to = name;
	}
	if (errno != 0)
		return sap_err_sys(err, errno, "the folder cannot be read");
	if (names->list.n > 0)
		qsort(names->list.v, names->list.n, sizeof(*names->list.v), by_bytes);
	return 0;
}

static int list_names(struct sap_importer *imp, int fd, struct names *names, struct sap_err *err)
{
	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = own < 0 ? NULL : fdopendir(own);
	int rc;

	if (!dir) {
		rc = sap_err_sys(err, errno, "the folder cannot be opened");
		if (own >= 0)
			close(own);
		return rc;
	}
	rc = put_names(imp, dir, names, err);
	closedir(dir);
	return rc;
}

static int walk(struct sap_importer *imp, int fd, struct sap_buf *path, unsigned depth,
		struct sap_err *err);

/* What stands under a name; the descriptor tells what it really is. */
static int enter(struct sap_importer *imp, int folder, const char *name, struct sap_buf *path,
		 unsigned depth, struct sap_err *err)
{
	struct sap_str full = sap_buf_str(path);
	int sap_cleanup_fd fd = -1;
	struct stat st;

	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return sap_import_failed(imp, full,
					 sap_err_sys(err, errno, "it cannot be looked at"), err);
	if (S_ISLNK(st.st_mode)) {
		sap_import_unknown(imp, full, "a symbolic link, which is not followed");
		return 0;
	}
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)) {
		sap_import_unknown(imp, full, "neither a file nor a folder");
		return 0;
	}
	/* It may have changed meanwhile: to a link or a pipe, which must not hold us up. */
	fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return sap_import_failed(imp, full, sap_err_sys(err, errno, "it cannot be opened"),
					 err);
	if (S_ISDIR(st.st_mode))
		return walk(imp, fd, path, depth + 1, err);
	if (S_ISREG(st.st_mode))
		return sap_import_file(imp, fd, full, err);
	return 0;
}

static int walk(struct sap_importer *imp, int fd, struct sap_buf *path, unsigned depth,
		struct sap_err *err)
{
	struct names names = { 0 };
	const size_t above = path->n;
	int rc;

	if (depth > SAP_IMPORT_FOLDERS_MAX) {
		sap_import_unknown(imp, sap_buf_str(path), "too many folders inside folders");
		return 0;
	}
	sap_arena_init(&names.arena, 0);
	rc = list_names(imp, fd, &names, err);
	if (rc < 0)
		rc = sap_import_failed(imp, sap_buf_str(path), rc, err);
	for (size_t i = 0; rc == 0 && i < names.list.n; i++) {
		put_name(path, above, sap_str_of(names.list.v[i]));
		rc = sap_buf_ok(path) ? enter(imp, fd, names.list.v[i], path, depth, err)
				      : sap_err_nomem(err);
	}
	path->n = above;
	sap_vec_clear(&names.list);
	sap_arena_clear(&names.arena);
	return rc;
}

int sap_import_folder(struct sap_importer *imp, int fd, struct sap_str name, struct sap_err *err)
{
	struct sap_buf path;
	int rc;

	sap_buf_init(&path, SAP_IMPORT_LINE_MAX);
	sap_buf_puts(&path, name);
	rc = walk(imp, fd, &path, 1, err);
	sap_buf_clear(&path);
	return rc;
}
