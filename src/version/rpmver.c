/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Versions of rpm: [epoch:]version[-release], rpm-version(7).
 *
 * A part is a row of segments: a number, a run of letters, a '~', a '^'. All other bytes only
 * separate. The first difference decides: '~' < the end < '^' < letters < a number; letters
 * bytewise, numbers by value.
 *
 * A missing epoch is 0. A missing release stands before every release. rpm itself leaves the
 * release out of the comparison where one side lacks it; then 1-1 = 1 = 1-2 although
 * 1-1 < 1-2, which is no order.
 *
 * Valid is every text without blanks and control bytes that has a version in it.
 */
#include "version/evr_int.h"

enum segment { TILDE, END, CARET, LETTERS, NUMBER };

static bool rpm_valid(struct sap_str v)
{
	return sap_evr_split(v).version.n > 0 && sap_evr_clean(v);
}

/* What *s goes on with; separators in front are taken off. */
static inline enum segment next(struct sap_str *s)
{
	for (; s->n > 0; sap_evr_skip(s, 1)) {
		char c = *s->p;

		if (sap_digit(c))
			return NUMBER;
		if (sap_letter(c))
			return LETTERS;
		if (c == '~')
			return TILDE;
		if (c == '^')
			return CARET;
	}
	return END;
}

static int part_cmp(struct sap_str a, struct sap_str b)
{
	for (;;) {
		enum segment x = next(&a), y = next(&b);
		struct sap_str sa, sb;
		int r;

		if (x != y)
			return x < y ? -1 : 1;
		if (x == END)
			return 0;
		if (x == TILDE || x == CARET) {
			sap_evr_skip(&a, 1);
			sap_evr_skip(&b, 1);
			continue;
		}
		if (x == NUMBER) {
			sa = sap_evr_take(&a, sap_digit);
			sb = sap_evr_take(&b, sap_digit);
			r = sap_digits_cmp(sa, sb);
		} else {
			sa = sap_evr_take(&a, sap_letter);
			sb = sap_evr_take(&b, sap_letter);
			r = sap_str_cmp(sa, sb);
		}
		if (r != 0)
			return r;
	}
}

static int rpm_cmp(struct sap_str a, struct sap_str b)
{
	struct sap_evr x = sap_evr_split(a), y = sap_evr_split(b);
	int r = sap_digits_cmp(x.epoch, y.epoch);

	if (r == 0)
		r = part_cmp(x.version, y.version);
	if (r != 0)
		return r;
	if ((x.release.n == 0) != (y.release.n == 0))
		return x.release.n == 0 ? -1 : 1;
	return part_cmp(x.release, y.release);
}

const struct sap_version_rules sap_version_rpm = { .valid = rpm_valid, .cmp = rpm_cmp };
