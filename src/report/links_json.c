/* SPDX-License-Identifier: Apache-2.0 */
#include "report/report_int.h"

static void put_edge(struct sap_json *json, const struct sap_facts *facts,
		     const struct sap_closure *closure, const struct sap_link_edge *edge)
{
	sap_json_text(json, "from", sap_report_from(facts, closure, edge->from));
	sap_json_name(json, "kind", sap_edge_kind_name(edge->kind));
	sap_json_text(json, "name", sap_facts_str(facts, edge->name));
	if (edge->how != SAP_HOW_NONE)
		sap_json_name(json, "how", sap_link_how_name(edge->how));
	sap_json_text(json, "via", sap_facts_str(facts, edge->via));
	sap_json_text(json, "priority", sap_report_priority(facts, closure, edge));
	if (edge->optional)
		sap_json_bool(json, "optional", true);
}

void sap_links_json_step(struct sap_json *json, const struct sap_links_view *view,
			 const struct sap_closure *closure, uint32_t edge)
{
	const struct sap_link_edge *e = &closure->edges.v[edge];

	sap_json_object(json, NULL);
	put_edge(json, view->facts, closure, e);
	if (e->to != SAP_NONE)
		sap_json_text(json, "to",
			      sap_report_path(view->facts, closure->libs.v[e->to].object));
	sap_json_close(json);
}

static bool is_direct(const struct sap_closure *closure, const struct sap_edge_index *index,
		      uint32_t lib)
{
	for (uint32_t i = index->first[lib + 1]; i < index->first[lib + 2]; i++) {
		const struct sap_link_edge *edge = &closure->edges.v[index->order[i]];

		if (edge->from == SAP_LINK_PROGRAM && edge->kind == SAP_EDGE_NEEDED)
			return true;
	}
	return false;
}

static void put_libraries(struct sap_report *report, struct sap_json *json,
			  const struct sap_links_view *view, const struct sap_closure *closure)
{
	const struct sap_facts *facts = view->facts;
	struct sap_edge_index index;

	if (!sap_edge_index_make(report, closure, true, true, NULL, &index))
		return;
	sap_json_list(json, "libraries");
	for (uint32_t i = 0; i < closure->libs.n; i++) {
		const struct sap_link_lib *lib = &closure->libs.v[i];

		sap_json_object(json, NULL);
		sap_json_text(json, "path", sap_report_path(facts, lib->object));
		sap_json_text(json, "soname",
			      sap_facts_str(facts, facts->objects.v[lib->object].soname));
		if (view->owners_known)
			sap_report_json_owner(report, json, facts, lib->object);
		sap_json_bool(json, "direct", is_direct(closure, &index, i));
		sap_json_bool(json, "strict", lib->strict);
		sap_json_u64(json, "depth", lib->depth);
		sap_json_list(json, "edges");
		for (uint32_t e = index.first[i + 1]; e < index.first[i + 2]; e++) {
			sap_json_object(json, NULL);
			put_edge(json, facts, closure, &closure->edges.v[index.order[e]]);
			sap_json_close(json);
		}
		sap_json_close(json);
		sap_json_close(json);
	}
	sap_json_close(json);
	sap_edge_index_clear(&index);
}

static void put_missing(struct sap_json *json, const struct sap_facts *facts,
			const struct sap_closure *closure)
{
	sap_json_list(json, "missing");
	for (size_t i = 0; i < closure->missing.n; i++) {
		const struct sap_link_missing *m = &closure->missing.v[i];

		sap_json_object(json, NULL);
		put_edge(json, facts, closure, &closure->edges.v[m->edge]);
		sap_json_list(json, "searched");
		for (uint32_t s = 0; s < m->searched.n; s++) {
			const struct sap_link_searched *step =
				&closure->searched.v[m->searched.at + s];

			sap_json_object(json, NULL);
			sap_json_name(json, "how", sap_link_how_name(step->how));
			sap_json_text(json, "path", step->path);
			sap_json_text(json, "why", sap_str_of(step->why));
			sap_json_close(json);
		}
		sap_json_close(json);
		sap_json_close(json);
	}
	sap_json_close(json);
}

static void put_versions(struct sap_json *json, const struct sap_facts *facts,
			 const struct sap_closure *closure)
{
	sap_json_list(json, "missing_versions");
	for (size_t i = 0; i < closure->versions.n; i++) {
		const struct sap_link_version *v = &closure->versions.v[i];

		sap_json_object(json, NULL);
		sap_json_text(json, "from", sap_report_from(facts, closure, v->from));
		sap_json_text(json, "file", sap_facts_str(facts, v->file));
		sap_json_text(json, "version", sap_facts_str(facts, v->version));
		sap_json_bool(json, "weak", v->weak);
		sap_json_close(json);
	}
	sap_json_close(json);
}

void sap_links_json_program(struct sap_report *report, struct sap_json *json,
			    const struct sap_links_view *view,
			    const struct sap_links_program *program)
{
	struct sap_str path = sap_report_path(view->facts, program->object);

	sap_json_text(json, "program", path);
	if (program->asked && !sap_str_eq(path, sap_str_of(program->asked)))
		sap_json_text(json, "asked", sap_str_of(program->asked));
	if (view->owners_known)
		sap_report_json_owner(report, json, view->facts, program->object);
}

static void put_program(struct sap_report *report, struct sap_json *json,
			const struct sap_links_view *view, const struct sap_links_program *program)
{
	const struct sap_closure *closure = program->closure;

	sap_json_object(json, NULL);
	sap_links_json_program(report, json, view, program);
	sap_json_u64(json, "count", closure->n_strict);
	sap_json_u64(json, "direct", closure->n_direct);
	sap_json_bool(json, "static", closure->is_static);
	sap_json_bool(json, "secure", closure->secure);
	sap_json_bool(json, "complete", closure->complete);
	put_libraries(report, json, view, closure);
	put_missing(json, view->facts, closure);
	put_versions(json, view->facts, closure);
	sap_json_close(json);
}

void sap_links_json_problems(struct sap_json *json, const struct sap_links_view *view)
{
	sap_json_list(json, "problems");
	for (uint32_t i = 0; i < view->n_programs; i++) {
		const struct sap_links_program *program = &view->programs[i];

		if (program->object != SAP_NONE)
			continue;
		sap_json_object(json, NULL);
		sap_json_text(json, "program", sap_str_of(program->asked));
		sap_json_text(json, "problem", sap_str_of(program->problem));
		sap_json_close(json);
	}
	sap_json_close(json);
}

void sap_links_json(struct sap_report *report, const struct sap_links_view *view)
{
	struct sap_json json;

	sap_report_json_begin(report, &json, "links/1");
	sap_report_json_target(&json, view->facts, view->cpu_level, view->cpu_of_host);
	sap_json_list(&json, "programs");
	for (uint32_t i = 0; i < view->n_programs; i++) {
		if (view->programs[i].object != SAP_NONE)
			put_program(report, &json, view, &view->programs[i]);
	}
	sap_json_close(&json);
	sap_links_json_problems(&json, view);
	sap_json_close(&json);
	sap_json_end(&json);
}
