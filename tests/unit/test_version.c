/* SPDX-License-Identifier: Apache-2.0 */
/* Version ordering: tables, and what must hold of every scheme. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "version/version_table.h"

#define POOL_MAX 240u
#define WORDS_MAX 4096u

/* Versions that are odd by one scheme or another. */
static const struct sap_str nasty[] = {
#define V(lit) SAP_STR_INIT(lit)
	V(""),
	V("0"),
	V("00"),
	V("000"),
	V("1"),
	V("01"),
	V("001"),
	V("2"),
	V("10"),
	V("1."),
	V("1.."),
	V(".1"),
	V("."),
	V("1.0"),
	V("1.00"),
	V("1.0.0"),
	V("1.0.0.0"),
	V("1.01"),
	V("1.010"),
	V("1.10"),
	V("1.9"),
	V("1.0.1"),
	V("1-"),
	V("-1"),
	V("-"),
	V("1-1"),
	V("1-0"),
	V("1-2"),
	V("1-10"),
	V("1-1-1"),
	V("1-r0"),
	V("1-r1"),
	V("1-r01"),
	V("1-r"),
	V("1:1"),
	V("0:1"),
	V("00:1"),
	V(":1"),
	V("1:"),
	V(":"),
	V("a:1"),
	V("1:1:1"),
	V("1:1-1"),
	V("1a"),
	V("1b"),
	V("1A"),
	V("1a1"),
	V("1ab"),
	V("1.a"),
	V("1..a"),
	V("1.a1"),
	V("a"),
	V("A"),
	V("b"),
	V("1~"),
	V("1~~"),
	V("1~a"),
	V("1~1"),
	V("1~rc1"),
	V("1~0af"),
	V("1~0af-r1"),
	V("~"),
	V("~1"),
	V("1^"),
	V("1^^"),
	V("1^a"),
	V("1^1"),
	V("1^~"),
	V("1~^"),
	V("1+"),
	V("1+a"),
	V("1+1"),
	V("1.0+local.1"),
	V("1.0+local-1"),
	V("+"),
	V("1_"),
	V("1__a"),
	V("1_alpha"),
	V("1_alpha1"),
	V("1_alpha_p1"),
	V("1_beta"),
	V("1_pre1"),
	V("1_rc1"),
	V("1_p1"),
	V("1_git1"),
	V("1_post1"),
	V("1.0bc"),
	V("23_foo"),
	V("v1"),
	V("V1"),
	V("v1.0.0"),
	V("vv1"),
	V("1.0.0-rc.1"),
	V("1.0.0-rc.01"),
	V("1.0.0-rc.10"),
	V("1.0.0-rc.a"),
	V("1.0.0-"),
	V("1.0.0-0"),
	V("1.0.0--"),
	V("1.0.0-alpha"),
	V("1.0.0+b"),
	V("1.0.0-a+b"),
	V("1.0.0+incompatible"),
	V("1rc1"),
	V("1.0rc1"),
	V("1.0c1"),
	V("1.post1"),
	V("1-post"),
	V("1.dev0"),
	V("1.dev"),
	V("1a1.dev1"),
	V("1.post1.dev1"),
	V("1!1"),
	V("0!1"),
	V("!1"),
	V("go1.2"),
	V("go1.2rc1"),
	V("v0.0.0-20200101000000-abcdefabcdef"),
	V("v1.0.1-0.20200101000000-abcdefabcdef"),
	V("dev-master"),
	V("1.x-dev"),
	V("1.0-dev"),
	V("1.0pl1"),
	V("1.0#"),
	V("1-SNAPSHOT"),
	V("1-alpha-1"),
	V("1-sp"),
	V("1-ga"),
	V("1-final"),
	V("1-m2"),
	V("1.0.Final"),
	V("1-x"),
	V("x"),
	V("*"),
	V("^1"),
	V(">=1"),
	V("1||2"),
	V("1 1"),
	V(" 1"),
	V("1 "),
	V("1\t"),
	V("1\n"),
	V("1\r2"),
	V("\0"),
	V("1\0"),
	V("1\0002"),
	V("\0001"),
	V("1.\0"),
	V("\xff"),
	V("1\xff"),
	V("1\x80"),
	V("\xc3\xa9"),
	V("1.\xc3\xa9"),
	V("1.0.0-\xc3\xa9"),
	V("1\x7f"),
	V("1\x01"),
	V("(1)"),
	V("1=1"),
	V("1,1"),
	V("1;1"),
	V("1/1"),
	V("99999999999999999999999999999999999999999"),
	V("1.99999999999999999999999999999999999999999"),
	V("100000000000000000000000000000000000000000"),
	V("18446744073709551615"),
	V("18446744073709551616"),
	V("4294967296"),
	V("2147483648"),
	V("1.0000000000000000000000000000000000000001"),
	V("1-99999999999999999999"),
	V("99999999999999999999:1"),
	V("1.0.0-99999999999999999999"),
#undef V
};

