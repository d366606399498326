/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "report/report_int.h"

/* Deeper levels of a tree are drawn at this one: a chain of thousands of libraries must not
 * become millions of lines' indentation. */
#define DEPTH_DRAWN 24u

enum { SEARCH_STEPS_SHOWN = 12, PATH_MIN = 20 };

/* e_machine: the only one whose CPU level says where libraries are looked for. */
enum { MACHINE_X86_64 = 62 };

struct tree {
	struct sap_report *report;
	const struct sap_links_view *view;
	const struct sap_closure *closure;
	struct sap_edge_index index;
	uint32_t *next;       /* of node k: how many of its edges are drawn; node 0: the program */
	uint32_t *path;       /* nodes from the program to here */
	uint32_t *missing_of; /* of edge e: 1 + index in closure->missing, or 0 */
	unsigned char *seen;  /* of node k */
	uint32_t depth;
};

static void put(const struct tree *t, enum sap_style style, const char *words)
{
	sap_tty_put(&t->report->tty, style, words);
}

/* ---- the line of an edge ---------------------------------------------------------------- */

/* What stands before a line at the given depth; returns its columns. */
static unsigned put_indent(const struct tree *t, uint32_t depth, const char *last_word)
{
	uint32_t drawn = depth < DEPTH_DRAWN ? depth : DEPTH_DRAWN;

	sap_tty_begin(&t->report->tty, SAP_DIM);
	for (uint32_t level = 0; level < drawn; level++) {
		uint32_t node = t->path[level];
		bool more = t->index.first[node] + t->next[node] < t->index.first[node + 1];

		sap_buf_puts(t->report->out, more ? SAP_STR("│  ") : SAP_STR("   "));
	}
	sap_buf_puts(t->report->out, sap_str_of(last_word));
	sap_tty_end(&t->report->tty, SAP_DIM);
	return drawn * 3 + sap_tty_columns(sap_str_of(last_word));
}

/* Why an edge is there, where it is not DT_NEEDED: " [pam: pam.d/sshd]". */
static void put_reason(struct sap_buf *out, const struct tree *t, const struct sap_link_edge *edge)
{
	const struct sap_facts *facts = t->view->facts;
	struct sap_str via = sap_facts_str(facts, edge->via);
	struct sap_str priority;

	switch (edge->kind) {
	case SAP_EDGE_NEEDED:
		return;
	case SAP_EDGE_DLOPEN_STRING:
		sap_buf_puts(out, SAP_STR(" [guess: string]"));
		return;
	case SAP_EDGE_DLOPEN_NOTE:
		sap_buf_puts(out, SAP_STR(" [dlopen note"));
		break;
	default:
		sap_buf_puts(out, SAP_STR(" ["));
		sap_buf_puts(out, sap_str_of(sap_edge_kind_name(edge->kind)));
		break;
	}
	if (via.n) {
		sap_buf_puts(out, SAP_STR(": "));
		sap_tty_escape(out, via);
	}
	priority = sap_report_priority(facts, t->closure, edge);
	if (priority.n) {
		sap_buf_puts(out, SAP_STR(" ("));
		sap_tty_escape(out, priority);
		sap_buf_putc(out, ')');
	}
	sap_buf_putc(out, ']');
}

static enum sap_style reason_style(const struct sap_link_edge *edge)
{
	return edge->kind == SAP_EDGE_DLOPEN_STRING ? SAP_YELLOW : SAP_DIM;
}

/* Prints what scratch holds and empties it; returns its columns. */
static unsigned flush(const struct tree *t, struct sap_buf *scratch, enum sap_style style)
{
	struct sap_str text = sap_buf_str(scratch);
	unsigned columns = sap_tty_columns(text);

	if (text.n) {
		sap_tty_begin(&t->report->tty, style);
		sap_buf_puts(t->report->out, text);
		sap_tty_end(&t->report->tty, style);
	}
	if (!sap_buf_ok(scratch))
		t->report->out->failed = true;
	sap_buf_reset(scratch);
	return columns;
}

