/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `sapper links --why LIB`: what the user means by LIB, and the chains to it. A name that
 * nothing goes by is an error: a slip of the pen must not read as an all-clear.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "cli/links.h"

typedef SAP_VEC(uint32_t) id_vec;

/* ---- what a name means ------------------------------------------------------------------ */

int asked_library_object(struct asked *a, const char *name, uint32_t *object, struct sap_err *err)
{
	struct sap_str path = sap_str_of(name);
	uint32_t id;
	int r = 0;

	*object = SAP_NONE;
	if (name[0] != '/')
		return 0;
	if (a->session) {
		id = sap_pool_put(a->facts->pool, path);
		if (id == UINT32_MAX)
			return sap_err_nomem(err);
		r = sap_session_ask(a->session, 0, a->want, &id, 1, err);
		if (r == 0)
			r = asked_renew(a, err);
	}
	if (r == 0 && sap_tree_lookup(a->tree, path, object) != SAP_TREE_OBJECT)
		*object = SAP_NONE;
	return r;
}

bool asked_matches(const struct sap_facts *facts, uint32_t object, const char *name)
{
	const struct sap_object *o = &facts->objects.v[object];
	const struct sap_str want = sap_str_of(name), path = sap_facts_str(facts, o->path);

	return sap_str_eq(path, want) || sap_str_eq(sap_path_base(path), want) ||
	       sap_str_eq(sap_facts_str(facts, o->soname), want);
}

static uint32_t find_in(const struct asked *a, const struct sap_closure *closure, const char *name,
			uint32_t object)
{
	const struct sap_str want = sap_str_of(name);

	for (uint32_t i = 0; i < closure->libs.n; i++) {
		if (closure->libs.v[i].object == object ||
		    asked_matches(a->facts, closure->libs.v[i].object, name))
			return i;
	}
	for (size_t i = 0; i < closure->edges.n; i++) {
		if (closure->edges.v[i].to != SAP_NONE &&
		    sap_str_eq(sap_facts_str(a->facts, closure->edges.v[i].name), want))
			return closure->edges.v[i].to;
	}
	return SAP_NONE;
}

/* An edge that asks for the name and finds nothing; SAP_NONE: there is none. */
static uint32_t find_missing(const struct asked *a, const struct sap_closure *closure,
			     const char *name)
{
	for (uint32_t i = 0; i < closure->edges.n; i++) {
		const struct sap_link_edge *e = &closure->edges.v[i];
		struct sap_str asked = sap_facts_str(a->facts, e->name);

		if (e->to == SAP_NONE && !e->optional &&
		    (sap_str_eq(asked, sap_str_of(name)) ||
		     sap_str_eq(sap_path_base(asked), sap_path_base(sap_str_of(name)))))
			return i;
	}
	return SAP_NONE;
}

static bool is_known(const struct asked *a, const char *name)
{
	const struct sap_str want = sap_str_of(name);

	for (uint32_t i = 0; i < a->facts->objects.n; i++) {
		if (asked_matches(a->facts, i, name))
			return true;
	}
	for (size_t i = 0; i < a->facts->cache.n; i++) {
		const struct sap_cache_entry *e = &a->facts->cache.v[i];

		if (sap_str_eq(sap_facts_str(a->facts, e->soname), want) ||
		    sap_str_eq(sap_facts_str(a->facts, e->path), want))
			return true;
	}
	return false;
}

/* Adds FOLDER/NAME to the paths to be looked up. */
static bool add_path(struct asked *a, struct sap_str dir, const char *name, id_vec *paths)
{
	char path[2 * SAP_PATH_MAX];
	bool slash = dir.n && dir.p[dir.n - 1] == '/';
	int n = snprintf(path, sizeof(path), "%.*s%s%s", SAP_FMT(dir), slash ? "" : "/", name);
	uint32_t *to = SAP_VEC_PUSH(paths, 10000);

	if (n < 0 || (size_t)n >= sizeof(path) || !to)
		return false;
	*to = sap_pool_put(a->facts->pool, (struct sap_str){ path, (size_t)n });
	return *to != UINT32_MAX;
}

/* On demand only what the programs need has been looked at: the folders of libraries are asked
 * for the name as well. */
