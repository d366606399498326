/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs looked up on demand: the link module says which paths it would need to know, the
 * worker looks them up, until nothing is missing. No more of the target is read than that.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/vec.h"
#include "cli/links.h"
#include "elf/elf.h"

/* Each round adds at least one path; real systems need about ten. */
enum { ROUNDS_MAX = 1000 };

int asked_renew(struct asked *a, struct sap_err *err)
{
	const struct sap_link_options options = {
		.library_path = sap_str_of(a->options->library_path),
		.cpu_level = a->cpu.level,
		.beyond = a->beyond,
	};

	if (a->link) {
		struct sap_link **old = SAP_VEC_PUSH(&a->old_links, UINT32_MAX);

		if (!old)
			return sap_err_nomem(err);
		*old = a->link;
		a->link = NULL;
	}
	sap_tree_free(a->tree);
	a->tree = sap_tree_new(a->facts);
	if (a->tree)
		a->link = sap_link_new(a->facts, a->tree, &options);
	return a->link ? 0 : sap_err_nomem(err);
}

static struct cpu cpu_of(const struct asked *a)
{
	/* A session of this host has no such fact yet. */
	if (a->options->cpu < 0 && a->session && a->target.kind == TARGET_HOST)
		return (struct cpu){ sap_link_host_cpu_level(), true };
	return cli_cpu(a->facts, a->options->cpu);
}

static bool wants_beyond(const struct links_options *o)
{
	return !o->strict && o->mode != MODE_COUNT && o->mode != MODE_UNNEEDED;
}

int asked_open_whole(struct asked *a, const struct links_options *options, const char *target,
		     bool symbols, struct sap_err *err)
{
	const struct loading loading = { &options->common, symbols };
	int r;

	*a = (struct asked){ .options = options, .beyond = wants_beyond(options) };
	r = cli_target_parse(target, &a->target, err);
	if (r == 0)
		r = cli_target_load(&a->target, &loading, &a->facts, err);
	if (r < 0)
		return r;
	if (symbols && !a->facts->with_symbols)
		return sap_err_set(err, SAP_EUSAGE,
				   "%s holds no symbols; make it anew with "
				   "'sapper scan --facts'",
				   target);
	a->cpu = cpu_of(a);
	r = asked_renew(a, err);
	return r < 0 ? r : sap_tree_own(a->tree, a->facts, err);
}

int asked_open(struct asked *a, const struct links_options *options, const char *target,
	       bool symbols, struct sap_err *err)
{
	struct sap_extract_options extract = { .worker = CLI_WORKER };
	int r;

	*a = (struct asked){ .options = options, .beyond = wants_beyond(options) };
	r = cli_target_parse(target, &a->target, err);
	if (r < 0)
		return r;
	if (a->target.kind == TARGET_FACTS)
		return asked_open_whole(a, options, target, symbols, err);
	a->facts = sap_facts_new();
	if (!a->facts)
		return sap_err_nomem(err);
	extract.target = a->target.name;
	extract.kind = a->target.kind == TARGET_HOST ? "host" : "directory";
	extract.flags = (a->target.kind == TARGET_HOST ? SAP_EXTRACT_HOST : 0) |
			(symbols ? SAP_EXTRACT_SYMBOLS : 0);
	r = sap_session_new(a->target.path, &extract, a->facts, &a->session, err);
	a->cpu = cpu_of(a);
	a->want = (a->beyond ? SAP_ELF_USES | SAP_ELF_STRINGS | SAP_ELF_NOTES : 0) |
		  (symbols ? SAP_ELF_SYMBOLS : 0);
	return r;
}

void asked_close(struct asked *a)
{
	sap_link_free(a->link);
	for (size_t i = 0; i < a->old_links.n; i++)
		sap_link_free(a->old_links.v[i]);
	sap_vec_clear(&a->old_links);
	sap_tree_free(a->tree);
	sap_session_free(a->session);
	sap_facts_free(a->facts);
	*a = (struct asked){ 0 };
}

/* ---- finding programs ------------------------------------------------------------------- */

static const char *const usual_folders[] = { "/usr/sbin",      "/usr/bin", "/usr/local/sbin",
					     "/usr/local/bin", "/sbin",    "/bin" };

enum { N_FOLDERS = sizeof(usual_folders) / sizeof(usual_folders[0]) };

/* The paths that a name may mean, in order of preference, as pool ids. */
static int candidates(struct asked *a, const char *name, uint32_t ids[N_FOLDERS], uint32_t *n,
		      struct sap_err *err)
{
	char path[2 * SAP_PATH_MAX], cwd[SAP_PATH_MAX];

