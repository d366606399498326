/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Report, the private part.
 *
 *   report.c          life cycle, dispatch, what both formats ask of facts
 *   scan_tty.c scan_tables.c            scan for people: the frame; its lists
 *   scan_json.c object_json.c           scan for programs: the document; one ELF object
 *   findings_tty.c findings_json.c      findings, explanations
 *   findings_states.c what is known to run of findings
 *   evidence_*.c      what was seen to run (evreport_int.h)
 *   db_report.c       the store of advisories
 *   links_tty.c tree_tty.c links_json.c trees, counts
 *   answers_tty.c answers_json.c        why, unneeded; all JSON that is no tree
 *   census_tty.c                        the census
 *   reverse.c reverse_tty.c             the blast radius of a library: counts; for people
 *   gaps.c                              what of a closure is unknown, and why
 *   json.c tty.c utf8.h                 the writers
 */
#ifndef SAP_REPORT_REPORT_INT_H
#define SAP_REPORT_REPORT_INT_H

#include "report/json.h"
#include "report/report.h"
#include "report/tty.h"

/* Bytes of a line of ours, at most. */
#define SAP_LINE_MAX 65536u

struct sap_report {
	struct sap_report_options options;
	struct sap_buf *out;
	struct sap_tty tty;
	/* The purls of all packages of some facts, made at the first question. */
	const struct sap_facts *purl_facts;
	struct sap_buf purls;
	uint32_t *purl_ends; /* of package i: [i] where it begins, [i + 1] where it ends */
	/* Whether the owners of some facts are known, found out at the first question. */
	const struct sap_facts *owner_facts;
	bool owners_known;
};

/* ---- report.c: facts -------------------------------------------------------------------- */

/* A package's purl; empty for SAP_NONE. Valid until facts change. */
struct sap_str sap_report_purl(struct sap_report *report, const struct sap_facts *facts,
			       uint32_t package);

static inline struct sap_str sap_report_path(const struct sap_facts *facts, uint32_t object)
{
	return sap_facts_str(facts, facts->objects.v[object].path);
}

/* What people call an object: its soname, else its path. */
struct sap_str sap_report_name(const struct sap_facts *facts, uint32_t object);

/* Whether nothing of the target was left out: neither facts nor folders nor files. */
bool sap_report_complete(const struct sap_facts *facts);
/* Whether that diagnostic says that something was left out. */
bool sap_report_is_loss(const struct sap_facts *facts, const struct sap_diagnostic *diagnostic);

/* The path of the object that an edge comes from. */
struct sap_str sap_report_from(const struct sap_facts *facts, const struct sap_closure *closure,
			       uint32_t from);
/* "required" ... of the dlopen note behind an edge; empty where there is none. */
struct sap_str sap_report_priority(const struct sap_facts *facts, const struct sap_closure *closure,
				   const struct sap_link_edge *edge);

/* Edges of a closure in the order of one end: those with key k are
 * order[first[k] .. first[k + 1]). Key 0 is the program (by from) or "not found" (by to),
 * key k the library k - 1. */
struct sap_edge_index {
	uint32_t *first, *order;
};

/* all: also edges that found nothing and may, such as an NSS service that is not installed.
 * skip: not NULL: leaves out those edges e whose skip[e] is not 0.
 * False: out of memory (the output is marked as failed). */
bool sap_edge_index_make(struct sap_report *report, const struct sap_closure *closure, bool by_to,
			 bool all, const unsigned char *skip, struct sap_edge_index *index);
void sap_edge_index_clear(struct sap_edge_index *index);

/* ---- gaps.c ----------------------------------------------------------------------------- */

/* Needed libraries of a closure that were not found. */
uint32_t sap_gaps_missing(const struct sap_closure *closure);
/* Whether a library may be in it that is not in closure->libs. */
bool sap_gaps_any(const struct sap_closure *closure);
/* The red line before an answer that has gaps; nothing for others. */
void sap_gaps_put_line(const struct sap_tty *tty, const struct sap_facts *facts,
		       const struct sap_closure *closure);
/* The first diagnostic that says that the file with that path (of a search: it may lead over
 * symbolic links) could not be read in full; NULL: there is none. */
const struct sap_diagnostic *sap_gaps_loss(const struct sap_facts *facts, struct sap_str path);
/* The same for exactly that path. */
const struct sap_diagnostic *sap_gaps_loss_at(const struct sap_facts *facts, struct sap_str path);

