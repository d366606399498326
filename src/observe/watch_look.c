/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Now and then: /proc again, who is gone, clocks, probes that nobody needs any more.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "observe/snapshot.h"
#include "observe/watch_int.h"

enum {
	JUMP_NS = 2000000000,   /* a clock that moves more than that was set */
	ASLEEP_NS = 1000000000, /* a suspend that is told */
	GONE_LOOKS = 2,         /* events of the end of a process may be a moment late */
	GONE_MS = 5000,
	GONE_LATE_NS = 200000000,
	IDLE_LOOKS = 2,
};

/* ---- clocks ------------------------------------------------------------------------------- */

static int64_t clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int gap(struct sap_watch *w, int64_t start, int64_t end, const char *why,
	       struct sap_err *err)
{
	return sap_watch_soft(
		sap_evidence_gap(w->e, start, end < start ? start : end, sap_str_of(why), err));
}

/*
 * REALTIME against BOOTTIME: the clock was set. BOOTTIME against MONOTONIC: the machine was asleep.
 * A time of ours in which nobody let us run is no gap: events wait, and are counted where they
 * could not.
 */
static int look_at_clocks(struct sap_watch *w, struct sap_err *err)
{
	int64_t real = clock_ns(CLOCK_REALTIME), boot = clock_ns(CLOCK_BOOTTIME);
	int64_t mono = clock_ns(CLOCK_MONOTONIC), set, asleep;
	char text[96];
	int r = 0;

	if (w->last_boottime) {
		set = (real - boot) - (w->last_realtime - w->last_boottime);
		asleep = (boot - mono) - (w->last_boottime - w->last_monotonic);
		if (set > JUMP_NS) {
			r = gap(w, real - set, real, "the clock was set", err);
		} else if (set < -JUMP_NS) {
			snprintf(text, sizeof(text), "the clock was set back by %lld s",
				 (long long)(-set / 1000000000));
			r = gap(w, real, real, text, err);
		}
		if (r == 0 && asleep > ASLEEP_NS)
			r = gap(w, real - asleep, real, "suspended", err);
	}
	w->last_realtime = real;
	w->last_boottime = boot;
	w->last_monotonic = mono;
	return r;
}

/* ---- who is gone ------------------------------------------------------------------------------- */

static bool is_there(const struct sap_watch *w, int32_t pid)
{
	char name[32];

	snprintf(name, sizeof(name), "%d", pid);
	return faccessat(w->proc_fd, name, F_OK, 0) == 0;
}

/*
 * Its EXIT comes in a moment, or was lost: then it is ended here. Events come in their order, so it was lost
 * once younger ones are here. Looks may follow each other closely, and events be late on a busy machine:
 * without its task the EXEC of a process is a stranger's, and so are its children.
 */
static bool may_still_come(struct sap_watch *w, struct sap_watch_task *t)
{
	if (w->dead || w->o.observer < 0 || !(w->ready.flags & SAP_WIRE_MAPS))
		return false;
	if (t->gone == 0) {
		t->gone_when = sap_watch_realtime();
		t->gone_ms = w->now_ms;
	}
	if (t->gone < GONE_LOOKS)
		t->gone++;
	return t->gone < GONE_LOOKS ||
	       (w->newest < t->gone_when + GONE_LATE_NS && w->now_ms - t->gone_ms < GONE_MS);
}

static int end_if_gone(struct sap_watch *w, struct sap_watch_task *t, void *ctx,
		       struct sap_err *err)
{
	int r = 0;

	(void)ctx;
	if (is_there(w, t->pid)) {
		t->gone = 0;
		return 0;
	}
	if (may_still_come(w, t))
		return 0;
	r = sap_watch_task_settle(w, t, err);
	if (r == 0)
		r = sap_watch_task_end(w, t, t->last, true, err);
	sap_watch_task_drop(w, t);
	return r;
}

static int settle_one(struct sap_watch *w, struct sap_watch_task *t, void *ctx, struct sap_err *err)
{
	(void)ctx;
	if (!t->early || w->now_ms - t->picture_ms < WATCH_PENDING_MS)
		return 0;
	return sap_watch_task_settle(w, t, err);
}

struct pids {
	SAP_VEC(int32_t) v;
};

static int collect(struct sap_watch *w, struct sap_watch_task *t, void *ctx, struct sap_err *err)
{
	int32_t *to = SAP_VEC_PUSH(&((struct pids *)ctx)->v, SAP_WATCH_TASKS_MAX);

	(void)w;
	if (!to)
		return sap_err_nomem(err);
	*to = t->pid;
	return 0;
}

/* /proc, for the processes that are wanted. */
static int take(struct sap_watch *w, struct sap_err *err)
{
	struct sap_snapshot_options o = {
		.proc = w->proc, .cgroup = w->cgroup_path, .sockets = true, .build_ids = true
	};
	const int32_t nobody = 0;
	struct pids pids = { 0 };
	int32_t *down = NULL;
	int64_t start;
	int r = 0;

	if (w->o.fresh && !w->begun && (w->ready.flags & SAP_WIRE_MAPS)) {
		o.pids = &nobody;
		o.n_pids = 1;
	} else if (w->n_pids && w->o.narrow_children) {
		r = sap_watch_tasks_each(w, collect, &pids, err);
		if (r == 0)
			r = sap_watch_descendants(w, &down, &o.n_pids, err);
		for (uint32_t i = 0; i < o.n_pids && r == 0; i++)
			if (!sap_watch_task_find(w, down[i])) {
				int32_t *to = SAP_VEC_PUSH(&pids.v, SAP_WATCH_TASKS_MAX);

				if (to)
					*to = down[i];
				else
					r = sap_err_nomem(err);
			}
		o.pids = pids.v.v;
		o.n_pids = (uint32_t)pids.v.n;
	} else if (w->n_pids) {
		o.pids = w->pids;
		o.n_pids = w->n_pids;
	}
	start = sap_watch_realtime();
	if (r == 0)
		r = sap_snapshot_take(w->e, &o, err);
	if (r == 0)
		r = sap_watch_adopt(w, start, sap_watch_realtime(), err);
	sap_vec_clear(&pids.v);
	free(down);
	return r;
}

