/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel tells of processes, against what those processes say of themselves: this
 * program runs itself as a child that writes its own /proc/self/maps.
 */
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/vec.h"
#include "check.h"
#include "observe/capability.h"
#include "observe/perf_int.h"
#include "observe/serve.h"

enum { CHILDREN = 300, NOBODY = 65534, WAIT_MS = 20000, MAX = 4000000 };

/* ---- what was heard --------------------------------------------------------------------- */

struct mapping {
	int32_t pid;
	int64_t when;
	uint64_t addr, dev, ino;
	uint32_t n_build_id;
	char *path;
};

struct event {
	uint32_t type;
	int32_t pid, ppid;
	int64_t when;
	char text[64];
};

struct heard {
	SAP_VEC(struct mapping) maps;
	SAP_VEC(struct event) events;
	struct sap_wire_ready ready;
	struct sap_wire_lost lost;
	struct sap_wire_placed placed;
	unsigned notes;
	bool ready_came, placed_came, ended, gone;
};

static void hear_message(struct heard *h, const struct sap_wire_message *m)
{
	const struct sap_wire_map *map = m->body;
	const struct sap_wire_comm *comm = m->body;
	const struct sap_wire_task *task = m->body;
	const struct sap_wire_open *opened = m->body;
	const struct sap_wire_lost *lost = m->body;
	const struct sap_wire_hit *hit = m->body;
	struct event *e;

	switch (m->type) {
	case SAP_WIRE_MAP:
		*SAP_VEC_PUSH(&h->maps, MAX) =
			(struct mapping){ .pid = map->pid,
					  .when = map->when,
					  .addr = map->addr,
					  .dev = map->dev,
					  .ino = map->ino,
					  .n_build_id = map->n_build_id,
					  .path = strndup(map->path, map->n_path) };
		return;
	case SAP_WIRE_READY:
		memcpy(&h->ready, m->body, sizeof(h->ready));
		h->ready_came = true;
		return;
	case SAP_WIRE_LOST:
		h->lost.maps += lost->maps;
		h->lost.hits += lost->hits;
		h->lost.opens += lost->opens;
		return;
	case SAP_WIRE_PLACED:
		memcpy(&h->placed, m->body, sizeof(h->placed));
		h->placed_came = true;
		return;
	case SAP_WIRE_HIT:
		e = SAP_VEC_PUSH(&h->events, MAX);
		e->type = m->type;
		e->pid = hit->pid;
		return;
	case SAP_WIRE_END:
		h->ended = true;
		return;
	case SAP_WIRE_NOTE:
		fprintf(stderr, "note: %.*s\n", (int)m->size, (const char *)m->body);
		h->notes++;
		return;
	}
	e = SAP_VEC_PUSH(&h->events, MAX);
	e->type = m->type;
	if (m->type == SAP_WIRE_OPEN) {
		e->pid = opened->pid;
		(void)snprintf(e->text, sizeof(e->text), "%.*s", (int)opened->n_path, opened->path);
		return;
	}
	e->pid = task->pid;
	e->when = m->type == SAP_WIRE_EXEC ? comm->when : task->when;
	if (m->type == SAP_WIRE_EXEC)
		(void)snprintf(e->text, sizeof(e->text), "%s", comm->comm);
	else
		e->ppid = task->ppid;
}

/* All that is there now. */
static void hear(struct heard *h, int fd)
{
	_Alignas(8) static unsigned char in[SAP_WIRE_PACKET_MAX];

	while (!h->gone) {
		struct sap_wire_message m;
		struct sap_err err = { 0 };
		struct sap_span packet;
		uint32_t n = 0;
		int with = -1;
		int r = sap_wire_receive(fd, in, &n, &with, &err);

		h->gone = r <= 0;
		if (r < 0)
			CHECK_OK(r, &err);
		if (r <= 0 || n == 0)
			return;
		packet = sap_span_of(in, n);
		while ((r = sap_wire_next(&packet, &m, &err)) == 1)
			hear_message(h, &m);
		CHECK_OK(r, &err);
	}
}

static void heard_clear(struct heard *h)
{
	for (size_t i = 0; i < h->maps.n; i++)
		free(h->maps.v[i].path);
	sap_vec_clear(&h->maps);
	sap_vec_clear(&h->events);
}

static unsigned count_events(const struct heard *h, uint32_t type, int32_t pid)
{
	unsigned n = 0;

	for (size_t i = 0; i < h->events.n; i++)
		n += h->events.v[i].type == type && (pid == 0 || h->events.v[i].pid == pid);
	return n;
}

