/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk: every folder of the tree once, by several threads over one stack of folders.
 *
 * Order does not matter: facts are sorted at the end. A folder is opened by its path inside
 * the root, so that a live target cannot lead the walk out of it.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/vec.h"
#include "extract/extract_int.h"

/* A folder to be walked. */
struct todo {
	char *path;
	dev_t parent_dev;
	unsigned depth;
};

struct walk {
	struct sap_worker *worker;
	pthread_mutex_t lock;
	pthread_cond_t more;
	SAP_VEC(struct todo) stack;
	unsigned busy; /* threads that may still push */
	uint64_t entries;
	int code; /* the first failure; ends the walk */
};

/* One thread's view while it is in a folder. */
struct visit {
	struct walk *walk;
	struct sap_worker_thread *thread;
	struct sap_str path;
	int fd;
	dev_t dev;
	unsigned depth;
	enum sap_language_folder language;
	uint64_t entries;
};

static bool push(struct walk *walk, char *path, dev_t parent_dev, unsigned depth)
{
	struct todo *todo;

	pthread_mutex_lock(&walk->lock);
	todo = SAP_VEC_PUSH(&walk->stack, SAP_TREE_ENTRIES_MAX);
	if (todo)
		*todo = (struct todo){ path, parent_dev, depth };
	pthread_cond_signal(&walk->more);
	pthread_mutex_unlock(&walk->lock);
	return todo != NULL;
}

static void fail(struct walk *walk, int code)
{
	pthread_mutex_lock(&walk->lock);
	if (!walk->code)
		walk->code = code;
	pthread_cond_broadcast(&walk->more);
	pthread_mutex_unlock(&walk->lock);
}

/* The next folder. False when the walk is over. */
static bool pop(struct walk *walk, struct todo *out)
{
	bool got = false;

	pthread_mutex_lock(&walk->lock);
	walk->busy--;
	while (!walk->code && walk->stack.n == 0 && walk->busy)
		pthread_cond_wait(&walk->more, &walk->lock);
	if (!walk->code && walk->stack.n) {
		*out = walk->stack.v[--walk->stack.n];
		walk->busy++;
		got = true;
	} else {
		pthread_cond_broadcast(&walk->more);
	}
	pthread_mutex_unlock(&walk->lock);
	return got;
}

static char *child_path(const struct visit *visit, const char *name)
{
	size_t n = strlen(name), slash = visit->path.n > 1;
	char *p = malloc(visit->path.n + slash + n + 1);

	if (!p)
		return NULL;
	memcpy(p, visit->path.p, visit->path.n);
	p[visit->path.n] = '/';
	memcpy(p + visit->path.n + slash, name, n + 1);
	return p;
}

static int note(struct visit *visit, const char *name, const char *code, struct sap_err *err,
		const char *message)
{
	char *path sap_cleanup_free = child_path(visit, name);

	if (!path)
		return sap_err_nomem(err);
	return sap_sink_note(&visit->thread->encoder.sink, sap_str_of(path), 0, code, err, "%s",
			     message);
}

static int give_other(struct visit *visit, const char *name, uint64_t size,
		      enum sap_other_reason reason, struct sap_err *err)
{
	char *path sap_cleanup_free = child_path(visit, name);

	if (!path)
		return sap_err_nomem(err);
	return sap_other_give(visit->thread, sap_str_of(path), size, reason, err);
}

/* A note about what cannot be read, and its record. */
static int note_unread(struct visit *visit, const char *name, enum sap_code code,
		       struct sap_err *err, const char *message)
{
	int r = note(visit, name, sap_code_name(code), err, message);

	visit->thread->stats.unreadable++;
	return r < 0 ? r : give_other(visit, name, 0, SAP_OTHER_UNREADABLE, err);
}

static int visit_dir(struct visit *visit, const char *name, struct sap_err *err)
{
	char *path;

	if (visit->depth >= SAP_TREE_DEPTH_MAX || visit->path.n + strlen(name) + 2 > SAP_PATH_MAX)
		return note_unread(visit, name, SAP_ELIMIT, err,
				   "the folder lies too deep; what is in it was not looked at");
	path = child_path(visit, name);
	if (!path || !push(visit->walk, path, visit->dev, visit->depth + 1)) {
		free(path);
		return sap_err_nomem(err);
	}
	return 0;
}

