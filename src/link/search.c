/* SPDX-License-Identifier: Apache-2.0 */
#include "link/link_int.h"

#include <elf.h>
#include <sys/stat.h>

enum { NAME_BYTES_MAX = 255 };        /* of a file name, in all file systems of Linux */
enum { UNFINISHED = UINT32_MAX - 1 }; /* path of a search that failed on the way */

enum tried {
	TRIED_NO = 0, /* go on */
	TRIED_FOUND,
	TRIED_STOP, /* a loader gives up here */
	TRIED_NEXT, /* go on, but with the next list of folders */
	TRIED_NOMEM,
	TRIED_LIMIT,
};

struct search {
	struct sap_link *link;
	uint32_t env;
	struct sap_context context;
	struct sap_str name;
	struct sap_closure *trace; /* NULL: nobody wants to know */
	struct sap_found *out;
};

/* ---- chains and contexts ---------------------------------------------------------------- */

int sap_link_chain(struct sap_link *link, uint32_t list, uint32_t parent, uint32_t *chain,
		   struct sap_err *err)
{
	uint32_t *memo;
	struct sap_chain *c;

	if (list == 0) {
		*chain = parent;
		return 0;
	}
	memo = sap_memo_at(&link->memo_chain, list, parent);
	SAP_LINK_NEED(memo, err);
	if (!*memo) {
		c = SAP_VEC_PUSH(&link->chains, UINT32_MAX);
		SAP_LINK_NEED(c, err);
		*c = (struct sap_chain){ list, parent };
		*memo = (uint32_t)link->chains.n - 1; /* 0 is no chain */
	}
	*chain = *memo;
	return 0;
}

int sap_link_context(struct sap_link *link, struct sap_context want, uint32_t *context,
		     struct sap_err *err)
{
	uint32_t *memo = sap_memo_at(&link->memo_context, (uint64_t)want.env << 32 | want.chain,
				     (uint64_t)want.runpath << 32 | want.flags);
	struct sap_context *c;

	SAP_LINK_NEED(memo, err);
	if (!*memo) {
		c = SAP_VEC_PUSH(&link->contexts, UINT32_MAX);
		SAP_LINK_NEED(c, err);
		*c = want;
		*memo = (uint32_t)link->contexts.n;
	}
	*context = *memo - 1;
	return 0;
}

int sap_link_own_chain(struct sap_link *link, uint32_t env, uint32_t object, uint32_t path,
		       bool program, uint32_t parent, uint32_t *chain, struct sap_err *err)
{
	const struct sap_object *o = &link->facts->objects.v[object];
	bool musl = link->envs.v[env].musl;
	/* DT_RUNPATH makes the loader forget DT_RPATH; musl treats both alike. */
	uint32_t raw = !o->runpath ? o->rpath : musl ? o->runpath : 0;
	uint32_t list = 0;
	int r;

	if (raw) {
		r = sap_link_list(link, env, raw, path, program,
				  musl ? SAP_PATH_MUSL : SAP_PATH_RPATH, &list, err);
		if (r < 0)
			return r;
	}
	return sap_link_chain(link, list, parent, chain, err);
}

int sap_link_context_of(struct sap_link *link, uint32_t env, uint32_t object, uint32_t path,
			uint32_t chain, bool program, uint32_t *context, struct sap_err *err)
{
	const struct sap_object *o = &link->facts->objects.v[object];
	struct sap_context want = { .env = env, .chain = chain };
	int r;

	if (!link->envs.v[env].musl) {
		if (o->runpath) {
			want.chain = 0;
			r = sap_link_list(link, env, o->runpath, path, program, SAP_PATH_RPATH,
					  &want.runpath, err);
			if (r < 0)
				return r;
		}
		if (o->flags & SAP_OBJ_NODEFLIB)
			want.flags |= SAP_CONTEXT_NODEFLIB;
	}
	if (!want.chain && !want.runpath && !want.flags && link->envs.v[env].plain != SAP_NONE) {
		*context = link->envs.v[env].plain;
		return 0;
	}
	return sap_link_context(link, want, context, err);
}

