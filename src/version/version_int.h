/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SAP_VERSION_VERSION_INT_H
#define SAP_VERSION_VERSION_INT_H

#include "version/version.h"

/* One scheme: both functions see only its own rules. cmp is called with valid versions only
 * and is a total preorder on them. */
struct sap_version_rules {
	bool (*valid)(struct sap_str v);
	int (*cmp)(struct sap_str a, struct sap_str b);
};

extern const struct sap_version_rules sap_version_deb, sap_version_rpm, sap_version_apk,
	sap_version_pacman, sap_version_semver, sap_version_go, sap_version_pep440,
	sap_version_maven, sap_version_rubygems, sap_version_nuget, sap_version_packagist,
	sap_version_hackage, sap_version_cran, sap_version_pub;

static inline bool sap_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool sap_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Two runs of digits as numbers of any length: leading zeros do not count. */
static inline int sap_digits_cmp(struct sap_str a, struct sap_str b)
{
	while (a.n > 0 && *a.p == '0')
		a = sap_str_skip(a, 1);
	while (b.n > 0 && *b.p == '0')
		b = sap_str_skip(b, 1);
	if (a.n != b.n)
		return a.n < b.n ? -1 : 1;
	return sap_str_cmp(a, b);
}

/* Takes the leading run of digits off *s (empty where there is none). */
static inline struct sap_str sap_digits_take(struct sap_str *s)
{
	struct sap_str run = { s->p, 0 };

	while (run.p && run.n < s->n && sap_digit(run.p[run.n]))
		run.n++;
	*s = sap_str_skip(*s, run.n);
	return run;
}

#endif
