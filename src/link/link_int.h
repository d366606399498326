/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Link, the private part: how a search is described, remembered and run.
 *
 *   abi.c      machines and their ABIs: cache flags, loader, folders
 *   env.c      the loader at work (an "environment"), its folders, glibc-hwcaps
 *   rpath.c    $ORIGIN, $LIB, $PLATFORM; search paths cut into folders
 *   cache.c    ld.so.cache
 *   search.c   one name looked for in one context
 *   closure.c  breadth first over DT_NEEDED; versions.c: the symbol versions of the result
 *   beyond.c   dlopen notes and strings, PAM, NSS
 *   why.c, unneeded.c  questions about a closure
 *   link.c     life cycle, prefetch
 *   memo.c     a hash table from two numbers to one
 *
 * What is found under a name depends on the object that asks only through its context
 * (struct sap_context). Nearly all objects of a system share one, so each name is searched
 * once, and a closure is a walk over arrays.
 */
#ifndef SAP_LINK_LINK_INT_H
#define SAP_LINK_LINK_INT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"
#include "link/link.h"

/* ---- memo.c ----------------------------------------------------------------------------- */

struct sap_memo_entry {
	uint64_t a, b;
	uint32_t value; /* never 0 in use */
};

struct sap_memo {
	struct sap_memo_entry *v;
	uint32_t mask;
	uint32_t n;
};

/* The value for (a, b), which a new entry has as 0 and the caller must set to something else
 * at once. Valid until the next call. NULL: out of memory. */
uint32_t *sap_memo_at(struct sap_memo *memo, uint64_t a, uint64_t b);
void sap_memo_clear(struct sap_memo *memo);

/* ---- abi.c ------------------------------------------------------------------------------ */

struct sap_abi {
	uint16_t machine;
	uint8_t elf_class, endian;
	uint32_t flags_mask, flags; /* of e_flags, where they tell ABIs apart */
	uint32_t cache_id;          /* flags of its entries in ld.so.cache */
	uint32_t cache_also;        /* accepted as well; 0: none */
	const char *interp;         /* glibc's loader */
	const char *triplet;        /* Debian's name of the folder */
	const char *lib;            /* "lib64", "lib" */
	const char *platform;       /* $PLATFORM; NULL: depends on the processor */
	const char *other;          /* "other architecture (NAME)" */
};

/* Row of the table of ABIs for an object, or NULL. */
const struct sap_abi *sap_abi_of(const struct sap_object *object);

/* A number that is the same for objects of one ABI and for no others. */
uint32_t sap_abi_key(const struct sap_object *object);

/* ---- search paths ----------------------------------------------------------------------- */

/* One element of a search path. */
struct sap_dir {
	uint32_t path;   /* pool id, without a slash at its end; the root is "/" */
	const char *why; /* set: left out, for that reason */
};

/* ---- environments ----------------------------------------------------------------------- */

#define SAP_HWSUBS_MAX 40

/* A dynamic loader at work: the program's ABI and interpreter. */
struct sap_env {
	uint32_t abi_key;
	const struct sap_abi *abi; /* NULL: a machine that is not in the table */
	uint32_t interp;           /* pool id of the PT_INTERP path; 0: none */
	uint32_t loader;           /* its object, or SAP_NONE */
	bool loader_unknown;       /* nobody has looked at it yet */
	bool loader_unread;        /* nobody can look at it */
	bool musl;
	bool secure;
	uint32_t glibc; /* minor version of glibc 2; 0: not known, taken as recent */
	struct sap_str lib;
	uint32_t library_path, conf, system; /* lists; system: built in, or ld-musl-ARCH.path */
	uint8_t system_how;                  /* SAP_HOW_DEFAULT or SAP_HOW_MUSL_PATH */
	uint32_t n_subs; /* glibc-hwcaps folders, best first; then legacy ones */
	uint32_t n_hwcaps;
	struct sap_str subs[SAP_HWSUBS_MAX]; /* "glibc-hwcaps/x86-64-v3/" */
	uint32_t plain;                      /* context of an object without paths of its own */
};

