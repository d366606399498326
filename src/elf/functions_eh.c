/* SPDX-License-Identifier: Apache-2.0 */
#include "elf/functions_int.h"

/*
 * .eh_frame_hdr: version:1 (1) eh_frame_ptr_enc:1 fde_count_enc:1 table_enc:1
 *                eh_frame_ptr fde_count table[fde_count] of (start, address of its FDE)
 * .eh_frame:     records of length:4 id:4 ..., a length of 0 ends them
 *   CIE (id 0):  version:1 augmentation\0 code_align:u data_align:s return:1|u
 *                [z: length:u, then by letter R: enc:1, P: enc:1 pointer, L: enc:1, S B G: -]
 *   FDE:         id counts back from itself to its CIE; start range ... encoded by R
 * u, s are LEB128. An encoding: low nibble the form, 0x70 what it counts from, 0x80 indirect.
 */
enum {
	FORM = 0x0f,
	BASE = 0x70,
	PCREL = 0x10,
	DATAREL = 0x30,
	INDIRECT = 0x80,
	OMIT = 0xff,
	ENC_ULEB = 1,
	ENC_SLEB = 9,
};

struct frames {
	struct sap_fn_ctx *f;
	struct sap_elf_ctx *c;
	uint64_t hdr;  /* address of .eh_frame_hdr */
	uint64_t addr; /* of .eh_frame, and its bytes */
	struct sap_span eh;
	uint64_t cie_at; /* the CIE that was read last; UINT64_MAX: none */
	uint8_t cie_enc;
	bool cie_ok;
	bool cie_signal;
	uint64_t n;
};

/* What is read from, and the address of its first byte. */
struct cursor {
	struct sap_span s;
	uint64_t at;
	uint64_t addr;
	bool ok;
};

static uint64_t get_fixed(const struct frames *w, struct cursor *k, unsigned n)
{
	uint16_t h = 0;
	uint32_t i = 0;
	uint64_t v = 0;

	if (n == 2)
		k->ok &= sap_span_u16(k->s, k->at, w->c->big, &h);
	else if (n == 4)
		k->ok &= sap_span_u32(k->s, k->at, w->c->big, &i);
	else
		k->ok &= sap_span_u64(k->s, k->at, w->c->big, &v);
	k->at += n;
	return n == 2 ? h : n == 4 ? i : v;
}

static uint8_t get_byte(struct cursor *k)
{
	uint8_t b = 0;

	k->ok &= sap_span_u8(k->s, k->at, &b);
	k->at++;
	return b;
}

static uint64_t get_leb(struct cursor *k, bool is_signed)
{
	uint64_t v = 0;
	uint8_t b;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		b = get_byte(k);
		v |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80)) {
			if (is_signed && (b & 0x40) && shift + 7 < 64)
				v |= UINT64_MAX << (shift + 7);
			return v;
		}
	}
	k->ok = false;
	return 0;
}

/* Bytes of a form of fixed size; 0: it has none. */
static unsigned form_size(const struct frames *w, uint8_t enc)
{
	switch (enc & FORM) {
	case 0x0:
		return w->c->is64 ? 8 : 4;
	case 0x2:
	case 0xa:
		return 2;
	case 0x3:
	case 0xb:
		return 4;
	case 0x4:
	case 0xc:
		return 8;
	default:
		return 0;
	}
}

static uint64_t get_form(const struct frames *w, struct cursor *k, uint8_t enc)
{
	unsigned n = form_size(w, enc);
	uint64_t v;

	if ((enc & FORM) == ENC_ULEB || (enc & FORM) == ENC_SLEB)
		return get_leb(k, (enc & FORM) == ENC_SLEB);
	if (n == 0) {
		k->ok = false;
		return 0;
	}
	v = get_fixed(w, k, n);
	if (enc & 0x8)
		v = n == 2 ? (uint64_t)(int16_t)v : n == 4 ? (uint64_t)(int32_t)v : v;
	return v;
}

static uint64_t get_encoded(const struct frames *w, struct cursor *k, uint8_t enc)
{
	uint64_t here = k->addr + k->at, v = get_form(w, k, enc);

	switch (enc & (BASE | INDIRECT)) {
	case 0:
		break;
	case PCREL:
		v += here;
		break;
	case DATAREL:
		v += w->hdr;
		break;
	default: /* of text, of the function, aligned, indirect: no linker writes these here */
		k->ok = false;
	}
	return w->c->is64 ? v : v & UINT32_MAX;
}

/* ---- records ---------------------------------------------------------------------------- */

