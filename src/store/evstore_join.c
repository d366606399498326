/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Windows, and what several of them saw as one set.
 */
#include <stdlib.h>

#include "store/evstore_int.h"

/* ---- windows ---------------------------------------------------------------------------- */

int sap_evwindows_read(struct sap_evsql *q, int64_t since, struct sap_evwindows *out,
		       struct sap_err *err)
{
	sqlite3_stmt *st;
	int r = sap_evsql_get(q, SAP_EVSQL_WINDOW_LIST, &st, err);

	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 1, since);
	while ((r = sap_evsql_step(q, st, err)) > 0) {
		/* While the disk is full there may be more than are kept. */
		struct sap_evwindow *w = SAP_VEC_PUSH(out, 4 * SAP_EVSTORE_WINDOWS_MAX);
		bool bad = !w;

		if (!w && out->n < 4 * SAP_EVSTORE_WINDOWS_MAX)
			r = sap_err_nomem(err);
		if (w) {
			w->id = sap_evset_number(st, 0, INT64_MAX - 1, &bad);
			w->start = sap_evset_number(st, 1, INT64_MAX, &bad);
			w->end = sap_evset_number(st, 2, INT64_MAX, &bad);
			w->look = sap_evset_number(st, 3, INT64_MAX, &bad);
			w->joined = sap_evset_number(st, 4, 1, &bad);
			w->narrow = sap_evset_number(st, 5, 1, &bad);
			w->known = (uint64_t)sap_evset_number(st, 6, INT64_MAX, &bad);
			bad |= w->id <= SAP_EVSTORE_JOINED || w->end < w->start;
		}
		if (r > 0 && bad)
			r = sap_evsql_damaged(q, "a row of windows", err);
		if (r < 0)
			break;
	}
	sqlite3_reset(st);
	return r;
}

static bool window_texts(sqlite3_stmt *st, struct sap_evidence *e, bool *bad)
{
	return sap_evset_text(st, 1, e, &e->boot_id, bad) &&
	       sap_evset_text(st, 2, e, &e->host, bad) &&
	       sap_evset_text(st, 13, e, &e->means.maps, bad) &&
	       sap_evset_text(st, 14, e, &e->means.functions, bad) &&
	       sap_evset_text(st, 15, e, &e->means.opens, bad);
}

/* What the window's row and its gaps say, into e, which has nothing. */
static int read_window(struct sap_evsql *q, int64_t id, struct sap_evidence *e, struct sap_err *err)
{
	uint64_t *const counts[] = { &e->processes_seen, &e->processes_hidden, &e->losses.maps,
				     &e->losses.hits,    &e->losses.opens,     &e->losses.files,
				     &e->losses.ceiling };
	sqlite3_stmt *st;
	bool bad = false;
	int r = sap_evsql_get(q, SAP_EVSQL_WINDOW_READ, &st, err);

	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 1, id);
	r = sap_evsql_step(q, st, err);
	if (r <= 0)
		return r < 0 ? r : sap_evsql_damaged(q, "a window is gone", err);
	e->boot_time = sap_evset_number(st, 3, INT64_MAX, &bad);
	e->start = sap_evset_number(st, 4, INT64_MAX, &bad);
	e->end = sap_evset_number(st, 5, INT64_MAX, &bad);
	for (int i = 0; i < 7; i++)
		*counts[i] = (uint64_t)sap_evset_number(st, 6 + i, INT64_MAX, &bad);
	e->narrow = sap_evset_number(st, 16, 1, &bad);
	e->live = sap_evset_number(st, 18, 1, &bad);
	r = window_texts(st, e, &bad) ? 0 : sap_err_nomem(err);
	sqlite3_reset(st);
	if (r == 0 && bad)
		r = sap_evsql_damaged(q, "a row of windows", err);
	return r < 0 ? r : sap_evset_read_gaps(q, id, e, err);
}

/* ---- functions: when each was last known to be entered ---------------------------------- */

struct key {
	uint32_t file, index;
	uint64_t offset;
};

static int key_order(const void *a, const void *b)
{
	const struct key *x = a, *y = b;

	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	return (x->offset > y->offset) - (x->offset < y->offset);
}

