/* SPDX-License-Identifier: Apache-2.0 */
#include "elf/functions_int.h"

/* By place, then by name; what is exported before what is local, so that a local symbol of
 * the same name is seen to be the same. */
static int compare(const void *a, const void *b)
{
	const struct sap_fn_entry *x = a, *y = b;
	uint32_t n = x->n < y->n ? x->n : y->n;
	int order;

	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	order = n && x->name != y->name ? memcmp(x->name, y->name, n) : 0;
	if (order)
		return order;
	if (x->n != y->n)
		return x->n < y->n ? -1 : 1;
	order = (int)(y->flags & SAP_FN_EXPORTED) - (int)(x->flags & SAP_FN_EXPORTED);
	if (order)
		return order;
	order = (int)x->version - (int)y->version;
	if (order)
		return order;
	order = (int)(x->flags & SAP_FN_OLD_VERSION) - (int)(y->flags & SAP_FN_OLD_VERSION);
	if (order || !x->n_version || !y->n_version)
		return order ? order : (int)x->n_version - (int)y->n_version;
	return sap_str_cmp((struct sap_str){ x->name + x->n, x->n_version },
			   (struct sap_str){ y->name + y->n, y->n_version });
}

static bool same_name(const struct sap_fn_entry *a, const struct sap_fn_entry *b)
{
	return a->n == b->n && (a->name == b->name || memcmp(a->name, b->name, a->n) == 0);
}

/* Whether e is kept beside what was kept before it, which sorts before it. */
static bool adds_name(const struct sap_fn_entry *before, const struct sap_fn_entry *e)
{
	if (e->n == 0)
		return false;
	if (!before || !same_name(before, e))
		return true;
	if (e->flags & SAP_FN_LOCAL) {
		/* Symbol tables hold the dynamic symbols again, with or without their version. */
		if (before->flags & SAP_FN_EXPORTED)
			return false;
		return before->n_version != e->n_version ||
		       memcmp(before->name + before->n, e->name + e->n, e->n_version) != 0;
	}
	return before->version != e->version ||
	       (before->flags & SAP_FN_OLD_VERSION) != (e->flags & SAP_FN_OLD_VERSION);
}

/* Entries of one place. */
struct group {
	struct sap_fn_ctx *f;
	struct sap_fn_entry *v;
	size_t n;
	uint32_t flags;
	uint64_t size;
	size_t n_names;
	size_t bytes; /* of the names joined */
	bool cut;
};

static size_t length(const struct group *g, const struct sap_fn_entry *e)
{
	if (e->version)
		return e->n + (e->flags & SAP_FN_OLD_VERSION ? 1u : 2u) +
		       g->f->c->versions[e->version].version.n;
	return (size_t)e->n + e->n_version;
}

/* Flags, size; the names that are kept move to the front. */
static void weigh(struct group *g)
{
	for (size_t i = 0; i < g->n; i++) {
		const struct sap_fn_entry e = g->v[i];
		size_t more;

		g->flags |= e.flags & (SAP_FN_IFUNC | SAP_FN_CONSTRUCTOR | SAP_FN_EXPORTED);
		if (e.size > g->size)
			g->size = e.size;
		/* A symbol without a name that can be read makes a function, too. */
		if (e.n == 0 && (e.flags & (SAP_FN_BARE | SAP_FN_LOCAL)))
			g->flags |= SAP_FN_BARE;
		if (!adds_name(g->n_names ? &g->v[g->n_names - 1] : NULL, &e))
			continue;
		more = length(g, &e) + (g->n_names != 0);
		if (more > SAP_FN_NAMES_MAX - g->bytes) {
			g->cut = true;
			continue;
		}
		g->flags |= e.flags & SAP_FN_LOCAL;
		g->bytes += more;
		g->v[g->n_names++] = e;
	}
	if (g->n_names)
		g->flags &= ~(uint32_t)SAP_FN_BARE;
}

static char *put(char *p, const char *s, size_t n)
{
	memcpy(p, s, n);
	return p + n;
}

