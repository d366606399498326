/* SPDX-License-Identifier: Apache-2.0 */
/* Rows, spaces, severity words. */
#include "advisory/claim.h"
#include "advisory/rows.h"
#include "advisory/space.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/pool.h"
#include "check.h"

static int collect(void *ctx, struct sap_str lines, struct sap_err *err)
{
	struct sap_buf *out = ctx;

	(void)err;
	sap_buf_puts(out, lines);
	return 0;
}

static int refuse(void *ctx, struct sap_str lines, struct sap_err *err)
{
	(void)ctx;
	(void)lines;
	return sap_err_set(err, SAP_EIO, "no more");
}

struct reader {
	struct sap_arena arena;
	struct sap_row row;
	struct sap_err err;
};

static int parse(struct reader *r, const char *line)
{
	sap_arena_init(&r->arena, 0);
	return sap_row_parse(sap_str_of(line), &r->arena, &r->row, &r->err);
}

/* ---- rows ------------------------------------------------------------------------------- */

static void test_row_of_the_contract(void)
{
	struct sap_str list, item;
	struct reader r;

	CHECK_INT(parse(&r, "claim\tDebian:12\txz-utils,liblzma\\,5\taffected\tintroduced=0\t"
			    "fixed=5.2\\t1\tversions=1,2\\,3\tx="),
		  0);
	CHECK_INT(r.row.kind, SAP_ROW_CLAIM);
	CHECK_STR(r.row.args[0], "Debian:12");
	CHECK_STR(r.row.args[2], "affected");
	CHECK_STR(sap_row_attr(&r.row, "fixed"), "5.2\t1");
	CHECK_STR(sap_row_attr(&r.row, "x"), "");
	CHECK_STR(sap_row_attr(&r.row, "none"), "");
	CHECK_INT(r.row.n_attrs, 4);
	list = r.row.args[1];
	CHECK(sap_row_list_next(&list, &r.arena, &item));
	CHECK_STR(item, "xz-utils");
	CHECK(sap_row_list_next(&list, &r.arena, &item));
	CHECK_STR(item, "liblzma,5");
	CHECK(!sap_row_list_next(&list, &r.arena, &item));
	list = sap_row_attr(&r.row, "versions");
	CHECK(sap_row_list_next(&list, NULL, &item));
	CHECK(sap_row_list_next(&list, NULL, &item));
	CHECK_STR(item, "2\\,3");
	CHECK_STR(r.row.rest, "introduced=0\tfixed=5.2\\t1\tversions=1,2\\,3\tx=");
	sap_arena_clear(&r.arena);
}

static void test_bad_rows(void)
{
	static const struct {
		const char *line;
		int code;
	} cases[] = {
		{ "", SAP_ENOENT },
		{ "# text", SAP_ENOENT },
		{ "\r", SAP_ENOENT },
		{ "nothing\tx", SAP_EFORMAT },
		{ "record", SAP_EFORMAT },
		{ "claim\tDebian:12\tx", SAP_EFORMAT },
		{ "record\tX\tmodified", SAP_EFORMAT },
		{ "record\tX\t=1", SAP_EFORMAT },
		{ "record\tX\\y", SAP_EFORMAT },
		{ "record\tX\\", SAP_EFORMAT },
		{ "record\tX\talias=a\\", SAP_EFORMAT },
		{ "record\tX\talias=a\\q", SAP_EFORMAT },
		{ " record\tX", SAP_EFORMAT },
		{ "record\t", 0 },
		{ "record\tX\t\t", 0 },
		{ "record\tX\tmodified=1\r", 0 },
		{ "end\t3", 0 },
		{ "problem\ta\tb", 0 },
	};
	struct reader r;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (!CHECK_INT(parse(&r, cases[i].line), cases[i].code))
			printf("  line: %s\n", cases[i].line);
		sap_arena_clear(&r.arena);
	}
	sap_arena_init(&r.arena, 0);
	CHECK_INT(sap_row_parse(SAP_STR("record\tX\0Y"), &r.arena, &r.row, &r.err), SAP_EFORMAT);
	CHECK_INT(parse(&r, "record\tX\tmodified=1\r"), 0);
	CHECK_STR(sap_row_attr(&r.row, "modified"), "1");
	sap_arena_clear(&r.arena);
}