/* ---- reverse.c -------------------------------------------------------------------------- */

/* A service that loads the library, with the entries that it starts. */
struct sap_reverse_service {
	uint32_t service; /* index in facts->services */
	bool strict;      /* one of them loads it at start */
	struct sap_range entries;
};

struct sap_reverse_counts {
	uint32_t programs, libraries, services, enabled; /* enabled: of the services */
};

struct sap_reverse_sum {
	struct sap_reverse_counts at_start, later; /* later: only there */
	struct sap_reverse_service *services;      /* by index, that is by name */
	uint32_t n_services;
	uint32_t *entries; /* indices in view->entries */
};

/* False: out of memory (the output is marked as failed). */
bool sap_reverse_sum_make(struct sap_report *report, const struct sap_reverse_view *view,
			  struct sap_reverse_sum *sum);
void sap_reverse_sum_clear(struct sap_reverse_sum *sum);

/* ---- report.c: JSON --------------------------------------------------------------------- */

/* Opens the document: {"sapper":{...} */
void sap_report_json_begin(struct sap_report *report, struct sap_json *json, const char *schema);
/* The key "target"; complete only with a whole one. */
void sap_report_json_target(struct sap_json *json, const struct sap_facts *facts, int cpu_level,
			    bool cpu_of_host);
/* A list of texts; KEY_bytes beside it, one for each, where some are not UTF-8. at gives the
 * pool id of candidate i, 0 to n - 1, or SAP_NONE to leave it out. */
void sap_report_json_each(struct sap_json *json, const char *key, const struct sap_facts *facts,
			  uint32_t n, uint32_t (*at)(const void *ctx, uint32_t i), const void *ctx);
/* The same for a range of facts->ids. */
void sap_report_json_ids(struct sap_json *json, const char *key, const struct sap_facts *facts,
			 struct sap_range range);
/* Whether "no package owns it" can be said: all package databases that are there were read. */
bool sap_report_owners_known(const struct sap_facts *facts);
/* The package that owns an object: its purl, or null for none. */
void sap_report_json_owner(struct sap_report *report, struct sap_json *json,
			   const struct sap_facts *facts, uint32_t object);

/* ---- report.c: text --------------------------------------------------------------------- */

/* "name version" of a package; "unowned" for SAP_NONE. As a cell, or appended to a buffer. */
void sap_report_cell_package(struct sap_table *table, const struct sap_facts *facts,
			     uint32_t package);
void sap_report_put_package(const struct sap_tty *tty, const struct sap_facts *facts,
			    uint32_t package);
/* "name version" of the package that owns an object; "unowned"; "owner unknown". */
void sap_report_put_owner(const struct sap_tty *tty, const struct sap_links_view *view,
			  uint32_t object);
