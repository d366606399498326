/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records and claims are gathered up to SAP_STORE_BATCH_MAX and then written in the order of
 * packages: rows of one package are close to each other, records too, and SQLite's trees are
 * walked from left to right.
 */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>

#include "advisory/store_int.h"

enum { FIRST_SLOTS = 1 << 14 };
#define NONE UINT32_MAX

void sap_store_batch_init(struct sap_store_batch *b)
{
	*b = (struct sap_store_batch){ 0 };
	sap_arena_init(&b->text, 0);
}

void sap_store_batch_clear(struct sap_store_batch *b)
{
	sap_arena_clear(&b->text);
	sap_vec_clear(&b->recs);
	sap_vec_clear(&b->groups);
	sap_vec_clear(&b->entries);
	free(b->slots);
	sap_store_batch_init(b);
}

/* For the next records: keeps what is allocated. */
static void batch_reset(struct sap_store_batch *b)
{
	sap_arena_reset(&b->text);
	b->recs.n = b->groups.n = b->entries.n = 0;
	if (b->slots)
		memset(b->slots, 0, ((size_t)b->mask + 1) * sizeof(*b->slots));
	b->record_start = 0;
}

uint64_t sap_store_batch_bytes(const struct sap_store_batch *b)
{
	return b->text.used + b->recs.n * sizeof(*b->recs.v) +
	       b->groups.n * (sizeof(*b->groups.v) + 8) + b->entries.n * sizeof(*b->entries.v);
}

/* ---- groups ----------------------------------------------------------------------------- */

static bool grow_slots(struct sap_store_batch *b)
{
	size_t n = b->slots ? ((size_t)b->mask + 1) * 2 : FIRST_SLOTS;
	uint32_t *slots = calloc(n, sizeof(*slots));

	if (!slots)
		return false;
	free(b->slots);
	b->slots = slots;
	b->mask = (uint32_t)(n - 1);
	for (uint32_t i = 0; i < b->groups.n; i++) {
		uint32_t at = b->groups.v[i].hash & b->mask;

		while (slots[at])
			at = (at + 1) & b->mask;
		slots[at] = i + 1;
	}
	return true;
}

/* The group of a name in a space; NONE: memory is out. */
static uint32_t group_of(struct sap_store_batch *b, uint32_t space, struct sap_str name)
{
	uint32_t hash = (uint32_t)(sap_store_mix(space + 1, name) >> 32), at;
	struct sap_store_group *g;

	if ((!b->slots || b->groups.n >= b->mask / 4 * 3) && !grow_slots(b))
		return NONE;
	for (at = hash & b->mask; b->slots[at]; at = (at + 1) & b->mask) {
		g = &b->groups.v[b->slots[at] - 1];
		if (g->hash == hash && g->space == space && sap_str_eq(g->name, name))
			return b->slots[at] - 1;
	}
	g = SAP_VEC_PUSH(&b->groups, NONE - 1);
	if (!g)
		return NONE;
	*g = (struct sap_store_group){ .space = space, .head = NONE, .tail = NONE, .hash = hash };
	if (!sap_arena_str(&b->text, name, &g->name)) {
		b->groups.n--;
		return NONE;
	}
	b->slots[at] = (uint32_t)b->groups.n;
	return (uint32_t)(b->groups.n - 1);
}

int sap_store_batch_claim(struct sap_store_batch *b, uint32_t space, uint32_t bucket,
			  struct sap_str name, struct sap_str text, struct sap_err *err)
{
	struct sap_store_rec *rec = &b->recs.v[b->recs.n - 1];
	uint32_t group = group_of(b, space, name), at = (uint32_t)b->entries.n;
	struct sap_store_entry *e = group == NONE ? NULL : SAP_VEC_PUSH(&b->entries, NONE - 1);

	if (!e)
		return sap_err_nomem(err);
	*e = (struct sap_store_entry){ .text = text,
				       .rec = (uint32_t)(b->recs.n - 1),
				       .next = NONE };
	if (b->groups.v[group].tail == NONE)
		b->groups.v[group].head = at;
	else
		b->entries.v[b->groups.v[group].tail].next = at;
	b->groups.v[group].tail = at;
	if (rec->group == NONE) {
		rec->group = group;
		rec->bucket = bucket;
	}
	rec->claims++;
	return 0;
}

/* ---- order ------------------------------------------------------------------------------ */

/* The first bytes of a text as numbers that compare as the bytes do. */
struct prefix {
	uint64_t a, b;
};

