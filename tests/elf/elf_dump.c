/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints what src/elf says about each file named on standard input, one "key TAB value" a
 * line, for readelf_oracle.py. With --bench WANT ROUNDS it prints the processor time per
 * file instead.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "elf/elf.h"

static void put(const char *key, struct sap_str s)
{
	printf("%s\t", key);
	for (size_t i = 0; i < s.n; i++) {
		unsigned char b = (unsigned char)s.p[i];

		if (b < 0x20 || b == 0x7f || b == '\\')
			printf("\\x%02x", b);
		else
			putchar(b);
	}
	putchar('\n');
}

static void put_optional(const char *key, struct sap_str s)
{
	if (s.p)
		put(key, s);
}

static void put_list(const char *key, struct sap_strs list)
{
	for (uint32_t i = 0; i < list.n; i++)
		put(key, list.v[i]);
}

static void put_flags(uint32_t flags)
{
	static const char *const names[] = {
		"pie",      "static",    "dynamic",       "nodeflib",     "bind_now",  "textrel",
		"relro",    "execstack", "no_stack_note", "nodelete",     "initfirst", "symbolic",
		"global",   "origin",    "rpath_ignored", "symbols_read", "damaged",   "rwx",
		"sections", "symtab",    "versions",
	};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (flags >> i & 1)
			printf("flag\t%s\n", names[i]);
	}
}

static void put_symbols(const struct sap_elf *elf)
{
	for (uint32_t i = 0; i < elf->n_symbols; i++) {
		const struct sap_rec_symbol *s = &elf->symbols[i];

		printf("symbol\t%s\t%u\t%" PRIu64 "\t", s->defined ? "def" : "und", s->flags,
		       s->value);
		printf("%.*s\t", SAP_FMT(s->version));
		printf("%.*s\t", SAP_FMT(s->file));
		fwrite(s->name.p ? s->name.p : "", 1, s->name.n, stdout);
		putchar('\n');
	}
}

static void dump(const struct sap_elf *elf)
{
	const struct sap_rec_object *rec = &elf->rec;

	printf("ident\t%u %u %u %u %u %x\n", rec->elf_class, rec->endian, rec->osabi, rec->type,
	       rec->machine, rec->e_flags);
	printf("machine\t%s\n", sap_elf_machine_name(rec->machine));
	put_flags(rec->flags);
	put_optional("interp", rec->interp);
	put_optional("soname", rec->soname);
	put_optional("rpath", rec->rpath);
	put_optional("runpath", rec->runpath);
	put_list("needed", rec->needed);
	put_list("filter", rec->filters);
	put_list("auxiliary", rec->auxiliaries);
	if (rec->build_id.n) {
		printf("build_id\t");
		for (size_t i = 0; i < rec->build_id.n; i++)
			printf("%02x", (unsigned char)rec->build_id.p[i]);
		putchar('\n');
	}
	for (uint32_t i = 0; i < rec->n_verneeds; i++)
		printf("verneed\t%.*s\t%.*s\t%d\n", SAP_FMT(rec->verneeds[i].file),
		       SAP_FMT(rec->verneeds[i].version), rec->verneeds[i].weak);
	put_list("verdef", rec->verdefs);
	printf("mapped\t%" PRIu64 "\ncode\t%" PRIu64 "\n", rec->mapped_bytes, rec->code_bytes);
	printf("counts\t%u %u %u %u %u\n", rec->n_defined, rec->n_imported, rec->n_ifuncs,
	       rec->n_irelative, rec->n_constructors);
	put_list("use", rec->uses);
	put_list("dlopen_string", rec->dlopen_strings);
	put_list("loader_dir", rec->loader_dirs);
	put_optional("package_note", elf->package_note_json);
	put_list("dlopen_note", elf->dlopen_note_json);
	for (uint32_t i = 0; i < elf->n_faults; i++)
		printf("fault\t%s at %" PRIu64 ": %.*s\n", sap_code_name(elf->faults[i].code),
		       elf->faults[i].offset, SAP_FMT(elf->faults[i].text));
	put_symbols(elf);
}

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* other work on the machine is not ours */
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* 1: an ELF file was read; 0: it is none. *us grows by the time the reading took. */
static int read_one(const char *path, unsigned want, struct sap_arena *arena, struct sap_elf *elf,
		    struct sap_err *err, double *us)
{
	sap_cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	unsigned char head[4096];
	struct sap_reader reader;
	struct stat st;
	ssize_t n;
	double start;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	n = pread(fd, head, sizeof(head), 0);
	if (n < 4 || !sap_elf_magic(sap_span_of(head, (uint64_t)n)))
		return 0;
	reader = sap_reader_fd(fd, (uint64_t)st.st_size);
	start = now_us();
	r = sap_elf_read(&reader, sap_span_of(head, (uint64_t)n), want, arena, elf, err);
	*us += now_us() - start;
	return r < 0 ? r : 1;
}

static void one(const char *path, struct sap_arena *arena)
{
	struct sap_elf elf = { 0 };
	struct sap_err err = { 0 };
	double us = 0;
	int r;

	sap_arena_reset(arena);
	printf("file\t%s\n", path);
	r = read_one(path, SAP_ELF_ALL, arena, &elf, &err, &us);
	if (r < 0)
		printf("error\t%s: %s\n", sap_code_name(r), err.text);
	else if (r == 0)
		printf("error\tno ELF file\n");
	else
		dump(&elf);
}

/* Slow files are named: those of more than a millisecond, in the last round. */
static void bench(char **paths, size_t n, unsigned want, unsigned rounds, struct sap_arena *arena)
{
	struct sap_elf elf;
	struct sap_err err;
	double total = 0, start = now_us();
	unsigned count = 0;

	for (unsigned round = 0; round < rounds; round++) {
		for (size_t i = 0; i < n; i++) {
			double us = 0;

			sap_arena_reset(arena);
			count += read_one(paths[i], want, arena, &elf, &err, &us) == 1;
			total += us;
			if (us > 1000 && round + 1 == rounds)
				printf("slow\t%.0f us\t%s\n", us, paths[i]);
		}
	}
	printf("%u files, %.2f us each in sap_elf_read, %.2f us with open and close\n", count,
	       total / count, (now_us() - start) / count);
}

int main(int argc, char **argv)
{
	struct sap_arena arena;
	char line[8192];
	char **paths = NULL;
	size_t n = 0;

	sap_arena_init(&arena, 0);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (argc < 4) {
			one(line, &arena);
			continue;
		}
		paths = realloc(paths, (n + 1) * sizeof(*paths));
		if (!paths || !(paths[n++] = strdup(line)))
			return 2;
	}
	if (argc >= 4)
		bench(paths, n, (unsigned)strtoul(argv[2], NULL, 0),
		      (unsigned)strtoul(argv[3], NULL, 0), &arena);
	for (size_t i = 0; i < n; i++)
		free(paths[i]);
	free(paths);
	sap_arena_clear(&arena);
	return fflush(stdout) ? 2 : 0;
}
