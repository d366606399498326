/* SPDX-License-Identifier: Apache-2.0 */
#include "elf/elf_int.h"

/*
 * What Go's linker writes about a build (read by debug/buildinfo of Go's library):
 *
 *     0   "\xff Go buildinf:"      14 bytes, at an address that 16 divides
 *     14  bytes of a pointer       1 byte, without meaning where texts are inline
 *     15  flags                    1: big endian, 2: texts inline
 *     inline (since Go 1.18):
 *     32  length, version, length, modules    lengths as base-128 varints
 *     before:
 *     16  pointer, pointer         to Go strings (pointer, length): version, modules
 *
 * It is the section .go.buildinfo, which stripping keeps; in a file without section headers it
 * lies in the first 64 KiB of the first writable segment. The text about modules is framed by 16
 * bytes at either end.
 */
enum {
	INFO_SIZE = 32,
	INFO_ALIGN = 16,
	MAGIC_SIZE = 14,
	FLAG_BIG = 1,
	FLAG_INLINE = 2,
	FRAME = 16,
	VARINT_MAX = 10,
	SEARCHED = 64 * 1024,
	NAMES_MAX = 64 * 1024,   /* bytes of section names looked at */
	HEADERS_MAX = 64 * 1024, /* bytes of section headers */
	NAMES_BEFORE = 1024,     /* linkers put the names right before the headers */
};

static const char magic[] = "\xff Go buildinf:";
static const char section_name[] = ".go.buildinfo";

/* Where the information may be: n is 0 where there is none. */
struct place {
	uint64_t off;
	uint64_t n;
};

static int soft(struct sap_elf_ctx *c, int r, uint64_t off, const char *text)
{
	struct sap_elf_fault *fault = &c->out->go_fault;

	if (r != SAP_EFORMAT && r != SAP_ELIMIT)
		return r;
	*fault = (struct sap_elf_fault){ r, off, sap_str_of(text) };
	return 0;
}

/* ---- the section ------------------------------------------------------------------------ */

struct section {
	uint32_t name;
	uint32_t type;
	uint64_t off;
	uint64_t size;
};

static bool get_section(const struct sap_elf_ctx *c, struct sap_span headers, uint64_t i,
			struct section *out)
{
	const uint64_t size = c->is64 ? 64 : 40;
	struct sap_elf_cursor k = sap_elf_cursor(c, headers);

	k.off = i * size;
	out->name = sap_elf_u32(&k);
	out->type = sap_elf_u32(&k);
	sap_elf_word(&k);
	sap_elf_word(&k);
	out->off = sap_elf_word(&k);
	out->size = sap_elf_word(&k);
	return k.ok;
}

/* The section headers, and the names in front of them, in one read. SAP_EFORMAT: none that
 * can be used. */
static int get_headers(struct sap_elf_ctx *c, struct sap_span *out)
{
	const uint64_t size = c->is64 ? 64 : 40, n = c->shnum * size;
	uint64_t before = sap_elf_min(c->shoff, NAMES_BEFORE);
	int r;

	if (c->shoff == 0 || n == 0 || n > HEADERS_MAX || c->shentsize != size ||
	    c->shstrndx >= c->shnum || c->shoff > c->size || n > c->size - c->shoff)
		return SAP_EFORMAT;
	r = sap_elf_prefetch(c, c->shoff - before, before + n);
	return r < 0 ? r : sap_elf_get(c, c->shoff, n, out);
}

static bool is_named(const struct section *s, struct sap_span names)
{
	struct sap_span name;

	return sap_span_sub(names, s->name, sizeof(section_name), &name) &&
	       memcmp(name.p, section_name, sizeof(section_name)) == 0;
}

/* SAP_EFORMAT: sections tell nothing. */
static int find_section(struct sap_elf_ctx *c, struct place *place)
{
	struct sap_span headers = { NULL, 0 }, names = { NULL, 0 };
	struct section s = { 0 };
	int r = get_headers(c, &headers);

	if (r < 0)
		return r;
	if (!get_section(c, headers, c->shstrndx, &s) || s.type != SHT_STRTAB || s.size == 0 ||
	    s.size > NAMES_MAX)
		return SAP_EFORMAT;
	r = sap_elf_get(c, s.off, s.size, &names);
	if (r < 0)
		return r;
	if (!memmem(names.p, names.n, section_name, sizeof(section_name)))
		return 0;
	for (uint64_t i = 0; i < c->shnum && get_section(c, headers, i, &s); i++) {
		/* Files of debug information name it, but do not hold it. */
		if (s.type != SHT_PROGBITS || !is_named(&s, names))
			continue;
		*place = (struct place){ s.off, s.size };
		break;
	}
	return 0;
}

/* ---- the segment ------------------------------------------------------------------------ */

static int find_in_segment(struct sap_elf_ctx *c, struct place *place)
{
	const struct sap_elf_phdr *p = NULL;
	struct sap_span s = { NULL, 0 };
	uint64_t n;
	int r;

	for (uint32_t i = 0; !p && i < c->n_loads; i++) {
		if ((c->loads[i].flags & (PF_W | PF_X)) == PF_W && c->loads[i].filesz)
			p = &c->loads[i];
	}
	if (!p || p->off >= c->size)
		return 0;
	n = sap_elf_min(p->filesz, c->size - p->off);
	r = sap_elf_get(c, p->off, sap_elf_min(n, SEARCHED), &s);
	if (r < 0)
		return r;
	for (uint64_t at = -p->vaddr % INFO_ALIGN; sap_span_has(s, at, INFO_SIZE);
	     at += INFO_ALIGN) {
		if (memcmp(s.p + at, magic, MAGIC_SIZE) == 0) {
			*place = (struct place){ p->off + at, n - at };
			break;
		}
	}
	return 0;
}

