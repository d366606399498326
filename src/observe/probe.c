/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "observe/probe_int.h"

#define HITS_MAX 262144u
#define FILES_MAX 1000000u
#define FIRST_SLOT (SAP_PROBE_SLOT_TRIES + 1)

/* Links, and files, are descriptors. */
static void raise_descriptors(void)
{
	struct rlimit lim;

	if (!getrlimit(RLIMIT_NOFILE, &lim) && lim.rlim_cur < lim.rlim_max) {
		lim.rlim_cur = lim.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &lim);
	}
}

int sap_probes_new(const struct sap_probe_options *options, struct sap_probes **out,
		   struct sap_err *err)
{
	struct sap_probes *p = calloc(1, sizeof(*p));
	int rc;

	if (!p)
		return sap_err_nomem(err);
	p->options = *options;
	if (!p->options.hits_max)
		p->options.hits_max = HITS_MAX;
	p->hits = p->counters = p->ring = p->prog = p->fs = -1;
	p->names = 1;
	p->next = INT64_MAX;
	p->n_slots = FIRST_SLOT;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->todo, NULL);
	pthread_cond_init(&p->done, NULL);
	raise_descriptors();
	rc = sap_probe_load(p, err);
	if (!rc)
		rc = sap_probe_ring_map(p, err);
	if (rc) {
		sap_probes_free(p);
		return rc;
	}
	*out = p;
	return 0;
}

const char *sap_probes_means(const struct sap_probes *p)
{
	return p->multi ? "uprobe_multi" : "single perf uprobes";
}

int sap_probes_fd(const struct sap_probes *p)
{
	return p->ring;
}

/* ---- slots -------------------------------------------------------------------------------- */

uint32_t sap_probe_slot(struct sap_probes *p)
{
	if (p->free_slots.n)
		return p->free_slots.v[--p->free_slots.n];
	return p->n_slots < SAP_PROBE_LINKS_MAX ? p->n_slots++ : 0;
}

void sap_probe_slot_free(struct sap_probes *p, struct sap_probe_chunk *chunk)
{
	uint32_t *free_slot = chunk->slot ? SAP_VEC_PUSH(&p->free_slots, SIZE_MAX) : NULL;

	/* Out of memory: the number is not used again. */
	if (free_slot)
		*free_slot = chunk->slot;
	chunk->slot = 0;
}

/* ---- files -------------------------------------------------------------------------------- */

const struct sap_probe_file *sap_probe_file_find(const struct sap_probes *p, uint32_t number)
{
	for (size_t i = 0; i < p->files.n; i++)
		if (p->files.v[i].number == number)
			return &p->files.v[i];
	return NULL;
}

int sap_probes_file(struct sap_probes *p, uint32_t file, int fd, struct sap_err *err)
{
	sap_cleanup_fd int own = fd;
	struct sap_probe_file *f;
	struct stat st;

	if (sap_probe_file_find(p, file))
		return sap_err_set(err, SAP_EUSAGE, "file %u has probes already", file);
	if (fstat(own, &st))
		return sap_err_sys(err, errno, "cannot look at file %u", file);
	if (!S_ISREG(st.st_mode))
		return sap_err_set(err, SAP_EUSAGE, "file %u is not a regular file", file);
	pthread_mutex_lock(&p->lock);
	f = SAP_VEC_PUSH(&p->files, FILES_MAX);
	if (f)
		*f = (struct sap_probe_file){
			.number = file,
			.fd = sap_steal_fd(&own),
			.dev = st.st_dev,
			.ino = st.st_ino,
			.ctime = (int64_t)st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec,
		};
	pthread_mutex_unlock(&p->lock);
	return f ? 0 : sap_err_nomem(err);
}

/* ---- batches ------------------------------------------------------------------------------ */

