/* SPDX-License-Identifier: Apache-2.0 */
#include "elf/elf_int.h"

/*
 * ELF header, offsets:        32 bit            64 bit
 *   e_type, e_machine         16, 18            16, 18
 *   e_version                 20                20
 *   e_entry phoff shoff       24 28 32          24 32 40
 *   e_flags                   36                48
 *   ehsize phentsize phnum    40 42 44          52 54 56
 *   shentsize shnum shstrndx  46 48 50          58 60 62
 * Program header:
 *   32 bit: type offset vaddr paddr filesz memsz flags align
 *   64 bit: type flags offset vaddr paddr filesz memsz align
 */
enum { EHDR32 = 52, EHDR64 = 64, PHDR32 = 32, PHDR64 = 56 };

static int load_head(struct sap_elf_ctx *c, struct sap_span head)
{
	uint64_t enough = sap_elf_min(c->size, SAP_ELF_HEAD_MIN);

	head.n = sap_elf_min(head.n, c->size);
	if (head.n < enough)
		return sap_elf_prefetch(c, 0, SAP_ELF_HEAD_READ);
	c->windows[0] = (struct sap_elf_window){ .bytes = head };
	c->n_windows = 1;
	return 0;
}

static int read_header(struct sap_elf_ctx *c)
{
	struct sap_rec_object *rec = &c->out->rec;
	struct sap_elf_cursor k;
	struct sap_span s = { NULL, 0 };
	uint32_t version;
	int r;

	r = sap_elf_get(c, 0, EI_NIDENT, &s);
	if (r == SAP_EFORMAT || (r == 0 && !sap_elf_magic(s)))
		return sap_err_format(c->err, 0, "no ELF file");
	if (r < 0)
		return r;
	rec->elf_class = s.p[EI_CLASS];
	rec->endian = s.p[EI_DATA];
	rec->osabi = s.p[EI_OSABI];
	if (rec->elf_class != ELFCLASS32 && rec->elf_class != ELFCLASS64)
		return sap_err_format(c->err, EI_CLASS, "ELF class %u is neither 32 nor 64 bit",
				      rec->elf_class);
	if (rec->endian != ELFDATA2LSB && rec->endian != ELFDATA2MSB)
		return sap_err_format(c->err, EI_DATA, "ELF byte order %u is unknown", rec->endian);
	c->is64 = rec->elf_class == ELFCLASS64;
	c->big = rec->endian == ELFDATA2MSB;

	r = sap_elf_get(c, 0, c->is64 ? EHDR64 : EHDR32, &s);
	if (r == SAP_EFORMAT)
		return sap_err_format(c->err, c->size, "the file ends inside the ELF header");
	if (r < 0)
		return r;
	k = sap_elf_cursor(c, s);
	k.off = EI_NIDENT;
	rec->type = sap_elf_u16(&k);
	rec->machine = sap_elf_u16(&k);
	version = sap_elf_u32(&k);
	c->entry = sap_elf_word(&k);
	c->phoff = sap_elf_word(&k);
	c->shoff = sap_elf_word(&k);
	rec->e_flags = sap_elf_u32(&k);
	k.off += 2;
	c->phentsize = sap_elf_u16(&k);
	c->phnum = sap_elf_u16(&k);
	c->shentsize = sap_elf_u16(&k);
	c->shnum = sap_elf_u16(&k);
	c->shstrndx = sap_elf_u16(&k);
	/* The kernel runs a program whatever its version says. */
	if (version != EV_CURRENT)
		return sap_elf_fault(c, SAP_EFORMAT, 20, "ELF version %u is unknown", version);
	return 0;
}

/* More than 65,534 program headers: the count is sh_info of section header 0. */
static int read_phnum(struct sap_elf_ctx *c)
{
	uint64_t at = c->is64 ? 44 : 28;
	struct sap_span s = { NULL, 0 };
	uint32_t n = 0;
	int r;

	if (c->phnum != PN_XNUM)
		return 0;
	if (c->shoff > UINT64_MAX - at)
		return sap_err_format(c->err, 0, "the program headers cannot be counted");
	r = sap_elf_get(c, c->shoff + at, 4, &s);
	if (r == SAP_EFORMAT || c->shoff == 0)
		return sap_err_format(c->err, c->shoff, "the program headers cannot be counted");
	if (r < 0)
		return r;
	sap_span_u32(s, 0, c->big, &n);
	c->phnum = n;
	return 0;
}

