/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker: gives up its rights, then answers requests until its parent closes the pipe.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "catalog/catalog.h"
#include "extract/extract_int.h"
#include "sandbox/sandbox.h"
#include "sysconf/sysconf.h"

enum { FLUSH_AT = 64 * 1024 };

/* ---- threads ---------------------------------------------------------------------------- */

static int flush(struct sap_encoder *encoder, struct sap_err *err)
{
	struct sap_worker_thread *thread = encoder->ctx;
	struct sap_worker *worker = thread->worker;
	int r;

	pthread_mutex_lock(&worker->out_lock);
	r = sap_fd_write_all(worker->out_fd, encoder->buf.p, encoder->buf.n, err);
	pthread_mutex_unlock(&worker->out_lock);
	sap_buf_reset(&encoder->buf);
	return r;
}

int sap_worker_thread_init(struct sap_worker_thread *thread, struct sap_worker *worker,
			   unsigned number, struct sap_err *err)
{
	if (number >= SAP_WORKER_THREADS_MAX)
		return sap_err_set(err, SAP_EUSAGE, "too many threads");
	*thread = (struct sap_worker_thread){ .worker = worker,
					      .slot = &worker->progress->slots[number] };
	sap_encoder_init(&thread->encoder, FLUSH_AT, flush, thread);
	sap_arena_init(&thread->arena, 0);
	return 0;
}

int sap_worker_thread_end(struct sap_worker_thread *thread, struct sap_err *err)
{
	struct sap_sink *sink = &thread->encoder.sink;
	int r = sink->stats(sink, &thread->stats, err);

	if (r == 0)
		r = flush(&thread->encoder, err);
	sap_encoder_clear(&thread->encoder);
	sap_arena_clear(&thread->arena);
	sap_notes_free(thread->notes);
	return r;
}

static int compare_paths(const void *a, const void *b)
{
	return sap_str_cmp(*(const struct sap_str *)a, *(const struct sap_str *)b);
}

bool sap_worker_skips(const struct sap_worker *worker, struct sap_str dir, const char *name)
{
	const struct sap_request *request = worker->request;
	char path[SAP_PATH_MAX + 256];
	struct sap_str key;
	int n;

	if (request->head.n_skips == 0)
		return false;
	n = snprintf(path, sizeof(path), "%.*s%s%s", SAP_FMT(dir), dir.n > 1 ? "/" : "", name);
	if (n < 0 || (size_t)n >= sizeof(path))
		return false;
	key = (struct sap_str){ path, (size_t)n };
	return bsearch(&key, request->skips, request->head.n_skips, sizeof(key), compare_paths);
}

/* ---- owners only ------------------------------------------------------------------------ */

/* A sink in front of the encoder's that lets through only files with a base name that was
 * asked for, and only packages that own one. Ids are given anew, since they count up. */
struct owners {
	struct sap_sink sink; /* first member */
	struct sap_sink *next;
	struct sap_pool *names;
	struct sap_folders folders;
	struct sap_arena arena; /* the package at hand */
	struct sap_rec_package package;
	bool given;
	uint32_t next_id;
};

static int owners_os(struct sap_sink *sink, const struct sap_rec_os *rec, struct sap_err *err)
{
	struct owners *o = (struct owners *)sink;

	return o->next->os(o->next, rec, err);
}

static int owners_setting(struct sap_sink *sink, const struct sap_rec_setting *rec,
			  struct sap_err *err)
{
	struct owners *o = (struct owners *)sink;

	return o->next->setting(o->next, rec, err);
}

static int owners_diagnostic(struct sap_sink *sink, const struct sap_rec_diagnostic *rec,
			     struct sap_err *err)
{
	struct owners *o = (struct owners *)sink;

	return o->next->diagnostic(o->next, rec, err);
}

static int owners_package(struct sap_sink *sink, const struct sap_rec_package *rec,
			  struct sap_err *err)
{
	struct owners *o = (struct owners *)sink;
	struct sap_rec_package *p = &o->package;

	sap_arena_reset(&o->arena);
	*p = *rec;
	/* Who owns a file is told by these; the rest is not asked for. */
	*p = (struct sap_rec_package){ .type = rec->type,
				       .install_time = rec->install_time,
				       .installed_size = rec->installed_size,
				       .auto_installed = rec->auto_installed,
				       .essential = rec->essential,
				       .broken = rec->broken };
	o->given = false;
	if (!sap_arena_str(&o->arena, rec->name, &p->name) ||
	    !sap_arena_str(&o->arena, rec->version, &p->version) ||
	    !sap_arena_str(&o->arena, rec->arch, &p->arch) ||
	    !sap_arena_str(&o->arena, rec->source, &p->source) ||
	    !sap_arena_str(&o->arena, rec->source_version, &p->source_version) ||
	    !sap_arena_str(&o->arena, rec->database, &p->database))
		return sap_err_nomem(err);
	return 0;
}

