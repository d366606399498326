/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of tasks, and how they become evidence.
 */
#include <stdlib.h>

#include "base/fd.h"
#include "base/limits.h"
#include "observe/snapshot.h"
#include "observe/watch_int.h"

enum { FIRST_BUCKETS = 256, FIRST_MAPS = 12 };

/* ---- the table -------------------------------------------------------------------------- */

static uint32_t bucket(const struct sap_watch *w, int32_t pid)
{
	return sap_watch_mix(0, (uint64_t)(uint32_t)pid) & (w->n_buckets - 1);
}

struct sap_watch_task *sap_watch_task_find(const struct sap_watch *w, int32_t pid)
{
	struct sap_watch_task *t = w->n_buckets ? w->tasks[bucket(w, pid)] : NULL;

	while (t && t->pid != pid)
		t = t->next;
	return t;
}

static bool grow(struct sap_watch *w)
{
	uint32_t old = w->n_buckets;
	struct sap_watch_task **was = w->tasks, **v;

	w->n_buckets = old ? old * 2 : FIRST_BUCKETS;
	v = calloc(w->n_buckets, sizeof(struct sap_watch_task *));
	if (!v) {
		w->n_buckets = old;
		return false;
	}
	w->tasks = v;
	for (uint32_t i = 0; i < old; i++)
		for (struct sap_watch_task *t = was[i], *next; t; t = next) {
			uint32_t to = bucket(w, t->pid);

			next = t->next;
			t->next = v[to];
			v[to] = t;
		}
	free(was);
	return true;
}

struct sap_watch_task *sap_watch_task_add(struct sap_watch *w, int32_t pid)
{
	struct sap_watch_task *t;
	uint32_t at;

	if (w->n_tasks >= SAP_WATCH_TASKS_MAX) {
		w->e->losses.ceiling++;
		return NULL;
	}
	if (w->n_tasks >= w->n_buckets && !grow(w))
		return NULL;
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	at = bucket(w, pid);
	*t = (struct sap_watch_task){
		.next = w->tasks[at], .pid = pid, .process = SAP_NONE, .exe = SAP_NONE
	};
	w->tasks[at] = t;
	w->n_tasks++;
	w->dirty = true;
	return t;
}

static void free_task(struct sap_watch_task *t)
{
	sap_watch_maps_drop(&t->maps);
	sap_watch_maps_drop(&t->early);
	free(t);
}

void sap_watch_task_drop(struct sap_watch *w, struct sap_watch_task *t)
{
	struct sap_watch_task **at = &w->tasks[bucket(w, t->pid)];

	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	w->n_tasks--;
	free_task(t);
}

void sap_watch_tasks_clear(struct sap_watch *w)
{
	for (uint32_t i = 0; i < w->n_buckets; i++)
		for (struct sap_watch_task *t = w->tasks[i], *next; t; t = next) {
			next = t->next;
			free_task(t);
		}
	free(w->tasks);
	w->tasks = NULL;
	w->n_tasks = w->n_buckets = 0;
}

int sap_watch_tasks_each(struct sap_watch *w, sap_watch_task_fn *fn, void *ctx, struct sap_err *err)
{
	for (uint32_t i = 0; i < w->n_buckets; i++)
		for (struct sap_watch_task *t = w->tasks[i], *next; t; t = next) {
			int r;

			next = t->next;
			r = sap_watch_soft(fn(w, t, ctx, err));
			if (r < 0)
				return r;
		}
	return 0;
}

/* ---- lists of files ---------------------------------------------------------------------- */

bool sap_watch_maps_has(const struct sap_watch_maps *maps, uint32_t file)
{
	uint32_t n = maps ? maps->n : 0;

	for (uint32_t i = 0; i < n; i++)
		if (maps->v[i] == file)
			return true;
	return false;
}

void sap_watch_maps_drop(struct sap_watch_maps **maps)
{
	if (*maps && --(*maps)->refs == 0)
		free(*maps);
	*maps = NULL;
}

