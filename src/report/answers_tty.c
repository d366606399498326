/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "report/report_int.h"

#define COUNT(v) (sizeof(v) / sizeof((v)[0]))

enum { UNNEEDED_GONE_SHOWN = 6 };

/* ---- why -------------------------------------------------------------------------------- */

static void put_step(const struct sap_tty *tty, const struct sap_facts *facts,
		     const struct sap_closure *closure, const struct sap_link_edge *edge)
{
	enum sap_style style = edge->kind == SAP_EDGE_DLOPEN_STRING ? SAP_YELLOW : SAP_DIM;

	sap_buf_puts(tty->out, SAP_STR(" -> "));
	sap_tty_escape(tty->out, sap_facts_str(facts, edge->name));
	sap_tty_begin(tty, style);
	sap_buf_puts(tty->out, SAP_STR(" ("));
	sap_buf_puts(tty->out, sap_str_of(sap_edge_kind_name(edge->kind)));
	if (edge->via) {
		struct sap_str priority = sap_report_priority(facts, closure, edge);

		sap_buf_puts(tty->out, SAP_STR(": "));
		sap_tty_escape(tty->out, sap_facts_str(facts, edge->via));
		if (priority.n) {
			sap_buf_puts(tty->out, SAP_STR(", "));
			sap_tty_escape(tty->out, priority);
		}
	}
	sap_buf_putc(tty->out, ')');
	sap_tty_end(tty, style);
}

static void put_chains(struct sap_report *report, const struct sap_links_view *links,
		       const struct sap_links_program *program,
		       const struct sap_link_chains *chains)
{
	const struct sap_tty *tty = &report->tty;

	for (size_t c = 0; c < chains->chains.n; c++) {
		struct sap_range range = chains->chains.v[c];

		sap_buf_printf(report->out, "%3zu. ", c + 1);
		sap_tty_escape(report->out,
			       sap_path_base(sap_report_path(links->facts, program->object)));
		for (uint32_t e = 0; e < range.n; e++)
			put_step(tty, links->facts, program->closure,
				 &program->closure->edges.v[chains->edges.v[range.at + e]]);
		sap_buf_putc(report->out, '\n');
	}
	if (chains->chains.n < chains->n_all)
		sap_tty_line(tty, SAP_DIM, "  and %zu more%s", chains->n_all - chains->chains.n,
			     chains->n_all >= 10000 ? " at least" : "");
}

static void put_why(struct sap_report *report, const struct sap_why_view *view, uint32_t i)
{
	const struct sap_links_view *links = &view->links;
	const struct sap_links_program *program = &links->programs[i];
	const struct sap_tty *tty = &report->tty;
	const struct sap_link_lib *lib;

	sap_tty_text(tty, SAP_BOLD, sap_report_path(links->facts, program->object));
	if (view->libs[i] == SAP_NONE) {
		sap_buf_puts(report->out, SAP_STR(" does not load "));
		sap_tty_escape(report->out, sap_str_of(view->library));
		if (!program->closure->complete)
			sap_tty_put(tty, SAP_RED,
				    " (INCOMPLETE: some files could not be looked up)");
		sap_buf_putc(report->out, '\n');
		return;
	}
	lib = &program->closure->libs.v[view->libs[i]];
	sap_buf_puts(report->out,
		     lib->strict ? SAP_STR(" loads ") : SAP_STR(" may load, after its start, "));
	sap_tty_escape(report->out, sap_report_path(links->facts, lib->object));
	sap_buf_puts(report->out, SAP_STR(" ("));
	sap_report_put_package(tty, links->facts, links->facts->objects.v[lib->object].package);
	sap_buf_printf(report->out, "): %u chain%s\n", view->chains[i].n_all,
		       view->chains[i].n_all == 1 ? "" : "s");
	put_chains(report, links, program, &view->chains[i]);
}

void sap_why_tty(struct sap_report *report, const struct sap_why_view *view)
{
	bool first = true;

	for (uint32_t i = 0; i < view->links.n_programs; i++) {
		if (view->links.programs[i].object == SAP_NONE)
			continue;
		if (!first)
			sap_buf_putc(report->out, '\n');
		first = false;
		put_why(report, view, i);
	}
}

/* ---- unneeded --------------------------------------------------------------------------- */

static void put_gone(struct sap_report *report, const struct sap_facts *facts,
		     const struct sap_closure *closure, const struct sap_link_unneeded_list *list,
		     struct sap_range gone)
{
	const struct sap_tty *tty = &report->tty;
	uint32_t shown = gone.n;

