/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extract: from a target to facts, in a sandboxed child process.
 *
 * The parent starts the worker (the same binary again, or any program whose main calls
 * sap_worker_main), hands it a descriptor of the target's root folder, and asks: whole
 * target, or single paths. The worker gives up its rights (sandbox/sandbox.h) before it
 * reads the first byte of the target, and answers with a CBOR sequence (model/codec.h) that
 * the parent decodes with the distrust due to any input.
 *
 * A worker that dies or stalls is started again without the file it was reading; that file
 * is then tried once more alone. Both show in the facts as diagnostics with the code
 * "worker-died"; everything else is given in full.
 */
#ifndef SAP_EXTRACT_EXTRACT_H
#define SAP_EXTRACT_EXTRACT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/facts.h"

enum sap_extract_flags {
	SAP_EXTRACT_HOST = 1,    /* the running system: pseudo file systems are left out */
	SAP_EXTRACT_SYMBOLS = 2, /* the dynamic symbols of every object as well */
	SAP_EXTRACT_REAP = 4,    /* sap_session_free waits for its worker's end: for a program that
				  * lives on, and would gather dead children */
};

struct sap_extract_progress {
	uint64_t files;   /* looked at so far */
	uint64_t objects; /* ELF objects among them */
};

struct sap_extract_options {
	const char *worker; /* program to run as the worker: "/proc/self/exe" */
	const char *target; /* what the user named, for the facts */
	const char *kind;   /* "host", "directory" */
	unsigned flags;     /* enum sap_extract_flags */
	unsigned threads;   /* in the worker; 0: one for each CPU, at most SAP_WORKER_THREADS_MAX */
	/* Called about ten times a second while work goes on; may be NULL. */
	void (*progress)(void *ctx, const struct sap_extract_progress *progress);
	void *ctx;
};

/* What the sandbox of the worker is made of, for `--verbose`: "landlock 6, seccomp". */
#define SAP_SANDBOX_SANDBOX_MAX 160

struct sap_extract_report {
	char sandbox[SAP_SANDBOX_SANDBOX_MAX];
	unsigned restarts;          /* workers that died */
	uint64_t worker_peak_bytes; /* largest resident size of a worker */
};

/* Everything that is in the folder root. *out is finished and owned by the caller. report may
 * be NULL. Fails where the root cannot be opened, a worker cannot be started, or memory is
 * out; never because of what is in the target. */
int sap_extract_whole(const char *root, const struct sap_extract_options *options,
		      struct sap_facts **out, struct sap_extract_report *report,
		      struct sap_err *err);

/* ---- on demand -------------------------------------------------------------------------- */

/* What can be asked of a target besides paths, as bits. */
enum sap_extract_parts {
	SAP_PART_OS = 1,
	SAP_PART_PACKAGES = 2, /* with all their files */
	SAP_PART_OWNERS = 4,   /* packages that own a file with the base name of a path asked for,
				* with those files only (instead of SAP_PART_PACKAGES) */
	SAP_PART_LOADER = 8,
	SAP_PART_MODULES = 16,
	SAP_PART_SERVICES = 32,
	SAP_PART_WALK = 64,   /* the whole tree */
	SAP_PART_CHASE = 128, /* with paths: also what the objects there need, where ld.so.cache,
			       * RPATH and RUNPATH lead at first sight; saves questions */
	SAP_PART_LANGUAGES = 256, /* with paths: also packages of languages that these files
				   * tell of; the walk does so anyway */
};

struct sap_session;

/* Starts a worker for a target and keeps it. facts receives what is asked for; they are the
 * caller's and must outlive the session. */
int sap_session_new(const char *root, const struct sap_extract_options *options,
		    struct sap_facts *facts, struct sap_session **out, struct sap_err *err);
void sap_session_free(struct sap_session *session);

/* Asks for parts and for paths (pool ids of facts): each path gets a lookup record, and the
 * object where it leads to one. want: enum sap_elf_want for objects. Returns once all of it
 * is in facts, which are finished again. With SAP_PART_OWNERS the paths are not looked up. */
int sap_session_ask(struct sap_session *session, unsigned parts, unsigned want,
		    const uint32_t *paths, uint32_t n_paths, struct sap_err *err);

/* ---- the worker ------------------------------------------------------------------------- */

/* The first argument that makes a program be the worker. */
#define SAP_WORKER_ARGUMENT "--extract-worker"

/* For tests of what happens when parsing goes wrong: called before an object is parsed. */
struct sap_worker_hooks {
	void (*before_object)(const char *path);
};

/* The worker's main; never returns to its caller's work: exit with what it returns. hooks
 * may be NULL. */
int sap_worker_main(const struct sap_worker_hooks *hooks);

#endif
