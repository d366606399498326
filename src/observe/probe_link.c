/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel does with a first instruction that it cannot step over (seen on 6.18, the same in
 * the sources since 6.6): it looks at the bytes only when it puts a breakpoint into a process. Where some process
 * has the file mapped, making the link fails with 524 for all its places. Where none has, the link
 * stands, and a process that maps the file later gets all breakpoints but that one: its
 * mmap(2) succeeds, it runs unharmed, and entries of that function are never seen.
 *
 * So that both are the same, and known at once, the pages in question are mapped here, privately and
 * for reading, while the link is made; that counts as "some process has it mapped". (The kernel asks for
 * VM_MAYEXEC only, which a mapping has unless the file system is mounted noexec; then nobody can
 * run the file either.) The mapping goes right after: the copies of pages that breakpoints make
 * would be our memory.
 */
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "observe/probe_int.h"

#define ATTACH_UPROBE_MULTI 48
#define SPLIT 8u        /* pieces into which what was refused is cut: 512, 64, 8, 1 */
#define SPLITS_MAX 256u /* pieces that are cut in one round; the others are refused as they are */

/* bpf(2) BPF_LINK_CREATE, with the member uprobe_multi that headers before 6.6 lack. */
struct multi_attr {
	uint32_t prog_fd, target_fd, attach_type, flags;
	uint64_t path, offsets, ref_ctr_offsets, cookies;
	uint32_t cnt, multi_flags, pid, pad;
};

bool sap_probe_multi_works(int prog)
{
	uint64_t offset = 0;
	struct multi_attr attr = { .prog_fd = (uint32_t)prog,
				   .attach_type = ATTACH_UPROBE_MULTI,
				   .path = (uintptr_t) "/",
				   .offsets = (uintptr_t)&offset,
				   .cnt = 1 };

	/* It looks at the path only when it knows the rest; a folder is EBADF. */
	return sap_probe_bpf(BPF_LINK_CREATE, &attr, sizeof(attr)) == -EBADF;
}

int sap_probe_multi_link(const struct sap_probes *p, int file, const uint64_t *offsets,
			 const uint64_t *cookies, uint32_t n, int32_t pid)
{
	char path[32];
	struct multi_attr attr = { .prog_fd = (uint32_t)p->prog,
				   .attach_type = ATTACH_UPROBE_MULTI,
				   .path = (uintptr_t)path,
				   .offsets = (uintptr_t)offsets,
				   .cookies = (uintptr_t)cookies,
				   .cnt = n,
				   .pid = (uint32_t)pid };

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	return sap_probe_bpf(BPF_LINK_CREATE, &attr, sizeof(attr));
}

uint32_t sap_probe_gather(const struct sap_probe_chunk *chunk, const uint64_t *without,
			  uint64_t *offsets, uint64_t *cookies)
{
	const struct sap_probe_batch *b = chunk->batch;
	uint32_t n = 0;

	for (uint32_t i = 0; i < chunk->n; i++) {
		if (sap_probe_bit(b->gone, chunk->first + i) ||
		    (without && sap_probe_bit(without, i)))
			continue;
		offsets[n] = b->offsets[chunk->first + i];
		cookies[n++] = (uint64_t)chunk->slot << 32 | (b->cookie + chunk->first + i);
	}
	return n;
}

int sap_probe_reopen(const struct sap_probe_file *file)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file->fd);
	return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

/* ---- the pages while a link is made ------------------------------------------------------- */

struct pages {
	void *at;
	size_t len;
};

static void pages_map(struct pages *m, int fd, uint64_t from, uint64_t to)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), start = from - from % page;

	*m = (struct pages){ 0 };
	if (fd < 0 || to < from || to > INT64_MAX)
		return;
	m->len = (size_t)(to - start + 1);
	m->at = mmap(NULL, m->len, PROT_READ, MAP_PRIVATE | MAP_NORESERVE, fd, (off_t)start);
	if (m->at == MAP_FAILED)
		m->at = NULL;
}

static void pages_unmap(struct pages *m)
{
	if (m->at)
		munmap(m->at, m->len);
	m->at = NULL;
}

