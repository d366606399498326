/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of the probes: who does what.
 *
 *     probe.c           new, free, files, batches; what probe.h promises
 *     probe_bpf.c       the maps and the program
 *     probe_link.c      uprobe_multi links; the search for refused places
 *     probe_single.c    one perf event a place
 *     probe_exchange.c  the threads, when a link is exchanged, and the exchange
 *     probe_ring.c      what has fired
 *
 * The places of one sap_probes_place() are a batch; each SAP_PROBE_CHUNK of them share a link. Only
 * links in which something fired are exchanged. Measured on 6.18, 2 CPUs: a place costs 2 to 4 us to register
 * and 0.7 us more where it stands already, per process that maps the file; closing a link, or
 * failing to make one, costs 40 to 65 ms of waiting for grace periods of RCU, whatever its size, and
 * almost no CPU time. Grace periods are shared by those who wait at the same time, hence the
 * threads.
 *
 * A link is held by a name in a BPF file system of our own that is mounted nowhere (fsopen(2),
 * fsmount(2); CAP_SYS_ADMIN), and not by a descriptor, where that is possible. It goes when the
 * descriptor of the mount goes, so nothing outlives the process; but the kernel then lets go of
 * the links in its workers, all at once and in the background. With descriptors it does so one
 * by one in the dying process (20 s for 300 links), and a SIGKILL that arrives while a thread is
 * closing a link makes the kernel give up in between ("failed to unregister, leaking uprobe" in
 * its log): breakpoints then stay in the processes that were there, harmless but slow, until
 * these end or the same places are probed and let go again. That can still happen to a SIGKILL
 * within the few milliseconds in which a link is being made.
 *
 * Lock: `lock` guards batches and what hangs on them, slots, and the jobs. Pairs, the ring, files and refused
 * belong to the caller's thread.
 */
#ifndef SAP_OBSERVE_PROBE_INT_H
#define SAP_OBSERVE_PROBE_INT_H

#include <pthread.h>
#include <sys/types.h>

#include "base/vec.h"
#include "observe/probe.h"

#define SAP_PROBE_CHUNK 512u
#define SAP_PROBE_THREADS 16u
#define SAP_PROBE_RING (512u * 1024) /* bytes: a power of two of pages */
#define SAP_PROBE_SLOT_TRIES 1u      /* the counter of links that are only tried */
#define SAP_PROBE_ENOTSUPP 524       /* the kernel's own "not supported"; in no header */

/* What the program puts on the ring. Key of the hash map: the first two. */
struct sap_probe_record {
	uint32_t cookie;
	int32_t pid;
	uint64_t when; /* CLOCK_MONOTONIC */
};

struct sap_probe_batch;

struct sap_probe_chunk {
	struct sap_probe_batch *batch;
	uint32_t first, n;          /* places of the batch */
	int link;                   /* uprobe_multi: see sap_probe_keep(); -1: none stands */
	int *links;                 /* single: of each place */
	uint32_t slot;              /* of the counters; 0: none */
	uint32_t standing, pending; /* pending: told, but still standing */
	int64_t since;              /* when the first pending one was read */
	int64_t not_before;
	int64_t dropped; /* when a link of it was let go last */
	int64_t cost;    /* ns that making the link took */
	uint64_t traps;  /* what the counter was when the link was made */
	unsigned rounds; /* exchanges so far */
	unsigned busy;   /* jobs on it */
};

struct sap_probe_batch {
	uint32_t file, cookie, n;
	uint64_t *offsets;
	uint64_t *fired; /* bits: told */
	uint64_t *gone;  /* bits: refused, or told and taken away */
	struct sap_probe_chunk *chunks;
	uint32_t n_chunks;
};

struct sap_probe_file {
	uint32_t number;
	int fd;
	dev_t dev;
	ino_t ino;
	int64_t ctime; /* ns */
};

struct sap_probe_refusal {
	dev_t dev;
	ino_t ino;
	int64_t ctime;
	uint64_t offset;
	int error;
};

struct sap_probe_pair {
	uint32_t cookie;
	int32_t pid;
};

/* Run by a thread; i is the job's own number. */
typedef void sap_probe_run(struct sap_probes *p, void *arg, uint32_t i);

struct sap_probe_job {
	sap_probe_run *run;
	void *arg;
	uint32_t i;
};

struct sap_probes {
	struct sap_probe_options options;
	bool multi;
	int hits, counters, ring, prog; /* maps and the program */
	uint64_t *counts;    /* the map `counters`: [0] lost, [slot] traps at what was told */
	uint64_t lost;       /* of counts[0], told */
	int fs;              /* the BPF file system that holds links; -1: none */
	unsigned uprobe_pmu; /* single: the type of perf event */

	/* ring */
	uint64_t *consumer;
	const uint64_t *producer;
	const unsigned char *data;