static struct prefix prefix_of(struct sap_str s)
{
	unsigned char bytes[16] = { 0 };
	struct prefix p;

	if (s.n > 0)
		memcpy(bytes, s.p, s.n < sizeof(bytes) ? s.n : sizeof(bytes));
	memcpy(&p.a, bytes, 8);
	memcpy(&p.b, bytes + 8, 8);
	p.a = be64toh(p.a);
	p.b = be64toh(p.b);
	return p;
}

static int prefix_cmp(const struct prefix *x, const struct prefix *y)
{
	if (x->a != y->a)
		return x->a < y->a ? -1 : 1;
	return (x->b > y->b) - (x->b < y->b);
}

/* ---- which records are taken over ------------------------------------------------------- */

struct sorting {
	const struct sap_store_writer *w;
	const struct sap_store_batch *b;
};

static int by_name(const void *a, const void *b, void *ctx)
{
	const struct sorting *s = ctx;
	uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
	const struct sap_store_rec *x = &s->b->recs.v[i], *y = &s->b->recs.v[j];
	int r = sap_str_cmp(x->name, y->name);

	if (r == 0)
		r = (x->source > y->source) - (x->source < y->source);
	return r ? r : (i > j) - (i < j);
}

/* The record of that name that the store has of that source. */
struct present {
	int64_t id, source_id, claims;
	uint32_t source;
	uint64_t digest;
	struct sap_store_time modified;
};

static bool read_present(struct sap_store_writer *w, sqlite3_stmt *st, uint32_t source,
			 struct present *out)
{
	struct sap_str rest = sap_sql_column(st, 2);
	struct sap_row_attr attr;

	out->source_id = sqlite3_column_int64(st, 1);
	for (out->source = 0; out->source < w->sources.n; out->source++)
		if (w->sources.v[out->source].id == out->source_id)
			break;
	if (out->source != source)
		return false;
	out->id = sqlite3_column_int64(st, 0);
	out->claims = sqlite3_column_int64(st, 3);
	out->digest = (uint64_t)sqlite3_column_int64(st, 4);
	out->modified = (struct sap_store_time){ 0 };
	while (sap_row_rest_next(&rest, NULL, &attr))
		if (sap_str_is(attr.key, "modified"))
			(void)sap_store_time_parse(attr.value, &out->modified);
	return true;
}

static int find_present(struct sap_store_writer *w, const struct sap_store_rec *rec,
			struct present *out, bool *found, struct sap_err *err)
{
	sqlite3_stmt *st;
	int r, more;

	*found = false;
	if (w->sources.v[rec->source].records == 0)
		return 0;
	r = sap_sql_get(&w->q, SAP_W_FIND, &st, err);
	if (r < 0)
		return r;
	sap_sql_text(st, 1, rec->name);
	while ((more = sap_sql_step(&w->q, st, err)) > 0) {
		if (read_present(w, st, rec->source, out)) {
			*found = true;
			sqlite3_reset(st);
			return 0;
		}
	}
	return more;
}

int sap_store_record_gone(struct sap_store_writer *w, int64_t id, int64_t source_id, int64_t claims,
			  struct sap_err *err)
{
	sqlite3_stmt *st;
	int r = sap_sql_get(&w->q, SAP_W_RECORD_DELETE, &st, err);

	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 1, id);
	r = sap_sql_run(&w->q, st, err);
	w->dead_claims += claims;
	for (size_t i = 0; i < w->sources.n; i++) {
		if (w->sources.v[i].id == source_id) {
			w->sources.v[i].records--;
			w->sources.v[i].claims -= claims;
			w->sources.v[i].dirty = true;
		}
	}
	return r;
}

/* One input says two things under one name: which of them is kept is told. */
static void say_twice(struct sap_store_writer *w, const struct sap_store_rec *rec)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "the record %.*s comes twice, and no date tells which is newer: the later one "
		 "is kept",
		 SAP_FMT(rec->name));
	w->counts.problems++;
	if (w->problem)
		w->problem(w->ctx, sap_str_of(w->name), sap_str_of(text));
}

/* The records of one name and source, in the order of the stream: the newest is left, of equal
 * ones the last. What the store has comes before them. */
