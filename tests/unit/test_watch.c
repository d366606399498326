/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The coordinator of a watch, against a scripted observer (the other end of the pair), a scripted list
 * of functions, and a /proc of the test's own.
 */
#include "observe/watch.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

enum { MS = 1000000 };

static char folder[64], proc[96];

static int64_t now_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- a list of functions ---------------------------------------------------------------------- */

static struct sap_fn functions[32];
static uint32_t n_functions, n_listed, many;
static uint32_t n_constructors, n_ifuncs;
static bool has_symtab;
static int list_result;
static unsigned asked_want;

int sap_fnworker_list(struct sap_fnworker *w, int fd, int debug_fd, unsigned want,
		      struct sap_arena *arena, struct sap_fn_list *out, struct sap_err *err)
{
	(void)w;
	(void)fd;
	(void)debug_fd;
	(void)arena;
	n_listed++;
	asked_want = want;
	if (list_result)
		return sap_err_set(err, list_result, "it cannot be parsed");
	*out = (struct sap_fn_list){ .has_symtab = has_symtab,
				     .n_constructors = n_constructors,
				     .n_ifuncs = n_ifuncs,
				     .machine = 62 };
	for (uint32_t i = 0; i < n_functions; i++)
		*SAP_VEC_PUSH(&out->v, 100) = functions[i];
	for (uint32_t i = 0; i < many; i++)
		*SAP_VEC_PUSH(&out->v, 1000000) = (struct sap_fn){ .offset = 0x100000 + i * 16,
								   .names = SAP_STR("f"),
								   .flags = SAP_FN_EXPORTED };
	return 0;
}

static void list(uint64_t offset, const char *names, unsigned flags)
{
	functions[n_functions++] =
		(struct sap_fn){ .offset = offset, .names = sap_str_of(names), .flags = flags };
}

static void no_list(void)
{
	n_functions = n_listed = many = n_constructors = n_ifuncs = 0;
	has_symtab = false;
	list_result = 0;
}

static struct sap_watch_want wanted;

static int policy(void *ctx, const struct sap_evidence *e, uint32_t file,
		  struct sap_watch_want *want, struct sap_err *err)
{
	(void)ctx;
	(void)e;
	(void)file;
	(void)err;
	*want = wanted;
	return 0;
}

/* ---- the observer ------------------------------------------------------------------------------ */

struct fake {
	struct sap_wire_out out;
	struct sap_watch *w;
	struct sap_err err;
	int64_t when;
	int ours;
};

static void put(struct fake *f, enum sap_wire_type type, const void *p, uint32_t n)
{
	sap_wire_put(&f->out, type, p, n, NULL, 0, NULL);
}

static void event_map_at(struct fake *f, int32_t pid, const char *path, int64_t when)
{
	struct sap_wire_map m = { .pid = pid, .tid = pid, .when = when, .len = 4096 };
	struct stat st;

	if (stat(path, &st) == 0) {
		m.dev = st.st_dev;
		m.ino = st.st_ino;
	} else {
		m.dev = 7;
		m.ino = 4711;
	}
	m.n_path = (uint32_t)strlen(path);
	sap_wire_put(&f->out, SAP_WIRE_MAP, &m, sizeof(m), path, m.n_path, NULL);
}

static void event_map(struct fake *f, int32_t pid, const char *path)
{
	event_map_at(f, pid, path, f->when += MS);
}

static void event_exec(struct fake *f, int32_t pid, const char *comm)
{
	struct sap_wire_comm m = { .pid = pid, .tid = pid, .when = f->when += MS };

	snprintf(m.comm, sizeof(m.comm), "%s", comm);
	put(f, SAP_WIRE_EXEC, &m, sizeof(m));
}

static void event_fork(struct fake *f, int32_t ppid, int32_t pid)
{
	struct sap_wire_task m = { .pid = pid, .ppid = ppid, .when = f->when += MS };

	put(f, SAP_WIRE_FORK, &m, sizeof(m));
}

static void event_exit(struct fake *f, int32_t pid)
{
	struct sap_wire_task m = { .pid = pid, .when = f->when += MS };

	put(f, SAP_WIRE_EXIT, &m, sizeof(m));
}

static void event_hit(struct fake *f, int32_t pid, uint32_t cookie)
{
	struct sap_wire_hit m = { .cookie = cookie, .pid = pid, .when = f->when += MS };

	put(f, SAP_WIRE_HIT, &m, sizeof(m));
}

static void event_placed(struct fake *f, uint32_t file, uint32_t cookie, uint32_t n,
			 uint32_t refused, int error)
{
	struct sap_wire_placed m = { .file = file,
				     .cookie = cookie,
				     .n_placed = n,
				     .n_refused = refused,
				     .when = f->when += MS,
				     .error = error };

	put(f, SAP_WIRE_PLACED, &m, sizeof(m));
}

static int work(struct fake *f)
{
	int r = 1;

	sap_wire_flush(&f->out, NULL);
	for (int i = 0; i < 8 && r == 1; i++)
		r = sap_watch_work(f->w, &f->err);
	return r;
}

static struct sap_evidence *evidence(struct fake *f)
{
	return sap_watch_evidence(f->w);
}

/* The next message that the observer gets of that type; false: none is there. */
static bool got(struct fake *f, uint32_t type, struct sap_wire_message *m)
{
	static _Alignas(8) unsigned char packet[SAP_WIRE_PACKET_MAX];
	static struct sap_span rest;

	for (;;) {
		uint32_t n = 0;
		int fd = -1;

		while (rest.n && sap_wire_next(&rest, m, NULL) == 1)
			if (m->type == type)
				return true;
		if (poll(&(struct pollfd){ .fd = f->out.fd, .events = POLLIN }, 1, 0) != 1 ||
		    sap_wire_receive(f->out.fd, packet, &n, &fd, NULL) != 1 || n == 0)
			return false;
		if (fd >= 0)
			close(fd);
		rest = sap_span_of(packet, n);
	}
}

static struct sap_watch_options plain(void)
{
	return (struct sap_watch_options){ .proc = proc, .flags = SAP_WIRE_MAPS };
}

static bool begin(struct fake *f, struct sap_watch_options o)
{
	struct sap_wire_ready ready = { .flags = o.flags, .maps = "perf", .functions = "probes" };
	int pair[2];

	*f = (struct fake){ .when = now_ns(CLOCK_REALTIME) };
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return CHECK_INT(errno, 0);
	f->out.fd = pair[1];
	f->ours = o.observer = pair[0];
	put(f, SAP_WIRE_READY, &ready, sizeof(ready));
	sap_wire_flush(&f->out, NULL);
	if (!CHECK_OK(sap_watch_new(&o, &f->w, &f->err), &f->err))
		return false;
	f->when = now_ns(CLOCK_REALTIME);
	return true;
}

static void end(struct fake *f)
{
	sap_watch_free(f->w);
	close(f->ours);
	close(f->out.fd);
}

/* ---- what is in the evidence ------------------------------------------------------------------- */

