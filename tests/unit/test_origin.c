/* SPDX-License-Identifier: Apache-2.0 */
#include "advisory/origin.h"
#include "check.h"

#include <stdio.h>
#include <stdlib.h>

static struct sap_err err;

enum { SYSTEM, TYPE, NAME, VERSION, SOURCE, MAINTAINER, VENDOR, SECTION, ORIGIN, REASON, COLUMNS };

static enum sap_package_type type_of(struct sap_str word)
{
	for (int t = SAP_PACKAGE_NONE + 1; t < SAP_PACKAGE_TYPES; t++) {
		if (sap_str_eq(word, sap_str_of(sap_package_type_name((enum sap_package_type)t))))
			return (enum sap_package_type)t;
	}
	return SAP_PACKAGE_NONE;
}

/* "ID VERSION_ID ID_LIKE..."; a second word that does not begin with a digit is of ID_LIKE. */
static void give_system(struct sap_facts *facts, struct sap_str text)
{
	struct sap_rec_os os = { 0 };
	struct sap_str rest;

	if (sap_str_is(text, "-"))
		return;
	sap_str_word(&text, &os.id);
	rest = text = sap_str_trim(text);
	if (sap_str_word(&rest, &os.version_id) &&
	    (os.version_id.p[0] < '0' || os.version_id.p[0] > '9')) {
		os.version_id = (struct sap_str){ 0 };
		rest = text;
	}
	os.id_like = sap_str_trim(rest);
	CHECK_OK(facts->sink.os(&facts->sink, &os, &err), &err);
}

static void give_package(struct sap_facts *facts, const struct sap_str *c, uint32_t id)
{
	const struct sap_rec_package rec = { .id = id,
					     .type = type_of(c[TYPE]),
					     .name = c[NAME],
					     .version = c[VERSION],
					     .source_version = c[SOURCE],
					     .maintainer = c[MAINTAINER],
					     .vendor = c[VENDOR],
					     .section = c[SECTION] };

	CHECK_OK(facts->sink.package(&facts->sink, &rec, &err), &err);
}

static bool has(struct sap_str text, struct sap_str part)
{
	return part.n == 0 || (text.n && memmem(text.p, text.n, part.p, part.n));
}

static void ask(const char *file, int line, const struct sap_str *c, struct sap_arena *arena)
{
	struct sap_facts *facts = sap_facts_new();
	char what[256];
	struct sap_str reason;
	enum sap_origin origin;

	snprintf(what, sizeof(what), "%.*s %.*s", SAP_FMT(c[NAME]), SAP_FMT(c[VERSION]));
	if (!CHECK(facts != NULL))
		return;
	give_system(facts, c[SYSTEM]);
	give_package(facts, c, 1);
	CHECK_OK(sap_facts_finish(facts, &err), &err);
	if (CHECK_INT(facts->packages.n, 1)) {
		origin = sap_origin_of(facts, &facts->packages.v[0], arena, &reason);
		check_str(file, line, what, sap_str_of(sap_origin_name(origin)), c[ORIGIN]);
		/* The reason has the words; without words there is none. */
		if (!has(reason, c[REASON]) || (reason.n != 0) != (c[REASON].n != 0))
			check_str(file, line, what, reason, c[REASON]);
	}
	sap_facts_free(facts);
}

static void the_table(void)
{
	const char *folder = getenv("SAP_TESTS");
	struct sap_arena arena;
	char line[2048], path[1024];
	int number = 0;
	FILE *f;

	if (!folder) {
		check_skip("origin.table", "SAP_TESTS is not set");
		return;
	}
	snprintf(path, sizeof(path), "%s/advisory/origin.table", folder);
	f = fopen(path, "r");
	if (!CHECK(f != NULL))
		return;
	sap_arena_init(&arena, 0);
	while (fgets(line, sizeof(line), f)) {
		struct sap_str column[COLUMNS] = { 0 }, rest = sap_str_trim(sap_str_of(line));
		int n = 0;

		number++;
		if (rest.n == 0 || rest.p[0] == '#')
			continue;
		while (n < COLUMNS) {
			bool more = sap_str_cut(rest, '|', &column[n], &rest);

			column[n] = sap_str_trim(column[n]);
			n++;
			if (!more)
				break;
		}
		if (check_int(path, number, "columns", n, COLUMNS))
			ask(path, number, column, &arena);
		sap_arena_reset(&arena);
	}
	fclose(f);
	sap_arena_clear(&arena);
}

