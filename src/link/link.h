/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Link: the dynamic loader simulated over facts. Who would load what, found how, and why.
 *
 * Pure: facts and a tree in, closures out; no I/O. The rules are those of glibc's elf/dl-load.c,
 * dl-deps.c, dl-cache.c, dl-hwcaps.c and of musl's ldso/dynlink.c; which of the two follows
 * from the program's interpreter.
 *
 * With on-demand facts a search may reach a path that nobody has looked at yet. The closure
 * is then incomplete, and sap_link_wanted names those paths: have them looked up, finish the
 * facts, make a new tree and link, ask again.
 */
#ifndef SAP_LINK_LINK_H
#define SAP_LINK_LINK_H

#include "base/err.h"
#include "base/vec.h"
#include "model/facts.h"
#include "model/tree.h"

struct sap_link;

enum sap_edge_kind {
	SAP_EDGE_NEEDED = 1, /* DT_NEEDED */
	SAP_EDGE_INTERP,     /* PT_INTERP */
	SAP_EDGE_PRELOAD,    /* ld.so.preload */
	SAP_EDGE_FILTER,     /* DT_FILTER */
	SAP_EDGE_AUXILIARY,  /* DT_AUXILIARY */
	/* Beyond what the loader does at start: */
	SAP_EDGE_DLOPEN_NOTE,   /* .note.dlopen */
	SAP_EDGE_DLOPEN_STRING, /* a soname in read-only data: a guess */
	SAP_EDGE_PAM,           /* a module that pam.d names for the program */
	SAP_EDGE_NSS,           /* a service that nsswitch.conf names */
	SAP_EDGE_KINDS
};

const char *sap_edge_kind_name(enum sap_edge_kind kind); /* "needed", "dlopen-note" ... */

/* Which rule found (or tried) a file. */
enum sap_link_how {
	SAP_HOW_NONE = 0,
	SAP_HOW_PATH,         /* the name has a slash: taken as it is */
	SAP_HOW_LOADED,       /* a library already loaded goes by that name */
	SAP_HOW_RPATH,        /* DT_RPATH of the object or of one that loaded it */
	SAP_HOW_LIBRARY_PATH, /* LD_LIBRARY_PATH */
	SAP_HOW_RUNPATH,      /* DT_RUNPATH of the object itself */
	SAP_HOW_CACHE,        /* ld.so.cache */
	SAP_HOW_CONF,         /* ld.so.conf, where there is no cache */
	SAP_HOW_DEFAULT,      /* a folder built into the loader */
	SAP_HOW_MUSL_PATH,    /* ld-musl-ARCH.path */
	SAP_HOW_BUILTIN,      /* musl: the loader itself */
	SAP_HOW_KINDS
};

const char *sap_link_how_name(enum sap_link_how how); /* "rpath", "ld.so.cache" ... */

struct sap_link_options {
	struct sap_str library_path; /* LD_LIBRARY_PATH; absent: unset */
	int cpu_level; /* x86-64 micro-architecture level 1 to 4 for glibc-hwcaps; 0: base only */
	bool beyond;   /* follow the edges beyond the loader's own as well */
};

/* One library of a closure. */
struct sap_link_lib {
	uint32_t object; /* index in facts->objects */
	uint32_t edge;   /* the edge that brought it in first */
	uint32_t depth;  /* 1: a direct dependency of the program */
	bool strict;     /* loaded at start by the loader; false: only by edges beyond */
};

#define SAP_LINK_PROGRAM UINT32_MAX /* `from` of an edge that starts at the program itself */

struct sap_link_edge {
	uint32_t from; /* index in libs, or SAP_LINK_PROGRAM */
	uint32_t to;   /* index in libs, or SAP_NONE where it was not found */
	uint32_t name; /* pool id of the name asked for */
	uint8_t kind;  /* enum sap_edge_kind */
	uint8_t how;   /* enum sap_link_how */
	bool optional; /* its absence is tolerated: auxiliary, nss, a note that is not "required",
			* a guess */
	uint32_t via;  /* pool id: the file or feature that says so (pam.d/sshd, nsswitch.conf
			* database, note's feature); 0 for the loader's own edges */
};

/* A library that the loader would look for and not find. */
struct sap_link_missing {
	uint32_t edge;
	struct sap_range searched; /* of closure->searched */
};

