/* SPDX-License-Identifier: Apache-2.0 */
#include "elf/elf_int.h"

/* Where a tag's value is kept; SAP_DYN_SLOTS: nowhere. */
static unsigned slot_of(uint32_t tag, uint16_t machine)
{
	switch (tag) {
	case DT_GNU_HASH:
		return SAP_DYN_GNU_HASH;
	case DT_VERSYM:
		return SAP_DYN_VERSYM;
	case DT_RELACOUNT:
		return SAP_DYN_RELACOUNT;
	case DT_RELCOUNT:
		return SAP_DYN_RELCOUNT;
	case DT_FLAGS_1:
		return SAP_DYN_FLAGS_1;
	case DT_VERDEF:
		return SAP_DYN_VERDEF;
	case DT_VERNEED:
		return SAP_DYN_VERNEED;
	case DT_MIPS_SYMTABNO:
		return machine == EM_MIPS ? SAP_DYN_MIPS_SYMTABNO : SAP_DYN_SLOTS;
	case 0x70000036: /* DT_MIPS_XHASH */
		return machine == EM_MIPS ? SAP_DYN_MIPS_XHASH : SAP_DYN_SLOTS;
	default:
		return tag < SAP_DYN_GNU_HASH ? tag : SAP_DYN_SLOTS;
	}
}

static void note_tag(struct sap_elf_ctx *c, uint64_t tag, uint64_t value)
{
	unsigned slot;

	if (tag > UINT32_MAX)
		return;
	if (tag == DT_NEEDED)
		c->dyn.n_needed++;
	else if (tag == DT_FILTER)
		c->dyn.n_filters++;
	else if (tag == DT_AUXILIARY)
		c->dyn.n_auxiliaries++;
	slot = slot_of((uint32_t)tag, c->out->rec.machine);
	if (slot < SAP_DYN_SLOTS) {
		c->dyn.has |= 1ULL << slot;
		c->dyn.val[slot] = value;
	}
}

/* Entry i; SAP_EFORMAT behind the last. */
static int dyn_entry(struct sap_elf_ctx *c, uint32_t i, uint64_t *tag, uint64_t *value)
{
	const uint64_t size = c->is64 ? 16 : 8;
	struct sap_elf_cursor k;
	struct sap_span s = { NULL, 0 };
	int r = sap_elf_table_get(c, &c->dyn_table, i * size, size, &s);

	if (r < 0)
		return r;
	k = sap_elf_cursor(c, s);
	*tag = sap_elf_word(&k);
	*value = sap_elf_word(&k);
	return 0;
}

/* The loaders read on to DT_NULL, whatever p_filesz says, and so does this. */
static int read_entries(struct sap_elf_ctx *c)
{
	const uint64_t size = c->is64 ? 16 : 8;
	uint64_t tag = DT_NULL, value;
	uint32_t i;
	int r;

	for (i = 0; i < SAP_ELF_DYN_MAX; i++) {
		r = dyn_entry(c, i, &tag, &value);
		if (r == SAP_EFORMAT)
			return sap_elf_fault(c, r, c->dyn_table.off + i * size,
					     "the dynamic section has no end");
		if (r < 0)
			return r;
		if (tag == DT_NULL)
			break;
		note_tag(c, tag, value);
		c->n_dyn = i + 1;
	}
	if (tag != DT_NULL)
		return sap_elf_fault(c, SAP_ELIMIT, c->dyn_table.off,
				     "more than %u dynamic entries", SAP_ELF_DYN_MAX);
	c->dyn_read = true;
	if (i * size >= c->dynamic->filesz)
		return sap_elf_fault(c, SAP_EFORMAT, c->dyn_table.off + c->dynamic->filesz,
				     "the dynamic section goes on behind the end of PT_DYNAMIC");
	return 0;
}

