/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Versions of language ecosystems: what is valid, npm's ranges, and the order over versions
 * made of the parts that are special to each scheme. The tables are test_version's.
 *
 *     test_langversion [FILE]
 *
 * FILE: lines "RANGE tab VERSION tab yes|no|invalid", npm's ranges and what they must give.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "version/version.h"

static void check_valid(enum sap_version_scheme scheme, const char *const *texts, bool want)
{
	for (; *texts; texts++) {
		if (sap_version_valid(scheme, sap_str_of(*texts)) == want)
			check_true(__FILE__, __LINE__, *texts, true);
		else
			check_str(__FILE__, __LINE__, sap_version_scheme_name(scheme),
				  sap_str_of(*texts), sap_str_of(want ? "valid" : "invalid"));
	}
}

#define VALID(scheme, ...) \
	check_valid(SAP_VERSION_##scheme, (const char *const[]){ __VA_ARGS__, NULL }, true)
#define INVALID(scheme, ...) \
	check_valid(SAP_VERSION_##scheme, (const char *const[]){ __VA_ARGS__, NULL }, false)

static void test_valid(void)
{
	VALID(SEMVER, "1", "1.2", "1.2.3", "v1", "V1.2.3", "1.2.3.4", "1.2.3-a.b+c.d", "01.2",
	      "1.2.3-01", "1.2.3--", "1.2.3-a_b", "1.2.3+a", "0", "0.0.0-0");
	INVALID(SEMVER, "", "v", "vv1", "1.", ".1", "1..2", "1.2.3-", "1.2.3+", "1.2.3-a..b",
		"1.2.3-a+", "1.2.3-a.", "1.2.3 ", " 1.2.3", "latest", "1.x", "*", "=1.2.3",
		"1.2.3-\n", "nightly.2026-03-10.0", "1.2.3-\xc3\xa9", "-1", "1,2");
	VALID(GO, "v1.2.3", "1.2.3", "v2.0.0+incompatible", "go1.21", "go1.21.3", "go1.21rc2",
	      "1.21rc2", "1.21.0-rc.2", "v0.0.0-20191109021931-daa7c04131f5", "go1.21.3-vendor",
	      "go1.22.1 X:boringcrypto", "go1.22rc1-vendor", "1.21.0-0");
	INVALID(GO, "", "go", "devel", "(devel)", "devel go1.22-abc", "go1.", "go1.21rc", "1.21rc",
		"gov1.2", "1.21.3 X:a", "go1.21x2", "v", "master");
	VALID(PEP440, "1", "1!1.0", "1.0a1", "1.0-1", "1.0.dev", " 1.0 ", "1.0\n", "v1.0", "1.0RC1",
	      "1.0a1.post2.dev3+x.1", "1.0a.", "1.0+a-b_c.d", "2004");
	INVALID(PEP440, "", " ", "v", "1.", "1!", "!1", "1..0", "1.0+", "1.0+.", "1.0+a.", "1.0-",
		"1.0x", "1.0a1a1", "1.0.post1.post2", "1.0.dev1.post1", "0.1-bulbasaur", "1.0 a",
		"1.0+a+b", "1.0-NA", "2.6.0-cu124");
	VALID(MAVEN, "1", "1.0.Final", "a", "RELEASE", "1-", ".1", "1..2");
	INVALID(MAVEN, "", ".", "-", "..", "1 2", " 1", "1\n", "1\x7f");
	VALID(RUBYGEMS, "1", "1.a", "1.0.0-1", "1-a.b", " 1.0 ", "1.0-a-b");
	INVALID(RUBYGEMS, "", " ", "a", ".1", "1.", "1..0", "1.0-", "1.0_1", "v1", "1 0",
		"1.0-a..b");
	VALID(NUGET, "1", "1.0", "1.0.0.0", "1.0.0-a.b+c", "01.0");
	INVALID(NUGET, "", "1.", "1.0.0-", "1.0.*", "[1.0]");
	VALID(PACKAGIST, "1", "v1.0", "1.0.0-RC1", "dev-master", "1.x-dev", "1.0+b", "1.2.3.#");
	INVALID(PACKAGIST, "", "v", "master", "1.0 as 2.0", "+1", "*", "^1.0");
	VALID(HACKAGE, "0", "1.2.3.4.5");
	INVALID(HACKAGE, "", "1.", ".1", "1-1", "1.a", "v1");
	VALID(CRAN, "1", "1.0-1", "1-2-3");
	INVALID(CRAN, "", "1-", "1--1", "1.0a", "-1");
	VALID(PUB, "1.0.0", "1.0.0-a+1", "v1.0.0");
	INVALID(PUB, "", "1.0.0+", "any");
}

/* yes, no or invalid */
static const char *range_answer(struct sap_str range, struct sap_str version)
{
	bool in = true;

	if (!sap_npm_range_has(range, version, &in))
		return in ? "invalid" : "touched";
	return in ? "yes" : "no";
}

static void check_range(int line, struct sap_str range, struct sap_str version, const char *want)
{
	char what[256];

	snprintf(what, sizeof(what), "'%.*s' has '%.*s'", SAP_FMT(range), SAP_FMT(version));
	check_str(__FILE__, line, what, sap_str_of(range_answer(range, version)), sap_str_of(want));
}

static void test_ranges(void)
{
	static const struct {
		const char *range, *in, *out; /* versions, separated by blanks */
	} table[] = {
		{ "", "0.0.0 1.2.3", "1.2.3-a" },
		{ "*", "1.2.3", "1.2.3-a" },
		{ "1.2.3", "1.2.3 v1.2.3 1.2.3+b", "1.2.4 1.2.3-a" },
		{ "=1.2.3", "1.2.3", "1.2.4" },
		{ "1", "1.0.0 1.9.9", "0.9.9 2.0.0 2.0.0-0 1.0.0-a" },
		{ "1.x.x", "1.0.0", "2.0.0" },
		{ "1.2.*", "1.2.0 1.2.9", "1.3.0 1.1.9" },
		{ ">1.2", "1.3.0", "1.2.9 1.3.0-a" },
		{ ">1", "2.0.0", "1.9.9" },
		{ "<1.2", "1.1.9", "1.2.0 1.2.0-a" },
		{ "<=1.2", "1.2.9", "1.3.0 1.3.0-0" },
		{ ">=1.2", "1.2.0", "1.1.9" },
		{ "<*", "", "0.0.0 0.0.0-0" },
		{ ">= 1.2.3 < 2", "1.2.3 1.9.9", "2.0.0 1.2.2 2.0.0-a" },
		{ "~1.2.3", "1.2.3 1.2.9", "1.3.0 1.2.2" },
		{ "~1", "1.9.0", "2.0.0" },
		{ "~>1.2", "1.2.9", "1.3.0" },
		{ "~1.2.3-beta.2", "1.2.3-beta.2 1.2.3-beta.4 1.2.3 1.2.4",
		  "1.2.4-beta.2 1.2.3-beta.1" },
		{ "^1.2.3", "1.2.3 1.9.9", "2.0.0 1.2.2 2.0.0-0" },
		{ "^0.2.3", "0.2.3 0.2.9", "0.3.0 0.2.2" },
		{ "^0.0.3", "0.0.3", "0.0.4 0.0.2" },
		{ "^0.0", "0.0.0 0.0.9", "0.1.0" },
		{ "^0", "0.9.9", "1.0.0" },
		{ "^0.x", "0.9.9", "1.0.0" },
		{ "^1.2.3-beta.2", "1.2.3-beta.2 1.3.0", "1.2.4-beta.2 2.0.0-a" },
		{ "1.2.3 - 2.3.4", "1.2.3 2.3.4", "2.3.5 1.2.2" },
		{ "1.2 - 2.3.4", "1.2.0", "1.1.9" },
		{ "1.2.3 - 2.3", "2.3.9", "2.4.0 2.4.0-0" },
		{ "1.2.3 - 2", "2.9.9", "3.0.0" },
		{ "* - 2", "0.0.1", "3.0.0" },
		{ "1 || 3", "1.0.0 3.1.0", "2.0.0" },
		{ "1||", "1.0.0 2.0.0", "1.0.0-a" },
		{ ">1.2.3-alpha.3", "1.2.3-alpha.7 3.4.5 1.2.3", "3.4.5-alpha.9 1.2.3-alpha.3" },
		{ ">=0.0.0 <0.0.0-b", "0.0.0-a", "0.0.0" }, /* npm: >=0.0.0 is any */
		{ "<99999999999999999999.0.0", "99999999999999999998.9.9",
		  "99999999999999999999.0.0" },
		{ "^99999999999999999999.0.0", "99999999999999999999.9.9",
		  "100000000000000000000.0.0" },
		{ ">99999999999999999999", "100000000000000000000.0.0",
		  "99999999999999999999.9.9" },
		{ ">9", "10.0.0 11.0.0", "9.9.9" },
		{ ">1.99", "1.100.0 2.0.0", "1.99.9" },
		{ ">1099", "1100.0.0", "1099.0.0" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct sap_str in = sap_str_of(table[i].in), out = sap_str_of(table[i].out),
			       version;

		while (sap_str_word(&in, &version))
			check_range(__LINE__, sap_str_of(table[i].range), version, "yes");
		while (sap_str_word(&out, &version))
			check_range(__LINE__, sap_str_of(table[i].range), version, "no");
	}
}

static void test_invalid_ranges(void)
{
	static const char *const ranges[] = {
		"latest",    "1.2.3.4",   "1.2.3-",  "1.2.3-01",     "01.2.3",  "|",     "1 | 2",
		">",         ">=",        "> >1",    "1.2-beta",     "1 -2",    "- 1",   "1.2.3+",
		"git://a/b", "^",         "~",       "==1.2.3",      "vv1.2.3", "1.x.3", "x.1",
		"1.2.3 -",   "1.2.3 - a", "=<1.2.3", ">1.2.3<2.0.0",
	};
	static const char *const versions[] = {
		"",        "1",      "1.2",    "01.2.3", "1.2.3-01",
		"1.2.3.4", "=1.2.3", "latest", "1.2.3-", "1.2.3 a",
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		check_range(__LINE__, sap_str_of(ranges[i]), SAP_STR("1.2.3"), "invalid");
	/* with a NUL */
	check_range(__LINE__, (struct sap_str){ "1.2.3", 6 }, SAP_STR("1.2.3"), "invalid");
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
		check_range(__LINE__, SAP_STR("*"), sap_str_of(versions[i]), "invalid");
	/* An invalid set makes the whole range invalid, though another one holds. */
	check_range(__LINE__, SAP_STR("1.2.3 || latest"), SAP_STR("1.2.3"), "invalid");
}

#define TEXTS 160
#define TEXT_MAX 64

/* Versions out of the parts that the schemes treat in their own ways. */
static size_t make_texts(enum sap_version_scheme scheme, uint32_t seed, char (*texts)[TEXT_MAX])
{
	static const char *const parts[] = {
		"0",   "0",    "1",     "1",    "2",  "10",    "00",     ".",  ".", ".",
		".",   "-",    "-",     "+",    "a",  "b",     "m",      "rc", "c", "pre",
		"dev", "post", "alpha", "beta", "ga", "final", "sp",     "cr", "p", "foo",
		"z",   "A",    "RC",    "go",   "v",  "!",     "stable",
	};
	size_t n = 0;

	for (unsigned tries = 0; n < TEXTS && tries < 100000; tries++) {
		char *text = texts[n];
		size_t at = 1;

		text[0] = (char)('0' + tries % 3);
		for (unsigned k = 0; k < 7; k++) {
			const char *part;

			seed = seed * 1664525u + 1013904223u;
			if (k > 0 && seed >> 29 == 0)
				break;
			part = parts[(seed >> 8) % (sizeof(parts) / sizeof(parts[0]))];
			memcpy(text + at, part, strlen(part));
			at += strlen(part);
		}
		text[at] = '\0';
		if (sap_version_valid(scheme, sap_str_of(text)))
			n++;
	}
	return n;
}

/* Antisymmetric and transitive on valid versions. */
static void test_order(enum sap_version_scheme scheme)
{
	static char texts[TEXTS][TEXT_MAX];
	static signed char order[TEXTS][TEXTS];
	size_t n = make_texts(scheme, 20240329u + (unsigned)scheme, texts);
	unsigned wrong = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++)
			order[i][j] = (signed char)sap_version_cmp(scheme, sap_str_of(texts[i]),
								   sap_str_of(texts[j]));
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < n; j++) {
			wrong += order[i][j] != -order[j][i];
			for (size_t k = 0; k < n && order[i][j] <= 0; k++) {
				bool less = order[i][j] < 0 || order[j][k] < 0;

				if (order[j][k] > 0 || order[i][k] == (less ? -1 : 0))
					continue;
				if (wrong++ < 5)
					fprintf(stderr, "%s: not transitive: %s %s %s\n",
						sap_version_scheme_name(scheme), texts[i], texts[j],
						texts[k]);
			}
		}
	}
	CHECK(n > 20);
	CHECK_INT(wrong, 0);
}

/* Runs of what is counted ahead must not be counted again for each of them. */
static void test_long(void)
{
	static const char *const units[] = { "0.", "0-", "a.", "a1", "1.0.", ".0", "ga.", "0.ga-" };
	static char a[200000], b[200000];

	for (size_t u = 0; u < sizeof(units) / sizeof(units[0]); u++) {
		size_t n = strlen(units[u]);

		a[0] = '1';
		for (size_t i = 1; i < sizeof(a); i++)
			a[i] = units[u][i % n];
		memcpy(b, a, sizeof(a));
		b[sizeof(b) - 1] = '7';
		for (int s = SAP_VERSION_SEMVER; s < SAP_VERSION_SCHEMES; s++) {
			struct sap_str x = { a, sizeof(a) }, y = { b, sizeof(b) };
			int forth = sap_version_cmp(s, x, y), back = sap_version_cmp(s, y, x);

			CHECK_INT(forth, -back);
		}
	}
	memset(a, '9', sizeof(a));
	memset(b, '0', sizeof(b));
	b[0] = '1';
	memcpy(a, "^1.", 3);
	check_str(__FILE__, __LINE__, "a caret of many digits",
		  sap_str_of(range_answer((struct sap_str){ a, sizeof(a) }, SAP_STR("1.0.0"))),
		  SAP_STR("no"));
	memcpy(b, "1.1", 3);
	memcpy(b + sizeof(b) - 2, ".0", 2);
	memcpy(a, ">1.", 3);
	check_str(__FILE__, __LINE__, "a carry through many digits",
		  sap_str_of(range_answer((struct sap_str){ a, sizeof(a) - 3 },
					  (struct sap_str){ b, sizeof(b) })),
		  SAP_STR("yes"));
}

static void check_file(const char *path)
{
	FILE *file = fopen(path, "r");
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	int number = 0;

	if (!file) {
		CHECK(file != NULL);
		return;
	}
	while ((n = getline(&line, &cap, file)) > 0) {
		struct sap_str text = { line, (size_t)n - 1 }, range, version, want;

		number++;
		sap_str_cut(text, '\t', &range, &text);
		sap_str_cut(text, '\t', &version, &want);
		line[n - 1] = '\0';
		check_range(number, range, version, want.p);
	}
	free(line);
	fclose(file);
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		check_file(argv[1]);
		return check_done();
	}
	test_valid();
	test_ranges();
	test_invalid_ranges();
	for (int s = SAP_VERSION_SEMVER; s < SAP_VERSION_SCHEMES; s++)
		test_order(s);
	test_long();
	return check_done();
}
