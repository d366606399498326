/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "fetch/fetch_int.h"

enum { PIECE = 256 * 1024, OPEN_TRIES = 16, LOCK_TRIES = 20, NAME_ROOM = 16 };

bool sap_fetch_tag_ok(struct sap_str tag)
{
	if (sap_str_starts(tag, SAP_STR("W/")))
		tag = sap_str_skip(tag, 2);
	if (tag.n < 2 || tag.p[0] != '"' || tag.p[tag.n - 1] != '"')
		return false;
	for (size_t i = 1; i + 1 < tag.n; i++) {
		unsigned char c = (unsigned char)tag.p[i];

		if (c <= 0x20 || c == '"' || c == 0x7f)
			return false;
	}
	return true;
}

/* ---- the tags ---------------------------------------------------------------------------- */

/* Links would lead elsewhere, files of others would change under our hands. */
static bool is_ours(const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_nlink == 1 && st->st_uid == geteuid();
}

/* For reading; -1 where it is not there, or not ours. */
static int open_ours(int dir, const char *name, struct stat *st)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);

	if (fd >= 0 && (fstat(fd, st) < 0 || !is_ours(st)))
		sap_close_fd(&fd);
	return fd;
}

/* A strong tag of this address, or nothing. */
static void read_tag(const struct sap_fetch_part *part, const char *file,
		     char out[SAP_FETCH_TAG_MAX + 1])
{
	char text[SAP_FETCH_TAG_MAX + SAP_FETCH_URL_MAX + 2];
	struct stat st;
	int sap_cleanup_fd fd = open_ours(part->dir, file, &st);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));
	struct sap_str rest = { text, n > 0 ? (size_t)n : 0 }, tag, url;

	out[0] = '\0';
	/* Without its last line feed it was cut off. */
	if (rest.n == 0 || text[rest.n - 1] != '\n' || !sap_str_line(&rest, &tag) ||
	    !sap_str_line(&rest, &url) || rest.n != 0)
		return;
	if (tag.n > SAP_FETCH_TAG_MAX || tag.p[0] != '"' || !sap_fetch_tag_ok(tag) ||
	    !sap_str_eq(url, sap_str_of(part->url)))
		return;
	memcpy(out, tag.p, tag.n);
	out[tag.n] = '\0';
}

static int write_tag(const struct sap_fetch_part *part, const char *tag, struct sap_err *err)
{
	char text[SAP_FETCH_TAG_MAX + SAP_FETCH_URL_MAX + 3];
	int n = snprintf(text, sizeof(text), "%s\n%s\n", tag, part->url);
	int sap_cleanup_fd fd = -1;

	(void)unlinkat(part->dir, part->part_tag, 0); /* it may not be there */
	fd = openat(part->dir, part->part_tag, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		    0644);
	if (fd < 0)
		return sap_err_sys(err, errno, "cannot write %s", part->part_tag);
	if (sap_fd_write_all(fd, text, (size_t)n, err) < 0)
		return sap_err_wrap(err, "%s", part->part_tag);
	return 0;
}

/* NAME, where it came whole and nobody has taken it over. */
static void see_kept(struct sap_fetch_part *part)
{
	struct stat st;
	int sap_cleanup_fd fd = open_ours(part->dir, part->name, &st);

	part->kept[0] = '\0';
	if (fd >= 0 && (uint64_t)st.st_size <= part->max)
		read_tag(part, part->name_tag, part->kept);
}

/* ---- opening ------------------------------------------------------------------------------ */

/* The process that wrote it may have been killed just now: it is given a moment to go. */
static int lock(const struct sap_fetch_part *part, int fd, struct sap_err *err)
{
	const struct timespec moment = { .tv_nsec = 100000000 };

	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return sap_err_sys(err, errno, "cannot lock %s", part->part);
		if (i == LOCK_TRIES)
			return sap_err_set(err, SAP_EIO, "%s is being written by another transfer",
					   part->part);
		nanosleep(&moment, NULL);
	}
	return 0;
}

/* 1: it is there, ours and locked; 0: again, something was in the way. */
static int try_open(struct sap_fetch_part *part, struct sap_err *err)
{
	const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK;
	int sap_cleanup_fd fd = openat(part->dir, part->part, flags);
	struct stat st, now;
	int r;

	if (fd < 0 && errno == ENOENT) {
		fd = openat(part->dir, part->part, flags | O_CREAT | O_EXCL, 0644);
		if (fd < 0 && errno == EEXIST)
			return 0;
		if (fd < 0)
			return sap_err_sys(err, errno, "cannot write %s", part->part);
	}
	if (fd < 0 || fstat(fd, &st) < 0 || !is_ours(&st)) {
		if (unlinkat(part->dir, part->part, 0) < 0 && errno != ENOENT)
			return sap_err_sys(err, errno, "cannot write %s, nor remove it",
					   part->part);
		return 0;
	}
	r = lock(part, fd, err);
	if (r < 0)
		return r;
	/* Whoever had the lock may have finished and renamed it. */
	if (fstatat(part->dir, part->part, &now, AT_SYMLINK_NOFOLLOW) < 0 ||
	    now.st_dev != st.st_dev || now.st_ino != st.st_ino)
		return 0;
	part->fd = sap_steal_fd(&fd);
	return 1;
}

int sap_fetch_part_open(struct sap_fetch_part *part, const struct sap_fetch_request *request,
			struct sap_err *err)
{
	int r = 0;

