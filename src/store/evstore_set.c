/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows to a set. Nothing in the file is believed: indexes must lead to rows that were read before,
 * numbers must be in their ranges, texts have a ceiling. Rows of one identity become one.
 */
#include <stdio.h>
#include <stdlib.h>

#include "store/evstore_int.h"

/* What became of a row: its index in the set, or one of these. */
#define MISSING SAP_NONE
#define DROPPED (SAP_NONE - 1) /* older than what is asked for, or beyond a ceiling */

struct map {
	uint32_t *v;
	size_t n;
	size_t cap;
};

struct load {
	struct sap_evsql *q;
	const struct sap_evrange *range;
	struct sap_evidence *e;
	struct sap_evtimes *entered;
	sqlite3_stmt *st;
	bool bad; /* the row at hand */
	struct map roots, files, processes;
	SAP_VEC(uint64_t) used; /* of files: processes of the uses that were taken */
};

/* ---- columns ---------------------------------------------------------------------------- */

int64_t sap_evset_number(sqlite3_stmt *st, int i, int64_t max, bool *bad)
{
	int64_t v = sqlite3_column_int64(st, i);

	if (sqlite3_column_type(st, i) != SQLITE_INTEGER || v < 0 || v > max) {
		*bad = true;
		return 0;
	}
	return v;
}

bool sap_evset_text(sqlite3_stmt *st, int i, struct sap_evidence *e, struct sap_str *out, bool *bad)
{
	/* As a blob: SQLite need not copy it to put a NUL after it. */
	const char *p = sqlite3_column_blob(st, i);
	int n = sqlite3_column_bytes(st, i);

	if (sqlite3_column_type(st, i) != SQLITE_TEXT || n < 0 ||
	    (uint64_t)n > SAP_EVSTORE_TEXT_MAX) {
		*bad = true;
		n = 0;
	}
	if (sap_evidence_text(e, (struct sap_str){ p, p ? (size_t)n : 0 }, out))
		return true;
	*out = SAP_STR("");
	return sap_evidence_text_err(e, NULL) == SAP_ELIMIT; /* it has been counted */
}

static int64_t number(struct load *l, int i, int64_t max)
{
	return sap_evset_number(l->st, i, max, &l->bad);
}

static int64_t moment(struct load *l, int i)
{
	return number(l, i, INT64_MAX);
}

static int64_t last_seen(struct load *l, int i)
{
	return sqlite3_column_type(l->st, i) == SQLITE_NULL ? l->range->look : moment(l, i);
}

/* A function that was entered in a window is known to be entered until its end. */
static int64_t entered_last(struct load *l, int i)
{
	return sqlite3_column_type(l->st, i) == SQLITE_NULL ? l->range->end : moment(l, i);
}

/* Probes that stood until the end of the window have no time of their own. */
static int64_t watched(struct load *l, int i, int64_t since)
{
	if (sqlite3_column_type(l->st, i) == SQLITE_NULL)
		return l->range->end > since ? l->range->end - since : 0;
	return moment(l, i);
}

static int64_t whole(struct load *l, int i)
{
	l->bad |= sqlite3_column_type(l->st, i) != SQLITE_INTEGER;
	return sqlite3_column_int64(l->st, i);
}

static int32_t pid(struct load *l, int i)
{
	int64_t v = whole(l, i);

	l->bad |= v < INT32_MIN || v > INT32_MAX;
	return l->bad ? 0 : (int32_t)v;
}

static bool text(struct load *l, int i, struct sap_str *out)
{
	return sap_evset_text(l->st, i, l->e, out, &l->bad);
}

/* A text for a look-up, not kept. */
static struct sap_str borrow(struct load *l, int i)
{
	const char *p = sqlite3_column_blob(l->st, i);
	int n = sqlite3_column_bytes(l->st, i);

	if (sqlite3_column_type(l->st, i) == SQLITE_TEXT && n >= 0 &&
	    (uint64_t)n <= SAP_EVSTORE_TEXT_MAX)
		return (struct sap_str){ p, p ? (size_t)n : 0 };
	l->bad = true;
	return SAP_STR("");
}

