/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where evidence lives: one SQLite file (docs/formats/evidence.md), WAL, written by one watcher
 * in one transaction an interval, read by scans meanwhile. A row per thing that was seen, not per
 * event: its size is bounded by what there is on the host, not by time.
 *
 * A window is what one watcher saw between its start and its end on one boot. Killed at any
 * moment, the file has the state of the last transaction, and the window ends there.
 */
#ifndef SAP_STORE_EVSTORE_H
#define SAP_STORE_EVSTORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/evidence.h"

#define SAP_EVSTORE_SCHEMA 1

struct sap_evstore;

/* Opens for writing; makes the file (0600) and its folder (0755) where they are missing. One
 * writer at a time (flock on FILE.lock): SAP_EIO "another watcher is running (pid N)".
 * SAP_EFORMAT: no such store, or damaged: the text says to move it away. SAP_EUNSUPPORTED: of a newer
 * version. */
int sap_evstore_open(const char *path, struct sap_evstore **out, struct sap_err *err);

/* Begins a window and writes it; former windows are joined, by what they saw, as
 * sap_evidence_merge does it. The set stays the window's until the next begin or close. SAP_EIO with
 * "no space left" (sys_errno ENOSPC, EDQUOT, EFBIG): the window has begun, and the next write
 * writes it all. */
int sap_evstore_begin(struct sap_evstore *s, const struct sap_evidence *e, struct sap_err *err);

/* Writes what is new in e since the last call in one transaction; nothing where nothing is. What
 * was there at the last look (its last_seen is the one that most living processes have) costs
 * nothing. SAP_EIO with "no space left", as above: nothing was written; the next call writes all. */
int sap_evstore_write(struct sap_evstore *s, const struct sap_evidence *e, struct sap_err *err);

/* Drops windows that ended before `before` (ns since 1970), aside from the one that was begun, and
 * what only they saw. */
int sap_evstore_prune(struct sap_evstore *s, int64_t before, struct sap_err *err);
void sap_evstore_close(struct sap_evstore *s); /* takes NULL */

/* Reads everything whose window ended at or after `since` (0: all) into one set, which the caller
 * frees: windows joined, with the gaps between them. The file is opened read-only, whatever else
 * writes it. *found false: there is no such file, or no window, and *out is NULL. SAP_EFORMAT,
 * SAP_EUNSUPPORTED, SAP_ENOMEM; SAP_EIO: rights, the text says which. */
int sap_evstore_read(const char *path, int64_t since, struct sap_evidence **out, bool *found,
		     struct sap_err *err);

#endif