static void read_augmentation(struct frames *w, struct cursor *k, struct sap_str letters)
{
	for (size_t i = 1; i < letters.n && k->ok; i++) {
		uint8_t enc;

		switch (letters.p[i]) {
		case 'R':
			w->cie_enc = get_byte(k);
			break;
		case 'L':
			get_byte(k);
			break;
		case 'P':
			enc = get_byte(k);
			if ((enc & BASE) == 0x50) /* aligned */
				k->ok = false;
			get_form(w, k, enc);
			break;
		case 'S':
			w->cie_signal = true;
			break;
		case 'B': /* AArch64: return addresses signed by the other key; memory tags */
		case 'G':
			break;
		default:
			k->ok = false;
		}
	}
}

/* Sets cie_*. */
static void read_cie(struct frames *w, uint64_t at)
{
	struct cursor k = { w->eh, at, w->addr, true };
	struct sap_str letters = { NULL, 0 };
	uint8_t version;

	w->cie_at = at;
	w->cie_enc = 0;
	w->cie_signal = false;
	w->cie_ok = false;
	if (get_fixed(w, &k, 4) == UINT32_MAX || get_fixed(w, &k, 4) != 0)
		return;
	version = get_byte(&k);
	if (!k.ok || (version != 1 && version != 3 && version != 4) ||
	    !sap_span_cstr(w->eh, k.at, &letters) || letters.n > 16)
		return;
	k.at += letters.n + 1;
	if (version == 4)
		k.at += 2;
	get_leb(&k, false);
	get_leb(&k, true);
	if (version == 1)
		get_byte(&k);
	else
		get_leb(&k, false);
	if (letters.n && letters.p[0] != 'z')
		return;
	if (letters.n) {
		get_leb(&k, false);
		read_augmentation(w, &k, letters);
	}
	w->cie_ok = k.ok;
}

struct fde {
	uint64_t start;
	uint64_t size;
	bool signal;
};

/* The FDE at an offset of .eh_frame. */
static bool read_fde(struct frames *w, uint64_t at, struct fde *out)
{
	struct cursor k = { w->eh, at, w->addr, true };
	uint64_t length = get_fixed(w, &k, 4), id_at = k.at, id = get_fixed(w, &k, 4);

	if (!k.ok || length < 8 || length == UINT32_MAX || id == 0 || id > id_at)
		return false;
	if (id_at - id != w->cie_at)
		read_cie(w, id_at - id);
	if (!w->cie_ok)
		return false;
	out->start = get_encoded(w, &k, w->cie_enc);
	out->size = get_form(w, &k, w->cie_enc & FORM);
	out->signal = w->cie_signal;
	return k.ok;
}

/* The frame of a signal begins before its function: an unwinder looks one byte back. It is
 * no place where an instruction begins. */
static int add_frame(struct frames *w, const struct fde *fde)
{
	struct sap_fn_entry e = { .size = fde->size, .flags = SAP_FN_BARE };

	if (fde->signal || fde->size == 0)
		return 0;
	w->n++;
	return sap_fn_add(w->f, fde->start, &e);
}

/* ---- the two ways ----------------------------------------------------------------------- */

static int load_frames(struct frames *w, uint64_t addr)
{
	uint64_t off, n;
	int r;

	if (!sap_elf_map(w->c, addr, &off, &n))
		return sap_elf_fault(w->c, SAP_EFORMAT, 0, ".eh_frame lies outside the file");
	/* Its length is in no loadable table. */
	for (uint32_t i = 1; i < w->f->sections.n; i++) {
		const struct sap_fn_section *s = &w->f->sections.v[i];

		if (s->addr == addr && (s->flags & SHF_ALLOC) && s->size)
			n = sap_elf_min(n, s->size);
	}
	n = sap_elf_min(n, SAP_FN_FRAMES_MAX);
	r = sap_elf_get(w->c, off, n, &w->eh);
	w->addr = addr;
	return sap_elf_soft(w->c, r, off, ".eh_frame");
}

static int walk(struct frames *w)
{
	uint64_t at = 0, length;
	uint32_t small = 0;

	for (uint32_t left = SAP_FN_LIST_MAX; left && at < w->eh.n; left--) {
		struct fde fde;
		int r;

		if (!sap_span_u32(w->eh, at, w->c->big, &small) || small == 0)
			return 0;
		length = small;
		if (small == UINT32_MAX) {
			if (!sap_span_u64(w->eh, at + 4, w->c->big, &length))
				break;
			length = length > w->eh.n ? w->eh.n : length + 8;
		} else if (read_fde(w, at, &fde) && (r = add_frame(w, &fde)) < 0) {
			return r;
		}
		at += 4 + length;
	}
	return at <= w->eh.n ? 0
			     : sap_elf_fault(w->c, SAP_EFORMAT, w->addr, ".eh_frame is cut off");
}

