/* SPDX-License-Identifier: Apache-2.0 */
#include <ftw.h>

#include "base/limits.h"
#include "catalog/catalog.h"
#include "catalog/rpm_int.h"
#include "check.h"
#include "rpm/rpm_build.h"
#include "rpm/rpm_run.h"

/* One run whose text must be want. */
static void expect(const char *what, enum format format, struct sap_buf *bytes, const char *want)
{
	struct run run;

	run_init(&run, true);
	CHECK_OK(run_bytes(&run, format, sap_buf_str(bytes)), &run.err);
	if (!CHECK_STR(sap_buf_str(&run.text), want))
		fprintf(stderr, "  in: %s\n", what);
	run_clear(&run);
	sap_buf_clear(bytes);
}

/* One run that must end well and give that many packages and diagnostics. */
static void expect_counts(const char *what, enum format format, struct sap_str bytes,
			  unsigned packages, unsigned notes)
{
	struct run run;

	run_init(&run, true);
	CHECK_OK(run_bytes(&run, format, bytes), &run.err);
	if (!CHECK_INT(run.sink.packages, packages) || !CHECK_INT(run.sink.notes, notes))
		fprintf(stderr, "  in: %s: %.*s\n", what, SAP_FMT(sap_buf_str(&run.text)));
	run_clear(&run);
}

/* ---- headers ---------------------------------------------------------------------------- */

static void header_gives_all_fields(void)
{
	struct sap_buf blob = build_sample();

	expect("sample", HEADER, &blob, BUILD_SAMPLE_TEXT);
}

static void start(struct rpm_build *b)
{
	build_init(b);
	build_text(b, 1000, "p");
	build_text(b, 1001, "1");
	build_text(b, 1002, "2");
}

#define P(version, source) "P\tp\t" version "\t\t" source "\t\t\t\t\t\t0\t0\tunknown\n"

static void later_tag_of_two_holds(void)
{
	struct rpm_build b;
	struct sap_buf blob;

	start(&b);
	BUILD_NUMBERS(&b, 1008, 4, 1);
	BUILD_NUMBERS(&b, 1008, 4, 5);
	BUILD_NUMBERS(&b, 1009, 4, 7);
	BUILD_NUMBERS(&b, 5009, 8, 9);
	blob = build_header(&b);
	expect("twice", HEADER, &blob, "P\tp\t1-2\t\t\t\t\t\t\t\t\t5\t9\tunknown\n");
}