static int look_in_folders(struct asked *a, const char *name, bool *found, struct sap_err *err)
{
	static const char *const usual[] = { "/lib", "/usr/lib", "/lib64", "/usr/lib64",
					     "/usr/local/lib" };
	id_vec paths = { 0 };
	bool ok = true;
	int r = 0;

	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		ok &= add_path(a, sap_str_of(usual[i]), name, &paths);
	for (size_t i = 0; i < a->facts->settings.n; i++) {
		const struct sap_setting *s = &a->facts->settings.v[i];

		if (s->kind == SAP_SET_LD_CONF || s->kind == SAP_SET_MUSL_PATH)
			ok &= add_path(a, sap_facts_str(a->facts, s->value), name, &paths);
	}
	for (size_t i = 0; i < a->facts->objects.n; i++) {
		struct sap_range dirs = a->facts->objects.v[i].loader_dirs;

		for (uint32_t j = 0; j < dirs.n; j++)
			ok &= add_path(a, sap_facts_str(a->facts, a->facts->ids.v[dirs.at + j]),
				       name, &paths);
	}
	if (!ok)
		r = sap_err_nomem(err);
	if (r == 0)
		r = sap_session_ask(a->session, 0, 0, paths.v, (uint32_t)paths.n, err);
	if (r == 0)
		r = asked_renew(a, err);
	for (size_t i = 0; r == 0 && i < paths.n; i++)
		*found |= sap_tree_lookup(a->tree, sap_facts_str(a->facts, paths.v[i]), NULL) ==
			  SAP_TREE_OBJECT;
	sap_vec_clear(&paths);
	return r;
}

static int find_out(struct asked *a, const char *name, bool *found, struct sap_err *err)
{
	*found = is_known(a, name);
	if (*found || !a->session || strchr(name, '/') || !*name)
		return 0;
	return look_in_folders(a, name, found, err);
}

/* The shortest name that has `part` in it. */
static void nearer(struct sap_str name, struct sap_str part, struct sap_str *best)
{
	if (part.n && name.n && memmem(name.p, name.n, part.p, part.n) &&
	    (!best->n || name.n < best->n))
		*best = name;
}

void asked_say_unknown(const struct asked *a, const char *name)
{
	struct sap_str part = sap_path_base(sap_str_of(name)), best = { 0 };

	for (size_t i = 0; i < a->facts->cache.n; i++)
		nearer(sap_facts_str(a->facts, a->facts->cache.v[i].soname), part, &best);
	for (size_t i = 0; i < a->facts->objects.n; i++)
		nearer(sap_facts_str(a->facts, a->facts->objects.v[i].soname), part, &best);
	if (best.n)
		cli_say("%s: no library of that name in the target; there is %.*s", name,
			SAP_FMT(best));
	else
		cli_say("%s: no library of that name in the target", name);
}

/* ---- chains ------------------------------------------------------------------------------- */

/* For each program: which of its libraries is meant, and the chains there. *found: how many
 * load it; *missing: how many need it and lack it. */
static int find_chains(const struct asked *a, const struct links_options *o,
		       const struct sap_links_view *view, uint32_t object,
		       struct sap_link_chains *chains, uint32_t *libs, uint32_t *found,
		       uint32_t *missing, struct sap_err *err)
{
	enum { CHAINS = 20, CHAINS_VERBOSE = 1000 };
	uint32_t max =
		o->common.verbose || o->common.format == SAP_FORMAT_JSON ? CHAINS_VERBOSE : CHAINS;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < view->n_programs; i++) {
		const struct sap_closure *c = view->programs[i].closure;
		uint32_t edge;

		libs[i] = c ? find_in(a, c, o->library, object) : SAP_NONE;
		if (libs[i] != SAP_NONE) {
			r = sap_link_why(a->link, c, libs[i], max, &chains[i], err);
			++*found;
			continue;
		}
		edge = c ? find_missing(a, c, o->library) : SAP_NONE;
		if (edge == SAP_NONE)
			continue;
		++*missing;
		edge = c->edges.v[edge].from;
		cli_say("%s: %s is MISSING; needed by %s", view->programs[i].asked, o->library,
			edge == SAP_LINK_PROGRAM
				? "the program itself"
				: sap_facts_str(a->facts,
						a->facts->objects.v[c->libs.v[edge].object].path)
					  .p);
	}
	return r;
}

int asked_report_why(struct asked *a, const struct links_options *o,
		     const struct sap_links_view *view, struct sap_report *report, uint32_t object,
		     int *status, struct sap_err *err)
{
	struct sap_link_chains *chains = calloc(view->n_programs + 1, sizeof(*chains));
	uint32_t *libs = calloc(view->n_programs + 1, sizeof(*libs));
	uint32_t found = 0, missing = 0;
	bool known = object != SAP_NONE;
	int r = chains && libs
			? find_chains(a, o, view, object, chains, libs, &found, &missing, err)
			: sap_err_nomem(err);

	if (r == 0 && !found && !missing && !known)
		r = find_out(a, o->library, &known, err);
	if (r == 0 && !found && !missing && !known) {
		asked_say_unknown(a, o->library);
		*status = STATUS_FAILURE;
	} else if (r == 0) {
		const struct sap_why_view why = {
			.links = *view, .library = o->library, .chains = chains, .libs = libs
		};

		sap_report_why(report, &why);
		if (missing)
			*status = STATUS_FAILURE;
	}
	for (uint32_t i = 0; chains && i < view->n_programs; i++)
		sap_link_chains_clear(&chains[i]);
	free(chains);
	free(libs);
	return r;
}
