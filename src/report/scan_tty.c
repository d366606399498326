/* SPDX-License-Identifier: Apache-2.0 */
#include "model/machine.h"
#include "report/report_int.h"

enum { MACHINES_SHOWN = 3, UNOWNED_SHOWN = 10, UNOWNED_SHOWN_CROWDED = 5 };

/* ---- the first lines -------------------------------------------------------------------- */

struct machine_count {
	const char *name;
	uint32_t n;
};

/* Machines of programs and shared objects, the most frequent first. */
static unsigned count_machines(const struct sap_facts *facts, struct machine_count *v, unsigned max)
{
	unsigned n = 0;

	for (size_t i = 0; i < facts->objects.n; i++) {
		const struct sap_object *o = &facts->objects.v[i];
		const char *name = sap_machine_name(o->machine);
		unsigned at = 0;

		if (o->type != 2 && o->type != 3)
			continue;
		while (at < n && v[at].name != name)
			at++;
		if (at == max)
			continue;
		if (at == n)
			v[n++] = (struct machine_count){ name, 0 };
		v[at].n++;
		for (; at && v[at].n > v[at - 1].n; at--) {
			struct machine_count swap = v[at];

			v[at] = v[at - 1];
			v[at - 1] = swap;
		}
	}
	return n;
}

static bool contains(struct sap_str text, struct sap_str part)
{
	return part.n == 0 || (text.n && memmem(text.p, text.n, part.p, part.n));
}

static void put_title(struct sap_buf *out, const struct sap_facts *facts)
{
	struct sap_str name = sap_facts_str(facts, facts->os.pretty_name);
	struct sap_str release = sap_facts_str(facts, facts->os.point_release);

	if (name.n == 0)
		name = sap_facts_str(facts, facts->os.name);
	if (name.n == 0)
		name = sap_facts_str(facts, facts->os.id);
	if (!facts->has_os || name.n == 0)
		name = SAP_STR("Unknown system (no os-release)");
	sap_tty_escape(out, name);
	if (!contains(name, release)) {
		sap_buf_puts(out, SAP_STR(", "));
		sap_tty_escape(out, release);
	}
}

static void put_machines(struct sap_buf *out, const struct sap_facts *facts)
{
	struct machine_count machines[64];
	unsigned n = count_machines(facts, machines, 64);

	for (unsigned i = 0; i < n && i < MACHINES_SHOWN; i++) {
		sap_buf_puts(out, i ? SAP_STR(", ") : SAP_STR(""));
		sap_buf_puts(out, sap_str_of(machines[i].name));
		if (n > 1)
			sap_buf_printf(out, " (%u)", machines[i].n);
	}
	if (n > MACHINES_SHOWN)
		sap_buf_printf(out, " and %u more", n - MACHINES_SHOWN);
}

/* A part of the first line; on a line of its own where it does not fit. */
static void put_part(const struct sap_tty *tty, unsigned *column, struct sap_buf *part,
		     enum sap_style style)
{
	struct sap_str text = sap_buf_str(part);
	unsigned columns = sap_tty_columns(text);
	unsigned width = tty->width ? tty->width : UINT32_MAX;

	if (!sap_buf_ok(part))
		tty->out->failed = true;
	if (text.n == 0)
		return;
	if (*column && (*column + 3 > width || columns > width - *column - 3)) {
		sap_buf_putc(tty->out, '\n');
		*column = 0;
	} else if (*column) {
		sap_buf_puts(tty->out, SAP_STR("   "));
		*column += 3;
	}
	sap_tty_begin(tty, style);
	sap_tty_shorten(tty->out, text, width);
	sap_tty_end(tty, style);
	*column += columns < width ? columns : width;
	sap_buf_reset(part);
}

static void put_header(const struct sap_tty *tty, const struct sap_facts *facts)
{
	unsigned column = 0;
	struct sap_buf part;

	sap_buf_init(&part, SIZE_MAX / 2);
	put_title(&part, facts);
	put_part(tty, &column, &part, SAP_BOLD);
	sap_tty_escape(&part, sap_facts_str(facts, facts->target));
	put_part(tty, &column, &part, SAP_PLAIN);
	put_machines(&part, facts);
	put_part(tty, &column, &part, SAP_PLAIN);
	sap_buf_putc(tty->out, '\n');
	sap_buf_clear(&part);
}