static void versions_and_sources(void)
{
	static const struct {
		const char *source;
		uint32_t epoch;
		const char *want;
	} table[] = {
		{ "a-b-1-2.src.rpm", 0, P("1-2", "a-b\t1-2") },
		{ "a-1-2.nosrc.rpm", 1, P("1:1-2", "a\t1:1-2") },
		{ "(none)", 4294967295u, P("4294967295:1-2", "\t") },
		{ "a-1.src.rpm", 0,
		  P("1-2", "\t") "D\t/db\tformat\tpackage p: \"a-1.src.rpm\" is no name of a "
				 "source package\n" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct rpm_build b;
		struct sap_buf blob;

		start(&b);
		build_text(&b, 1044, table[i].source);
		BUILD_NUMBERS(&b, 1003, 4, table[i].epoch);
		blob = build_header(&b);
		expect(table[i].source, HEADER, &blob, table[i].want);
	}
}

static void old_packages_have_whole_paths(void)
{
	struct rpm_build b;
	struct sap_buf blob;

	start(&b);
	build_texts(&b, 1027, "/a|/b/c");
	blob = build_header(&b);
	expect("old", HEADER, &blob, P("1-2", "\t") "F\t/a\t0\t0:\nF\t/b/c\t0\t0:\n");
}

/* Folders and names that would lead elsewhere are diagnostics; doubled slashes are not. */
static void paths_stay_plain(void)
{
	static const struct {
		const char *dir, *name, *want;
	} table[] = {
		{ "/etc/", "x", "F\t/etc/x\t0\t0:\n" },
		{ "/", "x", "F\t/x\t0\t0:\n" },
		{ "//a///b//", "x", "F\t/a/b/x\t0\t0:\n" },
		{ "/etc", "x", "F\t/etc/x\t0\t0:\n" },
		{ "/a/../b/", "x", NULL },
		{ "/./", "x", NULL },
		{ "rel/", "x", NULL },
		{ "", "x", NULL },
		{ "/a/", "..", NULL },
		{ "/a/", ".", NULL },
		{ "/a/", "b/c", NULL },
		{ "/a/", "", NULL },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct rpm_build b;
		struct sap_buf blob;
		struct run run;

		start(&b);
		build_texts(&b, 1117, table[i].name);
		build_texts(&b, 1118, table[i].dir);
		BUILD_NUMBERS(&b, 1116, 4, 0);
		blob = build_header(&b);
		run_init(&run, true);
		CHECK_OK(run_bytes(&run, HEADER, sap_buf_str(&blob)), &run.err);
		CHECK_INT(run.sink.files, table[i].want != NULL);
		CHECK_INT(run.sink.notes, table[i].want == NULL);
		if (table[i].want)
			CHECK(sap_str_ends(sap_buf_str(&run.text), sap_str_of(table[i].want)));
		run_clear(&run);
		sap_buf_clear(&blob);
	}
}

static void lying_counts(void)
{
	static const struct {
		uint32_t tag, type, count;
		unsigned packages;
	} table[] = {
		{ 1117, 8, 0xffffffff, 1 }, { 1117, 8, 4, 1 },        { 1049, 8, 50000000, 1 },
		{ 1118, 8, 0x7fffffff, 1 }, { 1030, 3, 1u << 31, 1 }, { 1003, 4, 1u << 30, 1 },
		{ 1003, 6, 1, 1 },          { 1001, 4, 1, 1 },        { 1044, 7, 1, 1 },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct rpm_build b;
		struct sap_buf blob;

		start(&b);
		build_entry(&b, table[i].tag, table[i].type, table[i].count);
		sap_buf_put(&b.data, "a\0b", 4);
		blob = build_header(&b);
		expect_counts("lie", HEADER, sap_buf_str(&blob), table[i].packages, 1);
		sap_buf_clear(&blob);
	}
}

static void headers_that_are_none(void)
{
	static const char *const names[] = { "", "\0\0\0\1", "\0\0\0\0\0\0\0\0",
					     "\xff\xff\xff\xff" };
	static const size_t sizes[] = { 0, 4, 8, 4 };

	for (size_t i = 0; i < 4; i++)
		expect_counts("none", HEADER, (struct sap_str){ names[i], sizes[i] }, 0, 1);
}

static void sink_refusals_end_the_work(void)
{
	struct sap_buf blob = build_sample();

	for (unsigned n = 1; n < 6; n++) {
		struct run run;

		run_init(&run, false);
		run.sink.fail_after = n;
		CHECK_INT(run_bytes(&run, HEADER, sap_buf_str(&blob)), SAP_EWORKER);
		CHECK_INT(run.sink.records, n);
		run_clear(&run);
	}
	sap_buf_clear(&blob);
}

/* ---- damage ----------------------------------------------------------------------------- */

/* Cuts at every step-th byte and flips every bit; the run must end well. Copies of the exact
 * size, so that a sanitizer sees one byte too many. */
static void survive_damage(enum format format, struct sap_str good, size_t step)
{
	unsigned good_runs = 0, runs = 0;

	for (size_t i = 0; i < good.n; i += step) {
		for (int bit = -1; bit < 8; bit++) {
			size_t n = bit < 0 ? i : good.n;
			char *copy = malloc(n ? n : 1);
			struct run run;

			if (!copy)
				return;
			memcpy(copy, good.p, n);
			if (bit >= 0)
				copy[i] = (char)(copy[i] ^ 1 << bit);
			run_init(&run, false);
			runs++;
			good_runs += run_bytes(&run, format, (struct sap_str){ copy, n }) == 0;
			/* A header cut short is never silent. */
			if (bit < 0 && format != SQLITE)
				good_runs -= run.sink.notes == 0 && i < good.n;
			run_clear(&run);
			free(copy);
		}
	}
	CHECK_INT(good_runs, runs);
}

/* ---- ndb and Berkeley DB ---------------------------------------------------------------- */

static void damaged_headers_end_well(void)
{
	struct sap_buf blob = build_sample();

	survive_damage(HEADER, sap_buf_str(&blob), 1);
	sap_buf_clear(&blob);
}

static void ndb_gives_packages(void)
{
	struct sap_buf blob = build_sample(), db = build_ndb(sap_buf_str(&blob), 3);

	expect_counts("ndb", NDB, sap_buf_str(&db), 3, 0);
	survive_damage(NDB, sap_buf_str(&db), 61);
	/* A wrong checksum: the package is given, with a diagnostic. */
	db.p[db.n - 13] ^= 1;
	expect_counts("checksum", NDB, sap_buf_str(&db), 3, 1);
	/* A slot that leads out of the file, and two that share their blocks for ever. */
	build_set32(&db, 32 + 8, 0xfffffff0);
	expect_counts("slot", NDB, sap_buf_str(&db), 2, 2);
	for (unsigned i = 0; i < 254; i++) {
		build_set32(&db, 32 + i * 16 + 4, 1);
		build_set32(&db, 32 + i * 16 + 8, 256);
		build_set32(&db, 32 + i * 16 + 12, (uint32_t)(db.n - 4096) / 48);
	}
	struct run run;

	run_init(&run, false);
	CHECK_OK(run_bytes(&run, NDB, sap_buf_str(&db)), &run.err);
	CHECK(run.sink.packages < 20 && run.sink.packages > 0 && run.sink.notes > 200);
	run_clear(&run);
	sap_buf_clear(&db);
	sap_buf_clear(&blob);
}

static void bdb_gives_packages(void)
{
	struct sap_buf blob = build_sample(), db = build_bdb(sap_buf_str(&blob));
	size_t next = 2 * BUILD_PAGE + 16;

	expect_counts("bdb", BDB, sap_buf_str(&db), 1, 0);
	survive_damage(BDB, sap_buf_str(&db), 1);
	/* A chain that leads back to itself, with and without bytes on its pages. */
	build_set32(&db, next, 2);
	expect_counts("a cyclic chain", BDB, sap_buf_str(&db), 0, 1);
	build_set32(&db, 2 * BUILD_PAGE + 22, 0x07000000);
	expect_counts("an empty cyclic chain", BDB, sap_buf_str(&db), 0, 1);
	/* A value larger than the file. */
	build_set32(&db, BUILD_PAGE + 485 + 8, 0xffffffff);
	expect_counts("a huge value", BDB, sap_buf_str(&db), 0, 1);
	/* Items one over the other. */
	db.p[BUILD_PAGE + 28] = 0xff;
	expect_counts("overlapping items", BDB, sap_buf_str(&db), 0, 1);
	sap_buf_clear(&db);
	sap_buf_clear(&blob);
}

/* ---- SQLite ----------------------------------------------------------------------------- */

#define CREATE \
	"CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT,blob BLOB NOT NULL);"

static void sqlite_gives_packages(void)
{
	struct sap_buf blob = build_sample();
	struct sap_buf db = build_sqlite(CREATE "INSERT INTO Packages (blob) VALUES (?1);"
						"INSERT INTO Packages (blob) VALUES (?1);"
						"INSERT INTO Packages (blob) VALUES ('text');",
					 sap_buf_str(&blob));

	expect_counts("sqlite", SQLITE, sap_buf_str(&db), 2, 1);
	/* WAL mode, as rpm leaves it. */
	db.p[18] = db.p[19] = 2;
	expect_counts("WAL mode", SQLITE, sap_buf_str(&db), 2, 1);
	survive_damage(SQLITE, sap_buf_str(&db), 7);
	sap_buf_clear(&db);
	db = build_sqlite(CREATE, sap_buf_str(&blob));
	expect_counts("empty", SQLITE, sap_buf_str(&db), 0, 0);
	sap_buf_clear(&db);
	sap_buf_clear(&blob);
	expect_counts("no database", SQLITE, SAP_STR("SQLite format 3"), 0, 1);
}

/* A schema is a program: none of these may run, all must end at once with a diagnostic. */
static void hostile_schemas(void)
{
	static const char *const table[] = {
		"CREATE TABLE other(a)",
		"CREATE VIEW Packages(hnum, blob) AS WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL "
		"SELECT n+1 FROM r) SELECT n, zeroblob(100000000) FROM r",
		"CREATE TABLE t(hnum, blob); INSERT INTO t VALUES (1, ?1); "
		"CREATE VIEW Packages AS SELECT hnum, blob FROM t",
		"CREATE TABLE Packages(hnum INTEGER PRIMARY KEY, x, blob AS "
		"(zeroblob(100000000))); "
		"INSERT INTO Packages(x) VALUES (1)",
		"CREATE TABLE Packages(hnum INTEGER PRIMARY KEY, x, blob/**/as(x||x)stored); "
		"INSERT INTO Packages(x) VALUES (1)",
		"CREATE TABLE Packages(hnum INTEGER PRIMARY KEY)",
		"CREATE VIRTUAL TABLE Packages USING fts5(hnum, blob)",
		"CREATE VIRTUAL TABLE Packages USING dbstat",
		"CREATE TABLE Packages AS SELECT 1 hnum, 'a' blob",
	};
	struct sap_buf blob = build_sample();

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct sap_buf db = build_sqlite(table[i], sap_buf_str(&blob));

		expect_counts(table[i], SQLITE, sap_buf_str(&db), 0, 1);
		sap_buf_clear(&db);
	}
	/* Triggers and indexes on expressions are there, but nothing asks for them. */
	struct sap_buf db = build_sqlite(
		CREATE "INSERT INTO Packages (blob) VALUES (?1);"
		       "CREATE INDEX i ON Packages(length(blob));"
		       "CREATE INDEX j ON Packages(hnum, blob);"
		       "CREATE TRIGGER t AFTER INSERT ON Packages BEGIN DELETE FROM Packages; END;"
		       "CREATE TABLE z(a CHECK (a > randomblob(10)), b DEFAULT (hex(1)));",
		sap_buf_str(&blob));

	expect_counts("triggers", SQLITE, sap_buf_str(&db), 1, 0);
	sap_buf_clear(&db);
	sap_buf_clear(&blob);
}

