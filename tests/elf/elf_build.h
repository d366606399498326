/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small ELF files for tests, in both classes and byte orders: one read-only segment with
 * everything a loader reads, one writable segment with the dynamic section.
 */
#ifndef SAP_TESTS_ELF_BUILD_H
#define SAP_TESTS_ELF_BUILD_H

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { BUILD_MAX = 16384, BUILD_VADDR = 0x10000, BUILD_DYN_SHIFT = 0x1000 };

struct shape {
	const char *name;
	bool is64;
	bool big;
	bool program;   /* PT_INTERP; else a library with a soname */
	bool is_static; /* ET_EXEC without PT_INTERP and dynamic section */
	bool sysv;      /* DT_HASH instead of DT_GNU_HASH */
	uint16_t machine;
};

struct image {
	struct shape shape;
	unsigned char p[BUILD_MAX];
	uint64_t n;
	/* Offsets of the parts, for tests that damage them. */
	uint64_t phdrs, interp, notes, hash, symtab, strtab, versym, verneed, verdef, rela, rodata;
	uint64_t dynamic, shdrs;
	uint64_t str_n;
	uint32_t n_phdrs;
};

static inline void put_n(struct image *im, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n && im->n < BUILD_MAX; i++)
		im->p[im->n++] = (unsigned char)(v >> 8 * (im->shape.big ? n - 1 - i : i));
}

static inline void put_word(struct image *im, uint64_t v)
{
	put_n(im, v, im->shape.is64 ? 8 : 4);
}

static inline void put_bytes(struct image *im, const void *p, size_t n)
{
	if (n <= BUILD_MAX - im->n) {
		memcpy(im->p + im->n, p, n);
		im->n += n;
	}
}

static inline void put_align(struct image *im, uint64_t to)
{
	while (im->n % to && im->n < BUILD_MAX)
		im->p[im->n++] = 0;
}

/* Overwrites a field. */
static inline void poke(struct image *im, uint64_t off, uint64_t v, unsigned n)
{
	uint64_t end = im->n;

	im->n = off;
	put_n(im, v, n);
	im->n = end;
}

static inline void put_phdr(struct image *im, uint32_t type, uint32_t flags, uint64_t off,
			    uint64_t vaddr, uint64_t n)
{
	put_n(im, type, 4);
	if (im->shape.is64)
		put_n(im, flags, 4);
	put_word(im, off);
	put_word(im, vaddr);
	put_word(im, vaddr);
	put_word(im, n);
	put_word(im, n);
	if (!im->shape.is64)
		put_n(im, flags, 4);
	put_word(im, 4);
	im->n_phdrs++;
}

static inline void put_sym(struct image *im, uint32_t name, uint8_t info, uint16_t shndx,
			   uint64_t value)
{
	put_n(im, name, 4);
	if (!im->shape.is64) {
		put_word(im, value);
		put_word(im, 16);
	}
	put_n(im, info, 1);
	put_n(im, 0, 1);
	put_n(im, shndx, 2);
	if (im->shape.is64) {
		put_word(im, value);
		put_word(im, 16);
	}
}

static inline uint32_t put_string(struct image *im, const char *s)
{
	uint32_t at = (uint32_t)(im->n - im->strtab);

	put_bytes(im, s, strlen(s) + 1);
	return at;
}

struct names {
	uint32_t libc, libpam, soname, glibc, weak, test, dlopen, getpwnam, pam_start, resolve,
		data;
	uint32_t runpath;
};

static inline struct names put_strings(struct image *im)
{
	struct names s;

	im->strtab = im->n;
	put_string(im, "");
	s.libc = put_string(im, "libc.so.6");
	s.libpam = put_string(im, "libpam.so.0");
	s.soname = put_string(im, "libtest.so.1");
	s.glibc = put_string(im, "GLIBC_2.34");
	s.weak = put_string(im, "GLIBC_9");
	s.test = put_string(im, "TEST_1");
	s.dlopen = put_string(im, "dlopen");
	s.getpwnam = put_string(im, "getpwnam");
	s.pam_start = put_string(im, "pam_start");
	s.resolve = put_string(im, "test_resolved");
	s.data = put_string(im, "test_data");
	s.runpath = put_string(im, "$ORIGIN/lib");
	im->str_n = im->n - im->strtab;
	return s;
}

static inline void put_note(struct image *im, const char *owner, uint32_t type, const void *desc,
			    uint32_t n)
{
	put_n(im, 4, 4);
	put_n(im, n, 4);
	put_n(im, type, 4);
	put_bytes(im, owner, 4);
	put_bytes(im, desc, n);
	put_align(im, 4);
}

static inline void put_notes(struct image *im)
{
	static const char package[] = "{\"type\":\"deb\",\"name\":\"test\"}\0\0";
	static const char dlopen[] = "[{\"soname\":[\"libz.so.1\"]}]";

	im->notes = im->n;
	put_note(im, "GNU", 3, "\1\2\3\4\5\6\7\10", 8);
	put_note(im, "FDO", 0xcafe1a7e, package, sizeof(package));
	put_note(im, "FDO", 0x407c0c0a, dlopen, sizeof(dlopen));
}

