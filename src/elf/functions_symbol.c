/* SPDX-License-Identifier: Apache-2.0 */
#include "elf/functions_int.h"

/*
 * Symbol, 32 bit: name:4 value:4 size:4 info:1 other:1 shndx:2
 *         64 bit: name:4 info:1 other:1 shndx:2 value:8 size:8
 */
struct sym {
	uint32_t name;
	uint8_t info;
	uint16_t shndx;
	uint64_t value;
	uint64_t size;
};

static void decode_sym(const struct sap_elf_ctx *c, struct sap_span s, struct sym *out)
{
	struct sap_elf_cursor k = sap_elf_cursor(c, s);

	out->name = sap_elf_u32(&k);
	sap_span_u8(s, c->is64 ? 4 : 12, &out->info);
	sap_span_u16(s, c->is64 ? 6 : 14, c->big, &out->shndx);
	k.off = c->is64 ? 8 : 4;
	out->value = sap_elf_word(&k);
	out->size = sap_elf_word(&k);
}

static bool is_ifunc(const struct sap_elf_ctx *c, const struct sym *sym)
{
	uint8_t osabi = c->out->rec.osabi;

	return ELF64_ST_TYPE(sym->info) == STT_GNU_IFUNC &&
	       (osabi == ELFOSABI_NONE || osabi == ELFOSABI_GNU || osabi == ELFOSABI_FREEBSD);
}

static bool is_function(const struct sap_elf_ctx *c, const struct sym *sym)
{
	if (sym->shndx == SHN_UNDEF || sym->shndx == SHN_ABS || sym->shndx == SHN_COMMON)
		return false;
	return ELF64_ST_TYPE(sym->info) == STT_FUNC || is_ifunc(c, sym);
}

/* Functions in assembly often have no type. Neither have marks such as _etext, which stand
 * at the end of code. */
static bool is_assembly(const struct sap_fn_ctx *f, const struct sym *sym)
{
	const struct sap_fn_section *s;

	if (ELF64_ST_TYPE(sym->info) != STT_NOTYPE || sym->shndx == SHN_UNDEF ||
	    sym->shndx >= SHN_LORESERVE)
		return false;
	if (sym->shndx >= f->sections.n)
		return f->sections.n == 0;
	s = &f->sections.v[sym->shndx];
	return (s->flags & SHF_EXECINSTR) && sym->value >= s->addr &&
	       sym->value - s->addr < s->size;
}

static bool is_clean(struct sap_str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char b = (unsigned char)s.p[i];

		if (b <= ' ' || b == 0x7f)
			return false;
	}
	return true;
}

static uint64_t code_address(const struct sap_elf_ctx *c, uint64_t value)
{
	/* The lowest bit says Thumb. */
	return c->out->rec.machine == EM_ARM ? value & ~1ULL : value;
}

static void set_name(struct sap_fn_entry *e, struct sap_str name)
{
	e->name = name.p;
	e->n = (uint32_t)name.n;
	if (!is_clean(name))
		e->flags |= SAP_FN_UNCLEAN;
}

/* ---- dynamic symbols -------------------------------------------------------------------- */

struct exported {
	struct sap_fn_ctx *f;
	struct sap_elf_table table;
	struct sap_elf_table versym;
	bool has_versym;
	bool bad_name;
};

static int set_version(struct exported *x, uint64_t i, struct sap_fn_entry *e)
{
	struct sap_elf_ctx *c = x->f->c;
	uint16_t index = 0;
	struct sap_span s = { NULL, 0 };
	int r;

	if (!x->has_versym)
		return 0;
	r = sap_elf_table_get(c, &x->versym, i * 2, 2, &s);
	if (r < 0) {
		x->has_versym = false;
		return sap_elf_soft(c, r, x->versym.off, "DT_VERSYM");
	}
	sap_span_u16(s, 0, c->big, &index);
	if ((index & 0x7fff) < 2 || (index & 0x7fff) >= c->n_versions)
		return 0;
	e->version = index & 0x7fff;
	if (index & 0x8000)
		e->flags |= SAP_FN_OLD_VERSION;
	return 0;
}

