/* SPDX-License-Identifier: Apache-2.0 */
#include "link/link_int.h"

enum { COUNT_MAX = 10000 };

/*
 * All chains from the program to a library, shortest first: a walk with a growing bound on
 * the length, cut off wherever the library is further away than what is left. Nodes are the
 * program (0) and the libraries (index + 1).
 */
struct walk {
	const struct sap_closure *closure;
	uint32_t *first;    /* by node: its first edge in `out`; one more at the end */
	uint32_t *out;      /* edges, by the node they start at */
	uint32_t *in_first; /* the same for the nodes they lead to */
	uint32_t *in;
	uint32_t *distance; /* from a node to the library, or SAP_NONE */
	uint32_t *path;     /* edges of the chain so far */
	uint32_t *cursor;   /* by depth: next edge of `out` to try */
	bool *on_path;
	uint32_t n; /* nodes */
	uint64_t steps;
};

static uint32_t source(const struct sap_link_edge *e)
{
	return e->from == SAP_LINK_PROGRAM ? 0 : e->from + 1;
}

/* Whether an edge leads from somewhere to somewhere. */
static bool counts(const struct sap_closure *closure, size_t at)
{
	const struct sap_link_edge *e = &closure->edges.v[at];

	return e->to < closure->libs.n && e->kind < SAP_EDGE_KINDS &&
	       (e->from == SAP_LINK_PROGRAM || e->from < closure->libs.n);
}

static void sort_edges(struct walk *w)
{
	const struct sap_closure *c = w->closure;
	uint32_t total;

	for (size_t i = 0; i < c->edges.n; i++) {
		if (!counts(c, i))
			continue;
		w->first[source(&c->edges.v[i]) + 1]++;
		w->in_first[c->edges.v[i].to + 2]++;
	}
	for (uint32_t i = 0; i < w->n; i++) {
		w->first[i + 1] += w->first[i];
		w->in_first[i + 1] += w->in_first[i];
	}
	total = w->first[w->n];
	/* Filled from the back, so that each list ends up in the order of the edges. */
	for (size_t i = c->edges.n; i-- > 0;) {
		if (!counts(c, i))
			continue;
		w->out[--w->first[source(&c->edges.v[i]) + 1]] = (uint32_t)i;
		w->in[--w->in_first[c->edges.v[i].to + 2]] = (uint32_t)i;
	}
	/* Where a node's list starts now stands one node too far. */
	for (uint32_t i = 0; i < w->n; i++) {
		w->first[i] = w->first[i + 1];
		w->in_first[i] = w->in_first[i + 1];
	}
	w->first[w->n] = w->in_first[w->n] = total;
}

/* Drops the edges that repeat an earlier one of the same object for another reason. */
static void drop_repeats(struct walk *w, uint32_t *seen)
{
	uint32_t place = 0;

	for (uint32_t node = 0; node < w->n; node++) {
		uint32_t at = w->first[node];

		w->first[node] = place;
		for (; at < w->first[node + 1]; at++) {
			const struct sap_link_edge *e = &w->closure->edges.v[w->out[at]];
			uint32_t *mark = &seen[e->to * SAP_EDGE_KINDS + e->kind];

			if (*mark == node + 1)
				continue;
			*mark = node + 1;
			w->out[place++] = w->out[at];
		}
	}
	w->first[w->n] = place;
}

/* Breadth first against the edges; w->path serves as the queue. */
static void measure(struct walk *w, uint32_t target)
{
	uint32_t head = 0, tail = 0;

	for (uint32_t i = 0; i < w->n; i++)
		w->distance[i] = SAP_NONE;
	w->distance[target] = 0;
	w->path[tail++] = target;
	while (head < tail) {
		uint32_t node = w->path[head++];

		for (uint32_t i = w->in_first[node]; i < w->in_first[node + 1]; i++) {
			uint32_t from = source(&w->closure->edges.v[w->in[i]]);

			if (w->distance[from] != SAP_NONE)
				continue;
			w->distance[from] = w->distance[node] + 1;
			w->path[tail++] = from;
		}
	}
}

static int keep(const struct walk *w, uint32_t depth, uint32_t max, struct sap_link_chains *out,
		struct sap_err *err)
{
	struct sap_range *chain;

