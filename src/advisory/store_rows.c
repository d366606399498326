/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A row, checked: records and claims go to the batch, the others into their tables. A row that
 * makes no sense is a problem; the stream goes on.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "advisory/store_int.h"

void sap_store_refuse(struct sap_store_writer *w, const char *fmt, ...)
{
	char text[1024], where[512];
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	snprintf(where, sizeof(where), "%s line %llu", w->name, (unsigned long long)w->line_number);
	w->counts.problems++;
	if (w->source)
		w->sources.v[w->source - 1].rejected++;
	if (w->problem)
		w->problem(w->ctx, sap_str_of(where), sap_str_of(text));
}

/* ---- checks ----------------------------------------------------------------------------- */

static bool one_of(struct sap_str s, const char *const *words)
{
	for (; *words; words++)
		if (sap_str_eq(s, sap_str_of(*words)))
			return true;
	return false;
}

static const char *const yes_no[] = { "yes", "no", NULL };

static bool is_name(struct sap_str s)
{
	return s.n > 0 && s.n <= SAP_ADVISORY_NAME_MAX;
}

/* A decimal fraction 0..1: digits and one point, an exponent as printers of small numbers
 * write it. */
static bool is_share(struct sap_str s, double *out)
{
	char text[40], *end;
	double v;

	if (s.n == 0 || s.n >= sizeof(text))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!strchr("0123456789.eE-+", s.p[i]))
			return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	v = strtod(text, &end);
	if (*end || !(v >= 0 && v <= 1))
		return false;
	*out = v;
	return true;
}

static bool is_hex(struct sap_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!strchr("0123456789abcdefABCDEF", s.p[i]) || s.p[i] == '\0')
			return false;
	return s.n > 0 && s.n % 2 == 0 && s.n <= 128;
}

/* ---- texts as they are stored ----------------------------------------------------------- */

static void put_attr(struct sap_buf *out, const char *key, struct sap_str raw)
{
	if (out->n > 0)
		sap_buf_putc(out, '\t');
	sap_buf_puts(out, sap_str_of(key));
	sap_buf_putc(out, '=');
	sap_buf_puts(out, raw);
}

/* A date that is one; else a problem, and the row goes on without it. */
static void put_date(struct sap_store_writer *w, const struct sap_row *row, const char *key,
		     struct sap_store_time *out)
{
	struct sap_str value = sap_row_attr(row, key);

	if (value.n == 0)
		return;
	if (sap_store_time_parse(value, out))
		put_attr(&w->scratch, key, value);
	else
		sap_store_refuse(w, "%s=%.*s is no date: left out", key, SAP_FMT(value));
}

/* A severity in our words; NULL: none, or a problem. */
static const char *severity_of(struct sap_store_writer *w, const struct sap_row *row)
{
	struct sap_str value = sap_row_attr(row, "severity");
	const char *word = sap_severity_name(sap_severity_parse(value));

	if (!word && value.n > 0)
		sap_store_refuse(w, "severity=%.*s is none that is known: left out",
				 SAP_FMT(value));
	return word;
}

/* All vectors of a row as one list. */
static void put_cvss(struct sap_store_writer *w, const struct sap_row *row, struct sap_buf *list)
{
	sap_buf_reset(list);
	for (uint32_t i = 0; i < row->n_attrs; i++) {
		struct sap_str value = row->attrs[i].value;

		if (!sap_str_is(row->attrs[i].key, "cvss") || value.n == 0)
			continue;
		if (value.n > SAP_ADVISORY_NAME_MAX || memchr(value.p, ',', value.n) ||
		    memchr(value.p, '\\', value.n) || memchr(value.p, '\t', value.n) ||
		    memchr(value.p, '\n', value.n) || memchr(value.p, '\r', value.n)) {
			sap_store_refuse(w, "cvss=%.*s is no vector: left out", SAP_FMT(value));
			continue;
		}
		if (list->n > 0)
			sap_buf_putc(list, ',');
		sap_buf_puts(list, value);
	}
}

/* ---- record ----------------------------------------------------------------------------- */

enum { DAY = 86400 };

/* Of the dates that a source's records name, the newest says what the data is as of; one that
 * has not come yet says nothing. */
