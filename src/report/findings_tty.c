/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "advisory/claim.h"
#include "report/evreport_int.h"
#include "version/version.h"

#define COUNT(v) (sizeof(v) / sizeof((v)[0]))

enum {
	DAY = 86400,
	PACKAGES_SHOWN = 15,
	PACKAGES_SHOWN_NOTED = 10, /* with a line more for each */
	NOT_JUDGED_SHOWN = 5,
	STATES_FROM = 100, /* columns of a terminal with room for the rarer columns */
};

/* ---- what it was judged by: the first lines --------------------------------------------- */

static void put_coverage_line(const struct sap_tty *tty, const struct sap_findings *f,
			      const struct sap_coverage *c)
{
	int64_t newest = c->as_of > c->checked ? c->as_of : c->checked;
	long long limit = f->max_age / DAY;
	char day[SAP_DAY_SIZE];
	struct sap_buf line;

	if (c->covered && !c->stale)
		return;
	sap_buf_init(&line, SAP_LINE_MAX);
	if (!c->covered && !f->facts->has_os) {
		sap_buf_printf(
			&line,
			"NOT JUDGED: %u package%s of a system that does not say what it is (no "
			"os-release)",
			c->packages, sap_plural(c->packages));
	} else if (!c->covered) {
		sap_buf_puts(&line, SAP_STR("NO ADVISORIES for "));
		sap_tty_escape(&line, c->space);
		sap_buf_printf(&line, ": nothing is said about %u package%s", c->packages,
			       sap_plural(c->packages));
	} else {
		sap_buf_puts(&line, SAP_STR("OLD ADVISORIES: "));
		sap_tty_escape(&line, c->space);
		if (newest > 0 && newest <= f->now) {
			sap_buf_puts(&line, SAP_STR(" as of "));
			sap_buf_puts(&line, sap_str_of(sap_report_day(newest, day)));
			sap_buf_printf(&line, ", %lld days old (limit %lld)",
				       (long long)((f->now - newest) / DAY), limit);
		} else {
			sap_buf_puts(&line, SAP_STR(" of unknown date"));
		}
	}
	if (c->covered || f->facts->has_os)
		sap_buf_puts(&line, SAP_STR("; remedy: sapper db update"));
	sap_tty_begin(tty, SAP_RED);
	sap_buf_puts(tty->out, sap_buf_str(&line));
	sap_tty_end(tty, SAP_RED);
	sap_buf_putc(tty->out, '\n');
	sap_buf_clear(&line);
}

void sap_findings_tty_first(struct sap_report *report, const struct sap_findings *f)
{
	if (f->no_store.n) {
		sap_tty_begin(&report->tty, SAP_RED);
		sap_buf_puts(report->out, SAP_STR("NOT JUDGED: "));
		sap_tty_escape(report->out, f->no_store);
		sap_tty_end(&report->tty, SAP_RED);
		sap_buf_putc(report->out, '\n');
	}
	for (size_t i = 0; i < f->coverage.n; i++)
		put_coverage_line(&report->tty, f, &f->coverage.v[i]);
}

/* ---- cells ------------------------------------------------------------------------------ */

static enum sap_style severity_style(uint8_t severity)
{
	return severity >= SAP_SEVERITY_HIGH     ? SAP_RED
	       : severity == SAP_SEVERITY_MEDIUM ? SAP_YELLOW
						 : SAP_PLAIN;
}

static void severity_cell(struct sap_table *table, uint8_t severity)
{
	const char *name = sap_severity_name(severity);

	sap_table_printf(table, "%s", name ? name : "unknown");
	sap_table_style(table, severity_style(severity));
}

/* "malicious", "exploited"; for a cell. */
static void known_cell(struct sap_table *table, const struct sap_finding *v)
{
	if (!v->compromised && !v->kev)
		return;
	sap_table_more(table, v->compromised ? SAP_STR("malicious") : SAP_STR("exploited"));
	sap_table_style(table, SAP_RED);
}

