/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "check.h"
#include "model/evidence.h"

static struct sap_err err;

static struct sap_evidence *new_set(void)
{
	struct sap_evidence *e = sap_evidence_new();

	if (!CHECK(e != NULL))
		exit(check_done());
	return e;
}

static uint32_t file_of(struct sap_evidence *e, uint64_t ino, const char *path)
{
	const struct sap_file_id id = { 1, ino, 100 };
	uint32_t i = SAP_NONE;

	CHECK_OK(sap_evidence_file(e, &id, 0, sap_str_of(path), &i, NULL, &err), &err);
	return i;
}

static uint32_t process_of(struct sap_evidence *e, int32_t pid, uint64_t start, uint32_t exe)
{
	uint32_t i = SAP_NONE;

	CHECK_OK(sap_evidence_process(e, pid, start, &i, NULL, &err), &err);
	e->processes.v[i].exe = exe;
	return i;
}

static uint32_t count_uses(const struct sap_evidence *e, uint32_t process)
{
	uint32_t n = 0;

	for (size_t i = 0; i < e->uses.n; i++)
		n += e->uses.v[i].process == process && process != SAP_NONE;
	return n;
}

static void texts_are_kept_once(void)
{
	struct sap_evidence *e = new_set();
	struct sap_str a, b, none;

	CHECK(sap_evidence_text(e, SAP_STR("libc.so.6"), &a));
	CHECK(sap_evidence_text(e, SAP_STR("libc.so.6"), &b));
	CHECK(a.p == b.p);
	CHECK(sap_evidence_text(e, (struct sap_str){ 0 }, &none));
	CHECK_INT(none.n, 0);
	sap_evidence_free(e);
}

static void a_million_short_processes_are_one_entry(void)
{
	enum { N = 200000 };
	struct sap_evidence *e = new_set();
	uint32_t exe = file_of(e, 1, "/bin/true"), libc = file_of(e, 2, "/lib/libc.so.6"), last = 0;

	for (int32_t i = 0; i < N; i++) {
		uint32_t p = process_of(e, i % 30000 + 2, (uint64_t)i, exe);

		sap_evidence_use(e, exe, p, SAP_USE_LIVE, i + 1, &err);
		sap_evidence_use(e, libc, p, SAP_USE_LIVE, i + 1, &err);
		CHECK(sap_evidence_end(e, p, i + 2, &last, &err) == 0);
	}
	CHECK_INT(e->processes_seen, N);
	CHECK_INT(e->processes.v[last].count, N);
	CHECK(e->processes.n <= 2);
	CHECK(e->uses.n <= 4);
	CHECK_INT(count_uses(e, last), 2);
	CHECK_INT(e->files.v[libc].n_processes, N);
	CHECK_INT(sap_evidence_living(e, 5), SAP_NONE);
	CHECK_INT(e->processes.v[last].last_seen, N + 1);
	sap_evidence_free(e);
}

static void a_pid_that_comes_back_is_another_process(void)
{
	struct sap_evidence *e = new_set();
	uint32_t exe = file_of(e, 1, "/bin/a"), other = file_of(e, 2, "/bin/b");
	uint32_t a = process_of(e, 10, 1000, exe), b;
	bool added = false;

	CHECK_INT(process_of(e, 10, 1000, exe), a);
	CHECK_OK(sap_evidence_process(e, 10, 2000, &b, &added, &err), &err);
	CHECK(added && a != b);
	e->processes.v[b].exe = other;
	CHECK(e->processes.v[a].ended);
	CHECK_INT(sap_evidence_living(e, 10), b);
	CHECK_INT(e->processes_seen, 2);
	sap_evidence_free(e);
}

