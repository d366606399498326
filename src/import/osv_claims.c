/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The entries of "affected" to claims.
 *
 *     OSV                                      row
 *     package.ecosystem, package.name          SPACE, PACKAGE
 *     ranges[].events[]                        introduced= fixed= last= limit=, a claim a range
 *     ranges[].type                            type=semver, type=git
 *     versions[]                               versions=, those that no usable range holds
 *     ecosystem_specific.imports[].symbols     functions= (Go)
 *     ....affects.functions, affected_functions  functions= (RustSec)
 *     ....urgency, ubuntu_priority, severity   severity=, where it is not the record's
 *     ....availability                         pro=yes (Ubuntu)
 *     database_specific.last_known_affected_version_range   last=, limit= ("<= 1.4.5", "< 2.1.3":
 *                                              GitHub), of a range without an end
 *     summary "nodejs:12 ..."                  module=, where the versions are of a module
 *
 * A range is usable where the ecosystem's order of versions is known. A version is affected where
 * a range holds it or "versions" names it, and mostly the list, often thousands long, only repeats
 * what the ranges say: what they hold is left out. The rest goes with the first usable range.
 *
 * Events of a usable range are written by version, so that no "introduced" in the wrong place looks
 * like the next range (rows.h). Packages of one record about which the same is said in the same
 * space become one row: most advisories of distributions name dozens.
 *
 * A row names one module. Where a summary names several ("virt:rhel and virt-devel:rhel") and
 * nothing tells which package is of which, each gets a row of its own.
 */
#include "advisory/match.h"
#include "advisory/space.h"
#include "base/limits.h"
#include "base/vec.h"
#include "import/osv_int.h"

struct attr {
	const char *key;
	struct sap_str value;
	bool list; /* neighbours with one key are a list */
};

struct package {
	struct sap_str name;
	struct package *next;
};

/* A row to be. */
struct claim {
	struct sap_str space;
	struct package *first, *last;
	struct attr *attrs; /* in writer.attrs while it is made, then in the arena */
	size_t n;
	uint64_t hash;
};

enum { MODULES_MAX = 4, LOOK_BACK = 32, RULE_MAX = 2048 };

struct writer {
	struct sap_import *im;
	const struct sap_osv_record *record;
	SAP_VEC(struct attr) attrs; /* of the claim that is being made */
	uint64_t hash;
	SAP_VEC(struct claim) claims;
	struct sap_str modules[MODULES_MAX];
	size_t n_modules;
	struct sap_buf rule;            /* the usable ranges of an entry, as the store keeps them */
	SAP_VEC(struct sap_str) unheld; /* versions that these do not hold */
	struct sap_str scheme_of;       /* the ecosystem that was asked for last */
	enum sap_version_scheme scheme;
	bool nomem;
};

/* ---- making a claim --------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, struct sap_str s)
{
	for (size_t i = 0; i < s.n; i++)
		hash = (hash ^ (unsigned char)s.p[i]) * 0x100000001b3ULL;
	return (hash ^ 0xff) * 0x100000001b3ULL;
}

static void put(struct writer *w, const char *key, struct sap_str value, bool list)
{
	struct attr *a;

	if (value.n == 0)
		return;
	a = SAP_VEC_PUSH(&w->attrs, SAP_LIST_MAX);
	if (!a) {
		w->nomem = true;
		return;
	}
	*a = (struct attr){ key, value, list };
	w->hash = mix(mix(w->hash, sap_str_of(key)), value);
}

static bool same(const struct claim *a, const struct claim *b)
{
	if (a->hash != b->hash || a->n != b->n || !sap_str_eq(a->space, b->space))
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (a->attrs[i].key != b->attrs[i].key ||
		    !sap_str_eq(a->attrs[i].value, b->attrs[i].value))
			return false;
	}
	return true;
}

static struct claim *find(struct writer *w, const struct claim *claim)
{
	/* Joining saves space, no more: a bounded look back is enough. */
	for (size_t i = w->claims.n; w->claims.v && i > 0 && w->claims.n - i < LOOK_BACK; i--) {
		if (same(&w->claims.v[i - 1], claim))
			return &w->claims.v[i - 1];
	}
	return NULL;
}

