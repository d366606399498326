/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Single paths on demand: where each leads, and the object there.
 *
 * Thousands of paths share a few folders, so folders are resolved and opened once. What a
 * name is, is looked at before it is opened: a target may name a device as a library.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/pool.h"
#include "base/vec.h"
#include "extract/extract_int.h"

/* One thread's work. */
struct asking {
	struct sap_worker *worker;
	struct sap_worker_thread *thread;
	struct sap_folders folders;
	struct sap_arena scratch; /* of one question */
	atomic_uint *next;
};

enum { BATCH = 16 };

static int answer(struct asking *a, struct sap_str path, struct sap_str canonical,
		  enum sap_lookup_result result, struct sap_err *err)
{
	const struct sap_rec_lookup rec = { path, canonical, result };
	struct sap_sink *sink = &a->thread->encoder.sink;

	return sink->lookup(sink, &rec, err);
}

/* An `other` record and the answer that goes with it. */
static int answer_other(struct asking *a, struct sap_str path, struct sap_str canonical,
			uint64_t size, enum sap_other_reason reason, struct sap_err *err)
{
	bool unread = reason == SAP_OTHER_UNREADABLE || reason == SAP_OTHER_LOOP;
	int r = sap_other_give(a->thread, canonical, size, reason, err);

	if (r < 0)
		return r;
	return answer(a, path, canonical, unread ? SAP_LOOKUP_UNREADABLE : SAP_LOOKUP_OTHER, err);
}

static bool is_absence(int why)
{
	return why == ENOENT || why == ENOTDIR || why == ENAMETOOLONG;
}

/* What the system call with that errno was asked for is not there, or nobody can tell. at: what
 * the diagnostic is about, unless there is one. */
static int answer_failed(struct asking *a, struct sap_str path, int why, struct sap_str at,
			 bool *noted, struct sap_err *err)
{
	struct sap_err fault = { 0 };
	int r = 0;

	if (is_absence(why))
		return answer(a, path, SAP_STR(""), SAP_LOOKUP_ABSENT, err);
	if (why == ENOMEM)
		return sap_err_nomem(err);
	if (!noted || !*noted) {
		sap_err_sys(&fault, why, "cannot be looked at");
		r = sap_sink_fault(&a->thread->encoder.sink, at, &fault, err);
	}
	if (noted)
		*noted = true;
	if (r < 0)
		return r;
	a->thread->stats.unreadable++;
	return answer_other(a, path, path, 0, why == ELOOP ? SAP_OTHER_LOOP : SAP_OTHER_UNREADABLE,
			    err);
}

/* Whether this path is new; many names lead to one file, and it is given once. */
static bool is_first(struct sap_worker *worker, struct sap_str canonical)
{
	uint32_t n;
	bool first;

	pthread_mutex_lock(&worker->given_lock);
	if (!worker->given)
		worker->given = sap_pool_new();
	n = worker->given ? sap_pool_count(worker->given) : 0;
	/* Without memory it is given again, which does no harm. */
	first = !worker->given || sap_pool_put(worker->given, canonical) >= n;
	pthread_mutex_unlock(&worker->given_lock);
	return first;
}

static int try_language(struct asking *a, const struct sap_folder *folder, const char *name,
			struct sap_err *err)
{
	enum sap_language_file file;

	if (!(a->worker->request->head.parts & SAP_PART_LANGUAGES))
		return 0;
	file = sap_language_file(sap_language_folder(folder->canonical), name);
	if (!file)
		return 0;
	return sap_languages_file(a->thread, folder->fd, folder->canonical, name, file, err);
}

