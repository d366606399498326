/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel tells of processes: MAP, EXEC, FORK, EXIT, OPEN.
 *
 * Order at an execve(2): EXEC, then the mapping of the program, then that of its interpreter
 * (fs/binfmt_elf.c). So the first mapping after an EXEC is of the program.
 *
 * Events that are older than a look at /proc are in what the look showed: they must not be taken
 * twice. An EXEC from while the look was being taken is in doubt until the next mapping says which
 * program it was.
 */
#include "base/limits.h"
#include "observe/watch_int.h"

#define OPEN_LATE_NS 5000000000LL

/* Events come in their order: those older than this one have come. */
static void came(struct sap_watch *w, int64_t when)
{
	if (when > w->newest)
		w->newest = when;
}

static bool older(const struct sap_watch *w, const struct sap_watch_task *t, int64_t when,
		  int64_t than)
{
	return when < than && w->now_ms - t->picture_ms < WATCH_PICTURE_MS;
}

static struct sap_str comm_of(struct sap_watch *w, const struct sap_wire_comm *m)
{
	struct sap_str s = { m->comm, strnlen(m->comm, sizeof(m->comm)) };

	return sap_evidence_text(w->e, s, &s) ? s : (struct sap_str){ 0 };
}

/* A task that no FORK told of: from before the watch and not to be seen in /proc, or its FORK was lost. */
static struct sap_watch_task *stranger(struct sap_watch *w, int32_t pid, int64_t when)
{
	struct sap_watch_task *t = sap_watch_task_add(w, pid);

	if (t)
		t->since = t->last = when;
	return t;
}

static int no_task(const struct sap_watch *w, struct sap_err *err)
{
	return w->n_tasks >= SAP_WATCH_TASKS_MAX ? 0 : sap_err_nomem(err);
}

/* ---- EXEC -------------------------------------------------------------------------------- */

static int begin_program(struct sap_watch *w, struct sap_watch_task *t, int64_t when,
			 struct sap_str comm, struct sap_err *err)
{
	bool wanted = true;
	int r = sap_watch_task_settle(w, t, err);

	if (r == 0)
		r = sap_watch_task_end(w, t, when, false, err);
	if (r < 0)
		return r;
	t->exe = SAP_NONE;
	t->comm = comm;
	t->since = t->last = when;
	t->doubt = 0;
	w->dirty = true;
	sap_watch_where(w, t, &wanted);
	t->execed = true;
	t->first_exec = false;
	/* It has left the cgroup: its new program is somebody else's. */
	if (!wanted)
		sap_watch_task_drop(w, t);
	return 0;
}

int sap_watch_exec(struct sap_watch *w, const struct sap_wire_comm *m, struct sap_err *err)
{
	struct sap_watch_task *t = sap_watch_task_find(w, m->pid);
	int r;

	came(w, m->when);
	if (!t) {
		if ((w->n_pids && !sap_watch_pid_wanted(w, m->pid)) ||
		    !sap_watch_in_cgroup(w, m->pid, false))
			return 0;
		t = stranger(w, m->pid, m->when);
		if (!t)
			return no_task(w, err);
		t->first_exec = true;
		w->begun = true;
	} else if (older(w, t, m->when, t->picture)) {
		r = sap_watch_task_early(w, t, m->when, err);
		t->early_exec = true;
		return r;
	} else if (older(w, t, m->when, t->picture_end)) {
		t->doubt = m->when;
		t->doubt_comm = comm_of(w, m);
		return 0;
	}
	return begin_program(w, t, m->when, comm_of(w, m), err);
}

/* ---- MAP --------------------------------------------------------------------------------- */

/* The first mapping since an EXEC from while /proc was being read: had the look seen the new program? */
static int decide(struct sap_watch *w, struct sap_watch_task **t, uint32_t file,
		  struct sap_err *err)
{
	int64_t when = (*t)->doubt;
	int32_t pid = (*t)->pid;
	int r = 0;

	(*t)->doubt = 0;
	if ((*t)->exe != file)
		r = begin_program(w, *t, when, (*t)->doubt_comm, err);
	*t = sap_watch_task_find(w, pid);
	return r;
}

static int map_into(struct sap_watch *w, struct sap_watch_task *t, uint32_t file, int64_t when,
		    struct sap_err *err)
{
	struct sap_seen_file *f = &w->e->files.v[file];

	/* Its uses are told later, with the time of the last event. */
	if (!f->first_seen || when < f->first_seen)
		f->first_seen = when;
	if (when > t->last)
		t->last = when;
	if (t->execed && t->exe == SAP_NONE) {
		t->exe = file;
		f->is_program = true;
		if (t->process != SAP_NONE && w->e->processes.v[t->process].exe == SAP_NONE)
			w->e->processes.v[t->process].exe = file;
	}
	if (sap_watch_maps_has(t->maps, file))
		return t->process == SAP_NONE
			       ? 0
			       : sap_watch_soft(sap_evidence_use(w->e, file, t->process,
								 SAP_USE_LIVE, when, err));
	w->dirty = true;
	return sap_watch_maps_add(w, &t->maps, file, err);
}