static void what_the_ended_had_moves_to_its_like(void)
{
	struct sap_evidence *e = new_set();
	uint32_t exe = file_of(e, 1, "/bin/a"), lib = file_of(e, 2, "/lib/b.so"), to = SAP_NONE;
	uint32_t a = process_of(e, 10, 1, exe), b = process_of(e, 11, 2, exe);

	CHECK_OK(sap_evidence_use(e, lib, b, SAP_USE_PROC, 50, &err), &err);
	CHECK_OK(sap_evidence_entered(e, lib, 64, SAP_STR("f@@V"), b, 51, NULL, &err), &err);
	CHECK_OK(sap_evidence_open(e, 0, SAP_STR("/etc/x"), b, 1, 52, &err), &err);
	CHECK_OK(sap_evidence_listen(e, b, SAP_STR("0.0.0.0:80/tcp"), SAP_EXPOSURE_NETWORK, &err),
		 &err);
	CHECK_OK(sap_evidence_listen(e, a, SAP_STR("0.0.0.0:80/tcp"), SAP_EXPOSURE_NETWORK, &err),
		 &err);
	CHECK_OK(sap_evidence_end(e, a, 60, NULL, &err), &err);
	CHECK_OK(sap_evidence_end(e, b, 61, &to, &err), &err);
	CHECK_INT(to, a);
	CHECK(sap_seen_free(&e->processes.v[b]));
	CHECK_INT(e->processes.v[a].count, 2);
	CHECK_INT(e->processes.v[a].pid, 11);
	CHECK_INT(e->processes.v[a].exposure, SAP_EXPOSURE_NETWORK);
	CHECK(e->processes.v[a].listens && !e->listens.v[e->processes.v[a].listens - 1].next);
	CHECK_INT(count_uses(e, a), 1);
	CHECK_INT(e->functions.v[0].process, a);
	CHECK_INT(e->opens.v[0].process, a);
	/* The slot is used again. */
	CHECK_INT(process_of(e, 12, 3, exe), b);
	sap_evidence_free(e);
}

static void looking_again_at_sockets_keeps_the_list_short(void)
{
	struct sap_evidence *e = new_set();
	uint32_t p = process_of(e, 1, 1, SAP_NONE);

	for (int i = 0; i < 1000; i++) {
		sap_evidence_no_listens(e, p);
		sap_evidence_listen(e, p, SAP_STR("[::]:22/tcp"), SAP_EXPOSURE_NETWORK, &err);
		sap_evidence_listen(e, p, SAP_STR("/run/x"), SAP_EXPOSURE_LOCAL, &err);
	}
	CHECK(e->listens.n <= 2);
	CHECK_INT(e->processes.v[p].exposure, SAP_EXPOSURE_NETWORK);
	sap_evidence_free(e);
}

static void a_file_is_its_identity_and_not_its_path(void)
{
	struct sap_evidence *e = new_set();
	struct sap_file_id old = { 1, 7, 100 }, new = { 1, 7, 200 }, unknown = { 1, 7, 0 };
	uint32_t a, b, c;
	bool added;

	CHECK_OK(sap_evidence_file(e, &old, 0, SAP_STR("/lib/x"), &a, &added, &err), &err);
	CHECK(added);
	CHECK_OK(sap_evidence_file(e, &new, 0, SAP_STR("/lib/x"), &b, &added, &err), &err);
	CHECK(added && a != b);
	CHECK_OK(sap_evidence_file(e, &unknown, 0, SAP_STR("/lib/x"), &c, &added, &err), &err);
	CHECK(!added && c == b);
	CHECK_OK(sap_evidence_file(e, &old, 0, SAP_STR("/lib/x"), &c, &added, &err), &err);
	CHECK(!added && c == a);
	CHECK_OK(sap_evidence_file(e, &unknown, 0, SAP_STR("/lib/y"), &c, &added, &err), &err);
	CHECK(added);
	CHECK_OK(sap_evidence_file(e, &(struct sap_file_id){ 1, 7, 300 }, 0, SAP_STR("/lib/y"), &b,
				   &added, &err),
		 &err);
	CHECK(!added && b == c && e->files.v[c].id.ctime == 300);
	sap_evidence_free(e);
}

