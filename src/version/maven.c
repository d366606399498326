/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maven: the version order of the POM reference (maven.apache.org/pom.html, Version Order
 * Specification), which describes ComparableVersion.
 *
 * A version is cut into tokens at ".", at "-" and between digits and anything else; the latter
 * counts as "-". Empty tokens are 0. Case does not count.
 *
 *     number, behind "."   1.1
 *     number, behind "-"   1-1, 1foo1
 *     qualifier            1-foo, 1.foo, 1foo: the separator before it says nothing
 *
 * Null tokens (0, ga, final, release) are left out at the end, before "-" and before a
 * qualifier: 1.0.0-foo.0.0 is 1-foo. Then the lists are compared token by token:
 *
 *     alpha < beta < milestone < rc < snapshot < (end) < sp < other words < -1 < .1
 *
 * The end counts as 0 against ".1" and as the empty qualifier otherwise. a, b and m before a
 * digit are alpha, beta and milestone; cr is rc.
 *
 * Since null tokens are left out as said, a kept .0 is always followed by a number that is not
 * null; that makes this order transitive. The nested lists of some releases of Maven differ in
 * corner cases (1-1 and 1-ga-1, 1.0.RC2 and 1.0-RC3) and are not transitive there.
 */
#include "version/langver_int.h"

enum qualifier {
	Q_ALPHA,
	Q_BETA,
	Q_MILESTONE,
	Q_RC,
	Q_SNAPSHOT,
	Q_RELEASE, /* also the end */
	Q_SP,
	Q_OTHER,
};

enum kind {
	QUALIFIER,
	DASH_NUMBER,
	DOT_NUMBER,
	END,
};

struct token {
	enum kind kind;
	enum qualifier qualifier;
	struct sap_str text; /* of numbers and of Q_OTHER */
};

struct cursor {
	struct sap_str rest;
	size_t kept; /* of the null tokens at rest, it is known that they are kept */
	bool dash;   /* what stands before rest counts as "-" */
};

static enum qualifier classify(struct sap_str s, bool before_digit)
{
	static const struct {
		struct sap_str word;
		enum qualifier qualifier;
	} words[] = {
		{ SAP_STR_INIT("alpha"), Q_ALPHA },
		{ SAP_STR_INIT("beta"), Q_BETA },
		{ SAP_STR_INIT("milestone"), Q_MILESTONE },
		{ SAP_STR_INIT("rc"), Q_RC },
		{ SAP_STR_INIT("cr"), Q_RC },
		{ SAP_STR_INIT("snapshot"), Q_SNAPSHOT },
		{ SAP_STR_INIT("ga"), Q_RELEASE },
		{ SAP_STR_INIT("final"), Q_RELEASE },
		{ SAP_STR_INIT("release"), Q_RELEASE },
		{ SAP_STR_INIT("sp"), Q_SP },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (sap_fold_cmp(s, words[i].word) == 0)
			return words[i].qualifier;
	if (before_digit && s.n == 1) {
		char c = sap_fold(*s.p);

		if (c == 'a')
			return Q_ALPHA;
		if (c == 'b')
			return Q_BETA;
		if (c == 'm')
			return Q_MILESTONE;
	}
	return Q_OTHER;
}

/* The next token, null or not. What follows the last separator is a token too, empty or not;
 * since an empty one is 0 and stands at the end, it would be left out: it need not be read. */
static bool next_raw(struct cursor *c, struct token *out)
{
	struct sap_str run = { c->rest.p, 0 };
	bool before_digit;

	if (c->rest.n == 0)
		return false;
	if (sap_digit(*c->rest.p) || *c->rest.p == '.' || *c->rest.p == '-') {
		run = sap_digits_take(&c->rest);
		*out = (struct token){ c->dash ? DASH_NUMBER : DOT_NUMBER, Q_RELEASE, run };
	} else {
		while (run.n < c->rest.n && !sap_digit(run.p[run.n]) && run.p[run.n] != '.' &&
		       run.p[run.n] != '-')
			run.n++;
		c->rest = sap_str_skip(c->rest, run.n);
		before_digit = c->rest.n > 0 && sap_digit(*c->rest.p);
		*out = (struct token){ QUALIFIER, classify(run, before_digit), run };
	}
	c->dash = true;
	if (c->rest.n > 0 && (*c->rest.p == '.' || *c->rest.p == '-')) {
		c->dash = *c->rest.p == '-';
		c->rest = sap_str_skip(c->rest, 1);
	}
	return true;
}

static bool is_null(const struct token *t)
{
	if (t->kind == QUALIFIER)
		return t->qualifier == Q_RELEASE;
	return sap_digits_cmp(t->text, SAP_STR("0")) == 0;
}

/* Leaves out the null tokens at the cursor that do not count, and notes how many do. Each is
 * looked at twice at the most. */
static void settle_nulls(struct cursor *c)
{
	struct cursor ahead = *c;
	struct token t;
	size_t n = 0;

	for (;;) {
		struct cursor before = ahead;

		if (!next_raw(&ahead, &t)) {
			*c = before;
			return;
		}
		if (t.kind != DOT_NUMBER && before.rest.p != c->rest.p) {
			/* Those before it are left out; so may this one be. */
			*c = before;
			n = 0;
		}
		if (!is_null(&t)) {
			c->kept = n;
			return;
		}
		n++;
	}
}

static struct token next_token(struct cursor *c)
{
	struct token t;

	if (c->kept > 0)
		c->kept--;
	else
		settle_nulls(c);
	return next_raw(c, &t) ? t : (struct token){ END, Q_RELEASE, { NULL, 0 } };
}

/* How two tokens stand, and whether they are the same sort: the order at the top. */
static int token_cmp(const struct token *a, const struct token *b)
{
	enum kind x = a->kind, y = b->kind;

	if (x == END)
		x = y == DOT_NUMBER ? DOT_NUMBER : QUALIFIER;
	if (y == END)
		y = x == DOT_NUMBER ? DOT_NUMBER : QUALIFIER;
	if (x != y)
		return x < y ? -1 : 1;
	if (x != QUALIFIER)
		return sap_digits_cmp(a->text, b->text);
	if (a->qualifier != b->qualifier)
		return a->qualifier < b->qualifier ? -1 : 1;
	return a->qualifier == Q_OTHER ? sap_fold_cmp(a->text, b->text) : 0;
}

static int cmp(struct sap_str a, struct sap_str b)
{
	struct cursor x = { .rest = a }, y = { .rest = b };

	for (;;) {
		struct token s = next_token(&x), t = next_token(&y);
		int cmp = token_cmp(&s, &t);

		if (cmp != 0 || (s.kind == END && t.kind == END))
			return cmp;
	}
}

/* Maven refuses nothing. What has a blank or a control character, or neither letter nor digit,
 * is no version of a package. */
static bool valid(struct sap_str v)
{
	bool seen = false;

	for (size_t i = 0; i < v.n; i++) {
		unsigned char c = (unsigned char)v.p[i];

		if (c <= ' ' || c == 0x7f)
			return false;
		seen = seen || sap_digit(v.p[i]) || sap_letter(v.p[i]);
	}
	return seen;
}

const struct sap_version_rules sap_version_maven = { valid, cmp };
