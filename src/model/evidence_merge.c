/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One set of evidence added to another. Everything is mapped by identity: roots, files,
 * processes, then what refers to them.
 */
#include <stdlib.h>

#include "base/limits.h"
#include "model/evidence_int.h"

struct merge {
	struct sap_evidence *to;
	const struct sap_evidence *from;
	uint32_t *roots, *files, *processes; /* index in from: index in to, or SAP_NONE */
	uint32_t *met;   /* for each file of from: uses that were added or known */
	uint32_t known;  /* living processes that both have */
	bool end_living; /* those of from belong to an older boot */
};

/* What does not fit has been counted. */
static int skip_full(int r)
{
	return r == SAP_ELIMIT ? 0 : r;
}

static int skip_text(const struct sap_evidence *e, struct sap_err *err)
{
	return skip_full(sap_evidence_text_err(e, err));
}

static int64_t earlier(int64_t a, int64_t b)
{
	return !a || (b && b < a) ? b : a;
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int merge_roots(struct merge *m, struct sap_err *err)
{
	for (uint32_t i = 0; i < m->from->roots.n; i++) {
		const struct sap_seen_root *r = &m->from->roots.v[i];
		int rc;

		m->roots[i] = 0;
		if (i == 0) {
			if (m->to->roots.v[0].mnt_ns == 0 || m->to->end < m->from->end) {
				struct sap_str none = m->to->roots.v[0].container;

				m->to->roots.v[0] = *r;
				m->to->roots.v[0].container = none;
			}
			continue;
		}
		m->roots[i] = SAP_NONE;
		rc = skip_full(sap_evidence_root(m->to, r->mnt_ns, r->dev, r->ino, &m->roots[i],
						 NULL, err));
		if (rc < 0)
			return rc;
		if (m->roots[i] == SAP_NONE)
			continue;
		if (r->container.n &&
		    !sap_evidence_text(m->to, r->container,
				       &m->to->roots.v[m->roots[i]].container) &&
		    (rc = skip_text(m->to, err)) < 0)
			return rc;
		m->to->roots.v[m->roots[i]].pid = r->pid;
	}
	return 0;
}

static int64_t add_time(int64_t a, int64_t b)
{
	return a < INT64_MAX - b ? a + b : INT64_MAX;
}

/* probes: what they did not see may be taken over. */
static bool join_file(struct sap_evidence *e, struct sap_seen_file *to,
		      const struct sap_seen_file *from, bool probes)
{
	bool newer = from->last_seen >= to->last_seen, ok = true;

	if (from->build_id.n)
		ok = sap_evidence_text(e, from->build_id, &to->build_id);
	if (newer && from->stale != SAP_STALE_UNKNOWN) {
		to->stale = from->stale;
		ok = ok && sap_evidence_text(e, from->new_build_id, &to->new_build_id);
	}
	to->is_program |= from->is_program;
	if (from->load_time != SAP_UNKNOWN && to->load_time != SAP_YES) {
		to->load_time = from->load_time;
		ok = ok && sap_evidence_text(e, from->load_time_why, &to->load_time_why);
	}
	to->first_seen = earlier(to->first_seen, from->first_seen);
	to->last_seen = later(to->last_seen, from->last_seen);
	if (!probes)
		return ok;
	if (from->observed == SAP_OBSERVED_PROBED) {
		to->watched = add_time(to->watched, from->watched);
		to->watched_processes +=
			from->watched_processes < UINT32_MAX - to->watched_processes
				? from->watched_processes
				: UINT32_MAX - to->watched_processes;
	}
	/* Probes of either count; that one of two watches did not ask takes nothing away. */
	if (from->observed == SAP_OBSERVED_PROBED || to->observed == SAP_OBSERVED_NOT_ASKED ||
	    (from->observed == SAP_OBSERVED_NOT && to->observed == SAP_OBSERVED_NOT && newer)) {
		ok = ok && sap_evidence_text(e, from->reason, &to->reason);
		to->observed_since = to->observed == SAP_OBSERVED_PROBED
					     ? earlier(to->observed_since, from->observed_since)
					     : from->observed_since;
		if (from->n_probed >= to->n_probed) {
			to->n_functions = from->n_functions;
			to->n_probed = from->n_probed;
			to->n_refused = from->n_refused;
		}
		to->observed = from->observed;
	}
	return ok;
}

/* Probes of a narrow window: that nobody of the few entered a function says nothing of the others. */
static void forget_probes(struct sap_evidence *e)
{
	for (size_t i = 0; i < e->files.n; i++) {
		struct sap_seen_file *f = &e->files.v[i];

		f->observed = SAP_OBSERVED_NOT_ASKED;
		f->reason = (struct sap_str){ 0 };
		f->observed_since = f->watched = 0;
		f->watched_processes = 0;
		f->n_functions = f->n_probed = f->n_refused = 0;
	}
}

static int merge_files(struct merge *m, struct sap_err *err)
{
	bool probes = !m->from->narrow || m->to->narrow || !m->to->start;

	if (m->to->narrow && !m->from->narrow)
		forget_probes(m->to);
	for (uint32_t i = 0; i < m->from->files.n; i++) {
		const struct sap_seen_file *f = &m->from->files.v[i];
		int r = 0;

		m->files[i] = SAP_NONE;
		if (m->roots[f->root] != SAP_NONE)
			r = skip_full(sap_evidence_file(m->to, &f->id, m->roots[f->root], f->path,
							&m->files[i], NULL, err));
		if (r < 0)
			return r;
		if (m->files[i] != SAP_NONE &&
		    !join_file(m->to, &m->to->files.v[m->files[i]], f, probes) &&
		    (r = skip_text(m->to, err)) < 0)
			return r;
	}
	return 0;
}

static int merge_listens(struct merge *m, const struct sap_seen_process *p, uint32_t to,
			 struct sap_err *err)
{
	const struct sap_listen *v = m->from->listens.v;
	int r = 0;

	for (uint32_t at = p->listens; r == 0 && at; at = v[at - 1].next)
		r = skip_full(
			sap_evidence_listen(m->to, to, v[at - 1].text, v[at - 1].exposure, err));
	return r;
}

/* The living process of both sets, or a new slot; ended ones are living until their uses are in. */
static int place_process(struct merge *m, const struct sap_seen_process *p, uint32_t *out,
			 struct sap_err *err)
{
	uint32_t living = p->ended || m->end_living ? SAP_NONE : sap_evidence_living(m->to, p->pid);

	if (living != SAP_NONE && m->to->processes.v[living].start == p->start) {
		m->known++;
		*out = living;
		return 0;
	}
	if (p->ended || m->end_living)
		return sap_evidence_new_process(m->to, out, err);
	m->to->processes_seen--; /* they are summed below */
	return sap_evidence_process(m->to, p->pid, p->start, out, NULL, err);
}

static int merge_process(struct merge *m, uint32_t i, struct sap_err *err)
{
	const struct sap_seen_process *p = &m->from->processes.v[i];
	struct sap_seen_process *to;
	uint32_t known = m->known;
	int r = skip_full(place_process(m, p, &m->processes[i], err));

	if (r < 0 || m->processes[i] == SAP_NONE)
		return r;
	to = &m->to->processes.v[m->processes[i]];
	to->pid = p->pid;
	to->ppid = p->ppid;
	to->start = p->start;
	to->count = p->count;
	if (p->exe != SAP_NONE && m->files[p->exe] != SAP_NONE)
		to->exe = m->files[p->exe];
	to->root = m->roots[p->root] == SAP_NONE ? 0 : m->roots[p->root];
	if (!sap_evidence_text(m->to, p->comm, &to->comm) ||
	    !sap_evidence_text(m->to, p->unit, &to->unit) ||
	    !sap_evidence_text(m->to, p->container, &to->container)) {
		r = skip_text(m->to, err);
		if (r < 0)
			return r;
	}
	to->preloads |= p->preloads;
	to->exposure = m->known == known ? p->exposure
					 : (uint8_t)sap_exposure_max(to->exposure, p->exposure);
	to->first_seen = earlier(to->first_seen, p->first_seen);
	to->last_seen = later(to->last_seen, p->last_seen);
	return merge_listens(m, p, m->processes[i], err);
}

static int merge_processes(struct merge *m, struct sap_err *err)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < m->from->processes.n; i++) {
		m->processes[i] = SAP_NONE;
		if (!sap_seen_free(&m->from->processes.v[i]))
			r = merge_process(m, i, err);
	}
	return r;
}