static struct claim *keep(struct writer *w, const struct claim *claim)
{
	struct attr *attrs = sap_arena_array(w->im->arena, claim->n, sizeof(*attrs));
	struct claim *c;

	if (!attrs)
		return NULL;
	c = SAP_VEC_PUSH(&w->claims, SAP_LIST_MAX);
	if (!c)
		return NULL;
	*c = *claim;
	c->attrs = attrs;
	if (claim->attrs)
		memcpy(attrs, claim->attrs, claim->n * sizeof(*attrs));
	return c;
}

/* What was put becomes a claim, or the package joins one. */
static void make(struct writer *w, struct sap_str space, struct sap_str name)
{
	struct claim claim = {
		.space = space, .attrs = w->attrs.v, .n = w->attrs.n, .hash = mix(w->hash, space)
	};
	struct claim *c = find(w, &claim);
	struct package *p = NULL;

	if (!c)
		c = keep(w, &claim);
	else if (sap_str_eq(c->last->name, name))
		return;
	if (c)
		p = sap_arena_zalloc(w->im->arena, sizeof(*p));
	if (!p) {
		w->nomem = true;
		return;
	}
	p->name = name;
	if (c->last)
		c->last->next = p;
	else
		c->first = p;
	c->last = p;
}

/* ---- writing the rows ------------------------------------------------------------------- */

static void put_row(struct writer *w, const struct claim *c, struct sap_str module)
{
	struct sap_rows *rows = w->im->rows;

	sap_rows_begin(rows, SAP_ROW_CLAIM);
	sap_rows_arg(rows, c->space);
	sap_rows_list_begin(rows, NULL);
	for (const struct package *p = c->first; p; p = p->next)
		sap_rows_list_item(rows, p->name);
	sap_rows_list_end(rows);
	sap_rows_arg(rows, SAP_STR("affected"));
	for (size_t i = 0; i < c->n;) {
		const struct attr *a = &c->attrs[i];

		if (!a->list) {
			sap_rows_attr(rows, a->key, a->value);
			i++;
			continue;
		}
		sap_rows_list_begin(rows, a->key);
		for (; i < c->n && c->attrs[i].key == a->key; i++)
			sap_rows_list_item(rows, c->attrs[i].value);
		sap_rows_list_end(rows);
	}
	sap_rows_attr(rows, "module", module);
	sap_rows_done(rows);
}

static bool contains(struct sap_str s, struct sap_str part)
{
	return s.n >= part.n && memmem(s.p, s.n, part.p, part.n) != NULL;
}

/* Versions of modular packages carry it in their release: "12.22.5-1.module_el8.4.0+...". */
static bool modular(const struct claim *c)
{
	for (size_t i = 0; i < c->n; i++) {
		if (contains(c->attrs[i].value, SAP_STR(".module_el")) ||
		    contains(c->attrs[i].value, SAP_STR(".module+el")))
			return true;
	}
	return false;
}

static void put_rows(struct writer *w)
{
	for (size_t i = 0; i < w->claims.n; i++) {
		const struct claim *c = &w->claims.v[i];
		size_t n = w->n_modules > 0 && modular(c) ? w->n_modules : 0;

		if (n == 0)
			put_row(w, c, (struct sap_str){ 0 });
		for (size_t m = 0; m < n; m++)
			put_row(w, c, w->modules[m]);
	}
}

/* NAME:STREAM with one colon inside, and no advisory's name. */
static bool is_module(struct sap_str word)
{
	struct sap_str name, stream, rest;

	return sap_str_cut(word, ':', &name, &stream) && name.n > 0 && stream.n > 0 &&
	       !sap_str_cut(stream, ':', &stream, &rest) && sap_id_kind(word) == SAP_ID_NONE;
}

