/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "fetch/fetch_int.h"

enum { PIECE = 256 * 1024 };

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

static void read_tag(struct sap_fetch_part *part)
{
	int sap_cleanup_fd fd =
		openat(part->dir, part->tag_file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? -1 : read(fd, part->tag, SAP_FETCH_TAG_MAX);

	part->tag[n > 0 ? n : 0] = '\0';
	if (!sap_fetch_tag_ok(sap_str_of(part->tag)) || part->tag[0] == 'W')
		part->tag[0] = '\0';
}

int sap_fetch_part_restart(struct sap_fetch_part *part, struct sap_err *err)
{
	part->size = 0;
	part->tag[0] = '\0';
	(void)unlinkat(part->dir, part->tag_file, 0); /* it may not be there */
	if (ftruncate(part->fd, 0) < 0 || lseek(part->fd, 0, SEEK_SET) < 0)
		return sap_err_sys(err, errno, "cannot empty %s", part->part);
	return 0;
}

int sap_fetch_part_reopen(struct sap_fetch_part *part, uint64_t max, struct sap_err *err)
{
	struct stat st;

	if (fstat(part->fd, &st) < 0)
		return sap_err_sys(err, errno, "cannot look at %s", part->part);
	part->size = (uint64_t)st.st_size;
	read_tag(part);
	if (!part->tag[0] || part->size > max)
		return sap_fetch_part_restart(part, err);
	if (lseek(part->fd, 0, SEEK_END) < 0)
		return sap_err_sys(err, errno, "cannot go to the end of %s", part->part);
	return 0;
}

int sap_fetch_part_open(struct sap_fetch_part *part, int dir, const char *name, uint64_t max,
			struct sap_err *err)
{
	*part = (struct sap_fetch_part){ .dir = dir, .fd = -1 };
	if (snprintf(part->name, sizeof(part->name), "%s", name) >= (int)sizeof(part->name) - 16)
		return sap_err_set(err, SAP_EUSAGE, "the name %s is too long", name);
	snprintf(part->part, sizeof(part->part), "%.230s.part", name);
	snprintf(part->tag_file, sizeof(part->tag_file), "%.230s.part.tag", name);
	part->fd =
		openat(dir, part->part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0644);
	if (part->fd < 0)
		return sap_err_sys(err, errno, "cannot write %s", part->part);
	return sap_fetch_part_reopen(part, max, err);
}

int sap_fetch_part_tag(struct sap_fetch_part *part, const char *tag, struct sap_err *err)
{
	bool strong = tag[0] == '"';
	int sap_cleanup_fd fd = -1;

	if (!strong) {
		part->tag[0] = '\0';
		(void)unlinkat(part->dir, part->tag_file, 0);
		return 0;
	}
	if (strcmp(part->tag, tag) == 0)
		return 0;
	snprintf(part->tag, sizeof(part->tag), "%s", tag);
	fd = openat(part->dir, part->tag_file,
		    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return sap_err_sys(err, errno, "cannot write %s", part->tag_file);
	return sap_fd_write_all(fd, tag, strlen(tag), err);
}

int sap_fetch_part_digest(struct sap_fetch_part *part, uint64_t bytes, char hex[65],
			  struct sap_err *err)
{
	uint8_t digest[SHA256_DIGEST_SIZE];
	unsigned char *piece sap_cleanup_free = malloc(PIECE);
	struct sha256_ctx ctx;
	uint64_t at = 0;

	if (!piece)
		return sap_err_nomem(err);
	sha256_init(&ctx);
	for (;;) {
		ssize_t n = pread(part->fd, piece, PIECE, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return sap_err_sys(err, errno, "cannot read %s", part->part);
		if (n == 0)
			break;
		sha256_update(&ctx, (size_t)n, piece);
		at += (uint64_t)n;
	}
	if (at != bytes)
		return sap_err_set(err, SAP_ECHANGED,
				   "%s has %llu bytes, %llu were received: does something else "
				   "write it?",
				   part->part, (unsigned long long)at, (unsigned long long)bytes);
	sha256_digest(&ctx, sizeof(digest), digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	return 0;
}

int sap_fetch_part_finish(struct sap_fetch_part *part, struct sap_err *err)
{
	if (fsync(part->fd) < 0)
		return sap_err_sys(err, errno, "cannot keep %s", part->part);
	if (renameat(part->dir, part->part, part->dir, part->name) < 0)
		return sap_err_sys(err, errno, "cannot rename %s", part->part);
	(void)unlinkat(part->dir, part->tag_file, 0);
	return 0;
}

void sap_fetch_part_close(struct sap_fetch_part *part, bool remove)
{
	struct stat st;

	/* An empty rest is of no use to anybody. */
	if (part->fd >= 0 && (remove || (fstat(part->fd, &st) == 0 && st.st_size == 0 &&
					 st.st_nlink > 0 && !part->tag[0]))) {
		(void)unlinkat(part->dir, part->part, 0);
		(void)unlinkat(part->dir, part->tag_file, 0);
	}
	sap_close_fd(&part->fd);
}
