/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions of ELF objects: made-up objects of both classes and byte orders with symbol
 * tables, frames and damage; and the first instructions that a uprobe cannot stand on,
 * compared with the kernel this runs on.
 */
#include "elf/functions.h"

#include <elf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../elf/elf_build.h"
#include "base/fd.h"
#include "base/limits.h"
#include "check.h"

/* ---- a small object with sections -------------------------------------------------------- */

enum { VADDR = 0x400000, CODE = 0x200, CODE_N = 0x100, DATA = 0x800, MAX = 16384 };

struct object {
	bool is64;
	bool big;
	uint16_t machine;
	unsigned char p[MAX];
	uint64_t n;
	uint64_t str, str_n, sym, sym_n, eh, eh_n, shdrs;
};

static void put(struct object *o, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n && o->n < MAX; i++)
		o->p[o->n++] = (unsigned char)(v >> 8 * (o->big ? n - 1 - i : i));
}

static void word(struct object *o, uint64_t v)
{
	put(o, v, o->is64 ? 8 : 4);
}

static void symbol(struct object *o, const char *name, uint8_t info, uint16_t section,
		   uint64_t value, uint64_t size)
{
	uint32_t at = 0;

	if (name) {
		at = (uint32_t)o->str_n;
		memcpy(o->p + o->str + o->str_n, name, strlen(name) + 1);
		o->str_n += strlen(name) + 1;
	}
	o->n = o->sym + o->sym_n;
	put(o, at, 4);
	if (!o->is64) {
		word(o, value);
		word(o, size);
	}
	put(o, info, 1);
	put(o, 0, 1);
	put(o, section, 2);
	if (o->is64) {
		word(o, value);
		word(o, size);
	}
	o->sym_n = o->n - o->sym;
}

static void section(struct object *o, uint32_t name, uint32_t type, uint64_t flags, uint64_t off,
		    uint64_t n, uint32_t link, uint64_t entsize)
{
	put(o, name, 4);
	put(o, type, 4);
	word(o, flags);
	word(o, VADDR + off);
	word(o, off);
	word(o, n);
	put(o, link, 4);
	put(o, 0, 4);
	word(o, 1);
	word(o, entsize);
}

static void phdr(struct object *o, uint32_t type, uint32_t flags, uint64_t off, uint64_t n)
{
	put(o, type, 4);
	if (o->is64)
		put(o, flags, 4);
	word(o, off);
	word(o, VADDR + off);
	word(o, VADDR + off);
	word(o, n);
	word(o, n);
	if (!o->is64)
		put(o, flags, 4);
	word(o, 4);
}

/* One FDE after a CIE with "zR", pcrel sdata4; one of a signal ("zRS"). */
static void frames(struct object *o)
{
	o->n = o->eh = 0x600;
	for (unsigned i = 0; i < 2; i++) {
		uint64_t cie = o->n, at;

		put(o, 20, 4);
		put(o, 0, 4);
		put(o, 1, 1);
		memcpy(o->p + o->n, i ? "zRS" : "zR\0", 4);
		o->n += i ? 4 : 3;
		put(o, 1, 1);
		put(o, 0x78, 1);
		put(o, 16, 1);
		put(o, 1, 1);
		put(o, 0x1b, 1);
		o->n = cie + 24;
		at = o->n;
		put(o, 20, 4);
		put(o, at + 4 - cie, 4);
		put(o, (uint64_t)CODE + 0x20 + i * 0x20 - o->n, 4);
		put(o, 0x10, 4);
		o->n = at + 24;
	}
	put(o, 0, 4);
	o->eh_n = o->n - o->eh;
}

static void start(struct object *o, bool is64, bool big, uint16_t machine)
{
	memset(o, 0, sizeof(*o));
	o->is64 = is64;
	o->big = big;
	o->machine = machine;
	memset(o->p + CODE, 0x90, CODE_N);
	o->str = 0x1000;
	o->str_n = 1;
	o->sym = 0x1400;
	symbol(o, NULL, 0, 0, 0, 0);
}

