/* SPDX-License-Identifier: Apache-2.0 */
/*
 * src/elf on files that are built here. With "--write FOLDER" the files are written instead,
 * as a start for fuzzing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "check.h"
#include "elf/elf.h"
#include "model/uses.h"
#include "../elf/elf_build.h"

static const struct {
	struct shape shape;
	uint32_t irelative;
} shapes[] = {
	{ { .name = "x86-64-program", .is64 = true, .program = true, .machine = EM_X86_64 }, 37 },
	{ { .name = "x86-64-library", .is64 = true, .machine = EM_X86_64 }, 37 },
	{ { .name = "x86-64-static",
	    .is64 = true,
	    .program = true,
	    .is_static = true,
	    .machine = EM_X86_64 },
	  37 },
	{ { .name = "i386-library", .sysv = true, .machine = EM_386 }, 42 },
	{ { .name = "ppc-program", .big = true, .program = true, .machine = EM_PPC }, 248 },
	{ { .name = "ppc-static",
	    .big = true,
	    .program = true,
	    .is_static = true,
	    .machine = EM_PPC },
	  248 },
	{ { .name = "s390x-library", .is64 = true, .big = true, .sysv = true, .machine = EM_S390 },
	  61 },
	{ { .name = "ppc64-program",
	    .is64 = true,
	    .big = true,
	    .program = true,
	    .machine = EM_PPC64 },
	  248 },
};

enum { SHAPES = sizeof(shapes) / sizeof(shapes[0]) };

static struct image image;
static struct sap_arena arena;
static struct sap_elf elf;
static struct sap_err err;

static const struct image *make(unsigned i)
{
	build(&image, &shapes[i].shape, shapes[i].irelative);
	return &image;
}

/* Reads n bytes from an allocation of just that size, so that ASan sees one byte too far. */
static int read_bytes(const unsigned char *p, uint64_t n, uint64_t head, unsigned want)
{
	unsigned char *exact = malloc(n ? n : 1);
	struct sap_reader reader;
	int r = SAP_ENOMEM;

	sap_arena_reset(&arena);
	memset(&elf, 0, sizeof(elf));
	if (!exact)
		return r;
	memcpy(exact, p, n);
	reader = sap_reader_memory(sap_span_of(exact, n));
	r = sap_elf_read(&reader, sap_span_of(exact, head < n ? head : n), want, &arena, &elf,
			 &err);
	/* What the record borrows must be dead neither now nor after the head is gone. */
	for (uint32_t i = 0; r == 0 && i < elf.rec.needed.n; i++)
		r = memchr(elf.rec.needed.v[i].p, '\0', elf.rec.needed.v[i].n) ? SAP_EUSAGE : 0;
	free(exact);
	return r;
}

/* The image in memory that lives on, for tests that look at the texts. */
static int read_image(unsigned want)
{
	struct sap_reader reader = sap_reader_memory(sap_span_of(image.p, image.n));

	sap_arena_reset(&arena);
	return sap_elf_read(&reader, sap_span_of(image.p, image.n < 1024 ? image.n : 1024), want,
			    &arena, &elf, &err);
}

static bool has_fault(int code)
{
	for (uint32_t i = 0; i < elf.n_faults; i++) {
		if (elf.faults[i].code == code)
			return true;
	}
	return false;
}

static void check_list(struct sap_strs got, const char *const *want, uint32_t n)
{
	if (!CHECK_INT(got.n, n))
		return;
	for (uint32_t i = 0; i < n; i++)
		CHECK_STR(got.v[i], want[i]);
}