/* ---- contexts --------------------------------------------------------------------------- */

/* RPATHs of an object and of those that loaded it, nearest first. */
struct sap_chain {
	uint32_t list;
	uint32_t parent; /* chain; 0: end */
};

enum sap_context_flags {
	SAP_CONTEXT_NODEFLIB = 1,
	SAP_CONTEXT_PRELOAD = 2, /* ld.so.preload of a secure program */
};

struct sap_context {
	uint32_t env;     /* index in link->envs */
	uint32_t chain;   /* 0: none */
	uint32_t runpath; /* list; 0: none */
	uint32_t flags;
};

struct sap_found {
	uint32_t object; /* or SAP_NONE */
	uint32_t path;   /* pool id: as it was found, links not followed */
	uint8_t how;
	bool unknown; /* a path was reached that nobody looked up */
	bool unread;  /* or one that cannot be read */
};

/* A DT_NEEDED of an object in one context. */
struct sap_dep {
	uint32_t raw;    /* pool id, as written */
	uint32_t name;   /* with tokens replaced */
	uint32_t found;  /* index in link->found + 1; 0: not searched yet */
	const char *bad; /* why it cannot be searched for */
};

struct sap_node {
	uint32_t at, n; /* of link->deps */
};

/* ---- the link --------------------------------------------------------------------------- */

struct sap_slot {
	uint32_t epoch;
	uint32_t lib;
};

/* Beside each struct sap_link_lib while a closure is made. The entry 0 is the program's. */
struct sap_loaded {
	uint32_t object;
	uint32_t path;  /* pool id, as found: what $ORIGIN goes by */
	uint32_t chain; /* own RPATH and those of the loaders */
	uint32_t next, prev;
	bool done;
	bool direct;
};

/* What an object makes load while it runs; see beyond.c. */
struct sap_wish {
	uint32_t name;   /* soname, path or module as written */
	uint32_t target; /* what is looked for */
	uint32_t via;
	uint8_t kind;
	bool optional;
	bool silent; /* not found: not even an edge */
	bool more;   /* the next wish is an alternative to this one */
};

struct sap_pam_line {
	uint32_t key, value, type, file, order;
	bool include;
};

/* Consecutive version needs of one object and file. */
struct sap_vgroup {
	uint32_t file;
	uint32_t provider; /* an object that is known to define them all, or SAP_NONE */
	uint32_t at;       /* of facts->verneeds */
};

/* unneeded.c: the symbols that an object defines, by name. */
struct sap_defs {
	uint32_t *first; /* by hash: 1 + place in the object's symbols */
	uint32_t *next;  /* by that place; behind `first` in the same block */
	uint32_t mask;
};

struct sap_link {
	struct sap_facts *facts;
	struct sap_tree *tree;
	struct sap_link_options options;
	struct sap_arena arena;
	uint32_t *abi_key; /* by object */
	uint32_t *same;    /* by object: the first object that is the same file */
	uint32_t n_objects;
	bool has_cache, legacy_dirs, loaders_known;
	uint32_t first_preload, n_preloads; /* in facts->settings */
	size_t first_nss;
	uint32_t prefetched; /* objects that sap_link_prefetch has seen */

	struct sap_memo memo_env, memo_list, memo_chain, memo_context, memo_found, memo_node,
		memo_dir, memo_wanted, memo_loader, memo_folders;
	SAP_VEC(struct sap_env) envs;
	SAP_VEC(struct sap_dir) dirs;
	SAP_VEC(struct sap_range) lists; /* of dirs; list 0 is empty */
	SAP_VEC(struct sap_chain) chains;
	SAP_VEC(struct sap_context) contexts;
	SAP_VEC(struct sap_found) found;
	SAP_VEC(struct sap_dep) deps;
	SAP_VEC(struct sap_node) nodes;
	SAP_VEC(uint8_t) subs; /* folders below folders that exist: indices in env->subs */
	SAP_VEC(struct sap_range) sub_ranges;
	SAP_VEC(uint32_t) wanted;

