/* SPDX-License-Identifier: Apache-2.0 */
#include "link/link_int.h"

#include <elf.h>

enum {
	THE_PROGRAM = 0,             /* its entry of link->loaded; lib i has the entry i + 1 */
	THE_LOADER = UINT32_MAX - 1, /* in a slot: the loader, which nothing has needed so far */
};

/* ---- names and files that are loaded ---------------------------------------------------- */

struct sap_slot *sap_link_slot(struct sap_link *link, struct sap_slot **table, uint32_t *n,
			       uint32_t id)
{
	uint64_t want;
	struct sap_slot *grown;

	if (id < *n)
		return &(*table)[id];
	want = (uint64_t)sap_pool_count(link->facts->pool) + 1024;
	if (id >= want || want > UINT32_MAX)
		return NULL;
	grown = reallocarray(*table, want, sizeof(*grown));
	if (!grown)
		return NULL;
	memset(&grown[*n], 0, (want - *n) * sizeof(*grown));
	*table = grown;
	*n = (uint32_t)want;
	return &grown[id];
}

/* An object goes by a name from now on, unless an earlier one does. */
static int claim(struct sap_run *run, uint32_t name, uint32_t entry)
{
	struct sap_link *link = run->link;
	struct sap_slot *slot = sap_link_slot(link, &link->by_name, &link->n_by_name, name);

	SAP_LINK_NEED(slot, run->err);
	if (slot->epoch != link->epoch)
		*slot = (struct sap_slot){ link->epoch, entry };
	return 0;
}

/* Names of the loader before anything needs it: PT_INTERP and its soname. */
static int claim_for_loader(struct sap_run *run, const struct sap_env *env)
{
	uint32_t soname;
	int r;

	if (env->loader == SAP_NONE || env->loader == run->object)
		return 0;
	soname = run->link->facts->objects.v[env->loader].soname;
	r = claim(run, env->interp, THE_LOADER);
	if (r == 0 && soname)
		r = claim(run, soname, THE_LOADER);
	return r;
}

/* ---- adding to the closure -------------------------------------------------------------- */

static struct sap_link_edge *push_edge(struct sap_run *run)
{
	struct sap_link_edge *edge = SAP_VEC_PUSH(&run->closure->edges, SAP_LINK_EDGES_MAX);

	if (edge)
		edge->to = SAP_NONE;
	return edge;
}

static int no_edge(struct sap_run *run)
{
	if (run->closure->edges.n < SAP_LINK_EDGES_MAX)
		return sap_err_nomem(run->err);
	return sap_err_set(run->err, SAP_ELIMIT, "a program with more than %u dependencies",
			   SAP_LINK_EDGES_MAX);
}

/* A new library; the edge that brings it in is the last one, or will be the next. */
static int push_lib(struct sap_run *run, uint32_t object, uint32_t path, uint32_t edge,
		    uint32_t from, uint32_t parent_chain, uint32_t *entry)
{
	struct sap_link *link = run->link;
	struct sap_closure *closure = run->closure;
	struct sap_link_lib *lib;
	struct sap_loaded *at;
	struct sap_slot *slot = &link->by_object[link->same[object]];
	uint32_t chain, soname = link->facts->objects.v[object].soname;
	bool musl = link->envs.v[run->env].musl;
	int r;

	r = sap_link_own_chain(link, run->env, object, path, false, parent_chain, &chain, run->err);
	if (r < 0)
		return r;
	lib = SAP_VEC_PUSH(&closure->libs, SAP_LINK_CLOSURE_MAX);
	if (!lib && closure->libs.n >= SAP_LINK_CLOSURE_MAX)
		return sap_err_set(run->err, SAP_ELIMIT, "a program with more than %u libraries",
				   SAP_LINK_CLOSURE_MAX);
	at = lib ? SAP_VEC_PUSH(&link->loaded, UINT32_MAX) : NULL;
	SAP_LINK_NEED(at, run->err);
	*entry = (uint32_t)link->loaded.n - 1;
	*lib = (struct sap_link_lib){ object, edge, 1, run->strict };
	if (from != THE_PROGRAM)
		lib->depth = closure->libs.v[from - 1].depth + 1;
	*at = (struct sap_loaded){ object, path, chain, SAP_NONE, run->tail, false, false };
	link->loaded.v[run->tail].next = *entry;
	run->tail = *entry;
	*slot = (struct sap_slot){ link->epoch, *entry };
	return soname && !musl ? claim(run, soname, *entry) : 0;
}

