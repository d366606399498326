/* SPDX-License-Identifier: Apache-2.0 */
#include "advisory/match_int.h"
#include "advisory/rows.h"
#include "base/limits.h"

enum event { INTRODUCED = 1, FIXED, LAST, LIMIT };

enum { FOLLOW_MAX = 16 };

/* A range that is being read. Its events are not sorted: where v stands is told by the newest one
 * that it has reached, and that is found in one pass. */
struct range {
	bool events, introduced, ends; /* which there are */
	bool whole;                    /* an end follows an "introduced" */
	bool bad_boundary;             /* one of them is no version */
	bool limits, below_limit;
	enum event reached;    /* the newest event not after v; 0: none */
	struct sap_str newest; /* its version */
	struct sap_str end;    /* the oldest end after v */
	enum event end_kind;   /* FIXED or LAST; 0: none */
	bool past_end;         /* v is at or behind a fix, or behind a last */
};

/* What the ranges read so far say: they are a union. */
struct rule {
	enum sap_version_scheme scheme;
	struct sap_str v;
	bool v_valid;
	bool git;      /* the range that is being read is one of commits */
	bool types;    /* there is more than one type= */
	bool git_seen; /* some range is */
	bool versions; /* there is a list of versions */
	struct range range;
	bool events;           /* there is an event that is none of git's */
	bool several;          /* more than one range was read */
	enum sap_place place;  /* what those that were read come to; 0: none was */
	struct sap_str holder; /* ends the first one that holds v: a fix, or nothing */
	struct sap_str fix;    /* the oldest fix after v, of any range */
};

static bool is_first(struct sap_str version)
{
	return sap_str_is(version, "0");
}

bool sap_rule_valid(enum sap_version_scheme scheme, struct sap_str v)
{
	return v.n <= SAP_VERSION_TEXT_MAX && sap_version_valid(scheme, v);
}

/* Of boundaries: those that are no versions are not compared. */
static int compare(const struct rule *r, struct sap_str a, struct sap_str b)
{
	/* "0" is before everything, also where the scheme would not have it so. */
	if (is_first(a) || is_first(b))
		return is_first(a) && is_first(b) ? 0 : is_first(a) ? -1 : 1;
	return sap_version_cmp_valid(r->scheme, a, b);
}

/* v has reached an event: the newest counts; of the same version "introduced" comes first. */
static void reach(struct rule *r, enum event kind, struct sap_str version)
{
	struct range *g = &r->range;
	int c = g->reached ? compare(r, version, g->newest) : 1;

	if (c > 0 || (c == 0 && g->reached == INTRODUCED)) {
		g->reached = kind;
		g->newest = version;
	}
}

static void note_end(struct rule *r, enum event kind, struct sap_str version)
{
	struct range *g = &r->range;
	int c = g->end_kind ? compare(r, version, g->end) : -1;

	if (c < 0 || (c == 0 && kind == FIXED)) {
		g->end_kind = kind;
		g->end = version;
	}
	if (kind == FIXED && (r->fix.n == 0 || compare(r, version, r->fix) < 0))
		r->fix = version;
}

/* What the events of one range say. */
static enum sap_place place_in_range(const struct rule *r)
{
	const struct range *g = &r->range;
	enum event reached = g->reached;

	if (reached == INTRODUCED && is_first(g->newest) && !g->ends && !g->bad_boundary)
		return SAP_PLACE_IN; /* every version, whatever it looks like */
	if (r->scheme == SAP_VERSION_NONE)
		return SAP_PLACE_UNORDERED;
	if (g->bad_boundary || !r->v_valid)
		return SAP_PLACE_INVALID;
	/* An end without a beginning, as lists written by hand have it: from the first on. */
	if (!g->introduced && !r->versions && reached == 0)
		reached = INTRODUCED;
	if (reached == INTRODUCED)
		return !g->limits || g->below_limit ? SAP_PLACE_IN : SAP_PLACE_AFTER;
	return g->past_end ? SAP_PLACE_AFTER : SAP_PLACE_BEFORE;
}

/* The range is at its end. Of several the first that holds v counts; else what cannot be told,
 * else that a fix was passed. */
static void end_range(struct rule *r)
{
	static const uint8_t weights[] = {
		[SAP_PLACE_BEFORE] = 1,  [SAP_PLACE_AFTER] = 2, [SAP_PLACE_UNORDERED] = 3,
		[SAP_PLACE_INVALID] = 4, [SAP_PLACE_IN] = 5,
	};
	enum sap_place place;

	if (!r->range.events)
		return;
	r->several = r->place != 0;
	place = place_in_range(r);
	if (weights[place] > weights[r->place]) {
		r->place = place;
		if (place == SAP_PLACE_IN && r->range.end_kind == FIXED)
			r->holder = r->range.end;
	}
	r->range = (struct range){ .events = false };
}