/* Page 2 is the root of Packages: an interior page whose children are itself never ends. */
static void cyclic_tree(void)
{
	struct sap_buf blob = build_sample();
	struct sap_buf db =
		build_sqlite(CREATE "INSERT INTO Packages (blob) VALUES (?1)", sap_buf_str(&blob));
	unsigned char *page = db.p + 512;
	struct run run;

	memset(page, 0, 512);
	page[0] = 5;
	page[4] = 40; /* cells: child 2, key 1 */
	page[5] = 1;
	page[11] = 2;
	for (unsigned i = 0; i < 40; i++) {
		page[12 + 2 * i] = (unsigned char)(260 >> 8);
		page[13 + 2 * i] = (unsigned char)260;
	}
	page[260 + 3] = 2;
	page[260 + 4] = 1;
	run_init(&run, false);
	CHECK_OK(run_bytes(&run, SQLITE, sap_buf_str(&db)), &run.err);
	CHECK_INT(run.sink.notes, 1);
	run_clear(&run);
	sap_buf_clear(&db);
	sap_buf_clear(&blob);
}

/* ---- the write-ahead log ---------------------------------------------------------------- */

/* Two packages in the file, three more in its log, in two transactions. */
static bool make_logged(const char *dir, struct sap_buf *db, struct sap_buf *log)
{
	struct sap_buf blob = build_sample();
	static const char *const steps[] = {
		"PRAGMA page_size=512; PRAGMA journal_mode=WAL; PRAGMA "
		"wal_autocheckpoint=0; " CREATE,
		"INSERT INTO Packages (blob) VALUES (?1)",
		"INSERT INTO Packages (blob) VALUES (?1)",
		"PRAGMA wal_checkpoint(TRUNCATE)",
		"INSERT INTO Packages (blob) VALUES (?1)",
		"INSERT INTO Packages (blob) SELECT blob FROM Packages LIMIT 2",
	};
	char path[512], log_path[520];
	sqlite3 *sql = NULL;
	bool ok;

	snprintf(path, sizeof(path), "%s/logged.sqlite", dir);
	snprintf(log_path, sizeof(log_path), "%s-wal", path);
	sqlite3_open(path, &sql);
	sqlite3_exec(sql, steps[0], NULL, NULL, NULL);
	for (size_t i = 1; i < sizeof(steps) / sizeof(steps[0]); i++) {
		sqlite3_stmt *stmt = NULL;

		CHECK_INT(sqlite3_prepare_v2(sql, steps[i], -1, &stmt, NULL), SQLITE_OK);
		if (sqlite3_bind_parameter_count(stmt))
			sqlite3_bind_blob(stmt, 1, blob.p, (int)blob.n, SQLITE_STATIC);
		while (sqlite3_step(stmt) == SQLITE_ROW)
			continue;
		sqlite3_finalize(stmt);
	}
	ok = slurp(path, db) && slurp(log_path, log);
	sqlite3_close(sql);
	unlink(path);
	sap_buf_clear(&blob);
	return ok;
}

