/* SPDX-License-Identifier: Apache-2.0 */
#include "report/report_int.h"

/* e_machine: the only one whose CPU level says where libraries are looked for. */
enum { MACHINE_X86_64 = 62 };

/* ---- a program -------------------------------------------------------------------------- */

static void put_versions(struct sap_report *report, const struct sap_facts *facts,
			 const struct sap_closure *closure)
{
	const struct sap_tty *tty = &report->tty;
	struct sap_buf text;

	sap_buf_init(&text, SIZE_MAX / 2);
	for (size_t i = 0; i < closure->versions.n; i++) {
		const struct sap_link_version *v = &closure->versions.v[i];
		enum sap_style style = v->weak ? SAP_DIM : SAP_RED;
		unsigned column = 0;

		sap_buf_reset(&text);
		sap_buf_puts(&text, SAP_STR("version "));
		sap_tty_escape(&text, sap_facts_str(facts, v->version));
		sap_buf_puts(&text, SAP_STR(" of "));
		sap_tty_escape(&text, sap_facts_str(facts, v->file));
		sap_tty_flow(tty, &column, style, sap_buf_str(&text));
		sap_tty_flowf(tty, &column, style, " is not defined;");
		sap_buf_reset(&text);
		sap_buf_puts(&text, SAP_STR(" needed by "));
		sap_tty_escape(&text, sap_report_from(facts, closure, v->from));
		sap_tty_flow(tty, &column, style, sap_buf_str(&text));
		if (v->weak)
			sap_tty_flowf(tty, &column, style, " (weak: tolerated)");
		sap_buf_putc(tty->out, '\n');
	}
	if (!sap_buf_ok(&text))
		report->out->failed = true;
	sap_buf_clear(&text);
}

static uint64_t code_bytes(const struct sap_facts *facts, const struct sap_closure *closure)
{
	uint64_t sum = facts->objects.v[closure->program].code_bytes;

	for (size_t i = 0; i < closure->libs.n; i++) {
		if (closure->libs.v[i].strict)
			sum += facts->objects.v[closure->libs.v[i].object].code_bytes;
	}
	return sum;
}

/* Without the optional ones. */
static uint32_t count_missing(const struct sap_closure *closure)
{
	uint32_t n = sap_gaps_missing(closure);

	for (size_t i = 0; i < closure->versions.n; i++)
		n += !closure->versions.v[i].weak;
	return n;
}

static void put_title(struct sap_report *report, const struct sap_links_view *view, uint32_t object,
		      unsigned *column)
{
	struct sap_buf text;
	struct sap_tty into = { .out = &text };

	sap_buf_init(&text, SIZE_MAX / 2);
	sap_tty_escape(&text, sap_report_path(view->facts, object));
	sap_tty_flow(&report->tty, column, SAP_BOLD, sap_buf_str(&text));
	sap_buf_reset(&text);
	sap_buf_puts(&text, SAP_STR(" ("));
	sap_report_put_owner(&into, view, object);
	sap_buf_puts(&text, SAP_STR("):"));
	sap_tty_flow(&report->tty, column, SAP_PLAIN, sap_buf_str(&text));
	if (!sap_buf_ok(&text))
		report->out->failed = true;
	sap_buf_clear(&text);
}

/* Files that could be read in part only. */
static void put_losses(const struct sap_tty *tty, const struct sap_facts *facts,
		       const struct sap_closure *closure)
{
	for (size_t i = 0; facts->diagnostics.n && i <= closure->libs.n; i++) {
		uint32_t object = i ? closure->libs.v[i - 1].object : closure->program;
		const struct sap_diagnostic *loss =
			sap_gaps_loss_at(facts, sap_report_path(facts, object));

		if (!loss)
			continue;
		sap_tty_begin(tty, SAP_RED);
		sap_tty_escape(tty->out, sap_facts_str(facts, loss->path));
		sap_buf_puts(tty->out, SAP_STR(": "));
		sap_tty_escape(tty->out, sap_facts_str(facts, loss->code));
		sap_buf_puts(tty->out, SAP_STR(": "));
		sap_tty_escape(tty->out, sap_facts_str(facts, loss->message));
		sap_tty_end(tty, SAP_RED);
		sap_buf_putc(tty->out, '\n');
	}
}

static void put_program(struct sap_report *report, const struct sap_links_view *view,
			const struct sap_links_program *program)
{
	const struct sap_facts *facts = view->facts;
	const struct sap_closure *closure = program->closure;
	const struct sap_tty *tty = &report->tty;
	size_t beyond = closure->libs.n - closure->n_strict;
	uint32_t missing = count_missing(closure);
	unsigned column = 0;

	sap_gaps_put_line(tty, facts, closure);
	put_title(report, view, program->object, &column);
	sap_tty_flowf(tty, &column, SAP_PLAIN, " %u librar%s (%u direct)", closure->n_strict,
		      sap_plural_y(closure->n_strict), closure->n_direct);
	if (beyond)
		sap_tty_flowf(tty, &column, SAP_PLAIN, " and %zu beyond", beyond);
	sap_tty_flowf(tty, &column, SAP_PLAIN, ", %llu KiB of code",
		      (unsigned long long)(code_bytes(facts, closure) + 1023) / 1024);
	if (closure->is_static)
		sap_tty_flowf(tty, &column, SAP_PLAIN, ", static");
	if (closure->secure)
		sap_tty_flowf(tty, &column, SAP_PLAIN, ", secure mode");
	if (facts->objects.v[program->object].machine == MACHINE_X86_64 && !closure->is_static)
		sap_tty_flowf(tty, &column, SAP_PLAIN, ", CPU level %s%s",
			      sap_report_cpu(view->cpu_level), view->cpu_of_host ? "" : " assumed");
	if (missing)
		sap_tty_flowf(tty, &column, SAP_RED, ", %u missing", missing);
	sap_buf_putc(report->out, '\n');
	sap_tree_tty(report, view, closure);
	put_versions(report, facts, closure);
	put_losses(tty, facts, closure);
}

void sap_links_tty(struct sap_report *report, const struct sap_links_view *view)
{
	bool first = true;

	for (uint32_t i = 0; i < view->n_programs; i++) {
		if (view->programs[i].object == SAP_NONE)
			continue;
		if (!first)
			sap_buf_putc(report->out, '\n');
		first = false;
		put_program(report, view, &view->programs[i]);
	}
}

void sap_count_tty(struct sap_report *report, const struct sap_links_view *view)
{
	for (uint32_t i = 0; i < view->n_programs; i++) {
		const struct sap_links_program *program = &view->programs[i];

		if (program->object == SAP_NONE)
			continue;
		sap_buf_printf(report->out, "%u\t%u\t", program->closure->n_strict,
			       program->closure->n_direct);
		sap_tty_escape(report->out, sap_report_path(view->facts, program->object));
		sap_buf_putc(report->out, '\n');
	}
}