static const struct event *find_event(const struct heard *h, uint32_t type, int32_t pid)
{
	for (size_t i = 0; i < h->events.n; i++)
		if (h->events.v[i].type == type && h->events.v[i].pid == pid)
			return &h->events.v[i];
	return NULL;
}

/* ---- the server ------------------------------------------------------------------------- */

struct server {
	int fd;
	pid_t pid;
	struct heard heard;
	struct sap_wire_out *out;
};

static bool wait_until(struct server *s, const bool *what)
{
	for (int waited = 0; waited < WAIT_MS && !*what && !s->heard.gone; waited += 100) {
		struct pollfd p = { .fd = s->fd, .events = POLLIN };

		(void)poll(&p, 1, 100);
		hear(&s->heard, s->fd);
	}
	return *what;
}

static void serve_in_child(int fd, uid_t uid)
{
	struct sap_err err = { 0 };
	int r;

	if (uid && (setgid(uid) < 0 || setuid(uid) < 0))
		_exit(9);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	r = sap_observe_serve(fd, &err);
	_exit(r < 0 ? 2 : 0);
}

static struct server *server_fork(uid_t uid)
{
	struct server *s = calloc(1, sizeof(*s));
	int pair[2];

	s->out = calloc(1, sizeof(*s->out));
	if (!CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0))
		exit(1);
	s->pid = fork();
	if (s->pid == 0) {
		close(pair[0]);
		serve_in_child(pair[1], uid);
	}
	close(pair[1]);
	s->fd = s->out->fd = pair[0];
	(void)fcntl(s->fd, F_SETFL, O_NONBLOCK);
	return s;
}

static struct server *server_start(uint32_t flags, int32_t pid, uid_t uid)
{
	struct sap_wire_start start = { .version = SAP_WIRE_VERSION, .flags = flags, .pid = pid };
	struct server *s = server_fork(uid);
	struct sap_err err = { 0 };

	CHECK_OK(sap_wire_put(s->out, SAP_WIRE_START, &start, sizeof(start), NULL, 0, &err), &err);
	CHECK_OK(sap_wire_flush(s->out, &err), &err);
	CHECK(wait_until(s, &s->heard.ready_came));
	return s;
}

static void server_stop(struct server *s)
{
	struct sap_err err = { 0 };
	int status = -1;

	CHECK_OK(sap_wire_put(s->out, SAP_WIRE_STOP, NULL, 0, NULL, 0, &err), &err);
	CHECK_OK(sap_wire_flush(s->out, &err), &err);
	CHECK(wait_until(s, &s->heard.ended));
	CHECK_INT(waitpid(s->pid, &status, 0), s->pid);
	CHECK_INT(status, 0);
}

static void server_free(struct server *s)
{
	close(s->fd);
	heard_clear(&s->heard);
	free(s->out);
	free(s);
}

static bool can_watch_all(const char *what)
{
	struct sap_perf_options options = { .pages = 8 };
	struct sap_perf *p = NULL;
	struct sap_err err = { 0 };
	bool can = sap_perf_new(&options, &p, &err) == 0;

	sap_perf_free(p);
	if (!can)
		check_skip(what, err.text);
	return can;
}

/* ---- children --------------------------------------------------------------------------- */

/* What a child says: its executable file mappings, "ADDR DEV INO PATH" a line. */
static int say_maps(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[8192];

	while (maps && fgets(line, sizeof(line), maps)) {
		unsigned long long start, stop, off, ino;
		unsigned major, minor;
		char perms[8];
		int at = 0;

		if (sscanf(line, "%llx-%llx %7s %llx %x:%x %llu %n", &start, &stop, perms, &off,
			   &major, &minor, &ino, &at) == 7 &&
		    perms[2] == 'x' && ino)
			printf("%llx %llx %llu %s", start,
			       (unsigned long long)makedev(major, minor), ino, line + at);
	}
	if (maps)
		fclose(maps);
	return fflush(stdout);
}

/* A file of its own, mapped executable and unlinked: its path is new, then says " (deleted)". */
static void map_something(const char *number)
{
	char path[64];
	void *p;
	int fd;

	(void)snprintf(path, sizeof(path), "/tmp/sap-test-perf-%d-%s", getpid(), number);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	if (fd < 0 || ftruncate(fd, 8192) < 0)
		return;
	(void)unlink(path);
	/* Readable first, executable later: mprotect is told of too. */
	p = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p != MAP_FAILED)
		(void)mprotect(p, 4096, PROT_READ | PROT_EXEC);
	close(fd);
}

static void *sleep_a_little(void *unused)
{
	struct timespec t = { .tv_nsec = 300000000 };

	(void)nanosleep(&t, NULL);
	return unused;
}

static void *exec_here(void *self)
{
	(void)execl(self, self, "exit", NULL);
	return NULL;
}