/* Two windows of one boot: a process that lives through both, one that ended in the first. */
static void windows_join(void)
{
	struct sap_evidence *a = new_set(), *b = new_set();
	uint32_t exe, p, q;

	a->start = 1000;
	a->end = 2000;
	exe = file_of(a, 1, "/bin/a");
	p = process_of(a, 10, 1, exe);
	q = process_of(a, 11, 2, exe);
	sap_evidence_use(a, exe, p, SAP_USE_PROC, 1000, &err);
	sap_evidence_use(a, exe, q, SAP_USE_LIVE, 1500, &err);
	sap_evidence_end(a, q, 1600, NULL, &err);
	b->start = 3000;
	b->end = 4000;
	b->losses.hits = 3;
	b->processes_hidden = 2;
	file_of(b, 9, "/lib/shift");
	exe = file_of(b, 1, "/bin/a");
	p = process_of(b, 10, 1, exe);
	q = process_of(b, 12, 5, exe);
	sap_evidence_use(b, exe, p, SAP_USE_PROC, 3000, &err);
	sap_evidence_use(b, exe, q, SAP_USE_LIVE, 3500, &err);
	sap_evidence_end(b, q, 3600, NULL, &err);
	sap_evidence_entered(b, exe, 8, SAP_STR("main"), q, 3500, NULL, &err);
	CHECK_OK(sap_evidence_merge(a, b, &err), &err);
	CHECK_INT(a->start, 1000);
	CHECK_INT(a->end, 4000);
	CHECK_INT(a->gaps.n, 1);
	CHECK_INT(a->gaps.v[0].start, 2000);
	CHECK_INT(a->gaps.v[0].end, 3000);
	CHECK_INT(a->processes_seen, 3);
	CHECK_INT(a->processes_hidden, 2);
	CHECK_INT(a->losses.hits, 3);
	CHECK_INT(a->files.v[0].n_processes, 3);
	p = sap_evidence_living(a, 10);
	if (CHECK(p != SAP_NONE))
		CHECK_INT(a->processes.v[p].exe, 0);
	for (size_t i = 0, ended = 0; i < a->processes.n; i++) {
		const struct sap_seen_process *x = &a->processes.v[i];

		ended += x->ended && !sap_seen_free(x);
		if (i + 1 == a->processes.n)
			CHECK_INT(ended, 1);
		if (x->ended && !sap_seen_free(x))
			CHECK_INT(x->count, 2);
	}
	sap_evidence_free(a);
	sap_evidence_free(b);
}

static void another_boot_has_ended_all_processes(void)
{
	struct sap_evidence *a = new_set(), *b = new_set();

	sap_evidence_text(a, SAP_STR("boot-1"), &a->boot_id);
	sap_evidence_text(b, SAP_STR("boot-2"), &b->boot_id);
	a->start = 1;
	a->end = 2;
	b->start = 5;
	b->end = 6;
	process_of(a, 10, 1, file_of(a, 1, "/bin/a"));
	process_of(b, 10, 1, file_of(b, 1, "/bin/a"));
	CHECK_OK(sap_evidence_merge(a, b, &err), &err);
	CHECK_INT(a->processes_seen, 2);
	CHECK_STR(a->boot_id, "boot-2");
	CHECK(sap_evidence_living(a, 10) != SAP_NONE);
	CHECK_OK(sap_evidence_merge(b, a, &err), &err);
	sap_evidence_free(a);
	sap_evidence_free(b);
}

/* A watch of one process, beside a look at all: its window and its probes say nothing of the others. */
static void a_narrow_window_is_no_window(void)
{
	struct sap_evidence *narrow = new_set(), *whole = new_set();
	uint32_t lib = file_of(narrow, 2, "/lib/b.so"), p = process_of(narrow, 10, 1, lib);

	narrow->narrow = true;
	narrow->start = 1000;
	narrow->end = 9000;
	narrow->losses.hits = 5;
	narrow->files.v[lib].observed = SAP_OBSERVED_PROBED;
	narrow->files.v[lib].n_probed = 7;
	sap_evidence_entered(narrow, lib, 64, SAP_STR("f"), p, 1500, NULL, &err);
	whole->start = whole->end = 9500;
	file_of(whole, 2, "/lib/b.so");
	CHECK_OK(sap_evidence_merge(narrow, whole, &err), &err);
	CHECK(!narrow->narrow);
	CHECK_INT(narrow->start, 9500);
	CHECK_INT(narrow->losses.hits, 0);
	CHECK_INT(narrow->gaps.n, 0);
	CHECK_INT(narrow->functions.n, 1);
	CHECK_INT(narrow->files.v[lib].observed, SAP_OBSERVED_NOT_ASKED);
	CHECK_INT(narrow->files.v[lib].n_probed, 0);
	narrow->narrow = true;
	narrow->files.v[lib].observed = SAP_OBSERVED_PROBED;
	CHECK_OK(sap_evidence_merge(whole, narrow, &err), &err);
	CHECK(!whole->narrow);
	CHECK_INT(whole->start, 9500);
	CHECK_INT(whole->functions.n, 1);
	CHECK_INT(whole->files.v[0].observed, SAP_OBSERVED_NOT_ASKED);
	sap_evidence_free(narrow);
	sap_evidence_free(whole);
}