/* How many packages file and log give together; *code: the fault of the log. */
static unsigned count_logged(struct sap_str db, struct sap_str log, int *code)
{
	struct sap_reader reader =
		sap_reader_memory((struct sap_span){ (const unsigned char *)db.p, db.n });
	struct sap_reader log_reader =
		sap_reader_memory((struct sap_span){ (const unsigned char *)log.p, log.n });
	struct sap_rpm_image image;
	struct sap_err fault = { 0 };
	unsigned packages;
	struct run run;

	run_init(&run, false);
	CHECK_OK(sap_rpm_image_load(&reader, &log_reader, &image, &fault, &run.err), &run.err);
	if (image.p)
		CHECK_OK(sap_rpm_sqlite_read(&image, &run.emit.visit, &run.err), &run.err);
	packages = run.sink.packages;
	*code = fault.code;
	sap_rpm_image_clear(&image);
	run_clear(&run);
	return packages;
}

static void log_is_applied_up_to_its_last_commit(const char *dir)
{
	struct sap_buf db = { 0 }, log = { 0 };
	int code;

	if (!CHECK(make_logged(dir, &db, &log)))
		return;
	struct sap_str file = sap_buf_str(&db), whole = sap_buf_str(&log);
	size_t frame = 24 + 512, frames = (whole.n - 32) / frame;

	CHECK_INT(count_logged(file, SAP_STR(""), &code), 2);
	CHECK_INT(code, 0);
	CHECK_INT(count_logged(file, whole, &code), 5);
	CHECK_INT(code, 0);
	/* Cut: never more than was committed, never nothing. */
	for (size_t n = 1; n < whole.n; n += 97) {
		unsigned packages = count_logged(file, (struct sap_str){ whole.p, n }, &code);

		CHECK(packages == 2 || packages == 3);
		CHECK(code == SAP_EFORMAT || (n - 32) % frame == 0);
	}
	/* The last frame, which commits, is damaged: what came before counts. */
	log.p[32 + (frames - 1) * frame + 100] ^= 1;
	CHECK_INT(count_logged(file, sap_buf_str(&log), &code), 3);
	CHECK_INT(code, SAP_EFORMAT);
	/* Its salts are another log's: nothing is missing. */
	log.p[32 + (frames - 1) * frame + 8] ^= 1;
	CHECK_INT(count_logged(file, sap_buf_str(&log), &code), 3);
	CHECK_INT(code, 0);
	/* The first frame: nothing of the log counts. */
	log.p[32 + 100] ^= 1;
	CHECK_INT(count_logged(file, sap_buf_str(&log), &code), 2);
	CHECK_INT(code, SAP_EFORMAT);
	log.p[0] ^= 1;
	CHECK_INT(count_logged(file, sap_buf_str(&log), &code), 2);
	CHECK_INT(code, SAP_EFORMAT);
	sap_buf_clear(&db);
	sap_buf_clear(&log);
}

