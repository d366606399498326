/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetching one file by HTTPS into a folder: the heart of sapper-fetch.
 *
 * - HTTPS only, redirects included; certificates and names are verified.
 * - Nothing is decoded: bytes arrive as they are kept (no decompression, no bomb).
 * - Conditional: with the entity tag of what one has, "unchanged" costs no transfer (RFC 9110,
 *   If-None-Match).
 * - A transfer goes to NAME.part; its tag stands in NAME.part.tag. One that was cut off goes on
 *   where it stopped, if the server still has the same file (If-Range with a strong tag); else
 *   it starts anew. When everything is there, NAME.part is synced and renamed to NAME: NAME is
 *   never half a file.
 * - Faults of the network and answers 408, 425, 429 and 5xx are tried again after pauses that double
 *   (1, 2, 4 ... at most 60 seconds, with some chance in them; Retry-After is heeded up to 120
 *   seconds). A pause without a byte longer than the timeout is a fault. What was received stays for the
 *   next try.
 * - No file is larger than max_bytes, whatever the server announces.
 */
#ifndef SAP_FETCH_FETCH_H
#define SAP_FETCH_FETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define SAP_FETCH_TAG_MAX 512u

struct sap_fetch_request {
	const char *url;
	const char *name;   /* of the file in the folder: no '/' */
	int dir;            /* the folder; stays the caller's */
	const char *etag;   /* what one has; NULL or empty: nothing */
	const char *proxy;  /* NULL: as the environment says */
	const char *cacert; /* NULL: the system's */
	uint64_t max_bytes;
	unsigned timeout; /* seconds without progress; also for connecting */
	unsigned retries; /* after the first try */
	/* Called now and then; total 0: unknown. May be NULL. */
	void (*progress)(void *ctx, uint64_t received, uint64_t total);
	/* Called before a pause. May be NULL. */
	void (*waiting)(void *ctx, unsigned seconds, const char *why);
	void *ctx;
};

struct sap_fetch_result {
	bool unchanged;                   /* the server has what one has: no file was written */
	char etag[SAP_FETCH_TAG_MAX + 1]; /* of the answer; empty: it gave none */
	int64_t modified;                 /* Last-Modified, seconds since 1970; 0: it gave none */
	char digest[65];                  /* SHA-256 of the file, hex; empty with unchanged */
	uint64_t bytes;                   /* of the file */
	uint64_t resumed;                 /* bytes of them that an earlier transfer had brought */
};

/* Once in a process, before anything else. SAP_ENOMEM. */
int sap_fetch_init(struct sap_err *err);

/* SAP_EIO: it could not be had; the text names address and reason. SAP_ELIMIT: larger than
 * max_bytes. SAP_ENOENT: the server has no such file (404, 410). SAP_EUSAGE: no https address, a
 * name with '/'. */
int sap_fetch(const struct sap_fetch_request *request, struct sap_fetch_result *result,
	      struct sap_err *err);

#endif
