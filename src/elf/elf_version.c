/* SPDX-License-Identifier: Apache-2.0 */
#include "elf/elf_int.h"

/*
 * DT_VERNEED: version:2 cnt:2 file:4 aux:4 next:4, aux: hash:4 flags:2 other:2 name:4 next:4
 * DT_VERDEF:  version:2 flags:2 ndx:2 cnt:2 hash:4 aux:4 next:4, aux: name:4 next:4
 * The same in both classes. aux and next count from the start of their own entry; next 0
 * ends a list. The loaders do not know DT_VERNEEDNUM and DT_VERDEFNUM.
 */
enum { VERNEED_SIZE = 16, VERNAUX_SIZE = 16, VERDEF_SIZE = 20, VERDAUX_SIZE = 8 };

struct walk {
	struct sap_elf_ctx *c;
	struct sap_elf_table t;
	struct sap_rec_verneed *needs;
	uint32_t n_needs;
	uint32_t cap_needs;
	struct sap_str *defs;
	uint32_t n_defs;
	uint32_t cap_defs;
	uint32_t cap_index;
	uint32_t left; /* entries that may still be looked at */
};

/* Remembers what version index `index` stands for, when symbols will ask. */
static int remember(struct walk *w, unsigned index, struct sap_str version, struct sap_str file)
{
	struct sap_elf_ctx *c = w->c;

	index &= 0x7fff;
	if (!(c->want & SAP_ELF_SYMBOLS) || index < 2)
		return 0;
	while (index >= w->cap_index) {
		if (!sap_elf_grow(c->arena, (void **)&c->versions, w->cap_index, &w->cap_index,
				  sizeof(*c->versions)))
			return sap_err_nomem(c->err);
	}
	c->versions[index] = (struct sap_elf_version){ version, file };
	if (index >= c->n_versions)
		c->n_versions = index + 1;
	return 0;
}

static int add_need(struct walk *w, struct sap_str file, uint64_t at, uint32_t *next)
{
	struct sap_elf_ctx *c = w->c;
	struct sap_elf_cursor k;
	struct sap_str version;
	struct sap_span s = { NULL, 0 };
	uint16_t flags, other;
	int r = sap_elf_table_get(c, &w->t, at, VERNAUX_SIZE, &s);

	if (r < 0)
		return r;
	k = sap_elf_cursor(c, s);
	k.off = 4;
	flags = sap_elf_u16(&k);
	other = sap_elf_u16(&k);
	r = sap_elf_string(c, sap_elf_u32(&k), SAP_ELF_NAME_MAX, &version);
	*next = sap_elf_u32(&k);
	if (r < 0)
		return sap_elf_soft(c, r, w->t.off + at, "name of a needed version");
	if (!sap_elf_grow(c->arena, (void **)&w->needs, w->n_needs, &w->cap_needs,
			  sizeof(*w->needs)))
		return sap_err_nomem(c->err);
	w->needs[w->n_needs++] = (struct sap_rec_verneed){ .file = file,
							   .version = version,
							   .weak = (flags & VER_FLG_WEAK) != 0 };
	return remember(w, other, version, file);
}

static int add_needs_of_file(struct walk *w, uint64_t at, uint32_t *next)
{
	struct sap_elf_ctx *c = w->c;
	struct sap_str file = { NULL, 0 };
	struct sap_elf_cursor k;
	struct sap_span s = { NULL, 0 };
	uint32_t count, step;
	int r = sap_elf_table_get(c, &w->t, at, VERNEED_SIZE, &s);

	if (r < 0)
		return r;
	k = sap_elf_cursor(c, s);
	k.off = 2;
	count = sap_elf_u16(&k);
	r = sap_elf_string(c, sap_elf_u32(&k), SAP_ELF_NAME_MAX, &file);
	step = sap_elf_u32(&k);
	*next = sap_elf_u32(&k);
	if (r < 0)
		return sap_elf_soft(c, r, w->t.off + at, "file of a needed version");
	for (; count && w->left; count--) {
		w->left--;
		at += step;
		r = add_need(w, file, at, &step);
		if (r < 0)
			return r;
		if (step == 0)
			break;
	}
	return 0;
}

static int add_def(struct walk *w, uint64_t at, uint32_t *next)
{
	struct sap_elf_ctx *c = w->c;
	struct sap_str name;
	struct sap_elf_cursor k;
	struct sap_span s = { NULL, 0 };
	uint16_t flags, index, count;
	uint32_t aux, at_name = 0;
	int r = sap_elf_table_get(c, &w->t, at, VERDEF_SIZE, &s);

	if (r < 0)
		return r;
	k = sap_elf_cursor(c, s);
	k.off = 2;
	flags = sap_elf_u16(&k);
	index = sap_elf_u16(&k);
	count = sap_elf_u16(&k);
	k.off = 12;
	aux = sap_elf_u32(&k);
	*next = sap_elf_u32(&k);
	if ((flags & VER_FLG_BASE) || count == 0)
		return 0;
	/* The first name is the version's own; further ones are its parents. */
	r = sap_elf_table_get(c, &w->t, at + aux, VERDAUX_SIZE, &s);
	if (r < 0)
		return r;
	sap_span_u32(s, 0, c->big, &at_name);
	r = sap_elf_string(c, at_name, SAP_ELF_NAME_MAX, &name);
	if (r < 0)
		return sap_elf_soft(c, r, w->t.off + at, "name of a defined version");
	if (!sap_elf_grow(c->arena, (void **)&w->defs, w->n_defs, &w->cap_defs, sizeof(*w->defs)))
		return sap_err_nomem(c->err);
	w->defs[w->n_defs++] = name;
	return remember(w, index, name, (struct sap_str){ NULL, 0 });
}

static int walk_list(struct walk *w, unsigned slot, const char *what,
		     int (*add)(struct walk *w, uint64_t at, uint32_t *next))
{
	struct sap_elf_ctx *c = w->c;
	uint64_t at = 0;
	uint32_t next;
	int r;

	if (!sap_elf_has(c, slot))
		return 0;
	if (!sap_elf_table_at(c, c->dyn.val[slot], 16 * SAP_KIB, &w->t))
		return sap_elf_fault(c, SAP_EFORMAT, c->dyn_table.off, "%s lies outside the file",
				     what);
	for (w->left = SAP_ELF_VERSIONS_MAX; w->left;) {
		w->left--;
		next = 0;
		r = add(w, at, &next);
		if (r < 0)
			return sap_elf_soft(c, r, w->t.off + at, what);
		if (next == 0)
			return 0;
		at += next;
	}
	return sap_elf_fault(c, SAP_ELIMIT, w->t.off, "%s: more than %u entries", what,
			     SAP_ELF_VERSIONS_MAX);
}

int sap_elf_read_versions(struct sap_elf_ctx *c)
{
	struct sap_rec_object *rec = &c->out->rec;
	struct walk w = { .c = c };
	int r;

	if ((r = walk_list(&w, SAP_DYN_VERNEED, "DT_VERNEED", add_needs_of_file)) < 0)
		return r;
	if ((r = walk_list(&w, SAP_DYN_VERDEF, "DT_VERDEF", add_def)) < 0)
		return r;
	rec->verneeds = w.needs;
	rec->n_verneeds = w.n_needs;
	rec->verdefs = (struct sap_strs){ w.defs, w.n_defs };
	return 0;
}
