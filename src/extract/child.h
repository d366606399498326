/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parent's end of one worker process.
 */
#ifndef SAP_EXTRACT_CHILD_H
#define SAP_EXTRACT_CHILD_H

#include <sys/types.h>

#include "base/buf.h"
#include "extract/extract_int.h"

struct sap_child {
	pid_t pid; /* 0: none */
	int request_fd;
	int facts_fd;
	struct sap_progress *progress; /* shared with the worker: read with care */
	struct sap_decoder *decoder;
	unsigned char *piece; /* what has just been read */
	bool heard;           /* something has come since the last request */
	bool ended;           /* it closed its end: it is gone, or about to be */
};

/* How a worker ended. */
struct sap_child_end {
	char text[SAP_ERR_TEXT_MAX]; /* "killed by signal 11 (Segmentation fault)" ... */
	uint64_t peak_bytes;
};

/* Starts worker with its descriptors; rootfd stays the caller's. */
int sap_child_start(struct sap_child *child, const char *worker, int rootfd,
		    struct sap_facts *facts, struct sap_err *err);

/* Sends a request. SAP_EWORKER where the worker is gone. */
int sap_child_send(struct sap_child *child, const struct sap_buf *request, struct sap_err *err);

/* Takes records into the facts until the end of the batch. SAP_EWORKER where the worker died,
 * stalled or broke the protocol; the text says how. */
int sap_child_receive(struct sap_child *child, const struct sap_extract_options *options,
		      struct sap_err *err);

/* Ends the process (it has no state worth saving) and collects it. end may be NULL. The progress
 * page stays readable until sap_child_clear. */
void sap_child_stop(struct sap_child *child, struct sap_child_end *end);
/* Also ends the process where it still runs, without waiting for it: what is left of it goes
 * when the parent does, or sooner. */
void sap_child_clear(struct sap_child *child);

#endif
