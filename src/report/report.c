/* SPDX-License-Identifier: Apache-2.0 */
#include "report/report_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "model/purl.h"

struct sap_report *sap_report_new(const struct sap_report_options *options, struct sap_buf *out)
{
	struct sap_report *report = calloc(1, sizeof(*report));

	if (!report)
		return NULL;
	report->options = *options;
	report->out = out;
	report->tty = (struct sap_tty){ out, options->width, options->color };
	sap_buf_init(&report->purls, UINT32_MAX);
	return report;
}

void sap_report_free(struct sap_report *report)
{
	if (!report)
		return;
	sap_buf_clear(&report->purls);
	free(report->purl_ends);
	free(report);
}

/* What was kept about the facts of an earlier view. */
static void forget_facts(struct sap_report *report)
{
	report->purl_facts = NULL;
	report->owner_facts = NULL;
}

#define DISPATCH(name)                                                                          \
	void sap_report_##name(struct sap_report *report, const struct sap_##name##_view *view) \
	{                                                                                       \
		forget_facts(report);                                                           \
		if (report->options.format == SAP_FORMAT_JSON)                                  \
			sap_##name##_json(report, view);                                        \
		else                                                                            \
			sap_##name##_tty(report, view);                                         \
	}

void sap_report_explain(struct sap_report *report, const struct sap_scan_view *view)
{
	forget_facts(report);
	if (report->options.format == SAP_FORMAT_JSON)
		sap_scan_json(report, view);
	else
		sap_explain_tty(report, view);
}

DISPATCH(scan)
DISPATCH(evidence)
DISPATCH(db)
DISPATCH(links)
DISPATCH(why)
DISPATCH(unneeded)
DISPATCH(reverse)
DISPATCH(census)

/* Counts are part of every links document. */
void sap_report_count(struct sap_report *report, const struct sap_links_view *view)
{
	forget_facts(report);
	if (report->options.format == SAP_FORMAT_JSON)
		sap_links_json(report, view);
	else
		sap_count_tty(report, view);
}

/* ---- facts ------------------------------------------------------------------------------ */

static bool make_purls(struct sap_report *report, const struct sap_facts *facts)
{
	size_t n = facts->packages.n;

	sap_buf_reset(&report->purls);
	free(report->purl_ends);
	report->purl_facts = facts;
	report->purl_ends = calloc(n + 1, sizeof(*report->purl_ends));
	for (size_t i = 0; report->purl_ends && i < n; i++) {
		sap_purl_put_package(&report->purls, facts, &facts->packages.v[i]);
		report->purl_ends[i + 1] = (uint32_t)report->purls.n;
	}
	if (!report->purl_ends || !sap_buf_ok(&report->purls))
		report->out->failed = true;
	return report->purl_ends != NULL;
}

struct sap_str sap_report_purl(struct sap_report *report, const struct sap_facts *facts,
			       uint32_t package)
{
	uint32_t from;

	if (package >= facts->packages.n)
		return (struct sap_str){ 0 };
	if (report->purl_facts != facts && !make_purls(report, facts))
		return (struct sap_str){ 0 };
	if (!report->purl_ends)
		return (struct sap_str){ 0 };
	from = report->purl_ends[package];
	return (struct sap_str){ (const char *)report->purls.p + from,
				 report->purl_ends[package + 1] - from };
}

struct sap_str sap_report_name(const struct sap_facts *facts, uint32_t object)
{
	const struct sap_object *o = &facts->objects.v[object];

	return sap_facts_str(facts, o->soname ? o->soname : o->path);
}

static bool is_package_database(struct sap_str path)
{
	static const struct sap_str folders[] = {
		SAP_STR_INIT("/var/lib/dpkg/"),   SAP_STR_INIT("/var/lib/rpm/"),
		SAP_STR_INIT("/usr/share/rpm/"),  SAP_STR_INIT("/usr/lib/sysimage/rpm/"),
		SAP_STR_INIT("/lib/apk/db/"),     SAP_STR_INIT("/usr/lib/apk/db/"),
		SAP_STR_INIT("/var/lib/pacman/"),
	};

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		if (sap_str_starts(path, folders[i]))
			return true;
	}
	return false;
}

bool sap_report_is_loss(const struct sap_facts *facts, const struct sap_diagnostic *diagnostic)
{
	static const int losses[] = { SAP_EIO, SAP_ELIMIT, SAP_EUNSUPPORTED, SAP_ECHANGED,
				      SAP_EWORKER };
	struct sap_str code = sap_facts_str(facts, diagnostic->code);

	for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++) {
		if (sap_str_eq(code, sap_str_of(sap_code_name(losses[i]))))
			return true;
	}
	/* A bad ELF file is its own business; a bad database leaves packages out. */
	return sap_str_eq(code, sap_str_of(sap_code_name(SAP_EFORMAT))) &&
	       is_package_database(sap_facts_str(facts, diagnostic->path));
}

