/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the test of reports: a small system with a bit of everything, some of it hostile.
 */
#ifndef SAP_TESTS_REPORT_WORLD_H
#define SAP_TESTS_REPORT_WORLD_H

#include "check.h"
#include "model/tree.h"
#include "report/report_int.h"

/* ---- a small system --------------------------------------------------------------------- */

#define HOSTILE "/opt/vendor/lib\x1b[31m\xff.so"

struct world {
	struct sap_facts *facts;
	struct sap_tree *tree;
	struct sap_radius radius;
	uint32_t prog, liba, libb, odd; /* objects */
};

static void add_packages(struct sap_sink *sink)
{
	static const struct sap_rec_relation relations[] = {
		{ SAP_REL_DEPENDS, SAP_STR_INIT("libb (>= 1) | other\xff") },
		{ SAP_REL_SUGGESTS, SAP_STR_INIT("doc") },
	};
	const struct sap_rec_os os = { .id = SAP_STR("debian"),
				       .id_like = SAP_STR("one two"),
				       .version_id = SAP_STR("12"),
				       .pretty_name = SAP_STR("Debian \x1b[2J 12"),
				       .point_release = SAP_STR("12.5") };
	const struct sap_rec_package first = { .id = 1,
					       .type = SAP_PACKAGE_DEB,
					       .name = SAP_STR("prog"),
					       .version = SAP_STR("1:1.0-1"),
					       .arch = SAP_STR("amd64"),
					       .vendor = SAP_STR("Debian"),
					       .install_time = 1711670400,
					       .auto_installed = SAP_YES,
					       .relations = relations,
					       .n_relations = 2 };
	const struct sap_rec_package second = { .id = 2,
						.type = SAP_PACKAGE_DEB,
						.name = SAP_STR("libb"),
						.version = SAP_STR("2.0"),
						.arch = SAP_STR("amd64"),
						.install_time = INT64_MAX };
	const struct sap_rec_file files[] = {
		{ .package = 1, .path = SAP_STR("/usr/bin/prog") },
		{ .package = 1, .path = SAP_STR("/usr/lib/liba.so.1") },
		{ .package = 2,
		  .path = SAP_STR("/usr/lib/libb.so.1"),
		  .digest_kind = SAP_DIGEST_MD5,
		  .digest = SAP_STR("0123456789abcdef"),
		  .flags = SAP_FILE_CONFIG },
	};

	sink->os(sink, &os, NULL);
	sink->package(sink, &first, NULL);
	sink->package(sink, &second, NULL);
	for (size_t i = 0; i < 3; i++)
		sink->file(sink, &files[i], NULL);
}

static void add_objects(struct sap_sink *sink)
{
	static const struct sap_str needed[] = { SAP_STR_INIT("liba.so.1"),
						 SAP_STR_INIT("lib\xff.so") };
	static const struct sap_rec_verneed versions[] = {
		{ SAP_STR_INIT("liba.so.1"), SAP_STR_INIT("A_1"), false },
		{ SAP_STR_INIT("liba.so.1"), SAP_STR_INIT("A_2"), true },
		{ SAP_STR_INIT("libb.so.1"), SAP_STR_INIT("B_1"), false },
	};
	const struct sap_rec_dlopen_note note = { .feature = SAP_STR("zip"),
						  .priority = SAP_STR("required"),
						  .sonames = { needed, 1 } };
	const struct sap_rec_object base = {
		.elf_class = 2, .endian = 1, .type = 3, .machine = 62, .mode = 0100755, .size = 4096
	};
	struct sap_rec_object o = base;

	o.path = SAP_STR("/usr/bin/prog");
	o.interp = SAP_STR("/lib64/ld.so");
	o.needed = (struct sap_strs){ needed, 2 };
	o.verneeds = versions;
	o.n_verneeds = 3;
	o.dlopen_notes = &note;
	o.n_dlopen_notes = 1;
	o.flags = SAP_OBJ_PIE | SAP_OBJ_DYNAMIC | SAP_OBJ_RELRO | SAP_OBJ_BIND_NOW |
		  SAP_OBJ_SYMBOLS_READ;
	o.mode = 0104755;
	o.build_id = SAP_STR("\x01\xfe");
	o.code_bytes = 1000;
	sink->object(sink, &o, NULL);
	o = base;
	o.path = SAP_STR("/usr/lib/liba.so.1");
	o.soname = SAP_STR("liba.so.1");
	o.code_bytes = 25;
	sink->object(sink, &o, NULL);
	o.path = SAP_STR("/usr/lib/libb.so.1");
	o.soname = SAP_STR("libb.so.1");
	o.endian = 2;
	o.elf_class = 1;
	sink->object(sink, &o, NULL);
	o = base;
	o.path = SAP_STR(HOSTILE);
	sink->object(sink, &o, NULL);
	o.path = SAP_STR("/boot/mod.ko");
	o.type = 1;
	o.machine = 9999;
	sink->object(sink, &o, NULL);
}

