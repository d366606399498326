/* SPDX-License-Identifier: Apache-2.0 */
#include "elf/functions_int.h"

/*
 * Header and program headers as in elf.c; section headers:
 *   name:4 type:4 flags addr offset size link:4 info:4 addralign entsize
 */
static int read_header(struct sap_elf_ctx *c)
{
	struct sap_rec_object *rec = &c->out->rec;
	struct sap_elf_cursor k;
	struct sap_span s = { NULL, 0 };
	int r = sap_elf_get(c, 0, EI_NIDENT, &s);

	if (r == SAP_EFORMAT || (r == 0 && !sap_elf_magic(s)))
		return sap_err_format(c->err, 0, "no ELF file");
	if (r < 0)
		return r;
	rec->elf_class = s.p[EI_CLASS];
	rec->endian = s.p[EI_DATA];
	rec->osabi = s.p[EI_OSABI];
	if ((rec->elf_class != ELFCLASS32 && rec->elf_class != ELFCLASS64) ||
	    (rec->endian != ELFDATA2LSB && rec->endian != ELFDATA2MSB))
		return sap_err_format(c->err, EI_CLASS, "unknown ELF class or byte order");
	c->is64 = rec->elf_class == ELFCLASS64;
	c->big = rec->endian == ELFDATA2MSB;
	r = sap_elf_get(c, 0, c->is64 ? 64 : 52, &s);
	if (r == SAP_EFORMAT)
		return sap_err_format(c->err, c->size, "the file ends inside the ELF header");
	if (r < 0)
		return r;
	k = sap_elf_cursor(c, s);
	k.off = EI_NIDENT;
	rec->type = sap_elf_u16(&k);
	rec->machine = sap_elf_u16(&k);
	k.off += 4;
	c->entry = sap_elf_word(&k);
	c->phoff = sap_elf_word(&k);
	c->shoff = sap_elf_word(&k);
	k.off += 6;
	c->phentsize = sap_elf_u16(&k);
	c->phnum = sap_elf_u16(&k);
	c->shentsize = sap_elf_u16(&k);
	c->shnum = sap_elf_u16(&k);
	c->shstrndx = sap_elf_u16(&k);
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

static int read_phdrs(struct sap_elf_ctx *c)
{
	const uint64_t size = c->is64 ? 56 : 32;
	uint32_t n = c->phnum > SAP_ELF_PHDRS_MAX ? SAP_ELF_PHDRS_MAX : c->phnum;
	struct sap_span all = { NULL, 0 }, s = { NULL, 0 };
	int r;

	if (n == 0)
		return 0;
	if (c->phentsize != size)
		return sap_err_format(c->err, 0, "a program header has %u bytes, not %llu",
				      c->phentsize, (unsigned long long)size);
	r = sap_elf_get(c, c->phoff, n * size, &all);
	if (r == SAP_EFORMAT)
		return sap_err_format(c->err, c->phoff, "the program headers lie outside the file");
	if (r < 0)
		return r;
	if (c->phnum > n) {
		r = sap_elf_fault(c, SAP_ELIMIT, c->phoff, "more than %u program headers",
				  SAP_ELF_PHDRS_MAX);
		if (r < 0)
			return r;
	}
	c->phdrs = sap_arena_alloc(c->arena, (uint64_t)n * 2 * sizeof(*c->phdrs));
	if (!c->phdrs)
		return sap_err_nomem(c->err);
	c->loads = c->phdrs + n;
	c->phnum = n;
	for (uint32_t i = 0; i < n; i++) {
		sap_span_sub(all, i * size, size, &s);
		c->phdrs[i] = decode_phdr(c, s);
		if (c->phdrs[i].type == PT_LOAD)
			c->loads[c->n_loads++] = c->phdrs[i];
		else if (c->phdrs[i].type == PT_DYNAMIC)
			c->dynamic = &c->phdrs[i];
	}
	return 0;
}

int sap_fn_open(struct sap_elf_ctx *c)
{
	int r;

	c->size = c->reader->size;
	c->relocs_left = SAP_ELF_RELOCS_MAX;
	if ((r = sap_elf_prefetch(c, 0, SAP_ELF_HEAD_READ)) < 0 || (r = read_header(c)) < 0 ||
	    (r = read_phdrs(c)) < 0)
		return r;
	return sap_elf_read_notes(c);
}

/* ---- section headers -------------------------------------------------------------------- */

static struct sap_fn_section decode_section(const struct sap_elf_ctx *c, struct sap_span s)
{
	struct sap_elf_cursor k = sap_elf_cursor(c, s);
	struct sap_fn_section out = { .name = sap_elf_u32(&k) };

	out.type = sap_elf_u32(&k);
	out.flags = sap_elf_word(&k);
	out.addr = sap_elf_word(&k);
	out.off = sap_elf_word(&k);
	out.size = sap_elf_word(&k);
	out.link = sap_elf_u32(&k);
	sap_elf_u32(&k);
	sap_elf_word(&k);
	out.entsize = sap_elf_word(&k);
	return out;
}

static int read_names(struct sap_elf_ctx *c, struct sap_fn_sections *out, uint32_t index)
{
	int r;

	if (index == SHN_UNDEF || index >= out->n)
		return 0;
	if (out->v[index].size > SAP_FN_SECTION_NAMES_MAX)
		return sap_elf_fault(c, SAP_ELIMIT, out->v[index].off,
				     "names of sections: %llu bytes",
				     (unsigned long long)out->v[index].size);
	r = sap_elf_keep(c, out->v[index].off, out->v[index].size, &out->names);
	return sap_elf_soft(c, r, out->v[index].off, "names of sections");
}

int sap_fn_read_sections(struct sap_elf_ctx *c, struct sap_fn_sections *out)
{
	const uint64_t size = c->is64 ? 64 : 40;
	struct sap_fn_section first;
	struct sap_span s = { NULL, 0 }, one = { NULL, 0 };
	uint64_t n = c->shnum;
	int r;

	if (c->shoff == 0)
		return 0;
	r = c->shentsize == size ? sap_elf_get(c, c->shoff, size, &s) : SAP_EFORMAT;
	if (r < 0)
		return sap_elf_soft(c, r, c->shoff, "section headers");
	/* From 65,280 sections on the number is the size of section 0, the names are its link. */
	first = decode_section(c, s);
	if (n == 0)
		n = first.size;
	if (n > SAP_ELF_SHDRS_MAX) {
		n = SAP_ELF_SHDRS_MAX;
		r = sap_elf_fault(c, SAP_ELIMIT, c->shoff, "more than %u sections",
				  SAP_ELF_SHDRS_MAX);
		if (r < 0)
			return r;
	}
	r = sap_elf_get(c, c->shoff, n * size, &s);
	if (r < 0)
		return sap_elf_soft(c, r, c->shoff, "section headers");
	out->v = sap_arena_array(c->arena, n, sizeof(*out->v));
	if (!out->v)
		return sap_err_nomem(c->err);
	out->n = (uint32_t)n;
	for (uint32_t i = 0; i < n; i++) {
		sap_span_sub(s, i * size, size, &one);
		out->v[i] = decode_section(c, one);
	}
	return read_names(c, out, c->shstrndx == SHN_XINDEX ? first.link : c->shstrndx);
}

bool sap_fn_section_is(const struct sap_fn_sections *sections, uint32_t i, const char *name)
{
	size_t n = strlen(name) + 1;
	struct sap_span s = { NULL, 0 };

	return sap_span_sub(sections->names, sections->v[i].name, n, &s) && s.p &&
	       memcmp(s.p, name, n) == 0;
}
