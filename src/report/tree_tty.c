/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "report/report_int.h"

/* Deeper levels of a tree are drawn at this one: a chain of thousands of libraries must not
 * become millions of lines' indentation. On a terminal at most half of the width is blank. */
#define DEPTH_DRAWN 24u

enum { SEARCH_STEPS_SHOWN = 12, TEXT_MIN = 5 };

struct tree {
	struct sap_report *report;
	const struct sap_links_view *view;
	const struct sap_closure *closure;
	struct sap_edge_index index;
	uint32_t *next;       /* of node k: how many of its edges are drawn; node 0: the program */
	uint32_t *path;       /* nodes from the program to here */
	uint32_t *missing_of; /* of edge e: 1 + index in closure->missing, or 0 */
	unsigned char *seen;  /* of node k */
	unsigned char *fold;  /* of edge e: not drawn */
	uint32_t depth;
	uint32_t n_start; /* edges of the program that stand before those of later; all of them
			   * where the two are not apart */
};

/* Columns that are left of the width. */
static unsigned room_of(const struct tree *t, unsigned used)
{
	unsigned width = t->report->tty.width;

	if (width == 0)
		return UINT32_MAX;
	return width > used ? width - used : 0;
}

/* ---- the parts of a line ---------------------------------------------------------------- */

/* Where the edges of a node end: the program's in two parts. */
static uint32_t end_of(const struct tree *t, uint32_t node)
{
	if (node == 0 && t->next[0] <= t->n_start)
		return t->index.first[0] + t->n_start;
	return t->index.first[node + 1];
}

/* What stands before a line at the given depth; returns its columns. */
static unsigned put_indent(const struct tree *t, uint32_t depth, const char *last_word)
{
	unsigned width = t->report->tty.width;
	uint32_t most = width == 0 || width / 6 > DEPTH_DRAWN ? DEPTH_DRAWN : width / 6;
	uint32_t drawn = depth < most ? depth : most;

	sap_tty_begin(&t->report->tty, SAP_DIM);
	for (uint32_t level = 0; level < drawn; level++) {
		uint32_t node = t->path[level];
		bool more = t->index.first[node] + t->next[node] < end_of(t, node);

		sap_buf_puts(t->report->out, more ? SAP_STR("│  ") : SAP_STR("   "));
	}
	sap_buf_puts(t->report->out, sap_str_of(last_word));
	sap_tty_end(&t->report->tty, SAP_DIM);
	return drawn * 3 + sap_tty_columns(sap_str_of(last_word));
}

/* Why an edge is there, where it is not DT_NEEDED: " [pam: pam.d/sshd]". */
static void put_reason(struct sap_buf *out, const struct tree *t, const struct sap_link_edge *edge,
		       bool with_via)
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
	if (via.n && with_via) {
		sap_buf_puts(out, SAP_STR(": "));
		sap_tty_escape(out, via);
	}
	priority = sap_report_priority(facts, t->closure, edge);
	if (priority.n && with_via) {
		sap_buf_puts(out, SAP_STR(" ("));
		sap_tty_escape(out, priority);
		sap_buf_putc(out, ')');
	}
	sap_buf_putc(out, ']');
}

/* " (libc6 2.36-9)", " (libc6)" */
static void put_owner(struct sap_buf *out, const struct tree *t, uint32_t object, bool version)
{
	const struct sap_facts *facts = t->view->facts;
	uint32_t package = facts->objects.v[object].package;
	const struct sap_tty into = { .out = out };

	sap_buf_puts(out, SAP_STR(" ("));
	if (version || package >= facts->packages.n)
		sap_report_put_owner(&into, t->view, object);
	else
		sap_tty_escape(out, sap_facts_str(facts, facts->packages.v[package].name));
	sap_buf_putc(out, ')');
}

/* ---- the line of an edge ---------------------------------------------------------------- */

/* What a line leaves out, the first first; each step as well as those before it. */
enum cut { CUT_NOTHING, CUT_VERSION, CUT_HOW, CUT_VIA, CUT_PACKAGE, CUT_PATH, CUTS };

enum part { PART_NAME, PART_REASON, PART_PATH, PART_OWNER, PART_HOW, PART_WORDS, PARTS };

struct line {
	struct sap_buf text[PARTS];
	enum sap_style style[PARTS];
};

static void fill_line(const struct tree *t, uint32_t e, bool fresh, const char *words, enum cut cut,
		      struct line *line)
{
	const struct sap_link_edge *edge = &t->closure->edges.v[e];
	const struct sap_facts *facts = t->view->facts;
	struct sap_str name = sap_facts_str(facts, edge->name);
	bool cache = edge->how == SAP_HOW_CACHE && !t->report->options.verbose;

