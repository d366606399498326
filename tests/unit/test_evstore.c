/* SPDX-License-Identifier: Apache-2.0 */
/* The store of evidence: written, killed, filled up, joined, pruned, read by others, damaged. */
#include "store/evstore.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/limits.h"
#include "check.h"

#define SECOND 1000000000LL
#define T0 (1795392000LL * SECOND) /* 2026-11-22 */

static char folder[64] = "/dev/shm/sapper-evstore-XXXXXX";
static char path[256];

/* ---- helpers ---------------------------------------------------------------------------- */

static void clean(void)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		(void)unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
}

static uint32_t rng_state = 1;

static uint32_t rnd(uint32_t n)
{
	rng_state = rng_state * 1664525u + 1013904223u;
	return (rng_state >> 8) % n;
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int64_t size_of(const char *suffix)
{
	char name[300];
	struct stat st;

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	return stat(name, &st) == 0 ? st.st_size : 0;
}

static struct sap_str word(struct sap_evidence *e, const char *what, unsigned i)
{
	struct sap_str s = { 0 };
	char text[64];

	snprintf(text, sizeof(text), "%s%u", what, i);
	CHECK(sap_evidence_text(e, sap_str_of(text), &s));
	return s;
}

static struct sap_evidence *new_set(int64_t start, int64_t end, const char *boot)
{
	struct sap_evidence *e = sap_evidence_new();

	if (!e)
		abort();
	e->start = start;
	e->end = end;
	CHECK(sap_evidence_text(e, sap_str_of(boot), &e->boot_id));
	CHECK(sap_evidence_text(e, SAP_STR("host.example"), &e->host));
	e->roots.v[0].mnt_ns = 4026531841;
	e->roots.v[0].dev = 2049;
	e->roots.v[0].ino = 2;
	return e;
}

static uint32_t put_file(struct sap_evidence *e, unsigned i, int64_t when)
{
	struct sap_file_id id = { .dev = 2049, .ino = 1000 + i, .ctime = T0 - i };
	uint32_t f = 0;
	bool added;

	CHECK_OK(sap_evidence_file(e, &id, 0, word(e, "/usr/lib/lib", i), &f, &added, NULL), NULL);
	if (added)
		e->files.v[f].first_seen = when;
	e->files.v[f].last_seen = when;
	return f;
}

static uint32_t put_process(struct sap_evidence *e, int32_t pid, uint64_t start, uint32_t exe,
			    int64_t when)
{
	uint32_t p = 0;
	bool added;

	CHECK_OK(sap_evidence_process(e, pid, start, &p, &added, NULL), NULL);
	if (added) {
		e->processes.v[p].exe = exe;
		e->processes.v[p].first_seen = when;
	}
	e->processes.v[p].last_seen = when;
	return p;
}

static struct sap_evstore *open_store(void)
{
	struct sap_evstore *s = NULL;
	struct sap_err err = { 0 };

	CHECK_OK(sap_evstore_open(path, &s, &err), &err);
	return s;
}

static struct sap_evidence *read_store(int64_t since)
{
	struct sap_evidence *e = NULL;
	struct sap_err err = { 0 };
	bool found = false;

	CHECK_OK(sap_evstore_read(path, since, &e, &found, &err), &err);
	CHECK_INT(found, e != NULL);
	return e;
}

/* One window, written and closed. */
static void write_window(struct sap_evidence *e, bool narrow)
{
	struct sap_evstore *s = open_store();
	struct sap_err err = { 0 };

	if (!s)
		return;
	e->narrow = narrow;
	CHECK_OK(sap_evstore_begin(s, e, &err), &err);
	sap_evstore_close(s);
}

static void sql(const char *text)
{
	sqlite3 *db;

	CHECK_INT(sqlite3_open(path, &db), SQLITE_OK);
	CHECK_INT(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static int64_t sql_int(const char *text)
{
	sqlite3_stmt *st = NULL;
	int64_t v = -1;
	sqlite3 *db;

	CHECK_INT(sqlite3_open(path, &db), SQLITE_OK);
	CHECK_INT(sqlite3_prepare_v2(db, text, -1, &st, NULL), SQLITE_OK);
	if (st && sqlite3_step(st) == SQLITE_ROW)
		v = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return v;
}

/* ---- a set as text: every field, what is referred to by name, lines sorted --------------- */

struct lines {
	struct sap_buf buf;
	SAP_VEC(size_t) at;
};

static const char *lines_base;

static int line_order(const void *a, const void *b)
{
	return strcmp(lines_base + *(const size_t *)a, lines_base + *(const size_t *)b);
}

static void line_begins(struct lines *l)
{
	size_t *at = SAP_VEC_PUSH(&l->at, SIZE_MAX);

	if (at)
		*at = l->buf.n;
}

#define LINE(...)                                     \
	do {                                          \
		line_begins(l);                       \
		sap_buf_printf(&l->buf, __VA_ARGS__); \
		sap_buf_putc(&l->buf, '\0');          \
	} while (0)

#define LL(v) ((long long)(v))

static const char *file_name(const struct sap_evidence *e, uint32_t i)
{
	static char text[8][512];
	static unsigned at;
	char *t = text[at++ % 8];

	if (i == SAP_NONE)
		return "-";
	snprintf(t, 512, "%.*s@%u/%llu/%lld", SAP_FMT(e->files.v[i].path), e->files.v[i].root,
		 (unsigned long long)e->files.v[i].id.ino, LL(e->files.v[i].id.ctime));
	return t;
}

static const char *process_name(const struct sap_evidence *e, uint32_t i)
{
	static char text[8][1024];
	static unsigned at;
	const struct sap_seen_process *p;
	char *t = text[at++ % 8];

	if (i == SAP_NONE)
		return "-";
	p = &e->processes.v[i];
	snprintf(t, 1024, "%d/%llu/%d %s %.*s %.*s %.*s", p->pid, (unsigned long long)p->start,
		 p->ended, file_name(e, p->exe), SAP_FMT(p->comm), SAP_FMT(p->unit),
		 SAP_FMT(p->container));
	return t;
}

static void dump_files(struct lines *l, const struct sap_evidence *e)
{
	for (size_t i = 0; i < e->roots.n; i++) {
		const struct sap_seen_root *r = &e->roots.v[i];

		LINE("root %zu %lld %lld %lld %.*s %d", i, LL(r->mnt_ns), LL(r->dev), LL(r->ino),
		     SAP_FMT(r->container), r->pid);
	}
	for (uint32_t i = 0; i < e->files.n; i++) {
		const struct sap_seen_file *f = &e->files.v[i];

		LINE("file %s %lld [%.*s] [%.*s] %d %d %d [%.*s] %d [%.*s] %lld %u %u %u %u "
		     "%lld %lld %lld %u",
		     file_name(e, i), LL(f->id.dev), SAP_FMT(f->build_id), SAP_FMT(f->new_build_id),
		     f->stale, f->is_program, f->load_time, SAP_FMT(f->load_time_why), f->observed,
		     SAP_FMT(f->reason), LL(f->observed_since), f->n_functions, f->n_probed,
		     f->n_refused, f->n_processes, LL(f->first_seen), LL(f->last_seen),
		     LL(f->watched), f->watched_processes);
	}
	for (size_t i = 0; i < e->functions.n; i++) {
		const struct sap_seen_function *f = &e->functions.v[i];

		LINE("function %s %llx [%.*s] %s %lld", file_name(e, f->file),
		     (unsigned long long)f->offset, SAP_FMT(f->names), process_name(e, f->process),
		     LL(f->when));
	}
	for (size_t i = 0; i < e->unobserved.n; i++)
		LINE("unobserved %s [%.*s] [%.*s]", file_name(e, e->unobserved.v[i].file),
		     SAP_FMT(e->unobserved.v[i].name), SAP_FMT(e->unobserved.v[i].reason));
}

static void dump_processes(struct lines *l, const struct sap_evidence *e)
{
	for (uint32_t i = 0; i < e->processes.n; i++) {
		const struct sap_seen_process *p = &e->processes.v[i];

		if (sap_seen_free(p))
			continue;
		LINE("process %s %d %u %d %d %lld %lld %lld", process_name(e, i), p->ppid, p->root,
		     p->exposure, p->preloads, LL(p->count), LL(p->first_seen), LL(p->last_seen));
		for (uint32_t at = p->listens; at; at = e->listens.v[at - 1].next)
			LINE("listen %s [%.*s] %d", process_name(e, i),
			     SAP_FMT(e->listens.v[at - 1].text), e->listens.v[at - 1].exposure);
	}
	for (size_t i = 0; i < e->uses.n; i++) {
		const struct sap_seen_use *u = &e->uses.v[i];

		if (u->process != SAP_NONE)
			LINE("use %s BY %s %d %lld %lld", file_name(e, u->file),
			     process_name(e, u->process), u->flags, LL(u->first_seen),
			     LL(u->last_seen));
	}
	for (size_t i = 0; i < e->opens.n; i++) {
		const struct sap_seen_open *o = &e->opens.v[i];

		LINE("open %u %.*s %s %lld %lld %lld", o->root, SAP_FMT(o->path),
		     process_name(e, o->process), LL(o->count), LL(o->first_seen),
		     LL(o->last_seen));
	}
}

static void dump(struct lines *l, const struct sap_evidence *e)
{
	sap_buf_init(&l->buf, SAP_GIB);
	l->at.n = 0;
	LINE("window %.*s %.*s %lld %lld %lld %lld %lld", SAP_FMT(e->boot_id), SAP_FMT(e->host),
	     LL(e->boot_time), LL(e->start), LL(e->end), LL(e->processes_seen),
	     LL(e->processes_hidden));
	LINE("losses %lld %lld %lld %lld %lld [%.*s] [%.*s] [%.*s]", LL(e->losses.maps),
	     LL(e->losses.hits), LL(e->losses.opens), LL(e->losses.files), LL(e->losses.ceiling),
	     SAP_FMT(e->means.maps), SAP_FMT(e->means.functions), SAP_FMT(e->means.opens));
	for (size_t i = 0; i < e->gaps.n; i++)
		LINE("gap %lld %lld %.*s", LL(e->gaps.v[i].start), LL(e->gaps.v[i].end),
		     SAP_FMT(e->gaps.v[i].reason));
	dump_files(l, e);
	dump_processes(l, e);
	lines_base = (const char *)l->buf.p;
	qsort(l->at.v, l->at.n, sizeof(size_t), line_order);
}

static void clear_lines(struct lines *l)
{
	sap_buf_clear(&l->buf);
	sap_vec_clear(&l->at);
}

/* Whether both say the same; the first difference is printed. */
static bool same_(int line, const struct sap_evidence *got, const struct sap_evidence *want)
{
	struct lines a = { 0 }, b = { 0 };
	bool ok = true;

	if (!check_true(__FILE__, line, "both are there", got && want))
		return false;
	dump(&a, got);
	dump(&b, want);
	for (size_t i = 0; ok && i < a.at.n && i < b.at.n; i++)
		ok = check_str(__FILE__, line, "line of a set",
			       sap_str_of((const char *)a.buf.p + a.at.v[i]),
			       sap_str_of((const char *)b.buf.p + b.at.v[i]));
	ok = check_int(__FILE__, line, "lines", (long long)a.at.n, (long long)b.at.n) && ok;
	clear_lines(&a);
	clear_lines(&b);
	return ok;
}
#define SAME(got, want) same_(__LINE__, got, want)

static bool store_is_(int line, const struct sap_evidence *want)
{
	struct sap_evidence *got = read_store(0);
	bool ok = same_(line, got, want);

	sap_evidence_free(got);
	return ok;
}
#define STORE_IS(want) store_is_(__LINE__, want)

/* ---- random sets ------------------------------------------------------------------------ */

static void random_file(struct sap_evidence *e)
{
	struct sap_file_id id = { .dev = rnd(3) ? 2049 : UINT64_MAX - 1,
				  .ino = rnd(60),
				  .ctime = rnd(5) ? (int64_t)rnd(3) - 1 + T0 : 0 };
	struct sap_seen_file *f;
	uint32_t i = 0;

	CHECK_OK(sap_evidence_file(e, &id, rnd((uint32_t)e->roots.n), word(e, "/lib/l", rnd(40)),
				   &i, NULL, NULL),
		 NULL);
	f = &e->files.v[i];
	f->build_id = word(e, "c0ffee", rnd(100));
	f->stale = (uint8_t)rnd(4);
	f->new_build_id =
		f->stale == SAP_STALE_REPLACED ? word(e, "beef", rnd(100)) : (struct sap_str){ 0 };
	f->is_program = rnd(2);
	f->load_time = (uint8_t)rnd(3);
	f->load_time_why = f->load_time == SAP_YES ? word(e, "2 constructors ", rnd(9))
						   : (struct sap_str){ 0 };
	f->observed = (uint8_t)rnd(3);
	f->reason = word(e, "no symbol table \x01\xff", rnd(9));
	f->observed_since = e->end - rnd(1000);
	f->n_functions = rnd(10000);
	f->n_probed = rnd(1000);
	f->n_refused = rnd(4) ? rnd(10) : UINT32_MAX;
	if (f->observed == SAP_OBSERVED_PROBED)
		f->watched = rnd(2) ? e->end - f->observed_since : (int64_t)rnd(1000);
	f->first_seen = e->start + rnd(100);
	f->last_seen = e->end - rnd(3);
}

static void random_process(struct sap_evidence *e)
{
	struct sap_seen_process *p;
	uint32_t i = 0;
	bool added;

	CHECK_OK(sap_evidence_process(e, (int32_t)rnd(80), rnd(3) ? rnd(5) : UINT64_MAX, &i, &added,
				      NULL),
		 NULL);
	p = &e->processes.v[i];
	p->ppid = (int32_t)rnd(80) - 1;
	p->preloads = (uint8_t)rnd(16);
	p->last_seen = e->end - rnd(2);
	if (added) {
		p->exe = e->files.n && rnd(5) ? rnd((uint32_t)e->files.n) : SAP_NONE;
		p->comm = word(e, "comm", rnd(9));
		p->unit = rnd(2) ? word(e, "u.service", rnd(3)) : (struct sap_str){ 0 };
		p->container = rnd(2) ? word(e, "box", rnd(3)) : (struct sap_str){ 0 };
		p->root = rnd((uint32_t)e->roots.n);
		p->first_seen = e->start + rnd(10);
	}
}

static uint32_t any_process(const struct sap_evidence *e, bool living)
{
	for (unsigned i = 0; i < 20 && e->processes.n; i++) {
		uint32_t p = rnd((uint32_t)e->processes.n);

		if (!sap_seen_free(&e->processes.v[p]) && !(living && e->processes.v[p].ended))
			return p;
	}
	return SAP_NONE;
}

static void random_rest(struct sap_evidence *e, uint32_t what)
{
	uint32_t file = rnd((uint32_t)e->files.n), p = any_process(e, true);
	struct sap_str name = word(e, "f@@V_", rnd(500));
	int64_t when = e->end - rnd(3);
	int r = 0;

	if (p == SAP_NONE)
		return;
	switch (what) {
	case 0:
		r = sap_evidence_end(e, p, when, NULL, NULL);
		break;
	case 1:
		r = sap_evidence_entered(e, file, rnd(3000), name, rnd(9) ? p : SAP_NONE, when,
					 NULL, NULL);
		break;
	case 2:
		r = sap_evidence_unobserved(e, file, name, word(e, "why", rnd(9)), NULL);
		break;
	case 3:
		r = sap_evidence_listen(e, p, word(e, "0.0.0.0:", rnd(9)),
					rnd(2) ? SAP_EXPOSURE_LOCAL : SAP_EXPOSURE_NETWORK, NULL);
		break;
	case 4:
		r = sap_evidence_open(e, rnd((uint32_t)e->roots.n), word(e, "/etc/", rnd(90)),
				      rnd(9) ? p : SAP_NONE, rnd(5), when, NULL);
		break;
	case 5:
		sap_evidence_no_listens(e, p);
		break;
	default:
		r = sap_evidence_use(e, file, p, 1 + rnd(3), when, NULL);
	}
	CHECK_INT(r, 0);
}

static void random_steps(struct sap_evidence *e, unsigned steps)
{
	e->end += SECOND;
	e->processes_hidden = rnd(100);
	e->losses.maps += rnd(3);
	e->losses.files += rnd(3);
	e->losses.opens += rnd(3);
	e->means.maps = word(e, "perf MMAP2 ", rnd(3));
	e->means.functions = word(e, "uprobe_multi ", rnd(3));
	if (rnd(4) == 0)
		CHECK_OK(sap_evidence_gap(e, e->end - rnd(9), e->end, word(e, "slept ", rnd(3)),
					  NULL),
			 NULL);
	for (unsigned i = 0; i < steps; i++) {
		uint32_t what = rnd(24), root;

		if (what == 0) {
			CHECK_OK(sap_evidence_root(e, rnd(9), rnd(2) ? 7 : UINT64_MAX, rnd(9),
						   &root, NULL, NULL),
				 NULL);
			e->roots.v[root].container = word(e, "box", rnd(9));
			e->roots.v[root].pid = (int32_t)rnd(99);
		} else if (what < 4 || e->files.n == 0) {
			random_file(e);
		} else if (what < 8 || e->processes.n == 0) {
			random_process(e);
		} else {
			random_rest(e, what - 8);
		}
	}
}

/* ---- round trips ------------------------------------------------------------------------ */

static void test_round_trip(void)
{
	for (unsigned seed = 1; seed <= 12; seed++) {
		struct sap_evidence *e = new_set(T0, T0, "boot-a");
		struct sap_evstore *s = NULL;
		struct sap_err err = { 0 };
		bool ok;

		clean();
		rng_state = seed;
		e->boot_time = T0 - 5 * SECOND;
		s = open_store();
		if (!s)
			return;
		random_steps(e, seed * 30);
		ok = CHECK_OK(sap_evstore_begin(s, e, &err), &err) && STORE_IS(e);
		for (unsigned i = 0; ok && i < 25; i++) {
			random_steps(e, rnd(60));
			ok = CHECK_OK(sap_evstore_write(s, e, &err), &err) && STORE_IS(e);
		}
		sap_evstore_close(s);
		STORE_IS(e);
		sap_evidence_free(e);
	}
}

static void test_empty(void)
{
	struct sap_evidence *e = (void *)1;
	struct sap_evstore *s;
	struct sap_err err = { 0 };
	bool found = true;

	clean();
	CHECK_OK(sap_evstore_read(path, 0, &e, &found, &err), &err);
	CHECK(!found && !e);
	s = open_store();
	found = true;
	CHECK_OK(sap_evstore_read(path, 0, &e, &found, &err), &err);
	CHECK(!found && !e);
	e = sap_evidence_new();
	CHECK_INT(sap_evstore_write(s, e, &err), SAP_EUSAGE);
	CHECK_OK(sap_evstore_begin(s, e, &err), &err);
	STORE_IS(e);
	sap_evstore_close(s);
	STORE_IS(e);
	sap_evidence_free(e);
}

/* The file is private, its folders are made. */
static void test_place(void)
{
	char keep[sizeof(path)], deep[300];
	struct stat st = { 0 };

	clean();
	memcpy(keep, path, sizeof(path));
	snprintf(path, sizeof(path), "%s/a/b/evidence #1?.db", folder);
	sap_evstore_close(open_store());
	CHECK_INT(stat(path, &st), 0);
	CHECK_INT(st.st_mode & 0777, 0600);
	snprintf(deep, sizeof(deep), "%s/a/b", folder);
	CHECK_INT(stat(deep, &st), 0);
	CHECK_INT(st.st_mode & 0777, 0755);
	unlink(path);
	strncat(path, ".lock", 16);
	unlink(path);
	rmdir(deep);
	deep[strlen(deep) - 2] = '\0';
	rmdir(deep);
	memcpy(path, keep, sizeof(path));
}

/* ---- windows ---------------------------------------------------------------------------- */

/* What is in a store of several windows is what merging them gives. */
static void test_windows_joined(void)
{
	struct sap_evidence *all = sap_evidence_new(), *got;
	const unsigned n = 5;

	clean();
	rng_state = 77;
	for (unsigned i = 0; i < n; i++) {
		struct sap_evidence *e = new_set(T0 + i * 1000 * SECOND, T0 + i * 1000 * SECOND,
						 i < 3 ? "boot-a" : "boot-b");

		random_steps(e, 300);
		/* Else what is not in a window has ended, which merging alone does not say. */
		for (uint32_t p = 0; p < all->processes.n; p++) {
			const struct sap_seen_process *q = &all->processes.v[p];

			if (i < 3 && !sap_seen_free(q) && !q->ended &&
			    sap_evidence_living(e, q->pid) == SAP_NONE)
				put_process(e, q->pid, q->start, SAP_NONE, e->end);
		}
		write_window(e, false);
		CHECK_OK(sap_evidence_merge(all, e, NULL), NULL);
		got = read_store(0);
		if (got) {
			CHECK_INT(got->start, T0);
			CHECK_INT(got->end, e->end);
			CHECK_INT(got->gaps.n, all->gaps.n);
			CHECK_INT(got->files.n, all->files.n);
			CHECK_INT(got->functions.n, all->functions.n);
			CHECK_INT(got->unobserved.n, all->unobserved.n);
			CHECK_INT(got->opens.n, all->opens.n);
			CHECK_INT(got->losses.maps, all->losses.maps);
		}
		sap_evidence_free(got);
		sap_evidence_free(e);
	}
	STORE_IS(all);
	/* A row for each thing, in two sets: what is over, and the last window. */
	CHECK_INT(sql_int("SELECT count(DISTINCT window) FROM files"), 2);
	CHECK_INT(sql_int("SELECT count(*) FROM windows"), n);
	CHECK_INT(sql_int("SELECT sum(joined) FROM windows"), n - 1);
	sap_evidence_free(all);
}

static void test_same_thing_is_one_row(void)
{
	struct sap_evidence *e;
	uint32_t f, p;

	clean();
	for (unsigned i = 0; i < 20; i++) {
		int64_t t = T0 + i * 100 * SECOND;

		e = new_set(t, t + 50 * SECOND, "boot-a");
		f = put_file(e, 1, t);
		p = put_process(e, 10, 5, f, t + 50 * SECOND); /* lives all the time */
		CHECK_OK(sap_evidence_use(e, f, p, SAP_USE_PROC, t, NULL), NULL);
		p = put_process(e, 11, 100 + i, f, t); /* a short one in each window */
		CHECK_OK(sap_evidence_use(e, f, p, SAP_USE_LIVE, t, NULL), NULL);
		CHECK_OK(sap_evidence_end(e, p, t + 1, NULL, NULL), NULL);
		write_window(e, false);
		sap_evidence_free(e);
	}
	e = read_store(0);
	CHECK_INT(e->files.n, 1);
	CHECK_INT(e->processes_seen, 21);
	CHECK_INT(e->files.v[0].n_processes, 21);
	CHECK_INT(e->gaps.n, 19);
	CHECK_STR(e->gaps.v[0].reason, "nothing was watching");
	p = sap_evidence_living(e, 10);
	CHECK(p != SAP_NONE);
	if (p != SAP_NONE)
		CHECK_INT(e->processes.v[p].first_seen, T0 + 50 * SECOND);
	sap_evidence_free(e);
	CHECK_INT(sql_int("SELECT count(*) FROM files"), 2);
	CHECK_INT(sql_int("SELECT count(*) FROM processes"), 4);
}

static bool lives(struct sap_evidence *e, int32_t pid)
{
	return e && sap_evidence_living(e, pid) != SAP_NONE;
}

/* Who lived when the last window ended, and is not in the next, has ended. */
static void test_ended_between(void)
{
	struct sap_evidence *e, *got;

	clean();
	e = new_set(T0, T0 + SECOND, "boot-a");
	for (int32_t pid = 1; pid <= 4; pid++)
		put_process(e, pid, 7, put_file(e, (unsigned)pid, T0), T0 + SECOND);
	write_window(e, false);
	sap_evidence_free(e);
	/* One that looks at a single process ends no others. */
	e = new_set(T0 + 5 * SECOND, T0 + 6 * SECOND, "boot-a");
	put_process(e, 1, 7, put_file(e, 1, T0), T0 + 6 * SECOND);
	write_window(e, true);
	sap_evidence_free(e);
	got = read_store(0);
	CHECK(lives(got, 1) && lives(got, 4));
	sap_evidence_free(got);
	/* One that looks at all does. */
	e = new_set(T0 + 10 * SECOND, T0 + 11 * SECOND, "boot-a");
	put_process(e, 1, 7, put_file(e, 1, T0), T0 + 11 * SECOND);
	put_process(e, 2, 7, put_file(e, 2, T0), T0 + 11 * SECOND);
	write_window(e, false);
	sap_evidence_free(e);
	got = read_store(0);
	CHECK(lives(got, 1) && lives(got, 2) && !lives(got, 3) && !lives(got, 4));
	CHECK_INT(got->processes_seen, 4);
	sap_evidence_free(got);
	/* Another boot ends them all, and living ones of old windows are not kept for ever. */
	e = new_set(T0 + 20 * SECOND, T0 + 21 * SECOND, "boot-b");
	put_process(e, 1, 9, put_file(e, 1, T0), T0 + 21 * SECOND);
	write_window(e, true);
	got = read_store(0);
	CHECK(lives(got, 1) && !lives(got, 2));
	CHECK_STR(got->boot_id, "boot-b");
	CHECK_INT(got->processes.v[sap_evidence_living(got, 1)].start, 9);
	CHECK_INT(got->processes_seen, 5);
	sap_evidence_free(got);
	sap_evidence_free(e);
	for (int i = 3; i < 5; i++) {
		e = new_set(T0 + i * 10 * SECOND, T0 + i * 10 * SECOND + 1, "boot-b");
		put_process(e, 2, 9, put_file(e, 2, T0), e->end);
		write_window(e, true);
		sap_evidence_free(e);
	}
	got = read_store(0);
	CHECK(!lives(got, 1) && lives(got, 2));
	sap_evidence_free(got);
}

static struct sap_evidence *small_window(unsigned i)
{
	struct sap_evidence *e = new_set(T0 + i * 100 * SECOND, T0 + i * 100 * SECOND + 50, "b");
	uint32_t f = put_file(e, 0, e->end), own = put_file(e, i, e->end), p;

	p = put_process(e, (int32_t)(100 + i), 3, own, e->end);
	CHECK_OK(sap_evidence_use(e, f, p, SAP_USE_LIVE, e->end, NULL), NULL);
	CHECK_OK(sap_evidence_use(e, own, p, SAP_USE_LIVE, e->end, NULL), NULL);
	CHECK_OK(sap_evidence_end(e, p, e->end, &p, NULL), NULL);
	CHECK_OK(sap_evidence_entered(e, f, 64, SAP_STR("always"), p, e->end, NULL, NULL), NULL);
	CHECK_OK(sap_evidence_entered(e, f, i, SAP_STR("once"), p, e->end, NULL, NULL), NULL);
	CHECK_OK(sap_evidence_unobserved(e, own, SAP_STR("u"), SAP_STR("no symbol"), NULL), NULL);
	CHECK_OK(sap_evidence_open(e, 0, word(e, "/o", i), p, 2, e->end, NULL), NULL);
	CHECK_OK(sap_evidence_listen(e, p, word(e, "l", i), SAP_EXPOSURE_LOCAL, NULL), NULL);
	e->losses.hits = 1;
	return e;
}

/* What windows from `first` on say: the shared file, one each; functions likewise. */
static void check_small(const struct sap_evidence *e, unsigned first, unsigned last)
{
	unsigned n = last - first + 1;

	if (!CHECK(e != NULL))
		return;
	CHECK_INT(e->files.n, n + 1);
	CHECK_INT(e->functions.n, n + 1);
	CHECK_INT(e->opens.n, n);
	CHECK_INT(e->unobserved.n, n);
	CHECK_INT(e->losses.hits, n);
	CHECK_INT(e->processes_seen, n);
	CHECK_INT(e->start, T0 + first * 100 * SECOND);
	CHECK_INT(e->gaps.n, n - 1);
	for (size_t i = 0; i < e->files.n; i++)
		CHECK_INT(e->files.v[i].n_processes, e->files.v[i].id.ino == 1000 ? n : 1);
	for (size_t i = 0; i < e->functions.n; i++)
		CHECK(e->functions.v[i].offset == 64 || e->functions.v[i].offset >= first);
}

static void test_since_and_prune(void)
{
	struct sap_evidence *e[6];
	struct sap_evstore *s;
	struct sap_err err = { 0 };

	clean();
	for (unsigned i = 1; i <= 5; i++) {
		e[i] = small_window(i);
		write_window(e[i], false);
	}
	for (unsigned first = 1; first <= 5; first++) {
		struct sap_evidence *got = read_store(e[first]->end);

		check_small(got, first, 5);
		sap_evidence_free(got);
	}
	CHECK(read_store(e[5]->end + 1) == NULL);
	s = open_store();
	for (unsigned i = 2; i <= 4; i++) {
		struct sap_evidence *got;

		CHECK_OK(sap_evstore_prune(s, e[i]->end, &err), &err);
		got = read_store(0);
		check_small(got, i, 5);
		sap_evidence_free(got);
	}
	/* All that is over goes; the window that has begun never does. */
	e[0] = small_window(9);
	CHECK_OK(sap_evstore_begin(s, e[0], &err), &err);
	CHECK_OK(sap_evstore_prune(s, INT64_MAX, &err), &err);
	STORE_IS(e[0]);
	sap_evstore_close(s);
	CHECK_INT(sql_int("SELECT count(*) FROM windows"), 1);
	CHECK_INT(sql_int("SELECT count(*) FROM files WHERE window=0"), 0);
	for (unsigned i = 0; i <= 5; i++)
		sap_evidence_free(e[i]);
}

static void test_many_windows(void)
{
	struct sap_evidence *e = small_window(1), *got;

	clean();
	write_window(e, false);
	sql("WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i+1 FROM n WHERE i<5000)"
	    " INSERT INTO windows SELECT i,boot_id,host,0,started+i*1000,started+i*1000+5,1,0,0,0,"
	    "0,0,0,'','','',0,0,1,1,0 FROM n, windows WHERE id=1; UPDATE windows SET joined=1;"
	    "UPDATE files SET window=0; UPDATE processes SET window=0; UPDATE uses SET window=0;"
	    "UPDATE roots SET window=0; UPDATE listens SET window=0; UPDATE opens SET window=0;"
	    "UPDATE unobserved SET window=0; UPDATE functions SET window=0");
	e->start = e->end = T0 + 10000 * SECOND;
	write_window(e, false);
	write_window(e, false);
	CHECK_INT(sql_int("SELECT count(*) FROM windows"), SAP_EVSTORE_WINDOWS_MAX);
	got = read_store(0);
	CHECK(got && got->files.n == 2);
	sap_evidence_free(got);
	sap_evidence_free(e);
}

/* ---- clocks ----------------------------------------------------------------------------- */

static void test_clock_jumps(void)
{
	struct sap_evidence *e = new_set(T0, T0 - 3600 * SECOND, "b"), *got;
	struct sap_evstore *s;
	struct sap_err err = { 0 };

	clean();
	CHECK_OK(sap_evidence_gap(e, T0, T0 - 5, SAP_STR("the clock was set back"), NULL), NULL);
	put_process(e, 1, 1, put_file(e, 1, -5), T0 - 3600 * SECOND);
	write_window(e, false);
	got = read_store(0);
	CHECK_INT(got->start, T0);
	CHECK_INT(got->end, T0);
	CHECK_INT(got->gaps.v[0].end, T0);
	CHECK_INT(got->files.v[0].first_seen, 0);
	sap_evidence_free(got);
	/* The next window lies before the first. */
	e->start = T0 - 7200 * SECOND;
	e->end = T0 - 7000 * SECOND;
	e->gaps.n = 0;
	write_window(e, false);
	s = open_store();
	e->start = e->end = INT64_MIN;
	CHECK_OK(sap_evstore_begin(s, e, &err), &err);
	got = read_store(0);
	CHECK(got->end >= got->start && got->start >= 0);
	for (size_t i = 0; i < got->gaps.n; i++)
		CHECK(got->gaps.v[i].end >= got->gaps.v[i].start);
	sap_evidence_free(got);
	sap_evstore_close(s);
	sap_evidence_free(e);
}

/* ---- one writer, other readers ---------------------------------------------------------- */

static void test_one_writer(void)
{
	struct sap_evstore *s, *second = NULL;
	struct sap_err err = { 0 };
	char want[64], other[300];

	clean();
	s = open_store();
	snprintf(want, sizeof(want), "another watcher is running (pid %d)", (int)getpid());
	CHECK_INT(sap_evstore_open(path, &second, &err), SAP_EIO);
	CHECK(strstr(err.text, want) != NULL);
	/* By another name, too. */
	snprintf(other, sizeof(other), "%s/link", folder);
	CHECK_INT(symlink(path, other), 0);
	CHECK_INT(sap_evstore_open(other, &second, &err), SAP_EIO);
	sap_evstore_close(s);
	s = open_store();
	sap_evstore_close(s);
}

/* Readers in the middle of writing see a state that was written, whole. */
static void test_readers_beside(void)
{
	struct sap_evidence *e = new_set(T0, T0, "b");
	struct sap_evstore *s;
	struct sap_err err = { 0 };
	int status = -1;
	pid_t pid;

	clean();
	s = open_store();
	CHECK_OK(sap_evstore_begin(s, e, &err), &err);
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 150; i++) {
			struct sap_evidence *got = NULL;
			bool found = false;

			if (sap_evstore_read(path, 0, &got, &found, &err) < 0 || !found ||
			    got->files.n != got->losses.maps || got->uses.n != got->losses.maps)
				_exit(1);
			sap_evidence_free(got);
		}
		_exit(0);
	}
	for (unsigned i = 0; i < 400; i++) {
		uint32_t f = put_file(e, i, T0), p = put_process(e, (int32_t)i, 1, f, T0);

		CHECK_OK(sap_evidence_use(e, f, p, 1, T0, NULL), NULL);
		e->losses.maps++;
		if (!CHECK_OK(sap_evstore_write(s, e, &err), &err))
			break;
	}
	waitpid(pid, &status, 0);
	CHECK_INT(status, 0);
	sap_evstore_close(s);
	STORE_IS(e);
	sap_evidence_free(e);
}

/* Reads as somebody who may read the file and nothing more: the code, or 1 where all is there. */
static int read_as_nobody(char *text, size_t size)
{
	int fds[2], code = -99;
	pid_t pid;

	if (pipe(fds) < 0)
		return code;
	pid = fork();
	if (pid == 0) {
		struct {
			int code;
			char text[SAP_ERR_TEXT_MAX];
		} answer = { 0 };
		struct sap_evidence *got = NULL;
		struct sap_err err = { 0 };
		bool found = false;

		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(1);
		answer.code = sap_evstore_read(path, 0, &got, &found, &err);
		if (answer.code == 0)
			answer.code = found && got->files.n == 2;
		memcpy(answer.text, err.text, sizeof(answer.text));
		_exit(write(fds[1], &answer, sizeof(answer)) < 0);
	}
	close(fds[1]);
	if (read(fds[0], &code, sizeof(code)) != (ssize_t)sizeof(code))
		code = -98;
	if (read(fds[0], text, size) < 0)
		code = -97;
	close(fds[0]);
	waitpid(pid, NULL, 0);
	return code;
}

static void test_reader_without_rights(void)
{
	struct sap_evidence *e = small_window(1);
	char text[SAP_ERR_TEXT_MAX] = "", name[300];
	struct sap_evstore *s;
	struct sap_err err = { 0 };

	clean();
	if (getuid() != 0) {
		check_skip("reader without rights", "needs root to become somebody else");
		sap_evidence_free(e);
		return;
	}
	CHECK_INT(chmod(folder, 0755), 0);
	s = open_store();
	CHECK_OK(sap_evstore_begin(s, e, &err), &err);
	/* Not for others. */
	CHECK_INT(read_as_nobody(text, sizeof(text)), SAP_EIO);
	CHECK(strstr(text, "run as the user who watches") != NULL);
	/* A writer is at work, its -shm and -wal may be read. */
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "%s%s", path, i == 0 ? "" : i == 1 ? "-shm" : "-wal");
		CHECK_INT(chmod(name, 0644), 0);
	}
	CHECK_INT(read_as_nobody(text, sizeof(text)), 1);
	sap_evstore_close(s);
	/* Nobody is: the file alone. */
	CHECK_INT(size_of("-wal"), 0);
	CHECK_INT(read_as_nobody(text, sizeof(text)), 1);
	sap_evidence_free(e);
}

