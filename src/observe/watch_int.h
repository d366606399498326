/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside a watch.
 *
 * A process is a task here from the first event that told of it. Most are gone again before
 * anybody asks, so a task becomes an entry of the evidence late: when it ends, when a function
 * is entered by it, or when the evidence is looked at. Until then nothing of /proc is read for it but
 * where it belongs (watch_where.c).
 *
 *     watch.c            start, packets, stop, death of the helper
 *     watch_tasks.c      the table of tasks, and how they become evidence
 *     watch_events.c     MAP, EXEC, FORK, EXIT, OPEN
 *     watch_where.c      root, cgroup, unit and container of a task
 *     watch_files.c      which file a mapping is of, at no system call where it is known
 *     watch_functions.c  new files: policy, functions, probes
 *     watch_choose.c     which functions of a file, and what is said of the others
 *     watch_ifunc.c      what the loader chose for IFUNC symbols
 *     watch_hits.c       what comes back of probes
 *     watch_stood.c      how long probes stood, and who ran meanwhile
 *     watch_look.c       /proc again, clocks
 */
#ifndef SAP_OBSERVE_WATCH_INT_H
#define SAP_OBSERVE_WATCH_INT_H

#include <sys/stat.h>

#include "base/vec.h"
#include "observe/watch.h"

enum {
	WATCH_PICTURE_MS =
		5000,          /* an event that comes later than that is never older than a look */
	WATCH_KNOWN_MS = 2000, /* a path is looked at again after that */
	WATCH_PENDING_MS = 1000, /* entries of a process that no event told of wait that long */
	WATCH_LIST_MS = 50,      /* listing functions in one call of sap_watch_work */
	WATCH_FINISH_MS = 2000,
	WATCH_ENDED = 4096, /* processes whose end is remembered */
};

/* Files that a task has mapped, in the order in which it was told; shared by forked ones. */
struct sap_watch_maps {
	uint32_t refs, n, cap;
	uint32_t v[];
};

struct sap_watch_task {
	struct sap_watch_task *next; /* of the same bucket */
	int32_t pid, ppid;
	uint32_t process; /* its entry in the evidence; SAP_NONE: none yet */
	uint32_t root, exe;
	struct sap_str comm, unit, container; /* of the evidence */
	int64_t since, last;                  /* first and last event of this program */
	int64_t picture, picture_end; /* when /proc was looked at: what is older is in there */
	int64_t picture_ms;           /* likewise, CLOCK_MONOTONIC */
	struct sap_watch_maps *maps;
	struct sap_watch_maps *early; /* mappings older than the picture that it did not show */
	uint32_t told;                /* how many of maps are uses in the evidence */
	int64_t doubt;                /* an EXEC while the picture was taken; 0: none */
	struct sap_str doubt_comm;
	uint32_t streak; /* children in a row that belong where this one does */
	bool execed;     /* an EXEC told of this program; false: forked, or seen in /proc */
	bool first_exec; /* forked, no EXEC yet */
	bool placed;     /* root, unit, container are known, or as good as that */
	bool early_exec; /* early began with an EXEC */
	bool counted;    /* in processes_seen */
	bool kept;       /* stands in the picture being taken */
	uint8_t gone;    /* looks that did not find it */
	bool rootless;   /* its root fits under no ceiling: it becomes no entry */
	int64_t gone_when, gone_ms; /* the first of those looks: CLOCK_REALTIME, CLOCK_MONOTONIC */
};

/* Indexes found by a hash; nothing is ever taken out. */
struct sap_watch_table {
	struct sap_watch_slot {
		uint32_t hash, index; /* index + 1; 0: free */
	} * v;
	uint32_t size, used;
};

/* A mapping as it was told before, and the file that it was of. */
struct sap_watch_known {
	uint64_t dev, ino;
	uint32_t root, file;
	struct sap_str path; /* of the evidence */
	int64_t checked;     /* CLOCK_MONOTONIC ms */
	unsigned char build_id[20];
	uint8_t n_build_id;
	bool deleted;
};

struct sap_watch_fn {
	uint64_t offset;
	uint32_t name; /* in text of the object; to the next one's */
	bool seen;
};

/* A file whose functions are watched: an inode, at whatever paths. */
struct sap_watch_object {
	struct sap_file_id id;
	uint32_t number; /* of the wire */
	uint32_t cookie; /* of the first function */
	uint32_t n;
	struct sap_watch_fn *fns; /* n + 1: the last ends the text */
	char *text;
	SAP_VEC(uint32_t) files; /* of the evidence: one for each path */
	uint32_t waiting;        /* PROBEs without PLACED */
	uint32_t n_functions, n_probed, n_refused;
	int error;
	int64_t since;
	uint8_t idle;    /* looks at which no process mapped it */
	bool sent, dead; /* dead: forgotten */
};

