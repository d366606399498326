/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A set to rows. Each entry is brought into the form of its row, as cells; a digest of the cells
 * says whether the file has them already.
 */
#include <sys/auxv.h>

#include "store/evstore_int.h"

enum { CELLS_MAX = 24, FIRST_COLUMN = 3 };

struct cell {
	struct sap_str s;
	int64_t i;
	enum { CELL_NULL, CELL_NUMBER, CELL_TEXT } kind;
};

/* ---- cells ------------------------------------------------------------------------------ */

/* Identities (devices, inodes, offsets): all 64 bits, as they are. */
static struct cell bits(uint64_t v)
{
	return (struct cell){ .kind = CELL_NUMBER, .i = (int64_t)v };
}

static struct cell count(uint64_t v)
{
	return bits(v > INT64_MAX ? INT64_MAX : v);
}

static struct cell number(int64_t v)
{
	return (struct cell){ .kind = CELL_NUMBER, .i = v };
}

static struct cell moment(int64_t t)
{
	return number(t < 0 ? 0 : t);
}

static struct cell text(struct sap_str s)
{
	if (s.n > SAP_EVSTORE_TEXT_MAX)
		s.n = SAP_EVSTORE_TEXT_MAX;
	return (struct cell){ .kind = CELL_TEXT, .s = s };
}

static struct cell ref(uint32_t index)
{
	return index == SAP_NONE ? (struct cell){ .kind = CELL_NULL } : number(index);
}

/* What was there at the last look has no time of its own: else every row would change with every
 * interval. */
static struct cell last_seen(const struct sap_evset *s, int64_t t)
{
	if (s->last_look != 0 && t == s->last_look)
		return (struct cell){ .kind = CELL_NULL };
	return moment(t);
}

/* The time that most of the living share (a majority vote: each other value takes one away). */
static int64_t find_last_look(const struct sap_evidence *e)
{
	int64_t look = 0;
	size_t votes = 0;

	for (size_t i = 0; i < e->processes.n; i++) {
		const struct sap_seen_process *p = &e->processes.v[i];

		if (sap_seen_free(p) || p->ended)
			continue;
		if (votes == 0)
			look = p->last_seen;
		votes += p->last_seen == look ? 1 : -1;
	}
	return look > 0 ? look : 0;
}

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0xff51afd7ed558ccdULL;
	return h ^ h >> 32;
}

static uint64_t digest(const struct sap_evmem *m, const struct cell *c, unsigned n)
{
	uint64_t h = m->seed;

	for (unsigned i = 0; i < n; i++) {
		h = mix(h, c[i].kind);
		if (c[i].kind == CELL_TEXT)
			h = mix(mix(h, (uintptr_t)c[i].s.p), c[i].s.n);
		else if (c[i].kind == CELL_NUMBER)
			h = mix(h, (uint64_t)c[i].i);
	}
	return h ? h : 1;
}

static void bind(sqlite3_stmt *st, int first, const struct cell *c, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		int at = first + (int)i;

		if (c[i].kind == CELL_NULL)
			sqlite3_bind_null(st, at);
		else if (c[i].kind == CELL_NUMBER)
			sqlite3_bind_int64(st, at, c[i].i);
		else /* the statement is run before the text goes */
			sqlite3_bind_text64(st, at, c[i].s.n ? c[i].s.p : "", c[i].s.n,
					    SQLITE_STATIC, SQLITE_UTF8);
	}
}

/* ---- rows: the cells of an entry in the order of the table; 0: a free slot -------------- */

static unsigned row_gap(const struct sap_evset *s, size_t i, struct cell *c)
{
	const struct sap_gap *g = &s->e->gaps.v[i];

	c[0] = moment(g->start);
	c[1] = moment(g->end > g->start ? g->end : g->start);
	c[2] = text(g->reason);
	return 3;
}

static unsigned row_root(const struct sap_evset *s, size_t i, struct cell *c)
{
	const struct sap_seen_root *r = &s->e->roots.v[i];

	c[0] = bits(r->mnt_ns);
	c[1] = bits(r->dev);
	c[2] = bits(r->ino);
	c[3] = text(r->container);
	c[4] = number(r->pid);
	return 5;
}