/* The writer was killed: -wal has what was written last. */
static void test_left_behind(void)
{
	struct sap_evidence *e = small_window(1);
	char text[SAP_ERR_TEXT_MAX] = "", name[300];
	struct sap_err err = { 0 };
	pid_t pid;

	clean();
	if (getuid() != 0) {
		check_skip("left behind", "needs root to become somebody else");
		sap_evidence_free(e);
		return;
	}
	pid = fork();
	if (pid == 0) {
		struct sap_evstore *s;

		umask(0);
		if (sap_evstore_open(path, &s, &err) == 0 && sap_evstore_begin(s, e, &err) == 0)
			kill(getpid(), SIGKILL);
		_exit(1);
	}
	waitpid(pid, NULL, 0);
	CHECK(size_of("-wal") > 0);
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "%s%s", path, i == 0 ? "" : i == 1 ? "-shm" : "-wal");
		CHECK_INT(chmod(name, 0644), 0);
	}
	CHECK_INT(read_as_nobody(text, sizeof(text)), 1);
	snprintf(name, sizeof(name), "%s-shm", path);
	unlink(name);
	CHECK_INT(read_as_nobody(text, sizeof(text)), SAP_EIO);
	CHECK(strstr(text, "copy both files") != NULL);
	STORE_IS(e); /* root may */
	sap_evidence_free(e);
}

