/* SPDX-License-Identifier: Apache-2.0 */
/* Unit files and init scripts from any bytes. */
#include <stdlib.h>

#include "base/limits.h"
#include "sysconf/sysconf_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sap_span bytes = sap_span_of(data, size);
	struct sap_str guesses[SAP_INITSCRIPT_PROGRAMS_MAX];
	struct sap_unit unit = { 0 };
	struct sap_err fault = { 0 };
	struct sap_arena arena;
	struct sap_str path;
	uint32_t n = 0;

	sap_arena_init(&arena, 0);
	sap_unit_read(bytes, &arena, &unit, &fault, NULL);
	for (int i = 0; i < SAP_UNIT_EXECS; i++) {
		for (size_t j = 0; j < unit.exec[i].n; j++) {
			if (unit.exec[i].v[j].n == 0 || unit.exec[i].v[j].n > SAP_PATH_MAX)
				abort();
			if (sap_sysconf_normal(&arena, unit.exec[i].v[j], &path, NULL) == 0 &&
			    (path.p[0] != '/' || sap_sysconf_has_dotdot(path)))
				abort();
		}
	}
	sap_unit_clear(&unit);
	sap_initscript_read(bytes, &arena, guesses, SAP_INITSCRIPT_PROGRAMS_MAX, &n, NULL);
	for (uint32_t i = 0; i < n; i++)
		if (guesses[i].n < 2 || guesses[i].p[0] != '/')
			abort();
	sap_arena_clear(&arena);
	return 0;
}
