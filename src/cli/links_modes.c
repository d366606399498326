/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The modes of `sapper links` that look at more than the programs named: reverse, census,
 * unneeded.
 */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/vec.h"
#include "cli/links.h"

/* ---- reverse ---------------------------------------------------------------------------- */

struct reverse {
	struct asked asked;
	const char *library;
	SAP_VEC(uint32_t) libraries;
	SAP_VEC(struct sap_reverse_entry) entries;
	SAP_VEC(struct sap_reverse_step) steps;
	SAP_VEC(uint32_t) services;
	struct sap_link_chains chains;
	struct sap_closure closure;
	uint32_t n_services;
};

/* Objects that need a library which is not there; false: none does. */
static bool say_who_lacks_it(const struct reverse *rev)
{
	enum { SHOWN = 10 };
	const struct sap_facts *facts = rev->asked.facts;
	uint32_t n = 0;

	for (size_t i = 0; i < facts->objects.n; i++) {
		const struct sap_object *o = &facts->objects.v[i];

		for (uint32_t j = 0; j < o->needed.n; j++) {
			if (!sap_str_eq(sap_facts_str(facts, facts->ids.v[o->needed.at + j]),
					sap_str_of(rev->library)))
				continue;
			if (n++ < SHOWN)
				cli_say("%s is MISSING; needed by %s", rev->library,
					sap_facts_str(facts, o->path).p);
		}
	}
	if (n > SHOWN)
		cli_say("and by %u more", n - SHOWN);
	return n > 0;
}

static int find_libraries(struct reverse *rev, struct sap_err *err)
{
	const struct sap_facts *facts = rev->asked.facts;
	uint32_t object;
	int r = asked_library_object(&rev->asked, rev->library, &object, err);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < facts->objects.n; i++) {
		uint32_t *at;

		if ((i != object && !asked_matches(facts, i, rev->library)) ||
		    sap_object_is_program(facts, &facts->objects.v[i]))
			continue;
		at = SAP_VEC_PUSH(&rev->libraries, SAP_OBJECTS_MAX);
		if (!at)
			return sap_err_nomem(err);
		*at = i;
	}
	return 0;
}

/* The place of the first of the libraries in the closure at hand; a strict one if any. */
static uint32_t find_in_closure(const struct reverse *rev)
{
	uint32_t found = SAP_NONE;

	for (uint32_t l = 0; l < rev->closure.libs.n; l++) {
		const struct sap_link_lib *lib = &rev->closure.libs.v[l];

		for (size_t i = 0; i < rev->libraries.n; i++) {
			if (rev->libraries.v[i] != lib->object)
				continue;
			if (lib->strict)
				return l;
			if (found == SAP_NONE)
				found = l;
		}
	}
	return found;
}

static int add_chain(struct reverse *rev, uint32_t lib, struct sap_range *out, struct sap_err *err)
{
	struct sap_range chain;
	int r = sap_link_why(rev->asked.link, &rev->closure, lib, 1, &rev->chains, err);

	*out = (struct sap_range){ (uint32_t)rev->steps.n, 0 };
	if (r < 0 || rev->chains.chains.n == 0)
		return r;
	chain = rev->chains.chains.v[0];
	for (uint32_t i = 0; i < chain.n; i++) {
		const struct sap_link_edge *e =
			&rev->closure.edges.v[rev->chains.edges.v[chain.at + i]];
		struct sap_reverse_step *step = SAP_VEC_PUSH(&rev->steps, UINT32_MAX);

		if (!step)
			return sap_err_nomem(err);
		*step = (struct sap_reverse_step){ rev->closure.libs.v[e->to].object, e->name,
						   e->kind };
	}
	out->n = chain.n;
	return 0;
}

static int add_entry(struct reverse *rev, uint32_t object, struct sap_err *err)
{
	struct sap_reverse_entry *entry;
	uint32_t lib;
	int r = sap_link_closure(rev->asked.link, object, &rev->closure, err);

	if (r < 0)
		return r;
	lib = find_in_closure(rev);
	if (lib == SAP_NONE)
		return 0;
	entry = SAP_VEC_PUSH(&rev->entries, SAP_OBJECTS_MAX);
	if (!entry)
		return sap_err_nomem(err);
	entry->object = object;
	entry->is_program =
		sap_object_is_program(rev->asked.facts, &rev->asked.facts->objects.v[object]);
	entry->strict = rev->closure.libs.v[lib].strict;
	return add_chain(rev, lib, &entry->chain, err);
}

static int compare_starts(const void *a, const void *b)
{
	const struct sap_radius_start *x = a, *y = b;

	if (x->object != y->object)
		return x->object < y->object ? -1 : 1;
	return (x->service > y->service) - (x->service < y->service);
}