/* ---- kill -9 ---------------------------------------------------------------------------- */

/* State k of a set that a writer brings forth: k files, processes that come and end. */
static void next_state(struct sap_evidence *e)
{
	unsigned k = (unsigned)++e->losses.maps;
	uint32_t f = put_file(e, k, T0 + k), p;

	e->end = T0 + k;
	p = put_process(e, (int32_t)(k % 50), k, f, e->end);
	CHECK_OK(sap_evidence_use(e, f, p, SAP_USE_LIVE, e->end, NULL), NULL);
	CHECK_OK(sap_evidence_entered(e, f, k, word(e, "f", k), p, e->end, NULL, NULL), NULL);
	if (k % 3 == 0)
		CHECK_OK(sap_evidence_end(e, p, e->end, NULL, NULL), NULL);
}

static void write_for_ever(int ready)
{
	struct sap_evidence *e = new_set(T0, T0, "b");
	struct sap_evstore *s;
	struct sap_err err;

	if (sap_evstore_open(path, &s, &err) < 0)
		_exit(3);
	for (unsigned i = 0; i < 200; i++)
		next_state(e);
	if (sap_evstore_begin(s, e, &err) < 0)
		_exit(4);
	if (write(ready, "r", 1) != 1)
		_exit(6);
	for (;;) {
		next_state(e);
		if (sap_evstore_write(s, e, &err) < 0)
			_exit(5);
	}
}