/* ---- one file --------------------------------------------------------------------------- */

static void note(struct search *s, enum sap_link_how how, struct sap_str path, const char *why)
{
	struct sap_link_searched *at;
	uint32_t id;

	if (!s->trace || s->trace->searched.n >= SAP_LINK_SEARCHED_MAX)
		return;
	if (!sap_link_put(s->link, path, &id))
		return;
	at = SAP_VEC_PUSH(&s->trace->searched, SAP_LINK_SEARCHED_MAX);
	if (at)
		*at = (struct sap_link_searched){ how, sap_link_str(s->link, id), why };
}

/* Whether a loader takes the object; *why where it does not. */
static enum tried fits(struct search *s, uint32_t object, const char **why)
{
	const struct sap_object *o = &s->link->facts->objects.v[object];
	const struct sap_env *env = &s->link->envs.v[s->env];
	const struct sap_abi *abi = sap_abi_of(o);
	bool same_class = o->elf_class == (env->abi_key >> 4 & 15);

	*why = abi ? abi->other : "other architecture";
	if (s->link->abi_key[object] != env->abi_key) {
		/* musl takes the first file there is. glibc passes over other classes and
		 * machines, but not over another byte order in the same class. */
		if (env->musl)
			return TRIED_STOP;
		return same_class && o->endian != (env->abi_key & 15) ? TRIED_STOP : TRIED_NO;
	}
	*why = "not a shared library";
	if (o->type != ET_DYN && o->type != ET_EXEC)
		return TRIED_STOP;
	*why = "a program, not a library";
	if (!env->musl && object != env->loader &&
	    (o->type == ET_EXEC || (o->flags & SAP_OBJ_PIE_MARK)))
		return TRIED_STOP;
	*why = "ignored: setuid program, and the library is not setuid itself";
	if ((s->context.flags & SAP_CONTEXT_PRELOAD) && !memchr(s->name.p, '/', s->name.n) &&
	    !(o->mode & S_ISUID))
		return TRIED_NO;
	*why = NULL;
	return TRIED_FOUND;
}

/*
 * What opening a file fails with decides how a loader goes on. glibc (elf/dl-load.c, open_path):
 * with the next folder where it has no rights, with the next list of folders after any other
 * error than absence. musl (path_open): not at all after such an error.
 */
static enum tried cannot_read(struct search *s, enum sap_link_how how, struct sap_str path)
{
	const char *why = sap_tree_why(s->link->tree, path);

	s->out->unread = true;
	note(s, how, path, why);
	if (!sap_str_is(sap_str_of(why), "symbolic-link loop"))
		return TRIED_NO;
	return s->link->envs.v[s->env].musl ? TRIED_STOP : TRIED_NEXT;
}

static enum tried try_path(struct search *s, enum sap_link_how how, struct sap_str path)
{
	struct sap_link *link = s->link;
	const char *why = NULL;
	enum tried tried;
	uint32_t object;

	if (++link->steps > SAP_LINK_STEPS_MAX)
		return TRIED_LIMIT;
	if (path.n >= SAP_PATH_MAX) {
		note(s, how, path, "name too long");
		return TRIED_NO;
	}
	switch (sap_link_look(link, path, &object)) {
	case SAP_TREE_UNREADABLE:
		return cannot_read(s, how, path);
	case SAP_TREE_UNKNOWN:
		s->out->unknown = true;
		return TRIED_NO;
	case SAP_TREE_ABSENT:
		note(s, how, path, "no such file");
		return TRIED_NO;
	case SAP_TREE_OTHER:
		note(s, how, path, sap_tree_why(link->tree, path));
		return TRIED_STOP;
	case SAP_TREE_DIR:
		note(s, how, path, "a folder");
		return TRIED_STOP;
	default:
		break;
	}
	tried = fits(s, object, &why);
	if (tried != TRIED_FOUND) {
		note(s, how, path, why);
		return tried;
	}
	if (!sap_link_put(link, path, &s->out->path))
		return TRIED_NOMEM;
	s->out->object = object;
	s->out->how = (uint8_t)how;
	return TRIED_FOUND;
}

