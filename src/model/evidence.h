/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence: what was seen to run, when, where, and with which losses. Plain data; made by
 * src/observe, kept by src/store, weighed by src/decide, shown by src/report.
 *
 * A set of evidence grows while it is watched: things are added and found by their identity.
 * All texts live in the set's arena. Indexes stay valid for ever; pointers into the lists until
 * the next addition. Everything has a ceiling (base/limits.h); what does not fit is counted in
 * losses, never dropped silently.
 *
 * Times are nanoseconds since 1970 (CLOCK_REALTIME); 0: unknown.
 */
#ifndef SAP_MODEL_EVIDENCE_H
#define SAP_MODEL_EVIDENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/span.h"
#include "base/vec.h"
#include "model/facts.h"

/* What a process can be reached by. */
enum sap_exposure {
	SAP_EXPOSURE_UNKNOWN = 0, /* its sockets could not be looked at */
	SAP_EXPOSURE_NONE,
	SAP_EXPOSURE_LOCAL,   /* listens on a loopback address or a UNIX socket */
	SAP_EXPOSURE_NETWORK, /* listens on any other address */
};

const char *sap_exposure_name(enum sap_exposure e); /* "unknown", "none", "local", "network" */

/* The higher of two, of different processes or moments. What is not known may be anything, so it
 * is more than none: NONE < UNKNOWN < LOCAL < NETWORK. */
enum sap_exposure sap_exposure_max(unsigned a, unsigned b);

/* One socket that waits for others: a TCP or UNIX socket that listens, or a bound UDP socket. */
struct sap_listen {
	struct sap_str text; /* "0.0.0.0:443/tcp", "[::1]:53/udp", "/run/x.sock", "@abstract" */
	uint8_t exposure;    /* LOCAL or NETWORK */
	uint32_t next;       /* of the same process: index + 1 in listens; 0: the last */
};

/* Where paths count: a mount namespace with a root folder. Index 0 is the host's own. */
struct sap_seen_root {
	uint64_t mnt_ns;          /* inode of the namespace */
	uint64_t dev, ino;        /* of the root folder */
	struct sap_str container; /* id or name, from the cgroup; empty: none known */
	int32_t pid;              /* a process in it that lives, or lived last */
};

/* Names in the environment that make a process load code. As bits. */
enum sap_preloads {
	SAP_ENV_PRELOAD = 1,      /* LD_PRELOAD */
	SAP_ENV_LIBRARY_PATH = 2, /* LD_LIBRARY_PATH */
	SAP_ENV_AUDIT = 4,        /* LD_AUDIT */
	SAP_ENV_UNREADABLE = 8,   /* it could not be read */
};

/*
 * A process, or many that have ended: once a process is gone it is folded into one entry for
 * each (program, root, unit, container), whose count says how many there were. So a million
 * short processes are a handful of entries.
 */
struct sap_seen_process {
	int32_t pid; /* of a folded entry: the last one's */
	int32_t ppid;
	uint64_t start; /* when it was started; part of its identity */
	uint32_t exe;   /* index of files, SAP_NONE: unknown (a kernel thread, no rights, gone) */
	struct sap_str comm;
	struct sap_str unit;      /* systemd unit of its cgroup: "ssh.service"; empty */
	struct sap_str container; /* as the root's */
	uint32_t root;            /* index of roots */
	uint32_t listens;         /* index + 1 in listens; 0: none */
	uint8_t exposure; /* enum sap_exposure: the highest it had in the window (its listens
				   * are those of the last look); of a folded entry the highest */
	uint8_t preloads; /* enum sap_preloads; of a folded entry all bits of any, so with
				   * UNREADABLE what is there is not all */
	bool ended;
	uint64_t count; /* processes in this entry: 1, or more where ended */
	int64_t first_seen, last_seen;
};

/* A file on disk by identity. The path is only where it was last seen. ctime is 0 where the
 * kernel told of a mapping but the file was gone before it could be looked at. */
struct sap_file_id {
	uint64_t dev; /* makedev(3) */
	uint64_t ino;
	int64_t ctime; /* ns */
};

enum sap_stale {
	SAP_STALE_UNKNOWN = 0, /* could not be looked at */
	SAP_STALE_NO,          /* the path leads to this file */
	SAP_STALE_REPLACED,    /* the path leads to another file: what is mapped is the old one */
	SAP_STALE_DELETED,     /* the path leads nowhere */
};

const char *sap_stale_name(enum sap_stale s); /* "unknown", "no", "replaced", "deleted" */

/* What can be said about the functions of a file. */
enum sap_observed {
	SAP_OBSERVED_NOT_ASKED = 0, /* the mode did not ask for this file */
	SAP_OBSERVED_PROBED,        /* probes were placed; n_refused of them could not be */
	SAP_OBSERVED_NOT,           /* not observable; the reason says why and what would help */
};

