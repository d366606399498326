/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/serve.h"

#include <errno.h>
#include <linux/capability.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <time.h>

#include "base/fd.h"
#include "base/span.h"
#include "observe/capability.h"
#include "observe/opens.h"
#include "observe/perf.h"
#include "observe/probe.h"
#include "observe/wire.h"

#define MS 1000000LL
#define NS 1000000000LL

enum {
	INTERVAL_MS = 100,
	INTERVAL_MS_MAX = 60000,
	PAUSE_MS = 10, /* between two looks at what keeps coming */
	CPUS_MS = 5000,
	TEXT = 160,
};

enum source { FROM_SOCKET, FROM_PERF, FROM_PROBES, FROM_OPENS, SOURCES };

struct serve {
	int fd, epoll;
	struct sap_wire_start start;
	struct sap_perf *perf;
	struct sap_probes *probes;
	struct sap_opens *opens;
	struct sap_wire_lost lost;
	int64_t send_at, look_at, cpus_at, work_at; /* CLOCK_MONOTONIC ns */
	bool asleep[SOURCES]; /* it has fired: not waited for until the next look */
	bool stopped;
	struct sap_wire_out out;
	_Alignas(8) unsigned char in[SAP_WIRE_PACKET_MAX];
};

static int64_t clock_ns(clockid_t id)
{
	struct timespec t;

	(void)clock_gettime(id, &t);
	return (int64_t)t.tv_sec * NS + t.tv_nsec;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* The other side has ended; that is no failure of ours. */
static bool is_gone(int r, const struct sap_err *err)
{
	return r == SAP_EIO && (err->sys_errno == EPIPE || err->sys_errno == ECONNRESET);
}

static int note(struct serve *s, const char *text, struct sap_err *err)
{
	return sap_wire_put(&s->out, SAP_WIRE_NOTE, text, (uint32_t)strlen(text), NULL, 0, err);
}

/* ---- start ------------------------------------------------------------------------------ */

static int wait_for(struct serve *s, enum source source, int fd, bool again, struct sap_err *err)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u32 = source };

	/* What can come all the time wakes once, then it is looked at now and then. */
	if (source != FROM_SOCKET)
		e.events |= EPOLLONESHOT;
	if (epoll_ctl(s->epoll, again ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &e) < 0)
		return sap_err_sys(err, errno, "cannot wait for events");
	s->asleep[source] = false;
	return 0;
}

static int receive_start(struct serve *s, struct sap_err *err)
{
	int sap_cleanup_fd with = -1;
	struct sap_wire_message m;
	struct sap_span packet;
	uint32_t n = 0;
	int r = sap_wire_receive(s->fd, s->in, &n, &with, err);

	if (r <= 0)
		return r;
	packet = sap_span_of(s->in, n);
	r = sap_wire_next(&packet, &m, err);
	if (r < 0)
		return r;
	if (r == 0 || m.type != SAP_WIRE_START || with >= 0 || packet.n)
		return sap_err_format(err, 0, "the first packet is not a START");
	memcpy(&s->start, m.body, sizeof(s->start));
	if (s->start.version != SAP_WIRE_VERSION)
		return sap_err_set(err, SAP_EUNSUPPORTED, "version %u of the protocol, not %u",
				   s->start.version, SAP_WIRE_VERSION);
	if (s->start.interval_ms == 0)
		s->start.interval_ms = INTERVAL_MS;
	if (s->start.interval_ms > INTERVAL_MS_MAX)
		s->start.interval_ms = INTERVAL_MS_MAX;
	if ((s->start.flags & SAP_WIRE_CHILD) && s->start.pid <= 0)
		return sap_err_format(err, 0, "START with CHILD and the process %d", s->start.pid);
	return 1;
}

/* Each of these says in READY what is in use, or why it is not. */
static int start_maps(struct serve *s, struct sap_wire_ready *ready, struct sap_err *err)
{
	unsigned asked = s->start.flags & (SAP_WIRE_MAPS | SAP_WIRE_CHILD);
	struct sap_perf_options options = {
		.pid = s->start.flags & SAP_WIRE_CHILD ? s->start.pid : 0,
		.build_ids = s->start.flags & SAP_WIRE_BUILD_IDS,
		.no_build_id = s->start.flags & SAP_WIRE_NO_BUILD_ID,
	};
	struct sap_err why = { 0 };

	if (!asked)
		return 0;
	if (sap_perf_new(&options, &s->perf, &why) < 0) {
		(void)snprintf(ready->maps, sizeof(ready->maps), "%.*s", TEXT - 1, why.text);
		return 0;
	}
	ready->flags |= asked;
	ready->build_ids = sap_perf_build_ids(s->perf);
	if (ready->build_ids)
		ready->flags |= SAP_WIRE_BUILD_IDS;
	(void)snprintf(ready->maps, sizeof(ready->maps), "perf MMAP2%s",
		       ready->build_ids ? " with build-ids" : "");
	return wait_for(s, FROM_PERF, sap_perf_fd(s->perf), false, err);
}