/* Why this is not the whole picture, before everything else. */
static void put_incomplete(const struct sap_tty *tty, const struct sap_facts *facts)
{
	const struct sap_rec_stats *stats = &facts->stats;
	size_t losses = sap_scan_count_losses(facts);

	if (facts->objects.n == 0)
		sap_tty_line(tty, SAP_RED,
			     "no ELF object was found: is this the right folder, and is it "
			     "mounted?");
	if (sap_report_complete(facts))
		return;
	if (facts->truncated)
		sap_tty_line(tty, SAP_RED, "INCOMPLETE: the facts stop before their end");
	if (stats->unreadable)
		sap_tty_line(tty, SAP_RED, "INCOMPLETE: %llu file%s or folder%s could not be read",
			     (unsigned long long)stats->unreadable, sap_plural(stats->unreadable),
			     sap_plural(stats->unreadable));
	else if (losses)
		sap_tty_line(tty, SAP_RED, "INCOMPLETE: %zu remark%s, %zu of them %s, see below",
			     facts->diagnostics.n, sap_plural(facts->diagnostics.n), losses,
			     losses == 1 ? "a loss" : "losses");
	if (facts->diagnostics_dropped)
		sap_tty_line(tty, SAP_RED, "INCOMPLETE: %llu further remarks were dropped",
			     (unsigned long long)facts->diagnostics_dropped);
}

/* ---- counts ----------------------------------------------------------------------------- */

/* The types that are there, of languages or of systems. */
static void put_package_types(struct sap_buf *out, const struct sap_facts *facts, bool languages)
{
	const char *mark = " (";

	for (unsigned type = 1; type < SAP_PACKAGE_TYPES; type++) {
		size_t i = 0;

		if (sap_package_type_is_language(type) != languages)
			continue;
		while (i < facts->packages.n && facts->packages.v[i].type != type)
			i++;
		if (i == facts->packages.n)
			continue;
		sap_buf_printf(out, "%s%s", mark, sap_package_type_name(type));
		mark = ", ";
	}
	if (mark[0] == ',')
		sap_buf_putc(out, ')');
}

/* "166 packages (deb), 12 language packages (pypi, golang)" */
static void put_package_counts(struct sap_buf *out, const struct sap_facts *facts)
{
	uint32_t languages = sap_scan_count_languages(facts);
	size_t n = facts->packages.n - languages;

	sap_buf_printf(out, "%zu package%s", n, sap_plural(n));
	put_package_types(out, facts, false);
	if (languages == 0)
		return;
	sap_buf_printf(out, ", %u language package%s", languages, sap_plural(languages));
	put_package_types(out, facts, true);
}

static bool has_x86_64(const struct sap_facts *facts)
{
	for (size_t i = 0; i < facts->objects.n; i++) {
		if (facts->objects.v[i].machine == 62)
			return true;
	}
	return false;
}

static void put_counts(struct sap_report *report, const struct sap_scan_view *view)
{
	const struct sap_facts *facts = view->facts;
	const struct sap_radius *radius = view->radius;
	struct sap_buf *out = report->out;
	uint32_t enabled = 0;

	for (size_t i = 0; i < facts->services.n; i++)
		enabled += facts->services.v[i].enabled == SAP_YES;
	put_package_counts(out, facts);
	sap_buf_printf(out, ", %zu ELF object%s, %u program%s (%u dynamic, %u static)\n",
		       facts->objects.n, sap_plural(facts->objects.n), radius->n_programs,
		       sap_plural(radius->n_programs), radius->n_dynamic,
		       radius->n_programs - radius->n_dynamic);
	sap_buf_printf(out, "%zu service%s (%u enabled), %llu file%s in %llu folder%s\n",
		       facts->services.n, sap_plural(facts->services.n), enabled,
		       (unsigned long long)facts->stats.files, sap_plural(facts->stats.files),
		       (unsigned long long)facts->stats.dirs, sap_plural(facts->stats.dirs));
	if (has_x86_64(facts))
		sap_tty_line(&report->tty, SAP_DIM, "libraries found as on a CPU of level %s (%s)",
			     sap_report_cpu(view->cpu_level),
			     view->cpu_of_host ? "this machine's" : "assumed");
}

void sap_scan_tty(struct sap_report *report, const struct sap_scan_view *view)
{
	const struct sap_facts *facts = view->facts;
	bool crowded = view->radius->n_missing && facts->diagnostics.n;

	put_header(&report->tty, facts);
	put_incomplete(&report->tty, facts);
	if (view->findings)
		sap_findings_tty_first(report, view->findings);
	sap_scan_tty_evidence(report, view->states);
	put_counts(report, view);
	if (view->findings)
		sap_findings_tty(report, view);
	sap_scan_tty_running(report, view);
	sap_scan_tty_missing(report, view);
	sap_scan_tty_libraries(report, view);
	sap_scan_tty_programs(report, view);
	sap_scan_tty_unowned(report, view, crowded ? UNOWNED_SHOWN_CROWDED : UNOWNED_SHOWN);
	sap_scan_tty_diagnostics(report, view);
}
