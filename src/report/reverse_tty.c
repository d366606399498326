/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "report/report_int.h"

/* ---- the headline ----------------------------------------------------------------------- */

struct counts {
	uint32_t programs, libraries, beyond; /* beyond: not at start, of both */
	uint32_t enabled;                     /* services */
};

static struct counts count(struct sap_report *report, const struct sap_reverse_view *view)
{
	unsigned char *seen = calloc(view->facts->services.n + 1, 1);
	struct counts c = { 0 };

	if (!seen)
		report->out->failed = true;
	for (uint32_t i = 0; i < view->n_entries; i++) {
		const struct sap_reverse_entry *entry = &view->entries[i];

		c.beyond += !entry->strict;
		c.programs += entry->strict && entry->is_program;
		c.libraries += entry->strict && !entry->is_program;
		for (uint32_t j = 0; seen && j < entry->services.n; j++) {
			uint32_t s = view->services[entry->services.at + j];

			c.enabled += !seen[s] && view->facts->services.v[s].enabled == SAP_YES;
			seen[s] = 1;
		}
	}
	free(seen);
	return c;
}

static void put_headline(struct sap_report *report, const struct sap_reverse_view *view)
{
	const struct sap_facts *facts = view->facts;
	const struct sap_tty *tty = &report->tty;
	struct counts c = count(report, view);

	for (uint32_t i = 0; i < view->n_libraries; i++) {
		uint32_t object = view->libraries[i];

		sap_tty_text(tty, SAP_BOLD, sap_report_name(facts, object));
		sap_buf_puts(tty->out, SAP_STR(" ("));
		sap_tty_escape(tty->out, sap_report_path(facts, object));
		sap_buf_puts(tty->out, SAP_STR(", "));
		sap_report_put_package(tty, facts, facts->objects.v[object].package);
		sap_buf_puts(tty->out, i + 1 < view->n_libraries ? SAP_STR("),\n") : SAP_STR(")"));
	}
	if (view->n_libraries == 0)
		sap_tty_text(tty, SAP_BOLD, sap_str_of(view->library));
	sap_buf_printf(tty->out, ": loaded by %u program%s, %u service%s (%u enabled), %u librar%s",
		       c.programs, c.programs == 1 ? "" : "s", view->n_services,
		       view->n_services == 1 ? "" : "s", c.enabled, c.libraries,
		       c.libraries == 1 ? "y" : "ies");
	if (c.beyond)
		sap_buf_printf(tty->out, "; by %u more after their start", c.beyond);
	sap_buf_putc(tty->out, '\n');
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

/* "  /usr/sbin/sshd -> libsystemd.so.0 -> liblzma.so.5 (ssh.service)" */
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
	for (uint32_t i = 0; i < entry->services.n; i++) {
		const struct sap_service *s =
			&facts->services.v[view->services[entry->services.at + i]];

		sap_buf_puts(tty->out, i ? SAP_STR(", ") : SAP_STR(" ("));
		sap_tty_text(tty, s->enabled == SAP_YES ? SAP_BOLD : SAP_PLAIN,
			     sap_facts_str(facts, s->name));
		sap_buf_puts(tty->out, s->enabled == SAP_YES ? SAP_STR(" enabled") : SAP_STR(""));
	}
	sap_buf_puts(tty->out, entry->services.n ? SAP_STR(")\n") : SAP_STR("\n"));
}

static void put_package(struct sap_report *report, const struct sap_reverse_view *view,
			const struct item *items, uint32_t n)
{
	const struct sap_tty *tty = &report->tty;

	sap_buf_putc(report->out, '\n');
	sap_tty_begin(tty, SAP_BOLD);
	sap_report_put_package(tty, view->facts, items[0].package);
	sap_tty_end(tty, SAP_BOLD);
	sap_buf_printf(report->out, ": %u\n", n);
	for (uint32_t i = 0; i < n; i++)
		put_entry(tty, view, &view->entries[items[i].entry]);
}

void sap_reverse_tty(struct sap_report *report, const struct sap_reverse_view *view)
{
	struct item *items = calloc(view->n_entries + 1ul, sizeof(*items));

	put_headline(report, view);
	if (!items || !group_items(view, items)) {
		report->out->failed = true;
		free(items);
		return;
	}
	for (uint32_t i = 0; i < view->n_entries; i += items[i].group)
		put_package(report, view, &items[i], items[i].group);
	free(items);
}