/* Five symbols after the first: three imported, then two defined. */
static inline void put_symbols(struct image *im, const struct names *s)
{
	put_align(im, 8);
	im->symtab = im->n;
	put_sym(im, 0, 0, 0, 0);
	put_sym(im, s->dlopen, 0x12, 0, 0);
	put_sym(im, s->getpwnam, 0x22, 0, 0);
	put_sym(im, s->pam_start, 0x12, 0, 0);
	put_sym(im, s->resolve, 0x1a, 7, BUILD_VADDR + 0x40);
	put_sym(im, s->data, 0x11, 8, BUILD_VADDR + 0x80);
}

static inline void put_hash(struct image *im)
{
	put_align(im, 8);
	im->hash = im->n;
	if (im->shape.sysv) {
		bool wide = im->shape.is64 &&
			    (im->shape.machine == EM_S390 || im->shape.machine == EM_ALPHA);

		for (unsigned i = 0; i < 2 + 1 + 6; i++)
			put_n(im, i == 0 ? 1 : i == 1 ? 6 : i == 2 ? 4 : 0, wide ? 8 : 4);
		return;
	}
	put_n(im, 1, 4); /* buckets */
	put_n(im, 4, 4); /* first hashed symbol */
	put_n(im, 1, 4);
	put_n(im, 5, 4);
	put_word(im, UINT64_MAX);
	put_n(im, 4, 4);
	put_n(im, 0x1000, 4);
	put_n(im, 0x2001, 4);
}

static inline void put_versions(struct image *im, const struct names *s)
{
	static const uint16_t index[] = { 0, 3, 0, 0, 2, 0x8002 };

	im->versym = im->n;
	for (unsigned i = 0; i < 6; i++)
		put_n(im, index[i], 2);
	put_align(im, 4);
	im->verneed = im->n;
	put_n(im, 1, 2);
	put_n(im, 2, 2);
	put_n(im, s->libc, 4);
	put_n(im, 16, 4);
	put_n(im, 0, 4);
	for (unsigned i = 0; i < 2; i++) {
		put_n(im, 0, 4);
		put_n(im, i ? VER_FLG_WEAK : 0, 2);
		put_n(im, 3 + i, 2);
		put_n(im, i ? s->weak : s->glibc, 4);
		put_n(im, i ? 0 : 16, 4);
	}
	im->verdef = im->n;
	for (unsigned i = 0; i < 2; i++) {
		put_n(im, 1, 2);
		put_n(im, i ? 0 : VER_FLG_BASE, 2);
		put_n(im, 1 + i, 2);
		put_n(im, 1, 2);
		put_n(im, 0, 4);
		put_n(im, 20, 4);
		put_n(im, i ? 0 : 28, 4);
		put_n(im, i ? s->test : s->soname, 4);
		put_n(im, 0, 4);
	}
}

/* Two relocations: one relative, one IRELATIVE. */
static inline void put_relocs(struct image *im, uint32_t irelative)
{
	put_align(im, 8);
	im->rela = im->n;
	for (unsigned i = 0; i < 2; i++) {
		put_word(im, BUILD_VADDR + 0x100);
		put_word(im, i ? irelative : 8);
		put_word(im, 0);
	}
}

static inline void put_rodata(struct image *im)
{
	static const char text[] = "\0libfoo.so.2\0cannot load libbar.so\0/usr/lib/x/mod.so\0"
				   "ld.so.cache\0libfoo.so.2\0a.so\0lib%s.so\0dir/libq.so\0"
				   "/lib/test-linux/\0/usr/lib/test-linux/\0/lib/\0/usr/lib/\0x";

	im->rodata = im->n;
	put_bytes(im, text, sizeof(text));
}

static inline void put_dyn(struct image *im, uint64_t tag, uint64_t value)
{
	put_word(im, tag);
	put_word(im, value);
}

static inline void put_dynamic(struct image *im, const struct names *s)
{
	const uint64_t word = im->shape.is64 ? 8 : 4;

	put_align(im, 16);
	im->dynamic = im->n;
	put_dyn(im, DT_NEEDED, s->libc);
	put_dyn(im, DT_NEEDED, s->libpam);
	if (!im->shape.program)
		put_dyn(im, DT_SONAME, s->soname);
	put_dyn(im, DT_RUNPATH, s->runpath);
	put_dyn(im, im->shape.sysv ? DT_HASH : DT_GNU_HASH, BUILD_VADDR + im->hash);
	put_dyn(im, DT_STRTAB, BUILD_VADDR + im->strtab);
	put_dyn(im, DT_STRSZ, im->str_n);
	put_dyn(im, DT_SYMTAB, BUILD_VADDR + im->symtab);
	put_dyn(im, DT_VERSYM, BUILD_VADDR + im->versym);
	put_dyn(im, DT_VERNEED, BUILD_VADDR + im->verneed);
	put_dyn(im, DT_VERNEEDNUM, 1);
	put_dyn(im, DT_VERDEF, BUILD_VADDR + im->verdef);
	put_dyn(im, DT_VERDEFNUM, 2);
	put_dyn(im, DT_RELA, BUILD_VADDR + im->rela);
	put_dyn(im, DT_RELASZ, 6 * word);
	put_dyn(im, DT_RELACOUNT, 1);
	put_dyn(im, DT_JMPREL, BUILD_VADDR + im->rela + 3 * word); /* inside DT_RELA */
	put_dyn(im, DT_PLTRELSZ, 3 * word);
	put_dyn(im, DT_PLTREL, DT_RELA);
	put_dyn(im, DT_INIT, BUILD_VADDR);
	put_dyn(im, DT_INIT_ARRAY, BUILD_VADDR + im->rela);
	put_dyn(im, DT_INIT_ARRAYSZ, 3 * word);
	put_dyn(im, DT_FLAGS, DF_BIND_NOW);
	put_dyn(im, DT_FLAGS_1, DF_1_NOW | (im->shape.program ? DF_1_PIE : DF_1_NODELETE));
	put_dyn(im, DT_NULL, 0);
}

