/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/states.h"

#include <stdlib.h>

#include "decide/states_int.h"

enum { ET_EXEC = 2, ET_DYN = 3 };

/* ---- files to objects ------------------------------------------------------------------- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Whether a build-id in hex is the same as one in bytes. */
static bool same_build_id(struct sap_str hex, struct sap_str bytes)
{
	if (hex.n != 2 * bytes.n)
		return false;
	for (size_t i = 0; i < bytes.n; i++) {
		int high = hex_digit(hex.p[2 * i]), low = hex_digit(hex.p[2 * i + 1]);

		if (high < 0 || low < 0 || (unsigned char)bytes.p[i] != (high << 4 | low))
			return false;
	}
	return true;
}

static enum sap_file_how how_of(const struct sap_states_work *w, const struct sap_seen_file *f,
				uint32_t object)
{
	const struct sap_facts *facts = w->states->facts;
	struct sap_str known = sap_facts_str(facts, facts->objects.v[object].build_id);

	if (known.n && f->build_id.n) {
		/* The facts may be older than the upgrade: then the old copy is what they describe. */
		if (same_build_id(f->build_id, known))
			return SAP_FILE_JOINED;
		return sap_evidence_is_old_copy(f) ? SAP_FILE_OLD : SAP_FILE_CONTRADICTED;
	}
	return sap_evidence_is_old_copy(f) ? SAP_FILE_OLD : SAP_FILE_JOINED;
}

static void find_objects(struct sap_states_work *w)
{
	struct sap_states *s = w->states;
	const struct sap_evidence *e = s->evidence;

	for (uint32_t i = 0; i < e->files.n; i++) {
		const struct sap_seen_file *f = &e->files.v[i];
		uint32_t object;

		s->file_object[i] = SAP_NONE;
		s->functions_watched |= f->observed != SAP_OBSERVED_NOT_ASKED;
		if (!sap_evidence_is_host(e, f->root) ||
		    sap_tree_lookup(w->tree, f->path, &object) != SAP_TREE_OBJECT) {
			s->n_unowned_files++;
			continue;
		}
		s->file_how[i] = (uint8_t)how_of(w, f, object);
		if (s->file_how[i] == SAP_FILE_CONTRADICTED) {
			s->objects[object].contradicted = true;
			s->n_contradicted++;
			continue;
		}
		if (sap_evidence_is_old_copy(f))
			s->objects[object].stale = true;
		s->file_object[i] = object;
		s->objects[object].files.n++;
	}
}

static void group_files(struct sap_states *s)
{
	uint32_t at = 0;

	for (size_t o = 0; o < s->facts->objects.n; o++) {
		s->objects[o].files.at = at;
		at += s->objects[o].files.n;
		s->objects[o].files.n = 0;
	}
	for (uint32_t i = 0; i < s->evidence->files.n; i++) {
		struct sap_range *r =
			s->file_object[i] == SAP_NONE ? NULL : &s->objects[s->file_object[i]].files;

		if (r)
			s->files[r->at + r->n++] = i;
	}
}

/* ---- objects ---------------------------------------------------------------------------- */

static void weigh_file(struct sap_states *s, struct sap_object_state *o, uint32_t file,
		       bool load_code)
{
	const struct sap_evidence_list *uses = &s->groups->uses;
	const struct sap_evidence *e = s->evidence;
	bool load_time_only;
	uint8_t state = (uint8_t)sap_evidence_file_state(s->groups, file, &load_time_only);

	if (state == SAP_STATE_MAPPED && load_code) {
		state = SAP_STATE_EXECUTED;
		load_time_only = true;
	}
	if (state == SAP_STATE_EXECUTED)
		o->load_time_only =
			load_time_only && (o->state < SAP_STATE_EXECUTED || o->load_time_only);
	o->state = sap_states_max(o->state, state);
	if (uses->first[file] == uses->first[file + 1])
		return;
	/* The first of a file's processes is the most exposed. */
	o->process = sap_states_first(e, o->process, e->uses.v[uses->v[uses->first[file]]].process);
	o->exposure = e->processes.v[o->process].exposure;
}

static void weigh_object(struct sap_states *s, uint32_t object)
{
	const struct sap_object *facts = &s->facts->objects.v[object];
	struct sap_object_state *o = &s->objects[object];
	bool load_code = facts->n_constructors || facts->n_ifuncs || facts->n_irelative;

	for (uint32_t i = 0; i < o->files.n; i++) {
		uint32_t file = s->files[o->files.at + i];
		bool denied = s->evidence->files.v[file].load_time == SAP_NO;

		if (s->file_how[file] == SAP_FILE_JOINED)
			weigh_file(s, o, file, load_code && !denied);
	}
}

/* ---- packages --------------------------------------------------------------------------- */

/* The owner of an object, or a module of Go in it; both are counted. */
static uint32_t object_of_module(struct sap_states_work *w, uint32_t package)
{
	const struct sap_facts *facts = w->states->facts;
	const struct sap_package *p = &facts->packages.v[package];
	uint32_t object;

	if (p->type != SAP_PACKAGE_GOLANG ||
	    sap_tree_lookup(w->tree, sap_facts_str(facts, p->database), &object) != SAP_TREE_OBJECT)
		return SAP_NONE;
	return object;
}