static int start_opens(struct serve *s, struct sap_wire_ready *ready, struct sap_err *err)
{
	struct sap_err why = { 0 };

	if (!(s->start.flags & SAP_WIRE_OPENS))
		return 0;
	if (sap_opens_new(&s->opens, &why) < 0) {
		(void)snprintf(ready->opens, sizeof(ready->opens), "%.*s", TEXT - 1, why.text);
		return 0;
	}
	ready->flags |= SAP_WIRE_OPENS;
	(void)snprintf(ready->opens, sizeof(ready->opens), "fanotify");
	return wait_for(s, FROM_OPENS, sap_opens_fd(s->opens), false, err);
}

static int start_functions(struct serve *s, struct sap_wire_ready *ready, struct sap_err *err)
{
	struct sap_probe_options options = {
		.cgroup = s->start.cgroup,
		.single = s->start.flags & SAP_WIRE_SINGLE,
		.keep = s->start.flags & SAP_WIRE_KEEP,
	};
	struct sap_err why = { 0 };
	const char *means;

	if (!(s->start.flags & SAP_WIRE_FUNCTIONS))
		return 0;
	if (sap_probes_new(&options, &s->probes, &why) < 0) {
		(void)snprintf(ready->functions, sizeof(ready->functions), "%.*s", TEXT - 1,
			       why.text);
		return 0;
	}
	means = sap_probes_means(s->probes);
	ready->flags |= SAP_WIRE_FUNCTIONS;
	ready->multi = strcmp(means, "uprobe_multi") == 0;
	if (!ready->multi)
		ready->flags |= s->start.flags & SAP_WIRE_SINGLE;
	(void)snprintf(ready->functions, sizeof(ready->functions), "%.*s", TEXT - 1, means);
	return wait_for(s, FROM_PROBES, sap_probes_fd(s->probes), false, err);
}

static uint64_t rights_needed(const struct serve *s, const struct sap_wire_ready *ready)
{
	uint64_t keep = SAP_RIGHT(CAP_DAC_READ_SEARCH) | SAP_RIGHT(CAP_SYS_PTRACE);

	if (s->probes)
		keep |= SAP_RIGHT(CAP_BPF);
	if (s->perf || s->probes)
		keep |= SAP_RIGHT(CAP_PERFMON);
	/* The PMU "uprobe" asks for CAP_SYS_ADMIN: before 5.8, and again since 2025 (6.16 and the
	 * stable kernels of then), uprobe_multi does not. */
	if (s->opens || !sap_rights_split() || (s->probes && !ready->multi))
		keep |= SAP_RIGHT(CAP_SYS_ADMIN);
	return keep;
}

static int start(struct serve *s, struct sap_err *err)
{
	struct sap_wire_ready ready = { 0 };
	int r;

	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll < 0)
		return sap_err_sys(err, errno, "cannot make an epoll descriptor");
	sap_rights_limits();
	r = wait_for(s, FROM_SOCKET, s->fd, false, err);
	if (r == 0)
		r = start_maps(s, &ready, err);
	if (r == 0)
		r = start_opens(s, &ready, err);
	if (r == 0)
		r = start_functions(s, &ready, err);
	if (r == 0)
		r = sap_rights_keep(rights_needed(s, &ready), err);
	if (r == 0)
		r = sap_wire_put(&s->out, SAP_WIRE_READY, &ready, sizeof(ready), NULL, 0, err);
	return r < 0 ? r : sap_wire_flush(&s->out, err);
}

/* ---- requests --------------------------------------------------------------------------- */

struct placing {
	struct serve *s;
	uint32_t n_refused;
};

static int put_refused(void *ctx, uint32_t cookie, int error, struct sap_err *err)
{
	struct sap_wire_refused refused = { .cookie = cookie, .error = error };
	struct placing *placing = ctx;

	placing->n_refused++;
	return sap_wire_put(&placing->s->out, SAP_WIRE_REFUSED, &refused, sizeof(refused), NULL, 0,
			    err);
}

