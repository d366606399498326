/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reader: bytes at an offset, whatever they come from (a file, memory, a layer of an
 * image). Parsers that need only parts of a large file take one of these.
 */
#ifndef SAP_BASE_READER_H
#define SAP_BASE_READER_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/span.h"

struct sap_reader {
	/* Reads up to n bytes at off into buf, fewer only at the end of the input; *got says
	 * how many. 0 or a negative enum sap_code. */
	int (*read_at)(const struct sap_reader *reader, uint64_t off, void *buf, uint64_t n,
		       uint64_t *got, struct sap_err *err);
	uint64_t size;          /* bytes in all, as known when it was opened */
	int fd;                 /* for file readers */
	struct sap_span memory; /* for memory readers */
};

/* A reader over bytes in memory, which must outlive it. */
struct sap_reader sap_reader_memory(struct sap_span bytes);

/* A reader over an open regular file; the descriptor stays the caller's. size is what
 * fstat said. Uses pread, so that a file cut short while it is read is a short read and
 * never a signal. */
struct sap_reader sap_reader_fd(int fd, uint64_t size);

/* Exactly the bytes [off, off+n) in arena memory (or borrowed, for a memory reader).
 * SAP_EFORMAT where the input ends before, SAP_ENOMEM, SAP_EIO. */
int sap_reader_get(const struct sap_reader *reader, uint64_t off, uint64_t n,
		   struct sap_arena *arena, struct sap_span *out, struct sap_err *err);

#endif