static void test_too_many_attributes(void)
{
	struct sap_buf line;
	struct reader r;

	sap_buf_init(&line, SAP_MIB);
	sap_buf_puts(&line, SAP_STR("claim\tPyPI\tx\taffected"));
	for (unsigned i = 0; i < SAP_ROW_ATTRS_MAX; i++)
		sap_buf_puts(&line, SAP_STR("\tlast=1"));
	sap_arena_init(&r.arena, 0);
	CHECK_INT(sap_row_parse(sap_buf_str(&line), &r.arena, &r.row, &r.err), 0);
	sap_buf_puts(&line, SAP_STR("\tlast=1"));
	CHECK_INT(sap_row_parse(sap_buf_str(&line), &r.arena, &r.row, &r.err), SAP_ELIMIT);
	sap_arena_clear(&r.arena);
	sap_buf_clear(&line);
}

/* Every byte in an argument, an attribute and a list comes back as it went in. */
static void test_every_byte(void)
{
	char all[256];
	size_t n = 0;
	struct sap_str text, line, list, item;
	struct sap_rows rows;
	struct sap_buf out;
	struct reader r;

	for (int c = 1; c < 256; c++)
		all[n++] = (char)c;
	text = (struct sap_str){ all, n };
	sap_buf_init(&out, SAP_MIB);
	sap_rows_init(&rows, collect, &out);
	sap_rows_begin(&rows, SAP_ROW_RECORD);
	sap_rows_arg(&rows, text);
	sap_rows_attr(&rows, "modified", text);
	sap_rows_attr(&rows, "published", SAP_STR(""));
	sap_rows_list_begin(&rows, "alias");
	sap_rows_list_item(&rows, text);
	sap_rows_list_item(&rows, SAP_STR(""));
	sap_rows_list_item(&rows, SAP_STR("a\0b"));
	sap_rows_list_end(&rows);
	sap_rows_list_begin(&rows, "covers");
	sap_rows_list_end(&rows);
	sap_rows_done(&rows);
	CHECK_INT(sap_rows_end(&rows, &r.err), 0);
	sap_rows_clear(&rows);
	text = sap_buf_str(&out);
	CHECK(sap_str_line(&text, &line));
	CHECK_STR(line, SAP_ROWS_MAGIC);
	CHECK(sap_str_line(&text, &line));
	CHECK_STR(text, "end\t1\n");
	sap_arena_init(&r.arena, 0);
	CHECK_OK(sap_row_parse(line, &r.arena, &r.row, &r.err), &r.err);
	text = (struct sap_str){ all, n };
	CHECK(sap_str_eq(r.row.args[0], text));
	CHECK(sap_str_eq(sap_row_attr(&r.row, "modified"), text));
	CHECK_INT(r.row.n_attrs, 2);
	list = sap_row_attr(&r.row, "alias");
	CHECK(sap_row_list_next(&list, &r.arena, &item) && sap_str_eq(item, text));
	CHECK(sap_row_list_next(&list, &r.arena, &item));
	CHECK_STR(item, "ab");
	CHECK(!sap_row_list_next(&list, &r.arena, &item));
	sap_arena_clear(&r.arena);
	sap_buf_clear(&out);
}

static void test_a_row_too_long_is_a_problem(void)
{
	struct sap_str big = { calloc(1, SAP_ROW_MAX), SAP_ROW_MAX };
	struct sap_rows rows;
	struct sap_buf out;
	struct sap_err err;

	memset((char *)(uintptr_t)big.p, 'x', big.n);
	sap_buf_init(&out, SAP_MIB);
	sap_rows_init(&rows, collect, &out);
	sap_rows_begin(&rows, SAP_ROW_RECORD);
	sap_rows_arg(&rows, SAP_STR("CVE-1"));
	sap_rows_attr(&rows, "related", big);
	sap_rows_done(&rows);
	sap_rows_begin(&rows, SAP_ROW_RECORD);
	sap_rows_arg(&rows, SAP_STR("CVE-2"));
	sap_rows_done(&rows);
	CHECK_INT(sap_rows_end(&rows, &err), 0);
	CHECK(out.n < 1000);
	CHECK(memmem(out.p, out.n, "problem\trecord CVE-1", 19) != NULL);
	CHECK(memmem(out.p, out.n, "record\tCVE-2\nend\t2\n", 19) != NULL);
	sap_rows_clear(&rows);
	sap_buf_clear(&out);
	free((void *)(uintptr_t)big.p);
}

