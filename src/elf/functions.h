/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions of an ELF object, as places where a probe can stand.
 *
 * Sources, in the order of what they know: the dynamic symbols (exported, with versions), the
 * section .symtab, a compressed symbol table in .gnu_debugdata ("MiniDebugInfo": an xz stream
 * that holds an ELF file; decompressed by the caller through a callback), a separate debug file
 * with the same build-id, and the bare starts of functions that .eh_frame_hdr's table gives
 * (LSB, DWARF exception header encoding; no names).
 *
 * Several symbols of one address are one function with several names. Only what lies in an
 * executable PT_LOAD segment is a function; offsets are in the file.
 */
#ifndef SAP_ELF_FUNCTIONS_H
#define SAP_ELF_FUNCTIONS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/reader.h"
#include "base/span.h"
#include "base/vec.h"

enum sap_fn_flags {
	SAP_FN_EXPORTED = 1,     /* a dynamic symbol */
	SAP_FN_LOCAL = 2,        /* of .symtab, .gnu_debugdata or a debug file */
	SAP_FN_BARE = 4,         /* only .eh_frame knows it: no name */
	SAP_FN_IFUNC = 8,        /* STT_GNU_IFUNC: this is the resolver, which the loader calls; the
			      * function that has the name is chosen when it is loaded */
	SAP_FN_CONSTRUCTOR = 16, /* of DT_INIT, DT_PREINIT_ARRAY, DT_INIT_ARRAY (or DT_FINI*: no) */
	SAP_FN_REFUSED = 32, /* the kernel will not place a uprobe here: see sap_probe_refused */
};

struct sap_fn {
	uint64_t offset;      /* in the file */
	uint64_t addr;        /* link-time address */
	uint64_t size;        /* 0: unknown */
	struct sap_str names; /* "name@@VERSION" (default version), "name@VERSION", "name"; several
			       * separated by one space, sorted; empty: none */
	uint32_t flags;
};

enum sap_fn_want {
	SAP_FN_WANT_EXPORTED = 1,
	SAP_FN_WANT_ALL = 2, /* local ones too; where there is no symbol table, bare starts */
};

/* Unpacks an xz stream; *out in the arena. */
typedef int sap_fn_unpack(void *ctx, struct sap_span packed, struct sap_arena *arena,
			  struct sap_span *out, struct sap_err *err);

struct sap_fn_options {
	unsigned want;                  /* enum sap_fn_want */
	const struct sap_reader *debug; /* the separate debug file; NULL: none */
	sap_fn_unpack *unpack;          /* NULL: .gnu_debugdata cannot be read */
	void *ctx;
};

struct sap_fn_list {
	SAP_VEC(struct sap_fn) v; /* sorted by offset */
	bool has_symtab;          /* local names are known (.symtab, debugdata or debug file) */
	const char *local_from; /* ".symtab", ".gnu_debugdata", "debug file", ".eh_frame" or NULL */
	uint32_t n_constructors, n_ifuncs;
	uint16_t machine;
	bool damaged; /* parts could not be read; text says the first */
	struct sap_str damage;
};

/* names and texts live in the arena; list->v is to be cleared with sap_vec_clear. The debug
 * file counts only where its build-id is the same. SAP_EFORMAT: no ELF object; SAP_ELIMIT,
 * SAP_EIO, SAP_ENOMEM. */
int sap_elf_functions(const struct sap_reader *reader, const struct sap_fn_options *options,
		      struct sap_arena *arena, struct sap_fn_list *out, struct sap_err *err);

/* Whether the kernel refuses a uprobe on that first instruction (errno 524, ENOTSUPP, for the
 * whole link when a process has the file mapped). x86-64 and i386: bad prefixes (lock, cs, ds, es, ss),
 * instructions that trap or are not known to its decoder; AArch64: those that cannot be
 * simulated or stepped. code: at least 16 bytes, or what is left of the segment. Unknown machines: false. */
bool sap_probe_refused(uint16_t machine, struct sap_span code);

#endif
