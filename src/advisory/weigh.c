/* SPDX-License-Identifier: Apache-2.0 */
#include "advisory/match_int.h"

/* What the statements of one class come to. */
enum word { SILENT = 0, CLEARED, REPAIRED, UNREADABLE, HELD };

struct opinion {
	enum word word;
	int64_t speaker;
	struct sap_str fixed;
};

bool sap_version_is_esm(struct sap_str version)
{
	return version.n && memmem(version.p, version.n, "esm", 3);
}

struct sap_str sap_doubt_text(enum sap_doubt doubt)
{
	switch (doubt) {
	case SAP_DOUBT_CLAIM:
		return SAP_STR("the advisory does not name the module's stream");
	case SAP_DOUBT_PACKAGE:
		return SAP_STR("the package does not name its module's stream");
	case SAP_NO_DOUBT:
		break;
	}
	return SAP_STR("");
}

static const struct sap_heard *heard_by(const struct sap_case *c, uint32_t speaker)
{
	return &c->heard[c->speakers[speaker].claim];
}

/* "affected" of a claim. Of several fixes the highest counts: the earlier was incomplete. */
static void hear_affected(const struct sap_case *c, uint32_t i, struct opinion *o)
{
	const struct sap_heard *h = heard_by(c, i);
	enum word word;

	switch (h->place) {
	case SAP_PLACE_IN:
		word = HELD;
		break;
	case SAP_PLACE_INVALID:
		word = UNREADABLE;
		break;
	case SAP_PLACE_AFTER:
		word = REPAIRED;
		break;
	case SAP_PLACE_BEFORE:
		word = CLEARED;
		break;
	default:
		return;
	}
	/* What can be compared stands above what cannot, unless it is the only word. */
	if (word == UNREADABLE && o->word != SILENT)
		return;
	if (o->word == UNREADABLE || word > o->word ||
	    (word == HELD && h->fixed.n &&
	     (o->fixed.n == 0 || sap_version_cmp(c->subject->scheme, h->fixed, o->fixed) > 0))) {
		o->word = word;
		o->speaker = i;
		o->fixed = word == HELD ? h->fixed : h->claim->fixed;
	}
}

static struct opinion opinion_of(const struct sap_case *c, enum sap_class class)
{
	struct opinion o = { .speaker = SAP_NOBODY };

	if (!(c->classes >> class & 1))
		return o;
	for (uint32_t i = 0; i < c->n; i++) {
		const struct sap_heard *h = heard_by(c, i);

		if (h->unfit || h->class != class)
			continue;
		if (h->claim->status == SAP_CLAIM_AFFECTED ||
		    (h->claim->status == SAP_CLAIM_UNFIXED && h->doubt)) {
			hear_affected(c, i, &o);
		} else if (h->claim->status == SAP_CLAIM_NOT_AFFECTED && h->place == SAP_PLACE_IN) {
			/* A tracker's own entry is about this vulnerability and nothing else; what
			 * is known to be malicious is not talked away by anybody. */
			if (c->speakers[i].own && class != SAP_CLASS_COMPROMISED)
				return (struct opinion){ CLEARED, i, { 0 } };
			if (o.word == SILENT || o.word == UNREADABLE)
				o = (struct opinion){ CLEARED, i, { 0 } };
		}
	}
	return o;
}

/* The first speaker with that status whose class is not below `lowest`. */
static int64_t speaker_with(const struct sap_case *c, enum sap_claim_status status,
			    enum sap_class lowest)
{
	int64_t found = SAP_NOBODY;

	for (uint32_t i = 0; i < c->n; i++) {
		const struct sap_heard *h = heard_by(c, i);

		if (h->unfit || h->claim->status != status || h->class > lowest ||
		    h->place != SAP_PLACE_IN)
			continue;
		if (found < 0 || h->class < heard_by(c, (uint32_t)found)->class)
			found = i;
	}
	return found;
}

