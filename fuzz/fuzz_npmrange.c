/* SPDX-License-Identifier: Apache-2.0 */
/* npm's ranges: the first line is a range, what follows it a version. */
#include <stdint.h>
#include <stdlib.h>

#include "version/version.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each version that a range has lies in the same range with another set before or behind it. */
static void check_union(struct sap_str range, struct sap_str version, bool in)
{
	size_t n = 2 * range.n + 8;
	char *text = malloc(n);
	bool both = false;

	if (!text)
		return;
	memcpy(text, range.p, range.n);
	memcpy(text + range.n, "||", 2);
	memcpy(text + range.n + 2, range.p, range.n);
	if (!sap_npm_range_has((struct sap_str){ text, 2 * range.n + 2 }, version, &both) ||
	    both != in)
		abort();
	memcpy(text, "<0||", 4);
	memcpy(text + 4, range.p, range.n);
	if (!sap_npm_range_has((struct sap_str){ text, range.n + 4 }, version, &both) || both != in)
		abort();
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sap_str text = { (const char *)data, size }, range, version;
	bool in = false;

	if (!sap_str_cut(text, '\n', &range, &version) || range.n > 4096)
		return 0;
	if (!sap_npm_range_has(range, version, &in))
		return 0;
	if (range.n > 0)
		check_union(range, version, in);
	/* A version that npm takes is one by semver's rules too. */
	if (!sap_version_valid(SAP_VERSION_SEMVER, sap_str_trim(version)) &&
	    memchr(version.p, '\v', version.n) == NULL &&
	    memchr(version.p, '\f', version.n) == NULL)
		abort();
	return 0;
}