static int give_link(struct visit *visit, const char *name, struct sap_str target,
		     struct sap_err *err)
{
	char *path = child_path(visit, name);
	struct sap_rec_symlink rec = { sap_str_of(path), target };
	int r = path ? visit->thread->encoder.sink.symlink(&visit->thread->encoder.sink, &rec, err)
		     : sap_err_nomem(err);

	visit->thread->stats.symlinks++;
	free(path);
	return r;
}

static int visit_link(struct visit *visit, const char *name, struct sap_err *err)
{
	char target[SAP_PATH_MAX];
	ssize_t n = readlinkat(visit->fd, name, target, sizeof(target));

	if (n >= 0)
		return give_link(visit, name, (struct sap_str){ target, (size_t)n }, err);
	if (errno == ENOENT || errno == EINVAL)
		return note(visit, name, sap_code_name(SAP_ECHANGED), err,
			    "the link vanished while its folder was read");
	return note_unread(visit, name, SAP_EIO, err, "the link cannot be read");
}

/* Names that a dynamic loader may try although they are no ELF: libc.so as a linker script. */
static bool loadable_name(const char *name)
{
	const char *so = strstr(name, ".so");

	return so && (so[3] == '\0' || so[3] == '.');
}

/* A file that is no ELF object: a package of a language, or what a loader may try. */
static int visit_other(struct visit *visit, const char *name, enum sap_other_reason reason,
		       struct sap_err *err)
{
	enum sap_language_file file = sap_language_file(visit->language, name);
	struct stat st;
	int r = 0;

	if (file && reason != SAP_OTHER_NO_FILE)
		r = sap_languages_file(visit->thread, visit->fd, visit->path, name, file, err);
	if (r < 0 || !loadable_name(name))
		return r;
	if (fstatat(visit->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		st.st_size = 0;
	return give_other(visit, name, (uint64_t)st.st_size, reason, err);
}

static int visit_file(struct visit *visit, const char *name, struct sap_err *err)
{
	const unsigned symbols = visit->walk->worker->request->head.flags & SAP_EXTRACT_SYMBOLS
					 ? SAP_ELF_SYMBOLS
					 : 0;
	const unsigned want = SAP_ELF_USES | SAP_ELF_STRINGS | SAP_ELF_NOTES | SAP_ELF_RELOCS |
			      SAP_ELF_GO | symbols;
	enum sap_tried tried;
	int r;

	visit->thread->stats.files++;
	r = sap_object_try(visit->thread, visit->fd, visit->path, name, NULL, want, &tried, err);
	if (r < 0)
		return r;
	if (tried == SAP_TRIED_GONE)
		return note(visit, name, sap_code_name(SAP_ECHANGED), err,
			    "the file vanished while its folder was read");
	if (tried == SAP_TRIED_OTHER)
		return visit_other(visit, name, SAP_OTHER_NOT_ELF, err);
	if (tried == SAP_TRIED_EMPTY)
		return visit_other(visit, name, SAP_OTHER_EMPTY, err);
	if (tried == SAP_TRIED_NO_FILE)
		return visit_other(visit, name, SAP_OTHER_NO_FILE, err);
	return 0;
}

/* Where sockets, FIFOs and devices belong. */
static bool is_their_place(struct sap_str dir)
{
	static const struct sap_str places[] = { SAP_STR_INIT("/dev"), SAP_STR_INIT("/run"),
						 SAP_STR_INIT("/tmp"), SAP_STR_INIT("/var/run") };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (sap_str_starts(dir, places[i]) &&
		    (dir.n == places[i].n || dir.p[places[i].n] == '/'))
			return true;
	}
	return false;
}

static int visit_special(struct visit *visit, const char *name, struct sap_err *err)
{
	int r = 0;

	visit->thread->stats.specials++;
	if (loadable_name(name))
		r = give_other(visit, name, 0, SAP_OTHER_NO_FILE, err);
	if (r == 0 && !is_their_place(visit->path))
		r = note(visit, name, "special", err, "a socket, FIFO or device: not opened");
	return r;
}

static int visit_entry(struct visit *visit, const char *name, unsigned char type,
		       struct sap_err *err)
{
	struct stat st;