bool sap_report_complete(const struct sap_facts *facts)
{
	if (facts->truncated || facts->diagnostics_dropped || facts->stats.unreadable ||
	    !sap_report_owners_known(facts))
		return false;
	for (size_t i = 0; i < facts->diagnostics.n; i++) {
		if (sap_report_is_loss(facts, &facts->diagnostics.v[i]))
			return false;
	}
	return true;
}

struct sap_str sap_report_from(const struct sap_facts *facts, const struct sap_closure *closure,
			       uint32_t from)
{
	uint32_t object = closure->program;

	if (from != SAP_LINK_PROGRAM)
		object = closure->libs.v[from].object;
	return sap_report_path(facts, object);
}

static bool note_names(const struct sap_facts *facts, const struct sap_dlopen_note *note,
		       uint32_t name)
{
	for (uint32_t i = 0; i < note->sonames.n; i++) {
		if (facts->ids.v[note->sonames.at + i] == name)
			return true;
	}
	return false;
}

struct sap_str sap_report_priority(const struct sap_facts *facts, const struct sap_closure *closure,
				   const struct sap_link_edge *edge)
{
	uint32_t object = edge->from == SAP_LINK_PROGRAM ? closure->program
							 : closure->libs.v[edge->from].object;
	const struct sap_object *o = &facts->objects.v[object];

	if (edge->kind != SAP_EDGE_DLOPEN_NOTE)
		return (struct sap_str){ 0 };
	for (uint32_t i = 0; i < o->dlopen_notes.n; i++) {
		const struct sap_dlopen_note *note = &facts->dlopen_notes.v[o->dlopen_notes.at + i];

		if (note->feature == edge->via && note_names(facts, note, edge->name))
			return note->priority ? sap_facts_str(facts, note->priority)
					      : SAP_STR("recommended");
	}
	return (struct sap_str){ 0 };
}

static uint32_t key_of(const struct sap_link_edge *edge, bool by_to)
{
	uint32_t end = by_to ? edge->to : edge->from; /* SAP_NONE or SAP_LINK_PROGRAM: 0 */

	return end == UINT32_MAX ? 0 : end + 1;
}

static bool is_wanted(const struct sap_closure *closure, size_t e, bool all,
		      const unsigned char *skip)
{
	const struct sap_link_edge *edge = &closure->edges.v[e];

	return (!skip || !skip[e]) && (all || !edge->optional || edge->to != SAP_NONE);
}

bool sap_edge_index_make(struct sap_report *report, const struct sap_closure *closure, bool by_to,
			 bool all, const unsigned char *skip, struct sap_edge_index *index)
{
	size_t keys = closure->libs.n + 1;
	size_t n = closure->edges.n;

	/* Counting sort; first[k + 2] counts key k, so that it is first[k + 1] afterwards. */
	index->first = calloc(keys + 2, sizeof(*index->first));
	index->order = calloc(n ? n : 1, sizeof(*index->order));
	if (!index->first || !index->order) {
		sap_edge_index_clear(index);
		report->out->failed = true;
		return false;
	}
	for (size_t i = 0; i < n; i++)
		index->first[key_of(&closure->edges.v[i], by_to) + 2] +=
			is_wanted(closure, i, all, skip);
	for (size_t k = 2; k < keys + 2; k++)
		index->first[k] += index->first[k - 1];
	for (size_t i = 0; i < n; i++) {
		uint32_t key = key_of(&closure->edges.v[i], by_to);

		if (!is_wanted(closure, i, all, skip))
			continue;
		index->order[index->first[key + 1]++] = (uint32_t)i;
	}
	return true;
}

void sap_edge_index_clear(struct sap_edge_index *index)
{
	free(index->first);
	free(index->order);
	*index = (struct sap_edge_index){ 0 };
}

/* ---- JSON ------------------------------------------------------------------------------- */

void sap_report_json_begin(struct sap_report *report, struct sap_json *json, const char *schema)
{
	sap_json_init(json, report->out);
	sap_json_object(json, NULL);
	sap_json_object(json, "sapper");
	sap_json_name(json, "version", SAP_VERSION);
	sap_json_name(json, "schema", schema);
	sap_json_close(json);
}

void sap_report_json_target(struct sap_json *json, const struct sap_facts *facts, int cpu_level,
			    bool cpu_of_host)
{
	sap_json_object(json, "target");
	sap_json_text(json, "name", sap_facts_str(facts, facts->target));
	sap_json_text(json, "kind", sap_facts_str(facts, facts->target_kind));
	if (facts->whole)
		sap_json_bool(json, "complete", sap_report_complete(facts));
	sap_json_u64(json, "cpu_level", (uint64_t)(cpu_level > 0 ? cpu_level : 0));
	sap_json_bool(json, "cpu_of_host", cpu_of_host);
	sap_json_close(json);
}

