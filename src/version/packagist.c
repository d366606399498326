/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packagist: PHP's version_compare on what Composer makes of a version: a "v" in front, a
 * build behind "+" and the word "stable" say nothing; case does not count.
 *
 * A version is cut into parts at all that is no letter and no digit, and between letters and
 * digits:
 *
 *     other words < dev < alpha = a < beta = b < rc < (end) < 0 < 1 ... < pl = p = patch
 *
 * The words are known by their beginnings, as in PHP. All other words are the same: branches
 * (dev-foo) have no order. 1.0 < 1.0.0, as in PHP; Composer fills up to four numbers, but the
 * cases that OSV publishes do not.
 *
 * PHP has one more word, "#", which equals the end and any number. No package has a version
 * with it, and no total order has a place for it: those versions alone are outside what
 * version.h promises.
 */
#include "version/langver_int.h"

enum rank {
	RANK_WORD,
	RANK_DEV,
	RANK_ALPHA,
	RANK_BETA,
	RANK_RC,
	RANK_END,
	RANK_ANY, /* "#" */
	RANK_NUMBER,
	RANK_PATCH,
};

struct part {
	enum rank rank;
	struct sap_str digits;
};

static bool is_sep(char c)
{
	return !sap_digit(c) && !sap_letter(c) && c != '#';
}

static enum rank rank_of(struct sap_str s)
{
	static const struct {
		struct sap_str word;
		enum rank rank;
	} words[] = {
		{ SAP_STR_INIT("dev"), RANK_DEV }, { SAP_STR_INIT("a"), RANK_ALPHA },
		{ SAP_STR_INIT("b"), RANK_BETA },  { SAP_STR_INIT("rc"), RANK_RC },
		{ SAP_STR_INIT("#"), RANK_ANY },   { SAP_STR_INIT("p"), RANK_PATCH },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (sap_fold_starts(s, words[i].word))
			return words[i].rank;
	return RANK_WORD;
}

static struct part next_part(struct sap_str *rest)
{
	for (;;) {
		struct sap_str run;

		while (rest->n > 0 && is_sep(*rest->p))
			*rest = sap_str_skip(*rest, 1);
		if (rest->n == 0)
			return (struct part){ RANK_END, { NULL, 0 } };
		run = sap_digits_take(rest);
		if (run.n > 0)
			return (struct part){ RANK_NUMBER, run };
		run = (struct sap_str){ rest->p, 0 };
		while (run.n < rest->n && !is_sep(run.p[run.n]) && !sap_digit(run.p[run.n]))
			run.n++;
		*rest = sap_str_skip(*rest, run.n);
		if (!sap_fold_is(run, "stable"))
			return (struct part){ rank_of(run), { NULL, 0 } };
	}
}

/* Without "v" and build. */
static struct sap_str plain(struct sap_str v)
{
	struct sap_str build;

	if (v.n > 0 && sap_fold(*v.p) == 'v')
		v = sap_str_skip(v, 1);
	sap_str_cut(v, '+', &v, &build);
	return v;
}

static int cmp(struct sap_str a, struct sap_str b)
{
	a = plain(a);
	b = plain(b);
	for (;;) {
		struct part x = next_part(&a), y = next_part(&b);

		/* Against the end "#" is passed over, against a number it is the same. */
		while (x.rank == RANK_ANY && y.rank == RANK_END)
			x = next_part(&a);
		while (y.rank == RANK_ANY && x.rank == RANK_END)
			y = next_part(&b);
		if (x.rank == RANK_ANY && y.rank == RANK_NUMBER)
			x = y;
		if (y.rank == RANK_ANY && x.rank == RANK_NUMBER)
			y = x;
		if (x.rank != y.rank)
			return x.rank < y.rank ? -1 : 1;
		if (x.rank == RANK_END)
			return 0;
		if (x.rank == RANK_NUMBER) {
			int cmp = sap_digits_cmp(x.digits, y.digits);

			if (cmp != 0)
				return cmp;
		}
	}
}

/* Numbers, or the name of a branch; no blanks, no control characters. */
static bool valid(struct sap_str v)
{
	for (size_t i = 0; i < v.n; i++) {
		unsigned char c = (unsigned char)v.p[i];

		if (c <= ' ' || c == 0x7f)
			return false;
	}
	v = plain(v);
	return v.n > 0 && (sap_digit(*v.p) || sap_fold_starts(v, SAP_STR("dev-")));
}

const struct sap_version_rules sap_version_packagist = { valid, cmp };
