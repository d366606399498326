/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/perf_event.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "observe/perf_int.h"

#define NATIVE_BIG (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
#define NS 1000000000LL

enum {
	/* The two records of one mapping are written right after each other. */
	JOIN_NS = 1000000,
	WAKEUPS = 64,
	MMAP2_NAME = 64, /* in a record behind its header */
};

struct sap_perf {
	struct sap_rings rings;
	struct sap_exits exits;
	uint64_t lost;
	int64_t offset; /* from CLOCK_MONOTONIC to CLOCK_REALTIME */
	unsigned char scratch[2][SAP_RECORD_BYTES_MAX];
};

int sap_perf_new(const struct sap_perf_options *options, struct sap_perf **out, struct sap_err *err)
{
	struct sap_perf *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return sap_err_nomem(err);
	p->rings.options = *options;
	p->rings.epoll = epoll_create1(EPOLL_CLOEXEC);
	r = p->rings.epoll < 0 ? sap_err_sys(err, errno, "cannot make an epoll descriptor")
			       : sap_rings_open(&p->rings, err);
	if (r < 0) {
		sap_perf_free(p);
		return r;
	}
	*out = p;
	return 0;
}

void sap_perf_free(struct sap_perf *p)
{
	if (!p)
		return;
	sap_rings_close(&p->rings);
	sap_exits_clear(&p->exits);
	free(p);
}

bool sap_perf_build_ids(const struct sap_perf *p)
{
	return p->rings.build_ids;
}

uint32_t sap_perf_pages(const struct sap_perf *p)
{
	return p->rings.pages;
}

int sap_perf_fd(const struct sap_perf *p)
{
	return p->rings.epoll;
}

/* ---- records to messages ---------------------------------------------------------------- */

static int64_t clock_ns(clockid_t id)
{
	struct timespec t;

	(void)clock_gettime(id, &t);
	return (int64_t)t.tv_sec * NS + t.tv_nsec;
}

static uint32_t u32(struct sap_span s, uint64_t off)
{
	uint32_t v = 0;

	(void)sap_span_u32(s, off, NATIVE_BIG, &v);
	return v;
}

static uint64_t u64(struct sap_span s, uint64_t off)
{
	uint64_t v = 0;

	(void)sap_span_u64(s, off, NATIVE_BIG, &v);
	return v;
}

/*
 * PERF_RECORD_MMAP2 behind its header: pid:4 tid:4 addr:8 len:8 pgoff:8, then
 * maj:4 min:4 ino:8 generation:8, or (MISC_MMAP_BUILD_ID) size:1 0:3 build_id:20, then prot:4
 * flags:4, the name with NULs to a multiple of 8.
 */
static bool same_mapping(struct sap_span a, struct sap_span b)
{
	enum { PLACE = 32 };

	return a.n >= PLACE && b.n >= PLACE && memcmp(a.p, b.p, PLACE) == 0;
}

static void identify(struct sap_span body, const struct sap_record *record,
		     struct sap_wire_map *map)
{
	if (record->second && (record->misc & PERF_RECORD_MISC_MMAP_BUILD_ID)) {
		uint8_t n = 0;

		(void)sap_span_u8(body, 32, &n);
		if (n <= sizeof(map->build_id) && sap_span_has(body, 36, n)) {
			map->n_build_id = n;
			memcpy(map->build_id, body.p + 36, n);
		}
		return;
	}
	map->dev = makedev(u32(body, 32), u32(body, 36));
	map->ino = u64(body, 40);
	map->generation = u64(body, 48);
}

/* The mapping of `record`, with what the record behind it says of the same one (next; or NULL). */
static int put_map(struct sap_perf *p, struct sap_ring *ring, const struct sap_record *record,
		   const struct sap_record *next, struct sap_wire_out *out, struct sap_err *err)
{
	struct sap_span body = sap_ring_bytes(ring, record, p->scratch[0]);
	struct sap_wire_map map = {
		.pid = (int32_t)u32(body, 0),
		.tid = (int32_t)u32(body, 4),
		.when = (int64_t)record->time + p->offset,
		.addr = u64(body, 8),
		.len = u64(body, 16),
		.pgoff = u64(body, 24),
	};
	struct sap_str path;

	if (map.pid <= 0 || !sap_span_cstr(body, MMAP2_NAME, &path))
		return 0;
	if (!sap_str_starts(path, SAP_STR("/")) || sap_str_is(path, "//anon"))
		return 0;
	/* "//toolong", "//enomem": the kernel says no more than that. */
	if (sap_str_starts(path, SAP_STR("//")) || path.n > SAP_PATH_MAX) {
		p->lost++;
		return 0;
	}
	identify(body, record, &map);
	if (next)
		identify(sap_ring_bytes(ring, next, p->scratch[1]), next, &map);
	map.n_path = (uint32_t)path.n;
	return sap_wire_put(out, SAP_WIRE_MAP, &map, offsetof(struct sap_wire_map, path), path.p,
			    map.n_path, err);
}

