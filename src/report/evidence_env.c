/* SPDX-License-Identifier: Apache-2.0 */
#include "report/evreport_int.h"

enum { PROCESSES_SHOWN = 5 };

static bool loads_code(const struct sap_seen_process *p)
{
	return !sap_seen_free(p) &&
	       p->preloads & (SAP_ENV_PRELOAD | SAP_ENV_LIBRARY_PATH | SAP_ENV_AUDIT);
}

/* "LD_PRELOAD, LD_AUDIT in nginx (pid 7)" */
static void put_one(struct sap_buf *line, const struct sap_evidence *e, uint32_t process)
{
	static const char *const names[] = { "LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT" };
	const struct sap_seen_process *p = &e->processes.v[process];
	const char *mark = "";

	for (unsigned i = 0; i < 3; i++) {
		if (p->preloads & 1u << i) {
			sap_buf_printf(line, "%s%s", mark, names[i]);
			mark = ", ";
		}
	}
	sap_buf_puts(line, SAP_STR(" in "));
	sap_tty_escape(line, sap_evidence_process_name(e, process));
	if (p->count > 1)
		sap_buf_printf(line, " (%llu ended)", (unsigned long long)p->count);
	else
		sap_buf_printf(line, " (pid %d%s)", p->pid, p->ended ? ", ended" : "");
}

void sap_evidence_tty_environment(struct sap_report *report, const struct sap_evidence_ctx *ctx,
				  uint32_t file)
{
	const struct sap_evidence *e = ctx->e;
	const struct sap_evidence_list *uses = &ctx->groups->uses;
	uint32_t from = file == SAP_NONE ? 0 : uses->first[file];
	uint32_t to = file == SAP_NONE ? (uint32_t)e->processes.n : uses->first[file + 1];
	size_t n = 0;
	struct sap_buf line;

	sap_buf_init(&line, SAP_LINE_MAX);
	for (uint32_t i = from; i < to; i++) {
		uint32_t process = file == SAP_NONE ? i : e->uses.v[uses->v[i]].process;

		if (!loads_code(&e->processes.v[process]))
			continue;
		if (n++ >= PROCESSES_SHOWN && !report->options.verbose)
			continue;
		sap_buf_puts(&line, n == 1 ? SAP_STR("environment loads code: ") : SAP_STR("; "));
		put_one(&line, e, process);
	}
	if (n > PROCESSES_SHOWN && !report->options.verbose)
		sap_buf_printf(&line, " and %zu more", n - PROCESSES_SHOWN);
	if (n)
		sap_report_wrap(&report->tty, file == SAP_NONE ? 0 : 2, SAP_YELLOW, &line);
	sap_buf_clear(&line);
}
