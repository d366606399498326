/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetching one file by HTTPS into a folder: the heart of sapper-fetch.
 *
 * - HTTPS only, redirects included; certificates and names are verified. Addresses with a user
 *   name or password are refused: they would stand in messages and lists of processes.
 * - Nothing is decoded: bytes arrive as they are kept (no decompression, no bomb).
 * - Conditional: with the entity tag of what one has, "unchanged" costs no transfer (RFC 9110,
 *   If-None-Match).
 * - A transfer goes to NAME.part; NAME.part.tag has the tag and the address of its bytes. One
 *   that was cut off goes on where it stopped, if the server still has the same file: If-Range
 *   with a strong tag (RFC 9110, 13.1.5), and an answer 206 with just that tag and the rest of
 *   the file. Every other answer begins anew.
 * - When everything is there, NAME.part is synced and renamed to NAME: NAME is never half a
 *   file. NAME.tag then has tag and address; as long as both are there, a further call that
 *   finds the server's file to be the same gives NAME without a transfer. Whoever has taken
 *   NAME over removes both (sap_fetch_forget).
 * - Faults of the network and answers 408, 425, 429 and 5xx are tried again after pauses that double
 *   (1, 2, 4 ... at most 60 seconds, with some chance in them; Retry-After is heeded up to 120
 *   seconds). What was received stays for the next try.
 * - A fault, too: no byte in `timeout` seconds, or less than SAP_FETCH_RATE_MIN bytes a second
 *   over that time. The longest a transfer can take is thus max_bytes / SAP_FETCH_RATE_MIN.
 * - An answer that does not say where it ends (HTTP/1 with neither Content-Length nor chunks) is
 *   refused: whoever cuts the connection would decide how long the file is.
 * - No file is larger than max_bytes, whatever the server announces; the text of an error answer
 *   is not read.
 * - One process at a time writes NAME.part (flock); a second one fails. Links, pipes and files
 *   of others in its place are removed, not followed.
 */
#ifndef SAP_FETCH_FETCH_H
#define SAP_FETCH_FETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define SAP_FETCH_TAG_MAX 512u
#define SAP_FETCH_URL_MAX 4096u
#define SAP_FETCH_HEADERS_MAX (256u * 1024) /* bytes of all headers, redirects included */
#define SAP_FETCH_RATE_MIN 1000u            /* bytes a second */

struct sap_fetch_request {
	const char *url;
	const char *name;   /* of the file in the folder: no '/', no '.' in front */
	int dir;            /* the folder; stays the caller's */
	const char *etag;   /* what one has; NULL or empty: nothing */
	const char *proxy;  /* NULL: as the environment says; empty: none */
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
 * max_bytes. SAP_ENOENT: the server has no such file (404, 410). SAP_EUNSUPPORTED: an answer without
 * an end. SAP_EUSAGE: no https address, a
 * name with '/', a tag that is none. */
int sap_fetch(const struct sap_fetch_request *request, struct sap_fetch_result *result,
	      struct sap_err *err);

#endif