static int do_probe(struct serve *s, const struct sap_wire_probe *probe, struct sap_err *err)
{
	struct sap_wire_placed placed = { .file = probe->file, .cookie = probe->cookie };
	struct placing placing = { .s = s };
	struct sap_err why = { 0 };
	int r = s->probes
			? sap_probes_place(s->probes, probe->file, probe->cookie, probe->offsets,
					   probe->n, put_refused, &placing, &placed.n_placed, &why)
			: sap_err_sys(&why, EOPNOTSUPP, "functions are not watched");

	if (r < 0) {
		placed.error = why.sys_errno ? why.sys_errno : EINVAL;
		if (s->probes)
			r = note(s, why.text, err);
		else
			r = 0;
	}
	if (r < 0)
		return r;
	placed.n_refused = placing.n_refused;
	placed.when = clock_ns(CLOCK_REALTIME);
	s->work_at = 0;
	return sap_wire_put(&s->out, SAP_WIRE_PLACED, &placed, sizeof(placed), NULL, 0, err);
}

/* *with becomes the probes'. */
static int do_file(struct serve *s, const struct sap_wire_file *file, int *with,
		   struct sap_err *err)
{
	struct sap_err why = { 0 };

	if (!s->probes || sap_probes_file(s->probes, file->file, sap_steal_fd(with), &why) == 0)
		return 0;
	return note(s, why.text, err);
}

static int do_mount(struct serve *s, int with, struct sap_err *err)
{
	struct sap_err why = { 0 };

	if (!s->opens || sap_opens_mount(s->opens, with, &why) == 0)
		return 0;
	return note(s, why.text, err);
}

static int do_message(struct serve *s, const struct sap_wire_message *m, int *with,
		      struct sap_err *err)
{
	uint32_t file;

	if ((*with >= 0) != (m->type == SAP_WIRE_FILE || m->type == SAP_WIRE_MOUNT))
		return sap_err_format(err, 0, "a message of type %u %s a descriptor", m->type,
				      *with >= 0 ? "with" : "without");
	switch (m->type) {
	case SAP_WIRE_FILE:
		return do_file(s, m->body, with, err);
	case SAP_WIRE_PROBE:
		return do_probe(s, m->body, err);
	case SAP_WIRE_FORGET:
		memcpy(&file, m->body, sizeof(file));
		if (s->probes)
			sap_probes_forget(s->probes, file);
		return 0;
	case SAP_WIRE_TAKEN:
		memcpy(&file, m->body, sizeof(file));
		if (s->probes)
			sap_probes_taken(s->probes, file);
		s->work_at = 0; /* nothing else may happen that would make it look */
		return 0;
	case SAP_WIRE_MOUNT:
		return do_mount(s, *with, err);
	case SAP_WIRE_STOP:
		s->stopped = true;
		return 0;
	default:
		return sap_err_format(err, 0, "a request of type %u", m->type);
	}
}

/* One packet of requests. 1; 0: the other side is gone. */
static int do_packet(struct serve *s, struct sap_err *err)
{
	int sap_cleanup_fd with = -1;
	struct sap_wire_message m;
	struct sap_span packet;
	uint32_t n = 0;
	int r = sap_wire_receive(s->fd, s->in, &n, &with, err);

	if (r <= 0)
		return r;
	packet = sap_span_of(s->in, n);
	while ((r = sap_wire_next(&packet, &m, err)) == 1) {
		if (with >= 0 && packet.n)
			return sap_err_format(err, 0, "a descriptor with several messages");
		r = do_message(s, &m, &with, err);
		if (r < 0)
			return r;
	}
	/* Answers are waited for. */
	if (r == 0)
		r = sap_wire_flush(&s->out, err);
	return r < 0 ? r : 1;
}

/* ---- what the kernel tells -------------------------------------------------------------- */

static int put_hit(void *ctx, uint32_t cookie, int32_t pid, int64_t when, struct sap_err *err)
{
	struct sap_wire_hit hit = { .cookie = cookie, .pid = pid, .when = when };
	struct serve *s = ctx;

	return sap_wire_put(&s->out, SAP_WIRE_HIT, &hit, sizeof(hit), NULL, 0, err);
}

static int look(struct serve *s, bool all, struct sap_err *err)
{
	int r = 0;

	if (s->perf)
		r = sap_perf_read(s->perf, &s->out, all, &s->lost.maps, err);
	if (r == 0 && s->probes)
		r = sap_probes_read(s->probes, put_hit, s, &s->lost.hits, err);
	if (r == 0 && s->opens)
		r = sap_opens_read(s->opens, &s->out, &s->lost.opens, err);
	if (r == 0 && s->perf && s->asleep[FROM_PERF])
		r = wait_for(s, FROM_PERF, sap_perf_fd(s->perf), true, err);
	if (r == 0 && s->probes && s->asleep[FROM_PROBES])
		r = wait_for(s, FROM_PROBES, sap_probes_fd(s->probes), true, err);
	if (r == 0 && s->opens && s->asleep[FROM_OPENS])
		r = wait_for(s, FROM_OPENS, sap_opens_fd(s->opens), true, err);
	return r;
}

