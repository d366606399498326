/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the listing of functions.
 *
 * functions_list.c    sap_elf_functions: the order of the sources
 * functions_open.c    headers, program headers, sections of one object
 * functions_symbol.c  dynamic symbols and symbol tables
 * functions_local.c   .symtab, debug file, .gnu_debugdata
 * functions_init.c    constructors, IFUNC resolvers
 * functions_eh.c      .eh_frame
 * functions_merge.c   entries of one place become one function
 * functions_insn.c    sap_probe_refused
 *
 * Every source adds entries; a function is what entries of the same place in the file make
 * together. Failures are hard or soft as in elf_int.h.
 */
#ifndef SAP_ELF_FUNCTIONS_INT_H
#define SAP_ELF_FUNCTIONS_INT_H

#include "elf/elf_int.h"
#include "elf/functions.h"

#define SAP_FN_SEGMENTS_MAX 64u
#define SAP_FN_LOOKUPS_MAX 100000u /* single words read for relocations */

/* One thing that a source knows. */
struct sap_fn_entry {
	uint64_t offset;
	uint64_t size;
	const char *name;   /* NULL: none */
	uint32_t n;         /* of the name, without a version that it carries itself */
	uint16_t n_version; /* bytes behind these: "@VERSION" of a name in .symtab */
	uint16_t version;   /* index of the object's versions; 0: none */
	uint32_t flags;     /* enum sap_fn_flags, and: */
};

enum {
	SAP_FN_OLD_VERSION = 1 << 16, /* "@", not "@@" */
	SAP_FN_UNCLEAN = 1 << 17,     /* the name has blanks or control bytes */
};

struct sap_fn_segment {
	uint64_t addr;
	uint64_t n; /* bytes that the file has */
	uint64_t mem;
	uint64_t off;
	bool exec;
};

struct sap_fn_section {
	uint32_t name;
	uint32_t type;
	uint32_t link;
	uint64_t flags;
	uint64_t addr;
	uint64_t off;
	uint64_t size;
	uint64_t entsize;
};

struct sap_fn_sections {
	struct sap_fn_section *v;
	uint32_t n;
	struct sap_span names;
};

struct sap_fn_ctx {
	struct sap_elf_ctx *c; /* the object itself */
	const struct sap_fn_options *options;
	struct sap_arena *arena;
	struct sap_err *err;
	struct sap_fn_segment segments[SAP_FN_SEGMENTS_MAX];
	uint32_t n_segments;
	uint32_t last; /* where the last address was found */
	struct sap_fn_sections sections;
	SAP_VEC(struct sap_fn_entry) entries;
	uint64_t name_bytes; /* looked at so far */
	uint32_t lookups;
	bool full; /* the ceiling for entries was told */
};

/* ---- functions_open.c ------------------------------------------------------------------- */

/* Reads header, program headers and notes into c, whose reader, arena, out and err are set.
 * SAP_EFORMAT: no ELF object. */
int sap_fn_open(struct sap_elf_ctx *c);

int sap_fn_read_sections(struct sap_elf_ctx *c, struct sap_fn_sections *out);
bool sap_fn_section_is(const struct sap_fn_sections *sections, uint32_t i, const char *name);

/* ---- functions_list.c ------------------------------------------------------------------- */

/* Where an address of code lies in the file. False: in no executable segment. */
bool sap_fn_find(struct sap_fn_ctx *f, uint64_t addr, uint64_t *off);

/* Adds an entry; what lies in no executable segment is dropped. 0 or SAP_ENOMEM. */
int sap_fn_add(struct sap_fn_ctx *f, uint64_t addr, const struct sap_fn_entry *entry);

/* ---- the sources ------------------------------------------------------------------------ */

int sap_fn_exported(struct sap_fn_ctx *f);

/* Section i, a SHT_SYMTAB, of the object d. *n: functions found in it. */
int sap_fn_symtab(struct sap_fn_ctx *f, struct sap_elf_ctx *d, const struct sap_fn_sections *s,
		  uint32_t i, uint64_t *n);

/* *from: NULL where there is no symbol table. */
int sap_fn_local(struct sap_fn_ctx *f, const char **from);
int sap_fn_load_time(struct sap_fn_ctx *f);
int sap_fn_frames(struct sap_fn_ctx *f, uint64_t *n);

/* All entries to functions, sorted; empties f->entries. */
int sap_fn_merge(struct sap_fn_ctx *f, struct sap_fn_list *out);

#endif
