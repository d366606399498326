/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Report: the JSON writer with every byte, the terminal writer, purls after the standard's own
 * cases, and the views over facts and closures made here by hand. Every document that comes out
 * is checked by a JSON reader of this file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/machine.h"
#include "model/purl.h"
#include "report_reader.h"
#include "report_world.h"

/* ---- JSON ------------------------------------------------------------------------------- */

/* What the writer makes of s, read back. */
static bool round_trip(struct sap_str s, struct sap_buf *text)
{
	struct sap_buf out;
	struct sap_json json;
	bool utf8;

	sap_buf_init(&out, BUF_MAX);
	sap_json_init(&json, &out);
	utf8 = sap_json_str(&json, NULL, s);
	sap_json_end(&json);
	CHECK(is_json(&out, text));
	sap_buf_clear(&out);
	return utf8;
}

static void test_json_every_byte(void)
{
	struct sap_buf text;

	sap_buf_init(&text, BUF_MAX);
	for (unsigned c = 0; c < 256; c++) {
		const char one[] = { 'a', (char)c, 'b' };
		bool utf8 = round_trip((struct sap_str){ one, 3 }, &text);

		CHECK_INT(utf8, c < 0x80);
		if (c < 0x80)
			CHECK(sap_str_eq(sap_buf_str(&text), (struct sap_str){ one, 3 }));
		else
			CHECK_STR(sap_buf_str(&text), "a\xef\xbf\xbd"
						      "b");
	}
	for (unsigned c = 0; c < 65536;
	     c++) { /* every pair: two bytes are UTF-8, or they are not */
		const char two[] = { (char)(c >> 8), (char)c };
		unsigned lead = c >> 8, next = c & 0xff;
		bool want = (lead < 0x80 && next < 0x80) ||
			    (lead >= 0xc2 && lead < 0xe0 && next >= 0x80 && next < 0xc0);
		bool utf8 = round_trip((struct sap_str){ two, 2 }, &text);

		if (utf8 != want ||
		    (utf8 && !sap_str_eq(sap_buf_str(&text), (struct sap_str){ two, 2 })))
			CHECK_INT(c, -1);
	}
	sap_buf_clear(&text);
}

static void test_json_utf8(void)
{
	static const struct {
		const char *bytes;
		bool utf8;
	} cases[] = {
		{ "gr\xc3\xbc\xc3\x9f", true },
		{ "\xe2\x82\xac", true },
		{ "\xf0\x9f\x92\xa3", true },
		{ "\xf4\x8f\xbf\xbf", true },
		{ "\xef\xbf\xbd", true },
		{ "\xf4\x90\x80\x80", false },
		{ "\xed\xa0\x80", false },
		{ "\xe0\x80\xaf", false },
		{ "\xf0\x80\x80\xaf", false },
		{ "\xc0\xaf", false },
		{ "\xe2\x82", false },
		{ "\xf0\x9f\x92", false },
		{ "\xf5\x80\x80\x80", false },
		{ "\xf8\x88\x80\x80\x80", false },
		{ "\xff", false },
		{ "\x80", false },
	};
	struct sap_buf text;

	sap_buf_init(&text, BUF_MAX);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CHECK_INT(round_trip(sap_str_of(cases[i].bytes), &text), cases[i].utf8);
		if (cases[i].utf8)
			CHECK_STR(sap_buf_str(&text), cases[i].bytes);
	}
	sap_buf_clear(&text);
}

static void test_json_layout(void)
{
	struct sap_buf out;
	struct sap_json json;
	char key[257];

	sap_buf_init(&out, BUF_MAX);
	sap_json_init(&json, &out);
	sap_json_object(&json, NULL);
	sap_json_object(&json, "a");
	sap_json_u64(&json, "zero", 0);
	sap_json_u64(&json, "max", UINT64_MAX);
	sap_json_close(&json);
	sap_json_list(&json, "b");
	sap_json_bool(&json, NULL, true);
	sap_json_list(&json, NULL);
	sap_json_null(&json, NULL);
	sap_json_bool(&json, NULL, false);
	sap_json_close(&json);
	sap_json_close(&json);
	sap_json_text(&json, "absent", SAP_STR(""));
	sap_json_text(&json, "path", SAP_STR("/a\xff"));
	sap_json_hex(&json, "id", SAP_STR("\x00\xab"));
	sap_json_close(&json);
	sap_json_end(&json);
	CHECK_STR(
		sap_buf_str(&out),
		"{\"a\":{\"zero\":0,\"max\":18446744073709551615},\n\"b\":[true,\n[null,false]],\n"
		"\"path\":\"/a\xef\xbf\xbd\",\n\"path_bytes\":\"2f61ff\",\n\"id\":\"00ab\"}\n");
	CHECK(valid(&out));

	sap_buf_reset(&out);
	for (unsigned i = 0; i < 256; i++)
		key[i] = (char)(i + 1); /* every byte but NUL, which is its end */
	sap_json_init(&json, &out);
	sap_json_object(&json, NULL);
	sap_json_u64(&json, key, 1);
	sap_json_close(&json);
	sap_json_end(&json);
	CHECK(valid(&out));
	sap_buf_clear(&out);
}

static bool nested(unsigned depth)
{
	struct sap_buf out;
	struct sap_json json;
	bool ok;

	sap_buf_init(&out, BUF_MAX);
	sap_json_init(&json, &out);
	for (unsigned i = 0; i < depth; i++)
		sap_json_list(&json, NULL);
	for (unsigned i = 0; i < depth; i++)
		sap_json_close(&json);
	sap_json_end(&json);
	ok = sap_buf_ok(&out);
	CHECK(!ok || valid(&out));
	sap_buf_clear(&out);
	return ok;
}

/* Half a document, or none, must not pass as one. */
static void test_json_misuse(void)
{
	for (unsigned what = 0; what < 8; what++) {
		struct sap_buf out;
		struct sap_json json;

		sap_buf_init(&out, BUF_MAX);
		sap_json_init(&json, &out);
		if (what == 0) {
			sap_json_end(&json);
		} else if (what == 1) {
			sap_json_object(&json, NULL);
			sap_json_end(&json);
		} else if (what == 2) {
			sap_json_object(&json, NULL);
			sap_json_u64(&json, NULL, 1);
		} else if (what == 3) {
			sap_json_list(&json, NULL);
			sap_json_u64(&json, "key", 1);
		} else if (what == 4) {
			sap_json_u64(&json, NULL, 1);
			sap_json_u64(&json, NULL, 2);
		} else if (what == 5) {
			sap_json_close(&json);
		} else if (what == 6) {
			sap_json_list(&json, NULL);
			sap_json_close(&json);
			sap_json_close(&json);
		} else {
			sap_json_list(&json, NULL);
			sap_json_close(&json);
			sap_json_list(&json, NULL);
		}
		CHECK(!sap_buf_ok(&out));
		sap_buf_clear(&out);
	}
	CHECK(nested(1));
	CHECK(nested(SAP_JSON_DEPTH_MAX));
	CHECK(!nested(SAP_JSON_DEPTH_MAX + 1));
}