/* A folded entry's use stands for many processes: what the files of `from` counted beyond the uses
 * that were added, or were there already, is added. */
static void add_counts(struct merge *m)
{
	for (size_t i = 0; i < m->from->files.n; i++)
		if (m->files[i] != SAP_NONE && m->from->files.v[i].n_processes > m->met[i])
			m->to->files.v[m->files[i]].n_processes +=
				m->from->files.v[i].n_processes - m->met[i];
}

static int merge_uses(struct merge *m, struct sap_err *err)
{
	for (size_t i = 0; i < m->from->uses.n; i++) {
		const struct sap_seen_use *u = &m->from->uses.v[i];
		uint32_t file, process;
		int r;

		if (u->process == SAP_NONE)
			continue;
		file = m->files[u->file];
		process = m->processes[u->process];
		if (file == SAP_NONE || process == SAP_NONE)
			continue;
		r = sap_evidence_use(m->to, file, process, u->flags, u->first_seen, err);
		if (r == 0)
			r = sap_evidence_use(m->to, file, process, u->flags, u->last_seen, err);
		if (skip_full(r) < 0)
			return r;
		m->met[u->file]++;
	}
	add_counts(m);
	return 0;
}

static uint32_t process_of(const struct merge *m, uint32_t i)
{
	return i == SAP_NONE ? SAP_NONE : m->processes[i];
}

