/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "report/evreport_int.h"

#define COUNT(v) (sizeof(v) / sizeof((v)[0]))

enum { RESTARTS_SHOWN = 5, PIDS_SHOWN = 3, FILES_SHOWN = 4, LISTENS_SHOWN = 3 };

/* ---- restart ---------------------------------------------------------------------------- */

static void put_pids(struct sap_buf *out, const struct sap_evidence *e, const struct sap_restart *v,
		     size_t n)
{
	size_t told = 0;

	for (size_t i = 0; i < n; i++) {
		bool again = i && v[i].process == v[i - 1].process;

		if (!again && told < PIDS_SHOWN)
			sap_buf_printf(out, "%s%d", told ? ", " : "",
				       e->processes.v[v[i].process].pid);
		told += !again;
	}
	if (told > PIDS_SHOWN)
		sap_buf_printf(out, " and %zu more", told - PIDS_SHOWN);
}

static int compare_old(const void *left, const void *right, void *arg)
{
	const struct sap_evidence *e = arg;
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
	int c = sap_str_cmp(e->files.v[a].path, e->files.v[b].path);

	return c ? c : a < b ? -1 : a > b;
}

/* The files of all processes of a group, each once, by path. */
static void put_old_files(struct sap_buf *out, const struct sap_evidence *e,
			  const struct sap_restart *v, size_t n)
{
	uint32_t *files = calloc(n + 1, sizeof(*files));
	size_t told = 0;

	out->failed |= files == NULL;
	for (size_t i = 0; files && i < n; i++)
		files[i] = v[i].file;
	if (files)
		qsort_r(files, n, sizeof(*files), compare_old, (void *)(uintptr_t)e);
	for (size_t i = 0; files && i < n; i++) {
		const struct sap_seen_file *f = &e->files.v[files[i]];

		if ((i && files[i] == files[i - 1]) || told++ >= FILES_SHOWN)
			continue;
		sap_buf_puts(out, told > 1 ? SAP_STR(", ") : SAP_STR(""));
		sap_tty_escape(out, sap_path_base(f->path));
		if (f->stale == SAP_STALE_DELETED)
			sap_buf_puts(out, SAP_STR(" (deleted)"));
	}
	if (told > FILES_SHOWN)
		sap_buf_printf(out, " and %zu more", told - FILES_SHOWN);
	free(files);
}

static void put_restart(const struct sap_tty *tty, const struct sap_evidence *e,
			const struct sap_restart *v, size_t n)
{
	const struct sap_seen_process *p = &e->processes.v[v->process];
	struct sap_buf line;

	sap_buf_init(&line, SAP_LINE_MAX);
	if (sap_str_ends(p->unit, SAP_STR(".service")))
		sap_tty_escape(&line, p->unit);
	else
		sap_tty_escape(&line, sap_evidence_process_name(e, v->process));
	if (p->container.n) {
		sap_buf_puts(&line, SAP_STR(" in container "));
		sap_tty_escape(&line, p->container);
	}
	sap_buf_puts(&line, SAP_STR(" (pid "));
	put_pids(&line, e, v, n);
	sap_buf_puts(&line, SAP_STR("): "));
	put_old_files(&line, e, v, n);
	sap_report_wrap(tty, 2, SAP_PLAIN, &line);
	sap_buf_clear(&line);
}

void sap_evidence_tty_restart(struct sap_report *report, const struct sap_evidence_ctx *ctx)
{
	const struct sap_tty *tty = &report->tty;
	size_t n, groups = 0, told = 0;
	struct sap_restart *v = sap_restarts(report, ctx, &n);

	for (size_t i = 0; i < n; i++)
		groups += i == 0 || !sap_restart_same(ctx->e, &v[i - 1], &v[i]);
	if (n)
		sap_report_heading(tty, SAP_RED,
				   "Restart: upgraded on disk, the old copy still mapped (%zu)",
				   groups);
	for (size_t i = 0, k; i < n; i = k) {
		for (k = i + 1; k < n && sap_restart_same(ctx->e, &v[k - 1], &v[k]);)
			k++;
		if (!report->options.verbose && told == RESTARTS_SHOWN)
			break;
		put_restart(tty, ctx->e, &v[i], k - i);
		told++;
	}
	sap_report_more(tty, told, groups);
	free(v);
}

