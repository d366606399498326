/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes on functions that vanish once they have fired. Inside sapper-observe.
 *
 * With uprobe_multi (Linux 6.6, bpf(2) BPF_LINK_CREATE with attach type 48) a link carries
 * thousands of places in one file; each place has a cookie. The BPF program is a few dozen
 * instructions, written out in probe_bpf.c and loaded as they are: no compiler, no ELF, no BTF.
 * It notes (cookie, process) in a hash map and tells of each pair once through a ring buffer.
 * What has fired is dropped by making a new link with the rest and closing the old one
 * afterwards, so that no entry is missed; the exchanges come at rising intervals while nothing new fires.
 * Without uprobe_multi (5.15 to 6.5) each place is a perf event of the PMU "uprobe" with the same
 * program and its cookie; removing one is closing it.
 *
 * Everything hangs on descriptors of this process: when it ends, however it ends, nothing stays
 * behind in the kernel (but see probe_int.h for a SIGKILL while a link is being made).
 */
#ifndef SAP_OBSERVE_PROBE_H
#define SAP_OBSERVE_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct sap_probes;

struct sap_probe_options {
	uint64_t cgroup; /* cgroup v2 id: entries in it and below only; 0: all */
	bool single;     /* no uprobe_multi */
	bool keep;       /* a place is dropped once sap_probes_taken says so, not when it fires: the
			    * one who fired it may be a stranger */
	uint32_t hits_max; /* pairs of cookie and process that are kept; 0: 262144 */
	bool no_fs;        /* tests: links are held by descriptors, as without CAP_SYS_ADMIN */
};

/* A function was entered, first by this process. when: ns since 1970. pid is of our namespace of
 * processes; 0: the process is in one below ours. Told once for each pair, as long as the place
 * stands; after sap_probes_forget() hits that were under way are still told. */
typedef int sap_probe_hit_fn(void *ctx, uint32_t cookie, int32_t pid, int64_t when,
			     struct sap_err *err);
typedef int sap_probe_refused_fn(void *ctx, uint32_t cookie, int error, struct sap_err *err);

/* SAP_EUNSUPPORTED, SAP_EPERM-like: the text says what is missing (kernel, capability, lockdown)
 * and what would help. */
int sap_probes_new(const struct sap_probe_options *options, struct sap_probes **out,
		   struct sap_err *err);
/* Takes NULL; takes all probes away, which may take the kernel some 100 ms longer. */
void sap_probes_free(struct sap_probes *p);

/* "uprobe_multi", "single perf uprobes". */
const char *sap_probes_means(const struct sap_probes *p);

/* A file by a descriptor (any, O_PATH will do; becomes theirs). */
int sap_probes_file(struct sap_probes *p, uint32_t file, int fd, struct sap_err *err);

/* Places probes. Those that the kernel refuses are found by halving, told, and remembered for the
 * device, inode and ctime of the file. *placed: how many stand. Fails only for what concerns all. */
int sap_probes_place(struct sap_probes *p, uint32_t file, uint32_t cookie, const uint64_t *offsets,
		     uint32_t n, sap_probe_refused_fn *refused, void *ctx, uint32_t *placed,
		     struct sap_err *err);
/* With keep: the place has done its work. */
void sap_probes_taken(struct sap_probes *p, uint32_t cookie);
void sap_probes_forget(struct sap_probes *p, uint32_t file);

/* A descriptor that becomes readable when something has fired. */
int sap_probes_fd(const struct sap_probes *p);

/* Takes what has fired off the ring. *lost: pairs that did not fit since the last call. */
int sap_probes_read(struct sap_probes *p, sap_probe_hit_fn *hit, void *ctx, uint64_t *lost,
		    struct sap_err *err);

/* Exchanges links whose time has come. now: CLOCK_MONOTONIC ns. Returns when it wants to be called
 * next (same clock; INT64_MAX: nothing is due); to be called after sap_probes_read() too. Exchanges
 * run in threads of their own, so that events are read meanwhile. */
int64_t sap_probes_work(struct sap_probes *p, int64_t now);

/* Counts, for tests and `--verbose`. */
struct sap_probe_counts {
	uint64_t standing, fired, exchanges;
};
void sap_probes_counts(const struct sap_probes *p, struct sap_probe_counts *out);

#endif