struct words {
	struct sap_str v[WORDS_MAX];
	char *memory[WORDS_MAX]; /* of each exactly its size, so that ASan sees one byte too far */
	size_t n;
};

static void words_add(struct words *words, struct sap_str s)
{
	char *copy;

	for (size_t i = 0; i < words->n; i++)
		if (sap_str_eq(words->v[i], s))
			return;
	copy = words->n < WORDS_MAX ? malloc(s.n ? s.n : 1) : NULL;
	if (!copy)
		return;
	if (s.n)
		memcpy(copy, s.p, s.n);
	words->memory[words->n] = copy;
	words->v[words->n++] = (struct sap_str){ copy, s.n };
}

static void words_clear(struct words *words)
{
	for (size_t i = 0; i < words->n; i++)
		free(words->memory[i]);
	words->n = 0;
}

/* The path of a table: ours, or the shared one. */
static bool table_path(char *path, size_t size, bool shared, const char *name)
{
	const char *folder = getenv(shared ? "SAP_SHARED" : "SAP_TESTS");

	if (!folder)
		return false;
	snprintf(path, size, shared ? "%s/vectors/versions/%s.txt" : "%s/version/%s.table", folder,
		 name);
	return true;
}

static void line_check(const struct version_line *line, void *arg)
{
	char what[300];

	(void)arg;
	snprintf(what, sizeof(what), "'%.200s'", line->text.p);
	what[strcspn(what, "\n")] = '\0';
	check_true(line->path, (int)line->number, what, line->held == 1);
}

static void test_tables(void)
{
	char path[4096];

	for (int i = 1; i < SAP_VERSION_SCHEMES; i++) {
		const char *name = sap_version_scheme_name(i);

		if (table_path(path, sizeof(path), false, name))
			version_table_read(i, path, line_check, NULL); /* not all have one */
		if (!table_path(path, sizeof(path), true, name) ||
		    !version_table_read(i, path, line_check, NULL))
			check_skip(name, "no table in vectors/versions of $SAP_SHARED");
	}
	if (!table_path(path, sizeof(path), false, "deb"))
		check_skip("our own tables", "SAP_TESTS is not set");
}

static void line_words(const struct version_line *line, void *arg)
{
	if (line->held < 0)
		return;
	words_add((struct words *)arg, line->left);
	words_add((struct words *)arg, line->right);
}

/* The nasty ones, and of the scheme's tables as many as there is room for, evenly. */
static void pool_fill(struct words *pool, enum sap_version_scheme scheme)
{
	static struct words all;
	const char *name = sap_version_scheme_name(scheme);
	size_t room;
	char path[4096];

	for (size_t i = 0; i < sizeof(nasty) / sizeof(*nasty); i++)
		words_add(pool, nasty[i]);
	room = POOL_MAX - pool->n;
	for (int shared = 0; shared < 2; shared++)
		if (table_path(path, sizeof(path), shared, name))
			version_table_read(scheme, path, line_words, &all);
	for (size_t i = 0; i < all.n; i++)
		if (all.n <= room || (i * room) / all.n != ((i + 1) * room) / all.n)
			words_add(pool, all.v[i]);
	words_clear(&all);
}

static int sign(int r)
{
	return (r > 0) - (r < 0);
}

static void print_triple(const char *law, enum sap_version_scheme scheme, struct sap_str a,
			 struct sap_str b, struct sap_str c)
{
	fprintf(stderr, "%s: not %s: '%.*s' '%.*s' '%.*s'\n", sap_version_scheme_name(scheme), law,
		SAP_FMT(a), SAP_FMT(b), SAP_FMT(c));
}