static int canonical_path(struct owners *o, struct sap_str path, char *buf, size_t cap,
			  struct sap_str *out, struct sap_err *err)
{
	const struct sap_folder *folder = sap_folders_get(&o->folders, sap_path_dir(path));
	struct sap_str base = sap_path_base(path);
	int n;

	if (!folder)
		return sap_err_nomem(err);
	*out = (struct sap_str){ 0 };
	if (!folder->canonical.n)
		return 0;
	n = snprintf(buf, cap, "%.*s%s%.*s", SAP_FMT(folder->canonical),
		     folder->canonical.n > 1 ? "/" : "", SAP_FMT(base));
	if (n > 0 && (size_t)n < cap)
		*out = (struct sap_str){ buf, (size_t)n };
	return 0;
}

static int owners_file(struct sap_sink *sink, const struct sap_rec_file *rec, struct sap_err *err)
{
	struct owners *o = (struct owners *)sink;
	struct sap_rec_file file = *rec;
	char path[2 * SAP_PATH_MAX];
	int r;

	if (sap_pool_find(o->names, sap_path_base(rec->path)) == UINT32_MAX)
		return 0;
	if (!o->given) {
		o->package.id = o->next_id++;
		o->given = true;
		r = o->next->package(o->next, &o->package, err);
		if (r < 0)
			return r;
	}
	file.package = o->package.id;
	/* Objects on demand come without the links of the tree: the path is made canonical
	 * here. A folder that is not there owns nothing that was asked for. */
	r = canonical_path(o, rec->path, path, sizeof(path), &file.path, err);
	if (r < 0 || !file.path.n)
		return r;
	return o->next->file(o->next, &file, err);
}

static int read_owners(struct sap_worker *worker, struct sap_worker_thread *thread,
		       struct sap_err *err)
{
	const struct sap_request *request = worker->request;
	struct owners owners = {
		.sink = {
			.os = owners_os,
			.package = owners_package,
			.file = owners_file,
			.setting = owners_setting,
			.diagnostic = owners_diagnostic,
		},
		.next = &thread->encoder.sink,
		.names = sap_pool_new(),
		.next_id = 1,
	};
	struct sap_catalog catalog = {
		.input = worker->input, .sink = &owners.sink, .next_id = 1, .without_digests = true
	};
	int r = owners.names ? 0 : sap_err_nomem(err);

	sap_arena_init(&owners.arena, 0);
	sap_folders_init(&owners.folders, worker->input, false);
	for (uint32_t i = 0; r == 0 && i < request->head.n_paths; i++) {
		if (sap_pool_put(owners.names, sap_path_base(request->paths[i])) == UINT32_MAX)
			r = sap_err_nomem(err);
	}
	if (r == 0)
		r = sap_catalog_read(&catalog, err);
	sap_folders_clear(&owners.folders);
	sap_arena_clear(&owners.arena);
	sap_pool_free(owners.names);
	return r;
}

/* ---- one request ------------------------------------------------------------------------ */

static int read_os(struct sap_worker *worker, struct sap_worker_thread *thread, struct sap_err *err)
{
	struct sap_catalog catalog = { .input = worker->input, .sink = &thread->encoder.sink };

	return sap_catalog_os(&catalog, err);
}

static int read_packages(struct sap_worker *worker, struct sap_worker_thread *thread,
			 struct sap_err *err)
{
	struct sap_catalog catalog = { .input = worker->input,
				       .sink = &thread->encoder.sink,
				       .next_id = worker->next_package };
	int r = sap_catalog_read(&catalog, err);

	worker->next_package = catalog.next_id;
	return r;
}

static int read_loader(struct sap_worker *worker, struct sap_worker_thread *thread,
		       struct sap_err *err)
{
	return sap_sysconf_loader(worker->input, &thread->encoder.sink, err);
}

static int read_modules(struct sap_worker *worker, struct sap_worker_thread *thread,
			struct sap_err *err)
{
	return sap_sysconf_modules(worker->input, &thread->encoder.sink, err);
}

static int read_services(struct sap_worker *worker, struct sap_worker_thread *thread,
			 struct sap_err *err)
{
	return sap_sysconf_services(worker->input, &thread->encoder.sink, err);
}