/* ---- reasons ---------------------------------------------------------------------------- */

static void check_reason(const struct sap_rpm_reasons *reasons, const char *name, int want)
{
	if (!CHECK_INT(sap_rpm_reasons_get(reasons, sap_str_of(name), SAP_STR("x86_64")), want))
		fprintf(stderr, "  of %s\n", name);
}

static void dnf4_history(void)
{
	static const char sql[] =
		"CREATE TABLE trans(id INTEGER PRIMARY KEY, dt_begin INTEGER, state INTEGER);"
		"CREATE TABLE rpm(item_id INTEGER UNIQUE NOT NULL, name TEXT, epoch INTEGER, arch "
		"TEXT);"
		"CREATE TABLE trans_item(id INTEGER PRIMARY KEY, trans_id INTEGER, item_id "
		"INTEGER, "
		"repo_id INTEGER, action INTEGER, reason INTEGER, state INTEGER);"
		"INSERT INTO trans VALUES (1,0,1),(2,0,1),(3,0,2),(4,0,1);"
		"INSERT INTO rpm VALUES (9,'dep',0,'x86_64'),(2,'user',0,'x86_64'),"
		"(3,'weak',0,'x86_64'),(4,'group',0,'x86_64'),(5,'removed',0,'x86_64'),"
		"(6,'marked',0,'x86_64'),(7,'upgraded',0,'x86_64'),(8,'upgraded',0,'x86_64'),"
		"(10,'failed',0,'x86_64'),(11,'dep',0,'i686');"
		"INSERT INTO trans_item(trans_id,item_id,action,reason) VALUES (1,9,1,1),(1,2,1,2),"
		"(1,3,1,4),(1,4,1,5),(1,5,1,1),(2,5,8,1),(1,6,1,1),(2,6,11,2),(1,7,1,1),(4,8,6,1),"
		"(4,7,7,0),(3,10,1,1),(1,11,1,2)";
	struct sap_rpm_reasons reasons;
	struct sap_rpm_image image;
	struct sap_err fault = { 0 }, err = { 0 };
	struct sap_buf db = build_sqlite(sql, SAP_STR(""));

	image = (struct sap_rpm_image){ db.p, db.n };
	CHECK_OK(sap_rpm_reasons_init(&reasons, &err), &err);
	CHECK_OK(sap_rpm_reasons_dnf4(&reasons, &image, &fault, &err), &err);
	CHECK_INT(fault.code, 0);
	check_reason(&reasons, "dep", SAP_YES);
	check_reason(&reasons, "weak", SAP_YES);
	check_reason(&reasons, "user", SAP_NO);
	check_reason(&reasons, "group", SAP_NO);
	check_reason(&reasons, "removed", SAP_UNKNOWN);
	check_reason(&reasons, "marked", SAP_NO);
	check_reason(&reasons, "upgraded", SAP_YES);
	check_reason(&reasons, "failed", SAP_UNKNOWN);
	check_reason(&reasons, "other", SAP_UNKNOWN);
	CHECK_INT(sap_rpm_reasons_get(&reasons, SAP_STR("dep"), SAP_STR("i686")), SAP_NO);
	sap_rpm_reasons_clear(&reasons);
	sap_buf_clear(&db);
}