/* debugdata: put the n bytes into a section of that name. */
static void finish(struct object *o, const void *debugdata, uint64_t n)
{
	static const char names[] = "\0.gnu_debugdata\0.eh_frame";
	const unsigned ehdr = o->is64 ? 64 : 52;
	const unsigned char ident[16] = { 0x7f, 'E', 'L', 'F', o->is64 ? 2 : 1, o->big ? 2 : 1, 1 };
	uint64_t end;

	memcpy(o->p + 0x180, names, sizeof(names));
	if (n)
		memcpy(o->p + 0x1800, debugdata, n);
	frames(o);
	o->shdrs = o->n = 0xc00;
	section(o, 0, SHT_NULL, 0, 0, 0, 0, 0);
	section(o, 0, SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, CODE, CODE_N, 0, 0);
	section(o, 0, o->sym_n > (o->is64 ? 24 : 16) ? SHT_SYMTAB : SHT_NOTE, 0, o->sym, o->sym_n,
		3, o->is64 ? 24 : 16);
	section(o, 0, SHT_STRTAB, 0, o->str, o->str_n, 0, 0);
	section(o, 0, SHT_STRTAB, 0, 0x180, sizeof(names), 0, 0);
	section(o, 16, SHT_PROGBITS, SHF_ALLOC, o->eh, o->eh_n, 0, 0);
	section(o, 1, n ? SHT_PROGBITS : SHT_NOTE, 0, 0x1800, n, 0, 0);
	end = 0x1800 + n;
	o->n = 0;
	memcpy(o->p, ident, 16);
	o->n = 16;
	put(o, ET_EXEC, 2);
	put(o, o->machine, 2);
	put(o, 1, 4);
	word(o, VADDR + CODE);
	word(o, ehdr);
	word(o, o->shdrs);
	put(o, 0, 4);
	put(o, ehdr, 2);
	put(o, o->is64 ? 56 : 32, 2);
	put(o, 3, 2);
	put(o, o->is64 ? 64 : 40, 2);
	put(o, 7, 2);
	put(o, 4, 2);
	phdr(o, PT_LOAD, PF_R | PF_X, 0, DATA);
	phdr(o, PT_LOAD, PF_R | PF_W, DATA, 0x100);
	phdr(o, PT_NOTE, PF_R, 0x140, 20);
	o->n = 0x140;
	put(o, 4, 4);
	put(o, 4, 4);
	put(o, 3, 4);
	memcpy(o->p + o->n, "GNU\0\1\2\3\4", 8);
	o->n = end;
}

static uint64_t at(uint64_t code)
{
	return VADDR + CODE + code;
}

/* ---- lists ------------------------------------------------------------------------------ */

struct result {
	struct sap_arena arena;
	struct sap_fn_list list;
	int code;
};

/* The stream is the file itself. */
static int copy(void *ctx, struct sap_span packed, struct sap_arena *arena, struct sap_span *out,
		struct sap_err *err)
{
	(void)ctx;
	(void)arena;
	(void)err;
	*out = packed;
	return 0;
}

static int refuse(void *ctx, struct sap_span packed, struct sap_arena *arena, struct sap_span *out,
		  struct sap_err *err)
{
	(void)packed;
	(void)arena;
	(void)out;
	return sap_err_set(err, *(enum sap_code *)ctx, "not today");
}

static struct result list_with(struct sap_span bytes, struct sap_fn_options options)
{
	struct sap_reader reader = sap_reader_memory(bytes);
	struct result r = { .code = 0 };
	struct sap_err err = { 0 };

	sap_arena_init(&r.arena, 64 * SAP_MIB);
	r.code = sap_elf_functions(&reader, &options, &r.arena, &r.list, &err);
	return r;
}

static struct result list(const struct object *o)
{
	return list_with(sap_span_of(o->p, o->n),
			 (struct sap_fn_options){ .want = SAP_FN_WANT_ALL, .unpack = copy });
}

static void drop(struct result *r)
{
	sap_vec_clear(&r->list.v);
	sap_arena_clear(&r->arena);
}

static bool is(const struct result *r, size_t i, uint64_t code, const char *names, uint64_t size,
	       uint32_t flags)
{
	const struct sap_fn *fn = &r->list.v.v[i];

	if (!CHECK(i < r->list.v.n))
		return false;
	return CHECK_INT(fn->offset, CODE + code) && CHECK_INT(fn->addr, at(code)) &&
	       CHECK_STR(fn->names, names) && CHECK_INT(fn->size, size) &&
	       CHECK_INT(fn->flags & ~(uint32_t)SAP_FN_REFUSED, flags);
}

static void symbols_of(struct object *o)
{
	symbol(o, "zulu", 0x12, 1, at(0), 8);
	symbol(o, "alpha", 0x02, 1, at(0), 0);
	symbol(o, "alpha", 0x02, 1, at(0), 0);
	symbol(o, "versioned@@V_2", 0x12, 1, at(0x10), 4);
	symbol(o, "versioned@V_1", 0x12, 1, at(0x10), 4);
	symbol(o, "two words", 0x02, 1, at(0x20), 4);
	symbol(o, "chosen", 0x1a, 1, at(0x30), 4);
	symbol(o, "no_size", 0x02, 1, at(0x40), 0);
	symbol(o, "data", 0x11, 1, at(0x50), 4);
	symbol(o, "untyped", 0x10, 1, at(0x60), 0);
	symbol(o, "absolute", 0x12, SHN_ABS, at(0x70), 0);
	symbol(o, "undefined", 0x12, SHN_UNDEF, 0, 0);
	symbol(o, "in_data", 0x12, 2, VADDR + DATA + 4, 4);
	symbol(o, "nowhere", 0x12, 1, 0x10, 4);
}