/* What is kept of a file whose functions are watched. */
struct sap_watch_seen {
	uint32_t object; /* its number + 1; 0: none yet */
	bool forgotten;  /* its probes were taken away; a mapping asks for them again */
	uint64_t ended;  /* processes that mapped it, and ended after its probes stood */
	int64_t before;  /* ns that probes stood which were taken away */
};

struct sap_watch_hit {
	uint32_t cookie;
	int32_t pid;
	int64_t when;
	int64_t came; /* CLOCK_MONOTONIC ms */
};

struct sap_watch_queued {
	uint32_t file;
	int32_t pid;
};

struct sap_watch_packet {
	uint32_t n;
	unsigned char *p;
};

struct sap_watch_ended {
	int32_t pid;
	uint32_t process;
	int64_t when;
};

struct sap_watch {
	struct sap_watch_options o;
	struct sap_evidence *e;
	struct sap_wire_ready ready;
	char *proc, *cgroup_path;
	int32_t *pids;
	uint32_t n_pids;
	int proc_fd, root_fd, epoll_fd, wake_fd;
	int64_t now_ms; /* CLOCK_MONOTONIC, at the start of this call */
	int64_t last_realtime, last_boottime, last_monotonic;
	bool got_ready, stopping, ended, dirty;
	int64_t newest;    /* event of the kernel, CLOCK_REALTIME; those older have come */
	bool begun;        /* with fresh: an EXEC has come */
	int dead;          /* enum sap_code with which the helper was lost; 0: it lives */
	uint32_t dead_gap; /* in e->gaps; SAP_NONE */
	int late;          /* an error that could not be told where it happened */
	struct sap_err late_err;
	struct sap_watch_task **tasks;
	uint32_t n_tasks, n_buckets;
	struct sap_watch_ended gone[WATCH_ENDED];
	SAP_VEC(struct sap_watch_known) known;
	struct sap_watch_table known_table;
	SAP_VEC(struct sap_watch_object *) objects;
	struct sap_watch_table object_table;
	SAP_VEC(struct sap_watch_seen) seen;   /* of files; may be shorter */
	bool frozen;                           /* no probe stands any more */
	uint32_t next_cookie, standing, asked; /* asked: PROBEs without PLACED */
	SAP_VEC(struct sap_watch_hit) pending;
	SAP_VEC(struct sap_watch_queued) queue;
	size_t queue_at;
	SAP_VEC(struct sap_watch_packet) backlog;
	size_t backlog_at;
	uint64_t backlog_bytes;
	SAP_VEC(uint8_t) kinds;   /* enum sap_watch_kind of each root */
	struct sap_arena scratch; /* of one file */
	_Alignas(8) unsigned char packet[SAP_WIRE_PACKET_MAX];
	struct sap_wire_out out;
};

/* What is full was counted by the evidence; the watch goes on without it. */
static inline int sap_watch_soft(int r)
{
	return r == SAP_ELIMIT ? 0 : r;
}

/* ---- watch.c ---- */
int64_t sap_watch_clock_ms(void);
int64_t sap_watch_realtime(void);
/* The helper is lost: a gap begins. Returns w->dead. */
int sap_watch_lost(struct sap_watch *w, const char *why, struct sap_err *err);
/* The descriptor becomes readable while something is left to do. */
int sap_watch_more(struct sap_watch *w, struct sap_err *err);
/* Waiting entries that an answer or an event could still place are given up. */
int sap_watch_settle_all(struct sap_watch *w, struct sap_err *err);

/* ---- watch_tasks.c ---- */
struct sap_watch_task *sap_watch_task_find(const struct sap_watch *w, int32_t pid);
struct sap_watch_task *sap_watch_task_add(struct sap_watch *w, int32_t pid);
void sap_watch_task_drop(struct sap_watch *w, struct sap_watch_task *t); /* says nothing */
void sap_watch_tasks_clear(struct sap_watch *w);
bool sap_watch_maps_has(const struct sap_watch_maps *maps, uint32_t file);
/* Appends; makes a copy of a shared one. 0, SAP_ENOMEM; what is full is counted. */
int sap_watch_maps_add(struct sap_watch *w, struct sap_watch_maps **maps, uint32_t file,
		       struct sap_err *err);