	if (gone.n == 0) {
		sap_tty_put(tty, SAP_DIM, ": still loaded through others");
		return;
	}
	if (shown > UNNEEDED_GONE_SHOWN && !report->options.verbose)
		shown = UNNEEDED_GONE_SHOWN;
	sap_buf_printf(report->out, ": %u librar%s less:", gone.n, gone.n == 1 ? "y" : "ies");
	for (uint32_t i = 0; i < shown; i++) {
		uint32_t object = closure->libs.v[list->gone.v[gone.at + i]].object;

		sap_buf_putc(report->out, ' ');
		sap_tty_escape(report->out, sap_report_name(facts, object));
	}
	if (shown < gone.n)
		sap_buf_puts(report->out, SAP_STR(" ..."));
}

static void put_unneeded(struct sap_report *report, const struct sap_unneeded_view *view,
			 uint32_t i)
{
	const struct sap_links_program *program = &view->links.programs[i];
	const struct sap_link_unneeded_list *list = &view->lists[i];
	const struct sap_facts *facts = view->links.facts;
	const struct sap_tty *tty = &report->tty;

	sap_tty_text(tty, SAP_BOLD, sap_report_path(facts, program->object));
	sap_buf_puts(report->out, SAP_STR(" ("));
	sap_report_put_package(tty, facts, facts->objects.v[program->object].package);
	sap_buf_puts(report->out, list->entries.n ? SAP_STR(")\n") : SAP_STR("): none\n"));
	for (size_t e = 0; e < list->entries.n; e++) {
		const struct sap_link_unneeded *entry = &list->entries.v[e];
		const struct sap_link_edge *edge = &program->closure->edges.v[entry->edge];

		sap_buf_puts(report->out, SAP_STR("  "));
		sap_tty_text(tty, SAP_YELLOW, sap_facts_str(facts, edge->name));
		put_gone(report, facts, program->closure, list, entry->gone);
		sap_buf_putc(report->out, '\n');
	}
}

void sap_unneeded_tty(struct sap_report *report, const struct sap_unneeded_view *view)
{
	size_t programs = 0, entries = 0;

	for (uint32_t i = 0; i < view->links.n_programs; i++) {
		if (view->links.programs[i].object == SAP_NONE)
			continue;
		put_unneeded(report, view, i);
		programs += view->lists[i].entries.n > 0;
		entries += view->lists[i].entries.n;
	}
	sap_tty_line(&report->tty, SAP_BOLD,
		     "%zu of %u program%s name%s libraries without using them, %zu entr%s in all",
		     programs, view->n_looked_at, view->n_looked_at == 1 ? "" : "s",
		     programs == 1 ? "s" : "", entries, entries == 1 ? "y" : "ies");
}

/* ---- census ----------------------------------------------------------------------------- */

static void put_row(struct sap_table *table, const struct sap_census_row *row)
{
	sap_table_text(table, row->system.n ? row->system : sap_str_of(row->target));
	if (row->problem) {
		for (unsigned i = 0; i < 7; i++)
			sap_table_printf(table, "-");
		sap_table_text(table, sap_str_of(row->problem));
		sap_table_style(table, SAP_RED);
		return;
	}
	sap_table_printf(table, "%u", row->libraries);
	sap_table_printf(table, "%u", row->direct);
	sap_table_printf(table, "%u", row->packages);
	sap_table_printf(table, "%llu", (unsigned long long)(row->code_bytes + 1023) / 1024);
	sap_table_printf(table, "%u", row->beyond);
	sap_table_printf(table, "%u", row->guesses);
	sap_table_printf(table, "%u", row->missing);
	if (row->missing)
		sap_table_style(table, SAP_RED);
	sap_table_text(table, row->program);
	if (row->unowned) {
		char note[32];

		snprintf(note, sizeof(note), "(%u unowned)", row->unowned);
		sap_table_more(table, sap_str_of(note));
		sap_table_style(table, SAP_YELLOW);
	}
}

void sap_census_tty(struct sap_report *report, const struct sap_census_view *view)
{
	static const struct sap_column columns[] = {
		{ .head = "SYSTEM", .min = 12 },
		{ .head = "LIBRARIES", .right = true },
		{ .head = "DIRECT", .right = true },
		{ .head = "PACKAGES", .right = true },
		{ .head = "CODE KiB", .right = true },
		{ .head = "BEYOND", .right = true },
		{ .head = "GUESSES", .right = true },
		{ .head = "MISSING", .right = true },
		{ .head = "PROGRAM", .style = SAP_DIM, .min = 12 },
	};
	struct sap_table table;

	sap_table_begin(&table, &report->tty, columns, COUNT(columns));
	for (uint32_t i = 0; i < view->n_rows; i++)
		put_row(&table, &view->rows[i]);
	sap_table_end(&table);
	sap_tty_line(&report->tty, SAP_DIM,
		     "LIBRARIES: loaded at start, as %s loads them; BEYOND: further "
		     "ones by PAM, NSS, dlopen notes",
		     sap_report_cpu(view->cpu_level));
}
