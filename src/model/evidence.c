/* SPDX-License-Identifier: Apache-2.0 */
#include "model/evidence_int.h"

#include <stdlib.h>
#include <sys/random.h>

#include "base/limits.h"

enum { ROUNDED = 64 };

const char *sap_exposure_name(enum sap_exposure e)
{
	static const char *const names[] = { "unknown", "none", "local", "network" };

	return names[e <= SAP_EXPOSURE_NETWORK ? e : SAP_EXPOSURE_UNKNOWN];
}

enum sap_exposure sap_exposure_max(unsigned a, unsigned b)
{
	static const uint8_t ranks[] = {
		[SAP_EXPOSURE_NONE] = 0,
		[SAP_EXPOSURE_UNKNOWN] = 1,
		[SAP_EXPOSURE_LOCAL] = 2,
		[SAP_EXPOSURE_NETWORK] = 3,
	};

	if (a > SAP_EXPOSURE_NETWORK || b > SAP_EXPOSURE_NETWORK)
		return SAP_EXPOSURE_UNKNOWN;
	return (enum sap_exposure)(ranks[a] >= ranks[b] ? a : b);
}

const char *sap_stale_name(enum sap_stale s)
{
	static const char *const names[] = { "unknown", "no", "replaced", "deleted" };

	return names[s <= SAP_STALE_DELETED ? s : SAP_STALE_UNKNOWN];
}

/* ---- the set ---------------------------------------------------------------------------- */

struct sap_evidence *sap_evidence_new(void)
{
	struct sap_evidence *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	sap_arena_init(&e->arena, SAP_EVIDENCE_TEXT_MAX);
	e->index = calloc(1, sizeof(*e->index));
	if (!e->index || !SAP_VEC_PUSH(&e->roots, SAP_EVIDENCE_ROOTS_MAX)) {
		sap_evidence_free(e);
		return NULL;
	}
	if (getrandom(&e->index->seed, sizeof(e->index->seed), GRND_NONBLOCK) < 0)
		e->index->seed = (uint64_t)(uintptr_t)e;
	return e;
}

static void free_index(struct sap_evidence_index *x)
{
	struct sap_slots *all[] = { &x->texts,     &x->roots, &x->living,     &x->files, &x->uses,
				    &x->functions, &x->opens, &x->unobserved, &x->folded };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		free(all[i]->v);
	sap_vec_clear(&x->text);
	sap_vec_clear(&x->links);
	sap_vec_clear(&x->next_use);
	sap_vec_clear(&x->next_function);
	free(x);
}

void sap_evidence_free(struct sap_evidence *e)
{
	if (!e)
		return;
	if (e->index)
		free_index(e->index);
	sap_vec_clear(&e->gaps);
	sap_vec_clear(&e->roots);
	sap_vec_clear(&e->processes);
	sap_vec_clear(&e->listens);
	sap_vec_clear(&e->files);
	sap_vec_clear(&e->uses);
	sap_vec_clear(&e->functions);
	sap_vec_clear(&e->unobserved);
	sap_vec_clear(&e->opens);
	sap_arena_clear(&e->arena);
	free(e);
}

int sap_evidence_full(struct sap_evidence *e, size_t n, size_t max, const char *what,
		      struct sap_err *err)
{
	if (n < max)
		return sap_err_nomem(err);
	e->losses.ceiling++;
	return sap_err_set(err, SAP_ELIMIT, "more than %zu %s", max, what);
}

bool sap_evidence_text(struct sap_evidence *e, struct sap_str s, struct sap_str *out)
{
	struct sap_evidence_index *x = e->index;
	uint32_t hash = sap_evidence_hash(e, s), at;
	struct sap_str *to, copy;

	x->text_full = false;
	if (s.n == 0) {
		*out = (struct sap_str){ 0 };
		return true;
	}
	for (uint32_t i = sap_slots_first(&x->texts, hash, &at); i != SAP_NONE;
	     i = sap_slots_next(&x->texts, hash, &at)) {
		if (sap_str_eq(x->text.v[i], s)) {
			*out = x->text.v[i];
			return true;
		}
	}
	if (!sap_arena_str(&e->arena, s, &copy)) {
		/* The arena rounds up what it hands out. */
		x->text_full = e->arena.used + s.n + ROUNDED >= e->arena.max;
		e->losses.ceiling += x->text_full;
		return false;
	}
	to = SAP_VEC_PUSH(&x->text, UINT32_MAX - 1);
	if (!to || !sap_slots_add(&x->texts, hash, (uint32_t)x->text.n - 1))
		return false;
	*to = *out = copy;
	return true;
}