/* ---- the search for what is refused ------------------------------------------------------- */

struct piece {
	uint32_t from, to; /* of search->places */
	int error;
};

struct search {
	const struct sap_probe_batch *batch;
	int file;
	uint32_t *places; /* of the batch: those of all links that were refused, in order */
	uint32_t n;
	SAP_VEC(struct piece) pieces;
	uint32_t left; /* jobs not done; p->lock */
};

/* One try, for this process only. It is what takes long, when it is refused. */
static void piece_try(struct sap_probes *p, void *arg, uint32_t i)
{
	struct search *s = arg;
	struct piece *piece = &s->pieces.v[i];
	uint64_t offsets[SAP_PROBE_CHUNK], cookies[SAP_PROBE_CHUNK];
	uint32_t n = 0;
	int fd;

	for (uint32_t k = piece->from; k < piece->to; k++, n++) {
		offsets[n] = s->batch->offsets[s->places[k]];
		cookies[n] =
			(uint64_t)SAP_PROBE_SLOT_TRIES << 32 | (s->batch->cookie + s->places[k]);
	}
	fd = sap_probe_multi_link(p, s->file, offsets, cookies, n, getpid());
	piece->error = fd < 0 ? -fd : 0;
	if (fd >= 0) {
		fd = sap_probe_keep(p, fd);
		sap_probe_let_go(p, &fd, false);
	}
	pthread_mutex_lock(&p->lock);
	s->left--;
	pthread_cond_broadcast(&p->done);
	pthread_mutex_unlock(&p->lock);
}

