/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reviewed exceptions and VEX applied to findings.
 */
#include <stdlib.h>
#include <string.h>

#include "advisory/judge.h"
#include "advisory/review_int.h"
#include "advisory/toml_int.h"
#include "model/purl.h"

enum { DAY = 24 * 60 * 60 };

/* An entry of an index by name of vulnerability. */
struct key {
	struct sap_str id;
	uint32_t index;
};

struct applier {
	struct sap_review *review;
	struct sap_findings *f;
	int64_t now;
	struct key *exceptions, *statements; /* sorted by id, then index */
	int64_t *ends;                       /* of exceptions: the first second after it */
	bool *noted;                         /* exceptions whose expiry has been said */
	int64_t *dates;                      /* of statements */
	SAP_VEC(uint32_t) failed;            /* exceptions about the finding that do not hold */
	/* Of the finding at hand: its purls, made when something asks for them. */
	struct sap_arena scratch;
	struct sap_buf buf;
	SAP_VEC(struct sap_purl_parts) purls;
	bool purls_made;
};

static char fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static int cmp_fold(struct sap_str a, struct sap_str b)
{
	size_t n = a.n < b.n ? a.n : b.n;

	for (size_t i = 0; i < n; i++) {
		unsigned char x = (unsigned char)fold(a.p[i]), y = (unsigned char)fold(b.p[i]);

		if (x != y)
			return x < y ? -1 : 1;
	}
	return (a.n > b.n) - (a.n < b.n);
}

static int cmp_keys(const void *va, const void *vb)
{
	const struct key *a = va, *b = vb;
	int order = cmp_fold(a->id, b->id);

	return order ? order : (a->index > b->index) - (a->index < b->index);
}

