/* SPDX-License-Identifier: Apache-2.0 */
/* CVSS vectors from any bytes. */
#include <stdint.h>
#include <stdlib.h>

#include "version/cvss.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One decimal, between 0 and 10. */
static bool is_score(double score)
{
	double rest = score * 10 - (double)(int)(score * 10 + 0.5);

	return score >= 0 && score <= 10 && rest < 1e-9 && rest > -1e-9;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sap_cvss cvss;

	if (!sap_cvss_parse((struct sap_str){ (const char *)data, size }, &cvss))
		return 0;
	if (!is_score(cvss.base) || !is_score(cvss.score) || !cvss.attack_vector ||
	    !cvss.availability || !sap_cvss_rating(&cvss, cvss.base))
		abort();
	return 0;
}
