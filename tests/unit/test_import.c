/* SPDX-License-Identifier: Apache-2.0 */
/* The import's core: recognition, sources, archives, folders, rows as input, identifiers. */
#include "import/import.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "check.h"
#include "import/import_int.h"

static char top[256];
static struct sap_buf out;    /* the rows of the last import */
static struct sap_err failed; /* what it failed with */

static int collect(void *ctx, struct sap_str lines, struct sap_err *err)
{
	(void)ctx;
	(void)err;
	sap_buf_puts(&out, lines);
	return 0;
}

static void must(bool held, const char *what)
{
	if (!held) {
		perror(what);
		exit(1);
	}
}

static bool has(const char *part)
{
	return out.n > 0 && memmem(out.p, out.n, part, strlen(part)) != NULL;
}

static unsigned count(const char *part)
{
	struct sap_str left = sap_buf_str(&out);
	unsigned n = 0;

	for (const char *p; left.n > 0 && (p = memmem(left.p, left.n, part, strlen(part))); n++)
		left = sap_str_skip(left, (size_t)(p - left.p) + 1);
	return n;
}

#define HAS(part) check_true(__FILE__, __LINE__, part, has(part))
#define HAS_NO(part) check_true(__FILE__, __LINE__, "without " part, !has(part))

static int import_memory(const char *text, size_t n, const struct sap_import_options *options)
{
	struct sap_rows rows;
	int rc;

	sap_buf_clear(&out);
	sap_buf_init(&out, 64 * SAP_MIB);
	failed = (struct sap_err){ 0 };
	sap_rows_init(&rows, collect, NULL);
	rc = sap_import_memory((struct sap_str){ text, n }, NULL, options, &rows, &failed);
	sap_rows_clear(&rows);
	return rc;
}

static int import_text(const char *text)
{
	const struct sap_import_options options = { .name = "in" };

	return import_memory(text, strlen(text), &options);
}

static int import_path(const char *name, bool replace)
{
	const struct sap_import_options options = { .name = name, .replace = replace };
	struct sap_rows rows;
	char path[512];
	int fd, rc;

	snprintf(path, sizeof(path), "%s/%s", top, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	must(fd >= 0, path);
	sap_buf_clear(&out);
	sap_buf_init(&out, 64 * SAP_MIB);
	failed = (struct sap_err){ 0 };
	sap_rows_init(&rows, collect, NULL);
	rc = sap_import_fd(fd, &options, &rows, &failed);
	sap_rows_clear(&rows);
	close(fd);
	return rc;
}

static void put(const char *name, const void *bytes, size_t n)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", top, name);
	f = fopen(path, "w");
	must(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0, path);
}

static void folder(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", top, name);
	must(mkdir(path, 0755) == 0, path);
}

#define OSV(id) "{\"id\":\"" id "\",\"modified\":\"2024-01-01\",\"affected\":[]}"
#define PUT(name, text) put(name, text, strlen(text))

/* ---- archives --------------------------------------------------------------------------- */

static const char *const members[][2] = {
	{ "a/A-1.json", OSV("A-1") },
	{ "a/README", "nothing of interest" },
	{ "./B-1.json", OSV("B-1") },
	{ ".git/x/C-1.json", OSV("C-1") },
};

/* What libarchive writes of the members. */
static size_t pack(int format, int filter, unsigned char *bytes, size_t size)
{
	struct archive *a = archive_write_new();
	size_t used = 0;

	must(a && archive_write_set_format(a, format) == ARCHIVE_OK &&
		     archive_write_add_filter(a, filter) == ARCHIVE_OK &&
		     archive_write_open_memory(a, bytes, size, &used) == ARCHIVE_OK,
	     "cannot make an archive");
	for (size_t i = 0; i < 4; i++) {
		struct archive_entry *e = archive_entry_new();

		archive_entry_set_pathname(e, members[i][0]);
		archive_entry_set_filetype(e, AE_IFREG);
		archive_entry_set_perm(e, 0644);
		archive_entry_set_size(e, (la_int64_t)strlen(members[i][1]));
		must(archive_write_header(a, e) == ARCHIVE_OK &&
			     archive_write_data(a, members[i][1], strlen(members[i][1])) > 0,
		     "cannot fill an archive");
		archive_entry_free(e);
	}
	must(archive_write_close(a) == ARCHIVE_OK, "cannot close an archive");
	archive_write_free(a);
	return used;
}

static const struct {
	const char *name;
	int format, filter;
} packings[] = {
	{ "zip", ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE },
	{ "tar", ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_NONE },
	{ "tar.gz", ARCHIVE_FORMAT_TAR_PAX_RESTRICTED, ARCHIVE_FILTER_GZIP },
	{ "tar.zst", ARCHIVE_FORMAT_TAR_GNUTAR, ARCHIVE_FILTER_ZSTD },
	{ "tar.xz", ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_XZ },
	{ "tar.bz2", ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_BZIP2 },
};