/* ---- who maps it ------------------------------------------------------------------------ */

/* What a library is called in a heading: name, package, state. */
static void put_title(struct sap_report *report, const struct sap_evidence_ctx *ctx, uint32_t file)
{
	const struct sap_seen_file *f = &ctx->e->files.v[file];
	struct sap_str container = sap_evidence_container(ctx->e, f->root);
	uint32_t object = sap_evidence_object(ctx, file);
	bool load_time_only;
	enum sap_state state = sap_evidence_state(ctx, file, &load_time_only);
	struct sap_buf line;

	sap_buf_init(&line, SAP_LINE_MAX);
	sap_tty_escape(&line, f->path);
	if (container.n) {
		sap_buf_puts(&line, SAP_STR(" in container "));
		sap_tty_escape(&line, container);
	}
	if (object != SAP_NONE && ctx->states->facts->objects.v[object].package != SAP_NONE) {
		const struct sap_tty inner = { &line, 0, false };

		sap_buf_puts(&line, SAP_STR(" of "));
		sap_report_put_package(&inner, ctx->states->facts,
				       ctx->states->facts->objects.v[object].package);
	} else if (ctx->packages && ctx->packages[file].n) {
		sap_buf_puts(&line, SAP_STR(" of "));
		sap_tty_escape(&line, ctx->packages[file]);
	}
	if (sap_evidence_is_old_copy(f))
		sap_buf_printf(&line, ", an old copy (%s)",
			       sap_stale_name((enum sap_stale)f->stale));
	sap_buf_printf(&line, ": %s",
		       state == SAP_STATE_MAPPED ? "mapped"
		       : load_time_only          ? "mapped, load-time code was run"
						 : "executed");
	sap_buf_putc(report->out, '\n');
	sap_report_wrap(&report->tty, 0, SAP_BOLD, &line);
	sap_buf_clear(&line);
}

static void process_row(struct sap_table *table, const struct sap_evidence *e, uint32_t process)
{
	const struct sap_seen_process *p = &e->processes.v[process];
	struct sap_buf listens;

	if (p->count > 1)
		sap_table_printf(table, "  %llu ended", (unsigned long long)p->count);
	else
		sap_table_printf(table, "  %d%s", p->pid, p->ended ? " ended" : "");
	sap_table_text(table, sap_evidence_process_name(e, process));
	if (p->container.n) {
		sap_table_text(table, p->container);
		sap_table_more(table, p->unit);
	} else {
		sap_table_text(table, p->unit);
	}
	sap_table_printf(table, "%s", sap_exposure_name((enum sap_exposure)p->exposure));
	sap_table_style(table, p->exposure == SAP_EXPOSURE_NETWORK ? SAP_YELLOW : SAP_PLAIN);
	sap_buf_init(&listens, SAP_LINE_MAX);
	sap_evidence_put_listens(&listens, e, process, LISTENS_SHOWN);
	sap_table_text(table, sap_buf_str(&listens));
	sap_buf_clear(&listens);
}

void sap_evidence_tty_processes(struct sap_report *report, const struct sap_evidence_ctx *ctx,
				uint32_t file)
{
	static const struct sap_column columns[] = {
		{ .head = "  PID" },
		{ .head = "PROCESS", .min = 10 },
		{ .head = "UNIT OR CONTAINER", .min = 17 },
		{ .head = "EXPOSURE" },
		{ .head = "LISTENS ON", .min = 16 },
	};
	const struct sap_evidence_list *uses = &ctx->groups->uses;
	struct sap_table table;

	put_title(report, ctx, file);
	if (uses->first[file] == uses->first[file + 1]) {
		sap_tty_line(&report->tty, SAP_DIM, "  by processes that are not known");
		return;
	}
	sap_table_begin(&table, &report->tty, columns, COUNT(columns));
	for (uint32_t i = uses->first[file]; i < uses->first[file + 1]; i++)
		process_row(&table, ctx->e, ctx->e->uses.v[uses->v[i]].process);
	sap_table_end(&table);
	sap_evidence_tty_environment(report, ctx, file);
}