/* Connects entries (sorted by object) with the services that start them. */
static int add_services(struct reverse *rev, struct sap_radius *radius, struct sap_err *err)
{
	bool *seen = calloc(rev->asked.facts->services.n + 1, sizeof(*seen));
	size_t at = 0;

	if (!seen)
		return sap_err_nomem(err);
	if (radius->starts.n > 1)
		qsort(radius->starts.v, radius->starts.n, sizeof(*radius->starts.v),
		      compare_starts);
	for (size_t i = 0; i < rev->entries.n; i++) {
		struct sap_reverse_entry *e = &rev->entries.v[i];
		uint32_t last = SAP_NONE;

		e->services.at = (uint32_t)rev->services.n;
		while (at < radius->starts.n && radius->starts.v[at].object < e->object)
			at++;
		for (; at < radius->starts.n && radius->starts.v[at].object == e->object; at++) {
			uint32_t service = radius->starts.v[at].service;
			uint32_t *to =
				service == last ? &last : SAP_VEC_PUSH(&rev->services, UINT32_MAX);

			if (!to) {
				free(seen);
				return sap_err_nomem(err);
			}
			if (service == last)
				continue;
			*to = last = service;
			rev->n_services += !seen[service];
			seen[service] = true;
		}
		e->services.n = (uint32_t)rev->services.n - e->services.at;
	}
	free(seen);
	return 0;
}

static int report_reverse(struct reverse *rev, const struct links_options *o)
{
	const struct sap_reverse_view view = {
		.facts = rev->asked.facts,
		.library = o->library,
		.libraries = rev->libraries.v,
		.n_libraries = (uint32_t)rev->libraries.n,
		.entries = rev->entries.v,
		.n_entries = (uint32_t)rev->entries.n,
		.steps = rev->steps.v,
		.services = rev->services.v,
		.n_services = rev->n_services,
		.cpu_level = rev->asked.cpu.level,
		.cpu_of_host = rev->asked.cpu.of_host,
	};
	struct output output;
	int status = cli_output_open(&output, &o->common);

	if (status != STATUS_OK)
		return status;
	sap_report_reverse(output.report, &view);
	return cli_output_close(&output);
}

static int reverse(struct reverse *rev, const struct links_options *o, struct sap_err *err)
{
	const struct sap_facts *facts = rev->asked.facts;
	struct sap_radius radius = { 0 };
	int r = find_libraries(rev, err);

	if (r == 0 && rev->libraries.n == 0) {
		if (!say_who_lacks_it(rev))
			asked_say_unknown(&rev->asked, rev->library);
		return STATUS_FAILURE;
	}
	for (uint32_t i = 0; r == 0 && i < facts->objects.n; i++) {
		bool itself = false;

		for (size_t l = 0; l < rev->libraries.n; l++)
			itself |= rev->libraries.v[l] == i;
		if (!itself && (facts->objects.v[i].flags & SAP_OBJ_DYNAMIC))
			r = add_entry(rev, i, err);
	}
	if (r == 0)
		r = sap_radius_compute(facts, rev->asked.tree, rev->asked.link, &radius, err);
	if (r == 0)
		r = add_services(rev, &radius, err);
	sap_radius_clear(&radius);
	return r < 0 ? r : report_reverse(rev, o);
}

int links_reverse(const struct links_options *o, struct sap_err *err)
{
	struct reverse rev = { .library = o->library };
	const char *target = o->n_arguments ? o->arguments[0] : o->target;
	int r;

	if (o->n_arguments > 1 || (o->n_arguments && o->target))
		return cli_usage(&cmd_links, "--reverse takes one target");
	r = asked_open_whole(&rev.asked, o, target, false, err);
	if (r == 0)
		r = reverse(&rev, o, err);
	sap_vec_clear(&rev.libraries);
	sap_vec_clear(&rev.entries);
	sap_vec_clear(&rev.steps);
	sap_vec_clear(&rev.services);
	sap_link_chains_clear(&rev.chains);
	sap_closure_clear(&rev.closure);
	asked_close(&rev.asked);
	return r;
}

/* ---- census ----------------------------------------------------------------------------- */

/* A row and the target that its texts live in. */
struct census_target {
	struct asked asked;
	struct sap_links_program program;
	struct sap_closure closure;
	struct sap_err err;
};

