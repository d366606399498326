/* SPDX-License-Identifier: Apache-2.0 */
#include "elf/functions_int.h"

/* The symbol tables of one object. */
static int read_tables(struct sap_fn_ctx *f, struct sap_elf_ctx *d, const struct sap_fn_sections *s,
		       uint64_t *n)
{
	for (uint32_t i = 1; i < s->n; i++) {
		if (s->v[i].type == SHT_SYMTAB)
			return sap_fn_symtab(f, d, s, i, n);
	}
	return 0;
}

/* Another object that holds names of ours: its faults become ours. */
struct other {
	struct sap_elf_ctx d;
	struct sap_elf elf;
	const char *what;
};

static int pass_faults(struct sap_fn_ctx *f, const struct other *o)
{
	for (uint32_t i = 0; i < o->elf.n_faults; i++) {
		const struct sap_elf_fault *fault = &o->elf.faults[i];
		int r = sap_elf_fault(f->c, fault->code, fault->offset, "%s: %.*s", o->what,
				      SAP_FMT(fault->text));

		if (r < 0)
			return r;
	}
	return 0;
}

static int pass_error(struct sap_fn_ctx *f, const struct sap_err *err)
{
	if (f->err)
		*f->err = *err;
	return err->code;
}

/* 1: opened; 0: a fault was recorded. */
static int open_other(struct sap_fn_ctx *f, struct other *o, const struct sap_reader *reader)
{
	struct sap_err err = { 0 };
	int r;

	o->d = (struct sap_elf_ctx){
		.reader = reader, .arena = f->arena, .out = &o->elf, .err = &err
	};
	r = sap_fn_open(&o->d);
	o->d.err = f->err;
	if (r == SAP_EFORMAT)
		return sap_elf_fault(f->c, r, err.offset, "%s: %s", o->what, err.text);
	if (r < 0)
		return pass_error(f, &err);
	if (o->d.is64 != f->c->is64 || o->d.big != f->c->big ||
	    o->elf.rec.machine != f->c->out->rec.machine)
		return sap_elf_fault(f->c, SAP_EFORMAT, 0, "%s: of another machine", o->what);
	return 1;
}

static int read_other(struct sap_fn_ctx *f, struct other *o, uint64_t *n)
{
	struct sap_fn_sections sections = { 0 };
	int r;

	if ((r = sap_fn_read_sections(&o->d, &sections)) < 0 ||
	    (r = read_tables(f, &o->d, &sections, n)) < 0)
		return r;
	return pass_faults(f, o);
}

static int read_debug_file(struct sap_fn_ctx *f, uint64_t *n)
{
	struct sap_str id = f->c->out->rec.build_id;
	struct other o = { .what = "debug file" };
	int r = open_other(f, &o, f->options->debug);

	if (r <= 0)
		return r;
	if (!id.n || !sap_str_eq(id, o.elf.rec.build_id))
		return sap_elf_fault(f->c, SAP_EFORMAT, 0,
				     "debug file: its build-id is not this object's");
	return read_other(f, &o, n);
}

static int unpack(struct sap_fn_ctx *f, const struct sap_fn_section *s, struct sap_span *out)
{
	struct sap_span packed = { NULL, 0 };
	struct sap_err err = { 0 };
	int r;

	if (!f->options->unpack)
		return sap_elf_fault(f->c, SAP_EUNSUPPORTED, s->off,
				     ".gnu_debugdata: nothing here can unpack it");
	if (s->size > SAP_FN_PACKED_MAX)
		return sap_elf_fault(f->c, SAP_ELIMIT, s->off, ".gnu_debugdata: %llu bytes",
				     (unsigned long long)s->size);
	r = sap_elf_get(f->c, s->off, s->size, &packed);
	if (r < 0)
		return sap_elf_soft(f->c, r, s->off, ".gnu_debugdata");
	r = f->options->unpack(f->options->ctx, packed, f->arena, out, &err);
	if (r == SAP_EFORMAT || r == SAP_ELIMIT || r == SAP_EUNSUPPORTED)
		return sap_elf_fault(f->c, r, s->off + err.offset, ".gnu_debugdata: %s", err.text);
	if (r < 0)
		return pass_error(f, &err);
	return 1;
}

static int read_debugdata(struct sap_fn_ctx *f, uint32_t i, uint64_t *n)
{
	struct other o = { .what = ".gnu_debugdata" };
	struct sap_span bytes = { NULL, 0 };
	struct sap_reader reader;
	int r = unpack(f, &f->sections.v[i], &bytes);

	if (r <= 0)
		return r;
	reader = sap_reader_memory(bytes);
	r = open_other(f, &o, &reader);
	return r <= 0 ? r : read_other(f, &o, n);
}

int sap_fn_local(struct sap_fn_ctx *f, const char **from)
{
	uint64_t n = 0;
	int r = read_tables(f, f->c, &f->sections, &n);

	*from = n ? ".symtab" : NULL;
	if (r < 0 || n)
		return r;
	/* The file has all names; the section leaves out those that are exported, and data. */
	if (f->options->debug) {
		r = read_debug_file(f, &n);
		*from = n ? "debug file" : NULL;
		if (r < 0 || n)
			return r;
	}
	for (uint32_t i = 1; i < f->sections.n; i++) {
		const struct sap_fn_section *s = &f->sections.v[i];

		if (s->type != SHT_PROGBITS || !s->size ||
		    !sap_fn_section_is(&f->sections, i, ".gnu_debugdata"))
			continue;
		r = read_debugdata(f, i, &n);
		*from = n ? ".gnu_debugdata" : NULL;
		return r;
	}
	return 0;
}
