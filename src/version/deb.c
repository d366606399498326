/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Versions of Debian and its derivatives: [epoch:]upstream[-revision], deb-version(7).
 *
 * A part is read as a run of other bytes, a number, a run of other bytes, ... . Numbers by
 * value. In the runs '~' stands before the end of the run, letters after the end, all else
 * after the letters. A missing epoch is 0, a missing revision is 0.
 *
 * Valid is what dpkg reads from its databases and compares, if with a warning: a version that
 * starts with a letter and bytes that the policy forbids pass; an epoch that is no number, an
 * empty part and blanks do not. A number may be larger here than dpkg's epoch may.
 */
#include "version/evr_int.h"

static bool deb_valid(struct sap_str v)
{
	struct sap_evr evr = sap_evr_split(v);

	if (evr.version.n == 0 || (evr.has_epoch && evr.epoch.n == 0) ||
	    (evr.has_release && evr.release.n == 0))
		return false;
	return (evr.has_epoch || !memchr(v.p, ':', v.n)) && sap_evr_clean(v);
}

/* The weight of the first byte of what is left of a part. */
static inline int order(struct sap_str s)
{
	if (s.n == 0 || sap_digit(*s.p))
		return 0;
	if (sap_letter(*s.p))
		return *s.p;
	return *s.p == '~' ? -1 : 256 + (unsigned char)*s.p;
}

static inline bool in_run(struct sap_str s)
{
	return s.n > 0 && !sap_digit(*s.p);
}

static int part_cmp(struct sap_str a, struct sap_str b)
{
	while (a.n > 0 || b.n > 0) {
		struct sap_str na, nb;
		int r;

		while (in_run(a) || in_run(b)) {
			int x = order(a), y = order(b);

			if (x != y)
				return x < y ? -1 : 1;
			sap_evr_skip(&a, 1);
			sap_evr_skip(&b, 1);
		}
		na = sap_evr_take(&a, sap_digit);
		nb = sap_evr_take(&b, sap_digit);
		r = sap_digits_cmp(na, nb);
		if (r != 0)
			return r;
	}
	return 0;
}

static int deb_cmp(struct sap_str a, struct sap_str b)
{
	struct sap_evr x = sap_evr_split(a), y = sap_evr_split(b);
	int r = sap_digits_cmp(x.epoch, y.epoch);

	if (r == 0)
		r = part_cmp(x.version, y.version);
	return r ? r : part_cmp(x.release, y.release);
}

const struct sap_version_rules sap_version_deb = { .valid = deb_valid, .cmp = deb_cmp };