static void find_modules(struct writer *w)
{
	struct sap_str text = w->record->summary, word;

	while (w->n_modules < MODULES_MAX && sap_str_word(&text, &word)) {
		while (word.n > 0 && strchr(":,;.)", word.p[word.n - 1]))
			word.n--;
		if (is_module(word))
			w->modules[w->n_modules++] = word;
	}
}

/* ---- an entry of "affected" ------------------------------------------------------------- */

static void put_names(struct writer *w, const struct sap_json *list)
{
	unsigned left = SAP_FUNCTIONS_MAX;

	for (const struct sap_json *f = sap_json_first(list); f && left > 0; f = f->next, left--)
		put(w, "functions",
		    sap_json_is(list, SAP_JSON_OBJECT) ? f->key : sap_json_string(f), true);
}

static void put_functions(struct writer *w, const struct sap_json *specific)
{
	unsigned left = SAP_FUNCTIONS_MAX;

	for (const struct sap_json *i = sap_json_first(sap_json_get(specific, "imports"));
	     i && left > 0; i = i->next, left--)
		put_names(w, sap_json_get(i, "symbols"));
	put_names(w, sap_json_get(sap_json_get(specific, "affects"), "functions"));
	put_names(w, sap_json_get(specific, "affected_functions"));
	put_names(w, sap_json_get(specific, "functions"));
}

/* What holds for the package, whatever the range. */
static void put_common(struct writer *w, const struct sap_json *entry)
{
	static const char *const words[] = { "urgency", "ubuntu_priority", "severity" };
	const struct sap_json *eco = sap_json_get(entry, "ecosystem_specific");
	const struct sap_json *db = sap_json_get(entry, "database_specific");
	struct sap_str available = sap_json_text(eco, "availability");
	enum sap_severity severity = sap_osv_severity(sap_json_get(entry, "severity"), NULL, NULL);

	for (size_t i = 0; i < 3 && severity == SAP_SEVERITY_UNKNOWN; i++)
		severity = sap_severity_parse(sap_json_text(eco, words[i]));
	if (severity == SAP_SEVERITY_UNKNOWN)
		severity = sap_severity_parse(sap_json_text(db, "severity"));
	if (severity != w->record->severity)
		put(w, "severity", sap_str_of(sap_severity_name(severity)), false);
	if (available.n > 0 && !sap_str_is(available, "No subscription required"))
		put(w, "pro", SAP_STR("yes"), false);
	put_functions(w, eco);
	put_functions(w, db);
}

static enum sap_version_scheme scheme_of(struct writer *w, struct sap_str ecosystem)
{
	struct sap_space space;

	if (w->scheme_of.n == 0 || !sap_str_eq(w->scheme_of, ecosystem)) {
		w->scheme_of = ecosystem;
		w->scheme = sap_space_parse(ecosystem, &space) ? sap_space_scheme(&space)
							       : SAP_VERSION_NONE;
	}
	return w->scheme;
}

static void begin(struct writer *w)
{
	w->attrs.n = 0;
	w->hash = 0xcbf29ce484222325ULL;
}

/* "0" is before everything. Of the same version ends come first: what they end is open, or it
 * would not have been written. */
static int compare_events(const void *va, const void *vb, void *ctx)
{
	const struct attr *a = va, *b = vb;
	const enum sap_version_scheme *scheme = ctx;
	bool first_a = sap_str_is(a->value, "0"), first_b = sap_str_is(b->value, "0");
	int c = first_a || first_b ? first_b - first_a
				   : sap_version_cmp(*scheme, a->value, b->value);

	if (c == 0)
		c = (strcmp(a->key, "introduced") == 0) - (strcmp(b->key, "introduced") == 0);
	return c ? c : strcmp(a->key, b->key);
}

/* Whether the events are by version as they stand: then equal ones mean what their order says. */
static bool in_order(const struct attr *v, size_t n, enum sap_version_scheme scheme)
{
	for (size_t i = 1; i < n; i++) {
		if (!sap_str_is(v[i - 1].value, "0") &&
		    (sap_str_is(v[i].value, "0") ||
		     sap_version_cmp(scheme, v[i - 1].value, v[i].value) > 0))
			return false;
	}
	return true;
}

