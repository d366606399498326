/* SPDX-License-Identifier: Apache-2.0 */
#include "elf/elf_int.h"

/* REL: offset info; RELA: offset info addend; all words. The type is the low byte of info in
 * 32-bit files and on SPARC, the low 32 bits elsewhere. */
uint32_t sap_elf_irelative_type(uint16_t machine, bool is64)
{
	switch (machine) {
	case EM_X86_64:
		return 37;
	case EM_386:
		return 42;
	case EM_AARCH64:
		return is64 ? 1032 : 188;
	case EM_ARM:
		return 160;
	case EM_PPC:
	case EM_PPC64:
		return 248;
	case EM_S390:
		return 61;
	case EM_RISCV:
		return 58;
	case EM_SPARC:
	case EM_SPARC32PLUS:
	case EM_SPARCV9:
		return 249;
	case 258: /* LoongArch */
		return 12;
	default:
		return 0;
	}
}

static int count_in(struct sap_elf_ctx *c, struct sap_elf_table *t, bool addend)
{
	const uint64_t word = c->is64 ? 8 : 4, size = word * (addend ? 3 : 2);
	const uint16_t machine = c->out->rec.machine;
	const uint32_t wanted = sap_elf_irelative_type(machine, c->is64);
	const uint64_t mask = !c->is64 || machine == EM_SPARCV9 ? 0xff : UINT32_MAX;
	uint64_t n = t->n / size, info;
	struct sap_elf_cursor k;
	struct sap_span s = { NULL, 0 };
	int r;

	if (n > c->relocs_left) {
		n = c->relocs_left;
		r = sap_elf_fault(c, SAP_ELIMIT, t->off, "more than %u relocations",
				  SAP_ELF_RELOCS_MAX);
		if (r < 0)
			return r;
	}
	c->relocs_left -= (uint32_t)n;
	for (uint64_t i = 0; i < n; i++) {
		r = sap_elf_table_get(c, t, i * size, size, &s);
		if (r < 0)
			return sap_elf_soft(c, r, t->off, "relocations");
		k = sap_elf_cursor(c, s);
		k.off = word;
		info = sap_elf_word(&k);
		c->out->rec.n_irelative += (info & mask) == wanted;
	}
	return 0;
}

static int count_at(struct sap_elf_ctx *c, uint64_t addr, uint64_t bytes, bool addend)
{
	struct sap_elf_table t;

	if (bytes == 0)
		return 0;
	if (!sap_elf_table_at(c, addr, 256 * SAP_KIB, &t))
		return sap_elf_fault(c, SAP_EFORMAT, c->dyn_table.off,
				     "the relocations lie outside the file");
	if (bytes > t.n) {
		int r = sap_elf_fault(c, SAP_EFORMAT, t.off,
				      "the relocations end behind their segment or the file");
		if (r < 0)
			return r;
	}
	t.n = sap_elf_min(t.n, bytes);
	return count_in(c, &t, addend);
}

struct range {
	uint64_t addr;
	uint64_t n;
};

static struct range range_of(const struct sap_elf_ctx *c, unsigned slot, unsigned size_slot)
{
	if (!sap_elf_has(c, slot))
		return (struct range){ 0, 0 };
	return (struct range){ c->dyn.val[slot], c->dyn.val[size_slot] };
}

/* The first `count` relocations are of the relative kind: not looked at. */
static int count_table(struct sap_elf_ctx *c, struct range t, unsigned count_slot, bool addend)
{
	const uint64_t size = (c->is64 ? 8 : 4) * (addend ? 3 : 2);
	uint64_t skip = sap_elf_min(c->dyn.val[count_slot], t.n / size) * size;

	return count_at(c, t.addr + skip, t.n - skip, addend);
}

/* Cuts off what the other table holds already: on some machines DT_JMPREL is the end of
 * DT_RELA. */
static struct range without(struct range a, struct range b)
{
	uint64_t skip;

	if (b.n == 0 || a.addr < b.addr || a.addr - b.addr >= b.n)
		return a;
	skip = sap_elf_min(b.n - (a.addr - b.addr), a.n);
	return (struct range){ a.addr + skip, a.n - skip };
}

