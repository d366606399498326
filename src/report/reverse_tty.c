/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "report/report_int.h"

enum { SERVICES_SHOWN = 20, LINES_SHOWN = 40 };

static struct sap_str of_buf(struct sap_report *report, const struct sap_buf *buf)
{
	if (!sap_buf_ok(buf))
		report->out->failed = true;
	return sap_buf_str(buf);
}

/* ---- the headline ----------------------------------------------------------------------- */

/* "liblzma.so.5 (PATH, PACKAGE)" */
static void put_library(struct sap_report *report, const struct sap_facts *facts, uint32_t object,
			unsigned *column)
{
	const struct sap_tty *tty = &report->tty;
	struct sap_buf text;
	struct sap_tty into = { .out = &text };

	sap_buf_init(&text, SIZE_MAX / 2);
	sap_tty_escape(&text, sap_report_name(facts, object));
	sap_tty_flow(tty, column, SAP_BOLD, of_buf(report, &text));
	sap_buf_reset(&text);
	sap_buf_puts(&text, SAP_STR(" ("));
	sap_tty_escape(&text, sap_report_path(facts, object));
	sap_buf_puts(&text, SAP_STR(","));
	sap_tty_flow(tty, column, SAP_PLAIN, of_buf(report, &text));
	sap_buf_reset(&text);
	sap_buf_putc(&text, ' ');
	sap_report_put_package(&into, facts, facts->objects.v[object].package);
	sap_buf_putc(&text, ')');
	sap_tty_flow(tty, column, SAP_PLAIN, of_buf(report, &text));
	sap_buf_clear(&text);
}

static void put_headline(struct sap_report *report, const struct sap_reverse_view *view,
			 const struct sap_reverse_sum *sum)
{
	const struct sap_reverse_counts *start = &sum->at_start, *later = &sum->later;
	const struct sap_tty *tty = &report->tty;
	unsigned column = 0;

	for (uint32_t i = 0; i < view->n_libraries; i++) {
		put_library(report, view->facts, view->libraries[i], &column);
		if (i + 1 < view->n_libraries) {
			sap_buf_puts(tty->out, SAP_STR(",\n"));
			column = 0;
		}
	}
	if (view->n_libraries == 0)
		sap_tty_text(tty, SAP_BOLD, sap_str_of(view->library));
	sap_buf_putc(tty->out, ':');
	column++;
	sap_tty_flowf(tty, &column, SAP_PLAIN, " at start %u program%s,", start->programs,
		      sap_plural(start->programs));
	sap_tty_flowf(tty, &column, SAP_PLAIN, " %u service%s (%u enabled),", start->services,
		      sap_plural(start->services), start->enabled);
	sap_tty_flowf(tty, &column, SAP_PLAIN, " %u librar%s;", start->libraries,
		      sap_plural_y(start->libraries));
	if (later->programs || later->services || later->libraries) {
		sap_tty_flowf(tty, &column, SAP_PLAIN,
			      " later (PAM, NSS, dlopen) %u more program%s,", later->programs,
			      sap_plural(later->programs));
		sap_tty_flowf(tty, &column, SAP_PLAIN, " %u more service%s,", later->services,
			      sap_plural(later->services));
		sap_tty_flowf(tty, &column, SAP_PLAIN, " %u more librar%s", later->libraries,
			      sap_plural_y(later->libraries));
	} else {
		sap_tty_flowf(tty, &column, SAP_PLAIN, " later (PAM, NSS, dlopen) no more");
	}
	sap_buf_putc(tty->out, '\n');
}

/* ---- services --------------------------------------------------------------------------- */

/* "  ssh.service enabled: /usr/sbin/sshd" */
static void put_service(const struct sap_tty *tty, const struct sap_reverse_view *view,
			const struct sap_reverse_sum *sum, const struct sap_reverse_service *s)
{
	const struct sap_facts *facts = view->facts;
	const struct sap_service *service = &facts->services.v[s->service];
	bool enabled = service->enabled == SAP_YES;

	sap_buf_puts(tty->out, SAP_STR("  "));
	sap_tty_text(tty, enabled ? SAP_BOLD : SAP_PLAIN, sap_facts_str(facts, service->name));
	if (enabled)
		sap_buf_puts(tty->out, SAP_STR(" enabled"));
	if (!s->strict)
		sap_buf_puts(tty->out, enabled ? SAP_STR(", later") : SAP_STR(" later"));
	for (uint32_t i = 0; i < s->entries.n; i++) {
		uint32_t entry = sum->entries[s->entries.at + i];

		sap_buf_puts(tty->out, i ? SAP_STR(", ") : SAP_STR(": "));
		sap_tty_text(tty, SAP_DIM, sap_report_path(facts, view->entries[entry].object));
	}
	sap_buf_putc(tty->out, '\n');
}