/* Probes that stand until the end of the window likewise. */
static struct cell watched(const struct sap_evset *s, const struct sap_seen_file *f)
{
	if (s->window != SAP_EVSTORE_JOINED && f->observed_since > 0 &&
	    f->watched == s->e->end - f->observed_since)
		return (struct cell){ .kind = CELL_NULL };
	return moment(f->watched);
}

static unsigned row_file(const struct sap_evset *s, size_t i, struct cell *c)
{
	const struct sap_seen_file *f = &s->e->files.v[i];

	c[0] = number(f->root);
	c[1] = text(f->path);
	c[2] = bits(f->id.dev);
	c[3] = bits(f->id.ino);
	c[4] = number(f->id.ctime);
	c[5] = text(f->build_id);
	c[6] = text(f->new_build_id);
	c[7] = number(f->stale);
	c[8] = number(f->is_program);
	c[9] = number(f->load_time);
	c[10] = text(f->load_time_why);
	c[11] = number(f->observed);
	c[12] = text(f->reason);
	c[13] = moment(f->observed_since);
	c[14] = number(f->n_functions);
	c[15] = number(f->n_probed);
	c[16] = number(f->n_refused);
	c[17] = number(f->n_processes);
	c[18] = moment(f->first_seen);
	c[19] = last_seen(s, f->last_seen);
	c[20] = watched(s, f);
	c[21] = number(f->watched_processes);
	return 22;
}

static unsigned row_process(const struct sap_evset *s, size_t i, struct cell *c)
{
	const struct sap_seen_process *p = &s->e->processes.v[i];

	if (sap_seen_free(p))
		return 0;
	c[0] = number(p->pid);
	c[1] = number(p->ppid);
	c[2] = bits(p->start);
	c[3] = ref(p->exe);
	c[4] = text(p->comm);
	c[5] = text(p->unit);
	c[6] = text(p->container);
	c[7] = number(p->root);
	c[8] = number(p->exposure);
	c[9] = number(p->preloads);
	c[10] = number(p->ended);
	c[11] = count(p->count);
	c[12] = moment(p->first_seen);
	c[13] = last_seen(s, p->last_seen);
	return 14;
}

static unsigned row_listen(const struct sap_evset *s, size_t i, struct cell *c)
{
	const struct sap_listen *l = &s->e->listens.v[i];

	if (s->mem->owners.v[i] == SAP_NONE)
		return 0;
	c[0] = number(s->mem->owners.v[i]);
	c[1] = text(l->text);
	c[2] = number(l->exposure);
	return 3;
}

static unsigned row_use(const struct sap_evset *s, size_t i, struct cell *c)
{
	const struct sap_seen_use *u = &s->e->uses.v[i];

	if (u->process == SAP_NONE)
		return 0;
	c[0] = number(u->file);
	c[1] = number(u->process);
	c[2] = number(u->flags);
	c[3] = moment(u->first_seen);
	c[4] = last_seen(s, u->last_seen);
	return 5;
}

static unsigned row_function(const struct sap_evset *s, size_t i, struct cell *c)
{
	const struct sap_seen_function *f = &s->e->functions.v[i];

	c[0] = number(f->file);
	c[1] = bits(f->offset);
	c[2] = text(f->names);
	c[3] = ref(f->process);
	c[4] = moment(f->when);
	/* Entered once in a window is entered in that window. */
	c[5] = s->entered ? moment(s->entered[i]) : (struct cell){ .kind = CELL_NULL };
	return 6;
}

static unsigned row_unobserved(const struct sap_evset *s, size_t i, struct cell *c)
{
	const struct sap_unobserved *u = &s->e->unobserved.v[i];

	c[0] = number(u->file);
	c[1] = text(u->name);
	c[2] = text(u->reason);
	return 3;
}

