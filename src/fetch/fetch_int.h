/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SAP_FETCH_FETCH_INT_H
#define SAP_FETCH_FETCH_INT_H

#include "base/span.h"
#include "fetch/fetch.h"

/*
 * A file on its way: NAME.part, and the entity tag that its bytes belong to; and what came
 * before whole.
 *
 * The tag's file is two lines, tag and address. It is there only while it is true: it goes
 * before the bytes do, and comes before they come.
 */
struct sap_fetch_part {
	int dir;
	const char *url;
	uint64_t max;                     /* bytes; more than that is no use */
	int fd;                           /* locked, at its end, for writing and reading */
	uint64_t size;                    /* bytes that an earlier transfer brought */
	char tag[SAP_FETCH_TAG_MAX + 1];  /* a strong one; empty: there is nothing to go on from */
	char kept[SAP_FETCH_TAG_MAX + 1]; /* the same of NAME; empty: it is not there, or old */
	char name[256], name_tag[256], part[256], part_tag[256];
};

/* Opens or makes and locks it. What is there without a tag, with another address, or is larger
 * than max, is thrown away. SAP_EIO: another process writes it. */
int sap_fetch_part_open(struct sap_fetch_part *part, const struct sap_fetch_request *request,
			struct sap_err *err);
/* Sees anew what is there, before the next try. */
int sap_fetch_part_reopen(struct sap_fetch_part *part, struct sap_err *err);
/* Throws away what is there: begins at 0. */
int sap_fetch_part_restart(struct sap_fetch_part *part, struct sap_err *err);
/* The server sends the whole file: begins at 0. tag: of the bytes that will come; a weak one or
 * none: they cannot be resumed. What came whole before counts no more. */
int sap_fetch_part_begin(struct sap_fetch_part *part, const char *tag, struct sap_err *err);
/* SHA-256 over all of it, as hex. SAP_ECHANGED: it has not that many bytes. */
int sap_fetch_part_digest(struct sap_fetch_part *part, uint64_t bytes, char hex[65],
			  struct sap_err *err);
/* Syncs, renames to NAME and keeps the tag beside it. */
int sap_fetch_part_finish(struct sap_fetch_part *part, struct sap_err *err);
/* Size and digest of NAME, which came whole before. */
int sap_fetch_part_kept(const struct sap_fetch_part *part, uint64_t *bytes, char hex[65],
			struct sap_err *err);
/* Closes; also throws away what is there. */
void sap_fetch_part_close(struct sap_fetch_part *part, bool remove);

/* An entity tag (RFC 9110, 8.8.3): quoted, perhaps W/ in front, no control bytes. */
bool sap_fetch_tag_ok(struct sap_str tag);

#endif
