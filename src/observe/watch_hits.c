/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes back of probes: PLACED, REFUSED, HIT.
 *
 * Entries and the events about processes come by different ways, so an entry can be told before the
 * FORK or EXEC of its process, or after its EXIT. It waits for a moment until there is a
 * process that maps the file.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "observe/watch_int.h"

enum { ENOTSUPP_KERNEL = 524 }; /* the kernel's own; not in errno.h */

struct sap_watch_object *sap_watch_by_cookie(const struct sap_watch *w, uint32_t cookie)
{
	size_t lo = 0, hi = w->objects.n;

	/* Cookies rise with the objects; those without any share the next one's. */
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct sap_watch_object *o = w->objects.v[mid];

		if (o->cookie + o->n <= cookie)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == w->objects.n || cookie < w->objects.v[lo]->cookie || w->objects.v[lo]->n == 0)
		return NULL;
	return w->objects.v[lo];
}

static struct sap_str names_of(const struct sap_watch_object *o, uint32_t i)
{
	uint32_t at = o->fns[i].name, next = o->fns[i + 1].name;

	return (struct sap_str){ o->text + at, next - at };
}

/* ---- PLACED, REFUSED ------------------------------------------------------------------------ */

static int positive(int error)
{
	return error >= 0 ? error : error == INT_MIN ? INT_MAX : -error;
}

static const char *error_text(int error, char buf[128])
{
	if (error == 0)
		return "the kernel refuses all of its probes";
	if (error == ENOTSUPP_KERNEL)
		return "the kernel refuses a probe on its first instruction";
	snprintf(buf, 128, "the kernel refuses a probe there: %s", strerror(error));
	return buf;
}

int sap_watch_show(struct sap_watch *w, struct sap_watch_object *o, struct sap_err *err)
{
	char buf[128];

	for (size_t i = 0; i < o->files.n; i++) {
		struct sap_seen_file *f = &w->e->files.v[o->files.v[i]];

		f->n_functions = o->n_functions;
		f->n_probed = o->n_probed;
		f->n_refused = o->n_refused;
		f->observed_since = o->since;
		if (o->n_probed) {
			f->observed = SAP_OBSERVED_PROBED;
		} else if (o->sent && !o->waiting) {
			f->observed = SAP_OBSERVED_NOT;
			if (!sap_evidence_text(w->e, sap_str_of(error_text(o->error, buf)),
					       &f->reason))
				return sap_err_nomem(err);
		}
	}
	return 0;
}

int sap_watch_placed(struct sap_watch *w, const struct sap_wire_placed *m, struct sap_err *err)
{
	struct sap_watch_object *o = sap_watch_by_cookie(w, m->cookie);
	uint32_t asked;

	if (!o || o->number != m->file || !o->waiting)
		return sap_err_format(err, 0, "probes were placed that nobody asked for");
	asked = o->n - (m->cookie - o->cookie);
	if (m->n_placed > asked || m->n_refused > asked - m->n_placed ||
	    o->n_probed > o->n - m->n_placed)
		return sap_err_format(err, 0, "more probes were placed than were asked for");
	o->waiting--;
	w->asked--;
	o->n_probed += m->n_placed;
	o->n_refused += m->n_refused;
	if (m->error && !o->error)
		o->error = positive(m->error);
	if (m->n_placed && m->when > o->since)
		o->since = m->when;
	return o->dead ? 0 : sap_watch_show(w, o, err);
}

int sap_watch_refused(struct sap_watch *w, const struct sap_wire_refused *m, struct sap_err *err)
{
	struct sap_watch_object *o = sap_watch_by_cookie(w, m->cookie);
	char buf[128];
	struct sap_str reason, rest, name;
	int r = 0;

	if (!o)
		return sap_err_format(err, 0, "a probe was refused that nobody asked for");
	if (o->dead)
		return 0;
	reason = sap_str_of(error_text(positive(m->error), buf));
	for (size_t i = 0; i < o->files.n && r == 0; i++) {
		rest = names_of(o, m->cookie - o->cookie);
		while (r == 0 && sap_str_word(&rest, &name)) {
			sap_str_cut(name, '@', &name, &(struct sap_str){ 0 });
			r = sap_watch_soft(
				sap_evidence_unobserved(w->e, o->files.v[i], name, reason, err));
		}
	}
	return r;
}

/* ---- HIT --------------------------------------------------------------------------------- */

/* The file of the object that the task maps: they differ where an inode has several paths. */
static uint32_t mapped_as(const struct sap_watch_object *o, const struct sap_watch_task *t)
{
	for (size_t i = 0; i < o->files.n; i++)
		if (sap_watch_maps_has(t->maps, o->files.v[i]))
			return o->files.v[i];
	return SAP_NONE;
}

/* The file of the object that the entry of an ended process mapped. */
static uint32_t was_mapped_as(const struct sap_watch *w, const struct sap_watch_object *o,
			      uint32_t process)
{
	for (size_t i = 0; i < w->e->uses.n && o->files.n > 1; i++)
		for (size_t k = 0; k < o->files.n && w->e->uses.v[i].process == process; k++)
			if (w->e->uses.v[i].file == o->files.v[k])
				return o->files.v[k];
	return o->files.v[0];
}

/* The place is given up with the first entry, so the same bytes at other paths are entered too; by whom
 * is known for the path only that the process maps. */