static void test_archives(void)
{
	static unsigned char bytes[64 * 1024];

	for (size_t i = 0; i < sizeof(packings) / sizeof(packings[0]); i++) {
		size_t n = pack(packings[i].format, packings[i].filter, bytes, sizeof(bytes));
		char name[64], member[128];

		snprintf(name, sizeof(name), "all.%s", packings[i].name);
		put(name, bytes, n);
		CHECK_OK(import_path(name, false), &failed);
		HAS("record\tA-1\t");
		HAS("record\tB-1\t");
		HAS_NO("C-1");
		snprintf(member, sizeof(member), "problem\tall.%s/a/README\tof no known format\n",
			 packings[i].name);
		check_true(__FILE__, __LINE__, member, has(member));
		HAS("\nend\t5\n");
	}
}

/* A part of an archive is none: no end row, wherever it was cut off, unless all members are
 * there and only what follows them is missing. */
static void test_truncated_archives(void)
{
	static unsigned char bytes[64 * 1024];

	for (size_t i = 0; i < sizeof(packings) / sizeof(packings[0]); i++) {
		size_t n = pack(packings[i].format, packings[i].filter, bytes, sizeof(bytes));
		const size_t step = n > 2000 ? 101 : 3;
		unsigned refused = 0;

		for (size_t cut = 1; cut < n; cut += step) {
			int rc;

			put("cut", bytes, cut);
			rc = import_path("cut", false);
			refused += rc < 0;
			if (rc == 0)
				CHECK_INT(count("record\t"), 2);
			else if (!CHECK_INT(rc, SAP_EFORMAT) || has("\nend\t"))
				check_true(__FILE__, __LINE__, packings[i].name, false);
		}
		check_true(__FILE__, __LINE__, packings[i].name, refused > 5);
	}
}

static void test_compressed_file(void)
{
	static unsigned char bytes[64 * 1024];
	struct archive *a = archive_write_new();
	struct archive_entry *e = archive_entry_new();
	size_t used = 0;

	must(a && e && archive_write_set_format_raw(a) == ARCHIVE_OK &&
		     archive_write_add_filter_gzip(a) == ARCHIVE_OK &&
		     archive_write_open_memory(a, bytes, sizeof(bytes), &used) == ARCHIVE_OK,
	     "cannot compress");
	archive_entry_set_filetype(e, AE_IFREG);
	must(archive_write_header(a, e) == ARCHIVE_OK &&
		     archive_write_data(a, OSV("A-1"), strlen(OSV("A-1"))) > 0 &&
		     archive_write_close(a) == ARCHIVE_OK,
	     "cannot compress");
	archive_entry_free(e);
	archive_write_free(a);
	put("A-1.json.gz", bytes, used);
	CHECK_OK(import_path("A-1.json.gz", false), &failed);
	HAS("record\tA-1\t");
	put("A-1.json.gz", bytes, used - 9);
	CHECK_INT(import_path("A-1.json.gz", false), SAP_EFORMAT);
	HAS_NO("\nend\t");
}

/* ---- folders ---------------------------------------------------------------------------- */

static void test_folder(void)
{
	char link[512];

	folder("f");
	folder("f/b");
	folder("f/.git");
	PUT("outside.json", OSV("OUT-1"));
	PUT("f/z.json", OSV("Z-1"));
	PUT("f/b/b.json", OSV("B-1"));
	PUT("f/b/bad.json", "{\"id\":\"C-1\",\"modified\":\"1\",");
	PUT("f/.git/x.json", OSV("G-1"));
	PUT("f/empty", "");
	snprintf(link, sizeof(link), "%s/f/link.json", top);
	must(symlink("../outside.json", link) == 0, link);
	snprintf(link, sizeof(link), "%s/f/pipe", top);
	must(mkfifo(link, 0600) == 0, link);
	CHECK_OK(import_path("f", false), &failed);
	HAS("source\tosv\tB\nrecord\tB-1\t");
	HAS("problem\tf/b/bad.json\tno JSON at byte");
	HAS("record\tZ-1\t");
	HAS("problem\tf/empty\tthe file is empty\n");
	HAS("problem\tf/link.json\ta symbolic link, which is not followed\n");
	HAS("problem\tf/pipe\tneither a file nor a folder\n");
	HAS_NO("OUT-1");
	HAS_NO("G-1");
	HAS("\nend\t");
	folder("none");
	CHECK_INT(import_path("none", false), SAP_EFORMAT);
	CHECK(strstr(failed.text, "no file in it"));
	PUT("none/x", "nonsense");
	CHECK_INT(import_path("none", false), SAP_EFORMAT);
	HAS_NO("\nend\t");
}