/* A file that was mapped executable into a process. */
struct sap_seen_file {
	struct sap_file_id id;
	uint32_t root; /* index of roots */
	struct sap_str path;
	struct sap_str build_id; /* lower-case hex; empty: none, or unknown */
	struct sap_str
		new_build_id; /* of what the path leads to now, where REPLACED; empty: unknown */
	uint8_t stale;        /* enum sap_stale, when it was last looked at */
	bool is_program;      /* it was the program of a process */
	uint8_t load_time;    /* enum sap_tristate: it has constructors or IFUNC resolvers, which
				      * the loader ran; names in load_time_why */
	struct sap_str load_time_why; /* "2 constructors, 68 IFUNC resolvers" */
	uint8_t observed;             /* enum sap_observed */
	struct sap_str reason;  /* with SAP_OBSERVED_NOT; and remarks ("no symbol table: ...") */
	int64_t observed_since; /* when the probes were in place; what ran before was not seen */
	/* How long probes stood, in ns: of a watch sap_evidence_stood(e, observed_since), of several
	 * the sum. 0 where observed is not PROBED. */
	int64_t watched;
	/* Processes that had it mapped while its probes stood (last_seen of the use later than
	 * observed_since; of a folded entry as many as may be, at most n_processes). 0: those
	 * that mapped it had ended before, so nothing can be said of its functions. */
	uint32_t watched_processes;
	uint32_t n_functions; /* asked for */
	uint32_t n_probed, n_refused;
	uint32_t n_processes; /* distinct processes that mapped it: of all uses, by count */
	int64_t first_seen, last_seen;
};

/* How it is known that a process mapped a file, as bits. */
enum sap_use_flags {
	SAP_USE_PROC = 1, /* in /proc/PID/maps: mapped before the watch, or found later */
	SAP_USE_LIVE = 2, /* an event of the kernel */
};

struct sap_seen_use {
	uint32_t file, process; /* both SAP_NONE: a free slot, to be skipped */
	uint8_t flags;          /* enum sap_use_flags */
	int64_t first_seen, last_seen;
};

/* A function that was entered. Several names of one address are one function. */
struct sap_seen_function {
	uint32_t file;
	uint64_t offset; /* in the file */
	struct sap_str
		names; /* "SHA256_Update@@OPENSSL_3.0.0", several separated by ' '; empty: no name */
	uint32_t process; /* who was first seen to enter it; SAP_NONE: unknown */
	int64_t when;
};

/* A function that was asked for and cannot be observed, with the reason. */
struct sap_unobserved {
	uint32_t file;
	struct sap_str name;
	struct sap_str
		reason; /* "no symbol: install libssl3-dbgsym ...", "the kernel refuses ..." */
};

/* A file that is not ELF and was opened (--opens). */
struct sap_seen_open {
	uint32_t root;
	struct sap_str path;
	uint32_t process; /* the first one seen */
	uint64_t count;
	int64_t first_seen, last_seen;
};

/* A time in which nothing was watched, although it lies inside the window. */
struct sap_gap {
	int64_t start, end;
	struct sap_str
		reason; /* "the watcher was stopped", "the clock was set back", "suspended" */
};

struct sap_losses {
	uint64_t maps; /* records of mappings, forks ... that the kernel could not deliver */
	uint64_t hits; /* function entries */
	uint64_t opens;
	uint64_t files;   /* mapped files whose identity could not be read in time */
	uint64_t ceiling; /* what did not fit under a ceiling */
};

/* What was in use, for people: each empty where it was not. */
struct sap_means {
	struct sap_str maps;      /* "/proc, then perf MMAP2 with build-ids" */
	struct sap_str functions; /* "uprobe_multi", "perf uprobes"; mode and why not */
	struct sap_str opens;     /* "fanotify" */
};

struct sap_evidence {
	struct sap_arena arena;
	struct sap_str boot_id; /* of the kernel; another boot is another set of processes */
	struct sap_str host;
	int64_t boot_time; /* when the kernel started, as it said at the first look; 0: not asked yet */
	int64_t start, end; /* the window; equal for a single look */
	bool narrow;        /* of some processes only: what it does not hold may have been */
	bool live;          /* the kernel told of every mapping; else only looks at /proc: what came
			     * and went between two looks was not seen */
	SAP_VEC(struct sap_gap) gaps;
	uint64_t processes_seen;   /* distinct ones */
	uint64_t processes_hidden; /* that could not be looked into, at the last look */
	struct sap_losses losses;
	struct sap_means means;
	SAP_VEC(struct sap_seen_root) roots;
	SAP_VEC(struct sap_seen_process) processes;
	SAP_VEC(struct sap_listen) listens;
	SAP_VEC(struct sap_seen_file) files;
	SAP_VEC(struct sap_seen_use) uses;           /* no two of one (file, process) */
	SAP_VEC(struct sap_seen_function) functions; /* no two of one (file, offset) */
	SAP_VEC(struct sap_unobserved) unobserved;
	SAP_VEC(struct sap_seen_open) opens;
	struct sap_evidence_index *index; /* private: finds by identity */
};

