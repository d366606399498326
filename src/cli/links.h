/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside `sapper links`: a target whose programs can be asked about, and the modes.
 */
#ifndef SAP_CLI_LINKS_H
#define SAP_CLI_LINKS_H

#include "cli/cli.h"
#include "extract/extract.h"

enum links_mode {
	MODE_TREE,
	MODE_COUNT,
	MODE_WHY,
	MODE_REVERSE,
	MODE_CENSUS,
	MODE_UNNEEDED,
};

struct links_options {
	struct common common;
	enum links_mode mode;
	const char *target;  /* --target */
	const char *library; /* --why, --reverse */
	const char *census;  /* the program of --census */
	const char *library_path;
	bool strict; /* only what the loader does at start */
	int cpu;
	char **arguments;
	uint32_t n_arguments;
};

/* A target at hand: whole facts, or a worker that answers questions. */
struct asked {
	const struct links_options *options;
	struct target target;
	struct sap_facts *facts;
	struct sap_session *session; /* NULL: the facts are whole */
	struct sap_tree *tree;
	struct sap_link *link;
	SAP_VEC(struct sap_link *) old_links; /* closures made with them refer to their texts */
	struct cpu cpu;
	bool beyond;
	unsigned want; /* enum sap_elf_want, for objects asked for */
};

/* Opens a target on demand (a folder, this host) or from a facts file. symbols: for
 * unneeded. */
int asked_open(struct asked *asked, const struct links_options *options, const char *target,
	       bool symbols, struct sap_err *err);
/* The same with everything in it. */
int asked_open_whole(struct asked *asked, const struct links_options *options, const char *target,
		     bool symbols, struct sap_err *err);
void asked_close(struct asked *asked);

/* Finds programs by the names that a user gives: a path inside the target (relative ones from
 * the current folder, on this host), or a bare name, looked for in the usual folders. Fills
 * object and problem of each. */
int asked_find(struct asked *asked, struct sap_links_program *programs, uint32_t n,
	       struct sap_err *err);

/* Computes their closures (zeroed or used before), asking for what is not known yet. */
int asked_close_over(struct asked *asked, struct sap_links_program *programs,
		     struct sap_closure *closures, uint32_t n, struct sap_err *err);

/* Learns which packages own the programs and their libraries. */
int asked_own(struct asked *asked, const struct sap_links_program *programs, uint32_t n,
	      struct sap_err *err);

/* All programs of whole facts. *out is the caller's. */
int asked_all_programs(const struct asked *asked, struct sap_links_program **out, uint32_t *n,
		       struct sap_err *err);

/* Takes in what a session has learned: a new tree and link over the same facts. */
int asked_renew(struct asked *asked, struct sap_err *err);

/* The object that a path given as NAME of a library leads to, links followed; SAP_NONE for a
 * name without '/' or a path to nothing. */
int asked_library_object(struct asked *asked, const char *name, uint32_t *object,
			 struct sap_err *err);
/* Whether an object is what a user means by NAME: its soname, its file name or its path. */
bool asked_matches(const struct sap_facts *facts, uint32_t object, const char *name);
/* Says that nothing goes by NAME, and what comes near. */
void asked_say_unknown(const struct asked *asked, const char *name);

/* --why. *status is set where the answer is no clean one. */
int asked_report_why(struct asked *asked, const struct links_options *options,
		     const struct sap_links_view *view, struct sap_report *report, uint32_t object,
		     int *status, struct sap_err *err);

/* The modes that look at more than the programs named. Exit statuses, or a negative code. */
int links_reverse(const struct links_options *options, struct sap_err *err);
int links_census(const struct links_options *options, struct sap_err *err);
int links_unneeded(const struct links_options *options, struct sap_err *err);

#endif