static void round_try(struct sap_probes *p, struct search *s)
{
	s->left = (uint32_t)s->pieces.n;
	for (uint32_t i = 0; i < s->pieces.n; i++)
		sap_probe_job(p, piece_try, s, i);
	pthread_mutex_lock(&p->lock);
	while (s->left)
		pthread_cond_wait(&p->done, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

/* Cuts what was refused; what cannot be cut further is refused for good. */
static int round_cut(struct search *s, uint16_t *error, struct sap_err *err)
{
	SAP_VEC(struct piece) next = { 0 };
	uint32_t cuts = 0;

	for (uint32_t i = 0; i < s->pieces.n; i++) {
		struct piece a = s->pieces.v[i];
		uint32_t n = a.to - a.from, step = n / SPLIT + (n % SPLIT != 0);

		if (!a.error)
			continue;
		if (n == 1 || cuts == SPLITS_MAX) {
			for (uint32_t k = a.from; k < a.to; k++)
				error[s->places[k]] = (uint16_t)a.error;
			continue;
		}
		cuts++;
		for (uint32_t at = a.from; at < a.to; at += step) {
			struct piece *b = SAP_VEC_PUSH(&next, SIZE_MAX);

			if (!b) {
				sap_vec_clear(&next);
				return sap_err_nomem(err);
			}
			b->from = at;
			b->to = a.to - at < step ? a.to : at + step;
		}
	}
	sap_vec_clear(&s->pieces);
	s->pieces.v = next.v;
	s->pieces.n = next.n;
	s->pieces.cap = next.cap;
	return 0;
}

/* ---- placing ------------------------------------------------------------------------------ */

/* Whether one bad place may be the cause: 524, or EINVAL (behind the end of the file). */
static bool of_a_place(int error)
{
	return error == SAP_PROBE_ENOTSUPP || error == EINVAL || error == EOPNOTSUPP;
}

/* Makes the link; 0, or an errno. */
static int chunk_place(struct sap_probes *p, int file, int readable, struct sap_probe_chunk *chunk)
{
	uint64_t offsets[SAP_PROBE_CHUNK], cookies[SAP_PROBE_CHUNK];
	struct pages pages;
	int64_t start;
	uint32_t n;
	int fd, link;

	pthread_mutex_lock(&p->lock);
	if (!chunk->slot)
		chunk->slot = sap_probe_slot(p);
	n = sap_probe_gather(chunk, NULL, offsets, cookies);
	if (!n || !chunk->slot)
		sap_probe_slot_free(p, chunk);
	pthread_mutex_unlock(&p->lock);
	if (!n || !chunk->slot)
		return n ? EMFILE : 0;
	pages_map(&pages, readable, offsets[0], offsets[n - 1]);
	start = sap_probe_now();
	fd = sap_probe_multi_link(p, file, offsets, cookies, n, 0);
	start = sap_probe_now() - start;
	pages_unmap(&pages);
	link = fd < 0 ? -1 : sap_probe_keep(p, fd);
	pthread_mutex_lock(&p->lock);
	if (fd >= 0) {
		chunk->link = link;
		chunk->standing = n;
		chunk->cost = start;
		chunk->traps = __atomic_load_n(&p->counts[chunk->slot], __ATOMIC_RELAXED);
	} else {
		sap_probe_slot_free(p, chunk);
	}
	pthread_mutex_unlock(&p->lock);
	return fd < 0 ? -fd : 0;
}

static void chunk_refuse(struct sap_probes *p, struct sap_probe_chunk *chunk, int why,
			 uint16_t *error)
{
	pthread_mutex_lock(&p->lock);
	for (uint32_t i = chunk->first; i < chunk->first + chunk->n; i++)
		if (!sap_probe_bit(chunk->batch->gone, i)) {
			error[i] = (uint16_t)why;
			sap_probe_bit_set(chunk->batch->gone, i);
		}
	pthread_mutex_unlock(&p->lock);
}

/* Puts the places of a link that was refused up for the search. */
static int search_add(struct search *s, const struct sap_probe_chunk *chunk, struct sap_err *err)
{
	struct piece *piece;

	if (!s->places) {
		s->places = malloc(chunk->batch->n * sizeof(*s->places));
		if (!s->places)
			return sap_err_nomem(err);
	}
	piece = SAP_VEC_PUSH(&s->pieces, SIZE_MAX);
	if (!piece)
		return sap_err_nomem(err);
	piece->error = SAP_PROBE_ENOTSUPP;
	piece->from = s->n;
	for (uint32_t i = chunk->first; i < chunk->first + chunk->n; i++)
		if (!sap_probe_bit(chunk->batch->gone, i))
			s->places[s->n++] = i;
	piece->to = s->n;
	return 0;
}

static int search_run(struct sap_probes *p, struct search *s, int readable, uint16_t *error,
		      struct sap_err *err)
{
	const struct sap_probe_batch *b = s->batch;
	struct pages pages;
	int rc;

	pages_map(&pages, readable, b->offsets[s->places[0]], b->offsets[s->places[s->n - 1]]);
	rc = round_cut(s, error, err);
	while (!rc && s->pieces.n) {
		round_try(p, s);
		rc = round_cut(s, error, err);
	}
	pages_unmap(&pages);
	pthread_mutex_lock(&p->lock);
	for (uint32_t i = 0; i < s->n; i++)
		if (error[s->places[i]])
			sap_probe_bit_set(b->gone, s->places[i]);
	pthread_mutex_unlock(&p->lock);
	return rc;
}

int sap_probe_multi_place(struct sap_probes *p, const struct sap_probe_file *file,
			  struct sap_probe_batch *batch, uint16_t *error, struct sap_err *err)
{
	sap_cleanup_fd int readable = sap_probe_reopen(file);
	struct search s = { .batch = batch, .file = file->fd };
	int rc = 0;

	for (uint32_t i = 0; i < batch->n_chunks && !rc; i++) {
		int why = chunk_place(p, file->fd, readable, &batch->chunks[i]);

		if (of_a_place(why))
			rc = search_add(&s, &batch->chunks[i], err);
		else if (why)
			chunk_refuse(p, &batch->chunks[i], why, error);
	}
	if (!rc && s.n)
		rc = search_run(p, &s, readable, error, err);
	for (uint32_t i = 0; i < batch->n_chunks && !rc && s.n; i++) {
		int why = 0;

		if (batch->chunks[i].link == -1)
			why = chunk_place(p, file->fd, readable, &batch->chunks[i]);
		if (why)
			chunk_refuse(p, &batch->chunks[i], why, error);
	}
	free(s.places);
	sap_vec_clear(&s.pieces);
	return rc;
}
