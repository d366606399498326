/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The import formats that are lists or simple JSON. The first byte chooses the format, "?" or
 * any other that is no letter of the table lets recognition choose.
 */
#include <stdlib.h>

#include "import/import.h"

static const struct sap_import_format *const formats[] = {
	&sap_format_debian_dsa, &sap_format_debian_cve, &sap_format_debian_json,
	&sap_format_ubuntu,     &sap_format_secdb,      &sap_format_arch,
	&sap_format_kev_json,   &sap_format_kev_csv,    &sap_format_epss,
	&sap_format_functions,
};

/* Every line must be a row that can be read again. */
static int check(void *ctx, struct sap_str lines, struct sap_err *err)
{
	struct sap_arena *arena = ctx;
	struct sap_str line;
	struct sap_row row;

	(void)err;
	if (lines.n == 0 || lines.p[lines.n - 1] != '\n')
		abort();
	while (sap_str_line(&lines, &line)) {
		int rc = sap_row_parse(line, arena, &row, NULL);

		if (rc != 0 && rc != SAP_ENOENT && rc != SAP_ENOMEM && rc != SAP_ELIMIT)
			abort();
		sap_arena_reset(arena);
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sap_import_options options = { .name = "input" };
	const struct sap_import_format *format = NULL;
	struct sap_arena arena;
	struct sap_rows rows;

	if (size == 0)
		return 0;
	if (data[0] >= 'a' && data[0] < 'a' + sizeof(formats) / sizeof(formats[0]))
		format = formats[data[0] - 'a'];
	sap_arena_init(&arena, 0);
	sap_rows_init(&rows, check, &arena);
	sap_import_memory((struct sap_str){ (const char *)data + 1, size - 1 }, format, &options,
			  &rows, NULL);
	sap_rows_clear(&rows);
	sap_arena_clear(&arena);
	return 0;
}
