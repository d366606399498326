/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Versions of pacman: [epoch:]version[-pkgrel], vercmp(8).
 *
 * A part is a row of segments, a number or a run of letters each, with separators (all other
 * bytes, '~' and '^' too) in front. The first difference decides, between:
 *
 *     letters without a separator < the end < separators and the end < a number without a
 *     separator < one separator and letters < one separator and a number < two separators ...
 *
 * so that 1.0b < 1.0 < 1.0.b < 1.0.1 < 1.0..b. Letters bytewise, numbers by value.
 *
 * Two points differ from pacman, whose answers are no order there. It leaves the pkgrel out
 * where one side lacks it (1-1 = 1 = 1-2): here a missing pkgrel is 1, the first of every
 * version. And with separators at the end it goes in circles (1..a < 1. < 1.1 < 1..a): here
 * they stand right after the end, however many.
 *
 * Valid is every text without blanks and control bytes that has a version in it.
 */
#include "version/evr_int.h"

struct segment {
	size_t weight; /* 4 * separators + kind */
	struct sap_str text;
};

enum kind { LETTERS, END, SEPARATED_END, NUMBER };

static bool pacman_valid(struct sap_str v)
{
	return sap_evr_split(v).version.n > 0 && sap_evr_clean(v);
}

static inline bool is_separator(char c)
{
	return !sap_digit(c) && !sap_letter(c);
}

static inline struct segment segment_take(struct sap_str *s)
{
	size_t n = sap_evr_take(s, is_separator).n;

	if (s->n == 0)
		return (struct segment){ n ? SEPARATED_END : END, *s };
	if (sap_digit(*s->p))
		return (struct segment){ 4 * n + NUMBER, sap_evr_take(s, sap_digit) };
	return (struct segment){ 4 * n + LETTERS, sap_evr_take(s, sap_letter) };
}

static int part_cmp(struct sap_str a, struct sap_str b)
{
	for (;;) {
		struct segment x = segment_take(&a), y = segment_take(&b);
		int r;

		if (x.weight != y.weight)
			return x.weight < y.weight ? -1 : 1;
		if (x.weight == END || x.weight == SEPARATED_END)
			return 0;
		r = x.weight % 4 == NUMBER ? sap_digits_cmp(x.text, y.text)
					   : sap_str_cmp(x.text, y.text);
		if (r != 0)
			return r;
	}
}

static int pacman_cmp(struct sap_str a, struct sap_str b)
{
	struct sap_evr x = sap_evr_split(a), y = sap_evr_split(b);
	int r = sap_digits_cmp(x.epoch, y.epoch);

	if (r == 0)
		r = part_cmp(x.version, y.version);
	if (r != 0)
		return r;
	return part_cmp(x.release.n ? x.release : SAP_STR("1"),
			y.release.n ? y.release : SAP_STR("1"));
}

const struct sap_version_rules sap_version_pacman = { .valid = pacman_valid, .cmp = pacman_cmp };
