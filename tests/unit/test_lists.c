/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Import formats that are lists or simple JSON. tests/import/lists/NAME.in are inputs,
 * NAME.rows the rows that they must give, written by hand.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/limits.h"
#include "check.h"
#include "import/csv.h"
#include "import/import_int.h"
#include "import/lists_int.h"

static const struct sap_import_format *const formats[] = {
	&sap_format_debian_dsa, &sap_format_debian_cve, &sap_format_debian_json,
	&sap_format_ubuntu,     &sap_format_secdb,      &sap_format_arch,
	&sap_format_kev_json,   &sap_format_kev_csv,    &sap_format_epss,
	&sap_format_functions,
};

#define N(table) (sizeof(table) / sizeof((table)[0]))

/* ---- running an import ------------------------------------------------------------------ */

static int keep(void *ctx, struct sap_str lines, struct sap_err *err)
{
	struct sap_buf *out = ctx;

	sap_buf_puts(out, lines);
	return sap_buf_ok(out) ? 0 : sap_err_nomem(err);
}

static int import(struct sap_str bytes, const char *name, const struct sap_import_format *format,
		  struct sap_buf *out)
{
	struct sap_import_options options = { .name = name };
	struct sap_rows rows;
	int rc;

	sap_buf_reset(out);
	sap_rows_init(&rows, keep, out);
	rc = sap_import_memory(bytes, format, &options, &rows, NULL);
	sap_rows_clear(&rows);
	return rc;
}

static bool read_file(const char *path, struct sap_buf *out)
{
	FILE *f = fopen(path, "rb");
	char piece[4096];
	size_t n;

	if (!f)
		return false;
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
		sap_buf_put(out, piece, n);
	fclose(f);
	return sap_buf_ok(out);
}

/* ---- golden pairs ----------------------------------------------------------------------- */

static void compare(const char *name, struct sap_str got, struct sap_str want)
{
	struct sap_str a, b;
	unsigned line = 0;

	for (;;) {
		bool more = sap_str_line(&got, &a), wanted = sap_str_line(&want, &b);

		line++;
		if (!more && !wanted)
			break;
		if (more && wanted && sap_str_eq(a, b))
			continue;
		printf("%s.rows, line %u\n  got:    %.*s\n  wanted: %.*s\n", name, line,
		       SAP_FMT(more ? a : SAP_STR("(no more rows)")),
		       SAP_FMT(wanted ? b : SAP_STR("(no more rows)")));
		CHECK(false);
		return;
	}
	CHECK(true);
}

/* How many of the formats take a document for theirs. */
static unsigned recognised(struct sap_str bytes, const struct sap_import_format **which)
{
	struct sap_import_head head = { .bytes = bytes };
	struct sap_str text = sap_str_trim(bytes);
	struct sap_arena arena;
	struct sap_err err;
	unsigned n = 0;

	sap_arena_init(&arena, 0);
	if (text.n > 0 && (text.p[0] == '{' || text.p[0] == '[')) {
		int rc = sap_json_head(text, &arena, &head.root, &err);

		head.json_array = sap_json_is(head.root, SAP_JSON_ARRAY);
		head.json = head.root && (rc == 0 || !head.json_array ||
					  sap_json_is(head.root->first, SAP_JSON_OBJECT));
	}
	for (size_t i = 0; i < N(formats); i++) {
		if (formats[i]->json == head.json && formats[i]->recognise(&head)) {
			*which = formats[i];
			n++;
		}
	}
	sap_arena_clear(&arena);
	return n;
}

/* Cut off anywhere, and with any byte changed: never a crash, and what comes out are rows. */
static void torment(const char *name, struct sap_str input, const struct sap_import_format *format)
{
	char *copy = malloc(input.n + 1);
	struct sap_buf out;

	if (!copy)
		return;
	sap_buf_init(&out, 64 * SAP_MIB);
	for (size_t n = 0; n < input.n; n++) {
		char *cut = malloc(n + 1); /* so that a sanitizer sees a step over the end */

		if (!cut)
			break;
		memcpy(cut, input.p, n);
		import((struct sap_str){ cut, n }, name, format, &out);
		free(cut);
	}
	memcpy(copy, input.p, input.n);
	for (size_t i = 0; i < input.n; i++) {
		copy[i] = (char)(copy[i] ^ (1 << i % 8));
		import((struct sap_str){ copy, input.n }, name, format, &out);
		copy[i] = input.p[i];
	}
	CHECK(import(input, name, format, &out) == 0);
	sap_buf_clear(&out);
	free(copy);
}

