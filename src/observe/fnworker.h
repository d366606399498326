/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions of ELF files, listed by the helper program sapper-functions: it parses (elf/functions.h) in the
 * sandbox without any file system and unpacks .gnu_debugdata with liblzma. Files go to it as
 * descriptors over a SOCK_SEQPACKET pair (its descriptor 3); lists come back as CBOR-free records:
 *
 *     request: struct sap_fnw_request, with 1 or 2 descriptors (the file, its debug file)
 *     answer:  packets of struct sap_fnw_head, then n * struct sap_fnw_item each followed by
 *              n_names bytes, padded to 8; a head with n == 0 and last set ends the list
 *
 * A worker that dies or stalls is started again; the file is then reported as not observable.
 */
#ifndef SAP_OBSERVE_FNWORKER_H
#define SAP_OBSERVE_FNWORKER_H

#include "base/arena.h"
#include "base/err.h"
#include "elf/functions.h"

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

/* Lists the functions of the file; debug_fd -1: none. Descriptors stay the caller's. As
 * sap_elf_functions; SAP_EWORKER: the helper died on it. */
int sap_fnworker_list(struct sap_fnworker *w, int fd, int debug_fd, unsigned want,
		      struct sap_arena *arena, struct sap_fn_list *out, struct sap_err *err);

/* The helper's side: reads requests from fd until the other side is gone; 0. Enters the sandbox
 * first. */
int sap_fnworker_serve(int fd, sap_fn_unpack *unpack, struct sap_err *err);

#endif
