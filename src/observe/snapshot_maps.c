/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which files a process has mapped. Each line of maps that was seen before (same root, device,
 * inode and text) is known; a new one is looked at:
 *
 *   1. what is mapped:       stat of /proc/PID/map_files/RANGE, which leads to the file itself; without
 *                            the right to follow it, the numbers of the line
 *   2. what its path leads to now, inside the root of the process
 *   3. both together say whether it is stale
 *
 * The kernel writes the path as it is seen from our own root: a process in a chroot has its root
 * folder before it, and what it mapped before it went there lies outside of it. " (deleted)"
 * behind a path is the kernel's remark or a part of the name: where the whole text leads to the very file,
 * it is the name.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "observe/snapshot_int.h"

/* ---- what is known ----------------------------------------------------------------------- */

static uint32_t hash_map(uint32_t root, const struct sap_proc_map *m)
{
	uint64_t h = 0xcbf29ce484222325ULL ^ m->ino ^ (m->dev << 32) ^ ((uint64_t)root << 48);

	for (size_t i = 0; i < m->path.n; i++)
		h = (h ^ (unsigned char)m->path.p[i]) * 0x100000001b3ULL;
	return (uint32_t)(h ^ h >> 32);
}

static const struct sap_known *find_known(const struct sap_look *look, uint32_t hash, uint32_t root,
					  const struct sap_proc_map *m)
{
	const uint32_t mask = look->n_slots - 1;

	if (!look->n_slots)
		return NULL;
	for (uint32_t at = hash & mask; look->slots[at]; at = (at + 1) & mask) {
		const struct sap_known *k = &look->known.v[look->slots[at] - 1];

		if (k->hash == hash && k->root == root && k->dev == m->dev && k->ino == m->ino &&
		    sap_str_eq(k->path, m->path))
			return k;
	}
	return NULL;
}

static bool grow_slots(struct sap_look *look)
{
	const uint32_t size = look->n_slots ? look->n_slots * 2 : 1024;
	uint32_t *slots = calloc(size, sizeof(*slots));

	if (!slots)
		return false;
	for (uint32_t i = 0; i < look->known.n; i++) {
		uint32_t at = look->known.v[i].hash & (size - 1);

		while (slots[at])
			at = (at + 1) & (size - 1);
		slots[at] = i + 1;
	}
	free(look->slots);
	look->slots = slots;
	look->n_slots = size;
	return true;
}

static int add_known(struct sap_look *look, uint32_t hash, uint32_t root,
		     const struct sap_proc_map *m, uint32_t file, struct sap_err *err)
{
	struct sap_known *k;
	uint32_t at;

	if (look->known.n >= look->n_slots / 2 && !grow_slots(look))
		return sap_err_nomem(err);
	k = SAP_VEC_PUSH(&look->known, SAP_EVIDENCE_USES_MAX);
	if (!k || !sap_arena_str(&look->arena, m->path, &k->path))
		return sap_err_nomem(err);
	k->hash = hash;
	k->root = root;
	k->dev = m->dev;
	k->ino = m->ino;
	k->file = file;
	for (at = hash & (look->n_slots - 1); look->slots[at]; at = (at + 1) & (look->n_slots - 1))
		;
	look->slots[at] = (uint32_t)look->known.n;
	return 0;
}

/* ---- where a path counts ----------------------------------------------------------------- */

/* A mapped file while it is looked at. */
struct sight {
	struct sap_file_id id;
	bool sure;           /* the identity is stat's of the file itself */
	uint32_t links;      /* with sure: its names */
	struct sap_str path; /* in its root */
	uint32_t root;
	uint8_t stale;
	int now; /* O_PATH of what the path leads to; -1 */
	struct statx now_st;
};