struct sap_link_searched {
	uint32_t how;        /* enum sap_link_how */
	struct sap_str path; /* the file tried, or the folder left out; lives as long as the link */
	const char *why;     /* "no such file", "other architecture (i386)", "not ELF" and
			      * what else sap_tree_why says,
			      * "not in the cache", "ignored: setuid program" ... static text */
};

/* A symbol version that an object needs of a library that does not define it. */
struct sap_link_version {
	uint32_t from; /* index in libs or SAP_LINK_PROGRAM */
	uint32_t file; /* pool id: the soname that should define it */
	uint32_t version;
	bool weak;
};

struct sap_closure {
	uint32_t program;  /* index in facts->objects */
	bool is_static;    /* no loader at work: nothing is loaded */
	bool complete;     /* false: something on the way is unknown or could not be read; see
			    * sap_link_wanted for what may still be asked */
	bool secure;       /* setuid or setgid: loaded in secure mode */
	uint32_t n_strict; /* libraries loaded at start, the dynamic loader among them; the vDSO
			    * and the program are not counted */
	uint32_t n_direct; /* of these, named by the program's own DT_NEEDED */
	SAP_VEC(struct sap_link_lib) libs; /* in load order: breadth first; strict ones first */
	SAP_VEC(struct sap_link_edge) edges;
	SAP_VEC(struct sap_link_missing) missing;
	SAP_VEC(struct sap_link_searched) searched;
	SAP_VEC(struct sap_link_version) versions;
};

/* Borrows facts and tree, which must outlive it. The pool of the facts may get new strings.
 * NULL: out of memory. */
struct sap_link *sap_link_new(struct sap_facts *facts, struct sap_tree *tree,
			      const struct sap_link_options *options);
void sap_link_free(struct sap_link *link);

/* What happens when the object with that index is started (a program) or loaded into an empty
 * process of its ABI (a library). *closure must be zeroed or hold an earlier closure, whose
 * memory is used again. SAP_ELIMIT where SAP_LINK_CLOSURE_MAX is reached. */
int sap_link_closure(struct sap_link *link, uint32_t object, struct sap_closure *closure,
		     struct sap_err *err);
void sap_closure_clear(struct sap_closure *closure);

/* Paths that searches reached and that nobody has looked up (on-demand facts): pool ids.
 * Valid until the next call on link. */
const uint32_t *sap_link_wanted(const struct sap_link *link, uint32_t *n);

/* On-demand facts only: for every object not seen by an earlier call, names in
 * sap_link_wanted what its dependencies could be found under, without computing closures.
 * A superset is fine; it saves rounds. */
int sap_link_prefetch(struct sap_link *link, struct sap_err *err);

/* Index of the loader (PT_INTERP) of an object, or SAP_NONE. */
uint32_t sap_link_interp(struct sap_link *link, uint32_t object);

/* The chains from the program to a library of the closure, each a path of edge indices,
 * shortest first, no library twice, at most max. *n_all says how many there are (counted up
 * to 10,000). Chains live in the closure. */
struct sap_link_chains {
	SAP_VEC(uint32_t) edges;
	SAP_VEC(struct sap_range) chains; /* of edges */
	uint32_t n_all;
};

int sap_link_why(struct sap_link *link, const struct sap_closure *closure, uint32_t lib,
		 uint32_t max, struct sap_link_chains *out, struct sap_err *err);
void sap_link_chains_clear(struct sap_link_chains *chains);

/* DT_NEEDED entries of an object of which no symbol is imported: for each, the edge and the
 * libraries that would leave the closure if that entry alone were dropped. Needs symbols
 * (facts->with_symbols). As `ldd -u`: an entry is used when the object imports a symbol that
 * the library itself is the first in the closure's search order to define. */
struct sap_link_unneeded {
	uint32_t edge;         /* index in closure->edges */
	struct sap_range gone; /* of out->gone: indices in closure->libs, the entry's own first */
};

struct sap_link_unneeded_list {
	SAP_VEC(struct sap_link_unneeded) entries;
	SAP_VEC(uint32_t) gone;
};

int sap_link_find_unneeded(struct sap_link *link, const struct sap_closure *closure, uint32_t from,
			   struct sap_link_unneeded_list *out, struct sap_err *err);
void sap_link_unneeded_clear(struct sap_link_unneeded_list *list);

/* x86-64 micro-architecture level of the CPU this runs on: 1 to 4; 0 on other machines. */
int sap_link_host_cpu_level(void);

#endif
