/* SPDX-License-Identifier: Apache-2.0 */
#include "elf/elf_int.h"

/*
 * Guesses from read-only data: what a program gives to dlopen is mostly a string constant.
 * And one fact: the folders that glibc's loader searches by default are such constants too.
 */
enum {
	NAME_MIN = 6,
	NAME_LEN_MAX = 255,
	BLOCK = 256 * 1024,
	EDGE = 512,                   /* overlap of blocks: a name on either side of a match */
	LOADER_MAX = 4 * 1024 * 1024, /* read-only data of a dynamic loader: 200 KiB in truth */
	DIRS_MAX = 64,
	SKIPS_MAX = 8
};

struct names {
	struct sap_str *v; /* sorted, unique */
	uint32_t n;
	bool full;
	unsigned char *buf; /* the block that is searched, shared by all pieces */
	uint64_t cap;
};

/* Called for each piece of read-only data. */
typedef int (*piece_fn)(struct sap_elf_ctx *c, uint64_t off, uint64_t n, void *ctx);

/* ---- names ------------------------------------------------------------------------------ */

static bool is_name_byte(unsigned char b)
{
	/* Letters, digits, and + - . / _ */
	return (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '-' && b <= '9') ||
	       b == '_' || b == '+';
}

static bool is_digit(char b)
{
	return b >= '0' && b <= '9';
}

/* "libfoo.so", "libfoo.so.1", "/usr/lib/foo/bar.so"; not "ld.so.cache". */
static bool looks_like_soname(struct sap_str s)
{
	struct sap_str base = sap_path_base(s);

	if (s.n < NAME_MIN || s.n > NAME_LEN_MAX || (base.n != s.n && s.p[0] != '/'))
		return false;
	if (base.n < 4 || base.p[0] == '.' || base.p[0] == '-' || base.p[0] == '+')
		return false;
	if (sap_str_ends(base, SAP_STR(".so")))
		return true;
	for (size_t i = 1; i + 4 < base.n; i++) {
		if (memcmp(base.p + i, ".so.", 4) == 0 && is_digit(base.p[i + 4]))
			return true;
	}
	return false;
}

