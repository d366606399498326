/* SPDX-License-Identifier: Apache-2.0 */
#include "advisory/judge_int.h"

#include "advisory/origin.h"
#include "base/limits.h"

/* One call of sap_match: its verdicts, and the items that they are about. */
struct round {
	size_t verdict, n_verdicts;
	uint32_t item, n_items; /* of sap_judging.order */
};

/* A verdict of a round. */
struct hit {
	uint32_t verdict, round;
};

/* A unit that is being judged. */
struct judging {
	struct sap_judge *j;
	const struct sap_court *court;
	const struct sap_unit *unit;
	bool foreign; /* only malicious versions count */
	uint32_t n_skipped;
	size_t n_source;    /* claims that the source's name found */
	bool source_speaks; /* some of these name it as a source */
	size_t own;         /* where those that a binary's name found begin */
	uint32_t *order;    /* items, round by round */
	uint32_t n_order;
	uint32_t n_plain; /* items for which no claim names a binary: at the end of order */
	SAP_VEC(struct round) rounds;
	SAP_VEC(struct hit) hits;
};

/* ---- claims ----------------------------------------------------------------------------- */

/* Claims about a name that may be a source's, a binary package's or both: flags of enum
 * sap_names. Where no claim of a space names such things, what it says of the name would not be
 * heard. But an explanation names that, too. */
static int fetch(struct judging *g, struct sap_str name, unsigned as, struct sap_err *err)
{
	struct sap_judge *j = g->j;
	int r = 0;

	for (unsigned i = 0; r == 0 && i < g->court->n_spaces; i++)
		if (g->court->named[i] & as || (g->court->named[i] && j->match.explain.n))
			r = sap_store_claims(j->store, sap_space_str(&g->court->spaces[i]), name,
					     &j->unit, &j->claims, err);
	return r;
}

static bool names(const struct judging *g, size_t from, enum sap_names what)
{
	for (size_t i = from; i < g->j->claims.n; i++)
		if (g->j->claims.v[i].names == what)
			return true;
	return false;
}

/* Whether every statement about this release names versions of a lower epoch than what is
 * installed: then one of the two lines is not the distribution's. One statement of the same
 * epoch shows that it is. */
static bool epoch_differs(const struct judging *g, size_t from, const struct sap_item *item)
{
	bool differs = false;

	for (size_t i = from; i < g->j->claims.n; i++) {
		const struct sap_claim *claim = &g->j->claims.v[i];
		bool by_source = claim->names == SAP_NAMES_SOURCE && g->unit->source.n;
		struct sap_str name = by_source ? g->unit->source : item->name;
		struct sap_str v = item->version;

		if (!claim->fixed.n || claim->advisory->compromised ||
		    !memchr(claim->space.p, ':', claim->space.n) ||
		    !sap_str_eq(claim->package, name))
			continue;
		if (by_source && g->unit->source_version.n)
			v = g->unit->source_version;
		if (!memchr(v.p, ':', v.n))
			return false;
		if (!sap_origin_epoch_differs(g->unit->type, v, claim->fixed))
			return false;
		differs = true;
	}
	return differs;
}

/* ---- matching --------------------------------------------------------------------------- */

/* Which of the claims fetched so far are put to sap_match: those of the source's name, and
 * those from `own` on. */
struct hearing {
	struct sap_claim *v;
	size_t n;
	size_t n_source;
	struct sap_claim *copy; /* to be freed */
};

/* Claims that name the source are also heard for each of its binaries. */
static bool call(const struct judging *g, bool is_source, struct hearing *h)
{
	const struct sap_claims *claims = &g->j->claims;

	*h = (struct hearing){ claims->v, g->n_source, g->n_source, NULL };
	if (is_source)
		return true;
	*h = (struct hearing){ claims->v + g->own, claims->n - g->own, 0, NULL };
	if (!g->source_speaks)
		return true;
	h->copy = malloc((g->n_source + h->n) * sizeof(*h->copy));
	if (!h->copy)
		return false;
	memcpy(h->copy, claims->v, g->n_source * sizeof(*h->copy));
	memcpy(h->copy + g->n_source, h->v, h->n * sizeof(*h->copy));
	*h = (struct hearing){ h->copy, g->n_source + h->n, g->n_source, h->copy };
	return true;
}

static int match(struct judging *g, const struct sap_item *item, struct sap_str arch,
		 const struct hearing *h, struct sap_err *err)
{
	struct sap_judge *j = g->j;
	const struct sap_subject subject = { .scheme = g->court->scheme,
					     .name = item->name,
					     .version = item->version,
					     .source = g->unit->source,
					     .source_version = g->unit->source_version,
					     .arch = arch,
					     .modularity = item->modularity,
					     .release_known = g->court->release_known,
					     .compromised_only = g->foreign };
	struct round *round = SAP_VEC_PUSH(&g->rounds, SAP_PACKAGES_MAX);
	int r;

	if (!round)
		return sap_err_nomem(err);
	round->verdict = j->verdicts.n;
	round->item = g->n_order;
	r = sap_match(&subject, h->v, h->n, &j->match, &j->unit, &j->verdicts, err);
	round->n_verdicts = j->verdicts.n - round->verdict;
	/* From places in what was heard to places among all claims of the unit. */
	for (size_t i = round->verdict; i < j->verdicts.n; i++)
		for (uint32_t k = 0; k < j->verdicts.v[i].n_claims; k++)
			if (j->verdicts.v[i].claims[k] >= h->n_source)
				j->verdicts.v[i].claims[k] += (uint32_t)(g->own - h->n_source);
	return r;
}