/* The first thread ends before another, or another becomes a new program. */
static int with_threads(const char *how, char *self)
{
	pthread_t t;

	(void)pthread_create(&t, NULL, strcmp(how, "exec") == 0 ? exec_here : sleep_a_little, self);
	if (strcmp(how, "first") == 0)
		pthread_exit(NULL);
	(void)pthread_join(t, NULL);
	return 0;
}

static int open_files(const char *folder)
{
	const char *names[] = { "text", "elf", "text", "folder", "text2" };
	char path[256];

	for (unsigned i = 0; i < 5; i++) {
		int fd;

		(void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		fd = open(path, O_RDONLY);
		if (fd < 0)
			return 1;
		close(fd);
	}
	return 0;
}

/* Probed. Called by a child only. */
static __attribute__((noinline)) unsigned called_by_child(volatile unsigned *x)
{
	*x += 1;
	return *x;
}

static int child_main(int argc, char **argv)
{
	if (argc > 2 && strcmp(argv[1], "maps") == 0) {
		if (strtol(argv[2], NULL, 10) % 3 == 0)
			map_something(argv[2]);
		return say_maps();
	}
	if (argc > 2 && strcmp(argv[1], "threads") == 0)
		return with_threads(argv[2], argv[0]);
	if (argc > 1 && strcmp(argv[1], "call") == 0) {
		volatile unsigned x = 0;

		return called_by_child(&x) == 1 ? 0 : 1;
	}
	if (argc > 2 && strcmp(argv[1], "open") == 0)
		return open_files(argv[2]);
	return 0;
}

/* Starts this program so; what it says goes to text. Its number. */
static pid_t run(const char *verb, const char *argument, char *text, size_t size)
{
	char self[] = "/proc/self/exe", v[16], a[128];
	char *argv[] = { self, v, a, NULL };
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;
	size_t n = 0;
	ssize_t got;
	int ends[2];

	(void)snprintf(v, sizeof(v), "%s", verb);
	(void)snprintf(a, sizeof(a), "%s", argument);
	if (!CHECK(pipe2(ends, O_CLOEXEC) == 0))
		exit(1);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
	CHECK_INT(posix_spawn(&pid, self, &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	while (n < size - 1 && (got = read(ends[0], text + n, size - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	close(ends[0]);
	CHECK_INT(waitpid(pid, NULL, 0), pid);
	return pid;
}

/* ---- compared --------------------------------------------------------------------------- */

struct child {
	pid_t pid;
	char text[4096];
};

/* Each mapping that the child saw was told, with its identity; and none more. */
static bool same_maps(const struct heard *h, const struct child *c)
{
	struct sap_str rest = sap_str_of(c->text), line;
	unsigned n_seen = 0, n_told = 0, found = 0;

	for (size_t i = 0; i < h->maps.n; i++)
		n_told += h->maps.v[i].pid == c->pid;
	while (sap_str_line(&rest, &line)) {
		unsigned long long start, dev, ino;
		char path[4096];

		if (sscanf(line.p, "%llx %llx %llu %4095[^\n]", &start, &dev, &ino, path) != 4)
			return false;
		n_seen++;
		for (size_t i = 0; i < h->maps.n; i++) {
			const struct mapping *m = &h->maps.v[i];

			if (m->pid == c->pid && m->addr == start && m->dev == dev &&
			    m->ino == ino && strcmp(m->path, path) == 0) {
				found++;
				break;
			}
		}
	}
	if (n_seen >= 3 && n_told == n_seen && found == n_seen)
		return true;
	fprintf(stderr, "process %d: %u mappings, %u told, %u the same\n%s", c->pid, n_seen, n_told,
		found, c->text);
	return false;
}

/* FORK, EXEC, EXIT once each, in this order. */
static bool whole_life(const struct heard *h, pid_t pid)
{
	const struct event *forked = find_event(h, SAP_WIRE_FORK, pid);
	const struct event *exec = find_event(h, SAP_WIRE_EXEC, pid);
	const struct event *ended = find_event(h, SAP_WIRE_EXIT, pid);

	return forked && exec && ended && forked < exec && exec < ended &&
	       forked->when <= exec->when && exec->when <= ended->when &&
	       forked->ppid == getpid() && strcmp(exec->text, "exe") == 0 &&
	       count_events(h, SAP_WIRE_FORK, pid) == 1 &&
	       count_events(h, SAP_WIRE_EXEC, pid) == 1 && count_events(h, SAP_WIRE_EXIT, pid) == 1;
}

static void compare(const struct heard *h, const struct child *children, unsigned n)
{
	unsigned maps = 0, lives = 0;

	for (unsigned i = 0; i < n; i++) {
		maps += same_maps(h, &children[i]);
		lives += whole_life(h, children[i].pid);
	}
	CHECK_INT(maps, n);
	CHECK_INT(lives, n);
	CHECK_INT(h->lost.maps, 0);
}

static struct child *run_children(unsigned n, struct server *s)
{
	struct child *children = calloc(n, sizeof(*children));

	for (unsigned i = 0; i < n; i++) {
		char number[16];

		(void)snprintf(number, sizeof(number), "%u", i);
		children[i].pid = run("maps", number, children[i].text, sizeof(children[i].text));
		if (s)
			hear(&s->heard, s->fd);
	}
	return children;
}

/* Build-ids of what surely has some: the loader and the C library. */
static void check_build_ids(const struct heard *h, bool wanted, pid_t pid)
{
	unsigned with = 0, without = 0;

	for (size_t i = 0; i < h->maps.n; i++) {
		const struct mapping *m = &h->maps.v[i];

		if (m->pid != pid || !(strstr(m->path, "/ld-") || strstr(m->path, "/libc.so")))
			continue;
		with += m->n_build_id == 20;
		without += m->n_build_id == 0;
	}
	CHECK_INT(with, wanted ? 2 : 0);
	CHECK_INT(without, wanted ? 0 : 2);
}

static void test_all_processes(uint32_t flags)
{
	bool build_ids = (flags & SAP_WIRE_BUILD_IDS) && !(flags & SAP_WIRE_NO_BUILD_ID);
	struct child *children;
	struct server *s;
	struct timespec now;

	if (!can_watch_all("all processes"))
		return;
	s = server_start(SAP_WIRE_MAPS | flags, 0, 0);
	CHECK_INT(s->heard.ready.flags & SAP_WIRE_MAPS, SAP_WIRE_MAPS);
	if (build_ids && !s->heard.ready.build_ids) {
		check_skip("build-ids of the kernel", "Linux before 5.12");
		build_ids = false;
	}
	CHECK_INT(s->heard.ready.build_ids, build_ids);
	CHECK_STR(sap_str_of(s->heard.ready.maps),
		  build_ids ? "perf MMAP2 with build-ids" : "perf MMAP2");
	children = run_children(CHILDREN, s);
	server_stop(s);
	compare(&s->heard, children, CHILDREN);
	check_build_ids(&s->heard, build_ids, children[7].pid);
	(void)clock_gettime(CLOCK_REALTIME, &now);
	CHECK(llabs(s->heard.events.v[s->heard.events.n - 1].when / 1000000000 - now.tv_sec) < 60);
	free(children);
	server_free(s);
}

/* ---- in this process, small rings ------------------------------------------------------- */

struct direct {
	struct sap_perf *perf;
	struct sap_wire_out *out;
	int fd;
	struct heard heard;
};

static int hear_instead(void *ctx, struct sap_err *err)
{
	struct direct *d = ctx;

	(void)err;
	hear(&d->heard, d->fd);
	return 0;
}

static bool direct_open(struct direct *d, const struct sap_perf_options *options, const char *what)
{
	struct sap_err err = { 0 };
	int pair[2];

	if (sap_perf_new(options, &d->perf, &err) < 0) {
		check_skip(what, err.text);
		return false;
	}
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	d->out = calloc(1, sizeof(*d->out));
	d->out->fd = pair[0];
	d->out->full = hear_instead;
	d->out->ctx = d;
	d->fd = pair[1];
	return true;
}

static void direct_read(struct direct *d, bool all)
{
	struct sap_err err = { 0 };

	CHECK_OK(sap_perf_read(d->perf, d->out, all, &d->heard.lost.maps, &err), &err);
	CHECK_OK(sap_wire_flush(d->out, &err), &err);
	hear(&d->heard, d->fd);
}

static void direct_close(struct direct *d)
{
	sap_perf_free(d->perf);
	close(d->fd);
	close(d->out->fd);
	free(d->out);
	heard_clear(&d->heard);
}

/* Inherited, so that others' processes do not fill the small rings: records wrap many times. */
static void test_small_rings_wrap(bool build_ids)
{
	struct sap_perf_options options = { .pid = getpid(), .pages = 8, .build_ids = build_ids };
	struct direct d = { 0 };
	struct child *children;

	if (!direct_open(&d, &options, "small rings"))
		return;
	children = calloc(CHILDREN, sizeof(*children));
	for (unsigned i = 0; i < CHILDREN; i++) {
		children[i].pid = run("maps", "3", children[i].text, sizeof(children[i].text));
		direct_read(&d, false);
	}
	direct_read(&d, true);
	compare(&d.heard, children, CHILDREN);
	for (size_t i = 1; i < d.heard.events.n; i++)
		if (!CHECK(d.heard.events.v[i].when >= d.heard.events.v[i - 1].when))
			break;
	free(children);
	direct_close(&d);
}

static void test_overflow_is_counted(void)
{
	struct sap_perf_options options = { .pid = getpid(), .pages = 4 };
	struct direct d = { 0 };

	if (!direct_open(&d, &options, "overflow"))
		return;
	free(run_children(150, NULL));
	direct_read(&d, true);
	/* The kernel tells of the lost with the next record that fits. */
	free(run_children(4, NULL));
	direct_read(&d, true);
	CHECK(d.heard.lost.maps > 100);
	CHECK(d.heard.maps.n > 20);
	direct_close(&d);
}

static void test_cpus_come_and_go(void)
{
	struct sap_perf_options options = { .pid = getpid(), .pages = 8 };
	struct direct d = { 0 };
	struct sap_err err = { 0 };
	uint64_t lost = 0;

	if (!direct_open(&d, &options, "CPUs"))
		return;
	for (unsigned i = 0; i < 50; i++)
		CHECK_OK(sap_perf_cpus(d.perf, d.out, &lost, &err), &err);
	direct_close(&d);
}

static void test_lists_of_cpus(void)
{
	static const struct {
		const char *list;
		int n, last; /* n < 0: refused */
	} cases[] = { { "0\n", 1, 0 },          { "0-3,8\n", 5, 8 }, { "", 0, 0 },
		      { "5-2", -1, 0 },         { "x", -1, 0 },      { "0-99999999999999", -1, 0 },
		      { "0-8191", 8192, 8191 }, { "0,,1", -1, 0 },   { "1-", -1, 0 } };

	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sap_cpus cpus = { 0 };
		int r = sap_cpus_parse(sap_str_of(cases[i].list), &cpus, NULL);

		CHECK_INT(r, cases[i].n < 0 ? SAP_EFORMAT : 0);
		if (r == 0)
			CHECK_INT(cpus.v.n, cases[i].n);
		if (r == 0 && cpus.v.n)
			CHECK_INT(cpus.v.v[cpus.v.n - 1], cases[i].last);
		sap_vec_clear(&cpus.v);
	}
}

/* ---- ends of processes with threads ----------------------------------------------------- */

static void test_threads(const char *how, unsigned execs)
{
	struct sap_perf_options options = { .pid = getpid(), .pages = 16 };
	struct direct d = { 0 };
	const struct event *ended;
	char text[64];
	int64_t first;
	pid_t pid;

	if (!direct_open(&d, &options, "threads"))
		return;
	pid = run("threads", how, text, sizeof(text));
	direct_read(&d, true);
	CHECK_INT(count_events(&d.heard, SAP_WIRE_FORK, pid), 1);
	CHECK_INT(count_events(&d.heard, SAP_WIRE_EXEC, pid), execs);
	CHECK(count_events(&d.heard, SAP_WIRE_EXIT, pid) >= 1);
	ended = find_event(&d.heard, SAP_WIRE_EXIT, pid);
	first = find_event(&d.heard, SAP_WIRE_FORK, pid)->when;
	CHECK(ended && ended->when >= first);
	direct_close(&d);
}

/* Read while it goes on, a process is not told to have ended because its first thread has. */
static void test_first_thread_ends_before_others(void)
{
	struct sap_perf_options options = { .pid = getpid(), .pages = 16 };
	char self[] = "/proc/self/exe", verb[] = "threads", how[] = "first";
	char *argv[] = { self, verb, how, NULL };
	struct timespec t = { .tv_nsec = 5000000 };
	struct direct d = { 0 };
	pid_t pid = -1;
	int status;

	if (!direct_open(&d, &options, "threads"))
		return;
	CHECK_INT(posix_spawn(&pid, self, NULL, NULL, argv, environ), 0);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		siginfo_t info = { 0 };

		direct_read(&d, true);
		/* Told while nobody could have waited for it: too early. */
		if (count_events(&d.heard, SAP_WIRE_EXIT, pid)) {
			CHECK_INT(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
			CHECK_INT(info.si_pid, pid);
		}
		(void)nanosleep(&t, NULL);
	}
	direct_read(&d, true);
	CHECK_INT(count_events(&d.heard, SAP_WIRE_EXIT, pid), 1);
	direct_close(&d);
}

/* ---- one's own child, without rights ---------------------------------------------------- */

static pid_t start_waiting_shell(int *go)
{
	int ends[2];
	pid_t pid;

	if (!CHECK(pipe2(ends, O_CLOEXEC) == 0))
		exit(1);
	pid = fork();
	if (pid == 0) {
		char byte;

		if (getuid() == 0 && (setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
			_exit(9);
		(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* as after an exec */
		close(ends[1]);
		if (read(ends[0], &byte, 1) != 1)
			_exit(9);
		execl("/bin/sh", "sh", "-c",
		      "for i in 1 2 3 4 5 6 7 8 9 10; do /bin/true; (/bin/true); done", NULL);
		_exit(9);
	}
	close(ends[0]);
	*go = ends[1];
	return pid;
}

static unsigned long cpu_ticks(pid_t pid)
{
	unsigned long user = 0, system = 0;
	char path[32];
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	if (f && fscanf(f, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
			&user, &system) != 2)
		user = 0;
	if (f)
		fclose(f);
	return user + system;
}

static void test_own_child_without_rights(uint32_t flags)
{
	struct timespec second = { .tv_sec = 1 };
	unsigned trues = 0, libcs = 0, ends = 0;
	unsigned long before;
	struct server *s;
	pid_t shell;
	int go = -1;

	shell = start_waiting_shell(&go);
	usleep(50000);
	s = server_start(SAP_WIRE_CHILD | SAP_WIRE_MAPS | SAP_WIRE_FUNCTIONS | flags, shell,
			 getuid() == 0 ? NOBODY : 0);
	CHECK_INT(write(go, "", 1), 1);
	close(go);
	CHECK_INT(waitpid(shell, NULL, 0), shell);
	if (!(s->heard.ready.flags & SAP_WIRE_CHILD)) {
		check_skip("one's own child", s->heard.ready.maps);
		CHECK(s->heard.ready.maps[0]);
	} else {
		/* All it watched has ended: that must not keep it busy. */
		before = cpu_ticks(s->pid);
		(void)nanosleep(&second, NULL);
		CHECK(cpu_ticks(s->pid) - before <= 5);
	}
	if (getuid() == 0) {
		CHECK(!(s->heard.ready.flags & SAP_WIRE_FUNCTIONS));
		CHECK(s->heard.ready.functions[0]);
	}
	server_stop(s);
	for (size_t i = 0; i < s->heard.events.n; i++) {
		const struct event *e = &s->heard.events.v[i];

		trues += e->type == SAP_WIRE_EXEC && strcmp(e->text, "true") == 0;
		ends += e->type == SAP_WIRE_EXIT;
	}
	for (size_t i = 0; i < s->heard.maps.n; i++)
		libcs += strstr(s->heard.maps.v[i].path, "/libc.so") != NULL;
	if (s->heard.ready.flags & SAP_WIRE_CHILD) {
		CHECK_INT(trues, 20);
		CHECK_INT(libcs, 21);
		CHECK(ends >= 21);
		CHECK_INT(count_events(&s->heard, SAP_WIRE_EXIT, shell), 1);
		CHECK_INT(s->heard.lost.maps, 0);
	}
	server_free(s);
}

/* ---- the server's manners --------------------------------------------------------------- */

static unsigned long long status_field(pid_t pid, const char *name)
{
	unsigned long long value = ~0ULL;
	char path[32], line[256];
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, name, strlen(name)) == 0)
			value = strtoull(line + strlen(name), NULL, 16);
	if (f)
		fclose(f);
	return value;
}

static void test_rights_are_given_away(void)
{
	enum { DAC_READ_SEARCH = 2, PTRACE = 19, PERFMON = 38 };
	unsigned long long want =
		SAP_RIGHT(DAC_READ_SEARCH) | SAP_RIGHT(PTRACE) | SAP_RIGHT(PERFMON);
	struct server *s;

	if (!can_watch_all("rights") || !sap_rights_split())
		return;
	want &= sap_rights_effective();
	s = server_start(SAP_WIRE_MAPS, 0, 0);
	CHECK_INT(status_field(s->pid, "CapEff:"), want);
	CHECK_INT(status_field(s->pid, "CapPrm:"), want);
	CHECK_INT(status_field(s->pid, "CapInh:"), 0);
	CHECK_INT(status_field(s->pid, "CapAmb:"), 0);
	CHECK_INT(status_field(s->pid, "NoNewPrivs:"), 1);
	if (getuid() == 0)
		CHECK_INT(status_field(s->pid, "CapBnd:") & ~want, 0);
	server_stop(s);
	server_free(s);
}

static int find_offset(struct dl_phdr_info *info, size_t size, void *ctx)
{
	uint64_t *place = ctx;

	(void)size;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *h = &info->dlpi_phdr[i];
		uint64_t at = *place - (info->dlpi_addr + h->p_vaddr);

		if (h->p_type == PT_LOAD && at < h->p_filesz) {
			*place = h->p_offset + at;
			break;
		}
	}
	return 1;
}

/* With the rights that the server has left; single probes need more of them. */
static void test_functions(uint32_t flags)
{
	const struct sap_wire_probe probe = { .file = 1, .n = 1, .cookie = 5 };
	uint64_t offset = (uintptr_t)called_by_child;
	int sap_cleanup_fd fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct sap_wire_file file = { .file = 1 };
	struct sap_err err = { 0 };
	struct server *s;
	char text[64];
	pid_t pid;

	s = server_start(SAP_WIRE_FUNCTIONS | flags, 0, 0);
	if (!(s->heard.ready.flags & SAP_WIRE_FUNCTIONS)) {
		check_skip("functions", s->heard.ready.functions);
		server_stop(s);
		server_free(s);
		return;
	}
	(void)dl_iterate_phdr(find_offset, &offset);
	CHECK_OK(sap_wire_put_fd(s->out, SAP_WIRE_FILE, &file, sizeof(file), fd, &err), &err);
	CHECK_OK(sap_wire_put(s->out, SAP_WIRE_PROBE, &probe, sizeof(probe), &offset,
			      sizeof(offset), &err),
		 &err);
	CHECK_OK(sap_wire_flush(s->out, &err), &err);
	CHECK(wait_until(s, &s->heard.placed_came));
	CHECK_INT(s->heard.placed.n_placed, 1);
	CHECK_INT(s->heard.placed.cookie, 5);
	pid = run("call", "", text, sizeof(text));
	server_stop(s);
	CHECK_INT(count_events(&s->heard, SAP_WIRE_HIT, pid), 1);
	CHECK_INT(count_events(&s->heard, SAP_WIRE_HIT, 0), 1);
	server_free(s);
}

/* Killed, it leaves no memory charged to its user: the next one gets rings as large. */
static void test_killed_at_any_moment(void)
{
	char text[64];

	if (!can_watch_all("killed"))
		return;
	for (unsigned i = 0; i < 20; i++) {
		struct server *s = server_fork(0);
		struct sap_wire_start start = { .version = SAP_WIRE_VERSION,
						.flags = SAP_WIRE_MAPS | SAP_WIRE_FUNCTIONS };
		struct sap_err err = { 0 };
		int status = 0;

		CHECK_OK(sap_wire_put(s->out, SAP_WIRE_START, &start, sizeof(start), NULL, 0, &err),
			 &err);
		CHECK_OK(sap_wire_flush(s->out, &err), &err);
		usleep(i * 1000);
		(void)run("exit", "", text, sizeof(text));
		CHECK(kill(s->pid, SIGKILL) == 0);
		CHECK_INT(waitpid(s->pid, &status, 0), s->pid);
		CHECK(WIFSIGNALED(status));
		hear(&s->heard, s->fd);
		CHECK(s->heard.gone);
		server_free(s);
	}
}

static int exit_of(struct server *s)
{
	int status = -1;

	CHECK_INT(waitpid(s->pid, &status, 0), s->pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_other_side_goes_away(void)
{
	struct server *s = server_start(SAP_WIRE_MAPS, 0, 0);

	close(s->fd);
	CHECK_INT(exit_of(s), 0);
	s->fd = -1;
	server_free(s);
	s = server_fork(0);
	close(s->fd);
	CHECK_INT(exit_of(s), 0);
	s->fd = -1;
	server_free(s);
}

static void test_bad_requests(void)
{
	static const char garbage[64] = "garbage";
	struct sap_wire_start start = { .version = 99 };
	struct sap_err err = { 0 };
	struct server *s = server_fork(0);

	CHECK(send(s->fd, garbage, sizeof(garbage), 0) > 0);
	CHECK_INT(exit_of(s), 2);
	server_free(s);
	s = server_fork(0);
	CHECK_OK(sap_wire_put(s->out, SAP_WIRE_START, &start, sizeof(start), NULL, 0, &err), &err);
	CHECK_OK(sap_wire_flush(s->out, &err), &err);
	CHECK_INT(exit_of(s), 2);
	server_free(s);
	s = server_start(0, 0, 0);
	CHECK(send(s->fd, garbage, sizeof(garbage), 0) > 0);
	CHECK_INT(exit_of(s), 2);
	server_free(s);
	s = server_start(0, 0, 0);
	CHECK_INT(s->heard.ready.flags, 0);
	CHECK_OK(sap_wire_put(s->out, SAP_WIRE_MOUNT, NULL, 0, NULL, 0, &err), &err);
	CHECK_OK(sap_wire_flush(s->out, &err), &err);
	CHECK_INT(exit_of(s), 2);
	server_free(s);
}

/* Slow readers: the sending waits, the rings fill, the losses are told. Nothing is kept. */
static void test_slow_reader(void)
{
	struct server *s;

	if (!can_watch_all("a slow reader"))
		return;
	s = server_start(SAP_WIRE_MAPS, 0, 0);
	free(run_children(CHILDREN, NULL));
	free(run_children(CHILDREN, NULL));
	CHECK(status_field(s->pid, "CapEff:") != ~0ULL); /* it lives */
	server_stop(s);
	CHECK(count_events(&s->heard, SAP_WIRE_EXEC, 0) >= CHILDREN);
	server_free(s);
}

/* ---- opens ------------------------------------------------------------------------------ */

static bool make_file(const char *folder, const char *name, const char *text)
{
	char path[256];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return false;
	return close(fd) == 0;
}

static unsigned count_opens(const struct heard *h, pid_t pid, const char *end)
{
	unsigned n = 0;

	for (size_t i = 0; i < h->events.n; i++) {
		const struct event *e = &h->events.v[i];

		n += e->type == SAP_WIRE_OPEN && e->pid == pid &&
		     sap_str_ends(sap_str_of(e->text), sap_str_of(end));
	}
	return n;
}

static void watch_opens(const char *folder)
{
	struct server *s = server_start(SAP_WIRE_OPENS, 0, 0);
	int sap_cleanup_fd fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct sap_err err = { 0 };
	char text[64];
	pid_t pids[2];

	if (!(s->heard.ready.flags & SAP_WIRE_OPENS)) {
		check_skip("opens", s->heard.ready.opens);
		server_stop(s);
		server_free(s);
		return;
	}
	CHECK_OK(sap_wire_put_fd(s->out, SAP_WIRE_MOUNT, NULL, 0, fd, &err), &err);
	usleep(200000);
	for (unsigned i = 0; i < 2; i++)
		pids[i] = run("open", folder, text, sizeof(text));
	CHECK_INT(open_files(folder), 0); /* the server's parent: left out */
	server_stop(s);
	for (unsigned i = 0; i < 2; i++) {
		CHECK_INT(count_opens(&s->heard, pids[i], "/text"), 1);
		CHECK_INT(count_opens(&s->heard, pids[i], "/text2"), 1);
		CHECK_INT(count_opens(&s->heard, pids[i], "/elf"), 0);
	}
	CHECK_INT(count_events(&s->heard, SAP_WIRE_OPEN, 0), 4);
	CHECK_INT(s->heard.lost.opens, 0);
	CHECK_INT(s->heard.notes, 0);
	server_free(s);
}

/* On a mount of this test's own, in a namespace of its own. */
static void test_opens(void)
{
	char folder[] = "/tmp/sap-test-opens-XXXXXX", inner[64];

	if (getuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		check_skip("opens", "needs root and a mount namespace");
		return;
	}
	if (!CHECK(mkdtemp(folder) != NULL))
		return;
	CHECK(mount("none", folder, "tmpfs", 0, NULL) == 0);
	(void)snprintf(inner, sizeof(inner), "%s/folder", folder);
	CHECK(mkdir(inner, 0700) == 0 && make_file(folder, "text", "x") &&
	      make_file(folder, "text2", "") && make_file(folder, "elf", "\177ELF..."));
	watch_opens(folder);
	CHECK(umount2(folder, MNT_DETACH) == 0);
	(void)rmdir(folder);
}

static void test_capabilities(void)
{
	struct sap_capabilities c;
	struct sap_err err = { 0 };

	CHECK_OK(sap_capabilities_try(&c, &err), &err);
	CHECK(c.kernel[0] && c.maps.text[0] && c.child_maps.text[0] && c.build_ids.text[0] &&
	      c.functions.text[0] && c.single.text[0] && c.opens.text[0]);
	CHECK_INT(c.maps.can, can_watch_all("capabilities"));
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return child_main(argc, argv);
	test_lists_of_cpus();
	test_capabilities();
	test_all_processes(0);
	test_all_processes(SAP_WIRE_BUILD_IDS);
	test_all_processes(SAP_WIRE_BUILD_IDS | SAP_WIRE_NO_BUILD_ID);
	test_small_rings_wrap(false);
	test_small_rings_wrap(true);
	test_overflow_is_counted();
	test_cpus_come_and_go();
	test_threads("last", 1);
	test_threads("first", 1);
	test_threads("exec", 2);
	test_first_thread_ends_before_others();
	test_own_child_without_rights(0);
	test_own_child_without_rights(SAP_WIRE_BUILD_IDS);
	test_rights_are_given_away();
	test_functions(0);
	test_functions(SAP_WIRE_SINGLE);
	test_killed_at_any_moment();
	test_other_side_goes_away();
	test_bad_requests();
	test_slow_reader();
	test_opens();
	return check_done();
}
