/* SPDX-License-Identifier: Apache-2.0 */
#include "advisory/review_int.h"

#include <stdio.h>

#include "advisory/claim.h"
#include "advisory/space.h"

/* What is compared: a text as it stands, or percent-encoded; with or without regard to case. */
struct reader {
	struct sap_str s;
	bool encoded;
	bool fold;
	bool dashes; /* '_' counts as '-': PyPI */
};

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The next byte, or -1 at the end. A '%' without two digits stands for itself. */
static int next_byte(struct reader *r)
{
	int c, high, low;

	if (r->s.n == 0 || !r->s.p)
		return -1;
	c = (unsigned char)r->s.p[0];
	if (r->encoded && c == '%' && r->s.n >= 3) {
		high = hex_digit(r->s.p[1]);
		low = hex_digit(r->s.p[2]);
		if (high >= 0 && low >= 0) {
			c = high * 16 + low;
			r->s = sap_str_skip(r->s, 2);
		}
	}
	r->s = sap_str_skip(r->s, 1);
	if (r->fold && c >= 'A' && c <= 'Z')
		c |= 0x20;
	return r->dashes && c == '_' ? '-' : c;
}

static bool same(struct reader a, struct reader b)
{
	int c;

	do {
		c = next_byte(&a);
		if (c != next_byte(&b))
			return false;
	} while (c >= 0);
	return true;
}

static bool same_encoded(struct sap_str a, struct sap_str b, bool fold, bool dashes)
{
	return same((struct reader){ a, true, fold, dashes },
		    (struct reader){ b, true, fold, dashes });
}

/* How a purl type's rules treat its names (ECMA-427, the type definitions). */
struct type_rule {
	struct sap_str type;
	bool fold_ns, fold_name, dashes;
	bool system; /* packages of a system */
};

static const struct type_rule type_rules[] = {
	{ SAP_STR_INIT("deb"), true, true, false, true },
	{ SAP_STR_INIT("rpm"), true, false, false, true },
	{ SAP_STR_INIT("apk"), true, true, false, true },
	{ SAP_STR_INIT("alpm"), true, true, false, true },
	{ SAP_STR_INIT("pypi"), false, true, true, false },
	{ SAP_STR_INIT("golang"), true, true, false, false },
	{ SAP_STR_INIT("composer"), true, true, false, false },
	{ SAP_STR_INIT("github"), true, true, false, false },
	{ SAP_STR_INIT("bitbucket"), true, true, false, false },
	{ SAP_STR_INIT("hex"), true, true, false, false },
	{ SAP_STR_INIT("oci"), false, true, false, false },
};

static struct type_rule rule_of(struct sap_str type)
{
	for (size_t i = 0; i < sizeof(type_rules) / sizeof(type_rules[0]); i++) {
		if (same_encoded(type_rules[i].type, type, true, false))
			return type_rules[i];
	}
	return (struct type_rule){ .type = type };
}

static struct sap_str without_slashes(struct sap_str s)
{
	while (s.n && s.p[0] == '/')
		s = sap_str_skip(s, 1);
	while (s.n && s.p[s.n - 1] == '/')
		s.n--;
	return s;
}

/* Cuts s at the last sep: what follows goes to *tail. */
static bool cut_last(struct sap_str *s, char sep, struct sap_str *tail)
{
	const char *at = s->p ? memrchr(s->p, sep, s->n) : NULL;

	if (!at)
		return false;
	*tail = sap_str_skip(*s, (size_t)(at - s->p) + 1);
	s->n = (size_t)(at - s->p);
	return true;
}

bool sap_purl_split(struct sap_str purl, struct sap_purl_parts *out)
{
	struct sap_purl_parts parts = { 0 };
	struct sap_str rest = sap_str_skip(purl, 4);

	if (purl.n < 4 || !same((struct reader){ { purl.p, 4 }, false, true, false },
				(struct reader){ SAP_STR("pkg:"), false, false, false }))
		return false;
	cut_last(&rest, '#', &parts.subpath);
	cut_last(&rest, '?', &parts.qualifiers);
	rest = without_slashes(rest);
	if (!sap_str_cut(rest, '/', &parts.type, &rest))
		return false;
	rest = without_slashes(rest);
	/* The version is what follows the last '@' behind the last '/': one before it is that of
	 * an npm scope that was not encoded. */
	if (cut_last(&rest, '/', &parts.name)) {
		parts.ns = without_slashes(rest);
		cut_last(&parts.name, '@', &parts.version);
	} else {
		parts.name = rest;
		if (rest.n && rest.p[0] != '@')
			cut_last(&parts.name, '@', &parts.version);
	}
	parts.subpath = without_slashes(parts.subpath);
	if (!parts.type.n || !parts.name.n)
		return false;
	*out = parts;
	return true;
}

/* The value of a qualifier; false: there is none. */
static bool qualifier(struct sap_str list, struct sap_str key, struct sap_str *value)
{
	struct sap_str item, name;

	while (list.n) {
		sap_str_cut(list, '&', &item, &list);
		sap_str_cut(item, '=', &name, value);
		if (value->n && same_encoded(name, key, true, false))
			return true;
	}
	return false;
}

