/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of test_match.c: tests/advisory/match-NAME.table hold packages, what advisories say of
 * them, and the verdicts.
 *
 *     case TEXT
 *     package SPACE NAME VERSION [source=NAME] [source-version=V] [arch=A] [module=LABEL]
 *             [release=unknown] [foreign]         blanks in SPACE are written as "_"
 *     rows as in advisory/rows.h, with TABs: source, record, claim. Only those about the
 *             package's space, its ecosystem, or its subscription are put to matching
 *     explain ID          steps are made
 *     expect ID STATUS [compromised] [pro] [fixed=V] [offered=yes|no] [reason=WORDS]
 *             [severity=WORD] [functions=LIST]   blanks in WORDS are written as "_". What is
 *             not named must be absent (severity and functions are not looked at then)
 *     step TEXT           a step of the last verdict has this in what it says or means
 *     decides TEXT        as step, of the one that decides
 *
 * Every verdict must be expected. A table about rules alone (match-rules.table) has
 *     place SCHEME VERSION PLACE [FIXED] RULE with TABs between its events
 */
#ifndef SAP_TESTS_MATCH_TABLE_H
#define SAP_TESTS_MATCH_TABLE_H

#include "check.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "advisory/match.h"
#include "advisory/rows.h"
#include "advisory/space.h"
#include "base/buf.h"

enum { CLAIMS_MAX = 64, RECORDS_MAX = 64 };

struct table {
	const char *file;
	unsigned line;
	struct sap_str text; /* of the case */
	struct sap_arena arena;
	struct sap_space space;
	struct sap_subject subject;
	struct sap_source sources[RECORDS_MAX]; /* the first: where none is named */
	uint32_t n_sources;
	struct sap_advisory records[RECORDS_MAX];
	size_t n_records;
	struct sap_claim claims[CLAIMS_MAX];
	size_t n_claims;
	struct sap_match_options options;
	bool matched;
	struct sap_verdicts verdicts;
	size_t n_expected;
	const struct sap_verdict *last;
};

static struct sap_err err;

static void fail(const struct table *t, const char *what, struct sap_str word)
{
	fprintf(stderr, "%s:%u: case %.*s: %.*s\n", t->file, t->line, SAP_FMT(t->text),
		SAP_FMT(word));
	check_true(t->file, (int)t->line, what, false);
}

static struct sap_str copy(struct table *t, struct sap_str s)
{
	struct sap_str out = { 0 };

	sap_arena_str(&t->arena, s, &out);
	return out;
}

static struct sap_str with_blanks(struct table *t, struct sap_str s)
{
	char *p = sap_arena_cstr(&t->arena, s);

	for (size_t i = 0; i < s.n; i++)
		if (p[i] == '_')
			p[i] = ' ';
	return (struct sap_str){ p, s.n };
}

static struct sap_str folded(struct table *t, const struct sap_space *space, struct sap_str name)
{
	struct sap_buf buf;
	struct sap_str out;

	sap_buf_init(&buf, 4096);
	sap_space_put_name(&buf, space, name);
	out = copy(t, sap_buf_str(&buf));
	sap_buf_clear(&buf);
	return out;
}

/* ---- a case ----------------------------------------------------------------------------- */

static void end_case(struct table *t)
{
	if (t->text.n && t->matched && t->n_expected != t->verdicts.n) {
		for (size_t i = 0; i < t->verdicts.n; i++)
			fprintf(stderr, "  verdict %.*s %s\n", SAP_FMT(t->verdicts.v[i].id),
				sap_status_name(t->verdicts.v[i].status));
		fail(t, "every verdict is expected", SAP_STR(""));
	}
	sap_arena_clear(&t->arena);
	free(t->verdicts.v);
	*t = (struct table){ .file = t->file, .line = t->line };
	sap_arena_init(&t->arena, 0);
}