static int settle(struct sap_store_writer *w, const uint32_t *order, size_t n, struct sap_err *err)
{
	struct sap_store_rec *recs = w->batch.recs.v, *best = NULL;
	struct present old = { 0 };
	bool has_old, was_of_replaced;
	int r;

	for (size_t i = 0; i < n; i++) {
		struct sap_store_rec *rec = &recs[order[i]];

		if (rec->id < 0)
			continue;
		if (best && best->digest != rec->digest &&
		    (!best->modified.known || !rec->modified.known ||
		     sap_store_time_cmp(&best->modified, &rec->modified) == 0))
			say_twice(w, rec);
		if (best && best->modified.known && rec->modified.known &&
		    sap_store_time_cmp(&rec->modified, &best->modified) < 0) {
			w->counts.older++;
			continue;
		}
		w->counts.replaced += best != NULL;
		best = rec;
	}
	if (!best)
		return 0;
	r = find_present(w, best, &old, &has_old, err);
	if (r < 0)
		return r;
	was_of_replaced = has_old && sap_idset_has(&w->sources.v[old.source].old, old.id);
	if (has_old && !was_of_replaced && best->modified.known && old.modified.known &&
	    sap_store_time_cmp(&best->modified, &old.modified) < 0) {
		w->counts.older++;
		return 0;
	}
	if (was_of_replaced)
		sap_idset_remove(&w->sources.v[old.source].old, old.id);
	if (has_old && old.digest == best->digest &&
	    (old.source == best->source || !was_of_replaced))
		return 0;
	if (has_old) {
		w->counts.replaced++;
		r = sap_store_record_gone(w, old.id, old.source_id, old.claims, err);
	}
	best->id = 1; /* its number comes later */
	return r;
}

static int settle_all(struct sap_store_writer *w, uint32_t *order, struct sap_err *err)
{
	struct sap_store_batch *b = &w->batch;
	struct sorting s = { w, b };
	size_t n = b->recs.n;
	int r = 0;

	for (uint32_t i = 0; i < n; i++)
		order[i] = i;
	/* Publications mostly come in this order. */
	for (uint32_t i = 1; i < n; i++) {
		if (by_name(&order[i - 1], &order[i], &s) > 0) {
			qsort_r(order, n, sizeof(*order), by_name, &s);
			break;
		}
	}
	for (size_t i = 0, end; r == 0 && i < n; i = end) {
		const struct sap_store_rec *first = &b->recs.v[order[i]];

		for (end = i + 1; end < n; end++) {
			const struct sap_store_rec *rec = &b->recs.v[order[end]];

			if (!sap_str_eq(rec->name, first->name) || rec->source != first->source)
				break;
		}
		r = settle(w, order + i, end - i, err);
	}
	return r;
}

/* ---- writing ---------------------------------------------------------------------------- */

struct package {
	struct prefix prefix;
	uint32_t group;
};

static int by_package(const void *a, const void *b, void *ctx)
{
	const struct sorting *s = ctx;
	const struct package *x = a, *y = b;
	const struct sap_store_group *g = &s->b->groups.v[x->group], *h = &s->b->groups.v[y->group];
	int r = prefix_cmp(&x->prefix, &y->prefix);
	int64_t i = s->w->spaces.v[g->space].id, j = s->w->spaces.v[h->space].id;

	if (r == 0)
		r = sap_str_cmp(g->name, h->name);
	return r ? r : (i > j) - (i < j);
}

static int by_bucket(const void *a, const void *b, void *ctx)
{
	const struct sorting *s = ctx;
	uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
	uint32_t x = s->b->recs.v[i].bucket, y = s->b->recs.v[j].bucket;

	return x != y ? (x > y) - (x < y) : (i > j) - (i < j);
}

/* The number's high part brings records of one package together in the file, its low part
 * makes it the only one, for ever. */
static int write_record(struct sap_store_writer *w, struct sap_store_rec *rec, struct sap_err *err)
{
	struct sap_store_wsource *s = &w->sources.v[rec->source];
	sqlite3_stmt *st;
	int r = sap_sql_get(&w->q, SAP_W_RECORD, &st, err);

	if (r < 0)
		return r;
	if (w->next_record > UINT32_MAX)
		return sap_err_set(err, SAP_ELIMIT,
				   "%s: the numbers of records are used up; "
				   "import into a new file",
				   w->path);
	rec->id = (int64_t)rec->bucket << 32 | w->next_record++;
	sqlite3_bind_int64(st, 1, rec->id);
	sqlite3_bind_int64(st, 2, s->id);
	sap_sql_text(st, 3, rec->name);
	sap_sql_text(st, 4, rec->attrs);
	sqlite3_bind_int64(st, 5, rec->claims);
	sqlite3_bind_int64(st, 6, (int64_t)rec->digest);
	s->records++;
	s->claims += rec->claims;
	s->dirty = true;
	return sap_sql_run(&w->q, st, err);
}

