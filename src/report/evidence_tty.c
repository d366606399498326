/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "report/evreport_int.h"

#define COUNT(v) (sizeof(v) / sizeof((v)[0]))

enum { FILES_SHOWN = 20, REASONS_SHOWN = 5, NAMES_SHOWN = 3, OPENS_SHOWN = 5 };

/* ---- the first lines -------------------------------------------------------------------- */

static void put_losses(const struct sap_tty *tty, const struct sap_evidence *e)
{
	bool lost = e->processes_hidden > 0;
	struct sap_buf line;

	sap_buf_init(&line, SAP_LINE_MAX);
	sap_buf_printf(&line, "%llu process%s seen", (unsigned long long)e->processes_seen,
		       e->processes_seen == 1 ? "" : "es");
	if (e->processes_hidden)
		sap_buf_printf(&line, ", %llu could not be looked into",
			       (unsigned long long)e->processes_hidden);
	sap_buf_puts(&line, SAP_STR("; "));
	if (sap_evidence_put_losses(&line, e))
		lost = true;
	else
		sap_buf_puts(&line, SAP_STR("nothing lost"));
	sap_report_wrap(tty, 0, lost ? SAP_YELLOW : SAP_PLAIN, &line);
	sap_buf_clear(&line);
}

static void put_means(const struct sap_tty *tty, const struct sap_means *m)
{
	const struct {
		const char *name;
		struct sap_str text;
	} means[] = {
		{ "mappings: ", m->maps },
		{ "functions: ", m->functions },
		{ "opens: ", m->opens },
	};
	struct sap_buf line;

	sap_buf_init(&line, SAP_LINE_MAX);
	for (size_t i = 0; i < COUNT(means); i++) {
		if (means[i].text.n == 0)
			continue;
		sap_buf_puts(&line, line.n ? SAP_STR("; ") : SAP_STR(""));
		sap_buf_puts(&line, sap_str_of(means[i].name));
		sap_tty_escape(&line, means[i].text);
	}
	if (line.n)
		sap_report_wrap(tty, 0, SAP_DIM, &line);
	sap_buf_clear(&line);
}

static void put_window(const struct sap_tty *tty, const struct sap_evidence *e)
{
	struct sap_buf line;
	char text[SAP_TIME_SIZE];

	sap_buf_init(&line, SAP_LINE_MAX);
	sap_buf_puts(&line, sap_str_of(sap_report_time(e->start, false, text)));
	if (e->end > e->start) {
		sap_buf_puts(&line, SAP_STR(" to "));
		sap_buf_puts(&line, sap_str_of(sap_report_time(e->end, false, text)));
		sap_duration_text(e->end - e->start, text, sizeof(text));
		sap_buf_printf(&line, " UTC, %s%s", e->live ? "" : "looks at /proc only, over ",
			       text);
	} else {
		sap_buf_puts(&line, SAP_STR(" UTC, one look"));
	}
	sap_evidence_put_gaps(&line, e);
	sap_report_wrap(tty, 0, e->gaps.n ? SAP_YELLOW : SAP_PLAIN, &line);
	sap_buf_clear(&line);
}

static void put_head(struct sap_report *report, const struct sap_evidence_view *view)
{
	const struct sap_evidence *e = view->evidence;
	struct sap_buf line;

	sap_buf_init(&line, SAP_LINE_MAX);
	sap_buf_puts(&line, SAP_STR("What ran"));
	if (view->command) {
		sap_buf_puts(&line, SAP_STR(" in "));
		sap_tty_escape(&line, sap_str_of(view->command));
	} else if (e->host.n) {
		sap_buf_puts(&line, SAP_STR(" on "));
		sap_tty_escape(&line, e->host);
	}
	sap_report_wrap(&report->tty, 0, SAP_BOLD, &line);
	sap_buf_clear(&line);
	put_window(&report->tty, e);
	put_losses(&report->tty, e);
	put_means(&report->tty, &e->means);
}

/* ---- files ------------------------------------------------------------------------------ */

static uint32_t n_entered(const struct sap_evidence_ctx *ctx, uint32_t file)
{
	return ctx->groups->functions.first[file + 1] - ctx->groups->functions.first[file];
}