static void batch_free(struct sap_probe_batch *b)
{
	if (!b)
		return;
	for (uint32_t i = 0; b->chunks && i < b->n_chunks; i++)
		free(b->chunks[i].links);
	free(b->chunks);
	free(b->offsets);
	free(b->fired);
	free(b->gone);
	free(b);
}

static struct sap_probe_batch *batch_new(uint32_t file, uint32_t cookie, const uint64_t *offsets,
					 uint32_t n)
{
	struct sap_probe_batch *b = calloc(1, sizeof(*b));
	uint32_t words = n / 64 + 1, n_chunks = (n - 1) / SAP_PROBE_CHUNK + 1;

	if (!b)
		return NULL;
	*b = (struct sap_probe_batch){
		.file = file, .cookie = cookie, .n = n, .n_chunks = n_chunks
	};
	b->offsets = malloc(n * sizeof(*offsets));
	b->fired = calloc(words, sizeof(*b->fired));
	b->gone = calloc(words, sizeof(*b->gone));
	b->chunks = calloc(n_chunks, sizeof(*b->chunks));
	if (!b->offsets || !b->fired || !b->gone || !b->chunks) {
		batch_free(b);
		return NULL;
	}
	memcpy(b->offsets, offsets, n * sizeof(*offsets));
	for (uint32_t i = 0; i < n_chunks; i++) {
		uint32_t first = i * SAP_PROBE_CHUNK, left = n - first;

		b->chunks[i] = (struct sap_probe_chunk){
			.batch = b,
			.first = first,
			.n = left < SAP_PROBE_CHUNK ? left : SAP_PROBE_CHUNK,
			.link = -1,
		};
	}
	return b;
}