static void golden(const char *folder, const char *name)
{
	const struct sap_import_format *format = NULL;
	struct sap_buf input, want, got;
	char path[1200], title[256];

	sap_buf_init(&input, 64 * SAP_MIB);
	sap_buf_init(&want, 64 * SAP_MIB);
	sap_buf_init(&got, 64 * SAP_MIB);
	snprintf(title, sizeof(title), "%s.in", name);
	snprintf(path, sizeof(path), "%s/%s.in", folder, name);
	CHECK(read_file(path, &input));
	snprintf(path, sizeof(path), "%s/%s.rows", folder, name);
	CHECK(read_file(path, &want));
	CHECK_INT(recognised(sap_buf_str(&input), &format), 1);
	CHECK_INT(import(sap_buf_str(&input), title, NULL, &got), 0);
	compare(name, sap_buf_str(&got), sap_buf_str(&want));
	if (format)
		torment(title, sap_buf_str(&input), format);
	sap_buf_clear(&input);
	sap_buf_clear(&want);
	sap_buf_clear(&got);
}

static void test_golden(void)
{
	const char *tests = getenv("SAP_TESTS");
	char folder[900], name[200];
	struct dirent *entry;
	DIR *dir;
	int n = 0;

	if (!tests) {
		check_skip("golden pairs", "SAP_TESTS is not set");
		return;
	}
	snprintf(folder, sizeof(folder), "%s/import/lists", tests);
	dir = opendir(folder);
	while (dir && (entry = readdir(dir)) != NULL) {
		struct sap_str file = sap_str_of(entry->d_name);

		if (!sap_str_ends(file, SAP_STR(".in")))
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)(file.n - 3), file.p);
		golden(folder, name);
		n++;
	}
	if (dir)
		closedir(dir);
	CHECK(n >= 12);
}

/* ---- what is none of them --------------------------------------------------------------- */

static void test_not_recognised(void)
{
	static const char *const others[] = {
		"",
		"\n\n",
		"[]",
		"{}",
		"[1, 2]",
		"CVE-2024-3094",
		"CVE-2024-3094,high,low\n",
		"cve,cvss\nCVE-2024-3094,9.8\n",
		"cveID,vendor\nCVE-2024-3094,x\n",
		"[12 Feb 2025] USN-1-1 x - y\n",
		"[bookworm] - xz-utils 1.0\n",
		"Candidate: CVE-2024-3094\n",
		"Package: xz-utils\nVersion: 1.0\n",
		"#id\tvalue\nCVE-2024-3094\t1\n",
		"#sapper-advisories 1\nsource\tosv\tx\n",
		"# a table\nCVE-2024-3094\tcurl\tf\n",
		"{\"packages\": []}",
		"{\"catalogVersion\": \"1\"}",
		"{\"name\": \"AVG-1\"}",
		"{\"xz\": {\"CVE-2024-3094\": {\"score\": 1}}}",
		"{\"id\": \"CVE-2024-3094\", \"affected\": []}",
	};
	const struct sap_import_format *which;

	for (size_t i = 0; i < N(others); i++) {
		if (!CHECK_INT(recognised(sap_str_of(others[i]), &which), 0))
			printf("  in: %s\n", others[i]);
	}
}

/* ---- CSV -------------------------------------------------------------------------------- */

static void test_csv(void)
{
	struct sap_err err;
	struct sap_csv csv;

	sap_csv_init(&csv, ',');
	CHECK_INT(sap_csv_line(&csv, SAP_STR("a,,c"), 1, &err), 1);
	CHECK_INT(csv.fields.n, 3);
	CHECK_STR(sap_csv_field(&csv, 1), "");
	CHECK_STR(sap_csv_field(&csv, 2), "c");
	CHECK_STR(sap_csv_field(&csv, 3), "");
	CHECK_INT(sap_csv_line(&csv, SAP_STR(""), 2, &err), 1);
	CHECK_INT(csv.fields.n, 1);
	CHECK_INT(sap_csv_line(&csv, SAP_STR("\"a,\"\"b\"\"\",x\"y,\"\""), 3, &err), 1);
	CHECK_INT(csv.fields.n, 3);
	CHECK_STR(sap_csv_field(&csv, 0), "a,\"b\"");
	CHECK_STR(sap_csv_field(&csv, 1), "x\"y");
	CHECK_STR(sap_csv_field(&csv, 2), "");
	CHECK_INT(sap_csv_line(&csv, SAP_STR("1,\"two"), 4, &err), 0);
	CHECK_INT(sap_csv_line(&csv, SAP_STR(""), 5, &err), 0);
	CHECK_INT(sap_csv_line(&csv, SAP_STR("lines\"tail,3\r"), 6, &err), 1);
	CHECK_INT(csv.line, 4);
	CHECK_STR(sap_csv_field(&csv, 1), "two\n\nlinestail");
	CHECK_STR(sap_csv_field(&csv, 2), "3");
	CHECK_INT(sap_csv_line(&csv, SAP_STR("1,\"open"), 7, &err), 0);
	for (unsigned i = 1; i < SAP_CSV_LINES_MAX; i++)
		CHECK(sap_csv_line(&csv, SAP_STR("x,y"), 7 + i, &err) == 0);
	CHECK_INT(sap_csv_line(&csv, SAP_STR("x"), 1000, &err), SAP_ELIMIT);
	CHECK_INT(sap_csv_line(&csv, SAP_STR("new,record"), 1001, &err), 1);
	CHECK_STR(sap_csv_field(&csv, 0), "new");
	sap_csv_clear(&csv);
}