/* Enabled ones first. */
static void put_services(struct sap_report *report, const struct sap_reverse_view *view,
			 const struct sap_reverse_sum *sum)
{
	uint32_t max = report->options.verbose ? UINT32_MAX : SERVICES_SHOWN;
	uint32_t shown = 0;

	if (sum->n_services == 0)
		return;
	sap_report_heading(&report->tty, SAP_BOLD, "Services");
	for (unsigned enabled = 2; enabled-- > 0;) {
		for (uint32_t i = 0; i < sum->n_services && shown < max; i++) {
			const struct sap_reverse_service *s = &sum->services[i];

			if ((view->facts->services.v[s->service].enabled == SAP_YES) != enabled)
				continue;
			put_service(&report->tty, view, sum, s);
			shown++;
		}
	}
	sap_report_more(&report->tty, shown, sum->n_services);
}

/* ---- by package ------------------------------------------------------------------------- */

struct item {
	uint32_t package, entry;
	uint32_t group; /* how many entries that package has */
};

/* Packages with the most entries first, then by index, unowned (the largest index) last. */
static int compare(const void *left, const void *right)
{
	const struct item *a = left, *b = right;

	if (a->group != b->group)
		return a->group < b->group ? 1 : -1;
	if (a->package != b->package)
		return a->package < b->package ? -1 : 1;
	return a->entry < b->entry ? -1 : a->entry > b->entry;
}

static bool group_items(const struct sap_reverse_view *view, struct item *items)
{
	const struct sap_facts *facts = view->facts;
	uint32_t *n = calloc(facts->packages.n + 1, sizeof(*n));

	if (!n)
		return false;
	for (uint32_t i = 0; i < view->n_entries; i++) {
		uint32_t package = facts->objects.v[view->entries[i].object].package;

		items[i] = (struct item){ .package = package, .entry = i };
		n[package == SAP_NONE ? facts->packages.n : package]++;
	}
	for (uint32_t i = 0; i < view->n_entries; i++)
		items[i].group =
			n[items[i].package == SAP_NONE ? facts->packages.n : items[i].package];
	free(n);
	qsort(items, view->n_entries, sizeof(*items), compare);
	return true;
}

/* "  /usr/sbin/sshd -> libsystemd.so.0 -> liblzma.so.5" */
static void put_entry(const struct sap_tty *tty, const struct sap_reverse_view *view,
		      const struct sap_reverse_entry *entry)
{
	const struct sap_facts *facts = view->facts;

	sap_buf_puts(tty->out, SAP_STR("  "));
	sap_tty_text(tty, SAP_PLAIN, sap_report_path(facts, entry->object));
	sap_tty_begin(tty, SAP_DIM);
	for (uint32_t i = 0; i < entry->chain.n; i++) {
		const struct sap_reverse_step *step = &view->steps[entry->chain.at + i];

		sap_buf_puts(tty->out, SAP_STR(" -> "));
		sap_tty_escape(tty->out, sap_facts_str(facts, step->name));
		if (step->kind != SAP_EDGE_NEEDED)
			sap_buf_printf(tty->out, " [%s]", sap_edge_kind_name(step->kind));
	}
	sap_tty_end(tty, SAP_DIM);
	sap_buf_putc(tty->out, '\n');
}

static void put_heading(struct sap_report *report, const struct sap_reverse_view *view,
			const struct item *item)
{
	const struct sap_tty *tty = &report->tty;

	sap_buf_putc(report->out, '\n');
	sap_tty_begin(tty, SAP_BOLD);
	sap_report_put_package(tty, view->facts, item->package);
	sap_tty_end(tty, SAP_BOLD);
	sap_buf_printf(report->out, ": %u\n", item->group);
}

static void put_packages(struct sap_report *report, const struct sap_reverse_view *view,
			 const struct item *items)
{
	uint32_t lines = report->options.verbose ? UINT32_MAX : LINES_SHOWN;
	uint32_t shown = 0, in_group = 0;

	/* A heading alone at the end says nothing: it needs room for two lines. */
	for (; shown < view->n_entries && lines >= (in_group ? 1 : 2); shown++) {
		if (in_group == 0) {
			put_heading(report, view, &items[shown]);
			in_group = items[shown].group;
			lines--;
		}
		put_entry(&report->tty, view, &view->entries[items[shown].entry]);
		in_group--;
		lines--;
	}
	sap_report_more(&report->tty, shown, view->n_entries);
}

void sap_reverse_tty(struct sap_report *report, const struct sap_reverse_view *view)
{
	struct item *items = calloc(view->n_entries + 1ul, sizeof(*items));
	struct sap_reverse_sum sum;

	if (!items || !group_items(view, items)) {
		report->out->failed = true;
	} else if (sap_reverse_sum_make(report, view, &sum)) {
		put_headline(report, view, &sum);
		put_services(report, view, &sum);
		put_packages(report, view, items);
		sap_reverse_sum_clear(&sum);
	}
	free(items);
}