/* An index of a list that was read before; MISSING (NULL) only where that is allowed. */
static uint32_t ref(struct load *l, int i, const struct map *map, bool may_miss)
{
	int64_t v;

	if (may_miss && sqlite3_column_type(l->st, i) == SQLITE_NULL)
		return MISSING;
	v = number(l, i, UINT32_MAX);
	if (l->bad || (size_t)v >= map->n || map->v[v] == MISSING) {
		l->bad = true;
		return DROPPED;
	}
	return map->v[v];
}

/* The row's own index; indexes rise, so that no damage makes rows come without end. */
static uint32_t own(struct load *l, int64_t *before, size_t max)
{
	int64_t v = number(l, 1, UINT32_MAX - 2);

	l->bad |= v <= *before || (size_t)v >= max;
	*before = v;
	return (uint32_t)v;
}

static int set_map(struct map *map, uint32_t row, uint32_t index, struct sap_err *err)
{
	while (map->n <= row) {
		uint32_t *to = SAP_VEC_PUSH(map, UINT32_MAX);

		if (!to)
			return sap_err_nomem(err);
		*to = MISSING;
	}
	map->v[row] = index;
	return 0;
}

static bool too_old(const struct load *l, int64_t t)
{
	return t < l->range->since;
}

/* ---- rows: SAP_ELIMIT where the set is full --------------------------------------------- */

static int load_root(struct load *l, uint32_t row, struct sap_err *err)
{
	uint64_t mnt_ns = (uint64_t)whole(l, 2), dev = (uint64_t)whole(l, 3);
	uint64_t ino = (uint64_t)whole(l, 4);
	uint32_t i = 0;
	int r = 0;

	if (l->bad)
		return 0;
	if (row == 0) {
		l->e->roots.v[0].mnt_ns = mnt_ns;
		l->e->roots.v[0].dev = dev;
		l->e->roots.v[0].ino = ino;
	} else {
		r = sap_evidence_root(l->e, mnt_ns, dev, ino, &i, NULL, err);
	}
	if (r < 0)
		return r;
	if (!text(l, 5, &l->e->roots.v[i].container))
		return sap_err_nomem(err);
	l->e->roots.v[i].pid = pid(l, 6);
	return set_map(&l->roots, row, i, err);
}

static int load_file_fields(struct load *l, struct sap_seen_file *f, struct sap_err *err)
{
	if (!text(l, 7, &f->build_id) || !text(l, 8, &f->new_build_id) ||
	    !text(l, 12, &f->load_time_why) || !text(l, 14, &f->reason))
		return sap_err_nomem(err);
	f->stale = (uint8_t)number(l, 9, SAP_STALE_DELETED);
	f->is_program = number(l, 10, 1);
	f->load_time = (uint8_t)number(l, 11, SAP_YES);
	f->observed = (uint8_t)number(l, 13, SAP_OBSERVED_NOT);
	f->observed_since = moment(l, 15);
	f->n_functions = (uint32_t)number(l, 16, UINT32_MAX);
	f->n_probed = (uint32_t)number(l, 17, UINT32_MAX);
	f->n_refused = (uint32_t)number(l, 18, UINT32_MAX);
	f->n_processes = (uint32_t)number(l, 19, UINT32_MAX);
	f->first_seen = moment(l, 20);
	f->last_seen = last_seen(l, 21);
	f->watched = watched(l, 22, f->observed_since);
	f->watched_processes = (uint32_t)number(l, 23, UINT32_MAX);
	return 0;
}