/* ---- functions -------------------------------------------------------------------------- */

/* Who mapped it before the probes stood may have entered its functions. */
static void put_before(struct sap_buf *line, const struct sap_seen_file *f)
{
	int64_t ns = f->observed_since - f->first_seen;
	char text[48];

	if (!f->first_seen || ns <= 0)
		return;
	if (ns < 1000000000)
		snprintf(text, sizeof(text), "%lld ms", (long long)(ns + 999999) / 1000000);
	else
		sap_duration_text(ns, text, sizeof(text));
	sap_buf_printf(line, "; what ran in the first %s is not known", text);
}

/* How long the probes stood, from when, and over how many processes. */
static void put_watched(struct sap_buf *line, const struct sap_evidence *e,
			const struct sap_seen_file *f)
{
	char text[SAP_TIME_SIZE];

	if (!f->observed_since)
		return;
	sap_buf_puts(line, SAP_STR("; watched since "));
	sap_buf_puts(line, sap_str_of(sap_report_time(f->observed_since, false, text)));
	/* In between nothing stood for a while: another watch, which did not ask for it. */
	if (f->watched < sap_evidence_stood(e, f->observed_since)) {
		sap_duration_text(f->watched, text, sizeof(text));
		sap_buf_printf(line, ", in all %s", text);
	}
	put_before(line, f);
}

static void put_probes(const struct sap_tty *tty, const struct sap_evidence_ctx *ctx, uint32_t file)
{
	const struct sap_seen_file *f = &ctx->e->files.v[file];
	const struct sap_evidence_list *entered = &ctx->groups->functions;
	uint32_t n = entered->first[file + 1] - entered->first[file];
	struct sap_buf line;

	sap_buf_init(&line, SAP_LINE_MAX);
	if (sap_evidence_nobody_left(ctx->groups, file)) {
		sap_buf_puts(&line, SAP_STR("not observable: " SAP_NOBODY_LEFT));
	} else if (f->observed == SAP_OBSERVED_PROBED) {
		sap_buf_printf(&line, "%u of %u functions watched were entered", n, f->n_probed);
		if (f->n_functions != f->n_probed)
			sap_buf_printf(&line, "; %u were asked for", f->n_functions);
		if (f->n_refused)
			sap_buf_printf(&line, ", %u the kernel refused", f->n_refused);
		put_watched(&line, ctx->e, f);
	} else if (f->observed == SAP_OBSERVED_NOT) {
		sap_buf_puts(&line, SAP_STR("not observable: "));
	} else {
		sap_buf_puts(&line, SAP_STR(SAP_NOT_WATCHED));
	}
	if (f->reason.n) {
		if (f->observed != SAP_OBSERVED_NOT)
			sap_buf_puts(&line, SAP_STR("; "));
		sap_tty_escape(&line, f->reason);
	}
	sap_report_wrap(tty, 2, f->observed == SAP_OBSERVED_PROBED ? SAP_PLAIN : SAP_YELLOW, &line);
	if (f->load_time_why.n) {
		sap_buf_puts(&line, SAP_STR("run by the loader: "));
		sap_tty_escape(&line, f->load_time_why);
		sap_report_wrap(tty, 2, SAP_PLAIN, &line);
	}
	sap_buf_clear(&line);
}

static void put_entered(struct sap_report *report, const struct sap_evidence_ctx *ctx,
			uint32_t file)
{
	static const struct sap_column columns[] = {
		{ .head = "  FUNCTION", .min = 24 },
		{ .head = "FIRST ENTERED BY", .min = 16 },
		{ .head = "WHEN" },
	};
	const struct sap_evidence_list *list = &ctx->groups->functions;
	const struct sap_evidence *e = ctx->e;
	struct sap_table table;
	char when[SAP_TIME_SIZE];

	if (list->first[file] == list->first[file + 1])
		return;
	sap_table_begin(&table, &report->tty, columns, COUNT(columns));
	for (uint32_t i = list->first[file]; i < list->first[file + 1]; i++) {
		const struct sap_seen_function *f = &e->functions.v[list->v[i]];

		if (f->names.n)
			sap_table_printf(&table, " ");
		else
			sap_table_printf(&table, "  at 0x%llx", (unsigned long long)f->offset);
		sap_table_more(&table, f->names);
		if (f->process < e->processes.n && !sap_seen_free(&e->processes.v[f->process])) {
			char pid[24];

			snprintf(pid, sizeof(pid), "(pid %d)", e->processes.v[f->process].pid);
			sap_table_text(&table, sap_evidence_process_name(e, f->process));
			sap_table_more(&table, sap_str_of(pid));
		} else {
			sap_table_printf(&table, "unknown");
		}
		sap_table_printf(&table, "%s", sap_report_time(f->when, false, when));
	}
	sap_table_end(&table);
}