int sap_evidence_text_err(const struct sap_evidence *e, struct sap_err *err)
{
	if (!e->index->text_full)
		return sap_err_nomem(err);
	return sap_err_set(err, SAP_ELIMIT, "more than %llu bytes of paths and names",
			   (unsigned long long)e->arena.max);
}

/* ---- roots, gaps ------------------------------------------------------------------------ */

static bool is_root(const struct sap_seen_root *r, uint64_t mnt_ns, uint64_t dev, uint64_t ino)
{
	return r->mnt_ns == mnt_ns && r->dev == dev && r->ino == ino;
}

int sap_evidence_root(struct sap_evidence *e, uint64_t mnt_ns, uint64_t dev, uint64_t ino,
		      uint32_t *out, bool *added, struct sap_err *err)
{
	struct sap_slots *slots = &e->index->roots;
	uint32_t hash = sap_evidence_mix(sap_evidence_mix((uint32_t)mnt_ns, dev), ino), at, i = 0;
	struct sap_seen_root *root;

	if (!is_root(&e->roots.v[0], mnt_ns, dev, ino))
		for (i = sap_slots_first(slots, hash, &at);
		     i != SAP_NONE && !is_root(&e->roots.v[i], mnt_ns, dev, ino);
		     i = sap_slots_next(slots, hash, &at))
			;
	if (added)
		*added = i == SAP_NONE;
	if (i == SAP_NONE) {
		root = SAP_VEC_PUSH(&e->roots, SAP_EVIDENCE_ROOTS_MAX);
		if (!root)
			return sap_evidence_full(e, e->roots.n, SAP_EVIDENCE_ROOTS_MAX,
						 "root folders of processes", err);
		i = (uint32_t)e->roots.n - 1;
		if (!sap_slots_add(slots, hash, i)) {
			e->roots.n--;
			return sap_err_nomem(err);
		}
		root->mnt_ns = mnt_ns;
		root->dev = dev;
		root->ino = ino;
	}
	*out = i;
	return 0;
}

int sap_evidence_gap(struct sap_evidence *e, int64_t start, int64_t end, struct sap_str reason,
		     struct sap_err *err)
{
	struct sap_gap *gap = SAP_VEC_PUSH(&e->gaps, SAP_EVIDENCE_GAPS_MAX);

	if (!gap)
		return sap_evidence_full(e, e->gaps.n, SAP_EVIDENCE_GAPS_MAX, "gaps", err);
	gap->start = start;
	gap->end = end;
	return sap_evidence_text(e, reason, &gap->reason) ? 0 : sap_evidence_text_err(e, err);
}

static int compare_gaps(const void *left, const void *right)
{
	const struct sap_gap *a = left, *b = right;

	return (a->start > b->start) - (a->start < b->start);
}

/* Gaps may overlap and come in any order. */
int64_t sap_evidence_stood(const struct sap_evidence *e, int64_t since)
{
	int64_t at = since > e->start ? since : e->start, stood = e->end > at ? e->end - at : 0;
	struct sap_gap *gaps = e->gaps.n ? calloc(e->gaps.n, sizeof(*gaps)) : NULL;
	size_t n = gaps ? e->gaps.n : 0;

	if (e->gaps.n && !gaps)
		return 0; /* rather none than too much */
	if (n) {
		memcpy(gaps, e->gaps.v, n * sizeof(*gaps));
		qsort(gaps, n, sizeof(*gaps), compare_gaps);
	}
	for (size_t i = 0; i < n; i++) {
		int64_t end = gaps[i].end < e->end ? gaps[i].end : e->end;

		if (gaps[i].start > at)
			at = gaps[i].start;
		if (end > at) {
			stood -= end - at;
			at = end;
		}
	}
	free(gaps);
	return stood;
}

