/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ELF: everything that Sapper says about an object, from the bytes that a dynamic loader
 * goes by: program headers, the dynamic section, the hash tables. Section headers may be
 * missing or lie; they are used only for what no loader needs (whether there is a .symtab,
 * the IRELATIVE relocations of a static program), and never trusted for the rest.
 *
 * Follows the System V gABI (ELF header, program header, dynamic section, hash table, notes),
 * the GNU extensions (DT_GNU_HASH, symbol versioning, PT_GNU_*), and the ELF package
 * metadata and dlopen metadata specifications (notes 0xcafe1a7e and 0x407c0c0a).
 * 32 and 64 bit, both byte orders, any machine.
 *
 *   e_ident[16] type machine version entry phoff shoff flags ehsize phentsize phnum ...
 *   program header: type offset vaddr filesz memsz flags   (32 and 64 bit order differ)
 *   dynamic:        (tag, value) until DT_NULL; addresses map to offsets through PT_LOAD
 */
#ifndef SAP_ELF_ELF_H
#define SAP_ELF_ELF_H

#include "base/arena.h"
#include "base/err.h"
#include "base/reader.h"
#include "model/record.h"

/* What to read beyond header, program headers, interpreter, dynamic section, versions needed
 * and defined, n_constructors, and loader_dirs of a glibc loader, which are always read. */
enum sap_elf_want {
	SAP_ELF_USES = 1,    /* count dynamic symbols; fill `uses`; sets SAP_OBJ_SYMBOLS_READ */
	SAP_ELF_STRINGS = 2, /* dlopen_strings, where dlopen or dlmopen is imported (with USES) */
	SAP_ELF_SYMBOLS = 4, /* the symbols themselves (implies USES) */
	SAP_ELF_NOTES = 8,   /* build-id, .note.package, .note.dlopen; of PT_NOTE segments */
	SAP_ELF_RELOCS = 16, /* count IRELATIVE relocations; look at the section headers: sets
			      * SAP_OBJ_SECTIONS and SAP_OBJ_SYMTAB */
	SAP_ELF_GO = 32,     /* what Go's linker wrote about the build: go_version, go_modules */
	SAP_ELF_ALL = 63,
};

/* Something in the object that could not be read; the rest of the record holds. */
struct sap_elf_fault {
	int code; /* enum sap_code */
	uint64_t offset;
	struct sap_str text; /* in the arena */
};

#define SAP_ELF_FAULTS_MAX 8u

struct sap_elf {
	struct sap_rec_object rec;            /* path, size, mode, link_id are the caller's to set;
					       * dlopen_notes and package_note too, from the JSON below */
	const struct sap_rec_symbol *symbols; /* with SAP_ELF_SYMBOLS; in table order */
	uint32_t n_symbols;
	struct sap_str package_note_json; /* raw descriptor text, without its final NUL */
	struct sap_strs dlopen_note_json; /* one per note */
	struct sap_str go_version;        /* "go1.22.1"; empty: not made by Go, or not known */
	struct sap_str go_modules;        /* lines of runtime/debug.BuildInfo, without framing */
	struct sap_elf_fault go_fault;    /* why these two are not told; code 0: nothing is wrong.
					   * The object is not damaged by it. */
	struct sap_elf_fault faults[SAP_ELF_FAULTS_MAX];
	uint32_t n_faults; /* further ones are dropped: the object is damaged anyway */
};

/* Whether the first bytes of a file (4 are enough) say that it is ELF. */
static inline bool sap_elf_magic(struct sap_span head)
{
	return head.n >= 4 && memcmp(head.p, "\177ELF", 4) == 0;
}

/* Reads an object. head is what the caller already has of the file's beginning (may be
 * empty; 4 KiB spare a read); it may go away after the call. Everything in *out lives in the
 * arena, or in the memory of a memory reader. 0 also for damaged objects, as long as the
 * ELF header and the program headers can be read: then SAP_OBJ_DAMAGED is set and faults
 * say what is missing. SAP_EFORMAT: no usable ELF file. SAP_ECHANGED, SAP_EIO, SAP_ENOMEM. */
int sap_elf_read(const struct sap_reader *reader, struct sap_span head, unsigned want,
		 struct sap_arena *arena, struct sap_elf *out, struct sap_err *err);

/* "x86-64", "AArch64", "S390" ...: the name of an e_machine; "unknown" otherwise. */
const char *sap_elf_machine_name(uint16_t machine);

#endif