	/* ld.so.cache: by pool id of the soname, 1 + index of its first entry; then a chain. */
	uint32_t *cache_head, *cache_next;
	uint32_t n_cache_head;

	/* The closure in the making. */
	uint32_t epoch;
	uint64_t steps;
	struct sap_slot *by_name; /* by pool id */
	uint32_t n_by_name;
	struct sap_slot *by_object;
	SAP_VEC(struct sap_loaded) loaded;
	struct {
		uint32_t context, node; /* + 1 */
	} * last_node;                  /* by object */

	/* versions.c: by object, 1 + index of the range of its groups */
	uint32_t *vgroup_of;
	SAP_VEC(struct sap_vgroup) vgroups;
	SAP_VEC(struct sap_range) vgroup_ranges;
	struct sap_slot *mark; /* by pool id */
	uint32_t n_mark, mark_epoch;

	struct sap_defs *defs; /* by object; NULL until symbols are asked for */

	/* beyond.c */
	uint32_t *use_bits; /* by object: enum use_bits; 0: not looked at */
	SAP_VEC(struct sap_pam_line) pam;
	bool pam_ready;
	SAP_VEC(struct sap_wish) wishes;
	bool wishes_cut; /* there were more than the limits allow */
	SAP_VEC(uint32_t) order;

	struct sap_buf path, expand;
};

/* One closure in the making. */
struct sap_run {
	struct sap_link *link;
	struct sap_closure *closure;
	uint32_t object;
	uint32_t env;
	uint32_t loader_lib; /* index in libs, or SAP_NONE */
	uint32_t tail;       /* of the list of loaded objects */
	bool strict;
	bool moved; /* a filter changed the order */
	bool program;
	struct sap_err *err;
};

static inline struct sap_str sap_link_str(const struct sap_link *link, uint32_t id)
{
	return sap_pool_str(link->facts->pool, id);
}

/* The pool id of a text; false: out of memory. */
bool sap_link_put(struct sap_link *link, struct sap_str s, uint32_t *id);

/* Room for one more element, or SAP_ENOMEM. */
#define SAP_LINK_NEED(p, err)                      \
	do {                                       \
		if (!(p))                          \
			return sap_err_nomem(err); \
	} while (0)

/* ---- env.c ------------------------------------------------------------------------------ */

/* The environment of a program or library. SAP_ENOMEM. */
int sap_env_of(struct sap_link *link, uint32_t object, uint32_t *env, struct sap_err *err);

/* Looks a path up; what nobody has looked at becomes wanted. */
enum sap_tree_answer sap_link_look(struct sap_link *link, struct sap_str path, uint32_t *object);

/* Which of env->subs exist below a folder: a range of link->subs. 1 where that is not known
 * yet. SAP_ENOMEM. */
int sap_env_subs(struct sap_link *link, uint32_t env, uint32_t dir, struct sap_range *out,
		 struct sap_err *err);

/* A folder: SAP_TREE_DIR (also where it is not known yet), SAP_TREE_UNREADABLE or
 * SAP_TREE_ABSENT. */
enum sap_tree_answer sap_link_dir(struct sap_link *link, uint32_t dir);

/* False where a folder is known not to be there. */
bool sap_link_dir_exists(struct sap_link *link, uint32_t dir);

/* Whether the folder (or file) lies in a folder built into the loader. */
bool sap_env_trusts(struct sap_link *link, const struct sap_env *env, struct sap_str path);

/* ---- rpath.c ---------------------------------------------------------------------------- */

enum sap_path_kind {
	SAP_PATH_RPATH = 1, /* ':' */
	SAP_PATH_LIBRARY,   /* ':' and ';', with tokens as for the program */
	SAP_PATH_MUSL,      /* ':' and newline */
};