	*n = 0;
	if (name[0] == '/') {
		ids[(*n)++] = sap_pool_put(a->facts->pool, sap_str_of(name));
	} else if (strchr(name, '/')) {
		if (a->target.kind != TARGET_HOST)
			snprintf(path, sizeof(path), "/%s", name);
		else if (getcwd(cwd, sizeof(cwd)))
			snprintf(path, sizeof(path), "%s/%s", cwd, name);
		else
			return sap_err_sys(err, errno, "cannot tell the current folder");
		ids[(*n)++] = sap_pool_put(a->facts->pool, sap_str_of(path));
	} else {
		for (uint32_t i = 0; i < N_FOLDERS; i++) {
			snprintf(path, sizeof(path), "%s/%s", usual_folders[i], name);
			ids[(*n)++] = sap_pool_put(a->facts->pool, sap_str_of(path));
		}
	}
	for (uint32_t i = 0; i < *n; i++) {
		if (ids[i] == UINT32_MAX)
			return sap_err_nomem(err);
	}
	return 0;
}

static int look_up_all(struct asked *a, const struct sap_links_program *programs, uint32_t n,
		       struct sap_err *err)
{
	const unsigned parts =
		SAP_PART_LOADER | SAP_PART_OS | SAP_PART_CHASE | (a->beyond ? SAP_PART_MODULES : 0);
	SAP_VEC(uint32_t) paths = { 0 };
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < n; i++) {
		uint32_t ids[N_FOLDERS], count;

		r = candidates(a, programs[i].asked, ids, &count, err);
		for (uint32_t j = 0; r == 0 && j < count; j++) {
			uint32_t *id = SAP_VEC_PUSH(&paths, UINT32_MAX);

			if (id)
				*id = ids[j];
			else
				r = sap_err_nomem(err);
		}
	}
	if (r == 0)
		r = sap_session_ask(a->session, parts, a->want, paths.v, (uint32_t)paths.n, err);
	sap_vec_clear(&paths);
	return r < 0 ? r : asked_renew(a, err);
}

/* Why a file is no object: what was noted when it was read, or what else it may be. */
static const char *why_other(const struct asked *a, uint32_t path)
{
	const char *why;

	for (size_t i = 0; i < a->facts->lookups.n; i++) {
		if (a->facts->lookups.v[i].path == path) {
			path = a->facts->lookups.v[i].canonical;
			break;
		}
	}
	for (size_t i = 0; i < a->facts->diagnostics.n; i++) {
		if (a->facts->diagnostics.v[i].path == path)
			return sap_facts_str(a->facts, a->facts->diagnostics.v[i].message).p;
	}
	why = sap_tree_why(a->tree, sap_facts_str(a->facts, path));
	return why && strcmp(why, "not ELF") != 0 ? why : "no ELF object: a script, or data";
}

/* With the whole target at hand a bare name may be the only program of that name. */
static void find_by_name(const struct asked *a, struct sap_links_program *p)
{
	uint32_t found = SAP_NONE;

	for (uint32_t i = 0; i < a->facts->objects.n; i++) {
		const struct sap_object *o = &a->facts->objects.v[i];

		if (!sap_object_is_program(a->facts, o) ||
		    !sap_str_eq(sap_path_base(sap_facts_str(a->facts, o->path)),
				sap_str_of(p->asked)))
			continue;
		if (found != SAP_NONE) {
			p->problem = "several programs have that name; give a path";
			return;
		}
		found = i;
	}
	if (found == SAP_NONE)
		return;
	p->object = found;
	p->problem = NULL;
}

static int find_one(struct asked *a, struct sap_links_program *p, struct sap_err *err)
{
	uint32_t ids[N_FOLDERS], n;
	int r = candidates(a, p->asked, ids, &n, err);

	p->object = SAP_NONE;
	p->problem =
		strchr(p->asked, '/')
			? "no such file in the target"
			: "not in /usr/sbin, /usr/bin, /usr/local/sbin, /usr/local/bin, /sbin or "
			  "/bin of the target; give its path";
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		switch (sap_tree_lookup(a->tree, sap_facts_str(a->facts, ids[i]), &p->object)) {
		case SAP_TREE_OBJECT:
			p->problem = NULL;
			return 0;
		case SAP_TREE_OTHER:
		case SAP_TREE_UNREADABLE:
			p->problem = why_other(a, ids[i]);
			p->object = SAP_NONE;
			break;
		case SAP_TREE_DIR:
			p->problem = "a folder";
			p->object = SAP_NONE;
			break;
		default:
			p->object = SAP_NONE;
			break;
		}
	}
	if (r == 0 && !a->session && !strchr(p->asked, '/'))
		find_by_name(a, p);
	return r;
}

