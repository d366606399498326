/* SPDX-License-Identifier: Apache-2.0 */
/* OSV records, as they come from a file or in lines. */
#include "fuzz_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct sap_import_options options = { .name = "input" };
	struct sap_arena arena;
	struct sap_rows rows;

	sap_arena_init(&arena, 0);
	sap_rows_init(&rows, fuzz_check_rows, &arena);
	sap_import_memory((struct sap_str){ (const char *)data, size }, &sap_format_osv, &options,
			  &rows, NULL);
	sap_rows_clear(&rows);
	sap_arena_clear(&arena);
	return 0;
}
