/* SPDX-License-Identifier: Apache-2.0 */
#include "elf/functions_int.h"

/*
 * What the loader calls before anything of the program: DT_INIT, the entries of
 * DT_PREINIT_ARRAY and DT_INIT_ARRAY as they are once relocated, and the resolvers of IFUNCs.
 * An entry's value comes from
 *   RELA without a symbol (R_*_RELATIVE)   the addend
 *   RELA with one                          its value + the addend
 *   REL, RELR, no relocation               what the file has at the place (+ the symbol's value)
 * REL: offset info; RELA: offset info addend; all words. The symbol is info >> 32, or >> 8 in
 * 32-bit files.
 */
struct array {
	uint64_t addr;
	uint64_t n; /* bytes */
	uint64_t *v;
};

struct load_time {
	struct sap_fn_ctx *f;
	struct array arrays[8];
	uint32_t n_arrays;
	struct sap_elf_table words; /* of the file, read one at a time */
};

static int add(struct load_time *l, uint64_t addr, uint32_t flags)
{
	struct sap_fn_entry e = { .flags = flags };

	if (l->f->c->out->rec.machine == EM_ARM)
		addr &= ~1ULL;
	return sap_fn_add(l->f, addr, &e);
}

/* The word at an address; 0 where the file has none. */
static int word_at(struct load_time *l, uint64_t addr, uint64_t *out)
{
	struct sap_elf_ctx *c = l->f->c;
	struct sap_span s = { NULL, 0 };
	struct sap_elf_cursor k;
	uint64_t off, n;
	int r;

	*out = 0;
	if (l->f->lookups > SAP_FN_LOOKUPS_MAX || !sap_elf_map(c, addr, &off, &n))
		return 0;
	if (l->f->lookups++ == SAP_FN_LOOKUPS_MAX)
		return sap_elf_fault(c, SAP_ELIMIT, off,
				     "more than %u relocations need a word of the file",
				     SAP_FN_LOOKUPS_MAX);
	r = sap_elf_table_get(c, &l->words, off, c->is64 ? 8 : 4, &s);
	if (r < 0)
		return r == SAP_EFORMAT ? 0 : r;
	k = sap_elf_cursor(c, s);
	*out = sap_elf_word(&k);
	return 0;
}

static int symbol_value(struct load_time *l, uint64_t index, uint64_t *out)
{
	struct sap_elf_ctx *c = l->f->c;
	uint64_t addr;

	*out = 0;
	if (!sap_elf_has(c, DT_SYMTAB) ||
	    __builtin_mul_overflow(index, sap_elf_sym_size(c), &addr) ||
	    __builtin_add_overflow(addr, c->dyn.val[DT_SYMTAB] + (c->is64 ? 8 : 4), &addr))
		return 0;
	return word_at(l, addr, out);
}

/* ---- arrays ----------------------------------------------------------------------------- */

static int read_array(struct load_time *l, uint64_t addr, struct sap_elf_table *t, uint64_t bytes)
{
	struct sap_elf_ctx *c = l->f->c;
	const uint64_t word = c->is64 ? 8 : 4;
	struct array *a = &l->arrays[l->n_arrays];
	uint64_t n = bytes / word;
	struct sap_span s = { NULL, 0 };
	int r;

	if (n == 0)
		return 0;
	if (l->n_arrays == sizeof(l->arrays) / sizeof(l->arrays[0]))
		return sap_elf_fault(c, SAP_ELIMIT, t->off, "too many arrays of constructors");
	if (n > t->n / word || n > SAP_FN_CONSTRUCTORS_MAX) {
		n = sap_elf_min(t->n / word, SAP_FN_CONSTRUCTORS_MAX);
		r = sap_elf_fault(c, SAP_ELIMIT, t->off, "not all constructors could be read");
		if (r < 0)
			return r;
	}
	a->v = sap_arena_array(c->arena, n, sizeof(*a->v));
	if (!a->v)
		return sap_err_nomem(c->err);
	a->addr = addr;
	a->n = n * word;
	for (uint64_t i = 0; i < n; i++) {
		struct sap_elf_cursor k;

		r = sap_elf_table_get(c, t, i * word, word, &s);
		if (r < 0)
			return sap_elf_soft(c, r, t->off, "constructors");
		k = sap_elf_cursor(c, s);
		a->v[i] = sap_elf_word(&k);
	}
	l->n_arrays++;
	return 0;
}