static const char *lib(const char *name)
{
	static char paths[8][128];
	static unsigned next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

static uint32_t file_of(const struct sap_evidence *e, const char *path)
{
	for (size_t i = 0; i < e->files.n; i++)
		if (sap_str_eq(e->files.v[i].path, sap_str_of(path)))
			return (uint32_t)i;
	return SAP_NONE;
}

static uint32_t process_of(const struct sap_evidence *e, const char *exe, bool ended)
{
	for (size_t i = 0; i < e->processes.n; i++) {
		const struct sap_seen_process *p = &e->processes.v[i];

		if (!sap_seen_free(p) && p->ended == ended && p->exe != SAP_NONE &&
		    sap_str_eq(e->files.v[p->exe].path, sap_str_of(exe)))
			return (uint32_t)i;
	}
	return SAP_NONE;
}

static unsigned use_of(const struct sap_evidence *e, uint32_t file, uint32_t process)
{
	for (size_t i = 0; i < e->uses.n; i++)
		if (file != SAP_NONE && e->uses.v[i].file == file &&
		    e->uses.v[i].process == process)
			return e->uses.v[i].flags;
	return 0;
}

static uint64_t count_of(const struct sap_evidence *e, uint32_t process)
{
	return process == SAP_NONE ? 0 : e->processes.v[process].count;
}

static size_t processes(const struct sap_evidence *e)
{
	size_t n = 0;

	for (size_t i = 0; i < e->processes.n; i++)
		n += !sap_seen_free(&e->processes.v[i]);
	return n;
}

static const struct sap_unobserved *unobserved(const struct sap_evidence *e, const char *name)
{
	for (size_t i = 0; i < e->unobserved.n; i++)
		if (sap_str_eq(e->unobserved.v[i].name, sap_str_of(name)))
			return &e->unobserved.v[i];
	return NULL;
}

static bool has_text(struct sap_str s, const char *part)
{
	return s.n && memmem(s.p, s.n, part, strlen(part));
}

/* ---- processes -------------------------------------------------------------------------------- */

static void one_program(struct fake *f, int32_t parent, int32_t pid)
{
	event_fork(f, parent, pid);
	event_exec(f, pid, "prog");
	event_map(f, pid, lib("prog"));
	event_map(f, pid, lib("ld.so"));
	event_map(f, pid, lib("libone.so"));
}

static void test_short_processes(void)
{
	struct sap_evidence *e;
	struct fake f;
	uint32_t p;

	if (!begin(&f, plain()))
		return;
	for (int32_t pid = 100; pid < 150; pid++) {
		one_program(&f, 1, pid);
		event_exit(&f, pid);
	}
	CHECK_INT(work(&f), 1);
	e = evidence(&f);
	p = process_of(e, lib("prog"), true);
	CHECK_INT(count_of(e, p), 50);
	CHECK_INT(processes(e), 1);
	CHECK_INT(e->processes_seen, 50);
	CHECK_INT(use_of(e, file_of(e, lib("libone.so")), p), SAP_USE_LIVE);
	CHECK_INT(e->files.v[file_of(e, lib("libone.so"))].n_processes, 50);
	CHECK(e->files.v[file_of(e, lib("prog"))].is_program);
	CHECK(!e->files.v[file_of(e, lib("ld.so"))].is_program);
	CHECK(e->files.v[file_of(e, lib("prog"))].id.ctime != 0);
	CHECK_INT(e->losses.files, 0);
	CHECK_STR(e->means.maps, "/proc, then perf");
	end(&f);
}

/* A child that never becomes another program has its parent's libraries; one that does, has not. */
static void test_fork_and_exec(void)
{
	struct sap_evidence *e;
	struct fake f;
	uint32_t p;

	if (!begin(&f, plain()))
		return;
	one_program(&f, 1, 100);
	event_fork(&f, 100, 101); /* stays */
	event_fork(&f, 100, 102); /* exec */
	event_exec(&f, 102, "other");
	event_map(&f, 102, lib("other"));
	event_fork(&f, 100, 103); /* stays, and maps one more */
	event_map(&f, 103, lib("libtwo.so"));
	event_exit(&f, 103);
	event_exit(&f, 102);
	event_exit(&f, 101);
	event_exit(&f, 100);
	work(&f);
	e = evidence(&f);
	p = process_of(e, lib("prog"), true);
	CHECK_INT(count_of(e, p), 3);
	CHECK_INT(e->files.v[file_of(e, lib("libone.so"))].n_processes, 3);
	CHECK_INT(e->files.v[file_of(e, lib("libtwo.so"))].n_processes, 1);
	p = process_of(e, lib("other"), true);
	CHECK_INT(count_of(e, p), 1);
	CHECK_INT(use_of(e, file_of(e, lib("libone.so")), p), 0);
	CHECK_INT(use_of(e, file_of(e, lib("other")), p), SAP_USE_LIVE);
	CHECK_INT(e->processes_seen, 4);
	end(&f);
}

/* env, nice, sudo: several programs one after the other in one process. */
static void test_exec_chain(void)
{
	struct sap_evidence *e;
	struct fake f;

	if (!begin(&f, plain()))
		return;
	one_program(&f, 1, 100);
	evidence(&f); /* somebody looks in between */
	event_exec(&f, 100, "other");
	event_map(&f, 100, lib("other"));
	event_exec(&f, 100, "third");
	event_map(&f, 100, lib("third"));
	event_map(&f, 100, lib("libtwo.so"));
	work(&f);
	e = evidence(&f);
	CHECK_INT(count_of(e, process_of(e, lib("prog"), true)), 1);
	CHECK_INT(count_of(e, process_of(e, lib("other"), true)), 1);
	CHECK_INT(count_of(e, process_of(e, lib("third"), false)), 1);
	CHECK_INT(use_of(e, file_of(e, lib("libone.so")), process_of(e, lib("third"), false)), 0);
	CHECK(use_of(e, file_of(e, lib("libtwo.so")), process_of(e, lib("third"), false)));
	CHECK_INT(e->processes_seen, 1);
	end(&f);
}

static void test_lost_and_unknown(void)
{
	struct sap_evidence *e;
	struct fake f;
	struct sap_wire_lost lost = { 3, 2, 1 };

	if (!begin(&f, plain()))
		return;
	/* No FORK, no EXEC: only that something was mapped. */
	event_map(&f, 200, lib("libone.so"));
	event_exit(&f, 200);
	/* No FORK. */
	event_exec(&f, 201, "prog");
	event_map(&f, 201, lib("prog"));
	event_exit(&f, 201);
	/* The EXIT of 202 was lost, and its number is used again. */
	one_program(&f, 1, 202);
	event_fork(&f, 1, 202);
	event_exec(&f, 202, "other");
	event_map(&f, 202, lib("other"));
	event_exit(&f, 202);
	/* Nobody knows these. */
	event_exit(&f, 203);
	event_fork(&f, 204, 205);
	event_exit(&f, 205);
	put(&f, SAP_WIRE_LOST, &lost, sizeof(lost));
	put(&f, SAP_WIRE_LOST, &lost, sizeof(lost));
	CHECK_INT(work(&f), 1);
	e = evidence(&f);
	CHECK_INT(count_of(e, process_of(e, lib("prog"), true)), 2);
	CHECK_INT(count_of(e, process_of(e, lib("other"), true)), 1);
	CHECK_INT(e->files.v[file_of(e, lib("libone.so"))].n_processes, 2);
	CHECK_INT(e->processes_seen, 5);
	CHECK_INT(e->losses.maps, 6);
	CHECK_INT(e->losses.hits, 4);
	CHECK_INT(e->losses.opens, 2);
	end(&f);
}

static void test_gone_files(void)
{
	struct sap_evidence *e;
	struct fake f;
	uint32_t file;

	if (!begin(&f, plain()))
		return;
	for (int32_t pid = 300; pid < 310; pid++) {
		event_exec(&f, pid, "conftest");
		event_map(&f, pid, "/nowhere/conftest");
		event_map(&f, pid, "/nowhere/old.so (deleted)");
		event_map(&f, pid, "//anon");
		event_map(&f, pid, "[vdso]");
		event_exit(&f, pid);
	}
	CHECK_INT(work(&f), 1);
	e = evidence(&f);
	CHECK_INT(e->files.n, 2);
	file = file_of(e, "/nowhere/old.so");
	CHECK(file != SAP_NONE);
	CHECK_INT(e->files.v[file].id.ctime, 0);
	CHECK_INT(e->files.v[file].id.ino, 4711);
	CHECK_INT(e->losses.files, 2);
	CHECK_INT(count_of(e, process_of(e, "/nowhere/conftest", true)), 10);
	end(&f);
}

/* A path that leads to another file now is not taken for what was mapped. */
static void test_replaced_file(void)
{
	struct sap_wire_map m = { .pid = 310, .tid = 310, .len = 4096, .n_build_id = 20 };
	const char *path = lib("libone.so");
	struct sap_evidence *e;
	struct stat st;
	struct fake f;

	if (!begin(&f, plain()))
		return;
	stat(path, &st);
	m.when = f.when;
	m.dev = st.st_dev;
	m.ino = st.st_ino + 1;
	m.n_path = (uint32_t)strlen(path);
	memset(m.build_id, 0xab, 20);
	sap_wire_put(&f.out, SAP_WIRE_MAP, &m, sizeof(m), path, m.n_path, NULL);
	/* Only the build-id is known, and it is another one. */
	m.pid++;
	m.dev = m.ino = 0;
	sap_wire_put(&f.out, SAP_WIRE_MAP, &m, sizeof(m), path, m.n_path, NULL);
	work(&f);
	e = evidence(&f);
	CHECK_INT(e->files.n, 2);
	CHECK_INT(e->files.v[0].id.ino, st.st_ino + 1);
	CHECK_INT(e->files.v[0].id.ctime, 0);
	CHECK_STR(e->files.v[0].build_id, "abababababababababababababababababababab");
	CHECK_INT(e->files.v[1].id.ino, 0);
	CHECK_INT(e->losses.files, 2);
	end(&f);
}

static void test_narrow(void)
{
	const int32_t pids[] = { 400 };
	struct sap_watch_options o = plain();
	struct sap_evidence *e;
	struct fake f;

	o.pids = pids;
	o.n_pids = 1;
	o.narrow_children = true;
	if (!begin(&f, o))
		return;
	event_exec(&f, 400, "prog");
	event_map(&f, 400, lib("prog"));
	one_program(&f, 1, 500); /* a stranger */
	event_exit(&f, 500);
	event_fork(&f, 400, 401);
	event_fork(&f, 401, 402);
	event_exec(&f, 402, "other");
	event_map(&f, 402, lib("other"));
	event_exit(&f, 402);
	event_exit(&f, 401);
	event_exit(&f, 400);
	work(&f);
	e = evidence(&f);
	CHECK_INT(e->processes_seen, 3);
	CHECK_INT(count_of(e, process_of(e, lib("other"), true)), 1);
	CHECK(file_of(e, lib("libone.so")) == SAP_NONE);
	end(&f);

	o.narrow_children = false;
	if (!begin(&f, o))
		return;
	event_exec(&f, 400, "prog");
	event_map(&f, 400, lib("prog"));
	event_fork(&f, 400, 401);
	event_exec(&f, 401, "other");
	event_map(&f, 401, lib("other"));
	event_exit(&f, 401);
	event_exit(&f, 400);
	work(&f);
	e = evidence(&f);
	CHECK_INT(e->processes_seen, 1);
	CHECK(file_of(e, lib("other")) == SAP_NONE);
	end(&f);
}

/* ---- functions -------------------------------------------------------------------------------- */

static struct sap_watch_options with_functions(enum sap_watch_choice choice,
					       const struct sap_str *names, uint32_t n)
{
	struct sap_watch_options o = plain();
	static int dummy;

	wanted = (struct sap_watch_want){ .choice = choice, .names = names, .n_names = n };
	o.flags |= SAP_WIRE_FUNCTIONS;
	o.policy = policy;
	o.functions = (struct sap_fnworker *)&dummy;
	return o;
}

static void usual_list(void)
{
	no_list();
	list(0x1000, "alpha@@V1 alpha_alias", SAP_FN_EXPORTED);
	list(0x1010, "refused_one", SAP_FN_EXPORTED | SAP_FN_REFUSED);
	list(0x1020, "copy@@V2 copy@V1", SAP_FN_EXPORTED | SAP_FN_IFUNC);
	list(0x1030, "__copy_fast", SAP_FN_LOCAL);
	list(0x1040, "hidden", SAP_FN_LOCAL);
	list(0x1050, "omega", SAP_FN_EXPORTED);
	n_constructors = 2;
	n_ifuncs = 1;
}

static const struct sap_seen_function *entered(const struct sap_evidence *e, const char *names)
{
	for (size_t i = 0; i < e->functions.n; i++)
		if (sap_str_eq(e->functions.v[i].names, sap_str_of(names)))
			return &e->functions.v[i];
	return NULL;
}

static void test_exported(void)
{
	struct sap_wire_message m;
	const struct sap_wire_probe *p;
	const struct sap_seen_file *file;
	struct sap_evidence *e;
	struct fake f;

	usual_list();
	if (!begin(&f, with_functions(SAP_WATCH_EXPORTED, NULL, 0)))
		return;
	event_exec(&f, 100, "prog");
	event_map(&f, 100, lib("libone.so"));
	work(&f);
	CHECK_INT(n_listed, 1);
	CHECK_INT(asked_want, SAP_FN_WANT_EXPORTED);
	CHECK(got(&f, SAP_WIRE_FILE, &m));
	CHECK_INT(((const struct sap_wire_file *)m.body)->machine, 62);
	if (!CHECK(got(&f, SAP_WIRE_PROBE, &m)))
		return;
	p = m.body;
	CHECK_INT(p->n, 3);
	CHECK_INT(p->offsets[0], 0x1000);
	CHECK_INT(p->offsets[1], 0x1020);
	CHECK_INT(p->offsets[2], 0x1050);
	CHECK(sap_watch_busy(f.w));
	e = evidence(&f);
	file = &e->files.v[0];
	CHECK_INT(file->observed, SAP_OBSERVED_NOT_ASKED);
	event_placed(&f, 0, p->cookie, 3, 0, 0);
	event_hit(&f, 100, p->cookie);
	event_hit(&f, 100, p->cookie + 1);
	CHECK_INT(work(&f), 1);
	CHECK(!sap_watch_busy(f.w));
	e = evidence(&f);
	file = &e->files.v[0];
	CHECK_INT(file->observed, SAP_OBSERVED_PROBED);
	CHECK_INT(file->n_functions, 4);
	CHECK_INT(file->n_probed, 3);
	CHECK_INT(file->n_refused, 1);
	CHECK(file->observed_since != 0);
	CHECK_INT(file->load_time, SAP_YES);
	CHECK_STR(file->load_time_why, "2 constructors, 1 IFUNC resolver");
	CHECK_INT(e->functions.n, 2);
	CHECK(entered(e, "alpha@@V1 alpha_alias"));
	CHECK(entered(e, "resolver-of:copy"));
	CHECK(entered(e, "alpha@@V1 alpha_alias")->process == sap_evidence_living(e, 100));
	CHECK(unobserved(e, "refused_one"));
	CHECK(unobserved(e, "copy") && has_text(unobserved(e, "copy")->reason, "has no symbol"));
	CHECK(!unobserved(e, "alpha"));
	end(&f);
}

static void test_names(void)
{
	const struct sap_str names[] = { SAP_STR_INIT("hidden"), SAP_STR_INIT("missing"),
					 SAP_STR_INIT("copy") };
	struct sap_wire_message m;
	const struct sap_wire_probe *p;
	struct sap_evidence *e;
	struct fake f;

	usual_list();
	if (!begin(&f, with_functions(SAP_WATCH_NAMED, names, 3)))
		return;
	event_map(&f, 100, lib("libone.so"));
	work(&f);
	CHECK_INT(asked_want, SAP_FN_WANT_ALL);
	if (CHECK(got(&f, SAP_WIRE_PROBE, &m))) {
		p = m.body;
		CHECK_INT(p->n, 5); /* exported ones, hidden, and what stands in for copy */
		CHECK_INT(p->offsets[2], 0x1030);
		CHECK_INT(p->offsets[3], 0x1040);
	}
	e = evidence(&f);
	CHECK(!unobserved(e, "hidden"));
	CHECK(unobserved(e, "missing") &&
	      has_text(unobserved(e, "missing")->reason, "no symbol: install its debug symbols"));
	CHECK(unobserved(e, "copy") && has_text(unobserved(e, "copy")->reason, "own names"));
	end(&f);

	usual_list();
	has_symtab = true;
	if (!begin(&f, with_functions(SAP_WATCH_LIST, names, 2)))
		return;
	event_map(&f, 100, lib("libone.so"));
	work(&f);
	if (CHECK(got(&f, SAP_WIRE_PROBE, &m))) {
		p = m.body;
		CHECK_INT(p->n, 1);
		CHECK_INT(p->offsets[0], 0x1040);
	}
	e = evidence(&f);
	CHECK(unobserved(e, "missing") &&
	      has_text(unobserved(e, "missing")->reason, "not in the symbol table"));
	end(&f);
}

/* ---- IFUNCs of a library that this process has loaded too: the C library ------------------------------- */

/* Where a place of our memory lies in its file, as /proc says. */
static bool place_of(const void *at, char path[256], uint64_t *offset)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start, end, from;
	bool found = false;
	char line[512];

	while (maps && !found && fgets(line, sizeof(line), maps)) {
		char *slash = strchr(line, '/');

		start = strtoul(line, &slash, 16);
		end = strtoul(slash + 1, &slash, 16);
		if ((uintptr_t)at < start || (uintptr_t)at >= end)
			continue;
		from = strtoul(slash + 5, NULL, 16);
		slash = strchr(line, '/');
		if (!slash)
			break;
		snprintf(path, 256, "%.*s", (int)strcspn(slash, "\n"), slash);
		*offset = from + ((uintptr_t)at - start);
		found = true;
	}
	if (maps)
		fclose(maps);
	return found;
}

