/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "observe/perf_int.h"

enum { PAGES = 512, PAGES_LEAST = 32, PAGES_LAST = 4, LIST_BYTES = 4096 };

/* The first event tells everything; the second one of mappings only, with build-ids. */
static int open_event(const struct sap_rings *rings, int cpu, bool build_id)
{
	bool child = rings->options.pid > 0;
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_DUMMY,
		.sample_type = PERF_SAMPLE_TIME | PERF_SAMPLE_ID,
		.sample_id_all = 1,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
		.exclude_kernel = 1, /* else perf_event_paranoid 2 refuses */
		.inherit = child,
		.mmap = 1,
		.mmap2 = 1,
		.comm = !build_id,
		.comm_exec = !build_id,
		.task = !build_id,
		.build_id = build_id,
		.watermark = 1,
		.wakeup_watermark = 1, /* set when the size of the ring is known */
	};
	uint64_t bytes = (uint64_t)rings->pages * (uint64_t)sysconf(_SC_PAGESIZE);

	attr.wakeup_watermark = (uint32_t)(bytes / 4);
	return (int)syscall(SYS_perf_event_open, &attr, child ? rings->options.pid : -1, cpu, -1,
			    PERF_FLAG_FD_CLOEXEC);
}

static int paranoid(void)
{
	int sap_cleanup_fd fd = open("/proc/sys/kernel/perf_event_paranoid", O_RDONLY | O_CLOEXEC);
	char text[16];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return -2;
	text[n] = '\0';
	return (int)strtol(text, NULL, 10);
}

/* In less than 160 bytes: it goes into struct sap_wire_ready. */
static int refused(const struct sap_rings *rings, int error, struct sap_err *err)
{
	bool child = rings->options.pid > 0;
	int level = paranoid();

	switch (error) {
	case EACCES:
	case EPERM:
		if (level == -2)
			return sap_err_set(err, SAP_EUNSUPPORTED,
					   "this kernel or container has no perf events, or hides "
					   "/proc/sys/kernel/perf_event_paranoid");
		if (child)
			return sap_err_set(err, SAP_EUNSUPPORTED,
					   "not permitted; root or CAP_PERFMON, or "
					   "kernel.perf_event_paranoid=2 (now %d), would help",
					   level);
		return sap_err_set(err, SAP_EUNSUPPORTED,
				   "not permitted; root or CAP_PERFMON, or "
				   "kernel.perf_event_paranoid=0 (now %d), would help",
				   level);
	case ENOSYS:
	case EOPNOTSUPP:
	case ENOENT:
		return sap_err_set(err, SAP_EUNSUPPORTED,
				   "this kernel has no perf events, or a container's filter "
				   "refuses perf_event_open");
	case EINVAL:
		return sap_err_set(err, SAP_EUNSUPPORTED, "this kernel is too old: needs 4.1");
	case ESRCH:
		return sap_err_set(err, SAP_ENOENT, "process %d has ended", rings->options.pid);
	default:
		return sap_err_sys(err, error, "perf_event_open");
	}
}

/* The event, not its ring. As sap_rings_add. */
static int add_event(struct sap_rings *rings, int cpu, struct sap_err *err)
{
	int fd = open_event(rings, cpu, false);
	struct sap_ring *ring;

	if (fd < 0 && errno == ENODEV)
		return 1;
	if (fd < 0)
		return refused(rings, errno, err);
	ring = SAP_VEC_PUSH(&rings->v, SAP_OBSERVE_CPUS_MAX);
	if (!ring) {
		close(fd);
		return sap_err_nomem(err);
	}
	*ring = (struct sap_ring){ .cpu = cpu, .fd = fd, .build_fd = -1 };
	return 0;
}

static void close_events(struct sap_rings *rings)
{
	for (size_t i = 0; i < rings->v.n; i++)
		sap_ring_close(&rings->v.v[i]);
	rings->v.n = 0;
}

/* The second event of a CPU, into the ring of the first. Without it identities come all the same. */
static bool add_build_ids(const struct sap_rings *rings, struct sap_ring *ring)
{
	uint64_t id;
	int sap_cleanup_fd fd = open_event(rings, ring->cpu, true);

	if (fd < 0 || ioctl(fd, PERF_EVENT_IOC_ID, &id) < 0 ||
	    ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, ring->fd) < 0)
		return false;
	ring->build_event = id;
	ring->build_fd = sap_steal_fd(&fd);
	return true;
}

/* What makes a ring of an event. */
static int complete(struct sap_rings *rings, struct sap_ring *ring, struct sap_err *err)
{
	/* Edge-triggered: an event whose processes have all ended stays "hung up" for ever. */
	struct epoll_event e = { .events = EPOLLIN | EPOLLET };

	if (rings->build_ids)
		(void)add_build_ids(rings, ring);
	if (epoll_ctl(rings->epoll, EPOLL_CTL_ADD, ring->fd, &e) < 0)
		return sap_err_sys(err, errno, "cannot wait for events of CPU %d", ring->cpu);
	return 0;
}