static int send_all(struct serve *s, struct sap_err *err)
{
	int r = 0;

	if (s->lost.maps || s->lost.hits || s->lost.opens) {
		r = sap_wire_put(&s->out, SAP_WIRE_LOST, &s->lost, sizeof(s->lost), NULL, 0, err);
		s->lost = (struct sap_wire_lost){ 0 };
	}
	return r < 0 ? r : sap_wire_flush(&s->out, err);
}

static int check_cpus(struct serve *s, struct sap_err *err)
{
	struct sap_err why = { 0 };
	int r = sap_perf_cpus(s->perf, &s->out, &s->lost.maps, &why);

	if (r == 0)
		return 0;
	if (is_gone(r, &why)) {
		*err = why;
		return r;
	}
	return note(s, why.text, err);
}

/* What is due by the clock. */
static int tick(struct serve *s, int64_t now, struct sap_err *err)
{
	int r = 0;

	if (now >= s->look_at || now >= s->send_at) {
		r = look(s, false, err);
		s->look_at = INT64_MAX;
	}
	if (r == 0 && now >= s->send_at) {
		r = send_all(s, err);
		s->send_at = now + s->start.interval_ms * MS;
	}
	if (r == 0 && s->perf && now >= s->cpus_at) {
		r = check_cpus(s, err);
		s->cpus_at = now + CPUS_MS * MS;
	}
	if (r == 0 && s->probes && now >= s->work_at)
		s->work_at = sap_probes_work(s->probes, now);
	return r;
}

static int timeout_ms(const struct serve *s, int64_t now)
{
	int64_t next = earlier(s->send_at, s->look_at);

	if (s->probes)
		next = earlier(next, s->work_at);
	if (next <= now)
		return 0;
	return (int)((next - now + MS - 1) / MS); /* send_at is at most a minute away */
}

/* 1: go on; 0: the other side is gone. */
static int turn(struct serve *s, struct sap_err *err)
{
	struct epoll_event fired[SOURCES];
	int64_t now = clock_ns(CLOCK_MONOTONIC);
	int n = epoll_wait(s->epoll, fired, SOURCES, timeout_ms(s, now));
	int r = 1;

	if (n < 0 && errno != EINTR)
		return sap_err_sys(err, errno, "cannot wait for events");
	now = clock_ns(CLOCK_MONOTONIC);
	for (int i = 0; i < n && r == 1; i++) {
		uint32_t source = fired[i].data.u32;

		if (source == FROM_SOCKET) {
			r = do_packet(s, err);
			continue;
		}
		s->asleep[source] = true;
		/* Rings that fill are read now; the others have more coming, most likely. */
		s->look_at = source == FROM_PERF ? now : earlier(s->look_at, now + PAUSE_MS * MS);
	}
	if (r == 1 && !s->stopped) {
		int ticked = tick(s, now, err);

		r = ticked < 0 ? ticked : 1;
	}
	return r;
}

static int end(struct serve *s, struct sap_err *err)
{
	int r = look(s, true, err);

	if (r == 0)
		r = send_all(s, err);
	if (r == 0)
		r = sap_wire_put(&s->out, SAP_WIRE_END, NULL, 0, NULL, 0, err);
	return r < 0 ? r : sap_wire_flush(&s->out, err);
}

static int run(struct serve *s, struct sap_err *err)
{
	int r = receive_start(s, err);

	if (r <= 0)
		return r;
	r = start(s, err);
	if (r < 0)
		return r;
	s->send_at = s->cpus_at = clock_ns(CLOCK_MONOTONIC);
	s->look_at = INT64_MAX;
	do
		r = turn(s, err);
	while (r == 1 && !s->stopped);
	return r == 1 ? end(s, err) : r;
}

int sap_observe_serve(int fd, struct sap_err *err)
{
	struct serve *s = calloc(1, sizeof(*s));
	struct sap_err why = { 0 };
	int r;

	if (!s)
		return sap_err_nomem(err);
	s->fd = s->out.fd = fd;
	s->epoll = -1;
	r = run(s, &why);
	if (is_gone(r, &why))
		r = 0;
	if (r < 0 && err)
		*err = why;
	sap_probes_free(s->probes);
	sap_opens_free(s->opens);
	sap_perf_free(s->perf);
	sap_close_fd(&s->epoll);
	free(s);
	return r;
}
