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

/* ---- by folder -------------------------------------------------------------------------- */

/* Objects whose folders share their first two components. */
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
static size_t make_groups(const struct sap_facts *facts, const uint32_t *objects, size_t n_objects,
			  struct group *groups)
{
	size_t n = 0;

	for (size_t i = 0; i < n_objects; i++) {
		struct sap_str dir = sap_path_dir(sap_report_path(facts, objects[i]));
		struct sap_str key = first_components(dir);

		if (n && sap_str_eq(groups[n - 1].key, key)) {
			narrow(&groups[n - 1], dir);
			groups[n - 1].n++;
			continue;
		}
		groups[n++] = (struct group){ key, dir, 1, objects[i] };
	}
	qsort(groups, n, sizeof(*groups), compare_groups);
	return n;
}

/* Objects, in the order of their index, by folder: at most max lines. */
static void put_groups(struct sap_report *report, const struct sap_facts *facts,
		       const uint32_t *objects, size_t n_objects, unsigned max,
		       enum sap_style style)
{
	const struct sap_column columns[] = {
		{ .right = true },
		{ .style = style, .min = 40 },
	};
	struct group *groups = calloc(n_objects + 1, sizeof(*groups));
	struct sap_table table;
	uint32_t told = 0;
	size_t n;

	if (!groups) {
		report->out->failed = true;
		return;
	}
	n = make_groups(facts, objects, n_objects, groups);
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
	sap_report_more(&report->tty, told, n_objects);
	free(groups);
}

static void put_paths(struct sap_report *report, const struct sap_facts *facts,
		      const uint32_t *objects, size_t n, enum sap_style style)
{
	const struct sap_column columns[] = {
		{ .right = true },
		{ .style = style, .min = 40 },
	};
	struct sap_table table;

	sap_table_begin(&table, &report->tty, columns, COUNT(columns));
	for (size_t i = 0; i < n; i++) {
		sap_table_printf(&table, " ");
		sap_table_text(&table, sap_report_path(facts, objects[i]));
	}
	sap_table_end(&table);
}

/* ---- what is missing -------------------------------------------------------------------- */

static int compare_objects(const void *left, const void *right)
{
	const uint32_t *a = left, *b = right;

	return *a < *b ? -1 : *a > *b;
}

/* Programs that a package owns: what a person can do something about. */
static void put_missing_owned(struct sap_report *report, const struct sap_facts *facts,
			      const struct ranked *v, size_t n, size_t n_owned)
{
	static const struct sap_column columns[] = {
		{ .head = "MISSING", .right = true },
		{ .head = "PROGRAM", .style = SAP_RED, .min = 30 },
		{ .head = "PACKAGE", .min = 16 },
	};
	size_t shown = shown_of(report, n_owned, MISSING_SHOWN), told = 0;
	struct sap_table table;

	sap_table_begin(&table, &report->tty, columns, COUNT(columns));
	for (size_t i = 0; i < n && told < shown; i++) {
		uint32_t package = facts->objects.v[v[i].object].package;

		if (package == SAP_NONE)
			continue;
		sap_table_printf(&table, "%u", v[i].first);
		sap_table_text(&table, sap_report_path(facts, v[i].object));
		sap_report_cell_package(&table, facts, package);
		told++;
	}
	sap_table_end(&table);
	sap_report_more(&report->tty, shown, n_owned);
}

void sap_scan_tty_missing(struct sap_report *report, const struct sap_scan_view *view)
{
	const struct sap_facts *facts = view->facts;
	size_t n, n_unowned = 0;
	struct ranked *v = rank_objects(report, view->radius, by_missing, &n);
	uint32_t *unowned = calloc(view->radius->n_objects + 1ul, sizeof(*unowned));

	if (!v || !unowned)
		report->out->failed = true;
	if (!v || !unowned || n == 0)
		goto out;
	for (size_t i = 0; i < n; i++) {
		if (facts->objects.v[v[i].object].package == SAP_NONE)
			unowned[n_unowned++] = v[i].object;
	}
	qsort(unowned, n_unowned, sizeof(*unowned), compare_objects);
	sap_report_heading(&report->tty, SAP_RED,
			   "%zu program%s with missing libraries or versions "
			   "(see sapper links PROGRAM)",
			   n, sap_plural(n));
	if (n_unowned < n)
		put_missing_owned(report, facts, v, n, n - n_unowned);
	if (n_unowned && n_unowned < n)
		sap_tty_line(&report->tty, SAP_DIM, "  %zu of them no package owns:", n_unowned);
	if (n_unowned > MISSING_SHOWN && !report->options.verbose)
		put_groups(report, facts, unowned, n_unowned, MISSING_SHOWN, SAP_RED);
	else if (n_unowned)
		put_paths(report, facts, unowned, n_unowned, SAP_RED);
out:
	free(unowned);
	free(v);
}

/* ---- what nobody owns ------------------------------------------------------------------- */

void sap_scan_tty_unowned(struct sap_report *report, const struct sap_scan_view *view, unsigned max)
{
	const struct sap_facts *facts = view->facts;
	uint32_t *objects = calloc(facts->objects.n + 1, sizeof(*objects));
	size_t n = 0;

	if (!objects)
		report->out->failed = true;
	for (uint32_t i = 0; objects && i < facts->objects.n; i++) {
		if (facts->objects.v[i].package == SAP_NONE)
			objects[n++] = i;
	}
	if (n && !sap_report_owners_known(facts)) {
		sap_report_heading(
			&report->tty, SAP_RED,
			"Who owns %zu object%s is not known: a package database could not "
			"be read in full",
			n, sap_plural(n));
	} else if (n) {
		sap_report_heading(&report->tty, SAP_YELLOW, "%zu object%s that no package owns%s",
				   n, sap_plural(n),
				   facts->packages.n > sap_scan_count_languages(facts)
					   ? ": no package updates these"
					   : " (there is no package database)");
		if (n > max && !report->options.verbose)
			put_groups(report, facts, objects, n, max, SAP_YELLOW);
		else
			put_paths(report, facts, objects, n, SAP_YELLOW);
	}
	free(objects);
}

/* ---- what could not be read ------------------------------------------------------------- */

size_t sap_scan_count_losses(const struct sap_facts *facts)
{
	size_t n = 0;

	for (size_t i = 0; i < facts->diagnostics.n; i++)
		n += sap_report_is_loss(facts, &facts->diagnostics.v[i]);
	return n;
}

/* Losses before other remarks. */
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
	size_t room = DIAGNOSTICS_SHOWN, losses = sap_scan_count_losses(facts);
	struct sap_table table;

	if (n == 0)
		return;
	sap_report_heading(&report->tty, SAP_YELLOW,
			   "%zu remark%s, %zu of them %s (something was left out)", n,
			   sap_plural(n), losses, losses == 1 ? "a loss" : "losses");
	sap_table_begin(&table, &report->tty, columns, COUNT(columns));
	put_diagnostics(report, facts, true, &table, &room);
	put_diagnostics(report, facts, false, &table, &room);
	sap_table_end(&table);
	sap_report_more(&report->tty, shown_of(report, n, DIAGNOSTICS_SHOWN), n);
}
