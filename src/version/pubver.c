/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pub (Dart's pub_semver): semver, but a build counts: 1.0.0 < 1.0.0+1 < 1.0.0+a. The build's
 * ids are compared like those of a pre-release.
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
	int cmp;

	sap_semver_parse(a, &x);
	sap_semver_parse(b, &y);
	cmp = sap_semver_cmp(&x, &y, false);
	return cmp != 0 ? cmp : sap_semver_ids_cmp(x.build, y.build, false);
}

const struct sap_version_rules sap_version_pub = { valid, cmp };