/* ---- folders ---------------------------------------------------------------------------- */

static enum tried try_in(struct search *s, enum sap_link_how how, struct sap_str dir,
			 struct sap_str sub)
{
	struct sap_buf *buf = &s->link->path;

	sap_buf_reset(buf);
	if (dir.n > 1)
		sap_buf_puts(buf, dir);
	sap_buf_putc(buf, '/');
	sap_buf_puts(buf, sub);
	sap_buf_puts(buf, s->name);
	if (!sap_buf_ok(buf))
		return TRIED_NOMEM;
	return try_path(s, how, sap_buf_str(buf));
}

static enum tried try_dir(struct search *s, enum sap_link_how how, const struct sap_dir *dir)
{
	struct sap_link *link = s->link;
	struct sap_str path = sap_link_str(link, dir->path);
	struct sap_range subs = { 0, 0 };
	enum tried tried;

	if (dir->why) {
		note(s, how, path, dir->why);
		return TRIED_NO;
	}
	if (++link->steps > SAP_LINK_STEPS_MAX)
		return TRIED_LIMIT;
	switch (sap_link_dir(link, dir->path)) {
	case SAP_TREE_ABSENT:
		note(s, how, path, "no such folder");
		return TRIED_NO;
	case SAP_TREE_UNREADABLE:
		/* For glibc, a folder that leads nowhere is one that is not there. */
		tried = cannot_read(s, how, path);
		return tried == TRIED_NEXT ? TRIED_NO : tried;
	default:
		break;
	}
	if (link->envs.v[s->env].n_subs) {
		int r = sap_env_subs(link, s->env, dir->path, &subs, NULL);

		if (r < 0)
			return TRIED_NOMEM;
		s->out->unknown |= r == 1;
	}
	for (uint32_t i = 0; i < subs.n; i++) {
		struct sap_str sub = link->envs.v[s->env].subs[link->subs.v[subs.at + i]];

		tried = try_in(s, how, path, sub);
		if (tried != TRIED_NO)
			return tried;
	}
	return try_in(s, how, path, SAP_STR(""));
}

static enum tried try_list(struct search *s, enum sap_link_how how, uint32_t list)
{
	struct sap_range range = s->link->lists.v[list];

	for (uint32_t i = 0; i < range.n; i++) {
		struct sap_dir dir = s->link->dirs.v[range.at + i];
		enum tried tried = try_dir(s, how, &dir);

		if (tried == TRIED_NEXT)
			return TRIED_NO;
		if (tried != TRIED_NO)
			return tried;
	}
	return TRIED_NO;
}

static enum tried try_chain(struct search *s)
{
	uint32_t links = 0;

	for (uint32_t at = s->context.chain; at; at = s->link->chains.v[at].parent) {
		enum tried tried;

		if (++links > SAP_LINK_SEARCH_MAX) {
			note(s, SAP_HOW_RPATH, SAP_STR("DT_RPATH"),
			     "left out: more folders than the limit");
			break;
		}
		tried = try_list(s, SAP_HOW_RPATH, s->link->chains.v[at].list);
		if (tried != TRIED_NO)
			return tried;
	}
	return TRIED_NO;
}

static enum tried try_library_path(struct search *s)
{
	const struct sap_env *env = &s->link->envs.v[s->env];

	if (env->secure && env->library_path) {
		note(s, SAP_HOW_LIBRARY_PATH, s->link->options.library_path,
		     "ignored: setuid program");
		return TRIED_NO;
	}
	return try_list(s, SAP_HOW_LIBRARY_PATH, env->library_path);
}

