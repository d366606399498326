/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running ahead: what objects need is looked up as soon as they have been parsed, where
 * ld.so.cache says where it is. A guess that saves rounds between parent and worker, no more:
 * what is loaded from where is for the link module to say.
 */
#include "extract/extract_int.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/pool.h"
#include "sysconf/sysconf.h"

/* A path of the cache; entries of one soname are chained. */
struct entry {
	struct sap_str path;
	uint32_t next;
	bool taken;
};

struct sap_chase {
	struct sap_sink sink; /* takes the cache's entries; first member */
	struct sap_arena arena;
	struct sap_pool *names;
	SAP_VEC(uint32_t) first; /* by names id: its first entry + 1 */
	SAP_VEC(struct entry) entries;
	struct sap_pool *made; /* paths made of RPATH and RUNPATH */
	SAP_VEC(struct sap_str) queue;
	size_t next; /* of queue */
	pthread_mutex_t lock;
	pthread_cond_t more;
	unsigned busy; /* threads that may still add to the queue */
};

static int take_entry(struct sap_sink *sink, const struct sap_rec_cache_entry *rec,
		      struct sap_err *err)
{
	struct sap_chase *chase = (struct sap_chase *)sink;
	uint32_t id = sap_pool_put(chase->names, rec->soname);
	struct entry *entry = SAP_VEC_PUSH(&chase->entries, SAP_LIST_MAX);

	if (id == UINT32_MAX || !entry || !sap_arena_str(&chase->arena, rec->path, &entry->path))
		return sap_err_nomem(err);
	while (chase->first.n <= id) {
		if (!SAP_VEC_PUSH(&chase->first, UINT32_MAX))
			return sap_err_nomem(err);
	}
	entry->next = chase->first.v[id];
	chase->first.v[id] = (uint32_t)chase->entries.n;
	return 0;
}

/* The cache is read for good elsewhere, with its diagnostics. */
static int ignore_setting(struct sap_sink *sink, const struct sap_rec_setting *rec,
			  struct sap_err *err)
{
	(void)sink;
	(void)rec;
	(void)err;
	return 0;
}

static int ignore_diagnostic(struct sap_sink *sink, const struct sap_rec_diagnostic *rec,
			     struct sap_err *err)
{
	(void)sink;
	(void)rec;
	(void)err;
	return 0;
}

struct sap_chase *sap_chase_new(struct sap_input *input, unsigned threads)
{
	const struct sap_str path = SAP_STR("/etc/ld.so.cache");
	struct sap_chase *chase = calloc(1, sizeof(*chase));
	struct sap_err fault;
	struct sap_span bytes;

	if (!chase)
		return NULL;
	chase->sink = (struct sap_sink){ .cache_entry = take_entry,
					 .setting = ignore_setting,
					 .diagnostic = ignore_diagnostic };
	chase->names = sap_pool_new();
	chase->made = sap_pool_new();
	chase->busy = threads;
	sap_arena_init(&chase->arena, 0);
	pthread_mutex_init(&chase->lock, NULL);
	pthread_cond_init(&chase->more, NULL);
	/* Without a cache there is nothing to run after; a damaged one gives what it gives. */
	if (!chase->names || !chase->made ||
	    sap_input_read(input, path, SAP_TEXT_FILE_MAX, &chase->arena, &bytes, &fault) < 0) {
		sap_chase_free(chase);
		return NULL;
	}
	sap_ldcache_parse(bytes, path, &chase->sink, &fault);
	return chase;
}

void sap_chase_free(struct sap_chase *chase)
{
	if (!chase)
		return;
	pthread_mutex_destroy(&chase->lock);
	pthread_cond_destroy(&chase->more);
	sap_pool_free(chase->names);
	sap_pool_free(chase->made);
	sap_vec_clear(&chase->first);
	sap_vec_clear(&chase->entries);
	sap_vec_clear(&chase->queue);
	sap_arena_clear(&chase->arena);
	free(chase);
}

/* Queues what the cache has under a name. With the lock held. */
static void queue_entries(struct sap_chase *chase, uint32_t at)
{
	for (; at; at = chase->entries.v[at - 1].next) {
		struct entry *entry = &chase->entries.v[at - 1];
		struct sap_str *to =
			entry->taken ? NULL : SAP_VEC_PUSH(&chase->queue, SAP_LIST_MAX);

		if (to)
			*to = entry->path;
		__atomic_store_n(&entry->taken, true, __ATOMIC_RELAXED);
	}
}

