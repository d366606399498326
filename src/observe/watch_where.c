/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a process belongs: mount namespace and root folder, cgroup, unit, container.
 *
 * It is looked at when a process becomes another program. A parent whose last children all
 * belonged where it does is believed for the next ones, most of the time: what moves a child elsewhere
 * (systemd, a container's shim, cron) does so again and again. A second EXEC of one process is always
 * looked at (env, unshare, systemd-run, chroot).
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/limits.h"
#include "observe/snapshot_int.h"
#include "observe/watch_int.h"

enum { STREAK_BELIEVED = 4, STREAK_LOOK = 16, SMALL_FILE = 4096 };

static bool read_small(const struct sap_watch *w, int32_t pid, const char *name,
		       char buf[SMALL_FILE], struct sap_str *out)
{
	char path[64];

	snprintf(path, sizeof(path), "%d/%s", pid, name);
	return sap_proc_read(w->proc_fd, path, buf, SMALL_FILE, out) == 0;
}

/* ---- cgroups ----------------------------------------------------------------------------- */

struct cgroup {
	struct sap_str unit, container;
	bool inside;
};

/* Lines "hierarchy:controllers:path" of cgroups(7); version 2 has "0::path". */
static void parse_cgroup(const struct sap_watch *w, struct sap_str text, struct cgroup *out)
{
	struct sap_str line, unit, container;

	*out = (struct cgroup){ .inside = !w->cgroup_path };
	while (sap_str_line(&text, &line)) {
		if (w->cgroup_path && sap_cgroup_within(line, sap_str_of(w->cgroup_path)))
			out->inside = true;
		sap_cgroup_parse(line, &unit, &container);
		if (!out->unit.n)
			out->unit = unit;
		if (!out->container.n)
			out->container = container;
	}
}

bool sap_watch_in_cgroup(const struct sap_watch *w, int32_t pid, bool otherwise)
{
	char buf[SMALL_FILE];
	struct sap_str text;
	struct cgroup c;

	if (!w->cgroup_path)
		return true;
	if (!read_small(w, pid, "cgroup", buf, &text))
		return otherwise;
	parse_cgroup(w, text, &c);
	return c.inside;
}

bool sap_watch_pid_wanted(const struct sap_watch *w, int32_t pid)
{
	if (!w->n_pids)
		return true;
	for (uint32_t i = 0; i < w->n_pids; i++)
		if (w->pids[i] == pid)
			return true;
	return false;
}

/* ---- where ------------------------------------------------------------------------------- */

/* A parent that the next child may be believed to be like. */
static bool believed(struct sap_watch *w, const struct sap_watch_task *t,
		     const struct sap_watch_task *parent)
{
	return parent && t->first_exec && !w->cgroup_path && parent->pid != 1 &&
	       parent->streak >= STREAK_BELIEVED && parent->streak % STREAK_LOOK != 0;
}

/* SAP_ENOENT: gone. */
static int read_root(struct sap_watch *w, const struct sap_watch_task *t, uint32_t *root)
{
	const struct sap_seen_root *r = &w->e->roots.v[t->root];
	char path[64], link[64];
	struct sap_str text;
	struct stat top;
	uint64_t ns;

	snprintf(path, sizeof(path), "%d/ns/mnt", t->pid);
	if (sap_proc_link(w->proc_fd, path, link, sizeof(link), &text) < 0 ||
	    !sap_proc_bracket(text, SAP_STR("mnt:"), &ns))
		return SAP_ENOENT;
	snprintf(path, sizeof(path), "%d/root", t->pid);
	if (fstatat(w->proc_fd, path, &top, 0) < 0)
		return SAP_ENOENT;
	*root = t->root;
	if (r->mnt_ns == ns && r->dev == top.st_dev && r->ino == top.st_ino)
		return 0;
	return sap_evidence_root(w->e, ns, top.st_dev, top.st_ino, root, NULL, NULL);
}

/* It has a root that is not kept: not its parent's, so it is of no entry. It was counted. */
static void lose_root(struct sap_watch *w, struct sap_watch_task *t)
{
	t->rootless = true;
	w->e->processes_seen += !t->counted;
	t->counted = true;
}

bool sap_watch_where(struct sap_watch *w, struct sap_watch_task *t, bool *wanted)
{
	struct sap_watch_task *parent = sap_watch_task_find(w, t->ppid);
	struct sap_str unit = t->unit, container = t->container;
	char buf[SMALL_FILE];
	uint32_t root = t->root;
	struct sap_str text;
	struct cgroup c;
	bool same;
	int r;

	*wanted = true;
	if (believed(w, t, parent)) {
		parent->streak++;
		return true;
	}
	if (!read_small(w, t->pid, "cgroup", buf, &text))
		return false;
	parse_cgroup(w, text, &c);
	*wanted = c.inside;
	if (!sap_evidence_text(w->e, c.unit, &unit) ||
	    !sap_evidence_text(w->e, c.container, &container))
		return false;
	r = read_root(w, t, &root);
	if (r == SAP_ELIMIT)
		lose_root(w, t);
	if (r < 0)
		return r == SAP_ELIMIT;
	t->rootless = false;
	same = root == t->root && sap_str_eq(unit, t->unit) && sap_str_eq(container, t->container);
	if (parent && t->first_exec)
		parent->streak = same ? parent->streak + 1 : 0;
	t->root = root;
	t->unit = unit;
	t->container = container;
	t->placed = true;
	if (root < w->e->roots.n) {
		w->e->roots.v[root].pid = t->pid;
		if (container.n)
			w->e->roots.v[root].container = container;
	}
	return true;
}

/* ---- descendants -------------------------------------------------------------------------- */

struct pair {
	int32_t pid, ppid;
};

static bool read_parent(const struct sap_watch *w, int32_t pid, int32_t *ppid)
{
	struct sap_proc_stat st;
	char buf[SMALL_FILE];
	struct sap_str text;

	if (!read_small(w, pid, "stat", buf, &text) || !sap_proc_stat_parse(text, &st))
		return false;
	*ppid = st.ppid;
	return true;
}

static int by_parent(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	return (x->ppid > y->ppid) - (x->ppid < y->ppid);
}

static size_t first_child(const struct pair *v, size_t n, int32_t ppid)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (v[mid].ppid < ppid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int sap_watch_descendants(struct sap_watch *w, int32_t **pids, uint32_t *n, struct sap_err *err)
{
	int fd = openat(w->proc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	SAP_VEC(struct pair) all = { 0 };
	SAP_VEC(int32_t) found = { 0 };
	const struct dirent *d;
	int r = 0;

	if (!dir && fd >= 0)
		close(fd);
	while (dir && (d = readdir(dir)) && r == 0) {
		struct pair *p;
		uint64_t pid;
		int32_t ppid;

		if (!sap_str_u64(sap_str_of(d->d_name), &pid) || pid > INT32_MAX ||
		    !read_parent(w, (int32_t)pid, &ppid))
			continue;
		p = SAP_VEC_PUSH(&all, SAP_WATCH_TASKS_MAX);
		if (p)
			*p = (struct pair){ (int32_t)pid, ppid };
		else
			r = sap_err_nomem(err);
	}
	if (dir)
		closedir(dir);
	if (all.n)
		qsort(all.v, all.n, sizeof(all.v[0]), by_parent);
	for (uint32_t i = 0; i < w->n_pids && r == 0; i++) {
		int32_t *to = SAP_VEC_PUSH(&found, SAP_WATCH_TASKS_MAX);

		if (to)
			*to = w->pids[i];
		else
			r = sap_err_nomem(err);
	}
	/* Each process has one parent, so the list ends; the count guards against a race. */
	for (size_t i = 0; i < found.n && found.n <= all.n + w->n_pids && r == 0; i++)
		for (size_t k = first_child(all.v, all.n, found.v[i]);
		     k < all.n && all.v[k].ppid == found.v[i] && r == 0; k++) {
			int32_t *to = SAP_VEC_PUSH(&found, SAP_WATCH_TASKS_MAX);

			if (to)
				*to = all.v[k].pid;
			else
				r = sap_err_nomem(err);
		}
	sap_vec_clear(&all);
	if (r < 0) {
		sap_vec_clear(&found);
		return r;
	}
	*pids = found.v;
	*n = (uint32_t)found.n;
	return 0;
}