static int note_newest(struct sap_store_writer *w, struct sap_str date,
		       const struct sap_store_time *t, struct sap_err *err)
{
	struct sap_store_wsource *s = &w->sources.v[w->source - 1];

	if (!t->known || t->seconds > w->now + DAY ||
	    (s->newest_time.known && sap_store_time_cmp(t, &s->newest_time) <= 0))
		return 0;
	/* Dates are of one length, so the former's place serves again. */
	if (s->newest.n >= date.n && s->newest.n > 0) {
		memcpy((char *)(uintptr_t)s->newest.p, date.p, date.n);
		s->newest.n = date.n;
	} else if (!sap_arena_str(&w->text, date, &s->newest)) {
		return sap_err_nomem(err);
	}
	s->newest_time = *t;
	return 0;
}

static int record_row(struct sap_store_writer *w, const struct sap_row *row, struct sap_err *err)
{
	static const char *const lists[] = { "alias", "covers", "related" };
	struct sap_store_time modified = { 0 }, published = { 0 }, withdrawn = { 0 };
	struct sap_str compromised = sap_row_attr(row, "compromised");
	struct sap_buf *text = &w->scratch;
	struct sap_store_rec *rec;
	const char *severity;
	int r;

	w->skip = SAP_STORE_SKIP_BAD;
	if (!is_name(row->args[0]) || (compromised.n > 0 && !one_of(compromised, yes_no))) {
		sap_store_refuse(w, "a record with %s: it and its claims are left out",
				 is_name(row->args[0]) ? "compromised= neither yes nor no"
						       : "an empty or endless id");
		return 0;
	}
	sap_buf_reset(text);
	put_date(w, row, "modified", &modified);
	put_date(w, row, "published", &published);
	put_date(w, row, "withdrawn", &withdrawn);
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct sap_str list = sap_row_attr(row, lists[i]);

		if (list.n > 0)
			put_attr(text, lists[i], list);
	}
	severity = severity_of(w, row);
	if (severity)
		put_attr(text, "severity", sap_str_of(severity));
	put_cvss(w, row, &w->scratch2);
	if (w->scratch2.n > 0)
		put_attr(text, "cvss", sap_buf_str(&w->scratch2));
	if (sap_str_is(compromised, "yes"))
		put_attr(text, "compromised", compromised);
	rec = SAP_VEC_PUSH(&w->batch.recs, UINT32_MAX - 1);
	if (!rec || !sap_buf_ok(text) || !sap_arena_str(&w->batch.text, row->args[0], &rec->name) ||
	    !sap_arena_str(&w->batch.text, sap_buf_str(text), &rec->attrs))
		return sap_err_nomem(err);
	rec->source = w->source - 1;
	rec->group = UINT32_MAX;
	rec->modified = modified;
	rec->compromised = sap_str_is(compromised, "yes");
	rec->digest = sap_store_mix(1, rec->attrs);
	w->batch.record_start = sap_store_batch_bytes(&w->batch);
	w->skip = SAP_STORE_SKIP_NO;
	w->counts.records++;
	r = note_newest(w, sap_row_attr(row, "modified"), &modified, err);
	return r < 0 ? r : note_newest(w, sap_row_attr(row, "published"), &published, err);
}

/* ---- claim ------------------------------------------------------------------------------ */

static char status_of(struct sap_str word)
{
	if (sap_str_is(word, "affected"))
		return 'a';
	if (sap_str_is(word, "not-affected"))
		return 'n';
	if (sap_str_is(word, "under-investigation"))
		return 'i';
	return sap_str_is(word, "unfixed") ? 'u' : '\0';
}

enum part { PART_UNKNOWN, PART_RULE, PART_REST };

/* What a claim's attribute is, and whether its value may be. */
static enum part claim_attr(struct sap_str key, struct sap_str value, bool *valid)
{
	static const char *const by[] = { "source", "binary", NULL };
	static const char *const types[] = { "semver", "ecosystem", "git", NULL };

	*valid = value.n > 0;
	if (sap_str_is(key, "introduced") || sap_str_is(key, "fixed") || sap_str_is(key, "last") ||
	    sap_str_is(key, "limit")) {
		*valid = value.n > 0 && value.n <= SAP_VERSION_TEXT_MAX;
		return PART_RULE;
	}
	if (sap_str_is(key, "versions"))
		return PART_RULE;
	if (sap_str_is(key, "type")) {
		*valid = one_of(value, types);
		return PART_RULE;
	}
	if (sap_str_is(key, "by")) {
		*valid = one_of(value, by);
		return PART_REST;
	}
	if (sap_str_is(key, "offered") || sap_str_is(key, "pro")) {
		*valid = one_of(value, yes_no);
		return PART_REST;
	}
	if (sap_str_is(key, "reason") || sap_str_is(key, "module")) {
		*valid = is_name(value);
		return PART_REST;
	}
	return sap_str_is(key, "arch") || sap_str_is(key, "functions") ||
			       sap_str_is(key, "severity")
		       ? PART_REST
		       : PART_UNKNOWN;
}

