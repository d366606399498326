/* SPDX-License-Identifier: Apache-2.0 */
#include "elf/elf_int.h"

/*
 * Symbol, 32 bit: name:4 value:4 size:4 info:1 other:1 shndx:2
 *         64 bit: name:4 info:1 other:1 shndx:2 value:8 size:8
 * DT_HASH:     nbucket nchain bucket[nbucket] chain[nchain]; as many chains as symbols
 * DT_GNU_HASH: nbuckets:4 symoffset:4 bloom_size:4 bloom_shift:4 bloom[words]
 *              buckets[nbuckets]:4 chain[]:4; symbols are sorted by bucket, a chain ends
 *              with an odd value
 */
struct sym {
	uint32_t name;
	uint8_t info;
	uint16_t shndx;
	uint64_t value;
	uint64_t size;
};

static bool decode_sym(const struct sap_elf_ctx *c, struct sap_span s, bool all, struct sym *out)
{
	if (!sap_span_has(s, 0, sap_elf_sym_size(c)))
		return false;
	sap_span_u32(s, 0, c->big, &out->name);
	sap_span_u8(s, c->is64 ? 4 : 12, &out->info);
	sap_span_u16(s, c->is64 ? 6 : 14, c->big, &out->shndx);
	if (all) {
		struct sap_elf_cursor k = sap_elf_cursor(c, s);

		k.off = c->is64 ? 8 : 4;
		out->value = sap_elf_word(&k);
		out->size = sap_elf_word(&k);
	}
	return true;
}

/* nchain of DT_HASH. Alpha and 64-bit S/390 have entries of 64 bits. */
static int count_by_hash(struct sap_elf_ctx *c, uint64_t *n)
{
	const uint16_t machine = c->out->rec.machine;
	bool wide = c->is64 && (machine == EM_S390 || machine == EM_ALPHA);
	struct sap_elf_table t;
	struct sap_elf_cursor k;
	struct sap_span s = { NULL, 0 };
	int r = SAP_EFORMAT;

	if (!sap_elf_has(c, DT_HASH))
		return 0;
	if (sap_elf_table_at(c, c->dyn.val[DT_HASH], 0, &t))
		r = sap_elf_table_get(c, &t, 0, wide ? 16 : 8, &s);
	if (r < 0)
		return sap_elf_soft(c, r, c->dyn_table.off, "DT_HASH");
	k = sap_elf_cursor(c, s);
	k.is64 = wide;
	sap_elf_word(&k);
	*n = sap_elf_word(&k);
	return 0;
}

/* The highest symbol that a bucket names. */
static int highest_bucket(struct sap_elf_ctx *c, struct sap_elf_table *t, uint64_t at, uint32_t n,
			  uint32_t *max)
{
	struct sap_span s = { NULL, 0 };
	uint32_t v = 0;
	int r;

	*max = 0;
	for (uint32_t i = 0; i < n; i++) {
		r = sap_elf_table_get(c, t, at + i * 4ULL, 4, &s);
		if (r < 0)
			return r;
		sap_span_u32(s, 0, c->big, &v);
		if (v > *max)
			*max = v;
	}
	return 0;
}

/* Follows the chain of the highest bucket to its end: the last symbol. */
static int walk_gnu_hash(struct sap_elf_ctx *c, struct sap_elf_table *t, uint64_t *n)
{
	uint32_t nbuckets, offset, bloom, max, link = 0;
	struct sap_elf_cursor k;
	struct sap_span s = { NULL, 0 };
	uint64_t at;
	int r = sap_elf_table_get(c, t, 0, 16, &s);

	if (r < 0)
		return r;
	k = sap_elf_cursor(c, s);
	nbuckets = sap_elf_u32(&k);
	offset = sap_elf_u32(&k);
	bloom = sap_elf_u32(&k);
	if (nbuckets > SAP_ELF_SYMBOLS_MAX)
		return SAP_ELIMIT;
	at = 16 + bloom * (c->is64 ? 8ULL : 4ULL);
	r = highest_bucket(c, t, at, nbuckets, &max);
	if (r < 0 || max == 0) /* no symbol is hashed: nothing is said about their number */
		return r;
	if (max < offset)
		return SAP_EFORMAT;
	at += nbuckets * 4ULL;
	for (uint32_t left = SAP_ELF_SYMBOLS_MAX; left; left--, max++) {
		r = sap_elf_table_get(c, t, at + (max - offset) * 4ULL, 4, &s);
		if (r < 0)
			return r;
		sap_span_u32(s, 0, c->big, &link);
		if (link & 1) {
			*n = max + 1ULL;
			return 0;
		}
	}
	return SAP_ELIMIT;
}

static int count_by_gnu_hash(struct sap_elf_ctx *c, uint64_t *n)
{
	struct sap_elf_table t;
	int r = SAP_EFORMAT;

	if (!sap_elf_has(c, SAP_DYN_GNU_HASH))
		return 0;
	if (sap_elf_table_at(c, c->dyn.val[SAP_DYN_GNU_HASH], 64 * SAP_KIB, &t))
		r = walk_gnu_hash(c, &t, n);
	return sap_elf_soft(c, r, c->dyn_table.off, "DT_GNU_HASH");
}