static void set_package(struct table *t, struct sap_str words)
{
	struct sap_str space, name, word, key, value;
	struct sap_subject *s = &t->subject;

	if (!sap_str_word(&words, &space) || !sap_str_word(&words, &name) ||
	    !sap_str_word(&words, &s->version) ||
	    !sap_space_parse(with_blanks(t, space), &t->space)) {
		fail(t, "package SPACE NAME VERSION", words);
		return;
	}
	s->scheme = sap_space_scheme(&t->space);
	s->name = folded(t, &t->space, name);
	s->version = copy(t, s->version);
	s->release_known = t->space.n > t->space.ecosystem_n;
	while (sap_str_word(&words, &word)) {
		sap_str_cut(word, '=', &key, &value);
		if (sap_str_is(key, "source"))
			s->source = folded(t, &t->space, value);
		else if (sap_str_is(key, "source-version"))
			s->source_version = copy(t, value);
		else if (sap_str_is(key, "arch"))
			s->arch = copy(t, value);
		else if (sap_str_is(key, "module"))
			s->modularity = copy(t, value);
		else if (sap_str_is(word, "release=unknown"))
			s->release_known = false;
		else if (sap_str_is(word, "foreign"))
			s->compromised_only = true;
		else
			fail(t, "a known word", word);
	}
}

static void add_record(struct table *t, const struct sap_row *row)
{
	struct sap_advisory *a = &t->records[t->n_records++];

	*a = (struct sap_advisory){
		.id = row->args[0],
		.alias = sap_row_attr(row, "alias"),
		.covers = sap_row_attr(row, "covers"),
		.cvss = sap_row_attr(row, "cvss"),
		.modified = sap_row_attr(row, "modified"),
		.withdrawn = sap_row_attr(row, "withdrawn"),
		.severity = (uint8_t)sap_severity_parse(sap_row_attr(row, "severity")),
		.compromised = sap_str_is(sap_row_attr(row, "compromised"), "yes"),
		.source = t->n_sources,
	};
}

/* Events, lists and types of a claim row, as the store keeps them. */
static struct sap_str rule_of(struct table *t, struct sap_str rest)
{
	static const char *const keys[] = { "introduced=", "fixed=",    "last=",
					    "limit=",      "versions=", "type=" };
	struct sap_str field, out;
	struct sap_buf buf;

	sap_buf_init(&buf, 65536);
	while (rest.n) {
		sap_str_cut(rest, '\t', &field, &rest);
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
			if (!sap_str_starts(field, sap_str_of(keys[i])))
				continue;
			if (buf.n)
				sap_buf_putc(&buf, '\t');
			sap_buf_puts(&buf, field);
		}
	}
	out = copy(t, sap_buf_str(&buf));
	sap_buf_clear(&buf);
	return out;
}

static bool about_us(const struct table *t, const struct sap_space *space)
{
	struct sap_str s = sap_space_str(space);

	return sap_str_eq(s, sap_space_str(&t->space)) ||
	       sap_str_eq(s, sap_space_ecosystem(&t->space)) ||
	       (sap_str_is(sap_space_ecosystem(space), "ubuntu-pro") &&
		sap_str_is(sap_space_ecosystem(&t->space), "ubuntu"));
}

static uint8_t status_of(struct table *t, struct sap_str word)
{
	static const char *const words[] = { "", "affected", "not-affected", "under-investigation",
					     "unfixed" };

	for (uint8_t i = 1; i < 5; i++)
		if (sap_str_eq(word, sap_str_of(words[i])))
			return i;
	fail(t, "a status", word);
	return 0;
}

static void add_claims(struct table *t, const struct sap_row *row)
{
	struct sap_str packages = row->args[1], package, by = sap_row_attr(row, "by");
	struct sap_claim claim = { .advisory = &t->records[t->n_records - 1] };
	struct sap_space space;

	if (!sap_space_parse(row->args[0], &space) || !t->n_records) {
		fail(t, "a claim below a record, with a space", row->args[0]);
		return;
	}
	if (!about_us(t, &space))
		return;
	claim.space = copy(t, sap_space_str(&space));
	claim.rule = rule_of(t, row->rest);
	for (uint32_t i = 0; i < row->n_attrs; i++)
		if (sap_str_is(row->attrs[i].key, "fixed"))
			claim.fixed = row->attrs[i].value;
	claim.reason = sap_row_attr(row, "reason");
	claim.module = sap_row_attr(row, "module");
	claim.arch = sap_row_attr(row, "arch");
	claim.functions = sap_row_attr(row, "functions");
	claim.status = status_of(t, row->args[2]);
	claim.names = (uint8_t)(sap_str_is(by, "source")   ? SAP_NAMES_SOURCE
				: sap_str_is(by, "binary") ? SAP_NAMES_BINARY
							   : sap_space_names(&space));
	claim.severity = (uint8_t)sap_severity_parse(sap_row_attr(row, "severity"));
	claim.not_offered = sap_str_is(sap_row_attr(row, "offered"), "no");
	claim.pro = sap_str_is(sap_row_attr(row, "pro"), "yes");
	while (t->n_claims < CLAIMS_MAX && sap_row_list_next(&packages, &t->arena, &package)) {
		claim.package = folded(t, &space, package);
		t->claims[t->n_claims++] = claim;
	}
}