/* One attribute into the text of a claim; false: it is refused. */
static bool put_claim_attr(struct sap_store_writer *w, const struct sap_row_attr *a, enum part want)
{
	struct sap_buf *text = &w->scratch;
	bool valid;
	enum part part = claim_attr(a->key, a->value, &valid);

	if (part == PART_UNKNOWN) {
		if (want == PART_REST)
			sap_store_refuse(w, "a claim has no key %.*s=: passed over",
					 SAP_FMT(a->key));
		return true;
	}
	if (!valid) {
		if (want == PART_REST)
			sap_store_refuse(w, "a claim with %.*s=%.*s: left out", SAP_FMT(a->key),
					 a->value.n < 100 ? (int)a->value.n : 100,
					 a->value.p ? a->value.p : "");
		return false;
	}
	if (part != want)
		return true;
	sap_buf_putc(text, '\t');
	sap_buf_puts(text, a->key);
	sap_buf_putc(text, '=');
	if (sap_str_is(a->key, "severity")) {
		const char *word = sap_severity_name(sap_severity_parse(a->value));

		if (!word) {
			size_t cut = a->key.n + 2;

			sap_store_refuse(w, "severity=%.*s is none that is known: left out",
					 SAP_FMT(a->value));
			text->n -= text->n < cut ? text->n : cut;
			return true;
		}
		sap_buf_puts(text, sap_str_of(word));
		return true;
	}
	sap_buf_puts(text, a->value);
	return true;
}

/* "TAB status TAB attributes TAB rule LF" in the batch. Values are taken as they are written,
 * escapes included. */
static int claim_text(struct sap_store_writer *w, const struct sap_row *row, char status,
		      struct sap_str *out, bool *ok, struct sap_err *err)
{
	struct sap_buf *text = &w->scratch;

	sap_buf_reset(text);
	sap_buf_put(text, (const char[]){ '\t', status }, 2);
	*ok = true;
	for (enum part part = PART_RULE; part <= PART_REST && *ok; part++) {
		/* The rule last: it is all that is left of the line. */
		enum part want = part == PART_RULE ? PART_REST : PART_RULE;
		struct sap_str rest = row->rest;
		struct sap_row_attr attr;

		while (*ok && sap_row_rest_next(&rest, NULL, &attr))
			*ok = put_claim_attr(w, &attr, want);
	}
	sap_buf_putc(text, '\n');
	if (!*ok)
		return 0;
	if (!sap_buf_ok(text) || !sap_arena_str(&w->batch.text, sap_buf_str(text), out))
		return sap_err_nomem(err);
	return 0;
}

/* Releases of a distribution share their records, so they are put into one place. */
static uint32_t bucket_of(const struct sap_space *space, struct sap_str name)
{
	uint64_t h = sap_store_mix(sap_store_mix(1, sap_space_ecosystem(space)), name);

	return (uint32_t)(h >> 40);
}

static int claim_packages(struct sap_store_writer *w, const struct sap_row *row, uint32_t space,
			  struct sap_str text, struct sap_err *err)
{
	struct sap_store_rec *rec = &w->batch.recs.v[w->batch.recs.n - 1];
	const struct sap_space *s = &w->spaces.v[space].space;
	struct sap_str list = row->args[1], item;
	uint32_t n = rec->claims;
	int r = 0;

	rec->digest = sap_store_mix(sap_store_mix(rec->digest, text), sap_space_str(s));
	while (r == 0 && sap_row_list_next(&list, &w->row, &item)) {
		sap_buf_reset(&w->scratch);
		sap_space_put_name(&w->scratch, s, item);
		if (!is_name(sap_buf_str(&w->scratch))) {
			sap_store_refuse(w, "a package with a name of more than %u bytes: left out",
					 SAP_ADVISORY_NAME_MAX);
			continue;
		}
		rec->digest = sap_store_mix(rec->digest, sap_buf_str(&w->scratch));
		r = sap_store_batch_claim(&w->batch, space, bucket_of(s, sap_buf_str(&w->scratch)),
					  sap_buf_str(&w->scratch), text, err);
	}
	w->counts.claims += rec->claims - n;
	if (r == 0 && rec->claims == n)
		sap_store_refuse(w, "a claim without a package: left out");
	return r;
}