static void test_symtab(bool is64, bool big, uint16_t machine)
{
	struct object o;
	struct result r;

	start(&o, is64, big, machine);
	symbols_of(&o);
	finish(&o, NULL, 0);
	r = list(&o);
	CHECK_INT(r.code, 0);
	CHECK(r.list.has_symtab && !r.list.damaged);
	CHECK_STR(sap_str_of(r.list.local_from), ".symtab");
	CHECK_INT(r.list.machine, machine);
	CHECK_INT(r.list.n_ifuncs, 1);
	if (CHECK_INT(r.list.v.n, 5)) {
		is(&r, 0, 0, "alpha zulu", 8, SAP_FN_LOCAL);
		is(&r, 1, 0x10, "versioned@@V_2 versioned@V_1", 4, SAP_FN_LOCAL);
		is(&r, 2, 0x20, "two?words", 4, SAP_FN_LOCAL);
		is(&r, 3, 0x30, "chosen", 4, SAP_FN_LOCAL | SAP_FN_IFUNC);
		is(&r, 4, 0x40, "no_size", 0, SAP_FN_LOCAL);
	}
	drop(&r);
}

static void test_frames(bool is64, bool big, uint16_t machine)
{
	struct object o;
	struct result r;

	start(&o, is64, big, machine);
	finish(&o, NULL, 0);
	r = list(&o);
	CHECK_INT(r.code, 0);
	CHECK(!r.list.has_symtab && !r.list.damaged);
	CHECK_STR(sap_str_of(r.list.local_from), ".eh_frame");
	/* That of the signal begins before its function. */
	if (CHECK_INT(r.list.v.n, 1))
		is(&r, 0, 0x20, "", 0x10, SAP_FN_BARE);
	drop(&r);
}

static void test_debugdata(void)
{
	static struct object inner, o;
	struct sap_fn_options options = { .want = SAP_FN_WANT_ALL, .unpack = refuse };
	enum sap_code codes[] = { SAP_EFORMAT, SAP_ELIMIT, SAP_EUNSUPPORTED, SAP_ENOMEM };
	struct result r;

	start(&inner, true, false, EM_X86_64);
	symbol(&inner, "packed", 0x02, 1, at(0x10), 4);
	finish(&inner, NULL, 0);
	start(&o, true, false, EM_X86_64);
	finish(&o, inner.p, inner.n);
	CHECK(o.n <= MAX);
	r = list_with(sap_span_of(o.p, o.n),
		      (struct sap_fn_options){ .want = SAP_FN_WANT_ALL, .unpack = copy });
	CHECK_INT(r.code, 0);
	CHECK_STR(sap_str_of(r.list.local_from), ".gnu_debugdata");
	if (CHECK_INT(r.list.v.n, 1))
		is(&r, 0, 0x10, "packed", 4, SAP_FN_LOCAL);
	drop(&r);
	for (size_t i = 0; i < 4; i++) {
		options.ctx = &codes[i];
		r = list_with(sap_span_of(o.p, o.n), options);
		CHECK_INT(r.code, codes[i] == SAP_ENOMEM ? SAP_ENOMEM : 0);
		CHECK(r.code < 0 || (r.list.damaged && r.list.v.n == 1));
		drop(&r);
	}
	options.unpack = NULL;
	r = list_with(sap_span_of(o.p, o.n), options);
	CHECK(r.code == 0 && r.list.damaged);
	drop(&r);
	options.want = SAP_FN_WANT_EXPORTED;
	r = list_with(sap_span_of(o.p, o.n), options);
	CHECK(r.code == 0 && !r.list.damaged && r.list.v.n == 0);
	drop(&r);
}

static void test_debug_file(void)
{
	static struct object debug, o;
	struct sap_fn_options options = { .want = SAP_FN_WANT_ALL };
	struct sap_reader reader;
	struct result r;

	start(&debug, true, false, EM_X86_64);
	symbol(&debug, "from_debug", 0x02, 1, at(0x10), 4);
	finish(&debug, NULL, 0);
	start(&o, true, false, EM_X86_64);
	finish(&o, NULL, 0);
	reader = sap_reader_memory(sap_span_of(debug.p, debug.n));
	options.debug = &reader;
	r = list_with(sap_span_of(o.p, o.n), options);
	CHECK_STR(sap_str_of(r.list.local_from), "debug file");
	if (CHECK_INT(r.list.v.n, 1))
		is(&r, 0, 0x10, "from_debug", 4, SAP_FN_LOCAL);
	drop(&r);
	debug.p[0x140 + 16] ^= 1; /* the build-id */
	r = list_with(sap_span_of(o.p, o.n), options);
	CHECK_STR(sap_str_of(r.list.local_from), ".eh_frame");
	CHECK(r.list.damaged);
	drop(&r);
	debug.p[0] = 0;
	r = list_with(sap_span_of(o.p, o.n), options);
	CHECK(r.code == 0 && r.list.damaged);
	drop(&r);
}

