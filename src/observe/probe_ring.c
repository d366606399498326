/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ring buffer as bpf(2) maps it: one page that is ours (how far we are), then one of the kernel's
 * (how far it is) and the data twice in a row, so that a record never wraps. Records: u32 length with two
 * flags on top, u32 that is the kernel's own, the bytes, padded to 8.
 */
#include <linux/bpf.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "observe/probe_int.h"

int sap_probe_ring_map(struct sap_probes *p, struct sap_err *err)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *ours, *theirs;

	ours = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, p->ring, 0);
	if (ours == MAP_FAILED)
		return sap_err_sys(err, errno, "cannot map the ring of probes");
	theirs = mmap(NULL, page + 2 * (size_t)SAP_PROBE_RING, PROT_READ, MAP_SHARED, p->ring,
		      (off_t)page);
	if (theirs == MAP_FAILED) {
		int error = errno;

		munmap(ours, page);
		return sap_err_sys(err, error, "cannot map the ring of probes");
	}
	p->consumer = ours;
	p->producer = theirs;
	p->data = (const unsigned char *)theirs + page;
	return 0;
}

void sap_probe_ring_unmap(struct sap_probes *p)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const void *theirs = p->producer;

	if (!p->consumer)
		return;
	munmap(p->consumer, page);
	munmap((void *)(uintptr_t)theirs, page + 2 * (size_t)SAP_PROBE_RING);
	p->consumer = NULL;
}

/* What is added to CLOCK_MONOTONIC to get the time of day, as the clocks are now. */
static int64_t day_offset(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec - sap_probe_now();
}

/* The place has fired and is not needed any more. */
static void mark(struct sap_probes *p, uint32_t cookie, int64_t now)
{
	struct sap_probe_batch *b;
	uint32_t i;
	bool gone;

	pthread_mutex_lock(&p->lock);
	b = sap_probe_find(p, cookie, &i);
	gone = !b || sap_probe_bit(b->gone, i);
	if (b && !sap_probe_bit(b->fired, i)) {
		struct sap_probe_chunk *chunk = &b->chunks[i / SAP_PROBE_CHUNK];

		sap_probe_bit_set(b->fired, i);
		p->fired++;
		if (!gone && !chunk->pending++)
			chunk->since = now;
		p->news = true;
	}
	if (gone)
		sap_probe_purge_later(p);
	pthread_mutex_unlock(&p->lock);
}

void sap_probes_taken(struct sap_probes *p, uint32_t cookie)
{
	mark(p, cookie, sap_probe_now());
}

/* The pair leaves the hash map some time after its place is gone: see sap_probes_work(). */
static void note(struct sap_probes *p, const struct sap_probe_record *r, int64_t now)
{
	struct sap_probe_pair *pair;

	if (!p->options.keep)
		mark(p, r->cookie, now);
	/* Out of memory: the pair stays in the map. */
	pair = SAP_VEC_PUSH(&p->pairs, SIZE_MAX);
	if (pair)
		*pair = (struct sap_probe_pair){ .cookie = r->cookie, .pid = r->pid };
}

int sap_probes_read(struct sap_probes *p, sap_probe_hit_fn *hit, void *ctx, uint64_t *lost,
		    struct sap_err *err)
{
	int64_t day = day_offset(), now = sap_probe_now();
	uint64_t at = *p->consumer, end = __atomic_load_n(p->producer, __ATOMIC_ACQUIRE), n;
	int rc = 0;

	while (at < end && !rc) {
		const unsigned char *head = p->data + (at & (SAP_PROBE_RING - 1));
		uint32_t len =
			__atomic_load_n((const uint32_t *)(const void *)head, __ATOMIC_ACQUIRE);
		struct sap_probe_record r;

		if (len & BPF_RINGBUF_BUSY_BIT)
			break;
		if (!(len & BPF_RINGBUF_DISCARD_BIT) && len == sizeof(r)) {
			memcpy(&r, head + BPF_RINGBUF_HDR_SZ, sizeof(r));
			note(p, &r, now);
			rc = hit(ctx, r.cookie, r.pid, (int64_t)r.when + day, err);
		}
		len &= ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
		at += (len + BPF_RINGBUF_HDR_SZ + 7) & ~7u;
		__atomic_store_n(p->consumer, at, __ATOMIC_RELEASE);
	}
	n = __atomic_load_n(&p->counts[0], __ATOMIC_RELAXED);
	*lost = n - p->lost;
	p->lost = n;
	if (*lost)
		p->full = true;
	return rc;
}
