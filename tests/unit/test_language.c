/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packages of languages: what their files say, hostile ones among them, Go's build information
 * in every form, and a tree with all of them, read by the worker. This program is its own worker.
 */
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../elf/elf_build.h"
#include "base/buf.h"
#include "base/limits.h"
#include "catalog/language.h"
#include "check.h"
#include "elf/elf.h"
#include "extract/extract_int.h"

/* ---- which files ------------------------------------------------------------------------ */

static enum sap_language_file kind_of(const char *path)
{
	struct sap_str dir = sap_path_dir(sap_str_of(path));

	return sap_language_file(sap_language_folder(dir), strrchr(path, '/') + 1);
}

static void files_are_told_by_their_names(void)
{
	static const struct {
		const char *path;
		enum sap_language_file want;
	} cases[] = {
		{ "/usr/lib/python3/dist-packages/a-1.dist-info/METADATA", SAP_LANGUAGE_PYTHON },
		{ "/a-1.dist-info/PKG-INFO", SAP_LANGUAGE_NONE },
		{ "/a.egg-info/PKG-INFO", SAP_LANGUAGE_PYTHON },
		{ "/a.egg-info/METADATA", SAP_LANGUAGE_NONE },
		{ "/a-1-py3.egg/EGG-INFO/PKG-INFO", SAP_LANGUAGE_PYTHON },
		{ "/usr/lib/python2.7/a-1.egg-info", SAP_LANGUAGE_PYTHON },
		{ "/METADATA", SAP_LANGUAGE_NONE },
		{ "/x/dist-info/METADATA", SAP_LANGUAGE_NONE },
		{ "/srv/node_modules/a/package.json", SAP_LANGUAGE_NODE },
		{ "/node_modules/a/package.json", SAP_LANGUAGE_NODE },
		{ "/srv/node_modules/@s/a/package.json", SAP_LANGUAGE_NODE },
		{ "/srv/node_modules/a/node_modules/b/package.json", SAP_LANGUAGE_NODE },
		{ "/srv/node_modules/.store/a@1/node_modules/a/package.json", SAP_LANGUAGE_NODE },
		{ "/srv/node_modules/package.json", SAP_LANGUAGE_NONE },
		{ "/srv/node_modules/@s/package.json", SAP_LANGUAGE_NONE },
		{ "/srv/node_modules/.bin/package.json", SAP_LANGUAGE_NONE },
		{ "/srv/node_modules/a/lib/package.json", SAP_LANGUAGE_NONE },
		{ "/srv/node_modules/@s/a/lib/package.json", SAP_LANGUAGE_NONE },
		{ "/srv/xnode_modules/a/package.json", SAP_LANGUAGE_NONE },
		{ "/srv/app/package.json", SAP_LANGUAGE_NONE },
		{ "/package.json", SAP_LANGUAGE_NONE },
		{ "/gems/3.1.0/specifications/a-1.gemspec", SAP_LANGUAGE_RUBY },
		{ "/gems/3.1.0/specifications/default/a-1.gemspec", SAP_LANGUAGE_RUBY },
		{ "/gems/3.1.0/gems/a-1/a.gemspec", SAP_LANGUAGE_NONE },
		{ "/gems/3.1.0/specifications/a-1.txt", SAP_LANGUAGE_NONE },
		{ "/gems/default/a-1.gemspec", SAP_LANGUAGE_NONE },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (kind_of(cases[i].path) != cases[i].want)
			CHECK_STR(sap_str_of(cases[i].path), "of another kind");
		else
			CHECK(true);
	}
}

/* ---- Python ----------------------------------------------------------------------------- */

/* "name version", or "-". */
static struct sap_str python(struct sap_str text)
{
	static char out[4096];
	struct sap_language_package p;
	int n = 1;

	out[0] = '-';
	if (sap_language_python(text, &p))
		n = snprintf(out, sizeof(out), "%.*s %.*s", SAP_FMT(p.name), SAP_FMT(p.version));
	return (struct sap_str){ out, (size_t)n };
}