/* ---- the order of glibc: elf/dl-load.c, _dl_map_object ---------------------------------- */

static enum tried try_cache(struct search *s)
{
	const struct sap_env *env = &s->link->envs.v[s->env];
	struct sap_str cache = SAP_STR("/etc/ld.so.cache"), path;
	uint32_t id;
	enum tried tried;

	if (s->context.flags & SAP_CONTEXT_PRELOAD) {
		note(s, SAP_HOW_CACHE, cache, "ignored: preload of a setuid program");
		return TRIED_NO;
	}
	if (!s->link->has_cache)
		return try_list(s, SAP_HOW_CONF, env->conf);
	id = sap_cache_find(s->link, env, s->name);
	if (!id) {
		note(s, SAP_HOW_CACHE, cache, "not in the cache");
		return TRIED_NO;
	}
	path = sap_link_str(s->link, id);
	if ((s->context.flags & SAP_CONTEXT_NODEFLIB) && sap_env_trusts(s->link, env, path)) {
		note(s, SAP_HOW_CACHE, path, "ignored: linked with -z nodefaultlib");
		return TRIED_NO;
	}
	tried = try_path(s, SAP_HOW_CACHE, path);
	if (tried == TRIED_NEXT)
		tried = TRIED_NO;
	/* The cache is nearly always right: what it names is looked up before anything
	 * that would only be tried after it. */
	return tried == TRIED_NO && s->out->unknown ? TRIED_STOP : tried;
}

static enum tried try_system(struct search *s)
{
	const struct sap_env *env = &s->link->envs.v[s->env];

	if (env->loader_unknown)
		s->out->unknown = true;
	if (s->context.flags & SAP_CONTEXT_NODEFLIB) {
		struct sap_range list = s->link->lists.v[env->system];

		for (uint32_t i = 0; i < list.n; i++) {
			const struct sap_dir *dir = &s->link->dirs.v[list.at + i];

			note(s, SAP_HOW_DEFAULT, sap_link_str(s->link, dir->path),
			     "ignored: linked with -z nodefaultlib");
		}
		return TRIED_NO;
	}
	return try_list(s, (enum sap_link_how)env->system_how, env->system);
}

static enum tried search_glibc(struct search *s)
{
	enum tried tried = try_chain(s);

	if (tried == TRIED_NO)
		tried = try_library_path(s);
	if (tried == TRIED_NO)
		tried = try_list(s, SAP_HOW_RUNPATH, s->context.runpath);
	if (tried == TRIED_NO)
		tried = try_cache(s);
	if (tried == TRIED_NO)
		tried = try_system(s);
	return tried;
}

/* ---- the order of musl: ldso/dynlink.c, load_library ------------------------------------ */

/* Names that stand for the loader itself, which is libc and all its parts. */
static bool is_musl_itself(struct sap_str name)
{
	static const struct sap_str parts[] = { SAP_STR_INIT("c."),   SAP_STR_INIT("pthread."),
						SAP_STR_INIT("rt."),  SAP_STR_INIT("m."),
						SAP_STR_INIT("dl."),  SAP_STR_INIT("util."),
						SAP_STR_INIT("xnet.") };

	if (!sap_str_starts(name, SAP_STR("lib")))
		return false;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (sap_str_starts(sap_str_skip(name, 3), parts[i]))
			return true;
	}
	return false;
}

static enum tried take_loader(struct search *s)
{
	const struct sap_env *env = &s->link->envs.v[s->env];

	if (env->loader == SAP_NONE) {
		note(s, SAP_HOW_BUILTIN, sap_link_str(s->link, env->interp),
		     env->loader_unread ? "cannot be read" : "no such file");
		s->out->unknown = env->loader_unknown;
		s->out->unread = env->loader_unread;
		return TRIED_STOP;
	}
	s->out->object = env->loader;
	s->out->path = env->interp;
	s->out->how = SAP_HOW_BUILTIN;
	return TRIED_FOUND;
}

