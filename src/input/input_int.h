/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the input module. Functions here return a descriptor (or 0) or -errno; only the
 * public functions turn that into an enum sap_code.
 */
#ifndef SAP_INPUT_INPUT_INT_H
#define SAP_INPUT_INPUT_INT_H

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/limits.h"
#include "input/input.h"

struct sap_input {
	int rootfd;
	int procfd; /* /proc as an O_PATH descriptor, or -1: see sap_input_reopen */
	unsigned flags;
	uid_t uid; /* O_NOATIME is for the owner of a file only */
	uint64_t root_dev, root_ino;
	/* Both are hints that any thread may set; a stale value costs a system call. */
	atomic_bool no_openat2;    /* the kernel lacks it or a filter blocks it */
	atomic_ullong content_dev; /* the last st_dev found to be no pseudo file system */
};

/* O_NONBLOCK: some regular files (kmsg, trace_pipe) block a reader, and a name may turn
 * into a FIFO at any time. */
#define SAP_INPUT_READ (O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
#define SAP_INPUT_LOOK (O_PATH | O_CLOEXEC)
#define SAP_INPUT_FOLDER (SAP_INPUT_READ | O_DIRECTORY)

/* A path as the kernel wants it; the result is NUL-terminated. -ENOENT for an empty path or
 * one with a NUL in it (no such file can exist), -ENAMETOOLONG. */
int sap_input_cpath(struct sap_str path, char out[static SAP_PATH_MAX]);

/* openat2 alone, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | more. -ENOSYS where it is missing
 * or blocked, which is remembered. */
int sap_input_openat2(struct sap_input *input, const char *path, int flags, unsigned more);

/* The descriptor that path leads to inside the root, by openat2 or by sap_input_walk.
 * flags: one of the three sets above, and O_NOFOLLOW for a link as the last component. */
int sap_input_resolve(struct sap_input *input, const char *path, int flags);

/* The same by a walk of our own. canon (may be NULL): gets the path without links, "/" for
 * the root. */
int sap_input_walk(const struct sap_input *input, const char *path, int flags,
		   struct sap_buf *canon);

/* Turns -errno into a code and names the path. */
int sap_input_fail(int sys, const char *what, struct sap_str path, struct sap_err *err);

#endif
