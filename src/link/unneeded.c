/* SPDX-License-Identifier: Apache-2.0 */
#include "link/link_int.h"

/*
 * Which libraries an object imports from: the symbol search of elf/dl-lookup.c (do_lookup_x)
 * over the program and its libraries in load order.
 *
 * The object's imports are chained by name; one pass over the symbols of all libraries binds
 * each to the first definition that fits.
 */

struct import {
	uint32_t symbol; /* index in facts->symbols */
	uint32_t next;   /* import of the same name + 1 */
	bool bound;
	bool copy; /* a copy relocation: data of a library that the program holds a copy of */
};

struct hunt {
	struct sap_link *link;
	const struct sap_closure *closure;
	struct sap_memo names; /* name: first import + 1 */
	SAP_VEC(struct import) imports;
	bool *used; /* by library */
	bool versions;
};

/* An import of the object, or a definition of the program that may be a copy. */
static int add_import(struct hunt *h, uint32_t index, bool copy, struct sap_err *err)
{
	const struct sap_symbol *s = &h->link->facts->symbols.v[index];
	uint32_t *first = sap_memo_at(&h->names, s->name, 0);
	struct import *import;

	SAP_LINK_NEED(first, err);
	import = SAP_VEC_PUSH(&h->imports, UINT32_MAX);
	if (!import) {
		*first = *first ? *first : UINT32_MAX;
		return sap_err_nomem(err);
	}
	*import = (struct import){ .symbol = index, .next = *first, .copy = copy };
	*first = (uint32_t)h->imports.n;
	return 0;
}

static int add_imports(struct hunt *h, uint32_t object, bool program, struct sap_err *err)
{
	const struct sap_facts *facts = h->link->facts;
	struct sap_range symbols = facts->objects.v[object].symbols;

	for (uint32_t i = 0; i < symbols.n; i++) {
		const struct sap_symbol *s = &facts->symbols.v[symbols.at + i];
		int r;

		if (!s->name || (s->defined && !(program && (s->flags & SAP_SYM_OBJECT))))
			continue;
		r = add_import(h, symbols.at + i, s->defined, err);
		if (r < 0)
			return r;
	}
	return 0;
}

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

static void bind(struct hunt *h, uint32_t object, uint32_t lib)
{
	const struct sap_facts *facts = h->link->facts;
	struct sap_range symbols = facts->objects.v[object].symbols;

	for (uint32_t i = 0; i < symbols.n; i++) {
		const struct sap_symbol *def = &facts->symbols.v[symbols.at + i];
		uint32_t *first;

		if (!def->defined || !def->name)
			continue;
		first = sap_memo_at(&h->names, def->name, 0);
		if (!first)
			continue;
		if (!*first) /* nobody asks: leave a mark that is no import */
			*first = UINT32_MAX;
		for (uint32_t at = *first; at && at != UINT32_MAX; at = h->imports.v[at - 1].next) {
			struct import *import = &h->imports.v[at - 1];

			if (import->bound || (import->copy && lib == SAP_LINK_PROGRAM))
				continue;
			if (h->versions && !fits(&facts->symbols.v[import->symbol], def))
				continue;
			import->bound = true;
			if (lib != SAP_LINK_PROGRAM)
				h->used[lib] = true;
		}
	}
}

/* ---- what would leave ---------------------------------------------------------------------- */

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
	uint32_t object, env, n = closure->n_strict;
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
	h.versions = !link->envs.v[env].musl;
	/* A library that only edges beyond bring in is searched with everything there is. */
	if (!program && from >= n)
		n = (uint32_t)closure->libs.n;
	sap_arena_init(&arena, 0);
	h.used = sap_arena_array(&arena, closure->libs.n + 1, sizeof(*h.used));
	r = h.used ? add_imports(&h, object, program, err) : sap_err_nomem(err);
	if (r == 0) {
		bind(&h, closure->program, SAP_LINK_PROGRAM);
		for (uint32_t i = 0; i < n; i++)
			bind(&h, closure->libs.v[i].object, i);
		r = list_unused(&h, from, &arena, out, err);
	}
	sap_memo_clear(&h.names);
	sap_vec_clear(&h.imports);
	sap_arena_clear(&arena);
	return r;
}

void sap_link_unneeded_clear(struct sap_link_unneeded_list *list)
{
	sap_vec_clear(&list->entries);
	sap_vec_clear(&list->gone);
}