/* " /usr/lib/... (libc6 2.36-9) [ld.so.cache]", the path in what the rest leaves of the width. */
static void put_details(const struct tree *t, const struct sap_link_edge *edge, unsigned used)
{
	const struct sap_facts *facts = t->view->facts;
	const struct sap_object *o = &facts->objects.v[t->closure->libs.v[edge->to].object];
	struct sap_str path = sap_facts_str(facts, o->path);
	struct sap_buf package, text;
	struct sap_tty into = { .out = &package };
	unsigned rest;

	sap_buf_init(&package, SIZE_MAX / 2);
	sap_buf_init(&text, SIZE_MAX / 2);
	sap_report_put_package(&into, facts, o->package);
	if (edge->how != SAP_HOW_NONE)
		sap_buf_printf(&text, " [%s]", sap_link_how_name(edge->how));
	rest = used + sap_tty_columns(sap_buf_str(&package)) + 4 +
	       sap_tty_columns(sap_buf_str(&text));
	if (!sap_str_eq(path, sap_facts_str(facts, edge->name))) {
		unsigned width = t->report->tty.width;
		struct sap_buf escaped;

		sap_buf_init(&escaped, SIZE_MAX / 2);
		sap_tty_escape(&escaped, path);
		sap_buf_putc(t->report->out, ' ');
		sap_tty_shorten(t->report->out, sap_buf_str(&escaped),
				width == 0                ? UINT32_MAX
				: width > rest + PATH_MIN ? width - rest
							  : PATH_MIN);
		sap_buf_clear(&escaped);
	}
	sap_buf_puts(t->report->out, SAP_STR(" ("));
	flush(t, &package, o->package == SAP_NONE ? SAP_YELLOW : SAP_PLAIN);
	sap_buf_putc(t->report->out, ')');
	flush(t, &text, SAP_DIM);
	sap_buf_clear(&package);
	sap_buf_clear(&text);
}

static void put_search(const struct tree *t, uint32_t missing)
{
	struct sap_range range = t->closure->missing.v[missing].searched;
	const struct sap_tty *tty = &t->report->tty;

	for (uint32_t i = 0; i < range.n; i++) {
		const struct sap_link_searched *step = &t->closure->searched.v[range.at + i];

		put_indent(t, t->depth + 1, "   ");
		if (i == SEARCH_STEPS_SHOWN && !t->report->options.verbose) {
			sap_tty_line(tty, SAP_DIM, "and %u more steps", range.n - i);
			return;
		}
		sap_buf_printf(t->report->out, "%s: ", sap_link_how_name(step->how));
		sap_tty_text(tty, SAP_PLAIN, step->path);
		sap_buf_puts(t->report->out, SAP_STR(": "));
		put(t, SAP_DIM, step->why ? step->why : "");
		sap_buf_putc(t->report->out, '\n');
	}
}

static void put_missing(const struct tree *t, uint32_t e)
{
	const struct sap_link_edge *edge = &t->closure->edges.v[e];
	bool known = t->missing_of[e];

	if (!known) {
		put(t, SAP_DIM, edge->kind == SAP_EDGE_INTERP ? "" : " (nobody has looked)");
		sap_buf_putc(t->report->out, '\n');
		return;
	}
	put(t, edge->optional ? SAP_DIM : SAP_RED,
	    edge->optional ? " not found (optional)" : " not found");
	sap_buf_putc(t->report->out, '\n');
	if (!edge->optional || t->report->options.verbose)
		put_search(t, t->missing_of[e] - 1);
}

/* The line of an edge; whether its library is entered here: at the edge that brought it in
 * first, so that the tree is the loader's and every library stands as high as it can. */
static bool put_line(struct tree *t, uint32_t e, bool last)
{
	const struct sap_link_edge *edge = &t->closure->edges.v[e];
	struct sap_str name = sap_facts_str(t->view->facts, edge->name);
	unsigned used = put_indent(t, t->depth, last ? "└─ " : "├─ ");
	struct sap_buf scratch;
	bool fresh;

	sap_buf_init(&scratch, SIZE_MAX / 2);
	sap_tty_escape(&scratch, name);
	used += flush(t, &scratch, t->missing_of[e] && !edge->optional ? SAP_RED : SAP_PLAIN);
	put_reason(&scratch, t, edge);
	used += flush(t, &scratch, reason_style(edge));
	sap_buf_clear(&scratch);
	if (edge->to == SAP_NONE) {
		put_missing(t, e);
		return false;
	}
	fresh = !t->seen[edge->to + 1] && t->closure->libs.v[edge->to].edge == e;
	if (fresh) {
		t->seen[edge->to + 1] = 1;
		put_details(t, edge, used);
	} else {
		put(t, SAP_DIM, t->seen[edge->to + 1] ? " (above)" : " (below)");
	}
	sap_buf_putc(t->report->out, '\n');
	return fresh;
}

/* ---- the tree --------------------------------------------------------------------------- */

/* Depth first, without recursion: a target decides how deep. */
static void draw(struct tree *t)
{
	t->path[0] = 0;
	t->seen[0] = 1;
	for (;;) {
		uint32_t node = t->path[t->depth];
		uint32_t at = t->index.first[node] + t->next[node];
		uint32_t end = t->index.first[node + 1];
		uint32_t e;

		if (at >= end) {
			if (t->depth == 0)
				return;
			t->depth--;
			continue;
		}
		e = t->index.order[at];
		t->next[node]++;
		if (put_line(t, e, at + 1 == end)) {
			t->depth++;
			t->path[t->depth] = t->closure->edges.v[e].to + 1;
		}
	}
}