int asked_find(struct asked *a, struct sap_links_program *programs, uint32_t n, struct sap_err *err)
{
	int r = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (!programs[i].asked[0])
			return sap_err_set(err, SAP_EUSAGE, "the name of a program is empty");
	}
	if (a->session)
		r = look_up_all(a, programs, n, err);

	for (uint32_t i = 0; r == 0 && i < n; i++)
		r = find_one(a, &programs[i], err);
	return r;
}

/* ---- closures --------------------------------------------------------------------------- */

/* Asks for what the link module wants. *more: it wanted something. */
static int ask_wanted(struct asked *a, bool *more, struct sap_err *err)
{
	uint32_t n, *ids;
	const uint32_t *wanted = sap_link_wanted(a->link, &n);
	int r;

	*more = n > 0;
	if (n == 0)
		return 0;
	ids = malloc(n * sizeof(*ids));
	if (!ids)
		return sap_err_nomem(err);
	memcpy(ids, wanted, n * sizeof(*ids));
	r = sap_session_ask(a->session, 0, a->want, ids, n, err);
	free(ids);
	return r;
}

static int compute(struct asked *a, struct sap_links_program *programs,
		   struct sap_closure *closures, uint32_t n, bool *complete, struct sap_err *err)
{
	int r = 0;

	*complete = true;
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		/* Objects keep their numbers when more come in, and so closures hold. */
		if (programs[i].object == SAP_NONE ||
		    (programs[i].closure && programs[i].closure->complete))
			continue;
		r = sap_link_closure(a->link, programs[i].object, &closures[i], err);
		programs[i].closure = &closures[i];
		*complete &= closures[i].complete;
	}
	return r;
}

static int prefetch(struct asked *a, struct sap_err *err)
{
	bool more = true;
	int r = 0;

	for (unsigned round = 0; r == 0 && more && round < ROUNDS_MAX; round++) {
		r = sap_link_prefetch(a->link, err);
		if (r == 0)
			r = ask_wanted(a, &more, err);
		if (r == 0 && more)
			r = asked_renew(a, err);
	}
	return r;
}

int asked_close_over(struct asked *a, struct sap_links_program *programs,
		     struct sap_closure *closures, uint32_t n, struct sap_err *err)
{
	bool complete = false, more = true;
	int r = a->session ? prefetch(a, err) : 0;

	for (unsigned round = 0; r == 0 && !complete && round < ROUNDS_MAX; round++) {
		r = compute(a, programs, closures, n, &complete, err);
		if (r < 0 || complete || !a->session)
			break;
		r = ask_wanted(a, &more, err);
		if (r == 0 && !more)
			break;
		if (r == 0)
			r = asked_renew(a, err);
	}
	return r;
}

/* ---- owners ----------------------------------------------------------------------------- */

int asked_own(struct asked *a, const struct sap_links_program *programs, uint32_t n,
	      struct sap_err *err)
{
	bool *seen = calloc(a->facts->objects.n + 1, sizeof(*seen));
	uint32_t *paths = calloc(a->facts->objects.n + 1, sizeof(*paths)), n_paths = 0;
	int r = seen && paths ? 0 : sap_err_nomem(err);

	if (!a->session)
		goto out;
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		const struct sap_closure *c = programs[i].closure;

		for (size_t l = 0; c && l <= c->libs.n; l++) {
			uint32_t object = l < c->libs.n ? c->libs.v[l].object : c->program;

			if (!seen[object])
				paths[n_paths++] = a->facts->objects.v[object].path;
			seen[object] = true;
		}
	}
	if (r == 0)
		r = sap_session_ask(a->session, SAP_PART_OWNERS, 0, paths, n_paths, err);
	/* No object came in: their numbers, and so the closures, stay valid. */
	if (r == 0)
		r = sap_tree_own(a->tree, a->facts, err);
out:
	free(seen);
	free(paths);
	return r;
}

/* ---- names ------------------------------------------------------------------------------ */

int asked_all_programs(const struct asked *a, struct sap_links_program **out, uint32_t *n,
		       struct sap_err *err)
{
	struct sap_links_program *v = calloc(a->facts->objects.n + 1, sizeof(*v));

	if (!v)
		return sap_err_nomem(err);
	*n = 0;
	for (uint32_t i = 0; i < a->facts->objects.n; i++) {
		const struct sap_object *o = &a->facts->objects.v[i];

		if (!sap_object_is_program(a->facts, o))
			continue;
		/* Texts of a pool are terminated. */
		v[(*n)++] = (struct sap_links_program){ .asked = sap_facts_str(a->facts, o->path).p,
							.object = i };
	}
	*out = v;
	return 0;
}