static bool same_item(const struct sap_item *a, const struct sap_item *b)
{
	return sap_str_eq(a->name, b->name) && sap_str_eq(a->version, b->version) &&
	       sap_str_eq(a->arch, b->arch) && sap_str_eq(a->modularity, b->modularity);
}

/* Items [from, to) have one name, and claims name it as a binary. */
static int match_binaries(struct judging *g, uint32_t from, uint32_t to, bool is_source,
			  struct sap_err *err)
{
	const struct sap_item *items = g->unit->items;
	struct hearing h;
	int r = 0;

	if (!call(g, is_source, &h))
		return sap_err_nomem(err);
	for (uint32_t i = from, end; r == 0 && i < to; i = end) {
		for (end = i + 1; end < to && same_item(&items[i], &items[end]); end++)
			;
		r = match(g, &items[i], items[i].arch, &h, err);
		if (r < 0)
			break;
		for (uint32_t k = i; k < end; k++)
			g->order[g->n_order++] = k;
		g->rounds.v[g->rounds.n - 1].n_items = end - i;
	}
	free(h.copy);
	return r;
}

/* The items for which only the source counts are one subject. */
static int match_plain(struct judging *g, struct sap_err *err)
{
	const struct sap_item *items = g->unit->items;
	uint32_t *plain = g->order + g->unit->n_items - g->n_plain;
	const struct hearing h = { g->j->claims.v, g->n_source, g->n_source, NULL };
	struct sap_str arch = items[plain[0]].arch;
	int r;

	for (uint32_t i = 1; i < g->n_plain; i++)
		if (!sap_str_eq(items[plain[i]].arch, arch))
			arch = (struct sap_str){ 0 };
	r = match(g, &items[plain[g->n_plain - 1]], arch, &h, err);
	if (r < 0)
		return r;
	g->rounds.v[g->rounds.n - 1].item = g->unit->n_items - g->n_plain;
	g->rounds.v[g->rounds.n - 1].n_items = g->n_plain;
	return 0;
}

static int skip(struct judging *g, uint32_t from, uint32_t to, struct sap_err *err)
{
	const struct sap_unit *unit = g->unit;
	int r = 0;

	for (uint32_t i = from; r == 0 && i < to; i++, g->n_skipped++)
		r = sap_judge_skip(g->j, unit->items[i].package,
				   unit->n_objects ? unit->objects[0] : SAP_NONE,
				   SAP_STR("unknown origin: its epoch is higher than that of every "
					   "version the distribution's advisories name"),
				   err);
	return r;
}

/* Items [from, to) have one name. Those that no claim names as a binary are put by. */
static int take_name(struct judging *g, uint32_t from, uint32_t to, bool source_names_binary,
		     struct sap_err *err)
{
	const struct sap_item *item = &g->unit->items[from];
	bool is_source = sap_str_eq(item->name, g->unit->source);
	bool special = is_source && source_names_binary, foreign = g->foreign;
	int r = 0;

	g->own = g->j->claims.n;
	if (!is_source) {
		r = fetch(g, item->name, SAP_NAMES_BINARY, err);
		special = names(g, g->own, SAP_NAMES_BINARY);
	}
	if (r == 0 && special && !g->foreign && epoch_differs(g, is_source ? 0 : g->own, item)) {
		g->foreign = true;
		r = skip(g, from, to, err);
	}
	if (r == 0 && special) {
		r = match_binaries(g, from, to, is_source, err);
	} else if (r == 0) {
		for (uint32_t i = to; i-- > from;)
			g->order[g->unit->n_items - ++g->n_plain] = i;
	}
	g->foreign = foreign;
	if (!special)
		g->j->claims.n = g->own;
	return r;
}

