/* SPDX-License-Identifier: Apache-2.0 */
#include "report/report_int.h"

#include <stdio.h>

/* ---- why -------------------------------------------------------------------------------- */

/* Whether it loads the library; absent, with the reason, where that cannot be told. */
static void put_loads(struct sap_json *json, const struct sap_closure *closure, bool found)
{
	uint32_t missing = sap_gaps_missing(closure);
	char reason[64];

	if (found || (!closure->is_static && !sap_gaps_any(closure))) {
		sap_json_bool(json, "loads", found);
		return;
	}
	if (closure->is_static)
		snprintf(reason, sizeof(reason), "static: what was linked into it cannot be seen");
	else if (missing)
		snprintf(reason, sizeof(reason), "%u librar%s of it %s not found", missing,
			 sap_plural_y(missing), missing == 1 ? "was" : "were");
	else
		snprintf(reason, sizeof(reason), "some files of it could not be looked up");
	sap_json_text(json, "reason", sap_str_of(reason));
}

void sap_why_json(struct sap_report *report, const struct sap_why_view *view)
{
	const struct sap_links_view *links = &view->links;
	struct sap_json json;

	sap_report_json_begin(report, &json, "links-why/1");
	sap_report_json_target(&json, links->facts, links->cpu_level, links->cpu_of_host);
	sap_json_text(&json, "library", sap_str_of(view->library));
	sap_json_list(&json, "programs");
	for (uint32_t i = 0; i < links->n_programs; i++) {
		const struct sap_links_program *program = &links->programs[i];
		const struct sap_link_chains *chains = &view->chains[i];
		bool found = program->object != SAP_NONE && view->libs[i] != SAP_NONE;

		if (program->object == SAP_NONE)
			continue;
		sap_json_object(&json, NULL);
		sap_links_json_program(report, &json, links, program);
		put_loads(&json, program->closure, found);
		if (found) {
			const struct sap_link_lib *lib = &program->closure->libs.v[view->libs[i]];

			sap_json_text(&json, "path", sap_report_path(links->facts, lib->object));
			sap_json_bool(&json, "strict", lib->strict);
			sap_json_u64(&json, "chains_total", chains->n_all);
			sap_json_list(&json, "chains");
			for (size_t c = 0; c < chains->chains.n; c++) {
				struct sap_range range = chains->chains.v[c];

				sap_json_list(&json, NULL);
				for (uint32_t e = 0; e < range.n; e++)
					sap_links_json_step(&json, links, program->closure,
							    chains->edges.v[range.at + e]);
				sap_json_close(&json);
			}
			sap_json_close(&json);
		}
		sap_json_close(&json);
	}
	sap_json_close(&json);
	sap_links_json_problems(&json, links);
	sap_json_close(&json);
	sap_json_end(&json);
}

/* ---- unneeded --------------------------------------------------------------------------- */

struct gone {
	const struct sap_facts *facts;
	const struct sap_closure *closure;
	const uint32_t *libs;
};

static uint32_t gone_at(const void *ctx, uint32_t i)
{
	const struct gone *gone = ctx;

	return gone->facts->objects.v[gone->closure->libs.v[gone->libs[i]].object].path;
}

static void put_unneeded(struct sap_json *json, const struct sap_facts *facts,
			 const struct sap_closure *closure,
			 const struct sap_link_unneeded_list *list)
{
	sap_json_list(json, "unneeded");
	for (size_t i = 0; i < list->entries.n; i++) {
		const struct sap_link_unneeded *entry = &list->entries.v[i];
		const struct sap_link_edge *edge = &closure->edges.v[entry->edge];
		const struct gone gone = { facts, closure,
					   entry->gone.n ? &list->gone.v[entry->gone.at] : NULL };

		sap_json_object(json, NULL);
		sap_json_text(json, "name", sap_facts_str(facts, edge->name));
		sap_json_text(json, "from", sap_report_from(facts, closure, edge->from));
		if (edge->to != SAP_NONE)
			sap_json_text(json, "path",
				      sap_report_path(facts, closure->libs.v[edge->to].object));
		sap_report_json_each(json, "gone", facts, entry->gone.n, gone_at, &gone);
		sap_json_close(json);
	}
	sap_json_close(json);
}