/* ---- what goes with it ------------------------------------------------------------------ */

/* Whether the fix that the decider names can be had for this release. */
static void set_offer(const struct sap_case *c, const struct sap_heard *h,
		      struct sap_verdict *verdict)
{
	bool release = h->claim->space.n && memchr(h->claim->space.p, ':', h->claim->space.n);

	verdict->offered_known = verdict->fixed.n > 0;
	verdict->pro = verdict->fixed.n && h->claim->pro;
	verdict->offered = verdict->fixed.n && !h->claim->not_offered &&
			   (release || !c->subject->release_known) &&
			   (!h->claim->pro || h->class == SAP_CLASS_SUBSCRIPTION);
}

static void set_severity(const struct sap_case *c, int64_t decider, struct sap_verdict *verdict)
{
	uint8_t by_claim = 0, by_own = 0, by_bundle = 0;

	if (decider >= 0)
		by_claim = heard_by(c, (uint32_t)decider)->claim->severity;
	for (uint32_t i = 0; i < c->n; i++) {
		const struct sap_heard *h = heard_by(c, i);
		const struct sap_advisory *a = h->claim->advisory;
		uint8_t *best = c->speakers[i].own ? &by_own : &by_bundle;

		if (h->unfit)
			continue;
		if (!by_claim)
			by_claim = h->claim->severity;
		if (a->severity > *best)
			*best = a->severity;
		if (c->speakers[i].own && !verdict->cvss.n)
			verdict->cvss = a->cvss;
	}
	for (uint32_t i = 0; i < c->n && !verdict->cvss.n; i++)
		if (!heard_by(c, i)->unfit)
			verdict->cvss = heard_by(c, i)->claim->advisory->cvss;
	verdict->severity = by_claim ? by_claim : by_own ? by_own : by_bundle;
}

static void set_functions(const struct sap_case *c, int64_t decider, struct sap_verdict *verdict)
{
	if (decider >= 0)
		verdict->functions = heard_by(c, (uint32_t)decider)->claim->functions;
	for (uint32_t i = 0; i < c->n && !verdict->functions.n; i++)
		if (!heard_by(c, i)->unfit && heard_by(c, i)->place == SAP_PLACE_IN)
			verdict->functions = heard_by(c, i)->claim->functions;
}

/* ---- the decision ----------------------------------------------------------------------- */

/* Affected, and the release's own statements name no fix: a subscription's may. */
static void look_for_pro_fix(const struct sap_case *c, struct sap_verdict *verdict)
{
	struct opinion pro = opinion_of(c, SAP_CLASS_PRO);

	if (pro.word != HELD || !pro.fixed.n)
		return;
	verdict->fixed = pro.fixed;
	verdict->pro = verdict->offered_known = true;
	verdict->offered = false;
}

static void decide_affected(const struct sap_case *c, enum sap_class class, int64_t *decider,
			    struct sap_verdict *verdict)
{
	int64_t unfixed;

	verdict->status = SAP_STATUS_AFFECTED;
	set_offer(c, heard_by(c, (uint32_t)*decider), verdict);
	if (class == SAP_CLASS_COMPROMISED) {
		verdict->compromised = true;
		/* The list knows no releases: that it can be had here is for others to say. */
		if (!verdict->offered)
			verdict->offered_known = false;
		return;
	}
	if (class == SAP_CLASS_RELEASE && !verdict->fixed.n)
		look_for_pro_fix(c, verdict);
	unfixed = speaker_with(c, SAP_CLAIM_UNFIXED, class);
	if (unfixed >= 0) {
		verdict->status = SAP_STATUS_UNFIXED;
		verdict->reason = heard_by(c, (uint32_t)unfixed)->claim->reason;
		*decider = unfixed;
	}
}