static int merge_functions(struct merge *m, struct sap_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < m->from->functions.n; i++) {
		const struct sap_seen_function *f = &m->from->functions.v[i];

		if (m->files[f->file] != SAP_NONE)
			r = skip_full(sap_evidence_entered(m->to, m->files[f->file], f->offset,
							   f->names, process_of(m, f->process),
							   f->when, NULL, err));
	}
	for (size_t i = 0; r == 0 && i < m->from->unobserved.n; i++) {
		const struct sap_unobserved *u = &m->from->unobserved.v[i];

		if (m->files[u->file] != SAP_NONE)
			r = skip_full(sap_evidence_unobserved(m->to, m->files[u->file], u->name,
							      u->reason, err));
	}
	for (size_t i = 0; r == 0 && i < m->from->opens.n; i++) {
		const struct sap_seen_open *o = &m->from->opens.v[i];

		if (m->roots[o->root] == SAP_NONE)
			continue;
		r = sap_evidence_open(m->to, m->roots[o->root], o->path, process_of(m, o->process),
				      o->count, o->first_seen, err);
		if (r == 0)
			r = sap_evidence_open(m->to, m->roots[o->root], o->path, SAP_NONE, 0,
					      o->last_seen, err);
		r = skip_full(r);
	}
	return r;
}

/* Ended entries, which were living slots until now, go where their like are. */
static int end_processes(struct merge *m, struct sap_err *err)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < m->from->processes.n; i++)
		if (m->processes[i] != SAP_NONE && (m->from->processes.v[i].ended || m->end_living))
			r = sap_evidence_end(m->to, m->processes[i], 0, NULL, err);
	return r;
}

static int end_all(struct sap_evidence *e, struct sap_err *err)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < e->processes.n; i++)
		if (!sap_seen_free(&e->processes.v[i]) && !e->processes.v[i].ended)
			r = sap_evidence_end(e, i, 0, NULL, err);
	return r;
}

/* One of two watches that only looked spoils the joined window; a single look does not. */
static void join_live(struct sap_evidence *to, const struct sap_evidence *from)
{
	if (to->end <= to->start)
		to->live |= from->live;
	else if (from->end > from->start)
		to->live &= from->live;
}

/* Windows that overlap, and processes of both, count once. */
static void bound_watched(struct sap_evidence *e)
{
	int64_t max = sap_evidence_stood(e, 0);

	for (size_t i = 0; i < e->files.n; i++) {
		struct sap_seen_file *f = &e->files.v[i];

		f->watched = f->watched < max ? f->watched : max;
		if (f->watched_processes > f->n_processes)
			f->watched_processes = f->n_processes;
	}
}