static bool group_objects(struct sap_states_work *w)
{
	const struct sap_facts *facts = w->states->facts;
	size_t packages = facts->packages.n, objects = facts->objects.n;
	uint32_t *first = sap_arena_array(&w->arena, packages + 2, sizeof(*first));
	uint32_t *v = sap_arena_array(&w->arena, objects + packages + 1, sizeof(*v));
	uint32_t *module = sap_arena_array(&w->arena, packages + 1, sizeof(*module));

	if (!first || !v || !module)
		return false;
	for (uint32_t p = 0; p < packages; p++) {
		module[p] = object_of_module(w, p);
		first[p + 2] += module[p] != SAP_NONE;
	}
	for (size_t o = 0; o < objects; o++) {
		if (facts->objects.v[o].package < packages)
			first[facts->objects.v[o].package + 2]++;
	}
	for (size_t p = 2; p < packages + 2; p++)
		first[p] += first[p - 1];
	for (uint32_t p = 0; p < packages; p++) {
		if (module[p] != SAP_NONE)
			v[first[p + 1]++] = module[p];
	}
	for (uint32_t o = 0; o < objects; o++) {
		uint32_t package = facts->objects.v[o].package;

		if (package < packages)
			v[first[package + 1]++] = o;
	}
	w->objects = (struct sap_package_objects){ first, v };
	return true;
}

static void weigh_package(struct sap_states_work *w, uint32_t package)
{
	struct sap_states *s = w->states;
	struct sap_package_state *p = &s->packages[package];

	p->state = SAP_STATE_PRESENT;
	p->process = SAP_NONE;
	for (uint32_t i = w->objects.first[package]; i < w->objects.first[package + 1]; i++) {
		uint32_t object = w->objects.v[i];
		const struct sap_object_state *o = &s->objects[object];
		uint16_t type = s->facts->objects.v[object].type;

		p->objects++;
		p->code += type == ET_EXEC || type == ET_DYN;
		p->mapped += o->state >= SAP_STATE_MAPPED;
		p->stale |= o->stale;
		p->contradicted |= o->contradicted;
		if (o->state == SAP_STATE_EXECUTED)
			p->load_time_only = o->load_time_only &&
					    (p->state < SAP_STATE_EXECUTED || p->load_time_only);
		p->state = sap_states_max(p->state, o->state);
		p->exposure = sap_states_exposure(p->process, p->exposure, o->process, o->exposure);
		if (o->process != SAP_NONE)
			p->process = sap_states_first(s->evidence, p->process, o->process);
	}
}

/* ---- all of it -------------------------------------------------------------------------- */

static bool make_lists(struct sap_states *s)
{
	size_t files = s->evidence ? s->evidence->files.n : 0;

	sap_arena_init(&s->arena, 0);
	s->objects = sap_arena_array(&s->arena, s->facts->objects.n, sizeof(*s->objects));
	s->packages = sap_arena_array(&s->arena, s->facts->packages.n, sizeof(*s->packages));
	s->files = sap_arena_array(&s->arena, files, sizeof(*s->files));
	s->file_object = sap_arena_array(&s->arena, files, sizeof(*s->file_object));
	s->file_how = sap_arena_array(&s->arena, files, sizeof(*s->file_how));
	return s->objects && s->packages && s->files && s->file_object && s->file_how;
}

static int compute(struct sap_states_work *w, const bool *linked, struct sap_findings *findings,
		   struct sap_err *err)
{
	struct sap_states *s = w->states;
	int r;

	if (!make_lists(s) || !group_objects(w))
		return sap_err_nomem(err);
	for (size_t o = 0; o < s->facts->objects.n; o++) {
		s->objects[o].state = linked && linked[o] ? SAP_STATE_LINKED : SAP_STATE_PRESENT;
		s->objects[o].process = SAP_NONE;
	}
	if (s->evidence) {
		r = sap_evidence_groups_new(s->evidence, &s->groups, err);
		if (r < 0)
			return r;
		find_objects(w);
		group_files(s);
		for (uint32_t o = 0; o < s->facts->objects.n; o++)
			weigh_object(s, o);
	}
	for (uint32_t p = 0; p < s->facts->packages.n; p++)
		weigh_package(w, p);
	return findings ? sap_states_findings(w, findings, err) : 0;
}

int sap_states_compute(const struct sap_facts *facts, struct sap_tree *tree, const bool *linked,
		       const struct sap_evidence *evidence, struct sap_findings *findings,
		       struct sap_states **out, struct sap_err *err)
{
	struct sap_states *s = calloc(1, sizeof(*s));
	struct sap_states_work work = { .states = s, .tree = tree };
	int r;

	if (!s)
		return sap_err_nomem(err);
	s->facts = facts;
	s->evidence = evidence;
	sap_arena_init(&work.arena, 0);
	r = compute(&work, linked, findings, err);
	sap_arena_clear(&work.arena);
	if (r < 0) {
		sap_states_free(s);
		return r;
	}
	*out = s;
	return 0;
}

void sap_states_free(struct sap_states *s)
{
	if (!s)
		return;
	sap_evidence_groups_free(s->groups);
	sap_arena_clear(&s->arena);
	free(s);
}