/* No statement compares versions. */
static bool decide_without(const struct sap_case *c, int64_t *decider, struct sap_verdict *verdict)
{
	*decider = speaker_with(c, SAP_CLAIM_UNFIXED, SAP_CLASS_GENERAL);
	verdict->status = SAP_STATUS_UNFIXED;
	if (*decider < 0) {
		*decider = speaker_with(c, SAP_CLAIM_UNDER_INVESTIGATION, SAP_CLASS_GENERAL);
		verdict->status = SAP_STATUS_UNDER_INVESTIGATION;
	}
	if (*decider < 0) {
		verdict->status = SAP_STATUS_NOT_AFFECTED;
		return false;
	}
	verdict->reason = heard_by(c, (uint32_t)*decider)->claim->reason;
	return true;
}

static bool is_distribution(const struct sap_case *c)
{
	enum sap_version_scheme scheme = c->subject->scheme;

	return scheme == SAP_VERSION_DEB || scheme == SAP_VERSION_RPM ||
	       scheme == SAP_VERSION_APK || scheme == SAP_VERSION_PACMAN;
}

/* Whether it stands in a list whose one purpose is to name all malicious versions. */
static bool is_whole_list(const struct sap_case *c, int64_t speaker)
{
	const struct sap_claim *claim;

	if (speaker < 0 || !c->sources)
		return false;
	claim = heard_by(c, (uint32_t)speaker)->claim;
	return sap_str_is(c->sources[claim->advisory->source].kind, "compromised");
}

/* The first class that has something to say. What names malicious versions always accuses. That
 * it also clears a distribution's versions that it does not name (their lists say "fixed in",
 * which counts every older version as affected) is for sources of the kind "compromised"; others
 * clear only against statements about the distribution at large, and in a language's
 * ecosystem none does. */
static struct opinion first_opinion(const struct sap_case *c, enum sap_class *at)
{
	struct opinion malicious = opinion_of(c, SAP_CLASS_COMPROMISED), o = malicious;

	if (malicious.word != SILENT && is_distribution(c) && is_whole_list(c, malicious.speaker)) {
		*at = SAP_CLASS_COMPROMISED;
		return malicious;
	}
	for (*at = SAP_CLASS_COMPROMISED; o.word != HELD && ++*at < SAP_CLASSES;) {
		if (*at == SAP_CLASS_GENERAL && malicious.word != SILENT && is_distribution(c)) {
			*at = SAP_CLASS_COMPROMISED;
			return malicious;
		}
		o = opinion_of(c, *at);
		if (o.word != SILENT)
			return o;
	}
	if (o.word == SILENT && malicious.word != SILENT) {
		*at = SAP_CLASS_COMPROMISED;
		return malicious;
	}
	return o;
}

bool sap_weigh(const struct sap_case *c, struct sap_verdict *verdict, int64_t *decider)
{
	enum sap_class at;
	struct opinion o = first_opinion(c, &at);
	bool spoken = true;

	*decider = o.speaker;
	if (o.word == HELD || o.word == REPAIRED)
		verdict->fixed = o.fixed;
	switch (o.word) {
	case HELD:
		decide_affected(c, at, decider, verdict);
		break;
	case UNREADABLE:
		verdict->status = SAP_STATUS_UNDER_INVESTIGATION;
		verdict->reason = heard_by(c, (uint32_t)o.speaker)->doubt
					  ? sap_doubt_text(heard_by(c, (uint32_t)o.speaker)->doubt)
					  : SAP_STR("cannot be compared");
		break;
	case REPAIRED:
		verdict->status = SAP_STATUS_FIXED;
		break;
	case CLEARED:
		verdict->status = SAP_STATUS_NOT_AFFECTED;
		break;
	case SILENT:
		spoken = decide_without(c, decider, verdict);
		break;
	}
	if (o.word != REPAIRED && o.word != CLEARED) {
		set_severity(c, o.speaker >= 0 ? o.speaker : *decider, verdict);
		set_functions(c, o.speaker >= 0 ? o.speaker : *decider, verdict);
	}
	return spoken;
}