static void test_the_first_failure_sticks(void)
{
	struct sap_rows rows;
	struct sap_err err = { 0 };

	sap_rows_init(&rows, refuse, NULL);
	for (int i = 0; i < 20000; i++)
		sap_rows_problem(&rows, SAP_STR("where"), "number %d of many", i);
	CHECK_INT(rows.n, 20000);
	CHECK_INT(sap_rows_end(&rows, &err), SAP_EIO);
	CHECK_STR(sap_str_of(err.text), "no more");
	sap_rows_clear(&rows);
}

/* ---- spaces ----------------------------------------------------------------------------- */

static void test_spaces(void)
{
	static const struct {
		const char *published, *canonical, *people;
		enum sap_version_scheme scheme;
		enum sap_names names;
	} cases[] = {
#define S SAP_NAMES_SOURCE
#define B SAP_NAMES_BINARY
		{ "Debian:12", "debian:12", "Debian 12", SAP_VERSION_DEB, S },
		{ "Debian:bookworm", "debian:12", "Debian 12", SAP_VERSION_DEB, S },
		{ "debian:12.5", "debian:12", "Debian 12", SAP_VERSION_DEB, S },
		{ "Debian:bullseye-security", "debian:11", "Debian 11", SAP_VERSION_DEB, S },
		{ "Debian:sarge", "debian:3.1", "Debian 3.1", SAP_VERSION_DEB, S },
		{ "Debian:3.1", "debian:3.1", "Debian 3.1", SAP_VERSION_DEB, S },
		{ "Debian:4.0", "debian:4", "Debian 4", SAP_VERSION_DEB, S },
		{ "Debian:buzz", "debian:1.1", "Debian 1.1", SAP_VERSION_DEB, S },
		{ "Debian:forky", "debian:14", "Debian 14", SAP_VERSION_DEB, S },
		{ "Debian:unstable", "debian:sid", "Debian sid", SAP_VERSION_DEB, S },
		{ "Debian", "debian", "Debian", SAP_VERSION_DEB, S },
		{ "Debian:", "debian", "Debian", SAP_VERSION_DEB, S },
		{ "Ubuntu:22.04:LTS", "ubuntu:22.04", "Ubuntu 22.04", SAP_VERSION_DEB, S },
		{ "Ubuntu:23.10", "ubuntu:23.10", "Ubuntu 23.10", SAP_VERSION_DEB, S },
		{ "Ubuntu:jammy", "ubuntu:22.04", "Ubuntu 22.04", SAP_VERSION_DEB, S },
		{ "Ubuntu:Pro:18.04:LTS", "ubuntu-pro:18.04", "Ubuntu Pro 18.04", SAP_VERSION_DEB,
		  S },
		{ "Ubuntu:Pro:FIPS-updates:20.04:LTS", "ubuntu-pro-fips-updates:20.04",
		  "Ubuntu Pro-Fips-Updates 20.04", SAP_VERSION_DEB, S },
		{ "Alpine:v3.19", "alpine:3.19", "Alpine 3.19", SAP_VERSION_APK, S },
		{ "Alpine:3.19.1", "alpine:3.19", "Alpine 3.19", SAP_VERSION_APK, S },
		{ "Alpine:edge", "alpine:edge", "Alpine edge", SAP_VERSION_APK, S },
		{ "Wolfi", "wolfi", "Wolfi", SAP_VERSION_APK, S },
		{ "Chainguard", "wolfi", "Wolfi", SAP_VERSION_APK, S },
		{ "MinimOS", "minimos", "MinimOS", SAP_VERSION_APK, S },
		{ "Alpaquita:23", "alpaquita:23", "Alpaquita 23", SAP_VERSION_APK, S },
		{ "AlmaLinux:8", "almalinux:8", "AlmaLinux 8", SAP_VERSION_RPM, B },
		{ "AlmaLinux:9.3", "almalinux:9", "AlmaLinux 9", SAP_VERSION_RPM, B },
		{ "Rocky Linux:8", "rocky linux:8", "Rocky Linux 8", SAP_VERSION_RPM, S },
		{ "Red Hat:9", "red hat:9", "Red Hat 9", SAP_VERSION_RPM, B },
		{ "Red Hat:enterprise_linux:9::appstream", "red hat:9", "Red Hat 9",
		  SAP_VERSION_RPM, B },
		{ "Red Hat:enterprise_linux:10.0", "red hat:10", "Red Hat 10", SAP_VERSION_RPM, B },
		{ "Red Hat:rhel_e4s:9.2::appstream", "red hat:rhel_e4s:9.2", "Red Hat rhel_e4s:9.2",
		  SAP_VERSION_RPM, B },
		{ "SUSE:Linux Enterprise Server 15 SP5", "suse:linux enterprise server 15 sp5",
		  "SUSE Linux Enterprise Server 15 SP5", SAP_VERSION_RPM, S },
		{ "SUSE:Linux Enterprise Module for Python 3 15 SP5",
		  "suse:linux enterprise server 15 sp5", "SUSE Linux Enterprise Server 15 SP5",
		  SAP_VERSION_RPM, S },
		{ "openSUSE:Leap 15.5", "opensuse:leap 15.5", "openSUSE Leap 15.5", SAP_VERSION_RPM,
		  S },
		{ "openSUSE:Tumbleweed", "opensuse:tumbleweed", "openSUSE Tumbleweed",
		  SAP_VERSION_RPM, S },
		{ "Fedora:40", "fedora:40", "Fedora 40", SAP_VERSION_RPM, S },
		{ "Mageia:9", "mageia:9", "Mageia 9", SAP_VERSION_RPM, S },
		{ "openEuler:22.03-LTS", "openeuler:22.03-lts", "openEuler 22.03-LTS",
		  SAP_VERSION_RPM, S },
		{ "Photon OS:5.0", "photon os:5.0", "Photon OS 5.0", SAP_VERSION_RPM, S },
		{ "Azure Linux:3", "azure linux:3", "Azure Linux 3", SAP_VERSION_RPM, S },
		{ "Arch", "arch", "Arch", SAP_VERSION_PACMAN, B },
		{ "Bitnami", "bitnami", "Bitnami", SAP_VERSION_SEMVER, B },
		{ "PyPI", "pypi", "PyPI", SAP_VERSION_PEP440, B },
		{ "Go", "go", "Go", SAP_VERSION_GO, B },
		{ "crates.io", "crates.io", "crates.io", SAP_VERSION_SEMVER, B },
		{ "npm", "npm", "npm", SAP_VERSION_SEMVER, B },
		{ "Maven:https://repo1.maven.org/maven2", "maven", "Maven", SAP_VERSION_MAVEN, B },
		{ "RubyGems", "rubygems", "RubyGems", SAP_VERSION_RUBYGEMS, B },
		{ "NuGet", "nuget", "NuGet", SAP_VERSION_NUGET, B },
		{ "Packagist", "packagist", "Packagist", SAP_VERSION_PACKAGIST, B },
		{ "Hackage", "hackage", "Hackage", SAP_VERSION_HACKAGE, B },
		{ "CRAN", "cran", "CRAN", SAP_VERSION_CRAN, B },
		{ "Pub", "pub", "Pub", SAP_VERSION_PUB, B },
		{ "GIT", "git", "GIT", SAP_VERSION_NONE, B },
		{ "Root:Alpine:3.18", "root:alpine:3.18", "Root alpine:3.18", SAP_VERSION_APK, S },
		{ "Some Thing:X", "some thing:x", "Some Thing x", SAP_VERSION_NONE, B },
#undef S
#undef B
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sap_space s, again;
		struct sap_buf people;

		if (!CHECK(sap_space_parse(sap_str_of(cases[i].published), &s)))
			continue;
		CHECK_STR(sap_space_str(&s), cases[i].canonical);
		/* The canonical form is its own. */
		CHECK(sap_space_parse(sap_space_str(&s), &again));
		CHECK_STR(sap_space_str(&again), cases[i].canonical);
		CHECK_INT(sap_space_scheme(&s), cases[i].scheme);
		CHECK_INT(sap_space_names(&s), cases[i].names);
		sap_buf_init(&people, 1024);
		sap_space_put(&people, &s);
		CHECK_STR(sap_buf_str(&people), cases[i].people);
		sap_buf_clear(&people);
	}
}

