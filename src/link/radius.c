/* SPDX-License-Identifier: Apache-2.0 */
#include "link/radius.h"

#include <stdlib.h>

#include "base/limits.h"

/* The programs that each service starts, as objects. */
static int find_starts(const struct sap_facts *facts, struct sap_tree *tree,
		       struct sap_radius *radius, struct sap_err *err)
{
	for (uint32_t i = 0; i < facts->services.n; i++) {
		const struct sap_service *s = &facts->services.v[i];

		for (uint32_t j = 0; j < s->programs.n; j++) {
			struct sap_str path =
				sap_facts_str(facts, facts->ids.v[s->programs.at + j]);
			struct sap_radius_start *start;
			uint32_t object;

			if (sap_tree_lookup(tree, path, &object) != SAP_TREE_OBJECT)
				continue;
			start = SAP_VEC_PUSH(&radius->starts, SAP_LIST_MAX);
			if (!start)
				return sap_err_nomem(err);
			*start = (struct sap_radius_start){ i, object };
		}
	}
	return 0;
}

static int count_programs(const struct sap_facts *facts, struct sap_link *link,
			  struct sap_radius *radius, struct sap_err *err)
{
	struct sap_closure closure = { 0 };
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < radius->n_objects; i++) {
		struct sap_radius_object *o = &radius->objects[i];

		if (!sap_object_is_program(facts, &facts->objects.v[i]))
			continue;
		r = sap_link_closure(link, i, &closure, err);
		if (r < 0)
			break;
		o->is_program = true;
		o->is_static = closure.is_static;
		o->libraries = closure.n_strict;
		o->direct = closure.n_direct;
		for (size_t m = 0; m < closure.missing.n; m++)
			o->missing += !closure.edges.v[closure.missing.v[m].edge].optional;
		for (size_t v = 0; v < closure.versions.n; v++)
			o->missing += !closure.versions.v[v].weak;
		radius->n_programs++;
		radius->n_dynamic += !closure.is_static;
		radius->n_missing += o->missing > 0;
		for (size_t l = 0; l < closure.libs.n; l++) {
			if (closure.libs.v[l].strict)
				radius->objects[closure.libs.v[l].object].programs++;
		}
	}
	sap_closure_clear(&closure);
	return r;
}

/* Each library once a service, however many programs of the service load it. */
static int count_services(const struct sap_facts *facts, struct sap_link *link,
			  struct sap_radius *radius, struct sap_err *err)
{
	uint32_t *last = calloc(radius->n_objects ? radius->n_objects : 1, sizeof(*last));
	struct sap_closure closure = { 0 };
	int r = last ? 0 : sap_err_nomem(err);

	for (size_t i = 0; r == 0 && i < radius->starts.n; i++) {
		const struct sap_radius_start *start = &radius->starts.v[i];
		bool enabled = facts->services.v[start->service].enabled == SAP_YES;

		r = sap_link_closure(link, start->object, &closure, err);
		for (size_t l = 0; r == 0 && l < closure.libs.n; l++) {
			uint32_t object = closure.libs.v[l].object;

			if (!closure.libs.v[l].strict || last[object] == start->service + 1)
				continue;
			last[object] = start->service + 1;
			radius->objects[object].services++;
			radius->objects[object].enabled += enabled;
		}
	}
	sap_closure_clear(&closure);
	free(last);
	return r;
}

int sap_radius_compute(const struct sap_facts *facts, struct sap_tree *tree, struct sap_link *link,
		       struct sap_radius *out, struct sap_err *err)
{
	struct sap_radius radius = { .n_objects = (uint32_t)facts->objects.n };
	int r;

	radius.objects = calloc(radius.n_objects ? radius.n_objects : 1, sizeof(*radius.objects));
	if (!radius.objects)
		return sap_err_nomem(err);
	r = find_starts(facts, tree, &radius, err);
	if (r == 0)
		r = count_programs(facts, link, &radius, err);
	if (r == 0)
		r = count_services(facts, link, &radius, err);
	if (r < 0) {
		sap_radius_clear(&radius);
		return r;
	}
	*out = radius;
	return 0;
}

void sap_radius_clear(struct sap_radius *radius)
{
	free(radius->objects);
	sap_vec_clear(&radius->starts);
	*radius = (struct sap_radius){ 0 };
}