static void add_row(struct table *t, struct sap_str line)
{
	struct sap_row row;

	if (sap_row_parse(copy(t, line), &t->arena, &row, &err) < 0) {
		fail(t, err.text, line);
		return;
	}
	if (row.kind == SAP_ROW_SOURCE && t->n_sources + 1 < RECORDS_MAX)
		t->sources[++t->n_sources] = (struct sap_source){
			.kind = row.args[0],
			.name = row.args[1],
			.date = sap_row_attr(&row, "date"),
		};
	else if (row.kind == SAP_ROW_RECORD && t->n_records < RECORDS_MAX)
		add_record(t, &row);
	else if (row.kind == SAP_ROW_CLAIM)
		add_claims(t, &row);
	else
		fail(t, "a source, record or claim", line);
}

/* ---- expectations ----------------------------------------------------------------------- */

static void match(struct table *t)
{
	if (t->matched)
		return;
	t->matched = true;
	t->options.sources = t->sources;
	CHECK_OK(sap_match(&t->subject, t->claims, t->n_claims, &t->options, &t->arena,
			   &t->verdicts, &err),
		 &err);
}

struct expected {
	struct sap_str status, fixed, offered, reason, severity, functions;
	bool compromised, pro;
};

static void read_expected(struct table *t, struct sap_str words, struct expected *e)
{
	struct sap_str word, key, value;

	while (sap_str_word(&words, &word)) {
		sap_str_cut(word, '=', &key, &value);
		if (sap_str_is(word, "compromised"))
			e->compromised = true;
		else if (sap_str_is(word, "pro"))
			e->pro = true;
		else if (sap_str_is(key, "fixed"))
			e->fixed = value;
		else if (sap_str_is(key, "offered"))
			e->offered = value;
		else if (sap_str_is(key, "reason"))
			e->reason = with_blanks(t, value);
		else if (sap_str_is(key, "severity"))
			e->severity = value;
		else if (sap_str_is(key, "functions"))
			e->functions = value;
		else
			fail(t, "a known word", word);
	}
}

static void same(const struct table *t, const char *what, struct sap_str got, struct sap_str want)
{
	if (!check_str(t->file, (int)t->line, what, got, want))
		fprintf(stderr, "  in case %.*s\n", SAP_FMT(t->text));
}

static void expect(struct table *t, struct sap_str words)
{
	struct sap_str id = { 0 }, status = { 0 };
	const struct sap_verdict *v = NULL;
	struct expected e = { .pro = false };

	match(t);
	sap_str_word(&words, &id);
	sap_str_word(&words, &status);
	for (size_t i = 0; i < t->verdicts.n; i++)
		if (sap_str_eq(t->verdicts.v[i].id, id))
			v = &t->verdicts.v[i];
	t->last = v;
	if (!v) {
		fail(t, "there is such a verdict", id);
		return;
	}
	t->n_expected++;
	read_expected(t, words, &e);
#define SAME(got, want) same(t, #got, (got), (want))
	SAME(sap_str_of(sap_status_name(v->status)), status);
	if (v->status < SAP_STATUS_FIXED) {
		SAME(v->fixed, e.fixed);
		SAME(!v->offered_known ? SAP_STR("")
		     : v->offered      ? SAP_STR("yes")
				       : SAP_STR("no"),
		     e.offered);
	}
	SAME(v->reason, e.reason);
	SAME(v->compromised ? SAP_STR("compromised") : SAP_STR(""),
	     e.compromised ? SAP_STR("compromised") : SAP_STR(""));
	SAME(v->pro ? SAP_STR("pro") : SAP_STR(""), e.pro ? SAP_STR("pro") : SAP_STR(""));
	if (e.severity.n)
		SAME(sap_str_of(sap_severity_name(v->severity)), e.severity);
	if (e.functions.n)
		SAME(v->functions, e.functions);
#undef SAME
}