/* ---- terminal --------------------------------------------------------------------------- */

static void escapes_to(const char *bytes, size_t n, const char *want)
{
	struct sap_buf out;

	sap_buf_init(&out, BUF_MAX);
	sap_tty_escape(&out, (struct sap_str){ bytes, n });
	CHECK_STR(sap_buf_str(&out), want);
	sap_buf_clear(&out);
}

static void test_tty_escape(void)
{
	for (unsigned c = 0; c < 256; c++) {
		char byte = (char)c, want[8];

		snprintf(want, sizeof(want), c >= 0x20 && c < 0x7f ? "%c" : "\\x%02X", c);
		escapes_to(&byte, 1, want);
	}
	escapes_to("gr\xc3\xbc\xc3\x9f", 6, "gr\xc3\xbc\xc3\x9f");
	escapes_to("a\x1b[31mb\n", 8, "a\\x1B[31mb\\x0A");
	escapes_to("\xc2\x9b", 2, "\\xC2\\x9B");          /* C1: CSI */
	escapes_to("\xe2\x80\xae", 3, "\\xE2\\x80\\xAE"); /* right-to-left override */
	escapes_to("\xe2\x80\x8b", 3, "\\xE2\\x80\\x8B"); /* zero width */
	escapes_to("\xe2\x82", 2, "\\xE2\\x82");          /* cut short */
	escapes_to("\xed\xa0\x80", 3, "\\xED\\xA0\\x80"); /* surrogate */
	escapes_to("\xe2\x82\xac\xf0\x9f", 5, "\xe2\x82\xac\\xF0\\x9F");
}

static void shortens_to(const char *text, unsigned width, const char *want)
{
	struct sap_buf out;

	sap_buf_init(&out, BUF_MAX);
	sap_tty_shorten(&out, sap_str_of(text), width);
	CHECK_STR(sap_buf_str(&out), want);
	if (width >= 5)
		CHECK(sap_tty_columns(sap_buf_str(&out)) <= width);
	sap_buf_clear(&out);
}

static void test_tty_shorten(void)
{
	CHECK_INT(sap_tty_columns(SAP_STR("gr\xc3\xbc\xc3\x9f")), 4);
	shortens_to("/usr/lib/libz.so.1", 18, "/usr/lib/libz.so.1");
	/* folders go, the file name stays */
	shortens_to("/usr/lib/libz.so.1", 17, ".../libz.so.1");
	shortens_to("/usr/lib/x86_64-linux-gnu/libz.so.1", 24, "/usr/lib/.../libz.so.1");
	shortens_to("/usr/lib/x86_64-linux-gnu/libz.so.1", 22, "/usr/lib/.../libz.so.1");
	shortens_to("/usr/lib/x86_64-linux-gnu/libz.so.1", 21, "/usr/.../libz.so.1");
	shortens_to("/usr/lib/x86_64-linux-gnu/libz.so.1", 13, ".../libz.so.1");
	shortens_to("/usr/lib/libz.so.1", 9, "/u...so.1");
	shortens_to("usr/lib/libz.so.1", 9, "us...so.1");
	shortens_to("/usr/lib/libz.so.1", 0, "/usr/lib/libz.so.1");
	shortens_to("\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc", 6,
		    "\xc3\xbc...\xc3\xbc\xc3\xbc");
	for (unsigned width = 5; width < 30; width++) {
		struct sap_buf out;

		sap_buf_init(&out, BUF_MAX);
		sap_tty_shorten(&out, SAP_STR("0123456789012345678901234567890123456789"), width);
		CHECK_INT(out.n, width);
		sap_buf_clear(&out);
	}
}

static size_t longest_line(struct sap_str text)
{
	struct sap_str line;
	size_t longest = 0;

	while (sap_str_line(&text, &line)) {
		if (sap_tty_columns(line) > longest)
			longest = sap_tty_columns(line);
	}
	return longest;
}

static void put_table(struct sap_buf *out, unsigned width, bool color)
{
	static const struct sap_column columns[] = {
		{ .head = "N", .right = true },
		{ .head = "LIBRARY", .min = 8 },
		{ .head = "PATH", .style = SAP_DIM, .min = 10 },
	};
	const struct sap_tty tty = { out, width, color };
	struct sap_table table;

	sap_table_begin(&table, &tty, columns, 3);
	for (unsigned i = 1; i < 2000; i *= 10) {
		sap_table_printf(&table, "%u", i);
		sap_table_text(&table, SAP_STR("libgr\xc3\xbc\xc3\x9f.so.1"));
		sap_table_more(&table, SAP_STR("\x1b"));
		sap_table_text(&table, SAP_STR("/usr/lib/x86_64-linux-gnu/libsomething.so.1.2.3"));
	}
	sap_table_printf(&table, "0");
	sap_table_text(&table, SAP_STR(""));
	sap_table_text(&table, SAP_STR(""));
	sap_table_end(&table);
}

static void test_tables(void)
{
	struct sap_buf out;

	sap_buf_init(&out, BUF_MAX);
	put_table(&out, 0, false);
	CHECK(has(&out, "   N  LIBRARY            PATH\n"
			"   1  libgr\xc3\xbc\xc3\x9f.so.1 \\x1B  /usr/lib/x86_64-linux-gnu/"));
	CHECK(has(&out, "\n   0\n")); /* no blanks at the end of a line */
	CHECK(!memchr(out.p, '\033', out.n));
	for (unsigned width = 26; width < 90; width++) {
		sap_buf_reset(&out);
		put_table(&out, width, false);
		CHECK(longest_line(sap_buf_str(&out)) <= width);
	}
	sap_buf_reset(&out);
	put_table(&out, 10, false); /* too narrow: nothing below the columns' minimum */
	CHECK_INT(longest_line(sap_buf_str(&out)), 4 + 2 + 8 + 2 + 10);
	sap_buf_reset(&out);
	put_table(&out, 0, true);
	CHECK(has(&out, "\033[2m/usr"));
	CHECK_INT(count_of(&out, "\033[2m"), count_of(&out, "\033[0m"));
	sap_buf_clear(&out);
}

/* ---- purl ------------------------------------------------------------------------------- */

