/* SPDX-License-Identifier: Apache-2.0 */
#include "link/link_int.h"

/*
 * Which libraries an object imports from: the symbol search of elf/dl-lookup.c (do_lookup_x)
 * over the program and its libraries in load order. The definitions of each object are put
 * into a table by name when it is first searched.
 */

struct hunt {
	struct sap_link *link;
	const struct sap_closure *closure;
	uint32_t n;    /* libraries searched */
	bool *used;    /* by library */
	bool versions; /* glibc */
	uint64_t steps;
};

/* Whether a definition satisfies a reference, as far as versions go. */
static bool fits(const struct sap_symbol *ref, const struct sap_symbol *def)
{
	bool hidden = (def->flags & SAP_SYM_HIDDEN_VERSION) != 0;

	if (ref->version == def->version)
		return true;
	if (!ref->version)
		return !hidden; /* the default version of it */
	return !def->version && !hidden;
}

static uint32_t spread(uint32_t name)
{
	return (uint32_t)(name * 0x9e3779b97f4a7c15ULL >> 32);
}

/* The definitions of an object, chained by name in the order of the symbol table. */
static const struct sap_defs *defs_of(struct sap_link *link, uint32_t object)
{
	const struct sap_symbol *symbols = link->facts->symbols.v;
	struct sap_range range = link->facts->objects.v[object].symbols;
	struct sap_defs *defs = &link->defs[object];
	uint64_t size = 1;

	if (defs->first)
		return defs;
	while (size < range.n)
		size *= 2;
	defs->first = calloc(size + range.n, sizeof(*defs->first));
	if (!defs->first)
		return NULL;
	defs->next = defs->first + size;
	defs->mask = (uint32_t)(size - 1);
	for (uint32_t i = range.n; i-- > 0;) {
		const struct sap_symbol *s = &symbols[range.at + i];
		uint32_t *head = &defs->first[spread(s->name) & defs->mask];

		if (!s->defined || !s->name)
			continue;
		defs->next[i] = *head;
		*head = i + 1;
	}
	return defs;
}

/* 1 where an object defines what is asked for. */
static int defines(struct hunt *h, uint32_t object, const struct sap_symbol *ref,
		   struct sap_err *err)
{
	const struct sap_facts *facts = h->link->facts;
	const struct sap_symbol *symbols = facts->symbols.v + facts->objects.v[object].symbols.at;
	const struct sap_defs *defs = defs_of(h->link, object);

	SAP_LINK_NEED(defs, err);
	for (uint32_t at = defs->first[spread(ref->name) & defs->mask]; at;
	     at = defs->next[at - 1]) {
		const struct sap_symbol *def = &symbols[at - 1];

		if (def->name == ref->name && (!h->versions || fits(ref, def)))
			return 1;
		h->steps++;
	}
	if (++h->steps > SAP_LINK_BIND_STEPS_MAX)
		return sap_err_set(err, SAP_ELIMIT,
				   "binding the symbols of one object takes more than %u steps",
				   SAP_LINK_BIND_STEPS_MAX);
	return 0;
}

/* Binds one reference; a copy is not looked for in the program itself. */
static int bind(struct hunt *h, const struct sap_symbol *ref, bool copy, struct sap_err *err)
{
	int r = copy ? 0 : defines(h, h->closure->program, ref, err);

	for (uint32_t i = 0; i < h->n && r == 0; i++) {
		r = defines(h, h->closure->libs.v[i].object, ref, err);
		if (r == 1)
			h->used[i] = true;
	}
	return r < 0 ? r : 0;
}

/* Binds what an object imports; of a program also the data that it may hold a copy of (a
 * copy relocation): it uses the library that the original comes from. */