static bool put_events(struct writer *w, const struct sap_json *range,
		       enum sap_version_scheme scheme)
{
	static const char *const keys[][2] = {
		{ "introduced", "introduced" },
		{ "fixed", "fixed" },
		{ "last_affected", "last" },
		{ "limit", "limit" },
	};
	const size_t before = w->attrs.n;

	for (const struct sap_json *e = sap_json_first(sap_json_get(range, "events")); e;
	     e = e->next) {
		for (const struct sap_json *m = sap_json_is(e, SAP_JSON_OBJECT) ? e->first : NULL;
		     m; m = m->next) {
			for (size_t k = 0; k < 4; k++) {
				if (sap_str_eq(m->key, sap_str_of(keys[k][0])))
					put(w, keys[k][1], sap_json_string(m), false);
			}
		}
	}
	if (w->attrs.n - before > 2 && scheme != SAP_VERSION_NONE &&
	    !in_order(w->attrs.v + before, w->attrs.n - before, scheme))
		qsort_r(w->attrs.v + before, w->attrs.n - before, sizeof(*w->attrs.v),
			compare_events, &scheme);
	return w->attrs.n > before;
}

/* A range that nothing ends: no version repairs it, but newer ones may never have been affected. */
static void put_known_end(struct writer *w, const struct sap_json *entry)
{
	struct sap_str text = sap_json_text(sap_json_get(entry, "database_specific"),
					    "last_known_affected_version_range");
	struct sap_str word;

	for (size_t i = 0; i < w->attrs.n; i++) {
		if (strcmp(w->attrs.v[i].key, "introduced") != 0)
			return;
	}
	if (!sap_str_word(&text, &word))
		return;
	if (sap_str_is(word, "<="))
		put(w, "last", sap_str_trim(text), false);
	else if (sap_str_is(word, "<"))
		put(w, "limit", sap_str_trim(text), false);
}

static bool is_git(const struct sap_json *range)
{
	return sap_str_is(sap_json_text(range, "type"), "GIT");
}

static void put_rule(struct sap_buf *rule, const struct attr *attrs, size_t n)
{
	/* Of several each begins a range: the second brings one more, for the first. */
	if (rule->n > 0)
		sap_buf_puts(rule, SAP_STR("\ttype=ecosystem\ttype=ecosystem"));
	for (size_t i = 0; i < n; i++) {
		if (rule->n > 0)
			sap_buf_putc(rule, '\t');
		sap_buf_puts(rule, sap_str_of(attrs[i].key));
		sap_buf_putc(rule, '=');
		sap_buf_puts(rule, attrs[i].value);
		rule->failed = rule->failed || memchr(attrs[i].value.p, '\t', attrs[i].value.n);
	}
}

/* The usable ranges of an entry as one rule. Whether there is one. */
static bool collect_rule(struct writer *w, const struct sap_json *entry,
			 enum sap_version_scheme scheme)
{
	bool usable = false;

	sap_buf_reset(&w->rule);
	if (scheme == SAP_VERSION_NONE)
		return false;
	for (const struct sap_json *r = sap_json_first(sap_json_get(entry, "ranges")); r;
	     r = r->next) {
		begin(w);
		if (is_git(r) || !put_events(w, r, scheme))
			continue;
		put_known_end(w, entry);
		put_rule(&w->rule, w->attrs.v, w->attrs.n);
		usable = true;
	}
	return usable;
}

/* Which of the versions listed no usable range holds. All, where these are too many to ask for
 * each version. */
static void find_unheld(struct writer *w, const struct sap_json *versions,
			enum sap_version_scheme scheme)
{
	struct sap_str rule = sap_buf_str(&w->rule), fixed;

