/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The texts for --explain: what the package is, what each statement says, what that means for
 * this version, and which of them decides.
 */
#include "advisory/match_int.h"

#include "advisory/rows.h"
#include "advisory/space.h"
#include "base/buf.h"

enum { SAID_MAX = 64 * 1024, VERSIONS_SHOWN = 8 };

#define PUTS(out, lit) sap_buf_puts((out), SAP_STR(lit))

static bool take_text(struct sap_buf *buf, struct sap_arena *arena, struct sap_str *out)
{
	bool ok = sap_buf_ok(buf) && sap_arena_str(arena, sap_buf_str(buf), out);

	sap_buf_reset(buf);
	return ok;
}

/* ---- what a claim says ------------------------------------------------------------------ */

static void put_versions(struct sap_buf *out, struct sap_str list)
{
	struct sap_str item;
	unsigned n = 0;

	while (sap_row_list_next(&list, NULL, &item)) {
		if (n < VERSIONS_SHOWN) {
			sap_buf_puts(out, n ? SAP_STR(", ") : SAP_STR(""));
			sap_buf_puts(out, item);
		}
		n++;
	}
	if (n > VERSIONS_SHOWN)
		sap_buf_printf(out, " and %u more", n - VERSIONS_SHOWN);
}

/* One attribute of a rule in words; false: it is none of them. */
static bool put_event(struct sap_buf *out, const struct sap_row_attr *attr, bool first)
{
	static const struct {
		struct sap_str key, words;
	} words[] = {
		{ SAP_STR_INIT("introduced"), SAP_STR_INIT("from ") },
		{ SAP_STR_INIT("fixed"), SAP_STR_INIT("before ") },
		{ SAP_STR_INIT("last"), SAP_STR_INIT("up to ") },
		{ SAP_STR_INIT("limit"), SAP_STR_INIT("below ") },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!sap_str_eq(attr->key, words[i].key))
			continue;
		sap_buf_puts(out, first ? SAP_STR("") : i == 0 ? SAP_STR("; ") : SAP_STR(" "));
		sap_buf_puts(out, words[i].words);
		if (i == 0 && sap_str_is(attr->value, "0"))
			PUTS(out, "the first");
		else
			sap_buf_puts(out, attr->value);
		return true;
	}
	if (!sap_str_is(attr->key, "versions"))
		return false;
	sap_buf_puts(out, first ? SAP_STR("exactly ") : SAP_STR("; exactly "));
	put_versions(out, attr->value);
	return true;
}

static void put_rule(struct sap_buf *out, struct sap_str rule)
{
	struct sap_row_attr attr;
	bool first = true, git = false;

	while (out->n < SAID_MAX / 2 && sap_row_rest_next(&rule, NULL, &attr)) {
		git = git || (sap_str_is(attr.key, "type") && sap_str_is(attr.value, "git"));
		if (put_event(out, &attr, first))
			first = false;
	}
	if (first)
		PUTS(out, "every version");
	if (git)
		PUTS(out, " (commits, which no version is compared with)");
}

static void put_says(struct sap_buf *out, const struct sap_claim *claim)
{
	sap_buf_puts(out, claim->package);
	switch (claim->status) {
	case SAP_CLAIM_NOT_AFFECTED:
		PUTS(out, " is not affected");
		break;
	case SAP_CLAIM_UNDER_INVESTIGATION:
		PUTS(out, " is under investigation");
		break;
	case SAP_CLAIM_UNFIXED:
		PUTS(out, ": not to be fixed here");
		break;
	default:
		sap_buf_puts(out, claim->advisory->compromised ? SAP_STR(" is malicious: ")
							       : SAP_STR(" is affected: "));
		put_rule(out, claim->rule);
		break;
	}
	if (claim->reason.n)
		sap_buf_printf(out, " (%.*s)", SAP_FMT(claim->reason));
	if (claim->not_offered && claim->fixed.n)
		PUTS(out, "; the fix is not published for this release");
	if (claim->pro)
		PUTS(out, "; only with a subscription");
}

/* ---- what it means ---------------------------------------------------------------------- */

