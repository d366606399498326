/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A watch: a warm start from /proc, then what the helper sapper-observe tells, kept in one set of
 * evidence. Single-threaded: the caller polls the descriptor, calls work, and looks at the
 * evidence in between.
 *
 * On a file that is mapped for the first time the policy is asked whether its functions shall be
 * watched; where they shall, they are listed by the helper sapper-functions and probes go
 * out. A file that comes back under another identity (upgraded) is another file.
 */
#ifndef SAP_OBSERVE_WATCH_H
#define SAP_OBSERVE_WATCH_H

#include "base/err.h"
#include "model/evidence.h"
#include "observe/fnworker.h"
#include "observe/wire.h"

/* Which functions of a file. */
enum sap_watch_choice {
	SAP_WATCH_NONE = 0,
	SAP_WATCH_NAMED, /* exported ones, and those of the names whatever their kind */
	SAP_WATCH_EXPORTED,
	SAP_WATCH_ALL,
	SAP_WATCH_LIST, /* those of the names only */
};

struct sap_watch_want {
	enum sap_watch_choice choice;
	const struct sap_str *names; /* without versions; live until the next call */
	uint32_t n_names;
};

/* For a file (an index of e->files) that was just mapped for the first time: an ELF object (or one that could
 * not be opened), whose path counts in its root. An inode that is seen at several paths or in several
 * roots is probed once: for what the first of them wanted. */
typedef int sap_watch_policy(void *ctx, const struct sap_evidence *e, uint32_t file,
			     struct sap_watch_want *want, struct sap_err *err);

struct sap_watch_options {
	const char *proc;    /* "/proc" */
	unsigned flags;      /* of enum sap_wire_flags */
	int32_t pid;         /* with SAP_WIRE_CHILD */
	uint64_t cgroup;     /* functions: entries in it only; 0: all */
	const int32_t *pids; /* evidence of these only; NULL: all */
	uint32_t n_pids;
	const char *cgroup_path; /* evidence of processes in it and below only; NULL: all */
	bool fresh; /* with pids: they have not begun yet; what they are before their first
		     * EXEC does not count */
	bool narrow_children;     /* with pids: their descendants too */
	sap_watch_policy *policy; /* NULL: no functions */
	void *ctx;
	struct sap_fnworker *functions; /* with policy */
	int observer;      /* our end of the pair; the helper is running; -1: none (evidence
					 * of /proc only) */
	const int *mounts; /* folders whose mounts are watched for opens */
	uint32_t n_mounts;
};

struct sap_watch;

/* Sends START, waits for READY (at most 10 s), takes the warm picture, asks for the first probes. */
int sap_watch_new(const struct sap_watch_options *options, struct sap_watch **out,
		  struct sap_err *err);
void sap_watch_free(struct sap_watch *w); /* takes NULL */

/* To be polled for reading. */
int sap_watch_fd(const struct sap_watch *w);

/* Takes what is there, without waiting. 1: go on; 0: the helper has ended (after sap_watch_stop:
 * all has come). SAP_EWORKER: it died; the evidence holds until then, with a gap from then on. */
int sap_watch_work(struct sap_watch *w, struct sap_err *err);

/* Now and then (each interval): looks at /proc again, for what events do not tell (sockets,
 * replaced files, who is gone), at the clocks (a jump or a suspend is a gap), and moves the end of
 * the window. */
int sap_watch_look(struct sap_watch *w, struct sap_err *err);

/*
 * What stands in the evidence about functions, beyond model/evidence.h:
 * - a resolver of an IFUNC symbol is named "resolver-of:NAME": its entry is load-time code, not NAME.
 *   NAME itself is watched where the loader's choice is known (watch_ifunc.c), else
 *   among the unobserved;
 * - one inode at several paths is several files; its places are given up with the first entry. So what is
 *   entered at one path is entered for all of them, at that time: with the process for the path that it
 *   maps, with SAP_NONE for the others;
 * - probes that were taken away (no process maps the file, no path leads to it): SAP_OBSERVED_NOT with
 *   that reason; a process that maps it again asks for new ones, and observed_since is theirs;
 * - a name that was wanted and has no symbol is among the unobserved; the reason says whether a symbol
 *   table was there ("not in the symbol table of this file: ...") or would help ("no symbol: install ...").
 */

/* Asks the helper to send what is left and to end; the caller works on until 0. */
int sap_watch_stop(struct sap_watch *w, struct sap_err *err);

/* The watch's own; NULL never. Losses and means are up to date. */
struct sap_evidence *sap_watch_evidence(struct sap_watch *w);

/*
 * A file by its path on the host, which a program that is about to be started will map: its functions
 * are asked for now, so that the probes stand before it runs. It is a file of the evidence that
 * no process has mapped (n_processes 0) until one does. sap_watch_busy tells when its probes
 * stand. SAP_ENOENT: no such regular file.
 */
int sap_watch_expect(struct sap_watch *w, struct sap_str path, struct sap_err *err);

/* Files wait to be listed, or probes to be placed: sap_watch_work goes on with it. */
bool sap_watch_busy(const struct sap_watch *w);

/* What READY said; all 0 without a helper. */
const struct sap_wire_ready *sap_watch_ready(const struct sap_watch *w);

#endif