static int load_loader(struct sap_run *run, uint32_t edge, uint32_t from, uint32_t *entry)
{
	const struct sap_env *env = &run->link->envs.v[run->env];
	bool own = run->program; /* the first edge is the program's PT_INTERP */
	int r;

	r = push_lib(run, env->loader, env->interp, own ? 0 : edge, own ? THE_PROGRAM : from, 0,
		     entry);
	if (r < 0)
		return r;
	run->loader_lib = *entry - 1;
	if (own)
		run->closure->edges.v[0].to = run->loader_lib;
	return 0;
}

/* ---- one request ------------------------------------------------------------------------ */

/* The entry that goes by a name already; SAP_NONE: none does. */
static int by_name(struct sap_run *run, const struct sap_request *q, uint32_t name, uint32_t *entry,
		   bool *fresh)
{
	struct sap_link *link = run->link;
	struct sap_slot *slot = sap_link_slot(link, &link->by_name, &link->n_by_name, name);

	*entry = SAP_NONE;
	SAP_LINK_NEED(slot, run->err);
	if (slot->epoch != link->epoch)
		return 0;
	*entry = slot->lib;
	if (slot->lib != THE_LOADER)
		return 0;
	if (run->loader_lib != SAP_NONE) {
		*entry = run->loader_lib + 1;
		return 0;
	}
	*fresh = true;
	return load_loader(run, (uint32_t)run->closure->edges.n, q->from, entry);
}

/* The entry for a file that a search led to. */
static int by_file(struct sap_run *run, const struct sap_request *q, struct sap_found found,
		   uint32_t name, uint32_t *entry, bool *fresh)
{
	struct sap_link *link = run->link;
	const struct sap_env *env = &link->envs.v[run->env];
	struct sap_slot slot = link->by_object[link->same[found.object]];
	uint32_t edge = (uint32_t)run->closure->edges.n, chain;
	bool slash = false;
	int r = 0;

	if (slot.epoch == link->epoch) {
		*entry = slot.lib;
	} else if (env->loader != SAP_NONE && link->same[found.object] == link->same[env->loader]) {
		*fresh = true;
		r = load_loader(run, edge, q->from, entry);
	} else {
		/* A library that dlopen loads is nobody's dependency. */
		chain = link->loaded.v[q->kind > SAP_EDGE_AUXILIARY ? THE_PROGRAM : q->from].chain;
		*fresh = true;
		r = push_lib(run, found.object, found.path, edge, q->from, chain, entry);
	}
	if (env->musl) {
		struct sap_str text = sap_link_str(link, name);

		slash = memchr(text.p, '/', text.n) != NULL;
	}
	return r == 0 && !slash ? claim(run, name, *entry) : r;
}

static int not_found(struct sap_run *run, const struct sap_request *q, uint32_t context,
		     const struct sap_dep *dep)
{
	struct sap_closure *closure = run->closure;
	struct sap_link_missing *missing;
	struct sap_link_searched *searched;
	uint32_t at = (uint32_t)closure->searched.n;
	int r = 0;

	if (q->silent)
		return 0;
	if (dep->bad) {
		searched = SAP_VEC_PUSH(&closure->searched, SAP_LINK_SEARCHED_MAX);
		if (searched)
			*searched = (struct sap_link_searched){ SAP_HOW_PATH,
								sap_link_str(run->link, dep->raw),
								dep->bad };
	} else if (run->link->found.v[dep->found - 1].unknown) {
		return 0;
	} else {
		r = sap_link_search_trace(run->link, context, dep->name, closure, run->err);
	}
	missing = SAP_VEC_PUSH(&closure->missing, SAP_LINK_EDGES_MAX);
	SAP_LINK_NEED(missing, run->err);
	*missing = (struct sap_link_missing){ (uint32_t)closure->edges.n - 1,
					      { at, (uint32_t)closure->searched.n - at } };
	return r;
}

