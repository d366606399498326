/* SPDX-License-Identifier: Apache-2.0 */
#include "elf/elf_int.h"

/*
 * Note: namesz:4 descsz:4 type:4 name[namesz] desc[descsz], name and desc padded to 4 bytes,
 * or to 8 where p_align is 8. The owner's name counts its NUL.
 */
enum { GNU_BUILD_ID = 3 };

static const uint32_t fdo_package = 0xcafe1a7eu, fdo_dlopen = 0x407c0c0au;

struct notes {
	struct sap_elf_ctx *c;
	uint64_t left; /* bytes of notes that may still be read */
	struct sap_str *dlopen;
	uint64_t *dlopen_off; /* in the file: overlapping segments must not count one twice */
	uint32_t n_dlopen;
	uint32_t cap_dlopen;
	uint32_t cap_off;
};

static uint64_t padded(uint64_t n, uint64_t align)
{
	return (n + align - 1) & ~(align - 1);
}

static int keep_text(struct sap_elf_ctx *c, struct sap_span desc, struct sap_str *out)
{
	while (desc.n && desc.p[desc.n - 1] == '\0')
		desc.n--;
	if (!sap_arena_str(c->arena, (struct sap_str){ (const char *)desc.p, desc.n }, out))
		return sap_err_nomem(c->err);
	return 0;
}

static int add_dlopen(struct notes *w, uint64_t off, struct sap_span desc)
{
	struct sap_elf_ctx *c = w->c;

	for (uint32_t i = 0; i < w->n_dlopen; i++) {
		if (w->dlopen_off[i] == off)
			return 0;
	}
	if (w->n_dlopen >= SAP_ELF_DLOPEN_NOTES_MAX)
		return sap_elf_fault(c, SAP_ELIMIT, off, "more than %u notes of dlopen",
				     SAP_ELF_DLOPEN_NOTES_MAX);
	if (!sap_elf_grow(c->arena, (void **)&w->dlopen, w->n_dlopen, &w->cap_dlopen,
			  sizeof(*w->dlopen)) ||
	    !sap_elf_grow(c->arena, (void **)&w->dlopen_off, w->n_dlopen, &w->cap_off,
			  sizeof(*w->dlopen_off)))
		return sap_err_nomem(c->err);
	w->dlopen_off[w->n_dlopen] = off;
	return keep_text(c, desc, &w->dlopen[w->n_dlopen++]);
}

static int note(struct notes *w, uint32_t type, struct sap_span owner, struct sap_span desc,
		uint64_t off)
{
	struct sap_elf *out = w->c->out;
	bool gnu = owner.n == 4 && memcmp(owner.p, "GNU", 4) == 0;
	bool fdo = owner.n == 4 && memcmp(owner.p, "FDO", 4) == 0;

	if (gnu && type == GNU_BUILD_ID && desc.n && !out->rec.build_id.p) {
		if (!sap_arena_str(w->c->arena, (struct sap_str){ (const char *)desc.p, desc.n },
				   &out->rec.build_id))
			return sap_err_nomem(w->c->err);
	} else if (fdo && type == fdo_package && !out->package_note_json.p) {
		return keep_text(w->c, desc, &out->package_note_json);
	} else if (fdo && type == fdo_dlopen) {
		return add_dlopen(w, off, desc);
	}
	return 0;
}

static int read_segment(struct notes *w, uint64_t off, struct sap_span s, uint64_t align)
{
	struct sap_elf_ctx *c = w->c;
	uint64_t at = 0;

	while (s.n - at >= 12) {
		struct sap_elf_cursor k = sap_elf_cursor(c, s);
		struct sap_span owner, desc;
		uint32_t namesz, descsz, type;
		uint64_t start;
		int r;

		k.off = at;
		namesz = sap_elf_u32(&k);
		descsz = sap_elf_u32(&k);
		type = sap_elf_u32(&k);
		start = padded(at + 12 + namesz, align);
		if (!sap_span_sub(s, at + 12, namesz, &owner) ||
		    !sap_span_sub(s, start, descsz, &desc))
			return sap_elf_fault(c, SAP_EFORMAT, off + at,
					     "a note reaches behind its segment");
		r = note(w, type, owner, desc, off + at);
		if (r < 0)
			return r;
		at = padded(start + descsz, align);
		if (at > s.n)
			break;
	}
	return 0;
}

int sap_elf_read_notes(struct sap_elf_ctx *c)
{
	struct notes w = { .c = c, .left = SAP_ELF_NOTES_MAX };
	int r;

	/* The notes of a core dump are no facts of the file's maker. */
	if (c->out->rec.type == ET_CORE)
		return 0;
	for (uint32_t i = 0; i < c->phnum; i++) {
		const struct sap_elf_phdr *p = &c->phdrs[i];
		struct sap_span s;

		if (p->type != PT_NOTE || p->filesz == 0)
			continue;
		r = p->filesz > w.left ? SAP_ELIMIT : sap_elf_get(c, p->off, p->filesz, &s);
		if (r == 0) {
			w.left -= p->filesz;
			r = read_segment(&w, p->off, s, p->align == 8 ? 8 : 4);
		}
		if ((r = sap_elf_soft(c, r, p->off, "PT_NOTE")) < 0)
			return r;
	}
	c->out->dlopen_note_json = (struct sap_strs){ w.dlopen, w.n_dlopen };
	return 0;
}
