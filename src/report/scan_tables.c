/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "report/report_int.h"

#define COUNT(v) (sizeof(v) / sizeof((v)[0]))

enum {
	LIBRARIES_SHOWN = 20,
	PROGRAMS_SHOWN = 5,
	MISSING_SHOWN = 5,
	DIAGNOSTICS_SHOWN = 5,
	PATH_COLUMN_FROM = 110, /* columns of a terminal that has room for paths too */
};

static size_t shown_of(const struct sap_report *report, size_t n, size_t max)
{
	return report->options.verbose || n < max ? n : max;
}

/* ---- objects in an order ---------------------------------------------------------------- */

struct ranked {
	uint32_t object;
	uint32_t first, second; /* larger ones come first; then objects, which go by path */
};

static int compare(const void *left, const void *right)
{
	const struct ranked *a = left, *b = right;

	if (a->first != b->first)
		return a->first < b->first ? 1 : -1;
	if (a->second != b->second)
		return a->second < b->second ? 1 : -1;
	return a->object < b->object ? -1 : a->object > b->object;
}

/* All objects that rank gives a `first` of more than 0, sorted. NULL: out of memory. */
static struct ranked *rank_objects(struct sap_report *report, const struct sap_radius *radius,
				   struct ranked (*rank)(const struct sap_radius_object *),
				   size_t *n)
{
	struct ranked *v = calloc(radius->n_objects + 1ul, sizeof(*v));

	*n = 0;
	if (!v) {
		report->out->failed = true;
		return NULL;
	}
	for (uint32_t i = 0; i < radius->n_objects; i++) {
		v[*n] = rank(&radius->objects[i]);
		v[*n].object = i;
		*n += v[*n].first > 0;
	}
	qsort(v, *n, sizeof(*v), compare);
	return v;
}

static struct ranked by_radius(const struct sap_radius_object *o)
{
	return (struct ranked){ .first = o->programs, .second = o->services };
}

static struct ranked by_closure(const struct sap_radius_object *o)
{
	return (struct ranked){ .first = o->is_program ? o->libraries : 0, .second = o->direct };
}

static struct ranked by_missing(const struct sap_radius_object *o)
{
	return (struct ranked){ .first = o->is_program ? o->missing : 0 };
}

/* ---- libraries and programs ------------------------------------------------------------- */

void sap_scan_tty_libraries(struct sap_report *report, const struct sap_scan_view *view)
{
	static const struct sap_column columns[] = {
		{ .head = "PROGRAMS", .right = true },
		{ .head = "SERVICES", .right = true },
		{ .head = "ENABLED", .right = true },
		{ .head = "LIBRARY", .min = 22 },
		{ .head = "PACKAGE", .min = 16 },
		{ .head = "PATH", .style = SAP_DIM, .min = 24 },
	};
	const struct sap_facts *facts = view->facts;
	unsigned width = report->tty.width;
	bool paths = width == 0 || width >= PATH_COLUMN_FROM;
	struct sap_table table;
	size_t n, shown;
	struct ranked *v = rank_objects(report, view->radius, by_radius, &n);

	shown = shown_of(report, n, LIBRARIES_SHOWN);
	if (!v || n == 0)
		goto out;
	sap_report_heading(&report->tty, SAP_BOLD,
			   "Largest blast radius: libraries that the most programs load at start");
	sap_table_begin(&table, &report->tty, columns, COUNT(columns) - !paths);
	for (size_t i = 0; i < shown; i++) {
		const struct sap_radius_object *o = &view->radius->objects[v[i].object];

		sap_table_printf(&table, "%u", o->programs);
		sap_table_printf(&table, "%u", o->services);
		sap_table_printf(&table, "%u", o->enabled);
		sap_table_text(&table, sap_report_name(facts, v[i].object));
		sap_report_cell_package(&table, facts, facts->objects.v[v[i].object].package);
		if (paths)
			sap_table_text(&table, sap_report_path(facts, v[i].object));
	}
	sap_table_end(&table);
	sap_report_more(&report->tty, shown, n);
out:
	free(v);
}

