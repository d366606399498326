/* SPDX-License-Identifier: Apache-2.0 */
/* The store of advisories: written, merged, read, exported, damaged. */
#include "advisory/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "check.h"

static char folder[32] = "/dev/shm/sapper-store-XXXXXX"; /* commits sync: in memory it is fast */
static char path[256];

struct problems {
	unsigned n;
	char last[1024], where[256];
};

static void note(void *ctx, struct sap_str where, struct sap_str message)
{
	struct problems *p = ctx;

	p->n++;
	snprintf(p->where, sizeof(p->where), "%.*s", SAP_FMT(where));
	snprintf(p->last, sizeof(p->last), "%.*s", SAP_FMT(message));
}

static int collect(void *ctx, struct sap_str lines, struct sap_err *err)
{
	struct sap_buf *out = ctx;

	(void)err;
	sap_buf_puts(out, lines);
	return 0;
}

/* ---- helpers ---------------------------------------------------------------------------- */

static void clean(void)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		(void)unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
}

static unsigned files(void)
{
	DIR *dir = opendir(folder);
	unsigned n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n - 2;
}

/* Rows with the first line and the end row that they need. */
static void whole(struct sap_buf *out, const char *rows)
{
	unsigned n = 0;

	sap_buf_init(out, 256 * SAP_MIB);
	sap_buf_puts(out, SAP_STR(SAP_ROWS_MAGIC "\n"));
	sap_buf_puts(out, sap_str_of(rows));
	for (const char *p = rows; *p; p++)
		n += *p == '\n' && p[1] != '#' && p[1] != '\n';
	if (*rows == '#')
		n--;
	sap_buf_printf(out, "end\t%u\n", n);
}

static int stream(struct sap_store_writer *w, struct sap_str text, struct sap_store_counts *c,
		  struct sap_err *err)
{
	int r = sap_store_begin_stream(w, "test", SAP_STR("checked=1700000000"), err);

	if (r == 0)
		r = sap_store_feed(w, text.p, text.n, err);
	return r < 0 ? r : sap_store_end_stream(w, c, err);
}

static void feed(struct sap_store_writer *w, const char *text)
{
	struct sap_err err = { 0 };

	CHECK_OK(sap_store_feed(w, text, strlen(text), &err), &err);
}

/* One import of one stream; the number of problems. */
static unsigned import(const char *rows, struct sap_store_counts *counts, struct problems *out)
{
	struct sap_store_counts c = { 0 };
	struct problems p = { 0 };
	struct sap_store_writer *w;
	struct sap_err err = { 0 };
	struct sap_buf text;

	whole(&text, rows);
	if (CHECK_OK(sap_store_writer_new(path, NULL, 0, note, &p, &w, &err), &err)) {
		CHECK_OK(stream(w, sap_buf_str(&text), &c, &err), &err);
		CHECK_OK(sap_store_commit(w, &err), &err);
	}
	sap_buf_clear(&text);
	if (counts)
		*counts = c;
	if (out)
		*out = p;
	return p.n;
}

struct world {
	struct sap_store *store;
	struct sap_arena arena;
	struct sap_claims claims;
	struct sap_err err;
};

static bool open_world(struct world *w)
{
	*w = (struct world){ 0 };
	sap_arena_init(&w->arena, 0);
	return CHECK_OK(sap_store_open(path, &w->store, &w->err), &w->err);
}

static void close_world(struct world *w)
{
	sap_store_close(w->store);
	free(w->claims.v);
	sap_arena_clear(&w->arena);
}

/* The claims about a package, alone. */
static size_t claims_of(struct world *w, const char *space, const char *package)
{
	w->claims.n = 0;
	CHECK_OK(sap_store_claims(w->store, sap_str_of(space), sap_str_of(package), &w->arena,
				  &w->claims, &w->err),
		 &w->err);
	return w->claims.n;
}

/* How many claims one open and look-up finds. */
static size_t ask(const char *space, const char *package)
{
	struct world w;
	size_t n = 0;

	if (open_world(&w))
		n = claims_of(&w, space, package);
	close_world(&w);
	return n;
}

static void export_to(struct sap_buf *out, const char *source)
{
	struct sap_rows rows;
	struct world w;

	sap_buf_init(out, 256 * SAP_MIB);
	if (open_world(&w)) {
		sap_rows_init(&rows, collect, out);
		CHECK_OK(sap_store_export(w.store, sap_str_of(source), &rows, &w.err), &w.err);
		CHECK_OK(sap_rows_end(&rows, &w.err), &w.err);
		sap_rows_clear(&rows);
	}
	close_world(&w);
}

