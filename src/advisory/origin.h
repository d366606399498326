/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Origin: whether a package is the distribution's own, so that its advisories' versions mean
 * anything for it. Pure: package and system in, answer and reason out.
 */
#ifndef SAP_ADVISORY_ORIGIN_H
#define SAP_ADVISORY_ORIGIN_H

#include "base/arena.h"
#include "base/span.h"
#include "model/facts.h"

enum sap_origin {
	SAP_ORIGIN_DISTRIBUTION = 1, /* nothing speaks against it */
	SAP_ORIGIN_BACKPORTS,   /* the distribution's, but another line (~bpo, -updates of EPEL) */
	SAP_ORIGIN_THIRD_PARTY, /* somebody else's: PPA, vendor repository, COPR */
	SAP_ORIGIN_LOCAL,       /* built by hand: checkinstall, alien, "Unknown Packager" */
	SAP_ORIGIN_UNKNOWN,     /* cannot be told */
};

const char *sap_origin_name(enum sap_origin origin); /* "distribution", "third-party" ... */

/* What a package's own record says of who made it. Signs, by type (the tables in origin.c name
 * each with the repository that makes it):
 *   deb  version: ~bpoNN+ (backports), ubuntu/ppa/~jammy/~bookworm suffixes that the system's
 *        own release does not make, pgdg, nodesource, deb.sury.org, +rpt, cloudlinux ...; Origin
 *        and maintainer of known vendors; nothing else: Debian's maintainers use any address
 *   rpm  Vendor against the system's vendors; .el9.remi, .fcNN on EL, epel's "Fedora Project";
 *        without Vendor the dist tag
 *   apk  nothing tells; @tagged repositories are not in the database: distribution
 *   alpm packager "Unknown Packager" or none: local
 * *reason gets text for people in the arena, empty for DISTRIBUTION. */
enum sap_origin sap_origin_of(const struct sap_facts *facts, const struct sap_package *package,
			      struct sap_arena *arena, struct sap_str *reason);

/* Whether the epochs say that a fixed version and an installed one are of different lines: a
 * statement about this very release whose version has a lower epoch than what is installed
 * ("epoch tricks"). deb, rpm, alpm. */
bool sap_origin_epoch_differs(uint8_t package_type, struct sap_str installed, struct sap_str fixed);

#endif