int sap_watch_maps_add(struct sap_watch *w, struct sap_watch_maps **maps, uint32_t file,
		       struct sap_err *err)
{
	struct sap_watch_maps *m = *maps, *copy;
	uint32_t n = m ? m->n : 0, cap;

	if (n >= SAP_WATCH_MAPS_MAX) {
		w->e->losses.ceiling++;
		return 0;
	}
	if (!m || m->refs > 1 || n == m->cap) {
		cap = m && n < m->cap ? m->cap : n ? n * 2 : FIRST_MAPS;
		if (m && m->refs == 1) {
			copy = realloc(m, sizeof(*m) + cap * sizeof(m->v[0]));
			if (!copy)
				return sap_err_nomem(err);
		} else {
			copy = malloc(sizeof(*m) + cap * sizeof(m->v[0]));
			if (!copy)
				return sap_err_nomem(err);
			copy->refs = 1;
			copy->n = n;
			if (m) {
				memcpy(copy->v, m->v, n * sizeof(m->v[0]));
				m->refs--;
			}
		}
		copy->cap = cap;
		*maps = m = copy;
	}
	m->v[m->n++] = file;
	return 0;
}

/* ---- a task becomes an entry -------------------------------------------------------------- */

static int tell_uses(struct sap_watch *w, struct sap_watch_task *t, struct sap_err *err)
{
	int r = 0;

	for (; t->maps && t->told < t->maps->n && r == 0; t->told++)
		r = sap_watch_soft(sap_evidence_use(w->e, t->maps->v[t->told], t->process,
						    SAP_USE_LIVE, t->last, err));
	return r;
}

/* What the events said; for one that /proc does not have any more. */
static int tell_from_events(struct sap_watch *w, struct sap_watch_task *t, struct sap_err *err)
{
	struct sap_seen_process *p;
	bool added = false;
	uint32_t i = 0;
	/* Of one that is gone; nothing else is known of when it began. */
	int r = sap_evidence_process(w->e, t->pid, (uint64_t)t->since, &i, &added, err);

	if (r < 0)
		return r;
	p = &w->e->processes.v[i];
	p->ppid = t->ppid;
	p->exe = t->exe;
	p->comm = t->comm;
	p->unit = t->unit;
	p->container = t->container;
	p->root = t->root;
	/* Nothing of /proc was read. */
	p->preloads |= SAP_ENV_UNREADABLE;
	p->first_seen = t->since;
	p->last_seen = t->last;
	t->process = i;
	if (added && t->counted)
		w->e->processes_seen--;
	t->counted = true;
	return 0;
}

/* An entry of a program that has ended, of a process that goes on or was counted otherwise: the
 * living entry of the pid stays as it is. */
static int tell_aside(struct sap_watch *w, struct sap_watch_task was, int64_t when,
		      struct sap_err *err)
{
	uint64_t seen = w->e->processes_seen;
	int32_t pid = was.pid;
	uint32_t to = SAP_NONE;
	int r;

	was.pid = -pid;
	was.process = SAP_NONE;
	was.told = 0;
	was.counted = false;
	r = tell_from_events(w, &was, err);
	w->e->processes_seen = seen;
	if (r == 0)
		r = tell_uses(w, &was, err);
	if (r == 0)
		sap_watch_stood_until(w, was.maps, when);
	if (r == 0)
		r = sap_evidence_end(w->e, was.process, when, &to, err);
	if (r == 0)
		w->e->processes.v[to].pid = pid;
	return sap_watch_soft(r);
}

/* The look and the events may name one file differently (overlayfs): then the path decides. */
static bool same_program(const struct sap_evidence *e, uint32_t a, uint32_t b)
{
	return a == b ||
	       (a != SAP_NONE && b != SAP_NONE && e->files.v[a].root == e->files.v[b].root &&
		sap_str_eq(e->files.v[a].path, e->files.v[b].path));
}

/* It still lives. Where it is another program than the events said, its EXEC is on its way: what
 * it was is told now, and the picture is the new one. */