/* Readers do not look in a space for what none of its claims names. */
static void note_by(struct sap_store_writer *w, const struct sap_row *row, uint32_t space)
{
	for (uint32_t i = 0; i < row->n_attrs; i++)
		if (sap_str_is(row->attrs[i].key, "by"))
			w->spaces.v[space].by |= sap_str_is(row->attrs[i].value, "source")
							 ? SAP_NAMES_SOURCE
							 : SAP_NAMES_BINARY;
}

static int claim_row(struct sap_store_writer *w, const struct sap_row *row, struct sap_err *err)
{
	char status = status_of(row->args[2]);
	struct sap_str text;
	uint32_t space;
	bool ok;
	int r;

	if (w->skip == SAP_STORE_SKIP_BAD)
		return 0;
	if (w->skip == SAP_STORE_SKIP_NONE) {
		sap_store_refuse(w, "a claim without a record before it: left out");
		return 0;
	}
	if (!status) {
		sap_store_refuse(w, "\"%.*s\" is no status of a claim: left out",
				 row->args[2].n < 100 ? (int)row->args[2].n : 100, row->args[2].p);
		return 0;
	}
	if (sap_store_batch_bytes(&w->batch) - w->batch.record_start > SAP_STORE_RECORD_MAX) {
		struct sap_store_rec *rec = &w->batch.recs.v[w->batch.recs.n - 1];

		sap_store_refuse(w, "record %.*s has claims of more than %llu MiB: left out",
				 SAP_FMT(rec->name), SAP_STORE_RECORD_MAX / SAP_MIB);
		rec->id = -1;
		w->skip = SAP_STORE_SKIP_BAD;
		return 0;
	}
	r = sap_store_space_of(w, row->args[0], &space, err);
	if (r == 0 && space == 0)
		sap_store_refuse(w, "\"%.*s\" is no space: the claim is left out",
				 SAP_FMT(row->args[0]));
	if (r < 0 || space == 0)
		return r;
	r = claim_text(w, row, status, &text, &ok, err);
	if (r < 0 || !ok)
		return r;
	note_by(w, row, space - 1);
	/* A list of malicious versions says nothing about all other vulnerabilities. */
	if (!w->batch.recs.v[w->batch.recs.n - 1].compromised)
		r = sap_store_source_space(w, w->source - 1, space - 1, false, err);
	return r < 0 ? r : claim_packages(w, row, space - 1, text, err);
}

/* ---- what is known of vulnerabilities and objects --------------------------------------- */

static void bind_word(sqlite3_stmt *st, int i, struct sap_str s)
{
	if (s.n > 0)
		sap_sql_text(st, i, s);
	else
		sqlite3_bind_null(st, i);
}

/* An attribute of a closed set; what is no member is a problem and left out. */
static struct sap_str word_of(struct sap_store_writer *w, const struct sap_row *row,
			      const char *key, const char *const *words)
{
	struct sap_str value = sap_row_attr(row, key);

	if (value.n > 0 && !one_of(value, words)) {
		sap_store_refuse(w, "%s=%.*s is no word for it: left out", key, SAP_FMT(value));
		value.n = 0;
	}
	return value;
}

static int vulnerability_row(struct sap_store_writer *w, const struct sap_row *row,
			     sqlite3_stmt *st, struct sap_err *err)
{
	static const char *const exploitation[] = { "none", "poc", "active", NULL };
	static const char *const impact[] = { "partial", "total", NULL };
	const char *severity = severity_of(w, row);

	put_cvss(w, row, &w->scratch2);
	if (!sap_buf_ok(&w->scratch2))
		return sap_err_nomem(err);
	bind_word(st, 3, sap_str_of(severity));
	bind_word(st, 4, sap_buf_str(&w->scratch2));
	bind_word(st, 5, word_of(w, row, "exploitation", exploitation));
	bind_word(st, 6, word_of(w, row, "automatable", yes_no));
	bind_word(st, 7, word_of(w, row, "impact", impact));
	return sap_sql_run(&w->q, st, err);
}

static int kev_row(struct sap_store_writer *w, const struct sap_row *row, sqlite3_stmt *st,
		   struct sap_err *err)
{
	static const char *const keys[] = { "added", "due" };

