/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When is a link worth an exchange? When the traps at places that were told already have cost as much
 * time as the exchange will: then, whatever comes, at most twice the least possible is spent. Traps
 * are counted by the BPF program, link by link; they cost about 2 us (x86-64, and less or
 * more elsewhere, which moves the point but little). What an exchange costs is what making the
 * link took: it grows with the places and with the processes that map the file. What is cold is
 * dropped too, after one second, later after up to half a minute.
 *
 * Places that come back hot are seen within TICK_MAX.
 */
#include <linux/bpf.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "observe/probe_int.h"

#define MS INT64_C(1000000) /* ns */
#define FIRST (60 * MS)     /* from the first hit to an exchange: others follow at once */
#define COLD (1000 * MS)    /* doubled at each exchange of the link */
#define COLD_MAX (30000 * MS)
#define TICK (50 * MS)
#define TICK_MAX (500 * MS)
#define PURGE (2000 * MS) /* after the first drop */
#define TRAP_NS 2000
#define EXCHANGE_NS 100000 /* of an exchange, whatever its size */
#define STACK (256u * 1024)

int64_t sap_probe_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- threads ------------------------------------------------------------------------------ */

static void *thread_main(void *arg)
{
	struct sap_probes *p = arg;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		struct sap_probe_job job;

		while (p->first_job == p->jobs.n && !p->quit) {
			p->n_idle++;
			pthread_cond_wait(&p->todo, &p->lock);
			p->n_idle--;
		}
		if (p->first_job == p->jobs.n)
			break;
		job = p->jobs.v[p->first_job++];
		if (p->first_job == p->jobs.n)
			p->first_job = p->jobs.n = 0;
		pthread_mutex_unlock(&p->lock);
		job.run(p, job.arg, job.i);
		pthread_mutex_lock(&p->lock);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* One thread more, where all are at work. lock is held. */
static void thread_start(struct sap_probes *p)
{
	sigset_t all, before;
	pthread_attr_t attr;

	if (p->n_idle >= p->jobs.n - p->first_job || p->n_threads == SAP_PROBE_THREADS)
		return;
	if (pthread_attr_init(&attr))
		return;
	/* Signals are the caller's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (!pthread_attr_setstacksize(&attr, STACK) &&
	    !pthread_create(&p->threads[p->n_threads], &attr, thread_main, p))
		p->n_threads++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
}

void sap_probe_job(struct sap_probes *p, sap_probe_run *run, void *arg, uint32_t i)
{
	struct sap_probe_job *job;

	pthread_mutex_lock(&p->lock);
	job = SAP_VEC_PUSH(&p->jobs, SIZE_MAX);
	if (job)
		*job = (struct sap_probe_job){ .run = run, .arg = arg, .i = i };
	if (job)
		thread_start(p);
	if (job && !p->n_threads) {
		p->jobs.n--;
		job = NULL;
	}
	if (job)
		pthread_cond_signal(&p->todo);
	pthread_mutex_unlock(&p->lock);
	if (!job)
		run(p, arg, i);
}

static void run_close(struct sap_probes *p, void *arg, uint32_t i)
{
	(void)p;
	(void)arg;
	close((int)i);
}

/* ---- what holds a link -------------------------------------------------------------------- */

int sap_probe_keep(struct sap_probes *p, int fd)
{
	char path[64];
	union bpf_attr attr;
	unsigned name;

	if (p->fs < 0)
		return fd;
	pthread_mutex_lock(&p->lock);
	name = p->names < INT32_MAX ? ++p->names : 0;
	pthread_mutex_unlock(&p->lock);
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%u", p->fs, name);
	memset(&attr, 0, sizeof(attr));
	attr.pathname = (uintptr_t)path;
	attr.bpf_fd = (uint32_t)fd;
	if (!name || sap_probe_bpf(BPF_OBJ_PIN, &attr, sizeof(attr)))
		return fd;
	close(fd);
	return -(int)name;
}

void sap_probe_let_go(struct sap_probes *p, int *link, bool wait)
{
	char name[16];
	int was = *link;

	*link = -1;
	if (was < -1) {
		snprintf(name, sizeof(name), "%d", -was);
		(void)unlinkat(p->fs, name, 0);
	} else if (was >= 0 && wait) {
		close(was);
	} else if (was >= 0) {
		sap_probe_job(p, run_close, NULL, (uint32_t)was);
	}
}

static bool busy(const struct sap_probes *p, uint32_t file, bool all)
{
	for (size_t i = 0; i < p->batches.n; i++) {
		const struct sap_probe_batch *b = p->batches.v[i];

		for (uint32_t k = 0; k < b->n_chunks && (all || b->file == file); k++)
			if (b->chunks[k].busy)
				return true;
	}
	return false;
}

void sap_probe_settle(struct sap_probes *p, uint32_t file, bool all)
{
	while (busy(p, file, all))
		pthread_cond_wait(&p->done, &p->lock);
}

void sap_probe_end(struct sap_probes *p)
{
	pthread_mutex_lock(&p->lock);
	p->quit = true;
	pthread_cond_broadcast(&p->todo);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->n_threads; i++)
		pthread_join(p->threads[i], NULL);
	p->n_threads = 0;
	sap_vec_clear(&p->jobs);
}

/* ---- the exchange ------------------------------------------------------------------------- */

static void copy_fired(const struct sap_probe_chunk *chunk, uint64_t *bits)
{
	/* Chunks begin at multiples of 64. */
	for (uint32_t i = 0; i < SAP_PROBE_CHUNK / 64; i++)
		bits[i] = i * 64 < chunk->n ? chunk->batch->fired[chunk->first / 64 + i] : 0;
}

/* The old link was let go: what had fired when the new one was made is gone. lock is held. */
static void drop(struct sap_probes *p, struct sap_probe_chunk *chunk, const uint64_t *fired)
{
	for (uint32_t i = 0; i < chunk->n; i++) {
		if (!sap_probe_bit(fired, i) || sap_probe_bit(chunk->batch->gone, chunk->first + i))
			continue;
		sap_probe_bit_set(chunk->batch->gone, chunk->first + i);
		chunk->standing--;
		chunk->pending--;
	}
	chunk->since = chunk->dropped = sap_probe_now();
	p->exchanges++;
	sap_probe_purge_later(p);
}

/* A new link with the rest, then the old one is closed: no entry is missed. What enters in between
 * goes through both, and is told once. */
static void run_exchange(struct sap_probes *p, void *arg, uint32_t i)
{
	struct sap_probe_chunk *chunk = arg;
	uint64_t offsets[SAP_PROBE_CHUNK], cookies[SAP_PROBE_CHUNK], fired[SAP_PROBE_CHUNK / 64];
	int file, fd = -1, new = -1;
	int64_t cost = sap_probe_now();
	bool stop, done;
	uint32_t n;

	(void)i;
	pthread_mutex_lock(&p->lock);
	copy_fired(chunk, fired);
	n = sap_probe_gather(chunk, fired, offsets, cookies);
	file = sap_probe_file_find(p, chunk->batch->file)->fd;
	stop = p->stop;
	pthread_mutex_unlock(&p->lock);
	if (n && !stop)
		fd = sap_probe_multi_link(p, file, offsets, cookies, n, 0);
	cost = sap_probe_now() - cost;
	done = !stop && (!n || fd >= 0);
	if (done) {
		/* Only this job touches the link while the chunk is busy. */
		new = n ? sap_probe_keep(p, fd) : -1;
		sap_probe_let_go(p, &chunk->link, true);
	}
	pthread_mutex_lock(&p->lock);
	chunk->rounds++;
	if (done) {
		chunk->link = new;
		chunk->cost = cost;
		chunk->traps = __atomic_load_n(&p->counts[chunk->slot], __ATOMIC_RELAXED);
		drop(p, chunk, fired);
		if (!n)
			sap_probe_slot_free(p, chunk);
	} else {
		/* Out of memory or descriptors: the old one stays for now. */
		chunk->not_before = sap_probe_now() + COLD;
	}
	chunk->busy--;
	pthread_cond_broadcast(&p->done);
	pthread_mutex_unlock(&p->lock);
}

/* Single: one place. */
static void run_single(struct sap_probes *p, void *arg, uint32_t i)
{
	struct sap_probe_chunk *chunk = arg;
	int link;

	pthread_mutex_lock(&p->lock);
	link = chunk->links[i];
	chunk->links[i] = -1;
	pthread_mutex_unlock(&p->lock);
	sap_probe_let_go(p, &link, true);
	pthread_mutex_lock(&p->lock);
	sap_probe_bit_set(chunk->batch->gone, chunk->first + i);
	chunk->standing--;
	chunk->dropped = sap_probe_now();
	p->exchanges++;
	sap_probe_purge_later(p);
	chunk->busy--;
	pthread_cond_broadcast(&p->done);
	pthread_mutex_unlock(&p->lock);
}

/* ---- the schedule ------------------------------------------------------------------------- */

static bool due(const struct sap_probes *p, const struct sap_probe_chunk *chunk, int64_t now)
{
	int64_t age = now - chunk->since, cold = COLD << (chunk->rounds < 5 ? chunk->rounds : 5);
	uint64_t traps;

	if (!chunk->pending || chunk->busy || age < FIRST || now < chunk->not_before)
		return false;
	if (!p->multi || age >= (cold < COLD_MAX ? cold : COLD_MAX))
		return true;
	traps = __atomic_load_n(&p->counts[chunk->slot], __ATOMIC_RELAXED) - chunk->traps;
	return traps * TRAP_NS >= (uint64_t)chunk->cost * 2 + EXCHANGE_NS;
}

/* Puts a chunk to work. lock is not held. */
static void exchange(struct sap_probes *p, struct sap_probe_chunk *chunk)
{
	struct sap_probe_batch *b = chunk->batch;
	uint32_t places[SAP_PROBE_CHUNK], n = 0;

	if (p->multi) {
		sap_probe_job(p, run_exchange, chunk, 0);
		return;
	}
	pthread_mutex_lock(&p->lock);
	for (uint32_t i = 0; i < chunk->n; i++)
		if (chunk->links[i] != -1 && sap_probe_bit(b->fired, chunk->first + i))
			places[n++] = i;
	chunk->busy += n;
	chunk->busy--;
	chunk->pending = 0;
	pthread_mutex_unlock(&p->lock);
	for (uint32_t i = 0; i < n; i++)
		sap_probe_job(p, run_single, chunk, places[i]);
}

/* Marks what is due; whether anything is pending or at work. lock is held. */
static bool look(struct sap_probes *p, int64_t now, struct sap_probe_chunk **out, size_t max,
		 size_t *n)
{
	bool open = false;

	for (size_t i = 0; i < p->batches.n; i++) {
		struct sap_probe_batch *b = p->batches.v[i];

		for (uint32_t k = 0; k < b->n_chunks; k++) {
			struct sap_probe_chunk *chunk = &b->chunks[k];

			open |= chunk->pending || chunk->busy;
			if (*n == max || !due(p, chunk, now))
				continue;
			chunk->busy++;
			out[(*n)++] = chunk;
		}
	}
	return open;
}

void sap_probe_purge_later(struct sap_probes *p)
{
	if (!p->purge)
		p->purge = sap_probe_now() + PURGE;
}

/* Takes the pairs of what is gone out of the hash map, so that it does not fill up; not before the
 * last probe has surely left, else a pair might be told again; unless the map is full. */
static void purge(struct sap_probes *p, int64_t now, bool full)
{
	size_t kept = 0;

	pthread_mutex_lock(&p->lock);
	p->purge = 0;
	for (size_t k = 0; k < p->pairs.n; k++) {
		struct sap_probe_pair pair = p->pairs.v[k];
		struct sap_probe_batch *b;
		uint32_t i;
		bool gone;

		b = sap_probe_find(p, pair.cookie, &i);
		gone = !b || sap_probe_bit(b->gone, i);
		if (gone && b && !full &&
		    now - b->chunks[i / SAP_PROBE_CHUNK].dropped < PURGE / 2) {
			sap_probe_purge_later(p);
			gone = false;
		}
		if (gone)
			sap_probe_pair_forget(p, pair.cookie, pair.pid);
		else
			p->pairs.v[kept++] = pair;
	}
	pthread_mutex_unlock(&p->lock);
	p->pairs.n = kept;
	if (!kept)
		sap_vec_clear(&p->pairs);
}

int64_t sap_probes_work(struct sap_probes *p, int64_t now)
{
	struct sap_probe_chunk *ready[64];
	int64_t later;
	size_t n = 0;
	bool open;

	if (p->news && p->next - now > TICK)
		p->next = now + TICK;
	if (now < p->next)
		return p->next;
	pthread_mutex_lock(&p->lock);
	open = look(p, now, ready, sizeof(ready) / sizeof(*ready), &n);
	later = p->purge;
	pthread_mutex_unlock(&p->lock);
	for (size_t i = 0; i < n; i++)
		exchange(p, ready[i]);
	if (later && (now >= later || p->full)) {
		purge(p, now, p->full);
		p->full = false;
		later = now + PURGE;
	}
	if (p->news || n)
		p->tick = TICK;
	else
		p->tick = p->tick * 2 < TICK_MAX ? p->tick * 2 : TICK_MAX;
	p->news = false;
	p->next = open ? now + p->tick : later ? later : INT64_MAX;
	return p->next;
}