/* The version that ends it, or why there is none. */
static void fix_cell(struct sap_table *table, const struct sap_finding *v)
{
	if (v->fixed_version.n) {
		sap_table_text(table, v->fixed_version);
		if (v->offered == SAP_NO)
			sap_table_more(table, SAP_STR("(not offered)"));
		else if (v->pro)
			sap_table_more(table, SAP_STR("(subscription)"));
	} else if (v->status == SAP_STATUS_UNDER_INVESTIGATION) {
		sap_table_printf(table, "under investigation");
	} else if (v->reason.n) {
		sap_table_text(table, v->reason);
	} else {
		sap_table_printf(table, "no fix");
	}
}

static void state_cell(struct sap_table *table, const struct sap_finding *v)
{
	const char *state = v->state ? sap_state_name(v->state) : "";

	sap_table_printf(table, "%s", state ? state : "");
}

/* ---- by package ------------------------------------------------------------------------- */

/* The findings of one package of the system (or language), the worst first. */
struct group {
	const struct sap_finding *worst;
	const struct sap_finding *runs; /* of the highest state; of these the worst */
	uint32_t n;
	const struct sap_finding *fix; /* whose fixed version ends the most: the highest offered */
	uint32_t n_fixed;              /* findings that it ends */
};

static bool same_subject(const struct sap_finding *a, const struct sap_finding *b)
{
	return sap_str_eq(a->package, b->package) && sap_str_eq(a->version, b->version);
}

static int by_subject(const void *left, const void *right)
{
	const struct sap_finding *a = *(const struct sap_finding *const *)left;
	const struct sap_finding *b = *(const struct sap_finding *const *)right;
	int c = sap_str_cmp(a->package, b->package);

	if (c == 0)
		c = sap_str_cmp(a->version, b->version);
	return c ? c : a < b ? -1 : a > b; /* list order: the worst first */
}

static int by_worst(const void *left, const void *right)
{
	const struct group *a = left, *b = right;

	return a->worst < b->worst ? -1 : a->worst > b->worst;
}

/* Whether the version that ends a is higher than the one that ends b; they are of one package. */
static bool is_higher(const struct sap_finding *a, const struct sap_finding *b)
{
	struct sap_str type = sap_str_skip(a->package, sizeof("pkg:") - 1), rest;

	sap_str_cut(type, '/', &type, &rest);
	return sap_version_cmp(sap_version_scheme_parse(type), a->fixed_version, b->fixed_version) >
	       0;
}

static void put_ends(struct sap_table *table, const struct group *g)
{
	char text[48];

	snprintf(text, sizeof(text), "(ends %u)", g->n_fixed);
	sap_table_more(table, sap_str_of(text));
}

/* Open findings grouped by what they are about; ordered by each group's worst. */
static struct group *make_groups(struct sap_report *report, const struct sap_findings *f, size_t *n)
{
	const struct sap_finding **order = calloc(f->list.n + 1, sizeof(*order));
	struct group *groups = calloc(f->list.n + 1, sizeof(*groups));
	size_t open = 0;

	*n = 0;
	if (!order || !groups) {
		report->out->failed = true;
		free(order);
		free(groups);
		return NULL;
	}
	for (size_t i = 0; i < f->list.n; i++) {
		if (sap_finding_is_open(&f->list.v[i]))
			order[open++] = &f->list.v[i];
	}
	qsort(order, open, sizeof(*order), by_subject);
	for (size_t i = 0; i < open; i++) {
		const struct sap_finding *v = order[i];
		struct group *g;

		if (i == 0 || !same_subject(order[i - 1], v))
			groups[(*n)++] = (struct group){ .worst = v, .runs = v };
		g = &groups[*n - 1];
		g->n++;
		if (v->state > g->runs->state)
			g->runs = v;
		if (v->fixed_version.n == 0 || v->offered == SAP_NO)
			continue;
		g->n_fixed++;
		if (!g->fix || is_higher(v, g->fix))
			g->fix = v;
	}
	qsort(groups, *n, sizeof(*groups), by_worst);
	free(order);
	return groups;
}

/* ---- tables with a line under each row: what is known to run of it ---------------------- */

struct noted {
	struct sap_buf rows;
	struct sap_tty tty; /* into rows */
	struct sap_table table;
};