/* More names than fit: the rest is told to be missing. */
static void test_many_names(void)
{
	enum { N = 3000 };
	const size_t size = 0x2000 + N * (24 + 40);
	unsigned char *p = calloc(1, size);
	static struct object o;
	struct result r;

	start(&o, true, false, EM_X86_64);
	symbol(&o, "x", 0x12, 1, at(0), 4);
	finish(&o, NULL, 0);
	if (!CHECK(p != NULL))
		return;
	memcpy(p, o.p, o.n);
	for (uint32_t i = 0; i < N; i++) {
		unsigned char *s = p + 0x2000 + (size_t)i * 24;
		uint32_t name = i * 40 + 1;
		uint64_t value = at(0);

		memcpy(s, &name, 4);
		s[4] = 0x12;
		s[6] = 1;
		memcpy(s + 8, &value, 8);
		snprintf((char *)p + 0x2000 + N * 24 + name, 39, "a_long_name_of_a_function_%05u",
			 i);
	}
	/* Where the sections are said to lie. */
	memcpy(p + o.shdrs + 2 * 64 + 24, &(uint64_t){ 0x2000 }, 8);
	memcpy(p + o.shdrs + 2 * 64 + 32, &(uint64_t){ N * 24 }, 8);
	memcpy(p + o.shdrs + 3 * 64 + 24, &(uint64_t){ 0x2000 + N * 24 }, 8);
	memcpy(p + o.shdrs + 3 * 64 + 32, &(uint64_t){ N * 40 }, 8);
	r = list_with(sap_span_of(p, size), (struct sap_fn_options){ .want = SAP_FN_WANT_ALL });
	CHECK_INT(r.code, 0);
	CHECK(r.list.damaged);
	CHECK_INT(r.list.v.n, 1);
	CHECK(r.list.v.n == 1 && r.list.v.v[0].names.n <= SAP_FN_NAMES_MAX &&
	      r.list.v.v[0].names.n > SAP_FN_NAMES_MAX - 64);
	drop(&r);
	free(p);
}

static const struct shape shapes[] = {
	{ "x86-64", true, false, false, false, false, EM_X86_64 },
	{ "i386", false, false, false, false, true, EM_386 },
	{ "AArch64", true, false, false, false, false, EM_AARCH64 },
	{ "s390x", true, true, false, false, true, EM_S390 },
	{ "PowerPC", false, true, false, false, false, EM_PPC },
};

static void test_exported(const struct shape *shape)
{
	static struct image im;
	struct result r;

	build(&im, shape, 0x25);
	r = list_with(sap_span_of(im.p, im.n),
		      (struct sap_fn_options){ .want = SAP_FN_WANT_EXPORTED });
	CHECK_INT(r.code, 0);
	if (CHECK_INT(r.list.v.n, 1)) {
		const struct sap_fn *fn = &r.list.v.v[0];

		CHECK_STR(fn->names, "test_resolved@@TEST_1");
		CHECK_INT(fn->offset, 0x40);
		CHECK_INT(fn->addr, BUILD_VADDR + 0x40);
		CHECK_INT(fn->flags & ~(uint32_t)SAP_FN_REFUSED, SAP_FN_EXPORTED | SAP_FN_IFUNC);
	}
	/* DT_INIT is the start of the file here; the array lies over the relocations. */
	CHECK(r.list.n_constructors >= 1 && r.list.n_ifuncs >= 1);
	drop(&r);
}

/* Cut at each byte, and each bit turned in the parts that lead somewhere. */
static void damage(const unsigned char *p, uint64_t n, uint64_t step)
{
	unsigned char *copied = malloc(n);

	if (!CHECK(copied != NULL))
		return;
	for (uint64_t cut = 0; cut < n; cut += step) {
		struct result r = list_with(sap_span_of(p, cut),
					    (struct sap_fn_options){ .want = 3, .unpack = copy });

		if (r.code > 0)
			CHECK_INT(r.code, 0);
		drop(&r);
	}
	memcpy(copied, p, n);
	for (uint64_t bit = 0; bit < n * 8; bit += step) {
		struct result r;

		copied[bit / 8] ^= (unsigned char)(1u << bit % 8);
		r = list_with(sap_span_of(copied, n),
			      (struct sap_fn_options){ .want = 3, .unpack = copy });
		for (size_t i = 1; i < r.list.v.n; i++) {
			if (r.list.v.v[i - 1].offset >= r.list.v.v[i].offset)
				CHECK_INT(r.list.v.v[i].offset, -1); /* they rise */
		}
		drop(&r);
		copied[bit / 8] ^= (unsigned char)(1u << bit % 8);
	}
	free(copied);
}

