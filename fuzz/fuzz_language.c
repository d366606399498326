/* SPDX-License-Identifier: Apache-2.0 */
/* What tells of packages of languages. The first byte says which reader gets the rest. */
#include <stdlib.h>

#include "base/limits.h"
#include "extract/extract_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is given is fit to be a name, and lies in what was read. */
static void check(const struct sap_language_package *p)
{
	if (!sap_language_text_ok(p->name) || (p->version.n && !sap_language_text_ok(p->version)) ||
	    (p->arch.n && !sap_language_text_ok(p->arch)))
		abort();
}

static void node(struct sap_str text)
{
	struct sap_language_package p = { .name = { 0 } };
	struct sap_notes *notes = NULL;
	struct sap_arena arena;
	struct sap_err fault, err;

	sap_arena_init(&arena, 0);
	sap_notes_node(&notes, text, &arena, &p.name, &p.version, &fault, &err);
	sap_notes_free(notes);
	sap_arena_clear(&arena);
}

static void go(struct sap_str text)
{
	struct sap_language_package p;
	struct sap_str version;
	uint32_t bad = 0;

	sap_str_cut(text, '\n', &version, &text);
	sap_language_go_library(version, &p);
	check(&p);
	while (sap_language_go_next(&text, &p, &bad))
		check(&p);
}

/* A file of Go's linker: an object with everything that is looked at for it. */
static void object(struct sap_str text)
{
	const struct sap_reader reader = sap_reader_memory(sap_span_of(text.p, text.n));
	struct sap_arena arena;
	struct sap_elf elf;
	struct sap_err err;

	sap_arena_init(&arena, 256 * SAP_MIB);
	if (sap_elf_read(&reader, sap_span_of(NULL, 0), SAP_ELF_GO | SAP_ELF_RELOCS, &arena, &elf,
			 &err) == 0) {
		struct sap_language_package p;
		uint32_t bad = 0;

		while (sap_language_go_next(&elf.go_modules, &p, &bad))
			check(&p);
	}
	sap_arena_clear(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct sap_str text = { (const char *)data + 1, size - 1 };
	struct sap_language_package p;
	struct sap_str file, rest;

	if (size == 0)
		return 0;
	switch (data[0]) {
	case 'p':
		if (sap_language_python(text, &p))
			check(&p);
		break;
	case 'r':
		sap_str_cut(text, '\n', &file, &rest);
		if (sap_language_ruby(rest, file, &p))
			check(&p);
		break;
	case 'n':
		node(text);
		break;
	case 'g':
		go(text);
		break;
	case 'e':
		object(text);
		break;
	default:
		break;
	}
	return 0;
}