/* More of everything comes first; then by path, as in ctx->order. */
static int compare_weights(const void *left, const void *right, void *arg)
{
	const struct sap_evidence_ctx *ctx = arg;
	uint32_t a = ctx->order[*(const uint32_t *)left], b = ctx->order[*(const uint32_t *)right];
	uint32_t n = n_entered(ctx, a), m = n_entered(ctx, b);
	enum sap_state x = sap_evidence_state(ctx, a, &(bool){ false });
	enum sap_state y = sap_evidence_state(ctx, b, &(bool){ false });

	if (x != y)
		return x > y ? -1 : 1;
	if (n != m)
		return n > m ? -1 : 1;
	n = ctx->e->files.v[a].n_processes;
	m = ctx->e->files.v[b].n_processes;
	if (n != m)
		return n > m ? -1 : 1;
	return *(const uint32_t *)left < *(const uint32_t *)right ? -1 : 1;
}

static void functions_cell(struct sap_table *table, const struct sap_evidence_ctx *ctx,
			   uint32_t file)
{
	const struct sap_seen_file *f = &ctx->e->files.v[file];

	bool gone = sap_evidence_nobody_left(ctx->groups, file);

	if (f->observed == SAP_OBSERVED_PROBED && !gone)
		sap_table_printf(table, "%u of %u", n_entered(ctx, file), f->n_probed);
	else if (f->observed == SAP_OBSERVED_NOT || gone)
		sap_table_printf(table, "not observable");
	else
		sap_table_printf(table, "not asked");
	if (f->observed != SAP_OBSERVED_PROBED || gone)
		sap_table_style(table, SAP_DIM);
}

static void file_row(struct sap_table *table, const struct sap_evidence_ctx *ctx, uint32_t file)
{
	const struct sap_evidence_list *uses = &ctx->groups->uses;
	const struct sap_evidence *e = ctx->e;
	const struct sap_seen_file *f = &e->files.v[file];
	struct sap_str container = sap_evidence_container(e, f->root);
	uint8_t exposure = SAP_EXPOSURE_UNKNOWN;
	bool load_time_only;
	enum sap_state state = sap_evidence_state(ctx, file, &load_time_only);

	if (uses->first[file] < uses->first[file + 1])
		exposure = e->processes.v[e->uses.v[uses->v[uses->first[file]]].process].exposure;
	sap_table_text(table, sap_path_base(f->path));
	if (container.n) {
		sap_table_more(table, SAP_STR("in"));
		sap_table_more(table, container);
	}
	if (sap_evidence_is_old_copy(f)) {
		sap_table_more(table, SAP_STR("(old copy)"));
		sap_table_style(table, SAP_RED);
	}
	if (ctx->packages)
		sap_evidence_cell_package(table, ctx, file);
	sap_table_printf(table, "%s",
			 state == SAP_STATE_MAPPED ? "mapped"
			 : load_time_only          ? "load-time"
						   : "executed");
	functions_cell(table, ctx, file);
	sap_table_printf(table, "%u", f->n_processes);
	sap_table_printf(table, "%s", sap_exposure_name((enum sap_exposure)exposure));
	sap_table_style(table, exposure == SAP_EXPOSURE_NETWORK ? SAP_YELLOW : SAP_PLAIN);
}

