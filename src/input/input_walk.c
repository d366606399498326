/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Path resolution inside a root without openat2(2): one component at a time, each opened
 * with O_PATH | O_NOFOLLOW, links read and put before the rest of the path, as
 * path_resolution(7) describes. ".." is opened as such, and believed only when it is the
 * very folder that the walk came from: a folder that is moved away meanwhile cannot lead
 * out of the root.
 *
 * One difference to the kernel remains: links in world-writable sticky folders are followed
 * whoever owns them (fs.protected_symlinks guards writers; nothing is written here).
 */
#include "input/input_int.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/vec.h"

#define PROC_ROOT_INO 1 /* inode of the root of every procfs */
/* Each text has fewer than SAP_PATH_MAX / 2 components, and there are so many texts. */
#define STEPS_MAX ((SAP_SYMLINKS_MAX + 1) * (SAP_PATH_MAX / 2))

struct step {
	uint64_t dev, ino;
	size_t canon_n; /* bytes of canon before this step's name */
};

struct walk {
	const struct sap_input *input;
	int cur;    /* what has been reached; -1 stands for the root */
	int parent; /* where cur was found, while `named`; -1 stands for the root */
	bool named; /* cur was opened as `name` in parent, not by "." or ".." */
	bool slash; /* a slash follows the component that led to cur */
	mode_t mode;
	SAP_VEC(struct step) steps;
	unsigned links;
	char *rest; /* what is left to walk, from pos on */
	size_t pos;
	char name[SAP_PATH_MAX];
	struct sap_buf *canon;
};

static int dir_of(const struct walk *w, int fd)
{
	return fd < 0 ? w->input->rootfd : fd;
}

static void walk_clear(struct walk *w)
{
	sap_close_fd(&w->cur);
	sap_close_fd(&w->parent);
	sap_vec_clear(&w->steps);
	free(w->rest);
}

/* Back to the root, for an absolute link. */
static void to_root(struct walk *w)
{
	sap_close_fd(&w->cur);
	sap_close_fd(&w->parent);
	w->steps.n = 0;
	w->named = false;
	w->mode = S_IFDIR;
	if (w->canon)
		sap_buf_reset(w->canon);
}

static int step_same(struct walk *w)
{
	/* Only for the errors: no folder, or no right to search it. */
	int sap_cleanup_fd fd = openat(dir_of(w, w->cur), ".", SAP_INPUT_LOOK | O_DIRECTORY);

	if (fd < 0)
		return -errno;
	sap_close_fd(&w->parent);
	w->named = false;
	return 0;
}

static int step_up(struct walk *w)
{
	struct stat st;
	uint64_t dev = w->input->root_dev, ino = w->input->root_ino;
	int sap_cleanup_fd fd = -1;

	if (w->steps.n == 0)
		return step_same(w);
	if (w->steps.n > 1) {
		dev = w->steps.v[w->steps.n - 2].dev;
		ino = w->steps.v[w->steps.n - 2].ino;
	}
	fd = openat(w->cur, "..", SAP_INPUT_LOOK | O_DIRECTORY);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_dev != dev || st.st_ino != ino)
		return -EAGAIN;
	w->steps.n--;
	if (w->canon)
		w->canon->n = w->steps.v[w->steps.n].canon_n;
	sap_close_fd(&w->parent);
	sap_close_fd(&w->cur);
	if (w->steps.n > 0)
		w->cur = sap_steal_fd(&fd);
	w->named = false;
	w->mode = S_IFDIR;
	return 0;
}

/* The links of procfs lead to objects, not to names, except for those in its root ("self",
 * "mounts"): openat2 refuses them with ELOOP. */
static bool is_magic(const struct walk *w, int fd)
{
	struct statfs fs;
	uint64_t folder = w->steps.n ? w->steps.v[w->steps.n - 1].ino : w->input->root_ino;

	return fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC && folder != PROC_ROOT_INO;
}

