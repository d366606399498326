/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A dynamic section and what it points to, without the need to find a valid header first:
 * byte 0 chooses class and byte order, byte 1 the machine, byte 2 what is wanted; from byte 16
 * on lies the dynamic section, mapped at address 0 with all that follows.
 */
#include <stdlib.h>
#include <string.h>

#include "elf/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEADERS = 512, DATA_MAX = 1 << 20 };

struct out {
	unsigned char *p;
	size_t n;
	bool big;
	bool is64;
};

static void put(struct out *o, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		o->p[o->n++] = (unsigned char)(v >> 8 * (o->big ? n - 1 - i : i));
}

static void put_word(struct out *o, uint64_t v)
{
	put(o, v, o->is64 ? 8 : 4);
}

static void put_phdr(struct out *o, uint32_t type, uint64_t size)
{
	put(o, type, 4);
	if (o->is64)
		put(o, 4, 4);
	put_word(o, HEADERS);
	put_word(o, 0);
	put_word(o, 0);
	put_word(o, size);
	put_word(o, size);
	if (!o->is64)
		put(o, 4, 4);
	put_word(o, 8);
}

static void put_headers(struct out *o, uint16_t machine, uint64_t size)
{
	const unsigned char ident[16] = { 0x7f, 'E', 'L', 'F', o->is64 ? 2 : 1, o->big ? 2 : 1, 1 };
	const unsigned ehdr = o->is64 ? 64 : 52;

	memcpy(o->p, ident, sizeof(ident));
	o->n = sizeof(ident);
	put(o, 3, 2);
	put(o, machine, 2);
	put(o, 1, 4);
	put_word(o, 0);
	put_word(o, ehdr);
	put_word(o, 0);
	put(o, 0, 4);
	put(o, ehdr, 2);
	put(o, o->is64 ? 56 : 32, 2);
	put(o, 2, 2);
	put(o, 0, 6);
	put_phdr(o, 1, size);
	put_phdr(o, 2, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t machines[] = { 62, 3, 183, 40, 20, 21, 22, 243, 43, 8, 258, 0x9026 };
	struct out o = { 0 };
	struct sap_reader reader;
	struct sap_arena arena;
	struct sap_elf elf;
	struct sap_err err;

	if (size < 16 || size > DATA_MAX)
		return 0;
	o.p = calloc(1, HEADERS + size - 16);
	if (!o.p)
		return 0;
	o.is64 = data[0] & 1;
	o.big = data[0] & 2;
	put_headers(&o, machines[data[1] % (sizeof(machines) / sizeof(machines[0]))], size - 16);
	memcpy(o.p + HEADERS, data + 16, size - 16);
	reader = sap_reader_memory(sap_span_of(o.p, HEADERS + size - 16));
	sap_arena_init(&arena, 256ULL * 1024 * 1024);
	if (sap_elf_read(&reader, sap_span_of(o.p, HEADERS), data[2] & SAP_ELF_ALL, &arena, &elf,
			 &err) < 0)
		abort(); /* the headers are good: all the rest is at most damaged */
	sap_arena_clear(&arena);
	free(o.p);
	return 0;
}