static void python_metadata_is_read(void)
{
	static const struct {
		struct sap_str text;
		const char *want;
	} cases[] = {
		{ SAP_STR_INIT("Metadata-Version: 2.1\nName: Flask_Login\nVersion: 0.6.3\n"),
		  "Flask_Login 0.6.3" },
		{ SAP_STR_INIT("name:a\r\nVERSION:\t1 \r\n\r\nbody"), "a 1" },
		{ SAP_STR_INIT("Version: 1\nDescription: x\n Name: no\n\tVersion: no\nName: a"),
		  "a 1" },
		{ SAP_STR_INIT("Name: a\nName: b\nVersion: 1\nVersion: 2\n"), "a 1" },
		{ SAP_STR_INIT("From x\nName: a\nVersion: 1\n"), "a 1" },
		/* behind the header there is no field */
		{ SAP_STR_INIT("Name: a\n\nVersion: 1\n"), "-" },
		{ SAP_STR_INIT("Name: a\nno field\nVersion: 1\n"), "-" },
		{ SAP_STR_INIT("Name: a\nno field: x\nVersion: 1\n"), "-" },
		{ SAP_STR_INIT("Name: a\n"), "-" },
		{ SAP_STR_INIT("Name:\nVersion: 1\n"), "-" },
		{ SAP_STR_INIT("Name: a\x1b[31m\nVersion: 1\n"), "-" },
		{ SAP_STR_INIT("Name: a\0b\nVersion: 1\n"), "-" },
		{ SAP_STR_INIT(""), "-" },
		{ SAP_STR_INIT("\n"), "-" },
		{ SAP_STR_INIT(":::\n: :"), "-" },
		{ SAP_STR_INIT("\x7f"
			       "ELF\1\1"),
		  "-" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CHECK_STR(python(cases[i].text), cases[i].want);
}

static void a_name_has_a_ceiling(void)
{
	char text[4096];
	int n = snprintf(text, sizeof(text), "Name: %0*d\nVersion: 1\n", SAP_LANGUAGE_NAME_MAX, 0);

	CHECK(python((struct sap_str){ text, (size_t)n }).n > SAP_LANGUAGE_NAME_MAX);
	n = snprintf(text, sizeof(text), "Name: %0*d\nVersion: 1\n", SAP_LANGUAGE_NAME_MAX + 1, 0);
	CHECK_STR(python((struct sap_str){ text, (size_t)n }), "-");
}

/* ---- Ruby ------------------------------------------------------------------------------- */

static struct sap_str ruby(const char *text, const char *file)
{
	static char out[4096];
	struct sap_language_package p;
	int n = 1;

	out[0] = '-';
	if (sap_language_ruby(sap_str_of(text), sap_str_of(file), &p))
		n = snprintf(out, sizeof(out), "%.*s %.*s%s%.*s", SAP_FMT(p.name),
			     SAP_FMT(p.version), p.arch.n ? " " : "", SAP_FMT(p.arch));
	return (struct sap_str){ out, (size_t)n };
}

static void gemspecs_are_read_and_not_run(void)
{
	static const struct {
		const char *text, *file, *want;
	} cases[] = {
		{ "# -*- encoding: utf-8 -*-\n# stub: rake 13.0.6 ruby lib\n\nGem::Spec", "x",
		  "rake 13.0.6" },
		{ "# stub: nokogiri 1.15.4 x86_64-linux lib\n# stub: ext/x.rb\n", "x",
		  "nokogiri 1.15.4 x86_64-linux" },
		{ "Gem::Specification.new do |s|\n  s.name = \"a-b\".freeze\n"
		  "  s.version = \"1.0.pre2\"\n  s.platform = \"java\".freeze\nend\n",
		  "x", "a-b 1.0.pre2 java" },
		{ "Gem::Specification.new do |spec|\nspec.name='a'\n"
		  "spec.version = Gem::Version.new('2')\nend\n",
		  "x", "a 2" },
		/* of what is computed only the file's name tells */
		{ "s.name = \"a\"\ns.version = A::VERSION\n", "a-1.2.gemspec", "a 1.2" },
		{ "s.name = \"a#{x}\"\ns.version = \"1\"\n", "b-3.gemspec", "b 3" },
		{ "", "nokogiri-1.15.4-x86_64-linux.gemspec", "nokogiri 1.15.4 x86_64-linux" },
		{ "", "a-1.2-x86_64-darwin-21.gemspec", "a 1.2 x86_64-darwin-21" },
		{ "", "net-http-2-0.1.gemspec", "net-http-2 0.1" },
		{ "", "a-7.gemspec", "a 7" },
		{ "", "a.gemspec", "-" },
		{ "", "-1.gemspec", "-" },
		{ "", "a-1..2.gemspec", "-" },
		{ "# stub: a\n", "x.gemspec", "-" },
		{ "# stub: a evil;rm ruby lib\n", "x.gemspec", "-" },
		{ "s.name = \"\\e[31m\"\ns.version = \"1\"\n", "x.gemspec", "-" },
		{ "s.name = \"\x1b[31m\"\ns.version = \"1\"\n", "x.gemspec", "-" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CHECK_STR(ruby(cases[i].text, cases[i].file), cases[i].want);
}

/* ---- Node ------------------------------------------------------------------------------- */

static void package_json_is_read(void)
{
	static const struct {
		struct sap_str text;
		const char *name, *version;
		int code;
	} cases[] = {
		{ SAP_STR_INIT("{\"name\":\"@a/b\",\"version\":\"1.0.0\",\"x\":{\"name\":\"n\"}}"),
		  "@a/b", "1.0.0", 0 },
		{ SAP_STR_INIT("\xef\xbb\xbf { \"version\" : \"2\" , \"name\" : \"\\u0061\" } "),
		  "a", "2", 0 },
		{ SAP_STR_INIT("{\"name\":7,\"version\":[\"1\"]}"), "", "", 0 },
		{ SAP_STR_INIT("{}"), "", "", 0 },
		{ SAP_STR_INIT("[]"), "", "", SAP_EFORMAT },
		{ SAP_STR_INIT(""), "", "", SAP_EFORMAT },
		{ SAP_STR_INIT("{\"name\":\"a\",\"version\":\"1\""), "", "", SAP_EFORMAT },
		{ SAP_STR_INIT("{\"name\":\"a\"\0,\"version\":\"1\"}"), "", "", SAP_EFORMAT },
		{ SAP_STR_INIT("{{\"a\":1}:2}"), "", "", SAP_EFORMAT },
		{ SAP_STR_INIT("\x7f"
			       "ELF"),
		  "", "", SAP_EFORMAT },
	};
	struct sap_str name, version, deep;
	struct sap_notes *notes = NULL;
	struct sap_err fault = { 0 }, err = { 0 };
	struct sap_arena arena;

	sap_arena_init(&arena, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CHECK_OK(sap_notes_node(&notes, cases[i].text, &arena, &name, &version, &fault,
					&err),
			 &err);
		CHECK_INT(fault.code, cases[i].code);
		CHECK_STR(name, cases[i].name);
		CHECK_STR(version, cases[i].version);
	}
	deep.n = 200000;
	deep.p = memset(malloc(deep.n), '[', deep.n);
	CHECK_OK(sap_notes_node(&notes, deep, &arena, &name, &version, &fault, &err), &err);
	CHECK_INT(fault.code, SAP_EFORMAT);
	free((void *)(uintptr_t)deep.p);
	sap_notes_free(notes);
	sap_arena_clear(&arena);
}

/* ---- Go: the text ----------------------------------------------------------------------- */

static void the_version_of_gos_library(void)
{
	static const struct {
		const char *go, *want;
	} cases[] = {
		{ "go1.22.1", "1.22.1" },
		{ "go1.18", "1.18" },
		{ "go1.21rc2", "1.21rc2" },
		{ "go1.9beta1", "1.9beta1" },
		{ "go1.20.12 (Vendor 1.20.12-1.el9)", "1.20.12" },
		{ "go1.21.3 X:boringcrypto", "1.21.3" },
		{ "go1.21.3-vendor", "1.21.3" },
		{ "go1.", "1" },
		{ "go1.22rc", "1.22" },
		{ "devel go1.23-0123456 Tue", "" },
		{ "go", "" },
		{ "", "" },
		{ "go..1", "" },
	};
	struct sap_language_package p;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		sap_language_go_library(sap_str_of(cases[i].go), &p);
		CHECK_STR(p.name, "stdlib");
		CHECK_STR(p.version, cases[i].want);
	}
}

static void the_modules_of_a_program(void)
{
	struct sap_str text = SAP_STR("path\texample.org/m/cmd\n"
				      "mod\texample.org/m\t(devel)\t\n"
				      "dep\ta.org/x\tv1.2.3\th1:sum=\n"
				      "dep\ta.org/y\tv1.0.0\n"
				      "=>\tb.org/fork\tv1.0.1\th1:sum=\n"
				      "dep\ta.org/z\tv2.0.0+incompatible\n"
				      "=>\t./local\t(devel)\t\n"
				      "dep\t\tv1\n"
				      "=>\tstray\tv1\n"
				      "dep\tbad\x01name\tv1\n"
				      "dep\tc.org/last\n"
				      "build\t-compiler=gc\n"
				      "dep");
	static const char *const want[][2] = {
		{ "example.org/m", "" }, { "a.org/x", "v1.2.3" }, { "b.org/fork", "v1.0.1" },
		{ "a.org/z", "" },       { "c.org/last", "" },
	};
	struct sap_language_package p;
	uint32_t bad = 0;
	size_t n = 0;

	while (sap_language_go_next(&text, &p, &bad)) {
		if (!CHECK(n < sizeof(want) / sizeof(want[0])))
			break;
		CHECK_STR(p.name, want[n][0]);
		CHECK_STR(p.version, want[n][1]);
		n++;
	}
	CHECK_INT(n, 5);
	CHECK_INT(bad, 4);
}

/* ---- Go: the ELF object ----------------------------------------------------------------- */

struct go_file {
	bool is64, big;
	bool pointers;      /* as before Go 1.18 */
	bool without_names; /* no section headers */
	const char *version;
	const char *modules; /* framed here */
};

static const char frame[] = "0w\xaf\x0c\x92t\x08\x02"
			    "A\xe1\xc1\x07\xe6\xd6\x18\xe6";

static struct image image;
static uint64_t blob_at; /* where the information begins */

static void put_varint(uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		put_n(&image, v | 0x80, 1);
	put_n(&image, v, 1);
}

static void put_text(const char *s, bool framed)
{
	if (framed)
		put_bytes(&image, frame, 16);
	put_bytes(&image, s, strlen(s));
	if (framed)
		put_bytes(&image, frame, 16);
}

static void put_go_info(const struct go_file *f)
{
	const uint64_t word = f->is64 ? 8 : 4;
	uint64_t modules_n = f->modules ? strlen(f->modules) + 32 : 0, at;

	put_align(&image, 16);
	blob_at = image.n;
	put_bytes(&image, "\xff Go buildinf:", 14);
	put_n(&image, word, 1);
	put_n(&image, (f->pointers ? 0 : 2) | f->big, 1);
	if (!f->pointers) {
		put_bytes(&image, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
		put_varint(strlen(f->version));
		put_text(f->version, false);
		put_varint(modules_n);
		if (f->modules)
			put_text(f->modules, true);
		return;
	}
	at = BUILD_VADDR + blob_at + 32;
	put_word(&image, at);
	put_word(&image, at + 2 * word);
	while (image.n < blob_at + 32)
		put_n(&image, 0, 1);
	put_word(&image, at + 4 * word);
	put_word(&image, strlen(f->version));
	put_word(&image, f->modules ? at + 4 * word + strlen(f->version) : 0);
	put_word(&image, modules_n);
	put_text(f->version, false);
	if (f->modules)
		put_text(f->modules, true);
}

/* ELF header, one writable segment that is the whole file, the information, section names and
 * headers: none, .go.buildinfo, .shstrtab. */
static void build_go(const struct go_file *f)
{
	static const char names[] = "\0.text\0.go.buildinfo\0.shstrtab";
	uint64_t names_at, info_end, end;

	memset(&image, 0, sizeof(image));
	image.shape = (struct shape){ .is64 = f->is64,
				      .big = f->big,
				      .machine = f->is64 ? EM_X86_64 : EM_386 };
	image.n = 0x100;
	put_go_info(f);
	info_end = image.n;
	names_at = image.n;
	put_bytes(&image, names, sizeof(names));
	put_align(&image, 8);
	image.shdrs = image.n;
	put_shdr(&image, SHT_NULL, 0, 0, 0);
	poke(&image, image.n, 0, 1);
	put_shdr(&image, SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, blob_at, info_end - blob_at);
	put_shdr(&image, SHT_STRTAB, 0, names_at, sizeof(names));
	poke(&image, image.shdrs + (f->is64 ? 64 : 40), 7, 4);
	poke(&image, image.shdrs + (f->is64 ? 128 : 80), 21, 4);
	end = image.n;
	image.n = 0;
	image.n_phdrs = 1;
	if (f->without_names)
		image.shdrs = 0;
	put_header(&image, ET_EXEC);
	poke(&image, f->is64 ? 62 : 50, 2, 2); /* shstrndx */
	put_phdr(&image, PT_LOAD, PF_R | PF_W, 0, BUILD_VADDR, end);
	image.n = end;
}

static struct sap_arena arena;
static struct sap_elf elf;

static int read_go(uint64_t n)
{
	const struct sap_reader reader = sap_reader_memory(sap_span_of(image.p, n));
	struct sap_err err;

	sap_arena_reset(&arena);
	memset(&elf, 0, sizeof(elf));
	return sap_elf_read(&reader, sap_span_of(NULL, 0), SAP_ELF_GO | SAP_ELF_RELOCS, &arena,
			    &elf, &err);
}

static void build_information_is_found_in_every_form(void)
{
	struct go_file f = { .version = "go1.22.1", .modules = "mod\ta\tv1\th1:x\n" };

	for (unsigned bits = 0; bits < 16; bits++) {
		f.is64 = bits & 1;
		f.big = bits & 2;
		f.pointers = bits & 4;
		f.without_names = bits & 8;
		build_go(&f);
		CHECK_INT(read_go(image.n), 0);
		CHECK_INT(elf.go_fault.code, 0);
		CHECK_INT(elf.n_faults, 0);
		CHECK_STR(elf.go_version, "go1.22.1");
		CHECK_STR(elf.go_modules, "mod\ta\tv1\th1:x\n");
	}
	f.modules = NULL;
	for (unsigned i = 0; i < 2; i++) {
		f.pointers = i;
		build_go(&f);
		CHECK_INT(read_go(image.n), 0);
		CHECK_INT(elf.go_fault.code, 0);
		CHECK_STR(elf.go_version, "go1.22.1");
		CHECK_INT(elf.go_modules.n, 0);
	}
}

static void build_information_may_lie(void)
{
	const struct go_file f = { true, false, false, false, "go1.22.1", "mod\ta\tv1\th1:x\n" };
	const struct go_file old = { true, false, true, false, "go1.15", "mod\ta\tv1\th1:x\n" };

	build_go(&f);
	poke(&image, blob_at + 32, 0xff, 1); /* a length of more than there is */
	CHECK_INT(read_go(image.n), 0);
	CHECK_INT(elf.go_fault.code, SAP_EFORMAT);
	CHECK_INT(elf.go_version.n, 0);
	build_go(&f);
	memset(image.p + blob_at + 32, 0xff, 12); /* a length without end */
	CHECK_INT(read_go(image.n), 0);
	CHECK_INT(elf.go_fault.code, SAP_EFORMAT);
	build_go(&f);
	poke(&image, blob_at, 'x', 1); /* a section of that name, but not it */
	CHECK_INT(read_go(image.n), 0);
	CHECK_INT(elf.go_fault.code, SAP_EFORMAT);
	build_go(&old);
	poke(&image, blob_at + 14, 3, 1); /* pointers of 3 bytes */
	CHECK_INT(read_go(image.n), 0);
	CHECK_INT(elf.go_fault.code, SAP_EFORMAT);
	build_go(&old);
	poke(&image, blob_at + 16, 1, 8); /* an address that is not in the file */
	CHECK_INT(read_go(image.n), 0);
	CHECK_INT(elf.go_fault.code, SAP_EFORMAT);
	build_go(&old);
	poke(&image, blob_at + 40, UINT64_MAX, 8); /* a string as long as memory */
	CHECK_INT(read_go(image.n), 0);
	CHECK_INT(elf.go_fault.code, SAP_EFORMAT);
}

static void build_information_damaged_anywhere_does_no_harm(void)
{
	struct go_file f = { .version = "go1.22.1", .modules = "mod\ta\tv1\th1:x\n" };
	unsigned bad = 0;

	for (unsigned bits = 0; bits < 16; bits++) {
		f.is64 = bits & 1;
		f.big = bits & 2;
		f.pointers = bits & 4;
		f.without_names = bits & 8;
		build_go(&f);
		for (uint64_t n = 0; n < image.n; n++) {
			int r = read_go(n);

			bad += r != 0 && r != SAP_EFORMAT;
		}
		for (uint64_t bit = 0; bit < image.n * 8; bit++) {
			int r;

			image.p[bit / 8] ^= (unsigned char)(1u << bit % 8);
			r = read_go(image.n);
			bad += r != 0 && r != SAP_EFORMAT;
			image.p[bit / 8] ^= (unsigned char)(1u << bit % 8);
		}
	}
	CHECK_INT(bad, 0);
}

/* ---- the tree --------------------------------------------------------------------------- */

static char root[64];

static void before_object(const char *path)
{
	if (strstr(path, "die-by-signal"))
		raise(SIGKILL);
}

static void write_file(const char *name, const void *bytes, size_t n)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	for (char *p = path + strlen(root) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(path, 0755);
		*p = '/';
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);
	if (!CHECK(fd >= 0))
		return;
	CHECK_INT(write(fd, bytes, n), (long long)n);
	close(fd);
}

static void write_text(const char *name, const char *text)
{
	write_file(name, text, strlen(text));
}

#define SITE "usr/lib/python3/site-packages/"

static void make_tree(void)
{
	const struct go_file go = { true,       false,
				    false,      false,
				    "go1.22.1", "mod\tm.org/m\t(devel)\ndep\td.org/d\tv1.0.0\n" };
	const struct go_file lying = { true, false, false, false, "go1.22.1", NULL };
	static const char status[] = "Package: python3-a\nStatus: install ok installed\n"
				     "Architecture: all\nVersion: 1.0-1\nMaintainer: x\n"
				     "Description: x\n\n";
	struct sap_buf big;

	snprintf(root, sizeof(root), "/tmp/sapper-language-XXXXXX");
	CHECK(mkdtemp(root) != NULL);
	write_text(SITE "a-1.0.dist-info/METADATA", "Name: a\nVersion: 1.0\n\n# a\n");
	write_text(SITE "b.egg-info/PKG-INFO", "Name: b\nVersion: 2\n");
	write_text(SITE "c-3.egg-info", "Name: c\nVersion: 3\n");
	write_text(SITE "none.dist-info/METADATA", "");
	write_text("srv/node_modules/n/package.json", "{\"name\":\"n\",\"version\":\"1.0.0\"}");
	write_text("srv/node_modules/n/lib/package.json", "{\"type\":\"module\"}");
	write_text("srv/node_modules/@s/n/package.json",
		   "{\"name\":\"@s/n\",\"version\":\"1.1.0\"}");
	write_text("srv/node_modules/bad/package.json", "{\"name\":");
	write_text("srv/node_modules/less/package.json", "{\"name\":\"less\"}");
	write_text("gems/specifications/g-1.gemspec", "# stub: g 1 java lib\n");
	write_text("var/lib/dpkg/status", status);
	write_text("var/lib/dpkg/info/python3-a.list", "/.\n/" SITE "a-1.0.dist-info/METADATA\n");
	write_text("var/lib/dpkg/info/python3-a.md5sums", "");
	build_go(&go);
	write_file("usr/bin/go-program", image.p, image.n);
	build_go(&lying);
	poke(&image, blob_at + 32, 0xff, 1);
	write_file("usr/bin/go-liar", image.p, image.n);
	/* The fields behind 35 KiB of text, and a file beyond the ceiling. */
	sap_buf_init(&big, 2 * SAP_LANGUAGE_FILE_MAX);
	sap_buf_puts(&big, SAP_STR("Description: x\n"));
	for (unsigned i = 0; i < 1024; i++)
		sap_buf_puts(&big, SAP_STR("   a manual of which there is much\n"));
	sap_buf_puts(&big, SAP_STR("Name: late\nVersion: 4\n"));
	write_file(SITE "late.dist-info/METADATA", big.p, big.n);
	while (big.n <= SAP_LANGUAGE_FILE_MAX && sap_buf_ok(&big))
		sap_buf_putc(&big, ' ');
	write_file("srv/node_modules/huge/package.json", big.p, big.n);
	sap_buf_clear(&big);
}

static const struct sap_extract_options options = {
	.worker = "/proc/self/exe",
	.target = "test",
	.kind = "directory",
};

static struct sap_facts *extract(unsigned threads)
{
	struct sap_extract_options o = options;
	struct sap_facts *facts = NULL;
	struct sap_err err = { 0 };

	o.threads = threads;
	CHECK_OK(sap_extract_whole(root, &o, &facts, NULL, &err), &err);
	return facts;
}

/* All packages as "type name version arch database" lines. */
static struct sap_str list(const struct sap_facts *facts)
{
	static char out[65536];
	size_t n = 0;

	for (size_t i = 0; i < facts->packages.n && n < sizeof(out); i++) {
		const struct sap_package *p = &facts->packages.v[i];

		n += (size_t)snprintf(out + n, sizeof(out) - n, "%s %s %s %s %s\n",
				      sap_package_type_name(p->type),
				      sap_facts_str(facts, p->name).p,
				      sap_facts_str(facts, p->version).p,
				      sap_facts_str(facts, p->arch).p,
				      sap_facts_str(facts, p->database).p);
	}
	return (struct sap_str){ out, n };
}

static unsigned diagnostics(const struct sap_facts *facts, const char *path, const char *code)
{
	unsigned n = 0;

	for (size_t i = 0; i < facts->diagnostics.n; i++) {
		const struct sap_diagnostic *d = &facts->diagnostics.v[i];

		n += sap_str_eq(sap_facts_str(facts, d->path), sap_str_of(path)) &&
		     sap_str_eq(sap_facts_str(facts, d->code), sap_str_of(code));
	}
	return n;
}

#define ALL_PACKAGES                                            \
	"deb python3-a 1.0-1 all /var/lib/dpkg/status\n"        \
	"pypi a 1.0  /" SITE "a-1.0.dist-info/METADATA\n"       \
	"pypi b 2  /" SITE "b.egg-info/PKG-INFO\n"              \
	"pypi c 3  /" SITE "c-3.egg-info\n"                     \
	"pypi late 4  /" SITE "late.dist-info/METADATA\n"       \
	"npm @s/n 1.1.0  /srv/node_modules/@s/n/package.json\n" \
	"npm n 1.0.0  /srv/node_modules/n/package.json\n"       \
	"gem g 1 java /gems/specifications/g-1.gemspec\n"       \
	"golang d.org/d v1.0.0  /usr/bin/go-program\n"          \
	"golang m.org/m   /usr/bin/go-program\n"                \
	"golang stdlib 1.22.1  /usr/bin/go-program\n"

static void a_tree_gives_all_packages(void)
{
	for (unsigned threads = 1; threads <= 4; threads += 3) {
		struct sap_facts *facts = extract(threads);

		if (!facts)
			return;
		CHECK_STR(list(facts), ALL_PACKAGES);
		CHECK_INT(diagnostics(facts, "/" SITE "none.dist-info/METADATA", "missing"), 1);
		CHECK_INT(diagnostics(facts, "/srv/node_modules/bad/package.json", "format"), 1);
		CHECK_INT(diagnostics(facts, "/srv/node_modules/less/package.json", "missing"), 1);
		CHECK_INT(diagnostics(facts, "/srv/node_modules/huge/package.json", "limit"), 1);
		CHECK_INT(diagnostics(facts, "/usr/bin/go-liar", "format"), 1);
		CHECK_INT(facts->diagnostics.n, 5);
		CHECK_INT(facts->files.n, 1);
		CHECK_INT(facts->truncated, false);
		sap_facts_free(facts);
	}
}

static void facts_files_keep_them(void)
{
	struct sap_facts *facts = extract(2), *again = sap_facts_new();
	struct sap_decoder *decoder = sap_decoder_new(again);
	struct sap_encoder encoder;
	struct sap_err err = { 0 };

	sap_encoder_init(&encoder, SIZE_MAX, NULL, NULL);
	if (facts && decoder) {
		CHECK_OK(sap_facts_encode(facts, &encoder, &err), &err);
		CHECK_OK(sap_decoder_feed(decoder, encoder.buf.p, encoder.buf.n, &err), &err);
		CHECK_OK(sap_decoder_finish(decoder, &err), &err);
		CHECK_OK(sap_facts_finish(again, &err), &err);
		CHECK_STR(list(again), ALL_PACKAGES);
	}
	sap_encoder_clear(&encoder);
	sap_decoder_free(decoder);
	sap_facts_free(facts);
	sap_facts_free(again);
}

/* The worker dies over one of them: the others are there, and that one is named. */
static void a_worker_that_dies_over_one_is_reported(void)
{
	static const char *const bad = SITE "die-by-signal.egg-info";
	struct sap_facts *facts;
	char path[256];

	write_text(bad, "Name: x\nVersion: 1\n");
	/* With two threads the database may be under way as well, and is then left out. */
	facts = extract(1);
	if (facts) {
		snprintf(path, sizeof(path), "/%s", bad);
		CHECK_STR(list(facts), ALL_PACKAGES);
		CHECK_INT(diagnostics(facts, path, "worker-died"), 1);
		CHECK_INT(facts->truncated, false);
		CHECK_INT(facts->lookups.n, 0);
	}
	sap_facts_free(facts);
	snprintf(path, sizeof(path), "%s/%s", root, bad);
	unlink(path);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int main(int argc, char **argv)
{
	static const struct sap_worker_hooks hooks = { before_object };

	if (argc == 2 && strcmp(argv[1], SAP_WORKER_ARGUMENT) == 0)
		_exit(sap_worker_main(&hooks));
	files_are_told_by_their_names();
	python_metadata_is_read();
	a_name_has_a_ceiling();
	gemspecs_are_read_and_not_run();
	package_json_is_read();
	the_version_of_gos_library();
	the_modules_of_a_program();
	sap_arena_init(&arena, 0);
	build_information_is_found_in_every_form();
	build_information_may_lie();
	build_information_damaged_anywhere_does_no_harm();
	make_tree();
	a_tree_gives_all_packages();
	facts_files_keep_them();
	a_worker_that_dies_over_one_is_reported();
	nftw(root, remove_one, 32, FTW_DEPTH | FTW_PHYS);
	sap_arena_clear(&arena);
	return check_done();
}