/* pid:4 tid:4 comm with NULs. */
static int put_exec(struct sap_perf *p, const struct sap_record *record, struct sap_span body,
		    struct sap_wire_out *out, struct sap_err *err)
{
	struct sap_wire_comm comm = {
		.pid = (int32_t)u32(body, 0),
		.tid = (int32_t)u32(body, 4),
		.when = (int64_t)record->time + p->offset,
	};
	struct sap_str text;

	if (!(record->misc & PERF_RECORD_MISC_COMM_EXEC) || comm.pid <= 0 ||
	    !sap_span_cstr(body, 8, &text))
		return 0;
	memcpy(comm.comm, text.p, text.n < sizeof(comm.comm) ? text.n : sizeof(comm.comm) - 1);
	sap_exits_alive(&p->exits, comm.pid);
	return sap_wire_put(out, SAP_WIRE_EXEC, &comm, sizeof(comm), NULL, 0, err);
}

/* pid:4 ppid:4 tid:4 ptid:4 time:8. Only the first thread stands for the process. */
static int put_task(struct sap_perf *p, const struct sap_record *record, struct sap_span body,
		    struct sap_wire_out *out, struct sap_err *err)
{
	struct sap_wire_task task = {
		.pid = (int32_t)u32(body, 0),
		.ppid = (int32_t)u32(body, 4),
		.when = (int64_t)record->time + p->offset,
	};
	int r;

	if (task.pid <= 0 || (int32_t)u32(body, 8) != task.pid)
		return 0;
	if (record->type == PERF_RECORD_EXIT)
		return sap_exits_ended(&p->exits, &task, out, err);
	r = sap_exits_forked(&p->exits, task.pid, out, err);
	return r < 0 ? r : sap_wire_put(out, SAP_WIRE_FORK, &task, sizeof(task), NULL, 0, err);
}

static int put_record(struct sap_perf *p, struct sap_ring *ring, const struct sap_record *record,
		      const struct sap_record *next, struct sap_wire_out *out, struct sap_err *err)
{
	struct sap_span body;

	if (record->type == PERF_RECORD_MMAP2)
		return put_map(p, ring, record, next, out, err);
	body = sap_ring_bytes(ring, record, p->scratch[0]);
	if (record->second && record->type != PERF_RECORD_LOST)
		return 0;
	switch (record->type) {
	case PERF_RECORD_COMM:
		return put_exec(p, record, body, out, err);
	case PERF_RECORD_FORK:
	case PERF_RECORD_EXIT:
		return put_task(p, record, body, out, err);
	case PERF_RECORD_LOST: /* id:8 lost:8 */
		p->lost += u64(body, 8);
		return 0;
	default:
		return 0;
	}
}

/* ---- rings merged ----------------------------------------------------------------------- */

/* Whether the record behind is the other half of this mapping. */
static bool is_second_half(struct sap_perf *p, const struct sap_ring *ring,
			   const struct sap_record *record, struct sap_record *next)
{
	if (ring->build_fd < 0 || record->type != PERF_RECORD_MMAP2 ||
	    sap_ring_at(ring, record->at + record->size, next, NULL) != 1)
		return false;
	return next->type == PERF_RECORD_MMAP2 && next->second != record->second &&
	       next->time - record->time < JOIN_NS &&
	       same_mapping(sap_ring_bytes(ring, record, p->scratch[0]),
			    sap_ring_bytes(ring, next, p->scratch[1]));
}

static int take(struct sap_perf *p, struct sap_ring *ring, struct sap_wire_out *out,
		struct sap_err *err)
{
	struct sap_record record = ring->next;
	struct sap_record next;
	bool two = is_second_half(p, ring, &record, &next);
	int r = put_record(p, ring, &record, two ? &next : NULL, out, err);

