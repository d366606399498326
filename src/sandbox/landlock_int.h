/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Landlock, from the kernel's Documentation/userspace-api/landlock.rst. By hand, because
 * distributions' headers know only the ABI of their own kernel; the numbers of the calls are
 * the same on all architectures.
 */
#ifndef SAP_SANDBOX_LANDLOCK_INT_H
#define SAP_SANDBOX_LANDLOCK_INT_H

#include <stdint.h>

#define NR_LANDLOCK_CREATE_RULESET 444
#define NR_LANDLOCK_ADD_RULE 445
#define NR_LANDLOCK_RESTRICT_SELF 446
#define LANDLOCK_VERSION_FLAG 1u
#define LANDLOCK_PATH_BENEATH 1

#define LANDLOCK_FS_EXECUTE (1ULL << 0)
#define LANDLOCK_FS_READ_FILE (1ULL << 2)
#define LANDLOCK_FS_READ_DIR (1ULL << 3)
#define LANDLOCK_FS_ABI1 ((1ULL << 13) - 1) /* execute, write, read, remove, make of all kinds */
#define LANDLOCK_FS_REFER (1ULL << 13)      /* ABI 2 */
#define LANDLOCK_FS_TRUNCATE (1ULL << 14)   /* ABI 3 */
#define LANDLOCK_NET_TCP 3ULL               /* ABI 4: bind, connect */
#define LANDLOCK_FS_IOCTL_DEV (1ULL << 15)  /* ABI 5 */
#define LANDLOCK_SCOPE_SOCKET_SIGNAL 3ULL   /* ABI 6: abstract UNIX sockets, signals */

/* Older kernels take a longer structure whose end is zero. */
struct landlock_rules {
	uint64_t fs;
	uint64_t net;    /* ABI 4 */
	uint64_t scoped; /* ABI 6 */
};

struct landlock_beneath {
	uint64_t allowed;
	int32_t parent;
} __attribute__((packed));

#endif