/* The first batch whose cookies end behind this one. lock is held. */
static size_t batch_at(const struct sap_probes *p, uint32_t cookie)
{
	size_t from = 0, to = p->batches.n;

	while (from < to) {
		size_t mid = from + (to - from) / 2;
		const struct sap_probe_batch *b = p->batches.v[mid];

		if (cookie >= b->cookie && cookie - b->cookie >= b->n)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

struct sap_probe_batch *sap_probe_find(const struct sap_probes *p, uint32_t cookie, uint32_t *i)
{
	size_t at = batch_at(p, cookie);

	if (at == p->batches.n || cookie < p->batches.v[at]->cookie)
		return NULL;
	*i = cookie - p->batches.v[at]->cookie;
	return p->batches.v[at];
}

static int batch_add(struct sap_probes *p, struct sap_probe_batch *b, struct sap_err *err)
{
	struct sap_probe_batch **v;
	size_t at;
	int rc = 0;

	pthread_mutex_lock(&p->lock);
	at = batch_at(p, b->cookie);
	if (at < p->batches.n && p->batches.v[at]->cookie < b->cookie + b->n) {
		rc = sap_err_set(err, SAP_EUSAGE, "the cookies %u to %u are in use", b->cookie,
				 b->cookie + b->n - 1);
	} else if (!SAP_VEC_PUSH(&p->batches, SIZE_MAX)) {
		rc = sap_err_nomem(err);
	} else {
		v = p->batches.v;
		memmove(v + at + 1, v + at,
			(p->batches.n - 1 - at) * sizeof(struct sap_probe_batch *));
		v[at] = b;
	}
	pthread_mutex_unlock(&p->lock);
	return rc;
}

/* Hands all links of the batch over to be closed. lock is not held; no job is at work on it. */
static void batch_close(struct sap_probes *p, struct sap_probe_batch *b)
{
	for (uint32_t k = 0; k < b->n_chunks; k++) {
		struct sap_probe_chunk *chunk = &b->chunks[k];

		sap_probe_let_go(p, &chunk->link, false);
		for (uint32_t i = 0; chunk->links && i < chunk->n; i++)
			sap_probe_let_go(p, &chunk->links[i], false);
		pthread_mutex_lock(&p->lock);
		sap_probe_slot_free(p, chunk);
		pthread_mutex_unlock(&p->lock);
	}
}

static int offset_order(const void *a, const void *b)
{
	const struct sap_probe_refusal *x = a, *y = b;

	return (x->offset > y->offset) - (x->offset < y->offset);
}

/* What was refused in this file before. */
static int refused_before(const struct sap_probes *p, const struct sap_probe_file *file,
			  struct sap_probe_batch *b, uint16_t *error, struct sap_err *err)
{
	SAP_VEC(struct sap_probe_refusal) known = { 0 };

	for (size_t i = 0; i < p->refused.n; i++) {
		const struct sap_probe_refusal *r = &p->refused.v[i];
		struct sap_probe_refusal *k;

		if (r->ino != file->ino || r->dev != file->dev || r->ctime != file->ctime)
			continue;
		k = SAP_VEC_PUSH(&known, SAP_PROBE_REFUSED_MAX);
		if (!k) {
			sap_vec_clear(&known);
			return sap_err_nomem(err);
		}
		*k = *r;
	}
	if (known.n)
		qsort(known.v, known.n, sizeof(*known.v), offset_order);
	for (uint32_t i = 0; i < b->n && known.n; i++) {
		struct sap_probe_refusal key = { .offset = b->offsets[i] };
		const struct sap_probe_refusal *r =
			bsearch(&key, known.v, known.n, sizeof(key), offset_order);

		if (!r)
			continue;
		error[i] = (uint16_t)r->error;
		sap_probe_bit_set(b->gone, i);
	}
	sap_vec_clear(&known);
	return 0;
}

/* Only what the instruction is the reason of; forgetting one costs a search. */
static void refused_remember(struct sap_probes *p, const struct sap_probe_file *file,
			     uint64_t offset, int error)
{
	struct sap_probe_refusal *r = NULL;

	if (error == SAP_PROBE_ENOTSUPP)
		r = SAP_VEC_PUSH(&p->refused, SAP_PROBE_REFUSED_MAX);
	if (r)
		*r = (struct sap_probe_refusal){ .dev = file->dev,
						 .ino = file->ino,
						 .ctime = file->ctime,
						 .offset = offset,
						 .error = error };
}

static int place(struct sap_probes *p, const struct sap_probe_file *file, struct sap_probe_batch *b,
		 uint16_t *error, struct sap_err *err)
{
	uint64_t *before = malloc((b->n / 64 + 1) * sizeof(*before));
	int rc = before ? refused_before(p, file, b, error, err) : sap_err_nomem(err);

	if (!rc) {
		memcpy(before, b->gone, (b->n / 64 + 1) * sizeof(*before));
		rc = p->multi ? sap_probe_multi_place(p, file, b, error, err)
			      : sap_probe_single_place(p, file, b, error, err);
	}
	for (uint32_t i = 0; i < b->n && !rc; i++)
		if (error[i] && !sap_probe_bit(before, i))
			refused_remember(p, file, b->offsets[i], error[i]);
	free(before);
	return rc;
}

/* Takes the batch out again. */
static void batch_remove(struct sap_probes *p, struct sap_probe_batch *b)
{
	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < p->batches.n; i++)
		if (p->batches.v[i] == b) {
			memmove(p->batches.v + i, p->batches.v + i + 1,
				(p->batches.n - i - 1) * sizeof(struct sap_probe_batch *));
			p->batches.n--;
			break;
		}
	pthread_mutex_unlock(&p->lock);
	batch_close(p, b);
	batch_free(b);
}

/* error: room for the kernel's answer about each place, 0 where it stands. */
static int place_batch(struct sap_probes *p, const struct sap_probe_file *f, uint32_t cookie,
		       const uint64_t *offsets, uint32_t n, uint16_t *error, struct sap_err *err)
{
	struct sap_probe_batch *b = batch_new(f->number, cookie, offsets, n);
	int rc;

	if (!b)
		return sap_err_nomem(err);
	rc = batch_add(p, b, err);
	if (rc) {
		batch_free(b);
		return rc;
	}
	rc = place(p, f, b, error, err);
	if (rc)
		batch_remove(p, b);
	return rc;
}

int sap_probes_place(struct sap_probes *p, uint32_t file, uint32_t cookie, const uint64_t *offsets,
		     uint32_t n, sap_probe_refused_fn *refused, void *ctx, uint32_t *placed,
		     struct sap_err *err)
{
	const struct sap_probe_file *f = sap_probe_file_find(p, file);
	uint32_t stand = n;
	uint16_t *error;
	int rc;

	if (!f || cookie + n < cookie)
		return sap_err_set(err, SAP_EUSAGE, "no such file, or too many places: %u", file);
	*placed = 0;
	if (!n)
		return 0;
	error = calloc(n, sizeof(*error));
	rc = error ? place_batch(p, f, cookie, offsets, n, error, err) : sap_err_nomem(err);
	for (uint32_t i = 0; i < n && !rc; i++) {
		if (!error[i])
			continue;
		stand--;
		rc = refused(ctx, cookie + i, error[i], err);
	}
	if (!rc)
		*placed = stand;
	free(error);
	return rc;
}

void sap_probes_forget(struct sap_probes *p, uint32_t file)
{
	size_t n = 0, kept = 0;
	struct sap_probe_batch **out;

	pthread_mutex_lock(&p->lock);
	sap_probe_settle(p, file, false);
	pthread_mutex_unlock(&p->lock);
	/* Only this thread puts chunks to work or changes the list. */
	out = p->batches.v;
	for (size_t i = 0; i < p->batches.n; i++) {
		if (out[i]->file != file)
			continue;
		batch_close(p, out[i]);
		n++;
	}
	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < p->batches.n && n; i++) {
		if (out[i]->file == file)
			batch_free(out[i]);
		else
			out[kept++] = out[i];
	}
	if (n)
		p->batches.n = kept;
	if (n)
		sap_probe_purge_later(p);
	kept = 0;
	for (size_t i = 0; i < p->files.n; i++) {
		if (p->files.v[i].number == file)
			close(p->files.v[i].fd);
		else
			p->files.v[kept++] = p->files.v[i];
	}
	p->files.n = kept;
	pthread_mutex_unlock(&p->lock);
	if (n)
		p->next = 0;
}