struct ours {
	char path[256]; /* of the C library */
	uint64_t copy, move, length;
	bool vdso; /* time(2) is not in it */
};

static bool find_ours(struct ours *u)
{
	void *c = dlopen("libc.so.6", RTLD_NOLOAD | RTLD_LAZY);
	char path[256];
	uint64_t offset;
	bool found = false;

#if defined(__GLIBC__) && defined(__x86_64__)
	found = c && place_of(dlvsym(c, "memcpy", "GLIBC_2.14"), u->path, &u->copy) &&
		place_of(dlvsym(c, "memmove", "GLIBC_2.2.5"), u->path, &u->move) &&
		place_of(dlvsym(c, "strlen", "GLIBC_2.2.5"), u->path, &u->length);
	u->vdso = found && !place_of(dlvsym(c, "time", "GLIBC_2.2.5"), path, &offset);
#else
	(void)path;
	(void)offset;
	(void)u;
#endif
	if (c)
		dlclose(c);
	return found;
}

/* A list as that of a stripped C library; local: a name for what stands where memcpy is. */
static void our_list(const struct ours *u, const char *local, unsigned flags)
{
	no_list();
	list(0x1000, "alpha@@V1", SAP_FN_EXPORTED);
	list(0x1010, "memcpy@@GLIBC_2.14", SAP_FN_EXPORTED | SAP_FN_IFUNC);
	list(0x1020, "memmove@@GLIBC_2.2.5 some_alias", SAP_FN_EXPORTED | SAP_FN_IFUNC);
	list(0x1030, "nothing@@V1", SAP_FN_EXPORTED | SAP_FN_IFUNC);
	list(0x1040, "time@@GLIBC_2.2.5", SAP_FN_EXPORTED | SAP_FN_IFUNC);
	list(0x1050, "strlen@@GLIBC_2.2.5", SAP_FN_EXPORTED | SAP_FN_IFUNC);
	if (local)
		list(u->copy, local, flags);
	n_ifuncs = 5;
}