	for (unsigned i = 0; i < PARTS; i++)
		sap_buf_reset(&line->text[i]);
	sap_tty_escape(&line->text[PART_NAME], name);
	put_reason(&line->text[PART_REASON], t, edge, cut < CUT_VIA);
	sap_buf_puts(&line->text[PART_WORDS], sap_str_of(words));
	if (!fresh)
		return;
	if (cut < CUT_PATH) {
		struct sap_str path = sap_report_path(facts, t->closure->libs.v[edge->to].object);

		if (!sap_str_eq(path, name))
			sap_tty_escape(&line->text[PART_PATH], path);
	}
	if (cut < CUT_PACKAGE)
		put_owner(&line->text[PART_OWNER], t, t->closure->libs.v[edge->to].object,
			  cut < CUT_VERSION);
	if (cut < CUT_HOW && edge->how != SAP_HOW_NONE && !cache)
		sap_buf_printf(&line->text[PART_HOW], " [%s]", sap_link_how_name(edge->how));
}

/* Columns of all parts but the path. */
static unsigned columns_of(const struct line *line)
{
	unsigned n = 0;

	for (unsigned i = 0; i < PARTS; i++) {
		if (i != PART_PATH)
			n += sap_tty_columns(sap_buf_str(&line->text[i]));
	}
	return n;
}

/* Columns that a path needs at least: " " and its file name with ".../". */
static unsigned path_least(const struct line *line)
{
	struct sap_str path = sap_buf_str(&line->text[PART_PATH]);
	unsigned all = sap_tty_columns(path), base = sap_tty_columns(sap_path_base(path)) + 4;

	return path.n ? 1 + (base < all ? base : all) : 0;
}

static void print_line(const struct tree *t, const struct line *line, unsigned room)
{
	const struct sap_tty *tty = &t->report->tty;
	unsigned rest = columns_of(line);

	for (unsigned i = 0; i < PARTS; i++) {
		struct sap_str text = sap_buf_str(&line->text[i]);
		unsigned columns = sap_tty_columns(text);
		unsigned most = columns;

		if (!sap_buf_ok(&line->text[i]))
			t->report->out->failed = true;
		if (text.n == 0)
			continue;
		if (i == PART_PATH) {
			sap_buf_putc(tty->out, ' ');
			most = room > rest + 1 ? room - rest - 1 : TEXT_MIN;
		} else if (i == PART_NAME && rest > room) {
			most = room + columns > rest ? room + columns - rest : 0;
		}
		sap_tty_begin(tty, line->style[i]);
		sap_tty_shorten(tty->out, text, most < TEXT_MIN ? TEXT_MIN : most);
		sap_tty_end(tty, line->style[i]);
	}
}

/* The line in what `used` leaves of the width. */
static void put_edge(const struct tree *t, uint32_t e, bool fresh, const char *words,
		     enum sap_style words_style, unsigned used)
{
	const struct sap_link_edge *edge = &t->closure->edges.v[e];
	bool lost = edge->to == SAP_NONE && t->missing_of[e] && !edge->optional;
	bool guess = edge->kind == SAP_EDGE_DLOPEN_STRING;
	unsigned room = room_of(t, used);
	struct line line = {
		.style = { [PART_NAME] = lost ? SAP_RED : SAP_PLAIN,
			   [PART_REASON] = guess ? SAP_YELLOW : SAP_DIM,
			   [PART_HOW] = SAP_DIM,
			   [PART_WORDS] = words_style },
	};

	if (fresh &&
	    t->view->facts->objects.v[t->closure->libs.v[edge->to].object].package == SAP_NONE)
		line.style[PART_OWNER] = SAP_YELLOW;
	for (unsigned i = 0; i < PARTS; i++)
		sap_buf_init(&line.text[i], SIZE_MAX / 2);
	for (enum cut cut = CUT_NOTHING; cut < CUTS; cut++) {
		fill_line(t, e, fresh, words, cut, &line);
		if (columns_of(&line) + path_least(&line) <= room)
			break;
	}
	print_line(t, &line, room);
	sap_buf_putc(t->report->out, '\n');
	for (unsigned i = 0; i < PARTS; i++)
		sap_buf_clear(&line.text[i]);
}

/* ---- libraries that were not found ------------------------------------------------------ */

