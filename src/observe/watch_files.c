/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which file a mapping is of.
 *
 * The kernel tells device, inode, path and perhaps the build-id; the ctime that makes it an identity is
 * read from the path, and remembered: one that was told the same way a moment ago costs a
 * look into a table. Device numbers of mappings and of stat(2) may differ (overlayfs, btrfs): then the
 * inode or the build-id decides whether the path leads to the file.
 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/reader.h"
#include "observe/snapshot_int.h"
#include "observe/watch_int.h"

enum { FIRST_SLOTS = 256, BUILD_ID_KEPT = 20 };

/* ---- hashing ----------------------------------------------------------------------------- */

uint32_t sap_watch_mix(uint32_t h, uint64_t v)
{
	uint64_t x = (v ^ h) * 0x9e3779b97f4a7c15ULL;

	return (uint32_t)(x >> 32) ^ (uint32_t)(x >> 9);
}

/* Eight bytes at a time: paths of mappings are the most that is hashed here. */
uint32_t sap_watch_hash(struct sap_str s)
{
	uint64_t h = s.n, v;
	size_t at = 0;

	for (; s.n - at >= sizeof(v); at += sizeof(v)) {
		memcpy(&v, s.p + at, sizeof(v));
		h = (h ^ v) * 0x9e3779b97f4a7c15ULL;
		h ^= h >> 29;
	}
	v = 0;
	if (s.n > at)
		memcpy(&v, s.p + at, s.n - at);
	return sap_watch_mix((uint32_t)(h >> 32), h ^ v);
}

uint32_t sap_watch_table_next(const struct sap_watch_table *t, uint32_t hash, uint32_t *at)
{
	while (t->size) {
		const struct sap_watch_slot *slot = &t->v[*at & (t->size - 1)];

		if (slot->index == 0)
			break;
		++*at;
		if (slot->hash == hash)
			return slot->index - 1;
	}
	return SAP_NONE;
}

static void put(struct sap_watch_table *t, struct sap_watch_slot slot)
{
	uint32_t at = slot.hash & (t->size - 1);

	while (t->v[at].index)
		at = (at + 1) & (t->size - 1);
	t->v[at] = slot;
}

bool sap_watch_table_add(struct sap_watch_table *t, uint32_t hash, uint32_t index)
{
	struct sap_watch_table bigger = { .size = t->size ? t->size * 2 : FIRST_SLOTS,
					  .used = t->used };

	if (t->used >= t->size / 2) {
		bigger.v = calloc(bigger.size, sizeof(*bigger.v));
		if (!bigger.v)
			return false;
		for (uint32_t i = 0; i < t->size; i++)
			if (t->v[i].index)
				put(&bigger, t->v[i]);
		free(t->v);
		*t = bigger;
	}
	put(t, (struct sap_watch_slot){ hash, index + 1 });
	t->used++;
	return true;
}

/* ---- paths ------------------------------------------------------------------------------- */

struct sap_file_id sap_watch_id(const struct stat *st)
{
	return (struct sap_file_id){ .dev = st->st_dev,
				     .ino = st->st_ino,
				     .ctime = (int64_t)st->st_ctim.tv_sec * 1000000000 +
					      st->st_ctim.tv_nsec };
}

static int open_in(int root, struct sap_str path, struct stat *st)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC,
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	char name[SAP_PATH_MAX + 1];
	int fd;

	if (path.n == 0 || path.n > SAP_PATH_MAX || memchr(path.p, '\0', path.n))
		return -1;
	memcpy(name, path.p, path.n);
	name[path.n] = '\0';
	fd = (int)syscall(SYS_openat2, root, name, &how, sizeof(how));
	if (fd >= 0 && fstat(fd, st) < 0)
		sap_close_fd(&fd);
	return fd;
}

int sap_watch_path(const struct sap_watch *w, uint32_t root, int32_t pid, struct sap_str path,
		   struct stat *st)
{
	int sap_cleanup_fd top = -1;

	if (root == 0 && w->root_fd >= 0)
		return open_in(w->root_fd, path, st);
	if (pid > 0)
		top = sap_root_open(w->proc_fd, pid, &w->e->roots.v[root]);
	if (top < 0 && w->e->roots.v[root].pid > 0)
		top = sap_root_open(w->proc_fd, w->e->roots.v[root].pid, &w->e->roots.v[root]);
	return top < 0 ? -1 : open_in(top, path, st);
}

