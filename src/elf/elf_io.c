/* SPDX-License-Identifier: Apache-2.0 */
#include "elf/elf_int.h"

#include <stdarg.h>
#include <stdio.h>

int sap_elf_fault(struct sap_elf_ctx *c, int code, uint64_t off, const char *fmt, ...)
{
	struct sap_elf *out = c->out;
	struct sap_elf_fault *f;
	char text[256];
	va_list ap;

	out->rec.flags |= SAP_OBJ_DAMAGED;
	if (out->n_faults >= SAP_ELF_FAULTS_MAX)
		return 0;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	f = &out->faults[out->n_faults];
	if (!sap_arena_str(c->arena, sap_str_of(text), &f->text))
		return sap_err_nomem(c->err);
	f->code = code;
	f->offset = off;
	out->n_faults++;
	return 0;
}

int sap_elf_soft(struct sap_elf_ctx *c, int r, uint64_t off, const char *what)
{
	if (r == SAP_EFORMAT)
		return sap_elf_fault(c, r, off, "%s: not in the file, or not terminated", what);
	if (r == SAP_ELIMIT)
		return sap_elf_fault(c, r, off, "%s: too long or too many", what);
	return r;
}

static const struct sap_elf_window *find_window(const struct sap_elf_ctx *c, uint64_t off,
						uint64_t n)
{
	for (uint32_t i = 0; i < c->n_windows; i++) {
		const struct sap_elf_window *w = &c->windows[i];

		if (off >= w->off && sap_span_has(w->bytes, off - w->off, n))
			return w;
	}
	return NULL;
}

int sap_elf_prefetch(struct sap_elf_ctx *c, uint64_t off, uint64_t n)
{
	struct sap_elf_window *w;
	int r;

	if (off >= c->size || c->n_windows >= SAP_ELF_WINDOWS_MAX)
		return 0;
	n = sap_elf_min(n, c->size - off);
	if (find_window(c, off, n))
		return 0;
	w = &c->windows[c->n_windows];
	r = sap_reader_get(c->reader, off, n, c->arena, &w->bytes, c->err);
	if (r < 0)
		return r;
	w->off = off;
	w->keeps = true;
	c->n_windows++;
	return 0;
}

static int get(struct sap_elf_ctx *c, uint64_t off, uint64_t n, bool keep, struct sap_span *out)
{
	const struct sap_elf_window *w = find_window(c, off, n);

	if (off > c->size || n > c->size - off)
		return SAP_EFORMAT;
	if (!w)
		return sap_reader_get(c->reader, off, n, c->arena, out, c->err);
	sap_span_sub(w->bytes, off - w->off, n, out);
	if (keep && !w->keeps) {
		void *p = sap_arena_alloc(c->arena, n);

		if (!p)
			return sap_err_nomem(c->err);
		memcpy(p, out->p, n);
		*out = sap_span_of(p, n);
	}
	return 0;
}

int sap_elf_get(struct sap_elf_ctx *c, uint64_t off, uint64_t n, struct sap_span *out)
{
	return get(c, off, n, false, out);
}

int sap_elf_keep(struct sap_elf_ctx *c, uint64_t off, uint64_t n, struct sap_span *out)
{
	return get(c, off, n, true, out);
}

/* A block of the table into its own buffer. */
static int read_block(struct sap_elf_ctx *c, struct sap_elf_table *t, uint64_t rel, uint64_t n)
{
	uint64_t got = 0;
	int r;

	if (t->cap < n) {
		t->cap = 0;
		t->buf = sap_arena_alloc(c->arena, n);
		if (!t->buf)
			return sap_err_nomem(c->err);
		t->cap = n;
	}
	t->span = (struct sap_span){ NULL, 0 };
	r = c->reader->read_at(c->reader, t->off + rel, t->buf, n, &got, c->err);
	if (r < 0)
		return r;
	if (got != n)
		return sap_err_set(c->err, SAP_ECHANGED,
				   "the file became shorter while it was read");
	t->at = rel;
	t->span = sap_span_of(t->buf, n);
	return 0;
}

int sap_elf_table_fill(struct sap_elf_ctx *c, struct sap_elf_table *t, uint64_t rel, uint64_t n)
{
	const struct sap_elf_window *w;
	uint64_t room;

	if (rel > t->n || n > t->n - rel)
		return SAP_EFORMAT;
	room = t->n - rel;
	w = find_window(c, t->off + rel, n);
	if (w) {
		uint64_t at = t->off + rel - w->off;

		t->at = rel;
		sap_span_sub(w->bytes, at, sap_elf_min(room, w->bytes.n - at), &t->span);
		return 0;
	}
	if (c->reader->memory.p) {
		t->at = rel;
		return sap_reader_get(c->reader, t->off + rel, room, c->arena, &t->span, c->err);
	}
	return read_block(c, t, rel, sap_elf_min(room, n > t->block ? n : t->block));
}

bool sap_elf_map(const struct sap_elf_ctx *c, uint64_t addr, uint64_t *off, uint64_t *n)
{
	for (uint32_t i = c->n_loads; i-- > 0;) {
		const struct sap_elf_phdr *l = &c->loads[i];
		uint64_t rel = addr - l->vaddr, o, room;

		if (addr < l->vaddr || (rel >= l->memsz && rel >= l->filesz))
			continue;
		if (rel >= l->filesz || __builtin_add_overflow(l->off, rel, &o) || o >= c->size)
			return false;
		room = sap_elf_min(l->filesz - rel, c->size - o);
		for (uint32_t j = i + 1; j < c->n_loads; j++) {
			const struct sap_elf_phdr *later = &c->loads[j];

			if (later->vaddr > addr && later->memsz)
				room = sap_elf_min(room, later->vaddr - addr);
		}
		*off = o;
		*n = room;
		return true;
	}
	return false;
}

struct sap_elf_table sap_elf_table_off(const struct sap_elf_ctx *c, uint64_t off, uint64_t n,
				       uint64_t block)
{
	if (off > c->size)
		return (struct sap_elf_table){ .off = c->size, .block = block };
	return (struct sap_elf_table){ .off = off,
				       .n = sap_elf_min(n, c->size - off),
				       .block = block };
}

bool sap_elf_table_at(const struct sap_elf_ctx *c, uint64_t addr, uint64_t block,
		      struct sap_elf_table *t)
{
	uint64_t off, n;

	if (!sap_elf_map(c, addr, &off, &n))
		return false;
	*t = sap_elf_table_off(c, off, n, block);
	return true;
}

bool sap_elf_grow(struct sap_arena *arena, void **v, uint32_t n, uint32_t *cap, size_t size)
{
	uint32_t more;
	void *p;

	if (n < *cap)
		return true;
	more = *cap ? *cap * 2 : 16;
	p = sap_arena_array(arena, more, size);
	if (!p)
		return false;
	if (n)
		memcpy(p, *v, n * size);
	*v = p;
	*cap = more;
	return true;
}