/* Starts a writer and kills it: at once, or some time after its window has begun. */
static void kill_writer(unsigned i)
{
	struct timespec nap = { .tv_nsec = 1000000L * (long)(1 + rnd(40)) };
	int ready[2], status = 0;
	pid_t pid;
	char c;

	if (!CHECK_INT(pipe(ready), 0))
		return;
	pid = fork();
	if (pid == 0)
		write_for_ever(ready[1]);
	close(ready[1]);
	if (i % 3)
		CHECK_INT(read(ready[0], &c, 1), 1);
	nanosleep(&nap, NULL);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	close(ready[0]);
	CHECK(WIFSIGNALED(status));
}

static void test_killed(void)
{
	unsigned states = 0, none = 0;

	for (unsigned i = 0; i < 50; i++) {
		struct sap_evidence *got, *want = new_set(T0, T0, "b");

		/* Alone, so that what is found can be compared; every tenth on what was left. */
		if (i % 10)
			clean();
		kill_writer(i);
		got = read_store(0);
		none += !got;
		if (got && i % 10) {
			while (want->losses.maps < got->losses.maps)
				next_state(want);
			states += SAME(got, want);
		}
		sap_evidence_free(got);
		sap_evidence_free(want);
		sap_evstore_close(open_store()); /* checks the whole file */
	}
	printf("killed 50 times: %u states, %u before the first\n", states, none);
	CHECK(states >= 30);
}