static inline void put_shdr(struct image *im, uint32_t type, uint64_t flags, uint64_t off,
			    uint64_t n)
{
	put_n(im, 0, 4);
	put_n(im, type, 4);
	put_word(im, flags);
	put_word(im, 0);
	put_word(im, off);
	put_word(im, n);
	put_n(im, 0, 4);
	put_n(im, 0, 4);
	put_word(im, 8);
	put_word(im, 0);
}

static inline void put_header(struct image *im, uint16_t type)
{
	const unsigned char ident[16] = {
		0x7f, 'E', 'L', 'F', im->shape.is64 ? 2 : 1, im->shape.big ? 2 : 1, 1
	};
	const unsigned ehdr = im->shape.is64 ? 64 : 52;

	put_bytes(im, ident, 16);
	put_n(im, type, 2);
	put_n(im, im->shape.machine, 2);
	put_n(im, 1, 4);
	put_word(im, BUILD_VADDR + 0x40);
	put_word(im, ehdr);
	put_word(im, im->shdrs);
	put_n(im, 0x5, 4);
	put_n(im, ehdr, 2);
	put_n(im, im->shape.is64 ? 56 : 32, 2);
	put_n(im, im->n_phdrs, 2);
	put_n(im, im->shape.is64 ? 64 : 40, 2);
	put_n(im, 3, 2);
	put_n(im, 0, 2);
	im->phdrs = im->n;
}

static inline void put_phdrs(struct image *im, uint64_t end)
{
	uint64_t ro = im->shape.is_static ? end : im->dynamic;

	im->n_phdrs = 0;
	if (im->shape.program && !im->shape.is_static)
		put_phdr(im, PT_INTERP, PF_R, im->interp, BUILD_VADDR + im->interp, 13);
	put_phdr(im, PT_LOAD, PF_R | PF_X, 0, BUILD_VADDR, ro);
	if (!im->shape.is_static) {
		put_phdr(im, PT_LOAD, PF_R | PF_W, ro, BUILD_VADDR + BUILD_DYN_SHIFT + ro,
			 end - ro);
		put_phdr(im, PT_DYNAMIC, PF_R | PF_W, ro, BUILD_VADDR + BUILD_DYN_SHIFT + ro,
			 end - ro);
	}
	put_phdr(im, PT_NOTE, PF_R, im->notes, BUILD_VADDR + im->notes, im->hash - im->notes);
	put_phdr(im, PT_GNU_STACK, PF_R | PF_W, 0, 0, 0);
	put_phdr(im, PT_GNU_RELRO, PF_R, ro, BUILD_VADDR + ro, 16);
}

/* Builds the file. irelative: the type of that relocation on the machine. */
static inline void build(struct image *im, const struct shape *shape, uint32_t irelative)
{
	const uint64_t word = shape->is64 ? 8 : 4;
	struct names s;
	uint64_t end;

	memset(im, 0, sizeof(*im));
	im->shape = *shape;
	im->n = 0x240; /* room for the headers */
	im->interp = im->n;
	if (shape->program)
		put_bytes(im, "/lib/ld.so.1", 13);
	put_align(im, 4);
	put_notes(im);
	put_hash(im);
	im->strtab = 0;
	/* Strings come first in memory here, so that their offsets are known. */
	s = put_strings(im);
	put_symbols(im, &s);
	put_versions(im, &s);
	put_relocs(im, irelative);
	put_rodata(im);
	if (!shape->is_static)
		put_dynamic(im, &s);
	end = im->n;
	im->shdrs = im->n;
	put_shdr(im, SHT_NULL, 0, 0, 0);
	put_shdr(im, SHT_RELA, SHF_ALLOC, im->rela, 6 * word);
	put_shdr(im, SHT_SYMTAB, 0, im->symtab, 0);
	/* Twice: the header wants the number of program headers. */
	for (unsigned i = 0; i < 2; i++) {
		uint64_t n = im->n;

		im->n = 0;
		put_header(im, shape->is_static ? ET_EXEC : ET_DYN);
		put_phdrs(im, end);
		im->n = n;
	}
}

#endif