static void put_tree(struct sap_report *report, const struct sap_links_view *view,
		     const struct sap_closure *closure)
{
	size_t nodes = closure->libs.n + 1;
	struct tree t = { .report = report, .view = view, .closure = closure };

	t.next = calloc(nodes, sizeof(*t.next));
	t.path = calloc(nodes + 1, sizeof(*t.path));
	t.seen = calloc(nodes, sizeof(*t.seen));
	t.missing_of = calloc(closure->edges.n + 1, sizeof(*t.missing_of));
	if (t.next && t.path && t.seen && t.missing_of &&
	    sap_edge_index_make(report, closure, false, report->options.verbose, &t.index)) {
		for (uint32_t i = 0; i < closure->missing.n; i++)
			t.missing_of[closure->missing.v[i].edge] = i + 1;
		draw(&t);
		sap_edge_index_clear(&t.index);
	} else {
		report->out->failed = true;
	}
	free(t.next);
	free(t.path);
	free(t.seen);
	free(t.missing_of);
}

/* ---- a program -------------------------------------------------------------------------- */

static void put_versions(const struct sap_tty *tty, const struct sap_facts *facts,
			 const struct sap_closure *closure)
{
	for (size_t i = 0; i < closure->versions.n; i++) {
		const struct sap_link_version *v = &closure->versions.v[i];
		enum sap_style style = v->weak ? SAP_DIM : SAP_RED;

		sap_tty_begin(tty, style);
		sap_buf_puts(tty->out, SAP_STR("version "));
		sap_tty_escape(tty->out, sap_facts_str(facts, v->version));
		sap_buf_puts(tty->out, SAP_STR(" of "));
		sap_tty_escape(tty->out, sap_facts_str(facts, v->file));
		sap_buf_puts(tty->out, SAP_STR(" is not defined; needed by "));
		sap_tty_escape(tty->out, sap_report_from(facts, closure, v->from));
		if (v->weak)
			sap_buf_puts(tty->out, SAP_STR(" (weak: tolerated)"));
		sap_tty_end(tty, style);
		sap_buf_putc(tty->out, '\n');
	}
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
	uint32_t n = 0;

	for (size_t i = 0; i < closure->missing.n; i++)
		n += !closure->edges.v[closure->missing.v[i].edge].optional;
	for (size_t i = 0; i < closure->versions.n; i++)
		n += !closure->versions.v[i].weak;
	return n;
}

static void put_program(struct sap_report *report, const struct sap_links_view *view,
			const struct sap_links_program *program)
{
	const struct sap_facts *facts = view->facts;
	const struct sap_closure *closure = program->closure;
	const struct sap_tty *tty = &report->tty;
	size_t beyond = closure->libs.n - closure->n_strict;
	uint32_t missing = count_missing(closure);

	sap_tty_text(tty, SAP_BOLD, sap_report_path(facts, program->object));
	sap_buf_puts(report->out, SAP_STR(" ("));
	sap_report_put_package(tty, facts, facts->objects.v[program->object].package);
	sap_buf_printf(report->out, "): %u librar%s (%u direct)", closure->n_strict,
		       closure->n_strict == 1 ? "y" : "ies", closure->n_direct);
	if (beyond)
		sap_buf_printf(report->out, " and %zu beyond", beyond);
	sap_buf_printf(report->out, ", %llu KiB of code",
		       (unsigned long long)(code_bytes(facts, closure) + 1023) / 1024);
	sap_buf_puts(report->out, closure->is_static ? SAP_STR(", static") : SAP_STR(""));
	sap_buf_puts(report->out, closure->secure ? SAP_STR(", secure mode") : SAP_STR(""));
	if (facts->objects.v[program->object].machine == MACHINE_X86_64 && !closure->is_static)
		sap_buf_printf(report->out, ", CPU level %s%s", sap_report_cpu(view->cpu_level),
			       view->cpu_of_host ? "" : " assumed");
	if (missing) {
		sap_buf_puts(report->out, SAP_STR(", "));
		sap_tty_begin(tty, SAP_RED);
		sap_buf_printf(report->out, "%u missing", missing);
		sap_tty_end(tty, SAP_RED);
	}
	sap_buf_putc(report->out, '\n');
	if (!closure->complete)
		sap_tty_line(tty, SAP_RED, "INCOMPLETE: some files could not be looked up");
	put_tree(report, view, closure);
	put_versions(tty, facts, closure);
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
