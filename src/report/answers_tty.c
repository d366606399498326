/* SPDX-License-Identifier: Apache-2.0 */
#include "report/report_int.h"

enum {
	UNNEEDED_GONE_SHOWN = 6,
	EACH_MAX = 3, /* of more programs only those that load the library are listed */
};

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

static void put_loads(struct sap_report *report, const struct sap_why_view *view, uint32_t i)
{
	const struct sap_links_view *links = &view->links;
	const struct sap_links_program *program = &links->programs[i];
	const struct sap_link_lib *lib = &program->closure->libs.v[view->libs[i]];
	const struct sap_tty *tty = &report->tty;

	sap_tty_text(tty, SAP_BOLD, sap_report_path(links->facts, program->object));
	sap_buf_puts(report->out,
		     lib->strict ? SAP_STR(" loads ") : SAP_STR(" may load, after its start, "));
	sap_tty_escape(report->out, sap_report_path(links->facts, lib->object));
	sap_buf_puts(report->out, SAP_STR(" ("));
	sap_report_put_owner(tty, links, lib->object);
	sap_buf_printf(report->out, "): %u chain%s\n", view->chains[i].n_all,
		       sap_plural(view->chains[i].n_all));
	put_chains(report, links, program, &view->chains[i]);
}

static void put_not(struct sap_report *report, const struct sap_why_view *view, uint32_t i)
{
	const struct sap_links_program *program = &view->links.programs[i];
	const struct sap_closure *closure = program->closure;
	const struct sap_tty *tty = &report->tty;
	uint32_t missing = sap_gaps_missing(closure);

	sap_tty_text(tty, SAP_BOLD, sap_report_path(view->links.facts, program->object));
	if (closure->is_static) {
		sap_buf_puts(report->out,
			     SAP_STR(" is static: what was linked into it cannot be seen"));
	} else if (missing) {
		sap_tty_begin(tty, SAP_RED);
		sap_buf_printf(report->out, ": cannot tell: %u librar%s of it %s not found",
			       missing, sap_plural_y(missing), missing == 1 ? "was" : "were");
		sap_tty_end(tty, SAP_RED);
	} else if (!closure->complete) {
		sap_tty_put(tty, SAP_RED, ": cannot tell: some files of it could not be looked up");
	} else {
		sap_buf_puts(report->out, SAP_STR(" does not load "));
		sap_tty_escape(report->out, sap_str_of(view->library));
	}
	sap_buf_putc(report->out, '\n');
}

struct why_counts {
	uint32_t all, found, is_static, unknown;
};

static struct why_counts count_why(const struct sap_why_view *view)
{
	struct why_counts c = { 0 };

	for (uint32_t i = 0; i < view->links.n_programs; i++) {
		const struct sap_links_program *program = &view->links.programs[i];

		if (program->object == SAP_NONE)
			continue;
		c.all++;
		if (view->libs[i] != SAP_NONE)
			c.found++;
		else if (program->closure->is_static)
			c.is_static++;
		else
			c.unknown += sap_gaps_any(program->closure);
	}
	return c;
}

static void put_rest(const struct sap_tty *tty, const struct why_counts *c)
{
	uint32_t not = c->all - c->found - c->is_static - c->unknown;

	if (c->found)
		sap_buf_putc(tty->out, '\n');
	sap_tty_line(tty, SAP_BOLD, "%u of %u programs do%s not load it", not, c->all,
		     not == 1 ? "es" : "");
	if (c->is_static)
		sap_tty_line(tty, SAP_PLAIN, "%u %s static: what was linked into %s cannot be seen",
			     c->is_static, c->is_static == 1 ? "is" : "are",
			     c->is_static == 1 ? "it" : "them");
	if (c->unknown)
		sap_tty_line(tty, SAP_RED,
			     "of %u it cannot be told: libraries of %s were not found", c->unknown,
			     c->unknown == 1 ? "it" : "them");
}

void sap_why_tty(struct sap_report *report, const struct sap_why_view *view)
{
	struct why_counts c = count_why(view);
	bool first = true, gap = false;

	for (uint32_t i = 0; i < view->links.n_programs; i++) {
		bool found = view->libs[i] != SAP_NONE, large;

		if (view->links.programs[i].object == SAP_NONE || (!found && c.all > EACH_MAX))
			continue;
		large = found && view->chains[i].n_all > 1;
		if (!first && (gap || large))
			sap_buf_putc(report->out, '\n');
		first = false;
		gap = large;
		if (found)
			put_loads(report, view, i);
		else
			put_not(report, view, i);
	}
	if (c.all > EACH_MAX)
		put_rest(&report->tty, &c);
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

	sap_gaps_put_line(tty, facts, program->closure);
	sap_tty_text(tty, SAP_BOLD, sap_report_path(facts, program->object));
	sap_buf_puts(report->out, SAP_STR(" ("));
	sap_report_put_owner(tty, &view->links, program->object);
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