/* Whether there is something to say: somebody looked. */
static bool has_notes(const struct sap_scan_view *view)
{
	return view->states && view->states->evidence && view->states->of == view->findings;
}

static struct sap_table *begin_rows(struct sap_report *report, struct noted *noted,
				    const struct sap_column *columns, unsigned n)
{
	noted->tty = report->tty;
	noted->tty.out = &noted->rows;
	sap_buf_init(&noted->rows, SIZE_MAX / 2);
	sap_table_begin(&noted->table, &noted->tty, columns, n);
	return &noted->table;
}

static void put_note(struct sap_report *report, const struct sap_scan_view *view,
		     const struct sap_finding *v)
{
	enum sap_style style;
	struct sap_buf note;

	sap_buf_init(&note, SAP_LINE_MAX);
	style = sap_finding_put_state(&note, view, v);
	sap_report_wrap(&report->tty, 4, style, &note);
	sap_buf_clear(&note);
}

/* Prints the rows; v: NULL, or for each row the finding whose note follows. A cell has no line
 * ends, so a row is a line; the heads are the first. */
static void end_rows(struct sap_report *report, const struct sap_scan_view *view,
		     struct noted *noted, const struct sap_finding *const *v)
{
	struct sap_str text, line;
	size_t row = 0;

	sap_table_end(&noted->table);
	text = sap_buf_str(&noted->rows);
	report->out->failed |= !sap_buf_ok(&noted->rows);
	while (v && sap_str_line(&text, &line)) {
		sap_buf_puts(report->out, line);
		sap_buf_putc(report->out, '\n');
		if (row++)
			put_note(report, view, v[row - 2]);
	}
	sap_buf_puts(report->out, text);
	sap_buf_clear(&noted->rows);
}

static void put_groups(struct sap_report *report, const struct sap_scan_view *view)
{
	static const struct sap_column columns[] = {
		{ .head = "PACKAGE", .min = 10 },
		{ .head = "INSTALLED" },
		{ .head = "FINDINGS", .right = true },
		{ .head = "WORST", .min = 14 },
		{ .head = "SEVERITY" },
		{ .head = "FIXED IN" },
		{ .head = "STATE" },
	};
	const struct sap_findings *f = view->findings;
	bool notes = has_notes(view);
	bool states = !notes && (report->tty.width == 0 || report->tty.width >= STATES_FROM);
	size_t n, max = notes ? PACKAGES_SHOWN_NOTED : PACKAGES_SHOWN, shown;
	const struct sap_finding *runs[PACKAGES_SHOWN];
	struct group *groups = make_groups(report, f, &n);
	struct sap_table *table;
	struct noted noted;

	if (!groups)
		return;
	shown = n < max ? n : max;
	table = begin_rows(report, &noted, columns, COUNT(columns) - !states);
	for (size_t i = 0; i < shown; i++) {
		const struct group *g = &groups[i];

		runs[i] = g->runs;
		sap_table_text(table, g->worst->name);
		sap_table_text(table, g->worst->version);
		sap_table_printf(table, "%u", g->n);
		sap_table_text(table, g->worst->id);
		severity_cell(table, g->worst->severity);
		known_cell(table, g->worst);
		fix_cell(table, g->fix ? g->fix : g->worst);
		if (g->fix && g->n_fixed < g->n)
			put_ends(table, g);
		if (states)
			state_cell(table, g->worst);
	}
	end_rows(report, view, &noted, notes ? runs : NULL);
	if (shown < n)
		sap_tty_line(&report->tty, SAP_DIM,
			     "  and %zu more packages (-v lists every finding)", n - shown);
	else
		sap_tty_line(&report->tty, SAP_DIM, "  -v lists every finding");
	free(groups);
}

/* ---- one by one ------------------------------------------------------------------------- */

