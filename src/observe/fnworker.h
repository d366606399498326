/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions of ELF files, listed by the helper program sapper-functions: it parses
 * (elf/functions.h) in the sandbox without any file system and unpacks .gnu_debugdata with
 * liblzma. Files go to it as descriptors over a SOCK_SEQPACKET pair (its descriptor 3); lists
 * come back as records in native byte order:
 *
 *     request: struct sap_fnw_request, with 1 or 2 descriptors (the file, its debug file)
 *     answer:  packets of struct sap_fnw_head, then n * struct sap_fnw_item each followed by
 *              n_names bytes, padded to 8; a head with n == 0 and last set ends the list
 *
 * A worker that dies or stalls is started again; the file is then reported as not observable.
 */
#ifndef SAP_OBSERVE_FNWORKER_H
#define SAP_OBSERVE_FNWORKER_H

#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "elf/functions.h"

#define SAP_FNW_PACKET_MAX 65536u
#define SAP_FNW_VERSION 1u

struct sap_fnw_request {
	uint32_t version; /* SAP_FNW_VERSION */
	uint32_t want;    /* enum sap_fn_want */
};

/* In front of each packet; the fields behind n_text count in the last one only. */
struct sap_fnw_head {
	uint32_t n;      /* items behind it */
	uint32_t last;   /* 1: nothing follows; then n is 0 and n_text bytes of text come */
	int32_t code;    /* 0, or the enum sap_code that the list failed with, and text says why */
	uint32_t n_text; /* with code 0: what is damaged */
	uint32_t machine;
	uint32_t from; /* see sap_fnw_from */
	uint32_t n_constructors, n_ifuncs;
	uint32_t has_symtab, damaged; /* booleans */
};

/* Offsets rise from item to item. */
struct sap_fnw_item {
	uint64_t offset, addr, size;
	uint32_t flags; /* enum sap_fn_flags */
	uint32_t n_names;
};

/* What sap_fn_list.local_from may be; NULL for 0 and for what is unknown. */
static inline const char *sap_fnw_from(uint32_t i)
{
	static const char *const from[] = { NULL, ".symtab", "debug file", ".gnu_debugdata",
					    ".eh_frame" };

	return i < sizeof(from) / sizeof(from[0]) ? from[i] : NULL;
}

static inline uint64_t sap_fnw_padded(uint64_t n)
{
	return (n + 7) & ~7ULL;
}

struct sap_fnworker;

/* start: makes the helper run with `fd` as its descriptor 3 (cli/helper.c); *pid is its number. */
struct sap_fnworker_options {
	int (*start)(void *ctx, int fd, pid_t *pid, struct sap_err *err);
	void *ctx;
	unsigned timeout_ms; /* for one file; 0: 20000 */
};

int sap_fnworker_new(const struct sap_fnworker_options *options, struct sap_fnworker **out,
		     struct sap_err *err);
void sap_fnworker_free(struct sap_fnworker *w); /* takes NULL; ends the helper */

/* Lists the functions of the file; debug_fd -1: none. Descriptors stay the caller's; they must
 * be open for reading (O_PATH will not do). As sap_elf_functions; SAP_EWORKER: the helper died
 * on it, stalled or broke the protocol; the next call starts a fresh one. All names live in the
 * arena. */
int sap_fnworker_list(struct sap_fnworker *w, int fd, int debug_fd, unsigned want,
		      struct sap_arena *arena, struct sap_fn_list *out, struct sap_err *err);

/* The helper's side: reads requests from fd until the other side is gone; 0. Enters the sandbox
 * first. */
int sap_fnworker_serve(int fd, sap_fn_unpack *unpack, struct sap_err *err);

#endif