static int bind_all(struct hunt *h, uint32_t object, bool program, struct sap_err *err)
{
	const struct sap_facts *facts = h->link->facts;
	struct sap_range symbols = facts->objects.v[object].symbols;

	for (uint32_t i = 0; i < symbols.n; i++) {
		const struct sap_symbol *s = &facts->symbols.v[symbols.at + i];
		int r;

		if (!s->name || (s->defined && !(program && (s->flags & SAP_SYM_OBJECT))))
			continue;
		r = bind(h, s, s->defined, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- what would leave ------------------------------------------------------------------- */

struct reach {
	const struct sap_closure *closure;
	uint32_t *first; /* by node (program 0, library i + 1): its first edge + 1 */
	uint32_t *next;  /* by edge: the next edge of its node + 1 */
	uint32_t *queue;
	bool *seen;
};

static void index_edges(struct reach *r)
{
	const struct sap_closure *c = r->closure;

	for (size_t i = c->edges.n; i-- > 0;) {
		const struct sap_link_edge *e = &c->edges.v[i];
		uint32_t node = e->from == SAP_LINK_PROGRAM ? 0 : e->from + 1;

		if (e->to >= c->libs.n || node > c->libs.n)
			continue;
		r->next[i] = r->first[node];
		r->first[node] = (uint32_t)i + 1;
	}
}

/* Marks everything that the program reaches without one edge. */
static void reach_without(struct reach *r, uint32_t dropped)
{
	uint32_t head = 0, tail = 0;

	memset(r->seen, 0, (r->closure->libs.n + 1) * sizeof(*r->seen));
	r->seen[0] = true;
	r->queue[tail++] = 0;
	while (head < tail) {
		uint32_t node = r->queue[head++];

		for (uint32_t at = r->first[node]; at; at = r->next[at - 1]) {
			uint32_t to = r->closure->edges.v[at - 1].to + 1;

			if (at - 1 == dropped || r->seen[to])
				continue;
			r->seen[to] = true;
			r->queue[tail++] = to;
		}
	}
}

static int add_entry(struct reach *r, uint32_t edge, struct sap_link_unneeded_list *out,
		     struct sap_err *err)
{
	uint32_t own = r->closure->edges.v[edge].to, *gone;
	struct sap_link_unneeded *entry = SAP_VEC_PUSH(&out->entries, UINT32_MAX);

	SAP_LINK_NEED(entry, err);
	*entry = (struct sap_link_unneeded){ edge, { (uint32_t)out->gone.n, 0 } };
	reach_without(r, edge);
	for (uint32_t i = 0; i <= r->closure->libs.n; i++) {
		/* The entry's own library first, then the others. */
		uint32_t lib = i == 0 ? own : i - 1;

		if (r->seen[lib + 1] || (i && lib == own))
			continue;
		gone = SAP_VEC_PUSH(&out->gone, UINT32_MAX);
		SAP_LINK_NEED(gone, err);
		*gone = lib;
		entry->gone.n++;
	}
	return 0;
}

static int list_unused(struct hunt *h, uint32_t from, struct sap_arena *arena,
		       struct sap_link_unneeded_list *out, struct sap_err *err)
{
	const struct sap_closure *c = h->closure;
	struct reach r = { .closure = c };

	r.first = sap_arena_array(arena, c->libs.n + 1, sizeof(*r.first));
	r.next = sap_arena_array(arena, c->edges.n + 1, sizeof(*r.next));
	r.queue = sap_arena_array(arena, c->libs.n + 1, sizeof(*r.queue));
	r.seen = sap_arena_array(arena, c->libs.n + 1, sizeof(*r.seen));
	if (!r.first || !r.next || !r.queue || !r.seen)
		return sap_err_nomem(err);
	index_edges(&r);
	for (size_t i = 0; i < c->edges.n; i++) {
		const struct sap_link_edge *e = &c->edges.v[i];
		int code;

		if (e->from != from || e->kind != SAP_EDGE_NEEDED || e->to >= c->libs.n ||
		    h->used[e->to])
			continue;
		code = add_entry(&r, (uint32_t)i, out, err);
		if (code < 0)
			return code;
	}
	return 0;
}

int sap_link_find_unneeded(struct sap_link *link, const struct sap_closure *closure, uint32_t from,
			   struct sap_link_unneeded_list *out, struct sap_err *err)
{
	struct hunt h = { .link = link, .closure = closure };
	bool program = from == SAP_LINK_PROGRAM;
	uint32_t object, env;
	struct sap_arena arena;
	int r;

	out->entries.n = out->gone.n = 0;
	if (!program && from >= closure->libs.n)
		return sap_err_set(err, SAP_EUSAGE, "no library %u in this closure", from);
	object = program ? closure->program : closure->libs.v[from].object;
	if (object >= link->n_objects || closure->program >= link->n_objects)
		return sap_err_set(err, SAP_EUSAGE, "the closure belongs to other facts");
	if (!link->facts->with_symbols || closure->is_static)
		return 0;
	r = sap_env_of(link, closure->program, &env, err);
	if (r < 0)
		return r;
	if (!link->defs)
		link->defs = calloc(link->n_objects + 1, sizeof(*link->defs));
	SAP_LINK_NEED(link->defs, err);
	h.versions = !link->envs.v[env].musl;
	/* A library that only edges beyond bring in is searched with everything there is. */
	h.n = closure->n_strict;
	if (!program && from >= h.n)
		h.n = (uint32_t)closure->libs.n;
	sap_arena_init(&arena, 0);
	h.used = sap_arena_array(&arena, closure->libs.n + 1, sizeof(*h.used));
	r = h.used ? bind_all(&h, object, program, err) : sap_err_nomem(err);
	if (r == 0)
		r = list_unused(&h, from, &arena, out, err);
	sap_arena_clear(&arena);
	return r;
}

void sap_link_unneeded_clear(struct sap_link_unneeded_list *list)
{
	sap_vec_clear(&list->entries);
	sap_vec_clear(&list->gone);
}
