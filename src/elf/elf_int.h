/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside src/elf: one object being read.
 *
 * elf.c         header, program headers, interpreter, derived flags; sap_elf_read
 * elf_io.c      faults, windows of the file, tables, addresses to offsets
 * elf_dynamic.c dynamic section, string table, what is worth reading in one go
 * elf_version.c DT_VERNEED, DT_VERDEF
 * elf_symbol.c  hash tables, dynamic symbols, uses
 * elf_reloc.c   IRELATIVE relocations, section headers
 * elf_note.c    PT_NOTE
 * elf_go.c      build information of Go
 * elf_rodata.c  sonames and loader folders in read-only data
 * elf_machine.c names of machines
 *
 * Failures are of two kinds. Hard: SAP_ENOMEM, SAP_EIO, SAP_ECHANGED; passed up at once.
 * Soft: SAP_EFORMAT, SAP_ELIMIT; sap_elf_soft makes a fault of them and the reading goes on.
 */
#ifndef SAP_ELF_ELF_INT_H
#define SAP_ELF_ELF_INT_H

#include <elf.h>

#include "base/limits.h"
#include "elf/elf.h"
#include "model/uses.h"

#define SAP_ELF_HEAD_MIN 1024u  /* a shorter head is read again ... */
#define SAP_ELF_HEAD_READ 4096u /* ... this long */
#define SAP_ELF_WINDOWS_MAX 12u
#define SAP_ELF_STRTAB_EAGER (48 * SAP_KIB) /* larger: only read whole where symbols are wanted */
#define SAP_ELF_STRAY_STRINGS 256u          /* strings read beyond DT_STRSZ, at most */

struct sap_elf_phdr {
	uint32_t type;
	uint32_t flags;
	uint64_t off;
	uint64_t vaddr;
	uint64_t filesz;
	uint64_t memsz;
	uint64_t align;
};

/* A part of the file in memory. */
struct sap_elf_window {
	uint64_t off;
	struct sap_span bytes;
	bool keeps; /* lives as long as the record: strings in it can be borrowed */
};

/* A table somewhere in the file, read in blocks. */
struct sap_elf_table {
	uint64_t off;         /* in the file */
	uint64_t n;           /* bytes that the file and its segment have from there on */
	uint64_t block;       /* bytes to read at once; 0: as many as asked for */
	uint64_t at;          /* where span lies in the table */
	struct sap_span span; /* the part at hand */
	unsigned char *buf;   /* reused by each read */
	uint64_t cap;
};

/* Dynamic tags worth keeping: the gABI's own by number, then these. The last entry of a tag
 * counts, as for the loaders. */
enum sap_elf_dyn_slot {
	SAP_DYN_GNU_HASH = 40,
	SAP_DYN_VERSYM,
	SAP_DYN_RELACOUNT,
	SAP_DYN_RELCOUNT,
	SAP_DYN_FLAGS_1,
	SAP_DYN_VERDEF,
	SAP_DYN_VERNEED,
	SAP_DYN_MIPS_SYMTABNO,
	SAP_DYN_MIPS_XHASH,
	SAP_DYN_SLOTS
};

struct sap_elf_dyn {
	uint64_t has; /* bit per slot */
	uint64_t val[SAP_DYN_SLOTS];
	uint32_t n_needed;
	uint32_t n_filters;
	uint32_t n_auxiliaries;
};

/* What a version index (DT_VERSYM) stands for. */
struct sap_elf_version {
	struct sap_str version;
	struct sap_str file;
};

struct sap_elf_ctx {
	const struct sap_reader *reader;
	struct sap_arena *arena;
	struct sap_elf *out;
	struct sap_err *err;
	unsigned want;
	uint64_t size;
	bool big;
	bool is64;
	struct sap_elf_window windows[SAP_ELF_WINDOWS_MAX];
	uint32_t n_windows;

	/* Header. */
	uint64_t entry;
	uint64_t phoff;
	uint64_t shoff;
	uint32_t phnum;
	uint32_t shnum;
	uint16_t phentsize;
	uint16_t shentsize;
	uint16_t shstrndx;