	SAP_VEC(struct sap_probe_file) files;
	SAP_VEC(struct sap_probe_refusal) refused;
	SAP_VEC(struct sap_probe_pair) pairs; /* in the hash map, as far as they were read */
	int64_t tick, next;
	bool news; /* something new was read since the last look */
	bool full; /* some were lost since */

	pthread_mutex_t lock;
	pthread_cond_t todo, done;
	SAP_VEC(struct sap_probe_batch *) batches; /* by cookie */
	SAP_VEC(uint32_t) free_slots;
	uint32_t n_slots; /* that were ever used, 0 and SAP_PROBE_SLOT_TRIES too */
	uint64_t fired, exchanges;
	int64_t purge; /* when pairs of what is gone are taken out; 0: there are none */
	unsigned names;
	SAP_VEC(struct sap_probe_job) jobs;
	size_t first_job;
	unsigned n_idle, n_threads;
	bool stop, quit;
	pthread_t threads[SAP_PROBE_THREADS];
};

static inline bool sap_probe_bit(const uint64_t *bits, uint32_t i)
{
	return bits[i / 64] >> (i % 64) & 1;
}

static inline void sap_probe_bit_set(uint64_t *bits, uint32_t i)
{
	bits[i / 64] |= UINT64_C(1) << (i % 64);
}

int64_t sap_probe_now(void); /* CLOCK_MONOTONIC */

/* ---- probe_bpf.c ---- */
/* bpf(2): what it returns, or -errno. */
int sap_probe_bpf(int cmd, void *attr, size_t size);
/* Maps, program, and which means there is. */
int sap_probe_load(struct sap_probes *p, struct sap_err *err);
void sap_probe_unload(struct sap_probes *p);
void sap_probe_pair_forget(const struct sap_probes *p, uint32_t cookie, int32_t pid);

/* ---- probe_link.c ---- */
/* The kernel has uprobe_multi, for a program loaded for it. */
bool sap_probe_multi_works(int prog);
/* Places what is not gone of the batch; error[i] is set for what is refused. */
int sap_probe_multi_place(struct sap_probes *p, const struct sap_probe_file *file,
			  struct sap_probe_batch *batch, uint16_t *error, struct sap_err *err);
/* A link with these places; pid 0: all processes. A descriptor, or -errno. */
int sap_probe_multi_link(const struct sap_probes *p, int file, const uint64_t *offsets,
			 const uint64_t *cookies, uint32_t n, int32_t pid);
/* The places of the chunk that are neither gone nor in `without` (may be NULL; bits from the chunk's first). */
uint32_t sap_probe_gather(const struct sap_probe_chunk *chunk, const uint64_t *without,
			  uint64_t *offsets, uint64_t *cookies);
/* The file again, for reading; -1: it cannot be mapped by us. */
int sap_probe_reopen(const struct sap_probe_file *file);

/* ---- probe_single.c ---- */
int sap_probe_single_type(unsigned *type, struct sap_err *err);
int sap_probe_single_place(struct sap_probes *p, const struct sap_probe_file *file,
			   struct sap_probe_batch *batch, uint16_t *error, struct sap_err *err);

/* ---- probe_exchange.c ---- */
/* Has it run by a thread, or runs it at once where there can be none. */
void sap_probe_job(struct sap_probes *p, sap_probe_run *run, void *arg, uint32_t i);
/* Takes the descriptor of a link and gives what stands for the link: a descriptor, or below -1 the
 * negative of its name in the file system. */
int sap_probe_keep(struct sap_probes *p, int fd);
/* Lets go of it: *link is -1 then. The probes are away within a second or so. wait: not in a
 * thread. */
void sap_probe_let_go(struct sap_probes *p, int *link, bool wait);
/* Pairs of what is gone have to be taken out some time. lock is held. */
void sap_probe_purge_later(struct sap_probes *p);
/* Waits until no job is at work on a chunk of the file (all: of any). lock is held. */
void sap_probe_settle(struct sap_probes *p, uint32_t file, bool all);
/* All jobs are done, the threads have ended. */
void sap_probe_end(struct sap_probes *p);

/* ---- probe_ring.c ---- */
int sap_probe_ring_map(struct sap_probes *p, struct sap_err *err);
void sap_probe_ring_unmap(struct sap_probes *p);

/* ---- probe.c ---- */
/* Of the batch that has this cookie, its place; NULL: none. lock is held. */
struct sap_probe_batch *sap_probe_find(const struct sap_probes *p, uint32_t cookie, uint32_t *i);
const struct sap_probe_file *sap_probe_file_find(const struct sap_probes *p, uint32_t number);
/* A number of a counter for a link, 0: none is left. lock is held. */
uint32_t sap_probe_slot(struct sap_probes *p);
/* No place of the chunk stands any more. lock is held. */
void sap_probe_slot_free(struct sap_probes *p, struct sap_probe_chunk *chunk);

#endif