void sap_scan_tty_programs(struct sap_report *report, const struct sap_scan_view *view)
{
	static const struct sap_column columns[] = {
		{ .head = "LIBRARIES", .right = true },
		{ .head = "DIRECT", .right = true },
		{ .head = "PROGRAM", .min = 30 },
		{ .head = "PACKAGE", .min = 16 },
	};
	const struct sap_facts *facts = view->facts;
	struct sap_table table;
	size_t n, shown;
	struct ranked *v = rank_objects(report, view->radius, by_closure, &n);

	shown = shown_of(report, n, PROGRAMS_SHOWN);
	if (!v || n == 0)
		goto out;
	sap_report_heading(&report->tty, SAP_BOLD,
			   "Largest closures: programs that load the most libraries");
	sap_table_begin(&table, &report->tty, columns, COUNT(columns));
	for (size_t i = 0; i < shown; i++) {
		const struct sap_radius_object *o = &view->radius->objects[v[i].object];

		sap_table_printf(&table, "%u", o->libraries);
		sap_table_printf(&table, "%u", o->direct);
		sap_table_text(&table, sap_report_path(facts, v[i].object));
		sap_report_cell_package(&table, facts, facts->objects.v[v[i].object].package);
	}
	sap_table_end(&table);
out:
	free(v);
}

void sap_scan_tty_missing(struct sap_report *report, const struct sap_scan_view *view)
{
	static const struct sap_column columns[] = {
		{ .right = true },
		{ .style = SAP_RED, .min = 30 },
		{ .min = 16 },
	};
	const struct sap_facts *facts = view->facts;
	struct sap_table table;
	size_t n, shown;
	struct ranked *v = rank_objects(report, view->radius, by_missing, &n);

	shown = shown_of(report, n, MISSING_SHOWN);
	if (!v || n == 0)
		goto out;
	sap_report_heading(&report->tty, SAP_RED,
			   "%zu program%s with missing libraries or versions "
			   "(see sapper links PROGRAM)",
			   n, n == 1 ? "" : "s");
	sap_table_begin(&table, &report->tty, columns, COUNT(columns));
	for (size_t i = 0; i < shown; i++) {
		sap_table_printf(&table, "%5u", v[i].first);
		sap_table_text(&table, sap_report_path(facts, v[i].object));
		sap_report_cell_package(&table, facts, facts->objects.v[v[i].object].package);
	}
	sap_table_end(&table);
	sap_report_more(&report->tty, shown, n);
out:
	free(v);
}

/* ---- what nobody owns ------------------------------------------------------------------- */

/* Unowned objects whose folders share their first two components. */
struct group {
	struct sap_str key;    /* these */
	struct sap_str prefix; /* the folder that all of them lie in */
	uint32_t n;
	uint32_t first; /* object */
};

static struct sap_str first_components(struct sap_str dir)
{
	size_t at = 0;

	for (unsigned slashes = 0; at < dir.n; at++) {
		if (dir.p[at] == '/' && ++slashes == 3)
			break;
	}
	return (struct sap_str){ dir.p, at };
}

static bool ends_component(struct sap_str path, size_t at)
{
	return at == path.n || path.p[at] == '/';
}

/* Makes the group's folder one that holds `dir` as well. */
static void narrow(struct group *group, struct sap_str dir)
{
	struct sap_str prefix = group->prefix;
	size_t same = 0;

	while (same < prefix.n && same < dir.n && prefix.p[same] == dir.p[same])
		same++;
	while (same > 1 && !(ends_component(prefix, same) && ends_component(dir, same)))
		same--;
	group->prefix.n = same;
}

static int compare_groups(const void *left, const void *right)
{
	const struct group *a = left, *b = right;

	if (a->n != b->n)
		return a->n < b->n ? 1 : -1;
	return a->first < b->first ? -1 : a->first > b->first;
}

/* Objects go by path, so those of a group stand together, or nearly: "/a/b-c" sorts between
 * "/a/b" and "/a/b/c". Such a group then comes twice, which does no harm. */
static size_t make_groups(const struct sap_facts *facts, struct group *groups)
{
	size_t n = 0;

	for (uint32_t i = 0; i < facts->objects.n; i++) {
		struct sap_str dir = sap_path_dir(sap_report_path(facts, i));
		struct sap_str key = first_components(dir);

		if (facts->objects.v[i].package != SAP_NONE)
			continue;
		if (n && sap_str_eq(groups[n - 1].key, key)) {
			narrow(&groups[n - 1], dir);
			groups[n - 1].n++;
			continue;
		}
		groups[n++] = (struct group){ key, dir, 1, i };
	}
	qsort(groups, n, sizeof(*groups), compare_groups);
	return n;
}