/* Names with one reason are one paragraph. */
static void put_unobserved(struct sap_report *report, const struct sap_evidence_ctx *ctx,
			   uint32_t file)
{
	const struct sap_evidence_list *list = &ctx->groups->unobserved;
	const struct sap_unobserved *all = ctx->e->unobserved.v;
	uint32_t from = list->first[file], to = list->first[file + 1];
	struct sap_buf line;

	sap_buf_init(&line, SAP_LINE_MAX);
	for (uint32_t i = from; i < to; i++) {
		struct sap_str reason = all[list->v[i]].reason;
		uint32_t before = from, n = 0;

		/* Reasons are few, and texts of one set are kept once. */
		while (before < i && all[list->v[before]].reason.p != reason.p)
			before++;
		if (before < i)
			continue;
		sap_buf_puts(&line, SAP_STR("not observable: "));
		for (uint32_t k = i; k < to; k++) {
			if (all[list->v[k]].reason.p != reason.p)
				continue;
			if (n++)
				sap_buf_puts(&line, SAP_STR(", "));
			sap_tty_escape(&line, all[list->v[k]].name);
		}
		sap_buf_puts(&line, SAP_STR(": "));
		sap_tty_escape(&line, reason);
		sap_report_wrap(&report->tty, 2, SAP_YELLOW, &line);
	}
	sap_buf_clear(&line);
}

void sap_evidence_tty_functions(struct sap_report *report, const struct sap_evidence_ctx *ctx,
				const char *name)
{
	uint32_t n = 0;

	for (size_t i = 0; i < ctx->e->files.n; i++) {
		uint32_t file = ctx->order[i];

		if (!sap_evidence_file_is(ctx, file, sap_str_of(name)))
			continue;
		n++;
		put_title(report, ctx, file);
		put_probes(&report->tty, ctx, file);
		put_entered(report, ctx, file);
		put_unobserved(report, ctx, file);
	}
	if (n)
		return;
	sap_buf_putc(report->out, '\n');
	sap_tty_text(&report->tty, SAP_BOLD, sap_str_of(name));
	sap_buf_puts(report->out, SAP_STR(": no mapped file has this name\n"));
}

/* ---- in a scan -------------------------------------------------------------------------- */

static void put_window(struct sap_buf *out, const struct sap_evidence *e)
{
	char text[SAP_TIME_SIZE];

	if (e->end > e->start) {
		sap_duration_text(e->end - e->start, text, sizeof(text));
		sap_buf_printf(out, "%s %s until ",
			       e->live ? "watched" : "looks at /proc only, over", text);
		sap_buf_puts(out, sap_str_of(sap_report_time(e->end, false, text)));
		sap_buf_puts(out, SAP_STR(" UTC"));
		sap_evidence_put_gaps(out, e);
	} else {
		sap_buf_puts(out, SAP_STR("/proc now"));
	}
}

