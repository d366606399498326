/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mappings, execs, forks and exits as the kernel tells of them: PERF_RECORD_MMAP2, COMM, FORK,
 * EXIT, LOST of a software dummy event (perf_event_open(2)), on every CPU, or of one process and
 * its descendants. Inside sapper-observe. No tracepoints, no kprobes, no hardware.
 *
 * MMAP2 carries either device, inode and generation, or a build-id (attr.build_id, Linux
 * 5.12), never both. With build_ids a second event writes into the same ring, and the two
 * records of a mapping become one message. Measured on a storm of /bin/true (540 us each, two
 * CPUs): the first event costs 15 to 20 us (3 %), the second 9 to 12 us more (2 %). So it is
 * off unless asked for.
 */
#ifndef SAP_OBSERVE_PERF_H
#define SAP_OBSERVE_PERF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "observe/wire.h"

struct sap_perf;

struct sap_perf_options {
	int32_t pid;      /* 0: all processes on all CPUs; else it (one thread, so before it
			   * starts others) and its descendants, by inheritance */
	bool build_ids;   /* these too, where the kernel can */
	bool no_build_id; /* tests: as before Linux 5.12 */
	uint32_t pages;   /* of each ring, a power of two; 0: 512 (2 MiB), less where there are more
			   * than 4 CPUs (8 MiB in all), at least 32; fewer where the kernel allows
			   * only that (perf_event_mlock_kb) */
};

/* SAP_EUNSUPPORTED, or what is not allowed: the text (below 160 bytes) says what is missing
 * (perf_event_paranoid, CAP_PERFMON) and what would help. Other users' processes and memory
 * above perf_event_mlock_kb need CAP_PERFMON and CAP_IPC_LOCK now, nothing later. */
int sap_perf_new(const struct sap_perf_options *options, struct sap_perf **out,
		 struct sap_err *err);
void sap_perf_free(struct sap_perf *p); /* takes NULL */

bool sap_perf_build_ids(const struct sap_perf *p); /* are in use */
uint32_t sap_perf_pages(const struct sap_perf *p); /* of each ring */

/* An epoll descriptor: readable when a ring is filled to a quarter. What is less is there to be read all the
 * same: read every now and then. */
int sap_perf_fd(const struct sap_perf *p);

/* Takes what happened until this call began (all: what is there), from all rings in the order of time, and puts it
 * out as messages of wire.h: MAP of executable file mappings, EXEC, FORK of processes, EXIT of
 * processes (when the last thread has gone). *lost grows by the records that the
 * kernel could not deliver. */
int sap_perf_read(struct sap_perf *p, struct sap_wire_out *out, bool all, uint64_t *lost,
		  struct sap_err *err);

/* Looks which CPUs are online: one that came is watched too, one that went is read and closed (call
 * now and then; what happened on a new one before is not seen). With pid, a new CPU sees that process only, not
 * the descendants it has already. */
int sap_perf_cpus(struct sap_perf *p, struct sap_wire_out *out, uint64_t *lost,
		  struct sap_err *err);

#endif