static void put_groups(struct sap_report *report, const struct sap_facts *facts, uint32_t unowned,
		       unsigned max)
{
	static const struct sap_column columns[] = {
		{ .right = true },
		{ .style = SAP_YELLOW, .min = 40 },
	};
	struct group *groups = calloc(unowned + 1ul, sizeof(*groups));
	struct sap_table table;
	uint32_t told = 0;
	size_t n;

	if (!groups) {
		report->out->failed = true;
		return;
	}
	n = make_groups(facts, groups);
	sap_table_begin(&table, &report->tty, columns, COUNT(columns));
	for (size_t i = 0; i < n && i < max; i++) {
		sap_table_printf(&table, "%5u", groups[i].n);
		if (groups[i].n == 1) {
			sap_table_text(&table, sap_report_path(facts, groups[i].first));
		} else {
			sap_table_text(&table, groups[i].prefix);
			sap_table_more(&table, SAP_STR("(all below)"));
		}
		told += groups[i].n;
	}
	sap_table_end(&table);
	sap_report_more(&report->tty, told, unowned);
	free(groups);
}

void sap_scan_tty_unowned(struct sap_report *report, const struct sap_scan_view *view, unsigned max)
{
	static const struct sap_column columns[] = {
		{ .right = true },
		{ .style = SAP_YELLOW, .min = 40 },
	};
	const struct sap_facts *facts = view->facts;
	uint32_t n = sap_scan_count_unowned(facts);
	struct sap_table table;

	if (n == 0)
		return;
	sap_report_heading(&report->tty, SAP_YELLOW, "%u object%s that no package owns%s", n,
			   n == 1 ? "" : "s",
			   facts->packages.n ? ": nobody updates these"
					     : " (there is no package database)");
	if (n > max && !report->options.verbose) {
		put_groups(report, facts, n, max);
		return;
	}
	sap_table_begin(&table, &report->tty, columns, COUNT(columns));
	for (uint32_t i = 0; i < facts->objects.n; i++) {
		if (facts->objects.v[i].package != SAP_NONE)
			continue;
		sap_table_printf(&table, " ");
		sap_table_text(&table, sap_report_path(facts, i));
	}
	sap_table_end(&table);
}

/* ---- what could not be read ------------------------------------------------------------- */

/* Losses before remarks. */
static void put_diagnostics(struct sap_report *report, const struct sap_facts *facts, bool losses,
			    struct sap_table *table, size_t *room)
{
	for (size_t i = 0; i < facts->diagnostics.n && *room; i++) {
		const struct sap_diagnostic *d = &facts->diagnostics.v[i];

		if (sap_report_is_loss(facts, d) != losses)
			continue;
		*room -= !report->options.verbose;
		sap_table_printf(table, " ");
		sap_table_text(table, sap_facts_str(facts, d->code));
		if (losses)
			sap_table_style(table, SAP_RED);
		sap_table_text(table, sap_facts_str(facts, d->path));
		sap_table_text(table, sap_facts_str(facts, d->message));
	}
}

void sap_scan_tty_diagnostics(struct sap_report *report, const struct sap_scan_view *view)
{
	static const struct sap_column columns[] = {
		{ .right = true },
		{ .style = SAP_YELLOW },
		{ .min = 24 },
		{ .style = SAP_DIM, .min = 24 },
	};
	const struct sap_facts *facts = view->facts;
	size_t n = facts->diagnostics.n;
	size_t room = DIAGNOSTICS_SHOWN;
	struct sap_table table;

	if (n == 0)
		return;
	sap_report_heading(&report->tty, SAP_YELLOW,
			   "%zu remark%s on what could not be read or told", n, n == 1 ? "" : "s");
	sap_table_begin(&table, &report->tty, columns, COUNT(columns));
	put_diagnostics(report, facts, true, &table, &room);
	put_diagnostics(report, facts, false, &table, &room);
	sap_table_end(&table);
	sap_report_more(&report->tty, shown_of(report, n, DIAGNOSTICS_SHOWN), n);
}