/* Files that a look found and no event told of. */
static int enqueue_new(struct sap_watch *w, size_t from, struct sap_err *err)
{
	int r = 0;

	for (size_t i = from; i < w->e->files.n && r == 0; i++)
		r = sap_watch_enqueue(w, (uint32_t)i, w->e->roots.v[w->e->files.v[i].root].pid,
				      err);
	return r;
}

int sap_watch_picture(struct sap_watch *w, struct sap_err *err)
{
	size_t n = w->e->files.n;
	int r = take(w, err);

	return r < 0 ? r : enqueue_new(w, n, err);
}

/* ---- probes that nobody needs ------------------------------------------------------------------- */

static int mark_mapped(struct sap_watch *w, struct sap_watch_task *t, void *ctx,
		       struct sap_err *err)
{
	bool *mapped = ctx;

	(void)w;
	(void)err;
	for (uint32_t i = 0; t->maps && i < t->maps->n; i++)
		mapped[t->maps->v[i]] = true;
	return 0;
}

static bool still_there(struct sap_watch *w, const struct sap_watch_object *o)
{
	for (size_t i = 0; i < o->files.n; i++) {
		const struct sap_seen_file *f = &w->e->files.v[o->files.v[i]];
		struct stat st;
		int fd = sap_watch_path(w, f->root, 0, f->path, &st);

		if (fd >= 0)
			close(fd);
		if (fd >= 0 && st.st_dev == o->id.dev && st.st_ino == o->id.ino)
			return true;
	}
	return false;
}

/* A file that no path leads to and no process maps never runs again: a compiler's test programs. Its
 * names are kept for one more look, because entries may still be on their way. */
static int forget(struct sap_watch *w, struct sap_watch_object *o, struct sap_err *err)
{
	int r;

	if (o->dead) {
		if (!o->fns)
			return 0;
		free(o->fns);
		free(o->text);
		o->fns = NULL;
		o->text = NULL;
		return 0;
	}
	if (++o->idle < IDLE_LOOKS || o->waiting || still_there(w, o))
		return 0;
	r = sap_watch_taken_away(w, o, err);
	o->dead = true;
	w->standing -= o->n;
	return r < 0 ? r
		     : sap_wire_put(&w->out, SAP_WIRE_FORGET, &o->number, sizeof(o->number), NULL,
				    0, err);
}

static int forget_idle(struct sap_watch *w, struct sap_err *err)
{
	bool *mapped = w->objects.n ? calloc(w->e->files.n + 1, sizeof(*mapped)) : NULL;
	int r = 0;

	if (!w->objects.n || w->dead || w->stopping || w->ended) {
		free(mapped);
		return 0;
	}
	if (!mapped)
		return sap_err_nomem(err);
	r = sap_watch_tasks_each(w, mark_mapped, mapped, err);
	for (size_t i = 0; i < w->objects.n && r == 0; i++) {
		struct sap_watch_object *o = w->objects.v[i];
		bool used = false;

		for (size_t k = 0; k < o->files.n; k++)
			used |= mapped[o->files.v[k]];
		if (used || !o->sent)
			o->idle = 0;
		else
			r = forget(w, o, err);
	}
	for (size_t i = 0; i < w->seen.n && r == 0; i++)
		if (mapped[i])
			r = sap_watch_again(w, (uint32_t)i, 0, err);
	free(mapped);
	if (r == 0)
		r = sap_wire_flush(&w->out, err);
	/* The next sap_watch_work says so. */
	if (r == SAP_EIO) {
		sap_watch_lost(w, "it takes nothing any more", err);
		r = 0;
	}
	return r;
}

/* ---- a look ---------------------------------------------------------------------------------- */

int sap_watch_look(struct sap_watch *w, struct sap_err *err)
{
	int r;

	w->now_ms = sap_watch_clock_ms();
	r = look_at_clocks(w, err);
	if (r == 0)
		r = sap_watch_tasks_each(w, settle_one, NULL, err);
	if (r == 0)
		r = sap_watch_picture(w, err);
	if (r == 0)
		r = sap_snapshot_stale(w->e, w->proc, err);
	if (r == 0)
		r = sap_watch_tasks_each(w, end_if_gone, NULL, err);
	if (r == 0)
		r = sap_watch_pending(w, false, err);
	if (r == 0)
		r = forget_idle(w, err);
	if (r == 0)
		r = sap_watch_tell_all(w, err);
	w->e->end = sap_watch_realtime();
	if (r == 0)
		r = sap_watch_stood(w, err);
	if (w->dead_gap != SAP_NONE && w->dead_gap < w->e->gaps.n)
		w->e->gaps.v[w->dead_gap].end = w->e->end;
	if (r == 0)
		r = sap_watch_more(w, err);
	return r;
}