static int find_dynamic(struct sap_elf_ctx *c)
{
	const struct sap_elf_phdr *p = c->dynamic;
	uint64_t off, n;
	int r;

	/* The loaders go by the address; the offset is for files that no loader takes. */
	if (sap_elf_map(c, p->vaddr, &off, &n)) {
		c->dyn_table = sap_elf_table_off(c, off, n, 0);
	} else {
		r = sap_elf_fault(c, SAP_EFORMAT, p->off,
				  "PT_DYNAMIC lies outside every segment that is loaded");
		if (r < 0)
			return r;
		c->dyn_table = sap_elf_table_off(c, p->off, p->filesz, 0);
	}
	c->dyn_table.block = sap_elf_min(p->filesz, 64 * SAP_KIB);
	if (c->dyn_table.block < 256)
		c->dyn_table.block = 256;
	return 0;
}

static void set_flags(struct sap_elf_ctx *c)
{
	const struct sap_elf_dyn *d = &c->dyn;
	uint64_t flags = sap_elf_has(c, DT_FLAGS) ? d->val[DT_FLAGS] : 0;
	uint64_t flags_1 = sap_elf_has(c, SAP_DYN_FLAGS_1) ? d->val[SAP_DYN_FLAGS_1] : 0;
	const struct {
		bool holds;
		uint32_t flag;
	} table[] = {
		{ flags_1 & DF_1_NODEFLIB, SAP_OBJ_NODEFLIB },
		{ flags_1 & DF_1_NODELETE, SAP_OBJ_NODELETE },
		{ flags_1 & DF_1_INITFIRST, SAP_OBJ_INITFIRST },
		{ flags_1 & DF_1_GLOBAL, SAP_OBJ_GLOBAL },
		{ (flags_1 & DF_1_ORIGIN) || (flags & DF_ORIGIN), SAP_OBJ_ORIGIN },
		{ sap_elf_has(c, DT_BIND_NOW) || (flags & DF_BIND_NOW) || (flags_1 & DF_1_NOW),
		  SAP_OBJ_BIND_NOW },
		{ sap_elf_has(c, DT_TEXTREL) || (flags & DF_TEXTREL), SAP_OBJ_TEXTREL },
		{ sap_elf_has(c, DT_SYMBOLIC) || (flags & DF_SYMBOLIC), SAP_OBJ_SYMBOLIC },
		{ sap_elf_has(c, DT_RPATH) && sap_elf_has(c, DT_RUNPATH), SAP_OBJ_RPATH_IGNORED },
		{ sap_elf_has(c, SAP_DYN_VERDEF) || sap_elf_has(c, SAP_DYN_VERNEED),
		  SAP_OBJ_VERSIONS },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (table[i].holds)
			c->out->rec.flags |= table[i].flag;
	}
}

static int count_constructors(struct sap_elf_ctx *c)
{
	const uint64_t word = c->is64 ? 8 : 4;
	uint64_t n = 0, off, room;
	static const unsigned arrays[][2] = { { DT_INIT_ARRAY, DT_INIT_ARRAYSZ },
					      { DT_PREINIT_ARRAY, DT_PREINIT_ARRAYSZ } };

	for (size_t i = 0; i < 2; i++) {
		uint64_t bytes = c->dyn.val[arrays[i][1]];
		int r;

		if (!sap_elf_has(c, arrays[i][0]) || bytes == 0)
			continue;
		if (sap_elf_map(c, c->dyn.val[arrays[i][0]], &off, &room) && bytes <= room) {
			n += bytes / word;
			continue;
		}
		r = sap_elf_fault(c, SAP_EFORMAT, c->dyn_table.off,
				  "the array of constructors lies outside the file");
		if (r < 0)
			return r;
	}
	if (sap_elf_has(c, DT_INIT))
		n++;
	c->out->rec.n_constructors = n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
	return 0;
}

uint64_t sap_elf_next_table(const struct sap_elf_ctx *c, uint64_t addr)
{
	static const unsigned slots[] = { DT_STRTAB,        DT_SYMTAB,      DT_HASH,
					  SAP_DYN_GNU_HASH, SAP_DYN_VERSYM, SAP_DYN_VERNEED,
					  SAP_DYN_VERDEF,   DT_RELA,        DT_REL,
					  DT_JMPREL,        DT_INIT,        SAP_DYN_MIPS_XHASH };
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
		uint64_t at = c->dyn.val[slots[i]];

		if (sap_elf_has(c, slots[i]) && at > addr && at < next)
			next = at;
	}
	return next;
}