int sap_elf_read_relocs(struct sap_elf_ctx *c)
{
	struct range rela = range_of(c, DT_RELA, DT_RELASZ), rel = range_of(c, DT_REL, DT_RELSZ);
	struct range plt = range_of(c, DT_JMPREL, DT_PLTRELSZ);
	bool addend = c->dyn.val[DT_PLTREL] == DT_RELA;
	int r;

	if (!sap_elf_irelative_type(c->out->rec.machine, c->is64))
		return 0;
	plt = without(plt, addend ? rela : rel);
	if ((r = count_table(c, rela, SAP_DYN_RELACOUNT, true)) < 0 ||
	    (r = count_table(c, rel, SAP_DYN_RELCOUNT, false)) < 0)
		return r;
	return count_at(c, plt.addr, plt.n, addend);
}

/* ---- section headers -------------------------------------------------------------------- */

/*
 * Section header: name:4 type:4 flags addr offset size link:4 info:4 addralign entsize
 */
struct shdr {
	uint32_t type;
	uint64_t flags;
	uint64_t off;
	uint64_t size;
};

static int get_shdr(struct sap_elf_ctx *c, struct sap_elf_table *t, uint64_t i, struct shdr *out)
{
	const uint64_t size = c->is64 ? 64 : 40;
	struct sap_elf_cursor k;
	struct sap_span s = { NULL, 0 };
	int r = sap_elf_table_get(c, t, i * size, size, &s);

	if (r < 0)
		return r;
	k = sap_elf_cursor(c, s);
	k.off = 4;
	out->type = sap_elf_u32(&k);
	out->flags = sap_elf_word(&k);
	sap_elf_word(&k);
	out->off = sap_elf_word(&k);
	out->size = sap_elf_word(&k);
	return 0;
}

static int note_section(struct sap_elf_ctx *c, const struct shdr *sh)
{
	bool program = c->out->rec.type == ET_EXEC || c->out->rec.type == ET_DYN;
	struct sap_elf_table t;

	if (sh->type == SHT_SYMTAB)
		c->out->rec.flags |= SAP_OBJ_SYMTAB;
	/* A static program has no dynamic section: it finds these by symbols of its own. */
	if ((sh->type != SHT_RELA && sh->type != SHT_REL) || !(sh->flags & SHF_ALLOC) || !program ||
	    c->dynamic || !sap_elf_irelative_type(c->out->rec.machine, c->is64))
		return 0;
	t = sap_elf_table_off(c, sh->off, sh->size, 256 * SAP_KIB);
	return count_in(c, &t, sh->type == SHT_RELA);
}

int sap_elf_read_sections(struct sap_elf_ctx *c)
{
	const uint64_t size = c->is64 ? 64 : 40;
	struct sap_elf_table t = sap_elf_table_off(c, c->shoff, UINT64_MAX, 0);
	uint64_t n = c->shnum;
	struct shdr sh = { 0 };
	int r;

	if (c->shoff == 0)
		return 0;
	/* From 65,280 sections on the number is the size of section 0. */
	if (n == 0 && c->shentsize == size) {
		r = get_shdr(c, &t, 0, &sh);
		if (r < 0)
			return sap_elf_soft(c, r, c->shoff, "section headers");
		n = sh.size;
		if (n == 0)
			return 0;
	}
	if (c->shentsize != size || n > t.n / size)
		return sap_elf_fault(c, SAP_EFORMAT, c->shoff,
				     "the section headers lie outside the file");
	c->out->rec.flags |= SAP_OBJ_SECTIONS;
	if (n > SAP_ELF_SHDRS_MAX) {
		r = sap_elf_fault(c, SAP_ELIMIT, c->shoff,
				  "%llu section headers, only the first %u were read",
				  (unsigned long long)n, SAP_ELF_SHDRS_MAX);
		if (r < 0)
			return r;
		n = SAP_ELF_SHDRS_MAX;
	}
	t.block = sap_elf_min(n * size, 64 * SAP_KIB);
	for (uint64_t i = 0; i < n; i++) {
		r = get_shdr(c, &t, i, &sh);
		if (r == 0)
			r = note_section(c, &sh);
		if (r < 0)
			return sap_elf_soft(c, r, c->shoff, "section headers");
	}
	return 0;
}