static void put_list(struct sap_report *report, const struct sap_scan_view *view)
{
	static const struct sap_column all[] = {
		{ .head = "VULNERABILITY", .min = 16 },
		{ .head = "SEVERITY" },
		{ .head = "EPSS", .right = true },
		{ .head = "STATE" },
		{ .head = "STATUS", .min = 8 },
		{ .head = "PACKAGE", .min = 10 },
		{ .head = "INSTALLED" },
		{ .head = "FIXED IN" },
	};
	static const struct sap_column without_state[] = {
		{ .head = "VULNERABILITY", .min = 16 },
		{ .head = "SEVERITY" },
		{ .head = "EPSS", .right = true },
		{ .head = "STATUS", .min = 8 },
		{ .head = "PACKAGE", .min = 10 },
		{ .head = "INSTALLED" },
		{ .head = "FIXED IN" },
	};
	const struct sap_findings *f = view->findings;
	const struct sap_finding **rows = calloc(f->list.n + 1, sizeof(*rows));
	bool notes = has_notes(view);
	struct sap_table *table;
	struct noted noted;
	size_t n = 0;

	if (!rows) {
		report->out->failed = true;
		return;
	}
	table = begin_rows(report, &noted, notes ? without_state : all,
			   notes ? COUNT(without_state) : COUNT(all));
	for (size_t i = 0; i < f->list.n; i++) {
		const struct sap_finding *v = &f->list.v[i];

		if (!sap_finding_is_open(v))
			continue;
		rows[n++] = v;
		sap_table_text(table, v->id);
		severity_cell(table, v->severity);
		known_cell(table, v);
		if (v->epss >= 0)
			sap_table_printf(table, "%.3f", v->epss);
		else
			sap_table_printf(table, "%s", "");
		if (!notes)
			state_cell(table, v);
		sap_table_printf(table, "%s", sap_status_name(v->status));
		sap_table_text(table, v->name);
		sap_table_text(table, v->version);
		fix_cell(table, v);
	}
	end_rows(report, view, &noted, notes ? rows : NULL);
	free(rows);
}

static void put_suppressed(struct sap_report *report, const struct sap_findings *f)
{
	if (f->n_suppressed == 0)
		return;
	sap_report_heading(&report->tty, SAP_BOLD, "Suppressed: %u finding%s", f->n_suppressed,
			   sap_plural(f->n_suppressed));
	for (size_t i = 0; i < f->list.n; i++) {
		const struct sap_finding *v = &f->list.v[i];
		unsigned column = 0;

		if (!v->suppression)
			continue;
		sap_tty_flow(&report->tty, &column, SAP_PLAIN, v->id);
		sap_tty_flowf(&report->tty, &column, SAP_PLAIN, "%s", " in ");
		sap_tty_text(&report->tty, SAP_PLAIN, v->name);
		sap_buf_putc(report->out, ' ');
		sap_tty_text(&report->tty, SAP_PLAIN, v->version);
		sap_buf_puts(report->out, SAP_STR(": "));
		sap_tty_text(&report->tty, SAP_PLAIN, v->suppression->reason);
		sap_buf_puts(report->out, SAP_STR(" ("));
		sap_tty_text(&report->tty, SAP_DIM, v->suppression->by);
		if (v->suppression->until.n) {
			sap_buf_puts(report->out, SAP_STR(", until "));
			sap_tty_text(&report->tty, SAP_DIM, v->suppression->until);
		}
		sap_buf_puts(report->out, SAP_STR(")\n"));
	}
}

/* ---- the section ------------------------------------------------------------------------ */

static void put_compromised(struct sap_report *report, const struct sap_findings *f)
{
	const struct sap_tty *tty = &report->tty;

	if (f->n_compromised == 0)
		return;
	sap_report_heading(tty, SAP_RED, "COMPROMISED: malicious code is installed here");
	for (size_t i = 0; i < f->list.n; i++) {
		const struct sap_finding *v = &f->list.v[i];

		if (!v->compromised || !sap_finding_is_open(v))
			continue;
		sap_buf_puts(tty->out, SAP_STR("  "));
		sap_tty_text(tty, SAP_BOLD, v->id);
		sap_buf_puts(tty->out, SAP_STR("  "));
		sap_tty_text(tty, SAP_PLAIN, v->name);
		sap_buf_putc(tty->out, ' ');
		sap_tty_text(tty, SAP_PLAIN, v->version);
		if (v->fixed_version.n) {
			sap_buf_puts(tty->out, SAP_STR(", clean from "));
			sap_tty_text(tty, SAP_PLAIN, v->fixed_version);
		}
		if (v->n_objects) {
			sap_buf_puts(tty->out, SAP_STR(" in "));
			sap_tty_text(tty, SAP_PLAIN, sap_report_path(f->facts, v->objects[0]));
		}
		sap_buf_putc(tty->out, '\n');
	}
}