/* ---- full disks ------------------------------------------------------------------------- */

static void fill(struct sap_evidence *e, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		uint32_t f = put_file(e, i, T0), p = put_process(e, (int32_t)i, 1, f, T0);

		CHECK_OK(sap_evidence_use(e, f, p, 1, T0, NULL), NULL);
	}
}

/* No file may grow beyond a limit; then it may. */
static void test_file_limit(void)
{
	struct sap_evidence *e = new_set(T0, T0 + 5, "b"), *before = new_set(T0, T0 + 5, "b");
	struct rlimit old, low;
	struct sap_evstore *s;
	struct sap_err err = { 0 };

	clean();
	signal(SIGXFSZ, SIG_IGN);
	s = open_store();
	fill(e, 0, 100);
	fill(before, 0, 100);
	CHECK_OK(sap_evstore_begin(s, e, &err), &err);
	getrlimit(RLIMIT_FSIZE, &old);
	low = old;
	low.rlim_cur = (rlim_t)size_of("-wal") + 20000;
	setrlimit(RLIMIT_FSIZE, &low);
	fill(e, 100, 5000);
	CHECK_INT(sap_evstore_write(s, e, &err), SAP_EIO);
	if (!CHECK(strstr(err.text, "no space left") != NULL))
		printf("it says: %s (%d)\n", err.text, err.sys_errno);
	CHECK(err.sys_errno != 0);
	STORE_IS(before);
	CHECK_INT(sap_evstore_write(s, e, &err), SAP_EIO);
	setrlimit(RLIMIT_FSIZE, &old);
	CHECK_OK(sap_evstore_write(s, e, &err), &err);
	STORE_IS(e);
	sap_evstore_close(s);
	STORE_IS(e);
	sap_evidence_free(e);
	sap_evidence_free(before);
}