/* Undoes the encoding into room; the text itself where it has none or does not fit. */
static struct sap_str decoded(struct sap_str s, char *room, size_t cap)
{
	struct reader r = { s, true, false, false };
	size_t n = 0;
	int c;

	if (!s.n || !memchr(s.p, '%', s.n))
		return s;
	while ((c = next_byte(&r)) >= 0) {
		if (n == cap)
			return s;
		room[n++] = (char)c;
	}
	return (struct sap_str){ room, n };
}

static bool same_arch(struct sap_str want, struct sap_str have)
{
	char a[32], b[32];

	want = decoded(want, a, sizeof(a));
	have = decoded(have, b, sizeof(b));
	return sap_str_is(want, "source") || sap_str_is(want, "src") || sap_arch_same(want, have);
}

/* "debian-12.5", or the "3.19.1" that some tools write of Alpine, to the space of that release. A
 * word without a release ("debian", "bookworm") is a release of the namespace, or the word. */
static bool distro_space(struct sap_str distro, struct sap_str ns, struct sap_space *out)
{
	char room[64], text[SAP_SPACE_MAX];
	struct sap_str word = decoded(distro, room, sizeof(room)), release = { 0 };
	const char *dash = NULL;
	int n;

	for (size_t i = 0; i + 1 < word.n && !dash; i++)
		if (word.p[i] == '-' && word.p[i + 1] >= '0' && word.p[i + 1] <= '9')
			dash = word.p + i;
	if (dash) {
		release = sap_str_skip(word, (size_t)(dash - word.p) + 1);
		word.n = (size_t)(dash - word.p);
	} else if (word.n && !same_encoded(word, ns, true, false)) {
		release = word;
		word = ns;
	}
	n = snprintf(text, sizeof(text), "%.*s%s%.*s", SAP_FMT(word), release.n ? ":" : "",
		     SAP_FMT(release));
	return n > 0 && (size_t)n < sizeof(text) && sap_space_parse(sap_str_of(text), out);
}

/* The distribution and its major release, as advisories fold them. */
static bool same_distro(const struct sap_purl_parts *pattern, struct sap_str want,
			const struct sap_purl_parts *purl, struct sap_str have)
{
	struct sap_space a, b;

	if (same_encoded(want, have, true, false))
		return true;
	return distro_space(want, pattern->ns, &a) && distro_space(have, purl->ns, &b) &&
	       sap_str_eq(sap_space_str(&a), sap_space_str(&b));
}

static bool qualifiers_match(const struct sap_purl_parts *pattern,
			     const struct sap_purl_parts *purl)
{
	struct sap_str want, have;

	if (qualifier(pattern->qualifiers, SAP_STR("arch"), &want) &&
	    !(qualifier(purl->qualifiers, SAP_STR("arch"), &have) ? same_arch(want, have)
								  : same_arch(want, SAP_STR(""))))
		return false;
	if (qualifier(pattern->qualifiers, SAP_STR("distro"), &want) &&
	    (!qualifier(purl->qualifiers, SAP_STR("distro"), &have) ||
	     !same_distro(pattern, want, purl, have)))
		return false;
	if (!same_encoded(pattern->type, SAP_STR("rpm"), true, false) ||
	    !qualifier(pattern->qualifiers, SAP_STR("epoch"), &want))
		return true;
	if (!qualifier(purl->qualifiers, SAP_STR("epoch"), &have))
		have = SAP_STR("0");
	return same_encoded(want, have, false, false);
}

bool sap_purl_parts_match(const struct sap_purl_parts *pattern, const struct sap_purl_parts *purl)
{
	struct type_rule rule = rule_of(pattern->type);

	if (!same_encoded(pattern->type, purl->type, true, false) ||
	    !same_encoded(pattern->name, purl->name, rule.fold_name, rule.dashes) ||
	    !same_encoded(pattern->ns, purl->ns, rule.fold_ns, false))
		return false;
	if (pattern->version.n && !same_encoded(pattern->version, purl->version, false, false))
		return false;
	if (pattern->subpath.n && !same_encoded(pattern->subpath, purl->subpath, false, false))
		return false;
	return qualifiers_match(pattern, purl);
}

bool sap_purl_is_named(const struct sap_purl_parts *purl, struct sap_str plain)
{
	struct type_rule rule = rule_of(purl->type);
	struct reader name = { purl->name, true, rule.fold_name, rule.dashes };
	struct reader text = { plain, false, rule.fold_name, rule.dashes };
	struct sap_str head = plain, tail;

	if (plain.n == 0)
		return false;
	if (same(name, text))
		return true;
	if (rule.system || !cut_last(&head, '/', &tail) || purl->ns.n == 0)
		return false;
	text.s = tail;
	return same(name, text) && same((struct reader){ purl->ns, true, rule.fold_ns, false },
					(struct reader){ head, false, rule.fold_ns, false });
}

bool sap_review_purl_matches(struct sap_str pattern, struct sap_str purl)
{
	struct sap_purl_parts want, have;

	if (!sap_purl_split(purl, &have))
		return false;
	if (sap_purl_split(pattern, &want))
		return sap_purl_parts_match(&want, &have);
	return sap_purl_is_named(&have, pattern);
}
