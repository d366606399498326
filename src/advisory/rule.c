/* SPDX-License-Identifier: Apache-2.0 */
#include "advisory/match.h"
#include "advisory/rows.h"
#include "base/limits.h"

enum event { INTRODUCED = 1, FIXED, LAST, LIMIT };

/* What the events seen so far say. Events are not sorted: where v stands is told by the newest
 * one that it has reached, and that is found in one pass. */
struct rule {
	enum sap_version_scheme scheme;
	struct sap_str v;
	bool v_valid;
	bool git;          /* the range that is being read is one of commits */
	bool git_seen;     /* some range is */
	bool events;       /* there is an event that is none of git's */
	bool bad_boundary; /* one of them is no version */
	bool versions;     /* there is a list of versions */
	bool introduced;   /* there is an "introduced" */
	bool limits, below_limit;
	enum event reached;    /* the newest event not after v; 0: none */
	struct sap_str newest; /* its version */
	struct sap_str end;    /* the oldest end after v */
	enum event end_kind;   /* FIXED or LAST; 0: none */
	struct sap_str fix;    /* the oldest fix after v */
	bool past_end;         /* v is at or behind a fix, or behind a last */
};

static bool is_first(struct sap_str version)
{
	return sap_str_is(version, "0");
}

static int compare(const struct rule *r, struct sap_str a, struct sap_str b)
{
	/* "0" is before everything, also where the scheme would not have it so. */
	if (is_first(a) || is_first(b))
		return is_first(a) && is_first(b) ? 0 : is_first(a) ? -1 : 1;
	return sap_version_cmp(r->scheme, a, b);
}

/* v has reached an event: the newest counts; of the same version "introduced" comes first. */
static void reach(struct rule *r, enum event kind, struct sap_str version)
{
	int c = r->reached ? compare(r, version, r->newest) : 1;

	if (c > 0 || (c == 0 && r->reached == INTRODUCED)) {
		r->reached = kind;
		r->newest = version;
	}
}

static void note_end(struct rule *r, enum event kind, struct sap_str version)
{
	int c = r->end_kind ? compare(r, version, r->end) : -1;

	if (c < 0 || (c == 0 && kind == FIXED)) {
		r->end_kind = kind;
		r->end = version;
	}
	if (kind == FIXED && (r->fix.n == 0 || compare(r, version, r->fix) < 0))
		r->fix = version;
}

static void take_event(struct rule *r, enum event kind, struct sap_str version)
{
	int c;

	if (r->git) {
		r->git_seen = true;
		return;
	}
	r->events = true;
	if (kind == INTRODUCED)
		r->introduced = true;
	if (!is_first(version) &&
	    (version.n > SAP_VERSION_TEXT_MAX || !sap_version_valid(r->scheme, version))) {
		r->bad_boundary = true;
		return;
	}
	c = is_first(version) ? 1 : sap_version_cmp(r->scheme, r->v, version);
	switch (kind) {
	case INTRODUCED:
		if (c >= 0)
			reach(r, kind, version);
		break;
	case FIXED:
	case LAST:
		if (c > 0 || (c == 0 && kind == FIXED)) {
			reach(r, kind, version);
			r->past_end = true;
		} else {
			note_end(r, kind, version);
		}
		break;
	case LIMIT:
		r->limits = true;
		r->below_limit = r->below_limit || c < 0;
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
	if (sap_str_is(attr->key, "versions"))
		r->versions = true;
}

/* A single type= speaks of all events, wherever it stands; of several, each of those that
 * follow it. */
static bool starts_as_git(struct sap_str rule)
{
	struct sap_row_attr attr;
	unsigned n = 0;
	bool git = false;

	if (!rule.n || !memmem(rule.p, rule.n, "type=", 5))
		return false;
	while (sap_row_rest_next(&rule, NULL, &attr)) {
		if (sap_str_is(attr.key, "type")) {
			git = sap_str_is(attr.value, "git");
			n++;
		}
	}
	return n == 1 && git;
}

/* What the events alone say. */
static enum sap_place place_of(struct rule *r)
{
	bool ends = r->end_kind || r->past_end || r->limits;

	if (!r->events)
		return r->versions   ? SAP_PLACE_BEFORE
		       : r->git_seen ? SAP_PLACE_UNORDERED
				     : SAP_PLACE_IN; /* a claim without a rule: every version */
	if (r->reached == INTRODUCED && is_first(r->newest) && !ends && !r->bad_boundary)
		return SAP_PLACE_IN; /* every version too */
	if (r->scheme == SAP_VERSION_NONE)
		return SAP_PLACE_UNORDERED;
	if (r->bad_boundary || !r->v_valid)
		return SAP_PLACE_INVALID;
	/* An end without a beginning, as lists written by hand have it: from the first on. */
	if (!r->introduced && !r->versions && r->reached == 0)
		r->reached = INTRODUCED;
	if (r->reached == INTRODUCED)
		return !r->limits || r->below_limit ? SAP_PLACE_IN : SAP_PLACE_AFTER;
	return r->past_end ? SAP_PLACE_AFTER : SAP_PLACE_BEFORE;
}

static void read_events(struct rule *r, struct sap_str rule)
{
	struct sap_row_attr attr;

	r->git = starts_as_git(rule);
	while (sap_row_rest_next(&rule, NULL, &attr)) {
		if (sap_str_is(attr.key, "type"))
			r->git = sap_str_is(attr.value, "git");
		else
			take(r, &attr);
	}
}

enum sap_place sap_rule_place(enum sap_version_scheme scheme, struct sap_str rule, struct sap_str v,
			      struct sap_str *fixed)
{
	struct rule r = { .scheme = scheme, .v = v };
	struct sap_row_attr attr;
	enum sap_place place;

	*fixed = (struct sap_str){ 0 };
	r.v_valid = v.n <= SAP_VERSION_TEXT_MAX && sap_version_valid(scheme, v);
	read_events(&r, rule);
	place = place_of(&r);
	if (place == SAP_PLACE_IN) {
		*fixed = r.end_kind == FIXED ? r.end : (struct sap_str){ 0 };
		return place;
	}
	/* Lists are long: they are read only where the ranges do not hold v. */
	while (r.versions && sap_row_rest_next(&rule, NULL, &attr)) {
		if (sap_str_is(attr.key, "versions") && is_named(&r, attr.value)) {
			*fixed = r.fix;
			return SAP_PLACE_IN;
		}
	}
	return place;
}