int sap_watch_map(struct sap_watch *w, const struct sap_wire_map *m, struct sap_err *err)
{
	struct sap_watch_task *t = sap_watch_task_find(w, m->pid);
	uint32_t file = SAP_NONE;
	bool wanted;
	int r;

	came(w, m->when);
	if (!t) {
		if ((w->n_pids && !sap_watch_pid_wanted(w, m->pid)) ||
		    !sap_watch_in_cgroup(w, m->pid, false))
			return 0;
		t = stranger(w, m->pid, m->when);
		if (!t)
			return no_task(w, err);
		sap_watch_where(w, t, &wanted);
	}
	/* Its paths are of a root that is not kept; this was counted. */
	if (t->rootless)
		return 0;
	r = sap_watch_file(w, t, m, &file, err);
	if (r == 0 && file != SAP_NONE)
		r = sap_watch_again(w, file, m->pid, err);
	if (r < 0)
		return sap_watch_soft(r);
	if (file == SAP_NONE)
		return 0;
	if (t->doubt) {
		r = decide(w, &t, file, err);
		if (r < 0 || !t)
			return r;
	}
	if (older(w, t, m->when, t->picture) && !sap_watch_maps_has(t->maps, file))
		return sap_watch_maps_has(t->early, file)
			       ? 0
			       : sap_watch_maps_add(w, &t->early, file, err);
	if (t->early && !older(w, t, m->when, t->picture)) {
		r = sap_watch_task_settle(w, t, err);
		if (r < 0)
			return r;
	}
	return map_into(w, t, file, m->when, err);
}

/* ---- FORK, EXIT --------------------------------------------------------------------------- */

static bool wanted_child(struct sap_watch *w, const struct sap_wire_task *m,
			 const struct sap_watch_task *parent)
{
	if (w->n_pids && !sap_watch_pid_wanted(w, m->pid) && !(w->o.narrow_children && parent))
		return false;
	return parent || sap_watch_in_cgroup(w, m->pid, false);
}

int sap_watch_fork(struct sap_watch *w, const struct sap_wire_task *m, struct sap_err *err)
{
	struct sap_watch_task *t = sap_watch_task_find(w, m->pid), *parent;
	int r = 0;

	came(w, m->when);
	if (t) {
		if (older(w, t, m->when, t->picture_end) || m->when <= t->since)
			return 0;
		/* The pid is used again: its EXIT was lost. */
		r = sap_watch_task_settle(w, t, err);
		if (r == 0)
			r = sap_watch_task_end(w, t, t->last, true, err);
		sap_watch_task_drop(w, t);
		if (r < 0)
			return r;
	}
	parent = sap_watch_task_find(w, m->ppid);
	if (!wanted_child(w, m, parent))
		return 0;
	t = stranger(w, m->pid, m->when);
	if (!t)
		return no_task(w, err);
	t->ppid = m->ppid;
	t->first_exec = true;
	if (!parent)
		return 0;
	t->root = parent->root;
	t->rootless = parent->rootless;
	t->exe = parent->exe;
	t->comm = parent->comm;
	t->unit = parent->unit;
	t->container = parent->container;
	t->placed = parent->placed;
	if (parent->maps)
		parent->maps->refs++;
	t->maps = parent->maps;
	return 0;
}

int sap_watch_exit(struct sap_watch *w, const struct sap_wire_task *m, struct sap_err *err)
{
	struct sap_watch_task *t = sap_watch_task_find(w, m->pid);
	int r;

	came(w, m->when);
	if (!t)
		return 0;
	/* Of another process, which had this pid before the look. */
	if (older(w, t, m->when, t->picture))
		return sap_watch_task_early(w, t, m->when, err);
	t->last = m->when > t->last ? m->when : t->last;
	r = sap_watch_task_settle(w, t, err);
	if (r == 0)
		r = sap_watch_task_end(w, t, m->when, true, err);
	sap_watch_task_drop(w, t);
	return r;
}

/* ---- OPEN -------------------------------------------------------------------------------- */

int sap_watch_open(struct sap_watch *w, const struct sap_wire_open *m, struct sap_err *err)
{
	struct sap_watch_task *t = sap_watch_task_find(w, m->pid);
	const struct sap_watch_ended *g = &w->gone[(uint32_t)m->pid % WATCH_ENDED];
	struct sap_str path = { m->path, m->n_path };
	uint32_t process = SAP_NONE, root = 0;
	int r = 0;

	/* Opens come by another way, often behind the EXIT, and bear the time at which they were read. */
	if (!t && m->pid > 0 && g->pid == m->pid && g->process < w->e->processes.n &&
	    m->when - g->when < OPEN_LATE_NS) {
		process = g->process;
		root = w->e->processes.v[process].root;
	} else if (!t && (w->n_pids || w->cgroup_path)) {
		return 0;
	}
	if (path.n == 0)
		return 0;
	if (t && t->rootless) {
		w->e->losses.ceiling++;
		return 0;
	}
	if (t) {
		if (t->process == SAP_NONE)
			r = sap_watch_task_tell(w, t, err);
		process = t->process;
		root = t->root;
	}
	/* Paths are those of the mount namespace, whatever root is set in it. */
	if (w->e->roots.v[root].mnt_ns == w->e->roots.v[0].mnt_ns)
		root = 0;
	if (r == 0)
		r = sap_evidence_open(w->e, root, path, process, 1, m->when, err);
	return sap_watch_soft(r);
}