static int add_edge(struct sap_run *run, const struct sap_request *q, uint32_t to, uint8_t how)
{
	struct sap_link_edge *edge = push_edge(run);

	if (!edge)
		return no_edge(run);
	*edge = (struct sap_link_edge){
		.from = q->from == THE_PROGRAM ? SAP_LINK_PROGRAM : q->from - 1,
		.to = to,
		.name = q->name,
		.kind = q->kind,
		.how = how,
		.optional = q->optional,
		.via = q->via,
	};
	return 0;
}

int sap_run_request(struct sap_run *run, const struct sap_request *q, uint32_t context,
		    struct sap_dep *dep, uint32_t *entry, bool *fresh)
{
	struct sap_link *link = run->link;
	uint8_t how = SAP_HOW_LOADED;
	uint32_t index;
	int r = 0;

	*fresh = false;
	*entry = SAP_NONE;
	if (!dep->bad)
		r = by_name(run, q, dep->name, entry, fresh);
	if (r == 0 && *entry == SAP_NONE && !dep->bad) {
		if (!dep->found) {
			r = sap_link_search(link, context, dep->name, &index, run->err);
			if (r < 0)
				return r;
			dep->found = index + 1;
		}
		if (link->found.v[dep->found - 1].unknown || link->found.v[dep->found - 1].unread)
			run->closure->complete = false;
		how = link->found.v[dep->found - 1].how;
		if (link->found.v[dep->found - 1].object != SAP_NONE)
			r = by_file(run, q, link->found.v[dep->found - 1], dep->name, entry, fresh);
	}
	if (r < 0 || *entry == THE_PROGRAM) /* the program itself goes by that name */
		return r;
	if (*entry == SAP_NONE && q->silent)
		return 0;
	r = add_edge(run, q, *entry == SAP_NONE ? SAP_NONE : *entry - 1,
		     *entry == SAP_NONE ? SAP_HOW_NONE : how);
	if (r == 0 && *entry == SAP_NONE)
		r = not_found(run, q, context, dep);
	return r;
}

/* ---- dependencies of one object --------------------------------------------------------- */

static int make_dep(struct sap_link *link, const struct sap_env *env, uint32_t raw, uint32_t path,
		    bool program, struct sap_dep *dep, struct sap_err *err)
{
	struct sap_str text = sap_link_str(link, raw), out;

	*dep = (struct sap_dep){ .raw = raw, .name = raw };
	if (env->musl || !text.n || !memchr(text.p, '$', text.n))
		return 0;
	if (env->secure) {
		dep->bad = "a token in the name of a library of a setuid program";
		return 0;
	}
	dep->bad = sap_link_expand(link, env, text, sap_path_dir(sap_link_str(link, path)), program,
				   &out);
	if (dep->bad)
		return 0;
	return sap_link_put(link, out, &dep->name) ? 0 : sap_err_nomem(err);
}

static bool has_tokens(const struct sap_link *link, struct sap_range needed)
{
	for (uint32_t i = 0; i < needed.n; i++) {
		struct sap_str s = sap_link_str(link, link->facts->ids.v[needed.at + i]);

		if (s.n && memchr(s.p, '$', s.n))
			return true;
	}
	return false;
}