/* ---- files ------------------------------------------------------------------------------ */

static uint32_t hash_file(const struct sap_evidence *e, const struct sap_file_id *id, uint32_t root,
			  struct sap_str path)
{
	uint32_t h = sap_evidence_mix((uint32_t)id->dev, id->ino);

	return sap_evidence_mix(sap_evidence_mix(h, root), sap_evidence_hash(e, path));
}

static bool is_file(const struct sap_seen_file *f, const struct sap_file_id *id, uint32_t root,
		    struct sap_str path)
{
	return f->id.dev == id->dev && f->id.ino == id->ino && f->root == root &&
	       (f->id.ctime == id->ctime || !f->id.ctime || !id->ctime) &&
	       sap_str_eq(f->path, path);
}

int sap_evidence_file(struct sap_evidence *e, const struct sap_file_id *id, uint32_t root,
		      struct sap_str path, uint32_t *out, bool *added, struct sap_err *err)
{
	struct sap_slots *slots = &e->index->files;
	uint32_t hash = hash_file(e, id, root, path), at, found = SAP_NONE;
	struct sap_seen_file *file;

	for (uint32_t i = sap_slots_first(slots, hash, &at); i != SAP_NONE;
	     i = sap_slots_next(slots, hash, &at)) {
		if (is_file(&e->files.v[i], id, root, path) &&
		    (found == SAP_NONE || e->files.v[i].id.ctime == id->ctime || i > found))
			found = i;
		if (found == i && e->files.v[i].id.ctime == id->ctime)
			break;
	}
	if (added)
		*added = found == SAP_NONE;
	if (found != SAP_NONE) {
		if (!e->files.v[found].id.ctime)
			e->files.v[found].id.ctime = id->ctime;
		*out = found;
		return 0;
	}
	file = SAP_VEC_PUSH(&e->files, SAP_EVIDENCE_FILES_MAX);
	if (!file)
		return sap_evidence_full(e, e->files.n, SAP_EVIDENCE_FILES_MAX, "mapped files",
					 err);
	found = (uint32_t)e->files.n - 1;
	if (!sap_evidence_text(e, path, &file->path) || !sap_slots_add(slots, hash, found)) {
		e->files.n--;
		return sap_evidence_text_err(e, err);
	}
	file->id = *id;
	file->root = root;
	*out = found;
	return 0;
}

/* ---- uses ------------------------------------------------------------------------------- */

static uint32_t hash_use(uint32_t file, uint32_t process)
{
	return sap_evidence_mix(file, process);
}

static uint32_t find_use(const struct sap_evidence *e, uint32_t file, uint32_t process)
{
	uint32_t hash = hash_use(file, process), at, i;

	for (i = sap_slots_first(&e->index->uses, hash, &at); i != SAP_NONE;
	     i = sap_slots_next(&e->index->uses, hash, &at))
		if (e->uses.v[i].file == file && e->uses.v[i].process == process)
			break;
	return i;
}

static void join_use(struct sap_seen_use *to, unsigned flags, int64_t first, int64_t last)
{
	to->flags |= (uint8_t)flags;
	if (first && (!to->first_seen || first < to->first_seen))
		to->first_seen = first;
	if (last > to->last_seen)
		to->last_seen = last;
}

static bool link_use(struct sap_evidence *e, uint32_t i)
{
	struct sap_evidence_index *x = e->index;
	const struct sap_seen_use *use = &e->uses.v[i];

	if (!sap_slots_add(&x->uses, hash_use(use->file, use->process), i))
		return false;
	x->next_use.v[i] = x->links.v[use->process].first_use;
	x->links.v[use->process].first_use = i + 1;
	return true;
}

static int new_use(struct sap_evidence *e, uint32_t *out, struct sap_err *err)
{
	struct sap_evidence_index *x = e->index;

	if (x->free_use) {
		*out = x->free_use - 1;
		x->free_use = x->next_use.v[*out];
		return 0;
	}
	if (!SAP_VEC_PUSH(&e->uses, SAP_EVIDENCE_USES_MAX))
		return sap_evidence_full(e, e->uses.n, SAP_EVIDENCE_USES_MAX, "mappings", err);
	if (!SAP_VEC_PUSH(&x->next_use, SAP_EVIDENCE_USES_MAX)) {
		e->uses.n--;
		return sap_err_nomem(err);
	}
	*out = (uint32_t)e->uses.n - 1;
	return 0;
}