/* The cookie of the probe at that place; SAP_NONE: none was asked for. */
static uint32_t cookie_of(const struct sap_wire_probe *p, uint64_t offset)
{
	for (uint32_t i = 0; i < p->n; i++) {
		if (i)
			CHECK(p->offsets[i] > p->offsets[i - 1]);
		if (p->offsets[i] == offset)
			return p->cookie + i;
	}
	return SAP_NONE;
}

/* What was chosen is probed under the names, unless the kernel would refuse it on this processor. */
static void check_ours(struct fake *f, const struct ours *u, const char *path, const char *names)
{
	static const char *const each[] = { "memcpy", "memmove", "some_alias" };
	const struct sap_wire_probe *p;
	struct sap_wire_message m;
	struct sap_evidence *e;
	uint32_t cookie;

	event_exec(f, 100, "prog");
	event_map(f, 100, path);
	work(f);
	if (!CHECK(got(f, SAP_WIRE_PROBE, &m)))
		return;
	p = m.body;
	cookie = cookie_of(p, u->copy);
	CHECK(cookie_of(p, 0x1010) != SAP_NONE);
	event_placed(f, 0, p->cookie, p->n, 0, 0);
	if (cookie != SAP_NONE)
		event_hit(f, 100, cookie);
	work(f);
	e = evidence(f);
	for (size_t i = 0; i < 3 && u->copy == u->move; i++) {
		const struct sap_unobserved *no = unobserved(e, each[i]);

		CHECK(cookie == SAP_NONE ? no && has_text(no->reason, "refuses") : !no);
	}
	if (u->copy == u->move && cookie != SAP_NONE)
		CHECK(entered(e, names));
	CHECK(cookie_of(p, u->length) != SAP_NONE
		      ? !unobserved(e, "strlen")
		      : has_text(unobserved(e, "strlen")->reason, "refuses"));
	CHECK_INT(e->files.v[0].n_functions - e->files.v[0].n_refused, p->n);
	CHECK(unobserved(e, "nothing") && has_text(unobserved(e, "nothing")->reason, "no symbol: "
										     "install"));
	CHECK(!u->vdso ||
	      (unobserved(e, "time") && has_text(unobserved(e, "time")->reason, "vDSO")));
}

static void check_not_ours(const char *path)
{
	struct fake f;

	if (!begin(&f, with_functions(SAP_WATCH_EXPORTED, NULL, 0)))
		return;
	event_map(&f, 100, path);
	work(&f);
	CHECK(unobserved(evidence(&f), "memcpy") &&
	      has_text(unobserved(evidence(&f), "memcpy")->reason, "has no symbol"));
	CHECK_INT(evidence(&f)->files.v[0].n_functions, 6);
	end(&f);
}

static void test_ifuncs_of_ours(void)
{
	const char *copy = lib("libcopy.so");
	struct ours u = { .copy = 0 };
	char command[600];
	struct fake f;
	int fd;

	if (!find_ours(&u)) {
		check_skip("ifuncs of ours", "not glibc on x86-64");
		return;
	}
	our_list(&u, NULL, 0);
	if (!begin(&f, with_functions(SAP_WATCH_EXPORTED, NULL, 0)))
		return;
	check_ours(&f, &u, u.path, "memcpy@@GLIBC_2.14 memmove@@GLIBC_2.2.5 some_alias");
	end(&f);
	/* A copy of it has other numbers, but the same bytes. */
	snprintf(command, sizeof(command), "cp '%s' '%s'", u.path, copy);
	if (!CHECK(system(command) == 0) || !begin(&f, with_functions(SAP_WATCH_EXPORTED, NULL, 0)))
		return;
	check_ours(&f, &u, copy, "memcpy@@GLIBC_2.14 memmove@@GLIBC_2.2.5 some_alias");
	end(&f);
	/* Another function of the list stands there. */
	our_list(&u, "__local memmove@@GLIBC_2.2.5", SAP_FN_LOCAL);
	if (!begin(&f, with_functions(SAP_WATCH_EXPORTED, NULL, 0)))
		return;
	check_ours(&f, &u, copy, "__local memcpy@@GLIBC_2.14 memmove@@GLIBC_2.2.5 some_alias");
	end(&f);
	our_list(&u, "__local", SAP_FN_LOCAL | SAP_FN_REFUSED);
	if (!begin(&f, with_functions(SAP_WATCH_EXPORTED, NULL, 0)))
		return;
	event_map(&f, 100, u.path);
	work(&f);
	CHECK(unobserved(evidence(&f), "memcpy") && unobserved(evidence(&f), "__local") &&
	      has_text(unobserved(evidence(&f), "memcpy")->reason, "refuses"));
	end(&f);
	our_list(&u, NULL, 0);
	setenv("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-AVX2", 1);
	check_not_ours(u.path);
	unsetenv("GLIBC_TUNABLES");
	/* The same build-id, but not the same file. */
	fd = open(copy, O_WRONLY | O_CLOEXEC);
	CHECK(pwrite(fd, "?", 1, (off_t)u.copy) == 1);
	close(fd);
	check_not_ours(copy);
	unlink(copy);
}

static void test_hits_out_of_order(void)
{
	struct sap_wire_message m;
	struct sap_evidence *e;
	struct fake f;
	uint32_t cookie;

	usual_list();
	if (!begin(&f, with_functions(SAP_WATCH_ALL, NULL, 0)))
		return;
	event_exec(&f, 100, "prog");
	event_map(&f, 100, lib("prog"));
	event_map(&f, 100, lib("libone.so"));
	work(&f);
	if (!CHECK(got(&f, SAP_WIRE_PROBE, &m)))
		return;
	cookie = ((const struct sap_wire_probe *)m.body)->cookie;
	if (!CHECK(got(&f, SAP_WIRE_PROBE, &m)))
		return;
	cookie = ((const struct sap_wire_probe *)m.body)->cookie;
	event_placed(&f, 1, cookie, 5, 0, 0);
	/* Before its EXEC is told. */
	event_hit(&f, 600, cookie);
	work(&f);
	CHECK_INT(evidence(&f)->functions.n, 0);
	f.when -= 20 * (int64_t)MS;
	event_exec(&f, 600, "other");
	event_map(&f, 600, lib("other"));
	event_map(&f, 600, lib("libone.so"));
	work(&f);
	e = evidence(&f);
	if (CHECK_INT(e->functions.n, 1))
		CHECK_INT(e->functions.v[0].process, process_of(e, lib("other"), false));
	/* After its EXIT was told. */
	f.when += 20 * (int64_t)MS;
	event_exit(&f, 600);
	f.when -= 5 * (int64_t)MS;
	event_hit(&f, 600, cookie + 4);
	work(&f);
	e = evidence(&f);
	if (CHECK_INT(e->functions.n, 2)) {
		CHECK_INT(e->functions.v[1].process, process_of(e, lib("other"), true));
		CHECK_INT(e->functions.v[0].process, e->functions.v[1].process);
	}
	/* Of nobody we know: at the end it counts all the same. */
	event_hit(&f, 999, cookie + 2);
	work(&f);
	CHECK_INT(evidence(&f)->functions.n, 2);
	sap_watch_stop(f.w, &f.err);
	put(&f, SAP_WIRE_END, NULL, 0);
	CHECK_INT(work(&f), 0);
	e = evidence(&f);
	if (CHECK_INT(e->functions.n, 3))
		CHECK(e->functions.v[2].process == SAP_NONE);
	end(&f);
}

/* What came too late for probes says so, and is listed for what it does when it is loaded. */
static void test_too_late(void)
{
	struct sap_evidence *e;
	struct fake f;

	usual_list();
	if (!begin(&f, with_functions(SAP_WATCH_EXPORTED, NULL, 0)))
		return;
	event_map(&f, 100, lib("libone.so"));
	work(&f);
	event_map(&f, 100, lib("libtwo.so"));
	sap_watch_stop(f.w, &f.err);
	put(&f, SAP_WIRE_END, NULL, 0);
	CHECK_INT(work(&f), 0);
	e = evidence(&f);
	CHECK_INT(n_listed, 2);
	for (size_t i = 0; i < 2; i++) {
		CHECK_INT(e->files.v[i].observed, SAP_OBSERVED_NOT);
		CHECK_INT(e->files.v[i].load_time, SAP_YES);
		CHECK(has_text(e->files.v[i].reason, "before its probes stood"));
	}
	end(&f);
}