	for (const struct sap_json *v = sap_json_first(versions); v; v = v->next) {
		struct sap_str text = sap_json_string(v), *to;

		if (text.n == 0 || (sap_buf_ok(&w->rule) &&
				    sap_rule_place(scheme, rule, text, &fixed) == SAP_PLACE_IN))
			continue;
		to = SAP_VEC_PUSH(&w->unheld, SAP_LIST_MAX);
		if (to)
			*to = text;
		else
			w->nomem = true;
	}
}

/* A claim for each range. Whether there is one. */
static bool put_ranges(struct writer *w, const struct sap_json *entry, struct sap_str space,
		       struct sap_str name)
{
	bool any = false;

	for (const struct sap_json *r = sap_json_first(sap_json_get(entry, "ranges")); r;
	     r = r->next) {
		bool git = is_git(r);

		begin(w);
		if (!put_events(w, r, git ? SAP_VERSION_NONE : scheme_of(w, space)))
			continue;
		any = true;
		if (!git)
			put_known_end(w, entry);
		for (size_t i = 0; !git && i < w->unheld.n; i++)
			put(w, "versions", w->unheld.v[i], true);
		if (!git)
			w->unheld.n = 0;
		if (git)
			put(w, "type", SAP_STR("git"), false);
		else if (sap_str_is(sap_json_text(r, "type"), "SEMVER"))
			put(w, "type", SAP_STR("semver"), false);
		put_common(w, entry);
		make(w, space, name);
	}
	return any;
}

static void one_entry(struct writer *w, const struct sap_json *entry)
{
	const struct sap_json *package = sap_json_get(entry, "package");
	const struct sap_json *versions = sap_json_get(entry, "versions");
	struct sap_str space = sap_json_text(package, "ecosystem");
	struct sap_str name = sap_json_text(package, "name");
	bool any, listed, usable;

	if (space.n == 0 || name.n == 0) {
		/* Commits of a repository, without a package: nothing here has a name. */
		if (!sap_json_first(sap_json_get(entry, "ranges")))
			sap_import_problem(w->im, "%.*s: an entry names no package",
					   SAP_FMT(w->record->id));
		return;
	}
	listed = sap_json_is(versions, SAP_JSON_ARRAY) && versions->n > 0;
	usable = collect_rule(w, entry, scheme_of(w, space));
	w->unheld.n = 0;
	if (usable && listed)
		find_unheld(w, versions, scheme_of(w, space));
	any = put_ranges(w, entry, space, name);
	if (usable)
		return;
	begin(w);
	for (const struct sap_json *v = listed ? versions->first : NULL; v; v = v->next)
		put(w, "versions", sap_json_string(v), true);
	if (w->attrs.n == 0 && any)
		return;
	if (w->attrs.n == 0 && (!w->record->malicious || listed)) {
		sap_import_problem(w->im, "%.*s: no versions are given of %.*s",
				   SAP_FMT(w->record->id), SAP_FMT(name));
		return;
	}
	put_common(w, entry);
	make(w, space, name);
}

/* "unmaintained", "notice": about a crate, but no vulnerability. "unsound" is one. */
static bool informational(const struct sap_json *entry)
{
	struct sap_str word =
		sap_json_text(sap_json_get(entry, "database_specific"), "informational");

	return sap_str_is(word, "unmaintained") || sap_str_is(word, "notice");
}

int sap_osv_claims(struct sap_import *im, const struct sap_osv_record *record, struct sap_err *err)
{
	const struct sap_json *affected = sap_json_get(record->root, "affected");
	struct writer w = { .im = im, .record = record };

	sap_buf_init(&w.rule, RULE_MAX);
	if (sap_json_is(affected, SAP_JSON_ARRAY)) {
		for (const struct sap_json *a = affected->first; a && !w.nomem; a = a->next) {
			if (!informational(a))
				one_entry(&w, a);
		}
	}
	if (!w.nomem) {
		find_modules(&w);
		put_rows(&w);
	}
	sap_vec_clear(&w.attrs);
	sap_vec_clear(&w.claims);
	sap_vec_clear(&w.unheld);
	sap_buf_clear(&w.rule);
	return w.nomem ? sap_err_nomem(err) : 0;
}
