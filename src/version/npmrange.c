/* SPDX-License-Identifier: Apache-2.0 */
/*
 * npm's ranges, by the grammar and the rules of node-semver (its README, "Ranges"), strict:
 *
 *     range       set { "||" set }                     one of them must hold
 *     set         hyphen | { comparator }              all of them must hold; none: any version
 *     hyphen      partial " - " partial                1.2 - 2.3 is >=1.2.0 <2.4.0-0
 *     comparator  [< > = <= >=] partial                =1.2 is >=1.2.0 <1.3.0-0, >1.2 is >=1.3.0
 *                 ~ partial, ~> partial                ~1.2.3 is >=1.2.3 <1.3.0-0
 *                 ^ partial                            ^0.2.3 is >=0.2.3 <0.3.0-0
 *     partial     x[.x[.x[-pre][+build]]]              x: a number, "x", "X" or "*"
 *
 * A version with a pre-release lies in a set only where a comparator of the set names a
 * pre-release of the same three numbers. Unlike npm, numbers and texts have no ceiling.
 *
 * Every bound is a triple of numbers, one of which may stand for "that and one more", which is
 * how digits of any length are added to.
 */
#include "version/langver_int.h"

struct number {
	struct sap_str digits;
	bool plus_one;
};

struct partial {
	struct sap_str part[3];
	unsigned known; /* parts before the first x or missing one */
	bool odd;       /* a number stands behind an x */
	bool plain;     /* nothing but one "v" stands before the numbers */
	struct sap_str pre;
};

struct version {
	struct sap_str part[3];
	struct sap_str pre;
};

enum bound_kind {
	BOUND_LT,
	BOUND_LE,
	BOUND_EQ,
	BOUND_GE,
	BOUND_GT,
};

/* One set, as it is read: what is known of the version so far. */
struct set {
	const struct version *version;
	bool holds;     /* every comparator so far */
	bool named_pre; /* a comparator names a pre-release of the version's numbers */
};

static const struct sap_str no_pre = { NULL, 0 };
static const struct sap_str lowest_pre = SAP_STR_INIT("0");

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct sap_str skip_blanks(struct sap_str s)
{
	while (s.n > 0 && is_blank(*s.p))
		s = sap_str_skip(s, 1);
	return s;
}

/* Ids of [0-9A-Za-z-], numbers among them without leading zeros unless build is true. */
static bool take_strict_ids(struct sap_str *s, bool build, struct sap_str *ids)
{
	struct sap_str rest = *s;

	for (;;) {
		size_t n = 0;
		bool numeric = true;

		while (rest.p && n < rest.n &&
		       (sap_digit(rest.p[n]) || sap_letter(rest.p[n]) || rest.p[n] == '-')) {
			numeric = numeric && sap_digit(rest.p[n]);
			n++;
		}
		if (n == 0 || !rest.p || (!build && numeric && n > 1 && *rest.p == '0'))
			return false;
		rest = sap_str_skip(rest, n);
		if (rest.n == 0 || !rest.p || *rest.p != '.')
			break;
		rest = sap_str_skip(rest, 1);
	}
	*ids = (struct sap_str){ s->p, s->n - rest.n };
	*s = rest;
	return true;
}

/* "-" ids and "+" ids, where they are; false where one of them is broken. */
static bool take_tail(struct sap_str *s, struct sap_str *pre)
{
	struct sap_str build;

	if (s->n > 0 && *s->p == '-') {
		*s = sap_str_skip(*s, 1);
		if (!take_strict_ids(s, false, pre))
			return false;
	}
	if (s->n > 0 && *s->p == '+') {
		*s = sap_str_skip(*s, 1);
		if (!take_strict_ids(s, true, &build))
			return false;
	}
	return true;
}

static bool take_number(struct sap_str *s, struct sap_str *number)
{
	struct sap_str run = sap_digits_take(s);

	if (run.n == 0 || (run.n > 1 && *run.p == '0'))
		return false;
	*number = run;
	return true;
}

static bool version_parse(struct sap_str v, struct version *out)
{
	v = skip_blanks(v);
	while (v.n > 0 && is_blank(v.p[v.n - 1]))
		v.n--;
	if (v.n > 0 && *v.p == 'v')
		v = sap_str_skip(v, 1);
	for (int i = 0; i < 3; i++) {
		if (i > 0) {
			if (v.n == 0 || *v.p != '.')
				return false;
			v = sap_str_skip(v, 1);
		}
		if (!take_number(&v, &out->part[i]))
			return false;
	}
	out->pre = no_pre;
	return take_tail(&v, &out->pre) && v.n == 0;
}

/* The numbers and xes of a partial; a build may follow at any point, a pre-release only behind
 * three of them. */
