/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON of ELF notes: package metadata and dlopen metadata. */
#include "extract/extract_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct sap_str json = { (const char *)data, size };
	const struct sap_strs list = { &json, 1 };
	struct sap_rec_package_note note = { 0 };
	struct sap_rec_object rec = { 0 };
	struct sap_notes *notes = NULL;
	struct sap_arena arena;
	struct sap_err fault, err;

	sap_arena_init(&arena, 0);
	sap_notes_package(&notes, json, &arena, &note, &fault, &err);
	sap_notes_dlopen(&notes, list, &arena, &rec, &fault, &err);
	sap_notes_free(notes);
	sap_arena_clear(&arena);
	return 0;
}