static void free_use(struct sap_evidence *e, uint32_t i)
{
	e->uses.v[i] = (struct sap_seen_use){ .file = SAP_NONE, .process = SAP_NONE };
	e->index->next_use.v[i] = e->index->free_use;
	e->index->free_use = i + 1;
}

int sap_evidence_use(struct sap_evidence *e, uint32_t file, uint32_t process, unsigned flags,
		     int64_t when, struct sap_err *err)
{
	struct sap_seen_file *f = &e->files.v[file];
	struct sap_seen_process *p = &e->processes.v[process];
	uint32_t i = find_use(e, file, process);
	int r = 0;

	if (i == SAP_NONE) {
		r = new_use(e, &i, err);
		if (r < 0)
			return r;
		e->uses.v[i] = (struct sap_seen_use){ .file = file, .process = process };
		if (!link_use(e, i)) {
			free_use(e, i);
			return sap_err_nomem(err);
		}
		f->n_processes++;
	}
	join_use(&e->uses.v[i], flags, when, when);
	if (!f->first_seen || (when && when < f->first_seen))
		f->first_seen = when;
	if (when > f->last_seen)
		f->last_seen = when;
	if (when > p->last_seen)
		p->last_seen = when;
	return 0;
}

/* ---- functions -------------------------------------------------------------------------- */

static void link_function(struct sap_evidence *e, uint32_t i)
{
	struct sap_evidence_index *x = e->index;
	uint32_t process = e->functions.v[i].process;

	x->next_function.v[i] = 0;
	if (process == SAP_NONE)
		return;
	x->next_function.v[i] = x->links.v[process].first_function;
	x->links.v[process].first_function = i + 1;
}

int sap_evidence_entered(struct sap_evidence *e, uint32_t file, uint64_t offset,
			 struct sap_str names, uint32_t process, int64_t when, bool *added,
			 struct sap_err *err)
{
	struct sap_evidence_index *x = e->index;
	uint32_t hash = sap_evidence_mix(file, offset), at, i;
	struct sap_seen_function *f;

	for (i = sap_slots_first(&x->functions, hash, &at);
	     i != SAP_NONE &&
	     (e->functions.v[i].file != file || e->functions.v[i].offset != offset);
	     i = sap_slots_next(&x->functions, hash, &at))
		;
	if (added)
		*added = i == SAP_NONE;
	if (i != SAP_NONE)
		return 0;
	f = SAP_VEC_PUSH(&e->functions, SAP_EVIDENCE_FUNCTIONS_MAX);
	if (!f)
		return sap_evidence_full(e, e->functions.n, SAP_EVIDENCE_FUNCTIONS_MAX, "functions",
					 err);
	i = (uint32_t)e->functions.n - 1;
	*f = (struct sap_seen_function){
		.file = file, .offset = offset, .process = process, .when = when
	};
	if (!sap_evidence_text(e, names, &f->names) ||
	    !SAP_VEC_PUSH(&x->next_function, SAP_EVIDENCE_FUNCTIONS_MAX)) {
		e->functions.n--;
		return sap_evidence_text_err(e, err);
	}
	if (!sap_slots_add(&x->functions, hash, i)) {
		e->functions.n--;
		x->next_function.n--;
		return sap_err_nomem(err);
	}
	link_function(e, i);
	return 0;
}

int sap_evidence_unobserved(struct sap_evidence *e, uint32_t file, struct sap_str name,
			    struct sap_str reason, struct sap_err *err)
{
	struct sap_slots *slots = &e->index->unobserved;
	uint32_t hash = sap_evidence_mix(file, sap_evidence_hash(e, name)), at, i;
	struct sap_unobserved *u;