int sap_rings_add(struct sap_rings *rings, int cpu, struct sap_err *err)
{
	int r = add_event(rings, cpu, err);
	struct sap_ring *ring;

	if (r != 0)
		return r;
	ring = &rings->v.v[rings->v.n - 1];
	r = sap_ring_map(ring, rings->pages, err);
	if (r == 0)
		r = complete(rings, ring, err);
	if (r < 0)
		sap_rings_drop(rings, rings->v.n - 1);
	return r;
}

void sap_rings_drop(struct sap_rings *rings, size_t i)
{
	sap_ring_close(&rings->v.v[i]);
	rings->v.v[i] = rings->v.v[--rings->v.n];
}

static uint32_t first_pages(const struct sap_rings *rings, size_t n_cpus)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint32_t pages = PAGES;

	if (rings->options.pages)
		return rings->options.pages;
	while (pages > PAGES_LEAST && pages * page * n_cpus > SAP_OBSERVE_RINGS_MAX)
		pages /= 2;
	return pages;
}

/* All rings in one size: the kernel's ceiling is for all of a user's together. 1: too large. */
static int try_pages(struct sap_rings *rings, const struct sap_cpus *cpus, struct sap_err *err)
{
	int r = 0;

	for (size_t i = 0; i < cpus->v.n; i++) {
		r = add_event(rings, cpus->v.v[i], err);
		if (r < 0)
			return r;
	}
	if (rings->v.n == 0)
		return sap_err_set(err, SAP_EUNSUPPORTED, "no CPU is online");
	for (size_t i = 0; i < rings->v.n; i++) {
		r = sap_ring_map(&rings->v.v[i], rings->pages, err);
		if (r < 0)
			return 1;
	}
	return 0;
}

int sap_rings_open(struct sap_rings *rings, struct sap_err *err)
{
	struct sap_cpus cpus = { 0 };
	int r = sap_cpus_online(&cpus, err);

	rings->pages = first_pages(rings, cpus.v.n);
	while (r == 0) {
		r = try_pages(rings, &cpus, err);
		if (r != 1)
			break;
		close_events(rings);
		r = rings->pages <= PAGES_LAST
			    ? sap_err_set(err, SAP_EUNSUPPORTED,
					  "no memory for events; a higher "
					  "kernel.perf_event_mlock_kb or CAP_IPC_LOCK would help")
			    : 0;
		rings->pages /= 2;
	}
	sap_vec_clear(&cpus.v);
	rings->build_ids = r == 0 && rings->options.build_ids && !rings->options.no_build_id;
	if (rings->build_ids) {
		int fd = open_event(rings, rings->v.v[0].cpu, true);

		rings->build_ids = fd >= 0;
		sap_close_fd(&fd);
	}
	for (size_t i = 0; r == 0 && i < rings->v.n; i++)
		r = complete(rings, &rings->v.v[i], err);
	return r;
}

void sap_rings_close(struct sap_rings *rings)
{
	close_events(rings);
	sap_vec_clear(&rings->v);
	sap_close_fd(&rings->epoll);
}

/* ---- CPUs ------------------------------------------------------------------------------- */

static int add_cpus(uint64_t first, uint64_t last, struct sap_cpus *out, struct sap_err *err)
{
	if (last < first || last >= SAP_OBSERVE_CPUS_MAX)
		return sap_err_format(err, 0, "CPUs %llu to %llu make no sense",
				      (unsigned long long)first, (unsigned long long)last);
	for (uint64_t cpu = first; cpu <= last; cpu++) {
		int *one = SAP_VEC_PUSH(&out->v, SAP_OBSERVE_CPUS_MAX);

		if (!one)
			return sap_err_nomem(err);
		*one = (int)cpu;
	}
	return 0;
}

int sap_cpus_parse(struct sap_str list, struct sap_cpus *out, struct sap_err *err)
{
	struct sap_str rest = sap_str_trim(list);
	int r = 0;

	while (r == 0 && rest.n) {
		struct sap_str range, from, to;
		uint64_t first, last;

		(void)sap_str_cut(rest, ',', &range, &rest);
		if (!sap_str_cut(range, '-', &from, &to))
			to = from;
		if (!sap_str_u64(from, &first) || !sap_str_u64(to, &last))
			return sap_err_format(err, 0, "\"%.*s\" is no range of CPUs",
					      SAP_FMT(range));
		r = add_cpus(first, last, out, err);
	}
	return r;
}

int sap_cpus_online(struct sap_cpus *out, struct sap_err *err)
{
	int sap_cleanup_fd fd = open("/sys/devices/system/cpu/online", O_RDONLY | O_CLOEXEC);
	char text[LIST_BYTES];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));
	long configured;

	if (n > 0 && sap_cpus_parse((struct sap_str){ text, (size_t)n }, out, NULL) == 0 &&
	    out->v.n > 0)
		return 0;
	/* No /sys: those that are not online say so when they are opened. */
	out->v.n = 0;
	configured = sysconf(_SC_NPROCESSORS_CONF);
	return add_cpus(0, configured > 0 ? (uint64_t)configured - 1 : 0, out, err);
}