/* Of a narrow window and a whole one the whole one stays: it alone says what was not. */
static int merge_window(struct merge *m, struct sap_err *err)
{
	struct sap_evidence *to = m->to;
	const struct sap_evidence *from = m->from;
	int r = 0;

	to->processes_seen += from->processes_seen - m->known;
	if (from->end >= to->end || !to->start) {
		if (!sap_evidence_text(to, from->boot_id, &to->boot_id) ||
		    !sap_evidence_text(to, from->host, &to->host)) {
			r = skip_text(to, err);
			if (r < 0)
				return r;
		}
		to->boot_time = from->boot_time;
	}
	if (from->narrow && !to->narrow && to->start)
		return 0;
	if (!from->narrow && to->narrow) {
		to->start = to->end = 0;
		to->live = false;
		to->gaps.n = 0;
		to->losses = (struct sap_losses){ 0 };
		to->means = (struct sap_means){ 0 };
	}
	to->narrow = from->narrow;
	for (size_t i = 0; r == 0 && i < from->gaps.n; i++)
		r = skip_full(sap_evidence_gap(to, from->gaps.v[i].start, from->gaps.v[i].end,
					       from->gaps.v[i].reason, err));
	if (r == 0 && to->start && from->start &&
	    (from->start > to->end || to->start > from->end)) {
		bool before = from->end < to->start;

		r = skip_full(sap_evidence_gap(to, before ? from->end : to->end,
					       before ? to->start : from->start,
					       SAP_STR("nothing was watching"), err));
	}
	if (r < 0)
		return r;
	if (from->end >= to->end)
		to->processes_hidden = from->processes_hidden;
	/* Of two watches the later one's words; of one look beside a watch, the watch's. */
	if (from->means.maps.n &&
	    (from->end - from->start >= to->end - to->start || !to->means.maps.n))
		if (!sap_evidence_text(to, from->means.maps, &to->means.maps) ||
		    !sap_evidence_text(to, from->means.functions, &to->means.functions) ||
		    !sap_evidence_text(to, from->means.opens, &to->means.opens)) {
			r = skip_text(to, err);
			if (r < 0)
				return r;
		}
	join_live(to, from);
	to->start = earlier(to->start, from->start);
	to->end = later(to->end, from->end);
	to->losses.maps += from->losses.maps;
	to->losses.hits += from->losses.hits;
	to->losses.opens += from->losses.opens;
	to->losses.files += from->losses.files;
	to->losses.ceiling += from->losses.ceiling;
	return 0;
}

static int merge_all(struct merge *m, struct sap_err *err)
{
	const struct sap_str a = m->to->boot_id, b = m->from->boot_id;
	int r = 0;

	if (a.n && b.n && !sap_str_eq(a, b)) {
		m->end_living = m->from->boot_time && m->to->boot_time &&
						m->from->boot_time != m->to->boot_time
					? m->from->boot_time < m->to->boot_time
					: m->from->end < m->to->end;
		r = m->end_living ? 0 : end_all(m->to, err);
	}
	if (r == 0)
		r = merge_roots(m, err);
	if (r == 0)
		r = merge_files(m, err);
	if (r == 0)
		r = merge_processes(m, err);
	if (r == 0)
		r = merge_uses(m, err);
	if (r == 0)
		r = merge_functions(m, err);
	if (r == 0)
		r = end_processes(m, err);
	if (r == 0)
		r = merge_window(m, err);
	if (r == 0)
		bound_watched(m->to);
	return r;
}

int sap_evidence_merge(struct sap_evidence *e, const struct sap_evidence *from, struct sap_err *err)
{
	struct merge m = { .to = e, .from = from };
	int r;

	m.roots = calloc(from->roots.n + 1, sizeof(uint32_t));
	m.files = calloc(from->files.n + 1, sizeof(uint32_t));
	m.processes = calloc(from->processes.n + 1, sizeof(uint32_t));
	m.met = calloc(from->files.n + 1, sizeof(uint32_t));
	r = m.roots && m.files && m.processes && m.met ? merge_all(&m, err) : sap_err_nomem(err);
	free(m.roots);
	free(m.files);
	free(m.processes);
	free(m.met);
	return r;
}