static void take_event(struct rule *r, enum event kind, struct sap_str version)
{
	struct range *g = &r->range;
	int c;

	if (r->git) {
		r->git_seen = true;
		return;
	}
	if (kind == INTRODUCED && g->whole)
		end_range(r);
	r->events = g->events = true;
	if (kind == INTRODUCED)
		g->introduced = true;
	else
		g->ends = true;
	g->whole = g->introduced && kind != INTRODUCED;
	if (!is_first(version) && !sap_rule_valid(r->scheme, version)) {
		g->bad_boundary = true;
		return;
	}
	c = is_first(version) ? 1
	    : r->v_valid      ? sap_version_cmp_valid(r->scheme, r->v, version)
			      : sap_version_cmp(r->scheme, r->v, version);
	switch (kind) {
	case INTRODUCED:
		if (c >= 0)
			reach(r, kind, version);
		break;
	case FIXED:
	case LAST:
		if (c > 0 || (c == 0 && kind == FIXED)) {
			reach(r, kind, version);
			g->past_end = true;
		} else {
			note_end(r, kind, version);
		}
		break;
	case LIMIT:
		g->limits = true;
		g->below_limit = g->below_limit || c < 0;
		break;
	}
}

/* Whether v is named by a list. */
static bool is_named(const struct rule *r, struct sap_str list)
{
	struct sap_str item;

	while (sap_row_list_next(&list, NULL, &item)) {
		if (sap_str_eq(item, r->v))
			return true;
		if (r->v_valid && item.n <= SAP_VERSION_TEXT_MAX &&
		    sap_version_cmp(r->scheme, item, r->v) == 0)
			return true;
	}
	return false;
}

static void take(struct rule *r, const struct sap_row_attr *attr)
{
	static const struct {
		struct sap_str key;
		enum event kind;
	} events[] = {
		{ SAP_STR_INIT("introduced"), INTRODUCED },
		{ SAP_STR_INIT("fixed"), FIXED },
		{ SAP_STR_INIT("last"), LAST },
		{ SAP_STR_INIT("limit"), LIMIT },
	};

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		if (sap_str_eq(attr->key, events[i].key)) {
			take_event(r, events[i].kind, attr->value);
			return;
		}
	}
}

/* What has to be known before the first event. */
static void look_ahead(struct rule *r, struct sap_str rule)
{
	struct sap_row_attr attr;
	unsigned types = 0;
	bool git = false;

	/* Most have neither: no other key has these letters. */
	if (!rule.n || (!memchr(rule.p, 'p', rule.n) && !memchr(rule.p, 'v', rule.n)))
		return;
	while (sap_row_rest_next(&rule, NULL, &attr)) {
		if (sap_str_is(attr.key, "versions")) {
			r->versions = true;
		} else if (sap_str_is(attr.key, "type")) {
			git = sap_str_is(attr.value, "git");
			types++;
		}
	}
	r->git = types == 1 && git;
	r->types = types > 1;
}

/* A single type= speaks of all events, wherever it stands; of several, each of the range that
 * it begins. */
static void read_events(struct rule *r, struct sap_str rule)
{
	struct sap_row_attr attr;

	look_ahead(r, rule);
	while (sap_row_rest_next(&rule, NULL, &attr)) {
		if (!r->types || !sap_str_is(attr.key, "type")) {
			take(r, &attr);
			continue;
		}
		end_range(r);
		r->git = sap_str_is(attr.value, "git");
	}
	end_range(r);
}

/* What all events say. */
static enum sap_place place_of(const struct rule *r)
{
	if (r->events)
		return r->place;
	return r->versions   ? SAP_PLACE_BEFORE
	       : r->git_seen ? SAP_PLACE_UNORDERED
			     : SAP_PLACE_IN; /* a claim without a rule: every version */
}

static bool read_lists(const struct rule *r, struct sap_str rule)
{
	struct sap_row_attr attr;

	while (sap_row_rest_next(&rule, NULL, &attr))
		if (sap_str_is(attr.key, "versions") && is_named(r, attr.value))
			return true;
	return false;
}

/* The fix that ends one range may lie in another: then the version that repairs is the end of
 * that one, and so on. */
static struct sap_str follow(enum sap_version_scheme scheme, struct sap_str rule,
			     struct sap_str fixed)
{
	for (unsigned left = FOLLOW_MAX; fixed.n && left > 0; left--) {
		struct rule r = { .scheme = scheme, .v = fixed, .v_valid = true };

		read_events(&r, rule);
		if (place_of(&r) != SAP_PLACE_IN)
			return fixed;
		fixed = r.holder;
	}
	return fixed;
}

enum sap_place sap_rule_place_of(enum sap_version_scheme scheme, struct sap_str rule,
				 struct sap_str v, bool valid, struct sap_str *fixed)
{
	struct rule r = { .scheme = scheme, .v = v, .v_valid = valid };
	enum sap_place place;

	*fixed = (struct sap_str){ 0 };
	read_events(&r, rule);
	place = place_of(&r);
	if (place == SAP_PLACE_IN)
		*fixed = r.several ? follow(scheme, rule, r.holder) : r.holder;
	/* Lists are long: they are read only where the ranges do not hold v. */
	if (place == SAP_PLACE_IN || !r.versions || !read_lists(&r, rule))
		return place;
	*fixed = r.several ? follow(scheme, rule, r.fix) : r.fix;
	return SAP_PLACE_IN;
}

enum sap_place sap_rule_place(enum sap_version_scheme scheme, struct sap_str rule, struct sap_str v,
			      struct sap_str *fixed)
{
	return sap_rule_place_of(scheme, rule, v, sap_rule_valid(scheme, v), fixed);
}