	if (type == DT_UNKNOWN && fstatat(visit->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		type = (unsigned char)IFTODT(st.st_mode);
	switch (type) {
	case DT_REG:
		return visit_file(visit, name, err);
	case DT_DIR:
		return visit_dir(visit, name, err);
	case DT_LNK:
		return visit_link(visit, name, err);
	case DT_UNKNOWN:
		return note_unread(
			visit, name, SAP_EIO, err,
			"what this is cannot be told: the folder may be read but not searched");
	default:
		return visit_special(visit, name, err);
	}
}

/* What getdents64(2) gives. */
struct kernel_entry {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
};

/* The entries of one answer of getdents64. The kernel made them: no input of the target but
 * the names, which it terminates. */
static int visit_batch(struct visit *visit, const char *buf, size_t n, struct sap_err *err)
{
	int r = 0;

	for (size_t at = 0; r == 0 && at < n;) {
		const struct kernel_entry *entry = (const void *)(buf + at);

		at += entry->reclen;
		if (strcmp(entry->name, ".") == 0 || strcmp(entry->name, "..") == 0)
			continue;
		if (++visit->entries % 256 == 0)
			atomic_fetch_add_explicit(&visit->walk->worker->progress->files, 256,
						  memory_order_relaxed);
		r = visit_entry(visit, entry->name, entry->type, err);
	}
	return r;
}

/* A folder of which nothing, or not all, is known. One that is gone holds nothing. */
static int unreadable(struct sap_worker_thread *thread, struct sap_str path,
		      const struct sap_err *fault, struct sap_err *err)
{
	int r = sap_sink_fault(&thread->encoder.sink, path, fault, err);

	thread->stats.unreadable++;
	if (r < 0 || fault->code == SAP_ENOENT)
		return r;
	return sap_other_give(thread, path, 0, SAP_OTHER_UNREADABLE, err);
}

static int read_entries(struct visit *visit, struct sap_err *err)
{
	/* readdir costs two more system calls and an allocation for each folder. */
	enum { BATCH = 32 * 1024 };
	_Alignas(struct kernel_entry) char buf[BATCH];
	int r = 0;

	while (r == 0 && !visit->walk->code) {
		long n = syscall(SYS_getdents64, visit->fd, buf, sizeof(buf));
		struct sap_err fault = { 0 };

		if (n == 0)
			break;
		if (n > 0) {
			r = visit_batch(visit, buf, (size_t)n, err);
			continue;
		}
		sap_err_sys(&fault, errno, "the folder cannot be read to its end");
		fault.code = SAP_EIO;
		return unreadable(visit->thread, visit->path, &fault, err);
	}
	return r;
}

/* True where the folder is the root of a pseudo file system, which a host's scan leaves out. */
static bool is_pseudo(const struct visit *visit, dev_t parent_dev)
{
	struct statfs fs;

	if (!(visit->walk->worker->request->head.flags & SAP_EXTRACT_HOST) ||
	    visit->dev == parent_dev)
		return false;
	return fstatfs(visit->fd, &fs) == 0 && sap_input_is_pseudo(fs.f_type);
}

static int visit_folder(struct walk *walk, struct sap_worker_thread *thread,
			const struct todo *todo, struct sap_err *err)
{
	struct visit visit = {
		.walk = walk, .thread = thread, .path = sap_str_of(todo->path), .depth = todo->depth
	};
	const struct sap_rec_dir rec = { visit.path };
	struct sap_err fault = { 0 };
	struct stat st = { 0 };
	int sap_cleanup_fd fd = -1;
	int r = sap_input_dir_open(walk->worker->input, visit.path, &fd, &fault);

	if (r == 0 && fstat(fd, &st) < 0)
		r = sap_err_sys(&fault, errno, "the folder cannot be read");
	if (r < 0)
		return unreadable(thread, visit.path, &fault, err);
	visit.fd = fd;
	visit.dev = st.st_dev;
	visit.language = sap_language_folder(visit.path);
	r = thread->encoder.sink.dir(&thread->encoder.sink, &rec, err);
	if (r == 0 && is_pseudo(&visit, todo->parent_dev)) {
		thread->stats.skipped_mounts++;
	} else if (r == 0) {
		thread->stats.dirs++;
		sap_slot_text(thread->slot->dir, sizeof(thread->slot->dir), visit.path);
		r = read_entries(&visit, err);
	}
	pthread_mutex_lock(&walk->lock);
	walk->entries += visit.entries;
	if (walk->entries > SAP_TREE_ENTRIES_MAX && !walk->code)
		walk->code = SAP_ELIMIT;
	pthread_mutex_unlock(&walk->lock);
	return r;
}

static void work(struct walk *walk, struct sap_worker_thread *thread)
{
	struct sap_err err = { 0 };
	struct todo todo;

	while (pop(walk, &todo)) {
		int r = visit_folder(walk, thread, &todo, &err);

		free(todo.path);
		if (r < 0)
			fail(walk, r);
	}
}

struct helper {
	struct walk *walk;
	unsigned number;
	pthread_t thread;
	bool running;
};

static void *help(void *arg)
{
	struct helper *helper = arg;
	struct sap_worker_thread thread;
	struct sap_err err = { 0 };

	if (sap_worker_thread_init(&thread, helper->walk->worker, helper->number, &err) < 0) {
		/* The others do the work; nothing is lost but speed. */
		pthread_mutex_lock(&helper->walk->lock);
		helper->walk->busy--;
		pthread_cond_broadcast(&helper->walk->more);
		pthread_mutex_unlock(&helper->walk->lock);
		return NULL;
	}
	work(helper->walk, &thread);
	if (sap_worker_thread_end(&thread, &err) < 0)
		fail(helper->walk, err.code);
	return NULL;
}

static int over(const struct walk *walk, struct sap_worker_thread *own, struct sap_err *err)
{
	if (walk->code == SAP_ELIMIT)
		return sap_sink_note(&own->encoder.sink, SAP_STR("/"), 0, sap_code_name(SAP_ELIMIT),
				     err, "more than %llu files: the rest was not looked at",
				     SAP_TREE_ENTRIES_MAX);
	if (walk->code)
		return sap_err_set(err, (enum sap_code)walk->code, "the walk could not go on");
	return 0;
}

int sap_walk(struct sap_worker *worker, struct sap_worker_thread *own, unsigned threads,
	     struct sap_err *err)
{
	struct walk walk = { .worker = worker,
			     .lock = PTHREAD_MUTEX_INITIALIZER,
			     .more = PTHREAD_COND_INITIALIZER };
	struct helper helpers[SAP_WORKER_THREADS_MAX] = { 0 };
	char *root = strdup("/");
	struct stat st = { 0 };
	int r;

	if (threads > SAP_WORKER_THREADS_MAX)
		threads = SAP_WORKER_THREADS_MAX;
	fstat(sap_input_root_fd(worker->input), &st);
	if (!root || !push(&walk, root, st.st_dev, 0)) {
		free(root);
		return sap_err_nomem(err);
	}
	/* Counted before they start, so that nobody takes an empty stack for the end. */
	walk.busy = 1;
	for (unsigned i = 1; i < threads; i++) {
		helpers[i] = (struct helper){ .walk = &walk, .number = i };
		pthread_mutex_lock(&walk.lock);
		walk.busy++;
		pthread_mutex_unlock(&walk.lock);
		helpers[i].running =
			pthread_create(&helpers[i].thread, NULL, help, &helpers[i]) == 0;
		if (!helpers[i].running) {
			pthread_mutex_lock(&walk.lock);
			walk.busy--;
			pthread_mutex_unlock(&walk.lock);
		}
	}
	work(&walk, own);
	for (unsigned i = 1; i < threads; i++) {
		if (helpers[i].running)
			pthread_join(helpers[i].thread, NULL);
	}
	r = over(&walk, own, err);
	for (size_t i = 0; i < walk.stack.n; i++)
		free(walk.stack.v[i].path);
	sap_vec_clear(&walk.stack);
	return r;
}
