/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SAP_FETCH_FETCH_INT_H
#define SAP_FETCH_FETCH_INT_H

#include "base/span.h"
#include "fetch/fetch.h"

/* A file on its way: NAME.part, and the entity tag that its bytes belong to. */
struct sap_fetch_part {
	int dir;
	int fd;                          /* at its end, for writing and reading */
	uint64_t size;                   /* bytes that an earlier transfer brought */
	char tag[SAP_FETCH_TAG_MAX + 1]; /* a strong one; empty: there is nothing to go on from */
	char name[256], part[256], tag_file[256];
};

/* Opens or makes it. What is there without a tag, or is larger than max, is thrown away. */
int sap_fetch_part_open(struct sap_fetch_part *part, int dir, const char *name, uint64_t max,
			struct sap_err *err);
/* Sees anew what is there, before the next try. */
int sap_fetch_part_reopen(struct sap_fetch_part *part, uint64_t max, struct sap_err *err);
/* The server sends the whole file: begins at 0. */
int sap_fetch_part_restart(struct sap_fetch_part *part, struct sap_err *err);
/* Notes the tag that the bytes from now on belong to; a weak one or none: it cannot be resumed. */
int sap_fetch_part_tag(struct sap_fetch_part *part, const char *tag, struct sap_err *err);
/* SHA-256 over all of it, as hex. SAP_ECHANGED: it has not that many bytes. */
int sap_fetch_part_digest(struct sap_fetch_part *part, uint64_t bytes, char hex[65],
			  struct sap_err *err);
/* Syncs, renames to NAME. */
int sap_fetch_part_finish(struct sap_fetch_part *part, struct sap_err *err);
/* Closes; also throws away what is there. */
void sap_fetch_part_close(struct sap_fetch_part *part, bool remove);

/* An entity tag (RFC 9110, 8.8.3): quoted, perhaps W/ in front, no control bytes. */
bool sap_fetch_tag_ok(struct sap_str tag);

#endif