int sap_link_node(struct sap_link *link, uint32_t context, uint32_t object, uint32_t path,
		  bool program, uint32_t *node, struct sap_err *err)
{
	const struct sap_env *env = &link->envs.v[link->contexts.v[context].env];
	struct sap_range needed = link->facts->objects.v[object].needed;
	struct sap_node *made;
	uint32_t *memo;
	bool tokens;

	if (link->last_node[object].node && link->last_node[object].context == context) {
		*node = link->last_node[object].node - 1;
		return 0;
	}
	tokens = has_tokens(link, needed);
	memo = sap_memo_at(&link->memo_node, (uint64_t)context << 32 | object,
			   tokens ? (uint64_t)path << 1 | program : 0);
	SAP_LINK_NEED(memo, err);
	if (!*memo) {
		made = SAP_VEC_PUSH(&link->nodes, UINT32_MAX);
		SAP_LINK_NEED(made, err);
		*made = (struct sap_node){ (uint32_t)link->deps.n, 0 };
		*memo = (uint32_t)link->nodes.n;
		for (uint32_t i = 0; i < needed.n; i++) {
			struct sap_dep *dep = SAP_VEC_PUSH(&link->deps, UINT32_MAX);
			int r;

			SAP_LINK_NEED(dep, err);
			r = make_dep(link, env, link->facts->ids.v[needed.at + i], path, program,
				     dep, err);
			if (r < 0)
				return r;
			made->n++;
		}
	}
	*node = *memo - 1;
	if (!tokens) {
		link->last_node[object].context = context;
		link->last_node[object].node = *node + 1;
	}
	return 0;
}

int sap_run_context(struct sap_run *run, uint32_t entry, uint32_t *context)
{
	const struct sap_loaded *at = &run->link->loaded.v[entry];

	return sap_link_context_of(run->link, run->env, at->object, at->path, at->chain,
				   entry == THE_PROGRAM && run->program, context, run->err);
}

static int load_needed(struct sap_run *run, uint32_t entry, uint32_t context)
{
	struct sap_link *link = run->link;
	struct sap_loaded at = link->loaded.v[entry];
	struct sap_request q = { .from = entry, .kind = SAP_EDGE_NEEDED };
	struct sap_node node;
	uint32_t index = 0, to = SAP_NONE;
	bool fresh;
	int r;

	r = sap_link_node(link, context, at.object, at.path, entry == THE_PROGRAM && run->program,
			  &index, run->err);
	if (r < 0)
		return r;
	node = link->nodes.v[index];
	for (uint32_t i = 0; i < node.n; i++) {
		struct sap_dep *dep = &link->deps.v[node.at + i];

		q.name = dep->raw;
		r = sap_run_request(run, &q, context, dep, &to, &fresh);
		if (r < 0)
			return r;
		if (entry == THE_PROGRAM && to != SAP_NONE)
			link->loaded.v[to].direct = true;
	}
	return 0;
}

/* ---- filters: elf/dl-deps.c, _dl_map_object_deps ---------------------------------------- */

static void unlist(struct sap_run *run, uint32_t entry)
{
	struct sap_loaded *v = run->link->loaded.v;

	if (v[entry].prev != SAP_NONE)
		v[v[entry].prev].next = v[entry].next;
	if (v[entry].next != SAP_NONE)
		v[v[entry].next].prev = v[entry].prev;
	else
		run->tail = v[entry].prev;
}

/* Lists an entry right before another, so that its symbols are found first. */
static void list_before(struct sap_run *run, uint32_t entry, uint32_t before)
{
	struct sap_loaded *v = run->link->loaded.v;

	unlist(run, entry);
	v[entry].next = before;
	v[entry].prev = v[before].prev;
	if (v[before].prev != SAP_NONE)
		v[v[before].prev].next = entry;
	v[before].prev = entry;
	run->moved = true;
}

static bool is_behind(struct sap_run *run, uint32_t entry, uint32_t first)
{
	const struct sap_loaded *v = run->link->loaded.v;

	for (uint32_t at = v[first].next; at != SAP_NONE; at = v[at].next) {
		if (at == entry)
			return true;
		run->link->steps++;
	}
	return false;
}