static void test_foreign_hits(void)
{
	const int32_t pids[] = { 400 };
	struct sap_watch_options o = with_functions(SAP_WATCH_EXPORTED, NULL, 0);
	struct fake f;

	usual_list();
	o.pids = pids;
	o.n_pids = 1;
	if (!begin(&f, o))
		return;
	event_exec(&f, 400, "prog");
	event_map(&f, 400, lib("libone.so"));
	work(&f);
	event_placed(&f, 0, 0, 3, 0, 0);
	event_hit(&f, 999, 0);
	event_hit(&f, 400, 2);
	sap_watch_stop(f.w, &f.err);
	put(&f, SAP_WIRE_END, NULL, 0);
	CHECK_INT(work(&f), 0);
	CHECK_INT(evidence(&f)->functions.n, 1);
	end(&f);
}

static void test_refused_and_errors(void)
{
	struct sap_wire_refused refused = { .cookie = 1, .error = 524 };
	struct sap_evidence *e;
	struct fake f;

	usual_list();
	if (!begin(&f, with_functions(SAP_WATCH_EXPORTED, NULL, 0)))
		return;
	event_map(&f, 100, lib("libone.so"));
	event_map(&f, 100, lib("libtwo.so"));
	work(&f);
	refused.cookie = 2;
	put(&f, SAP_WIRE_REFUSED, &refused, sizeof(refused));
	event_placed(&f, 0, 0, 2, 1, 0);
	event_placed(&f, 1, 3, 0, 3, -EPERM);
	CHECK_INT(work(&f), 1);
	e = evidence(&f);
	CHECK(unobserved(e, "omega") && has_text(unobserved(e, "omega")->reason, "refuses"));
	CHECK_INT(e->files.v[0].n_refused, 2);
	CHECK_INT(e->files.v[1].observed, SAP_OBSERVED_NOT);
	CHECK(has_text(e->files.v[1].reason, "Operation not permitted"));
	end(&f);

	no_list();
	list_result = SAP_EWORKER;
	if (!begin(&f, with_functions(SAP_WATCH_EXPORTED, NULL, 0)))
		return;
	event_map(&f, 100, lib("libone.so"));
	event_map(&f, 100, lib("noelf"));
	event_map(&f, 100, "/nowhere/gone.so");
	event_map(&f, 100, lib("link.so"));
	CHECK_INT(work(&f), 1);
	CHECK_INT(n_listed, 1);
	e = evidence(&f);
	CHECK_STR(e->files.v[3].reason, "it cannot be parsed");
	CHECK_INT(e->files.v[0].observed, SAP_OBSERVED_NOT);
	CHECK_STR(e->files.v[0].reason, "it cannot be parsed");
	CHECK_INT(e->files.v[1].observed, SAP_OBSERVED_NOT_ASKED);
	CHECK_INT(e->files.v[2].observed, SAP_OBSERVED_NOT);
	CHECK(has_text(e->files.v[2].reason, "gone"));
	end(&f);
}

/* 20,000 functions are three messages; two paths of one inode are listed and probed once. */
static void test_pieces_and_links(void)
{
	struct sap_wire_message m;
	struct sap_evidence *e;
	uint32_t n = 0, pieces = 0;
	struct fake f;

	no_list();
	many = 20000;
	if (!begin(&f, with_functions(SAP_WATCH_EXPORTED, NULL, 0)))
		return;
	event_map(&f, 100, lib("libone.so"));
	event_map(&f, 101, lib("link.so"));
	work(&f);
	while (got(&f, SAP_WIRE_PROBE, &m)) {
		const struct sap_wire_probe *p = m.body;

		CHECK_INT(p->cookie, n);
		event_placed(&f, p->file, p->cookie, p->n, 0, 0);
		n += p->n;
		pieces++;
	}
	CHECK_INT(n, 20000);
	CHECK_INT(pieces, 3);
	CHECK_INT(n_listed, 1);
	event_hit(&f, 101, 19999);
	CHECK_INT(work(&f), 1);
	e = evidence(&f);
	CHECK_INT(e->files.n, 2);
	CHECK_INT(e->files.v[1].n_probed, 20000);
	CHECK_INT(e->files.v[1].observed, SAP_OBSERVED_PROBED);
	/* The same bytes at the other path: by whom is not known there. */
	if (CHECK_INT(e->functions.n, 2)) {
		CHECK_INT(e->functions.v[0].file, file_of(e, lib("link.so")));
		CHECK_INT(e->functions.v[0].offset, 0x100000 + 19999 * 16);
		CHECK_INT(e->functions.v[0].process, sap_evidence_living(e, 101));
		CHECK_INT(e->functions.v[1].file, file_of(e, lib("libone.so")));
		CHECK_INT(e->functions.v[1].offset, 0x100000 + 19999 * 16);
		CHECK_INT(e->functions.v[1].process, SAP_NONE);
	}
	end(&f);
}

static void test_expect_and_forget(void)
{
	const char *path = lib("temporary.so");
	struct sap_wire_message m;
	struct sap_evidence *e;
	struct fake f;
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0755);

	CHECK(write(fd, "\177ELFxxxxxxxx", 12) == 12);
	close(fd);
	usual_list();
	if (!begin(&f, with_functions(SAP_WATCH_EXPORTED, NULL, 0)))
		return;
	CHECK_INT(sap_watch_expect(f.w, SAP_STR("/nowhere/x.so"), &f.err), SAP_ENOENT);
	CHECK_OK(sap_watch_expect(f.w, sap_str_of(path), &f.err), &f.err);
	CHECK(sap_watch_busy(f.w));
	/* There is work although nothing came. */
	CHECK_INT(poll(&(struct pollfd){ .fd = sap_watch_fd(f.w), .events = POLLIN }, 1, 0), 1);
	work(&f);
	CHECK_INT(poll(&(struct pollfd){ .fd = sap_watch_fd(f.w), .events = POLLIN }, 1, 0), 0);
	CHECK(got(&f, SAP_WIRE_PROBE, &m));
	event_placed(&f, 0, 0, 3, 0, 0);
	work(&f);
	CHECK(!sap_watch_busy(f.w));
	e = evidence(&f);
	CHECK_INT(e->files.v[0].n_processes, 0);
	one_program(&f, 1, 100);
	event_map(&f, 100, path);
	event_exit(&f, 100);
	work(&f);
	CHECK_INT(file_of(e, path), 0);
	CHECK_INT(evidence(&f)->files.v[0].n_processes, 1);
	/* Nobody maps it and it is gone: its probes are given back. */
	usleep(50000); /* the events' clock runs ahead */
	CHECK_OK(sap_watch_look(f.w, &f.err), &f.err);
	CHECK(evidence(&f)->files.v[0].watched > 0);
	CHECK_INT(e->files.v[0].watched_processes, 1);
	unlink(path);
	for (int i = 0; i < 4; i++)
		CHECK_OK(sap_watch_look(f.w, &f.err), &f.err);
	CHECK_INT(e->files.v[0].observed, SAP_OBSERVED_NOT);
	CHECK(has_text(e->files.v[0].reason, "taken away"));
	CHECK_INT(e->files.v[0].watched, 0);
	if (CHECK(got(&f, SAP_WIRE_FORGET, &m)))
		CHECK_INT(*(const uint32_t *)m.body, 0);
	CHECK(!got(&f, SAP_WIRE_FORGET, &m));
	event_hit(&f, 100, 0);
	CHECK_INT(work(&f), 1);
	end(&f);
}

static int64_t start_of(struct fake *f, const char *path)
{
	struct sap_evidence *e = evidence(f);
	uint32_t file = file_of(e, path);

	return file == SAP_NONE ? 0 : e->files.v[file].observed_since;
}

