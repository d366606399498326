/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NuGet (learn.microsoft.com/nuget/concepts/package-versioning): semver with a fourth number,
 * leading zeros allowed, pre-releases without regard to case, the build ignored.
 */
#include "version/langver_int.h"

static bool valid(struct sap_str v)
{
	struct sap_semver parsed;

	return sap_semver_parse(v, &parsed);
}

static int cmp(struct sap_str a, struct sap_str b)
{
	struct sap_semver x = { 0 }, y = { 0 };

	sap_semver_parse(a, &x);
	sap_semver_parse(b, &y);
	return sap_semver_cmp(&x, &y, true);
}

const struct sap_version_rules sap_version_nuget = { valid, cmp };