/* ---- strings ---------------------------------------------------------------------------- */

static int find_strings(struct sap_elf_ctx *c)
{
	uint64_t size = c->dyn.val[DT_STRSZ];

	if (!sap_elf_has(c, DT_STRTAB))
		return sap_elf_fault(c, SAP_EFORMAT, c->dyn_table.off, "no DT_STRTAB");
	if (!sap_elf_map(c, c->dyn.val[DT_STRTAB], &c->str_off, &c->str_avail)) {
		c->str_avail = 0;
		return sap_elf_fault(c, SAP_EFORMAT, c->dyn_table.off,
				     "the string table lies outside the file");
	}
	c->str_n = sap_elf_min(size, c->str_avail);
	if (size > c->str_avail)
		return sap_elf_fault(c, SAP_EFORMAT, c->str_off,
				     "DT_STRSZ reaches behind the segment or the file");
	if (c->str_n > SAP_ELF_STRTAB_MAX) {
		c->str_n = SAP_ELF_STRTAB_MAX;
		return sap_elf_fault(c, SAP_ELIMIT, c->str_off,
				     "a string table of %llu bytes, the rest was not read",
				     (unsigned long long)size);
	}
	return 0;
}

int sap_elf_load_strings(struct sap_elf_ctx *c)
{
	if (c->str.n || c->str_n == 0)
		return 0;
	return sap_elf_keep(c, c->str_off, c->str_n, &c->str);
}

/* One string out of a table that is not in memory, or from behind its stated end: the
 * loaders do not know DT_STRSZ. */
static int stray_string(struct sap_elf_ctx *c, uint64_t off, uint64_t max, struct sap_str *out)
{
	enum { LITTLE = 2048 };
	uint64_t room;
	struct sap_span s = { NULL, 0 };
	int r;

	if (off >= c->str_avail)
		return SAP_EFORMAT;
	room = c->str_avail - off;
	/* Linkers put the names of one kind next to each other: the piece at hand often has it. */
	if (off >= c->lazy_off && off - c->lazy_off < c->lazy.n &&
	    sap_span_cstr(c->lazy, off - c->lazy_off, out))
		return out->n > max ? SAP_ELIMIT : 0;
	/* Most names are short: try with little first. */
	for (uint64_t n = LITTLE; n < 2 * max + LITTLE; n *= 8) {
		r = sap_elf_keep(c, c->str_off + off, sap_elf_min(room, n), &s);
		if (r < 0)
			return r;
		c->lazy = s;
		c->lazy_off = off;
		if (sap_span_cstr(s, 0, out))
			return out->n > max ? SAP_ELIMIT : 0;
		if (n >= room)
			return SAP_EFORMAT;
	}
	return SAP_ELIMIT;
}

int sap_elf_string(struct sap_elf_ctx *c, uint64_t off, uint64_t max, struct sap_str *out)
{
	struct sap_span part;
	struct sap_str s;
	uint64_t room;
	int r;

	if (off < c->str_n && !c->str.n) {
		/* One read costs as much as copying some KiB. */
		if (c->lazy_strings++ < c->str_n / SAP_KIB)
			return stray_string(c, off, max, out);
		if ((r = sap_elf_load_strings(c)) < 0)
			return r;
	}
	/* No further than max: a table without NULs must not be searched again and again. */
	room = off < c->str.n ? c->str.n - off : 0;
	if (sap_span_sub(c->str, off, sap_elf_min(room, max + 1), &part) &&
	    sap_span_cstr(part, 0, out))
		return 0;
	if (room > max)
		return SAP_ELIMIT;
	if (c->stray_strings++ >= SAP_ELF_STRAY_STRINGS)
		return SAP_ELIMIT;
	r = stray_string(c, off, max, &s);
	if (r < 0)
		return r;
	r = sap_elf_fault(c, SAP_EFORMAT, c->str_off + off, "a string behind the end of DT_STRSZ");
	if (r < 0)
		return r;
	*out = s;
	return 0;
}