	for (int i = 0; i < 2; i++) {
		struct sap_str value = sap_row_attr(row, keys[i]);
		struct sap_store_time t;

		if (value.n > 0 && !sap_store_time_parse(value, &t)) {
			sap_store_refuse(w, "%s=%.*s is no date: left out", keys[i],
					 SAP_FMT(value));
			value.n = 0;
		}
		if (i == 0 && value.n > 0) {
			int r = note_newest(w, value, &t, err);

			if (r < 0)
				return r;
		}
		bind_word(st, 3 + i, value);
	}
	sqlite3_bind_int(st, 5, sap_str_is(word_of(w, row, "ransomware", yes_no), "yes"));
	return sap_sql_run(&w->q, st, err);
}

static int epss_row(struct sap_store_writer *w, const struct sap_row *row, sqlite3_stmt *st,
		    struct sap_err *err)
{
	double score, percentile;

	if (!is_share(row->args[1], &score) || !is_share(row->args[2], &percentile)) {
		sap_store_refuse(w,
				 "%.*s: score and percentile must be fractions from 0 to 1: "
				 "left out",
				 SAP_FMT(row->args[0]));
		return 0;
	}
	sqlite3_bind_double(st, 3, score);
	sqlite3_bind_double(st, 4, percentile);
	return sap_sql_run(&w->q, st, err);
}

static int function_row(struct sap_store_writer *w, const struct sap_row *row, sqlite3_stmt *st,
			struct sap_err *err)
{
	static const char *const kinds[] = { "M", "D", "A", "HOOK", NULL };
	struct sap_str kind = sap_row_attr(row, "kind"), file = sap_row_attr(row, "file");

	if (kind.n == 0)
		kind = SAP_STR("M");
	if (!one_of(kind, kinds) || !is_name(row->args[1]) || !is_name(row->args[2]) ||
	    file.n > SAP_PATH_MAX) {
		sap_store_refuse(w,
				 "a function of %.*s without project or name, or with a kind "
				 "that is not M, D, A or HOOK: left out",
				 SAP_FMT(row->args[0]));
		return 0;
	}
	sap_sql_text(st, 3, row->args[1]);
	sap_sql_text(st, 4, row->args[2]);
	sap_sql_text(st, 5, file);
	sap_sql_text(st, 6, kind);
	bind_word(st, 7, sap_row_attr(row, "basis"));
	return sap_sql_run(&w->q, st, err);
}

static int object_row(struct sap_store_writer *w, const struct sap_row *row, sqlite3_stmt *st,
		      struct sap_err *err)
{
	struct sap_str file = sap_row_attr(row, "file");
	char hex[129];
	uint32_t space;
	int r;

	if (!is_hex(row->args[0]) || !is_name(row->args[2]) ||
	    row->args[3].n > SAP_VERSION_TEXT_MAX || file.n > SAP_PATH_MAX) {
		sap_store_refuse(w, "an object whose build-id is not in hex, or without a "
				    "package: left out");
		return 0;
	}
	r = sap_store_space_of(w, row->args[1], &space, err);
	if (r < 0)
		return r;
	if (space == 0) {
		sap_store_refuse(w, "\"%.*s\" is no space: the object is left out",
				 SAP_FMT(row->args[1]));
		return 0;
	}
	for (size_t i = 0; i < row->args[0].n; i++)
		hex[i] = row->args[0].p[i] >= 'A' && row->args[0].p[i] <= 'F'
				 ? (char)(row->args[0].p[i] - 'A' + 'a')
				 : row->args[0].p[i];
	sap_buf_reset(&w->scratch);
	sap_space_put_name(&w->scratch, &w->spaces.v[space - 1].space, row->args[2]);
	if (!sap_buf_ok(&w->scratch))
		return sap_err_nomem(err);
	sap_sql_text(st, 1, (struct sap_str){ hex, row->args[0].n });
	sap_sql_text(st, 3, sap_space_str(&w->spaces.v[space - 1].space));
	sap_sql_text(st, 4, sap_buf_str(&w->scratch));
	sap_sql_text(st, 5, row->args[3]);
	sap_sql_text(st, 6, file);
	return sap_sql_run(&w->q, st, err);
}