static uint32_t count_severity(const struct sap_findings *f, uint8_t severity)
{
	uint32_t n = 0;

	for (size_t i = 0; i < f->list.n; i++) {
		const struct sap_finding *v = &f->list.v[i];

		n += !v->suppression && v->status == SAP_STATUS_AFFECTED && v->severity == severity;
	}
	return n;
}

static void put_summary(struct sap_report *report, const struct sap_findings *f)
{
	const struct sap_tty *tty = &report->tty;
	uint32_t affected = f->n_status[SAP_STATUS_AFFECTED];
	uint32_t critical = count_severity(f, SAP_SEVERITY_CRITICAL);
	uint32_t high = count_severity(f, SAP_SEVERITY_HIGH);
	unsigned column = 0;
	char day[SAP_DAY_SIZE];

	sap_buf_putc(tty->out, '\n');
	sap_tty_flowf(tty, &column, SAP_BOLD, "Findings: %u affected", affected);
	if (affected && !f->kev_known) {
		sap_tty_flowf(tty, &column, SAP_YELLOW,
			      " (exploitation unknown: no list of exploited ones");
	} else if (affected) {
		sap_tty_flowf(tty, &column, f->n_kev ? SAP_RED : SAP_PLAIN,
			      " (%u known to be exploited", f->n_kev);
		if (f->kev_stale && f->kev_as_of > 0) {
			sap_tty_flowf(tty, &column, SAP_YELLOW, " as of %s",
				      sap_report_day(f->kev_as_of, day));
		}
	}
	if (affected) {
		sap_tty_flowf(tty, &column, SAP_PLAIN, ", %u critical", critical);
		sap_tty_flowf(tty, &column, SAP_PLAIN, ", %u high)", high);
	}
	sap_tty_flowf(tty, &column, SAP_PLAIN, ", %u not to be fixed by decision",
		      f->n_status[SAP_STATUS_UNFIXED]);
	if (f->n_status[SAP_STATUS_UNDER_INVESTIGATION])
		sap_tty_flowf(tty, &column, SAP_PLAIN, ", %u under investigation",
			      f->n_status[SAP_STATUS_UNDER_INVESTIGATION]);
	if (f->n_suppressed)
		sap_tty_flowf(tty, &column, SAP_YELLOW, ", %u suppressed", f->n_suppressed);
	if (f->not_judged.n)
		sap_tty_flowf(tty, &column, SAP_YELLOW, ", %zu not judged", f->not_judged.n);
	sap_buf_putc(tty->out, '\n');
	if (f->n_judged == 0)
		return;
	sap_tty_line(tty, SAP_DIM,
		     "%u package%s compared; %u fixed, %u not affected by what was said of them",
		     f->n_judged, sap_plural(f->n_judged), f->n_status[SAP_STATUS_FIXED],
		     f->n_status[SAP_STATUS_NOT_AFFECTED]);
}

/* How many of them run. */
static void put_running(struct sap_report *report, const struct sap_scan_view *view)
{
	const struct sap_tty *tty = &report->tty;
	struct sap_finding_counts n;
	unsigned column = 0;

	if (!has_notes(view))
		return;
	n = sap_finding_counts(view->states);
	if (n.open == 0)
		return;
	sap_tty_flowf(tty, &column, SAP_BOLD, "Of %u open: %u mapped", n.open, n.mapped);
	sap_tty_flowf(tty, &column, SAP_PLAIN, ", %u executed", n.executed);
	if (n.load_time_only)
		sap_tty_flowf(tty, &column, SAP_PLAIN, " (%u by load-time code alone)",
			      n.load_time_only);
	sap_tty_flowf(tty, &column, n.vulnerable ? SAP_RED : SAP_PLAIN,
		      ", %u with a vulnerable function entered", n.vulnerable);
	if (n.not_observable)
		sap_tty_flowf(tty, &column, SAP_YELLOW, ", %u not observable", n.not_observable);
	sap_buf_putc(tty->out, '\n');
}