/* In a child, with a small file system of its own. Exit status 2: it cannot be made. */
static int on_full_disk(void)
{
	struct sap_evidence *e = new_set(T0, T0 + 5, "b"), *before = new_set(T0, T0 + 5, "b");
	struct sap_evstore *s = NULL;
	struct sap_err err = { 0 };
	char ballast[300], block[4096] = { 1 };
	int64_t filled = 0;
	int fd;

	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", folder, "tmpfs", 0, "size=2m") < 0)
		return 2;
	s = open_store();
	fill(e, 0, 100);
	fill(before, 0, 100);
	CHECK_OK(sap_evstore_begin(s, e, &err), &err);
	snprintf(ballast, sizeof(ballast), "%s/ballast", folder);
	fd = open(ballast, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	for (ssize_t n; (n = write(fd, block, sizeof(block))) > 0;)
		filled += n;
	close(fd);
	fill(e, 100, 1500);
	CHECK_INT(sap_evstore_write(s, e, &err), SAP_EIO);
	CHECK_INT(err.sys_errno, ENOSPC);
	STORE_IS(before);
	CHECK_INT(sap_evstore_write(s, e, &err), SAP_EIO);
	/* The next watcher cannot begin, and what is there can be read. */
	sap_evstore_close(s);
	s = NULL;
	CHECK_INT(sap_evstore_open(path, &s, &err), SAP_EIO);
	CHECK(strstr(err.text, "no space left") != NULL);
	STORE_IS(before);
	/* With little space it can, and its window comes later. */
	CHECK_INT(truncate(ballast, filled - 40960), 0);
	CHECK_OK(sap_evstore_open(path, &s, &err), &err);
	if (s) {
		e->start = T0 + 10;
		e->end = T0 + 20;
		CHECK_INT(sap_evstore_begin(s, e, &err), SAP_EIO);
		CHECK(strstr(err.text, "no space left") != NULL);
		STORE_IS(before);
		unlink(ballast);
		CHECK_OK(sap_evstore_write(s, e, &err), &err);
		CHECK_OK(sap_evidence_merge(before, e, NULL), NULL);
		STORE_IS(before);
	}
	sap_evstore_close(s);
	sap_evidence_free(e);
	sap_evidence_free(before);
	return check_done() != 0;
}

static void test_full_disk(void)
{
	int status = -1;
	pid_t pid;

	clean();
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		status = on_full_disk();
		fflush(stdout);
		_exit(status);
	}
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
		check_skip("full disk", "needs the right to mount a tmpfs");
	else
		CHECK_INT(status, 0);
}

