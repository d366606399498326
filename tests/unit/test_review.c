/* SPDX-License-Identifier: Apache-2.0 */
#include "advisory/review.h"
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sap_err err;

/* 2026-11-21 12:00 UTC */
#define NOW 1795262400

/* ---- reading ---------------------------------------------------------------------------- */

static int read_text(struct sap_review *review, const char *text)
{
	return sap_review_read_toml(review, "x.toml", sap_str_of(text), &err);
}

static void a_file_with_everything(void)
{
	struct sap_review review;

	sap_review_init(&review);
	CHECK_OK(read_text(&review,
			   "# reviewed\n\n[[ignore]]\nid = \"CVE-1\"\nreason = 'C:\\x' # why\n"
			   "until = 2027-01-31\n[[ignore]]\r\nid = [\"A\", 'B',\n # more\n]\r\n"
			   "package = [\"pkg:deb/debian/x\", \"y\"]\nreason = \"\\u00e9\\t\"\n"
			   "until = \"2028-02-29\""),
		 &err);
	if (CHECK_INT(review.exceptions.n, 5)) {
		const struct sap_exception *e = review.exceptions.v;

		CHECK_STR(e[0].id, "CVE-1");
		CHECK_STR(e[0].package, "");
		CHECK_STR(e[0].reason, "C:\\x");
		CHECK_STR(e[0].until, "2027-01-31");
		CHECK_STR(e[0].file, "x.toml");
		CHECK_INT(e[0].line, 3);
		CHECK_STR(e[1].id, "A");
		CHECK_STR(e[1].package, "pkg:deb/debian/x");
		CHECK_STR(e[2].package, "y");
		CHECK_STR(e[4].id, "B");
		CHECK_STR(e[4].package, "y");
		CHECK_STR(e[4].reason, "\xc3\xa9\t");
		CHECK_STR(e[4].until, "2028-02-29");
		CHECK_INT(e[4].line, 7);
	}
	CHECK_OK(read_text(&review, ""), &err);
	CHECK_OK(read_text(&review, "# nothing"), &err);
	CHECK_INT(review.exceptions.n, 5);
	sap_review_clear(&review);
}

static void bad_files_name_the_line(void)
{
	static const char *const cases[][2] = {
		{ "[[ignore]]\nreason = 'r'\n", "x.toml:1: this exception has no id" },
		{ "[[ignore]]\nid = 'a'\n", "x.toml:1: this exception has no reason" },
		{ "[[ignore]]\nid = 'a'\nreason = ' '\n",
		  "x.toml:1: this exception has no reason" },
		{ "[[ignore]]\nid = []\nreason = 'r'\n", "x.toml:1: this exception has no id" },
		{ "[[ignore]]\nid = ['']\nreason = 'r'\n", "x.toml:2: an id is empty" },
		{ "[[ignore]]\nid = 'a'\npackage = 'pkg:deb'\nreason = 'r'\n",
		  "x.toml:3: package is not a purl" },
		{ "[[ignore]]\nid = 'a'\npackage = ''\nreason = 'r'\n",
		  "x.toml:3: package is empty" },
		{ "[[ignore]]\nid = 'a'\npackage = []\nreason = 'r'\n",
		  "x.toml:3: the list of packages is empty" },
		{ "[[ignore]]\nid = 'a'\nreason = 'r'\nuntil = 2027-02-29\n",
		  "x.toml:4: a date should stand here" },
		{ "[[ignore]]\nid = 'a'\nreason = 'r'\nuntil = 'soon'\n",
		  "x.toml:4: until should be a date" },
		{ "[[ignore]]\nid = 'a'\nreason = 'r'\nuntil = 2027-01-01T00:00:00Z\n",
		  "x.toml:4: the line should end here" },
		{ "[[ignore]]\nid = 'a'\nexpires = 'r'\n", "x.toml:3: unknown key \"expires\"" },
		{ "[[ignore]]\nid = 'a'\nid = 'b'\n", "x.toml:3: this key stands twice" },
		{ "[[ignore]]\nid = 2027-01-01\n", "x.toml:2: id and package should be strings" },
		{ "[[ignored]]\n", "x.toml:1: a table should be [[ignore]]" },
		{ "[ignore]\n", "x.toml:1: a table should be written with two brackets" },
		{ "id = 'a'\n", "x.toml:1: a key before the first table" },
		{ "[[ignore]]\nid = a\n", "x.toml:2: a string in quotes, a date or a list" },
		{ "[[ignore]]\nid = 'a' 'b'\n", "x.toml:2: the line should end here" },
		{ "[[ignore]]\nid = 'a\n", "x.toml:2: a string without its closing '" },
		{ "[[ignore]]\nid = \"a\n", "x.toml:2: a string without its closing \"" },
		{ "[[ignore]]\nid = \"\"\"a\"\"\"\n", "x.toml:2: strings of several lines" },
		{ "[[ignore]]\nid = \"\\x41\"\n", "x.toml:2: an unknown escape" },
		{ "[[ignore]]\nid = \"\\ud800\"\n", "x.toml:2: an escape that stands for no" },
		{ "[[ignore]]\nid = \"\x01\"\n", "x.toml:2: a control character" },
		{ "[[ignore]]\nid = \"\xff\"\n", "x.toml:2: text that is not UTF-8" },
		{ "[[ignore]]\n# a\rb\n", "x.toml:2: a control character" },
		{ "[[ignore]]\nid = ['a',\n,]\n", "x.toml:3: a string or ']' should stand here" },
		{ "[[ignore]]\nid = ['a'\n", "x.toml:3: ',' or ']' should stand here" },
		{ "\xef\xbb\xbf[[ignore]]\n", "x.toml:1: a key of letters" },
		{ "[[ignore]]\na.b = 'x'\n", "x.toml:2: '=' should stand here" },
	};
	struct sap_review review;

	sap_review_init(&review);
	CHECK_OK(read_text(&review, "[[ignore]]\nid = 'kept'\nreason = 'r'\n"), &err);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int r = read_text(&review, cases[i][0]);

		check_int(__FILE__, (int)i, cases[i][0], r, SAP_EFORMAT);
		if (strncmp(err.text, cases[i][1], strlen(cases[i][1])) != 0)
			check_str(__FILE__, (int)i, cases[i][0], sap_str_of(err.text),
				  sap_str_of(cases[i][1]));
		CHECK_INT(review.exceptions.n, 1);
	}
	sap_review_clear(&review);
}