static struct sap_str unfit_text(enum sap_unfit unfit)
{
	switch (unfit) {
	case SAP_UNFIT_NAME:
		return SAP_STR("another package: does not apply");
	case SAP_UNFIT_RELEASE:
		return SAP_STR("about a release, and this system does not say which it is: does "
			       "not apply");
	case SAP_UNFIT_MODULE:
		return SAP_STR("another module stream: does not apply");
	case SAP_UNFIT_MODULAR:
		return SAP_STR("one of the two is of a module, the other is not: does not apply");
	case SAP_UNFIT_ARCH:
		return SAP_STR("other architectures: does not apply");
	case SAP_UNFIT_ORIGIN:
		return SAP_STR("the package is not the distribution's own: does not apply");
	case SAP_UNFIT_WITHDRAWN:
		return SAP_STR("withdrawn: does not count");
	case SAP_FITS:
		break;
	}
	return SAP_STR("");
}

static void put_comparison(struct sap_buf *out, const struct sap_case *c, const struct sap_heard *h,
			   struct sap_str with)
{
	int d = sap_version_cmp(c->subject->scheme, h->version, with);

	sap_buf_printf(out, "%s: %.*s %s %.*s: ", sap_version_scheme_name(c->subject->scheme),
		       SAP_FMT(h->version),
		       d < 0   ? "<"
		       : d > 0 ? ">"
			       : "=",
		       SAP_FMT(with));
}

static void put_place(struct sap_buf *out, const struct sap_case *c, const struct sap_heard *h)
{
	switch (h->place) {
	case SAP_PLACE_IN:
		if (h->fixed.n)
			put_comparison(out, c, h, h->fixed);
		sap_buf_printf(out, "%.*s is affected", SAP_FMT(h->version));
		break;
	case SAP_PLACE_AFTER:
		if (h->claim->fixed.n)
			put_comparison(out, c, h, h->claim->fixed);
		sap_buf_printf(out, "%.*s is behind the range, repaired", SAP_FMT(h->version));
		break;
	case SAP_PLACE_BEFORE:
		sap_buf_printf(out, "%s: %.*s is in no range and not named: not affected",
			       sap_version_scheme_name(c->subject->scheme), SAP_FMT(h->version));
		break;
	case SAP_PLACE_INVALID:
		if (h->doubt) {
			sap_buf_puts(out, sap_doubt_text(h->doubt));
			PUTS(out, ": no guess is made");
			break;
		}
		sap_buf_printf(out,
			       "%.*s, or the version it is to be compared with, is none by the "
			       "rules of %s: no guess is made",
			       SAP_FMT(h->version), sap_version_scheme_name(c->subject->scheme));
		break;
	default:
		PUTS(out, "cannot be compared with a version: says nothing");
		break;
	}
}

static void put_outcome(struct sap_buf *out, const struct sap_case *c, const struct sap_heard *h,
			const struct sap_verdict *decided)
{
	static const struct sap_str classes[SAP_CLASSES] = {
		[SAP_CLASS_COMPROMISED] = SAP_STR_INIT("a list of malicious versions"),
		[SAP_CLASS_SUBSCRIPTION] = SAP_STR_INIT("the subscription in use"),
		[SAP_CLASS_RELEASE] = SAP_STR_INIT("about this very release"),
		[SAP_CLASS_PRO] = SAP_STR_INIT("a subscription that is not in use"),
		[SAP_CLASS_GENERAL] = SAP_STR_INIT("about no release in particular"),
	};

	if (h->unfit) {
		sap_buf_puts(out, unfit_text(h->unfit));
		return;
	}
	if (h->claim->status == SAP_CLAIM_AFFECTED || h->claim->rule.n || h->doubt)
		put_place(out, c, h);
	else
		PUTS(out, "holds for every version");
	sap_buf_printf(out, " (%.*s)", SAP_FMT(classes[h->class]));
	if (decided) {
		sap_buf_printf(out, "; this decides: %s", sap_status_name(decided->status));
		if (decided->compromised)
			PUTS(out, ", compromised");
	}
}

/* ---- steps ------------------------------------------------------------------------------ */