static int task_root_fd(struct sap_task *t)
{
	if (t->root_fd < 0)
		t->root_fd = openat(t->dir, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return t->root_fd;
}

/* The path inside the root of the process; false: it is not in there. */
static bool inside(const struct sap_task *t, struct sap_str path, struct sap_str *out)
{
	const struct sap_str link = t->root_link;

	*out = path;
	if (t->root == 0 || link.n <= 1)
		return true;
	if (!sap_str_starts(path, link) || path.n == link.n || path.p[link.n] != '/')
		return false;
	*out = sap_str_skip(path, link.n);
	return true;
}

static bool is_whole_root(struct sap_look *look, int32_t pid)
{
	struct sap_str link;
	char name[40], text[8];

	snprintf(name, sizeof(name), "%d/root", (int)pid);
	return sap_proc_link(look->proc, name, text, sizeof(text), &link) == 0 &&
	       sap_str_is(link, "/");
}

/* The root folder of the whole mount namespace, as some process has it. SAP_NONE: nobody. */
static uint32_t outer_root(struct sap_look *look, const struct sap_task *t)
{
	const struct sap_evidence *e = look->e;

	if (e->roots.v[0].mnt_ns == t->mnt_ns)
		return 0;
	for (uint32_t i = 1; i < e->roots.n; i++)
		if (i != t->root && e->roots.v[i].mnt_ns == t->mnt_ns &&
		    is_whole_root(look, e->roots.v[i].pid))
			return i;
	return SAP_NONE;
}

static bool same_place(const struct statx *a, const struct statx *b)
{
	return sap_statx_dev(a) == sap_statx_dev(b) && a->stx_ino == b->stx_ino;
}

/* A service with a mount namespace of its own mostly has the host's root in it all the same:
 * where a path leads to the same thing from both, it is the host's. */
static bool is_host_path(struct sap_look *look, uint32_t root, struct sap_str path, int found,
			 const struct statx *st)
{
	const struct sap_seen_root *host = &look->e->roots.v[0], *own = &look->e->roots.v[root];
	sap_cleanup_fd int fd = -1;
	struct statx host_st;
	int r;

	if (root == 0 || own->dev != host->dev || own->ino != host->ino)
		return false;
	r = sap_look_path(look, look->root, path, &fd, &host_st);
	return found == 0 ? r == 0 && same_place(st, &host_st) : r == found;
}

/* Nobody is known who has the whole of that mount namespace. If the path leads to the very file
 * from the host's root, it is the host's; else nothing can be said. */
static int look_at_host(struct sap_look *look, const struct sap_task *t, struct sight *s)
{
	if (sap_look_path(look, look->root, s->path, &s->now, &s->now_st) == 0 &&
	    s->now_st.stx_ino == s->id.ino && sap_statx_dev(&s->now_st) == s->id.dev) {
		s->root = 0;
		return 0;
	}
	sap_close_fd(&s->now);
	s->root = t->root;
	return -ESRCH;
}

/* What the text leads to now: sets root, path, now. 0 or -errno. */
static int look_there(struct sap_look *look, struct sap_task *t, struct sap_str text,
		      struct sight *s)
{
	int r;

	sap_close_fd(&s->now);
	s->path = text;
	s->root = t->root;
	if (inside(t, text, &s->path)) {
		r = sap_look_path(look, t->root ? task_root_fd(t) : look->root, s->path, &s->now,
				  &s->now_st);
	} else {
		s->root = outer_root(look, t);
		if (s->root == SAP_NONE)
			return look_at_host(look, t, s);
		r = sap_look_path(look, sap_look_root(look, s->root), s->path, &s->now, &s->now_st);
	}
	if (is_host_path(look, s->root, s->path, r, &s->now_st))
		s->root = 0;
	return r;
}

/* ---- what it is -------------------------------------------------------------------------- */

/* The text leads to the file that is mapped. Some file systems (btrfs, overlayfs) give stat
 * other numbers than they give maps, always with a device of major number 0: there the kernel's
 * word that the path is not deleted has to do. */
static bool leads_to_it(const struct sight *s, bool deleted)
{
	if (s->now_st.stx_ino == s->id.ino && sap_statx_dev(&s->now_st) == s->id.dev)
		return true;
	return !s->sure && !deleted && s->now_st.stx_dev_major == 0 && major(s->id.dev) == 0;
}

static void settle(struct sight *s, int r, bool deleted)
{
	if (r == 0 && leads_to_it(s, deleted)) {
		s->stale = SAP_STALE_NO;
		if (!s->sure)
			s->id = (struct sap_file_id){ sap_statx_dev(&s->now_st), s->now_st.stx_ino,
						      sap_statx_ctime(&s->now_st) };
	} else if (r == 0) {
		s->stale = SAP_STALE_REPLACED;
	} else if (r == -ENOENT || r == -ENOTDIR || r == -ELOOP) {
		s->stale = SAP_STALE_DELETED;
	} else {
		s->stale = SAP_STALE_UNKNOWN;
	}
}

/* The path and whether it is stale. */
static void look_at_path(struct sap_look *look, struct sap_task *t, struct sap_str text,
			 struct sight *s)
{
	struct sap_str stripped;
	const bool deleted = sap_proc_deleted(text, &stripped);
	int r;

	if (deleted && sap_str_starts(text, SAP_STR("/memfd:")) && major(s->id.dev) == 0) {
		s->path = text; /* memfd_create(2): it never had a path */
		s->root = t->root;
		s->stale = SAP_STALE_DELETED;
		return;
	}
	r = look_there(look, t, text, s);
	settle(s, r, deleted);
	if (!deleted || s->stale == SAP_STALE_NO)
		return;
	r = look_there(look, t, stripped, s);
	settle(s, r, true);
}

/* A backslash in the text of maps is itself or the beginning of \012. The link of map_files
 * says which; without it, what leads to the file. */
static void look_at_escaped(struct sap_look *look, struct sap_task *t, const char *link,
			    struct sap_str text, struct sight *s, char buf[static SAP_PATH_MAX])
{
	struct sap_str exact;

	if (link && sap_proc_link(t->dir, link, buf, SAP_PATH_MAX, &exact) == 0 && exact.n) {
		look_at_path(look, t, exact, s);
		return;
	}
	look_at_path(look, t, text, s);
	if (s->stale != SAP_STALE_NO && text.n <= SAP_PATH_MAX)
		look_at_path(look, t, sap_proc_unescape(text, buf), s);
}

/* ---- into the evidence ------------------------------------------------------------------- */

static int read_build_id(struct sap_look *look, const struct sap_task *t, const char *link,
			 const struct sight *s, struct sap_str *out, struct sap_err *err)
{
	sap_cleanup_fd int fd = -1;

	*out = (struct sap_str){ 0 };
	if (s->sure && link) {
		sap_cleanup_fd int path = openat(t->dir, link, O_PATH | O_CLOEXEC);
		struct statx st;

		if (path >= 0 && sap_look_stat(path, "", AT_EMPTY_PATH, &st) == 0 &&
		    S_ISREG(st.stx_mode) && st.stx_ino == s->id.ino &&
		    sap_statx_dev(&st) == s->id.dev)
			fd = sap_look_reopen(path);
	} else if (s->stale == SAP_STALE_NO && s->now >= 0) {
		fd = sap_look_reopen(s->now);
	}
	return fd < 0 ? 0 : sap_look_build_id(look->e, fd, out, err);
}

static int read_new_build_id(struct sap_look *look, int now, const struct statx *st,
			     struct sap_str *out, struct sap_err *err)
{
	sap_cleanup_fd int fd = -1;

	*out = (struct sap_str){ 0 };
	if (now >= 0 && S_ISREG(st->stx_mode))
		fd = sap_look_reopen(now);
	return fd < 0 ? 0 : sap_look_build_id(look->e, fd, out, err);
}

/* Its entry. A ctime that has moved is not yet another file: taking away its last name moves it
 * too. With the same build-id, or no name left, it is the one that was known. */
static int enter(struct sap_look *look, const struct sight *s, struct sap_str build_id,
		 uint32_t *out, struct sap_err *err)
{
	struct sap_evidence *e = look->e;
	struct sap_file_id any = s->id;
	const struct sap_seen_file *f;
	bool added, same;
	int r;

	any.ctime = 0;
	r = sap_evidence_file(e, &any, s->root, s->path, out, &added, err);
	if (r < 0 || s->id.ctime == 0)
		return r;
	f = &e->files.v[*out];
	same = f->build_id.n ? sap_str_eq(f->build_id, build_id) : s->sure && s->links == 0;
	if (f->id.ctime && f->id.ctime != s->id.ctime && same)
		return 0;
	return sap_evidence_file(e, &s->id, s->root, s->path, out, &added, err);
}

static int record(struct sap_look *look, struct sap_task *t, const char *link, struct sight *s,
		  uint32_t *out, struct sap_err *err)
{
	struct sap_str build_id = { 0 }, new_build_id = { 0 };
	struct sap_seen_file *f;
	int r = 0;

	if (look->options.build_ids) {
		r = read_build_id(look, t, link, s, &build_id, err);
		if (r == 0 && s->stale == SAP_STALE_REPLACED)
			r = read_new_build_id(look, s->now, &s->now_st, &new_build_id, err);
	}
	if (r < 0)
		return r;
	r = enter(look, s, build_id, out, err);
	if (r < 0)
		return r;
	f = &look->e->files.v[*out];
	if (s->stale != SAP_STALE_UNKNOWN)
		f->stale = s->stale;
	if (build_id.n)
		f->build_id = build_id;
	if (s->stale != SAP_STALE_REPLACED)
		f->new_build_id = (struct sap_str){ 0 };
	else if (look->options.build_ids)
		f->new_build_id = new_build_id;
	return 0;
}

/* link: leads to the file itself (map_files/..., exe); NULL: there is none. *out SAP_NONE: no
 * regular file. */
static int identify(struct sap_look *look, struct sap_task *t, const struct sap_proc_map *m,
		    const char *link, uint32_t *out, struct sap_err *err)
{
	char buf[SAP_PATH_MAX];
	struct sight s = { .id = { m->dev, m->ino, 0 }, .now = -1 };
	struct statx st;
	int r = -EPERM;

	*out = SAP_NONE;
	if (link)
		r = sap_look_stat(t->dir, link, 0, &st);
	if (r == -EPERM && link && m->start)
		look->no_map_files = true;
	s.sure = r == 0;
	if (s.sure && !S_ISREG(st.stx_mode))
		return 0;
	if (s.sure) {
		s.id = (struct sap_file_id){ sap_statx_dev(&st), st.stx_ino, sap_statx_ctime(&st) };
		s.links = st.stx_nlink;
	}
	/* A start of 0: the text is a link's, which has no escapes. */
	if (m->start && memchr(m->path.p, '\\', m->path.n))
		look_at_escaped(look, t, t->thread ? NULL : link, m->path, &s, buf);
	else
		look_at_path(look, t, m->path, &s);
	r = 0;
	if (s.stale != SAP_STALE_NO || S_ISREG(s.now_st.stx_mode))
		r = record(look, t, link, &s, out, err);
	sap_close_fd(&s.now);
	return r;
}

/* ---- a process --------------------------------------------------------------------------- */

struct reading {
	struct sap_look *look;
	struct sap_task *t;
};

static int use_file(struct sap_look *look, struct sap_task *t, uint32_t file, struct sap_err *err)
{
	uint32_t *at;
	int r;

	if (t->files.n && t->files.v[t->files.n - 1] == file)
		return 0;
	at = SAP_VEC_PUSH(&t->files, SAP_EVIDENCE_USES_MAX);
	if (!at)
		return sap_err_nomem(err);
	*at = file;
	r = sap_evidence_use(look->e, file, t->process, SAP_USE_PROC, look->now, err);
	return r == SAP_ELIMIT ? 0 : r; /* it has been counted */
}

static int on_map(void *ctx, struct sap_str line, bool cut, struct sap_err *err)
{
	const struct reading *in = ctx;
	struct sap_look *look = in->look;
	struct sap_task *t = in->t;
	const struct sap_known *known;
	struct sap_proc_map m;
	char link[64];
	uint32_t hash, file;
	int r = 0;

	if (t->process == SAP_NONE)
		r = sap_task_begin(look, t, err);
	if (r < 0)
		return r;
	if (!sap_proc_map_parse(line, &m) || !sap_proc_map_counts(&m))
		return 0;
	if (cut) {
		look->e->losses.ceiling++;
		return 0;
	}
	hash = hash_map(t->root, &m);
	known = find_known(look, hash, t->root, &m);
	if (known) {
		file = known->file;
	} else {
		sap_map_files_name(&m, link);
		r = identify(look, t, &m, look->no_map_files || t->thread ? NULL : link, &file,
			     err);
		if (r < 0 && r != SAP_ELIMIT)
			return r;
		if (r < 0)
			file = SAP_NONE;
		r = add_known(look, hash, t->root, &m, file, err);
	}
	return r < 0 || file == SAP_NONE ? r : use_file(look, t, file, err);
}

int sap_task_maps(struct sap_look *look, struct sap_task *t, struct sap_err *err)
{
	sap_cleanup_fd int fd = openat(t->dir, "maps", O_RDONLY | O_CLOEXEC);
	struct reading in = { look, t };
	int r;

	if (fd < 0)
		return errno == ESRCH ? sap_err_set(err, SAP_ENOENT, "process %d is gone", t->pid)
				      : sap_err_sys(err, errno, "process %d: maps", t->pid);
	r = sap_proc_lines(fd, '\n', look->buf, SAP_PROC_MAPS_MAX, on_map, &in, err);
	if (r == SAP_ELIMIT && t->process != SAP_NONE) {
		look->e->losses.ceiling++;
		return 0;
	}
	/* It ended while it was read: what was there counts. */
	if (r == SAP_EIO && err->sys_errno == ESRCH)
		return t->process == SAP_NONE
			       ? sap_err_set(err, SAP_ENOENT, "process %d is gone", t->pid)
			       : 0;
	return r;
}

static uint32_t mapped_as(const struct sap_evidence *e, const struct sap_task *t,
			  const struct statx *st)
{
	for (size_t i = 0; i < t->files.n; i++) {
		const struct sap_file_id *id = &e->files.v[t->files.v[i]].id;

		if (id->dev == sap_statx_dev(st) && id->ino == st->stx_ino)
			return t->files.v[i];
	}
	return SAP_NONE;
}

int sap_task_exe(struct sap_look *look, struct sap_task *t, struct sap_err *err)
{
	struct sap_seen_process *p = &look->e->processes.v[t->process];
	struct sap_proc_map m = { .executable = true };
	char text[SAP_PATH_MAX];
	struct statx st;
	uint32_t file;
	int r;

	if (sap_look_stat(t->dir, "exe", 0, &st) < 0)
		return 0;
	file = mapped_as(look->e, t, &st);
	if (file == SAP_NONE) {
		if (sap_proc_link(t->dir, "exe", text, sizeof(text), &m.path) < 0)
			return 0;
		m.dev = sap_statx_dev(&st);
		m.ino = st.stx_ino;
		r = identify(look, t, &m, "exe", &file, err);
		if (r < 0)
			return r == SAP_ELIMIT ? 0 : r;
	}
	p->exe = file;
	if (file != SAP_NONE)
		look->e->files.v[file].is_program = true;
	return 0;
}

/* ---- stale ------------------------------------------------------------------------------- */

static int check_stale(struct sap_look *look, uint32_t file, struct sap_err *err)
{
	struct sap_seen_file *f = &look->e->files.v[file];
	struct sight s = { .id = f->id, .sure = f->id.ctime != 0, .now = -1 };
	struct sap_str stripped;
	int r;

	if (sap_str_starts(f->path, SAP_STR("/memfd:")) && sap_proc_deleted(f->path, &stripped))
		return 0;
	r = sap_look_path(look, sap_look_root(look, f->root), f->path, &s.now, &s.now_st);
	settle(&s, r, true);
	r = 0;
	/* Where it could not be looked at before, this may be the wrong root for it. */
	if (f->stale == SAP_STALE_UNKNOWN && s.stale != SAP_STALE_NO)
		s.stale = SAP_STALE_UNKNOWN;
	if (s.stale != SAP_STALE_UNKNOWN) {
		f->stale = s.stale;
		f->new_build_id = (struct sap_str){ 0 };
	}
	if (s.stale == SAP_STALE_REPLACED)
		r = read_new_build_id(look, s.now, &s.now_st, &f->new_build_id, err);
	sap_close_fd(&s.now);
	return r;
}

int sap_snapshot_stale(struct sap_evidence *e, const char *proc, struct sap_err *err)
{
	const struct sap_snapshot_options options = { .proc = proc, .build_ids = true };
	bool *done = calloc(e->files.n + 1, sizeof(*done));
	struct sap_look look;
	int r;

	if (!done)
		return sap_err_nomem(err);
	r = sap_look_init(&look, e, &options, err);
	for (size_t i = 0; r == 0 && i < e->uses.n; i++) {
		const struct sap_seen_use *use = &e->uses.v[i];

		if (use->file == SAP_NONE || done[use->file] || e->processes.v[use->process].ended)
			continue;
		done[use->file] = true;
		r = check_stale(&look, use->file, err);
	}
	sap_look_clear(&look);
	free(done);
	return r;
}