void sap_watch_maps_drop(struct sap_watch_maps **maps);
/* The task has an entry afterwards, with all its uses. */
int sap_watch_task_tell(struct sap_watch *w, struct sap_watch_task *t, struct sap_err *err);
/* The program of the task has ended, by EXEC or EXIT; its entry is folded. Forked tasks that
 * never became another program count where forks is set. */
int sap_watch_task_end(struct sap_watch *w, struct sap_watch_task *t, int64_t when, bool forks,
		       struct sap_err *err);
/* Mappings older than the picture, of a program that was gone when it was taken. */
int sap_watch_task_early(struct sap_watch *w, struct sap_watch_task *t, int64_t when,
			 struct sap_err *err);
/* ... and of the same program after all. */
int sap_watch_task_settle(struct sap_watch *w, struct sap_watch_task *t, struct sap_err *err);
/* All tasks that live. fn may drop its task. */
typedef int sap_watch_task_fn(struct sap_watch *w, struct sap_watch_task *t, void *ctx,
			      struct sap_err *err);
int sap_watch_tasks_each(struct sap_watch *w, sap_watch_task_fn *fn, void *ctx,
			 struct sap_err *err);
int sap_watch_tell_all(struct sap_watch *w, struct sap_err *err);
/* What /proc showed becomes tasks: after a look that began at `start`. */
int sap_watch_adopt(struct sap_watch *w, int64_t start, int64_t end, struct sap_err *err);

/* ---- watch_events.c ---- */
int sap_watch_map(struct sap_watch *w, const struct sap_wire_map *m, struct sap_err *err);
int sap_watch_exec(struct sap_watch *w, const struct sap_wire_comm *m, struct sap_err *err);
int sap_watch_fork(struct sap_watch *w, const struct sap_wire_task *m, struct sap_err *err);
int sap_watch_exit(struct sap_watch *w, const struct sap_wire_task *m, struct sap_err *err);
int sap_watch_open(struct sap_watch *w, const struct sap_wire_open *m, struct sap_err *err);

/* ---- watch_where.c ---- */
/* Reads where the process belongs. *wanted: cgroup_path holds (true without one, and where it could not be read:
 * before). False: it is gone, nothing was changed. */
bool sap_watch_where(struct sap_watch *w, struct sap_watch_task *t, bool *wanted);
bool sap_watch_in_cgroup(const struct sap_watch *w, int32_t pid, bool otherwise);
bool sap_watch_pid_wanted(const struct sap_watch *w, int32_t pid);
/* With narrow_children: pids and all that descend from them now. Malloc'ed. */
int sap_watch_descendants(struct sap_watch *w, int32_t **pids, uint32_t *n, struct sap_err *err);

/* ---- watch_files.c ---- */
uint32_t sap_watch_mix(uint32_t h, uint64_t v);
uint32_t sap_watch_hash(struct sap_str s);
bool sap_watch_table_add(struct sap_watch_table *t, uint32_t hash, uint32_t index);
uint32_t sap_watch_table_next(const struct sap_watch_table *t, uint32_t hash, uint32_t *at);
/* The file of a mapping. SAP_ENOMEM, SAP_ELIMIT. */
int sap_watch_file(struct sap_watch *w, struct sap_watch_task *t, const struct sap_wire_map *m,
		   uint32_t *file, struct sap_err *err);
/* A path in a root, O_PATH; only what lies in that root. pid: one that lives there, or 0. -1: not there. */
int sap_watch_path(const struct sap_watch *w, uint32_t root, int32_t pid, struct sap_str path,
		   struct stat *st);
/* The same file for reading; -1: it is no regular file or may not be read. */
int sap_watch_reopen(int path_fd);
/* In out, at most 20 bytes; 0: none, or no ELF file. */
uint32_t sap_watch_build_id(int fd, unsigned char out[20]);
struct sap_file_id sap_watch_id(const struct stat *st);
/* What was told, else what stands in the file. path_fd: O_PATH, or -1. */
int sap_watch_set_build_id(struct sap_watch *w, uint32_t file, int path_fd,
			   const struct sap_watch_known *k, struct sap_err *err);

/* ---- watch_functions.c ---- */
int sap_watch_enqueue(struct sap_watch *w, uint32_t file, int32_t pid, struct sap_err *err);
/* Works the queue off for about that long; 0: all of it. */
int sap_watch_list(struct sap_watch *w, int64_t ms, struct sap_err *err);
/* At the end: files that came last are still listed, for what they do when they are loaded; of the rest it is
 * said that they were not observed. */
int sap_watch_finish(struct sap_watch *w, struct sap_err *err);
void sap_watch_object_free(struct sap_watch_object *o);

