/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of numbers, compared number by number; where all are equal the longer list is later
 * (1.0 < 1.0.0).
 *
 * Hackage: Data.Version, numbers between dots.
 * CRAN: R's package_version; "." and "-" separate alike. 0.9 < 0.75: numbers, not decimals.
 */
#include "version/langver_int.h"

static bool list_valid(struct sap_str v, bool dash)
{
	for (;;) {
		if (sap_digits_take(&v).n == 0)
			return false;
		if (v.n == 0)
			return true;
		if (*v.p != '.' && !(dash && *v.p == '-'))
			return false;
		v = sap_str_skip(v, 1);
	}
}

static int list_cmp(struct sap_str a, struct sap_str b)
{
	while (a.n > 0 && b.n > 0) {
		struct sap_str x = sap_digits_take(&a), y = sap_digits_take(&b);
		int cmp = sap_digits_cmp(x, y);

		if (cmp != 0)
			return cmp;
		a = sap_str_skip(a, 1); /* the separator */
		b = sap_str_skip(b, 1);
	}
	return (a.n > 0) - (b.n > 0);
}

static bool hackage_valid(struct sap_str v)
{
	return list_valid(v, false);
}

static bool cran_valid(struct sap_str v)
{
	return list_valid(v, true);
}

const struct sap_version_rules sap_version_hackage = { hackage_valid, list_cmp };
const struct sap_version_rules sap_version_cran = { cran_valid, list_cmp };
