/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the schemes of language ecosystems share: text without regard to case, and the shape
 * that semver gave to several of them.
 */
#ifndef SAP_VERSION_LANGVER_INT_H
#define SAP_VERSION_LANGVER_INT_H

#include "version/version_int.h"

static inline char sap_fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Bytewise order of the texts in lower case (ASCII), a shorter prefix first. */
static inline int sap_fold_cmp(struct sap_str a, struct sap_str b)
{
	size_t n = a.n < b.n ? a.n : b.n;

	for (size_t i = 0; i < n; i++) {
		unsigned char x = (unsigned char)sap_fold(a.p[i]);
		unsigned char y = (unsigned char)sap_fold(b.p[i]);

		if (x != y)
			return x < y ? -1 : 1;
	}
	return a.n < b.n ? -1 : a.n > b.n;
}

/* Whether s is, or begins with, a word that is given in lower case. */
static inline bool sap_fold_starts(struct sap_str s, struct sap_str word)
{
	return s.n >= word.n && sap_fold_cmp((struct sap_str){ s.p, word.n }, word) == 0;
}

#define sap_fold_is(s, lit) (sap_fold_cmp((s), SAP_STR(lit)) == 0)

/*
 *     [v] number { "." number } [ "-" id { "." id } ] [ "+" id { "." id } ]
 *
 * An id is one or more of [0-9A-Za-z-_~]. Semver knows three numbers, no "v", no "_" and no
 * "~"; registries and advisories use them all the same.
 */
struct sap_semver {
	struct sap_str numbers; /* digits and dots */
	struct sap_str pre;     /* without its "-"; empty where there is none */
	struct sap_str build;   /* without its "+"; likewise */
	bool joined;            /* letters and digits of pre are ids of their own: rc2 is rc.2 */
};

bool sap_semver_parse(struct sap_str v, struct sap_semver *out);

/* Numbers, ids { "." id }: nothing more, nothing empty. Each takes what fits off *s. */
bool sap_semver_take_numbers(struct sap_str *s, struct sap_str *numbers);
bool sap_semver_take_ids(struct sap_str *s, struct sap_str *ids);

/* Lists of numbers; what is missing counts as 0. */
int sap_semver_numbers_cmp(struct sap_str a, struct sap_str b);

/* Lists of ids: digits as numbers, before all others; the others bytewise; a shorter list
 * first. fold: without regard to case. */
int sap_semver_ids_cmp(struct sap_str a, struct sap_str b, bool fold);

/* Numbers, then pre-release: one that has none is later. The build is not looked at. */
int sap_semver_cmp(const struct sap_semver *a, const struct sap_semver *b, bool fold);

#endif
