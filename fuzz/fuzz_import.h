/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzz targets of the import share: every row must be one that can be read again. */
#ifndef SAP_FUZZ_IMPORT_H
#define SAP_FUZZ_IMPORT_H

#include <stdlib.h>

#include "import/import.h"

static inline int fuzz_check_rows(void *ctx, struct sap_str lines, struct sap_err *err)
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

#endif
