/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Report, evidence.
 *
 *   evidence_report.c   what both formats ask of it; its words
 *   evidence_env.c      who loads code by its environment
 *   evidence_tables.c   its lines and sections in a scan and in an answer of its own
 *   evidence_tty.c      what a watch or a run saw, for people
 *   evidence_json.c     the same for programs, and the part of a scan
 */
#ifndef SAP_REPORT_EVREPORT_INT_H
#define SAP_REPORT_EVREPORT_INT_H

#include "report/report_int.h"

struct sap_evidence_ctx {
	const struct sap_evidence *e;
	const struct sap_states *states; /* of a scan; NULL */
	const struct sap_str *packages;  /* of an answer of its own; NULL */
	const struct sap_evidence_groups *groups;
	struct sap_evidence_groups *own;
	uint32_t *order; /* files, by path */
};

/* states: where there are facts (their evidence is e), else NULL. False: out of memory (the
 * output is marked as failed). */
bool sap_evidence_ctx_make(struct sap_report *report, struct sap_evidence_ctx *ctx,
			   const struct sap_evidence *e, const struct sap_states *states);
void sap_evidence_ctx_clear(struct sap_evidence_ctx *ctx);

/* ---- evidence_report.c ------------------------------------------------------------------ */

/* UTC; "2026-11-22T10:00:00.123Z" or, for people, "2026-11-22 10:00:00". Empty: unknown. */
#define SAP_TIME_SIZE 40
const char *sap_report_time(int64_t ns, bool iso, char text[SAP_TIME_SIZE]);

/* Prints a text (escaped already) as lines that are cut at blanks, and empties it. */
void sap_report_wrap(const struct sap_tty *tty, unsigned indent, enum sap_style style,
		     struct sap_buf *text);

struct sap_str sap_evidence_process_name(const struct sap_evidence *e, uint32_t process);
/* "nginx (pid 812, nginx.service, 0.0.0.0:443/tcp)", escaped. */
void sap_evidence_put_process(struct sap_buf *out, const struct sap_evidence *e, uint32_t process);
/* Its sockets, the most exposed first; the caller frees the list. */
const struct sap_listen **sap_evidence_listens(const struct sap_evidence *e, uint32_t process,
					       size_t *n);
void sap_evidence_put_listens(struct sap_buf *out, const struct sap_evidence *e, uint32_t process,
			      size_t max);

/* "lost: 12 records of mappings, 3 opens"; false, and nothing, where nothing was. */
bool sap_evidence_put_losses(struct sap_buf *out, const struct sap_evidence *e);
/* ", 1 gap (5 min not watched)"; nothing where there is none. */
void sap_evidence_put_gaps(struct sap_buf *out, const struct sap_evidence *e);

/* The object of the facts that a file is; SAP_NONE. */
uint32_t sap_evidence_object(const struct sap_evidence_ctx *ctx, uint32_t file);
/* With what the facts know of code that the loader runs. */
enum sap_state sap_evidence_state(const struct sap_evidence_ctx *ctx, uint32_t file,
				  bool *load_time_only);
enum sap_tristate sap_evidence_load_time(const struct sap_evidence_ctx *ctx, uint32_t file);
/* Whether a file is meant by a soname, a path or a base name. */
bool sap_evidence_file_is(const struct sap_evidence_ctx *ctx, uint32_t file, struct sap_str name);
void sap_evidence_cell_package(struct sap_table *table, const struct sap_evidence_ctx *ctx,
			       uint32_t file);
struct sap_str sap_evidence_container(const struct sap_evidence *e, uint32_t root);

/* A process that lives and maps an old copy of a file. */
struct sap_restart {
	uint32_t process, file;
};

/* All of them: services first, then by pid; the caller frees the list. */
struct sap_restart *sap_restarts(struct sap_report *report, const struct sap_evidence_ctx *ctx,
				 size_t *n);
/* Whether one restart does for both: a process, a service. */
bool sap_restart_same(const struct sap_evidence *e, const struct sap_restart *a,
		      const struct sap_restart *b);

/* ---- evidence_json.c -------------------------------------------------------------------- */

void sap_evidence_json_process(struct sap_json *json, const char *key, const struct sap_evidence *e,
			       uint32_t process);
void sap_evidence_json_function(struct sap_json *json, const char *key,
				const struct sap_evidence *e, uint32_t function);

/* ---- evidence_tables.c ------------------------------------------------------------------ */

/* "nginx.service (pid 812 and 3 more): libssl.so.3", one line a service or process. */
void sap_evidence_tty_restart(struct sap_report *report, const struct sap_evidence_ctx *ctx);
/* "environment loads code: LD_PRELOAD in nginx (pid 7)": of the processes that map that file, or of
 * all (SAP_NONE). */
void sap_evidence_tty_environment(struct sap_report *report, const struct sap_evidence_ctx *ctx,
				  uint32_t file);
/* Who maps that file. */
void sap_evidence_tty_processes(struct sap_report *report, const struct sap_evidence_ctx *ctx,
				uint32_t file);
/* The functions of what goes by that name. */
void sap_evidence_tty_functions(struct sap_report *report, const struct sap_evidence_ctx *ctx,
				const char *name);

#endif