static void reasons_in_text_files(void)
{
	static const char toml[] = "version = \"1.0\"\n\"out.x86_64\" = {reason=\"User\"}\n"
				   "[packages]\n\"dep.x86_64\" = {reason = \"Dependency\"}\n"
				   "\"weak.x86_64\" = {reason=\"Weak Dependency\"}\n"
				   "\"user.x86_64\" = { reason = \"User\" }\r\n"
				   "\"ext.x86_64\" = {reason = \"External User\"}\n"
				   "\"cut.x86_64\" = {reason = \"Us\n"
				   "[other]\n\"no.x86_64\" = {reason=\"User\"}\n";
	struct sap_rpm_reasons reasons;
	struct sap_err err = { 0 };

	CHECK_OK(sap_rpm_reasons_init(&reasons, &err), &err);
	CHECK_OK(sap_rpm_reasons_dnf5(&reasons, sap_str_of(toml), &err), &err);
	check_reason(&reasons, "dep", SAP_YES);
	check_reason(&reasons, "weak", SAP_YES);
	check_reason(&reasons, "user", SAP_NO);
	check_reason(&reasons, "ext", SAP_UNKNOWN);
	check_reason(&reasons, "cut", SAP_UNKNOWN);
	check_reason(&reasons, "out", SAP_UNKNOWN);
	check_reason(&reasons, "no", SAP_UNKNOWN);
	sap_rpm_reasons_clear(&reasons);

	CHECK_OK(sap_rpm_reasons_init(&reasons, &err), &err);
	CHECK_OK(sap_rpm_reasons_zypp(&reasons, SAP_STR("# written\ndep\n\nlib2\n"), &err), &err);
	check_reason(&reasons, "dep", SAP_YES);
	check_reason(&reasons, "lib2", SAP_YES);
	check_reason(&reasons, "user", SAP_NO);
	CHECK_INT(sap_rpm_reasons_get(&reasons, SAP_STR("gpg-pubkey"), SAP_STR("")), SAP_UNKNOWN);
	sap_rpm_reasons_clear(&reasons);
}

/* ---- roots ------------------------------------------------------------------------------ */

/* What the catalog gives for a root. */
static void read_root(const char *dir, struct run *run)
{
	run_init(run, true);
	if (!CHECK_OK(sap_input_open(dir, 0, &run->catalog.input, &run->err), &run->err))
		return;
	CHECK_OK(sap_catalog_rpm(&run->catalog, &run->err), &run->err);
	sap_input_free(run->catalog.input);
}