/* ---- what is no store ------------------------------------------------------------------- */

static void expect(int code, const char *says)
{
	struct sap_evidence *e = NULL;
	struct sap_evstore *s = NULL;
	struct sap_err err = { 0 };
	bool found;

	CHECK_INT(sap_evstore_read(path, 0, &e, &found, &err), code);
	if (!CHECK(strstr(err.text, says) != NULL && strstr(err.text, path) != NULL))
		printf("it says: %s (%d)\n", err.text, err.sys_errno);
	CHECK(!e);
	CHECK_INT(sap_evstore_open(path, &s, &err), code);
	CHECK(strstr(err.text, says) != NULL);
	CHECK(!s);
}

static void write_text(const char *text)
{
	FILE *f;

	clean();
	f = fopen(path, "we");
	if (f) {
		fputs(text, f);
		fclose(f);
	}
}

static void test_no_store(void)
{
	struct sap_evidence *e = small_window(1);

	write_text("hello, this is a text and no database at all");
	expect(SAP_EFORMAT, "move it away");
	write_text("x");
	expect(SAP_EFORMAT, "move it away");
	clean();
	sql("CREATE TABLE t(x); PRAGMA application_id=5");
	expect(SAP_EFORMAT, "no store of evidence");
	clean();
	write_window(e, false);
	sql("PRAGMA user_version=2");
	expect(SAP_EUNSUPPORTED, "install the newer version");
	sql("PRAGMA user_version=1; CREATE VIEW v AS SELECT 1");
	expect(SAP_EFORMAT, "move it away");
	sql("DROP VIEW v; DROP TABLE uses");
	expect(SAP_EFORMAT, "a table is missing");
	sql("CREATE TABLE uses(window, idx, file AS (abs(-9223372036854775808)))");
	expect(SAP_EFORMAT, "move it away");
	/* What was only begun is taken. */
	write_text("");
	write_window(e, false);
	STORE_IS(e);
	sap_evidence_free(e);
}

/* Values that no writer writes. */
static const char *const changes[] = {
	"UPDATE windows SET ended=started-1",
	"UPDATE windows SET started=-5",
	"UPDATE windows SET started='x'",
	"UPDATE windows SET id=0",
	"UPDATE windows SET processes_seen=-1",
	"UPDATE windows SET boot_id=NULL",
	"UPDATE windows SET host=zeroblob(10)",
	"UPDATE windows SET narrow=2",
	"UPDATE windows SET live=2",
	"UPDATE files SET watched=-1",
	"UPDATE files SET watched_processes='x'",
	"ALTER TABLE files DROP COLUMN watched",
	"UPDATE windows SET means_maps=CAST(zeroblob(300000) AS TEXT)",
	"INSERT INTO gaps VALUES(1,0,5,4,'x')",
	"INSERT INTO gaps VALUES(1,-1,5,6,'x')",
	"INSERT INTO gaps VALUES(1,20000,5,6,'x')",
	"UPDATE roots SET idx=1",
	"UPDATE roots SET pid=4294967296",
	"UPDATE roots SET container=x'35'",
	"UPDATE files SET root=1",
	"UPDATE files SET root=-1",
	"UPDATE files SET root=4294967296",
	"UPDATE files SET stale=4",
	"UPDATE files SET load_time=3",
	"UPDATE files SET observed=9",
	"UPDATE files SET n_probed=4294967296",
	"UPDATE files SET idx=idx-1",
	"UPDATE files SET idx=500000+idx",
	"UPDATE files SET ino='x'",
	"UPDATE files SET path=NULL",
	"UPDATE files SET path=CAST(zeroblob(300000) AS TEXT)",
	"UPDATE files SET first_seen=-1",
	"UPDATE processes SET exe=7",
	"UPDATE processes SET root=2",
	"UPDATE processes SET exposure=4",
	"UPDATE processes SET preloads=16",
	"UPDATE processes SET count=0",
	"UPDATE processes SET count=-1",
	"UPDATE processes SET ended=2",
	"UPDATE processes SET pid=99999999999",
	"UPDATE listens SET process=1",
	"UPDATE listens SET exposure=4",
	"UPDATE listens SET text=NULL",
	"UPDATE uses SET file=2",
	"UPDATE uses SET process=NULL",
	"UPDATE uses SET flags=4",
	"UPDATE uses SET idx=8000000+idx",
	"UPDATE functions SET file=NULL",
	"UPDATE functions SET process=5",
	"UPDATE functions SET names=x'35'",
	"UPDATE functions SET entered=-1",
	"UPDATE unobserved SET file=2",
	"UPDATE unobserved SET reason=x'00'",
	"UPDATE opens SET root=1",
	"UPDATE opens SET process=1",
	"UPDATE opens SET count=-1",
	"DELETE FROM roots",
	"DELETE FROM files",
	"DELETE FROM processes",
	"INSERT INTO processes SELECT 1,5,pid,ppid,start,exe,comm,unit,container,root,"
	"exposure,preloads,0,1,0,0 FROM processes; INSERT INTO processes SELECT 1,6,pid,"
	"ppid,start+1,exe,comm,unit,container,root,exposure,preloads,0,1,0,0 FROM"
	" processes WHERE idx=5",
};