static bool contains(struct sap_str s, struct sap_str part)
{
	return s.n && part.n && memmem(s.p, s.n, part.p, part.n);
}

static void find_step(struct table *t, struct sap_str text, bool decides)
{
	for (uint32_t i = 0; t->last && i < t->last->n_steps; i++) {
		const struct sap_step *s = &t->last->steps[i];

		if ((!decides || s->decides) &&
		    (contains(s->outcome, text) || contains(s->says, text) ||
		     contains(s->source, text))) {
			check_true(t->file, (int)t->line, "step", true);
			return;
		}
	}
	for (uint32_t i = 0; t->last && i < t->last->n_steps; i++) {
		const struct sap_step *s = &t->last->steps[i];

		fprintf(stderr, "  %.*s | %.*s | %.*s | %.*s | %.*s%s\n", SAP_FMT(s->advisory),
			SAP_FMT(s->source), SAP_FMT(s->space), SAP_FMT(s->says),
			SAP_FMT(s->outcome), s->decides ? " *" : "");
	}
	fail(t, "there is such a step", text);
}

/* place SCHEME VERSION PLACE FIXED RULE */
static void place(struct table *t, struct sap_str words)
{
	static const char *const names[] = { "", "in", "before", "after", "invalid", "unordered" };
	struct sap_str scheme, version, want, fixed, got;
	enum sap_place p;

	sap_str_word(&words, &scheme);
	sap_str_word(&words, &version);
	sap_str_word(&words, &want);
	sap_str_word(&words, &fixed);
	p = sap_rule_place(sap_version_scheme_parse(scheme), copy(t, sap_str_trim(words)), version,
			   &got);
	same(t, "place", sap_str_of(names[p]), want);
	same(t, "fixed", got.n ? got : SAP_STR("-"), fixed);
}

/* ---- lines ------------------------------------------------------------------------------ */

static void take_line(struct table *t, struct sap_str line)
{
	struct sap_str word, rest = line;

	if (line.n == 0 || line.p[0] == '#' || !sap_str_word(&rest, &word))
		return;
	rest = sap_str_trim(rest);
	if (sap_str_is(word, "case")) {
		end_case(t);
		t->text = rest;
	} else if (sap_str_is(word, "package")) {
		set_package(t, rest);
	} else if (sap_str_is(word, "explain")) {
		t->options.explain = copy(t, rest);
	} else if (sap_str_is(word, "expect")) {
		if (sap_str_is(rest, "none"))
			match(t);
		else
			expect(t, rest);
	} else if (sap_str_is(word, "step")) {
		find_step(t, rest, false);
	} else if (sap_str_is(word, "decides")) {
		find_step(t, rest, true);
	} else if (sap_str_is(word, "place")) {
		place(t, rest);
	} else {
		add_row(t, line);
	}
}

static bool read_table(const char *path)
{
	struct table t = { .file = path };
	struct sap_str text, line;
	char *bytes = NULL;
	size_t n = 0;
	FILE *f = fopen(path, "r");

	if (!f || getdelim(&bytes, &n, '\0', f) < 0) {
		check_true(path, 1, "the table can be read", false);
		return false;
	}
	fclose(f);
	text = sap_str_of(bytes);
	sap_arena_init(&t.arena, 0);
	for (t.line = 1; sap_str_line(&text, &line); t.line++)
		take_line(&t, line);
	end_case(&t);
	sap_arena_clear(&t.arena);
	free(bytes);
	return true;
}

/* Every table tests/advisory/match-*.table. */
static void read_tables(void)
{
	const char *tests = getenv("SAP_TESTS");
	struct dirent **names;
	char path[4096];
	int n;

	snprintf(path, sizeof(path), "%s/advisory", tests ? tests : "tests");
	n = scandir(path, &names, NULL, alphasort);
	CHECK(n > 0);
	for (int i = 0; i < n; i++) {
		if (sap_str_starts(sap_str_of(names[i]->d_name), SAP_STR("match-")) &&
		    sap_str_ends(sap_str_of(names[i]->d_name), SAP_STR(".table"))) {
			snprintf(path, sizeof(path), "%s/advisory/%s", tests ? tests : "tests",
				 names[i]->d_name);
			read_table(path);
		}
		free(names[i]);
	}
	if (n >= 0)
		free(names);
}

#endif
