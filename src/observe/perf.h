/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mappings, execs, forks and exits as the kernel tells of them: PERF_RECORD_MMAP2, COMM, FORK,
 * EXIT, LOST of a software dummy event (perf_event_open(2)), on every CPU, or of one process and
 * its descendants. Inside sapper-observe. No tracepoints, no kprobes, no hardware.
 */
#ifndef SAP_OBSERVE_PERF_H
#define SAP_OBSERVE_PERF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "observe/wire.h"

struct sap_perf;

struct sap_perf_options {
	int32_t pid;      /* 0: all processes on all CPUs; else it and its descendants (inherit) */
	bool no_build_id; /* as before Linux 5.12 */
	uint32_t pages;   /* of each ring, a power of two; 0: 512 (2 MiB); fewer where the
			    * kernel allows only that (perf_event_mlock_kb) */
};

/* SAP_EUNSUPPORTED, or what is not allowed: the text says what is missing (perf_event_paranoid,
 * CAP_PERFMON) and what would help. */
int sap_perf_new(const struct sap_perf_options *options, struct sap_perf **out,
		 struct sap_err *err);
void sap_perf_free(struct sap_perf *p); /* takes NULL */

bool sap_perf_build_ids(const struct sap_perf *p);
int sap_perf_fd(
	const struct sap_perf *p); /* an epoll descriptor: readable when a ring is well filled */

/* Takes all that is there, in the order of time, and puts it out as messages of wire.h (MAP of
 * executable file mappings, EXEC, FORK of processes, EXIT of processes). *lost: records that the
 * kernel could not deliver. */
int sap_perf_read(struct sap_perf *p, struct sap_wire_out *out, uint64_t *lost,
		  struct sap_err *err);

/* A CPU that came online since is watched too (call now and then). */
int sap_perf_cpus(struct sap_perf *p, struct sap_err *err);

#endif