/* ---- what it says ----------------------------------------------------------------------- */

/* The text at *place, which moves behind it. */
static int inline_text(struct sap_elf_ctx *c, struct place *place, struct sap_str *out)
{
	uint64_t room = sap_elf_min(place->n, VARINT_MAX), length = 0, n = 0;
	struct sap_span s = { NULL, 0 };
	int r = sap_elf_get(c, place->off, room, &s);

	if (r < 0)
		return r;
	for (;; n++) {
		if (n >= s.n || (n == 9 && s.p[n] > 1))
			return SAP_EFORMAT;
		length |= (uint64_t)(s.p[n] & 0x7f) << (7 * n);
		if (!(s.p[n] & 0x80))
			break;
	}
	n++;
	if (length > place->n - n)
		return SAP_EFORMAT;
	if (length > SAP_ELF_GO_TEXT_MAX)
		return SAP_ELIMIT;
	r = sap_elf_keep(c, place->off + n, length, &s);
	if (r < 0)
		return r;
	*out = (struct sap_str){ (const char *)s.p, (size_t)length };
	place->off += n + length;
	place->n -= n + length;
	return 0;
}

static bool get_word(struct sap_span s, uint64_t at, bool wide, bool big, uint64_t *out)
{
	uint32_t narrow;

	if (wide)
		return sap_span_u64(s, at, big, out);
	if (!sap_span_u32(s, at, big, &narrow))
		return false;
	*out = narrow;
	return true;
}

/* The Go string whose address stands at s[at]. */
static int pointed_text(struct sap_elf_ctx *c, struct sap_span info, uint64_t at, bool wide,
			bool big, struct sap_str *out)
{
	const uint64_t word = wide ? 8 : 4;
	uint64_t address = 0, length = 0, off, n;
	struct sap_span s = { NULL, 0 };
	int r;

	if (!get_word(info, at, wide, big, &address) || !sap_elf_map(c, address, &off, &n) ||
	    n < 2 * word)
		return SAP_EFORMAT;
	r = sap_elf_get(c, off, 2 * word, &s);
	if (r < 0)
		return r;
	if (!get_word(s, 0, wide, big, &address) || !get_word(s, word, wide, big, &length))
		return SAP_EFORMAT;
	if (length == 0) /* built without modules: the pointer is nil */
		return 0;
	if (!sap_elf_map(c, address, &off, &n) || length > n)
		return SAP_EFORMAT;
	if (length > SAP_ELF_GO_TEXT_MAX)
		return SAP_ELIMIT;
	r = sap_elf_keep(c, off, length, &s);
	if (r == 0)
		*out = (struct sap_str){ (const char *)s.p, (size_t)length };
	return r;
}

static struct sap_str without_frame(struct sap_str modules)
{
	if (modules.n <= 2 * FRAME || modules.p[modules.n - FRAME - 1] != '\n')
		return (struct sap_str){ 0 };
	return (struct sap_str){ modules.p + FRAME, modules.n - 2 * FRAME };
}

static int read_texts(struct sap_elf_ctx *c, struct place place, struct sap_str *version,
		      struct sap_str *modules)
{
	struct sap_span info = { NULL, 0 };
	bool big, wide;
	int r;

	if (place.n < INFO_SIZE)
		return SAP_EFORMAT;
	r = sap_elf_prefetch(c, place.off, sap_elf_min(place.n, SEARCHED));
	if (r == 0)
		r = sap_elf_get(c, place.off, INFO_SIZE, &info);
	if (r < 0)
		return r;
	if (!info.p || memcmp(info.p, magic, MAGIC_SIZE) != 0)
		return SAP_EFORMAT;
	if (info.p[15] & FLAG_INLINE) {
		place.off += INFO_SIZE;
		place.n -= INFO_SIZE;
		r = inline_text(c, &place, version);
		return r < 0 ? r : inline_text(c, &place, modules);
	}
	big = info.p[15] & FLAG_BIG;
	wide = info.p[14] == 8;
	if (!wide && info.p[14] != 4)
		return SAP_EFORMAT;
	r = pointed_text(c, info, 16, wide, big, version);
	return r < 0 ? r : pointed_text(c, info, 16 + info.p[14], wide, big, modules);
}

int sap_elf_read_go(struct sap_elf_ctx *c)
{
	struct sap_str version = { 0 }, modules = { 0 };
	struct place place = { 0 };
	int r;

	if (c->out->rec.type != ET_EXEC && c->out->rec.type != ET_DYN)
		return 0;
	r = find_section(c, &place);
	if (r == SAP_EFORMAT)
		r = find_in_segment(c, &place);
	if (r < 0)
		return r == SAP_EFORMAT ? 0 : r; /* a file cut short: others say so */
	if (place.n == 0)
		return 0;
	r = read_texts(c, place, &version, &modules);
	if (r < 0)
		return soft(c, r, place.off,
			    r == SAP_ELIMIT ? "the build information of Go is too long"
					    : "the build information of Go does not follow its "
					      "format");
	c->out->go_version = version;
	c->out->go_modules = without_frame(modules);
	return 0;
}
