/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RubyGems: Gem::Version. A version is a list of segments, runs of digits or runs of letters;
 * whatever else stands between them separates, and "-" stands for ".pre.". Zeros before the
 * first run of letters, and at the end, do not count. A run of letters is before any number,
 * and a list that ends goes on with zeros: 1.0.a < 1 = 1.0.
 */
#include "version/langver_int.h"

struct segment {
	bool letters;
	struct sap_str text;
};

struct cursor {
	struct sap_str rest;
	size_t zeros; /* of these, at rest, it is known that they count */
	bool numbers; /* no run of letters yet */
};

static bool next_raw(struct sap_str *rest, struct segment *out)
{
	while (rest->n > 0) {
		size_t n = 0;

		if (*rest->p == '-') {
			*rest = sap_str_skip(*rest, 1);
			*out = (struct segment){ true, SAP_STR("pre") };
			return true;
		}
		if (sap_digit(*rest->p)) {
			*out = (struct segment){ false, sap_digits_take(rest) };
			return true;
		}
		while (n < rest->n && sap_letter(rest->p[n]))
			n++;
		if (n > 0) {
			*out = (struct segment){ true, { rest->p, n } };
			*rest = sap_str_skip(*rest, n);
			return true;
		}
		*rest = sap_str_skip(*rest, 1);
	}
	return false;
}

static bool is_zero(const struct segment *s)
{
	return !s->letters && sap_digits_cmp(s->text, SAP_STR("0")) == 0;
}

/* Leaves out the zeros at the cursor if letters or nothing follow them, and else notes how
 * many they are: each is looked at twice at the most. */
static void settle_zeros(struct cursor *c)
{
	struct sap_str ahead = c->rest;
	struct segment s;
	size_t n = 0;

	for (;;) {
		struct sap_str before = ahead;

		if (!next_raw(&ahead, &s) || s.letters) {
			c->rest = before;
			return;
		}
		if (!is_zero(&s)) {
			c->zeros = n;
			return;
		}
		n++;
	}
}

static bool next_segment(struct cursor *c, struct segment *out)
{
	if (c->numbers && c->zeros == 0)
		settle_zeros(c);
	else if (c->zeros > 0)
		c->zeros--;
	if (!next_raw(&c->rest, out)) {
		*out = (struct segment){ false, SAP_STR("0") };
		return false;
	}
	if (out->letters)
		c->numbers = false;
	return true;
}

static int cmp(struct sap_str a, struct sap_str b)
{
	struct cursor x = { a, 0, true }, y = { b, 0, true };

	for (;;) {
		struct segment s, t;
		bool has_s = next_segment(&x, &s), has_t = next_segment(&y, &t);
		int cmp;

		if (!has_s && !has_t)
			return 0;
		if (s.letters != t.letters)
			return s.letters ? -1 : 1;
		cmp = s.letters ? sap_str_cmp(s.text, t.text) : sap_digits_cmp(s.text, t.text);
		if (cmp != 0)
			return cmp;
	}
}

/* One or more letters and digits (and "-" where it may be). */
static bool take_part(struct sap_str *s, bool dash)
{
	size_t n = 0;

	while (n < s->n && (sap_digit(s->p[n]) || sap_letter(s->p[n]) || (dash && s->p[n] == '-')))
		n++;
	*s = sap_str_skip(*s, n);
	return n > 0;
}

static bool valid(struct sap_str v)
{
	bool dash = false;

	v = sap_str_trim(v);
	if (sap_digits_take(&v).n == 0)
		return false;
	while (v.n > 0) {
		if (*v.p == '-' && !dash)
			dash = true;
		else if (*v.p != '.')
			return false;
		v = sap_str_skip(v, 1);
		if (!take_part(&v, dash))
			return false;
	}
	return true;
}

const struct sap_version_rules sap_version_rubygems = { valid, cmp };