static void add_rest(struct sap_sink *sink)
{
	static const struct sap_str programs[] = { SAP_STR_INIT("/usr/bin/prog") };
	const struct sap_rec_service service = { .kind = SAP_SERVICE_SYSTEMD,
						 .name = SAP_STR("prog.service"),
						 .path = SAP_STR("/usr/lib/systemd/prog.service"),
						 .programs = { programs, 1 },
						 .enabled = SAP_YES };
	const struct sap_rec_diagnostic remarks[] = {
		{ .path = SAP_STR("/a"), .code = SAP_STR("format"), .message = SAP_STR("bad\x07") },
		{ .path = SAP_STR("/z"),
		  .code = SAP_STR("unreadable"),
		  .message = SAP_STR("no"),
		  .offset = 7 },
	};
	const struct sap_rec_stats stats = { .files = 10, .dirs = 3, .unreadable = 1 };

	sink->service(sink, &service, NULL);
	sink->diagnostic(sink, &remarks[0], NULL);
	sink->diagnostic(sink, &remarks[1], NULL);
	sink->stats(sink, &stats, NULL);
}

static struct world make_world(void)
{
	struct world w = { .facts = sap_facts_new() };
	struct sap_facts *facts = w.facts;
	struct sap_err err = { 0 };

	add_packages(&facts->sink);
	add_objects(&facts->sink);
	const struct sap_rec_setting database = { .kind = SAP_SET_DATABASE,
						  .file = SAP_STR("/var/lib/dpkg/status"),
						  .key = SAP_STR("deb"),
						  .value = SAP_STR("read") };

	CHECK_OK(facts->sink.setting(&facts->sink, &database, &err), &err);
	add_rest(&facts->sink);
	facts->whole = true;
	facts->target = sap_pool_put(facts->pool, SAP_STR("/mnt/\x9b"));
	facts->target_kind = sap_pool_put(facts->pool, SAP_STR("directory"));
	CHECK_OK(sap_facts_finish(facts, &err), &err);
	w.tree = sap_tree_new(facts);
	CHECK_OK(sap_tree_own(w.tree, facts, &err), &err);
	w.prog = sap_facts_object(facts, SAP_STR("/usr/bin/prog"));
	w.liba = sap_facts_object(facts, SAP_STR("/usr/lib/liba.so.1"));
	w.libb = sap_facts_object(facts, SAP_STR("/usr/lib/libb.so.1"));
	w.odd = sap_facts_object(facts, SAP_STR(HOSTILE));
	w.radius.n_objects = (uint32_t)facts->objects.n;
	w.radius.objects = calloc(facts->objects.n, sizeof(*w.radius.objects));
	w.radius.n_programs = w.radius.n_dynamic = w.radius.n_missing = 1;
	w.radius.objects[w.prog] = (struct sap_radius_object){
		.is_program = true, .libraries = 2, .direct = 1, .missing = 1
	};
	w.radius.objects[w.liba] =
		(struct sap_radius_object){ .programs = 1, .services = 1, .enabled = 1 };
	return w;
}

static void clear_world(struct world *w)
{
	sap_radius_clear(&w->radius);
	sap_tree_free(w->tree);
	sap_facts_free(w->facts);
}

#endif