static int match_unit(struct judging *g, struct sap_err *err)
{
	const struct sap_unit *unit = g->unit;
	unsigned as = SAP_NAMES_SOURCE;
	bool source_names_binary;
	int r = 0;

	g->j->claims.n = g->j->verdicts.n = 0;
	for (uint32_t i = 0; i < unit->n_items; i++)
		if (sap_str_eq(unit->items[i].name, unit->source))
			as |= SAP_NAMES_BINARY;
	if (unit->source.n)
		r = fetch(g, unit->source, as, err);
	g->n_source = g->j->claims.n;
	g->own = g->n_source;
	g->source_speaks = names(g, 0, SAP_NAMES_SOURCE);
	source_names_binary = names(g, 0, SAP_NAMES_BINARY);
	if (r == 0 && !g->foreign && epoch_differs(g, 0, &unit->items[0])) {
		g->foreign = true;
		r = skip(g, 0, unit->n_items, err);
	}
	for (uint32_t i = 0, end; r == 0 && i < unit->n_items; i = end) {
		for (end = i + 1;
		     end < unit->n_items && sap_str_eq(unit->items[i].name, unit->items[end].name);
		     end++)
			;
		r = take_name(g, i, end, source_names_binary, err);
	}
	if (r == 0 && g->n_plain && g->source_speaks)
		r = match_plain(g, err);
	return r;
}

/* ---- merging ---------------------------------------------------------------------------- */

static int compare_hits(const void *va, const void *vb, void *ctx)
{
	const struct judging *g = ctx;
	const struct hit *ha = va, *hb = vb;
	const struct sap_verdict *a = &g->j->verdicts.v[ha->verdict];
	const struct sap_verdict *b = &g->j->verdicts.v[hb->verdict];
	int c = sap_str_cmp(a->id, b->id);

	if (c == 0 && a->compromised != b->compromised)
		return a->compromised ? -1 : 1;
	if (c == 0 && a->status != b->status)
		return a->status < b->status ? -1 : 1;
	if (c == 0 && a->status < SAP_STATUS_FIXED)
		c = -sap_version_cmp(g->court->scheme, a->fixed, b->fixed);
	return c ? c : ha->round < hb->round ? -1 : ha->round > hb->round;
}

static int compare_numbers(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Hits [from, to) are about one vulnerability, the worst first: it speaks for all items that
 * are as badly off. */
static int merge(struct judging *g, size_t from, size_t to, struct sap_err *err)
{
	const struct sap_verdict *worst = &g->j->verdicts.v[g->hits.v[from].verdict];
	bool bad = worst->status < SAP_STATUS_FIXED;
	uint32_t n = 0, *items;

	if (!bad && !worst->n_steps) {
		g->j->out->n_status[worst->status]++;
		return 0;
	}
	items = sap_arena_alloc(&g->j->unit, g->unit->n_items * sizeof(*items));
	if (!items)
		return sap_err_nomem(err);
	for (size_t i = from; i < to; i++) {
		const struct round *round = &g->rounds.v[g->hits.v[i].round];
		uint8_t status = g->j->verdicts.v[g->hits.v[i].verdict].status;

		if (bad ? status >= SAP_STATUS_FIXED : status != worst->status)
			continue;
		for (uint32_t k = 0; k < round->n_items && n < g->unit->n_items; k++)
			items[n++] = g->order[round->item + k];
	}
	qsort(items, n, sizeof(*items), compare_numbers);
	if (!bad && worst->n_claims)
		g->j->out->n_status[worst->status]++;
	return sap_judge_finding(g->j, g->unit, worst, items, n, err);
}

static int merge_all(struct judging *g, struct sap_err *err)
{
	int r = 0;

	for (uint32_t k = 0; k < g->rounds.n; k++) {
		const struct round *round = &g->rounds.v[k];

		for (size_t i = 0; i < round->n_verdicts; i++) {
			struct hit *hit = SAP_VEC_PUSH(&g->hits, SAP_FINDINGS_MAX);

			if (!hit)
				return sap_err_nomem(err);
			*hit = (struct hit){ (uint32_t)(round->verdict + i), k };
		}
	}
	if (g->rounds.n > 1 && g->hits.n > 1)
		qsort_r(g->hits.v, g->hits.n, sizeof(*g->hits.v), compare_hits, g);
	for (size_t i = 0, end; r == 0 && i < g->hits.n; i = end) {
		struct sap_str id = g->j->verdicts.v[g->hits.v[i].verdict].id;

		for (end = i + 1;
		     end < g->hits.n && sap_str_eq(id, g->j->verdicts.v[g->hits.v[end].verdict].id);
		     end++)
			;
		r = merge(g, i, end, err);
	}
	return r;
}

int sap_judge_unit(struct sap_judge *j, const struct sap_court *court, const struct sap_unit *unit,
		   uint32_t *n_skipped, struct sap_err *err)
{
	struct judging g = {
		.j = j, .court = court, .unit = unit, .foreign = unit->foreign || !court->covered
	};
	int r;

	*n_skipped = 0;
	j->subject.name.n = 0;
	if (unit->n_items == 0)
		return 0;
	g.order = malloc(unit->n_items * sizeof(*g.order));
	if (!g.order)
		return sap_err_nomem(err);
	r = match_unit(&g, err);
	if (r == 0)
		r = merge_all(&g, err);
	*n_skipped = g.n_skipped;
	sap_store_forget(j->store);
	sap_arena_reset(&j->unit);
	free(g.order);
	sap_vec_clear(&g.rounds);
	sap_vec_clear(&g.hits);
	return r;
}
