/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "report/evreport_int.h"

enum { SECOND = 1000000000 };

static void put_time(struct sap_json *json, const char *key, int64_t ns)
{
	char text[SAP_TIME_SIZE];

	sap_json_text(json, key, sap_str_of(sap_report_time(ns, true, text)));
}

/* ---- the window ------------------------------------------------------------------------- */

static int compare_gaps(const void *left, const void *right)
{
	const struct sap_gap *a = left, *b = right;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	if (a->end != b->end)
		return a->end < b->end ? -1 : 1;
	return sap_str_cmp(a->reason, b->reason);
}

static void put_window(struct sap_report *report, struct sap_json *json,
		       const struct sap_evidence *e)
{
	struct sap_gap *gaps = calloc(e->gaps.n + 1, sizeof(*gaps));

	report->out->failed |= gaps == NULL;
	if (gaps && e->gaps.n) {
		memcpy(gaps, e->gaps.v, e->gaps.n * sizeof(*gaps));
		qsort(gaps, e->gaps.n, sizeof(*gaps), compare_gaps);
	}
	sap_json_object(json, "window");
	put_time(json, "start", e->start);
	put_time(json, "end", e->end);
	sap_json_u64(json, "watched_seconds", (uint64_t)(sap_evidence_watched(e) / SECOND));
	if (e->end > e->start)
		sap_json_bool(json, "live", e->live);
	sap_json_list(json, "gaps");
	for (size_t i = 0; gaps && i < e->gaps.n; i++) {
		sap_json_object(json, NULL);
		put_time(json, "start", gaps[i].start);
		put_time(json, "end", gaps[i].end);
		sap_json_text(json, "reason", gaps[i].reason);
		sap_json_close(json);
	}
	sap_json_close(json);
	sap_json_close(json);
	free(gaps);
}

static void put_losses(struct sap_json *json, const struct sap_evidence *e)
{
	sap_json_u64(json, "processes_seen", e->processes_seen);
	sap_json_u64(json, "processes_hidden", e->processes_hidden);
	sap_json_object(json, "lost");
	sap_json_u64(json, "maps", e->losses.maps);
	sap_json_u64(json, "hits", e->losses.hits);
	sap_json_u64(json, "opens", e->losses.opens);
	sap_json_u64(json, "files", e->losses.files);
	sap_json_u64(json, "ceiling", e->losses.ceiling);
	sap_json_close(json);
	sap_json_object(json, "means");
	sap_json_text(json, "maps", e->means.maps);
	sap_json_text(json, "functions", e->means.functions);
	sap_json_text(json, "opens", e->means.opens);
	sap_json_close(json);
}

/* ---- processes -------------------------------------------------------------------------- */

static void put_preloads(struct sap_json *json, uint8_t preloads)
{
	static const char *const names[] = { "LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT" };

	if (preloads == SAP_ENV_UNREADABLE)
		return;
	/* Of several processes, some may have been readable. */
	if (preloads & SAP_ENV_UNREADABLE)
		sap_json_bool(json, "load_environment_partial", true);
	sap_json_list(json, "load_environment");
	for (unsigned i = 0; i < 3; i++) {
		if (preloads & 1u << i)
			sap_json_name(json, NULL, names[i]);
	}
	sap_json_close(json);
}

