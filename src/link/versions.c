/* SPDX-License-Identifier: Apache-2.0 */
#include "link/link_int.h"

/*
 * Symbol versions needed and not defined: elf/dl-version.c, _dl_check_map_versions. A library
 * without any version definitions is tolerated, as there.
 *
 * What an object needs of one file is a group. Once a library has been seen to define all of
 * a group, that is remembered: the usual closure is checked by comparing numbers.
 */

static const struct sap_link_lib *provider(struct sap_run *run, uint32_t file)
{
	struct sap_link *link = run->link;

	if (file >= link->n_by_name || link->by_name[file].epoch != link->epoch)
		return NULL;
	if (link->by_name[file].lib == 0 || link->by_name[file].lib > run->closure->libs.n)
		return NULL;
	return &run->closure->libs.v[link->by_name[file].lib - 1];
}

/* Marks the versions that an object defines. */
static int mark(struct sap_run *run, uint32_t object)
{
	struct sap_link *link = run->link;
	struct sap_range defs = link->facts->objects.v[object].verdefs;

	link->mark_epoch++;
	for (uint32_t i = 0; i < defs.n; i++) {
		struct sap_slot *slot = sap_link_slot(link, &link->mark, &link->n_mark,
						      link->facts->ids.v[defs.at + i]);

		SAP_LINK_NEED(slot, run->err);
		slot->epoch = link->mark_epoch;
	}
	return 0;
}

/* Checks the needs [first, end) of one object against the library; whether all are met. */
static int check(struct sap_run *run, uint32_t from, uint32_t first, uint32_t end, uint32_t object,
		 bool *met)
{
	struct sap_link *link = run->link;
	int r;

	*met = true;
	if (!link->facts->objects.v[object].verdefs.n)
		return 0;
	r = mark(run, object);
	for (uint32_t i = first; i < end && r == 0; i++) {
		const struct sap_verneed *need = &link->facts->verneeds.v[i];
		struct sap_link_version *version;

		if (need->version < link->n_mark &&
		    link->mark[need->version].epoch == link->mark_epoch)
			continue;
		*met = false;
		version = SAP_VEC_PUSH(&run->closure->versions, SAP_LINK_EDGES_MAX);
		SAP_LINK_NEED(version, run->err);
		*version = (struct sap_link_version){ from, need->file, need->version, need->weak };
	}
	return r;
}

/* End of the group that starts at a need. */
static uint32_t group_end(const struct sap_facts *facts, uint32_t at, uint32_t end)
{
	uint32_t file = facts->verneeds.v[at].file;

	while (at < end && facts->verneeds.v[at].file == file)
		at++;
	return at;
}

static int prepare(struct sap_run *run, uint32_t object, struct sap_range *out)
{
	struct sap_link *link = run->link;
	struct sap_range needs = link->facts->objects.v[object].verneeds, *range;
	uint32_t end = needs.at + needs.n;

	if (!link->vgroup_of[object]) {
		uint32_t first = (uint32_t)link->vgroups.n;

		for (uint32_t at = needs.at; at < end;) {
			struct sap_vgroup *group = SAP_VEC_PUSH(&link->vgroups, UINT32_MAX);

			SAP_LINK_NEED(group, run->err);
			*group = (struct sap_vgroup){ link->facts->verneeds.v[at].file, SAP_NONE,
						      at };
			at = group_end(link->facts, at, end);
		}
		range = SAP_VEC_PUSH(&link->vgroup_ranges, UINT32_MAX);
		SAP_LINK_NEED(range, run->err);
		*range = (struct sap_range){ first, (uint32_t)link->vgroups.n - first };
		link->vgroup_of[object] = (uint32_t)link->vgroup_ranges.n;
	}
	*out = link->vgroup_ranges.v[link->vgroup_of[object] - 1];
	return 0;
}

static int check_object(struct sap_run *run, uint32_t from, uint32_t object)
{
	struct sap_link *link = run->link;
	struct sap_range needs = link->facts->objects.v[object].verneeds, groups = { 0, 0 };
	uint32_t end;
	int r = prepare(run, object, &groups);

	for (uint32_t i = 0; i < groups.n && r == 0; i++) {
		struct sap_vgroup *group = &link->vgroups.v[groups.at + i];
		const struct sap_link_lib *lib = provider(run, group->file);
		bool met;

		if (!lib || lib->object == group->provider)
			continue;
		end = group_end(link->facts, group->at, needs.at + needs.n);
		r = check(run, from, group->at, end, lib->object, &met);
		if (r == 0 && met)
			group->provider = lib->object;
	}
	return r;
}

int sap_run_versions(struct sap_run *run)
{
	struct sap_closure *closure = run->closure;
	int r = check_object(run, SAP_LINK_PROGRAM, closure->program);

	for (uint32_t i = 0; i < closure->n_strict && r == 0; i++)
		r = check_object(run, i, closure->libs.v[i].object);
	return r;
}