static void sql(const char *text)
{
	sqlite3 *db = NULL;

	CHECK_INT(sqlite3_open(path, &db), SQLITE_OK);
	CHECK_INT(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static long long number(const char *text)
{
	sqlite3_stmt *st = NULL;
	long long n = -1;
	sqlite3 *db = NULL;

	sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL);
	if (sqlite3_prepare_v2(db, text, -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW)
		n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return n;
}

static void write_file(const char *name, const void *p, size_t n)
{
	FILE *f = fopen(name, "wb");

	if (CHECK(f != NULL)) {
		CHECK(fwrite(p, 1, n, f) == n);
		fclose(f);
	}
}

static void read_file(const char *name, struct sap_buf *out)
{
	FILE *f = fopen(name, "rb");
	char piece[4096];
	size_t n;

	sap_buf_init(out, 256 * SAP_MIB);
	while (f && (n = fread(piece, 1, sizeof(piece), f)) > 0)
		sap_buf_put(out, piece, n);
	if (f)
		fclose(f);
}

static const char sample[] =
	"source\tdebian-dsa\tDebian\tdate=2026-08-21\torigin=https://example.org/list\t"
	"licence=none\tetag=\"x\"\tcovers=Debian:11,Debian:12\n"
	"record\tDSA-5649-1\tmodified=2024-03-29T17:15:21.150Z\tpublished=2024-03-29\t"
	"alias=X-1\tcovers=CVE-2024-3094,CVE-2\trelated=A,B\tseverity=Critical\t"
	"cvss=CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H\tcvss=AV:N/AC:L/Au:N/C:P/I:P/A:P\t"
	"compromised=yes\n"
	"claim\tDebian:trixie\txz-utils,liblzma5\taffected\tintroduced=5.5.1alpha-0.1\t"
	"fixed=5.6.1+really5.4.5-1\tarch=amd64,i386\tfunctions=f,g\\,h\tseverity=high\n"
	"claim\tDebian:12\txz-utils\tnot-affected\treason=vulnerable code not present\n"
	"claim\tDebian:11\txz-utils\tunfixed\treason=no-dsa\toffered=no\tpro=yes\n"
	"claim\tAlmaLinux:9.3\txz\taffected\tversions=1,2\\,3\tmodule=nodejs:12\tby=source\t"
	"introduced=0\tfixed=1\tintroduced=2\tfixed=3\\t4\n"
	"record\tDSA-2\twithdrawn=2024-05-01T00:00:00Z\talias=X-1\n"
	"claim\tDebian:12\txz-utils\taffected\n"
	"vulnerability\tCVE-2024-3094\tseverity=critical\tcvss=CVSS:3.1/AV:N\t"
	"exploitation=active\tautomatable=yes\timpact=total\n"
	"# a comment\n"
	"kev\tCVE-2024-3094\tadded=2024-04-01\tdue=2024-04-22\transomware=yes\n"
	"epss\tCVE-2024-3094\t0.00043\t0.875\n"
	"function\tCVE-2024-3094\txz\tlzma_crc64\tkind=HOOK\tfile=crc64.c\tbasis=a,b\n"
	"function\tCVE-2024-3094\txz\tadded\tkind=A\n"
	"object\t00FFaa\tDebian:13\tXZ-utils\t5.6.1-1\tfile=/usr/lib/liblzma.so.5.6.1\n";

/* ---- reading back ----------------------------------------------------------------------- */

static void check_sample_claims(struct world *w)
{
	const struct sap_claim *c;

	if (!CHECK_INT(claims_of(w, "debian:13", "xz-utils"), 1))
		return;
	c = &w->claims.v[0];
	CHECK_STR(c->space, "debian:13");
	CHECK_STR(c->package, "xz-utils");
	CHECK_STR(c->rule, "introduced=5.5.1alpha-0.1\tfixed=5.6.1+really5.4.5-1");
	CHECK_STR(c->fixed, "5.6.1+really5.4.5-1");
	CHECK_STR(c->arch, "amd64,i386");
	CHECK_STR(c->functions, "f,g\\,h");
	CHECK_INT(c->status, SAP_CLAIM_AFFECTED);
	CHECK_INT(c->severity, SAP_SEVERITY_HIGH);
	CHECK_INT(c->names, SAP_NAMES_SOURCE);
	CHECK_STR(c->advisory->id, "DSA-5649-1");
	CHECK_STR(c->advisory->alias, "X-1");
	CHECK_STR(c->advisory->covers, "CVE-2024-3094,CVE-2");
	CHECK_STR(c->advisory->cvss, "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H,"
				     "AV:N/AC:L/Au:N/C:P/I:P/A:P");
	CHECK_STR(c->advisory->modified, "2024-03-29T17:15:21.150Z");
	CHECK_INT(c->advisory->severity, SAP_SEVERITY_CRITICAL);
	CHECK(c->advisory->compromised);
	CHECK_INT(claims_of(w, "debian:13", "liblzma5"), 1);
	/* DSA-2 is withdrawn. */
	CHECK_INT(claims_of(w, "debian:12", "xz-utils"), 1);
	CHECK_INT(w->claims.v[0].status, SAP_CLAIM_NOT_AFFECTED);
	CHECK_STR(w->claims.v[0].reason, "vulnerable code not present");
	CHECK_STR(w->claims.v[0].rule, "");
	CHECK_INT(claims_of(w, "debian:11", "xz-utils"), 1);
	CHECK(w->claims.v[0].not_offered && w->claims.v[0].pro);
	CHECK_INT(claims_of(w, "almalinux:9", "xz"), 1);
	c = &w->claims.v[0];
	CHECK_INT(c->names, SAP_NAMES_SOURCE);
	CHECK_STR(c->rule, "versions=1,2\\,3\tintroduced=0\tfixed=1\tintroduced=2\tfixed=3\\t4");
	CHECK_STR(c->fixed, "3\t4");
	CHECK_STR(c->module, "nodejs:12");
	CHECK_INT(claims_of(w, "debian:13", "nothing"), 0);
	CHECK_INT(claims_of(w, "nowhere", "xz-utils"), 0);
	CHECK_INT(claims_of(w, "debian:13", ""), 0);
}

static void check_sample_facts(struct world *w)
{
	struct sap_vulnerability v;
	struct sap_functions f = { 0 };
	struct sap_names_list names = { 0 };
	struct sap_known_object o;
	bool found = false;

	CHECK_OK(sap_store_vulnerability(w->store, SAP_STR("CVE-2024-3094"), &w->arena, &v, &found,
					 &w->err),
		 &w->err);
	CHECK(found && v.kev && v.kev_ransomware && v.has_epss);
	CHECK_INT(v.severity, SAP_SEVERITY_CRITICAL);
	CHECK_STR(v.exploitation, "active");
	CHECK_STR(v.automatable, "yes");
	CHECK_STR(v.impact, "total");
	CHECK_STR(v.kev_due, "2024-04-22");
	CHECK(v.epss > 0.00042 && v.epss < 0.00044 && v.percentile > 0.87 && v.percentile < 0.88);
	CHECK_OK(sap_store_vulnerability(w->store, SAP_STR("CVE-1"), &w->arena, &v, &found,
					 &w->err),
		 &w->err);
	CHECK(!found && !v.kev && !v.has_epss);
	CHECK_OK(sap_store_functions(w->store, SAP_STR("CVE-2024-3094"), &w->arena, &f, &w->err),
		 &w->err);
	if (CHECK_INT(f.n, 1)) {
		CHECK_STR(f.v[0].name, "lzma_crc64");
		CHECK_STR(f.v[0].project, "xz");
		CHECK_STR(f.v[0].basis, "a,b");
		CHECK_INT(f.v[0].kind, 'H');
	}
	free(f.v);
	CHECK_OK(sap_store_names(w->store, SAP_STR("X-1"), &w->arena, &names, &w->err), &w->err);
	if (CHECK_INT(names.n, 2)) {
		bool first = sap_str_is(names.v[0], "DSA-2");

		CHECK_STR(names.v[first ? 0 : 1], "DSA-2");
		CHECK_STR(names.v[first ? 1 : 0], "DSA-5649-1");
	}
	free(names.v);
	CHECK_OK(sap_store_object(w->store, SAP_STR("00ffaa"), &w->arena, &o, &found, &w->err),
		 &w->err);
	if (CHECK(found)) {
		CHECK_STR(o.space, "debian:13");
		CHECK_STR(o.package, "xz-utils");
		CHECK_STR(o.version, "5.6.1-1");
		CHECK_STR(o.file, "/usr/lib/liblzma.so.5.6.1");
	}
}

static void check_sample_sources(struct world *w)
{
	const struct sap_source *s;
	int64_t as_of = 0, checked = 0;
	uint32_t n;

	s = sap_store_sources(w->store, &n);
	if (!CHECK_INT(n, 1))
		return;
	CHECK_STR(s[0].kind, "debian-dsa");
	CHECK_STR(s[0].name, "Debian");
	CHECK_STR(s[0].date, "2026-08-21");
	CHECK_STR(s[0].etag, "\"x\"");
	CHECK_STR(s[0].origin, "https://example.org/list");
	CHECK_INT(s[0].as_of, 1787270400);
	CHECK_INT(s[0].checked, 1700000000);
	CHECK_INT(s[0].records, 2 + 6); /* records, and entries of the other tables */
	CHECK_INT(s[0].claims, 6);
	CHECK(sap_store_covers(w->store, SAP_STR("debian:11"), &as_of, &checked));
	CHECK_INT(as_of, 1787270400);
	CHECK_INT(checked, 1700000000);
	CHECK(sap_store_covers(w->store, SAP_STR("debian:12"), &as_of, &checked));
	/* A list of malicious versions says nothing about other vulnerabilities. */
	CHECK(!sap_store_covers(w->store, SAP_STR("debian:13"), &as_of, &checked));
	CHECK(!sap_store_covers(w->store, SAP_STR("almalinux:9"), &as_of, &checked));
	CHECK(!sap_store_covers(w->store, SAP_STR("debian:10"), &as_of, &checked));
}

static void test_what_is_written_is_read(void)
{
	struct sap_store_counts c;
	struct problems p;
	struct world w;

	clean();
	CHECK_INT(import(sample, &c, &p), 0);
	if (p.n)
		printf("  %s: %s\n", p.where, p.last);
	CHECK_INT(c.rows, 14);
	CHECK_INT(c.records, 2);
	CHECK_INT(c.claims, 6);
	CHECK_INT(c.sources, 1);
	CHECK_INT(files(), 2); /* the store and its lock */
	if (open_world(&w)) {
		check_sample_claims(&w);
		check_sample_facts(&w);
		check_sample_sources(&w);
		CHECK_STR(sap_str_of(sap_store_path(w.store)), path);
	}
	close_world(&w);
}

static void test_claims_of_one_advisory_share_it(void)
{
	const struct sap_advisory *a;
	struct world w;

	clean();
	import(sample, NULL, NULL);
	if (open_world(&w)) {
		claims_of(&w, "debian:13", "xz-utils");
		a = w.claims.v[0].advisory;
		claims_of(&w, "debian:13", "liblzma5");
		CHECK(w.claims.v[0].advisory == a);
		sap_store_forget(w.store);
		claims_of(&w, "debian:13", "liblzma5");
		CHECK(w.claims.v[0].advisory != a);
	}
	close_world(&w);
}

static void test_a_stream_in_single_bytes(void)
{
	struct sap_store_writer *w;
	struct sap_buf text, one, other;
	struct sap_err err;

	clean();
	import(sample, NULL, NULL);
	export_to(&one, "");
	clean();
	whole(&text, sample);
	CHECK_OK(sap_store_writer_new(path, NULL, 0, NULL, NULL, &w, &err), &err);
	CHECK_OK(sap_store_begin_stream(w, "x", SAP_STR("checked=1700000000"), &err), &err);
	for (size_t i = 0; i < text.n; i++)
		sap_store_feed(w, text.p + i, 1, &err);
	CHECK_OK(sap_store_end_stream(w, NULL, &err), &err);
	CHECK_OK(sap_store_commit(w, &err), &err);
	export_to(&other, "");
	CHECK(sap_str_eq(sap_buf_str(&one), sap_buf_str(&other)));
	sap_buf_clear(&text);
	sap_buf_clear(&one);
	sap_buf_clear(&other);
}

static bool has(const struct sap_buf *buf, const char *text)
{
	return memmem(buf->p, buf->n, text, strlen(text)) != NULL;
}

/* import(export(x)) is x. */
static void test_export_and_import(void)
{
	struct sap_store_writer *w;
	struct sap_buf one, other;
	struct sap_err err = { 0 };
	struct world world;
	struct problems p = { 0 };

	clean();
	import(sample, NULL, NULL);
	import("source\tosv\tOther\nrecord\tDSA-2\tmodified=2020-01-01\n"
	       "claim\tPyPI\tFoo_Bar,foo.baz\taffected\tintroduced=0\n"
	       "claim\tPyPI\tzzz\taffected\tintroduced=0\n",
	       NULL, NULL);
	export_to(&one, "");
	CHECK(has(&one, "claim\tpypi\tfoo-bar,foo-baz,zzz\taffected\tintroduced=0\n"));
	clean();
	CHECK_OK(sap_store_writer_new(path, NULL, 0, note, &p, &w, &err), &err);
	CHECK_OK(stream(w, sap_buf_str(&one), NULL, &err), &err);
	CHECK_OK(sap_store_commit(w, &err), &err);
	CHECK_INT(p.n, 0);
	export_to(&other, "");
	if (!CHECK(sap_str_eq(sap_buf_str(&one), sap_buf_str(&other))))
		printf("%.*s\n----\n%.*s\n", (int)one.n, one.p, (int)other.n, other.p);
	if (open_world(&world)) {
		check_sample_claims(&world);
		check_sample_facts(&world);
	}
	close_world(&world);
	sap_buf_clear(&other);
	export_to(&other, "osv/Other");
	CHECK(!has(&other, "debian-dsa"));
	CHECK(has(&other, "record\tDSA-2\tmodified=2020-01-01\n"));
	sap_buf_clear(&one);
	sap_buf_clear(&other);
}

static void test_a_source_that_is_not_there(void)
{
	struct sap_rows rows;
	struct sap_buf out;
	struct world w;

	clean();
	import(sample, NULL, NULL);
	sap_buf_init(&out, SAP_MIB);
	if (open_world(&w)) {
		sap_rows_init(&rows, collect, &out);
		CHECK_INT(sap_store_export(w.store, SAP_STR("debian-dsa/Deb"), &rows, &w.err),
			  SAP_ENOENT);
		sap_rows_clear(&rows);
	}
	close_world(&w);
	sap_buf_clear(&out);
}

/* The example of docs/formats/advisories.md is taken as it stands there. */
static void test_the_example_of_the_documentation(void)
{
	const char *tests = getenv("SAP_TESTS");
	const char *from, *to;
	struct problems p;
	char name[512];
	struct sap_buf text;

	snprintf(name, sizeof(name), "%s/../docs/formats/advisories.md", tests ? tests : "tests");
	read_file(name, &text);
	sap_buf_putc(&text, '\0');
	from = text.n > 1 ? strstr((char *)text.p, "```\n" SAP_ROWS_MAGIC "\n") : NULL;
	to = from ? strstr(from + 4, "```") : NULL;
	if (!to) {
		check_skip("the example of the documentation", "docs/ is not here");
		sap_buf_clear(&text);
		return;
	}
	text.p[to - (char *)text.p] = '\0';
	clean();
	if (!CHECK_INT(import(from + 4 + strlen(SAP_ROWS_MAGIC "\n"), NULL, &p), 0))
		printf("  %s: %s\n", p.where, p.last);
	CHECK_INT(ask("debian:12", "libpay"), 1);
	CHECK_INT(ask("npm", "right-pay"), 1);
	CHECK_INT(ask("debian:12", "openssl"), 1);
	sap_buf_clear(&text);
}

/* ---- merging ---------------------------------------------------------------------------- */

#define OSV "source\tosv\tA\n"
#define CLAIM(package) "claim\tPyPI\t" package "\taffected\tintroduced=0\n"

static void test_a_newer_record_replaces(void)
{
	struct sap_store_counts c;

	clean();
	import(OSV "record\tV-1\tmodified=2024-01-02\n" CLAIM("a"), NULL, NULL);
	import(OSV "record\tV-1\tmodified=2024-01-02T00:00:01Z\n" CLAIM("b"), &c, NULL);
	CHECK_INT(c.replaced, 1);
	CHECK_INT(ask("pypi", "a"), 0);
	CHECK_INT(ask("pypi", "b"), 1);
	/* Older: skipped. */
	import(OSV "record\tV-1\tmodified=2024-01-01\n" CLAIM("c"), &c, NULL);
	CHECK_INT(c.older, 1);
	CHECK_INT(c.replaced, 0);
	CHECK_INT(ask("pypi", "b"), 1);
	CHECK_INT(ask("pypi", "c"), 0);
	/* Equal: the later row. */
	import(OSV "record\tV-1\tmodified=2024-01-02T01:00:01+01:00\n" CLAIM("d"), &c, NULL);
	CHECK_INT(c.replaced, 1);
	CHECK_INT(ask("pypi", "b"), 0);
	CHECK_INT(ask("pypi", "d"), 1);
	/* Another kind of source has ids of its own. */
	import("source\tother\tA\nrecord\tV-1\n" CLAIM("d"), &c, NULL);
	CHECK_INT(c.replaced, 0);
	CHECK_INT(ask("pypi", "d"), 2);
	CHECK_INT(number("SELECT sum(records) FROM source"), 2);
	CHECK_INT(number("SELECT sum(claims) FROM source"), 2);
}

static void test_the_same_id_twice_in_one_stream(void)
{
	struct sap_store_counts c;

	clean();
	import(OSV "record\tV-1\tmodified=2024-01-02\n" CLAIM(
		       "a") "record\tV-1\tmodified=2024-01-"
			    "01\n" CLAIM("b") "record\tV-"
					      "2\n" CLAIM("c") "reco"
							       "rd\t"
							       "V-"
							       "2"
							       "\n" CLAIM("d"),
	       &c, NULL);
	CHECK_INT(c.older, 1);
	CHECK_INT(c.replaced, 1);
	CHECK_INT(ask("pypi", "a"), 1);
	CHECK_INT(ask("pypi", "b"), 0);
	CHECK_INT(ask("pypi", "c"), 0);
	CHECK_INT(ask("pypi", "d"), 1);
}

static void test_replacing_a_source(void)
{
	struct sap_store_counts c;

	clean();
	import(OSV "record\tV-1\tmodified=2024-01-02\n" CLAIM("a") "record\tV-2\n" CLAIM(
		       "a") "epss\tV-1\t0.5\t0.5\nkev\tV-1\n",
	       NULL, NULL);
	import("source\tosv\tB\nrecord\tV-9\n" CLAIM("a") "epss\tV-9\t0.5\t0.5\n", NULL, NULL);
	CHECK_INT(ask("pypi", "a"), 3);
	/* An older date is no reason to keep the former; what is the same stays. */
	import("source\tosv\tA\tmode=replace\n"
	       "record\tV-1\tmodified=2023-01-01\n" CLAIM("b") "record\tV-3\n" CLAIM("a"),
	       &c, NULL);
	CHECK_INT(c.older, 0);
	CHECK_INT(ask("pypi", "a"), 2);
	CHECK_INT(ask("pypi", "b"), 1);
	CHECK_INT(number("SELECT count(*) FROM epss"), 1);
	CHECK_INT(number("SELECT count(*) FROM kev"), 0);
	CHECK_INT(number("SELECT records FROM source WHERE name='A'"), 2);
	CHECK_INT(number("SELECT claims FROM source WHERE name='A'"), 2);
	import("source\tosv\tA\tmode=replace\nrecord\tV-1\tmodified=2023-01-01\n" CLAIM("b"), &c,
	       NULL);
	CHECK_INT(c.replaced, 0);
	CHECK_INT(ask("pypi", "a"), 1);
	CHECK_INT(ask("pypi", "b"), 1);
}

/* What is gone is passed over, and at some time taken out. */
static void test_many_replacements(void)
{
	char rows[4096];

	clean();
	for (int round = 0; round < 12; round++) {
		size_t n = (size_t)snprintf(rows, sizeof(rows), "source\tosv\tA\tmode=%s\n",
					    round % 2 ? "replace" : "merge");

		for (int i = 0; i < 10; i++)
			n += (size_t)snprintf(rows + n, sizeof(rows) - n,
					      "record\tV-%d\tmodified=2024-01-%02d\n"
					      "claim\tPyPI\tp%d\taffected\tfixed=%d\n",
					      i, round + 1, (i + round) % 5, round);
		import(rows, NULL, NULL);
		for (int i = 0; i < 5; i++) {
			snprintf(rows, sizeof(rows), "p%d", i);
			CHECK_INT(ask("pypi", rows), 2);
		}
	}
	CHECK(number("SELECT value FROM meta WHERE key='dead_claims'") <= 10);
	CHECK_INT(number("SELECT sum(claims) FROM source"), 10);
	CHECK_INT(number("SELECT count(*) FROM record"), 10);
	CHECK(number("SELECT count(*) FROM name") <= 20);
}

static void test_dates_of_a_source(void)
{
	struct world w;
	uint32_t n;

	clean();
	import(OSV "record\tV-1\tmodified=2024-01-02\n"
		   "record\tV-2\tmodified=2023-01-02\tpublished=2024-02-01T10:00:00Z\n",
	       NULL, NULL);
	if (open_world(&w)) {
		CHECK_STR(sap_store_sources(w.store, &n)[0].date, "2024-02-01T10:00:00Z");
		CHECK_INT(sap_store_sources(w.store, &n)[0].as_of, 1706781600);
	}
	close_world(&w);
}

/* ---- streams ---------------------------------------------------------------------------- */

static void test_a_dropped_stream_leaves_no_trace(void)
{
	struct sap_store_writer *w;
	struct sap_err err;
	struct sap_buf text;

	clean();
	import(OSV "record\tV-1\n" CLAIM("a"), NULL, NULL);
	CHECK_OK(sap_store_writer_new(path, NULL, 0, NULL, NULL, &w, &err), &err);
	/* Cut off. */
	whole(&text, "source\tosv\tB\nrecord\tV-2\n" CLAIM("a"));
	CHECK_INT(stream(w, (struct sap_str){ (char *)text.p, text.n - 6 }, NULL, &err),
		  SAP_EFORMAT);
	CHECK_OK(sap_store_drop_stream(w, &err), &err);
	/* A wrong count. */
	CHECK_INT(stream(w, SAP_STR(SAP_ROWS_MAGIC "\nsource\tosv\tC\nend\t2\n"), NULL, &err),
		  SAP_EFORMAT);
	CHECK_OK(sap_store_drop_stream(w, &err), &err);
	/* Rows after the end. */
	CHECK_INT(stream(w, SAP_STR(SAP_ROWS_MAGIC "\nend\t0\nsource\tosv\tC\n"), NULL, &err),
		  SAP_EFORMAT);
	CHECK_OK(sap_store_drop_stream(w, &err), &err);
	CHECK_INT(stream(w, SAP_STR("hello\n"), NULL, &err), SAP_EFORMAT);
	CHECK_OK(sap_store_drop_stream(w, &err), &err);
	CHECK_INT(stream(w, SAP_STR(""), NULL, &err), SAP_EFORMAT);
	CHECK_OK(sap_store_drop_stream(w, &err), &err);
	CHECK_INT(stream(w, SAP_STR("#sapper-advisories 2\nend\t0\n"), NULL, &err),
		  SAP_EUNSUPPORTED);
	CHECK_OK(sap_store_drop_stream(w, &err), &err);
	/* And one that is good. */
	sap_buf_clear(&text);
	whole(&text, "source\tosv\tD\nrecord\tV-3\n" CLAIM("a"));
	CHECK_OK(stream(w, sap_buf_str(&text), NULL, &err), &err);
	CHECK_OK(sap_store_commit(w, &err), &err);
	CHECK_INT(ask("pypi", "a"), 2);
	CHECK_INT(number("SELECT count(*) FROM source"), 2);
	sap_buf_clear(&text);
}

static void test_bad_rows_are_problems(void)
{
	static const struct {
		const char *rows, *says;
	} cases[] = {
		{ "nonsense\tx\n", "no kind of row" },
		{ "record\t\n", "empty or endless id" },
		{ "record\tX\tcompromised=maybe\n" CLAIM("x"), "compromised=" },
		{ "record\tX\tmodified=2024-02-30\n", "no date" },
		{ "record\tX\tmodified=yesterday\n", "no date" },
		{ "record\tX\tseverity=awful\n", "severity=awful" },
		{ "record\tX\tcvss=a,b\n", "no vector" },
		{ "record\tX\nclaim\tDebian:12\tx\tbroken\n", "no status" },
		{ "record\tX\nclaim\t:12\tx\taffected\n", "no space" },
		{ "record\tX\nclaim\tDebian:12\t,,\taffected\n", "without a package" },
		{ "record\tX\nclaim\tDebian:12\tx\taffected\tfixed=\n", "fixed=" },
		{ "record\tX\nclaim\tDebian:12\tx\taffected\ttype=strange\n", "type=strange" },
		{ "record\tX\nclaim\tDebian:12\tx\taffected\tby=nobody\n", "by=nobody" },
		{ "record\tX\nclaim\tDebian:12\tx\taffected\toffered=perhaps\n", "offered=" },
		{ "kev\tX\nclaim\tDebian:12\tx\taffected\n", "without a record" },
		{ "epss\tX\t1.5\t0\n", "from 0 to 1" },
		{ "epss\tX\t-0.1\t0\n", "from 0 to 1" },
		{ "epss\tX\tnan\t0\n", "from 0 to 1" },
		{ "epss\tX\t0.1\t\n", "from 0 to 1" },
		{ "kev\tX\tadded=1\n", "no date" },
		{ "kev\t\n", "endless id" },
		{ "vulnerability\tX\texploitation=yes\n", "no word for it" },
		{ "function\tX\t\tf\n", "without project" },
		{ "function\tX\tp\tf\tkind=Z\n", "kind" },
		{ "object\tzz\tDebian:12\tp\t1\n", "not in hex" },
		{ "object\tabc\tDebian:12\tp\t1\n", "not in hex" },
		{ "vex\tX\tpkg:deb/a\tfixed\n", "scan --vex" },
		{ "problem\tall.zip/x.json\tcannot be read\n", "cannot be read" },
		{ "source\tx\t\n", "without kind or name" },
		{ "source\tx\ty\tmode=other\n", "mode=other" },
		{ "source\tx\ty\tdate=1.1.2024\n", "no date" },
		{ "source\tx\ty\tcovers=Debian:12,:\n", "no space" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char rows[1024];
		struct problems p;

		clean();
		snprintf(rows, sizeof(rows),
			 OSV "record\tV-1\n" CLAIM("a") "%s" OSV "record\tV-2\n" CLAIM("b"),
			 cases[i].rows);
		if (!CHECK_INT(import(rows, NULL, &p), 1) || !CHECK(strstr(p.last, cases[i].says)))
			printf("  %s  says: %s\n", cases[i].rows, p.last);
		CHECK_INT(ask("pypi", "a"), 1);
		CHECK_INT(ask("pypi", "b"), 1);
		CHECK_INT(ask("debian:12", "x"), 0);
	}
}

static void test_rows_without_a_source(void)
{
	struct problems p;

	clean();
	CHECK_INT(import("record\tV-1\n" CLAIM("a") "kev\tX\n", NULL, &p), 2);
	CHECK(strstr(p.last, "without a source") != NULL);
	CHECK_STR(sap_str_of(p.where), "test line 4");
	CHECK_INT(ask("pypi", "a"), 0);
}

static void test_an_endless_line(void)
{
	struct sap_store_writer *w;
	struct sap_err err = { 0 };
	struct problems p = { 0 };
	char *piece = calloc(1, SAP_MIB);

	clean();
	memset(piece, 'x', SAP_MIB);
	CHECK_OK(sap_store_writer_new(path, NULL, 0, note, &p, &w, &err), &err);
	CHECK_OK(sap_store_begin_stream(w, "x", SAP_STR(""), &err), &err);
	feed(w, SAP_ROWS_MAGIC "\n" OSV "record\tX\talias=");
	for (int i = 0; i < 40; i++)
		CHECK_OK(sap_store_feed(w, piece, SAP_MIB, &err), &err);
	feed(w, "\n" CLAIM("a") "record\tY\n" CLAIM("b") "end\t5\n");
	CHECK_OK(sap_store_end_stream(w, NULL, &err), &err);
	CHECK_OK(sap_store_commit(w, &err), &err);
	CHECK_INT(p.n, 1);
	CHECK(strstr(p.last, "16 MiB") != NULL);
	CHECK_INT(ask("pypi", "a"), 0);
	CHECK_INT(ask("pypi", "b"), 1);
	free(piece);
}

/* More than a batch, records of a package all over the stream. */
static void test_a_large_stream(void)
{
	enum { RECORDS = 120000, PACKAGES = 97 };
	struct sap_store_writer *w;
	struct sap_store_counts c = { 0 };
	struct sap_err err = { 0 };
	char text[512];
	struct world world;
	int n;

	clean();
	CHECK_OK(sap_store_writer_new(path, NULL, 0, NULL, NULL, &w, &err), &err);
	CHECK_OK(sap_store_begin_stream(w, "x", SAP_STR(""), &err), &err);
	feed(w, SAP_ROWS_MAGIC "\n" OSV);
	for (int i = 0; i < RECORDS; i++) {
		/* The first thousand come again at the end, newer. */
		int id = i < RECORDS - 1000 ? i : i - (RECORDS - 1000);

		n = snprintf(text, sizeof(text),
			     "record\tV-%d\tmodified=20%02d-01-01\talias=CVE-%d\t"
			     "related=%0200d\nclaim\tPyPI\tp%d,q%d\taffected\tfixed=%d\n",
			     id, i < RECORDS - 1000 ? 10 : 20, id, i, id % PACKAGES, id % 7, i);
		sap_store_feed(w, text, (size_t)n, &err);
	}
	n = snprintf(text, sizeof(text), "end\t%d\n", 2 * RECORDS + 1);
	sap_store_feed(w, text, (size_t)n, &err);
	CHECK_OK(sap_store_end_stream(w, &c, &err), &err);
	CHECK_INT(c.replaced, 1000);
	CHECK_OK(sap_store_commit(w, &err), &err);
	CHECK_INT(files(), 2);
	if (open_world(&world)) {
		size_t all = 0;

		for (int i = 0; i < PACKAGES; i++) {
			snprintf(text, sizeof(text), "p%d", i);
			all += claims_of(&world, "pypi", text);
			for (size_t k = 0; k < world.claims.n; k++) {
				const struct sap_claim *claim = &world.claims.v[k];
				int id = atoi(claim->advisory->id.p + 2);

				if (id % PACKAGES != i ||
				    atoi(claim->fixed.p) % (RECORDS - 1000) != id) {
					CHECK_STR(claim->advisory->id,
						  "the advisory of this claim");
					break;
				}
			}
		}
		CHECK_INT(all, RECORDS - 1000);
		CHECK_INT(claims_of(&world, "pypi", "q3"), (RECORDS - 1000) / 7);
	}
	close_world(&world);
}

/* ---- what claims name ------------------------------------------------------------------- */

static int named(const char *space)
{
	struct world w;
	int n = -1;

	if (open_world(&w))
		n = sap_store_named(w.store, sap_str_of(space));
	close_world(&w);
	return n;
}

#define BOTH (SAP_NAMES_SOURCE | SAP_NAMES_BINARY)

static void test_what_claims_of_a_space_name(void)
{
	static const char plain[] = OSV "record\tV-1\nclaim\tDebian:12\ta\taffected\n"
					"claim\tDebian:12\tb\taffected\tby=source\n"
					"claim\tPyPI\ta\taffected\n"
					"claim\tUbuntu:22.04\ta\taffected\tby=binary\tfixed=1\n";
	static const char other[] = OSV "record\tV-2\nclaim\tDebian:12\tc\taffected\tby=binary\n";
	static const char *const odd[] = {
		"",     "x",       "9",      "7 1z",  "7 1s x",
		"7 9b", "7 1s,2b", "7\t1b2", "7 -1b", "7 99999999999999999999b"
	};
	char text[128];

	clean();
	import(plain, NULL, NULL);
	CHECK_INT(named("debian:12"), SAP_NAMES_SOURCE);
	CHECK_INT(named("pypi"), SAP_NAMES_BINARY);
	CHECK_INT(named("ubuntu:22.04"), BOTH);
	CHECK_INT(named("debian:11"), 0);
	import(other, NULL, NULL);
	CHECK_INT(named("debian:12"), BOTH);
	CHECK_INT(named("pypi"), SAP_NAMES_BINARY);
	/* A version that knows nothing of it has written since, or has written all. */
	sql("UPDATE meta SET value=value+1 WHERE key='next_record'");
	CHECK_INT(named("pypi"), BOTH);
	sql("DELETE FROM meta WHERE key='named_by'");
	CHECK_INT(named("pypi"), BOTH);
	import("source\tkev\tx\n", NULL, NULL);
	CHECK_INT(named("debian:12"), BOTH);
	CHECK_INT(named("ubuntu:22.04"), BOTH);
	CHECK_INT(named("pypi"), SAP_NAMES_BINARY);
	sql("UPDATE meta SET value=7 WHERE key='next_record'");
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		snprintf(text, sizeof(text), "UPDATE meta SET value='%s' WHERE key='named_by'",
			 odd[i]);
		sql(text);
		CHECK_INT(named("pypi"), BOTH);
	}
}

/* ---- questions in any order ------------------------------------------------------------- */

enum { IDS = 60 };

/* Every third id has a row, every sixth two functions and an advisory with three names. */
static void check_id(struct world *w, unsigned i)
{
	struct sap_functions f = { 0 };
	struct sap_names_list names = { 0 };
	struct sap_vulnerability v;
	char text[32];
	struct sap_str id;
	bool found;

	snprintf(text, sizeof(text), "CVE-2024-%u", 1000 + i);
	id = sap_str_of(text);
	CHECK_OK(sap_store_vulnerability(w->store, id, &w->arena, &v, &found, &w->err), &w->err);
	CHECK_INT(found, i % 3 == 0);
	CHECK_INT(v.has_epss, i % 3 == 0);
	CHECK(!v.has_epss || (v.epss > i / 1000.0 - 1e-9 && v.epss < i / 1000.0 + 1e-9));
	CHECK_INT(v.kev, i % 30 == 0);
	CHECK_OK(sap_store_functions(w->store, id, &w->arena, &f, &w->err), &w->err);
	CHECK_INT(f.n, i % 6 == 0 ? 2 : 0);
	CHECK_OK(sap_store_names(w->store, id, &w->arena, &names, &w->err), &w->err);
	if (CHECK_INT(names.n, i % 6 == 0 ? 2 : 0) && names.n) {
		snprintf(text, sizeof(text), "A-%u", i);
		CHECK_STR(names.v[0], text);
		snprintf(text, sizeof(text), "B-%u", i);
		CHECK_STR(names.v[1], text);
	}
	free(f.v);
	free(names.v);
}

static void check_known_names(struct world *w)
{
	struct sap_record_names known = { .id = SAP_STR("A-6") };
	struct sap_names_list names = { 0 };

	claims_of(w, "pypi", "a");
	for (size_t i = 0; i < w->claims.n; i++)
		if (sap_str_is(w->claims.v[i].advisory->id, "A-6"))
			known.row = w->claims.v[i].advisory->row;
	known.alias = SAP_STR("CVE-2024-1006,B-6");
	CHECK_OK(sap_store_other_names(w->store, SAP_STR("CVE-2024-1006"), &known, 1, &w->arena,
				       &names, &w->err),
		 &w->err);
	CHECK_INT(names.n, 2);
	/* What is known is not read again. */
	known.alias = SAP_STR("CVE-2024-1006,C-6");
	names.n = 0;
	CHECK_OK(sap_store_other_names(w->store, SAP_STR("CVE-2024-1006"), &known, 1, &w->arena,
				       &names, &w->err),
		 &w->err);
	if (CHECK_INT(names.n, 2))
		CHECK_STR(names.v[1], "C-6");
	free(names.v);
}

static void test_questions_in_any_order(void)
{
	struct sap_buf rows;
	struct world w;

	sap_buf_init(&rows, SAP_MIB);
	sap_buf_puts(&rows, SAP_STR(OSV));
	for (unsigned i = 0; i < IDS; i += 6)
		sap_buf_printf(&rows, "record\tA-%u\talias=CVE-2024-%u,B-%u\n" CLAIM("a"), i,
			       1000 + i, i);
	for (unsigned i = 0; i < IDS; i += 3)
		sap_buf_printf(&rows, "epss\tCVE-2024-%u\t0.0%02u\t0.5\n", 1000 + i, i);
	for (unsigned i = 0; i < IDS; i += 30)
		sap_buf_printf(&rows, "kev\tCVE-2024-%u\tadded=2024-01-01\n", 1000 + i);
	for (unsigned i = 0; i < IDS; i += 6)
		sap_buf_printf(&rows, "function\tCVE-2024-%u\tp\tf\nfunction\tCVE-2024-%u\tp\tg\n",
			       1000 + i, 1000 + i);
	sap_buf_putc(&rows, '\0');
	clean();
	CHECK_INT(import((const char *)rows.p, NULL, NULL), 0);
	sap_buf_clear(&rows);
	if (open_world(&w)) {
		for (unsigned i = 0; i < IDS; i++)
			check_id(&w, i);
		for (unsigned i = IDS; i-- > 0;)
			check_id(&w, i);
		for (unsigned step = 1; step < IDS; step++)
			for (unsigned i = 0; i < IDS; i += step) {
				check_id(&w, i);
				check_id(&w, i);
			}
		for (unsigned i = 0; i < 10 * IDS; i++)
			check_id(&w, i * 7919 % IDS);
		check_known_names(&w);
	}
	close_world(&w);
}

static void test_a_second_connection(void)
{
	struct sap_store *twin = NULL;
	struct world w, other;

	clean();
	import(OSV "record\tV-1\n" CLAIM("a"), NULL, NULL);
	if (open_world(&w)) {
		other = (struct world){ .store = NULL };
		sap_arena_init(&other.arena, 0);
		if (CHECK_OK(sap_store_twin(w.store, &other.store, &w.err), &w.err)) {
			CHECK_INT(claims_of(&other, "pypi", "a"), 1);
			CHECK_INT(claims_of(&w, "pypi", "a"), 1);
			CHECK_STR(other.claims.v[0].advisory->id, "V-1");
		}
		close_world(&other);
		import(OSV "record\tV-2\n" CLAIM("a"), NULL, NULL);
		CHECK_INT(sap_store_twin(w.store, &twin, &w.err), SAP_ECHANGED);
		CHECK(!twin);
		clean();
		CHECK_INT(sap_store_twin(w.store, &twin, &w.err), SAP_ENOENT);
		CHECK_INT(claims_of(&w, "pypi", "a"), 1);
	}
	close_world(&w);
}

/* ---- the file --------------------------------------------------------------------------- */

static void test_a_newer_layout(void)
{
	struct sap_store_writer *w;
	struct sap_store *store;
	struct sap_err err = { 0 };

	clean();
	import(sample, NULL, NULL);
	sql("PRAGMA user_version=7");
	CHECK_INT(sap_store_open(path, &store, &err), SAP_EUNSUPPORTED);
	CHECK(strstr(err.text, "layout 7") && strstr(err.text, "layout 1"));
	CHECK_INT(sap_store_writer_new(path, NULL, 0, NULL, NULL, &w, &err), SAP_EUNSUPPORTED);
	CHECK_INT(number("PRAGMA user_version"), 7);
	sql("PRAGMA user_version=1; UPDATE meta SET value=8 WHERE key='schema'");
	CHECK_INT(sap_store_open(path, &store, &err), SAP_EUNSUPPORTED);
	CHECK_INT(files(), 2);
}

static void test_what_is_no_store_is_not_overwritten(void)
{
	struct sap_store_writer *w;
	struct sap_store *store;
	struct sap_err err = { 0 };
	struct sap_buf text;

	clean();
	CHECK_INT(sap_store_open(path, &store, &err), SAP_ENOENT);
	write_file(path, "my thesis", 9);
	CHECK_INT(sap_store_open(path, &store, &err), SAP_EFORMAT);
	CHECK_INT(sap_store_writer_new(path, NULL, 0, NULL, NULL, &w, &err), SAP_EFORMAT);
	CHECK(strstr(err.text, "--db") != NULL);
	read_file(path, &text);
	CHECK_STR(sap_buf_str(&text), "my thesis");
	sap_buf_clear(&text);
	unlink(path);
	sql("CREATE TABLE other(x)");
	CHECK_INT(sap_store_open(path, &store, &err), SAP_EFORMAT);
	CHECK_INT(sap_store_writer_new(path, NULL, 0, NULL, NULL, &w, &err), SAP_EFORMAT);
	CHECK(strstr(err.text, "move it away") != NULL);
	CHECK_INT(number("SELECT count(*) FROM other"), 0);
	CHECK_INT(sap_store_open(folder, &store, &err), SAP_EFORMAT);
	CHECK_INT(sap_store_writer_new(folder, NULL, 0, NULL, NULL, &w, &err), SAP_EUSAGE);
	/* An empty file holds nothing that could be lost. */
	write_file(path, "", 0);
	CHECK_INT(import(OSV, NULL, NULL), 0);
}

static void test_one_writer_at_a_time(void)
{
	struct sap_store_writer *one, *two;
	struct sap_err err = { 0 };
	char stale[320];

	clean();
	snprintf(stale, sizeof(stale), "%s.new-1", path);
	write_file(stale, "x", 1);
	snprintf(stale, sizeof(stale), "%s.new-1-journal", path);
	write_file(stale, "x", 1);
	snprintf(stale, sizeof(stale), "%s.newer", path);
	write_file(stale, "x", 1);
	CHECK_OK(sap_store_writer_new(path, NULL, 0, NULL, NULL, &one, &err), &err);
	CHECK_INT(sap_store_writer_new(path, NULL, 0, NULL, NULL, &two, &err), SAP_EIO);
	CHECK(strstr(err.text, "another import") != NULL);
	CHECK_INT(sap_store_open(path, &(struct sap_store *){ NULL }, &err), SAP_ENOENT);
	sap_store_abandon(one);
	CHECK_INT(files(), 2); /* the lock and .newer, which is not ours */
	CHECK_INT(import(OSV, NULL, NULL), 0);
	sap_store_abandon(NULL);
}

static void test_a_reader_keeps_what_it_has(void)
{
	struct world w;

	clean();
	import(OSV "record\tV-1\n" CLAIM("a"), NULL, NULL);
	if (open_world(&w)) {
		import("source\tosv\tA\tmode=replace\n", NULL, NULL);
		CHECK_INT(ask("pypi", "a"), 0);
		CHECK_INT(claims_of(&w, "pypi", "a"), 1);
	}
	close_world(&w);
}

static void test_base_and_folders(void)
{
	struct sap_store_writer *w;
	struct sap_err err = { 0 };
	struct sap_store *store;
	char deep[400], base[300], file[320];

	clean();
	import(OSV "record\tV-1\n" CLAIM("a"), NULL, NULL);
	snprintf(base, sizeof(base), "%s", path);
	snprintf(deep, sizeof(deep), "%s/one/two/three.db", folder);
	CHECK_OK(sap_store_writer_new(deep, base, 0, NULL, NULL, &w, &err), &err);
	CHECK_OK(sap_store_commit(w, &err), &err);
	CHECK_OK(sap_store_open(deep, &store, &err), &err);
	CHECK(sap_store_covers(store, SAP_STR("pypi"), &(int64_t){ 0 }, &(int64_t){ 0 }));
	sap_store_close(store);
	snprintf(file, sizeof(file), "%s/x.db", path);
	CHECK(sap_store_writer_new(file, NULL, 0, NULL, NULL, &w, &err) < 0);
	CHECK(sap_store_writer_new("/proc/nothing/x.db", NULL, 0, NULL, NULL, &w, &err) < 0);
	CHECK(sap_store_writer_new("", NULL, 0, NULL, NULL, &w, &err) < 0);
	unlink(deep);
	snprintf(deep, sizeof(deep), "%s/one/two/three.db.lock", folder);
	unlink(deep);
	snprintf(deep, sizeof(deep), "%s/one/two", folder);
	rmdir(deep);
	snprintf(deep, sizeof(deep), "%s/one", folder);
	rmdir(deep);
}

/* A link is not replaced by a file: what it points to is written anew. */
static void test_a_link_to_the_store(void)
{
	char target[300];
	struct stat st;

	clean();
	snprintf(target, sizeof(target), "%s/real.db", folder);
	import(OSV, NULL, NULL);
	CHECK_INT(rename(path, target), 0);
	CHECK_INT(symlink("real.db", path), 0);
	import("source\tosv\tB\n", NULL, NULL);
	CHECK(lstat(path, &st) == 0 && S_ISLNK(st.st_mode));
	CHECK_INT(number("SELECT count(*) FROM source"), 2);
}

/* No space left, as RLIMIT_FSIZE makes it: the old store stays as it was. */
static void test_no_space_left(void)
{
	struct rlimit old, few = { 200000, 200000 };
	struct sap_store_writer *w = NULL;
	struct sap_err err = { 0 };
	struct sap_buf before, after;
	char text[512];
	int r, n;

	clean();
	import(OSV "record\tV-1\n" CLAIM("a"), NULL, NULL);
	read_file(path, &before);
	getrlimit(RLIMIT_FSIZE, &old);
	few.rlim_max = old.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &few);
	r = sap_store_writer_new(path, NULL, 0, NULL, NULL, &w, &err);
	if (CHECK_OK(r, &err)) {
		sap_store_begin_stream(w, "x", SAP_STR(""), &err);
		feed(w, SAP_ROWS_MAGIC "\n" OSV);
		for (int i = 0; r == 0 && i < 20000; i++) {
			n = snprintf(text, sizeof(text), "record\tV-%d\trelated=%0200d\n", i, i);
			r = sap_store_feed(w, text, (size_t)n, &err);
		}
		n = snprintf(text, sizeof(text), "end\t20001\n");
		if (r == 0)
			r = sap_store_feed(w, text, (size_t)n, &err);
		if (r == 0)
			r = sap_store_end_stream(w, NULL, &err);
		if (r == 0)
			r = sap_store_commit(w, &err);
		else
			sap_store_abandon(w);
		CHECK_INT(r, SAP_EIO);
	}
	setrlimit(RLIMIT_FSIZE, &old);
	read_file(path, &after);
	CHECK(sap_str_eq(sap_buf_str(&before), sap_buf_str(&after)));
	CHECK_INT(files(), 2);
	sap_buf_clear(&before);
	sap_buf_clear(&after);
}

static void test_checked(void)
{
	struct sap_store_writer *w;
	struct sap_err err;
	struct world world;
	uint32_t n;

	clean();
	import(sample, NULL, NULL);
	CHECK_OK(sap_store_writer_new(path, NULL, 0, NULL, NULL, &w, &err), &err);
	CHECK_INT(sap_store_checked(w, SAP_STR("osv"), SAP_STR("none"), 1, &err), SAP_ENOENT);
	CHECK_OK(sap_store_checked(w, SAP_STR("debian-dsa"), SAP_STR("Debian"), 1234, &err), &err);
	CHECK_OK(sap_store_commit(w, &err), &err);
	if (open_world(&world))
		CHECK_INT(sap_store_sources(world.store, &n)[0].checked, 1234);
	close_world(&world);
}

/* ---- damage ----------------------------------------------------------------------------- */

/* Every reading call on a file that may be anything. */
static void read_all(void)
{
	struct sap_vulnerability v;
	struct sap_functions f = { 0 };
	struct sap_names_list names = { 0 };
	struct sap_known_object o;
	struct sap_rows rows;
	struct sap_buf out;
	struct world w = { 0 };
	bool found;

	sap_arena_init(&w.arena, 0);
	if (sap_store_open(path, &w.store, &w.err) == 0) {
		sap_store_claims(w.store, SAP_STR("debian:13"), SAP_STR("xz-utils"), &w.arena,
				 &w.claims, &w.err);
		sap_store_claims(w.store, SAP_STR("debian:12"), SAP_STR("xz-utils"), &w.arena,
				 &w.claims, &w.err);
		sap_store_vulnerability(w.store, SAP_STR("CVE-2024-3094"), &w.arena, &v, &found,
					&w.err);
		sap_store_functions(w.store, SAP_STR("CVE-2024-3094"), &w.arena, &f, &w.err);
		sap_store_names(w.store, SAP_STR("X-1"), &w.arena, &names, &w.err);
		sap_store_object(w.store, SAP_STR("00ffaa"), &w.arena, &o, &found, &w.err);
		sap_buf_init(&out, SAP_MIB);
		sap_rows_init(&rows, collect, &out);
		sap_store_export(w.store, SAP_STR(""), &rows, &w.err);
		sap_rows_clear(&rows);
		sap_buf_clear(&out);
	}
	free(f.v);
	free(names.v);
	close_world(&w);
}

static void test_damaged_files(void)
{
	struct sap_buf good;

	clean();
	import(sample, NULL, NULL);
	read_file(path, &good);
	for (size_t i = 0; i < good.n; i += i < 200 ? 1 : 61) {
		unsigned char old = good.p[i];

		good.p[i] = (unsigned char)(old ^ (1 + i % 255));
		write_file(path, good.p, good.n);
		read_all();
		good.p[i] = old;
	}
	for (size_t n = 0; n < good.n; n += 509) {
		write_file(path, good.p, n);
		read_all();
	}
	CHECK(true);
	sap_buf_clear(&good);
}

static void test_tables_that_are_not_ours(void)
{
	static const char *const texts[] = {
		"DROP TABLE epss",
		"DROP TABLE kev; CREATE VIEW kev AS SELECT 1",
		"CREATE TRIGGER t AFTER INSERT ON kev BEGIN SELECT 1; END",
	};
	struct sap_store *store;
	struct sap_err err = { 0 };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		clean();
		import(sample, NULL, NULL);
		sql(texts[i]);
		CHECK_INT(sap_store_open(path, &store, &err), SAP_EFORMAT);
	}
	clean();
	import(sample, NULL, NULL);
	sql("UPDATE package SET claims='nonsense'");
	if (CHECK_OK(sap_store_open(path, &store, &err), &err)) {
		struct sap_claims claims = { 0 };
		struct sap_arena arena;

		sap_arena_init(&arena, 0);
		CHECK_INT(sap_store_claims(store, SAP_STR("debian:13"), SAP_STR("xz-utils"), &arena,
					   &claims, &err),
			  SAP_EFORMAT);
		CHECK_INT(claims.n, 0);
		free(claims.v);
		sap_arena_clear(&arena);
		sap_store_close(store);
	}
}