static unsigned row_open(const struct sap_evset *s, size_t i, struct cell *c)
{
	const struct sap_seen_open *o = &s->e->opens.v[i];

	c[0] = number(o->root);
	c[1] = text(o->path);
	c[2] = ref(o->process);
	c[3] = count(o->count);
	c[4] = moment(o->first_seen);
	c[5] = last_seen(s, o->last_seen);
	return 6;
}

static size_t length(const struct sap_evidence *e, enum sap_evlist list)
{
	switch (list) {
	case SAP_EV_GAPS:
		return e->gaps.n;
	case SAP_EV_ROOTS:
		return e->roots.n;
	case SAP_EV_FILES:
		return e->files.n;
	case SAP_EV_PROCESSES:
		return e->processes.n;
	case SAP_EV_LISTENS:
		return e->listens.n;
	case SAP_EV_USES:
		return e->uses.n;
	case SAP_EV_FUNCTIONS:
		return e->functions.n;
	case SAP_EV_UNOBSERVED:
		return e->unobserved.n;
	case SAP_EV_OPENS:
		return e->opens.n;
	default:
		return 0;
	}
}

/* ---- what is known to be there ---------------------------------------------------------- */

void sap_evmem_clear(struct sap_evmem *m)
{
	for (unsigned i = 0; i < SAP_EV_LISTS; i++)
		sap_vec_clear(&m->rows[i]);
	sap_vec_clear(&m->undo);
	sap_vec_clear(&m->owners);
	*m = (struct sap_evmem){ 0 };
}

void sap_evmem_undo(struct sap_evmem *m)
{
	while (m->undo.n > 0) {
		const struct sap_evundo *u = &m->undo.v[--m->undo.n];

		m->rows[u->list].v[u->idx] = u->digest;
	}
	m->window = m->window_before;
}

void sap_evmem_done(struct sap_evmem *m)
{
	m->undo.n = 0;
	m->window_before = m->window;
	/* A first write undoes every row; later ones few. */
	if (m->undo.cap > 4096)
		sap_vec_clear(&m->undo);
}

static void seed(struct sap_evmem *m)
{
	const void *random = (const void *)getauxval(AT_RANDOM);

	m->seed = 0x9e3779b97f4a7c15ULL;
	if (random)
		memcpy(&m->seed, random, sizeof(m->seed));
}

/* ---- writing ---------------------------------------------------------------------------- */

static int begin_change(struct sap_evset *s, struct sap_err *err)
{
	int r = 0;

	if (s->lazy && !s->begun) {
		r = sap_evsql_exec(s->q, "BEGIN IMMEDIATE", err);
		s->begun = r == 0;
	}
	return r;
}

static int change_row(struct sap_evset *s, enum sap_evlist list, size_t i, const struct cell *c,
		      unsigned n, struct sap_err *err)
{
	unsigned id = list * SAP_EV_OPS + (n > 0 ? SAP_EV_PUT : SAP_EV_DROP);
	sqlite3_stmt *st;
	int r = begin_change(s, err);

	if (r < 0)
		return r;
	r = sap_evsql_get(s->q, id, &st, err);
	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 1, s->window);
	sqlite3_bind_int64(st, 2, (int64_t)i);
	bind(st, FIRST_COLUMN, c, n);
	return sap_evsql_run(s->q, st, err);
}

static int write_list(struct sap_evset *s, enum sap_evlist list,
		      unsigned (*row)(const struct sap_evset *, size_t, struct cell *),
		      struct sap_err *err)
{
	struct sap_evmem *m = s->mem;
	size_t n = length(s->e, list);
	struct cell c[CELLS_MAX];

	while (m->rows[list].n < n)
		if (!SAP_VEC_PUSH(&m->rows[list], UINT32_MAX))
			return sap_err_nomem(err);
	for (size_t i = 0; i < m->rows[list].n; i++) {
		unsigned cells = i < n ? row(s, i, c) : 0;
		uint64_t *known = &m->rows[list].v[i], now = cells ? digest(m, c, cells) : 0;
		struct sap_evundo *undo;
		int r;

		if (now == *known)
			continue;
		undo = SAP_VEC_PUSH(&m->undo, SIZE_MAX);
		if (!undo)
			return sap_err_nomem(err);
		*undo = (struct sap_evundo){ list, (uint32_t)i, *known };
		r = change_row(s, list, i, c, cells, err);
		if (r < 0)
			return r;
		*known = now;
	}
	return 0;
}

