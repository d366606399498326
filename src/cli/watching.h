/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence for a command: where its store is, a look at what runs now, and the helpers of a watch.
 */
#ifndef SAP_CLI_WATCHING_H
#define SAP_CLI_WATCHING_H

#include <stdbool.h>
#include <sys/types.h>

#include "cli/cli.h"
#include "cli/owners.h"
#include "model/evidence.h"
#include "observe/watch.h"

/* How long evidence counts: windows that ended before are left out of a scan, and dropped by the watch. */
enum { EVIDENCE_DAYS = 30 };

/* Where the store of evidence is: --store, SAPPER_STORE, /var/lib/sapper/evidence.db as root, else by XDG. */
int cli_evidence_path(const char *said, char *path, size_t size, struct sap_err *err);

/* What runs on this host now, and what watches have kept (said NULL: where there is a store at
 * the usual place; one that cannot be read is told on stderr, unless it was named: then it is an
 * error). */
int cli_evidence_of_host(const char *said, bool quiet, struct sap_evidence **out,
			 struct sap_err *err);

/* "10m", "1h30m", "45s", "2d", or a number of seconds. False: no such thing, or 0. */
bool cli_time_parse(const char *text, int64_t *ns);

/* Which functions are watched. */
enum functions_mode {
	FUNCTIONS_NONE,
	FUNCTIONS_AFFECTED,
	FUNCTIONS_EXPORTED,
	FUNCTIONS_ALL,
	FUNCTIONS_LIST
};

struct watching {
	enum functions_mode mode;
	struct sap_str *names; /* FUNCTIONS_LIST; texts of the command line */
	uint32_t n_names;
	struct sap_str *both; /* with those of findings */
	bool judged;          /* what advisories say decides too, which functions are watched */
	struct advice advice;
	unsigned flags; /* enum sap_wire_flags, without FUNCTIONS */
	int32_t pids[256];
	uint32_t n_pids;
	bool children; /* and their descendants */
	bool fresh;    /* the pids have not begun: they count from their first exec */
	const char *cgroup;
	uint64_t cgroup_id;
	int32_t child; /* with SAP_WIRE_CHILD */
	/* in use */
	struct sap_watch *watch;
	struct owners *owners;
	struct sap_fnworker *functions;
	int observer;
	pid_t observer_pid;
	int mounts[64];
	uint32_t n_mounts;
};

/* "affected", "exported", "all", "none", or NAME,NAME... False: an empty name. */
bool cli_functions_parse(char *text, struct watching *w);

/* Starts the helpers and the watch. What cannot be had is in the evidence's means, not an error; a
 * helper that cannot be started at all is. */
int cli_watching_start(struct watching *w, struct sap_err *err);
/* Before a command is let go: what it will load by its loader's rules, so that probes stand before it
 * runs. Returns once they do. What it loads otherwise (children, plugins) is probed as it comes. */
int cli_watching_expect(struct watching *w, const char *command, struct sap_err *err);
/* Waits at most so long (ms; -1: for ever) for something to happen on the watch or the signal descriptor (-1:
 * none), and takes it. 1: go on; 0: the helper has ended. */
int cli_watching_wait(struct watching *w, int signals, int timeout_ms, struct sap_err *err);
/* Stops, takes what is left, looks once more. */
int cli_watching_stop(struct watching *w, struct sap_err *err);
/* Frees what is in use; the choices stay, it may be started again. */
void cli_watching_end(struct watching *w);
void cli_watching_clear(struct watching *w);

/* The summary, to stdout, or to where --output says; to_stderr: to stderr instead of stdout. */
int cli_evidence_report(const struct common *common, struct watching *w, const char *command,
			bool processes, const char *functions_of, bool to_stderr);

#endif
