/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of processes: by path inside their root, by what they have mapped; their build-ids.
 *
 * Nothing is opened for reading before it is known to be a regular file: a path of a target may
 * lead to a FIFO or a device.
 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "observe/snapshot_int.h"

/* A rename anywhere in the system makes the kernel give up on a path with ".." in it. */
enum { AGAIN_MAX = 16 };

uint64_t sap_statx_dev(const struct statx *st)
{
	return makedev(st->stx_dev_major, st->stx_dev_minor);
}

int64_t sap_statx_ctime(const struct statx *st)
{
	int64_t ns = st->stx_ctime.tv_sec * 1000000000 + st->stx_ctime.tv_nsec;

	return ns ? ns : 1; /* 0 stands for unknown */
}

int sap_look_stat(int dir, const char *name, int flags, struct statx *st)
{
	/* What is known without asking a server will do. */
	flags |= AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT;
	return statx(dir, name, flags, STATX_BASIC_STATS, st) < 0 ? -errno : 0;
}

static int open_in_root(struct sap_look *look, int root, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int fd = -1;

	errno = ENOSYS;
	for (unsigned i = 0; i < AGAIN_MAX && !look->no_openat2; i++) {
		fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
		if (fd >= 0)
			return fd;
		if (errno == ENOSYS || errno == EPERM) /* before 5.6; a seccomp filter */
			look->no_openat2 = true;
		else if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	/* Our own root is where the kernel resolves anyway. */
	if (!look->no_openat2 || root != look->root || strcmp(look->options.proc, "/proc") != 0)
		return -ENOSYS;
	fd = open(path, O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int sap_look_path(struct sap_look *look, int root, struct sap_str path, int *fd, struct statx *st)
{
	char text[SAP_PATH_MAX];
	int r;

	if (root < 0)
		return -ESRCH;
	if (path.n == 0 || path.p[0] != '/' || memchr(path.p, '\0', path.n))
		return -EINVAL;
	if (path.n >= sizeof(text))
		return -ENAMETOOLONG;
	memcpy(text, path.p, path.n);
	text[path.n] = '\0';
	r = open_in_root(look, root, text);
	if (r < 0)
		return r;
	*fd = r;
	r = sap_look_stat(*fd, "", AT_EMPTY_PATH, st);
	if (r < 0)
		sap_close_fd(fd);
	return r;
}

int sap_look_reopen(int fd)
{
	char name[40];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

int sap_root_open(int proc, int32_t pid, const struct sap_seen_root *want)
{
	char name[40];
	struct statx st;
	int fd;

	snprintf(name, sizeof(name), "%d/root", (int)pid);
	fd = openat(proc, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && (sap_look_stat(fd, "", AT_EMPTY_PATH, &st) < 0 ||
			sap_statx_dev(&st) != want->dev || st.stx_ino != want->ino))
		sap_close_fd(&fd);
	return fd;
}

int sap_look_root(struct sap_look *look, uint32_t root)
{
	const struct sap_evidence *e = look->e;
	const struct sap_seen_root *want = &e->roots.v[root];

	if (root == 0)
		return look->root;
	if (look->other >= 0 && look->other_index == root)
		return look->other;
	sap_close_fd(&look->other);
	look->other_index = root;
	look->other = sap_root_open(look->proc, want->pid, want);
	for (size_t i = 0; i < e->processes.n && look->other < 0; i++) {
		const struct sap_seen_process *p = &e->processes.v[i];

		if (!sap_seen_free(p) && !p->ended && p->root == root && p->pid != want->pid)
			look->other = sap_root_open(look->proc, p->pid, want);
	}
	return look->other;
}

/* ---- build-ids --------------------------------------------------------------------------- */

struct notes {
	const struct sap_reader *reader;
	uint64_t left; /* bytes that may still be read */
	bool big;
	unsigned n; /* notes looked at */
};

static bool read_part(struct notes *in, uint64_t off, unsigned char *buf, uint64_t n)
{
	uint64_t got;

	if (n > in->left)
		return false;
	in->left -= n;
	return in->reader->read_at(in->reader, off, buf, n, &got, NULL) == 0 && got == n;
}

static uint64_t padded(uint64_t n, uint64_t align)
{
	return (n + align - 1) & ~(align - 1);
}

/* namesz descsz type name[] desc[], both padded to the alignment of the segment: 4, or 8. */
static bool find_note(struct notes *in, struct sap_span notes, uint64_t align,
		      struct sap_span *desc)
{
	enum { NT_GNU_BUILD_ID = 3, HEAD = 12 };
	uint64_t off = 0, at;
	uint32_t name_n, desc_n, type;
	struct sap_span name;

	for (; in->n < SAP_BUILD_ID_NOTES_MAX; in->n++) {
		if (!sap_span_u32(notes, off, in->big, &name_n) ||
		    !sap_span_u32(notes, off + 4, in->big, &desc_n) ||
		    !sap_span_u32(notes, off + 8, in->big, &type))
			return false;
		at = off + padded((uint64_t)HEAD + name_n, align);
		if (!sap_span_sub(notes, off + HEAD, name_n, &name) ||
		    !sap_span_sub(notes, at, desc_n, desc))
			return false;
		if (type == NT_GNU_BUILD_ID && name_n == 4 && memcmp(name.p, "GNU", 4) == 0)
			return desc_n > 0 && desc_n <= SAP_BUILD_ID_MAX;
		off = at + padded(desc_n, align);
	}
	return false;
}

struct program_header {
	uint32_t type;
	uint64_t offset, size, align;
};

static bool parse_phdr(struct sap_span p, bool wide, bool big, struct program_header *out)
{
	uint32_t off, size, align;

	if (!sap_span_u32(p, 0, big, &out->type))
		return false;
	if (wide)
		return sap_span_u64(p, 8, big, &out->offset) &&
		       sap_span_u64(p, 32, big, &out->size) &&
		       sap_span_u64(p, 48, big, &out->align);
	if (!sap_span_u32(p, 4, big, &off) || !sap_span_u32(p, 16, big, &size) ||
	    !sap_span_u32(p, 28, big, &align))
		return false;
	out->offset = off;
	out->size = size;
	out->align = align;
	return true;
}

static bool read_notes(struct notes *in, struct sap_span head, uint64_t head_n, bool wide,
		       struct sap_span *desc, unsigned char *buf)
{
	enum { PT_NOTE = 4 };
	const uint64_t size = wide ? 56 : 32;
	struct program_header ph;
	uint64_t phoff = 0, align;
	uint32_t low = 0;
	uint16_t n, entry;
	struct sap_span part;

	if (!(wide ? sap_span_u64(head, 32, in->big, &phoff)
		   : sap_span_u32(head, 28, in->big, &low)) ||
	    !sap_span_u16(head, wide ? 54 : 42, in->big, &entry) ||
	    !sap_span_u16(head, wide ? 56 : 44, in->big, &n) || entry < size)
		return false;
	phoff += low;
	for (uint64_t i = 0; i < n && i < SAP_ELF_PHDRS_MAX; i++) {
		unsigned char one[56];
		uint64_t at = phoff + i * entry;

		if (at < phoff)
			return false;
		/* Nearly always all of it is in the first page. */
		if (!sap_span_sub(head, at, size, &part)) {
			if (!read_part(in, at, one, size))
				return false;
			part = sap_span_of(one, size);
		}
		if (!parse_phdr(part, wide, in->big, &ph))
			return false;
		if (ph.type != PT_NOTE || ph.size == 0)
			continue;
		align = ph.align == 8 ? 8 : 4;
		if (!sap_span_sub(head, ph.offset, ph.size, &part)) {
			if (ph.size > SAP_BUILD_ID_READ_MAX ||
			    !read_part(in, ph.offset, buf + head_n, ph.size))
				continue;
			part = sap_span_of(buf + head_n, ph.size);
		}
		if (find_note(in, part, align, desc))
			return true;
	}
	return false;
}

struct sap_str sap_build_id_read(const struct sap_reader *reader,
				 char hex[static 2 * SAP_BUILD_ID_MAX])
{
	enum { FIRST = 4096 };
	static const char digits[] = "0123456789abcdef";
	unsigned char buf[SAP_BUILD_ID_READ_MAX + FIRST];
	struct notes in = { .reader = reader, .left = SAP_BUILD_ID_READ_MAX };
	struct sap_span head, desc;
	struct sap_str none = { 0 };
	uint64_t got;

	if (reader->read_at(reader, 0, buf, FIRST, &got, NULL) < 0 || got < 52 ||
	    memcmp(buf, "\177ELF", 4) != 0 || buf[4] < 1 || buf[4] > 2 || buf[5] < 1 || buf[5] > 2)
		return none;
	in.left -= got;
	in.big = buf[5] == 2;
	head = sap_span_of(buf, got);
	if (!read_notes(&in, head, FIRST, buf[4] == 2, &desc, buf))
		return none;
	for (uint64_t i = 0; i < desc.n; i++) {
		hex[2 * i] = digits[desc.p[i] >> 4];
		hex[2 * i + 1] = digits[desc.p[i] & 15];
	}
	return (struct sap_str){ hex, (size_t)desc.n * 2 };
}

int sap_look_build_id(struct sap_evidence *e, int fd, struct sap_str *out, struct sap_err *err)
{
	char hex[2 * SAP_BUILD_ID_MAX];
	struct sap_reader reader = sap_reader_fd(fd, UINT64_MAX);
	struct sap_str id = sap_build_id_read(&reader, hex);

	return sap_evidence_text(e, id, out) ? 0 : sap_err_nomem(err);
}

/* ---- what a process has mapped ----------------------------------------------------------- */

void sap_map_files_name(const struct sap_proc_map *m, char name[static 64])
{
	snprintf(name, 64, "map_files/%llx-%llx", (unsigned long long)m->start,
		 (unsigned long long)m->end);
}

struct wanted {
	const struct sap_seen_file *file;
	int dir;
	int fd;
	struct sap_file_id id;
	int error; /* the errno that stood in the way */
};

/* Opens dir/name if that is the regular file that is wanted. sure: it is known to be that one,
 * whatever numbers the file system gives it. */
static bool take_file(struct wanted *w, int dir, const char *name, bool sure)
{
	sap_cleanup_fd int path = openat(dir, name, O_PATH | O_CLOEXEC);
	struct statx st;

	if (path < 0) {
		if (errno != ENOENT)
			w->error = errno;
		return false;
	}
	if (sap_look_stat(path, "", AT_EMPTY_PATH, &st) < 0 || !S_ISREG(st.stx_mode))
		return false;
	if (!sure && (sap_statx_dev(&st) != w->file->id.dev || st.stx_ino != w->file->id.ino))
		return false;
	w->fd = sap_look_reopen(path);
	if (w->fd < 0)
		w->error = errno;
	w->id = (struct sap_file_id){ sap_statx_dev(&st), st.stx_ino, sap_statx_ctime(&st) };
	return w->fd >= 0;
}

/* A mapping of the file: by the numbers of the kernel, or (file systems whose stat gives others)
 * by path and then stat's numbers. */
static int try_mapping(void *ctx, struct sap_str line, bool cut, struct sap_err *err)
{
	struct wanted *w = ctx;
	struct sap_proc_map m;
	struct sap_str path;
	char name[64];
	bool same;

	(void)err;
	if (cut || !sap_proc_map_parse(line, &m) || !sap_proc_map_counts(&m))
		return 0;
	same = m.dev == w->file->id.dev && m.ino == w->file->id.ino;
	path = m.path;
	if (!same && !sap_str_ends(path, w->file->path) &&
	    !(sap_proc_deleted(path, &path) && sap_str_ends(path, w->file->path)))
		return 0;
	sap_map_files_name(&m, name);
	return take_file(w, w->dir, name, same) ? 1 : 0;
}

static int open_by_map(struct wanted *w, int32_t pid, struct sap_err *err)
{
	sap_cleanup_fd int maps = openat(w->dir, "maps", O_RDONLY | O_CLOEXEC);
	char *buf;
	int r;

	if (maps < 0)
		return errno == ESRCH ? sap_err_set(err, SAP_ENOENT, "process %d is gone", (int)pid)
				      : sap_err_sys(err, errno, "process %d: maps", (int)pid);
	buf = malloc(SAP_PROC_BUFFER);
	if (!buf)
		return sap_err_nomem(err);
	r = sap_proc_lines(maps, '\n', buf, SAP_PROC_MAPS_MAX, try_mapping, w, err);
	free(buf);
	return r == SAP_ELIMIT ? 0 : r;
}

/* Through the paths of the process's root and of ours. */
static bool open_by_path(struct wanted *w, const char *proc)
{
	static const char *const roots[] = { "root", "../self/root" };
	struct sap_look look = { .options.proc = proc, .root = -1 };

	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		sap_cleanup_fd int root =
			openat(w->dir, roots[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
		sap_cleanup_fd int fd = -1;
		struct statx st;
		char name[40];
		int r;

		if (root < 0)
			continue;
		look.root = i == 1 ? root : -1;
		r = sap_look_path(&look, root, w->file->path, &fd, &st);
		if (r < 0)
			continue;
		snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
		if (take_file(w, AT_FDCWD, name, false))
			return true;
	}
	return false;
}

int sap_snapshot_open(const char *proc, int32_t pid, const struct sap_seen_file *file, int *fd,
		      struct sap_file_id *id, struct sap_err *err)
{
	struct wanted w = { .file = file, .dir = -1, .fd = -1 };
	sap_cleanup_fd int dir = -1;
	char name[SAP_PATH_MAX];
	int r;

	if (!proc)
		proc = "/proc";
	r = snprintf(name, sizeof(name), "%s/%d", proc, (int)pid);
	if (r < 0 || (size_t)r >= sizeof(name))
		return sap_err_set(err, SAP_EUSAGE, "the path of /proc is too long");
	dir = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return sap_err_sys(err, errno, "process %d", (int)pid);
	w.dir = dir;
	r = open_by_map(&w, pid, err);
	if (r < 0 && r != SAP_EIO)
		return r;
	if (w.fd < 0 && !take_file(&w, dir, "exe", false) && !open_by_path(&w, proc)) {
		if (r < 0)
			return r;
		if (w.error)
			return sap_err_sys(err, w.error, "process %d: %.*s", (int)pid,
					   SAP_FMT(file->path));
		return sap_err_set(err, SAP_ENOENT, "process %d does not map %.*s any more",
				   (int)pid, SAP_FMT(file->path));
	}
	*fd = w.fd;
	*id = w.id;
	return 0;
}