static void test_hostile_rows(void)
{
	struct sap_evidence *e = small_window(1), *got = NULL;
	struct sap_err err = { 0 };
	bool found;

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		clean();
		write_window(e, false);
		sql(changes[i]);
		err.text[0] = '\0';
		if (!CHECK_INT(sap_evstore_read(path, 0, &got, &found, &err), SAP_EFORMAT) ||
		    !CHECK(strstr(err.text, "move it away") != NULL))
			printf("after %s: %s\n", changes[i], err.text);
	}
	/* Rows of one identity are one; what the joined set says of nothing is no harm. */
	clean();
	write_window(e, false);
	sql("INSERT INTO uses SELECT window,idx+5,file,process,flags,first_seen,last_seen FROM "
	    "uses;"
	    "INSERT INTO functions SELECT window,idx+5,file,offset,names,process,entered,last_seen"
	    " FROM functions; INSERT INTO processes SELECT window,idx+5,pid,ppid,start,exe,comm,"
	    "unit,container,root,exposure,preloads,ended,4,first_seen,last_seen FROM processes;"
	    "INSERT INTO roots SELECT 0,idx,mnt_ns,dev,ino,container,pid FROM roots");
	CHECK_OK(sap_evstore_read(path, 0, &got, &found, &err), &err);
	CHECK_INT(got->uses.n, e->uses.n);
	CHECK_INT(got->functions.n, e->functions.n);
	CHECK_INT(got->processes.v[0].count, 5);
	CHECK_INT(got->processes.v[0].pid, 101);
	sap_evidence_free(got);
	sap_evidence_free(e);
}

/* Bytes changed and cut at random: an answer, whatever it is. */
static void test_damaged(void)
{
	struct sap_evidence *e = new_set(T0, T0 + 5, "b");
	unsigned char *bytes, *copy;
	unsigned refused = 0, read_all = 0;
	struct sap_err err = { 0 };
	int64_t n;
	int fd;

	clean();
	rng_state = 5;
	fill(e, 0, 300);
	write_window(e, false);
	n = size_of("");
	bytes = malloc((size_t)n);
	copy = malloc((size_t)n);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (!CHECK(bytes && copy && pread(fd, bytes, (size_t)n, 0) == n))
		return;
	for (unsigned i = 0; i < 300; i++) {
		struct sap_evidence *got = NULL;
		struct sap_evstore *s = NULL;
		bool found;

		memcpy(copy, bytes, (size_t)n);
		for (unsigned k = 0; k <= i % 8; k++)
			copy[rnd((uint32_t)n)] = (unsigned char)rnd(256);
		CHECK(pwrite(fd, copy, (size_t)n, 0) == n);
		CHECK_INT(ftruncate(fd, i % 5 ? n : (off_t)rnd((uint32_t)n)), 0);
		if (sap_evstore_read(path, 0, &got, &found, &err) < 0)
			refused++;
		else
			read_all++;
		sap_evidence_free(got);
		if (i % 10 == 0 && sap_evstore_open(path, &s, &err) == 0) {
			(void)sap_evstore_begin(s, e, &err);
			(void)sap_evstore_prune(s, T0 + 10, &err);
		}
		sap_evstore_close(s);
	}
	close(fd);
	printf("damaged 300 times: %u refused, %u read\n", refused, read_all);
	CHECK(refused > 50);
	free(bytes);
	free(copy);
	sap_evidence_free(e);
}

/* ---- cost ------------------------------------------------------------------------------- */

static void see_all(struct sap_evidence *e, int64_t when)
{
	e->end = when + 17;
	for (size_t i = 0; i < e->files.n; i++)
		e->files.v[i].last_seen = when;
	for (size_t i = 0; i < e->processes.n; i++)
		if (!e->processes.v[i].ended)
			e->processes.v[i].last_seen = when;
	for (size_t i = 0; i < e->uses.n; i++)
		e->uses.v[i].last_seen = when;
}

static unsigned rows_of(const struct sap_evidence *e)
{
	return (unsigned)(e->files.n + e->processes.n + e->uses.n + e->functions.n + e->opens.n);
}

/* 200 files, 500 processes, uses up to the number of rows, half of it functions. */
static struct sap_evidence *large_set(unsigned rows)
{
	struct sap_evidence *e = new_set(T0, T0 + SECOND, "b");

	for (unsigned i = 0; i < 200; i++)
		put_file(e, i, e->end);
	for (unsigned i = 0; i < 500; i++)
		put_process(e, (int32_t)i, 1, i % 200, e->end);
	for (unsigned i = 0; rows_of(e) < rows / 2; i++)
		CHECK_OK(sap_evidence_use(e, i % 200, i % 499, 1, e->end, NULL), NULL);
	for (unsigned i = 0; rows_of(e) < rows; i++)
		CHECK_OK(sap_evidence_entered(e, i % 200, i * 16,
					      word(e, "some_function_name@@VERSION_", i), i % 500,
					      e->end, NULL, NULL),
			 NULL);
	return e;
}

static void test_cost(void)
{
	struct sap_evidence *e = large_set(20000), *got;
	struct sap_evstore *s;
	struct sap_err err = { 0 };
	double t0, first, none, moved, joined, reading;
	int64_t size, wal = 0;

	clean();
	s = open_store();
	t0 = now_ms();
	CHECK_OK(sap_evstore_begin(s, e, &err), &err);
	first = now_ms() - t0;
	/* Nothing new. */
	size = size_of("") + size_of("-wal");
	t0 = now_ms();
	for (int i = 0; i < 100; i++)
		CHECK_OK(sap_evstore_write(s, e, &err), &err);
	none = (now_ms() - t0) / 100;
	CHECK_INT(size_of("") + size_of("-wal"), size);
	/* All is still there: the end of the window moves, and the files do not grow. */
	t0 = now_ms();
	for (int i = 2; i < 3002; i++) {
		see_all(e, T0 + i * SECOND);
		CHECK_OK(sap_evstore_write(s, e, &err), &err);
		if (size_of("-wal") > wal)
			wal = size_of("-wal");
	}
	moved = (now_ms() - t0) / 3000;
	CHECK(size_of("") + wal < size + (int64_t)(6 * SAP_MIB));
	STORE_IS(e);
	sap_evstore_close(s);
	size = size_of("");
	s = open_store();
	e->start = e->end;
	t0 = now_ms();
	CHECK_OK(sap_evstore_begin(s, e, &err), &err);
	joined = now_ms() - t0;
	sap_evstore_close(s);
	sap_evidence_free(e);
	printf("20000 rows: first %.1f ms, nothing new %.2f ms, end moved %.2f ms (with %d bytes "
	       "of -wal), file %d bytes, next window %.1f ms\n",
	       first, none, moved, (int)wal, (int)size, joined);

	clean();
	e = large_set(50000);
	write_window(e, false);
	t0 = now_ms();
	got = read_store(0);
	reading = now_ms() - t0;
	SAME(got, e);
	printf("50000 rows: read in %.1f ms, file %d bytes\n", reading, (int)size_of(""));
	/* Generous: others may be at work on this machine. */
	CHECK(first < 6000 && none < 100 && reading < 4000);
	sap_evidence_free(got);
	sap_evidence_free(e);
}

int main(void)
{
	if (!mkdtemp(folder)) {
		snprintf(folder, sizeof(folder), "/tmp/sapper-evstore-XXXXXX");
		if (!mkdtemp(folder))
			return 1;
	}
	snprintf(path, sizeof(path), "%s/evidence.db", folder);
	test_empty();
	test_round_trip();
	test_place();
	test_windows_joined();
	test_same_thing_is_one_row();
	test_ended_between();
	test_since_and_prune();
	test_many_windows();
	test_clock_jumps();
	test_one_writer();
	test_readers_beside();
	test_reader_without_rights();
	test_left_behind();
	test_killed();
	test_file_limit();
	test_full_disk();
	test_no_store();
	test_hostile_rows();
	test_damaged();
	test_cost();
	clean();
	rmdir(folder);
	return check_done();
}