/* One name of the dynamic section; out stays empty where it cannot be read. */
static int dyn_string(struct sap_elf_ctx *c, uint64_t off, const char *what, struct sap_str *out)
{
	uint64_t at = off < c->str_avail ? c->str_off + off : c->dyn_table.off;
	int r = sap_elf_string(c, off, SAP_ELF_NAME_MAX, out);

	if (r == SAP_ELIMIT)
		return sap_elf_fault(c, r, at, "%s: name longer than %u bytes, left out", what,
				     SAP_ELF_NAME_MAX);
	return sap_elf_soft(c, r, at, what);
}

struct list {
	uint64_t tag;
	const char *what;
	uint32_t n;
	struct sap_strs *out;
	struct sap_str *v;
};

static int add_name(struct sap_elf_ctx *c, struct list *l, uint64_t value)
{
	struct sap_str s = { NULL, 0 };
	int r;

	if (l->out->n >= l->n)
		return 0;
	r = dyn_string(c, value, l->what, &s);
	if (r == 0 && s.p)
		l->v[l->out->n++] = s;
	return r;
}

static int read_lists(struct sap_elf_ctx *c)
{
	struct sap_rec_object *rec = &c->out->rec;
	struct list lists[] = {
		{ DT_NEEDED, "DT_NEEDED", c->dyn.n_needed, &rec->needed, NULL },
		{ DT_FILTER, "DT_FILTER", c->dyn.n_filters, &rec->filters, NULL },
		{ DT_AUXILIARY, "DT_AUXILIARY", c->dyn.n_auxiliaries, &rec->auxiliaries, NULL },
	};
	uint64_t tag, value;
	bool any = false;
	int r;

	for (unsigned k = 0; k < 3; k++) {
		struct list *l = &lists[k];

		if (l->n > SAP_ELF_NEEDED_MAX) {
			r = sap_elf_fault(c, SAP_ELIMIT, c->dyn_table.off,
					  "%u entries of %s, only %u were read", l->n, l->what,
					  SAP_ELF_NEEDED_MAX);
			if (r < 0)
				return r;
			l->n = SAP_ELF_NEEDED_MAX;
		}
		if (l->n == 0)
			continue;
		any = true;
		l->v = sap_arena_array(c->arena, l->n, sizeof(*l->v));
		if (!l->v)
			return sap_err_nomem(c->err);
		l->out->v = l->v;
	}
	for (uint32_t i = 0; any && i < c->n_dyn; i++) {
		r = dyn_entry(c, i, &tag, &value);
		for (unsigned k = 0; k < 3 && r == 0; k++) {
			if (tag == lists[k].tag)
				r = add_name(c, &lists[k], value);
		}
		if (r < 0)
			return sap_elf_soft(c, r, c->dyn_table.off, "dynamic section");
	}
	return 0;
}

static int read_names(struct sap_elf_ctx *c)
{
	struct sap_rec_object *rec = &c->out->rec;
	const struct {
		unsigned tag;
		const char *what;
		struct sap_str *out;
	} names[] = {
		{ DT_SONAME, "DT_SONAME", &rec->soname },
		{ DT_RPATH, "DT_RPATH", &rec->rpath },
		{ DT_RUNPATH, "DT_RUNPATH", &rec->runpath },
	};
	int r;

	for (size_t i = 0; i < 3; i++) {
		if (!sap_elf_has(c, names[i].tag))
			continue;
		r = dyn_string(c, c->dyn.val[names[i].tag], names[i].what, names[i].out);
		if (r < 0)
			return r;
	}
	return read_lists(c);
}

/* ---- reading ahead ---------------------------------------------------------------------- */

struct region {
	uint64_t off;
	uint64_t n;
};

/* Notes that [addr, addr+n) will be wanted, unless it is larger than max: then it is better
 * read in blocks. */
static void plan(const struct sap_elf_ctx *c, struct region *v, uint32_t *n, uint64_t addr,
		 uint64_t bytes, uint64_t max)
{
	struct region x;
	uint32_t i;

	if (!sap_elf_map(c, addr, &x.off, &x.n))
		return;
	x.n = sap_elf_min(x.n, bytes);
	if (x.n == 0 || x.n > max)
		return;
	for (i = *n; i > 0 && v[i - 1].off > x.off; i--)
		v[i] = v[i - 1];
	v[i] = x;
	++*n;
}