/* How many entries .dynsym has: nothing says so directly. 0: unknown. */
static int count_symbols(struct sap_elf_ctx *c, uint64_t *n)
{
	uint64_t addr = c->dyn.val[DT_SYMTAB], by_hash = 0, by_gnu_hash = 0, next;
	int r;

	if (sap_elf_has(c, SAP_DYN_MIPS_SYMTABNO)) {
		*n = c->dyn.val[SAP_DYN_MIPS_SYMTABNO];
		return 0;
	}
	if ((r = count_by_hash(c, &by_hash)) < 0 || (r = count_by_gnu_hash(c, &by_gnu_hash)) < 0)
		return r;
	*n = by_hash > by_gnu_hash ? by_hash : by_gnu_hash;
	if (*n)
		return 0;
	next = sap_elf_next_table(c, addr);
	if (next == UINT64_MAX)
		return sap_elf_fault(c, SAP_EFORMAT, c->dyn_table.off,
				     "the dynamic symbols cannot be counted");
	*n = (next - addr) / sap_elf_sym_size(c);
	return 0;
}

struct scan {
	struct sap_elf_table table;
	struct sap_elf_table versym;
	bool has_versym;
	bool used[SAP_USES_MAX];
	struct sap_rec_symbol *symbols;
	uint32_t n_symbols;
};

/* A name of the string table, any length up to the ceiling for symbols. */
static int symbol_name(struct sap_elf_ctx *c, uint32_t off, struct sap_str *out)
{
	int r = SAP_ELIMIT;

	if (c->symbol_bytes < SAP_ELF_SYMBOL_BYTES_MAX)
		r = sap_elf_string(c, off, SAP_ELF_SYMBOL_NAME_MAX, out);
	if (r < 0)
		return r;
	c->symbol_bytes += out->n;
	return 0;
}

static int note_use(struct sap_elf_ctx *c, struct scan *scan, uint32_t off)
{
	struct sap_str name;
	int index, r;

	/* Nearly all names end here. */
	if (sap_span_has(c->str, off, 4) && !sap_elf_use_maybe(c->str.p + off))
		return 0;
	r = sap_elf_string(c, off, SAP_ELF_NAME_MAX, &name);
	if (r == SAP_ELIMIT) /* a long name is none of them */
		return 0;
	if (r < 0)
		return r;
	index = sap_use_index(name);
	if (index >= 0)
		scan->used[index] = true;
	return 0;
}

static int set_version(struct sap_elf_ctx *c, struct scan *scan, uint64_t i,
		       struct sap_rec_symbol *sym)
{
	const struct sap_elf_version *v;
	uint16_t index = 0;
	struct sap_span s = { NULL, 0 };
	int r;

	if (!scan->has_versym)
		return 0;
	r = sap_elf_table_get(c, &scan->versym, i * 2, 2, &s);
	if (r < 0) {
		scan->has_versym = false;
		return sap_elf_soft(c, r, scan->versym.off, "DT_VERSYM");
	}
	sap_span_u16(s, 0, c->big, &index);
	if (sym->defined && (index & 0x8000))
		sym->flags |= SAP_SYM_HIDDEN_VERSION;
	index &= 0x7fff;
	if (index < 2 || index >= c->n_versions)
		return 0;
	v = &c->versions[index];
	sym->version = v->version;
	if (!sym->defined)
		sym->file = v->file;
	return 0;
}

static bool is_ifunc(const struct sap_elf_ctx *c, const struct sym *sym)
{
	uint8_t osabi = c->out->rec.osabi;

	return ELF64_ST_TYPE(sym->info) == STT_GNU_IFUNC && sym->shndx != SHN_UNDEF &&
	       (osabi == ELFOSABI_NONE || osabi == ELFOSABI_GNU || osabi == ELFOSABI_FREEBSD);
}

static uint32_t symbol_flags(const struct sap_elf_ctx *c, const struct sym *sym)
{
	uint32_t flags = ELF64_ST_BIND(sym->info) == STB_WEAK ? SAP_SYM_WEAK : 0;

	if (is_ifunc(c, sym))
		return flags | SAP_SYM_IFUNC;
	switch (ELF64_ST_TYPE(sym->info)) {
	case STT_FUNC:
		return flags | SAP_SYM_FUNC;
	case STT_OBJECT:
	case STT_COMMON:
		return flags | SAP_SYM_OBJECT;
	case STT_TLS:
		return flags | SAP_SYM_TLS;
	default:
		return flags;
	}
}

static int keep_symbol(struct sap_elf_ctx *c, struct scan *scan, uint64_t i, const struct sym *sym)
{
	struct sap_rec_symbol *out = &scan->symbols[scan->n_symbols];
	bool defined = sym->shndx != SHN_UNDEF;
	int r;

	*out = (struct sap_rec_symbol){
		.value = defined ? sym->value : 0,
		.size = sym->size,
		.flags = symbol_flags(c, sym),
		.defined = defined,
	};
	r = symbol_name(c, sym->name, &out->name);
	if (r < 0)
		return r;
	scan->n_symbols++;
	return set_version(c, scan, i, out);
}