/* ---- watch_choose.c ---- */
enum sap_watch_kind {
	WATCH_KIND_UNREAD = 0,
	WATCH_KIND_OTHER,
	WATCH_KIND_DEBIAN,
	WATCH_KIND_UBUNTU,
	WATCH_KIND_FEDORA,
	WATCH_KIND_SUSE,
	WATCH_KIND_ALPINE,
	WATCH_KIND_ARCH,
};
/* What would give a file symbols, for people. */
const char *sap_watch_help(struct sap_watch *w, uint32_t file, int32_t pid);
/* Chooses of a list what is to be probed: fills fns, text, n, n_functions, n_refused; what cannot be
 * observed goes to the evidence. */
int sap_watch_choose(struct sap_watch *w, uint32_t file, const struct sap_watch_want *want,
		     const struct sap_fn_list *list, const char *help, struct sap_watch_object *o,
		     struct sap_err *err);

/* ---- watch_ifunc.c ---- */
enum { WATCH_OWN_CODE = 8 }; /* executable segments of a library */

/* A segment in our memory, and where it lies in its file. */
struct sap_watch_code {
	uintptr_t start;
	uint64_t n, offset;
};

/* A library that this process has loaded too. */
struct sap_watch_own {
	void *handle;     /* dlopen(3) */
	int fd;           /* of the file */
	const char *path; /* the loader's */
	struct sap_watch_code code[WATCH_OWN_CODE], vdso;
	uint32_t n_code;
};

enum sap_watch_chosen {
	WATCH_CHOSEN_UNKNOWN = 0,
	WATCH_CHOSEN_HERE, /* in the library itself */
	WATCH_CHOSEN_VDSO, /* the kernel's: vdso(7) */
};

/* Is the file loaded by this process, or a copy of one that is? By its build-id in memory, then by
 * device and inode or byte for byte. Nothing is loaded. True: to be closed. False: also where our
 * GLIBC_TUNABLES speak of the processor. */
bool sap_watch_own_open(const struct sap_watch *w, uint32_t file, struct sap_watch_own *own);
void sap_watch_own_close(struct sap_watch_own *own);
/* What our loader chose for "name@@VERSION", "name@VERSION" or "name" of the library; *offset: HERE. */
enum sap_watch_chosen sap_watch_own_find(const struct sap_watch_own *own, struct sap_str symbol,
					 uint64_t *offset);
/* sap_probe_refused of that place. */
bool sap_watch_own_refused(const struct sap_watch_own *own, uint16_t machine, uint64_t offset);

/* ---- watch_stood.c ---- */
/* NULL: nothing is kept of it. */
struct sap_watch_seen *sap_watch_seen(const struct sap_watch *w, uint32_t file);
/* The probes of the file are the object's. */
int sap_watch_belongs(struct sap_watch *w, uint32_t file, const struct sap_watch_object *o,
		      struct sap_err *err);
/* A process that mapped these has ended. */
void sap_watch_stood_until(struct sap_watch *w, const struct sap_watch_maps *maps, int64_t when);
/* watched and watched_processes of all files, as of e->end. */
int sap_watch_stood(struct sap_watch *w, struct sap_err *err);
/* ... for the last time: no probe stands from here on. */
int sap_watch_freeze(struct sap_watch *w, struct sap_err *err);
/* The object is forgotten; its files say so. */
int sap_watch_taken_away(struct sap_watch *w, struct sap_watch_object *o, struct sap_err *err);
/* Probes of a file that was forgotten are asked for again. */
int sap_watch_again(struct sap_watch *w, uint32_t file, int32_t pid, struct sap_err *err);

/* ---- watch_look.c ---- */
/* /proc as it is now: new tasks, new files. */
int sap_watch_picture(struct sap_watch *w, struct sap_err *err);

/* ---- watch_hits.c ---- */
int sap_watch_placed(struct sap_watch *w, const struct sap_wire_placed *m, struct sap_err *err);
int sap_watch_refused(struct sap_watch *w, const struct sap_wire_refused *m, struct sap_err *err);
int sap_watch_hit(struct sap_watch *w, const struct sap_wire_hit *m, struct sap_err *err);
/* Entries that wait for news of their process; all: they wait no longer. */
int sap_watch_pending(struct sap_watch *w, bool all, struct sap_err *err);
/* NULL: no such cookie, or forgotten. */
struct sap_watch_object *sap_watch_by_cookie(const struct sap_watch *w, uint32_t cookie);
/* What is known of the object's probes goes to its files. */
int sap_watch_show(struct sap_watch *w, struct sap_watch_object *o, struct sap_err *err);

#endif