void sap_unneeded_json(struct sap_report *report, const struct sap_unneeded_view *view)
{
	const struct sap_links_view *links = &view->links;
	struct sap_json json;

	sap_report_json_begin(report, &json, "links-unneeded/1");
	sap_report_json_target(&json, links->facts, links->cpu_level, links->cpu_of_host);
	sap_json_u64(&json, "programs_looked_at", view->n_looked_at);
	sap_json_list(&json, "programs");
	for (uint32_t i = 0; i < links->n_programs; i++) {
		const struct sap_links_program *program = &links->programs[i];

		if (program->object == SAP_NONE)
			continue;
		sap_json_object(&json, NULL);
		sap_links_json_program(report, &json, links, program);
		put_unneeded(&json, links->facts, program->closure, &view->lists[i]);
		sap_json_close(&json);
	}
	sap_json_close(&json);
	sap_links_json_problems(&json, links);
	sap_json_close(&json);
	sap_json_end(&json);
}

/* ---- reverse ---------------------------------------------------------------------------- */

static void put_reverse_entry(struct sap_report *report, struct sap_json *json,
			      const struct sap_reverse_view *view,
			      const struct sap_reverse_entry *entry)
{
	const struct sap_facts *facts = view->facts;

	sap_json_object(json, NULL);
	sap_json_text(json, "path", sap_report_path(facts, entry->object));
	sap_report_json_owner(report, json, facts, entry->object);
	sap_json_name(json, "type", entry->is_program ? "program" : "library");
	sap_json_bool(json, "strict", entry->strict);
	sap_json_list(json, "services");
	for (uint32_t i = 0; i < entry->services.n; i++) {
		const struct sap_service *s =
			&facts->services.v[view->services[entry->services.at + i]];

		sap_json_object(json, NULL);
		sap_json_text(json, "name", sap_facts_str(facts, s->name));
		if (s->enabled != SAP_UNKNOWN)
			sap_json_bool(json, "enabled", s->enabled == SAP_YES);
		sap_json_close(json);
	}
	sap_json_close(json);
	sap_json_list(json, "chain");
	for (uint32_t i = 0; i < entry->chain.n; i++) {
		const struct sap_reverse_step *step = &view->steps[entry->chain.at + i];

		sap_json_object(json, NULL);
		sap_json_text(json, "name", sap_facts_str(facts, step->name));
		sap_json_name(json, "kind", sap_edge_kind_name(step->kind));
		sap_json_text(json, "path", sap_report_path(facts, step->object));
		sap_json_close(json);
	}
	sap_json_close(json);
	sap_json_close(json);
}

static void put_reversed_libraries(struct sap_report *report, struct sap_json *json,
				   const struct sap_reverse_view *view)
{
	const struct sap_facts *facts = view->facts;

	sap_json_list(json, "libraries");
	for (uint32_t i = 0; i < view->n_libraries; i++) {
		uint32_t object = view->libraries[i];

		sap_json_object(json, NULL);
		sap_json_text(json, "path", sap_report_path(facts, object));
		sap_json_text(json, "soname",
			      sap_facts_str(facts, facts->objects.v[object].soname));
		sap_report_json_owner(report, json, facts, object);
		sap_json_close(json);
	}
	sap_json_close(json);
}

static void put_counts(struct sap_json *json, const char *key,
		       const struct sap_reverse_counts *counts)
{
	sap_json_object(json, key);
	sap_json_u64(json, "programs", counts->programs);
	sap_json_u64(json, "services", counts->services);
	sap_json_u64(json, "enabled", counts->enabled);
	sap_json_u64(json, "libraries", counts->libraries);
	sap_json_close(json);
}

