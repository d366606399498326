/* SPDX-License-Identifier: Apache-2.0 */
/* CSAF, OpenVEX, CycloneDX and CVE records from any JSON: the first byte chooses the format.
 * Whatever comes in, what goes out are rows. */
#include <stdlib.h>

#include "import/import.h"

static int check_rows(void *ctx, struct sap_str lines, struct sap_err *err)
{
	struct sap_arena arena;
	struct sap_str line;
	struct sap_row row;
	int rc;

	(void)ctx;
	(void)err;
	sap_arena_init(&arena, 0);
	while (sap_str_line(&lines, &line)) {
		rc = sap_row_parse(line, &arena, &row, NULL);
		if (rc < 0 && rc != SAP_ENOENT)
			abort();
		sap_arena_reset(&arena);
	}
	sap_arena_clear(&arena);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct sap_import_format *const formats[] = {
		&sap_format_csaf,
		&sap_format_openvex,
		&sap_format_cyclonedx,
		&sap_format_cve,
	};
	struct sap_import_options options = { .name = "fuzz" };
	struct sap_rows rows;

	if (size == 0)
		return 0;
	sap_rows_init(&rows, check_rows, NULL);
	sap_import_memory((struct sap_str){ (const char *)data + 1, size - 1 },
			  formats[data[0] % 4], &options, &rows, NULL);
	sap_rows_clear(&rows);
	return 0;
}