static void expect_root(const char *dir, unsigned packages, const char *note)
{
	struct run run;

	read_root(dir, &run);
	CHECK_INT(run.sink.packages, packages);
	CHECK_INT(run.sink.notes, note != NULL);
	if (note && !CHECK(memmem(run.text.p, run.text.n, note, strlen(note)) != NULL))
		fprintf(stderr, "  %.*s\n", SAP_FMT(sap_buf_str(&run.text)));
	run_clear(&run);
}

static void databases_are_found_once(const char *dir)
{
	struct sap_buf blob = build_sample(), ndb = build_ndb(sap_buf_str(&blob), 3);
	struct sap_buf bdb = build_bdb(sap_buf_str(&blob));
	struct sap_buf empty = build_sqlite(CREATE, sap_buf_str(&blob));
	struct sap_buf full =
		build_sqlite(CREATE "INSERT INTO Packages (blob) VALUES (?1)", sap_buf_str(&blob));
	char root[512], name[600];

	snprintf(root, sizeof(root), "%s/root", dir);
	mkdir(root, 0755);
	expect_root(root, 0, NULL);
	put_file(root, "/var/lib/rpm/Packages", sap_buf_str(&bdb));
	expect_root(root, 1, NULL);
	/* An empty database that a tool left beside the full one. */
	put_file(root, "/var/lib/rpm/rpmdb.sqlite", sap_buf_str(&empty));
	expect_root(root, 1, NULL);
	put_file(root, "/var/lib/rpm/rpmdb.sqlite", sap_buf_str(&full));
	put_file(root, "/var/lib/rpm/Packages.db", SAP_STR(""));
	expect_root(root, 1, "/var/lib/rpm/Packages\tignored");
	/* Two names of one folder, then two folders. */
	put_file(root, "/usr/lib/sysimage/x", SAP_STR(""));
	snprintf(name, sizeof(name), "%s/usr/lib/sysimage/rpm", root);
	CHECK_INT(symlink("/var/lib/rpm", name), 0);
	expect_root(root, 1, "/var/lib/rpm/Packages\tignored");
	put_file(root, "/var/lib/rpm/Packages", SAP_STR(""));
	unlink(name);
	put_file(root, "/usr/lib/sysimage/rpm/Packages.db", sap_buf_str(&ndb));
	expect_root(root, 4, "/usr/lib/sysimage/rpm/Packages.db\tseveral-databases");
	/* A rollback journal says that the database is half of a change. */
	put_file(root, "/usr/lib/sysimage/rpm/Packages.db", SAP_STR(""));
	expect_root(root, 1, "/usr/lib/sysimage/rpm/Packages.db\tempty");
	snprintf(name, sizeof(name), "%s/usr/lib/sysimage/rpm/Packages.db", root);
	unlink(name);
	put_file(root, "/var/lib/rpm/rpmdb.sqlite-journal", SAP_STR("x"));
	expect_root(root, 1, "rollback journal");
	sap_buf_clear(&full);
	sap_buf_clear(&empty);
	sap_buf_clear(&bdb);
	sap_buf_clear(&ndb);
	sap_buf_clear(&blob);
}

/* A FIFO, folder, or link to nowhere in the place of a database, its folder or its log. */
static void what_cannot_be_read_is_said(const char *dir)
{
	static const char *const paths[] = { "/var/lib/rpm/rpmdb.sqlite",
					     "/var/lib/rpm/Packages.db", "/var/lib/rpm/Packages",
					     "/usr/lib/sysimage/rpm" };
	struct sap_buf blob = build_sample();
	struct sap_buf full =
		build_sqlite(CREATE "INSERT INTO Packages (blob) VALUES (?1)", sap_buf_str(&blob));
	char root[512], name[600], want[200];

	snprintf(root, sizeof(root), "%s/odd", dir);
	mkdir(root, 0755);
	for (int i = 0; i < 8; i++) {
		put_file(root, "/var/lib/rpm/x", SAP_STR(""));
		put_file(root, "/usr/lib/sysimage/x", SAP_STR(""));
		snprintf(name, sizeof(name), "%s%s", root, paths[i / 2]);
		CHECK_INT(i % 2 ? symlink("/nowhere", name) : mkfifo(name, 0644), 0);
		snprintf(want, sizeof(want), "S\t%s\tunreadable\n", paths[i / 2]);
		expect_root(root, 0, want);
		unlink(name);
	}
	put_file(root, "/var/lib/rpm/rpmdb.sqlite", SAP_STR(""));
	expect_root(root, 0, "/rpmdb.sqlite\tempty\t");
	put_file(root, "/var/lib/rpm/rpmdb.sqlite", sap_buf_str(&full));
	snprintf(name, sizeof(name), "%s/var/lib/rpm/rpmdb.sqlite-wal", root);
	CHECK_INT(mkfifo(name, 0644), 0);
	expect_root(root, 1, "S\t/var/lib/rpm/rpmdb.sqlite\tpartial\n");
	sap_buf_clear(&full);
	sap_buf_clear(&blob);
}