static int scan_symbols(struct sap_elf_ctx *c, struct scan *scan, uint64_t n)
{
	struct sap_rec_object *rec = &c->out->rec;
	const uint64_t size = sap_elf_sym_size(c);
	const bool keep = c->want & SAP_ELF_SYMBOLS;
	bool bad_name = false;
	struct sym sym = { 0 };
	struct sap_span s = { NULL, 0 };
	int r;

	for (uint64_t i = 1; i < n; i++) {
		r = sap_elf_table_get(c, &scan->table, i * size, size, &s);
		if (r < 0)
			return r;
		if (!decode_sym(c, s, keep, &sym) || ELF64_ST_BIND(sym.info) == STB_LOCAL ||
		    ELF64_ST_TYPE(sym.info) == STT_SECTION || ELF64_ST_TYPE(sym.info) == STT_FILE)
			continue;
		if (sym.shndx == SHN_UNDEF)
			rec->n_imported++;
		else
			rec->n_defined++;
		rec->n_ifuncs += is_ifunc(c, &sym);
		r = sym.shndx == SHN_UNDEF ? note_use(c, scan, sym.name) : 0;
		if (r == 0 && keep)
			r = keep_symbol(c, scan, i, &sym);
		if ((r == SAP_EFORMAT || r == SAP_ELIMIT) && !bad_name) {
			bad_name = true;
			r = sap_elf_soft(c, r, scan->table.off + i * size, "name of a symbol");
		}
		if (r < 0 && r != SAP_EFORMAT && r != SAP_ELIMIT)
			return r;
	}
	if (!bad_name)
		rec->flags |= SAP_OBJ_SYMBOLS_READ;
	return 0;
}

static int set_uses(struct sap_elf_ctx *c, const struct scan *scan)
{
	struct sap_str *v;
	uint32_t n = 0;

	for (unsigned i = 0; i < SAP_USES_MAX; i++)
		n += scan->used[i];
	if (n == 0)
		return 0;
	v = sap_arena_array(c->arena, n, sizeof(*v));
	if (!v)
		return sap_err_nomem(c->err);
	n = 0;
	for (unsigned i = 0; i < SAP_USES_MAX; i++) {
		if (!scan->used[i])
			continue;
		v[n] = sap_use_name(i);
		if (sap_str_is(v[n], "dlopen") || sap_str_is(v[n], "dlmopen"))
			c->imports_dlopen = true;
		n++;
	}
	c->out->rec.uses = (struct sap_strs){ v, n };
	return 0;
}

static int prepare_symbols(struct sap_elf_ctx *c, struct scan *scan, uint64_t n)
{
	scan->symbols = sap_arena_alloc(c->arena, n * sizeof(*scan->symbols));
	if (!scan->symbols)
		return sap_err_nomem(c->err);
	if (!sap_elf_has(c, SAP_DYN_VERSYM))
		return 0;
	scan->has_versym =
		sap_elf_table_at(c, c->dyn.val[SAP_DYN_VERSYM], 64 * SAP_KIB, &scan->versym);
	if (!scan->has_versym)
		return sap_elf_soft(c, SAP_EFORMAT, c->dyn_table.off, "DT_VERSYM");
	return 0;
}

int sap_elf_read_symbols(struct sap_elf_ctx *c)
{
	const uint64_t size = sap_elf_sym_size(c);
	struct scan scan = { 0 };
	uint64_t n = 0;
	bool cut = false;
	int r;

	if (!sap_elf_has(c, DT_SYMTAB))
		return 0;
	if (!sap_elf_table_at(c, c->dyn.val[DT_SYMTAB], 256 * SAP_KIB, &scan.table))
		return sap_elf_fault(c, SAP_EFORMAT, c->dyn_table.off,
				     "the symbol table lies outside the file");
	if ((r = count_symbols(c, &n)) < 0 || n == 0)
		return r;
	if (n > SAP_ELF_SYMBOLS_MAX || n > scan.table.n / size) {
		cut = true;
		r = sap_elf_fault(c, n > SAP_ELF_SYMBOLS_MAX ? SAP_ELIMIT : SAP_EFORMAT,
				  scan.table.off, "%llu dynamic symbols, not all could be read",
				  (unsigned long long)n);
		if (r < 0)
			return r;
		n = sap_elf_min(scan.table.n / size, SAP_ELF_SYMBOLS_MAX);
	}
	if (c->want & SAP_ELF_SYMBOLS) {
		r = prepare_symbols(c, &scan, n);
		if (r < 0)
			return r;
	}
	if ((r = sap_elf_load_strings(c)) < 0 || (r = scan_symbols(c, &scan, n)) < 0)
		return r;
	if (cut)
		c->out->rec.flags &= ~(unsigned)SAP_OBJ_SYMBOLS_READ;
	c->out->symbols = scan.symbols;
	c->out->n_symbols = scan.n_symbols;
	return set_uses(c, &scan);
}
