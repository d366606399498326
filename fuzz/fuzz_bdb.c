/* SPDX-License-Identifier: Apache-2.0 */
/* A Berkeley DB file of rpm, with the headers in it. */
#include "../tests/rpm/rpm_run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run run;

	run_init(&run, false);
	if (run_bytes(&run, BDB, (struct sap_str){ (const char *)data, size }) < 0)
		abort();
	run_clear(&run);
	return 0;
}