/* Why a file of a search did not do: what its diagnostic says, where it has one. */
static enum sap_style put_why(struct sap_buf *out, const struct tree *t,
			      const struct sap_link_searched *step)
{
	const struct sap_facts *facts = t->view->facts;
	const struct sap_diagnostic *loss = NULL;

	if (step->why && sap_str_is(sap_str_of(step->why), "not ELF"))
		loss = sap_gaps_loss(facts, step->path);
	if (!loss) {
		sap_buf_puts(out, sap_str_of(step->why ? step->why : ""));
		return SAP_DIM;
	}
	sap_tty_escape(out, sap_facts_str(facts, loss->code));
	sap_buf_puts(out, SAP_STR(": "));
	sap_tty_escape(out, sap_facts_str(facts, loss->message));
	return SAP_RED;
}

/* "default: /usr/lib/libz.so.1: no such file" */
static void put_step(const struct tree *t, const struct sap_link_searched *step, unsigned used)
{
	const struct sap_tty *tty = &t->report->tty;
	struct sap_str how = sap_str_of(sap_link_how_name(step->how));
	struct sap_buf path, why;
	unsigned room, least, columns;
	enum sap_style style;

	sap_buf_init(&path, SIZE_MAX / 2);
	sap_buf_init(&why, SIZE_MAX / 2);
	sap_tty_escape(&path, step->path);
	style = put_why(&why, t, step);
	if (!sap_buf_ok(&path) || !sap_buf_ok(&why))
		t->report->out->failed = true;
	room = room_of(t, used + (unsigned)how.n + 4);
	least = sap_tty_columns(sap_path_base(sap_buf_str(&path))) + 4;
	columns = sap_tty_columns(sap_buf_str(&why));
	if (room > columns && room - columns > least)
		least = room - columns;
	if (least > room)
		least = room;
	sap_buf_puts(tty->out, how);
	sap_buf_puts(tty->out, SAP_STR(": "));
	sap_tty_shorten(tty->out, sap_buf_str(&path), least < TEXT_MIN ? TEXT_MIN : least);
	columns = sap_tty_columns(sap_buf_str(&path));
	room -= columns < least ? columns : least;
	sap_buf_puts(tty->out, SAP_STR(": "));
	sap_tty_begin(tty, style);
	sap_tty_shorten(tty->out, sap_buf_str(&why), room < TEXT_MIN ? TEXT_MIN : room);
	sap_tty_end(tty, style);
	sap_buf_putc(tty->out, '\n');
	sap_buf_clear(&path);
	sap_buf_clear(&why);
}

static void put_search(const struct tree *t, uint32_t missing)
{
	struct sap_range range = t->closure->missing.v[missing].searched;

	for (uint32_t i = 0; i < range.n; i++) {
		unsigned used = put_indent(t, t->depth + 1, "   ");

		if (i == SEARCH_STEPS_SHOWN && !t->report->options.verbose) {
			sap_tty_line(&t->report->tty, SAP_DIM, "and %u more steps (-v shows all)",
				     range.n - i);
			return;
		}
		put_step(t, &t->closure->searched.v[range.at + i], used);
	}
}

/* The code of the first file of a search that could not be read; empty: all could be. */
static struct sap_str lost_file(const struct tree *t, uint32_t missing)
{
	struct sap_range range = t->closure->missing.v[missing].searched;

	for (uint32_t i = 0; i < range.n; i++) {
		const struct sap_link_searched *step = &t->closure->searched.v[range.at + i];
		const struct sap_diagnostic *loss = NULL;

		if (step->why && sap_str_is(sap_str_of(step->why), "not ELF"))
			loss = sap_gaps_loss(t->view->facts, step->path);
		if (loss)
			return sap_facts_str(t->view->facts, loss->code);
	}
	return (struct sap_str){ 0 };
}

static void put_missing(const struct tree *t, uint32_t e, unsigned used)
{
	const struct sap_link_edge *edge = &t->closure->edges.v[e];
	struct sap_buf words;
	struct sap_str code;

	if (!t->missing_of[e]) {
		put_edge(t, e, false, edge->kind == SAP_EDGE_INTERP ? "" : " (nobody has looked)",
			 SAP_DIM, used);
		return;
	}
	sap_buf_init(&words, SIZE_MAX / 2);
	code = lost_file(t, t->missing_of[e] - 1);
	sap_buf_puts(&words, SAP_STR(" not found"));
	if (code.n) {
		sap_buf_puts(&words, SAP_STR(": "));
		sap_tty_escape(&words, code);
	}
	if (edge->optional)
		sap_buf_puts(&words, SAP_STR(" (optional)"));
	sap_buf_putc(&words, '\0');
	put_edge(t, e, false, sap_buf_ok(&words) ? (const char *)words.p : "",
		 edge->optional ? SAP_DIM : SAP_RED, used);
	sap_buf_clear(&words);
	if (!edge->optional || code.n || t->report->options.verbose)
		put_search(t, t->missing_of[e] - 1);
}