	/* Program headers. */
	struct sap_elf_phdr *phdrs;
	struct sap_elf_phdr *loads;
	uint32_t n_loads;
	const struct sap_elf_phdr *interp; /* NULL: none */
	const struct sap_elf_phdr *dynamic;

	/* Dynamic section. */
	struct sap_elf_table dyn_table;
	uint32_t n_dyn;
	struct sap_elf_dyn dyn;
	bool dyn_read;       /* to its DT_NULL */
	uint64_t str_off;    /* file offset of the string table */
	uint64_t str_avail;  /* bytes of the segment from there on */
	uint64_t str_n;      /* DT_STRSZ within that */
	struct sap_span str; /* the table itself; empty until it is read whole */
	uint32_t lazy_strings;
	struct sap_span lazy; /* the piece of the string table that was read last */
	uint64_t lazy_off;    /* where it begins in the table */
	uint32_t stray_strings;
	uint64_t symbol_bytes; /* of symbol names, looked at so far */

	/* By version index. */
	struct sap_elf_version *versions;
	uint32_t n_versions;
	uint32_t relocs_left; /* that may still be looked at */
	bool imports_dlopen;
};

/* ---- elf_io.c --------------------------------------------------------------------------- */

/* Records a fault and sets SAP_OBJ_DAMAGED. 0 or SAP_ENOMEM. */
int sap_elf_fault(struct sap_elf_ctx *c, int code, uint64_t off, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Turns a soft failure r into a fault and 0; passes hard ones on. */
int sap_elf_soft(struct sap_elf_ctx *c, int r, uint64_t off, const char *what);

/* Reads [off, off+n), clipped to the file, as a window of the record's life. */
int sap_elf_prefetch(struct sap_elf_ctx *c, uint64_t off, uint64_t n);

/* Bytes [off, off+n): from a window or read. SAP_EFORMAT: not in the file. */
int sap_elf_get(struct sap_elf_ctx *c, uint64_t off, uint64_t n, struct sap_span *out);

/* As sap_elf_get, but valid as long as the record. */
int sap_elf_keep(struct sap_elf_ctx *c, uint64_t off, uint64_t n, struct sap_span *out);

/* Slow half of sap_elf_table_get. */
int sap_elf_table_fill(struct sap_elf_ctx *c, struct sap_elf_table *t, uint64_t rel, uint64_t n);

/* Bytes [rel, rel+n) of a table, valid until the next call. SAP_EFORMAT: not in it. */
static inline int sap_elf_table_get(struct sap_elf_ctx *c, struct sap_elf_table *t, uint64_t rel,
				    uint64_t n, struct sap_span *out)
{
	int r;

	if (rel >= t->at && sap_span_sub(t->span, rel - t->at, n, out))
		return 0;
	r = sap_elf_table_fill(c, t, rel, n);
	if (r < 0)
		return r;
	return sap_span_sub(t->span, rel - t->at, n, out) ? 0 : SAP_EFORMAT;
}

/* Where an address lies in the file, and how many bytes of its segment follow there. The
 * loader maps segments in order: a later one covers an earlier one. */
bool sap_elf_map(const struct sap_elf_ctx *c, uint64_t addr, uint64_t *off, uint64_t *n);

/* A table at an address. False: the address is not in the file. */
bool sap_elf_table_at(const struct sap_elf_ctx *c, uint64_t addr, uint64_t block,
		      struct sap_elf_table *t);

/* A table at a file offset, clipped to the file. */
struct sap_elf_table sap_elf_table_off(const struct sap_elf_ctx *c, uint64_t off, uint64_t n,
				       uint64_t block);

/* Makes room for element n of an array in the arena; doubles, so that the old copies take no
 * more than the array itself. False: memory. */
bool sap_elf_grow(struct sap_arena *arena, void **v, uint32_t n, uint32_t *cap, size_t size);

/* Reads fields of a structure one after another; ok turns false at the first that is not
 * there. */
struct sap_elf_cursor {
	struct sap_span s;
	uint64_t off;
	bool big;
	bool is64;
	bool ok;
};

static inline struct sap_elf_cursor sap_elf_cursor(const struct sap_elf_ctx *c, struct sap_span s)
{
	return (struct sap_elf_cursor){ s, 0, c->big, c->is64, true };
}

static inline uint16_t sap_elf_u16(struct sap_elf_cursor *k)
{
	uint16_t v = 0;

	k->ok &= sap_span_u16(k->s, k->off, k->big, &v);
	k->off += 2;
	return v;
}

static inline uint32_t sap_elf_u32(struct sap_elf_cursor *k)
{
	uint32_t v = 0;

	k->ok &= sap_span_u32(k->s, k->off, k->big, &v);
	k->off += 4;
	return v;
}

/* 32 or 64 bits, by the class. */
static inline uint64_t sap_elf_word(struct sap_elf_cursor *k)
{
	uint64_t v = 0;

	if (!k->is64)
		return sap_elf_u32(k);
	k->ok &= sap_span_u64(k->s, k->off, k->big, &v);
	k->off += 8;
	return v;
}

static inline uint64_t sap_elf_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline bool sap_elf_has(const struct sap_elf_ctx *c, unsigned slot)
{
	return c->dyn.has >> slot & 1;
}

/* ---- the parts -------------------------------------------------------------------------- */

/* Reads the dynamic section and what it leads to. */
int sap_elf_read_dynamic(struct sap_elf_ctx *c);

/* The string at an offset of the string table. SAP_EFORMAT: outside or not terminated;
 * SAP_ELIMIT: longer than max or too many stray ones. */
int sap_elf_string(struct sap_elf_ctx *c, uint64_t off, uint64_t max, struct sap_str *out);

/* Has the string table whole in c->str, if it is not yet. */
int sap_elf_load_strings(struct sap_elf_ctx *c);

/* The lowest address of a dynamic table above addr; UINT64_MAX: none. */
uint64_t sap_elf_next_table(const struct sap_elf_ctx *c, uint64_t addr);

int sap_elf_read_versions(struct sap_elf_ctx *c);
int sap_elf_read_symbols(struct sap_elf_ctx *c);
int sap_elf_read_relocs(struct sap_elf_ctx *c);
int sap_elf_read_sections(struct sap_elf_ctx *c);
int sap_elf_read_notes(struct sap_elf_ctx *c);
int sap_elf_read_go(struct sap_elf_ctx *c);
int sap_elf_read_dlopen_strings(struct sap_elf_ctx *c);
int sap_elf_read_loader_dirs(struct sap_elf_ctx *c);

/* Bytes of a symbol of .dynsym. */
static inline uint64_t sap_elf_sym_size(const struct sap_elf_ctx *c)
{
	return c->is64 ? 24 : 16;
}

/* The relocation type of IRELATIVE; 0: the machine has none. */
uint32_t sap_elf_irelative_type(uint16_t machine, bool is64);

/* Cheap look at a name's first three bytes: false where it is surely not in the table of
 * model/uses.h. */
static inline bool sap_elf_use_maybe(const unsigned char *p)
{
	switch (p[0]) {
	case 'g':
	case 's':
		return p[1] == 'e' && p[2] == 't';
	case 'e':
		return (p[1] == 'n' && p[2] == 'd') || (p[1] == 't' && p[2] == 'h');
	case 'd':
		return p[1] == 'l' && (p[2] == 'o' || p[2] == 'm');
	case 'p':
		return p[1] == 'a' && p[2] == 'm';
	case 'i':
		return (p[1] == 'n' && (p[2] == 'n' || p[2] == 'i')) ||
		       (p[1] == 'r' && p[2] == 'u');
	case 'r':
		return (p[1] == 'c' && p[2] == 'm') || (p[1] == 'e' && p[2] == 'x') ||
		       (p[1] == 'u' && p[2] == 's');
	case 'c':
		return p[1] == 'u' && p[2] == 's';
	case 'n':
		return p[1] == 'e' && p[2] == 't';
	default:
		return false;
	}
}

#endif