/* A file that breaks off must not take the place of what was whole. */
static void test_replacing(void)
{
	folder("r");
	PUT("r/1.json", OSV("A-1"));
	PUT("r/2.json", OSV("B-1") OSV("A-2"));
	CHECK_OK(import_path("r", true), &failed);
	CHECK_INT(count("mode=replace"), 2);
	HAS("source\tosv\tA\tmode=replace\nrecord\tA-1");
	HAS("source\tosv\tA\nrecord\tA-2");
	PUT("r/2.json", OSV("B-1") "{\"id\":");
	CHECK_INT(import_path("r", true), SAP_EFORMAT);
	CHECK_OK(import_path("r", false), &failed);
}

static void test_many_unknown(void)
{
	char name[64];

	folder("u");
	PUT("u/0.json", OSV("A-1"));
	for (unsigned i = 0; i < SAP_IMPORT_UNKNOWN_MAX + 7; i++) {
		snprintf(name, sizeof(name), "u/x%u", i);
		PUT(name, "nonsense");
	}
	CHECK_OK(import_path("u", false), &failed);
	CHECK_INT(count("of no known format\n"), SAP_IMPORT_UNKNOWN_MAX + 1);
	HAS("problem\tu\t7 more files in it are of no known format\n");
}

/* ---- documents -------------------------------------------------------------------------- */

static void test_lines_of_json(void)
{
	CHECK_OK(import_text(OSV("A-1") "\n{\"id\":broken\n" OSV("A-3") "\n"), &failed);
	HAS("record\tA-1\t");
	HAS("problem\tin record 2\tthis record is left out: no JSON at byte");
	HAS("record\tA-3\t");
	CHECK_INT(import_text(OSV("A-1") "\n{\"id\":"), SAP_EFORMAT);
	CHECK_INT(import_text("{\"id\":\"A-1\",\"modified\":\"1\",}"), SAP_EFORMAT);
}

static void test_unknown(void)
{
	CHECK_INT(import_text(""), SAP_EFORMAT);
	CHECK_INT(import_text("nonsense"), SAP_EFORMAT);
	HAS_NO("\nend\t");
	CHECK_INT(import_text("{\"name\":\"x\"}"), SAP_EFORMAT);
	CHECK_INT(import_text("[1,2,3]"), SAP_EFORMAT);
	CHECK_INT(import_memory("\0\0\0\0", 4, &(struct sap_import_options){ .name = "in" }),
		  SAP_EFORMAT);
	/* A mark of the byte order is none of the text. */
	CHECK_OK(import_text("\xef\xbb\xbf" OSV("A-1")), &failed);
}

static void test_wishes(void)
{
	const struct sap_import_options options = { .name = "in",
						    .source = "mine/list",
						    .replace = true };
	const char *text = OSV("A-1") OSV("B-1");

	CHECK_OK(import_memory(text, strlen(text), &options), &failed);
	HAS("#sapper-advisories 1\nsource\tmine\tlist\tmode=replace\nrecord\tA-1\tmodified="
	    "2024-01-01\nrecord\tB-1\tmodified=2024-01-01\nend\t3\n");
}

/* 64 KiB is what recognition sees; the id stands behind it. */
static void test_late_names(void)
{
	struct sap_buf text;

	sap_buf_init(&text, 4 * SAP_MIB);
	sap_buf_puts(&text, SAP_STR("{\"affected\":[{\"package\":{\"ecosystem\":\"PyPI\",\"name\":"
				    "\"a\"},\"versions\":[\"0\""));
	for (unsigned i = 1; i < 50000; i++)
		sap_buf_printf(&text, ",\"%u\"", i);
	sap_buf_puts(&text, SAP_STR("]}],\"id\":\"A-1\",\"modified\":\"1\"}"));
	CHECK_OK(import_memory((const char *)text.p, text.n,
			       &(struct sap_import_options){ .name = "in" }),
		 &failed);
	HAS("record\tA-1\tmodified=1\nclaim\tPyPI\ta\taffected\tversions=0,1,2,");
	sap_buf_clear(&text);
}

/* ---- rows as input ---------------------------------------------------------------------- */

#define MAGIC "#sapper-advisories 1\n"

