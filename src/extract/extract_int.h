/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the extract module: what parent and worker share, and the worker's parts.
 */
#ifndef SAP_EXTRACT_EXTRACT_INT_H
#define SAP_EXTRACT_EXTRACT_INT_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "base/limits.h"
#include "base/pool.h"
#include "base/vec.h"
#include "catalog/language.h"
#include "elf/elf.h"
#include "extract/extract.h"
#include "input/input.h"
#include "model/codec.h"

/* Descriptors that the worker is born with. */
enum {
	SAP_WORKER_ROOT_FD = 3,     /* the root folder of the target */
	SAP_WORKER_REQUEST_FD = 4,  /* requests come in */
	SAP_WORKER_FACTS_FD = 5,    /* facts go out */
	SAP_WORKER_PROGRESS_FD = 6, /* struct sap_progress, shared memory */
	SAP_WORKER_FDS_END = 7,
};

enum { SAP_WORKER_THREADS_MAX = 8 };

/* ---- shared memory: what the worker is doing -------------------------------------------- */

/* What one thread reads at the moment. dir is set for a whole folder, name for each object in
 * it; reading is 0 while nothing risky goes on. part: a single enum sap_extract_parts bit,
 * for a thread that reads a database instead. */
struct sap_progress_slot {
	_Atomic uint32_t reading;
	_Atomic uint32_t part;
	char dir[SAP_PATH_MAX];
	char name[256];
};

/* Written by the worker, which may be hostile by then: the parent copies and checks. */
struct sap_progress {
	int32_t parent; /* process id; the worker does not outlive it */
	_Atomic uint64_t files;
	_Atomic uint64_t objects;
	char sandbox[SAP_SANDBOX_SANDBOX_MAX];
	char reason[SAP_ERR_TEXT_MAX]; /* why the worker gave up by itself; else empty */
	struct sap_progress_slot slots[SAP_WORKER_THREADS_MAX];
};

/* Puts s into a slot's text, cut to fit. */
static inline void sap_slot_text(char *to, size_t cap, struct sap_str s)
{
	size_t n = s.n < cap ? s.n : cap - 1;

	memcpy(to, s.p, n);
	to[n] = '\0';
}

/* ---- requests --------------------------------------------------------------------------- */

/* On the wire: this header, then n_paths + n_skips times a 32-bit length and the bytes. The
 * worker trusts its parent. */
struct sap_request_head {
	uint32_t parts;
	uint32_t want;
	uint32_t flags; /* enum sap_extract_flags */
	uint32_t threads;
	uint32_t n_paths;
	uint32_t n_skips; /* files that killed an earlier worker */
	uint32_t target_n;
	uint32_t kind_n;
	uint32_t first_package; /* the id of the next package record */
	uint64_t bytes;         /* of everything behind the header */
};

struct sap_request {
	struct sap_request_head head;
	struct sap_str target;
	struct sap_str kind;
	const struct sap_str *paths;
	const struct sap_str *skips; /* sorted */
};

/* ---- the worker ------------------------------------------------------------------------- */

/* A package of a language, with the file that tells of it. */
struct sap_language_found {
	enum sap_package_type type;
	struct sap_str name, version, arch, database;
};

/* Those that the walk comes across. Package records are numbered in the order in which they go
 * out, so these wait until the databases have been read. */
struct sap_languages {
	pthread_mutex_t lock;
	struct sap_arena arena;
	SAP_VEC(struct sap_language_found) list;
	bool full; /* SAP_PACKAGES_MAX was reached */
};

/* What all threads of a worker share. */
struct sap_worker {
	struct sap_input *input;
	const struct sap_request *request;
	const struct sap_worker_hooks *hooks;
	struct sap_progress *progress;
	struct sap_chase *chase; /* NULL: not asked for */
	struct sap_pool *given;  /* on demand: canonical paths whose object has been given */
	pthread_mutex_t given_lock;
	pthread_mutex_t out_lock; /* one block of records at a time goes out */
	int out_fd;
	atomic_int failed; /* the first enum sap_code that ended a thread */
	struct sap_languages languages;
	uint32_t next_package; /* id of the next package record */
};

/* One thread: its encoder, its memory, its place in the progress page. */
struct sap_worker_thread {
	struct sap_worker *worker;
	struct sap_encoder encoder;
	struct sap_arena arena; /* one object */
	struct sap_progress_slot *slot;
	struct sap_notes *notes;
	struct sap_rec_stats stats;
};

int sap_worker_thread_init(struct sap_worker_thread *thread, struct sap_worker *worker,
			   unsigned number, struct sap_err *err);
/* Sends what is left and gives everything back. */
int sap_worker_thread_end(struct sap_worker_thread *thread, struct sap_err *err);

/* True for a file that this request leaves out because it killed an earlier worker. */
bool sap_worker_skips(const struct sap_worker *worker, struct sap_str dir, const char *name);

/* Walks the tree with `threads` threads and gives dirs, symlinks, objects, others. */
int sap_walk(struct sap_worker *worker, struct sap_worker_thread *own, unsigned threads,
	     struct sap_err *err);