static void test_damage(void)
{
	static struct image im;
	static struct object o;

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		build(&im, &shapes[i], 0x25);
		damage(im.p, im.n, i ? 3 : 1);
	}
	start(&o, true, false, EM_X86_64);
	symbols_of(&o);
	finish(&o, NULL, 0);
	damage(o.p, o.n, 3);
	start(&o, false, true, EM_PPC);
	finish(&o, NULL, 0);
	damage(o.p, o.n, 3);
	CHECK(true);
}

__attribute__((noinline, used)) static int a_function_of_this_test(int x)
{
	return x * 7 + 1;
}

static void test_self(void)
{
	sap_cleanup_fd int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct sap_fn_options options = { .want = SAP_FN_WANT_ALL };
	struct sap_fn_list found = { 0 };
	struct sap_reader reader;
	struct sap_arena arena;
	struct sap_err err = { 0 };
	bool seen = false;
	struct stat st;

	if (!CHECK(fd >= 0 && fstat(fd, &st) == 0))
		return;
	sap_arena_init(&arena, 64 * SAP_MIB);
	reader = sap_reader_fd(fd, (uint64_t)st.st_size);
	CHECK_OK(sap_elf_functions(&reader, &options, &arena, &found, &err), &err);
	for (size_t i = 0; i < found.v.n; i++)
		seen |= sap_str_is(found.v.v[i].names, "a_function_of_this_test") &&
			found.v.v[i].flags == SAP_FN_LOCAL && found.v.v[i].size > 0;
	CHECK(seen || !found.has_symtab);
	sap_vec_clear(&found.v);
	sap_arena_clear(&arena);
}

/* ---- instructions ----------------------------------------------------------------------- */

struct code {
	unsigned char p[16];
	unsigned n;
};

static struct code unhex(const char *hex)
{
	struct code c = { .n = 0 };
	unsigned b;

	memset(c.p, 0x90, sizeof(c.p));
	for (; hex[0] && hex[1] && c.n < 16; hex += 2) {
		char two[3] = { hex[0], hex[1], '\0' };

		b = (unsigned)strtoul(two, NULL, 16);
		c.p[c.n++] = (unsigned char)b;
	}
	return c;
}

