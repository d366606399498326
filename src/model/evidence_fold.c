/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes: living ones by (pid, start); ended ones folded with those of their kind.
 */
#include "base/limits.h"
#include "model/evidence_int.h"

static uint32_t hash_pid(int32_t pid)
{
	return sap_evidence_mix(0, (uint64_t)(uint32_t)pid);
}

uint32_t sap_evidence_living(const struct sap_evidence *e, int32_t pid)
{
	uint32_t hash = hash_pid(pid), at, i;

	for (i = sap_slots_first(&e->index->living, hash, &at);
	     i != SAP_NONE && e->processes.v[i].pid != pid;
	     i = sap_slots_next(&e->index->living, hash, &at))
		;
	return i;
}

int sap_evidence_new_process(struct sap_evidence *e, uint32_t *out, struct sap_err *err)
{
	struct sap_evidence_index *x = e->index;

	if (x->free_process) {
		*out = x->free_process - 1;
		x->free_process = e->processes.v[*out].listens;
	} else {
		if (!SAP_VEC_PUSH(&e->processes, SAP_EVIDENCE_PROCESSES_MAX))
			return sap_evidence_full(e, e->processes.n, SAP_EVIDENCE_PROCESSES_MAX,
						 "processes", err);
		if (!SAP_VEC_PUSH(&x->links, SAP_EVIDENCE_PROCESSES_MAX)) {
			e->processes.n--;
			return sap_err_nomem(err);
		}
		*out = (uint32_t)e->processes.n - 1;
	}
	e->processes.v[*out] = (struct sap_seen_process){ .exe = SAP_NONE, .count = 1 };
	return 0;
}

static void free_process(struct sap_evidence *e, uint32_t i)
{
	e->processes.v[i] = (struct sap_seen_process){ .exe = SAP_NONE,
						       .ended = true,
						       .listens = e->index->free_process };
	e->index->free_process = i + 1;
}

int sap_evidence_process(struct sap_evidence *e, int32_t pid, uint64_t start, uint32_t *out,
			 bool *added, struct sap_err *err)
{
	struct sap_evidence_index *x = e->index;
	uint32_t i = sap_evidence_living(e, pid);
	int r;

	if (i != SAP_NONE && e->processes.v[i].start == start) {
		if (added)
			*added = false;
		*out = i;
		return 0;
	}
	if (i != SAP_NONE && (r = sap_evidence_end(e, i, 0, NULL, err)) < 0)
		return r;
	r = sap_evidence_new_process(e, &i, err);
	if (r < 0)
		return r;
	e->processes.v[i].pid = pid;
	e->processes.v[i].start = start;
	if (!sap_slots_add(&x->living, hash_pid(pid), i)) {
		free_process(e, i);
		return sap_err_nomem(err);
	}
	e->processes_seen++;
	if (added)
		*added = true;
	*out = i;
	return 0;
}

/* ---- sockets ---------------------------------------------------------------------------- */

static void free_listen(struct sap_evidence *e, uint32_t i)
{
	e->listens.v[i] = (struct sap_listen){ .next = e->index->free_listen };
	e->index->free_listen = i + 1;
}

static int new_listen(struct sap_evidence *e, uint32_t *out, struct sap_err *err)
{
	if (e->index->free_listen) {
		*out = e->index->free_listen - 1;
		e->index->free_listen = e->listens.v[*out].next;
		return 0;
	}
	if (!SAP_VEC_PUSH(&e->listens, SAP_EVIDENCE_LISTENS_MAX))
		return sap_evidence_full(e, e->listens.n, SAP_EVIDENCE_LISTENS_MAX,
					 "listening sockets", err);
	*out = (uint32_t)e->listens.n - 1;
	return 0;
}

int sap_evidence_listen(struct sap_evidence *e, uint32_t process, struct sap_str text,
			enum sap_exposure exposure, struct sap_err *err)
{
	struct sap_seen_process *p = &e->processes.v[process];
	struct sap_listen *l;
	uint32_t i = 0;
	int r;

	if (p->exposure < exposure)
		p->exposure = (uint8_t)exposure;
	for (uint32_t at = p->listens; at; at = e->listens.v[at - 1].next)
		if (sap_str_eq(e->listens.v[at - 1].text, text))
			return 0;
	r = new_listen(e, &i, err);
	if (r < 0)
		return r;
	l = &e->listens.v[i];
	*l = (struct sap_listen){ .exposure = (uint8_t)exposure };
	if (!sap_evidence_text(e, text, &l->text)) {
		free_listen(e, i);
		return sap_evidence_text_err(e, err);
	}
	l->next = p->listens;
	p->listens = i + 1;
	return 0;
}