/* Looks up the request's paths. */
int sap_paths_answer(struct sap_worker *worker, struct sap_worker_thread *own, unsigned threads,
		     struct sap_err *err);

/* ---- running ahead ---------------------------------------------------------------------- */

struct sap_chase;

/* For so many threads, each of which ends with a sap_chase_next that gives false, or with
 * sap_chase_leave. NULL: there is no ld.so.cache to go by (or no memory: nothing is lost). */
struct sap_chase *sap_chase_new(struct sap_input *input, unsigned threads);
void sap_chase_free(struct sap_chase *chase);

/* What an object needs: where that may be is queued, each path once. Any thread. */
void sap_chase_object(struct sap_chase *chase, const struct sap_rec_object *rec);

/* The next path to look up; waits while other threads may add some. False: none will come. The
 * text lives as long as the chase. */
bool sap_chase_next(struct sap_chase *chase, struct sap_str *path);
/* A thread that never started, or fails. */
void sap_chase_leave(struct sap_chase *chase);

/* ---- folders, resolved once ------------------------------------------------------------- */

struct sap_folder {
	struct sap_str canonical; /* absent: there is no such folder */
	int fd;                   /* -1: not open */
	int why;                  /* errno: why it is not open, or has no canonical path */
	bool noted;               /* a diagnostic says so */
};

/* Many paths share a few folders: each is resolved once, and opened if that is wanted. One
 * thread's own. */
struct sap_folders {
	struct sap_input *input;
	bool open;
	struct sap_pool *names;
	struct sap_arena arena;
	SAP_VEC(struct sap_folder) list;
};

void sap_folders_init(struct sap_folders *folders, struct sap_input *input, bool open);
void sap_folders_clear(struct sap_folders *folders);
/* Valid until the next get. NULL: out of memory. */
struct sap_folder *sap_folders_get(struct sap_folders *folders, struct sap_str dir);

enum sap_tried {
	SAP_TRIED_OBJECT,     /* a record of it (or a diagnostic about it) has been given */
	SAP_TRIED_OTHER,      /* a file, but not ELF */
	SAP_TRIED_EMPTY,      /* a file without a byte */
	SAP_TRIED_GONE,       /* not there any more */
	SAP_TRIED_NO_FILE,    /* a folder, socket, device ... */
	SAP_TRIED_UNREADABLE, /* an `other` record and a diagnostic of it have been given */
	SAP_TRIED_DAMAGED,    /* the same */
};

/* Gives an `other` record. */
int sap_other_give(struct sap_worker_thread *thread, struct sap_str path, uint64_t size,
		   enum sap_other_reason reason, struct sap_err *err);

/* Opens name in the folder dirfd (whose canonical path is dir), and where it is ELF gives its
 * record. st: what fstatat has just said of the name, or NULL. Diagnostics for what cannot be
 * read. */
int sap_object_try(struct sap_worker_thread *thread, int dirfd, struct sap_str dir,
		   const char *name, const struct stat *st, unsigned want, enum sap_tried *tried,
		   struct sap_err *err);

/* The folder's path and the name, as one path in the arena. False: out of memory. */
bool sap_path_join(struct sap_arena *arena, struct sap_str dir, const char *name,
		   struct sap_str *out);

/* ---- packages of languages -------------------------------------------------------------- */

/* Reads a file that tells of a package; what it does not say as it should is a diagnostic. */
int sap_languages_file(struct sap_worker_thread *thread, int dirfd, struct sap_str dir,
		       const char *name, enum sap_language_file file, struct sap_err *err);

/* The modules of a program of Go, and what could not be read of them. */
int sap_languages_go(struct sap_worker_thread *thread, const struct sap_elf *elf,
		     struct sap_err *err);

/* Gives the records of all that were found, and forgets them. After the databases. */
int sap_languages_give(struct sap_worker_thread *thread, struct sap_err *err);
void sap_languages_clear(struct sap_languages *languages);

/* The JSON of notes, by SQLite's JSON functions; opened when the first note comes. */
struct sap_notes;

void sap_notes_free(struct sap_notes *notes);

/* Reads the JSON that the parser found into rec; what is no JSON of the expected form is
 * described in *fault (code 0: nothing). Texts live in the arena. */
int sap_notes_package(struct sap_notes **notes, struct sap_str json, struct sap_arena *arena,
		      struct sap_rec_package_note *out, struct sap_err *fault, struct sap_err *err);
int sap_notes_dlopen(struct sap_notes **notes, struct sap_strs json, struct sap_arena *arena,
		     struct sap_rec_object *rec, struct sap_err *fault, struct sap_err *err);

/* Name and version that a package.json says, empty where it says none as a text. Of a key that
 * comes twice, either may count. */
int sap_notes_node(struct sap_notes **notes, struct sap_str json, struct sap_arena *arena,
		   struct sap_str *name, struct sap_str *version, struct sap_err *fault,
		   struct sap_err *err);

#endif