/* A row that is complete in itself. */
static int table_row(struct sap_store_writer *w, const struct sap_row *row, struct sap_err *err)
{
	static const struct {
		unsigned sql;
		int (*write)(struct sap_store_writer *, const struct sap_row *, sqlite3_stmt *,
			     struct sap_err *);
	} kinds[SAP_ROW_KINDS] = {
		[SAP_ROW_VULNERABILITY] = { SAP_W_VULNERABILITY, vulnerability_row },
		[SAP_ROW_KEV] = { SAP_W_KEV, kev_row },
		[SAP_ROW_EPSS] = { SAP_W_EPSS, epss_row },
		[SAP_ROW_FUNCTION] = { SAP_W_FUNCTION, function_row },
		[SAP_ROW_OBJECT] = { SAP_W_OBJECT, object_row },
	};
	sqlite3_stmt *st;
	int r;

	if (!kinds[row->kind].write)
		return 0;
	if (!is_name(row->args[0])) {
		sap_store_refuse(w, "a row \"%s\" with an empty or endless id: left out",
				 sap_row_kind_name(row->kind));
		return 0;
	}
	r = sap_sql_get(&w->q, kinds[row->kind].sql, &st, err);
	if (r < 0)
		return r;
	sap_sql_text(st, 1, row->args[0]);
	sqlite3_bind_int64(st, 2, w->sources.v[w->source - 1].id);
	w->sources.v[w->source - 1].counted = false;
	return kinds[row->kind].write(w, row, st, err);
}

/* ---- rows ------------------------------------------------------------------------------- */

static int end_row(struct sap_store_writer *w, const struct sap_row *row, struct sap_err *err)
{
	uint64_t n;

	if (!sap_str_u64(row->args[0], &n) || n != w->counts.rows)
		return sap_err_format(err, 0,
				      "%s line %llu: the end row says %.*s rows, there were %llu: "
				      "the stream was cut or changed on its way",
				      w->name, (unsigned long long)w->line_number,
				      SAP_FMT(row->args[0]), (unsigned long long)w->counts.rows);
	w->ended = true;
	return 0;
}

static int take_row(struct sap_store_writer *w, const struct sap_row *row, struct sap_err *err)
{
	if (row->kind != SAP_ROW_CLAIM && row->kind != SAP_ROW_PROBLEM) {
		w->skip = SAP_STORE_SKIP_NONE;
		if (sap_store_batch_bytes(&w->batch) > SAP_STORE_BATCH_MAX) {
			int r = sap_store_batch_flush(w, false, err);

			if (r < 0)
				return r;
		}
	}
	switch (row->kind) {
	case SAP_ROW_PROBLEM:
		w->counts.problems++;
		if (w->source)
			w->sources.v[w->source - 1].rejected++;
		if (w->problem)
			w->problem(w->ctx, row->args[0], row->args[1]);
		return 0;
	case SAP_ROW_VEX:
		sap_store_refuse(w, "a statement of a VEX document is about a target of yours and "
				    "not kept here: give the document to `scan --vex`");
		return 0;
	case SAP_ROW_SOURCE:
		return sap_store_source_row(w, row, err);
	default:
		break;
	}
	if (w->outdated)
		return 0;
	if (!w->source && row->kind == SAP_ROW_CLAIM && w->skip == SAP_STORE_SKIP_BAD)
		return 0;
	if (!w->source) {
		sap_store_refuse(w, "a row \"%s\" without a source before it: left out",
				 sap_row_kind_name(row->kind));
		w->skip = SAP_STORE_SKIP_BAD;
		return 0;
	}
	if (row->kind == SAP_ROW_RECORD)
		return record_row(w, row, err);
	return row->kind == SAP_ROW_CLAIM ? claim_row(w, row, err) : table_row(w, row, err);
}

int sap_store_row(struct sap_store_writer *w, struct sap_str line, struct sap_err *err)
{
	struct sap_row row;
	struct sap_err bad;
	int r;

	sap_arena_reset(&w->row);
	r = sap_row_parse(line, &w->row, &row, &bad);
	if (r == SAP_ENOENT)
		return 0;
	if (w->ended)
		return sap_err_format(err, 0, "%s line %llu: a row after the end row", w->name,
				      (unsigned long long)w->line_number);
	if (r == 0 && row.kind == SAP_ROW_END)
		return end_row(w, &row, err);
	w->counts.rows++;
	if (r == 0)
		return take_row(w, &row, err);
	if (r == SAP_ENOMEM)
		return sap_err_nomem(err);
	sap_store_refuse(w, "%s: the row is left out", bad.text);
	if (sap_str_starts(line, SAP_STR("record\t")))
		w->skip = SAP_STORE_SKIP_BAD;
	if (sap_str_starts(line, SAP_STR("source\t")))
		w->source = 0;
	return 0;
}