/* What ended before its probes stood was not watched; what ends or lives later was. */
static void test_watched(void)
{
	struct sap_wire_message m;
	struct sap_evidence *e;
	struct fake f;
	uint32_t file;

	usual_list();
	if (!begin(&f, with_functions(SAP_WATCH_EXPORTED, NULL, 0)))
		return;
	f.when = now_ns(CLOCK_REALTIME) - 500 * (int64_t)MS;
	CHECK(evidence(&f)->live);
	one_program(&f, 1, 100);
	event_exit(&f, 100);
	work(&f);
	event_fork(&f, 1, 101); /* ends before, is told after */
	event_exec(&f, 101, "prog");
	event_map(&f, 101, lib("prog"));
	event_map(&f, 101, lib("libone.so"));
	f.when += 5 * (int64_t)MS;
	while (got(&f, SAP_WIRE_PROBE, &m)) {
		const struct sap_wire_probe *p = m.body;

		event_placed(&f, p->file, p->cookie, p->n, 0, 0);
	}
	f.when -= 5 * (int64_t)MS;
	event_exit(&f, 101);
	work(&f);
	e = evidence(&f);
	file = file_of(e, lib("libone.so"));
	if (!CHECK(file != SAP_NONE))
		return;
	CHECK_INT(e->files.v[file].observed, SAP_OBSERVED_PROBED);
	CHECK_INT(e->files.v[file].n_processes, 2);
	CHECK_INT(e->files.v[file].watched_processes, 0);
	f.when += 20 * (int64_t)MS;
	one_program(&f, 1, 102);
	CHECK_INT(work(&f), 1);
	CHECK_INT(evidence(&f)->files.v[file].watched_processes, 1);
	event_exit(&f, 102);
	one_program(&f, 1, 103);
	CHECK_INT(work(&f), 1);
	CHECK_INT(evidence(&f)->files.v[file].watched_processes, 2);
	CHECK_INT(e->files.v[file].n_processes, 4);
	CHECK_OK(sap_watch_look(f.w, &f.err), &f.err);
	CHECK(e->files.v[file].watched > 0);
	CHECK_INT(e->files.v[file].watched, sap_evidence_stood(e, start_of(&f, lib("libone.so"))));
	end(&f);
}

/* A file that was out of reach and comes back as it was: its probes are asked for again. */
static void test_forgotten_comes_back(void)
{
	char folder_a[160], folder_b[160], path[192];
	struct sap_wire_message m;
	struct sap_evidence *e;
	struct fake f;
	int64_t since;
	int fd;

	snprintf(folder_a, sizeof(folder_a), "%s", lib("here"));
	snprintf(folder_b, sizeof(folder_b), "%s", lib("away"));
	snprintf(path, sizeof(path), "%s/back.so", folder_a);
	CHECK(mkdir(folder_a, 0755) == 0);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0755);
	CHECK(write(fd, "\177ELFxxxxxxxx", 12) == 12);
	close(fd);
	usual_list();
	if (!begin(&f, with_functions(SAP_WATCH_EXPORTED, NULL, 0)))
		return;
	event_map(&f, 100, path);
	work(&f);
	CHECK(got(&f, SAP_WIRE_PROBE, &m));
	event_placed(&f, 0, 0, 3, 0, 0);
	event_exit(&f, 100);
	work(&f);
	since = start_of(&f, path);
	CHECK(since > 0);
	CHECK(rename(folder_a, folder_b) == 0);
	for (int i = 0; i < 4; i++)
		CHECK_OK(sap_watch_look(f.w, &f.err), &f.err);
	CHECK(got(&f, SAP_WIRE_FORGET, &m));
	CHECK(rename(folder_b, folder_a) == 0);
	f.when = now_ns(CLOCK_REALTIME);
	event_map(&f, 101, path);
	work(&f);
	if (CHECK(got(&f, SAP_WIRE_PROBE, &m)))
		CHECK_INT(((const struct sap_wire_probe *)m.body)->cookie, 3);
	event_placed(&f, 1, 3, 3, 0, 0);
	CHECK_INT(work(&f), 1);
	e = evidence(&f);
	CHECK_INT(e->files.n, 1);
	CHECK_INT(e->files.v[0].observed, SAP_OBSERVED_PROBED);
	CHECK(e->files.v[0].observed_since > since);
	CHECK_INT(e->files.v[0].watched_processes, 2);
	end(&f);
	unlink(path);
	rmdir(folder_a);
}

static void test_without_probes(void)
{
	struct sap_watch_options o = with_functions(SAP_WATCH_EXPORTED, NULL, 0);
	struct sap_wire_ready ready = { .flags = SAP_WIRE_MAPS,
					.functions = "not allowed: CAP_BPF would help" };
	struct sap_evidence *e;
	struct fake f = { .when = now_ns(CLOCK_REALTIME) };
	int pair[2];

	usual_list();
	if (!CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0))
		return;
	f.out.fd = pair[1];
	f.ours = o.observer = pair[0];
	put(&f, SAP_WIRE_READY, &ready, sizeof(ready));
	sap_wire_flush(&f.out, NULL);
	if (!CHECK_OK(sap_watch_new(&o, &f.w, &f.err), &f.err))
		return;
	event_map(&f, 100, lib("libone.so"));
	CHECK_INT(work(&f), 1);
	e = evidence(&f);
	CHECK_INT(e->files.v[0].observed, SAP_OBSERVED_NOT);
	CHECK_STR(e->files.v[0].reason, "not allowed: CAP_BPF would help");
	CHECK_INT(e->files.v[0].load_time, SAP_YES);
	CHECK_STR(e->means.functions, "not allowed: CAP_BPF would help");
	end(&f);
}

/* ---- the end of the helper, and what is not sound ---------------------------------------------------- */

static void test_helper_dies(void)
{
	struct sap_evidence *e;
	struct fake f;
	int64_t first;

	if (!begin(&f, plain()))
		return;
	one_program(&f, 1, 100);
	sap_wire_flush(&f.out, NULL);
	shutdown(f.out.fd, SHUT_RDWR);
	CHECK_INT(work(&f), SAP_EWORKER);
	CHECK_INT(sap_watch_work(f.w, &f.err), SAP_EWORKER);
	e = evidence(&f);
	CHECK_INT(e->files.v[file_of(e, lib("libone.so"))].n_processes, 1);
	if (CHECK_INT(e->gaps.n, 1)) {
		first = e->gaps.v[0].end;
		CHECK_OK(sap_watch_look(f.w, &f.err), &f.err);
		CHECK(e->gaps.v[0].end > first);
		CHECK_INT(e->gaps.v[0].end, e->end);
	}
	CHECK(has_text(e->means.maps, "ended"));
	/* Who is gone is found by looking, now that nobody tells. */
	CHECK_INT(count_of(e, process_of(e, lib("prog"), true)), 1);
	CHECK_OK(sap_watch_stop(f.w, &f.err), &f.err);
	end(&f);
}

static void hostile(const char *what, uint32_t type, const void *p, uint32_t n, bool raw)
{
	struct fake f;

	usual_list();
	if (!begin(&f, with_functions(SAP_WATCH_EXPORTED, NULL, 0)))
		return;
	event_map(&f, 100, lib("libone.so"));
	work(&f);
	if (raw)
		send(f.out.fd, p, n, MSG_NOSIGNAL);
	else
		put(&f, type, p, n);
	if (!CHECK_INT(work(&f), SAP_EWORKER))
		printf("\tby %s\n", what);
	CHECK_INT(evidence(&f)->gaps.n, 1);
	end(&f);
}

static void test_hostile(void)
{
	static const struct sap_wire_placed placed[] = {
		{ .file = 0, .cookie = 0, .n_placed = 4 },
		{ .file = 0, .cookie = 0, .n_placed = UINT32_MAX, .n_refused = 2 },
		{ .file = 1, .cookie = 0, .n_placed = 1 },
		{ .file = 0, .cookie = 77, .n_placed = 1 },
	};
	const struct sap_wire_hit hit = { .cookie = 3, .pid = 1 };
	const struct sap_wire_refused refused = { .cookie = UINT32_MAX, .error = -2147483647 - 1 };
	const struct sap_wire_ready ready = { .flags = 7 };
	const uint32_t start[16] = { 1 };
	struct sap_wire_map map = { .pid = 1, .n_path = 5000 };
	unsigned char noise[256];

	for (size_t i = 0; i < 4; i++)
		hostile("PLACED", SAP_WIRE_PLACED, &placed[i], sizeof(placed[i]), false);
	hostile("HIT", SAP_WIRE_HIT, &hit, sizeof(hit), false);
	hostile("REFUSED", SAP_WIRE_REFUSED, &refused, sizeof(refused), false);
	hostile("READY", SAP_WIRE_READY, &ready, sizeof(ready), false);
	hostile("START", SAP_WIRE_START, start, sizeof(start), false);
	hostile("MAP", SAP_WIRE_MAP, &map, sizeof(map), false);
	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (unsigned char)(i * 37);
	hostile("noise", 0, noise, sizeof(noise), true);
	hostile("a short head", 0, noise, 3, true);
}

/* Each byte of a sound conversation turned around: nothing may crash, and what comes out is whole. */
static void test_flipped(void)
{
	static _Alignas(8) unsigned char packet[SAP_WIRE_PACKET_MAX];
	struct fake f;
	uint32_t n;

	f.out.fd = -1;
	f.out.n = 0;
	f.out.full = NULL;
	f.when = 1;
	one_program(&f, 1, 100);
	event_placed(&f, 0, 0, 3, 0, 0);
	event_hit(&f, 100, 1);
	event_exit(&f, 100);
	n = f.out.n;
	memcpy(packet, f.out.packet, n);
	for (uint32_t i = 0; i < n; i++) {
		usual_list();
		if (!begin(&f, with_functions(SAP_WATCH_EXPORTED, NULL, 0)))
			return;
		packet[i] ^= 0xff;
		send(f.out.fd, packet, n, MSG_NOSIGNAL);
		packet[i] ^= 0xff;
		work(&f);
		evidence(&f);
		end(&f);
	}
	CHECK(true);
}

