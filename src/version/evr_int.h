/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the versions of distributions have in common. Private to src/version.
 *
 * deb, rpm and pacman: [epoch:]version[-release].
 *
 *     epoch    digits up to a ':'. Where something else than digits stands before the first
 *              ':' there is no epoch, and the ':' is part of the version.
 *     release  what follows the last '-' (Debian: the revision, Arch: the pkgrel).
 */
#ifndef SAP_VERSION_EVR_INT_H
#define SAP_VERSION_EVR_INT_H

#include "version/version_int.h"

struct sap_evr {
	struct sap_str epoch;            /* empty counts as 0 */
	struct sap_str version, release; /* p is never NULL */
	bool has_epoch, has_release;     /* the ':' or the '-' is there */
};

/* Of a v that is not empty. */
static inline struct sap_evr sap_evr_split(struct sap_str v)
{
	struct sap_evr evr = { .epoch = { v.p, 0 }, .version = v, .release = { v.p, 0 } };
	size_t n = 0;
	const char *dash;

	while (n < v.n && sap_digit(v.p[n]))
		n++;
	if (n < v.n && v.p[n] == ':') {
		evr.has_epoch = true;
		evr.epoch.n = n;
		evr.version = (struct sap_str){ v.p + n + 1, v.n - n - 1 };
	}
	dash = memrchr(evr.version.p, '-', evr.version.n);
	if (dash) {
		n = (size_t)(dash - evr.version.p);
		evr.has_release = true;
		evr.release = (struct sap_str){ dash + 1, evr.version.n - n - 1 };
		evr.version.n = n;
	}
	return evr;
}

/* Takes n bytes off *s; there are as many. */
static inline void sap_evr_skip(struct sap_str *s, size_t n)
{
	s->p += n;
	s->n -= n;
}

/* Takes the leading run of bytes of a kind off *s. */
static inline struct sap_str sap_evr_take(struct sap_str *s, bool (*is)(char c))
{
	struct sap_str run = { s->p, 0 };

	while (run.n < s->n && is(s->p[run.n]))
		run.n++;
	sap_evr_skip(s, run.n);
	return run;
}

/* Whether no blank and no control byte is in v. */
static inline bool sap_evr_clean(struct sap_str v)
{
	for (size_t i = 0; i < v.n; i++)
		if ((unsigned char)v.p[i] <= ' ' || v.p[i] == 0x7f)
			return false;
	return true;
}

#endif
