/* SPDX-License-Identifier: Apache-2.0 */
#include "elf/functions_int.h"

#include <stdio.h>

static int find_segments(struct sap_fn_ctx *f)
{
	const struct sap_elf_ctx *c = f->c;

	for (uint32_t i = 0; i < c->n_loads; i++) {
		const struct sap_elf_phdr *l = &c->loads[i];
		struct sap_fn_segment *s = &f->segments[f->n_segments];

		if (l->memsz == 0 && l->filesz == 0)
			continue;
		if (f->n_segments == SAP_FN_SEGMENTS_MAX)
			return sap_elf_fault(f->c, SAP_ELIMIT, c->phoff,
					     "more than %u segments, functions of the others are "
					     "left out",
					     SAP_FN_SEGMENTS_MAX);
		*s = (struct sap_fn_segment){
			.addr = l->vaddr,
			.off = l->off,
			.mem = l->memsz > l->filesz ? l->memsz : l->filesz,
			.exec = (l->flags & PF_X) != 0,
		};
		if (l->off < c->size)
			s->n = sap_elf_min(l->filesz, c->size - l->off);
		f->n_segments++;
	}
	return 0;
}

static bool holds(const struct sap_fn_segment *s, uint64_t addr)
{
	return addr >= s->addr && addr - s->addr < s->mem;
}

bool sap_fn_find(struct sap_fn_ctx *f, uint64_t addr, uint64_t *off)
{
	const struct sap_fn_segment *s = &f->segments[f->last];
	uint32_t i = f->n_segments;

	/* The loader maps in order: the last one counts. Most lie in one segment. */
	if (!(f->last + 1 == i && holds(s, addr))) {
		while (i > 0 && !holds(&f->segments[i - 1], addr))
			i--;
		if (i == 0)
			return false;
		f->last = i - 1;
		s = &f->segments[f->last];
	}
	if (!s->exec || addr - s->addr >= s->n)
		return false;
	*off = s->off + (addr - s->addr);
	return true;
}

int sap_fn_add(struct sap_fn_ctx *f, uint64_t addr, const struct sap_fn_entry *entry)
{
	struct sap_fn_entry *e;
	uint64_t off;

	if (!sap_fn_find(f, addr, &off))
		return 0;
	if (f->entries.n == SAP_FN_LIST_MAX) {
		if (f->full)
			return 0;
		f->full = true;
		return sap_elf_fault(f->c, SAP_ELIMIT, off, "more than %u functions",
				     SAP_FN_LIST_MAX);
	}
	e = SAP_VEC_PUSH(&f->entries, SAP_FN_LIST_MAX);
	if (!e)
		return sap_err_nomem(f->err);
	*e = *entry;
	e->offset = off;
	return 0;
}

/* Functions are sorted by place: the code is read once, from front to back. */
static int mark_refused(struct sap_fn_ctx *f, struct sap_fn_list *out)
{
	enum { LONGEST = 16 };
	struct sap_elf_table t = sap_elf_table_off(f->c, 0, UINT64_MAX, 256 * SAP_KIB);
	struct sap_span code = { NULL, 0 };

	if (out->machine != EM_X86_64 && out->machine != EM_386 && out->machine != EM_AARCH64)
		return 0;
	for (size_t i = 0; i < out->v.n; i++) {
		struct sap_fn *fn = &out->v.v[i];
		int r = sap_elf_table_get(f->c, &t, fn->offset,
					  sap_elf_min(LONGEST, t.n - fn->offset), &code);

		if (r < 0)
			return sap_elf_soft(f->c, r, fn->offset, "code");
		if (sap_probe_refused(out->machine, code))
			fn->flags |= SAP_FN_REFUSED;
	}
	return 0;
}

static int collect(struct sap_fn_ctx *f, struct sap_fn_list *out)
{
	uint64_t n = 0;
	int r;

	/* To remember what the version indexes stand for. */
	f->c->want = SAP_ELF_SYMBOLS;
	if ((r = sap_elf_read_dynamic(f->c)) < 0 ||
	    (r = sap_fn_read_sections(f->c, &f->sections)) < 0 || (r = sap_fn_exported(f)) < 0)
		return r;
	if (f->options->want & SAP_FN_WANT_ALL) {
		if ((r = sap_fn_local(f, &out->local_from)) < 0)
			return r;
		out->has_symtab = out->local_from != NULL;
		if (!out->has_symtab && (r = sap_fn_frames(f, &n)) < 0)
			return r;
		if (n)
			out->local_from = ".eh_frame";
	}
	return sap_fn_load_time(f);
}

static int set_damage(struct sap_fn_ctx *f, const struct sap_elf *elf, struct sap_fn_list *out)
{
	const struct sap_elf_fault *fault = &elf->faults[0];
	char text[320];
	int n;

	if (!(elf->rec.flags & SAP_OBJ_DAMAGED))
		return 0;
	out->damaged = true;
	if (elf->n_faults == 0)
		return 0;
	n = snprintf(text, sizeof(text), "%.*s (%s, byte %llu)", SAP_FMT(fault->text),
		     sap_code_name(fault->code), (unsigned long long)fault->offset);
	if (n > 0 && !sap_arena_str(f->arena, sap_str_of(text), &out->damage))
		return sap_err_nomem(f->err);
	return 0;
}

int sap_elf_functions(const struct sap_reader *reader, const struct sap_fn_options *options,
		      struct sap_arena *arena, struct sap_fn_list *out, struct sap_err *err)
{
	struct sap_fn_list list = { 0 };
	struct sap_elf elf = { 0 };
	struct sap_elf_ctx c = { .reader = reader, .arena = arena, .out = &elf, .err = err };
	struct sap_fn_ctx f = { .c = &c, .options = options, .arena = arena, .err = err };
	int r;

	if ((r = sap_fn_open(&c)) < 0)
		return r;
	list.machine = elf.rec.machine;
	if ((r = find_segments(&f)) < 0 || (r = collect(&f, &list)) < 0 ||
	    (r = sap_fn_merge(&f, &list)) < 0 || (r = mark_refused(&f, &list)) < 0 ||
	    (r = set_damage(&f, &elf, &list)) < 0) {
		sap_vec_clear(&f.entries);
		sap_vec_clear(&list.v);
		return r;
	}
	*out = list;
	return 0;
}