static void test_no_answer(void)
{
	struct sap_watch_options o = plain();
	struct sap_watch *w = NULL;
	struct sap_err err;
	int pair[2];

	if (!CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0))
		return;
	close(pair[1]);
	o.observer = pair[0];
	CHECK_INT(sap_watch_new(&o, &w, &err), SAP_EWORKER);
	CHECK(w == NULL);
	close(pair[0]);
}

/* ---- living processes --------------------------------------------------------------------------- */

static void proc_file(int32_t pid, const char *name, const char *text)
{
	char path[256];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%d/%s", proc, pid, name);
	out = fopen(path, "w");
	if (CHECK(out != NULL)) {
		fputs(text, out);
		fclose(out);
	}
}

static void proc_link(int32_t pid, const char *name, const char *to)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%d/%s", proc, pid, name);
	unlink(path);
	CHECK(symlink(to, path) == 0);
}

static void proc_process(int32_t pid, int32_t ppid, const char *const *paths)
{
	char path[256], text[4096];
	int n = 0;

	snprintf(path, sizeof(path), "%s/%d", proc, pid);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/%d/ns", proc, pid);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/%d/fd", proc, pid);
	mkdir(path, 0755);
	snprintf(
		text, sizeof(text),
		"%d (prog) S %d 1 1 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 %d 1 1 1 1 1 1 1 1 1 1 1 "
		"1 1 1 1 1 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
		pid, ppid, pid * 10);
	proc_file(pid, "stat", text);
	proc_file(pid, "cgroup", "0::/system.slice/test.service\n");
	proc_file(pid, "environ", "");
	proc_link(pid, "ns/mnt", "mnt:[4026531841]");
	proc_link(pid, "ns/net", "net:[4026531842]");
	proc_link(pid, "root", "/");
	proc_link(pid, "exe", paths[0]);
	for (size_t i = 0; paths[i]; i++) {
		struct stat st;

		stat(paths[i], &st);
		n += snprintf(text + n, sizeof(text) - (size_t)n,
			      "%zx000-%zx000 r-xp 00000000 %02x:%02x %lu %s\n", i * 2 + 1,
			      i * 2 + 2, (unsigned)(st.st_dev >> 8), (unsigned)(st.st_dev & 255),
			      (unsigned long)st.st_ino, paths[i]);
	}
	proc_file(pid, "maps", text);
}

static void proc_gone(int32_t pid)
{
	char command[256];

	snprintf(command, sizeof(command), "rm -rf '%s/%d'", proc, pid);
	CHECK(system(command) == 0);
}

static void test_warm(void)
{
	const char *const paths[] = { lib("prog"), lib("libone.so"), NULL };
	struct sap_evidence *e;
	struct fake f;
	uint32_t p;

	proc_process(700, 1, paths);
	if (!begin(&f, plain()))
		return;
	/* From before the picture: what it shows is one use with both flags. */
	f.when -= 3000 * (int64_t)MS;
	event_fork(&f, 1, 700);
	event_map(&f, 700, lib("other")); /* of the program before, which the picture did not see */
	event_exec(&f, 700, "prog");
	event_map(&f, 700, lib("prog"));
	event_map(&f, 700, lib("libone.so"));
	event_map(&f, 700, lib("libtwo.so")); /* and gone again before the picture */
	work(&f);
	e = evidence(&f);
	p = sap_evidence_living(e, 700);
	if (!CHECK(p != SAP_NONE))
		return;
	CHECK_INT(use_of(e, file_of(e, lib("prog")), p), SAP_USE_PROC | SAP_USE_LIVE);
	CHECK_INT(use_of(e, file_of(e, lib("libone.so")), p), SAP_USE_PROC | SAP_USE_LIVE);
	CHECK_INT(e->processes_seen, 1);
	CHECK_INT(e->files.v[file_of(e, lib("other"))].n_processes, 1);
	CHECK_INT(use_of(e, file_of(e, lib("other")), p), 0);
	f.when += 4000 * (int64_t)MS;
	event_map(&f, 700, lib("third")); /* dlopen */
	work(&f);
	e = evidence(&f);
	CHECK_INT(use_of(e, file_of(e, lib("third")), p), SAP_USE_LIVE);
	CHECK_INT(use_of(e, file_of(e, lib("libtwo.so")), p), SAP_USE_LIVE);
	CHECK_STR(e->processes.v[p].unit, "test.service");
	/* It forks; the child inherits what the picture showed. */
	event_fork(&f, 700, 701);
	event_exit(&f, 701);
	proc_gone(700);
	event_exit(&f, 700);
	work(&f);
	e = evidence(&f);
	CHECK_INT(e->files.v[file_of(e, lib("libone.so"))].n_processes, 2);
	CHECK_INT(e->processes_seen, 2);
	p = process_of(e, lib("prog"), true);
	CHECK_INT(count_of(e, p), 2);
	CHECK_STR(e->processes.v[p].unit, "test.service");
	end(&f);
}

/* What events lost is found by a look: who came, and who went. */
static void test_look(void)
{
	const char *const paths[] = { lib("prog"), lib("libone.so"), NULL };
	struct sap_evidence *e;
	struct fake f;

	if (!begin(&f, plain()))
		return;
	event_fork(&f, 1, 710);
	event_exec(&f, 710, "prog");
	event_map(&f, 710, lib("prog"));
	event_map(&f, 710, lib("libtwo.so"));
	work(&f);
	proc_process(710, 1, paths);
	proc_process(711, 710, paths);
	CHECK_OK(sap_watch_look(f.w, &f.err), &f.err);
	e = evidence(&f);
	CHECK_INT(e->processes_seen, 2);
	CHECK_INT(use_of(e, file_of(e, lib("prog")), sap_evidence_living(e, 710)),
		  SAP_USE_PROC | SAP_USE_LIVE);
	CHECK_INT(use_of(e, file_of(e, lib("libtwo.so")), sap_evidence_living(e, 710)),
		  SAP_USE_LIVE);
	CHECK_INT(use_of(e, file_of(e, lib("libone.so")), sap_evidence_living(e, 711)),
		  SAP_USE_PROC);
	CHECK_INT(e->files.v[file_of(e, lib("prog"))].n_processes, 2);
	/* The same again changes nothing. */
	CHECK_OK(sap_watch_look(f.w, &f.err), &f.err);
	CHECK_INT(e->processes_seen, 2);
	proc_gone(710);
	proc_gone(711);
	CHECK_OK(sap_watch_look(f.w, &f.err), &f.err);
	CHECK(sap_evidence_living(e, 711) != SAP_NONE); /* its EXIT may be on the way */
	/* One much younger than the look: those before it have come. */
	f.when = now_ns(CLOCK_REALTIME) + 300 * (int64_t)MS;
	event_map(&f, 710, lib("third"));
	event_exit(&f, 710);
	work(&f);
	CHECK_OK(sap_watch_look(f.w, &f.err), &f.err);
	CHECK(sap_evidence_living(e, 711) == SAP_NONE);
	CHECK_INT(count_of(e, process_of(e, lib("prog"), true)), 2);
	CHECK_INT(e->files.v[file_of(e, lib("third"))].n_processes, 1);
	CHECK_INT(e->processes_seen, 2);
	CHECK_INT(e->gaps.n, 0);
	CHECK(e->end > e->start);
	end(&f);
}

/* A root that fits under no ceiling: its files are not taken for those of another root. */
static void test_roots_full(void)
{
	const char *const paths[] = { lib("prog"), lib("libone.so"), NULL };
	struct sap_evidence *e;
	uint64_t hidden;
	struct fake f;
	uint32_t root;

	if (!begin(&f, plain()))
		return;
	e = evidence(&f);
	for (uint64_t i = 1; sap_evidence_root(e, i, 1, 1, &root, NULL, NULL) == 0;)
		i++;
	e->losses.ceiling = 0;
	hidden = e->processes_hidden;
	proc_process(750, 1, paths);
	proc_link(750, "ns/mnt", "mnt:[77777777]");
	f.when = now_ns(CLOCK_REALTIME);
	event_fork(&f, 1, 750);
	event_exec(&f, 750, "prog");
	event_map(&f, 750, lib("prog"));
	event_map(&f, 750, lib("libone.so"));
	work(&f);
	CHECK_INT(sap_evidence_living(evidence(&f), 750), SAP_NONE);
	CHECK_INT(e->files.n, 0);
	CHECK(e->losses.ceiling > 0);
	CHECK_INT(e->processes_seen, 1);
	CHECK_OK(sap_watch_look(f.w, &f.err), &f.err);
	CHECK_INT(e->processes_hidden, hidden + 1);
	event_exit(&f, 750);
	CHECK_INT(work(&f), 1);
	CHECK_INT(e->files.n, 0);
	CHECK_INT(process_of(e, lib("prog"), true), SAP_NONE);
	proc_gone(750);
	end(&f);
}