static void count_owners(const struct sap_facts *facts, const struct sap_closure *closure,
			 bool *seen, struct sap_census_row *row)
{
	for (size_t i = 0; i < closure->libs.n; i++) {
		const struct sap_object *o = &facts->objects.v[closure->libs.v[i].object];

		if (!closure->libs.v[i].strict)
			continue;
		row->code_bytes += o->code_bytes;
		if (o->package == SAP_NONE)
			row->unowned++;
		else if (!seen[o->package])
			row->packages++;
		if (o->package != SAP_NONE)
			seen[o->package] = true;
	}
}

/* Libraries beyond the loader's own: guessed ones are those that only a guess leads to. */
static void count_beyond(const struct sap_closure *closure, bool *guess, struct sap_census_row *row)
{
	for (size_t i = 0; i < closure->libs.n; i++) {
		const struct sap_link_lib *lib = &closure->libs.v[i];
		const struct sap_link_edge *e = &closure->edges.v[lib->edge];

		guess[i] = e->kind == SAP_EDGE_DLOPEN_STRING ||
			   (e->from != SAP_LINK_PROGRAM && guess[e->from]);
		if (!lib->strict && guess[i])
			row->guesses++;
		else if (!lib->strict)
			row->beyond++;
	}
}

static int fill_row(struct census_target *t, struct sap_census_row *row, struct sap_err *err)
{
	const struct sap_facts *facts = t->asked.facts;
	bool *seen = calloc(facts->packages.n + 1, sizeof(*seen));
	bool *guess = calloc(t->closure.libs.n + 1, sizeof(*guess));
	int r = 0;

	if (facts->has_os)
		row->system = sap_facts_str(facts, facts->os.pretty_name ? facts->os.pretty_name
									 : facts->os.name);
	if (t->program.object == SAP_NONE) {
		row->problem = t->program.problem;
	} else if (seen && guess) {
		const struct sap_object *o = &facts->objects.v[t->program.object];

		row->program = sap_facts_str(facts, o->path);
		row->libraries = t->closure.n_strict;
		row->direct = t->closure.n_direct;
		row->incomplete = !t->closure.complete;
		for (size_t i = 0; i < t->closure.missing.n; i++)
			row->missing += !t->closure.edges.v[t->closure.missing.v[i].edge].optional;
		row->code_bytes = o->code_bytes;
		count_owners(facts, &t->closure, seen, row);
		count_beyond(&t->closure, guess, row);
	} else {
		r = sap_err_nomem(err);
	}
	free(seen);
	free(guess);
	return r;
}

static int census_one(const struct links_options *o, struct census_target *t,
		      struct sap_census_row *row, struct sap_err *err)
{
	int r = asked_open(&t->asked, o, row->target, false, &t->err);

	t->program.asked = o->census;
	if (r == 0)
		r = asked_find(&t->asked, &t->program, 1, &t->err);
	if (r == 0)
		r = asked_close_over(&t->asked, &t->program, &t->closure, 1, &t->err);
	if (r == 0)
		r = asked_own(&t->asked, &t->program, 1, &t->err);
	if (r == SAP_ENOMEM) {
		*err = t->err;
		return r;
	}
	if (r < 0) {
		row->problem = t->err.text; /* one target that fails does not hide the others */
		return 0;
	}
	return fill_row(t, row, err);
}

static int report_census(const struct links_options *o, const struct sap_census_row *rows,
			 uint32_t n)
{
	const struct sap_census_view view = {
		.program = o->census, .cpu_level = o->cpu, .rows = rows, .n_rows = n
	};
	struct output output;
	int status = cli_output_open(&output, &o->common);

	if (status != STATUS_OK)
		return status;
	sap_report_census(output.report, &view);
	status = cli_output_close(&output);
	for (uint32_t i = 0; i < n; i++) {
		if (rows[i].problem)
			status = STATUS_FAILURE;
	}
	return status;
}

int links_census(const struct links_options *o, struct sap_err *err)
{
	uint32_t n = o->n_arguments;
	struct census_target *targets = calloc(n + 1, sizeof(*targets));
	struct sap_census_row *rows = calloc(n + 1, sizeof(*rows));
	int r = targets && rows ? 0 : sap_err_nomem(err);
	struct links_options all = *o;

	/* One level for all rows: they are there to be compared. */
	if (all.cpu < 0)
		all.cpu = CPU_LEVEL_ASSUMED;
	o = &all;
	if (r == 0 && (n == 0 || o->target)) {
		free(targets);
		free(rows);
		return cli_usage(&cmd_links, "--census PROGRAM takes targets as arguments");
	}
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		rows[i].target = o->arguments[i];
		r = census_one(o, &targets[i], &rows[i], err);
	}
	if (r == 0)
		r = report_census(o, rows, n);
	for (uint32_t i = 0; targets && i < n; i++) {
		sap_closure_clear(&targets[i].closure);
		asked_close(&targets[i].asked);
	}
	free(targets);
	free(rows);
	return r;
}

