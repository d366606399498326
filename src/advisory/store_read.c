/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "advisory/store_int.h"

/* Those of the tables of vulnerabilities are read on from where the last question ended: the key
 * comes first, and the rows in its order. */
const char *const sap_store_read_sql[] = {
	[SAP_R_PACKAGE] = "SELECT claims FROM package WHERE name=? AND space=?",
	[SAP_R_RECORDS] = "SELECT id, source, name, attrs FROM record WHERE id>=?",
	[SAP_R_RECORD] = "SELECT name, attrs FROM record WHERE id=?",
	[SAP_R_NAME] = "SELECT text, record FROM name WHERE text>=? ORDER BY text, record",
	[SAP_R_VULNERABILITY] = "SELECT id, source, severity, cvss, exploitation, automatable,"
				" impact FROM vulnerability WHERE id>=? ORDER BY id, source",
	[SAP_R_KEV] = "SELECT id, source, added, due, ransomware FROM kev WHERE id>=?"
		      " ORDER BY id, source",
	[SAP_R_EPSS] = "SELECT id, source, score, percentile FROM epss WHERE id>=?"
		       " ORDER BY id, source",
	[SAP_R_FUNCTION] = "SELECT id, project, name, file, basis, kind FROM function WHERE id>=?"
			   " ORDER BY id, project, name, file, kind, source",
	[SAP_R_OBJECT] = "SELECT space, package, version, file FROM object WHERE build_id=?",
};

/* ---- advisories by number --------------------------------------------------------------- */

enum { FIRST_SLOTS = 256, GAP = 8 };

static size_t slot_of(const struct sap_store *store, int64_t id)
{
	size_t at = (size_t)(((uint64_t)id * 0x9e3779b97f4a7c15ULL) >> 32) & (store->n_slots - 1);

	while (store->slots[at] && store->slots[at]->a.row != id)
		at = (at + 1) & (store->n_slots - 1);
	return at;
}

static bool grow_slots(struct sap_store *store)
{
	struct sap_store_advisory **old = store->slots;
	size_t n = store->n_slots;

	store->slots = calloc(n ? n * 2 : FIRST_SLOTS, sizeof(*store->slots));
	if (!store->slots) {
		store->slots = old;
		return false;
	}
	store->n_slots = n ? n * 2 : FIRST_SLOTS;
	for (size_t i = 0; i < n; i++)
		if (old[i])
			store->slots[slot_of(store, old[i]->a.row)] = old[i];
	free(old);
	return true;
}

/* The advisory with that number: known, or put on the list of those to be read. */
static struct sap_store_advisory *advisory_of(struct sap_store *store, int64_t id,
					      struct sap_arena *arena)
{
	struct sap_store_advisory *a, **missing;
	size_t at;

	if (store->n_used >= store->n_slots / 4 * 3 && !grow_slots(store))
		return NULL;
	at = slot_of(store, id);
	if (store->slots[at])
		return store->slots[at];
	a = sap_arena_zalloc(arena, sizeof(*a));
	missing = a ? SAP_VEC_PUSH(&store->missing, SAP_CLAIMS_MAX) : NULL;
	if (!missing)
		return NULL;
	a->a.row = id;
	a->gone = true;
	*missing = a;
	store->slots[at] = a;
	store->n_used++;
	return a;
}

void sap_store_forget(struct sap_store *store)
{
	store->missing.n = 0;
	if (store->n_used == 0)
		return;
	/* One large package must not make the others slow. */
	if (store->n_slots > 4 * FIRST_SLOTS) {
		free(store->slots);
		store->slots = NULL;
		store->n_slots = 0;
	} else {
		memset(store->slots, 0, store->n_slots * sizeof(*store->slots));
	}
	store->n_used = 0;
}