static int try_file(struct asking *a, struct sap_str path, const struct sap_folder *folder,
		    const char *name, const struct stat *st, struct sap_err *err)
{
	char buf[SAP_PATH_MAX + 256];
	struct sap_str canonical = { buf, 0 };
	enum sap_tried tried = SAP_TRIED_OBJECT;
	int n = snprintf(buf, sizeof(buf), "%.*s%s%s", SAP_FMT(folder->canonical),
			 folder->canonical.n > 1 ? "/" : "", name);
	int r = 0;

	if (n < 0 || (size_t)n >= sizeof(buf))
		return answer(a, path, SAP_STR(""), SAP_LOOKUP_ABSENT, err);
	canonical.n = (size_t)n;
	/* What was no object the first time has no record: the tree sees that. One that is left
	 * out now may be asked for again, alone. */
	if (!sap_worker_skips(a->worker, folder->canonical, name) &&
	    is_first(a->worker, canonical)) {
		sap_slot_text(a->thread->slot->dir, sizeof(a->thread->slot->dir),
			      folder->canonical);
		r = sap_object_try(a->thread, folder->fd, folder->canonical, name, st,
				   a->worker->request->head.want, &tried, err);
		if (r == 0 && (tried == SAP_TRIED_OTHER || tried == SAP_TRIED_EMPTY))
			r = try_language(a, folder, name, err);
	}
	if (r < 0)
		return r;
	switch (tried) {
	case SAP_TRIED_OBJECT:
		return answer(a, path, canonical, SAP_LOOKUP_OBJECT, err);
	case SAP_TRIED_GONE:
		return answer(a, path, SAP_STR(""), SAP_LOOKUP_ABSENT, err);
	case SAP_TRIED_UNREADABLE:
		return answer(a, path, canonical, SAP_LOOKUP_UNREADABLE, err);
	case SAP_TRIED_DAMAGED:
		return answer(a, path, canonical, SAP_LOOKUP_OTHER, err);
	case SAP_TRIED_EMPTY:
		return answer_other(a, path, canonical, 0, SAP_OTHER_EMPTY, err);
	case SAP_TRIED_NO_FILE:
		return answer_other(a, path, canonical, 0, SAP_OTHER_NO_FILE, err);
	default:
		return answer_other(a, path, canonical, st ? (uint64_t)st->st_size : 0,
				    SAP_OTHER_NOT_ELF, err);
	}
}

/* A name that is a link, or whose folder needs more than a look: the slow way. */
static int ask_resolved(struct asking *a, struct sap_str path, struct sap_err *err)
{
	struct sap_err fault = { 0 };
	struct sap_folder *folder;
	struct sap_str to;
	uint8_t type;
	char *name;
	int r = sap_input_canonical(a->worker->input, path, &a->scratch, &to, &type, &fault);

	if (r == SAP_ENOENT)
		return answer(a, path, SAP_STR(""), SAP_LOOKUP_ABSENT, err);
	if (r < 0)
		return answer_failed(a, path, fault.sys_errno ? fault.sys_errno : EIO, path, NULL,
				     err);
	if (type != DT_REG && type != DT_DIR)
		return answer_other(a, path, to, 0, SAP_OTHER_NO_FILE, err);
	name = sap_arena_cstr(&a->scratch, sap_path_base(to));
	folder = name ? sap_folders_get(&a->folders, type == DT_DIR ? to : sap_path_dir(to)) : NULL;
	if (!folder)
		return sap_err_nomem(err);
	if (folder->fd < 0)
		return answer_failed(a, path, folder->why, type == DT_DIR ? to : sap_path_dir(to),
				     &folder->noted, err);
	if (type == DT_DIR)
		return answer(a, path, to, SAP_LOOKUP_DIR, err);
	return try_file(a, path, folder, name, NULL, err);
}

/* A link's target as a path from the root, in scratch memory. False: the slow way decides. */
static bool follow(struct asking *a, const struct sap_folder *folder, const char *name,
		   struct sap_str *path)
{
	char target[SAP_PATH_MAX];
	ssize_t n = readlinkat(folder->fd, name, target, sizeof(target));
	char *p;

	if (n <= 0 || (size_t)n >= sizeof(target))
		return false;
	p = sap_arena_alloc(&a->scratch, folder->canonical.n + 1 + (size_t)n);
	if (!p)
		return false;
	if (target[0] == '/') {
		memcpy(p, target, (size_t)n);
		*path = (struct sap_str){ p, (size_t)n };
		return true;
	}
	memcpy(p, folder->canonical.p, folder->canonical.n);
	p[folder->canonical.n] = '/';
	memcpy(p + folder->canonical.n + 1, target, (size_t)n);
	*path = (struct sap_str){ p, folder->canonical.n + 1 + (size_t)n };
	return true;
}