/* Loads what an object filters. *first: the entry that now stands before it, or unchanged. */
static int load_filters(struct sap_run *run, uint32_t entry, uint32_t context, uint8_t kind,
			uint32_t *first)
{
	struct sap_link *link = run->link;
	struct sap_loaded at = link->loaded.v[entry];
	const struct sap_object *o = &link->facts->objects.v[at.object];
	struct sap_range names = kind == SAP_EDGE_FILTER ? o->filters : o->auxiliaries;
	struct sap_request q = { .from = entry, .kind = kind };

	q.optional = kind == SAP_EDGE_AUXILIARY;
	for (uint32_t i = 0; i < names.n; i++) {
		struct sap_dep dep;
		uint32_t to = SAP_NONE;
		bool fresh;
		int r;

		q.name = link->facts->ids.v[names.at + i];
		r = make_dep(link, &link->envs.v[run->env], q.name, at.path,
			     entry == THE_PROGRAM && run->program, &dep, run->err);
		if (r == 0)
			r = sap_run_request(run, &q, context, &dep, &to, &fresh);
		if (r < 0)
			return r;
		if (link->steps > SAP_LINK_STEPS_MAX)
			return sap_err_set(run->err, SAP_ELIMIT,
					   "the filters of one program take more than %u steps",
					   SAP_LINK_STEPS_MAX);
		if (to == SAP_NONE || to == entry || to == THE_PROGRAM || !run->strict)
			continue;
		if (!fresh && !is_behind(run, to, entry))
			continue;
		list_before(run, to, entry);
		if (*first == SAP_NONE)
			*first = to;
	}
	return 0;
}

static int load_deps(struct sap_run *run, uint32_t entry, uint32_t *first)
{
	const struct sap_object *o =
		&run->link->facts->objects.v[run->link->loaded.v[entry].object];
	uint32_t context;
	int r;

	*first = SAP_NONE;
	run->link->loaded.v[entry].done = true;
	if (!o->needed.n && !o->filters.n && !o->auxiliaries.n)
		return 0;
	r = sap_run_context(run, entry, &context);
	if (r == 0)
		r = load_needed(run, entry, context);
	if (run->link->envs.v[run->env].musl)
		return r;
	if (r == 0 && o->filters.n)
		r = load_filters(run, entry, context, SAP_EDGE_FILTER, first);
	if (r == 0 && o->auxiliaries.n)
		r = load_filters(run, entry, context, SAP_EDGE_AUXILIARY, first);
	return r;
}

int sap_run_drain(struct sap_run *run, uint32_t from)
{
	struct sap_link *link = run->link;

	for (uint32_t at = from; at != SAP_NONE;) {
		uint32_t first = SAP_NONE;

		if (!link->loaded.v[at].done) {
			int r = load_deps(run, at, &first);

			if (r < 0)
				return r;
		}
		at = first != SAP_NONE ? first : link->loaded.v[at].next;
	}
	return 0;
}

/* ---- the whole -------------------------------------------------------------------------- */

static int load_preloads(struct sap_run *run)
{
	struct sap_link *link = run->link;
	const struct sap_facts *facts = link->facts;
	const struct sap_env *env = &link->envs.v[run->env];
	struct sap_context want;
	uint32_t context;
	int r;

	if (env->musl || !link->n_preloads)
		return 0;
	r = sap_run_context(run, THE_PROGRAM, &context);
	if (r < 0)
		return r;
	if (env->secure) {
		want = link->contexts.v[context];
		want.flags |= SAP_CONTEXT_PRELOAD;
		r = sap_link_context(link, want, &context, run->err);
	}
	for (uint32_t i = 0; i < link->n_preloads && r == 0; i++) {
		const struct sap_setting *s = &facts->settings.v[link->first_preload + i];
		struct sap_request q = { .from = THE_PROGRAM, .kind = SAP_EDGE_PRELOAD };
		struct sap_dep dep = { .raw = s->value, .name = s->value };
		struct sap_str text = sap_link_str(link, s->value);
		uint32_t to = SAP_NONE;
		bool fresh;

		q.name = s->value;
		if (text.n && memchr(text.p, '/', text.n) && !env->secure)
			r = make_dep(link, env, s->value, link->loaded.v[THE_PROGRAM].path, true,
				     &dep, run->err);
		if (r == 0)
			r = sap_run_request(run, &q, context, &dep, &to, &fresh);
	}
	return r;
}

