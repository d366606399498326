/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of vulnerabilities and advisories, by pattern:
 *
 *     #  one digit             %  one or more digits     @  one lower-case letter or digit
 *     $  one or more upper-case letters or digits        ~  "-" and digits, or nothing
 *
 * everything else stands for itself. A name ends where no letter and no digit follows.
 */
#include "import/import_int.h"

struct pattern {
	const char *text;
	enum sap_id_kind kind;
};

static const struct pattern patterns[] = {
	{ "CVE-####-###%", SAP_ID_CVE },
	{ "GHSA-@@@@-@@@@-@@@@", SAP_ID_WEAKNESS },
	{ "PYSEC-####-%", SAP_ID_WEAKNESS },
	{ "GO-####-%", SAP_ID_WEAKNESS },
	{ "RUSTSEC-####-%", SAP_ID_WEAKNESS },
	{ "HSEC-####-%", SAP_ID_WEAKNESS },
	{ "OSEC-####-%", SAP_ID_WEAKNESS },
	{ "RSEC-####-%", SAP_ID_WEAKNESS },
	{ "PSF-####-%", SAP_ID_WEAKNESS },
	{ "OSV-####-%", SAP_ID_WEAKNESS },
	{ "MAL-####-%", SAP_ID_WEAKNESS },
	{ "GSD-####-%", SAP_ID_WEAKNESS },
	{ "TEMP-%-$", SAP_ID_WEAKNESS },
	{ "DSA-%~", SAP_ID_BUNDLE },
	{ "DLA-%~", SAP_ID_BUNDLE },
	{ "DTSA-%~", SAP_ID_BUNDLE },
	{ "ELA-%~", SAP_ID_BUNDLE },
	{ "USN-%~", SAP_ID_BUNDLE },
	{ "LSN-%~", SAP_ID_BUNDLE },
	{ "RHSA-####:%", SAP_ID_BUNDLE },
	{ "RHBA-####:%", SAP_ID_BUNDLE },
	{ "RHEA-####:%", SAP_ID_BUNDLE },
	{ "ALSA-####:$", SAP_ID_BUNDLE },
	{ "ALBA-####:$", SAP_ID_BUNDLE },
	{ "ALEA-####:$", SAP_ID_BUNDLE },
	{ "RLSA-####:%", SAP_ID_BUNDLE },
	{ "RLBA-####:%", SAP_ID_BUNDLE },
	{ "RLEA-####:%", SAP_ID_BUNDLE },
	{ "RXSA-####:%", SAP_ID_BUNDLE },
	{ "ELSA-####-%", SAP_ID_BUNDLE },
	{ "ELBA-####-%", SAP_ID_BUNDLE },
	{ "SUSE-SU-####:%~", SAP_ID_BUNDLE },
	{ "SUSE-RU-####:%~", SAP_ID_BUNDLE },
	{ "SUSE-FU-####:%~", SAP_ID_BUNDLE },
	{ "SUSE-OU-####:%~", SAP_ID_BUNDLE },
	{ "openSUSE-SU-####:%~", SAP_ID_BUNDLE },
	{ "openSUSE-RU-####:%~", SAP_ID_BUNDLE },
	{ "MGASA-####-%", SAP_ID_BUNDLE },
	{ "ALAS-####-%", SAP_ID_BUNDLE },
	{ "ALAS$-####-%", SAP_ID_BUNDLE },
	{ "ALAS$-%.%-####-%", SAP_ID_BUNDLE },
	{ "FEDORA-####-@@@@@@@@@@", SAP_ID_BUNDLE },
	{ "FEDORA-EPEL-####-@@@@@@@@@@", SAP_ID_BUNDLE },
	{ "OESA-####-%", SAP_ID_BUNDLE },
	{ "GLSA-######-##", SAP_ID_BUNDLE },
	{ "GLSA ######-##", SAP_ID_BUNDLE },
	{ "ASA-######-%", SAP_ID_BUNDLE },
	{ "AVG-%", SAP_ID_BUNDLE },
	{ "UBUNTU-CVE-####-###%", SAP_ID_DERIVED },
	{ "DEBIAN-CVE-####-###%", SAP_ID_DERIVED },
	{ "ALPINE-CVE-####-###%", SAP_ID_DERIVED },
	{ "BELL-CVE-####-###%", SAP_ID_DERIVED },
	{ "PHOTON-CVE-####-###%", SAP_ID_DERIVED },
};

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool upper(char c)
{
	return (c >= 'A' && c <= 'Z') || digit(c);
}

static bool lower(char c)
{
	return (c >= 'a' && c <= 'z') || digit(c);
}

static bool one(struct sap_str s, size_t at, bool (*is)(char))
{
	return at < s.n && is(s.p[at]);
}

static size_t run(struct sap_str s, size_t at, bool (*is)(char))
{
	size_t n = 0;

	while (one(s, at + n, is))
		n++;
	return n;
}

/* Bytes at the head of s that the pattern's letter at p takes; SIZE_MAX: none fit. */
static size_t take(char p, struct sap_str s, size_t at)
{
	size_t n;

	switch (p) {
	case '#':
		return one(s, at, digit) ? 1 : SIZE_MAX;
	case '@':
		return one(s, at, lower) ? 1 : SIZE_MAX;
	case '%':
		n = run(s, at, digit);
		return n ? n : SIZE_MAX;
	case '$':
		n = run(s, at, upper);
		return n ? n : SIZE_MAX;
	case '~':
		n = at < s.n && s.p[at] == '-' ? run(s, at + 1, digit) : 0;
		return n ? n + 1 : 0;
	default:
		return at < s.n && s.p[at] == p ? 1 : SIZE_MAX;
	}
}

/* Bytes of the name that stands at the head of s; 0: none. */
static size_t match(const char *pattern, struct sap_str s)
{
	size_t at = 0;

	for (; *pattern; pattern++) {
		size_t n = take(*pattern, s, at);

		if (n == SIZE_MAX)
			return 0;
		at += n;
	}
	return one(s, at, upper) || one(s, at, lower) ? 0 : at;
}

static size_t match_any(struct sap_str s, enum sap_id_kind *kind)
{
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		const struct pattern *p = &patterns[i];
		size_t n = p->text[0] == s.p[0] ? match(p->text, s) : 0;

		if (n > 0) {
			*kind = p->kind;
			return n;
		}
	}
	return 0;
}

enum sap_id_kind sap_id_kind(struct sap_str s)
{
	enum sap_id_kind kind = SAP_ID_NONE;

	return s.n > 0 && match_any(s, &kind) == s.n ? kind : SAP_ID_NONE;
}

bool sap_id_next(struct sap_str *text, struct sap_str *id, enum sap_id_kind *kind)
{
	enum sap_id_kind found = SAP_ID_NONE;
	bool inside = false; /* a word goes on: no name can begin here */

	while (text->n > 0) {
		char c = text->p[0];
		size_t n = inside || !(upper(c) || c == 'o') ? 0 : match_any(*text, &found);

		if (n > 0) {
			*id = (struct sap_str){ text->p, n };
			*text = sap_str_skip(*text, n);
			if (kind)
				*kind = found;
			return true;
		}
		inside = upper(c) || lower(c);
		*text = sap_str_skip(*text, 1);
	}
	return false;
}

struct sap_str sap_id_derived_from(struct sap_str s)
{
	struct sap_str rest = s;

	if (sap_id_kind(s) != SAP_ID_DERIVED)
		return (struct sap_str){ 0 };
	while (!sap_str_starts(rest, SAP_STR("-CVE-")))
		rest = sap_str_skip(rest, 1);
	return sap_str_skip(rest, 1);
}