static void test_rows(void)
{
	CHECK_OK(import_text(MAGIC "# mine\n\n"
				   "source\tteam\tprivate\tdate=2024-01-01\tcovers=Debian:12\n"
				   "record\tT-1\talias=CVE-2024-1,a\\,b\tseverity=high\n"
				   "claim\tDebian:12\ta,b\taffected\tfixed=1\\t2\n"
				   "end\t3\n"),
		 &failed);
	CHECK_STR(sap_buf_str(&out),
		  MAGIC "source\tteam\tprivate\tdate=2024-01-01\tcovers=Debian:12\n"
			"record\tT-1\talias=CVE-2024-1,a\\,b\tseverity=high\n"
			"claim\tDebian:12\ta,b\taffected\tfixed=1\\t2\n"
			"end\t3\n");
	CHECK_OK(import_text(MAGIC "record\tT-1\nrecord\nclaim\tx\ty\taffected\nnonsense\tx\n"
				   "kev\tCVE-2024-1111\tadded=2024-01-01\n"),
		 &failed);
	HAS("source\trows\tin\nrecord\tT-1\n");
	HAS("problem\tin line 3\t");
	HAS("problem\tin line 4\ta claim without a record");
	HAS("problem\tin line 5\t");
	HAS("kev\tCVE-2024-1111\tadded=2024-01-01\n");
	/* Rows are missing. */
	CHECK_INT(import_text(MAGIC "record\tT-1\nend\t7\n"), SAP_EFORMAT);
}

static void test_long_line(void)
{
	struct sap_buf text;

	sap_buf_init(&text, 16 * SAP_MIB);
	sap_buf_puts(&text, SAP_STR(MAGIC "record\tA-"));
	for (unsigned i = 0; i < SAP_IMPORT_LINE_MAX / 16; i++)
		sap_buf_puts(&text, SAP_STR("0123456789abcdef"));
	sap_buf_puts(&text, SAP_STR("\nrecord\tB-1"));
	put("long", text.p, text.n);
	CHECK_OK(import_path("long", false), &failed);
	HAS("problem\tlong line 2\tthis line is left out: it is too long\n");
	HAS("record\tB-1\n");
	sap_buf_clear(&text);
}

/* ---- identifiers ------------------------------------------------------------------------ */

static void test_ids(void)
{
	static const struct {
		const char *id;
		enum sap_id_kind kind;
	} ids[] = {
		{ "CVE-2024-3094", SAP_ID_CVE },
		{ "CVE-2024-1234567", SAP_ID_CVE },
		{ "CVE-2024-", SAP_ID_NONE },
		{ "CVE-2024-3094x", SAP_ID_NONE },
		{ "cve-2024-3094", SAP_ID_NONE },
		{ "GHSA-wxc4-f4m6-wwqv", SAP_ID_WEAKNESS },
		{ "GHSA-wxc4-f4m6", SAP_ID_NONE },
		{ "DSA-5649-1", SAP_ID_BUNDLE },
		{ "DSA-5649", SAP_ID_BUNDLE },
		{ "ALAS2023-2024-566", SAP_ID_BUNDLE },
		{ "ALAS2KERNEL-5.10-2024-051", SAP_ID_BUNDLE },
		{ "openSUSE-SU-2024:0089-1", SAP_ID_BUNDLE },
		{ "FEDORA-2024-d02c7bb266", SAP_ID_BUNDLE },
		{ "UBUNTU-CVE-2024-3094", SAP_ID_DERIVED },
		{ "", SAP_ID_NONE },
	};
	struct sap_str text = SAP_STR("(CVE-2024-3094), XCVE-2024-3094 foo-CVE-2023-1111."
				      "DSA-5649-1: openSUSE-SU-2024:0089-1 CVE-2024-12x");
	const char *want[] = { "CVE-2024-3094", "CVE-2023-1111", "DSA-5649-1",
			       "openSUSE-SU-2024:0089-1" };
	struct sap_str id;

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		check_int(__FILE__, __LINE__, ids[i].id, sap_id_kind(sap_str_of(ids[i].id)),
			  ids[i].kind);
	for (size_t i = 0; i < 4; i++) {
		CHECK(sap_id_next(&text, &id, NULL));
		CHECK_STR(id, want[i]);
	}
	CHECK(!sap_id_next(&text, &id, NULL));
	CHECK_STR(sap_id_derived_from(SAP_STR("UBUNTU-CVE-2024-3094")), "CVE-2024-3094");
	CHECK_STR(sap_id_derived_from(SAP_STR("CVE-2024-3094")), "");
}

int main(void)
{
	snprintf(top, sizeof(top), "%s/sapper-import-XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	must(mkdtemp(top) != NULL, top);
	test_archives();
	test_truncated_archives();
	test_compressed_file();
	test_folder();
	test_replacing();
	test_many_unknown();
	test_lines_of_json();
	test_unknown();
	test_wishes();
	test_late_names();
	test_rows();
	test_long_line();
	test_ids();
	sap_buf_clear(&out);
	{
		char command[512];

		snprintf(command, sizeof(command), "rm -rf '%s'", top);
		must(system(command) == 0, command);
	}
	return check_done();
}