static void take_attr(struct sap_advisory *a, const struct sap_row_attr *attr)
{
	if (sap_str_is(attr->key, "modified"))
		a->modified = attr->value;
	else if (sap_str_is(attr->key, "published"))
		a->published = attr->value;
	else if (sap_str_is(attr->key, "alias"))
		a->alias = attr->value;
	else if (sap_str_is(attr->key, "covers"))
		a->covers = attr->value;
	else if (sap_str_is(attr->key, "severity"))
		a->severity = (uint8_t)sap_severity_parse(attr->value);
	else if (sap_str_is(attr->key, "cvss"))
		a->cvss = attr->value;
	else if (sap_str_is(attr->key, "withdrawn"))
		a->withdrawn = attr->value;
	else if (sap_str_is(attr->key, "compromised"))
		a->compromised = sap_str_is(attr->value, "yes");
}

static int read_record(struct sap_store *store, sqlite3_stmt *st, struct sap_store_advisory *a,
		       struct sap_arena *arena, struct sap_err *err)
{
	struct sap_str name = sap_sql_column(st, 2), attrs = sap_sql_column(st, 3);
	int64_t source_id = sqlite3_column_int64(st, 1);
	struct sap_row_attr attr;
	uint32_t source;
	char *text;

	/* Most are of the same source as the one before. */
	source = store->last_source;
	if (source >= store->n_sources || store->source_ids[source] != source_id)
		source = sap_store_source_index(store, source_id);
	store->last_source = source;
	if (source == store->n_sources)
		return sap_err_format(err, 0,
				      "%s is damaged: record %lld has no source; import anew",
				      store->q.path, (long long)a->a.row);
	text = sap_arena_alloc(arena, (uint64_t)name.n + attrs.n);
	if (!text)
		return sap_err_nomem(err);
	if (name.n)
		memcpy(text, name.p, name.n);
	if (attrs.n)
		memcpy(text + name.n, attrs.p, attrs.n);
	a->a.id = (struct sap_str){ text, name.n };
	attrs.p = text + name.n;
	a->a.source = source;
	while (sap_row_rest_next(&attrs, arena, &attr))
		take_attr(&a->a, &attr);
	a->gone = false;
	return 0;
}

static int by_row(const void *a, const void *b)
{
	const struct sap_store_advisory *x = *(struct sap_store_advisory *const *)a;
	const struct sap_store_advisory *y = *(struct sap_store_advisory *const *)b;

	return (x->a.row > y->a.row) - (x->a.row < y->a.row);
}

/* Reads v[0] and those after it that stand close to it; gives how many. */
static int read_run(struct sap_store *store, sqlite3_stmt *st, struct sap_store_advisory **v,
		    size_t n, size_t *taken, struct sap_arena *arena, struct sap_err *err)
{
	unsigned passed = 0;
	size_t i = 0;
	int r;

	sqlite3_bind_int64(st, 1, v[0]->a.row);
	while ((r = sap_sql_step(&store->q, st, err)) > 0) {
		int64_t id = sqlite3_column_int64(st, 0);

		/* Those before it are not there. */
		while (i < n && v[i]->a.row < id)
			i++;
		if (i < n && v[i]->a.row == id) {
			r = read_record(store, st, v[i++], arena, err);
			passed = 0;
		} else if (++passed > GAP) {
			break;
		}
		if (r < 0 || i == n || v[i]->a.row >> 32 != id >> 32)
			break;
	}
	if (r > 0)
		r = 0;
	sqlite3_reset(st);
	*taken = i ? i : 1;
	return r;
}

/* Reads what is missing: records of one package stand close to each other, so that a few more
 * rows are cheaper than another descent of the tree. Those that are not there are gone. */
static int read_missing(struct sap_store *store, struct sap_arena *arena, struct sap_err *err)
{
	struct sap_store_advisory **v = store->missing.v;
	size_t n = store->missing.n, taken;
	sqlite3_stmt *st;
	int r = sap_sql_get(&store->q, SAP_R_RECORDS, &st, err);

	for (size_t i = 1; r == 0 && i < n; i++) {
		if (v[i]->a.row < v[i - 1]->a.row) {
			qsort(v, n, sizeof(struct sap_store_advisory *), by_row);
			break;
		}
	}
	for (size_t i = 0; r == 0 && i < n; i += taken)
		r = read_run(store, st, v + i, n - i, &taken, arena, err);
	store->missing.n = 0;
	return r;
}