static void test_refused(void)
{
	static const struct {
		uint16_t machine;
		const char *hex;
		bool refused;
	} table[] = {
		{ EM_X86_64, "90", false },           /* nop */
		{ EM_X86_64, "6690", false },         /* nop of two bytes */
		{ EM_X86_64, "0f1f440000", false },   /* nop of five */
		{ EM_X86_64, "f30f1efa", false },     /* endbr64 */
		{ EM_X86_64, "55", false },           /* push rbp */
		{ EM_X86_64, "4157", false },         /* push r15 */
		{ EM_X86_64, "4883ec08", false },     /* sub rsp, 8 */
		{ EM_X86_64, "64488b042528", false }, /* mov rax, fs:40 */
		{ EM_X86_64, "e900000000", false },   /* jmp */
		{ EM_X86_64, "c3", false },           /* ret */
		{ EM_X86_64, "f3c3", false },         /* rep ret */
		{ EM_X86_64, "0f05", false },         /* syscall */
		{ EM_X86_64, "c5f877", true },        /* vzeroupper: taken for ja */
		{ EM_X86_64, "c5f857c0", false },     /* vxorps */
		{ EM_X86_64, "c5f9efc0", true },      /* vpxor */
		{ EM_X86_64, "c5fa6f07", true },      /* vmovdqu */
		{ EM_X86_64, "c5f96ec7", true },      /* vmovd */
		{ EM_X86_64, "62f1fe486f06", true },  /* vmovdqu64 */
		{ EM_X86_64, "62f27d487807", true },  /* vpbroadcastb: js */
		{ EM_X86_64, "62f27d287ac7", true },  /* vpbroadcastb: jp */
		{ EM_X86_64, "c5f9ebc1", true },      /* vpor: jmp */
		{ EM_X86_64, "c5f9e8c1", true },      /* vpsubsb: call */
		{ EM_X86_64, "c4e2719dc1", true },    /* vfnmadd132ss: popf */
		{ EM_X86_64, "c5f8c2c000", true },    /* vcmpeqps: ret */
		{ EM_X86_64, "c4e1f89000", true },    /* kmovq: nop */
		{ EM_X86_64, "c5fa58c1", false },     /* vaddss */
		{ EM_X86_64, "c4e27199c1", false },   /* vfmadd132ss */
		{ EM_X86_64, "f0ff00", true },        /* lock inc */
		{ EM_X86_64, "2e90", true },          /* cs nop */
		{ EM_X86_64, "3effe0", true },        /* notrack jmp */
		{ EM_X86_64, "66e90000", true },      /* jmp of 16 bits */
		{ EM_X86_64, "cc", true },            /* int3 */
		{ EM_X86_64, "cd80", true },          /* int 128 */
		{ EM_X86_64, "f4", true },            /* hlt */
		{ EM_X86_64, "06", true },            /* not in 64-bit mode */
		{ EM_X86_64, "8ed0", true },          /* mov ss, eax */
		{ EM_X86_64, "8ec0", false },         /* mov es, eax */
		{ EM_386, "06", false },              /* push es */
		{ EM_386, "07", true },               /* pop es */
		{ EM_386, "6600c0", false },          /* add al, al */
		{ EM_386, "41", false },              /* inc ecx */
		{ EM_386, "c506", false },            /* lds */
		{ EM_386, "c5f9efc0", true },         /* vpxor */
		{ EM_386, "f30f1efb", false },        /* endbr32 */
		{ EM_AARCH64, "fd7bbfa9", false },    /* stp x29, x30, [sp, -16]! */
		{ EM_AARCH64, "5f2403d5", false },    /* bti c */
		{ EM_AARCH64, "3f2303d5", false },    /* paciasp */
		{ EM_AARCH64, "1f2003d5", false },    /* nop */
		{ EM_AARCH64, "3f2003d5", true },     /* yield */
		{ EM_AARCH64, "c0035fd6", false },    /* ret */
		{ EM_AARCH64, "ff0b5fd6", true },     /* retaa */
		{ EM_AARCH64, "010000d4", true },     /* svc */
		{ EM_AARCH64, "00000058", true },     /* ldr x0, label */
		{ EM_AARCH64, "007c5fc8", true },     /* ldxr */
		{ EM_AARCH64, "00000090", false },    /* adrp */
		{ EM_AARCH64, "00000094", false },    /* bl */
		{ EM_S390, "ebbff0580024", false },   /* nothing is known */
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct code c = unhex(table[i].hex);

		if (!CHECK_INT(sap_probe_refused(table[i].machine, sap_span_of(c.p, 16)),
			       table[i].refused))
			fprintf(stderr, "  (%s)\n", table[i].hex);
		for (uint64_t n = 0; n < 16; n++)
			(void)sap_probe_refused(table[i].machine, sap_span_of(c.p, n));
	}
}

#ifdef __x86_64__

/*
 * The kernel's opinion: a program is made whose code is candidates, all of them get a uprobe
 * (one link of uprobe_multi) before it runs; where the kernel takes one, the running
 * program has an int3.
 */
enum { SITES_MAX = 40000, FIRST_SITE = 4096, BASE = 0x10000000 };

struct sites {
	bool is64;
	uint32_t n;
	uint64_t offsets[SITES_MAX];
	unsigned char file[FIRST_SITE + SITES_MAX * 16];
	unsigned char run[FIRST_SITE + SITES_MAX * 16];
};

static void add_site(struct sites *s, const char *hex)
{
	struct code c = unhex(hex);
	uint64_t off = FIRST_SITE + s->n * 16ULL;

	if (!CHECK(s->n < SITES_MAX))
		return;
	memcpy(s->file + off, c.p, 16);
	s->offsets[s->n++] = off;
}

/* Opcodes of one and two bytes with several prefixes and operands; VEX and EVEX. */
static void add_sites(struct sites *s)
{
	static const char *const prefixes[] = { "",   "66", "f2", "f3", "64",   "65",   "67",  "2e",
						"3e", "26", "36", "f0", "6667", "64f2", "6636" };
	static const char *const rests[] = { "c000000000", "0500000000", "d000000000",
					     "1400000000" };
	char hex[64];

	for (unsigned op = 0; op < 256; op++) {
		for (unsigned p = 0; p < sizeof(prefixes) / sizeof(prefixes[0]); p++) {
			for (unsigned r = 0; r < 4; r += p < 4 ? 1 : 4) {
				snprintf(hex, sizeof(hex), "%s%02x%s", prefixes[p], op, rests[r]);
				add_site(s, hex);
				snprintf(hex, sizeof(hex), "%s0f%02x%s", prefixes[p], op, rests[r]);
				add_site(s, hex);
				if (p >= 4 || !s->is64)
					continue;
				snprintf(hex, sizeof(hex), "%s48%02x%s", prefixes[p], op, rests[r]);
				add_site(s, hex);
			}
		}
		for (unsigned pp = 0; pp < 4; pp++) {
			snprintf(hex, sizeof(hex), "c5%02x%02xc000000000", 0xf8 | pp, op);
			add_site(s, hex);
			for (unsigned map = 1; map <= 3; map++) {
				snprintf(hex, sizeof(hex), "c4%02x%02x%02xc000000000", 0xe0 | map,
					 0x78 | pp, op);
				add_site(s, hex);
				snprintf(hex, sizeof(hex), "62%02x%02x48%02xc000000000", 0xf0 | map,
					 0x7c | pp, op);
				add_site(s, hex);
			}
		}
	}
}