int main(void)
{
	if (!mkdtemp(folder)) {
		snprintf(folder, sizeof(folder), "/tmp/sapper-store-XXXXXX");
		if (!mkdtemp(folder))
			return 1;
	}
	snprintf(path, sizeof(path), "%s/advisories.db", folder);
	test_what_is_written_is_read();
	test_claims_of_one_advisory_share_it();
	test_a_stream_in_single_bytes();
	test_export_and_import();
	test_a_source_that_is_not_there();
	test_the_example_of_the_documentation();
	test_a_newer_record_replaces();
	test_the_same_id_twice_in_one_stream();
	test_replacing_a_source();
	test_many_replacements();
	test_dates_of_a_source();
	test_a_dropped_stream_leaves_no_trace();
	test_bad_rows_are_problems();
	test_rows_without_a_source();
	test_an_endless_line();
	test_a_large_stream();
	test_what_claims_of_a_space_name();
	test_questions_in_any_order();
	test_a_second_connection();
	test_a_newer_layout();
	test_what_is_no_store_is_not_overwritten();
	test_one_writer_at_a_time();
	test_a_reader_keeps_what_it_has();
	test_base_and_folders();
	test_a_link_to_the_store();
	test_no_space_left();
	test_checked();
	test_damaged_files();
	test_tables_that_are_not_ours();
	clean();
	rmdir(folder);
	return check_done();
}
