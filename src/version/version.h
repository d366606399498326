/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Versions: which of two is newer, by the rules of the system that made them. Pure functions
 * on slices; no allocation, no system call.
 *
 *     scheme      rules of                                             specification
 *     DEB         Debian, Ubuntu and what derives from them            deb-version(7)
 *     RPM         rpm: epoch, ~, ^                                     rpm-version(7)
 *     APK         Alpine, Wolfi ...: letters, _alpha .. _p, ~hash, -r  apk-package(5)
 *     PACMAN      Arch: epoch, rpmvercmp of old, pkgrel                vercmp(8)
 *     SEMVER      Semantic Versioning 2.0.0, with OSV's leniency: a "v" in front, parts that
 *                 are missing (1, 1.2) count as 0; also crates.io, npm, Hex, Swift, Bitnami
 *     GO          semver with Go's "v", "+incompatible", pseudo-versions, goX.Y.Z
 *     PEP440      PyPI: epoch, pre, post, dev, local
 *     MAVEN       Maven's ComparableVersion
 *     RUBYGEMS    Gem::Version
 *     NUGET       four numbers, then semver's pre-release, case folded
 *     PACKAGIST   PHP's version_compare as Composer normalises it (a part that begins with '#'
 *                 equals both the end and any number there: such versions are outside the
 *                 total order)
 *     HACKAGE     lists of numbers
 *     CRAN        lists of numbers, "." and "-" alike
 *     PUB         semver where a build counts too
 *
 * sap_version_cmp is a total order on all byte strings: antisymmetric and transitive, also
 * where a version is invalid by its scheme's rules. Invalid ones stand before all valid ones,
 * among each other bytewise. 0 means "the same version" (1.0 and 1.00 in DEB), not the same
 * bytes. Nothing is trusted: any bytes, NUL included, any length; time grows with the length.
 * Numbers have no ceiling: they are compared as digits.
 */
#ifndef SAP_VERSION_VERSION_H
#define SAP_VERSION_VERSION_H

#include <stdbool.h>

#include "base/span.h"

enum sap_version_scheme {
	SAP_VERSION_NONE = 0, /* no rules known: equal bytes are equal, nothing else can be said */
	SAP_VERSION_DEB,
	SAP_VERSION_RPM,
	SAP_VERSION_APK,
	SAP_VERSION_PACMAN,
	SAP_VERSION_SEMVER,
	SAP_VERSION_GO,
	SAP_VERSION_PEP440,
	SAP_VERSION_MAVEN,
	SAP_VERSION_RUBYGEMS,
	SAP_VERSION_NUGET,
	SAP_VERSION_PACKAGIST,
	SAP_VERSION_HACKAGE,
	SAP_VERSION_CRAN,
	SAP_VERSION_PUB,
	SAP_VERSION_SCHEMES
};

/* <0, 0, >0. With SAP_VERSION_NONE the order is bytewise and only 0 means something. */
int sap_version_cmp(enum sap_version_scheme scheme, struct sap_str a, struct sap_str b);

/* The same where both are known to be valid: faster. */
int sap_version_cmp_valid(enum sap_version_scheme scheme, struct sap_str a, struct sap_str b);

/* Whether v is a version by the scheme's rules. False for the empty text. */
bool sap_version_valid(enum sap_version_scheme scheme, struct sap_str v);

/* The word for a scheme ("deb", "rpm", "apk", "pacman", "semver", "go", "pypi", "maven",
 * "rubygems", "nuget", "packagist", "hackage", "cran", "pub"; "none"), and back. The names of
 * ecosystems that share a scheme are understood too ("debian", "ubuntu", "alpine", "arch",
 * "npm", "crates.io", "pep440" ...), without regard to case. */
const char *sap_version_scheme_name(enum sap_version_scheme scheme);
enum sap_version_scheme sap_version_scheme_parse(struct sap_str name);

/* Whether a version lies in a range of npm's grammar (node-semver: ||, blanks, hyphen ranges,
 * x-ranges, ~, ^; pre-releases only beside a comparator with the same three numbers, as npm
 * does without includePrerelease). False: range or version is invalid, *in untouched. */
bool sap_npm_range_has(struct sap_str range, struct sap_str version, bool *in);

#endif