struct name {
	struct prefix prefix;
	struct sap_str text;
	int64_t record;
};

static int cmp_name(const void *a, const void *b)
{
	const struct name *x = a, *y = b;
	int r = prefix_cmp(&x->prefix, &y->prefix);

	if (r == 0)
		r = sap_str_cmp(x->text, y->text);
	return r ? r : (x->record > y->record) - (x->record < y->record);
}

/* The names of the records that were written: their ids and aliases. */
static int write_names(struct sap_store_writer *w, struct sap_err *err)
{
	struct sap_store_batch *b = &w->batch;
	SAP_VEC(struct name) names = { 0 };
	sqlite3_stmt *st;
	int r = sap_sql_get(&w->q, SAP_W_NAME, &st, err);

	for (size_t i = 0; r == 0 && i < b->recs.n; i++) {
		struct sap_str rest = b->recs.v[i].attrs, list = { 0 }, item;
		struct sap_row_attr attr;
		struct name *name;

		if (b->recs.v[i].id <= 0)
			continue;
		while (sap_row_rest_next(&rest, NULL, &attr))
			if (sap_str_is(attr.key, "alias"))
				list = attr.value;
		for (item = b->recs.v[i].name; r == 0;) {
			name = SAP_VEC_PUSH(&names, NONE);
			if (!name)
				r = sap_err_nomem(err);
			else
				*name = (struct name){ prefix_of(item), item, b->recs.v[i].id };
			if (!sap_row_list_next(&list, &b->text, &item))
				break;
		}
	}
	if (names.n)
		qsort(names.v, names.n, sizeof(*names.v), cmp_name);
	for (size_t i = 0; r == 0 && i < names.n; i++) {
		sap_sql_text(st, 1, names.v[i].text);
		sqlite3_bind_int64(st, 2, names.v[i].record);
		r = sap_sql_run(&w->q, st, err);
	}
	sap_vec_clear(&names);
	return r;
}

static void put_number(struct sap_buf *out, int64_t n)
{
	char digits[24];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	sap_buf_put(out, digits + at, sizeof(digits) - at);
}

int sap_store_package_write(struct sap_store_writer *w, uint32_t space, struct sap_str name,
			    struct sap_str text, struct sap_err *err)
{
	sqlite3_stmt *st;
	int r = sap_sql_get(&w->q, SAP_W_PACKAGE, &st, err);

	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 1, w->spaces.v[space].id);
	sap_sql_text(st, 2, name);
	sap_sql_text(st, 3, text);
	return sap_sql_run(&w->q, st, err);
}

static int write_group(struct sap_store_writer *w, const struct sap_store_group *g, bool spool,
		       struct sap_err *err)
{
	const struct sap_store_batch *b = &w->batch;
	struct sap_buf *text = &w->scratch;

	sap_buf_reset(text);
	for (uint32_t i = g->head; i != NONE; i = b->entries.v[i].next) {
		const struct sap_store_entry *e = &b->entries.v[i];

		if (b->recs.v[e->rec].id <= 0)
			continue;
		put_number(text, b->recs.v[e->rec].id);
		sap_buf_puts(text, e->text);
	}
	if (!sap_buf_ok(text))
		return sap_err_set(err, SAP_ELIMIT, "claims about \"%.*s\" beyond %llu MiB",
				   SAP_FMT(g->name), SAP_STORE_TEXT_MAX / SAP_MIB);
	if (text->n == 0)
		return 0;
	return spool ? sap_store_spool_put(w, g->space, g->name, sap_buf_str(text), err)
		     : sap_store_package_write(w, g->space, g->name, sap_buf_str(text), err);
}

static int write_groups(struct sap_store_writer *w, bool spool, struct sap_err *err)
{
	struct sap_store_batch *b = &w->batch;
	struct package *order = calloc(b->groups.n + 1, sizeof(*order));
	struct sorting s = { w, b };
	int r = 0;

	if (!order)
		return sap_err_nomem(err);
	for (uint32_t i = 0; i < b->groups.n; i++)
		order[i] = (struct package){ prefix_of(b->groups.v[i].name), i };
	qsort_r(order, b->groups.n, sizeof(*order), by_package, &s);
	if (spool)
		r = sap_store_spool_begin(w, err);
	for (size_t i = 0; r == 0 && i < b->groups.n; i++)
		r = write_group(w, &b->groups.v[order[i].group], spool, err);
	free(order);
	return r == 0 && spool ? sap_store_spool_end(w, err) : r;
}