/* Antisymmetry, reflexivity, the place of invalid versions. */
static unsigned check_pairs(enum sap_version_scheme scheme, const struct words *pool,
			    signed char (*order)[POOL_MAX])
{
	unsigned wrong = 0;

	for (size_t i = 0; i < pool->n; i++) {
		bool valid = sap_version_valid(scheme, pool->v[i]);

		for (size_t j = 0; j < pool->n; j++) {
			bool other = sap_version_valid(scheme, pool->v[j]);
			bool good = order[i][j] == -order[j][i];

			if (i == j)
				good = good && order[i][j] == 0;
			if (valid != other)
				good = good && order[i][j] == (valid ? 1 : -1);
			if (!valid && !other)
				good = good &&
				       order[i][j] == sign(sap_str_cmp(pool->v[i], pool->v[j]));
			if (!good && wrong++ < 5)
				print_triple("an order", scheme, pool->v[i], pool->v[j],
					     SAP_STR(""));
		}
	}
	return wrong;
}

/* PHP's "#" equals the end and any number, which no order allows: see packagist.c. */
static bool has_no_place(enum sap_version_scheme scheme, struct sap_str v)
{
	return scheme == SAP_VERSION_PACKAGIST && v.n > 0 && memchr(v.p, '#', v.n);
}

static unsigned check_triples(enum sap_version_scheme scheme, const struct words *pool,
			      signed char (*order)[POOL_MAX])
{
	unsigned wrong = 0;

	for (size_t i = 0; i < pool->n; i++) {
		for (size_t j = 0; j < pool->n; j++) {
			if (order[i][j] > 0 || has_no_place(scheme, pool->v[i]) ||
			    has_no_place(scheme, pool->v[j]))
				continue;
			for (size_t k = 0; k < pool->n; k++) {
				bool less = order[i][j] < 0 || order[j][k] < 0;

				if (order[j][k] > 0 || order[i][k] == (less ? -1 : 0) ||
				    has_no_place(scheme, pool->v[k]))
					continue;
				if (wrong++ < 5)
					print_triple("transitive", scheme, pool->v[i], pool->v[j],
						     pool->v[k]);
			}
		}
	}
	return wrong;
}

static void test_order(enum sap_version_scheme scheme)
{
	static signed char order[POOL_MAX][POOL_MAX];
	static struct words pool;
	unsigned valid = 0, differ = 0;

	pool_fill(&pool, scheme);
	for (size_t i = 0; i < pool.n; i++) {
		bool is_valid = sap_version_valid(scheme, pool.v[i]);

		valid += is_valid;
		for (size_t j = 0; j < pool.n; j++) {
			order[i][j] =
				(signed char)sign(sap_version_cmp(scheme, pool.v[i], pool.v[j]));
			/* The short way gives what the long one gives. */
			differ +=
				is_valid && sap_version_valid(scheme, pool.v[j]) &&
				sap_version_cmp_valid(scheme, pool.v[i], pool.v[j]) != order[i][j];
		}
	}
	CHECK_INT(differ, 0);
	CHECK(scheme == SAP_VERSION_NONE ? valid == 0 : valid > 10);
	CHECK_INT(check_pairs(scheme, &pool, order), 0);
	CHECK_INT(check_triples(scheme, &pool, order), 0);
	words_clear(&pool);
}

/* n bytes of a text: first, then what again and again. */
static char *repeat(const char *first, const char *what, size_t n)
{
	char *text = malloc(n);
	size_t m = strlen(what), at = strlen(first);

	if (!text)
		exit(2);
	memcpy(text, first, at);
	for (; at < n; at++)
		text[at] = what[at % m];
	return text;
}

/* A long text against itself, against one that differs at the end and against a prefix. The time
 * must grow with the length, not faster. */
static void check_long(enum sap_version_scheme scheme, const char *first, const char *what)
{
	const size_t n = 30000;
	char *p = repeat(first, what, n), *q = repeat(first, what, n);
	const struct sap_str a = { p, n }, b = { q, n }, shorter = { q, n - 1 };
	clock_t start = clock();

	q[n - 1] = '9';
	CHECK_INT(sap_version_cmp(scheme, a, a), 0);
	CHECK_INT(sign(sap_version_cmp(scheme, a, b)), -sign(sap_version_cmp(scheme, b, a)));
	CHECK_INT(sign(sap_version_cmp(scheme, a, shorter)),
		  -sign(sap_version_cmp(scheme, shorter, a)));
	if (!CHECK(clock() - start < CLOCKS_PER_SEC / 5))
		fprintf(stderr, "%s: '%s' and 30 KB of '%s' are slow\n",
			sap_version_scheme_name(scheme), first, what);
	free(p);
	free(q);
}