static void put_not_judged(struct sap_report *report, const struct sap_findings *f)
{
	size_t shown = report->options.verbose || f->not_judged.n < NOT_JUDGED_SHOWN
			       ? f->not_judged.n
			       : NOT_JUDGED_SHOWN;

	if (f->not_judged.n == 0)
		return;
	sap_report_heading(&report->tty, SAP_BOLD,
			   "Not judged: whether these are vulnerable is unknown");
	for (size_t i = 0; i < shown; i++) {
		const struct sap_not_judged *v = &f->not_judged.v[i];

		sap_buf_puts(report->out, SAP_STR("  "));
		if (v->package != SAP_NONE)
			sap_report_put_package(&report->tty, f->facts, v->package);
		else
			sap_tty_text(&report->tty, SAP_PLAIN, sap_report_path(f->facts, v->object));
		sap_buf_puts(report->out, SAP_STR(": "));
		sap_tty_text(&report->tty, SAP_YELLOW, v->reason);
		sap_buf_putc(report->out, '\n');
	}
	sap_report_more(&report->tty, shown, f->not_judged.n);
}

static bool any_open(const struct sap_findings *f)
{
	for (size_t i = 0; i < f->list.n; i++) {
		if (sap_finding_is_open(&f->list.v[i]))
			return true;
	}
	return false;
}

static bool is_covered(const struct sap_findings *f)
{
	for (size_t i = 0; i < f->coverage.n; i++) {
		if (!f->coverage.v[i].covered || f->coverage.v[i].stale)
			return false;
	}
	return f->coverage.n > 0;
}

void sap_findings_tty(struct sap_report *report, const struct sap_scan_view *view)
{
	const struct sap_findings *f = view->findings;

	if (f->no_store.n)
		return; /* said in the first lines */
	put_compromised(report, f);
	put_summary(report, f);
	put_running(report, view);
	if (!any_open(f) && sap_findings_sound(f))
		sap_tty_line(&report->tty, SAP_BOLD, "no open findings");
	else if (!any_open(f) && f->n_judged == 0)
		sap_tty_line(&report->tty, SAP_RED,
			     "that none is open says nothing: no package was compared");
	else if (!any_open(f) && is_covered(f))
		sap_tty_line(&report->tty, SAP_YELLOW,
			     "none is open among the %u packages that were compared; about the "
			     "others nothing is said",
			     f->n_judged);
	else if (!any_open(f))
		sap_tty_line(&report->tty, SAP_RED,
			     "that none is open says nothing: see the first lines%s",
			     f->not_judged.n ? " and what was not judged" : "");
	else if (report->options.verbose)
		put_list(report, view);
	else
		put_groups(report, view);
	if (view->show_suppressed)
		put_suppressed(report, f);
	for (size_t i = 0; i < f->notes.n; i++) {
		sap_tty_text(&report->tty, SAP_YELLOW, f->notes.v[i]);
		sap_buf_putc(report->out, '\n');
	}
	put_not_judged(report, f);
}

/* ---- explanation ------------------------------------------------------------------------ */

static void put_field(const struct sap_tty *tty, const char *name, struct sap_str value)
{
	if (value.n == 0)
		return;
	sap_buf_printf(tty->out, "    %-10s ", name);
	sap_tty_text(tty, SAP_PLAIN, value);
	sap_buf_putc(tty->out, '\n');
}

/* What is known to run of it, on lines of its own. */
static void put_evidence(struct sap_report *report, const struct sap_scan_view *view,
			 const struct sap_finding *v)
{
	struct sap_buf text;

	if (!has_notes(view))
		return;
	sap_buf_init(&text, SAP_LINE_MAX);
	sap_buf_puts(&text, SAP_STR("evidence   "));
	sap_finding_put_state(&text, view, v);
	sap_report_wrap(&report->tty, 4, SAP_PLAIN, &text);
	sap_buf_clear(&text);
}