/* Sockets are chained from their processes. */
static int find_owners(struct sap_evset *s, struct sap_err *err)
{
	const struct sap_evidence *e = s->e;
	struct sap_evmem *m = s->mem;

	while (m->owners.n < e->listens.n)
		if (!SAP_VEC_PUSH(&m->owners, UINT32_MAX))
			return sap_err_nomem(err);
	for (size_t i = 0; i < e->listens.n; i++)
		m->owners.v[i] = SAP_NONE;
	for (uint32_t i = 0; i < e->processes.n; i++)
		if (!sap_seen_free(&e->processes.v[i]))
			for (uint32_t at = e->processes.v[i].listens;
			     at && m->owners.v[at - 1] == SAP_NONE; at = e->listens.v[at - 1].next)
				m->owners.v[at - 1] = i;
	return 0;
}

int sap_evset_write(struct sap_evset *s, struct sap_err *err)
{
	static unsigned (*const rows[])(const struct sap_evset *, size_t, struct cell *) = {
		[SAP_EV_GAPS] = row_gap,           [SAP_EV_ROOTS] = row_root,
		[SAP_EV_FILES] = row_file,         [SAP_EV_PROCESSES] = row_process,
		[SAP_EV_LISTENS] = row_listen,     [SAP_EV_USES] = row_use,
		[SAP_EV_FUNCTIONS] = row_function, [SAP_EV_UNOBSERVED] = row_unobserved,
		[SAP_EV_OPENS] = row_open,
	};
	int r = find_owners(s, err);

	if (s->window != SAP_EVSTORE_JOINED)
		s->last_look = find_last_look(s->e);
	if (!s->mem->seed)
		seed(s->mem);
	/* The gaps of joined windows stay with these. */
	for (unsigned i = 0; r == 0 && i < SAP_EV_LISTS; i++)
		if (i != SAP_EV_GAPS || s->window != SAP_EVSTORE_JOINED)
			r = write_list(s, i, rows[i], err);
	return r;
}

int sap_evset_write_window(struct sap_evset *s, struct sap_err *err)
{
	const struct sap_evidence *e = s->e;
	const struct cell c[] = {
		number(s->window),
		text(e->boot_id),
		text(e->host),
		moment(e->boot_time),
		moment(e->start),
		moment(e->end > e->start ? e->end
					 : e->start), /* the clock may have been set back */
		count(e->processes_seen),
		count(e->processes_hidden),
		count(e->losses.maps),
		count(e->losses.hits),
		count(e->losses.opens),
		count(e->losses.files),
		count(e->losses.ceiling),
		text(e->means.maps),
		text(e->means.functions),
		text(e->means.opens),
		number(e->narrow),
		moment(find_last_look(e)),
		number(e->live),
	};
	const unsigned n = sizeof(c) / sizeof(c[0]);
	sqlite3_stmt *st;
	uint64_t now;
	int r;

	if (!s->mem->seed)
		seed(s->mem);
	now = digest(s->mem, c, n);
	if (now == s->mem->window)
		return 0;
	r = begin_change(s, err);
	if (r < 0)
		return r;
	r = sap_evsql_get(s->q, SAP_EVSQL_WINDOW_PUT, &st, err);
	if (r < 0)
		return r;
	bind(st, 1, c, n);
	r = sap_evsql_run(s->q, st, err);
	if (r == 0)
		s->mem->window = now;
	return r;
}

int sap_evset_drop(struct sap_evsql *q, int64_t window, enum sap_evlist list, struct sap_err *err)
{
	sqlite3_stmt *st;
	int r = sap_evsql_get(q, list * SAP_EV_OPS + SAP_EV_CLEAR, &st, err);

	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 1, window);
	return sap_evsql_run(q, st, err);
}