/* ---- names ------------------------------------------------------------------------------ */

static void test_names(void)
{
	static const struct {
		size_t n;
		const char *name;
	} temps[] = {
		{ 0, "TEMP-0000000-D41D8C" },   { 1, "TEMP-0000001-0CC175" },
		{ 55, "TEMP-0000055-EF1772" },  { 56, "TEMP-0000056-3B0C8A" },
		{ 63, "TEMP-0000063-B06521" },  { 64, "TEMP-0000064-014842" },
		{ 65, "TEMP-0000065-C743A4" },  { 119, "TEMP-0000119-8A7BD0" },
		{ 120, "TEMP-0000120-5F61C0" }, { 200, "TEMP-0000200-887F30" },
	};
	static const char *const products[] = { "fips/xenial",    "fips-updates/focal", "snap",
						"ros-esm/bionic", "vivid/ubuntu-core",  "upstream",
						"realtime/jammy" };
	char text[200], name[SAP_TEMP_NAME_MAX];
	struct sap_str space;
	bool pro;

	memset(text, 'a', sizeof(text));
	for (size_t i = 0; i < N(temps); i++) {
		sap_debian_temp_name(temps[i].n, (struct sap_str){ text, temps[i].n }, name);
		CHECK_STR(sap_str_of(name), temps[i].name);
	}
	CHECK_INT(sap_debian_space(SAP_STR("bookworm-security"), &space), SAP_CODENAME_RELEASE);
	CHECK_STR(space, "Debian:12");
	CHECK_INT(sap_debian_space(SAP_STR("sid"), &space), SAP_CODENAME_RELEASE);
	CHECK_STR(space, "Debian");
	CHECK_INT(sap_debian_space(SAP_STR("bookworm-backports"), &space), SAP_CODENAME_NONE);
	CHECK_INT(sap_debian_space(SAP_STR("bookwormy"), &space), SAP_CODENAME_UNKNOWN);
	CHECK_INT(sap_ubuntu_space(SAP_STR("esm-apps/jammy"), &space, &pro), SAP_CODENAME_RELEASE);
	CHECK_STR(space, "Ubuntu:Pro:22.04");
	CHECK(pro);
	CHECK_INT(sap_ubuntu_space(SAP_STR("trusty/esm"), &space, &pro), SAP_CODENAME_RELEASE);
	CHECK_STR(space, "Ubuntu:Pro:14.04");
	CHECK_INT(sap_ubuntu_space(SAP_STR("dapper"), &space, &pro), SAP_CODENAME_RELEASE);
	CHECK_STR(space, "Ubuntu:6.06");
	CHECK(!pro);
	for (size_t i = 0; i < N(products); i++)
		CHECK_INT(sap_ubuntu_space(sap_str_of(products[i]), &space, &pro),
			  SAP_CODENAME_NONE);
	CHECK_INT(sap_ubuntu_space(SAP_STR("zebra"), &space, &pro), SAP_CODENAME_UNKNOWN);
	CHECK_INT(sap_ubuntu_space(SAP_STR("esm-infra/zebra"), &space, &pro), SAP_CODENAME_UNKNOWN);
}