static bool take_parts(struct sap_str *s, struct partial *out)
{
	bool seen_x = false;

	for (int i = 0; i < 3; i++) {
		if (i > 0) {
			if (s->n == 0 || *s->p != '.')
				return s->n == 0 || *s->p != '-' ? take_tail(s, &out->pre) : false;
			*s = sap_str_skip(*s, 1);
		}
		if (s->n > 0 && (*s->p == 'x' || *s->p == 'X' || *s->p == '*')) {
			*s = sap_str_skip(*s, 1);
			seen_x = true;
			continue;
		}
		if (!take_number(s, &out->part[i]))
			return false;
		if (seen_x)
			out->odd = true;
		else
			out->known++;
	}
	return take_tail(s, &out->pre);
}

/* Any number of "v" and "=" in front. */
static bool take_partial(struct sap_str *s, struct partial *out)
{
	size_t n = 0;

	while (n < s->n && (s->p[n] == 'v' || s->p[n] == '='))
		n++;
	*out = (struct partial){ .plain = n == 0 || (n == 1 && *s->p == 'v') };
	*s = sap_str_skip(*s, n);
	return take_parts(s, out);
}

static int number_cmp(struct sap_str v, const struct number *n)
{
	int cmp = sap_digits_cmp(v, n->digits);

	if (!n->plus_one || cmp < 0)
		return cmp;
	if (cmp == 0)
		return -1;
	/* v is larger: is it the next number? Nines at the end of n are zeros in v; the digit
	 * before them is one more, a new one where n is all nines. */
	for (size_t i = 1; i <= v.n; i++) {
		char c = i <= n->digits.n ? n->digits.p[n->digits.n - i] : '0';

		if (c != '9') {
			struct sap_str v_head = { v.p, v.n - i };
			struct sap_str n_head = { n->digits.p,
						  n->digits.n > i ? n->digits.n - i : 0 };

			return v.p[v.n - i] == c + 1 && sap_digits_cmp(v_head, n_head) == 0 ? 0 : 1;
		}
		if (v.p[v.n - i] != '0')
			return 1;
	}
	return 1;
}

static void set_bound(struct set *set, enum bound_kind kind, const struct number n[3],
		      struct sap_str pre)
{
	const struct version *v = set->version;
	bool held[] = { false, false, false };
	bool lowest = kind == BOUND_GE && pre.n == 0;
	int cmp = 0;

	/* npm takes >=0.0.0 for "any", so that it says nothing of 0.0.0-alpha. */
	for (int i = 0; i < 3; i++)
		lowest = lowest && !n[i].plus_one && sap_str_is(n[i].digits, "0");
	if (lowest)
		return;
	for (int i = 0; i < 3 && cmp == 0; i++)
		cmp = number_cmp(v->part[i], &n[i]);
	if (cmp == 0) {
		if (pre.n > 0)
			set->named_pre = true;
		if (v->pre.n == 0 || pre.n == 0)
			cmp = (v->pre.n == 0) - (pre.n == 0);
		else
			cmp = sap_semver_ids_cmp(v->pre, pre, false);
	}
	held[0] = cmp < 0 && (kind == BOUND_LT || kind == BOUND_LE);
	held[1] = cmp == 0 && (kind == BOUND_LE || kind == BOUND_EQ || kind == BOUND_GE);
	held[2] = cmp > 0 && (kind == BOUND_GE || kind == BOUND_GT);
	set->holds = set->holds && (held[0] || held[1] || held[2]);
}

/* The first n parts, the rest 0; with plus_one the last of them is one more. */
static void set_prefix_bound(struct set *set, enum bound_kind kind, const struct partial *p,
			     unsigned n, bool plus_one, struct sap_str pre)
{
	struct number bound[3];

	for (unsigned i = 0; i < 3; i++) {
		bound[i].digits = i < n ? p->part[i] : SAP_STR("0");
		bound[i].plus_one = plus_one && i + 1 == n;
	}
	set_bound(set, kind, bound, pre);
}

static void set_from(struct set *set, const struct partial *p)
{
	if (p->known > 0)
		set_prefix_bound(set, BOUND_GE, p, p->known, false,
				 p->known == 3 ? p->pre : no_pre);
}

/* Below the next of the first n parts. */
static void set_below_next(struct set *set, const struct partial *p, unsigned n)
{
	if (n > 0)
		set_prefix_bound(set, BOUND_LT, p, n, true, lowest_pre);
}

static void set_caret(struct set *set, const struct partial *p)
{
	unsigned n = 1;

	/* The first part that is not 0 may not change; of 0.0.x the second, of 0.x the first. */
	while (n < p->known && sap_str_is(p->part[n - 1], "0"))
		n++;
	set_from(set, p);
	set_below_next(set, p, p->known == 0 ? 0 : n);
}

static void set_hyphen(struct set *set, const struct partial *from, const struct partial *to)
{
	set_from(set, from);
	if (to->known == 3)
		set_prefix_bound(set, BOUND_LE, to, 3, false, to->pre);
	else
		set_below_next(set, to, to->known);
}