static int arrays_of_dynamic(struct load_time *l)
{
	static const unsigned slots[][2] = { { DT_PREINIT_ARRAY, DT_PREINIT_ARRAYSZ },
					     { DT_INIT_ARRAY, DT_INIT_ARRAYSZ } };
	struct sap_elf_ctx *c = l->f->c;
	struct sap_elf_table t;
	int r;

	if (sap_elf_has(c, DT_INIT) && (r = add(l, c->dyn.val[DT_INIT], SAP_FN_CONSTRUCTOR)) < 0)
		return r;
	for (size_t i = 0; i < 2; i++) {
		uint64_t addr = c->dyn.val[slots[i][0]];

		/* That it lies outside the file has been told by elf_dynamic.c. */
		if (!sap_elf_has(c, slots[i][0]) || !sap_elf_table_at(c, addr, 16 * SAP_KIB, &t))
			continue;
		r = read_array(l, addr, &t, c->dyn.val[slots[i][1]]);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A static program finds them by symbols of its own: here the sections must do. */
static int arrays_of_sections(struct load_time *l)
{
	const struct sap_fn_sections *all = &l->f->sections;
	int r = 0;

	for (uint32_t i = 1; i < all->n && r == 0; i++) {
		const struct sap_fn_section *s = &all->v[i];

		if (s->type == SHT_INIT_ARRAY || s->type == SHT_PREINIT_ARRAY) {
			struct sap_elf_table t =
				sap_elf_table_off(l->f->c, s->off, s->size, 16 * SAP_KIB);

			r = read_array(l, s->addr, &t, s->size);
		} else if ((s->flags & SHF_EXECINSTR) && sap_fn_section_is(all, i, ".init")) {
			r = add(l, s->addr, SAP_FN_CONSTRUCTOR);
		}
	}
	return r;
}

/* ---- relocations ------------------------------------------------------------------------ */

struct reloc {
	uint64_t offset;
	uint64_t info;
	uint64_t addend;
	bool has_addend;
};

static uint64_t *array_word(struct load_time *l, uint64_t addr)
{
	const uint64_t word = l->f->c->is64 ? 8 : 4;

	for (uint32_t i = 0; i < l->n_arrays; i++) {
		struct array *a = &l->arrays[i];

		if (addr >= a->addr && addr - a->addr < a->n)
			return &a->v[(addr - a->addr) / word];
	}
	return NULL;
}

static int apply(struct load_time *l, const struct reloc *rel)
{
	const struct sap_elf_ctx *c = l->f->c;
	const uint64_t index = c->is64 ? rel->info >> 32 : rel->info >> 8;
	uint64_t *word = array_word(l, rel->offset), value;
	int r;

	/* MIPS writes info in another way; its entries are what the file has. */
	if (!word || c->out->rec.machine == EM_MIPS)
		return 0;
	if (rel->has_addend)
		*word = rel->addend;
	if (index == 0)
		return 0;
	r = symbol_value(l, index, &value);
	*word += value;
	return r;
}

static int resolver(struct load_time *l, const struct reloc *rel)
{
	uint64_t addr = rel->addend;
	int r = rel->has_addend ? 0 : word_at(l, rel->offset, &addr);

	return r < 0 ? r : add(l, addr, SAP_FN_IFUNC);
}

static int read_relocs(struct load_time *l, struct sap_elf_table *t, bool addend)
{
	struct sap_elf_ctx *c = l->f->c;
	const uint64_t size = (c->is64 ? 8 : 4) * (addend ? 3 : 2);
	const uint16_t machine = c->out->rec.machine;
	const uint32_t irelative = sap_elf_irelative_type(machine, c->is64);
	const uint64_t mask = !c->is64 || machine == EM_SPARCV9 ? 0xff : UINT32_MAX;
	uint64_t n = t->n / size;
	struct sap_span s = { NULL, 0 };
	int r = 0;

	if (n > c->relocs_left) {
		n = c->relocs_left;
		r = sap_elf_fault(c, SAP_ELIMIT, t->off, "more than %u relocations",
				  SAP_ELF_RELOCS_MAX);
	}
	c->relocs_left -= (uint32_t)n;
	for (uint64_t i = 0; i < n && r == 0; i++) {
		struct reloc rel = { .has_addend = addend };
		struct sap_elf_cursor k;

		r = sap_elf_table_get(c, t, i * size, size, &s);
		if (r < 0)
			return sap_elf_soft(c, r, t->off, "relocations");
		k = sap_elf_cursor(c, s);
		rel.offset = sap_elf_word(&k);
		rel.info = sap_elf_word(&k);
		if (addend)
			rel.addend = sap_elf_word(&k);
		if (irelative && (rel.info & mask) == irelative)
			r = resolver(l, &rel);
		else
			r = apply(l, &rel);
	}
	return r;
}

static int relocs_of_dynamic(struct load_time *l)
{
	struct sap_elf_ctx *c = l->f->c;
	const struct {
		unsigned slot;
		unsigned size;
		bool addend;
	} tables[] = {
		{ DT_RELA, DT_RELASZ, true },
		{ DT_REL, DT_RELSZ, false },
		{ DT_JMPREL, DT_PLTRELSZ, c->dyn.val[DT_PLTREL] == DT_RELA },
	};
	int r = 0;

	for (size_t i = 0; i < 3 && r == 0; i++) {
		struct sap_elf_table t;

		if (!sap_elf_has(c, tables[i].slot) || c->dyn.val[tables[i].size] == 0)
			continue;
		if (!sap_elf_table_at(c, c->dyn.val[tables[i].slot], 256 * SAP_KIB, &t)) {
			r = sap_elf_fault(c, SAP_EFORMAT, c->dyn_table.off,
					  "the relocations lie outside the file");
			continue;
		}
		t.n = sap_elf_min(t.n, c->dyn.val[tables[i].size]);
		r = read_relocs(l, &t, tables[i].addend);
	}
	return r;
}

static int relocs_of_sections(struct load_time *l)
{
	const struct sap_fn_sections *all = &l->f->sections;
	int r = 0;

	for (uint32_t i = 1; i < all->n && r == 0; i++) {
		const struct sap_fn_section *s = &all->v[i];
		struct sap_elf_table t;

		if ((s->type != SHT_RELA && s->type != SHT_REL) || !(s->flags & SHF_ALLOC))
			continue;
		t = sap_elf_table_off(l->f->c, s->off, s->size, 256 * SAP_KIB);
		r = read_relocs(l, &t, s->type == SHT_RELA);
	}
	return r;
}

int sap_fn_load_time(struct sap_fn_ctx *f)
{
	struct load_time l = { .f = f };
	bool dynamic = f->c->out->rec.flags & SAP_OBJ_DYNAMIC;
	int r;

	if (f->c->out->rec.type != ET_DYN && f->c->out->rec.type != ET_EXEC)
		return 0;
	l.words = sap_elf_table_off(f->c, 0, UINT64_MAX, 0);
	r = dynamic ? arrays_of_dynamic(&l) : arrays_of_sections(&l);
	if (r == 0)
		r = dynamic ? relocs_of_dynamic(&l) : relocs_of_sections(&l);
	for (uint32_t i = 0; i < l.n_arrays && r == 0; i++) {
		const uint64_t n = l.arrays[i].n / (f->c->is64 ? 8 : 4);

		for (uint64_t k = 0; k < n && r == 0; k++)
			r = add(&l, l.arrays[i].v[k], SAP_FN_CONSTRUCTOR);
	}
	return r;
}
