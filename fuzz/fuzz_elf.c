/* SPDX-License-Identifier: Apache-2.0 */
/* An ELF file as it is, with everything wanted and with nothing. */
#include <stdlib.h>

#include "elf/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Looks at every text, so that a sanitizer sees one that is not there. */
static uint64_t touch(struct sap_str s)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < s.n; i++)
		sum += (unsigned char)s.p[i];
	return sum;
}

static uint64_t touch_list(struct sap_strs list)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < list.n; i++)
		sum += touch(list.v[i]);
	return sum;
}

static uint64_t touch_all(const struct sap_elf *elf)
{
	const struct sap_rec_object *rec = &elf->rec;
	uint64_t sum = touch(rec->interp) + touch(rec->soname) + touch(rec->rpath) +
		       touch(rec->runpath) + touch(rec->build_id) + touch_list(rec->needed) +
		       touch_list(rec->filters) + touch_list(rec->auxiliaries) +
		       touch_list(rec->verdefs) + touch_list(rec->uses) +
		       touch_list(rec->dlopen_strings) + touch_list(rec->loader_dirs) +
		       touch(elf->package_note_json) + touch_list(elf->dlopen_note_json);

	for (uint32_t i = 0; i < rec->n_verneeds; i++)
		sum += touch(rec->verneeds[i].file) + touch(rec->verneeds[i].version);
	for (uint32_t i = 0; i < elf->n_symbols; i++)
		sum += touch(elf->symbols[i].name) + touch(elf->symbols[i].version) +
		       touch(elf->symbols[i].file);
	for (uint32_t i = 0; i < elf->n_faults; i++)
		sum += touch(elf->faults[i].text);
	return sum;
}

static void read_with(struct sap_span bytes, uint64_t head, unsigned want)
{
	struct sap_reader reader = sap_reader_memory(bytes);
	struct sap_arena arena;
	struct sap_elf elf;
	struct sap_err err;
	int r;

	sap_arena_init(&arena, 256ULL * 1024 * 1024);
	r = sap_elf_read(&reader, sap_span_of(bytes.p, head), want, &arena, &elf, &err);
	if (r > 0 || (r == 0 && elf.n_faults && !(elf.rec.flags & SAP_OBJ_DAMAGED)))
		abort();
	if (r == 0 && touch_all(&elf) == UINT64_MAX)
		abort();
	sap_arena_clear(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sap_span bytes = sap_span_of(data, size);

	read_with(bytes, size < 1024 ? size : 1024, SAP_ELF_ALL);
	read_with(bytes, 0, 0);
	return 0;
}