static enum tried search_musl(struct search *s)
{
	enum tried tried = try_library_path(s);

	if (tried == TRIED_NO)
		tried = try_chain(s);
	if (tried == TRIED_NO)
		tried = try_system(s);
	return tried;
}

/* A libc that a search or a path led to is not loaded a second time. */
static enum tried no_second_libc(struct search *s, enum tried tried)
{
	const struct sap_env *env = &s->link->envs.v[s->env];
	struct sap_str soname;

	if (tried != TRIED_FOUND || s->out->object == env->loader || env->loader == SAP_NONE)
		return tried;
	soname = sap_link_str(s->link, s->link->facts->objects.v[s->out->object].soname);
	if (s->link->same[s->out->object] == s->link->same[env->loader] ||
	    (sap_str_starts(soname, SAP_STR("libc.")) && is_musl_itself(soname)))
		return take_loader(s);
	return tried;
}

/* ---- both ------------------------------------------------------------------------------- */

static enum tried search_name(struct search *s)
{
	const struct sap_env *env = &s->link->envs.v[s->env];
	enum tried tried;

	if (env->musl &&
	    (is_musl_itself(s->name) || sap_str_eq(s->name, sap_link_str(s->link, env->interp))))
		return take_loader(s);
	if (s->name.n == 0) {
		note(s, SAP_HOW_NONE, SAP_STR(""), "empty name");
		return TRIED_STOP;
	}
	if (memchr(s->name.p, '/', s->name.n)) {
		if (s->name.p[0] != '/') {
			note(s, SAP_HOW_PATH, s->name, "left out: relative to the current folder");
			return TRIED_STOP;
		}
		tried = try_path(s, SAP_HOW_PATH, s->name);
	} else if (s->name.n > NAME_BYTES_MAX) {
		note(s, SAP_HOW_NONE, SAP_STR(""), "name too long");
		return TRIED_STOP;
	} else {
		tried = env->musl ? search_musl(s) : search_glibc(s);
	}
	return env->musl ? no_second_libc(s, tried) : tried;
}

static int run(struct sap_link *link, uint32_t context, uint32_t name, struct sap_closure *trace,
	       struct sap_found *out, struct sap_err *err)
{
	struct search s = {
		.link = link,
		.env = link->contexts.v[context].env,
		.context = link->contexts.v[context],
		.name = sap_link_str(link, name),
		.trace = trace,
		.out = out,
	};

	*out = (struct sap_found){ .object = SAP_NONE };
	switch (search_name(&s)) {
	case TRIED_NOMEM:
		return sap_err_nomem(err);
	case TRIED_LIMIT:
		return sap_err_set(
			err, SAP_ELIMIT,
			"searching the libraries of one program takes more than %u steps",
			SAP_LINK_STEPS_MAX);
	default:
		return 0;
	}
}

int sap_link_search(struct sap_link *link, uint32_t context, uint32_t name, uint32_t *found,
		    struct sap_err *err)
{
	uint32_t *memo = sap_memo_at(&link->memo_found, context, name);
	struct sap_found out, *keep;
	int r;

	SAP_LINK_NEED(memo, err);
	if (*memo) {
		*found = *memo - 1;
		if (link->found.v[*found].path != UNFINISHED)
			return 0;
	} else {
		keep = SAP_VEC_PUSH(&link->found, UINT32_MAX);
		SAP_LINK_NEED(keep, err);
		*keep = (struct sap_found){ .object = SAP_NONE, .path = UNFINISHED };
		*memo = (uint32_t)link->found.n;
		*found = *memo - 1;
	}
	r = run(link, context, name, NULL, &out, err);
	if (r < 0)
		return r;
	link->found.v[*found] = out;
	return 0;
}

int sap_link_search_trace(struct sap_link *link, uint32_t context, uint32_t name,
			  struct sap_closure *closure, struct sap_err *err)
{
	struct sap_found out;

	return run(link, context, name, closure, &out, err);
}
