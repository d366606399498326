/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/perf_event.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "observe/perf_int.h"

enum { HEADER = sizeof(struct perf_event_header), SAMPLE_ID = 2 * sizeof(uint64_t) };

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

int sap_ring_map(struct sap_ring *r, uint32_t pages, struct sap_err *err)
{
	uint64_t bytes = (uint64_t)pages * page_size();
	void *map = mmap(NULL, bytes + page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);

	if (map == MAP_FAILED)
		return sap_err_sys(err, errno, "cannot map %u pages of events", pages);
	r->map = map;
	r->data = (const unsigned char *)map + page_size();
	r->bytes = bytes;
	r->head = r->tail = 0;
	r->ready = false;
	return 0;
}

void sap_ring_unmap(struct sap_ring *r)
{
	if (r->map)
		munmap(r->map, r->bytes + page_size());
	r->map = NULL;
}

void sap_ring_close(struct sap_ring *r)
{
	sap_ring_unmap(r);
	sap_close_fd(&r->build_fd);
	sap_close_fd(&r->fd);
}

void sap_ring_look(struct sap_ring *r)
{
	struct perf_event_mmap_page *control = r->map;
	uint64_t head = __atomic_load_n(&control->data_head, __ATOMIC_ACQUIRE);

	if (head - r->tail <= r->bytes)
		r->head = head;
}

/* n is at most bytes. */
static void copy(const struct sap_ring *r, uint64_t at, void *to, uint64_t n)
{
	uint64_t from = at & (r->bytes - 1);
	uint64_t first = n < r->bytes - from ? n : r->bytes - from;

	memcpy(to, r->data + from, first);
	memcpy((unsigned char *)to + first, r->data, n - first);
}

int sap_ring_at(const struct sap_ring *r, uint64_t at, struct sap_record *out, struct sap_err *err)
{
	struct perf_event_header h;
	uint64_t sample_id[2]; /* time, id */

	if (at == r->head)
		return 0;
	if (r->head - at < HEADER)
		return sap_err_format(err, at, "the kernel's ring holds part of a record");
	copy(r, at, &h, sizeof(h));
	if (h.size < HEADER + SAMPLE_ID || h.size > r->head - at)
		return sap_err_format(err, at, "the kernel's ring holds a record of %u bytes",
				      h.size);
	out->at = at;
	out->type = h.type;
	out->misc = h.misc;
	out->size = h.size;
	copy(r, at + h.size - SAMPLE_ID, sample_id, SAMPLE_ID);
	out->time = sample_id[0];
	out->second = r->build_fd >= 0 && sample_id[1] == r->build_event;
	return 1;
}

struct sap_span sap_ring_bytes(const struct sap_ring *r, const struct sap_record *record,
			       unsigned char *scratch)
{
	uint64_t at = record->at + HEADER;
	uint64_t n = (uint64_t)record->size - HEADER - SAMPLE_ID;
	uint64_t from = at & (r->bytes - 1);

	if (n <= r->bytes - from)
		return sap_span_of(r->data + from, n);
	copy(r, at, scratch, n);
	return sap_span_of(scratch, n);
}

void sap_ring_take(struct sap_ring *r, uint64_t to)
{
	struct perf_event_mmap_page *control = r->map;

	r->tail = to;
	r->ready = false;
	__atomic_store_n(&control->data_tail, to, __ATOMIC_RELEASE);
}