static void test_bad_spaces(void)
{
	char longest[3 * SAP_SPACE_MAX];
	struct sap_space s;

	CHECK(!sap_space_parse(SAP_STR(""), &s));
	CHECK(!sap_space_parse(SAP_STR("  "), &s));
	CHECK(!sap_space_parse(SAP_STR(":12"), &s));
	CHECK(!sap_space_parse(SAP_STR("Deb\nian"), &s));
	CHECK(!sap_space_parse(SAP_STR("Debian\0"), &s));
	memset(longest, 'a', sizeof(longest));
	CHECK(sap_space_parse((struct sap_str){ longest, sizeof(longest) }, &s));
	CHECK_INT(s.n, SAP_SPACE_MAX);
	memcpy(longest, "ubuntu:", 7);
	CHECK(sap_space_parse((struct sap_str){ longest, sizeof(longest) }, &s));
	CHECK(s.n <= SAP_SPACE_MAX);
	memcpy(longest, "x:", 2);
	CHECK(sap_space_parse((struct sap_str){ longest, sizeof(longest) }, &s));
	CHECK_INT(s.n, SAP_SPACE_MAX);
	CHECK_INT(s.ecosystem_n, 1);
}

static void test_names(void)
{
	static const struct {
		const char *space, *name, *folded;
	} cases[] = {
		{ "PyPI", "Foo__Bar.-baz", "foo-bar-baz" },
		{ "NuGet", "Newtonsoft.Json", "newtonsoft.json" },
		{ "Packagist", "Symfony/HTTP", "symfony/http" },
		{ "Debian:12", "XZ-Utils", "xz-utils" },
		{ "Go", "github.com/Masterminds/goutils", "github.com/Masterminds/goutils" },
		{ "AlmaLinux:9", "NetworkManager", "NetworkManager" },
		{ "npm", "JSONStream", "JSONStream" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sap_space s;
		struct sap_buf out;

		sap_buf_init(&out, 1024);
		CHECK(sap_space_parse(sap_str_of(cases[i].space), &s));
		sap_space_put_name(&out, &s, sap_str_of(cases[i].name));
		CHECK_STR(sap_buf_str(&out), cases[i].folded);
		sap_buf_clear(&out);
	}
}

static void test_systems(void)
{
	static const struct {
		const char *id, *version, *codename, *pretty, *point, *space;
		bool rolling;
	} cases[] = {
		{ "debian", "12", "bookworm", "", "12.5", "debian:12", false },
		{ "debian", "", "bookworm", "", "", "debian:12", false },
		{ "debian", "", "trixie", "Debian GNU/Linux trixie/sid", "trixie/sid", "debian",
		  true },
		{ "debian", "", "", "", "forky/sid", "debian", true },
		{ "ubuntu", "22.04", "jammy", "", "", "ubuntu:22.04", false },
		{ "ubuntu", "", "noble", "", "", "ubuntu:24.04", false },
		{ "alpine", "3.19.1", "", "Alpine Linux v3.19", "", "alpine:3.19", false },
		{ "alpine", "3.21.0_alpha20240807", "", "Alpine Linux edge", "", "alpine:edge",
		  true },
		{ "almalinux", "9.3", "", "", "", "almalinux:9", false },
		{ "rocky", "8.9", "", "", "", "rocky linux:8", false },
		{ "rhel", "9.4", "", "", "", "red hat:9", false },
		{ "centos", "8", "", "", "", "centos:8", false },
		{ "ol", "9.3", "", "", "", "oracle linux:9", false },
		{ "amzn", "2023", "", "", "", "amazon linux:2023", false },
		{ "fedora", "40", "", "", "", "fedora:40", false },
		{ "sles", "15.5", "", "", "", "suse:linux enterprise server 15 sp5", false },
		{ "sles", "15", "", "", "", "suse:linux enterprise server 15", false },
		{ "sles", "16.0", "", "", "", "suse:linux enterprise server 16.0", false },
		{ "opensuse-leap", "15.6", "", "", "", "opensuse:leap 15.6", false },
		{ "opensuse-tumbleweed", "20240101", "", "", "", "opensuse:tumbleweed", true },
		{ "arch", "", "", "", "", "arch", true },
		{ "wolfi", "20230201", "", "", "", "wolfi", true },
		{ "openEuler", "22.03", "", "openEuler 22.03 (LTS-SP3)", "",
		  "openeuler:22.03-lts-sp3", false },
		{ "azurelinux", "3.0", "", "", "", "azure linux:3", false },
		{ "photon", "5.0", "", "", "", "photon os:5.0", false },
		{ "mageia", "9", "", "", "", "mageia:9", false },
		{ "raspbian", "12", "bookworm", "", "", "raspbian:12", false },
		{ "linuxmint", "21.3", "virginia", "", "", "linuxmint:21.3", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sap_facts facts = { .pool = sap_pool_new() };
		struct sap_space s;
		bool rolling = !cases[i].rolling;

		facts.os.id = sap_pool_put(facts.pool, sap_str_of(cases[i].id));
		facts.os.version_id = sap_pool_put(facts.pool, sap_str_of(cases[i].version));
		facts.os.codename = sap_pool_put(facts.pool, sap_str_of(cases[i].codename));
		facts.os.pretty_name = sap_pool_put(facts.pool, sap_str_of(cases[i].pretty));
		facts.os.point_release = sap_pool_put(facts.pool, sap_str_of(cases[i].point));
		if (CHECK(sap_space_of_os(&facts, &s, &rolling))) {
			CHECK_STR(sap_space_str(&s), cases[i].space);
			CHECK_INT(rolling, cases[i].rolling);
		}
		facts.os.id = 0;
		CHECK(!sap_space_of_os(&facts, &s, &rolling));
		sap_pool_free(facts.pool);
	}
}

static void test_severity(void)
{
	CHECK_INT(sap_severity_parse(SAP_STR("Important")), SAP_SEVERITY_HIGH);
	CHECK_INT(sap_severity_parse(SAP_STR(" MODERATE ")), SAP_SEVERITY_MEDIUM);
	CHECK_INT(sap_severity_parse(SAP_STR("unimportant")), SAP_SEVERITY_NEGLIGIBLE);
	CHECK_INT(sap_severity_parse(SAP_STR("urgent")), SAP_SEVERITY_CRITICAL);
	CHECK_INT(sap_severity_parse(SAP_STR("strange")), SAP_SEVERITY_UNKNOWN);
	CHECK_INT(sap_severity_parse(SAP_STR("")), SAP_SEVERITY_UNKNOWN);
	CHECK(sap_severity_name(SAP_SEVERITY_UNKNOWN) == NULL);
	for (int i = SAP_SEVERITY_NEGLIGIBLE; i <= SAP_SEVERITY_CRITICAL; i++)
		CHECK_INT(sap_severity_parse(sap_str_of(sap_severity_name(i))), i);
}

int main(void)
{
	test_row_of_the_contract();
	test_bad_rows();
	test_too_many_attributes();
	test_every_byte();
	test_a_row_too_long_is_a_problem();
	test_the_first_failure_sticks();
	test_spaces();
	test_bad_spaces();
	test_names();
	test_systems();
	test_severity();
	return check_done();
}