static int take_over(struct sap_watch *w, struct sap_watch_task *t, uint32_t process,
		     struct sap_err *err)
{
	struct sap_seen_process *p = &w->e->processes.v[process];
	int r = 0;

	if (p->exe != SAP_NONE && !same_program(w->e, t->exe, p->exe) &&
	    (t->exe != SAP_NONE || t->first_exec)) {
		if (t->execed)
			r = tell_aside(w, *t, t->last, err);
		sap_watch_maps_drop(&t->maps);
		t->told = 0;
		t->exe = SAP_NONE;
		p = &w->e->processes.v[process];
	}
	t->process = process;
	if (p->exe == SAP_NONE)
		p->exe = t->exe;
	t->exe = p->exe;
	t->root = p->root;
	t->unit = p->unit;
	t->container = p->container;
	t->comm = p->comm;
	t->placed = true;
	return r;
}

static void picture(struct sap_watch *w, struct sap_watch_task *t, int64_t start, int64_t end)
{
	t->picture = start;
	t->picture_end = end;
	t->picture_ms = w->now_ms;
	t->gone = 0;
}

int sap_watch_task_tell(struct sap_watch *w, struct sap_watch_task *t, struct sap_err *err)
{
	struct sap_snapshot_options o = { .proc = w->proc, .build_ids = true };
	int64_t before = sap_watch_realtime();
	uint64_t seen = w->e->processes_seen;
	uint32_t i = SAP_NONE;
	int r;

	/* Where it belongs is not known: better no entry than one of another's files. */
	if (t->rootless)
		return 0;
	if (t->process == SAP_NONE) {
		r = sap_snapshot_process(w->e, &o, t->pid, false, &i, err);
		if (r == 0) {
			w->e->processes_seen -= t->counted && w->e->processes_seen > seen;
			t->counted = true;
			r = take_over(w, t, i, err);
			picture(w, t, before, sap_watch_realtime());
		} else if (r == SAP_ELIMIT && w->e->roots.n >= SAP_EVIDENCE_ROOTS_MAX) {
			t->rootless = true;
			return 0;
		} else if (r != SAP_ENOMEM) {
			r = tell_from_events(w, t, err);
		}
		if (r < 0)
			return r;
	}
	return tell_uses(w, t, err);
}

static int tell_one(struct sap_watch *w, struct sap_watch_task *t, void *ctx, struct sap_err *err)
{
	(void)ctx;
	if (t->process != SAP_NONE && (!t->maps || t->told >= t->maps->n))
		return 0;
	return sap_watch_task_tell(w, t, err);
}

int sap_watch_tell_all(struct sap_watch *w, struct sap_err *err)
{
	int r;

	if (!w->dirty)
		return 0;
	r = sap_watch_tasks_each(w, tell_one, NULL, err);
	w->dirty = r < 0;
	return r;
}

/* ---- ending ------------------------------------------------------------------------------ */

int sap_watch_task_end(struct sap_watch *w, struct sap_watch_task *t, int64_t when, bool forks,
		       struct sap_err *err)
{
	uint32_t to = SAP_NONE;
	int r = 0;

	if (t->process == SAP_NONE && !t->rootless &&
	    (t->execed || forks || (!t->first_exec && t->maps)))
		r = tell_from_events(w, t, err);
	if (r == 0 && t->process != SAP_NONE)
		r = tell_uses(w, t, err);
	if (r == 0 && t->process != SAP_NONE) {
		sap_watch_stood_until(w, t->maps, when);
		r = sap_evidence_end(w->e, t->process, when, &to, err);
		w->gone[(uint32_t)t->pid % WATCH_ENDED] =
			(struct sap_watch_ended){ .pid = t->pid, .process = to, .when = when };
	}
	sap_watch_maps_drop(&t->maps);
	t->told = 0;
	t->process = SAP_NONE;
	return sap_watch_soft(r);
}