/* An ELF program that only waits; its code goes on with the candidates. */
static int write_program(struct sites *s, char *path)
{
	static const unsigned char wait64[] = { 0xb8, 34, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7 };
	static const unsigned char wait32[] = { 0xb8, 29, 0, 0, 0, 0xcd, 0x80, 0xeb, 0xf7 };
	const uint64_t n = FIRST_SITE + s->n * 16ULL;
	int fd = mkstemp(path);

	if (s->is64) {
		Elf64_Ehdr e = { .e_ident = "\177ELF\2\1\1",
				 ET_EXEC,
				 EM_X86_64,
				 1,
				 BASE + 512,
				 64,
				 0,
				 0,
				 64,
				 56,
				 1,
				 0,
				 0,
				 0 };
		Elf64_Phdr p = { PT_LOAD, PF_R | PF_X, 0, BASE, BASE, n, n, 4096 };

		memcpy(s->file, &e, sizeof(e));
		memcpy(s->file + 64, &p, sizeof(p));
		memcpy(s->file + 512, wait64, sizeof(wait64));
	} else {
		Elf32_Ehdr e = { .e_ident = "\177ELF\1\1\1",
				 ET_EXEC,
				 EM_386,
				 1,
				 BASE + 512,
				 52,
				 0,
				 0,
				 52,
				 32,
				 1,
				 0,
				 0,
				 0 };
		Elf32_Phdr p = {
			PT_LOAD, 0, BASE, BASE, (uint32_t)n, (uint32_t)n, PF_R | PF_X, 4096
		};

		memcpy(s->file, &e, sizeof(e));
		memcpy(s->file + 52, &p, sizeof(p));
		memcpy(s->file + 512, wait32, sizeof(wait32));
	}
	if (fd < 0 || write(fd, s->file, n) != (ssize_t)n || fchmod(fd, 0700) < 0) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	close(fd);
	return 0;
}

/* As in newer kernels' linux/bpf.h. */
struct multi {
	uint32_t prog_fd, target_fd, type, flags;
	uint64_t path, offsets, ref_ctr_offsets, cookies;
	uint32_t cnt, uprobe_flags, pid, pad;
};

/* A link on all candidates; -errno. */
static int link_all(const struct sites *s, const char *path)
{
	static const struct bpf_insn program[] = {
		{ .code = 0xb7 }, /* r0 = 0 */
		{ .code = 0x95 }, /* exit */
	};
	union bpf_attr load;
	struct multi multi = {
		.type = 48, .path = (uintptr_t)path, .offsets = (uintptr_t)s->offsets, .cnt = s->n
	};
	int prog, fd;

	memset(&load, 0, sizeof(load));
	load.prog_type = BPF_PROG_TYPE_KPROBE;
	load.insn_cnt = 2;
	load.insns = (uintptr_t)program;
	load.license = (uintptr_t) "GPL";
	load.expected_attach_type = 48;
	prog = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load));
	if (prog < 0)
		return -errno;
	multi.prog_fd = (uint32_t)prog;
	fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &multi, sizeof(multi));
	if (fd < 0)
		fd = -errno;
	close(prog);
	return fd;
}

static pid_t run_program(const char *path)
{
	int status[2];
	pid_t pid;
	char c;

	/* The pipe closes with the exec. */
	if (pipe2(status, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		execl(path, path, (char *)NULL);
		(void)!write(status[1], "x", 1);
		_exit(127);
	}
	close(status[1]);
	if (pid > 0 && read(status[0], &c, 1) == 1) {
		waitpid(pid, NULL, 0);
		pid = -1;
	}
	close(status[0]);
	return pid;
}

static bool read_program(struct sites *s, pid_t pid)
{
	const uint64_t n = FIRST_SITE + s->n * 16ULL;
	sap_cleanup_fd int fd = -1;
	char path[64];
	uint64_t done = 0;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && done < n) {
		ssize_t r = pread(fd, s->run + done, n - done, (off_t)(BASE + done));

		if (r <= 0)
			return false;
		done += (uint64_t)r;
	}
	return fd >= 0;
}

