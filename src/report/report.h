/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Report: answers for people and for programs. A command fills a view (plain data, borrowed)
 * and gives it to a report; it never knows the format.
 *
 * For people: fits the width, colours only where asked for, control bytes and invalid UTF-8 of
 * a target shown as \xNN. For programs: JSON (RFC 8259) with snake_case keys, sorted lists,
 * absent keys for what is unknown; docs/formats/ has the schemas. The same view gives the
 * same bytes.
 */
#ifndef SAP_REPORT_REPORT_H
#define SAP_REPORT_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "decide/states.h"
#include "link/link.h"
#include "link/radius.h"
#include "model/evidence.h"
#include "model/facts.h"
#include "model/finding.h"

enum sap_format { SAP_FORMAT_TTY = 1, SAP_FORMAT_JSON = 2 };

struct sap_report_options {
	enum sap_format format;
	unsigned width; /* columns; 0: no terminal, lines are as long as they are */
	bool color;
	bool verbose; /* longer lists for people; JSON always has everything */
};

struct sap_report;

/* Writes into out, which stays the caller's and must outlive the report; the caller flushes
 * it. NULL: out of memory. */
struct sap_report *sap_report_new(const struct sap_report_options *options, struct sap_buf *out);
void sap_report_free(struct sap_report *report);

/* ---- scan ------------------------------------------------------------------------------- */

struct sap_scan_view {
	const struct sap_facts *facts; /* finished, owned (sap_tree_own) */
	const struct sap_radius *radius;
	int cpu_level;                       /* glibc-hwcaps level that was assumed; 0: base */
	bool cpu_of_host;                    /* it is this machine's */
	bool with_files;                     /* JSON: list every owned file */
	const struct sap_findings *findings; /* NULL: advisories were not asked for */
	bool show_suppressed;                /* list suppressed findings too */
	const struct sap_states *states;     /* what runs, with its evidence; NULL: nobody looked */
	bool show_processes;                 /* text: a line for each process that maps a library */
	const char *functions_of; /* text: the functions of that library that were entered; NULL */
};

void sap_report_scan(struct sap_report *report, const struct sap_scan_view *view);

/* The findings that are to be explained, and nothing else. JSON: as a scan, whose findings then
 * have the key "explanation". */
void sap_report_explain(struct sap_report *report, const struct sap_scan_view *view);

/* ---- evidence --------------------------------------------------------------------------- */

/* What a watch or a run saw. */
struct sap_evidence_view {
	const struct sap_evidence *evidence;
	/* For each file of the evidence its package ("liblzma5 5.4.1-1"; empty: none or unknown);
	 * NULL: owners are not known. */
	const struct sap_str *packages;
	const char *command; /* of `run`: what was run; NULL: a watch */
	bool show_processes;
	const char
		*functions_of; /* list the functions of that library (soname, path or base name) */
};

/* Window, losses and means first; then libraries by state, with the number of functions entered,
 * processes, exposure; old copies (restart); what was not observable and why. */
void sap_report_evidence(struct sap_report *report, const struct sap_evidence_view *view);

/* ---- db --------------------------------------------------------------------------------- */

struct sap_source;

struct sap_db_view {
	const char *path;
	bool baseline; /* it is the one that came with the program */
	const struct sap_source *sources;
	uint32_t n_sources;
	int64_t now, max_age; /* seconds */
};

void sap_report_db(struct sap_report *report, const struct sap_db_view *view);

/* ---- links ------------------------------------------------------------------------------ */

struct sap_links_program {
	const char *asked;                 /* as on the command line */
	uint32_t object;                   /* SAP_NONE: not found or no ELF object */
	const char *problem;               /* why, where object is SAP_NONE */
	const struct sap_closure *closure; /* with object */
};

struct sap_links_view {
	struct sap_link *link;
	const struct sap_facts *facts;
	const struct sap_links_program *programs;
	uint32_t n_programs;
	int cpu_level;
	bool cpu_of_host;
	bool owners_known; /* false: nobody has asked which packages own the objects */
};

/* The tree of each program: each library once in full, with path, package and reason. */
void sap_report_links(struct sap_report *report, const struct sap_links_view *view);

/* A line a program: libraries loaded, direct ones, path. As in all views for people, a program
 * that was not found is the command's to report, on stderr; JSON has it under "problems". */
void sap_report_count(struct sap_report *report, const struct sap_links_view *view);

/* Every chain from each program to a library. Where a closure has gaps (incomplete, or needed
 * libraries not found), or the program is static, that it does not load one is not said. Of
 * more than three programs only those that load it are listed for people. */
struct sap_why_view {
	struct sap_links_view links;
	const char *library;                  /* as asked for */
	const struct sap_link_chains *chains; /* one for each program */
	const uint32_t *libs; /* index in that closure's libs; SAP_NONE: not in it */
};

void sap_report_why(struct sap_report *report, const struct sap_why_view *view);

/* DT_NEEDED entries that nobody needs. */
struct sap_unneeded_view {
	struct sap_links_view links;
	const struct sap_link_unneeded_list *lists; /* one for each program */
	uint32_t
		n_looked_at; /* programs in all; links.programs holds those with something to say */
};

void sap_report_unneeded(struct sap_report *report, const struct sap_unneeded_view *view);

/* ---- reverse ---------------------------------------------------------------------------- */

/* One object that loads the library, with its shortest chain. */
struct sap_reverse_entry {
	uint32_t object;
	bool is_program;           /* else a library */
	bool strict;               /* loaded at start; false: only beyond (dlopen, pam, nss) */
	struct sap_range chain;    /* of view->steps, from the object to the library */
	struct sap_range services; /* of view->services: indices in facts->services */
};

struct sap_reverse_step {
	uint32_t object; /* the object that the step leads to */
	uint32_t name;   /* pool id of the name it was asked by */
	uint8_t kind;    /* enum sap_edge_kind */
};

struct sap_reverse_view {
	const struct sap_facts *facts;
	const char *library;       /* as asked for */
	const uint32_t *libraries; /* the objects that it means */
	uint32_t n_libraries;
	const struct sap_reverse_entry *entries; /* sorted by path */
	uint32_t n_entries;
	const struct sap_reverse_step *steps;
	const uint32_t *services;
	uint32_t n_services; /* distinct services that load it, at start or later */
	int cpu_level;
	bool cpu_of_host;
};

void sap_report_reverse(struct sap_report *report, const struct sap_reverse_view *view);

/* ---- census ----------------------------------------------------------------------------- */

struct sap_census_row {
	const char *target;     /* as on the command line */
	struct sap_str system;  /* pretty name; absent: unknown */
	struct sap_str program; /* path inside the target; absent: not found */
	const char *problem;    /* why there is no count; NULL: there is one */
	uint32_t libraries;     /* loaded at start */
	uint32_t direct;
	uint32_t packages;   /* distinct packages that own them */
	uint32_t unowned;    /* libraries that no package owns */
	uint64_t code_bytes; /* executable bytes mapped, the program's own included */
	uint32_t beyond;     /* further libraries by PAM, NSS, dlopen notes (no guesses) */
	uint32_t guesses;    /* further ones by strings alone */
	uint32_t missing;
	bool incomplete; /* the closure is not complete: there may be more */
};

struct sap_census_view {
	const char *program;
	int cpu_level; /* assumed for all targets */
	const struct sap_census_row *rows;
	uint32_t n_rows;
};

void sap_report_census(struct sap_report *report, const struct sap_census_view *view);

#endif