/* A file cut anywhere is read or refused, and never half taken. */
static void cut_at_each_byte(void)
{
	static const char text[] = "[[ignore]]\nid = [\"a\\u00e9\", 'b']\nreason = \"r\"\n"
				   "until = 2027-01-31\n";
	struct sap_review review;

	for (size_t n = 0; n < sizeof(text); n++) {
		char *copy = malloc(n ? n : 1);

		if (!CHECK(copy != NULL))
			return;
		memcpy(copy, text, n);
		sap_review_init(&review);
		if (sap_review_read_toml(&review, "x", (struct sap_str){ copy, n }, &err) < 0)
			CHECK_INT(review.exceptions.n, 0);
		sap_review_clear(&review);
		free(copy);
	}
}

static void too_much_is_a_limit(void)
{
	struct sap_review review;
	char *text = malloc(1 << 20);
	size_t n = 0;

	if (!CHECK(text != NULL))
		return;
	sap_review_init(&review);
	n += (size_t)sprintf(text + n, "[[ignore]]\nreason = 'r'\nid = [");
	for (unsigned i = 0; i < 10001; i++)
		n += (size_t)sprintf(text + n, "'a',");
	sprintf(text + n, "]\n");
	CHECK_INT(read_text(&review, text), SAP_ELIMIT);
	n = (size_t)sprintf(text, "[[ignore]]\nid = [");
	for (unsigned i = 0; i < 5000; i++)
		n += (size_t)sprintf(text + n, "'a',");
	n += (size_t)sprintf(text + n, "]\npackage = [");
	for (unsigned i = 0; i < 5000; i++)
		n += (size_t)sprintf(text + n, "'a',");
	sprintf(text + n, "]\nreason = 'r'\n");
	CHECK_INT(read_text(&review, text), SAP_ELIMIT);
	CHECK_INT(review.exceptions.n, 0);
	sap_review_clear(&review);
	free(text);
}

/* ---- purls ------------------------------------------------------------------------------ */

