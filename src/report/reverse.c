/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "report/report_int.h"

static void count_entries(const struct sap_reverse_view *view, struct sap_reverse_sum *sum)
{
	for (uint32_t i = 0; i < view->n_entries; i++) {
		const struct sap_reverse_entry *entry = &view->entries[i];
		struct sap_reverse_counts *to = entry->strict ? &sum->at_start : &sum->later;

		if (entry->is_program)
			to->programs++;
		else
			to->libraries++;
	}
}

/* Entries by service: a counting sort; first[s + 1] is where those of service s begin, and
 * afterwards where they end. */
static void sort_entries(const struct sap_reverse_view *view, uint32_t *first, uint32_t *entries)
{
	size_t n = view->facts->services.n;

	for (uint32_t i = 0; i < view->n_entries; i++) {
		struct sap_range range = view->entries[i].services;

		for (uint32_t j = 0; j < range.n; j++)
			first[view->services[range.at + j] + 2]++;
	}
	for (size_t s = 2; s < n + 2; s++)
		first[s] += first[s - 1];
	for (uint32_t i = 0; i < view->n_entries; i++) {
		struct sap_range range = view->entries[i].services;

		for (uint32_t j = 0; j < range.n; j++)
			entries[first[view->services[range.at + j] + 1]++] = i;
	}
}

static void add_service(const struct sap_reverse_view *view, struct sap_reverse_sum *sum,
			uint32_t service, struct sap_range entries)
{
	struct sap_reverse_service *to = &sum->services[sum->n_services++];
	struct sap_reverse_counts *counts;

	*to = (struct sap_reverse_service){ .service = service, .entries = entries };
	for (uint32_t i = 0; i < entries.n; i++)
		to->strict |= view->entries[sum->entries[entries.at + i]].strict;
	counts = to->strict ? &sum->at_start : &sum->later;
	counts->services++;
	counts->enabled += view->facts->services.v[service].enabled == SAP_YES;
}

bool sap_reverse_sum_make(struct sap_report *report, const struct sap_reverse_view *view,
			  struct sap_reverse_sum *sum)
{
	size_t n = view->facts->services.n, refs = 0;
	uint32_t *first = calloc(n + 2, sizeof(*first));

	*sum = (struct sap_reverse_sum){ 0 };
	for (uint32_t i = 0; i < view->n_entries; i++)
		refs += view->entries[i].services.n;
	sum->services = calloc(n + 1, sizeof(*sum->services));
	sum->entries = calloc(refs + 1, sizeof(*sum->entries));
	if (!first || !sum->services || !sum->entries) {
		free(first);
		sap_reverse_sum_clear(sum);
		report->out->failed = true;
		return false;
	}
	count_entries(view, sum);
	sort_entries(view, first, sum->entries);
	for (uint32_t s = 0; s < n; s++) {
		struct sap_range range = { first[s], first[s + 1] - first[s] };

		if (range.n)
			add_service(view, sum, s, range);
	}
	free(first);
	return true;
}

void sap_reverse_sum_clear(struct sap_reverse_sum *sum)
{
	free(sum->services);
	free(sum->entries);
	*sum = (struct sap_reverse_sum){ 0 };
}