/* Where the files of from are in e, which has been merged with it; SAP_NONE: nowhere. */
static int map_files(struct sap_evidence *e, const struct sap_evidence *from, uint32_t *files,
		     struct sap_err *err)
{
	for (size_t i = 0; i < from->files.n; i++) {
		const struct sap_seen_file *f = &from->files.v[i];
		const struct sap_seen_root *root = &from->roots.v[f->root];
		uint32_t to = 0;
		int r = 0;

		files[i] = SAP_NONE;
		if (f->root != 0)
			r = sap_evidence_root(e, root->mnt_ns, root->dev, root->ino, &to, NULL,
					      err);
		if (r == 0)
			r = sap_evidence_file(e, &f->id, to, f->path, &files[i], NULL, err);
		if (r < 0 && r != SAP_ELIMIT)
			return r;
	}
	return 0;
}

/* Functions of the window that the sets before it knew already, too. */
static void touch_functions(struct sap_evjoin *j, const struct sap_evidence *from,
			    const uint32_t *files, struct key *keys)
{
	size_t n = j->entered.n;

	for (uint32_t i = 0; i < n; i++) {
		const struct sap_seen_function *f = &j->e->functions.v[i];

		keys[i] = (struct key){ .file = f->file, .index = i, .offset = f->offset };
	}
	qsort(keys, n, sizeof(*keys), key_order);
	for (size_t i = 0; i < from->functions.n; i++) {
		const struct sap_seen_function *f = &from->functions.v[i];
		struct key key = { .file = files[f->file], .offset = f->offset }, *found;

		found = bsearch(&key, keys, n, sizeof(*keys), key_order);
		if (found && j->entered.v[found->index] < from->end)
			j->entered.v[found->index] = from->end;
	}
}

static int join_entered(struct sap_evjoin *j, const struct sap_evidence *from, struct sap_err *err)
{
	uint32_t *files = calloc(from->files.n + 1, sizeof(*files));
	struct key *keys = calloc(j->entered.n + 1, sizeof(*keys));
	int r = files && keys ? map_files(j->e, from, files, err) : sap_err_nomem(err);

	if (r == 0)
		touch_functions(j, from, files, keys);
	free(files);
	free(keys);
	while (r == 0 && j->entered.n < j->e->functions.n) {
		int64_t *to = SAP_VEC_PUSH(&j->entered, SAP_EVIDENCE_FUNCTIONS_MAX);

		if (!to)
			return sap_err_nomem(err);
		*to = from->end;
	}
	return r;
}

/* ---- joining ---------------------------------------------------------------------------- */

struct ghost {
	uint32_t index;
	int32_t pid;
	uint64_t start;
};

struct ghosts {
	struct ghost *v;
	size_t n;
	size_t cap;
};

/* Living processes of e that the next window did not see. They are gone where it looked at all
 * there are, or where the window before it had not seen them either. */
static int find_ghosts(const struct sap_evjoin *j, const struct sap_evidence *from, bool narrow,
		       struct ghosts *out, struct sap_err *err)
{
	bool all = !narrow && from->processes_hidden == 0;

	for (uint32_t i = 0; i < j->e->processes.n; i++) {
		const struct sap_seen_process *p = &j->e->processes.v[i];
		struct ghost *ghost;
		uint32_t at;

		if (sap_seen_free(p) || p->ended || (!all && p->last_seen >= j->newest))
			continue;
		at = sap_evidence_living(from, p->pid);
		if (at != SAP_NONE && from->processes.v[at].start == p->start)
			continue;
		ghost = SAP_VEC_PUSH(out, SAP_EVIDENCE_PROCESSES_MAX);
		if (!ghost)
			return sap_err_nomem(err);
		*ghost = (struct ghost){ i, p->pid, p->start };
	}
	return 0;
}

static int end_ghosts(struct sap_evidence *e, const struct ghosts *ghosts, struct sap_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ghosts->n; i++) {
		const struct ghost *g = &ghosts->v[i];
		const struct sap_seen_process *p = &e->processes.v[g->index];

		/* The merge may have ended it, and another may have its slot. */
		if (!sap_seen_free(p) && !p->ended && p->pid == g->pid && p->start == g->start)
			r = sap_evidence_end(e, g->index, 0, NULL, err);
	}
	return r;
}

static int add(struct sap_evjoin *j, const struct sap_evidence *from, bool narrow, uint64_t *known,
	       struct sap_err *err)
{
	uint64_t sum = j->e->processes_seen + from->processes_seen;
	struct ghosts ghosts = { 0 };
	int r = find_ghosts(j, from, narrow, &ghosts, err);