void sap_evidence_json_process(struct sap_json *json, const char *key, const struct sap_evidence *e,
			       uint32_t process)
{
	const struct sap_seen_process *p = &e->processes.v[process];
	const struct sap_listen **listens;
	size_t n;

	sap_json_object(json, key);
	if (p->pid > 0)
		sap_json_u64(json, "pid", (uint64_t)p->pid);
	sap_json_text(json, "name", p->comm);
	if (p->exe < e->files.n)
		sap_json_text(json, "exe", e->files.v[p->exe].path);
	sap_json_text(json, "unit", p->unit);
	sap_json_text(json, "container", p->container);
	if (p->exposure != SAP_EXPOSURE_UNKNOWN) {
		sap_json_name(json, "exposure", sap_exposure_name((enum sap_exposure)p->exposure));
		sap_json_list(json, "listens");
		listens = sap_evidence_listens(e, process, &n);
		for (size_t i = 0; i < n; i++)
			sap_json_str(json, NULL, listens[i]->text);
		free(listens);
		sap_json_close(json);
	}
	put_preloads(json, p->preloads);
	if (p->ended)
		sap_json_bool(json, "ended", true);
	if (p->count > 1)
		sap_json_u64(json, "count", p->count);
	sap_json_close(json);
}

static void put_processes(struct sap_json *json, const struct sap_evidence_ctx *ctx, uint32_t file)
{
	const struct sap_evidence_list *uses = &ctx->groups->uses;

	sap_json_list(json, "processes");
	for (uint32_t i = uses->first[file]; i < uses->first[file + 1]; i++)
		sap_evidence_json_process(json, NULL, ctx->e, ctx->e->uses.v[uses->v[i]].process);
	sap_json_close(json);
}

/* ---- functions -------------------------------------------------------------------------- */

void sap_evidence_json_function(struct sap_json *json, const char *key,
				const struct sap_evidence *e, uint32_t function)
{
	const struct sap_seen_function *f = &e->functions.v[function];
	struct sap_str names = f->names, name;

	sap_json_object(json, key);
	sap_json_list(json, "names");
	while (sap_str_word(&names, &name))
		sap_json_str(json, NULL, name);
	sap_json_close(json);
	sap_json_u64(json, "offset", f->offset);
	if (f->process < e->processes.n && !sap_seen_free(&e->processes.v[f->process])) {
		if (e->processes.v[f->process].pid > 0)
			sap_json_u64(json, "pid", (uint64_t)e->processes.v[f->process].pid);
		sap_json_text(json, "process", sap_evidence_process_name(e, f->process));
	}
	put_time(json, "when", f->when);
	sap_json_close(json);
}

static void put_functions(struct sap_json *json, const struct sap_evidence_ctx *ctx, uint32_t file)
{
	static const char *const observed[] = {
		[SAP_OBSERVED_NOT_ASKED] = "not_asked",
		[SAP_OBSERVED_PROBED] = "probed",
		[SAP_OBSERVED_NOT] = "not_observable",
	};
	const struct sap_evidence_list *entered = &ctx->groups->functions;
	const struct sap_evidence_list *unobserved = &ctx->groups->unobserved;
	const struct sap_evidence *e = ctx->e;
	const struct sap_seen_file *f = &e->files.v[file];

	sap_json_object(json, "functions");
	if (f->observed <= SAP_OBSERVED_NOT)
		sap_json_name(json, "observed", observed[f->observed]);
	sap_json_text(json, "reason",
		      f->reason.n == 0 && sap_evidence_nobody_left(ctx->groups, file)
			      ? SAP_STR(SAP_NOBODY_LEFT)
			      : f->reason);
	if (f->observed == SAP_OBSERVED_PROBED) {
		put_time(json, "since", f->observed_since);
		sap_json_u64(json, "asked", f->n_functions);
		sap_json_u64(json, "probed", f->n_probed);
		sap_json_u64(json, "refused", f->n_refused);
		sap_json_u64(json, "watched_seconds", (uint64_t)(f->watched / SECOND));
		sap_json_u64(json, "watched_processes", f->watched_processes);
	}
	sap_json_list(json, "entered");
	for (uint32_t i = entered->first[file]; i < entered->first[file + 1]; i++)
		sap_evidence_json_function(json, NULL, e, entered->v[i]);
	sap_json_close(json);
	if (unobserved->first[file] < unobserved->first[file + 1]) {
		sap_json_list(json, "unobserved");
		for (uint32_t i = unobserved->first[file]; i < unobserved->first[file + 1]; i++) {
			const struct sap_unobserved *u = &e->unobserved.v[unobserved->v[i]];

			sap_json_object(json, NULL);
			sap_json_text(json, "name", u->name);
			sap_json_text(json, "reason", u->reason);
			sap_json_close(json);
		}
		sap_json_close(json);
	}
	sap_json_close(json);
}