/* A table of unknown length: up to where the next one begins. */
static void plan_open(const struct sap_elf_ctx *c, struct region *v, uint32_t *n, unsigned slot,
		      uint64_t max)
{
	uint64_t addr = c->dyn.val[slot];

	if (sap_elf_has(c, slot))
		plan(c, v, n, addr, sap_elf_next_table(c, addr) - addr, max);
}

static void plan_relocs(const struct sap_elf_ctx *c, struct region *v, uint32_t *n, unsigned slot,
			unsigned size_slot, uint64_t skip)
{
	uint64_t bytes = c->dyn.val[size_slot];

	if (sap_elf_has(c, slot) && skip < bytes)
		plan(c, v, n, c->dyn.val[slot] + skip, bytes - skip, 256 * SAP_KIB);
}

/* What will be read lies in a few neighbouring tables: one read for each group of them. */
static int read_ahead(struct sap_elf_ctx *c)
{
	enum { GAP = 8 * 1024, REGIONS = 12 };
	const uint64_t rela = c->is64 ? 24 : 12, rel = c->is64 ? 16 : 8;
	struct region v[REGIONS];
	uint32_t n = 0;
	bool whole = c->want & SAP_ELF_USES || c->str_n <= SAP_ELF_STRTAB_EAGER;
	int r;

	if (whole && c->str_n)
		plan(c, v, &n, c->dyn.val[DT_STRTAB], c->str_n, SAP_ELF_STRTAB_MAX);
	plan_open(c, v, &n, SAP_DYN_VERNEED, 16 * SAP_KIB);
	plan_open(c, v, &n, SAP_DYN_VERDEF, 16 * SAP_KIB);
	if (c->want & SAP_ELF_USES) {
		plan_open(c, v, &n, DT_SYMTAB, 256 * SAP_KIB);
		plan_open(c, v, &n, SAP_DYN_GNU_HASH, 64 * SAP_KIB);
		if (sap_elf_has(c, DT_HASH))
			plan(c, v, &n, c->dyn.val[DT_HASH], 16, 16);
	}
	if (c->want & SAP_ELF_SYMBOLS)
		plan_open(c, v, &n, SAP_DYN_VERSYM, 64 * SAP_KIB);
	if ((c->want & SAP_ELF_RELOCS) && sap_elf_irelative_type(c->out->rec.machine, c->is64)) {
		plan_relocs(c, v, &n, DT_RELA, DT_RELASZ,
			    sap_elf_min(c->dyn.val[SAP_DYN_RELACOUNT], UINT32_MAX) * rela);
		plan_relocs(c, v, &n, DT_REL, DT_RELSZ,
			    sap_elf_min(c->dyn.val[SAP_DYN_RELCOUNT], UINT32_MAX) * rel);
		plan_relocs(c, v, &n, DT_JMPREL, DT_PLTRELSZ, 0);
	}
	for (uint32_t i = 0; i < n;) {
		uint64_t start = v[i].off, end = start + v[i].n;

		for (i++; i < n && v[i].off <= end + GAP; i++) {
			if (v[i].off + v[i].n > end)
				end = v[i].off + v[i].n;
		}
		r = sap_elf_prefetch(c, start, end - start);
		if (r < 0)
			return r;
	}
	return whole ? sap_elf_load_strings(c) : 0;
}

int sap_elf_read_dynamic(struct sap_elf_ctx *c)
{
	int r;

	if (!c->dynamic || c->dynamic->filesz == 0)
		return 0;
	c->out->rec.flags |= SAP_OBJ_DYNAMIC;
	if ((r = find_dynamic(c)) < 0 || (r = read_entries(c)) < 0)
		return r;
	set_flags(c);
	if ((r = count_constructors(c)) < 0 || (r = find_strings(c)) < 0 ||
	    (r = read_ahead(c)) < 0 || (r = read_names(c)) < 0 ||
	    (r = sap_elf_read_versions(c)) < 0)
		return r;
	if ((c->want & SAP_ELF_USES) && (r = sap_elf_read_symbols(c)) < 0)
		return r;
	return c->want & SAP_ELF_RELOCS ? sap_elf_read_relocs(c) : 0;
}