static int load_file(struct load *l, uint32_t row, struct sap_err *err)
{
	struct sap_file_id id = { .dev = (uint64_t)whole(l, 4),
				  .ino = (uint64_t)whole(l, 5),
				  .ctime = whole(l, 6) };
	uint32_t root = ref(l, 2, &l->roots, false), i = DROPPED;
	struct sap_str path = borrow(l, 3);
	int r = 0;

	if (l->bad)
		return 0;
	if (root != DROPPED && sqlite3_column_int64(l->st, 24))
		r = sap_evidence_file(l->e, &id, root, path, &i, NULL, err);
	if (r == 0 && i != DROPPED)
		r = load_file_fields(l, &l->e->files.v[i], err);
	while (r == 0 && l->used.n < l->e->files.n)
		if (!SAP_VEC_PUSH(&l->used, SAP_EVIDENCE_FILES_MAX))
			return sap_err_nomem(err);
	return r < 0 ? r : set_map(&l->files, row, i, err);
}

/* An ended one lives for a moment, under a pid that no other has, and is ended: so it is found
 * by what it was. */
static int place_process(struct load *l, uint32_t row, bool ended, uint32_t *out,
			 struct sap_err *err)
{
	int32_t id = ended ? -1 - (int32_t)row : pid(l, 2);

	if (!ended && sap_evidence_living(l->e, id) != SAP_NONE) {
		l->bad = true; /* two that live under one pid */
		return 0;
	}
	return sap_evidence_process(l->e, id, (uint64_t)whole(l, 4), out, NULL, err);
}

static int load_process_fields(struct load *l, struct sap_seen_process *p, struct sap_err *err)
{
	const int64_t preloads =
		SAP_ENV_PRELOAD | SAP_ENV_LIBRARY_PATH | SAP_ENV_AUDIT | SAP_ENV_UNREADABLE;
	uint32_t exe = ref(l, 5, &l->files, true), root = ref(l, 9, &l->roots, false);

	p->ppid = pid(l, 3);
	p->exe = exe == DROPPED ? SAP_NONE : exe;
	p->root = root == DROPPED ? 0 : root;
	if (!text(l, 6, &p->comm) || !text(l, 7, &p->unit) || !text(l, 8, &p->container))
		return sap_err_nomem(err);
	p->exposure = (uint8_t)number(l, 10, SAP_EXPOSURE_NETWORK);
	p->preloads = (uint8_t)number(l, 11, preloads);
	p->count = (uint64_t)number(l, 13, INT64_MAX);
	p->first_seen = moment(l, 14);
	p->last_seen = last_seen(l, 15);
	return 0;
}

static int load_process(struct load *l, uint32_t row, struct sap_err *err)
{
	bool ended = number(l, 12, 1);
	uint32_t i = DROPPED;
	int r = 0;

	l->bad |= number(l, 13, INT64_MAX) == 0;
	if (l->bad || too_old(l, last_seen(l, 15)))
		return set_map(&l->processes, row, DROPPED, err);
	r = place_process(l, row, ended, &i, err);
	if (r < 0 || l->bad)
		return r;
	r = load_process_fields(l, &l->e->processes.v[i], err);
	if (r == 0 && ended)
		r = sap_evidence_end(l->e, i, 0, &i, err);
	if (r < 0)
		return r;
	l->e->processes.v[i].pid = pid(l, 2);
	return set_map(&l->processes, row, i, err);
}

/* Not by sap_evidence_listen, which looks for it in the chain: here it is known to be new, and a
 * chain may be long. */
static int load_listen(struct load *l, uint32_t row, struct sap_err *err)
{
	uint32_t process = ref(l, 2, &l->processes, false);
	struct sap_listen *to;

	(void)row;
	if (l->bad || process == DROPPED)
		return 0;
	to = SAP_VEC_PUSH(&l->e->listens, SAP_EVIDENCE_LISTENS_MAX);
	if (!to)
		return sap_err_nomem(err);
	to->next = l->e->processes.v[process].listens;
	l->e->processes.v[process].listens = (uint32_t)l->e->listens.n;
	to->exposure = (uint8_t)number(l, 4, SAP_EXPOSURE_NETWORK);
	return text(l, 3, &to->text) ? 0 : sap_err_nomem(err);
}