static char *put_name(const struct group *g, char *p, const struct sap_fn_entry *e)
{
	const size_t n = (size_t)e->n + e->n_version;
	struct sap_str version;

	p = put(p, e->name, n);
	if (e->flags & SAP_FN_UNCLEAN) {
		for (size_t i = 1; i <= n; i++) {
			unsigned char b = (unsigned char)p[-(ptrdiff_t)i];

			if (b <= ' ' || b == 0x7f)
				p[-(ptrdiff_t)i] = '?';
		}
	}
	if (!e->version)
		return p;
	version = g->f->c->versions[e->version].version;
	p = put(p, "@@", e->flags & SAP_FN_OLD_VERSION ? 1 : 2);
	for (size_t i = 0; i < version.n; i++) {
		unsigned char b = (unsigned char)version.p[i];

		*p++ = b <= ' ' || b == 0x7f ? '?' : (char)b;
	}
	return p;
}

static int join(const struct group *g, struct sap_str *out)
{
	const struct sap_fn_entry *e = g->v;
	char *p, *at;

	if (g->n_names == 0)
		return 0;
	if (g->n_names == 1 && !e->version && !(e->flags & SAP_FN_UNCLEAN)) {
		*out = (struct sap_str){ e->name, (size_t)e->n + e->n_version };
		return 0;
	}
	p = at = sap_arena_alloc(g->f->arena, g->bytes);
	if (!p)
		return sap_err_nomem(g->f->err);
	for (size_t i = 0; i < g->n_names; i++) {
		if (i)
			*at++ = ' ';
		at = put_name(g, at, &e[i]);
	}
	*out = (struct sap_str){ p, g->bytes };
	return 0;
}

static uint64_t address_of(const struct sap_fn_ctx *f, uint64_t offset)
{
	for (uint32_t i = 0; i < f->n_segments; i++) {
		const struct sap_fn_segment *s = &f->segments[i];

		if (s->exec && offset >= s->off && offset - s->off < s->n)
			return s->addr + (offset - s->off);
	}
	return 0;
}

static int emit(struct group *g, struct sap_fn_list *out)
{
	const unsigned made_by = SAP_FN_EXPORTED | SAP_FN_LOCAL | SAP_FN_BARE;
	struct sap_fn_ctx *f = g->f;
	struct sap_fn *fn;
	int r;

	weigh(g);
	out->n_constructors += (g->flags & SAP_FN_CONSTRUCTOR) != 0;
	out->n_ifuncs += (g->flags & SAP_FN_IFUNC) != 0;
	if (g->cut) {
		r = sap_elf_fault(f->c, SAP_ELIMIT, g->v[0].offset,
				  "a function has more names than fit in %llu bytes",
				  SAP_FN_NAMES_MAX);
		if (r < 0)
			return r;
	}
	/* That the loader calls a place is no name of it. */
	if (!(g->flags & made_by)) {
		if (!(f->options->want & SAP_FN_WANT_ALL))
			return 0;
		g->flags |= SAP_FN_BARE;
	}
	fn = SAP_VEC_PUSH(&out->v, SAP_FN_LIST_MAX);
	if (!fn)
		return sap_err_nomem(f->err);
	fn->offset = g->v[0].offset;
	fn->addr = address_of(f, fn->offset);
	fn->size = g->size;
	fn->flags = g->flags;
	return join(g, &fn->names);
}

int sap_fn_merge(struct sap_fn_ctx *f, struct sap_fn_list *out)
{
	const size_t n = f->entries.n;
	struct sap_fn_entry *v = f->entries.v;
	int r = 0;

	if (n > 1)
		qsort(v, n, sizeof(*v), compare);
	for (size_t i = 0; i < n && r == 0;) {
		struct group g = { .f = f, .v = &v[i] };

		while (i < n && v[i].offset == g.v[0].offset) {
			g.n++;
			i++;
		}
		r = emit(&g, out);
	}
	sap_vec_clear(&f->entries);
	return r;
}