/* The string table is c->str as a rule; what lies outside it is found slowly. */
static int exported_name(struct exported *x, uint32_t off, struct sap_str *out)
{
	struct sap_elf_ctx *c = x->f->c;
	uint64_t left = SAP_FN_NAME_BYTES_MAX - x->f->name_bytes;
	int r = sap_elf_string(c, off, sap_elf_min(left, SAP_FN_NAME_MAX), out);

	x->f->name_bytes += r == 0 ? out->n + 1 : sap_elf_min(left, SAP_FN_NAME_MAX);
	return r;
}

static int add_exported(struct exported *x, uint64_t i, const struct sym *sym)
{
	struct sap_elf_ctx *c = x->f->c;
	struct sap_fn_entry e = { .size = sym->size, .flags = SAP_FN_EXPORTED };
	uint64_t addr = code_address(c, sym->value), off;
	struct sap_str name = { NULL, 0 };
	int r;

	if (!sap_fn_find(x->f, addr, &off))
		return 0;
	if (is_ifunc(c, sym))
		e.flags |= SAP_FN_IFUNC;
	r = exported_name(x, sym->name, &name);
	if (r == SAP_EFORMAT || r == SAP_ELIMIT) {
		/* The place is known all the same. */
		r = x->bad_name ? 0 : sap_elf_soft(c, r, x->table.off, "name of a function");
		x->bad_name = true;
	}
	if (r < 0 || (r = set_version(x, i, &e)) < 0)
		return r;
	if (name.n)
		set_name(&e, name);
	return sap_fn_add(x->f, addr, &e);
}