void sap_probes_counts(const struct sap_probes *p, struct sap_probe_counts *out)
{
	struct sap_probes *mine = (struct sap_probes *)(uintptr_t)p;

	*out = (struct sap_probe_counts){ 0 };
	pthread_mutex_lock(&mine->lock);
	out->fired = p->fired;
	out->exchanges = p->exchanges;
	for (size_t i = 0; i < p->batches.n; i++)
		for (uint32_t k = 0; k < p->batches.v[i]->n_chunks; k++)
			out->standing += p->batches.v[i]->chunks[k].standing;
	pthread_mutex_unlock(&mine->lock);
}

void sap_probes_free(struct sap_probes *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	sap_probe_settle(p, 0, true);
	pthread_mutex_unlock(&p->lock);
	for (size_t i = 0; i < p->batches.n; i++)
		batch_close(p, p->batches.v[i]);
	sap_probe_end(p);
	for (size_t i = 0; i < p->batches.n; i++)
		batch_free(p->batches.v[i]);
	for (size_t i = 0; i < p->files.n; i++)
		close(p->files.v[i].fd);
	sap_vec_clear(&p->batches);
	sap_vec_clear(&p->files);
	sap_vec_clear(&p->refused);
	sap_vec_clear(&p->pairs);
	sap_vec_clear(&p->free_slots);
	sap_probe_ring_unmap(p);
	sap_probe_unload(p);
	pthread_cond_destroy(&p->done);
	pthread_cond_destroy(&p->todo);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