static struct sap_elf_phdr decode_phdr(const struct sap_elf_ctx *c, struct sap_span s)
{
	struct sap_elf_cursor k = sap_elf_cursor(c, s);
	struct sap_elf_phdr p = { .type = sap_elf_u32(&k) };

	if (c->is64)
		p.flags = sap_elf_u32(&k);
	p.off = sap_elf_word(&k);
	p.vaddr = sap_elf_word(&k);
	sap_elf_word(&k);
	p.filesz = sap_elf_word(&k);
	p.memsz = sap_elf_word(&k);
	if (!c->is64)
		p.flags = sap_elf_u32(&k);
	p.align = sap_elf_word(&k);
	return p;
}

static uint64_t add_capped(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static int note_load(struct sap_elf_ctx *c, const struct sap_elf_phdr *p)
{
	struct sap_rec_object *rec = &c->out->rec;

	c->loads[c->n_loads++] = *p;
	rec->mapped_bytes = add_capped(rec->mapped_bytes, p->memsz);
	if (p->flags & PF_X)
		rec->code_bytes = add_capped(rec->code_bytes, p->filesz);
	if ((p->flags & (PF_W | PF_X)) == (PF_W | PF_X))
		rec->flags |= SAP_OBJ_RWX;
	if (p->filesz && (p->off > c->size || p->filesz > c->size - p->off))
		return sap_elf_fault(c, SAP_EFORMAT, p->off,
				     "the file ends inside a segment that is to be loaded");
	return 0;
}

static int note_phdr(struct sap_elf_ctx *c, const struct sap_elf_phdr *p)
{
	struct sap_rec_object *rec = &c->out->rec;

	switch (p->type) {
	case PT_LOAD:
		return note_load(c, p);
	case PT_DYNAMIC:
		c->dynamic = p; /* the last one counts */
		break;
	case PT_INTERP:
		/* The first one counts, for the kernel. */
		if (!c->interp)
			c->interp = p;
		break;
	case PT_GNU_STACK:
		rec->flags &= ~(unsigned)SAP_OBJ_NO_STACK_NOTE;
		if (p->flags & PF_X)
			rec->flags |= SAP_OBJ_EXECSTACK;
		break;
	case PT_GNU_RELRO:
		rec->flags |= SAP_OBJ_RELRO;
		break;
	default:
		break;
	}
	return 0;
}

static int read_phdrs(struct sap_elf_ctx *c)
{
	const uint64_t size = c->is64 ? PHDR64 : PHDR32;
	uint32_t n;
	struct sap_span all = { NULL, 0 }, s = { NULL, 0 };
	int r;

	r = read_phnum(c);
	if (r < 0 || c->phnum == 0)
		return r;
	if (c->phentsize != size)
		return sap_err_format(c->err, 0, "a program header has %u bytes, not %llu",
				      c->phentsize, (unsigned long long)size);
	n = c->phnum > SAP_ELF_PHDRS_MAX ? SAP_ELF_PHDRS_MAX : c->phnum;
	r = sap_elf_get(c, c->phoff, n * size, &all);
	if (r == SAP_EFORMAT)
		return sap_err_format(c->err, c->phoff, "the program headers lie outside the file");
	if (r < 0)
		return r;
	c->phdrs = sap_arena_alloc(c->arena, (uint64_t)n * 2 * sizeof(*c->phdrs));
	if (!c->phdrs)
		return sap_err_nomem(c->err);
	c->loads = c->phdrs + n;
	if (c->phnum > n) {
		r = sap_elf_fault(c, SAP_ELIMIT, c->phoff,
				  "%u program headers, only the first %u were read", c->phnum, n);
		if (r < 0)
			return r;
	}
	c->phnum = n;
	if (c->out->rec.type == ET_EXEC || c->out->rec.type == ET_DYN)
		c->out->rec.flags |= SAP_OBJ_NO_STACK_NOTE;
	for (uint32_t i = 0; i < n; i++) {
		sap_span_sub(all, i * size, size, &s);
		c->phdrs[i] = decode_phdr(c, s);
		r = note_phdr(c, &c->phdrs[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_interp(struct sap_elf_ctx *c)
{
	const struct sap_elf_phdr *p = c->interp;
	struct sap_span s = { NULL, 0 };
	int r;

	/* Files of debug information keep an empty one. */
	if (!p || p->filesz == 0)
		return 0;
	r = p->filesz > SAP_PATH_MAX ? SAP_ELIMIT : sap_elf_keep(c, p->off, p->filesz, &s);
	if (r < 0)
		return sap_elf_soft(c, r, p->off, "PT_INTERP");
	if (!sap_span_cstr(s, 0, &c->out->rec.interp))
		return sap_elf_soft(c, SAP_EFORMAT, p->off, "PT_INTERP");
	return 0;
}

/* Whether the program's first instruction lies in what the file brings along: not so in a
 * file of debug information. */
static bool has_entry(const struct sap_elf_ctx *c)
{
	uint64_t off, n;

	return c->entry != 0 && sap_elf_map(c, c->entry, &off, &n);
}

static bool has_pie_flag(const struct sap_elf_ctx *c)
{
	return sap_elf_has(c, SAP_DYN_FLAGS_1) && (c->dyn.val[SAP_DYN_FLAGS_1] & DF_1_PIE);
}

static bool is_static_program(const struct sap_elf_ctx *c)
{
	const struct sap_rec_object *rec = &c->out->rec;

	if (c->interp || c->dyn.n_needed || !has_entry(c) || (c->dynamic && !c->dyn_read))
		return false;
	if (rec->type == ET_EXEC)
		return true;
	if (rec->type != ET_DYN || sap_elf_has(c, DT_SONAME))
		return false;
	/* Linkers write DT_DEBUG into programs only: it tells an old static PIE from a
	 * library with an entry address. */
	return has_pie_flag(c) || sap_elf_has(c, DT_DEBUG);
}

static void set_kind(struct sap_elf_ctx *c)
{
	struct sap_rec_object *rec = &c->out->rec;

	if (rec->type == ET_DYN && ((c->interp && c->interp->filesz) || has_pie_flag(c)))
		rec->flags |= SAP_OBJ_PIE;
	if (rec->type == ET_DYN && has_pie_flag(c))
		rec->flags |= SAP_OBJ_PIE_MARK;
	if (is_static_program(c))
		rec->flags |= SAP_OBJ_STATIC;
}

static int read_parts(struct sap_elf_ctx *c)
{
	int r;

	if ((r = read_interp(c)) < 0)
		return r;
	if ((c->want & SAP_ELF_NOTES) && (r = sap_elf_read_notes(c)) < 0)
		return r;
	if ((r = sap_elf_read_dynamic(c)) < 0)
		return r;
	set_kind(c);
	/* Before the sections: what it reads holds their headers. */
	if ((c->want & SAP_ELF_GO) && (r = sap_elf_read_go(c)) < 0)
		return r;
	if ((c->want & SAP_ELF_RELOCS) && (r = sap_elf_read_sections(c)) < 0)
		return r;
	if ((c->want & SAP_ELF_STRINGS) && c->imports_dlopen &&
	    (r = sap_elf_read_dlopen_strings(c)) < 0)
		return r;
	return sap_elf_read_loader_dirs(c);
}

int sap_elf_read(const struct sap_reader *reader, struct sap_span head, unsigned want,
		 struct sap_arena *arena, struct sap_elf *out, struct sap_err *err)
{
	struct sap_elf result = { 0 };
	struct sap_elf_ctx c = {
		.reader = reader,
		.arena = arena,
		.out = &result,
		.err = err,
		.want = want,
		.size = reader->size,
		.relocs_left = SAP_ELF_RELOCS_MAX,
	};
	int r;

	if (want & SAP_ELF_SYMBOLS)
		c.want |= SAP_ELF_USES;
	if ((r = load_head(&c, head)) < 0 || (r = read_header(&c)) < 0 ||
	    (r = read_phdrs(&c)) < 0 || (r = read_parts(&c)) < 0)
		return r;
	*out = result;
	return 0;
}
