/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions of an ELF object, as places where a probe can stand.
 *
 * Sources: the dynamic symbols (exported, with versions), and of these the first that has any: the
 * section .symtab, a separate debug file with the same build-id, a compressed symbol table in
 * .gnu_debugdata ("MiniDebugInfo": an xz stream that holds an ELF file; decompressed by the
 * caller through a callback), and the bare starts of functions that .eh_frame_hdr's table gives, or
 * .eh_frame itself (LSB, DWARF exception header encoding; no names; the start of .plt and cold
 * parts of functions are among them, frames of signals are not: they begin between two
 * instructions).
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
	SAP_FN_EXPORTED = 1, /* a dynamic symbol */
	SAP_FN_LOCAL = 2,    /* a name comes from .symtab, .gnu_debugdata or a debug file; not
				  * set where these only repeat what is exported */
	SAP_FN_BARE = 4,     /* no name: .eh_frame, DT_INIT and so on, or a relocation know it */
	SAP_FN_IFUNC = 8,    /* STT_GNU_IFUNC, or an IRELATIVE relocation: this is the resolver,
				  * which the loader calls; the function that has the name is chosen
				  * when it is loaded */
	SAP_FN_CONSTRUCTOR = 16, /* of DT_INIT, DT_PREINIT_ARRAY, DT_INIT_ARRAY (or DT_FINI*: no) */
	SAP_FN_REFUSED = 32, /* the kernel will not place a uprobe here: see sap_probe_refused */
};

struct sap_fn {
	uint64_t offset;      /* in the file */
	uint64_t addr;        /* link-time address */
	uint64_t size;        /* 0: unknown */
	struct sap_str names; /* "name@@VERSION" (default version), "name@VERSION", "name"; several
			       * separated by one space, sorted by name; empty: none. A blank or
			       * control byte inside a name is '?' */
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
	/* Places, whether they are listed or not. Nearly every object has the constructors of the
	 * compiler's start files: _init, frame_dummy. */
	uint32_t n_constructors, n_ifuncs;
	uint16_t machine;
	bool damaged; /* parts could not be read; text says the first */
	struct sap_str damage;
};

/* Names and texts live in the arena (or in the memory of a memory reader); list->v is to be
 * cleared with sap_vec_clear. The debug file counts only where its build-id is the same.
 * SAP_EFORMAT: no ELF object; SAP_ELIMIT, SAP_EIO, SAP_ENOMEM. */
int sap_elf_functions(const struct sap_reader *reader, const struct sap_fn_options *options,
		      struct sap_arena *arena, struct sap_fn_list *out, struct sap_err *err);

/* Whether the kernel refuses a uprobe on that first instruction (errno 524, ENOTSUPP, for the
 * whole link when a process has the file mapped). x86-64 and i386: bad prefixes (lock, cs, ds, es,
 * ss), instructions that trap, and those VEX and EVEX instructions whose opcode alone would be
 * such a one (vpxor, vmovdqu). True as well for those VEX and EVEX instructions that the kernel takes,
 * but for another one, so that the program goes wrong (vpor, vmovd, vzeroupper). AArch64: those that cannot be simulated or stepped. What the
 * kernel's decoder does not know (FMA4, undefined opcodes) is not told. code: at least 16
 * bytes, or what is left of the segment. Unknown machines: false. */
bool sap_probe_refused(uint16_t machine, struct sap_span code);

#endif