/* What the table says of one function, and what its FDE adds. */
static int add_row(struct frames *w, uint64_t start, uint64_t fde_addr)
{
	struct fde fde;

	if (read_fde(w, fde_addr - w->addr, &fde) && fde.start == start)
		return add_frame(w, &fde);
	w->n++;
	return sap_fn_add(w->f, start, &(struct sap_fn_entry){ .flags = SAP_FN_BARE });
}

/* n rows from byte first of the header on. */
static int read_table(struct frames *w, struct sap_elf_table *t, uint64_t first, uint64_t n,
		      uint8_t enc)
{
	const uint64_t size = 2 * form_size(w, enc);
	struct sap_span s = { NULL, 0 };
	int r = 0;

	if (size == 0) /* no form of a fixed size: the caller has looked */
		return 0;
	if (n > (t->n - first) / size || n > SAP_FN_LIST_MAX) {
		n = sap_elf_min((t->n - first) / size, SAP_FN_LIST_MAX);
		r = sap_elf_fault(w->c, SAP_EFORMAT, t->off, ".eh_frame_hdr is cut off");
	}
	for (uint64_t i = 0; i < n && r == 0; i++) {
		uint64_t start, fde;
		struct cursor k;

		r = sap_elf_table_get(w->c, t, first + i * size, size, &s);
		if (r < 0)
			return sap_elf_soft(w->c, r, t->off, ".eh_frame_hdr");
		k = (struct cursor){ s, 0, w->hdr + first + i * size, true };
		start = get_encoded(w, &k, enc);
		fde = get_encoded(w, &k, enc);
		if (!k.ok)
			return sap_elf_soft(w->c, SAP_EFORMAT, t->off, ".eh_frame_hdr");
		r = add_row(w, start, fde);
	}
	return r;
}

static int read_header(struct frames *w, const struct sap_elf_phdr *p)
{
	struct sap_elf_table t;
	struct sap_span s = { NULL, 0 };
	struct cursor k = { .ok = true };
	uint8_t eh_enc, count_enc, table_enc;
	uint64_t eh, n = 0;
	int r;

	if (!sap_elf_table_at(w->c, p->vaddr, 256 * SAP_KIB, &t))
		return sap_elf_fault(w->c, SAP_EFORMAT, p->off,
				     ".eh_frame_hdr lies outside the file");
	w->hdr = p->vaddr;
	r = sap_elf_table_get(w->c, &t, 0, sap_elf_min(t.n, 32), &s);
	if (r < 0)
		return sap_elf_soft(w->c, r, t.off, ".eh_frame_hdr");
	k.s = s;
	k.addr = w->hdr;
	if (get_byte(&k) != 1)
		return sap_elf_fault(w->c, SAP_EFORMAT, t.off, ".eh_frame_hdr: unknown version");
	eh_enc = get_byte(&k);
	count_enc = get_byte(&k);
	table_enc = get_byte(&k);
	eh = get_encoded(w, &k, eh_enc);
	if (count_enc != OMIT)
		n = get_encoded(w, &k, count_enc);
	if (!k.ok)
		return sap_elf_soft(w->c, SAP_EFORMAT, t.off, ".eh_frame_hdr");
	if ((r = load_frames(w, eh)) < 0)
		return r;
	if (count_enc == OMIT || table_enc == OMIT || form_size(w, table_enc) == 0)
		return walk(w);
	return read_table(w, &t, k.at, n, table_enc);
}

int sap_fn_frames(struct sap_fn_ctx *f, uint64_t *n)
{
	struct frames w = { .f = f, .c = f->c, .cie_at = UINT64_MAX };
	const struct sap_elf_phdr *hdr = NULL;
	int r = 0;

	for (uint32_t i = 0; i < f->c->phnum; i++) {
		if (f->c->phdrs[i].type == PT_GNU_EH_FRAME && f->c->phdrs[i].filesz)
			hdr = &f->c->phdrs[i];
	}
	if (hdr)
		r = read_header(&w, hdr);
	for (uint32_t i = 1; !hdr && i < f->sections.n; i++) {
		const struct sap_fn_section *s = &f->sections.v[i];

		if (!(s->flags & SHF_ALLOC) || !sap_fn_section_is(&f->sections, i, ".eh_frame"))
			continue;
		r = load_frames(&w, s->addr);
		if (r == 0)
			r = walk(&w);
		break;
	}
	*n = w.n;
	return r;
}