/* Empty, with root 0 (whose identity the first look sets). NULL: out of memory. */
struct sap_evidence *sap_evidence_new(void);
void sap_evidence_free(struct sap_evidence *e); /* takes NULL */

/* A copy of a text in the set; equal texts are kept once. False: out of memory, or the ceiling of
 * all texts is reached (then losses.ceiling has been counted); sap_evidence_text_err says which. */
bool sap_evidence_text(struct sap_evidence *e, struct sap_str s, struct sap_str *out);
/* After it was false: SAP_ELIMIT where the texts are full, else SAP_ENOMEM. */
int sap_evidence_text_err(const struct sap_evidence *e, struct sap_err *err);

/* Each finds the one with that identity, or adds it; *out is its index. *added may be NULL.
 * SAP_ENOMEM; SAP_ELIMIT where a ceiling is reached (then losses.ceiling has been counted and
 * the caller goes on without it). */
int sap_evidence_root(struct sap_evidence *e, uint64_t mnt_ns, uint64_t dev, uint64_t ino,
		      uint32_t *out, bool *added, struct sap_err *err);
/* A living process by (pid, start). New: count 1, root 0, exe SAP_NONE; processes_seen goes up. One
 * of the same pid with another start is ended first. */
int sap_evidence_process(struct sap_evidence *e, int32_t pid, uint64_t start, uint32_t *out,
			 bool *added, struct sap_err *err);
/* The living process with that pid, whatever its start; SAP_NONE. */
uint32_t sap_evidence_living(const struct sap_evidence *e, int32_t pid);
/* By (dev, ino, root, path) and, where both are known, ctime. An entry whose ctime was unknown
 * takes the new one. Path may be new: then another entry. */
int sap_evidence_file(struct sap_evidence *e, const struct sap_file_id *id, uint32_t root,
		      struct sap_str path, uint32_t *out, bool *added, struct sap_err *err);
/* Notes that a process mapped a file at `when`; n_processes goes up when it is new. */
int sap_evidence_use(struct sap_evidence *e, uint32_t file, uint32_t process, unsigned flags,
		     int64_t when, struct sap_err *err);
/* Notes that a function was entered; the first one counts. */
int sap_evidence_entered(struct sap_evidence *e, uint32_t file, uint64_t offset,
			 struct sap_str names, uint32_t process, int64_t when, bool *added,
			 struct sap_err *err);
int sap_evidence_listen(struct sap_evidence *e, uint32_t process, struct sap_str text,
			enum sap_exposure exposure, struct sap_err *err);
/* The process is gone: folds it into the entry of its like (or makes it that entry); its uses
 * and functions move there. The index of the entry that stays is *out (may be NULL). The slot of
 * the folded one is used again for a later process. */
int sap_evidence_end(struct sap_evidence *e, uint32_t process, int64_t when, uint32_t *out,
		     struct sap_err *err);
/* Notes that a file was opened by a process (SAP_NONE: unknown). */
int sap_evidence_open(struct sap_evidence *e, uint32_t root, struct sap_str path, uint32_t process,
		      uint64_t count, int64_t when, struct sap_err *err);
/* Forgets the listening sockets of a process, before they are looked at anew; its exposure stays
 * the highest that it had. */
void sap_evidence_no_listens(struct sap_evidence *e, uint32_t process);
int sap_evidence_gap(struct sap_evidence *e, int64_t start, int64_t end, struct sap_str reason,
		     struct sap_err *err);
int sap_evidence_unobserved(struct sap_evidence *e, uint32_t file, struct sap_str name,
			    struct sap_str reason, struct sap_err *err);

/* The time from `since` (or the start of the window, if that is later) to its end, without gaps. */
int64_t sap_evidence_stood(const struct sap_evidence *e, int64_t since);

/* Adds everything of `from` to `e` (another window of the same host, or a look at /proc): windows
 * are joined, what lies between them is a gap; counts and losses are summed. A narrow window
 * beside a whole one adds what it saw, but is no part of the window. Where the boots differ,
 * living processes of the older are ended. */
int sap_evidence_merge(struct sap_evidence *e, const struct sap_evidence *from,
		       struct sap_err *err);

/* A slot of processes that is free (its entry was folded into another). */
static inline bool sap_seen_free(const struct sap_seen_process *p)
{
	return p->count == 0;
}

#endif