#define CHECK_LIST(got, ...)                                    \
	check_list((got), (const char *const[]){ __VA_ARGS__ }, \
		   sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static void check_dynamic(const struct shape *shape)
{
	const struct sap_rec_object *rec = &elf.rec;
	uint32_t flags = SAP_OBJ_DYNAMIC | SAP_OBJ_BIND_NOW | SAP_OBJ_RELRO | SAP_OBJ_SYMBOLS_READ |
			 SAP_OBJ_SECTIONS | SAP_OBJ_SYMTAB | SAP_OBJ_VERSIONS;

	CHECK_INT(rec->flags,
		  flags | (shape->program ? SAP_OBJ_PIE | SAP_OBJ_PIE_MARK : SAP_OBJ_NODELETE));
	CHECK_LIST(rec->needed, "libc.so.6", "libpam.so.0");
	CHECK_STR(rec->soname, shape->program ? "" : "libtest.so.1");
	CHECK_STR(rec->interp, shape->program ? "/lib/ld.so.1" : "");
	CHECK_STR(rec->runpath, "$ORIGIN/lib");
	CHECK(!rec->rpath.p);
	if (CHECK_INT(rec->n_verneeds, 2)) {
		CHECK_STR(rec->verneeds[0].file, "libc.so.6");
		CHECK_STR(rec->verneeds[0].version, "GLIBC_2.34");
		CHECK(!rec->verneeds[0].weak);
		CHECK_STR(rec->verneeds[1].version, "GLIBC_9");
		CHECK(rec->verneeds[1].weak);
	}
	CHECK_LIST(rec->verdefs, "TEST_1");
	CHECK_INT(rec->n_defined, 2);
	CHECK_INT(rec->n_imported, 3);
	CHECK_INT(rec->n_ifuncs, 1);
	CHECK_INT(rec->n_constructors, 4);
	CHECK_LIST(rec->uses, "dlopen", "getpwnam", "pam_start");
	CHECK_LIST(rec->dlopen_strings, "/usr/lib/x/mod.so", "libfoo.so.2");
}

static void check_symbols(void)
{
	const struct sap_rec_symbol *s = elf.symbols;

	if (!CHECK_INT(elf.n_symbols, 5))
		return;
	CHECK_STR(s[0].name, "dlopen");
	CHECK_STR(s[0].version, "GLIBC_2.34");
	CHECK_STR(s[0].file, "libc.so.6");
	CHECK(!s[0].defined);
	CHECK_INT(s[1].flags, SAP_SYM_WEAK | SAP_SYM_FUNC);
	CHECK(!s[1].version.p);
	CHECK_STR(s[3].name, "test_resolved");
	CHECK_STR(s[3].version, "TEST_1");
	CHECK_INT(s[3].flags, SAP_SYM_IFUNC);
	CHECK_INT(s[3].value, BUILD_VADDR + 0x40);
	CHECK_INT(s[4].flags, SAP_SYM_OBJECT | SAP_SYM_HIDDEN_VERSION);
	CHECK_INT(s[4].size, 16);
	CHECK(s[4].defined);
}

static void test_all_shapes_are_read_in_full(void)
{
	for (unsigned i = 0; i < SHAPES; i++) {
		const struct shape *shape = &shapes[i].shape;
		const struct sap_rec_object *rec = &elf.rec;

		make(i);
		if (!CHECK_OK(read_image(SAP_ELF_ALL), &err))
			continue;
		CHECK_INT(elf.n_faults, 0);
		CHECK_INT(rec->elf_class, shape->is64 ? 2 : 1);
		CHECK_INT(rec->endian, shape->big ? 2 : 1);
		CHECK_INT(rec->machine, shape->machine);
		CHECK_INT(rec->e_flags, 5);
		CHECK_INT(rec->build_id.n, 8);
		CHECK_STR(elf.package_note_json, "{\"type\":\"deb\",\"name\":\"test\"}");
		CHECK_LIST(elf.dlopen_note_json, "[{\"soname\":[\"libz.so.1\"]}]");
		CHECK_INT(rec->n_irelative, 1);
		if (!shape->is_static) {
			check_dynamic(shape);
			check_symbols();
			continue;
		}
		CHECK_INT(rec->flags,
			  SAP_OBJ_STATIC | SAP_OBJ_RELRO | SAP_OBJ_SECTIONS | SAP_OBJ_SYMTAB);
		CHECK_INT(rec->mapped_bytes, image.shdrs);
		CHECK_INT(rec->code_bytes, image.shdrs);
	}
}

static void test_only_what_is_wanted_is_read(void)
{
	make(0);
	CHECK_OK(read_image(0), &err);
	CHECK_INT(elf.rec.needed.n, 2);
	CHECK_INT(elf.rec.n_verneeds, 2);
	CHECK(!(elf.rec.flags & (SAP_OBJ_SYMBOLS_READ | SAP_OBJ_SECTIONS)));
	CHECK_INT(elf.rec.uses.n, 0);
	CHECK_INT(elf.rec.n_irelative, 0);
	CHECK(!elf.rec.build_id.p);
	CHECK_OK(read_image(SAP_ELF_USES), &err);
	CHECK_INT(elf.rec.uses.n, 3);
	CHECK_INT(elf.rec.dlopen_strings.n, 0);
	CHECK_INT(elf.n_symbols, 0);
}

/* The texts of a record outlive the head. */
static void test_the_head_may_go_away(void)
{
	unsigned char head[4096];
	struct sap_reader reader;

	make(1);
	memcpy(head, image.p, image.n < sizeof(head) ? image.n : sizeof(head));
	reader = sap_reader_memory(sap_span_of(image.p, image.n));
	sap_arena_reset(&arena);
	CHECK_OK(sap_elf_read(&reader, sap_span_of(head, sizeof(head)), SAP_ELF_ALL, &arena, &elf,
			      &err),
		 &err);
	memset(head, 'x', sizeof(head));
	check_dynamic(&shapes[1].shape);
	check_symbols();
	CHECK_STR(elf.package_note_json, "{\"type\":\"deb\",\"name\":\"test\"}");
}

static void test_cut_at_every_byte(void)
{
	for (unsigned i = 0; i < SHAPES; i++) {
		const struct image *im = make(i);
		unsigned bad = 0, silent = 0;

		for (uint64_t n = 0; n < im->n; n++) {
			int r = read_bytes(im->p, n, 1024, SAP_ELF_ALL);

			bad += r != 0 && r != SAP_EFORMAT;
			silent += r == 0 && !(elf.rec.flags & SAP_OBJ_DAMAGED);
		}
		CHECK_INT(bad, 0);
		CHECK_INT(silent, 0);
	}
}

static void test_each_bit_flipped(void)
{
	for (unsigned i = 0; i < SHAPES; i++) {
		unsigned bad = 0;

		make(i);
		for (uint64_t bit = 0; bit < image.n * 8; bit++) {
			int r;

			image.p[bit / 8] ^= (unsigned char)(1u << bit % 8);
			r = read_bytes(image.p, image.n, bit % 2 ? 0 : 1024, SAP_ELF_ALL);
			bad += r != 0 && r != SAP_EFORMAT;
			image.p[bit / 8] ^= (unsigned char)(1u << bit % 8);
		}
		CHECK_INT(bad, 0);
	}
}

/* Offset of the value of the first dynamic entry with that tag. */
static uint64_t dyn_value(uint64_t tag)
{
	const unsigned word = image.shape.is64 ? 8 : 4;

	for (uint64_t at = image.dynamic; at < image.shdrs; at += 2 * word) {
		uint64_t got = 0;

		for (unsigned i = 0; i < word; i++)
			got |= (uint64_t)image.p[at + i]
			       << 8 * (image.shape.big ? word - 1 - i : i);
		if (got == tag)
			return at + word;
	}
	check_true(__FILE__, __LINE__, "the tag is there", false);
	return image.dynamic;
}

static void test_a_needed_name_of_5000_bytes_is_left_out(void)
{
	make(0);
	/* A new string table behind the file, made part of the first segment. */
	poke(&image, dyn_value(DT_STRTAB), BUILD_VADDR + image.n, 8);
	poke(&image, dyn_value(DT_STRSZ), 6000, 8);
	poke(&image, image.phdrs + 56 + 32, image.n + 6000, 8);
	poke(&image, image.phdrs + 56 + 40, image.n + 6000, 8);
	memset(image.p + image.n, 'a', 5000);
	image.n += 6000;
	CHECK_OK(read_image(0), &err);
	CHECK(elf.rec.flags & SAP_OBJ_DAMAGED);
	CHECK(has_fault(SAP_ELIMIT));
	CHECK_INT(elf.rec.needed.n, 0);
	CHECK_STR(elf.rec.interp, "/lib/ld.so.1");
}

static void test_a_string_table_without_nul(void)
{
	make(0);
	memset(image.p + image.strtab, 'b', image.str_n);
	poke(&image, dyn_value(DT_STRSZ), image.str_n, 8);
	CHECK_OK(read_image(SAP_ELF_ALL), &err);
	CHECK(has_fault(SAP_EFORMAT));
	CHECK(elf.rec.flags & SAP_OBJ_DAMAGED);
}

/* The loaders do not know DT_STRSZ: a name behind it is read, and said. */
static void test_a_string_table_that_says_it_is_shorter(void)
{
	make(0);
	poke(&image, dyn_value(DT_STRSZ), 1, 8);
	CHECK_OK(read_image(0), &err);
	CHECK_LIST(elf.rec.needed, "libc.so.6", "libpam.so.0");
	CHECK(has_fault(SAP_EFORMAT));
	make(0);
	poke(&image, dyn_value(DT_STRSZ), UINT64_MAX, 8);
	CHECK_OK(read_image(0), &err);
	CHECK_LIST(elf.rec.needed, "libc.so.6", "libpam.so.0");
	CHECK(has_fault(SAP_EFORMAT));
}

static void test_a_later_segment_covers_an_earlier_one(void)
{
	uint64_t other;

	make(0);
	/* PT_GNU_RELRO becomes a PT_LOAD over the string table, with other names in it. */
	other = image.n;
	memcpy(image.p + other, image.p + image.strtab, image.str_n);
	memcpy(image.p + other + 1, "libX", 4);
	image.n += image.str_n;
	for (uint64_t at = image.phdrs + 5 * 56; at <= image.phdrs + 6 * 56; at += 56) {
		if (image.p[at] != 0x52)
			continue;
		poke(&image, at, PT_LOAD, 4);
		poke(&image, at + 8, other, 8);
		poke(&image, at + 16, BUILD_VADDR + image.strtab, 8);
		poke(&image, at + 32, image.str_n, 8);
		poke(&image, at + 40, image.str_n, 8);
	}
	CHECK_OK(read_image(0), &err);
	CHECK_LIST(elf.rec.needed, "libX.so.6", "libpam.so.0");
}

static void test_a_chain_of_the_gnu_hash_table_without_end(void)
{
	make(0);
	poke(&image, image.hash + 28, 0x2000, 4); /* the last link: no end */
	poke(&image, image.hash + 32, 0, 4);
	CHECK_OK(read_image(SAP_ELF_USES), &err);
	make(0);
	poke(&image, image.hash, UINT32_MAX, 4); /* buckets */
	CHECK_OK(read_image(SAP_ELF_USES), &err);
	CHECK(has_fault(SAP_ELIMIT));
	make(0);
	poke(&image, image.hash + 8, UINT32_MAX, 4); /* bloom filter */
	CHECK_OK(read_image(SAP_ELF_USES), &err);
	CHECK(has_fault(SAP_EFORMAT));
}

static void test_symbols_are_counted_without_a_hash_table(void)
{
	make(1);
	/* DT_VERSYM follows the symbols. */
	poke(&image, dyn_value(DT_GNU_HASH) - 8, 0x6ffffff0 - 0x100, 8);
	CHECK_OK(read_image(SAP_ELF_USES), &err);
	CHECK_INT(elf.rec.n_defined, 2);
	CHECK_INT(elf.rec.n_imported, 3);
	CHECK(elf.rec.flags & SAP_OBJ_SYMBOLS_READ);
	make(3);
	poke(&image, image.hash + 4, 0x7fffffff, 4); /* nchain */
	CHECK_OK(read_image(SAP_ELF_ALL), &err);
	CHECK(has_fault(SAP_ELIMIT));
	CHECK(!(elf.rec.flags & SAP_OBJ_SYMBOLS_READ));
}

static void test_program_headers_that_lie(void)
{
	make(0);
	poke(&image, 56, 65534, 2); /* e_phnum: more than the file has room for */
	CHECK_INT(read_image(0), SAP_EFORMAT);
	make(0);
	poke(&image, 54, 55, 2); /* e_phentsize */
	CHECK_INT(read_image(0), SAP_EFORMAT);
	make(0);
	poke(&image, 32, UINT64_MAX - 8, 8); /* e_phoff */
	CHECK_INT(read_image(0), SAP_EFORMAT);
	/* PN_XNUM: the number is sh_info of section 0. */
	make(0);
	poke(&image, 56, PN_XNUM, 2);
	poke(&image, image.shdrs + 44, image.n_phdrs, 4);
	CHECK_OK(read_image(0), &err);
	CHECK_INT(elf.rec.needed.n, 2);
	make(0);
	poke(&image, 56, PN_XNUM, 2);
	poke(&image, 40, 0, 8);
	CHECK_INT(read_image(0), SAP_EFORMAT);
}

/* A PT_DYNAMIC that promises less than the loaders will read hides nothing. */
static void test_needed_behind_the_end_of_pt_dynamic(void)
{
	make(0);
	for (uint64_t at = image.phdrs; at < image.phdrs + 7 * 56; at += 56) {
		if (image.p[at] == PT_DYNAMIC)
			poke(&image, at + 32, 16, 8);
	}
	CHECK_OK(read_image(0), &err);
	CHECK_INT(elf.rec.needed.n, 2);
	CHECK(has_fault(SAP_EFORMAT));
	for (uint64_t at = image.phdrs; at < image.phdrs + 7 * 56; at += 56) {
		if (image.p[at] == PT_DYNAMIC) {
			poke(&image, at + 8, 1 << 20, 8);
			poke(&image, at + 16, 1 << 20, 8);
		}
	}
	CHECK_OK(read_image(SAP_ELF_ALL), &err);
	CHECK(elf.rec.flags & SAP_OBJ_DAMAGED);
	CHECK_INT(elf.rec.needed.n, 0);
}

static void test_counts_that_lie(void)
{
	static const uint64_t tags[] = { DT_RELASZ,    DT_PLTRELSZ, DT_INIT_ARRAYSZ,
					 DT_RELACOUNT, DT_VERNEED,  DT_VERDEF,
					 DT_VERSYM,    DT_SYMTAB,   DT_RELA };

	for (unsigned i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		for (unsigned k = 0; k < 3; k++) {
			const uint64_t values[] = { UINT64_MAX, 1ULL << 40, UINT64_MAX / 24 + 1 };

			make(0);
			poke(&image, dyn_value(tags[i]), values[k], 8);
			CHECK_OK(read_image(SAP_ELF_ALL), &err);
			CHECK_INT(elf.rec.needed.n, 2);
			if (tags[i] != DT_RELACOUNT)
				CHECK(elf.rec.flags & SAP_OBJ_DAMAGED);
		}
	}
	/* Lists that lead back to themselves end. */
	make(0);
	poke(&image, image.verneed + 12, UINT32_MAX, 4);
	poke(&image, image.verdef + 16, 1, 4);
	CHECK_OK(read_image(SAP_ELF_ALL), &err);
}

static void test_the_folders_of_a_loader(void)
{
	make(1);
	memcpy(image.p + image.strtab + 23, "ld.so.12.3\0", 12);
	CHECK_OK(read_image(0), &err);
	CHECK_STR(elf.rec.soname, "ld.so.12.3");
	CHECK_LIST(elf.rec.loader_dirs, "/lib/test-linux/", "/usr/lib/test-linux/", "/lib/",
		   "/usr/lib/");
}

/* A file that became shorter since it was opened. */
static void test_a_file_that_shrinks(void)
{
	struct sap_reader reader;
	char path[] = "/tmp/sap-test-elf-XXXXXX";
	int fd = mkstemp(path);

	make(0);
	if (!CHECK(fd >= 0))
		return;
	unlink(path);
	CHECK_INT(write(fd, image.p, image.dynamic), (long long)image.dynamic);
	reader = sap_reader_fd(fd, image.n);
	sap_arena_reset(&arena);
	CHECK_INT(sap_elf_read(&reader, sap_span_of(image.p, 1024), SAP_ELF_ALL, &arena, &elf,
			       &err),
		  SAP_ECHANGED);
	/* And one that did not, through the same reader. */
	CHECK_INT(pwrite(fd, image.p, image.n, 0), (long long)image.n);
	CHECK_OK(sap_elf_read(&reader, sap_span_of(NULL, 0), SAP_ELF_ALL, &arena, &elf, &err),
		 &err);
	check_dynamic(&shapes[0].shape);
	check_symbols();
	close(fd);
}

/* Names on both sides of the blocks in which read-only data is searched. */
static void test_names_across_blocks(void)
{
	enum { SIZE = 1 << 20 };
	unsigned char *p = calloc(1, SIZE);
	struct sap_reader reader;
	unsigned found = 0, wanted = 0;

	make(0);
	if (!CHECK(p != NULL))
		return;
	image.shdrs = 0;
	poke(&image, 40, 0, 8);
	for (unsigned i = 0; i < 200; i++) {
		uint64_t at = 262144 - 600 + i * 7;
		char name[16];

		/* The segment of code grows over the whole file. */
		poke(&image, image.phdrs + 56 + 32, SIZE, 8);
		memcpy(p, image.p, image.n);
		memset(p + image.n, 0, SIZE - image.n);
		snprintf(name, sizeof(name), "libn%u.so.9", i);
		memcpy(p + at, name, strlen(name));
		reader = sap_reader_memory(sap_span_of(p, SIZE));
		sap_arena_reset(&arena);
		wanted++;
		if (sap_elf_read(&reader, sap_span_of(p, 1024), SAP_ELF_USES | SAP_ELF_STRINGS,
				 &arena, &elf, &err) < 0)
			continue;
		for (uint32_t k = 0; k < elf.rec.dlopen_strings.n; k++)
			found += sap_str_eq(elf.rec.dlopen_strings.v[k], sap_str_of(name));
	}
	CHECK_INT(found, wanted);
	free(p);
}

static void test_uses_and_machines(void)
{
	CHECK(sap_use_index(SAP_STR("dlmopen")) >= 0);
	CHECK(sap_use_index(SAP_STR("dlsym")) < 0);
	CHECK(sap_use_index(SAP_STR("")) < 0);
	CHECK_STR(sap_use_nss_database(SAP_STR("dlopen")), "");
	CHECK_STR(sap_use_nss_database(SAP_STR("getaddrinfo")), "hosts");
	CHECK_STR(sap_use_nss_database(SAP_STR("getpwnam_r")), "passwd");
	CHECK_STR(sap_use_nss_database(SAP_STR("innetgr")), "netgroup");
	CHECK_STR(sap_use_nss_database(SAP_STR("ether_ntohost")), "ethers");
	CHECK(!strcmp(sap_elf_machine_name(EM_X86_64), "x86-64"));
	CHECK(!strcmp(sap_elf_machine_name(EM_AARCH64), "AArch64"));
	CHECK(!strcmp(sap_elf_machine_name(0xfff0), "unknown"));
}

static int write_shapes(const char *folder)
{
	char path[4096];

	for (unsigned i = 0; i < SHAPES; i++) {
		FILE *f;

		make(i);
		snprintf(path, sizeof(path), "%s/%s", folder, shapes[i].shape.name);
		f = fopen(path, "wb");
		if (!f || fwrite(image.p, 1, image.n, f) != image.n || fclose(f))
			return 2;
	}
	return 0;
}

int main(int argc, char **argv)
{
	sap_arena_init(&arena, 0);
	if (argc == 3 && !strcmp(argv[1], "--write"))
		return write_shapes(argv[2]);
	test_all_shapes_are_read_in_full();
	test_only_what_is_wanted_is_read();
	test_the_head_may_go_away();
	test_cut_at_every_byte();
	test_each_bit_flipped();
	test_a_needed_name_of_5000_bytes_is_left_out();
	test_a_string_table_without_nul();
	test_a_string_table_that_says_it_is_shorter();
	test_a_later_segment_covers_an_earlier_one();
	test_a_chain_of_the_gnu_hash_table_without_end();
	test_symbols_are_counted_without_a_hash_table();
	test_program_headers_that_lie();
	test_needed_behind_the_end_of_pt_dynamic();
	test_counts_that_lie();
	test_the_folders_of_a_loader();
	test_a_file_that_shrinks();
	test_names_across_blocks();
	test_uses_and_machines();
	sap_arena_clear(&arena);
	return check_done();
}