int sap_watch_reopen(int path_fd)
{
	char name[64];
	struct stat st;

	if (fstat(path_fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -1;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", path_fd);
	return open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

/* ---- build-ids ---------------------------------------------------------------------------- */

static unsigned digit(char c)
{
	return (unsigned)(c >= 'a' ? c - 'a' + 10 : c - '0') & 15;
}

uint32_t sap_watch_build_id(int fd, unsigned char out[BUILD_ID_KEPT])
{
	char hex[2 * SAP_BUILD_ID_MAX];
	struct sap_reader reader;
	struct sap_str text;
	struct stat st;
	uint32_t n;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size < 0)
		return 0;
	reader = sap_reader_fd(fd, (uint64_t)st.st_size);
	text = sap_build_id_read(&reader, hex);
	n = (uint32_t)(text.n / 2);
	if (n > BUILD_ID_KEPT)
		n = BUILD_ID_KEPT;
	for (uint32_t i = 0; i < n; i++)
		out[i] = (unsigned char)(digit(text.p[2 * i]) << 4 | digit(text.p[2 * i + 1]));
	return n;
}

/* What was told, else what stands in the file. */
static struct sap_str build_id_text(const struct sap_watch_known *k, int path_fd,
				    char hex[2 * SAP_BUILD_ID_MAX])
{
	static const char digits[] = "0123456789abcdef";
	struct sap_str text = { hex, 0 };
	int sap_cleanup_fd fd = -1;
	struct sap_reader reader;
	struct stat st;

	for (uint32_t i = 0; i < k->n_build_id; i++) {
		hex[text.n++] = digits[k->build_id[i] >> 4];
		hex[text.n++] = digits[k->build_id[i] & 15];
	}
	if (text.n || path_fd < 0 || (fd = sap_watch_reopen(path_fd)) < 0 || fstat(fd, &st) < 0)
		return text;
	reader = sap_reader_fd(fd, (uint64_t)st.st_size);
	return sap_build_id_read(&reader, hex);
}

int sap_watch_set_build_id(struct sap_watch *w, uint32_t file, int path_fd,
			   const struct sap_watch_known *k, struct sap_err *err)
{
	struct sap_seen_file *f = &w->e->files.v[file];
	char hex[2 * SAP_BUILD_ID_MAX];

	if (f->build_id.n)
		return 0;
	return sap_evidence_text(w->e, build_id_text(k, path_fd, hex), &f->build_id)
		       ? 0
		       : sap_err_nomem(err);
}

/* ---- from what was told to the file ---------------------------------------------------------- */

static bool same_build_id(const struct sap_watch_known *k, int path_fd)
{
	unsigned char found[BUILD_ID_KEPT];
	int sap_cleanup_fd fd = sap_watch_reopen(path_fd);

	return sap_watch_build_id(fd, found) == k->n_build_id &&
	       memcmp(found, k->build_id, k->n_build_id) == 0;
}

/* Is what the path leads to the file that was mapped? */
static bool is_it(const struct sap_watch_known *k, const struct stat *st, int path_fd)
{
	if ((k->dev || k->ino) && st->st_ino == k->ino && (st->st_dev == k->dev || !k->n_build_id))
		return true;
	if (k->n_build_id)
		return same_build_id(k, path_fd);
	return !k->dev && !k->ino;
}

/* Through the mapping itself, which a living process may still have. */
static int open_mapping(const struct sap_watch *w, const struct sap_wire_map *m, struct stat *st)
{
	char name[96];
	int fd;

	snprintf(name, sizeof(name), "%d/map_files/%llx-%llx", m->pid, (unsigned long long)m->addr,
		 (unsigned long long)(m->addr + m->len));
	fd = openat(w->proc_fd, name, O_PATH | O_CLOEXEC);
	if (fd >= 0 && fstat(fd, st) < 0)
		sap_close_fd(&fd);
	return fd;
}

/* *fd: O_PATH, or -1 where the file is gone. */
static enum sap_stale look_at(const struct sap_watch *w, const struct sap_watch_task *t,
			      const struct sap_wire_map *m, const struct sap_watch_known *k,
			      struct sap_str path, int *fd, struct stat *st)
{
	enum sap_stale stale = SAP_STALE_DELETED;

	*fd = k->deleted ? -1 : sap_watch_path(w, t->root, t->pid, path, st);
	if (*fd >= 0) {
		if (is_it(k, st, *fd))
			return SAP_STALE_NO;
		sap_close_fd(fd);
		stale = SAP_STALE_REPLACED;
	}
	*fd = open_mapping(w, m, st);
	if (*fd >= 0 && !is_it(k, st, *fd))
		sap_close_fd(fd);
	/* DELETED is what the kernel said. */
	return *fd >= 0 || k->deleted ? stale : SAP_STALE_UNKNOWN;
}

/* A service with a mount namespace of its own mostly has the host's root in it all the same: where
 * the path leads to the same file from both, it is the host's (as in snapshot_maps.c). */
static bool is_host_path(const struct sap_watch *w, uint32_t root, struct sap_str path,
			 const struct stat *st)
{
	const struct sap_seen_root *host = &w->e->roots.v[0], *own = &w->e->roots.v[root];
	struct stat there;
	int fd;

	if (root == 0 || own->dev != host->dev || own->ino != host->ino)
		return false;
	fd = sap_watch_path(w, 0, 0, path, &there);
	if (fd < 0)
		return false;
	close(fd);
	return there.st_dev == st->st_dev && there.st_ino == st->st_ino;
}

/* Its entry. A ctime that has moved is not yet another file (a name more or less): the
 * build-id decides. */
static int enter(struct sap_watch *w, const struct sap_file_id *id, uint32_t root,
		 struct sap_str path, const struct sap_watch_known *k, int path_fd, uint32_t *file,
		 bool *added, struct sap_err *err)
{
	struct sap_file_id any = { .dev = id->dev, .ino = id->ino };
	struct sap_str known;
	char hex[2 * SAP_BUILD_ID_MAX];
	int r = sap_evidence_file(w->e, &any, root, path, file, added, err);

	if (r < 0 || id->ctime == 0)
		return r;
	known = w->e->files.v[*file].build_id;
	if (!*added && w->e->files.v[*file].id.ctime &&
	    w->e->files.v[*file].id.ctime != id->ctime && known.n &&
	    sap_str_eq(known, build_id_text(k, path_fd, hex)))
		return 0;
	if (*added)
		w->e->files.v[*file].id.ctime = id->ctime;
	else
		r = sap_evidence_file(w->e, id, root, path, file, added, err);
	return r;
}

static int resolve(struct sap_watch *w, struct sap_watch_task *t, const struct sap_wire_map *m,
		   struct sap_watch_known *k, struct sap_str path, struct sap_err *err)
{
	int sap_cleanup_fd fd = -1;
	enum sap_stale stale;
	struct sap_file_id id;
	struct stat st;
	uint32_t root = t->root;
	bool added = false, wanted;
	int r;

	stale = look_at(w, t, m, k, path, &fd, &st);
	/* Perhaps it lives in another root than it was believed to. */
	if (stale != SAP_STALE_NO && (t->first_exec || t->execed) &&
	    sap_watch_where(w, t, &wanted)) {
		if (t->rootless)
			return SAP_ELIMIT;
		if (t->root != root) {
			sap_close_fd(&fd);
			stale = look_at(w, t, m, k, path, &fd, &st);
		}
	}
	root = fd >= 0 && stale == SAP_STALE_NO && is_host_path(w, t->root, path, &st) ? 0
										       : t->root;
	id = fd >= 0 ? sap_watch_id(&st) : (struct sap_file_id){ .dev = k->dev, .ino = k->ino };
	r = enter(w, &id, root, path, k, fd, &k->file, &added, err);
	if (r < 0)
		return r;
	k->root = t->root;
	if (fd < 0 && added)
		w->e->losses.files++;
	k->path = w->e->files.v[k->file].path;
	if (added || w->e->files.v[k->file].stale == SAP_STALE_UNKNOWN)
		w->e->files.v[k->file].stale = (uint8_t)stale;
	r = sap_watch_set_build_id(w, k->file, fd, k, err);
	if (r == 0 && added)
		r = sap_watch_enqueue(w, k->file, m->pid, err);
	return r;
}

/* Is the file that the path led to a moment ago still there? Spares reading it again. */
static bool still(const struct sap_watch *w, const struct sap_watch_task *t,
		  const struct sap_watch_known *k)
{
	const struct sap_file_id *was = &w->e->files.v[k->file].id;
	struct sap_file_id id;
	struct stat st;
	int fd;

	if (k->deleted || was->ctime == 0)
		return false;
	fd = sap_watch_path(w, k->root, t->pid, k->path, &st);
	if (fd < 0)
		return false;
	close(fd);
	id = sap_watch_id(&st);
	return id.dev == was->dev && id.ino == was->ino && id.ctime == was->ctime;
}

static struct sap_watch_known *find_known(struct sap_watch *w, const struct sap_watch_known *k,
					  struct sap_str path, uint32_t hash)
{
	uint32_t at = hash;

	for (uint32_t i = sap_watch_table_next(&w->known_table, hash, &at); i != SAP_NONE;
	     i = sap_watch_table_next(&w->known_table, hash, &at)) {
		struct sap_watch_known *c = &w->known.v[i];

		if (c->ino == k->ino && c->dev == k->dev && c->root == k->root &&
		    c->deleted == k->deleted && c->n_build_id == k->n_build_id &&
		    memcmp(c->build_id, k->build_id, k->n_build_id) == 0 &&
		    sap_str_eq(c->path, path))
			return c;
	}
	return NULL;
}

static int keep_known(struct sap_watch *w, const struct sap_watch_known *k, uint32_t hash,
		      struct sap_err *err)
{
	struct sap_watch_known *to;

	if (w->known.n >= SAP_WATCH_KNOWN_MAX) {
		w->known.n = 0;
		w->known_table.used = 0;
		memset(w->known_table.v, 0, w->known_table.size * sizeof(*w->known_table.v));
	}
	to = SAP_VEC_PUSH(&w->known, SAP_WATCH_KNOWN_MAX);
	if (!to)
		return sap_err_nomem(err);
	*to = *k;
	if (sap_watch_table_add(&w->known_table, hash, (uint32_t)w->known.n - 1))
		return 0;
	w->known.n--;
	return sap_err_nomem(err);
}

int sap_watch_file(struct sap_watch *w, struct sap_watch_task *t, const struct sap_wire_map *m,
		   uint32_t *file, struct sap_err *err)
{
	struct sap_watch_known k = { .dev = m->dev,
				     .ino = m->ino,
				     .root = t->root,
				     .n_build_id = (uint8_t)m->n_build_id,
				     .checked = w->now_ms },
			       *have;
	struct sap_str path = { m->path, m->n_path };
	struct sap_proc_map line = {
		.dev = m->dev, .ino = m->ino, .executable = true, .path = path
	};
	uint32_t hash;
	int r;

	/* What the kernel says of a path above 4088 bytes. */
	if (sap_str_is(path, "//toolong"))
		w->e->losses.files++;
	if (path.n == 0 || path.p[0] != '/' || !sap_proc_map_counts(&line))
		return 0;
	/* memfd_create(2): what stands behind it belongs to the name; it never had a path. */
	k.deleted = sap_str_starts(path, SAP_STR("/memfd:")) && major(m->dev) == 0
			    ? sap_str_ends(path, SAP_STR(" (deleted)"))
			    : sap_proc_deleted(path, &path);
	memcpy(k.build_id, m->build_id, m->n_build_id);
	hash = sap_watch_mix(sap_watch_hash(path), m->ino ^ m->dev << 40 ^ (uint64_t)t->root << 20);
	have = find_known(w, &k, path, hash);
	if (have && w->now_ms - have->checked > WATCH_KNOWN_MS) {
		have->checked = w->now_ms;
		if (!still(w, t, have)) {
			r = resolve(w, t, m, have, path, err);
			if (r < 0)
				return r;
		}
	}
	if (!have) {
		r = resolve(w, t, m, &k, path, err);
		if (r == 0)
			r = keep_known(w, &k,
				       sap_watch_mix(sap_watch_hash(path),
						     m->ino ^ m->dev << 40 ^
							     (uint64_t)k.root << 20),
				       err);
		if (r < 0)
			return r;
	}
	*file = have ? have->file : k.file;
	return 0;
}