/* Where s stands or belongs in the list. */
static uint32_t find_name(const struct names *names, struct sap_str s, bool *found)
{
	uint32_t lo = 0, hi = names->n;

	*found = false;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		int order = sap_str_cmp(names->v[mid], s);

		if (order == 0) {
			*found = true;
			return mid;
		}
		if (order < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int add_name(struct sap_elf_ctx *c, struct names *names, struct sap_str s)
{
	bool found;
	uint32_t i = find_name(names, s, &found);
	struct sap_str copy;

	if (found)
		return 0;
	if (names->n >= SAP_ELF_STRINGS_MAX) {
		names->full = true;
		return 0;
	}
	if (!names->v)
		names->v = sap_arena_array(c->arena, SAP_ELF_STRINGS_MAX, sizeof(*names->v));
	if (!names->v || !sap_arena_str(c->arena, s, &copy))
		return sap_err_nomem(c->err);
	memmove(names->v + i + 1, names->v + i, (names->n - i) * sizeof(*names->v));
	names->v[i] = copy;
	names->n++;
	return 0;
}

/* A ".so" at s[m]: takes the string around it; *next is where to look on. first and last say
 * that s begins and ends with its piece. */
static int try_name(struct sap_elf_ctx *c, struct names *names, struct sap_span s, uint64_t m,
		    bool first, uint64_t *next)
{
	uint64_t start = m, end = m + 3;
	struct sap_str name;

	while (start > 0 && m - start <= NAME_LEN_MAX && is_name_byte(s.p[start - 1]))
		start--;
	while (end < s.n && end - m <= NAME_LEN_MAX && is_name_byte(s.p[end]))
		end++;
	*next = end;
	if (end >= s.n || s.p[end] != '\0')
		return 0;
	/* Before a string stands the NUL of another or data, not text: the last bytes of a
	 * table of offsets are often 0xff. */
	if (start == 0 ? !first : s.p[start - 1] != 0 && s.p[start - 1] < 0x80)
		return 0;
	name = (struct sap_str){ (const char *)s.p + start, (size_t)(end - start) };
	return looks_like_soname(name) ? add_name(c, names, name) : 0;
}

typedef unsigned char bytes16 __attribute__((vector_size(16)));
typedef unsigned long long words2 __attribute__((vector_size(16)));

static inline bytes16 load16(const unsigned char *p)
{
	bytes16 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Bytes of all ones where ".so" begins; reads p[0..18). */
static inline bytes16 match16(const unsigned char *p)
{
	return (bytes16)((load16(p) == '.') & (load16(p + 1) == 's') & (load16(p + 2) == 'o'));
}

/* The next ".so" in s at or after `at`; hi where there is none before hi. */
static uint64_t next_match(struct sap_span s, uint64_t at, uint64_t hi)
{
	const uint64_t last = s.n < 3 ? 0 : sap_elf_min(hi, s.n - 2);

	while (at < last) {
		const unsigned char *p = s.p + at;
		uint64_t end = sap_elf_min(last, at + 64);

		if (sap_span_has(s, at, 66)) {
			words2 any = (words2)(match16(p) | match16(p + 16) | match16(p + 32) |
					      match16(p + 48));

			if (!(any[0] | any[1])) {
				at += 64;
				continue;
			}
		}
		for (; at < end; at++) {
			if (s.p[at] == '.' && s.p[at + 1] == 's' && s.p[at + 2] == 'o')
				return at;
		}
	}
	return hi;
}

static int scan_names(struct sap_elf_ctx *c, uint64_t off, uint64_t size, void *ctx)
{
	struct sap_elf_table t = sap_elf_table_off(c, off, size, 0);
	struct names *names = ctx;
	uint64_t at = 0, n, lo, hi;
	struct sap_span s = { NULL, 0 };
	bool last;
	int r;

	t.buf = names->buf;
	t.cap = names->cap;
	do {
		n = sap_elf_min(BLOCK, t.n - at);
		last = n == t.n - at;
		r = sap_elf_table_get(c, &t, at, n, &s);
		names->buf = t.buf;
		names->cap = t.cap;
		if (r < 0)
			return r;
		lo = at == 0 ? 0 : EDGE / 2;
		hi = last ? n : n - EDGE / 2;
		for (uint64_t m = next_match(s, lo, hi); m < hi; m = next_match(s, m, hi)) {
			r = try_name(c, names, s, m, at == 0, &m);
			if (r < 0 || names->full)
				return r;
		}
		at += n - EDGE;
	} while (!last);
	return 0;
}

/* ---- read-only data --------------------------------------------------------------------- */

/* Whether a segment holds read-only data. Linkers of today put code and constants into
 * segments of their own; older ones put both into one. */
static bool is_rodata(const struct sap_elf_phdr *p, bool separate)
{
	return p->filesz && !(p->flags & PF_W) && (!separate || !(p->flags & PF_X));
}

/* Parts of the file that hold no string constants, in order. */
struct skips {
	struct {
		uint64_t from;
		uint64_t to;
	} v[SKIPS_MAX];
	uint32_t n;
};

static void skip(const struct sap_elf_ctx *c, struct skips *skips, uint64_t off, uint64_t n)
{
	uint32_t i = skips->n;

	if (off >= c->size || n == 0 || i >= SKIPS_MAX)
		return;
	for (; i > 0 && skips->v[i - 1].from > off; i--)
		skips->v[i] = skips->v[i - 1];
	skips->v[i].from = off;
	skips->v[i].to = off + sap_elf_min(n, c->size - off);
	skips->n++;
}

static void skip_at(const struct sap_elf_ctx *c, struct skips *skips, unsigned slot, uint64_t n)
{
	uint64_t off, room;

	if (sap_elf_has(c, slot) && sap_elf_map(c, c->dyn.val[slot], &off, &room))
		skip(c, skips, off, sap_elf_min(n, room));
}

/* The string table, whose names are no guesses; the interpreter's name; relocations, unwind
 * tables and code. Linkers put .text between .init and .fini. */
static void find_skips(const struct sap_elf_ctx *c, struct skips *skips)
{
	skip(c, skips, c->str_off, c->str_n);
	if (c->interp)
		skip(c, skips, c->interp->off, c->interp->filesz);
	skip_at(c, skips, DT_RELA, c->dyn.val[DT_RELASZ]);
	skip_at(c, skips, DT_JMPREL, c->dyn.val[DT_PLTRELSZ]);
	if (sap_elf_has(c, DT_FINI) && c->dyn.val[DT_FINI] > c->dyn.val[DT_INIT])
		skip_at(c, skips, DT_INIT, c->dyn.val[DT_FINI] - c->dyn.val[DT_INIT]);
	for (uint32_t i = 0; i < c->phnum; i++) {
		if (c->phdrs[i].type == PT_GNU_EH_FRAME)
			skip(c, skips, c->phdrs[i].off, c->phdrs[i].filesz);
	}
}

/* Gives fn what is left of [off, end) without the skips. *left counts down the bytes that may
 * be searched; SAP_ELIMIT when there are no more. */
static int each_piece(struct sap_elf_ctx *c, uint64_t off, uint64_t end, const struct skips *skips,
		      uint64_t *left, piece_fn fn, void *ctx)
{
	for (uint32_t i = 0; i <= skips->n && off < end; i++) {
		uint64_t to = end, n;
		int r;

		if (i < skips->n)
			to = sap_elf_min(end, skips->v[i].from);
		if (to > off) {
			n = sap_elf_min(to - off, *left);
			*left -= n;
			r = n ? fn(c, off, n, ctx) : 0;
			if (r < 0 || n < to - off)
				return r < 0 ? r : SAP_ELIMIT;
		}
		if (i < skips->n && skips->v[i].to > off)
			off = skips->v[i].to;
	}
	return 0;
}

static int each_rodata(struct sap_elf_ctx *c, uint64_t max, piece_fn fn, void *ctx)
{
	struct skips skips = { 0 };
	bool separate = false;
	int r;

	find_skips(c, &skips);
	for (uint32_t i = 0; i < c->n_loads; i++)
		separate |= is_rodata(&c->loads[i], true);
	for (uint32_t i = 0; i < c->n_loads; i++) {
		const struct sap_elf_phdr *p = &c->loads[i];

		if (!is_rodata(p, separate) || p->off >= c->size)
			continue;
		r = each_piece(c, p->off, p->off + sap_elf_min(p->filesz, c->size - p->off), &skips,
			       &max, fn, ctx);
		if (r < 0)
			return r;
	}
	return 0;
}

int sap_elf_read_dlopen_strings(struct sap_elf_ctx *c)
{
	struct names names = { 0 };
	const uint32_t damaged = c->out->rec.flags & SAP_OBJ_DAMAGED;
	int r = each_rodata(c, SAP_ELF_RODATA_MAX, scan_names, &names);

	if (r == SAP_ELIMIT)
		r = sap_elf_fault(c, r, 0,
				  "more than %llu MiB of read-only data, the rest was not searched "
				  "for names of libraries",
				  SAP_ELF_RODATA_MAX / SAP_MIB);
	else if (r == 0 && names.full)
		r = sap_elf_fault(c, SAP_ELIMIT, 0,
				  "more than %u names of libraries in read-only data",
				  SAP_ELF_STRINGS_MAX);
	if (r < 0)
		return r;
	/* A search that had to stop says nothing against the object. */
	c->out->rec.flags = (c->out->rec.flags & ~(uint32_t)SAP_OBJ_DAMAGED) | damaged;
	c->out->rec.dlopen_strings = (struct sap_strs){ names.v, names.n };
	return 0;
}

/* ---- folders of the loader -------------------------------------------------------------- */

struct dirs {
	struct sap_str best[DIRS_MAX];
	uint32_t n_best;
	struct sap_str run[DIRS_MAX];
	uint32_t n_run;
};

static bool is_lib_dir(struct sap_str s)
{
	if (s.n < 5 || s.n > NAME_LEN_MAX || s.p[0] != '/' || s.p[s.n - 1] != '/' ||
	    !memmem(s.p, s.n, "lib", 3))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (!is_name_byte((unsigned char)s.p[i]))
			return false;
	}
	return true;
}

static void end_run(struct dirs *dirs)
{
	if (dirs->n_run >= 2 && dirs->n_run > dirs->n_best) {
		memcpy(dirs->best, dirs->run, dirs->n_run * sizeof(dirs->run[0]));
		dirs->n_best = dirs->n_run;
	}
	dirs->n_run = 0;
}

/* glibc has its system folders one after another: "/lib64/" NUL "/usr/lib64/" NUL. Takes
 * the longest run of such strings. */
static int scan_dirs(struct sap_elf_ctx *c, uint64_t off, uint64_t size, void *ctx)
{
	struct dirs *dirs = ctx;
	struct sap_span s = { NULL, 0 };
	struct sap_str str;
	uint64_t at = 0;
	int r = sap_elf_keep(c, off, size, &s);

	if (r < 0)
		return r;
	for (; sap_span_cstr(s, at, &str); at += str.n + 1) {
		struct sap_str text = str;

		/* Other data may stand right before the first. */
		for (size_t i = str.n; dirs->n_run == 0 && i > 0; i--) {
			if (!is_name_byte((unsigned char)str.p[i - 1])) {
				text = sap_str_skip(str, i);
				break;
			}
		}
		if (is_lib_dir(text) && dirs->n_run < DIRS_MAX)
			dirs->run[dirs->n_run++] = text;
		else
			end_run(dirs);
	}
	end_run(dirs);
	return 0;
}

static bool is_glibc_loader(const struct sap_elf_ctx *c)
{
	struct sap_str soname = c->out->rec.soname;

	return !c->interp && c->out->rec.type == ET_DYN &&
	       (sap_str_starts(soname, SAP_STR("ld-linux")) ||
		sap_str_starts(soname, SAP_STR("ld64.so")) ||
		sap_str_starts(soname, SAP_STR("ld.so")));
}

int sap_elf_read_loader_dirs(struct sap_elf_ctx *c)
{
	struct dirs *dirs;
	int r;

	if (!is_glibc_loader(c))
		return 0;
	dirs = sap_arena_zalloc(c->arena, sizeof(*dirs));
	if (!dirs)
		return sap_err_nomem(c->err);
	r = each_rodata(c, LOADER_MAX, scan_dirs, dirs);
	if (r < 0)
		return sap_elf_soft(c, r, 0, "folders of the dynamic loader");
	c->out->rec.loader_dirs = (struct sap_strs){ dirs->best, dirs->n_best };
	return 0;
}