	*part = (struct sap_fetch_part){
		.dir = request->dir, .url = request->url, .max = request->max_bytes, .fd = -1
	};
	if (strlen(request->name) >= sizeof(part->name) - NAME_ROOM)
		return sap_err_set(err, SAP_EUSAGE, "the name %s is too long", request->name);
	snprintf(part->name, sizeof(part->name), "%s", request->name);
	snprintf(part->name_tag, sizeof(part->name_tag), "%.240s.tag", part->name);
	snprintf(part->part, sizeof(part->part), "%.240s.part", part->name);
	snprintf(part->part_tag, sizeof(part->part_tag), "%.240s.part.tag", part->name);
	for (int i = 0; r == 0 && i < OPEN_TRIES; i++)
		r = try_open(part, err);
	if (r == 0)
		return sap_err_set(err, SAP_EIO, "%s is always being replaced", part->part);
	return r < 0 ? r : sap_fetch_part_reopen(part, err);
}

int sap_fetch_part_reopen(struct sap_fetch_part *part, struct sap_err *err)
{
	struct stat st;

	if (fstat(part->fd, &st) < 0)
		return sap_err_sys(err, errno, "cannot look at %s", part->part);
	see_kept(part);
	part->size = (uint64_t)st.st_size;
	read_tag(part, part->part_tag, part->tag);
	if (!part->tag[0] || part->size == 0 || part->size > part->max)
		return sap_fetch_part_restart(part, err);
	if (lseek(part->fd, 0, SEEK_END) < 0)
		return sap_err_sys(err, errno, "cannot go to the end of %s", part->part);
	return 0;
}

/* ---- writing ------------------------------------------------------------------------------ */

int sap_fetch_part_restart(struct sap_fetch_part *part, struct sap_err *err)
{
	part->size = 0;
	part->tag[0] = '\0';
	(void)unlinkat(part->dir, part->part_tag, 0); /* it may not be there */
	if (ftruncate(part->fd, 0) < 0 || lseek(part->fd, 0, SEEK_SET) < 0)
		return sap_err_sys(err, errno, "cannot empty %s", part->part);
	return 0;
}

int sap_fetch_part_begin(struct sap_fetch_part *part, const char *tag, struct sap_err *err)
{
	int r = sap_fetch_part_restart(part, err);

	if (r < 0)
		return r;
	part->kept[0] = '\0';
	(void)unlinkat(part->dir, part->name_tag, 0);
	if (tag[0] != '"')
		return 0;
	snprintf(part->tag, sizeof(part->tag), "%s", tag);
	return write_tag(part, tag, err);
}

static int digest_fd(int fd, const char *name, uint64_t *bytes, char hex[65], struct sap_err *err)
{
	uint8_t digest[SHA256_DIGEST_SIZE];
	unsigned char *piece sap_cleanup_free = malloc(PIECE);
	struct sha256_ctx ctx;
	uint64_t at = 0;

	if (!piece)
		return sap_err_nomem(err);
	sha256_init(&ctx);
	for (;;) {
		ssize_t n = pread(fd, piece, PIECE, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return sap_err_sys(err, errno, "cannot read %s", name);
		if (n == 0)
			break;
		sha256_update(&ctx, (size_t)n, piece);
		at += (uint64_t)n;
	}
	sha256_digest(&ctx, sizeof(digest), digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	*bytes = at;
	return 0;
}

int sap_fetch_part_digest(struct sap_fetch_part *part, uint64_t bytes, char hex[65],
			  struct sap_err *err)
{
	uint64_t there = 0;
	int r = digest_fd(part->fd, part->part, &there, hex, err);

	if (r == 0 && there != bytes)
		return sap_err_set(err, SAP_ECHANGED,
				   "%s has %llu bytes, %llu were received: does something else "
				   "write it?",
				   part->part, (unsigned long long)there,
				   (unsigned long long)bytes);
	return r;
}

int sap_fetch_part_finish(struct sap_fetch_part *part, struct sap_err *err)
{
	if (fsync(part->fd) < 0)
		return sap_err_sys(err, errno, "cannot keep %s", part->part);
	if (renameat(part->dir, part->part, part->dir, part->name) < 0)
		return sap_err_sys(err, errno, "cannot rename %s", part->part);
	/* Only for the case that nobody takes the file over: no matter if it fails. */
	(void)renameat(part->dir, part->part_tag, part->dir, part->name_tag);
	return 0;
}

int sap_fetch_part_kept(const struct sap_fetch_part *part, uint64_t *bytes, char hex[65],
			struct sap_err *err)
{
	struct stat st;
	int sap_cleanup_fd fd = open_ours(part->dir, part->name, &st);

	if (fd < 0)
		return sap_err_set(err, SAP_ECHANGED, "%s is gone", part->name);
	return digest_fd(fd, part->name, bytes, hex, err);
}

void sap_fetch_part_close(struct sap_fetch_part *part, bool remove)
{
	struct stat st;

	/* An empty rest is of no use to anybody; nor is one that cannot be resumed. */
	if (part->fd >= 0 && fstat(part->fd, &st) == 0 && st.st_nlink > 0 &&
	    (remove || st.st_size == 0 || !part->tag[0])) {
		struct stat now;

		if (fstatat(part->dir, part->part, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
		    now.st_ino == st.st_ino && now.st_dev == st.st_dev) {
			(void)unlinkat(part->dir, part->part, 0);
			(void)unlinkat(part->dir, part->part_tag, 0);
		}
	}
	sap_close_fd(&part->fd);
}
