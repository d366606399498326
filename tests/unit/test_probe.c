/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes on functions of this program itself, which is entered by children: its inode is nobody else's.
 * A child is this program again, with "--enter" and what it shall call.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "check.h"
#include "observe/probe.h"

/* 5,000 functions of 16 bytes each, and three that begin with what the kernel may refuse. */
#define MANY 5000u
#define PLACES 4999u /* that get probes: one is left as it is, to compare with */
__asm__(".text\n.balign 4096\n.globl test_many\n.type test_many, @function\ntest_many:\n"
	".rept 5000\n\tnop\n\tret\n\t.balign 16\n.endr\n");
void test_many(void);

#if defined(__x86_64__)
__asm__(".text\n.balign 16\n.globl test_lock\n.type test_lock, @function\n"
	"test_lock:\n\tlock orl $0, (%rsp)\n\tret\n"
	".balign 16\n.globl test_hlt\n.type test_hlt, @function\n"
	"test_hlt:\n\thlt\n\tret\n");
void test_lock(void);
void test_hlt(void);
#endif

typedef void function(void);

static function *many(uint32_t i)
{
	return (function *)((uintptr_t)test_many + 16u * i);
}

/* Where an address of this program is in its file. */
static uint64_t offset_of(uintptr_t at)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[4352];
	uint64_t found = 0;

	while (f && fgets(line, sizeof(line), f)) {
		char *end;
		uint64_t from = strtoull(line, &end, 16);
		uint64_t to = strtoull(end + 1, &end, 16);
		uint64_t pgoff = strtoull(end + 6, &end, 16);

		if (at >= from && at < to)
			found = at - from + pgoff;
	}
	if (f)
		fclose(f);
	return found;
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void nap(long ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

/* ---- what was told ------------------------------------------------------------------------ */

struct told {
	uint32_t count[MANY + 16];
	int32_t pid[MANY + 16]; /* the last one */
	int error[MANY + 16];
	uint64_t lost, strange;
	int64_t when;
};

static int on_hit(void *ctx, uint32_t cookie, int32_t pid, int64_t when, struct sap_err *err)
{
	struct told *t = ctx;

	(void)err;
	if (cookie < 100 || cookie >= 100 + MANY + 16) {
		t->strange++;
		return 0;
	}
	t->count[cookie - 100]++;
	t->pid[cookie - 100] = pid;
	t->when = when;
	return 0;
}

static int on_refused(void *ctx, uint32_t cookie, int error, struct sap_err *err)
{
	struct told *t = ctx;

	(void)err;
	t->error[cookie - 100] = error;
	return 0;
}

static void pump(struct sap_probes *p, struct told *t, long ms)
{
	int64_t end = now_ns() + ms * 1000000;
	struct sap_err err = { 0 };

	for (;;) {
		struct pollfd fd = { .fd = sap_probes_fd(p), .events = POLLIN };
		int64_t now = now_ns(), next = sap_probes_work(p, now);
		uint64_t lost = 0;

		next = next < end ? next : end;
		poll(&fd, 1, next <= now ? 0 : (int)((next - now) / 1000000 + 1));
		CHECK_OK(sap_probes_read(p, on_hit, t, &lost, &err), &err);
		t->lost += lost;
		if (now >= end)
			break;
	}
}

/* NULL: skipped. */
static struct sap_probes *start(const char *what, const struct sap_probe_options *options)
{
	struct sap_probes *p = NULL;
	struct sap_err err = { 0 };
	int fd;

	if (sap_probes_new(options, &p, &err)) {
		check_skip(what, err.text);
		return NULL;
	}
	fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	CHECK_OK(sap_probes_file(p, 7, fd, &err), &err);
	return p;
}

static uint32_t place_many(struct sap_probes *p, uint32_t n, struct told *t)
{
	uint64_t *offsets = malloc(n * sizeof(*offsets)), base = offset_of((uintptr_t)test_many);
	struct sap_err err = { 0 };
	uint32_t placed = 0;

	for (uint32_t i = 0; i < n; i++)
		offsets[i] = base + 16u * i;
	CHECK_OK(sap_probes_place(p, 7, 100, offsets, n, on_refused, t, &placed, &err), &err);
	free(offsets);
	return placed;
}

/* Breakpoints that this process has at every STEPth of the first n functions. */
static uint32_t breakpoints(uint32_t n, uint32_t step)
{
	const volatile unsigned char *code = (const unsigned char *)(uintptr_t)test_many;
	uint32_t left = 0;

	/* The last one never has a probe. */
	for (uint32_t i = 0; i < n; i++)
		left += i % step == 0 && code[16u * i] != code[16u * (MANY - 1)];
	return left;
}

/* The kernel's workers take them away in the background. 0: all are away. */
static uint32_t wait_until_gone(uint32_t n, uint32_t step)
{
	uint32_t left = 0;

	for (int i = 0; i < 1500; i++) {
		left = breakpoints(n, step);
		if (!left)
			break;
		nap(20);
	}
	return left;
}

/* ---- children ----------------------------------------------------------------------------- */

/* --enter STEP: every STEPth function once; by another one that is forked in between. */
static int child_enter(uint32_t step)
{
	for (uint32_t i = 0; i < MANY; i += 2 * step)
		many(i)();
	if (fork() == 0) {
		for (uint32_t i = step; i < MANY; i += 2 * step)
			many(i)();
		_exit(0);
	}
	wait(NULL);
	return 0;
}

static const uint32_t *order;

static void *thread_calls(void *arg)
{
	uint32_t k = (uint32_t)(uintptr_t)arg, mine = 0;

	/* One function each time, and hot ones in between so that links are exchanged. */
	for (uint32_t i = k; i < MANY; i += 4) {
		many(order[i])();
		for (uint32_t j = 0; j < 200; j++)
			many(order[mine])();
		if (i % 64 == k)
			nap(10), mine = i;
	}
	return NULL;
}

/* --threads: each function is entered for its first time by one of four threads, spread over a second
 * or so. */
static int child_threads(void)
{
	static uint32_t shuffled[MANY];
	pthread_t threads[4];
	uint32_t x = 12345;

	for (uint32_t i = 0; i < MANY; i++)
		shuffled[i] = i;
	for (uint32_t i = MANY - 1; i; i--) {
		uint32_t j, was = shuffled[i];

		x = x * 1664525 + 1013904223;
		j = (x >> 8) % (i + 1);
		shuffled[i] = shuffled[j];
		shuffled[j] = was;
	}
	order = shuffled;
	for (uintptr_t k = 0; k < 4; k++)
		pthread_create(&threads[k], NULL, thread_calls, (void *)k);
	for (uint32_t k = 0; k < 4; k++)
		pthread_join(threads[k], NULL);
	return 0;
}

/* --again N: the first N functions again and again, for half a minute or until it is killed. */
static int child_again(uint32_t n)
{
	for (int64_t end = now_ns() + INT64_C(30000000000); now_ns() < end; nap(1))
		for (uint32_t i = 0; i < n; i++)
			many(i)();
	return 0;
}

static pid_t run_child(const char *what, const char *arg)
{
	pid_t pid = fork();

	if (!pid) {
		execl("/proc/self/exe", "test_probe", what, arg, (char *)NULL);
		_exit(127);
	}
	return pid;
}

/* Runs it to its end while hits are read. */
static pid_t run_and_pump(struct sap_probes *p, struct told *t, const char *what, const char *arg)
{
	pid_t pid = run_child(what, arg);
	int status = 0;

	for (int i = 0; i < 1000 && waitpid(pid, &status, WNOHANG) == 0; i++)
		pump(p, t, 20);
	CHECK_INT(status, 0);
	pump(p, t, 20);
	return pid;
}

/* ---- tests -------------------------------------------------------------------------------- */

static void entered_ones_are_told_exactly(const char *what, bool single, uint32_t n)
{
	struct sap_probe_options options = { .single = single };
	struct sap_probes *p = start(what, &options);
	struct told *t = calloc(1, sizeof(*t));
	struct sap_probe_counts counts;
	uint32_t missed = 0, false_ones = 0, forked = 0;
	int64_t day = time(NULL);
	pid_t pid;

	if (!p) {
		free(t);
		return;
	}
	CHECK_INT(place_many(p, n, t), n);
	pid = run_and_pump(p, t, "--enter", "3");
	for (uint32_t i = 0; i < n; i++) {
		missed += i % 3 == 0 && t->count[i] != 1;
		false_ones += i % 3 != 0 && t->count[i];
		forked += i % 6 == 3 && t->pid[i] != pid;
		if (i % 6 == 0 && t->count[i] && t->pid[i] != pid)
			false_ones++;
	}
	CHECK_INT(missed, 0);
	CHECK_INT(false_ones, 0);
	CHECK_INT(forked, (n + 2) / 6);
	CHECK_INT(t->lost + t->strange, 0);
	CHECK(t->when / 1000000000 >= day - 1 && t->when / 1000000000 <= time(NULL) + 1);
	/* What fired vanishes: within a second in any case. */
	for (int i = 0; i < 200; i++) {
		pump(p, t, 50);
		sap_probes_counts(p, &counts);
		if (counts.standing == n - (n + 2) / 3)
			break;
	}
	CHECK_INT(counts.standing, n - (n + 2) / 3);
	CHECK_INT(counts.fired, (n + 2) / 3);
	CHECK(counts.exchanges > 0);
	/* It is not told of again. */
	CHECK_INT(wait_until_gone(n, 3), 0);
	memset(t, 0, sizeof(*t));
	run_and_pump(p, t, "--enter", "3");
	for (uint32_t i = 0; i < n; i++)
		false_ones += t->count[i];
	CHECK_INT(false_ones, 0);
	sap_probes_free(p);
	free(t);
}

static void none_is_missed_during_exchanges(bool no_fs)
{
	struct sap_probe_options options = { .no_fs = no_fs };
	struct sap_probes *p = start("exchanges", &options);
	struct told *t = calloc(1, sizeof(*t));
	struct sap_probe_counts counts = { 0 };
	uint32_t wrong = 0;

	if (p) {
		CHECK_INT(place_many(p, PLACES, t), PLACES);
		run_and_pump(p, t, "--threads", "");
		for (uint32_t i = 0; i < PLACES; i++)
			wrong += t->count[i] != 1;
		CHECK_INT(wrong, 0);
		CHECK_INT(t->lost, 0);
		sap_probes_counts(p, &counts);
		CHECK(counts.exchanges >= 5);
		sap_probes_free(p);
	}
	free(t);
}

static void what_did_not_fit_is_counted_and_told_later(void)
{
	struct sap_probe_options options = { .hits_max = 16 };
	struct sap_probes *p = start("a small map", &options);
	struct told *t = calloc(1, sizeof(*t));
	uint32_t missed = 1;
	pid_t pid;

	if (p) {
		CHECK_INT(place_many(p, 60, t), 60);
		pid = run_child("--again", "40");
		for (int k = 0; k < 2000 && missed; k++) {
			pump(p, t, 50);
			missed = 0;
			for (uint32_t i = 0; i < 40; i++)
				missed += t->count[i] == 0;
		}
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		CHECK_INT(missed, 0);
		CHECK(t->lost > 0);
		sap_probes_free(p);
	}
	free(t);
}

static void refused_instructions(bool single)
{
#if defined(__x86_64__)
	struct sap_probe_options options = { .single = single };
	struct sap_probes *p = start("refused instructions", &options);
	uint64_t offsets[700], base = offset_of((uintptr_t)test_many);
	struct told *t = calloc(1, sizeof(*t));
	struct sap_err err = { 0 };
	uint32_t placed = 0, n = single ? 20 : 700;
	int64_t took[2];

	for (uint32_t i = 0; i < n && p; i++)
		offsets[i] = base + 16u * i;
	for (uint32_t round = 0; round < 2 && p; round++) {
		offsets[n - 2] = offset_of((uintptr_t)test_lock);
		offsets[n - 1] = offset_of((uintptr_t)test_hlt);
		memset(t, 0, sizeof(*t));
		took[round] = now_ns();
		CHECK_OK(sap_probes_place(p, 7, 100, offsets, n, on_refused, t, &placed, &err),
			 &err);
		took[round] = now_ns() - took[round];
		CHECK_INT(placed, n - 2);
		CHECK_INT(t->error[n - 2], 524);
		CHECK_INT(t->error[n - 1], 524);
		CHECK_INT(t->error[0] + t->error[n - 3], 0);
		sap_probes_forget(p, 7);
		CHECK_OK(sap_probes_file(p, 7, open("/proc/self/exe", O_PATH | O_CLOEXEC), &err),
			 &err);
	}
	/* Remembered: no search in the second round. */
	if (p)
		printf("search %lld us, remembered %lld us\n", (long long)took[0] / 1000,
		       (long long)took[1] / 1000);
	sap_probes_free(p);
	free(t);
#else
	check_skip("refused instructions", single ? "x86-64 only" : "x86-64 only");
#endif
}

static void bad_requests(void)
{
	struct sap_probe_options options = { 0 };
	struct sap_probes *p = start("bad requests", &options);
	struct told *t = calloc(1, sizeof(*t));
	uint64_t offsets[3] = { offset_of((uintptr_t)test_many), UINT64_C(1) << 40, UINT64_MAX };
	struct sap_err err = { 0 };
	uint32_t placed = 0;

	if (p) {
		CHECK_INT(sap_probes_place(p, 8, 100, offsets, 3, on_refused, t, &placed, &err),
			  SAP_EUSAGE);
		CHECK_OK(sap_probes_place(p, 7, 100, offsets, 3, on_refused, t, &placed, &err),
			 &err);
		CHECK_INT(placed, 1);
		CHECK_INT(t->error[1], EINVAL);
		CHECK_INT(t->error[2], EINVAL);
		CHECK_INT(sap_probes_place(p, 7, 102, offsets, 1, on_refused, t, &placed, &err),
			  SAP_EUSAGE);
		CHECK_INT(sap_probes_file(p, 9, open("/", O_PATH | O_CLOEXEC), &err), SAP_EUSAGE);
		sap_probes_free(p);
	}
	free(t);
}

static void nothing_stays_behind_after_kill(void)
{
	const volatile unsigned char *code = (const unsigned char *)(uintptr_t)test_many;
	unsigned char placed = 0;
	int pipes[2];
	pid_t pid;

	if (pipe(pipes))
		return;
	pid = fork();
	if (!pid) {
		struct sap_probe_options options = { 0 };
		struct sap_probes *p = start("kill -9", &options);
		struct told *t = calloc(1, sizeof(*t));

		if (p && place_many(p, PLACES, t) == PLACES)
			(void)!write(pipes[1], "x", 1);
		else
			_exit(0);
		for (;;)
			pause();
	}
	close(pipes[1]);
	if (read(pipes[0], &placed, 1) == 1) {
		unsigned char there = code[0];

		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
#if defined(__x86_64__)
		CHECK_INT(there, 0xcc);
#else
		(void)there;
#endif
		CHECK_INT(wait_until_gone(PLACES, 1), 0);
	} else {
		check_skip("kill -9", "no probes here");
		waitpid(pid, NULL, 0);
	}
	close(pipes[0]);
}

/* A folder in the cgroup v2 hierarchy of its own; false: none can be made. */
static bool cgroup_make(char *path, size_t size)
{
	FILE *f = fopen("/proc/self/mounts", "re");
	char line[4096];
	bool made = false;

	while (f && !made && fgets(line, sizeof(line), f)) {
		char *at = strchr(line, ' '), *end = at ? strchr(at + 1, ' ') : NULL;

		if (!end || strncmp(end, " cgroup2 ", 9) != 0)
			continue;
		snprintf(path, size, "%.*s/sapper-test-%d", (int)(end - at - 1), at + 1,
			 (int)getpid());
		made = mkdir(path, 0755) == 0;
	}
	if (f)
		fclose(f);
	return made;
}

static pid_t run_child_in(const char *cgroup, const char *what, const char *arg)
{
	char file[4500];
	pid_t pid = fork();
	int fd;

	if (pid)
		return pid;
	snprintf(file, sizeof(file), "%s/cgroup.procs", cgroup);
	fd = open(file, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		_exit(126);
	execl("/proc/self/exe", "test_probe", what, arg, (char *)NULL);
	_exit(127);
}

static void only_the_cgroup_counts(void)
{
	struct sap_probe_options options = { 0 };
	struct told *t = calloc(1, sizeof(*t));
	struct sap_probes *p = NULL;
	char path[4352], below[4400];
	uint32_t wrong = 0, hits = 0;
	struct stat st;
	pid_t pid;

	if (!cgroup_make(path, sizeof(path)) || stat(path, &st)) {
		check_skip("cgroup", "no cgroup v2 folder can be made");
		free(t);
		return;
	}
	snprintf(below, sizeof(below), "%s/below", path);
	CHECK_INT(mkdir(below, 0755), 0);
	options.cgroup = st.st_ino;
	p = start("cgroup", &options);
	if (p) {
		place_many(p, 600, t);
		run_and_pump(p, t, "--enter", "3"); /* outside */
		for (uint32_t i = 0; i < 600; i++)
			wrong += t->count[i];
		CHECK_INT(wrong, 0);
		pid = run_child_in(below, "--enter", "5");
		waitpid(pid, NULL, 0);
		pump(p, t, 50);
		for (uint32_t i = 0; i < 600; i++) {
			hits += t->count[i];
			wrong += i % 5 && t->count[i];
		}
		CHECK_INT(wrong, 0);
		CHECK_INT(hits, 120);
		sap_probes_free(p);
	}
	rmdir(below);
	rmdir(path);
	free(t);
}

static void forgetting_a_file_takes_its_probes_away(void)
{
	struct sap_probe_options options = { 0 };
	struct sap_probes *p = start("forget", &options);
	struct told *t = calloc(1, sizeof(*t));
	struct sap_probe_counts counts;

	if (p) {
		place_many(p, 2000, t);
		sap_probes_forget(p, 7);
		sap_probes_counts(p, &counts);
		CHECK_INT(counts.standing, 0);
		CHECK_INT(wait_until_gone(PLACES, 1), 0);
		sap_probes_free(p);
	}
	free(t);
}

int main(int argc, char **argv)
{
	if (argc > 2 && strcmp(argv[1], "--enter") == 0)
		return child_enter((uint32_t)strtoul(argv[2], NULL, 10));
	if (argc > 2 && strcmp(argv[1], "--threads") == 0)
		return child_threads();
	if (argc > 2 && strcmp(argv[1], "--again") == 0)
		return child_again((uint32_t)strtoul(argv[2], NULL, 10));
	entered_ones_are_told_exactly("5,000 functions", false, PLACES);
	entered_ones_are_told_exactly("single perf uprobes", true, 30);
	none_is_missed_during_exchanges(false);
	none_is_missed_during_exchanges(true);
	what_did_not_fit_is_counted_and_told_later();
	refused_instructions(false);
	refused_instructions(true);
	bad_requests();
	nothing_stays_behind_after_kill();
	only_the_cgroup_counts();
	forgetting_a_file_takes_its_probes_away();
	return check_done();
}