	for (i = sap_slots_first(slots, hash, &at);
	     i != SAP_NONE &&
	     (e->unobserved.v[i].file != file || !sap_str_eq(e->unobserved.v[i].name, name));
	     i = sap_slots_next(slots, hash, &at))
		;
	if (i == SAP_NONE) {
		u = SAP_VEC_PUSH(&e->unobserved, SAP_EVIDENCE_UNOBSERVED_MAX);
		if (!u)
			return sap_evidence_full(e, e->unobserved.n, SAP_EVIDENCE_UNOBSERVED_MAX,
						 "functions that cannot be observed", err);
		i = (uint32_t)e->unobserved.n - 1;
		u->file = file;
		if (!sap_evidence_text(e, name, &u->name) || !sap_slots_add(slots, hash, i)) {
			e->unobserved.n--;
			return sap_evidence_text_err(e, err);
		}
	}
	return sap_evidence_text(e, reason, &e->unobserved.v[i].reason)
		       ? 0
		       : sap_evidence_text_err(e, err);
}

int sap_evidence_open(struct sap_evidence *e, uint32_t root, struct sap_str path, uint32_t process,
		      uint64_t count, int64_t when, struct sap_err *err)
{
	struct sap_slots *slots = &e->index->opens;
	uint32_t hash = sap_evidence_mix(root, sap_evidence_hash(e, path)), at, i;
	struct sap_seen_open *o;

	for (i = sap_slots_first(slots, hash, &at);
	     i != SAP_NONE && (e->opens.v[i].root != root || !sap_str_eq(e->opens.v[i].path, path));
	     i = sap_slots_next(slots, hash, &at))
		;
	if (i == SAP_NONE) {
		o = SAP_VEC_PUSH(&e->opens, SAP_EVIDENCE_OPENS_MAX);
		if (!o)
			return sap_evidence_full(e, e->opens.n, SAP_EVIDENCE_OPENS_MAX,
						 "opened files", err);
		i = (uint32_t)e->opens.n - 1;
		*o = (struct sap_seen_open){ .root = root, .process = process, .first_seen = when };
		if (!sap_evidence_text(e, path, &o->path) || !sap_slots_add(slots, hash, i)) {
			e->opens.n--;
			return sap_evidence_text_err(e, err);
		}
		if (process != SAP_NONE)
			e->index->links.v[process].opens = true;
	}
	o = &e->opens.v[i];
	o->count += count;
	if (when && when < o->first_seen)
		o->first_seen = when;
	if (when > o->last_seen)
		o->last_seen = when;
	return 0;
}

/* ---- folding: what the ended process had goes to another entry --------------------------- */

static int move_uses(struct sap_evidence *e, uint32_t from, uint32_t to, struct sap_err *err)
{
	struct sap_evidence_index *x = e->index;
	uint32_t next;

	for (uint32_t at = x->links.v[from].first_use; at; at = next) {
		uint32_t i = at - 1, have;
		struct sap_seen_use use = e->uses.v[i];

		next = x->next_use.v[i];
		sap_slots_remove(&x->uses, hash_use(use.file, from), i);
		have = find_use(e, use.file, to);
		if (have != SAP_NONE) {
			join_use(&e->uses.v[have], use.flags, use.first_seen, use.last_seen);
			free_use(e, i);
			continue;
		}
		e->uses.v[i].process = to;
		if (!link_use(e, i)) {
			free_use(e, i);
			x->links.v[from].first_use = next;
			return sap_err_nomem(err);
		}
	}
	x->links.v[from].first_use = 0;
	return 0;
}

static void move_functions(struct sap_evidence *e, uint32_t from, uint32_t to)
{
	struct sap_evidence_index *x = e->index;
	uint32_t next;

	for (uint32_t at = x->links.v[from].first_function; at; at = next) {
		next = x->next_function.v[at - 1];
		e->functions.v[at - 1].process = to;
		link_function(e, at - 1);
	}
	x->links.v[from].first_function = 0;
	if (x->links.v[from].opens)
		for (size_t i = 0; i < e->opens.n; i++)
			if (e->opens.v[i].process == from)
				e->opens.v[i].process = to;
	x->links.v[to].opens |= x->links.v[from].opens;
	x->links.v[from].opens = false;
}

int sap_evidence_move(struct sap_evidence *e, uint32_t from, uint32_t to, struct sap_err *err)
{
	move_functions(e, from, to);
	return move_uses(e, from, to, err);
}
