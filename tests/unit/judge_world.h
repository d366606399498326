/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the test of judging: a store made of rows written with blanks, and facts by hand.
 */
#ifndef SAP_TESTS_JUDGE_WORLD_H
#define SAP_TESTS_JUDGE_WORLD_H

#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "advisory/judge.h"
#include "model/tree.h"

#define DAY (24 * 60 * 60)
#define NOW 1771286400 /* 2026-02-17 */

static struct sap_err err;
static char store_path[256];

static void problem(void *ctx, struct sap_str where, struct sap_str message)
{
	(void)ctx;
	fprintf(stderr, "%.*s: %.*s\n", SAP_FMT(where), SAP_FMT(message));
	check_true(__FILE__, __LINE__, "the rows are taken over", false);
}

/* Rows with blanks for TABs; lines end with ";". */
static struct sap_store *make_store(const char *rows)
{
	struct sap_store_counts counts;
	struct sap_store_writer *w = NULL;
	struct sap_store *store = NULL;
	const char *tmp = getenv("TMPDIR");
	struct sap_buf buf;
	unsigned n = 0;

	snprintf(store_path, sizeof(store_path), "%s/sapper-judge-%d.db", tmp ? tmp : "/tmp",
		 (int)getpid());
	unlink(store_path);
	sap_buf_init(&buf, 1u << 20);
	sap_buf_puts(&buf, SAP_STR(SAP_ROWS_MAGIC "\n"));
	for (const char *p = rows; *p; p++) {
		n += *p == ';';
		sap_buf_putc(&buf, *p == ';' ? '\n' : *p == ' ' ? '\t' : *p);
	}
	sap_buf_printf(&buf, "end\t%u\n", n);
	CHECK_OK(sap_store_writer_new(store_path, NULL, 0, problem, NULL, &w, &err), &err);
	CHECK_OK(sap_store_begin_stream(w, "test", SAP_STR(""), &err), &err);
	CHECK_OK(sap_store_feed(w, buf.p, buf.n, &err), &err);
	CHECK_OK(sap_store_end_stream(w, &counts, &err), &err);
	CHECK_OK(sap_store_commit(w, &err), &err);
	sap_buf_clear(&buf);
	CHECK_OK(sap_store_open(store_path, &store, &err), &err);
	return store;
}

static void drop_store(struct sap_store *store)
{
	char lock[300];

	sap_store_close(store);
	unlink(store_path);
	snprintf(lock, sizeof(lock), "%s.lock", store_path);
	unlink(lock);
}

static struct sap_facts *make_system(const char *id, const char *version_id)
{
	struct sap_facts *facts = sap_facts_new();
	const struct sap_rec_os os = { .id = sap_str_of(id), .version_id = sap_str_of(version_id) };

	facts->whole = true;
	CHECK_OK(facts->sink.os(&facts->sink, &os, &err), &err);
	return facts;
}

/* words: "NAME VERSION [SOURCE [SOURCE_VERSION]]" */
static void add_package(struct sap_facts *facts, enum sap_package_type type, const char *words,
			const char *vendor)
{
	struct sap_str text = sap_str_of(words);
	struct sap_rec_package rec = { .id = (uint32_t)facts->packages.n + 1,
				       .type = type,
				       .arch = SAP_STR("x86_64"),
				       .vendor = sap_str_of(vendor),
				       .maintainer = sap_str_of(vendor),
				       .database = SAP_STR("/var/lib/db") };

	sap_str_word(&text, &rec.name);
	sap_str_word(&text, &rec.version);
	sap_str_word(&text, &rec.source);
	sap_str_word(&text, &rec.source_version);
	CHECK_OK(facts->sink.package(&facts->sink, &rec, &err), &err);
}

static void add_deb(struct sap_facts *facts, const char *words)
{
	add_package(facts, SAP_PACKAGE_DEB, words, "");
}

static void add_rpm(struct sap_facts *facts, const char *words)
{
	add_package(facts, SAP_PACKAGE_RPM, words, "AlmaLinux");
}

static void add_file(struct sap_facts *facts, const char *path)
{
	const struct sap_rec_file rec = { .package = (uint32_t)facts->packages.n,
					  .path = sap_str_of(path) };

	CHECK_OK(facts->sink.file(&facts->sink, &rec, &err), &err);
}

static void add_object(struct sap_facts *facts, const char *path, const char *build_id,
		       const struct sap_rec_package_note *note)
{
	struct sap_rec_object rec = { .path = sap_str_of(path),
				      .elf_class = 2,
				      .endian = 1,
				      .type = 3,
				      .machine = 62,
				      .build_id = sap_str_of(build_id) };

	if (note)
		rec.package_note = *note;
	CHECK_OK(facts->sink.object(&facts->sink, &rec, &err), &err);
}

static struct sap_findings *judge_with(struct sap_facts *facts, struct sap_store *store,
				       const char *explain)
{
	const struct sap_judge_options options = { .now = NOW,
						   .max_age = 5 * DAY,
						   .explain = sap_str_of(explain) };
	struct sap_findings *found = NULL;

	CHECK_OK(sap_judge(facts, store, "there is none", &options, &found, &err), &err);
	return found;
}

static void finish(struct sap_facts *facts)
{
	struct sap_tree *tree;

	CHECK_OK(sap_facts_finish(facts, &err), &err);
	tree = sap_tree_new(facts);
	CHECK_OK(sap_tree_own(tree, facts, &err), &err);
	sap_tree_free(tree);
}

static struct sap_findings *judge(struct sap_facts *facts, struct sap_store *store)
{
	finish(facts);
	return judge_with(facts, store, "");
}

/* The finding of a vulnerability whose purl holds `what`, or one that is all zero. */
static const struct sap_finding *finding(const struct sap_findings *found, const char *id,
					 const char *what)
{
	static const struct sap_finding none = { .status = 0 };

	for (size_t i = 0; i < found->list.n; i++) {
		const struct sap_finding *f = &found->list.v[i];

		if (sap_str_eq(f->id, sap_str_of(id)) &&
		    memmem(f->package.p, f->package.n, what, strlen(what)))
			return f;
	}
	return &none;
}

/* Names of the packages of a finding, with blanks between them. */
static struct sap_str packages_of(const struct sap_findings *found, const struct sap_finding *f)
{
	static char text[1024];
	size_t n = 0;

	for (uint32_t i = 0; i < f->n_packages; i++) {
		const struct sap_package *p = &found->facts->packages.v[f->packages[i]];

		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%.*s", i ? " " : "",
				      SAP_FMT(sap_facts_str(found->facts, p->name)));
	}
	return (struct sap_str){ text, n };
}

static struct sap_str aliases_of(const struct sap_finding *f)
{
	static char text[1024];
	size_t n = 0;

	for (uint32_t i = 0; i < f->n_aliases; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%.*s", i ? " " : "",
				      SAP_FMT(f->aliases[i]));
	return (struct sap_str){ text, n };
}

#endif
