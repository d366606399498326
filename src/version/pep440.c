/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PyPI: PEP 440, with the spellings that its appendix B allows.
 *
 *     [v] [epoch !] release [pre] [post] [dev] [+ local]
 *
 *     epoch    digits                                      missing: 0
 *     release  digits { "." digits }                       missing numbers are 0
 *     pre      [sep] a|alpha|b|beta|c|rc|pre|preview [sep] [digits]
 *     post     "-" digits, or [sep] post|rev|r [sep] [digits]
 *     dev      [sep] dev [sep] [digits]
 *     local    letters and digits, with single seps between
 *     sep      "-", "_" or "."
 *
 * Case and blanks at the ends do not count. What does not parse ("legacy versions") is
 * invalid, and so stands before all that does.
 */
#include "version/langver_int.h"

enum pre {
	PRE_DEV_ONLY, /* 1.0.dev1: before 1.0a1 */
	PRE_A,
	PRE_B,
	PRE_RC,
	PRE_NONE,
};

struct pep440 {
	struct sap_str epoch, release, pre_n, post_n, dev_n, local;
	enum pre pre;
	bool post, dev;
};

static bool is_sep(struct sap_str s)
{
	return s.n > 0 && (*s.p == '-' || *s.p == '_' || *s.p == '.');
}

static struct sap_str skip_sep(struct sap_str s)
{
	return is_sep(s) ? sap_str_skip(s, 1) : s;
}

/* [sep] word [sep] [digits] */
static bool take_word(struct sap_str *s, struct sap_str word, struct sap_str *digits)
{
	struct sap_str rest = skip_sep(*s);

	if (!sap_fold_starts(rest, word))
		return false;
	rest = skip_sep(sap_str_skip(rest, word.n));
	*digits = sap_digits_take(&rest);
	*s = rest;
	return true;
}

static void take_pre(struct sap_str *s, struct pep440 *out)
{
	/* Longer words before those they begin with. */
	static const struct {
		struct sap_str word;
		enum pre pre;
	} words[] = {
		{ SAP_STR_INIT("alpha"), PRE_A },    { SAP_STR_INIT("a"), PRE_A },
		{ SAP_STR_INIT("beta"), PRE_B },     { SAP_STR_INIT("b"), PRE_B },
		{ SAP_STR_INIT("preview"), PRE_RC }, { SAP_STR_INIT("pre"), PRE_RC },
		{ SAP_STR_INIT("rc"), PRE_RC },      { SAP_STR_INIT("c"), PRE_RC },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (take_word(s, words[i].word, &out->pre_n)) {
			out->pre = words[i].pre;
			return;
		}
	}
}

static void take_post(struct sap_str *s, struct pep440 *out)
{
	if (s->n > 1 && *s->p == '-' && sap_digit(s->p[1])) {
		*s = sap_str_skip(*s, 1);
		out->post_n = sap_digits_take(s);
		out->post = true;
		return;
	}
	out->post = take_word(s, SAP_STR("post"), &out->post_n) ||
		    take_word(s, SAP_STR("rev"), &out->post_n) ||
		    take_word(s, SAP_STR("r"), &out->post_n);
}

/* The part of a local version up to the next sep. */
static struct sap_str take_local(struct sap_str *s)
{
	struct sap_str part = { s->p, 0 };

	while (part.n < s->n && (sap_digit(s->p[part.n]) || sap_letter(s->p[part.n])))
		part.n++;
	*s = sap_str_skip(*s, part.n);
	return part;
}

static bool local_valid(struct sap_str s)
{
	for (;;) {
		if (take_local(&s).n == 0)
			return false;
		if (s.n == 0)
			return true;
		if (!is_sep(s))
			return false;
		s = sap_str_skip(s, 1);
	}
}

static struct sap_str trim(struct sap_str s)
{
	while (s.n > 0 && (*s.p == ' ' || (*s.p >= '\t' && *s.p <= '\r')))
		s = sap_str_skip(s, 1);
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || (s.p[s.n - 1] >= '\t' && s.p[s.n - 1] <= '\r')))
		s.n--;
	return s;
}

static bool parse(struct sap_str v, struct pep440 *out)
{
	struct pep440 found = { .pre = PRE_NONE };
	struct sap_str ahead;

	v = trim(v);
	if (v.n > 0 && sap_fold(*v.p) == 'v')
		v = sap_str_skip(v, 1);
	ahead = v;
	found.epoch = sap_digits_take(&ahead);
	if (found.epoch.n > 0 && ahead.n > 0 && *ahead.p == '!')
		v = sap_str_skip(ahead, 1);
	else
		found.epoch.n = 0;
	if (!sap_semver_take_numbers(&v, &found.release))
		return false;
	if (v.n > 0) {
		take_pre(&v, &found);
		take_post(&v, &found);
		found.dev = take_word(&v, SAP_STR("dev"), &found.dev_n);
	}
	if (v.n > 0) {
		if (*v.p != '+')
			return false;
		found.local = sap_str_skip(v, 1);
		if (!local_valid(found.local))
			return false;
	}
	if (found.dev && !found.post && found.pre == PRE_NONE)
		found.pre = PRE_DEV_ONLY;
	*out = found;
	return true;
}

static bool valid(struct sap_str v)
{
	struct pep440 parsed;

	return parse(v, &parsed);
}

static bool all_digits(struct sap_str s)
{
	return sap_digits_take(&s).n > 0 && s.n == 0;
}

/* Numbers stand behind words here, and a longer list behind its beginning. */
static int local_cmp(struct sap_str a, struct sap_str b)
{
	while (a.n > 0 && b.n > 0) {
		struct sap_str x = take_local(&a), y = take_local(&b);
		bool x_numeric = all_digits(x), y_numeric = all_digits(y);
		int cmp;

		if (x_numeric != y_numeric)
			return x_numeric ? 1 : -1;
		cmp = x_numeric ? sap_digits_cmp(x, y) : sap_fold_cmp(x, y);
		if (cmp != 0)
			return cmp;
		a = sap_str_skip(a, 1); /* the sep */
		b = sap_str_skip(b, 1);
	}
	return (a.n > 0) - (b.n > 0);
}

static int cmp(struct sap_str a, struct sap_str b)
{
	struct pep440 x = { 0 }, y = { 0 };
	int cmp;

	parse(a, &x);
	parse(b, &y);
	if ((cmp = sap_digits_cmp(x.epoch, y.epoch)) != 0)
		return cmp;
	if ((cmp = sap_semver_numbers_cmp(x.release, y.release)) != 0)
		return cmp;
	if (x.pre != y.pre)
		return x.pre < y.pre ? -1 : 1;
	if ((cmp = sap_digits_cmp(x.pre_n, y.pre_n)) != 0)
		return cmp;
	if (x.post != y.post)
		return x.post ? 1 : -1;
	if ((cmp = sap_digits_cmp(x.post_n, y.post_n)) != 0)
		return cmp;
	if (x.dev != y.dev)
		return x.dev ? -1 : 1;
	if ((cmp = sap_digits_cmp(x.dev_n, y.dev_n)) != 0)
		return cmp;
	return local_cmp(x.local, y.local);
}

const struct sap_version_rules sap_version_pep440 = { valid, cmp };