/* ---- samples of real systems ------------------------------------------------------------ */

/* The package lines of a run as the lines of expected.tsv, sorted as the file is. */
static int compare_lines(const void *a, const void *b)
{
	return sap_str_cmp(*(const struct sap_str *)a, *(const struct sap_str *)b);
}

static void sort_lines(struct sap_str text, struct sap_buf *out)
{
	struct sap_str lines[1000];
	size_t n = 0;

	sap_buf_init(out, 1 << 20);
	while (n < 1000 && sap_str_line(&text, &lines[n]))
		n++;
	qsort(lines, n, sizeof(lines[0]), compare_lines);
	for (size_t i = 0; i < n; i++) {
		sap_buf_puts(out, lines[i]);
		sap_buf_putc(out, '\n');
	}
}

/* "P name version arch source source_version ..." to "name version arch source.src.rpm". */
static void list_packages(struct sap_str text, struct sap_buf *out)
{
	struct sap_str line, f[6], version;

	sap_buf_init(out, 1 << 20);
	while (sap_str_line(&text, &line)) {
		for (size_t i = 0; i < 6; i++)
			sap_str_cut(line, '\t', &f[i], &line);
		if (!sap_str_is(f[0], "P"))
			continue;
		if (!sap_str_cut(f[5], ':', &line, &version))
			version = f[5];
		sap_buf_printf(out, "%.*s\t%.*s\t%.*s\t%.*s-%.*s.src.rpm\n", SAP_FMT(f[1]),
			       SAP_FMT(f[2]), SAP_FMT(f[3]), SAP_FMT(f[4]), SAP_FMT(version));
	}
}

static void samples_equal_what_rpm_lists(const char *sample)
{
	const char *shared = getenv("SAP_SHARED");
	struct sap_buf expected = { 0 }, listed, got, want;
	char root[4096], path[4200];
	struct run run;

	snprintf(root, sizeof(root), "%s/vectors/packages/%s", shared ? shared : "", sample);
	snprintf(path, sizeof(path), "%s/expected.tsv", root);
	if (!shared || !slurp(path, &expected)) {
		check_skip(sample, "SAP_SHARED has no such sample");
		return;
	}
	read_root(root, &run);
	CHECK_INT(run.sink.notes, 0);
	CHECK(run.sink.files > 0);
	list_packages(sap_buf_str(&run.text), &listed);
	sort_lines(sap_buf_str(&listed), &got);
	sort_lines(sap_buf_str(&expected), &want);
	CHECK(want.n > 0);
	sap_buf_putc(&want, '\0');
	CHECK_STR(sap_buf_str(&got), (const char *)want.p);
	sap_buf_clear(&expected);
	sap_buf_clear(&listed);
	sap_buf_clear(&got);
	sap_buf_clear(&want);
	run_clear(&run);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int main(void)
{
	char dir[] = "/tmp/test_rpm.XXXXXX";

	header_gives_all_fields();
	later_tag_of_two_holds();
	versions_and_sources();
	old_packages_have_whole_paths();
	paths_stay_plain();
	lying_counts();
	headers_that_are_none();
	sink_refusals_end_the_work();
	damaged_headers_end_well();
	ndb_gives_packages();
	bdb_gives_packages();
	sqlite_gives_packages();
	hostile_schemas();
	cyclic_tree();
	dnf4_history();
	reasons_in_text_files();
	if (CHECK(mkdtemp(dir) != NULL)) {
		log_is_applied_up_to_its_last_commit(dir);
		databases_are_found_once(dir);
		what_cannot_be_read_is_said(dir);
		CHECK_INT(nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
	}
	samples_equal_what_rpm_lists("rpm-sqlite");
	samples_equal_what_rpm_lists("rpm-bdb");
	samples_equal_what_rpm_lists("rpm-ndb");
	return check_done();
}