static const struct {
	unsigned part;
	int (*read)(struct sap_worker *worker, struct sap_worker_thread *thread,
		    struct sap_err *err);
} readers[] = {
	{ SAP_PART_OS, read_os },
	{ SAP_PART_LOADER, read_loader },
	{ SAP_PART_PACKAGES, read_packages },
	{ SAP_PART_OWNERS, read_owners },
	{ SAP_PART_MODULES, read_modules },
	{ SAP_PART_SERVICES, read_services },
};

static int read_parts(struct sap_worker *worker, struct sap_worker_thread *thread,
		      struct sap_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(readers) / sizeof(readers[0]); i++) {
		if (!(worker->request->head.parts & readers[i].part))
			continue;
		atomic_store(&thread->slot->part, readers[i].part);
		r = readers[i].read(worker, thread, err);
		atomic_store(&thread->slot->part, 0);
	}
	return r;
}

struct part_reader {
	struct sap_worker *worker;
	pthread_t thread;
	int code;
	struct sap_err err;
};

/* Databases are read by one thread while the others walk. */
static void *read_parts_thread(void *arg)
{
	struct part_reader *reader = arg;
	struct sap_worker_thread thread;

	reader->code = sap_worker_thread_init(&thread, reader->worker, SAP_WORKER_THREADS_MAX - 1,
					      &reader->err);
	if (reader->code < 0)
		return NULL;
	reader->code = read_parts(reader->worker, &thread, &reader->err);
	if (sap_worker_thread_end(&thread, &reader->err) < 0)
		reader->code = reader->err.code;
	return NULL;
}

typedef int (*work_fn)(struct sap_worker *worker, struct sap_worker_thread *own, unsigned threads,
		       struct sap_err *err);

/* The databases by one thread, beside the work on the tree. */
static int read_and_work(struct sap_worker *worker, struct sap_worker_thread *thread,
			 unsigned threads, work_fn work, struct sap_err *err)
{
	struct part_reader reader = { .worker = worker };
	int r;

	if (threads < 2 || pthread_create(&reader.thread, NULL, read_parts_thread, &reader) != 0) {
		r = read_parts(worker, thread, err);
		return r < 0 ? r : work(worker, thread, threads, err);
	}
	/* One place is the reader's. */
	if (threads > SAP_WORKER_THREADS_MAX - 1)
		threads = SAP_WORKER_THREADS_MAX - 1;
	r = work(worker, thread, threads, err);
	pthread_join(reader.thread, NULL);
	if (r == 0 && reader.code < 0) {
		*err = reader.err;
		r = reader.code;
	}
	return r;
}

/* What a request without a walk asks for. */
static int answer(struct sap_worker *worker, struct sap_worker_thread *thread, unsigned threads,
		  struct sap_err *err)
{
	const struct sap_request_head *head = &worker->request->head;

	if (head->parts & SAP_PART_OWNERS)
		return read_parts(worker, thread, err);
	/* A thread costs about as much as a few dozen files. */
	return read_and_work(worker, thread, head->n_paths < 64 ? 1 : threads, sap_paths_answer,
			     err);
}

static int give_header(struct sap_worker_thread *thread, struct sap_err *err)
{
	const struct sap_request *request = thread->worker->request;
	const struct sap_rec_header rec = {
		.version = SAP_FACTS_VERSION,
		.tool = SAP_STR(SAP_VERSION),
		.target = request->target,
		.target_kind = request->kind,
		.whole = request->head.parts & SAP_PART_WALK,
		.with_symbols = request->head.flags & SAP_EXTRACT_SYMBOLS,
	};
	int r = sap_encoder_header(&thread->encoder, &rec, err);

	return r < 0 ? r : flush(&thread->encoder, err);
}

static int serve(struct sap_worker *worker, bool first, struct sap_err *err)
{
	const struct sap_request *request = worker->request;
	unsigned threads = request->head.threads ? request->head.threads : 1;
	struct sap_worker_thread thread;
	int r = sap_worker_thread_init(&thread, worker, 0, err);

	worker->next_package = request->head.first_package;
	if (r == 0 && first)
		r = give_header(&thread, err);
	if (r == 0 && (request->head.parts & SAP_PART_WALK))
		r = read_and_work(worker, &thread, threads, sap_walk, err);
	else if (r == 0)
		r = answer(worker, &thread, threads, err);
	if (r == 0)
		r = sap_languages_give(&thread, err);
	if (r < 0)
		return r; /* the parent sees the end of the pipe, and the exit status */
	r = thread.encoder.sink.stats(&thread.encoder.sink, &thread.stats, err);
	thread.stats = (struct sap_rec_stats){ 0 };
	if (r == 0)
		r = sap_encoder_end(&thread.encoder, err);
	if (r == 0)
		r = flush(&thread.encoder, err);
	sap_encoder_clear(&thread.encoder);
	sap_arena_clear(&thread.arena);
	sap_notes_free(thread.notes);
	return r;
}