	if (r == 0)
		r = sap_evidence_merge(j->e, from, err);
	if (r == 0)
		r = end_ghosts(j->e, &ghosts, err);
	free(ghosts.v);
	if (r == 0 && known)
		*known = sum > j->e->processes_seen ? sum - j->e->processes_seen : 0;
	return r == 0 && j->functions ? join_entered(j, from, err) : r;
}

int sap_evjoin_window(struct sap_evjoin *j, struct sap_evsql *q, const struct sap_evwindow *w,
		      uint64_t *known, struct sap_err *err)
{
	const struct sap_evrange range = { .window = w->id, .end = w->end, .look = w->look };
	struct sap_evidence *e = sap_evidence_new();
	struct sap_evtimes *entered = !j->e && j->functions ? &j->entered : NULL;
	int r = e ? read_window(q, w->id, e, err) : sap_err_nomem(err);

	if (known)
		*known = 0;
	if (r == 0)
		r = sap_evset_read(q, &range, e, entered, err);
	if (r == 0 && j->e)
		r = add(j, e, w->narrow, known, err);
	else if (r == 0)
		j->e = e;
	if (j->e != e)
		sap_evidence_free(e);
	j->newest = w->start;
	return r;
}

/* The row of one more joined window, added to what the rows before it said. */
static int add_row(struct sap_evjoin *j, struct sap_evsql *q, const struct sap_evwindow *w,
		   struct sap_err *err)
{
	struct sap_evidence *e = sap_evidence_new();
	int r;

	if (!e)
		return sap_err_nomem(err);
	r = read_window(q, w->id, e, err);
	if (r == 0 && !j->e) {
		j->e = e;
		return 0;
	}
	if (r == 0) {
		e->processes_seen -= w->known < e->processes_seen ? w->known : e->processes_seen;
		r = sap_evidence_merge(j->e, e, err);
	}
	sap_evidence_free(e);
	return r;
}

int sap_evjoin_past(struct sap_evjoin *j, struct sap_evsql *q, const struct sap_evwindows *w,
		    bool all, struct sap_err *err)
{
	struct sap_evrange range = { .window = SAP_EVSTORE_JOINED, .since = all ? 0 : INT64_MAX };
	int r = 0;

	for (size_t i = 0; r == 0 && i < w->n; i++) {
		if (!w->v[i].joined)
			continue;
		r = add_row(j, q, &w->v[i], err);
		j->newest = w->v[i].start;
		if (w->v[i].start < range.since)
			range.since = w->v[i].start;
	}
	if (r < 0 || !j->e)
		return r;
	range.end = range.look = j->e->end;
	return sap_evset_read(q, &range, j->e, j->functions ? &j->entered : NULL, err);
}

void sap_evjoin_clear(struct sap_evjoin *j)
{
	sap_evidence_free(j->e);
	free(j->entered.v);
	*j = (struct sap_evjoin){ 0 };
}

/* ---- the writer's ----------------------------------------------------------------------- */

static int mark_joined(struct sap_evsql *q, const struct sap_evwindow *w, uint64_t known,
		       struct sap_err *err)
{
	sqlite3_stmt *st;
	int r = sap_evsql_get(q, SAP_EVSQL_WINDOW_JOINED, &st, err);

	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 1, w->id);
	sqlite3_bind_int64(st, 2, known > INT64_MAX ? INT64_MAX : (int64_t)known);
	return sap_evsql_run(q, st, err);
}

/* Drops a set's rows but the gaps, which stay with the window. */
static int drop_lists(struct sap_evsql *q, int64_t window, struct sap_err *err)
{
	int r = 0;

	for (unsigned i = SAP_EV_ROOTS; r == 0 && i < SAP_EV_LISTS; i++)
		r = sap_evset_drop(q, window, i, err);
	return r;
}

/* The joined set anew: its rows are numbered by the order in which they were found. */
static int write_joined(struct sap_evsql *q, const struct sap_evjoin *j, struct sap_err *err)
{
	struct sap_evmem mem = { 0 };
	struct sap_evset set = { .q = q,
				 .mem = &mem,
				 .e = j->e,
				 .window = SAP_EVSTORE_JOINED,
				 .entered = j->entered.v };
	int r = drop_lists(q, SAP_EVSTORE_JOINED, err);

	if (r == 0 && j->e)
		r = sap_evset_write(&set, err);
	sap_evmem_clear(&mem);
	return r;
}