static int load_use(struct load *l, uint32_t row, struct sap_err *err)
{
	uint32_t file = ref(l, 2, &l->files, false), process = ref(l, 3, &l->processes, false);
	unsigned flags = (unsigned)number(l, 4, SAP_USE_PROC | SAP_USE_LIVE);
	int64_t first = moment(l, 5), last = last_seen(l, 6);
	size_t n = l->e->uses.n;
	uint32_t processes;
	int r;

	(void)row;
	if (l->bad || file == DROPPED || process == DROPPED || too_old(l, last))
		return 0;
	processes = l->e->files.v[file].n_processes; /* as the file's row has it */
	r = sap_evidence_use(l->e, file, process, flags, 0, err);
	l->e->files.v[file].n_processes = processes;
	if (r < 0)
		return r;
	if (l->e->uses.n == n)
		return 0;
	l->e->uses.v[n].first_seen = first;
	l->e->uses.v[n].last_seen = last;
	l->used.v[file] += l->e->processes.v[process].count;
	return 0;
}

static int load_function(struct load *l, uint32_t row, struct sap_err *err)
{
	uint32_t file = ref(l, 2, &l->files, false), process = ref(l, 5, &l->processes, true);
	uint64_t offset = (uint64_t)whole(l, 3);
	struct sap_str names = borrow(l, 4);
	int64_t when = moment(l, 6), last = entered_last(l, 7);
	bool added = false;
	int64_t *to;
	int r;

	(void)row;
	if (l->bad || file == DROPPED || too_old(l, last))
		return 0;
	r = sap_evidence_entered(l->e, file, offset, names, process == DROPPED ? SAP_NONE : process,
				 when, &added, err);
	if (r < 0)
		return r;
	if (!added || !l->entered)
		return 0;
	to = SAP_VEC_PUSH(l->entered, SAP_EVIDENCE_FUNCTIONS_MAX);
	if (!to)
		return sap_err_nomem(err);
	*to = last;
	return 0;
}

static int load_unobserved(struct load *l, uint32_t row, struct sap_err *err)
{
	uint32_t file = ref(l, 2, &l->files, false);
	struct sap_str name = borrow(l, 3), reason = borrow(l, 4);

	(void)row;
	if (l->bad || file == DROPPED)
		return 0;
	return sap_evidence_unobserved(l->e, file, name, reason, err);
}

static int load_open(struct load *l, uint32_t row, struct sap_err *err)
{
	uint32_t root = ref(l, 2, &l->roots, false), process = ref(l, 4, &l->processes, true);
	struct sap_str path = borrow(l, 3);
	int64_t n = moment(l, 5), first = moment(l, 6), last = last_seen(l, 7);
	size_t had = l->e->opens.n;
	int r;

	(void)row;
	if (l->bad || root == DROPPED || too_old(l, last))
		return 0;
	r = sap_evidence_open(l->e, root, path, process == DROPPED ? SAP_NONE : process,
			      (uint64_t)n, first, err);
	if (r == 0 && l->e->opens.n > had)
		l->e->opens.v[had].last_seen = last;
	return r;
}

/* ---- lists ------------------------------------------------------------------------------ */

struct list {
	enum sap_evlist id;
	const char *name;
	size_t max;
	int (*load)(struct load *l, uint32_t row, struct sap_err *err);
};

/* What refers to a row that did not fit is left out too. */
static int drop_row(struct load *l, enum sap_evlist list, uint32_t row, struct sap_err *err)
{
	struct map *map = list == SAP_EV_ROOTS       ? &l->roots
			  : list == SAP_EV_FILES     ? &l->files
			  : list == SAP_EV_PROCESSES ? &l->processes
						     : NULL;

	return map ? set_map(map, row, DROPPED, err) : 0;
}