/* ---- requests --------------------------------------------------------------------------- */

/* Exactly n bytes. 1: got them; 0: the parent closed the pipe; or a failure. */
static int read_exactly(int fd, void *p, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = read(fd, (char *)p + done, n - done);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return SAP_EIO;
		if (r == 0)
			return 0;
		done += (size_t)r;
	}
	return 1;
}

static bool take_list(struct sap_span *left, struct sap_str *v, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct sap_span part;
		uint32_t len;

		if (!sap_span_u32(*left, 0, __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__, &len) ||
		    !sap_span_sub(*left, 4, len, &part) ||
		    !sap_span_sub(*left, 4 + (uint64_t)len, left->n - 4 - len, left))
			return false;
		v[i] = (struct sap_str){ (const char *)part.p, len };
	}
	return true;
}

static int read_request(struct sap_arena *arena, struct sap_request *request)
{
	int r = read_exactly(SAP_WORKER_REQUEST_FD, &request->head, sizeof(request->head));
	struct sap_str *lists, ends[2];
	struct sap_span left;
	void *p;

	if (r <= 0)
		return r;
	p = sap_arena_alloc(arena, request->head.bytes);
	lists = sap_arena_array(arena, (uint64_t)request->head.n_paths + request->head.n_skips,
				sizeof(*lists));
	if (!p || !lists)
		return SAP_ENOMEM;
	r = read_exactly(SAP_WORKER_REQUEST_FD, p, request->head.bytes);
	if (r <= 0)
		return r;
	left = sap_span_of(p, request->head.bytes);
	if (!take_list(&left, ends, 2) || !take_list(&left, lists, request->head.n_paths) ||
	    !take_list(&left, lists + request->head.n_paths, request->head.n_skips))
		return SAP_EFORMAT;
	request->target = ends[0];
	request->kind = ends[1];
	request->paths = lists;
	request->skips = lists + request->head.n_paths;
	return 1;
}

static int enter_sandbox(struct sap_progress *progress, struct sap_err *err)
{
	const struct sap_sandbox_options options = { .parent = progress->parent };
	struct sap_sandbox_report report;
	int r = sap_sandbox_enter(SAP_WORKER_ROOT_FD, &options, &report, err);

	if (r < 0)
		return r;
	sap_slot_text(progress->sandbox, sizeof(progress->sandbox), sap_str_of(report.text));
	return 0;
}

static int serve_all(struct sap_worker *worker, struct sap_err *err)
{
	struct sap_request request;
	struct sap_arena arena;
	bool first = true;
	int r;

	sap_arena_init(&arena, 0);
	worker->request = &request;
	for (;;) {
		sap_arena_reset(&arena);
		r = read_request(&arena, &request);
		if (r <= 0)
			break;
		if (first) {
			r = sap_input_from_fd(SAP_WORKER_ROOT_FD,
					      request.head.flags & SAP_EXTRACT_HOST ? SAP_INPUT_HOST
										    : 0,
					      &worker->input, err);
			if (r < 0)
				break;
		}
		r = serve(worker, first, err);
		first = false;
		if (r < 0)
			break;
	}
	worker->request = NULL;
	sap_pool_free(worker->given);
	sap_languages_clear(&worker->languages);
	sap_arena_clear(&arena);
	sap_input_free(worker->input);
	return r;
}

int sap_worker_main(const struct sap_worker_hooks *hooks)
{
	struct sap_worker worker = { .hooks = hooks,
				     .out_lock = PTHREAD_MUTEX_INITIALIZER,
				     .given_lock = PTHREAD_MUTEX_INITIALIZER,
				     .languages.lock = PTHREAD_MUTEX_INITIALIZER,
				     .out_fd = SAP_WORKER_FACTS_FD };
	struct sap_err err = { 0 };
	int r;

	sap_arena_init(&worker.languages.arena, 0);
	worker.progress = mmap(NULL, sizeof(*worker.progress), PROT_READ | PROT_WRITE, MAP_SHARED,
			       SAP_WORKER_PROGRESS_FD, 0);
	if (worker.progress == MAP_FAILED)
		return 2;
	close(SAP_WORKER_PROGRESS_FD);
	r = enter_sandbox(worker.progress, &err);
	if (r == 0)
		r = serve_all(&worker, &err);
	if (r < 0)
		sap_slot_text(worker.progress->reason, sizeof(worker.progress->reason),
			      sap_str_of(err.text));
	return r < 0 ? 3 : 0;
}