/* ---- claims ----------------------------------------------------------------------------- */

static bool is_rule(struct sap_str key)
{
	return sap_str_is(key, "introduced") || sap_str_is(key, "fixed") ||
	       sap_str_is(key, "last") || sap_str_is(key, "versions") || sap_str_is(key, "type") ||
	       sap_str_is(key, "limit");
}

static void take_claim_attr(struct sap_claim *c, const struct sap_row_attr *attr)
{
	if (sap_str_is(attr->key, "by"))
		c->names = sap_str_is(attr->value, "source") ? SAP_NAMES_SOURCE : SAP_NAMES_BINARY;
	else if (sap_str_is(attr->key, "reason"))
		c->reason = attr->value;
	else if (sap_str_is(attr->key, "module"))
		c->module = attr->value;
	else if (sap_str_is(attr->key, "arch"))
		c->arch = attr->value;
	else if (sap_str_is(attr->key, "severity"))
		c->severity = (uint8_t)sap_severity_parse(attr->value);
	else if (sap_str_is(attr->key, "functions"))
		c->functions = attr->value;
	else if (sap_str_is(attr->key, "offered"))
		c->not_offered = sap_str_is(attr->value, "no");
	else if (sap_str_is(attr->key, "pro"))
		c->pro = sap_str_is(attr->value, "yes");
}

static uint8_t status_of(char c)
{
	switch (c) {
	case 'a':
		return SAP_CLAIM_AFFECTED;
	case 'n':
		return SAP_CLAIM_NOT_AFFECTED;
	case 'i':
		return SAP_CLAIM_UNDER_INVESTIGATION;
	case 'u':
		return SAP_CLAIM_UNFIXED;
	default:
		return 0;
	}
}

/* The number and the status that a line begins with; *rest is what follows. */
static bool parse_head(struct sap_str line, int64_t *id, uint8_t *status, struct sap_str *rest)
{
	uint64_t number = 0;
	size_t i = 0;

	while (i < line.n && i < 18 && line.p[i] >= '0' && line.p[i] <= '9')
		number = number * 10 + (uint64_t)(line.p[i++] - '0');
	if (i == 0 || line.n < i + 2 || line.p[i] != '\t')
		return false;
	*status = status_of(line.p[i + 1]);
	if (!*status || (line.n > i + 2 && line.p[i + 2] != '\t'))
		return false;
	*id = (int64_t)number;
	*rest = sap_str_skip(line, i + 3);
	return true;
}

static void parse_claim(struct sap_str rest, struct sap_arena *arena, struct sap_claim *c)
{
	struct sap_row_attr attr;

	while (rest.n > 0) {
		struct sap_str before = rest;

		if (!sap_row_rest_next(&rest, arena, &attr))
			break;
		if (!is_rule(attr.key)) {
			take_claim_attr(c, &attr);
			continue;
		}
		c->rule = before;
		do {
			if (sap_str_is(attr.key, "fixed"))
				c->fixed = attr.value;
		} while (sap_row_rest_next(&rest, arena, &attr));
	}
}

/* Room for the claims of all lines at once; without it they are taken one by one. */
static void make_room(struct sap_claims *out, struct sap_str text)
{
	size_t lines = 1, want;
	void *grown;

	for (const char *p = text.p; (p = memchr(p, '\n', text.n - (size_t)(p - text.p))); p++)
		lines++;
	if (lines <= out->cap - out->n || lines > SAP_CLAIMS_MAX)
		return;
	want = out->cap + out->cap / 2;
	if (want < out->n + lines)
		want = out->n + lines;
	grown = reallocarray(out->v, want, sizeof(*out->v));
	if (!grown)
		return;
	out->v = grown;
	out->cap = want;
}

static int parse_lines(struct sap_store *store, const struct sap_store_space *space,
		       struct sap_str package, struct sap_str text, struct sap_arena *arena,
		       struct sap_claims *out, struct sap_err *err)
{
	struct sap_str line, rest;
	size_t before = out->n;