/* ---- unneeded --------------------------------------------------------------------------- */

struct unneeded {
	struct asked asked;
	struct sap_links_program *programs;
	struct sap_closure *closures;
	struct sap_link_unneeded_list *lists;
	uint32_t n; /* programs shown */
	uint32_t n_looked_at;
};

static int report_unneeded(const struct unneeded *u, const struct links_options *o)
{
	const struct sap_unneeded_view view = {
		.links = {
			.link = u->asked.link,
			.facts = u->asked.facts,
			.programs = u->programs,
			.n_programs = u->n,
			.cpu_level = u->asked.cpu.level,
			.cpu_of_host = u->asked.cpu.of_host,
			.owners_known = true,
		},
		.lists = u->lists,
		.n_looked_at = u->n_looked_at,
	};
	struct output output;
	int status = cli_output_open(&output, &o->common);

	if (status != STATUS_OK)
		return status;
	sap_report_unneeded(output.report, &view);
	status = cli_output_close(&output);
	for (uint32_t i = 0; i < u->n; i++) {
		if (u->programs[i].object == SAP_NONE) {
			cli_say("%s: %s", u->programs[i].asked, u->programs[i].problem);
			status = STATUS_FAILURE;
		}
	}
	return status;
}

static int allocate(struct unneeded *u, struct sap_err *err)
{
	u->closures = calloc(u->n_looked_at + 1, sizeof(*u->closures));
	u->lists = calloc(u->n_looked_at + 1, sizeof(*u->lists));
	return u->closures && u->lists ? 0 : sap_err_nomem(err);
}

/* Programs by name: all of them are shown. */
static int unneeded_programs(struct unneeded *u, const struct links_options *o, struct sap_err *err)
{
	int r = asked_open(&u->asked, o, o->target, true, err);

	u->n = u->n_looked_at = o->n_arguments;
	u->programs = calloc(u->n + 1, sizeof(*u->programs));
	if (r == 0)
		r = u->programs ? allocate(u, err) : sap_err_nomem(err);
	for (uint32_t i = 0; r == 0 && i < u->n; i++)
		u->programs[i].asked = o->arguments[i];
	if (r == 0)
		r = asked_find(&u->asked, u->programs, u->n, err);
	if (r == 0)
		r = asked_close_over(&u->asked, u->programs, u->closures, u->n, err);
	if (r == 0)
		r = asked_own(&u->asked, u->programs, u->n, err);
	for (uint32_t i = 0; r == 0 && i < u->n; i++) {
		if (u->programs[i].closure)
			r = sap_link_find_unneeded(u->asked.link, u->programs[i].closure,
						   SAP_LINK_PROGRAM, &u->lists[i], err);
	}
	return r;
}

/* A whole target: programs with nothing to say are left out. */
static int unneeded_target(struct unneeded *u, const struct links_options *o, const char *target,
			   struct sap_err *err)
{
	int r = asked_open_whole(&u->asked, o, target, true, err);

	if (r == 0)
		r = asked_all_programs(&u->asked, &u->programs, &u->n_looked_at, err);
	if (r == 0)
		r = allocate(u, err);
	for (uint32_t i = 0; r == 0 && i < u->n_looked_at; i++) {
		struct sap_links_program program = u->programs[i];

		program.closure = &u->closures[u->n];
		r = sap_link_closure(u->asked.link, program.object, &u->closures[u->n], err);
		if (r == 0)
			r = sap_link_find_unneeded(u->asked.link, program.closure, SAP_LINK_PROGRAM,
						   &u->lists[u->n], err);
		if (r == 0 && u->lists[u->n].entries.n)
			u->programs[u->n++] = program;
	}
	return r;
}

int links_unneeded(const struct links_options *o, struct sap_err *err)
{
	struct unneeded u = { 0 };
	int r;

	if (o->n_arguments == 0)
		r = unneeded_target(&u, o, o->target, err);
	else if (o->n_arguments == 1 && !o->target && cli_is_target(o->arguments[0]))
		r = unneeded_target(&u, o, o->arguments[0], err);
	else
		r = unneeded_programs(&u, o, err);
	if (r == 0)
		r = report_unneeded(&u, o);
	for (uint32_t i = 0; u.closures && u.lists && i < u.n_looked_at; i++) {
		sap_closure_clear(&u.closures[i]);
		sap_link_unneeded_clear(&u.lists[i]);
	}
	free(u.closures);
	free(u.lists);
	free(u.programs);
	asked_close(&u.asked);
	return r;
}
