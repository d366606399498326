/* SPDX-License-Identifier: Apache-2.0 */
/*
 * perf_event_open(2) of the PMU "uprobe" (Linux 4.17): config1 is the address of the path, config2
 * the offset. With pid -1 and one CPU it is hit on all CPUs, as the BPF program hangs on the
 * probe and not on the CPU's event. The link holds the event, so that one descriptor a place is
 * enough. Taking one away costs the kernel 70 ms under a lock of all perf events (seen on 6.18).
 */
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "observe/probe_int.h"

#define PMU_TYPE "/sys/bus/event_source/devices/uprobe/type"

int sap_probe_single_type(unsigned *type, struct sap_err *err)
{
	sap_cleanup_fd int fd = open(PMU_TYPE, O_RDONLY | O_CLOEXEC);
	char text[16] = "";
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	unsigned value = 0;

	if (n <= 0)
		return sap_err_set(err, SAP_EUNSUPPORTED,
				   "no probes on functions: the kernel has no uprobes (%s: %s; "
				   "CONFIG_UPROBE_EVENTS)",
				   PMU_TYPE, strerror(errno));
	for (ssize_t i = 0; i < n && text[i] >= '0' && text[i] <= '9'; i++)
		value = value * 10 + (unsigned)(text[i] - '0');
	*type = value;
	return 0;
}

static int event_open(const struct sap_probes *p, int file, uint64_t offset)
{
	char path[32];
	struct perf_event_attr attr = { .type = p->uprobe_pmu,
					.size = sizeof(attr),
					.config1 = (uintptr_t)path,
					.config2 = offset };
	long fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	fd = syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : (int)fd;
}

/* A descriptor, or -errno. */
static int place_one(const struct sap_probes *p, int file, uint64_t offset, uint64_t cookie)
{
	sap_cleanup_fd int event = event_open(p, file, offset);
	union bpf_attr attr;

	if (event < 0)
		return event;
	memset(&attr, 0, sizeof(attr));
	attr.link_create.prog_fd = (uint32_t)p->prog;
	attr.link_create.target_fd = (uint32_t)event;
	attr.link_create.attach_type = BPF_PERF_EVENT;
	attr.link_create.perf_event.bpf_cookie = cookie;
	return sap_probe_bpf(BPF_LINK_CREATE, &attr, sizeof(attr));
}

/* The file is mapped meanwhile, so that the kernel looks at the instructions: see probe_link.c. */
static void place_chunk(struct sap_probes *p, const struct sap_probe_file *file, int readable,
			struct sap_probe_chunk *chunk, uint16_t *error)
{
	struct sap_probe_batch *b = chunk->batch;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t from = b->offsets[chunk->first], to = b->offsets[chunk->first + chunk->n - 1];
	size_t len = (size_t)(to - (from - from % page) + 1);
	/* Out of numbers: its traps are counted elsewhere, never as lost. */
	uint64_t slot = chunk->slot ? chunk->slot : SAP_PROBE_SLOT_TRIES;
	void *map = MAP_FAILED;
	int why = 0;

	if (readable >= 0 && to <= INT64_MAX)
		map = mmap(NULL, len, PROT_READ, MAP_PRIVATE | MAP_NORESERVE, readable,
			   (off_t)(from - from % page));
	for (uint32_t i = 0; i < chunk->n; i++) {
		uint32_t at = chunk->first + i;
		uint64_t cookie = slot << 32 | (b->cookie + at);
		int fd = -why, link;

		if (sap_probe_bit(b->gone, at))
			continue;
		/* Out of descriptors: so will the next be. */
		if (why != EMFILE && why != ENFILE)
			fd = place_one(p, file->fd, b->offsets[at], cookie);
		why = fd < 0 ? -fd : 0;
		link = fd < 0 ? -1 : sap_probe_keep(p, fd);
		pthread_mutex_lock(&p->lock);
		if (fd >= 0) {
			chunk->links[i] = link;
			chunk->standing++;
		} else {
			error[at] = (uint16_t)why;
			sap_probe_bit_set(b->gone, at);
		}
		pthread_mutex_unlock(&p->lock);
	}
	if (map != MAP_FAILED)
		munmap(map, len);
}

int sap_probe_single_place(struct sap_probes *p, const struct sap_probe_file *file,
			   struct sap_probe_batch *batch, uint16_t *error, struct sap_err *err)
{
	sap_cleanup_fd int readable = sap_probe_reopen(file);

	for (uint32_t k = 0; k < batch->n_chunks; k++) {
		struct sap_probe_chunk *chunk = &batch->chunks[k];
		int *links = malloc(chunk->n * sizeof(*links));

		if (!links)
			return sap_err_nomem(err);
		for (uint32_t i = 0; i < chunk->n; i++)
			links[i] = -1;
		pthread_mutex_lock(&p->lock);
		chunk->links = links;
		chunk->slot = sap_probe_slot(p);
		pthread_mutex_unlock(&p->lock);
		place_chunk(p, file, readable, chunk, error);
	}
	return 0;
}
