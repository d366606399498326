/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the subcommands share: options, targets, output. Only this folder prints and exits.
 */
#ifndef SAP_CLI_CLI_H
#define SAP_CLI_CLI_H

#include <getopt.h>
#include <stdbool.h>
#include <string.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "model/facts.h"
#include "report/report.h"

enum {
	STATUS_OK = 0,
	STATUS_FOUND = 1,   /* something at or above --fail-on */
	STATUS_FAILURE = 2, /* usage, or it could not be done */
};

struct command {
	const char *name;
	const char *summary;
	const char *help; /* the whole text of `sapper help NAME` */
	/* argv[0] is the command's name. Returns an exit status. */
	int (*run)(int argc, char **argv);
};

extern const struct command cmd_scan;
extern const struct command cmd_links;
extern const struct command cmd_db;
extern const struct command cmd_watch;
extern const struct command cmd_run;

/* Options that every command has. */
struct common {
	enum sap_format format;
	const char *output;
	bool quiet;
	bool no_color;
	bool verbose;
};

/* Long options of struct common, to begin a command's own list with; their vals lie above
 * OPTION_COMMON. cli_common_option takes one of them; false: not one of these, or a bad value
 * (then it has said so). */
enum { OPTION_COMMON = 1000, OPTION_FORMAT, OPTION_NO_COLOR, OPTION_HELP, OPTION_OWN = 2000 };

#define COMMON_OPTIONS                                                                           \
	{ "format", required_argument, NULL, OPTION_FORMAT },                                    \
		{ "output", required_argument, NULL, 'o' }, { "quiet", no_argument, NULL, 'q' }, \
		{ "no-color", no_argument, NULL, OPTION_NO_COLOR },                              \
		{ "verbose", no_argument, NULL, 'v' },                                           \
	{                                                                                        \
		"help", no_argument, NULL, OPTION_HELP                                           \
	}
/* The colon in front: a missing value is told from an unknown option. */
#define COMMON_SHORT ":o:qvh"

#define COMMON_HELP                                                                 \
	"      --format FORMAT    tty (default) or json\n"                          \
	"  -o, --output FILE      write the answer to FILE\n"                       \
	"  -q, --quiet            no progress, no remarks\n"                        \
	"  -v, --verbose          longer lists\n"                                   \
	"      --no-color         no colours (also: NO_COLOR in the environment)\n" \
	"  -h, --help             this text\n"

enum common_result { COMMON_TAKEN, COMMON_NOT_MINE, COMMON_BAD, COMMON_HELPED };

/* argv is the command's: an unknown option is named from it. */
enum common_result cli_common_option(struct common *common, const struct command *command, int opt,
				     char **argv);

/* Says what could not be read of what was asked for (the first few), unless quiet. only: by
 * pool id of the path, those to be said; NULL: all. */
void cli_note_diagnostics(const struct common *common, const struct sap_facts *facts,
			  const bool *only);

/* "sapper: " and the text, on stderr, escaped as on a terminal: it may hold a target's names. */
void cli_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Prints the error and gives STATUS_FAILURE. */
int cli_fail(const struct sap_err *err);

/* A usage error: the text, and where to find help. */
int cli_usage(const struct command *command, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* ---- output ----------------------------------------------------------------------------- */

struct output {
	struct sap_buf buf;
	struct sap_report *report;
	const struct common *common;
	int fd; /* where it goes without --output */
};

/* STATUS_OK, or a failure that has been printed. */
int cli_output_open(struct output *output, const struct common *common);
/* The same; to another descriptor than standard output. */
int cli_output_open_to(struct output *output, const struct common *common, int fd);
/* Writes what was reported; frees. */
int cli_output_close(struct output *output);

/* ---- helper programs -------------------------------------------------------------------- */

/* The descriptor on which a helper finds its input. */
#define CLI_HELPER_INPUT 3

struct helper {
	const char *name;
	pid_t pid;
	int output; /* what it writes to its standard output */
};

/* Starts a helper program; input becomes its descriptor 3 and stays the caller's (-1: none). */
int cli_helper_start(const char *name, char *const argv[], int input, struct helper *out,
		     struct sap_err *err);
/* Starts a helper program that talks over a socket, which becomes its descriptor 3 and stays the
 * caller's; its standard output is nowhere. */
int cli_helper_socket(const char *name, char *const argv[], int socket, pid_t *pid,
		      struct sap_err *err);
/* Closes its output and waits. SAP_EWORKER: a signal ended it. */
int cli_helper_wait(struct helper *helper, int *status, struct sap_err *err);

/* The folder that this program lies in. */
bool cli_own_folder(char *folder, size_t size);

/* ---- targets ---------------------------------------------------------------------------- */

enum target_kind { TARGET_HOST = 1, TARGET_DIR, TARGET_FACTS };

struct target {
	enum target_kind kind;
	const char *path; /* folder or file */
	char name[4096];  /* as facts and reports name it */
};

/* What the user means: NULL is this host; SCHEME:REST; or a path, recognised by content. */
/* Whether an argument is a target rather than a program: a scheme, a folder, a facts file. */
bool cli_is_target(const char *text);
int cli_target_parse(const char *text, struct target *out, struct sap_err *err);

struct loading {
	const struct common *common;
	bool symbols;
};

/* Everything about a target, finished; from the worker or from a facts file. */
int cli_target_load(const struct target *target, const struct loading *loading,
		    struct sap_facts **out, struct sap_err *err);

int cli_facts_write(const struct sap_facts *facts, const char *path, struct sap_err *err);

/* The glibc-hwcaps level to assume: what the user said (-1: nothing), else the host's own for a
 * host, 2 for other x86-64 targets. */
#define CPU_LEVEL_ASSUMED 2

struct cpu {
	int level;
	bool of_host;
};

struct cpu cli_cpu(const struct sap_facts *facts, int said);
/* "host", "base", "x86-64-v3", "3". False: none of these. */
bool cli_cpu_parse(const char *text, int *out);

/* The program whose main can be the worker. */
#define CLI_WORKER "/proc/self/exe"

struct sap_extract_progress;
void cli_progress(void *ctx, const struct sap_extract_progress *progress);
/* Wipes the progress line, where there is one. */
void cli_progress_end(const struct common *common);

#endif
