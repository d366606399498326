/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/states_int.h"

#include <stdlib.h>

int sap_evidence_process_cmp(const struct sap_evidence *e, uint32_t a, uint32_t b)
{
	const struct sap_seen_process *x = &e->processes.v[a], *y = &e->processes.v[b];
	int c;

	if (x->exposure != y->exposure)
		return sap_exposure_max(x->exposure, y->exposure) == x->exposure ? -1 : 1;
	if (x->ended != y->ended)
		return x->ended ? 1 : -1;
	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	c = sap_str_cmp(x->comm, y->comm);
	return c ? c : a < b ? -1 : a > b;
}

static int compare_uses(const void *left, const void *right, void *arg)
{
	const struct sap_evidence *e = arg;
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return sap_evidence_process_cmp(e, e->uses.v[a].process, e->uses.v[b].process);
}

static int compare_functions(const void *left, const void *right, void *arg)
{
	const struct sap_evidence *e = arg;
	const struct sap_seen_function *a = &e->functions.v[*(const uint32_t *)left];
	const struct sap_seen_function *b = &e->functions.v[*(const uint32_t *)right];
	int c = sap_str_cmp(a->names, b->names);

	if (c)
		return c;
	return a->offset < b->offset ? -1 : a->offset > b->offset;
}

static int compare_unobserved(const void *left, const void *right, void *arg)
{
	const struct sap_evidence *e = arg;
	const struct sap_unobserved *a = &e->unobserved.v[*(const uint32_t *)left];
	const struct sap_unobserved *b = &e->unobserved.v[*(const uint32_t *)right];
	int c = sap_str_cmp(a->name, b->name);

	return c ? c : sap_str_cmp(a->reason, b->reason);
}

/* ---- by file ---------------------------------------------------------------------------- */

typedef uint32_t file_of(const struct sap_evidence *e, size_t i);

static uint32_t file_of_use(const struct sap_evidence *e, size_t i)
{
	const struct sap_seen_use *u = &e->uses.v[i];

	if (u->process >= e->processes.n || sap_seen_free(&e->processes.v[u->process]))
		return SAP_NONE;
	return u->file;
}

static uint32_t file_of_function(const struct sap_evidence *e, size_t i)
{
	return e->functions.v[i].file;
}

static uint32_t file_of_unobserved(const struct sap_evidence *e, size_t i)
{
	return e->unobserved.v[i].file;
}

/* Counting sort by file, then each file's own. */
static bool group(struct sap_evidence_groups *g, size_t n, file_of *of,
		  int (*compare)(const void *, const void *, void *),
		  struct sap_evidence_list *list)
{
	const struct sap_evidence *e = g->evidence;
	size_t files = e->files.n;
	uint32_t *first = sap_arena_array(&g->arena, files + 2, sizeof(*first));
	uint32_t *v = sap_arena_array(&g->arena, n + 1, sizeof(*v));

	if (!first || !v)
		return false;
	/* first[f + 2] counts file f, so that it is first[f + 1] afterwards. */
	for (size_t i = 0; i < n; i++) {
		uint32_t file = of(e, i);

		if (file < files)
			first[file + 2]++;
	}
	for (size_t f = 2; f < files + 2; f++)
		first[f] += first[f - 1];
	for (size_t i = 0; i < n; i++) {
		uint32_t file = of(e, i);

		if (file < files)
			v[first[file + 1]++] = (uint32_t)i;
	}
	for (size_t f = 0; f < files; f++) {
		if (first[f + 1] - first[f] > 1)
			qsort_r(&v[first[f]], first[f + 1] - first[f], sizeof(*v), compare,
				(void *)(uintptr_t)e);
	}
	*list = (struct sap_evidence_list){ first, v };
	return true;
}

int sap_evidence_groups_new(const struct sap_evidence *evidence, struct sap_evidence_groups **out,
			    struct sap_err *err)
{
	struct sap_evidence_groups *g = calloc(1, sizeof(*g));

	if (!g)
		return sap_err_nomem(err);
	g->evidence = evidence;
	sap_arena_init(&g->arena, 0);
	if (!group(g, evidence->uses.n, file_of_use, compare_uses, &g->uses) ||
	    !group(g, evidence->functions.n, file_of_function, compare_functions, &g->functions) ||
	    !group(g, evidence->unobserved.n, file_of_unobserved, compare_unobserved,
		   &g->unobserved)) {
		sap_evidence_groups_free(g);
		return sap_err_nomem(err);
	}
	*out = g;
	return 0;
}

void sap_evidence_groups_free(struct sap_evidence_groups *g)
{
	if (!g)
		return;
	sap_arena_clear(&g->arena);
	free(g);
}

/* ---- what a file says ------------------------------------------------------------------- */

enum sap_state sap_evidence_file_state(const struct sap_evidence_groups *g, uint32_t file,
				       bool *load_time_only)
{
	const struct sap_seen_file *f = &g->evidence->files.v[file];
	bool entered = g->functions.first[file + 1] > g->functions.first[file];
	bool load_time = f->load_time == SAP_YES || f->is_program;

	if (load_time_only)
		*load_time_only = load_time && !entered;
	return entered || load_time ? SAP_STATE_EXECUTED : SAP_STATE_MAPPED;
}

bool sap_evidence_nobody_left(const struct sap_evidence_groups *g, uint32_t file)
{
	const struct sap_seen_file *f = &g->evidence->files.v[file];

	return f->observed == SAP_OBSERVED_PROBED && f->watched_processes == 0 &&
	       g->functions.first[file + 1] == g->functions.first[file];
}

bool sap_evidence_is_old_copy(const struct sap_seen_file *f)
{
	if (f->stale != SAP_STALE_REPLACED && f->stale != SAP_STALE_DELETED)
		return false;
	/* The same build again: what runs is what is there. */
	if (f->stale == SAP_STALE_REPLACED && f->build_id.n &&
	    sap_str_eq(f->build_id, f->new_build_id))
		return false;
	return !sap_str_starts(f->path, SAP_STR("/memfd:")) &&
	       !sap_str_starts(f->path, SAP_STR("/SYSV")) &&
	       !sap_str_starts(f->path, SAP_STR("/dev/"));
}

bool sap_evidence_is_host(const struct sap_evidence *e, uint32_t root)
{
	const struct sap_seen_root *host = e->roots.v, *r = &e->roots.v[root];

	if (root == 0)
		return true;
	return root < e->roots.n && host->ino && r->dev == host->dev && r->ino == host->ino;
}

int64_t sap_evidence_watched(const struct sap_evidence *e)
{
	return sap_evidence_stood(e, 0);
}