/* PT_INTERP is the first edge of a program, whoever needs the loader first. */
static int add_interp(struct sap_run *run)
{
	const struct sap_env *env = &run->link->envs.v[run->env];
	struct sap_link_missing *missing;
	struct sap_link_searched *searched;
	struct sap_link_edge *edge = push_edge(run);

	if (!edge)
		return no_edge(run);
	edge->from = SAP_LINK_PROGRAM;
	edge->name = env->interp;
	edge->kind = SAP_EDGE_INTERP;
	edge->how = SAP_HOW_PATH;
	if (env->loader_unknown || env->loader_unread)
		run->closure->complete = false;
	if (env->loader != SAP_NONE || env->loader_unknown)
		return 0;
	edge->how = SAP_HOW_NONE;
	searched = SAP_VEC_PUSH(&run->closure->searched, SAP_LINK_SEARCHED_MAX);
	missing = SAP_VEC_PUSH(&run->closure->missing, SAP_LINK_EDGES_MAX);
	if (!searched || !missing)
		return sap_err_nomem(run->err);
	*searched = (struct sap_link_searched){ SAP_HOW_PATH, sap_link_str(run->link, env->interp),
						env->loader_unread ? "cannot be read"
								   : "no dynamic loader there" };
	*missing = (struct sap_link_missing){ 0, { 0, 1 } };
	return 0;
}

static int load_strict(struct sap_run *run)
{
	struct sap_link *link = run->link;
	const struct sap_object *o = &link->facts->objects.v[run->object];
	const struct sap_env *env = &link->envs.v[run->env];
	struct sap_loaded *at = SAP_VEC_PUSH(&link->loaded, UINT32_MAX);
	uint32_t entry;
	int r;

	SAP_LINK_NEED(at, run->err);
	*at = (struct sap_loaded){
		.object = run->object, .path = o->path, .next = SAP_NONE, .prev = SAP_NONE
	};
	r = sap_link_own_chain(link, run->env, run->object, o->path, run->program, 0, &at->chain,
			       run->err);
	if (r == 0 && !env->musl)
		r = claim(run, 0, THE_PROGRAM); /* the empty name is the program's */
	if (r == 0 && !env->musl && o->soname)
		r = claim(run, o->soname, THE_PROGRAM);
	if (r == 0 && !env->musl)
		r = claim_for_loader(run, env);
	/* The loader does not know the file of a program; it does that of a library. */
	if (!run->program)
		link->by_object[link->same[run->object]] =
			(struct sap_slot){ link->epoch, THE_PROGRAM };
	if (r == 0 && run->program)
		r = add_interp(run);
	if (r == 0 && run->program)
		r = load_preloads(run);
	if (r == 0)
		r = sap_run_drain(run, THE_PROGRAM);
	if (r == 0 && run->program && env->loader != SAP_NONE && env->loader != run->object &&
	    run->loader_lib == SAP_NONE)
		r = load_loader(run, 0, THE_PROGRAM, &entry);
	return r;
}

static void count(struct sap_run *run)
{
	struct sap_closure *closure = run->closure;

	closure->n_strict = (uint32_t)closure->libs.n;
	for (uint32_t i = 0; i < closure->n_strict; i++)
		closure->n_direct += run->link->loaded.v[i + 1].direct;
}

static uint32_t moved_to(const struct sap_run *run, uint32_t lib)
{
	if (lib >= run->closure->n_strict) /* SAP_NONE and SAP_LINK_PROGRAM as well */
		return lib;
	return run->link->order.v[lib];
}

