/* SPDX-License-Identifier: Apache-2.0 */
/* An object as it is: its functions, with itself as its debug file and its .gnu_debugdata
 * taken as unpacked; and its bytes as instructions. */
#include <stdlib.h>

#include "elf/functions.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int as_it_is(void *ctx, struct sap_span packed, struct sap_arena *arena,
		    struct sap_span *out, struct sap_err *err)
{
	(void)ctx;
	(void)arena;
	(void)err;
	*out = packed;
	return 0;
}

/* Offsets rise; names have no blanks but those between them. */
static void check(const struct sap_fn_list *list, uint64_t size)
{
	for (size_t i = 0; i < list->v.n; i++) {
		const struct sap_fn *fn = &list->v.v[i];

		if (fn->offset >= size || (i && list->v.v[i - 1].offset >= fn->offset) ||
		    fn->flags == 0)
			abort();
		for (size_t k = 0; k < fn->names.n; k++) {
			unsigned char b = (unsigned char)fn->names.p[k];

			if (b < ' ' || b == 0x7f ||
			    (b == ' ' && (k == 0 || fn->names.p[k - 1] == ' ')))
				abort();
		}
	}
	if (list->damaged != (list->damage.n != 0))
		abort();
}

static void list(struct sap_span bytes, const struct sap_fn_options *options)
{
	struct sap_reader reader = sap_reader_memory(bytes);
	struct sap_fn_list out = { 0 };
	struct sap_arena arena;
	struct sap_err err;

	sap_arena_init(&arena, 256ULL * 1024 * 1024);
	if (sap_elf_functions(&reader, options, &arena, &out, &err) == 0)
		check(&out, bytes.n);
	sap_vec_clear(&out.v);
	sap_arena_clear(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sap_span bytes = sap_span_of(data, size);
	struct sap_reader debug = sap_reader_memory(bytes);
	struct sap_fn_options all = { .want = SAP_FN_WANT_EXPORTED | SAP_FN_WANT_ALL,
				      .unpack = as_it_is };
	struct sap_fn_options exported = { .want = SAP_FN_WANT_EXPORTED };
	static const uint16_t machines[] = { 62, 3, 183, 22 };
	unsigned refused = 0;

	list(bytes, &all);
	all.debug = &debug;
	list(bytes, &all);
	list(bytes, &exported);
	for (size_t i = 0; i < 4; i++)
		refused += sap_probe_refused(machines[i], bytes);
	if (refused > 3)
		abort();
	return 0;
}