void sap_evidence_no_listens(struct sap_evidence *e, uint32_t process)
{
	for (uint32_t at = e->processes.v[process].listens, next; at; at = next) {
		next = e->listens.v[at - 1].next;
		free_listen(e, at - 1);
	}
	e->processes.v[process].listens = 0;
	/* That it had none must be seen again; that it was exposed stays true of the window. */
	if (e->processes.v[process].exposure == SAP_EXPOSURE_NONE)
		e->processes.v[process].exposure = SAP_EXPOSURE_UNKNOWN;
}

/* Sockets of the ended one that the other does not have. */
static void join_listens(struct sap_evidence *e, struct sap_seen_process *to, uint32_t from)
{
	for (uint32_t at = from, next; at; at = next) {
		struct sap_listen *l = &e->listens.v[at - 1];
		uint32_t k = to->listens;

		next = l->next;
		while (k && !sap_str_eq(e->listens.v[k - 1].text, l->text))
			k = e->listens.v[k - 1].next;
		if (k) {
			free_listen(e, at - 1);
			continue;
		}
		l->next = to->listens;
		to->listens = at;
	}
}

/* ---- ending ----------------------------------------------------------------------------- */

uint32_t sap_evidence_fold_hash(const struct sap_evidence *e, const struct sap_seen_process *p)
{
	uint32_t h = sap_evidence_mix(p->exe, p->root);

	h = sap_evidence_mix(h, sap_evidence_hash(e, p->unit));
	h = sap_evidence_mix(h, sap_evidence_hash(e, p->container));
	return p->exe == SAP_NONE ? sap_evidence_mix(h, sap_evidence_hash(e, p->comm)) : h;
}

uint32_t sap_evidence_fold_target(const struct sap_evidence *e, const struct sap_seen_process *p)
{
	uint32_t hash = sap_evidence_fold_hash(e, p), at, i;

	for (i = sap_slots_first(&e->index->folded, hash, &at); i != SAP_NONE;
	     i = sap_slots_next(&e->index->folded, hash, &at)) {
		const struct sap_seen_process *f = &e->processes.v[i];

		if (f->exe == p->exe && f->root == p->root && sap_str_eq(f->unit, p->unit) &&
		    sap_str_eq(f->container, p->container) &&
		    (p->exe != SAP_NONE || sap_str_eq(f->comm, p->comm)))
			break;
	}
	return i;
}

static void fold(struct sap_evidence *e, struct sap_seen_process *to,
		 const struct sap_seen_process *p)
{
	to->count += p->count;
	to->pid = p->pid;
	to->ppid = p->ppid;
	to->start = p->start;
	to->comm = p->comm;
	to->preloads |= p->preloads;
	to->exposure = (uint8_t)sap_exposure_max(to->exposure, p->exposure);
	if (p->first_seen && (!to->first_seen || p->first_seen < to->first_seen))
		to->first_seen = p->first_seen;
	if (p->last_seen > to->last_seen)
		to->last_seen = p->last_seen;
	join_listens(e, to, p->listens);
}

int sap_evidence_end(struct sap_evidence *e, uint32_t process, int64_t when, uint32_t *out,
		     struct sap_err *err)
{
	struct sap_seen_process *p = &e->processes.v[process];
	uint32_t to = process;
	int r;

	if (!p->ended) {
		if (when > p->last_seen)
			p->last_seen = when;
		to = sap_evidence_fold_target(e, p);
		r = to == SAP_NONE ? 0 : sap_evidence_move(e, process, to, err);
		if (r < 0)
			return r;
		if (to == SAP_NONE &&
		    !sap_slots_add(&e->index->folded, sap_evidence_fold_hash(e, p), process))
			return sap_err_nomem(err);
		sap_slots_remove(&e->index->living, hash_pid(p->pid), process);
		p->ended = true;
		if (to == SAP_NONE) {
			to = process;
		} else {
			fold(e, &e->processes.v[to], p);
			free_process(e, process);
		}
	}
	if (out)
		*out = to;
	return 0;
}