/* Replaces tokens in a text without separators. NULL and *out on success (in link->expand,
 * or the input itself); else why it cannot be used. */
const char *sap_link_expand(struct sap_link *link, const struct sap_env *env, struct sap_str in,
			    struct sap_str origin, bool program, struct sap_str *out);

/* The list of folders of a search path that an object found at `path` has; 0: none. */
int sap_link_list(struct sap_link *link, uint32_t env, uint32_t raw, uint32_t path, bool program,
		  enum sap_path_kind kind, uint32_t *list, struct sap_err *err);

/* A list of those folders; not remembered. */
int sap_link_list_of(struct sap_link *link, const struct sap_dir *dirs, size_t n, uint32_t *list,
		     struct sap_err *err);

/* ---- cache.c ---------------------------------------------------------------------------- */

int sap_cache_index(struct sap_link *link, struct sap_err *err);

/* The path that ld.so.cache has for a name under an environment: pool id or 0. */
uint32_t sap_cache_find(struct sap_link *link, const struct sap_env *env, struct sap_str name);

/* ---- search.c --------------------------------------------------------------------------- */

int sap_link_chain(struct sap_link *link, uint32_t list, uint32_t parent, uint32_t *chain,
		   struct sap_err *err);
int sap_link_context(struct sap_link *link, struct sap_context want, uint32_t *context,
		     struct sap_err *err);

/* The chain that an object found at `path` starts, with `parent` behind it. */
int sap_link_own_chain(struct sap_link *link, uint32_t env, uint32_t object, uint32_t path,
		       bool program, uint32_t parent, uint32_t *chain, struct sap_err *err);

/* The context in which an object looks for its dependencies. */
int sap_link_context_of(struct sap_link *link, uint32_t env, uint32_t object, uint32_t path,
			uint32_t chain, bool program, uint32_t *context, struct sap_err *err);

/* Looks for a name, or remembers: *found is an index in link->found. */
int sap_link_search(struct sap_link *link, uint32_t context, uint32_t name, uint32_t *found,
		    struct sap_err *err);

/* The same search again, with every step added to closure->searched. */
int sap_link_search_trace(struct sap_link *link, uint32_t context, uint32_t name,
			  struct sap_closure *closure, struct sap_err *err);

/* ---- closure.c -------------------------------------------------------------------------- */

/* The DT_NEEDED of an object in a context, ready to be searched. */
int sap_link_node(struct sap_link *link, uint32_t context, uint32_t object, uint32_t path,
		  bool program, uint32_t *node, struct sap_err *err);

struct sap_request {
	uint32_t from; /* entry of link->loaded */
	uint32_t name; /* as asked, for the edge */
	uint32_t via;
	uint8_t kind;
	bool optional;
	bool silent;
};

/* Loads what a name stands for. *entry: its entry of link->loaded, or SAP_NONE; fresh: it was
 * not there before. dep->found is filled in. */
int sap_run_request(struct sap_run *run, const struct sap_request *request, uint32_t context,
		    struct sap_dep *dep, uint32_t *entry, bool *fresh);

/* Loads the dependencies of all entries that are not done, in order. */
int sap_run_drain(struct sap_run *run, uint32_t from);

/* Context of an entry of link->loaded. */
int sap_run_context(struct sap_run *run, uint32_t entry, uint32_t *context);

/* ---- versions.c, beyond.c --------------------------------------------------------------- */

int sap_run_versions(struct sap_run *run);
int sap_run_beyond(struct sap_run *run);

/* What an object would make load, in link->wishes. program: the object started, or
 * SAP_NONE. */
int sap_link_wishes(struct sap_link *link, const struct sap_env *env, uint32_t object,
		    uint32_t program, struct sap_err *err);

/* The slot of a pool id in a table that grows with the pool; NULL: out of memory. */
struct sap_slot *sap_link_slot(struct sap_link *link, struct sap_slot **table, uint32_t *n,
			       uint32_t id);

#endif