void sap_scan_tty_evidence(struct sap_report *report, const struct sap_states *s)
{
	const struct sap_evidence *e = s ? s->evidence : NULL;
	struct sap_buf line, losses;
	bool doubt;

	if (!e)
		return;
	sap_buf_init(&line, SAP_LINE_MAX);
	sap_buf_init(&losses, SAP_LINE_MAX);
	doubt = sap_evidence_put_losses(&losses, e) || e->processes_hidden;
	sap_buf_puts(&line, SAP_STR("what runs: "));
	put_window(&line, e);
	sap_buf_printf(&line, " (%llu process%s", (unsigned long long)e->processes_seen,
		       e->processes_seen == 1 ? "" : "es");
	if (e->processes_hidden)
		sap_buf_printf(&line, ", %llu could not be looked into",
			       (unsigned long long)e->processes_hidden);
	sap_buf_puts(&line, SAP_STR(")"));
	if (losses.n) {
		sap_buf_puts(&line, SAP_STR("; "));
		sap_buf_puts(&line, sap_buf_str(&losses));
	}
	sap_report_wrap(&report->tty, 0, doubt ? SAP_YELLOW : SAP_PLAIN, &line);
	if (!s->functions_watched) {
		sap_buf_puts(&line, SAP_STR(SAP_NOT_WATCHED));
		sap_report_wrap(&report->tty, 2, SAP_DIM, &line);
	}
	if (s->n_contradicted) {
		sap_buf_printf(&line,
			       "%u mapped file%s of another build than described here: what is "
			       "described is older, scan again",
			       s->n_contradicted, s->n_contradicted == 1 ? " is" : "s are");
		sap_report_wrap(&report->tty, 2, SAP_RED, &line);
	}
	sap_buf_clear(&losses);
	sap_buf_clear(&line);
}

/* Objects that an open finding is about. NULL: out of memory. */
static bool *with_findings(struct sap_report *report, const struct sap_scan_view *view)
{
	const struct sap_facts *facts = view->facts;
	const struct sap_findings *f = view->findings;
	bool *packages = calloc(facts->packages.n + 1, sizeof(*packages));
	bool *objects = calloc(facts->objects.n + 1, sizeof(*objects));

	for (size_t i = 0; packages && objects && f && i < f->list.n; i++) {
		const struct sap_finding *v = &f->list.v[i];

		if (!sap_finding_is_open(v))
			continue;
		for (uint32_t k = 0; k < v->n_packages; k++)
			packages[v->packages[k]] = true;
		for (uint32_t k = 0; k < v->n_objects; k++)
			objects[v->objects[k]] = true;
	}
	for (size_t o = 0; packages && objects && o < facts->objects.n; o++) {
		uint32_t package = facts->objects.v[o].package;

		objects[o] |= package != SAP_NONE && packages[package];
	}
	if (!packages) {
		free(objects);
		objects = NULL;
	}
	report->out->failed |= objects == NULL;
	free(packages);
	return objects;
}

static void put_processes(struct sap_report *report, const struct sap_scan_view *view,
			  const struct sap_evidence_ctx *ctx)
{
	bool *wanted = with_findings(report, view);
	size_t left_out = 0, shown = 0;

	for (size_t i = 0; wanted && i < ctx->e->files.n; i++) {
		uint32_t object = view->states->file_object[ctx->order[i]];

		/* Where nothing was judged nothing can be left out for having no finding. */
		if (report->options.verbose || !view->findings ||
		    (object != SAP_NONE && wanted[object])) {
			sap_evidence_tty_processes(report, ctx, ctx->order[i]);
			shown++;
		} else {
			left_out++;
		}
	}
	if (shown == 0)
		sap_report_heading(&report->tty, SAP_PLAIN, "no mapped file has a finding");
	if (left_out)
		sap_tty_line(&report->tty, SAP_DIM,
			     "  %zu mapped file%s without findings %s not listed (-v does)",
			     left_out, sap_plural(left_out), left_out == 1 ? "is" : "are");
	free(wanted);
}

void sap_scan_tty_running(struct sap_report *report, const struct sap_scan_view *view)
{
	struct sap_evidence_ctx ctx;

	if (!view->states || !view->states->evidence ||
	    !sap_evidence_ctx_make(report, &ctx, view->states->evidence, view->states))
		return;
	sap_evidence_tty_restart(report, &ctx);
	sap_evidence_tty_environment(report, &ctx, SAP_NONE);
	if (view->show_processes)
		put_processes(report, view, &ctx);
	if (view->functions_of)
		sap_evidence_tty_functions(report, &ctx, view->functions_of);
	sap_evidence_ctx_clear(&ctx);
}