/* A section's heading, an empty line before it. */
void sap_report_heading(const struct sap_tty *tty, enum sap_style style, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* "  and N more (-v shows all)" where a list was cut. */
void sap_report_more(const struct sap_tty *tty, size_t shown, size_t all);
/* "s" where n is not 1; "y" or "ies". */
static inline const char *sap_plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static inline const char *sap_plural_y(uint64_t n)
{
	return n == 1 ? "y" : "ies";
}
/* YYYY-MM-DD, UTC; empty for a time that is unknown (0 or less) or beyond the year 9999. */
#define SAP_DAY_SIZE 16
const char *sap_report_day(int64_t seconds, char text[SAP_DAY_SIZE]);
/* "x86-64-v3"; "base". */
const char *sap_report_cpu(int cpu_level);

/* ---- the formats ------------------------------------------------------------------------ */

void sap_scan_json(struct sap_report *report, const struct sap_scan_view *view);
/* state: NULL where nobody looked. */
void sap_object_json(struct sap_report *report, struct sap_json *json,
		     const struct sap_facts *facts, uint32_t index,
		     const struct sap_object_state *state);
void sap_scan_tty(struct sap_report *report, const struct sap_scan_view *view);
void sap_scan_tty_libraries(struct sap_report *report, const struct sap_scan_view *view);
void sap_scan_tty_programs(struct sap_report *report, const struct sap_scan_view *view);
void sap_scan_tty_missing(struct sap_report *report, const struct sap_scan_view *view);
void sap_scan_tty_unowned(struct sap_report *report, const struct sap_scan_view *view,
			  unsigned max);
void sap_scan_tty_diagnostics(struct sap_report *report, const struct sap_scan_view *view);
uint32_t sap_scan_count_unowned(const struct sap_facts *facts);
/* Packages of languages; the others are of the system. */
uint32_t sap_scan_count_languages(const struct sap_facts *facts);
size_t sap_scan_count_losses(const struct sap_facts *facts);

void sap_db_json(struct sap_report *report, const struct sap_db_view *view);
void sap_db_tty(struct sap_report *report, const struct sap_db_view *view);

/* What the advisories say: before everything else; the section; one vulnerability alone. */
void sap_findings_tty_first(struct sap_report *report, const struct sap_findings *f);
void sap_findings_tty(struct sap_report *report, const struct sap_scan_view *view);
void sap_explain_tty(struct sap_report *report, const struct sap_scan_view *view);
/* The keys "advisories", "findings", "not_judged" of the document. */
void sap_findings_json(struct sap_report *report, struct sap_json *json,
		       const struct sap_scan_view *view);

static inline bool sap_finding_is_open(const struct sap_finding *v)
{
	return !v->suppression &&
	       (v->status == SAP_STATUS_AFFECTED || v->status == SAP_STATUS_UNFIXED ||
		v->status == SAP_STATUS_UNDER_INVESTIGATION);
}

/* ---- what runs -------------------------------------------------------------------------- */

/* What is known to run of a finding in the list of view->findings; NULL: nobody looked. */
const struct sap_finding_state *sap_finding_state(const struct sap_scan_view *view,
						  const struct sap_finding *finding);
/* The same in words, escaped: "mapped by nginx (pid 812, ssh.service, 0.0.0.0:443/tcp)". */
enum sap_style sap_finding_put_state(struct sap_buf *out, const struct sap_scan_view *view,
				     const struct sap_finding *finding);
void sap_finding_json_state(struct sap_json *json, const struct sap_scan_view *view,
			    const struct sap_finding *finding);

/* Open findings that have reached a state; of those executed, by load-time code only. */
struct sap_finding_counts {
	uint32_t open, mapped, executed, load_time_only, vulnerable, not_observable;
};

struct sap_finding_counts sap_finding_counts(const struct sap_states *states);

/* First lines: what was looked at. Then: who is to be restarted, and what was asked for. */
void sap_scan_tty_evidence(struct sap_report *report, const struct sap_states *states);
void sap_scan_tty_running(struct sap_report *report, const struct sap_scan_view *view);
/* The key "evidence". */
void sap_scan_json_evidence(struct sap_report *report, struct sap_json *json,
			    const struct sap_states *states);

void sap_evidence_json(struct sap_report *report, const struct sap_evidence_view *view);
void sap_evidence_tty(struct sap_report *report, const struct sap_evidence_view *view);

void sap_links_json(struct sap_report *report, const struct sap_links_view *view);
void sap_links_tty(struct sap_report *report, const struct sap_links_view *view);
void sap_tree_tty(struct sap_report *report, const struct sap_links_view *view,
		  const struct sap_closure *closure);
void sap_count_tty(struct sap_report *report, const struct sap_links_view *view);
void sap_links_json_problems(struct sap_json *json, const struct sap_links_view *view);
/* The keys "program", "asked" (where it differs) and "package" (where owners are known). */
void sap_links_json_program(struct sap_report *report, struct sap_json *json,
			    const struct sap_links_view *view,
			    const struct sap_links_program *program);
void sap_links_json_step(struct sap_json *json, const struct sap_links_view *view,
			 const struct sap_closure *closure, uint32_t edge);

void sap_why_json(struct sap_report *report, const struct sap_why_view *view);
void sap_why_tty(struct sap_report *report, const struct sap_why_view *view);
void sap_unneeded_json(struct sap_report *report, const struct sap_unneeded_view *view);
void sap_unneeded_tty(struct sap_report *report, const struct sap_unneeded_view *view);
void sap_reverse_json(struct sap_report *report, const struct sap_reverse_view *view);
void sap_reverse_tty(struct sap_report *report, const struct sap_reverse_view *view);
void sap_census_json(struct sap_report *report, const struct sap_census_view *view);
void sap_census_tty(struct sap_report *report, const struct sap_census_view *view);

#endif