static void test_long(enum sap_version_scheme scheme)
{
	static const char *const shapes[] = { "0",  "7",  "1.", "a.",   "a1", ".",   "-",  "~",
					      "_p", "^",  "+",  "-r1",  ":",  "1_a", "1-", "\xff",
					      " ",  "1!", "a",  "-a.1", "x.", "-1" };
	static const char *const firsts[] = { "", "1", "v1.0.0-", "1.0.0-", "1.0.0+", "1:", "1~" };

	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++)
		for (size_t j = 0; j < sizeof(firsts) / sizeof(*firsts); j++)
			check_long(scheme, firsts[j], shapes[i]);
}

/* Numbers of 100,000 digits, by value. */
static void test_digits(enum sap_version_scheme scheme)
{
	const size_t n = 100000;
	char *p = repeat("1", "7", n), *q = repeat("1", "7", n + 1);
	const struct sap_str a = { p, n }, b = { q, n }, longer = { q, n + 1 };

	q[n - 1] = '8';
	CHECK(sap_version_valid(scheme, a));
	CHECK(sap_version_cmp(scheme, a, longer) < 0);
	CHECK(sap_version_cmp(scheme, a, b) < 0);
	CHECK(sap_version_cmp(scheme, a, SAP_STR("99")) > 0);
	free(p);
	free(q);
}

