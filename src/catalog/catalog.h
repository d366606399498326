/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Catalog: the package databases of a target, read by readers of our own, as records.
 *
 * Nothing of the target runs and nothing is written to it: no librpm (which runs macros), no
 * SQLite file opened in place. A database that is there but cannot be read is a diagnostic;
 * what can be read of a damaged one is given, and the diagnostic says what is missing.
 *
 * For each package: its record, then the records of its files. After each database that is
 * there: a setting SAP_SET_DATABASE (not for a sink that has no such member).
 */
#ifndef SAP_CATALOG_CATALOG_H
#define SAP_CATALOG_CATALOG_H

#include "base/arena.h"
#include "base/err.h"
#include "input/input.h"
#include "model/record.h"

struct sap_catalog {
	struct sap_input *input;
	struct sap_sink *sink;
	uint32_t next_id;     /* of the next package; set it to 1 */
	bool without_files;   /* names and versions only */
	bool without_digests; /* files, but of dpkg without their digests: half the reading */
	uint64_t n_files;     /* given so far, against SAP_FILES_MAX; set it to 0 */
	/* Folders that cannot be looked into, each said once; set n_blocked to 0. */
	struct sap_str blocked[8];
	unsigned n_blocked;
};

/* The identity of the system (os-release(5): etc/os-release, else usr/lib/os-release, else
 * redhat-release, debian_version, alpine-release, arch-release ...). No record where
 * nothing says it. */
int sap_catalog_os(struct sap_catalog *catalog, struct sap_err *err);

/* Every database that is there. 0, also when there is none. */
int sap_catalog_read(struct sap_catalog *catalog, struct sap_err *err);

/* The same, one kind each. 0 when the target has no such database. */
int sap_catalog_dpkg(struct sap_catalog *catalog, struct sap_err *err);
int sap_catalog_rpm(struct sap_catalog *catalog, struct sap_err *err);
int sap_catalog_apk(struct sap_catalog *catalog, struct sap_err *err);
int sap_catalog_pacman(struct sap_catalog *catalog, struct sap_err *err);

#endif