/* The line of an edge; whether its library is entered here: at the edge that brought it in
 * first, so that the tree is the loader's and every library stands as high as it can. */
static bool put_line(struct tree *t, uint32_t e, bool last)
{
	const struct sap_link_edge *edge = &t->closure->edges.v[e];
	unsigned used = put_indent(t, t->depth, last ? "└─ " : "├─ ");
	bool fresh;

	if (edge->to == SAP_NONE) {
		put_missing(t, e, used);
		return false;
	}
	fresh = !t->seen[edge->to + 1] && t->closure->libs.v[edge->to].edge == e;
	if (fresh) {
		t->seen[edge->to + 1] = 1;
		put_edge(t, e, true, "", SAP_PLAIN, used);
	} else {
		put_edge(t, e, false, t->seen[edge->to + 1] ? " (above)" : " (below)", SAP_DIM,
			 used);
	}
	return fresh;
}

/* ---- what is not drawn ------------------------------------------------------------------ */

/* Whether nearly every library has an edge to it: the loader, glibc. */
static bool is_common(const struct tree *t, uint32_t lib)
{
	const struct sap_link_lib *l = &t->closure->libs.v[lib];
	const struct sap_facts *facts = t->view->facts;
	struct sap_str soname = sap_facts_str(facts, facts->objects.v[l->object].soname);

	return t->closure->edges.v[l->edge].kind == SAP_EDGE_INTERP ||
	       sap_str_is(soname, "libc.so.6");
}

/* Edges that only repeat, on nearly every library, what stands elsewhere: that it needs libc,
 * and that it asks for a module of NSS that another one asks for too. */
static void fold_edges(struct tree *t)
{
	const struct sap_closure *c = t->closure;

	for (size_t e = 0; e < c->edges.n; e++) {
		const struct sap_link_edge *edge = &c->edges.v[e];
		const struct sap_link_edge *first;

		if (edge->to == SAP_NONE || c->libs.v[edge->to].edge == e)
			continue;
		first = &c->edges.v[c->libs.v[edge->to].edge];
		if (edge->kind == SAP_EDGE_NSS)
			t->fold[e] = first->kind == SAP_EDGE_NSS && first->name == edge->name;
		else
			t->fold[e] = edge->kind == SAP_EDGE_NEEDED && is_common(t, edge->to);
	}
}

static bool is_later(const struct tree *t, uint32_t at)
{
	return t->closure->edges.v[t->index.order[at]].kind >= SAP_EDGE_DLOPEN_NOTE;
}

/* Finds where the program's edges of later begin. */
static void split_program(struct tree *t)
{
	uint32_t n = t->index.first[1] - t->index.first[0], at = 0;

	while (at < n && !is_later(t, t->index.first[0] + at))
		at++;
	t->n_start = at;
	for (; at < n; at++) {
		if (!is_later(t, t->index.first[0] + at))
			t->n_start = n;
	}
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
		uint32_t e;

		if (at >= t->index.first[node + 1]) {
			if (t->depth == 0)
				return;
			t->depth--;
			continue;
		}
		if (node == 0 && t->next[0] == t->n_start)
			sap_tty_line(&t->report->tty, SAP_BOLD,
				     "after its start (PAM, NSS, dlopen):");
		e = t->index.order[at];
		t->next[node]++;
		if (put_line(t, e, at + 1 == end_of(t, node))) {
			t->depth++;
			t->path[t->depth] = t->closure->edges.v[e].to + 1;
		}
	}
}

void sap_tree_tty(struct sap_report *report, const struct sap_links_view *view,
		  const struct sap_closure *closure)
{
	size_t nodes = closure->libs.n + 1;
	struct tree t = { .report = report, .view = view, .closure = closure };
	unsigned char *fold = calloc(closure->edges.n + 1, sizeof(*fold));
	bool all = report->options.verbose;

	t.next = calloc(nodes, sizeof(*t.next));
	t.path = calloc(nodes + 1, sizeof(*t.path));
	t.seen = calloc(nodes, sizeof(*t.seen));
	t.missing_of = calloc(closure->edges.n + 1, sizeof(*t.missing_of));
	t.fold = fold;
	if (fold && !all)
		fold_edges(&t);
	if (t.next && t.path && t.seen && t.missing_of && fold &&
	    sap_edge_index_make(report, closure, false, all, fold, &t.index)) {
		for (uint32_t i = 0; i < closure->missing.n; i++)
			t.missing_of[closure->missing.v[i].edge] = i + 1;
		split_program(&t);
		draw(&t);
		sap_edge_index_clear(&t.index);
	} else {
		report->out->failed = true;
	}
	free(t.next);
	free(t.path);
	free(t.seen);
	free(t.missing_of);
	free(fold);
}