static void test_valid(void)
{
	static const struct {
		enum sap_version_scheme scheme;
		bool valid;
		struct sap_str v;
	} rows[] = {
		{ SAP_VERSION_DEB, true, SAP_STR_INIT("1:1.0-1") },
		{ SAP_VERSION_DEB, true, SAP_STR_INIT("a.1") },
		{ SAP_VERSION_DEB, true, SAP_STR_INIT("1.0/2") },
		{ SAP_VERSION_DEB, true, SAP_STR_INIT("1:2:3-4-5") },
		{ SAP_VERSION_DEB, false, SAP_STR_INIT("a:1") },
		{ SAP_VERSION_DEB, false, SAP_STR_INIT(":1") },
		{ SAP_VERSION_DEB, false, SAP_STR_INIT("-1:1") },
		{ SAP_VERSION_DEB, false, SAP_STR_INIT("1.0-1:1") },
		{ SAP_VERSION_DEB, false, SAP_STR_INIT("1-") },
		{ SAP_VERSION_DEB, false, SAP_STR_INIT("1:-1") },
		{ SAP_VERSION_RPM, true, SAP_STR_INIT("1.0-1.el8") },
		{ SAP_VERSION_RPM, true, SAP_STR_INIT("a:b-1") },
		{ SAP_VERSION_RPM, true, SAP_STR_INIT("1-") },
		{ SAP_VERSION_RPM, true, SAP_STR_INIT(":1") },
		{ SAP_VERSION_RPM, false, SAP_STR_INIT("-1") },
		{ SAP_VERSION_RPM, false, SAP_STR_INIT("1:") },
		{ SAP_VERSION_APK, true, SAP_STR_INIT("1.2a_rc1~0af-r1") },
		{ SAP_VERSION_APK, true, SAP_STR_INIT("1.2_post1") },
		{ SAP_VERSION_APK, false, SAP_STR_INIT("a1") },
		{ SAP_VERSION_PACMAN, true, SAP_STR_INIT("1:1.0-1.1") },
		{ SAP_VERSION_PACMAN, false, SAP_STR_INIT("1:-1") },
	};
	static const struct sap_str never[] = {
		SAP_STR_INIT(""),      SAP_STR_INIT("\0"),   SAP_STR_INIT("1\0"),
		SAP_STR_INIT("\0001"), SAP_STR_INIT("1\n2"), SAP_STR_INIT("1 2"),
		SAP_STR_INIT("1\t"),   SAP_STR_INIT(" 1"),   SAP_STR_INIT("1\x7f"),
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (!CHECK_INT(sap_version_valid(rows[i].scheme, rows[i].v), rows[i].valid))
			fprintf(stderr, "    %s %.*s\n", sap_version_scheme_name(rows[i].scheme),
				SAP_FMT(rows[i].v));
	for (int scheme = SAP_VERSION_DEB; scheme <= SAP_VERSION_PACMAN; scheme++)
		for (size_t i = 0; i < sizeof(never) / sizeof(*never); i++)
			CHECK(!sap_version_valid((enum sap_version_scheme)scheme, never[i]));
	for (int scheme = 0; scheme < SAP_VERSION_SCHEMES; scheme++)
		CHECK(!sap_version_valid((enum sap_version_scheme)scheme, SAP_STR("")));
}

static void test_no_scheme(void)
{
	const struct sap_str nothing = { NULL, 0 };
	const enum sap_version_scheme beyond = (enum sap_version_scheme)SAP_VERSION_SCHEMES;

	CHECK(!sap_version_valid(SAP_VERSION_NONE, SAP_STR("1")));
	CHECK_INT(sap_version_cmp(SAP_VERSION_NONE, SAP_STR("1"), SAP_STR("1")), 0);
	CHECK(sap_version_cmp(SAP_VERSION_NONE, SAP_STR("1"), SAP_STR("01")) != 0);
	CHECK(!sap_version_valid(beyond, SAP_STR("1")));
	CHECK_INT(sap_version_cmp(beyond, SAP_STR("1"), SAP_STR("1")), 0);
	CHECK_STR(sap_str_of(sap_version_scheme_name(beyond)), "none");
	for (int i = 0; i < SAP_VERSION_SCHEMES; i++) {
		CHECK_INT(sap_version_cmp(i, nothing, SAP_STR("")), 0);
		CHECK(sap_version_cmp(i, nothing, SAP_STR("1")) < 0);
		CHECK(sap_version_cmp(i, SAP_STR("1"), nothing) > 0);
		CHECK(!sap_version_valid(i, nothing));
	}
}

static void test_names(void)
{
	static const struct {
		const char *name;
		enum sap_version_scheme scheme;
	} rows[] = {
		{ "Debian", SAP_VERSION_DEB },
		{ "Debian:12", SAP_VERSION_DEB },
		{ "Ubuntu:24.04:LTS", SAP_VERSION_DEB },
		{ "AlmaLinux:9", SAP_VERSION_RPM },
		{ "openSUSE", SAP_VERSION_RPM },
		{ "Red Hat", SAP_VERSION_RPM },
		{ "Rocky Linux:9", SAP_VERSION_RPM },
		{ "Alpine:v3.20", SAP_VERSION_APK },
		{ "Wolfi", SAP_VERSION_APK },
		{ "alpm", SAP_VERSION_PACMAN },
		{ "ARCH", SAP_VERSION_PACMAN },
		{ "npm", SAP_VERSION_SEMVER },
		{ "crates.io", SAP_VERSION_SEMVER },
		{ "Hex", SAP_VERSION_SEMVER },
		{ "golang", SAP_VERSION_GO },
		{ "Go", SAP_VERSION_GO },
		{ "PyPI", SAP_VERSION_PEP440 },
		{ "pep440", SAP_VERSION_PEP440 },
		{ "Maven", SAP_VERSION_MAVEN },
		{ "gem", SAP_VERSION_RUBYGEMS },
		{ "RubyGems", SAP_VERSION_RUBYGEMS },
		{ "NuGet", SAP_VERSION_NUGET },
		{ "composer", SAP_VERSION_PACKAGIST },
		{ "Packagist", SAP_VERSION_PACKAGIST },
		{ "Hackage", SAP_VERSION_HACKAGE },
		{ "CRAN", SAP_VERSION_CRAN },
		{ "Pub", SAP_VERSION_PUB },
		{ "", SAP_VERSION_NONE },
		{ "none", SAP_VERSION_NONE },
		{ "OSS-Fuzz", SAP_VERSION_NONE },
		{ "de", SAP_VERSION_NONE },
		{ "debian ", SAP_VERSION_NONE },
		{ ":12", SAP_VERSION_NONE },
	};

	for (int i = 0; i < SAP_VERSION_SCHEMES; i++)
		CHECK_INT(sap_version_scheme_parse(sap_str_of(sap_version_scheme_name(i))), i);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (!CHECK_INT(sap_version_scheme_parse(sap_str_of(rows[i].name)), rows[i].scheme))
			fprintf(stderr, "    %s\n", rows[i].name);
}

int main(void)
{
	test_tables();
	for (int i = 0; i < SAP_VERSION_SCHEMES; i++)
		test_order(i);
	for (int i = SAP_VERSION_DEB; i < SAP_VERSION_SCHEMES; i++) {
		test_long(i);
		/* a Go version has a "v" and three numbers */
		if (i != SAP_VERSION_GO)
			test_digits(i);
	}
	test_valid();
	test_no_scheme();
	test_names();
	return check_done();
}