/* ---- files ------------------------------------------------------------------------------ */

static void put_where(struct sap_report *report, struct sap_json *json,
		      const struct sap_evidence_ctx *ctx, uint32_t file)
{
	const struct sap_evidence *e = ctx->e;
	const struct sap_seen_file *f = &e->files.v[file];
	uint32_t object = sap_evidence_object(ctx, file);

	sap_json_text(json, "path", f->path);
	sap_json_text(json, "build_id", f->build_id);
	if (f->root < e->roots.n && !sap_evidence_is_host(e, f->root)) {
		sap_json_text(json, "container", e->roots.v[f->root].container);
		sap_json_u64(json, "mount_namespace", e->roots.v[f->root].mnt_ns);
	}
	if (object != SAP_NONE) {
		sap_json_text(json, "object", sap_report_path(ctx->states->facts, object));
		sap_report_json_owner(report, json, ctx->states->facts, object);
	}
	if (ctx->packages)
		sap_json_text(json, "package_name", ctx->packages[file]);
}

static void put_file(struct sap_report *report, struct sap_json *json,
		     const struct sap_evidence_ctx *ctx, uint32_t file)
{
	const struct sap_seen_file *f = &ctx->e->files.v[file];
	enum sap_tristate load_time = sap_evidence_load_time(ctx, file);
	bool load_time_only;
	enum sap_state state = sap_evidence_state(ctx, file, &load_time_only);

	sap_json_object(json, NULL);
	put_where(report, json, ctx, file);
	sap_json_bool(json, "program", f->is_program);
	sap_json_name(json, "state", sap_state_name(state));
	if (state == SAP_STATE_EXECUTED)
		sap_json_bool(json, "load_time_only", load_time_only);
	if (load_time != SAP_UNKNOWN)
		sap_json_bool(json, "load_time_code", load_time == SAP_YES);
	sap_json_text(json, "load_time_why", f->load_time_why);
	if (f->stale != SAP_STALE_UNKNOWN)
		sap_json_name(json, "stale", sap_stale_name((enum sap_stale)f->stale));
	sap_json_text(json, "new_build_id", f->new_build_id);
	if (ctx->states && ctx->states->file_how[file] == SAP_FILE_CONTRADICTED)
		sap_json_bool(json, "contradicted", true);
	put_time(json, "first_seen", f->first_seen);
	put_time(json, "last_seen", f->last_seen);
	sap_json_u64(json, "process_count", f->n_processes);
	put_functions(json, ctx, file);
	put_processes(json, ctx, file);
	sap_json_close(json);
}

/* ---- lists beside them ------------------------------------------------------------------ */

static void put_restarts(struct sap_report *report, struct sap_json *json,
			 const struct sap_evidence_ctx *ctx)
{
	size_t n;
	struct sap_restart *v = sap_restarts(report, ctx, &n);

	sap_json_list(json, "restart");
	for (size_t i = 0, k; i < n; i = k) {
		sap_json_object(json, NULL);
		sap_evidence_json_process(json, "process", ctx->e, v[i].process);
		sap_json_list(json, "files");
		for (k = i; k < n && v[k].process == v[i].process; k++)
			sap_json_str(json, NULL, ctx->e->files.v[v[k].file].path);
		sap_json_close(json);
		sap_json_close(json);
	}
	sap_json_close(json);
	free(v);
}