/* Puts the strict libraries in the order of the list, which filters have changed. */
static int reorder(struct sap_run *run)
{
	struct sap_link *link = run->link;
	struct sap_closure *closure = run->closure;
	uint32_t n = closure->n_strict, place = 0, head = 0;
	struct sap_link_lib *libs;

	link->order.n = 0;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t *at = SAP_VEC_PUSH(&link->order, UINT32_MAX);

		SAP_LINK_NEED(at, run->err);
	}
	libs = calloc(n + 1, sizeof(*libs));
	SAP_LINK_NEED(libs, run->err);
	while (link->loaded.v[head].prev != SAP_NONE)
		head = link->loaded.v[head].prev;
	for (uint32_t at = head; at != SAP_NONE; at = link->loaded.v[at].next) {
		if (at == THE_PROGRAM || at > n)
			continue;
		libs[place] = closure->libs.v[at - 1];
		link->order.v[at - 1] = place++;
	}
	memcpy(closure->libs.v, libs, place * sizeof(*libs));
	free(libs);
	for (size_t i = 0; i < closure->edges.n; i++) {
		closure->edges.v[i].from = moved_to(run, closure->edges.v[i].from);
		closure->edges.v[i].to = moved_to(run, closure->edges.v[i].to);
	}
	for (size_t i = 0; i < closure->versions.n; i++)
		closure->versions.v[i].from = moved_to(run, closure->versions.v[i].from);
	return 0;
}

/* Of a damaged object, DT_NEEDED may be cut. */
static bool any_damaged(const struct sap_facts *facts, const struct sap_closure *closure)
{
	uint32_t flags = facts->objects.v[closure->program].flags;

	for (size_t i = 0; i < closure->libs.n; i++)
		flags |= facts->objects.v[closure->libs.v[i].object].flags;
	return flags & SAP_OBJ_DAMAGED;
}

static void reset(struct sap_closure *closure, uint32_t object)
{
	struct sap_closure empty = { .program = object, .complete = true };

	closure->libs.n = closure->edges.n = closure->missing.n = closure->searched.n =
		closure->versions.n = 0;
	memcpy(&empty.libs, &closure->libs, sizeof(empty.libs));
	memcpy(&empty.edges, &closure->edges, sizeof(empty.edges));
	memcpy(&empty.missing, &closure->missing, sizeof(empty.missing));
	memcpy(&empty.searched, &closure->searched, sizeof(empty.searched));
	memcpy(&empty.versions, &closure->versions, sizeof(empty.versions));
	*closure = empty;
}

int sap_link_closure(struct sap_link *link, uint32_t object, struct sap_closure *closure,
		     struct sap_err *err)
{
	struct sap_run run = { .link = link, .closure = closure, .object = object, .err = err };
	const struct sap_object *o;
	int r;

	reset(closure, object);
	if (object >= link->n_objects)
		return sap_err_set(err, SAP_EUSAGE, "no object %u in these facts", object);
	o = &link->facts->objects.v[object];
	closure->is_static = !(o->flags & SAP_OBJ_DYNAMIC) ||
			     (o->type != ET_DYN && o->type != ET_EXEC) ||
			     (!o->interp && (o->type == ET_EXEC || (o->flags & SAP_OBJ_STATIC)));
	if (closure->is_static) {
		closure->complete = !any_damaged(link->facts, closure);
		return 0;
	}
	r = sap_env_of(link, object, &run.env, err);
	if (r < 0)
		return r;
	run.loader_lib = SAP_NONE;
	run.strict = true;
	run.program = o->interp != 0;
	closure->secure = link->envs.v[run.env].secure;
	link->epoch++;
	link->steps = 0;
	link->loaded.n = 0;
	r = load_strict(&run);
	if (r < 0)
		return r;
	count(&run);
	if (!link->envs.v[run.env].musl)
		r = sap_run_versions(&run);
	run.strict = false;
	if (r == 0 && link->options.beyond)
		r = sap_run_beyond(&run);
	if (r == 0 && run.moved)
		r = reorder(&run);
	if (any_damaged(link->facts, closure))
		closure->complete = false;
	return r;
}

void sap_closure_clear(struct sap_closure *closure)
{
	sap_vec_clear(&closure->libs);
	sap_vec_clear(&closure->edges);
	sap_vec_clear(&closure->missing);
	sap_vec_clear(&closure->searched);
	sap_vec_clear(&closure->versions);
}