struct started {
	const struct sap_reverse_view *view;
	const uint32_t *entries;
};

static uint32_t started_at(const void *ctx, uint32_t i)
{
	const struct started *started = ctx;
	uint32_t object = started->view->entries[started->entries[i]].object;

	return started->view->facts->objects.v[object].path;
}

static void put_services(struct sap_json *json, const struct sap_reverse_view *view,
			 const struct sap_reverse_sum *sum)
{
	const struct sap_facts *facts = view->facts;

	sap_json_list(json, "services");
	for (uint32_t i = 0; i < sum->n_services; i++) {
		const struct sap_reverse_service *s = &sum->services[i];
		const struct sap_service *service = &facts->services.v[s->service];
		const struct started started = { view, &sum->entries[s->entries.at] };

		sap_json_object(json, NULL);
		sap_json_text(json, "name", sap_facts_str(facts, service->name));
		if (service->enabled != SAP_UNKNOWN)
			sap_json_bool(json, "enabled", service->enabled == SAP_YES);
		sap_report_json_each(json, "programs", facts, s->entries.n, started_at, &started);
		sap_json_bool(json, "strict", s->strict);
		sap_json_close(json);
	}
	sap_json_close(json);
}

void sap_reverse_json(struct sap_report *report, const struct sap_reverse_view *view)
{
	struct sap_reverse_sum sum;
	struct sap_json json;

	sap_report_json_begin(report, &json, "links-reverse/1");
	sap_report_json_target(&json, view->facts, view->cpu_level, view->cpu_of_host);
	sap_json_text(&json, "library", sap_str_of(view->library));
	put_reversed_libraries(report, &json, view);
	if (sap_reverse_sum_make(report, view, &sum)) {
		put_counts(&json, "at_start", &sum.at_start);
		put_counts(&json, "later", &sum.later);
		put_services(&json, view, &sum);
		sap_reverse_sum_clear(&sum);
	}
	sap_json_list(&json, "loaded_by");
	for (uint32_t i = 0; i < view->n_entries; i++)
		put_reverse_entry(report, &json, view, &view->entries[i]);
	sap_json_close(&json);
	sap_json_close(&json);
	sap_json_end(&json);
}

/* ---- census ----------------------------------------------------------------------------- */

void sap_census_json(struct sap_report *report, const struct sap_census_view *view)
{
	struct sap_json json;

	sap_report_json_begin(report, &json, "links-census/1");
	sap_json_text(&json, "program", sap_str_of(view->program));
	sap_json_u64(&json, "cpu_level", (uint64_t)view->cpu_level);
	sap_json_list(&json, "targets");
	for (uint32_t i = 0; i < view->n_rows; i++) {
		const struct sap_census_row *row = &view->rows[i];

		sap_json_object(&json, NULL);
		sap_json_text(&json, "target", sap_str_of(row->target));
		sap_json_text(&json, "system", row->system);
		sap_json_text(&json, "program", row->program);
		if (row->problem) {
			sap_json_text(&json, "problem", sap_str_of(row->problem));
		} else {
			sap_json_u64(&json, "libraries", row->libraries);
			sap_json_u64(&json, "direct", row->direct);
			if (row->packages)
				sap_json_u64(&json, "packages", row->packages);
			sap_json_u64(&json, "unowned", row->unowned);
			sap_json_u64(&json, "code_bytes", row->code_bytes);
			sap_json_u64(&json, "beyond", row->beyond);
			sap_json_u64(&json, "guesses", row->guesses);
			sap_json_u64(&json, "missing", row->missing);
			sap_json_bool(&json, "complete", !row->incomplete && !row->missing);
		}
		sap_json_close(&json);
	}
	sap_json_close(&json);
	sap_json_close(&json);
	sap_json_end(&json);
}