/* Queues a path of our own making, unless it has been. With the lock held. */
static void queue_made(struct sap_chase *chase, struct sap_str path)
{
	uint32_t n = sap_pool_count(chase->made), id = sap_pool_put(chase->made, path);
	struct sap_str *to = id == n ? SAP_VEC_PUSH(&chase->queue, SAP_LIST_MAX) : NULL;

	if (to)
		*to = sap_pool_str(chase->made, id);
}

/* A folder of a search path with $ORIGIN put in; false for one that starts otherwise. */
static bool expand(struct sap_str dir, struct sap_str origin, struct sap_buf *out)
{
	const struct sap_str tokens[] = { SAP_STR("$ORIGIN"), SAP_STR("${ORIGIN}") };

	sap_buf_reset(out);
	for (unsigned i = 0; i < 2; i++) {
		if (!sap_str_starts(dir, tokens[i]))
			continue;
		sap_buf_puts(out, origin);
		dir = sap_str_skip(dir, tokens[i].n);
	}
	sap_buf_puts(out, dir);
	return sap_buf_ok(out) && out->n && out->p[0] == '/' && !memchr(out->p, '$', out->n);
}

/* A folder of a search path, and those in it that glibc looks into first: which of them are
 * there decides where a name is looked for. */
static void queue_folder(struct sap_chase *chase, struct sap_buf *dir)
{
	static const char *const inner[] = { "", "/glibc-hwcaps", "/tls", "/x86_64", "/avx512_1" };
	const size_t keep = dir->n;

	for (unsigned i = 0; i < sizeof(inner) / sizeof(inner[0]); i++) {
		dir->n = keep;
		sap_buf_puts(dir, sap_str_of(inner[i]));
		if (sap_buf_ok(dir))
			queue_made(chase, sap_buf_str(dir));
	}
	dir->n = keep;
}

/* Every name in every folder of a search path. */
static void chase_path(struct sap_chase *chase, struct sap_str search, struct sap_str origin,
		       struct sap_strs needed)
{
	enum { FOLDERS = 8 };
	struct sap_buf buf;
	struct sap_str dir;

	sap_buf_init(&buf, 2 * SAP_PATH_MAX);
	for (unsigned n = 0; search.n && n < FOLDERS; n++) {
		size_t keep;

		sap_str_cut(search, ':', &dir, &search);
		if (!expand(dir, origin, &buf))
			continue;
		queue_folder(chase, &buf);
		sap_buf_putc(&buf, '/');
		keep = buf.n;
		for (uint32_t i = 0; i < needed.n; i++) {
			buf.n = keep;
			sap_buf_puts(&buf, needed.v[i]);
			if (sap_buf_ok(&buf))
				queue_made(chase, sap_buf_str(&buf));
		}
	}
	sap_buf_clear(&buf);
}

void sap_chase_object(struct sap_chase *chase, const struct sap_rec_object *rec)
{
	const struct sap_str search = rec->runpath.n ? rec->runpath : rec->rpath;
	bool added = false;

	for (uint32_t i = 0; i < rec->needed.n; i++) {
		/* The pool does not change any more: no lock for names that are not there or
		 * have been taken, which is nearly all of them. */
		uint32_t id = sap_pool_find(chase->names, rec->needed.v[i]);
		uint32_t at = id < chase->first.n ? chase->first.v[id] : 0;

		if (!at || __atomic_load_n(&chase->entries.v[at - 1].taken, __ATOMIC_RELAXED))
			continue;
		pthread_mutex_lock(&chase->lock);
		added = true;
		queue_entries(chase, at);
		pthread_mutex_unlock(&chase->lock);
	}
	if (search.n || (rec->interp.n && rec->interp.p[0] == '/')) {
		pthread_mutex_lock(&chase->lock);
		added = true;
		if (rec->interp.n)
			queue_made(chase, rec->interp);
		chase_path(chase, search, sap_path_dir(rec->path), rec->needed);
		pthread_mutex_unlock(&chase->lock);
	}
	if (added)
		pthread_cond_broadcast(&chase->more);
}

bool sap_chase_next(struct sap_chase *chase, struct sap_str *path)
{
	bool got = false;

	pthread_mutex_lock(&chase->lock);
	chase->busy--;
	while (chase->next == chase->queue.n && chase->busy)
		pthread_cond_wait(&chase->more, &chase->lock);
	if (chase->next < chase->queue.n) {
		*path = chase->queue.v[chase->next++];
		chase->busy++;
		got = true;
	} else {
		pthread_cond_broadcast(&chase->more);
	}
	pthread_mutex_unlock(&chase->lock);
	return got;
}

void sap_chase_leave(struct sap_chase *chase)
{
	pthread_mutex_lock(&chase->lock);
	chase->busy--;
	pthread_cond_broadcast(&chase->more);
	pthread_mutex_unlock(&chase->lock);
}