static void put_files(struct sap_report *report, const struct sap_evidence_ctx *ctx)
{
	static const struct sap_column all[] = {
		{ .head = "FILE", .min = 14 },
		{ .head = "PACKAGE", .min = 10 },
		{ .head = "STATE" },
		{ .head = "FUNCTIONS ENTERED" },
		{ .head = "PROCESSES", .right = true },
		{ .head = "EXPOSURE" },
	};
	static const struct sap_column without[] = {
		{ .head = "FILE", .min = 14 },   { .head = "STATE" },
		{ .head = "FUNCTIONS ENTERED" }, { .head = "PROCESSES", .right = true },
		{ .head = "EXPOSURE" },
	};
	size_t n = ctx->e->files.n;
	size_t shown = report->options.verbose || n < FILES_SHOWN ? n : FILES_SHOWN;
	uint32_t *rank = calloc(n + 1, sizeof(*rank));
	struct sap_table table;

	if (!rank) {
		report->out->failed = true;
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		rank[i] = i;
	if (n)
		qsort_r(rank, n, sizeof(*rank), compare_weights, (void *)(uintptr_t)ctx);
	sap_report_heading(&report->tty, SAP_BOLD, "%zu file%s mapped executable", n,
			   sap_plural(n));
	sap_table_begin(&table, &report->tty, ctx->packages ? all : without,
			ctx->packages ? COUNT(all) : COUNT(without));
	for (size_t i = 0; i < shown; i++)
		file_row(&table, ctx, ctx->order[rank[i]]);
	sap_table_end(&table);
	sap_report_more(&report->tty, shown, n);
	free(rank);
}

/* ---- what was not observable ------------------------------------------------------------ */

struct doubt {
	struct sap_str reason;
	uint32_t file;
	struct sap_str name; /* a function; empty: the file as a whole */
};

static int compare_doubts(const void *left, const void *right, void *arg)
{
	const struct sap_evidence *e = arg;
	const struct doubt *a = left, *b = right;
	int c = sap_str_cmp(a->reason, b->reason);

	if (c == 0)
		c = sap_str_cmp(e->files.v[a->file].path, e->files.v[b->file].path);
	if (c == 0)
		c = sap_str_cmp(a->name, b->name);
	return c ? c : a->file < b->file ? -1 : a->file > b->file;
}

/* "EVP_x in libcrypto.so.3, libfoo.so and 3 more: no symbol: ..." */
static void put_doubts(const struct sap_tty *tty, const struct sap_evidence *e,
		       const struct doubt *v, size_t n, bool all)
{
	size_t shown = all || n < NAMES_SHOWN ? n : NAMES_SHOWN;
	struct sap_buf line;

	sap_buf_init(&line, SAP_LINE_MAX);
	for (size_t i = 0; i < shown; i++) {
		sap_buf_puts(&line, i ? SAP_STR(", ") : SAP_STR(""));
		sap_tty_escape(&line, v[i].name);
		sap_buf_puts(&line, v[i].name.n ? SAP_STR(" in ") : SAP_STR(""));
		sap_tty_escape(&line, sap_path_base(e->files.v[v[i].file].path));
	}
	if (shown < n)
		sap_buf_printf(&line, " and %zu more", n - shown);
	sap_buf_puts(&line, SAP_STR(": "));
	if (v->reason.n)
		sap_tty_escape(&line, v->reason);
	else
		sap_buf_puts(&line, SAP_STR("no reason is known"));
	sap_report_wrap(tty, 2, SAP_PLAIN, &line);
	sap_buf_clear(&line);
}

static void put_refused(const struct sap_tty *tty, const struct sap_evidence *e)
{
	uint64_t refused = 0, unasked = 0;

	for (size_t i = 0; i < e->files.n; i++) {
		refused += e->files.v[i].n_refused;
		unasked += e->files.v[i].observed == SAP_OBSERVED_NOT_ASKED;
	}
	if (refused)
		sap_tty_line(tty, SAP_PLAIN, "  %llu function%s that the kernel refuses to probe",
			     (unsigned long long)refused, sap_plural(refused));
	if (unasked)
		sap_tty_line(tty, SAP_PLAIN, "  %llu file%s whose functions were not asked for",
			     (unsigned long long)unasked, sap_plural(unasked));
}

static void put_not_observable(struct sap_report *report, const struct sap_evidence_ctx *ctx)
{
	const struct sap_evidence *e = ctx->e;
	struct doubt *v = calloc(e->files.n + e->unobserved.n + 1, sizeof(*v));
	size_t n = 0, told = 0, reasons = 0;
	bool other = false;

	for (uint32_t i = 0; v && i < e->files.n; i++) {
		const struct sap_seen_file *f = &e->files.v[i];

		if (f->observed == SAP_OBSERVED_NOT)
			v[n++] = (struct doubt){ f->reason, i, { 0 } };
		else if (sap_evidence_nobody_left(ctx->groups, i))
			v[n++] = (struct doubt){ SAP_STR(SAP_NOBODY_LEFT), i, { 0 } };
		other |= f->n_refused || f->observed == SAP_OBSERVED_NOT_ASKED;
	}
	for (uint32_t i = 0; v && i < e->unobserved.n; i++) {
		if (e->unobserved.v[i].file < e->files.n)
			v[n++] = (struct doubt){ e->unobserved.v[i].reason, e->unobserved.v[i].file,
						 e->unobserved.v[i].name };
	}
	report->out->failed |= v == NULL;
	if (n || other)
		sap_report_heading(&report->tty, SAP_YELLOW, "Not observable");
	if (n)
		qsort_r(v, n, sizeof(*v), compare_doubts, (void *)(uintptr_t)e);
	for (size_t i = 0, k; i < n; i = k) {
		for (k = i + 1; k < n && sap_str_eq(v[i].reason, v[k].reason);)
			k++;
		reasons++;
		if (!report->options.verbose && told == REASONS_SHOWN)
			continue;
		put_doubts(&report->tty, e, &v[i], k - i, report->options.verbose);
		told++;
	}
	sap_report_more(&report->tty, told, reasons);
	put_refused(&report->tty, e);
	free(v);
}

/* ---- opens ------------------------------------------------------------------------------ */

static int compare_opens(const void *left, const void *right, void *arg)
{
	const struct sap_evidence *e = arg;
	const struct sap_seen_open *a = &e->opens.v[*(const uint32_t *)left];
	const struct sap_seen_open *b = &e->opens.v[*(const uint32_t *)right];
	int c;

	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	c = sap_str_cmp(a->path, b->path);
	return c ? c : a->root < b->root ? -1 : a->root > b->root;
}

static void put_opens(struct sap_report *report, const struct sap_evidence *e)
{
	static const struct sap_column columns[] = {
		{ .head = "  OPENED", .min = 24 },
		{ .head = "TIMES", .right = true },
		{ .head = "FIRST BY", .min = 10 },
	};
	size_t n = e->opens.n;
	size_t shown = report->options.verbose || n < OPENS_SHOWN ? n : OPENS_SHOWN;
	uint32_t *order = calloc(n + 1, sizeof(*order));
	struct sap_table table;

	if (!order)
		report->out->failed = true;
	if (!order || n == 0) {
		free(order);
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		order[i] = i;
	qsort_r(order, n, sizeof(*order), compare_opens, (void *)(uintptr_t)e);
	sap_report_heading(&report->tty, SAP_BOLD, "%zu other file%s opened", n, sap_plural(n));
	sap_table_begin(&table, &report->tty, columns, COUNT(columns));
	for (size_t i = 0; i < shown; i++) {
		const struct sap_seen_open *o = &e->opens.v[order[i]];

		sap_table_text(&table, o->path);
		sap_table_printf(&table, "%llu", (unsigned long long)o->count);
		if (o->process < e->processes.n)
			sap_table_text(&table, sap_evidence_process_name(e, o->process));
		else
			sap_table_printf(&table, "unknown");
	}
	sap_table_end(&table);
	sap_report_more(&report->tty, shown, n);
	free(order);
}

static void put_gaps(struct sap_report *report, const struct sap_evidence *e)
{
	struct sap_buf line;
	char text[SAP_TIME_SIZE];

	sap_buf_init(&line, SAP_LINE_MAX);
	for (size_t i = 0; report->options.verbose && i < e->gaps.n; i++) {
		const struct sap_gap *g = &e->gaps.v[i];

		sap_buf_puts(&line, SAP_STR("not watched: "));
		sap_buf_puts(&line, sap_str_of(sap_report_time(g->start, false, text)));
		sap_buf_puts(&line, SAP_STR(" to "));
		sap_buf_puts(&line, sap_str_of(sap_report_time(g->end, false, text)));
		sap_buf_puts(&line, SAP_STR(": "));
		sap_tty_escape(&line, g->reason);
		sap_report_wrap(&report->tty, 2, SAP_YELLOW, &line);
	}
	sap_buf_clear(&line);
}

void sap_evidence_tty(struct sap_report *report, const struct sap_evidence_view *view)
{
	const struct sap_evidence *e = view->evidence;
	struct sap_evidence_ctx ctx;

	if (!sap_evidence_ctx_make(report, &ctx, e, NULL))
		return;
	ctx.packages = view->packages;
	put_head(report, view);
	put_gaps(report, e);
	if (view->functions_of)
		sap_evidence_tty_functions(report, &ctx, view->functions_of);
	else
		put_files(report, &ctx);
	for (size_t i = 0; view->show_processes && i < e->files.n; i++)
		sap_evidence_tty_processes(report, &ctx, ctx.order[i]);
	if (!view->functions_of) {
		sap_evidence_tty_restart(report, &ctx);
		sap_evidence_tty_environment(report, &ctx, SAP_NONE);
		put_opens(report, e);
		put_not_observable(report, &ctx);
	}
	sap_evidence_ctx_clear(&ctx);
}