/* Random adding and ending against plain lists. */
static void random_lives(void)
{
	enum { PIDS = 300, STEPS = 60000, FILES = 40 };
	struct sap_evidence *e = new_set();
	uint64_t start[PIDS] = { 0 }, clock = 1, born = 0;
	uint32_t files[FILES], x = 12345;
	char path[32];

	for (int i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "/f%d", i);
		files[i] = file_of(e, (uint64_t)i + 1, path);
	}
	for (int i = 0; i < STEPS; i++) {
		uint32_t pid, p;

		x = x * 1664525 + 1013904223;
		pid = (x >> 8) % PIDS;
		p = sap_evidence_living(e, (int32_t)pid);
		CHECK((p != SAP_NONE) == (start[pid] != 0));
		if (start[pid] && (x >> 20) % 3 == 0) {
			CHECK(sap_evidence_end(e, p, (int64_t)clock, NULL, &err) == 0);
			start[pid] = 0;
			continue;
		}
		if (!start[pid]) {
			start[pid] = ++clock;
			born++;
		}
		p = process_of(e, (int32_t)pid, start[pid], files[pid % FILES]);
		CHECK(sap_evidence_use(e, files[(x >> 24) % FILES], p, SAP_USE_LIVE, (int64_t)clock,
				       &err) == 0);
	}
	CHECK_INT(e->processes_seen, born);
	CHECK(e->processes.n <= PIDS + FILES);
	born = 0;
	for (size_t i = 0; i < e->processes.n; i++)
		born += e->processes.v[i].count;
	CHECK_INT(born, e->processes_seen);
	CHECK_INT(e->losses.ceiling, 0);
	sap_evidence_free(e);
}

/* What two watches say of a file that one of them probed; exposure and environment of a fold. */
static void test_watched_merge(void)
{
	struct sap_evidence *a = sap_evidence_new(), *b = sap_evidence_new();
	const struct sap_file_id id = { 1, 2, 3 };
	uint32_t file, process;

	CHECK_INT(sap_exposure_max(SAP_EXPOSURE_NONE, SAP_EXPOSURE_UNKNOWN), SAP_EXPOSURE_UNKNOWN);
	CHECK_INT(sap_exposure_max(SAP_EXPOSURE_LOCAL, SAP_EXPOSURE_UNKNOWN), SAP_EXPOSURE_LOCAL);
	a->start = 1000;
	a->end = 3000;
	a->live = true;
	CHECK_INT(sap_evidence_file(a, &id, 0, SAP_STR("/l"), &file, NULL, &err), 0);
	CHECK_INT(sap_evidence_process(a, 5, 1, &process, NULL, &err), 0);
	CHECK_INT(sap_evidence_use(a, file, process, SAP_USE_PROC, 2000, &err), 0);
	a->files.v[file].observed = SAP_OBSERVED_PROBED;
	a->files.v[file].observed_since = 1500;
	a->files.v[file].watched = 1500;
	a->files.v[file].watched_processes = 1;
	b->start = 4000;
	b->end = 9000;
	CHECK_INT(sap_evidence_file(b, &id, 0, SAP_STR("/l"), &file, NULL, &err), 0);
	CHECK_INT(sap_evidence_process(b, 6, 2, &process, NULL, &err), 0);
	b->processes.v[process].exposure = SAP_EXPOSURE_NONE;
	CHECK_INT(sap_evidence_use(b, file, process, SAP_USE_PROC, 5000, &err), 0);
	CHECK_INT(sap_evidence_merge(a, b, &err), 0);
	CHECK_INT(a->files.v[0].observed, SAP_OBSERVED_PROBED);
	CHECK_INT(a->files.v[0].watched, 1500);
	CHECK_INT(a->files.v[0].watched_processes, 1);
	CHECK_INT(a->files.v[0].n_processes, 2);
	CHECK(!a->live);
	CHECK_INT(sap_evidence_stood(a, 1500), 6500);
	CHECK_INT(a->processes.v[sap_evidence_living(a, 6)].exposure, SAP_EXPOSURE_NONE);
	/* Full of texts: counted, and no lack of memory. */
	a->arena.max = a->arena.used;
	CHECK_INT(sap_evidence_file(a, &id, 0, SAP_STR("/other"), &file, NULL, &err), SAP_ELIMIT);
	CHECK_INT(a->losses.ceiling, 1);
	sap_evidence_free(a);
	sap_evidence_free(b);
}

int main(void)
{
	texts_are_kept_once();
	a_million_short_processes_are_one_entry();
	a_pid_that_comes_back_is_another_process();
	what_the_ended_had_moves_to_its_like();
	looking_again_at_sockets_keeps_the_list_short();
	a_file_is_its_identity_and_not_its_path();
	windows_join();
	another_boot_has_ended_all_processes();
	a_narrow_window_is_no_window();
	random_lives();
	test_watched_merge();
	return check_done();
}