static void explain_one(struct sap_report *report, const struct sap_scan_view *view,
			const struct sap_finding *v)
{
	const struct sap_findings *f = view->findings;
	const struct sap_tty *tty = &report->tty;
	struct sap_str status = sap_str_of(sap_status_name(v->status));

	sap_buf_putc(tty->out, '\n');
	sap_tty_text(tty, SAP_BOLD, v->id);
	sap_buf_puts(tty->out, SAP_STR(" in "));
	sap_tty_text(tty, SAP_BOLD, v->name);
	sap_buf_putc(tty->out, ' ');
	sap_tty_text(tty, SAP_BOLD, v->version);
	sap_buf_puts(tty->out, SAP_STR(": "));
	sap_tty_text(tty, v->compromised || v->status == SAP_STATUS_AFFECTED ? SAP_RED : SAP_BOLD,
		     v->compromised && v->status == SAP_STATUS_AFFECTED ? SAP_STR("COMPROMISED")
									: status);
	sap_buf_putc(tty->out, '\n');
	put_field(tty, "package", v->package);
	for (uint32_t i = 0; i < v->n_packages; i++)
		put_field(tty, i ? "" : "installed",
			  sap_report_purl(report, f->facts, v->packages[i]));
	for (uint32_t i = 0; i < v->n_objects; i++)
		put_field(tty, i ? "" : "objects", sap_report_path(f->facts, v->objects[i]));
	for (uint32_t i = 0; i < v->n_aliases; i++)
		put_field(tty, i ? "" : "also", v->aliases[i]);
	put_field(tty, "fixed in", v->fixed_version);
	if (v->fixed_version.n && v->offered == SAP_NO)
		put_field(tty, "", SAP_STR("not published for this release"));
	put_field(tty, "state", sap_str_of(sap_state_name(v->state)));
	put_evidence(report, view, v);
	put_field(tty, "reason", v->reason);
	put_field(tty, "cvss", v->cvss);
	if (v->kev)
		put_field(tty, "exploited", v->kev_added);
	for (uint32_t i = 0; i < v->n_functions; i++)
		put_field(tty, i ? "" : "functions", v->functions[i].name);
	if (v->suppression) {
		put_field(tty, "SUPPRESSED", v->suppression->reason);
		put_field(tty, "", v->suppression->by);
	}
	for (uint32_t i = 0; i < v->n_steps; i++) {
		const struct sap_step *s = &v->steps[i];

		sap_tty_put(tty, s->decides ? SAP_BOLD : SAP_PLAIN, s->decides ? "  * " : "  - ");
		sap_tty_text(tty, SAP_PLAIN, s->advisory.n ? s->advisory : SAP_STR("facts"));
		if (s->source.n) {
			sap_buf_puts(tty->out, SAP_STR(", "));
			sap_tty_text(tty, SAP_DIM, s->source);
		}
		sap_buf_putc(tty->out, '\n');
		put_field(tty, "says", s->says);
		put_field(tty, "so", s->outcome);
	}
}

void sap_explain_tty(struct sap_report *report, const struct sap_scan_view *view)
{
	const struct sap_findings *f = view->findings;
	uint32_t n = 0;

	sap_findings_tty_first(report, f);
	for (size_t i = 0; i < f->list.n; i++) {
		if (f->list.v[i].n_steps) {
			explain_one(report, view, &f->list.v[i]);
			n++;
		}
	}
	if (n || f->no_store.n)
		return;
	sap_tty_text(&report->tty, SAP_BOLD, f->explain);
	if (f->facts->packages.n == 0) {
		sap_buf_puts(report->out,
			     SAP_STR(": cannot tell: no package of this target is known\n"));
		return;
	}
	if (!f->explain_known) {
		sap_buf_puts(report->out,
			     SAP_STR(": nothing is known under this name; names are written as "
				     "publishers do, as in CVE-2024-3094 or DSA-5649-1\n"));
		return;
	}
	sap_buf_puts(report->out,
		     SAP_STR(": no statement about it concerns a package of this target"));
	sap_buf_puts(report->out, sap_findings_sound(f)
					  ? SAP_STR("\n")
					  : SAP_STR(", as far as the advisories here go\n"));
}