/* The kernel takes these, for other instructions: it would harm the program. */
static bool is_harmful(const unsigned char *p)
{
	unsigned vex = p[0] == 0xc5 ? 2 : p[0] == 0xc4 ? 3 : p[0] == 0x62 ? 4 : 0;
	uint8_t op = p[vex];

	return vex && ((op & 0xf0) == 0x70 || op == 0x90 || op == 0x9a || op == 0x9d ||
		       op == 0xc2 || op == 0xc3 || op == 0xca || op == 0xcb || op == 0xe8 ||
		       op == 0xe9 || op == 0xea || op == 0xeb || op == 0xff);
}

/* Whatever compilers put first must be told alike. Else the decoder of the kernel may refuse more. */
static void compare(const struct sites *s)
{
	uint32_t more = 0, wrong = 0;

	for (uint32_t i = 0; i < s->n; i++) {
		const unsigned char *p = s->file + s->offsets[i];
		bool theirs = s->run[s->offsets[i]] != 0xcc;
		bool ours = sap_probe_refused(s->is64 ? EM_X86_64 : EM_386, sap_span_of(p, 16));

		if (p[0] == 0xcc)
			continue; /* it has one anyway */
		more += theirs && !ours;
		if (!theirs && ours && !is_harmful(p) && wrong++ < 10)
			fprintf(stderr, "taken, but said to be refused: %02x %02x %02x %02x %02x\n",
				p[0], p[1], p[2], p[3], p[4]);
	}
	fprintf(stderr, "%s: %u instructions, %u more refused by the kernel's decoder\n",
		s->is64 ? "x86-64" : "i386", s->n, more);
	CHECK_INT(wrong, 0);
}

static int open_single(const char *path, uint64_t offset, pid_t pid, uint32_t type)
{
	struct perf_event_attr attr = {
		.type = type, .size = sizeof(attr), .config1 = (uintptr_t)path, .config2 = offset
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, pid, -1, -1, PERF_FLAG_FD_CLOEXEC);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* Each costs the kernel a tenth of a second: a few. */
static void compare_singly(const struct sites *s, const char *path, pid_t pid)
{
	FILE *f = fopen("/sys/bus/event_source/devices/uprobe/type", "re");
	char text[16] = "";

	if (!f || !fgets(text, sizeof(text), f)) {
		check_skip("single uprobes", "this kernel has no PMU \"uprobe\"");
	} else {
		for (uint32_t i = s->n - 8; i < s->n; i++) {
			const unsigned char *p = s->file + s->offsets[i];
			bool ours =
				sap_probe_refused(s->is64 ? EM_X86_64 : EM_386, sap_span_of(p, 16));
			uint32_t type = (uint32_t)strtoul(text, NULL, 10);

			CHECK_INT(open_single(path, s->offsets[i], pid, type), ours ? -524 : 0);
		}
	}
	if (f)
		fclose(f);
}

static void test_kernel(bool is64)
{
	static const char *const singly[] = { "90",       "55",     "f30f1efa", "c5f9efc0",
					      "c5fa6f07", "f0ff00", "cc",       "cd80" };
	const char *what = is64 ? "the kernel's list, 64 bits" : "the kernel's list, 32 bits";
	struct sites *s = calloc(1, sizeof(*s));
	char path[] = "/tmp/sap-functions-XXXXXX";
	pid_t pid = -1;
	int fd;

	if (!CHECK(s != NULL))
		return;
	s->is64 = is64;
	add_sites(s);
	for (size_t i = 0; i < sizeof(singly) / sizeof(singly[0]); i++)
		add_site(s, singly[i]);
	if (!CHECK(write_program(s, path) == 0))
		goto out;
	fd = link_all(s, path);
	if (fd < 0) {
		check_skip(what, fd == -EPERM ? "no right to load BPF programs"
					      : "this kernel has no uprobe_multi");
		goto out;
	}
	pid = run_program(path);
	if (pid < 0)
		check_skip(what, "such a program does not run here");
	else if (CHECK(read_program(s, pid)))
		compare(s);
	close(fd);
	if (pid > 0) {
		compare_singly(s, path, pid);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
out:
	unlink(path);
	free(s);
}
#else
static void test_kernel(bool is64)
{
	(void)is64;
	check_skip("the kernel's list", "this is no x86-64");
}
#endif

int main(void)
{
	test_symtab(true, false, EM_X86_64);
	test_symtab(false, false, EM_386);
	test_symtab(true, true, EM_S390);
	test_symtab(false, true, EM_PPC);
	test_frames(true, false, EM_X86_64);
	test_frames(false, false, EM_386);
	test_frames(true, true, EM_S390);
	test_frames(false, true, EM_PPC);
	test_debugdata();
	test_debug_file();
	test_many_names();
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		test_exported(&shapes[i]);
	test_damage();
	test_self();
	CHECK_INT(a_function_of_this_test(2), 15);
	test_refused();
	test_kernel(true);
	test_kernel(false);
	return check_done();
}
