/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Go: modules (go.dev/ref/mod, Versions) and toolchains (go.dev/doc/toolchain).
 *
 *     v1.2.3, 1.2.3, v1.2                        modules; the database writes no "v"
 *     v2.0.0+incompatible                        the build says nothing about the order
 *     v0.0.0-20191109021931-daa7c04131f5         pseudo-versions: pre-releases of the next
 *     go1.21.3, go1.21rc2, 1.21rc2, 1.21.0-rc.2  toolchains; the last is the database's form
 *     go1.21.3-vendor, go1.21.3 X:boringcrypto   a vendor's build of 1.21.3, not its pre-release
 *
 * "devel ..." and "(devel)" are builds of no version: invalid.
 */
#include "version/langver_int.h"

static bool is_prerelease_word(struct sap_str s)
{
	return sap_str_starts(s, SAP_STR("rc")) || sap_str_starts(s, SAP_STR("beta")) ||
	       sap_str_starts(s, SAP_STR("alpha"));
}

/* The letters and digits that may follow the numbers at once: rc2, beta1. */
static bool take_joined(struct sap_str *s, struct sap_str *pre)
{
	struct sap_str rest = *s;

	while (rest.n > 0 && rest.p[0] >= 'a' && rest.p[0] <= 'z')
		rest = sap_str_skip(rest, 1);
	if (sap_digits_take(&rest).n == 0)
		return false;
	*pre = (struct sap_str){ s->p, s->n - rest.n };
	*s = rest;
	return true;
}

static bool parse_toolchain(struct sap_str v, bool named, struct sap_semver *out)
{
	struct sap_semver found = { .joined = true };

	if (!sap_semver_take_numbers(&v, &found.numbers))
		return false;
	if (is_prerelease_word(v) && !take_joined(&v, &found.pre))
		return false;
	if (named && v.n > 1 && v.p[0] == '-' && found.pre.n == 0 &&
	    is_prerelease_word(sap_str_skip(v, 1))) {
		v = sap_str_skip(v, 1);
		if (!sap_semver_take_ids(&v, &found.pre))
			return false;
	}
	if (v.n > 0 && !(named && (v.p[0] == '-' || v.p[0] == ' ' || v.p[0] == '+')))
		return false;
	*out = found;
	return true;
}

static bool parse(struct sap_str v, struct sap_semver *out)
{
	if (sap_str_starts(v, SAP_STR("go")))
		return parse_toolchain(sap_str_skip(v, 2), true, out);
	return sap_semver_parse(v, out) || parse_toolchain(v, false, out);
}

static bool valid(struct sap_str v)
{
	struct sap_semver parsed;

	return parse(v, &parsed);
}

static int cmp(struct sap_str a, struct sap_str b)
{
	struct sap_semver x = { 0 }, y = { 0 };

	parse(a, &x);
	parse(b, &y);
	return sap_semver_cmp(&x, &y, false);
}

const struct sap_version_rules sap_version_go = { valid, cmp };