static void purl_patterns(void)
{
	static const struct {
		const char *pattern, *purl;
		bool matches;
	} cases[] = {
#define DEB "pkg:deb/debian/libstdc%2B%2B6@12.2.0-14%2Bdeb12u1?arch=amd64&distro=debian-12"
		{ "pkg:deb/debian/libstdc%2B%2B6", DEB, true },
		{ "pkg:deb/debian/libstdc++6", DEB, true },
		{ "pkg:deb/debian/LibStdC%2b%2b6", DEB, true },
		{ "PKG:DEB/Debian/libstdc++6", DEB, true },
		{ "pkg://deb/debian/libstdc++6", DEB, true },
		{ "pkg:deb/debian/libstdc++6@12.2.0-14+deb12u1", DEB, true },
		{ "pkg:deb/debian/libstdc++6@12.2.0-14%2Bdeb12u1", DEB, true },
		{ "pkg:deb/debian/libstdc++6@12.2.0-14", DEB, false },
		{ "pkg:deb/debian/libstdc++6?arch=amd64", DEB, true },
		{ "pkg:deb/debian/libstdc++6?arch=arm64", DEB, false },
		{ "pkg:deb/debian/libstdc++6?distro=debian-12&arch=amd64", DEB, true },
		{ "pkg:deb/debian/libstdc++6?distro=debian-11&arch=amd64", DEB, false },
		{ "pkg:deb/debian/libstdc++6?upstream=gcc-12", DEB, true },
		{ "pkg:deb/debian/libstdc++6?upstream=", DEB, true },
		{ "pkg:deb/ubuntu/libstdc++6", DEB, false },
		{ "pkg:deb/libstdc++6", DEB, false },
		{ "pkg:rpm/debian/libstdc++6", DEB, false },
		{ "pkg:deb/debian/libstdc++", DEB, false },
		{ "pkg:deb/debian/libstdc++66", DEB, false },
		{ "libstdc++6", DEB, true },
		{ "debian/libstdc++6", DEB, false },
		{ "libstdc", DEB, false },
		{ "", DEB, false },
		{ "*", DEB, false },
		{ "pkg:", DEB, false },
		{ "pkg:deb/debian/x@1%3A2.3-4", "pkg:deb/debian/x@1:2.3-4", true },
		{ "pkg:rpm/almalinux/Bash", "pkg:rpm/almalinux/bash@5", false },
		{ "pkg:rpm/almalinux/bash?epoch=1", "pkg:rpm/almalinux/bash@5?epoch=1", true },
		{ "pkg:rpm/almalinux/bash?epoch=1", "pkg:rpm/almalinux/bash@5", false },
		{ "pkg:pypi/Some_Thing", "pkg:pypi/some-thing@1", true },
		{ "Some_Thing", "pkg:pypi/some-thing@1", true },
		{ "pkg:npm/@angular/core", "pkg:npm/%40angular/core@1.0", true },
		{ "pkg:npm/@angular/core@1.0", "pkg:npm/%40angular/core@1.0", true },
		{ "pkg:npm/@angular/core@1.1", "pkg:npm/%40angular/core@1.0", false },
		{ "@angular/core", "pkg:npm/%40angular/core@1.0", true },
		{ "core", "pkg:npm/%40angular/core@1.0", true },
		{ "github.com/a/b", "pkg:golang/github.com/a/b@v1.0.0", true },
		{ "github.com/c/b", "pkg:golang/github.com/a/b@v1.0.0", false },
		{ "pkg:golang/github.com/a/b", "pkg:golang/github.com/a/b@v1.0.0", true },
		{ "pkg:golang/a/b", "pkg:golang/github.com/a/b@v1.0.0", false },
		{ "pkg:golang/github.com/a/b#sub", "pkg:golang/github.com/a/b@v1.0.0", false },
		{ "pkg:golang/github.com/a/b#sub/", "pkg:golang/github.com/a/b@v1#sub", true },
		{ "pkg:maven/org.Apache/x", "pkg:maven/org.apache/x@1", false },
		{ "pkg:deb/debian/@1", "pkg:deb/debian@1", false },
		{ "pkg:deb/debian/a%", "pkg:deb/debian/a%25", true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_int(cases[i].pattern, (int)i, cases[i].purl,
			  sap_review_purl_matches(sap_str_of(cases[i].pattern),
						  sap_str_of(cases[i].purl)),
			  cases[i].matches);
}

/* The same packages in the words of Trivy and Syft. */
static void purls_of_other_tools_match(void)
{
#define ALMA "pkg:rpm/almalinux/bash@5.1.8-6.el9?arch=x86_64&distro=almalinux-9.3"
#define APK "pkg:apk/alpine/musl@1.2.4-r2?arch=x86_64&distro=alpine-3.19.1"
#define UBUNTU "pkg:deb/ubuntu/bash@5.1-6ubuntu1?arch=arm64&distro=ubuntu-22.04"
	static const struct {
		const char *pattern, *purl;
		bool matches;
	} cases[] = {
		{ "pkg:deb/debian/libstdc%2B%2B6@12.2.0-14%2Bdeb12u1?arch=amd64&distro=debian-12.5",
		  DEB, true },
		{ "pkg:deb/debian/libstdc%2B%2B6@12.2.0-14%2Bdeb12u1?arch=amd64&upstream=gcc-12&"
		  "distro=debian-12",
		  DEB, true },
		{ "pkg:deb/debian/libstdc++6?os_name=debian&os_version=11&os_distro=x", DEB, true },
		{ "pkg:deb/debian/libstdc++6?distro=debian-11.9", DEB, false },
		{ "pkg:deb/debian/libstdc++6?distro=ubuntu-12", DEB, false },
		{ "pkg:deb/debian/libstdc++6?distro=bookworm", DEB, true },
		{ "pkg:deb/debian/libstdc++6?distro=bullseye", DEB, false },
		{ "pkg:deb/debian/libstdc++6?distro=debian", DEB, false },
		{ "pkg:deb/debian/libstdc++6?arch=x86_64", DEB, true },
		{ "pkg:deb/debian/libstdc++6?arch=source", DEB, true },
		{ "pkg:deb/debian/libstdc++6?arch=src", DEB, true },
		{ "pkg:deb/debian/libstdc++6?arch=all", DEB, false },
		{ "pkg:deb/debian/libstdc++6?arch=amd64", "pkg:deb/debian/libstdc++6", false },
		{ "pkg:deb/debian/libstdc++6?epoch=3", DEB, true },
		{ "pkg:deb/debian/libstdc++6?distro=debian%2D12", DEB, true },
		{ "pkg:rpm/almalinux/bash@5.1.8-6.el9?arch=x86_64&distro=almalinux-9.4", ALMA,
		  true },
		{ "pkg:rpm/almalinux/bash?distro=almalinux-8.9", ALMA, false },
		{ "pkg:rpm/almalinux/bash?epoch=0", ALMA, true },
		{ "pkg:rpm/almalinux/bash?epoch=1", ALMA, false },
		{ "pkg:rpm/almalinux/bash?upstream=bash-5.1.8-6.el9.src.rpm", ALMA, true },
		{ "pkg:apk/alpine/musl@1.2.4-r2?arch=x86_64&distro=3.19.1", APK, true },
		{ "pkg:apk/alpine/musl?distro=alpine-3.19.4", APK, true },
		{ "pkg:apk/alpine/musl?distro=3.18.6", APK, false },
		{ "pkg:deb/ubuntu/bash?arch=aarch64&distro=ubuntu-22.04", UBUNTU, true },
		{ "pkg:deb/ubuntu/bash?distro=jammy", UBUNTU, true },
		{ "pkg:deb/ubuntu/bash?distro=ubuntu-22.10", UBUNTU, false },
		{ "pkg:deb/ubuntu/bash?distro=x", "pkg:deb/ubuntu/bash", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_int(cases[i].pattern, (int)i, cases[i].purl,
			  sap_review_purl_matches(sap_str_of(cases[i].pattern),
						  sap_str_of(cases[i].purl)),
			  cases[i].matches);
}

/* ---- applying --------------------------------------------------------------------------- */

/* A system with xz-utils (two packages), zlib, and findings about them. */
struct world {
	struct sap_facts *facts;
	struct sap_findings f;
	struct sap_review review;
	uint32_t packages[3];
	struct sap_str aliases[2];
	struct sap_step step;
};

enum { XZ, ZLIB, OBJECT };

static void give(struct sap_facts *facts, uint32_t id, const char *name, const char *source)
{
	const struct sap_rec_package rec = { .id = id,
					     .type = SAP_PACKAGE_DEB,
					     .name = sap_str_of(name),
					     .version = SAP_STR("1:5.4.1-1"),
					     .arch = SAP_STR("amd64"),
					     .source = sap_str_of(source) };

	CHECK_OK(facts->sink.package(&facts->sink, &rec, &err), &err);
}

static void world_init(struct world *w)
{
	static const struct sap_rec_os os = { .id = SAP_STR_INIT("debian"),
					      .version_id = SAP_STR_INIT("12") };
	struct sap_finding *it;

	*w = (struct world){ .facts = sap_facts_new() };
	sap_arena_init(&w->f.arena, 0);
	sap_review_init(&w->review);
	w->f.facts = w->facts;
	CHECK_OK(w->facts->sink.os(&w->facts->sink, &os, &err), &err);
	give(w->facts, 1, "liblzma5", "xz-utils");
	give(w->facts, 2, "xz-utils", "xz-utils");
	give(w->facts, 3, "zlib1g", "zlib");
	CHECK_OK(sap_facts_finish(w->facts, &err), &err);
	w->packages[1] = 1;
	w->packages[2] = 2;
	w->aliases[0] = SAP_STR("DSA-1-1");
	w->aliases[1] = SAP_STR("GHSA-xxxx");
	it = SAP_VEC_PUSH(&w->f.list, 10);
	*it = (struct sap_finding){ .id = SAP_STR("CVE-1"),
				    .aliases = w->aliases,
				    .n_aliases = 2,
				    .status = SAP_STATUS_AFFECTED,
				    .package = SAP_STR("pkg:deb/debian/xz-utils@1:5.4.1-1"),
				    .name = SAP_STR("xz-utils"),
				    .packages = w->packages,
				    .n_packages = 2 };
	it = SAP_VEC_PUSH(&w->f.list, 10);
	*it = (struct sap_finding){ .id = SAP_STR("CVE-1"),
				    .status = SAP_STATUS_UNFIXED,
				    .package = SAP_STR("pkg:deb/debian/zlib@1:5.4.1-1"),
				    .name = SAP_STR("zlib"),
				    .packages = w->packages + 2,
				    .n_packages = 1 };
	it = SAP_VEC_PUSH(&w->f.list, 10);
	*it = (struct sap_finding){ .id = SAP_STR("CVE-2"),
				    .status = SAP_STATUS_UNDER_INVESTIGATION,
				    .name = SAP_STR("thing") };
}

static void world_clear(struct world *w)
{
	sap_review_clear(&w->review);
	sap_vec_clear(&w->f.list);
	sap_vec_clear(&w->f.notes);
	sap_arena_clear(&w->f.arena);
	sap_facts_free(w->facts);
}

static void vex_of(struct world *w, const char *document, const char *line)
{
	struct sap_row row;

	CHECK_OK(sap_row_parse(sap_str_of(line), &w->review.arena, &row, &err), &err);
	CHECK_OK(sap_review_add_vex(&w->review, &row, sap_str_of(document), &err), &err);
}

/* The finding that began as number n: sorting moves them. */
static const struct sap_finding *finding(const struct world *w, int n)
{
	static const char *const names[] = { "xz-utils", "zlib", "thing" };

	for (size_t i = 0; i < w->f.list.n; i++) {
		if (sap_str_eq(w->f.list.v[i].name, sap_str_of(names[n])))
			return &w->f.list.v[i];
	}
	return &w->f.list.v[0];
}

static bool suppressed(const struct world *w, int n)
{
	return finding(w, n)->suppression != NULL;
}

#define IGNORE(id, rest) "[[ignore]]\nid = '" id "'\nreason = 'because'\n" rest

/* Applies a file of exceptions to a fresh world. */
static void with_toml(struct world *w, const char *text)
{
	world_init(w);
	CHECK_OK(read_text(&w->review, text), &err);
	CHECK_OK(sap_review_apply(&w->review, &w->f, NOW, &err), &err);
}

static void exceptions_suppress(void)
{
	struct world w;

	with_toml(&w, IGNORE("cve-1", "until = 2026-11-21\n"));
	CHECK(suppressed(&w, XZ) && suppressed(&w, ZLIB) && !suppressed(&w, OBJECT));
	CHECK_INT(w.f.notes.n, 0);
	CHECK_INT(w.f.n_suppressed, 2);
	CHECK_INT(w.f.n_status[SAP_STATUS_AFFECTED], 0);
	CHECK_INT(w.f.n_status[SAP_STATUS_UNFIXED], 0);
	CHECK_INT(w.f.n_status[SAP_STATUS_UNDER_INVESTIGATION], 1);
	CHECK(w.review.exceptions.v[0].used);
	/* Texts are the findings' own. */
	sap_review_clear(&w.review);
	if (finding(&w, XZ)->suppression) {
		CHECK_STR(finding(&w, XZ)->suppression->by, "x.toml:1");
		CHECK_STR(finding(&w, XZ)->suppression->reason, "because");
		CHECK_STR(finding(&w, XZ)->suppression->until, "2026-11-21");
	}
	world_clear(&w);
}

static void a_package_may_be_named_in_many_ways(void)
{
	static const struct {
		const char *package;
		bool xz, zlib;
	} cases[] = {
		{ "xz-utils", true, false },
		{ "liblzma5", true, false },
		{ "zlib", false, true },
		{ "zlib1g", false, true },
		{ "lzma", false, false },
		{ "pkg:deb/debian/xz-utils", true, false },
		{ "pkg:deb/debian/liblzma5@1%3A5.4.1-1", true, false },
		{ "pkg:deb/debian/liblzma5@5.4.1-1", false, false },
		{ "pkg:deb/debian/liblzma5?arch=amd64&distro=debian-12", true, false },
		{ "pkg:deb/debian/zlib", false, true },
		{ "pkg:deb/debian/zlib1g", false, true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world w;
		char text[256];

		snprintf(text, sizeof(text), IGNORE("GHSA-XXXX", "package = '%s'\n"),
			 cases[i].package);
		if (cases[i].zlib)
			snprintf(text, sizeof(text), IGNORE("CVE-1", "package = '%s'\n"),
				 cases[i].package);
		with_toml(&w, text);
		check_int(cases[i].package, (int)i, "xz-utils", suppressed(&w, XZ), cases[i].xz);
		check_int(cases[i].package, (int)i, "zlib", suppressed(&w, ZLIB), cases[i].zlib);
		CHECK_INT(w.f.notes.n, !cases[i].xz && !cases[i].zlib);
		world_clear(&w);
	}
}

static void notes_for_expired_and_unused(void)
{
	struct world w;

	with_toml(&w, IGNORE("CVE-1", "until = 2026-11-20\n"));
	CHECK(!suppressed(&w, XZ));
	if (CHECK_INT(w.f.notes.n, 1))
		CHECK_STR(w.f.notes.v[0],
			  "exception for CVE-1 (x.toml:1) expired on 2026-11-20: it counts again");
	world_clear(&w);

	/* Another one holds: nothing counts again. */
	with_toml(&w, IGNORE("CVE-1", "until = 2026-11-20\n") IGNORE("CVE-1", ""));
	CHECK(suppressed(&w, XZ) && suppressed(&w, ZLIB));
	CHECK_INT(w.f.notes.n, 0);
	world_clear(&w);

	with_toml(&w, "\n" IGNORE("CVE-9", ""));
	if (CHECK_INT(w.f.notes.n, 1))
		CHECK_STR(w.f.notes.v[0], "exception for CVE-9 (x.toml:2) matches nothing");
	CHECK(!w.review.exceptions.v[0].used);
	world_clear(&w);

	with_toml(&w, IGNORE("CVE-9", "until = 2020-01-01\n"));
	CHECK_INT(w.f.notes.n, 0);
	world_clear(&w);

	/* One of a table's packages is enough. */
	with_toml(&w, IGNORE("CVE-1", "package = ['zlib', 'nothing']\n"));
	CHECK_INT(w.f.notes.n, 0);
	world_clear(&w);
}

static void the_last_day_is_whole(void)
{
	static const struct {
		int64_t now;
		bool holds;
	} cases[] = {
		{ 1795219200, true },  /* 2026-11-21 00:00:00 */
		{ 1795305599, true },  /* 2026-11-21 23:59:59 */
		{ 1795305600, false }, /* 2026-11-22 00:00:00 */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world w;

		world_init(&w);
		CHECK_OK(read_text(&w.review, IGNORE("CVE-1", "until = 2026-11-21\n")), &err);
		CHECK_OK(sap_review_apply(&w.review, &w.f, cases[i].now, &err), &err);
		check_int(__FILE__, (int)i, "holds", suppressed(&w, XZ), cases[i].holds);
		world_clear(&w);
	}
}

static void malicious_code_needs_its_package_named(void)
{
	struct world w;

	world_init(&w);
	w.f.list.v[0].compromised = true;
	CHECK_OK(read_text(&w.review, IGNORE("CVE-1", "")), &err);
	vex_of(&w, "v.json", "vex\tCVE-1\t*\tnot_affected");
	CHECK_OK(sap_review_apply(&w.review, &w.f, NOW, &err), &err);
	CHECK(!suppressed(&w, XZ) && suppressed(&w, ZLIB));
	CHECK_INT(w.f.n_compromised, 1);
	if (CHECK_INT(w.f.notes.n, 1))
		CHECK_STR(w.f.notes.v[0], "exception for CVE-1 (x.toml:1) names no package: "
					  "malicious code is not suppressed by it");
	world_clear(&w);

	world_init(&w);
	w.f.list.v[0].compromised = true;
	CHECK_OK(read_text(&w.review, IGNORE("CVE-1", "package = 'xz-utils'\n")), &err);
	CHECK_OK(sap_review_apply(&w.review, &w.f, NOW, &err), &err);
	CHECK(suppressed(&w, XZ));
	CHECK_INT(w.f.n_compromised, 0);
	world_clear(&w);

	world_init(&w);
	w.f.list.v[0].compromised = true;
	vex_of(&w, "v.json", "vex\tCVE-1\tpkg:deb/debian/xz-utils\tnot_affected");
	CHECK_OK(sap_review_apply(&w.review, &w.f, NOW, &err), &err);
	CHECK(suppressed(&w, XZ) && !suppressed(&w, ZLIB));
	world_clear(&w);
}

static void vex_statuses(void)
{
	static const struct {
		const char *status;
		uint8_t xz, zlib, thing; /* 0: suppressed */
	} cases[] = {
		{ "not_affected", 0, 0, 0 },
		{ "fixed", 0, 0, 0 },
		{ "affected", SAP_STATUS_AFFECTED, SAP_STATUS_UNFIXED, SAP_STATUS_AFFECTED },
		{ "under_investigation", SAP_STATUS_UNDER_INVESTIGATION,
		  SAP_STATUS_UNDER_INVESTIGATION, SAP_STATUS_UNDER_INVESTIGATION },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world w;
		char line[100];

		world_init(&w);
		for (int n = 1; n <= 2; n++) {
			snprintf(line, sizeof(line), "vex\tCVE-%d\t*\t%s", n, cases[i].status);
			vex_of(&w, "v.json", line);
		}
		CHECK_OK(sap_review_apply(&w.review, &w.f, NOW, &err), &err);
		check_int(cases[i].status, (int)i, "xz",
			  suppressed(&w, XZ) ? 0 : finding(&w, XZ)->status, cases[i].xz);
		check_int(cases[i].status, (int)i, "zlib",
			  suppressed(&w, ZLIB) ? 0 : finding(&w, ZLIB)->status, cases[i].zlib);
		check_int(cases[i].status, (int)i, "thing",
			  suppressed(&w, OBJECT) ? 0 : finding(&w, OBJECT)->status, cases[i].thing);
		CHECK_INT(w.f.notes.n, 0);
		world_clear(&w);
	}
}

static void vex_reasons(void)
{
	struct world w;

	world_init(&w);
	vex_of(&w, "v.json",
	       "vex\tghsa-XXXX\tpkg:deb/debian/liblzma5\tnot_affected\t"
	       "justification=vulnerable_code_not_present\taction=none\tdate=2026-01-01");
	vex_of(&w, "w.json", "vex\tCVE-2\t*\tfixed");
	w.f.list.v[0].steps = &w.step;
	w.f.list.v[0].n_steps = 1;
	CHECK_OK(sap_review_apply(&w.review, &w.f, NOW, &err), &err);
	CHECK(w.review.vex.v[0].used);
	sap_review_clear(&w.review);
	if (CHECK(suppressed(&w, XZ) && suppressed(&w, OBJECT))) {
		CHECK_STR(finding(&w, XZ)->suppression->by, "v.json");
		CHECK_STR(finding(&w, XZ)->suppression->reason, "vulnerable_code_not_present");
		CHECK_STR(finding(&w, XZ)->suppression->until, "");
		CHECK_STR(finding(&w, OBJECT)->suppression->by, "w.json");
		CHECK_STR(finding(&w, OBJECT)->suppression->reason, "fixed");
	}
	if (CHECK_INT(finding(&w, XZ)->n_steps, 2)) {
		CHECK_STR(finding(&w, XZ)->steps[1].source, "VEX");
		CHECK_STR(finding(&w, XZ)->steps[1].space, "v.json");
		CHECK_STR(finding(&w, XZ)->steps[1].outcome, "suppressed");
	}
	CHECK(!suppressed(&w, ZLIB));
	world_clear(&w);
}

static void vex_products_and_subcomponents(void)
{
	static const struct {
		const char *product, *subcomponent;
		bool xz;
	} cases[] = {
		{ "pkg:deb/debian/xz-utils", "", true },
		{ "pkg:deb/debian/xz-utils@1:5.4.1-1", "", true },
		{ "pkg:deb/debian/xz-utils@1:5.4.1-2", "", false },
		{ "pkg:oci/image", "", false },
		{ "xz-utils", "", false },
		{ "pkg:oci/image", "\tsubcomponent=pkg:deb/debian/xz-utils", true },
		{ "*", "\tsubcomponent=pkg:deb/debian/xz-utils", true },
		{ "*", "\tsubcomponent=pkg:deb/debian/zlib", false },
		{ "*", "\tsubcomponent=pkg:deb/debian/other,pkg:deb/debian/liblzma5", true },
		{ "*", "\tsubcomponent=pkg:deb/debian/a\\,b,pkg:deb/debian/liblzma5", true },
		{ "pkg:deb/debian/xz-utils", "\tsubcomponent=pkg:deb/debian/other", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world w;
		char line[200];

		world_init(&w);
		snprintf(line, sizeof(line), "vex\tCVE-1\t%s\tnot_affected%s", cases[i].product,
			 cases[i].subcomponent);
		vex_of(&w, "v.json", line);
		CHECK_OK(sap_review_apply(&w.review, &w.f, NOW, &err), &err);
		check_int(line, (int)i, "xz", suppressed(&w, XZ), cases[i].xz);
		world_clear(&w);
	}
}

static void the_later_statement_wins(void)
{
	static const struct {
		const char *first, *second;
		bool suppressed; /* first says affected, second not_affected */
	} cases[] = {
		{ "2026-01-01", "2026-01-02", true },
		{ "2026-01-02", "2026-01-01", false },
		{ "2026-01-01", "2026-01-01", true },
		{ "", "", true },
		{ "2026-01-01", "", false },
		{ "", "2026-01-01", true },
		{ "2026-01-01T10:00:00Z", "2026-01-01T09:00:00Z", false },
		{ "2026-01-01T10:00:00Z", "2026-01-01T11:30:00+02:00", false },
		{ "2026-01-01T10:00:00.5Z", "2026-01-01T08:30:00.25-02:00", true },
		{ "2026-01-01", "2026-01-01T00:00:01Z", true },
		{ "2026-01-01", "nonsense", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world w;
		char line[200];

		world_init(&w);
		snprintf(line, sizeof(line), "vex\tCVE-1\t*\taffected\tdate=%s", cases[i].first);
		vex_of(&w, "a.json", line);
		snprintf(line, sizeof(line), "vex\tDSA-1-1\t*\tnot_affected\tdate=%s",
			 cases[i].second);
		vex_of(&w, "b.json", line);
		CHECK_OK(sap_review_apply(&w.review, &w.f, NOW, &err), &err);
		check_int(cases[i].second, (int)i, cases[i].first, suppressed(&w, XZ),
			  cases[i].suppressed);
		world_clear(&w);
	}
}

static void an_exception_goes_before_vex(void)
{
	struct world w;

	world_init(&w);
	CHECK_OK(read_text(&w.review, IGNORE("CVE-1", "package = 'zlib'\n")), &err);
	vex_of(&w, "v.json", "vex\tCVE-1\t*\tunder_investigation");
	CHECK_OK(sap_review_apply(&w.review, &w.f, NOW, &err), &err);
	CHECK(suppressed(&w, ZLIB));
	CHECK_INT(finding(&w, ZLIB)->status, SAP_STATUS_UNFIXED);
	CHECK_INT(finding(&w, XZ)->status, SAP_STATUS_UNDER_INVESTIGATION);
	world_clear(&w);
}

static void what_does_not_count_is_left_alone(void)
{
	struct world w;

	world_init(&w);
	w.f.list.v[0].status = SAP_STATUS_FIXED;
	CHECK_OK(read_text(&w.review, IGNORE("DSA-1-1", "until = 2020-01-01\n")), &err);
	vex_of(&w, "v.json", "vex\tCVE-1\tpkg:deb/debian/xz-utils\taffected");
	CHECK_OK(sap_review_apply(&w.review, &w.f, NOW, &err), &err);
	CHECK(!suppressed(&w, XZ));
	CHECK_INT(finding(&w, XZ)->status, SAP_STATUS_FIXED);
	CHECK_INT(w.f.notes.n, 0);
	world_clear(&w);
}

static void rows_that_are_no_statements(void)
{
	static const char *const lines[] = { "vex\tCVE-1\t*\tunknown", "kev\tCVE-1",
					     "vex\t\t*\tfixed", "vex\tCVE-1\t\tfixed" };
	struct sap_review review;
	struct sap_row row;

	sap_review_init(&review);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (sap_row_parse(sap_str_of(lines[i]), &review.arena, &row, &err) < 0)
			continue;
		CHECK_INT(sap_review_add_vex(&review, &row, SAP_STR("v.json"), &err), SAP_EFORMAT);
		CHECK(strncmp(err.text, "v.json: ", 8) == 0);
	}
	CHECK_INT(review.vex.n, 0);
	sap_review_clear(&review);
}

int main(void)
{
	a_file_with_everything();
	bad_files_name_the_line();
	cut_at_each_byte();
	too_much_is_a_limit();
	purl_patterns();
	purls_of_other_tools_match();
	exceptions_suppress();
	a_package_may_be_named_in_many_ways();
	notes_for_expired_and_unused();
	the_last_day_is_whole();
	malicious_code_needs_its_package_named();
	vex_statuses();
	vex_reasons();
	vex_products_and_subcomponents();
	the_later_statement_wins();
	an_exception_goes_before_vex();
	what_does_not_count_is_left_alone();
	rows_that_are_no_statements();
	return check_done();
}