static void test_purl_rules(void)
{
	static const struct sap_purl_qualifier qualifiers[] = {
		{ "arch", SAP_STR_INIT("i386") },
		{ "distro", SAP_STR_INIT("a b/c") },
		{ "epoch", SAP_STR_INIT("") },
	};
	char name[256];
	struct sap_buf out;

	sap_buf_init(&out, BUF_MAX);
	sap_purl_put(&out, &(struct sap_purl){ .type = "rpm",
					       .ns = SAP_STR("Fedora"),
					       .name = SAP_STR("MiXed"),
					       .version = SAP_STR("1:2+b1~%"),
					       .qualifiers = qualifiers,
					       .n_qualifiers = 3 });
	CHECK_STR(sap_buf_str(&out),
		  "pkg:rpm/fedora/MiXed@1:2%2Bb1~%25?arch=i386&distro=a%20b%2Fc");
	sap_buf_reset(&out);
	for (unsigned i = 0; i < 256; i++)
		name[i] = (char)i;
	sap_purl_put(&out, &(struct sap_purl){ .type = "deb", .name = { name, 256 } });
	/* 26 + 26 + 10 letters and digits and ".-_~:" stand for themselves */
	CHECK_INT(out.n, strlen("pkg:deb/") + 67 + 3 * (256 - 67));
	CHECK(has(&out, "%00%01") && has(&out, "%FE%FF") && has(&out, "%2F0123456789:%3B"));
	sap_buf_clear(&out);
}

struct purl_case {
	enum sap_package_type type;
	const char *id, *release, *codename;
	const char *name, *version, *arch;
	const char *want;
};

static void check_purl(const struct purl_case *c)
{
	struct sap_facts *facts = sap_facts_new();
	struct sap_sink *sink = &facts->sink;
	struct sap_err err = { 0 };
	struct sap_buf out;
	const struct sap_rec_os os = { .id = sap_str_of(c->id),
				       .version_id = sap_str_of(c->release),
				       .codename = sap_str_of(c->codename) };
	const struct sap_rec_package package = { .id = 1,
						 .type = c->type,
						 .name = sap_str_of(c->name),
						 .version = sap_str_of(c->version),
						 .arch = sap_str_of(c->arch) };

	if (c->id)
		CHECK_OK(sink->os(sink, &os, &err), &err);
	CHECK_OK(sink->package(sink, &package, &err), &err);
	facts->whole = true;
	CHECK_OK(sap_facts_finish(facts, &err), &err);
	sap_buf_init(&out, BUF_MAX);
	sap_purl_put_package(&out, facts, &facts->packages.v[0]);
	CHECK_STR(sap_buf_str(&out), c->want);
	sap_buf_clear(&out);
	sap_facts_free(facts);
}