/* Where the table does not know the system, the packages that every system has tell. */
static void the_vendor_of_glibc_is_the_systems(void)
{
	static const struct sap_str columns[][COLUMNS] = {
		{ [TYPE] = SAP_STR_INIT("rpm"),
		  [NAME] = SAP_STR_INIT("a-tool"),
		  [VERSION] = SAP_STR_INIT("1-1"),
		  [VENDOR] = SAP_STR_INIT("Acme") },
		{ [TYPE] = SAP_STR_INIT("rpm"),
		  [NAME] = SAP_STR_INIT("glibc"),
		  [VERSION] = SAP_STR_INIT("2-1"),
		  [VENDOR] = SAP_STR_INIT("Distribution") },
		{ [TYPE] = SAP_STR_INIT("rpm"),
		  [NAME] = SAP_STR_INIT("zlib"),
		  [VERSION] = SAP_STR_INIT("3-1"),
		  [VENDOR] = SAP_STR_INIT("Distribution") },
	};
	struct sap_facts *facts = sap_facts_new();
	struct sap_arena arena;
	struct sap_str reason;

	if (!CHECK(facts != NULL))
		return;
	sap_arena_init(&arena, 0);
	give_system(facts, SAP_STR("never-heard-of 1"));
	for (uint32_t i = 0; i < 3; i++)
		give_package(facts, columns[i], i + 1);
	CHECK_OK(sap_facts_finish(facts, &err), &err);
	CHECK_INT(sap_origin_of(facts, &facts->packages.v[0], &arena, &reason),
		  SAP_ORIGIN_THIRD_PARTY);
	CHECK_STR(reason, "Vendor is \"Acme\", that of the system is \"Distribution\"");
	CHECK_INT(sap_origin_of(facts, &facts->packages.v[1], &arena, &reason),
		  SAP_ORIGIN_DISTRIBUTION);
	CHECK_INT(sap_origin_of(facts, &facts->packages.v[2], &arena, &reason),
		  SAP_ORIGIN_DISTRIBUTION);
	CHECK_INT(reason.n, 0);
	sap_arena_clear(&arena);
	sap_facts_free(facts);
}

static void long_and_odd_bytes_are_no_harm(void)
{
	static char text[100000];
	struct sap_str column[COLUMNS] = { [SYSTEM] = SAP_STR("debian 12"),
					   [NAME] = SAP_STR("x"),
					   [ORIGIN] = SAP_STR("distribution") };
	static const char *const types[] = { "deb", "rpm", "apk", "alpm" };
	struct sap_arena arena;

	sap_arena_init(&arena, 0);
	for (unsigned fill = 0; fill < 256; fill += 5) {
		memset(text, (int)fill, sizeof(text));
		memcpy(text + sizeof(text) - 10, "~bookworm\xff", 10);
		column[VERSION] = column[MAINTAINER] = column[VENDOR] = column[SECTION] =
			(struct sap_str){ text, sizeof(text) };
		for (int t = 0; t < 4; t++) {
			struct sap_facts *facts = sap_facts_new();
			struct sap_str reason;

			column[TYPE] = sap_str_of(types[t]);
			if (!CHECK(facts != NULL))
				continue;
			give_system(facts, column[SYSTEM]);
			give_package(facts, column, 1);
			sap_facts_finish(facts, &err);
			sap_origin_of(facts, &facts->packages.v[0], &arena, &reason);
			CHECK(reason.n < 1000);
			sap_facts_free(facts);
		}
		sap_arena_reset(&arena);
	}
	sap_arena_clear(&arena);
}

static void epochs(void)
{
	static const struct {
		uint8_t type;
		const char *installed, *fixed;
		bool differs;
	} cases[] = {
		{ SAP_PACKAGE_DEB, "1:1.0-1", "1.2-1", true },
		{ SAP_PACKAGE_DEB, "1:1.0-1", "1:1.2-1", false },
		{ SAP_PACKAGE_DEB, "1.0-1", "1:1.2-1", false },
		{ SAP_PACKAGE_DEB, "1.0-1", "0:1.2-1", false },
		{ SAP_PACKAGE_DEB, "0:1.0-1", "1.2-1", false },
		{ SAP_PACKAGE_DEB, "10:1.0-1", "9:1.2-1", true },
		{ SAP_PACKAGE_DEB, "9:1.0-1", "10:1.2-1", false },
		{ SAP_PACKAGE_DEB, "010:1.0-1", "10:1.2-1", false },
		{ SAP_PACKAGE_DEB, "99999999999999999999999:1", "8:1", true },
		{ SAP_PACKAGE_DEB, "a:1", "1", false },
		{ SAP_PACKAGE_DEB, "", "", false },
		{ SAP_PACKAGE_RPM, "10:1.1.1k-12.el8_9_fips", "1:1.1.1k-12.el8_9", true },
		{ SAP_PACKAGE_ALPM, "2:1-1", "1:1-1", true },
		{ SAP_PACKAGE_APK, "2:1-1", "1:1-1", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_int(cases[i].installed, (int)i, cases[i].fixed,
			  sap_origin_epoch_differs(cases[i].type, sap_str_of(cases[i].installed),
						   sap_str_of(cases[i].fixed)),
			  cases[i].differs);
}

int main(void)
{
	the_table();
	the_vendor_of_glibc_is_the_systems();
	long_and_odd_bytes_are_no_harm();
	epochs();
	return check_done();
}