	if (out->n_all++ >= max)
		return 0;
	chain = SAP_VEC_PUSH(&out->chains, UINT32_MAX);
	SAP_LINK_NEED(chain, err);
	*chain = (struct sap_range){ (uint32_t)out->edges.n, depth };
	for (uint32_t i = 0; i < depth; i++) {
		uint32_t *at = SAP_VEC_PUSH(&out->edges, UINT32_MAX);

		SAP_LINK_NEED(at, err);
		*at = w->path[i];
	}
	return 0;
}

/* Chains of exactly `length` edges. *cut: some longer way was left out. */
static int chains_of(struct walk *w, uint32_t target, uint32_t length, uint32_t max, bool *cut,
		     struct sap_link_chains *out, struct sap_err *err)
{
	uint32_t depth = 0, node = 0;

	w->cursor[0] = w->first[0];
	w->on_path[0] = true;
	for (;;) {
		uint32_t to;

		if (w->cursor[depth] == w->first[node + 1]) {
			w->on_path[node] = false;
			if (depth == 0)
				return 0;
			depth--;
			node = source(&w->closure->edges.v[w->path[depth]]);
			continue;
		}
		w->path[depth] = w->out[w->cursor[depth]++];
		to = w->closure->edges.v[w->path[depth]].to + 1;
		if (++w->steps > SAP_LINK_WHY_STEPS_MAX || out->n_all >= COUNT_MAX)
			return 0;
		if (w->on_path[to] || w->distance[to] == SAP_NONE)
			continue;
		if (w->distance[to] > length - depth - 1) {
			*cut = true;
		} else if (to != target) {
			depth++;
			node = to;
			w->cursor[depth] = w->first[node];
			w->on_path[node] = true;
		} else if (depth + 1 == length) {
			int r = keep(w, length, max, out, err);

			if (r < 0)
				return r;
		}
	}
}

static int walk_all(struct walk *w, uint32_t target, uint32_t max, struct sap_link_chains *out,
		    struct sap_err *err)
{
	uint32_t length;
	bool cut = true;

	measure(w, target);
	if (w->distance[0] == SAP_NONE)
		return 0;
	for (length = w->distance[0]; cut && length < w->n; length++) {
		int r;

		cut = false;
		memset(w->on_path, 0, w->n * sizeof(*w->on_path));
		r = chains_of(w, target, length, max, &cut, out, err);
		if (r < 0)
			return r;
		if (w->steps > SAP_LINK_WHY_STEPS_MAX || out->n_all >= COUNT_MAX)
			break;
	}
	return 0;
}

int sap_link_why(struct sap_link *link, const struct sap_closure *closure, uint32_t lib,
		 uint32_t max, struct sap_link_chains *out, struct sap_err *err)
{
	struct walk w = { .closure = closure, .n = (uint32_t)closure->libs.n + 1 };
	size_t n = (size_t)w.n + 2, m = closure->edges.n + n;
	struct sap_arena arena;
	uint32_t *seen;
	int r = SAP_ENOMEM;

	(void)link;
	out->edges.n = out->chains.n = 0;
	out->n_all = 0;
	if (lib >= closure->libs.n)
		return sap_err_set(err, SAP_EUSAGE, "no library %u in this closure", lib);
	sap_arena_init(&arena, 0);
	w.first = sap_arena_array(&arena, n, sizeof(*w.first));
	w.in_first = sap_arena_array(&arena, n, sizeof(*w.in_first));
	w.out = sap_arena_array(&arena, m, sizeof(*w.out));
	w.in = sap_arena_array(&arena, m, sizeof(*w.in));
	w.distance = sap_arena_array(&arena, n, sizeof(*w.distance));
	w.path = sap_arena_array(&arena, n, sizeof(*w.path));
	w.cursor = sap_arena_array(&arena, n, sizeof(*w.cursor));
	w.on_path = sap_arena_array(&arena, n, sizeof(*w.on_path));
	seen = sap_arena_array(&arena, n * SAP_EDGE_KINDS, sizeof(*seen));
	if (w.first && w.in_first && w.out && w.in && w.distance && w.path && w.cursor &&
	    w.on_path && seen) {
		sort_edges(&w);
		drop_repeats(&w, seen);
		r = walk_all(&w, lib + 1, max, out, err);
	} else {
		sap_err_nomem(err);
	}
	sap_arena_clear(&arena);
	return r;
}

void sap_link_chains_clear(struct sap_link_chains *chains)
{
	sap_vec_clear(&chains->edges);
	sap_vec_clear(&chains->chains);
	chains->n_all = 0;
}
