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
	SAP_ORIGIN_BACKPORTS,   /* the distribution's, but a line with versions of its own (~bpo,
				 * FIPS and Ksplice builds, PackageHub, CentOS SIGs) */
	SAP_ORIGIN_THIRD_PARTY, /* somebody else's: PPA, vendor repository, COPR */
	SAP_ORIGIN_LOCAL,       /* built by hand: checkinstall, alien, "Unknown Packager" */
	SAP_ORIGIN_UNKNOWN,     /* cannot be told */
};

const char *sap_origin_name(enum sap_origin origin); /* "distribution", "third-party" ... */

/* What a package's own record says of who made it. Signs, by type (the tables in origin.c name
 * each with the repository that makes it):
 *   deb  version: ~bpoNN+ (backports); ubuntu on Debian, ppa, codenames, +debianNN, pgdg,
 *        nodesource, sury, +maria, +rpt, pve ...; Origin; maintainers that are known vendors or
 *        nobody (root@, a host without domain); Section of checkinstall, alien, fpm. Nothing
 *        else: Debian's maintainers use any address, and ~ubuntu22.04.1 is Ubuntu's own too
 *   rpm  Vendor against that of the system (table; for systems that it lacks, the Vendor of
 *        filesystem, glibc or rpm); without Vendor the packager, words (.remi, .ngx), the dist
 *        tag; without any of them unknown
 *   apk  nothing tells; @tagged repositories are not in the database: distribution
 *   alpm packager "Unknown Packager" or none: local; those of other repositories
 *   gpg-pubkey, which rpm keeps as a package, is no code: distribution
 * A sign is one that no package of the distribution itself bears; false alarms would hide
 * vulnerabilities. *reason gets text for people in the arena, empty for DISTRIBUTION; it reads
 * on after the name of the origin: "third-party" "Vendor is "Docker"", "backports" "~bpo12+1",
 * "unknown" "no Vendor, and ...". */
enum sap_origin sap_origin_of(const struct sap_facts *facts, const struct sap_package *package,
			      struct sap_arena *arena, struct sap_str *reason);

/* Whether the epochs say that a fixed version and an installed one are of different lines: a
 * statement about this very release whose version has a lower epoch than what is installed
 * ("epoch tricks"). deb, rpm, alpm. */
bool sap_origin_epoch_differs(uint8_t package_type, struct sap_str installed, struct sap_str fixed);

#endif