/* Puts what the link says before the rest of the path. */
static int follow(struct walk *w, int fd)
{
	char text[SAP_PATH_MAX];
	size_t left = strlen(w->rest + w->pos);
	ssize_t n;
	char *rest;

	if (++w->links > SAP_SYMLINKS_MAX || is_magic(w, fd))
		return -ELOOP;
	n = readlinkat(fd, "", text, sizeof(text));
	if (n < 0)
		return -errno;
	if (n == 0)
		return -ENOENT;
	if ((size_t)n >= sizeof(text))
		return -ENAMETOOLONG;
	rest = malloc((size_t)n + left + 1);
	if (!rest)
		return -ENOMEM;
	memcpy(rest, text, (size_t)n);
	memcpy(rest + n, w->rest + w->pos, left + 1);
	free(w->rest);
	w->rest = rest;
	w->pos = 0;
	if (text[0] == '/')
		to_root(w);
	return 0;
}

static int step_down(struct walk *w, bool follow_link)
{
	struct stat st;
	struct step *step;
	int sap_cleanup_fd fd = openat(dir_of(w, w->cur), w->name, SAP_INPUT_LOOK | O_NOFOLLOW);

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode) && follow_link)
		return follow(w, fd);
	step = SAP_VEC_PUSH(&w->steps, STEPS_MAX);
	if (!step)
		return w->steps.n >= STEPS_MAX ? -ENAMETOOLONG : -ENOMEM;
	*step = (struct step){ st.st_dev, st.st_ino, w->canon ? w->canon->n : 0 };
	if (w->canon) {
		sap_buf_putc(w->canon, '/');
		sap_buf_puts(w->canon, sap_str_of(w->name));
	}
	sap_close_fd(&w->parent);
	w->parent = w->cur;
	w->cur = sap_steal_fd(&fd);
	w->named = true;
	w->mode = st.st_mode;
	return 0;
}

/* Takes the next component. False at the end of the path. */
static bool next(struct walk *w)
{
	const char *p = w->rest + w->pos;
	size_t n;

	p += strspn(p, "/");
	n = strcspn(p, "/");
	if (n == 0)
		return false;
	/* Components of the path and of links are shorter than SAP_PATH_MAX. */
	memcpy(w->name, p, n);
	w->name[n] = '\0';
	w->slash = p[n] == '/';
	w->pos = (size_t)(p + n - w->rest);
	return true;
}

static bool is_last(const struct walk *w)
{
	const char *p = w->rest + w->pos;

	return p[strspn(p, "/")] == '\0';
}

/* The result, opened as asked. */
static int finish(struct walk *w, int flags)
{
	int fd;

	if ((w->slash || (flags & O_DIRECTORY)) && !S_ISDIR(w->mode))
		return -ENOTDIR;
	/* Callers look before they read: then a device has taken the place of a file. */
	if (!(flags & O_PATH) && !S_ISDIR(w->mode) && !S_ISREG(w->mode))
		return -EAGAIN;
	if (w->canon && w->canon->n == 0)
		sap_buf_putc(w->canon, '/');
	if ((flags & O_PATH) && w->cur >= 0)
		return sap_steal_fd(&w->cur);
	if (w->named)
		fd = openat(dir_of(w, w->parent), w->name, flags | O_NOFOLLOW);
	else
		fd = openat(dir_of(w, w->cur), ".", flags);
	return fd < 0 ? -errno : fd;
}

int sap_input_walk(const struct sap_input *input, const char *path, int flags,
		   struct sap_buf *canon)
{
	struct walk w = {
		.input = input, .cur = -1, .parent = -1, .mode = S_IFDIR, .canon = canon
	};
	int rc = 0;

	w.rest = strdup(path);
	if (!w.rest)
		return -ENOMEM;
	while (rc == 0 && next(&w)) {
		if (strcmp(w.name, ".") == 0)
			rc = step_same(&w);
		else if (strcmp(w.name, "..") == 0)
			rc = step_up(&w);
		else
			rc = step_down(&w, !(flags & O_NOFOLLOW) || w.slash || !is_last(&w));
	}
	if (rc == 0)
		rc = finish(&w, flags);
	walk_clear(&w);
	return rc;
}