int sap_watch_task_early(struct sap_watch *w, struct sap_watch_task *t, int64_t when,
			 struct sap_err *err)
{
	struct sap_watch_maps *early = sap_steal(&t->early);
	struct sap_watch_task was = { .pid = t->pid,
				      .ppid = t->ppid,
				      .root = t->root,
				      .exe = SAP_NONE,
				      .unit = t->unit,
				      .container = t->container,
				      .since = when,
				      .last = when,
				      .maps = early };
	int r;

	if (!early)
		return 0;
	if (t->early_exec && early->n) {
		was.exe = early->v[0];
		w->e->files.v[was.exe].is_program = true;
	}
	r = tell_aside(w, was, when, err);
	sap_watch_maps_drop(&early);
	return r;
}

int sap_watch_task_settle(struct sap_watch *w, struct sap_watch_task *t, struct sap_err *err)
{
	struct sap_watch_maps *early = sap_steal(&t->early);
	uint32_t n = early ? early->n : 0;
	int r = 0;

	for (uint32_t i = 0; i < n && r == 0; i++)
		if (!sap_watch_maps_has(t->maps, early->v[i]))
			r = sap_watch_maps_add(w, &t->maps, early->v[i], err);
	w->dirty |= n > 0;
	sap_watch_maps_drop(&early);
	return r;
}

/* ---- after a look at /proc ----------------------------------------------------------------- */

static int adopt_process(struct sap_watch *w, uint32_t i, int64_t start, int64_t end,
			 struct sap_watch_task **out, struct sap_err *err)
{
	struct sap_seen_process *p = &w->e->processes.v[i];
	struct sap_watch_task *t = sap_watch_task_find(w, p->pid);
	int r = 0;

	if (t && t->process != SAP_NONE && t->process != i) {
		/* The pid is another process's now; the look has ended the entry of the first. */
		r = sap_watch_task_early(w, t, start, err);
		sap_watch_task_drop(w, t);
		t = NULL;
	}
	if (r < 0)
		return r;
	if (!t) {
		t = sap_watch_task_add(w, p->pid);
		if (!t)
			return w->n_tasks >= SAP_WATCH_TASKS_MAX ? 0 : sap_err_nomem(err);
		t->since = p->first_seen ? p->first_seen : start;
	} else if (t->process == SAP_NONE && t->counted) {
		w->e->processes_seen--;
	}
	t->ppid = p->ppid;
	t->last = t->last > start ? t->last : start;
	t->counted = true;
	if (t->process == SAP_NONE || t->exe == SAP_NONE)
		r = take_over(w, t, i, err);
	picture(w, t, start, end);
	t->kept = true;
	*out = t;
	return r;
}

int sap_watch_adopt(struct sap_watch *w, int64_t start, int64_t end, struct sap_err *err)
{
	struct sap_evidence *e = w->e;
	size_t n = e->processes.n;
	struct sap_watch_task **of = calloc(n + 1, sizeof(struct sap_watch_task *));
	int r = 0;

	if (!of)
		return sap_err_nomem(err);
	/* The others that live according to the evidence were not found. */
	for (size_t i = 0; i < n && r == 0; i++)
		if (!sap_seen_free(&e->processes.v[i]) && !e->processes.v[i].ended &&
		    e->processes.v[i].pid > 0 && e->processes.v[i].last_seen >= start)
			r = adopt_process(w, (uint32_t)i, start, end, &of[i], err);
	/* What only events told goes in first; what the look showed is in there. */
	for (size_t i = 0; i < n && r == 0; i++)
		if (of[i])
			r = tell_uses(w, of[i], err);
	for (size_t i = 0; i < e->uses.n && r == 0; i++) {
		const struct sap_seen_use *u = &e->uses.v[i];
		struct sap_watch_task *t = u->process < n ? of[u->process] : NULL;

		if (t && !sap_watch_maps_has(t->maps, u->file))
			r = sap_watch_maps_add(w, &t->maps, u->file, err);
		if (t && t->maps)
			t->told = t->maps->n;
	}
	free(of);
	return r;
}