	sap_ring_take(ring, record.at + record.size + (two ? next.size : 0));
	return r;
}

/* Reads the next record's head where that has not been done. False: none is there. */
static bool peek(struct sap_perf *p, struct sap_ring *ring)
{
	int r;

	if (ring->ready)
		return true;
	r = sap_ring_at(ring, ring->tail, &ring->next, NULL);
	if (r < 0) {
		p->lost++;
		sap_ring_take(ring, ring->head);
	}
	ring->ready = r == 1;
	return ring->ready;
}

/* The ring with the oldest record; NULL: all are empty. */
static struct sap_ring *oldest(struct sap_perf *p)
{
	struct sap_ring *best = NULL;

	for (size_t i = 0; i < p->rings.v.n; i++) {
		struct sap_ring *ring = &p->rings.v.v[i];

		if (peek(p, ring) && (!best || ring->next.time < best->next.time))
			best = ring;
	}
	return best;
}

/*
 * Each ring is in order by itself. What one CPU wrote after another's ring was looked at would
 * come out of order, so what is younger than the beginning of the look waits for the next.
 */
static int merge(struct sap_perf *p, struct sap_wire_out *out, uint64_t until, struct sap_err *err)
{
	struct sap_ring *ring;
	int r = 0;

	for (size_t i = 0; i < p->rings.v.n; i++)
		sap_ring_look(&p->rings.v.v[i]);
	while (r == 0 && (ring = oldest(p)) && ring->next.time <= until)
		r = take(p, ring, out, err);
	return r;
}

int sap_perf_read(struct sap_perf *p, struct sap_wire_out *out, bool all, uint64_t *lost,
		  struct sap_err *err)
{
	int64_t now = clock_ns(CLOCK_MONOTONIC);
	struct epoll_event wakeups[WAKEUPS];
	int64_t wall = clock_ns(CLOCK_REALTIME);
	int r;

	/* Takes the wake-ups away; there may be more than fit. */
	while (epoll_wait(p->rings.epoll, wakeups, WAKEUPS, 0) == WAKEUPS)
		;
	p->offset = wall - now;
	r = merge(p, out, all ? UINT64_MAX : (uint64_t)now, err);
	if (r == 0)
		r = sap_exits_look(&p->exits, wall, out, err);
	*lost += p->lost;
	p->lost = 0;
	return r;
}

/* ---- CPUs that come and go -------------------------------------------------------------- */

static bool has_cpu(const struct sap_cpus *cpus, int cpu)
{
	for (size_t i = 0; i < cpus->v.n; i++)
		if (cpus->v.v[i] == cpu)
			return true;
	return false;
}

static bool has_ring(const struct sap_perf *p, int cpu)
{
	for (size_t i = 0; i < p->rings.v.n; i++)
		if (p->rings.v.v[i].cpu == cpu)
			return true;
	return false;
}

/* Events of a CPU that went offline do not come back with it. */
static int close_offline(struct sap_perf *p, const struct sap_cpus *cpus, struct sap_wire_out *out,
			 uint64_t *lost, struct sap_err *err)
{
	bool gone = false;

	for (size_t i = 0; i < p->rings.v.n; i++)
		gone |= !has_cpu(cpus, p->rings.v.v[i].cpu);
	if (gone) {
		int r = sap_perf_read(p, out, true, lost, err);

		if (r < 0)
			return r;
	}
	for (size_t i = p->rings.v.n; gone && i-- > 0;)
		if (!has_cpu(cpus, p->rings.v.v[i].cpu))
			sap_rings_drop(&p->rings, i);
	return 0;
}

int sap_perf_cpus(struct sap_perf *p, struct sap_wire_out *out, uint64_t *lost, struct sap_err *err)
{
	struct sap_cpus cpus = { 0 };
	int r = sap_cpus_online(&cpus, err);

	if (r == 0)
		r = close_offline(p, &cpus, out, lost, err);
	for (size_t i = 0; r == 0 && i < cpus.v.n; i++) {
		if (has_ring(p, cpus.v.v[i]))
			continue;
		r = sap_rings_add(&p->rings, cpus.v.v[i], err);
		if (r == 1 || r == SAP_ENOENT) /* gone again; or, with pid, the process is */
			r = 0;
	}
	sap_vec_clear(&cpus.v);
	return r;
}