static void test_purl_packages(void)
{
	static const struct purl_case cases[] = {
		/* from the standard's own tests */
		{ SAP_PACKAGE_DEB, "debian", NULL, "jessie", "curl", "7.50.3-1", "i386",
		  "pkg:deb/debian/curl@7.50.3-1?arch=i386&distro=debian-jessie" },
		{ SAP_PACKAGE_DEB, "debian", NULL, NULL, "attr", "1:2.4.47-2+b1", "amd64",
		  "pkg:deb/debian/attr@1:2.4.47-2%2Bb1?arch=amd64&distro=debian" },
		{ SAP_PACKAGE_RPM, "fedora", "25", NULL, "centerim", "1:4.22.10-1.el6", "i686",
		  "pkg:rpm/fedora/centerim@4.22.10-1.el6?arch=i686&distro=fedora-25&epoch=1" },
		{ SAP_PACKAGE_ALPM, "arch", NULL, NULL, "containers-common", "1:0.47.4-4", "x86_64",
		  "pkg:alpm/arch/containers-common@1:0.47.4-4?arch=x86_64&distro=arch" },
		{ SAP_PACKAGE_APK, "alpine", "3.19.1", NULL, "curl", "7.83.0-r0", "x86",
		  "pkg:apk/alpine/curl@7.83.0-r0?arch=x86&distro=alpine-3.19.1" },
		/* lower case, except names of rpm */
		{ SAP_PACKAGE_DEB, "Debian", "12", NULL, "XZ-Utils", "5.6.1-1", "amd64",
		  "pkg:deb/debian/xz-utils@5.6.1-1?arch=amd64&distro=Debian-12" },
		{ SAP_PACKAGE_RPM, "rocky", "9.3", NULL, "NetworkManager", "1:1.44.0-3.el9",
		  "x86_64",
		  "pkg:rpm/rocky/"
		  "NetworkManager@1.44.0-3.el9?arch=x86_64&distro=rocky-9.3&epoch=1" },
		{ SAP_PACKAGE_DEB, "debian", "12", NULL, "libstdc++6", "12.2.0-14", "amd64",
		  "pkg:deb/debian/libstdc%2B%2B6@12.2.0-14?arch=amd64&distro=debian-12" },
		/* no epoch: 0, and what only looks like one */
		{ SAP_PACKAGE_RPM, "rocky", "9", NULL, "a", "0:1-2", "noarch",
		  "pkg:rpm/rocky/a@1-2?arch=noarch&distro=rocky-9" },
		{ SAP_PACKAGE_RPM, "rocky", "9", NULL, "a", "x:1-2", "noarch",
		  "pkg:rpm/rocky/a@x:1-2?arch=noarch&distro=rocky-9" },
		/* a system that does not say what it is; a package without architecture */
		{ SAP_PACKAGE_DEB, NULL, NULL, NULL, "a", "1", "all", "pkg:deb/a@1?arch=all" },
		{ SAP_PACKAGE_RPM, "fedora", "39", NULL, "gpg-pubkey", "18b8e74c-62f2920f", NULL,
		  "pkg:rpm/fedora/gpg-pubkey@18b8e74c-62f2920f?distro=fedora-39" },
		/* languages: nothing of the system in them */
		{ SAP_PACKAGE_PYPI, "debian", "12", NULL, "Zope._Interface", "5.5.2", NULL,
		  "pkg:pypi/zope-interface@5.5.2" },
		{ SAP_PACKAGE_NPM, "debian", "12", NULL, "@angular/animation", "12.3.1", NULL,
		  "pkg:npm/%40angular/animation@12.3.1" },
		{ SAP_PACKAGE_NPM, NULL, NULL, NULL, "JSONStream", "1.3.5", NULL,
		  "pkg:npm/JSONStream@1.3.5" },
		{ SAP_PACKAGE_NPM, NULL, NULL, NULL, "@x", "1", NULL, "pkg:npm/%40x@1" },
		{ SAP_PACKAGE_NPM, NULL, NULL, NULL, "@x/", "1", NULL, "pkg:npm/%40x%2F@1" },
		{ SAP_PACKAGE_GEM, "debian", "12", NULL, "jruby-launcher", "1.1.2", "java",
		  "pkg:gem/jruby-launcher@1.1.2?platform=java" },
		{ SAP_PACKAGE_GEM, NULL, NULL, NULL, "RedCloth", "4.3.2", NULL,
		  "pkg:gem/RedCloth@4.3.2" },
		{ SAP_PACKAGE_GOLANG, "debian", "12", NULL, "github.com/BurntSushi/toml", "v1.2.3",
		  NULL, "pkg:golang/github.com/burntsushi/toml@v1.2.3" },
		{ SAP_PACKAGE_GOLANG, NULL, NULL, NULL, "k8s.io/api", "v0.0.0+incompatible", NULL,
		  "pkg:golang/k8s.io/api@v0.0.0%2Bincompatible" },
		{ SAP_PACKAGE_GOLANG, NULL, NULL, NULL, "stdlib", "1.22.1", NULL,
		  "pkg:golang/stdlib@1.22.1" },
		{ SAP_PACKAGE_GOLANG, NULL, NULL, NULL, "a//../b?x", NULL, NULL,
		  "pkg:golang/a/../b%3Fx" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_purl(&cases[i]);
}

static void test_machines(void)
{
	CHECK_STR(sap_str_of(sap_machine_name(62)), "x86_64");
	CHECK_STR(sap_str_of(sap_machine_name(3)), "i386");
	CHECK_STR(sap_str_of(sap_machine_name(183)), "aarch64");
	CHECK_STR(sap_str_of(sap_machine_name(22)), "s390");
	CHECK_STR(sap_str_of(sap_machine_name(243)), "riscv");
	CHECK_STR(sap_str_of(sap_machine_name(0x9026)), "alpha");
	CHECK_STR(sap_str_of(sap_machine_name(0)), "none");
	CHECK_STR(sap_str_of(sap_machine_name(9999)), "unknown");
	CHECK_STR(sap_str_of(sap_machine_name(65535)), "unknown");
}

/* ---- scan ------------------------------------------------------------------------------- */

static struct sap_report *report_to(struct sap_buf *out, enum sap_format format, unsigned width,
				    bool verbose)
{
	const struct sap_report_options options = { .format = format,
						    .width = width,
						    .verbose = verbose };

	sap_buf_reset(out);
	return sap_report_new(&options, out);
}

#define REPORT(out, format, width, verbose, call, view)                           \
	do {                                                                      \
		struct sap_report *r_ = report_to((out), format, width, verbose); \
		call(r_, (view));                                                 \
		sap_report_free(r_);                                              \
	} while (0)

static void test_scan_json(void)
{
	struct world w = make_world();
	struct sap_scan_view view = { .facts = w.facts, .radius = &w.radius, .with_files = true };
	struct sap_buf out, again;

	sap_buf_init(&out, BUF_MAX);
	sap_buf_init(&again, BUF_MAX);
	REPORT(&out, SAP_FORMAT_JSON, 0, false, sap_report_scan, &view);
	CHECK(valid(&out));
	CHECK(has(&out, "{\"sapper\":{\"version\":\""));
	CHECK(has(&out, "\"schema\":\"scan/1\""));
	CHECK(has(&out, "\"name\":\"/mnt/\xef\xbf\xbd\",\"name_bytes\":\"2f6d6e742f9b\""));
	CHECK(has(&out, "\"complete\":false"));
	CHECK(has(&out, "\"id_like\":[\"one\",\"two\"]"));
	CHECK(has(&out, "\"purl\":\"pkg:deb/debian/prog@1:1.0-1?arch=amd64&distro=debian-12\""));
	CHECK(has(&out, "\"install_time\":\"2024-03-29T00:00:00Z\",\"auto_installed\":true"));
	CHECK_INT(count_of(&out, "install_time"), 1); /* the other is beyond year 9999 */
	CHECK(has(&out, "\"relations\":{\"depends\":[\"libb (>= 1) | other\xef\xbf\xbd\"],"
			"\"depends_bytes\":[\""));
	CHECK(has(&out,
		  "\"needed\":[\"liba.so.1\",\"lib\xef\xbf\xbd.so\"],\"needed_bytes\":[\"6c69"));
	CHECK(has(&out,
		  "\"path\":\"/opt/vendor/lib\\u001b[31m\xef\xbf\xbd.so\",\"path_bytes\":\"2f6f"));
	CHECK(has(&out, "\"package\":null,\"type\":\"relocatable\",\"machine\":\"unknown\","
			"\"e_machine\":9999"));
	CHECK(has(&out, "\"version_needs\":[{\"file\":\"liba.so.1\",\"versions\":[\"A_1\",\"A_2\"],"
			"\"weak\":[\"A_2\"]},{\"file\":\"libb.so.1\",\"versions\":[\"B_1\"]}]"));
	CHECK(has(&out, "\"build_id\":\"01fe\"") && has(&out, "\"relro\":\"full\""));
	CHECK(has(&out, "\"setuid\":true") && has(&out, "\"endian\":\"big\""));
	CHECK(has(&out, "\"unowned\":[\"/boot/mod.ko\",\n\"/opt"));
	CHECK(has(&out,
		  "{\"path\":\"/z\",\"offset\":7,\"code\":\"unreadable\",\"message\":\"no\"}"));
	CHECK(has(&out, "\"digest\":{\"algorithm\":\"md5\",\"value\":\"30313233"));
	CHECK_INT(count_of(&out, "\"symbols\":"), 1); /* read of one object only */
	REPORT(&again, SAP_FORMAT_JSON, 80, true, sap_report_scan, &view);
	CHECK(sap_str_eq(sap_buf_str(&out), sap_buf_str(&again)));
	for (size_t max = 0; max < again.n; max += 97) { /* no room: said, not hidden */
		struct sap_buf small;

		sap_buf_init(&small, max);
		REPORT(&small, SAP_FORMAT_JSON, 0, false, sap_report_scan, &view);
		CHECK(!sap_buf_ok(&small));
		sap_buf_clear(&small);
	}
	sap_buf_clear(&out);
	sap_buf_clear(&again);
	clear_world(&w);
}

/* What languages bring along is told apart from the system's packages. */
static void test_scan_languages(void)
{
	static const struct sap_rec_package more[] = {
		{ .id = 3,
		  .type = SAP_PACKAGE_GOLANG,
		  .name = SAP_STR_INIT("a.org/x"),
		  .database = SAP_STR_INIT("/usr/bin/prog") },
		{ .id = 4,
		  .type = SAP_PACKAGE_PYPI,
		  .name = SAP_STR_INIT("A_b"),
		  .version = SAP_STR_INIT("1"),
		  .database = SAP_STR_INIT("/x/METADATA") },
	};
	struct world w = make_world();
	struct sap_scan_view view = { .facts = w.facts, .radius = &w.radius, .cpu_level = 2 };
	struct sap_err err = { 0 };
	struct sap_buf out;

	for (size_t i = 0; i < 2; i++)
		CHECK_OK(w.facts->sink.package(&w.facts->sink, &more[i], &err), &err);
	CHECK_OK(sap_facts_finish(w.facts, &err), &err);
	sap_buf_init(&out, BUF_MAX);
	REPORT(&out, SAP_FORMAT_TTY, 0, false, sap_report_scan, &view);
	CHECK(has(&out, "2 packages (deb), 2 language packages (pypi, golang), 5 ELF objects, "));
	sap_buf_reset(&out);
	REPORT(&out, SAP_FORMAT_JSON, 0, false, sap_report_scan, &view);
	CHECK(has(&out, "\"packages\":4,\"language_packages\":2,"));
	CHECK(has(&out, "{\"purl\":\"pkg:golang/a.org/x\",\"type\":\"golang\",\"name\":\"a.org/x\","
			"\"database\":\"/usr/bin/prog\",\"broken\":false}"));
	CHECK(has(&out, "{\"purl\":\"pkg:pypi/a-b@1\",\"type\":\"pypi\",\"name\":\"A_b\","));
	sap_buf_clear(&out);
	clear_world(&w);
}

static void test_scan_tty(void)
{
	struct world w = make_world();
	struct sap_scan_view view = { .facts = w.facts, .radius = &w.radius, .cpu_level = 2 };
	struct sap_buf out;

	sap_buf_init(&out, BUF_MAX);
	REPORT(&out, SAP_FORMAT_TTY, 0, false, sap_report_scan, &view);
	CHECK(!memchr(out.p, '\033', out.n));
	CHECK(has(&out, "Debian \\x1B[2J 12, 12.5   /mnt/\\x9B   x86_64\n"));
	CHECK(has(&out, "\nINCOMPLETE: 1 file or folder could not be read\n"));
	CHECK(has(&out, "2 packages (deb), 5 ELF objects, 1 program (1 dynamic, 0 static)\n"));
	CHECK(has(&out, "1 service (1 enabled), 10 files in 3 folders\n"));
	CHECK(has(&out, "level x86-64-v2 (assumed)"));
	CHECK(has(&out,
		  "       1         1        1  liba.so.1  prog 1:1.0-1  /usr/lib/liba.so.1\n"));
	CHECK(has(&out, "1 program with missing libraries"));
	CHECK(has(&out, "2 objects that no package owns: no package updates these\n"));
	CHECK(has(&out, "/opt/vendor/lib\\x1B[31m\\xFF.so\n"));
	CHECK(has(&out, "\n2 remarks, 1 of them a loss (something was left out)\n"));
	CHECK(has(&out, "unreadable  /z  no\n") && has(&out, "format      /a  bad\\x07\n"));
	w.facts->truncated = true;
	REPORT(&out, SAP_FORMAT_TTY, 0, false, sap_report_scan, &view);
	CHECK(has(&out, "INCOMPLETE: the facts stop before their end\n"));
	sap_buf_clear(&out);
	clear_world(&w);
}

/* However much is wrong, it is a screen; --verbose lists all of it. */
static void test_scan_is_one_screen(void)
{
	struct sap_facts *facts = sap_facts_new();
	struct sap_radius radius = { .n_objects = 3000, .n_programs = 1000, .n_missing = 1000 };
	struct sap_scan_view view = { .facts = facts, .radius = &radius };
	struct sap_err err = { 0 };
	struct sap_buf out;
	char path[128];

	radius.objects = calloc(radius.n_objects, sizeof(*radius.objects));
	for (unsigned i = 0; i < 3000; i++) {
		struct sap_rec_object o = { .elf_class = 2, .endian = 1, .type = 3, .machine = 62 };
		struct sap_rec_diagnostic d = { .code = SAP_STR("format"),
						.message = SAP_STR("x") };

		snprintf(path, sizeof(path), "/top%02u/some/deep/folder/for/%u/lib%04u.so", i % 40,
			 i % 7, i);
		o.path = d.path = sap_str_of(path);
		CHECK(facts->sink.object(&facts->sink, &o, &err) == 0);
		CHECK(facts->sink.diagnostic(&facts->sink, &d, &err) == 0);
		radius.objects[i] = (struct sap_radius_object){
			.programs = i, .is_program = i % 3 == 0, .libraries = i, .missing = i % 2
		};
	}
	facts->whole = true;
	CHECK_OK(sap_facts_finish(facts, &err), &err);
	for (size_t i = 0; i < facts->objects.n; i++)
		facts->objects.v[i].package = SAP_NONE;
	sap_buf_init(&out, BUF_MAX);
	for (unsigned width = 60; width < 200; width += 7) {
		REPORT(&out, SAP_FORMAT_TTY, width, false, sap_report_scan, &view);
		CHECK(count_of(&out, "\n") <= 60);
		CHECK(width < 80 || longest_line(sap_buf_str(&out)) <= width);
	}
	CHECK(has(&out, "   75  /top00/some/deep/folder/for (all below)\n"));
	REPORT(&out, SAP_FORMAT_TTY, 0, true, sap_report_scan, &view);
	CHECK(count_of(&out, "\n") > 9000);
	sap_buf_clear(&out);
	sap_radius_clear(&radius);
	sap_facts_free(facts);
}

/* ---- closures --------------------------------------------------------------------------- */

/* prog -> liba -> libb; prog -> libgone (not there); prog -> odd (a string); libb -> liba. */
static struct sap_closure make_closure(struct world *w)
{
	struct sap_closure c = {
		.program = w->prog, .complete = true, .n_strict = 2, .n_direct = 1
	};
	const struct sap_link_lib libs[] = { { w->liba, 0, 1, true },
					     { w->libb, 1, 2, true },
					     { w->odd, 3, 1, false } };
	uint32_t a = sap_pool_put(w->facts->pool, SAP_STR("liba.so.1"));
	uint32_t b = sap_pool_put(w->facts->pool, SAP_STR("libb.so.1"));
	uint32_t gone = sap_pool_put(w->facts->pool, SAP_STR("libgone.so\x1b"));
	uint32_t zip = sap_pool_put(w->facts->pool, SAP_STR("zip"));
	const struct sap_link_edge edges[] = {
		{ SAP_LINK_PROGRAM, 0, a, SAP_EDGE_NEEDED, SAP_HOW_CACHE, false, 0 },
		{ 0, 1, b, SAP_EDGE_NEEDED, SAP_HOW_RUNPATH, false, 0 },
		{ SAP_LINK_PROGRAM, SAP_NONE, gone, SAP_EDGE_NEEDED, SAP_HOW_NONE, false, 0 },
		{ SAP_LINK_PROGRAM, 2, gone, SAP_EDGE_DLOPEN_STRING, SAP_HOW_DEFAULT, true, 0 },
		{ 1, 0, a, SAP_EDGE_NEEDED, SAP_HOW_LOADED, false, 0 },
		{ SAP_LINK_PROGRAM, 0, a, SAP_EDGE_DLOPEN_NOTE, SAP_HOW_LOADED, false, zip },
		{ SAP_LINK_PROGRAM, SAP_NONE, b, SAP_EDGE_PAM, SAP_HOW_NONE, true, zip },
	};

	for (size_t i = 0; i < sizeof(libs) / sizeof(libs[0]); i++)
		*SAP_VEC_PUSH(&c.libs, 100) = libs[i];
	for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++)
		*SAP_VEC_PUSH(&c.edges, 100) = edges[i];
	*SAP_VEC_PUSH(&c.searched, 10) =
		(struct sap_link_searched){ SAP_HOW_DEFAULT, SAP_STR("/usr/lib/libgone.so\x1b"),
					    "no such file" };
	*SAP_VEC_PUSH(&c.missing, 10) = (struct sap_link_missing){ 2, { 0, 1 } };
	*SAP_VEC_PUSH(&c.missing, 10) = (struct sap_link_missing){ 6, { 1, 0 } };
	*SAP_VEC_PUSH(&c.versions, 10) = (struct sap_link_version){ 1, a, zip, false };
	return c;
}

static void clear_closure(struct sap_closure *c)
{
	sap_vec_clear(&c->libs);
	sap_vec_clear(&c->edges);
	sap_vec_clear(&c->missing);
	sap_vec_clear(&c->searched);
	sap_vec_clear(&c->versions);
}

static void test_links(void)
{
	struct world w = make_world();
	struct sap_closure closure = make_closure(&w);
	const struct sap_links_program programs[] = {
		{ .asked = "prog", .object = w.prog, .closure = &closure },
		{ .asked = "no\x1bne", .object = SAP_NONE, .problem = "no such file" },
	};
	struct sap_links_view view = {
		.facts = w.facts, .programs = programs, .n_programs = 2, .owners_known = true
	};
	struct sap_buf out;

	sap_buf_init(&out, BUF_MAX);
	REPORT(&out, SAP_FORMAT_TTY, 0, false, sap_report_links, &view);
	CHECK_STR(sap_buf_str(&out),
		  "INCOMPLETE: 1 library of prog was not found\n"
		  "/usr/bin/prog (prog 1:1.0-1): 2 libraries (1 direct) and 1 beyond, "
		  "2 KiB of code, CPU level base assumed, 2 missing\n"
		  "├─ liba.so.1 /usr/lib/liba.so.1 (prog 1:1.0-1)\n"
		  "│  └─ libb.so.1 /usr/lib/libb.so.1 (libb 2.0) [runpath]\n"
		  "│     └─ liba.so.1 (above)\n"
		  "└─ libgone.so\\x1B not found\n"
		  "      default: /usr/lib/libgone.so\\x1B: no such file\n"
		  "after its start (PAM, NSS, dlopen):\n"
		  "├─ libgone.so\\x1B [guess: string] /opt/vendor/lib\\x1B[31m\\xFF.so (unowned) "
		  "[default]\n"
		  "└─ liba.so.1 [dlopen note: zip (required)] (above)\n"
		  "version zip of liba.so.1 is not defined; needed by /usr/lib/libb.so.1\n");
	for (unsigned width = 40; width < 200; width++) {
		REPORT(&out, SAP_FORMAT_TTY, width, false, sap_report_links, &view);
		CHECK(width < 80 || has(&out, " liba.so.1 /usr/lib/liba.so.1 (prog"));
		CHECK(width < 60 || longest_line(sap_buf_str(&out)) <= width);
	}
	REPORT(&out, SAP_FORMAT_TTY, 0, true, sap_report_links, &view);
	CHECK(has(&out, "liba.so.1 /usr/lib/liba.so.1 (prog 1:1.0-1) [ld.so.cache]\n"));
	REPORT(&out, SAP_FORMAT_TTY, 0, false, sap_report_count, &view);
	CHECK_STR(sap_buf_str(&out), "2\t1\t/usr/bin/prog\n");
	REPORT(&out, SAP_FORMAT_JSON, 0, false, sap_report_links, &view);
	CHECK(valid(&out));
	CHECK(has(&out, "\"schema\":\"links/1\""));
	CHECK(has(&out, "\"program\":\"/usr/bin/prog\",\"asked\":\"prog\",\"package\":\"pkg:deb/"));
	CHECK(has(&out,
		  "\"count\":2,\"direct\":1,\"static\":false,\"secure\":false,\"complete\":true"));
	CHECK(has(&out, "\"direct\":true,\"strict\":true,\"depth\":1,\"edges\":[{\"from\":"
			"\"/usr/bin/prog\",\"kind\":\"needed\",\"name\":\"liba.so.1\","
			"\"how\":\"ld.so.cache\"},{\"from\":\"/usr/lib/libb.so.1\""));
	CHECK(has(&out, "\"missing\":[{\"from\":\"/usr/bin/prog\",\"kind\":\"needed\",\"name\":"
			"\"libgone.so\\u001b\",\"searched\":[{\"how\":\"default\",\"path\":"));
	CHECK(has(&out,
		  "\"missing_versions\":[{\"from\":\"/usr/lib/libb.so.1\",\"file\":\"liba.so.1\","
		  "\"version\":\"zip\",\"weak\":false}]"));
	CHECK(has(&out,
		  "\"problems\":[{\"program\":\"no\\u001bne\",\"problem\":\"no such file\"}]"));
	view.owners_known = false; /* nothing is said about what nobody has asked */
	REPORT(&out, SAP_FORMAT_JSON, 0, false, sap_report_links, &view);
	CHECK(valid(&out));
	CHECK_INT(count_of(&out, "\"package\""), 0);
	REPORT(&out, SAP_FORMAT_TTY, 0, false, sap_report_links, &view);
	CHECK(has(&out, "(owner unknown)"));
	CHECK_INT(count_of(&out, "unowned"), 0);
	sap_buf_clear(&out);
	clear_closure(&closure);
	clear_world(&w);
}

static void test_answers(void)
{
	static uint32_t chain[] = { 0, 1 }, gone[] = { 0, 1 };
	static struct sap_range range = { 0, 2 };
	static struct sap_link_unneeded entry = { 0, { 0, 2 } };
	struct world w = make_world();
	struct sap_closure closure = make_closure(&w);
	const struct sap_links_program program = { "/usr/bin/prog", w.prog, NULL, &closure };
	const struct sap_links_view links = {
		.facts = w.facts, .programs = &program, .n_programs = 1, .owners_known = true
	};
	const struct sap_link_chains chains = { { chain, 2, 2 }, { &range, 1, 1 }, 3 };
	const struct sap_link_unneeded_list list = { { &entry, 1, 1 }, { gone, 2, 2 } };
	const uint32_t lib = 1, none = SAP_NONE;
	struct sap_why_view why = { links, "libb.so.1", &chains, &lib };
	const struct sap_unneeded_view unneeded = { links, &list, 5 };
	struct sap_buf out;

	sap_buf_init(&out, BUF_MAX);
	REPORT(&out, SAP_FORMAT_TTY, 0, false, sap_report_why, &why);
	CHECK_STR(sap_buf_str(&out), "/usr/bin/prog loads /usr/lib/libb.so.1 (libb 2.0): 3 chains\n"
				     "  1. prog -> liba.so.1 (needed) -> libb.so.1 (needed)\n"
				     "  and 2 more\n");
	REPORT(&out, SAP_FORMAT_JSON, 0, false, sap_report_why, &why);
	CHECK(valid(&out));
	CHECK(has(&out, "\"loads\":true,\"path\":\"/usr/lib/libb.so.1\",\"strict\":true,"
			"\"chains_total\":3,\"chains\":[[{\"from\":\"/usr/bin/prog\""));
	why.libs = &none;
	REPORT(&out, SAP_FORMAT_TTY, 0, false, sap_report_why, &why);
	CHECK_STR(sap_buf_str(&out), "/usr/bin/prog: cannot tell: 1 library of it was not found\n");
	REPORT(&out, SAP_FORMAT_JSON, 0, false, sap_report_why, &why);
	CHECK(valid(&out));
	CHECK_INT(count_of(&out, "\"loads\""), 0);
	CHECK(has(&out, "\"reason\":\"1 library of it was not found\""));
	REPORT(&out, SAP_FORMAT_TTY, 0, false, sap_report_unneeded, &unneeded);
	CHECK_STR(sap_buf_str(&out),
		  "INCOMPLETE: 1 library of prog was not found\n"
		  "/usr/bin/prog (prog 1:1.0-1)\n"
		  "  liba.so.1: 2 libraries less: liba.so.1 libb.so.1\n"
		  "1 of 5 programs names libraries without using them, 1 entry in all\n");
	REPORT(&out, SAP_FORMAT_JSON, 0, false, sap_report_unneeded, &unneeded);
	CHECK(valid(&out));
	CHECK(has(&out, "\"gone\":[\"/usr/lib/liba.so.1\",\"/usr/lib/libb.so.1\"]"));
	sap_buf_clear(&out);
	clear_closure(&closure);
	clear_world(&w);
}

static struct sap_closure without_gaps(struct world *w)
{
	return (struct sap_closure){ .program = w->prog, .complete = true };
}

/* One, then many programs: loads it by one chain, does not, is static, cannot be told. */
static void test_why(void)
{
	static uint32_t chain[] = { 0, 1 };
	static struct sap_range range = { 0, 2 };
	struct world w = make_world();
	struct sap_closure loads = make_closure(&w), clean = without_gaps(&w);
	struct sap_closure is_static = without_gaps(&w), unsure = without_gaps(&w);
	const struct sap_link_chains one = { { chain, 2, 2 }, { &range, 1, 1 }, 1 };
	const struct sap_link_chains chains[] = { [0] = one, [1] = one, [4] = { .n_all = 0 } };
	const uint32_t libs[] = { 1, 1, SAP_NONE, SAP_NONE, SAP_NONE };
	const struct sap_links_program programs[] = {
		{ "a", w.prog, NULL, &loads },  { "b", w.prog, NULL, &loads },
		{ "c", w.prog, NULL, &clean },  { "d", w.prog, NULL, &is_static },
		{ "e", w.prog, NULL, &unsure },
	};
	struct sap_why_view view = {
		{ .facts = w.facts, .programs = programs, .n_programs = 5, .owners_known = true },
		"libb.so.1",
		chains,
		libs
	};
	struct sap_buf out;

	is_static.is_static = true;
	unsure.complete = false;
	sap_buf_init(&out, BUF_MAX);
	REPORT(&out, SAP_FORMAT_TTY, 0, false, sap_report_why, &view);
	CHECK_STR(sap_buf_str(&out), "/usr/bin/prog loads /usr/lib/libb.so.1 (libb 2.0): 1 chain\n"
				     "  1. prog -> liba.so.1 (needed) -> libb.so.1 (needed)\n"
				     "/usr/bin/prog loads /usr/lib/libb.so.1 (libb 2.0): 1 chain\n"
				     "  1. prog -> liba.so.1 (needed) -> libb.so.1 (needed)\n"
				     "\n"
				     "1 of 5 programs does not load it\n"
				     "1 is static: what was linked into it cannot be seen\n"
				     "of 1 it cannot be told: libraries of it were not found\n");
	REPORT(&out, SAP_FORMAT_JSON, 0, false, sap_report_why, &view);
	CHECK(valid(&out));
	CHECK_INT(count_of(&out, "\"loads\":true"), 2);
	CHECK_INT(count_of(&out, "\"loads\":false"), 1);
	CHECK(has(&out, "\"reason\":\"static: what was linked into it cannot be seen\""));
	CHECK(has(&out, "\"reason\":\"some files of it could not be looked up\""));
	view.links.programs += 2;
	view.links.n_programs = 3;
	view.chains += 2;
	view.libs += 2;
	REPORT(&out, SAP_FORMAT_TTY, 0, false, sap_report_why, &view);
	CHECK_STR(sap_buf_str(&out),
		  "/usr/bin/prog does not load libb.so.1\n"
		  "/usr/bin/prog is static: what was linked into it cannot be seen\n"
		  "/usr/bin/prog: cannot tell: some files of it could not be looked up\n");
	sap_buf_clear(&out);
	clear_closure(&loads);
	clear_world(&w);
}

/* What the diagnostic of a file says stands where the search says "not ELF". */
static void test_unreadable_library(void)
{
	struct world w = make_world();
	struct sap_closure closure = make_closure(&w);
	const struct sap_links_program program = { "prog", w.prog, NULL, &closure };
	const struct sap_links_view view = { .facts = w.facts,
					     .programs = &program,
					     .n_programs = 1 };
	struct sap_buf out;

	closure.searched.v[0].path = SAP_STR("/z"); /* has the diagnostic "unreadable", "no" */
	closure.searched.v[0].why = "not ELF";
	sap_buf_init(&out, BUF_MAX);
	REPORT(&out, SAP_FORMAT_TTY, 0, false, sap_report_links, &view);
	CHECK(has(&out, "libgone.so\\x1B not found: unreadable\n"
			"      default: /z: unreadable: no\n"));
	closure.searched.v[0].path = SAP_STR("/a"); /* damaged: it is what the search says */
	REPORT(&out, SAP_FORMAT_TTY, 0, false, sap_report_links, &view);
	CHECK(has(&out, "default: /a: not ELF\n"));
	sap_buf_clear(&out);
	clear_closure(&closure);
	clear_world(&w);
}

static void test_reverse(void)
{
	struct world w = make_world();
	uint32_t a = sap_pool_put(w.facts->pool, SAP_STR("liba.so.1"));
	uint32_t b = sap_pool_put(w.facts->pool, SAP_STR("libb.so.1"));
	const struct sap_reverse_step steps[] = { { w.liba, a, SAP_EDGE_NEEDED },
						  { w.libb, b, SAP_EDGE_PAM } };
	const uint32_t services[] = { 0 };
	const struct sap_reverse_entry entries[] = {
		{ w.odd, false, false, { 1, 1 }, { 0, 0 } },
		{ w.prog, true, true, { 0, 2 }, { 0, 1 } },
		{ w.liba, false, true, { 1, 1 }, { 0, 0 } },
	};
	const struct sap_reverse_view view = { .facts = w.facts,
					       .library = "libb.so.1",
					       .libraries = &w.libb,
					       .n_libraries = 1,
					       .entries = entries,
					       .n_entries = 3,
					       .steps = steps,
					       .services = services,
					       .n_services = 1 };
	struct sap_buf out;

	sap_buf_init(&out, BUF_MAX);
	REPORT(&out, SAP_FORMAT_TTY, 0, false, sap_report_reverse, &view);
	CHECK_STR(sap_buf_str(&out),
		  "libb.so.1 (/usr/lib/libb.so.1, libb 2.0): at start 1 program, 1 service "
		  "(1 enabled), 1 library; later (PAM, NSS, dlopen) 0 more programs, "
		  "0 more services, 1 more library\n"
		  "\n"
		  "Services\n"
		  "  prog.service enabled: /usr/bin/prog\n"
		  "\n"
		  "prog 1:1.0-1: 2\n"
		  "  /usr/bin/prog -> liba.so.1 -> libb.so.1 [pam]\n"
		  "  /usr/lib/liba.so.1 -> libb.so.1 [pam]\n"
		  "\n"
		  "unowned: 1\n"
		  "  /opt/vendor/lib\\x1B[31m\\xFF.so -> libb.so.1 [pam]\n");
	REPORT(&out, SAP_FORMAT_JSON, 0, false, sap_report_reverse, &view);
	CHECK(valid(&out));
	CHECK(has(&out,
		  "\"services\":[{\"name\":\"prog.service\",\"enabled\":true}],\"chain\":[{"));
	CHECK(has(&out, "\"at_start\":{\"programs\":1,\"services\":1,\"enabled\":1,"
			"\"libraries\":1},\n\"later\":{\"programs\":0,\"services\":0,"
			"\"enabled\":0,\"libraries\":1},\n\"services\":[{\"name\":"
			"\"prog.service\",\"enabled\":true,\"programs\":[\"/usr/bin/prog\"],"
			"\"strict\":true}]"));
	sap_buf_clear(&out);
	clear_world(&w);
}

static void test_census(void)
{
	const struct sap_census_row rows[] = {
		{ .target = "dir:/a",
		  .system = SAP_STR("Alpine \x1b"),
		  .program = SAP_STR("/usr/sbin/sshd"),
		  .libraries = 4,
		  .direct = 3,
		  .packages = 2,
		  .unowned = 1,
		  .code_bytes = 1025,
		  .beyond = 5 },
		{ .target = "dir:/b", .problem = "no such file" },
		{ .target = "dir:/c",
		  .system = SAP_STR("Debian GNU/Linux 12 (bookworm)"),
		  .program = SAP_STR("/usr/sbin/sshd"),
		  .libraries = 27,
		  .missing = 1 },
		{ .target = "dir:/d",
		  .system = SAP_STR("Red Hat Enterprise Linux 9.4 (Plow)"),
		  .program = SAP_STR("/usr/libexec/sshd") },
	};
	struct sap_census_view view = { "sshd", 2, rows, 2 };
	struct sap_buf out;

	sap_buf_init(&out, BUF_MAX);
	REPORT(&out, SAP_FORMAT_TTY, 0, false, sap_report_census, &view);
	CHECK(has(&out, "Program: /usr/sbin/sshd\nSYSTEM "));
	CHECK(has(&out, "Alpine \\x1B          4       3         2         2       5        0"
			"        0\n"));
	CHECK(has(&out, "dir:/b               -       -"));
	CHECK(has(&out, "\nAlpine \\x1B: 1 library that no package owns\n"
			"dir:/b: no such file\n"));
	REPORT(&out, SAP_FORMAT_JSON, 0, false, sap_report_census, &view);
	CHECK(valid(&out));
	CHECK(has(&out, "{\"target\":\"dir:/b\",\"problem\":\"no such file\"}"));
	view.n_rows = 3;
	REPORT(&out, SAP_FORMAT_TTY, 80, false, sap_report_census, &view);
	CHECK(longest_line(sap_buf_str(&out)) <= 80);
	CHECK(has(&out, "INCOMPLETE: Debian GNU/Linux 12 (bookworm): 1 library was not found\n"
			"Program: "));
	CHECK(has(&out, "\nDebian 12 "));
	view.n_rows = 4;
	REPORT(&out, SAP_FORMAT_TTY, 80, false, sap_report_census, &view);
	CHECK(longest_line(sap_buf_str(&out)) <= 80);
	CHECK(has(&out, "\nDebian 12 ") && has(&out, "LIBS") && has(&out, "PROGRAM"));
	view.n_rows = 2;
	REPORT(&out, SAP_FORMAT_JSON, 0, false, sap_report_census, &view);
	CHECK(has(&out,
		  "\"libraries\":4,\"direct\":3,\"packages\":2,\"unowned\":1,\"code_bytes\":1025"));
	sap_buf_clear(&out);
}

/* A chain of many libraries must not become a triangle of blanks. */
static void test_deep_tree(void)
{
	enum { DEPTH = 5000 };
	struct world w = make_world();
	struct sap_closure c = { .program = w.prog, .complete = true, .n_strict = DEPTH };
	const struct sap_links_program program = { "x", w.prog, NULL, &c };
	const struct sap_links_view view = { .facts = w.facts,
					     .programs = &program,
					     .n_programs = 1 };
	struct sap_buf out;

	for (uint32_t i = 0; i < DEPTH; i++) {
		*SAP_VEC_PUSH(&c.libs, DEPTH) = (struct sap_link_lib){ w.liba, i, i + 1, true };
		*SAP_VEC_PUSH(&c.edges, DEPTH) = (struct sap_link_edge){
			.from = i ? i - 1 : SAP_LINK_PROGRAM, .to = i, .kind = SAP_EDGE_NEEDED
		};
	}
	sap_buf_init(&out, BUF_MAX);
	REPORT(&out, SAP_FORMAT_TTY, 80, false, sap_report_links, &view);
	CHECK_INT(count_of(&out, "\n"), DEPTH + 2); /* the head takes two */
	CHECK(out.n < DEPTH * 200);
	REPORT(&out, SAP_FORMAT_JSON, 0, false, sap_report_links, &view);
	CHECK(valid(&out));
	sap_buf_clear(&out);
	clear_closure(&c);
	clear_world(&w);
}

int main(void)
{
	test_json_every_byte();
	test_json_utf8();
	test_json_layout();
	test_json_misuse();
	test_tty_escape();
	test_tty_shorten();
	test_tables();
	test_purl_rules();
	test_purl_packages();
	test_machines();
	test_scan_json();
	test_scan_tty();
	test_scan_languages();
	test_scan_is_one_screen();
	test_links();
	test_answers();
	test_why();
	test_unreadable_library();
	test_reverse();
	test_census();
	test_deep_tree();
	return check_done();
}