static int write_records(struct sap_store_writer *w, struct sap_err *err)
{
	struct sap_store_batch *b = &w->batch;
	uint32_t *order = calloc(b->recs.n, sizeof(*order));
	struct sorting s = { w, b };
	int r = order ? settle_all(w, order, err) : sap_err_nomem(err);

	if (r == 0)
		qsort_r(order, b->recs.n, sizeof(*order), by_bucket, &s);
	for (size_t i = 0; r == 0 && i < b->recs.n; i++)
		if (b->recs.v[order[i]].id > 0)
			r = write_record(w, &b->recs.v[order[i]], err);
	free(order);
	return r < 0 ? r : write_names(w, err);
}

int sap_store_batch_flush(struct sap_store_writer *w, bool last, struct sap_err *err)
{
	int r = 0;

	if (w->batch.recs.n > 0) {
		r = write_records(w, err);
		/* A stream of one batch needs no spool. */
		if (r == 0)
			r = write_groups(w, !last || w->spool.n > 0, err);
		batch_reset(&w->batch);
	}
	return r == 0 && last ? sap_store_spool_merge(w, err) : r;
}

/* ---- what is gone ----------------------------------------------------------------------- */

static int live_records(struct sap_store_writer *w, struct sap_idset *live, struct sap_err *err)
{
	sqlite3_stmt *st;
	int rc = sqlite3_prepare_v2(w->q.db, "SELECT id FROM record", -1, &st, NULL), more;

	if (rc != SQLITE_OK)
		return sap_sql_err(&w->q, rc, err);
	while ((more = sap_sql_step(&w->q, st, err)) > 0) {
		if (!sap_idset_add(live, sqlite3_column_int64(st, 0))) {
			more = sap_err_nomem(err);
			break;
		}
	}
	sqlite3_finalize(st);
	return more;
}

/* The lines of living records, into the scratch buffer. *changed: some are left out. */
static void filter(struct sap_store_writer *w, const struct sap_idset *live, struct sap_str text,
		   bool *changed)
{
	struct sap_str line;

	*changed = false;
	sap_buf_reset(&w->scratch);
	while (sap_str_line(&text, &line)) {
		struct sap_str number, rest;
		uint64_t id;

		sap_str_cut(line, '\t', &number, &rest);
		if (!sap_str_u64(number, &id) || !sap_idset_has(live, (int64_t)id)) {
			*changed = true;
			continue;
		}
		sap_buf_puts(&w->scratch, line);
		sap_buf_putc(&w->scratch, '\n');
	}
}

static int rewrite(struct sap_store_writer *w, int64_t id, struct sap_err *err)
{
	bool empty = w->scratch.n == 0;
	sqlite3_stmt *st;
	int r = sap_sql_get(&w->q, empty ? SAP_W_PACKAGE_DELETE : SAP_W_PACKAGE_UPDATE, &st, err);

	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 1, id);
	if (!empty)
		sap_sql_text(st, 2, sap_buf_str(&w->scratch));
	return sap_sql_run(&w->q, st, err);
}

int sap_store_compact(struct sap_store_writer *w, struct sap_err *err)
{
	struct sap_idset live = { 0 };
	sqlite3_stmt *st;
	int64_t id = INT64_MIN;
	int r = live_records(w, &live, err);

	if (r == 0)
		r = sap_sql_get(&w->q, SAP_W_PACKAGE_AFTER, &st, err);
	while (r == 0) {
		bool changed;

		sqlite3_bind_int64(st, 1, id);
		r = sap_sql_step(&w->q, st, err);
		if (r <= 0)
			break;
		id = sqlite3_column_int64(st, 0);
		filter(w, &live, sap_sql_column(st, 1), &changed);
		sqlite3_reset(st);
		r = sap_buf_ok(&w->scratch) ? 0 : sap_err_nomem(err);
		if (r == 0 && changed)
			r = rewrite(w, id, err);
		if (id == INT64_MAX)
			break;
		id++;
	}
	sap_idset_clear(&live);
	if (r == 0)
		r = sap_sql_exec(&w->q,
				 "DELETE FROM name WHERE record NOT IN (SELECT id FROM record)",
				 err);
	if (r == 0)
		w->dead_claims = 0;
	return r;
}