static int enter(struct sap_watch *w, struct sap_watch_object *o, uint32_t cookie, uint32_t file,
		 uint32_t process, int64_t when, struct sap_err *err)
{
	uint32_t i = cookie - o->cookie;
	int r = 0;

	if (w->e->narrow && !o->fns[i].seen && !w->stopping && !w->ended && !w->dead)
		r = sap_wire_put(&w->out, SAP_WIRE_TAKEN, &cookie, sizeof(cookie), NULL, 0, err);
	if (r < 0)
		return r;
	o->fns[i].seen = true;
	r = sap_watch_soft(sap_evidence_entered(w->e, file, o->fns[i].offset, names_of(o, i),
						process, when, NULL, err));
	for (size_t k = 0; k < o->files.n && r == 0; k++)
		if (o->files.v[k] != file)
			r = sap_watch_soft(sap_evidence_entered(w->e, o->files.v[k],
								o->fns[i].offset, names_of(o, i),
								SAP_NONE, when, NULL, err));
	return r;
}

static int enter_by_task(struct sap_watch *w, struct sap_watch_object *o, uint32_t cookie,
			 uint32_t file, struct sap_watch_task *t, int64_t when, struct sap_err *err)
{
	int r = 0;

	if (t->process == SAP_NONE)
		r = sap_watch_soft(sap_watch_task_tell(w, t, err));
	return r < 0 ? r : enter(w, o, cookie, file, t->process, when, err);
}

/* 1: done; 0: not yet known whose it is. */
static int try_hit(struct sap_watch *w, const struct sap_watch_hit *h, struct sap_err *err)
{
	struct sap_watch_object *o = sap_watch_by_cookie(w, h->cookie);
	const struct sap_watch_ended *g = &w->gone[(uint32_t)h->pid % WATCH_ENDED];
	struct sap_watch_task *t = sap_watch_task_find(w, h->pid);
	uint32_t file;
	int r;

	if (!o || o->dead || o->fns[h->cookie - o->cookie].seen)
		return 1;
	file = t ? mapped_as(o, t) : SAP_NONE;
	if (h->pid > 0 && g->pid == h->pid && g->process != SAP_NONE && h->when <= g->when &&
	    (!t || h->when < t->since))
		r = enter(w, o, h->cookie, was_mapped_as(w, o, g->process), g->process, h->when,
			  err);
	else if (file != SAP_NONE)
		r = enter_by_task(w, o, h->cookie, file, t, h->when, err);
	else
		return 0;
	return r < 0 ? r : 1;
}

/* Nothing more was heard of its process. */
static int give_up(struct sap_watch *w, const struct sap_watch_hit *h, struct sap_err *err)
{
	struct sap_watch_object *o = sap_watch_by_cookie(w, h->cookie);
	const struct sap_watch_ended *g = &w->gone[(uint32_t)h->pid % WATCH_ENDED];
	struct sap_watch_task *t = sap_watch_task_find(w, h->pid);
	uint32_t file;

	if (!o || o->dead)
		return 0;
	if (t && (file = mapped_as(o, t)) == SAP_NONE)
		file = o->files.v[0];
	if (t)
		return enter_by_task(w, o, h->cookie, file, t, h->when, err);
	if (h->pid > 0 && g->pid == h->pid && g->process != SAP_NONE)
		return enter(w, o, h->cookie, was_mapped_as(w, o, g->process), g->process, h->when,
			     err);
	/* With a narrow watch it is a stranger. */
	if (w->n_pids || w->cgroup_path)
		return 0;
	return enter(w, o, h->cookie, o->files.v[0], SAP_NONE, h->when, err);
}

int sap_watch_hit(struct sap_watch *w, const struct sap_wire_hit *m, struct sap_err *err)
{
	struct sap_watch_hit h = {
		.cookie = m->cookie, .pid = m->pid, .when = m->when, .came = w->now_ms
	};
	struct sap_watch_hit *to;
	int r;

	/* 0: a process outside of our PID namespace, which nobody asked for here. */
	if (m->pid <= 0 && (w->n_pids || w->cgroup_path))
		return 0;
	if (m->cookie >= w->next_cookie)
		return sap_err_format(err, 0, "a function was entered that nobody asked for");
	r = try_hit(w, &h, err);
	if (r != 0)
		return r < 0 ? r : 0;
	if (w->pending.n >= SAP_WATCH_PENDING_MAX)
		return give_up(w, &h, err);
	to = SAP_VEC_PUSH(&w->pending, SAP_WATCH_PENDING_MAX);
	if (!to)
		return sap_err_nomem(err);
	*to = h;
	return 0;
}

int sap_watch_pending(struct sap_watch *w, bool all, struct sap_err *err)
{
	size_t kept = 0;
	int r = 0;

	for (size_t i = 0; i < w->pending.n; i++) {
		struct sap_watch_hit h = w->pending.v[i];
		int done = r < 0 ? 1 : try_hit(w, &h, err);

		if (done == 0 && (all || w->now_ms - h.came > WATCH_PENDING_MS))
			done = give_up(w, &h, err) < 0 ? -1 : 1;
		if (done == 0)
			w->pending.v[kept++] = h;
		else if (done < 0)
			r = done;
	}
	w->pending.n = kept;
	return r;
}