static void set_operator(struct set *set, enum bound_kind kind, const struct partial *p)
{
	if (p->known == 3) {
		set_prefix_bound(set, kind, p, 3, false, p->pre);
	} else if (kind == BOUND_EQ) {
		set_from(set, p);
		set_below_next(set, p, p->known);
	} else if (p->known == 0) {
		if (kind == BOUND_LT || kind == BOUND_GT)
			set->holds = false;
	} else if (kind == BOUND_LT) {
		set_prefix_bound(set, BOUND_LT, p, p->known, false, lowest_pre);
	} else if (kind == BOUND_LE) {
		set_below_next(set, p, p->known);
	} else if (kind == BOUND_GT) {
		set_prefix_bound(set, BOUND_GE, p, p->known, true, no_pre);
	} else {
		set_from(set, p);
	}
}

static bool ends_word(struct sap_str s)
{
	return s.n == 0 || is_blank(*s.p);
}

/* The operator, with the blanks behind it; they may stand before its "=" instead. */
static enum bound_kind take_operator(struct sap_str *s)
{
	enum bound_kind kind = BOUND_EQ;

	if (s->n > 0 && (*s->p == '<' || *s->p == '>')) {
		kind = *s->p == '<' ? BOUND_LT : BOUND_GT;
		*s = sap_str_skip(*s, 1);
		if (s->n > 0 && is_blank(*s->p)) {
			*s = skip_blanks(*s);
			if (s->n < 2 || s->p[0] != '=' || is_blank(s->p[1]))
				return kind;
		}
	}
	if (s->n > 0 && *s->p == '=') {
		if (kind != BOUND_EQ)
			kind = kind == BOUND_LT ? BOUND_LE : BOUND_GE;
		*s = skip_blanks(sap_str_skip(*s, 1));
	}
	return kind;
}

/* "~", "~>" or "^", with the blanks around; 0 where there is none. */
static char take_shorthand(struct sap_str *s)
{
	char first = *s->p;

	if (first != '~' && first != '^')
		return 0;
	*s = skip_blanks(sap_str_skip(*s, 1));
	if (first == '~' && s->n > 0 && *s->p == '>')
		*s = skip_blanks(sap_str_skip(*s, 1));
	return first;
}

/* One comparator off a set that is not empty. */
static bool take_comparator(struct sap_str *s, struct set *set)
{
	char shorthand = take_shorthand(s);
	enum bound_kind kind = shorthand ? BOUND_EQ : take_operator(s);
	struct partial p;

	if (!take_partial(s, &p) || !ends_word(*s))
		return false;
	if (shorthand == '~') {
		set_from(set, &p);
		set_below_next(set, &p, p.known > 2 ? 2 : p.known);
	} else if (shorthand == '^') {
		set_caret(set, &p);
	} else if (p.odd || (p.known == 3 && !p.plain)) {
		return false;
	} else {
		set_operator(set, kind, &p);
	}
	return true;
}

/* partial blanks "-" blanks partial, and nothing more. */
static bool read_hyphen(struct sap_str s, struct set *set)
{
	struct partial from, to;

	if (!take_partial(&s, &from) || !ends_word(s))
		return false;
	s = skip_blanks(s);
	if (s.n < 2 || s.p[0] != '-' || !is_blank(s.p[1]))
		return false;
	s = skip_blanks(sap_str_skip(s, 1));
	if (!take_partial(&s, &to) || skip_blanks(s).n > 0)
		return false;
	if ((from.known == 3 && !from.plain) || (to.known == 3 && !to.plain && to.pre.n == 0))
		return false;
	set_hyphen(set, &from, &to);
	return true;
}

static bool read_set(struct sap_str s, const struct version *version, bool *in)
{
	struct set set = { version, true, false };

	s = skip_blanks(s);
	if (!read_hyphen(s, &set)) {
		set = (struct set){ version, true, false };
		while (s.n > 0) {
			if (!take_comparator(&s, &set))
				return false;
			s = skip_blanks(s);
		}
	}
	*in = set.holds && (version->pre.n == 0 || set.named_pre);
	return true;
}

bool sap_npm_range_has(struct sap_str range, struct sap_str version, bool *in)
{
	struct version v;
	bool any = false;

	if (!version_parse(version, &v))
		return false;
	for (;;) {
		struct sap_str head = range;
		bool last = true, held;

		for (size_t i = 0; i + 1 < range.n; i++) {
			if (range.p[i] == '|' && range.p[i + 1] == '|') {
				head.n = i;
				last = false;
				break;
			}
		}
		if (!read_set(head, &v, &held))
			return false;
		any = any || held;
		if (last)
			break;
		range = sap_str_skip(range, head.n + 2);
	}
	*in = any;
	return true;
}