/* A forked child whose EXEC is on its way is already the new program in /proc. */
static void test_look_before_exec(void)
{
	const char *const paths[] = { lib("other"), lib("libtwo.so"), NULL };
	struct sap_evidence *e;
	struct fake f;
	uint32_t p;

	if (!begin(&f, plain()))
		return;
	one_program(&f, 1, 100);
	event_fork(&f, 100, 720);
	f.when -= 1000 * (int64_t)MS;
	work(&f);
	proc_process(720, 100, paths);
	CHECK_OK(sap_watch_look(f.w, &f.err), &f.err);
	event_exec(&f, 720, "other"); /* older than the look */
	event_map(&f, 720, lib("other"));
	event_map(&f, 720, lib("libtwo.so"));
	work(&f);
	e = evidence(&f);
	p = sap_evidence_living(e, 720);
	CHECK_INT(use_of(e, file_of(e, lib("libone.so")), p), 0);
	CHECK(use_of(e, file_of(e, lib("libtwo.so")), p));
	CHECK_INT(e->files.v[file_of(e, lib("other"))].n_processes, 1);
	CHECK_INT(e->processes_seen, 2);
	proc_gone(720);
	end(&f);
}

static void test_cgroup(void)
{
	const char *const paths[] = { lib("prog"), NULL };
	struct sap_watch_options o = plain();
	struct sap_evidence *e;
	struct fake f;

	o.cgroup_path = "/system.slice/test.service";
	if (!begin(&f, o))
		return;
	proc_process(730, 1, paths);
	proc_process(731, 1, paths);
	proc_file(731, "cgroup", "0::/system.slice/another.service\n");
	f.when = now_ns(CLOCK_REALTIME);
	event_exec(&f, 730, "prog");
	event_map(&f, 730, lib("prog"));
	event_exec(&f, 731, "prog");
	event_map(&f, 731, lib("libone.so"));
	event_fork(&f, 730, 732);
	event_exec(&f, 732, "other");
	event_map(&f, 732, lib("other"));
	event_exit(&f, 732);
	event_exit(&f, 731);
	event_exit(&f, 730);
	work(&f);
	e = evidence(&f);
	CHECK(file_of(e, lib("libone.so")) == SAP_NONE);
	CHECK_INT(e->processes_seen, 2);
	CHECK_INT(count_of(e, process_of(e, lib("prog"), true)), 1);
	CHECK_INT(count_of(e, process_of(e, lib("other"), true)), 1);
	proc_gone(730);
	proc_gone(731);
	end(&f);
}

static void test_only_proc(void)
{
	const char *const paths[] = { lib("prog"), lib("libone.so"), NULL };
	struct sap_watch_options o = with_functions(SAP_WATCH_EXPORTED, NULL, 0);
	struct sap_watch *w = NULL;
	struct sap_evidence *e;
	struct sap_err err;

	usual_list();
	o.observer = -1;
	proc_process(740, 1, paths);
	if (!CHECK_OK(sap_watch_new(&o, &w, &err), &err))
		return;
	CHECK_INT(sap_watch_work(w, &err), 1);
	e = sap_watch_evidence(w);
	CHECK_INT(e->processes_seen, 1);
	CHECK_INT(e->files.v[0].observed, SAP_OBSERVED_NOT);
	proc_gone(740);
	CHECK_OK(sap_watch_look(w, &err), &err);
	CHECK_INT(count_of(e, process_of(e, lib("prog"), true)), 1);
	CHECK_OK(sap_watch_stop(w, &err), &err);
	CHECK_INT(sap_watch_work(w, &err), 0);
	CHECK_STR(e->means.maps, "/proc");
	sap_watch_free(w);
}

/* ---- cost --------------------------------------------------------------------------------------- */

static void tell_storm(struct fake *f, uint32_t n)
{
	struct sap_wire_map m[10];
	char names[10][128];
	struct stat st;

	for (int k = 0; k < 10; k++) {
		snprintf(names[k], sizeof(names[k]), "%s/storm%d.so", folder, k);
		m[k] = (struct sap_wire_map){ .len = 4096, .n_path = (uint32_t)strlen(names[k]) };
		if (stat(names[k], &st) == 0) {
			m[k].dev = st.st_dev;
			m[k].ino = st.st_ino;
		}
	}
	for (uint32_t i = 0; i < n; i++) {
		int32_t pid = 1000 + (int32_t)(i % 30000);

		event_fork(f, 1, pid);
		event_exec(f, pid, "storm");
		for (int k = 0; k < 10; k++) {
			m[k].pid = pid;
			m[k].when = f->when += MS / 100;
			sap_wire_put(&f->out, SAP_WIRE_MAP, &m[k], sizeof(m[k]), names[k],
				     m[k].n_path, NULL);
		}
		event_exit(f, pid);
	}
	put(f, SAP_WIRE_END, NULL, 0);
	sap_wire_flush(&f->out, NULL);
}

/* Ten mappings for each process, told by a child as fast as they are taken. */
static void storm(uint32_t n)
{
	struct rusage before, after;
	struct fake f;
	pid_t child;
	double cpu;
	int r;

	if (!begin(&f, plain()))
		return;
	child = fork();
	if (child == 0) {
		close(f.ours);
		tell_storm(&f, n);
		_exit(0);
	}
	close(f.out.fd);
	getrusage(RUSAGE_SELF, &before);
	do {
		poll(&(struct pollfd){ .fd = sap_watch_fd(f.w), .events = POLLIN }, 1, 1000);
		r = sap_watch_work(f.w, &f.err);
	} while (r == 1);
	getrusage(RUSAGE_SELF, &after);
	waitpid(child, NULL, 0);
	CHECK_INT(r, 0);
	CHECK_INT(evidence(&f)->processes_seen, n);
	CHECK_INT(evidence(&f)->files.n, 10);
	CHECK_INT(evidence(&f)->files.v[9].n_processes, n);
	CHECK_INT(evidence(&f)->losses.ceiling, 0);
	cpu = (double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec -
		       before.ru_stime.tv_sec) +
	      (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec -
		       before.ru_stime.tv_usec) /
		      1e6;
	printf("\t%u mappings of %u processes: %.2f s of CPU, %.2f us for a mapping, %ld KiB\n",
	       n * 10, n, cpu, cpu * 1e6 / n / 10, after.ru_maxrss);
	sap_watch_free(f.w);
	close(f.ours);
}

/* ---- a folder to work in ----------------------------------------------------------------------------- */

static bool prepare(void)
{
	static const char *const names[] = { "prog",      "ld.so", "libone.so",
					     "libtwo.so", "other", "third" };
	char path[128];

	snprintf(folder, sizeof(folder), "/tmp/sapper-test-watch-XXXXXX");
	if (!mkdtemp(folder))
		return false;
	snprintf(proc, sizeof(proc), "%s/proc", folder);
	if (mkdir(proc, 0755) < 0)
		return false;
	snprintf(path, sizeof(path), "%s/self", proc);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/self/ns", proc);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/self/root", proc);
	if (symlink("/", path) < 0)
		return false;
	snprintf(path, sizeof(path), "%s/self/ns/mnt", proc);
	if (symlink("mnt:[4026531841]", path) < 0)
		return false;
	for (size_t i = 0; i < 6 + 10 + 1; i++) {
		FILE *out;

		if (i < 6)
			snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		else if (i < 16)
			snprintf(path, sizeof(path), "%s/storm%zu.so", folder, i - 6);
		else
			snprintf(path, sizeof(path), "%s/noelf", folder);
		out = fopen(path, "w");
		if (!out)
			return false;
		fputs(i < 16 ? "\177ELF and nothing more" : "#!/bin/sh", out);
		fclose(out);
	}
	return link(lib("libone.so"), lib("link.so")) == 0;
}

int main(int argc, char **argv)
{
	char command[128];

	if (!prepare())
		return 1;
	test_short_processes();
	test_fork_and_exec();
	test_exec_chain();
	test_lost_and_unknown();
	test_gone_files();
	test_replaced_file();
	test_narrow();
	test_exported();
	test_names();
	test_ifuncs_of_ours();
	test_hits_out_of_order();
	test_too_late();
	test_foreign_hits();
	test_refused_and_errors();
	test_pieces_and_links();
	test_expect_and_forget();
	test_watched();
	test_forgotten_comes_back();
	test_without_probes();
	test_helper_dies();
	test_hostile();
	test_flipped();
	test_no_answer();
	test_warm();
	test_look();
	test_roots_full();
	test_look_before_exec();
	test_cgroup();
	test_only_proc();
	/* With a number: so many processes. */
	storm(argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 5000);
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	CHECK(system(command) == 0);
	return check_done();
}
