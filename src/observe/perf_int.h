/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to perf*.c. Facts about the kernel that the code leans on:
 * - Each record ends with sample_id: here time:8 id:8.
 * - Records of one CPU's events about one thing stand next to each other, in either order
 *   (inheritance turns it round), and their times differ a little.
 * - The second event tells of FORK and EXIT too, although its attr.task is 0.
 * - MISC_MMAP_BUILD_ID stays set for the events that come after one with build_id, even
 *   another program's: it counts only on records of an event that asked for build-ids.
 *
 * A ring that the kernel writes (perf_event_open(2), "MMAP layout"), and the
 * processes whose first thread has ended.
 */
#ifndef SAP_OBSERVE_PERF_INT_H
#define SAP_OBSERVE_PERF_INT_H

#include "base/span.h"
#include "base/vec.h"
#include "observe/perf.h"

/* Where a record lies: [at, at + size) of the endless stream that the ring is a window of. */
struct sap_record {
	uint64_t at;
	uint64_t time; /* CLOCK_MONOTONIC ns */
	bool second;   /* of the second event of the CPU, the one with build-ids */
	uint32_t type;
	uint16_t misc, size;
};

enum { SAP_RECORD_BYTES_MAX = 65536 }; /* the size has 16 bits */

/* Invariant: tail <= head <= tail + bytes. fd -1: none. */
struct sap_ring {
	int cpu;
	int fd, build_fd;
	uint64_t build_event; /* what records of build_fd carry as id */
	void *map;            /* a page of control, then the data */
	const unsigned char *data;
	uint64_t bytes; /* of data, a power of two */
	uint64_t head, tail;
	bool ready; /* next holds the record at tail */
	struct sap_record next;
};

int sap_ring_map(struct sap_ring *r, uint32_t pages, struct sap_err *err);
void sap_ring_unmap(struct sap_ring *r);
void sap_ring_close(struct sap_ring *r);

/* Takes over how far the kernel has written. */
void sap_ring_look(struct sap_ring *r);

/* The record at a place from tail on. 1; 0: nothing is there yet; SAP_EFORMAT: what is there is
 * no record. */
int sap_ring_at(const struct sap_ring *r, uint64_t at, struct sap_record *out, struct sap_err *err);

/* Its bytes behind the header and before sample_id, in the ring or, where they wrap, in scratch
 * (SAP_RECORD_BYTES_MAX). Valid until the record is taken. */
struct sap_span sap_ring_bytes(const struct sap_ring *r, const struct sap_record *record,
			       unsigned char *scratch);

/* Gives the space up to a place back to the kernel. */
void sap_ring_take(struct sap_ring *r, uint64_t to);

/* ---- perf_open.c: one ring for each CPU --------------------------------------------------- */

struct sap_rings {
	struct sap_perf_options options;
	SAP_VEC(struct sap_ring) v;
	uint32_t pages; /* of each */
	bool build_ids;
	int epoll;
};

/* On every CPU that is online. */
int sap_rings_open(struct sap_rings *rings, struct sap_err *err);
void sap_rings_close(struct sap_rings *rings);
/* Opens one on a CPU. 1: it is not online; SAP_ENOENT: the process has ended. */
int sap_rings_add(struct sap_rings *rings, int cpu, struct sap_err *err);
void sap_rings_drop(struct sap_rings *rings, size_t i);

/* Which CPUs are online, rising. Of /sys/devices/system/cpu/online, else the first ones. */
struct sap_cpus {
	SAP_VEC(int) v;
};
int sap_cpus_online(struct sap_cpus *out, struct sap_err *err);
int sap_cpus_parse(struct sap_str list, struct sap_cpus *out, struct sap_err *err); /* "0-3,8" */

/* ---- perf_exit.c ------------------------------------------------------------------------- */

/*
 * The kernel tells of the end of each thread, but not which one was the last. When the first
 * thread has ended others may go on; and where another one calls exec, it takes the number over. So
 * /proc/PID/stat is asked: gone, or a zombie without other threads, is an end.
 */
struct sap_exits {
	SAP_VEC(struct sap_wire_task) waiting;
};

/* The first thread has ended. Puts EXIT now or keeps it. */
int sap_exits_ended(struct sap_exits *x, const struct sap_wire_task *task, struct sap_wire_out *out,
		    struct sap_err *err);
/* The number was given to a new process: the old one has ended. */
int sap_exits_forked(struct sap_exits *x, int32_t pid, struct sap_wire_out *out,
		     struct sap_err *err);
/* It goes on. */
void sap_exits_alive(struct sap_exits *x, int32_t pid);
/* Looks at those that wait; now: ns since 1970. */
int sap_exits_look(struct sap_exits *x, int64_t now, struct sap_wire_out *out, struct sap_err *err);
void sap_exits_clear(struct sap_exits *x);

#endif
