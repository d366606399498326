/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long the probes of a file stood, and how many processes had it mapped meanwhile.
 *
 * Those that end are counted as they end, those that live when the evidence is looked at: a folded
 * entry says no more when each of its processes ran. A process counts when it lived on after the last
 * probe of the file was in place, by the kernel's time; where that is in doubt it does not count.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "observe/watch_int.h"

struct sap_watch_seen *sap_watch_seen(const struct sap_watch *w, uint32_t file)
{
	return file < w->seen.n ? &w->seen.v[file] : NULL;
}

int sap_watch_belongs(struct sap_watch *w, uint32_t file, const struct sap_watch_object *o,
		      struct sap_err *err)
{
	while (w->seen.n <= file)
		if (!SAP_VEC_PUSH(&w->seen, SAP_EVIDENCE_FILES_MAX))
			return sap_err_nomem(err);
	w->seen.v[file].object = o->number + 1;
	w->seen.v[file].forgotten = false;
	return 0;
}

/* Its object, where probes stand. */
static const struct sap_watch_object *standing(const struct sap_watch *w, uint32_t file)
{
	const struct sap_watch_seen *s = sap_watch_seen(w, file);
	const struct sap_watch_object *o =
		s && s->object && s->object <= w->objects.n ? w->objects.v[s->object - 1] : NULL;

	return o && o->n_probed && !o->waiting && !o->dead ? o : NULL;
}

void sap_watch_stood_until(struct sap_watch *w, const struct sap_watch_maps *maps, int64_t when)
{
	if (w->frozen)
		return;
	for (uint32_t i = 0; maps && i < maps->n; i++) {
		const struct sap_watch_object *o = standing(w, maps->v[i]);

		if (o && when > o->since)
			w->seen.v[maps->v[i]].ended++;
	}
}

static int count_living(struct sap_watch *w, struct sap_watch_task *t, void *ctx,
			struct sap_err *err)
{
	uint32_t *living = ctx;

	(void)w;
	(void)err;
	for (uint32_t i = 0; t->process != SAP_NONE && t->maps && i < t->maps->n; i++)
		living[t->maps->v[i]]++;
	return 0;
}

static void stood(struct sap_watch *w, const struct sap_watch_object *o, const uint32_t *living)
{
	int64_t time = o->n_probed && !o->dead ? sap_evidence_stood(w->e, o->since) : 0;

	for (size_t i = 0; i < o->files.n; i++) {
		uint32_t file = o->files.v[i];
		struct sap_seen_file *f = &w->e->files.v[file];
		struct sap_watch_seen *s = &w->seen.v[file];
		uint64_t n = s->ended;

		if (s->object != o->number + 1 || f->observed != SAP_OBSERVED_PROBED)
			continue;
		if (standing(w, file))
			n += living[file];
		f->watched = s->before + time;
		f->watched_processes = n < f->n_processes ? (uint32_t)n : f->n_processes;
	}
}

int sap_watch_stood(struct sap_watch *w, struct sap_err *err)
{
	uint32_t *living;
	int r;

	if (w->frozen || !w->objects.n)
		return 0;
	living = calloc(w->e->files.n + 1, sizeof(*living));
	if (!living)
		return sap_err_nomem(err);
	r = sap_watch_tasks_each(w, count_living, living, err);
	for (size_t i = 0; i < w->objects.n && r == 0; i++)
		stood(w, w->objects.v[i], living);
	free(living);
	return r;
}

int sap_watch_freeze(struct sap_watch *w, struct sap_err *err)
{
	int r = sap_watch_stood(w, err);

	w->frozen = true;
	return r;
}

int sap_watch_taken_away(struct sap_watch *w, struct sap_watch_object *o, struct sap_err *err)
{
	int64_t time = o->n_probed ? sap_evidence_stood(w->e, o->since) : 0;
	char text[128];

	snprintf(text, sizeof(text),
		 "its probes were taken away after %lld s, when no process mapped it any more",
		 (long long)(time / 1000000000));
	for (size_t i = 0; i < o->files.n; i++) {
		struct sap_seen_file *f = &w->e->files.v[o->files.v[i]];
		struct sap_watch_seen *s = &w->seen.v[o->files.v[i]];

		if (s->object != o->number + 1)
			continue;
		s->before += time;
		s->forgotten = true;
		if (f->observed != SAP_OBSERVED_PROBED)
			continue;
		f->observed = SAP_OBSERVED_NOT;
		f->watched = 0;
		f->watched_processes = 0;
		if (!sap_evidence_text(w->e, sap_str_of(text), &f->reason))
			return sap_err_nomem(err);
	}
	return 0;
}

int sap_watch_again(struct sap_watch *w, uint32_t file, int32_t pid, struct sap_err *err)
{
	struct sap_watch_seen *s = sap_watch_seen(w, file);

	if (!s || !s->forgotten)
		return 0;
	s->forgotten = false;
	return sap_watch_enqueue(w, file, pid, err);
}