void sap_report_json_each(struct sap_json *json, const char *key, const struct sap_facts *facts,
			  uint32_t n, uint32_t (*at)(const void *ctx, uint32_t i), const void *ctx)
{
	char bytes[64];
	bool valid = true;
	uint32_t id;

	sap_json_list(json, key);
	for (uint32_t i = 0; i < n; i++) {
		if ((id = at(ctx, i)) != SAP_NONE)
			valid = sap_json_str(json, NULL, sap_facts_str(facts, id)) && valid;
	}
	sap_json_close(json);
	if (valid)
		return;
	snprintf(bytes, sizeof(bytes), "%s_bytes", key);
	sap_json_list(json, bytes);
	for (uint32_t i = 0; i < n; i++) {
		if ((id = at(ctx, i)) != SAP_NONE)
			sap_json_hex(json, NULL, sap_facts_str(facts, id));
	}
	sap_json_close(json);
}

static uint32_t plain_id(const void *ctx, uint32_t i)
{
	return ((const uint32_t *)ctx)[i];
}

void sap_report_json_ids(struct sap_json *json, const char *key, const struct sap_facts *facts,
			 struct sap_range range)
{
	sap_report_json_each(json, key, facts, range.n, plain_id,
			     range.n ? &facts->ids.v[range.at] : NULL);
}

bool sap_report_owners_known(const struct sap_facts *facts)
{
	bool any = false;

	for (size_t i = 0; i < facts->settings.n; i++) {
		const struct sap_setting *s = &facts->settings.v[i];

		any |= s->kind == SAP_SET_DATABASE;
		if (s->kind == SAP_SET_DATABASE &&
		    !sap_str_is(sap_facts_str(facts, s->value), "read"))
			return false;
	}
	/* Where something is closed, a database may lie behind it. */
	if (facts->truncated || (!any && facts->stats.unreadable))
		return false;
	/* Noted about the root: a whole part of the work is missing, databases maybe. */
	for (size_t i = 0; i < facts->diagnostics.n; i++) {
		const struct sap_diagnostic *d = &facts->diagnostics.v[i];

		if (sap_str_is(sap_facts_str(facts, d->path), "/") &&
		    sap_str_is(sap_facts_str(facts, d->code), "worker-died"))
			return false;
	}
	return true;
}

void sap_report_json_owner(struct sap_report *report, struct sap_json *json,
			   const struct sap_facts *facts, uint32_t object)
{
	struct sap_str purl = sap_report_purl(report, facts, facts->objects.v[object].package);

	/* Asked for every object: not to be found out anew each time. */
	if (report->owner_facts != facts) {
		report->owner_facts = facts;
		report->owners_known = sap_report_owners_known(facts);
	}
	if (purl.n)
		sap_json_ascii(json, "package", purl);
	else if (report->owners_known)
		sap_json_null(json, "package");
}

/* ---- text ------------------------------------------------------------------------------- */

void sap_report_cell_package(struct sap_table *table, const struct sap_facts *facts,
			     uint32_t package)
{
	if (package >= facts->packages.n) {
		sap_table_printf(table, "unowned");
		sap_table_style(table, SAP_YELLOW);
		return;
	}
	sap_table_text(table, sap_facts_str(facts, facts->packages.v[package].name));
	sap_table_more(table, sap_facts_str(facts, facts->packages.v[package].version));
}

void sap_report_put_package(const struct sap_tty *tty, const struct sap_facts *facts,
			    uint32_t package)
{
	if (package >= facts->packages.n) {
		sap_tty_put(tty, SAP_YELLOW, "unowned");
		return;
	}
	sap_tty_escape(tty->out, sap_facts_str(facts, facts->packages.v[package].name));
	sap_buf_putc(tty->out, ' ');
	sap_tty_escape(tty->out, sap_facts_str(facts, facts->packages.v[package].version));
}

void sap_report_put_owner(const struct sap_tty *tty, const struct sap_links_view *view,
			  uint32_t object)
{
	uint32_t package = view->facts->objects.v[object].package;

	if (package == SAP_NONE && !view->owners_known)
		sap_buf_puts(tty->out, SAP_STR("owner unknown"));
	else
		sap_report_put_package(tty, view->facts, package);
}

void sap_report_heading(const struct sap_tty *tty, enum sap_style style, const char *fmt, ...)
{
	char line[256];
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(line, sizeof(line), fmt, ap) < 0)
		line[0] = '\0';
	va_end(ap);
	sap_buf_putc(tty->out, '\n');
	sap_tty_put(tty, style, line);
	sap_buf_putc(tty->out, '\n');
}

void sap_report_more(const struct sap_tty *tty, size_t shown, size_t all)
{
	if (shown < all)
		sap_tty_line(tty, SAP_DIM, "  and %zu more (-v shows all)", all - shown);
}

const char *sap_report_day(int64_t seconds, char text[SAP_DAY_SIZE])
{
	time_t t = (time_t)seconds;
	struct tm tm;

	text[0] = '\0';
	if (seconds > 0 && seconds <= 253402300799 && gmtime_r(&t, &tm)) /* 9999-12-31 */
		(void)strftime(text, SAP_DAY_SIZE, "%Y-%m-%d", &tm);
	return text;
}

const char *sap_report_cpu(int cpu_level)
{
	static const char *const names[] = { "base", "x86-64", "x86-64-v2", "x86-64-v3",
					     "x86-64-v4" };

	return cpu_level < 0 || cpu_level > 4 ? "unknown" : names[cpu_level];
}