static int compare_opens(const void *left, const void *right, void *arg)
{
	const struct sap_evidence *e = arg;
	const struct sap_seen_open *a = &e->opens.v[*(const uint32_t *)left];
	const struct sap_seen_open *b = &e->opens.v[*(const uint32_t *)right];
	int c = sap_str_cmp(a->path, b->path);

	return c ? c : a->root < b->root ? -1 : a->root > b->root;
}

static void put_opens(struct sap_report *report, struct sap_json *json,
		      const struct sap_evidence *e)
{
	uint32_t *order = calloc(e->opens.n + 1, sizeof(*order));

	report->out->failed |= order == NULL;
	for (uint32_t i = 0; order && i < e->opens.n; i++)
		order[i] = i;
	if (order && e->opens.n)
		qsort_r(order, e->opens.n, sizeof(*order), compare_opens, (void *)(uintptr_t)e);
	sap_json_list(json, "opens");
	for (size_t i = 0; order && i < e->opens.n; i++) {
		const struct sap_seen_open *o = &e->opens.v[order[i]];

		sap_json_object(json, NULL);
		sap_json_text(json, "path", o->path);
		sap_json_text(json, "container", sap_evidence_container(e, o->root));
		sap_json_u64(json, "count", o->count);
		put_time(json, "first_seen", o->first_seen);
		put_time(json, "last_seen", o->last_seen);
		if (o->process < e->processes.n && !sap_seen_free(&e->processes.v[o->process]))
			sap_evidence_json_process(json, "process", e, o->process);
		sap_json_close(json);
	}
	sap_json_close(json);
	free(order);
}

/* How many open findings have reached a state. */
static void put_counts(struct sap_json *json, const struct sap_states *s)
{
	struct sap_finding_counts n;

	if (!s || !s->of)
		return;
	n = sap_finding_counts(s);
	sap_json_object(json, "findings");
	sap_json_u64(json, "open", n.open);
	sap_json_u64(json, "mapped", n.mapped);
	sap_json_u64(json, "executed", n.executed);
	sap_json_u64(json, "load_time_only", n.load_time_only);
	sap_json_u64(json, "vulnerable_function_executed", n.vulnerable);
	sap_json_u64(json, "not_observable", n.not_observable);
	sap_json_close(json);
}

static void put_all(struct sap_report *report, struct sap_json *json,
		    const struct sap_evidence_ctx *ctx)
{
	const struct sap_evidence *e = ctx->e;

	sap_json_object(json, "evidence");
	sap_json_text(json, "host", e->host);
	sap_json_text(json, "boot_id", e->boot_id);
	put_window(report, json, e);
	put_losses(json, e);
	put_counts(json, ctx->states);
	sap_json_list(json, "libraries");
	for (size_t i = 0; i < e->files.n; i++)
		put_file(report, json, ctx, ctx->order[i]);
	sap_json_close(json);
	put_restarts(report, json, ctx);
	if (e->means.opens.n || e->opens.n)
		put_opens(report, json, e);
	sap_json_close(json);
}

void sap_scan_json_evidence(struct sap_report *report, struct sap_json *json,
			    const struct sap_states *states)
{
	struct sap_evidence_ctx ctx;

	if (!states || !states->evidence ||
	    !sap_evidence_ctx_make(report, &ctx, states->evidence, states))
		return;
	put_all(report, json, &ctx);
	sap_evidence_ctx_clear(&ctx);
}

void sap_evidence_json(struct sap_report *report, const struct sap_evidence_view *view)
{
	struct sap_evidence_ctx ctx;
	struct sap_json json;

	if (!sap_evidence_ctx_make(report, &ctx, view->evidence, NULL))
		return;
	ctx.packages = view->packages;
	sap_report_json_begin(report, &json, "evidence/1");
	if (view->command)
		sap_json_text(&json, "command", sap_str_of(view->command));
	put_all(report, &json, &ctx);
	sap_json_close(&json);
	sap_json_end(&json);
	sap_evidence_ctx_clear(&ctx);
}