/* The first entry with that id, or n. */
static size_t find_key(const struct key *keys, size_t n, struct sap_str id)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (cmp_fold(keys[mid].id, id) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* ---- times ------------------------------------------------------------------------------ */

static bool two_digits(struct sap_str s, size_t at, int64_t *out)
{
	uint64_t v;

	if (s.n < at + 2 || !sap_str_u64((struct sap_str){ s.p + at, 2 }, &v))
		return false;
	*out = (int64_t)v;
	return true;
}

/* RFC 3339 to seconds since 1970: "2024-03-29", "2024-03-29T10:20:30.5+02:00". INT64_MIN: no
 * date. A part behind the date that cannot be read counts as midnight UTC. */
static int64_t moment(struct sap_str text)
{
	int64_t days, h, m, s, oh, om, at;
	struct sap_str zone;

	if (text.n < 10 || !sap_date_parse((struct sap_str){ text.p, 10 }, &days))
		return INT64_MIN;
	at = days * DAY;
	if (text.n < 19 || text.p[13] != ':' || text.p[16] != ':' || !two_digits(text, 11, &h) ||
	    !two_digits(text, 14, &m) || !two_digits(text, 17, &s))
		return at;
	at += h * 3600 + m * 60 + s;
	zone = sap_str_skip(text, 19);
	if (zone.n && zone.p[0] == '.') {
		zone = sap_str_skip(zone, 1);
		while (zone.n && zone.p[0] >= '0' && zone.p[0] <= '9')
			zone = sap_str_skip(zone, 1);
	}
	if (zone.n >= 6 && (zone.p[0] == '+' || zone.p[0] == '-') && two_digits(zone, 1, &oh) &&
	    two_digits(zone, 4, &om))
		at -= (zone.p[0] == '+' ? 1 : -1) * (oh * 3600 + om * 60);
	return at;
}

/* ---- writing ---------------------------------------------------------------------------- */

/* What is in the buffer, as a text of the findings. */
static int keep(struct applier *a, struct sap_str *out)
{
	return sap_buf_ok(&a->buf) && sap_arena_str(&a->f->arena, sap_buf_str(&a->buf), out)
		       ? 0
		       : SAP_ENOMEM;
}

/* "exception for ID (FILE:LINE) SAYS DATE THEN" */
static int note(struct applier *a, const struct sap_exception *e, const char *says,
		struct sap_str date, const char *then, struct sap_err *err)
{
	struct sap_str *to = SAP_VEC_PUSH(&a->f->notes, SAP_FINDINGS_MAX);

	sap_buf_reset(&a->buf);
	sap_buf_printf(&a->buf, "exception for %.*s (%.*s:%u) %s%.*s%s", SAP_FMT(e->id),
		       SAP_FMT(e->file), e->line, says, SAP_FMT(date), then);
	return to && keep(a, to) == 0 ? 0 : sap_err_nomem(err);
}

/* Where a finding is to be explained: what the reviewer said, and what it does. */
static int add_step(struct applier *a, struct sap_finding *it, struct sap_str by,
		    const char *source, struct sap_str says, const char *outcome)
{
	struct sap_step *steps;

	if (it->n_steps == 0)
		return 0;
	steps = sap_arena_array(&a->f->arena, (uint64_t)it->n_steps + 1, sizeof(*steps));
	if (!steps)
		return SAP_ENOMEM;
	memcpy(steps, it->steps, it->n_steps * sizeof(*steps));
	steps[it->n_steps] = (struct sap_step){ .advisory = it->id,
						.source = sap_str_of(source),
						.space = by,
						.outcome = sap_str_of(outcome),
						.decides = true };
	if (!sap_arena_str(&a->f->arena, says, &steps[it->n_steps].says))
		return SAP_ENOMEM;
	it->steps = steps;
	it->n_steps++;
	return 0;
}

static int suppress(struct applier *a, struct sap_finding *it, struct sap_str by,
		    struct sap_str reason, struct sap_str until)
{
	struct sap_suppression *s = sap_arena_zalloc(&a->f->arena, sizeof(*s));

	if (!s || !sap_arena_str(&a->f->arena, by, &s->by) ||
	    !sap_arena_str(&a->f->arena, reason, &s->reason) ||
	    !sap_arena_str(&a->f->arena, until, &s->until))
		return SAP_ENOMEM;
	it->suppression = s;
	return 0;
}

/* ---- what a finding is about ------------------------------------------------------------ */

static int add_purl(struct applier *a, struct sap_str text)
{
	struct sap_purl_parts parts, *to;

	if (!sap_arena_str(&a->scratch, text, &text))
		return SAP_ENOMEM;
	if (!sap_purl_split(text, &parts))
		return 0;
	to = SAP_VEC_PUSH(&a->purls, SAP_PACKAGES_MAX + 1);
	if (!to)
		return SAP_ENOMEM;
	*to = parts;
	return 0;
}

/* The purl of the finding and those of its packages. */
static int make_purls(struct applier *a, const struct sap_finding *it)
{
	const struct sap_facts *facts = a->f->facts;
	int r;

	if (a->purls_made)
		return 0;
	a->purls_made = true;
	a->purls.n = 0;
	sap_arena_reset(&a->scratch);
	r = add_purl(a, it->package);
	for (uint32_t i = 0; r == 0 && facts && i < it->n_packages; i++) {
		if (it->packages[i] >= facts->packages.n)
			continue;
		sap_buf_reset(&a->buf);
		sap_purl_put_package(&a->buf, facts, &facts->packages.v[it->packages[i]]);
		r = sap_buf_ok(&a->buf) ? add_purl(a, sap_buf_str(&a->buf)) : SAP_ENOMEM;
	}
	return r;
}

static bool is_source_name(const struct applier *a, const struct sap_finding *it,
			   struct sap_str plain)
{
	const struct sap_facts *facts = a->f->facts;

	if (sap_str_eq(it->name, plain))
		return true;
	for (uint32_t i = 0; facts && i < it->n_packages; i++) {
		if (it->packages[i] < facts->packages.n &&
		    sap_str_eq(sap_facts_str(facts, facts->packages.v[it->packages[i]].source),
			       plain))
			return true;
	}
	return false;
}

/* Whether a pattern (a purl; plain: or a name) is about the finding. 1, 0, or SAP_ENOMEM. */
static int is_about(struct applier *a, const struct sap_finding *it, struct sap_str pattern,
		    bool plain)
{
	struct sap_purl_parts want;
	bool purl = sap_purl_split(pattern, &want);
	int r;

	if (!purl && !plain)
		return 0;
	r = make_purls(a, it);
	if (r < 0)
		return r;
	for (size_t i = 0; i < a->purls.n; i++) {
		if (purl ? sap_purl_parts_match(&want, &a->purls.v[i])
			 : sap_purl_is_named(&a->purls.v[i], pattern))
			return 1;
	}
	return !purl && is_source_name(a, it, pattern);
}

static struct sap_str name_of(const struct sap_finding *it, uint32_t i)
{
	return i == 0 ? it->id : it->aliases[i - 1];
}

static bool counts(const struct sap_finding *it)
{
	return it->status < SAP_STATUS_FIXED;
}

/* ---- exceptions ------------------------------------------------------------------------- */

/* An exception is about the finding: it is the one that holds, or one that does not. */
static int weigh_exception(struct applier *a, const struct sap_finding *it, uint32_t index,
			   uint32_t *best)
{
	struct sap_exception *e = &a->review->exceptions.v[index];
	uint32_t *failed;

	e->used = true;
	if (!counts(it))
		return 0;
	if ((it->compromised && e->package.n == 0) || a->now >= a->ends[index]) {
		failed = SAP_VEC_PUSH(&a->failed, SAP_EXCEPTIONS_MAX);
		if (!failed)
			return SAP_ENOMEM;
		*failed = index;
	} else if (index < *best) {
		*best = index;
	}
	return 0;
}

static int find_exception(struct applier *a, const struct sap_finding *it, uint32_t *best)
{
	size_t n = a->review->exceptions.n;
	int r = 0;

	*best = UINT32_MAX;
	a->failed.n = 0;
	for (uint32_t i = 0; i <= it->n_aliases; i++) {
		struct sap_str id = name_of(it, i);

		for (size_t at = find_key(a->exceptions, n, id);
		     at < n && cmp_fold(a->exceptions[at].id, id) == 0; at++) {
			uint32_t index = a->exceptions[at].index;
			struct sap_str package = a->review->exceptions.v[index].package;

			r = package.n ? is_about(a, it, package, true) : 1;
			if (r > 0)
				r = weigh_exception(a, it, index, best);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* Says once of each exception why it does not hold. */
static int note_failed(struct applier *a, const struct sap_finding *it, struct sap_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < a->failed.n; i++) {
		uint32_t index = a->failed.v[i];
		const struct sap_exception *e = &a->review->exceptions.v[index];

		if (a->noted[index])
			continue;
		a->noted[index] = true;
		if (it->compromised && e->package.n == 0)
			r = note(a, e, "names no package: malicious code is not suppressed by it",
				 (struct sap_str){ 0 }, "", err);
		else
			r = note(a, e, "expired on ", e->until, ": it counts again", err);
	}
	return r;
}

static int apply_exceptions(struct applier *a, struct sap_finding *it, struct sap_err *err)
{
	const struct sap_exception *e;
	struct sap_str by;
	uint32_t best;

	if (find_exception(a, it, &best) < 0)
		return sap_err_nomem(err);
	if (best == UINT32_MAX)
		return note_failed(a, it, err);
	e = &a->review->exceptions.v[best];
	sap_buf_reset(&a->buf);
	sap_buf_printf(&a->buf, "%.*s:%u", SAP_FMT(e->file), e->line);
	if (keep(a, &by) < 0 || suppress(a, it, by, e->reason, e->until) < 0 ||
	    add_step(a, it, by, "reviewed exception", e->reason, "suppressed") < 0)
		return sap_err_nomem(err);
	return 0;
}

/* Exceptions that match nothing; those of one table and id are one. */
static int note_unused(struct applier *a, struct sap_err *err)
{
	const struct sap_exception *v = a->review->exceptions.v;
	size_t n = a->review->exceptions.n, to;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i = to) {
		bool used = false;

		for (to = i; to < n && v[to].line == v[i].line && sap_str_eq(v[to].id, v[i].id) &&
			     sap_str_eq(v[to].file, v[i].file);
		     to++)
			used |= v[to].used;
		if (!used && a->now < a->ends[i])
			r = note(a, &v[i], "matches nothing", (struct sap_str){ 0 }, "", err);
	}
	return r;
}

/* ---- VEX -------------------------------------------------------------------------------- */

/* Whether a statement is about the finding: 1, 0, SAP_ENOMEM. */
static int is_stated(struct applier *a, const struct sap_finding *it,
		     const struct sap_vex_statement *v)
{
	struct sap_str list = v->subcomponents, item;
	bool any = false;
	int r = 0;

	/* The scratch arena is reset when the purls are made: not between items. */
	if (list.n && make_purls(a, it) < 0)
		return SAP_ENOMEM;
	while (r == 0 && sap_row_list_next(&list, &a->scratch, &item)) {
		any = true;
		r = is_about(a, it, item, false);
	}
	/* Malicious code is only taken out by who names the product that it is in, too. */
	if (any && (r <= 0 || !it->compromised || sap_str_is(v->product, "*")))
		return it->compromised && r > 0 ? 0 : r;
	if (sap_str_is(v->product, "*"))
		return !it->compromised;
	return is_about(a, it, v->product, false);
}

/* The statement that decides: the latest, of equal dates the last. UINT32_MAX: none. */
static int find_statement(struct applier *a, const struct sap_finding *it, uint32_t *best)
{
	size_t n = a->review->vex.n;

	*best = UINT32_MAX;
	for (uint32_t i = 0; i <= it->n_aliases; i++) {
		struct sap_str id = name_of(it, i);

		for (size_t at = find_key(a->statements, n, id);
		     at < n && cmp_fold(a->statements[at].id, id) == 0; at++) {
			uint32_t index = a->statements[at].index;
			int r = is_stated(a, it, &a->review->vex.v[index]);

			if (r < 0)
				return r;
			if (r == 0)
				continue;
			a->review->vex.v[index].used = true;
			if (*best == UINT32_MAX || a->dates[index] > a->dates[*best] ||
			    (a->dates[index] == a->dates[*best] && index > *best))
				*best = index;
		}
	}
	return 0;
}

static int apply_statement(struct applier *a, struct sap_finding *it,
			   const struct sap_vex_statement *v)
{
	const char *outcome = "changes nothing";
	struct sap_str by = { 0 }, reason = v->justification;
	int r = 0;

	if (reason.n == 0)
		reason = v->action.n ? v->action : v->status;
	if (sap_str_is(v->status, "not_affected") || sap_str_is(v->status, "fixed")) {
		outcome = "suppressed";
		r = suppress(a, it, v->document, reason, (struct sap_str){ 0 });
	} else if (sap_str_is(v->status, "under_investigation")) {
		if (it->status == SAP_STATUS_AFFECTED || it->status == SAP_STATUS_UNFIXED) {
			outcome = "under investigation";
			it->status = SAP_STATUS_UNDER_INVESTIGATION;
		}
	} else if (it->status == SAP_STATUS_UNDER_INVESTIGATION) {
		outcome = "affected";
		it->status = SAP_STATUS_AFFECTED;
	}
	if (r == 0 && it->n_steps)
		r = sap_arena_str(&a->f->arena, v->document, &by)
			    ? add_step(a, it, by, "VEX", reason, outcome)
			    : SAP_ENOMEM;
	return r;
}

static int apply_vex(struct applier *a, struct sap_finding *it)
{
	uint32_t best;
	int r = find_statement(a, it, &best);

	if (r < 0 || best == UINT32_MAX || it->suppression || !counts(it))
		return r;
	return apply_statement(a, it, &a->review->vex.v[best]);
}

/* ---- all of it -------------------------------------------------------------------------- */

static int prepare(struct applier *a, struct sap_err *err)
{
	struct sap_review *review = a->review;
	size_t n = review->exceptions.n, m = review->vex.n;
	int64_t days;

	/* One element more than needed: nothing asks for no memory. */
	a->exceptions = calloc(n + 1, sizeof(*a->exceptions));
	a->ends = calloc(n + 1, sizeof(*a->ends));
	a->noted = calloc(n + 1, sizeof(*a->noted));
	a->statements = calloc(m + 1, sizeof(*a->statements));
	a->dates = calloc(m + 1, sizeof(*a->dates));
	if (!a->exceptions || !a->ends || !a->noted || !a->statements || !a->dates)
		return sap_err_nomem(err);
	for (size_t i = 0; i < n; i++) {
		struct sap_exception *e = &review->exceptions.v[i];

		e->used = false;
		a->exceptions[i] = (struct key){ e->id, (uint32_t)i };
		a->ends[i] = INT64_MAX;
		if (e->until.n && sap_date_parse(e->until, &days))
			a->ends[i] = (days + 1) * DAY;
	}
	for (size_t i = 0; i < m; i++) {
		review->vex.v[i].used = false;
		a->statements[i] = (struct key){ review->vex.v[i].id, (uint32_t)i };
		a->dates[i] = moment(review->vex.v[i].date);
	}
	qsort(a->exceptions, n, sizeof(*a->exceptions), cmp_keys);
	qsort(a->statements, m, sizeof(*a->statements), cmp_keys);
	return 0;
}

int sap_review_apply(struct sap_review *review, struct sap_findings *f, int64_t now,
		     struct sap_err *err)
{
	struct applier a = { .review = review, .f = f, .now = now };
	int r;

	sap_arena_init(&a.scratch, 0);
	sap_buf_init(&a.buf, SAP_TEXT_FILE_MAX);
	r = prepare(&a, err);
	for (size_t i = 0; r == 0 && i < f->list.n; i++) {
		a.purls_made = false;
		r = apply_exceptions(&a, &f->list.v[i], err);
		if (r == 0 && apply_vex(&a, &f->list.v[i]) < 0)
			r = sap_err_nomem(err);
	}
	if (r == 0)
		r = note_unused(&a, err);
	if (r == 0)
		sap_findings_sort(f);
	free(a.exceptions);
	free(a.statements);
	free(a.ends);
	free(a.noted);
	free(a.dates);
	sap_vec_clear(&a.purls);
	sap_vec_clear(&a.failed);
	sap_buf_clear(&a.buf);
	sap_arena_clear(&a.scratch);
	return r;
}