static void test_texts(void)
{
	struct sap_arena arena;

	sap_arena_init(&arena, 0);
	CHECK_STR(sap_list_date(&arena, SAP_STR("2025-08-25")), "2025-08-25");
	CHECK_STR(sap_list_date(&arena, SAP_STR("2025-08-25 UTC")), "2025-08-25");
	CHECK_STR(sap_list_date(&arena, SAP_STR("2025-08-25T17:04:19.97Z")),
		  "2025-08-25T17:04:19Z");
	CHECK_STR(sap_list_date(&arena, SAP_STR("2022-03-15 17:15:00 UTC")),
		  "2022-03-15T17:15:00Z");
	CHECK_STR(sap_list_date(&arena, SAP_STR("2025-08-251")), "");
	CHECK_STR(sap_list_date(&arena, SAP_STR("2025-08")), "");
	CHECK_STR(sap_list_date(&arena, SAP_STR("")), "");
	CHECK(sap_list_version_ok(SAP_STR("1:2.0~rc1+dfsg-1_2^git")));
	CHECK(!sap_list_version_ok(SAP_STR("-1")));
	CHECK(!sap_list_version_ok(SAP_STR("1.0 2")));
	CHECK(!sap_list_version_ok(SAP_STR("")));
	CHECK(!sap_list_name_ok(SAP_STR("a,b")));
	CHECK(!sap_list_name_ok(SAP_STR("\x1b[2J")));
	sap_arena_clear(&arena);
}

/* ---- limits ----------------------------------------------------------------------------- */

/* One entry of more than SAP_IMPORT_LINE_MAX bytes is a problem, the next one is read. */
static void test_long_entry(void)
{
	struct sap_buf text, out;

	sap_buf_init(&text, 64 * SAP_MIB);
	sap_buf_init(&out, 64 * SAP_MIB);
	sap_buf_puts(&text, SAP_STR("CVE-2024-0001 (text)\n"));
	while (text.n < SAP_IMPORT_LINE_MAX + 1000)
		sap_buf_puts(&text, SAP_STR("\t- xz-utils 5.6.1+really5.4.5-1\n"));
	sap_buf_puts(&text, SAP_STR("CVE-2024-0002 (text)\n\t- foo 1.0\n"));
	CHECK(sap_buf_ok(&text));
	CHECK_INT(import(sap_buf_str(&text), "list", &sap_format_debian_cve, &out), 0);
	CHECK_STR(sap_buf_str(&out), "#sapper-advisories 1\n"
				     "source\tdebian-cve\tDebian\tmode=merge\n"
				     "problem\tlist line 1\tan entry of more than 4194304 bytes\n"
				     "record\tCVE-2024-0002\n"
				     "claim\tDebian\tfoo\taffected\tintroduced=0\tfixed=1.0\n"
				     "end\t4\n");
	sap_buf_clear(&text);
	sap_buf_clear(&out);
}

/* ---- real data -------------------------------------------------------------------------- */

static uint64_t count(struct sap_str rows, const char *kind)
{
	struct sap_str line;
	uint64_t n = 0;

	while (sap_str_line(&rows, &line))
		n += sap_str_starts(line, sap_str_of(kind)) && line.n > strlen(kind) &&
		     line.p[strlen(kind)] == '\t';
	return n;
}

/* The numbers are those of the data's own README. */
static void test_real(void)
{
	static const struct {
		const char *file, *kind;
		uint64_t n;
	} files[] = {
		{ "debian/DSA-list-2025-02-12", "record", 5909 },
		{ "debian/DLA-list-2025-02-13", "record", 4224 },
		{ "debian/DSA-list-2025-02..2026-08-21", "record", 576 },
		{ "debian/DLA-list-2025-02..2026-08-21", "record", 666 },
		{ "debian/CVE-list-excerpt", "record", 18 },
		{ "native-functions/xz-CVE-2024-3094-hook-functions.tsv", "function", 4 },
	};
	const char *shared = getenv("SAP_SHARED");
	struct sap_buf input, out;
	char path[1024];

	sap_buf_init(&input, 64 * SAP_MIB);
	sap_buf_init(&out, 64 * SAP_MIB);
	for (size_t i = 0; i < N(files); i++) {
		snprintf(path, sizeof(path), "%s/data/%s", shared ? shared : "", files[i].file);
		sap_buf_reset(&input);
		if (!shared || !read_file(path, &input)) {
			check_skip(files[i].file, "the shared data is not here");
			continue;
		}
		CHECK_INT(import(sap_buf_str(&input), files[i].file, NULL, &out), 0);
		if (!CHECK_INT(count(sap_buf_str(&out), files[i].kind), files[i].n) ||
		    !CHECK_INT(count(sap_buf_str(&out), "problem"), 0))
			printf("  in: %s\n", files[i].file);
	}
	sap_buf_clear(&input);
	sap_buf_clear(&out);
}

int main(void)
{
	test_csv();
	test_names();
	test_texts();
	test_not_recognised();
	test_golden();
	test_long_entry();
	test_real();
	return check_done();
}