static int load_list(struct load *l, const struct list *list, struct sap_err *err)
{
	int64_t before = -1;
	int r = sap_evsql_get(l->q, list->id * SAP_EV_OPS + SAP_EV_READ, &l->st, err);

	if (r < 0)
		return r;
	sqlite3_bind_int64(l->st, 1, l->range->window);
	if (list->id == SAP_EV_FILES)
		sqlite3_bind_int64(l->st, 2, l->range->since);
	while ((r = sap_evsql_step(l->q, l->st, err)) > 0) {
		uint32_t row = own(l, &before, list->max);
		char what[64];

		if (!l->bad)
			r = list->load(l, row, err);
		if (r == SAP_ELIMIT) /* it has been counted */
			r = drop_row(l, list->id, row, err);
		if (r >= 0 && l->bad) {
			snprintf(what, sizeof(what), "row %u of %s", row, list->name);
			r = sap_evsql_damaged(l->q, what, err);
		}
		if (r < 0)
			break;
	}
	sqlite3_reset(l->st);
	return r;
}

/* Of rows that were left out, processes were left out too; likewise of windows their time. */
static void bound_counts(struct load *l)
{
	int64_t max = sap_evidence_stood(l->e, 0);

	for (size_t i = 0; i < l->e->files.n; i++) {
		struct sap_seen_file *f = &l->e->files.v[i];

		if (l->range->since && l->used.v[i] < f->n_processes)
			f->n_processes = (uint32_t)l->used.v[i];
		if (f->watched_processes > f->n_processes)
			f->watched_processes = f->n_processes;
		if (f->watched > max)
			f->watched = max;
	}
}

int sap_evset_read(struct sap_evsql *q, const struct sap_evrange *range, struct sap_evidence *e,
		   struct sap_evtimes *entered, struct sap_err *err)
{
	static const struct list lists[] = {
		{ SAP_EV_ROOTS, "roots", SAP_EVIDENCE_ROOTS_MAX, load_root },
		{ SAP_EV_FILES, "files", SAP_EVIDENCE_FILES_MAX, load_file },
		{ SAP_EV_PROCESSES, "processes", SAP_EVIDENCE_PROCESSES_MAX, load_process },
		{ SAP_EV_LISTENS, "listens", SAP_EVIDENCE_LISTENS_MAX, load_listen },
		{ SAP_EV_USES, "uses", SAP_EVIDENCE_USES_MAX, load_use },
		{ SAP_EV_FUNCTIONS, "functions", SAP_EVIDENCE_FUNCTIONS_MAX, load_function },
		{ SAP_EV_UNOBSERVED, "unobserved", SAP_EVIDENCE_UNOBSERVED_MAX, load_unobserved },
		{ SAP_EV_OPENS, "opens", SAP_EVIDENCE_OPENS_MAX, load_open },
	};
	struct load l = { .q = q, .range = range, .e = e, .entered = entered };
	uint64_t seen = e->processes_seen; /* the window's row says how many */
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(lists) / sizeof(lists[0]); i++)
		r = load_list(&l, &lists[i], err);
	if (r == 0)
		bound_counts(&l);
	e->processes_seen = seen;
	sap_vec_clear(&l.roots);
	sap_vec_clear(&l.files);
	sap_vec_clear(&l.processes);
	sap_vec_clear(&l.used);
	return r;
}

int sap_evset_read_gaps(struct sap_evsql *q, int64_t window, struct sap_evidence *e,
			struct sap_err *err)
{
	const struct sap_evrange range = { .window = window };
	struct load l = { .q = q, .range = &range, .e = e };
	int64_t before = -1;
	int r = sap_evsql_get(q, SAP_EV_GAPS * SAP_EV_OPS + SAP_EV_READ, &l.st, err);

	if (r < 0)
		return r;
	sqlite3_bind_int64(l.st, 1, window);
	while ((r = sap_evsql_step(q, l.st, err)) > 0) {
		int64_t start, end;
		struct sap_str reason;

		(void)own(&l, &before, SAP_EVIDENCE_GAPS_MAX);
		start = moment(&l, 2);
		end = moment(&l, 3);
		reason = borrow(&l, 4);
		l.bad |= end < start;
		r = l.bad ? sap_evsql_damaged(q, "a row of gaps", err)
			  : sap_evidence_gap(e, start, end, reason, err);
		if (r < 0 && r != SAP_ELIMIT)
			break;
	}
	sqlite3_reset(l.st);
	return r;
}