int sap_fn_exported(struct sap_fn_ctx *f)
{
	struct exported x = { .f = f };
	struct sap_elf_ctx *c = f->c;
	const uint64_t size = sap_elf_sym_size(c);
	struct sap_span s = { NULL, 0 };
	struct sym sym = { 0 };
	uint64_t left;
	int r;

	if (!sap_elf_has(c, DT_SYMTAB) ||
	    !sap_elf_table_at(c, c->dyn.val[DT_SYMTAB], 256 * SAP_KIB, &x.table))
		return 0;
	/* Nothing says how many there are; elf_symbol.c finds it out, and counts those that are
	 * not local. */
	c->want = SAP_ELF_USES;
	if ((r = sap_elf_read_symbols(c)) < 0)
		return r;
	left = (uint64_t)c->out->rec.n_defined + c->out->rec.n_imported;
	x.has_versym = sap_elf_has(c, SAP_DYN_VERSYM) &&
		       sap_elf_table_at(c, c->dyn.val[SAP_DYN_VERSYM], 64 * SAP_KIB, &x.versym);
	for (uint64_t i = 1; left; i++) {
		r = sap_elf_table_get(c, &x.table, i * size, size, &s);
		if (r < 0)
			return sap_elf_soft(c, r, x.table.off, "dynamic symbols");
		decode_sym(c, s, &sym);
		if (ELF64_ST_BIND(sym.info) == STB_LOCAL ||
		    ELF64_ST_TYPE(sym.info) == STT_SECTION || ELF64_ST_TYPE(sym.info) == STT_FILE)
			continue;
		left--;
		if (!is_function(c, &sym) && !is_assembly(f, &sym))
			continue;
		r = add_exported(&x, i, &sym);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- symbol tables ---------------------------------------------------------------------- */

struct symtab {
	struct sap_fn_ctx *f;
	struct sap_elf_ctx *d;
	struct sap_elf_table table;
	struct sap_span strings;
	bool bad_name;
	uint64_t n;
};

static bool local_name(struct symtab *t, uint32_t off, struct sap_str *out)
{
	uint64_t left = SAP_FN_NAME_BYTES_MAX - t->f->name_bytes, room;
	struct sap_span part;

	room = off < t->strings.n ? t->strings.n - off : 0;
	room = sap_elf_min(sap_elf_min(room, SAP_FN_NAME_MAX + 1), left);
	if (!sap_span_sub(t->strings, off, room, &part) || !sap_span_cstr(part, 0, out)) {
		t->f->name_bytes += room;
		return false;
	}
	t->f->name_bytes += out->n + 1;
	return true;
}

static int add_local(struct symtab *t, const struct sym *sym)
{
	struct sap_fn_entry e = { .size = sym->size, .flags = SAP_FN_LOCAL };
	uint64_t addr = code_address(t->d, sym->value), off;
	struct sap_str name = { NULL, 0 };
	const char *at;

	if (!sap_fn_find(t->f, addr, &off))
		return 0;
	if (is_ifunc(t->d, sym))
		e.flags |= SAP_FN_IFUNC;
	t->n++;
	if (!local_name(t, sym->name, &name)) {
		if (!t->bad_name) {
			int r = sap_elf_fault(t->d, SAP_EFORMAT, t->table.off,
					      "the name of a function is too long, or not there");

			if (r < 0)
				return r;
		}
		t->bad_name = true;
	}
	if (name.n) {
		set_name(&e, name);
		/* Linkers append the version: "memcpy@@GLIBC_2.14". */
		at = memchr(name.p + 1, '@', name.n - 1);
		if (at) {
			e.n = (uint32_t)(at - name.p);
			e.n_version = (uint16_t)(name.n - e.n);
		}
	}
	return sap_fn_add(t->f, addr, &e);
}

static int find_strings(struct symtab *t, const struct sap_fn_sections *s, uint32_t link)
{
	uint64_t n;
	int r;

	if (link == SHN_UNDEF || link >= s->n || s->v[link].type != SHT_STRTAB)
		return sap_elf_fault(t->d, SAP_EFORMAT, t->table.off,
				     "a symbol table without its strings");
	n = s->v[link].size;
	if (n > SAP_FN_STRTAB_MAX) {
		n = SAP_FN_STRTAB_MAX;
		r = sap_elf_fault(t->d, SAP_ELIMIT, s->v[link].off, "a string table of %llu bytes",
				  (unsigned long long)s->v[link].size);
		if (r < 0)
			return r;
	}
	r = sap_elf_keep(t->d, s->v[link].off, n, &t->strings);
	return sap_elf_soft(t->d, r, s->v[link].off, "string table");
}

int sap_fn_symtab(struct sap_fn_ctx *f, struct sap_elf_ctx *d, const struct sap_fn_sections *s,
		  uint32_t i, uint64_t *n)
{
	const uint64_t size = sap_elf_sym_size(d);
	struct symtab t = { .f = f, .d = d };
	uint64_t count = s->v[i].size / size;
	struct sap_span span = { NULL, 0 };
	struct sym sym = { 0 };
	int r;

	t.table = sap_elf_table_off(d, s->v[i].off, s->v[i].size, 256 * SAP_KIB);
	if ((r = find_strings(&t, s, s->v[i].link)) < 0)
		return r;
	if (s->v[i].entsize != size || count > t.table.n / size) {
		count = t.table.n / size;
		r = sap_elf_fault(d, SAP_EFORMAT, s->v[i].off, "the symbol table is cut off");
	}
	if (r == 0 && count > SAP_ELF_SYMBOLS_MAX) {
		count = SAP_ELF_SYMBOLS_MAX;
		r = sap_elf_fault(d, SAP_ELIMIT, s->v[i].off, "more than %u symbols",
				  SAP_ELF_SYMBOLS_MAX);
	}
	if (r < 0)
		return r;
	for (uint64_t k = 1; k < count; k++) {
		r = sap_elf_table_get(d, &t.table, k * size, size, &span);
		if (r < 0)
			return sap_elf_soft(d, r, t.table.off, "symbol table");
		decode_sym(d, span, &sym);
		if (is_function(d, &sym) && (r = add_local(&t, &sym)) < 0)
			return r;
	}
	*n = t.n;
	return 0;
}