static void put_source(struct sap_buf *out, const struct sap_match_options *options,
		       const struct sap_advisory *a)
{
	const struct sap_source *s;

	if (!options->sources)
		return;
	s = &options->sources[a->source];
	sap_buf_printf(out, "%.*s: %.*s", SAP_FMT(s->kind), SAP_FMT(s->name));
	if (s->date.n)
		sap_buf_printf(out, ", as of %.*s", SAP_FMT(s->date));
	if (a->modified.n)
		sap_buf_printf(out, " (record of %.*s)", SAP_FMT(a->modified));
}

/* The first step names no advisory: what the facts say of the package. */
static bool facts_step(const struct sap_subject *s, struct sap_buf *buf, struct sap_arena *arena,
		       struct sap_step *step)
{
	sap_buf_printf(buf, "the package is %.*s %.*s", SAP_FMT(s->name), SAP_FMT(s->version));
	if (s->arch.n)
		sap_buf_printf(buf, " (%.*s)", SAP_FMT(s->arch));
	if (s->source.n)
		sap_buf_printf(buf, ", built from the source %.*s %.*s", SAP_FMT(s->source),
			       SAP_FMT(s->source_version.n ? s->source_version : s->version));
	if (s->modularity.n)
		sap_buf_printf(buf, ", of the module %.*s", SAP_FMT(s->modularity));
	if (!take_text(buf, arena, &step->says))
		return false;
	sap_buf_printf(buf, "versions are ordered by the rules of %s",
		       sap_version_scheme_name(s->scheme));
	if (s->compromised_only)
		PUTS(buf, "; not judged but for malicious versions");
	return take_text(buf, arena, &step->outcome);
}

static bool claim_step(const struct sap_case *c, const struct sap_match_options *options,
		       const struct sap_heard *h, const struct sap_verdict *decided,
		       struct sap_buf *buf, struct sap_arena *arena, struct sap_step *step)
{
	if (!sap_arena_str(arena, sap_advisory_name(h->claim->advisory->id), &step->advisory) ||
	    !sap_arena_str(arena, h->claim->space, &step->space))
		return false;
	put_source(buf, options, h->claim->advisory);
	if (!take_text(buf, arena, &step->source))
		return false;
	put_says(buf, h->claim);
	if (!take_text(buf, arena, &step->says))
		return false;
	put_outcome(buf, c, h, decided);
	step->decides = decided != NULL;
	return take_text(buf, arena, &step->outcome);
}

/* A counting sort over classes; what does not fit comes last. */
static uint32_t *order_of(const struct sap_case *c, struct sap_arena *arena)
{
	uint32_t *order = sap_arena_alloc(arena, ((uint64_t)c->n + 1) * sizeof(*order));
	uint32_t n = 0;

	for (unsigned k = SAP_CLASS_COMPROMISED; order && k <= SAP_CLASSES; k++) {
		for (uint32_t i = 0; i < c->n; i++) {
			const struct sap_heard *h = &c->heard[c->speakers[i].claim];

			if ((h->unfit ? SAP_CLASSES : h->class) == k)
				order[n++] = i;
		}
	}
	return order;
}

int sap_steps_make(const struct sap_case *c, const struct sap_match_options *options,
		   int64_t decider, struct sap_arena *arena, struct sap_verdict *verdict,
		   struct sap_err *err)
{
	struct sap_step *steps = sap_arena_array(arena, (uint64_t)c->n + 1, sizeof(*steps));
	uint32_t *order = order_of(c, arena);
	struct sap_buf buf;
	bool ok;

	if (!steps || !order)
		return sap_err_nomem(err);
	sap_buf_init(&buf, SAID_MAX);
	ok = facts_step(c->subject, &buf, arena, &steps[0]);
	for (uint32_t i = 0; ok && i < c->n; i++)
		ok = claim_step(c, options, &c->heard[c->speakers[order[i]].claim],
				order[i] == decider ? verdict : NULL, &buf, arena, &steps[i + 1]);
	sap_buf_clear(&buf);
	if (!ok)
		return sap_err_nomem(err);
	verdict->steps = steps;
	verdict->n_steps = c->n + 1;
	return 0;
}
