/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CSAF, OpenVEX, CycloneDX, CVE records: documents of our own against the rows that they must
 * give (tests/import/vex), the same documents with each value in turn replaced by one of another
 * kind, and real documents.
 */
#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fd.h"
#include "check.h"
#include "import/import_int.h"
#include "import/vex_int.h"

static int collect(void *ctx, struct sap_str lines, struct sap_err *err)
{
	struct sap_buf *out = ctx;

	(void)err;
	sap_buf_puts(out, lines);
	return 0;
}

static const struct sap_import_format *const formats[] = {
	&sap_format_csaf,
	&sap_format_openvex,
	&sap_format_cyclonedx,
	&sap_format_cve,
};

/* The rows of a document, in out. */
static int import(struct sap_str bytes, const char *name, const struct sap_import_format *format,
		  struct sap_buf *out, struct sap_err *err)
{
	struct sap_import_options options = { .name = name };
	struct sap_rows rows;
	int rc;

	sap_buf_reset(out);
	sap_rows_init(&rows, collect, out);
	rc = sap_import_memory(bytes, format, &options, &rows, err);
	sap_rows_clear(&rows);
	return rc;
}

static bool read_file(const char *folder, const char *name, const char *tail, struct sap_buf *out)
{
	char path[4096];
	unsigned char block[65536];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/import/vex/%s%s", folder, name, tail);
	f = fopen(path, "rb");
	if (!CHECK(f != NULL))
		return false;
	while ((n = fread(block, 1, sizeof(block), f)) > 0)
		sap_buf_put(out, block, n);
	fclose(f);
	return true;
}

/* ---- documents of our own --------------------------------------------------------------- */