/* Follows links name by name over the folders at hand, which share what they cost. */
static int ask(struct asking *a, struct sap_str path, struct sap_err *err)
{
	struct sap_str at = path;

	sap_arena_reset(&a->scratch);
	for (unsigned links = 0; links <= SAP_SYMLINKS_MAX; links++) {
		struct sap_str base = sap_path_base(at);
		struct sap_folder *folder;
		char name[256];
		struct stat st;

		if (at.n == 0 || at.p[0] != '/' || at.n >= SAP_PATH_MAX || base.n >= sizeof(name) ||
		    memchr(at.p, '\0', at.n))
			return answer(a, path, SAP_STR(""), SAP_LOOKUP_ABSENT, err);
		if (base.n == 0 || sap_str_is(base, ".") || sap_str_is(base, ".."))
			return ask_resolved(a, path, err);
		folder = sap_folders_get(&a->folders, sap_path_dir(at));
		if (!folder)
			return sap_err_nomem(err);
		memcpy(name, base.p, base.n);
		name[base.n] = '\0';
		if (folder->fd < 0)
			return answer_failed(a, path, folder->why, sap_path_dir(at), &folder->noted,
					     err);
		if (fstatat(folder->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return answer_failed(a, path, errno, sap_path_dir(at), &folder->noted, err);
		if (S_ISREG(st.st_mode))
			return try_file(a, path, folder, name, &st, err);
		if (!S_ISLNK(st.st_mode) || !follow(a, folder, name, &at))
			return ask_resolved(a, path, err);
	}
	return answer_failed(a, path, ELOOP, path, NULL, err);
}

static int ask_listed(struct asking *a, struct sap_err *err)
{
	const struct sap_request *request = a->worker->request;
	int r = 0;

	while (r == 0) {
		uint32_t at = atomic_fetch_add(a->next, BATCH);
		uint32_t end = at + BATCH;

		if (at >= request->head.n_paths)
			break;
		if (end > request->head.n_paths)
			end = request->head.n_paths;
		for (; r == 0 && at < end; at++)
			r = ask(a, request->paths[at], err);
	}
	return r;
}

static int ask_all(struct asking *a, struct sap_err *err)
{
	struct sap_chase *chase = a->worker->chase;
	int r = ask_listed(a, err);
	struct sap_str path;

	if (!chase)
		return r;
	while (r == 0) {
		if (!sap_chase_next(chase, &path))
			return 0;
		r = ask(a, path, err);
	}
	sap_chase_leave(chase);
	return r;
}

static int run(struct sap_worker *worker, struct sap_worker_thread *thread, atomic_uint *next,
	       struct sap_err *err)
{
	struct asking a = { .worker = worker, .thread = thread, .next = next };
	int r;

	sap_folders_init(&a.folders, worker->input, true);
	sap_arena_init(&a.scratch, 0);
	r = ask_all(&a, err);
	sap_arena_clear(&a.scratch);
	sap_folders_clear(&a.folders);
	return r;
}

struct helper {
	struct sap_worker *worker;
	atomic_uint *next;
	unsigned number;
	pthread_t thread;
	bool running;
	int code;
};

static void *help(void *arg)
{
	struct helper *helper = arg;
	struct sap_worker_thread thread;
	struct sap_err err = { 0 };

	/* Without memory for a thread the others do the work. */
	if (sap_worker_thread_init(&thread, helper->worker, helper->number, &err) < 0) {
		if (helper->worker->chase)
			sap_chase_leave(helper->worker->chase);
		return NULL;
	}
	helper->code = run(helper->worker, &thread, helper->next, &err);
	if (sap_worker_thread_end(&thread, &err) < 0)
		helper->code = err.code;
	return NULL;
}

int sap_paths_answer(struct sap_worker *worker, struct sap_worker_thread *own, unsigned threads,
		     struct sap_err *err)
{
	struct helper helpers[SAP_WORKER_THREADS_MAX] = { 0 };
	atomic_uint next = 0;
	int r;

	if (threads > SAP_WORKER_THREADS_MAX)
		threads = SAP_WORKER_THREADS_MAX;
	if (worker->request->head.parts & SAP_PART_CHASE)
		worker->chase = sap_chase_new(worker->input, threads);
	for (unsigned i = 1; i < threads; i++) {
		helpers[i] = (struct helper){ .worker = worker, .next = &next, .number = i };
		helpers[i].running =
			pthread_create(&helpers[i].thread, NULL, help, &helpers[i]) == 0;
		if (!helpers[i].running && worker->chase)
			sap_chase_leave(worker->chase);
	}
	r = run(worker, own, &next, err);
	for (unsigned i = 1; i < threads; i++) {
		if (!helpers[i].running)
			continue;
		pthread_join(helpers[i].thread, NULL);
		if (r == 0 && helpers[i].code < 0)
			r = sap_err_set(err, (enum sap_code)helpers[i].code,
					"a thread of the worker failed");
	}
	sap_chase_free(worker->chase);
	worker->chase = NULL;
	return r;
}