static int join_windows(struct sap_evsql *q, const struct sap_evwindows *w, struct sap_err *err)
{
	struct sap_evjoin j = { .functions = true };
	int r = sap_evjoin_past(&j, q, w, true, err);

	for (size_t i = 0; r == 0 && i < w->n; i++) {
		uint64_t known;

		if (w->v[i].joined)
			continue;
		r = sap_evjoin_window(&j, q, &w->v[i], &known, err);
		if (r == 0)
			r = mark_joined(q, &w->v[i], known, err);
		if (r == 0)
			r = drop_lists(q, w->v[i].id, err);
	}
	if (r == 0)
		r = write_joined(q, &j, err);
	sap_evjoin_clear(&j);
	return r;
}

static int end_transaction(struct sap_evsql *q, int r, struct sap_err *err)
{
	if (r == 0)
		r = sap_evsql_exec(q, "COMMIT", err);
	/* SQLite has rolled back by itself after some failures. */
	if (r < 0 && !sqlite3_get_autocommit(q->db))
		(void)sap_evsql_exec(q, "ROLLBACK", NULL);
	return r;
}

int sap_evjoin_over(struct sap_evsql *q, struct sap_err *err)
{
	struct sap_evwindows w = { 0 };
	bool any = false;
	int r = sap_evwindows_read(q, 0, &w, err);

	for (size_t i = 0; i < w.n; i++)
		any |= !w.v[i].joined;
	if (r == 0 && any) {
		r = sap_evsql_exec(q, "BEGIN IMMEDIATE", err);
		if (r == 0)
			r = end_transaction(q, join_windows(q, &w, err), err);
	}
	free(w.v);
	return r;
}

/* Deletes rows of windows. *joined: there were joined ones among them. */
static int drop_windows(struct sap_evsql *q, int64_t before, int64_t upto, int64_t but, bool *any,
			bool *joined, struct sap_err *err)
{
	struct sap_evtimes own = { 0 };
	sqlite3_stmt *st;
	int r = sap_evsql_get(q, SAP_EVSQL_WINDOW_DROP, &st, err);

	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 1, before);
	sqlite3_bind_int64(st, 2, upto);
	sqlite3_bind_int64(st, 3, but);
	while ((r = sap_evsql_step(q, st, err)) > 0) {
		int64_t *id = SAP_VEC_PUSH(&own, SIZE_MAX);

		if (!id) {
			sqlite3_reset(st);
			r = sap_err_nomem(err);
			break;
		}
		*id = sqlite3_column_int64(st, 0);
		*joined |= sqlite3_column_int64(st, 1) != 0;
		*any = true;
	}
	for (size_t i = 0; r == 0 && i < own.n; i++)
		for (unsigned list = 0; r == 0 && list < SAP_EV_LISTS; list++)
			r = sap_evset_drop(q, own.v[i], list, err);
	free(own.v);
	return r;
}

/* What only those windows saw goes from the joined set. */
static int prune_joined(struct sap_evsql *q, struct sap_err *err)
{
	struct sap_evwindows w = { 0 };
	struct sap_evjoin j = { .functions = true };
	int r = sap_evwindows_read(q, 0, &w, err);

	/* The first that is left shares processes with none before it. */
	if (r == 0 && w.n > 0 && w.v[0].joined && w.v[0].known > 0) {
		w.v[0].known = 0;
		r = mark_joined(q, &w.v[0], 0, err);
	}
	if (r == 0)
		r = sap_evjoin_past(&j, q, &w, false, err);
	if (r == 0)
		r = write_joined(q, &j, err);
	sap_evjoin_clear(&j);
	free(w.v);
	return r;
}

static int prune(struct sap_evsql *q, int64_t before, int64_t upto, int64_t but, bool *any,
		 struct sap_err *err)
{
	bool joined = false;
	int r = drop_windows(q, before, upto, but, any, &joined, err);

	return r == 0 && joined ? prune_joined(q, err) : r;
}

int sap_evjoin_prune(struct sap_evsql *q, int64_t before, int64_t upto, int64_t but,
		     struct sap_err *err)
{
	bool any = false;
	int r = sap_evsql_exec(q, "BEGIN IMMEDIATE", err);

	if (r < 0)
		return r;
	r = end_transaction(q, prune(q, before, upto, but, &any, err), err);
	/* The file gives back what it does not need. */
	return r == 0 && any ? sap_evsql_exec(q, "PRAGMA incremental_vacuum", err) : r;
}