static const struct {
	const char *file;
	const struct sap_import_format *format;
} documents[] = {
	{ "redhat-vex.json", &sap_format_csaf },
	{ "redhat-advisory.json", &sap_format_csaf },
	{ "redhat-remediations.json", &sap_format_csaf },
	{ "suse-vex.json", &sap_format_csaf },
	{ "own-csaf.json", &sap_format_csaf },
	{ "wrong.jsonl", &sap_format_csaf },
	{ "openvex.json", &sap_format_openvex },
	{ "openvex-0.0.1.json", &sap_format_openvex },
	{ "cyclonedx.json", &sap_format_cyclonedx },
	{ "cyclonedx-silent.json", &sap_format_cyclonedx },
	{ "cve.jsonl", &sap_format_cve },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Line by line, so that a difference is short. */
static void compare(const char *file, struct sap_str got, struct sap_str want)
{
	struct sap_str a, b;
	unsigned line = 0;

	for (;;) {
		bool more_a = sap_str_line(&got, &a), more_b = sap_str_line(&want, &b);

		line++;
		if (!more_a && !more_b)
			break;
		if (!more_a || !more_b || !sap_str_eq(a, b)) {
			printf("%s: row %u\n  got  %.*s\n  want %.*s\n", file, line,
			       more_a ? (int)a.n : 0, a.p, more_b ? (int)b.n : 0, b.p);
			CHECK(false); /* the rows are not as expected */
			return;
		}
	}
	CHECK(line > 1);
}

static void test_recognition(struct sap_str bytes, const struct sap_import_format *format)
{
	struct sap_import_head head = { .bytes = bytes, .json = true };
	struct sap_arena arena;
	struct sap_err err;

	sap_arena_init(&arena, 0);
	if (bytes.n > SAP_IMPORT_HEAD)
		head.bytes.n = SAP_IMPORT_HEAD;
	if (CHECK_OK(sap_json_head(head.bytes, &arena, &head.root, &err), &err))
		for (size_t i = 0; i < COUNT(formats); i++)
			CHECK_INT(formats[i]->recognise(&head), formats[i] == format);
	sap_arena_clear(&arena);
}

static void test_documents(const char *folder)
{
	struct sap_buf bytes, want, got;
	struct sap_err err;

	sap_buf_init(&bytes, 1 << 24);
	sap_buf_init(&want, 1 << 24);
	sap_buf_init(&got, 1 << 24);
	for (size_t i = 0; i < COUNT(documents); i++) {
		sap_buf_reset(&bytes);
		sap_buf_reset(&want);
		if (!read_file(folder, documents[i].file, "", &bytes) ||
		    !read_file(folder, documents[i].file, ".rows", &want))
			continue;
		if (CHECK_OK(import(sap_buf_str(&bytes), documents[i].file, documents[i].format,
				    &got, &err),
			     &err))
			compare(documents[i].file, sap_buf_str(&got), sap_buf_str(&want));
		test_recognition(sap_buf_str(&bytes), documents[i].format);
		/* Cut anywhere, and read as another format: any answer but a crash. */
		for (size_t n = 0; n < bytes.n; n += 61)
			import((struct sap_str){ (char *)bytes.p, n }, "cut", documents[i].format,
			       &got, &err);
		for (size_t f = 0; f < COUNT(formats); f++)
			import(sap_buf_str(&bytes), "other", formats[f], &got, &err);
	}
	sap_buf_clear(&bytes);
	sap_buf_clear(&want);
	sap_buf_clear(&got);
}

/* ---- wrong types anywhere --------------------------------------------------------------- */

struct mutation {
	const struct sap_import_format *format;
	struct sap_import *im;
	uint64_t done;
};

static void try_value(struct mutation *m, struct sap_json *v, const struct sap_json *root)
{
	static struct sap_json element = { .kind = SAP_JSON_STRING, .text = { "x", 1 } };
	static const struct sap_json others[] = {
		{ .kind = SAP_JSON_NULL },
		{ .kind = SAP_JSON_BOOL, .text = { "true", 4 } },
		{ .kind = SAP_JSON_NUMBER, .text = { "1e9", 3 } },
		{ .kind = SAP_JSON_STRING },
		{ .kind = SAP_JSON_STRING, .text = { "pkg:rpm/a@%2-:1?rpmmod=:&arch", 29 } },
		{ .kind = SAP_JSON_STRING, .text = { "\t\0%::-.src", 10 } },
		{ .kind = SAP_JSON_STRING, .text = { "urn:cdx:#%4", 11 } },
		{ .kind = SAP_JSON_STRING, .text = { "cpe:/o:redhat:enterprise_linux", 30 } },
		{ .kind = SAP_JSON_ARRAY },
		{ .kind = SAP_JSON_ARRAY, .n = 1, .first = &element },
		{ .kind = SAP_JSON_OBJECT },
		{ .kind = SAP_JSON_OBJECT, .n = 1, .first = &element },
	};
	struct sap_json saved = *v;
	struct sap_err err;

	for (size_t i = 0; i <= COUNT(others); i++) {
		if (i < COUNT(others)) {
			*v = others[i];
			v->key = saved.key;
		} else {
			*v = saved;
			v->key = SAP_STR("renamed");
		}
		v->next = saved.next;
		if (!CHECK_OK(m->format->record(m->im, root, &err), &err))
			break;
		m->done++;
	}
	*v = saved;
	for (struct sap_json *c = v->first; c; c = c->next)
		try_value(m, c, root);
}

static const struct sap_import_format *mutated;
static uint64_t mutations;

/* The values belong to the stream, which does not look at them again. */
static int mutate(struct sap_import *im, const struct sap_json *value, struct sap_err *err)
{
	struct mutation m = { .format = mutated, .im = im };

	(void)err;
	try_value(&m, (struct sap_json *)(uintptr_t)value, value);
	mutations += m.done;
	return 0;
}

static void test_wrong_types(const char *folder)
{
	struct sap_buf bytes, got;
	struct sap_err err;

	sap_buf_init(&bytes, 1 << 24);
	sap_buf_init(&got, 1u << 31);
	for (size_t i = 0; i < COUNT(documents); i++) {
		struct sap_import_format format = *documents[i].format;

		sap_buf_reset(&bytes);
		if (!read_file(folder, documents[i].file, "", &bytes))
			continue;
		mutated = documents[i].format;
		format.record = mutate;
		import(sap_buf_str(&bytes), documents[i].file, &format, &got, &err);
	}
	CHECK(mutations > 10000);
	sap_buf_clear(&bytes);
	sap_buf_clear(&got);
}

/* ---- dates ------------------------------------------------------------------------------ */

static void test_dates(void)
{
	static const char *const dates[][2] = {
		{ "2031-01-02", "2031-01-02" },
		{ "2031-01-02T03:04:05Z", "2031-01-02T03:04:05Z" },
		{ "2031-01-02t03:04:05z", "2031-01-02T03:04:05Z" },
		{ "2031-01-02 03:04:05", "2031-01-02T03:04:05Z" },
		{ "2031-01-02T03:04:05.999999999+00:00", "2031-01-02T03:04:05Z" },
		{ "2031-12-31T23:30:00-01:00", "2032-01-01T00:30:00Z" },
		{ "2032-03-01T00:30:00+01:00", "2032-02-29T23:30:00Z" },
		{ "2031-03-01T00:30:00+00:31", "2031-02-28T23:59:00Z" },
		{ "2031-02-28T12:00:00-23:59", "2031-03-01T11:59:00Z" },
		{ "0000-01-01T00:00:00+01:00", "" },
		{ "9999-12-31T23:59:00-01:00", "" },
		{ "2031-02-29", "" },
		{ "2031-13-01", "" },
		{ "2031-00-01", "" },
		{ "2031-01-02T24:00:00Z", "" },
		{ "2031-1-2", "" },
		{ "yesterday", "" },
		{ "", "" },
		{ "2031-01-02T", "" },
		{ "2031-01-02T03:04:05+99:00", "" },
	};
	struct sap_arena arena;
	struct sap_str out;

	sap_arena_init(&arena, 0);
	for (size_t i = 0; i < COUNT(dates); i++) {
		CHECK(sap_vex_date(&arena, sap_str_of(dates[i][0]), &out));
		CHECK_STR(out, dates[i][1]);
	}
	sap_arena_clear(&arena);
}

/* ---- real documents --------------------------------------------------------------------- */

struct real {
	uint64_t files, failed, claims, problems, vulnerabilities;
	bool curl, eus, samba;
};

static void look(struct sap_str rows, struct real *real)
{
	struct sap_str line;

	while (sap_str_line(&rows, &line)) {
		real->claims += sap_str_starts(line, SAP_STR("claim\t"));
		real->problems += sap_str_starts(line, SAP_STR("problem\t"));
		real->vulnerabilities += sap_str_starts(line, SAP_STR("vulnerability\t"));
		real->curl |= sap_str_is(line, "claim\tRed Hat:9\tcurl,curl-minimal,libcurl,"
					       "libcurl-devel,libcurl-minimal\taffected\t"
					       "introduced=0\tfixed=7.76.1-26.el9_3.2");
		real->eus |= sap_str_is(line, "claim\tRed Hat:rhel_eus:9.0\tcurl\taffected\t"
					      "introduced=0\tfixed=7.76.1-14.el9_0.9\tby=source");
	}
}

/* Reads every *.json of an archive whose path has the part in it. */
static bool read_archive(const char *path, const char *part, const struct sap_import_format *format,
			 struct real *real)
{
	struct archive *a = archive_read_new();
	struct archive_entry *entry;
	struct sap_buf bytes, got;
	struct sap_err err;
	char block[65536];
	bool ok;

	sap_buf_init(&bytes, 1 << 26);
	sap_buf_init(&got, 1 << 26);
	archive_read_support_filter_all(a);
	archive_read_support_format_tar(a);
	ok = archive_read_open_filename(a, path, sizeof(block)) == ARCHIVE_OK;
	while (ok && archive_read_next_header(a, &entry) == ARCHIVE_OK) {
		const char *name = archive_entry_pathname(entry);
		ssize_t n;

		if (!strstr(name, part) || !sap_str_ends(sap_str_of(name), SAP_STR(".json")))
			continue;
		sap_buf_reset(&bytes);
		while ((n = archive_read_data(a, block, sizeof(block))) > 0)
			sap_buf_put(&bytes, block, (size_t)n);
		real->files++;
		if (import(sap_buf_str(&bytes), name, format, &got, &err) < 0)
			real->failed++;
		look(sap_buf_str(&got), real);
	}
	archive_read_free(a);
	sap_buf_clear(&bytes);
	sap_buf_clear(&got);
	return ok;
}

static void test_real(const char *shared)
{
	struct real redhat = { 0 }, trivy = { 0 }, cve = { 0 };
	char path[4096];

	snprintf(path, sizeof(path), "%s/data/fixtures/claircore-vuln-fixtures.tar.zst", shared);
	if (access(path, R_OK) != 0) {
		check_skip("real documents", "the folder of shared data is not here");
		return;
	}
	CHECK(read_archive(path, "rhel/vex/testdata/cve-", &sap_format_csaf, &redhat));
	CHECK_INT(redhat.files, 7);
	CHECK_INT(redhat.failed, 0);
	CHECK_INT(redhat.claims, 121);
	CHECK_INT(redhat.problems, 1); /* the one with a bad rpmmod qualifier */
	CHECK(redhat.curl);
	CHECK(redhat.eus);
	snprintf(path, sizeof(path), "%s/data/fixtures/trivy-db-fixtures.tar.zst", shared);
	CHECK(read_archive(path, "/csaf-vex/cve-", &sap_format_csaf, &trivy));
	CHECK_INT(trivy.files, 6);
	CHECK_INT(trivy.failed, 0);
	snprintf(path, sizeof(path), "%s/data/enrich/cve-records-vulnrichment-subset.tar.zst",
		 shared);
	CHECK(read_archive(path, "CVE-", &sap_format_cve, &cve));
	CHECK_INT(cve.files, 4085);
	CHECK_INT(cve.failed, 0);
	CHECK_INT(cve.vulnerabilities, 4082);
	CHECK_INT(cve.problems, 0);
}

int main(void)
{
	const char *tests = getenv("SAP_TESTS"), *shared = getenv("SAP_SHARED");

	if (!tests)
		tests = "tests";
	test_documents(tests);
	test_wrong_types(tests);
	test_dates();
	test_real(shared ? shared : "");
	return check_done();
}