	make_room(out, text);
	while (sap_str_line(&text, &line)) {
		struct sap_store_advisory *a;
		struct sap_claim *c;
		uint8_t status;
		int64_t id;

		if (!parse_head(line, &id, &status, &rest))
			return sap_err_format(err, 0,
					      "%s is damaged: a claim about \"%.*s\"; move it away "
					      "and import anew",
					      store->q.path, SAP_FMT(package));
		if (out->n - before >= SAP_CLAIMS_MAX)
			return sap_err_set(err, SAP_ELIMIT,
					   "%s: more than %u claims about \"%.*s\"", store->q.path,
					   SAP_CLAIMS_MAX, SAP_FMT(package));
		a = advisory_of(store, id, arena);
		c = a ? SAP_VEC_PUSH(out, SIZE_MAX / sizeof(*c) / 2) : NULL;
		if (!c)
			return sap_err_nomem(err);
		c->advisory = &a->a;
		c->space = space->text;
		c->package = package;
		c->status = status;
		c->names = space->names;
		parse_claim(rest, arena, c);
	}
	return 0;
}

/* Leaves out what withdrawn records say, and those that are gone. */
static void sift(struct sap_claims *claims, size_t from)
{
	size_t to = from;

	for (size_t i = from; i < claims->n; i++) {
		/* The advisory is the first member of what the store keeps. */
		const struct sap_store_advisory *a = (const void *)claims->v[i].advisory;

		if (a->gone || a->a.withdrawn.n > 0)
			continue;
		if (to != i)
			claims->v[to] = claims->v[i];
		to++;
	}
	claims->n = to;
}

int sap_store_claims(struct sap_store *store, struct sap_str space, struct sap_str package,
		     struct sap_arena *arena, struct sap_claims *out, struct sap_err *err)
{
	const struct sap_store_space *s = sap_store_space_find(store, space);
	size_t before = out->n;
	struct sap_str text, name;
	sqlite3_stmt *st;
	bool ok;
	int r;

	if (!s)
		return 0;
	sap_store_call(store);
	r = sap_sql_get(&store->q, SAP_R_PACKAGE, &st, err);
	if (r < 0)
		return r;
	sap_sql_text(st, 1, package);
	sqlite3_bind_int64(st, 2, s->id);
	r = sap_sql_step(&store->q, st, err);
	if (r <= 0)
		return r;
	ok = sap_arena_str(arena, sap_sql_column(st, 0), &text) &&
	     sap_arena_str(arena, package, &name);
	sqlite3_reset(st);
	r = ok ? parse_lines(store, s, name, text, arena, out, err) : sap_err_nomem(err);
	if (r == 0 && store->missing.n > 0)
		r = read_missing(store, arena, err);
	if (r < 0) {
		/* Some advisories are not whole: none of them may be found again. */
		sap_store_forget(store);
		out->n = before;
		return r;
	}
	sift(out, before);
	return 0;
}

/* ---- objects ---------------------------------------------------------------------------- */

int sap_store_object(struct sap_store *store, struct sap_str build_id, struct sap_arena *arena,
		     struct sap_known_object *out, bool *found, struct sap_err *err)
{
	struct sap_known_object o = { 0 };
	sqlite3_stmt *st;
	bool ok;
	int r;

	sap_store_call(store);
	r = sap_sql_get(&store->q, SAP_R_OBJECT, &st, err);
	if (r < 0)
		return r;
	sap_sql_text(st, 1, build_id);
	r = sap_sql_step(&store->q, st, err);
	if (r < 0)
		return r;
	*found = r > 0;
	if (r == 0)
		return 0;
	ok = sap_arena_str(arena, sap_sql_column(st, 0), &o.space) &&
	     sap_arena_str(arena, sap_sql_column(st, 1), &o.package) &&
	     sap_arena_str(arena, sap_sql_column(st, 2), &o.version) &&
	     sap_arena_str(arena, sap_sql_column(st, 3), &o.file);
	sqlite3_reset(st);
	if (!ok)
		return sap_err_nomem(err);
	*out = o;
	return 0;
}
